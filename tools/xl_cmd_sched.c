// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_sched.c - xl sched-credit, sched-credit2: shares of the host's CPUs.
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "tools/xl_build.h"
#include "tools/xl_change.h"
#include "tools/xl_cmd.h"
#include "tools/xl_out.h"
#include "tools/xl_run.h"
#include "tools/xl_sched.h"

#define POOL "Pool-0"

/* ---- List ------------------------------------------------------------------ */

struct share {
	unsigned int domid;
	const char *name;
	unsigned int weight, cap;
};

static const struct xl_field fields[] = {
	XL_FIELD("domid", UINT, share, domid),
	XL_FIELD("name", STRING, share, name),
	XL_FIELD("weight", UINT, share, weight),
	XL_FIELD("cap", UINT, share, cap),
};

/* Which of the two was asked for, and whether for all domains. */
enum how { ALL = 1, CREDIT2 = 2 };

static void print_head(unsigned int how)
{
	if (how & ALL)
		printf("Cpupool " POOL ": %s\n",
		       how & CREDIT2
			       ? "ratelimit=1000us"
			       : "tslice=30ms ratelimit=1000us migration-delay=0us");
	printf("%-33s %4s %6s %4s\n", "Name", "ID", "Weight", "Cap");
}

static void print_share(const void *row, unsigned int how)
{
	const struct share *s = row;

	(void)how;
	printf("%-33s %4u %6u %4u\n", s->name, s->domid, s->weight, s->cap);
}

static void show_host(void)
{
	xl_out_row(&(struct share){ 0, "Domain-0", XL_WEIGHT_DEFAULT, 0 });
}

/* As it is configured; nothing, if it has ended meanwhile. */
static void show_guest(const struct xl_dom *d)
{
	struct share s = { .domid = d->domid, .name = d->name };
	struct xl_cfg c = { 0 };
	char *text;

	if (xl_build_kept(d->domid, &text, &c)) {
		free(text);
		return;
	}
	s.weight = c.sched.weight ? c.sched.weight : XL_WEIGHT_DEFAULT;
	s.cap = c.sched.cap;
	xl_out_row(&s);
	xl_cfg_free(&c);
	free(text);
}

static int list(char *who, bool credit2)
{
	static const struct xl_table t = {
		.head = print_head,
		.row = print_share,
		.field = fields,
		.n = ARRAY_SIZE(fields),
	};
	int status;

	/* What its configuration warns of was said when it was made. */
	log_init("", LOG_LVL_ERR);
	xl_out_begin(&t, (who ? 0 : ALL) | (credit2 ? CREDIT2 : 0));
	status = xl_each_domain(&who, who != NULL, show_host, show_guest);
	return xl_out_end() | status;
}

/* ---- Change ---------------------------------------------------------------- */

static int keep(struct xl_change *c, const char *key, unsigned int value)
{
	char text[16];
	const char *values = text;

	snprintf(text, sizeof(text), "%u", value);
	return xl_change_set(c, key, &values, 0);
}

/* What is not given, UINT_MAX, stays. */
static int change(unsigned int domid, const struct xl_sched *wanted)
{
	struct xl_sched s = *wanted;
	struct xl_change c;
	int ret = xl_change_begin(&c, domid);

	if (ret)
		goto end;
	if (s.weight == UINT_MAX)
		s.weight = c.cfg.sched.weight ? c.cfg.sched.weight
					      : XL_WEIGHT_DEFAULT;
	if (s.cap == UINT_MAX)
		s.cap = c.cfg.sched.cap;
	ret = xl_sched_set(domid, &s);
	if (ret)
		log_err("domain %u: weight and cap cannot be set: %s", domid,
			xl_sched_why(ret));
	if (!ret)
		ret = keep(&c, "cpu_weight", s.weight);
	if (!ret)
		ret = keep(&c, "cap", s.cap);
	if (!ret)
		ret = xl_change_keep(&c);
end:
	xl_change_end(&c);
	return ret;
}

static int number(const char *verb, const char *what, const char *text,
		  unsigned int min, unsigned int max, unsigned int *n)
{
	uint64_t v;

	if (util_u64(text, max, &v) || v < min) {
		xl_error(text, "give a number within limits",
			 "xl %s: %s '%s': must be a number from %u to %u", verb,
			 what, text, min, max);
		return -EINVAL;
	}
	*n = (unsigned int)v;
	return 0;
}

static int set(const char *verb, const char *who, const struct xl_sched *wanted)
{
	unsigned int domid;

	if (!who) {
		xl_error(verb, "-d DOMAIN", "Must specify a domain.");
		return XL_EXIT_FAIL;
	}
	log_init("", LOG_LVL_ERR);
	if (xl_find_domain(who, &domid))
		return XL_EXIT_FAIL;
	if (!domid) {
		xl_error(
			who, "name a guest",
			"xl %s: domain 0 is this host: its share is what guests leave",
			verb);
		return XL_EXIT_FAIL;
	}
	return change(domid, wanted) ? XL_EXIT_FAIL : 0;
}

int xl_cmd_sched(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "domain", required_argument, NULL, 'd' },
		{ "weight", required_argument, NULL, 'w' },
		{ "cap", required_argument, NULL, 'c' },
		{ "cpupool", required_argument, NULL, 'p' },
		{ 0 },
	};
	struct xl_sched wanted = { UINT_MAX, UINT_MAX };
	char *who = NULL;
	int opt, ret = 0, status = 0;

	while ((opt = xl_getopt(argc, argv, "d:w:c:p:", longs, 0, &status)) >
	       0) {
		if (opt == 'd')
			who = optarg;
		else if (opt == 'w')
			ret = number(argv[0], "weight", optarg, 1,
				     XL_WEIGHT_MAX, &wanted.weight);
		else if (opt == 'c')
			ret = number(argv[0], "cap", optarg, 0, XL_CAP_MAX,
				     &wanted.cap);
		else if (strcmp(optarg, POOL) != 0 && strcmp(optarg, "0") != 0)
			ret = -ENOENT;
		if (ret == -ENOENT)
			xl_error(optarg, "there is one: " POOL,
				 "Pool '%s' does not exist", optarg);
		if (ret)
			return XL_EXIT_FAIL;
	}
	if (!opt)
		return status;
	if (wanted.weight != UINT_MAX || wanted.cap != UINT_MAX)
		return set(argv[0], who, &wanted);
	return list(who, argv[0][strlen(argv[0]) - 1] == '2');
}
