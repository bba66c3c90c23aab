/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/conlog.h - a guest's early output, and a log that cannot grow. */
#ifndef HYPERVISOR_CONLOG_H
#define HYPERVISOR_CONLOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

/** CONLOG_LINE - Longest line; longer ones are cut into several. */
#define CONLOG_LINE 240

/** struct conlog - Bytes of an unfinished line.  lock: vm->lock */
struct conlog {
	size_t len;
	uint8_t line[CONLOG_LINE];
	uint64_t tokens; /* bytes that may be written now */
	uint64_t last;	 /* CLOCK_MONOTONIC ns when tokens were given */
	uint64_t lost;	 /* bytes left out since the last line written */
};

/**
 * conlog_put() - Take bytes that the guest prints (console_io, port 0xE9).
 * @buf: UNTRUSTED bytes, private copy.
 *
 * Each line goes to the log, escaped.  At most CONLOG_RATE bytes a second in
 * the long run: what is beyond that is counted and left out.
 */
void conlog_put(struct conlog *c, const void *buf, size_t len);

/** CONLOG_RATE, CONLOG_BURST - Bytes a second, and at once. */
#define CONLOG_RATE  (64u << 10)
#define CONLOG_BURST (1u << 20)

/** conlog_flush() - Write an unfinished line (the guest is down). */
void conlog_flush(struct conlog *c);

/**
 * conlog_open() - Open the file for this process's log, not used yet.
 * @path: Appended to; mode 0600.  PATH.1 is opened, too: there is what was in it
 *        when it became longer than CONLOG_MAX.
 *
 * Return: 0 or -errno.
 */
int conlog_open(const char *path) must_check;

/** conlog_use() - Send messages there from now on, if it was opened. */
void conlog_use(void);

/** conlog_close() - Send messages to standard error again; this is for good. */
void conlog_close(void);

/** CONLOG_MAX - Bytes of the log and of the one before it (PATH.1), each. */
#define CONLOG_MAX (4 << 20)

#endif
