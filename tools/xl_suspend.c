// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_suspend.c - having a guest suspend itself.
#include "tools/xl_suspend.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/sched.h>

#include "base/domsock.h"
#include "base/log.h"
#include "tools/xl_proc.h"
#include "tools/xl_store.h"

/*
 * How it works
 *
 * "suspend" in control/shutdown asks; the guest empties the node when it begins,
 * and calls SCHEDOP_shutdown when all its devices are quiet.  Until it has
 * emptied the node the request can be taken back, in a transaction, so that it
 * does not come true when nobody expects it any more.
 */
#define CONTROL "/local/domain/%u/control/%s"
#define WORD	"suspend"

/* What the store's callbacks need. */
struct asked {
	unsigned int domid;
	bool taken; /* the guest was faster */
};

static int ask(struct xs_handle *h, unsigned int domid)
{
	char path[64];

	if (xl_store_number(h, 0, CONTROL, domid, "feature-suspend") != 1) {
		log_err("domain %u has not said that it can be suspended (is it up?)",
			domid);
		return -EOPNOTSUPP;
	}
	snprintf(path, sizeof(path), CONTROL, domid, "shutdown");
	if (xs_write(h, XBT_NULL, path, WORD, (unsigned int)strlen(WORD)))
		return 0;
	log_err("domain %u: cannot be asked: %s", domid, strerror(errno));
	return -EIO;
}

static bool is_asked(struct xs_handle *h, xs_transaction_t t,
		     unsigned int domid)
{
	char *now = xl_store_get(h, t, CONTROL, domid, "shutdown");
	bool still = now && !strcmp(now, WORD);

	free(now);
	return still;
}

static int is_taken(struct xs_handle *h, void *arg)
{
	const struct asked *a = arg;

	return !is_asked(h, XBT_NULL, a->domid);
}

static void fill_withdrawal(struct xl_txn *x, void *arg)
{
	struct asked *a = arg;

	a->taken = !is_asked(x->h, x->t, a->domid);
	if (!a->taken)
		xl_txn_put(x, "", CONTROL, a->domid, "shutdown");
}

/* Wait until the guest has begun; else it never will. */
static int wait_taken(struct xs_handle *h, unsigned int domid, int ms)
{
	struct asked a = { .domid = domid };
	char path[64];
	int ret;

	snprintf(path, sizeof(path), CONTROL, domid, "shutdown");
	ret = xl_store_wait(h, path, ms, is_taken, &a);
	if (ret > 0)
		return 0;
	if (xl_txn_run(h, fill_withdrawal, &a))
		log_warn("domain %u: the request cannot be taken back", domid);
	else if (a.taken)
		return 0;
	if (ret == -ETIMEDOUT)
		log_err("domain %u did not acknowledge the request to suspend within %d s; it was taken back",
			domid, ms / 1000);
	else
		log_err("domain %u: not suspended: %s", domid, strerror(-ret));
	return ret;
}

/* The guest has ended; Return: 0 if that is what was asked for. */
static int judge(unsigned int domid, const struct dom_info *info)
{
	if (info->reason == SHUTDOWN_suspend)
		return 0;
	log_err("domain %u has not suspended itself but shut down: %s", domid,
		dom_reason_name(info->reason));
	return -ECANCELED;
}

static int wait_down(struct dom *dom, unsigned int domid, int ms)
{
	uint64_t end = util_clock_ns() + (uint64_t)ms * 1000000, now;
	struct pollfd pfd = { .fd = dom_fd(dom), .events = POLLIN };
	struct dom_msg msg;
	int ret;

	for (;;) {
		ret = dom_event(dom, &msg);
		if (ret > 0 && msg.type == DOM_EV_SHUTDOWN)
			return judge(domid, &msg.u.info);
		now = util_clock_ns();
		if (!ret && now >= end)
			ret = -ETIMEDOUT;
		if (!ret && xl_interrupted())
			ret = -EINTR;
		if (!ret)
			(void)xl_poll(&pfd, 1,
				      (int)((end - now) / 1000000) + 1);
		if (ret < 0)
			break;
	}
	if (ret == -EPIPE)
		log_err("domain %u was destroyed before it was suspended",
			domid);
	else if (ret == -ETIMEDOUT)
		log_err("domain %u acknowledged the request to suspend, but still runs after %d s",
			domid, ms / 1000);
	else
		log_err("domain %u: waiting for it to suspend: %s", domid,
			strerror(-ret));
	return ret;
}

/* A domain that cannot do anything will not suspend itself either. */
static int check(struct dom *dom, unsigned int domid)
{
	struct dom_info info;
	int ret = dom_info(dom, &info);

	if (ret) {
		log_err("domain %u: its VMM does not answer: %s", domid,
			strerror(-ret));
		return ret;
	}
	if (info.state & DOM_SHUTDOWN && info.reason == SHUTDOWN_suspend)
		log_err("domain %u is suspended already", domid);
	else if (info.state & DOM_SHUTDOWN)
		log_err("domain %u has shut down: %s", domid,
			dom_reason_name(info.reason));
	else if (info.state & DOM_PAUSED)
		log_err("domain %u is paused and cannot suspend itself (`xl unpause %u` first)",
			domid, domid);
	else
		return 0;
	return -EINVAL;
}

static int suspend(struct xs_handle *h, struct dom *dom, unsigned int domid,
		   int ms)
{
	int ret = check(dom, domid);

	if (!ret)
		ret = ask(h, domid);
	if (!ret)
		ret = wait_taken(h, domid, ms);
	return ret ? ret : wait_down(dom, domid, ms);
}

int xl_suspend(unsigned int domid, int ms)
{
	struct xs_handle *h;
	struct dom *dom;
	int ret = dom_connect(&dom, domid, DOM_ROLE_ADMIN, NULL, true);

	if (ret) {
		log_err("domain %u: its VMM does not answer: %s", domid,
			strerror(-ret));
		return ret;
	}
	ret = xl_store_open(&h);
	if (!ret) {
		ret = suspend(h, dom, domid, ms);
		xs_close(h);
	}
	dom_free(dom);
	return ret;
}
