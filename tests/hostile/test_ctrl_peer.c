/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/hostile/test_ctrl_peer.c - a control ring of a frontend that lies. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/caplog.h"
#include "tests/lib/fakectrl.h"
#include "tests/lib/flipper.h"

#define DOMID	7
#define NQUEUES 4u

static struct fakedom *dom;
static struct dom *conn;
static struct gnt_map *gnt;
static struct fakectrl c;

static void set_up(void)
{
	log_init("test", LOG_LVL_ERR);
	fakedom_run_dir();
	dom = fakedom_new(DOMID, 64);
	cr_assert_eq(
		dom_connect(&conn, DOMID, DOM_ROLE_BACKEND, "vif/0", false), 0);
	cr_assert_eq(gnt_new(&gnt, conn), 0);
	fakectrl_init(&c, dom, gnt, NQUEUES);
}

static void tear_down(void)
{
	fakectrl_fini(&c);
	gnt_free(gnt);
	dom_free(conn);
	fakedom_free(dom);
	fakedom_run_dir_remove();
}

TestSuite(ctrl_peer, .init = set_up, .fini = tear_down, .timeout = 300);

/* Whatever was asked for, it can be used; and only the ring is pinned. */
static void expect_sane(void)
{
	const struct net_hash *h = &c.back.hash;

	cr_assert_eq(h->nqueues, NQUEUES);
	cr_assert_leq(h->algorithm, 1u);
	cr_assert_leq(h->types, 15u);
	cr_assert_leq(h->nmap, NET_HASH_MAP_MAX);
	for (uint32_t i = 0; i < NET_HASH_MAP_MAX; i++)
		cr_assert_lt(h->map[i], NQUEUES);
	for (uint32_t i = h->nmap; i < NET_HASH_MAP_MAX; i++)
		cr_assert_eq(h->map[i], 0);
	cr_assert_eq(gnt_pins(gnt, c.page_ref), 0);
	cr_assert_eq(gnt_pins(gnt, c.ring_ref), 1);
}

struct index_lie {
	char name[32];
	uint32_t by; /* added to the true producer */
};

ParameterizedTestParameters(ctrl_peer, impossible_index)
{
	static struct index_lie t[] = {
		{ "one too many", 129 },
		{ "half the range", 0x80000000u },
		{ "backwards", UINT32_MAX },
		{ "a ring backwards", UINT32_MAX - 127 },
	};
	return cr_make_param_array(struct index_lie, t, ARRAY_SIZE(t));
}

/* It is over, whatever the ring says from then on, and nothing has changed. */
ParameterizedTest(struct index_lie *t, ctrl_peer, impossible_index)
{
	uint32_t *req_prod = c.ring, true_one = 1;

	cr_assert_eq(ring_front_free(&c.front.ring), 128);
	cr_assert_eq(fakectrl_ask(&c, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE,
				  9, 0, 0, NULL),
		     0);
	__atomic_store_n(req_prod, true_one + t->by, __ATOMIC_SEQ_CST);
	cr_expect_eq(net_ctrl_poll(&c.back, 1000), -EPROTO);
	__atomic_store_n(req_prod, true_one + 1, __ATOMIC_SEQ_CST);
	cr_expect_eq(net_ctrl_poll(&c.back, 1000), -EPROTO);
	cr_expect_not(net_ctrl_push(&c.back));
	cr_expect_not(net_ctrl_arm(&c.back), "never looked at again");
	cr_expect_eq(c.back.hash.nmap, 9);
	expect_sane();
}

static uint32_t any(void)
{
	switch (random() % 4) {
	case 0:
		return (uint32_t)random() % 9;
	case 1:
		return (uint32_t)random() % 140;
	case 2:
		return UINT32_MAX - (uint32_t)random() % 140;
	default:
		return (uint32_t)random() << (random() % 3);
	}
}

/* BE-12: any numbers, in any order. */
Test(ctrl_peer, any_requests)
{
	uint32_t good = 0, status, ref;
	uint16_t type;

	for (unsigned int i = 0; i < 200000; i++) {
		type = (uint16_t)(random() % 12);
		ref = random() % 8 ? c.page_ref : any();
		for (unsigned int k = 0; k < 8; k++)
			((uint32_t *)c.page)[k] = (uint32_t)random() % 5;
		status = fakectrl_ask(&c, type,
				      type == 3 || type == 6 ? ref : any(),
				      any(), any(), NULL);
		cr_assert_leq(status, 3u);
		good += !status;
		expect_sane();
	}
	cr_expect(good > 10000 && good < 190000, "%u", good);
}

/* BE-01: a table that was judged is the table that is used. */
Test(ctrl_peer, a_table_changes_while_it_is_judged)
{
	struct flipper *noise;
	uint32_t good = 0, bad = 0, *map = c.page;

	cr_assert_eq(fakectrl_ask(&c, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE,
				  NET_HASH_MAP_MAX, 0, 0, NULL),
		     0);
	for (uint32_t i = 0; i < NET_HASH_MAP_MAX; i++)
		map[i] = i % NQUEUES;
	noise = flipper_start((uint8_t *)c.page + 4 * 60, 4);
	for (unsigned int i = 0; i < 20000; i++) {
		if (i % 16 == 0)
			__atomic_store_n(&map[60], 1, __ATOMIC_RELAXED);
		if (fakectrl_ask(&c, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING,
				 c.page_ref, NET_HASH_MAP_MAX, 0, NULL))
			bad++;
		else
			good++;
		expect_sane();
	}
	flipper_stop(noise);
	cr_expect(bad && good, "%u, %u", bad, good);
}

/* Slots that change while they are taken: each is answered, once. */
Test(ctrl_peer, requests_change_while_they_are_taken)
{
	struct flipper *noise = flipper_start((uint8_t *)c.ring + 64, 128 * 16);
	struct xen_netif_ctrl_response rsp;
	unsigned int n, answers;

	for (unsigned int turn = 0; turn < 2000; turn++) {
		for (n = 0; n < 100; n++)
			fakectrl_put(&c, (uint16_t)(random() % 12), c.page_ref,
				     any(), any());
		cr_assert_eq(net_ctrl_poll(&c.back, 128), 0);
		(void)!net_ctrl_push(&c.back);
		answers = 0;
		while (net_ctrl_ring_front_take(&c.front, &rsp) > 0)
			answers++;
		cr_assert_eq(answers, n);
		expect_sane();
	}
	flipper_stop(noise);
}

/* BE-07: an answer shows its fields; the rest of slot and ring is the guest's. */
Test(ctrl_peer, answers_show_nothing_else)
{
	uint8_t *slot = (uint8_t *)c.ring + 64;
	uint32_t want[3] = { 4 << 16 | 1, 0, NET_HASH_MAP_MAX };

	memset(slot, 0xaa, SV_PAGE_SIZE - 64);
	cr_assert_eq(fakectrl_ask(&c, XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE,
				  0, 0, 0x12345678, NULL),
		     0);
	cr_expect_arr_eq(slot, (uint8_t *)want, sizeof(want));
	cr_expect_arr_eq(slot + 12, "\x78\x56\x34\x12", 4);
	for (size_t i = 16; i < SV_PAGE_SIZE - 64; i++)
		cr_assert_eq(slot[i], 0xaa, "byte %zu", i);
}

/* BE-30 */
Test(ctrl_peer, thousands_of_bad_requests_in_a_few_lines)
{
	const char *log;
	unsigned int lines = 0;

	log_init("test", LOG_LVL_INFO);
	caplog_begin();
	for (unsigned int i = 0; i < 5000; i++)
		cr_assert_neq(
			fakectrl_ask(&c,
				     i & 1 ? 99
					   : XEN_NETIF_CTRL_TYPE_SET_HASH_KEY,
				     0, i & 2 ? 4 : 400, 0, NULL),
			0);
	log = caplog_end();
	for (; (log = strchr(log, '\n')); log++)
		lines++;
	cr_expect_leq(lines, 21, "%u", lines);
	cr_expect_geq(lines, 1);
}
