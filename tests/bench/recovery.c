// SPDX-License-Identifier: GPL-2.0-or-later
// tests/bench/recovery.c - how long a guest's disk or card stops when its worker is
// killed.
//
// usage: recovery IMAGE|card KILLS
//
// A process domain reads and writes all of IMAGE at random, 4 KiB and 16 requests at
// a time, through the real daemons; or it sends frames of 1514 bytes.  The worker is killed (SIGKILL) at random moments,
// so many times; the time from each kill to the guest's next answered request is
// measured.  Prints percentiles in milliseconds: "p50 MS", "p99 MS", "max MS".
#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include <xen/io/blkif.h>

#include "tests/lib/fakevbd.h"
#include "tests/lib/fakevif.h"
#include "tests/lib/latency.h"
#include "tests/lib/netns.h"
#include "tests/lib/patience.h"

#define DOMID 3u
#define PAGES FAKENET_RAM
#define DEPTH 16u
#define SECTS 8u /* of a request */
#define MS    UINT64_C(1000000)
/* sv-backend lets the next one wait after many that lived less than 25 ms. */
#define LIFE_MIN (30 * MS)
#define LIFE_MAX (130 * MS)

static struct stack stack;
static struct fakedom *dom;
static struct fakevbd vbd;
static struct fakevif vif;
static struct fakenet *card; /* NULL: it is a disk */
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
static unsigned int serve_disk(int ms)
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

static unsigned int serve_card(int ms)
{
	static const struct virtio_net_hdr plain;
	static const uint8_t frame[1514] = { 2, [12] = 0x88, 0xb5 };
	uint64_t end = util_clock_ns() + (uint64_t)ms * MS;
	unsigned int n = fakenet_reap(card);

	/* An event need not tell of an answer. */
	while (!n && util_clock_ns() < end) {
		(void)fakedom_wait(dom, card->keys.tx_port, ms);
		n = fakenet_reap(card);
	}
	for (unsigned int i = 0; i < DEPTH; i++)
		(void)fakenet_send(card, &plain, frame, sizeof(frame), 4096);
	fakenet_push(card);
	return n;
}

static unsigned int serve(int ms)
{
	return card ? serve_card(ms) : serve_disk(ms);
}

/* Return: how long the guest was without an answer. */
static uint64_t end_worker(void)
{
	pid_t pid =
		stack_worker(&stack, card ? "sv-netback" : "sv-blkback", DOMID);
	struct pollfd p = { .events = POLLIN };
	uint64_t began;

	p.fd = pid > 0 ? pidfd_open(pid, 0) : -1;
	if (p.fd < 0)
		err(1, "the worker");
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

static void set_up_card(void)
{
	card = fakenet_new(dom, true);
	fakevif_init(&vif, &stack, DOMID);
	fakevif_attach(&vif, "net", "none");
	if (!fakevif_connect(&vif, &card, 1))
		errx(1, "the card cannot be connected");
}

static void set_up_disk(const char *image)
{
	fakevbd_init(&vbd, &stack, DOMID);
	if (!fakevbd_bring_up(&vbd, dom, image, BLK_ABI_X86_64, 0, 1))
		errx(1, "%s: the disk cannot be connected", image);
	if (store_read_u64(stack.store, UINT64_MAX, &sectors, "%s/sectors",
			   vbd.be) ||
	    sectors < SECTS)
		errx(1, "%s: smaller than a request", image);
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
	int kills;

	if (argc != 3 || (kills = atoi(argv[2])) <= 0)
		errx(2, "usage: recovery IMAGE|card KILLS");
	netns_enter();
	stack_start(&stack, true);
	dom = fakedom_new(DOMID, PAGES);
	if (!strcmp(argv[1], "card"))
		set_up_card();
	else
		set_up_disk(argv[1]);
	for (int i = 0; i < kills; i++) {
		live(LIFE_MIN + (uint64_t)rand() % (LIFE_MAX - LIFE_MIN));
		latency_add(&latency, end_worker());
	}
	print(&latency);
	fakedom_free(dom);
	return stack_stop(&stack) ? 0 : 1;
}
