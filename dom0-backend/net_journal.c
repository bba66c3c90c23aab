// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/net_journal.c - what a card's worker leaves to its successor.
#include "dom0-backend/net_journal.h"

#include <errno.h>

void net_journal_begin(struct net_journal_ring *r, uint32_t at)
{
	net_journal_answer(r, at);
	net_journal_take(r, at);
}

int net_journal_recover(const struct net_journal_ring *r, struct ring_pos *at)
{
	struct ring_pos p = {
		.req_cons =
			atomic_load_explicit(&r->taken, memory_order_acquire),
		.rsp_prod = atomic_load_explicit(&r->answered,
						 memory_order_acquire),
	};

	if (p.req_cons - p.rsp_prod > NET_JOURNAL_SLOTS)
		return -EPROTO;
	*at = p;
	return 0;
}

int net_journal_recover_ctrl(struct net_journal_ctrl *c, unsigned int nqueues,
			     struct ring_pos *at)
{
	struct ring_pos p = {
		.req_cons =
			atomic_load_explicit(&c->taken, memory_order_acquire),
		.rsp_prod = atomic_load_explicit(&c->answered,
						 memory_order_acquire),
	};

	if (p.req_cons - p.rsp_prod > 1 || !net_hash_sane(&c->hash, nqueues))
		return -EPROTO;
	if (p.req_cons != p.rsp_prod && c->redone++ >= JOURNAL_REDO_MAX)
		return -EOWNERDEAD;
	*at = p;
	return 0;
}
