// SPDX-License-Identifier: GPL-2.0-or-later
// tools/top.c - the table that xl top shows, in xentop's columns.
#include "tools/top.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/sched.h>

#include "tools/json.h"
#include "tools/xl_cpus.h"
#include "tools/xl_host.h"

#define NO_LIMIT UINT64_MAX
#define SECTOR	 512u

/* Names and widths are xentop's: scripts cut its lines up. */
static const struct column {
	const char *name, *key; /* the latter in JSON */
	int width;
	enum { TEXT, NUMBER, PERCENT } type;
	size_t at;
} columns[] = {
	{ "NAME", "name", 10, TEXT, offsetof(struct top_row, name) },
	{ "STATE", "state", 6, TEXT, offsetof(struct top_row, state) },
	{ "CPU(sec)", "cpu_s", 10, NUMBER, offsetof(struct top_row, cpu_s) },
	{ "CPU(%)", "cpu_percent", 6, PERCENT, offsetof(struct top_row, cpu) },
	{ "MEM(k)", "mem_kib", 10, NUMBER, offsetof(struct top_row, mem_kib) },
	{ "MEM(%)", "mem_percent", 6, PERCENT, offsetof(struct top_row, mem) },
	{ "MAXMEM(k)", "maxmem_kib", 10, NUMBER,
	  offsetof(struct top_row, max_kib) },
	{ "MAXMEM(%)", "maxmem_percent", 9, PERCENT,
	  offsetof(struct top_row, max) },
	{ "VCPUS", "vcpus", 5, NUMBER, offsetof(struct top_row, vcpus) },
	{ "NETS", "nets", 4, NUMBER, offsetof(struct top_row, nets) },
	{ "NETTX(k)", "net_tx_kib", 8, NUMBER,
	  offsetof(struct top_row, tx_kib) },
	{ "NETRX(k)", "net_rx_kib", 8, NUMBER,
	  offsetof(struct top_row, rx_kib) },
	{ "VBDS", "vbds", 4, NUMBER, offsetof(struct top_row, vbds) },
	{ "VBD_OO", "vbd_oo", 8, NUMBER, offsetof(struct top_row, starved) },
	{ "VBD_RD", "vbd_rd", 8, NUMBER, offsetof(struct top_row, reads) },
	{ "VBD_WR", "vbd_wr", 8, NUMBER, offsetof(struct top_row, writes) },
	{ "VBD_RSECT", "vbd_rsect", 10, NUMBER,
	  offsetof(struct top_row, read_sectors) },
	{ "VBD_WSECT", "vbd_wsect", 10, NUMBER,
	  offsetof(struct top_row, write_sectors) },
	{ "SSID", "ssid", 4, NUMBER, offsetof(struct top_row, ssid) },
};
const size_t top_columns = ARRAY_SIZE(columns);

const char *top_column(size_t i)
{
	return columns[i].name;
}

/* ---- Rows ------------------------------------------------------------------- */

static struct top_row *add(struct top *t)
{
	struct top_row *more = reallocarray(t->row, t->n + 1, sizeof(*t->row));

	if (!more)
		return NULL;
	t->row = more;
	t->row[t->n] = (struct top_row){ 0 };
	return &t->row[t->n++];
}

static double percent(uint64_t part, uint64_t all)
{
	return all ? 100.0 * (double)part / (double)all : 0;
}

static void add_device(struct top_row *r, const struct counters_dev *d)
{
	const struct blkstat_kind_sum *k = d->disk.kind;

	if (!d->is_disk) {
		r->nets++;
		r->tx_kib += d->card.n[NETSTAT_TX_BYTES] / 1024;
		r->rx_kib += d->card.n[NETSTAT_RX_BYTES] / 1024;
		return;
	}
	r->vbds++;
	r->reads += k[BLKSTAT_READ].requests;
	r->writes += k[BLKSTAT_WRITE].requests;
	r->read_sectors += k[BLKSTAT_READ].bytes / SECTOR;
	r->write_sectors += k[BLKSTAT_WRITE].bytes / SECTOR;
}

int top_add(struct top *t, struct counters *c, uint64_t host_kib)
{
	const struct dom_info *i = &c->info;
	struct top_row *r = add(t);
	bool down = i->state & DOM_SHUTDOWN;

	if (!r) {
		counters_free(c);
		return -ENOMEM;
	}
	r->all = *c;
	r->domid = i->domid;
	snprintf(r->name, sizeof(r->name), "%s", c->name);
	snprintf(r->state, sizeof(r->state), "-%c%c%c%c%c", down ? 's' : '-',
		 !down && i->state & DOM_BLOCKED ? 'b' : '-',
		 down && i->reason == SHUTDOWN_crash ? 'c' : '-',
		 i->state & DOM_PAUSED ? 'p' : '-',
		 !down && i->state & DOM_RUNNING ? 'r' : '-');
	r->cpu_ns = i->cpu_ns;
	r->cpu_s = i->cpu_ns / 1000000000u;
	r->mem_kib = r->max_kib = i->ram_kib;
	r->mem = r->max = percent(i->ram_kib, host_kib);
	r->vcpus = i->vcpus_online;
	for (size_t d = 0; d < c->n; d++)
		add_device(r, &c->dev[d]);
	return 0;
}

int top_add_host(struct top *t)
{
	struct top_row *r = add(t);
	struct xl_host h;

	if (!r)
		return -ENOMEM;
	xl_host_read(&h);
	snprintf(r->name, sizeof(r->name), "Domain-0");
	snprintf(r->state, sizeof(r->state), "-----r");
	r->cpu_ns = h.cpu_ns;
	r->cpu_s = h.cpu_ns / 1000000000u;
	r->mem_kib = h.total_kib;
	r->mem = 100;
	r->max_kib = NO_LIMIT;
	r->vcpus = h.cpus;
	return 0;
}

static const struct top_row *find(const struct top *t, unsigned int domid)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->row[i].domid == domid)
			return &t->row[i];
	}
	return NULL;
}

void top_share(struct top *t, const struct top *before)
{
	for (size_t i = 0; i < t->n; i++) {
		struct top_row *r = &t->row[i];
		const struct top_row *b = find(before, r->domid);
		unsigned int keep = b ? MIN(b->npast, TOP_PAST - 1u) : 0;

		if (!b)
			continue;
		if (r->cpu_ns > b->cpu_ns)
			r->cpu = percent(r->cpu_ns - b->cpu_ns,
					 t->ns - before->ns);
		memcpy(r->past, b->past + b->npast - keep,
		       keep * sizeof(r->past[0]));
		r->past[keep] = r->cpu;
		r->npast = keep + 1;
	}
}

void top_free(struct top *t)
{
	for (size_t i = 0; i < t->n; i++)
		counters_free(&t->row[i].all);
	free(t->row);
	*t = (struct top){ 0 };
}

/* ---- Order ------------------------------------------------------------------ */

static double value(const struct top_row *r, const struct column *c)
{
	const void *at = (const char *)r + c->at;

	return c->type == NUMBER ? (double)*(const uint64_t *)at
				 : *(const double *)at;
}

struct order {
	struct column column;
	bool host_first;
};

static int compare(const void *a, const void *b, void *arg)
{
	const struct top_row *x = a, *y = b;
	const struct order *o = arg;
	const struct column *c = &o->column;
	double p, q;
	int way = 0;

	if (o->host_first && !x->domid != !y->domid)
		return x->domid ? 1 : -1;
	if (c->type == TEXT) {
		way = strcmp((const char *)x + c->at, (const char *)y + c->at);
	} else {
		p = value(x, c);
		q = value(y, c);
		way = p < q ? 1 : p > q ? -1 : 0;
	}
	return way ? way : (x->domid > y->domid) - (x->domid < y->domid);
}

void top_sort(struct top *t, size_t column, bool host_first)
{
	struct order o = { columns[column], host_first };

	if (t->n)
		qsort_r(t->row, t->n, sizeof(*t->row), compare, &o);
}

void top_count(const struct top *t, unsigned int count[TOP_NCOUNTS])
{
	static const char letters[TOP_NCOUNTS] = {
		[TOP_RUNNING] = 'r', [TOP_BLOCKED] = 'b', [TOP_PAUSED] = 'p',
		[TOP_CRASHED] = 'c', [TOP_DOWN] = 's',
	};

	for (size_t k = 0; k < TOP_NCOUNTS; k++) {
		count[k] = 0;
		for (size_t i = 0; i < t->n; i++)
			count[k] += strchr(t->row[i].state, letters[k]) != NULL;
	}
}

/* ---- Text ------------------------------------------------------------------- */

static void cell(char text[XL_NAME_SIZE], const struct top_row *r,
		 const struct column *c)
{
	const void *at = (const char *)r + c->at;

	if (c->type == TEXT)
		snprintf(text, XL_NAME_SIZE, "%s", (const char *)at);
	else if (c->type == NUMBER && *(const uint64_t *)at == NO_LIMIT)
		snprintf(text, XL_NAME_SIZE, "no limit");
	else if (c->type == NUMBER)
		snprintf(text, XL_NAME_SIZE, "%llu",
			 (unsigned long long)*(const uint64_t *)at);
	else if (at == &r->max && r->max_kib == NO_LIMIT)
		snprintf(text, XL_NAME_SIZE, "n/a");
	else
		snprintf(text, XL_NAME_SIZE, "%.1f", *(const double *)at);
}

/* What is no number there is null. */
static void json_cell(yajl_gen g, const struct top_row *r,
		      const struct column *c)
{
	char text[XL_NAME_SIZE];

	cell(text, r, c);
	json_string(g, c->key);
	if (c->type == TEXT)
		json_string(g, text);
	else if (strspn(text, "0123456789.") == strlen(text))
		yajl_gen_number(g, text, strlen(text));
	else
		yajl_gen_null(g);
}

int top_json(FILE *f, const struct top *t)
{
	yajl_gen g = json_begin(false);

	if (!g)
		return -ENOMEM;
	yajl_gen_array_open(g);
	for (size_t i = 0; i < t->n; i++) {
		yajl_gen_map_open(g);
		json_member_number(g, "domid", t->row[i].domid);
		for (size_t c = 0; c < top_columns; c++)
			json_cell(g, &t->row[i], &columns[c]);
		yajl_gen_map_close(g);
	}
	yajl_gen_array_close(g);
	return json_print(g, f);
}

void top_head(FILE *f, const struct top_how *how)
{
	for (size_t i = 0; i < top_columns; i++)
		fprintf(f, "%s%*s", i ? " " : "", columns[i].width,
			columns[i].name);
	fprintf(f, "%s\n", how->spark ? " PAST" : "");
}

/* By the most that it has used, or one CPU. */
static void write_past(FILE *f, const struct top_row *r, enum top_spark how)
{
	static const char *const blocks[] = { " ", "▁", "▂", "▃",
					      "▄", "▅", "▆", "▇" };
	static const char ascii[] = " .:-=+*#";
	double most = 100;

	for (unsigned int i = 0; i < r->npast; i++)
		most = r->past[i] > most ? r->past[i] : most;
	fputc(' ', f);
	for (unsigned int i = 0; i < r->npast; i++) {
		unsigned int level = (unsigned int)(r->past[i] / most * 7);

		/* What is not nothing is seen. */
		level = !level && r->past[i] > 0 ? 1 : MIN(level, 7u);
		if (how == TOP_BLOCKS)
			fputs(blocks[level], f);
		else
			fputc(ascii[level], f);
	}
}

#define VCPUS_A_LINE 5

static void write_vcpus(FILE *f, const struct top_row *r)
{
	struct xl_vcpu *list;
	cpu_set_t all;
	size_t n;

	if (!r->domid || xl_vcpu_list(r->domid, &list, &n, &all))
		return;
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%s %2u: %10llus%s",
			i % VCPUS_A_LINE ? "" : "VCPUs(sec): ", list[i].id,
			(unsigned long long)(list[i].cpu_ns / 1000000000u),
			i + 1 == n || i % VCPUS_A_LINE == VCPUS_A_LINE - 1
				? "\n"
				: "");
	free(list);
}

static void write_net(FILE *f, const struct counters_dev *d)
{
	const uint64_t *n = d->card.n;

	fprintf(f,
		"Net%u RX:%8llubytes %8llupkts %8uerr %8lludrop  TX:%8llubytes %8llupkts %8uerr %8lludrop\n",
		d->devid, (unsigned long long)n[NETSTAT_RX_BYTES],
		(unsigned long long)n[NETSTAT_RX_PACKETS], 0u,
		(unsigned long long)counters_drops(d, false),
		(unsigned long long)n[NETSTAT_TX_BYTES],
		(unsigned long long)n[NETSTAT_TX_PACKETS], 0u,
		(unsigned long long)counters_drops(d, true));
}

static void write_vbd(FILE *f, const struct counters_dev *d)
{
	const struct blkstat_kind_sum *k = d->disk.kind;

	fprintf(f,
		"VBD BlkBack %5u [%2x:%2x]  OO: %8u   RD: %8llu   WR: %8llu  RSECT: %10llu  WSECT: %10llu\n",
		d->devid, d->devid >> 8, d->devid & 0xff, 0u,
		(unsigned long long)k[BLKSTAT_READ].requests,
		(unsigned long long)k[BLKSTAT_WRITE].requests,
		(unsigned long long)(k[BLKSTAT_READ].bytes / SECTOR),
		(unsigned long long)(k[BLKSTAT_WRITE].bytes / SECTOR));
}

void top_write(FILE *f, const struct top_row *r, const struct top_how *how)
{
	char text[XL_NAME_SIZE];

	for (size_t i = 0; i < top_columns; i++) {
		int most = !i && !how->full ? columns[i].width : XL_NAME_SIZE;

		cell(text, r, &columns[i]);
		fprintf(f, "%s%*.*s", i ? " " : "", columns[i].width, most,
			text);
	}
	if (how->spark)
		write_past(f, r, how->spark);
	fputc('\n', f);
	if (how->vcpus)
		write_vcpus(f, r);
	for (size_t i = 0; i < r->all.n; i++) {
		const struct counters_dev *d = &r->all.dev[i];

		if (d->is_disk && how->vbds)
			write_vbd(f, d);
		else if (!d->is_disk && how->nets)
			write_net(f, d);
	}
}
