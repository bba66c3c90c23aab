/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/neighbour.h - a well-behaved domain beside one that attacks. */
#ifndef TESTS_LIB_NEIGHBOUR_H
#define TESTS_LIB_NEIGHBOUR_H

#include "tests/lib/stack.h"

#define NEIGHBOUR_DOMID 40u

struct neighbour;

/**
 * neighbour_new() - Make a domain with a disk that is always in use.
 *
 * Served by a live sv-blkback of @s.  A thread writes and reads pages in turn, and
 * checks what it reads.  Returns when it has done so for a while: how long requests
 * took until then is what those that follow are compared with.  Aborts if the disk
 * cannot be connected.
 */
struct neighbour *neighbour_new(struct stack *s);

/**
 * neighbour_end() - Let it finish, and ask how it went.
 *
 * Return: true if it noticed nothing: no wrong answer, none that took longer than
 * 20 s, times as latency_kept() wants them, the same worker process from beginning to end, device connected and image
 * as written.  Otherwise what it noticed goes to standard error.
 */
bool neighbour_end(struct neighbour *n);

#endif
