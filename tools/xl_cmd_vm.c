// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_vm.c - xl rename, config-update, uptime, vm-list, sysrq, trigger.
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "tools/xl_build.h"
#include "tools/xl_change.h"
#include "tools/xl_cmd.h"
#include "tools/xl_run.h"
#include "tools/xl_store.h"
#include "tools/xl_tree.h"

/* A guest by name or number: this host is none. */
static int find_guest(const char *verb, const char *who, unsigned int *domid)
{
	if (xl_find_domain(who, domid))
		return -ENOENT;
	if (*domid)
		return 0;
	fprintf(stderr, "xl %s: domain 0 is this host\n", verb);
	return -EINVAL;
}

static int get_info(unsigned int domid, struct dom_info *info)
{
	struct dom *dom;
	int ret = dom_connect(&dom, domid, DOM_ROLE_ADMIN, NULL, false);

	if (ret)
		return ret;
	ret = dom_info(dom, info);
	dom_free(dom);
	return ret;
}

/* Write nodes of a domain; reported. */
static int write_nodes(unsigned int domid,
		       void (*fill)(struct xl_txn *, void *), void *arg)
{
	struct xs_handle *h;
	int ret = xl_store_open(&h);

	if (ret)
		return ret;
	ret = xl_build_write(h, domid, fill, arg);
	xs_close(h);
	if (ret)
		log_err("domain %u: its nodes cannot be written: %s", domid,
			strerror(-ret));
	return ret;
}

/* ---- What it is called, and what it is made of ---------------------------- */

int xl_cmd_rename(int argc, char **argv)
{
	int opt, status = 0;
	unsigned int domid;

	while ((opt = xl_getopt(argc, argv, "", NULL, 2, &status)) > 0)
		;
	if (!opt)
		return status;
	log_init("", LOG_LVL_ERR);
	if (find_guest("rename", argv[optind], &domid))
		return XL_EXIT_FAIL;
	if (!xl_change_name(domid, argv[optind + 1]))
		return 0;
	fprintf(stderr, "Can't rename domain '%s'.\n", argv[optind]);
	return XL_EXIT_FAIL;
}

/* Another configuration, of which name and UUID are not taken. */
static int update(unsigned int domid, const char *file, char **extra, size_t n)
{
	char name[XL_NAME_SIZE], uuid[XL_UUID_LEN];
	const char *its_name = name, *its_uuid = uuid;
	struct xl_change c;
	struct dom_info info;
	unsigned int lines;
	char *cwd, *text;
	int ret;

	ret = xl_cfg_load(file, extra, n, &text, &lines);
	if (ret)
		return ret;
	fprintf(stderr, "Parsing config from %s\n", file);
	cwd = xl_path_base() ? strdup(xl_path_base()) : NULL;
	ret = cwd ? xl_change_begin(&c, domid) : -ENOMEM;
	if (!cwd) {
		free(text);
		return ret;
	}
	xl_path_set_base(cwd);
	free(cwd);
	if (!ret)
		ret = get_info(domid, &info);
	if (!ret)
		ret = xl_run_name(domid, name);
	if (ret) {
		free(text);
	} else {
		xl_uuid_format(uuid, info.uuid);
		ret = xl_change_to(&c, text, file);
	}
	if (!ret)
		ret = xl_change_set(&c, "name", &its_name, 0);
	if (!ret)
		ret = xl_change_set(&c, "uuid", &its_uuid, 0);
	if (!ret && xl_opts.dryrun)
		printf("%s", c.text);
	else if (!ret)
		ret = xl_change_keep(&c);
	xl_change_end(&c);
	return ret;
}

int xl_cmd_config_update(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "defconfig", required_argument, NULL, 'f' },
		{ 0 },
	};
	const char *file = NULL;
	int opt, status = 0;
	unsigned int domid;

	if (argc < 2) {
		size_t n;

		fprintf(stderr,
			"xl config-update requires a domain argument\n");
		xl_cmd_help(xl_cmd_find(argv[0], &n));
		return XL_EXIT_FAIL;
	}
	while ((opt = xl_getopt(argc, argv, "df:", longs, 1, &status)) > 0) {
		if (opt == 'f')
			file = optarg;
	}
	if (!opt)
		return status;
	fprintf(stderr,
		"WARNING: xl now has better capability to manage domain configuration, avoid using this command when possible\n");
	if (find_guest("config-update", argv[optind++], &domid))
		return XL_EXIT_FAIL;
	if (!file && optind < argc && !strchr(argv[optind], '='))
		file = argv[optind++];
	if (!file) {
		fprintf(stderr,
			"xl config-update: no configuration file is named (xl config-update DOMAIN FILE)\n");
		return XL_EXIT_FAIL;
	}
	return update(domid, file, argv + optind, (size_t)(argc - optind))
		       ? XL_EXIT_FAIL
		       : 0;
}

/* ---- How long it has been there ------------------------------------------- */

static void print_uptime(const char *name, unsigned int domid, uint64_t s,
			 bool brief)
{
	uint64_t days = s / 86400;
	char text[64] = "", now[16];
	unsigned int h = (unsigned int)(s / 3600 % 24);
	unsigned int m = (unsigned int)(s / 60 % 60);
	time_t t = time(NULL);
	int at = 0;
	struct tm tm;

	if (days)
		at = snprintf(text, sizeof(text), "%llu day%s, ",
			      (unsigned long long)days, days > 1 ? "s" : "");
	if (!brief) {
		snprintf(text + at, sizeof(text) - (size_t)at, "%2u:%02u:%02u",
			 h, m, (unsigned int)(s % 60));
		printf("%-33s %4u %s\n", name, domid, text);
		return;
	}
	snprintf(text + at, sizeof(text) - (size_t)at, "%2u:%02u", h, m);
	localtime_r(&t, &tm);
	strftime(now, sizeof(now), "%H:%M:%S", &tm);
	printf(" %s up %s, %s (%u)\n", now, text, name, domid);
}

static void uptime_host(bool brief)
{
	struct timespec up = { 0 };

	clock_gettime(CLOCK_BOOTTIME, &up);
	print_uptime("Domain-0", 0, (uint64_t)up.tv_sec, brief);
}

/* Nothing, if it has ended meanwhile. */
static void uptime_guest(const struct xl_dom *d, bool brief)
{
	struct dom_info info;
	struct timespec now;
	uint64_t ns;

	if (get_info(d->domid, &info))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	/* The clock may have been put back. */
	print_uptime(d->name, d->domid,
		     ns > info.start_ns ? (ns - info.start_ns) / 1000000000u
					: 0,
		     brief);
}

static int uptime_of(const char *who, bool brief)
{
	struct xl_dom d;

	if (xl_find_domain(who, &d.domid))
		return XL_EXIT_FAIL;
	if (!d.domid)
		uptime_host(brief);
	else if (!xl_run_name(d.domid, d.name))
		uptime_guest(&d, brief);
	return 0;
}

int xl_cmd_uptime(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "short", no_argument, NULL, 's' },
		{ 0 },
	};
	int opt, status = 0;
	struct xl_dom *doms;
	bool brief = false;
	size_t n;

	while ((opt = xl_getopt(argc, argv, "s", longs, 0, &status)) > 0)
		brief = true;
	if (!opt)
		return status;
	if (!brief)
		printf("%-33s %4s %s\n", "Name", "ID", "Uptime");
	for (int i = optind; i < argc; i++)
		status |= uptime_of(argv[i], brief);
	if (optind < argc)
		return status;
	uptime_host(brief);
	if (xl_run_list(&doms, &n))
		return XL_EXIT_FAIL;
	for (size_t i = 0; i < n; i++)
		uptime_guest(&doms[i], brief);
	free(doms);
	return 0;
}

int xl_cmd_vm_list(int argc, char **argv)
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
	printf("UUID                                  ID    name\n");
	for (size_t i = 0; i < n; i++) {
		char uuid[XL_UUID_LEN];
		struct dom_info info;

		if (!get_info(doms[i].domid, &info))
			printf("%s  %u    %-30s\n",
			       xl_uuid_format(uuid, info.uuid), doms[i].domid,
			       doms[i].name);
	}
	free(doms);
	return 0;
}

/* ---- Signals -------------------------------------------------------------- */

struct sysrq {
	unsigned int domid;
	char key[2];
};

static void fill_sysrq(struct xl_txn *x, void *arg)
{
	const struct sysrq *s = arg;

	xl_txn_put(x, s->key, "/local/domain/%u/control/sysrq", s->domid);
}

int xl_cmd_sysrq(int argc, char **argv)
{
	int opt, status = 0;
	struct sysrq s = { 0 };
	size_t n;

	while ((opt = xl_getopt(argc, argv, "", NULL, 2, &status)) > 0)
		;
	if (!opt)
		return status;
	if (find_guest("sysrq", argv[optind], &s.domid))
		return XL_EXIT_FAIL;
	s.key[0] = argv[optind + 1][0];
	if (!isgraph((unsigned char)s.key[0]) || argv[optind + 1][1]) {
		fprintf(stderr, "Invalid sysrq.\n\n");
		xl_cmd_help(xl_cmd_find(argv[0], &n));
		return XL_EXIT_FAIL;
	}
	return write_nodes(s.domid, fill_sysrq, &s) ? XL_EXIT_FAIL : 0;
}

/* A domain's vCPU @vcpu has a non-maskable interrupt. */
static int trigger_nmi(unsigned int domid, const char *vcpu)
{
	struct dom_msg msg = { .type = DOM_NMI };
	struct dom *dom;
	uint64_t id = 0;
	int ret;

	if (vcpu && util_u64(vcpu, UINT32_MAX, &id)) {
		fprintf(stderr, "xl trigger: '%s' is not a vCPU's number\n",
			vcpu);
		return XL_EXIT_FAIL;
	}
	msg.u.vcpu.id = (uint32_t)id;
	ret = dom_connect(&dom, domid, DOM_ROLE_ADMIN, NULL, false);
	if (!ret) {
		ret = dom_call(dom, &msg, NULL, NULL);
		dom_free(dom);
	}
	if (!ret)
		return 0;
	fprintf(stderr, "xl trigger: domain %u, vCPU %u: %s\n", domid,
		(unsigned int)id,
		ret == -ENOENT	 ? "there is no such vCPU (see `xl vcpu-list`)"
		: ret == -ENOSYS ? "a process plays this guest: it has no vCPUs"
				 : strerror(-ret));
	return XL_EXIT_FAIL;
}

int xl_cmd_trigger(int argc, char **argv)
{
	static const char *const known[] = { "nmi",   "reset", "init",
					     "power", "sleep", "s3resume" };
	int opt, status = 0;
	unsigned int domid;
	const char *what;
	size_t i = 0;

	while ((opt = xl_getopt(argc, argv, "", NULL, 2, &status)) > 0)
		;
	if (!opt)
		return status;
	if (find_guest("trigger", argv[optind], &domid))
		return XL_EXIT_FAIL;
	what = argv[optind + 1];
	if (!strcmp(what, "nmi"))
		return trigger_nmi(domid, argv[optind + 2]);
	while (i < ARRAY_SIZE(known) && strcmp(known[i], what) != 0)
		i++;
	if (i == ARRAY_SIZE(known))
		fprintf(stderr, "Invalid trigger \"%s\"\n", what);
	else
		fprintf(stderr,
			"trigger %s: not possible for a PVH guest here (`xl shutdown`, `xl reboot` and `xl sysrq` ask it)\n",
			what);
	return XL_EXIT_FAIL;
}
