// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_net_backend.c - netfront against a backend that lies.
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <xen/xen.h>
#include <xen/errno.h>

#include "base/domsock.h"
#include "dom0-backend/net_rxq.h"
#include "dom0-backend/net_txq.h"
#include "guest-frontend/events.h"
#include "guest-frontend/grants.h"
#include "guest-frontend/netfront.h"
#include "guest-frontend/pages.h"
#include "tests/lib/patience.h"
#include "tests/lib/procdom.h"
#include "tests/lib/storm.h"

#define NENT	256u
#define DEPTH	4u
#define LEN	100u
#define WAIT_NS UINT64_C(5000000000)

static struct fakedom *dom;
static struct netfront card = {
	.want = { .sg = true, .tso4 = true, .tso6 = true },
	.caps = { .sg = true, .tso4 = true, .tso6 = true, .mcast = true },
	.split = true,
};
static struct netfront_queue *q;
static struct netfront_ring ring;
static struct txq_ring_back tx;
static struct rxq_ring_back rx;
static void *tx_shared, *rx_shared;
static struct netfront_packet packets[DEPTH];
static struct netfront_piece pieces[DEPTH];
static size_t pages;
static unsigned int refs;

static void *granted(uint32_t ref)
{
	return fakedom_page(dom, fakedom_entry(dom, ref)->frame);
}

static void open_queue(void)
{
	cr_assert_eq(netfront_queue_new(&q, &card, &ring), 0);
	tx_shared = granted(ring.tx_gref);
	rx_shared = granted(ring.rx_gref);
	cr_assert_eq(txq_ring_back_attach(&tx, &tx_shared, 1, NULL), 0);
	cr_assert_eq(rxq_ring_back_attach(&rx, &rx_shared, 1, NULL), 0);
}

static void set_up(void)
{
	fakedom_run_dir();
	dom = fakedom_new(7, 4096);
	procdom_use(dom);
	for (unsigned int i = 0; i < DEPTH; i++) {
		pieces[i] = (struct netfront_piece){ pages_alloc(1), LEN };
		packets[i].piece = &pieces[i];
		packets[i].npieces = 1;
	}
	pages = pages_left();
	refs = grants_free_refs();
	open_queue();
}

static void tear_down(void)
{
	fakedom_free(dom);
	fakedom_run_dir_remove();
}

TestSuite(net_backend, .init = set_up, .fini = tear_down, .timeout = 300);

/* The queue goes, and all that it took comes back. */
static void expect_all_back(void)
{
	netfront_queue_free(q);
	cr_expect_eq(pages_left(), pages);
	cr_expect_eq(grants_free_refs(), refs);
}

/* ---- What is sent ------------------------------------------------------------ */

static void take_tx(union net_tx_slot *slot, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		cr_assert_eq(txq_ring_back_take(&tx, &slot[i]), 1);
	cr_assert_eq(txq_ring_back_avail(&tx), 0);
}

static bool is_readonly(uint32_t ref)
{
	return fakedom_entry(dom, ref)->flags & GTF_readonly;
}

static void send_one(struct netfront_packet *p, union net_tx_slot *slot,
		     unsigned int n)
{
	cr_assert_eq(netfront_send(q, p), 0);
	netfront_push(q);
	take_tx(slot, n);
}

/* Put all packets; the backend takes them. */
static void begin(union net_tx_slot slot[DEPTH])
{
	for (unsigned int i = 0; i < DEPTH; i++)
		cr_assert_eq(netfront_send(q, &packets[i]), 0);
	netfront_push(q);
	take_tx(slot, DEPTH);
}

static void answer(uint16_t id, int16_t status)
{
	netif_tx_response_t rsp = { .id = id, .status = status };

	txq_ring_back_put(&tx, &rsp);
	(void)!txq_ring_back_push(&tx);
}

/* Every packet in flight fails, once; then nothing more happens. */
static void expect_end(unsigned int n)
{
	struct netfront_packet *p;
	struct netfront_meta m;
	uint8_t buf[16];

	for (unsigned int i = 0; i < n; i++) {
		p = netfront_done(q);
		cr_assert_not_null(p, "%u of %u", i, n);
		cr_expect_eq(p->status, -XEN_EIO);
	}
	cr_expect_null(netfront_done(q));
	cr_expect_eq(netfront_inflight(q), 0);
	cr_expect_not(netfront_wait_done(q, WAIT_NS));
	cr_expect(netfront_wait_packet(q, WAIT_NS), "does not sleep");
	cr_expect_eq(netfront_receive(q, buf, sizeof(buf), &m), -XEN_EIO);
	cr_expect_eq(netfront_send(q, &packets[0]), -XEN_EIO);
	netfront_push(q);
	expect_all_back();
}

/* A queue whose backend is honest, for comparison. */
Test(net_backend, answers_are_believed)
{
	union net_tx_slot slot[DEPTH];
	struct netfront_packet *p;

	begin(slot);
	answer(slot[2].req.id, NETIF_RSP_OKAY);
	answer(slot[0].req.id, NETIF_RSP_ERROR);
	answer(slot[1].req.id, NETIF_RSP_DROPPED);
	answer(slot[3].req.id, 12345);
	p = netfront_done(q);
	cr_assert_eq(p, &packets[2]);
	cr_expect_eq(p->status, 0);
	p = netfront_done(q);
	cr_assert_eq(p, &packets[0]);
	cr_expect_eq(p->status, -XEN_EIO);
	cr_expect_eq(netfront_done(q)->status, -XEN_ENOBUFS);
	cr_expect_eq(netfront_done(q)->status, -XEN_EIO, "no such status");
	cr_expect_null(netfront_done(q));
	cr_expect_eq(netfront_inflight(q), 0);
	expect_all_back();
}

/* Each slot is answered by itself, in any order; one error is enough. */
Test(net_backend, answers_to_a_packet_of_several_slots)
{
	static const uint16_t order[] = { 2, 0, 1 };
	struct netfront_piece piece[2] = {
		{ pages_alloc(3), 20 }, /* replaced below */
		{ pages_alloc(1), 30 },
	};
	struct netfront_packet p = { .piece = piece, .npieces = 2 };
	union net_tx_slot slot[3];

	piece[0].at = (const uint8_t *)piece[0].at + 4000;
	piece[0].len = 100;
	send_one(&p, slot, 3);
	cr_expect_eq(slot[0].req.size, 130, "the whole packet's");
	cr_expect_eq(slot[0].req.offset, 4000);
	cr_expect_eq(slot[1].req.size, 4);
	cr_expect_eq(slot[1].req.offset, 0);
	cr_expect_eq(slot[2].req.size, 30);
	cr_expect_eq(slot[0].req.flags, NETTXF_more_data);
	cr_expect_eq(slot[1].req.flags, NETTXF_more_data);
	cr_expect_eq(slot[2].req.flags, 0);
	for (unsigned int i = 0; i < 3; i++) {
		cr_expect_null(netfront_done(q));
		answer(slot[order[i]].req.id,
		       i ? NETIF_RSP_OKAY : NETIF_RSP_ERROR);
	}
	cr_assert_eq(netfront_done(q), &p);
	cr_expect_eq(p.status, -XEN_EIO);
}

struct wire {
	char name[32];
	struct netfront_meta meta;
	uint8_t filter;
	uint16_t flags;
	uint8_t extra[8];
};

ParameterizedTestParameters(net_backend, on_the_wire)
{
	static struct wire t[] = {
		{ "plain", { 0 }, 0, 0, { 0 } },
		{ "blank",
		  { .csum_blank = true },
		  0,
		  NETTXF_csum_blank,
		  { 0 } },
		{ "validated",
		  { .data_validated = true },
		  0,
		  NETTXF_data_validated,
		  { 0 } },
		{ "TCPv4",
		  { .csum_blank = true,
		    .gso = XEN_NETIF_GSO_TYPE_TCPV4,
		    .mss = 0x1234 },
		  0,
		  NETTXF_csum_blank | NETTXF_extra_info,
		  { 1, 0, 0x34, 0x12, 1 } },
		{ "TCPv6",
		  { .gso = XEN_NETIF_GSO_TYPE_TCPV6, .mss = 9 },
		  0,
		  NETTXF_extra_info,
		  { 1, 0, 9, 0, 2 } },
		{ "add",
		  { 0 },
		  XEN_NETIF_EXTRA_TYPE_MCAST_ADD,
		  NETTXF_extra_info,
		  { 2, 0, 1, 0, 0x5e, 1, 2, 3 } },
		{ "delete",
		  { 0 },
		  XEN_NETIF_EXTRA_TYPE_MCAST_DEL,
		  NETTXF_extra_info,
		  { 3, 0, 1, 0, 0x5e, 1, 2, 3 } },
	};
	return cr_make_param_array(struct wire, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct wire *t, net_backend, on_the_wire)
{
	bool extra = t->flags & NETTXF_extra_info;
	union net_tx_slot slot[2] = { 0 };
	struct netfront_packet p = { .meta = t->meta,
				     .piece = pieces,
				     .npieces = !t->filter,
				     .filter = t->filter,
				     .addr = { 1, 0, 0x5e, 1, 2, 3 } };

	/* Its slot's id has stood for something else before. */
	pieces[1].at = (const uint8_t *)pieces[1].at + 7;
	send_one(&packets[1], slot, 1);
	answer(slot[0].req.id, NETIF_RSP_OKAY);
	cr_assert_eq(netfront_done(q), &packets[1]);
	send_one(&p, slot, 1 + extra);
	cr_expect_eq(slot[0].req.flags, t->flags);
	cr_expect_eq(slot[0].req.offset, 0);
	cr_expect_eq(slot[0].req.size, t->filter ? 0 : LEN);
	cr_expect_eq(slot[0].req.gref == GRANTS_NONE, t->filter != 0);
	if (!t->filter)
		cr_expect(is_readonly(slot[0].req.gref));
	cr_expect_arr_eq((const uint8_t *)&slot[1], t->extra, 8);
	answer(slot[0].req.id, NETIF_RSP_OKAY);
	if (extra)
		answer(0xffff, NETIF_RSP_NULL);
	cr_expect_eq(netfront_done(q), &p);
	cr_expect_null(netfront_done(q));
	cr_assert_eq(netfront_send(q, &packets[0]), 0, "the queue lives on");
	cr_expect_eq(netfront_done(q), NULL);
	expect_all_back();
}

/* With a control ring packets may have a hash, behind what tells of segments. */
Test(net_backend, hashes_on_the_wire)
{
	struct netfront_packet p = {
		.meta = { .hashed = true, .hash_type = 3, .hash = 0x11223344 },
		.piece = pieces,
		.npieces = 1
	};
	union net_tx_slot slot[3];

	cr_expect_eq(netfront_send(q, &p), -XEN_EOPNOTSUPP);
	netfront_queue_free(q);
	card.caps.hash = true;
	open_queue();
	send_one(&p, slot, 2);
	cr_expect_eq(slot[0].req.flags, NETTXF_extra_info);
	cr_expect_arr_eq((uint8_t *)&slot[1], "\4\0\3\1\x44\x33\x22\x11", 8);
	answer(slot[0].req.id, NETIF_RSP_OKAY);
	answer(0xffff, NETIF_RSP_NULL);
	cr_expect_eq(netfront_done(q), &p);
	p.meta.gso = XEN_NETIF_GSO_TYPE_TCPV4;
	p.meta.mss = 9;
	send_one(&p, slot, 3);
	cr_expect_eq(slot[0].req.flags, NETTXF_extra_info);
	cr_expect_arr_eq((uint8_t *)&slot[1], "\1\1\11\0\1\0\0\0", 8);
	cr_expect_arr_eq((uint8_t *)&slot[2], "\4\0\3\1\x44\x33\x22\x11", 8);
	answer(slot[0].req.id, NETIF_RSP_OKAY);
	answer(0xffff, NETIF_RSP_NULL);
	answer(0xffff, NETIF_RSP_NULL);
	cr_expect_eq(netfront_done(q), &p);
	cr_expect_null(netfront_done(q));
	cr_expect_eq(netfront_send(q, &packets[0]), 0, "the queue lives on");
}

/* Nothing of a packet that does not find room is given or shown. */
Test(net_backend, no_room)
{
	struct netfront_piece piece[2] = { { pieces[0].at, LEN },
					   { pieces[1].at, LEN } };
	struct netfront_packet two = { .piece = piece, .npieces = 2 },
			       one[NENT];
	unsigned int n = 0, left;
	uint32_t last;

	for (; n < NENT - 1; n++) {
		one[n] = packets[0];
		cr_assert_eq(netfront_send(q, &one[n]), 0);
	}
	left = grants_free_refs();
	cr_expect_eq(netfront_send(q, &two), -XEN_ENOSPC, "one slot is left");
	packets[3].meta = (struct netfront_meta){ .gso = 1, .mss = 1 };
	cr_expect_eq(netfront_send(q, &packets[3]), -XEN_ENOSPC,
		     "an extra info takes one too");
	cr_expect_eq(grants_free_refs(), left);
	cr_expect_eq(netfront_send(q, &packets[0]), 0);
	cr_expect_eq(netfront_send(q, &packets[1]), -XEN_ENOSPC);
	netfront_queue_free(q);
	open_queue();
	/* One reference is left. */
	do {
		last = grants_give(0, pieces[3].at, true);
	} while (grants_free_refs() > 1);
	cr_expect_eq(netfront_send(q, &two), -XEN_ENOSPC, "of references");
	cr_expect_eq(grants_free_refs(), 1);
	cr_assert_eq(grants_end(last), 0);
	cr_expect_eq(netfront_send(q, &two), 0);
}

/* ---- Answers to what was not asked ------------------------------------------- */

struct lie {
	char name[32];
	uint16_t id;
	int16_t status;
};

ParameterizedTestParameters(net_backend, wrong_answer)
{
	static struct lie t[] = {
		{ "not in flight", DEPTH, NETIF_RSP_OKAY },
		{ "the last slot", NENT - 1, NETIF_RSP_OKAY },
		{ "beyond the slots", NENT, NETIF_RSP_OKAY },
		{ "far beyond", UINT16_MAX, NETIF_RSP_OKAY },
		{ "an error of nothing", UINT16_MAX, NETIF_RSP_ERROR },
		{ "no extra info was sent", 0, NETIF_RSP_NULL },
	};
	return cr_make_param_array(struct lie, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct lie *t, net_backend, wrong_answer)
{
	union net_tx_slot slot[DEPTH];

	begin(slot);
	answer(t->id, t->status);
	expect_end(DEPTH);
}

Test(net_backend, the_same_answer_twice)
{
	union net_tx_slot slot[DEPTH];

	begin(slot);
	answer(slot[1].req.id, NETIF_RSP_OKAY);
	answer(slot[1].req.id, NETIF_RSP_OKAY);
	cr_expect_eq(netfront_done(q), &packets[1]);
	expect_end(DEPTH - 1);
}

struct claim {
	char name[32];
	bool rx;
	uint32_t rsp_prod;
};

ParameterizedTestParameters(net_backend, impossible_index)
{
	static struct claim t[] = {
		{ "tx, one more than asked", false, DEPTH + 1 },
		{ "tx, a ring more", false, NENT },
		{ "tx, half of all", false, 1u << 31 },
		{ "tx, one back", false, UINT32_MAX },
		{ "rx, one more than posted", true, NENT + 1 },
		{ "rx, half of all", true, 1u << 31 },
		{ "rx, one back", true, UINT32_MAX },
	};
	return cr_make_param_array(struct claim, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct claim *t, net_backend, impossible_index)
{
	union net_tx_slot slot[DEPTH];
	struct netfront_meta m;
	uint8_t buf[16];

	begin(slot);
	/* req_prod, req_event, rsp_prod: xen/io/ring.h */
	((uint32_t *)(t->rx ? rx_shared : tx_shared))[2] = t->rsp_prod;
	if (t->rx)
		cr_expect_eq(netfront_receive(q, buf, sizeof(buf), &m),
			     -XEN_EIO);
	expect_end(DEPTH);
}

/* ---- What comes in ----------------------------------------------------------- */

static uint8_t in[NETFRONT_MAX_RX];

/* One response: @off, @len and flags, or with @extra an extra info. */
struct part {
	uint16_t off;
	int16_t len;
	uint16_t flags;
	uint8_t extra[8];
};

/* Take the next page, fill it with its slot's number, answer as @p says. */
static void put_part(const struct part *p)
{
	union net_rx_rsp r = { 0 };
	netif_rx_request_t req;

	cr_assert_eq(rxq_ring_back_take(&rx, &req), 1);
	memset(granted(req.gref), req.id, PAGE_BYTES);
	r.rsp = (netif_rx_response_t){ req.id, p->off, p->flags, p->len };
	if (p->extra[0] || p->extra[1])
		memcpy(&r, p->extra, sizeof(r));
	rxq_ring_back_put(&rx, &r);
}

static void put_parts(const struct part *p, unsigned int n)
{
	while (n--)
		put_part(p++);
	(void)!rxq_ring_back_push(&rx);
}

/* A good packet passes, after @dropped others. */
static void expect_service(uint64_t dropped)
{
	static const struct part good = { .off = 8, .len = 1000 };
	struct netfront_meta m;

	put_parts(&good, 1);
	cr_assert(netfront_wait_packet(q, WAIT_NS));
	cr_assert_eq(netfront_receive(q, in, sizeof(in), &m), 1000);
	for (unsigned int i = 1; i < 1000; i++)
		cr_assert_eq(in[i], in[0]);
	cr_expect_eq(netfront_receive(q, in, sizeof(in), &m), 0);
	cr_expect_eq(netfront_dropped(q), dropped);
	netfront_push(q);
	cr_assert_eq(rxq_ring_back_avail(&rx), (int)NENT, "pages are back");
}

#define MORE  NETRXF_more_data
#define EXTRA NETRXF_extra_info
#define GSO(t, size)             \
	{                        \
		1, 0, size, 0, t \
	}

Test(net_backend, packets_are_believed)
{
	static const struct part p[] = {
		{ 100, 20, MORE | EXTRA | NETRXF_csum_blank, { 0 } },
		{ .extra = GSO(2, 77) },
		{ 0, 0, MORE, { 0 } },
		{ 0, 4096, MORE, { 0 } },
		{ 4095, 1, 0, { 0 } },
	};
	struct netfront_meta m;

	put_parts(p, 5);
	cr_assert_eq(netfront_receive(q, in, sizeof(in), &m), 20 + 4096 + 1);
	cr_expect(m.csum_blank && !m.data_validated);
	cr_expect_eq(m.gso, XEN_NETIF_GSO_TYPE_TCPV6);
	cr_expect_eq(m.mss, 77);
	for (unsigned int i = 0; i < 4117; i++)
		cr_assert_eq(in[i],
			     i < 20	? 0
			     : i < 4116 ? 3
					: 4,
			     "byte %u", i);
	expect_service(0);
	expect_all_back();
}

#define HASH(more, type, algorithm)                  \
	{                                            \
		4, more, type, algorithm, 1, 2, 3, 4 \
	}

Test(net_backend, hashes_are_handed_up)
{
	static const struct part p[] = {
		{ 0, 100, EXTRA, { 0 } },   { .extra = { 1, 1, 77, 0, 1 } },
		{ .extra = HASH(0, 3, 1) }, { 0, 100, EXTRA, { 0 } },
		{ .extra = HASH(0, 0, 1) }, { 0, 100, 0, { 0 } },
	};
	struct netfront_meta m;

	netfront_queue_free(q);
	card.caps.hash = true;
	open_queue();
	put_parts(p, 6);
	cr_assert_eq(netfront_receive(q, in, sizeof(in), &m), 100);
	cr_expect(m.gso == 1 && m.mss == 77 && m.hashed && m.hash_type == 3);
	cr_expect_eq(m.hash, 0x04030201);
	cr_assert_eq(netfront_receive(q, in, sizeof(in), &m), 100);
	cr_expect(!m.gso && m.hashed && !m.hash_type && m.hash == 0x04030201);
	cr_assert_eq(netfront_receive(q, in, sizeof(in), &m), 100);
	cr_expect(!m.hashed && !m.hash);
	expect_service(0);
	expect_all_back();
}

struct script {
	char name[32];
	unsigned int n;
	struct part part[6];
};

ParameterizedTestParameters(net_backend, dropped)
{
	static struct script t[] = {
		{ "negative", 1, { { 0, -1, 0, { 0 } } } },
		{ "most negative", 1, { { 0, INT16_MIN, 0, { 0 } } } },
		{ "negative, with more",
		  2,
		  { { 0, -1, MORE, { 0 } }, { 0, 50, 0, { 0 } } } },
		{ "crosses the page", 1, { { 4000, 97, 0, { 0 } } } },
		{ "offset beyond the page", 1, { { 4096, 14, 0, { 0 } } } },
		{ "far beyond the page", 1, { { 65535, 14, 0, { 0 } } } },
		{ "longer than a page", 1, { { 0, 4097, 0, { 0 } } } },
		{ "as long as can be", 1, { { 0, INT16_MAX, 0, { 0 } } } },
		{ "the second crosses",
		  3,
		  { { 0, 20, MORE, { 0 } },
		    { 1, 4096, MORE, { 0 } },
		    { 0, 5, 0, { 0 } } } },
		{ "no segment size",
		  2,
		  { { 0, 100, EXTRA, { 0 } }, { .extra = GSO(1, 0) } } },
		{ "unknown segments",
		  2,
		  { { 0, 100, EXTRA, { 0 } }, { .extra = GSO(3, 9) } } },
		{ "segments twice",
		  3,
		  { { 0, 100, EXTRA, { 0 } },
		    { .extra = { 1, 1, 9, 0, 1 } },
		    { .extra = GSO(1, 9) } } },
		{ "a filter",
		  2,
		  { { 0, 100, EXTRA, { 0 } },
		    { .extra = { 2, 0, 9, 0, 1 } } } },
		{ "a hash",
		  2,
		  { { 0, 100, EXTRA, { 0 } },
		    { .extra = { 4, 0, 9, 0, 1 } } } },
		{ "an unknown extra info",
		  2,
		  { { 0, 100, EXTRA, { 0 } },
		    { .extra = { 255, 0, 9, 0, 1 } } } },
		{ "extra infos, and more data",
		  6,
		  { { 0, 100, EXTRA | MORE, { 0 } },
		    { .extra = { 0, 1 } },
		    { .extra = { 0, 0xff } },
		    { .extra = { 9, 0xfe } },
		    { 0, 100, MORE, { 0 } },
		    { 0, 100, EXTRA, { 0 } } } },
	};
	return cr_make_param_array(struct script, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct script *t, net_backend, dropped)
{
	expect_service(0);
	put_parts(t->part, t->n);
	expect_service(1);
	expect_all_back();
}

ParameterizedTestParameters(net_backend, bad_hash)
{
	static struct script t[] = {
		{ "unknown type",
		  2,
		  { { 0, 100, EXTRA, { 0 } }, { .extra = HASH(0, 4, 1) } } },
		{ "no type there is",
		  2,
		  { { 0, 100, EXTRA, { 0 } }, { .extra = HASH(0, 255, 1) } } },
		{ "no algorithm",
		  2,
		  { { 0, 100, EXTRA, { 0 } }, { .extra = HASH(0, 1, 0) } } },
		{ "unknown algorithm",
		  2,
		  { { 0, 100, EXTRA, { 0 } }, { .extra = HASH(0, 1, 2) } } },
		{ "twice",
		  3,
		  { { 0, 100, EXTRA, { 0 } },
		    { .extra = HASH(1, 1, 1) },
		    { .extra = HASH(0, 1, 1) } } },
	};
	return cr_make_param_array(struct script, t, sizeof(t) / sizeof(t[0]));
}

/* With a control ring a hash is taken, but no other than there are. */
ParameterizedTest(struct script *t, net_backend, bad_hash)
{
	netfront_queue_free(q);
	card.caps.hash = true;
	open_queue();
	expect_service(0);
	put_parts(t->part, t->n);
	expect_service(1);
	expect_all_back();
}

/* XSA-522: the first slot does not hold an Ethernet header. */
Test(net_backend, short_first_slot)
{
	struct part p[2] = { { .flags = MORE }, { .len = 1000 } };
	uint64_t n = 0;

	for (int16_t len = 0; len < (int16_t)NETFRONT_MIN_LEN; len++) {
		p[0].len = len;
		p[0].flags = MORE;
		put_parts(p, 2);
		p[0].flags = 0;
		put_parts(p, 1);
		n += 2;
		expect_service(n);
	}
	p[0].len = NETFRONT_MIN_LEN;
	put_parts(p, 1);
	cr_expect_eq(netfront_receive(q, in, sizeof(in),
				      &(struct netfront_meta){ 0 }),
		     (int)NETFRONT_MIN_LEN);
	netfront_push(q);
	expect_service(n);
	expect_all_back();
}

/* XSA-405: part k of n is an error. */
Test(net_backend, error_in_any_slot)
{
	struct part p[18];
	uint64_t dropped = 0;

	for (unsigned int n = 1; n <= 18; n++) {
		for (unsigned int k = 0; k < n; k++) {
			for (unsigned int i = 0; i < n; i++)
				p[i] = (struct part){ 0,
						      i == k ? -1 : 200,
						      i + 1 < n ? MORE : 0,
						      { 0 } };
			put_parts(p, n);
			expect_service(++dropped);
		}
	}
	expect_all_back();
}

/* More than the caller has room for, up to a whole ring of it. */
Test(net_backend, longer_than_the_buffer)
{
	struct part p = { 0, 4096, MORE, { 0 } };
	struct netfront_meta m;

	put_parts(&(struct part){ .len = 101 }, 1);
	cr_expect_eq(netfront_receive(q, in, 100, &m), 0);
	cr_expect_eq(netfront_dropped(q), 1);
	netfront_push(q);
	for (unsigned int i = 0; i < NENT; i++) {
		p.flags = i + 1 < NENT ? MORE : 0;
		put_part(&p);
	}
	(void)!rxq_ring_back_push(&rx);
	cr_expect_eq(netfront_receive(q, in, sizeof(in), &m), 0);
	cr_expect_eq(netfront_dropped(q), 2);
	netfront_push(q);
	expect_service(2);
	expect_all_back();
}

/* What this guest has not said that it takes. */
Test(net_backend, not_asked_for)
{
	static const struct part p[] = {
		{ 0, 100, MORE, { 0 } },
		{ 0, 100, 0, { 0 } },
		{ 0, 100, EXTRA, { 0 } },
		{ .extra = GSO(1, 50) },
	};

	netfront_queue_free(q);
	memset(&card.want, 0, sizeof(card.want));
	open_queue();
	put_parts(p, 4);
	expect_service(2);
	expect_all_back();
}

ParameterizedTestParameters(net_backend, packet_without_an_end)
{
	static struct script t[] = {
		{ "more data", 1, { { 0, 100, MORE, { 0 } } } },
		{ "more data, of a bad one", 1, { { 0, -1, MORE, { 0 } } } },
		{ "an extra info", 1, { { 0, 100, EXTRA, { 0 } } } },
		{ "a second extra info",
		  2,
		  { { 0, 100, EXTRA, { 0 } },
		    { .extra = { 1, 1, 9, 0, 1 } } } },
		{ "data behind the extra info",
		  2,
		  { { 0, 100, EXTRA | MORE, { 0 } }, { .extra = GSO(1, 9) } } },
	};
	return cr_make_param_array(struct script, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct script *t, net_backend, packet_without_an_end)
{
	union net_tx_slot slot[DEPTH];
	struct netfront_meta m;

	begin(slot);
	expect_service(0);
	put_parts(t->part, t->n);
	cr_expect_eq(netfront_receive(q, in, sizeof(in), &m), -XEN_EIO);
	expect_end(DEPTH);
}

Test(net_backend, a_ring_without_an_end)
{
	static const struct part p = { 0, 1, MORE, { 0 } };
	struct netfront_meta m;

	for (unsigned int i = 0; i < NENT; i++)
		put_part(&p);
	(void)!rxq_ring_back_push(&rx);
	cr_expect_eq(netfront_receive(q, in, sizeof(in), &m), -XEN_EIO);
	expect_end(0);
}

struct id_lie {
	char name[32];
	uint16_t id;
};

ParameterizedTestParameters(net_backend, another_page)
{
	static struct id_lie t[] = {
		{ "the next", 1 },
		{ "the last", NENT - 1 },
		{ "beyond the slots", NENT },
		{ "far beyond", UINT16_MAX },
	};
	return cr_make_param_array(struct id_lie, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct id_lie *t, net_backend, another_page)
{
	union net_rx_rsp r = { .rsp = { .id = t->id, .status = 100 } };
	netif_rx_request_t req;
	struct netfront_meta m;

	cr_assert_eq(rxq_ring_back_take(&rx, &req), 1);
	rxq_ring_back_put(&rx, &r);
	(void)!rxq_ring_back_push(&rx);
	cr_expect_eq(netfront_receive(q, in, sizeof(in), &m), -XEN_EIO);
	expect_end(0);
}

/* XSA-457: thousands of packets, good and bad, take nothing. */
Test(net_backend, pages_stay_as_many)
{
	static const struct part p[] = {
		{ 0, 13, MORE, { 0 } },	  { 0, 100, 0, { 0 } },
		{ 0, 100, MORE, { 0 } },  { 0, -1, 0, { 0 } },
		{ 0, 100, EXTRA, { 0 } }, { .extra = { 255 } },
	};
	unsigned int left_refs = grants_free_refs();
	size_t left = pages_left();

	for (uint64_t i = 0; i < 2000; i++) {
		put_parts(p, 6);
		expect_service(3 * (i + 1));
	}
	cr_expect_eq(pages_left(), left);
	cr_expect_eq(grants_free_refs(), left_refs);
	expect_all_back();
}

/* ---- Pages -------------------------------------------------------------------- */

static uint16_t *keep(uint32_t ref)
{
	uint16_t *flags = &fakedom_entry(dom, ref)->flags;

	__atomic_or_fetch(flags, GTF_reading | GTF_writing, __ATOMIC_SEQ_CST);
	return flags;
}

/* XSA-396: what the backend has not let go of must not be used again. */
Test(net_backend, keeps_a_page)
{
	union net_tx_slot slot[DEPTH];
	struct netfront_packet *p;
	uint16_t *flags;

	begin(slot);
	flags = keep(slot[1].req.gref);
	answer(slot[1].req.id, NETIF_RSP_OKAY);
	p = netfront_done(q);
	cr_assert_eq(p, &packets[1]);
	cr_expect_eq(p->status, -XEN_EBUSY);
	for (unsigned int i = 1; i < DEPTH; i++)
		cr_expect_eq(netfront_done(q)->status, -XEN_EIO);
	cr_expect_null(netfront_done(q));
	cr_expect(*flags & GTF_permit_access, "still granted");
	netfront_queue_free(q);
	cr_expect_eq(grants_free_refs(), refs - 1, "and never given out again");
	cr_expect_eq(pages_left(), pages);
}

/* Rings, and pages that wait for packets, are lost with the connection. */
Test(net_backend, keeps_the_rings_and_a_page)
{
	netif_rx_request_t req;

	cr_assert_eq(rxq_ring_back_take(&rx, &req), 1);
	keep(ring.tx_gref);
	keep(ring.rx_gref);
	keep(req.gref);
	netfront_queue_free(q);
	cr_expect_eq(grants_free_refs(), refs - 3);
	cr_expect_eq(pages_left(), pages - 3);
}

static void expect_zeros(const void *page, size_t from, size_t to,
			 const char *what)
{
	for (size_t i = from; i < to; i++)
		cr_assert_eq(((const uint8_t *)page)[i], 0, "byte %zu of %s", i,
			     what);
}

/* XSA-403: whatever a granted page holds besides was made for the backend. */
Test(net_backend, finds_nothing_beside_the_data)
{
	union net_tx_slot slot[DEPTH];
	netif_rx_request_t req;
	const uint8_t *page;
	uint8_t *dirty;

	netfront_queue_free(q);
	/* Memory that had another life, and has one beside the packets. */
	dirty = pages_alloc(pages - 1);
	memset(dirty, 0x77, (pages - 1) * PAGE_BYTES);
	pages_free(dirty, pages - 1);
	for (unsigned int i = 0; i < DEPTH; i++) {
		memset((void *)(uintptr_t)pieces[i].at, 0x77, PAGE_BYTES);
		pieces[i].at = (const uint8_t *)pieces[i].at + 16 * i;
	}
	card.copy = true;
	open_queue();
	begin(slot);
	for (unsigned int i = 0; i < DEPTH; i++) {
		page = granted(slot[i].req.gref);
		cr_expect(is_readonly(slot[i].req.gref));
		expect_zeros(page, 0, slot[i].req.offset, "the copy");
		cr_expect_arr_eq(page + slot[i].req.offset, pieces[i].at, LEN);
		expect_zeros(page, slot[i].req.offset + LEN, PAGE_BYTES,
			     "the copy");
	}
	for (unsigned int i = 0; i < NENT; i++) {
		cr_assert_eq(rxq_ring_back_take(&rx, &req), 1);
		expect_zeros(granted(req.gref), 0, PAGE_BYTES, "an rx page");
	}
	expect_zeros(tx_shared, 64 + DEPTH * 12, PAGE_BYTES, "the tx ring");
	expect_zeros(rx_shared, 64 + NENT * 8, PAGE_BYTES, "the rx ring");
	expect_all_back();
}

/* ---- Events ------------------------------------------------------------------- */

/* Whether the guest has sent on a port since the last call. */
static bool told(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t n;

	return poll(&p, 1, 0) > 0 && read(fd, &n, sizeof(n)) == sizeof(n);
}

struct channels {
	char name[8];
	bool split;
};

ParameterizedTestParameters(net_backend, tells_the_backend)
{
	static struct channels t[] = { { "one", false }, { "two", true } };

	return cr_make_param_array(struct channels, t, 2);
}

ParameterizedTest(struct channels *t, net_backend, tells_the_backend)
{
	static const struct part good = { .len = 100 };
	int kick[2], call[2];
	struct netfront_meta m;
	struct dom *d;

	netfront_queue_free(q);
	card.split = t->split;
	open_queue();
	cr_expect_eq(ring.tx_port != ring.rx_port, t->split);
	cr_assert_eq(dom_connect(&d, 7, DOM_ROLE_BACKEND, "vif/0", false), 0);
	cr_assert_eq(dom_evtchn_bind(d, ring.tx_port, &kick[0], &call[0]), 0);
	kick[1] = kick[0];
	if (t->split)
		cr_assert_eq(dom_evtchn_bind(d, ring.rx_port, &kick[1],
					     &call[1]),
			     0);
	(void)told(kick[0]);
	(void)told(kick[1]);
	cr_assert_not(txq_ring_back_arm(&tx, 1));
	cr_assert_eq(netfront_send(q, &packets[0]), 0);
	cr_expect_not(told(kick[0]), "not before it is pushed");
	netfront_push(q);
	cr_expect(told(kick[0]));
	cr_expect_not(told(kick[1]));
	put_parts(&good, 1);
	cr_assert_eq(netfront_receive(q, in, sizeof(in), &m), 100);
	cr_assert(rxq_ring_back_arm(&rx, 1), "the others are there");
	while (rxq_ring_back_avail(&rx) > 0)
		put_part(&good);
	cr_assert_not(rxq_ring_back_arm(&rx, 1));
	netfront_push(q);
	cr_expect(told(kick[1]));
	if (t->split)
		cr_expect_not(told(kick[0]));
	dom_free(d);
}

/* ---- Noise -------------------------------------------------------------------- */

static atomic_bool stop;

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* XSA-391: events without end and without packets cost little. */
Test(net_backend, event_storm)
{
	uint64_t ns = 1000000000, cpu;
	struct storm *storm = storm_start(dom, ring.rx_port);

	for (unsigned int i = 0; i < 100; i++)
		expect_service(0);
	cpu = cpu_ns();
	cr_expect_not(netfront_wait_packet(q, ns), "an event is no packet");
	cpu = cpu_ns() - cpu;
	cr_expect_lt(cpu, ns / 20, "%llu ns of CPU", (unsigned long long)cpu);
	expect_service(0);
	storm_stop(storm);
}

static void wait_in_vain(void)
{
	cr_expect_not(netfront_wait_packet(q, UINT64_C(10000000)));
}

/* One CPU waits in the storm; another works on. */
Test(net_backend, event_storm_and_another_cpu)
{
	storm_and_another_cpu(dom, ring.rx_port, wait_in_vain);
}

/* Responses change while they are read. */
static pthread_mutex_t swap = PTHREAD_MUTEX_INITIALIZER; /* of the ring */

static void *flip(void *arg)
{
	uint32_t *word, x = 1;

	(void)arg;
	while (!atomic_load(&stop)) {
		pthread_mutex_lock(&swap);
		word = (uint32_t *)rx_shared + 64 / 4;
		for (uint32_t i = 0; i < 8; i++) {
			x = x * 1103515245 + 12345;
			/* id and offset; flags and length */
			__atomic_store_n(&word[2 * i],
					 i + !(x >> 28) + (x & 0x1fff0000),
					 __ATOMIC_RELAXED);
			__atomic_store_n(&word[2 * i + 1], x >> 4 & 0x01ff000f,
					 __ATOMIC_RELAXED);
		}
		pthread_mutex_unlock(&swap);
	}
	return NULL;
}

/* Answer a request whose slot may hold anything by now. */
static void put_blind(uint16_t id)
{
	union net_rx_rsp r = { .rsp = { .id = id, .status = 100 } };
	netif_rx_request_t req;

	cr_assert_eq(rxq_ring_back_take(&rx, &req), 1);
	rxq_ring_back_put(&rx, &r);
	(void)!rxq_ring_back_push(&rx);
}

/* Each is a packet, none, or the end; and it never writes beyond the buffer. */
Test(net_backend, flipper)
{
	unsigned int packets_in = 0, ended = 0, turn;
	uint64_t until = events_deadline(PATIENCE_NS), dropped = 0;
	struct netfront_meta m;
	pthread_t thread;
	uint8_t *buf;
	int n;

	cr_assert_eq(pthread_create(&thread, NULL, flip, NULL), 0);
	for (turn = 0; turn < 300 || !ended || !dropped; turn++) {
		cr_assert(events_now() < until, "the flipper was never seen");
		for (uint16_t i = 0; i < 8; i++)
			put_blind(i);
		usleep(20);
		buf = malloc(300); /* its end is watched by the sanitizer */
		while ((n = netfront_receive(q, buf, 300, &m)) > 0) {
			cr_assert_leq(n, 300);
			packets_in++;
		}
		free(buf);
		ended += n < 0;
		dropped += netfront_dropped(q);
		pthread_mutex_lock(&swap);
		netfront_queue_free(q);
		open_queue();
		pthread_mutex_unlock(&swap);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	cr_expect_gt(packets_in, 0u);
	expect_all_back();
}
