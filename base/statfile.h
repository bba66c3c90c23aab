/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/statfile.h - files of counters that outlive their writer. */
#ifndef BASE_STATFILE_H
#define BASE_STATFILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

/**
 * struct statfile - How such a file begins; the rest are the counters.
 * @magic, @version: Both 0 before any worker has begun to count.
 * @begun: How many workers have: each but the first replaced one that ended.
 */
struct statfile {
	uint32_t magic, version;
	uint64_t begun;
	uint8_t pad[48];
};

/**
 * statfile_begin() - A worker begins to count.
 * @f:    Mapped, of @size bytes; what a predecessor counted stays, anything else is
 *        zeroed.
 * @kind: What the file is to begin with.
 */
void statfile_begin(struct statfile *f, size_t size,
		    const struct statfile *kind);

/**
 * statfile_read() - Read a file that another process gave us.
 * @fd:     UNTRUSTED.
 * @offset: Where it begins there.
 * @f:      @size bytes; what is there after an error is undefined.
 *
 * Return: 0; -ENODATA if no worker has begun to count; -EPROTO if it is no such
 * file; or -errno.
 */
int statfile_read(int fd, uint64_t offset, struct statfile *f, size_t size,
		  const struct statfile *kind) must_check;

#endif
