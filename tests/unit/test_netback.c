/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_netback.c - a card's data path, frontend to TAP and back. */
#include "dom0-backend/netback.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dom0-backend/link_nl.h"
#include "tests/lib/fakectrl.h"
#include "tests/lib/fakenic.h"
#include "tests/lib/patience.h"

#define MS PATIENCE_MS /* to wait for what must come */

static struct fakenic nic;
static uint8_t out[NET_RX_LEN_MAX], in[NET_RX_LEN_MAX];

static void start(unsigned int nqueues, bool split)
{
	fakenic_init(&nic, nqueues, split, 1500);
	fakenic_start(&nic);
}

static void fini(void)
{
	fakenic_fini(&nic);
}

TestSuite(netback, .fini = fini);

/* The next frame of the guest is @out, @len bytes. */
static struct virtio_net_hdr expect_from_guest(size_t len)
{
	struct virtio_net_hdr v;

	cr_assert_eq(fakenic_from_guest(&nic, &v, in, MS), len, "no %zu bytes",
		     len);
	cr_assert_arr_eq(in, out, len);
	return v;
}

static int recv_any(struct fakenet *f, struct virtio_net_hdr *v)
{
	return fakenet_wait_recv(f, v, in, MS);
}

/* The next frame for the guest is @out. */
static struct virtio_net_hdr expect_to_guest(struct fakenet *f, size_t len)
{
	struct virtio_net_hdr v;
	int got = recv_any(f, &v);

	cr_assert_eq(got, (int)len, "%d instead of %zu bytes", got, len);
	cr_assert_arr_eq(in, out, len);
	return v;
}

Test(netback, tx_any_size_in_any_pieces)
{
	static const size_t chunks[] = { 4096, 1024, 90, 4 };
	struct virtio_net_hdr v = { 0 }, got;

	start(1, true);
	for (size_t c = 0; c < ARRAY_SIZE(chunks); c++) {
		for (size_t len = 64; len <= 1514; len += 145) {
			if (len > NET_FRAGS_MAX * chunks[c])
				break;
			frame_udp(out, len);
			cr_assert(fakenet_send(nic.front[0], &v, out, len,
					       chunks[c]));
			fakenet_push(nic.front[0]);
			got = expect_from_guest(len);
			cr_expect_eq(got.gso_type, VIRTIO_NET_HDR_GSO_NONE);
		}
	}
	cr_expect(fakenet_reap_all(nic.front[0]));
	cr_expect_eq(nic.front[0]->errors, 0);
	cr_expect_eq(fakenic_stop(&nic).tx_drops, 0);
	cr_expect_eq(fakenic_pins(&nic), 0);
}

Test(netback, tx_blank_checksum)
{
	struct virtio_net_hdr v, got;

	start(1, true);
	v = frame_udp(out, 1000);
	cr_assert(fakenet_send(nic.front[0], &v, out, 1000, 4096));
	fakenet_push(nic.front[0]);
	got = expect_from_guest(1000);
	cr_expect_eq(got.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	cr_expect_eq(got.csum_start, 34);
	cr_expect_eq(got.csum_offset, 6);
}

Test(netback, tx_segments_of_64_kib)
{
	struct virtio_net_hdr v, got;

	start(1, true);
	for (int v6 = 0; v6 < 2; v6++) {
		v = frame_tcp(out, NET_LEN_MAX, v6, 1400);
		cr_assert(
			fakenet_send(nic.front[0], &v, out, NET_LEN_MAX, 4096));
		fakenet_push(nic.front[0]);
		got = expect_from_guest(NET_LEN_MAX);
		cr_expect_eq(got.gso_type, v.gso_type);
		cr_expect_eq(got.gso_size, 1400);
		cr_expect_eq(got.csum_start, v.csum_start);
	}
	cr_expect(fakenet_reap_all(nic.front[0]));
	cr_expect_eq(nic.front[0]->done, 34, "16 slots and an extra info each");
}

/* An administrator has removed it: the guest's packets are lost, no more. */
Test(netback, the_interface_is_gone)
{
	struct virtio_net_hdr v = { 0 };
	struct link_info info;
	struct link_nl *nl;

	start(1, true);
	cr_assert_eq(link_open(&nl), 0);
	cr_assert_eq(link_get(nl, "t0", &info), 0);
	cr_assert_eq(link_del(nl, info.index), 0);
	link_close(nl);
	frame_udp(out, 500);
	cr_assert(fakenet_send(nic.front[0], &v, out, 500, 200));
	fakenet_push(nic.front[0]);
	cr_expect(fakenet_reap_all(nic.front[0]));
	cr_expect_eq(nic.front[0]->status, NETIF_RSP_DROPPED);
	cr_expect_eq(nic.front[0]->done, 3, "all slots are answered");
	cr_expect_eq(fakenic_stop(&nic).tx_drops, 1);
	cr_expect_eq(fakenic_pins(&nic), 0);
}

/* More than the ring holds, and than one turn of the thread does. */
Test(netback, tx_many)
{
	struct virtio_net_hdr v = { 0 };

	start(1, false);
	frame_udp(out, 200);
	for (uint32_t i = 0; i < 2000; i++) {
		memcpy(out + 100, &i, sizeof(i));
		while (!fakenet_send(nic.front[0], &v, out, 200, 4096)) {
			fakenet_push(nic.front[0]);
			cr_assert(fakenet_reap_all(nic.front[0]));
		}
		if (i % 50 == 49)
			fakenet_push(nic.front[0]);
	}
	for (uint32_t i = 0; i < 2000; i++) {
		memcpy(out + 100, &i, sizeof(i));
		expect_from_guest(200);
	}
	cr_expect(fakenet_reap_all(nic.front[0]));
	cr_expect_eq(fakenic_stop(&nic).tx_packets, 2000);
}

Test(netback, rx_any_size)
{
	struct virtio_net_hdr v = { 0 }, got;

	start(1, true);
	for (size_t len = 64; len <= 1514; len += 29) {
		fakenet_post(nic.front[0], 256);
		frame_udp(out, len);
		fakenic_to_guest(&nic, &v, out, len);
		got = expect_to_guest(nic.front[0], len);
		cr_expect_eq(got.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, 0);
	}
	fakenic_stop(&nic);
	cr_expect_eq(fakenic_pins(&nic), 0);
}

Test(netback, rx_segments_and_blank_checksum)
{
	struct virtio_net_hdr v, got;

	start(1, true);
	for (int v6 = 0; v6 < 2; v6++) {
		for (size_t len = 3000; len <= NET_LEN_MAX - 14; len += 6947) {
			fakenet_post(nic.front[0], 256);
			v = frame_tcp(out, len, v6, 1400);
			fakenic_to_guest(&nic, &v, out, len);
			got = expect_to_guest(nic.front[0], len);
			cr_expect_eq(got.gso_type, v.gso_type);
			cr_expect_eq(got.gso_size, 1400);
			cr_expect_eq(got.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		}
	}
	cr_expect_eq(fakenic_stop(&nic).rx_drops, 0);
}

/* Few pages at a time: packets wait in private memory for the rest. */
Test(netback, rx_pages_come_late)
{
	struct virtio_net_hdr v;

	start(1, true);
	for (uint32_t few = 1; few < 20; few++) {
		v = frame_tcp(out, 60000, few & 1, 1400);
		fakenic_to_guest(&nic, &v, out, 60000);
		for (uint32_t i = 0; i < 16; i += few) {
			struct virtio_net_hdr none;

			cr_expect_eq(fakenet_recv(nic.front[0], &none, in), 0);
			fakenet_post(nic.front[0], few < 16 - i ? few : 16 - i);
			usleep(1000);
		}
		v = expect_to_guest(nic.front[0], 60000);
		cr_expect_eq(v.gso_size, 1400);
	}
}

/* A packet of several pages that is not to be segmented: no gap in it. */
Test(netback, rx_jumbo)
{
	struct virtio_net_hdr v = { 0 };

	fakenic_init(&nic, 1, true, 20000);
	fakenic_start(&nic);
	for (size_t len = 4000; len <= 20000; len += 511) {
		fakenet_post(nic.front[0], 256);
		frame_udp(out, len);
		fakenic_to_guest(&nic, &v, out, len);
		expect_to_guest(nic.front[0], len);
	}
}

Test(netback, rx_for_a_guest_without_features)
{
	struct virtio_net_hdr v, got;
	size_t len = 10000, sum = 0;

	fakenic_init(&nic, 1, false, 1500);
	nic.conf.caps = (struct net_caps){ 0 };
	fakenic_start(&nic);
	fakenet_post(nic.front[0], 256);
	v = frame_tcp(out, len, false, 1400);
	fakenic_to_guest(&nic, &v, out, len);
	while (sum < len - FRAME_TCP4) { /* the host segments */
		int n = recv_any(nic.front[0], &got);

		cr_assert_gt(n, (int)FRAME_TCP4);
		cr_expect_eq(got.gso_type, VIRTIO_NET_HDR_GSO_NONE);
		cr_expect_eq(got.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, 0);
		cr_expect(frame_sum_ok(in, (size_t)n));
		cr_expect_arr_eq(in + FRAME_TCP4, out + FRAME_TCP4 + sum,
				 (size_t)n - FRAME_TCP4);
		sum += (size_t)n - FRAME_TCP4;
	}
	cr_expect_eq(sum, len - FRAME_TCP4);
}

/* IPv4 offload alone, as FreeBSD has it: what is IPv6 gets its checksum here. */
Test(netback, rx_checksum_filled_in_for_one_family)
{
	struct virtio_net_hdr v, got;

	fakenic_init(&nic, 1, false, 9000);
	nic.conf.caps.csum6 = nic.conf.caps.tso6 = false;
	fakenic_start(&nic);
	for (uint32_t pages = 1; pages < 256; pages += 254) {
		for (size_t len = 1000; len < 9000; len += 1999) {
			if (pages == 1 && len > SV_PAGE_SIZE)
				break;
			fakenet_post(nic.front[0], pages);
			v = frame_tcp(out, len, true, 0);
			fakenic_to_guest(&nic, &v, out, len);
			cr_assert_eq(recv_any(nic.front[0], &got), (int)len);
			cr_expect_eq(got.flags, VIRTIO_NET_HDR_F_DATA_VALID);
			cr_expect(frame_sum_ok(in, len));
			cr_expect_arr_eq(in + FRAME_TCP6, out + FRAME_TCP6,
					 len - FRAME_TCP6);
		}
	}
	fakenet_post(nic.front[0], 256);
	v = frame_tcp(out, 1000, false, 0);
	fakenic_to_guest(&nic, &v, out, 1000);
	got = expect_to_guest(nic.front[0], 1000);
	cr_expect_eq(got.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
}

static uint64_t cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000u +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* Whether it comes to rest: what is still to be done may take a while. */
static bool is_idle(void)
{
	for (int i = 0; i < 20; i++) {
		uint64_t cpu = cpu_us();

		usleep(300000);
		if (cpu_us() - cpu < 30000)
			return true;
	}
	return false;
}

Test(netback, idle_costs_nothing)
{
	struct virtio_net_hdr v = { 0 };

	start(2, true);
	for (int i = 0; i < 2; i++)
		fakenet_post(nic.front[i], 100);
	frame_udp(out, 100);
	fakenic_to_guest(&nic, &v, out, 100);
	cr_assert(fakenet_send(nic.front[0], &v, out, 100, 100));
	fakenet_push(nic.front[0]);
	expect_from_guest(100);
	cr_expect(is_idle(), "30 ms of CPU in 300 ms");
}

static void expect_notified(bool split)
{
	struct virtio_net_hdr v = { 0 };
	struct fakenet *f;

	start(1, split);
	f = nic.front[0];
	fakenet_post(f, 100);
	usleep(20000);
	for (int i = 0; i < 5; i++) {
		frame_udp(out, 100);
		cr_assert_eq(fakenet_recv(f, &v, in), 0); /* arms */
		fakedom_wait(nic.dom, f->keys.rx_port, 0);
		fakenic_to_guest(&nic, &v, out, 100);
		cr_assert(fakedom_wait(nic.dom, f->keys.rx_port, MS));
		expect_to_guest(f, 100);

		cr_assert(fakenet_reap_all(f)); /* arms */
		fakedom_wait(nic.dom, f->keys.tx_port, 0);
		cr_assert(fakenet_send(f, &v, out, 100, 100));
		fakenet_push(f);
		cr_assert(fakedom_wait(nic.dom, f->keys.tx_port, MS));
		expect_from_guest(100);
	}
}

Test(netback, each_ring_has_its_channel)
{
	expect_notified(true);
}

Test(netback, both_rings_share_a_channel)
{
	expect_notified(false);
}

Test(netback, rx_stalls_without_spinning_or_loss)
{
	struct virtio_net_hdr v = { 0 };

	start(1, true);
	frame_udp(out, 100);
	for (uint32_t i = 0; i < 100; i++) {
		memcpy(out + 50, &i, sizeof(i));
		fakenic_to_guest(&nic, &v, out, 100);
	}
	cr_expect(is_idle(), "it spins");
	for (uint32_t i = 0; i < 100; i++) {
		fakenet_post(nic.front[0], i % 3);
		memcpy(out + 50, &i, sizeof(i));
		while (!fakenet_recv(nic.front[0], &v, in)) {
			fakenet_post(nic.front[0], 1);
			fakedom_wait(nic.dom, nic.front[0]->keys.rx_port, 10);
		}
		cr_assert_arr_eq(in, out, 100, "%u", i);
	}
}

/*
 * Its worker was stopped, its memory is at another place, and another worker knows
 * nothing but the rings: each packet and each page comes once.
 */
Test(netback, a_guest_that_was_saved_goes_on)
{
	struct virtio_net_hdr v = { 0 };
	uint32_t sent = 0, came = 0;
	struct fakenet *f;

	start(1, true);
	f = nic.front[0];
	fakenet_post(f, 100);
	for (unsigned int life = 0; life < 5; life++) {
		for (unsigned int i = 0; i < 70; i++, sent++) {
			frame_udp(out, 200);
			memcpy(out + 50, &sent, sizeof(sent));
			cr_assert(fakenet_send(f, &v, out, 200, 150));
			fakenet_push(f);
			expect_from_guest(200);
			cr_expect(fakenet_reap_all(f));
		}
		for (unsigned int i = 0; i < 70; i++, came++) {
			frame_udp(out, 100);
			memcpy(out + 50, &came, sizeof(came));
			fakenic_to_guest(&nic, &v, out, 100);
			expect_to_guest(f, 100);
			fakenet_post(f, 1);
		}
		cr_expect_eq(f->errors, 0);
		fakenic_stop(&nic);
		cr_expect_eq(fakenic_pins(&nic), 0);
		/* What nobody took is sent at the new place. */
		frame_udp(out, 300);
		cr_assert(fakenet_send(f, &v, out, 300, 100));
		fakenet_push(f);
		fakenic_start(&nic);
		expect_from_guest(300);
		cr_expect(fakenet_reap_all(f));
	}
}

/* Take what has come to each of three queues; Return: how much till now. */
static unsigned int take_all(unsigned int came[3])
{
	struct virtio_net_hdr v;

	for (unsigned int q = 0; q < 3; q++) {
		while (fakenet_recv(nic.front[q], &v, in) > 0)
			came[q]++;
	}
	return came[0] + came[1] + came[2];
}

Test(netback, both_directions_on_several_queues)
{
	struct virtio_net_hdr v = { 0 };
	unsigned int came[3] = { 0 }, queues = 0;

	start(3, true);
	for (unsigned int q = 0; q < 3; q++) {
		fakenet_post(nic.front[q], 256);
		for (uint32_t i = 0; i < 20; i++) {
			frame_udp(out, 300 + q);
			cr_assert(fakenet_send(nic.front[q], &v, out, 300 + q,
					       100));
			fakenet_push(nic.front[q]);
			expect_from_guest(300 + q);
		}
		cr_expect(fakenet_reap_all(nic.front[q]));
	}
	for (uint32_t i = 0; i < 60; i++) { /* spread by their ports */
		frame_udp(out, 500);
		fakenic_to_guest(&nic, &v, out, 500);
	}
	cr_expect(SOON(take_all(came) == 60));
	for (unsigned int q = 0; q < 3; q++)
		queues += came[q] > 0;
	cr_expect_geq(queues, 2);
}

/* ---- queues by the hash ----------------------------------------------------- */

static struct fakectrl ctrl;
static const uint8_t key[NET_HASH_KEY_MAX] =
	"any forty bytes, none of them a 0 at all";

static void start_hashed(unsigned int mtu)
{
	fakenic_init(&nic, 3, true, mtu);
	fakectrl_init(&ctrl, nic.dom, nic.dev.gnt, 3);
	nic.conf.steer = &ctrl.steer;
	fakenic_start(&nic);
	for (unsigned int q = 0; q < 3; q++)
		fakenet_post(nic.front[q], 256);
}

static void stop_hashed(unsigned int drops)
{
	cr_expect_eq(fakenic_stop(&nic).rx_drops, drops);
	fakectrl_fini(&ctrl);
	cr_expect_eq(fakenic_pins(&nic), 0);
}

/* The next frame for the guest is @out and comes to queue @q, no other. */
static struct virtio_net_hdr expect_on(unsigned int q, size_t len,
				       const struct net_mark *mark)
{
	struct virtio_net_hdr v = expect_to_guest(nic.front[q], len), none;
	const struct net_mark *m = &nic.front[q]->mark;

	cr_assert_eq(m->known, mark->known);
	cr_assert_eq(m->type, mark->type);
	cr_assert_eq(m->value, mark->value);
	for (unsigned int i = 0; i < 3; i++)
		cr_assert_eq(fakenet_recv(nic.front[i], &none, in), 0);
	fakenet_post(nic.front[q], 256);
	return v;
}

/* Send a frame of each kind, 60 times; count on which queues they come. */
static void spread(size_t len, unsigned int *came)
{
	struct virtio_net_hdr v, got;
	struct net_mark mark;
	unsigned int q;

	for (unsigned int i = 0; i < 60; i++) {
		v = i % 3 == 2
			    ? frame_udp(out, len)
			    : frame_tcp(out, len, i % 3, len > 3000 ? 1400 : 0);
		if (i % 3 == 2) /* has no ports in its hash: other addresses */
			v = frame_udp_to(out, len, out, out + 6, i * 77,
					 i * 0x1010101);
		mark = net_hash_mark(&ctrl.back.hash, out, len);
		q = net_hash_queue(&ctrl.back.hash, &mark);
		fakenic_to_guest(&nic, &v, out, len);
		got = expect_on(q, len, &mark);
		cr_assert_eq(got.gso_type, v.gso_type);
		came[q]++;
	}
}

Test(netback, queues_by_the_hash)
{
	static const uint32_t map[5] = { 0, 1, 2, 2, 1 },
			      other[4] = { 2, 0, 0, 2 };
	unsigned int came[3] = { 0 };

	start_hashed(1500);
	fakectrl_hash(&ctrl, key, sizeof(key), map, 5);
	spread(500, came);
	cr_expect(came[0] && came[1] && came[2], "%u %u %u", came[0], came[1],
		  came[2]);
	/* No table: the number of queues is what counts. */
	fakectrl_ask(&ctrl, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 0, 0, 0,
		     NULL);
	spread(500, came);
	fakectrl_hash(&ctrl, key, sizeof(key), other, 4);
	memset(came, 0, sizeof(came));
	spread(500, came);
	cr_expect(came[0] && !came[1] && came[2], "%u %u %u", came[0], came[1],
		  came[2]);
	stop_hashed(0);
}

/* An extra info for the hash, and one for the segments. */
Test(netback, segments_by_the_hash)
{
	static const uint32_t map[3] = { 2, 0, 1 };
	unsigned int came[3] = { 0 };
	struct virtio_net_hdr v;

	start_hashed(1500);
	fakectrl_hash(&ctrl, key, sizeof(key), map, 3);
	for (size_t len = 3100; len < 60000; len += 9973) {
		for (uint32_t i = 0; i < 4; i++) {
			struct net_mark mark;

			v = frame_tcp(out, len, i & 1, 1400);
			mark = net_hash_mark(&ctrl.back.hash, out, len);
			fakenic_to_guest(&nic, &v, out, len);
			v = expect_on(net_hash_queue(&ctrl.back.hash, &mark),
				      len, &mark);
			cr_expect_eq(v.gso_size, 1400);
			came[net_hash_queue(&ctrl.back.hash, &mark)]++;
		}
	}
	cr_expect(came[0] && came[1] && came[2]);
	stop_hashed(0);
}

/* What has no hash goes where a hash of 0 goes, and nothing is told of it. */
Test(netback, packets_without_a_hash)
{
	static const uint32_t map[2] = { 2, 1 };
	static const struct net_mark none;
	struct virtio_net_hdr v = { 0 };

	start_hashed(1500);
	fakectrl_hash(&ctrl, key, sizeof(key), map, 2);
	for (unsigned int i = 0; i < 20; i++) {
		frame_udp(out, 100 + i);
		out[13] = 6; /* ARP, so to say */
		fakenic_to_guest(&nic, &v, out, 100 + i);
		expect_on(2, 100 + i, &none);
	}
	/* Nothing is hashed any more: the host chooses, and nothing is told. */
	cr_expect_eq(fakectrl_ask(&ctrl, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, 0,
				  0, 0, NULL),
		     0);
	for (unsigned int i = 0; i < 20; i++) {
		unsigned int got = 0;

		frame_udp(out, 100 + i);
		fakenic_to_guest(&nic, &v, out, 100 + i);
		for (unsigned int turn = 0; turn < 600 && !got; turn++) {
			struct fakenet *f = nic.front[turn % 3];

			got = (unsigned int)fakenet_wait_recv(f, &v, in, 10);
			cr_assert_not(f->mark.known);
		}
		cr_assert_eq(got, 100 + i);
	}
	stop_hashed(0);
}

#define NUMBERED 1400u /* bytes */

/* A frame of a flow that goes to queue @q, with a number. */
static void build_numbered(unsigned int q, uint32_t number)
{
	struct net_mark mark;
	uint32_t from = 0;

	do {
		frame_udp_to(out, NUMBERED, out, out + 6, ++from, 5);
		mark = net_hash_mark(&ctrl.back.hash, out, NUMBERED);
	} while (net_hash_queue(&ctrl.back.hash, &mark) != q);
	memset(out + 34, 1, 2); /* one port, one TAP queue */
	memcpy(out + 200, &number, sizeof(number));
}

/* Take what has come to a queue: numbers that grow. */
static unsigned int take_numbered(unsigned int q, uint32_t *last, int ms)
{
	struct virtio_net_hdr v;
	unsigned int n = 0;
	uint32_t number;

	while (fakenet_wait_recv(nic.front[q], &v, in, ms) > 0) {
		memcpy(&number, in + 200, sizeof(number));
		cr_assert_gt(number, *last);
		*last = number;
		n++;
		fakenet_post(nic.front[q], 2); /* one for the hash */
	}
	return n;
}

/*
 * A queue without pages keeps its own packets waiting, in order, as many as fit
 * between two threads; those of another queue all pass.
 */
Test(netback, a_queue_by_the_hash_stalls)
{
	static const uint32_t map[2] = { 1, 2 }, count = 2500;
	struct virtio_net_hdr v = { 0 };
	uint32_t last[3] = { 0 };
	uint64_t end = util_clock_ns() + PATIENCE_NS;
	unsigned int came = 0;

	fakenic_init(&nic, 3, true, 1500);
	fakectrl_init(&ctrl, nic.dom, nic.dev.gnt, 3);
	nic.conf.steer = &ctrl.steer;
	fakenic_start(&nic);
	fakectrl_hash(&ctrl, key, sizeof(key), map, 2);
	fakenet_post(nic.front[2], 256);
	for (uint32_t i = 1; i <= count; i++) {
		for (unsigned int q = 1; q < 3; q++) {
			build_numbered(q, i);
			fakenic_to_guest(&nic, &v, out, NUMBERED);
		}
		/* The kernel's own queue is shared, and not to be filled. */
		while (i % 20 == 0 && came < i && util_clock_ns() < end)
			came += take_numbered(2, &last[2], 10);
	}
	cr_expect_eq(came, count, "%u", came);
	fakenet_post(nic.front[1], 256);
	came = take_numbered(1, &last[1], 3000); /* no more will come */
	cr_expect(came > 50 && came < count, "%u", came);
	stop_hashed(count - came);
}

Test(netback, dhcp_is_answered_on_the_spot)
{
	static const struct dhcp_lease lease = {
		.mac = { 0, 0x16, 0x3e, 1, 2, 3 },
		.ip = 0xc0a8e711,
		.router = 0xc0a8e701,
		.prefix = 24,
	};
	struct virtio_net_hdr v = { 0 }, got;

	fakenic_init(&nic, 1, true, 1500);
	nic.conf.tx.lease = &lease;
	fakenic_start(&nic);
	fakenet_post(nic.front[0], 3);
	frame_udp(out, 300);
	memset(out + FRAME_UDP4, 0, 300 - FRAME_UDP4);
	memset(out + 30, 0xff, 4);
	memcpy(out + 34, "\0\x44\0\x43", 4);
	memcpy(out + FRAME_UDP4, "\1\1\6", 3);
	memcpy(out + FRAME_UDP4 + 28, lease.mac, 6);
	memcpy(out + FRAME_UDP4 + 236, "\x63\x82\x53\x63\x35\1\1\xff", 8);
	cr_assert(fakenet_send(nic.front[0], &v, out, 300, 20));
	fakenet_push(nic.front[0]);
	cr_assert_eq(recv_any(nic.front[0], &got), DHCP_REPLY_MAX);
	cr_expect_arr_eq(in, lease.mac, 6);
	cr_expect_arr_eq(in + FRAME_UDP4 + 16, "\xc0\xa8\xe7\x11", 4);

	/* It is not passed on; what is no request is. */
	memcpy(out + FRAME_UDP4, "\2", 1);
	cr_assert(fakenet_send(nic.front[0], &v, out, 300, 20));
	fakenet_push(nic.front[0]);
	expect_from_guest(300);

	/* Nor is one that no request is as long as. */
	memcpy(out + FRAME_UDP4, "\1", 1);
	cr_assert(fakenet_send(nic.front[0], &v, out, 9000, 4096));
	fakenet_push(nic.front[0]);
	expect_from_guest(9000);
	cr_expect_eq(fakenic_stop(&nic).tx_packets, 2);
}

Test(netback, rate_is_kept)
{
	struct virtio_net_hdr v = { 0 };
	uint64_t begin;

	fakenic_init(&nic, 1, true, 1500);
	nic.conf.tx.rate = (struct txq_rate){ 5000, 50000 };
	fakenic_start(&nic);
	frame_udp(out, 1000);
	begin = util_clock_ns();
	for (int i = 0; i < 40; i++)
		cr_assert(fakenet_send(nic.front[0], &v, out, 1000, 4096));
	fakenet_push(nic.front[0]);
	cr_expect(fakenet_reap_all(nic.front[0]));
	/* 40000 bytes: 5000 at once, then 7 times 50 ms, less one packet. */
	cr_expect_geq(util_clock_ns() - begin, 290000000u);
	cr_expect_eq(fakenic_stop(&nic).tx_packets, 40);
}

Test(netback, refused_at_the_start)
{
	struct net_keys keys;
	struct net_queue *q;

	start(1, true);
	keys = nic.front[0]->keys; /* its ports are bound already */
	cr_expect_eq(netback_start(&q, &nic.dev, &nic.conf, nic.tap[0], &keys,
				   &nic.limit[0]),
		     -EINVAL);
	fakenic_stop(&nic);
	keys.tx_ref = 1999;
	cr_expect_lt(netback_start(&q, &nic.dev, &nic.conf, nic.tap[0], &keys,
				   &nic.limit[0]),
		     0);
	keys = nic.front[0]->keys;
	keys.rx_ref = UINT32_MAX;
	cr_expect_lt(netback_start(&q, &nic.dev, &nic.conf, nic.tap[0], &keys,
				   &nic.limit[0]),
		     0);
	keys = nic.front[0]->keys;
	keys.rx_ref = nic.front[0]->tx_page[0].gref; /* read-only */
	cr_expect_eq(netback_start(&q, &nic.dev, &nic.conf, nic.tap[0], &keys,
				   &nic.limit[0]),
		     -EACCES);
	keys = nic.front[0]->keys;
	keys.rx_port = 4095;
	cr_expect_lt(netback_start(&q, &nic.dev, &nic.conf, nic.tap[0], &keys,
				   &nic.limit[0]),
		     0);
	cr_expect_not(fakedom_bound(nic.dom, keys.tx_port));
	cr_expect_eq(fakenic_pins(&nic), 0);
}
