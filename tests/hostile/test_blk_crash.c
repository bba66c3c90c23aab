// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_blk_crash.c - what a disk has when all have died.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <criterion/criterion.h>

#include "base/fd.h"
#include "dom0-backend/custody.h"
#include "tests/lib/crashguest.h"
#include "tests/lib/mortal.h"
#include "tests/lib/slowfile.h"

/*
 * How it works
 *
 * The test is the guest, and the disk (tests/lib/forgetful.h): workers, which are
 * processes (tests/lib/mortal.h), put their operations into memory that both share
 * and ring; the disk does them in any order.  Workers die at any step of theirs
 * and at any other time, and are replaced; what they had under way is done or not
 * by then, as custody.h has it.  In the end all of it dies, and so does the power of
 * the disk; then crashguest_check() looks at what is left.  That is one case.
 *
 * So it is with a disk made for this test, which workers reach fast enough for some
 * thousands of cases.  In others the disk is a file (tests/lib/slowfile.h) above the
 * same medium, and workers use it as they use any file, with disk_uring.c and the
 * kernel's io_uring.  There an operation outlives its worker by itself; that all have
 * ended is known as sv-backend knows it, by custody.h.
 *
 * Each case begins from a seed of its own, which is said when it fails:
 * SV_CRASH_SEED=N is where to begin.  How processes take turns is the kernel's choice.
 */
#define DOMID	 12u
#define DEVID	 1u
#define PAGES	 512u
#define DEPTH	 32u /* of a ring of one page */
#define MAX_DIE	 250u
#define DEATHS	 4u  /* of workers, in a case; fewer than JOURNAL_REDO_MAX */
#define STEPS	 60u /* in memory; deaths cost more in a file, steps do not */
#define STUCK_MS 60000
#define CASES	 (SANITIZED ? 300u : 3000u)
#define IN_FILE	 (SANITIZED ? 60u : 200u)
#define BLOCK_MS 5

/**
 * struct op - An operation under way.
 * @state: Filled by the worker, done by the disk, taken by the worker.
 * @asked: forgetful_now().
 * @io:    The worker's.
 */
struct op {
	_Atomic enum { FREE, ASKED, DONE } state;
	enum disk_op op;
	uint64_t asked, sector;
	size_t n;
	struct disk_io *io;
	uint8_t data[CRASH_SEGS * SV_PAGE_SIZE];
};

static struct op (*ops)[DEPTH]; /* of each queue */
static struct forgetful *medium;
static struct slowfile *file; /* NULL: no file is above it */
static struct mortal *mortal;
static struct fakedom *dom;
static struct fakeblk fb[CRASH_QUEUES];
static struct crashguest guest;
static int bell, ready[CRASH_QUEUES];

/* ---- the worker's half of the disk ---------------------------------------- */

struct queue {
	struct disk_queue base;
	struct op *op;
	int kick, ready;
	struct disk_io *todo[DEPTH];
	unsigned int ntodo;
};

static int queue_new(struct disk_queue **out, const struct disk *d, int kick,
		     unsigned int depth)
{
	static struct queue queues[CRASH_QUEUES];
	static unsigned int n;
	struct queue *q = &queues[n];

	if (n == CRASH_QUEUES || depth > DEPTH)
		return -1;
	*q = (struct queue){ .base = { d->ops },
			     .op = ops[n],
			     .kick = kick,
			     .ready = ready[n] };
	n++;
	*out = &q->base;
	return 0;
}

static int begin(struct disk_queue *base)
{
	(void)base;
	return 0;
}

static void add(struct disk_queue *base, struct disk_io *io)
{
	struct queue *q = (struct queue *)base;

	q->todo[q->ntodo++] = io;
}

static void ask(struct op *op, struct disk_io *io)
{
	size_t n = 0;

	op->op = io->op;
	op->io = io;
	op->sector = io->off / DISK_SECTOR;
	op->n = io->left / DISK_SECTOR;
	for (unsigned int i = 0; i < io->niov && io->op == DISK_WRITE; i++) {
		memcpy(op->data + n, io->iov[i].iov_base, io->iov[i].iov_len);
		n += io->iov[i].iov_len;
	}
	op->asked = forgetful_now(medium);
	atomic_store(&op->state, ASKED);
}

static void wake(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		abort();
}

static void sleep_on(const struct queue *q, uint64_t ns)
{
	struct pollfd p[] = { { .fd = q->kick, .events = POLLIN },
			      { .fd = q->ready, .events = POLLIN } };
	uint64_t n;

	poll(p, 2, ns == DISK_AWAKE ? 0 : -1);
	for (unsigned int i = 0; i < 2; i++) {
		if ((p[i].revents & POLLIN) && read(p[i].fd, &n, sizeof(n)) < 0)
			abort();
	}
}

static void run(struct disk_queue *base, uint64_t ns)
{
	struct queue *q = (struct queue *)base;
	struct op *op = q->op;

	if (q->ntodo)
		wake(bell);
	for (unsigned int i = 0; i < q->ntodo; i++, op++) {
		while (atomic_load(&op->state) != FREE)
			op++;
		ask(op, q->todo[i]);
	}
	if (q->ntodo)
		wake(bell);
	q->ntodo = 0;
	sleep_on(q, ns);
}

static struct disk_io *done(struct disk_queue *base, int *result)
{
	struct queue *q = (struct queue *)base;

	for (unsigned int i = 0; i < DEPTH; i++) {
		struct op *op = &q->op[i];
		struct disk_io *io = op->io;

		if (atomic_load(&op->state) != DONE)
			continue;
		*result = 0;
		atomic_store(&op->state, FREE);
		return io;
	}
	return NULL;
}

static int open_medium(struct disk *d, void *arg)
{
	static const struct disk_ops kind = { .queue_new = queue_new,
					      .begin = begin,
					      .add = add,
					      .run = run,
					      .done = done };

	(void)arg;
	*d = (struct disk){
		.ops = &kind, .fd = -1, .witness = -1, .sectors = CRASH_SECTORS
	};
	return 0;
}

/* ---- or its file ------------------------------------------------------------ */

static int open_file(struct disk *d, void *witness)
{
	int fd = open(slowfile_path(file), O_RDWR | O_DIRECT | O_CLOEXEC);
	int ret = fd < 0 ? -1 : disk_init(d, fd);

	d->told = -1;
	d->witness = *(int *)witness;
	return ret;
}

/* As long as there is something of the dead worker; what is missed comes late. */
static void end_in_file(void)
{
	while (!custody_free("vbd", DOMID, DEVID)) {
		slowfile_end_all(file);
		usleep(100);
	}
}

/* ---- the disk's half ------------------------------------------------------- */

static void carry_out(struct op *op, unsigned int q)
{
	if (op->op == DISK_WRITE)
		forgetful_write(medium, op->sector, op->data, op->n);
	else
		forgetful_flush(medium, op->asked);
	atomic_store(&op->state, DONE);
	wake(ready[q]);
}

/* Do any of the operations under way; Return: whether there was one. */
static bool do_one(void)
{
	unsigned int at = (unsigned int)rand() % (CRASH_QUEUES * DEPTH);

	if (file)
		return slowfile_do_one(file);
	for (unsigned int i = 0; i < CRASH_QUEUES * DEPTH; i++) {
		unsigned int k = (at + i) % (CRASH_QUEUES * DEPTH);
		struct op *op = &ops[k / DEPTH][k % DEPTH];

		if (atomic_load(&op->state) != ASKED)
			continue;
		carry_out(op, k / DEPTH);
		return true;
	}
	return false;
}

/* What a dead worker had under way has an end, of one kind or another. */
static void end_all(void)
{
	if (file) {
		end_in_file();
		return;
	}
	for (unsigned int q = 0; q < CRASH_QUEUES; q++) {
		for (unsigned int i = 0; i < DEPTH; i++) {
			struct op *op = &ops[q][i];

			if (atomic_load(&op->state) == ASKED &&
			    op->op == DISK_WRITE)
				forgetful_tear(medium, op->sector, op->data,
					       op->n);
			atomic_store(&op->state, FREE);
		}
	}
}

/* ---- one case --------------------------------------------------------------- */

/**
 * struct crash - A case.
 * @seed:   Its number, and where chance begins.
 * @deaths: Of workers, so far.
 * @steps:  Answers taken and operations done.
 * @last:   So many there are to be.
 */
struct crash {
	unsigned int seed, deaths, steps, last;
	pid_t pid;
	int pidfd;
};

static void start_worker(struct crash *c)
{
	bool die = c->deaths < DEATHS && rand() % 2;
	int witness = -1;

	mortal_expect(mortal, die ? 1 + (unsigned int)rand() % MAX_DIE : 0);
	if (file)
		cr_assert_eq(custody_take("vbd", DOMID, DEVID, SV_PAGE_SIZE,
					  false, &witness),
			     0, "seed %u", c->seed);
	c->pid = mortal_start(mortal, DOMID, fb, CRASH_QUEUES,
			      file ? open_file : open_medium, &witness);
	fd_close(&witness);
	c->pidfd = pidfd_open(c->pid, 0);
	cr_assert_geq(c->pidfd, 0);
}

static void bury(struct crash *c)
{
	struct pollfd p = { .fd = c->pidfd, .events = POLLIN };
	int status;

	/* The kernel may wait for an operation before it ends the process. */
	while (poll(&p, 1, BLOCK_MS) == 0)
		while (do_one())
			;
	cr_assert_eq(waitpid(c->pid, &status, 0), c->pid);
	cr_assert(WIFSIGNALED(status), "seed %u: status %d", c->seed, status);
	fd_close(&c->pidfd);
	end_all();
}

static void replace(struct crash *c)
{
	bury(c);
	c->deaths++;
	/* What a successor leaves out, others soon do for it. */
	if (rand() % 2)
		c->last = MIN(c->last, c->steps + (unsigned int)rand() % 8);
	start_worker(c);
}

/* No frontend asks before its backend is Connected. */
static void wait_connected(struct crash *c)
{
	struct pollfd p = { .events = POLLIN };

	while (!atomic_load(&mortal->valid)) {
		p.fd = c->pidfd;
		if (poll(&p, 1, 1) > 0)
			replace(c);
	}
}

/* Wait until something happens; a worker that has died is replaced. */
static void wait_for_all(struct crash *c)
{
	struct pollfd p[2 + CRASH_QUEUES] = {
		{ .fd = c->pidfd, .events = POLLIN },
		{ .fd = file ? slowfile_bell(file) : bell, .events = POLLIN },
	};
	uint64_t n;

	for (unsigned int q = 0; q < CRASH_QUEUES; q++) {
		p[2 + q].fd = fakedom_port_fd(dom, fb[q].at.port);
		p[2 + q].events = POLLIN;
	}
	cr_assert_gt(poll(p, ARRAY_SIZE(p), STUCK_MS), 0,
		     "seed %u: nothing happens any more", c->seed);
	if (p[1].revents)
		cr_assert_eq(read(p[1].fd, &n, sizeof(n)), sizeof(n));
	if (p[0].revents)
		replace(c);
}

static void take_answers(struct crash *c)
{
	int n = crashguest_take(&guest);

	cr_assert_geq(n, 0, "seed %u: %s", c->seed, guest.why);
	c->steps += (unsigned int)n;
}

/* Return: whether anything was done. */
static bool turn(struct crash *c)
{
	unsigned int was = c->steps;
	bool asked = rand() % 2 && crashguest_ask(&guest);

	if (rand() % 2)
		c->steps += do_one();
	if (rand() % 2)
		take_answers(c);
	if (c->deaths < DEATHS && rand() % 64 == 0)
		kill(c->pid, SIGKILL);
	return asked || c->steps != was;
}

/* Nothing was done that chance might have let be done. */
static bool idle(struct crash *c)
{
	unsigned int was = c->steps;

	take_answers(c);
	c->steps += do_one();
	return c->steps == was && !crashguest_ask(&guest);
}

/* Return: how many sectors have lost what was in the disk's cache. */
static unsigned int run_case(struct crash *c)
{
	unsigned int lost;

	srand(c->seed);
	forgetful_seed(medium, c->seed);
	c->last = (unsigned int)rand() % (file ? 2 * STEPS : STEPS);
	for (unsigned int q = 0; q < CRASH_QUEUES; q++) {
		fakeblk_restart(&fb[q]);
		(void)fakedom_wait(dom, fb[q].at.port, 0);
	}
	atomic_store(&mortal->valid, false);
	start_worker(c);
	wait_connected(c);
	while (c->steps < c->last) {
		if (!turn(c) && idle(c))
			wait_for_all(c);
	}
	kill(c->pid, SIGKILL);
	bury(c);
	take_answers(c);
	lost = forgetful_cut(medium);
	cr_assert(crashguest_check(&guest, medium, false), "seed %u: %s",
		  c->seed, guest.why);
	return lost;
}

static void set_up(void)
{
	log_init("test", LOG_LVL_ERR);
	mortal = mortal_new();
	medium = forgetful_new(CRASH_SECTORS, 1);
	ops = mmap(NULL, sizeof(ops[0]) * CRASH_QUEUES, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(ops, MAP_FAILED);
	bell = eventfd(0, EFD_CLOEXEC);
	for (unsigned int q = 0; q < CRASH_QUEUES; q++)
		ready[q] = eventfd(0, EFD_CLOEXEC);
	fakedom_run_dir();
	dom = fakedom_new(DOMID, PAGES);
	for (unsigned int q = 0; q < CRASH_QUEUES; q++)
		fakeblk_init(&fb[q], dom, BLK_ABI_X86_64, 0);
	crashguest_init(&guest, dom, fb, CRASH_QUEUES);
}

static void tear_down(void)
{
	fakedom_free(dom);
	fakedom_run_dir_remove();
	forgetful_free(medium);
}

TestSuite(blk_crash, .init = set_up, .fini = tear_down, .timeout = 540);

/* So many cases, or as many as SV_CRASH_CASES says. */
static void run_cases(unsigned int n)
{
	unsigned int first = crashguest_option("SV_CRASH_SEED", 1), deaths = 0,
		     lost = 0;

	n = crashguest_option("SV_CRASH_CASES", n);
	for (unsigned int i = 0; i < n; i++) {
		struct crash c = { .seed = first + i };

		lost += run_case(&c);
		deaths += c.deaths;
	}
	cr_log_info("%u cases: %u writes, %u barriers, %u flushes answered; "
		    "%u deaths before the last; %u sectors forgotten",
		    n, guest.nans[CRASH_WRITE], guest.nans[CRASH_BARRIER],
		    guest.nans[CRASH_FLUSH], deaths, lost);
	/* Or it would have been no test. */
	cr_expect_gt(lost, n);
	cr_expect_gt(deaths, n / 4);
	cr_expect_gt(guest.nans[CRASH_BARRIER], n / 4);
	cr_expect_gt(guest.nans[CRASH_FLUSH], n / 2);
}

Test(blk_crash, what_was_flushed_is_there)
{
	run_cases(CASES);
}

Test(blk_crash, what_was_flushed_is_in_the_file)
{
	file = slowfile_above(medium, CRASH_SECTORS);
	if (!file)
		cr_skip_test("no FUSE to be had");
	run_cases(IN_FILE);
	slowfile_free(file);
}
