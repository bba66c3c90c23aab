/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/evtchn_fd.h - an event channel as a pair of eventfds. */
#ifndef DOM0_BACKEND_EVTCHN_FD_H
#define DOM0_BACKEND_EVTCHN_FD_H

#include <stdint.h>

#include "base/domsock.h"

struct event;
struct event_base;

/**
 * struct evtchn_fd - One bound event channel.
 * @kick: Read by us: the guest has sent.  Blocking after evtchn_fd_bind(), as
 *        io_uring wants it for reads; evtchn_fd_watch() makes it non-blocking.
 * @call: Written by us: signals the guest.  Non-blocking.  -1 when not bound, as
 *        @kick.
 *
 * Other members are private.  Start from EVTCHN_FD_INIT.
 */
struct evtchn_fd {
	struct dom *dom;
	uint32_t port;
	int kick;
	int call;
	struct event *ev;
	void (*fn)(void *arg);
	void *arg;
};

#define EVTCHN_FD_INIT                 \
	{                              \
		.kick = -1, .call = -1 \
	}

/**
 * evtchn_fd_bind() - Bind a port that the guest left unbound for us.
 * @e:    In the state of EVTCHN_FD_INIT or after evtchn_fd_close().
 * @dom:  *Borrowed* until evtchn_fd_close().
 * @port: UNTRUSTED: from the guest.
 *
 * A kick is pending at once, so that one sent before is not lost.
 *
 * Return: 0, -EINVAL if the port is not unbound for us, or -errno.
 */
int evtchn_fd_bind(struct evtchn_fd *e, struct dom *dom,
		   uint32_t port) must_check;

/** evtchn_fd_close() - Undo everything; harmless if not bound. */
void evtchn_fd_close(struct evtchn_fd *e);

/**
 * evtchn_fd_watch() - Call @fn from the loop whenever the guest has sent.
 *
 * The eventfd is drained before @fn is called.
 *
 * Return: 0 or -errno.
 */
int evtchn_fd_watch(struct evtchn_fd *e, struct event_base *base,
		    void (*fn)(void *arg), void *arg) must_check;

/** evtchn_fd_again() - Call @fn once more, when others have had their turn. */
void evtchn_fd_again(const struct evtchn_fd *e);

/** evtchn_fd_notify() - Signal the guest; any thread.  One write(2). */
void evtchn_fd_notify(const struct evtchn_fd *e);

#endif
