// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_blkback_stats.c - what disks count, and who can read it.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <criterion/criterion.h>

#include <xen/io/blkif.h>
#include <xenstore.h>

#include "base/fd.h"
#include "base/paths.h"
#include "tests/lib/fakevbd.h"
#include "tests/lib/fini.h"
#include "tests/lib/patience.h"

#define DOMID	3u
#define PAGES	256u
#define SECTORS 16384u
#define MS	PATIENCE_MS /* to wait for what comes */

/* ---- one queue in this process, and a disk that answers when it is told to - */

static struct {
	pthread_mutex_t lock;
	struct disk_io *held[8];
	unsigned int n;
	int result;
	bool open;
	int kick;
} slow = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct disk_queue slow_queue;
static struct fakeblk_host host;
static struct fakeblk ring;
static struct blk_queue *queue;
static struct blkstat counted;

static int slow_new(struct disk_queue **out, const struct disk *d, int kick,
		    unsigned int depth)
{
	(void)depth;
	slow_queue.ops = d->ops;
	slow.kick = kick;
	*out = &slow_queue;
	return 0;
}

static void slow_nothing(struct disk_queue *q)
{
	(void)q;
}

static int slow_begin(struct disk_queue *q)
{
	(void)q;
	return 0;
}

static void slow_add(struct disk_queue *q, struct disk_io *io)
{
	(void)q;
	pthread_mutex_lock(&slow.lock);
	slow.held[slow.n++] = io;
	pthread_mutex_unlock(&slow.lock);
}

/* A kick is one of the guest's, of the end's, or of the test's. */
static void slow_run(struct disk_queue *q, uint64_t ns)
{
	uint64_t n;

	(void)q;
	if (ns == DISK_FOREVER && read(slow.kick, &n, sizeof(n)) < 0)
		abort();
}

static struct disk_io *slow_done(struct disk_queue *q, int *result)
{
	struct disk_io *io = NULL;

	(void)q;
	pthread_mutex_lock(&slow.lock);
	if (slow.open && slow.n) {
		io = slow.held[--slow.n];
		*result = slow.result;
		/* As a transfer leaves it. */
		io->left = 0;
		io->niov = 0;
	}
	pthread_mutex_unlock(&slow.lock);
	return io;
}

static void slow_fini(struct disk *d)
{
	(void)d;
}

static const struct disk_ops slow_ops = {
	.queue_new = slow_new,
	.queue_free = slow_nothing,
	.begin = slow_begin,
	.end = slow_nothing,
	.add = slow_add,
	.run = slow_run,
	.done = slow_done,
	.hurry = slow_nothing,
	.fini = slow_fini,
};

static void let(bool open, int result)
{
	uint64_t one = 1;

	pthread_mutex_lock(&slow.lock);
	slow.open = open;
	slow.result = result;
	pthread_mutex_unlock(&slow.lock);
	if (open)
		cr_assert_eq(write(slow.kick, &one, sizeof(one)),
			     (ssize_t)sizeof(one));
}

static void count_up(void)
{
	static const uint8_t zeros[SECTORS];
	static struct log_limit limit;

	fakeblk_host_init(&host, DOMID, PAGES,
			  fakeblk_image(zeros, sizeof(zeros)));
	fakeblk_init(&ring, host.dom, BLK_ABI_X86_64, 0);
	host.disk.ops = &slow_ops;
	ring.at.stat = &counted;
	cr_assert_eq(blkback_start(&queue, &host.dev, &host.disk, &ring.at,
				   &limit),
		     0);
}

static void count_down(void)
{
	blkback_stop(queue);
	fakeblk_host_fini(&host);
}

TestSuite(blk_count, .init = count_up, .fini = count_down, .timeout = 300);

static uint64_t look(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void wait_is(const uint64_t *counter, uint64_t want)
{
	for (int i = 0; i < MS && look(counter) != want; i++)
		usleep(1000);
	cr_assert_eq(look(counter), want);
}

static uint64_t sum_of(const struct blkstat_kind_sum *k)
{
	uint64_t n = 0;

	for (unsigned int b = 0; b < HIST_BUCKETS; b++)
		n += k->bucket[b];
	return n;
}

static void take_all(unsigned int n, int16_t want)
{
	int16_t status;
	uint64_t id;
	uint8_t op;

	while (n--) {
		cr_assert_eq(fakeblk_take(&ring, MS, &id, &op, &status), 1);
		cr_expect_eq(status, want);
	}
}

Test(blk_count, depth_and_time)
{
	struct blkstat_kind_sum *k = &counted.kind[BLKSTAT_FLUSH];
	struct blk_req flush = { .op = BLKIF_OP_FLUSH_DISKCACHE };

	for (int i = 0; i < 3; i++)
		fakeblk_put(&ring, &flush);
	fakeblk_push(&ring);
	wait_is(&counted.depth, 3);
	cr_expect_eq(look(&k->requests), 0, "not yet");
	usleep(40000); /* at least */
	let(true, 0);
	take_all(3, BLKIF_RSP_OKAY);
	wait_is(&counted.depth, 0);
	cr_expect_eq(counted.depth_max, 3);
	cr_expect_eq(k->requests, 3);
	cr_expect_eq(sum_of(k), 3);
	for (unsigned int b = 0; b < hist_bucket(40000000); b++)
		cr_expect_eq(k->bucket[b], 0, "less than it took");
	cr_expect_geq(k->ns, 3 * 40000000ull);
	fakeblk_put(&ring, &flush);
	fakeblk_push(&ring);
	take_all(1, BLKIF_RSP_OKAY);
	wait_is(&counted.depth, 0);
	cr_expect_eq(counted.depth_max, 3, "the most there were");
}

Test(blk_count, failures)
{
	struct blkstat_kind_sum *k = &counted.kind[BLKSTAT_READ];
	uint64_t gfn = fakedom_alloc(host.dom, 2);
	struct blk_req req = {
		.op = BLKIF_OP_READ,
		.nseg = 2,
		.seg = { { fakedom_grant(host.dom, gfn, 0), 0, 7, 0 },
			 { fakedom_grant(host.dom, gfn + 1, 0), 0, 7, 0 } },
	};

	let(true, -EIO);
	cr_expect_eq(fakeblk_do(&ring, &req), BLKIF_RSP_ERROR);
	cr_expect_eq(look(&k->requests), 1);
	cr_expect_eq(look(&k->errors), 1);
	cr_expect_eq(look(&k->bytes), 0);
	cr_expect_eq(look(&k->merged), 0);
	let(true, 0);
	cr_expect_eq(fakeblk_do(&ring, &req), BLKIF_RSP_OKAY);
	cr_expect_eq(look(&k->requests), 2);
	cr_expect_eq(look(&k->errors), 1);
	cr_expect_eq(look(&k->bytes), 8192);
	cr_expect_eq(look(&k->merged), 1);
}

/* What ends without an answer is a successor's to count. */
Test(blk_count, given_up)
{
	struct blk_req flush = { .op = BLKIF_OP_FLUSH_DISKCACHE };

	fakeblk_put(&ring, &flush);
	fakeblk_push(&ring);
	wait_is(&counted.depth, 1);
	let(true, -ECANCELED);
	wait_is(&counted.depth, 0);
	cr_expect_eq(look(&counted.kind[BLKSTAT_FLUSH].requests), 0);
	cr_expect_eq(sum_of(&counted.kind[BLKSTAT_FLUSH]), 0);
}

/* ---- a device, whole ------------------------------------------------------- */

static struct stack s;
static struct fakevbd vbd;
static struct fakedom *dom;
static char image[64];
static uint32_t gref[64]; /* of neighbouring pages */
static uint32_t list_gref;
static struct blk_seg *list;

static void set_up(void)
{
	uint64_t gfn;
	int fd;

	stack_start(&s, true);
	snprintf(image, sizeof(image), "/tmp/sv-test-img-XXXXXX");
	fd = mkstemp(image);
	cr_assert(fd >= 0 && !ftruncate(fd, SECTORS * DISK_SECTOR));
	close(fd);
	dom = fakedom_new(DOMID, PAGES);
	gfn = fakedom_alloc(dom, ARRAY_SIZE(gref));
	for (unsigned int i = 0; i < ARRAY_SIZE(gref); i++)
		gref[i] = fakedom_grant(dom, gfn + i, 0);
	gfn = fakedom_alloc(dom, 1);
	list = fakedom_page(dom, gfn);
	list_gref = fakedom_grant(dom, gfn, 0);
	fakevbd_init(&vbd, &s, DOMID);
}

static void tear_down(void)
{
	fakedom_free(dom);
	unlink(image);
	FINI_CHECK(stack_stop(&s));
}

TestSuite(blkback_stats, .init = set_up, .fini = tear_down, .timeout = 300);

static void bring_up(unsigned int nqueues)
{
	cr_assert(
		fakevbd_bring_up(&vbd, dom, image, BLK_ABI_X86_64, 0, nqueues));
}

/*
 * One request of whole pages on a queue, each page @stride after the one before;
 * Return: its status.
 */
static int io(unsigned int q, uint8_t op, unsigned int nseg,
	      unsigned int stride, uint64_t sector)
{
	struct blk_req req = { .op = op,
			       .nseg = (uint16_t)nseg,
			       .sector = sector,
			       .indirect = nseg > BLK_SLOT_SEGS,
			       .gref = list_gref };

	for (unsigned int i = 0; i < nseg; i++) {
		list[i] = (struct blk_seg){ gref[i * stride], 0, 7, 0 };
		if (!req.indirect)
			req.seg[i] = list[i];
	}
	return fakeblk_do(&vbd.q[q], &req);
}

static void reads(unsigned int n)
{
	while (n--)
		cr_assert_eq(io(0, BLKIF_OP_READ, 1, 1, 0), BLKIF_RSP_OKAY);
}

static bool told(const char *name, const char *value)
{
	return stack_wait(&s, MS, value, "%s/statistics/%s", vbd.be, name);
}

/* What the domain socket has of our device. */
static struct blkstat_file ask(void)
{
	struct dom_devstats stats = { 0 };
	struct blkstat_file f = { 0 };
	struct dom *d;
	int fd = -1;

	cr_assert_eq(dom_connect(&d, DOMID, DOM_ROLE_ADMIN, NULL, false), 0);
	cr_assert_eq(dom_devstats(d, &stats, &fd), 0);
	cr_expect_str_eq(stats.device, "vbd/51712");
	cr_expect_eq(blkstat_read(fd, stats.offset, &f), 0);
	cr_expect_lt(write(fd, "", 1), 0, "for reading only");
	stats.index++;
	close(fd);
	cr_expect_eq(dom_devstats(d, &stats, &fd), -ENOENT);
	dom_free(d);
	return f;
}

static void is_hist(const char *prefix, const struct blkstat_kind_sum *k)
{
	char text[512] = "", *at = text, path[256];
	uint64_t n = 0;

	snprintf(path, sizeof(path), "%s_hist", prefix);
	for (unsigned int b = 0; b < HIST_BUCKETS; b++) {
		n += k->bucket[b];
		at += sprintf(at, "%s%lu", b ? " " : "", k->bucket[b]);
		if (n == k->requests)
			break;
	}
	cr_expect_eq(n, k->requests, "%s: each time once", prefix);
	cr_expect(told(path, text), "%s: %s", path, text);
}

/* Of each kind, by the store and by the socket. */
Test(blkback_stats, exact)
{
	struct blk_req discard = { .op = BLKIF_OP_DISCARD, .nsectors = 2048 };
	struct blkstat sum = { 0 };
	struct blkstat_file f;

	bring_up(2);
	cr_expect_eq(io(0, BLKIF_OP_READ, 3, 1, 0), BLKIF_RSP_OKAY);
	cr_expect_eq(io(1, BLKIF_OP_READ, 40, 1, 0), BLKIF_RSP_OKAY);
	cr_expect_eq(io(0, BLKIF_OP_READ, 1, 1, SECTORS), BLKIF_RSP_ERROR);
	cr_expect_eq(io(0, BLKIF_OP_WRITE, 5, 2, 8), BLKIF_RSP_OKAY);
	cr_expect_eq(io(0, BLKIF_OP_WRITE, 1, 1, 8), BLKIF_RSP_OKAY);
	cr_expect_eq(io(1, BLKIF_OP_FLUSH_DISKCACHE, 0, 1, 0), BLKIF_RSP_OKAY);
	cr_expect_eq(io(0, BLKIF_OP_WRITE_BARRIER, 2, 1, 0), BLKIF_RSP_OKAY);
	cr_expect_eq(io(0, 77, 1, 1, 0), BLKIF_RSP_EOPNOTSUPP);
	cr_expect_eq(fakeblk_do(&vbd.q[0], &discard), BLKIF_RSP_OKAY);
	discard.nsectors = 0;
	cr_expect_eq(fakeblk_do(&vbd.q[0], &discard), BLKIF_RSP_ERROR);
	cr_expect(told("rd_req", "3"));
	cr_expect(told("rd_err", "1"));
	cr_expect(told("rd_sect", "344"));
	cr_expect(told("rd_merge", "41"));
	cr_expect(told("wr_req", "2"));
	cr_expect(told("wr_err", NULL), "0 is not there");
	cr_expect(told("wr_sect", "48"));
	cr_expect(told("wr_merge", NULL));
	cr_expect(told("f_req", "1"));
	cr_expect(told("f_sect", NULL));
	cr_expect(told("ds_req", "2"));
	cr_expect(told("ds_err", "1"));
	cr_expect(told("ds_sect", "2048"));
	cr_expect(told("other_req", "2"));
	cr_expect(told("other_err", "1"));
	cr_expect(told("other_sect", "16"));
	cr_expect(told("other_merge", "1"));
	cr_expect(told("depth_max", "1"));
	f = ask();
	cr_expect_eq(f.queue[1].kind[BLKSTAT_READ].requests, 1);
	cr_expect_eq(f.queue[1].kind[BLKSTAT_READ].bytes, 40 * 4096);
	cr_expect_eq(f.queue[1].kind[BLKSTAT_READ].merged, 39);
	cr_expect_eq(f.queue[0].kind[BLKSTAT_READ].requests, 2);
	for (unsigned int i = 0; i < BLKSTAT_QUEUES; i++)
		blkstat_sum(&sum, &f.queue[i]);
	is_hist("rd", &sum.kind[BLKSTAT_READ]);
	is_hist("wr", &sum.kind[BLKSTAT_WRITE]);
	is_hist("f", &sum.kind[BLKSTAT_FLUSH]);
	is_hist("ds", &sum.kind[BLKSTAT_DISCARD]);
	is_hist("other", &sum.kind[BLKSTAT_OTHER]);
	cr_expect_eq(sum.depth, 0);
	cr_expect_eq(sum.kind[BLKSTAT_DISCARD].bytes, 2048 * DISK_SECTOR);
}

static void is_private(struct xs_handle *xs, const char *name)
{
	struct xs_permissions *p;
	unsigned int n = 0;
	char path[192];

	snprintf(path, sizeof(path), "%s/statistics%s", vbd.be, name);
	p = xs_get_permissions(xs, XBT_NULL, path, &n);
	cr_assert_not_null(p, "%s", path);
	cr_expect_eq(n, 1, "%s", path);
	cr_expect_eq(p[0].id, 0, "%s", path);
	cr_expect_eq(p[0].perms, XS_PERM_NONE, "%s", path);
	free(p);
}

/* A guest may read its backends' directories, but this is none of its business. */
Test(blkback_stats, are_for_dom0_only)
{
	struct xs_permissions open[] = { { .id = 0, .perms = XS_PERM_NONE },
					 { .id = DOMID,
					   .perms = XS_PERM_READ } };
	struct xs_handle *xs = xs_open(0);

	cr_assert_not_null(xs);
	cr_assert(xs_mkdir(xs, XBT_NULL, vbd.be) &&
		  xs_set_permissions(xs, XBT_NULL, vbd.be, open, 2));
	bring_up(1);
	reads(1);
	cr_assert(told("rd_req", "1"));
	is_private(xs, "");
	is_private(xs, "/rd_req");
	is_private(xs, "/rd_hist");
	xs_close(xs);
}

static void kill_worker(void)
{
	pid_t pid = stack_worker(&s, "sv-blkback", DOMID);

	cr_assert_gt(pid, 0);
	kill(pid, SIGKILL);
}

/* They outlive the worker and the parent, alone and together. */
Test(blkback_stats, survive)
{
	struct blkstat_file f;

	bring_up(1);
	reads(3);
	cr_expect(told("rd_req", "3"));
	kill_worker();
	reads(4);
	cr_expect(told("rd_req", "7"));
	kill(s.backend, SIGKILL);
	reads(2);
	cr_expect(told("rd_req", "9"), "a worker needs no parent to tell");
	stack_new_backend(&s);
	reads(1);
	cr_expect(told("rd_req", "10"));
	kill_worker();
	kill(s.backend, SIGKILL);
	stack_new_backend(&s);
	reads(5);
	cr_expect(told("rd_req", "15"));
	f = ask();
	cr_expect_eq(f.queue[0].kind[BLKSTAT_READ].requests, 15);
	cr_expect_eq(f.queue[0].kind[BLKSTAT_READ].bytes, 15 * 4096);
	cr_expect_eq(f.queue[0].depth, 0);
}

/* As long as the device is the same, its frontends may come and go. */
Test(blkback_stats, connections_are_added)
{
	bring_up(1);
	reads(2);
	cr_assert(fakevbd_reconnect(&vbd));
	reads(3);
	cr_expect(told("rd_req", "5"));
}

static bool offered(void)
{
	struct dom_devstats stats = { 0 };
	struct dom *d;
	int fd = -1, ret;

	cr_assert_eq(dom_connect(&d, DOMID, DOM_ROLE_ADMIN, NULL, false), 0);
	ret = dom_devstats(d, &stats, &fd);
	fd_close(&fd);
	dom_free(d);
	return ret == 0;
}

/* Nothing is left, and what comes in its place begins at 0. */
Test(blkback_stats, go_with_the_device)
{
	bring_up(1);
	reads(6);
	cr_expect(told("rd_req", "6"));
	cr_expect(offered());
	reads(1); /* to be told with the next tick */
	fakevbd_remove(&vbd);
	cr_assert(stack_wait_workers(&s, 0));
	cr_expect(stack_wait(&s, 0, NULL, "%s", vbd.be), "made again");
	for (int i = 0; i < MS && offered(); i++)
		usleep(1000);
	cr_expect_not(offered());
	bring_up(1);
	reads(2);
	cr_expect(told("rd_req", "2"));
}

/* A store that has lost all is no reason to end, nor to fill it with remains. */
Test(blkback_stats, nothing_is_made_again)
{
	char path[64];

	bring_up(1);
	reads(1);
	cr_expect(told("rd_req", "1"));
	kill(s.backend, SIGKILL);
	snprintf(path, sizeof(path), "/local/domain/%u", DOMID);
	stack_rm(&s, path);
	stack_rm(&s, vbd.be);
	reads(4);
	usleep(2500000); /* the worker tells once a second */
	reads(1);
	cr_expect(stack_wait(&s, 0, NULL, "%s", vbd.be), "made again");
	stack_new_backend(&s);
}

/* Detached and attached anew in the same directory. */
Test(blkback_stats, another_device_in_its_place)
{
	bring_up(1);
	reads(3);
	cr_expect_eq(io(0, BLKIF_OP_WRITE, 1, 1, 0), BLKIF_RSP_OKAY);
	cr_expect(told("rd_req", "3"));
	cr_expect(told("wr_req", "1"));
	stack_write(&s, "0", "%s/online", vbd.be);
	cr_expect(fakevbd_step(&vbd, "5", "5"));
	stack_write(&s, "6", "%s/state", vbd.fe);
	cr_assert(stack_wait_workers(&s, 0));
	cr_expect(told("rd_req", "3"), "as it was at the end");
	bring_up(1);
	reads(1);
	cr_expect(told("rd_req", "1"));
	cr_expect(told("wr_req", NULL), "the other's");
}

static atomic_bool enough;
static atomic_uint seen;

/* Each number only grows, whoever comes and goes. */
static void *look_on(void *arg)
{
	static struct blkstat_file f;
	struct dom_devstats stats;
	struct dom *d;
	uint64_t most = 0, *now = &f.queue[0].kind[BLKSTAT_READ].requests;
	int fd, ret;

	(void)arg;
	if (dom_connect(&d, DOMID, DOM_ROLE_ADMIN, NULL, false))
		abort();
	while (!atomic_load(&enough)) {
		stats.index = 0;
		if (dom_devstats(d, &stats, &fd))
			continue;
		ret = blkstat_read(fd, stats.offset, &f);
		close(fd);
		if ((ret && ret != -ENODATA) || (!ret && *now < most))
			abort();
		most = ret ? most : *now;
		seen += !ret;
		usleep(100);
	}
	dom_free(d);
	return NULL;
}

/* BE-27: they are read while what is counted connects, dies and goes. */
Test(blkback_stats, are_read_meanwhile)
{
	pthread_t reader;

	bring_up(1);
	cr_assert_eq(pthread_create(&reader, NULL, look_on, NULL), 0);
	for (unsigned int i = 0; i < 10; i++) {
		reads(3);
		cr_assert(fakevbd_reconnect(&vbd));
		reads(3);
		kill_worker();
		reads(3);
	}
	cr_expect(told("rd_req", "90"));
	for (int i = 0; i < MS && !seen; i++)
		usleep(1000);
	cr_expect_gt(seen, 0);
	fakevbd_remove(&vbd);
	cr_assert(stack_wait_workers(&s, 0));
	atomic_store(&enough, true);
	pthread_join(reader, NULL);
}
