// SPDX-License-Identifier: GPL-2.0-or-later
// base/log.c - one-line messages with a level, to stderr or a log file.
#include "base/log.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_BURST 10

static char log_prefix[64];
static enum log_level log_max = LOG_LVL_INFO;
static int log_fd = -1;
static uint64_t log_cap;
static void (*log_tell)(enum log_level level, const char *line);
/* The log, to read, and its predecessor, to write; see log_hold(). */
static struct {
	int from, to;
} held = { -1, -1 };

void log_init(const char *prefix, enum log_level level)
{
	snprintf(log_prefix, sizeof(log_prefix), "%s", prefix);
	log_max = level;
}

void log_to_fd(int fd)
{
	if (log_fd >= 0)
		close(log_fd);
	log_fd = fd;
}

void log_to(void (*tell)(enum log_level level, const char *line))
{
	log_tell = tell;
}

void log_set_cap(uint64_t bytes)
{
	log_cap = bytes;
}

/* Whether @fd is a log that has become too long; where it ends now to @st. */
static bool too_long(int fd, struct stat *st)
{
	return fstat(fd, st) == 0 && S_ISREG(st->st_mode) &&
	       (uint64_t)st->st_size > log_cap;
}

static int open_log(int fd)
{
	char link[32];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return open(link, O_RDONLY | O_CLOEXEC);
}

/* The file that has the name of the log @fd with ".1" at its end: for as many eyes. */
static int open_old(int fd)
{
	char link[32], path[PATH_MAX];
	struct stat st;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 3);
	if (n < 0 || fstat(fd, &st))
		return -1;
	snprintf(path + n, 3, ".1");
	return open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
		    st.st_mode & 0666);
}

/* Copy @len bytes of @from to the predecessor of the log @fd. */
static void keep_old(int fd, int from, off_t len)
{
	int to = held.to >= 0 ? held.to : open_old(fd);
	off_t at = 0;

	if (to < 0)
		return;
	if (ftruncate(to, 0) == 0 && lseek(to, 0, SEEK_SET) == 0) {
		while (at < len &&
		       sendfile(to, from, &at, (size_t)(len - at)) > 0)
			;
	}
	if (to != held.to)
		close(to);
}

static bool appends(int fd)
{
	return fcntl(fd, F_GETFL) & O_APPEND;
}

/*
 * All that share the log have the same file open, so that stays, and is emptied.
 * The lock keeps other processes away.  One that is held is no lock for our own
 * threads, who have it together.
 *
 * SYSCALLS: newfstatat/fstat fcntl flock ftruncate lseek sendfile
 */
static void rotate_alone(int fd)
{
	int from = held.from >= 0 ? held.from : open_log(fd);
	struct stat st;

	if (from < 0)
		return;
	if (flock(from, LOCK_EX | LOCK_NB) == 0 && too_long(from, &st)) {
		if (st.st_nlink)
			keep_old(fd, from, st.st_size);
		(void)!ftruncate(fd, 0);
	}
	if (from == held.from)
		flock(from, LOCK_UN);
	else
		close(from);
}

static void rotate(int fd)
{
	static atomic_flag busy = ATOMIC_FLAG_INIT;
	struct stat st;

	if (!log_cap || !too_long(fd, &st) || !appends(fd) ||
	    atomic_flag_test_and_set(&busy))
		return;
	rotate_alone(fd);
	atomic_flag_clear(&busy);
}

void log_hold(int fd)
{
	struct stat st;

	if (!appends(fd) || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return;
	held.from = open_log(fd);
	held.to = open_old(fd);
}

/* Time stamp and prefix; returns the length written, always < @size. */
static size_t start_line(char *line, size_t size)
{
	struct timespec ts;
	struct tm tm;
	size_t at = 0;
	int n;

	if (log_fd >= 0) {
		clock_gettime(CLOCK_REALTIME, &ts);
		gmtime_r(&ts.tv_sec, &tm);
		at = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &tm);
		n = snprintf(line + at, size - at, ".%06ldZ ",
			     ts.tv_nsec / 1000);
		at += (size_t)n;
	}
	if (log_prefix[0]) {
		n = snprintf(line + at, size - at, "%s: ", log_prefix);
		at += (size_t)n;
	}
	return at;
}

/* Values come from anywhere: none shall end the line or steer a terminal. */
static void make_plain(char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
	}
}

/* SYSCALLS: write */
static void write_line(enum log_level level, const char *fmt, va_list ap)
{
	char line[1024];
	size_t at = log_tell ? 0 : start_line(line, sizeof(line));
	int fd = log_fd >= 0 ? log_fd : STDERR_FILENO;
	int n;

	n = vsnprintf(line + at, sizeof(line) - at - 1, fmt, ap);
	if (n < 0)
		return;
	make_plain(line + at);
	if (log_tell) {
		log_tell(level, line);
		return;
	}
	at = MIN(at + (size_t)n, sizeof(line) - 2);
	line[at] = '\n';
	/* Nobody to tell when the log itself cannot be written. */
	if (write(fd, line, at + 1) > 0)
		rotate(fd);
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > log_max)
		return;
	va_start(ap, fmt);
	write_line(level, fmt, ap);
	va_end(ap);
}

void log_limited(struct log_limit *limit, enum log_level level, const char *fmt,
		 ...)
{
	uint64_t now = util_clock_ns();
	va_list ap;

	if (level > log_max)
		return;
	if (now - limit->since >= LOG_LIMIT_NS) {
		if (limit->lost)
			log_msg(level, "%u similar messages left out",
				limit->lost);
		*limit = (struct log_limit){ .since = now };
	}
	if (limit->n >= LIMIT_BURST) {
		limit->lost++;
		return;
	}
	limit->n++;
	va_start(ap, fmt);
	write_line(level, fmt, ap);
	va_end(ap);
}

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_line(LOG_LVL_ERR, fmt, ap);
	va_end(ap);
	exit(EXIT_FAILURE);
}
