// SPDX-License-Identifier: GPL-2.0-or-later
// tools/ringtop.c - sv-ringtop: watch the rings of domains.
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/paths.h"
#include "tools/ringtop_find.h"
#include "tools/ringtop_live.h"
#include "tools/ringtop_show.h"
#include "tools/xl_run.h"

static const char usage[] =
	"usage: sv-ringtop [-d SECONDS] [-i MICROSECONDS] [-n COUNT] [--once] [--json]\n"
	"                  [DOMAIN [DEVICE]]\n"
	"\n"
	"Watch the rings of all domains, of one, or of one of its devices. On a terminal\n"
	"the view is live (q leaves, up and down choose a ring), elsewhere lines of text.\n"
	"\n"
	"  -d SECONDS       time between reports, 0.01 to 3600 (1)\n"
	"  -i MICROSECONDS  time between looks, 0 (a whole CPU) to 100000 (200)\n"
	"  -n COUNT         reports, then end; 0: until interrupted\n"
	"  --once           one report, as text\n"
	"  --json           reports as JSON objects, one a line; one unless -n is given\n";

#define KEYS_NS UINT64_C(20000000) /* how long a key waits to be heard */

/* How late a look may be: so many intervals, and this. */
#define LATE_INTERVALS 4
#define LATE_NS	       UINT64_C(50000)

enum output { LIVE, LINES_OF_TEXT, JSON };

/**
 * struct top - What to watch, and what is watched.
 * @only:  One domain; else all.
 * @domid: That one, or the one at hand; 0 for none.
 * @dom:   A list, by ascending domid.
 */
struct top {
	uint64_t period_ns;
	unsigned int interval_us;
	uint64_t count; /* 0: no limit */
	enum output output;
	bool only;
	unsigned int domid;
	const char *device;
	struct xs_handle *xs;
	struct ringtop_dom *dom;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* ---- Options --------------------------------------------------------------- */

static _Noreturn void bad_usage(void)
{
	fputs(usage, stderr);
	exit(2);
}

static uint64_t number_option(const char *name, const char *text, uint64_t min,
			      uint64_t max)
{
	uint64_t v;

	if (!util_u64(text, max, &v) && v >= min)
		return v;
	log_err("%s '%s': must be a number from %llu to %llu", name, text,
		(unsigned long long)min, (unsigned long long)max);
	exit(2);
}

static uint64_t seconds_option(const char *text)
{
	char *end;
	double v = strtod(text, &end);

	/* Also refuses what is not a number at all, "nan" included. */
	if (end != text && *end == '\0' && v >= 0.01 && v <= 3600)
		return (uint64_t)(v * 1e9);
	log_err("-d '%s': must be a number of seconds from 0.01 to 3600", text);
	exit(2);
}

static void parse(struct top *t, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "once", no_argument, NULL, 'o' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	bool once = false, json = false, counted = false;
	int opt;

	*t = (struct top){ .period_ns = 1000000000, .interval_us = 200 };
	while ((opt = getopt_long(argc, argv, "d:i:n:h", longs, NULL)) != -1) {
		if (opt == 'd')
			t->period_ns = seconds_option(optarg);
		else if (opt == 'i')
			t->interval_us = (unsigned int)number_option(
				"-i", optarg, 0, 100000);
		else if (opt == 'n')
			t->count = number_option("-n", optarg, 0, UINT32_MAX);
		else if (opt == 'h')
			exit(fputs(usage, stdout) < 0);
		else if (opt == '?')
			bad_usage();
		counted = counted || opt == 'n';
		once = once || opt == 'o';
		json = json || opt == 'j';
	}
	if (argc - optind > 2)
		bad_usage();
	if (once || (json && !counted))
		t->count = 1;
	t->output = json			     ? JSON
		    : once || !isatty(STDOUT_FILENO) ? LINES_OF_TEXT
						     : LIVE;
	t->device = argc - optind == 2 ? argv[optind + 1] : NULL;
}

/* ---- What is watched -------------------------------------------------------- */

static void forget(struct ringtop_dom **at)
{
	struct ringtop_dom *d = *at;

	*at = d->next;
	ringtop_close(d);
}

/* Add a domain in its place, unless it is there. */
static int watch(struct top *t, unsigned int domid)
{
	struct ringtop_dom **at = &t->dom, *d;
	int ret;

	t->domid = domid;
	while (*at && (*at)->domid < domid)
		at = &(*at)->next;
	if (*at && (*at)->domid == domid)
		return 0;
	ret = ringtop_open(&d, domid);
	if (ret)
		return ret;
	d->next = *at;
	*at = d;
	return 0;
}

static bool no_domain(int ret)
{
	return ret == -ENOENT || ret == -ECONNREFUSED || ret == -EPIPE;
}

static int watch_all(struct top *t)
{
	struct xl_dom *list;
	size_t n;
	int ret;

	t->domid = 0;
	ret = xl_run_list(&list, &n);

	for (size_t i = 0; !ret && i < n; i++) {
		ret = watch(t, list[i].domid);
		if (no_domain(ret))
			ret = 0;
	}
	free(list);
	return ret;
}

/* Find domains and rings, now. */
static int find(struct top *t)
{
	int ret = t->only ? 0 : watch_all(t);
	struct ringtop_dom **at = &t->dom;

	while (!ret && *at) {
		t->domid = (*at)->domid;
		ret = ringtop_find(*at, t->xs, t->device);
		if (no_domain(ret) && !t->only) {
			forget(at);
			ret = 0;
		} else {
			at = &(*at)->next;
		}
	}
	return ret;
}

static void look_at_all(struct top *t)
{
	uint64_t patience =
		LATE_INTERVALS * UINT64_C(1000) * t->interval_us + LATE_NS;

	for (struct ringtop_dom *d = t->dom; d; d = d->next) {
		for (size_t i = 0; i < d->n; i++) {
			if (!d->ring[i].problem[0])
				ringtop_look(&d->ring[i], patience);
		}
	}
}

static void for_all(struct top *t, void (*act)(struct track *track))
{
	for (struct ringtop_dom *d = t->dom; d; d = d->next) {
		for (size_t i = 0; i < d->n; i++)
			act(&d->ring[i].track);
	}
}

/* ---- Reports ----------------------------------------------------------------- */

static void sleep_until(uint64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000),
			       .tv_nsec = (long)(ns % 1000000000) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

/* Hear the user; Return: false if he wants to leave. */
static bool listen_to_keys(struct top *t)
{
	bool redraw = false;

	if (!live_keys(&redraw))
		return false;
	if (redraw) {
		live_draw(t->dom);
		for_all(t, track_pause);
	}
	return true;
}

/* Look until the period is over; Return: false if it ended before. */
static bool look_for_a_while(struct top *t)
{
	uint64_t now = util_clock_ns(), end = now + t->period_ns;
	uint64_t keys = now + KEYS_NS, next = now;

	while (now < end && !interrupted) {
		look_at_all(t);
		if (t->output == LIVE && now >= keys) {
			if (!listen_to_keys(t))
				return false;
			keys = now + KEYS_NS;
		}
		now = util_clock_ns();
		if (!t->interval_us)
			continue;
		/* Looks that were missed are not made up for. */
		next = MAX(next + t->interval_us * UINT64_C(1000), now);
		sleep_until(MIN(next, end));
		now = util_clock_ns();
	}
	if (!interrupted)
		return true;
	/* Who interrupts what is only printed gets a report of the time till now. */
	look_at_all(t);
	return t->output != LIVE;
}

static int report(struct top *t)
{
	for (struct ringtop_dom *d = t->dom; d; d = d->next)
		ringtop_count(d);
	if (t->output == LIVE) {
		live_draw(t->dom);
		return 0;
	}
	if (t->output == JSON)
		return ringtop_json(stdout, t->dom, t->interval_us);
	for (const struct ringtop_dom *d = t->dom; d; d = d->next) {
		for (size_t i = 0; i < d->n; i++)
			ringtop_lines(stdout, d, &d->ring[i]);
	}
	return fflush(stdout) ? -errno : ferror(stdout) ? -EIO : 0;
}

static void tell_failure(const struct top *t, int ret)
{
	if (no_domain(ret))
		log_err("domain %u: it is not there (`xl list` shows those that are)",
			t->domid);
	else if (t->domid)
		log_err("domain %u: %s (see %s for what its sv-hypervisor says)",
			t->domid, strerror(-ret), paths_log());
	else
		log_err("run directory '%s': %s (run as root, or set SPLITVISOR_RUN_DIR)",
			paths_run(), strerror(-ret));
}

static int run(struct top *t)
{
	uint64_t done = 0;
	int ret = 0;

	while (!ret && look_for_a_while(t)) {
		ret = report(t);
		if (ret) {
			log_err("standard output: %s", strerror(-ret));
			return ret;
		}
		if (interrupted || (t->count && ++done == t->count))
			return 0;
		for_all(t, track_restart);
		ret = find(t);
	}
	live_end();
	if (ret)
		tell_failure(t, ret);
	return ret;
}

/* Domains of another maker than xl have no name in the run directory. */
static int find_domid(const char *who, unsigned int *domid)
{
	uint64_t id;

	if (!xl_run_find(who, domid))
		return 0;
	if (util_u64(who, XL_MAX_DOMID, &id) || !id)
		return -ENOENT;
	*domid = (unsigned int)id;
	return 0;
}

/* The first search; what is wrong with it is what the user typed. */
static int begin(struct top *t, const char *who)
{
	int ret = 0;

	if (who && find_domid(who, &t->domid)) {
		log_err("domain '%s': there is none (`xl list` shows those that there are)",
			who);
		return -ENOENT;
	}
	t->only = who;
	if (who)
		ret = watch(t, t->domid);
	if (!ret)
		ret = find(t);
	if (ret) {
		tell_failure(t, ret);
	} else if (who && t->device && !t->dom->n) {
		log_err("domain %u: no device '%s' (`sv-ringtop --once %u` shows those that there are)",
			t->domid, t->device, t->domid);
		ret = -ENOENT;
	}
	return ret;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	const char *who;
	struct top t;
	int ret;

	log_init("", LOG_LVL_INFO);
	parse(&t, argc, argv);
	who = optind < argc ? argv[optind] : NULL;
	paths_init();
	dom_set_timeout(DOM_ANSWER_MS);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	/* Sleep no longer than asked for. */
	prctl(PR_SET_TIMERSLACK, 1);
	if (xl_store_open(&t.xs))
		return EXIT_FAILURE;
	ret = begin(&t, who);
	if (!ret && t.output == LIVE)
		ret = live_begin();
	if (!ret)
		ret = run(&t);
	live_end();
	while (t.dom)
		forget(&t.dom);
	xs_close(t.xs);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
