// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_front_backend.c - a frontend whose backend writes nonsense.
//
// The store is real; the test is the backend, as dom0.
#include <errno.h>
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
#include <xen/sched.h>
#include <xen/io/blkif.h>
#include <xen/io/netif.h>

#include "guest-frontend/blkfront.h"
#include "guest-frontend/events.h"
#include "guest-frontend/grants.h"
#include "guest-frontend/netfront.h"
#include "guest-frontend/pages.h"
#include "guest-frontend/power.h"
#include "guest-frontend/xenbus.h"
#include "tests/lib/fini.h"
#include "tests/lib/patience.h"
#include "tests/lib/procdom.h"
#include "tests/lib/stack.h"

#define DOMID  3u
#define DEVID  51712u
#define FE     "/local/domain/3/device/vbd/51712"
#define BE     "/local/domain/0/backend/vbd/3/51712"
#define VIF_FE "/local/domain/3/device/vif/0"
#define VIF_BE "/local/domain/0/backend/vif/3/0"
#define SHORT  UINT64_C(300000000)
#define MARGIN PATIENCE_NS

#define RING_HEADER 64 /* bytes before the first slot, xen/io/ring.h */

static struct stack s;
static struct fakedom *dom;
static struct blkfront disk;
/* Everything that is offered, and more than there is room for. */
static const struct blkfront_want want = { .order = 99,
					   .queues = 99,
					   .segs = 9999 };

/* A node that the domain may write (@guest), or only read. */
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

static void key(const char *name, const char *value)
{
	stack_write(&s, value, "%s/%s", BE, name);
}

static void device(const char *fe, const char *be)
{
	char path[64];

	node(fe, "", true);
	node(be, "", false);
	snprintf(path, sizeof(path), "%s/backend", fe);
	node(path, be, false);
	snprintf(path, sizeof(path), "%s/backend-id", fe);
	node(path, "0", false);
	snprintf(path, sizeof(path), "%s/state", fe);
	node(path, "1", true);
	stack_write(&s, "2", "%s/state", be);
}

static void introduce(void)
{
	struct xs_handle *xs = xs_open(0);

	cr_assert(xs && xs_introduce_domain(xs, DOMID, FAKEDOM_STORE_GFN,
					    FAKEDOM_STORE_PORT));
	xs_close(xs);
}

static void set_up(void)
{
	stack_start(&s, false);
	dom = fakedom_new(DOMID, 8192);
	procdom_use(dom);
	node("/local/domain/3", "", false);
	node("/local/domain/3/error", "", true);
	device(FE, BE);
	key("sectors", "1000");
	key("sector-size", "512");
	introduce();
	cr_assert_eq(xenbus_init(), 0);
}

static void tear_down(void)
{
	fakedom_free(dom);
	FINI_CHECK(stack_stop(&s));
}

TestSuite(front_backend, .init = set_up, .fini = tear_down, .timeout = 300);

/* What the backend does meanwhile, in a thread: an honest one at first. */
static void *connect_when_asked(void *arg)
{
	int *ret = arg;

	if (stack_wait(&s, 10000, "3", "%s/state", FE))
		key("state", "4");
	if (*ret && stack_wait(&s, 10000, "5", "%s/state", FE))
		key("state", "6");
	return NULL;
}

/* @expected: not 0 if the frontend will close instead. */
static int open_disk(int expected)
{
	pthread_t thread;
	int ret;

	cr_assert_eq(pthread_create(&thread, NULL, connect_when_asked,
				    &expected),
		     0);
	ret = blkfront_open(&disk, DEVID, &want);
	pthread_join(thread, NULL);
	return ret;
}

struct keys {
	char name[32], value[32];
	int ret;
	unsigned int order, nqueues, segs;
};

ParameterizedTestParameters(front_backend, offers)
{
	static struct keys t[] = {
		{ "max-ring-page-order", "4", 0, 4, 1, 11 },
		{ "max-ring-page-order", "99", 0, 4, 1, 11 },
		{ "max-ring-page-order", "4294967295", 0, 4, 1, 11 },
		{ "max-ring-page-order", "-1", 0, 0, 1, 11 },
		{ "multi-queue-max-queues", "0", 0, 0, 1, 11 },
		{ "multi-queue-max-queues", "1000000", 0, 0, 16, 11 },
		{ "multi-queue-max-queues", "3 ", 0, 0, 1, 11 },
		{ "feature-max-indirect-segments", "10", 0, 0, 1, 11 },
		{ "feature-max-indirect-segments", "4294967295", 0, 0, 1, 256 },
		{ "feature-max-indirect-segments", "0x20", 0, 0, 1, 11 },
		{ "sectors", "9999999999999999999", -XEN_ERANGE, 0, 0, 0 },
		{ "sectors", "99999999999999999999999", -XEN_EINVAL, 0, 0, 0 },
		{ "sectors", "", -XEN_EINVAL, 0, 0, 0 },
		{ "sectors", "many", -XEN_EINVAL, 0, 0, 0 },
		{ "sector-size", "0", -XEN_EINVAL, 0, 0, 0 },
		{ "sector-size", "513", -XEN_EINVAL, 0, 0, 0 },
		{ "sector-size", "4294967296", -XEN_ERANGE, 0, 0, 0 },
	};
	return cr_make_param_array(struct keys, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct keys *t, front_backend, offers)
{
	unsigned int refs = grants_free_refs();
	size_t pages = pages_left();
	int ret;

	key(t->name, t->value);
	ret = open_disk(t->ret);
	cr_expect_eq(ret, t->ret, "%s = \"%s\": %d", t->name, t->value, ret);
	if (!ret) {
		cr_expect_eq(disk.order, t->order);
		cr_expect_eq(disk.nqueues, t->nqueues);
		cr_expect_eq(disk.segs, t->segs);
		key("state", "6");
		cr_expect_eq(blkfront_close(&disk), 0);
	}
	cr_expect_eq(pages_left(), pages);
	cr_expect_eq(grants_free_refs(), refs);
}

/* A frontend with a state of its own for each of the backend's, or none. */
ParameterizedTestParameters(front_backend, no_answer)
{
	static struct keys t[] = {
		{ "state", "0", 0, 0, 0, 0 },
		{ "state", "1", 0, 0, 0, 0 },
		{ "state", "3", 0, 0, 0, 0 },
		{ "state", "4", 0, 0, 0, 0 },
		{ "state", "5", 0, 0, 0, 0 },
		{ "state", "6", 0, 0, 0, 0 },
		{ "state", "7", 0, 0, 0, 0 },
		{ "state", "8", 0, 0, 0, 0 },
		{ "state", "9", 0, 0, 0, 0 },
		{ "state", "-1", 0, 0, 0, 0 },
		{ "state", "2147483650", 0, 0, 0, 0 },
		{ "state", "two", 0, 0, 0, 0 },
		{ "state", "", 0, 0, 0, 0 },
	};
	return cr_make_param_array(struct keys, t, sizeof(t) / sizeof(t[0]));
}

static const struct front_ops never = { .type = "vbd" };

ParameterizedTest(struct keys *t, front_backend, no_answer)
{
	uint64_t began = events_now();
	struct front f;

	key("state", t->value);
	cr_assert_eq(front_init(&f, &never, DEVID), 0);
	cr_assert_eq(front_start(&f), 0);
	cr_expect_eq(front_run(&f, XenbusStateConnected, SHORT), -XEN_EAGAIN,
		     "state %s", t->value);
	cr_expect_lt(events_now() - began, SHORT + MARGIN);
	front_fini(&f);
}

/* Whatever becomes of a connected backend, closing ends and gives all back. */
ParameterizedTestParameters(front_backend, goes_away)
{
	static struct keys t[] = {
		{ "state", "0", 0, 0, 0, 0 }, { "state", "5", 0, 0, 0, 0 },
		{ "state", "6", 0, 0, 0, 0 }, { "state", "77", 0, 0, 0, 0 },
		{ "state", "", 0, 0, 0, 0 },
	};
	return cr_make_param_array(struct keys, t, sizeof(t) / sizeof(t[0]));
}

static void *close_when_asked(void *arg)
{
	(void)arg;
	if (stack_wait(&s, 10000, "6", "%s/state", FE))
		key("state", "6");
	return NULL;
}

ParameterizedTest(struct keys *t, front_backend, goes_away)
{
	unsigned int refs = grants_free_refs();
	size_t pages = pages_left();
	struct blkfront_io io = { .op = BLKIF_OP_FLUSH_DISKCACHE };
	pthread_t thread;

	cr_assert_eq(open_disk(0), 0);
	cr_assert_eq(blkfront_submit(disk.queue[0], &io), 0);
	key("state", t->value);
	cr_assert_eq(pthread_create(&thread, NULL, close_when_asked, NULL), 0);
	cr_expect_eq(front_run(&disk.front, XenbusStateClosed, MARGIN), 0);
	pthread_join(thread, NULL);
	cr_expect_eq(io.status, -XEN_EIO, "what was in flight has failed");
	cr_expect_eq(blkfront_close(&disk), 0);
	cr_expect_eq(pages_left(), pages);
	cr_expect_eq(grants_free_refs(), refs);
}

/* The whole directory vanishes. */
Test(front_backend, is_removed)
{
	unsigned int refs = grants_free_refs();
	size_t pages = pages_left();

	cr_assert_eq(open_disk(0), 0);
	stack_rm(&s, BE);
	cr_expect_eq(front_run(&disk.front, XenbusStateClosed, MARGIN), 0);
	cr_expect_eq(blkfront_close(&disk), 0);
	cr_expect_eq(pages_left(), pages);
	cr_expect_eq(grants_free_refs(), refs);
}

/* Follow the backend until it says @sectors, or until an error. */
static int renew(uint64_t sectors)
{
	int ret = 0;

	while (!ret && disk.sectors != sectors)
		ret = blkfront_renew(&disk, MARGIN);
	return ret;
}

/* Connected once more: another size, or one that is none. */
Test(front_backend, resizes)
{
	cr_assert_eq(open_disk(0), 0);
	cr_assert_eq(disk.sectors, 1000);
	key("sectors", "2000");
	key("state", "4");
	cr_expect_eq(renew(2000), 0);
	key("sectors", "-5");
	key("state", "4");
	cr_expect_eq(renew(0), -XEN_EINVAL);
	cr_expect_eq(disk.sectors, 2000);
	cr_expect_eq(disk.front.state, XenbusStateConnected);
	key("sectors", "8");
	key("state", "4");
	cr_expect_eq(renew(8), 0);
	key("state", "5");
	cr_expect_eq(renew(0), -XEN_ENOTCONN);
	key("state", "6");
	cr_expect_eq(blkfront_close(&disk), 0);
}

/* ---- In another life ------------------------------------------------------- */

static void *resume_anew(void *arg)
{
	(void)arg;
	while (fakedom_resume(dom, true))
		usleep(1000);
	introduce();
	return NULL;
}

static void live_again(void)
{
	static const char *const nodes[] = { "shutdown", "feature-poweroff",
					     "feature-reboot",
					     "feature-suspend" };
	char path[64];
	pthread_t thread;

	for (unsigned int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "/local/domain/3/control/%s",
			 nodes[i]);
		node(path, "", true);
	}
	cr_assert_eq(pthread_create(&thread, NULL, resume_anew, NULL), 0);
	cr_assert_eq(power_suspend(SHUTDOWN_suspend), 0);
	pthread_join(thread, NULL);
}

/* A backend in the other life: an honest one. */
struct again {
	const char *fe, *be, *offered;
	bool closes; /* when the frontend does */
};

static void *serve_again(void *arg)
{
	const struct again *a = arg;

	if (stack_wait(&s, 10000, "1", "%s/state", a->fe))
		stack_write(&s, "2", "%s/state", a->be);
	if (stack_wait(&s, 10000, a->offered, "%s/state", a->fe))
		stack_write(&s, "4", "%s/state", a->be);
	if (a->closes && stack_wait(&s, 10000, "5", "%s/state", a->fe))
		stack_write(&s, "6", "%s/state", a->be);
	return NULL;
}

/* The ring that the frontend names in the store now. */
static const uint8_t *ring_of(const char *path)
{
	struct xs_handle *xs = xs_open(0);
	char *ref = xs_read(xs, XBT_NULL, path, NULL);
	grant_entry_v1_t *e;

	cr_assert_not_null(ref);
	e = fakedom_entry(dom, (uint32_t)strtoul(ref, NULL, 10));
	free(ref);
	xs_close(xs);
	return fakedom_page(dom, e->frame);
}

static uint32_t requests_in(const uint8_t *ring)
{
	uint32_t produced; /* the first in xen/io/ring.h */

	memcpy(&produced, ring, sizeof(produced));
	return produced;
}

Test(front_backend, resumes)
{
	struct again again = { FE, BE, "3", true };
	unsigned int refs = grants_free_refs();
	size_t pages = pages_left();
	struct blkfront_io io = { .op = BLKIF_OP_FLUSH_DISKCACHE };
	struct blkfront_queue *q;
	const uint8_t *ring;
	pthread_t thread;

	cr_assert_eq(open_disk(0), 0);
	q = disk.queue[0];
	cr_assert_eq(blkfront_submit(q, &io), 0);
	live_again();
	cr_expect_eq(grants_free_refs(), refs, "all of them are void");
	cr_assert_eq(pthread_create(&thread, NULL, serve_again, &again), 0);
	cr_assert_eq(blkfront_resume(&disk), 0);
	cr_expect_eq(disk.queue[0], q);
	cr_expect_eq(blkfront_inflight(q), 1);
	ring = ring_of(FE "/ring-ref");
	cr_expect_eq(requests_in(ring), 1, "it is sent again");
	cr_expect_eq(ring[RING_HEADER], BLKIF_OP_FLUSH_DISKCACHE);
	cr_expect_null(blkfront_done(q));
	cr_expect_eq(blkfront_close(&disk), 0);
	pthread_join(thread, NULL);
	cr_expect_eq(io.status, -XEN_EIO);
	cr_expect_eq(pages_left(), pages);
	cr_expect_eq(grants_free_refs(), refs);
}

static void nothing(void)
{
}

static void remove_front(void)
{
	stack_rm(&s, FE);
}

static void remove_back(void)
{
	stack_rm(&s, BE);
}

static void remove_both(void)
{
	remove_front();
	remove_back();
}

static void offer_less(void)
{
	key("multi-queue-max-queues", "1");
	key("state", "2");
}

/* XSA-465: what becomes of the device while it resumes. */
static const struct loss {
	void (*before)(void); /* the frontend looks */
	void (*after)(void);  /* it has said that it begins again */
	int ret;	      /* 0: any error */
} losses[] = {
	{ remove_front, nothing, 0 },
	{ remove_back, remove_front, -XEN_ENODEV },
	{ remove_both, nothing, 0 },
	{ nothing, remove_both, -XEN_ENODEV },
	{ offer_less, nothing, -XEN_EOPNOTSUPP },
};

static void *lose(void *arg)
{
	const struct loss *l = arg;

	if (l->after != nothing && stack_wait(&s, 1000, "1", "%s/state", FE))
		l->after();
	return NULL;
}

static void lose_it(const struct loss *l)
{
	unsigned int refs = grants_free_refs();
	size_t pages = pages_left();
	struct blkfront_io io = { .op = BLKIF_OP_FLUSH_DISKCACHE };
	uint64_t began;
	pthread_t thread;
	int ret;

	cr_assert_eq(open_disk(0), 0);
	cr_assert_eq(blkfront_submit(disk.queue[1], &io), 0);
	live_again();
	l->before();
	cr_assert_eq(pthread_create(&thread, NULL, lose, (void *)(uintptr_t)l),
		     0);
	began = events_now();
	ret = blkfront_resume(&disk);
	pthread_join(thread, NULL);
	cr_expect_lt(ret, 0);
	cr_expect(!l->ret || ret == l->ret, "%d", ret);
	cr_expect_lt(events_now() - began, MARGIN + FRONT_CLOSE_NS);
	cr_expect_eq(io.status, -XEN_EIO, "what was in flight has failed");
	cr_expect_eq(blkfront_close(&disk), 0);
	cr_expect_eq(pages_left(), pages);
	cr_expect_eq(grants_free_refs(), refs);
	/* The rest of the guest lives. */
	cr_expect_eq(power_wait(0), POWER_NONE);
}

ParameterizedTestParameters(front_backend, is_gone_when_resuming)
{
	static int t[] = { 0, 1, 2, 3, 4 };

	return cr_make_param_array(int, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(int *i, front_backend, is_gone_when_resuming)
{
	key("multi-queue-max-queues", "2");
	lose_it(&losses[*i]);
}

/* It says Connected before there is a ring, and goes on saying so. */
Test(front_backend, connected_from_the_start)
{
	struct front f;

	key("state", "4");
	cr_assert_eq(front_init(&f, &never, DEVID), 0);
	cr_expect_eq(front_run(&f, XenbusStateConnected, SHORT), -XEN_EAGAIN);
	cr_expect_eq(f.state, XenbusStateInitialising);
	front_fini(&f);
}

/* It never lets go: closing has an end all the same, and nothing is reused. */
Test(front_backend, never_closes)
{
	unsigned int refs = grants_free_refs(), held = 0;
	uint64_t began;

	cr_assert_eq(open_disk(0), 0);
	for (uint32_t ref = 8; ref < FAKEDOM_GNT_FRAMES * 512; ref++) {
		uint16_t *flags = &fakedom_entry(dom, ref)->flags;

		if (*flags & GTF_permit_access) {
			*flags |= GTF_writing;
			held++;
		}
	}
	began = events_now();
	cr_expect_eq(blkfront_close(&disk), -XEN_EAGAIN);
	cr_expect_lt(events_now() - began, FRONT_CLOSE_NS + MARGIN);
	cr_expect_eq(disk.front.state, XenbusStateClosed);
	cr_expect_eq(grants_free_refs(), refs - held);
}

/* XSA-350 turned round: states change as fast as the store takes them. */
static void *toggle(void *arg)
{
	static const char *const states[] = { "1", "2", "3", "4",
					      "5", "6", "7", "9" };
	struct xs_handle *xs = xs_open(0);
	unsigned int x = 1;

	for (unsigned int i = 0; i < 3000; i++) {
		x = x * 1103515245 + 12345;
		(void)xs_write(xs, XBT_NULL, BE "/state", states[x >> 16 & 7],
			       1);
	}
	(void)xs_write(xs, XBT_NULL, BE "/state", "6", 1);
	xs_close(xs);
	atomic_store((atomic_bool *)arg, true);
	return NULL;
}

Test(front_backend, toggles)
{
	unsigned int refs = grants_free_refs(), turns = 0;
	size_t pages = pages_left();
	atomic_bool ended = false;
	pthread_t thread;
	int ret;

	cr_assert_eq(open_disk(0), 0);
	cr_assert_eq(pthread_create(&thread, NULL, toggle, &ended), 0);
	for (; !atomic_load(&ended); turns++) {
		if (disk.front.state == XenbusStateClosed &&
		    !disk.front.prepared)
			cr_assert_eq(front_start(&disk.front), 0);
		ret = front_run(&disk.front, XenbusStateConnected, SHORT / 30);
		if (ret == -XEN_EINVAL)
			(void)front_run(&disk.front, XenbusStateClosed, SHORT);
	}
	pthread_join(thread, NULL);
	cr_expect_gt(turns, 10u);
	cr_expect_eq(blkfront_close(&disk), 0);
	cr_expect_eq(disk.front.state, XenbusStateClosed);
	cr_expect_eq(pages_left(), pages);
	cr_expect_eq(grants_free_refs(), refs);
}

/* ---- Cards -------------------------------------------------------------------- */

static struct netfront card;

static void vif(const char *name, const char *value)
{
	stack_write(&s, value, "%s/%s", VIF_BE, name);
}

static void *connect_card(void *arg)
{
	(void)arg;
	if (stack_wait(&s, 10000, "4", "%s/state", VIF_FE))
		vif("state", "4");
	return NULL;
}

/* With everything wanted, and more than there is room for. */
static void open_card(void)
{
	static const struct netfront_want all = {
		99, true, true, true, true, true, true, true, true, false
	};
	pthread_t thread;

	node(VIF_FE "/mac", "00:16:3e:ab:0c:0d", false);
	cr_assert_eq(pthread_create(&thread, NULL, connect_card, NULL), 0);
	cr_assert_eq(netfront_open(&card, 0, &all), 0);
	pthread_join(thread, NULL);
}

static void close_card(void)
{
	vif("state", "6");
	cr_expect_eq(netfront_close(&card), 0);
}

struct offer {
	char name[40], value[16];
	unsigned int nqueues;
	bool split;
	struct netfront_caps caps;
};

ParameterizedTestParameters(front_backend, card_offers)
{
	static struct offer t[] = {
		{ "nothing", "1", 1, false, { .csum4 = true } },
		{ "feature-sg", "1", 1, false, { .sg = true, .csum4 = true } },
		{ "feature-sg", "yes", 1, false, { .csum4 = true } },
		{ "feature-sg", "-1", 1, false, { .csum4 = true } },
		{ "feature-gso-tcpv4", "1", 1, false, { .csum4 = true } },
		{ "feature-no-csum-offload", "1", 1, false, { 0 } },
		{ "feature-ipv6-csum-offload",
		  "1",
		  1,
		  false,
		  { .csum4 = true, .csum6 = true } },
		{ "feature-split-event-channels",
		  "1",
		  1,
		  true,
		  { .csum4 = true } },
		{ "multi-queue-max-queues", "3", 3, false, { .csum4 = true } },
		{ "multi-queue-max-queues", "0", 1, false, { .csum4 = true } },
		{ "multi-queue-max-queues",
		  "4294967295",
		  8,
		  false,
		  { .csum4 = true } },
		{ "multi-queue-max-queues",
		  "4294967296",
		  1,
		  false,
		  { .csum4 = true } },
	};
	return cr_make_param_array(struct offer, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct offer *t, front_backend, card_offers)
{
	unsigned int refs = grants_free_refs();
	size_t pages = pages_left();

	device(VIF_FE, VIF_BE);
	vif("feature-rx-copy", "1");
	vif(t->name, t->value);
	open_card();
	cr_expect_eq(card.nqueues, t->nqueues);
	cr_expect_eq(card.split, t->split);
	cr_expect_not(card.copy);
	cr_expect_eq(card.mtu, 1500);
	cr_expect_arr_eq(card.mac, "\x00\x16\x3e\xab\x0c\x0d", 6);
	cr_expect_arr_eq(&card.caps, &t->caps, sizeof(card.caps));
	close_card();
	cr_expect_eq(pages_left(), pages);
	cr_expect_eq(grants_free_refs(), refs);
}

/* Pages are not flipped, and an address is six bytes. */
Test(front_backend, card_refused)
{
	static const char *const macs[] = { "",
					    "00:16:3e:ab:0c",
					    "00:16:3e:ab:0c:0d:0e",
					    "00:16:3e:ab:0c:0g",
					    "0:16:3e:ab:0c:00d",
					    "00-16-3e-ab-0c-0d" };
	struct netfront_want plain = { 0 };

	device(VIF_FE, VIF_BE);
	for (unsigned int i = 0; i < sizeof(macs) / sizeof(macs[0]); i++) {
		node(VIF_FE "/mac", macs[i], false);
		cr_expect_eq(netfront_open(&card, 0, &plain), -XEN_EINVAL, "%s",
			     macs[i]);
	}
	node(VIF_FE "/mac", "00:16:3e:ab:0c:0d", false);
	vif("feature-rx-copy", "0");
	cr_expect_eq(netfront_open(&card, 0, &plain), -XEN_EOPNOTSUPP);
	cr_expect_eq(netfront_open(&card, 1, &plain), -XEN_ENOENT);
}

/* Multicasts are filtered where that is offered, at any time where that is. */
Test(front_backend, card_filters)
{
	static const char *const asked = VIF_FE "/request-multicast-control";

	device(VIF_FE, VIF_BE);
	node(VIF_FE "/trusted", "0", false);
	node(VIF_FE "/mtu", "9000", false);
	vif("feature-rx-copy", "1");
	open_card();
	cr_expect(card.copy, "it is not trusted");
	cr_expect_eq(card.mtu, 9000);
	cr_expect(stack_wait(&s, 0, "0", "%s", asked), "not offered");
	cr_expect_eq(netfront_mcast(&card, true), -XEN_EOPNOTSUPP);
	close_card();
	vif("feature-multicast-control", "1");
	vif("feature-dynamic-multicast-control", "1");
	vif("state", "2");
	open_card();
	cr_expect(stack_wait(&s, 0, "1", "%s", asked), "asked for");
	cr_expect_eq(netfront_mcast(&card, false), 0);
	cr_expect(stack_wait(&s, 0, "0", "%s", asked), "no more");
	cr_expect_eq(netfront_mcast(&card, true), 0);
	cr_expect(stack_wait(&s, 0, "1", "%s", asked), "once more");
	close_card();
}

/* ---- A card with a control ring, in another life -------------------------------- */

/* Whether the backend offers such a ring, before and then. */
struct ctrl_offers {
	char before[2], then[2];
};

ParameterizedTestParameters(front_backend, card_resumes)
{
	static struct ctrl_offers t[] = { { "1", "1" },
					  { "1", "0" },
					  { "0", "1" } };
	return cr_make_param_array(struct ctrl_offers, t,
				   sizeof(t) / sizeof(t[0]));
}

/* A request that nobody answers: is there a ring for it? */
static void expect_ctrl(bool there)
{
	static const char *const path = VIF_FE "/ctrl-ring-ref";
	struct xen_netif_ctrl_request req;
	const uint8_t *ring;

	cr_expect_eq(card.caps.hash, there);
	cr_expect_eq(netfront_hash_types(&card, 5),
		     there ? -XEN_EAGAIN : -XEN_EOPNOTSUPP);
	if (!there) {
		cr_expect(stack_wait(&s, 0, NULL, "%s", path));
		return;
	}
	ring = ring_of(path);
	memcpy(&req, ring + RING_HEADER, sizeof(req));
	cr_expect_eq(requests_in(ring), 1);
	cr_expect_eq(req.type, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS);
	cr_expect_eq(req.data[0], 5);
}

ParameterizedTest(struct ctrl_offers *t, front_backend, card_resumes)
{
	struct again again = { VIF_FE, VIF_BE, "4", false };
	unsigned int refs = grants_free_refs(), ports = fakedom_ports(dom);
	size_t pages = pages_left();
	pthread_t thread;

	device(VIF_FE, VIF_BE);
	vif("feature-rx-copy", "1");
	vif("feature-ctrl-ring", t->before);
	open_card();
	expect_ctrl(*t->before == '1');
	live_again();
	cr_expect_eq(grants_free_refs(), refs, "all of them are void");
	cr_expect_eq(fakedom_ports(dom), ports);
	vif("feature-ctrl-ring", t->then);
	cr_assert_eq(pthread_create(&thread, NULL, serve_again, &again), 0);
	cr_expect_eq(netfront_resume(&card), 0);
	cr_expect_eq(fakedom_ports(dom), ports + 1 + (*t->then == '1'));
	pthread_join(thread, NULL);
	expect_ctrl(*t->then == '1');
	close_card();
	cr_expect_eq(pages_left(), pages);
	cr_expect_eq(grants_free_refs(), refs);
	cr_expect_eq(fakedom_ports(dom), ports);
}
