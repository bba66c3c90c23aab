// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_store_flat.c - what a request costs does not depend on the number of
// domains.
//
// Time says little on a busy machine, so instructions are counted, each of them: a
// child has the store and its clients, and its parent lets it go on step by step.
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include <criterion/criterion.h>

#include "tests/lib/proc.h"
#include "tests/lib/storebed.h"
#include "tests/lib/xstree.h"
#include "xenstore-lite/batch.h"

#define FIRST  100u
#define ROUNDS 2u
/* A search tree is deeper: by so much may 1000 domains cost more than 10. */
#define PERCENT 140u

enum kind { READ, WRITE, LIST, EVENT, TXN, NKINDS };

static const char *const names[] = {
	"a read", "a write", "a list", "a write with an event", "a transaction",
};

/* ---- The child ---------------------------------------------------------- */

static struct bed_client *client, *watcher;
static unsigned int ndomains;

static void fail(int line)
{
	fprintf(stderr, "line %d\n", line);
	_exit(1);
}

#define must(is) ((is) ? (void)0 : fail(__LINE__))

/* Past the wire, which is measured elsewhere. */
static void add_node(const char *path)
{
	struct perms *perms = perm_default(0);
	struct batch b;

	batch_init(&b, &bed_tree);
	must(batch_put(&b, path, perms, value_new("12345678", 8), true) == 0);
	batch_publish(&b);
	perm_put(perms);
}

static void forget_events(void)
{
	while (watcher->nevents)
		free(watcher->events[--watcher->nevents]);
	watcher->next_event = 0;
}

static void fill(unsigned int to)
{
	char path[XSTREE_PATH];

	for (; ndomains < to; ndomains++) {
		for (unsigned int i = 0; i < XSTREE_NODES; i++) {
			xstree_node(FIRST + ndomains, i, path);
			add_node(path);
		}
		for (unsigned int i = 0; i < XSTREE_WATCHES; i++) {
			xstree_watch(FIRST + ndomains, i, path);
			must(!bed_watch(watcher, path, "token"));
		}
		forget_events();
	}
}

static void transaction(unsigned int domid)
{
	char path[XSTREE_PATH];
	uint32_t tx = bed_start(client);

	snprintf(path, sizeof(path), XSTREE_READ, domid);
	must(!strcmp(bed_read(client, tx, path), "12345678"));
	snprintf(path, sizeof(path), XSTREE_WRITE, domid, 'a');
	must(bed_write(client, tx, path, "abcdefgh") >= 0);
	must(bed_end(client, tx, true) >= 0);
}

static void request(enum kind kind, unsigned int domid)
{
	char path[XSTREE_PATH];

	switch (kind) {
	case READ:
		snprintf(path, sizeof(path), XSTREE_READ, domid);
		must(!strcmp(bed_read(client, 0, path), "12345678"));
		break;
	case WRITE:
		snprintf(path, sizeof(path), XSTREE_WRITE, domid, 'd');
		must(bed_write(client, 0, path, "abcdefgh") >= 0);
		break;
	case LIST:
		snprintf(path, sizeof(path), XSTREE_DIR, domid);
		must(strncmp(bed_list(client, 0, path), "frontend", 8) == 0);
		break;
	case EVENT:
		snprintf(path, sizeof(path), XSTREE_STATE, domid);
		must(bed_write(client, 0, path, "abcdefgh") >= 0);
		bed_take(watcher);
		must(*bed_event(watcher));
		forget_events();
		break;
	default:
		transaction(domid);
	}
}

/* Between two stops is what is counted. */
static void stop(void)
{
	raise(SIGSTOP);
}

static void measured(void)
{
	static const unsigned int steps[] = { 10, 1000 };

	must(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
	stop();
	bed_init();
	client = bed_dom0();
	watcher = bed_dom0();
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		fill(steps[i]);
		for (unsigned int k = 0; k < NKINDS; k++) {
			for (unsigned int r = 0; r < ROUNDS; r++) {
				unsigned int d = FIRST + r * steps[i] / ROUNDS;

				request(k, d); /* what happens once */
				stop();
				request(k, d);
				stop();
			}
		}
	}
	_exit(0);
}

/* ---- The parent --------------------------------------------------------- */

static bool stopped(pid_t pid, int by)
{
	int status;

	cr_assert_eq(waitpid(pid, &status, __WALL), pid);
	cr_assert(WIFSTOPPED(status), "the store's side failed: status %x",
		  (unsigned int)status);
	cr_assert(WSTOPSIG(status) == SIGSTOP || WSTOPSIG(status) == SIGTRAP,
		  "the store's side failed: signal %d", WSTOPSIG(status));
	return WSTOPSIG(status) == by;
}

/* Go on to the next stop, by single steps if @limit is not 0; Return: how many. */
static unsigned long go_on(pid_t pid, unsigned long limit)
{
	unsigned long n = 0;
	bool there;

	do {
		cr_assert_eq(ptrace(n++ < limit ? PTRACE_SINGLESTEP
						: PTRACE_CONT,
				    pid, NULL, NULL),
			     0);
		there = stopped(pid, SIGSTOP);
	} while (!there);
	return n;
}

/*
 * The least of several, but no more than @limit: memory is fetched or put away in
 * larger pieces now and then.
 */
static unsigned long least(pid_t pid, unsigned long limit)
{
	unsigned long least = limit;

	for (unsigned int r = 0; r < ROUNDS; r++) {
		unsigned long n;

		(void)go_on(pid, 0);
		n = go_on(pid, limit);
		least = MIN(least, n);
	}
	return least;
}

/* Of one CPU: a step of a child on another takes ten times as long. */
static void stay(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)sched_getcpu(), &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

Test(store_flat, cost_does_not_grow_with_domains, .timeout = 300)
{
	unsigned long few[NKINDS], many[NKINDS];
	pid_t pid;

	stay();
	pid = proc_fork();
	cr_assert_geq(pid, 0);
	if (!pid)
		measured();
	cr_assert(stopped(pid, SIGSTOP));
	cr_assert_eq(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL),
		     0);
	for (unsigned int k = 0; k < NKINDS; k++)
		few[k] = least(pid, 10000000);
	for (unsigned int k = 0; k < NKINDS; k++)
		many[k] = least(pid, 2 * few[k]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
	for (unsigned int k = 0; k < NKINDS; k++) {
		fprintf(stderr,
			"# %s: %lu instructions, %lu beside 1000 domains\n",
			names[k], few[k], many[k]);
		cr_expect_leq(many[k], few[k] * PERCENT / 100, "%s", names[k]);
		cr_expect_gt(few[k], 1000ul);
	}
}
