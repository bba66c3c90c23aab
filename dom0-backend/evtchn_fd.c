// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/evtchn_fd.c - an event channel as a pair of eventfds.
#include "dom0-backend/evtchn_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/fd.h"

/* SYSCALLS: fcntl */
int evtchn_fd_bind(struct evtchn_fd *e, struct dom *dom, uint32_t port)
{
	int ret = dom_evtchn_bind(dom, port, &e->kick, &e->call);

	if (ret)
		return ret;
	e->dom = dom;
	e->port = port;
	if (fcntl(e->kick, F_SETFL, 0) < 0 ||
	    fcntl(e->call, F_SETFL, O_NONBLOCK) < 0) {
		ret = -errno;
		evtchn_fd_close(e);
	}
	return ret;
}

void evtchn_fd_close(struct evtchn_fd *e)
{
	if (e->ev)
		event_free(e->ev);
	e->ev = NULL;
	/* It fails only when the domain is gone, and the channel with it. */
	if (e->kick >= 0 && dom_evtchn_close(e->dom, e->port))
		e->dom = NULL;
	fd_close(&e->kick);
	fd_close(&e->call);
}

/* SYSCALLS, at times: read */
static void kicked(evutil_socket_t fd, short what, void *arg)
{
	struct evtchn_fd *e = arg;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) == sizeof(n))
		e->fn(e->arg);
}

int evtchn_fd_watch(struct evtchn_fd *e, struct event_base *base,
		    void (*fn)(void *arg), void *arg)
{
	if (fcntl(e->kick, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	e->fn = fn;
	e->arg = arg;
	e->ev = event_new(base, e->kick, EV_READ | EV_PERSIST, kicked, e);
	if (!e->ev || event_add(e->ev, NULL) < 0) {
		if (e->ev)
			event_free(e->ev);
		e->ev = NULL;
		return -ENOMEM;
	}
	return 0;
}

/*
 * An eventfd takes any number; nothing useful can be done on error.
 *
 * SYSCALLS: write
 */
static void signal_fd(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

void evtchn_fd_again(const struct evtchn_fd *e)
{
	signal_fd(e->kick);
}

void evtchn_fd_notify(const struct evtchn_fd *e)
{
	signal_fd(e->call);
}
