// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/trace.c - the access log: who asked what, and was told what.
#include "xenstore-lite/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "xenstore-lite/conn.h"
#include "xenstore-lite/wire.h"

#define LINE_MAX_BYTES 640u /* a stamp, a name and so much of the payload: */
#define SHOWN	       512u

bool trace_all;
uint64_t trace_cap = 16u << 20;

/* Where it goes, and what waits. */
static struct {
	const char *path;
	int fd;
	uint64_t size;	/* of the file */
	uint64_t lost;	/* lines that could not be written */
	unsigned int n; /* lines in @buf */
	size_t len;
	char buf[TRACE_BUFFER];
} file = { .fd = -1 };

static struct log_limit limit;

void trace_setup(const char *path)
{
	file.path = path;
}

/* ---- The file ---------------------------------------------------------- */

static void lose(int err)
{
	file.lost += file.n;
	log_limited(&limit, LOG_LVL_WARN,
		    "access log %s: %s; %llu lines are missing", file.path,
		    strerror(err), (unsigned long long)file.lost);
}

/* A file alone: nothing that would make its writer wait. */
static int open_file(void)
{
	struct stat st;
	int fd = open(file.path,
		      O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK |
			      O_CLOEXEC,
		      0600);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	file.fd = fd;
	file.size = (uint64_t)st.st_size;
	return 0;
}

/*
 * Make room: what there is gets another name.
 *
 * SYSCALLS: openat newfstatat/fstat rename close
 */
static int next_file(void)
{
	char old[PATH_MAX];

	if (file.fd >= 0 && file.size < trace_cap)
		return 0;
	if (file.fd < 0) {
		int ret = open_file();

		if (ret || file.size < trace_cap)
			return ret;
	}
	fd_close(&file.fd);
	if (snprintf(old, sizeof(old), "%s.1", file.path) >= (int)sizeof(old))
		return -ENAMETOOLONG;
	return rename(file.path, old) ? -errno : open_file();
}

/* SYSCALLS: write */
void trace_flush(void)
{
	ssize_t put;
	int ret;

	if (!file.len)
		return;
	ret = next_file();
	put = ret ? ret : write(file.fd, file.buf, file.len);
	if (ret || put < 0)
		lose(ret ? -ret : errno);
	else if ((size_t)put < file.len)
		lose(ENOSPC);
	if (put > 0)
		file.size += (uint64_t)put;
	file.len = 0;
	file.n = 0;
}

void trace_stop(void)
{
	trace_flush();
	fd_close(&file.fd);
}

/* ---- Lines ------------------------------------------------------------- */

static void add(const char *way, const struct conn *c,
		const struct xsd_sockmsg *hdr, const void *data)
{
	char plain[SHOWN], shown[SHOWN], stamp[32], name[CONN_NAME];
	size_t len = MIN((size_t)hdr->len, sizeof(plain));
	struct timespec ts;
	struct tm tm;
	int n;

	if (file.len + LINE_MAX_BYTES > sizeof(file.buf))
		trace_flush();
	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	/* Strings end in NUL, which becomes what is between words. */
	memcpy(plain, data, len);
	for (size_t i = 0; i < len; i++)
		plain[i] = plain[i] ? plain[i] : ' ';
	util_escape(shown, sizeof(shown), plain,
		    len && plain[len - 1] == ' ' ? len - 1 : len);
	n = snprintf(file.buf + file.len, LINE_MAX_BYTES,
		     "%s.%06ldZ %s %s tx %u %s %s\n", stamp, ts.tv_nsec / 1000,
		     way, conn_name(c, name), hdr->tx_id,
		     wire_type_name(hdr->type), shown);
	if (n > 0)
		file.len += (size_t)n;
	file.n++;
}

static bool wanted(const struct conn *c)
{
	return file.path && (trace_all || c->trace);
}

void trace_in(const struct conn *c, const struct wire_msg *m)
{
	if (wanted(c))
		add("in ", c, &m->hdr, m->body);
}

void trace_out(const struct conn *c, const struct xsd_sockmsg *hdr,
	       const void *data)
{
	if (wanted(c))
		add("out", c, hdr, data);
}
