/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/proofs/blk.c - V3: block requests stay on the disk and in their pages. */
#include "tests/proofs/env.h"

#include "dom0-backend/blkback.c"

/*
 * PROOF: decoded judged segments joined started
 * OPTIONS: started --unwind 4
 * BROKEN: decoded dom0-backend/blkback.c s/memcpy(req->seg, slot + layout->rest/memcpy(req->seg, slot + layout->slot/
 * BROKEN: judged dom0-backend/blkback.c s/n <= sectors && //
 * BROKEN: judged dom0-backend/blkback.c s/req->nseg <= max/req->nseg <= BLK_MAX_SEGS/
 * BROKEN: segments dom0-backend/blkback.c s/last >= BLK_PAGE_SECTOR/last > BLK_PAGE_SECTOR/
 * BROKEN: joined dom0-backend/blkback.c s/v->iov_base + v->iov_len == at/v->iov_base + v->iov_len <= at/
 * BROKEN: started dom0-backend/blkback.c s/if (n < 0)/if (n == 0)/
 */

/* As disk_init() leaves it: larger ones it refuses. */
static struct disk any_disk(void)
{
	struct disk d = {
		.readonly = any_bool(),
		.discard = any_bool(),
		.sectors = any_u64(),
		.logical = any_bool() ? DISK_SECTOR : DISK_MAX_LOGICAL,
	};

	ASSUME(d.sectors <= DISK_MAX_SECTORS);
	ASSUME(!d.discard || !d.readonly);
	return d;
}

static struct blk_seg any_seg(void)
{
	return (struct blk_seg){ any_u32(), any_u8(), any_u8(), any_u16() };
}

/* Bytes [off, off + len) of a disk, which an off_t can say. */
static bool in_disk(const struct disk *d, uint64_t off, uint64_t len)
{
	return off / DISK_SECTOR <= d->sectors &&
	       len / DISK_SECTOR <= d->sectors - off / DISK_SECTOR &&
	       len <= INT64_MAX && off <= INT64_MAX - len;
}

/* A slot is read within its bytes, for both ABIs. */
void decoded(void)
{
	const struct blk_layout *l = &blk_layouts[any_u8() % BLK_NABI];
	uint8_t *slot = malloc(l->slot);
	struct blk_req req;

	ASSUME(slot);
	blkback_decode(&req, l, slot);
	PROVE(req.indirect || req.nseg <= UINT8_MAX, "as many as a byte says");
	PROVE(req.indirect == (slot[0] == BLKIF_OP_INDIRECT), "which kind");
}

static struct blk_req any_req(void)
{
	return (struct blk_req){
		.op = any_u8(),
		.indirect = any_bool(),
		.nseg = any_u16(),
		.sector = any_u64(),
		.nsectors = any_u64(),
	};
}

void judged(void)
{
	struct disk d = any_disk();
	struct blk_req r = any_req();
	bool barrier = r.op == BLKIF_OP_WRITE_BARRIER;
	bool rw = r.op == BLKIF_OP_READ || r.op == BLKIF_OP_WRITE || barrier;
	int ret = blkback_check(&d, &r);

	PROVE(ret == 0 || ret == -EOPNOTSUPP || ret == -EROFS || ret == -EINVAL,
	      "its results");
	if (ret)
		return;
	PROVE(rw || r.op == BLKIF_OP_FLUSH_DISKCACHE ||
		      r.op == BLKIF_OP_DISCARD,
	      "nothing else is done");
	PROVE(!d.readonly || r.op == BLKIF_OP_READ ||
		      r.op == BLKIF_OP_FLUSH_DISKCACHE,
	      "a disk that is read only stays as it is");
	PROVE(!rw || ((r.nseg >= 1 || barrier) &&
		      r.nseg <= (r.indirect ? BLK_MAX_SEGS : BLK_SLOT_SEGS)),
	      "no more segments than there is room for");
	PROVE((rw && !barrier) || !r.indirect, "only these have many segments");
	PROVE(r.op != BLKIF_OP_DISCARD || in_disk(&d, r.sector * DISK_SECTOR,
						  r.nsectors * DISK_SECTOR),
	      "what is discarded is on the disk");
	PROVE(r.op != BLKIF_OP_DISCARD ||
		      r.sector <= DISK_MAX_SECTORS - r.nsectors,
	      "as many bytes as the sectors say");
}

/*
 * Sixteen segments: in pages, on the disk, counted right.  Each turn judges its
 * own and adds 1 to 8; for the 256 of an indirect request this goes on so.
 */
void segments(void)
{
	struct disk d = any_disk();
	struct blk_seg seg[16];
	unsigned int n = any_u16(), i = any_u16();
	uint64_t sector = any_u64(), total = 0;
	int ret;

	ASSUME(n >= 1 && n <= 16 && i < n);
	ret = blkback_check_segs(&d, seg, n, sector);
	PROVE(ret == -EINVAL || ret > 0, "its results");
	if (ret < 0)
		return;
	PROVE(seg[i].first <= seg[i].last && seg[i].last < BLK_PAGE_SECTOR,
	      "each in its page");
	PROVE(d.logical == DISK_SECTOR || (ret % 8 == 0 && sector % 8 == 0),
	      "whole units of the disk");
	PROVE((unsigned int)ret >= n && (unsigned int)ret <= n * 8,
	      "counted right");
	PROVE(sector <= d.sectors && (uint64_t)ret <= d.sectors - sector &&
		      in_disk(&d, sector * DISK_SECTOR,
			      (uint64_t)ret * DISK_SECTOR),
	      "all on the disk");
}

/*
 * One more piece to any vector: memory covered before is covered still, and the
 * new piece, and nothing else.  Only the last piece is looked at: so for any
 * number of them.
 */
void joined(void)
{
	static uint8_t ram[2 * SV_PAGE_SIZE];
	struct iovec v[2];
	unsigned int old = any_bool();
	struct disk_io d = { .niov = old, .iov = v };
	size_t off = any_u16(), len = any_u16(), at = any_u16(),
	       was = any_u16();

	ASSUME(len > 0 && len <= SV_PAGE_SIZE);
	ASSUME(off <= sizeof(ram) - len);
	ASSUME(was > 0 && was <= sizeof(ram) && at <= sizeof(ram) - was);
	if (old)
		v[old - 1] = (struct iovec){ ram + at, was };
	add_bytes(&d, ram + off, len);
	if (d.niov == old) {
		PROVE(old > 0 && off == at + was,
		      "only what follows is joined");
		PROVE(v[old - 1].iov_base == ram + at &&
			      v[old - 1].iov_len == was + len,
		      "both and no more");
	} else {
		PROVE(d.niov == old + 1 && v[old].iov_base == ram + off &&
			      v[old].iov_len == len,
		      "one more");
		PROVE(!old || v[old - 1].iov_len == was, "the others stay");
	}
}

/* ---- a whole request, its grants and what the disk is given --------------- */

#define PAGES 3

static uint8_t guest[PAGES][SV_PAGE_SIZE];
static int pinned;

int gnt_get(struct gnt_map *g, uint32_t ref, enum gnt_access access,
	    void **page)
{
	(void)g;
	(void)access;
	if (any_bool())
		return -EACCES;
	pinned++;
	*page = guest[ref % PAGES];
	return 0;
}

void gnt_put(struct gnt_map *g, uint32_t ref, enum gnt_access access)
{
	(void)g;
	(void)ref;
	(void)access;
	PROVE(pinned-- > 0, "gives back what it had");
}

/* In the order of the segments; pieces may be joined. */
static struct disk_io *given;

static void add(struct disk_queue *dq, struct disk_io *io)
{
	(void)dq;
	given = io;
}

/* Direct requests of up to three segments: joined() shows that it goes on so. */
void started(void)
{
	static struct disk d;
	static struct device dev;
	static struct blk_io io;
	static uint32_t grefs[PAGES];
	static struct iovec vecs[PAGES];
	static struct blk_queue q;
	static const struct disk_ops ops = { .add = add };
	static struct disk_queue dq = { &ops };
	struct blk_req r = any_req();
	uint64_t bytes = 0;
	int ret;

	d = any_disk();
	io = (struct blk_io){ .gref = grefs, .vec = vecs };
	q.dev = &dev;
	q.disk = &d;
	q.dq = &dq;
	for (unsigned int i = 0; i < PAGES; i++)
		r.seg[i] = any_seg();
	ASSUME(!r.indirect && r.nseg <= PAGES);
	ret = start(&q, &r, &io);
	PROVE((ret == 0) == (given || q.barrier) && !(given && q.barrier) &&
		      q.inflight == (given != NULL),
	      "started or held back, or it has left no trace");
	PROVE(!ret || !pinned, "no page is kept");
	if (ret)
		return;
	if (q.barrier)
		given = &q.barrier->d;
	for (unsigned int i = 0; i < given->niov && i < PAGES; i++) {
		struct iovec *v = &given->iov[i];

		PROVE(__CPROVER_rw_ok(v->iov_base, v->iov_len),
		      "memory of the guest's pages");
		bytes += v->iov_len;
	}
	PROVE(given->niov <= PAGES && io.ngref == (unsigned int)pinned,
	      "one page for each segment");
	PROVE(given->op == DISK_FLUSH || in_disk(&d, given->off, given->left),
	      "on the disk");
	PROVE((given->op != DISK_READ && given->op != DISK_WRITE) ||
		      given->left == bytes,
	      "as much memory as disk");
	PROVE(given->op != DISK_READ || io.access == GNT_WRITE,
	      "what is read is written to the guest");
}
