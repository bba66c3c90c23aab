// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_store_update.c - a real store is updated while it serves.
#include <errno.h> /* before xs_wire.h: it lists only known errors */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/fd.h"
#include "base/paths.h"
#include "base/sock.h"
#include "tests/lib/fini.h"
#include "tests/lib/patience.h"
#include "tests/lib/proc.h"
#include "tests/lib/stack.h"
#include "tests/lib/xsguest.h"

#define HDR sizeof(struct xsd_sockmsg)

static struct stack s;
static struct xs_handle *h;
static char store[PATH_MAX];

/* Each update makes a grandchild, which is to be ours. */
static void setup(void)
{
	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	/* Where a keeper executes what it is told. */
	stack_store_option = "--no-sandbox";
	stack_start(&s, false);
	h = xs_open(0);
	cr_assert(h);
	stack_program(store, "sv-xenstored");
}

static void teardown(void)
{
	xs_close(h);
	FINI_CHECK(stack_stop(&s));
}

TestSuite(store_update, .init = setup, .fini = teardown, .timeout = 300);

/* ---- A client whose every byte is the test's ---------------------------- */

struct client {
	int fd;
	struct xsd_sockmsg head; /* of the last message */
	char body[XENSTORE_PAYLOAD_MAX + 1];
};

static void come(struct client *c)
{
	c->fd = sock_connect(paths_store(), SOCK_STREAM);
	cr_assert_geq(c->fd, 0);
}

static void say(struct client *c, const void *data, size_t len)
{
	cr_assert_eq(fd_write_all(c->fd, data, len), 0);
}

static size_t make(char *to, uint32_t type, uint32_t tx, uint32_t id,
		   const void *data, size_t len)
{
	struct xsd_sockmsg m = {
		.type = type, .req_id = id, .tx_id = tx, .len = (uint32_t)len
	};

	memcpy(to, &m, HDR);
	memcpy(to + HDR, data, len);
	return HDR + len;
}

static void ask(struct client *c, uint32_t type, uint32_t tx, const void *data,
		size_t len)
{
	char m[HDR + XENSTORE_PAYLOAD_MAX];

	say(c, m, make(m, type, tx, 7, data, len));
}

static bool readable(struct client *c, int ms)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

/* Take one message; Return: its type. */
static uint32_t hear(struct client *c)
{
	cr_assert(readable(c, PATIENCE_MS), "no answer");
	cr_assert_eq(fd_read_all(c->fd, &c->head, HDR), 0);
	cr_assert_leq(c->head.len, XENSTORE_PAYLOAD_MAX);
	cr_assert_eq(fd_read_all(c->fd, c->body, c->head.len), 0);
	c->body[c->head.len] = '\0';
	return c->head.type;
}

static const char *op(struct client *c, uint32_t type, uint32_t tx,
		      const void *data, size_t len)
{
	ask(c, type, tx, data, len);
	while (hear(c) == XS_WATCH_EVENT)
		;
	return c->body;
}

static uint32_t begin(struct client *c)
{
	return (uint32_t)strtoul(op(c, XS_TRANSACTION_START, 0, "", 1), NULL,
				 10);
}

/* ---- What it is told ---------------------------------------------------- */

/* CONTROL live-update with arguments, which NULL ends. */
static void order(struct client *c, const char *arg, ...)
{
	char text[2048] = "live-update";
	size_t len = strlen(text) + 1;
	va_list ap;

	va_start(ap, arg);
	for (; arg; arg = va_arg(ap, const char *)) {
		memcpy(text + len, arg, strlen(arg) + 1);
		len += strlen(arg) + 1;
	}
	va_end(ap);
	ask(c, XS_CONTROL, 0, text, len);
}

static const char *answer(struct client *c)
{
	hear(c);
	return c->body;
}

#define ORDER(c, ...) (order(c, __VA_ARGS__, NULL), answer(c))

static bool find_child(void)
{
	char command[64], line[16] = "";
	bool found;
	FILE *f;

	snprintf(command, sizeof(command), "pgrep -x sv-xenstored -P %d",
		 (int)getpid());
	f = popen(command, "r");
	found = f && fgets(line, sizeof(line), f);
	if (f)
		pclose(f);
	if (found)
		s.xenstored = atoi(line);
	return found;
}

/*
 * The child that is the store now, after another update; the one before ended.  It is
 * our child when the keeper that has started it has ended, too.
 */
static void follow(void)
{
	int status;

	cr_assert_eq(waitpid(s.xenstored, &status, 0), s.xenstored);
	cr_expect_eq(status, 0);
	cr_assert(SOON(find_child()), "no other store");
}

/* By a client of its own, as xenstore-control does it. */
static const char *update(const char *program, bool force)
{
	static struct client c;

	come(&c);
	if (strcmp(ORDER(&c, "-f", program), "OK") != 0)
		;
	else if (force)
		(void)ORDER(&c, "-s", "-t", "0", "-F");
	else
		(void)ORDER(&c, "-s", "-t", "60");
	close(c.fd);
	if (!strcmp(c.body, "OK"))
		follow();
	return c.body;
}

static const char *value(const char *path)
{
	static char text[64];
	unsigned int len;
	char *v = xs_read(h, XBT_NULL, path, &len);

	snprintf(text, sizeof(text), "%s", v ? v : "<none>");
	free(v);
	return text;
}

static bool consistent(void)
{
	char *text = xs_control_command(h, "check", NULL, 0);
	bool fine = text && !strcmp(text, "OK");

	free(text);
	return fine;
}

/* A line of CONTROL memreport. */
static unsigned long count(const char *what)
{
	char *text = xs_control_command(h, "memreport", NULL, 0);
	const char *at = text ? strstr(text, what) : NULL;
	unsigned long n;

	cr_assert(at);
	n = strtoul(strchr(at, ':') + 1, NULL, 10);
	free(text);
	return n;
}

/* ---- All goes on -------------------------------------------------------- */

Test(store_update, watches_and_half_a_request)
{
	unsigned long others = count("connections");
	struct client watcher, half, writer;
	char m[64];
	size_t len;

	come(&watcher);
	come(&half);
	come(&writer);
	cr_expect_str_eq(op(&watcher, XS_WATCH, 0, "/w\0token", 9), "OK");
	while (readable(&watcher, 0))
		hear(&watcher);
	len = make(m, XS_WRITE, 0, 1, "/half\0value", 11);
	for (size_t i = 1; i < len; i += 3) {
		say(&half, m, i);
		cr_assert_str_eq(update(store, true), "OK");
		cr_expect_str_eq(value("/half"), "<none>");
		say(&half, m + i, len - i);
		cr_expect_str_eq(answer(&half), "OK");
		cr_expect_eq(half.head.req_id, 1u);
		cr_expect_str_eq(value("/half"), "value");
		cr_assert(xs_rm(h, XBT_NULL, "/half"));
		/* An event, once, and the watch is still the same. */
		cr_expect_str_eq(op(&writer, XS_WRITE, 0, "/w/a\0x", 6), "OK");
		cr_assert_eq(hear(&watcher), (uint32_t)XS_WATCH_EVENT);
		cr_expect_eq(watcher.head.len, 11u);
		cr_expect_arr_eq(watcher.body, "/w/a\0token", 11);
		cr_expect_str_eq(op(&watcher, XS_WATCH, 0, "/w\0token", 9),
				 "EEXIST");
	}
	cr_expect_str_eq(op(&watcher, XS_UNWATCH, 0, "/w\0token", 9), "OK");
	cr_expect(consistent());
	close(watcher.fd);
	close(half.fd);
	close(writer.fd);
	cr_expect(SOON(count("connections") == others));
}

/* More than a socket takes: the store keeps the rest, in the middle of one. */
Test(store_update, answers_that_were_not_read)
{
	static char big[4000], all[300 * 64];
	struct client c;
	size_t len = 0;

	memset(big, 'b', sizeof(big));
	cr_assert(xs_write(h, XBT_NULL, "/big", big, sizeof(big)));
	come(&c);
	for (uint32_t i = 0; i < 300; i++)
		len += make(all + len, XS_READ, 0, i, "/big", 5);
	say(&c, all, len);
	cr_assert(SOON(count("unread bytes") > 200000));
	for (uint32_t i = 0; i < 300; i++) {
		if (i % 30 == 0)
			cr_assert_str_eq(update(store, true), "OK");
		cr_assert_eq(hear(&c), (uint32_t)XS_READ);
		cr_expect_eq(c.head.req_id, i);
		cr_expect_eq(c.head.len, sizeof(big));
		cr_expect_arr_eq(c.body, big, sizeof(big));
	}
	cr_expect_not(readable(&c, 0));
	close(c.fd);
}

/* Nothing is left over from one to the next. */
Test(store_update, many_times)
{
	unsigned long others = count("connections");
	unsigned int fds;

	cr_assert_str_eq(update(store, true), "OK");
	cr_assert(SOON(count("connections") == others));
	fds = proc_fds(s.xenstored);
	for (int i = 0; i < 20; i++)
		cr_assert_str_eq(update(store, true), "OK");
	cr_assert(SOON(count("connections") == others));
	cr_expect_eq(proc_fds(s.xenstored), fds);
	cr_expect_eq(stack_logged("live update: done"), 21u);
}

/* A guest and a client of dom0, each with transactions. */
Test(store_update, neighbours_notice_nothing)
{
	struct neighbour n = { 0 };

	neighbour_start(&n, 2);
	for (int i = 0; i < 20; i++) {
		unsigned int rounds = n.rounds;

		cr_assert_str_eq(update(store, false), "OK");
		cr_assert(SOON(n.rounds > rounds));
	}
	neighbour_stop(&n);
	fprintf(stderr, "# 20 updates, %u rounds, the longest %u ms\n",
		(unsigned int)n.rounds, (unsigned int)n.worst_ms);
	cr_expect_eq(n.errors, 0u);
	cr_expect(consistent());
}

Test(store_update, guest_goes_on)
{
	struct xsguest *g = xsguest_new(h, 3);
	uint32_t tx;

	cr_assert_geq(xsguest_op(g, XS_WATCH, 0, "data\0t", 7), 0);
	for (int i = 0; i < 10; i++) {
		unsigned int events;

		cr_assert_gt(xsguest_op(g, XS_TRANSACTION_START, 0, "", 1), 0);
		tx = (uint32_t)strtoul(g->reply, NULL, 10);
		cr_assert_geq(xsguest_write(g, tx, "data/t", "void"), 0);
		events = g->events;
		cr_assert_str_eq(update(store, true), "OK");
		cr_expect_eq(xsguest_op(g, XS_TRANSACTION_END, tx, "T", 2),
			     -EAGAIN);
		cr_expect_geq(xsguest_write(g, 0, "data/x", "1"), 0);
		cr_expect(SOON((xsguest_take(g), g->events > events)));
	}
	cr_expect(consistent());
	xsguest_free(g);
}

/* ---- Transactions ------------------------------------------------------- */

Test(store_update, transactions_end_first_or_fail)
{
	struct client who, tx;
	uint32_t id;

	come(&who);
	come(&tx);
	id = begin(&tx);
	cr_expect_str_eq(op(&tx, XS_WRITE, id, "/t\0v", 4), "OK");
	/* In time or not at all. */
	cr_expect_str_eq(ORDER(&who, "-f", store), "OK");
	cr_expect(strstr(ORDER(&who, "-s", "-t", "1"), "Domain 0"));
	cr_expect_eq(stack_logged("goes on"), 0u);
	cr_expect_str_eq(op(&tx, XS_TRANSACTION_END, id, "T", 2), "OK");
	cr_expect_str_eq(value("/t"), "v");
	/* It ends meanwhile. */
	id = begin(&tx);
	cr_expect_str_eq(op(&tx, XS_WRITE, id, "/t\0w", 4), "OK");
	cr_expect_str_eq(ORDER(&who, "-f", store), "OK");
	order(&who, "-s", "-t", "600", NULL);
	cr_expect_not(readable(&who, 200));
	cr_expect_str_eq(op(&tx, XS_TRANSACTION_END, id, "T", 2), "OK");
	cr_expect_str_eq(answer(&who), "OK");
	follow();
	cr_expect_str_eq(value("/t"), "w");
	/* It is not waited for, and fails for that. */
	id = begin(&tx);
	cr_expect_str_eq(op(&tx, XS_WRITE, id, "/t\0x", 4), "OK");
	cr_expect_str_eq(ORDER(&who, "-f", store), "OK");
	cr_expect_str_eq(ORDER(&who, "-s", "-F"), "OK");
	follow();
	cr_expect_str_eq(op(&tx, XS_READ, id, "/t", 3), "w");
	cr_expect_str_eq(op(&tx, XS_TRANSACTION_END, id, "T", 2), "EAGAIN");
	cr_expect_str_eq(value("/t"), "w");
	cr_expect_eq(stack_logged("live update: done"), 2u);
	close(who.fd);
	close(tx.fd);
}

/* There is always one open, but that new ones wait. */
Test(store_update, transactions_without_a_gap)
{
	struct client who, c[2];
	uint32_t id;
	int i = 0;

	come(&who);
	come(&c[0]);
	come(&c[1]);
	cr_expect_str_eq(ORDER(&who, "-f", store), "OK");
	id = begin(&c[0]);
	order(&who, "-s", "-t", "20", NULL);
	while (!readable(&who, 0)) {
		/* The one's begins before the other's ends. */
		ask(&c[!i], XS_TRANSACTION_START, 0, "", 1);
		usleep(1000);
		cr_assert_str_eq(op(&c[i], XS_TRANSACTION_END, id, "T", 2),
				 "OK");
		i = !i;
		cr_assert_eq(hear(&c[i]), (uint32_t)XS_TRANSACTION_START);
		id = (uint32_t)strtoul(c[i].body, NULL, 10);
	}
	cr_expect_str_eq(answer(&who), "OK");
	follow();
	cr_expect_str_eq(op(&c[i], XS_TRANSACTION_END, id, "T", 2), "OK");
	close(who.fd);
	close(c[0].fd);
	close(c[1].fd);
}

/* ---- Programs that are none --------------------------------------------- */

/* A script in the run directory; Return: its path. */
static const char *script(const char *text)
{
	static char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/program", paths_run());
	unlink(path);
	f = fopen(path, "w");
	cr_assert(f);
	fprintf(f, "#!/bin/sh\n%s\n", text);
	fclose(f);
	cr_assert_eq(chmod(path, 0755), 0);
	return path;
}

static const char *in_run_dir(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", paths_run(), name);
	return path;
}

static pid_t pid_in(const char *name)
{
	FILE *f = fopen(in_run_dir(name), "r");
	char pid[16] = "";

	cr_assert(f && fgets(pid, sizeof(pid), f));
	fclose(f);
	return atoi(pid);
}

static bool there(const char *name)
{
	return !access(in_run_dir(name), F_OK);
}

Test(store_update, programs_that_cannot_go_on)
{
	static const struct {
		const char *program, *said;
	} no[] = {
		{ "/no/such", "No such file" },
		{ "sv-xenstored", "begin with '/'" },
		{ "/etc", "Permission denied" },
		{ "/etc/passwd", "Permission denied" },
		{ "/bin/false", "said nothing" },
		{ "/bin/true", "said nothing" },
		{ "/bin/echo", "--check" },
	};
	static const char *const scripts[] = {
		"kill -9 $$",
		"yes sv-xenstored",
		"echo 'sv-xenstored can go on'; echo no",
		"exec 1>&- 2>&-; sleep 1000",
	};
	struct client c;

	come(&c);
	cr_expect_str_eq(op(&c, XS_WATCH, 0, "/w\0t", 5), "OK");
	cr_expect_eq(hear(&c), (uint32_t)XS_WATCH_EVENT);
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		cr_expect(strstr(update(no[i].program, true), no[i].said), "%s",
			  no[i].program);
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
		cr_expect(strstr(update(script(scripts[i]), true),
				 "cannot go on"),
			  "%s", scripts[i]);
	cr_expect_str_eq(ORDER(&c, "-f", store), "OK");
	cr_expect_str_eq(ORDER(&c, "-c", "--no-such-option"), "OK");
	cr_expect(strstr(ORDER(&c, "-s"), "no-such-option"));
	cr_expect_eq(stack_logged("live update: done"), 0u);
	cr_expect_str_eq(op(&c, XS_UNWATCH, 0, "/w\0t", 5), "OK");
	/* And one that can. */
	cr_expect_str_eq(update(store, true), "OK");
	close(c.fd);
}

/* Nobody waits for it, and it does not stay. */
Test(store_update, program_that_says_nothing)
{
	struct client who, other;
	pid_t pid;

	come(&who);
	come(&other);
	cr_expect_str_eq(ORDER(&who, "-f",
			       script("echo $$ >$0.pid.new; "
				      "mv $0.pid.new $0.pid; "
				      "exec sleep 1000")),
			 "OK");
	order(&who, "-s", NULL);
	cr_assert(SOON(there("program.pid")));
	cr_expect_str_eq(value("/tool/xenstored"), "");
	cr_expect(strstr(ORDER(&other, "-f", store), "Another"));
	cr_expect_not(readable(&who, 0));
	cr_expect_str_eq(ORDER(&other, "-a"), "OK");
	cr_expect(strstr(answer(&who), "given up"));
	pid = pid_in("program.pid");
	cr_expect(SOON(kill(pid, 0) && errno == ESRCH));
	/* Also if who asked goes away, or patience ends. */
	cr_expect_str_eq(ORDER(&who, "-f", in_run_dir("program")), "OK");
	order(&who, "-s", NULL);
	close(who.fd);
	cr_expect(SOON(stack_logged("has gone") == 1));
	cr_expect_str_eq(ORDER(&other, "-f", in_run_dir("program")), "OK");
	cr_expect(strstr(ORDER(&other, "-s"), "within 10 s"));
	close(other.fd);
}

static bool trace_has(const char *text)
{
	static char log[65536];
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s.d/access.log", paths_store());
	f = fopen(path, "r");
	log[f ? fread(log, 1, sizeof(log) - 1, f) : 0] = '\0';
	if (f)
		fclose(f);
	return strstr(log, text);
}

Test(store_update, orders_of_wrong_form)
{
	struct client c, other;
	unsigned long all;

	come(&c);
	come(&other);
	cr_expect_str_eq(ORDER(&c, "-x"), "EINVAL");
	cr_expect_str_eq(ORDER(&c, "-f"), "EINVAL");
	cr_expect_str_eq(ORDER(&c, "-f", "/a", "/b"), "EINVAL");
	cr_expect_str_eq(ORDER(&c, "-a", "x"), "EINVAL");
	cr_expect(strstr(ORDER(&c, "-a"), "no live update"));
	cr_expect(strstr(ORDER(&c, "-s"), "first"));
	cr_expect(strstr(ORDER(&c, "-c", "x"), "first"));
	cr_expect_str_eq(ORDER(&c, "-f", store), "OK");
	cr_expect_str_eq(ORDER(&c, "-s", "-t"), "EINVAL");
	cr_expect_str_eq(ORDER(&c, "-s", "-t", "99999"), "EINVAL");
	cr_expect_str_eq(ORDER(&c, "-s", "-Q"), "EINVAL");
	cr_expect(strstr(ORDER(&other, "-s"), "first"));
	cr_expect(strstr(ORDER(&other, "-f", store), "Another"));
	all = count("connections");
	/* What was named by who has gone does not stand in the way. */
	close(c.fd);
	cr_assert(SOON(count("connections") < all));
	cr_expect_str_eq(ORDER(&other, "-f", store), "OK");
	cr_expect_str_eq(ORDER(&other, "-c", " --trace  --foreground "), "OK");
	cr_expect_str_eq(ORDER(&other, "-s"), "OK");
	follow();
	cr_expect_geq(stack_logged("live update: done"), 1u);
	cr_expect_str_eq(value("/tool/xenstored"), "");
	cr_expect(SOON(trace_has("READ /tool/xenstored")));
	close(other.fd);
}

/* It is refused before anything is given up. */
Test(store_update, journal_of_another_version)
{
	char journal[PATH_MAX];
	uint32_t was, other = 77;
	int fd;

	stack_journal(journal);
	fd = open(journal, O_RDWR);
	cr_assert(fd >= 0 && pread(fd, &was, 4, 8) == 4);
	cr_assert_eq(pwrite(fd, &other, 4, 8), 4);
	cr_expect(strstr(update(store, true), "cannot be used"));
	cr_assert_eq(pwrite(fd, &was, 4, 8), 4);
	cr_expect_str_eq(update(store, true), "OK");
	close(fd);
}

/* ---- Between the one and the other -------------------------------------- */

#define UNTIL_GO "until [ -e $0.go ]; do sleep 0.01; done"

/* A program that does something else first, once it has all. */
static void update_slowly(struct client *who, const char *till)
{
	char text[PATH_MAX + 200];

	snprintf(text, sizeof(text),
		 "case \"$*\" in *--check) ;; "
		 "*) echo $$ >$0.new; mv $0.new $0.here; %s;; esac\n"
		 "exec %s \"$@\"",
		 till, store);
	come(who);
	cr_assert_str_eq(ORDER(who, "-f", script(text)), "OK");
	order(who, "-s", NULL);
	cr_assert(SOON(there("program.here")));
}

Test(store_update, what_happens_meanwhile)
{
	struct client who, before, after;
	struct xsguest *g = xsguest_new(h, 3), *stays = xsguest_new(h, 4);
	unsigned int seen = 0;
	int go;

	come(&before);
	cr_expect_str_eq(op(&before, XS_WATCH, 0, "@releaseDomain\0t", 17),
			 "OK");
	while (readable(&before, 0))
		hear(&before);
	cr_expect_geq(xsguest_str(stays, XS_READ, 0, "data"), 0);
	update_slowly(&who, UNTIL_GO);
	/* Clients come and ask, a guest asks, and a domain ends. */
	come(&after);
	ask(&after, XS_READ, 0, "/local/domain/4/data", 21);
	ask(&before, XS_WRITE, 0, "/m\0eanwhile", 11);
	cr_assert(xsguest_put(stays, XS_READ, 0, "data", 5));
	xsguest_free(g);
	go = open(in_run_dir("program.go"), O_CREAT | O_WRONLY, 0600);
	cr_assert_geq(go, 0);
	close(go);
	cr_expect_str_eq(answer(&who), "OK");
	follow();
	cr_expect_eq(hear(&after), (uint32_t)XS_READ);
	cr_expect(SOON(xsguest_take(stays) == 1));
	for (int i = 0; i < 2; i++)
		seen |= hear(&before) == XS_WATCH_EVENT ? 1 : 2;
	cr_expect_eq(seen, 3u);
	cr_expect_str_eq(value("/m"), "eanwhile");
	cr_expect_str_eq(value("/local/domain/3/data"), "<none>");
	cr_expect(consistent());
	xsguest_free(stays);
	close(who.fd);
	close(before.fd);
	close(after.fd);
}

/* The old store is killed when the new one begins: that has all. */
Test(store_update, store_that_dies_meanwhile)
{
	struct client who, c;
	int go;

	come(&c);
	cr_expect_str_eq(op(&c, XS_WATCH, 0, "/w\0t", 5), "OK");
	cr_expect_eq(hear(&c), (uint32_t)XS_WATCH_EVENT);
	update_slowly(&who, UNTIL_GO);
	cr_assert_eq(kill(s.xenstored, SIGKILL), 0);
	cr_assert_eq(waitpid(s.xenstored, NULL, 0), s.xenstored);
	s.xenstored = pid_in("program.here");
	go = open(in_run_dir("program.go"), O_CREAT | O_WRONLY, 0600);
	cr_assert_geq(go, 0);
	close(go);
	cr_expect_str_eq(answer(&who), "OK");
	cr_expect(xs_write(h, XBT_NULL, "/w", "1", 1));
	cr_expect_eq(hear(&c), (uint32_t)XS_WATCH_EVENT);
	cr_expect(consistent());
	close(c.fd);
	close(who.fd);
}

/* It dies after all, or waits for ever: the old one goes on, with all it has. */
Test(store_update, program_that_fails_meanwhile)
{
	struct xsguest *g = xsguest_new(h, 3);
	struct client who, c;
	pid_t pid;

	come(&c);
	cr_expect_str_eq(op(&c, XS_WATCH, 0, "/w\0t", 5), "OK");
	cr_expect_eq(hear(&c), (uint32_t)XS_WATCH_EVENT);
	for (int i = 0; i < 2; i++) {
		update_slowly(&who, "exec sleep 1000");
		pid = pid_in("program.here");
		if (!i)
			cr_assert_eq(kill(pid, SIGKILL), 0);
		cr_expect(strstr(answer(&who),
				 i ? "not ready within" : "ended while"),
			  "%s", who.body);
		cr_expect(SOON(kill(pid, 0) && errno == ESRCH));
		cr_expect_geq(xsguest_str(g, XS_READ, 0, "data"), 0);
		cr_expect(xs_write(h, XBT_NULL, "/w", "1", 1));
		cr_expect_eq(hear(&c), (uint32_t)XS_WATCH_EVENT);
		cr_assert_eq(unlink(in_run_dir("program.here")), 0);
		close(who.fd);
	}
	cr_expect_str_eq(update(store, true), "OK");
	cr_expect_geq(xsguest_str(g, XS_READ, 0, "data"), 0);
	cr_expect(consistent());
	xsguest_free(g);
	close(c.fd);
}
