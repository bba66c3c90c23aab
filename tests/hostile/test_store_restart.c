// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_store_restart.c - a real store is killed and started again.
#include <errno.h> /* before xs_wire.h: it lists only known errors */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/paths.h"
#include "base/sock.h"
#include "base/xs_wire.h"
#include "tests/lib/fini.h"
#include "tests/lib/patience.h"
#include "tests/lib/stack.h"
#include "tests/lib/xsguest.h"
#include "tools/xl_store.h"

#define NODES 100000u

static struct stack s;
static struct xs_handle *h;
static char journal[PATH_MAX];

static void setup(void)
{
	stack_start(&s, false);
	h = xs_open(0);
	cr_assert(h);
	stack_journal(journal);
}

static void teardown(void)
{
	xs_close(h);
	FINI_CHECK(stack_stop(&s));
}

TestSuite(store_restart, .init = setup, .fini = teardown, .timeout = 600);

/* Kill it, and start it again. */
static void restart(void)
{
	xs_close(h);
	stack_kill_store(&s);
	stack_start_store(&s);
	h = xs_open(0);
	cr_assert(h);
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

Test(store_restart, tree_permissions_and_limits)
{
	struct xs_permissions p[2] = { { 7, XS_PERM_NONE },
				       { 8, XS_PERM_READ } };
	char quota[] = "set\0nodes\0"
		       "77";
	struct xs_permissions *got;
	unsigned int n;

	cr_assert(xs_write(h, XBT_NULL, "/a/b/c", "1", 1));
	cr_assert(xs_write(h, XBT_NULL, "/a/b/d", "2", 1));
	cr_assert(xs_set_permissions(h, XBT_NULL, "/a/b", p, 2));
	cr_assert(xs_rm(h, XBT_NULL, "/a/b/c"));
	free(xs_control_command(h, "quota", quota, sizeof(quota)));
	for (int i = 0; i < 3; i++) {
		restart();
		cr_expect_str_eq(value("/a/b/d"), "2");
		cr_expect_str_eq(value("/a/b/c"), "<none>");
		got = xs_get_permissions(h, XBT_NULL, "/a/b", &n);
		cr_assert(got && n == 2);
		cr_expect_eq(got[0].id, 7u);
		cr_expect_eq(got[1].id, 8u);
		cr_expect_eq(got[1].perms, (unsigned int)XS_PERM_READ);
		free(got);
		cr_expect(consistent());
	}
	got = xs_get_permissions(h, XBT_NULL, "@releaseDomain", &n);
	cr_expect(got && n == 2);
	free(got);
}

/* What dom0 asks by a message that libxenstore does not know. */
static const char *told(uint32_t type, const char *a, const char *b,
			const char *c)
{
	const char *args[] = { a, b, c, NULL };
	static char reply[XL_STORE_REPLY];
	int ret = xl_store_talk(type, args, reply);

	return ret ? strerrorname_np(-ret) : reply;
}

static bool is_told(const char *what)
{
	return !strcmp(told(XS_CONTROL, "watches", "3", NULL), what);
}

/* What it asks may change nodes: a domain is not saved before all of that is taken. */
Test(store_restart, who_has_requests_that_wait_is_busy)
{
	struct xsguest *g = xsguest_new(h, 3);
	const struct xsd_sockmsg m = { .type = XS_RESET_WATCHES, .len = 1 };
	bool notify;

	cr_expect(is_told("idle\n"));
	cr_assert_eq(stream_write(&g->req, &m, sizeof(m), &notify), sizeof(m));
	cr_assert_eq(stream_write(&g->req, "", 1, &notify), 1);
	cr_expect(is_told("busy\n"), "nobody has looked yet");
	xsguest_kick(g);
	cr_expect(SOON(is_told("idle\n")), "the answer is in its ring");
	xsguest_free(g);
}

Test(store_restart, limits_and_features_of_domains)
{
	struct xsguest *early = xsguest_create(4), *g;
	int got = 0;

	cr_expect_str_eq(told(XS_SET_QUOTA, "4", "nodes", "40"), "OK");
	cr_expect_str_eq(told(XS_SET_FEATURE, "4", "4", NULL), "OK");
	g = xsguest_new(h, 3);
	cr_expect_str_eq(told(XS_SET_QUOTA, "3", "nodes", "3"), "OK");
	cr_expect_str_eq(told(XS_SET_QUOTA, "watches", "99", NULL), "OK");
	for (int i = 0; i < 3; i++) {
		restart();
		cr_expect_str_eq(told(XS_GET_QUOTA, "3", "nodes", NULL), "3");
		cr_expect_str_eq(told(XS_GET_QUOTA, "4", "nodes", NULL), "40");
		cr_expect_str_eq(told(XS_GET_FEATURE, "4", NULL, NULL), "4");
		cr_expect_str_eq(told(XS_GET_QUOTA, "watches", NULL, NULL),
				 "99");
		cr_expect_not(xs_is_domain_introduced(h, 4));
		cr_expect(xs_is_domain_introduced(h, 3));
	}
	for (int i = 0; i < 5; i++) {
		char path[16];

		snprintf(path, sizeof(path), "data/%d", i);
		got += xsguest_write(g, 0, path, "") >= 0;
	}
	cr_expect_eq(got, 2, "its home counts, too");
	cr_assert(xsguest_introduce(h, early));
	cr_expect_eq(early->page->server_features, 4);
	restart();
	cr_expect_str_eq(told(XS_GET_FEATURE, "4", NULL, NULL), "4");
	cr_expect_str_eq(told(XS_SET_FEATURE, "4", "1", NULL), "EBUSY");
	cr_expect_lt(xsguest_op(early, XS_WATCH, 0,
				"data\0t\0"
				"x",
				9),
		     0);
	/* Its VMM ends while there is no store. */
	xs_close(h);
	stack_kill_store(&s);
	xsguest_free(early);
	stack_start_store(&s);
	h = xs_open(0);
	cr_assert(h);
	early = xsguest_create(4);
	cr_expect_str_eq(told(XS_GET_QUOTA, "4", "nodes", NULL), "1000");
	cr_expect_str_eq(told(XS_GET_FEATURE, "4", NULL, NULL), "15");
	xsguest_free(early);
	xsguest_free(g);
	cr_expect(consistent());
}

/* A guest that began anew has nothing left of what was before, also afterwards. */
Test(store_restart, guest_begins_anew)
{
	struct xsguest *g = xsguest_new(h, 3);
	_Atomic uint32_t *word = (_Atomic uint32_t *)&g->page->connection;

	for (int i = 0; i < 5; i++) {
		unsigned int events;

		cr_assert_geq(xsguest_op(g, XS_WATCH, 0, "data\0t", 7), 0);
		if (i % 2) /* there is nobody to ask */
			stack_kill_store(&s);
		atomic_store(word, XENSTORE_RECONNECT);
		xsguest_kick(g);
		if (i % 2)
			stack_start_store(&s);
		cr_assert(SOON(atomic_load(word) == XENSTORE_CONNECTED));
		xsguest_attach(g);
		if (i % 2) {
			xs_close(h);
			h = xs_open(0);
			cr_assert(h);
		} else {
			restart();
		}
		events = g->events;
		cr_assert_geq(xsguest_write(g, 0, "data", "x"), 0);
		cr_expect_eq(g->events, events, "its watch is void");
	}
	xsguest_free(g);
	cr_expect(consistent());
}

/* A guest asks before and after, and hears of what it watches. */
Test(store_restart, guest_notices_nothing)
{
	struct xsguest *g = xsguest_new(h, 3);
	uint32_t tx;

	cr_assert_geq(xsguest_op(g, XS_WATCH, 0, "data\0t", 7), 0);
	for (int i = 0; i < 5; i++) {
		char text[16];
		unsigned int events;

		snprintf(text, sizeof(text), "%d", i);
		cr_assert_gt(xsguest_op(g, XS_TRANSACTION_START, 0, "", 1), 0);
		tx = (uint32_t)strtoul(g->reply, NULL, 10);
		cr_assert_geq(xsguest_write(g, tx, "data/t", "void"), 0);
		events = g->events;
		restart();
		cr_expect_geq(xsguest_write(g, tx, "data/t", "void"), 0);
		cr_expect_eq(xsguest_op(g, XS_TRANSACTION_END, tx, "T", 2),
			     -EAGAIN);
		cr_expect_eq(xsguest_str(g, XS_READ, 0, "data/t"), -ENOENT);
		cr_expect_geq(xsguest_write(g, 0, "data/x", text), 0);
		cr_expect_str_eq(value("/local/domain/3/data/x"), text);
		cr_expect(SOON((xsguest_take(g), g->events > events)));
		cr_expect(consistent());
	}
	xsguest_free(g);
}

/* It was told so by nobody: the domain ended while there was no store. */
Test(store_restart, domain_ends_meanwhile)
{
	struct xsguest *g = xsguest_new(h, 3), *other = xsguest_new(h, 4);
	struct xs_permissions p[2] = { { 0, XS_PERM_NONE },
				       { 3, XS_PERM_READ } };

	cr_assert(xs_write(h, XBT_NULL, "/secret", "s", 1));
	cr_assert(xs_set_permissions(h, XBT_NULL, "/secret", p, 2));
	cr_expect_geq(xsguest_str(g, XS_READ, 0, "/secret"), 0);
	cr_assert_geq(xsguest_op(other, XS_WATCH, 0, "@releaseDomain\0t", 17),
		      0);
	cr_assert(SOON((xsguest_take(other), other->events == 1)));
	xs_close(h);
	stack_kill_store(&s);
	xsguest_free(g);
	stack_start_store(&s);
	h = xs_open(0);
	cr_assert(SOON((xsguest_take(other), other->events == 2)));
	cr_expect_str_eq(value("/local/domain/3/data"), "<none>");
	cr_expect_not(xs_is_domain_introduced(h, 3));
	cr_expect(xs_is_domain_introduced(h, 4));
	restart();
	g = xsguest_new(h, 3);
	cr_expect_eq(xsguest_str(g, XS_READ, 0, "/secret"), -EACCES);
	cr_expect(consistent());
	xsguest_free(g);
	xsguest_free(other);
}

/* Indices are judged anew: what it writes while nobody looks is its own loss. */
Test(store_restart, rings_that_lie)
{
	static const struct {
		uint32_t req_prod, req_cons, rsp_prod, rsp_cons;
		bool harmless;
	} lies[] = {
		{ .rsp_prod = 1 },
		{ .rsp_prod = 1024 },
		{ .rsp_prod = UINT32_MAX },
		{ .req_prod = 1025 },
		{ .req_prod = UINT32_MAX },
		{ .rsp_cons = 1, .rsp_prod = 1 },
		{ .req_cons = 77, .harmless = true },
		{ .req_cons = UINT32_MAX, .harmless = true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct xsguest *g = xsguest_new(h, 3);

		cr_expect_geq(xsguest_str(g, XS_READ, 0, "data"), 0);
		xs_close(h);
		stack_kill_store(&s);
		g->page->req_prod += lies[i].req_prod;
		g->page->req_cons += lies[i].req_cons;
		g->page->rsp_prod += lies[i].rsp_prod;
		g->page->rsp_cons += lies[i].rsp_cons;
		stack_start_store(&s);
		h = xs_open(0);
		cr_assert(h);
		if (lies[i].harmless)
			cr_expect_geq(xsguest_str(g, XS_READ, 0, "data"), 0,
				      "lie %zu", i);
		else
			cr_expect(SOON(g->page->error ==
				       XENSTORE_ERROR_RINGIDX),
				  "lie %zu", i);
		cr_expect(xs_is_domain_introduced(h, 3));
		/* Also over one more death. */
		restart();
		cr_assert(xsguest_introduce(h, g));
		cr_expect_geq(xsguest_str(g, XS_READ, 0, "data"), 0);
		cr_expect(consistent());
		xsguest_free(g);
		cr_expect(SOON(!xs_is_domain_introduced(h, 3)));
	}
}

/* It has had answers, takes one more request, and breaks its ring in one turn. */
Test(store_restart, ring_was_broken_before)
{
	struct xsguest *g = xsguest_new(h, 3);
	struct xsd_sockmsg bad = { .type = XS_READ, .len = 5000 };
	char both[2 * sizeof(bad) + 5];
	bool notify = false;

	for (int i = 0; i < 5; i++)
		cr_expect_geq(xsguest_str(g, XS_READ, 0, "data"), 0);
	memcpy(both + sizeof(bad) + 5, &bad, sizeof(bad));
	bad.len = 5;
	memcpy(both, &bad, sizeof(bad));
	memcpy(both + sizeof(bad), "data", 5);
	cr_assert_eq(stream_write(&g->req, both, sizeof(both), &notify),
		     (int)sizeof(both));
	xsguest_kick(g);
	cr_assert(SOON(g->page->error == XENSTORE_ERROR_PROTO));
	for (int i = 0; i < 3; i++) {
		restart();
		cr_expect(xs_is_domain_introduced(h, 3));
		cr_expect(consistent());
	}
	cr_expect_eq(stack_logged("contradicts itself"), 0u);
	cr_assert(xsguest_introduce(h, g));
	cr_expect_geq(xsguest_str(g, XS_READ, 0, "data"), 0);
	xsguest_free(g);
}

/* A VMM that does not answer is not dead; it is asked again. */
Test(store_restart, vmm_is_silent)
{
	struct xsguest *g = xsguest_new(h, 3), *other = xsguest_new(h, 4);
	char dir[PATH_MAX];
	int fd;

	xs_close(h);
	stack_kill_store(&s);
	xsguest_free(g);
	cr_assert_eq(paths_mkdir(paths_dom(dir, 3, "")), 0);
	fd = fakedom_listen(3);
	cr_assert_geq(fd, 0);
	stack_start_store(&s);
	h = xs_open(0);
	cr_assert(h);
	cr_expect_eq(stack_logged("dom3: cannot be served"), 1u);
	cr_expect(xs_is_domain_introduced(h, 3));
	cr_expect_str_eq(value("/local/domain/3/data"), "");
	cr_expect_geq(xsguest_str(other, XS_READ, 0, "data"), 0);
	close(fd);
	cr_expect(SOON(!xs_is_domain_introduced(h, 3)));
	cr_expect_str_eq(value("/local/domain/3/data"), "<none>");
	xsguest_free(other);
}

/* So many dead bytes, or such, at the file's end. */
static void damage(off_t from_end, bool cut)
{
	int fd = open(journal, O_RDWR);
	struct stat st;
	char c;

	cr_assert(fd >= 0 && !fstat(fd, &st));
	if (cut) {
		cr_assert_eq(ftruncate(fd, st.st_size - from_end), 0);
	} else {
		cr_assert_eq(pread(fd, &c, 1, st.st_size - from_end), 1);
		c ^= 4;
		cr_assert_eq(pwrite(fd, &c, 1, st.st_size - from_end), 1);
	}
	close(fd);
}

static void kill_and_damage(off_t from_end, bool cut)
{
	xs_close(h);
	stack_kill_store(&s);
	damage(from_end, cut);
	stack_start_store(&s);
	h = xs_open(0);
}

Test(store_restart, end_of_the_file_is_torn_or_damaged)
{
	char aside[PATH_MAX + 16];

	for (int i = 0; i < 8; i++) {
		cr_assert(xs_write(h, XBT_NULL, "/a", "old", 3));
		cr_assert(xs_write(h, XBT_NULL, "/b", "new", 3));
		kill_and_damage(1 + i, i % 2);
		cr_expect_str_eq(value("/a"), "old");
		cr_expect_str_eq(value("/b"), i ? "was" : "<none>");
		cr_assert(xs_write(h, XBT_NULL, "/b", "was", 3));
	}
	cr_expect_eq(
		stack_logged("a part of a change of which nobody was told"),
		4u);
	cr_expect_eq(stack_logged("damaged at byte"), 4u);
	snprintf(aside, sizeof(aside), "%s.damaged", journal);
	cr_expect_eq(access(aside, F_OK), 0);
}

static uint64_t cpu_ns(pid_t pid)
{
	unsigned long long ns = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
	f = fopen(path, "r");
	cr_assert(f && fscanf(f, "%llu", &ns) == 1);
	fclose(f);
	return ns;
}

/* By its own time, whatever else the machine does. */
Test(store_restart, starts_with_100000_nodes)
{
	struct stat st;
	char path[64];

	for (unsigned int i = 0; i < NODES - 1000; i++) {
		snprintf(path, sizeof(path), "/t/%u/%u/%u", i / 1000,
			 i / 10 % 100, i % 10);
		cr_assert(xs_write(h, XBT_NULL, path, "value", 5));
	}
	restart();
	fprintf(stderr, "# started with %u nodes after %llu ms of CPU time\n",
		NODES, (unsigned long long)cpu_ns(s.xenstored) / 1000000);
	if (!SANITIZED)
		cr_expect_lt(cpu_ns(s.xenstored), 1000000000u);
	cr_expect_str_eq(value("/t/98/99/9"), "value");
	cr_assert_eq(stat(journal, &st), 0);
	fprintf(stderr, "# journal: %lld bytes\n", (long long)st.st_size);
	cr_expect_lt(st.st_size, (off_t)NODES * 100);
}

Test(store_restart, another_version_is_refused)
{
	int fd;

	xs_close(h);
	stack_kill_store(&s);
	fd = open(journal, O_WRONLY);
	cr_assert(fd >= 0 && pwrite(fd, "\377", 1, 8) == 1);
	close(fd);
	cr_expect_eq(stack_run("sv-xenstored", NULL), 1);
	cr_expect_eq(stack_logged("cannot be used"), 1u);
	cr_assert_eq(unlink(journal), 0);
	stack_start_store(&s);
	h = xs_open(0);
	cr_expect_str_eq(value("/tool/xenstored"), "");
}
