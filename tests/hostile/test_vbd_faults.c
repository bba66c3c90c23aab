// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_vbd_faults.c - live daemons on disks that err or stand still.
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include <criterion/criterion.h>

#include <xen/io/blkif.h>

#include "tests/lib/fakevbd.h"
#include "tests/lib/fini.h"
#include "tests/lib/patience.h"
#include "tests/lib/slowfile.h"

/*
 * How it works
 *
 * sv-xenstored and sv-backend run as they do in the field, and see a disk of the
 * test's own: a file whose writes are done, or fail, when the test says so
 * (slowfile.h), or an image that grows in a file system that is too small.
 */
#define DOMID 3u
#define PAGES 1024u

static struct stack s;
static struct fakevbd vbd;
static struct fakedom *dom;
static struct slowfile *slow;
static struct blk_req write_a = { .op = BLKIF_OP_WRITE, .nseg = 1, .id = 1 };
static struct blk_req write_b = { .op = BLKIF_OP_WRITE, .nseg = 1, .id = 2 };
static uint8_t *page_a, *page_b;

static void tear_down(void)
{
	if (dom)
		fakedom_free(dom);
	FINI_CHECK(stack_stop(&s));
	if (slow)
		slowfile_free(slow);
}

TestSuite(vbd_faults, .fini = tear_down, .timeout = 300);

static uint8_t *grant_page(struct blk_req *req)
{
	uint64_t gfn = fakedom_alloc(dom, 1);

	req->seg[0] = (struct blk_seg){ fakedom_grant(dom, gfn, 0), 0, 7, 0 };
	return fakedom_page(dom, gfn);
}

static void serve(const char *params)
{
	stack_start(&s, true);
	dom = fakedom_new(DOMID, PAGES);
	fakevbd_init(&vbd, &s, DOMID);
	cr_assert(fakevbd_bring_up(&vbd, dom, params, BLK_ABI_X86_64, 0, 1));
	page_a = grant_page(&write_a);
	page_b = grant_page(&write_b);
	write_b.sector = 8;
	memset(page_a, 0xaa, SV_PAGE_SIZE);
	memset(page_b, 0xbb, SV_PAGE_SIZE);
}

static void put(const struct blk_req *req)
{
	fakeblk_put(&vbd.q[0], req);
	fakeblk_push(&vbd.q[0]);
}

/* One write is under way, and will be. */
static void stick(void)
{
	slow = slowfile_new(1 << 20, false);
	if (!slow) {
		stack_start(&s, true); /* for tear_down() */
		cr_skip_test("no FUSE to be had");
	}
	serve(slowfile_path(slow));
	slowfile_hold(slow);
	put(&write_a);
	cr_assert(SOON(slowfile_held(slow)));
}

static void expect_answer(uint64_t id, int16_t status)
{
	int16_t was;
	uint64_t of;
	uint8_t op;

	cr_assert_eq(fakeblk_take(&vbd.q[0], PATIENCE_MS, &of, &op, &was), 1);
	cr_expect_eq(of, id);
	cr_expect_eq(was, status, "request %lu", id);
}

/* FM-09: an error is the request's that has met it, and the device lives. */
Test(vbd_faults, write_that_fails)
{
	stick();
	put(&write_b);
	expect_answer(write_b.id, BLKIF_RSP_OKAY);
	slowfile_fail(slow);
	expect_answer(write_a.id, BLKIF_RSP_ERROR);
	put(&write_a);
	expect_answer(write_a.id, BLKIF_RSP_OKAY);
	cr_expect_arr_eq(slowfile_bytes(slow), page_a, SV_PAGE_SIZE);
	cr_expect_arr_eq(slowfile_bytes(slow) + SV_PAGE_SIZE, page_b,
			 SV_PAGE_SIZE);
	cr_expect(stack_wait(&s, 0, "4", "%s/state", vbd.be));
	cr_expect_eq(stack_logged("Input/output error"), 1);
}

/* FM-13: an orderly detach takes as long as the disk, and then it ends. */
Test(vbd_faults, detached_while_the_disk_stands_still)
{
	stick();
	stack_write(&s, "0", "%s/online", vbd.be);
	stack_write(&s, "5", "%s/state", vbd.be);
	cr_assert(stack_wait(&s, 5000, "5", "%s/state", vbd.be));
	stack_write(&s, "6", "%s/state", vbd.fe);
	usleep(500000);
	cr_expect(!stack_wait(&s, 0, "6", "%s/state", vbd.be),
		  "closed with a write under way");
	slowfile_release(slow);
	cr_expect(stack_wait(&s, 5000, "6", "%s/state", vbd.be));
	cr_expect(stack_wait_workers(&s, 0));
	cr_expect_arr_eq(slowfile_bytes(slow), page_a, SV_PAGE_SIZE);
}

/*
 * FM-13: a forced detach, or the domain's end, takes the device away at once.  The
 * disk is another's only when the disk has done what was asked of it.
 */
static void taken_away(bool domain_too)
{
	struct fakedom *other;
	struct fakevbd next;

	stick();
	if (domain_too) {
		fakedom_free(dom);
		dom = NULL;
	}
	fakevbd_remove(&vbd);
	cr_expect(stack_wait(&s, 5000, NULL, "%s", vbd.be));
	other = fakedom_new(DOMID + 1, PAGES);
	fakevbd_init(&next, &s, DOMID + 1);
	fakevbd_attach(&next, slowfile_path(slow), "w");
	sleep(7); /* the worker was told to end, and is killed after five */
	cr_expect(!stack_wait(&s, 0, "2", "%s/state", next.be),
		  "another has a disk that is written to");
	cr_expect(!store_exists(s.store, "%s", vbd.be));
	slowfile_release(slow);
	cr_expect(stack_wait(&s, 5000, "2", "%s/state", next.be));
	cr_expect_eq(stack_worker(&s, "sv-blkback", DOMID), -1);
	fakevbd_remove(&next);
	cr_expect(stack_wait_workers(&s, 0));
	fakedom_free(other);
}

Test(vbd_faults, forced_away_while_the_disk_stands_still)
{
	taken_away(false);
}

Test(vbd_faults, destroyed_while_the_disk_stands_still)
{
	taken_away(true);
}

/* ---- an image that grows ------------------------------------------------- */

#define CLUSTERS 64u /* of 64 KiB */
#define FILLER	 (2u << 20)

static int status_of(struct blk_req *req, unsigned int cluster)
{
	req->sector = cluster * 128;
	return fakeblk_do(&vbd.q[0], req);
}

/* Write to each part of the disk, which has room for some. */
static unsigned int fill(bool *written)
{
	unsigned int n = 0;
	int status;

	for (unsigned int i = 0; i < CLUSTERS; i++) {
		memset(page_a, (int)i + 1, SV_PAGE_SIZE);
		status = status_of(&write_a, i);
		cr_expect(status == BLKIF_RSP_OKAY || status == BLKIF_RSP_ERROR,
			  "%d", status);
		written[i] = status == BLKIF_RSP_OKAY;
		n += written[i];
	}
	return n;
}

static void expect_read(const bool *written)
{
	struct blk_req read = write_b;

	read.op = BLKIF_OP_READ;
	for (unsigned int i = 0; i < CLUSTERS; i++) {
		cr_expect_eq(status_of(&read, i), BLKIF_RSP_OKAY);
		cr_expect(!written[i] || page_b[SV_PAGE_SIZE - 1] == i + 1,
			  "cluster %u", i);
	}
}

/* FM-08: the host has no room for an image that grows; room again: it goes on. */
Test(vbd_faults, no_room_for_a_thin_image)
{
	char dir[] = "/tmp/sv-test-thin-XXXXXX", path[64], cmd[128];
	struct blk_req flush = { .op = BLKIF_OP_FLUSH_DISKCACHE };
	bool written[CLUSTERS];
	unsigned int n;

	if (geteuid())
		cr_skip_test("serving a formatted image takes root");
	cr_assert(mkdtemp(dir));
	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	cr_assert_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mount("none", dir, "tmpfs", 0, "size=6m"), 0);
	snprintf(cmd, sizeof(cmd), "head -c %u /dev/zero >%s/filler", FILLER,
		 dir);
	cr_assert_eq(system(cmd), 0);
	snprintf(cmd, sizeof(cmd), "qemu-img create -q -f qcow2 %s/disk 16M",
		 dir);
	cr_assert_eq(system(cmd), 0);
	snprintf(path, sizeof(path), "qcow2:%s/disk", dir);
	serve(path);

	n = fill(written);
	cr_expect(n > 0 && n < CLUSTERS, "%u", n);
	expect_read(written);
	cr_expect_eq(fakeblk_do(&vbd.q[0], &flush), BLKIF_RSP_OKAY);
	cr_expect_gt(stack_logged("No space left on device"), 0);
	cr_expect(stack_wait(&s, 0, "4", "%s/state", vbd.be));

	snprintf(path, sizeof(path), "%s/filler", dir);
	cr_expect_eq(unlink(path), 0);
	cr_expect_eq(fill(written), CLUSTERS);
	expect_read(written);
	fakevbd_remove(&vbd);
	cr_expect(stack_wait_workers(&s, 0));
	snprintf(cmd, sizeof(cmd), "qemu-img check -q -f qcow2 %s/disk", dir);
	cr_expect_eq(system(cmd), 0);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
}
