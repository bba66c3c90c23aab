// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_disk_faults.c - a disk that is short, full, broken or busy.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>
#include <criterion/criterion.h>

#include <liburing.h>
#include <xen/io/blkif.h>

#include "tests/lib/caplog.h"
#include "tests/lib/fakeblk.h"
#include "tests/lib/fini.h"
#include "tests/lib/patience.h"

/*
 * How it works
 *
 * The linker leads blkback's submissions to io_uring through this file (--wrap,
 * see the Makefile), where operations are changed into others that the kernel
 * answers as a bad disk would: shorter ones, ones on no descriptor, ones that
 * cannot be done now.  Everything else is as in the field.
 */
#define DOMID	5u
#define SECTORS 2048u
#define PAGES	512u
#define SEGS	40u

int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);
int __real_io_uring_submit_and_wait(struct io_uring *ring, unsigned int wait);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned int wait);

static struct fakeblk_host host;
static struct log_limit limit;
static struct blk_queue *q;
static struct fakeblk fb;
static uint8_t image[SECTORS * DISK_SECTOR];
static uint64_t gfn, list_gfn;
static uint32_t gref[SEGS], list_gref;

/* ---- the bad disk ---------------------------------------------------------- */

enum fault {
	NONE,
	SHORT,	  /* transfers end anywhere */
	BROKEN,	  /* the sector at @bad, and nothing else, or all flushes */
	BUSY,	  /* EAGAIN, @left times in a row */
	SLOW,	  /* reads wait for a pipe */
	HOLELESS, /* no space can be given back */
};

static _Atomic enum fault fault;
static _Atomic uint64_t bad = UINT64_MAX; /* byte */
static _Atomic bool flush_is_bad;
static _Atomic int left, meddled;
static int quiet_fd =
	-1; /* a socket on which nothing arrives; reads do not wait */
static int pipe_fd[2];

static bool is_transfer(const struct io_uring_sqe *sqe)
{
	return sqe->flags & IOSQE_FIXED_FILE &&
	       (sqe->opcode == IORING_OP_READ ||
		sqe->opcode == IORING_OP_READV ||
		sqe->opcode == IORING_OP_WRITE ||
		sqe->opcode == IORING_OP_WRITEV);
}

/* A vector's first part, or less of it. */
static void shorten(struct io_uring_sqe *sqe)
{
	const struct iovec *iov;

	if (sqe->opcode == IORING_OP_READV || sqe->opcode == IORING_OP_WRITEV) {
		iov = (const struct iovec *)(uintptr_t)sqe->addr;
		sqe->opcode = sqe->opcode == IORING_OP_READV ? IORING_OP_READ
							     : IORING_OP_WRITE;
		sqe->addr = (uintptr_t)iov->iov_base;
		sqe->len = (uint32_t)iov->iov_len;
	}
	sqe->len = 1 + (uint32_t)rand() % sqe->len;
}

static void lose_descriptor(struct io_uring_sqe *sqe)
{
	sqe->flags &= (uint8_t)~IOSQE_FIXED_FILE;
	sqe->fd = -1;
}

static void make_busy(struct io_uring_sqe *sqe)
{
	static char byte;
	uint64_t data = sqe->user_data;

	io_uring_prep_read(sqe, quiet_fd, &byte, 1, 0);
	sqe->rw_flags = RWF_NOWAIT;
	sqe->user_data = data;
}

/* What was started, in order; '|' between what was started apart. */
static pthread_mutex_t started_lock = PTHREAD_MUTEX_INITIALIZER;
static char started[64];
static size_t nstarted;

static void note(const struct io_uring_sqe *sqe)
{
	char c = sqe->opcode == IORING_OP_FSYNC	 ? 'F'
		 : !is_transfer(sqe)		 ? '\0'
		 : sqe->opcode == IORING_OP_READ ? 'R'
						 : 'W';

	if (c && nstarted < sizeof(started) - 1)
		started[nstarted++] = c;
}

static void meddle(struct io_uring_sqe *sqe)
{
	note(sqe);
	if (sqe->opcode == IORING_OP_FSYNC && flush_is_bad) {
		lose_descriptor(sqe);
	} else if (sqe->opcode == IORING_OP_FALLOCATE && fault == HOLELESS) {
		sqe->len = 1u << 30; /* a mode that no kernel knows */
	} else if (!is_transfer(sqe)) {
		return;
	} else if (fault == SHORT) {
		shorten(sqe);
	} else if (fault == BROKEN && sqe->off == bad) {
		lose_descriptor(sqe);
	} else if (fault == BUSY && left-- > 0) {
		make_busy(sqe);
	} else if (fault == SLOW && sqe->opcode == IORING_OP_READ) {
		sqe->flags &= (uint8_t)~IOSQE_FIXED_FILE;
		sqe->fd = pipe_fd[0];
		sqe->off = UINT64_MAX;
	} else {
		return;
	}
	meddled++;
}

static void meddle_all(struct io_uring *ring)
{
	struct io_uring_sq *sq = &ring->sq;

	pthread_mutex_lock(&started_lock);
	if (nstarted && nstarted < sizeof(started) - 1 &&
	    started[nstarted - 1] != '|')
		started[nstarted++] = '|';
	for (unsigned int i = sq->sqe_head; i != sq->sqe_tail; i++)
		meddle(&sq->sqes[i & sq->ring_mask]);
	pthread_mutex_unlock(&started_lock);
}

int __wrap_io_uring_submit(struct io_uring *ring)
{
	meddle_all(ring);
	return __real_io_uring_submit(ring);
}

int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned int wait)
{
	meddle_all(ring);
	return __real_io_uring_submit_and_wait(ring, wait);
}

/* ---- a frontend ------------------------------------------------------------ */

static void serve(int fd)
{
	fakeblk_host_init(&host, DOMID, PAGES, fd);
	fakeblk_init(&fb, host.dom, BLK_ABI_X86_64, 0);
	cr_assert_eq(blkback_start(&q, &host.dev, &host.disk, &fb.at, &limit),
		     0);
	gfn = fakedom_alloc(host.dom, SEGS);
	list_gfn = fakedom_alloc(host.dom, 1);
	for (unsigned int i = 0; i < SEGS; i++)
		gref[i] = fakedom_grant(host.dom, gfn + i, 0);
	list_gref = fakedom_grant(host.dom, list_gfn, 0);
}

static void set_up(void)
{
	int pair[2];

	log_init("test", LOG_LVL_WARN);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
		     0);
	quiet_fd = pair[0];
	cr_assert_eq(pipe(pipe_fd), 0);
	for (size_t i = 0; i < sizeof(image); i++)
		image[i] = (uint8_t)rand();
}

static void tear_down(void)
{
	struct pollfd failed = { .fd = host.dev.fail_fd, .events = POLLIN };

	FINI_CHECK(poll(&failed, 1, 0) == 0);
	fault = NONE;
	blkback_stop(q);
	fakeblk_host_fini(&host);
}

TestSuite(disk_faults, .init = set_up, .fini = tear_down, .timeout = 300);

/* One request of @n whole pages; Return: its status. */
static int transfer(uint8_t op, uint64_t sector, unsigned int n)
{
	struct blk_req req = { .op = op,
			       .nseg = (uint16_t)n,
			       .sector = sector,
			       .indirect = n > BLK_SLOT_SEGS,
			       .gref = list_gref };
	struct blk_seg *seg = req.indirect ? fakedom_page(host.dom, list_gfn)
					   : req.seg;

	/* From the last page down, so that they are not joined. */
	for (unsigned int i = 0; i < n; i++)
		seg[i] = (struct blk_seg){ gref[n - 1 - i], 0, 7, 0 };
	return fakeblk_do(&fb, &req);
}

static uint8_t *segment(unsigned int i, unsigned int n)
{
	return fakedom_page(host.dom, gfn + n - 1 - i);
}

/* FM-10: reads and writes that end anywhere are gone on with. */
Test(disk_faults, short_transfers)
{
	uint64_t at;

	serve(fakeblk_image(image, sizeof(image)));
	fault = SHORT;
	for (int round = 0; round < 200; round++) {
		unsigned int n = 1 + (unsigned int)rand() % SEGS;

		at = (uint64_t)rand() % (SECTORS - SEGS * 8);
		for (unsigned int i = 0; i < n; i++) {
			memset(segment(i, n), rand(), SV_PAGE_SIZE);
			memcpy(image + at * DISK_SECTOR + i * SV_PAGE_SIZE,
			       segment(i, n), SV_PAGE_SIZE);
		}
		cr_assert_eq(transfer(BLKIF_OP_WRITE, at, n), BLKIF_RSP_OKAY);
		at = (uint64_t)rand() % (SECTORS - SEGS * 8);
		cr_assert_eq(transfer(BLKIF_OP_READ, at, n), BLKIF_RSP_OKAY);
		for (unsigned int i = 0; i < n; i++)
			cr_assert_eq(memcmp(image + at * DISK_SECTOR +
						    i * SV_PAGE_SIZE,
					    segment(i, n), SV_PAGE_SIZE),
				     0, "round %d, page %u", round, i);
	}
	cr_expect_gt(meddled, 1000);
}

/* FM-10: what cannot be done now is tried again, but not for ever. */
Test(disk_faults, busy_disk)
{
	serve(fakeblk_image(image, sizeof(image)));
	fault = BUSY;
	left = 3;
	cr_expect_eq(transfer(BLKIF_OP_READ, 0, 2), BLKIF_RSP_OKAY);
	cr_expect_eq(memcmp(segment(0, 2), image, SV_PAGE_SIZE), 0);
	cr_expect_eq(meddled, 3);
	left = INT32_MAX;
	cr_expect_eq(transfer(BLKIF_OP_READ, 0, 2), BLKIF_RSP_ERROR);
	cr_expect_leq(meddled, 100);
	left = 0;
	cr_expect_eq(transfer(BLKIF_OP_WRITE, 0, 2), BLKIF_RSP_OKAY);
}

/* FM-09: one bad sector fails one request, once, in each batch. */
Test(disk_faults, bad_sector)
{
	int16_t status;
	uint64_t id;
	uint8_t op;

	serve(fakeblk_image(image, sizeof(image)));
	bad = 13 * 8 * DISK_SECTOR;
	fault = BROKEN;
	for (int round = 1; round <= 10; round++) {
		for (uint64_t i = 0; i < 32; i++) {
			struct blk_req req = { .op = round % 2 ? BLKIF_OP_READ
							       : BLKIF_OP_WRITE,
					       .nseg = 1,
					       .id = i,
					       .sector = i * 8 };

			req.seg[0] = (struct blk_seg){ gref[i], 0, 7, 0 };
			fakeblk_put(&fb, &req);
		}
		fakeblk_push(&fb);
		for (int i = 0; i < 32; i++) {
			cr_assert_eq(fakeblk_take(&fb, PATIENCE_MS, &id, &op,
						  &status),
				     1);
			cr_expect_eq(status, id == 13 ? BLKIF_RSP_ERROR
						      : BLKIF_RSP_OKAY);
		}
		cr_expect_eq(meddled, round, "never tried again");
	}
}

/* FM-09: a flush that fails is told, by itself alone. */
Test(disk_faults, flush_that_fails)
{
	struct blk_req flush = { .op = BLKIF_OP_FLUSH_DISKCACHE };

	serve(fakeblk_image(image, sizeof(image)));
	cr_expect_eq(fakeblk_do(&fb, &flush), BLKIF_RSP_OKAY);
	cr_expect_eq(transfer(BLKIF_OP_WRITE, 0, 1), BLKIF_RSP_OKAY);
	flush_is_bad = true;
	cr_expect_eq(fakeblk_do(&fb, &flush), BLKIF_RSP_ERROR);
	cr_expect_eq(meddled, 1, "never tried again");
	cr_expect_eq(transfer(BLKIF_OP_READ, 0, 1), BLKIF_RSP_OKAY);
	flush_is_bad = false;
	cr_expect_eq(fakeblk_do(&fb, &flush), BLKIF_RSP_OKAY);
}

/* ---- barriers -------------------------------------------------------------- */

static void put(uint8_t op, uint64_t id, unsigned int nseg)
{
	struct blk_req req = {
		.op = op, .nseg = (uint16_t)nseg, .id = id, .sector = id * 8
	};

	req.seg[0] = (struct blk_seg){ gref[id], 0, 7, 0 };
	fakeblk_put(&fb, &req);
}

/* What was started since this was asked last. */
static const char *all_started(void)
{
	static char s[sizeof(started)];
	size_t n;

	pthread_mutex_lock(&started_lock);
	n = nstarted;
	nstarted = 0;
	while (n && started[n - 1] == '|')
		n--;
	memcpy(s, started, n);
	pthread_mutex_unlock(&started_lock);
	s[n] = '\0';
	return s;
}

/* Take @n answers; those ids that are errors, as bits. */
static unsigned int take(unsigned int n)
{
	unsigned int errors = 0;
	int16_t status;
	uint64_t id;
	uint8_t op;

	while (n--) {
		cr_assert_eq(fakeblk_take(&fb, PATIENCE_MS, &id, &op, &status),
			     1);
		errors |= (unsigned int)(status != BLKIF_RSP_OKAY) << id;
	}
	return errors;
}

/*
 * What is before a barrier is done before it, then the disk is flushed, its
 * data are written, the disk is flushed; what follows begins only then.
 */
Test(disk_faults, barrier_keeps_the_order)
{
	serve(fakeblk_image(image, sizeof(image)));
	for (int round = 0; round < 50; round++) {
		put(BLKIF_OP_WRITE, 0, 1);
		put(BLKIF_OP_READ, 1, 1);
		put(BLKIF_OP_WRITE_BARRIER, 2, 1);
		put(BLKIF_OP_WRITE, 3, 1);
		put(BLKIF_OP_WRITE_BARRIER, 4, 0);
		put(BLKIF_OP_READ, 5, 1);
		fakeblk_push(&fb);
		cr_expect_eq(take(6), 0);
		cr_expect_str_eq(all_started(), "WR|F|W|F|W|F|R");
	}
}

/* A barrier waits for what is slow, and whoever stops waits for the barrier. */
Test(disk_faults, barrier_waits)
{
	int16_t status;
	uint64_t id;
	uint8_t op;

	serve(fakeblk_image(image, sizeof(image)));
	fault = SLOW;
	put(BLKIF_OP_READ, 0, 1);
	put(BLKIF_OP_WRITE_BARRIER, 1, 1);
	put(BLKIF_OP_WRITE, 2, 1);
	fakeblk_push(&fb);
	cr_assert(SOON(meddled));
	cr_expect_eq(fakeblk_take(&fb, 200, &id, &op, &status), 0);
	cr_expect_str_eq(all_started(), "R");
	cr_expect_eq(write(pipe_fd[1], image, SV_PAGE_SIZE),
		     (ssize_t)SV_PAGE_SIZE);
	cr_expect_eq(take(3), 0);
	fault = NONE;
}

/* Any of its steps may fail: one error, and the ring goes on. */
Test(disk_faults, barrier_that_fails)
{
	serve(fakeblk_image(image, sizeof(image)));
	flush_is_bad = true;
	put(BLKIF_OP_WRITE_BARRIER, 0, 1);
	put(BLKIF_OP_WRITE, 1, 1);
	put(BLKIF_OP_WRITE_BARRIER, 2, 0);
	fakeblk_push(&fb);
	cr_expect_eq(take(3), 5);
	flush_is_bad = false;
	bad = 3 * 8 * DISK_SECTOR;
	fault = BROKEN;
	put(BLKIF_OP_WRITE_BARRIER, 3, 1);
	put(BLKIF_OP_WRITE_BARRIER, 4, 1);
	put(BLKIF_OP_READ, 5, 1);
	fakeblk_push(&fb);
	cr_expect_eq(take(3), 1 << 3);
}

/* A file system without holes: the guest is told that there is no discard. */
Test(disk_faults, no_holes)
{
	struct blk_req req = { .op = BLKIF_OP_DISCARD, .nsectors = 8 };

	serve(fakeblk_image(image, sizeof(image)));
	cr_expect_eq(fakeblk_do(&fb, &req), BLKIF_RSP_OKAY);
	fault = HOLELESS;
	cr_expect_eq(fakeblk_do(&fb, &req), BLKIF_RSP_EOPNOTSUPP);
}

static void *answer_late(void *arg)
{
	(void)arg;
	usleep(300000);
	for (int i = 0; i < 8; i++)
		cr_expect_eq(write(pipe_fd[1], image, SV_PAGE_SIZE),
			     (ssize_t)SV_PAGE_SIZE);
	return NULL;
}

/*
 * NB-09, FM-13, FM-15: who stops waits for what the disk has not answered; from
 * then on no byte moves, and all that was asked has been answered.
 */
Test(disk_faults, stopped_while_the_disk_is_slow)
{
	struct blk_req req = { .op = BLKIF_OP_READ, .nseg = 1 };
	pthread_t late;
	int16_t status;
	uint8_t op;

	serve(fakeblk_image(image, sizeof(image)));
	fault = SLOW;
	memset(fakedom_page(host.dom, gfn), 0, 8 * SV_PAGE_SIZE);
	for (req.id = 0; req.id < 8; req.id++) {
		req.seg[0] = (struct blk_seg){ gref[req.id], 0, 7, 0 };
		fakeblk_put(&fb, &req);
	}
	fakeblk_push(&fb);
	cr_assert(SOON(meddled >= 8));
	cr_assert_eq(pthread_create(&late, NULL, answer_late, NULL), 0);
	blkback_stop(q);
	q = NULL;
	for (unsigned int i = 0; i < 8; i++)
		cr_expect_eq(memcmp(fakedom_page(host.dom, gfn + i), image,
				    SV_PAGE_SIZE),
			     0, "page %u", i);
	for (int i = 0; i < 8; i++) {
		cr_assert_eq(fakeblk_take(&fb, 0, &req.id, &op, &status), 1);
		cr_expect_eq(status, BLKIF_RSP_OKAY);
	}
	pthread_join(late, NULL);
}

/* A sparse image in a file system that is too small for it. */
static int small_image(int *filler)
{
	char dir[] = "/tmp/sv-test-small-XXXXXX", path[64];
	int fd;

	cr_assert(mkdtemp(dir));
	cr_assert_eq(unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNS
				       : CLONE_NEWNS),
		     0);
	cr_assert_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mount("none", dir, "tmpfs", 0, "size=256k"), 0);
	snprintf(path, sizeof(path), "%s/filler", dir);
	*filler = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(ftruncate(*filler, 0), 0);
	cr_assert_eq(posix_fallocate(*filler, 0, 128 << 10), 0);
	snprintf(path, sizeof(path), "%s/image", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(ftruncate(fd, sizeof(image)), 0);
	cr_assert_eq(umount2(dir, MNT_DETACH), 0);
	rmdir(dir);
	return fd;
}

/* FM-08: no room for a write is that write's error; room again, and it goes on. */
Test(disk_faults, disk_full)
{
	unsigned int good = 0, refused = 0;
	const char *log;
	int filler;

	serve(small_image(&filler));
	caplog_begin();
	for (uint64_t at = 0; at < SECTORS; at += 8) {
		int status = transfer(BLKIF_OP_WRITE, at, 1);

		good += status == BLKIF_RSP_OKAY;
		refused += status == BLKIF_RSP_ERROR;
	}
	log = caplog_end();
	cr_expect_eq(good, 32, "%u", good);
	cr_expect_eq(refused, SECTORS / 8 - 32);
	cr_expect_not_null(strstr(log, "No space left on device"), "%s", log);
	for (uint64_t at = 0; at < SECTORS; at += 8)
		cr_expect_eq(transfer(BLKIF_OP_READ, at, 1), BLKIF_RSP_OKAY);
	cr_assert_eq(ftruncate(filler, 0), 0);
	cr_expect_eq(transfer(BLKIF_OP_WRITE, 1024, 1), BLKIF_RSP_OKAY);
	close(filler);
}

/* FM-28: an image cut short under our hands is an error, no signal. */
Test(disk_faults, image_cut_short)
{
	serve(fakeblk_image(image, sizeof(image)));
	cr_assert_eq(ftruncate(host.disk.fd, 1024 * DISK_SECTOR), 0);
	cr_expect_eq(transfer(BLKIF_OP_READ, 1020, 1), BLKIF_RSP_ERROR);
	cr_expect_eq(transfer(BLKIF_OP_READ, 2000, 1), BLKIF_RSP_ERROR);
	cr_expect_eq(transfer(BLKIF_OP_READ, 1016, 1), BLKIF_RSP_OKAY);
	cr_assert_eq(ftruncate(host.disk.fd, sizeof(image)), 0);
	cr_expect_eq(transfer(BLKIF_OP_READ, 2000, 1), BLKIF_RSP_OKAY);
}
