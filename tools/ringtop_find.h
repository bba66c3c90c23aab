/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/ringtop_find.h - the rings of a domain, found and mapped for reading. */
#ifndef TOOLS_RINGTOP_FIND_H
#define TOOLS_RINGTOP_FIND_H

#include "base/blkstat.h"
#include "base/dommem.h"
#include "base/netstat.h"
#include "ring/stream.h"
#include "tools/ringtop_track.h"
#include "tools/xl_store.h"

/*
 * How it works
 *
 * The domain socket gives the console's page to a console, the store's page to a
 * store, RAM and grant table to a backend, and what backends count to the toolstack:
 * there is one connection in each of these roles, and everything is mapped for
 * reading only. No event channel is bound, no grant is marked.
 *
 * Which devices there are is told by the backends' nodes in the store. Where
 * their rings lie is told by the frontends' nodes and the grant table, which the
 * guest writes: UNTRUSTED. Numbers out of range make a ring one with a problem;
 * all others lead to some page of this guest's RAM, which then holds whatever
 * the guest put there.
 */
#define RINGTOP_MAX_QUEUES 64u
#define RINGTOP_PROBLEM	   192

/** enum ringtop_counted - What a backend counts in a ring. */
enum ringtop_counted {
	RINGTOP_UNCOUNTED,
	RINGTOP_DISK,
	RINGTOP_TX, /* of a card */
	RINGTOP_RX,
};

/**
 * struct ringtop_ring - One ring, or a device whose rings cannot be found.
 * @device:  "console", "store", "vbd/51712", "vif/0".
 * @part:    "in", "out", "req", "rsp", "queue-0", "queue-0/tx"; "" for a device.
 * @problem: Why it cannot be looked at, in printable ASCII; else "".
 * @stream:  Bytes in @map, not slots in the ring that begins at @page.
 * @npages:  Pages of the ring; 0 for streams.
 * @port:    The guest's end of its event channel.
 * @counted: What the backend counts in this ring: it had
 * @stat:    this, of a disk,
 * @card:    or this, of a card's queue, at the last ringtop_count(); UNTRUSTED.
 */
struct ringtop_ring {
	char device[32];
	char part[24];
	char problem[RINGTOP_PROBLEM];
	bool stream;
	unsigned int npages;
	uint32_t port;
	const void *page; /* UNTRUSTED */
	struct stream_map map;
	struct track track;
	enum ringtop_counted counted;
	struct blkstat stat;
	struct netstat card;
};

/**
 * struct ringtop_dom - One domain.
 * @next: For the caller, to keep several in a list.
 * @name: In printable ASCII.
 * @ring: @n of them, in the order of the store; console and store first.
 */
struct ringtop_dom {
	struct ringtop_dom *next;
	unsigned int domid;
	char name[DOM_NAME_MAX];
	size_t n;
	struct ringtop_ring *ring;

	/* private */
	uint32_t backend; /* domid that its grants must name */
	struct dom *dom, *admin;
	struct dommem mem;
	void *console, *store; /* pages; UNTRUSTED */
	uint32_t console_port, store_port;
};

/**
 * ringtop_open() - Connect to a domain.
 * @out: *Owned* by the caller; written only on success.
 *
 * Return: 0, -ENOENT or -ECONNREFUSED if there is no such domain, or -errno.
 */
int ringtop_open(struct ringtop_dom **out, unsigned int domid) must_check;

/** ringtop_close() - Give everything back; NULL is fine. */
void ringtop_close(struct ringtop_dom *d);

/**
 * ringtop_find() - Find the domain's rings, now.
 * @xs:     The store.
 * @device: A device, or the part before its '/', to have only those; or NULL.
 *
 * Fills @d->ring anew; rings that were there before are still being tracked, but
 * nobody has looked for a while: see track_pause().
 *
 * Return: 0, -EPIPE if the domain is gone, -ENOMEM, or -errno of its socket.
 */
int ringtop_find(struct ringtop_dom *d, struct xs_handle *xs,
		 const char *device) must_check;

/** ringtop_count() - Take what the backends of the domain's rings count now. */
void ringtop_count(struct ringtop_dom *d);

/** ringtop_look() - Look once at a ring without a problem; see track_look(). */
void ringtop_look(struct ringtop_ring *r, uint64_t patience);

#endif
