// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/blkback_xs.c - the control plane of a PV block device.
#include "dom0-backend/blkback.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xen/xen.h>
#include <xen/io/blkif.h>

#include "base/fd.h"
#include "dom0-backend/custody.h"
#include "dom0-backend/disk_nbd.h"

static int option(struct device *dev, const char *name, const char *value)
{
	struct blkback *b = dev->priv;
	uint64_t n;

	if (util_u64(value, INT32_MAX, &n))
		return -EINVAL;
	if (!strcmp(name, "disk-fd"))
		b->disk_fd = (int)n;
	else if (!strcmp(name, "told-fd"))
		b->told_fd = (int)n;
	else if (!strcmp(name, "journal-fd"))
		b->journal_fd = (int)n;
	else if (!strcmp(name, "sector-size"))
		b->logical = (uint32_t)n;
	else if (!strcmp(name, "physical-sector-size"))
		b->physical = (uint32_t)n;
	else if (!strcmp(name, "disk-link"))
		b->disk_link = (int)n;
	else
		return -EINVAL;
	return 0;
}

static bool key_is(struct device *dev, const char *key, const char *value)
{
	char *text = NULL;
	bool ret = !store_read(dev->store, &text, "%s/%s", dev->be, key) &&
		   !strcmp(text, value);

	free(text);
	return ret;
}

/* The limits that the operator has written, now or just then. */
static void changed(struct device *dev)
{
	static const char *const names[] = { "limit-iops", "limit-iops-burst",
					     "limit-bps", "limit-bps-burst" };
	struct blkback *b = dev->priv;
	struct throttle_limits l = { 0 };
	uint64_t *const values[] = { &l.iops, &l.iops_burst, &l.bps,
				     &l.bps_burst };
	int ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		ret = store_read_opt(dev->store, 0, THROTTLE_MAX, values[i],
				     "%s/%s", dev->be, names[i]);
		if (ret) {
			(void)device_bad_key(dev, dev->be, names[i],
					     "a number up to 10^12", ret);
			return; /* what was set before stays */
		}
	}
	if (throttle_set(&b->throttle, &l, util_clock_ns()))
		log_info("limits: %llu requests/s (%llu at once), %llu bytes/s "
			 "(%llu at once); 0 is none",
			 (unsigned long long)l.iops,
			 (unsigned long long)l.iops_burst,
			 (unsigned long long)l.bps,
			 (unsigned long long)l.bps_burst);
}

/*
 * A disk that cannot be reached any more can be detached all the same: nothing of
 * it is needed for that.
 */
static int init_remote(struct device *dev)
{
	struct blkback *b = dev->priv;
	char why[256];
	int ret = disk_nbd_init(&b->disk, b->disk_link, why, sizeof(why));

	b->disk_link = -1;
	if (ret == -ETIMEDOUT && key_is(dev, "online", "0"))
		ret = 0;
	if (ret)
		device_refuse(dev, why);
	if (key_is(dev, "mode", "r"))
		b->disk.readonly = true;
	if (b->disk.readonly)
		b->disk.discard = false;
	return ret;
}

/* The parent has judged a file's already; what a server has, we know first. */
static int set_sector(struct device *dev)
{
	struct blkback *b = dev->priv;
	const struct disk *d = &b->disk;
	char why[256];
	int ret = disk_set_sector(&b->disk, b->logical, b->physical);

	if (!ret)
		return 0;
	if (b->logical && b->logical < d->least)
		snprintf(why, sizeof(why),
			 "sector-size=%u: the disk's server takes only whole "
			 "blocks of up to %u bytes: write sector-size=%u, or "
			 "leave it out",
			 b->logical, d->least, d->least);
	else
		snprintf(why, sizeof(why),
			 "a disk of %llu bytes with sector-size=%u, "
			 "physical-sector-size=%u: " DISK_SECTOR_RULE,
			 (unsigned long long)disk_sectors(d) * DISK_SECTOR,
			 b->logical, b->physical);
	device_refuse(dev, why);
	return ret;
}

static int map_journal(struct blkback *b)
{
	void *p;
	int ret = custody_map(b->journal_fd, sizeof(*b->journal), &p);

	if (!ret)
		b->journal = p;
	return ret;
}

static int begin_stats(struct blkback *b)
{
	int ret = custody_reserve(b->journal_fd, offsetof(struct journal, stat),
				  sizeof(b->journal->stat));

	if (!ret)
		blkstat_begin(&b->journal->stat);
	return ret;
}

/* What the host has is looked up among files. */
static int open_disk(struct device *dev)
{
	struct blkback *b = dev->priv;

	if (b->disk_fd < 0 && b->disk_link < 0) {
		log_err("--disk-fd is missing: run by sv-backend only");
		return -EINVAL;
	}
	b->max_queues = device_max_queues(BLK_MAX_QUEUES);
	return b->disk_link < 0 ? disk_init(&b->disk, b->disk_fd) : 0;
}

static int init(struct device *dev)
{
	struct blkback *b = dev->priv;
	int ret = b->disk_link < 0 ? 0 : init_remote(dev);

	if (!ret)
		ret = set_sector(dev);
	if (!ret)
		ret = map_journal(b);
	if (!ret)
		ret = begin_stats(b);
	if (ret)
		return ret;
	b->disk.told = b->told_fd;
	b->disk.witness = b->journal_fd;
	b->disk.throttle = &b->throttle;
	changed(dev);
	b->told = disk_sectors(&b->disk);
	if (b->disk.queues)
		b->max_queues = MIN(b->max_queues, b->disk.queues);
	b->info = 0;
	if (key_is(dev, "device-type", "cdrom"))
		b->info |= VDISK_CDROM | VDISK_REMOVABLE;
	if (key_is(dev, "removable", "1"))
		b->info |= VDISK_REMOVABLE;
	if (b->disk.readonly)
		b->info |= VDISK_READONLY;
	if (key_is(dev, "discard-enable", "0"))
		b->disk.discard = false;
	return 0;
}

static void fini(struct device *dev)
{
	struct blkback *b = dev->priv;

	disk_fini(&b->disk);
	if (b->journal)
		munmap(b->journal, sizeof(*b->journal));
	fd_close(&b->journal_fd);
	fd_close(&b->told_fd);
	fd_close(&b->disk_fd);
}

struct key {
	const char *name;
	uint64_t value;
};

static int write_keys(struct device *dev, const struct key *key, size_t n)
{
	int ret = 0;

	for (size_t i = 0; i < n && !ret; i++)
		ret = store_write_u64(dev->store, key[i].value, "%s/%s",
				      dev->be, key[i].name);
	return ret;
}

static int features(struct device *dev)
{
	const struct blkback *b = dev->priv;
	const struct key key[] = {
		{ "feature-max-indirect-segments", BLK_MAX_SEGS },
		{ "multi-queue-max-queues", b->max_queues },
		{ "max-ring-page-order", BLK_MAX_ORDER },
		{ "feature-flush-cache",
		  !b->disk.noflush && !b->disk.readonly },
		{ "feature-barrier", !b->disk.noflush && !b->disk.readonly },
		{ "feature-persistent", 0 },
		{ "feature-discard", b->disk.discard },
		/* With feature-discard only. */
		{ "discard-granularity", b->disk.unit },
		{ "discard-alignment", b->disk.align },
		{ "discard-secure", 0 },
	};

	return write_keys(dev, key,
			  ARRAY_SIZE(key) - (b->disk.discard ? 0 : 3));
}

static int sizes(struct device *dev)
{
	struct blkback *b = dev->priv;
	const struct key key[] = {
		{ "sectors", disk_sectors(&b->disk) },
		{ "info", b->info },
		{ "sector-size", b->disk.logical },
		{ "physical-sector-size", b->disk.physical },
	};

	b->told = key[0].value;
	return write_keys(dev, key, ARRAY_SIZE(key));
}

static int keys(struct device *dev, enum xb_state state)
{
	if (state == XB_INIT_WAIT)
		return features(dev);
	return state == XB_CONNECTED ? sizes(dev) : 0;
}

/* Has the file or the device been resized? */
static void look_at_size(struct device *dev)
{
	struct blkback *b = dev->priv;
	uint64_t sectors;

	if (disk_measure(&b->disk))
		return; /* a device that is gone answers its requests so, too */
	sectors = disk_sectors(&b->disk);
	if (sectors == b->told)
		return;
	log_info("the disk has %llu sectors now, not %llu",
		 (unsigned long long)sectors, (unsigned long long)b->told);
	b->told = device_republish(dev) ? UINT64_MAX : sectors;
}

static void tick(struct device *dev)
{
	struct blkback *b = dev->priv;

	look_at_size(dev);
	blkback_tell_stats(dev, &b->stats, &b->journal->stat);
}

static int read_protocol(struct device *dev, enum blk_abi *abi)
{
	char *text = NULL;
	int ret;

	*abi = BLK_ABI_X86_64;
	ret = store_read(dev->store, &text, "%s/protocol", dev->fe);
	if (ret == -ENOENT)
		return 0;
	for (unsigned int i = 0; i < BLK_NABI && text; i++) {
		ret = -EINVAL;
		if (strcmp(text, blk_layouts[i].protocol) != 0)
			continue;
		*abi = (enum blk_abi)i;
		ret = 0;
		break;
	}
	free(text);
	if (ret)
		return device_bad_key(dev, dev->fe, "protocol",
				      "x86_64-abi or x86_32-abi", ret);
	return 0;
}

/*
 * One page has the key "ring-ref"; more, or a given order, "ring-refN".  The order
 * is one for all queues (xen/io/blkif.h, "Multiple hardware queues/rings").
 */
static int read_ring(struct device *dev, const char *dir, struct blk_ring *ring)
{
	char name[32];
	uint64_t order;
	bool plain;
	int ret;

	ret = store_read_u64(dev->store, BLK_MAX_ORDER, &order,
			     "%s/ring-page-order", dev->fe);
	if (ret && ret != -ENOENT)
		return device_bad_key(dev, dev->fe, "ring-page-order", "0 to 4",
				      ret);
	plain = ret == -ENOENT ||
		(order == 0 && store_exists(dev->store, "%s/ring-ref", dir));
	ring->npages = ret ? 1 : 1u << order;
	for (unsigned int i = 0; i < ring->npages; i++) {
		snprintf(name, sizeof(name), "ring-ref%u", i);
		ret = device_read_u32(dev, dir, plain ? "ring-ref" : name,
				      &ring->gref[i]);
		if (ret)
			return ret;
	}
	return device_read_u32(dev, dir, "event-channel", &ring->port);
}

static int read_queue(struct device *dev, const char *dir)
{
	struct blkback *b = dev->priv;
	struct blk_ring *ring = &b->ring[b->nrings];
	int ret;

	*ring = (struct blk_ring){ .abi = b->abi };
	ret = read_ring(dev, dir, ring);
	b->nrings += !ret;
	return ret;
}

/* All that the frontend says of its rings, which are @max at most. */
static int read_rings(struct device *dev, unsigned int max)
{
	struct blkback *b = dev->priv;
	unsigned int n;
	int ret = read_protocol(dev, &b->abi);

	b->nrings = 0;
	if (!ret)
		ret = device_nqueues(dev, max, &n);
	return ret ? ret : device_start_queues(dev, n, read_queue);
}

static void disconnect(struct device *dev)
{
	struct blkback *b = dev->priv;

	/* Whoever dies in between leaves marks that a successor must clear. */
	while (b->nqueues)
		blkback_stop(b->queue[--b->nqueues]);
	journal_valid(&b->journal->head, JOURNAL_VBD, 0);
}

static void suspend(struct device *dev)
{
	struct blkback *b = dev->priv;

	while (b->nqueues)
		blkback_suspend(b->queue[--b->nqueues]);
}

/* Start the next queue. */
static int begin_queue(struct device *dev, struct blk_ring *ring)
{
	struct blkback *b = dev->priv;
	unsigned int i = b->nqueues;
	size_t n = ring_slots(ring->npages, blk_layouts[ring->abi].slot) + 1;
	int ret = custody_reserve(b->journal_fd,
				  offsetof(struct journal, queue[i]),
				  offsetof(struct journal_queue, entry) +
					  n * sizeof(struct journal_entry));

	ring->log = &b->journal->queue[i];
	ring->stat = &b->journal->stat.queue[i];
	if (!ret)
		ret = blkback_start(&b->queue[i], dev, &b->disk, ring,
				    &b->limit[i]);
	if (!ret)
		b->nqueues++;
	else
		log_limited(&dev->limit, LOG_LVL_WARN,
			    "queue %u: %u ring pages from grant %u, port %u: "
			    "%s",
			    i, ring->npages, ring->gref[0], ring->port,
			    strerror(-ret));
	return ret;
}

static int connect(struct device *dev)
{
	struct blkback *b = dev->priv;
	int ret = read_rings(dev, b->max_queues);

	/* A predecessor's, of a connection that is over. */
	journal_valid(&b->journal->head, JOURNAL_VBD, 0);
	for (unsigned int i = 0; i < b->nrings && !ret; i++)
		ret = begin_queue(dev, &b->ring[i]);
	if (ret) {
		disconnect(dev);
		return ret;
	}
	journal_valid(&b->journal->head, JOURNAL_VBD, b->nqueues);
	log_limited(&dev->limit, LOG_LVL_INFO,
		    "serving %u queue(s), %s, %llu sectors%s", b->nqueues,
		    blk_layouts[b->abi].protocol,
		    (unsigned long long)disk_sectors(&b->disk),
		    b->disk.readonly ? ", read-only" : "");
	return 0;
}

/* UNTRUSTED: what the journal says of a ring; copied, then judged. */
static int read_journal(struct journal_queue *log, struct blk_ring *ring)
{
	const struct journal_ring r = log->ring;

	if (r.abi >= BLK_NABI || r.npages < 1 || r.npages > BLK_MAX_PAGES ||
	    (r.npages & (r.npages - 1)))
		return -EPROTO;
	*ring = (struct blk_ring){ .abi = (enum blk_abi)r.abi,
				   .npages = r.npages,
				   .port = r.port,
				   .log = log,
				   .resume = true };
	memcpy(ring->gref, r.gref, sizeof(ring->gref));
	return 0;
}

static bool same_ring(const struct blk_ring *x, const struct blk_ring *y)
{
	return x->abi == y->abi && x->npages == y->npages &&
	       x->port == y->port &&
	       !memcmp(x->gref, y->gref, x->npages * sizeof(x->gref[0]));
}

/*
 * What a predecessor was serving, as far as it is what the frontend's keys say.
 *
 * Return: how many rings, in @ring; -ENOENT if it served none; -ESTALE if the
 * frontend has others now; -EAGAIN if the store failed; -EPROTO.
 */
static int find_rings(struct device *dev, struct blk_ring *ring)
{
	struct blkback *b = dev->priv;
	unsigned int n =
		journal_nqueues(&b->journal->head, JOURNAL_VBD, JOURNAL_QUEUES);
	int ret = n ? 0 : -ENOENT;

	for (unsigned int i = 0; i < n && !ret; i++)
		ret = read_journal(&b->journal->queue[i], &ring[i]);
	if (ret)
		return ret;
	ret = read_rings(dev, BLK_MAX_QUEUES);
	if (ret && !device_no_value(ret))
		return -EAGAIN;
	if (ret || b->nrings != n)
		return -ESTALE;
	for (unsigned int i = 0; i < n; i++) {
		if (!same_ring(&ring[i], &b->ring[i]))
			return -ESTALE;
	}
	return (int)n;
}

static int resume(struct device *dev)
{
	struct blkback *b = dev->priv;
	struct blk_ring ring[BLK_MAX_QUEUES];
	int n = find_rings(dev, ring), ret = n < 0 ? n : 0;
	uint64_t told;

	for (int i = 0; i < n && !ret; i++) {
		if (!blkback_in_use(dev, &ring[i]))
			ret = -ESTALE;
	}
	if (ret)
		return ret;
	/* The disk may have grown since the frontend was told. */
	if (!store_read_u64(dev->store, UINT64_MAX, &told, "%s/sectors",
			    dev->be))
		b->told = told;
	b->disk.inherited = true;
	for (int i = 0; i < n && !ret; i++)
		ret = begin_queue(dev, &ring[i]);
	if (ret)
		suspend(dev);
	else
		log_info("serving on for a predecessor, %d queue(s)", n);
	return ret;
}

/* A ring that is not in use has been released before, or is another's. */
static void release(struct device *dev)
{
	struct blkback *b = dev->priv;
	struct blk_ring ring[BLK_MAX_QUEUES];
	int n = find_rings(dev, ring);

	for (int i = 0; i < n; i++) {
		if (blkback_in_use(dev, &ring[i]))
			blkback_release(dev, &b->disk, &ring[i]);
	}
}

const struct device_ops blkback_ops = {
	.type = "vbd",
	.program = "blkback",
	.option = option,
	.open = open_disk,
	.init = init,
	.fini = fini,
	.keys = keys,
	.tick = tick,
	.changed = changed,
	.connect = connect,
	.disconnect = disconnect,
	.resume = resume,
	.release = release,
	.suspend = suspend,
};
