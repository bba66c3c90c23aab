/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/trace.h - the access log: who asked what, and was told what. */
#ifndef XENSTORE_LITE_TRACE_H
#define XENSTORE_LITE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

struct conn;
struct wire_msg;
struct xsd_sockmsg;

/*
 * How it works
 *
 * One line a message:
 *
 *	2026-11-22T18:20:11.123456Z in  D3.12 tx 5 WRITE /local/domain/3/data x
 *	2026-11-22T18:20:11.123460Z out D3.12 tx 5 WRITE OK
 *	2026-11-22T18:20:11.123462Z out A7 tx 0 WATCH_EVENT data token
 *
 * D3.12 is connection 12, of domain 3; A7 is connection 7, of a program of dom0.
 * Lines wait in memory till the end of a turn or until there are TRACE_BUFFER bytes,
 * and go to a file then.  A file of trace_cap bytes is renamed to FILE.1, in place
 * of what was there, and another begun: so neither is longer than that and one
 * buffer.  What cannot be written is left out and counted; nobody waits for it.
 */

#define TRACE_BUFFER (64u << 10)

/** trace_all - Log every connection. */
extern bool trace_all;

/** trace_cap - Bytes after which a file is full; 16 MiB. */
extern uint64_t trace_cap;

/** trace_setup() - Once: the file, made with the first line; @path is borrowed. */
void trace_setup(const char *path);

/** trace_in() - A request that has come. */
void trace_in(const struct conn *c, const struct wire_msg *m);

/** trace_out() - An answer or event that is to be sent. */
void trace_out(const struct conn *c, const struct xsd_sockmsg *hdr,
	       const void *data);

/** trace_flush() - At the end of a turn: what waits goes to the file. */
void trace_flush(void);

/** trace_stop() - Flush and close it; the next line opens it again. */
void trace_stop(void);

#endif
