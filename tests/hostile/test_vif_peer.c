// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_vif_peer.c - a network frontend that attacks live daemons.
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "base/paths.h"
#include "dom0-backend/net_journal.h"
#include "tests/lib/fakenic.h"
#include "tests/lib/fakevif.h"
#include "tests/lib/fini.h"
#include "tests/lib/flipper.h"
#include "tests/lib/neighbour.h"
#include "tests/lib/netns.h"
#include "tests/lib/packet.h"
#include "tests/lib/patience.h"
#include "tests/lib/proc.h"

/*
 * As test_vbd_peer.c, with a card: an interface of the host's that nobody else
 * uses, with a packet socket at it.  The neighbour is the same, a disk in use.
 */
#define DOMID  3u
#define RAM    (6 * FAKENET_RAM) /* for 20 and more connections */
#define PREFIX "netback dom3/vif0: "
#define MS     PATIENCE_MS

/* Words of a ring's header (ring/WIRE.md). */
enum { REQ_PROD, REQ_EVENT, RSP_PROD, RSP_EVENT };

static struct stack s;
static struct neighbour *neighbour;
static struct fakedom *dom;
static struct fakevif vif;
static struct fakenet *q;
static struct fakenic host; /* only its packet socket */
static pid_t worker;
static uint8_t out[NET_RX_LEN_MAX], in[NET_RX_LEN_MAX];
static const struct virtio_net_hdr plain;

static void connect_card(void)
{
	q = fakenet_new(dom, true);
	cr_assert(fakevif_connect(&vif, &q, 1));
}

static void bring_up(void)
{
	dom = fakedom_new(DOMID, RAM);
	fakevif_attach(&vif, "net", "none");
	connect_card();
	worker = stack_worker(&s, "sv-netback", DOMID);
	cr_assert_gt(worker, 0);
	host.packet = packet_open("vif3.0");
}

static void reconnect(void)
{
	cr_assert(fakevif_step(&vif, "6", "6"));
	fakenet_free(q);
	stack_write(&s, "1", "%s/state", vif.fe);
	connect_card();
}

static void set_up(void)
{
	netns_enter();
	fakenic_silence();
	stack_start(&s, true);
	neighbour = neighbour_new(&s);
	fakevif_init(&vif, &s, DOMID);
	bring_up();
}

static void tear_down(void)
{
	FINI_CHECK(neighbour_end(neighbour));
	close(host.packet);
	fakenet_free(q);
	fakedom_free(dom);
	FINI_CHECK(stack_stop(&s));
}

TestSuite(vif_peer, .init = set_up, .fini = tear_down, .timeout = 300);

/* ---- what must hold after each attack ------------------------------------- */

/* Wait for a packet of @len bytes among others; Return: whether it came. */
static bool comes_in(int len, int ms)
{
	struct virtio_net_hdr v;

	while (ms > 0) {
		int got = fakenet_wait_recv(q, &v, in, 20);

		fakenet_post(q, 200);
		if (got == len)
			return true;
		if (got <= 0)
			ms -= 20;
	}
	return false;
}

/*
 * A frame passes in each direction. The cable was plugged in a moment ago, and
 * the kernel may be late to see that: it is sent until it comes.
 */
static void expect_service(void)
{
	struct virtio_net_hdr v;
	size_t len = 0;
	bool came = false;

	while (fakenic_from_guest(&host, &v, in, 0))
		;
	frame_udp(out, 900);
	for (int i = 0; i < MS / 20 && len != 900; i++) {
		cr_assert(fakenet_send(q, &plain, out, 900, 300));
		fakenet_push(q);
		cr_assert(fakenet_reap_all(q));
		len = fakenic_from_guest(&host, &v, in, 20);
	}
	cr_assert_eq(len, 900);
	cr_expect_arr_eq(in, out, 900);
	for (int i = 0; i < MS / 20 && !came; i++) {
		fakenic_to_guest(&host, &plain, out, 700);
		came = comes_in(700, 20);
	}
	cr_assert(came);
	cr_expect_arr_eq(in, out, 700);
}

static void expect_same_worker(void)
{
	cr_expect_eq(stack_worker(&s, "sv-netback", DOMID), worker,
		     "the worker was lost");
}

static void expect_closed(const char *word)
{
	char *why = NULL;

	cr_assert(stack_wait(&s, MS, "5", "%s/state", vif.be), "%s", word);
	cr_assert_eq(store_read(s.store, &why, "%s/error", vif.be), 0);
	cr_expect_not_null(strstr(why, word), "%s", why);
	cr_expect_eq(stack_logged(PREFIX "closing the device"), 1);
	cr_expect(!fakedom_bound(dom, q->keys.tx_port));
	cr_expect(!fakedom_bound(dom, q->keys.rx_port));
	free(why);
}

/* ---- a guest that floods --------------------------------------------------- */

static _Atomic bool flooding;

/* Good packets as fast as the ring takes them. */
static void *guest_flood(void *arg)
{
	(void)arg;
	while (flooding) {
		while (fakenet_send(q, &plain, out, 1400, 4096))
			;
		fakenet_push(q);
		fakenet_reap(q);
	}
	return NULL;
}

/* The host's side does the same. */
static void *host_flood(void *arg)
{
	static uint8_t frame[1400];

	(void)arg;
	frame_udp(frame, sizeof(frame));
	while (flooding)
		fakenic_to_guest(&host, &plain, frame, sizeof(frame));
	return NULL;
}

struct lie {
	char name[24];
	bool rx;
	uint32_t by; /* added to the true producer */
};

ParameterizedTestParameters(vif_peer, lie_at_line_rate)
{
	static struct lie t[] = {
		{ "tx, one too many", false, 600 },
		{ "tx, backwards", false, 0x80000000u },
		{ "rx, half the range", true, 0x80000000u },
	};

	return cr_make_param_array(struct lie, t, ARRAY_SIZE(t));
}

/* BE-05, BE-06: closed though packets come from both sides. */
ParameterizedTest(struct lie *t, vif_peer, lie_at_line_rate)
{
	_Atomic uint32_t *prod = t->rx ? q->rx_ring : q->tx_ring;
	pthread_t guest, outside;

	expect_service();
	flooding = true;
	pthread_create(&outside, NULL, host_flood, NULL);
	pthread_create(&guest, NULL, guest_flood, NULL);
	usleep(200000);
	flooding = false; /* the liar stops to be honest, and only it */
	pthread_join(guest, NULL);
	flooding = true;
	atomic_fetch_add(prod, t->by);
	fakedom_send(dom, q->keys.tx_port);
	fakedom_send(dom, q->keys.rx_port);
	expect_closed("index");
	flooding = false;
	pthread_join(outside, NULL);
	reconnect();
	expect_service();
	expect_same_worker();
}

/* BE-21: the thread has given up when the domain goes. */
Test(vif_peer, lies_and_dies)
{
	union net_tx_slot slot = { .req = { .size = 100 } };
	unsigned int fds = stack_fds(&s);

	for (int i = 0; i < 4; i++) {
		slot.req.flags = i % 2 ? NETTXF_more_data : 0;
		slot.req.gref = q->tx_page[0].gref;
		for (int k = 0; k < 100; k++)
			fakenet_put(q, &slot);
		fakenet_push(q);
		if (i & 2)
			fakevif_remove(&vif);
		fakenet_free(q);
		close(host.packet);
		fakedom_free(dom);
		if (!(i & 2))
			fakevif_remove(&vif);
		cr_assert(stack_wait_workers(&s, 1), "only the neighbour's");
		cr_expect(!store_exists(s.store, "%s", vif.be));
		bring_up();
		expect_service();
	}
	cr_expect(stack_fds_end(s.backend, fds));
}

/* ---- memory that changes --------------------------------------------------- */

/* BE-01, BE-03: the indices of both rings. */
Test(vif_peer, indices_flip)
{
	unsigned long long begin = 0;
	struct flipper *f;
	int turns = 0;

	while (turns < 2 || (flipper_time(&begin) && turns < 20)) {
		f = flipper_start(turns++ % 2 ? q->tx_ring : q->rx_ring, 16);
		for (int i = 0; i < 50; i++) {
			fakedom_send(dom, q->keys.tx_port);
			fakedom_send(dom, q->keys.rx_port);
			usleep(200);
		}
		flipper_stop(f);
		reconnect();
		expect_service();
	}
	expect_same_worker();
}

/* BE-01, NB-01, BE-24: the slots of tx requests, hundreds of drops a moment. */
Test(vif_peer, slots_flip)
{
	struct flipper *f =
		flipper_start((uint8_t *)q->tx_ring + 64, SV_PAGE_SIZE - 64);
	unsigned long long begin = 0;

	frame_udp(out, 900);
	while (flipper_time(&begin)) {
		for (int i = 0;
		     i < 60 && fakenet_send(q, &plain, out, 900, 300); i++)
			;
		fakenet_push(q);
		usleep(100);
		while (ring_front_free(&q->tx.ring) < FAKENET_PAGES &&
		       fakenet_reap(q))
			;
		for (q->nfree = 0; q->nfree < FAKENET_PAGES; q->nfree++)
			q->free[q->nfree] = (uint16_t)q->nfree;
	}
	flipper_stop(f);
	reconnect();
	expect_service();
	expect_same_worker();
	cr_expect_leq(stack_logged(PREFIX), stack_log_limit(&s, 40));
}

/* ---- states ---------------------------------------------------------------- */

static void *storm(void *arg)
{
	const struct fakenet *n = arg;
	uint32_t tx = n->keys.tx_port, rx = n->keys.rx_port;

	while (flooding) {
		fakedom_send(dom, tx);
		fakedom_send(dom, rx);
	}
	return NULL;
}

/* BE-14, BE-15, BE-17: events and states, both as fast as can be. */
Test(vif_peer, event_storm_and_any_states)
{
	unsigned int fds = stack_fds(&s), worker_fds = stack_fds_of(worker);
	unsigned long long begin = 0;
	char state[2] = "0";
	pthread_t t;

	flooding = true;
	pthread_create(&t, NULL, storm, q);
	while (flipper_time(&begin)) {
		state[0] = (char)('0' + rand() % 9);
		stack_write(&s, state, "%s/state", vif.fe);
	}
	flooding = false;
	pthread_join(t, NULL);
	/* Or Closed could be its answer to one of those, while it takes another. */
	cr_assert(fakevif_step(&vif, "1", "2"));
	reconnect();
	expect_service();
	expect_same_worker();
	cr_expect(stack_fds_end(s.backend, fds));
	cr_expect(stack_fds_end(worker, worker_fds));
	cr_expect_leq(stack_logged(PREFIX), stack_log_limit(&s, 40));
}

/* NB-06: what was read when it connected is what counts. */
Test(vif_peer, keys_rewritten_while_connected)
{
	static const char *const keys[] = {
		"tx-ring-ref",	    "rx-ring-ref",
		"event-channel",    "event-channel-tx",
		"event-channel-rx", "request-rx-copy",
		"feature-sg",	    "multi-queue-num-queues",
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		stack_write(&s, "4294967295", "%s/%s", vif.fe, keys[i]);
		expect_service();
	}
	cr_expect(stack_wait(&s, 0, "4", "%s/state", vif.be));
	reconnect();
	expect_service();
	expect_same_worker();
}

/* ---- a guest that does not take what is for it ----------------------------- */

static unsigned long rss_kib(pid_t pid)
{
	unsigned long size, rss = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	file = fopen(path, "r");
	cr_assert(file);
	cr_assert_eq(fscanf(file, "%lu %lu", &size, &rss), 2);
	fclose(file);
	return rss * (SV_PAGE_SIZE / 1024);
}

/*
 * BE-22, NB-11: its pages are used up but for too few, and none are to come. The
 * host's flood is dropped by the kernel, and what waits here does not grow. When
 * the guest takes again, all goes on at once.
 */
Test(vif_peer, flood_for_a_guest_that_takes_nothing)
{
	struct virtio_net_hdr v = frame_tcp(in, 60000, false, 1400);
	static uint8_t big[60000];
	unsigned long long begin = 0;
	unsigned long rss;

	memcpy(big, in, sizeof(big));
	expect_service();
	rss = rss_kib(worker);
	while (flipper_time(&begin))
		fakenic_to_guest(&host, &v, big, sizeof(big));
	cr_expect_leq(rss_kib(worker), rss + 4096, "%lu KiB, then %lu", rss,
		      rss_kib(worker));
	cr_expect(comes_in(sizeof(big), MS));
	expect_service();
	expect_same_worker();
}

/* ---- what a worker leaves to the next one --------------------------------------- */

static struct net_journal *map_journal(void)
{
	char path[PATH_MAX];
	void *p;
	int fd;

	snprintf(path, sizeof(path), "%s/journal/vif-%u-0", paths_run(), DOMID);
	fd = open(path, O_RDWR | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	p = mmap(NULL, sizeof(struct net_journal), PROT_READ | PROT_WRITE,
		 MAP_SHARED, fd, 0);
	cr_assert_neq(p, MAP_FAILED);
	close(fd);
	return p;
}

/* It takes part in nothing any more. */
static void stop_worker(void)
{
	kill(worker, SIGSTOP);
	cr_assert(SOON(proc_stopped(worker)));
}

static void kill_worker(void)
{
	pid_t now;

	kill(worker, SIGKILL);
	cr_assert(SOON((now = stack_worker(&s, "sv-netback", DOMID)) > 0 &&
		       now != worker),
		  "no successor");
	worker = now;
}

static void scribble(struct net_journal *j)
{
	struct net_journal_queue *log = &j->queue[(unsigned int)rand() % 2];
	struct net_journal_ring *r = rand() % 2 ? &log->tx : &log->rx;
	struct net_journal_slot *slot = &r->slot[(unsigned int)rand() % 256];
	uint32_t any = (uint32_t)rand() >> rand() % 31;

	switch (rand() % 8) {
	case 0:
		atomic_store(&j->head.nqueues, any);
		break;
	case 1:
		atomic_store(&r->taken, any);
		break;
	case 2:
		atomic_fetch_sub(&r->answered, any % 300);
		break;
	case 3:
		log->keys.tx_ref = any;
		break;
	case 4:
		j->ctrl.served = any % 2;
		break;
	case 5:
		atomic_fetch_add(&r->taken, any % 300);
		break;
	default:
		*slot = (struct net_journal_slot){ any, (uint16_t)any,
						   (uint16_t)(any >> 16) };
	}
}

/* A journal full of lies: the card may close, but nobody else is harmed. */
Test(vif_peer, journal_full_of_lies)
{
	struct net_journal *j = map_journal();

	srand(1);
	for (int turn = 0; turn < 20; turn++) {
		stop_worker();
		for (int i = rand() % 20; i >= 0; i--)
			scribble(j);
		kill_worker();
		reconnect();
		expect_service();
		expect_same_worker();
	}
	munmap(j, sizeof(*j));
}

/* A packet that the worker has taken when it stops for good. */
static uint32_t leave_packet(struct net_journal *j)
{
	struct net_journal_ring *r = &j->queue[0].tx;
	uint32_t gref = q->tx_page[7].gref;

	stop_worker();
	*net_journal_slot(r, atomic_load(&r->taken)) =
		(struct net_journal_slot){ .gref = gref, .id = 7 };
	fakedom_entry(dom, gref)->flags |= GTF_reading;
	net_journal_take(r, atomic_load(&r->taken) + 1);
	return gref;
}

/* GT-07: one that has closed gets all its pages back. */
Test(vif_peer, pages_come_back_from_the_dead)
{
	struct net_journal *j = map_journal();
	uint32_t gref = leave_packet(j);

	stack_write(&s, "6", "%s/state", vif.fe);
	kill_worker();
	cr_assert(stack_wait(&s, MS, "6", "%s/state", vif.be));
	cr_expect_eq(fakedom_entry(dom, gref)->flags,
		     GTF_permit_access | GTF_readonly);
	for (uint32_t i = 0; i < FAKENET_PAGES; i++)
		cr_assert_eq(fakedom_entry(dom, q->rx_page[i].gref)->flags,
			     GTF_permit_access, "page %u", i);
	cr_expect_eq(fakedom_entry(dom, q->keys.tx_ref)->flags,
		     GTF_permit_access);
	cr_expect_eq(fakedom_entry(dom, q->keys.rx_ref)->flags,
		     GTF_permit_access);
	fakenet_free(q);
	stack_write(&s, "1", "%s/state", vif.fe);
	connect_card();
	expect_service();
	munmap(j, sizeof(*j));
}

/* Another kernel, which has other rings: it is served, and the old are left alone. */
static void offer_others(void)
{
	q = fakenet_new(dom, true);
	fakevif_write_keys(&vif, &q, 1);
	fakenet_post(q, 100);
}

/* The same numbers, granted anew: nothing marks them. */
static void grant_again(void)
{
	uint16_t *tx = &fakedom_entry(dom, q->keys.tx_ref)->flags;
	uint16_t *rx = &fakedom_entry(dom, q->keys.rx_ref)->flags;

	*tx = *rx = GTF_permit_access;
	fakenet_restart(q);
	fakenet_post(q, 100);
}

/* Others, of pages that the dead worker has marked. */
static void swap_rings(void)
{
	uint32_t ref = q->keys.tx_ref;
	void *ring = q->tx_ring;

	q->keys.tx_ref = q->keys.rx_ref;
	q->keys.rx_ref = ref;
	q->tx_ring = q->rx_ring;
	q->rx_ring = ring;
	fakenet_restart(q);
	fakevif_write_keys(&vif, &q, 1);
	fakenet_post(q, 100);
}

static const struct {
	const char *name;
	void (*go)(void);
} ways[] = {
	{ "other rings", offer_others },
	{ "the same numbers", grant_again },
	{ "each other's pages", swap_rings },
};

ParameterizedTestParameters(vif_peer, anew_while_no_worker_lives)
{
	static unsigned int way[ARRAY_SIZE(ways)];

	for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++)
		way[i] = i;
	return cr_make_param_array(unsigned int, way, ARRAY_SIZE(ways));
}

/* FM-15: what a dead worker had of a connection that is over is left alone. */
ParameterizedTest(unsigned int *way, vif_peer, anew_while_no_worker_lives)
{
	const char *name = ways[*way].name;
	struct net_journal *j = map_journal();
	uint8_t was[2][SV_PAGE_SIZE];
	struct fakenet *old = q;

	(void)leave_packet(j);
	memcpy(was[0], old->tx_ring, SV_PAGE_SIZE);
	memcpy(was[1], old->rx_ring, SV_PAGE_SIZE);
	ways[*way].go();
	kill_worker();
	cr_assert(SOON(stack_logged("the frontend has begun anew")), "%s",
		  name);
	cr_assert(stack_wait(&s, MS, "4", "%s/state", vif.be), "%s", name);
	expect_service();
	cr_expect_eq(stack_logged("serving on"), 0, "%s", name);
	if (q != old) {
		cr_expect_arr_eq(old->tx_ring, was[0], SV_PAGE_SIZE);
		cr_expect_arr_eq(old->rx_ring, was[1], SV_PAGE_SIZE);
		fakenet_free(old);
	}
	munmap(j, sizeof(*j));
}
