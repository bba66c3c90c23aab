/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/blkstat.h - what a disk has done: counters that outlive their writer. */
#ifndef BASE_BLKSTAT_H
#define BASE_BLKSTAT_H

#include <sys/types.h>

#include "base/hist.h"
#include "base/statfile.h"

/*
 * How it works
 *
 * The worker of a disk counts in a file that it has mapped, each queue's thread in
 * cache lines of its own: plain additions of 64 bits, no lock, no read-modify-write
 * on the bus.  Others read the file; a copy is no snapshot: a request may be in one
 * number and not yet in the next.  The file outlives worker and parent
 * (dom0-backend/custody.h), so the numbers go on where a dead worker left them, less
 * at most the requests that it was answering just then.
 *
 * Readers get a descriptor that cannot write (DOM_DEVSTATS of base/domsock.h) and
 * read(2) it, so a file that became shorter is an error and no signal.  What the
 * numbers are is UNTRUSTED: the worker may have been taken over by its guest.
 */
#define BLKSTAT_QUEUES 16u

enum blkstat_kind {
	BLKSTAT_READ,
	BLKSTAT_WRITE,
	BLKSTAT_FLUSH,
	BLKSTAT_DISCARD,
	BLKSTAT_OTHER, /* barriers, and what is no operation of ours */
	BLKSTAT_NKINDS,
};

/** blkstat_names - Of each kind: "read", and so on. */
extern const char *const blkstat_names[BLKSTAT_NKINDS];

/**
 * struct blkstat_kind_sum - Requests of one kind that were answered.
 * @requests: All of them.
 * @errors:   Those that were refused or failed.
 * @bytes:    Moved or discarded, by the others.
 * @merged:   Segments of theirs that lay right behind the one before in memory and
 *            became one part of the transfer with it.
 * @ns:       Sum of the times from the taking of the request out of its ring to its
 *            answer.
 * @bucket:   Histogram of these; the sum is @requests.
 */
struct blkstat_kind_sum {
	uint64_t requests;
	uint64_t errors;
	uint64_t bytes;
	uint64_t merged;
	uint64_t ns;
	uint64_t bucket[HIST_BUCKETS];
};

/**
 * struct blkstat - One queue, or the sum of several.
 * @depth:     Requests that are taken and not answered.
 * @depth_max: The most there were in one queue.
 */
struct blkstat {
	uint64_t depth;
	uint64_t depth_max;
	struct blkstat_kind_sum kind[BLKSTAT_NKINDS];
};
_Static_assert(sizeof(struct blkstat) % 64 == 0, "whole cache lines");

/** struct blkstat_file - All queues of a disk. */
struct blkstat_file {
	struct statfile head;
	struct blkstat queue[BLKSTAT_QUEUES];
};

/** blkstat_add() - Count; for the one thread that writes @counter. */
static inline void blkstat_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/** blkstat_take() - A queue's thread has taken a request. */
static inline void blkstat_take(struct blkstat *s)
{
	blkstat_add(&s->depth, 1);
	if (s->depth > s->depth_max)
		__atomic_store_n(&s->depth_max, s->depth, __ATOMIC_RELAXED);
}

/** blkstat_leave() - It has one less; answered, or left to a successor. */
static inline void blkstat_leave(struct blkstat *s)
{
	blkstat_add(&s->depth, UINT64_MAX);
}

/**
 * blkstat_answer() - Count a request that is answered.
 * @failed: Then nothing was moved or merged, whatever the others say.
 */
static inline void blkstat_answer(struct blkstat_kind_sum *k, bool failed,
				  uint64_t bytes, uint64_t merged, uint64_t ns)
{
	blkstat_add(&k->requests, 1);
	blkstat_add(&k->ns, ns);
	blkstat_add(&k->bucket[hist_bucket(ns)], 1);
	if (failed) {
		blkstat_add(&k->errors, 1);
		return;
	}
	blkstat_add(&k->bytes, bytes);
	blkstat_add(&k->merged, merged);
}

/**
 * blkstat_begin() - A worker begins to count.
 * @f: Mapped; what a predecessor counted stays, anything else is zeroed.
 */
void blkstat_begin(struct blkstat_file *f);

/**
 * blkstat_sum() - Add what a queue has counted, while it goes on.
 * @sum: Of the reader's own.
 */
void blkstat_sum(struct blkstat *sum, const struct blkstat *queue);

/**
 * blkstat_read() - Read a file that another process gave us.
 * @out: Written only on success; the rest is as for statfile_read().
 */
int blkstat_read(int fd, uint64_t offset, struct blkstat_file *out) must_check;

#endif
