// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_net_journal.c - what a card's worker leaves, and lies about.
#include "dom0-backend/net_journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <criterion/criterion.h>

static struct net_journal *j;

static void set_up(void)
{
	j = calloc(1, sizeof(*j));
	cr_assert(j);
}

static void tear_down(void)
{
	free(j);
}

TestSuite(net_journal, .init = set_up, .fini = tear_down);

static int recover(uint32_t taken, uint32_t answered)
{
	struct net_journal_ring *r = &j->queue[1].rx;
	struct ring_pos at = { 77, 77 };
	int ret;

	net_journal_take(r, taken);
	net_journal_answer(r, answered);
	ret = net_journal_recover(r, &at);
	cr_expect_eq(at.req_cons, ret ? 77 : taken);
	cr_expect_eq(at.rsp_prod, ret ? 77 : answered);
	return ret;
}

Test(net_journal, lies)
{
	cr_expect_eq(recover(0, 0), 0);
	cr_expect_eq(recover(300, 300), 0);
	cr_expect_eq(recover(300, 44), 0);
	cr_expect_eq(recover(300, 43), -EPROTO, "more than there are slots");
	cr_expect_eq(recover(300, 301), -EPROTO, "answered before taken");
	cr_expect_eq(recover(5, UINT32_MAX - 250), 0, "comes round");
	cr_expect_eq(recover(5, UINT32_MAX - 251), -EPROTO);
	cr_expect_eq(recover(0, UINT32_MAX / 2), -EPROTO);
}

Test(net_journal, slots_come_round)
{
	struct net_journal_ring *r = &j->queue[0].tx;

	cr_expect_eq(net_journal_slot(r, 255), &r->slot[255]);
	cr_expect_eq(net_journal_slot(r, 256), &r->slot[0]);
	cr_expect_eq(net_journal_slot(r, UINT32_MAX), &r->slot[255]);
	net_journal_take(r, 9);
	net_journal_answer(r, 8);
	net_journal_begin(r, 0);
	cr_expect_eq(atomic_load(&r->taken), 0);
	cr_expect_eq(atomic_load(&r->answered), 0);
}

static int recover_ctrl(uint32_t taken, uint32_t answered)
{
	struct ring_pos at;

	atomic_store(&j->ctrl.taken, taken);
	atomic_store(&j->ctrl.answered, answered);
	return net_journal_recover_ctrl(&j->ctrl, 3, &at);
}

Test(net_journal, control_ring_lies)
{
	struct net_hash *h = &j->ctrl.hash;

	h->nqueues = 3;
	cr_expect_eq(recover_ctrl(7, 7), 0);
	cr_expect_eq(recover_ctrl(0, UINT32_MAX), 0);
	cr_expect_eq(recover_ctrl(7, 5), -EPROTO, "two at a time");
	cr_expect_eq(recover_ctrl(7, 8), -EPROTO);
	h->algorithm = 2;
	cr_expect_eq(recover_ctrl(7, 7), -EPROTO);
	h->algorithm = 1;
	h->types = 16;
	cr_expect_eq(recover_ctrl(7, 7), -EPROTO);
	h->types = 15;
	h->nmap = NET_HASH_MAP_MAX + 1;
	cr_expect_eq(recover_ctrl(7, 7), -EPROTO);
	h->nmap = NET_HASH_MAP_MAX;
	h->map[127] = 3;
	cr_expect_eq(recover_ctrl(7, 7), -EPROTO, "a queue that is not there");
	h->map[127] = 2;
	cr_expect_eq(recover_ctrl(7, 7), 0);
	h->nqueues = 4;
	cr_expect_eq(recover_ctrl(7, 7), -EPROTO);
}

/* A request that ends worker after worker is given up; others do not count. */
Test(net_journal, request_that_kills)
{
	j->ctrl.hash.nqueues = 3;
	for (unsigned int i = 0; i < 2 * JOURNAL_REDO_MAX; i++)
		cr_assert_eq(recover_ctrl(8, 8), 0);
	for (unsigned int i = 0; i < JOURNAL_REDO_MAX; i++)
		cr_assert_eq(recover_ctrl(8, 7), 0);
	cr_expect_eq(recover_ctrl(8, 7), -EOWNERDEAD);
}
