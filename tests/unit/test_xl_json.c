// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_xl_json.c - JSON as libxl lays it out: indentation is ABI.
#include "tools/xl_json.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char source[] =
	"name = 'g1'\ntype = 'pvh'\nkernel = '/srv/guests/vmlinuz-cloud'\n"
	"ramdisk = '/srv/guests/l2.gz'\ncmdline = 'console=hvc0 quiet'\n"
	"memory = 256\nmaxmem = 384\nvcpus = 1\nmaxvcpus = 2\n"
	"tsc_mode = 'native'\nuuid = '11111111-2222-3333-4444-555555555555'\n"
	"disk = [ '/dev/nullb0,raw,xvda,rw', '/srv/guests/disk.raw,raw,xvdb,ro' ]\n"
	"vif = [ 'mac=00:16:3e:00:00:01,bridge=xenbr0,vlan=10,vifname=vg1' ]\n";

/* What Xen 4.17's `xl create -n` prints for it. */
static const char dry[] =
	"{\n"
	"    \"c_info\": {\n"
	"        \"type\": \"pvh\",\n"
	"        \"name\": \"g1\",\n"
	"        \"uuid\": \"11111111-2222-3333-4444-555555555555\",\n"
	"        \"run_hotplug_scripts\": \"True\"\n"
	"    },\n"
	"    \"b_info\": {\n"
	"        \"max_vcpus\": 2,\n"
	"        \"avail_vcpus\": [\n"
	"            0\n"
	"        ],\n"
	"        \"tsc_mode\": \"native\",\n"
	"        \"max_memkb\": 393216,\n"
	"        \"target_memkb\": 262144,\n"
	"        \"sched_params\": {\n"
	"\n"
	"        },\n"
	"        \"claim_mode\": \"True\",\n"
	"        \"kernel\": \"/srv/guests/vmlinuz-cloud\",\n"
	"        \"cmdline\": \"console=hvc0 quiet\",\n"
	"        \"ramdisk\": \"/srv/guests/l2.gz\",\n"
	"        \"type.pvh\": {\n"
	"\n"
	"        },\n"
	"        \"arch_arm\": {\n"
	"\n"
	"        },\n"
	"        \"arch_x86\": {\n"
	"\n"
	"        }\n"
	"    },\n"
	"    \"disks\": [\n"
	"        {\n"
	"            \"pdev_path\": \"/dev/nullb0\",\n"
	"            \"vdev\": \"xvda\",\n"
	"            \"format\": \"raw\",\n"
	"            \"readwrite\": 1\n"
	"        },\n"
	"        {\n"
	"            \"pdev_path\": \"/srv/guests/disk.raw\",\n"
	"            \"vdev\": \"xvdb\",\n"
	"            \"format\": \"raw\"\n"
	"        }\n"
	"    ],\n"
	"    \"nics\": [\n"
	"        {\n"
	"            \"devid\": 0,\n"
	"            \"mac\": \"00:16:3e:00:00:01\",\n"
	"            \"bridge\": \"xenbr0\",\n"
	"            \"vlan\": \"10\",\n"
	"            \"ifname\": \"vg1\"\n"
	"        }\n"
	"    ],\n"
	"    \"on_reboot\": \"restart\",\n"
	"    \"on_soft_reset\": \"soft_reset\"\n"
	"}\n";

static void parse(struct xl_cfg *c)
{
	cr_assert_eq(xl_cfg_parse(c, "t", source, 1000), 0);
}

Test(xl_json, as_create_n_prints)
{
	struct xl_cfg c;
	char *text;

	parse(&c);
	cr_assert_eq(xl_json_config(&c, false, &text), 0);
	cr_expect_str_eq(text, dry);
	free(text);
	xl_cfg_free(&c);
}

Test(xl_json, what_the_store_grants)
{
	struct xl_cfg c;
	char *json;

	cr_assert_eq(xl_cfg_parse(&c, "t.cfg",
				  "name = 'g'\nkernel = '/k'\n"
				  "xenstore_feature_mask = 6\n"
				  "xenstore_quota = [ 'nodes=50' ]\n",
				  100),
		     0);
	cr_assert_eq(xl_json_config(&c, false, &json), 0);
	cr_expect_not_null(strstr(json,
				  "        \"xenstore_feature_mask\": 6,\n"
				  "        \"xenstore_quota\": {\n"
				  "            \"quota\": [\n"
				  "                {\n"
				  "                    \"name\": \"nodes\",\n"
				  "                    \"val\": 50\n"
				  "                }\n"
				  "            ]\n"
				  "        }\n"),
			   "%s", json);
	free(json);
	xl_cfg_free(&c);
}

Test(xl_json, live_values)
{
	static const char *const want[] = {
		"        \"domid\": 4294967295,\n",
		"        \"video_memkb\": 0,\n",
		"            \"sched\": \"credit2\",\n",
		"            \"weight\": 256,\n",
		"            \"msr_relaxed\": \"False\"\n",
		"            \"colo_restore_enable\": \"False\"\n",
		"            \"nictype\": \"vif\"\n",
	};
	struct xl_cfg c;
	char *text;

	parse(&c);
	cr_assert_eq(xl_json_config(&c, true, &text), 0);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		cr_expect_not_null(strstr(text, want[i]), "%s", want[i]);
	free(text);
	xl_cfg_free(&c);
}

Test(xl_json, actions)
{
	struct xl_cfg c;
	char *text;

	parse(&c);
	c.on[XL_ON_CRASH] = XL_ACTION_RENAME_RESTART;
	c.on[XL_ON_REBOOT] = XL_ACTION_DESTROY;
	cr_assert_eq(xl_json_config(&c, false, &text), 0);
	cr_expect_not_null(strstr(text, "\"on_crash\": \"restart_rename\""));
	cr_expect_null(strstr(text, "on_reboot"));
	free(text);
	xl_cfg_free(&c);
}

/* JSON is UTF-8 (RFC 8259); a command line may be anything. */
Test(xl_json, bytes_that_are_no_characters)
{
	static const struct {
		const char *in, *out;
	} t[] = {
		{ "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z",
		  "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z" },
		{ "\xff\x80x", "??x" },
		{ "\xc3(", "?(" },
		{ "\xc0\xaf", "??" },		/* longer than need be */
		{ "\xe0\x9f\xbf", "???" },	/* likewise */
		{ "\xed\xa0\x80", "???" },	/* half a pair */
		{ "\xf4\x90\x80\x80", "????" }, /* there is none so high */
		{ "\xe2\x82", "??" },		/* cut */
	};
	char *text, want[80];
	struct xl_cfg c;

	parse(&c);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		free(c.cmdline);
		c.cmdline = strdup(t[i].in);
		cr_assert_eq(xl_json_config(&c, false, &text), 0);
		snprintf(want, sizeof(want), "\"cmdline\": \"%s\",", t[i].out);
		cr_expect_not_null(strstr(text, want), "row %zu", i);
		free(text);
	}
	xl_cfg_free(&c);
}

/* What xendomains greps for: '^    {$', '^        "domid":', '"name":'. */
Test(xl_json, list, .init = cr_redirect_stdout)
{
	struct xl_json_dom doms[] = {
		{ 0,
		  "{\n    \"c_info\": {\n        \"name\": \"Domain-0\"\n    }\n}\n" },
		{ 2, "{\n    \"x\": {\n\n    }\n}\n" },
	};

	xl_json_list(doms, 2);
	fflush(stdout);
	cr_expect_stdout_eq_str("[\n"
				"    {\n"
				"        \"domid\": 0,\n"
				"        \"config\": {\n"
				"            \"c_info\": {\n"
				"                \"name\": \"Domain-0\"\n"
				"            }\n"
				"        }\n"
				"    },\n"
				"    {\n"
				"        \"domid\": 2,\n"
				"        \"config\": {\n"
				"            \"x\": {\n"
				"\n"
				"            }\n"
				"        }\n"
				"    }\n"
				"]\n\n");
}

Test(xl_json, dom0)
{
	char *text;

	cr_assert_eq(xl_json_dom0(4194304, &text), 0);
	cr_expect_not_null(strstr(text, "        \"type\": \"pv\",\n"
					"        \"name\": \"Domain-0\"\n"));
	cr_expect_not_null(strstr(text, "\"max_memkb\": 4194304"));
	free(text);
}
