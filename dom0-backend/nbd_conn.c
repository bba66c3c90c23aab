// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/nbd_conn.c - one NBD connection that is made again when it ends.
#include "dom0-backend/nbd_conn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libnbd.h>

#include "base/fd.h"
#include "base/sock.h"
#include "dom0-backend/spawn.h"

#define ASK_MS	 20000u /* names to be resolved, hosts that do not answer */
#define SHAKE_MS 10000u
#define MS	 1000000ull

/* Bytes of a command when the server does not say; all servers take them. */
#define MAX_COMMAND (32u << 20)

void nbd_conn_init(struct nbd_conn *c, int link)
{
	*c = (struct nbd_conn){ .state = NBD_AWAY, .link = link, .ask = -1 };
}

static void let_go(struct nbd_conn *c)
{
	int fd;

	fd_close(&c->ask);
	if (c->h) {
		/* sv-blksource has it, too; -1 if libnbd has closed it. */
		fd = nbd_aio_get_fd(c->h);
		if (fd >= 0)
			(void)!shutdown(fd, SHUT_WR);
		nbd_close(c->h);
	}
	c->h = NULL;
}

void nbd_conn_fini(struct nbd_conn *c)
{
	/* A server would log that we just vanished. */
	if (c->state == NBD_UP && nbd_aio_disconnect(c->h, 0) < 0)
		c->state = NBD_AWAY;
	let_go(c);
}

void nbd_conn_lose(struct nbd_conn *c, const char *why)
{
	snprintf(c->why, sizeof(c->why), "%s", why ? why : "unknown error");
	let_go(c);
	c->state = NBD_AWAY;
	c->until = util_clock_ns() + spawn_delay_ms(c->fails++) * MS;
}

/* With what libnbd has to say of its last failure in this thread. */
static void lose_nbd(struct nbd_conn *c)
{
	nbd_conn_lose(c, nbd_get_error());
}

/* SYSCALLS, at times: socketpair sendmsg close */
static void ask(struct nbd_conn *c)
{
	const struct disk_link_ask a = { .version = DISK_LINK_VERSION,
					 .first = c->first };
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		nbd_conn_lose(c, strerror(errno));
		return;
	}
	ret = sock_send_fds(c->link, &a, sizeof(a), &pair[1], 1);
	fd_close(&pair[1]);
	if (ret) {
		fd_close(&pair[0]);
		nbd_conn_lose(c, strerror(-ret));
		return;
	}
	c->ask = pair[0];
	c->state = NBD_ASKED;
	c->until = util_clock_ns() + ASK_MS * MS;
}

/* Take an answer and its socket, -1 if there is none. */
static int take_answer(struct nbd_conn *c, struct disk_link_answer *a)
{
	int fds[SOCK_MAX_FDS], fd = -1;
	size_t n = 0;
	int ret = sock_recv_fds(c->ask, a, sizeof(*a), fds, &n);

	if (ret) {
		nbd_conn_lose(c, "sv-blksource has ended");
		return -1;
	}
	a->name[DISK_LINK_NAME] = '\0';
	a->why[DISK_LINK_WHY - 1] = '\0';
	c->timeout = a->timeout;
	while (n) {
		fd_close(&fd);
		fd = fds[--n];
	}
	if (a->error || fd < 0) {
		fd_close(&fd);
		nbd_conn_lose(c, a->why);
	} else {
		c->first = false;
	}
	return fd;
}

/* A size of blocks as the server says it, or what is usual. */
static uint32_t block_size(struct nbd_handle *h, int which, uint32_t usual)
{
	int64_t n = nbd_get_block_size(h, which);

	return n > 0 && n <= UINT32_MAX ? (uint32_t)n : usual;
}

static const char *look_at_export(struct nbd_conn *c)
{
	struct nbd_export *e = &c->export;
	int64_t bytes = nbd_get_size(c->h);

	if (bytes < 0)
		return nbd_get_error();
	*e = (struct nbd_export){
		.bytes = (uint64_t)bytes,
		.min = block_size(c->h, LIBNBD_SIZE_MINIMUM, 1),
		.unit = block_size(c->h, LIBNBD_SIZE_PREFERRED, 4096),
		.max = block_size(c->h, LIBNBD_SIZE_MAXIMUM, MAX_COMMAND),
		.readonly = nbd_is_read_only(c->h) != 0,
		.flush = nbd_can_flush(c->h) > 0,
		.trim = nbd_can_trim(c->h) > 0,
		.multi = nbd_can_multi_conn(c->h) > 0,
	};
	e->max = MIN(e->max, MAX_COMMAND);
	e->max -= e->max % MAX(e->min, DISK_SECTOR);
	if (e->max == 0)
		return "the server takes no whole sector at a time";
	if (c->want.bytes &&
	    (c->want.bytes != e->bytes || c->want.min != e->min ||
	     (e->readonly && !c->want.readonly)))
		return "the server has another disk there than before";
	/* What the guest was promised: a flush is one for all queues. */
	if (c->want.bytes &&
	    ((c->want.flush && !e->flush) || (c->want.multi && !e->multi)))
		return "the server's flushes do not do what they did before";
	return NULL;
}

static void on_shaking(struct nbd_conn *c)
{
	const char *why;

	if (!nbd_aio_is_ready(c->h))
		return;
	why = look_at_export(c);
	if (why) {
		nbd_conn_lose(c, why);
		return;
	}
	c->state = NBD_UP;
}

static void on_answer(struct nbd_conn *c)
{
	struct disk_link_answer a;
	int fd = take_answer(c, &a);

	if (fd < 0)
		return;
	fd_close(&c->ask);
	c->h = nbd_create();
	if (!c->h) {
		fd_close(&fd);
		lose_nbd(c);
		return;
	}
	/*
	 * Bytes that a lying server leaves out are the guest's own old ones.  The
	 * socket is the handle's from the call that takes it on.
	 */
	if (nbd_set_export_name(c->h, a.name) < 0 ||
	    nbd_set_pread_initialize(c->h, false) < 0 ||
	    nbd_set_full_info(c->h, true) < 0) {
		fd_close(&fd);
		lose_nbd(c);
		return;
	}
	c->state = NBD_SHAKING;
	c->until = util_clock_ns() + SHAKE_MS * MS;
	if (nbd_aio_connect_socket(c->h, fd) < 0)
		lose_nbd(c);
	else
		on_shaking(c); /* all may have been said already */
}

static bool ended_by_itself(struct nbd_conn *c)
{
	return nbd_aio_is_dead(c->h) || nbd_aio_is_closed(c->h);
}

/* What poll() said of the server's socket. */
static void on_socket(struct nbd_conn *c, short revents)
{
	unsigned int dir = nbd_aio_get_direction(c->h);
	int ret = 0;

	if ((dir & LIBNBD_AIO_DIRECTION_READ) &&
	    (revents & (POLLIN | POLLHUP | POLLERR)))
		ret = nbd_aio_notify_read(c->h);
	else if ((dir & LIBNBD_AIO_DIRECTION_WRITE) &&
		 (revents & (POLLOUT | POLLHUP | POLLERR)))
		ret = nbd_aio_notify_write(c->h);
	if (ret < 0)
		lose_nbd(c);
	else if (ended_by_itself(c))
		nbd_conn_lose(c, "the server has closed the connection");
	else if (c->state == NBD_SHAKING)
		on_shaking(c);
}

/* The descriptor and events that the state waits for; none when away. */
static struct pollfd waits_for(struct nbd_conn *c)
{
	struct pollfd p = { .fd = -1 };
	unsigned int dir;

	if (c->state == NBD_ASKED) {
		p.fd = c->ask;
		p.events = POLLIN;
	} else if (c->state != NBD_AWAY) {
		dir = nbd_aio_get_direction(c->h);
		p.fd = nbd_aio_get_fd(c->h);
		if (dir & LIBNBD_AIO_DIRECTION_READ)
			p.events |= POLLIN;
		if (dir & LIBNBD_AIO_DIRECTION_WRITE)
			p.events |= POLLOUT;
	}
	return p;
}

static int earlier(const struct nbd_conn *c, int ms)
{
	uint64_t now = util_clock_ns(), left;

	if (c->state == NBD_UP)
		return ms;
	left = c->until > now ? (c->until - now) / MS + 1 : 0;
	return ms < 0 || left < (uint64_t)ms ? (int)left : ms;
}

static void on_time(struct nbd_conn *c)
{
	if (c->state == NBD_UP || util_clock_ns() < c->until)
		return;
	if (c->state == NBD_AWAY)
		ask(c);
	else
		nbd_conn_lose(c, c->state == NBD_ASKED
					 ? "sv-blksource does not answer"
					 : "the server does not answer");
}

/*
 * And what libnbd does with the socket that it is given.
 *
 * SYSCALLS, at times: poll recvmsg recvfrom sendto fcntl getsockopt setsockopt
 * SYSCALLS, at times: shutdown read write
 */
bool nbd_conn_poll(struct nbd_conn *c, int kick, int ms)
{
	struct pollfd p[2] = { { .fd = kick, .events = POLLIN } };
	int n;

	/* It may have come to light as a command was given. */
	if (c->h && ended_by_itself(c))
		lose_nbd(c);
	on_time(c);
	p[1] = waits_for(c);
	n = poll(p, 2, earlier(c, ms));
	if (n <= 0)
		return false; /* a signal is as good as time */
	if (p[1].revents && c->state == NBD_ASKED)
		on_answer(c);
	else if (p[1].revents)
		on_socket(c, p[1].revents);
	return p[0].revents;
}

/*
 * What libnbd keeps for us with a command, and frees; gcc 12's analyzer does not
 * know that.
 */
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif
struct command {
	struct nbd_conn *conn;
	nbd_ended_fn *ended;
	void *arg;
};

static int on_end(void *data, int *err)
{
	const struct command *cmd = data;

	/* A server that only greets is no better than none. */
	if (*err != ENOTCONN && *err != ESHUTDOWN)
		cmd->conn->fails = 0;
	cmd->ended(cmd->arg, *err);
	return 1; /* and forget it */
}

static int64_t give(struct nbd_conn *c, enum disk_op op, void *buf, size_t len,
		    uint64_t off, nbd_completion_callback cb)
{
	switch (op) {
	case DISK_READ:
		return nbd_aio_pread(c->h, buf, len, off, cb, 0);
	case DISK_WRITE:
		return nbd_aio_pwrite(c->h, buf, len, off, cb, 0);
	case DISK_FLUSH:
		return nbd_aio_flush(c->h, cb, 0);
	case DISK_DISCARD:
		return nbd_aio_trim(c->h, len, off, cb, 0);
	}
	return -1;
}

int nbd_conn_start(struct nbd_conn *c, enum disk_op op, void *buf, size_t len,
		   uint64_t off, nbd_ended_fn *ended, void *arg)
{
	struct command *cmd = malloc(sizeof(*cmd));
	nbd_completion_callback cb = { .callback = on_end,
				       .user_data = cmd,
				       .free = free };
	int err;

	if (!cmd)
		return -ENOMEM;
	*cmd = (struct command){ c, ended, arg };
	if (give(c, op, buf, len, off, cb) >= 0)
		return 0;
	err = nbd_get_errno();
	if (ended_by_itself(c))
		err = ENOTCONN;
	return err > 0 ? -err : -EIO;
}
