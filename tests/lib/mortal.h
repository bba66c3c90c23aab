/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/mortal.h - workers in processes that die at a given step. */
#ifndef TESTS_LIB_MORTAL_H
#define TESTS_LIB_MORTAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "dom0-backend/journal.h"
#include "dom0-backend/net_journal.h"
#include "tests/lib/fakeblk.h"
#include "tests/lib/fakenic.h"

#define MORTAL_QUEUES 3u

/*
 * How it works
 *
 * The test plays the guest; a child process is the worker, with the journal in
 * memory that both share.  Each call by which a worker changes what others can see
 * (the ring, grant entries, the disk or the TAP queue, the event channel) or takes from a queue is
 * wrapped at link time (death_steps in the Makefile) and counted; the child dies
 * before the one that was asked for.
 */

/**
 * struct mortal - Shared with the workers.
 * @log:    Their journal; @card: that of a card's.
 * @steps:  So many have been made.
 * @die_at: The number of the one before which a worker dies; 0: it lives.
 * @late:   Microseconds by which each readv() of a worker is late.
 * @valid:  As journal_valid() has it: all rings are served.
 */
struct mortal {
	struct journal_queue log[MORTAL_QUEUES];
	struct net_journal card;
	atomic_uint steps, die_at, late;
	atomic_bool valid;
};

/** mortal_new() - Make what is shared; for the life of the test. */
struct mortal *mortal_new(void);

/** mortal_expect() - The next worker dies before step @n; 0: it lives. */
void mortal_expect(struct mortal *m, unsigned int n);

/**
 * mortal_start() - Start a worker, which goes on with what @m->log has if valid.
 * @fb:   The @n rings of domain @domid.
 * @init: Called by the worker for its disk; @arg is its second argument.
 *
 * Return: its process id; it ends only by being killed, or if it cannot start.
 */
pid_t mortal_start(struct mortal *m, unsigned int domid,
		   const struct fakeblk *fb, unsigned int n,
		   int (*init)(struct disk *d, void *arg), void *arg);

/**
 * mortal_card() - The same for a card: all queues of @nic, with its TAP queues.
 * @ctrl: Reference and port of a control ring; NULL: there is none.
 */
pid_t mortal_card(struct mortal *m, const struct fakenic *nic,
		  const uint32_t *ctrl);

#endif
