/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/flipper.h - shared memory that changes while somebody reads it. */
#ifndef TESTS_LIB_FLIPPER_H
#define TESTS_LIB_FLIPPER_H

#include <stdbool.h>
#include <stddef.h>

struct flipper;

/**
 * flipper_start() - Write noise over @len bytes as fast as a CPU can.
 *
 * In a thread of its own.  Each byte is one atomic store of any value.
 */
struct flipper *flipper_start(void *mem, size_t len);

/** flipper_stop() - The bytes stay as they are now. */
void flipper_stop(struct flipper *f);

/**
 * flipper_time() - Whether an attack is to go on.
 * @begin: 0 at first; kept here.
 *
 * An attack lasts HOSTILE_MS milliseconds: 1000, or 300 with sanitizers, if the
 * environment does not say.
 */
bool flipper_time(unsigned long long *begin);

#endif
