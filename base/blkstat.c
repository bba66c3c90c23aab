// SPDX-License-Identifier: GPL-2.0-or-later
// base/blkstat.c - what a disk has done: counters that outlive their writer.
#include "base/blkstat.h"

static const struct statfile kind = { .magic = 0x73627653u, .version = 1 };

const char *const blkstat_names[BLKSTAT_NKINDS] = {
	[BLKSTAT_READ] = "read",   [BLKSTAT_WRITE] = "write",
	[BLKSTAT_FLUSH] = "flush", [BLKSTAT_DISCARD] = "discard",
	[BLKSTAT_OTHER] = "other",
};

#define WORDS (sizeof(struct blkstat) / sizeof(uint64_t))

void blkstat_begin(struct blkstat_file *f)
{
	statfile_begin(&f->head, sizeof(*f), &kind);
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
	int ret = statfile_read(fd, offset, &f.head, sizeof(f), &kind);

	if (!ret)
		*out = f;
	return ret;
}
