/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/gdb.h - GDB's remote serial protocol, for a domain's kernel. */
#ifndef TOOLS_GDB_H
#define TOOLS_GDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/domsock.h"
#include "base/util.h"

/** GDB_PACKET - Most bytes of a packet, either way, without its frame. */
#define GDB_PACKET 2048

/**
 * struct gdb_ops - Whom a session talks to; @arg is struct gdb's.
 * @call:  As dom_call(), without descriptors.
 * @event: As dom_event().
 * @send:  All of it, to GDB; Return: 0 or -errno.
 */
struct gdb_ops {
	int (*call)(void *arg, struct dom_msg *msg);
	int (*event)(void *arg, struct dom_msg *msg);
	int (*send)(void *arg, const void *buf, size_t len);
};

/**
 * struct gdb - A session: one GDB, one domain.  Its vCPU n is GDB's thread n + 1.
 *
 * What GDB sends is judged here, what it means is done by the VMM (base/domsock.h).
 */
struct gdb {
	const struct gdb_ops *ops; /* borrowed, as arg is */
	void *arg;
	unsigned int nvcpus;
	unsigned int cpu;	/* that registers and memory are asked of */
	bool quiet;		/* no acknowledgements */
	bool running;		/* GDB waits for it to stop */
	bool down;		/* it has shut down, and GDB knows */
	struct dom_debug debug; /* with the debug registers in use */

	enum { GDB_IDLE, GDB_BODY, GDB_SUM1, GDB_SUM2 } state;
	size_t nin;
	bool too_long;
	char in[GDB_PACKET + 1], sum[3];
	size_t nout;
	char out[1 + GDB_PACKET + 4]; /* the last packet sent, with its frame */
};

/**
 * gdb_begin() - Stop the domain.
 * @nvcpus: That it has, up to 64.
 *
 * Return: 0; -EBUSY if it has another debugger; or -errno of @ops->call.
 */
int gdb_begin(struct gdb *g, const struct gdb_ops *ops, void *arg,
	      unsigned int nvcpus) must_check;

/**
 * gdb_take() - What GDB has sent.
 * @buf: UNTRUSTED.
 *
 * Return: 0; 1 if it has detached; -EPIPE if the domain is gone; or -errno.
 */
int gdb_take(struct gdb *g, const void *buf, size_t len) must_check;

/** gdb_events() - Tell GDB what the domain tells; Return: as gdb_take(). */
int gdb_events(struct gdb *g) must_check;

#endif
