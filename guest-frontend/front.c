/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/front.c - the frontend's half of the xenbus state machine. */
#include "guest-frontend/front.h"

#include <xen/xen.h>
#include <xen/errno.h>

#include "guest-frontend/events.h"
#include "guest-frontend/minilibc.h"
#include "guest-frontend/xenbus.h"

#define LOOK_NS UINT64_C(1000000000)

enum act { STAY, OFFER, JOIN, CLOSE, LEAVE };

/*
 * [ours][peer's]; a pair that is not listed means STAY.
 *
 * Initialising: other states than InitWait are of a former life; the backend
 * will see that we began.  Closed: what it still has is taken back only when it
 * has closed too, or is gone.
 */
static const uint8_t rules[FRONT_NSTATES][FRONT_NSTATES] = {
	[XenbusStateInitialising] = {
		[XenbusStateInitWait] = OFFER,
	},
	[XenbusStateInitialised] = {
		[XenbusStateConnected] = JOIN,
		[XenbusStateUnknown] = CLOSE,
		[XenbusStateClosing] = CLOSE,
		[XenbusStateClosed] = CLOSE,
	},
	[XenbusStateConnected] = {
		[XenbusStateConnected] = JOIN,
		[XenbusStateUnknown] = CLOSE,
		[XenbusStateClosing] = CLOSE,
		[XenbusStateClosed] = CLOSE,
	},
	[XenbusStateClosing] = {
		[XenbusStateUnknown] = CLOSE,
		[XenbusStateInitialising] = CLOSE,
		[XenbusStateInitWait] = CLOSE,
		[XenbusStateClosing] = CLOSE,
		[XenbusStateClosed] = CLOSE,
	},
	[XenbusStateClosed] = {
		[XenbusStateUnknown] = LEAVE,
		[XenbusStateInitialising] = LEAVE,
		[XenbusStateInitWait] = LEAVE,
		[XenbusStateClosed] = LEAVE,
	},
};

/* The only writer of the state. */
static int enter(struct front *f, enum xenbus_state state)
{
	f->state = state;
	return xenbus_write_u64(XENBUS_NO_TXN, state, "%s/state", f->dir);
}

int front_init(struct front *f, const struct front_ops *ops, unsigned int devid)
{
	uint64_t domid = 0;
	int ret;

	memset(f, 0, sizeof(*f));
	f->ops = ops;
	snprintf(f->dir, sizeof(f->dir), "device/%s/%u", ops->type, devid);
	ret = xenbus_read(XENBUS_NO_TXN, f->be, sizeof(f->be), "%s/backend",
			  f->dir);
	if (ret >= (int)sizeof(f->be))
		ret = -XEN_ENAMETOOLONG;
	if (ret >= 0)
		ret = xenbus_read_u64(XENBUS_NO_TXN, DOMID_FIRST_RESERVED - 1,
				      &domid, "%s/backend-id", f->dir);
	if (ret < 0)
		return ret;
	f->be_domid = (unsigned int)domid;
	f->state = XenbusStateInitialising;
	return xenbus_watch(f->dir, "%s/state", f->be);
}

void front_fini(struct front *f)
{
	(void)xenbus_unwatch(f->dir, "%s/state", f->be);
}

int front_start(struct front *f)
{
	if (f->prepared)
		return -XEN_EBUSY;
	return enter(f, XenbusStateInitialising);
}

/*
 * A backend that has seen our former life lets go of it when it sees that we
 * began again; one that has not waits for us.
 */
int front_resume(struct front *f)
{
	bool was_closed = f->state == XenbusStateClosed;
	int ret;

	f->has_joined = false;
	f->resuming = f->prepared;
	if (f->prepared)
		f->ops->lost(f);
	ret = xenbus_watch(f->dir, "%s/state", f->be);
	if (was_closed)
		return ret;
	if (!ret)
		ret = enter(f, XenbusStateInitialising);
	if (!ret)
		ret = front_run(f, XenbusStateConnected, FRONT_TIMEOUT_NS);
	if (ret)
		(void)front_stop(f);
	return ret;
}

/* Our keys and our state become visible together. */
static int publish(struct front *f)
{
	uint32_t txn;
	int ret, ended;

	do {
		ret = xenbus_begin(&txn);
		if (ret)
			return ret;
		ret = f->ops->keys(f, txn);
		if (!ret)
			ret = xenbus_write_u64(txn, f->ops->offered, "%s/state",
					       f->dir);
		ended = xenbus_end(txn, !ret);
	} while (!ret && ended == -XEN_EAGAIN);
	if (!ret)
		ret = ended;
	if (!ret)
		f->state = f->ops->offered;
	return ret;
}

static void leave(struct front *f)
{
	if (f->prepared)
		f->ops->leave(f);
	f->prepared = f->has_joined = f->resuming = false;
}

static int offer(struct front *f)
{
	int ret = f->ops->prepare(f);

	f->prepared = !ret;
	f->resuming = false;
	if (ret)
		return ret;
	ret = publish(f);
	/* The backend has not seen them, whatever it says now. */
	if (ret)
		leave(f);
	return ret;
}

static int join(struct front *f)
{
	int ret;

	if (f->has_joined)
		return 0;
	ret = f->ops->joined(f);
	if (ret)
		return ret;
	f->has_joined = true;
	return enter(f, XenbusStateConnected);
}

/* For people who look into the store, where Linux puts it too. */
static void tell(struct front *f, int ret)
{
	(void)xenbus_write_u64(XENBUS_NO_TXN, (uint64_t)-ret, "error/%s/error",
			       f->dir);
}

/* Nobody will answer if the toolstack has removed our own directory. */
static int still_there(const struct front *f)
{
	int ret = xenbus_read(XENBUS_NO_TXN, NULL, 0, "%s/backend", f->dir);

	return ret == -XEN_ENOENT ? -XEN_ENODEV : 0;
}

static int act(struct front *f, enum act what)
{
	switch (what) {
	case STAY:
		return f->state == XenbusStateInitialising ? still_there(f) : 0;
	case OFFER:
		return offer(f);
	case JOIN:
		return join(f);
	case CLOSE:
		return enter(f, XenbusStateClosed);
	case LEAVE:
		leave(f);
		return 0;
	default:
		return 0;
	}
}

/* Do what the table says until it says to stay; what is no state is Unknown. */
static int follow(struct front *f)
{
	enum xenbus_state was;
	uint64_t peer;
	int ret;

	do {
		ret = xenbus_read_u64(XENBUS_NO_TXN, FRONT_NSTATES - 1, &peer,
				      "%s/state", f->be);
		f->peer = ret ? XenbusStateUnknown : (enum xenbus_state)peer;
		was = f->state;
		ret = act(f, rules[was][f->peer]);
	} while (!ret && f->state != was);
	if (ret) {
		tell(f, ret);
		(void)enter(f, XenbusStateClosing);
	}
	return ret;
}

static bool reached(const struct front *f, enum xenbus_state goal)
{
	if (f->state != goal)
		return false;
	return goal == XenbusStateConnected ? f->has_joined
	       : goal == XenbusStateClosed  ? !f->prepared
					    : true;
}

int front_run(struct front *f, enum xenbus_state goal, uint64_t ns)
{
	uint64_t until = events_deadline(ns), now;
	char path[FRONT_DIR_MAX], token[XENBUS_TOKEN_MAX];
	int ret;

	for (;;) {
		ret = follow(f);
		if (ret)
			return ret;
		if (reached(f, goal))
			return 0;
		if (reached(f, XenbusStateClosed))
			return -XEN_ENOTCONN;
		now = events_now();
		if (now >= until)
			return -XEN_EAGAIN;
		/*
		 * Whichever watch it is: a look costs little.  Of the removal
		 * of our own directory nobody tells us.
		 */
		ret = xenbus_next_watch(path, sizeof(path), token,
					until - now < LOOK_NS ? until - now
							      : LOOK_NS);
		if (ret < 0 && ret != -XEN_EOVERFLOW)
			return ret;
	}
}

int front_renew(struct front *f, uint64_t ns)
{
	char path[FRONT_DIR_MAX], token[XENBUS_TOKEN_MAX];
	int ret = xenbus_next_watch(path, sizeof(path), token, ns);

	if (ret == 0)
		return -XEN_EAGAIN;
	if (ret < 0 && ret != -XEN_EOVERFLOW)
		return ret;
	ret = follow(f);
	if (ret)
		return ret;
	return f->has_joined && f->state == XenbusStateConnected
		       ? f->ops->joined(f)
		       : -XEN_ENOTCONN;
}

int front_stop(struct front *f)
{
	int ret;

	if (reached(f, XenbusStateClosed))
		return 0;
	ret = enter(f, XenbusStateClosing);
	if (!ret)
		ret = front_run(f, XenbusStateClosed, FRONT_CLOSE_NS);
	if (ret) {
		leave(f);
		(void)enter(f, XenbusStateClosed);
	}
	return ret;
}

unsigned int front_max(const struct front *f, const char *key, unsigned int max)
{
	uint64_t v;
	int ret = xenbus_read_u64(XENBUS_NO_TXN, UINT32_MAX, &v, "%s/%s", f->be,
				  key);

	if (ret)
		return 0;
	return v < max ? (unsigned int)v : max;
}
