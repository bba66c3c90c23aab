// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_store.c - the store as the toolstack uses it.
#include "tools/xl_store.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/sock.h"
#include "base/xs_wire.h"
#include "tools/xl_proc.h"

#define PING_TIMEOUT_S 5
#define MAX_ATTEMPTS   200
#define MAX_PATH       512 /* ours; the protocol's limit is higher */

/* Wait for an answer, and read all of it. */
static int take_reply(int fd, uint32_t type, char *reply)
{
	const struct timeval limit = { .tv_sec = PING_TIMEOUT_S };
	struct xsd_sockmsg hdr;
	int ret;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
		return -errno;
	ret = fd_read_all(fd, &hdr, sizeof(hdr));
	if (!ret && hdr.len >= XL_STORE_REPLY)
		ret = -EPROTO;
	if (!ret)
		ret = fd_read_all(fd, reply, hdr.len);
	if (ret)
		return ret == -EAGAIN ? -ETIMEDOUT : ret;
	reply[hdr.len] = '\0';
	if (hdr.type != XS_ERROR)
		return hdr.type == type ? 0 : -EPROTO;
	for (size_t i = 0; i < ARRAY_SIZE(xsd_errors); i++)
		if (!strcmp(xsd_errors[i].errstring, reply))
			return -xsd_errors[i].errnum;
	return -EINVAL;
}

int xl_store_talk(uint32_t type, const char *const *args, char *reply)
{
	struct xsd_sockmsg hdr = { .type = type, .req_id = 1 };
	char msg[sizeof(hdr) + XL_STORE_REPLY];
	size_t at = sizeof(hdr);
	int fd, ret;

	for (; *args; args++) {
		size_t len = strlen(*args) + 1;

		if (len > sizeof(msg) - 1 - at)
			return -E2BIG;
		memcpy(msg + at, *args, len);
		at += len;
	}
	hdr.len = (uint32_t)(at - sizeof(hdr));
	memcpy(msg, &hdr, sizeof(hdr));
	fd = sock_connect(paths_store(), SOCK_STREAM);
	if (fd < 0)
		return fd;
	ret = fd_write_all(fd, msg, at);
	if (!ret)
		ret = take_reply(fd, type, reply);
	fd_close(&fd);
	return ret == -EPIPE ? -ECONNREFUSED : ret;
}

/* That there is too much of it is an answer, too. */
int xl_store_ping(void)
{
	char reply[XL_STORE_REPLY];
	int ret = xl_store_talk(XS_DIRECTORY, (const char *[]){ "/", NULL },
				reply);

	return ret == -E2BIG ? 0 : ret;
}

int xl_store_open(struct xs_handle **h)
{
	int ret = xl_store_ping();

	if (!ret) {
		*h = xs_open(0);
		if (*h)
			return 0;
		ret = -errno;
	}
	log_err("store '%s': not answering: %s (see %s/sv-xenstored.log; `xl create` starts sv-xenstored)",
		paths_store(), strerror(-ret), paths_log());
	return ret;
}

static bool join(char *path, const char *fmt, va_list ap)
{
	int n = vsnprintf(path, MAX_PATH, fmt, ap);

	return n > 0 && n < MAX_PATH;
}

char *xl_store_get(struct xs_handle *h, xs_transaction_t t, const char *fmt,
		   ...)
{
	char path[MAX_PATH];
	unsigned int len;
	va_list ap;
	bool ok;

	va_start(ap, fmt);
	ok = join(path, fmt, ap);
	va_end(ap);
	return ok ? xs_read(h, t, path, &len) : NULL;
}

long xl_store_number(struct xs_handle *h, long fallback, const char *fmt, ...)
{
	char path[MAX_PATH], *s = NULL;
	unsigned int len;
	uint64_t n;
	va_list ap;

	va_start(ap, fmt);
	if (join(path, fmt, ap))
		s = xs_read(h, XBT_NULL, path, &len);
	va_end(ap);
	if (s && !util_u64(s, INT32_MAX, &n))
		fallback = (long)n;
	free(s);
	return fallback;
}

/* ---- Transactions --------------------------------------------------------- */

static void put(struct xl_txn *x, const char *value, const char *path)
{
	if (!xs_write(x->h, x->t, path, value, (unsigned int)strlen(value)))
		x->err = -errno;
}

/* The common start of the calls below: false if there is nothing to do. */
static bool start(struct xl_txn *x, char *path, const char *fmt, va_list ap)
{
	if (!x->err && !join(path, fmt, ap))
		x->err = -ENAMETOOLONG;
	return !x->err;
}

void xl_txn_put(struct xl_txn *x, const char *value, const char *fmt, ...)
{
	char path[MAX_PATH];
	va_list ap;

	va_start(ap, fmt);
	if (start(x, path, fmt, ap))
		put(x, value, path);
	va_end(ap);
}

void xl_txn_num(struct xl_txn *x, uint64_t value, const char *fmt, ...)
{
	char path[MAX_PATH], text[24];
	va_list ap;

	va_start(ap, fmt);
	if (start(x, path, fmt, ap)) {
		snprintf(text, sizeof(text), "%" PRIu64, value);
		put(x, text, path);
	}
	va_end(ap);
}

void xl_txn_perm(struct xl_txn *x, unsigned int owner, int reader,
		 const char *fmt, ...)
{
	struct xs_permissions perms[2] = {
		{ .id = owner, .perms = XS_PERM_NONE },
		{ .id = (unsigned int)reader, .perms = XS_PERM_READ },
	};
	char path[MAX_PATH];
	va_list ap;

	va_start(ap, fmt);
	if (start(x, path, fmt, ap) &&
	    !xs_set_permissions(x->h, x->t, path, perms, reader < 0 ? 1 : 2))
		x->err = -errno;
	va_end(ap);
}

void xl_txn_rm(struct xl_txn *x, const char *fmt, ...)
{
	char path[MAX_PATH];
	va_list ap;

	va_start(ap, fmt);
	if (start(x, path, fmt, ap) && !xs_rm(x->h, x->t, path) &&
	    errno != ENOENT)
		x->err = -errno;
	va_end(ap);
}

int xl_txn_run(struct xs_handle *h, void (*fill)(struct xl_txn *x, void *arg),
	       void *arg)
{
	for (int i = 0; i < MAX_ATTEMPTS; i++) {
		struct xl_txn x = { .h = h };

		x.t = xs_transaction_start(h);
		if (x.t == XBT_NULL)
			return -errno;
		fill(&x, arg);
		if (x.err && x.err != -EAGAIN) {
			xs_transaction_end(h, x.t, true);
			return x.err;
		}
		if (xs_transaction_end(h, x.t, x.err != 0) && !x.err)
			return 0;
		if (!x.err && errno != EAGAIN)
			return -errno;
	}
	return -EAGAIN;
}

/* ---- Waiting -------------------------------------------------------------- */

/* Sleep until a watch fires; 0 then, or -ETIMEDOUT, -EINTR, -errno. */
static int sleep_watch(struct xs_handle *h, uint64_t end)
{
	struct pollfd pfd = { .fd = xs_fileno(h), .events = POLLIN };

	for (;;) {
		uint64_t now = util_clock_ns();
		int left = now < end ? (int)((end - now) / 1000000) + 1 : 0;
		char **event = xs_check_watch(h);
		int n;

		if (event) {
			free(event);
			return 0;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (xl_interrupted())
			return -EINTR;
		if (!left)
			return -ETIMEDOUT;
		n = xl_poll(&pfd, 1, left);
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

int xl_store_wait(struct xs_handle *h, const char *path, int timeout_ms,
		  int (*check)(struct xs_handle *h, void *arg), void *arg)
{
	uint64_t end = util_clock_ns() + (uint64_t)timeout_ms * 1000000;
	int ret;

	if (!xs_watch(h, path, "wait"))
		return -errno;
	while ((ret = check(h, arg)) == 0) {
		ret = sleep_watch(h, end);
		if (ret)
			break;
	}
	xs_unwatch(h, path, "wait");
	return ret;
}
