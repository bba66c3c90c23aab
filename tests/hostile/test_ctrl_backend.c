// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_ctrl_backend.c - a control ring whose backend lies.
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/errno.h>

#include "base/domsock.h"
#include "dom0-backend/net_ctrl.h"
#include "guest-frontend/events.h"
#include "guest-frontend/grants.h"
#include "guest-frontend/netfront.h"
#include "guest-frontend/pages.h"
#include "tests/lib/patience.h"
#include "tests/lib/procdom.h"
#include "tests/lib/storm.h"

#define DOMID 7

static struct fakedom *dom;
static struct dom *conn;
static struct netfront card;
static struct netfront_ctrl_keys keys;
static struct net_ctrl_ring_back ring;
static void *shared;
static int kick = -1, call = -1;
static size_t pages;
static unsigned int refs;

static void *granted(uint32_t ref)
{
	return fakedom_page(dom, fakedom_entry(dom, ref)->frame);
}

static void set_up(void)
{
	fakedom_run_dir();
	dom = fakedom_new(DOMID, 64);
	procdom_use(dom);
	pages = pages_left();
	refs = grants_free_refs();
	cr_assert_eq(netfront_ctrl_new(&card.ctrl, &card, &keys), 0);
	shared = granted(keys.gref);
	cr_assert_eq(net_ctrl_ring_back_attach(&ring, &shared, 1, NULL), 0);
	cr_assert_eq(
		dom_connect(&conn, DOMID, DOM_ROLE_BACKEND, "vif/0", false), 0);
	cr_assert_eq(dom_evtchn_bind(conn, keys.port, &kick, &call), 0);
}

static void tear_down(void)
{
	dom_free(conn);
	fakedom_free(dom);
	fakedom_run_dir_remove();
}

TestSuite(ctrl_backend, .init = set_up, .fini = tear_down, .timeout = 300);

static void expect_all_back(void)
{
	netfront_ctrl_free(card.ctrl);
	card.ctrl = NULL;
	cr_expect_eq(pages_left(), pages);
	cr_expect_eq(grants_free_refs(), refs);
	cr_expect_eq(netfront_hash_types(&card, 1), -XEN_EOPNOTSUPP);
}

/* ---- the backend, in a thread of its own -------------------------------------- */

/**
 * struct lie - How requests are answered.
 * @id, @type: Added to the request's.
 * @times:     How often each is answered.
 * @index:     Added to the ring's producer of answers, behind our back.
 */
struct lie {
	char name[32];
	uint16_t id, type;
	uint32_t status, data;
	unsigned int times;
	uint32_t index;
	int want, then; /* what the call returns, and the next one */
};

static const struct lie *script;
static struct xen_netif_ctrl_request last;
static atomic_bool stop;
static pthread_t thread;

static void notify(void)
{
	uint64_t one = 1;

	(void)!write(call, &one, sizeof(one));
}

static void answer(const struct lie *l, const struct xen_netif_ctrl_request *r)
{
	struct xen_netif_ctrl_response rsp = {
		.id = (uint16_t)(r->id + l->id),
		.type = (uint16_t)(r->type + l->type),
		.status = l->status,
		.data = l->data,
	};

	net_ctrl_ring_back_put(&ring, &rsp);
	(void)!net_ctrl_ring_back_push(&ring);
	/* req_prod, req_event, rsp_prod: xen/io/ring.h */
	if (l->index || l->times > 1)
		__atomic_fetch_add((uint32_t *)shared + 2,
				   l->index + l->times - 1, __ATOMIC_SEQ_CST);
	notify();
}

static void *serve(void *arg)
{
	while (!atomic_load(&stop)) {
		if (net_ctrl_ring_back_take(&ring, &last) == 1)
			answer(script, &last);
		else
			usleep(100);
	}
	return arg;
}

static void start(const struct lie *l)
{
	script = l;
	cr_assert_eq(pthread_create(&thread, NULL, serve, NULL), 0);
}

static void end(void)
{
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
}

static const struct lie honest = { .times = 1, .data = 77 };

/* ---- tests -------------------------------------------------------------------- */

/* For comparison: what goes over the wire, and who may touch it. */
Test(ctrl_backend, requests)
{
	static const uint32_t table[3] = { 3, 2, 1 };
	uint32_t data;

	start(&honest);
	cr_expect_eq(netfront_hash_algorithm(&card, 1), 0);
	cr_expect(last.type == 7 && last.data[0] == 1 && !last.data[1]);
	cr_expect_eq(netfront_hash_types(&card, 5), 0);
	cr_expect(last.type == 2 && last.data[0] == 5);
	cr_expect_eq(netfront_hash_offered(&card, &data), 0);
	cr_expect(last.type == 1 && data == (77 & 15));
	cr_expect_eq(netfront_hash_table_max(&card, &data), 0);
	cr_expect(last.type == 4 && data == 77);
	cr_expect_eq(netfront_hash_table_size(&card, 9), 0);
	cr_expect(last.type == 5 && last.data[0] == 9);
	cr_expect_eq(netfront_hash_key(&card, "abc", 3), 0);
	cr_expect(last.type == 3 && last.data[1] == 3 && !last.data[2]);
	cr_expect_arr_eq(granted(last.data[0]), "abc", 3);
	cr_expect(fakedom_entry(dom, last.data[0])->flags & GTF_readonly);
	cr_expect_eq(netfront_hash_table(&card, table, 3, 8), 0);
	cr_expect(last.type == 6 && last.data[1] == 3 && last.data[2] == 8);
	cr_expect_arr_eq(granted(last.data[0]), table, sizeof(table));
	cr_expect_eq(netfront_hash_key(&card, table, 4097), -XEN_E2BIG);
	cr_expect_eq(netfront_hash_table(&card, table, 1025, 0), -XEN_E2BIG);
	for (unsigned int i = 0; i < 1000; i++) /* round the ring */
		cr_assert_eq(netfront_hash_types(&card, i & 15), 0);
	end();
	expect_all_back();
}

ParameterizedTestParameters(ctrl_backend, lies)
{
	static struct lie t[] = {
		{ "not supported", .status = 1, .times = 1,
		  .want = -XEN_EOPNOTSUPP, .then = -XEN_EOPNOTSUPP },
		{ "invalid", .status = 2, .times = 1, .want = -XEN_EINVAL,
		  .then = -XEN_EINVAL },
		{ "too long", .status = 3, .times = 1, .want = -XEN_E2BIG,
		  .then = -XEN_E2BIG },
		{ "no such status", .status = 4, .times = 1, .want = -XEN_EIO,
		  .then = -XEN_EIO },
		{ "all types there are", .data = UINT32_MAX, .times = 1 },
		{ "another id", .id = 1, .times = 1, .want = -XEN_EIO,
		  .then = -XEN_EIO },
		{ "the id before", .id = UINT16_MAX, .times = 1,
		  .want = -XEN_EIO, .then = -XEN_EIO },
		{ "another type", .type = 1, .times = 1, .want = -XEN_EIO,
		  .then = -XEN_EIO },
		{ "answered twice", .times = 2, .want = -XEN_EIO,
		  .then = -XEN_EIO },
		{ "a ring of answers", .times = 128, .want = -XEN_EIO,
		  .then = -XEN_EIO },
		{ "half the range", .times = 1, .index = 1u << 31,
		  .want = -XEN_EIO, .then = -XEN_EIO },
		{ "backwards", .times = 1, .index = UINT32_MAX - 1,
		  .want = -XEN_EIO, .then = -XEN_EIO },
	};
	return cr_make_param_array(struct lie, t, ARRAY_SIZE(t));
}

/* One lie ends the ring; an answer that is none of success does not. */
ParameterizedTest(struct lie *t, ctrl_backend, lies)
{
	uint32_t types = 0;
	uint16_t id;

	start(t);
	cr_expect_eq(netfront_hash_offered(&card, &types), t->want, "%s",
		     t->name);
	cr_expect_eq(types, t->want ? 0 : 15);
	id = last.id;
	cr_expect_eq(netfront_hash_offered(&card, &types), t->then);
	cr_expect_eq(last.id == id, t->want == -XEN_EIO && t->status == 0,
		     "asked no more: %s", t->name);
	end();
	expect_all_back();
}

static void take(struct xen_netif_ctrl_request *r)
{
	cr_assert_eq(net_ctrl_ring_back_take(&ring, r), 1);
}

/* An answer that comes too late is waited for; till then the page stays. */
Test(ctrl_backend, late_answers)
{
	struct xen_netif_ctrl_request r, none;
	uint64_t began = events_now(), took;

	cr_expect_eq(netfront_hash_key(&card, "first", 5), -XEN_EAGAIN);
	took = events_now() - began;
	cr_expect(took >= NETFRONT_CTRL_NS &&
		  took < NETFRONT_CTRL_NS + PATIENCE_NS);
	take(&r);
	cr_expect_eq(netfront_hash_key(&card, "second", 6), -XEN_EAGAIN);
	cr_expect_eq(net_ctrl_ring_back_take(&ring, &none), 0, "no other yet");
	cr_expect_arr_eq(granted(r.data[0]), "first", 6);
	answer(&honest, &r);
	start(&honest);
	cr_expect_eq(netfront_hash_key(&card, "third", 5), 0);
	cr_expect_arr_eq(granted(last.data[0]), "third", 6);
	end();
	expect_all_back();
}

/* And must be right all the same. */
Test(ctrl_backend, late_lies)
{
	static const struct lie wrong = { .times = 1, .id = 1 };
	struct xen_netif_ctrl_request r;

	cr_expect_eq(netfront_hash_types(&card, 1), -XEN_EAGAIN);
	take(&r);
	answer(&wrong, &r);
	cr_expect_eq(netfront_hash_types(&card, 1), -XEN_EIO);
	cr_expect_eq(net_ctrl_ring_back_take(&ring, &r), 0);
	expect_all_back();
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* XSA-391: events without an answer cost little, and end with the time. */
Test(ctrl_backend, event_storm)
{
	struct storm *storm = storm_start(dom, keys.port);
	uint64_t cpu = cpu_ns();

	cr_expect_eq(netfront_hash_types(&card, 1), -XEN_EAGAIN);
	cpu = cpu_ns() - cpu;
	cr_expect_lt(cpu, NETFRONT_CTRL_NS / 20, "%llu ns of CPU",
		     (unsigned long long)cpu);
	storm_stop(storm);
	expect_all_back();
}

static void wait_in_vain(void)
{
	cr_expect_eq(netfront_hash_types(&card, 1), -XEN_EAGAIN);
}

/* One CPU waits in the storm; another works on. */
Test(ctrl_backend, event_storm_and_another_cpu)
{
	storm_and_another_cpu(dom, keys.port, wait_in_vain);
	expect_all_back();
}

/* XSA-396: what the backend has not let go of is not used again. */
Test(ctrl_backend, keeps_its_pages)
{
	start(&honest);
	cr_assert_eq(netfront_hash_key(&card, "x", 1), 0);
	end();
	for (int i = 0; i < 2; i++)
		__atomic_or_fetch(&fakedom_entry(dom,
						 i ? last.data[0] : keys.gref)
					   ->flags,
				  GTF_reading, __ATOMIC_SEQ_CST);
	netfront_ctrl_free(card.ctrl);
	cr_expect_eq(pages_left(), pages - 2);
	cr_expect_eq(grants_free_refs(), refs - 2);
}

/* XSA-403: nothing else lies in these pages. */
Test(ctrl_backend, finds_nothing_beside_the_data)
{
	const uint8_t *page;

	start(&honest);
	cr_assert_eq(netfront_hash_key(&card, "abc", 3), 0);
	end();
	page = granted(last.data[0]);
	for (size_t i = 3; i < PAGE_BYTES; i++)
		cr_assert_eq(page[i], 0);
	page = shared;
	for (size_t i = 64 + 16; i < PAGE_BYTES; i++)
		cr_assert_eq(page[i], 0);
}
