// SPDX-License-Identifier: GPL-2.0-or-later
// tests/bench/store.c - one client for all stores: what it measures of one of them.
//
// usage: store up PROGRAM ARG...    becomes PROGRAM, a store, and tells when it answers
//        store fill DOMAINS         makes the nodes of so many domains
//        store scale MS             requests and events at 10, 100 and 1000 domains
//        store quiet MS             a client that asks now and then, beside others
//
// The store is at XENSTORED_PATH, and serves the domains of SPLITVISOR_RUN_DIR; guests
// are process domains.  Each kind of request is made for MS milliseconds.  Each result
// is a line: CASE METRIC UNIT VALUE.
//
// A store is on CPU 0, and so is the client, but for a flooding one: a wake-up of
// another CPU takes longer than what is to be measured, and how long depends on what
// else that does.  So rates are of both together, on one CPU.
#include <err.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/paths.h"
#include "base/sock.h"
#include "base/util.h"
#include "tests/lib/patience.h"
#include "tests/lib/xslane.h"
#include "tests/lib/xstree.h"

#define FIRST	  100u /* domid of the first of those that are only in the tree */
#define DEPTH	  16u /* requests under way, if several are */
#define FLOOD	  128u
#define NEVENTS	  2000u
#define MAX_TIMES 65536u
#define PAUSE_US  500 /* of the quiet client */

static struct xslane dom0, watcher, guest, flooder;
static uint64_t ns; /* how long each is measured */
static unsigned int ndomains;

static uint64_t number(const char *s)
{
	uint64_t v;

	if (util_u64(s, UINT32_MAX, &v) || !v)
		errx(2, "%s: must be a number above 0", s);
	return v;
}

static unsigned int any(unsigned int n)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (unsigned int)(x >> 32) % n;
}

/* Where a store is, or where it is not. */
static void run_at(bool store)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (size_t i = store ? 0 : 1; i < (store ? 1 : CPU_SETSIZE); i++)
		CPU_SET(i, &set);
	/* There may be no other. */
	(void)sched_setaffinity(0, sizeof(set), &set);
}

/* ---- What is there ------------------------------------------------------ */

static void drain(struct xslane *l, unsigned int left)
{
	xslane_flush(l);
	while (l->under > left)
		(void)xslane_take(l);
}

static void put_two(struct xslane *l, uint32_t type, const char *path,
		    const char *second, size_t len)
{
	char buf[2 * XSTREE_PATH];
	size_t n = strlen(path) + 1;

	memcpy(buf, path, n);
	memcpy(buf + n, second, len);
	while (!xslane_put(l, type, 0, buf, n + len))
		drain(l, 0);
	if (l->under >= DEPTH)
		drain(l, DEPTH / 2);
}

static void no_fails(const struct xslane *l, const char *what)
{
	if (l->fails)
		errx(1, "%s: %llu requests failed; the last answer: %s", what,
		     (unsigned long long)l->fails, l->reply);
}

/* The nodes of domains from @from to @to. */
static void fill(unsigned int from, unsigned int to)
{
	char path[XSTREE_PATH], value[16];

	for (unsigned int d = FIRST + from; d < FIRST + to; d++) {
		for (unsigned int i = 0; i < XSTREE_NODES; i++) {
			int n = snprintf(value, sizeof(value), "value%u", d);

			xstree_node(d, i, path);
			put_two(&dom0, XS_WRITE, path, value, (size_t)n);
		}
	}
	drain(&dom0, 0);
	no_fails(&dom0, "fill");
}

static void set_watches(unsigned int from, unsigned int to)
{
	char path[XSTREE_PATH];

	for (unsigned int d = FIRST + from; d < FIRST + to; d++) {
		for (unsigned int i = 0; i < XSTREE_WATCHES; i++) {
			xstree_watch(d, i, path);
			put_two(&watcher, XS_WATCH, path, "token", 6);
		}
	}
	drain(&watcher, 0);
	no_fails(&watcher, "watches");
}

/* ---- Rates -------------------------------------------------------------- */

struct kind {
	const char *name;
	uint32_t type;
	const char *path;	/* of some domain */
	const char *guest_path; /* for a guest, its own */
	size_t value;		/* bytes */
};

static const struct kind kinds[] = {
	{ "read", XS_READ, XSTREE_READ, "data/a", 0 },
	{ "write", XS_WRITE, "/local/domain/%u/data/a", "data/a", 8 },
	{ "directory", XS_DIRECTORY, XSTREE_DIR, "data", 0 },
};

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static bool put_kind(struct xslane *l, const struct kind *k)
{
	char buf[XSTREE_PATH + 16];
	int n = snprintf(buf, XSTREE_PATH, l->g ? k->guest_path : k->path,
			 FIRST + any(ndomains));

	memset(buf + n + 1, 'v', k->value);
	return xslane_put(l, k->type, 0, buf, (size_t)n + 1 + k->value);
}

/* Return: requests a second. */
static double rate(struct xslane *l, const struct kind *k, unsigned int depth)
{
	uint64_t start = util_clock_ns(), now = start, n = 0;

	while (now - start < ns) {
		while (l->under < depth && put_kind(l, k))
			;
		xslane_flush(l);
		n += xslane_take(l);
		now = util_clock_ns();
	}
	drain(l, 0);
	no_fails(l, k->name);
	return (double)n * 1e9 / (double)(now - start);
}

static void put_in(struct xslane *l, uint32_t type, uint32_t tx,
		   unsigned int domid, char node, const char *value)
{
	char buf[XSTREE_PATH + 16];
	int n = l->g ? snprintf(buf, XSTREE_PATH, "data/%c", node)
		     : snprintf(buf, XSTREE_PATH, XSTREE_WRITE, domid, node);

	memcpy(buf + n + 1, value, strlen(value));
	if (!xslane_put(l, type, tx, buf, (size_t)n + 1 + strlen(value)))
		errx(1, "a transaction does not fit");
}

/* One read and three writes, each answered before the next, or all at once. */
static void transaction(struct xslane *l, bool at_once)
{
	unsigned int d = FIRST + any(ndomains), left = at_once ? 5 : 0;
	uint32_t tx;

	xslane_ask(l, XS_TRANSACTION_START, 0, "", 1);
	tx = (uint32_t)strtoul(l->reply, NULL, 10);
	put_in(l, XS_READ, tx, d, 'a', "");
	drain(l, left);
	for (char c = 'b'; c <= 'd'; c++) {
		put_in(l, XS_WRITE, tx, d, c, "12345678");
		drain(l, left);
	}
	xslane_ask(l, XS_TRANSACTION_END, tx, "T", 2);
}

static double rate_transactions(struct xslane *l, unsigned int depth)
{
	uint64_t start = util_clock_ns(), now = start, n = 0;

	for (; now - start < ns; n++) {
		transaction(l, depth > 1);
		now = util_clock_ns();
	}
	no_fails(l, "transaction");
	return (double)n * 1e9 / (double)(now - start);
}

static void rates(struct xslane *l, const char *name, unsigned int depth)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		printf("store-%s-%s-n%u rate 1/s %.0f\n", kinds[i].name, name,
		       ndomains, rate(l, &kinds[i], depth));
	printf("store-txn-%s-n%u rate 1/s %.0f\n", name, ndomains,
	       rate_transactions(l, depth));
}

/* ---- Times -------------------------------------------------------------- */

static uint64_t times[MAX_TIMES];
static size_t ntimes;

static int by_time(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void show_times(const char *name)
{
	qsort(times, ntimes, sizeof(times[0]), by_time);
	printf("%s p50 us %.1f\n", name, (double)times[ntimes / 2] / 1e3);
	printf("%s p99 us %.1f\n", name,
	       (double)times[ntimes * 99 / 100] / 1e3);
	printf("%s max us %.1f\n", name, (double)times[ntimes - 1] / 1e3);
}

/* From the write until it is known elsewhere. */
static void watch_latency(void)
{
	char path[XSTREE_PATH], name[64], value[16];
	uint64_t start, seen;

	drain(&watcher, 0);
	for (ntimes = 0; ntimes < NEVENTS; ntimes++) {
		snprintf(path, sizeof(path), XSTREE_STATE,
			 FIRST + any(ndomains));
		snprintf(value, sizeof(value), "%zu", ntimes);
		seen = watcher.events;
		start = util_clock_ns();
		put_two(&dom0, XS_WRITE, path, value, strlen(value));
		xslane_flush(&dom0);
		while (watcher.events == seen)
			(void)xslane_take(&watcher);
		times[ntimes] = util_clock_ns() - start;
		drain(&dom0, 0);
	}
	no_fails(&dom0, "events");
	snprintf(name, sizeof(name), "store-event-n%u", ndomains);
	show_times(name);
}

/* ---- Guests ------------------------------------------------------------- */

static struct xsguest *new_guest(struct xslane *l, unsigned int domid)
{
	struct xs_handle *h = xs_open(0);
	struct xsguest *g;

	if (!h)
		err(1, "%s", paths_store());
	g = xsguest_new(h, domid);
	xs_close(h);
	xslane_guest(l, g);
	for (char c = 'a'; c <= 'd'; c++) {
		put_in(l, XS_WRITE, 0, domid, c, "12345678");
		drain(l, 0);
	}
	no_fails(l, "guest");
	return g;
}

/* ---- Commands ----------------------------------------------------------- */

static void scale(void)
{
	static const unsigned int steps[] = { 10, 100, 1000 };
	struct xsguest *g = new_guest(&guest, 1);

	run_at(true);
	xslane_open(&watcher);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		fill(ndomains, steps[i]);
		set_watches(ndomains, steps[i]);
		ndomains = steps[i];
		rates(&dom0, "socket", 1);
		rates(&dom0, "pipelined", DEPTH);
		rates(&guest, "ring", 1);
		rates(&guest, "ringful", DEPTH);
		watch_latency();
		fflush(stdout);
	}
	xslane_close(&watcher);
	xsguest_free(g);
}

static atomic_bool flooding;

static void *flood(void *arg)
{
	struct xslane *l = arg;

	while (atomic_load(&flooding)) {
		while (l->under < FLOOD && put_kind(l, &kinds[1]))
			;
		xslane_flush(l);
		(void)xslane_take(l);
	}
	drain(l, 0);
	no_fails(l, "flood");
	return NULL;
}

/* To wait for a CPU is no fault of the store; a flooding thread is as others are. */
static void be_first(void)
{
	struct sched_param p = { .sched_priority = 1 };

	run_at(false);
	/* Not all may. */
	(void)sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &p);
}

static void quiet_one(const char *name, struct xslane *other)
{
	uint64_t start = util_clock_ns(), before;
	pthread_t thread;

	atomic_store(&flooding, true);
	if (other && pthread_create(&thread, NULL, flood, other))
		errx(1, "no thread");
	for (ntimes = 0; util_clock_ns() - start < ns && ntimes < MAX_TIMES;
	     ntimes++) {
		usleep(PAUSE_US);
		before = util_clock_ns();
		xslane_ask(&dom0, XS_READ, 0, "/local/domain/100/name", 23);
		times[ntimes] = util_clock_ns() - before;
	}
	atomic_store(&flooding, false);
	if (other)
		pthread_join(thread, NULL);
	no_fails(&dom0, name);
	show_times(name);
}

static void quiet(void)
{
	struct xsguest *g = new_guest(&guest, 1);

	ndomains = 10;
	fill(0, ndomains);
	xslane_open(&flooder);
	be_first();
	quiet_one("store-quiet-idle", NULL);
	quiet_one("store-quiet-guest", &guest);
	quiet_one("store-quiet-socket", &flooder);
	xslane_close(&flooder);
	xsguest_free(g);
}

static bool answers(void)
{
	struct xsd_sockmsg h = { .type = XS_READ, .len = 2 };
	int fd = sock_connect(paths_store(), SOCK_STREAM);
	bool does = fd >= 0 && !fd_write_all(fd, &h, sizeof(h)) &&
		    !fd_write_all(fd, "/", 2) &&
		    !fd_read_all(fd, &h, sizeof(h));

	fd_close(&fd);
	return does;
}

/* The store keeps our pid; a child looks for it. */
static void up(char **argv)
{
	uint64_t start = util_clock_ns();
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	run_at(pid > 0);
	if (pid) {
		execvp(argv[0], argv);
		err(1, "%s", argv[0]);
	}
	while (!answers()) {
		if (util_clock_ns() - start > PATIENCE_NS)
			errx(1, "%s: no store is there", paths_store());
		usleep(100);
	}
	printf("store-start ready ms %.2f\n",
	       (double)(util_clock_ns() - start) / 1e6);
}

int main(int argc, char **argv)
{
	paths_init();
	if (argc > 2 && !strcmp(argv[1], "up")) {
		up(argv + 2);
		return 0;
	}
	if (argc != 3)
		errx(2,
		     "usage: store up PROGRAM ARG... | fill DOMAINS | scale MS | quiet MS");
	xslane_open(&dom0);
	ns = number(argv[2]) * 1000000;
	if (!strcmp(argv[1], "fill"))
		fill(0, (unsigned int)number(argv[2]));
	else if (!strcmp(argv[1], "scale"))
		scale();
	else if (!strcmp(argv[1], "quiet"))
		quiet();
	else
		errx(2, "%s: unknown", argv[1]);
	xslane_close(&dom0);
	return 0;
}
