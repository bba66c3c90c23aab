// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_nbd_server.c - servers that lie to a disk's worker.
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "tests/lib/nbdbed.h"
#include "tests/lib/patience.h"

#define HAS_FLAGS 1u
#define REPLY	  0x67, 0x44, 0x66, 0x98 /* the magic of a simple reply */
#define OK	  REPLY, 0, 0, 0, 0
#define ALL	  152u

TestSuite(nbd_server, .timeout = 300);

/*
 * What becomes of a read of 4096 bytes.  Whoever sends garbage loses the
 * connection, again and again, till the disk's time is over: -EIO.  Behind the
 * guest's buffer nothing is written.
 */
struct lie {
	struct nbdlie how;
	int init, read;
};

ParameterizedTestParameters(nbd_server, lies)
{
#define LIE(what, bytes, sent, ...) \
	.how = {.name = what,       \
		.size = bytes,      \
		.flags = HAS_FLAGS, \
		.greeting = sent,   \
		__VA_ARGS__ }
#define MIB (1 << 20)
	static struct lie t[] = {
		{ LIE("as it should be", MIB, ALL, .reply = { OK }, .len = 16,
		      .junk = 4096) },
		{ LIE("no greeting", MIB, 0, .len = 0), .init = -ETIMEDOUT },
		{ LIE("half of it", MIB, 20, .len = 0), .init = -ETIMEDOUT },
		{ LIE("empty", 0, ALL, .len = 0), .init = -ENODATA },
		{ LIE("no whole sector", 1000, ALL, .len = 0),
		  .init = -EINVAL },
		{ LIE("negative", UINT64_MAX, ALL, .len = 0),
		  .init = -ENODATA },
		{ LIE("short data", MIB, ALL, .reply = { OK }, .len = 16,
		      .junk = 100, .hangup = true),
		  .read = -EIO },
		{ LIE("half a reply", MIB, ALL, .reply = { OK }, .len = 9,
		      .hangup = true),
		  .read = -EIO },
		{ LIE("more than was asked for", MIB, ALL, .reply = { OK },
		      .len = 16, .junk = 1 << 20) },
		{ LIE("garbage", MIB, ALL, .reply = { 0x5a }, .len = 16,
		      .junk = 1 << 20),
		  .read = -EIO },
		{ LIE("an error nobody knows", MIB, ALL,
		      .reply = { REPLY, 0x7f, 0xff, 0xff, 0xff }, .len = 16),
		  .read = -EINVAL },
		{ LIE("shutting down, for ever", MIB, ALL,
		      .reply = { REPLY, 0, 0, 0, 108 }, .len = 16),
		  .read = -EIO },
		{ LIE("a kind of reply nobody asked for", MIB, ALL,
		      .reply = { 0x66, 0x8e, 0x33, 0xef, 0, 1, 0, 1 },
		      .len = 16, .junk = 1 << 20),
		  .read = -EIO },
	};

	return cr_make_param_array(struct lie, t, ARRAY_SIZE(t));
}

static int read_one(struct disk_queue *q, uint8_t *buf)
{
	uint64_t end = util_clock_ns() + PATIENCE_NS;
	struct iovec v = { buf, 4096 };
	struct disk_io io = {
		.op = DISK_READ, .niov = 1, .iov = &v, .left = 4096
	};
	int ret;

	disk_queue_add(q, &io);
	while (!disk_queue_done(q, &ret)) {
		cr_assert_lt(util_clock_ns(), end, "it never ends");
		disk_queue_run(q, DISK_FOREVER);
	}
	return ret;
}

ParameterizedTest(struct lie *t, nbd_server, lies)
{
	static uint8_t buf[8192];
	struct nbdbed bed;
	struct disk disk;
	struct disk_queue *q;
	char why[256];
	int kick = eventfd(0, EFD_CLOEXEC), ret;

	nbdbed_init(&bed);
	bed.uri.timeout = 1;
	nbdbed_lie(&bed, &t->how);
	ret = disk_nbd_init(&disk, bed.link, why, sizeof(why));
	cr_assert_eq(ret, t->init, "%s: %d", t->how.name, ret);
	if (!ret) {
		cr_assert_eq(disk_queue_new(&q, &disk, kick, 4), 0);
		cr_assert_eq(disk_queue_begin(q), 0);
		ret = read_one(q, buf);
		cr_expect_eq(ret, t->read, "%s: %d", t->how.name, ret);
		for (size_t i = 4096; i < sizeof(buf); i++)
			cr_assert_eq(buf[i], 0, "%s: written beyond",
				     t->how.name);
		disk_queue_end(q);
		disk_queue_free(q);
	}
	disk_fini(&disk);
	fd_close(&kick);
	nbdbed_fini(&bed);
}
