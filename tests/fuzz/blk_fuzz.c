// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/blk_fuzz.c - any block requests through a served ring.
//
// The input is a list of requests, their numbers chosen near the limits or taken
// as they are.  Whatever they say, each gets one answer, nothing stays pinned,
// pages that were not granted keep their content, and the disk its size.
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

#define DOMID	8u
#define SECTORS 256u
#define PAGES	32u /* half of them granted */
#define BATCH	16u

struct input {
	const uint8_t *at;
	size_t left;
};

static struct fakedom *dom;
static struct device dev;
static struct disk disk;
static struct log_limit limit;
static struct fakeblk fb[BLK_NABI];
static uint32_t first_ref;
static uint64_t first_gfn;

static unsigned int byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

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
	}
}

static uint64_t number(struct input *in)
{
	static const uint64_t odd[] = {
		0,	    SECTORS - 1,    SECTORS,	SECTORS + 1,
		1ull << 31, 1ull << 32,	    1ull << 54, 1ull << 55,
		1ull << 63, UINT64_MAX - 7, UINT64_MAX
	};
	unsigned int b = byte(in);

	return b < ARRAY_SIZE(odd) ? odd[b] : b;
}

static struct blk_seg segment(struct input *in)
{
	unsigned int ref = byte(in), sectors = byte(in);
	struct blk_seg seg = { .gref = first_ref + ref % (PAGES / 2),
			       .first = sectors & 7,
			       .last = (uint8_t)(sectors >> 3) };

	if (ref == 255)
		seg.gref = 512 | (uint32_t)number(in); /* not a ring page */
	return seg;
}

static struct blk_req request(struct input *in)
{
	unsigned int kind = byte(in);
	struct blk_req req = { .op = kind & 7,
			       .indirect = kind & 8,
			       .nseg = (uint16_t)byte(in),
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

/* Pages that were not granted lie between those that were. */
static void check_memory(uint8_t mark)
{
	for (uint32_t i = 1; i < PAGES; i += 2) {
		const uint8_t *p = fakedom_page(dom, first_gfn + i);

		for (int b = 0; b < 4096; b += 64)
			assert(p[b] == mark);
	}
	for (uint32_t i = 0; i < PAGES / 2; i++)
		assert(gnt_pins(dev.gnt, first_ref + i) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct fakeblk *to;
	struct blk_req req;
	struct stat st;
	unsigned int n = 0;
	int16_t status;
	uint64_t id;
	uint8_t op;

	if (!dom)
		set_up();
	to = &fb[byte(&in) % BLK_NABI];
	for (uint32_t i = 1; i < PAGES; i += 2)
		memset(fakedom_page(dom, first_gfn + i), 0x3c, 4096);
	while (in.left && n < BATCH) {
		req = request(&in);
		fakeblk_put(to, &req);
		n++;
	}
	fakeblk_push(to);
	while (n--)
		assert(fakeblk_take(to, 10000, &id, &op, &status) == 1);
	assert(!atomic_load(&dev.failure));
	check_memory(0x3c);
	assert(!fstat(disk.fd, &st));
	assert(st.st_size == SECTORS * DISK_SECTOR);
	return 0;
}
