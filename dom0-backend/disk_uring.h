/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/disk_uring.h - a disk image or block device through io_uring. */
#ifndef DOM0_BACKEND_DISK_URING_H
#define DOM0_BACKEND_DISK_URING_H

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

/**
 * struct disk - What lies behind a vbd.
 * @fd:       *Borrowed*.  With O_DIRECT where the file takes 512-byte units.
 * @readonly: Opened only for reading.
 * @discard:  Whether space can be given back.
 * @sectors:  Size in units of 512 bytes, at most DISK_MAX_SECTORS; may change
 *            under queues that are at work, which see it at once.
 * @logical:  Unit of requests, in bytes: 512 or 4096; 0 counts as 512.
 * @physical: The medium's own unit, in bytes: a multiple of @logical.
 * @unit:     Bytes of space that are given back together.
 * @align:    Where the first such unit begins, in bytes.
 * @throttle: *Borrowed*: limits that all queues share; NULL for none.
 */
struct disk {
	int fd;
	bool readonly;
	bool discard;
	_Atomic uint64_t sectors;
	uint32_t logical;
	uint32_t physical;
	uint32_t unit;
	uint32_t align;
	struct throttle *throttle;
};

/**
 * disk_init() - Look at an open file or block device.
 * @fd: *Borrowed* while @d is used.
 *
 * A block device has its own sector sizes, a file 512 bytes.
 *
 * Return: 0; -ENOTBLK if it is neither a regular file nor a block device;
 * -ENODATA if it is empty; -EINVAL if its size is no multiple of 512; -EFBIG if
 * it is larger than DISK_MAX_SECTORS; or -errno.
 */
int disk_init(struct disk *d, int fd) must_check;

/**
 * disk_set_sector() - Show the guest other sector sizes than the disk's own.
 * @logical:  512 or 4096; 0 leaves it.
 * @physical: A power of two from @logical to DISK_MAX_PHYSICAL; 0 leaves it, or
 *            makes it as large as @logical.
 *
 * Requests smaller than the medium's own unit go through the page cache.
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
 * @niov:  Parts in @iov; none for DISK_FLUSH and DISK_DISCARD.
 * @iov:   Where data go to or come from; used up by the transfer.
 * @off:   Byte offset on the disk; moves on with the transfer.
 * @left:  Bytes still to be transferred or discarded.
 */
struct disk_io {
	enum disk_op op;
	unsigned int tries;
	unsigned int niov;
	struct iovec *iov;
	uint64_t off;
	uint64_t left;
};

/**
 * struct disk_queue - One io_uring, used by one thread.
 */
struct disk_queue;

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
int disk_queue_new(struct disk_queue **out, const struct disk *d, int kick,
		   unsigned int depth) must_check;

/** disk_queue_free() - Nothing may be under way; NULL is fine. */
void disk_queue_free(struct disk_queue *q);

/** disk_queue_begin() - From now on the calling thread uses @q. */
int disk_queue_begin(struct disk_queue *q) must_check;

/**
 * disk_queue_end() - The calling thread stops using @q; nothing is under way.
 *
 * Lets go of the disk and of the kick at once: the kernel takes an io_uring
 * apart later, and till then an exclusively opened device would stay busy, and
 * kicks would be lost to the next reader.
 */
void disk_queue_end(struct disk_queue *q);

/** disk_queue_add() - Prepare an operation; it starts at the next run. */
void disk_queue_add(struct disk_queue *q, struct disk_io *io);

#define DISK_AWAKE   UINT64_C(0)
#define DISK_FOREVER UINT64_MAX

/**
 * disk_queue_run() - Start what was added; one system call at most.
 * @ns: Wait until an operation is done or @kick was written, at most so long:
 *      DISK_AWAKE not at all, DISK_FOREVER without limit.
 */
void disk_queue_run(struct disk_queue *q, uint64_t ns);

/**
 * disk_queue_done() - Take the next operation that is done; no system call.
 * @result: 0 or -errno.
 *
 * Return: the operation, or NULL when there is no more for now.
 */
struct disk_io *disk_queue_done(struct disk_queue *q, int *result);

#endif
