/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/hvopts.h - sv-hypervisor's options, for those who stand in for it. */
#ifndef TESTS_LIB_HVOPTS_H
#define TESTS_LIB_HVOPTS_H

#include <stdint.h>

#include "tests/lib/fakedom.h"

/**
 * struct hvopts - What xl asks of a VMM; strings are those of the command line.
 * @cmdline: "" if there is none.
 * @ready:   For fd_ready(), once the domain can be used.
 * @restore: Where it goes on from, behind record @after; -1: from its beginning.
 */
struct hvopts {
	unsigned int domid, memory_kib, vcpus, maxvcpus;
	uint8_t uuid[16];
	const char *name, *kernel, *cmdline, *log;
	int ready, restore;
	uint32_t after;
};

/** hvopts_read() - Parse; bad options end the program. */
void hvopts_read(struct hvopts *o, int argc, char **argv);

/** hvopts_domain() - Make the domain, paused; output goes to the log from then. */
struct fakedom *hvopts_domain(const struct hvopts *o);

#endif
