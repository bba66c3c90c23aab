/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/guest/suspend/main.c - a guest that is suspended while its disk works.
 *
 * Requests are in flight whenever the toolstack asks; each area of the disk is
 * written and read back in turns, and what is read must be what was written last.
 * Each time it says how it went on, and what the time is.  Asked to power off, it
 * ends with its verdict.
 *
 *	net=1 persistent=1 segs=N queues=N resets=N
 *
 * resets: before all that it asks for so many soft resets by itself.
 */
#include <stddef.h>
#include <stdint.h>
#include <xen/errno.h>
#include <xen/sched.h>

#include "guest-frontend/blkfront.h"
#include "guest-frontend/console.h"
#include "guest-frontend/events.h"
#include "guest-frontend/grants.h"
#include "guest-frontend/netfront.h"
#include "guest-frontend/pages.h"
#include "guest-frontend/power.h"
#include "guest-frontend/start.h"
#include "guest-frontend/xenbus.h"
#include "tests/guest/args.h"

#define DISK	    51712u
#define NJOBS	    24u
#define AREA	    128u /* sectors */
#define AREA_PAGES  (AREA * BLKFRONT_SECTOR / PAGE_BYTES)
#define FRAME	    64u
#define TURN_NS	    UINT64_C(1000000)
#define TURNS	    20u
#define PATIENCE_NS UINT64_C(20000000000)

/* One area of the disk; its requests alternate. */
struct job {
	struct blkfront_io io;
	uint64_t generation;
	bool busy;
};

static struct blkfront disk;
static struct netfront card;
static struct job jobs[NJOBS];
static uint64_t done, packets, last;
static unsigned int errors, bad_words, backwards;
static bool has_card, has_sent;
static uint8_t *frame;
static struct netfront_piece piece;
static struct netfront_packet packet = { .piece = &piece, .npieces = 1 };

static uint64_t word(const struct job *j, uint64_t at)
{
	return j->generation << 32 | (uint64_t)(j - jobs) << 16 | at;
}

static void begin(struct job *j, unsigned int number)
{
	uint64_t *w = j->io.buf;

	/* Some are too small for indirect requests. */
	j->io.nsectors = number % 3 ? AREA : 24;
	j->io.op = j->io.op == BLKIF_OP_WRITE ? BLKIF_OP_READ : BLKIF_OP_WRITE;
	j->generation += j->io.op == BLKIF_OP_WRITE;
	for (uint64_t i = 0; i < j->io.nsectors * BLKFRONT_SECTOR / 8; i++)
		w[i] = j->io.op == BLKIF_OP_WRITE ? word(j, i) : 0;
	j->io.sector = (uint64_t)number * AREA;
	errors += blkfront_submit(disk.queue[number % disk.nqueues], &j->io) !=
		  0;
	j->busy = true;
}

static void finish(struct job *j)
{
	const uint64_t *w = j->io.buf;

	j->busy = false;
	done++;
	errors += j->io.status != 0;
	for (uint64_t i = 0; i < j->io.nsectors * BLKFRONT_SECTOR / 8; i++)
		bad_words += w[i] != word(j, i);
}
_Static_assert(offsetof(struct job, io) == 0, "the first member");

static void reap(void)
{
	struct blkfront_io *io;

	for (unsigned int i = 0; i < disk.nqueues; i++) {
		while ((io = blkfront_done(disk.queue[i])))
			finish((struct job *)(void *)io);
	}
}

static void work(void)
{
	reap();
	for (unsigned int i = 0; i < NJOBS && !errors; i++) {
		if (!jobs[i].busy)
			begin(&jobs[i], i);
	}
	for (unsigned int i = 0; i < disk.nqueues; i++)
		blkfront_push(disk.queue[i]);
}

/* One packet at a time is under way; what comes is none of our business. */
static void talk(void)
{
	struct netfront_meta meta;
	static uint8_t buf[NETFRONT_MAX_RX];
	struct netfront_queue *q = card.queue[0];

	while (netfront_receive(q, buf, sizeof(buf), &meta) > 0)
		continue;
	if (has_sent && netfront_done(q)) {
		has_sent = false;
		packets += !packet.status;
		errors += packet.status && packet.status != -XEN_ENOBUFS;
	}
	if (!has_sent) {
		has_sent = !netfront_send(q, &packet);
		errors += !has_sent;
	}
	netfront_push(q);
}

static void look_at_time(void)
{
	uint64_t now = events_now();

	backwards += now < last;
	last = now;
}

static void turns(unsigned int n)
{
	while (n--) {
		work();
		if (has_card)
			talk();
		look_at_time();
		(void)blkfront_wait(disk.queue[0], TURN_NS);
	}
}

/* Return: whether both devices are there again, and work. */
static bool reconnect(void)
{
	uint64_t since = packets;
	int ret = blkfront_resume(&disk);

	if (!ret && has_card)
		ret = netfront_resume(&card);
	if (ret) {
		say("suspend: error %d", ret);
		return false;
	}
	if (!has_card)
		return true;
	for (uint64_t until = events_deadline(PATIENCE_NS);
	     packets == since && events_now() < until;)
		turns(1);
	return packets != since;
}

/* @how: What it is called that it goes on if it was not cancelled. */
static bool suspend(unsigned int reason, const char *how)
{
	unsigned int inflight = 0;
	uint64_t was = done;
	int ret;

	work();
	for (unsigned int i = 0; i < disk.nqueues; i++)
		inflight += blkfront_inflight(disk.queue[i]);
	ret = power_suspend(reason);
	look_at_time();
	if (ret < 0 || (!ret && !reconnect()))
		return false;
	/* What was in flight, and more, comes to its end. */
	for (uint64_t until = events_deadline(PATIENCE_NS);
	     done < was + 2 * (uint64_t)NJOBS && events_now() < until;)
		turns(1);
	say("suspend %s inflight=%u done=%lu wall=%lu", ret ? "cancelled" : how,
	    inflight, (unsigned long)done,
	    (unsigned long)(events_wall() / 1000000000));
	return done >= was + 2 * (uint64_t)NJOBS && inflight;
}

static bool wait_idle(void)
{
	bool busy = false;

	for (unsigned int i = 0; i < disk.nqueues; i++) {
		while (blkfront_wait(disk.queue[i], PATIENCE_NS))
			reap();
		reap();
		busy |= blkfront_inflight(disk.queue[i]) != 0;
	}
	return !busy;
}

static bool open_all(const char *cmdline)
{
	struct blkfront_want want = {
		.queues = (unsigned int)arg_u64(cmdline, "queues", 2),
		.segs = (unsigned int)arg_u64(cmdline, "segs", 32),
		.persistent = arg_u64(cmdline, "persistent", 0),
	};
	struct netfront_want net = { .sg = true };

	for (unsigned int i = 0; i < NJOBS; i++) {
		jobs[i].io.buf = pages_alloc(AREA_PAGES);
		if (!jobs[i].io.buf)
			return false;
	}
	frame = pages_alloc(1);
	if (!frame || blkfront_open(&disk, DISK, &want) ||
	    disk.sectors < (uint64_t)NJOBS * AREA)
		return false;
	has_card = arg_u64(cmdline, "net", 0);
	if (has_card && netfront_open(&card, 0, &net))
		return false;
	memset(frame, 0xff, 6);
	memcpy(frame + 6, card.mac, 6);
	piece = (struct netfront_piece){ frame, FRAME };
	return true;
}

static bool close_all(void)
{
	int ret = blkfront_close(&disk);

	if (has_card && !ret)
		ret = netfront_close(&card);
	return !ret;
}

enum verdict guest_main(const char *cmdline)
{
	bool good = true;
	unsigned int refs;
	int asked;

	if (xenbus_init() || power_init())
		return VERDICT_ERROR;
	refs = grants_free_refs();
	if (!open_all(cmdline))
		return VERDICT_ERROR;
	for (uint64_t n = arg_u64(cmdline, "resets", 0); good && n; n--) {
		turns(TURNS);
		good = suspend(SHUTDOWN_soft_reset, "reset");
	}
	if (!good)
		return VERDICT_FAILURE;
	say("suspend waits");
	do {
		turns(TURNS);
		asked = power_wait(0);
		if (asked == POWER_SUSPEND)
			good = suspend(SHUTDOWN_suspend, "anew");
	} while (good && !errors && asked >= 0 && asked != POWER_OFF);
	good = good && asked == POWER_OFF && wait_idle();
	say("suspend done=%lu packets=%lu errors=%u bad_words=%u backwards=%u",
	    (unsigned long)done, (unsigned long)packets, errors, bad_words,
	    backwards);
	good = close_all() && good && grants_free_refs() == refs;
	return good && !errors && !bad_words && !backwards ? VERDICT_SUCCESS
							   : VERDICT_FAILURE;
}
