// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_xl_cpus.c - sets of CPUs, read and written.
#include "tools/xl_cpus.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static cpu_set_t cpus(unsigned int n)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (unsigned int i = 0; i < n; i++)
		CPU_SET(i, &set);
	return set;
}

Test(xl_cpus, read_and_written)
{
	static const struct {
		const char *in, *out;
	} t[] = {
		{ "all", "all" },	{ "0", "0" },
		{ "1,3", "1,3" },	{ "0-7", "all" },
		{ "2-5", "2-5" },	{ "0-7,^3", "0-2,4-7" },
		{ "all,^0,^7", "1-6" }, { " 1 , 2 ", "1-2" },
		{ "1,^all,5", "5" },	{ "7,6,5", "5-7" },
	};
	const cpu_set_t all = cpus(8);
	char text[XL_CPUS_TEXT];
	cpu_set_t set;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		cr_assert_eq(xl_cpus_parse(t[i].in, &set, &all), 0, "%s",
			     t[i].in);
		cr_expect_str_eq(xl_cpus_format(text, &set, &all), t[i].out);
	}
}

Test(xl_cpus, refused)
{
	static const struct {
		const char *in;
		int ret;
	} t[] = {
		{ "", -EINVAL },      { "x", -EINVAL },
		{ "1-", -EINVAL },    { "5-3", -EINVAL },
		{ "1,,2", -EINVAL },  { "1,", -EINVAL },
		{ "1 2", -EINVAL },   { "-1", -EINVAL },
		{ "node:", -EINVAL }, { "9999999999", -EINVAL },
		{ "8", -ERANGE },     { "0-8", -ERANGE },
		{ "1024", -ERANGE },  { "999999", -ERANGE },
		{ "^1", -ERANGE },    { "1,^1", -ERANGE },
		{ "^all", -ERANGE },  { "node:99999", -ERANGE },
		{ "all0", -EINVAL },  { "^^1", -EINVAL },
	};
	const cpu_set_t all = cpus(8);
	cpu_set_t set = cpus(1), before = set;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		cr_expect_eq(xl_cpus_parse(t[i].in, &set, &all), t[i].ret, "%s",
			     t[i].in);
		cr_expect(CPU_EQUAL(&set, &before));
	}
}

/* Every other CPU of a large host: longer than a line. */
Test(xl_cpus, too_many_to_write)
{
	const cpu_set_t all = cpus(CPU_SETSIZE);
	char text[XL_CPUS_TEXT];
	cpu_set_t set;

	CPU_ZERO(&set);
	cr_expect_str_eq(xl_cpus_format(text, &set, &all), "none");
	for (unsigned int i = 0; i < CPU_SETSIZE; i += 2)
		CPU_SET(i, &set);
	xl_cpus_format(text, &set, &all);
	cr_expect_eq(strncmp(text, "0,2,4,", 6), 0);
	cr_expect_lt(strlen(text), sizeof(text));
	cr_expect_str_eq(text + strlen(text) - 3, "...");
}
