/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/blkback.h - the data path of a PV block device. */
#ifndef DOM0_BACKEND_BLKBACK_H
#define DOM0_BACKEND_BLKBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "dom0-backend/device.h"
#include "dom0-backend/disk.h"
#include "dom0-backend/journal.h"

/*
 * How it works
 *
 * Each ring of the frontend (xen/io/blkif.h) has a thread, an io_uring and an
 * event channel.  One turn of the thread: take the requests that are there (each
 * copied once, then judged), pin the grants of their segments, hand the guest's
 * pages in place to io_uring; take what is done, unpin, put responses; publish
 * all of them and notify the guest once, if it asked for that; sleep in the same
 * system call that starts the new operations.
 *
 * A request's memory is one slot of a pool with one more than the ring has, so
 * there is always one to take the next request into.  It has an entry of the
 * queue's journal (journal.h), for a successor if we are killed.  The guest's id is echoed and never looked at.  A bad
 * request gets BLKIF_RSP_ERROR and harms nobody else's; an impossible ring index
 * ends the connection.
 *
 * A barrier (BLKIF_OP_WRITE_BARRIER) waits until all that its ring had before it
 * is done, then the disk is flushed, its data are written, and the disk is
 * flushed again; only then is the next request taken.
 *
 * Limits of the disk (throttle.h) hold requests back in the ring: the thread
 * sleeps until one more is allowed, whatever the guest rings meanwhile.
 *
 * The main thread (blkback_xs.c) starts and stops queues.  Stopping one finishes
 * what is under way first.
 */
#define BLK_MAX_SEGS	256u /* advertised; of an indirect request */
#define BLK_SLOT_SEGS	11u  /* of a direct one */
#define BLK_MAX_ORDER	4u
#define BLK_MAX_PAGES	(1u << BLK_MAX_ORDER)
#define BLK_MAX_QUEUES	16u
#define BLK_PAGE_SECTOR 8u /* sectors of a page */

enum blk_abi { BLK_ABI_X86_64, BLK_ABI_X86_32, BLK_NABI };

/**
 * struct blk_layout - Where the members of requests lie, by the guest's ABI.
 * @protocol: Value of the frontend's key of that name.
 * @slot:     Bytes of a ring slot.
 * @rsp:      Bytes of a response.
 * @id:       Offset of the id in every kind of request.
 * @sector:   Offset of the sector number in every kind.
 * @rest:     Offset of the segments, and of a discard's length.
 * @grefs:    Offset of an indirect request's page references.
 */
struct blk_layout {
	const char *protocol;
	uint16_t slot, rsp;
	uint16_t id, sector, rest, grefs;
};

extern const struct blk_layout blk_layouts[BLK_NABI];

/** struct blk_seg - Part of one page, sectors inclusive; as in the ring. */
struct blk_seg {
	uint32_t gref;
	uint8_t first, last;
	uint16_t pad;
};

/**
 * struct blk_req - A request, copied out; nothing in it has been judged.
 * @op:       BLKIF_OP_*, for an indirect request the inner one; a response
 *            echoes it, as blkfront demands.
 * @nseg:     Number of segments claimed; of a discard, its flags.
 * @sector:   First sector.
 * @nsectors: For a discard, its length.
 * @gref:     Of the indirect request's first page.
 * @seg:      Segments of a direct request.
 */
struct blk_req {
	uint8_t op;
	bool indirect;
	uint16_t nseg;
	uint32_t gref;
	uint64_t id;
	uint64_t sector;
	uint64_t nsectors;
	struct blk_seg seg[BLK_SLOT_SEGS];
};

/** blkback_decode() - Make a request of a private copy of a ring slot. */
void blkback_decode(struct blk_req *req, const struct blk_layout *layout,
		    const uint8_t *slot);

/**
 * blkback_check() - Judge a request's kind and numbers.
 * @disk: Its limits.
 *
 * Looks at everything but the segments.
 *
 * Return: 0; -EOPNOTSUPP for what we do not do; -EROFS; -EINVAL.
 */
int blkback_check(const struct disk *disk,
		  const struct blk_req *req) must_check;

/**
 * blkback_check_segs() - Judge segments and count their sectors.
 * @seg:    @n of them, private.
 * @sector: Where on the disk they begin.
 *
 * Return: number of sectors, or -EINVAL if a segment is none or they reach
 * beyond the disk, or if one is no whole number of the disk's units.
 */
int blkback_check_segs(const struct disk *disk, const struct blk_seg *seg,
		       unsigned int n, uint64_t sector) must_check;

/**
 * struct blk_ring - What the frontend says of one ring.
 * @log:    *Borrowed*: the queue's journal; NULL: nobody will succeed us.
 * @stat:   *Borrowed*: where to count; NULL: nobody will look.
 * @abi:    Its layout.
 * @npages: 1 to BLK_MAX_PAGES, a power of two.
 * @port:   Its event channel.
 * @gref:   Its pages.
 * @resume: @log holds what a predecessor left of this ring: go on with it.
 */
struct blk_ring {
	struct journal_queue *log;
	struct blkstat *stat;
	enum blk_abi abi;
	unsigned int npages;
	uint32_t port;
	uint32_t gref[BLK_MAX_PAGES];
	bool resume;
};

struct blk_queue;

/**
 * blkback_start() - Serve one ring in a thread of its own.
 * @out:  *Owned*; written only on success.
 * @dev:  *Borrowed*: its domain and grants; device_fail() is called on it.
 * @disk: *Borrowed*.
 * @ring: UNTRUSTED numbers within the limits above.
 * @limit: *Borrowed*: what this ring may cause to be logged; outlives it, or a
 *        frontend that reconnects would begin anew.
 *
 * A journal may name more than the ring holds, or a request that ended worker
 * after worker: then nothing is served.
 *
 * Return: 0; -errno of the grants, the event channel, io_uring or
 * journal_recover().
 */
int blkback_start(struct blk_queue **out, struct device *dev,
		  const struct disk *disk, const struct blk_ring *ring,
		  struct log_limit *limit) must_check;

/** blkback_stop() - Finish what is under way, end the thread; NULL is fine. */
void blkback_stop(struct blk_queue *q);

/**
 * blkback_suspend() - As blkback_stop(), for a successor that resumes.
 *
 * The ring's grants stay marked: its connection goes on.
 */
void blkback_suspend(struct blk_queue *q);

/**
 * blkback_in_use() - Whether the ring that a predecessor served is still there.
 *
 * Its grants bear our marks from connecting on.  Only we clear them, and who makes
 * a grant anew writes one without: the same numbers are another ring then.
 */
bool blkback_in_use(struct device *dev, const struct blk_ring *ring);

/**
 * blkback_release() - Clear the marks that a predecessor has left, do nothing else.
 * @ring: With its journal: the requests that nobody waits for.
 */
void blkback_release(struct device *dev, const struct disk *disk,
		     const struct blk_ring *ring);

/* blkback_stats.c */

/**
 * struct blkback_told - What the store has of a disk's statistics.
 * @begun: The directory is ours; else a predecessor's, or not there.
 */
struct blkback_told {
	bool begun;
	struct blkstat sum;
};

/**
 * blkback_tell_stats() - Write what has changed below the backend's "statistics".
 * @f: What its queues count.
 *
 * Once a second at most, or the store has nothing else to do.  Nothing is written
 * if the backend's directory is gone.
 */
void blkback_tell_stats(struct device *dev, struct blkback_told *told,
			const struct blkstat_file *f);

/* blkback_xs.c */

/**
 * struct blkback - One block device.
 * @disk_fd: *Owned*, from --disk-fd; -1 if there is none.
 * @told_fd: *Owned*, from --told-fd: &struct disk's @told; -1 if there is none.
 * @disk_link: The same, from --disk-link (disk_link.h).
 * @logical, @physical: For disk_set_sector(), from --sector-size and
 *           --physical-sector-size.
 * @told:    Sectors that the frontend knows of, or would if it were there.
 * @journal_fd: *Owned*, from --journal-fd; -1: a killed worker's frontend has to
 *           connect again.
 * @journal: Mapped; of this process alone without the file.
 * @info:    VDISK_* bits of xen/io/blkif.h.
 * @stats:   For blkback_tell_stats().
 * @abi:     Of this connection.
 * @ring:    The @nrings that the frontend's keys name, as last read.
 * @limit:   Of each queue, through all connections.
 */
struct blkback {
	int disk_fd, told_fd, journal_fd;
	struct journal *journal;
	uint32_t logical, physical;
	int disk_link;
	struct disk disk;
	struct throttle throttle;
	uint64_t told;
	unsigned int info;
	enum blk_abi abi;
	unsigned int max_queues;
	unsigned int nqueues;
	unsigned int nrings;
	struct blk_ring ring[BLK_MAX_QUEUES];
	struct blkback_told stats;
	struct blk_queue *queue[BLK_MAX_QUEUES];
	struct log_limit limit[BLK_MAX_QUEUES];
};

/** blkback_ops - For device_main(); its @priv is a struct blkback. */
extern const struct device_ops blkback_ops;

#endif
