// SPDX-License-Identifier: GPL-2.0-or-later
// tools/counters.c - what a domain and its devices have done.
#include "tools/counters.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_DEVICES 1024u

/* How long a VMM may take for all its answers, if it is not waited for one. */
#define PATIENCE_NS UINT64_C(2000000000)

/* "vbd/51712" or "vif/0", and nothing else. */
static bool parse_device(const char *name, struct counters_dev *dev)
{
	uint64_t id;

	dev->is_disk = !strncmp(name, "vbd/", 4);
	if ((!dev->is_disk && strncmp(name, "vif/", 4) != 0) ||
	    util_u64(name + 4, INT32_MAX, &id))
		return false;
	dev->devid = (unsigned int)id;
	return true;
}

static bool same_device(const struct counters_dev *a,
			const struct counters_dev *b)
{
	return a->is_disk == b->is_disk && a->devid == b->devid;
}

static bool is_known(const struct counters *c, const struct counters_dev *dev)
{
	for (size_t i = 0; i < c->n; i++) {
		if (same_device(&c->dev[i], dev))
			return true;
	}
	return false;
}

/* All that was begun but the first was begun again. */
static uint64_t restarts(const struct statfile *head)
{
	return head->begun ? head->begun - 1 : 0;
}

static int sum_disk(struct counters_dev *dev, int fd, uint64_t offset)
{
	struct blkstat_file f;
	int ret = blkstat_read(fd, offset, &f);

	if (ret)
		return ret;
	dev->restarts = restarts(&f.head);
	for (unsigned int i = 0; i < BLKSTAT_QUEUES; i++)
		blkstat_sum(&dev->disk, &f.queue[i]);
	return 0;
}

static int sum_card(struct counters_dev *dev, int fd, uint64_t offset)
{
	struct netstat_file f;
	int ret = netstat_read(fd, offset, &f);

	if (ret)
		return ret;
	dev->restarts = restarts(&f.head);
	for (unsigned int i = 0; i < NETSTAT_QUEUES; i++)
		netstat_sum(&dev->card, &f.queue[i]);
	return 0;
}

/* A device that has not begun to count is none yet. */
static int add_device(struct counters *c, const struct dom_devstats *s, int fd)
{
	struct counters_dev dev = { 0 }, *more;

	if (!parse_device(s->device, &dev) || is_known(c, &dev) ||
	    (dev.is_disk ? sum_disk : sum_card)(&dev, fd, s->offset))
		return 0;
	more = reallocarray(c->dev, c->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	c->dev = more;
	c->dev[c->n++] = dev;
	return 0;
}

static int by_device(const void *a, const void *b)
{
	const struct counters_dev *x = a, *y = b;

	if (x->is_disk != y->is_disk)
		return x->is_disk ? -1 : 1;
	return x->devid < y->devid ? -1 : x->devid > y->devid;
}

static int read_devices(struct counters *c, struct dom *dom)
{
	uint64_t began = util_clock_ns();
	struct dom_devstats s = { 0 };
	int fd, ret = 0;

	for (unsigned int i = 0; !ret && i < MAX_DEVICES; i++, s.index++) {
		ret = util_clock_ns() - began > PATIENCE_NS
			      ? -ETIMEDOUT
			      : dom_devstats(dom, &s, &fd);
		if (ret)
			break;
		ret = add_device(c, &s, fd);
		close(fd);
	}
	if (c->n)
		qsort(c->dev, c->n, sizeof(*c->dev), by_device);
	return ret == -ENOENT ? 0 : ret;
}

/* UNTRUSTED: those whose names could steer a terminal, or are none, are left out. */
static void take_kvm(struct counters *c, const struct dom_stats *s)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

	for (uint32_t i = 0; i < MIN(s->n, DOM_MAX_STATS); i++) {
		const char *name = s->stat[i].name;
		size_t len = strnlen(name, sizeof(s->stat[i].name));

		if (len && len < sizeof(s->stat[i].name) &&
		    strspn(name, letters) == len)
			c->kvm.stat[c->kvm.n++] = s->stat[i];
	}
}

static int read_kvm(struct counters *c, struct dom *dom)
{
	struct dom_msg msg = { .type = DOM_STATS };
	int ret = dom_call(dom, &msg, NULL, NULL);

	if (ret == -ENOSYS)
		return 0;
	if (ret)
		return ret;
	take_kvm(c, &msg.u.stats);
	return 0;
}

int counters_read(struct counters *c, const struct xl_dom *d)
{
	struct dom *dom;
	int ret;

	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s", d->name);
	ret = dom_connect(&dom, d->domid, DOM_ROLE_ADMIN, NULL, false);
	if (ret)
		return ret;
	ret = dom_info(dom, &c->info);
	c->info.domid = d->domid;
	if (!ret)
		ret = read_kvm(c, dom);
	if (!ret)
		ret = read_devices(c, dom);
	dom_free(dom);
	if (ret)
		counters_free(c);
	return ret;
}

/* One that has ended meanwhile is not there. */
static int read_next(const struct xl_dom *d, bool late,
		     int (*take)(void *arg, struct counters *c, bool silent),
		     void *arg)
{
	struct counters c;
	int ret = late ? -ETIMEDOUT : counters_read(&c, d);

	if (!ret)
		return take(arg, &c, false);
	if (ret != -ETIMEDOUT)
		return 0;
	memset(&c, 0, sizeof(c));
	snprintf(c.name, sizeof(c.name), "%s", d->name);
	c.info.domid = d->domid;
	return take(arg, &c, true);
}

int counters_all(uint64_t limit_ns,
		 int (*take)(void *arg, struct counters *c, bool silent),
		 void *arg)
{
	uint64_t began = util_clock_ns();
	struct xl_dom *doms;
	size_t n;
	int ret = xl_run_list(&doms, &n);

	if (ret)
		return ret;
	for (size_t i = 0; !ret && i < n; i++)
		ret = read_next(&doms[i], util_clock_ns() - began > limit_ns,
				take, arg);
	free(doms);
	return ret;
}

void counters_free(struct counters *c)
{
	free(c->dev);
	c->dev = NULL;
	c->n = 0;
}

uint64_t counters_kvm(const struct counters *c, const char *name)
{
	for (uint32_t i = 0; i < c->kvm.n; i++) {
		if (!strcmp(c->kvm.stat[i].name, name))
			return c->kvm.stat[i].value;
	}
	return 0;
}

uint64_t counters_drops(const struct counters_dev *d, bool tx)
{
	return tx ? netstat_drops(&d->card, NETSTAT_TX_DROP_BAD,
				  NETSTAT_TX_DROP_DIED)
		  : netstat_drops(&d->card, NETSTAT_RX_DROP_BAD,
				  NETSTAT_RX_DROP_ROOM);
}
