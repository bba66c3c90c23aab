// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_ledger.c - the store's journal as a file.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <criterion/criterion.h>

#include "base/fd.h"
#include "tests/lib/caplog.h"
#include "xenstore-lite/ledger.h"

#define FRAMES 20u

static char dir[] = "/tmp/sv-ledger.XXXXXX";
static char path[64], other[64];

/* What is to be found at the beginning of a file, and what was found. */
static char base[64];
static char got[64 * FRAMES];
static int refuse;

static void add(const char *text)
{
	ledger_begin('t');
	ledger_put(text, strlen(text) / 2);
	ledger_put(text + strlen(text) / 2, strlen(text) - strlen(text) / 2);
	ledger_end();
}

static void all(void)
{
	add(base);
}

static bool no_more(void)
{
	return false;
}

static void nothing(void)
{
}

static const struct ledger_dump dump = { all, no_more, nothing };

static int note(const void *record, size_t len)
{
	const char *r = record;

	if (refuse && !--refuse)
		return -EDOM;
	cr_assert_eq(*r, 't');
	cr_assert_lt(strlen(got) + len, sizeof(got));
	strncat(got, r + 1, len - 1);
	return 0;
}

static int load(const char *from, struct ledger_found *f)
{
	got[0] = '\0';
	return ledger_load(from, note, f);
}

static void setup(void)
{
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/j", dir);
	snprintf(other, sizeof(other), "%s/k", dir);
	strcpy(base, "<base>");
}

static void teardown(void)
{
	char new[80];

	ledger_stop();
	snprintf(new, sizeof(new), "%s.new", path);
	unlink(new);
	unlink(path);
	unlink(other);
	rmdir(dir);
}

TestSuite(ledger, .init = setup, .fini = teardown, .timeout = 300);

static char *contents(size_t *size)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	char *p;

	cr_assert_eq(fstat(fd, &st), 0);
	*size = (size_t)st.st_size;
	p = malloc(*size);
	cr_assert(p);
	cr_assert_eq(fd_read_all(fd, p, *size), 0);
	close(fd);
	return p;
}

static void put_other(const char *p, size_t n)
{
	int fd = open(other, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert_eq(fd_write_all(fd, p, n), 0);
	close(fd);
}

Test(ledger, nothing_there)
{
	struct ledger_found f;

	cr_expect_eq(load(path, &f), -ENOENT);
	cr_expect_not(ledger_on());
	add("lost");
	ledger_commit();
	cr_expect_eq(access(path, F_OK), -1);
}

Test(ledger, what_was_committed_is_there)
{
	struct ledger_found f;
	struct stat st;

	ledger_start(path, &dump);
	cr_expect(ledger_on());
	add("a");
	add("b");
	cr_assert_eq(load(path, &f), 0);
	cr_expect_str_eq(got, "<base>");
	ledger_commit();
	ledger_commit();
	add("c");
	ledger_commit();
	add("d");
	ledger_stop();
	cr_assert_eq(load(path, &f), 0);
	cr_expect_str_eq(got, "<base>abc");
	cr_expect_eq(f.frames, 3u);
	cr_expect_eq(f.dropped, 0u);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(f.bytes, (uint64_t)st.st_size);
	cr_expect_eq(st.st_mode & 0777, 0600u);
}

Test(ledger, what_cannot_be_applied_ends_it)
{
	struct ledger_found f;

	ledger_start(path, &dump);
	add("a");
	ledger_commit();
	refuse = 2;
	cr_expect_eq(load(path, &f), -EDOM);
	cr_expect_str_eq(got, "<base>");
}

/* Frames "<base>", "A", "B"...; @n of them. */
static void expect_prefix(const struct ledger_found *f, size_t at)
{
	char want[64] = "";

	if (f->frames)
		strcpy(want, base);
	for (unsigned int i = 1; i < f->frames; i++) {
		char text[2] = { (char)('A' + i - 1), 0 };

		strcat(want, text);
	}
	cr_assert_str_eq(got, want, "byte %zu", at);
}

static void fill(void)
{
	ledger_start(path, &dump);
	for (unsigned int i = 1; i < FRAMES; i++) {
		char text[2] = { (char)('A' + i - 1), 0 };

		add(text);
		ledger_commit();
	}
	ledger_stop();
}

Test(ledger, cut_anywhere)
{
	struct ledger_found f = { 0 };
	uint64_t before = 0;
	size_t size;
	char *p;

	fill();
	p = contents(&size);
	for (size_t n = 0; n <= size; n++) {
		int ret;

		put_other(p, n);
		ret = load(other, &f);
		if (n < 48) {
			cr_assert_eq(ret, -EPROTO, "%zu bytes", n);
			continue;
		}
		cr_assert_eq(ret, 0);
		cr_assert_eq(f.bytes + f.dropped, n);
		cr_assert(f.torn, "%zu bytes", n);
		cr_assert_geq(f.frames, before, "%zu bytes", n);
		before = f.frames;
		expect_prefix(&f, n);
	}
	cr_expect_eq(f.frames, FRAMES);
	free(p);
}

Test(ledger, bits_flipped_anywhere)
{
	struct ledger_found f;
	size_t size;
	char *p;

	fill();
	p = contents(&size);
	for (size_t i = 0; i < size * 8; i++) {
		int ret;

		p[i / 8] = (char)(p[i / 8] ^ 1 << i % 8);
		put_other(p, size);
		ret = load(other, &f);
		p[i / 8] = (char)(p[i / 8] ^ 1 << i % 8);
		if (i < 12 * 8)
			cr_assert_eq(ret, -EPROTO, "bit %zu", i);
		else if (i < 48 * 8)
			cr_assert_eq(ret, -ENOENT, "bit %zu: another boot", i);
		if (i < 48 * 8)
			continue;
		cr_assert_eq(ret, 0);
		cr_assert_lt(f.frames, FRAMES, "bit %zu", i);
		cr_assert_gt(f.dropped, 0u, "bit %zu", i);
		cr_assert_leq(f.bytes, i / 8, "bit %zu", i);
		expect_prefix(&f, i / 8);
	}
	free(p);
}

Test(ledger, bytes_are_bounded)
{
	char text[1001] = "";
	struct ledger_found f;
	uint64_t most = 0;

	memset(text, 'x', sizeof(text) - 1);
	ledger_start(path, &dump);
	for (int i = 0; i < 20000; i++) {
		struct stat st;

		add(text);
		ledger_commit();
		cr_assert_eq(stat(path, &st), 0);
		cr_assert_eq((uint64_t)st.st_size, ledger_size());
		most = MAX(most, ledger_size());
	}
	cr_expect_leq(most, LEDGER_MIN + 2000);
	cr_expect_gt(most, LEDGER_MIN / 2);
	ledger_stop();
	refuse = 2;
	cr_assert_eq(load(path, &f), -EDOM);
	cr_expect_str_eq(got, "<base>");
}

/* ---- A file in slices --------------------------------------------------- */

#define SLICES 40u

/* All there is, is a sum; each record adds to it. */
static uint64_t sum, kept, found;
static unsigned int left, begun, ended;

static void add_number(uint64_t n)
{
	static char pad[LEDGER_SLICE];

	ledger_begin('n');
	ledger_put(&n, sizeof(n));
	ledger_put(pad, sizeof(pad));
	ledger_end();
}

static void keep_sum(void)
{
	kept = sum;
	left = SLICES;
	begun++;
}

static bool add_slice(void)
{
	left--;
	add_number(left ? kept / SLICES : kept - kept / SLICES * (SLICES - 1));
	return left;
}

static void forget_sum(void)
{
	ended++;
}

static const struct ledger_dump sums = { keep_sum, add_slice, forget_sum };

static int add_up(const void *record, size_t len)
{
	uint64_t n;

	cr_assert_gt(len, sizeof(n));
	memcpy(&n, (const char *)record + 1, sizeof(n));
	found += n;
	return 0;
}

static uint64_t size_of(const char *file)
{
	struct stat st;

	return stat(file, &st) ? 0 : (uint64_t)st.st_size;
}

/* Return: whether a new file was in the making. */
static bool one_more(const char *made)
{
	uint64_t before = size_of(made), after;
	struct ledger_found f;

	add_number(1);
	sum++;
	ledger_commit();
	after = size_of(made);
	if (after)
		cr_assert_leq(after - before, 10 * LEDGER_SLICE);
	found = 0;
	cr_assert_eq(ledger_load(path, add_up, &f), 0);
	cr_assert_eq(found, sum, "%u files", begun);
	cr_assert_eq(f.dropped, 0u);
	return after;
}

/* What changes meanwhile is in it, and the old one is whole until then. */
Test(ledger, a_new_file_is_made_little_by_little)
{
	unsigned int during = 0;
	char made[80];

	snprintf(made, sizeof(made), "%s.new", path);
	sum = 7;
	ledger_start(path, &sums);
	cr_expect_eq(ended, 1u);
	while (begun < 5)
		during += one_more(made);
	cr_expect_eq(ended, 4u);
	cr_expect_geq(during, 4 * SLICES / 6);
	ledger_stop();
	cr_expect_eq(ended, 5u, "what was kept is forgotten");
	cr_expect_eq(access(made, F_OK), -1);
}

/* Who only reads brings it to its end: at rest there is one file, open once. */
Test(ledger, a_new_file_is_finished_if_nothing_changes)
{
	struct ledger_found f;
	unsigned int turns = 0;
	char made[80];

	snprintf(made, sizeof(made), "%s.new", path);
	sum = 7;
	ledger_start(path, &sums);
	while (!one_more(made))
		;
	while (size_of(made) && turns < 10 * SLICES) {
		ledger_commit();
		turns++;
	}
	cr_expect_eq(access(made, F_OK), -1);
	cr_expect_geq(turns, SLICES / 2, "little by little");
	found = 0;
	cr_assert_eq(ledger_load(path, add_up, &f), 0);
	cr_expect_eq(found, sum);
}

/* A full disk: the journal goes, and comes back with all there is. */
Test(ledger, disk_is_full)
{
	struct rlimit lim = { 60, RLIM_INFINITY };
	struct ledger_found f;
	const char *log;

	signal(SIGXFSZ, SIG_IGN);
	ledger_start(path, &dump);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &lim), 0);
	caplog_begin();
	for (int i = 0; i < 10; i++) {
		add("some more bytes than there is room for");
		ledger_commit();
	}
	log = caplog_end();
	cr_expect(strstr(log, "journal /tmp/"), "%s", log);
	cr_expect_eq(load(path, &f), -ENOENT);
	lim.rlim_cur = RLIM_INFINITY;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &lim), 0);
	strcpy(base, "<later>");
	add("not yet");
	ledger_commit();
	cr_expect_eq(load(path, &f), -ENOENT);
	/* It is tried again after a while, and then has this, too, in its base. */
	ledger_retry_ms = 0;
	add("in the base");
	ledger_commit();
	add("a");
	ledger_commit();
	cr_assert_eq(load(path, &f), 0);
	cr_expect_str_eq(got, "<later>a");
}
