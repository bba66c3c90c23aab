/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/fini.h - checks in what runs after a test. */
#ifndef TESTS_LIB_FINI_H
#define TESTS_LIB_FINI_H

#include <stdio.h>
#include <stdlib.h>

/**
 * FINI_CHECK() - What must hold when a test has ended.
 *
 * Criterion 2.4.1 takes no notice of an assertion that fails in a .fini function.
 * This ends the process, which makes the program's status bad; tests/run counts
 * that.
 */
#define FINI_CHECK(cond)                                               \
	do {                                                           \
		if (!(cond)) {                                         \
			fprintf(stderr, "%s:%d: after the test: %s\n", \
				__FILE__, __LINE__, #cond);            \
			abort();                                       \
		}                                                      \
	} while (0)

#endif
