// SPDX-License-Identifier: GPL-2.0-or-later
// base/statfile.c - files of counters that outlive their writer.
#include "base/statfile.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static bool is_kind(const struct statfile *f, const struct statfile *kind)
{
	return f->magic == kind->magic && f->version == kind->version;
}

void statfile_begin(struct statfile *f, size_t size,
		    const struct statfile *kind)
{
	if (!is_kind(f, kind))
		memset(f, 0, size);
	f->magic = kind->magic;
	f->version = kind->version;
	f->begun++;
}

int statfile_read(int fd, uint64_t offset, struct statfile *f, size_t size,
		  const struct statfile *kind)
{
	ssize_t n;

	if (offset > INT64_MAX - size)
		return -EPROTO;
	n = pread(fd, f, size, (off_t)offset);
	if (n < 0)
		return -errno;
	if (n == (ssize_t)size && !f->magic && !f->version)
		return -ENODATA;
	return n == (ssize_t)size && is_kind(f, kind) ? 0 : -EPROTO;
}
