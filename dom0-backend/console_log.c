/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/console_log.c - the log file of one guest's console. */
#include "dom0-backend/console_log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define CHUNK 4096u

/*
 * guest-NAME.log, as xenconsoled calls it. Names with other bytes than these are
 * written so that no two of them meet in one file.
 */
static char *log_path(const char *dir, const char *name)
{
	char enc[3 * 200 + 1], *path;
	size_t n = 0;

	for (; *name && n < sizeof(enc) - 3; name++) {
		if (isalnum((unsigned char)*name) || strchr("._+-", *name))
			enc[n++] = *name;
		else
			n += (size_t)sprintf(enc + n, "%%%02X",
					     (unsigned char)*name);
	}
	enc[n] = '\0';
	/* NAME_MAX holds 200 bytes and what is around them. */
	if (asprintf(&path, "%s/guest-%.200s.log", dir, enc) < 0)
		return NULL;
	return path;
}

/* SYSCALLS: openat:O_WRONLY newfstatat/fstat */
static void open_file(struct console_log *l)
{
	struct stat st;

	l->fd = open(l->path,
		     O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
			     O_NONBLOCK | O_NOCTTY,
		     0600);
	if (l->fd >= 0 && (fstat(l->fd, &st) || !S_ISREG(st.st_mode))) {
		errno = EINVAL;
		fd_close(&l->fd);
	}
	if (l->fd < 0) {
		log_limited(&l->limit, LOG_LVL_WARN,
			    "%s: cannot open for appending: %s; tried again "
			    "with later output",
			    l->path, strerror(errno));
		return;
	}
	l->size = (uint64_t)st.st_size;
	l->at_line = true;
}

int console_log_init(struct console_log *l, const struct console_log_conf *conf,
		     const char *name)
{
	*l = (struct console_log){ .conf = conf, .fd = -1 };
	l->path = log_path(conf->dir, name);
	if (!l->path)
		return -ENOMEM;
	open_file(l);
	return 0;
}

void console_log_fini(struct console_log *l)
{
	if (l->path)
		fd_close(&l->fd);
	free(l->path);
	l->path = NULL;
}

void console_log_reopen(struct console_log *l)
{
	fd_close(&l->fd);
	open_file(l);
}

/*
 * FILE becomes FILE.1; one old file is kept.
 *
 * SYSCALLS: rename
 */
static void rotate(struct console_log *l)
{
	char old[PATH_MAX];
	int n = snprintf(old, sizeof(old), "%s.1", l->path);

	if (n < 0 || (size_t)n >= sizeof(old) || rename(l->path, old)) {
		log_limited(&l->limit, LOG_LVL_WARN,
			    "%s: cannot rename to .1: %s; it grows on", l->path,
			    strerror(errno));
		l->size = 0; /* the next try is one file later */
		return;
	}
	console_log_reopen(l);
}

/*
 * How much of @n bytes goes into this file: up to the limit and then to the end
 * of that line, so that a rotation cuts no line in two. A line without end is
 * cut when it is longer than the backlog.
 */
static size_t fits(const struct console_log *l, const uint8_t *p, size_t n)
{
	uint64_t left = l->size < l->conf->max ? l->conf->max - l->size : 0;
	const uint8_t *nl;

	if (n <= left)
		return n;
	nl = memchr(p + left, '\n', n - (size_t)left);
	return nl ? (size_t)(nl - p) + 1 : n;
}

static bool full(const struct console_log *l)
{
	return l->size >= l->conf->max &&
	       (l->at_line || l->size - l->conf->max > BACKLOG_SIZE);
}

/* SYSCALLS: write */
static ssize_t put(struct console_log *l, const uint8_t *p, size_t n)
{
	uint8_t clean[CHUNK];

	if (l->conf->replace_escape) {
		for (size_t i = 0; i < n; i++)
			clean[i] = p[i] == '\033' ? '.' : p[i];
		p = clean;
	}
	return write(l->fd, p, n);
}

bool console_log_write(struct console_log *l, const struct backlog *b)
{
	const uint8_t *p;
	ssize_t done;
	size_t n;

	if (l->fd < 0)
		open_file(l);
	while (l->fd >= 0 && (n = backlog_peek(b, &l->cur, &p))) {
		if (full(l)) {
			rotate(l);
			continue;
		}
		n = fits(l, p, MIN(n, CHUNK));
		done = put(l, p, n);
		if (done <= 0) {
			log_limited(&l->limit, LOG_LVL_WARN,
				    "%s: cannot write: %s; output since then "
				    "waits, 64 KiB of it at most",
				    l->path, done ? strerror(errno) : "full");
			return false;
		}
		l->size += (uint64_t)done;
		l->at_line = p[done - 1] == '\n';
		backlog_skip(&l->cur, (size_t)done);
	}
	return l->fd >= 0;
}
