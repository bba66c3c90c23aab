/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/forgetful.h - a disk that loses what was not flushed. */
#ifndef TESTS_LIB_FORGETFUL_H
#define TESTS_LIB_FORGETFUL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dom0-backend/disk.h"

/*
 * How it works
 *
 * The medium has a cache before it that a loss of power empties.  Writes go to the
 * cache; any sector of it may be written out at any time, in any order, or not at
 * all.  A flush keeps no promise but the one that disks make: what was done
 * before it was asked for is lasting when it is done.  A sector is written whole or
 * not at all; several sectors of one write have nothing to do with each other.
 *
 * One thread at a time does the calls; what they tell is in shared memory, for
 * forgetful_now() in children of the test.
 */

struct forgetful;

/** forgetful_new() - Make one; its sectors are zero.  Aborts without memory. */
struct forgetful *forgetful_new(size_t sectors, unsigned int seed);

/** forgetful_seed() - Chance begins anew. */
void forgetful_seed(struct forgetful *f, unsigned int seed);

void forgetful_free(struct forgetful *f);

/** forgetful_now() - When something is asked for; in any process. */
uint64_t forgetful_now(const struct forgetful *f);

/** forgetful_write() - Do a write of @n sectors. */
void forgetful_write(struct forgetful *f, uint64_t sector, const void *data,
		     size_t n);

/** forgetful_tear() - Do a write of which nobody will hear: any of its sectors. */
void forgetful_tear(struct forgetful *f, uint64_t sector, const void *data,
		    size_t n);

/** forgetful_read() - Read @n sectors. */
void forgetful_read(const struct forgetful *f, uint64_t sector, void *data,
		    size_t n);

/** forgetful_flush() - Do a flush that was asked for at the time @asked. */
void forgetful_flush(struct forgetful *f, uint64_t asked);

/** forgetful_cut() - The power goes; Return: how many sectors have lost data. */
unsigned int forgetful_cut(struct forgetful *f);

#endif
