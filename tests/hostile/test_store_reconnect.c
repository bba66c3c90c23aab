// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_store_reconnect.c - guests that begin their connection anew.
#include "tests/lib/storebed.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/lib/fini.h"
#include "xenstore-lite/quota.h"

static struct bed_client *d0, *g;

static void setup(void)
{
	bed_init();
	d0 = bed_dom0();
	g = bed_guest(1);
	bed_home(1);
}

static void teardown(void)
{
	FINI_CHECK(bed_consistent());
	bed_close(g);
	bed_close(d0);
	bed_fini();
}

TestSuite(store_reconnect, .init = setup, .fini = teardown, .timeout = 300);

/* The guest asks; Return: what the word says when the store is idle. */
static uint32_t ask_anew(void)
{
	g->page->connection = XENSTORE_RECONNECT;
	conn_kick(g->conn);
	bed_pump();
	return g->page->connection;
}

static bool works(void)
{
	g->page->req_cons = g->page->req_prod;
	bed_attach(g);
	return bed_write(g, 0, "data", "new") == 3 &&
	       !strcmp(bed_read(g, 0, "data"), "new");
}

static bool is_empty(void)
{
	return g->page->req_cons == g->page->req_prod &&
	       g->page->rsp_cons == g->page->rsp_prod &&
	       TAILQ_EMPTY(&g->conn->watches) && TAILQ_EMPTY(&g->conn->txns) &&
	       !g->conn->out_bytes;
}

/* A request of which the store shall have @part bytes, and no one takes the answer. */
static void put(const char *path, size_t part)
{
	struct {
		struct xsd_sockmsg h;
		char path[64];
	} m = { .h = { .type = XS_READ, .req_id = 7 } };
	size_t len = strlen(path) + 1;

	m.h.len = (uint32_t)len;
	memcpy(m.path, path, len);
	cr_assert_eq(bed_send(g, &m, part), part);
	bed_pump();
}

Test(store_reconnect, all_is_void)
{
	uint64_t memory = g->conn->account->memory;
	uint32_t tx;

	cr_assert_eq(bed_watch(g, "data", "t"), 0);
	tx = bed_start(g);
	cr_assert_eq(bed_write(g, tx, "data", "never"), 3);
	cr_expect_eq(ask_anew(), XENSTORE_CONNECTED);
	cr_expect(is_empty());
	cr_expect_eq(g->conn->account->memory, memory);
	cr_assert(works());
	cr_expect_str_eq(bed_event(g), "data|t", "the one that it had before");
	cr_expect_str_eq(bed_event(g), "");
	cr_expect_eq(bed_end(g, tx, true), -ENOENT);
	cr_expect_eq(bed_watch(g, "data", "t"), 0);
}

/* In the middle of a message, and with answers and events that it never read. */
Test(store_reconnect, at_any_time)
{
	for (size_t part = 0; part < 21; part++) {
		cr_assert_eq(bed_watch(g, "data", "t"), 0);
		bed_take(g);
		for (int i = 0; i < 40; i++)
			put("data", 21);
		bed_write(d0, 0, "/local/domain/1/data", "x");
		put("data", part);
		cr_assert_eq(ask_anew(), XENSTORE_CONNECTED);
		cr_assert(is_empty(), "%zu", part);
		cr_assert(works(), "%zu", part);
	}
}

static const struct {
	uint32_t word, value;
} lies[] = {
	{ 2052, 5000 }, /* req_prod */
	{ 2052, 0x80000000 },
	{ 2056, 0xffff }, /* rsp_cons */
	{ 2056, 0x80000000 },
};

Test(store_reconnect, after_a_broken_ring)
{
	static const struct xsd_sockmsg h = { .type = XS_READ,
					      .len = XENSTORE_PAYLOAD_MAX + 1 };

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		memcpy((char *)g->page + lies[i].word, &lies[i].value, 4);
		put("data", lies[i].word == 2052 ? 0 : 21);
		cr_assert(g->conn->parked, "%zu", i);
		cr_expect_eq(g->page->error, XENSTORE_ERROR_RINGIDX);
		cr_assert_eq(ask_anew(), XENSTORE_CONNECTED);
		cr_expect_not(g->conn->parked);
		cr_expect_eq(g->page->error, XENSTORE_ERROR_NONE);
		cr_expect(is_empty());
		cr_assert(works(), "%zu", i);
	}
	bed_send(g, &h, sizeof(h));
	bed_pump();
	cr_expect_eq(g->page->error, XENSTORE_ERROR_PROTO);
	cr_assert_eq(ask_anew(), XENSTORE_CONNECTED);
	cr_assert(works());
}

/* The words that it leaves behind are its own; whatever they are, it is told. */
Test(store_reconnect, with_absurd_words)
{
	for (uint32_t i = 0; i < 64; i++) {
		g->page->req_prod = i * 0x10000001u;
		g->page->req_cons = i * 0x7654321u;
		g->page->rsp_prod = i * 0x2000003u;
		g->page->rsp_cons = ~i * 0x3000005u;
		cr_assert_eq(ask_anew(), XENSTORE_CONNECTED);
		cr_assert(is_empty());
		cr_assert(works());
	}
}

/* It goes on while it waits, which it must not. */
Test(store_reconnect, writes_meanwhile)
{
	g->page->connection = XENSTORE_RECONNECT;
	put("data", 21);
	put("data", 21);
	cr_expect_eq(g->page->connection, XENSTORE_CONNECTED);
	cr_assert(works());
	g->page->connection = XENSTORE_RECONNECT;
	put("data", 21);
	g->page->req_prod -= 7;
	conn_kick(g->conn);
	bed_pump();
	cr_expect_eq(ask_anew(), XENSTORE_CONNECTED);
	cr_assert(works());
}

Test(store_reconnect, word_is_toggled)
{
	static const uint32_t others[] = { 2, 3, 0x100, 0x80000001,
					   UINT32_MAX };

	cr_assert_eq(bed_watch(g, "data", "t"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		g->page->connection = others[i];
		conn_kick(g->conn);
		bed_pump();
		cr_expect_eq(g->page->connection, others[i], "not asked");
	}
	for (int i = 0; i < 1000; i++) {
		g->page->connection = XENSTORE_RECONNECT;
		g->page->connection = XENSTORE_CONNECTED;
		conn_kick(g->conn);
		bed_pump();
	}
	cr_expect_eq(g->conn->account->watches, 1, "it took it back in time");
	cr_assert_eq(bed_write(g, 0, "data", "as before"), 3);
}

/* What it does costs itself: others get their turns, and nothing piles up. */
Test(store_reconnect, flood)
{
	uint64_t memory = 0;

	for (int i = 0; i < 3000; i++) {
		char token[16];

		snprintf(token, sizeof(token), "%d", i);
		cr_assert_eq(bed_watch(g, "data", token), 0);
		bed_start(g);
		cr_assert_eq(ask_anew(), XENSTORE_CONNECTED);
		bed_attach(g);
		for (size_t k = 0; k < g->nevents; k++)
			free(g->events[k]);
		g->nevents = g->next_event = 0;
		if (!i)
			memory = g->conn->account->memory;
		cr_assert_eq(g->conn->account->memory, memory);
		cr_assert_eq(g->conn->account->transactions, 0);
	}
	/* It asks again and again while the store is at work. */
	for (int i = 0; i < 100; i++) {
		g->page->connection = XENSTORE_RECONNECT;
		conn_kick(g->conn);
		cr_assert_eq(bed_write(d0, 0, "/d", "x"), 3);
	}
	bed_attach(g);
	cr_assert(works());
}

/* Who was not offered it has not got it. */
Test(store_reconnect, not_offered)
{
	cr_assert_eq(bed_watch(g, "data", "t"), 0);
	g->conn->features &= ~(uint32_t)XENSTORE_SERVER_FEATURE_RECONNECTION;
	cr_expect_eq(ask_anew(), XENSTORE_RECONNECT);
	cr_expect_eq(g->conn->account->watches, 1);
	cr_expect_eq(bed_write(g, 0, "data", "as before"), 3);
}

/* While dom0 has the store for itself the guest waits, and is not forgotten. */
Test(store_reconnect, keeps_its_domain)
{
	g->conn->who.target = 9;
	cr_assert_eq(ask_anew(), XENSTORE_CONNECTED);
	cr_expect_eq(g->conn->who.target, 9, "SET_TARGET was dom0's");
	cr_expect_eq(g->conn->who.domid, 1);
	cr_assert(works());
}
