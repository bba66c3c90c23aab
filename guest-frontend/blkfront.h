/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/blkfront.h - a PV disk, as its guest sees it. */
#ifndef GUEST_FRONTEND_BLKFRONT_H
#define GUEST_FRONTEND_BLKFRONT_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/io/blkif.h>

#include "guest-frontend/front.h"

/*
 * How it works
 *
 * blkfront_xs.c finds the disk, agrees with the backend on rings and closes
 * again; blkfront.c puts requests into the rings and takes responses.  A queue
 * is one ring with its event channel and belongs to one thread at a time;
 * different queues do not touch each other.
 *
 *	blkfront_submit(q, &io);	any number
 *	blkfront_push(q);		now the backend sees them
 *	while (!(done = blkfront_done(q)) && blkfront_wait(q, ns))
 *		;
 *
 * The backend is not believed: an answer to what was not asked, an impossible
 * index or a page that it does not give back ends the queue, and whatever is in
 * flight fails.
 */
#define BLKFRONT_SECTOR	    512u
#define BLKFRONT_MAX_ORDER  4u
#define BLKFRONT_MAX_PAGES  (1u << BLKFRONT_MAX_ORDER)
#define BLKFRONT_MAX_QUEUES 16u
#define BLKFRONT_MAX_SEGS   256u

/**
 * struct blkfront_want - What to agree on, where the backend offers as much.
 * @order:      log2 of the pages of a ring.
 * @queues:     Rings; 0 means one, without the keys of multi-queue.
 * @segs:       Pages that one indirect request may name; up to 11, only direct
 *              requests are made.
 * @abi32:      Lay requests out as a 32-bit guest does.
 * @persistent: Grant pages of our own once, and copy.
 */
struct blkfront_want {
	unsigned int order, queues, segs;
	bool abi32, persistent;
};

/**
 * struct blkfront_io - One request, *borrowed* from submit until it is done.
 * @op:       BLKIF_OP_READ, WRITE, FLUSH_DISKCACHE, WRITE_BARRIER, DISCARD.
 * @secure:   For DISCARD.
 * @sector:   Where it begins, in 512 bytes.
 * @nsectors: How many; 0 for a flush.
 * @buf:      For reads and writes: memory of pages_alloc(), at a multiple of
 *            512.  The backend can reach all of each page touched.
 * @status:   Once done: 0; -XEN_EIO; -XEN_EOPNOTSUPP; -XEN_EBUSY if the backend
 *            kept a page: @buf must never be used again.
 */
struct blkfront_io {
	uint8_t op;
	bool secure;
	uint64_t sector, nsectors;
	void *buf;
	int status;
};

struct blkfront_queue;

/**
 * struct blkfront - One disk.
 * @nqueues:     Rings agreed on; of @order, taking @segs pages a request.
 * @sectors:     Size, in 512 bytes; blkfront_renew() sees that it has changed.
 * @sector_size: The disk's own, in bytes.
 * @info:        VDISK_*.
 * @can_flush, @can_barrier, @can_discard, @can_secure: What it offers.
 */
struct blkfront {
	struct front front;
	struct blkfront_want want;
	unsigned int devid, nqueues, order, segs;
	uint64_t sectors;
	unsigned int sector_size, info;
	bool can_flush, can_barrier, can_discard, can_secure;
	struct blkfront_queue *queue[BLKFRONT_MAX_QUEUES];
};

/**
 * blkfront_open() - Find disk @devid and connect to it.
 * @b: Filled in; usable only on success.
 *
 * Return: 0 or -XEN_E* of front_init() and front_run().
 */
int blkfront_open(struct blkfront *b, unsigned int devid,
		  const struct blkfront_want *want);

/**
 * blkfront_again() - Connect once more after blkfront_stop(), as after a kexec.
 */
int blkfront_again(struct blkfront *b, const struct blkfront_want *want);

/**
 * blkfront_renew() - Wait for another size, at most @ns; see front_renew().
 */
int blkfront_renew(struct blkfront *b, uint64_t ns);

/**
 * blkfront_stop() - Disconnect; what is in flight fails.
 *
 * Return: as front_stop().
 */
int blkfront_stop(struct blkfront *b);

/**
 * blkfront_resume() - Connect in another life, after power_suspend().
 *
 * Queues stay what they are, and what is in flight is sent again: the backend may
 * do it twice.  A backend that offers less than was agreed on is refused.
 *
 * Return: as front_resume(), or -XEN_EOPNOTSUPP.  On error the disk is closed and
 * its queues are gone.
 */
int blkfront_resume(struct blkfront *b);

/** blkfront_close() - blkfront_stop(), for good. */
int blkfront_close(struct blkfront *b);

/* ---- blkfront.c: the data path --------------------------------------------- */

/** blkfront_queue_ring() - What the store must say of a queue. */
struct blkfront_ring {
	uint32_t gref[BLKFRONT_MAX_PAGES];
	uint32_t port;
};

/**
 * blkfront_queue_new() - Make a ring as @b has agreed.
 * @ring: Filled in on success.
 */
int blkfront_queue_new(struct blkfront_queue **out, const struct blkfront *b,
		       struct blkfront_ring *ring);

/** blkfront_queue_lost() - In another life: no grant and no channel is left. */
void blkfront_queue_lost(struct blkfront_queue *q);

/**
 * blkfront_queue_again() - After that, as blkfront_queue_new(), with all that is
 * in flight.  On failure it is to be freed.
 */
int blkfront_queue_again(struct blkfront_queue *q, struct blkfront_ring *ring);

/**
 * blkfront_queue_free() - The backend has closed: requests fail, pages come
 * back, but for those that it keeps; NULL is fine.
 */
void blkfront_queue_free(struct blkfront_queue *q);

/**
 * blkfront_submit() - Put a request; the backend sees it after blkfront_push().
 *
 * Return: 0; -XEN_ENOSPC if ring, references or pages are all in use: take
 * answers first; -XEN_EINVAL if no request can be that; -XEN_EIO if the queue
 * has ended.
 */
int blkfront_submit(struct blkfront_queue *q, struct blkfront_io *io);

/** blkfront_push() - Show what was put; notify the backend if it asked. */
void blkfront_push(struct blkfront_queue *q);

/** blkfront_done() - Take a request that is done, or NULL. */
struct blkfront_io *blkfront_done(struct blkfront_queue *q);

/**
 * blkfront_wait() - Sleep until blkfront_done() may have one.
 *
 * Return: false if time was up, or nothing is in flight.
 */
bool blkfront_wait(struct blkfront_queue *q, uint64_t ns);

/** blkfront_inflight() - Requests put and not taken. */
unsigned int blkfront_inflight(const struct blkfront_queue *q);

/**
 * blkfront_do() - Make one request on an idle queue and wait for it.
 *
 * Return: its status, or what blkfront_submit() refused it with; -XEN_EAGAIN if
 * there was no answer in FRONT_TIMEOUT_NS: it is still in flight.
 */
int blkfront_do(struct blkfront_queue *q, struct blkfront_io *io);

#endif
