// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_stats.c - xl stats.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "tools/counters.h"
#include "tools/xl_cmd.h"
#include "tools/xl_list.h"
#include "tools/xl_out.h"

static double mean_us(const struct blkstat_kind_sum *k)
{
	return k->requests ? (double)k->ns / (double)k->requests / 1e3 : 0;
}

/* The longest time is not known: the last bucket has no edge. */
static double p99_us(const struct blkstat_kind_sum *k)
{
	return (double)hist_quantile(k->bucket, 0.99,
				     hist_edge_ns(HIST_BUCKETS - 1)) /
	       1e3;
}

/* A card's counts of one direction, with the first letters of their names cut. */
static void each_count(const struct counters_dev *d, bool tx,
		       void (*show)(const char *name, uint64_t n, void *arg),
		       void *arg)
{
	unsigned int first = tx ? 0 : NETSTAT_RX_PACKETS;
	unsigned int end = tx ? NETSTAT_RX_PACKETS : NETSTAT_NCOUNTS;

	for (unsigned int i = first; i < end; i++)
		show(netstat_names[i] + strlen("tx_"), d->card.n[i], arg);
}

/* ---- Text ------------------------------------------------------------------- */

static void print_disk(const struct counters_dev *d)
{
	printf("  vbd/%u: depth %llu, at most %llu; worker restarts %llu\n",
	       d->devid, (unsigned long long)d->disk.depth,
	       (unsigned long long)d->disk.depth_max,
	       (unsigned long long)d->restarts);
	for (unsigned int i = 0; i < BLKSTAT_NKINDS; i++) {
		const struct blkstat_kind_sum *k = &d->disk.kind[i];

		if (k->requests)
			printf("    %s: requests %llu, errors %llu, bytes %llu, mean %.1f us, 99 %% below %.0f us\n",
			       blkstat_names[i],
			       (unsigned long long)k->requests,
			       (unsigned long long)k->errors,
			       (unsigned long long)k->bytes, mean_us(k),
			       p99_us(k));
	}
}

static void print_count(const char *name, uint64_t n, void *first)
{
	bool *is_first = first;

	printf("%s%s %llu", *is_first ? " " : ", ", name,
	       (unsigned long long)n);
	*is_first = false;
}

static void print_card(const struct counters_dev *d)
{
	printf("  vif/%u: worker restarts %llu\n", d->devid,
	       (unsigned long long)d->restarts);
	for (int tx = 1; tx >= 0; tx--) {
		bool first = true;

		printf("    %s:", tx ? "tx" : "rx");
		each_count(d, tx, print_count, &first);
		printf("\n");
	}
}

static void print_domain(const void *row, unsigned int how)
{
	const struct counters *c = row;
	bool first = true;

	(void)how;
	printf("%s (%u): %s, cpu %.3f s, memory %llu KiB, vcpus %u of %u\n",
	       c->name, c->info.domid, xl_list_state(c->info.state),
	       (double)c->info.cpu_ns / 1e9,
	       (unsigned long long)c->info.ram_kib, c->info.vcpus_online,
	       c->info.vcpus_max);
	if (c->kvm.n)
		printf("  kvm:");
	for (uint32_t i = 0; i < c->kvm.n; i++)
		print_count(c->kvm.stat[i].name, c->kvm.stat[i].value, &first);
	if (c->kvm.n)
		printf("\n");
	for (size_t i = 0; i < c->n; i++)
		(c->dev[i].is_disk ? print_disk : print_card)(&c->dev[i]);
}

/* ---- JSON ------------------------------------------------------------------- */

static void put_us(yajl_gen g, const char *name, double us)
{
	char text[40];
	int n = snprintf(text, sizeof(text), "%.3f", us);

	json_string(g, name);
	yajl_gen_number(g, text, (size_t)n);
}

static void add_disk(yajl_gen g, const struct counters_dev *d)
{
	json_member_number(g, "depth", d->disk.depth);
	json_member_number(g, "depth_max", d->disk.depth_max);
	for (unsigned int i = 0; i < BLKSTAT_NKINDS; i++) {
		const struct blkstat_kind_sum *k = &d->disk.kind[i];

		json_member_map(g, blkstat_names[i]);
		json_member_number(g, "requests", k->requests);
		json_member_number(g, "errors", k->errors);
		json_member_number(g, "bytes", k->bytes);
		json_member_number(g, "merged", k->merged);
		json_member_seconds(g, "time_s", k->ns);
		put_us(g, "mean_us", mean_us(k));
		put_us(g, "p99_us", p99_us(k));
		yajl_gen_map_close(g);
	}
}

static void put_count(const char *name, uint64_t n, void *g)
{
	json_member_number(g, name, n);
}

static void add_card(yajl_gen g, const struct counters_dev *d)
{
	for (int tx = 1; tx >= 0; tx--) {
		json_member_map(g, tx ? "tx" : "rx");
		each_count(d, tx, put_count, g);
		json_member_number(g, "drops", counters_drops(d, tx));
		yajl_gen_map_close(g);
	}
}

static void add_devices(yajl_gen g, const struct counters *c, bool disks)
{
	json_member_array(g, disks ? "disks" : "nics");
	for (size_t i = 0; i < c->n; i++) {
		const struct counters_dev *d = &c->dev[i];

		if (d->is_disk != disks)
			continue;
		yajl_gen_map_open(g);
		json_member_number(g, "devid", d->devid);
		json_member_number(g, "worker_restarts", d->restarts);
		(disks ? add_disk : add_card)(g, d);
		yajl_gen_map_close(g);
	}
	yajl_gen_array_close(g);
}

static void add_more(yajl_gen g, const void *row)
{
	const struct counters *c = row;

	json_member_string(g, "state", xl_list_state(c->info.state));
	json_member_number(g, "uptime_s", xl_uptime_s(&c->info));
	json_member_map(g, "kvm");
	for (uint32_t i = 0; i < c->kvm.n; i++)
		json_member_number(g, c->kvm.stat[i].name,
				   c->kvm.stat[i].value);
	yajl_gen_map_close(g);
	add_devices(g, c, true);
	add_devices(g, c, false);
}

/* ---- The verb --------------------------------------------------------------- */

static const struct xl_field fields[] = {
	XL_FIELD("domid", UINT, counters, info.domid),
	XL_FIELD("name", TEXT, counters, name),
	XL_FIELD("uuid", UUID, counters, info.uuid),
	XL_FIELD("cpu_s", SECONDS, counters, info.cpu_ns),
	XL_FIELD("mem_kib", U64, counters, info.ram_kib),
	XL_FIELD("vcpus", UINT, counters, info.vcpus_online),
	XL_FIELD("vcpus_max", UINT, counters, info.vcpus_max),
};

/* Nothing, if it has ended meanwhile. */
static void show(const struct xl_dom *d)
{
	struct counters c;
	int ret = counters_read(&c, d);

	if (ret == -ETIMEDOUT)
		log_warn(
			"domain %s (%u): its VMM does not answer (`xl destroy %s` ends it)",
			d->name, d->domid, d->name);
	if (ret)
		return;
	xl_out_row(&c);
	counters_free(&c);
}

int xl_cmd_stats(int argc, char **argv)
{
	static const struct xl_table t = {
		.row = print_domain,
		.field = fields,
		.n = ARRAY_SIZE(fields),
		.more = add_more,
	};
	int status = 0;

	if (!xl_no_options(argc, argv, 0, &status))
		return status;
	xl_out_begin(&t, 0);
	status = xl_each_domain(argv + optind, argc - optind, NULL, show);
	return xl_out_end() | status;
}
