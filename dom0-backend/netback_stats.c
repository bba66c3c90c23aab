// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/netback_stats.c - what a card has done, told to the store.
#include "dom0-backend/netback.h"

#include <errno.h>
#include <string.h>

#define DIRECTORY "statistics"

/* What one transaction needs. */
struct telling {
	struct device *dev;
	const struct netback_told *told;
	const struct netstat *sum;
};

/*
 * A node that is not there counts as 0, so those that stay 0 are never made.
 * Writing below a directory that is gone would make it again.
 */
static int tell_all(struct store *s, void *arg)
{
	const struct telling *t = arg;
	int ret = 0;

	if (!store_exists(s, "%s/frontend", t->dev->be))
		return -ENOENT;
	if (!t->told->begun)
		ret = store_make_own(s, "%s/" DIRECTORY, t->dev->be);
	for (unsigned int i = 0; i < NETSTAT_NCOUNTS && !ret; i++) {
		if (t->sum->n[i] != t->told->sum.n[i])
			ret = store_write_u64(s, t->sum->n[i],
					      "%s/" DIRECTORY "/%s", t->dev->be,
					      netstat_names[i]);
	}
	return ret;
}

void netback_tell_stats(struct device *dev, struct netback_told *told,
			const struct netstat_file *f)
{
	struct netstat sum = { 0 };
	struct telling t = { .dev = dev, .told = told, .sum = &sum };

	for (unsigned int i = 0; i < NETSTAT_QUEUES; i++)
		netstat_sum(&sum, &f->queue[i]);
	if (told->begun && !memcmp(&sum, &told->sum, sizeof(sum)))
		return;
	/* What went wrong is tried again, all of it: the store may be another. */
	if (store_transact(dev->store, tell_all, &t))
		*told = (struct netback_told){ .begun = false };
	else
		*told = (struct netback_told){ .begun = true, .sum = sum };
}
