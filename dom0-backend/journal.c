// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/journal.c - what a block worker leaves to its successor.
#include "dom0-backend/journal.h"

#include <errno.h>

#define MAGIC 0x6a427653u /* "SvBj" */

void journal_valid(struct journal_head *j, uint32_t version,
		   unsigned int nqueues)
{
	j->magic = MAGIC;
	j->version = version;
	/* Ordering: all that a successor reads before it. */
	atomic_store_explicit(&j->nqueues, nqueues, memory_order_release);
}

unsigned int journal_nqueues(const struct journal_head *j, uint32_t version,
			     unsigned int max)
{
	uint32_t n = atomic_load_explicit(&j->nqueues, memory_order_acquire);

	if (j->magic != MAGIC || j->version != version || n > max)
		return 0;
	return n;
}

void journal_begin(struct journal_queue *q, const struct journal_ring *ring,
		   uint32_t nent, uint32_t at)
{
	q->ring = *ring;
	/* What is beyond stays a hole in the file. */
	for (uint32_t i = 0; i <= nent; i++)
		journal_answer(&q->entry[i]);
	atomic_store_explicit(&q->taken, at, memory_order_release);
}

int journal_recover(struct journal_queue *q, uint32_t nent, struct ring_pos *at)
{
	uint64_t taken = atomic_load_explicit(&q->taken, memory_order_acquire);
	uint32_t inflight = 0;
	int ret = 0;

	if (nent >= JOURNAL_ENTRIES)
		return -EPROTO;
	for (unsigned int i = 0; i <= nent; i++) {
		struct journal_entry *e = &q->entry[i];

		if (!journal_inflight(e))
			continue;
		if (atomic_load_explicit(&e->seq, memory_order_relaxed) >
		    taken) {
			/* It was not taken: the ring still has it. */
			journal_answer(e);
			continue;
		}
		inflight++;
		if (e->redone++ >= JOURNAL_REDO_MAX)
			ret = -EOWNERDEAD;
	}
	if (inflight > nent || inflight > taken)
		return -EPROTO;
	if (ret)
		return ret;
	/* Both modulo 2^32, as the ring's own. */
	*at = (struct ring_pos){ .req_cons = (uint32_t)taken,
				 .rsp_prod = (uint32_t)(taken - inflight) };
	return 0;
}
