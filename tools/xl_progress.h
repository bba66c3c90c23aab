/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_progress.h - how far memory has been written, for who sits at a terminal. */
#ifndef TOOLS_XL_PROGRESS_H
#define TOOLS_XL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct xl_progress - One line on standard error, if that is a terminal.
 * @round: Counted from 1 on; of the first nothing is said.
 *
 * All members are private but @round.
 */
struct xl_progress {
	unsigned int round;
	bool on, shown;
	uint64_t next_ns;
};

/** xl_progress_init() - Nothing is shown yet. */
void xl_progress_init(struct xl_progress *p);

/**
 * xl_progress_tell() - So many of so many pages have been looked at.
 * @written: Of these.
 *
 * Shown five times a second at most.
 */
void xl_progress_tell(struct xl_progress *p, uint64_t at, uint64_t total,
		      uint64_t written);

/** xl_progress_end() - What is printed next has a line of its own. */
void xl_progress_end(struct xl_progress *p);

#endif
