/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/front.h - the frontend's half of the xenbus state machine. */
#ifndef GUEST_FRONTEND_FRONT_H
#define GUEST_FRONTEND_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/io/xenbus.h>

/*
 * How it works
 *
 * The mirror of dom0-backend/xb_state.h: the backend's state is a level, and a
 * table says for each pair of states what to do next.
 *
 *	Initialising -> Initialised -> Connected -> Closing -> Closed -.
 *	     ^                                                         |
 *	     '---------------------- front_start() --------------------'
 *
 * Nothing happens behind the caller's back: front_run() follows the backend in
 * the caller's time.  All of this is for one thread.
 */
#define FRONT_DIR_MAX	 64u
#define FRONT_NSTATES	 9u
#define FRONT_TIMEOUT_NS UINT64_C(30000000000)
#define FRONT_CLOSE_NS	 UINT64_C(10000000000)

struct front;

/**
 * struct front_ops - One type of device.
 * @type:    As in the store: "vbd".
 * @offered: State that goes with the frontend's keys: XenbusStateInitialised,
 *           or XenbusStateConnected where the protocol skips that.
 * @prepare: The backend's features are there: make rings.  Undoes itself on
 *           failure.  After @lost, make what was lost again, and put what was in
 *           flight.  Return: 0 or -XEN_E*.
 * @keys:    Write the keys into transaction @txn; may run several times.
 * @joined:  The backend is Connected, or says so again: read what it says now.
 * @leave:   After @prepare, once the backend has let go, or has not in time:
 *           give everything back that it does not hold.
 * @lost:    After @prepare, in another life: no grant and no event channel is
 *           left.  What is in flight stays.
 */
struct front_ops {
	const char *type;
	enum xenbus_state offered;
	int (*prepare)(struct front *f);
	int (*keys)(struct front *f, uint32_t txn);
	int (*joined)(struct front *f);
	void (*leave)(struct front *f);
	void (*lost)(struct front *f);
};

/**
 * struct front - One device; first member of the type's own structure.
 * @dir:      Our directory, relative: "device/vbd/51712".
 * @be:       The backend's.
 * @be_domid: Domain to grant to.
 * @state:    Ours, as published.
 * @peer:     The backend's, when last looked at.
 */
struct front {
	const struct front_ops *ops;
	char dir[FRONT_DIR_MAX];
	char be[2 * FRONT_DIR_MAX];
	unsigned int be_domid;
	enum xenbus_state state, peer;
	bool prepared, has_joined;
	bool resuming; /* @prepared is of a former life */
};

/**
 * front_init() - Find a device in the store and watch its backend.
 *
 * Return: 0, -XEN_ENOENT if the domain has no such device, or -XEN_E*.
 */
int front_init(struct front *f, const struct front_ops *ops,
	       unsigned int devid);

/** front_fini() - Watch no more; close it first. */
void front_fini(struct front *f);

/** front_start() - Begin, or begin again once Closed: say Initialising. */
int front_start(struct front *f);

/**
 * front_resume() - Connect once more in another life (power_suspend()).
 *
 * One that was closed stays that.
 *
 * Return: 0; or as front_run(), which also says -XEN_ENODEV if the device is not
 * there any more: then it is closed, and what was in flight has failed.
 */
int front_resume(struct front *f);

/**
 * front_run() - Follow the backend.
 * @goal: Until our state is this.
 * @ns:   At most this long; 0 only looks.
 *
 * Return: 0; -XEN_ENOTCONN if it closed instead; -XEN_EAGAIN if time was up;
 * -XEN_ENODEV if the toolstack removes the device before it is connected;
 * -XEN_E* of the type's functions, after which the device is Closing.
 */
int front_run(struct front *f, enum xenbus_state goal, uint64_t ns);

/**
 * front_renew() - Wait for the backend to say something anew, and read it.
 * @ns: At most this long.
 *
 * It may return early, with nothing new.
 *
 * Return: 0; -XEN_EAGAIN if time was up; -XEN_ENOTCONN if it has closed instead;
 * or as front_run().
 */
int front_renew(struct front *f, uint64_t ns);

/**
 * front_stop() - Close, waiting for the backend.
 *
 * Return: 0; -XEN_EAGAIN if it did not follow in FRONT_CLOSE_NS: then the
 * device is given up, and counts as Closed.
 */
int front_stop(struct front *f);

/**
 * front_max() - Read a limit that the backend offers.
 *
 * Return: its value, at most @max; 0 if it is absent or no number.
 */
unsigned int front_max(const struct front *f, const char *key,
		       unsigned int max);

#endif
