// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_json.c - domains as JSON, in libxl's layout.
#include "tools/xl_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/json.h"

/*
 * Names, their order and what is left out at its default are libxl's (IDL of
 * Xen 4.17).
 */

/* libxl's way of writing booleans. */
static void member_bool(yajl_gen g, const char *name, bool value)
{
	json_member_string(g, name, value ? "True" : "False");
}

static void empty_map(yajl_gen g, const char *name)
{
	json_member_map(g, name);
	yajl_gen_map_close(g);
}

static void put_sched(yajl_gen g, const struct xl_sched *s, bool live)
{
	json_member_map(g, "sched_params");
	if (live)
		json_member_string(g, "sched", "credit2");
	if (live || s->weight)
		json_member_number(g, "weight",
				   s->weight ? s->weight : XL_WEIGHT_DEFAULT);
	if (live || s->cap)
		json_member_number(g, "cap", s->cap);
	yajl_gen_map_close(g);
}

static void put_create_info(yajl_gen g, const struct xl_cfg *c, bool live)
{
	char uuid[XL_UUID_LEN];

	json_member_map(g, "c_info");
	json_member_string(g, "type", "pvh");
	json_member_string(g, "name", c->name);
	if (live)
		json_member_number(g, "domid", UINT32_MAX);
	json_member_string(g, "uuid", xl_uuid_format(uuid, c->uuid));
	member_bool(g, "run_hotplug_scripts", true);
	yajl_gen_map_close(g);
}

static void put_limits(yajl_gen g, const struct xl_cfg *c)
{
	if (c->hidden)
		json_member_number(g, "xenstore_feature_mask", ~c->hidden);
	if (!c->nlimits)
		return;
	json_member_map(g, "xenstore_quota");
	json_member_array(g, "quota");
	for (size_t i = 0; i < c->nlimits; i++) {
		yajl_gen_map_open(g);
		json_member_string(g, "name", c->limits[i].name);
		json_member_number(g, "val", c->limits[i].value);
		yajl_gen_map_close(g);
	}
	yajl_gen_array_close(g);
	yajl_gen_map_close(g);
}

static void put_build_info(yajl_gen g, const struct xl_cfg *c, bool live)
{
	json_member_map(g, "b_info");
	json_member_number(g, "max_vcpus", c->maxvcpus);
	json_member_array(g, "avail_vcpus");
	for (unsigned int i = 0; i < c->vcpus; i++)
		yajl_gen_integer(g, i);
	yajl_gen_array_close(g);
	json_member_string(g, "tsc_mode", c->tsc_mode);
	json_member_number(g, "max_memkb", c->maxmem_kib);
	json_member_number(g, "target_memkb", c->memory_kib);
	if (live)
		json_member_number(g, "video_memkb", 0);
	if (c->max_grant_frames)
		json_member_number(g, "max_grant_frames", c->max_grant_frames);
	put_sched(g, &c->sched, live);
	member_bool(g, "claim_mode", true);
	json_member_string(g, "kernel", c->kernel);
	json_member_string(g, "cmdline", c->cmdline);
	json_member_string(g, "ramdisk", c->ramdisk);
	empty_map(g, "type.pvh");
	empty_map(g, "arch_arm");
	json_member_map(g, "arch_x86");
	if (live)
		member_bool(g, "msr_relaxed", false);
	yajl_gen_map_close(g);
	put_limits(g, c);
	yajl_gen_map_close(g);
}

static void put_disk(yajl_gen g, const struct xl_disk *d, bool live)
{
	yajl_gen_map_open(g);
	json_member_string(g, "pdev_path", d->path);
	json_member_string(g, "vdev", d->vdev);
	json_member_string(g, "backend", d->backend);
	json_member_string(g, "format", d->format);
	json_member_string(g, "script", d->script);
	if (d->removable)
		json_member_number(g, "removable", 1);
	if (d->writable)
		json_member_number(g, "readwrite", 1);
	if (d->cdrom)
		json_member_number(g, "is_cdrom", 1);
	if (d->direct_io_safe)
		json_member_flag(g, "direct_io_safe", true);
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
	json_member_number(g, "devid", v->devid);
	if (v->mtu)
		json_member_number(g, "mtu", v->mtu);
	json_member_string(g, "model", v->model);
	json_member_string(g, "mac", mac);
	json_member_string(g, "ip", v->ip);
	json_member_string(g, "bridge", v->bridge);
	json_member_string(g, "vlan", v->vlan);
	json_member_string(g, "net", v->net); /* ours, not libxl's */
	json_member_string(g, "ifname", v->vifname);
	json_member_string(g, "script", v->script);
	if (live || v->type)
		json_member_string(g, "nictype", "vif");
	if (v->rate_bytes) {
		json_member_number(g, "rate_bytes_per_interval", v->rate_bytes);
		json_member_number(g, "rate_interval_usecs", v->rate_usecs);
	}
	json_member_string(g, "gatewaydev", v->gatewaydev);
	if (!v->trusted)
		member_bool(g, "trusted", false);
	yajl_gen_map_close(g);
}

static void put_devices(yajl_gen g, const struct xl_cfg *c, bool live)
{
	if (c->ndisks) {
		json_member_array(g, "disks");
		for (size_t i = 0; i < c->ndisks; i++)
			put_disk(g, &c->disks[i], live);
		yajl_gen_array_close(g);
	}
	if (c->nvifs) {
		json_member_array(g, "nics");
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

	json_member_string(g, name, names[action]);
}

int xl_json_config(const struct xl_cfg *c, bool live, char **text)
{
	yajl_gen g = json_begin(true);

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
	return json_end(g, text);
}

int xl_json_disk(const struct xl_disk *d, char **text)
{
	yajl_gen g = json_begin(true);

	if (!g)
		return -ENOMEM;
	put_disk(g, d, false);
	return json_end(g, text);
}

int xl_json_vif(const struct xl_vif *v, char **text)
{
	yajl_gen g = json_begin(true);

	if (!g)
		return -ENOMEM;
	put_vif(g, v, false);
	return json_end(g, text);
}

int xl_json_dom0(uint64_t memory_kib, char **text)
{
	yajl_gen g = json_begin(true);

	if (!g)
		return -ENOMEM;
	yajl_gen_map_open(g);
	json_member_map(g, "c_info");
	json_member_string(g, "type", "pv");
	json_member_string(g, "name", "Domain-0");
	yajl_gen_map_close(g);
	json_member_map(g, "b_info");
	json_member_number(g, "max_memkb", memory_kib);
	json_member_number(g, "target_memkb", memory_kib);
	put_sched(g, &(struct xl_sched){ 0 }, true);
	empty_map(g, "type.pv");
	empty_map(g, "arch_arm");
	empty_map(g, "arch_x86");
	yajl_gen_map_close(g);
	yajl_gen_map_close(g);
	return json_end(g, text);
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
