// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_blkback.c - block requests: layout, judgement.
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <xen/xen.h>
#include <xen/io/ring.h>

/*
 * On i386 a uint64_t in a structure is aligned to 4 bytes: with that packing the
 * compiler lays Xen's own header out as it lies in a 32-bit guest.
 */
#pragma pack(push, 4)
#define blkif_request_segment  seg32
#define blkif_request	       req32
#define blkif_request_indirect ind32
#define blkif_request_discard  dis32
#define blkif_response	       rsp32
#include <xen/io/blkif.h>
#undef blkif_request_segment
#undef blkif_request
#undef blkif_request_indirect
#undef blkif_request_discard
#undef blkif_response
#pragma pack(pop)

#include "dom0-backend/blkback.h"

/* The 64-bit layout, by hand: the header cannot be included twice. */
struct req64 {
	uint8_t op, nseg;
	uint16_t handle;
	uint64_t id, sector;
	struct seg32 seg[11];
};
struct ind64 {
	uint8_t op, iop;
	uint16_t nseg;
	uint64_t id, sector;
	uint16_t handle;
	uint32_t gref[8];
};

Test(blkback, layout_of_i386)
{
	const struct blk_layout *l = &blk_layouts[BLK_ABI_X86_32];

	cr_expect_eq(l->slot, sizeof(struct req32));
	cr_expect_eq(l->rsp, sizeof(struct rsp32));
	cr_expect_eq(l->id, offsetof(struct req32, id));
	cr_expect_eq(l->sector, offsetof(struct req32, sector_number));
	cr_expect_eq(l->rest, offsetof(struct req32, seg));
	cr_expect_eq(l->grefs, offsetof(struct ind32, indirect_grefs));
	cr_expect_eq(l->id, offsetof(struct ind32, id));
	cr_expect_eq(l->sector, offsetof(struct ind32, sector_number));
	cr_expect_eq(l->id, offsetof(struct dis32, id));
	cr_expect_eq(l->sector, offsetof(struct dis32, sector_number));
	cr_expect_eq(l->rest, offsetof(struct dis32, nr_sectors));
}

Test(blkback, layout_of_x86_64)
{
	const struct blk_layout *l = &blk_layouts[BLK_ABI_X86_64];

	cr_expect_eq(l->slot, sizeof(struct req64));
	cr_expect_eq(l->id, offsetof(struct req64, id));
	cr_expect_eq(l->sector, offsetof(struct req64, sector));
	cr_expect_eq(l->rest, offsetof(struct req64, seg));
	cr_expect_eq(l->grefs, offsetof(struct ind64, gref));
	cr_expect_eq(l->id, offsetof(struct ind64, id));
	cr_expect_eq(l->sector, offsetof(struct ind64, sector));
}

Test(blkback, decode_direct)
{
	struct req32 r = { .operation = BLKIF_OP_WRITE,
			   .nr_segments = 200,
			   .id = 0x1122334455667788,
			   .sector_number = 99,
			   .seg[10] = { 77, 3, 250 } };
	uint8_t slot[512] = { 0 };
	struct blk_req req;

	memcpy(slot, &r, sizeof(r));
	blkback_decode(&req, &blk_layouts[BLK_ABI_X86_32], slot);
	cr_expect_eq(req.op, BLKIF_OP_WRITE);
	cr_expect(!req.indirect);
	cr_expect_eq(req.nseg, 200);
	cr_expect_eq(req.id, r.id);
	cr_expect_eq(req.sector, 99);
	cr_expect_eq(req.seg[10].gref, 77);
	cr_expect_eq(req.seg[10].first, 3);
	cr_expect_eq(req.seg[10].last, 250);
}

Test(blkback, decode_indirect)
{
	struct ind64 r = { .op = BLKIF_OP_INDIRECT,
			   .iop = BLKIF_OP_READ,
			   .nseg = 256,
			   .id = 5,
			   .sector = 6,
			   .gref = { 1234 } };
	uint8_t slot[512] = { 0 };
	struct blk_req req;

	memcpy(slot, &r, sizeof(r));
	blkback_decode(&req, &blk_layouts[BLK_ABI_X86_64], slot);
	cr_expect_eq(req.op, BLKIF_OP_READ);
	cr_expect(req.indirect);
	cr_expect_eq(req.nseg, 256);
	cr_expect_eq(req.gref, 1234);
	cr_expect_eq(req.id, 5);
	cr_expect_eq(req.sector, 6);
}

struct kind {
	char name[40];
	uint8_t op;
	bool indirect;
	unsigned int nseg;
	bool readonly, no_discard;
	int want;
};

ParameterizedTestParameters(blkback, kinds)
{
	static struct kind t[] = {
		{ "read", BLKIF_OP_READ, 0, 11, 0, 0, 0 },
		{ "read, read-only", BLKIF_OP_READ, 0, 1, 1, 0, 0 },
		{ "write", BLKIF_OP_WRITE, 0, 1, 0, 0, 0 },
		{ "write, read-only", BLKIF_OP_WRITE, 0, 1, 1, 0, -EROFS },
		{ "no segments", BLKIF_OP_READ, 0, 0, 0, 0, -EINVAL },
		{ "12 segments", BLKIF_OP_WRITE, 0, 12, 0, 0, -EINVAL },
		{ "32 segments", BLKIF_OP_WRITE, 0, 32, 0, 0, -EINVAL },
		{ "255 segments", BLKIF_OP_READ, 0, 255, 0, 0, -EINVAL },
		{ "indirect", BLKIF_OP_READ, 1, 256, 0, 0, 0 },
		{ "indirect write, read-only", BLKIF_OP_WRITE, 1, 1, 1, 0,
		  -EROFS },
		{ "indirect, none", BLKIF_OP_READ, 1, 0, 0, 0, -EINVAL },
		{ "indirect, 257", BLKIF_OP_READ, 1, 257, 0, 0, -EINVAL },
		{ "indirect, 65535", BLKIF_OP_WRITE, 1, 65535, 0, 0, -EINVAL },
		{ "indirect flush", BLKIF_OP_FLUSH_DISKCACHE, 1, 0, 0, 0,
		  -EINVAL },
		{ "indirect discard", BLKIF_OP_DISCARD, 1, 1, 0, 0, -EINVAL },
		{ "indirect indirect", BLKIF_OP_INDIRECT, 1, 1, 0, 0, -EINVAL },
		{ "barrier", BLKIF_OP_WRITE_BARRIER, 0, 11, 0, 0, 0 },
		{ "barrier, no data", BLKIF_OP_WRITE_BARRIER, 0, 0, 0, 0, 0 },
		{ "barrier, 12", BLKIF_OP_WRITE_BARRIER, 0, 12, 0, 0, -EINVAL },
		{ "barrier, read-only", BLKIF_OP_WRITE_BARRIER, 0, 1, 1, 0,
		  -EROFS },
		{ "barrier, no data, read-only", BLKIF_OP_WRITE_BARRIER, 0, 0,
		  1, 0, -EROFS },
		{ "indirect barrier", BLKIF_OP_WRITE_BARRIER, 1, 1, 0, 0,
		  -EINVAL },
		{ "reserved", BLKIF_OP_RESERVED_1, 0, 1, 0, 0, -EOPNOTSUPP },
		{ "unknown", 7, 0, 1, 0, 0, -EOPNOTSUPP },
		{ "255", 255, 0, 1, 0, 0, -EOPNOTSUPP },
		{ "flush", BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 0, 0, 0 },
		{ "flush with data", BLKIF_OP_FLUSH_DISKCACHE, 0, 1, 0, 0,
		  -EINVAL },
		{ "discard", BLKIF_OP_DISCARD, 0, 0, 0, 0, 0 },
		{ "discard, secure", BLKIF_OP_DISCARD, 0, BLKIF_DISCARD_SECURE,
		  0, 0, -EOPNOTSUPP },
		{ "discard, not offered", BLKIF_OP_DISCARD, 0, 0, 0, 1,
		  -EOPNOTSUPP },
		{ "discard, read-only", BLKIF_OP_DISCARD, 0, 0, 1, 1, -EROFS },
	};

	return cr_make_param_array(struct kind, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct kind *t, blkback, kinds)
{
	struct disk disk = { .sectors = 1000,
			     .readonly = t->readonly,
			     .discard = !t->no_discard };
	struct blk_req req = { .op = t->op,
			       .indirect = t->indirect,
			       .nseg = (uint16_t)t->nseg,
			       .nsectors = 1 };

	cr_expect_eq(blkback_check(&disk, &req), t->want, "%s", t->name);
}

struct span {
	uint8_t first, last;
	int want;
};

Test(blkback, segments)
{
	static const struct span t[] = {
		{ 0, 7, 8 },	       { 0, 0, 1 },	    { 7, 7, 1 },
		{ 3, 5, 3 },	       { 1, 0, -EINVAL },   { 7, 6, -EINVAL },
		{ 0, 8, -EINVAL },     { 8, 8, -EINVAL },   { 0, 255, -EINVAL },
		{ 255, 255, -EINVAL }, { 255, 0, -EINVAL },
	};
	struct disk disk = { .sectors = 1000 };

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct blk_seg seg[2] = { { 0, 0, 7, 0 },
					  { 0, t[i].first, t[i].last, 0 } };

		cr_expect_eq(blkback_check_segs(&disk, &seg[1], 1, 0),
			     t[i].want, "%u to %u", t[i].first, t[i].last);
		cr_expect_eq(blkback_check_segs(&disk, seg, 2, 0),
			     t[i].want < 0 ? t[i].want : t[i].want + 8,
			     "8 and %u to %u", t[i].first, t[i].last);
	}
}

/* A disk of 4 KiB sectors takes no parts of one. */
Test(blkback, larger_sectors)
{
	static const struct {
		uint64_t sector;
		struct span a, b;
		int want;
	} t[] = {
		{ 0, { 0, 7, 0 }, { 0, 7, 0 }, 16 },
		{ 8, { 0, 7, 0 }, { 0, 7, 0 }, 16 },
		{ 992, { 0, 7, 0 }, { 0, 7, 0 }, -EINVAL },
		{ 4, { 0, 7, 0 }, { 0, 7, 0 }, -EINVAL },
		{ 1, { 0, 7, 0 }, { 0, 7, 0 }, -EINVAL },
		{ 0, { 0, 3, 0 }, { 0, 3, 0 }, -EINVAL },
		{ 0, { 0, 7, 0 }, { 0, 0, 0 }, -EINVAL },
		{ 0, { 1, 7, 0 }, { 0, 7, 0 }, -EINVAL },
	};
	struct disk disk = { .sectors = 1000,
			     .logical = 4096,
			     .discard = true };
	struct blk_req req = { .op = BLKIF_OP_DISCARD, .nsectors = 8 };

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct blk_seg seg[2] = {
			{ 0, t[i].a.first, t[i].a.last, 0 },
			{ 0, t[i].b.first, t[i].b.last, 0 },
		};

		cr_expect_eq(blkback_check_segs(&disk, seg, 2, t[i].sector),
			     t[i].want, "%zu", i);
	}
	cr_expect_eq(blkback_check(&disk, &req), 0);
	req.sector = 4;
	cr_expect_eq(blkback_check(&disk, &req), -EINVAL);
	req.sector = 8;
	req.nsectors = 12;
	cr_expect_eq(blkback_check(&disk, &req), -EINVAL);
}

struct sizes {
	uint64_t sectors;
	uint32_t dev_logical, dev_physical;
	uint32_t logical, physical;	    /* asked for */
	uint32_t got_logical, got_physical; /* 0: refused */
};

Test(blkback, sector_sizes)
{
	static const struct sizes t[] = {
		{ 1000, 512, 512, 0, 0, 512, 512 },
		{ 1000, 512, 4096, 0, 0, 512, 4096 },
		{ 1000, 4096, 4096, 512, 0, 512, 4096 },
		{ 1000, 512, 512, 4096, 0, 4096, 4096 },
		{ 1000, 512, 512, 512, 4096, 512, 4096 },
		{ 1000, 512, 512, 4096, 65536, 4096, 65536 },
		{ 1001, 512, 512, 4096, 0, 0, 0 },
		{ 1004, 4096, 4096, 0, 0, 0, 0 },
		{ 1000, 512, 512, 1024, 0, 0, 0 },
		{ 1000, 512, 512, 256, 0, 0, 0 },
		{ 1000, 512, 512, 8192, 0, 0, 0 },
		{ 1000, 512, 512, 4096, 512, 0, 0 },
		{ 1000, 512, 512, 0, 768, 0, 0 },
		{ 1000, 512, 512, 0, 131072, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct disk d = { .sectors = t[i].sectors,
				  .logical = t[i].dev_logical,
				  .physical = t[i].dev_physical,
				  .unit = 512 };
		int ret = disk_set_sector(&d, t[i].logical, t[i].physical);

		cr_expect_eq(ret, t[i].got_logical ? 0 : -EINVAL, "%zu", i);
		if (ret)
			continue;
		cr_expect_eq(d.logical, t[i].got_logical, "%zu", i);
		cr_expect_eq(d.physical, t[i].got_physical, "%zu", i);
		cr_expect_geq(d.unit, d.logical);
	}
}

/* NB-02: every sum that a guest can make, against 128-bit arithmetic. */
Test(blkback, sector_arithmetic)
{
	static const uint64_t caps[] = { 1,
					 8,
					 1000,
					 1ull << 31,
					 1ull << 32,
					 DISK_MAX_SECTORS - 1,
					 DISK_MAX_SECTORS };
	struct blk_seg seg[BLK_MAX_SEGS];

	for (size_t i = 0; i < BLK_MAX_SEGS; i++)
		seg[i] = (struct blk_seg){ 0, 0, 7, 0 };
	for (size_t c = 0; c < ARRAY_SIZE(caps); c++) {
		uint64_t at[] = { 0,
				  1,
				  caps[c] - 8,
				  caps[c] - 7,
				  caps[c] - 1,
				  caps[c],
				  caps[c] + 1,
				  1ull << 31,
				  1ull << 32,
				  1ull << 54,
				  1ull << 55,
				  1ull << 63,
				  UINT64_MAX - 7,
				  UINT64_MAX };
		struct disk disk = { .sectors = caps[c], .discard = true };

		for (size_t i = 0; i < ARRAY_SIZE(at) * ARRAY_SIZE(at); i++) {
			uint64_t s = at[i / ARRAY_SIZE(at)];
			uint64_t n = at[i % ARRAY_SIZE(at)];
			struct blk_req req = { .op = BLKIF_OP_DISCARD,
					       .sector = s,
					       .nsectors = n };
			bool fits = (unsigned __int128)s + n <= caps[c];

			cr_expect_eq(blkback_check(&disk, &req),
				     n && fits ? 0 : -EINVAL,
				     "%lu + %lu of %lu", s, n, caps[c]);
			n = i % ARRAY_SIZE(at) + 1; /* segments of 8 */
			fits = (unsigned __int128)s + n * 8 <= caps[c];
			cr_expect_eq(blkback_check_segs(&disk, seg,
							(unsigned int)n, s),
				     fits ? (int)n * 8 : -EINVAL,
				     "%lu + %lu * 8 of %lu", s, n, caps[c]);
		}
	}
}
