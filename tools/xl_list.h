/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_list.h - the table that `xl list` prints. */
#ifndef TOOLS_XL_LIST_H
#define TOOLS_XL_LIST_H

#include <stdint.h>

#include "base/domsock.h"

/** Columns beyond the usual ones. */
#define XL_LIST_UUID  (1u << 0) /* and the reason of the shutdown */
#define XL_LIST_LABEL (1u << 1)
#define XL_LIST_POOL  (1u << 2)
#define XL_LIST_NUMA  (1u << 3)
#define XL_LIST_CLAIM (1u << 4)

/** struct xl_row - One line of the table. */
struct xl_row {
	unsigned int domid;
	const char *name;
	uint64_t mem_kib;
	uint64_t claimed_kib, shared_kib; /* none ever is */
	unsigned int vcpus;
	uint32_t state;	 /* enum dom_state */
	uint32_t reason; /* SHUTDOWN_*, with DOM_SHUTDOWN */
	uint64_t cpu_ns;
	uint8_t uuid[16];
};

/** xl_list_header(), xl_list_row() - Print to standard output. */
void xl_list_header(unsigned int columns);
void xl_list_row(const struct xl_row *r, unsigned int columns);

/**
 * xl_list_state() - What a domain is doing, in a word.
 * @state: enum dom_state: "shutdown", "paused", "running", "blocked" or, when it
 *         just waits for a CPU, "ready".
 */
const char *xl_list_state(uint32_t state);

#endif
