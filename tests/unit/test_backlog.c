/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_backlog.c - the last 64 KiB of a stream, and its readers. */
#include "dom0-backend/backlog.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbered lines of 32 bytes. */
static void add_lines(struct backlog *b, unsigned int from, unsigned int n)
{
	char line[40];

	for (unsigned int i = from; i < from + n; i++) {
		snprintf(line, sizeof(line), "line %08u .................\n",
			 i);
		backlog_add(b, line, strlen(line));
	}
}

/* All that a reader gets now, in pieces of at most @max. */
static char *read_all(const struct backlog *b, struct backlog_cursor *c,
		      size_t max)
{
	char *out = calloc(1, 3 * BACKLOG_SIZE);
	const uint8_t *p;
	size_t n, at = 0;

	while ((n = backlog_peek(b, c, &p))) {
		n = n < max ? n : max;
		memcpy(out + at, p, n);
		at += n;
		backlog_skip(c, n);
	}
	return out;
}

Test(backlog, a_reader_in_time_gets_all)
{
	struct backlog *b = calloc(1, sizeof(*b));
	struct backlog_cursor c = { 0 };
	unsigned int next = 0;
	char want[64], *got;

	for (unsigned int i = 0; i < 10000; i += 700) {
		add_lines(b, i, 700);
		got = read_all(b, &c, 33);
		for (char *l = strtok(got, "\n"); l; l = strtok(NULL, "\n")) {
			snprintf(want, sizeof(want),
				 "line %08u .................", next++);
			cr_assert_str_eq(l, want);
		}
		free(got);
	}
	cr_assert_eq(next, 10500);
}

Test(backlog, a_late_reader_gets_a_mark_and_whole_lines)
{
	struct backlog *b = calloc(1, sizeof(*b));
	struct backlog_cursor c = { 0 };
	unsigned long lost = 0;
	unsigned int first = 0;
	const uint8_t *p;
	char *got;

	add_lines(b, 0, 1);
	cr_assert_gt(backlog_peek(b, &c, &p), 10);
	backlog_skip(&c, 10); /* in the middle of the first line */
	add_lines(b, 1, 5000);
	got = read_all(b, &c, 7);
	cr_assert_eq(sscanf(got, "\r\n[%lu bytes dropped]\r\nline %u", &lost,
			    &first),
		     2, "%.60s", got);
	cr_expect_eq(10 + lost, first * 32ul, "lost %lu, first %u", lost,
		     first);
	cr_expect_str_eq(got + strlen(got) - 32,
			 "line 00005000 .................\n");
	cr_expect_null(strstr(strstr(got, "dropped") + 1, "dropped"),
		       "one mark");
}

Test(backlog, exactly_full_is_not_late)
{
	struct backlog *b = calloc(1, sizeof(*b));
	struct backlog_cursor c = { 0 };
	const uint8_t *p;

	add_lines(b, 0, BACKLOG_SIZE / 32);
	cr_expect_eq(b->end, BACKLOG_SIZE);
	cr_expect_eq(backlog_peek(b, &c, &p), BACKLOG_SIZE);
	cr_expect_eq(memcmp(p, "line 00000000", 13), 0);
	backlog_add(b, "x", 1);
	cr_expect_gt(backlog_peek(b, &c, &p), 0);
	cr_expect_eq(memcmp(p, "\r\n[", 3), 0);
}

Test(backlog, falling_behind_within_a_mark)
{
	struct backlog *b = calloc(1, sizeof(*b));
	struct backlog_cursor c = { 0 };
	unsigned long a = 0, d = 0;
	unsigned int first = 0;
	const uint8_t *p;
	char head[8] = "", *got;

	add_lines(b, 0, 3000);
	cr_assert_geq(backlog_peek(b, &c, &p), 5);
	memcpy(head, p, 5);
	backlog_skip(&c, 5);
	add_lines(b, 3000, 3000);
	got = read_all(b, &c, 1000);
	cr_expect_str_eq(head, "\r\n[63");
	cr_assert_eq(sscanf(got,
			    "%lu bytes dropped]\r\n\r\n[%lu bytes dropped]\r\n"
			    "line %u",
			    &a, &d, &first),
		     3, "%.80s", got);
	cr_expect_gt(first, 3000);
}

Test(backlog, replay_begins_with_a_whole_line)
{
	struct backlog *b = calloc(1, sizeof(*b));
	struct backlog_cursor c = { 0 };
	char *got;

	add_lines(b, 0, 10);
	backlog_replay(b, &c);
	got = read_all(b, &c, 4096);
	cr_expect_eq(strlen(got), 320, "all of it, while it all fits");
	free(got);

	backlog_add(b, "odd", 3);
	add_lines(b, 10, 5000);
	backlog_replay(b, &c);
	got = read_all(b, &c, 4096);
	cr_expect_eq(memcmp(got, "line 0000", 9), 0, "%.40s", got);
	cr_expect_gt(strlen(got), BACKLOG_SIZE - 64);
	cr_expect_null(strstr(got, "dropped"), "nothing to regret");
}

Test(backlog, one_endless_line)
{
	struct backlog *b = calloc(1, sizeof(*b));
	struct backlog_cursor c = { 0 };
	char *big = malloc(200000), *got;

	memset(big, 'x', 200000);
	backlog_add(b, big, 200000);
	cr_expect_eq(b->end, 200000);
	got = read_all(b, &c, 4096);
	cr_expect_eq(strlen(got), strlen("\r\n[167232 bytes dropped]\r\n") +
					  BACKLOG_SIZE / 2);
	backlog_replay(b, &c);
	free(got);
	got = read_all(b, &c, 4096);
	cr_expect_eq(strlen(got), BACKLOG_SIZE);
}
