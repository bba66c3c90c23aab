// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_metrics.c - counters in Prometheus' formats; what these demand is
// checked by tests/lib/metrics.awk.
#include "tools/metrics.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct counters_dev dev[2];
static struct counters dom[2];
static char *text;

static void set_up(void)
{
	struct blkstat_kind_sum *k = &dev[0].disk.kind[BLKSTAT_WRITE];

	dev[0].is_disk = true;
	dev[0].devid = 51712;
	dev[0].disk.depth = 2;
	*k = (struct blkstat_kind_sum){ .requests = 3,
					.bytes = 4096,
					.ns = 1500000002 };
	k->bucket[0] = 1;
	k->bucket[2] = 1;
	k->bucket[HIST_BUCKETS - 1] = 1;
	dev[1].devid = 1;
	dev[1].restarts = 4;
	dev[1].card.n[NETSTAT_TX_BYTES] = 10;
	dev[1].card.n[NETSTAT_RX_BYTES] = UINT64_MAX;
	dev[1].card.n[NETSTAT_RX_DROP_UNFIT] = 6;
	dom[0] = (struct counters){
		.name = "we\"b\\1\n",
		.info = { .domid = 3,
			  .state = DOM_PAUSED,
			  .ram_kib = 64,
			  .cpu_ns = 1000000001,
			  .vcpus_online = 1,
			  .vcpus_max = 2 },
		.kvm = { .n = 1, .stat = { { "exits", 5 } } },
		.n = 2,
		.dev = dev,
	};
	dom[1] = (struct counters){ .name = "two", .info = { .domid = 4 } };
}

static void tear_down(void)
{
	free(text);
	text = NULL;
}

TestSuite(metrics, .init = set_up, .fini = tear_down);

static void write_as(enum metrics_format format, size_t n)
{
	struct metrics m = {
		.dom = dom, .n = n, .silent = 1, .took_ns = 2500000000
	};
	size_t size;
	FILE *f = open_memstream(&text, &size);

	cr_assert_not_null(f);
	metrics_write(f, format, &m);
	fclose(f);
}

/* Whether there is this whole line, once. */
static bool has(const char *line)
{
	char all[512];
	const char *at;

	snprintf(all, sizeof(all), "\n%s\n", line);
	at = strstr(text, all);
	return at && !strstr(at + 1, all);
}

/* What the format demands; Return: the status of the check. */
static int check(enum metrics_format format)
{
	char command[128];
	FILE *f;

	snprintf(command, sizeof(command),
		 "awk -v open=%d -f tests/lib/metrics.awk",
		 format == METRICS_OPEN);
	f = popen(command, "w");
	cr_assert_not_null(f);
	fputs(text, f);
	return pclose(f);
}

#define WHO "domid=\"3\",domain=\"we\\\"b\\\\1?\""

Test(metrics, values)
{
	static const char *const lines[] = {
		"splitvisor_domains 3",
		"splitvisor_domains_silent 1",
		"splitvisor_scrape_seconds 2.500000000",
		"splitvisor_domain_info{" WHO
		",uuid=\"00000000-0000-0000-0000-000000000000\"} 1",
		"splitvisor_domain_state{" WHO ",state=\"paused\"} 1",
		"splitvisor_domain_state{" WHO ",state=\"running\"} 0",
		"splitvisor_domain_cpu_seconds_total{" WHO "} 1.000000001",
		"splitvisor_domain_memory_bytes{" WHO "} 65536",
		"splitvisor_domain_vcpus{" WHO "} 1",
		"splitvisor_domain_kvm_events_total{" WHO ",event=\"exits\"} 5",
		"splitvisor_block_requests_total{" WHO
		",device=\"vbd/51712\",op=\"write\"} 3",
		"splitvisor_block_bytes_total{" WHO
		",device=\"vbd/51712\",op=\"write\"} 4096",
		"splitvisor_block_depth{" WHO ",device=\"vbd/51712\"} 2",
		"splitvisor_block_request_seconds_bucket{" WHO
		",device=\"vbd/51712\",op=\"write\",le=\"1e-06\"} 1",
		"splitvisor_block_request_seconds_bucket{" WHO
		",device=\"vbd/51712\",op=\"write\",le=\"2e-06\"} 1",
		"splitvisor_block_request_seconds_bucket{" WHO
		",device=\"vbd/51712\",op=\"write\",le=\"4e-06\"} 2",
		"splitvisor_block_request_seconds_bucket{" WHO
		",device=\"vbd/51712\",op=\"write\",le=\"+Inf\"} 3",
		"splitvisor_block_request_seconds_sum{" WHO
		",device=\"vbd/51712\",op=\"write\"} 1.500000002",
		"splitvisor_network_bytes_total{" WHO
		",device=\"vif/1\",direction=\"tx\"} 10",
		"splitvisor_network_bytes_total{" WHO
		",device=\"vif/1\",direction=\"rx\"} 18446744073709551615",
		"splitvisor_network_drops_total{" WHO
		",device=\"vif/1\",direction=\"rx\",reason=\"unfit\"} 6",
		"splitvisor_device_worker_restarts_total{" WHO
		",device=\"vif/1\"} 4",
		"splitvisor_domain_cpu_seconds_total{domid=\"4\",domain=\"two\"} 0.000000000",
	};

	write_as(METRICS_OPEN, 2);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		cr_expect(has(lines[i]), "%s", lines[i]);
}

Test(metrics, both_formats_are_kept)
{
	write_as(METRICS_OPEN, 2);
	cr_expect_eq(check(METRICS_OPEN), 0);
	cr_expect_neq(check(METRICS_TEXT), 0);
	cr_expect(has("# TYPE splitvisor_block_bytes counter"));
	free(text);
	write_as(METRICS_TEXT, 2);
	cr_expect_eq(check(METRICS_TEXT), 0);
	cr_expect_neq(check(METRICS_OPEN), 0);
	cr_expect(has("# TYPE splitvisor_block_bytes_total counter"));
	cr_expect_null(strstr(text, "# EOF"));
}

Test(metrics, no_domain)
{
	write_as(METRICS_OPEN, 0);
	cr_expect_eq(check(METRICS_OPEN), 0);
	cr_expect(has("splitvisor_domains 1"));
}

/* The check sees what is wrong. */
Test(metrics, the_check_is_one)
{
	static const struct {
		char from[48], to[48];
	} t[] = {
		{ "# EOF", "" },
		{ "# TYPE splitvisor_domain_vcpus gauge",
		  "# TYPE splitvisor_domain_other gauge" },
		{ "le=\"+Inf\"", "le=\"9\"" },
		{ ",direction=\"rx\"", ",direction=\"tx\"" },
		{ "} 1.500000002", "} -1" },
		{ "le=\"4e-06\"", "le=\"1e-06\"" },
		{ "we\\\"b", "we\"b" },
		{ "# HELP splitvisor_domains Guests.", "# HELP" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		char *whole, *at;

		write_as(METRICS_OPEN, 2);
		at = strstr(text, t[i].from);
		cr_assert_not_null(at, "%s", t[i].from);
		*at = '\0';
		cr_assert_gt(asprintf(&whole, "%s%s%s", text, t[i].to,
				      at + strlen(t[i].from)),
			     0);
		free(text);
		text = whole;
		cr_expect_neq(check(METRICS_OPEN), 0, "%s", t[i].to);
		free(text);
	}
	text = NULL;
}
