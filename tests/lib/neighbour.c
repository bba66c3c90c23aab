// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/neighbour.c - a well-behaved domain beside one that attacks.
#include "tests/lib/neighbour.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xen/io/blkif.h>

#include "tests/lib/fakevbd.h"
#include "tests/lib/latency.h"

#define DISK_PAGES 256u
#define PAGE_SECTS 8u
#define SLOWEST_NS 20000000000u
#define REST_US	   100
#define MIN_ROUNDS 100u
#define BASELINE   200u /* rounds of two requests */

struct neighbour {
	struct stack *stack;
	struct fakedom *dom;
	struct fakevbd vbd;
	char image[64];
	pid_t worker;
	uint8_t *page; /* granted as @gref */
	uint32_t gref;
	uint8_t shadow[DISK_PAGES][SV_PAGE_SIZE];

	pthread_t thread;
	_Atomic bool stop;
	_Atomic unsigned long rounds;
	struct latency before, during;
	char wrong[128];
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "neighbour: %s\n", what);
	abort();
}

/* One page of the disk to or from our only page of memory. */
static bool transfer(struct neighbour *n, uint8_t op, unsigned int at)
{
	struct blk_req req = { .op = op,
			       .nseg = 1,
			       .id = n->rounds,
			       .sector = at * PAGE_SECTS,
			       .seg[0] = { n->gref, 0, PAGE_SECTS - 1, 0 } };
	uint64_t begin = util_clock_ns(), took;
	int status = fakeblk_do(&n->vbd.q[0], &req);

	took = util_clock_ns() - begin;
	latency_add(n->rounds < BASELINE ? &n->before : &n->during, took);
	if (status == BLKIF_RSP_OKAY && took < SLOWEST_NS)
		return true;
	snprintf(n->wrong, sizeof(n->wrong),
		 "request %lu, operation %u: status %d after %llu ms",
		 atomic_load(&n->rounds), op, status,
		 (unsigned long long)took / 1000000);
	return false;
}

static bool write_page(struct neighbour *n, unsigned int at)
{
	memset(n->shadow[at], rand(), SV_PAGE_SIZE);
	memcpy(n->shadow[at], &(int){ rand() }, sizeof(int));
	memcpy(n->page, n->shadow[at], SV_PAGE_SIZE);
	return transfer(n, BLKIF_OP_WRITE, at);
}

static bool read_page(struct neighbour *n, unsigned int at)
{
	memset(n->page, 0x55, SV_PAGE_SIZE);
	if (!transfer(n, BLKIF_OP_READ, at))
		return false;
	if (!memcmp(n->page, n->shadow[at], SV_PAGE_SIZE))
		return true;
	snprintf(n->wrong, sizeof(n->wrong),
		 "page %u of the disk is not what was written", at);
	return false;
}

static void *live(void *arg)
{
	struct neighbour *n = arg;
	bool fine = true;

	while (fine && !atomic_load(&n->stop)) {
		fine = write_page(n, (unsigned int)rand() % DISK_PAGES) &&
		       read_page(n, (unsigned int)rand() % DISK_PAGES);
		atomic_fetch_add(&n->rounds, 1);
		usleep(REST_US);
	}
	return NULL;
}

struct neighbour *neighbour_new(struct stack *s)
{
	struct neighbour *n = calloc(1, sizeof(*n));
	uint64_t gfn;
	int fd;

	must(n, "out of memory");
	n->stack = s;
	snprintf(n->image, sizeof(n->image), "/tmp/sv-test-img-XXXXXX");
	fd = mkstemp(n->image);
	must(fd >= 0 && ftruncate(fd, sizeof(n->shadow)) == 0, "image");
	close(fd);
	n->dom = fakedom_new(NEIGHBOUR_DOMID, 16);
	fakevbd_init(&n->vbd, s, NEIGHBOUR_DOMID);
	must(fakevbd_bring_up(&n->vbd, n->dom, n->image, BLK_ABI_X86_64, 0, 1),
	     "its disk does not come up");
	n->worker = stack_worker(s, "sv-blkback", NEIGHBOUR_DOMID);
	must(n->worker > 0, "it has no worker");
	gfn = fakedom_alloc(n->dom, 1);
	n->page = fakedom_page(n->dom, gfn);
	n->gref = fakedom_grant(n->dom, gfn, 0);
	must(!pthread_create(&n->thread, NULL, live, n), "thread");
	while (atomic_load(&n->rounds) < BASELINE && !n->wrong[0])
		usleep(1000);
	return n;
}

/* What it may complain of when all requests were answered well. */
static void look_around(struct neighbour *n)
{
	static uint8_t now[sizeof(n->shadow)];
	int fd = open(n->image, O_RDONLY);

	if (read(fd, now, sizeof(now)) != (ssize_t)sizeof(now) ||
	    memcmp(now, n->shadow, sizeof(now)) != 0)
		snprintf(n->wrong, sizeof(n->wrong), "its image has changed");
	else if (!stack_wait(n->stack, 1000, "4", "%s/state", n->vbd.be))
		snprintf(n->wrong, sizeof(n->wrong), "its device was closed");
	else if (stack_worker(n->stack, "sv-blkback", NEIGHBOUR_DOMID) !=
		 n->worker)
		snprintf(n->wrong, sizeof(n->wrong), "its worker was lost");
	else if (!latency_kept("neighbour's disk", &n->before, &n->during))
		snprintf(n->wrong, sizeof(n->wrong), "it was slowed down");
	close(fd);
}

bool neighbour_end(struct neighbour *n)
{
	bool fine;

	while (atomic_load(&n->rounds) < BASELINE + MIN_ROUNDS && !n->wrong[0])
		usleep(1000);
	atomic_store(&n->stop, true);
	pthread_join(n->thread, NULL);
	if (!n->wrong[0])
		look_around(n);
	fine = !n->wrong[0];
	fprintf(stderr, "# neighbour: %lu rounds: %s\n",
		atomic_load(&n->rounds), fine ? "all is well" : n->wrong);
	fakedom_free(n->dom);
	fakevbd_remove(&n->vbd);
	unlink(n->image);
	free(n);
	return fine;
}
