// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_store_daemon.c - guests that attack a real sv-xenstored.
//
// While each attack goes on a neighbour, a guest and a dom0 client, does checked
// work: no wrong answer, and its rounds of six requests take little longer than
// before.  What the attacks ask of the store's rules one by one is in
// test_store_peer.c.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <criterion/criterion.h>

#include "base/paths.h"
#include "base/sock.h"
#include "base/util.h"
#include "tests/lib/fini.h"
#include "tests/lib/patience.h"
#include "tests/lib/proc.h"
#include "tests/lib/xsguest.h"

#define SCALE(n)  (SANITIZED ? (n) / 5 : (n))
#define STACK_KIB (SANITIZED ? 1024 : 64)

#define FIRST 10 /* domid of the first attacker */

static struct xsbed b;

/* With little stack: no depth that a guest can choose may cost any. */
static void set_up(void)
{
	struct rlimit usual, small;

	getrlimit(RLIMIT_STACK, &usual);
	small = (struct rlimit){ STACK_KIB * 1024, usual.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_STACK, &small), 0);
	xsbed_start(&b);
	cr_assert_eq(setrlimit(RLIMIT_STACK, &usual), 0);
}

static void tear_down(void)
{
	FINI_CHECK(xsbed_stop(&b, 20000));
}

TestSuite(store_daemon, .init = set_up, .fini = tear_down, .timeout = 300);

static uint64_t in_ms(unsigned int ms)
{
	return util_clock_ns() + ms * 1000000ull;
}

/* What is made of heap and tables may grow once, but not with every turn. */
#define SLACK_KIB 256

static bool memory_is_as(unsigned long long before_kib,
			 unsigned long long more_kib)
{
	unsigned long long now = xsbed_rss_kib(&b);

	if (SANITIZED) /* keeps what was freed */
		return true;
	if (now > before_kib + more_kib)
		fprintf(stderr, "# %llu KiB, then %llu\n", before_kib, now);
	return now <= before_kib + more_kib;
}

/* ---- Broken rings ------------------------------------------------------- */

static const struct {
	const char *name;
	uint32_t prod;	  /* req_prod - req_cons */
	uint32_t len;	  /* of the message at the front */
	uint32_t rsp_off; /* rsp_cons is set that far before rsp_prod */
	uint32_t error;
} lies[] = {
	{ "2^31 ahead", 1u << 31, 0, 0, XENSTORE_ERROR_RINGIDX },
	{ "one past full", 1025, 0, 0, XENSTORE_ERROR_RINGIDX },
	{ "backwards", UINT32_MAX, 0, 0, XENSTORE_ERROR_RINGIDX },
	{ "answers ahead", 16, 0, UINT32_MAX, XENSTORE_ERROR_RINGIDX },
	{ "4097 bytes", 1024, 4097, 0, XENSTORE_ERROR_PROTO },
	{ "sign bit", 1024, 1u << 31, 0, XENSTORE_ERROR_PROTO },
	{ "all ones", 1024, UINT32_MAX, 0, XENSTORE_ERROR_PROTO },
	{ "all ones, half a ring", 512, UINT32_MAX, 0, XENSTORE_ERROR_PROTO },
};

static void tell_lie(struct xsguest *g, size_t i)
{
	struct xsd_sockmsg h = { .type = XS_TRANSACTION_START,
				 .len = lies[i].len };
	struct xenstore_domain_interface *p = g->page;

	for (size_t k = 0; k < sizeof(h); k++)
		p->req[(p->req_cons + k) % XENSTORE_RING_SIZE] =
			((char *)&h)[k];
	p->rsp_cons = p->rsp_prod - lies[i].rsp_off;
	p->req_prod = p->req_cons + lies[i].prod;
	/* What the store must not touch. */
	memset(p->rsp, 0xa5, sizeof(p->rsp));
	memset(p + 1, 0x5a, 4096 - sizeof(*p));
	xsguest_kick(g);
}

static void judge_lie(struct xsguest *g, size_t i)
{
	uint32_t answered = g->page->rsp_prod;
	const uint8_t *rest = (const void *)(g->page + 1);
	char line[32];

	(void)SOON(g->page->error);
	cr_expect_eq(g->page->error, lies[i].error, "%s: %u", lies[i].name,
		     g->page->error);
	cr_expect(fakedom_wait(g->dom, FAKEDOM_STORE_PORT, PATIENCE_MS),
		  "%s: no signal", lies[i].name);
	/* Repents, and is not heard. */
	g->page->req_prod = g->page->req_cons;
	g->page->rsp_cons = g->page->rsp_prod;
	xsguest_kick(g);
	cr_expect(xs_is_domain_introduced(b.h, g->domid));
	cr_expect_eq(g->page->rsp_prod, answered);
	for (size_t k = 0; k < sizeof(g->page->rsp); k++)
		cr_assert_eq((uint8_t)g->page->rsp[k], 0xa5);
	for (size_t k = 0; k < 4096 - sizeof(*g->page); k++)
		cr_assert_eq(rest[k], 0x5a);
	snprintf(line, sizeof(line), "dom%u: ", g->domid);
	cr_expect_eq(xsbed_logged(&b, line), 2, "%s: introduced, stopped",
		     lies[i].name);
}

static unsigned int releases(unsigned int wait_for)
{
	uint64_t end = in_ms(wait_for ? PATIENCE_MS : 200);
	unsigned int n = 0;

	while (util_clock_ns() < end && (!wait_for || n < wait_for)) {
		char **e = xs_check_watch(b.h);

		n += e != NULL;
		free(e);
		if (!e)
			usleep(1000);
	}
	return n;
}

/* XSA-38, XSA-420, XSA-325: told once, heard no more, and no death of a domain
 * until its VMM ends. */
Test(store_daemon, broken_rings)
{
	struct xsguest *g[ARRAY_SIZE(lies)];
	unsigned int fds;

	fds = proc_fds(b.store);
	for (unsigned int i = 0; i < ARRAY_SIZE(lies); i++) {
		g[i] = xsguest_new(b.h, FIRST + i);
		cr_assert_gt(xsguest_str(g[i], XS_READ, 0, "data"), -1);
	}
	cr_assert(xs_watch(b.h, "@releaseDomain", "t"));
	cr_assert_eq(releases(1), 1, "the first, for the watch itself");
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++)
		tell_lie(g[i], i);
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++)
		judge_lie(g[i], i);
	cr_expect_eq(releases(0), 0);
	cr_expect(xsbed_idle(&b), "the same bytes again and again?");
	cr_expect_eq(releases(1), 1, "that of the neighbour, who went");
	/* A shutdown, then the end: two announcements, as for anybody. */
	fakedom_shutdown(g[0]->dom, 0);
	cr_expect_eq(releases(1), 1);
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++)
		xsguest_free(g[i]);
	cr_expect_eq(releases(ARRAY_SIZE(lies)), ARRAY_SIZE(lies));
	cr_expect_eq(releases(0), 0);
	cr_expect_leq(proc_fds(b.store), fds);
}

/* ---- Floods ------------------------------------------------------------- */

/* XSA-206: a guest that rewrites one node delays nobody, and is not cut off. */
Test(store_daemon, one_writer)
{
	struct xsguest *g = xsguest_new(b.h, FIRST);
	unsigned int sent = 0, answered = 0, rounds;
	uint64_t end = in_ms(2000), late = in_ms(PATIENCE_MS);

	rounds = atomic_load(&b.n.rounds);
	/* The neighbour gets on with its work: xsbed_stop() says how well. */
	while (util_clock_ns() < end ||
	       ((atomic_load(&b.n.rounds) < rounds + 20 || sent <= 1000) &&
		util_clock_ns() < late)) {
		while (xsguest_put(g, XS_WRITE, 0, "data/x\0v", 8))
			sent++;
		answered += xsguest_take(g);
		sched_yield();
	}
	cr_expect_geq(atomic_load(&b.n.rounds), rounds + 20,
		      "only %u transactions of dom0",
		      atomic_load(&b.n.rounds) - rounds);
	for (late = in_ms(PATIENCE_MS);
	     answered < sent && util_clock_ns() < late;)
		answered += xsguest_take(g);
	cr_expect_eq(answered, sent);
	cr_expect_gt(sent, 1000, "no flood");
	cr_expect_eq(g->page->error, XENSTORE_ERROR_NONE);
	xsguest_free(g);
}

enum way {
	REWRITE,       /* reads its answers */
	NEVER_READ,    /* asks, and leaves answers and events */
	WATCH_SUBTREE, /* many events, by removing what is watched */
	TRANSACTIONS,  /* opens them and reads what it can */
	NODES,	       /* as many as it may have, then away with them */
	WATCHES,       /* sets and forgets them */
	KICKS,	       /* signals for nothing */
	BIG_VALUES,
	WAYS,
};

static uint32_t some(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Put one more request; false when the ring is full. */
static bool attack(struct xsguest *g, enum way way, uint32_t *seed)
{
	static const char big[900];
	char buf[1000];
	uint32_t r = some(seed);
	int n;

	switch (way) {
	case REWRITE:
		return xsguest_put(g, XS_WRITE, 0, "data/x\0v", 8);
	case NEVER_READ:
		if (r % 2)
			return xsguest_put(g, XS_WATCH, 0, "data\0t", 7);
		return xsguest_put(g, XS_DIRECTORY, 0, "data", 5);
	case WATCH_SUBTREE:
		if (r % 64 == 0)
			return xsguest_put(g, XS_RM, 0, "data/s", 7);
		if (r % 64 == 1)
			return xsguest_put(g, XS_WATCH, 0, "data/s\0t", 9);
		n = snprintf(buf, sizeof(buf), "data/s/%u", r % 500);
		return xsguest_put(g, XS_WRITE, 0, buf, (size_t)n + 1);
	case TRANSACTIONS:
		if (r % 50 == 0)
			return xsguest_put(g, XS_TRANSACTION_START, 0, "", 1);
		n = snprintf(buf, sizeof(buf), "data/%u", r % 3000);
		return xsguest_put(g, XS_WRITE, 1 + r % 20, buf, (size_t)n + 1);
	case NODES:
		if (r % 1500 == 0)
			return xsguest_put(g, XS_RM, 0, "data/n", 7);
		n = snprintf(buf, sizeof(buf), "data/n/%u", r % 2000);
		return xsguest_put(g, XS_MKDIR, 0, buf, (size_t)n + 1);
	case WATCHES:
		if (r % 200 == 0)
			return xsguest_put(g, XS_RESET_WATCHES, 0, "", 1);
		n = snprintf(buf, sizeof(buf), "data/%u%ctoken", r % 300, 0);
		return xsguest_put(g, XS_WATCH, 0, buf, (size_t)n + 1);
	case KICKS:
		xsguest_kick(g);
		return r % 16;
	default:
		n = snprintf(buf, sizeof(buf), "data/big%u", r % 2000);
		memcpy(buf + n + 1, big, sizeof(big));
		return xsguest_put(g, XS_WRITE, 0, buf,
				   (size_t)n + 1 + sizeof(big));
	}
}

/* XSA-326, XSA-206, XSA-416: eight at once, and each stays within its share. */
Test(store_daemon, eight_attackers)
{
	unsigned long long before = xsbed_rss_kib(&b);
	long nodes = xsbed_count(&b, "nodes");
	struct xsguest *g[WAYS];
	unsigned int rounds;
	uint32_t seed = 1;

	for (unsigned int i = 0; i < WAYS; i++)
		g[i] = xsguest_new(b.h, FIRST + i);
	rounds = atomic_load(&b.n.rounds);
	for (uint64_t end = in_ms(3000), late = in_ms(PATIENCE_MS);
	     util_clock_ns() < end || (atomic_load(&b.n.rounds) < rounds + 20 &&
				       util_clock_ns() < late);) {
		for (unsigned int i = 0; i < WAYS; i++) {
			while (attack(g[i], (enum way)i, &seed))
				;
			if (i != NEVER_READ)
				xsguest_take(g[i]);
		}
		sched_yield();
	}
	cr_expect_geq(atomic_load(&b.n.rounds), rounds + 20, "%u rounds",
		      atomic_load(&b.n.rounds) - rounds);
	for (unsigned int i = 0; i < WAYS; i++) {
		cr_expect_eq(g[i]->page->error, XENSTORE_ERROR_NONE, "%u", i);
		cr_expect_leq(xsbed_uses(&b, FIRST + i, "nodes"), 1000);
		cr_expect_leq(xsbed_uses(&b, FIRST + i, "watches"), 128);
		cr_expect_leq(xsbed_uses(&b, FIRST + i, "transactions"), 10);
		cr_expect_leq(xsbed_uses(&b, FIRST + i, "memory"),
			      2560 * 1024 + 4096, "%u", i);
	}
	/* Twice the quota each: a heap has holes. */
	cr_expect(memory_is_as(before, WAYS * 2 * 2560));
	for (unsigned int i = 0; i < WAYS; i++) {
		xsguest_free(g[i]);
		while (xs_is_domain_introduced(b.h, FIRST + i))
			usleep(1000);
		cr_expect_eq(xsbed_uses(&b, FIRST + i, "memory"), 0);
	}
	/* What dom0 has made for each is what remains. */
	cr_expect_eq(xsbed_count(&b, "nodes"), nodes + WAYS);
}

/* XSA-354: who watches a key that a guest toggles, and sleeps, costs nothing. */
Test(store_daemon, toggles_unread)
{
	struct xsguest *g = xsguest_new(b.h, FIRST);
	unsigned long long before;
	unsigned int sent = 0;
	char request[64];
	int len, fd;

	/* No libxenstore, whose thread would read. */
	fd = sock_connect(paths_store(), SOCK_STREAM);
	cr_assert_geq(fd, 0);
	len = snprintf(request + 16, 48, "/local/domain/%u/data/x%ct", FIRST,
		       0) +
	      1;
	memcpy(request,
	       &(struct xsd_sockmsg){ .type = XS_WATCH, .len = (uint32_t)len },
	       16);
	cr_assert_eq(write(fd, request, (size_t)len + 16), len + 16);
	xsguest_write(g, 0, "data/x", "0");
	before = xsbed_rss_kib(&b);
	while (sent < SCALE(50000)) {
		while (xsguest_put(g, XS_WRITE, 0, "data/x\0v", 8))
			sent++;
		xsguest_take(g);
	}
	/* The socket's own 200 KiB fill up first; then one event waits. */
	cr_expect_leq(xsbed_count(&b, "unread bytes"), 2048);
	cr_expect_gt(xsbed_count(&b, "events collapsed"), 1000);
	cr_expect(memory_is_as(before, SLACK_KIB));
	close(fd);
	xsguest_free(g);
}

/* XSA-330, XSA-512: watches set and forgotten, by each way to forget. */
Test(store_daemon, watches_come_and_go)
{
	struct xsguest *g = xsguest_new(b.h, FIRST);
	unsigned long long before = 0;
	unsigned int sent = 0;

	while (sent < SCALE(40000)) {
		static const char *const path[] = { "data\0t", "data/x\0t" };

		if (sent % 3 == 2) {
			if (!xsguest_put(g, XS_RESET_WATCHES, 0, "", 1))
				goto take;
		} else if (!xsguest_put(g, XS_WATCH, 0, path[sent % 3],
					sent % 3 ? 9 : 7)) {
			goto take;
		}
		sent++;
		if (sent == 10000)
			before = xsbed_rss_kib(&b);
		continue;
	take:
		xsguest_take(g);
	}
	cr_assert_eq(xsguest_str(g, XS_RESET_WATCHES, 0, ""), 3);
	cr_expect_eq(xsbed_uses(&b, FIRST, "watches"), 0);
	g->events = 0;
	cr_assert_eq(xsguest_write(g, 0, "data/x", "v"), 3);
	cr_expect_eq(g->events, 0, "an index has kept one");
	cr_expect(memory_is_as(before, SLACK_KIB));
	xsguest_free(g);
}

/* ---- Lives -------------------------------------------------------------- */

static void begin_anew(struct xsguest *g)
{
	_Atomic uint32_t *word = (_Atomic uint32_t *)&g->page->connection;

	atomic_store(word, XENSTORE_RECONNECT);
	xsguest_kick(g);
	cr_assert(SOON(atomic_load(word) == XENSTORE_CONNECTED));
	xsguest_attach(g);
}

/* Without pause, with requests on their way and a ring broken in between. */
Test(store_daemon, begins_anew_without_end)
{
	struct xsguest *g = xsguest_new(b.h, FIRST);
	unsigned long long before = 0;

	for (int i = 0; i < SCALE(4000); i++) {
		cr_assert_eq(xsguest_op(g, XS_WATCH, 0, "data\0t", 7), 3);
		while (i % 8 == 1 && xsguest_put(g, XS_READ, 0, "data", 5))
			;
		if (i % 8 == 2) {
			g->page->req_prod += 5000;
			xsguest_kick(g);
		}
		begin_anew(g);
		if (i == SCALE(4000) / 5)
			before = xsbed_rss_kib(&b);
	}
	cr_assert_eq(xsbed_uses(&b, FIRST, "watches"), 0);
	cr_expect(memory_is_as(before, SLACK_KIB));
	cr_expect_leq(xsbed_logged(&b, "begins anew"), 40, "it fills the log");
	xsguest_free(g);
}

/* XSA-425, XSA-512, XSA-484: another kernel in the same VMM, with what the old
 * one had open, and now and then another life of the same domain. */
Test(store_daemon, introduced_over_and_over)
{
	struct xsguest *g = xsguest_new(b.h, FIRST);
	unsigned long long before = 0;
	unsigned int fds = 0;
	char path[64];

	for (int i = 0; i < SCALE(1000); i++) {
		cr_assert_eq(xsguest_op(g, XS_WATCH, 0, "data\0t", 7), 3);
		cr_assert_gt(xsguest_str(g, XS_TRANSACTION_START, 0, ""), 0);
		cr_assert_eq(xsguest_write(g, 1, "data/t", "v"), 3);
		if (i % 2) {
			begin_anew(g);
			cr_assert_eq(xsbed_uses(&b, FIRST, "watches"), 0);
			cr_assert_eq(xsguest_write(g, 1, "data/t", "v"),
				     -ENOENT);
		}
		cr_assert_gt(xsguest_str(g, XS_READ, 0, "data"), -1);
		if (i % 4 == 3) {
			cr_assert(xs_release_domain(b.h, FIRST));
			fakedom_free(g->dom);
			free(g);
			g = xsguest_new(b.h, FIRST);
		} else {
			cr_assert(xsguest_introduce(b.h, g));
		}
		cr_assert_eq(xsbed_uses(&b, FIRST, "watches"), 0);
		cr_assert_eq(xsbed_uses(&b, FIRST, "transactions"), 0);
		cr_assert_eq(xsguest_write(g, 1, "data/t", "v"), -ENOENT);
		if (i == SCALE(1000) / 5) {
			before = xsbed_rss_kib(&b);
			fds = proc_fds(b.store);
		}
	}
	g->events = 0;
	snprintf(path, sizeof(path), "/local/domain/%u/data", FIRST);
	cr_assert(xs_write(b.h, XBT_NULL, path, "", 0));
	cr_assert_gt(xsguest_str(g, XS_READ, 0, "data"), -1);
	cr_expect_eq(g->events, 0, "a watch of another life");
	cr_expect_leq(proc_fds(b.store), fds);
	cr_expect(memory_is_as(before, SLACK_KIB));
	xsguest_free(g);
}

static void lend(unsigned int owner, unsigned int to)
{
	struct xs_permissions p[2] = { { owner, XS_PERM_NONE },
				       { to, XS_PERM_READ | XS_PERM_WRITE } };
	char path[64];

	snprintf(path, sizeof(path), "/local/domain/%u/data", owner);
	cr_assert(xs_set_permissions(b.h, XBT_NULL, path, p, 2));
}

/* XSA-233, XSA-419: each has nodes in the other's tree, and both end before the
 * store looks again. */
Test(store_daemon, both_die_at_once)
{
	unsigned long long before = 0;
	long nodes = 0;
	uint32_t seed = 7;
	char path[64];

	for (int i = 0; i < SCALE(200); i++) {
		struct xsguest *g[2];
		bool swap = some(&seed) & 1;

		for (unsigned int k = 0; k < 2; k++)
			g[k] = xsguest_new(b.h, FIRST + k);
		for (unsigned int k = 0; k < 2; k++)
			lend(FIRST + k, FIRST + !k);
		for (unsigned int k = 0; k < 2; k++) {
			snprintf(path, sizeof(path), "/local/domain/%u/data/of",
				 FIRST + !k);
			cr_assert_eq(xsguest_write(g[k], 0, path, "me"), 3);
			snprintf(path, sizeof(path), "/local/domain/%u%ct",
				 FIRST + !k, 0);
			cr_assert_eq(xsguest_op(g[k], XS_WATCH, 0, path,
						strlen(path) + 3),
				     3);
		}
		kill(b.store, SIGSTOP);
		xsguest_free(g[swap]);
		xsguest_free(g[!swap]);
		kill(b.store, SIGCONT);
		while (xs_is_domain_introduced(b.h, FIRST) ||
		       xs_is_domain_introduced(b.h, FIRST + 1))
			usleep(1000);
		if (i == SCALE(200) / 5) {
			nodes = xsbed_count(&b, "nodes");
			before = xsbed_rss_kib(&b);
		}
	}
	cr_expect_eq(xsbed_count(&b, "nodes"), nodes);
	cr_expect_eq(xsbed_uses(&b, FIRST, "nodes"), 0);
	cr_expect_eq(xsbed_uses(&b, FIRST + 1, "nodes"), 0);
	cr_expect(memory_is_as(before, SLACK_KIB));
}

/* ---- Limits of the host -------------------------------------------------- */

/* TS-20: more clients than descriptors; who is served stays served. */
/* It is another user's, whose limits are his own affair. */
static int limit_store(const struct rlimit *files)
{
	uid_t uid = (uid_t)proc_status(b.store, "Uid:", 10);
	gid_t gid = (gid_t)proc_status(b.store, "Gid:", 10);
	pid_t pid = proc_fork();
	int status;

	if (!pid)
		_exit(setresgid(gid, gid, gid) || setresuid(uid, uid, uid) ||
		      prlimit(b.store, RLIMIT_NOFILE, files, NULL));
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

Test(store_daemon, crowd_of_clients)
{
	static int crowd[2000];
	struct rlimit few = { 0, 0 };
	int n = 0;

	few.rlim_cur = few.rlim_max = proc_fds(b.store) + 20;
	cr_assert_eq(limit_store(&few), 0);
	while (n < 2000 &&
	       (crowd[n] = sock_connect(paths_store(),
					SOCK_STREAM | SOCK_NONBLOCK)) >= 0)
		n++;
	cr_expect_lt(n, 2000, "no end of clients");
	cr_expect_gt(n, 20);
	cr_expect(xs_is_domain_introduced(b.h, 2), "an old client is out");
	cr_expect(xsbed_idle(&b), "it tries to accept without pause");
	cr_expect_leq(xsbed_logged(&b, "cannot accept a client"),
		      stack_log_limit(&b.s, 10));
	cr_expect_gt(xsbed_logged(&b, "cannot accept a client"), 0);
	while (n)
		close(crowd[--n]);
	/* Those who wait are served when there is room again. */
	for (uint64_t end = in_ms(PATIENCE_MS); util_clock_ns() < end;) {
		struct xs_handle *late = xs_open(0);
		bool served = late && xs_is_domain_introduced(late, 0);

		if (late)
			xs_close(late);
		if (served)
			return;
		usleep(10000);
	}
	cr_assert_fail("nobody new is served any more");
}

/* ---- Depth ---------------------------------------------------------------- */

/* XSA-418: depth is the guest's choice and must cost no stack. */
Test(store_daemon, deep_tree)
{
	struct xsguest *g = xsguest_new(b.h, FIRST);
	char path[1000] = "data", all[1100];
	size_t len = 4;
	char *text;

	/* As deep as fits a ring full at once, and the quota. */
	while (len + 2 < 980) {
		memcpy(path + len, "/d", 3);
		len += 2;
	}
	snprintf(all, sizeof(all), "/local/domain/%u/%s", FIRST, path);
	cr_assert_eq(xsguest_write(g, 0, path, "v"), 3);
	cr_assert_eq(xsguest_op(g, XS_WATCH, 0, "data\0t", 7), 3);
	cr_expect_eq(xsguest_str(g, XS_READ, 0, path), 1);
	text = xs_control_command(b.h, "check", NULL, 0);
	cr_expect_str_eq(text ? text : "", "OK");
	free(text);
	cr_assert_gt(xsguest_str(g, XS_TRANSACTION_START, 0, ""), 0);
	cr_assert_eq(xsguest_str(g, XS_RM, 1, "data/d/d"), 3);
	cr_assert_eq(xsguest_write(g, 1, path, "again"), 3);
	cr_assert_eq(xsguest_str(g, XS_TRANSACTION_END, 1, "T"), 3);
	cr_expect(xs_rm(b.h, XBT_NULL, all));
	cr_assert_eq(xsguest_write(g, 0, path, "v"), 3);
	cr_expect_eq(xsguest_str(g, XS_RM, 0, "data/d"), 3);
	cr_assert_eq(xsguest_write(g, 0, path, "left when it dies"), 3);
	xsguest_free(g);
}
