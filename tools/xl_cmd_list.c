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
#include "tools/xl_host.h"
#include "tools/xl_json.h"
#include "tools/xl_list.h"
#include "tools/xl_out.h"
#include "tools/xl_run.h"

/* Domain 0 is this host. */
static void fill_dom0(struct xl_row *r)
{
	struct xl_host host;

	xl_host_read(&host);
	*r = (struct xl_row){
		.name = "Domain-0",
		.mem_kib = host.total_kib,
		.vcpus = host.cpus,
		.state = DOM_RUNNING,
		.cpu_ns = host.cpu_ns,
	};
}

/* False if the domain is only beginning or ending: then it is not shown. */
static bool fill_dom(struct xl_row *r, const struct xl_dom *d,
		     const struct dom_info *info, int ret)
{
	*r = (struct xl_row){ .domid = d->domid, .name = d->name };
	if (ret == -ETIMEDOUT) {
		log_warn(
			"domain %s (%u): its VMM does not answer (`xl destroy %s` ends it)",
			d->name, d->domid, d->name);
		return true;
	}
	if (ret)
		return false;
	r->mem_kib = info->ram_kib;
	r->vcpus = info->vcpus_online;
	r->state = info->state;
	r->reason = info->reason;
	r->cpu_ns = info->cpu_ns;
	memcpy(r->uuid, info->uuid, sizeof(r->uuid));
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

static void print_row(const void *row, unsigned int columns)
{
	xl_list_row(row, columns);
}

static void add_state(yajl_gen g, const void *row)
{
	const struct xl_row *r = row;

	json_member_string(g, "state", xl_list_state(r->state));
	if (r->state & DOM_SHUTDOWN)
		json_member_string(g, "shutdown_reason",
				   dom_reason_name(r->reason));
}

static const struct xl_field list_fields[] = {
	XL_FIELD("domid", UINT, xl_row, domid),
	XL_FIELD("name", STRING, xl_row, name),
	XL_FIELD("uuid", UUID, xl_row, uuid),
	XL_FIELD("mem_kib", U64, xl_row, mem_kib),
	XL_FIELD("vcpus", UINT, xl_row, vcpus),
	XL_FIELD("cpu_s", SECONDS, xl_row, cpu_ns),
};

static const struct xl_table list_table = {
	.head = xl_list_header,
	.row = print_row,
	.field = list_fields,
	.n = ARRAY_SIZE(list_fields),
	.more = add_state,
};

static void show_host(void)
{
	struct xl_row r;

	fill_dom0(&r);
	xl_out_row(&r);
}

static void show_guest(const struct xl_dom *d, const struct dom_info *info,
		       int ret)
{
	struct xl_row r;

	if (fill_dom(&r, d, info, ret))
		xl_out_row(&r);
}

static int list_all(bool long_form, unsigned int columns)
{
	struct xl_dom *doms;
	int ret, status;
	size_t n;

	if (!long_form) {
		xl_out_begin(&list_table, columns);
		status = xl_each_info(NULL, 0, show_host, show_guest);
		return xl_out_end() | status;
	}
	ret = xl_run_list(&doms, &n);
	if (ret) {
		log_err("'%s/dom' cannot be read: %s", paths_run(),
			strerror(-ret));
		return XL_EXIT_FAIL;
	}
	status = list_long(doms, n, true);
	free(doms);
	return status;
}

/* One domain, by name or number; a domain that is ending is none. */
static int list_one(const char *who, bool long_form, unsigned int columns)
{
	struct dom_info info;
	struct xl_dom d;
	struct xl_row r;

	if (xl_find_domain(who, &d.domid))
		return XL_EXIT_FAIL;
	if (!d.domid)
		fill_dom0(&r);
	else if (xl_run_name(d.domid, d.name) ||
		 !fill_dom(&r, &d, &info, xl_dom_info(d.domid, &info)))
		return xl_no_domain(who);
	if (long_form)
		return list_long(&d, d.domid ? 1 : 0, !d.domid);
	xl_out_begin(&list_table, columns);
	xl_out_row(&r);
	return xl_out_end();
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
	bool long_form = false;
	int opt, status = 0;

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
	return optind < argc ? list_one(argv[optind], long_form, columns)
			     : list_all(long_form, columns);
}

static const struct xl_field claim_fields[] = {
	XL_FIELD("domid", UINT, xl_row, domid),
	XL_FIELD("name", STRING, xl_row, name),
	XL_FIELD("mem_kib", U64, xl_row, mem_kib),
	XL_FIELD("claimed_kib", U64, xl_row, claimed_kib),
};

int xl_cmd_claims(int argc, char **argv)
{
	static const struct xl_table t = {
		.head = xl_list_header,
		.row = print_row,
		.field = claim_fields,
		.n = ARRAY_SIZE(claim_fields),
	};
	int status = 0;

	if (!xl_no_options(argc, argv, 0, &status))
		return status;
	xl_out_begin(&t, XL_LIST_CLAIM);
	status = xl_each_info(NULL, 0, show_host, show_guest);
	return xl_out_end() | status;
}

static const struct xl_field sharing_fields[] = {
	XL_FIELD("domid", UINT, xl_row, domid),
	XL_FIELD("name", STRING, xl_row, name),
	XL_FIELD("mem_kib", U64, xl_row, mem_kib),
	XL_FIELD("shared_kib", U64, xl_row, shared_kib),
};

static void print_sharing_head(unsigned int how)
{
	(void)how;
	printf("Name                                        ID   Mem Shared\n");
}

static void print_sharing(const void *row, unsigned int how)
{
	const struct xl_row *r = row;

	(void)how;
	printf("%-40s %5u %5llu  %5llu\n", r->name, r->domid,
	       (unsigned long long)(r->mem_kib / 1024),
	       (unsigned long long)(r->shared_kib / 1024));
}

int xl_cmd_sharing(int argc, char **argv)
{
	static const struct xl_table t = {
		.head = print_sharing_head,
		.row = print_sharing,
		.field = sharing_fields,
		.n = ARRAY_SIZE(sharing_fields),
	};
	unsigned int domid;
	int status = 0;

	if (!xl_no_options(argc, argv, 0, &status))
		return status;
	if (optind < argc && xl_find_domain(argv[optind], &domid))
		return XL_EXIT_FAIL;
	xl_out_begin(&t, 0);
	status = xl_each_info(argv + optind, optind < argc, show_host,
			      show_guest);
	return xl_out_end() | status;
}

/* ---- Names and numbers ---------------------------------------------------- */

static const struct xl_field name_fields[] = {
	XL_FIELD("domid", UINT, xl_dom, domid),
	XL_FIELD("name", TEXT, xl_dom, name),
};

static void print_domid(const void *row, unsigned int how)
{
	const struct xl_dom *d = row;

	(void)how;
	printf("%u\n", d->domid);
}

int xl_cmd_domid(int argc, char **argv)
{
	static const struct xl_table t = {
		.row = print_domid,
		.field = name_fields,
		.n = ARRAY_SIZE(name_fields),
	};
	struct xl_dom d = { .name = "Domain-0" };
	const char *who;
	int status = 0;

	if (!xl_no_options(argc, argv, 1, &status))
		return status;
	who = argv[optind];
	if (strcmp(who, d.name) != 0 &&
	    (xl_run_find(who, &d.domid) || xl_run_name(d.domid, d.name))) {
		xl_error(
			who, "see `xl list`",
			"Can't get domid of domain name '%s', maybe this domain does not exist.",
			who);
		return XL_EXIT_FAIL;
	}
	return xl_out_one(&t, &d);
}

static void print_domname(const void *row, unsigned int how)
{
	const struct xl_dom *d = row;

	(void)how;
	printf("%s\n", d->name);
}

int xl_cmd_domname(int argc, char **argv)
{
	static const struct xl_table t = {
		.row = print_domname,
		.field = name_fields,
		.n = ARRAY_SIZE(name_fields),
	};
	struct xl_dom d = { .name = "Domain-0" };
	int status = 0;
	uint64_t domid;

	if (!xl_no_options(argc, argv, 1, &status))
		return status;
	if (util_u64(argv[optind], XL_MAX_DOMID, &domid)) {
		xl_error(argv[optind], "a number is wanted",
			 "Invalid domain id: '%s' (a number is wanted)",
			 argv[optind]);
		return XL_EXIT_FAIL;
	}
	d.domid = (unsigned int)domid;
	if (domid && xl_run_name(d.domid, d.name)) {
		xl_error(
			argv[optind], "see `xl list`",
			"Can't get domain name of domain id '%s', maybe this domain does not exist.",
			argv[optind]);
		return XL_EXIT_FAIL;
	}
	return xl_out_one(&t, &d);
}
