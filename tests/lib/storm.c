// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/storm.c - events without pause, at a guest in this process.
#include "tests/lib/storm.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <criterion/criterion.h>

#include <xen/io/blkif.h>

#include "guest-frontend/blkfront.h"
#include "guest-frontend/pages.h"
#include "ring/ring.h"

#define REQUESTS 20000u
#define COSTLY	 10u /* times */

RING_DEFINE(its, struct blkif_request, struct blkif_response);

struct storm {
	pthread_t thread;
	atomic_bool stop;
	int fd;
};

static void *blow(void *arg)
{
	struct storm *s = arg;
	uint64_t one = 1;

	while (!atomic_load(&s->stop))
		(void)!write(s->fd, &one, sizeof(one));
	return NULL;
}

struct storm *storm_start(struct fakedom *dom, uint32_t port)
{
	struct storm *s = calloc(1, sizeof(*s));

	cr_assert(s);
	s->fd = fakedom_port_fd(dom, port);
	cr_assert_eq(pthread_create(&s->thread, NULL, blow, s), 0);
	return s;
}

void storm_stop(struct storm *s)
{
	atomic_store(&s->stop, true);
	pthread_join(s->thread, NULL);
	free(s);
}

/* ---- Another CPU ------------------------------------------------------------- */

/** struct worker - A disk's queue and the backend of it. */
struct worker {
	struct fakedom *dom;
	struct blkfront_queue *q;
	struct its_back back;
	uint8_t *buf;
};

static void *granted(struct fakedom *dom, uint32_t ref)
{
	return fakedom_page(dom, fakedom_entry(dom, ref)->frame);
}

/* A request and its answer. */
static void work(struct worker *w, uint8_t value)
{
	struct blkfront_io io = { .op = BLKIF_OP_READ,
				  .nsectors = 8,
				  .buf = w->buf };
	struct blkif_response rsp = { .operation = BLKIF_OP_READ };
	struct blkif_request req;

	cr_assert_eq(blkfront_submit(w->q, &io), 0);
	blkfront_push(w->q);
	cr_assert_eq(its_back_take(&w->back, &req), 1);
	memset(granted(w->dom, req.seg[0].gref), value, PAGE_BYTES);
	rsp.id = req.id;
	its_back_put(&w->back, &rsp);
	(void)!its_back_push(&w->back);
	cr_assert_eq(blkfront_done(w->q), &io);
	cr_assert_eq(io.status, 0);
	for (unsigned int i = 0; i < PAGE_BYTES; i++)
		cr_assert(w->buf[i] == value);
}

/* Return: nanoseconds of this thread that the requests took. */
static uint64_t requests(struct worker *w)
{
	struct timespec from, to;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	for (unsigned int i = 0; i < REQUESTS; i++)
		work(w, (uint8_t)i);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	return (uint64_t)(to.tv_sec - from.tv_sec) * 1000000000 +
	       (uint64_t)to.tv_nsec - (uint64_t)from.tv_nsec;
}

/** struct waiter - The CPU in the storm. */
struct waiter {
	void (*wait)(void);
	atomic_bool stop;
};

static void *wait_in_vain(void *arg)
{
	struct waiter *w = arg;

	while (!atomic_load(&w->stop))
		w->wait();
	return NULL;
}

void storm_and_another_cpu(struct fakedom *dom, uint32_t port,
			   void (*wait)(void))
{
	struct worker worker = { .dom = dom, .buf = pages_alloc(1) };
	const struct blkfront disk = { .segs = 11 };
	struct waiter waiter = { .wait = wait };
	struct blkfront_ring ring;
	uint64_t before, meanwhile;
	struct storm *storm;
	pthread_t thread;
	void *page;

	cr_assert_eq(blkfront_queue_new(&worker.q, &disk, &ring), 0);
	page = granted(dom, ring.gref[0]);
	cr_assert_eq(its_back_attach(&worker.back, &page, 1, NULL), 0);
	cr_assert_eq(pthread_create(&thread, NULL, wait_in_vain, &waiter), 0);
	before = requests(&worker);
	storm = storm_start(dom, port);
	meanwhile = requests(&worker);
	cr_expect_leq(meanwhile, before * COSTLY, "%llu ns, but %llu before",
		      (unsigned long long)meanwhile,
		      (unsigned long long)before);
	storm_stop(storm);
	atomic_store(&waiter.stop, true);
	pthread_join(thread, NULL);
	blkfront_queue_free(worker.q);
	pages_free(worker.buf, 1);
}
