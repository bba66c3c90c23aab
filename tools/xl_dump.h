/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_dump.h - a domain's memory and registers into a file. */
#ifndef TOOLS_XL_DUMP_H
#define TOOLS_XL_DUMP_H

#include <stdint.h>

#include "base/util.h"

/**
 * xl_dump() - Write an ELF core of a domain (hypervisor/dump.h).
 * @path: Written anew, for its owner alone; what was there stays if it fails.
 *
 * The domain stands still meanwhile, but not for a disk that takes nothing.
 *
 * Return: 0 or -errno; reported.
 */
int xl_dump(unsigned int domid, const char *path) must_check;

/** struct xl_core - What a core is made of: two memfds, *borrowed*, and RAM's bytes. */
struct xl_core {
	int head, ram;
	uint64_t size;
};

/**
 * xl_core_write() - Write it, with holes where there are some in RAM.
 * @fd:       An empty file.
 * @stall_ms: How long it may take nothing.
 *
 * Another process does it, and may have to wait for a disk for ever; we do not.
 *
 * Return: 0; -ETIMEDOUT; -EINTR after xl_interrupted(); or -errno.
 */
int xl_core_write(int fd, const struct xl_core *c, int stall_ms) must_check;

#endif
