// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_watch_peer.c - a guest that floods watches of a backend.
#include <criterion/criterion.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/fini.h"
#include "tests/lib/stack.h"

#define ROOT "/local/domain/3/device/vbd/768/state"

static struct stack s;
static struct event_base *base;
static struct store *store; /* the backend's */
static struct store_watch *watch;
static unsigned int calls, roots;

static void set_up(void)
{
	stack_start(&s, false);
	base = event_base_new();
	cr_assert_eq(store_new(&store, base), 0);
	stack_write(&s, "1", ROOT);
}

static void tear_down(void)
{
	store_free(store);
	event_base_free(base);
	FINI_CHECK(stack_stop(&s));
}

TestSuite(watch_peer, .init = set_up, .fini = tear_down, .timeout = 300);

static void on_change(void *arg, const char *path)
{
	(void)arg;
	calls++;
	roots += !strcmp(path, ROOT);
}

/* Let the loop run once, when what was written has arrived. */
static void turn(void)
{
	calls = roots = 0;
	usleep(300000);
	/* An answer comes after the events of before. */
	cr_assert(store_exists(store, "/"));
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/* Children in rotation: no two events in a row are alike. */
static void flood(unsigned int writes, unsigned int children)
{
	for (unsigned int i = 0; i < writes; i++)
		stack_write(&s, "4", ROOT "/%u", i % children);
}

Test(watch_peer, rotation_is_one_call)
{
	cr_assert_eq(store_watch(store, ROOT, on_change, NULL, &watch), 0);
	turn();
	cr_expect_eq(calls, 1, "as set");
	flood(2000, 50);
	turn();
	cr_expect_eq(calls, 1, "%u", calls);
	cr_expect_eq(roots, 1);
	turn();
	cr_expect_eq(calls, 0, "nothing is left");
	stack_write(&s, "5", ROOT);
	turn();
	cr_expect_eq(calls, 1, "and the next is not lost");
}

/* Wait for @n calls. */
static void until(unsigned int n)
{
	calls = 0;
	for (int i = 0; i < 10000 && calls < n; i++) {
		usleep(1000);
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
	cr_assert_eq(calls, n);
}

/* What is ours alone is no news, but what a guest or the toolstack does is. */
Test(watch_peer, own_node)
{
	cr_assert_eq(store_watch(store, ROOT, on_change, NULL, &watch), 0);
	cr_assert_eq(store_watch_each(store, ROOT, on_change, NULL, &watch), 0);
	until(2);
	stack_write(&s, "1", ROOT "/own/old");
	until(2);
	cr_assert_eq(store_make_own(store, ROOT "/%s", "own"), 0);
	cr_expect_not(store_exists(store, ROOT "/own/old"), "in its place");
	cr_expect(store_exists(store, ROOT "/own"));
	for (unsigned int i = 0; i < 100; i++)
		cr_assert_eq(store_write_u64(store, i, ROOT "/own/%u", i), 0);
	turn();
	cr_expect_eq(calls, 0, "%u", calls);
	stack_write(&s, "1", ROOT "/owner");
	until(2);
	stack_rm(&s, ROOT);
	until(2);
}

Test(watch_peer, paths_are_bounded)
{
	cr_assert_eq(store_watch_each(store, ROOT, on_change, NULL, &watch), 0);
	turn();
	flood(300, 3);
	turn();
	cr_expect_eq(calls, 3, "each path once: %u", calls);
	cr_expect_eq(roots, 0);
	flood(600, 200);
	turn();
	cr_expect_leq(calls, 65, "%u", calls);
	cr_expect_eq(roots, 1, "the others as one");
}

static void unwatch(void *arg, const char *path)
{
	(void)arg;
	on_change(NULL, path);
	store_unwatch(watch);
}

Test(watch_peer, unwatch_in_the_call)
{
	cr_assert_eq(store_watch_each(store, ROOT, unwatch, NULL, &watch), 0);
	flood(400, 100);
	turn();
	cr_expect_eq(calls, 1, "%u", calls);
	flood(10, 10);
	turn();
	cr_expect_eq(calls, 0);
}
