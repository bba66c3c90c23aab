/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/fakevbd.h - a disk of a domain without a vCPU, at the real daemons. */
#ifndef TESTS_LIB_FAKEVBD_H
#define TESTS_LIB_FAKEVBD_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/fakeblk.h"
#include "tests/lib/stack.h"

#define FAKEVBD_DEVID  51712u /* xvda */
#define FAKEVBD_QUEUES 2u

/**
 * struct fakevbd - Both directories of a device, and the frontend's rings.
 * @be, @fe: Directories in the store.
 * @q:       @nqueues rings, as last offered.
 *
 * Plays the toolstack and the frontend's driver.  All calls are for the thread
 * that started the stack; the rings are open to any one.
 */
struct fakevbd {
	struct stack *stack;
	struct fakedom *dom;
	unsigned int domid;
	char be[128], fe[128];
	unsigned int nqueues;
	struct fakeblk q[FAKEVBD_QUEUES];
};

/** fakevbd_init() - Name the directories; nothing is written yet. */
void fakevbd_init(struct fakevbd *v, struct stack *s, unsigned int domid);

/** fakevbd_attach() - Write what xl does for a disk, with "w" or "r". */
void fakevbd_attach(struct fakevbd *v, const char *params, const char *mode);

/** fakevbd_attach_type() - The same for "disk" or "cdrom". */
void fakevbd_attach_type(struct fakevbd *v, const char *params,
			 const char *mode, const char *type);

/** fakevbd_remove() - Remove both directories, as xl destroy does. */
void fakevbd_remove(struct fakevbd *v);

/** fakevbd_write_ring() - Write the keys of a ring into @dir. */
void fakevbd_write_ring(struct fakevbd *v, const struct fakeblk *q,
			const char *dir);

/**
 * fakevbd_offer() - Lay out rings and write the keys, as Linux does on InitWait.
 * @order: Of pages in each ring.
 */
void fakevbd_offer(struct fakevbd *v, struct fakedom *dom, enum blk_abi abi,
		   unsigned int order, unsigned int nqueues);

/** fakevbd_join() - Wait for Connected and follow; Return: whether it came. */
bool fakevbd_join(struct fakevbd *v);

/** fakevbd_bring_up() - Attach @params for writing and connect. */
bool fakevbd_bring_up(struct fakevbd *v, struct fakedom *dom,
		      const char *params, enum blk_abi abi, unsigned int order,
		      unsigned int nqueues);

/**
 * fakevbd_step() - The frontend says @mine; wait, for 5 s, until it is answered.
 * @answer: The backend's state.
 */
bool fakevbd_step(struct fakevbd *v, const char *mine, const char *answer);

/**
 * fakevbd_reconnect() - Close, begin anew, connect with one ring.
 *
 * From any state of either side.
 */
bool fakevbd_reconnect(struct fakevbd *v);

#endif
