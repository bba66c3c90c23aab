// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/xenbus_fuzz.c - a device and a frontend that shows any state.
//
// FUZZ: F15; max_len 128
//
// Each byte is something that happens: the frontend's state node shows a number,
// serving fails, the toolstack detaches, the worker is replaced.  Rings are
// mapped when and only when the device is between connect and disconnect, which
// come in turns; states go only where xen/io/xenbus.h lets them; and a frontend
// that then behaves gets its device, or its end.
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "dom0-backend/xb_state.h"
#include "tests/lib/fuzz.h"

struct dev {
	struct xb xb;
	bool mapped, refuses;
	enum xb_state shown; /* in our state node */
	unsigned int publishes;
};

static int on_connect(void *arg)
{
	struct dev *d = arg;

	assert(!d->mapped);
	assert(d->shown == XB_INIT_WAIT);
	if (d->refuses)
		return -EINVAL;
	d->mapped = true;
	return 0;
}

static void on_disconnect(void *arg)
{
	struct dev *d = arg;

	assert(d->mapped);
	d->mapped = false;
}

/* Whether a backend that showed @from may show @to next. */
static bool may_follow(enum xb_state from, enum xb_state to)
{
	switch (to) {
	case XB_INIT_WAIT:
		return from == XB_INITIALISING || from == XB_CLOSED;
	case XB_CONNECTED:
		return from == XB_INIT_WAIT;
	case XB_CLOSING:
		return from != XB_CLOSED;
	case XB_CLOSED:
		return from != XB_CONNECTED;
	default:
		return false;
	}
}

static void on_publish(void *arg, enum xb_state state)
{
	struct dev *d = arg;

	assert(may_follow(d->shown, state));
	assert(state != XB_CONNECTED || d->mapped);
	assert(state != XB_CLOSED || !d->mapped);
	d->shown = state;
	d->publishes++;
}

static const struct xb_ops ops = { on_connect, on_disconnect, on_publish };

static void peer(struct dev *d, unsigned int state)
{
	enum xb_state was = d->shown;
	unsigned int before = d->publishes;
	int ret = xb_peer_is(&d->xb, state);

	assert(d->publishes - before <= XB_NSTATES);
	assert((ret == -EPROTO) == (state >= XB_NSTATES));
	if (state >= XB_NSTATES)
		assert(d->shown == was);
	assert(!ret || ret == -EPROTO || d->refuses);
	/* A state is a level: to see it again changes nothing. */
	before = d->publishes;
	if (!ret && !d->refuses) {
		assert(!xb_peer_is(&d->xb, state));
		assert(d->publishes == before);
	}
}

static void replace(struct dev *d)
{
	enum xb_state was = d->shown;

	/* The old worker is gone, and with it what it had mapped. */
	d->mapped = false;
	if (was == XB_CONNECTED || was == XB_INIT_WAIT)
		d->shown = XB_INITIALISING;
	xb_init(&d->xb, &ops, d, was);
}

static void happen(struct dev *d, uint8_t what)
{
	static const unsigned int wild[] = { 9, 10, 255, 1u << 31, UINT32_MAX };

	if (what < 200) {
		peer(d, what % XB_NSTATES);
	} else if (what < 210) {
		peer(d, wild[what % 5]);
	} else if (what < 225) {
		d->refuses = what & 1;
	} else if (what < 235) {
		xb_fail(&d->xb);
		assert(!d->mapped);
	} else if (what < 240) {
		xb_detach(&d->xb);
	} else if (what < 245) {
		replace(d);
	}
	assert(d->xb.attached == d->mapped);
	assert(d->shown == d->xb.state || d->shown == XB_INITIALISING);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned int leave[] = { XB_CLOSING, XB_CLOSED };
	static const unsigned int join[] = { XB_INITIALISING, XB_INITIALISED,
					     XB_CONNECTED };
	struct dev d = { .shown = XB_INITIALISING };

	xb_init(&d.xb, &ops, &d, XB_INITIALISING);
	while (size--)
		happen(&d, *data++);
	d.refuses = false;
	for (int i = 0; i < 2; i++)
		peer(&d, leave[i]);
	assert(d.shown == XB_CLOSED && !d.mapped);
	assert(xb_done(&d.xb) == d.xb.final);
	for (int i = 0; i < 3; i++)
		peer(&d, join[i]);
	assert(d.shown == (d.xb.final ? XB_CLOSED : XB_CONNECTED));
	assert(d.mapped == !d.xb.final);
	xb_detach(&d.xb);
	for (int i = 0; i < 2; i++)
		peer(&d, leave[i]);
	assert(xb_done(&d.xb) && !d.mapped);
	return 0;
}
