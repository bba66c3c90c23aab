/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_trace.c - the access log, and what CONTROL tells of clients. */
#include "xenstore-lite/trace.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/caplog.h"
#include "tests/lib/storebed.h"

static char dir[32], path[64], old[64];
static struct bed_client *d0, *g;
static char text[1 << 16];

static void setup(void)
{
	strcpy(dir, "/tmp/sv-trace.XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(old, sizeof(old), "%s/log.1", dir);
	bed_init();
	d0 = bed_dom0();
	bed_home(3);
	g = bed_guest(3);
	trace_setup(path);
}

static void fini(void)
{
	trace_all = false;
	trace_stop();
	bed_close(g);
	bed_close(d0);
	bed_fini();
	unlink(path);
	unlink(old);
	rmdir(dir);
}

TestSuite(trace, .init = setup, .fini = fini, .timeout = 300);

static const char *read_text(const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	close(fd);
	text[MAX(n, 0)] = '\0';
	return text;
}

static off_t size_of(const char *name)
{
	struct stat st;

	return stat(name, &st) ? -1 : st.st_size;
}

Test(trace, tells_who_asked_what_and_was_told_what)
{
	static const char *const want[] = {
		"Z in  D3.%llu tx 0 WRITE data/x v\n",
		"Z out D3.%llu tx 0 WRITE OK\n",
		"Z in  D3.%llu tx 7 READ data/x\n",
		"Z out D3.%llu tx 7 ERROR ENOENT\n",
		"Z out D3.%llu tx 0 WATCH_EVENT data token\n",
	};
	char line[128];

	trace_all = true;
	bed_write(g, 0, "data/x", "v");
	bed_str(g, XS_READ, 7, "data/x", NULL);
	bed_watch(g, "data", "token");
	trace_flush();
	read_text(path);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(line, sizeof(line), want[i],
			 (unsigned long long)g->conn->serial);
#pragma GCC diagnostic pop
		cr_expect(strstr(text, line), "%s is not in\n%s", line, text);
	}
	cr_expect_eq(size_of(path), (off_t)strlen(text));
	cr_expect_eq(size_of(old), -1);
}

Test(trace, nothing_unless_asked)
{
	bed_write(g, 0, "data/x", "v");
	trace_flush();
	cr_expect_eq(size_of(path), -1);
}

static int control(const char *a, const char *b, const char *c)
{
	int ret = bed_str(d0, XS_CONTROL, 0, a, b, c, NULL);

	trace_flush();
	return ret;
}

Test(trace, of_one_domain_or_one_connection)
{
	struct bed_client *other = bed_dom0();
	char name[CONN_NAME];

	cr_expect_eq(control("log", "on", "3"), 3);
	bed_read(other, 0, "/of/another");
	bed_read(g, 0, "data/a");
	trace_flush();
	cr_expect(strstr(read_text(path), "READ data/a"), "%s", text);
	cr_expect_null(strstr(text, "/of/another"), "%s", text);
	cr_expect_eq(control("log", "off", "D3"), 3);
	bed_read(g, 0, "data/b");
	trace_flush();
	cr_expect_null(strstr(read_text(path), "data/b"), "%s", text);
	conn_name(g->conn, name);
	cr_expect_eq(control("log", "on", name), 3);
	bed_read(g, 0, "data/c");
	trace_flush();
	cr_expect(strstr(read_text(path), "data/c"), "%s", text);
	cr_expect_eq(control("log", "off", NULL), 3);
	bed_read(g, 0, "data/d");
	trace_flush();
	cr_expect_null(strstr(read_text(path), "data/d"), "%s", text);
	cr_expect_eq(control("log", "on", "4"), -ENOENT);
	cr_expect_eq(control("log", "on", "D3."), -ENOENT);
	cr_expect_eq(control("log", "sideways", NULL), -EINVAL);
	cr_expect_eq(control("log", NULL, NULL), -EINVAL);
	bed_close(other);
}

/* ---- What it takes ------------------------------------------------------ */

Test(trace, a_flood_keeps_to_its_bound)
{
	const off_t cap = 256 << 10;
	char value[2000];
	off_t most = 0;

	memset(value, '\x01', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	trace_cap = (uint64_t)cap;
	trace_all = true;
	for (int i = 0; i < 4000; i++) {
		bed_write(g, 0, "data/flood", value);
		if (i % 10 == 0)
			trace_flush();
		most = MAX(most, size_of(path) + MAX(size_of(old), 0));
		cr_assert_lt(size_of(path), cap + (off_t)TRACE_BUFFER);
		cr_assert_lt(size_of(old), cap + (off_t)TRACE_BUFFER);
	}
	cr_expect_gt(most, cap, "it was full once");
	cr_expect_leq(most, 2 * (cap + (off_t)TRACE_BUFFER));
}

/* A line is not torn where one file ends. */
Test(trace, files_end_with_a_line)
{
	trace_cap = 2000;
	trace_all = true;
	for (int i = 0; i < 200; i++) {
		bed_read(g, 0, "data/flood");
		trace_flush();
	}
	read_text(old);
	cr_assert_gt(strlen(text), 0);
	cr_expect_eq(text[strlen(text) - 1], '\n');
	cr_expect(!strncmp(text, "20", 2));
}

/* Nobody reads there, and nobody waits for that. */
Test(trace, what_cannot_be_written_is_told_and_left_out)
{
	const char *said;

	cr_assert_eq(mkfifo(path, 0600), 0);
	trace_all = true;
	caplog_begin();
	bed_write(g, 0, "data/x", "v");
	trace_flush();
	said = caplog_end();
	cr_expect(strstr(said, "access log"), "%s", said);
	cr_expect(strstr(said, "2 lines are missing"), "%s", said);
	unlink(path);
	bed_write(g, 0, "data/y", "v");
	trace_flush();
	cr_expect(strstr(read_text(path), "data/y"), "%s", text);
}

Test(trace, is_no_way_to_another_file)
{
	cr_assert_eq(symlink("/tmp/sv-trace-victim", path), 0);
	trace_all = true;
	caplog_begin();
	bed_write(g, 0, "data/x", "v");
	trace_flush();
	cr_expect(strstr(caplog_end(), "access log"));
	cr_expect_eq(size_of("/tmp/sv-trace-victim"), -1);
}

/* ---- What is counted ----------------------------------------------------- */

struct counted {
	char name[CONN_NAME];
	int pid;
	unsigned long requests, errors, events, lost, in, out;
	unsigned int watches, txns, replies, unread;
};

/* The line of a connection; Return: whether there is one. */
static bool find_conn(const char *name, struct counted *n)
{
	const char *at = strstr(d0->reply, name);

	return at && sscanf(at, "%39s %d %lu %lu %lu %lu %lu %lu %u %u %u %u",
			    n->name, &n->pid, &n->requests, &n->errors,
			    &n->events, &n->lost, &n->in, &n->out, &n->watches,
			    &n->txns, &n->replies, &n->unread) == 12;
}

Test(trace, counts_for_each_connection)
{
	char name[CONN_NAME];
	struct counted n;

	bed_watch(g, "data", "token");
	bed_write(g, 0, "data/x", "v");
	bed_read(g, 0, "data/none");
	bed_start(g);
	cr_assert_gt(control("stats", "conns", NULL), 0);
	conn_name(g->conn, name);
	cr_assert(find_conn(name, &n), "%s", d0->reply);
	cr_expect_eq(n.pid, 0);
	cr_expect_eq(n.requests, 4);
	cr_expect_eq(n.errors, 1);
	cr_expect_eq(n.events, 2);
	cr_expect_eq(n.watches, 1);
	cr_expect_eq(n.txns, 1);
	cr_expect_eq(n.in, 4 * 16 + 11 + 8 + 10 + 1, "%lu", n.in);
	cr_expect_gt(n.out, 6 * 16);
	cr_assert(find_conn("\nA", &n), "%s", d0->reply);
	cr_expect_eq(n.pid, getpid());
}

Test(trace, counts_by_type)
{
	unsigned long reads = 0, errors = 0, more, wrong;
	const char *at;

	control("stats", NULL, NULL);
	at = strstr(d0->reply, "\nREAD ");
	if (at)
		cr_assert_eq(sscanf(at, "\nREAD : %lu requests %lu", &reads,
				    &errors),
			     2);
	bed_read(g, 0, "data/none");
	bed_read(g, 0, "data");
	bed_op(g, 77, 0, "", 0);
	control("stats", NULL, NULL);
	at = strstr(d0->reply, "\nREAD ");
	cr_assert_not_null(at, "%s", d0->reply);
	cr_assert_eq(sscanf(at, "\nREAD : %lu requests %lu", &more, &wrong), 2);
	cr_expect_eq(more, reads + 2);
	cr_expect_eq(wrong, errors + 1);
	cr_expect(strstr(d0->reply, "\n? "), "%s", d0->reply);
	cr_expect_eq(control("stats", "sideways", NULL), -EINVAL);
	cr_expect_eq(control("stats", "conns", "x"), -EINVAL);
	cr_expect_eq(bed_str(g, XS_CONTROL, 0, "stats", NULL), -EACCES);
}

/* More than an answer can hold: each is told once. */
Test(trace, many_connections_are_told_in_parts)
{
	enum { MANY = 150 };
	struct bed_client *c[MANY];
	unsigned int lines = 0;
	char after[32] = "0";
	const char *at;

	for (size_t i = 0; i < MANY; i++)
		c[i] = bed_dom0();
	for (int parts = 0; *after; parts++) {
		cr_assert_lt(parts, MANY);
		cr_assert_gt(control("stats", "conns", after), 0);
		after[0] = '\0';
		for (at = d0->reply; (at = strchr(at, '\n')); at++)
			lines += at[1] == 'A' || at[1] == 'D';
		at = strstr(d0->reply, "\nmore: stats conns ");
		if (at)
			sscanf(at, "\nmore: stats conns %31s", after);
	}
	/* Those of this test, and the bed's own. */
	cr_expect_eq(lines, MANY + 3);
	for (size_t i = 0; i < MANY; i++)
		bed_close(c[i]);
}
