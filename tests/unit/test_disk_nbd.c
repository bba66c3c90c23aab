// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_disk_nbd.c - a disk on nbdkit, which dies, errs and comes back.
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "tests/lib/caplog.h"
#include "tests/lib/fini.h"
#include "tests/lib/nbdbed.h"
#include "tests/lib/patience.h"
#include "tests/lib/proc.h"

#define BYTES (8u << 20)
#define DEPTH 32u
#define PARTS 8u

static struct nbdbed bed;
static struct disk disk;
static struct disk_queue *q;
static int kick = -1;
static uint8_t shadow[BYTES];
static char why[256];

static void set_up(void)
{
	nbdbed_init(&bed);
	kick = eventfd(0, EFD_CLOEXEC);
}

static void tear_down(void)
{
	if (q) {
		disk_queue_end(q);
		disk_queue_free(q);
	}
	disk_fini(&disk);
	fd_close(&kick);
	nbdbed_fini(&bed);
}

TestSuite(disk_nbd, .init = set_up, .fini = tear_down, .timeout = 300);

/* Connect and make a queue. */
static void open_disk(void)
{
	cr_assert_eq(disk_nbd_init(&disk, bed.link, why, sizeof(why)), 0);
	cr_assert_eq(disk_queue_new(&q, &disk, kick, DEPTH), 0);
	cr_assert_eq(disk_queue_begin(q), 0);
}

/* Wait for one operation. */
static struct disk_io *wait_one(int *result)
{
	uint64_t end = util_clock_ns() + PATIENCE_NS;
	struct disk_io *io;

	while (!(io = disk_queue_done(q, result))) {
		cr_assert_lt(util_clock_ns(), end, "nothing is done");
		disk_queue_run(q, DISK_FOREVER);
	}
	return io;
}

/* One operation, alone. */
static int do_one(enum disk_op op, uint64_t off, void *buf, size_t len)
{
	struct iovec v = { buf, len };
	struct disk_io io = { .op = op,
			      .niov = buf ? 1 : 0,
			      .iov = &v,
			      .off = off,
			      .left = len };
	int ret;

	disk_queue_add(q, &io);
	cr_assert_eq(wait_one(&ret), &io);
	return ret;
}

/* ---- many at a time, in parts, compared byte by byte ----------------------- */

struct work {
	struct disk_io io; /* first */
	struct iovec vec[PARTS];
	uint8_t buf[PARTS][4096];
	uint64_t off;
	size_t len;
};
static struct work work[DEPTH];

/* Somewhere in the slice of the disk that is this one's. */
static void start(struct work *w, unsigned int i)
{
	uint64_t slice = BYTES / DEPTH, unit = disk.logical;
	unsigned int n = 1 + (unsigned int)rand() % PARTS;
	uint64_t at;

	w->len = 0;
	for (unsigned int p = 0; p < n; p++) {
		size_t len = (1 + (size_t)rand() % (4096 / unit)) * unit;

		w->vec[p] = (struct iovec){ w->buf[p], len };
		w->len += len;
	}
	w->off =
		i * slice + (uint64_t)rand() % ((slice - w->len) / unit) * unit;
	w->io = (struct disk_io){ .op = rand() % 2 ? DISK_READ : DISK_WRITE,
				  .niov = n,
				  .iov = w->vec,
				  .off = w->off,
				  .left = w->len };
	at = w->off;
	for (unsigned int p = 0; p < n; p++) {
		for (size_t b = 0; b < w->vec[p].iov_len; b++)
			w->buf[p][b] = (uint8_t)rand();
		if (w->io.op == DISK_WRITE)
			memcpy(shadow + at, w->buf[p], w->vec[p].iov_len);
		at += w->vec[p].iov_len;
	}
	disk_queue_add(q, &w->io);
}

static void check_read(const struct work *w)
{
	uint64_t at = w->off;

	for (unsigned int p = 0; p < w->io.niov; p++) {
		cr_assert_arr_eq(w->buf[p], shadow + at, w->vec[p].iov_len,
				 "at %llu", (unsigned long long)at);
		at += w->vec[p].iov_len;
	}
}

/* @n operations, with @at() called before each. */
static void run_many(unsigned int n, void (*at)(unsigned int i))
{
	struct work *w;
	int ret;

	for (unsigned int i = 0; i < DEPTH; i++)
		start(&work[i], i);
	for (unsigned int i = 0; i < n + DEPTH; i++) {
		if (at)
			at(i);
		w = (struct work *)(void *)wait_one(&ret);
		cr_assert_eq(ret, 0, "%d", ret);
		if (w->io.op == DISK_READ)
			check_read(w);
		if (i < n)
			start(w, (unsigned int)(w - work));
	}
}

Test(disk_nbd, reads_and_writes)
{
	nbdbed_start(&bed, "memory 8M");
	open_disk();
	cr_expect_eq(disk.sectors, BYTES / 512);
	cr_expect(disk.discard && !disk.readonly && !disk.noflush);
	cr_expect_eq(disk.queues, 0, "nbdkit bears many connections");
	run_many(3000, NULL);
	cr_expect_eq(do_one(DISK_FLUSH, 0, NULL, 0), 0);
}

/* By the address and port of the loopback interface. */
Test(disk_nbd, tcp)
{
	nbdbed_use_tcp(&bed);
	nbdbed_start(&bed, "memory 8M");
	open_disk();
	run_many(500, NULL);
}

Test(disk_nbd, read_only)
{
	nbdbed_start(&bed, "-r memory 8M");
	open_disk();
	cr_expect(disk.readonly && !disk.discard);
	cr_expect_eq(do_one(DISK_READ, 0, shadow, 4096), 0);
	cr_expect_eq(do_one(DISK_WRITE, 0, shadow, 4096), -EPERM);
}

Test(disk_nbd, discard)
{
	static uint8_t buf[4096];

	nbdbed_start(&bed, "memory 8M");
	open_disk();
	memset(buf, 1, sizeof(buf));
	cr_assert_eq(do_one(DISK_WRITE, 4096, buf, sizeof(buf)), 0);
	cr_assert_eq(do_one(DISK_DISCARD, 4096, NULL, 2048), 0);
	cr_assert_eq(do_one(DISK_READ, 4096, buf, sizeof(buf)), 0);
	cr_expect_eq(buf[0], 0);
	cr_expect_eq(buf[2047], 0);
	cr_expect_eq(buf[2048], 1);
}

/* More than one command can say, and each is counted. */
Test(disk_nbd, large_discard)
{
	static uint8_t buf[512];
	uint64_t size = 5ull << 30;

	nbdbed_start(&bed, "memory 5G");
	open_disk();
	memset(buf, 1, sizeof(buf));
	cr_assert_eq(do_one(DISK_WRITE, size - 512, buf, sizeof(buf)), 0);
	cr_assert_eq(do_one(DISK_WRITE, 0, buf, sizeof(buf)), 0);
	cr_assert_eq(do_one(DISK_DISCARD, 512, NULL, size - 512), 0);
	cr_assert_eq(do_one(DISK_READ, 0, buf, sizeof(buf)), 0);
	cr_expect_eq(buf[0], 1);
	cr_assert_eq(do_one(DISK_READ, size - 512, buf, sizeof(buf)), 0);
	cr_expect_eq(buf[0], 0);
}

#define BLOCKS \
	"--filter=blocksize-policy memory 8M blocksize-error-policy=error "

/* A command of more than that is an error: none is. */
Test(disk_nbd, largest_block)
{
	nbdbed_start(&bed, BLOCKS "blocksize-minimum=512 "
				  "blocksize-preferred=2048 "
				  "blocksize-maximum=2048");
	open_disk();
	cr_expect_eq(disk.physical, 2048);
	run_many(500, NULL);
}

/* No request has a part of a block, whatever the server's largest command is. */
Test(disk_nbd, whole_blocks)
{
	static uint8_t buf[4096];

	nbdbed_start(&bed, BLOCKS "blocksize-minimum=4096 "
				  "blocksize-preferred=8192 "
				  "blocksize-maximum=8192");
	open_disk();
	cr_expect_eq(disk.logical, 4096);
	cr_expect_eq(disk.physical, 4096);
	cr_expect_eq(disk_set_sector(&disk, 512, 0), -EINVAL);
	cr_expect_eq(disk_set_sector(&disk, 4096, 0), 0);
	run_many(500, NULL);
	cr_expect_eq(do_one(DISK_DISCARD, 4096, NULL, 8192), 0);
	cr_expect_eq(do_one(DISK_FLUSH, 0, NULL, 0), 0);
	/* The server means it. */
	cr_expect_eq(do_one(DISK_READ, 512, buf, 4096), -EINVAL);
	cr_expect_eq(do_one(DISK_READ, 0, buf, 512), -EINVAL);
}

/* Blocks that are not 512 or 4096 fit into the larger. */
Test(disk_nbd, smaller_blocks)
{
	nbdbed_start(&bed, BLOCKS "blocksize-minimum=1024");
	open_disk();
	cr_expect_eq(disk.logical, 4096);
	run_many(100, NULL);
}

static void refuse(const char *args, const char *word)
{
	nbdbed_start(&bed, args);
	cr_expect_eq(disk_nbd_init(&disk, bed.link, why, sizeof(why)), -EINVAL);
	cr_expect_not_null(strstr(why, word), "%s", why);
}

Test(disk_nbd, blocks_too_large)
{
	refuse(BLOCKS "blocksize-minimum=8192 blocksize-preferred=8192",
	       "blocks of 8192");
}

Test(disk_nbd, blocks_and_a_rest)
{
	refuse("--filter=blocksize-policy memory 8389120 "
	       "blocksize-minimum=4096",
	       "8389120 bytes in blocks of 4096");
}

Test(disk_nbd, odd_size)
{
	refuse("memory 1000", "1000 bytes");
}

Test(disk_nbd, errors_are_the_servers)
{
	static uint8_t buf[512];

	nbdbed_start(&bed, "--filter=error memory 8M error-pwrite=ENOSPC "
			   "error-pwrite-rate=100%");
	open_disk();
	cr_expect_eq(do_one(DISK_WRITE, 0, buf, sizeof(buf)), -ENOSPC);
	cr_expect_eq(do_one(DISK_READ, 0, buf, sizeof(buf)), 0);
	cr_expect_eq(do_one(DISK_WRITE, 0, buf, sizeof(buf)), -ENOSPC);
}

/* ---- a server that goes and comes back -------------------------------------- */

static char file_args[64];

static void start_file(const char *filter)
{
	char path[48];
	int fd;

	snprintf(path, sizeof(path), "%s/image", bed.dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(ftruncate(fd, BYTES), 0);
	close(fd);
	snprintf(file_args, sizeof(file_args), "%s file %s", filter, path);
	nbdbed_start(&bed, file_args);
}

static void now_and_then(unsigned int i)
{
	if (i % 100 != 50)
		return;
	nbdbed_stop(&bed);
	nbdbed_start(&bed, file_args);
}

Test(disk_nbd, server_dies_at_work)
{
	const char *log;

	start_file("");
	open_disk();
	caplog_begin();
	run_many(600, now_and_then);
	log = caplog_end();
	cr_expect_not_null(strstr(log, "is away"), "%s", log);
	cr_expect_not_null(strstr(log, "is back"), "%s", log);
}

static void do_nothing(unsigned int ms)
{
	uint64_t end = util_clock_ns() + ms * 1000000ull, one = 1;

	while (util_clock_ns() < end) {
		cr_assert_eq(write(kick, &one, sizeof(one)), sizeof(one));
		disk_queue_run(q, DISK_FOREVER);
		usleep(1000);
	}
}

Test(disk_nbd, waits_for_ever)
{
	static uint8_t buf[512];
	struct iovec v = { buf, sizeof(buf) };
	struct disk_io io = {
		.op = DISK_READ, .niov = 1, .iov = &v, .left = sizeof(buf)
	};
	int ret;

	start_file("");
	open_disk();
	nbdbed_stop(&bed);
	disk_queue_add(q, &io);
	do_nothing(1500);
	cr_expect_null(disk_queue_done(q, &ret));
	nbdbed_start(&bed, file_args);
	cr_assert_eq(wait_one(&ret), &io);
	cr_expect_eq(ret, 0);
}

Test(disk_nbd, waits_as_long_as_it_shall)
{
	static uint8_t buf[512];
	uint64_t begin;

	bed.uri.timeout = 5;
	start_file("");
	open_disk();
	nbdbed_stop(&bed);
	begin = util_clock_ns();
	cr_expect_eq(do_one(DISK_READ, 0, buf, sizeof(buf)), -EIO);
	cr_expect_geq(util_clock_ns() - begin, UINT64_C(4900000000));
	begin = util_clock_ns();
	cr_expect_eq(do_one(DISK_READ, 0, buf, sizeof(buf)), -EIO);
	cr_expect_leq(util_clock_ns() - begin, UINT64_C(4900000000),
		      "it fails at once");
	nbdbed_start(&bed, file_args);
	/* Asked for at the next attempt, which may take some seconds. */
	cr_expect(SOON(
		(do_nothing(100), !do_one(DISK_READ, 0, buf, sizeof(buf)))));
}

Test(disk_nbd, another_disk_is_not_taken)
{
	const char *log;
	static uint8_t buf[512];

	bed.uri.timeout = 2;
	nbdbed_start(&bed, "memory 8M");
	open_disk();
	nbdbed_stop(&bed);
	nbdbed_start(&bed, "memory 16M");
	caplog_begin();
	cr_expect_eq(do_one(DISK_READ, 0, buf, sizeof(buf)), -EIO);
	log = caplog_end();
	cr_expect_not_null(strstr(log, "away"), "%s", log);
}

#define ONE_AT_A_TIME "--filter=multi-conn memory 8M multi-conn-mode=disable"

/* A server comes back that promises less than the guest was promised. */
static void expect_not_taken(const char *lesser)
{
	static uint8_t buf[512];
	uint64_t end;

	bed.uri.timeout = 2;
	nbdbed_start(&bed, "memory 8M");
	open_disk();
	nbdbed_stop(&bed);
	nbdbed_start(&bed, lesser);
	cr_expect_eq(do_one(DISK_READ, 0, buf, sizeof(buf)), -EIO);
	nbdbed_stop(&bed);
	nbdbed_start(&bed, "memory 8M");
	end = util_clock_ns() + PATIENCE_NS;
	while (do_one(DISK_READ, 0, buf, sizeof(buf)))
		cr_assert_lt(util_clock_ns(), end, "nor is the old one");
}

/* Several queues cannot go on where each flushes only its own writes. */
Test(disk_nbd, flush_for_one_queue_is_not_taken)
{
	expect_not_taken(ONE_AT_A_TIME);
}

Test(disk_nbd, server_without_flush_is_not_taken)
{
	expect_not_taken(
		"eval get_size='echo 8388608' can_write='exit 0' "
		"can_multi_conn='exit 0' "
		"pread='head -c $3 /dev/zero' pwrite='cat >/dev/null'");
}

Test(disk_nbd, one_queue_where_flushes_are_its_own)
{
	nbdbed_start(&bed, ONE_AT_A_TIME);
	open_disk();
	cr_expect_eq(disk.queues, 1);
}

/* A write answered on one connection, a flush on another: it is on the disk. */
Test(disk_nbd, flush_is_for_all_queues)
{
	struct disk_queue *first;
	uint8_t buf[4096], found[4096];
	char path[48], args[160];
	int fd;

	snprintf(path, sizeof(path), "%s/image", bed.dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(ftruncate(fd, BYTES), 0);
	/* The server keeps what is written to itself till it must not. */
	snprintf(args, sizeof(args), "--filter=cache file %s cache=writeback",
		 path);
	nbdbed_start(&bed, args);
	open_disk();
	cr_assert_eq(disk.queues, 0);
	first = q;
	cr_assert_eq(disk_queue_new(&q, &disk, kick, DEPTH), 0);
	cr_assert_eq(disk_queue_begin(q), 0);
	for (int round = 1; round <= 4; round++) {
		struct disk_queue *other = first;

		memset(buf, round, sizeof(buf));
		cr_assert_eq(do_one(DISK_WRITE, 8192, buf, sizeof(buf)), 0);
		cr_assert_eq(pread(fd, found, sizeof(found), 8192), 4096);
		cr_expect_neq(found[0], round, "nothing was to be flushed");
		first = q;
		q = other;
		cr_assert_eq(do_one(DISK_FLUSH, 0, NULL, 0), 0);
		cr_assert_eq(pread(fd, found, sizeof(found), 8192), 4096);
		cr_expect_arr_eq(found, buf, sizeof(buf), "round %d", round);
	}
	disk_queue_end(first);
	disk_queue_free(first);
	close(fd);
}

Test(disk_nbd, ends_without_its_server)
{
	static uint8_t buf[512];
	struct iovec v = { buf, sizeof(buf) };
	struct disk_io io = {
		.op = DISK_READ, .niov = 1, .iov = &v, .left = sizeof(buf)
	};
	int ret;

	start_file("");
	open_disk();
	nbdbed_stop(&bed);
	disk_queue_add(q, &io);
	do_nothing(300);
	disk_queue_hurry(q);
	cr_assert_eq(wait_one(&ret), &io);
	cr_expect_eq(ret, -ECANCELED);
}

/* The connection is there, but no answer comes. */
Test(disk_nbd, ends_with_a_server_that_sleeps)
{
	static uint8_t buf[512];
	struct iovec v = { buf, sizeof(buf) };
	struct disk_io io = {
		.op = DISK_READ, .niov = 1, .iov = &v, .left = sizeof(buf)
	};
	int ret;

	nbdbed_start(&bed, "--filter=delay memory 8M rdelay=60");
	open_disk();
	disk_queue_add(q, &io);
	disk_queue_run(q, DISK_AWAKE);
	disk_queue_hurry(q);
	cr_assert_eq(wait_one(&ret), &io);
	cr_expect_eq(ret, -ECANCELED);
}

/* ---- a worker dies, its server does not ------------------------------------- */

/*
 * Writes wait as long as there is the file "hold", and leave the file "begun" and,
 * when they are done, "ended".
 */
static const char slow_plugin[] =
	"-t 8 eval get_size='echo 8388608' thread_model='echo parallel' "
	"can_write='exit 0' can_multi_conn='exit 0' "
	"pread='dd if=%1$s/image bs=512 skip=$(($4/512)) count=$(($3/512)) "
	"status=none' "
	"pwrite='cat >%1$s/data.$$; touch %1$s/begun; "
	"while test -e %1$s/hold; do sleep 0.02; done; "
	"dd if=%1$s/data.$$ of=%1$s/image bs=512 seek=$(($4/512)) "
	"conv=notrunc status=none; touch %1$s/ended'";

static char *file_of(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", bed.dir, name);
	return path;
}

static void make_file(const char *name, off_t size)
{
	int fd = open(file_of(name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	cr_assert(fd >= 0 && !ftruncate(fd, size));
	close(fd);
}

static void wait_file(const char *name)
{
	cr_assert(SOON(!access(file_of(name), F_OK)), "no %s", name);
}

static _Atomic bool opened;

static void *open_late(void *arg)
{
	(void)arg;
	open_disk();
	opened = true;
	return NULL;
}

/* A worker that dies with a write under way at the server. */
static void die_writing(uint8_t *page)
{
	struct iovec v = { page, 4096 };
	struct disk_io io = {
		.op = DISK_WRITE, .niov = 1, .iov = &v, .left = 4096
	};
	pid_t pid = proc_fork();

	cr_assert_geq(pid, 0);
	if (!pid) {
		open_disk();
		disk_queue_add(q, &io);
		for (;;)
			disk_queue_run(q, DISK_FOREVER);
	}
	wait_file("begun");
	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

/* FM-13: its successor begins when the server has ended what it was asked. */
Test(disk_nbd, late_write_of_a_dead_worker)
{
	static uint8_t page[4096];
	char args[1024];
	pthread_t successor;

	snprintf(args, sizeof(args), slow_plugin, bed.dir);
	make_file("image", BYTES);
	make_file("hold", 0);
	nbdbed_start(&bed, args);
	memset(page, 0x11, sizeof(page));
	die_writing(page);
	cr_assert_eq(pthread_create(&successor, NULL, open_late, NULL), 0);
	/* One that does not wait is there by then; scripts serve slowly. */
	for (int i = 0; i < 300 && !opened; i++)
		usleep(10000);
	cr_expect(!opened, "it has not waited");
	unlink(file_of("hold"));
	pthread_join(successor, NULL);
	memset(page, 0x22, sizeof(page));
	cr_assert_eq(do_one(DISK_WRITE, 0, page, sizeof(page)), 0);
	wait_file("ended");
	cr_assert_eq(do_one(DISK_READ, 0, page, sizeof(page)), 0);
	for (size_t i = 0; i < sizeof(page); i++)
		cr_assert_eq(page[i], 0x22, "byte %zu", i);
}

Test(disk_nbd, nobody_there)
{
	cr_expect_eq(disk_nbd_init(&disk, bed.link, why, sizeof(why)),
		     -ETIMEDOUT);
}
