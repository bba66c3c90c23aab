// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/system_disk.c - the disk of the domain that does anything (F18).
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/errno.h>
#include <xen/io/blkif.h>

#include "base/util.h"
#include "guest-frontend/blkfront.h"
#include "guest-frontend/pages.h"
#include "tests/fuzz/system.h"

#define DEVID	51712u
#define SECTORS 8192u
#define DEPTH	16u

static struct blkfront disk, old;
static struct blkfront_io ios[DEPTH];
static uint8_t value;
static char image[] = "/tmp/sv-system-XXXXXX";

void system_disk_init(void)
{
	int fd = mkstemp(image);

	if (fd < 0 || ftruncate(fd, SECTORS * (off_t)512))
		exit(2);
	close(fd);
	for (unsigned int i = 0; i < DEPTH; i++)
		ios[i].buf = pages_alloc(4);
}

void system_disk_fini(void)
{
	unlink(image);
}

/* ---- Connecting ----------------------------------------------------------------- */

static int join(uint64_t a, bool again)
{
	struct blkfront_want want = {
		.queues = (unsigned int)(a & 3),
		.order = (unsigned int)(a >> 2 & 3),
		.segs = a & 16 ? 64 : 0,
		.abi32 = a & 32,
		.persistent = a & 64,
	};

	return again ? blkfront_again(&disk, &want)
		     : blkfront_open(&disk, DEVID, &want);
}

static int stop(void)
{
	return blkfront_stop(&disk);
}

static void abandon(void)
{
	old = disk;
	front_fini(&old.front);
}

static void drop(void)
{
	while (old.nqueues)
		blkfront_queue_free(old.queue[--old.nqueues]);
}

static unsigned int nqueues(void)
{
	return disk.nqueues;
}

static const char *ring_key(uint64_t a)
{
	(void)a;
	return disk.order ? "ring-ref0" : "ring-ref";
}

static void bend(uint8_t *slot, uint64_t a)
{
	slot[0] = (uint8_t)(a % 8);
	slot[1] = (uint8_t)(a >> 8 & 15);
	if (a & 1u << 16)
		memset(slot + 16, 0, 8);
}

/* ---- Requests -------------------------------------------------------------------- */

static struct blkfront_queue *some_queue(uint64_t a)
{
	return disk.nqueues ? disk.queue[a % disk.nqueues] : NULL;
}

static void finish(struct blkfront_queue *q)
{
	do {
		while (blkfront_done(q))
			;
	} while (blkfront_wait(q, SYSTEM_STEP_S * SYSTEM_SECOND));
}

/* Requests that nobody waits for; those of last time have ended. */
void system_disk_submit(struct system_dev *d, uint64_t a, uint64_t b)
{
	struct blkfront_queue *q = some_queue(a);

	for (unsigned int i = 0; d->clean && i < disk.nqueues; i++)
		finish(disk.queue[i]);
	for (unsigned int i = 0; q && d->clean && i < DEPTH; i++) {
		ios[i].op = b & 1 ? BLKIF_OP_READ : BLKIF_OP_WRITE;
		ios[i].sector = (b >> 1) % (SECTORS / 2 - 32);
		ios[i].nsectors = 1 + (b >> 8) % 32;
		(void)blkfront_submit(q, &ios[i]);
	}
	if (q)
		blkfront_push(q);
}

void system_disk_reap(struct system_dev *d, uint64_t a, uint64_t b)
{
	struct blkfront_queue *q = some_queue(a);

	(void)d;
	(void)b;
	while (q && blkfront_done(q))
		;
	if (q && blkfront_wait(q, SYSTEM_SECOND / 100))
		(void)blkfront_done(q);
}

/* Write and read back. */
static void verify(uint64_t a, uint64_t b)
{
	struct blkfront_queue *q = some_queue(a);
	struct blkfront_io io = { .op = BLKIF_OP_WRITE,
				  .sector = SECTORS / 2 + b % 1024,
				  .nsectors = 1 + b % 32 };
	uint8_t *page;
	int ret;

	finish(q);
	page = io.buf = pages_alloc(4);
	memset(page, ++value, io.nsectors * 512);
	ret = blkfront_do(q, &io);
	memset(page, 0, io.nsectors * 512);
	io.op = BLKIF_OP_READ;
	if (!ret)
		ret = blkfront_do(q, &io);
	MUST(!ret, "an honest request failed: %d", ret);
	for (size_t i = 0; i < io.nsectors * 512; i++)
		MUST(page[i] == value, "byte %zu is not what was written", i);
	pages_free(page, 4);
}

static const struct system_key fe_keys[] = { { 0 } };
static const struct system_key be_keys[] = {
	{ "params", image }, { "removable", "0" }, { "dev", "xvda" },
	{ "type", "phy" },   { "mode", "w" },	   { 0 },
};
static const char *const lies[] = {
	"ring-ref",
	"ring-ref0",
	"ring-page-order",
	"protocol",
	"multi-queue-num-queues",
	"event-channel",
	NULL,
};
static const char *const bells[] = { "event-channel", NULL };

struct system_dev system_disk = {
	.program = "sv-blkback",
	.dir = "device/vbd/51712",
	.fe = "/local/domain/3/device/vbd/51712",
	.be = "/local/domain/0/backend/vbd/3/51712",
	.fe_keys = fe_keys,
	.be_keys = be_keys,
	.lies = lies,
	.bells = bells,
	.slot = 112,
	.slots = 32,
	.join = join,
	.stop = stop,
	.abandon = abandon,
	.drop = drop,
	.nqueues = nqueues,
	.ring_key = ring_key,
	.bend = bend,
	.verify = verify,
};
