// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_blkstat.c - counters of disks, and files that claim to be some.
#include "base/blkstat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <criterion/criterion.h>

static struct blkstat_file f;

static void set_up(void)
{
	memset(&f, 0, sizeof(f));
	blkstat_begin(&f);
}

TestSuite(blkstat, .init = set_up);

Test(blkstat, what_is_answered)
{
	struct blkstat_kind_sum *k = &f.queue[0].kind[BLKSTAT_READ];

	blkstat_answer(k, false, 8192, 1, 1500);
	blkstat_answer(k, false, 512, 0, 900);
	blkstat_answer(k, true, 4096, 7, 3000000);
	cr_expect_eq(k->requests, 3);
	cr_expect_eq(k->errors, 1);
	cr_expect_eq(k->bytes, 8704, "nothing of what failed");
	cr_expect_eq(k->merged, 1);
	cr_expect_eq(k->ns, 3002400);
	cr_expect_eq(k->bucket[0], 1);
	cr_expect_eq(k->bucket[1], 1);
	cr_expect_eq(k->bucket[12], 1);
}

Test(blkstat, depth)
{
	struct blkstat *s = &f.queue[3];

	blkstat_take(s);
	blkstat_take(s);
	blkstat_leave(s);
	blkstat_take(s);
	cr_expect_eq(s->depth, 2);
	cr_expect_eq(s->depth_max, 2);
	blkstat_leave(s);
	blkstat_leave(s);
	cr_expect_eq(s->depth, 0);
	cr_expect_eq(s->depth_max, 2);
}

/* All words are added but one, which is the largest. */
Test(blkstat, sums)
{
	struct blkstat sum = { .depth_max = 4 };

	memset(&f.queue[1], 1, sizeof(f.queue[1]));
	f.queue[1].depth_max = 9;
	f.queue[2] = f.queue[1];
	f.queue[2].depth_max = 3;
	blkstat_sum(&sum, &f.queue[1]);
	blkstat_sum(&sum, &f.queue[2]);
	cr_expect_eq(sum.depth_max, 9);
	cr_expect_eq(sum.depth, 0x0202020202020202);
	for (int i = 0; i < BLKSTAT_NKINDS; i++) {
		cr_expect_eq(sum.kind[i].requests, 0x0202020202020202);
		cr_expect_eq(sum.kind[i].bucket[HIST_BUCKETS - 1],
			     0x0202020202020202);
	}
}

Test(blkstat, a_successor_goes_on)
{
	f.queue[0].kind[BLKSTAT_WRITE].bytes = 512;
	f.queue[15].depth = 3;
	f.queue[15].depth_max = 5;
	blkstat_begin(&f);
	cr_expect_eq(f.queue[0].kind[BLKSTAT_WRITE].bytes, 512);
	cr_expect_eq(f.queue[15].depth, 0, "it has nothing under way");
	cr_expect_eq(f.queue[15].depth_max, 5);
	f.head.version++;
	blkstat_begin(&f);
	cr_expect_eq(f.queue[0].kind[BLKSTAT_WRITE].bytes, 0, "not ours");
}

static int file_with(const void *bytes, size_t size, off_t at)
{
	int fd = memfd_create("stats", MFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert_eq(pwrite(fd, bytes, size, at), (ssize_t)size);
	return fd;
}

Test(blkstat, read)
{
	static struct blkstat_file got;
	static uint8_t before[1024] = { 1 };
	int fd, nothing[2];

	f.queue[7].kind[BLKSTAT_FLUSH].requests = 77;
	fd = file_with(&f, sizeof(f), 1024);
	cr_expect_eq(blkstat_read(fd, 1024, &got), 0);
	cr_expect_eq(memcmp(&got, &f, sizeof(f)), 0);
	cr_assert_eq(pwrite(fd, before, sizeof(before), 0), sizeof(before));
	memset(&got, 0x55, sizeof(got));
	cr_expect_eq(blkstat_read(fd, 0, &got), -EPROTO, "no magic");
	cr_expect_eq(blkstat_read(fd, 1025, &got), -EPROTO, "cut");
	cr_expect_eq(blkstat_read(fd, UINT64_MAX, &got), -EPROTO);
	cr_expect_eq(blkstat_read(fd, INT64_MAX, &got), -EPROTO);
	cr_expect_eq(ftruncate(fd, 1024 + sizeof(f) - 1), 0);
	cr_expect_eq(blkstat_read(fd, 1024, &got), -EPROTO, "shorter now");
	close(fd);
	f.head.version++;
	fd = file_with(&f, sizeof(f), 0);
	cr_expect_eq(blkstat_read(fd, 0, &got), -EPROTO, "another version");
	memset(&f, 0, sizeof(f));
	cr_assert_eq(pwrite(fd, &f, sizeof(f), 0), (ssize_t)sizeof(f));
	cr_expect_eq(blkstat_read(fd, 0, &got), -ENODATA);
	cr_assert_eq(ftruncate(fd, sizeof(f) - 1), 0);
	cr_expect_eq(blkstat_read(fd, 0, &got), -EPROTO);
	close(fd);
	cr_assert_eq(pipe(nothing), 0);
	cr_expect_eq(blkstat_read(nothing[0], 0, &got), -ESPIPE);
	for (size_t i = 0; i < sizeof(got); i++)
		cr_assert_eq(((uint8_t *)&got)[i], 0x55, "written to");
	close(nothing[0]);
	close(nothing[1]);
}
