/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/fakeblk.h - one ring of a block frontend, scripted by a test. */
#ifndef TESTS_LIB_FAKEBLK_H
#define TESTS_LIB_FAKEBLK_H

#include <stdbool.h>
#include <stdint.h>

#include "dom0-backend/blkback.h"
#include "ring/ring.h"
#include "tests/lib/fakedom.h"

/**
 * struct fakeblk - A ring in the guest's memory, with its event channel.
 * @at: What the frontend writes to the store of it.
 */
struct fakeblk {
	struct fakedom *dom;
	const struct blk_layout *layout;
	struct ring_front ring;
	struct blk_ring at;
	uint64_t gfn; /* of the first ring page */
};

/**
 * struct fakeblk_host - A domain, and what blkback_start() needs in this process.
 * @dev: No store, no event loop; a failure makes its @fail_fd readable.
 */
struct fakeblk_host {
	struct fakedom *dom;
	struct device dev;
	struct disk disk;
};

/**
 * fakeblk_host_init() - Make a domain and map it; also makes the run directory.
 * @pages: Of RAM.
 * @fd:    The image; *given*.
 */
void fakeblk_host_init(struct fakeblk_host *h, unsigned int domid, size_t pages,
		       int fd);

/** fakeblk_host_fini() - Undo it; aborts if a page is still pinned. */
void fakeblk_host_fini(struct fakeblk_host *h);

/** fakeblk_image() - A file without a name that holds @bytes; never fails. */
int fakeblk_image(const void *bytes, size_t size);

/** fakeblk_init() - Lay out and grant a ring of 2^@order pages. */
void fakeblk_init(struct fakeblk *fb, struct fakedom *dom, enum blk_abi abi,
		  unsigned int order);

/** fakeblk_restart() - An empty ring in the same place, for another backend. */
void fakeblk_restart(struct fakeblk *fb);

/**
 * fakeblk_put() - Put a request as it is, true or not; not yet visible.
 *
 * An indirect one has its segments in the page behind @req->gref already.
 */
void fakeblk_put(struct fakeblk *fb, const struct blk_req *req);

/** fakeblk_push() - Show what was put; send if the backend wants to know. */
void fakeblk_push(struct fakeblk *fb);

/**
 * fakeblk_take() - Wait for a response.
 * @ms: At most this long.
 *
 * Return: 1 and @id, @op, @status; 0 if there was none; -EPROTO if the backend
 * has spoilt the ring.
 */
int fakeblk_take(struct fakeblk *fb, int ms, uint64_t *id, uint8_t *op,
		 int16_t *status);

/** fakeblk_do() - Put one request, wait; Return: its status, or 1 for none. */
int fakeblk_do(struct fakeblk *fb, const struct blk_req *req);

#endif
