/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/guest/reconnect/main.c - a disk that is closed and opened many times.
 *
 * In turns the way a module is unloaded (Closing, Closed), the way a new kernel
 * takes over after a crash (Initialising, while the backend still serves the old
 * rings), and closing without waiting for anybody; always with reads under way.
 * What was under way must have ended before the backend connects again: a read
 * that came later would overwrite what the new kernel has in that memory.
 *
 *	cycles=N
 */
#include <stdint.h>
#include <xen/errno.h>

#include "guest-frontend/blkfront.h"
#include "guest-frontend/console.h"
#include "guest-frontend/events.h"
#include "guest-frontend/grants.h"
#include "guest-frontend/pages.h"
#include "guest-frontend/start.h"
#include "guest-frontend/xenbus.h"
#include "tests/guest/args.h"

#define DEPTH 16u
#define MARK  0xa5

static const struct blkfront_want wants[] = {
	{ 0 },
	{ .queues = 2, .order = 1, .segs = 64 },
	{ .abi32 = true },
};

static struct blkfront disk;
static struct blkfront_io ios[DEPTH];
static unsigned int late, lost, bad;

/* Reads that nobody will wait for. */
static void begin_reads(void)
{
	struct blkfront_queue *q = disk.queue[disk.nqueues - 1];

	for (unsigned int i = 0; i < DEPTH; i++) {
		ios[i].op = BLKIF_OP_READ;
		ios[i].sector = i * UINT64_C(8);
		ios[i].nsectors = 8;
		bad += blkfront_submit(q, &ios[i]) != 0;
	}
	blkfront_push(q);
}

static void mark(void)
{
	for (unsigned int i = 0; i < DEPTH; i++)
		memset(ios[i].buf, MARK, PAGE_BYTES);
}

static void look_for_marks(void)
{
	const uint8_t *p;

	events_sleep(2000000);
	for (unsigned int i = 0; i < DEPTH; i++) {
		p = ios[i].buf;
		for (unsigned int j = 0; j < PAGE_BYTES; j++)
			late += p[j] != MARK;
	}
}

/* The disk works: what is written is read. */
static void use(void)
{
	struct blkfront_io io = { .op = BLKIF_OP_WRITE,
				  .sector = 1024,
				  .nsectors = 8,
				  .buf = ios[0].buf };
	static uint8_t value;

	memset(io.buf, ++value, PAGE_BYTES);
	bad += blkfront_do(disk.queue[0], &io) != 0;
	memset(io.buf, 0, PAGE_BYTES);
	io.op = BLKIF_OP_READ;
	bad += blkfront_do(disk.queue[0], &io) != 0;
	bad += *(uint8_t *)io.buf != value;
}

static int unload(const struct blkfront_want *want)
{
	int ret = blkfront_stop(&disk);

	mark();
	return ret ? ret : blkfront_again(&disk, want);
}

/* The old kernel's memory is still there: its rings, its grants. */
static int take_over(const struct blkfront_want *want)
{
	struct blkfront old = disk;
	int ret;

	front_fini(&old.front);
	ret = blkfront_open(&disk, 51712, want);
	mark();
	for (unsigned int i = 0; i < old.nqueues; i++)
		blkfront_queue_free(old.queue[i]);
	return ret;
}

/* Closing and Closed at once, whatever the backend does. */
static int hurry(const struct blkfront_want *want)
{
	const char *dir = disk.front.dir;

	bad += xenbus_write_u64(XENBUS_NO_TXN, XenbusStateClosing, "%s/state",
				dir) != 0;
	bad += xenbus_write_u64(XENBUS_NO_TXN, XenbusStateClosed, "%s/state",
				dir) != 0;
	return take_over(want);
}

enum verdict guest_main(const char *cmdline)
{
	static int (*const ways[])(
		const struct blkfront_want *) = { unload, take_over, hurry };
	uint64_t cycles = arg_u64(cmdline, "cycles", 30), began;
	unsigned int refs, i;
	size_t pages;
	int ret;

	for (i = 0; i < DEPTH; i++)
		ios[i].buf = pages_alloc(1);
	if (xenbus_init() || !ios[DEPTH - 1].buf)
		return VERDICT_ERROR;
	pages = pages_left();
	refs = grants_free_refs();
	ret = blkfront_open(&disk, 51712, &wants[0]);
	began = events_now();
	for (i = 0; !ret && i < cycles; i++) {
		use();
		begin_reads();
		ret = ways[i % 3](&wants[i / 3 % 3]);
		if (!ret)
			look_for_marks();
	}
	say("reconnect cycles=%u ms=%lu late=%u bad=%u", i,
	    (unsigned long)((events_now() - began) / 1000000), late, bad);
	if (ret) {
		say("reconnect error %d", ret);
		return VERDICT_FAILURE;
	}
	use();
	ret = blkfront_close(&disk);
	lost = pages_left() != pages || grants_free_refs() != refs;
	say("reconnect closes=%d lost=%u", ret, lost);
	return ret || late || bad || lost ? VERDICT_FAILURE : VERDICT_SUCCESS;
}
