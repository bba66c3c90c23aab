// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/blkback_stats.c - what a disk has done, told to the store.
#include "dom0-backend/blkback.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DIRECTORY "statistics"

/* As the files of Linux's xen-blkback begin, which libxenstat reads. */
static const char *const prefixes[BLKSTAT_NKINDS] = {
	[BLKSTAT_READ] = "rd",	   [BLKSTAT_WRITE] = "wr",
	[BLKSTAT_FLUSH] = "f",	   [BLKSTAT_DISCARD] = "ds",
	[BLKSTAT_OTHER] = "other",
};

/* What one transaction needs. */
struct telling {
	struct device *dev;
	const struct blkback_told *told;
	const struct blkstat *sum;
};

/* A node that is not there counts as 0, so those that stay 0 are never made. */
static int tell(const struct telling *t, const char *prefix, const char *name,
		uint64_t was, uint64_t is)
{
	if (was == is)
		return 0;
	return store_write_u64(t->dev->store, is, "%s/" DIRECTORY "/%s%s",
			       t->dev->be, prefix, name);
}

/* All buckets up to the last one in use. */
static int tell_hist(const struct telling *t, const char *prefix,
		     const uint64_t *was, const uint64_t *bucket)
{
	char text[HIST_BUCKETS * 21 + 1];
	unsigned int n = HIST_BUCKETS;
	int at = 0;

	if (!memcmp(was, bucket, n * sizeof(*bucket)))
		return 0;
	while (n > 1 && !bucket[n - 1])
		n--;
	for (unsigned int i = 0; i < n; i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at, "%s%llu",
			       i ? " " : "", (unsigned long long)bucket[i]);
	return store_write(t->dev->store, text, "%s/" DIRECTORY "/%s_hist",
			   t->dev->be, prefix);
}

static int tell_kind(const struct telling *t, enum blkstat_kind kind)
{
	const struct blkstat_kind_sum *was = &t->told->sum.kind[kind];
	const struct blkstat_kind_sum *is = &t->sum->kind[kind];
	const char *prefix = prefixes[kind];
	int ret = tell(t, prefix, "_req", was->requests, is->requests);

	if (!ret)
		ret = tell(t, prefix, "_err", was->errors, is->errors);
	if (!ret)
		ret = tell(t, prefix, "_sect", was->bytes / DISK_SECTOR,
			   is->bytes / DISK_SECTOR);
	if (!ret)
		ret = tell(t, prefix, "_merge", was->merged, is->merged);
	if (!ret)
		ret = tell(t, prefix, "_us", was->ns / 1000, is->ns / 1000);
	if (!ret)
		ret = tell_hist(t, prefix, was->bucket, is->bucket);
	return ret;
}

/* Writing below a directory that is gone would make it again. */
static int tell_all(struct store *s, void *arg)
{
	const struct telling *t = arg;
	const struct blkstat *was = &t->told->sum, *is = t->sum;
	int ret = 0;

	if (!store_exists(s, "%s/frontend", t->dev->be))
		return -ENOENT;
	if (!t->told->begun)
		ret = store_make_own(s, "%s/" DIRECTORY, t->dev->be);
	for (unsigned int i = 0; i < BLKSTAT_NKINDS && !ret; i++)
		ret = tell_kind(t, i);
	if (!ret)
		ret = tell(t, "", "depth", was->depth, is->depth);
	if (!ret)
		ret = tell(t, "", "depth_max", was->depth_max, is->depth_max);
	return ret;
}

void blkback_tell_stats(struct device *dev, struct blkback_told *told,
			const struct blkstat_file *f)
{
	struct blkstat sum = { 0 };
	struct telling t = { .dev = dev, .told = told, .sum = &sum };

	for (unsigned int i = 0; i < BLKSTAT_QUEUES; i++)
		blkstat_sum(&sum, &f->queue[i]);
	if (told->begun && !memcmp(&sum, &told->sum, sizeof(sum)))
		return;
	/* What went wrong is tried again, all of it: the store may be another. */
	if (store_transact(dev->store, tell_all, &t))
		*told = (struct blkback_told){ .begun = false };
	else
		*told = (struct blkback_told){ .begun = true, .sum = sum };
}
