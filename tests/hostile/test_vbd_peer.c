// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_vbd_peer.c - a block frontend that attacks live daemons.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>

#include "base/paths.h"
#include "tests/lib/fakevbd.h"
#include "tests/lib/fini.h"
#include "tests/lib/flipper.h"
#include "tests/lib/neighbour.h"
#include "tests/lib/patience.h"
#include "tests/lib/proc.h"

/*
 * How it works
 *
 * sv-xenstored and sv-backend run as they do in the field.  One domain attacks; a
 * neighbour reads and writes its own disk all the time and must not notice.  When
 * a test ends, the daemons end in good order, and no sanitizer has complained
 * about one of them or of their workers.
 */
#define DOMID	3u
#define SECTORS 2048u
#define PAGES	2048u
#define RING	32 /* requests */

#define PREFIX "blkback dom3/vbd51712: "

static struct stack s;
static struct neighbour *neighbour;
static struct fakedom *dom;
static struct fakevbd vbd;
static char image[64];
static uint8_t *page; /* granted as @gref */
static uint32_t gref;
static pid_t worker;

static void make_image(void)
{
	static uint8_t bytes[SECTORS * DISK_SECTOR];
	int fd;

	snprintf(image, sizeof(image), "/tmp/sv-test-img-XXXXXX");
	fd = mkstemp(image);
	memset(bytes, 0x77, sizeof(bytes));
	cr_assert_eq(write(fd, bytes, sizeof(bytes)), (ssize_t)sizeof(bytes));
	close(fd);
}

static void bring_up(void)
{
	cr_assert(fakevbd_bring_up(&vbd, dom, image, BLK_ABI_X86_64, 0, 1));
	worker = stack_worker(&s, "sv-blkback", DOMID);
	cr_assert_gt(worker, 0);
}

static void make_domain(void)
{
	uint64_t gfn;

	dom = fakedom_new(DOMID, PAGES);
	gfn = fakedom_alloc(dom, 1);
	page = fakedom_page(dom, gfn);
	gref = fakedom_grant(dom, gfn, 0);
}

static void set_up(void)
{
	stack_start(&s, true);
	neighbour = neighbour_new(&s);
	make_image();
	make_domain();
	fakevbd_init(&vbd, &s, DOMID);
	bring_up();
}

static void tear_down(void)
{
	FINI_CHECK(neighbour_end(neighbour));
	fakedom_free(dom);
	unlink(image);
	FINI_CHECK(stack_stop(&s));
}

TestSuite(vbd_peer, .init = set_up, .fini = tear_down, .timeout = 300);

/* ---- what must hold after each attack ------------------------------------- */

static struct blk_req one_page(uint8_t op, uint64_t sector)
{
	return (struct blk_req){ .op = op,
				 .nseg = 1,
				 .sector = sector,
				 .seg[0] = { gref, 0, 7, 0 } };
}

/* An honest request, there and back. */
static void expect_service(void)
{
	struct blk_req req = one_page(BLKIF_OP_WRITE, 64);
	int mark = rand() & 0xff;

	memset(page, mark, SV_PAGE_SIZE);
	cr_assert_eq(fakeblk_do(&vbd.q[0], &req), BLKIF_RSP_OKAY);
	memset(page, 0, SV_PAGE_SIZE);
	req.op = BLKIF_OP_READ;
	cr_assert_eq(fakeblk_do(&vbd.q[0], &req), BLKIF_RSP_OKAY);
	for (unsigned int i = 0; i < SV_PAGE_SIZE; i++)
		cr_assert_eq(page[i], mark);
}

static void expect_same_worker(void)
{
	cr_expect_eq(stack_worker(&s, "sv-blkback", DOMID), worker,
		     "the worker was lost");
}

static uint64_t cpu_ns(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	cr_assert_eq(clock_getcpuclockid(pid, &clock), 0);
	cr_assert_eq(clock_gettime(clock, &ts), 0);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Whatever the guest still sends, a closed device costs nothing. */
static void expect_idle(uint32_t port)
{
	uint64_t before = cpu_ns(worker);

	for (int i = 0; i < 20; i++) {
		fakedom_send(dom, port);
		usleep(5000);
	}
	cr_expect_lt(cpu_ns(worker) - before, 50000000u, "of 100 ms");
}

/* ---- rings ---------------------------------------------------------------- */

struct claim {
	char name[32];
	uint32_t prod;
};

ParameterizedTestParameters(vbd_peer, broken_ring)
{
	static struct claim t[] = {
		{ "one too many", 2 + RING + 1 },
		{ "half the range", 0x80000000u },
		{ "backwards", 1 },
		{ "backwards, wrapped", UINT32_MAX },
	};

	return cr_make_param_array(struct claim, t, ARRAY_SIZE(t));
}

/* BE-05, FM-16: closed at once, told once, and idle from then on. */
ParameterizedTest(struct claim *t, vbd_peer, broken_ring)
{
	uint32_t port = vbd.q[0].at.port;
	char *why = NULL;

	expect_service(); /* two requests */
	__atomic_store_n((uint32_t *)fakedom_page(dom, vbd.q[0].gfn), t->prod,
			 __ATOMIC_SEQ_CST);
	fakedom_send(dom, port);
	cr_assert(stack_wait(&s, 5000, "5", "%s/state", vbd.be), "%s", t->name);
	cr_assert_eq(store_read(s.store, &why, "%s/error", vbd.be), 0);
	cr_expect_not_null(strstr(why, "index"), "%s", why);
	free(why);
	expect_idle(port);
	cr_expect(!fakedom_bound(dom, port));
	cr_expect_eq(stack_logged(PREFIX "closing the device"), 1);
	cr_assert(fakevbd_reconnect(&vbd));
	expect_service();
	expect_same_worker();
}

/* GT-23: what lies in the ring's page when it is offered is not believed. */
Test(vbd_peer, ring_that_is_not_clean)
{
	blkif_sring_t *ring;

	cr_assert(fakevbd_step(&vbd, "6", "6"));
	cr_assert(fakevbd_step(&vbd, "1", "2"));
	fakeblk_init(&vbd.q[0], dom, BLK_ABI_X86_64, 0);
	ring = fakedom_page(dom, vbd.q[0].gfn);
	memset(ring, 0xff, SV_PAGE_SIZE);
	ring->rsp_prod = 0;
	fakevbd_write_ring(&vbd, &vbd.q[0], vbd.fe);
	cr_assert(fakevbd_step(&vbd, "3", "5"));
	cr_expect(store_exists(s.store, "%s/error", vbd.be));
	cr_assert(fakevbd_reconnect(&vbd));
	expect_service();
	expect_same_worker();
}

/* BE-01, BE-03: the ring's indices change all the time. */
Test(vbd_peer, indices_flip)
{
	unsigned long long begin = 0;
	struct flipper *f;
	int turns = 0;

	for (; turns < 2 || (flipper_time(&begin) && turns < 40); turns++) {
		f = flipper_start(fakedom_page(dom, vbd.q[0].gfn), 16);
		for (int i = 0; i < 50; i++) {
			fakedom_send(dom, vbd.q[0].at.port);
			usleep(200);
		}
		flipper_stop(f);
		cr_assert(fakevbd_reconnect(&vbd));
		expect_service();
	}
	expect_same_worker();
}

/* Whether the device has ended, with all that it has answered. */
static bool is_closing(void)
{
	uint64_t state;

	return !store_read_u64(s.store, 9, &state, "%s/state", vbd.be) &&
	       state == 5;
}

/* Requests that change while they are taken; how many were answered. */
static unsigned int flipped_requests(void)
{
	uint8_t *ring = fakedom_page(dom, vbd.q[0].gfn);
	struct flipper *f = flipper_start(ring + 64, SV_PAGE_SIZE - 64);
	struct blk_req req = one_page(BLKIF_OP_READ, 0);
	bool closing = false;
	unsigned int n = 0;
	int16_t status;
	uint64_t id;
	uint8_t op;
	int ret;

	for (int i = 0; i < RING; i++)
		fakeblk_put(&vbd.q[0], &req);
	fakeblk_push(&vbd.q[0]);
	while (n < RING && !closing) {
		closing = is_closing();
		ret = fakeblk_take(&vbd.q[0], 20, &id, &op, &status);
		if (ret < 0)
			break;
		n += (unsigned int)ret;
		closing &= !ret;
	}
	flipper_stop(f);
	return n;
}

/*
 * BE-01, BE-02, NB-01, NB-08: so do the slots, while their requests are taken.
 * A request may come to name the ring's own page; then the ring is what breaks.
 */
Test(vbd_peer, slots_flip)
{
	unsigned long long begin = 0;
	unsigned long served = 0;
	int broken = 0;

	while ((flipper_time(&begin) || served <= RING) && broken < 20) {
		unsigned int n = flipped_requests();

		served += n;
		if (n == RING)
			continue;
		cr_assert(stack_wait(&s, 5000, "5", "%s/state", vbd.be));
		cr_assert(fakevbd_reconnect(&vbd));
		broken++;
	}
	cr_log_info("%lu requests, %d broken rings", served, broken);
	cr_expect_gt(served, RING);
	expect_service();
	expect_same_worker();
	cr_expect_leq(stack_logged(PREFIX "request refused"),
		      stack_log_limit(&s, 10));
}

/* ---- states --------------------------------------------------------------- */

static _Atomic bool storming;

static void *storm(void *arg)
{
	while (storming)
		fakedom_send(dom, *(uint32_t *)arg);
	return NULL;
}

/* BE-14, BE-15, BE-16, BE-17: events and states, both as fast as can be. */
Test(vbd_peer, event_storm_and_any_states)
{
	uint32_t port = vbd.q[0].at.port;
	unsigned int fds = stack_fds(&s), worker_fds = stack_fds_of(worker);
	unsigned long long begin = 0;
	char state[2] = "0";
	pthread_t t;

	storming = true;
	cr_assert_eq(pthread_create(&t, NULL, storm, &port), 0);
	while (flipper_time(&begin)) {
		state[0] = (char)('0' + rand() % 9);
		stack_write(&s, state, "%s/state", vbd.fe);
	}
	storming = false;
	pthread_join(t, NULL);
	cr_assert(fakevbd_reconnect(&vbd));
	expect_service();
	expect_same_worker();
	cr_expect(stack_fds_end(s.backend, fds));
	cr_expect(stack_fds_end(worker, worker_fds));
	/* BE-30: each kind of line has a limit of 10 in 10 s. */
	cr_expect_leq(stack_logged(PREFIX), stack_log_limit(&s, 30), "%u lines",
		      stack_logged(PREFIX));
}

/* NB-06: garbage in all keys, at each state on the way, counts for nothing. */
Test(vbd_peer, keys_rewritten_at_every_state)
{
	static const char *const keys[] = {
		"ring-ref",
		"ring-ref0",
		"ring-page-order",
		"event-channel",
		"protocol",
		"feature-persistent",
		"multi-queue-num-queues",
	};
	static const char *const ways[][2] = {
		{ "4", "4" },
		{ "5", "5" },
		{ "6", "6" },
		{ "1", "2" },
	};
	char path[200];

	for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
		cr_assert(fakevbd_step(&vbd, ways[w][0], ways[w][1]));
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			stack_write(&s, "4294967295", "%s/%s", vbd.fe, keys[i]);
		if (w < 2)
			expect_service();
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		snprintf(path, sizeof(path), "%s/%s", vbd.fe, keys[i]);
		stack_rm(&s, path);
	}
	fakevbd_offer(&vbd, dom, BLK_ABI_X86_64, 0, 1);
	cr_assert(fakevbd_join(&vbd));
	expect_service();
	expect_same_worker();
}

/* ---- the end -------------------------------------------------------------- */

/* Fill the ring with the largest requests there are: 32 of 1 MiB. */
static void fill_ring(void)
{
	uint64_t gfn = fakedom_alloc(dom, 1);
	struct blk_seg *list = fakedom_page(dom, gfn);
	struct blk_req req = { .op = BLKIF_OP_READ,
			       .indirect = true,
			       .nseg = BLK_MAX_SEGS,
			       .gref = fakedom_grant(dom, gfn, 0) };

	for (unsigned int i = 0; i < BLK_MAX_SEGS; i++)
		list[i] = (struct blk_seg){ gref, i % 2 ? 4 : 0, i % 2 ? 7 : 3,
					    0 };
	for (req.id = 0; req.id < RING; req.id++)
		fakeblk_put(&vbd.q[0], &req);
	fakeblk_push(&vbd.q[0]);
}

/* BE-09, BE-21, GT-20, NB-09: a full ring, an impossible index, and gone. */
Test(vbd_peer, lies_and_dies)
{
	unsigned int fds = stack_fds(&s);

	for (int i = 0; i < 8; i++) {
		fill_ring();
		if (i % 2)
			*(_Atomic uint32_t *)fakedom_page(dom, vbd.q[0].gfn) =
				5000;
		fakedom_send(dom, vbd.q[0].at.port);
		if (i % 3 == 0)
			usleep((useconds_t)i * 300);
		if (i & 2) {
			fakevbd_remove(&vbd);
			fakedom_free(dom);
		} else {
			fakedom_free(dom);
			fakevbd_remove(&vbd);
		}
		cr_assert(stack_wait_workers(&s, 1), "only the neighbour's");
		cr_expect(!store_exists(s.store, "%s", vbd.be));
		make_domain();
		bring_up();
		expect_service();
	}
	cr_expect(stack_fds_end(s.backend, fds));
}

/* BE-09: the toolstack detaches twice while the guest closes and reads. */
Test(vbd_peer, detached_twice)
{
	fill_ring();
	for (int i = 0; i < 2; i++) {
		stack_write(&s, "0", "%s/online", vbd.be);
		stack_write(&s, "5", "%s/state", vbd.be);
		stack_write(&s, i ? "6" : "5", "%s/state", vbd.fe);
	}
	cr_expect(stack_wait(&s, 5000, "6", "%s/state", vbd.be));
	cr_assert(stack_wait_workers(&s, 1));
	fakevbd_remove(&vbd);
	bring_up();
	expect_service();
}

/*
 * FM-15: a new kernel takes over in the middle of I/O, without a word from the
 * old one.  Once it is asked to connect, no byte of the old one's requests moves,
 * neither in memory nor on the disk.
 */
Test(vbd_peer, new_kernel_in_mid_io)
{
	uint64_t gfn = fakedom_alloc(dom, RING);
	struct blk_req req;

	for (unsigned int turn = 0; turn < 10; turn++) {
		for (unsigned int i = 0; i < RING; i++) {
			req = one_page(i % 2 ? BLKIF_OP_READ : BLKIF_OP_WRITE,
				       64);
			req.seg[0].gref = fakedom_grant(dom, gfn + i, 0);
			memset(fakedom_page(dom, gfn + i), 0x11, SV_PAGE_SIZE);
			fakeblk_put(&vbd.q[0], &req);
		}
		fakeblk_push(&vbd.q[0]);
		cr_assert(fakevbd_step(&vbd, "1", "2"));
		memset(fakedom_page(dom, gfn), 0x22, RING * SV_PAGE_SIZE);
		fakevbd_offer(&vbd, dom, BLK_ABI_X86_64, 0, 1);
		cr_assert(fakevbd_join(&vbd));
		expect_service();
		for (unsigned int i = 0; i < RING * SV_PAGE_SIZE; i++)
			cr_assert_eq(((uint8_t *)fakedom_page(dom, gfn))[i],
				     0x22, "turn %u, byte %u", turn, i);
	}
	expect_same_worker();
}

/* All that fill_ring() asked is answered, once, and nothing had to be closed. */
static void expect_answers(void)
{
	int16_t status;
	uint64_t id, seen = 0;
	uint8_t op;

	for (int i = 0; i < RING; i++) {
		cr_assert_eq(fakeblk_take(&vbd.q[0], PATIENCE_MS, &id, &op,
					  &status),
			     1);
		cr_expect_eq(status, BLKIF_RSP_OKAY);
		cr_expect(!(seen >> id & 1), "answered twice");
		seen |= UINT64_C(1) << id;
	}
	cr_expect_eq(fakeblk_take(&vbd.q[0], 50, &id, &op, &status), 0);
	cr_expect(stack_wait(&s, 0, "4", "%s/state", vbd.be));
	expect_service();
}

/*
 * FM-01, NB-20: each device has a process; one that is killed takes no other along,
 * and its successor answers what it had taken.
 */
Test(vbd_peer, killed_worker)
{
	cr_expect_neq(stack_worker(&s, "sv-blkback", NEIGHBOUR_DOMID), worker);
	fill_ring();
	kill(worker, SIGKILL);
	expect_answers();
}

/* GT-07: the pages that a dead worker had marked come back when the guest closes. */
Test(vbd_peer, killed_while_the_frontend_closes)
{
	fill_ring();
	kill(worker, SIGSTOP);
	stack_write(&s, "6", "%s/state", vbd.fe);
	kill(worker, SIGKILL);
	cr_assert(stack_wait(&s, 5000, "6", "%s/state", vbd.be));
	for (uint32_t ref = 8; ref < 2000; ref++)
		cr_assert_eq(fakedom_entry(dom, ref)->flags &
				     (GTF_reading | GTF_writing),
			     0, "grant %u stays marked", ref);
	cr_assert(fakevbd_reconnect(&vbd));
	expect_service();
}

/* What a worker that the guest has taken over can leave to the next one. */
static struct journal *map_journal(void)
{
	char path[PATH_MAX];
	void *p;
	int fd;

	snprintf(path, sizeof(path), "%s/journal/vbd-%u-%u", paths_run(), DOMID,
		 FAKEVBD_DEVID);
	fd = open(path, O_RDWR);
	cr_assert_geq(fd, 0);
	p = mmap(NULL, sizeof(struct journal), PROT_READ | PROT_WRITE,
		 MAP_SHARED, fd, 0);
	cr_assert_neq(p, MAP_FAILED);
	close(fd);
	return p;
}

/* The worker is dead; wait until another has begun. */
static void expect_successor(void)
{
	pid_t now;

	cr_assert(SOON((now = stack_worker(&s, "sv-blkback", DOMID)) > 0 &&
		       now != worker),
		  "no successor");
	worker = now;
}

/* It takes part in nothing any more. */
static void stop_worker(void)
{
	kill(worker, SIGSTOP);
	cr_assert(SOON(proc_stopped(worker)));
}

/* FM-01: a request that ends whoever begins it is not begun for ever. */
Test(vbd_peer, request_that_kills)
{
	struct journal *j = map_journal();
	struct journal_queue *log = &j->queue[0];
	char *why = NULL;

	stop_worker();
	journal_take(log, &log->entry[3]);
	log->entry[3].redone = JOURNAL_REDO_MAX;
	kill(worker, SIGKILL);
	cr_assert(stack_wait(&s, 5000, "5", "%s/state", vbd.be));
	cr_assert_eq(store_read(s.store, &why, "%s/error", vbd.be), 0);
	cr_expect_not_null(strstr(why, "resume"), "%s", why);
	free(why);
	cr_assert(fakevbd_reconnect(&vbd));
	expect_service();
	munmap(j, sizeof(*j));
}

/* One lie of many kinds, in any place. */
static void scribble(struct journal *j)
{
	struct journal_queue *log = &j->queue[(unsigned int)rand() % 2];
	struct journal_entry *e =
		&log->entry[(unsigned int)rand() % (RING + 2)];
	uint32_t any = (uint32_t)rand() >> rand() % 31;

	switch (rand() % 8) {
	case 0:
		atomic_store(&j->head.nqueues, any);
		break;
	case 1:
		atomic_store(&log->taken, any * (uint64_t)any * any);
		break;
	case 2:
		log->ring.npages = any;
		break;
	case 3:
		log->ring.gref[(unsigned int)rand() % JOURNAL_RING_PAGES] = any;
		break;
	case 4:
		log->ring.port = any;
		break;
	case 5:
		log->ring.abi = any;
		break;
	default:
		for (size_t i = 0; i < JOURNAL_SLOT; i++)
			e->slot[i] = (uint8_t)(rand() >> rand() % 8);
		e->slot[0] &= 7;
		atomic_store(&e->seq, rand() % 2 ? any : 1);
	}
}

/* A journal full of lies: the device may close, but nobody else is harmed. */
Test(vbd_peer, journal_full_of_lies)
{
	struct journal *j = map_journal();

	srand(1);
	for (int turn = 0; turn < 40; turn++) {
		fill_ring();
		stop_worker();
		for (int i = rand() % 20; i >= 0; i--)
			scribble(j);
		kill(worker, SIGKILL);
		expect_successor();
		cr_assert(fakevbd_reconnect(&vbd), "turn %d", turn);
		expect_service();
		expect_same_worker();
	}
	munmap(j, sizeof(*j));
}

/* ---- what a guest writes to its disk -------------------------------------- */

/* NB-07, NB-19: an image is bytes, whatever format the guest makes it look. */
Test(vbd_peer, image_that_looks_like_another_format)
{
	static const char *const magic[] = {
		"QFI\xfb",
		"KDMV",
		"vhdxfile",
		"conectix",
		"LUKS\xba\xbe",
		"json:{\"driver\":\"file\",\"filename\":\"/etc/passwd\"}",
	};
	struct blk_req req = one_page(BLKIF_OP_WRITE, 0);
	unsigned int fds = stack_fds_of(worker);

	for (size_t i = 0; i < ARRAY_SIZE(magic); i++) {
		memset(page, 0, SV_PAGE_SIZE);
		strcpy((char *)page, magic[i]);
		req.op = BLKIF_OP_WRITE;
		cr_assert_eq(fakeblk_do(&vbd.q[0], &req), BLKIF_RSP_OKAY);
		fakevbd_remove(&vbd);
		cr_assert(stack_wait_workers(&s, 1));
		bring_up();
		cr_expect(stack_wait(&s, 0, "2048", "%s/sectors", vbd.be));
		cr_expect(stack_fds_end(worker, fds), "%s", magic[i]);
		memset(page, 0xff, SV_PAGE_SIZE);
		req.op = BLKIF_OP_READ;
		cr_assert_eq(fakeblk_do(&vbd.q[0], &req), BLKIF_RSP_OKAY);
		cr_expect_str_eq((char *)page, magic[i]);
	}
}

/* Do one request with a page whose bytes are all @mark; what they are then. */
static int page_of(uint8_t op, uint64_t sector, int mark)
{
	struct blk_req req = one_page(op, sector);

	memset(page, mark, SV_PAGE_SIZE);
	cr_assert_eq(fakeblk_do(&vbd.q[0], &req), BLKIF_RSP_OKAY);
	for (unsigned int i = 0; i < SV_PAGE_SIZE; i++)
		cr_assert_eq(page[i], page[0], "%u", i);
	return page[0];
}

/* NB-19: an image names files of the host's; the configuration's are used. */
Test(vbd_peer, image_that_names_files_of_the_host)
{
	static const char *const names[] = {
		"/etc/shadow",
		"json:{\"driver\":\"file\",\"filename\":\"/etc/shadow\"}",
		"nbd://localhost/",
	};
	char top[80], params[96], below[96], command[512];
	char *why = NULL;

	snprintf(top, sizeof(top), "%s-top", image);
	snprintf(params, sizeof(params), "qcow2:%s", top);
	snprintf(below, sizeof(below), "raw:%s", image);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(command, sizeof(command),
			 "qemu-img create -q -u -f qcow2 -F raw -b '%s' %s 1M",
			 names[i], top);
		unlink(top); /* what served the last one may not be gone */
		cr_assert_eq(system(command), 0, "%s", command);
		fakevbd_remove(&vbd);
		cr_assert(stack_wait_workers(&s, 1));
		fakevbd_attach(&vbd, params, "w");
		cr_assert(stack_wait(&s, 10000, "error", "%s/hotplug-status",
				     vbd.be));
		cr_assert_eq(store_read(s.store, &why, "%s/hotplug-error",
					vbd.be),
			     0);
		cr_expect(strstr(why, "backing="), "%s: %s", names[i], why);
		free(why);
		fakevbd_remove(&vbd);
		stack_write(&s, below, "%s/backing-1", vbd.be);
		cr_assert(fakevbd_bring_up(&vbd, dom, params, BLK_ABI_X86_64, 0,
					   1));
		cr_expect_eq(page_of(BLKIF_OP_READ, 0, 0), 0x77);
		cr_expect_eq(page_of(BLKIF_OP_WRITE, 8, 0x11), 0x11);
		cr_expect_eq(page_of(BLKIF_OP_READ, 8, 0), 0x11);
		cr_expect_eq(page_of(BLKIF_OP_READ, 16, 0), 0x77);
	}
	/* What was below was only read. */
	fakevbd_remove(&vbd);
	cr_assert(stack_wait_workers(&s, 1));
	bring_up();
	cr_expect_eq(page_of(BLKIF_OP_READ, 8, 0), 0x77);
	unlink(top);
}

/* ---- faults of the host --------------------------------------------------- */

/* FM-26: no descriptors for a new device; those that are served stay so. */
Test(vbd_peer, parent_without_descriptors)
{
	struct rlimit was, none;
	char *why = NULL;

	fakevbd_remove(&vbd);
	cr_assert(stack_wait_workers(&s, 1));
	cr_assert_eq(prlimit(s.backend, RLIMIT_NOFILE, NULL, &was), 0);
	none = was;
	none.rlim_cur = 4;
	cr_assert_eq(prlimit(s.backend, RLIMIT_NOFILE, &none, NULL), 0);
	fakevbd_attach(&vbd, image, "w");
	cr_assert(stack_wait(&s, 5000, "error", "%s/hotplug-status", vbd.be));
	cr_assert_eq(store_read(s.store, &why, "%s/hotplug-error", vbd.be), 0);
	cr_expect_not_null(strstr(why, "Too many open files"), "%s", why);
	free(why);
	cr_assert_eq(prlimit(s.backend, RLIMIT_NOFILE, &was, NULL), 0);
	fakevbd_remove(&vbd);
	bring_up();
	expect_service();
}

/* FM-29: a worker that is stopped for a while answers late, and once. */
Test(vbd_peer, stopped_worker_goes_on)
{
	fill_ring();
	kill(worker, SIGSTOP);
	usleep(500000);
	kill(worker, SIGCONT);
	expect_answers();
	expect_same_worker();
}

ParameterizedTestParameters(vbd_peer, signalled_worker)
{
	static int t[] = { SIGTERM, SIGHUP, SIGPIPE };

	return cr_make_param_array(int, t, ARRAY_SIZE(t));
}

/* FM-29: whoever ends a worker, another goes on. */
ParameterizedTest(int *sig, vbd_peer, signalled_worker)
{
	fill_ring();
	kill(worker, *sig);
	expect_answers();
}

/* ---- a frontend that begins anew while nobody serves it --------------------- */

#define THERE 512 /* sector of the old write; nobody else writes it */

/* The old kernel's pages, which are another's from now on. */
static struct {
	uint64_t gfn;
	uint32_t gref[2];
} old;

/* A read and a write that the worker has taken when it stops for good. */
static void leave_requests(struct journal *j)
{
	struct journal_queue *log = &j->queue[0];
	uint8_t *slot = (uint8_t *)fakedom_page(dom, vbd.q[0].gfn) + 64;
	struct blk_req req;

	stop_worker();
	old.gfn = fakedom_alloc(dom, 2);
	for (unsigned int i = 0; i < 2; i++, slot += JOURNAL_SLOT) {
		old.gref[i] = fakedom_grant(dom, old.gfn + i, 0);
		/* Not of one place: who does both may do either first. */
		req = i ? one_page(BLKIF_OP_WRITE, THERE)
			: one_page(BLKIF_OP_READ, THERE + 8);
		req.id = i;
		req.seg[0].gref = old.gref[i];
		fakeblk_put(&vbd.q[0], &req);
		memcpy(log->entry[i].slot, slot, JOURNAL_SLOT);
		fakedom_entry(dom, old.gref[i])->flags |= GTF_reading |
							  (i ? 0 : GTF_writing);
		journal_take(log, &log->entry[i]);
	}
	fakeblk_push(&vbd.q[0]);
	memset(fakedom_page(dom, old.gfn), 0x22, 2 * SV_PAGE_SIZE);
}

static void say(const char *state)
{
	stack_write(&s, state, "%s/state", vbd.fe);
}

static void offer_others(void)
{
	fakevbd_offer(&vbd, dom, BLK_ABI_X86_64, 0, 1);
}

static void go_round(void)
{
	say("5");
	say("6");
	say("1");
	offer_others();
}

static void join_others(void)
{
	offer_others();
	say("4");
}

/* A kernel that boots as the last one did has the same numbers. */
static void offer_same_numbers(void)
{
	fakeblk_restart(&vbd.q[0]);
	fakedom_entry(dom, vbd.q[0].at.gref[0])->flags = GTF_permit_access;
	say("3");
}

static void join_same_numbers(void)
{
	offer_same_numbers();
	say("4");
}

/* From here on one thing differs, and the grants are as they were. */
static void another_port(void)
{
	fakeblk_restart(&vbd.q[0]);
	vbd.q[0].at.port = fakedom_port(dom);
	fakevbd_write_ring(&vbd, &vbd.q[0], vbd.fe);
	say("3");
}

static void another_page(void)
{
	fakeblk_restart(&vbd.q[0]);
	vbd.q[0].at.gref[0] = fakedom_grant(dom, vbd.q[0].gfn, 0);
	fakevbd_write_ring(&vbd, &vbd.q[0], vbd.fe);
	say("3");
}

static void another_protocol(void)
{
	vbd.q[0].layout = &blk_layouts[BLK_ABI_X86_32];
	fakeblk_restart(&vbd.q[0]);
	stack_write(&s, "x86_32-abi", "%s/protocol", vbd.fe);
	say("3");
}

static void more_queues(void)
{
	char dir[160];

	fakeblk_restart(&vbd.q[0]);
	fakeblk_init(&vbd.q[1], dom, BLK_ABI_X86_64, 0);
	for (unsigned int i = 0; i < 2; i++) {
		snprintf(dir, sizeof(dir), "%s/queue-%u", vbd.fe, i);
		fakevbd_write_ring(&vbd, &vbd.q[i], dir);
	}
	stack_write(&s, "2", "%s/multi-queue-num-queues", vbd.fe);
	say("3");
}

/* Another worker has told that it begins anew, and died before it had. */
static void offer_and_be_told(void)
{
	offer_others();
	stack_write(&s, "2", "%s/state", vbd.be);
}

static void offer_and_close(void)
{
	offer_others();
	say("5");
}

static void offer_and_be_closed(void)
{
	offer_others();
	say("6");
}

static void be_closed(void)
{
	say("6");
}

static void offer_nothing(void)
{
	offer_others();
	stack_write(&s, "none", "%s/event-channel", vbd.fe);
}

/* @state: The backend's, then; 4: it serves what is offered. */
static const struct {
	const char *name, *state;
	void (*go)(void);
} ways[] = {
	{ "round by all states", "4", go_round },
	{ "straight to Initialised", "4", offer_others },
	{ "straight to Connected", "4", join_others },
	{ "the same numbers", "4", offer_same_numbers },
	{ "the same numbers, Connected", "4", join_same_numbers },
	{ "another port", "4", another_port },
	{ "another page", "4", another_page },
	{ "another protocol", "4", another_protocol },
	{ "more queues", "4", more_queues },
	{ "told, and died once more", "4", offer_and_be_told },
	{ "Closing after others", "5", offer_and_close },
	{ "Closed after others", "6", offer_and_be_closed },
	{ "Closed", "6", be_closed },
	{ "keys that are none", "5", offer_nothing },
};

ParameterizedTestParameters(vbd_peer, anew_while_no_worker_lives)
{
	static unsigned int way[ARRAY_SIZE(ways)];

	for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++)
		way[i] = i;
	return cr_make_param_array(unsigned int, way, ARRAY_SIZE(ways));
}

/*
 * FM-15, FM-01: what a dead worker had taken of a connection that is over is not
 * done again, neither in the guest's memory nor on the disk; its ring is left alone;
 * and who has offered another ring is served.
 */
ParameterizedTest(unsigned int *way, vbd_peer, anew_while_no_worker_lives)
{
	struct journal *j = map_journal();
	uint8_t *ring = fakedom_page(dom, vbd.q[0].gfn), was[SV_PAGE_SIZE];
	uint64_t gfn = vbd.q[0].gfn;
	const char *name = ways[*way].name, *state = ways[*way].state;
	bool reused;

	leave_requests(j);
	memset(ring, 0x33, SV_PAGE_SIZE);
	ways[*way].go();
	reused = vbd.q[0].gfn == gfn && *state == '4';
	memcpy(was, ring, sizeof(was));
	kill(worker, SIGKILL);
	expect_successor();
	cr_assert(stack_wait(&s, 5000, state, "%s/state", vbd.be), "%s", name);
	if (*state == '4')
		say("4");
	else
		cr_assert(fakevbd_reconnect(&vbd));
	expect_service();
	for (unsigned int i = 0; i < 2 * SV_PAGE_SIZE; i++)
		cr_assert_eq(((uint8_t *)fakedom_page(dom, old.gfn))[i], 0x22,
			     "%s: byte %u is the old read's", name, i);
	cr_expect_eq(page_of(BLKIF_OP_READ, THERE, 0), 0x77,
		     "%s: the old write was done", name);
	cr_expect(reused || !memcmp(ring, was, sizeof(was)),
		  "%s: the old ring has changed", name);
	cr_expect_eq(stack_logged("serving on"), 0);
	munmap(j, sizeof(*j));
}

ParameterizedTestParameters(vbd_peer, same_while_no_worker_lives)
{
	static char state[][2] = { "4", "2", "5" };

	return cr_make_param_array(char[2], state, ARRAY_SIZE(state));
}

/*
 * FM-01: the same requests, of a frontend that has stayed; also when the worker had
 * connected and not said so, and when the device is being detached.
 */
ParameterizedTest(char *state, vbd_peer, same_while_no_worker_lives)
{
	struct journal *j = map_journal();
	int16_t status;
	uint64_t id;
	uint8_t op;

	leave_requests(j);
	stack_write(&s, state, "%s/state", vbd.be);
	kill(worker, SIGKILL);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(fakeblk_take(&vbd.q[0], PATIENCE_MS, &id, &op,
					  &status),
			     1);
		cr_expect_eq(status, BLKIF_RSP_OKAY);
	}
	cr_expect_eq(*(uint8_t *)fakedom_page(dom, old.gfn), 0x77);
	cr_expect_eq(page_of(BLKIF_OP_READ, THERE, 0), 0x22);
	cr_expect_eq(stack_logged("serving on"), 1);
	cr_expect(stack_wait(&s, 5000, *state == '5' ? "5" : "4", "%s/state",
			     vbd.be));
	munmap(j, sizeof(*j));
}

/* GT-07: one that has closed gets its pages back, whatever became of its requests. */
Test(vbd_peer, pages_come_back_from_the_dead)
{
	struct journal *j = map_journal();
	uint32_t ref = vbd.q[0].at.gref[0];

	leave_requests(j);
	say("6");
	kill(worker, SIGKILL);
	cr_assert(stack_wait(&s, 5000, "6", "%s/state", vbd.be));
	for (int i = 0; i < 2; i++)
		cr_expect_eq(fakedom_entry(dom, old.gref[i])->flags,
			     GTF_permit_access);
	cr_expect_eq(fakedom_entry(dom, ref)->flags, GTF_permit_access);
	munmap(j, sizeof(*j));
}
