/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/crashguest.h - a guest that knows what its disk must still have. */
#ifndef TESTS_LIB_CRASHGUEST_H
#define TESTS_LIB_CRASHGUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/fakeblk.h"
#include "tests/lib/forgetful.h"

/*
 * How it works
 *
 * The guest makes random writes, barriers and flushes on several rings, many at a
 * time, and keeps a record of when each was asked for and when its answer came.
 * All that it writes to one sector bears the number of the write.  After a crash
 * each sector must hold, whole, what some write to it has written, or what it held
 * after the last crash; and nothing that must have been written over:
 *
 * A write X comes before a write Y if X was answered before Y was asked for, or if
 * both are of one ring and a barrier is the later one, or between them, or the
 * earlier one.  A write must last
 *
 *  - if it was answered before a flush, or a barrier, was asked for that was
 *    answered, on whatever ring;
 *  - if it is a barrier that was answered;
 *  - if a barrier behind it in its ring has begun to write, or anything behind
 *    that barrier was done: a barrier flushes first.
 *
 * A sector must not hold what comes before a write to it that must last.
 */
#define CRASH_SECTORS  64u
#define CRASH_QUEUES   3u
#define CRASH_REQUESTS 512u
#define CRASH_INFLIGHT 8u /* of each queue */
#define CRASH_SEGS     3u

enum crash_kind { CRASH_WRITE, CRASH_BARRIER, CRASH_FLUSH };

/**
 * struct crash_req - What was asked for.
 * @from:    @n sectors; a flush has none.
 * @version: Of what it writes; unique.
 * @era:     Twice the number of barriers before it in its ring; a barrier's own is
 *           one more.
 * @asked:   When; @answered: when, or 0.
 * @loose:   It was under way at a crash that it has outlived: done or not.
 * @buffer:  Of its ring's.
 */
struct crash_req {
	enum crash_kind kind;
	unsigned int queue, from, n, buffer;
	uint32_t version, era;
	uint64_t asked, answered;
	bool loose;
};

/** struct crash_buffer - Pages for one request under way. */
struct crash_buffer {
	bool used;
	uint64_t gfn;
	uint32_t gref[CRASH_SEGS];
};

/**
 * struct crashguest - The guest, and what it knows.
 * @fb:     Its @nqueues rings; *borrowed*.
 * @base:   Versions that the sectors held after the last crash.
 * @nans:   Requests that were answered, by kind, since the beginning.
 * @why:    What was found wrong.
 */
struct crashguest {
	struct fakedom *dom;
	struct fakeblk *fb;
	unsigned int nqueues;
	struct crash_buffer buffer[CRASH_QUEUES][CRASH_INFLIGHT];
	struct crash_req req[CRASH_REQUESTS];
	unsigned int nreq;
	uint64_t clock;
	uint32_t versions, era[CRASH_QUEUES];
	uint32_t base[CRASH_SECTORS];
	unsigned int nans[3];
	char why[160];
};

/** crashguest_init() - Have pages for all that can be under way. */
void crashguest_init(struct crashguest *g, struct fakedom *dom,
		     struct fakeblk *fb, unsigned int nqueues);

/** crashguest_ask() - Make a random request; Return: whether there was room. */
bool crashguest_ask(struct crashguest *g);

/**
 * crashguest_take() - Take all answers that are there.
 *
 * Return: how many; -1 if one is wrong, with @g->why.
 */
int crashguest_take(struct crashguest *g);

/** crashguest_idle() - Whether all was answered. */
bool crashguest_idle(const struct crashguest *g);

/**
 * crashguest_check() - Look at the disk after a crash, and begin anew from there.
 * @f:     As forgetful_cut() has left it.
 * @lives: The guest has outlived the crash, with all that was under way.
 *
 * Return: whether all is as it must be; else @g->why says what is not.
 */
bool crashguest_check(struct crashguest *g, const struct forgetful *f,
		      bool lives);

/** crashguest_option() - A number of the environment, or @otherwise. */
unsigned int crashguest_option(const char *name, unsigned int otherwise);

#endif
