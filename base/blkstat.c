// SPDX-License-Identifier: GPL-2.0-or-later
// base/blkstat.c - what a disk has done: counters that outlive their writer.
#include "base/blkstat.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MAGIC	0x73627653u /* "Svbs" */
#define VERSION 1u

#define WORDS (sizeof(struct blkstat) / sizeof(uint64_t))

void blkstat_begin(struct blkstat_file *f)
{
	if (f->magic != MAGIC || f->version != VERSION)
		memset(f, 0, sizeof(*f));
	f->magic = MAGIC;
	f->version = VERSION;
	/* What a predecessor had under way is taken anew, or is no more. */
	for (unsigned int i = 0; i < BLKSTAT_QUEUES; i++)
		f->queue[i].depth = 0;
}

void blkstat_sum(struct blkstat *sum, const struct blkstat *queue)
{
	const uint64_t *from = (const uint64_t *)(const void *)queue;
	uint64_t *to = (uint64_t *)(void *)sum;
	uint64_t most = sum->depth_max;

	for (size_t i = 0; i < WORDS; i++)
		to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	sum->depth_max = MAX(most, sum->depth_max - most);
}

int blkstat_read(int fd, uint64_t offset, struct blkstat_file *out)
{
	struct blkstat_file f;
	ssize_t n;

	if (offset > INT64_MAX - sizeof(f))
		return -EPROTO;
	n = pread(fd, &f, sizeof(f), (off_t)offset);
	if (n < 0)
		return -errno;
	if (n == sizeof(f) && !f.magic && !f.version)
		return -ENODATA;
	if (n != sizeof(f) || f.magic != MAGIC || f.version != VERSION)
		return -EPROTO;
	*out = f;
	return 0;
}
