// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cfg.c - what a configuration file asks for, checked.
#include "tools/xl_cfg.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <libxlutil.h>

#include "base/log.h"
#include "tools/xl_cpus.h"
#include "tools/xl_keys.h"

/*
 * gcc 12's analyzer does not follow struct parse to the struct xl_cfg that owns
 * what is allocated here, and that xl_cfg_free() frees.
 */
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* libxlutil.a wants this one function of libxenlight, and nothing else. */
void libxl_defbool_set(libxl_defbool *db, bool b)
{
	db->val = b ? 1 : -1;
}

/* A configuration that is being parsed. */
struct parse {
	struct xl_cfg *c;
	XLU_Config *x;
	FILE *report; /* where libxlutil says what is wrong */
	char *said;
	const char *path;
	unsigned int lines; /* of the file; more are from the command line */
	struct xl_setting *set;
	size_t nset;
};

static const char *const action_names[] = {
	[XL_ACTION_NONE] = "",
	[XL_ACTION_DESTROY] = "destroy",
	[XL_ACTION_RESTART] = "restart",
	[XL_ACTION_RENAME_RESTART] = "rename-restart",
	[XL_ACTION_PRESERVE] = "preserve",
	[XL_ACTION_COREDUMP_DESTROY] = "coredump-destroy",
	[XL_ACTION_COREDUMP_RESTART] = "coredump-restart",
	[XL_ACTION_SOFT_RESET] = "soft-reset",
};
_Static_assert(ARRAY_SIZE(action_names) == XL_NACTIONS, "a name per action");

const char *xl_action_name(enum xl_action action)
{
	return action_names[action];
}

static void write_where(const struct parse *p, char *buf, size_t size,
			unsigned int line)
{
	if (!line)
		snprintf(buf, size, "%s", p->path);
	else if (line > p->lines)
		snprintf(buf, size, "command line");
	else
		snprintf(buf, size, "%s:%u", p->path, line);
}

/* "FILE:LINE" of a key's last setting, which is the one that counts. */
static const char *where(const struct parse *p, const char *key, char *buf,
			 size_t size)
{
	unsigned int line = 0;

	for (size_t i = 0; i < p->nset; i++) {
		if (!strcmp(p->set[i].key, key))
			line = p->set[i].line;
	}
	write_where(p, buf, size, line);
	return buf;
}

static int printf_like(3, 4)
	refuse(const struct parse *p, const char *key, const char *fmt, ...)
{
	char at[PATH_MAX + 16], text[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_err("%s: %s", where(p, key, at, sizeof(at)), text);
	return -EINVAL;
}

/* ---- Single values -------------------------------------------------------- */

/* *out stays NULL if the key is absent; borrowed until the end of parsing. */
static int get(const struct parse *p, const char *key, const char **out)
{
	int err = xlu_cfg_get_string(p->x, key, out, 1);

	if (!err)
		return 0;
	*out = NULL;
	if (err == ESRCH)
		return 0;
	return refuse(p, key, "%s: a single value is wanted, not a list", key);
}

static int get_copy(const struct parse *p, const char *key, char **out)
{
	const char *v;
	int ret = get(p, key, &v);

	if (ret || !v)
		return ret;
	*out = strdup(v);
	return *out ? 0 : -ENOMEM;
}

/* @out is left alone if the key is absent. */
static int get_number(const struct parse *p, const char *key, uint64_t min,
		      uint64_t max, uint64_t *out)
{
	const char *v;
	uint64_t n = 0;
	int ret;

	ret = get(p, key, &v);
	if (ret || !v)
		return ret;
	ret = util_u64(v, max, &n);
	if (ret == -EINVAL)
		return refuse(p, key, "%s = '%s': not a number", key, v);
	if (ret || n < min)
		return refuse(
			p, key,
			"%s = %s: out of range, %llu to %llu are possible", key,
			v, (unsigned long long)min, (unsigned long long)max);
	*out = n;
	return 0;
}

static int get_path(const struct parse *p, const char *key, char **out)
{
	int ret = get_copy(p, key, out);

	if (ret || !*out)
		return ret;
	if (!**out) {
		free(*out);
		*out = NULL;
		return 0;
	}
	return xl_path_absolute(out);
}

static char base[PATH_MAX];

void xl_path_set_base(const char *dir)
{
	snprintf(base, sizeof(base), "%s", dir);
}

const char *xl_path_base(void)
{
	if (!*base && !getcwd(base, sizeof(base)))
		return NULL;
	return base;
}

int xl_path_absolute(char **path)
{
	char *full;

	if (**path == '/')
		return 0;
	if (!xl_path_base() || asprintf(&full, "%s/%s", base, *path) < 0)
		return -ENOMEM;
	free(*path);
	*path = full;
	return 0;
}

/* ---- Groups of keys ------------------------------------------------------- */

static int parse_name(const struct parse *p)
{
	const char *s;
	int ret;

	ret = get_copy(p, "name", &p->c->name);
	if (ret)
		return ret;
	s = p->c->name;
	if (!s || !*s)
		return refuse(p, "name",
			      "no name for the domain (add name = \"...\")");
	if (strlen(s) > 200 || strspn(s, "0123456789") == strlen(s) ||
	    !strcmp(s, "Domain-0") || s[0] == '.')
		return refuse(
			p, "name",
			"name = '%s': cannot name a domain (at most 200 letters, not only digits, no '.' in front)",
			s);
	for (; *s; s++) {
		if (!isgraph((unsigned char)*s) || *s == '/')
			return refuse(
				p, "name",
				"name = '%s': blanks, '/' and control characters are not possible",
				p->c->name);
	}
	return 0;
}

int xl_hex_byte(const char *s)
{
	int v = 0;

	for (int i = 0; i < 2; i++, s++) {
		if (!isxdigit((unsigned char)*s))
			return -EINVAL;
		v = v * 16 + (isdigit((unsigned char)*s)
				      ? *s - '0'
				      : tolower((unsigned char)*s) - 'a' + 10);
	}
	return v;
}

int xl_uuid_parse(const char *s, uint8_t uuid[16])
{
	uint8_t out[16];

	for (size_t i = 0; i < 16; i++) {
		int byte = xl_hex_byte(s);

		if (byte < 0)
			return -EINVAL;
		out[i] = (uint8_t)byte;
		s += 2;
		if (*s == '-')
			s++;
	}
	if (*s)
		return -EINVAL;
	memcpy(uuid, out, sizeof(out));
	return 0;
}

char *xl_uuid_format(char buf[XL_UUID_LEN], const uint8_t uuid[16])
{
	char *at = buf;

	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		at += snprintf(at, 3, "%02x", uuid[i]);
	}
	return buf;
}

static int parse_uuid(const struct parse *p)
{
	uint8_t *uuid = p->c->uuid;
	const char *v;
	int ret;

	ret = get(p, "uuid", &v);
	if (ret)
		return ret;
	if (v) {
		ret = xl_uuid_parse(v, uuid);
		return ret ? refuse(p, "uuid", "uuid = '%s': not a UUID", v)
			   : 0;
	}
	if (getrandom(uuid, 16, 0) != 16)
		return -EIO;
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40); /* RFC 4122, random */
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	return 0;
}

static int parse_type(const struct parse *p)
{
	const char *v;
	int ret;

	ret = get(p, "type", &v);
	if (ret)
		return ret;
	if (v && strcmp(v, "pvh") != 0)
		return refuse(
			p, "type",
			"type = '%s': only PVH guests can run (leave the key out or set type = \"pvh\")",
			v);
	ret = get(p, "builder", &v);
	if (ret)
		return ret;
	if (v && strcmp(v, "linux") != 0 && strcmp(v, "generic") != 0)
		return refuse(
			p, "builder",
			"builder = '%s': only PVH guests can run (leave the key out)",
			v);
	ret = get(p, "passthrough", &v);
	if (!ret && v && strcmp(v, "disabled") != 0 && strcmp(v, "0") != 0)
		return refuse(
			p, "passthrough",
			"passthrough = '%s': devices cannot be passed through (leave the key out)",
			v);
	return ret;
}

/* cmdline, or the older pair root and extra. */
static int parse_cmdline(const struct parse *p)
{
	const char *cmdline, *root, *extra;
	char *text;
	int ret;

	ret = get(p, "cmdline", &cmdline);
	if (!ret)
		ret = get(p, "root", &root);
	if (!ret)
		ret = get(p, "extra", &extra);
	if (ret)
		return ret;
	if (cmdline && (root || extra))
		log_warn("%s: cmdline is set, so root and extra are ignored",
			 p->path);
	if (cmdline)
		ret = asprintf(&text, "%s", cmdline);
	else if (root)
		ret = asprintf(&text, "root=%s%s%s", root, extra ? " " : "",
			       extra ? extra : "");
	else if (extra)
		ret = asprintf(&text, "%s", extra);
	else
		return 0;
	if (ret < 0)
		return -ENOMEM;
	p->c->cmdline = text;
	return 0;
}

/*
 * Where GRUB's image for PVH guests lies: as Debian ships it, or by the name of
 * XENFIRMWAREDIR/<firmware>.bin, which Xen's xl takes (tools/xl/xl_parse.c).
 */
static int find_firmware(const char *name, char **out)
{
	const char *dir = getenv("SPLITVISOR_FIRMWARE_DIR");
	char xen[PATH_MAX], grub[PATH_MAX];
	bool is_xens;

	snprintf(grub, sizeof(grub), "%s/" XL_FIRMWARE_IMAGE,
		 dir ?: "/usr/lib/grub-xen");
	snprintf(xen, sizeof(xen), "%s/%s.bin", dir ?: "/usr/lib/xen/boot",
		 name);
	is_xens = access(grub, F_OK) && !access(xen, F_OK);
	*out = strdup(is_xens ? xen : grub);
	return *out ? 0 : -ENOMEM;
}

/* GRUB runs in the guest and reads kernel, initramfs and command line there. */
static int parse_firmware(const struct parse *p)
{
	struct xl_cfg *c = p->c;
	const char *name;
	int ret;

	ret = get(p, "firmware", &name);
	if (ret || !name || !*name)
		return ret;
	if (c->kernel)
		return refuse(
			p, "firmware",
			"firmware = '%s': kernel is set, too (leave one of them out)",
			name);
	if (strcmp(name, "pvgrub32") != 0 && strcmp(name, "pvgrub64") != 0)
		return refuse(
			p, "firmware",
			"firmware = '%s': PVH guests can be booted by GRUB only (set firmware = \"pvgrub64\", or a kernel)",
			name);
	if (c->ramdisk || c->cmdline)
		log_warn(
			"%s: firmware is set, so ramdisk, cmdline, root and extra are ignored: GRUB's menu in the guest has its own",
			p->path);
	free(c->ramdisk);
	free(c->cmdline);
	c->ramdisk = c->cmdline = NULL;
	c->firmware = true;
	return find_firmware(name, &c->kernel);
}

static int parse_kernel(const struct parse *p)
{
	const char *loader;
	int ret;

	ret = get_path(p, "kernel", &p->c->kernel);
	if (!ret)
		ret = get_path(p, "ramdisk", &p->c->ramdisk);
	if (!ret)
		ret = parse_cmdline(p);
	if (!ret)
		ret = parse_firmware(p);
	if (!ret)
		ret = get(p, "bootloader", &loader);
	if (ret || p->c->kernel)
		return ret;
	if (loader)
		return refuse(
			p, "bootloader",
			"bootloader = '%s': boot loaders are not run on the host (set firmware = \"pvgrub64\" for GRUB in the guest, or kernel, and ramdisk if needed, to files of the host)",
			loader);
	log_err("Neither kernel nor bootloader specified (set kernel = \"/path/to/vmlinuz\" in %s)",
		p->path);
	return -EINVAL;
}

static int parse_sizes(const struct parse *p)
{
	uint64_t memory = 0, maxmem = 0, vcpus = 1, maxvcpus = 0, frames = 0;
	struct xl_cfg *c = p->c;
	int ret;

	ret = get_number(p, "memory", XL_MIN_MEMORY_KIB / 1024, 1u << 24,
			 &memory);
	if (!ret)
		ret = get_number(p, "maxmem", XL_MIN_MEMORY_KIB / 1024,
				 1u << 24, &maxmem);
	if (!ret)
		ret = get_number(p, "vcpus", 1, XL_MAX_VCPUS, &vcpus);
	if (!ret)
		ret = get_number(p, "maxvcpus", 1, XL_MAX_VCPUS, &maxvcpus);
	if (!ret)
		ret = get_number(p, "max_grant_frames", 1, 4096, &frames);
	if (ret)
		return ret;
	if (!memory)
		memory = maxmem ? maxmem : 128;
	if (!maxmem)
		maxmem = memory;
	if (maxmem < memory)
		return refuse(
			p, "maxmem",
			"maxmem = %llu: less than memory = %llu (raise maxmem or leave it out)",
			(unsigned long long)maxmem, (unsigned long long)memory);
	if (!maxvcpus)
		maxvcpus = vcpus;
	if (maxvcpus < vcpus)
		return refuse(
			p, "maxvcpus",
			"maxvcpus = %llu: less than vcpus = %llu (raise maxvcpus or leave it out)",
			(unsigned long long)maxvcpus,
			(unsigned long long)vcpus);
	c->memory_kib = memory * 1024;
	c->maxmem_kib = maxmem * 1024;
	c->vcpus = (unsigned int)vcpus;
	c->maxvcpus = (unsigned int)maxvcpus;
	c->max_grant_frames = (unsigned int)frames;
	return 0;
}

/* "cpu_cap" is what Ganeti writes. */
static int parse_sched(const struct parse *p)
{
	uint64_t weight = 0, cap = 0;
	int ret;

	ret = get_number(p, "cpu_weight", 1, XL_WEIGHT_MAX, &weight);
	if (!ret)
		ret = get_number(p, "cpu_cap", 0, XL_CAP_MAX, &cap);
	if (!ret)
		ret = get_number(p, "cap", 0, XL_CAP_MAX, &cap);
	if (ret)
		return ret;
	p->c->sched =
		(struct xl_sched){ (unsigned int)weight, (unsigned int)cap };
	return 0;
}

static int parse_tsc_mode(const struct parse *p)
{
	static const char *const modes[] = { "default", "always_emulate",
					     "native", "native_paravirt" };
	const char *v;
	int ret;

	ret = get(p, "tsc_mode", &v);
	if (ret || !v)
		return ret;
	for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++) {
		if (strcmp(v, modes[i]) != 0 &&
		    (v[0] != (char)('0' + i) || v[1]))
			continue;
		p->c->tsc_mode = i ? modes[i] : NULL;
		return 0;
	}
	return refuse(
		p, "tsc_mode",
		"tsc_mode = '%s': unknown (default, always_emulate, native and native_paravirt are known)",
		v);
}

static int parse_actions(const struct parse *p)
{
	static const struct {
		const char *key;
		enum xl_action fallback;
	} on[] = {
		[XL_ON_POWEROFF] = { "on_poweroff", XL_ACTION_DESTROY },
		[XL_ON_REBOOT] = { "on_reboot", XL_ACTION_RESTART },
		[XL_ON_CRASH] = { "on_crash", XL_ACTION_DESTROY },
		[XL_ON_WATCHDOG] = { "on_watchdog", XL_ACTION_DESTROY },
		[XL_ON_SOFT_RESET] = { "on_soft_reset", XL_ACTION_SOFT_RESET },
	};
	_Static_assert(ARRAY_SIZE(on) == XL_NEVENTS, "a key per event");

	for (size_t i = 0; i < ARRAY_SIZE(on); i++) {
		enum xl_action a = XL_ACTION_NONE + 1;
		const char *v;
		int ret;

		p->c->on[i] = on[i].fallback;
		ret = get(p, on[i].key, &v);
		if (ret)
			return ret;
		if (!v)
			continue;
		while (a < XL_NACTIONS && strcmp(v, action_names[a]) != 0)
			a++;
		if (a == XL_NACTIONS ||
		    (a == XL_ACTION_SOFT_RESET && i != XL_ON_SOFT_RESET))
			return refuse(
				p, on[i].key,
				"%s = '%s': unknown action (destroy, restart, rename-restart, preserve, coredump-destroy and coredump-restart are known)",
				on[i].key, v);
		p->c->on[i] = a;
	}
	return 0;
}

/* As libxlutil reads a number: also 0x... */
static int parse_features(const struct parse *p)
{
	const char *v;
	unsigned long mask;
	char *end;
	int ret;

	ret = get(p, "xenstore_feature_mask", &v);
	if (ret || !v)
		return ret;
	errno = 0;
	mask = strtoul(v, &end, 0);
	if (errno || !*v || *end || mask > UINT32_MAX)
		return refuse(
			p, "xenstore_feature_mask",
			"xenstore_feature_mask = '%s': not a number up to 0xffffffff",
			v);
	p->c->hidden = ~(uint32_t)mask;
	return 0;
}

/* ---- Devices -------------------------------------------------------------- */

/* The list behind @key; *n is 0 if the key is absent. */
static int get_list(const struct parse *p, const char *key,
		    XLU_ConfigList **list, size_t *n)
{
	int entries = 0;
	int err = xlu_cfg_get_list(p->x, key, list, &entries, 1);

	*n = err ? 0 : (size_t)entries;
	if (!err || err == ESRCH)
		return 0;
	return refuse(p, key, "%s: a list is wanted: %s = [ '...', '...' ]",
		      key, key);
}

static int parse_disks(const struct parse *p)
{
	struct xl_cfg *c = p->c;
	char at[PATH_MAX + 16];
	XLU_ConfigList *list;
	size_t n;
	int ret;

	ret = get_list(p, "disk", &list, &n);
	if (ret || !n)
		return ret;
	c->disks = calloc(n, sizeof(*c->disks));
	if (!c->disks)
		return -ENOMEM;
	where(p, "disk", at, sizeof(at));
	for (size_t i = 0; i < n; i++) {
		const char *spec = xlu_cfg_get_listitem(list, (int)i);
		struct xl_disk *d = &c->disks[i];

		c->ndisks = i + 1;
		ret = xl_disk_parse(d, spec ? spec : "", at);
		if (ret)
			return ret;
		for (size_t j = 0; j < i; j++) {
			if (c->disks[j].devid == d->devid)
				return refuse(
					p, "disk",
					"disk '%s': the name %s is used twice",
					spec, d->vdev);
		}
	}
	return 0;
}

static int parse_vifs(const struct parse *p)
{
	struct xl_cfg *c = p->c;
	char at[PATH_MAX + 16];
	XLU_ConfigList *list;
	size_t n;
	int ret;

	ret = get_list(p, "vif", &list, &n);
	if (ret || !n)
		return ret;
	c->vifs = calloc(n, sizeof(*c->vifs));
	if (!c->vifs)
		return -ENOMEM;
	where(p, "vif", at, sizeof(at));
	for (size_t i = 0; i < n; i++) {
		const char *spec = xlu_cfg_get_listitem(list, (int)i);
		struct xl_vif *v = &c->vifs[i];

		c->nvifs = i + 1;
		ret = xl_vif_parse(v, spec ? spec : "", (unsigned int)i,
				   c->uuid, at);
		if (ret)
			return ret;
		for (size_t j = 0; j < i; j++) {
			if (c->vifs[j].devid == v->devid)
				return refuse(
					p, "vif",
					"vif '%s': devid %u is used twice",
					spec, v->devid);
		}
	}
	return 0;
}

static int parse_limits(const struct parse *p)
{
	struct xl_cfg *c = p->c;
	XLU_ConfigList *list;
	size_t n;
	int ret;

	ret = get_list(p, "xenstore_quota", &list, &n);
	if (ret || !n)
		return ret;
	c->limits = calloc(n, sizeof(*c->limits));
	if (!c->limits)
		return -ENOMEM;
	for (size_t i = 0; i < n && !ret; i++) {
		const char *spec = xlu_cfg_get_listitem(list, (int)i), *why;

		ret = xl_limit_parse(&c->limits[i], spec ? spec : "", &why);
		if (ret == -EINVAL)
			return refuse(
				p, "xenstore_quota",
				"xenstore_quota '%s': %s (NAME=NUMBER is wanted; `xl xenstore-quota-get -g` lists names)",
				spec ? spec : "", why);
		c->nlimits += !ret;
	}
	return ret;
}

/* One set for all, or a list with one for each vCPU from 0 on. */
static int parse_cpus(const struct parse *p)
{
	struct xl_cfg *c = p->c;
	XLU_ConfigList *list = NULL;
	const char *one = NULL;
	cpu_set_t any, set;
	int n = 0;

	if (xlu_cfg_get_string(p->x, "cpus", &one, 1) &&
	    xlu_cfg_get_list(p->x, "cpus", &list, &n, 1))
		return 0;
	c->cpus = calloc(c->maxvcpus, sizeof(*c->cpus));
	if (!c->cpus)
		return -ENOMEM;
	/* Which ones there are is this host's affair, and may change. */
	memset(&any, 0xff, sizeof(any));
	while (c->ncpus < c->maxvcpus && (one || c->ncpus < (size_t)n)) {
		const char *s = one ? one
				    : xlu_cfg_get_listitem(list, (int)c->ncpus);

		if (!s || xl_cpus_parse(s, &set, &any))
			return refuse(
				p, "cpus",
				"cpus '%s': not a set of CPUs (such as 'all', '0-3,^1', 'node:0')",
				s ? s : "");
		c->cpus[c->ncpus] = strdup(s);
		if (!c->cpus[c->ncpus])
			return -ENOMEM;
		c->ncpus++;
	}
	return 0;
}

/* ---- The whole ------------------------------------------------------------ */

static int check_keys(const struct parse *p)
{
	for (size_t i = 0; i < p->nset; i++) {
		const struct xl_setting *s = &p->set[i];
		const struct xl_key *key = xl_key_find(s->key);
		const char *near;
		char at[PATH_MAX + 16];

		write_where(p, at, sizeof(at), s->line);
		if (!key) {
			near = xl_key_nearest(s->key);
			log_warn(
				"%s: warning: unknown key '%s' is ignored%s%s%s",
				at, s->key, near ? " (did you mean '" : "",
				near ? near : "", near ? "'?)" : "");
		} else if (key->use == XL_KEY_INERT) {
			log_warn("%s: warning: key '%s' has no effect here", at,
				 s->key);
		} else if (key->use == XL_KEY_REFUSE) {
			log_err("%s: key '%s' asks for what cannot be had here (remove it)",
				at, s->key);
			return -EINVAL;
		}
	}
	return 0;
}

/* libxlutil's one line about a syntax error, with a remedy. */
static void report_syntax(const struct parse *p, char *report)
{
	size_t len = strlen(p->path);
	unsigned long line = 0;
	char at[PATH_MAX + 16], *end;

	report[strcspn(report, "\n")] = '\0';
	if (!strncmp(report, p->path, len) && report[len] == ':') {
		line = strtoul(report + len + 1, &end, 10);
		report = *end == ':' ? end + 1 : end;
	}
	write_where(p, at, sizeof(at), (unsigned int)line);
	log_err("%s:%s%s (settings look like key = \"text\", key = 12, key = [ 'a', 'b' ])",
		at, *report == ' ' ? "" : " ",
		*report ? report : "config parsing error");
}

static int read_syntax(struct parse *p, const char *text)
{
	size_t size;
	int err;

	p->report = open_memstream(&p->said, &size);
	if (!p->report)
		return -ENOMEM;
	p->x = xlu_cfg_init(p->report, p->path);
	err = p->x ? xlu_cfg_readdata(p->x, text, (int)strlen(text)) : ENOMEM;
	if (err && !fflush(p->report))
		report_syntax(p, p->said);
	return -err;
}

static int parse_all(struct parse *p)
{
	static int (*const steps[])(const struct parse *) = {
		check_keys,    parse_name,  parse_type,	 parse_uuid,
		parse_kernel,  parse_sizes, parse_sched, parse_tsc_mode,
		parse_actions, parse_disks, parse_vifs,	 parse_features,
		parse_limits,  parse_cpus,
	};
	int ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(steps) && !ret; i++)
		ret = steps[i](p);
	return ret;
}

int xl_cfg_parse(struct xl_cfg *c, const char *path, const char *text,
		 unsigned int lines)
{
	struct parse p = { .c = c, .path = path, .lines = lines };
	int ret;

	memset(c, 0, sizeof(*c));
	if (strlen(text) > INT_MAX / 2)
		return -EINVAL;
	ret = read_syntax(&p, text);
	if (!ret)
		ret = xl_keys_scan(text, &p.set, &p.nset);
	if (!ret)
		ret = parse_all(&p);
	if (ret == -ENOMEM)
		log_err("%s: out of memory", path);
	free(p.set);
	if (p.x)
		xlu_cfg_destroy(p.x);
	if (p.report)
		fclose(p.report);
	free(p.said);
	if (ret)
		xl_cfg_free(c);
	return ret;
}

void xl_cfg_free(struct xl_cfg *c)
{
	free(c->name);
	free(c->kernel);
	free(c->ramdisk);
	free(c->cmdline);
	for (size_t i = 0; i < c->ndisks; i++)
		xl_disk_free(&c->disks[i]);
	for (size_t i = 0; i < c->nvifs; i++)
		xl_vif_free(&c->vifs[i]);
	free(c->disks);
	free(c->vifs);
	xl_limits_free(c->limits, c->nlimits);
	for (size_t i = 0; i < c->ncpus; i++)
		free(c->cpus[i]);
	free(c->cpus);
	memset(c, 0, sizeof(*c));
}

/* ---- Reading -------------------------------------------------------------- */

#define MAX_FILE (1u << 20)

int xl_cfg_load(const char *path, char *const *extra, size_t n, char **text,
		unsigned int *lines)
{
	char *buf = NULL;
	size_t size = 0;
	FILE *in, *out;
	int c, ret = 0;

	in = fopen(path, "re");
	if (!in) {
		ret = -errno;
		log_err("Failed to read config file: %s: %s", path,
			strerror(-ret));
		return ret;
	}
	out = open_memstream(&buf, &size);
	if (!out) {
		fclose(in);
		return -ENOMEM;
	}
	*lines = 1;
	for (size_t i = 0; i < MAX_FILE && (c = getc(in)) != EOF; i++) {
		if (c == '\0')
			ret = -EINVAL; /* not text */
		*lines += c == '\n';
		putc(c, out);
	}
	if (!ret && (ferror(in) || !feof(in)))
		ret = ferror(in) ? -EISDIR : -EFBIG;
	if (ret)
		log_err("Failed to read config file: %s: %s", path,
			ret == -EINVAL ? "not a text file" : strerror(-ret));
	putc('\n', out);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s\n", extra[i]);
	fclose(in);
	if (fclose(out) && !ret)
		ret = -ENOMEM;
	if (ret)
		free(buf);
	else
		*text = buf;
	return ret;
}

/* ---- Changing ------------------------------------------------------------- */

/* How a line ends that was put there by a change. */
#define CHANGED " # as changed since"

/* In quotes, as libxlutil reads it; its escapes with digits do not work. */
static int put_quoted(FILE *f, const char *s)
{
	putc('\'', f);
	for (; *s; s++) {
		if ((unsigned char)*s < ' ')
			return -EINVAL;
		if (*s == '\'' || *s == '\\')
			putc('\\', f);
		putc(*s, f);
	}
	putc('\'', f);
	return 0;
}

static int put_entry(FILE *f, const char *spec, const unsigned int *devid)
{
	char *full = NULL;
	int ret;

	if (devid && !strstr(spec, "devid=") &&
	    asprintf(&full, "%s%sdevid=%u", spec, *spec ? "," : "", *devid) < 0)
		return -ENOMEM;
	ret = put_quoted(f, full ? full : spec);
	fputs(", ", f);
	free(full);
	return ret;
}

static int read_list(XLU_Config *x, const char *text, const char *name,
		     XLU_ConfigList **list, int *n)
{
	int err;

	if (xlu_cfg_readdata(x, text, (int)strlen(text)))
		return -EINVAL;
	err = xlu_cfg_get_list(x, name, list, n, 1);
	if (err)
		*n = 0;
	return err && err != ESRCH ? -EINVAL : 0;
}

/* Without the line that an earlier change has put there. */
static void put_text(FILE *f, const char *text, const char *name)
{
	size_t n = strlen(name), mark = strlen(CHANGED);

	for (const char *end, *p = text; *p; p = end) {
		size_t len = strcspn(p, "\n");

		end = p + len + (p[len] == '\n');
		if (len > n + mark && !strncmp(p, name, n) && p[n] == ' ' &&
		    !memcmp(p + len - mark, CHANGED, mark))
			continue;
		fprintf(f, "%.*s\n", (int)len, p);
	}
}

int xl_cfg_edit(const char *text, const char *name, const char *add,
		size_t drop, const unsigned int *devids, char **out)
{
	XLU_Config *x = xlu_cfg_init(stderr, name);
	XLU_ConfigList *list;
	size_t size;
	int n, ret;
	FILE *f;

	if (!x)
		return -ENOMEM;
	ret = read_list(x, text, name, &list, &n);
	f = ret ? NULL : open_memstream(out, &size);
	if (!ret && !f)
		ret = -ENOMEM;
	if (!f)
		goto out;
	put_text(f, text, name);
	fprintf(f, "%s = [ ", name);
	for (int i = 0; i < n && !ret; i++) {
		if ((size_t)i != drop)
			ret = put_entry(f, xlu_cfg_get_listitem(list, i),
					devids ? &devids[i] : NULL);
	}
	if (add && !ret)
		ret = put_entry(f, add, devids ? &devids[n] : NULL);
	fputs("]" CHANGED "\n", f);
	if (fclose(f) && !ret)
		ret = -ENOMEM;
	if (ret)
		free(*out);
out:
	xlu_cfg_destroy(x);
	return ret;
}

int xl_cfg_set(const char *text, const char *name, const char *const *values,
	       size_t n, char **out)
{
	size_t size;
	FILE *f = open_memstream(out, &size);
	int ret = 0;

	if (!f)
		return -ENOMEM;
	put_text(f, text, name);
	fprintf(f, "%s = ", name);
	if (!n)
		ret = put_quoted(f, *values);
	else
		putc('[', f);
	for (size_t i = 0; i < n && !ret; i++)
		ret = put_entry(f, values[i], NULL);
	fprintf(f, "%s" CHANGED "\n", n ? "]" : "");
	if (fclose(f) && !ret)
		ret = -ENOMEM;
	if (ret)
		free(*out);
	return ret;
}
