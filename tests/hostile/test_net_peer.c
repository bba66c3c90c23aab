/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/hostile/test_net_peer.c - a network frontend that lies. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/lib/caplog.h"
#include "tests/lib/fakenic.h"
#include "tests/lib/flipper.h"
#include "tests/lib/patience.h"
#include "tests/lib/stack.h"

#define MS PATIENCE_MS

/* Words of a ring's header (ring/WIRE.md). */
enum { REQ_PROD, REQ_EVENT, RSP_PROD, RSP_EVENT };

static struct fakenic nic;
static struct fakenet *f;
static uint8_t out[NET_RX_LEN_MAX], in[NET_RX_LEN_MAX];
static const struct virtio_net_hdr plain;

static void init(void)
{
	fakenic_init(&nic, 1, true, 1500);
	f = nic.front[0];
	fakenic_start(&nic);
}

static void fini(void)
{
	fakenic_fini(&nic);
}

TestSuite(net_peer, .init = init, .fini = fini);

static void set_word(void *ring, unsigned int word, uint32_t value)
{
	__atomic_store_n((uint32_t *)ring + word, value, __ATOMIC_SEQ_CST);
}

static uint32_t get_word(void *ring, unsigned int word)
{
	return __atomic_load_n((uint32_t *)ring + word, __ATOMIC_SEQ_CST);
}

static uint64_t cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000u +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* Forget what the test itself put under ids of its own. */
static void renew_ids(void)
{
	for (f->nfree = 0; f->nfree < FAKENET_PAGES; f->nfree++)
		f->free[f->nfree] = (uint16_t)f->nfree;
}

/* An honest packet passes: the card serves on, nothing else got out before. */
static void expect_service(void)
{
	struct virtio_net_hdr v;

	frame_udp(out, 900);
	renew_ids();
	cr_assert(fakenet_send(f, &plain, out, 900, 300));
	fakenet_push(f);
	cr_assert_eq(fakenic_from_guest(&nic, &v, in, MS), 900);
	cr_assert_arr_eq(in, out, 900);
	cr_assert(fakenet_reap_all(f));
	cr_assert_eq(f->status, NETIF_RSP_OKAY);
}

/* The device fails, stays quiet from then on, and gives everything back. */
static void expect_failure(const char *why)
{
	const char *got = fakenic_failed(&nic);
	uint64_t cpu;

	cr_assert_not_null(got);
	cr_expect_not_null(strstr(got, why), "%s", got);
	cpu = cpu_us();
	for (int i = 0; i < 20; i++) {
		fakedom_send(nic.dom, f->keys.tx_port);
		fakedom_send(nic.dom, f->keys.rx_port);
		usleep(5000);
	}
	cr_expect_lt(cpu_us() - cpu, 50000, "of 100 ms");
	fakenic_stop(&nic);
	cr_expect_eq(fakenic_pins(&nic), 0);
}

/* ---- indices --------------------------------------------------------------- */

struct index_lie {
	char name[32];
	bool rx;
	uint32_t by; /* added to the true producer */
};

ParameterizedTestParameters(net_peer, impossible_index)
{
	static struct index_lie t[] = {
		{ "tx, one too many", false, 257 },
		{ "tx, half the range", false, 0x80000000u },
		{ "tx, backwards", false, UINT32_MAX },
		{ "rx, one too many", true, 257 },
		{ "rx, half the range", true, 0x80000000u },
		{ "rx, backwards", true, UINT32_MAX - 4 },
	};
	return cr_make_param_array(struct index_lie, t, ARRAY_SIZE(t));
}

ParameterizedTest(struct index_lie *t, net_peer, impossible_index)
{
	void *ring = t->rx ? f->rx_ring : f->tx_ring;

	fakenet_post(f, 20);
	expect_service();
	set_word(ring, REQ_PROD, get_word(ring, REQ_PROD) + t->by);
	fakedom_send(nic.dom, f->keys.tx_port);
	fakedom_send(nic.dom, f->keys.rx_port);
	expect_failure("index");
}

Test(net_peer, packet_without_an_end)
{
	union net_tx_slot slot = { .req = { .gref = f->tx_page[0].gref,
					    .flags = NETTXF_more_data,
					    .size = 100 } };

	expect_service();
	for (int i = 0; i < 3; i++)
		fakenet_put(f, &slot);
	fakenet_push(f);
	expect_failure("does not end");
}

Test(net_peer, ring_full_of_one_packet_without_an_end)
{
	union net_tx_slot slot = { .req = { .gref = f->tx_page[0].gref,
					    .flags = NETTXF_extra_info,
					    .size = 100 } };

	fakenet_put(f, &slot);
	memset(&slot, 0xff, sizeof(slot)); /* extra infos, one more to follow */
	for (int i = 1; i < 256; i++)
		fakenet_put(f, &slot);
	fakenet_push(f);
	expect_failure("does not end");
}

/* BE-19, BE-27: each step of a connection that needs a descriptor fails in turn. */
Test(net_peer, connections_fail_at_each_step)
{
	unsigned int fds, good = 0, bad = 0;
	struct rlimit was, few;
	int next;

	fakenic_stop(&nic);
	fds = stack_fds_of(getpid());
	next = dup(STDIN_FILENO);
	close(next);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	for (unsigned int more = 0; more < 10; more++) {
		few = was;
		few.rlim_cur = (rlim_t)next + more;
		cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
		if (netback_start(&nic.back[0], &nic.dev, &nic.conf, nic.tap[0],
				  &f->keys, &nic.limit[0]) ||
		    netback_run(nic.back[0])) {
			bad++;
		} else {
			good++;
			fakenic_stop(&nic);
		}
		cr_assert_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
		cr_expect_eq(stack_fds_of(getpid()), fds, "%u", more);
		cr_expect_eq(fakenic_pins(&nic), 0);
		cr_expect_not(fakedom_bound(nic.dom, f->keys.tx_port));
		cr_expect_not(fakedom_bound(nic.dom, f->keys.rx_port));
	}
	cr_expect_eq(bad, 6, "two channels' four, and two to wait with: %u",
		     bad);
	cr_expect_eq(good, 4);
}

/* ---- slots ----------------------------------------------------------------- */

struct slot_lie {
	char name[40];
	uint32_t n;
	struct {
		uint32_t page; /* of f->tx_page; others: as the reference */
		uint16_t off, size, flags;
		bool extra;
		uint8_t type, gso; /* of the extra info */
	} slot[4];
};

#define MORE	NETTXF_more_data
#define EXTRA	NETTXF_extra_info
#define BLANK	NETTXF_csum_blank
#define NO_PAGE 100000 /* added to a reference that is none of ours */

#define DATA(p, o, s, f)                                           \
	{                                                          \
		.page = (p), .off = (o), .size = (s), .flags = (f) \
	}
#define INFO(t, g, s)                                               \
	{                                                           \
		.extra = true, .type = (t), .gso = (g), .size = (s) \
	}

ParameterizedTestParameters(net_peer, bad_packet)
{
	static struct slot_lie t[] = {
		{ "empty", 1, { DATA(0, 0, 0, 0) } },
		{ "13 bytes", 1, { DATA(0, 0, 13, 0) } },
		{ "crosses its page", 1, { DATA(0, 4000, 97, 0) } },
		{ "65535 bytes in one page", 1, { DATA(0, 0, 0xffff, 0) } },
		{ "offset 65535", 1, { DATA(0, 0xffff, 64, 0) } },
		{ "offset 4095, 2 bytes",
		  2,
		  { DATA(0, 0, 64, MORE), DATA(1, 4095, 2, 0) } },
		{ "parts exceed the whole",
		  2,
		  { DATA(0, 100, 64, MORE), DATA(1, 0, 65, 0) } },
		{ "grant 0", 1, { DATA(NO_PAGE, 0, 64, 0) } },
		{ "grant 65535", 1, { DATA(NO_PAGE + 65535, 0, 64, 0) } },
		{ "second grant bad",
		  2,
		  { DATA(0, 0, 64, MORE), DATA(NO_PAGE, 0, 10, 0) } },
		{ "blank checksum of nothing", 1, { DATA(0, 0, 64, BLANK) } },
		{ "extra info 0", 2, { DATA(0, 0, 64, EXTRA), INFO(0, 0, 0) } },
		{ "extra info 5", 2, { DATA(0, 0, 64, EXTRA), INFO(5, 0, 0) } },
		{ "segments of type 3",
		  2,
		  { DATA(0, 0, 64, EXTRA), INFO(1, 3, 9) } },
		{ "segments of no bytes",
		  2,
		  { DATA(0, 0, 64, EXTRA), INFO(1, 1, 0) } },
		{ "segments of no TCP",
		  2,
		  { DATA(0, 0, 64, EXTRA), INFO(1, 1, 9) } },
	};
	return cr_make_param_array(struct slot_lie, t, ARRAY_SIZE(t));
}

static union net_tx_slot make_slot(const struct slot_lie *t, uint32_t i)
{
	union net_tx_slot s = { 0 };

	if (t->slot[i].extra) {
		s.extra.type = t->slot[i].type;
		s.extra.u.gso.size = t->slot[i].size;
		s.extra.u.gso.type = t->slot[i].gso;
		return s;
	}
	s.req.gref = t->slot[i].page < FAKENET_PAGES
			     ? f->tx_page[t->slot[i].page].gref
			     : t->slot[i].page - NO_PAGE;
	s.req.offset = t->slot[i].off;
	s.req.size = t->slot[i].size;
	s.req.flags = t->slot[i].flags;
	s.req.id = (uint16_t)(i + 40000);
	return s;
}

/* Every slot is answered, data with an error; nothing reaches the host. */
ParameterizedTest(struct slot_lie *t, net_peer, bad_packet)
{
	netif_tx_response_t rsp;
	uint32_t data = 0, null = 0;

	memset(f->tx_page[0].mem, 0x5a, SV_PAGE_SIZE);
	for (uint32_t i = 0; i < t->n; i++) {
		union net_tx_slot slot = make_slot(t, i);

		fakenet_put(f, &slot);
	}
	fakenet_push(f);
	for (uint32_t i = 0; i < t->n; i++) {
		int ret;

		while (!(ret = txq_ring_front_take(&f->tx, &rsp)))
			cr_assert(fakedom_wait(nic.dom, f->keys.tx_port, MS) ||
					  get_word(f->tx_ring, RSP_PROD) > i,
				  "%s", t->name);
		cr_assert_eq(ret, 1);
		if (t->slot[i].extra) {
			cr_expect_eq(rsp.status, NETIF_RSP_NULL);
			null++;
		} else {
			cr_expect_eq(rsp.status, NETIF_RSP_ERROR, "%s",
				     t->name);
			cr_expect_eq(rsp.id, i + 40000);
			data++;
		}
	}
	cr_expect_eq(data + null, t->n);
	expect_service();
	fakenic_stop(&nic);
	cr_expect_eq(fakenic_pins(&nic), 0, "%s", t->name);
}

Test(net_peer, nineteen_slots)
{
	union net_tx_slot slot = { .req = { .gref = f->tx_page[0].gref } };

	for (uint32_t n = 18; n <= 250; n += n < 20 ? 1 : 46) {
		uint32_t before = f->errors;

		for (uint32_t i = 0; i < n; i++) {
			slot.req.flags = i + 1 < n ? MORE : 0;
			slot.req.size = (uint16_t)(i ? 1 : n);
			fakenet_put(f, &slot);
		}
		fakenet_push(f);
		cr_assert(fakenet_reap_all(f));
		if (n > NET_FRAGS_MAX)
			cr_expect_eq(f->errors - before, n, "each is answered");
		else
			fakenic_from_guest(&nic, &(struct virtio_net_hdr){ 0 },
					   in, MS);
		expect_service();
	}
}

/* Whatever a hash says, it is the guest's own, and its packet passes. */
Test(net_peer, any_hash)
{
	union net_tx_slot slot = { .req = { .gref = f->tx_page[0].gref,
					    .size = 900,
					    .flags = EXTRA } };
	union net_tx_slot hash = { 0 };
	struct virtio_net_hdr v;

	frame_udp(f->tx_page[0].mem, 900);
	for (unsigned int i = 0; i < 256; i++) {
		hash.extra.type = XEN_NETIF_EXTRA_TYPE_HASH;
		hash.extra.u.hash.type = (uint8_t)i;
		hash.extra.u.hash.algorithm = (uint8_t)(i * 7);
		fakenet_put(f, &slot);
		fakenet_put(f, &hash);
		fakenet_push(f);
		cr_assert(fakenet_reap_all(f));
		cr_assert_eq(f->status, NETIF_RSP_OKAY);
		cr_assert_eq(fakenic_from_guest(&nic, &v, in, MS), 900);
	}
	expect_service();
}

/* BE-26: slots without bytes are no pieces; they may be all but the first. */
Test(net_peer, slots_of_no_bytes)
{
	union net_tx_slot slot = { .req = { .gref = f->tx_page[0].gref,
					    .size = 900,
					    .flags = MORE } };
	struct virtio_net_hdr v;

	frame_udp(f->tx_page[0].mem, 900);
	for (uint32_t n = 2; n <= 250; n += n < 20 ? 1 : 46) {
		for (uint32_t i = 0; i < n; i++) {
			slot.req.size = i ? 0 : 900;
			slot.req.offset = i ? 0xffff : 0;
			slot.req.gref = i ? UINT32_MAX : f->tx_page[0].gref;
			slot.req.flags = i + 1 < n ? MORE : 0;
			fakenet_put(f, &slot);
		}
		fakenet_push(f);
		cr_assert(fakenet_reap_all(f));
		cr_expect_eq(f->status, NETIF_RSP_OKAY);
		cr_assert_eq(fakenic_from_guest(&nic, &v, in, MS), 900);
		cr_expect_arr_eq(in, f->tx_page[0].mem, 900);
	}
	expect_service();
}

/*
 * BE-07: a response shows its fields, and zeroes in an extra info's unused bytes;
 * what a response does not cover is as the guest left it.
 */
Test(net_peer, responses_show_nothing_else)
{
	struct virtio_net_hdr v = frame_tcp(out, 20000, false, 1400);
	uint8_t *tx = (uint8_t *)f->tx_ring + 64;
	uint8_t *rx = (uint8_t *)f->rx_ring + 64;

	memset(tx, 0xaa, SV_PAGE_SIZE - 64);
	memset(rx, 0xaa, SV_PAGE_SIZE - 64);
	fakenet_post(f, 100);
	fakenic_to_guest(&nic, &v, out, 20000);
	cr_assert_eq(fakenet_wait_recv(f, &v, in, MS), 20000);
	/* The second of its slots: type, flags, size, type, pad, features. */
	cr_expect_eq(rx[8], XEN_NETIF_EXTRA_TYPE_GSO);
	cr_expect_eq(rx[8 + 1], 0);
	cr_expect_eq(rx[8 + 5], 0);
	cr_expect_eq(rx[8 + 6], 0);
	cr_expect_eq(rx[8 + 7], 0);
	for (size_t i = 100 * 8; i < SV_PAGE_SIZE - 64; i++)
		cr_assert_eq(rx[i], 0xaa, "byte %zu", i);
	v = frame_tcp(out, 3000, false, 1400);
	cr_assert(fakenet_send(f, &v, out, 3000, 4096));
	memcpy(in, tx, 24);
	fakenet_push(f);
	cr_assert(fakenet_reap_all(f));
	for (size_t slot = 0; slot < 2; slot++) /* data, extra info */
		cr_expect_arr_eq(tx + 12 * slot + 4, in + 12 * slot + 4, 8);
	for (size_t i = 24; i < SV_PAGE_SIZE - 64; i++)
		cr_assert_eq(tx[i], 0xaa, "byte %zu", i);
}

Test(net_peer, thousands_of_bad_packets_in_a_few_lines)
{
	union net_tx_slot slot = { .req = { .gref = 0, .size = 64 } };
	const char *log;
	unsigned int lines = 0;

	caplog_begin();
	for (int turn = 0; turn < 20; turn++) {
		for (int i = 0; i < 250; i++) {
			slot.req.size = i & 1 ? 64 : 2;
			fakenet_put(f, &slot);
		}
		fakenet_push(f);
		cr_assert(fakenet_reap_all(f));
	}
	log = caplog_end();
	for (; (log = strchr(log, '\n')); log++)
		lines++;
	cr_expect_leq(lines, 11);
	cr_expect_geq(lines, 1);
	cr_expect_eq(f->errors, 5000);
}

/* ---- rx -------------------------------------------------------------------- */

static void post(uint32_t gref, uint16_t id)
{
	netif_rx_request_t req = { .gref = gref, .id = id };

	cr_assert_eq(rxq_ring_front_put(&f->rx, &req), 0);
}

static void push_rx(void)
{
	if (rxq_ring_front_push(&f->rx))
		fakedom_send(nic.dom, f->keys.rx_port);
}

static union net_rx_rsp wait_rsp(void)
{
	union net_rx_rsp r = { 0 };
	int ret = 0;

	for (int i = 0; i < MS && !ret; i++) {
		ret = rxq_ring_front_take(&f->rx, &r);
		if (!ret)
			usleep(1000);
	}
	cr_assert_eq(ret, 1);
	return r;
}

/* Bad pages are answered with an error in their turn; good ones get packets. */
Test(net_peer, rx_pages_that_are_not_granted)
{
	union net_rx_rsp r;

	post(0, 1);
	post(f->tx_page[0].gref, 2); /* read-only */
	post(f->rx_page[0].gref, 3);
	post(UINT32_MAX, 4);
	post(f->rx_page[1].gref, 5);
	push_rx();
	frame_udp(out, 500);
	fakenic_to_guest(&nic, &plain, out, 500);
	fakenic_to_guest(&nic, &plain, out, 500);
	for (uint16_t id = 1; id <= 5; id++) {
		r = wait_rsp();
		cr_expect_eq(r.rsp.id, id);
		cr_expect_eq(r.rsp.status,
			     id == 3 || id == 5 ? 500 : NETIF_RSP_ERROR);
	}
	cr_expect_arr_eq(f->rx_page[0].mem, out, 500);
	fakenic_stop(&nic);
	cr_expect_eq(fakenic_pins(&nic), 0);
}

/* A packet that meets one half-way is dropped; nothing of the page is touched. */
Test(net_peer, rx_bad_page_inside_a_packet)
{
	struct virtio_net_hdr v = frame_tcp(out, 20000, false, 1400);
	union net_rx_rsp r;

	for (uint16_t id = 0; id < 40; id++)
		post(id == 4 ? f->tx_page[0].gref : f->rx_page[id].gref, id);
	push_rx();
	memset(f->tx_page[0].mem, 0x77, SV_PAGE_SIZE);
	fakenic_to_guest(&nic, &v, out, 20000);
	for (uint16_t id = 0; id <= 4; id++) {
		r = wait_rsp();
		cr_expect_eq(r.rsp.id, id);
		cr_expect_eq(r.rsp.status, NETIF_RSP_ERROR);
		cr_expect_eq(r.rsp.flags, 0);
	}
	for (uint32_t i = 0; i < SV_PAGE_SIZE; i++)
		cr_assert_eq(f->tx_page[0].mem[i], 0x77);
	fakenic_to_guest(&nic, &v, out, 20000);
	r = wait_rsp();
	cr_expect_eq(r.rsp.id, 5);
	cr_expect_eq(r.rsp.status, SV_PAGE_SIZE);
}

/* One page over and over, and the rings themselves, harm the guest only. */
Test(net_peer, rx_pages_that_are_all_the_same_or_a_ring)
{
	struct virtio_net_hdr v = frame_tcp(out, 60000, false, 1400);

	for (uint16_t id = 0; id < 200; id++)
		post(f->rx_page[0].gref, id);
	post(f->keys.tx_ref, 200);
	push_rx();
	for (int i = 0; i < 12; i++)
		fakenic_to_guest(&nic, &v, out, 60000);
	for (uint16_t id = 0; id < 192; id++)
		wait_rsp();
	fakenic_stop(&nic);
	cr_expect_eq(fakenic_pins(&nic), 0);
}

/* More bytes than pages were posted for never leave our own memory. */
Test(net_peer, rx_big_packet_for_few_pages)
{
	struct virtio_net_hdr v = frame_tcp(out, 60000, false, 1400);

	memset(f->rx_page[1].mem, 0x66, SV_PAGE_SIZE);
	post(f->rx_page[0].gref, 1);
	push_rx();
	fakenic_to_guest(&nic, &v, out, 60000);
	usleep(50000);
	for (uint32_t i = 0; i < SV_PAGE_SIZE; i++)
		cr_assert_eq(f->rx_page[1].mem[i], 0x66);
	cr_expect_eq(get_word(f->rx_ring, RSP_PROD), 0);
	expect_service(); /* the other direction goes on */
}

/* ---- memory that changes under our hands ----------------------------------- */

static void flip_while(uint8_t *mem, size_t len, void (*fn)(void))
{
	struct flipper *noise = flipper_start(mem, len);

	for (int i = 0; i < 300 && !atomic_load(&nic.dev.failure); i++)
		fn();
	flipper_stop(noise);
}

/* Whatever came through, where its checksum goes lies inside it. */
static void check_frames(void)
{
	struct virtio_net_hdr v;
	size_t len;

	while ((len = fakenic_from_guest(&nic, &v, in, 0))) {
		cr_assert_geq(len, NET_LEN_MIN);
		if (v.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
			cr_assert_leq(v.csum_start + v.csum_offset + 2u, len);
	}
}

static void send_gso(void)
{
	struct virtio_net_hdr v = frame_tcp(out, 3000, random() & 1, 1400);

	f->nfree = 1; /* always the page that is being changed */
	f->free[0] = 0;
	fakenet_send(f, &v, out, 3000, 4096);
	fakenet_push(f);
	(void)fakenet_reap_all(f);
	check_frames();
}

Test(net_peer, headers_change_while_they_are_judged)
{
	flip_while(f->tx_page[0].mem, 128, send_gso);
	cr_expect_null(atomic_load(&nic.dev.failure));
	expect_service();
}

/* ---- another's name --------------------------------------------------------- */

static struct net_guard guard;

/* From now on the guest is who sends frame_udp(), and no other. */
static void restart_guarded(void)
{
	cr_assert_eq(net_guard_parse("02:16:3e:01:02:03", "10.0.0.1 fd00::1",
				     &guard),
		     0);
	fakenic_stop(&nic);
	fakenet_restart(f);
	nic.conf.tx.guard = &guard;
	fakenic_start(&nic);
}

enum honest { UDP4, TCP6, TAGGED, ARP };

#define HONEST_LEN 90

static void put_honest(enum honest what)
{
	if (what == TCP6)
		(void)frame_tcp(out, HONEST_LEN, true, 0);
	else
		(void)frame_udp(out, HONEST_LEN);
	if (what == TAGGED) {
		memmove(out + 16, out + 12, HONEST_LEN - 16);
		memcpy(out + 12, "\x81\0\0\7", 4);
	}
	if (what == ARP) {
		memcpy(out + 12, "\x08\x06\0\1\x08\0\6\4\0\1", 10);
		memcpy(out + 22, out + 6, 6);
		memcpy(out + 28, "\x0a\0\0\1", 4);
	}
}

/* Send @out in pieces of @chunk bytes; returns what was answered. */
static int send_cut(size_t chunk)
{
	cr_assert(fakenet_send(f, &plain, out, HONEST_LEN, chunk));
	fakenet_push(f);
	cr_assert(fakenet_reap_all(f));
	return f->status;
}

struct spoof {
	char name[24];
	enum honest frame;
	unsigned int at; /* the byte that is another's */
};

ParameterizedTestParameters(net_peer, in_the_name_of_others)
{
	static struct spoof t[] = {
		{ "MAC", UDP4, 11 },
		{ "MAC, first byte", UDP4, 6 },
		{ "IPv4", UDP4, 29 },
		{ "type", UDP4, 12 },
		{ "MAC, tagged", TAGGED, 6 },
		{ "IPv4, tagged", TAGGED, 33 },
		{ "type, tagged", TAGGED, 17 },
		{ "IPv6", TCP6, 37 },
		{ "IPv6, first byte", TCP6, 22 },
		{ "ARP", ARP, 11 },
		{ "ARP, sender's MAC", ARP, 27 },
		{ "ARP, sender", ARP, 31 },
	};
	return cr_make_param_array(struct spoof, t, ARRAY_SIZE(t));
}

/* However it is cut into slots: nothing of it gets out, and it is counted. */
ParameterizedTest(struct spoof *t, net_peer, in_the_name_of_others)
{
	static const size_t chunks[] = { 4096, 60, 32, 26, 13, 12, 7, 5 };
	size_t tag = t->frame == TAGGED ? 4 : 0, len; /* the kernel keeps it */
	struct virtio_net_hdr v;
	struct net_stats sum;

	restart_guarded();
	for (size_t i = 0; i < ARRAY_SIZE(chunks); i++) {
		put_honest(t->frame);
		cr_expect_eq(send_cut(chunks[i]), NETIF_RSP_OKAY);
		len = fakenic_from_guest(&nic, &v, in, MS);
		cr_expect_eq(len, HONEST_LEN - tag);
		cr_expect_arr_eq(in, out, 12);
		cr_expect_arr_eq(in + 12, out + 12 + tag, len - 12);
		out[t->at] ^= 1;
		cr_expect_eq(send_cut(chunks[i]), NETIF_RSP_DROPPED, "%s, %zu",
			     t->name, chunks[i]);
		expect_service();
	}
	sum = fakenic_stop(&nic);
	cr_expect_eq(sum.tx_spoofed, ARRAY_SIZE(chunks));
	cr_expect_eq(sum.tx_drops, ARRAY_SIZE(chunks));
	cr_expect_eq(fakenic_pins(&nic), 0);
}

/* A frame of one page, many times. */
static void send_page_0(void)
{
	union net_tx_slot slot = { .req = { .gref = f->tx_page[0].gref,
					    .size = HONEST_LEN } };
	struct virtio_net_hdr v;

	for (int i = 0; i < 50; i++)
		fakenet_put(f, &slot);
	fakenet_push(f);
	cr_assert(fakenet_reap_all(f));
	while (fakenic_from_guest(&nic, &v, in, 0))
		cr_assert_null(net_guard_fault(&guard, in, HONEST_LEN));
}

/* BE-01: what is judged is what is sent. */
Test(net_peer, names_change_while_they_are_judged)
{
	static const unsigned int at[] = { 11, 29 };

	restart_guarded();
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		put_honest(UDP4);
		memcpy(f->tx_page[0].mem, out, HONEST_LEN);
		flip_while(f->tx_page[0].mem + at[i], 1, send_page_0);
	}
	expect_service();
}

/* Noise in all slots: each is answered, or the device gives up; both are fine. */
static void send_noise(void)
{
	for (int i = 0; i < 20; i++) {
		union net_tx_slot slot;

		for (size_t b = 0; b < sizeof(slot); b++)
			((uint8_t *)&slot)[b] = (uint8_t)random();
		if (random() & 3) {
			slot.req.gref = f->tx_page[random() % 20].gref;
			slot.req.offset &= 1023;
			slot.req.size &= 2047;
			slot.req.flags &= 0xb; /* mostly one slot */
		}
		if (ring_front_free(&f->tx.ring))
			fakenet_put(f, &slot);
	}
	fakenet_push(f);
	for (int i = 0; i < 20; i++) {
		fakenet_reap(f);
		if (ring_front_free(&f->tx.ring) > 200)
			break;
		fakedom_wait(nic.dom, f->keys.tx_port, 1);
	}
	check_frames();
}

Test(net_peer, slots_change_while_they_are_taken)
{
	flip_while((uint8_t *)f->tx_ring + 64, 256 * 12, send_noise);
	fakenic_stop(&nic);
	cr_expect_eq(fakenic_pins(&nic), 0);
}

Test(net_peer, events_without_work)
{
	for (int i = 0; i < 20000; i++)
		fakedom_send(nic.dom,
			     i & 1 ? f->keys.tx_port : f->keys.rx_port);
	expect_service();
}

/* ---- the host's side ---------------------------------------------------------- */

/* The guest sends a ring full; each packet is answered, whoever hears it. */
static void send_many(void)
{
	for (int i = 0; i < 50; i++) {
		if (!fakenet_send(f, &plain, out, 900, 300))
			break;
	}
	fakenet_push(f);
	cr_assert(fakenet_reap_all(f));
}

/* A frame of the host's, too. */
static void expect_both_ways(void)
{
	struct virtio_net_hdr v;
	int len = 0;

	expect_service();
	fakenet_post(f, 200);
	frame_udp(out, 700);
	fakenic_to_guest(&nic, &plain, out, 700);
	for (int i = 0; i < MS / 20 && len != 700; i++)
		len = fakenet_wait_recv(f, &v, in, 20);
	cr_assert_eq(len, 700);
	cr_assert_arr_eq(in, out, 700);
}

/* FM-14: whatever is sent meanwhile, and then all is as it was before. */
Test(net_peer, carrier_comes_and_goes, .timeout = 300)
{
	unsigned long long begin = 0;
	unsigned int flaps = 0;
	uint64_t cpu;

	frame_udp(out, 900);
	for (; flipper_time(&begin); flaps++) {
		fakenic_cable(&nic, false);
		send_many();
		fakenic_cable(&nic, true);
		send_many();
		fakenic_link(&nic, false);
		send_many();
		fakenic_link(&nic, true);
		expect_both_ways();
	}
	cr_expect_gt(flaps, 0);
	fakenic_link(&nic, false);
	cpu = cpu_us();
	usleep(200000);
	cr_expect_lt(cpu_us() - cpu, 50000, "of 200 ms");
	fakenic_stop(&nic);
	cr_expect_eq(fakenic_pins(&nic), 0);
}
