/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/blkfront_xs.c - the control plane of a PV disk's guest half. */
#include <stddef.h>
#include <xen/errno.h>

#include "guest-frontend/blkfront.h"
#include "guest-frontend/minilibc.h"
#include "guest-frontend/xenbus.h"

static struct blkfront *of_front(struct front *f)
{
	return (struct blkfront *)(void *)f;
}
_Static_assert(offsetof(struct blkfront, front) == 0, "the first member");

/* What the rings say is written once they are agreed on. */
static struct blkfront_ring rings[BLKFRONT_MAX_QUEUES];

static void free_queues(struct front *f)
{
	struct blkfront *b = of_front(f);

	while (b->nqueues) {
		blkfront_queue_free(b->queue[--b->nqueues]);
		b->queue[b->nqueues] = NULL;
	}
}

static unsigned int smaller(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* As much of what is wanted as the backend offers. */
static void agree(struct blkfront *b)
{
	const struct front *f = &b->front;
	unsigned int indirect;

	b->order = smaller(b->want.order, front_max(f, "max-ring-page-order",
						    BLKFRONT_MAX_ORDER));
	indirect = front_max(f, "feature-max-indirect-segments",
			     BLKFRONT_MAX_SEGS);
	b->segs = smaller(b->want.segs, indirect);
	if (b->segs < BLKIF_MAX_SEGMENTS_PER_REQUEST)
		b->segs = BLKIF_MAX_SEGMENTS_PER_REQUEST;
}

static void lost(struct front *f)
{
	struct blkfront *b = of_front(f);

	for (unsigned int i = 0; i < b->nqueues; i++)
		blkfront_queue_lost(b->queue[i]);
}

/* What was agreed on in the former life. */
static int prepare_again(struct blkfront *b)
{
	const struct blkfront had = *b;
	unsigned int n = front_max(&b->front, "multi-queue-max-queues",
				   BLKFRONT_MAX_QUEUES);
	int ret = 0;

	agree(b);
	if (b->order < had.order || b->segs < had.segs ||
	    (n ? n : 1) < had.nqueues)
		ret = -XEN_EOPNOTSUPP;
	b->order = had.order;
	b->segs = had.segs;
	for (unsigned int i = 0; !ret && i < b->nqueues; i++)
		ret = blkfront_queue_again(b->queue[i], &rings[i]);
	if (ret)
		free_queues(&b->front);
	return ret;
}

static int prepare(struct front *f)
{
	struct blkfront *b = of_front(f);
	unsigned int n =
		smaller(b->want.queues, front_max(f, "multi-queue-max-queues",
						  BLKFRONT_MAX_QUEUES));
	int ret = 0;

	if (f->resuming)
		return prepare_again(b);
	agree(b);
	while (!ret && b->nqueues < (n ? n : 1)) {
		ret = blkfront_queue_new(&b->queue[b->nqueues], b,
					 &rings[b->nqueues]);
		b->nqueues += !ret;
	}
	if (ret)
		free_queues(f);
	return ret;
}

static int write_ring(const struct blkfront *b, uint32_t txn, const char *dir,
		      const struct blkfront_ring *r)
{
	int ret = xenbus_write_u64(txn, r->port, "%s/event-channel", dir);

	if (!ret && !b->order)
		return xenbus_write_u64(txn, r->gref[0], "%s/ring-ref", dir);
	for (unsigned int i = 0; !ret && i < 1u << b->order; i++)
		ret = xenbus_write_u64(txn, r->gref[i], "%s/ring-ref%u", dir,
				       i);
	return ret;
}

static int write_rings(const struct blkfront *b, uint32_t txn)
{
	const char *dir = b->front.dir;
	char sub[FRONT_DIR_MAX + 24];
	int ret;

	if (!b->want.queues)
		return write_ring(b, txn, dir, &rings[0]);
	ret = xenbus_write_u64(txn, b->nqueues, "%s/multi-queue-num-queues",
			       dir);
	/* With one queue the keys lie where they do without the feature. */
	if (!ret && b->nqueues == 1)
		return write_ring(b, txn, dir, &rings[0]);
	for (unsigned int i = 0; !ret && i < b->nqueues; i++) {
		snprintf(sub, sizeof(sub), "%s/queue-%u", dir, i);
		ret = write_ring(b, txn, sub, &rings[i]);
	}
	return ret;
}

/* Left from a former connection, these two would tell how to read the others. */
static void clear(const struct blkfront *b, uint32_t txn)
{
	(void)xenbus_rm(txn, "%s/multi-queue-num-queues", b->front.dir);
	(void)xenbus_rm(txn, "%s/ring-page-order", b->front.dir);
}

static int keys(struct front *f, uint32_t txn)
{
	struct blkfront *b = of_front(f);
	int ret;

	clear(b, txn);
	ret = xenbus_write(txn, b->want.abi32 ? "x86_32-abi" : "x86_64-abi",
			   "%s/protocol", f->dir);
	if (!ret)
		ret = xenbus_write_u64(txn, b->want.persistent,
				       "%s/feature-persistent", f->dir);
	if (!ret && b->order)
		ret = xenbus_write_u64(txn, b->order, "%s/ring-page-order",
				       f->dir);
	return ret ? ret : write_rings(b, txn);
}

static int joined(struct front *f)
{
	struct blkfront *b = of_front(f);
	uint64_t sectors, size;
	int ret = xenbus_read_u64(XENBUS_NO_TXN, UINT64_MAX / BLKFRONT_SECTOR,
				  &sectors, "%s/sectors", f->be);

	if (!ret)
		ret = xenbus_read_u64(XENBUS_NO_TXN, 1u << 16, &size,
				      "%s/sector-size", f->be);
	if (ret)
		return ret;
	if (size < BLKFRONT_SECTOR || size & (size - 1))
		return -XEN_EINVAL;
	b->sectors = sectors;
	b->sector_size = (unsigned int)size;
	b->info = front_max(f, "info", UINT16_MAX);
	b->can_flush = front_max(f, "feature-flush-cache", 1);
	b->can_barrier = front_max(f, "feature-barrier", 1);
	b->can_discard = front_max(f, "feature-discard", 1);
	b->can_secure = front_max(f, "discard-secure", 1);
	return 0;
}

static const struct front_ops ops = {
	.type = "vbd",
	.offered = XenbusStateInitialised,
	.prepare = prepare,
	.keys = keys,
	.joined = joined,
	.leave = free_queues,
	.lost = lost,
};

int blkfront_again(struct blkfront *b, const struct blkfront_want *want)
{
	int ret = front_start(&b->front);

	b->want = *want;
	if (!ret)
		ret = front_run(&b->front, XenbusStateConnected,
				FRONT_TIMEOUT_NS);
	if (ret)
		(void)front_stop(&b->front);
	return ret;
}

int blkfront_open(struct blkfront *b, unsigned int devid,
		  const struct blkfront_want *want)
{
	int ret;

	memset(b, 0, sizeof(*b));
	b->devid = devid;
	ret = front_init(&b->front, &ops, devid);
	if (ret)
		return ret;
	ret = blkfront_again(b, want);
	if (ret)
		front_fini(&b->front);
	return ret;
}

int blkfront_renew(struct blkfront *b, uint64_t ns)
{
	return front_renew(&b->front, ns);
}

int blkfront_resume(struct blkfront *b)
{
	return front_resume(&b->front);
}

int blkfront_stop(struct blkfront *b)
{
	return front_stop(&b->front);
}

int blkfront_close(struct blkfront *b)
{
	int ret = front_stop(&b->front);

	front_fini(&b->front);
	return ret;
}
