// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/xb_state.c - the backend's half of the xenbus state machine.
#include "dom0-backend/xb_state.h"

#include <errno.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/io/xenbus.h>

_Static_assert((int)XB_INITIALISING == (int)XenbusStateInitialising &&
		       (int)XB_CONNECTED == (int)XenbusStateConnected &&
		       (int)XB_CLOSED == (int)XenbusStateClosed &&
		       (int)XB_RECONFIGURED == (int)XenbusStateReconfigured,
	       "our numbers are the protocol's");

enum act { STAY, MOVE, CONNECT, DISCONNECT };

struct rule {
	uint8_t act, next;
};

#define TO(s)                 \
	{                     \
		MOVE, XB_##s, \
	}
#define JOIN(s)                  \
	{                        \
		CONNECT, XB_##s, \
	}
#define LEAVE(s)                    \
	{                           \
		DISCONNECT, XB_##s, \
	}

/*
 * [ours][peer's]; a pair that is not listed means STAY.
 *
 * CLOSING with a peer that is Initialised or Connected stays: it has not noticed
 * yet, or lies; connecting again here would let it turn us in a loop.
 */
static const struct rule rules[XB_NSTATES][XB_NSTATES] = {
	[XB_INITIALISING] = {
		[XB_INITIALISING] = TO(INIT_WAIT),
		[XB_INIT_WAIT] = TO(INIT_WAIT),
		[XB_INITIALISED] = TO(INIT_WAIT),
		[XB_CONNECTED] = TO(INIT_WAIT),
		[XB_CLOSING] = TO(CLOSED),
		[XB_CLOSED] = TO(CLOSED),
	},
	[XB_INIT_WAIT] = {
		[XB_INITIALISED] = JOIN(CONNECTED),
		[XB_CONNECTED] = JOIN(CONNECTED),
		[XB_CLOSING] = TO(CLOSING),
		[XB_CLOSED] = TO(CLOSED),
	},
	[XB_CONNECTED] = {
		[XB_UNKNOWN] = LEAVE(CLOSING),
		[XB_INITIALISING] = LEAVE(CLOSING),
		[XB_CLOSING] = TO(CLOSING),
		[XB_CLOSED] = LEAVE(CLOSING),
	},
	[XB_CLOSING] = {
		[XB_UNKNOWN] = LEAVE(CLOSED),
		[XB_INITIALISING] = LEAVE(CLOSED),
		[XB_INIT_WAIT] = LEAVE(CLOSED),
		[XB_CLOSED] = LEAVE(CLOSED),
	},
	[XB_CLOSED] = {
		[XB_INITIALISING] = TO(INIT_WAIT),
		[XB_INIT_WAIT] = TO(INIT_WAIT),
		[XB_INITIALISED] = TO(INIT_WAIT),
		[XB_CONNECTED] = TO(INIT_WAIT),
	},
};

static const char *const names[] = {
	[XB_UNKNOWN] = "Unknown",
	[XB_INITIALISING] = "Initialising",
	[XB_INIT_WAIT] = "InitWait",
	[XB_INITIALISED] = "Initialised",
	[XB_CONNECTED] = "Connected",
	[XB_CLOSING] = "Closing",
	[XB_CLOSED] = "Closed",
	[XB_RECONFIGURING] = "Reconfiguring",
	[XB_RECONFIGURED] = "Reconfigured",
};
_Static_assert(ARRAY_SIZE(names) == XB_NSTATES, "a name for each state");

const char *xb_name(enum xb_state state)
{
	return state < XB_NSTATES ? names[state] : "impossible";
}

/* The only writer of the state. */
static void enter(struct xb *xb, enum xb_state state)
{
	if (state == xb->state)
		return;
	xb->state = state;
	xb->ops->publish(xb->arg, state);
}

static void leave(struct xb *xb)
{
	if (!xb->attached)
		return;
	xb->attached = false;
	xb->ops->disconnect(xb->arg);
}

void xb_init(struct xb *xb, const struct xb_ops *ops, void *arg,
	     enum xb_state was)
{
	*xb = (struct xb){ .ops = ops, .arg = arg, .state = XB_INITIALISING };
	if (was == XB_CLOSED || was == XB_CLOSING)
		xb->state = was;
	else if (was > XB_INIT_WAIT)
		enter(xb, XB_CLOSING);
}

void xb_resume(struct xb *xb, const struct xb_ops *ops, void *arg,
	       enum xb_state was)
{
	*xb = (struct xb){
		.ops = ops, .arg = arg, .state = was, .attached = true
	};
	/* It has died before it could tell. */
	if (was == XB_INIT_WAIT)
		enter(xb, XB_CONNECTED);
}

int xb_peer_is(struct xb *xb, unsigned int peer)
{
	const struct rule *r;
	int ret = 0;

	if (peer >= XB_NSTATES)
		return -EPROTO;
	/* The rules have no cycle for a fixed peer: see test_xb_state. */
	while (!ret && (r = &rules[xb->state][peer])->act != STAY) {
		if (xb->state == XB_CLOSED && xb->final)
			break;
		if (r->act == CONNECT) {
			ret = xb->ops->connect(xb->arg);
			xb->attached = !ret;
		} else if (r->act == DISCONNECT) {
			leave(xb);
		}
		enter(xb, ret ? XB_CLOSING : r->next);
	}
	return ret;
}

void xb_fail(struct xb *xb)
{
	leave(xb);
	if (xb->state != XB_CLOSED)
		enter(xb, XB_CLOSING);
}

void xb_detach(struct xb *xb)
{
	xb->final = true;
	if (xb->state != XB_CLOSED)
		enter(xb, XB_CLOSING);
}

bool xb_done(const struct xb *xb)
{
	return xb->final && xb->state == XB_CLOSED;
}
