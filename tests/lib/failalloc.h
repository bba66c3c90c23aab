/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/failalloc.h - the allocation that fails. */
#ifndef TESTS_LIB_FAILALLOC_H
#define TESTS_LIB_FAILALLOC_H

/*
 * For tests linked with this file and its wraps (Makefile): what is linked statically calls
 * these in place of libc's.
 */

/** fail_in - Countdown to the allocation that fails; 0 is off. */
extern int fail_in;

#endif
