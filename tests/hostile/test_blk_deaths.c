// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_blk_deaths.c - block workers that die at every step they make.
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <criterion/criterion.h>

#include <xen/xen.h>
#include <xen/io/blkif.h>
#include <xen/grant_table.h>

#include "tests/lib/mortal.h"
#include "tests/lib/patience.h"

/*
 * How it works
 *
 * The worker dies at its n-th step (tests/lib/mortal.h), for each n in turn.  Its
 * successors live on.  Whatever n is, each request is answered once and well, the
 * data are right, and no grant stays marked.
 */
#define DOMID	 11u
#define SECTORS	 2048u
#define REQUESTS 23u /* the last is refused, and nothing comes after it */
#define SEGS	 14u /* of the indirect ones */

static struct mortal *mortal;
static struct fakedom *dom;
static struct fakeblk fb;
static int disk_fd;
static uint8_t image[SECTORS * DISK_SECTOR];

static int open_image(struct disk *d, void *arg)
{
	(void)arg;
	return disk_init(d, disk_fd);
}

static pid_t start_worker(void)
{
	return mortal_start(mortal, DOMID, &fb, 1, open_image, NULL);
}

/* What is to happen: a death at step @n, and one at step @m of the successor. */
struct run {
	unsigned int n, m, deaths, left;
	pid_t pid;
};

/* ---- the guest's half ------------------------------------------------------ */

static struct {
	struct blk_req req;
	uint64_t gfn;
	uint32_t gref[SEGS],
		locked[SEGS]; /* for writing, or only for reading */
	struct blk_seg *list;
	uint32_t list_gref;
	int16_t want;
	bool answered;
} job[REQUESTS];

static void make_pages(unsigned int i)
{
	uint64_t list = fakedom_alloc(dom, 1);

	job[i].list = fakedom_page(dom, list);
	job[i].list_gref = fakedom_grant(dom, list, GTF_readonly);
	job[i].gfn = fakedom_alloc(dom, SEGS);
	for (unsigned int k = 0; k < SEGS; k++) {
		job[i].gref[k] = fakedom_grant(dom, job[i].gfn + k, 0);
		job[i].locked[k] =
			fakedom_grant(dom, job[i].gfn + k, GTF_readonly);
	}
}

static void set_up(void)
{
	log_init("test", LOG_LVL_ERR);
	mortal = mortal_new();
	for (size_t i = 0; i < sizeof(image); i++)
		image[i] = (uint8_t)rand();
	disk_fd = fakeblk_image(image, sizeof(image));
	fakedom_run_dir();
	dom = fakedom_new(DOMID, 2048);
	fakeblk_init(&fb, dom, BLK_ABI_X86_64, 0);
	for (unsigned int i = 0; i < REQUESTS; i++)
		make_pages(i);
}

static void tear_down(void)
{
	fakedom_free(dom);
	fakedom_run_dir_remove();
	close(disk_fd);
}

TestSuite(blk_deaths, .init = set_up, .fini = tear_down, .timeout = 300);

/* Each in its own part of the disk: read, write, large, refused, flush. */
static void make_job(unsigned int i)
{
	struct blk_req *req = &job[i].req;
	struct blk_seg *seg = req->seg;
	unsigned int kind = i % 6;

	*req = (struct blk_req){ .op = i % 2 ? BLKIF_OP_WRITE : BLKIF_OP_READ,
				 .id = i * 1000ull,
				 .sector = i * 80,
				 .nseg = 3 };
	job[i].want = BLKIF_RSP_OKAY;
	job[i].answered = false;
	if (kind == 5) {
		*req = (struct blk_req){ .op = BLKIF_OP_FLUSH_DISKCACHE,
					 .id = i * 1000ull };
		return;
	}
	if (kind >= 2 && kind <= 3) {
		req->indirect = true;
		req->nseg = SEGS - 4;
		req->gref = job[i].list_gref;
		seg = job[i].list;
	}
	for (unsigned int k = 0; k < req->nseg; k++) {
		/* One that the backend may not write, after some it may. */
		bool bad = kind == 4 && k == 2;

		seg[k] = (struct blk_seg){ bad ? job[i].locked[k]
					       : job[i].gref[k],
					   0, 7, 0 };
		memset(fakedom_page(dom, job[i].gfn + k), (int)(i + k + 1),
		       SV_PAGE_SIZE);
		if (req->op == BLKIF_OP_WRITE && kind != 4)
			memset(image + (req->sector + k * 8) * DISK_SECTOR,
			       (int)(i + k + 1), SV_PAGE_SIZE);
	}
	if (kind == 4)
		job[i].want = BLKIF_RSP_ERROR;
}

static void put_jobs(unsigned int first, unsigned int n)
{
	for (unsigned int i = first; i < first + n; i++) {
		make_job(i);
		fakeblk_put(&fb, &job[i].req);
	}
	fakeblk_push(&fb);
}

/* Dead workers are replaced; the first successor dies at step @m of its own. */
static void mind_worker(struct run *r)
{
	int status;

	if (waitpid(r->pid, &status, WNOHANG) != r->pid)
		return;
	cr_assert(WIFSIGNALED(status), "death %u: status %d", r->n, status);
	mortal_expect(mortal, r->deaths++ ? 0 : r->m);
	r->pid = start_worker();
}

/* As a guest does: look again only when there was an event. */
static void sleep_for_event(struct run *r)
{
	for (int i = 0; i < PATIENCE_MS / 5; i++) {
		mind_worker(r);
		if (fakedom_wait(dom, fb.at.port, 5))
			return;
	}
	cr_assert_fail("death %u: %u requests are lost", r->n, r->left);
}

static bool take_answer(struct run *r)
{
	int16_t status;
	uint64_t id;
	uint8_t op;
	int ret = fakeblk_take(&fb, 0, &id, &op, &status);

	cr_assert_geq(ret, 0, "death %u: the ring is broken", r->n);
	if (!ret)
		return false;
	cr_assert(id % 1000 == 0 && id / 1000 < REQUESTS, "death %u", r->n);
	cr_expect(!job[id / 1000].answered, "death %u: %lu answered twice",
		  r->n, id);
	job[id / 1000].answered = true;
	cr_expect_eq(status, job[id / 1000].want, "death %u: %lu has status %d",
		     r->n, id, status);
	r->left--;
	return true;
}

static void expect_data(unsigned int n)
{
	static uint8_t now[sizeof(image)];

	cr_assert_eq(pread(disk_fd, now, sizeof(now), 0), (ssize_t)sizeof(now));
	cr_expect_eq(memcmp(now, image, sizeof(now)), 0, "death %u: the disk",
		     n);
	for (unsigned int i = 0; i < REQUESTS; i++) {
		const struct blk_req *req = &job[i].req;

		for (unsigned int k = 0; k < req->nseg; k++) {
			if (req->op != BLKIF_OP_READ ||
			    job[i].want != BLKIF_RSP_OKAY)
				continue;
			cr_expect_eq(memcmp(fakedom_page(dom, job[i].gfn + k),
					    image + (req->sector + k * 8) *
							    DISK_SECTOR,
					    SV_PAGE_SIZE),
				     0, "death %u: read %u", n, i);
		}
	}
}

/* All but the ring's own page, which a worker still has. */
static void expect_unmarked(unsigned int n)
{
	for (uint32_t ref = 8; ref < 8 + 4096; ref++) {
		if (ref != fb.at.gref[0])
			cr_assert_eq(fakedom_entry(dom, ref)->flags &
					     (GTF_reading | GTF_writing),
				     0, "death %u: grant %u", n, ref);
	}
}

/* Return: how many workers have died. */
static unsigned int life(unsigned int n, unsigned int m)
{
	struct run r = { .n = n, .m = m, .left = REQUESTS };
	int status;

	fakeblk_restart(&fb);
	(void)fakedom_wait(dom, fb.at.port, 0);
	mortal_expect(mortal, n);
	atomic_store(&mortal->valid, false);
	r.pid = start_worker();
	/* No frontend asks before its backend is Connected. */
	while (!atomic_load(&mortal->valid)) {
		mind_worker(&r);
		usleep(100);
	}
	put_jobs(0, REQUESTS / 2);
	put_jobs(REQUESTS / 2, REQUESTS - REQUESTS / 2);
	while (r.left) {
		if (!take_answer(&r))
			sleep_for_event(&r);
	}
	/* There are steps that follow the last answer. */
	usleep(2000);
	mind_worker(&r);
	while (atomic_load(&mortal->steps) == 0)
		usleep(100);
	usleep(2000);
	cr_expect(!take_answer(&r), "death %u: one answer too many", n);
	expect_data(n);
	expect_unmarked(n);
	kill(r.pid, SIGKILL);
	waitpid(r.pid, &status, 0);
	return r.deaths;
}

Test(blk_deaths, at_every_step)
{
	unsigned int n = 1;

	while (life(n, 0))
		n++;
	cr_log_info("%u steps", n - 1);
	cr_expect_gt(n, 10 * REQUESTS, "steps are not counted");
}

/* The successor dies as well, anywhere. */
Test(blk_deaths, twice)
{
	srand(1);
	for (int i = 0; i < 150; i++)
		life(1 + (unsigned int)rand() % 300,
		     1 + (unsigned int)rand() % 300);
}
