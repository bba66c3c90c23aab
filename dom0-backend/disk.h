/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/disk.h - what lies behind a vbd: the same calls for every kind. */
#ifndef DOM0_BACKEND_DISK_H
#define DOM0_BACKEND_DISK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/util.h"
#include "dom0-backend/throttle.h"

#define DISK_SECTOR 512u

/* Of the units that a disk may say it works in, in bytes. */
#define DISK_MAX_LOGICAL  4096u
#define DISK_MAX_PHYSICAL 65536u

/* So that a byte offset fits in an off_t whatever the guest asks. */
#define DISK_MAX_SECTORS ((uint64_t)INT64_MAX / DISK_SECTOR)

struct disk_ops;

/**
 * struct disk - What lies behind a vbd.
 * @ops:      How its kind does things.
 * @priv:     Of its kind.
 * @fd:       Of a file or device, *borrowed*.  With O_DIRECT where the file takes
 *            512-byte units.
 * @noflush:  It cannot be told to make lasting what was written.
 * @queues:   At most so many at a time; 0 for any number.
 * @readonly: Opened only for reading.
 * @discard:  Whether space can be given back.
 * @sectors:  Size in units of 512 bytes, at most DISK_MAX_SECTORS; may change
 *            under queues that are at work, which see it at once.
 * @logical:  Unit of requests, in bytes: 512 or 4096; 0 counts as 512.
 * @least:    The smallest that @logical can be; 0 counts as 512.
 * @physical: The medium's own unit, in bytes: a multiple of @logical.
 * @unit:     Bytes of space that are given back together.
 * @align:    Where the first such unit begins, in bytes.
 * @throttle: *Borrowed*: limits that all queues share; NULL for none.
 * @told:     *Borrowed*: the same file or device, opened by itself; -1: none.  The
 *            kernel tells a failure to write back once to each open file: to this
 *            one it is known up to the last flush error that a guest was told.
 * @inherited: A flush of a dead worker may have failed, and nobody was told.
 * @witness:  *Borrowed*: a file that stays open as long as the kernel may be at
 *            work on any operation, also of a dead process (custody.h); -1: none.
 */
struct disk {
	const struct disk_ops *ops;
	void *priv;
	int fd;
	bool readonly;
	bool discard;
	bool noflush;
	unsigned int queues;
	_Atomic uint64_t sectors;
	uint32_t logical;
	uint32_t least;
	uint32_t physical;
	uint32_t unit;
	uint32_t align;
	struct throttle *throttle;
	int told;
	bool inherited;
	int witness;
};

/**
 * disk_init() - Look at an open file or block device (disk_uring.c).
 * @fd: *Borrowed* while @d is used.
 *
 * A block device has its own sector sizes, a file 512 bytes.
 *
 * Return: 0; -ENOTBLK if it is neither a regular file nor a block device;
 * -ENODATA if it is empty; -EINVAL if its size is no multiple of 512; -EFBIG if
 * it is larger than DISK_MAX_SECTORS; or -errno.
 */
int disk_init(struct disk *d, int fd) must_check;

/* For a message about what disk_set_sector() refuses. */
#define DISK_SECTOR_RULE                                                 \
	"the first must be 512 or 4096 and divide the disk's size, the " \
	"second a multiple of it, up to 65536"

/**
 * disk_set_sector() - Show the guest other sector sizes than the disk's own.
 * @logical:  512 or 4096, at least the disk's @least; 0 leaves it.
 * @physical: A power of two from @logical to DISK_MAX_PHYSICAL; 0 leaves it, or
 *            makes it as large as @logical.
 *
 * Requests smaller than a device's own unit go through the page cache.
 *
 * Return: 0; -EINVAL if they are none of that, or the disk's size is no multiple
 * of @logical.
 */
int disk_set_sector(struct disk *d, uint32_t logical,
		    uint32_t physical) must_check;

/**
 * disk_measure() - Look at the size again; what is no whole unit does not count.
 *
 * Return: 0, also if there is nothing left; or -errno, and the size stays.
 */
int disk_measure(struct disk *d) must_check;

/** disk_sectors() - The size; orders nothing else, needs nothing else. */
static inline uint64_t disk_sectors(const struct disk *d)
{
	return atomic_load_explicit(&d->sectors, memory_order_relaxed);
}

/** disk_unaligned() - Whether @n, in 512 bytes, is no whole number of units. */
static inline bool disk_unaligned(const struct disk *d, uint64_t n)
{
	return d->logical > DISK_SECTOR && n % (d->logical / DISK_SECTOR);
}

enum disk_op {
	DISK_READ,
	DISK_WRITE,
	DISK_FLUSH,
	DISK_DISCARD,
};

/**
 * struct disk_io - One operation under way; caller's memory until it is done.
 * @op:    What to do.
 * @tries: Private: left for short or interrupted transfers.
 * @again: Private: a flush that looks for what an earlier one had seen.
 * @niov:  Parts in @iov; none for DISK_FLUSH and DISK_DISCARD.
 * @iov:   Where data go to or come from; used up by the transfer.
 * @off:   Byte offset on the disk; moves on with the transfer.
 * @left:  Bytes still to be transferred or discarded.
 */
struct disk_io {
	enum disk_op op;
	unsigned int tries;
	bool again;
	unsigned int niov;
	struct iovec *iov;
	uint64_t off;
	uint64_t left;
};

struct disk_queue;

/**
 * struct disk_ops - A kind of disk: disk_uring.c, disk_nbd.c.
 *
 * The calls below, each with the argument of its name; they say what is expected.
 */
struct disk_ops {
	int (*queue_new)(struct disk_queue **out, const struct disk *d,
			 int kick, unsigned int depth);
	void (*queue_free)(struct disk_queue *q);
	int (*begin)(struct disk_queue *q);
	void (*end)(struct disk_queue *q);
	void (*add)(struct disk_queue *q, struct disk_io *io);
	void (*run)(struct disk_queue *q, uint64_t ns);
	/* Only where it costs no system call: */
	void (*ring)(struct disk_queue *q, int fd);
	bool (*pending)(struct disk_queue *q);
	struct disk_io *(*done)(struct disk_queue *q, int *result);
	void (*hurry)(struct disk_queue *q);
	void (*fini)(struct disk *d);
};

/**
 * struct disk_queue - A way to the disk for one thread: one io_uring, or one
 * connection.  The first member of what its kind has in its place.
 */
struct disk_queue {
	const struct disk_ops *ops;
};

/** disk_fini() - Let go of what its init made; all queues are freed. */
static inline void disk_fini(struct disk *d)
{
	if (d->ops)
		d->ops->fini(d);
}

/**
 * disk_queue_new() - Make a queue; any thread.
 * @out:   *Owned*; written only on success.
 * @d:     *Borrowed*, as its fd, until disk_queue_free().
 * @kick:  An eventfd that also ends disk_queue_run()'s sleep; *borrowed*,
 *         blocking.  What is written to it is taken out.
 * @depth: Operations under way at most.
 *
 * Return: 0 or -errno (-ENOSYS, -EPERM: the host has no io_uring for us).
 */
static inline int must_check disk_queue_new(struct disk_queue **out,
					    const struct disk *d, int kick,
					    unsigned int depth)
{
	return d->ops->queue_new(out, d, kick, depth);
}

/** disk_queue_free() - Nothing may be under way; NULL is fine. */
static inline void disk_queue_free(struct disk_queue *q)
{
	if (q)
		q->ops->queue_free(q);
}

/** disk_queue_begin() - From now on the calling thread uses @q. */
static inline int must_check disk_queue_begin(struct disk_queue *q)
{
	return q->ops->begin(q);
}

/**
 * disk_queue_end() - The calling thread stops using @q; nothing is under way.
 *
 * Lets go of the disk and of the kick at once: the kernel takes an io_uring
 * apart later, and till then an exclusively opened device would stay busy, and
 * kicks would be lost to the next reader.
 */
static inline void disk_queue_end(struct disk_queue *q)
{
	q->ops->end(q);
}

/** disk_queue_add() - Prepare an operation; it starts at the next run. */
static inline void disk_queue_add(struct disk_queue *q, struct disk_io *io)
{
	q->ops->add(q, io);
}

#define DISK_AWAKE   UINT64_C(0)
#define DISK_FOREVER UINT64_MAX

/**
 * disk_queue_run() - Start what was added; for a file, one system call at most.
 * @ns: Wait until an operation is done or @kick was written, at most so long:
 *      DISK_AWAKE not at all, DISK_FOREVER without limit; may return earlier.
 */
static inline void disk_queue_run(struct disk_queue *q, uint64_t ns)
{
	q->ops->run(q, ns);
}

/**
 * disk_queue_ring() - Write 1 to an eventfd at the next run.
 * @fd: *Borrowed* till then; non-blocking.
 *
 * Return: whether it will do so; else it costs less to do it oneself.
 */
static inline bool must_check disk_queue_ring(struct disk_queue *q, int fd)
{
	if (q->ops->ring)
		q->ops->ring(q, fd);
	return q->ops->ring;
}

/** disk_queue_polls() - Whether disk_queue_pending() may be called. */
static inline bool disk_queue_polls(const struct disk_queue *q)
{
	return q->ops->pending;
}

/**
 * disk_queue_pending() - Whether an operation may be done, or @kick was written;
 * no system call.
 */
static inline bool disk_queue_pending(struct disk_queue *q)
{
	return q->ops->pending(q);
}

/**
 * disk_queue_done() - Take the next operation that is done; no system call.
 * @result: 0 or -errno; -ECANCELED only after disk_queue_hurry().
 *
 * Return: the operation, or NULL when there is no more for now.
 */
static inline struct disk_io *disk_queue_done(struct disk_queue *q, int *result)
{
	return q->ops->done(q, result);
}

/**
 * disk_queue_hurry() - The queue is about to end: wait for nobody any more.
 *
 * Operations that cannot be done now, since what they wait for is not there, are
 * done soon with -ECANCELED.  May be called again.
 */
static inline void disk_queue_hurry(struct disk_queue *q)
{
	q->ops->hurry(q);
}

#endif
