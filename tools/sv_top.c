// SPDX-License-Identifier: GPL-2.0-or-later
// tools/sv_top.c - sv-top, which xl top is: domains by what they use, now.
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/paths.h"
#include "tools/screen.h"
#include "tools/top.h"
#include "tools/xl_host.h"

static const char usage[] =
	"usage: xl top [-bfnrvxz] [--json] [-d SECONDS] [-i COUNT] [-s COLUMN]\n"
	"\n"
	"Show domains and what they use, as xentop does.  On a terminal S chooses the column\n"
	"to sort by, N, B and V show network cards, block devices and vCPUs, the arrows\n"
	"scroll, Q leaves.\n"
	"\n"
	"  -b, --batch            lines of text, also on a terminal\n"
	"  -d, --delay SECONDS    time between two looks, 0.1 to 3600 (3)\n"
	"  -f, --full-name        names of more than 10 letters are not cut\n"
	"  -i, --iterations COUNT looks, then end (until interrupted)\n"
	"      --json             an array for each look, on one line\n"
	"  -n, --networks         a line for each network card\n"
	"  -r, --repeat-header    the columns' names above each domain\n"
	"  -s, --sort COLUMN      sort by it: CPU(%) ...; else by domid\n"
	"  -v, --vcpus            lines for the time of each vCPU\n"
	"  -x, --vbds             a line for each block device\n"
	"  -z, --dom0-first       whatever the order is\n";

#define ANSWER_MS 1000

struct options {
	bool batch, json, repeat, host_first;
	struct top_how how;
	int delay_ms;
	uint64_t count; /* 0: no limit */
	bool sorted;
	size_t column;
};

static volatile sig_atomic_t interrupted;
static size_t first; /* line of the rows that is on the terminal */

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* ---- Options ---------------------------------------------------------------- */

static _Noreturn void bad_usage(void)
{
	fputs(usage, stderr);
	exit(2);
}

static int delay_option(const char *text)
{
	char *end;
	double v = strtod(text, &end);

	/* Also refuses what is not a number at all, "nan" included. */
	if (end != text && *end == '\0' && v >= 0.1 && v <= 3600)
		return (int)(v * 1000);
	log_err("-d '%s': must be a number of seconds from 0.1 to 3600", text);
	exit(2);
}

static uint64_t count_option(const char *text)
{
	uint64_t n;

	if (!util_u64(text, UINT32_MAX, &n) && n)
		return n;
	log_err("-i '%s': must be a number from 1 to %u", text, UINT32_MAX);
	exit(2);
}

static size_t column_option(const char *text)
{
	for (size_t i = 0; i < top_columns; i++) {
		if (!strcasecmp(text, top_column(i)))
			return i;
	}
	log_err("-s '%s': there is no such column (see the head of `xl top -b -i 1`)",
		text);
	exit(2);
}

static void take_flag(struct options *o, int opt)
{
	bool *const flag = opt == 'b'	? &o->batch
			   : opt == 'f' ? &o->how.full
			   : opt == 'j' ? &o->json
			   : opt == 'n' ? &o->how.nets
			   : opt == 'r' ? &o->repeat
			   : opt == 'v' ? &o->how.vcpus
			   : opt == 'x' ? &o->how.vbds
					: &o->host_first;

	*flag = true;
}

static void take_option(struct options *o, int opt)
{
	if (opt == 'd') {
		o->delay_ms = delay_option(optarg);
	} else if (opt == 'i') {
		o->count = count_option(optarg);
	} else if (opt == 's') {
		o->column = column_option(optarg);
		o->sorted = true;
	} else if (opt == 'h') {
		exit(fputs(usage, stdout) < 0);
	} else if (opt == '?') {
		bad_usage();
	} else {
		take_flag(o, opt);
	}
}

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "batch", no_argument, NULL, 'b' },
		{ "delay", required_argument, NULL, 'd' },
		{ "dom0-first", no_argument, NULL, 'z' },
		{ "full-name", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ "iterations", required_argument, NULL, 'i' },
		{ "json", no_argument, NULL, 'j' },
		{ "networks", no_argument, NULL, 'n' },
		{ "repeat-header", no_argument, NULL, 'r' },
		{ "sort", required_argument, NULL, 's' },
		{ "vbds", no_argument, NULL, 'x' },
		{ "vcpus", no_argument, NULL, 'v' },
		{ 0 },
	};
	int opt;

	*o = (struct options){ .delay_ms = 3000 };
	while ((opt = getopt_long(argc, argv, "bd:fhi:nrs:vxz", longs, NULL)) !=
	       -1)
		take_option(o, opt);
	if (optind < argc)
		bad_usage();
	o->batch = o->batch || o->json || !isatty(STDOUT_FILENO);
}

/* ---- Looks ------------------------------------------------------------------ */

/** struct guests - Where they go, and the memory of their host. */
struct guests {
	struct top *t;
	struct xl_host host;
};

/* One that does not answer is shown, but has no figures. */
static int add_guest(void *arg, struct counters *c, bool silent)
{
	struct guests *g = arg;

	(void)silent;
	return top_add(g->t, c, g->host.total_kib);
}

static int add_guests(struct top *t)
{
	struct guests g = { .t = t };
	int ret;

	xl_host_read(&g.host);
	ret = counters_all(UINT64_MAX, add_guest, &g);
	if (ret)
		log_err("'%s/dom' cannot be read: %s", paths_run(),
			strerror(-ret));
	return ret;
}

static void sort(struct top *t, const struct options *o)
{
	if (o->sorted)
		top_sort(t, o->column, o->host_first);
}

static int look(struct top *t, const struct top *before,
		const struct options *o)
{
	int ret;

	*t = (struct top){ .ns = util_clock_ns() };
	ret = top_add_host(t);
	if (!ret)
		ret = add_guests(t);
	top_share(t, before);
	sort(t, o);
	return ret;
}

/* ---- Showing ---------------------------------------------------------------- */

static void print_rows(FILE *f, const struct top *t, const struct options *o)
{
	for (size_t i = 0; i < t->n; i++) {
		if (i ? o->repeat : o->batch)
			top_head(f, &o->how);
		top_write(f, &t->row[i], &o->how);
	}
	fflush(f);
}

/* Each line of a text, from line @y of the screen on; Return: how many there are. */
static size_t draw_lines(char *text, size_t skip, int y)
{
	char *rest = text, *line;
	size_t n = 0;

	while ((line = strsep(&rest, "\n")) && rest) {
		if (n++ >= skip && y < screen_rows())
			screen_line(y++, line, SCREEN_PLAIN);
	}
	return n;
}

static char *as_text(void (*write)(FILE *f, const struct top *t,
				   const struct options *o),
		     const struct top *t, const struct options *o)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (f && (write(f, t, o), fclose(f) == 0))
		return text;
	free(text);
	return NULL;
}

static void write_summary(FILE *f, const struct top *t, const struct options *o)
{
	unsigned int count[TOP_NCOUNTS];
	struct xl_host h;

	xl_host_read(&h);
	top_count(t, count);
	fprintf(f,
		"%zu domains: %u running, %u blocked, %u paused, %u crashed, %u shutdown; sorted by %s\n",
		t->n, count[TOP_RUNNING], count[TOP_BLOCKED], count[TOP_PAUSED],
		count[TOP_CRASHED], count[TOP_DOWN],
		o->sorted ? top_column(o->column) : "domid");
	fprintf(f,
		"Mem: %lluk total, %lluk used, %lluk free    CPUs: %u @ %.0fMHz\n",
		(unsigned long long)h.total_kib,
		(unsigned long long)(h.total_kib - h.free_kib),
		(unsigned long long)h.free_kib, h.cpus, h.mhz);
}

static void write_head(FILE *f, const struct top *t, const struct options *o)
{
	(void)t;
	top_head(f, &o->how);
}

#define SUMMARY_LINES 2

static void draw(const struct top *t, const struct options *o)
{
	char *summary = as_text(write_summary, t, o);
	char *head = as_text(write_head, t, o);
	char *rows = as_text(print_rows, t, o);
	size_t n;

	screen_clear();
	if (summary && head && rows) {
		draw_lines(summary, 0, 0);
		head[strcspn(head, "\n")] = '\0';
		screen_line(SUMMARY_LINES, head, SCREEN_HEAD);
		n = draw_lines(rows, first, SUMMARY_LINES + 1);
		if (first >= n)
			first = n ? n - 1 : 0;
	}
	screen_show();
	free(summary);
	free(head);
	free(rows);
}

/* False if the user wants to leave. */
static bool obey(struct top *t, struct options *o, int c)
{
	switch (c) {
	case 'q':
	case 'Q':
		return false;
	case 's':
	case 'S':
		o->column = o->sorted ? (o->column + 1) % top_columns : 0;
		o->sorted = true;
		sort(t, o);
		break;
	case 'n':
	case 'N':
		o->how.nets = !o->how.nets;
		break;
	case 'b':
	case 'B':
		o->how.vbds = !o->how.vbds;
		break;
	case 'v':
	case 'V':
		o->how.vcpus = !o->how.vcpus;
		break;
	case SCREEN_DOWN:
		first++;
		break;
	case SCREEN_UP:
		first -= first > 0;
		break;
	}
	return true;
}

/* Return: 1; 0: there were none; -1: the user wants to leave. */
static int take_keys(struct top *t, struct options *o)
{
	int c, n = 0;

	while ((c = screen_key()) != SCREEN_NONE) {
		if (!obey(t, o, c))
			return -1;
		draw(t, o);
		n = 1;
	}
	return n;
}

/* Until the next look; false if the user wants to leave. */
static bool wait_on_terminal(struct top *t, struct options *o)
{
	uint64_t until = t->ns + (uint64_t)o->delay_ms * 1000000u, now;
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	while (!interrupted && (now = util_clock_ns()) < until) {
		int n = poll(&p, 1, (int)((until - now) / 1000000u) + 1), keys;

		if (n <= 0)
			continue;
		keys = p.revents & POLLIN ? take_keys(t, o) : -1;
		if (keys < 0)
			return false;
		/* At its end nobody types any more. */
		if (!keys)
			p.fd = -1;
	}
	return true;
}

static bool show(struct top *t, struct options *o, bool last)
{
	int ret = o->json ? top_json(stdout, t) : 0;

	if (ret)
		die("standard output: %s", strerror(-ret));
	if (o->json)
		fflush(stdout);
	else if (o->batch)
		print_rows(stdout, t, o);
	else
		draw(t, o);
	if (last || interrupted)
		return false;
	if (!o->batch)
		return wait_on_terminal(t, o);
	poll(NULL, 0, o->delay_ms);
	return !ferror(stdout);
}

static int watch(struct options *o)
{
	struct top before = { 0 }, t;
	bool more = true;
	int ret = 0;

	for (uint64_t i = 1; more && !interrupted; i++) {
		ret = look(&t, &before, o);
		more = !ret && show(&t, o, o->count && i >= o->count);
		top_free(&before);
		before = t;
	}
	top_free(&before);
	return ret;
}

static void begin_screen(struct options *o)
{
	if (screen_begin("xl top -b"))
		exit(1);
	o->how.spark = screen_is_utf8() ? TOP_BLOCKS : TOP_ASCII;
}

int main(int argc, char **argv)
{
	struct options o;
	int ret;

	log_init("", LOG_LVL_ERR);
	paths_init();
	dom_set_timeout(ANSWER_MS);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	parse(&o, argc, argv);
	if (!o.batch)
		begin_screen(&o);
	ret = watch(&o);
	screen_end();
	if (fflush(stdout) || ferror(stdout))
		die("standard output: %s", strerror(errno));
	return ret ? 1 : 0;
}
