// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_net_deaths.c - cards' workers that die at every step they make.
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <criterion/criterion.h>

#include <xen/xen.h>
#include <xen/grant_table.h>

#include "dom0-backend/tap.h"
#include "tests/lib/fakectrl.h"
#include "tests/lib/fakenic.h"
#include "tests/lib/mortal.h"
#include "tests/lib/packet.h"
#include "tests/lib/patience.h"

/*
 * How it works
 *
 * The worker dies at its n-th step (tests/lib/mortal.h), for each n in turn.  Its
 * successors live on.  Whatever n is, numbered packets arrive in order both ways, each
 * at most once and as it was sent; a death loses one of each direction at most; each
 * slot gets one answer, with its own id; no grant stays marked.
 */
#define PACKETS 12u
#define PAGES	80u /* posted by the guest at a time */
#define NUMBER	60u /* where in a frame its number is */
#define LONGEST 20000u

static struct fakenic nic;
static struct mortal *mortal;
static uint8_t want[NET_RX_LEN_MAX], in[NET_RX_LEN_MAX];

enum way { OUT, IN, NWAYS };

/**
 * struct run - A worker's life, and its successors'.
 * @n, @m:   A death at step @n, and one at step @m of the successor.
 * @sent:    Packets sent.
 * @next:    No lower number may come any more.
 * @got:     Packets that came.
 */
struct run {
	unsigned int n, m, deaths;
	pid_t pid;
	uint32_t sent[NWAYS], next[NWAYS], got[NWAYS];
	const uint32_t *ctrl;
};

static uint32_t number[NWAYS]; /* of the last packet, in all lives */

static void set_up_queues(unsigned int nqueues, bool split)
{
	log_init("test", LOG_LVL_ERR);
	fakenic_init(&nic, nqueues, split, 1500);
	mortal = mortal_new();
	cr_assert_eq(tap_offload(nic.tap[0], &nic.conf.caps), 0);
	fakenic_cable(&nic, true);
}

static void set_up(void)
{
	set_up_queues(1, false);
}

static void tear_down(void)
{
	fakenic_fini(&nic);
}

TestSuite(net_deaths, .init = set_up, .fini = tear_down, .timeout = 600);

/* Frame @no into @want, by its number: one slot, several, or yet to be segmented. */
static size_t make_frame(uint32_t no, enum way way, struct virtio_net_hdr *v)
{
	size_t len = no % 3 == 2 ? LONGEST : 100 + no * 131 % 1400;

	srandom(no * NWAYS + way);
	if (no % 3 == 2)
		*v = frame_tcp(want, len, false, 1400);
	else
		*v = frame_udp(want, len);
	memcpy(want + NUMBER, &no, sizeof(no));
	return len;
}

/* ---- the guest, and the host beyond ------------------------------------------- */

static void start_worker(struct run *r)
{
	r->pid = mortal_card(mortal, &nic, r->ctrl);
}

/* Dead workers are replaced; the first successor dies at step @m of its own. */
static void mind_worker(struct run *r)
{
	int status;

	if (waitpid(r->pid, &status, WNOHANG) != r->pid)
		return;
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		  "death %u: status %x", r->n, status);
	mortal_expect(mortal, r->deaths++ ? 0 : r->m);
	start_worker(r);
}

static void begin(struct run *r)
{
	for (unsigned int i = 0; i < nic.nqueues; i++) {
		while (read(nic.tap[i], in, sizeof(in)) > 0)
			; /* of another life */
		fakenet_restart(nic.front[i]);
		(void)fakedom_wait(nic.dom, nic.front[i]->keys.tx_port, 0);
		(void)fakedom_wait(nic.dom, nic.front[i]->keys.rx_port, 0);
		/* As Linux: long before the backend is Connected. */
		fakenet_post(nic.front[i], PAGES);
	}
	mortal_expect(mortal, r->n);
	atomic_store(&mortal->valid, false);
	start_worker(r);
}

static void end(struct run *r)
{
	int status;

	kill(r->pid, SIGKILL);
	waitpid(r->pid, &status, 0);
	for (unsigned int i = 0; i < nic.nqueues; i++) {
		fakedom_entry(nic.dom, nic.front[i]->keys.tx_ref)->flags =
			GTF_permit_access;
		fakedom_entry(nic.dom, nic.front[i]->keys.rx_ref)->flags =
			GTF_permit_access;
		for (uint32_t k = 0; k < FAKENET_PAGES; k++)
			fakedom_entry(nic.dom, nic.front[i]->rx_page[k].gref)
				->flags = GTF_permit_access;
	}
}

/* A frame has come; it is as it was sent, and none before it comes any more. */
static void arrived(struct run *r, enum way way, size_t len)
{
	struct virtio_net_hdr v;
	uint32_t no;

	memcpy(&no, in + NUMBER, sizeof(no));
	cr_assert(no >= r->next[way] && no <= number[way],
		  "death %u, %s: packet %u after %u", r->n,
		  way == OUT ? "out" : "in", no, r->next[way] - 1);
	cr_assert_eq(make_frame(no, way, &v), len, "death %u: length", r->n);
	cr_assert_arr_eq(in, want, len, "death %u: packet %u", r->n, no);
	r->next[way] = no + 1;
	r->got[way]++;
}

static void send_out(struct run *r)
{
	static const size_t chunk[] = { 4096, 90, 4096, 333 };
	struct fakenet *f = nic.front[0];
	struct virtio_net_hdr v;
	size_t len = make_frame(number[OUT] + 1, OUT, &v);
	size_t by = len == LONGEST ? 4096 : chunk[number[OUT] % 4];

	if (!fakenet_send(f, &v, want, len, by))
		return;
	number[OUT]++;
	r->sent[OUT]++;
	fakenet_push(f);
}

static void send_in(struct run *r)
{
	struct virtio_net_hdr v;
	size_t len = make_frame(++number[IN], IN, &v);

	r->sent[IN]++;
	fakenic_to_guest(&nic, &v, want, len);
}

/* As a guest does: look only when there was an event. */
static void take(struct run *r, unsigned int i)
{
	struct fakenet *f = nic.front[i];
	struct virtio_net_hdr v;
	int len;

	fakenet_reap(f);
	while ((len = fakenet_recv(f, &v, in)))
		arrived(r, IN, (size_t)len);
	fakenet_post(f, PAGES - f->nposted);
}

static void turn(struct run *r)
{
	struct virtio_net_hdr v;
	size_t len;

	mind_worker(r);
	for (unsigned int i = 0; i < nic.nqueues; i++) {
		const struct net_keys *k = &nic.front[i]->keys;
		bool told = fakedom_wait(nic.dom, k->tx_port, !i);

		if (k->rx_port != k->tx_port)
			told |= fakedom_wait(nic.dom, k->rx_port, 0);
		if (told)
			take(r, i);
	}
	while ((len = fakenic_from_guest(&nic, &v, in, 0)))
		arrived(r, OUT, len);
}

/* ---- what is checked ---------------------------------------------------------- */

/* Every slot has had one answer, with an id of its own. */
static void expect_answered(struct run *r)
{
	const struct fakenet *f = nic.front[0];
	bool seen[FAKENET_PAGES] = { false };

	cr_assert_eq(f->nfree, FAKENET_PAGES, "death %u", r->n);
	for (uint32_t i = 0; i < f->nfree; i++) {
		cr_assert(!seen[f->free[i]], "death %u: id %u twice", r->n,
			  f->free[i]);
		seen[f->free[i]] = true;
	}
}

static void expect_unmarked(struct run *r)
{
	for (unsigned int q = 0; q < nic.nqueues; q++) {
		const struct fakenet *f = nic.front[q];

		for (uint32_t i = 0; i < FAKENET_PAGES; i++)
			cr_assert_eq(fakedom_entry(nic.dom, f->tx_page[i].gref)
						     ->flags &
					     GTF_reading,
				     0, "death %u: tx page %u", r->n, i);
		for (uint32_t i = 0; i < f->nspare; i++)
			cr_assert_eq(fakedom_entry(nic.dom,
						   f->rx_page[f->spare[i]].gref)
						     ->flags &
					     (GTF_reading | GTF_writing),
				     0, "death %u: rx page %u", r->n, i);
	}
}

/* The last packet of each way has come, and all slots are answered. */
static bool done(const struct run *r)
{
	return r->next[OUT] == number[OUT] + 1 &&
	       r->next[IN] == number[IN] + 1 &&
	       ring_front_free(&nic.front[0]->tx.ring) == FAKENET_PAGES;
}

/* Return: how many workers have died. */
static unsigned int life(unsigned int n, unsigned int m)
{
	struct run r = { .n = n, .m = m };
	uint64_t end_ns = util_clock_ns() + PATIENCE_NS, probe = 0;

	r.next[OUT] = number[OUT] + 1;
	r.next[IN] = number[IN] + 1;
	begin(&r);
	while (r.sent[OUT] < PACKETS || r.sent[IN] < PACKETS || !done(&r)) {
		cr_assert(util_clock_ns() < end_ns,
			  "death %u: out %u of %u, in %u of %u, %u slots free",
			  n, r.got[OUT], r.sent[OUT], r.got[IN], r.sent[IN],
			  ring_front_free(&nic.front[0]->tx.ring));
		if (r.sent[OUT] < PACKETS) {
			send_out(&r);
			send_in(&r);
		} else if (util_clock_ns() > probe) {
			/* The last may be lost: the stream goes on. */
			probe = util_clock_ns() + 20000000;
			if (r.next[OUT] <= number[OUT])
				send_out(&r);
			if (r.next[IN] <= number[IN])
				send_in(&r);
		}
		turn(&r);
	}
	expect_answered(&r);
	expect_unmarked(&r);
	cr_assert_leq(r.sent[OUT] - r.got[OUT], r.deaths, "death %u", n);
	cr_assert_leq(r.sent[IN] - r.got[IN], r.deaths, "death %u", n);
	end(&r);
	return r.deaths;
}

Test(net_deaths, at_every_step)
{
	unsigned int n = 1;

	while (life(n, 0))
		n++;
	cr_log_info("%u steps", n - 1);
	cr_expect_gt(n, 8 * PACKETS, "steps are not counted");
}

/* The successor dies as well, anywhere. */
Test(net_deaths, twice)
{
	for (unsigned int i = 0; i < 150; i++)
		life(1 + i * 127 % 300, 1 + i * 61 % 200);
}

/* ---- the control ring --------------------------------------------------------- */

#define KEY  40u
#define MAP  8u
#define PORT ctrl_at[1]

static struct fakectrl ctrl;
static uint32_t ctrl_at[2]; /* reference and port */

static void set_up_ctrl(void)
{
	set_up_queues(2, true);
	fakectrl_front(&ctrl, nic.dom);
	ctrl_at[0] = ctrl.ring_ref;
	PORT = fakedom_port(nic.dom);
}

/* Ask, and wait for the event that tells of the one answer. */
static void ask(struct run *r, uint16_t type, uint32_t d0, uint32_t d1,
		uint32_t d2)
{
	struct xen_netif_ctrl_response rsp = { 0 };
	uint16_t id = fakectrl_put(&ctrl, type, d0, d1, d2);
	uint64_t end_ns = util_clock_ns() + PATIENCE_NS;

	fakedom_send(nic.dom, PORT);
	do {
		cr_assert(util_clock_ns() < end_ns, "death %u: request %u",
			  r->n, type);
		mind_worker(r);
	} while (!fakedom_wait(nic.dom, PORT, 1) ||
		 net_ctrl_ring_front_take(&ctrl.front, &rsp) != 1);
	cr_assert_eq(rsp.id, id, "death %u: request %u", r->n, type);
	cr_assert_eq(rsp.type, type);
	cr_assert_eq(rsp.status, XEN_NETIF_CTRL_STATUS_SUCCESS,
		     "death %u: request %u", r->n, type);
	cr_assert_not(net_ctrl_ring_front_arm(&ctrl.front, 1),
		      "death %u: a second answer", r->n);
}

/* Everything to queue 1, by a key. */
static void ask_all(struct run *r, struct net_hash *h)
{
	*h = (struct net_hash){
		.algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ,
		.types = 15,
		.nqueues = 2,
		.nmap = MAP,
	};
	for (unsigned int i = 0; i < KEY; i++)
		h->key[i] = (uint8_t)(i + r->n);
	for (unsigned int i = 0; i < MAP; i++)
		h->map[i] = 1;
	ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, h->algorithm, 0, 0);
	ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, h->types, 0, 0);
	memcpy(ctrl.page, h->key, KEY);
	ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, ctrl.page_ref, KEY, 0);
	ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, MAP, 0, 0);
	memcpy(ctrl.page, h->map, sizeof(h->map));
	ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, ctrl.page_ref, MAP / 2, 0);
	ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, ctrl.page_ref, MAP / 2,
	    MAP / 2);
}

/* Return: how many have come to queue @i, of those from number @first on. */
static unsigned int take_steered(struct run *r, unsigned int i, uint32_t first)
{
	struct fakenet *f = nic.front[i];
	struct virtio_net_hdr v;
	unsigned int got = 0;
	uint32_t no;

	fakedom_wait(nic.dom, f->keys.rx_port, 5);
	while (fakenet_recv(f, &v, in)) {
		memcpy(&no, in + NUMBER, sizeof(no));
		if (no < first)
			continue;
		cr_assert(i == 1 && f->mark.known,
			  "death %u: packet %u of %u.. in queue %u, %s hash",
			  r->n, no, first, i, f->mark.known ? "with" : "no");
		got++;
	}
	fakenet_post(f, PAGES - f->nposted);
	return got;
}

/* Packets that are sent from now on come to queue 1, and to no other. */
static void expect_steered(struct run *r)
{
	uint64_t end_ns = util_clock_ns() + PATIENCE_NS;
	uint32_t first = number[IN] + 1;
	unsigned int got = 0;

	while (got < 3) {
		cr_assert(util_clock_ns() < end_ns, "death %u: steered", r->n);
		mind_worker(r);
		send_in(r);
		(void)take_steered(r, 0, first);
		got += take_steered(r, 1, first);
	}
}

static unsigned int life_of_ctrl(unsigned int n)
{
	struct run r = { .n = n, .ctrl = ctrl_at };
	struct net_hash h;

	cr_assert_eq(net_ctrl_ring_front_init(&ctrl.front, &ctrl.ring, 1), 0);
	begin(&r);
	ask_all(&r, &h);
	cr_assert_arr_eq(&mortal->card.ctrl.hash, &h, sizeof(h), "death %u", n);
	cr_assert_eq(fakedom_entry(nic.dom, ctrl.page_ref)->flags,
		     GTF_permit_access | GTF_readonly, "death %u", n);
	expect_steered(&r);
	end(&r);
	fakedom_entry(nic.dom, ctrl.ring_ref)->flags = GTF_permit_access;
	return r.deaths;
}

TestSuite(net_deaths_ctrl, .init = set_up_ctrl, .fini = tear_down,
	  .timeout = 600);

Test(net_deaths_ctrl, at_every_step)
{
	unsigned int n = 1;

	while (life_of_ctrl(n))
		n++;
	cr_log_info("%u steps", n - 1);
	cr_expect_gt(n, 6 * 5u, "steps are not counted");
}

/*
 * An answer holds for each packet that comes after it, also for a thread that
 * looked what the guest wants just before.
 */
Test(net_deaths_ctrl, while_a_thread_is_late)
{
	struct run r = { .ctrl = ctrl_at };
	struct net_hash h;

	for (unsigned int late = 0; late < 10; late++) {
		cr_assert_eq(net_ctrl_ring_front_init(&ctrl.front, &ctrl.ring,
						      1),
			     0);
		begin(&r);
		atomic_store(&mortal->late, 1000 * late);
		for (int i = 0; i < 4; i++)
			send_in(&r); /* the threads have something to do */
		ask_all(&r, &h);
		expect_steered(&r);
		end(&r);
		fakedom_entry(nic.dom, ctrl.ring_ref)->flags =
			GTF_permit_access;
	}
}
