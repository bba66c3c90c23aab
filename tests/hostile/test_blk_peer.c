// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_blk_peer.c - block frontends that lie to sv-blkback.
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <xen/io/blkif.h>

#include "tests/lib/caplog.h"
#include "tests/lib/fakeblk.h"
#include "tests/lib/fini.h"
#include "tests/lib/flipper.h"
#include "tests/lib/patience.h"
#include "tests/lib/stack.h"

#define DOMID	5u
#define SECTORS 2048u
#define PAGES	512u

static struct fakedom *f;
static struct fakeblk_host host;
static struct log_limit limit, other_limit;
static struct blk_queue *q;
static struct fakeblk fb;
static uint32_t gref; /* a good page */
static uint8_t *page; /* the same */
static uint8_t image[SECTORS * DISK_SECTOR];

static void set_up(void)
{
	uint64_t gfn;

	log_init("test", LOG_LVL_ERR);
	srand(1);
	for (size_t i = 0; i < sizeof(image); i++)
		image[i] = (uint8_t)rand();
	fakeblk_host_init(&host, DOMID, PAGES,
			  fakeblk_image(image, sizeof(image)));
	f = host.dom;
	fakeblk_init(&fb, f, BLK_ABI_X86_64, 0);
	cr_assert_eq(blkback_start(&q, &host.dev, &host.disk, &fb.at, &limit),
		     0);
	gfn = fakedom_alloc(f, 1);
	page = fakedom_page(f, gfn);
	gref = fakedom_grant(f, gfn, 0);
}

static bool failed(int ms)
{
	struct pollfd p = { .fd = host.dev.fail_fd, .events = POLLIN };

	return poll(&p, 1, ms) > 0;
}

/* However it was treated, nothing stays pinned and the image is whole. */
static void tear_down(void)
{
	static uint8_t now[sizeof(image)];

	blkback_stop(q);
	FINI_CHECK(pread(host.disk.fd, now, sizeof(now), 0) ==
		   (ssize_t)sizeof(now));
	FINI_CHECK(!memcmp(now, image, sizeof(image)));
	fakeblk_host_fini(&host);
}

TestSuite(blk_peer, .init = set_up, .fini = tear_down, .timeout = 300);

static struct blk_req good_read(void)
{
	return (struct blk_req){ .op = BLKIF_OP_READ,
				 .nseg = 1,
				 .id = 0xfeedface12345678,
				 .sector = 16,
				 .seg[0] = { gref, 0, 7, 0 } };
}

static void expect_alive(void)
{
	struct blk_req req = good_read();

	memset(page, 0, 4096);
	cr_assert_eq(fakeblk_do(&fb, &req), BLKIF_RSP_OKAY);
	cr_expect_eq(memcmp(page, image + 16 * DISK_SECTOR, 4096), 0);
	cr_expect(!failed(0));
}

/* BE-10 and more: a bad request is an error response and moves no byte. */
Test(blk_peer, bad_requests)
{
	struct blk_req good = good_read(), bad[24];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = good;
	bad[n++].nseg = 0;
	bad[n++].nseg = 12;
	bad[n++].nseg = 255;
	bad[n++].seg[0].last = 8;
	bad[n++].seg[0].last = 255;
	bad[n++].seg[0].first = 255;
	bad[n].seg[0].first = 4;
	bad[n++].seg[0].last = 3;
	bad[n++].sector = SECTORS - 7;
	bad[n++].sector = SECTORS;
	bad[n++].sector = UINT64_MAX;
	bad[n++].sector = UINT64_MAX / 512 + 1;
	bad[n++].seg[0].gref = 0;
	bad[n++].seg[0].gref = gref + 1;
	bad[n++].seg[0].gref = UINT32_MAX;
	bad[n].op = BLKIF_OP_WRITE;
	bad[n++].sector = SECTORS;
	bad[n].indirect = true; /* its page is no list of segments we allow */
	bad[n].nseg = 257;
	bad[n++].gref = gref;
	bad[n].indirect = true;
	bad[n++].gref = UINT32_MAX;
	bad[n].indirect = true;
	bad[n].op = BLKIF_OP_FLUSH_DISKCACHE;
	bad[n++].gref = gref;
	bad[n++] = (struct blk_req){ .op = BLKIF_OP_DISCARD,
				     .nsectors = UINT64_MAX };
	bad[n++] = (struct blk_req){ .op = BLKIF_OP_DISCARD };
	memset(page, 0x5a, 4096);
	for (size_t i = 0; i < n; i++) {
		cr_expect_eq(fakeblk_do(&fb, &bad[i]), BLKIF_RSP_ERROR,
			     "bad request %zu", i);
		for (int b = 0; b < 4096; b++)
			cr_assert_eq(page[b], 0x5a, "request %zu moved", i);
	}
	bad[0] = good;
	bad[0].op = 200;
	cr_expect_eq(fakeblk_do(&fb, &bad[0]), BLKIF_RSP_EOPNOTSUPP);
	bad[0] = (struct blk_req){ .op = BLKIF_OP_DISCARD,
				   .nseg = BLKIF_DISCARD_SECURE,
				   .nsectors = 8 };
	cr_expect_eq(fakeblk_do(&fb, &bad[0]), BLKIF_RSP_EOPNOTSUPP);
	bad[0] = good;
	bad[0].op = BLKIF_OP_WRITE_BARRIER;
	bad[0].seg[0].gref = gref + 500;
	cr_expect_eq(fakeblk_do(&fb, &bad[0]), BLKIF_RSP_ERROR);
	expect_alive();
}

/* A good segment before the bad one is let go again. */
Test(blk_peer, half_good)
{
	struct blk_req req = good_read();

	req.nseg = 3;
	req.seg[1] = req.seg[0];
	req.seg[2] = (struct blk_seg){ gref + 500, 0, 7, 0 };
	for (int i = 0; i < 100; i++)
		cr_assert_eq(fakeblk_do(&fb, &req), BLKIF_RSP_ERROR);
	cr_expect_eq(gnt_pins(host.dev.gnt, gref), 0);
	expect_alive();
}

/* BE-18: one bad request in a batch of 32, at each place: it alone fails. */
Test(blk_peer, one_bad_among_many)
{
	int16_t status;
	uint64_t id;
	uint8_t op;

	for (uint64_t bad = 0; bad < 32; bad++) {
		for (uint64_t i = 0; i < 32; i++) {
			struct blk_req req = good_read();

			req.id = i;
			if (i == bad)
				req.seg[0].gref = gref + 500;
			fakeblk_put(&fb, &req);
		}
		fakeblk_push(&fb);
		for (int i = 0; i < 32; i++) {
			cr_assert_eq(fakeblk_take(&fb, PATIENCE_MS, &id, &op,
						  &status),
				     1);
			cr_expect_eq(status,
				     id == bad ? BLKIF_RSP_ERROR
					       : BLKIF_RSP_OKAY,
				     "%llu of %llu", (unsigned long long)id,
				     (unsigned long long)bad);
		}
	}
	expect_alive();
}

/*
 * BE-29, NB-03: pages whose frames lie far apart follow each other in the file
 * that is RAM, and their bytes may be joined; what lies between is not RAM.
 */
Test(blk_peer, pages_at_the_borders_of_ram)
{
	static const uint64_t frames[] = { PAGES / 2 - 1, FAKEDOM_HIGH,
					   FAKEDOM_HIGH + PAGES / 2 - 1, 0 };
	static const uint64_t holes[] = { PAGES / 2, FAKEDOM_HIGH - 1,
					  FAKEDOM_HIGH + PAGES / 2 };
	struct blk_req req = good_read();

	req.nseg = ARRAY_SIZE(frames);
	for (unsigned int i = 0; i < req.nseg; i++) {
		memset(fakedom_page(f, frames[i]), 0, 4096);
		req.seg[i] = (struct blk_seg){ fakedom_grant(f, frames[i], 0),
					       0, 7, 0 };
	}
	cr_assert_eq(fakeblk_do(&fb, &req), BLKIF_RSP_OKAY);
	for (unsigned int i = 0; i < req.nseg; i++)
		cr_expect_eq(memcmp(fakedom_page(f, frames[i]),
				    image + (16 + i * 8) * DISK_SECTOR, 4096),
			     0, "page %u", i);
	for (size_t i = 0; i < ARRAY_SIZE(holes); i++) {
		fakedom_entry(f, req.seg[1].gref)->frame = (uint32_t)holes[i];
		cr_expect_eq(fakeblk_do(&fb, &req), BLKIF_RSP_ERROR);
	}
	expect_alive();
}

/*
 * Races need both threads to run at once, which a busy machine may deny for a
 * while: go on until both outcomes were seen @often, or patience ends.
 */
static bool go_on(int loop, const int seen[2], int often)
{
	static uint64_t begin;

	if (loop == 0)
		begin = util_clock_ns();
	if (loop < 3000)
		return true;
	return (seen[0] < often || seen[1] < often) &&
	       util_clock_ns() - begin < PATIENCE_NS;
}

/*
 * Spoils a page at the moment when its entry's marks go away.
 * @round: The write that is under way, 0 when it is answered or spoilt.
 */
struct spoiler {
	grant_entry_v1_t *entry;
	uint8_t *page;
	_Atomic bool stop;
	_Atomic unsigned int round;
	_Atomic int spoilt;
};

static void *spoil(void *arg)
{
	struct spoiler *p = arg;
	unsigned int round, marked = 0;

	while (!p->stop) {
		round = p->round;
		if (__atomic_load_n(&p->entry->flags, __ATOMIC_SEQ_CST) &
		    GTF_reading) {
			marked = round;
		} else if (round && round == marked &&
			   atomic_compare_exchange_strong(&p->round, &round,
							  0)) {
			memset(p->page, 0xee, 4096);
			p->spoilt++;
		}
	}
	return NULL;
}

/* Write the page; how often it has been spoilt since is known when this ends. */
static void write_while_spoilt(struct spoiler *p, const struct blk_req *req,
			       unsigned int round)
{
	int before = p->spoilt;
	uint8_t now[4096];

	memcpy(p->page, image + 16 * DISK_SECTOR, 4096);
	p->round = round;
	cr_assert_eq(fakeblk_do(&fb, req), BLKIF_RSP_OKAY);
	cr_expect_eq(p->entry->flags, GTF_permit_access);
	if (!atomic_exchange(&p->round, 0)) {
		while (p->spoilt == before)
			;
	}
	cr_assert_eq(pread(host.disk.fd, now, 4096, 16 * DISK_SECTOR), 4096);
	cr_assert_eq(memcmp(now, image + 16 * DISK_SECTOR, 4096), 0);
}

/*
 * GT-07, FM-17: a page is free once its marks are gone, and they are gone when
 * the response is there.  What the guest writes from then on never reaches the
 * disk; a reference that it has ended is of no use.
 */
Test(blk_peer, pages_are_free_when_the_marks_are_gone)
{
	struct blk_req req = good_read();
	uint64_t gfn = fakedom_alloc(f, 1);
	struct spoiler p = { .page = fakedom_page(f, gfn) };
	int seen[2] = { 3000, 0 };
	pthread_t t;

	req.op = BLKIF_OP_WRITE;
	req.seg[0].gref = fakedom_grant(f, gfn, 0);
	p.entry = fakedom_entry(f, req.seg[0].gref);
	cr_assert_eq(pthread_create(&t, NULL, spoil, &p), 0);
	for (int i = 0; go_on(i, seen, 20); i++) {
		write_while_spoilt(&p, &req, (unsigned int)i + 1);
		seen[1] = p.spoilt;
	}
	p.stop = true;
	pthread_join(t, NULL);
	cr_log_info("spoilt %d times", p.spoilt);
	p.entry->flags = 0;
	memset(p.page, 0x5a, 4096);
	req.op = BLKIF_OP_READ;
	cr_expect_eq(fakeblk_do(&fb, &req), BLKIF_RSP_ERROR);
	for (int i = 0; i < 4096; i++)
		cr_assert_eq(p.page[i], 0x5a);
	expect_alive();
}

Test(blk_peer, read_only_page_is_not_written)
{
	uint64_t gfn = fakedom_alloc(f, 1);
	uint32_t ro = fakedom_grant(f, gfn, GTF_readonly);
	struct blk_req req = good_read();

	req.seg[0].gref = ro;
	cr_expect_eq(fakeblk_do(&fb, &req), BLKIF_RSP_ERROR);
	cr_expect_eq(*(uint8_t *)fakedom_page(f, gfn), 0);
	expect_alive();
}

/* NB-08: special pages are refused; a ring page only spoils itself. */
Test(blk_peer, special_pages)
{
	static const uint32_t frames[] = { FAKEDOM_STORE_GFN,
					   FAKEDOM_CONSOLE_GFN, 0xfee00,
					   UINT32_MAX };
	struct blk_req req = good_read();
	uint32_t ref = fakedom_grant(f, 1, 0);

	req.seg[0].gref = ref;
	for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
		fakedom_entry(f, ref)->frame = frames[i];
		cr_expect_eq(fakeblk_do(&fb, &req), BLKIF_RSP_ERROR);
	}
	for (int i = 0; i < 4096; i++)
		cr_assert_eq(((uint8_t *)fakedom_store_page(f))[i], 0);
	expect_alive();
}

/* NB-05: 32 requests of one id, pages and kinds mixed: one answer each. */
Test(blk_peer, same_id_everywhere)
{
	struct blk_req req = good_read();
	int16_t status;
	uint64_t id;
	uint8_t op;
	int errors = 0;

	for (int i = 0; i < 32; i++) {
		req = good_read();
		if (i % 4 == 3)
			req.nseg = 99;
		if (i % 4 == 2)
			req = (struct blk_req){ .op = BLKIF_OP_FLUSH_DISKCACHE,
						.id = req.id };
		fakeblk_put(&fb, &req);
	}
	fakeblk_push(&fb);
	for (int i = 0; i < 32; i++) {
		cr_assert_eq(fakeblk_take(&fb, PATIENCE_MS, &id, &op, &status),
			     1);
		cr_expect_eq(id, req.id);
		errors += status != BLKIF_RSP_OKAY;
	}
	cr_expect_eq(errors, 8);
	cr_expect_eq(fakeblk_take(&fb, 50, &id, &op, &status), 0);
	expect_alive();
}

struct claim {
	char name[32];
	uint32_t prod;
};

ParameterizedTestParameters(blk_peer, impossible_producer)
{
	static struct claim t[] = {
		{ "one too many", 33 + 1 },
		{ "far ahead", 0x80000000 },
		{ "backwards", 0 },
		{ "backwards, wrapped", UINT32_MAX },
	};

	return cr_make_param_array(struct claim, t, ARRAY_SIZE(t));
}

/* NB-08: a ring that is read over is a broken ring, and no more. */
Test(blk_peer, reading_over_the_ring)
{
	struct blk_req req = good_read();
	int16_t status;
	uint64_t id;
	uint8_t op;

	req.seg[0].gref = fb.at.gref[0];
	fakeblk_put(&fb, &req);
	fakeblk_push(&fb);
	(void)fakeblk_take(&fb, 100, &id, &op, &status);
	fakedom_send(f, fb.at.port);
	cr_expect(failed(1000));
}

/* BE-05: the connection ends at once; the thread does not run on. */
ParameterizedTest(struct claim *t, blk_peer, impossible_producer)
{
	_Atomic uint32_t *ring = fakedom_page(f, fb.gfn);

	expect_alive(); /* one request made, one answered */
	atomic_store(ring, t->prod);
	fakedom_send(f, fb.at.port);
	cr_expect(failed(1000), "%s", t->name);
	cr_expect_not_null(strstr(atomic_load(&host.dev.failure), "ring"));
	fakedom_wait(f, fb.at.port, 0);
	atomic_store(ring, 2); /* repentance changes nothing */
	fakedom_send(f, fb.at.port);
	cr_expect(!fakedom_wait(f, fb.at.port, 50));
}

/* A storm of events without work: served as if there were none. */
Test(blk_peer, event_storm)
{
	for (int i = 0; i < 100000; i++)
		fakedom_send(f, fb.at.port);
	expect_alive();
}

/* One entry's permission comes and goes while its page is asked for. */
static _Atomic bool flipping;

static void *flip_entry(void *arg)
{
	grant_entry_v1_t *e = fakedom_entry(f, *(uint32_t *)arg);
	uint64_t good, bad = 0;
	int which = 0;

	memcpy(&good, e, sizeof(good));
	while (flipping) {
		/* Flags, domid and frame, each alone and together. */
		switch (which++ % 4) {
		case 0:
			__atomic_store_n(&e->flags, 0, __ATOMIC_RELAXED);
			break;
		case 1:
			__atomic_store_n(&e->domid, 9, __ATOMIC_RELAXED);
			break;
		case 2:
			__atomic_store_n(&e->frame, FAKEDOM_STORE_GFN,
					 __ATOMIC_RELAXED);
			break;
		default:
			__atomic_store_n((uint64_t *)(void *)e, bad,
					 __ATOMIC_RELAXED);
		}
		__atomic_store_n((uint64_t *)(void *)e, good, __ATOMIC_RELAXED);
	}
	return NULL;
}

Test(blk_peer, grants_change_under_us)
{
	struct blk_req req = good_read();
	uint64_t gfn = fakedom_alloc(f, 1);
	uint32_t ref = fakedom_grant(f, gfn, 0);
	int status, seen[2] = { 0 };
	pthread_t t;

	req.seg[0].gref = ref;
	flipping = true;
	cr_assert_eq(pthread_create(&t, NULL, flip_entry, &ref), 0);
	for (int i = 0; go_on(i, seen, 300); i++) {
		status = fakeblk_do(&fb, &req);
		cr_assert(status == BLKIF_RSP_OKAY || status == BLKIF_RSP_ERROR,
			  "status %d", status);
		seen[status == BLKIF_RSP_OKAY]++;
	}
	flipping = false;
	pthread_join(t, NULL);
	cr_log_info("%d served, %d refused", seen[1], seen[0]);
	cr_expect_eq(gnt_pins(host.dev.gnt, ref), 0);
	for (int i = 0; i < 4096; i++)
		cr_assert_eq(((uint8_t *)fakedom_store_page(f))[i], 0,
			     "a frame was read twice");
	expect_alive();
}

/*
 * The bytes of a request change while it is taken.  What is used must be what was
 * judged: reads go to this page only, within it, and writes nowhere.
 */
static void *flip_slot(void *arg)
{
	uint8_t *slot = (uint8_t *)fakedom_page(f, fb.gfn) + 64;
	unsigned int seed = 1;

	(void)arg;
	while (flipping) {
		int byte = rand_r(&seed) % 48; /* header, two segments */
		uint8_t *at = slot + (rand_r(&seed) % 32) * 112 + byte;
		uint8_t was = __atomic_load_n(at, __ATOMIC_RELAXED);

		if (byte == 0) /* turn it into anything but a write */
			__atomic_store_n(at,
					 (uint8_t)(rand_r(&seed) % 2 ? 6 : 200),
					 __ATOMIC_RELAXED);
		else
			__atomic_store_n(at, (uint8_t)rand_r(&seed),
					 __ATOMIC_RELAXED);
		__atomic_store_n(at, was, __ATOMIC_RELAXED);
	}
	return NULL;
}

Test(blk_peer, requests_change_under_us)
{
	uint64_t guard = fakedom_alloc(f, 2);
	struct blk_req req;
	int16_t status;
	uint64_t id;
	uint8_t op;
	int seen[2] = { 0 };
	pthread_t t;

	flipping = true;
	cr_assert_eq(pthread_create(&t, NULL, flip_slot, NULL), 0);
	for (int i = 0; go_on(i, seen, 10); i++) {
		req = good_read();
		for (int k = 0; k < 8; k++)
			fakeblk_put(&fb, &req);
		fakeblk_push(&fb);
		for (int k = 0; k < 8; k++) {
			cr_assert_eq(fakeblk_take(&fb, PATIENCE_MS, &id, &op,
						  &status),
				     1);
			seen[status == BLKIF_RSP_OKAY]++;
		}
	}
	flipping = false;
	pthread_join(t, NULL);
	for (int i = 0; i < 8192; i++)
		cr_assert_eq(((uint8_t *)fakedom_page(f, guard))[i], 0);
	expect_alive();
}

/* Indirect segments change while they are copied out. */
static void *flip_segs(void *arg)
{
	uint8_t *at = arg;
	unsigned int seed = 1;

	while (flipping) {
		uint8_t *p =
			at + 4 + (rand_r(&seed) % 64) * 8 + rand_r(&seed) % 2;

		__atomic_store_n(p, 200, __ATOMIC_RELAXED);
		__atomic_store_n(p, 7, __ATOMIC_RELAXED);
	}
	return NULL;
}

Test(blk_peer, indirect_segments_change_under_us)
{
	uint64_t gfn = fakedom_alloc(f, 1), guard = fakedom_alloc(f, 1);
	struct blk_seg *seg = fakedom_page(f, gfn);
	struct blk_req req = { .op = BLKIF_OP_READ,
			       .indirect = true,
			       .nseg = 64,
			       .gref = fakedom_grant(f, gfn, 0) };
	pthread_t t;
	int status, seen[2] = { 0 };

	for (int i = 0; i < 64; i++)
		seg[i] = (struct blk_seg){ gref, 7, 7, 0 };
	flipping = true;
	cr_assert_eq(pthread_create(&t, NULL, flip_segs, seg), 0);
	for (int i = 0; go_on(i, seen, 300); i++) {
		status = fakeblk_do(&fb, &req);
		cr_assert(status == BLKIF_RSP_OKAY ||
			  status == BLKIF_RSP_ERROR);
		seen[status == BLKIF_RSP_OKAY]++;
	}
	flipping = false;
	pthread_join(t, NULL);
	for (int i = 0; i < 4096; i++)
		cr_assert_eq(((uint8_t *)fakedom_page(f, guard))[i], 0);
	expect_alive();
}

struct slot {
	const char *name;
	enum blk_abi abi;
	struct blk_req req;
	int16_t status;
};

/*
 * BE-07: of ours a response shows its fields and zeroes; the rest of its slot,
 * and all other slots, are as the guest left them.
 */
static void check_slot(const struct slot *t)
{
	const struct blk_layout *l = &blk_layouts[t->abi];
	struct fakeblk other;
	struct blk_queue *oq;
	uint8_t *slot;

	fakeblk_init(&other, f, t->abi, 0);
	slot = (uint8_t *)fakedom_page(f, other.gfn) + 64;
	memset(slot, 0xaa, 4096 - 64);
	cr_assert_eq(blkback_start(&oq, &host.dev, &host.disk, &other.at,
				   &other_limit),
		     0);
	cr_expect_eq(fakeblk_do(&other, &t->req), t->status, "%s", t->name);
	blkback_stop(oq);
	cr_expect_eq(slot[9], 0, "%s", t->name);
	for (size_t i = 12; i < l->rsp; i++)
		cr_expect_eq(slot[i], 0, "%s: byte %zu", t->name, i);
	for (size_t i = l->slot; i < 4096 - 64; i++)
		cr_assert_eq(slot[i], 0xaa, "%s: byte %zu", t->name, i);
}

Test(blk_peer, padding_is_zero)
{
	struct slot t[] = {
		{ "good read", 0, good_read(), BLKIF_RSP_OKAY },
		{ "bad read", 0, good_read(), BLKIF_RSP_ERROR },
		{ "flush", 0, { .op = BLKIF_OP_FLUSH_DISKCACHE }, 0 },
		{ "unknown", 0, { .op = 200 }, BLKIF_RSP_EOPNOTSUPP },
	};

	t[1].req.nseg = 200;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		for (int abi = 0; abi < BLK_NABI; abi++) {
			t[i].abi = (enum blk_abi)abi;
			check_slot(&t[i]);
		}
	}
}

/* BE-27: rings that cannot be are refused; nothing is left bound, pinned, open. */
Test(blk_peer, bad_rings)
{
	struct fakeblk other;
	struct blk_queue *oq;
	struct blk_ring bad;
	unsigned int fds;

	fakeblk_init(&other, f, BLK_ABI_X86_32, 2);
	fds = stack_fds_of(getpid());
	for (int i = 0; i < 200; i++) {
		bad = other.at;
		bad.gref[3] = 2000;
		cr_expect_eq(blkback_start(&oq, &host.dev, &host.disk, &bad,
					   &other_limit),
			     -ENOENT);
		bad = other.at;
		bad.port = 60;
		cr_expect_eq(blkback_start(&oq, &host.dev, &host.disk, &bad,
					   &other_limit),
			     -EINVAL);
		bad.port = fb.at.port; /* another queue's */
		cr_expect_eq(blkback_start(&oq, &host.dev, &host.disk, &bad,
					   &other_limit),
			     -EINVAL);
		bad.npages = 3;
		cr_expect_eq(blkback_start(&oq, &host.dev, &host.disk, &bad,
					   &other_limit),
			     -EINVAL);
	}
	for (unsigned int i = 0; i < 4; i++)
		cr_expect_eq(gnt_pins(host.dev.gnt, other.at.gref[i]), 0);
	cr_expect(!fakedom_bound(f, other.at.port));
	cr_expect_eq(stack_fds_of(getpid()), fds);
	cr_assert_eq(blkback_start(&oq, &host.dev, &host.disk, &other.at,
				   &other_limit),
		     0);
	blkback_stop(oq);
	expect_alive();
}

/* BE-19, BE-27: each step of a connection that needs a descriptor fails in turn. */
Test(blk_peer, connections_fail_at_each_step)
{
	unsigned int fds, good = 0, bad = 0;
	struct rlimit was, few;
	struct fakeblk other;
	struct blk_queue *oq;
	int next;

	fakeblk_init(&other, f, BLK_ABI_X86_64, 0);
	fds = stack_fds_of(getpid());
	next = dup(STDIN_FILENO);
	close(next);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	for (unsigned int more = 0; more < 6; more++) {
		few = was;
		few.rlim_cur = (rlim_t)next + more;
		cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
		if (blkback_start(&oq, &host.dev, &host.disk, &other.at,
				  &other_limit)) {
			bad++;
		} else {
			good++;
			blkback_stop(oq);
		}
		cr_assert_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
		cr_expect_eq(stack_fds_of(getpid()), fds, "%u", more);
		cr_expect_eq(gnt_pins(host.dev.gnt, other.at.gref[0]), 0);
	}
	cr_expect_geq(bad, 3, "the event channel's two and the disk's one");
	cr_expect_geq(good, 1);
	expect_alive();
}

/* BE-09, NB-09: stop at any moment of a full queue; what was taken is done. */
Test(blk_peer, stop_under_load)
{
	struct blk_req req = good_read();

	for (int i = 0; i < 200; i++) {
		struct fakeblk other;
		struct blk_queue *oq;

		if (i % 10 == 0)
			fakeblk_init(&other, f, BLK_ABI_X86_64, 0);
		memset(fakedom_page(f, other.gfn), 0, 4096);
		ring_front_init(&other.ring,
				(void *[]){ fakedom_page(f, other.gfn) }, 1,
				112)
			? abort()
			: (void)0;
		cr_assert_eq(blkback_start(&oq, &host.dev, &host.disk,
					   &other.at, &other_limit),
			     0);
		for (int k = 0; k < 32; k++)
			fakeblk_put(&other, &req);
		fakeblk_push(&other);
		if (i % 3)
			usleep((useconds_t)(i % 20) * 10);
		blkback_stop(oq);
	}
	cr_expect_eq(gnt_pins(host.dev.gnt, gref), 0);
	expect_alive();
}

/* A frontend that connects anew has not got a new limit. */
Test(blk_peer, reconnects_do_not_fill_the_log)
{
	struct blk_req req = { .op = 99 };
	struct blk_queue *oq;
	struct fakeblk other;
	unsigned int lines = 0;
	const char *log;

	log_init("test", LOG_LVL_WARN);
	caplog_begin();
	for (int i = 0; i < 30; i++) {
		fakeblk_init(&other, f, BLK_ABI_X86_64, 0);
		cr_assert_eq(blkback_start(&oq, &host.dev, &host.disk,
					   &other.at, &other_limit),
			     0);
		cr_expect_eq(fakeblk_do(&other, &req), BLKIF_RSP_EOPNOTSUPP);
		blkback_stop(oq);
	}
	for (log = caplog_end(); (log = strchr(log, '\n')); log++)
		lines++;
	cr_expect_eq(lines, 10, "%u", lines);
}

/* BE-30: nor does one that goes on and on. */
Test(blk_peer, refusals_do_not_fill_the_log)
{
	struct blk_req req = good_read();
	unsigned int lines = 0;
	const char *log;

	log_init("test", LOG_LVL_WARN);
	caplog_begin();
	for (unsigned int i = 0; i < 10000; i++) {
		req.nseg = (uint16_t)(12 + i % 200);
		cr_assert_eq(fakeblk_do(&fb, &req), BLKIF_RSP_ERROR);
	}
	for (log = caplog_end(); (log = strchr(log, '\n')); log++)
		lines++;
	cr_expect_leq(lines, 11, "%u", lines);
	cr_expect_geq(lines, 1);
	expect_alive();
}

/* BE-13, BE-20: who asks for persistent grants gets none. */
Test(blk_peer, grants_are_not_kept)
{
	struct blk_req req = good_read();
	uint64_t gfn = fakedom_alloc(f, 100);
	uint32_t ref;

	for (unsigned int i = 0; i < 100; i++) {
		ref = fakedom_grant(f, gfn + i, 0);
		req.seg[0].gref = ref;
		cr_assert_eq(fakeblk_do(&fb, &req), BLKIF_RSP_OKAY);
		cr_assert_eq(fakedom_entry(f, ref)->flags, GTF_permit_access);
		cr_assert_eq(gnt_pins(host.dev.gnt, ref), 0);
	}
}

#define GIVEN 8u /* pages */

static uint64_t given; /* the first */
static atomic_bool done_giving;

static void *give_back(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; !done_giving; i++)
		fakedom_give(f, given + i % GIVEN);
	return NULL;
}

/* Each byte is what was moved, or zero because its page went; both come. */
static void expect_moved_or_zero(const uint8_t *got, const uint8_t *want,
				 unsigned int seen[2])
{
	for (unsigned int i = 0; i < SV_PAGE_SIZE; i++) {
		cr_assert(!got[i] || got[i] == want[i], "byte %u", i);
		seen[got[i] == want[i]]++;
	}
}

/* FM-18: a guest loses its own pages under I/O, and nothing else. */
Test(blk_peer, memory_given_back_under_io)
{
	static uint8_t want[SV_PAGE_SIZE], got[SV_PAGE_SIZE];
	unsigned int in[2] = { 0 }, out[2] = { 0 }, n = 0;
	struct blk_req rd = good_read(), wr = good_read(), back = good_read();
	unsigned long long begin = 0;
	uint32_t ref[GIVEN];
	pthread_t giver;
	uint8_t *mem;

	given = fakedom_alloc(f, GIVEN);
	for (unsigned int i = 0; i < GIVEN; i++)
		ref[i] = fakedom_grant(f, given + i, 0);
	memset(want, 0x5a, sizeof(want));
	wr.op = back.op = BLKIF_OP_WRITE;
	wr.sector = back.sector = SECTORS / 2;
	cr_assert_eq(pthread_create(&giver, NULL, give_back, NULL), 0);
	/* Some pages must have gone in time, and some not. */
	for (; flipper_time(&begin) || !in[0] || !in[1] || !out[0] || !out[1];
	     n++) {
		mem = fakedom_page(f, given + n % GIVEN);
		rd.seg[0].gref = wr.seg[0].gref = ref[n % GIVEN];
		cr_assert_eq(fakeblk_do(&fb, &rd), BLKIF_RSP_OKAY);
		memcpy(got, mem, sizeof(got));
		expect_moved_or_zero(got, image + 16 * DISK_SECTOR, in);
		memcpy(mem, want, sizeof(want));
		cr_assert_eq(fakeblk_do(&fb, &wr), BLKIF_RSP_OKAY);
		cr_assert_eq(pread(host.disk.fd, got, sizeof(got),
				   SECTORS / 2 * DISK_SECTOR),
			     (ssize_t)sizeof(got));
		expect_moved_or_zero(got, want, out);
	}
	done_giving = true;
	pthread_join(giver, NULL);
	for (unsigned int i = 0; i < GIVEN; i++)
		cr_expect_eq(gnt_pins(host.dev.gnt, ref[i]), 0);
	memcpy(page, image + SECTORS / 2 * DISK_SECTOR, SV_PAGE_SIZE);
	cr_assert_eq(fakeblk_do(&fb, &back), BLKIF_RSP_OKAY);
	expect_alive();
}
