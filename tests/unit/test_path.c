// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_path.c - names of nodes.
#include <errno.h>
#include <string.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "xenstore-lite/path.h"

struct form {
	char in[64];
	char out[64]; /* "" means refused */
};

ParameterizedTestParameters(path, canon)
{
	static struct form t[] = {
		{ "/", "/" },
		{ "/a", "/a" },
		{ "/a/B-_@9", "/a/B-_@9" },
		{ "name", "/local/domain/7/name" },
		{ "a/b", "/local/domain/7/a/b" },
		{ "@introduceDomain", "@introduceDomain" },
		{ "@releaseDomain", "@releaseDomain" },
		{ "@releaseDomain/12", "@releaseDomain/12" },
		{ "/local/domain/x", "/local/domain/x" },
		{ "", "" },
		{ "/a/", "" },
		{ "//", "" },
		{ "/a//b", "" },
		{ "a/", "" },
		{ "a//b", "" },
		{ "/a b", "" },
		{ "/a.b", "" },
		{ "/\xc3\xa4", "" },
		{ "/a\n", "" },
		{ "/local/domain/", "" },
		{ "/local/domain/ 1", "" },
		{ "@", "" },
		{ "@other", "" },
		{ "@releaseDomain/", "" },
		{ "@releaseDomain/x", "" },
		{ "@releaseDomain/32752", "" },
		{ "@releaseDomainX", "" },
	};
	return cr_make_param_array(struct form, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct form *t, path, canon)
{
	char out[PATH_BUF];
	int ret = path_canon(t->in, 7, out);

	if (!*t->out) {
		cr_expect_eq(ret, -EINVAL, "%s: %d", t->in, ret);
		return;
	}
	cr_expect_eq(ret, (int)strlen(t->out), "%s: %d", t->in, ret);
	cr_expect_str_eq(out, t->out);
}

/* XSA-323: it is the resulting path that must fit. */
Test(path, limits)
{
	char in[PATH_MAX_ABS + 2], out[PATH_BUF];

	memset(in, 'a', sizeof(in));
	in[0] = '/';
	in[PATH_MAX_ABS] = '\0';
	cr_expect_eq(path_canon(in, 0, out), PATH_MAX_ABS);
	in[PATH_MAX_ABS] = 'a';
	in[PATH_MAX_ABS + 1] = '\0';
	cr_expect_eq(path_canon(in, 0, out), -EINVAL);

	in[0] = 'a';
	in[PATH_MAX_REL] = '\0';
	cr_expect_gt(path_canon(in, 32751, out), PATH_MAX_REL);
	in[PATH_MAX_REL] = 'a';
	in[PATH_MAX_REL + 1] = '\0';
	cr_expect_eq(path_canon(in, 1, out), -EINVAL);
}

Test(path, steps)
{
	static const char *const want[] = { "/", "a", "bc", "d" };
	const char *at = "/a/bc/d";
	const char *name;
	size_t len;

	for (size_t i = 0; i < 4; i++) {
		cr_assert(path_step(&at, &name, &len));
		cr_expect_eq(len, strlen(want[i]));
		cr_expect(!strncmp(name, want[i], len));
	}
	cr_expect(!path_step(&at, &name, &len));
	at = "@releaseDomain";
	cr_assert(path_step(&at, &name, &len));
	cr_expect_eq(len, strlen("@releaseDomain"));
	cr_expect(!path_step(&at, &name, &len));
}

Test(path, relatives)
{
	cr_expect_eq(path_parent_len("/", 1), 0);
	cr_expect_eq(path_parent_len("/a", 2), 1);
	cr_expect_eq(path_parent_len("/ab/c", 5), 3);
	cr_expect_eq(path_parent_len("@releaseDomain", 14), 0);
	cr_expect_eq(path_depth_below("/", 1), 0);
	cr_expect_eq(path_depth_below("/a", 1), 1);
	cr_expect_eq(path_depth_below("/a/b/c", 1), 3);
	cr_expect_eq(path_depth_below("/a/b/c", 2), 2);
	cr_expect_eq(path_depth_below("/a/b/c", 6), 0);
	cr_expect_eq(path_local_prefix("/local/domain/17/a"), 17);
	cr_expect_eq(path_local_prefix("/local/domain/x/a"), 0);
	cr_expect_eq(path_local_prefix("/local/domain/1"), 0);
}
