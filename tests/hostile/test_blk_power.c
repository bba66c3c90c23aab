// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_blk_power.c - what a disk has when all daemons have died.
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <criterion/criterion.h>

#include "base/fd.h"
#include "dom0-backend/custody.h"
#include "tests/lib/crashguest.h"
#include "tests/lib/fakevbd.h"
#include "tests/lib/fini.h"
#include "tests/lib/patience.h"
#include "tests/lib/slowfile.h"

/*
 * How it works
 *
 * As test_blk_crash.c, with sv-backend and the sv-blkback that it starts.  The disk
 * is a file above one that forgets what was not flushed; each write and flush to it
 * is done when the test says so, in any order.  Workers are killed at any time, and
 * so is sv-backend; the next one replaces the worker that it finds.  In the end of a
 * case both die, and so does the power of the disk.  Only the guest lives on, so that
 * what it has under way is done again in the next case, by those who come then.
 *
 * Each case begins from a seed of its own, which is said when it fails:
 * SV_CRASH_SEED=N is where to begin.  How processes take turns is the kernel's choice.
 */
#define DOMID	 13u
#define PAGES	 512u
#define RINGS	 FAKEVBD_QUEUES
#define STEPS	 120u
#define DEATHS	 2u /* of workers in a case, and */
#define CALM	 4u /* after so many nothing is under way */
#define CASES	 (SANITIZED ? 30u : 80u)
#define BLOCK_MS 5
#define STUCK_MS PATIENCE_MS
_Static_assert(CALM *(DEATHS + 1) < JOURNAL_REDO_MAX, "no request is given up");

static struct stack stack;
static struct forgetful *medium;
static struct slowfile *file;
static struct fakedom *dom;
static struct fakevbd vbd;
static struct crashguest guest;

/**
 * struct outage - A case.
 * @seed:    Its number, and where chance begins.
 * @deaths:  Of workers, before the end; @parents: of sv-backend.
 * @steps:   Answers taken and operations done.
 */
struct outage {
	unsigned int seed, deaths, parents, steps;
};

static void take_answers(struct outage *o)
{
	int n = crashguest_take(&guest);

	cr_assert_geq(n, 0, "seed %u: %s", o->seed, guest.why);
	o->steps += (unsigned int)n;
}

static bool nothing_left(void)
{
	return custody_free("vbd", DOMID, FAKEVBD_DEVID);
}

/* Its process has ended; the kernel may wait for an operation before that. */
static void wait_for_end(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	while (poll(&p, 1, BLOCK_MS) == 0)
		while (slowfile_do_one(file))
			;
}

/*
 * What the worker had under way ends at once, one way or another, or comes late.
 * sv-backend is stopped meanwhile: nothing there can be a successor's.
 */
static void kill_its_worker(struct outage *o)
{
	pid_t pid;
	int pidfd;

	kill(stack.backend, SIGSTOP);
	cr_assert_eq(waitpid(stack.backend, NULL, WUNTRACED), stack.backend);
	pid = stack_worker(&stack, "sv-blkback", DOMID);
	pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
	if (pidfd >= 0) {
		kill(pid, SIGKILL);
		wait_for_end(pidfd);
		if (rand() % 2)
			slowfile_end_all(file);
		fd_close(&pidfd);
		o->deaths++;
	}
	kill(stack.backend, SIGCONT);
}

static void kill_someone(struct outage *o)
{
	if (rand() % 64 == 0 && o->deaths < DEATHS)
		kill_its_worker(o);
	if (rand() % 256 == 0 && !o->parents) {
		stack_new_backend(&stack);
		o->parents++;
	}
}

/* Wait until something happens; sv-backend sees to its workers. */
static void wait_for_all(const struct outage *o)
{
	struct pollfd p[1 + RINGS] = { { .fd = slowfile_bell(file),
					 .events = POLLIN } };
	uint64_t n;

	for (unsigned int q = 0; q < RINGS; q++)
		p[1 + q] = (struct pollfd){ .fd = fakedom_port_fd(
						    dom, vbd.q[q].at.port),
					    .events = POLLIN };
	cr_assert_gt(poll(p, ARRAY_SIZE(p), STUCK_MS), 0,
		     "seed %u: nothing happens any more", o->seed);
	for (unsigned int i = 0; i < ARRAY_SIZE(p); i++) {
		if (p[i].revents)
			cr_assert_eq(read(p[i].fd, &n, sizeof(n)), sizeof(n));
	}
}

/* Return: whether anything was done. */
static bool turn(struct outage *o)
{
	unsigned int was = o->steps;
	bool asked = rand() % 2 && crashguest_ask(&guest);

	if (rand() % 2)
		o->steps += slowfile_do_one(file);
	if (rand() % 2)
		take_answers(o);
	kill_someone(o);
	return asked || o->steps != was;
}

/* Do and take all there is, but ask for nothing more. */
static bool settle(struct outage *o)
{
	unsigned int was = o->steps;

	take_answers(o);
	o->steps += slowfile_do_one(file);
	return o->steps != was;
}

static void finish(struct outage *o)
{
	while (!crashguest_idle(&guest)) {
		if (!settle(o))
			wait_for_all(o);
	}
}

/* sv-backend first, or it would start another worker. */
static void kill_all(void)
{
	siginfo_t info;

	kill(stack.backend, SIGKILL);
	cr_assert_eq(waitid(P_PID, (id_t)stack.backend, &info,
			    WEXITED | WNOWAIT),
		     0);
	while (!nothing_left()) {
		custody_signal("vbd", DOMID, FAKEVBD_DEVID, SIGKILL);
		if (!slowfile_do_one(file))
			usleep(100);
	}
	while (slowfile_do_one(file))
		;
}

/* Return: how many sectors have lost what was in the disk's cache. */
static unsigned int run_case(struct outage *o)
{
	unsigned int lost, last;

	srand(o->seed);
	forgetful_seed(medium, o->seed);
	last = 1 + (unsigned int)rand() % STEPS;
	while (o->steps < last) {
		if (!turn(o) && !settle(o) && !crashguest_ask(&guest))
			wait_for_all(o);
	}
	if (o->seed % CALM == 0)
		finish(o);
	kill_all();
	take_answers(o);
	lost = forgetful_cut(medium);
	cr_assert(crashguest_check(&guest, medium, true), "seed %u: %s",
		  o->seed, guest.why);
	stack_new_backend(&stack);
	return lost;
}

static void set_up(void)
{
	medium = forgetful_new(CRASH_SECTORS, 1);
	file = slowfile_above(medium, CRASH_SECTORS);
	stack_start(&stack, true); /* it sees the file */
}

static void tear_down(void)
{
	FINI_CHECK(stack_stop(&stack));
	if (file)
		slowfile_free(file);
	forgetful_free(medium);
}

TestSuite(blk_power, .init = set_up, .fini = tear_down, .timeout = 540);

/* So many cases, or as many as SV_CRASH_CASES says. */
Test(blk_power, what_was_flushed_is_there)
{
	unsigned int n = crashguest_option("SV_CRASH_CASES", CASES);
	unsigned int first = crashguest_option("SV_CRASH_SEED", 1);
	unsigned int deaths = 0, parents = 0, lost = 0;
	struct outage last = { .seed = 0 };

	if (!file)
		cr_skip_test("no FUSE to be had");
	dom = fakedom_new(DOMID, PAGES);
	fakevbd_init(&vbd, &stack, DOMID);
	stack_write(&stack, "1", "%s/direct-io", vbd.be);
	cr_assert(fakevbd_bring_up(&vbd, dom, slowfile_path(file),
				   BLK_ABI_X86_64, 0, RINGS));
	crashguest_init(&guest, dom, vbd.q, RINGS);
	for (unsigned int i = 0; i < n; i++) {
		struct outage o = { .seed = first + i };

		lost += run_case(&o);
		deaths += o.deaths;
		parents += o.parents;
	}
	finish(&last);
	cr_log_info("%u cases: %u writes, %u barriers, %u flushes answered; "
		    "%u workers and %u parents killed before the last; "
		    "%u sectors forgotten",
		    n, guest.nans[CRASH_WRITE], guest.nans[CRASH_BARRIER],
		    guest.nans[CRASH_FLUSH], deaths, parents, lost);
	/* Or it would have been no test. */
	cr_expect_gt(lost, n);
	cr_expect_gt(deaths, n / 8);
	cr_expect_gt(parents, n / 32);
	cr_expect_gt(guest.nans[CRASH_BARRIER], n / 2);
	cr_expect_gt(guest.nans[CRASH_FLUSH], n / 2);
	cr_expect(stack_wait(&stack, 0, "4", "%s/state", vbd.be));
	fakedom_free(dom);
	cr_expect(stack_wait_workers(&stack, 0));
}
