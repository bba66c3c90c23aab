// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/blk_fuzz.c - any block requests through a served ring.
//
// FUZZ: F8; max_len 768
//
// The input is a list of requests, their numbers chosen near the limits or taken
// as they are.  Whatever they say, each gets one answer, nothing stays pinned,
// pages that were not granted keep their content, and the disk its size.  One at
// a time they do to disk and pages what a plain array says, and a disk for reading
// stays as it is; in batches or with a racing guest only the former is known.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/io/blkif.h>

#include "base/fd.h"
#include "tests/lib/fakeblk.h"
#include "tests/lib/fuzz.h"

#define DOMID	8u
#define SECTORS 256u
#define PAGES	32u /* half of them granted */
#define BATCH	16u

static struct fakedom *dom;
static struct device dev;
static struct disk disk;
static struct log_limit limit;
static struct fakeblk fb[BLK_NABI];
static uint32_t first_ref;
static uint64_t first_gfn;

/* What disk and pages must hold. */
static uint8_t disk_model[SECTORS * DISK_SECTOR];
static uint8_t page_model[PAGES / 2][SV_PAGE_SIZE];

static void set_up(void)
{
	static struct blk_queue *q[BLK_NABI];

	fakedom_run_dir();
	atexit(fakedom_run_dir_remove);
	log_init("fuzz", LOG_LVL_ERR);
	dom = fakedom_new(DOMID, 128);
	assert(!dom_connect(&dev.dom, DOMID, DOM_ROLE_BACKEND, "vbd/1", false));
	assert(!gnt_new(&dev.gnt, dev.dom));
	dev.fail_fd = eventfd(0, EFD_NONBLOCK);
	assert(!disk_init(&disk, fd_memfd("disk", SECTORS * DISK_SECTOR)));
	disk.discard = false; /* of a sealed memfd */
	first_gfn = fakedom_alloc(dom, PAGES);
	first_ref = fakedom_grant(dom, first_gfn, 0);
	for (uint32_t i = 2; i < PAGES; i += 2)
		fakedom_grant(dom, first_gfn + i, i % 8 ? 0 : GTF_readonly);
	for (int i = 0; i < BLK_NABI; i++) {
		fakeblk_init(&fb[i], dom, (enum blk_abi)i, 0);
		assert(!blkback_start(&q[i], &dev, &disk, &fb[i].at, &limit));
		/* A guest that has its ring overwritten gets what it wants. */
		fakedom_entry(dom, fb[i].at.gref[0])->flags = 0;
	}
}

static uint64_t number(struct fuzz_in *in)
{
	static const uint64_t odd[] = {
		0,	    SECTORS - 1,    SECTORS,	SECTORS + 1,
		1ull << 31, 1ull << 32,	    1ull << 54, 1ull << 55,
		1ull << 63, UINT64_MAX - 7, UINT64_MAX
	};
	unsigned int b = fuzz_u8(in);

	return b < ARRAY_SIZE(odd) ? odd[b] : b;
}

static struct blk_seg segment(struct fuzz_in *in)
{
	unsigned int ref = fuzz_u8(in), sectors = fuzz_u8(in);
	struct blk_seg seg = { .gref = first_ref + ref % (PAGES / 2),
			       .first = sectors & 7,
			       .last = (uint8_t)(sectors >> 3) };

	if (ref == 255)
		seg.gref = 512 | (uint32_t)number(in); /* not a ring page */
	return seg;
}

static struct blk_req request(struct fuzz_in *in)
{
	unsigned int kind = fuzz_u8(in);
	struct blk_req req = { .op = kind & 7,
			       .indirect = kind & 8,
			       .nseg = (uint16_t)fuzz_u8(in),
			       .id = kind,
			       .sector = number(in) };
	struct blk_seg *list = fakedom_page(dom, first_gfn);

	if (req.op == BLKIF_OP_INDIRECT)
		req.op = 7;
	if (req.op == BLKIF_OP_DISCARD)
		req.nsectors = number(in);
	for (unsigned int i = 0; i < BLK_SLOT_SEGS; i++)
		req.seg[i] = segment(in);
	req.gref = kind & 16 ? req.seg[0].gref : first_ref;
	for (unsigned int i = 0; req.indirect && i < BLK_MAX_SEGS; i++)
		list[i] = req.seg[i % BLK_SLOT_SEGS];
	return req;
}

/* ---- The model ------------------------------------------------------------ */

static bool is_readonly(uint32_t page)
{
	return page && page % 4 == 0;
}

/* The page behind a reference, or PAGES if it may not be used so. */
static uint32_t granted(uint32_t gref, bool write)
{
	uint32_t page = gref - first_ref;

	return page < PAGES / 2 && !(write && is_readonly(page)) ? page : PAGES;
}

static int16_t model_rw(const struct blk_req *req, const struct blk_seg *seg)
{
	bool read = req->op == BLKIF_OP_READ;
	uint64_t total = 0;
	uint8_t *at;

	for (unsigned int i = 0; i < req->nseg; i++) {
		if (seg[i].first > seg[i].last || seg[i].last > 7 ||
		    granted(seg[i].gref, read) == PAGES)
			return BLKIF_RSP_ERROR;
		total += seg[i].last - seg[i].first + 1u;
	}
	if (total > SECTORS || req->sector > SECTORS - total)
		return BLKIF_RSP_ERROR;
	at = disk_model + req->sector * DISK_SECTOR;
	for (unsigned int i = 0; i < req->nseg; i++) {
		uint8_t *p = page_model[granted(seg[i].gref, read)] +
			     seg[i].first * (size_t)DISK_SECTOR;
		size_t n =
			(seg[i].last - seg[i].first + (size_t)1) * DISK_SECTOR;

		memcpy(read ? p : at, read ? at : p, n);
		at += n;
	}
	return BLKIF_RSP_OKAY;
}

/* Do a request; Return: the status that it must get. */
static int16_t model(const struct blk_req *req)
{
	struct blk_seg list[BLK_MAX_SEGS];
	uint32_t page;

	if (req->indirect && req->op != BLKIF_OP_READ &&
	    req->op != BLKIF_OP_WRITE)
		return BLKIF_RSP_ERROR;
	switch (req->op) {
	case BLKIF_OP_READ:
	case BLKIF_OP_WRITE:
		break;
	case BLKIF_OP_FLUSH_DISKCACHE:
		return (uint8_t)req->nseg ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY;
	case BLKIF_OP_DISCARD:
		return disk.readonly ? BLKIF_RSP_ERROR : BLKIF_RSP_EOPNOTSUPP;
	default:
		return BLKIF_RSP_EOPNOTSUPP;
	}
	if (req->op == BLKIF_OP_WRITE && disk.readonly)
		return BLKIF_RSP_ERROR;
	if (!req->nseg ||
	    req->nseg > (req->indirect ? BLK_MAX_SEGS : BLK_SLOT_SEGS))
		return BLKIF_RSP_ERROR;
	if (!req->indirect)
		return model_rw(req, req->seg);
	page = granted(req->gref, false);
	if (page == PAGES)
		return BLKIF_RSP_ERROR;
	memcpy(list, page_model[page], sizeof(list));
	return model_rw(req, list);
}

/* ---- One input ------------------------------------------------------------ */

static uint8_t *granted_page(uint32_t page)
{
	return fakedom_page(dom, first_gfn + 2 * page);
}

static void begin(void)
{
	for (uint32_t i = 0; i < sizeof(disk_model); i++)
		disk_model[i] = (uint8_t)(i / DISK_SECTOR + i * 3);
	assert(pwrite(disk.fd, disk_model, sizeof(disk_model), 0) ==
	       (ssize_t)sizeof(disk_model));
	for (uint32_t i = 1; i < PAGES; i += 2)
		memset(fakedom_page(dom, first_gfn + i), 0x3c, SV_PAGE_SIZE);
	for (uint32_t i = 0; i < PAGES / 2; i++) {
		memset(page_model[i], 0x40 + (int)i, SV_PAGE_SIZE);
		memcpy(granted_page(i), page_model[i], SV_PAGE_SIZE);
	}
}

/* Pages that were not granted lie between those that were. */
static void check_memory(bool exact)
{
	for (uint32_t i = 1; i < PAGES; i += 2) {
		const uint8_t *p = fakedom_page(dom, first_gfn + i);

		for (int b = 0; b < 4096; b += 64)
			assert(p[b] == 0x3c);
	}
	for (uint32_t i = 0; i < PAGES / 2; i++) {
		assert(gnt_pins(dev.gnt, first_ref + i) == 0);
		if (exact)
			assert(!memcmp(granted_page(i), page_model[i],
				       SV_PAGE_SIZE));
	}
}

static void check_disk(bool exact)
{
	static uint8_t now[sizeof(disk_model)];
	struct stat st;

	assert(!fstat(disk.fd, &st));
	assert(st.st_size == SECTORS * DISK_SECTOR);
	assert(pread(disk.fd, now, sizeof(now), 0) == (ssize_t)sizeof(now));
	if (exact || disk.readonly)
		assert(!memcmp(now, disk_model, sizeof(now)));
}

static void one_by_one(struct fuzz_in *in, struct fakeblk *to)
{
	int16_t status, want;
	struct blk_req req;
	uint64_t id;
	uint8_t op;

	for (unsigned int n = 0; in->left && n < BATCH; n++) {
		req = request(in);
		if (req.indirect) /* what request() has put there */
			memcpy(page_model[0], granted_page(0), SV_PAGE_SIZE);
		want = model(&req);
		fakeblk_put(to, &req);
		fakeblk_push(to);
		assert(fakeblk_take(to, 10000, &id, &op, &status) == 1);
		assert(id == req.id && op == req.op && status == want);
	}
}

static void all_at_once(struct fuzz_in *in, struct fakeblk *to)
{
	struct blk_req req;
	unsigned int n = 0;
	int16_t status;
	uint64_t id;
	uint8_t op;

	while (in->left && n < BATCH) {
		req = request(in);
		fakeblk_put(to, &req);
		n++;
	}
	fakeblk_push(to);
	while (n--)
		assert(fakeblk_take(to, 10000, &id, &op, &status) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	uint8_t how = fuzz_u8(&in);
	struct fakeblk *to = &fb[how % BLK_NABI];
	bool exact = how & 2;

	fuzz_guest = true;
	/*
	 * Neither indices nor grant entries: a guest that lets its own ring be
	 * overwritten has broken it.
	 */
	fuzz_race_min = 12;
	if (!dom)
		set_up();
	begin();
	disk.readonly = how & 4;
	if (exact) {
		one_by_one(&in, to);
	} else {
		if (how & 8)
			fuzz_race(&in);
		all_at_once(&in, to);
		fuzz_race_end();
	}
	assert(!atomic_load(&dev.failure));
	check_memory(exact);
	check_disk(exact);
	return 0;
}
