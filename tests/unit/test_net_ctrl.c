/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_net_ctrl.c - the control ring of a PV network card. */
#include "dom0-backend/net_ctrl.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <string.h>

#include "tests/lib/fakectrl.h"

#define DOMID	 7
#define SUCCESS	 XEN_NETIF_CTRL_STATUS_SUCCESS
#define INVALID	 XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER
#define TOO_LONG XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW
#define NO	 XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED
#define ASK(type, ...) \
	fakectrl_ask(&c, XEN_NETIF_CTRL_TYPE_##type, __VA_ARGS__, NULL)

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
	fakectrl_init(&c, dom, gnt, 4);
}

static void tear_down(void)
{
	fakectrl_fini(&c);
	gnt_free(gnt);
	dom_free(conn);
	fakedom_free(dom);
	fakedom_run_dir_remove();
}

TestSuite(net_ctrl, .init = set_up, .fini = tear_down, .timeout = 300);

/* What the queues see. */
static struct net_hash seen(void)
{
	struct net_hash h;
	uint32_t version = 0;

	net_steer_get(&c.steer, &version, &h);
	return h;
}

static bool active(void)
{
	struct net_hash h = seen();

	return net_hash_active(&h);
}

/* Types, in the order of a driver that sets all up; each step is seen. */
Test(net_ctrl, every_request)
{
	uint32_t map[NET_HASH_MAP_MAX], n;
	uint8_t key[NET_HASH_KEY_MAX];

	cr_expect_eq(seen().nqueues, 4);
	cr_expect_not(active());
	cr_expect_eq(ASK(GET_HASH_FLAGS, 0, 0, 0), NO, "no algorithm yet");
	cr_expect_eq(ASK(SET_HASH_ALGORITHM, 1, 0, 0), SUCCESS);
	cr_expect_eq(seen().algorithm, 1);
	cr_expect_eq(fakectrl_ask(&c, XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, 0, 0,
				  0, &n),
		     SUCCESS);
	cr_expect_eq(n, 15);
	cr_expect_eq(ASK(SET_HASH_FLAGS, 6, 0, 0), SUCCESS);
	cr_expect_eq(seen().types, 6);
	cr_expect(active());
	for (uint8_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 3 + 1);
	memcpy(c.page, key, sizeof(key));
	cr_expect_eq(ASK(SET_HASH_KEY, c.page_ref, sizeof(key), 0), SUCCESS);
	cr_expect_arr_eq(seen().key, key, sizeof(key));
	cr_expect_eq(fakectrl_ask(&c, XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE,
				  0, 0, 0, &n),
		     SUCCESS);
	cr_assert_eq(n, NET_HASH_MAP_MAX);
	cr_expect_eq(ASK(SET_HASH_MAPPING_SIZE, n, 0, 0), SUCCESS);
	for (uint32_t i = 0; i < n; i++)
		map[i] = i % 4;
	memcpy(c.page, map, sizeof(map));
	cr_expect_eq(ASK(SET_HASH_MAPPING, c.page_ref, n, 0), SUCCESS);
	cr_expect_arr_eq(seen().map, map, sizeof(map));
	cr_expect_eq(ASK(SET_HASH_MAPPING, c.page_ref, 2, 3), SUCCESS);
	map[3] = 0;
	map[4] = 1;
	cr_expect_arr_eq(seen().map, map, sizeof(map));
	cr_expect_eq(ASK(SET_HASH_ALGORITHM, 0, 0, 0), SUCCESS);
	cr_expect_not(active());
	cr_expect_eq(gnt_pins(gnt, c.page_ref), 0);
}

struct refusal {
	char name[40];
	uint16_t type;
	uint32_t d0, d1, d2, want;
};

/* d0 stands for a reference: */
enum { PAGE = 1000000, RING, NOTHING };

ParameterizedTestParameters(net_ctrl, refused)
{
	static struct refusal t[] = {
		{ "type 0", 0, 0, 0, 0, NO },
		{ "grants that stay: how many", 8, 0, 0, 0, NO },
		{ "grants that stay: more", 9, 0, PAGE, 1, NO },
		{ "grants that stay: less", 10, 0, PAGE, 1, NO },
		{ "type 11", 11, 0, 0, 0, NO },
		{ "type 65535", 65535, 0, 0, 0, NO },
		{ "algorithm 2", 7, 2, 0, 0, INVALID },
		{ "types beyond", 2, 16, 0, 0, INVALID },
		{ "key of 41 bytes", 3, PAGE, 41, 0, TOO_LONG },
		{ "key of 4097 bytes", 3, PAGE, 4097, 0, TOO_LONG },
		{ "key as long as can be", 3, PAGE, UINT32_MAX, 0, TOO_LONG },
		{ "key nowhere", 3, NOTHING, 40, 0, INVALID },
		{ "key of no reference", 3, 0, 1, 0, INVALID },
		{ "table of 129", 5, 129, 0, 0, INVALID },
		{ "table as long as can be", 5, UINT32_MAX, 0, 0, INVALID },
		{ "entries beyond", 6, PAGE, 8, 1, INVALID },
		{ "entries that begin beyond", 6, PAGE, 1, 8, INVALID },
		{ "entries whose end is 0", 6, PAGE, 1, UINT32_MAX, INVALID },
		{ "entries whose end is small", 6, PAGE, 4, UINT32_MAX - 1,
		  INVALID },
		{ "129 entries", 6, PAGE, 129, 0, TOO_LONG },
		{ "1025 entries", 6, PAGE, 1025, 0, TOO_LONG },
		{ "entries whose bytes are 4", 6, PAGE, 0x40000001, 0,
		  TOO_LONG },
		{ "entries nowhere", 6, NOTHING, 1, 0, INVALID },
		{ "entry of no queue", 6, PAGE, 8, 0, INVALID },
	};
	return cr_make_param_array(struct refusal, t, ARRAY_SIZE(t));
}

/* Each gets its status, and nothing has changed. */
ParameterizedTest(struct refusal *t, net_ctrl, refused)
{
	static const uint32_t map[8] = { 3, 2, 1, 0, 1, 2, 3, 0 };
	static const uint8_t key[] = "any key";
	struct net_hash was;
	uint32_t data = 77, ref;

	fakectrl_hash(&c, key, sizeof(key), map, 8);
	memcpy(c.page, map, sizeof(map));
	((uint32_t *)c.page)[7] = 4;
	was = seen();
	ref = t->d0 == PAGE ? c.page_ref : t->d0 == NOTHING ? 400 : t->d0;
	cr_expect_eq(fakectrl_ask(&c, t->type, ref, t->d1, t->d2, &data),
		     t->want, "%s", t->name);
	cr_expect_eq(data, 0);
	cr_expect_arr_eq((uint8_t *)&c.back.hash, (uint8_t *)&was, sizeof(was));
	was = seen();
	cr_expect_arr_eq((uint8_t *)&c.back.hash, (uint8_t *)&was, sizeof(was));
	cr_expect_eq(gnt_pins(gnt, c.page_ref), 0);
	cr_expect_eq(gnt_pins(gnt, c.ring_ref), 1);
	cr_expect_eq(ASK(SET_HASH_MAPPING, c.page_ref, 7, 0), SUCCESS,
		     "serves on");
}

/* A key of no bytes needs no page. */
Test(net_ctrl, no_key)
{
	static const uint8_t zeros[NET_HASH_KEY_MAX];

	memset(c.page, 0x11, 40);
	cr_expect_eq(ASK(SET_HASH_KEY, c.page_ref, 40, 0), SUCCESS);
	cr_expect_eq(ASK(SET_HASH_KEY, 0, 0, 0), SUCCESS);
	cr_expect_arr_eq(seen().key, zeros, sizeof(zeros));
}

/* A ring full of requests: answered in order, in turns of the budget. */
Test(net_ctrl, a_full_ring)
{
	struct xen_netif_ctrl_response rsp;
	uint32_t n = ring_front_free(&c.front.ring);
	uint16_t first = 0, id;

	for (uint32_t i = 0; i < n; i++) {
		id = fakectrl_put(&c, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE,
				  i + 1, 0, 0);
		first = i ? first : id;
	}
	cr_expect_eq(net_ctrl_poll(&c.back, 16), 1);
	cr_expect_eq(seen().nmap, 16);
	cr_expect(net_ctrl_arm(&c.back), "there is more");
	cr_expect_eq(net_ctrl_poll(&c.back, n), 0);
	cr_expect(net_ctrl_push(&c.back));
	for (uint32_t i = 0; i < n; i++) {
		cr_assert_eq(net_ctrl_ring_front_take(&c.front, &rsp), 1);
		cr_expect_eq(rsp.id, (uint16_t)(first + i));
		cr_expect_eq(rsp.status,
			     i < NET_HASH_MAP_MAX ? SUCCESS : INVALID);
	}
	cr_expect_not(net_ctrl_arm(&c.back));
}

Test(net_ctrl, bad_rings)
{
	struct net_ctrl other;

	cr_expect_lt(net_ctrl_init(&other, gnt, &c.steer, &c.limit, 400, NULL,
				   false),
		     0);
	net_ctrl_fini(&other);
	cr_expect_eq(net_ctrl_init(&other, gnt, &c.steer, &c.limit, c.page_ref,
				   NULL, false),
		     -EACCES, "read-only");
	net_ctrl_fini(&other);
	cr_expect_eq(gnt_pins(gnt, c.page_ref), 0);
}

Test(net_ctrl, the_ring_is_let_go)
{
	cr_expect_eq(gnt_pins(gnt, c.ring_ref), 1);
	net_ctrl_fini(&c.back);
	cr_expect_eq(gnt_pins(gnt, c.ring_ref), 0);
	net_ctrl_fini(&c.back);
	cr_expect_eq(gnt_pins(gnt, c.ring_ref), 0, "once");
}
