/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/guest/blockbench/main.c - how fast a disk is, with no system in the way.
 *
 *	write=0|1 random=0|1 bytes=N depth=N order=N ms=N
 *
 * One request after the other, @depth at a time, from one vCPU; the last line has
 * the rate.  Writes go to all of disk 51712 (xvda).
 */
#include <stddef.h>
#include <stdint.h>

#include "guest-frontend/blkfront.h"
#include "guest-frontend/console.h"
#include "guest-frontend/events.h"
#include "guest-frontend/pages.h"
#include "guest-frontend/start.h"
#include "guest-frontend/xenbus.h"
#include "tests/guest/args.h"

#define MAX_DEPTH 128u
#define MS	  UINT64_C(1000000)

static struct blkfront disk;
static struct blkfront_io ios[MAX_DEPTH];
static uint64_t sectors, position, seed = 88172645463325252u;
static bool at_random;

/* Where the next request goes. */
static uint64_t next_sector(void)
{
	uint64_t places = disk.sectors / sectors;

	if (!at_random)
		return position++ % places * sectors;
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % places * sectors;
}

static int submit(struct blkfront_io *io)
{
	io->sector = next_sector();
	io->nsectors = sectors;
	return blkfront_submit(disk.queue[0], io);
}

/* Return: requests done by @until, or 0 after an error. */
static uint64_t run(unsigned int depth, uint64_t until)
{
	struct blkfront_queue *q = disk.queue[0];
	struct blkfront_io *io;
	uint64_t n = 0;
	int ret = 0;

	for (unsigned int i = 0; !ret && i < depth; i++)
		ret = submit(&ios[i]);
	blkfront_push(q);
	while (!ret && events_now() < until) {
		while (!ret && (io = blkfront_done(q))) {
			ret = io->status ? io->status : submit(io);
			n++;
		}
		blkfront_push(q);
		(void)blkfront_wait(q, FRONT_TIMEOUT_NS);
	}
	while (blkfront_wait(q, FRONT_TIMEOUT_NS)) {
		while (blkfront_done(q))
			;
	}
	if (ret)
		say("blockbench error %d", ret);
	return ret ? 0 : n;
}

enum verdict guest_main(const char *cmdline)
{
	uint64_t bytes = arg_u64(cmdline, "bytes", 4096), began, n, ns;
	uint64_t ms = arg_u64(cmdline, "ms", 1000);
	unsigned int depth = (unsigned int)arg_u64(cmdline, "depth", 1);
	struct blkfront_want want = { .segs = BLKFRONT_MAX_SEGS };

	want.order =
		(unsigned int)arg_u64(cmdline, "order", depth > 32 ? 2 : 0);
	at_random = arg_u64(cmdline, "random", 1);
	sectors = bytes / BLKFRONT_SECTOR;
	if (!sectors || !depth || depth > MAX_DEPTH || xenbus_init())
		return VERDICT_ERROR;
	for (unsigned int i = 0; i < depth; i++) {
		ios[i].op = arg_u64(cmdline, "write", 0) ? BLKIF_OP_WRITE
							 : BLKIF_OP_READ;
		ios[i].buf = pages_alloc((bytes + PAGE_BYTES - 1) / PAGE_BYTES);
		if (!ios[i].buf)
			return VERDICT_ERROR;
	}
	if (blkfront_open(&disk, 51712, &want) || disk.sectors < sectors)
		return VERDICT_ERROR;
	began = events_now();
	n = run(depth, began + ms * MS);
	ns = events_now() - began;
	(void)blkfront_close(&disk);
	say("blockbench bytes=%lu depth=%u random=%d ops=%lu ns=%lu iops=%lu",
	    (unsigned long)bytes, depth, at_random, (unsigned long)n,
	    (unsigned long)ns, (unsigned long)(n * 1000 * MS / ns));
	return n ? VERDICT_SUCCESS : VERDICT_FAILURE;
}
