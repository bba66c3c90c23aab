// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_journal.c - what a worker leaves, wherever it is killed.
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "dom0-backend/journal.h"
#include "tests/lib/proc.h"

#define NENT 32u

static struct journal *j;
static struct journal_queue *q;

static void set_up(void)
{
	const struct journal_ring ring = { .npages = 1, .port = 7 };

	j = calloc(1, sizeof(*j));
	cr_assert(j);
	q = &j->queue[3];
	journal_begin(q, &ring, NENT, 0);
}

static void tear_down(void)
{
	free(j);
}

TestSuite(journal, .init = set_up, .fini = tear_down);

static void expect_at(uint64_t taken, uint32_t inflight)
{
	struct ring_pos at = { 0 };
	uint32_t n = 0;

	cr_assert_eq(journal_recover(q, NENT, &at), 0);
	cr_expect_eq(at.req_cons, (uint32_t)taken);
	cr_expect_eq(at.rsp_prod, (uint32_t)(taken - inflight));
	for (unsigned int i = 0; i < JOURNAL_ENTRIES; i++)
		n += journal_inflight(&q->entry[i]);
	cr_expect_eq(n, inflight);
}

static unsigned int nqueues(void)
{
	return journal_nqueues(&j->head, JOURNAL_VBD, JOURNAL_QUEUES);
}

Test(journal, says_which_connection_is_valid)
{
	cr_expect_eq(nqueues(), 0, "a new file");
	journal_valid(&j->head, JOURNAL_VBD, 16);
	cr_expect_eq(nqueues(), 16);
	journal_valid(&j->head, JOURNAL_VBD, 0);
	cr_expect_eq(nqueues(), 0);
	journal_valid(&j->head, JOURNAL_VBD, 1);
	j->head.version++;
	cr_expect_eq(nqueues(), 0, "another version's");
	journal_valid(&j->head, JOURNAL_VBD, 1);
	j->head.magic = 0;
	cr_expect_eq(nqueues(), 0);
	journal_valid(&j->head, JOURNAL_VBD, 17);
	cr_expect_eq(nqueues(), 0, "more than there are");
}

Test(journal, new_ring_forgets_the_old_one)
{
	const struct journal_ring ring = { .npages = 2, .port = 9 };

	for (unsigned int i = 0; i < NENT; i++)
		journal_take(q, &q->entry[i]);
	journal_begin(q, &ring, NENT, 0);
	expect_at(0, 0);
	cr_expect_eq(q->ring.port, 9);
	cr_expect_eq(q->ring.npages, 2);
}

/* Killed between any two stores of taking, or after it. */
Test(journal, killed_while_taking)
{
	struct journal_entry *e = &q->entry[NENT];

	journal_take(q, &q->entry[0]);
	e->slot[0] = 1;
	expect_at(1, 1);
	atomic_store(&e->seq, 2);
	expect_at(1, 1);
	/* What was not taken must not come alive with the next one. */
	journal_take(q, &q->entry[1]);
	expect_at(2, 2);
	cr_expect(!journal_inflight(e));
	atomic_store(&e->seq, 3);
	atomic_store(&q->taken, 3);
	expect_at(3, 3);
}

/* Taken and answered, by a process that is stopped at each instruction. */
static void be_stepped(struct journal_queue *log)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(1);
	raise(SIGSTOP);
	memset(log->entry[9].slot, 0x55, JOURNAL_SLOT);
	journal_take(log, &log->entry[9]);
	journal_answer(&log->entry[9]);
	_exit(0);
}

/* Where a request stands if its worker is killed now; -1 if that makes no sense. */
static int stage(const struct journal_queue *log)
{
	struct ring_pos at;
	uint8_t want[JOURNAL_SLOT];

	memcpy(q, log, sizeof(*q));
	memset(want, 0x55, sizeof(want));
	if (journal_recover(q, NENT, &at))
		return -1;
	if (at.req_cons == 0)
		return 0;
	if (at.req_cons != 1 ||
	    (at.rsp_prod == 0 && memcmp(q->entry[9].slot, want, sizeof(want))))
		return -1;
	return at.rsp_prod == 0 ? 1 : 2;
}

/* It goes from not taken to taken to answered, in one step each. */
Test(journal, killed_at_any_instruction, .timeout = 300)
{
	struct journal_queue *log = mmap(NULL, sizeof(*log),
					 PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status, now, was = 0;
	unsigned int steps = 0;
	pid_t pid;

	cr_assert_neq(log, MAP_FAILED);
	/* As after some life: the place was used before. */
	log->entry[9].redone = JOURNAL_REDO_MAX;
	pid = proc_fork();
	cr_assert_geq(pid, 0);
	if (pid == 0)
		be_stepped(log);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	while (WIFSTOPPED(status)) {
		now = stage(log);
		cr_assert(now == was || now == was + 1,
			  "step %u: from stage %d to %d", steps, was, now);
		was = now;
		cr_assert_eq(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		steps++;
	}
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	cr_expect_eq(was, 2);
	cr_expect_gt(steps, 10);
	munmap(log, sizeof(*log));
}

Test(journal, answers_in_any_order)
{
	for (unsigned int i = 0; i < NENT; i++)
		journal_take(q, &q->entry[i]);
	expect_at(NENT, NENT);
	for (unsigned int i = 0; i < NENT; i++) {
		journal_answer(&q->entry[(i * 7 + 3) % NENT]);
		if (i % 4 == 3)
			expect_at(NENT, NENT - i - 1);
		cr_expect(!journal_inflight(&q->entry[(i * 7 + 3) % NENT]));
	}
}

/* Ring indices have 32 bits; the journal's count does not come round. */
Test(journal, counts_beyond_the_ring)
{
	atomic_store(&q->taken, UINT32_MAX - 1ull);
	journal_take(q, &q->entry[0]);
	expect_at(UINT32_MAX, 1);
	journal_take(q, &q->entry[1]);
	journal_take(q, &q->entry[2]);
	expect_at(UINT32_MAX + 2ull, 3);
	journal_answer(&q->entry[0]);
	expect_at(UINT32_MAX + 2ull, 2);
}

/* A request that ends worker after worker is not begun for ever. */
Test(journal, too_many_deaths)
{
	struct ring_pos at;

	journal_take(q, &q->entry[5]);
	for (unsigned int i = 0; i < JOURNAL_REDO_MAX; i++)
		cr_assert_eq(journal_recover(q, NENT, &at), 0);
	/* Others that come and go meanwhile change nothing. */
	journal_take(q, &q->entry[6]);
	journal_answer(&q->entry[6]);
	cr_expect_eq(journal_recover(q, NENT, &at), -EOWNERDEAD);
	/* Its place is another's then, which begins to count anew. */
	journal_answer(&q->entry[5]);
	journal_take(q, &q->entry[5]);
	cr_expect_eq(journal_recover(q, NENT, &at), 0);
}

struct lie {
	char name[40];
	uint64_t taken;
	unsigned int inflight; /* entries with seq of @seq */
	uint64_t seq;
	uint32_t nent;
	int want;
};

ParameterizedTestParameters(journal, lies)
{
	static struct lie t[] = {
		{ "full", 1000, 32, 990, NENT, 0 },
		{ "more than the ring holds", 1000, 33, 990, NENT, -EPROTO },
		{ "more than were taken", 5, 6, 5, NENT, -EPROTO },
		{ "the future", 1000, 33, UINT64_MAX, NENT, 0 },
		{ "the same one many times", 1000, 20, 1000, NENT, 0 },
		{ "no counter", 0, 0, 0, NENT, 0 },
		{ "all counted", UINT64_MAX, 32, 1, NENT, 0 },
		{ "beyond the entries", 1000, 1, 1, JOURNAL_ENTRIES, -EPROTO },
	};

	return cr_make_param_array(struct lie, t, ARRAY_SIZE(t));
}

ParameterizedTest(struct lie *t, journal, lies)
{
	struct ring_pos at = { 77, 77 };

	atomic_store(&q->taken, t->taken);
	for (unsigned int i = 0; i < t->inflight; i++)
		atomic_store(&q->entry[i].seq, t->seq);
	cr_expect_eq(journal_recover(q, t->nent, &at), t->want, "%s", t->name);
	if (t->want)
		cr_expect_eq(at.req_cons, 77, "%s", t->name);
	else
		cr_expect_leq(at.req_cons - at.rsp_prod, t->nent, "%s",
			      t->name);
}
