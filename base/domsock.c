// SPDX-License-Identifier: GPL-2.0-or-later
// base/domsock.c - the domain socket's client half.
#include "base/domsock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <xen/xen.h>
#include <xen/sched.h>

#include "base/fd.h"
#include "base/paths.h"

/*
 * Events may arrive while a call waits for its answer.  They are few, so they
 * wait in a small queue for dom_event().
 */
#define MAX_QUEUED 4

/* More than this many before one answer: the other side is not sane. */
#define MAX_BEFORE_ANSWER 64

struct dom {
	pthread_mutex_t lock; /* for a call from its start to its answer */
	int fd;
	uint32_t seq;
	unsigned int late; /* answers still to come that nobody waits for */
	unsigned int nqueued;
	struct dom_msg queued[MAX_QUEUED];
};

static int answer_ms = -1;

void dom_set_timeout(int ms)
{
	answer_ms = ms;
}

int dom_adopt(struct dom **out, int fd)
{
	struct dom *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	pthread_mutex_init(&d->lock, NULL);
	d->fd = fd;
	*out = d;
	return 0;
}

static int open_dom(struct dom **out, unsigned int domid)
{
	char path[PATH_MAX];
	int fd, ret;

	fd = sock_connect(paths_dom(path, domid, "hv.sock"), SOCK_SEQPACKET);
	if (fd < 0)
		return fd == -EAGAIN ? -ETIMEDOUT : fd;
	ret = dom_adopt(out, fd);
	if (ret)
		fd_close(&fd);
	return ret;
}

void dom_free(struct dom *d)
{
	if (!d)
		return;
	fd_close(&d->fd);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

int dom_fd(const struct dom *d)
{
	return d->fd;
}

static void close_fds(int *fds, size_t n)
{
	while (n)
		fd_close(&fds[--n]);
}

/*
 * Receive one message, waiting for it if @wait; -EAGAIN if there is none.
 *
 * SYSCALLS: poll
 */
static int receive(struct dom *d, struct dom_msg *msg, int *fds, size_t *nfds,
		   bool wait)
{
	struct pollfd pfd = { .fd = d->fd, .events = POLLIN };
	int ret;

	while ((ret = poll(&pfd, 1, wait ? answer_ms : 0)) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	if (ret == 0)
		return wait ? -ETIMEDOUT : -EAGAIN;
	ret = sock_recv_fds(d->fd, msg, sizeof(*msg), fds, nfds);
	if (!ret && (msg->magic != DOM_MAGIC || msg->version != DOM_VERSION)) {
		close_fds(fds, *nfds);
		return -EPROTO;
	}
	return ret == -ECONNRESET ? -EPIPE : ret;
}

/* Whether it is the answer to a call that was given up, and may be dropped. */
static bool is_late(struct dom *d, const struct dom_msg *msg)
{
	if (!d->late || msg->seq == 0)
		return false;
	d->late--;
	return true;
}

static int next_event(struct dom *d, struct dom_msg *msg)
{
	int fds[SOCK_MAX_FDS];
	size_t n;
	int ret;

	if (d->nqueued) {
		*msg = d->queued[0];
		d->nqueued--;
		memmove(d->queued, d->queued + 1,
			d->nqueued * sizeof(d->queued[0]));
		return 1;
	}
	ret = receive(d, msg, fds, &n, false);
	if (ret)
		return ret == -EAGAIN ? 0 : ret;
	close_fds(fds, n);
	if (is_late(d, msg))
		return 0;
	return msg->seq == 0 ? 1 : -EPROTO;
}

int dom_event(struct dom *d, struct dom_msg *msg)
{
	int ret;

	pthread_mutex_lock(&d->lock);
	ret = next_event(d, msg);
	pthread_mutex_unlock(&d->lock);
	return ret;
}

static int send_call(struct dom *d, struct dom_msg *msg, int give)
{
	int ret;

	if (++d->seq == 0)
		d->seq = 1;
	msg->magic = DOM_MAGIC;
	msg->version = DOM_VERSION;
	msg->seq = d->seq;
	msg->status = 0;
	ret = sock_send_fds(d->fd, msg, sizeof(*msg), &give, give >= 0);
	return ret == -EAGAIN ? -ETIMEDOUT : ret;
}

/* The answer to the call of that type that was sent last. */
static int take_answer(struct dom *d, uint16_t type, struct dom_msg *msg,
		       int *fds, size_t *nfds)
{
	int got[SOCK_MAX_FDS];
	size_t n = 0;
	int ret;

	for (int i = 0; i <= MAX_BEFORE_ANSWER; i++) {
		ret = receive(d, msg, got, &n, true);
		if (ret) {
			d->late++;
			return ret;
		}
		if (msg->seq == d->seq || (msg->seq && !is_late(d, msg)))
			break;
		close_fds(got, n);
		n = 0;
		if (msg->seq == 0 && d->nqueued < MAX_QUEUED)
			d->queued[d->nqueued++] = *msg;
	}
	/* A status above 0 would be neither success nor an error to callers. */
	if (msg->seq != d->seq || msg->type != type || msg->status > 0) {
		close_fds(got, n);
		return -EPROTO;
	}
	if (!fds || msg->status) {
		close_fds(got, n);
		n = 0;
	} else {
		memcpy(fds, got, n * sizeof(got[0]));
	}
	if (nfds)
		*nfds = n;
	return msg->status;
}

/* @give: A descriptor that goes with the call; -1 for none. */
static int locked_call(struct dom *d, struct dom_msg *msg, int give, int *fds,
		       size_t *nfds)
{
	uint16_t type = msg->type;
	int ret;

	pthread_mutex_lock(&d->lock);
	ret = send_call(d, msg, give);
	if (!ret)
		ret = take_answer(d, type, msg, fds, nfds);
	pthread_mutex_unlock(&d->lock);
	return ret;
}

int dom_call(struct dom *d, struct dom_msg *msg, int *fds, size_t *nfds)
{
	return locked_call(d, msg, -1, fds, nfds);
}

/* Say hello, and do not wait for the answer. */
static int greet(struct dom **out, unsigned int domid, enum dom_role role,
		 const char *device, bool events)
{
	struct dom_msg msg = { .type = DOM_HELLO };
	struct dom *d;
	int ret = open_dom(&d, domid);

	if (ret)
		return ret;
	msg.u.hello.role = role;
	msg.u.hello.events = events;
	snprintf(msg.u.hello.device, sizeof(msg.u.hello.device), "%s",
		 device ? device : "");
	ret = send_call(d, &msg, -1);
	if (ret) {
		dom_free(d);
		return ret;
	}
	*out = d;
	return 0;
}

int dom_ask(struct dom **out, unsigned int domid)
{
	return greet(out, domid, DOM_ROLE_ADMIN, NULL, false);
}

int dom_asked(struct dom *d, struct dom_info *info)
{
	struct dom_msg msg;
	int ret = take_answer(d, DOM_HELLO, &msg, NULL, NULL);

	if (!ret)
		*info = msg.u.info;
	return ret;
}

int dom_connect(struct dom **out, unsigned int domid, enum dom_role role,
		const char *device, bool events)
{
	struct dom_info info;
	struct dom *d;
	int ret = greet(&d, domid, role, device, events);

	if (ret)
		return ret;
	ret = dom_asked(d, &info);
	if (ret) {
		dom_free(d);
		return ret;
	}
	*out = d;
	return 0;
}

int dom_info(struct dom *d, struct dom_info *info)
{
	struct dom_msg msg = { .type = DOM_INFO };
	int ret = dom_call(d, &msg, NULL, NULL);

	if (!ret)
		*info = msg.u.info;
	return ret;
}

/* SYSCALLS: mmap */
static int map_page(struct dom *d, int prot, void **page, uint32_t *port)
{
	struct dom_msg msg = { .type = DOM_PAGE };
	int fds[SOCK_MAX_FDS];
	size_t n;
	void *p;
	int ret = dom_call(d, &msg, fds, &n);

	if (ret)
		return ret;
	if (n != 1 || fd_check_memory(fds[0], SV_PAGE_SIZE)) {
		close_fds(fds, n);
		return -EPROTO;
	}
	p = mmap(NULL, SV_PAGE_SIZE, prot, MAP_SHARED, fds[0], 0);
	ret = p == MAP_FAILED ? -errno : 0;
	fd_close(&fds[0]);
	if (ret)
		return ret;
	*page = p;
	*port = msg.u.page.port;
	return 0;
}

int dom_page(struct dom *d, void **page, uint32_t *port)
{
	return map_page(d, PROT_READ | PROT_WRITE, page, port);
}

int dom_page_view(struct dom *d, void **page, uint32_t *port)
{
	return map_page(d, PROT_READ, page, port);
}

int dom_evtchn_bind(struct dom *d, uint32_t port, int *kick, int *call)
{
	struct dom_msg msg = { .type = DOM_EVTCHN_BIND, .u.port = port };
	int fds[SOCK_MAX_FDS];
	size_t n;
	int ret = dom_call(d, &msg, fds, &n);

	if (!ret &&
	    (n != 2 || fd_check_event(fds[0]) || fd_check_event(fds[1]))) {
		close_fds(fds, n);
		ret = -EPROTO;
	}
	if (ret) {
		/* Not refused, but the answer is lost: then it may be bound. */
		if (ret != msg.status)
			(void)!dom_evtchn_close(d, port);
		return ret;
	}
	*kick = fds[0];
	*call = fds[1];
	return 0;
}

int dom_evtchn_close(struct dom *d, uint32_t port)
{
	struct dom_msg msg = { .type = DOM_EVTCHN_CLOSE, .u.port = port };
	int ret = dom_call(d, &msg, NULL, NULL);

	/* Not sent for want of memory; it would stay bound while we live. */
	if (ret == -ENOBUFS || ret == -ENOMEM) {
		msg.u.port = port;
		ret = dom_call(d, &msg, NULL, NULL);
	}
	return ret;
}

int dom_offer_stats(struct dom *d, int fd, uint64_t offset)
{
	struct dom_msg msg = { .type = DOM_OFFER_STATS,
			       .u.devstats.offset = offset };

	return locked_call(d, &msg, fd, NULL, NULL);
}

static int save(struct dom *d, enum dom_msg_type type, int fd, uint32_t *seq)
{
	struct dom_msg msg = { .type = (uint16_t)type, .u.seq = *seq };
	int ret = locked_call(d, &msg, fd, NULL, NULL);

	if (!ret)
		*seq = msg.u.seq;
	return ret;
}

int dom_save(struct dom *d, int fd, uint32_t *seq)
{
	return save(d, DOM_SAVE, fd, seq);
}

int dom_save_host(struct dom *d, int fd, uint32_t *seq)
{
	return save(d, DOM_SAVE_HOST, fd, seq);
}

int dom_dump(struct dom *d, int fd)
{
	struct dom_msg msg = { .type = DOM_DUMP };

	return locked_call(d, &msg, fd, NULL, NULL);
}

int dom_devstats(struct dom *d, struct dom_devstats *s, int *fd)
{
	struct dom_msg msg = { .type = DOM_DEVSTATS,
			       .u.devstats.index = s->index };
	const struct dom_devstats *got = &msg.u.devstats;
	int fds[SOCK_MAX_FDS];
	size_t n;
	int ret = dom_call(d, &msg, fds, &n);

	if (ret)
		return ret;
	/* One that goes back would be asked for ever. */
	if (n != 1 || fd_check_view(fds[0]) || got->index < s->index ||
	    got->index == UINT32_MAX ||
	    strnlen(got->device, sizeof(got->device)) == sizeof(got->device)) {
		close_fds(fds, n);
		return -EPROTO;
	}
	*s = *got;
	*fd = fds[0];
	return 0;
}

const char *dom_reason_name(uint32_t reason)
{
	static const char *const names[] = {
		[SHUTDOWN_poweroff] = "poweroff",
		[SHUTDOWN_reboot] = "reboot",
		[SHUTDOWN_suspend] = "suspend",
		[SHUTDOWN_crash] = "crash",
		[SHUTDOWN_watchdog] = "watchdog",
		[SHUTDOWN_soft_reset] = "soft reset",
	};

	return reason < ARRAY_SIZE(names) ? names[reason] : "unknown";
}
