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
#include "tools/xl_out.h"
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
	int status = 0;
	unsigned int domid;

	if (!xl_no_options(argc, argv, 2, &status))
		return status;
	log_init("", LOG_LVL_ERR);
	if (find_guest("rename", argv[optind], &domid))
		return XL_EXIT_FAIL;
	if (!xl_change_name(domid, argv[optind + 1]))
		return 0;
	fprintf(stderr, "Can't rename domain '%s'.\n", argv[optind]);
	return XL_EXIT_FAIL;
}

/* Make @c another configuration; name and UUID stay.  @text: *given*. */
static int change_all_but_identity(struct xl_change *c, char *text,
				   const char *file)
{
	char name[XL_NAME_SIZE], uuid[XL_UUID_LEN];
	const char *its_name = name, *its_uuid = uuid;
	struct dom_info info;
	int ret = xl_dom_info(c->domid, &info);

	if (!ret)
		ret = xl_run_name(c->domid, name);
	if (ret) {
		free(text);
		return ret;
	}
	xl_uuid_format(uuid, info.uuid);
	ret = xl_change_to(c, text, file);
	if (!ret)
		ret = xl_change_set(c, "name", &its_name, 0);
	return ret ? ret : xl_change_set(c, "uuid", &its_uuid, 0);
}

/* xl_change_begin(), but with paths as the new file means them. */
static int begin_from_here(struct xl_change *c, unsigned int domid)
{
	char *here = xl_path_base() ? strdup(xl_path_base()) : NULL;
	int ret;

	if (!here)
		return -ENOMEM;
	ret = xl_change_begin(c, domid);
	xl_path_set_base(here);
	free(here);
	return ret;
}

static int update(unsigned int domid, const char *file, char **extra, size_t n)
{
	struct xl_change c = { .lock = -1 };
	unsigned int lines;
	char *text;
	int ret = xl_cfg_load(file, extra, n, &text, &lines);

	if (ret)
		return ret;
	fprintf(stderr, "Parsing config from %s\n", file);
	ret = begin_from_here(&c, domid);
	if (ret)
		free(text);
	else
		ret = change_all_but_identity(&c, text, file);
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

struct uptime {
	const char *name;
	unsigned int domid;
	uint64_t s;
};

static const struct xl_field uptime_fields[] = {
	XL_FIELD("domid", UINT, uptime, domid),
	XL_FIELD("name", STRING, uptime, name),
	XL_FIELD("uptime_s", U64, uptime, s),
};

static void print_uptime_head(unsigned int brief)
{
	if (!brief)
		printf("%-33s %4s %s\n", "Name", "ID", "Uptime");
}

static void print_uptime(const void *row, unsigned int brief)
{
	const struct uptime *u = row;
	uint64_t days = u->s / 86400;
	char text[64] = "", now[16];
	unsigned int h = (unsigned int)(u->s / 3600 % 24);
	unsigned int m = (unsigned int)(u->s / 60 % 60);
	time_t t = time(NULL);
	int at = 0;
	struct tm tm;

	if (days)
		at = snprintf(text, sizeof(text), "%llu day%s, ",
			      (unsigned long long)days, days > 1 ? "s" : "");
	if (!brief) {
		snprintf(text + at, sizeof(text) - (size_t)at, "%2u:%02u:%02u",
			 h, m, (unsigned int)(u->s % 60));
		printf("%-33s %4u %s\n", u->name, u->domid, text);
		return;
	}
	snprintf(text + at, sizeof(text) - (size_t)at, "%2u:%02u", h, m);
	localtime_r(&t, &tm);
	strftime(now, sizeof(now), "%H:%M:%S", &tm);
	printf(" %s up %s, %s (%u)\n", now, text, u->name, u->domid);
}

static void uptime_host(void)
{
	struct timespec up = { 0 };

	clock_gettime(CLOCK_BOOTTIME, &up);
	xl_out_row(&(struct uptime){ "Domain-0", 0, (uint64_t)up.tv_sec });
}

static void uptime_guest(const struct xl_dom *d, const struct dom_info *info,
			 int ret)
{
	if (!ret)
		xl_out_row(&(struct uptime){ d->name, d->domid,
					     xl_uptime_s(info) });
}

int xl_cmd_uptime(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "short", no_argument, NULL, 's' },
		{ 0 },
	};
	static const struct xl_table t = {
		.head = print_uptime_head,
		.row = print_uptime,
		.field = uptime_fields,
		.n = ARRAY_SIZE(uptime_fields),
	};
	int opt, status = 0;
	bool brief = false;

	while ((opt = xl_getopt(argc, argv, "s", longs, 0, &status)) > 0)
		brief = true;
	if (!opt)
		return status;
	xl_out_begin(&t, brief);
	status = xl_each_info(argv + optind, argc - optind, uptime_host,
			      uptime_guest);
	return xl_out_end() | status;
}

struct identity {
	const char *name;
	unsigned int domid;
	uint8_t uuid[16];
};

static const struct xl_field identity_fields[] = {
	XL_FIELD("domid", UINT, identity, domid),
	XL_FIELD("name", STRING, identity, name),
	XL_FIELD("uuid", UUID, identity, uuid),
};

static void print_vm_head(unsigned int how)
{
	(void)how;
	printf("UUID                                  ID    name\n");
}

static void print_vm(const void *row, unsigned int how)
{
	const struct identity *i = row;
	char uuid[XL_UUID_LEN];

	(void)how;
	printf("%s  %u    %-30s\n", xl_uuid_format(uuid, i->uuid), i->domid,
	       i->name);
}

static void list_vm(const struct xl_dom *d, const struct dom_info *info,
		    int ret)
{
	struct identity i = { .name = d->name, .domid = d->domid };

	if (ret)
		return;
	memcpy(i.uuid, info->uuid, sizeof(i.uuid));
	xl_out_row(&i);
}

int xl_cmd_vm_list(int argc, char **argv)
{
	static const struct xl_table t = {
		.head = print_vm_head,
		.row = print_vm,
		.field = identity_fields,
		.n = ARRAY_SIZE(identity_fields),
	};
	int status = 0;

	if (!xl_no_options(argc, argv, 0, &status))
		return status;
	xl_out_begin(&t, 0);
	status = xl_each_info(NULL, 0, NULL, list_vm);
	return xl_out_end() | status;
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
	int status = 0;
	struct sysrq s = { 0 };
	size_t n;

	if (!xl_no_options(argc, argv, 2, &status))
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
	int status = 0;
	unsigned int domid;
	const char *what;
	size_t i = 0;

	if (!xl_no_options(argc, argv, 2, &status))
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
