/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_stream.c - byte streams with an honest peer. */
#include "ring/stream.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>

static struct xencons_interface *cons_new(uint32_t at)
{
	struct xencons_interface *c = aligned_alloc(4096, 4096);

	cr_assert_not_null(c);
	memset(c, 0, 4096);
	c->out_cons = c->out_prod = at;
	return c;
}

struct ends {
	struct stream_writer w;
	struct stream_reader r;
};

static void ends_attach(struct ends *e, struct xencons_interface *c,
			enum stream_wake wake)
{
	struct stream_map map = STREAM_MAP(c, out);

	cr_assert_eq(stream_writer_attach(&e->w, &map, wake), 0);
	cr_assert_eq(stream_reader_attach(&e->r, &map, wake), 0);
}

Test(stream, maps_lie_where_xen_says)
{
	struct xenstore_domain_interface *x = NULL;
	struct xencons_interface *c = NULL;
	struct stream_map m;

	m = STREAM_MAP(c, in);
	cr_expect_eq((uintptr_t)m.data, 0);
	cr_expect_eq(m.size, 1024);
	cr_expect_eq((uintptr_t)m.cons, 3072);
	cr_expect_eq((uintptr_t)m.prod, 3076);
	m = STREAM_MAP(c, out);
	cr_expect_eq((uintptr_t)m.data, 1024);
	cr_expect_eq(m.size, 2048);
	cr_expect_eq((uintptr_t)m.cons, 3080);
	cr_expect_eq((uintptr_t)m.prod, 3084);
	m = STREAM_MAP(x, req);
	cr_expect_eq(m.size, 1024);
	cr_expect_eq((uintptr_t)m.cons, 2048);
	m = STREAM_MAP(x, rsp);
	cr_expect_eq((uintptr_t)m.data, 1024);
	cr_expect_eq((uintptr_t)m.prod, 2060);
}

struct start {
	uint32_t at;
};

ParameterizedTestParameters(stream, bytes_come_out_as_they_went_in)
{
	static struct start t[] = {
		{ 0 }, { 2047 }, { 1 }, { UINT32_MAX - 99 }
	};

	return cr_make_param_array(struct start, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct start *t, stream, bytes_come_out_as_they_went_in)
{
	uint8_t out[3000], in[3000];
	size_t sent = 0, got = 0;
	bool notify = false;
	struct ends e;
	int n;

	ends_attach(&e, cons_new(t->at), STREAM_WAKE_ALWAYS);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + i / 256);
	for (size_t turn = 0; got < sizeof(in); turn++) {
		n = stream_write(&e.w, out + sent,
				 sizeof(out) - sent < 700 ? sizeof(out) - sent
							  : 700,
				 &notify);
		cr_assert_geq(n, 0);
		sent += (size_t)n;
		n = stream_read(&e.r, in + got, 100 + turn * 37, &notify);
		cr_assert_geq(n, 0);
		got += (size_t)n;
		cr_assert_lt(turn, 100);
	}
	cr_assert_eq(stream_read(&e.r, in, 1, &notify), 0);
	cr_assert_arr_eq(in, out, sizeof(in));
}

/* What was not read is taken back; a reader that attaches anew sees none of it. */
Test(stream, writer_goes_back)
{
	struct xencons_interface *c = cons_new(UINT32_MAX - 5);
	struct stream_map map = STREAM_MAP(c, out);
	uint8_t buf[2048] = { 1 };
	bool notify = false;
	struct ends e;

	ends_attach(&e, c, STREAM_WAKE_ALWAYS);
	cr_assert_eq(stream_write(&e.w, buf, 2048, &notify), 2048);
	cr_assert_eq(stream_read(&e.r, buf, 100, &notify), 100);
	cr_assert_eq(stream_writer_resume(&e.w, &map, STREAM_WAKE_ALWAYS,
					  c->out_cons),
		     0);
	cr_expect_eq(c->out_prod, c->out_cons);
	cr_assert_eq(stream_reader_attach(&e.r, &map, STREAM_WAKE_ALWAYS), 0);
	cr_expect_eq(stream_read(&e.r, buf, 1, &notify), 0);
	buf[0] = 7;
	cr_assert_eq(stream_write(&e.w, buf, 2048, &notify), 2048, "all free");
	cr_assert_eq(stream_read(&e.r, buf + 1, 1, &notify), 1);
	cr_expect_eq(buf[1], 7);
	c->out_cons -= 2;
	cr_expect_eq(stream_write(&e.w, buf, 1, &notify), -EPROTO,
		     "it moves backwards");
	map.size = 3;
	cr_expect_eq(stream_writer_resume(&e.w, &map, STREAM_WAKE_ALWAYS, 0),
		     -EINVAL);
}

Test(stream, full_and_empty)
{
	struct xencons_interface *c = cons_new(UINT32_MAX - 5);
	uint8_t buf[4096] = { 0 };
	bool notify = false;
	struct ends e;

	ends_attach(&e, c, STREAM_WAKE_EDGE);
	cr_expect_eq(stream_read(&e.r, buf, sizeof(buf), &notify), 0);
	cr_expect(!notify, "nothing moved");
	cr_expect_eq(stream_write(&e.w, buf, sizeof(buf), &notify), 2048);
	cr_expect(notify, "it was empty");
	notify = false;
	cr_expect_eq(stream_write(&e.w, buf, 1, &notify), 0);
	cr_expect(!notify);
	cr_expect_eq(stream_read(&e.r, buf, 1, &notify), 1);
	cr_expect(notify, "it was full");
	notify = false;
	cr_expect_eq(stream_read(&e.r, buf, 7, &notify), 7);
	cr_expect(!notify, "it was not full");
	cr_expect_eq(stream_write(&e.w, buf, 3, &notify), 3);
	cr_expect(!notify, "it was not empty");
	cr_expect_eq(stream_read(&e.r, buf, sizeof(buf), &notify), 2043);
	cr_expect_eq(stream_read(&e.r, buf, 0, &notify), 0);
	cr_expect_eq(c->out_cons, c->out_prod);
	cr_expect_eq(c->out_cons, UINT32_MAX - 5 + 2051);
}

Test(stream, always_means_after_every_move)
{
	uint8_t buf[16] = { 0 };
	struct ends e;
	bool notify;

	ends_attach(&e, cons_new(0), STREAM_WAKE_ALWAYS);
	for (int i = 0; i < 3; i++) {
		notify = false;
		cr_expect_eq(stream_write(&e.w, buf, 2, &notify), 2);
		cr_expect(notify);
	}
	for (int i = 0; i < 3; i++) {
		notify = false;
		cr_expect_eq(stream_read(&e.r, buf, 2, &notify), 2);
		cr_expect(notify);
	}
	notify = false;
	cr_expect_eq(stream_read(&e.r, buf, 2, &notify), 0);
	cr_expect(!notify);
}

Test(stream, a_successor_goes_on)
{
	struct xencons_interface *c = cons_new(0);
	char buf[16] = "";
	bool notify = false;
	struct ends e;

	ends_attach(&e, c, STREAM_WAKE_EDGE);
	cr_assert_eq(stream_write(&e.w, "abcdef", 6, &notify), 6);
	cr_assert_eq(stream_read(&e.r, buf, 2, &notify), 2);
	ends_attach(&e, c, STREAM_WAKE_EDGE);
	cr_assert_eq(stream_write(&e.w, "gh", 2, &notify), 2);
	cr_assert_eq(stream_read(&e.r, buf, 16, &notify), 6);
	cr_assert_str_eq(buf, "cdefgh");
}

/* What was taken is the writer's again when it is released, and not before. */
Test(stream, taken_is_not_released)
{
	struct xencons_interface *c = cons_new(UINT32_MAX - 5);
	uint8_t buf[4096] = { 0 };
	bool notify = false;
	struct ends e;

	ends_attach(&e, c, STREAM_WAKE_EDGE);
	cr_assert_eq(stream_release(&e.r, &notify), 0);
	cr_assert_eq(stream_write(&e.w, "abcdefgh", 8, &notify), 8);
	notify = false;
	cr_expect_eq(stream_take(&e.r, buf, 3), 3);
	cr_expect_eq(stream_take(&e.r, buf + 3, 9), 5);
	cr_expect_arr_eq(buf, "abcdefgh", 8);
	cr_expect_eq(c->out_cons, UINT32_MAX - 5);
	cr_expect_eq(stream_reader_at(&e.r), 2u);
	cr_expect_eq(stream_write(&e.w, buf, 2048, &notify), 2040, "full");
	cr_expect_not(notify, "the reader has not slept, as far as one sees");
	cr_expect_eq(stream_release(&e.r, &notify), 1, "there is more");
	cr_expect_eq(c->out_cons, 2u);
	cr_expect(notify, "the writer may have found it full");
	cr_expect_eq(stream_take(&e.r, buf, 4096), 2040);
	cr_expect_eq(stream_take(&e.r, buf, 1), 0);
	cr_expect_eq(stream_release(&e.r, &notify), 0);
	cr_expect_eq(stream_write(&e.w, buf, 2048, &notify), 2048);
	free(c);
}

/* While something is taken, a writer cannot be further than if nothing were. */
Test(stream, taken_does_not_make_room)
{
	struct xencons_interface *c = cons_new(0);
	uint8_t buf[64] = { 0 };
	bool notify = false;
	struct ends e;

	ends_attach(&e, c, STREAM_WAKE_ALWAYS);
	cr_assert_eq(stream_write(&e.w, buf, 64, &notify), 64);
	cr_assert_eq(stream_take(&e.r, buf, 64), 64);
	c->out_prod = 2049;
	cr_expect_eq(stream_take(&e.r, buf, 1), -EPROTO);
	c->out_prod = 64;
	cr_expect_eq(stream_release(&e.r, &notify), -EPROTO);
	free(c);
}

Test(stream, a_successor_goes_on_where_it_is_told)
{
	struct xencons_interface *c = cons_new(7);
	struct stream_map map = STREAM_MAP(c, out);
	uint8_t buf[64] = { 0 };
	bool notify = false;
	struct ends e;

	ends_attach(&e, c, STREAM_WAKE_ALWAYS);
	cr_assert_eq(stream_write(&e.w, "abcdef", 6, &notify), 6);
	cr_assert_eq(stream_take(&e.r, buf, 4), 4);
	cr_assert_eq(stream_reader_resume(&e.r, &map, STREAM_WAKE_ALWAYS,
					  stream_reader_at(&e.r)),
		     0);
	cr_expect_eq(c->out_cons, 11);
	cr_expect_eq(stream_read(&e.r, buf, 64, &notify), 2);
	cr_expect_arr_eq(buf, "ef", 2);
	cr_expect_eq(stream_writer_at(&e.w), 13u);
	free(c);
}

Test(stream, an_observer_sees_both_indices)
{
	struct xencons_interface *c = cons_new(UINT32_MAX - 1);
	struct stream_map map = STREAM_MAP(c, out);
	uint32_t prod, cons;
	struct ends e;
	bool wake = false;
	char buf[2];

	ends_attach(&e, c, STREAM_WAKE_ALWAYS);
	cr_assert_eq(stream_write(&e.w, "abcde", 5, &wake), 5);
	cr_assert_eq(stream_read(&e.r, buf, 2, &wake), 2);
	cr_assert(stream_look(&map, &prod, &cons));
	cr_expect_eq(prod, 3);
	cr_expect_eq(cons, 0);
	free(c);
}

struct bad {
	char name[24];
	uint32_t size;
	bool no_data, odd_word;
};

ParameterizedTestParameters(stream, unusable_map)
{
	static struct bad t[] = {
		{ "no size", 0, false, false },
		{ "not a power of two", 1000, false, false },
		{ "too large", 1u << 31, false, false },
		{ "no data", 1024, true, false },
		{ "unaligned word", 1024, false, true },
	};

	return cr_make_param_array(struct bad, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct bad *t, stream, unusable_map)
{
	struct xencons_interface *c = cons_new(0);
	struct stream_map map = STREAM_MAP(c, in);
	struct ends e;

	map.size = t->size;
	if (t->no_data)
		map.data = NULL;
	if (t->odd_word)
		map.cons = (uint32_t *)((uintptr_t)map.cons + 2);
	cr_expect_eq(stream_reader_attach(&e.r, &map, STREAM_WAKE_EDGE),
		     -EINVAL, "%s", t->name);
	cr_expect_eq(stream_writer_attach(&e.w, &map, STREAM_WAKE_EDGE),
		     -EINVAL, "%s", t->name);
}
