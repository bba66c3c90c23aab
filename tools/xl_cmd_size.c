// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_size.c - xl mem-max, mem-set, vcpu-set.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/domsock.h"
#include "base/log.h"
#include "tools/xl_build.h"
#include "tools/xl_change.h"
#include "tools/xl_cmd.h"
#include "tools/xl_run.h"
#include "tools/xl_size.h"
#include "tools/xl_store.h"

/*
 * How it works
 *
 * The guest does it, as its nodes say: its balloon driver gives pages back to the
 * VMM, and its CPU hotplug takes CPUs offline.  So what cannot be is refused here,
 * also where no driver watches the nodes, for nothing would follow.  The kept
 * configuration follows: as with Xen's xl the size stays when the domain restarts.
 *
 * A domain's RAM is memory/static-max, which drivers reckon with: it stays as it
 * is.  What mem-max sets is a limit below it, for mem-set alone.
 */
#define DOM "/local/domain/%u"

/** struct size - A change of one domain's size. */
struct size {
	unsigned int domid;
	struct xs_handle *h;
	struct xl_change c;
	uint64_t kib;	    /* of target, or of the limit */
	unsigned int vcpus; /* so many are to be online, the first */
	unsigned int nmax;  /* of so many */
};

static int begin(struct size *s, const char *verb, const char *who)
{
	int ret;

	log_init("", LOG_LVL_ERR);
	if (xl_find_domain(who, &s->domid))
		return -ENOENT;
	if (!s->domid) {
		fprintf(stderr, "xl %s: domain 0 is this host\n", verb);
		return -EINVAL;
	}
	ret = xl_change_begin(&s->c, s->domid);
	if (!ret)
		ret = xl_store_open(&s->h);
	return ret;
}

static void end(struct size *s)
{
	if (s->h)
		xs_close(s->h);
	xl_change_end(&s->c);
}

/* Return: 0 or -errno; reported. */
static int heard(const struct size *s, const char *node, const char *driver)
{
	int ret = xl_size_heard(s->domid, node);

	if (ret == -ENOENT)
		log_err("domain %u: its guest does not watch '%s': it has no %s, or is not up yet",
			s->domid, node, driver);
	else if (ret)
		log_err("domain %u: the store does not tell what its guest watches: %s",
			s->domid, strerror(-ret));
	return ret;
}

/* Two numbers of the configuration at once; reported. */
static int keep(struct size *s, const char *key, uint64_t value,
		const char *max_key, uint64_t max)
{
	char text[24];
	const char *number = text;
	int ret;

	snprintf(text, sizeof(text), "%llu",
		 (unsigned long long)MAX(max, value));
	ret = xl_change_set(&s->c, max_key, &number, 0);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	if (!ret)
		ret = xl_change_set(&s->c, key, &number, 0);
	return ret ? ret : xl_change_keep(&s->c);
}

static int write_nodes(struct size *s, void (*fill)(struct xl_txn *, void *))
{
	int ret = xl_build_write(s->h, s->domid, fill, s);

	if (ret)
		log_err("domain %u: its nodes cannot be written: %s", s->domid,
			strerror(-ret));
	return ret;
}

/* ---- Memory --------------------------------------------------------------- */

/* A number below memory/; @fallback if there is none. */
static uint64_t get_kib(const struct size *s, const char *name,
			uint64_t fallback)
{
	char *text =
		xl_store_get(s->h, XBT_NULL, DOM "/memory/%s", s->domid, name);
	uint64_t kib;

	if (!text || util_u64(text, UINT64_MAX, &kib))
		kib = fallback;
	free(text);
	return kib;
}

static int refuse_kib(const struct size *s, const char *what, uint64_t limit)
{
	log_err("domain %u: %llu KiB: %s %llu KiB", s->domid,
		(unsigned long long)s->kib, what, (unsigned long long)limit);
	return -EINVAL;
}

static void fill_target(struct xl_txn *x, void *arg)
{
	const struct size *s = arg;

	xl_txn_num(x, s->kib, DOM "/memory/target", s->domid);
}

static int set_target(struct size *s)
{
	uint64_t ram = get_kib(s, "static-max", s->c.cfg.maxmem_kib);
	uint64_t limit = get_kib(s, "max", ram);
	int ret;

	if (s->kib > ram)
		return refuse_kib(
			s,
			"more than the memory that it was created with (maxmem),",
			ram);
	if (s->kib > limit)
		return refuse_kib(s, "more than mem-max allows,", limit);
	if (s->kib < XL_MIN_MEMORY_KIB)
		return refuse_kib(s, "less than any guest needs,",
				  XL_MIN_MEMORY_KIB);
	ret = heard(s, "memory/target", "balloon driver");
	if (!ret)
		ret = keep(s, "memory", (s->kib + 1023) / 1024, "maxmem",
			   s->c.cfg.maxmem_kib / 1024);
	return ret ? ret : write_nodes(s, fill_target);
}

static void fill_limit(struct xl_txn *x, void *arg)
{
	const struct size *s = arg;

	xl_txn_num(x, s->kib, DOM "/memory/max", s->domid);
}

static int set_limit(struct size *s)
{
	uint64_t ram = get_kib(s, "static-max", s->c.cfg.maxmem_kib);
	uint64_t target = get_kib(s, "target", s->c.cfg.memory_kib);

	if (s->kib > ram)
		return refuse_kib(
			s,
			"more than the memory that it was created with (maxmem),",
			ram);
	if (s->kib < target)
		return refuse_kib(
			s, "less than it is to have now (mem-set comes first),",
			target);
	return write_nodes(s, fill_limit);
}

static int set_memory(int argc, char **argv, int (*set)(struct size *),
		      const char *what)
{
	struct size s = { .c.lock = -1 };
	int opt, ret, status = 0;
	const char *mem;

	while ((opt = xl_getopt(argc, argv, "", NULL, 2, &status)) > 0)
		;
	if (!opt)
		return status;
	mem = argv[optind + 1];
	ret = begin(&s, argv[0], argv[optind]);
	if (!ret && xl_size_parse(mem, &s.kib)) {
		fprintf(stderr, "invalid memory size: %s\n", mem);
		ret = -EINVAL;
	} else if (!ret) {
		ret = set(&s);
		if (ret)
			fprintf(stderr,
				"cannot set domid %u %s max memory to : %s\n",
				s.domid, what, mem);
	}
	end(&s);
	return ret ? XL_EXIT_FAIL : 0;
}

int xl_cmd_mem_max(int argc, char **argv)
{
	return set_memory(argc, argv, set_limit, "static");
}

int xl_cmd_mem_set(int argc, char **argv)
{
	return set_memory(argc, argv, set_target, "dynamic");
}

/* ---- Virtual CPUs --------------------------------------------------------- */

static void fill_vcpus(struct xl_txn *x, void *arg)
{
	const struct size *s = arg;

	for (unsigned int i = 0; i < s->nmax; i++)
		xl_txn_put(x, i < s->vcpus ? "online" : "offline",
			   DOM "/cpu/%u/availability", s->domid, i);
}

static int get_vcpus_max(struct size *s)
{
	struct dom_info info = { 0 };
	struct dom *dom;
	int ret = dom_connect(&dom, s->domid, DOM_ROLE_ADMIN, NULL, false);

	if (!ret) {
		ret = dom_info(dom, &info);
		dom_free(dom);
	}
	if (!ret)
		s->nmax = info.vcpus_max;
	else
		log_err("domain %u: its VMM does not answer: %s", s->domid,
			strerror(-ret));
	return ret;
}

static int set_vcpus(struct size *s)
{
	int ret = get_vcpus_max(s);

	if (ret)
		return ret;
	if (!s->vcpus || s->vcpus > s->nmax) {
		log_err("domain %u: Requested %u VCPUs, however maxcpus is %u! (maxvcpus says how many there can be; one stays)",
			s->domid, s->vcpus, s->nmax);
		return -EINVAL;
	}
	ret = heard(s, "cpu/0/availability",
		    "driver for CPUs that come and go");
	if (!ret)
		ret = keep(s, "vcpus", s->vcpus, "maxvcpus", s->c.cfg.maxvcpus);
	return ret ? ret : write_nodes(s, fill_vcpus);
}

/* No more than this host has, unless there are more already. */
static bool overcommitted(const struct size *s)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	if (cpus < 1 || s->vcpus <= (unsigned long)cpus ||
	    s->vcpus <= s->c.cfg.vcpus)
		return false;
	fprintf(stderr,
		"You are overcommmitting! You have %ld physical CPUs and want %u vCPUs! Aborting, use --ignore-host to continue\n",
		cpus, s->vcpus);
	return true;
}

int xl_cmd_vcpu_set(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "ignore-host", no_argument, NULL, 'i' },
		{ 0 },
	};
	bool ignore_host = false;
	struct size s = { .c.lock = -1 };
	int opt, ret, status = 0;
	uint64_t n;

	while ((opt = xl_getopt(argc, argv, "i", longs, 2, &status)) > 0)
		ignore_host = true;
	if (!opt)
		return status;
	ret = begin(&s, argv[0], argv[optind]);
	if (!ret && util_u64(argv[optind + 1], UINT32_MAX, &n)) {
		fprintf(stderr, "Error: Invalid argument.\n");
		ret = -EINVAL;
	} else if (!ret) {
		s.vcpus = (unsigned int)n;
		ret = !ignore_host && overcommitted(&s) ? -EINVAL
							: set_vcpus(&s);
	}
	end(&s);
	return ret ? XL_EXIT_FAIL : 0;
}
