// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_ringtop_peer.c - frontends that lie to who looks at rings.
#include "tools/ringtop_find.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <xen/io/console.h>

#include "tests/lib/fakeblk.h"
#include "tests/lib/fakedom.h"
#include "tests/lib/fini.h"
#include "tests/lib/stack.h"

#define DOMID 3u
#define PAGES 256u
#define BE    "/local/domain/0/backend/"
#define FE    "/local/domain/3/device/"

static struct stack s;
static struct fakedom *dom;
static struct fakeblk blk[2];
static struct xs_handle *xs;
static struct ringtop_dom *d;

/* A node with a value that is printed. */
static void put(const char *dir, const char *name, unsigned int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	stack_write(&s, text, "%s/%s", dir, name);
}

static void put_device(const char *type, unsigned int id)
{
	char fe[64];

	snprintf(fe, sizeof(fe), FE "%s/%u", type, id);
	stack_write(&s, fe, BE "%s/3/%u/frontend", type, id);
	stack_write(&s, "4", BE "%s/3/%u/state", type, id);
}

static void set_up(void)
{
	stack_start(&s, false);
	dom = fakedom_new(DOMID, PAGES);
	xs = xs_open(0);
	cr_assert_not_null(xs);
	cr_assert_eq(ringtop_open(&d, DOMID), 0);
	put_device("vbd", 51712);
	fakeblk_init(&blk[0], dom, BLK_ABI_X86_64, 1);
	fakeblk_init(&blk[1], dom, BLK_ABI_X86_64, 1);
	put(FE "vbd/51712", "ring-page-order", 1);
	put(FE "vbd/51712", "ring-ref0", blk[0].at.gref[0]);
	put(FE "vbd/51712", "ring-ref1", blk[0].at.gref[1]);
	put(FE "vbd/51712", "event-channel", blk[0].at.port);
}

static void tear_down(void)
{
	ringtop_close(d);
	xs_close(xs);
	fakedom_free(dom);
	FINI_CHECK(stack_stop(&s));
}

TestSuite(ringtop_peer, .init = set_up, .fini = tear_down, .timeout = 300);

/* ---- honest ones ------------------------------------------------------------ */

static struct ringtop_ring *ring(size_t i, const char *device, const char *part)
{
	cr_assert_lt(i, d->n);
	cr_assert_str_eq(d->ring[i].device, device);
	cr_assert_str_eq(d->ring[i].part, part);
	return &d->ring[i];
}

static void look(struct ringtop_ring *r)
{
	cr_assert_str_eq(r->problem, "");
	ringtop_look(r, UINT64_MAX);
}

Test(ringtop_peer, streams_are_the_special_pages)
{
	struct xencons_interface *console = fakedom_console_page(dom);
	struct ringtop_ring *r;

	cr_assert_eq(ringtop_find(d, xs, "console"), 0);
	cr_assert_eq(d->n, 2);
	console->out_prod = 77;
	console->out_cons = 70;
	console->in_prod = 5;
	look(ring(0, "console", "in"));
	r = ring(1, "console", "out");
	look(r);
	cr_expect(r->stream);
	cr_expect_eq(r->track.size, 2048);
	cr_expect_eq(r->port, FAKEDOM_CONSOLE_PORT);
	cr_expect_eq(r->track.words.req_prod, 77);
	cr_expect_eq(r->track.words.rsp_prod, 70);
	cr_expect_eq(d->ring[0].track.words.req_prod, 5);
	cr_assert_eq(ringtop_find(d, xs, "store"), 0);
	ring(0, "store", "req");
	cr_expect_eq(ring(1, "store", "rsp")->port, FAKEDOM_STORE_PORT);
}

Test(ringtop_peer, rings_of_a_disk)
{
	struct ringtop_ring *r;
	uint32_t *words;

	cr_assert_eq(ringtop_find(d, xs, "vbd/51712"), 0);
	cr_assert_eq(d->n, 1);
	r = ring(0, "vbd/51712", "queue-0");
	cr_expect_eq(r->npages, 2);
	cr_expect_eq(r->track.size, 64);
	cr_expect_eq(r->port, blk[0].at.port);
	words = fakedom_page(dom, blk[0].gfn);
	words[0] = 9;
	words[1] = 8;
	words[2] = 7;
	words[3] = 6;
	look(r);
	cr_expect_eq(r->track.words.req_prod, 9);
	cr_expect_eq(r->track.words.req_event, 8);
	cr_expect_eq(r->track.words.rsp_prod, 7);
	cr_expect_eq(r->track.words.rsp_event, 6);
}

/* A backend that offers a file; Return: its connection. */
static struct dom *offer(const char *device, const void *bytes, size_t size)
{
	char name[64];
	struct dom *be;
	int fd = memfd_create("counters", MFD_CLOEXEC), view;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	cr_assert_eq(pwrite(fd, bytes, size, 64), (ssize_t)size);
	view = open(name, O_RDONLY | O_CLOEXEC);
	cr_assert_eq(dom_connect(&be, DOMID, DOM_ROLE_BACKEND, device, false),
		     0);
	cr_assert_eq(dom_offer_stats(be, view, 64), 0);
	close(view);
	close(fd);
	return be;
}

/* What its backend counts is shown with a ring, and no other's. */
Test(ringtop_peer, counters_of_a_disk)
{
	static struct blkstat_file f, none;
	struct dom *be[5];

	blkstat_begin(&f);
	f.queue[0].kind[BLKSTAT_READ].requests = 12;
	f.queue[1].kind[BLKSTAT_READ].requests = 13;
	cr_assert_eq(ringtop_find(d, xs, NULL), 0);
	ringtop_count(d);
	for (size_t i = 0; i < d->n; i++)
		cr_expect_not(d->ring[i].counted);
	be[0] = offer("vbd/517120", &f, sizeof(f));
	be[1] = offer("vbd/51712", &none, sizeof(none));
	be[2] = offer("vbd/51712", "", 1);
	be[3] = offer("console", &f, sizeof(f));
	ringtop_count(d);
	for (size_t i = 0; i < d->n; i++)
		cr_expect_not(d->ring[i].counted, "another's, or junk");
	be[4] = offer("vbd/51712", &f, sizeof(f));
	ringtop_count(d);
	cr_expect(ring(4, "vbd/51712", "queue-0")->counted);
	cr_expect_eq(d->ring[4].stat.kind[BLKSTAT_READ].requests, 12);
	cr_assert_eq(ringtop_find(d, xs, NULL), 0);
	cr_expect(d->ring[4].counted, "till the next report");
	for (size_t i = 0; i < ARRAY_SIZE(be); i++)
		dom_free(be[i]);
}

Test(ringtop_peer, counters_of_a_card)
{
	static struct netstat_file f;
	struct dom *be[2];

	put_device("vif", 0);
	put(FE "vif/0", "tx-ring-ref", blk[0].at.gref[0]);
	put(FE "vif/0", "rx-ring-ref", blk[1].at.gref[0]);
	put(FE "vif/0", "event-channel", 11);
	netstat_begin(&f);
	netstat_add(&f.queue[0], NETSTAT_RX_BYTES, 5);
	netstat_add(&f.queue[1], NETSTAT_RX_BYTES, 6);
	cr_assert_eq(ringtop_find(d, xs, "vif"), 0);
	be[0] = offer("vif/1", &f, sizeof(f));
	be[1] = offer("vif/0", &f, sizeof(f));
	ringtop_count(d);
	cr_expect_eq(ring(0, "vif/0", "queue-0/tx")->counted, RINGTOP_TX);
	cr_expect_eq(ring(1, "vif/0", "queue-0/rx")->counted, RINGTOP_RX);
	cr_expect_eq(d->ring[1].card.n[NETSTAT_RX_BYTES], 5);
	dom_free(be[1]);
	ringtop_count(d);
	cr_expect_eq(d->ring[1].counted, RINGTOP_UNCOUNTED);
	dom_free(be[0]);
}

Test(ringtop_peer, queues_have_directories)
{
	put(FE "vbd/51712", "multi-queue-num-queues", 2);
	for (unsigned int i = 0; i < 2; i++) {
		char dir[64];

		snprintf(dir, sizeof(dir), FE "vbd/51712/queue-%u", i);
		put(dir, "ring-ref0", blk[i].at.gref[0]);
		put(dir, "event-channel", blk[i].at.port);
	}
	cr_assert_eq(ringtop_find(d, xs, "vbd"), 0);
	cr_assert_eq(d->n, 2);
	for (unsigned int i = 0; i < 2; i++) {
		char part[16];

		snprintf(part, sizeof(part), "queue-%u", i);
		*(uint32_t *)fakedom_page(dom, blk[i].gfn) = 100 + i;
		look(ring(i, "vbd/51712", part));
		cr_expect_eq(d->ring[i].track.size, 64, "both have two pages");
		cr_expect_eq(d->ring[i].track.words.req_prod, 100 + i);
		cr_expect_eq(d->ring[i].port, blk[i].at.port);
	}
}

Test(ringtop_peer, cards_have_two_rings)
{
	put_device("vif", 1);
	put(FE "vif/1", "tx-ring-ref", blk[0].at.gref[0]);
	put(FE "vif/1", "rx-ring-ref", blk[1].at.gref[0]);
	put(FE "vif/1", "event-channel", 11);
	cr_assert_eq(ringtop_find(d, xs, "vif/1"), 0);
	cr_assert_eq(d->n, 2);
	cr_expect_eq(ring(0, "vif/1", "queue-0/tx")->port, 11);
	cr_expect_eq(ring(1, "vif/1", "queue-0/rx")->port, 11);
	*(uint32_t *)fakedom_page(dom, blk[1].gfn) = 200;
	look(&d->ring[1]);
	cr_expect_eq(d->ring[1].track.words.req_prod, 200);
	cr_expect_eq(d->ring[1].track.size, 256);
	put(FE "vif/1", "event-channel-tx", 12);
	put(FE "vif/1", "event-channel-rx", 13);
	cr_assert_eq(ringtop_find(d, xs, "vif"), 0);
	cr_expect_eq(ring(0, "vif/1", "queue-0/tx")->port, 12);
	cr_expect_eq(ring(1, "vif/1", "queue-0/rx")->port, 13);
}

Test(ringtop_peer, a_ring_found_again_is_the_same)
{
	uint32_t *words = fakedom_page(dom, blk[0].gfn);

	cr_assert_eq(ringtop_find(d, xs, "vbd"), 0);
	look(&d->ring[0]);
	words[0] = 3;
	look(&d->ring[0]);
	cr_assert_eq(ringtop_find(d, xs, "vbd"), 0);
	words[2] = 3;
	look(&d->ring[0]);
	cr_expect_eq(d->ring[0].track.sum.looks, 3);
	cr_expect_eq(d->ring[0].track.sum.requests, 3);
	cr_expect_eq(d->ring[0].track.sum.untimed, 3, "nobody looked");
	/* Elsewhere it is another ring. */
	put(FE "vbd/51712", "ring-ref0", blk[1].at.gref[0]);
	cr_assert_eq(ringtop_find(d, xs, "vbd"), 0);
	cr_expect_eq(d->ring[0].track.sum.looks, 0);
}

/* Asked of the kernel, since sanitizers want SIGSEGV for themselves. */
static bool writable(const void *page)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	ssize_t n = syscall(SYS_read, fd, page, 1);

	cr_assert(n == 1 || errno == EFAULT);
	close(fd);
	return n == 1;
}

/* Neither the guest nor its backends can tell that somebody looks. */
Test(ringtop_peer, looking_changes_nothing)
{
	grant_entry_v1_t before = *fakedom_entry(dom, blk[0].at.gref[0]);
	uint8_t *page = fakedom_page(dom, blk[0].gfn), copy[4096];

	memcpy(copy, page, sizeof(copy));
	cr_assert_eq(ringtop_find(d, xs, NULL), 0);
	cr_assert_eq(d->n, 5);
	for (size_t i = 0; i < d->n; i++) {
		look(&d->ring[i]);
		cr_expect_not(writable(d->ring[i].stream ? d->ring[i].map.data
							 : d->ring[i].page));
	}
	cr_expect_eq(memcmp(copy, page, sizeof(copy)), 0);
	cr_expect_eq(memcmp(&before, fakedom_entry(dom, blk[0].at.gref[0]),
			    sizeof(before)),
		     0);
	cr_expect_not(fakedom_bound(dom, blk[0].at.port));
	cr_expect_not(fakedom_bound(dom, FAKEDOM_STORE_PORT));
	cr_expect_not(fakedom_bound(dom, FAKEDOM_CONSOLE_PORT));
}

Test(ringtop_peer, a_device_is_named_in_full_or_by_type)
{
	cr_assert_eq(ringtop_find(d, xs, "vbd/5171"), 0);
	cr_expect_eq(d->n, 0);
	cr_assert_eq(ringtop_find(d, xs, "vb"), 0);
	cr_expect_eq(d->n, 0);
	cr_assert_eq(ringtop_find(d, xs, ""), 0);
	cr_expect_eq(d->n, 0);
}

Test(ringtop_peer, the_domain_goes_away)
{
	struct ringtop_dom *none;

	cr_expect_eq(ringtop_open(&none, DOMID + 1), -ENOENT);
	fakedom_free(dom);
	cr_expect_eq(ringtop_find(d, xs, NULL), -EPIPE);
	dom = fakedom_new(DOMID, PAGES);
}

/* ---- liars ------------------------------------------------------------------ */

/* @key is set to @value, or is absent if that is empty. */
struct lie {
	char key[80], value[80], want[80];
};

ParameterizedTestParameters(ringtop_peer, nodes)
{
	static struct lie t[] = {
		{ FE "vbd/51712/ring-ref0", "-1", "ring-ref0 is '-1'; must" },
		{ FE "vbd/51712/ring-ref0", "4294967296", "from 0 to" },
		{ FE "vbd/51712/ring-ref0", "8x", "'8x'; must be a number" },
		{ FE "vbd/51712/ring-ref0", "\033[2J\"\n\xff", "'\\x1b[2J" },
		{ FE "vbd/51712/ring-ref0", "4294967295",
		  "grant 4294967295 is beyond the guest's table (1 frames)" },
		{ FE "vbd/51712/ring-ref0", "512", "grant 512 is beyond" },
		{ FE "vbd/51712/ring-ref0", "400", "is not for us" },
		{ FE "vbd/51712/ring-ref0", "", "ring-ref0 is not there" },
		{ FE "vbd/51712/ring-page-order", "5",
		  "ring-page-order is '5'; must be a number from 0 to 4" },
		{ FE "vbd/51712/ring-page-order", "99999999999999999999",
		  "ring-page-order is '9999" },
		{ FE "vbd/51712/ring-page-order", "", "ring-ref is not there" },
		{ FE "vbd/51712/event-channel", "4096",
		  "event-channel is '4096'; must be a number from 0 to 4095" },
		{ FE "vbd/51712/event-channel", "", "channel is not there" },
		{ FE "vbd/51712/multi-queue-num-queues", "0",
		  "multi-queue-num-queues is 0; must be at least 1" },
		{ FE "vbd/51712/multi-queue-num-queues", "65",
		  "queues is '65'; must be a number from 0 to 64" },
		{ FE "vbd/51712/multi-queue-num-queues", "18446744073709551617",
		  "queues is '1844" },
		{ FE "vbd/51712/multi-queue-num-queues", "64",
		  "queue-0/ring-ref0 is not there" },
		{ BE "vbd/3/51712/frontend", "/local/domain/33/device/vbd/1",
		  "frontend is no directory of the domain" },
		{ BE "vbd/3/51712/frontend", "", "frontend is no directory" },
		{ BE "vbd/3/51712/state", "2",
		  "the backend is waiting for the frontend" },
		{ BE "vbd/3/51712/state", "77", "the backend is unknown" },
		{ BE "vbd/3/51712/state", "", "the backend is unknown" },
	};

	return cr_make_param_array(struct lie, t, ARRAY_SIZE(t));
}

ParameterizedTest(struct lie *t, ringtop_peer, nodes)
{
	if (t->value[0])
		stack_write(&s, t->value, "%s", t->key);
	else
		stack_rm(&s, t->key);
	cr_assert_eq(ringtop_find(d, xs, "vbd"), 0);
	cr_assert_geq(d->n, 1);
	cr_expect(strstr(d->ring[0].problem, t->want), "%s",
		  d->ring[0].problem);
	for (const char *c = d->ring[0].problem; *c; c++)
		cr_assert(*c >= ' ' && *c < 127);
}

Test(ringtop_peer, long_values)
{
	char value[2001];

	memset(value, '7', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	stack_write(&s, value, FE "vbd/51712/ring-ref0");
	cr_assert_eq(ringtop_find(d, xs, "vbd"), 0);
	cr_expect(strstr(d->ring[0].problem, "777...'"), "%s",
		  d->ring[0].problem);
	stack_write(&s, value, BE "vbd/3/51712/frontend");
	cr_assert_eq(ringtop_find(d, xs, "vbd"), 0);
	cr_expect(strstr(d->ring[0].problem, "no directory"), "%s",
		  d->ring[0].problem);
	snprintf(value, sizeof(value), "/local/domain/3/%0150d", 1);
	stack_write(&s, value, BE "vbd/3/51712/frontend");
	cr_assert_eq(ringtop_find(d, xs, "vbd"), 0);
	cr_expect(strstr(d->ring[0].problem, "no directory"), "%s",
		  d->ring[0].problem);
}

Test(ringtop_peer, names_that_are_no_devices)
{
	stack_write(&s, "4", BE "vbd/3/x/state");
	stack_write(&s, "4", BE "vbd/3/4294967296/state");
	cr_assert_eq(ringtop_find(d, xs, "vbd"), 0);
	cr_assert_eq(d->n, 1);
	ring(0, "vbd/51712", "queue-0");
}

struct entry {
	char name[40];
	uint16_t flags, domid;
	uint32_t frame;
	char want[40];
};

ParameterizedTestParameters(ringtop_peer, entries)
{
	static struct entry t[] = {
		{ "all right", GTF_permit_access, 0, 1, "" },
		{ "read-only is enough", GTF_permit_access | GTF_readonly, 0, 1,
		  "" },
		{ "in use is fine", GTF_permit_access | GTF_writing, 0, 1, "" },
		{ "invalid", GTF_invalid, 0, 1, "(flags 0, domain 0)" },
		{ "transfer", GTF_accept_transfer, 0, 1, "not for us" },
		{ "transitive", GTF_transitive, 0, 1, "not for us" },
		{ "part of a page", GTF_permit_access | GTF_sub_page, 0, 1,
		  "not for us" },
		{ "another domain's", GTF_permit_access, 7, 1, "domain 7) is" },
		{ "no frame", GTF_permit_access, 0, PAGES / 2,
		  "frame 0x80, which is not RAM" },
		{ "far away", GTF_permit_access, 0, UINT32_MAX, "not RAM" },
		{ "the store's page", GTF_permit_access, 0, FAKEDOM_STORE_GFN,
		  "not RAM" },
	};

	return cr_make_param_array(struct entry, t, ARRAY_SIZE(t));
}

ParameterizedTest(struct entry *t, ringtop_peer, entries)
{
	grant_entry_v1_t *e = fakedom_entry(dom, 511);

	*e = (grant_entry_v1_t){ .flags = t->flags,
				 .domid = t->domid,
				 .frame = t->frame };
	put(FE "vbd/51712", "ring-ref0", 511);
	cr_assert_eq(ringtop_find(d, xs, "vbd"), 0);
	cr_assert_eq(d->n, 1);
	if (t->want[0])
		cr_expect(strstr(d->ring[0].problem, t->want), "%s: %s",
			  t->name, d->ring[0].problem);
	else
		cr_expect_str_eq(d->ring[0].problem, "", "%s", t->name);
}

/* References in all frames of a table that has grown since. */
Test(ringtop_peer, tables_grow)
{
	uint32_t ref = (DOM_FRAMES_PER_MSG + 3) * 512 + 17;

	cr_assert_eq(ringtop_find(d, xs, "vbd"), 0);
	*fakedom_entry(dom, ref) =
		(grant_entry_v1_t){ .flags = GTF_permit_access,
				    .frame = (uint32_t)blk[1].gfn };
	put(FE "vbd/51712", "ring-ref0", ref);
	cr_assert_eq(ringtop_find(d, xs, "vbd"), 0);
	cr_expect(strstr(d->ring[0].problem, "(1 frames)"));
	fakedom_grow(dom, DOM_FRAMES_PER_MSG + 4);
	cr_assert_eq(ringtop_find(d, xs, "vbd"), 0);
	*(uint32_t *)fakedom_page(dom, blk[1].gfn) = 4242;
	look(&d->ring[0]);
	cr_expect_eq(d->ring[0].track.words.req_prod, 4242);
}

Test(ringtop_peer, any_words_at_all)
{
	uint32_t *words = fakedom_page(dom, blk[0].gfn);

	cr_assert_eq(ringtop_find(d, xs, NULL), 0);
	srand(1);
	for (int i = 0; i < 20000; i++) {
		for (size_t k = 0; k < 4; k++)
			words[k] = (uint32_t)rand() << (rand() % 20);
		memcpy((char *)fakedom_console_page(dom) + 3072, words, 16);
		memcpy((char *)fakedom_store_page(dom) + 2048, words, 16);
		for (size_t k = 0; k < d->n; k++) {
			look(&d->ring[k]);
			cr_assert_leq(track_flight(&d->ring[k].track),
				      d->ring[k].track.size);
		}
	}
}
