/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/log.h - one-line messages with a level, to stderr or a log file. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>

#include "base/util.h"

/*
 * Levels mean: err = a device or domain is lost; warn = a peer or the host
 * misbehaved, service goes on; info = one line per state change; debug = per
 * request, off by default.  A message names the object, the value seen and the
 * limit, and is written by one write(2), so that lines never interleave.
 */
enum log_level { LOG_LVL_ERR, LOG_LVL_WARN, LOG_LVL_INFO, LOG_LVL_DEBUG };

/**
 * log_init() - Name the process in its messages.
 * @prefix: For example "blkback dom3/vbd768"; copied, at most 63 bytes.
 * @level:  Messages above this level are dropped.
 */
void log_init(const char *prefix, enum log_level level);

/**
 * log_to_fd() - Send later messages to @fd, each line with a UTC time stamp.
 * @fd: *Given*; -1 returns to stderr without time stamps.
 */
void log_to_fd(int fd);

/**
 * log_to() - Hand later messages to @tell instead, without prefix and time stamp.
 * @line: One line, without its end; borrowed for the call.
 */
void log_to(void (*tell)(enum log_level level, const char *line));

/* For log_set_cap(): a daemon's log and its predecessor take twice this. */
#define LOG_CAP (16u << 20)

/**
 * log_set_cap() - Keep the log, if it is a file, from growing without end.
 * @bytes: When it is longer than this, what it holds is moved to FILE.1, in place
 *         of what was there; 0 for no end, as at start.
 *
 * For daemons, whose log is their own.  Works for a file opened to append, which
 * others may write to as well; a line of theirs may be lost meanwhile.
 */
void log_set_cap(uint64_t bytes);

/**
 * log_hold() - Have FILE.1 open, for a process that will find no files by name.
 * @fd: The log, from now on the only one with a cap.  Nothing is done if it is no
 *      file, or not opened to append.
 */
void log_hold(int fd);

/**
 * log_msg() - Write one line; use the macros below.
 *
 * Control characters, which no message has but some value in it may, appear as
 * '?': a line is one line, and a terminal that shows it obeys nobody.
 */
void log_msg(enum log_level level, const char *fmt, ...) printf_like(2, 3);

#define log_err(...)   log_msg(LOG_LVL_ERR, __VA_ARGS__)
#define log_warn(...)  log_msg(LOG_LVL_WARN, __VA_ARGS__)
#define log_info(...)  log_msg(LOG_LVL_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_LVL_DEBUG, __VA_ARGS__)

/* One burst, and from then on one line, in so many nanoseconds. */
#define LOG_LIMIT_NS UINT64_C(10000000000)

/**
 * struct log_limit - How much a guest may still cause to be logged.
 *
 * Zero-initialised is ready for use.  Ten lines at once, then one line every
 * ten seconds that also says how many were left out.  Single-threaded.
 */
struct log_limit {
	uint64_t since;	   /* CLOCK_MONOTONIC ns when the burst began */
	unsigned int n;	   /* lines written in this burst */
	unsigned int lost; /* lines suppressed since the last one */
};

/** log_limited() - Like log_msg(), for whatever a guest can cause. */
void log_limited(struct log_limit *limit, enum log_level level, const char *fmt,
		 ...) printf_like(3, 4);

/**
 * die() - Print one line and exit with status 1.
 *
 * For main.c files only, while starting: never reachable from a guest.
 */
_Noreturn void die(const char *fmt, ...) printf_like(1, 2);

#endif
