// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_xl_keys.c - known keys of xl.cfg files, and their lines.
#include "tools/xl_keys.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

Test(xl_keys, finds_every_kind)
{
	cr_expect_eq(xl_key_find("name")->use, XL_KEY_USED);
	cr_expect_eq(xl_key_find("acpi")->use, XL_KEY_QUIET);
	cr_expect_eq(xl_key_find("cpuid")->use, XL_KEY_INERT);
	cr_expect_eq(xl_key_find("pci")->use, XL_KEY_REFUSE);
	/* Both ends of the table: it must be sorted. */
	cr_expect_not_null(xl_key_find("xenstore_quota"));
	cr_expect_not_null(xl_key_find("disk"));
	cr_expect_not_null(xl_key_find("vif"));
	cr_expect_not_null(xl_key_find("on_poweroff"));
	cr_expect_null(xl_key_find("nam"));
	cr_expect_null(xl_key_find(""));
}

Test(xl_keys, suggests_the_nearest)
{
	cr_expect_str_eq(xl_key_nearest("memry"), "memory");
	cr_expect_str_eq(xl_key_nearest("vcpu"), "vcpus");
	cr_expect_str_eq(xl_key_nearest("on_powerof"), "on_poweroff");
	cr_expect_str_eq(xl_key_nearest("disks"), "disk");
	cr_expect_null(xl_key_nearest("frobnicate"));
	cr_expect_null(xl_key_nearest("q"));
}

Test(xl_keys, finds_lines)
{
	static const struct xl_setting want[] = {
		{ "name", 1 },	{ "disk", 4 },	{ "memory", 8 },
		{ "vcpus", 8 }, { "extra", 9 }, { "vif", 10 },
	};
	struct xl_setting *got;
	size_t n;

	cr_assert_eq(xl_keys_scan("name = 'a'\n"
				  "# kernel = 'b'\n"
				  "\n"
				  "disk = [ 'x = 1;',\n"
				  "  # comment with ] and '\n"
				  "  \"y\\\"]\",\n"
				  "]\n"
				  "memory=1; vcpus = 2 # cpus = 3\n"
				  "extra = 'a;b=c # d'\n"
				  "vif += [ ]",
				  &got, &n),
		     0);
	cr_assert_eq(n, ARRAY_SIZE(want));
	for (size_t i = 0; i < n; i++) {
		cr_expect_str_eq(got[i].key, want[i].key);
		cr_expect_eq(got[i].line, want[i].line, "%s: line %u",
			     got[i].key, got[i].line);
	}
	free(got);
}

Test(xl_keys, survives_nonsense)
{
	struct xl_setting *got;
	size_t n;

	cr_expect_eq(xl_keys_scan("", &got, &n), 0);
	cr_expect_eq(n, 0);
	free(got);
	cr_expect_eq(xl_keys_scan("]]]'\\", &got, &n), 0);
	cr_expect_eq(n, 0);
	free(got);
	cr_expect_eq(xl_keys_scan("a_name_much_longer_than_any_key_that_there_"
				  "is_in_the_world=1",
				  &got, &n),
		     0);
	cr_expect_eq(n, 1);
	cr_expect_eq(strlen(got[0].key), sizeof(got[0].key) - 1);
	free(got);
}
