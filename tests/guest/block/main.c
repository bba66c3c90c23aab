/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/guest/block/main.c - every kind of block request, each byte checked.
 *
 * Takes over disk 51712 (xvda), whatever is on it.  Each sector holds words made
 * of its number and of how often it was written, so that a sector that is stale,
 * lost or in another's place is seen.
 *
 *	ops=N	requests of the random part, for each way to connect
 *	ms=N	its duration, at least
 */
#include <stddef.h>
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

#define SECTOR	 BLKFRONT_SECTOR
#define WORDS	 (SECTOR / sizeof(uint64_t))
#define TRACKED	 16384u /* sectors that tests write: 8 MiB */
#define DEPTH	 32u
#define BUF_PAGE (BLKFRONT_MAX_SEGS + 1)

/* Ways to connect; each is tried, with all that was before left behind. */
static const struct {
	const char *name;
	struct blkfront_want want;
} ways[] = {
	{ "plain", { 0 } },
	{ "indirect", { .segs = 256 } },
	{ "order 4", { .order = 4, .segs = 32 } },
	{ "two queues", { .queues = 2, .segs = 64 } },
	{ "two queues, order 2", { .queues = 2, .order = 2, .segs = 256 } },
	{ "x86_32", { .abi32 = true, .segs = 64 } },
	{ "x86_32, order 1", { .abi32 = true, .order = 1 } },
	{ "persistent", { .persistent = true, .segs = 64 } },
	{ "persistent, order 1, x86_32",
	  { .persistent = true, .order = 1, .abi32 = true } },
};

static struct blkfront disk;
static uint8_t generation[TRACKED];
static uint64_t seed = 88172645463325252u;
static unsigned int failed, bad_words;
static uint8_t *buf; /* for single requests */

static void check(bool good, const char *way, const char *what)
{
	say("block %s: %s %s", way, what, good ? "ok" : "failed");
	failed += !good;
}

/* Marsaglia's xorshift. */
static uint64_t any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint64_t below(uint64_t n)
{
	return any() % n;
}

static uint64_t word(uint64_t sector, unsigned int i)
{
	uint64_t x = sector * WORDS + i;

	return (x << 8 | generation[sector]) * UINT64_C(0x9e3779b97f4a7c15);
}

static void fill(const struct blkfront_io *io)
{
	uint64_t *w = io->buf;

	for (uint64_t s = io->sector; s < io->sector + io->nsectors; s++) {
		generation[s]++;
		for (unsigned int i = 0; i < WORDS; i++)
			*w++ = word(s, i);
	}
}

static void compare(const struct blkfront_io *io)
{
	const uint64_t *w = io->buf;

	for (uint64_t s = io->sector; s < io->sector + io->nsectors; s++) {
		for (unsigned int i = 0; i < WORDS; i++)
			bad_words += *w++ != word(s, i);
	}
}

/* A read must not write beside its sectors. */
#define GUARD 0x5a

static void guard(const struct blkfront_io *io)
{
	memset((uint8_t *)io->buf - SECTOR, GUARD, SECTOR);
	memset((uint8_t *)io->buf + io->nsectors * SECTOR, GUARD, SECTOR);
}

static unsigned int guard_broken(const struct blkfront_io *io)
{
	const uint8_t *before = (const uint8_t *)io->buf - SECTOR;
	const uint8_t *after = (const uint8_t *)io->buf + io->nsectors * SECTOR;
	unsigned int n = 0;

	for (unsigned int i = 0; i < SECTOR; i++)
		n += before[i] != GUARD || after[i] != GUARD;
	return n;
}

/* Write @n sectors from one place in a page, read them to another. */
static bool there_and_back(struct blkfront_queue *q, unsigned int from,
			   unsigned int to, uint64_t n)
{
	struct blkfront_io io = { .op = BLKIF_OP_WRITE,
				  .sector = below(TRACKED - n),
				  .nsectors = n,
				  .buf = buf + (8 + from) * SECTOR };

	fill(&io);
	if (blkfront_do(q, &io))
		return false;
	io.op = BLKIF_OP_READ;
	io.buf = buf + (8 + to) * SECTOR;
	memset(io.buf, 0, n * SECTOR);
	guard(&io);
	if (blkfront_do(q, &io))
		return false;
	compare(&io);
	bad_words += guard_broken(&io);
	return true;
}

/* Every number of sectors from every place in a page; more of them by samples. */
static void sizes(const char *way)
{
	struct blkfront_queue *q = disk.queue[disk.nqueues - 1];
	uint64_t most = disk.segs * 8, n;
	bool good = true;

	bad_words = 0;
	for (unsigned int at = 0; at < 8; at++) {
		for (n = 1; n <= most - at && n <= 24; n++)
			good &= there_and_back(
				q, at,
				(at * 3 + 1) % 8 % (unsigned int)(most - n + 1),
				n);
		for (; n <= most - at; n += 1 + below(most / 4))
			good &= there_and_back(q, at, 0, n);
	}
	good &= there_and_back(q, 0, 0, most);
	check(good && !bad_words, way, "every size and place");
}

/* ---- Many at once ---------------------------------------------------------- */

struct job {
	struct blkfront_io io;
	bool busy;
};

static struct job jobs[DEPTH];
static unsigned int errors;

static bool overlaps(uint64_t sector, uint64_t n)
{
	for (unsigned int i = 0; i < DEPTH; i++) {
		const struct blkfront_io *io = &jobs[i].io;

		if (jobs[i].busy && sector < io->sector + io->nsectors &&
		    io->sector < sector + n)
			return true;
	}
	return false;
}

static void make_job(struct blkfront_queue *q, struct job *j, uint64_t most)
{
	uint64_t n = 1 + below(below(4) ? 16 : most - 7);
	uint64_t sector = below(TRACKED - n);
	uint64_t page = (uintptr_t)j->io.buf & ~(uintptr_t)(PAGE_BYTES - 1);

	n = n < most ? n : most;
	if (overlaps(sector, n))
		return;
	j->io.op = below(2) ? BLKIF_OP_WRITE : BLKIF_OP_READ;
	j->io.sector = sector;
	j->io.nsectors = n;
	j->io.buf = (uint8_t *)(page + below(n + 8 <= most ? 8 : 1) * SECTOR);
	if (j->io.op == BLKIF_OP_WRITE)
		fill(&j->io);
	if (blkfront_submit(q, &j->io)) {
		/* What was not written has not been. */
		for (uint64_t s = sector; s < sector + n; s++)
			generation[s] = (uint8_t)(generation[s] -
						  (j->io.op == BLKIF_OP_WRITE));
		return;
	}
	j->busy = true;
}

static unsigned int reap(struct blkfront_queue *q)
{
	struct blkfront_io *io;
	unsigned int n = 0;

	while ((io = blkfront_done(q))) {
		((struct job *)(void *)io)->busy = false;
		errors += io->status != 0;
		if (!io->status && io->op == BLKIF_OP_READ)
			compare(io);
		n++;
	}
	return n;
}
_Static_assert(offsetof(struct job, io) == 0, "the first member");

/* Read back all that was ever written. */
static void read_all(struct blkfront_queue *q)
{
	struct blkfront_io io = { .op = BLKIF_OP_READ, .buf = buf };

	io.nsectors = 64;
	for (io.sector = 0; io.sector < TRACKED; io.sector += io.nsectors) {
		errors += blkfront_do(q, &io) != 0;
		compare(&io);
	}
}

static void many(const char *way, uint64_t ops, uint64_t ms)
{
	uint64_t until = events_now() + ms * 1000000;
	uint64_t most = disk.segs * 8, done = 0;
	struct blkfront_queue *q;

	bad_words = errors = 0;
	for (uint64_t turn = 0; (done < ops || events_now() < until) && !errors;
	     turn++) {
		q = disk.queue[turn % disk.nqueues];
		for (unsigned int i = (unsigned int)below(4); i < DEPTH; i++) {
			if (!jobs[i].busy)
				make_job(q, &jobs[i], most);
		}
		blkfront_push(q);
		if (blkfront_inflight(q) > below(DEPTH))
			(void)blkfront_wait(q, FRONT_TIMEOUT_NS);
		done += reap(q);
	}
	for (unsigned int i = 0; i < disk.nqueues; i++) {
		while (blkfront_wait(disk.queue[i], FRONT_TIMEOUT_NS))
			reap(disk.queue[i]);
		reap(disk.queue[i]);
	}
	read_all(disk.queue[0]);
	say("block %s: requests=%lu", way, (unsigned long)done);
	check(!errors && !bad_words && done >= ops, way, "many at once");
}

/* ---- What is not reading or writing ---------------------------------------- */

static void others(const char *way)
{
	struct blkfront_queue *q = disk.queue[0];
	struct blkfront_io io = { .op = BLKIF_OP_FLUSH_DISKCACHE };
	int ret;

	check(disk.can_flush && !blkfront_do(q, &io), way, "flush");
	io = (struct blkfront_io){ .op = BLKIF_OP_WRITE_BARRIER,
				   .sector = 8,
				   .nsectors = 8,
				   .buf = buf };
	fill(&io);
	ret = blkfront_do(q, &io);
	check(ret == (disk.can_barrier ? 0 : -XEN_EOPNOTSUPP), way, "barrier");
	io.op = BLKIF_OP_WRITE;
	(void)blkfront_do(q, &io);
	io = (struct blkfront_io){ .op = BLKIF_OP_DISCARD,
				   .sector = TRACKED,
				   .nsectors = 64 };
	ret = blkfront_do(q, &io);
	check(ret == (disk.can_discard ? 0 : -XEN_EOPNOTSUPP), way, "discard");
	io.op = 77;
	check(blkfront_do(q, &io) == -XEN_EOPNOTSUPP, way,
	      "an unknown operation");
}

static void refused(const char *way)
{
	struct blkfront_queue *q = disk.queue[0];
	struct blkfront_io io = { .op = BLKIF_OP_READ,
				  .sector = disk.sectors - 1,
				  .nsectors = 2,
				  .buf = buf };
	int ret = blkfront_do(q, &io);

	io.sector = UINT64_MAX;
	check(ret == -XEN_EIO && blkfront_do(q, &io) == -XEN_EIO, way,
	      "beyond the end is refused");
	io.sector = 0;
	io.buf = buf + 100;
	ret = blkfront_submit(q, &io);
	io.buf = buf;
	io.nsectors = disk.segs * 8 + 1;
	check(ret == -XEN_EINVAL && blkfront_submit(q, &io) == -XEN_EINVAL, way,
	      "what no request can be");
}

/* All the pages and references that a connection took have come back. */
static void one_way(const char *way, const struct blkfront_want *want,
		    uint64_t ops, uint64_t ms)
{
	size_t pages = pages_left();
	unsigned int refs = grants_free_refs();
	int ret = blkfront_again(&disk, want);

	if (ret)
		say("block %s: error %d", way, ret);
	check(!ret, way, "connects");
	if (ret)
		return;
	say("block %s: queues=%u order=%u segs=%u sectors=%lu", way,
	    disk.nqueues, disk.order, disk.segs, (unsigned long)disk.sectors);
	check(disk.nqueues == (want->queues ? want->queues : 1) &&
		      disk.order == want->order && disk.segs >= want->segs,
	      way, "gets what it wants");
	sizes(way);
	many(way, ops, ms);
	others(way);
	refused(way);
	check(!blkfront_stop(&disk), way, "closes");
	check(pages_left() == pages && grants_free_refs() == refs, way,
	      "gives all back");
}

enum verdict guest_main(const char *cmdline)
{
	uint64_t ops = arg_u64(cmdline, "ops", 500);
	uint64_t ms = arg_u64(cmdline, "ms", 0);
	struct blkfront_io zero = { .op = BLKIF_OP_WRITE };
	uint64_t began;

	buf = pages_alloc(BUF_PAGE + 2);
	for (unsigned int i = 0; i < DEPTH; i++)
		jobs[i].io.buf = pages_alloc(BUF_PAGE);
	if (xenbus_init() || !buf || !jobs[DEPTH - 1].io.buf)
		return VERDICT_ERROR;
	if (blkfront_open(&disk, 51712, &ways[0].want))
		return VERDICT_FAILURE;
	if (disk.sectors < TRACKED + 64)
		return VERDICT_ERROR;
	/* From here on the model knows what the disk holds. */
	zero.buf = buf;
	zero.nsectors = 64;
	for (; zero.sector < TRACKED; zero.sector += zero.nsectors) {
		fill(&zero);
		if (blkfront_do(disk.queue[0], &zero))
			return VERDICT_FAILURE;
	}
	if (blkfront_stop(&disk))
		return VERDICT_FAILURE;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		began = events_now();
		one_way(ways[i].name, &ways[i].want, ops, ms);
		say("block %s: ms=%lu", ways[i].name,
		    (unsigned long)((events_now() - began) / 1000000));
	}
	(void)blkfront_close(&disk);
	return failed ? VERDICT_FAILURE : VERDICT_SUCCESS;
}
