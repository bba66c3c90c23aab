// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_list.c - xl list, claims, sharing, domid, domname.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "tools/xl_cmd.h"
#include "tools/xl_cpus.h"
#include "tools/xl_host.h"
#include "tools/xl_json.h"
#include "tools/xl_list.h"
#include "tools/xl_run.h"

/* Domain 0 is this host. */
static void fill_dom0(struct xl_row *r)
{
	struct xl_host host;

	xl_host_read(&host);
	*r = (struct xl_row){
		.name = "Domain-0",
		.mem_mib = host.total_kib / 1024,
		.vcpus = host.cpus,
		.state = DOM_RUNNING,
		.cpu_ns = host.cpu_ns,
	};
}

/* False if the domain is only beginning or ending: then it is not shown. */
static bool fill_dom(struct xl_row *r, const struct xl_dom *d)
{
	struct dom_info info;
	uint64_t online = 0;
	struct dom *dom;
	int ret;

	*r = (struct xl_row){ .domid = d->domid, .name = d->name };
	ret = dom_connect(&dom, d->domid, DOM_ROLE_ADMIN, NULL, false);
	if (!ret) {
		ret = dom_info(dom, &info);
		if (!ret)
			online = xl_vcpus_online(dom, &info);
		dom_free(dom);
	}
	if (ret == -ETIMEDOUT) {
		log_warn(
			"domain %s (%u): its VMM does not answer (`xl destroy %s` ends it)",
			d->name, d->domid, d->name);
		return true;
	}
	if (ret)
		return false;
	r->mem_mib = info.ram_kib / 1024;
	r->vcpus = (unsigned int)__builtin_popcountll(online);
	r->state = info.state;
	r->reason = info.reason;
	r->cpu_ns = info.cpu_ns;
	memcpy(r->uuid, info.uuid, sizeof(r->uuid));
	return true;
}

/* ---- Long form ------------------------------------------------------------ */

static int list_long(const struct xl_dom *doms, size_t n, bool dom0)
{
	struct xl_json_dom *list = calloc(n + 1, sizeof(*list));
	char **texts = calloc(n + 1, sizeof(*texts));
	struct xl_host host;
	size_t used = 0;

	if (!list || !texts)
		goto out;
	xl_host_read(&host);
	if (dom0 && !xl_json_dom0(host.total_kib, &texts[0]))
		list[used++] = (struct xl_json_dom){ 0, texts[0] };
	for (size_t i = 0; i < n; i++) {
		texts[i + 1] = xl_run_read(doms[i].domid, "config.json");
		if (texts[i + 1])
			list[used++] = (struct xl_json_dom){ doms[i].domid,
							     texts[i + 1] };
	}
	xl_json_list(list, used);
	for (size_t i = 0; i <= n; i++)
		free(texts[i]);
out:
	free(texts);
	free(list);
	return 0;
}

/* ---- Table ---------------------------------------------------------------- */

static int list_table(const struct xl_dom *doms, size_t n, bool dom0,
		      unsigned int columns)
{
	struct xl_row r;

	xl_list_header(columns);
	if (dom0) {
		fill_dom0(&r);
		xl_list_row(&r, columns);
	}
	for (size_t i = 0; i < n; i++) {
		if (fill_dom(&r, &doms[i]))
			xl_list_row(&r, columns);
	}
	return 0;
}

/* One domain, by name or number; a domain that is ending is none. */
static int list_one(const char *who, bool long_form, unsigned int columns)
{
	struct xl_dom d;
	struct xl_row r;

	if (xl_find_domain(who, &d.domid))
		return XL_EXIT_FAIL;
	if (!d.domid)
		return long_form ? list_long(NULL, 0, true)
				 : list_table(NULL, 0, true, columns);
	if (xl_run_name(d.domid, d.name) || !fill_dom(&r, &d)) {
		fprintf(stderr, "%s is an invalid domain identifier (rc=%d)\n",
			who, -6);
		return XL_EXIT_FAIL;
	}
	if (long_form)
		return list_long(&d, 1, false);
	xl_list_header(columns);
	xl_list_row(&r, columns);
	return 0;
}

int xl_cmd_list(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "long", no_argument, NULL, 'l' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "context", no_argument, NULL, 'Z' },
		{ "cpupool", no_argument, NULL, 'c' },
		{ "numa", no_argument, NULL, 'n' },
		{ 0 },
	};
	unsigned int columns = 0;
	struct xl_dom *doms;
	bool long_form = false;
	int opt, status = 0;
	size_t n;

	while ((opt = xl_getopt(argc, argv, "lvZcn", longs, 0, &status)) > 0) {
		if (opt == 'l')
			long_form = true;
		else
			columns |= opt == 'v'	? XL_LIST_UUID
				   : opt == 'Z' ? XL_LIST_LABEL
				   : opt == 'c' ? XL_LIST_POOL
						: XL_LIST_NUMA;
	}
	if (!opt)
		return status;
	if (optind < argc)
		return list_one(argv[optind], long_form, columns);
	if (xl_run_list(&doms, &n)) {
		log_err("'%s/dom' cannot be read: %s", paths_run(),
			strerror(errno));
		return XL_EXIT_FAIL;
	}
	status = long_form ? list_long(doms, n, true)
			   : list_table(doms, n, true, columns);
	free(doms);
	return status;
}

int xl_cmd_claims(int argc, char **argv)
{
	int opt, status = 0;
	struct xl_dom *doms;
	size_t n;

	while ((opt = xl_getopt(argc, argv, "", NULL, 0, &status)) > 0)
		;
	if (!opt)
		return status;
	if (xl_run_list(&doms, &n))
		return XL_EXIT_FAIL;
	status = list_table(doms, n, true, XL_LIST_CLAIM);
	free(doms);
	return status;
}

/* No page is shared between domains. */
static void print_sharing(const struct xl_row *r)
{
	printf("%-40s %5u %5llu  %5u\n", r->name, r->domid,
	       (unsigned long long)r->mem_mib, 0u);
}

int xl_cmd_sharing(int argc, char **argv)
{
	unsigned int only = 0;
	int opt, status = 0;
	struct xl_dom *doms;
	struct xl_row r;
	bool all;
	size_t n;

	while ((opt = xl_getopt(argc, argv, "", NULL, 0, &status)) > 0)
		;
	if (!opt)
		return status;
	all = optind == argc;
	if ((!all && xl_find_domain(argv[optind], &only)) ||
	    xl_run_list(&doms, &n))
		return XL_EXIT_FAIL;
	printf("Name                                        ID   Mem Shared\n");
	if (!only) {
		fill_dom0(&r);
		print_sharing(&r);
	}
	for (size_t i = 0; i < n; i++) {
		if ((all || doms[i].domid == only) && fill_dom(&r, &doms[i]))
			print_sharing(&r);
	}
	free(doms);
	return 0;
}

/* ---- Names and numbers ---------------------------------------------------- */

int xl_cmd_domid(int argc, char **argv)
{
	unsigned int domid = 0;
	int opt, status = 0;

	while ((opt = xl_getopt(argc, argv, "", NULL, 1, &status)) > 0)
		;
	if (!opt)
		return status;
	if (strcmp(argv[optind], "Domain-0") != 0 &&
	    xl_run_find(argv[optind], &domid)) {
		fprintf(stderr,
			"Can't get domid of domain name '%s', maybe this domain does not exist.\n",
			argv[optind]);
		return XL_EXIT_FAIL;
	}
	printf("%u\n", domid);
	return 0;
}

int xl_cmd_domname(int argc, char **argv)
{
	char name[XL_NAME_SIZE] = "Domain-0";
	int opt, status = 0;
	uint64_t domid;

	while ((opt = xl_getopt(argc, argv, "", NULL, 1, &status)) > 0)
		;
	if (!opt)
		return status;
	if (util_u64(argv[optind], XL_MAX_DOMID, &domid)) {
		fprintf(stderr,
			"Invalid domain id: '%s' (a number is wanted)\n",
			argv[optind]);
		return XL_EXIT_FAIL;
	}
	if (domid && xl_run_name((unsigned int)domid, name)) {
		fprintf(stderr,
			"Can't get domain name of domain id '%s', maybe this domain does not exist.\n",
			argv[optind]);
		return XL_EXIT_FAIL;
	}
	printf("%s\n", name);
	return 0;
}
