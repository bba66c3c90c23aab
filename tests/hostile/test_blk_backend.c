// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_blk_backend.c - blkfront against a backend that lies.
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <xen/xen.h>
#include <xen/errno.h>
#include <xen/io/blkif.h>

#include "base/domsock.h"
#include "guest-frontend/blkfront.h"
#include "guest-frontend/events.h"
#include "guest-frontend/grants.h"
#include "guest-frontend/pages.h"
#include "ring/ring.h"
#include "tests/lib/patience.h"
#include "tests/lib/procdom.h"
#include "tests/lib/storm.h"

#define NENT	32u
#define DEPTH	4u
#define WAIT_NS UINT64_C(5000000000)

RING_DEFINE(blk, struct blkif_request, struct blkif_response);

static struct fakedom *dom;
static struct blkfront disk;
static struct blkfront_queue *q;
static struct blkfront_ring ring;
static struct blk_back back;
static struct blkfront_io ios[DEPTH];
static void *shared; /* the ring's first page */
static size_t pages;
static unsigned int refs;
static int kick, call;

static void *granted(uint32_t ref)
{
	return fakedom_page(dom, fakedom_entry(dom, ref)->frame);
}

static void set_up(void)
{
	fakedom_run_dir();
	dom = fakedom_new(7, 4096);
	procdom_use(dom);
	for (unsigned int i = 0; i < DEPTH; i++)
		ios[i] = (struct blkfront_io){ .op = BLKIF_OP_READ,
					       .sector = i,
					       .nsectors = 8,
					       .buf = pages_alloc(1) };
	pages = pages_left();
	refs = grants_free_refs();
	disk.segs = 64;
	cr_assert_eq(blkfront_queue_new(&q, &disk, &ring), 0);
	shared = granted(ring.gref[0]);
	cr_assert_eq(blk_back_attach(&back, &shared, 1, NULL), 0);
	kick = call = -1;
}

static void tear_down(void)
{
	fakedom_free(dom);
	fakedom_run_dir_remove();
}

TestSuite(blk_backend, .init = set_up, .fini = tear_down, .timeout = 300);

/* Put all requests; the backend takes them. */
static void begin(struct blkif_request req[DEPTH])
{
	for (unsigned int i = 0; i < DEPTH; i++)
		cr_assert_eq(blkfront_submit(q, &ios[i]), 0);
	blkfront_push(q);
	for (unsigned int i = 0; i < DEPTH; i++)
		cr_assert_eq(blk_back_take(&back, &req[i]), 1);
}

static void answer(uint64_t id, uint8_t op, int16_t status)
{
	struct blkif_response rsp = { .id = id,
				      .operation = op,
				      .status = status };

	blk_back_put(&back, &rsp);
	(void)!blk_back_push(&back);
}

/* Every request in flight fails, once; then nothing more happens. */
static void expect_end(unsigned int n)
{
	struct blkfront_io *io;

	for (unsigned int i = 0; i < n; i++) {
		io = blkfront_done(q);
		cr_assert_not_null(io, "%u of %u", i, n);
		cr_expect_eq(io->status, -XEN_EIO);
	}
	cr_expect_null(blkfront_done(q));
	cr_expect_not(blkfront_wait(q, WAIT_NS));
	cr_expect_eq(blkfront_submit(q, &ios[0]), -XEN_EIO);
	blkfront_queue_free(q);
	cr_expect_eq(pages_left(), pages);
	cr_expect_eq(grants_free_refs(), refs);
}

/* A queue whose backend is honest, for comparison. */
Test(blk_backend, answers_are_believed)
{
	struct blkif_request req[DEPTH];
	struct blkfront_io *io;

	begin(req);
	answer(req[2].id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	answer(req[0].id, BLKIF_OP_READ, BLKIF_RSP_ERROR);
	answer(req[1].id, BLKIF_OP_READ, BLKIF_RSP_EOPNOTSUPP);
	answer(req[3].id, BLKIF_OP_READ, 12345);
	io = blkfront_done(q);
	cr_assert_eq(io, &ios[2]);
	cr_expect_eq(io->status, 0);
	io = blkfront_done(q);
	cr_assert_eq(io, &ios[0]);
	cr_expect_eq(io->status, -XEN_EIO);
	cr_expect_eq(blkfront_done(q)->status, -XEN_EOPNOTSUPP);
	cr_expect_eq(blkfront_done(q)->status, -XEN_EIO, "no such status");
	cr_expect_null(blkfront_done(q));
	cr_expect_eq(blkfront_inflight(q), 0);
	blkfront_queue_free(q);
	cr_expect_eq(pages_left(), pages);
	cr_expect_eq(grants_free_refs(), refs);
}

/* ---- Answers to what was not asked ------------------------------------------ */

struct lie {
	char name[32];
	uint64_t id;
	uint8_t op;
};

ParameterizedTestParameters(blk_backend, wrong_answer)
{
	static struct lie t[] = {
		{ "not in flight", DEPTH, BLKIF_OP_READ },
		{ "the last slot", NENT - 1, BLKIF_OP_READ },
		{ "beyond the slots", NENT, BLKIF_OP_READ },
		{ "far beyond", UINT64_MAX, BLKIF_OP_READ },
		{ "truncates to a slot", UINT64_C(1) << 32, BLKIF_OP_READ },
		{ "truncates to 16 bits", 1u << 16, BLKIF_OP_READ },
		{ "another operation", 0, BLKIF_OP_WRITE },
		{ "no operation", 0, 255 },
	};
	return cr_make_param_array(struct lie, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct lie *t, blk_backend, wrong_answer)
{
	struct blkif_request req[DEPTH];

	begin(req);
	answer(t->id, t->op, BLKIF_RSP_OKAY);
	expect_end(DEPTH);
}

Test(blk_backend, the_same_answer_twice)
{
	struct blkif_request req[DEPTH];

	begin(req);
	answer(req[1].id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	answer(req[1].id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	cr_expect_eq(blkfront_done(q), &ios[1]);
	expect_end(DEPTH - 1);
}

struct claim {
	char name[32];
	uint32_t rsp_prod;
};

ParameterizedTestParameters(blk_backend, impossible_index)
{
	static struct claim t[] = {
		{ "one more than asked", DEPTH + 1 },
		{ "a ring more", NENT },
		{ "half of all", 1u << 31 },
		{ "one back", UINT32_MAX },
	};
	return cr_make_param_array(struct claim, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct claim *t, blk_backend, impossible_index)
{
	struct blkif_request req[DEPTH];

	begin(req);
	/* req_prod, req_event, rsp_prod: xen/io/ring.h */
	((uint32_t *)shared)[2] = t->rsp_prod;
	expect_end(DEPTH);
}

/* ---- Pages ------------------------------------------------------------------- */

/* XSA-396: what the backend has not let go of must not be used again. */
Test(blk_backend, keeps_a_page)
{
	struct blkif_request req[DEPTH];
	struct blkfront_io *io;
	uint16_t *flags;

	begin(req);
	flags = &fakedom_entry(dom, req[1].seg[0].gref)->flags;
	__atomic_or_fetch(flags, GTF_reading | GTF_writing, __ATOMIC_SEQ_CST);
	answer(req[1].id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	io = blkfront_done(q);
	cr_assert_eq(io, &ios[1]);
	cr_expect_eq(io->status, -XEN_EBUSY);
	for (unsigned int i = 1; i < DEPTH; i++)
		cr_expect_eq(blkfront_done(q)->status, -XEN_EIO);
	cr_expect_null(blkfront_done(q));
	cr_expect(*flags & GTF_permit_access, "still granted");
	blkfront_queue_free(q);
	cr_expect_eq(grants_free_refs(), refs - 1, "and never given out again");
	cr_expect_eq(pages_left(), pages);
}

/* The ring itself: its page is lost with the connection, not used again. */
Test(blk_backend, keeps_the_ring)
{
	__atomic_or_fetch(&fakedom_entry(dom, ring.gref[0])->flags, GTF_writing,
			  __ATOMIC_SEQ_CST);
	blkfront_queue_free(q);
	cr_expect_eq(grants_free_refs(), refs - 1);
	cr_expect_eq(pages_left(), pages - 1);
}

/* XSA-403: whatever a granted page holds besides was made for the backend. */
Test(blk_backend, finds_nothing_beside_the_data)
{
	struct blkif_request req;
	struct blkfront_io io = { .op = BLKIF_OP_READ, .nsectors = 12 * 8 };
	const uint8_t *list;
	uint8_t *dirty;

	/* Memory that had another life. */
	dirty = pages_alloc(64);
	memset(dirty, 0x77, 64 * (size_t)PAGE_BYTES);
	pages_free(dirty, 64);
	io.buf = pages_alloc(12);
	cr_assert_eq(blkfront_submit(q, &io), 0);
	blkfront_push(q);
	cr_assert_eq(blk_back_take(&back, &req), 1);
	cr_assert_eq(req.operation, BLKIF_OP_INDIRECT);
	list = granted(((const struct blkif_request_indirect *)(void *)&req)
			       ->indirect_grefs[0]);
	for (size_t i = 12 * sizeof(struct blkif_request_segment);
	     i < PAGE_BYTES; i++)
		cr_assert_eq(list[i], 0, "byte %zu of the list", i);
	for (size_t i = 64 + sizeof(struct blkif_request); i < PAGE_BYTES; i++)
		cr_assert_eq(((const uint8_t *)shared)[i], 0,
			     "byte %zu of the ring", i);
}

/* ---- Noise ------------------------------------------------------------------- */

static atomic_bool stop;

/* Events without end and without answers: requests still get theirs. */
Test(blk_backend, event_storm)
{
	struct blkif_request req[DEPTH];
	struct blkfront_io *io;
	struct storm *storm = storm_start(dom, ring.port);

	for (unsigned int turn = 0; turn < 200; turn++) {
		begin(req);
		cr_assert_null(blkfront_done(q));
		(void)blkfront_wait(q, WAIT_NS);
		cr_assert_null(blkfront_done(q), "an event is no answer");
		for (unsigned int i = 0; i < DEPTH; i++)
			answer(req[i].id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
		for (unsigned int i = 0; i < DEPTH; i++) {
			io = blkfront_done(q);
			cr_assert(io && !io->status);
		}
	}
	storm_stop(storm);
}

static void wait_in_vain(void)
{
	(void)blkfront_wait(q, UINT64_C(10000000));
	cr_expect_null(blkfront_done(q));
}

/* XSA-391: one CPU waits in the storm; another works on. */
Test(blk_backend, event_storm_and_another_cpu)
{
	struct blkif_request req[DEPTH];

	begin(req);
	storm_and_another_cpu(dom, ring.port, wait_in_vain);
}

/* Responses change while they are read: each is a good one or the end. */
static pthread_mutex_t swap = PTHREAD_MUTEX_INITIALIZER; /* of the ring */

static void *flip(void *arg)
{
	uint32_t *slot;

	(void)arg;
	while (!atomic_load(&stop)) {
		pthread_mutex_lock(&swap);
		slot = (uint32_t *)shared + 64 / 4;
		for (unsigned int i = 0; i < DEPTH; i++) {
			__atomic_fetch_xor(&slot[i * 112 / 4], 0x80000000u,
					   __ATOMIC_RELAXED);
			__atomic_fetch_xor(&slot[i * 112 / 4 + 2], 0xffu,
					   __ATOMIC_RELAXED);
		}
		pthread_mutex_unlock(&swap);
	}
	return NULL;
}

Test(blk_backend, flipper)
{
	struct blkif_request req[DEPTH];
	struct blkfront_io *io;
	unsigned int good = 0, ended = 0, turn;
	uint64_t until = events_deadline(PATIENCE_NS);
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, flip, NULL), 0);
	for (turn = 0; turn < 2000 || !ended; turn++) {
		cr_assert(events_now() < until, "the flipper was never seen");
		begin(req);
		for (unsigned int i = 0; i < DEPTH; i++)
			answer(req[i].id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
		for (unsigned int i = 0; i < DEPTH; i++) {
			io = blkfront_done(q);
			cr_assert_not_null(io);
			good += !io->status;
			ended += io->status == -XEN_EIO;
		}
		cr_assert_null(blkfront_done(q));
		pthread_mutex_lock(&swap);
		blkfront_queue_free(q);
		cr_assert_eq(blkfront_queue_new(&q, &disk, &ring), 0);
		shared = granted(ring.gref[0]);
		cr_assert_eq(blk_back_attach(&back, &shared, 1, NULL), 0);
		pthread_mutex_unlock(&swap);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	cr_expect_eq(good + ended, turn * DEPTH);
	blkfront_queue_free(q);
	cr_expect_eq(pages_left(), pages);
}
