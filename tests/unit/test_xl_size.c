// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_xl_size.c - sizes as mem-set has them; who watches what.
#include "tools/xl_size.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>

struct size {
	char text[32];
	int want;
	uint64_t kib;
};

ParameterizedTestParameters(xl_size, sizes)
{
	static struct size t[] = {
		{ "512", 0, 512 << 10 },
		{ "512m", 0, 512 << 10 },
		{ "512M", 0, 512 << 10 },
		{ "262144k", 0, 262144 },
		{ "262144K", 0, 262144 },
		{ "2g", 0, 2 << 20 },
		{ "1T", 0, 1 << 30 },
		{ "4194304b", 0, 4096 },
		{ "1023B", 0, 0 },
		{ "0", 0, 0 },
		{ "999999999999", 0, UINT64_C(999999999999) << 10 },
		{ "999999999999t", -EINVAL, 0 },
		{ "1000000000000", -EINVAL, 0 },
		{ "18446744073709551616k", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "m", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1mb", -EINVAL, 0 },
		{ "1p", -EINVAL, 0 },
		{ "1.5g", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
	};
	return cr_make_param_array(struct size, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct size *t, xl_size, sizes)
{
	uint64_t kib = 7;

	cr_expect_eq(xl_size_parse(t->text, &kib), t->want, "'%s'", t->text);
	cr_expect_eq(kib, t->want ? 7 : t->kib, "'%s' is %llu KiB", t->text,
		     (unsigned long long)kib);
}

struct path {
	char path[40];
	bool covers;
};

ParameterizedTestParameters(xl_size, watched_paths)
{
	static struct path t[] = {
		{ "memory/target", true },
		{ "memory", true },
		{ "/local/domain/7/memory/target", true },
		{ "/local/domain/7/memory", true },
		{ "/local/domain/7", true },
		{ "/local", true },
		{ "/", true },
		{ "mem", false },
		{ "memory/", false },
		{ "memory/target/x", false },
		{ "memory/static-max", false },
		{ "/memory/target", false },
		{ "/local/domain/70/memory/target", false },
		{ "/local/domain/", false },
		{ "@releaseDomain", false },
	};
	return cr_make_param_array(struct path, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct path *t, xl_size, watched_paths)
{
	cr_expect_eq(xl_size_covers(7, t->path, "memory/target"), t->covers,
		     "'%s'", t->path);
}
