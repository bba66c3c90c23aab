// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_json.c - domains as JSON, in libxl's layout.
#include "tools/xl_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_gen.h>

/* Bytes of the UTF-8 character at @s (RFC 3629), or 0 if there is none. */
static size_t utf8_char(const char *s)
{
	const uint8_t *c = (const uint8_t *)s;
	size_t n = c[0] < 0x80	 ? 1
		   : c[0] < 0xc2 ? 0
		   : c[0] < 0xe0 ? 2
		   : c[0] < 0xf0 ? 3
		   : c[0] < 0xf5 ? 4
				 : 0;

	for (size_t i = 1; i < n; i++) {
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Longer than need be, surrogates, beyond the last character. */
	if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) ||
	    (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f))
		return 0;
	return n;
}

/* JSON is UTF-8, a configuration need not be: other bytes appear as '?'. */
static void put_string(yajl_gen g, const char *s)
{
	char *copy = strdup(s);

	for (char *at = copy; at && *at;) {
		size_t n = utf8_char(at);

		if (!n)
			*at = '?';
		at += n ? n : 1;
	}
	if (copy)
		yajl_gen_string(g, (const unsigned char *)copy, strlen(copy));
	free(copy);
}

/*
 * Names, their order and what is left out at its default are libxl's (IDL of
 * Xen 4.17).  Errors of yajl are out of memory only, and seen at the end.
 */
static void member_string(yajl_gen g, const char *name, const char *value)
{
	if (!value)
		return;
	put_string(g, name);
	put_string(g, value);
}

static void member_number(yajl_gen g, const char *name, uint64_t value)
{
	put_string(g, name);
	yajl_gen_integer(g, (long long)value);
}

/* libxl's way of writing booleans. */
static void member_bool(yajl_gen g, const char *name, bool value)
{
	member_string(g, name, value ? "True" : "False");
}

static void member_map(yajl_gen g, const char *name)
{
	put_string(g, name);
	yajl_gen_map_open(g);
}

static void empty_map(yajl_gen g, const char *name)
{
	member_map(g, name);
	yajl_gen_map_close(g);
}

static void put_sched(yajl_gen g, bool live)
{
	member_map(g, "sched_params");
	if (live) {
		member_string(g, "sched", "credit2");
		member_number(g, "weight", 256);
		member_number(g, "cap", 0);
	}
	yajl_gen_map_close(g);
}

static void put_create_info(yajl_gen g, const struct xl_cfg *c, bool live)
{
	char uuid[XL_UUID_LEN];

	member_map(g, "c_info");
	member_string(g, "type", "pvh");
	member_string(g, "name", c->name);
	if (live)
		member_number(g, "domid", UINT32_MAX);
	member_string(g, "uuid", xl_uuid_format(uuid, c->uuid));
	member_bool(g, "run_hotplug_scripts", true);
	yajl_gen_map_close(g);
}

static void put_limits(yajl_gen g, const struct xl_cfg *c)
{
	if (c->hidden)
		member_number(g, "xenstore_feature_mask", ~c->hidden);
	if (!c->nlimits)
		return;
	member_map(g, "xenstore_quota");
	put_string(g, "quota");
	yajl_gen_array_open(g);
	for (size_t i = 0; i < c->nlimits; i++) {
		yajl_gen_map_open(g);
		member_string(g, "name", c->limits[i].name);
		member_number(g, "val", c->limits[i].value);
		yajl_gen_map_close(g);
	}
	yajl_gen_array_close(g);
	yajl_gen_map_close(g);
}

static void put_build_info(yajl_gen g, const struct xl_cfg *c, bool live)
{
	member_map(g, "b_info");
	member_number(g, "max_vcpus", c->maxvcpus);
	put_string(g, "avail_vcpus");
	yajl_gen_array_open(g);
	for (unsigned int i = 0; i < c->vcpus; i++)
		yajl_gen_integer(g, i);
	yajl_gen_array_close(g);
	member_string(g, "tsc_mode", c->tsc_mode);
	member_number(g, "max_memkb", c->maxmem_kib);
	member_number(g, "target_memkb", c->memory_kib);
	if (live)
		member_number(g, "video_memkb", 0);
	if (c->max_grant_frames)
		member_number(g, "max_grant_frames", c->max_grant_frames);
	put_sched(g, live);
	member_bool(g, "claim_mode", true);
	member_string(g, "kernel", c->kernel);
	member_string(g, "cmdline", c->cmdline);
	member_string(g, "ramdisk", c->ramdisk);
	empty_map(g, "type.pvh");
	empty_map(g, "arch_arm");
	member_map(g, "arch_x86");
	if (live)
		member_bool(g, "msr_relaxed", false);
	yajl_gen_map_close(g);
	put_limits(g, c);
	yajl_gen_map_close(g);
}

static void put_disk(yajl_gen g, const struct xl_disk *d, bool live)
{
	yajl_gen_map_open(g);
	member_string(g, "pdev_path", d->path);
	member_string(g, "vdev", d->vdev);
	member_string(g, "backend", d->backend);
	member_string(g, "format", d->format);
	member_string(g, "script", d->script);
	if (d->removable)
		member_number(g, "removable", 1);
	if (d->writable)
		member_number(g, "readwrite", 1);
	if (d->cdrom)
		member_number(g, "is_cdrom", 1);
	if (d->direct_io_safe) {
		put_string(g, "direct_io_safe");
		yajl_gen_bool(g, true);
	}
	if (d->discard_given)
		member_bool(g, "discard_enable", d->discard);
	if (live)
		member_bool(g, "colo_restore_enable", false);
	if (!d->trusted)
		member_bool(g, "trusted", false);
	yajl_gen_map_close(g);
}

static void put_vif(yajl_gen g, const struct xl_vif *v, bool live)
{
	char mac[18];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0],
		 v->mac[1], v->mac[2], v->mac[3], v->mac[4], v->mac[5]);
	yajl_gen_map_open(g);
	member_number(g, "devid", v->devid);
	if (v->mtu)
		member_number(g, "mtu", v->mtu);
	member_string(g, "model", v->model);
	member_string(g, "mac", mac);
	member_string(g, "ip", v->ip);
	member_string(g, "bridge", v->bridge);
	member_string(g, "vlan", v->vlan);
	member_string(g, "net", v->net); /* ours, not libxl's */
	member_string(g, "ifname", v->vifname);
	member_string(g, "script", v->script);
	if (live || v->type)
		member_string(g, "nictype", "vif");
	if (v->rate_bytes) {
		member_number(g, "rate_bytes_per_interval", v->rate_bytes);
		member_number(g, "rate_interval_usecs", v->rate_usecs);
	}
	member_string(g, "gatewaydev", v->gatewaydev);
	if (!v->trusted)
		member_bool(g, "trusted", false);
	yajl_gen_map_close(g);
}

static void put_devices(yajl_gen g, const struct xl_cfg *c, bool live)
{
	if (c->ndisks) {
		put_string(g, "disks");
		yajl_gen_array_open(g);
		for (size_t i = 0; i < c->ndisks; i++)
			put_disk(g, &c->disks[i], live);
		yajl_gen_array_close(g);
	}
	if (c->nvifs) {
		put_string(g, "nics");
		yajl_gen_array_open(g);
		for (size_t i = 0; i < c->nvifs; i++)
			put_vif(g, &c->vifs[i], live);
		yajl_gen_array_close(g);
	}
}

/* libxl's names; "destroy" is what it leaves out. */
static void put_action(yajl_gen g, const char *name, enum xl_action action)
{
	static const char *const names[XL_NACTIONS] = {
		[XL_ACTION_RESTART] = "restart",
		[XL_ACTION_RENAME_RESTART] = "restart_rename",
		[XL_ACTION_PRESERVE] = "preserve",
		[XL_ACTION_COREDUMP_DESTROY] = "coredump_destroy",
		[XL_ACTION_COREDUMP_RESTART] = "coredump_restart",
		[XL_ACTION_SOFT_RESET] = "soft_reset",
	};

	member_string(g, name, names[action]);
}

static yajl_gen start(void)
{
	yajl_gen g = yajl_gen_alloc(NULL);

	if (g) {
		yajl_gen_config(g, yajl_gen_beautify, 1);
		yajl_gen_config(g, yajl_gen_indent_string, "    ");
	}
	return g;
}

static int finish(yajl_gen g, char **text)
{
	const unsigned char *buf;
	size_t len;
	int ret = -ENOMEM;

	if (yajl_gen_get_buf(g, &buf, &len) == yajl_gen_status_ok) {
		*text = strndup((const char *)buf, len);
		ret = *text ? 0 : -ENOMEM;
	}
	yajl_gen_free(g);
	return ret;
}

int xl_json_config(const struct xl_cfg *c, bool live, char **text)
{
	yajl_gen g = start();

	if (!g)
		return -ENOMEM;
	yajl_gen_map_open(g);
	put_create_info(g, c, live);
	put_build_info(g, c, live);
	put_devices(g, c, live);
	put_action(g, "on_poweroff", c->on[XL_ON_POWEROFF]);
	put_action(g, "on_reboot", c->on[XL_ON_REBOOT]);
	put_action(g, "on_watchdog", c->on[XL_ON_WATCHDOG]);
	put_action(g, "on_crash", c->on[XL_ON_CRASH]);
	put_action(g, "on_soft_reset", c->on[XL_ON_SOFT_RESET]);
	yajl_gen_map_close(g);
	return finish(g, text);
}

int xl_json_disk(const struct xl_disk *d, char **text)
{
	yajl_gen g = start();

	if (!g)
		return -ENOMEM;
	put_disk(g, d, false);
	return finish(g, text);
}

int xl_json_vif(const struct xl_vif *v, char **text)
{
	yajl_gen g = start();

	if (!g)
		return -ENOMEM;
	put_vif(g, v, false);
	return finish(g, text);
}

int xl_json_dom0(uint64_t memory_kib, char **text)
{
	yajl_gen g = start();

	if (!g)
		return -ENOMEM;
	yajl_gen_map_open(g);
	member_map(g, "c_info");
	member_string(g, "type", "pv");
	member_string(g, "name", "Domain-0");
	yajl_gen_map_close(g);
	member_map(g, "b_info");
	member_number(g, "max_memkb", memory_kib);
	member_number(g, "target_memkb", memory_kib);
	put_sched(g, true);
	empty_map(g, "type.pv");
	empty_map(g, "arch_arm");
	empty_map(g, "arch_x86");
	yajl_gen_map_close(g);
	yajl_gen_map_close(g);
	return finish(g, text);
}

/* The lines of @text, all but the first moved to the right; no final newline. */
static void print_moved(const char *text, const char *by)
{
	size_t len = strcspn(text, "\n");

	printf("%.*s", (int)len, text);
	while (text[len] && text[len + 1]) {
		text += len + 1;
		len = strcspn(text, "\n");
		printf("\n%s%.*s", len ? by : "", (int)len, text);
	}
}

void xl_json_list(const struct xl_json_dom *doms, size_t n)
{
	printf("[\n");
	for (size_t i = 0; i < n; i++) {
		printf("    {\n        \"domid\": %u,\n        \"config\": ",
		       doms[i].domid);
		print_moved(doms[i].config, "        ");
		printf("\n    }%s\n", i + 1 < n ? "," : "");
	}
	printf("]\n\n");
}
