/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/xb_state.h - the backend's half of the xenbus state machine. */
#ifndef DOM0_BACKEND_XB_STATE_H
#define DOM0_BACKEND_XB_STATE_H

#include <stdbool.h>

#include "base/util.h"

/*
 * How it works
 *
 * Frontend and backend each have a state node (xen/io/xenbus.h).  The peer's
 * state is a level, not an edge: values can be missed when they follow fast, and
 * a hostile frontend may show any.  So a table says, for each pair of states,
 * the one thing to do next, and it is followed until it says to stay.  Only
 * xb_state.c writes the state.
 *
 *	Initialising -> InitWait -> Connected -> Closing -> Closed -.
 *	                    ^                                       |
 *	                    '------------- frontend starts again ---'
 *
 * A device stays attached (its rings are served) from connect() to
 * disconnect(), which comes when the frontend is Closed or has started again,
 * not when it is only Closing: it may still have requests under way.
 */
enum xb_state {
	XB_UNKNOWN, /* no state node: the peer is gone */
	XB_INITIALISING,
	XB_INIT_WAIT,
	XB_INITIALISED,
	XB_CONNECTED,
	XB_CLOSING,
	XB_CLOSED,
	XB_RECONFIGURING,
	XB_RECONFIGURED,
	XB_NSTATES,
};

/**
 * struct xb_ops - What a device does.
 * @connect:    Read the frontend's keys, map its rings, serve.  Undoes itself
 *              on failure.  Return: 0 or -errno.
 * @disconnect: Finish what is in flight, stop serving, unmap.
 * @publish:    The state has become @state: write it to the store.
 */
struct xb_ops {
	int (*connect)(void *arg);
	void (*disconnect)(void *arg);
	void (*publish)(void *arg, enum xb_state state);
};

/** struct xb - One device's state.  Members are private to xb_state.c. */
struct xb {
	const struct xb_ops *ops;
	void *arg;
	enum xb_state state;
	bool attached; /* between connect() and disconnect() */
	bool final;    /* once closed, closed for good */
};

/**
 * xb_init() - Begin.
 * @was: What a predecessor left in our state node; XB_INITIALISING for a new
 *       device.  A device that was connected must go through Closing.
 */
void xb_init(struct xb *xb, const struct xb_ops *ops, void *arg,
	     enum xb_state was);

/**
 * xb_resume() - Begin as a predecessor left it: attached.
 * @was: Its state, XB_CONNECTED or XB_CLOSING, of which nothing is published; or
 *       XB_INIT_WAIT: it had connected, and not said so.
 */
void xb_resume(struct xb *xb, const struct xb_ops *ops, void *arg,
	       enum xb_state was);

/**
 * xb_peer_is() - The frontend's state is now @peer.
 * @peer: UNTRUSTED: the number found in its state node.
 *
 * Return: 0, -EPROTO if there is no such state (ours stays), or what connect()
 * returned when it failed (the state is Closing then).
 */
int xb_peer_is(struct xb *xb, unsigned int peer) must_check;

/** xb_fail() - The device cannot go on: stop serving and begin to close. */
void xb_fail(struct xb *xb);

/**
 * xb_detach() - The toolstack wants the device closed for good (online=0).
 *
 * It is served until the frontend has closed.  Call xb_peer_is() afterwards.
 */
void xb_detach(struct xb *xb);

/** xb_done() - Whether a detached device has closed: the worker can end. */
bool xb_done(const struct xb *xb);

/** xb_name() - Name of a state, for messages. */
const char *xb_name(enum xb_state state);

#endif
