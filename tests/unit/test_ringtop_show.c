// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_ringtop_show.c - what was seen of rings, as text and as JSON.
#include "tools/ringtop_show.h"

#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_tree.h>
#include <criterion/criterion.h>

static struct ringtop_ring ring[3];
static struct ringtop_dom dom = { .domid = 3, .name = "a\\\"b", .ring = ring };
static char *text;

static void set_up(void)
{
	struct track_sum *s = &ring[0].track.sum;

	ring[0] = (struct ringtop_ring){
		.device = "vbd/51712",
		.part = "queue-0",
		.npages = 2,
		.port = 9,
		.track = { .size = 64,
			   .sane = true,
			   .words = { 105, 106, 100, 101 } },
		.counted = true,
		.stat = { .depth = 5, .depth_max = 7 },
	};
	ring[0].stat.kind[BLKSTAT_WRITE] =
		(struct blkstat_kind_sum){ .requests = 4,
					   .errors = 1,
					   .bytes = 12288,
					   .merged = 2,
					   .ns = 100000,
					   .bucket = { [4] = 3, [24] = 1 } };
	*s = (struct track_sum){
		.looks = 11,
		.gaps = 10,
		.gap_total_ns = 2000000,
		.gap_max_ns = 300000,
		.seconds = 2,
		.requests = 105,
		.responses = 100,
		.flight_max = 6,
		.req_asked = 4,
		.req_sent = 3,
		.rsp_asked = 2,
		.rsp_sent = 1,
		.timed = 99,
		.untimed = 1,
		.total_ns = 99 * 50e3,
		.max_ns = 17000000,
	};
	s->bucket[5] = 98;
	s->bucket[HIST_BUCKETS - 1] = 1;
	ring[1] = (struct ringtop_ring){ .device = "console",
					 .part = "out",
					 .stream = true,
					 .port = 2,
					 .track = { .size = 2048,
						    .words = { 9000, 0, 5, 0 },
						    .sum.broken = 3 } };
	ring[2] = (struct ringtop_ring){ .device = "vif/0",
					 .problem = "no \"rings\" \\ yet" };
	dom.n = 3;
}

static void tear_down(void)
{
	free(text);
}

TestSuite(ringtop_show, .init = set_up, .fini = tear_down);

static bool has(const char *line)
{
	return strstr(text, line) != NULL;
}

static const char *lines(size_t i)
{
	size_t size;
	FILE *f = open_memstream(&text, &size);

	ringtop_lines(f, &dom, &ring[i]);
	fclose(f);
	return text;
}

Test(ringtop_show, lines_of_a_ring)
{
	lines(0);
	cr_expect(has("3 (a\\\"b) vbd/51712 queue-0: 5 of 64 slots in flight "
		      "(most 6), in 52.5/s, out 50.0/s\n"),
		  "%s", text);
	cr_expect(has("req_prod 105 req_event 106 rsp_prod 100 rsp_event 101; "
		      "port 9, 2 page(s)\n"),
		  "%s", text);
	cr_expect(has("backend notified: asked 2.0/s, sent 1.5/s; now it waits "
		      "to be\n"),
		  "%s", text);
	cr_expect(has("frontend notified: asked 1.0/s, sent 0.5/s; now it "
		      "waits to be\n"),
		  "%s", text);
	cr_expect(has("mean 50.0 us, 50% within 32.0 us, 99% within 17000.0 us,"
		      " longest 17000.0 us\n"),
		  "%s", text);
	cr_expect(has("looked every 200.0 us, longest interval 300.0 us\n"),
		  "%s", text);
	cr_expect(has(" <32us: 98 >=8388608us: 1\n"), "%s", text);
	cr_expect(has("not timed: 1\n"), "%s", text);
	cr_expect(has("backend has taken: 5 (most 7)\n"), "%s", text);
	cr_expect(has("  write: 4 answered, 1 failed, 12 KiB, 2 merged, mean "
		      "25.0 us\n  <16us: 3 >=8388608us: 1\n"),
		  "%s", text);
	cr_expect_not(has("read:"));
	cr_expect_not(has("impossible"));
}

Test(ringtop_show, lines_of_a_liar)
{
	lines(1);
	cr_expect(has("console out: 0 of 2048 bytes waiting"), "%s", text);
	cr_expect(has("impossible indices seen: 3 times\n"), "%s", text);
	cr_expect(has("prod 9000 cons 5; port 2\n"), "%s", text);
	cr_expect_not(has("times:"));
	cr_expect_not(has("taken"));
	cr_expect_not(has("notified"));
}

Test(ringtop_show, a_problem_is_a_line)
{
	cr_expect_str_eq(lines(2), "3 (a\\\"b) vif/0: no \"rings\" \\ yet\n");
}

Test(ringtop_show, bars)
{
	size_t size;
	FILE *f = open_memstream(&text, &size);

	ringtop_bars(f, &ring[0].track.sum, 10);
	fclose(f);
	cr_expect(has("<32us           98 ##########\n"), "%s", text);
	cr_expect(has(">=8388608us            1 \n"), "%s", text);
}

Test(ringtop_show, rows_fit_a_terminal)
{
	char row[256], tiny[8];

	ringtop_row(row, sizeof(row), &dom, &ring[0]);
	cr_expect_leq(strlen(row), 80);
	cr_expect_eq(strlen(row), strlen(ringtop_heading));
	cr_expect_str_eq(ringtop_row(tiny, sizeof(tiny), &dom, &ring[2]),
			 "    3 v");
}

/* ---- JSON ------------------------------------------------------------------- */

static yajl_val at(yajl_val v, const char *key)
{
	const char *path[] = { key, NULL };

	v = yajl_tree_get(v, path, yajl_t_any);
	cr_assert_not_null(v, "%s", key);
	return v;
}

static void is_int(yajl_val v, const char *key, long long want)
{
	cr_expect_eq(YAJL_GET_INTEGER(at(v, key)), want, "%s", key);
}

static void is_double(yajl_val v, const char *key, double want)
{
	cr_expect_float_eq(YAJL_GET_DOUBLE(at(v, key)), want, 1e-3, "%s", key);
}

static void is_side(yajl_val v, const char *key, long long asked,
		    long long sent, bool waits)
{
	v = at(at(v, "notifications"), key);
	is_int(v, "asked", asked);
	is_int(v, "sent", sent);
	cr_expect_eq(!!YAJL_IS_TRUE(at(v, "waits")), waits);
}

static void is_counted(yajl_val v)
{
	yajl_val k = at(v, "write"), *bucket;

	is_int(v, "depth", 5);
	is_int(v, "depth_max", 7);
	is_int(at(v, "read"), "requests", 0);
	is_int(k, "requests", 4);
	is_int(k, "errors", 1);
	is_int(k, "bytes", 12288);
	is_int(k, "merged", 2);
	is_double(k, "mean_us", 25);
	cr_assert_eq(YAJL_GET_ARRAY(at(k, "histogram"))->len, 2);
	bucket = YAJL_GET_ARRAY(at(k, "histogram"))->values;
	is_int(bucket[0], "below_us", 16);
	is_int(bucket[0], "count", 3);
	is_int(bucket[1], "count", 1);
}

static void is_ring(yajl_val v)
{
	yajl_val lat = at(v, "latency"), *bucket;

	is_counted(at(v, "counted"));

	is_int(v, "slots", 64);
	is_int(v, "pages", 2);
	is_int(v, "port", 9);
	is_int(v, "req_prod", 105);
	is_int(v, "req_event", 106);
	is_int(v, "rsp_prod", 100);
	is_int(v, "rsp_event", 101);
	is_int(v, "in_flight", 5);
	is_int(v, "in_flight_max", 6);
	is_int(v, "requests", 105);
	is_int(v, "responses", 100);
	is_double(v, "requests_per_s", 52.5);
	is_double(v, "responses_per_s", 50);
	is_double(v, "seconds", 2);
	is_side(v, "backend", 4, 3, true);
	is_side(v, "frontend", 2, 1, true);
	is_int(lat, "timed", 99);
	is_int(lat, "untimed", 1);
	is_double(lat, "mean_us", 50);
	is_double(lat, "p50_us", 32);
	is_double(lat, "max_us", 17000);
	is_double(lat, "interval_us", 200);
	is_double(lat, "interval_max_us", 300);
	cr_assert_eq(YAJL_GET_ARRAY(at(lat, "histogram"))->len, 2);
	bucket = YAJL_GET_ARRAY(at(lat, "histogram"))->values;
	is_int(bucket[0], "below_us", 32);
	is_int(bucket[0], "count", 98);
	is_int(bucket[1], "count", 1);
	cr_expect_eq(YAJL_GET_OBJECT(bucket[1])->len, 1, "no upper edge");
}

Test(ringtop_show, json)
{
	yajl_val root, d, *r;
	char error[256] = "";
	size_t size;
	FILE *f = open_memstream(&text, &size);

	cr_assert_eq(ringtop_json(f, &dom, 200), 0);
	fclose(f);
	cr_expect_eq(strchr(text, '\n'), text + size - 1, "one line");
	root = yajl_tree_parse(text, error, sizeof(error));
	cr_assert_not_null(root, "%s", error);
	is_int(root, "interval_us", 200);
	cr_assert_eq(YAJL_GET_ARRAY(at(root, "domains"))->len, 1);
	d = YAJL_GET_ARRAY(at(root, "domains"))->values[0];
	is_int(d, "domid", 3);
	cr_expect_str_eq(YAJL_GET_STRING(at(d, "name")), "a\\\"b");
	cr_assert_eq(YAJL_GET_ARRAY(at(d, "rings"))->len, 3);
	r = YAJL_GET_ARRAY(at(d, "rings"))->values;
	cr_expect_str_eq(YAJL_GET_STRING(at(r[0], "device")), "vbd/51712");
	cr_expect_str_eq(YAJL_GET_STRING(at(r[0], "ring")), "queue-0");
	is_ring(r[0]);
	cr_expect(YAJL_IS_TRUE(at(r[0], "sane")));
	is_int(r[1], "prod", 9000);
	is_int(r[1], "cons", 5);
	is_int(r[1], "bytes", 2048);
	is_int(r[1], "impossible", 3);
	cr_expect(YAJL_IS_FALSE(at(r[1], "sane")));
	is_double(at(r[1], "latency"), "interval_us", 0);
	cr_expect_str_eq(YAJL_GET_STRING(at(r[2], "problem")),
			 "no \"rings\" \\ yet");
	yajl_tree_free(root);
}

Test(ringtop_show, no_domain_is_valid_json_as_well)
{
	FILE *full = fopen("/dev/full", "w");
	size_t size;
	FILE *f = open_memstream(&text, &size);

	cr_assert_eq(ringtop_json(f, NULL, 10), 0);
	fclose(f);
	cr_expect_str_eq(text, "{\"interval_us\":10,\"domains\":[]}\n");
	cr_expect_neq(ringtop_json(full, NULL, 10), 0, "nobody got it");
	fclose(full);
}
