// SPDX-License-Identifier: GPL-2.0-or-later
// tests/bench/recovery.c - how long a guest's disk stops when its worker is killed.
//
// usage: recovery IMAGE KILLS
//
// A process domain reads and writes all of IMAGE at random, 4 KiB and 16 requests at
// a time, through the real daemons.  The worker is killed (SIGKILL) at random moments,
// so many times; the time from each kill to the guest's next answered request is
// measured.  Prints percentiles in milliseconds: "p50 MS", "p99 MS", "max MS".
#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include <xen/io/blkif.h>

#include "tests/lib/fakevbd.h"
#include "tests/lib/latency.h"
#include "tests/lib/patience.h"

#define DOMID 3u
#define PAGES 512u
#define DEPTH 16u
#define SECTS 8u /* of a request */
#define MS    UINT64_C(1000000)
/* sv-backend lets the next one wait after many that lived less than 25 ms. */
#define LIFE_MIN (30 * MS)
#define LIFE_MAX (130 * MS)

static struct stack stack;
static struct fakevbd vbd;
static uint64_t sectors;
static uint32_t gref[DEPTH];

static void ask(uint64_t id)
{
	struct blk_req req = {
		.op = rand() % 2 ? BLKIF_OP_READ : BLKIF_OP_WRITE,
		.nseg = 1,
		.id = id,
		.sector = (uint64_t)rand() % (sectors / SECTS) * SECTS,
		.seg[0] = { gref[id], 0, SECTS - 1, 0 }
	};

	fakeblk_put(&vbd.q[0], &req);
}

/* Ask anew for each answer that is there; Return: how many there were. */
static unsigned int serve(int ms)
{
	struct fakeblk *q = &vbd.q[0];
	unsigned int n = 0;
	int16_t status;
	uint64_t id;
	uint8_t op;

	while (fakeblk_take(q, n ? 0 : ms, &id, &op, &status) == 1) {
		if (id >= DEPTH || status != BLKIF_RSP_OKAY)
			errx(1, "request %llu: status %d",
			     (unsigned long long)id, status);
		ask(id);
		n++;
	}
	fakeblk_push(q);
	return n;
}

/* Return: how long the guest was without an answer. */
static uint64_t end_worker(void)
{
	pid_t pid = stack_worker(&stack, "sv-blkback", DOMID);
	struct pollfd p = { .events = POLLIN };
	uint64_t began;

	p.fd = pid > 0 ? pidfd_open(pid, 0) : -1;
	if (p.fd < 0)
		err(1, "the disk's worker");
	began = util_clock_ns();
	if (kill(pid, SIGKILL) || poll(&p, 1, PATIENCE_MS) != 1)
		errx(1, "the worker does not die");
	close(p.fd);
	(void)serve(0); /* what the dead one has answered */
	if (!serve(PATIENCE_MS))
		errx(1, "no successor has answered");
	return util_clock_ns() - began;
}

static void live(uint64_t ns)
{
	uint64_t end = util_clock_ns() + ns;

	while (util_clock_ns() < end)
		(void)serve(1);
}

static void set_up(struct fakedom *dom)
{
	for (unsigned int i = 0; i < DEPTH; i++)
		gref[i] = fakedom_grant(dom, fakedom_alloc(dom, 1), 0);
	for (unsigned int i = 0; i < DEPTH; i++)
		ask(i);
	fakeblk_push(&vbd.q[0]);
}

static void print(const struct latency *l)
{
	printf("p50 %.3f\np99 %.3f\nmax %.3f\n",
	       (double)latency_us(l, 500) / 1000,
	       (double)latency_us(l, 990) / 1000, (double)l->worst_us / 1000);
}

int main(int argc, char **argv)
{
	static struct latency latency;
	struct fakedom *dom;
	int kills;

	if (argc != 3 || (kills = atoi(argv[2])) <= 0)
		errx(2, "usage: recovery IMAGE KILLS");
	stack_start(&stack, true);
	dom = fakedom_new(DOMID, PAGES);
	fakevbd_init(&vbd, &stack, DOMID);
	if (!fakevbd_bring_up(&vbd, dom, argv[1], BLK_ABI_X86_64, 0, 1))
		errx(1, "%s: the disk cannot be connected", argv[1]);
	if (store_read_u64(stack.store, UINT64_MAX, &sectors, "%s/sectors",
			   vbd.be) ||
	    sectors < SECTS)
		errx(1, "%s: smaller than a request", argv[1]);
	set_up(dom);
	for (int i = 0; i < kills; i++) {
		live(LIFE_MIN + (uint64_t)rand() % (LIFE_MAX - LIFE_MIN));
		latency_add(&latency, end_worker());
	}
	print(&latency);
	fakedom_free(dom);
	return stack_stop(&stack) ? 0 : 1;
}
