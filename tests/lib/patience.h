/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/patience.h - how long a test waits for what must come. */
#ifndef TESTS_LIB_PATIENCE_H
#define TESTS_LIB_PATIENCE_H

#include <unistd.h>

#include "base/util.h"

/*
 * Long enough for a machine that is busy with other things, or slow, or both: only
 * a test that fails waits that long.  A test's own .timeout is longer still.
 */
#define PATIENCE_MS 60000
#define PATIENCE_NS (PATIENCE_MS * UINT64_C(1000000))

/**
 * SOON() - Whether a condition comes true.
 *
 * It is looked at again and again, each millisecond, for PATIENCE_MS at most.
 */
#define SOON(cond)                                                \
	({                                                        \
		uint64_t end_ = util_clock_ns() + PATIENCE_NS;    \
		bool is_;                                         \
                                                                  \
		while (!(is_ = (cond)) && util_clock_ns() < end_) \
			usleep(1000);                             \
		is_;                                              \
	})

#endif
