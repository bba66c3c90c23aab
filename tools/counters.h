/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/counters.h - what a domain and its devices have done. */
#ifndef TOOLS_COUNTERS_H
#define TOOLS_COUNTERS_H

#include "base/blkstat.h"
#include "base/domsock.h"
#include "base/netstat.h"
#include "tools/xl_run.h"

/*
 * How it works
 *
 * All comes by the domain socket, in the toolstack's role: what the VMM and KVM count,
 * and the files that the devices' workers count in (base/domsock.h).  These are
 * UNTRUSTED: a worker may have been taken over by its guest.  They are numbers to
 * show, and nothing more.
 */

/**
 * struct counters_dev - A disk or a card; all its queues together.
 * @restarts: Workers that replaced one which had ended.
 * @disk:     Of a disk, else @card is.
 */
struct counters_dev {
	bool is_disk;
	unsigned int devid;
	uint64_t restarts;
	union {
		struct blkstat disk;
		struct netstat card;
	};
};

/**
 * struct counters - One domain.
 * @kvm: What the VMM and KVM count; none of a process domain.
 * @dev: @n devices, by kind and number.
 */
struct counters {
	char name[XL_NAME_SIZE];
	struct dom_info info;
	struct dom_stats kvm;
	size_t n;
	struct counters_dev *dev; /* owned */
};

/**
 * counters_read() - Read all of a domain.
 * @c: To be freed by counters_free() on success.
 *
 * Waits as dom_set_timeout() says.  Return: 0, -ETIMEDOUT if the VMM does not answer,
 * -ENOENT or -ECONNREFUSED if there is no such domain, or -errno.
 */
int counters_read(struct counters *c, const struct xl_dom *d) must_check;

/**
 * counters_all() - Read those of all domains, one after the other.
 * @limit_ns: Who is not asked by then counts as silent.
 * @take: Called for each; @c is *given*.  If @silent, its VMM did not answer: there is
 *        its name and domid, and nothing to free.  Not 0 ends the walk.
 *
 * Return: 0, what @take returned, or -errno if the run directory cannot be read.
 */
int counters_all(uint64_t limit_ns,
		 int (*take)(void *arg, struct counters *c, bool silent),
		 void *arg) must_check;

/** counters_free() - Fine on a zeroed @c. */
void counters_free(struct counters *c);

/** counters_kvm() - One of @c's, by its name; 0 if there is none. */
uint64_t counters_kvm(const struct counters *c, const char *name);

/** counters_drops() - Packets of a card that were dropped on their way in or out. */
uint64_t counters_drops(const struct counters_dev *d, bool tx);

#endif
