/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/guest/xenbus/main.c - the store as a guest sees it, and under load. */
#include <stdint.h>
#include <xen/errno.h>

#include "guest-frontend/console.h"
#include "guest-frontend/events.h"
#include "guest-frontend/minilibc.h"
#include "guest-frontend/start.h"
#include "guest-frontend/xenbus.h"
#include "tests/guest/args.h"

#define SECOND UINT64_C(1000000000)
#define NODES  200u

static unsigned int failed;

static void check(bool good, const char *what)
{
	say("xenbus %s %s", what, good ? "ok" : "failed");
	failed += !good;
}

static void reads_and_writes(void)
{
	char value[64], names[128];
	uint64_t n = 0;

	check(xenbus_read(0, value, sizeof(value), "name") == 6 &&
		      !strcmp(value, "xenbus"),
	      "own name");
	check(xenbus_read_u64(0, 32751, &n, "domid") == 0 && n > 0, "domid");
	check(xenbus_read_u64(0, 1, &n, "memory/target") == -XEN_ERANGE,
	      "number out of range");
	check(xenbus_read_u64(0, 1, &n, "name") == -XEN_EINVAL, "no number");
	check(xenbus_write(0, "", "data/empty") == 0 &&
		      xenbus_read(0, value, sizeof(value), "data/empty") == 0,
	      "empty value");
	check(xenbus_write_u64(0, 123456789, "data/a/b/c") == 0 &&
		      xenbus_read_u64(0, UINT64_MAX, &n, "data/a/b/c") == 0 &&
		      n == 123456789,
	      "deep node");
	check(xenbus_list(0, names, sizeof(names), "data/a") == 2 &&
		      !strcmp(names, "b"),
	      "list");
	check(xenbus_rm(0, "data/a") == 0 &&
		      xenbus_read(0, value, sizeof(value), "data/a/b/c") ==
			      -XEN_ENOENT,
	      "remove");
	check(xenbus_write(0, "x", "/local/domain/0/name") == -XEN_EACCES,
	      "foreign node");
	check(xenbus_write(0, "x", "name") == -XEN_EACCES, "read-only node");
	check(xenbus_call(XS_READ, 0, "bad//path", 10, NULL, 0) == -XEN_EINVAL,
	      "bad path");
	check(xenbus_call(XS_READ, 77, "name", 5, NULL, 0) == -XEN_ENOENT,
	      "unknown transaction");
}

static void transactions(void)
{
	uint32_t t = 0, u = 0;
	char value[16];

	check(xenbus_begin(&t) == 0 && xenbus_write(t, "1", "data/t") == 0 &&
		      xenbus_read(0, value, sizeof(value), "data/t") ==
			      -XEN_ENOENT &&
		      xenbus_end(t, false) == 0 &&
		      xenbus_read(0, value, sizeof(value), "data/t") ==
			      -XEN_ENOENT,
	      "transaction given up");
	check(xenbus_begin(&t) == 0 && xenbus_write(t, "2", "data/t") == 0 &&
		      xenbus_end(t, true) == 0 &&
		      xenbus_read(0, value, sizeof(value), "data/t") == 1,
	      "transaction committed");
	check(xenbus_begin(&t) == 0 && xenbus_begin(&u) == 0 &&
		      xenbus_read(t, value, sizeof(value), "data/t") == 1 &&
		      xenbus_write(u, "3", "data/t") == 0 &&
		      xenbus_end(u, true) == 0 &&
		      xenbus_write(t, "4", "data/t") == 0 &&
		      xenbus_end(t, true) == -XEN_EAGAIN,
	      "conflict");
}

static bool watch_says(const char *want, const char *want_token)
{
	char path[256], token[XENBUS_TOKEN_MAX];

	return xenbus_next_watch(path, sizeof(path), token, 60 * SECOND) == 1 &&
	       !strcmp(path, want) && !strcmp(token, want_token);
}

static void watches(void)
{
	char path[256], token[XENBUS_TOKEN_MAX];

	check(xenbus_watch("tok", "data/w") == 0 && watch_says("data/w", "tok"),
	      "watch fires when set");
	check(xenbus_watch("tok", "data/w") == -XEN_EEXIST, "the same again");
	check(xenbus_write(0, "1", "data/w/below") == 0 &&
		      watch_says("data/w/below", "tok"),
	      "watch fires");
	check(xenbus_unwatch("tok", "data/w") == 0 &&
		      xenbus_write(0, "2", "data/w/below") == 0 &&
		      xenbus_next_watch(path, sizeof(path), token,
					SECOND / 10) == 0,
	      "no watch, no event");
}

/* Many nodes, each written, watched and read back. */
static void load(void)
{
	uint64_t began = events_now(), n;
	unsigned int good = 0;
	char path[64];

	(void)xenbus_watch("load", "data/load");
	(void)watch_says("data/load", "load");
	for (uint64_t i = 0; i < NODES; i++) {
		snprintf(path, sizeof(path), "data/load/%lu", i);
		good += xenbus_write_u64(0, i * 7, "%s", path) == 0 &&
			watch_says(path, "load") &&
			xenbus_read_u64(0, (uint64_t)NODES * 7, &n, "%s",
					path) == 0 &&
			n == i * 7;
	}
	check(good == NODES, "load");
	say("xenbus load nodes=%u us=%lu", NODES,
	    (unsigned long)(events_now() - began) / 1000);
	check(xenbus_rm(0, "data/load") == 0, "load removed");
}

/* One more, in a transaction that is made till it succeeds. */
static bool count_up(uint64_t n, uint64_t *retries)
{
	uint64_t was;
	uint32_t t;
	int ret;

	for (;; ++*retries) {
		if (xenbus_begin(&t) ||
		    xenbus_read_u64(t, UINT64_MAX, &was, "data/count") ||
		    was != n || xenbus_write_u64(t, n + 1, "data/count"))
			return false;
		ret = xenbus_end(t, true);
		if (ret != -XEN_EAGAIN)
			return ret == 0;
	}
}

/* For @ms, while the store may be killed as often as one likes. */
static void churn(uint64_t ms)
{
	uint64_t end = events_now() + ms * 1000000, n = 0, retries = 0, back;
	char path[256], token[XENBUS_TOKEN_MAX];
	bool good;

	/* What load() has left. */
	while (xenbus_next_watch(path, sizeof(path), token, SECOND / 10) == 1)
		;

	good = xenbus_write_u64(0, 0, "data/count") == 0 &&
	       xenbus_watch("churn", "data/churn") == 0 &&
	       watch_says("data/churn", "churn");
	for (; good && events_now() < end; n++)
		good = xenbus_write_u64(0, n, "data/churn") == 0 &&
		       watch_says("data/churn", "churn") &&
		       xenbus_read_u64(0, n, &back, "data/churn") == 0 &&
		       back == n && count_up(n, &retries);
	check(good, "churn");
	say("xenbus churn rounds=%lu retries=%lu", (unsigned long)n,
	    (unsigned long)retries);
}

/* ms=N: then go on for so long. */
enum verdict guest_main(const char *cmdline)
{
	uint64_t ms = arg_u64(cmdline, "ms", 0);

	if (xenbus_init())
		return VERDICT_ERROR;
	reads_and_writes();
	transactions();
	watches();
	load();
	if (ms)
		churn(ms);
	return failed ? VERDICT_FAILURE : VERDICT_SUCCESS;
}
