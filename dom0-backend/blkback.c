// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/blkback.c - the data path of a PV block device.
#include "dom0-backend/blkback.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/io/blkif.h>

#include "base/probe.h"
#include "dom0-backend/evtchn_fd.h"
#include "ring/ring.h"
#include "ring/shm.h"

/* Requests that start together: the disk works on them while we prepare more. */
#define SUBMIT_MAX 8u

#define MAX_HELD_NS UINT64_C(1000000000)

/* For how long we look for work before we sleep: about what a wake-up takes. */
#define POLL_MIN_NS UINT64_C(5000)
#define POLL_MAX_NS UINT64_C(50000)

/* The i386 numbers were measured; test_blkback compares both with the headers. */
const struct blk_layout blk_layouts[BLK_NABI] = {
	[BLK_ABI_X86_64] = { "x86_64-abi", .slot = 112, .rsp = 16, .id = 8,
			     .sector = 16, .rest = 24, .grefs = 28 },
	[BLK_ABI_X86_32] = { "x86_32-abi", .slot = 108, .rsp = 12, .id = 4,
			     .sector = 12, .rest = 20, .grefs = 24 },
};

_Static_assert(sizeof(struct blk_seg) == sizeof(struct blkif_request_segment) &&
		       offsetof(struct blk_seg, last) ==
			       offsetof(struct blkif_request_segment,
					last_sect),
	       "segments are copied as they lie");
_Static_assert(JOURNAL_SLOT >= sizeof(struct blkif_request) &&
		       JOURNAL_RING_PAGES == BLK_MAX_PAGES &&
		       JOURNAL_QUEUES == BLK_MAX_QUEUES,
	       "a journal has room for all");
_Static_assert(BLK_SLOT_SEGS == BLKIF_MAX_SEGMENTS_PER_REQUEST, "as blkif.h");
_Static_assert(BLK_MAX_SEGS * sizeof(struct blk_seg) <= SV_PAGE_SIZE,
	       "all segments of an indirect request lie in one page");

/* A response of either ABI: the same, but for the padding at its end. */
struct blk_rsp {
	uint64_t id;
	uint8_t op;
	uint8_t pad;
	int16_t status;
	uint32_t tail;
};
_Static_assert(offsetof(struct blk_rsp, op) ==
			       offsetof(struct blkif_response, operation) &&
		       offsetof(struct blk_rsp, status) ==
			       offsetof(struct blkif_response, status) &&
		       sizeof(struct blk_rsp) == sizeof(struct blkif_response),
	       "the layout of a response");

/**
 * struct blk_io - A request under way.
 * @d:      First member, so that a finished operation is its request.
 * @entry:  Of the journal: its copy of the ring's slot.
 * @next:   In the pool of free ones.
 * @gref:   @ngref pinned references, with @access.
 * @vec:    BLK_MAX_SEGS places, of which neighbouring pages share one.
 * @since:  Clock when it was taken, or begun anew.
 * @bytes:  To be moved or discarded; the transfer uses @d up.
 * @merged: Segments that share a place in @vec with the one before.
 * @step:   Of a barrier.
 */
struct blk_io {
	struct disk_io d;
	struct blk_io *next;
	struct journal_entry *entry;
	uint64_t id;
	uint8_t op; /* echoed by the response */
	enum { FLUSH_BEFORE, BARRIER_WRITE, FLUSH_AFTER } step;
	enum gnt_access access;
	unsigned int ngref;
	uint32_t *gref;
	struct iovec *vec;
	uint64_t since;
	uint64_t bytes;
	unsigned int merged;
};

struct blk_queue {
	struct device *dev;
	const struct disk *disk;
	const struct blk_layout *layout;
	struct ring_back ring;
	struct disk_queue *dq;
	struct evtchn_fd evtchn;
	struct log_limit *limit;
	uint32_t nent; /* slots of the ring */
	unsigned int inflight;
	uint64_t held; /* ns till the limits allow another request */
	/*
	 * ns for which looking for work has paid lately: while the guest alone
	 * can give us some, and while the disk can too.
	 */
	uint64_t poll[2];
	uint64_t now; /* clock; read once for several requests */
	struct blkstat *stat;
	struct blkstat own_stat; /* if nobody will look */
	struct blk_io *free;
	struct blk_io *barrier;		  /* waits, or is under way alone */
	struct blk_seg seg[BLK_MAX_SEGS]; /* of the request being looked at */

	struct journal_queue *log;
	struct journal_queue *own_log; /* if nobody will succeed us */
	struct blk_io *pool;	       /* nent + 1 */
	uint32_t *grefs;
	struct iovec *vecs;
	unsigned int npages; /* of the ring, pinned for writing */
	uint32_t page_gref[BLK_MAX_PAGES];
	void *page[BLK_MAX_PAGES];
	pthread_t thread;
	_Atomic bool stop;
};

void blkback_decode(struct blk_req *req, const struct blk_layout *layout,
		    const uint8_t *slot)
{
	*req = (struct blk_req){ .op = slot[0] };
	memcpy(&req->id, slot + layout->id, sizeof(req->id));
	memcpy(&req->sector, slot + layout->sector, sizeof(req->sector));
	if (req->op == BLKIF_OP_INDIRECT) {
		req->indirect = true;
		req->op = slot[1];
		memcpy(&req->nseg, slot + 2, sizeof(req->nseg));
		memcpy(&req->gref, slot + layout->grefs, sizeof(req->gref));
		return;
	}
	req->nseg = slot[1];
	memcpy(&req->nsectors, slot + layout->rest, sizeof(req->nsectors));
	memcpy(req->seg, slot + layout->rest, sizeof(req->seg));
}

static int check_rw(const struct disk *disk, const struct blk_req *req)
{
	unsigned int max = req->indirect ? BLK_MAX_SEGS : BLK_SLOT_SEGS;

	if (req->op != BLKIF_OP_READ && disk->readonly)
		return -EROFS;
	/* A barrier without data is a flush that keeps the order. */
	if (!req->nseg && req->op == BLKIF_OP_WRITE_BARRIER)
		return 0;
	return req->nseg >= 1 && req->nseg <= max ? 0 : -EINVAL;
}

/* Whether the disk has @n sectors from @sector on. */
static bool on_disk(const struct disk *disk, uint64_t sector, uint64_t n)
{
	uint64_t sectors = disk_sectors(disk);

	return n <= sectors && sector <= sectors - n;
}

int blkback_check(const struct disk *disk, const struct blk_req *req)
{
	if (req->indirect && req->op != BLKIF_OP_READ &&
	    req->op != BLKIF_OP_WRITE)
		return -EINVAL;
	switch (req->op) {
	case BLKIF_OP_READ:
	case BLKIF_OP_WRITE:
	case BLKIF_OP_WRITE_BARRIER:
		return check_rw(disk, req);
	case BLKIF_OP_FLUSH_DISKCACHE:
		if (disk->noflush)
			return -EOPNOTSUPP;
		return req->nseg == 0 ? 0 : -EINVAL;
	case BLKIF_OP_DISCARD:
		if (!disk->discard)
			return disk->readonly ? -EROFS : -EOPNOTSUPP;
		/* The flag is where others have their number of segments. */
		if (req->nseg & BLKIF_DISCARD_SECURE)
			return -EOPNOTSUPP;
		if (req->nsectors == 0 || disk_unaligned(disk, req->sector) ||
		    disk_unaligned(disk, req->nsectors))
			return -EINVAL;
		return on_disk(disk, req->sector, req->nsectors) ? 0 : -EINVAL;
	default:
		return -EOPNOTSUPP;
	}
}

int blkback_check_segs(const struct disk *disk, const struct blk_seg *seg,
		       unsigned int n, uint64_t sector)
{
	unsigned int total = 0, n_sect;

	for (unsigned int i = 0; i < n; i++) {
		if (seg[i].first > seg[i].last ||
		    seg[i].last >= BLK_PAGE_SECTOR)
			return -EINVAL;
		n_sect = seg[i].last - seg[i].first + 1u;
		if (disk_unaligned(disk, n_sect))
			return -EINVAL;
		total += n_sect;
	}
	if (disk_unaligned(disk, sector))
		return -EINVAL;
	return on_disk(disk, sector, total) ? (int)total : -EINVAL;
}

static void put_io(struct blk_queue *q, struct blk_io *io)
{
	io->next = q->free;
	q->free = io;
}

static void unmap(struct blk_queue *q, struct blk_io *io)
{
	while (io->ngref)
		gnt_put(q->dev->gnt, io->gref[--io->ngref], io->access);
}

/* Add bytes to the vector, joining them to those that they follow. */
static void add_bytes(struct disk_io *d, void *at, size_t len)
{
	struct iovec *v;

	if (d->niov) {
		v = &d->iov[d->niov - 1];
		if ((uint8_t *)v->iov_base + v->iov_len == at) {
			v->iov_len += len;
			return;
		}
	}
	d->iov[d->niov++] = (struct iovec){ at, len };
}

/* Pin the pages of all segments; on failure none stays pinned. */
static int map(struct blk_queue *q, struct blk_io *io,
	       const struct blk_seg *seg, unsigned int n)
{
	void SHM *page;
	int ret;

	for (unsigned int i = 0; i < n; i++) {
		ret = gnt_get(q->dev->gnt, seg[i].gref, io->access, &page);
		if (ret) {
			unmap(q, io);
			return ret;
		}
		io->gref[io->ngref++] = seg[i].gref;
		add_bytes(&io->d,
			  shm_bulk((uint8_t SHM *)page +
				   seg[i].first * (size_t)DISK_SECTOR),
			  (seg[i].last - seg[i].first + (size_t)1) *
				  DISK_SECTOR);
	}
	return 0;
}

/* Copy the segments of an indirect request out of the guest's page, once. */
static int fetch_segs(struct blk_queue *q, const struct blk_req *req)
{
	void SHM *page;
	int ret = gnt_get(q->dev->gnt, req->gref, GNT_READ, &page);

	if (ret)
		return ret;
	shm_fetch(q->seg, page, req->nseg * sizeof(q->seg[0]));
	gnt_put(q->dev->gnt, req->gref, GNT_READ);
	return 0;
}

static int prepare_rw(struct blk_queue *q, const struct blk_req *req,
		      struct blk_io *io)
{
	const struct blk_seg *seg = req->indirect ? q->seg : req->seg;
	int n, ret = req->indirect ? fetch_segs(q, req) : 0;

	if (ret)
		return ret;
	n = blkback_check_segs(q->disk, seg, req->nseg, req->sector);
	if (n < 0)
		return n;
	io->d.op = req->op == BLKIF_OP_READ ? DISK_READ : DISK_WRITE;
	io->d.left = io->bytes = (uint64_t)n * DISK_SECTOR;
	/* A read from the disk writes the guest's pages. */
	io->access = io->d.op == DISK_READ ? GNT_WRITE : GNT_READ;
	ret = map(q, io, seg, req->nseg);
	if (!ret)
		io->merged = io->ngref - io->d.niov;
	return ret;
}

/* What a request costs of the disk's limits; discards move no data. */
static void pay(struct blk_queue *q, const struct blk_io *io)
{
	bool data = io->d.op == DISK_READ || io->d.op == DISK_WRITE;

	if (throttle_on(q->disk->throttle))
		throttle_take(q->disk->throttle, data ? io->d.left : 0,
			      util_clock_ns());
}

/* Judge one request and pin its grants; on error it has left no trace. */
static int prepare(struct blk_queue *q, const struct blk_req *req,
		   struct blk_io *io)
{
	int ret = blkback_check(q->disk, req);

	/* None is taken while one waits; only a journal can claim so. */
	if (!ret && req->op == BLKIF_OP_WRITE_BARRIER && q->barrier)
		ret = -EPROTO;
	if (ret)
		return ret;
	io->ngref = 0;
	io->bytes = 0;
	io->merged = 0;
	io->d.niov = 0;
	io->d.iov = io->vec;
	io->d.off = req->sector * DISK_SECTOR;
	if (req->op == BLKIF_OP_DISCARD) {
		io->d.op = DISK_DISCARD;
		io->d.left = io->bytes = req->nsectors * DISK_SECTOR;
	} else if (req->nseg) {
		ret = prepare_rw(q, req, io);
	} else {
		io->d.op = DISK_FLUSH;
	}
	return ret;
}

/* Hand one request to the disk, or refuse it. */
static int start(struct blk_queue *q, const struct blk_req *req,
		 struct blk_io *io)
{
	int ret = prepare(q, req, io);

	if (ret)
		return ret;
	pay(q, io);
	if (req->op == BLKIF_OP_WRITE_BARRIER) {
		q->barrier = io;
		return 0;
	}
	disk_queue_add(q->dq, &io->d);
	q->inflight++;
	return 0;
}

static struct blkstat_kind_sum *stat_of(struct blk_queue *q, uint8_t op)
{
	static const uint8_t kinds[] = {
		[BLKIF_OP_READ] = BLKSTAT_READ,
		[BLKIF_OP_WRITE] = BLKSTAT_WRITE,
		[BLKIF_OP_WRITE_BARRIER] = BLKSTAT_OTHER,
		[BLKIF_OP_FLUSH_DISKCACHE] = BLKSTAT_FLUSH,
		[4] = BLKSTAT_OTHER, /* reserved */
		[BLKIF_OP_DISCARD] = BLKSTAT_DISCARD,
	};

	return &q->stat->kind[op < ARRAY_SIZE(kinds) ? kinds[op]
						     : BLKSTAT_OTHER];
}

/* Answer a request, whose grants are let go, and forget it. */
static void respond(struct blk_queue *q, struct blk_io *io, int ret)
{
	struct blk_rsp rsp = { .id = io->id, .op = io->op };

	rsp.status = ret == 0		  ? BLKIF_RSP_OKAY
		     : ret == -EOPNOTSUPP ? BLKIF_RSP_EOPNOTSUPP
					  : BLKIF_RSP_ERROR;
	ring_back_put(&q->ring, &rsp, q->layout->rsp);
	journal_answer(io->entry);
	probe(blk_response, q->dev->domid, q->dev->devid, io->op, ret,
	      io->bytes, q->now - io->since);
	blkstat_answer(stat_of(q, io->op), ret, io->bytes, io->merged,
		       q->now - io->since);
	blkstat_leave(q->stat);
	put_io(q, io);
}

/* Do the request that the journal has in @io's entry, or refuse it. */
static void handle(struct blk_queue *q, struct blk_io *io)
{
	struct blk_req req;
	int ret;

	blkback_decode(&req, q->layout, io->entry->slot);
	io->id = req.id;
	io->op = req.op;
	io->since = q->now;
	blkstat_take(q->stat);
	ret = start(q, &req, io);
	probe(blk_request, q->dev->domid, q->dev->devid, req.op, ret, io->bytes,
	      req.sector);
	if (!ret)
		return;
	log_limited(
		q->limit, LOG_LVL_WARN,
		"request refused: operation %u, sector %llu, %u segments: %s",
		req.op, (unsigned long long)req.sector, req.nseg,
		strerror(-ret));
	respond(q, io, ret);
}

/* All before a barrier is done: it begins. */
static void begin_barrier(struct blk_queue *q)
{
	struct blk_io *io = q->barrier;

	if (!io || q->inflight)
		return;
	io->step = FLUSH_BEFORE;
	io->d.op = DISK_FLUSH;
	disk_queue_add(q->dq, &io->d);
	q->inflight++;
}

/* What a barrier does after a step that went well; false if that was all. */
static bool next_step(struct blk_queue *q, struct blk_io *io)
{
	if (io->step == FLUSH_AFTER || (!io->ngref && !io->step))
		return false;
	io->step++;
	io->d.op = io->step == BARRIER_WRITE ? DISK_WRITE : DISK_FLUSH;
	disk_queue_add(q->dq, &io->d);
	return true;
}

/*
 * Whether the limits hold the next request back.  Limits that are changed
 * meanwhile count within MAX_HELD_NS.
 */
static bool hold(struct blk_queue *q)
{
	q->held =
		throttle_on(q->disk->throttle)
			? MIN(throttle_wait(q->disk->throttle, util_clock_ns()),
			      MAX_HELD_NS)
			: 0;
	return q->held;
}

/* A disk with little to do hears soon of more; a busy one, of many at once. */
static bool is_batch(const struct blk_queue *q, uint32_t n)
{
	return n >= MIN(MAX(q->inflight / 4, 2u), SUBMIT_MAX);
}

/*
 * Take the requests that are there, up to a barrier and at most a ring's worth:
 * refused ones make room at once, so a guest could go on for ever.
 *
 * Return: 0, or -EPROTO if the ring is broken.
 */
static int take_requests(struct blk_queue *q)
{
	struct blk_io *io;
	uint32_t n, batch = 0;
	int ret;

	for (n = 0; n < q->nent && !q->barrier && !hold(q); n++) {
		io = q->free;
		assert(io); /* nent of nent + 1 may be in flight */
		ret = ring_back_take(&q->ring, io->entry->slot,
				     q->layout->slot);
		if (ret <= 0)
			return ret;
		q->free = io->next;
		if (!batch)
			q->now = util_clock_ns();
		journal_take(q->log, io->entry);
		handle(q, io);
		if (is_batch(q, ++batch)) {
			disk_queue_run(q->dq, DISK_AWAKE);
			batch = 0;
		}
	}
	return 0;
}

/* Do again what a predecessor had taken and not answered. */
static void redo(struct blk_queue *q)
{
	q->now = util_clock_ns();
	for (uint32_t i = 0; i <= q->nent; i++) {
		if (journal_inflight(q->pool[i].entry))
			handle(q, &q->pool[i]);
	}
}

/* It stays in the journal, for a successor. */
static void give_up(struct blk_queue *q, struct blk_io *io)
{
	blkstat_leave(q->stat);
	put_io(q, io);
}

static void finish_requests(struct blk_queue *q)
{
	int ret;
	struct disk_io *d = disk_queue_done(q->dq, &ret);
	struct blk_io *io;

	if (d)
		q->now = util_clock_ns();
	for (; d; d = disk_queue_done(q->dq, &ret)) {
		io = container_of(d, struct blk_io, d);
		if (ret && ret != -ECANCELED)
			log_limited(q->limit, LOG_LVL_WARN,
				    "disk: operation %u at byte %llu: %s",
				    d->op, (unsigned long long)d->off,
				    strerror(-ret));
		if (io == q->barrier) {
			if (!ret && next_step(q, io))
				continue;
			q->barrier = NULL;
		}
		unmap(q, io);
		/* What could not be done before the end has no answer. */
		if (ret != -ECANCELED)
			respond(q, io, ret);
		else
			give_up(q, io);
		q->inflight--;
	}
}

/* Look for work for @ns after @began; whether there is some. */
static bool poll_work(struct blk_queue *q, uint64_t began, uint64_t ns)
{
	if (!ns)
		return false;
	disk_queue_run(q->dq, DISK_AWAKE);
	while (util_clock_ns() - began < ns) {
		if (ring_back_pending(&q->ring) || disk_queue_pending(q->dq))
			return true;
		__builtin_ia32_pause();
	}
	return false;
}

/* For how long to look next time, after @ns for which looking was in vain. */
static uint64_t adapt_poll(uint64_t poll, uint64_t ns)
{
	if (ns <= POLL_MAX_NS)
		return MIN(MAX(2 * poll, POLL_MIN_NS), POLL_MAX_NS);
	return poll < 2 * POLL_MIN_NS ? 0 : poll / 2;
}

/*
 * Sleep till requests come or operations end.  To be woken costs the guest an
 * exit and us some time, so we look for them ourselves first, if the last ones
 * came that soon.
 */
static void sleep_or_poll(struct blk_queue *q)
{
	uint64_t *poll = &q->poll[q->inflight != 0];
	uint64_t began = util_clock_ns();

	if (poll_work(q, began, *poll))
		return;
	if (ring_back_arm(&q->ring, 1)) {
		disk_queue_run(q->dq, DISK_AWAKE);
		return;
	}
	disk_queue_run(q->dq, DISK_FOREVER);
	if (disk_queue_polls(q->dq))
		*poll = adapt_poll(*poll, util_clock_ns() - began);
}

/*
 * What a barrier or a limit holds back is no reason to stay awake, and needs no
 * kick of the guest's to go on.
 */
static void wait_for_work(struct blk_queue *q, bool taking)
{
	if (!taking || q->barrier)
		disk_queue_run(q->dq, DISK_FOREVER);
	else if (q->held)
		disk_queue_run(q->dq, q->held);
	else
		sleep_or_poll(q);
}

static void *serve(void *arg)
{
	struct blk_queue *q = arg;
	bool taking = disk_queue_begin(q->dq) == 0;

	if (taking)
		redo(q);
	else
		device_fail(q->dev, "cannot enable io_uring");
	while (taking || q->inflight) {
		if (taking && take_requests(q) < 0) {
			device_fail(q->dev, "the frontend's ring is broken: "
					    "impossible request index");
			taking = false;
		}
		finish_requests(q);
		begin_barrier(q);
		if (ring_back_push(&q->ring) &&
		    !disk_queue_ring(q->dq, q->evtchn.call))
			evtchn_fd_notify(&q->evtchn);
		/* After finish_requests(), which may have eaten stop's kick. */
		if (atomic_load(&q->stop))
			taking = false;
		if (!taking && !q->inflight)
			break;
		if (!taking)
			disk_queue_hurry(q->dq);
		wait_for_work(q, taking);
	}
	disk_queue_end(q->dq);
	return NULL;
}

static int map_ring(struct blk_queue *q, const struct blk_ring *ring)
{
	int ret;

	for (; q->npages < ring->npages; q->npages++) {
		ret = gnt_get(q->dev->gnt, ring->gref[q->npages], GNT_WRITE,
			      &q->page[q->npages]);
		if (ret)
			return ret;
		q->page_gref[q->npages] = ring->gref[q->npages];
	}
	return 0;
}

static void begin_journal(struct blk_queue *q, const struct blk_ring *ring,
			  uint32_t at)
{
	struct journal_ring r = { .abi = ring->abi,
				  .npages = ring->npages,
				  .port = ring->port };

	memcpy(r.gref, ring->gref, sizeof(r.gref));
	journal_begin(q->log, &r, q->nent, at);
}

/*
 * Begin where the journal says, or the ring itself: a guest that was saved comes with
 * one that is not new.  Attaching publishes the responses that were put; the event
 * that tells the guest so comes with binding the channel, later.
 */
static int attach(struct blk_queue *q, const struct blk_ring *ring)
{
	struct ring_pos at = { .req_cons = 0 };
	int ret;

	if (ring->resume)
		ret = journal_recover(q->log, q->nent, &at);
	else
		ret = ring_back_found(q->page, q->npages, q->layout->slot, &at);
	if (ret)
		return ret;
	if (!ring->resume)
		begin_journal(q, ring, at.rsp_prod);
	return ring_back_attach(&q->ring, q->page, q->npages, q->layout->slot,
				&at);
}

static int make_pool(struct blk_queue *q)
{
	uint32_t n = q->nent + 1;

	q->pool = calloc(n, sizeof(*q->pool));
	q->grefs = calloc(n, BLK_MAX_SEGS * sizeof(*q->grefs));
	q->vecs = calloc(n, BLK_MAX_SEGS * sizeof(*q->vecs));
	if (!q->pool || !q->grefs || !q->vecs)
		return -ENOMEM;
	while (n--) {
		q->pool[n].gref = q->grefs + n * (size_t)BLK_MAX_SEGS;
		q->pool[n].vec = q->vecs + n * (size_t)BLK_MAX_SEGS;
		q->pool[n].entry = &q->log->entry[n];
		if (!journal_inflight(q->pool[n].entry))
			put_io(q, &q->pool[n]);
	}
	return 0;
}

/* Everything but the thread; accepts a half-made queue. */
static void free_queue(struct blk_queue *q)
{
	disk_queue_free(q->dq);
	evtchn_fd_close(&q->evtchn);
	while (q->npages)
		gnt_put(q->dev->gnt, q->page_gref[--q->npages], GNT_WRITE);
	free(q->vecs);
	free(q->grefs);
	free(q->pool);
	free(q->own_log);
	free(q);
}

/* Without pages, pool and thread; NULL: no memory. */
static struct blk_queue *new_queue(struct device *dev, const struct disk *disk,
				   const struct blk_ring *ring)
{
	struct blk_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->dev = dev;
	q->disk = disk;
	q->layout = &blk_layouts[ring->abi];
	q->nent = ring_slots(ring->npages, q->layout->slot);
	q->stat = ring->stat ? ring->stat : &q->own_stat;
	q->evtchn = (struct evtchn_fd)EVTCHN_FD_INIT;
	q->log = ring->log;
	if (!q->log)
		q->log = q->own_log = calloc(1, sizeof(*q->own_log));
	if (q->log)
		return q;
	free_queue(q);
	return NULL;
}

/*
 * SYSCALLS: brk clone/clone3 rt_sigprocmask mprotect futex exit
 * SYSCALLS, at times: set_robust_list rseq gettid madvise
 */
int blkback_start(struct blk_queue **out, struct device *dev,
		  const struct disk *disk, const struct blk_ring *ring,
		  struct log_limit *limit)
{
	struct blk_queue *q = new_queue(dev, disk, ring);
	int ret;

	if (!q)
		return -ENOMEM;
	q->limit = limit;
	ret = map_ring(q, ring);
	if (!ret)
		ret = attach(q, ring);
	if (!ret)
		ret = make_pool(q);
	if (!ret)
		ret = evtchn_fd_bind(&q->evtchn, dev->dom, ring->port);
	if (!ret)
		ret = disk_queue_new(&q->dq, disk, q->evtchn.kick, q->nent);
	if (!ret)
		ret = -pthread_create(&q->thread, NULL, serve, q);
	if (ret) {
		free_queue(q);
		return ret;
	}
	*out = q;
	return 0;
}

static void end_thread(struct blk_queue *q)
{
	uint64_t one = 1;

	atomic_store(&q->stop, true);
	/* Wakes the thread as a kick of the guest would; cannot fail. */
	if (write(q->evtchn.kick, &one, sizeof(one)) < 0)
		log_warn("cannot wake a queue: %s", strerror(errno));
	pthread_join(q->thread, NULL);
}

void blkback_stop(struct blk_queue *q)
{
	if (!q)
		return;
	end_thread(q);
	free_queue(q);
}

void blkback_suspend(struct blk_queue *q)
{
	end_thread(q);
	q->npages = 0; /* in use all the same: see blkback_in_use() */
	free_queue(q);
}

bool blkback_in_use(struct device *dev, const struct blk_ring *ring)
{
	for (unsigned int i = 0; i < ring->npages; i++) {
		if (!gnt_marked(dev->gnt, ring->gref[i]))
			return false;
	}
	return true;
}

void blkback_release(struct device *dev, const struct disk *disk,
		     const struct blk_ring *ring)
{
	struct blk_queue *q = new_queue(dev, disk, ring);
	struct blk_req req;

	if (!q)
		return;
	if (!map_ring(q, ring) && !make_pool(q)) {
		for (uint32_t i = 0; i <= q->nent; i++) {
			if (!journal_inflight(q->pool[i].entry))
				continue;
			blkback_decode(&req, q->layout, q->pool[i].entry->slot);
			if (!prepare(q, &req, &q->pool[i]))
				unmap(q, &q->pool[i]);
		}
	}
	free_queue(q);
}
