// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_xb_state.c - the backend's half of the xenbus state machine.
#include <errno.h>
#include <criterion/criterion.h>

#include "dom0-backend/xb_state.h"

/* A device that counts what is asked of it. */
struct dev {
	struct xb xb;
	int attached;
	int connects, publishes;
	int connect_ret;
	enum xb_state shown;
};

static int do_connect(void *arg)
{
	struct dev *d = arg;

	cr_assert(!d->attached, "connected twice");
	d->connects++;
	if (!d->connect_ret)
		d->attached = 1;
	return d->connect_ret;
}

static void do_disconnect(void *arg)
{
	struct dev *d = arg;

	cr_assert(d->attached, "disconnected twice");
	d->attached = 0;
}

static void do_publish(void *arg, enum xb_state state)
{
	struct dev *d = arg;

	cr_assert_neq(d->shown, state, "%s published twice", xb_name(state));
	d->shown = state;
	cr_assert_lt(++d->publishes, 100, "the rules run in a circle");
}

static const struct xb_ops ops = { do_connect, do_disconnect, do_publish };

static void begin(struct dev *d, enum xb_state was)
{
	*d = (struct dev){ .shown = was };
	if (was == XB_INIT_WAIT) /* its keys are to be written again */
		d->shown = XB_INITIALISING;
	xb_init(&d->xb, &ops, d, was);
}

/* Reach each state by an honest way. */
static void reach(struct dev *d, enum xb_state ours)
{
	begin(d, XB_INITIALISING);
	if (ours == XB_INITIALISING)
		return;
	cr_assert_eq(xb_peer_is(&d->xb, XB_INITIALISING), 0);
	if (ours >= XB_CONNECTED)
		cr_assert_eq(xb_peer_is(&d->xb, XB_INITIALISED), 0);
	if (ours >= XB_CLOSING)
		cr_assert_eq(xb_peer_is(&d->xb, XB_CLOSING), 0);
	if (ours >= XB_CLOSED)
		cr_assert_eq(xb_peer_is(&d->xb, XB_CLOSED), 0);
	cr_assert_eq(d->xb.state, ours);
	d->publishes = 0;
}

static const enum xb_state reachable[] = { XB_INITIALISING, XB_INIT_WAIT,
					   XB_CONNECTED, XB_CLOSING,
					   XB_CLOSED };
#define FOR_EACH_PAIR(ours, peer)                                          \
	for (size_t i_ = 0; i_ < sizeof(reachable) / sizeof(reachable[0]); \
	     i_++)                                                         \
		for (unsigned int ours = reachable[i_], peer = 0;          \
		     peer < XB_NSTATES; peer++)

/* connect() and disconnect() come in pairs and no pair of states loops. */
Test(xb_state, pairs_from_everywhere)
{
	struct dev d;

	FOR_EACH_PAIR(ours, peer)
	{
		for (unsigned int next = 0; next < XB_NSTATES; next++) {
			reach(&d, ours);
			cr_assert_eq(xb_peer_is(&d.xb, peer), 0);
			d.publishes = 0;
			cr_assert_eq(xb_peer_is(&d.xb, next), 0);
			cr_assert_eq(d.attached, d.xb.attached);
			cr_assert_eq(d.shown, d.xb.state);
			if (d.xb.state == XB_CONNECTED)
				cr_assert(d.attached);
			if (d.xb.state < XB_CONNECTED ||
			    d.xb.state == XB_CLOSED)
				cr_assert(!d.attached);
		}
	}
}

/* From wherever a pair may stand, an honest frontend gets to Connected. */
Test(xb_state, converges_to_connected)
{
	static const unsigned int honest[] = { XB_CLOSING, XB_CLOSED,
					       XB_INITIALISING, XB_CONNECTED };
	struct dev d;

	FOR_EACH_PAIR(ours, peer)
	{
		reach(&d, ours);
		cr_assert_eq(xb_peer_is(&d.xb, peer), 0);
		for (size_t i = 0; i < 4; i++)
			cr_assert_eq(xb_peer_is(&d.xb, honest[i]), 0);
		cr_expect_eq(d.xb.state, XB_CONNECTED, "from %s, peer %s",
			     xb_name(ours), xb_name(peer));
	}
}

/* A kexec'd kernel waits for each answer in turn: Closing, Closed, InitWait. */
Test(xb_state, answers_a_reset_step_by_step)
{
	struct dev d;

	reach(&d, XB_CONNECTED);
	cr_expect_eq(xb_peer_is(&d.xb, XB_CLOSING), 0);
	cr_expect_eq(d.shown, XB_CLOSING);
	cr_expect(d.attached, "requests may still be under way");
	cr_expect_eq(xb_peer_is(&d.xb, XB_CLOSED), 0);
	cr_expect_eq(d.shown, XB_CLOSED);
	cr_expect(!d.attached);
	cr_expect_eq(xb_peer_is(&d.xb, XB_INITIALISING), 0);
	cr_expect_eq(d.shown, XB_INIT_WAIT);
}

/* The toolstack's detach ends in Closed whatever the frontend's state is. */
Test(xb_state, detach_converges)
{
	struct dev d;

	FOR_EACH_PAIR(ours, peer)
	{
		reach(&d, ours);
		cr_assert_eq(xb_peer_is(&d.xb, peer), 0);
		xb_detach(&d.xb);
		cr_assert_eq(xb_peer_is(&d.xb, peer), 0);
		cr_assert_eq(xb_peer_is(&d.xb, XB_CLOSED), 0);
		cr_expect(xb_done(&d.xb), "from %s, peer %s", xb_name(ours),
			  xb_name(peer));
		cr_assert_eq(xb_peer_is(&d.xb, XB_INITIALISING), 0);
		cr_expect(xb_done(&d.xb), "came back to life");
	}
}

Test(xb_state, detach_serves_until_the_frontend_closes)
{
	struct dev d;

	reach(&d, XB_CONNECTED);
	xb_detach(&d.xb);
	cr_expect_eq(xb_peer_is(&d.xb, XB_CONNECTED), 0);
	cr_expect(d.attached);
	cr_expect_eq(d.shown, XB_CLOSING);
	cr_expect_eq(xb_peer_is(&d.xb, XB_CLOSING), 0);
	cr_expect(d.attached && !xb_done(&d.xb));
	cr_expect_eq(xb_peer_is(&d.xb, XB_CLOSED), 0);
	cr_expect(!d.attached && xb_done(&d.xb));
}

/* A paused guest's frontend has not even begun. */
Test(xb_state, detach_before_the_frontend_begins)
{
	struct dev d;

	reach(&d, XB_INIT_WAIT);
	xb_detach(&d.xb);
	cr_expect_eq(xb_peer_is(&d.xb, XB_INITIALISING), 0);
	cr_expect(xb_done(&d.xb));
}

Test(xb_state, failed_connect_closes_once)
{
	struct dev d;

	reach(&d, XB_INIT_WAIT);
	d.connect_ret = -EINVAL;
	cr_expect_eq(xb_peer_is(&d.xb, XB_CONNECTED), -EINVAL);
	cr_expect_eq(d.shown, XB_CLOSING);
	for (int i = 0; i < 5; i++)
		cr_expect_eq(xb_peer_is(&d.xb, XB_CONNECTED), 0);
	cr_expect_eq(d.connects, 1, "no connecting in a loop");
	d.connect_ret = 0;
	cr_expect_eq(xb_peer_is(&d.xb, XB_CLOSED), 0);
	cr_expect_eq(xb_peer_is(&d.xb, XB_INITIALISING), 0);
	cr_expect_eq(xb_peer_is(&d.xb, XB_CONNECTED), 0);
	cr_expect_eq(d.shown, XB_CONNECTED);
}

Test(xb_state, failure_disconnects)
{
	struct dev d;

	reach(&d, XB_CONNECTED);
	xb_fail(&d.xb);
	cr_expect(!d.attached);
	cr_expect_eq(d.shown, XB_CLOSING);
	cr_expect_eq(xb_peer_is(&d.xb, XB_CONNECTED), 0);
	cr_expect_eq(d.shown, XB_CLOSING);
}

Test(xb_state, states_that_do_not_exist)
{
	struct dev d;

	for (size_t i = 0; i < sizeof(reachable) / sizeof(reachable[0]); i++) {
		reach(&d, reachable[i]);
		cr_expect_eq(xb_peer_is(&d.xb, XB_NSTATES), -EPROTO);
		cr_expect_eq(xb_peer_is(&d.xb, ~0u), -EPROTO);
		cr_expect_eq(d.xb.state, reachable[i]);
	}
}

/* After a crash the successor begins where the store says. */
Test(xb_state, successor)
{
	static const enum xb_state want[XB_NSTATES] = {
		[XB_UNKNOWN] = XB_INITIALISING,
		[XB_INITIALISING] = XB_INITIALISING,
		[XB_INIT_WAIT] = XB_INITIALISING,
		[XB_INITIALISED] = XB_CLOSING,
		[XB_CONNECTED] = XB_CLOSING,
		[XB_CLOSING] = XB_CLOSING,
		[XB_CLOSED] = XB_CLOSED,
		[XB_RECONFIGURING] = XB_CLOSING,
		[XB_RECONFIGURED] = XB_CLOSING,
	};
	struct dev d;

	for (unsigned int was = 0; was < XB_NSTATES; was++) {
		begin(&d, was);
		cr_expect_eq(d.xb.state, want[was], "%s", xb_name(was));
		if (want[was] == XB_CLOSING)
			cr_expect_eq(d.shown, XB_CLOSING);
		cr_expect_eq(xb_peer_is(&d.xb, XB_CONNECTED), 0);
		cr_expect_eq(xb_peer_is(&d.xb, XB_CLOSED), 0);
		cr_expect_eq(xb_peer_is(&d.xb, XB_INITIALISING), 0);
		cr_expect_eq(d.xb.state, XB_INIT_WAIT, "%s", xb_name(was));
	}
}

/* With a journal the successor goes on: nobody is told, and the end is as usual. */
Test(xb_state, successor_that_resumes)
{
	static const enum xb_state from[] = { XB_CONNECTED, XB_CLOSING };

	for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
		struct dev d = { .shown = from[i], .attached = 1 };

		xb_resume(&d.xb, &ops, &d, from[i]);
		cr_assert_eq(xb_peer_is(&d.xb, XB_CONNECTED), 0);
		cr_expect_eq(d.publishes, 0);
		cr_expect_eq(d.connects, 0);
		cr_expect(d.attached);
		cr_assert_eq(xb_peer_is(&d.xb, XB_CLOSED), 0);
		cr_expect(!d.attached);
		cr_expect_eq(d.shown, XB_CLOSED);
	}
}

/* A predecessor has connected, and died before it could say so: it is said now. */
Test(xb_state, resumes_and_tells)
{
	struct dev d = { .shown = XB_INIT_WAIT, .attached = 1 };

	xb_resume(&d.xb, &ops, &d, XB_INIT_WAIT);
	cr_expect_eq(d.publishes, 1);
	cr_expect_eq(d.shown, XB_CONNECTED);
	cr_assert_eq(xb_peer_is(&d.xb, XB_CONNECTED), 0);
	cr_expect_eq(d.connects, 0);
	cr_expect(d.attached);
}
