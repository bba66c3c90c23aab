/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_savefile.c - a stream is taken whole and as it was, or not. */
#include "base/savefile.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"

#define HEAD   24
#define RECORD (24 + 8) /* of those below */

static uint8_t *buf;

static void setup(void)
{
	buf = malloc(SAVEFILE_MAX);
	cr_assert(buf);
}

static void teardown(void)
{
	free(buf);
}

TestSuite(savefile, .init = setup, .fini = teardown);

static int put(struct savefile *s, uint32_t type, const char *text)
{
	const struct iovec v[] = {
		{ .iov_base = (void *)(uintptr_t)text, .iov_len = 3 },
		{ .iov_base = (void *)(uintptr_t)(text + 3), .iov_len = 5 },
	};

	return savefile_put(s, type, v, 2);
}

/* Three records of eight bytes and the end. */
static int make(void)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);
	struct savefile s;

	cr_assert_geq(fd, 0);
	cr_assert_eq(savefile_begin(&s, fd), 0);
	cr_assert_eq(put(&s, SAVE_CONFIG, "12345678"), 0);
	cr_assert_eq(put(&s, SAVE_VM, "abcdefgh"), 0);
	cr_assert_eq(put(&s, SAVE_PAGE, "ABCDEFGH"), 0);
	cr_assert_eq(savefile_put(&s, SAVE_END, NULL, 0), 0);
	return fd;
}

static const off_t whole = HEAD + 3 * RECORD + 24;

/* Return: what reading to the end gives; @n: records before it. */
static int read_all(int fd, unsigned int *n)
{
	uint32_t type = 0;
	struct savefile s;
	size_t len;
	int ret;

	*n = 0;
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	ret = savefile_open(&s, fd);
	while (!ret) {
		ret = savefile_get(&s, &type, buf, &len);
		if (!ret && type == SAVE_END)
			return 0;
		*n += !ret;
	}
	return ret;
}

Test(savefile, what_was_written_is_read)
{
	static const char *const text[] = { "12345678", "abcdefgh",
					    "ABCDEFGH" };
	static const uint32_t types[] = { SAVE_CONFIG, SAVE_VM, SAVE_PAGE };
	int fd = make();
	struct savefile s;
	uint32_t type;
	size_t len;

	cr_expect_eq(lseek(fd, 0, SEEK_CUR), whole);
	lseek(fd, 0, SEEK_SET);
	cr_assert_eq(savefile_open(&s, fd), 0);
	for (unsigned int i = 0; i < 3; i++) {
		cr_assert_eq(savefile_get(&s, &type, buf, &len), 0);
		cr_expect_eq(type, types[i]);
		cr_expect_eq(len, 8);
		cr_expect_eq(memcmp(buf, text[i], 8), 0);
		cr_expect_eq(lseek(fd, 0, SEEK_CUR),
			     HEAD + (off_t)(i + 1) * RECORD,
			     "nothing is read ahead");
	}
	cr_assert_eq(savefile_get(&s, &type, buf, &len), 0);
	cr_expect_eq(type, SAVE_END);
	cr_expect_eq(len, 0);
	close(fd);
}

Test(savefile, cut_anywhere_is_cut_short)
{
	unsigned int n;

	for (off_t at = 0; at < whole; at++) {
		int fd = make();

		cr_assert_eq(ftruncate(fd, at), 0);
		cr_expect_eq(read_all(fd, &n), -EPIPE, "cut at %lld",
			     (long long)at);
		close(fd);
	}
}

Test(savefile, each_changed_bit_is_noticed)
{
	uint8_t byte, other;
	unsigned int n;
	int fd = make();

	for (off_t at = 0; at < whole; at++) {
		for (int bit = 0; bit < 8; bit++) {
			cr_assert_eq(pread(fd, &byte, 1, at), 1);
			other = byte ^ (uint8_t)(1u << bit);
			cr_assert_eq(pwrite(fd, &other, 1, at), 1);
			cr_expect_lt(read_all(fd, &n), 0, "byte %lld, bit %d",
				     (long long)at, bit);
			/* And no record from there on was believed. */
			cr_expect_leq(
				n, (unsigned int)(at < HEAD ? 0
							    : (at - HEAD) /
								      RECORD));
			cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
		}
	}
	cr_expect_eq(read_all(fd, &n), 0);
	close(fd);
}

/* Records of the stream of make(), by number from 0, in another order. */
static int order(const unsigned int *which, unsigned int n)
{
	int from = make(), fd = memfd_create("order", MFD_CLOEXEC);
	uint8_t all[HEAD + 3 * RECORD + 24];

	cr_assert_eq(pread(from, all, sizeof(all), 0), (ssize_t)sizeof(all));
	cr_assert_eq(fd_write_all(fd, all, HEAD), 0);
	for (unsigned int i = 0; i < n; i++)
		cr_assert_eq(fd_write_all(fd, all + HEAD + which[i] * RECORD,
					  which[i] == 3 ? 24 : RECORD),
			     0);
	close(from);
	return fd;
}

Test(savefile, records_that_are_moved_lost_or_doubled_are_noticed)
{
	static const unsigned int orders[][5] = {
		{ 1, 0, 2, 3, 3 }, { 0, 2, 1, 3, 3 }, { 0, 0, 1, 2, 3 },
		{ 1, 2, 3, 3, 3 }, { 0, 2, 3, 3, 3 }, { 0, 1, 3, 3, 3 },
		{ 3, 0, 1, 2, 3 },
	};
	unsigned int n;

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		int fd = order(orders[i], 5);

		cr_expect_eq(read_all(fd, &n), -EILSEQ, "order %zu", i);
		close(fd);
	}
}

Test(savefile, what_is_not_known_is_left_out_only_if_it_may)
{
	int fd = memfd_create("later", MFD_CLOEXEC);
	struct savefile s;
	unsigned int n;

	cr_assert_eq(savefile_begin(&s, fd), 0);
	cr_assert_eq(put(&s, SAVE_OPTIONAL | 4711, "optional"), 0);
	cr_assert_eq(put(&s, SAVE_VM, "abcdefgh"), 0);
	cr_assert_eq(savefile_put(&s, SAVE_END, NULL, 0), 0);
	cr_expect_eq(read_all(fd, &n), 0);
	cr_expect_eq(n, 1);
	cr_assert_eq(ftruncate(fd, 0), 0);
	lseek(fd, 0, SEEK_SET);
	cr_assert_eq(savefile_begin(&s, fd), 0);
	cr_assert_eq(put(&s, 4711, "required"), 0);
	cr_expect_eq(read_all(fd, &n), -ENOTSUP);
	close(fd);
}

Test(savefile, what_is_too_long_is_neither_written_nor_read)
{
	uint8_t head[24] = { [8] = 1, [10] = 17 }; /* length: 17 * 2^16 + 1 */
	struct iovec v = { .iov_len = SAVEFILE_MAX + 1 };
	int fd = memfd_create("long", MFD_CLOEXEC);
	struct savefile s;
	unsigned int n;

	v.iov_base = calloc(1, v.iov_len);
	cr_assert_eq(savefile_begin(&s, fd), 0);
	cr_expect_eq(savefile_put(&s, SAVE_VM, &v, 1), -EMSGSIZE);
	v.iov_len--;
	cr_expect_eq(savefile_put(&s, SAVE_VM, &v, 1), 0);
	cr_assert_eq(ftruncate(fd, HEAD), 0);
	cr_assert_eq(lseek(fd, HEAD, SEEK_SET), HEAD);
	cr_assert_eq(fd_write_all(fd, head, sizeof(head)), 0);
	cr_assert_eq(fd_write_all(fd, v.iov_base, v.iov_len), 0);
	cr_expect_eq(read_all(fd, &n), -EBADMSG);
	free(v.iov_base);
	close(fd);
}

Test(savefile, another_kind_of_file_is_told_from_a_damaged_one)
{
	char text[4096] = "root:x:0:0:root:/root:/bin/bash\n";
	int fd = memfd_create("text", MFD_CLOEXEC);
	unsigned int n;

	cr_assert_eq(fd_write_all(fd, text, sizeof(text)), 0);
	cr_expect_eq(read_all(fd, &n), -EPROTO);
	close(fd);
}

Test(savefile, the_checksum_is_the_one_that_all_the_world_has)
{
	cr_expect_eq(savefile_crc(0, "123456789", 9), 0xcbf43926);
	cr_expect_eq(savefile_crc(savefile_crc(0, "1234", 4), "56789", 5),
		     0xcbf43926);
	cr_expect_eq(savefile_crc(0, "", 0), 0);
}
