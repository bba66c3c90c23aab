// SPDX-License-Identifier: GPL-2.0-or-later
// tools/ringtop_show.c - what was seen of rings, as text and as JSON.
#include "tools/ringtop_show.h"

#include <errno.h>
#include <string.h>

#include <yajl/yajl_gen.h>

static double per_second(const struct track_sum *s, uint64_t n)
{
	return s->seconds > 0 ? (double)n / s->seconds : 0;
}

static double us(uint64_t ns)
{
	return (double)ns / 1e3;
}

static double mean_us(const struct track_sum *s)
{
	return s->timed ? s->total_ns / (double)s->timed / 1e3 : 0;
}

/* How long it is from look to look. */
static double interval_us(const struct track_sum *s)
{
	return s->gaps ? us(s->gap_total_ns) / (double)s->gaps : 0;
}

/* Upper edge of a bucket in microseconds; the last one has none. */
static unsigned long edge_us(unsigned int bucket)
{
	return (unsigned long)(hist_edge_ns(bucket) / 1000);
}

static const char *edge_name(char *buf, size_t size, unsigned int bucket)
{
	bool last = bucket == HIST_BUCKETS - 1;

	snprintf(buf, size, "%s%luus", last ? ">=" : "<",
		 edge_us(bucket - last));
	return buf;
}

static double kind_mean_us(const struct blkstat_kind_sum *k)
{
	return k->requests ? us(k->ns) / (double)k->requests : 0;
}

/* ---- Text ----------------------------------------------------------------- */

static void put_notes(FILE *f, const char *who, const struct track_sum *s,
		      uint64_t asked, uint64_t sent, bool armed)
{
	fprintf(f, "  %s notified: asked %.1f/s, sent %.1f/s; now it %s\n", who,
		per_second(s, asked), per_second(s, sent),
		armed ? "waits to be" : "does not wait");
}

static void put_buckets(FILE *f, const uint64_t *bucket)
{
	char name[24];

	for (unsigned int b = 0; b < HIST_BUCKETS; b++) {
		if (bucket[b])
			fprintf(f, " %s: %llu",
				edge_name(name, sizeof(name), b),
				(unsigned long long)bucket[b]);
	}
	fputc('\n', f);
}

static void put_times(FILE *f, const struct track_sum *s)
{
	if (s->timed) {
		fprintf(f,
			"  times: mean %.1f us, 50%% within %.1f us, 99%% within %.1f us, longest %.1f us\n"
			"  looked every %.1f us, longest interval %.1f us\n ",
			mean_us(s), us(track_quantile(s, 0.5)),
			us(track_quantile(s, 0.99)), us(s->max_ns),
			interval_us(s), us(s->gap_max_ns));
		put_buckets(f, s->bucket);
	}
	if (s->untimed)
		fprintf(f, "  not timed: %llu\n",
			(unsigned long long)s->untimed);
}

static void put_stat(FILE *f, const struct blkstat *s)
{
	fprintf(f, "  backend has taken: %llu (most %llu)\n",
		(unsigned long long)s->depth, (unsigned long long)s->depth_max);
	for (unsigned int i = 0; i < BLKSTAT_NKINDS; i++) {
		const struct blkstat_kind_sum *k = &s->kind[i];

		if (!k->requests)
			continue;
		fprintf(f,
			"  %s: %llu answered, %llu failed, %llu KiB, %llu merged, mean %.1f us\n ",
			blkstat_names[i], (unsigned long long)k->requests,
			(unsigned long long)k->errors,
			(unsigned long long)(k->bytes / 1024),
			(unsigned long long)k->merged, kind_mean_us(k));
		put_buckets(f, k->bucket);
	}
}

/* The first count of a ring of a card, and the one behind its last. */
static unsigned int first_count(const struct ringtop_ring *r)
{
	return r->counted == RINGTOP_TX ? NETSTAT_TX_PACKETS
					: NETSTAT_RX_PACKETS;
}

static unsigned int end_count(const struct ringtop_ring *r)
{
	return r->counted == RINGTOP_TX ? NETSTAT_RX_PACKETS : NETSTAT_NCOUNTS;
}

/* Without the way, which the ring has in its name: "packets". */
static const char *count_name(unsigned int i)
{
	return netstat_names[i] + sizeof("tx");
}

static void put_card(FILE *f, const struct ringtop_ring *r)
{
	fputs("  backend:", f);
	for (unsigned int i = first_count(r); i < end_count(r); i++) {
		if (r->card.n[i])
			fprintf(f, " %s: %llu", count_name(i),
				(unsigned long long)r->card.n[i]);
	}
	fputc('\n', f);
}

void ringtop_lines(FILE *f, const struct ringtop_dom *d,
		   const struct ringtop_ring *r)
{
	const struct track *t = &r->track;
	const struct track_sum *s = &t->sum;
	const struct ring_words *w = &t->words;

	fprintf(f, "%u (%s) %s%s%s: ", d->domid, d->name, r->device,
		r->part[0] ? " " : "", r->part);
	if (r->problem[0]) {
		fprintf(f, "%s\n", r->problem);
		return;
	}
	fprintf(f, "%u of %u %s (most %u), in %.1f/s, out %.1f/s\n",
		track_flight(t), t->size,
		r->stream ? "bytes waiting" : "slots in flight", s->flight_max,
		per_second(s, s->requests), per_second(s, s->responses));
	if (!t->sane || s->broken)
		fprintf(f, "  impossible indices seen: %llu times\n",
			(unsigned long long)s->broken);
	if (r->stream) {
		fprintf(f, "  prod %u cons %u; port %u\n", w->req_prod,
			w->rsp_prod, r->port);
	} else {
		fprintf(f,
			"  req_prod %u req_event %u rsp_prod %u rsp_event %u; port %u, %u page(s)\n",
			w->req_prod, w->req_event, w->rsp_prod, w->rsp_event,
			r->port, r->npages);
		put_notes(f, "backend", s, s->req_asked, s->req_sent,
			  track_req_armed(t));
		put_notes(f, "frontend", s, s->rsp_asked, s->rsp_sent,
			  track_rsp_armed(t));
	}
	put_times(f, s);
	if (r->counted == RINGTOP_DISK)
		put_stat(f, &r->stat);
	else if (r->counted)
		put_card(f, r);
}

void ringtop_bars(FILE *f, const struct track_sum *s, unsigned int width)
{
	char name[24];
	uint64_t most = 1;

	for (unsigned int b = 0; b < HIST_BUCKETS; b++)
		most = MAX(most, s->bucket[b]);
	for (unsigned int b = 0; b < HIST_BUCKETS; b++) {
		int len = (int)((double)s->bucket[b] * width / (double)most);

		if (!s->bucket[b])
			continue;
		fprintf(f, "%12s %12llu ", edge_name(name, sizeof(name), b),
			(unsigned long long)s->bucket[b]);
		while (len-- > 0)
			fputc('#', f);
		fputc('\n', f);
	}
}

const char ringtop_heading[] =
	"  DOM DEVICE      RING        SIZE FLIGHT     IN/S    OUT/S  50%us  99%us  MAXus";

char *ringtop_row(char *buf, size_t size, const struct ringtop_dom *d,
		  const struct ringtop_ring *r)
{
	const struct track_sum *s = &r->track.sum;

	if (r->problem[0])
		snprintf(buf, size, "%5u %-11s %-10s %s", d->domid, r->device,
			 r->part, r->problem);
	else
		snprintf(
			buf, size,
			"%5u %-11s %-10s %5u %6u %8.0f %8.0f %6.0f %6.0f %6.0f",
			d->domid, r->device, r->part, r->track.size,
			track_flight(&r->track), per_second(s, s->requests),
			per_second(s, s->responses), us(track_quantile(s, 0.5)),
			us(track_quantile(s, 0.99)), us(s->max_ns));
	return buf;
}

/* ---- JSON; errors of yajl are out of memory only, and seen at the end ------ */

static void key(yajl_gen g, const char *name)
{
	yajl_gen_string(g, (const unsigned char *)name, strlen(name));
}

static void put_string(yajl_gen g, const char *name, const char *value)
{
	key(g, name);
	key(g, value);
}

static void put_int(yajl_gen g, const char *name, uint64_t value)
{
	key(g, name);
	yajl_gen_integer(g, (long long)value);
}

static void put_double(yajl_gen g, const char *name, double value)
{
	char text[48];
	int n = snprintf(text, sizeof(text), "%.3f", value);

	key(g, name);
	yajl_gen_number(g, text, MIN((size_t)n, sizeof(text) - 1));
}

static void put_bool(yajl_gen g, const char *name, bool value)
{
	key(g, name);
	yajl_gen_bool(g, value);
}

static void json_side(yajl_gen g, const char *name, uint64_t asked,
		      uint64_t sent, bool armed)
{
	key(g, name);
	yajl_gen_map_open(g);
	put_int(g, "asked", asked);
	put_int(g, "sent", sent);
	put_bool(g, "waits", armed);
	yajl_gen_map_close(g);
}

static void json_histogram(yajl_gen g, const uint64_t *bucket)
{
	key(g, "histogram");
	yajl_gen_array_open(g);
	for (unsigned int b = 0; b < HIST_BUCKETS; b++) {
		if (!bucket[b])
			continue;
		yajl_gen_map_open(g);
		if (b < HIST_BUCKETS - 1)
			put_int(g, "below_us", edge_us(b));
		put_int(g, "count", bucket[b]);
		yajl_gen_map_close(g);
	}
	yajl_gen_array_close(g);
}

static void json_stat(yajl_gen g, const struct blkstat *s)
{
	key(g, "counted");
	yajl_gen_map_open(g);
	put_int(g, "depth", s->depth);
	put_int(g, "depth_max", s->depth_max);
	for (unsigned int i = 0; i < BLKSTAT_NKINDS; i++) {
		const struct blkstat_kind_sum *k = &s->kind[i];

		key(g, blkstat_names[i]);
		yajl_gen_map_open(g);
		put_int(g, "requests", k->requests);
		put_int(g, "errors", k->errors);
		put_int(g, "bytes", k->bytes);
		put_int(g, "merged", k->merged);
		put_double(g, "mean_us", kind_mean_us(k));
		json_histogram(g, k->bucket);
		yajl_gen_map_close(g);
	}
	yajl_gen_map_close(g);
}

static void json_card(yajl_gen g, const struct ringtop_ring *r)
{
	key(g, "counted");
	yajl_gen_map_open(g);
	for (unsigned int i = first_count(r); i < end_count(r); i++)
		put_int(g, count_name(i), r->card.n[i]);
	yajl_gen_map_close(g);
}

static void json_latency(yajl_gen g, const struct track_sum *s)
{
	key(g, "latency");
	yajl_gen_map_open(g);
	put_int(g, "timed", s->timed);
	put_int(g, "untimed", s->untimed);
	put_double(g, "interval_us", interval_us(s));
	put_double(g, "interval_max_us", us(s->gap_max_ns));
	put_double(g, "mean_us", mean_us(s));
	put_double(g, "p50_us", us(track_quantile(s, 0.5)));
	put_double(g, "p90_us", us(track_quantile(s, 0.9)));
	put_double(g, "p99_us", us(track_quantile(s, 0.99)));
	put_double(g, "max_us", us(s->max_ns));
	json_histogram(g, s->bucket);
	yajl_gen_map_close(g);
}

static void json_words(yajl_gen g, const struct ringtop_ring *r)
{
	const struct track *t = &r->track;

	if (r->stream) {
		put_int(g, "bytes", t->size);
		put_int(g, "prod", t->words.req_prod);
		put_int(g, "cons", t->words.rsp_prod);
		return;
	}
	put_int(g, "pages", r->npages);
	put_int(g, "slots", t->size);
	put_int(g, "req_prod", t->words.req_prod);
	put_int(g, "req_event", t->words.req_event);
	put_int(g, "rsp_prod", t->words.rsp_prod);
	put_int(g, "rsp_event", t->words.rsp_event);
	key(g, "notifications");
	yajl_gen_map_open(g);
	json_side(g, "backend", t->sum.req_asked, t->sum.req_sent,
		  track_req_armed(t));
	json_side(g, "frontend", t->sum.rsp_asked, t->sum.rsp_sent,
		  track_rsp_armed(t));
	yajl_gen_map_close(g);
}

static void json_ring(yajl_gen g, const struct ringtop_ring *r)
{
	const struct track_sum *s = &r->track.sum;

	yajl_gen_map_open(g);
	put_string(g, "device", r->device);
	put_string(g, "ring", r->part);
	if (r->problem[0]) {
		put_string(g, "problem", r->problem);
		yajl_gen_map_close(g);
		return;
	}
	put_int(g, "port", r->port);
	json_words(g, r);
	put_int(g, "in_flight", track_flight(&r->track));
	put_int(g, "in_flight_max", s->flight_max);
	put_bool(g, "sane", r->track.sane);
	put_int(g, "impossible", s->broken);
	put_int(g, "looks", s->looks);
	put_double(g, "seconds", s->seconds);
	put_int(g, "requests", s->requests);
	put_int(g, "responses", s->responses);
	put_double(g, "requests_per_s", per_second(s, s->requests));
	put_double(g, "responses_per_s", per_second(s, s->responses));
	if (r->counted == RINGTOP_DISK)
		json_stat(g, &r->stat);
	else if (r->counted)
		json_card(g, r);
	json_latency(g, s);
	yajl_gen_map_close(g);
}

static void json_dom(yajl_gen g, const struct ringtop_dom *d)
{
	yajl_gen_map_open(g);
	put_int(g, "domid", d->domid);
	put_string(g, "name", d->name);
	key(g, "rings");
	yajl_gen_array_open(g);
	for (size_t i = 0; i < d->n; i++)
		json_ring(g, &d->ring[i]);
	yajl_gen_array_close(g);
	yajl_gen_map_close(g);
}

int ringtop_json(FILE *f, const struct ringtop_dom *dom,
		 unsigned int interval_us)
{
	yajl_gen g = yajl_gen_alloc(NULL);
	const unsigned char *text;
	int ret = -ENOMEM;
	size_t len;

	if (!g)
		return ret;
	yajl_gen_map_open(g);
	put_int(g, "interval_us", interval_us);
	key(g, "domains");
	yajl_gen_array_open(g);
	for (; dom; dom = dom->next)
		json_dom(g, dom);
	yajl_gen_array_close(g);
	if (yajl_gen_map_close(g) == yajl_gen_status_ok &&
	    yajl_gen_get_buf(g, &text, &len) == yajl_gen_status_ok)
		ret = fprintf(f, "%.*s\n", (int)len, text) < 0 || fflush(f)
			      ? -EIO
			      : 0;
	yajl_gen_free(g);
	return ret;
}
