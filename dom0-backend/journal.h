/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/journal.h - what a block worker leaves to its successor. */
#ifndef DOM0_BACKEND_JOURNAL_H
#define DOM0_BACKEND_JOURNAL_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/blkstat.h"
#include "ring/ring.h"

/*
 * How it works
 *
 * A worker may be killed between any two instructions.  What its successor must
 * know lies in a file that both map: for each queue, where the frontend's ring is,
 * how many requests were taken, and a copy of each one that is not answered yet
 * (its slot in the ring may hold a response by then).  Nothing else is kept:
 * segments of indirect requests are fetched again from the guest's page, which
 * stays granted until the answer, and everything is judged again.
 *
 *	taking n:	slot bytes; seq = n + 1; taken = n + 1	<- taken from here
 *	answering:	response into the ring; seq = 0		<- answered from here
 *	publishing:	the ring's rsp_prod; notify
 *
 * A request is in flight while 0 < seq <= taken.  How many were answered is not
 * stored: it is taken less what is in flight, so that each of the two steps is
 * committed by one store of 64 bits.  Stores become visible in program order
 * (release), also those of a process that is killed: the memory outlives it.
 *
 * Killed where, and what the successor then does:
 *
 *	before taken	The request is still the ring's.  An entry with seq of
 *			taken + 1 is emptied, or the next taking would revive it.
 *	taken, not	Judged, pinned, done and answered again, whatever the dead
 *	answered	had done of it: pinning sets marks that may be set, and
 *			the answer clears them all (they are the same ones: the
 *			grants are those of the same request).  A response that
 *			was written into the ring but not committed lies where
 *			the next one will be written.
 *	answered, not	The successor publishes as many responses as were
 *	published	answered, before anything else.
 *	published, not	The successor binds the event channel, and that raises
 *	notified	an event at the guest, always.
 *
 * All this is for the frontend that asked.  One that has begun anew while nobody
 * served it has other rings: in its keys, or, if the numbers are the same by chance,
 * by the grants, which bear no mark (blkback_in_use()).  Then nothing is done again.
 * Which rings a journal is of stays in it until the state says that it is over, so
 * that whoever dies on the way is followed by one who sees the same.
 *
 * Requests in flight together have no order, so none is kept when they are done
 * again: a flush covers writes that were answered before it was made; those are on
 * the disk or in the kernel's page cache, which outlives workers.  To do a write
 * twice is harmless for the same reason: whoever writes the same sectors
 * without waiting for the answer has no say in which comes last.  A barrier does
 * have an order, and keeps it: nothing is taken after it until it is answered, and
 * it waits for all that is in flight.  For all that the
 * disk operations of the dead must have ended before the successor begins: see
 * custody.h.
 *
 * The journal is as UNTRUSTED as a ring: a worker that was taken over by its guest
 * may have written anything.  All numbers are checked, requests are judged anew,
 * and what is wrong harms nobody but that guest.
 */
#define JOURNAL_QUEUES	   16u
#define JOURNAL_RING_PAGES 16u
#define JOURNAL_SLOT	   112u
#define JOURNAL_ENTRIES	   513u /* slots of a ring of 16 pages, and one */
#define JOURNAL_REDO_MAX   16u	/* deaths that one request may see */

/**
 * struct journal_entry - A request that was taken.
 * @seq:    0: none; else its number, the first being 1.
 * @redone: How many workers have begun it anew.
 * @slot:   As it was in the ring.
 */
struct journal_entry {
	_Atomic uint64_t seq;
	uint32_t redone;
	uint32_t pad;
	uint8_t slot[JOURNAL_SLOT];
};
_Static_assert(sizeof(struct journal_entry) == 128, "whole cache lines");

/** struct journal_ring - Where a frontend's ring is; see struct blk_ring. */
struct journal_ring {
	uint32_t abi, npages, port, pad;
	uint32_t gref[JOURNAL_RING_PAGES];
};

/**
 * struct journal_queue - One ring.
 * @taken: Requests taken so far.
 */
struct journal_queue {
	_Atomic uint64_t taken;
	struct journal_ring ring;
	uint8_t pad[40];
	struct journal_entry entry[JOURNAL_ENTRIES];
};
_Static_assert(offsetof(struct journal_queue, entry) % 64 == 0, "as entries");

/**
 * struct journal_head - How the file of any type of device begins.
 * @version: JOURNAL_VBD, or whatever another type has.
 * @nqueues: Of the connection that is being served; 0: none is.
 */
struct journal_head {
	uint32_t magic, version;
	_Atomic uint32_t nqueues;
	uint8_t pad[52];
};

#define JOURNAL_VBD 1u

/**
 * struct journal - The whole file.
 * @stat: What the disk has done, in all connections; nothing else depends on it.
 */
struct journal {
	struct journal_head head;
	struct journal_queue queue[JOURNAL_QUEUES];
	struct blkstat_file stat;
};
_Static_assert(BLKSTAT_QUEUES == JOURNAL_QUEUES, "all are counted");

/** journal_valid() - From now on @nqueues are served; 0: no longer. */
void journal_valid(struct journal_head *j, uint32_t version,
		   unsigned int nqueues);

/**
 * journal_nqueues() - Of the connection that was being served.
 * @j:   UNTRUSTED.
 * @max: That the file has room for.
 *
 * Return: 0 if there was none; at most @max.
 */
unsigned int journal_nqueues(const struct journal_head *j, uint32_t version,
			     unsigned int max);

/**
 * journal_begin() - Nothing is in flight in a ring of @nent slots.
 * @at: Where it stands: 0 for a new one.
 */
void journal_begin(struct journal_queue *q, const struct journal_ring *ring,
		   uint32_t nent, uint32_t at);

/**
 * journal_recover() - Find what a predecessor left.
 * @q:    UNTRUSTED; afterwards exactly the entries in flight have a seq.
 * @nent: Slots of the ring; entries beyond @nent + 1 are not looked at.
 * @at:   Where the ring stood; written on success.
 *
 * Return: 0; -EPROTO if more is in flight than the ring has room for; -EOWNERDEAD if a
 * request has seen too many deaths.
 */
int journal_recover(struct journal_queue *q, uint32_t nent,
		    struct ring_pos *at) must_check;

/** journal_inflight() - Whether an entry is; true only between take and answer. */
static inline bool journal_inflight(const struct journal_entry *e)
{
	return atomic_load_explicit(&e->seq, memory_order_relaxed) != 0;
}

/** journal_take() - @e->slot holds the next request: it is taken. */
static inline void journal_take(struct journal_queue *q,
				struct journal_entry *e)
{
	uint64_t n = atomic_load_explicit(&q->taken, memory_order_relaxed) + 1;

	e->redone = 0;
	/* Ordering: the slot before seq, seq before taken. */
	atomic_store_explicit(&e->seq, n, memory_order_release);
	atomic_store_explicit(&q->taken, n, memory_order_release);
}

/** journal_answer() - The response to @e is in the ring. */
static inline void journal_answer(struct journal_entry *e)
{
	/* Ordering: the response, and what clears the marks, before this. */
	atomic_store_explicit(&e->seq, 0, memory_order_release);
}

#endif
