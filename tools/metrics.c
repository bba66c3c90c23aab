// SPDX-License-Identifier: GPL-2.0-or-later
// tools/metrics.c - counters of domains in the formats that Prometheus reads.
#include "tools/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "tools/xl_cfg.h"
#include "tools/xl_list.h"

enum kind { COUNTER, GAUGE, HISTOGRAM };

/* Where the samples of a family go. */
struct page {
	FILE *f;
	const struct family *family;
};

/**
 * struct family - Samples of one name.
 * @name: Without "_total", which a counter's samples have.
 * @put:  Writes those of a domain.
 * @at:   For @put: where the value is, or which it is.
 */
struct family {
	const char *name;
	enum kind kind;
	void (*put)(struct page *p, const struct counters *c);
	size_t at;
	const char *help;
};

/* ---- Samples ---------------------------------------------------------------- */

/* A label's value; quotes and backslashes are all that needs care in a line. */
static void put_escaped(FILE *f, const char *s)
{
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		fputc((unsigned char)*s < ' ' ? '?' : *s, f);
	}
}

/* A sample up to its value; @labels: further ones, each after a comma. */
static void begin(struct page *p, const char *suffix, const struct counters *c,
		  const char *labels, ...) printf_like(4, 5);

static void begin(struct page *p, const char *suffix, const struct counters *c,
		  const char *labels, ...)
{
	va_list ap;

	fprintf(p->f, "%s%s{domid=\"%u\",domain=\"", p->family->name, suffix,
		c->info.domid);
	put_escaped(p->f, c->name);
	fputc('"', p->f);
	va_start(ap, labels);
	vfprintf(p->f, labels, ap);
	va_end(ap);
	fputs("} ", p->f);
}

static void end(struct page *p, uint64_t value)
{
	fprintf(p->f, "%" PRIu64 "\n", value);
}

static void end_seconds(struct page *p, uint64_t ns)
{
	fprintf(p->f, "%" PRIu64 ".%09" PRIu64 "\n", ns / 1000000000u,
		ns % 1000000000u);
}

static const char *suffix(const struct page *p)
{
	return p->family->kind == COUNTER ? "_total" : "";
}

/* ---- Of a domain ------------------------------------------------------------ */

static const void *member(const struct page *p, const struct counters *c)
{
	return (const char *)c + p->family->at;
}

static void put_u32(struct page *p, const struct counters *c)
{
	begin(p, suffix(p), c, "%s", "");
	end(p, *(const uint32_t *)member(p, c));
}

static void put_ns(struct page *p, const struct counters *c)
{
	begin(p, suffix(p), c, "%s", "");
	end_seconds(p, *(const uint64_t *)member(p, c));
}

static void put_kib(struct page *p, const struct counters *c)
{
	begin(p, suffix(p), c, "%s", "");
	end(p, *(const uint64_t *)member(p, c) * 1024);
}

static void put_info(struct page *p, const struct counters *c)
{
	char uuid[XL_UUID_LEN];

	begin(p, "", c, ",uuid=\"%s\"", xl_uuid_format(uuid, c->info.uuid));
	end(p, 1);
}

static void put_state(struct page *p, const struct counters *c)
{
	static const uint32_t states[] = { 0, DOM_BLOCKED, DOM_RUNNING,
					   DOM_PAUSED, DOM_SHUTDOWN };
	const char *now = xl_list_state(c->info.state);

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		const char *state = xl_list_state(states[i]);

		begin(p, "", c, ",state=\"%s\"", state);
		end(p, !strcmp(state, now));
	}
}

static void put_kvm(struct page *p, const struct counters *c)
{
	for (uint32_t i = 0; i < c->kvm.n; i++) {
		begin(p, suffix(p), c, ",event=\"%s\"", c->kvm.stat[i].name);
		end(p, c->kvm.stat[i].value);
	}
}

/* ---- Of a disk -------------------------------------------------------------- */

static void put_kinds(struct page *p, const struct counters *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct counters_dev *d = &c->dev[i];

		for (unsigned int k = 0; d->is_disk && k < BLKSTAT_NKINDS;
		     k++) {
			const char *at = (const char *)&d->disk.kind[k];

			begin(p, suffix(p), c, ",device=\"vbd/%u\",op=\"%s\"",
			      d->devid, blkstat_names[k]);
			end(p,
			    *(const uint64_t *)(const void *)(at +
							      p->family->at));
		}
	}
}

static void put_depth(struct page *p, const struct counters *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct counters_dev *d = &c->dev[i];

		if (!d->is_disk)
			continue;
		begin(p, suffix(p), c, ",device=\"vbd/%u\"", d->devid);
		end(p,
		    *(const uint64_t *)(const void *)((const char *)&d->disk +
						      p->family->at));
	}
}

/* One histogram: what is below each edge, all, their sum. */
static void put_histogram(struct page *p, const struct counters *c,
			  unsigned int devid, const char *op,
			  const struct blkstat_kind_sum *k)
{
	uint64_t n = 0;

	for (unsigned int b = 0; b < HIST_BUCKETS; b++) {
		char edge[32] = "+Inf";

		if (b < HIST_BUCKETS - 1)
			snprintf(edge, sizeof(edge), "%g",
				 (double)hist_edge_ns(b) / 1e9);
		n += k->bucket[b];
		begin(p, "_bucket", c, ",device=\"vbd/%u\",op=\"%s\",le=\"%s\"",
		      devid, op, edge);
		end(p, n);
	}
	begin(p, "_sum", c, ",device=\"vbd/%u\",op=\"%s\"", devid, op);
	end_seconds(p, k->ns);
	begin(p, "_count", c, ",device=\"vbd/%u\",op=\"%s\"", devid, op);
	end(p, n);
}

static void put_times(struct page *p, const struct counters *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct counters_dev *d = &c->dev[i];

		for (unsigned int k = 0; d->is_disk && k < BLKSTAT_NKINDS; k++)
			put_histogram(p, c, d->devid, blkstat_names[k],
				      &d->disk.kind[k]);
	}
}

/* ---- Of a card -------------------------------------------------------------- */

/* A count that both directions have: @at is that of packets from the guest. */
static void put_ways(struct page *p, const struct counters *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct counters_dev *d = &c->dev[i];

		if (d->is_disk)
			continue;
		begin(p, suffix(p), c, ",device=\"vif/%u\",direction=\"tx\"",
		      d->devid);
		end(p, d->card.n[p->family->at]);
		begin(p, suffix(p), c, ",device=\"vif/%u\",direction=\"rx\"",
		      d->devid);
		end(p, d->card.n[NETSTAT_RX_PACKETS + p->family->at]);
	}
}

/* Names of drops are "tx_drop_bad" and so on. */
static void put_drops(struct page *p, const struct counters *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct counters_dev *d = &c->dev[i];

		for (unsigned int k = 0; !d->is_disk && k < NETSTAT_NCOUNTS;
		     k++) {
			const char *name = netstat_names[k];

			if (strncmp(name + 3, "drop_", 5) != 0)
				continue;
			begin(p, suffix(p), c,
			      ",device=\"vif/%u\",direction=\"%.2s\",reason=\"%s\"",
			      d->devid, name, name + strlen("tx_drop_"));
			end(p, d->card.n[k]);
		}
	}
}

static void put_restarts(struct page *p, const struct counters *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct counters_dev *d = &c->dev[i];

		begin(p, suffix(p), c, ",device=\"%s/%u\"",
		      d->is_disk ? "vbd" : "vif", d->devid);
		end(p, d->restarts);
	}
}

/* ---- All -------------------------------------------------------------------- */

#define DOM(member)  offsetof(struct counters, info.member)
#define KIND(member) offsetof(struct blkstat_kind_sum, member)
#define DISK(member) offsetof(struct blkstat, member)

static const struct family families[] = {
	{ "splitvisor_domain_info", GAUGE, put_info, 0,
	  "A domain and its UUID." },
	{ "splitvisor_domain_state", GAUGE, put_state, 0,
	  "1 for what the domain is doing, 0 for all else." },
	{ "splitvisor_domain_start_time_seconds", GAUGE, put_ns, DOM(start_ns),
	  "When the domain was created, since 1970." },
	{ "splitvisor_domain_cpu_seconds", COUNTER, put_ns, DOM(cpu_ns),
	  "CPU time that its virtual CPUs have used." },
	{ "splitvisor_domain_memory_bytes", GAUGE, put_kib, DOM(ram_kib),
	  "Memory that it has." },
	{ "splitvisor_domain_vcpus", GAUGE, put_u32, DOM(vcpus_online),
	  "Virtual CPUs that are online." },
	{ "splitvisor_domain_vcpus_max", GAUGE, put_u32, DOM(vcpus_max),
	  "Virtual CPUs that can be." },
	{ "splitvisor_domain_kvm_events", COUNTER, put_kvm, 0,
	  "What KVM and the VMM count, over all virtual CPUs." },
	{ "splitvisor_block_requests", COUNTER, put_kinds, KIND(requests),
	  "Requests of a disk that were answered." },
	{ "splitvisor_block_errors", COUNTER, put_kinds, KIND(errors),
	  "Those that were refused or failed." },
	{ "splitvisor_block_bytes", COUNTER, put_kinds, KIND(bytes),
	  "Bytes moved or discarded." },
	{ "splitvisor_block_merged_segments", COUNTER, put_kinds, KIND(merged),
	  "Segments that became one part of a transfer with another." },
	{ "splitvisor_block_request_seconds", HISTOGRAM, put_times, 0,
	  "From the taking of a request out of its ring to its answer." },
	{ "splitvisor_block_depth", GAUGE, put_depth, DISK(depth),
	  "Requests that are taken and not answered." },
	{ "splitvisor_block_depth_max", GAUGE, put_depth, DISK(depth_max),
	  "The most there were in one queue." },
	{ "splitvisor_network_packets", COUNTER, put_ways, NETSTAT_TX_PACKETS,
	  "Packets of a card; tx is from the guest." },
	{ "splitvisor_network_bytes", COUNTER, put_ways, NETSTAT_TX_BYTES,
	  "Their bytes." },
	{ "splitvisor_network_gso_packets", COUNTER, put_ways, NETSTAT_TX_GSO,
	  "Packets that were yet to be segmented." },
	{ "splitvisor_network_unsummed_packets", COUNTER, put_ways,
	  NETSTAT_TX_CSUM, "Packets whose checksum was yet to be filled in." },
	{ "splitvisor_network_drops", COUNTER, put_drops, 0,
	  "Packets that were dropped." },
	{ "splitvisor_device_worker_restarts", COUNTER, put_restarts, 0,
	  "Workers of a device that replaced one which had ended." },
};

_Static_assert(NETSTAT_RX_GSO - NETSTAT_RX_PACKETS == NETSTAT_TX_GSO &&
		       NETSTAT_RX_CSUM - NETSTAT_RX_PACKETS == NETSTAT_TX_CSUM,
	       "both directions count the same at first");

const char *metrics_type(enum metrics_format format)
{
	return format == METRICS_OPEN
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}

/* OpenMetrics names the family, the older format its samples. */
static void put_head(FILE *f, enum metrics_format format, const char *name,
		     enum kind kind, const char *help)
{
	static const char *const kinds[] = { "counter", "gauge", "histogram" };
	const char *end = kind == COUNTER && format == METRICS_TEXT ? "_total"
								    : "";

	fprintf(f, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, end, help, name,
		end, kinds[kind]);
}

void metrics_write(FILE *f, enum metrics_format format, const struct metrics *m)
{
	struct page p = { .f = f };

	put_head(f, format, "splitvisor_domains", GAUGE, "Guests.");
	fprintf(f, "splitvisor_domains %zu\n", m->n + m->silent);
	put_head(f, format, "splitvisor_domains_silent", GAUGE,
		 "Guests of which nothing is told: their VMM does not answer.");
	fprintf(f, "splitvisor_domains_silent %zu\n", m->silent);
	put_head(f, format, "splitvisor_scrape_seconds", GAUGE,
		 "How long it took to ask all.");
	fprintf(f, "splitvisor_scrape_seconds ");
	end_seconds(&p, m->took_ns);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		p.family = &families[i];
		put_head(f, format, p.family->name, p.family->kind,
			 p.family->help);
		for (size_t d = 0; d < m->n; d++)
			p.family->put(&p, &m->dom[d]);
	}
	if (format == METRICS_OPEN)
		fprintf(f, "# EOF\n");
}
