// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_console_backend.c - a guest that prints at a backend that lies.
//
// The test is the backend: it has the console's page, and the other end of the
// channel.  The store is real, for what has nothing to do with printing.
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <xenstore.h>

#include <xen/xen.h>
#include <xen/errno.h>
#include <xen/io/console.h>

#include "guest-frontend/console.h"
#include "guest-frontend/events.h"
#include "guest-frontend/front.h"
#include "guest-frontend/xenbus.h"
#include "tests/lib/fini.h"
#include "tests/lib/flipper.h"
#include "tests/lib/patience.h"
#include "tests/lib/procdom.h"
#include "tests/lib/stack.h"
#include "tests/lib/storm.h"

#define DOMID  3u
#define FE     "/local/domain/3/device/vbd/1"
#define BE     "/local/domain/0/backend/vbd/3/1"
#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)
#define LINE   16u /* bytes of a numbered line */

static struct stack s;
static struct fakedom *dom;
static struct xencons_interface *ring;
static atomic_bool ended;
static char text[8192];

static _Atomic uint32_t *word(XENCONS_RING_IDX *index)
{
	return (_Atomic uint32_t *)index;
}

static void node(const char *path, const char *value, bool guest)
{
	struct xs_permissions perm[2] = {
		{ .id = guest ? DOMID : 0, .perms = XS_PERM_NONE },
		{ .id = guest ? 0 : DOMID, .perms = XS_PERM_READ },
	};
	struct xs_handle *xs = xs_open(0);

	cr_assert(xs && xs_write(xs, XBT_NULL, path, value,
				 (unsigned int)strlen(value)));
	cr_assert(xs_set_permissions(xs, XBT_NULL, path, perm, 2));
	xs_close(xs);
}

static void set_up(void)
{
	struct xs_handle *xs;

	stack_start(&s, false);
	dom = fakedom_new(DOMID, 1024);
	procdom_use(dom);
	node("/local/domain/3", "", true);
	xs = xs_open(0);
	cr_assert(xs && xs_introduce_domain(xs, DOMID, FAKEDOM_STORE_GFN,
					    FAKEDOM_STORE_PORT));
	xs_close(xs);
	cr_assert_eq(xenbus_init(), 0);
	ring = fakedom_console_page(dom);
	cr_assert_eq(console_init(), 0);
	memset(text, 'x', sizeof(text));
}

static void tear_down(void)
{
	fakedom_free(dom);
	FINI_CHECK(stack_stop(&s));
}

TestSuite(console_backend, .init = set_up, .fini = tear_down, .timeout = 300);

/* The backend's event. */
static void notify(void)
{
	uint64_t one = 1;

	cr_assert_eq(write(fakedom_port_fd(dom, FAKEDOM_CONSOLE_PORT), &one,
			   sizeof(one)),
		     (ssize_t)sizeof(one));
}

/* Take at most @most bytes that were printed; Return: how many. */
static uint32_t take(char *to, uint32_t most)
{
	uint32_t cons = *word(&ring->out_cons);
	uint32_t n = *word(&ring->out_prod) - cons; /* once: it changes */

	n = MIN(n, most);
	for (uint32_t i = 0; i < n; i++)
		to[i] = ring->out[MASK_XENCONS_IDX(cons + i, ring->out)];
	*word(&ring->out_cons) = cons + n;
	if (n)
		notify();
	return n;
}

/* Return: nanoseconds that printing @n bytes took. */
static uint64_t print(size_t n)
{
	uint64_t began = events_now();

	console_write(text, n);
	return events_now() - began;
}

/* All that is printed comes through, whatever was before. */
static void expect_print(void)
{
	static char got[sizeof(ring->out)];

	(void)take(got, sizeof(got));
	cr_expect_lt(print(100), CONSOLE_STUCK_NS);
	cr_expect_eq(take(got, sizeof(got)), 100u);
	cr_expect_arr_eq(got, text, 100);
}

struct lie {
	char name[32];
	bool in;
	uint32_t by; /* added to the backend's index */
};

ParameterizedTestParameters(console_backend, lies)
{
	static struct lie t[] = {
		{ "more taken than printed", false, 101 },
		{ "taken backwards", false, UINT32_MAX },
		{ "half the range", false, UINT32_C(1) << 31 },
		{ "typed more than there is room", true, 1025 },
		{ "typed backwards", true, UINT32_MAX },
	};
	return cr_make_param_array(struct lie, t, sizeof(t) / sizeof(t[0]));
}

/* The stream ends; the other goes on, and what is printed goes to the log. */
ParameterizedTest(struct lie *t, console_backend, lies)
{
	char buf[64], path[] = "/tmp/sv-test-log-XXXXXX";
	int log = mkstemp(path), was = dup(STDERR_FILENO);
	XENCONS_RING_IDX *index = t->in ? &ring->in_prod : &ring->out_cons;

	cr_expect_lt(print(100), CONSOLE_STUCK_NS);
	*word(index) += t->by;
	notify();
	dup2(log, STDERR_FILENO);
	cr_expect_lt(print(900), CONSOLE_STUCK_NS);
	dup2(was, STDERR_FILENO);
	close(was);
	cr_expect_eq(lseek(log, 0, SEEK_END), t->in ? 0 : 900, "%s", t->name);
	cr_expect_eq(console_read(buf, sizeof(buf), 10 * MS), 0u);
	if (t->in)
		expect_print();
	*word(index) -= t->by;
	cr_expect_eq(console_read(buf, sizeof(buf), 10 * MS), 0u);
	close(log);
	unlink(path);
}

/* Run @fn beside a long print. */
static uint64_t print_beside(void *(*fn)(void *))
{
	pthread_t thread;
	uint64_t took;

	cr_assert_eq(pthread_create(&thread, NULL, fn, NULL), 0);
	took = print(5000);
	ended = true;
	pthread_join(thread, NULL);
	return took;
}

static atomic_uint taken;

static void *take_all(void *arg)
{
	static char got[sizeof(ring->out)];

	(void)arg;
	while (!ended) {
		taken += take(got, sizeof(got));
		usleep(1000);
	}
	taken += take(got, sizeof(got));
	return NULL;
}

/* One wait, not one for each line; and all is well when it takes text again. */
Test(console_backend, takes_nothing)
{
	uint64_t took = print(5000);

	cr_expect_geq(took, CONSOLE_STUCK_NS);
	cr_expect_lt(took, 2 * CONSOLE_STUCK_NS);
	took = 0;
	for (int i = 0; i < 1000; i++)
		took += print(80);
	cr_expect_lt(took, CONSOLE_STUCK_NS, "1000 lines took %llu ms",
		     (unsigned long long)(took / MS));
	expect_print();
	cr_expect_lt(print_beside(take_all), CONSOLE_STUCK_NS);
	cr_expect_eq(taken, 5000u, "it is waited for again");
}

static void *storm(void *arg)
{
	(void)arg;
	while (!ended) {
		notify();
		/* Nobody may see an eventfd that is full. */
		usleep(10);
	}
	return NULL;
}

static void *take_by_the_byte(void *arg)
{
	char c;

	(void)arg;
	while (!ended) {
		(void)take(&c, 1);
		usleep(100000);
	}
	return NULL;
}

/* Events without room do not count as progress. */
Test(console_backend, event_storm)
{
	cr_expect_lt(print_beside(storm), CONSOLE_STUCK_NS + PATIENCE_NS);
	expect_print();
}

static void wait_in_vain(void)
{
	char c;

	cr_expect_eq(console_read(&c, 1, 10 * MS), 0u);
}

/* One CPU waits in the storm; another works on. */
Test(console_backend, event_storm_and_another_cpu)
{
	storm_and_another_cpu(dom, FAKEDOM_CONSOLE_PORT, wait_in_vain);
	expect_print();
}

/* Nor does a byte now and then. */
Test(console_backend, takes_a_byte_at_a_time)
{
	cr_expect_lt(print_beside(take_by_the_byte),
		     CONSOLE_STUCK_NS + PATIENCE_NS);
	expect_print();
}

/* Both of the backend's indices change all the time: at most the ring ends. */
Test(console_backend, flipper)
{
	struct flipper *out = flipper_start(&ring->out_cons, 4);
	struct flipper *in = flipper_start(&ring->in_prod, 4);
	unsigned long long begin = 0;
	char buf[64];

	/* The domain's log, where all goes once the ring has ended. */
	cr_assert(freopen("/dev/null", "w", stderr));
	while (flipper_time(&begin)) {
		cr_expect_lt(print(80), CONSOLE_STUCK_NS + PATIENCE_NS);
		cr_expect_leq(console_read(buf, sizeof(buf), MS), sizeof(buf));
	}
	flipper_stop(out);
	flipper_stop(in);
}

/* ---- A guest that goes on meanwhile ----------------------------------------- */

static atomic_uint printed;
static atomic_bool no_more; /* is printed */

/* Numbered lines, all the time; a vCPU of its own. */
static void *printer(void *arg)
{
	char line[LINE + 1];

	(void)arg;
	while (!ended) {
		snprintf(line, sizeof(line), "line %10u\n",
			 atomic_fetch_add(&printed, 1));
		console_write(line, LINE);
	}
	return NULL;
}

/* A backend that takes them; Return: NULL, or at the first that is not right. */
static void *reader(void *arg)
{
	static char line[LINE + 1];
	char want[LINE + 1];
	unsigned int next = 0, at = 0;
	bool last;
	uint32_t n;

	(void)arg;
	do {
		last = no_more;
		n = take(line + at, LINE - at);
		at += n;
		if (!n)
			usleep(100);
		if (at < LINE)
			continue;
		snprintf(want, sizeof(want), "line %10u\n", next++);
		if (memcmp(line, want, LINE)) {
			fprintf(stderr, "%.*s instead of %s", (int)LINE, line,
				want);
			return line;
		}
		at = 0;
	} while (n || !last);
	return next == printed ? NULL : &printed;
}

/* The console's nodes are the toolstack's: a guest that prints reads none. */
Test(console_backend, keys_change)
{
	static const char *const names[] = { "ring-ref", "port", "state",
					     "tty",	 "type", "limit" };
	static const char *const values[] = { "", "0", "-1", "4294967296",
					      "6" };
	pthread_t out, in;
	void *wrong;

	cr_assert_eq(pthread_create(&out, NULL, printer, NULL), 0);
	cr_assert_eq(pthread_create(&in, NULL, reader, NULL), 0);
	for (unsigned int i = 0; i < 600; i++) {
		stack_write(&s, values[i % 5], "/local/domain/3/console/%s",
			    names[i % 6]);
		stack_write(&s, values[i % 5],
			    "/local/domain/0/backend/console/3/0/%s",
			    names[i % 6]);
	}
	ended = true;
	pthread_join(out, NULL);
	no_more = true;
	pthread_join(in, &wrong);
	cr_expect_null(wrong);
	cr_expect_gt(printed, 100u);
}

/* A device of nothing but an event channel, which is closed when it goes. */
static uint32_t channel;

static int prepare(struct front *f)
{
	return events_alloc(f->be_domid, &channel);
}

static int no_keys(struct front *f, uint32_t txn)
{
	return xenbus_write_u64(txn, channel, "%s/event-channel", f->dir);
}

static int joined(struct front *f)
{
	(void)f;
	return 0;
}

static void leave(struct front *f)
{
	(void)f;
	events_close(channel);
}

static const struct front_ops device = {
	.type = "vbd",
	.offered = XenbusStateInitialised,
	.prepare = prepare,
	.keys = no_keys,
	.joined = joined,
	.leave = leave,
};

static void make_device(void)
{
	node(FE, "", true);
	node(FE "/backend", BE, false);
	node(FE "/backend-id", "0", false);
	node(FE "/state", "1", true);
	node(BE, "", false);
	stack_write(&s, "2", BE "/state");
}

static void *connect_device(void *arg)
{
	(void)arg;
	if (stack_wait(&s, 10000, "3", FE "/state"))
		stack_write(&s, "4", BE "/state");
	return NULL;
}

/* XSA-441: over and over, while another vCPU prints; no line is lost. */
Test(console_backend, device_removed_while_printing)
{
	pthread_t out, in, be;
	struct front f;
	void *wrong;

	cr_assert_eq(pthread_create(&out, NULL, printer, NULL), 0);
	cr_assert_eq(pthread_create(&in, NULL, reader, NULL), 0);
	for (unsigned int i = 0; i < 200; i++) {
		make_device();
		cr_assert_eq(pthread_create(&be, NULL, connect_device, NULL),
			     0);
		cr_assert_eq(front_init(&f, &device, 1), 0);
		cr_assert_eq(front_run(&f, XenbusStateConnected, PATIENCE_NS),
			     0);
		pthread_join(be, NULL);
		stack_rm(&s, BE);
		cr_assert_eq(front_run(&f, XenbusStateClosed, PATIENCE_NS), 0);
		front_fini(&f);
	}
	ended = true;
	pthread_join(out, NULL);
	no_more = true;
	pthread_join(in, &wrong);
	cr_expect_null(wrong);
	cr_expect_gt(printed, 1000u);
}
