/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_conlog.c - a guest that prints what and as fast as it likes.
 */
#include "hypervisor/conlog.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static char dir[] = "/tmp/test_conlog.XXXXXX";
static char path[64], old[64];

static void setup(void)
{
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(old, sizeof(old), "%s/log.1", dir);
	log_init("", LOG_LVL_INFO);
	cr_assert_eq(conlog_open(path), 0);
	conlog_use();
}

static void teardown(void)
{
	conlog_close();
	unlink(path);
	unlink(old);
	rmdir(dir);
}

TestSuite(conlog, .init = setup, .fini = teardown);

/* Whether the log has @want, at the end of a line. */
static bool has_line(const char *want)
{
	char line[2048];
	FILE *f = fopen(path, "re");
	bool found = false;
	size_t n, len = strlen(want);

	cr_assert_not_null(f);
	while (!found && fgets(line, sizeof(line), f)) {
		n = strcspn(line, "\n");
		found = n >= len && !memcmp(line + n - len, want, len);
	}
	fclose(f);
	return found;
}

static void put(struct conlog *c, const char *s)
{
	conlog_put(c, s, strlen(s));
}

Test(conlog, whole_lines)
{
	struct conlog c = { .len = 0 };

	put(&c, "hel");
	cr_expect_not(has_line("guest: hel"));
	put(&c, "lo\r\n\nnext");
	cr_expect(has_line("guest: hello"));
	cr_expect_not(has_line("guest: "), "empty lines are not worth one");
	conlog_flush(&c);
	cr_expect(has_line("guest: next"));
	conlog_flush(&c);
	cr_expect_eq(c.len, 0);
}

Test(conlog, escapes)
{
	struct conlog c = { .len = 0 };

	put(&c, "\033[2Jred\n");
	cr_expect(has_line("guest: \\x1b[2Jred"));
}

Test(conlog, long_lines_are_cut_into_several)
{
	struct conlog c = { .len = 0 };

	for (int i = 0; i < CONLOG_LINE + 1; i++)
		put(&c, "x");
	put(&c, "\n");
	cr_expect(has_line("guest: x"));
	cr_expect_eq(c.len, 0);
}

Test(conlog, floods_are_left_out_and_counted)
{
	struct conlog c = { .len = 0 };
	struct stat st;
	size_t put_in = 0;

	for (; put_in < (size_t)8 * CONLOG_BURST; put_in += 101)
		put(&c, "0123456789012345678901234567890123456789012345678901"
			"234567890123456789012345678901234567890123456789\n");
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_lt(st.st_size, 3 * CONLOG_BURST);
	cr_expect_gt(c.lost, 4 * CONLOG_BURST);
	c.last -= UINT64_C(10000000000); /* ten seconds later */
	put(&c, "again\n");
	cr_expect(has_line("guest: again"));
	cr_expect(has_line("bytes left out"));
	cr_expect_eq(c.lost, 0);
}

Test(conlog, the_log_has_a_largest_size)
{
	struct stat st;

	cr_assert_eq(truncate(path, CONLOG_MAX), 0);
	log_info("last of the old");
	log_info("first of the new");
	cr_expect(has_line("first of the new"));
	cr_expect_not(has_line("last of the old"));
	cr_assert_eq(stat(old, &st), 0);
	cr_expect_gt(st.st_size, CONLOG_MAX);
	log_info("second of the new");
	cr_expect(has_line("first of the new"), "small enough: stays");
}

/* That is where a daemon is that sees no directory of logs. */
Test(conlog, a_log_that_is_moved_has_a_largest_size_as_well)
{
	char moved[80], moved_old[80];
	struct stat st;

	snprintf(moved, sizeof(moved), "%s.moved", path);
	snprintf(moved_old, sizeof(moved_old), "%s.moved", old);
	cr_assert(!rename(path, moved) && !rename(old, moved_old));
	cr_assert_eq(truncate(moved, CONLOG_MAX), 0);
	log_info("last of the old");
	cr_expect(!stat(moved, &st) && st.st_size == 0);
	cr_expect(!stat(moved_old, &st) && st.st_size > CONLOG_MAX);
	unlink(moved);
	unlink(moved_old);
}
