/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_oci.c - what is taken of a bundle's config.json. */
#include "tools/oci.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char why[160];

Test(oci, what_umoci_writes)
{
	struct oci o;

	cr_assert_eq(
		oci_parse(
			"/b",
			"{\"ociVersion\": \"1.0.0\", \"process\": {"
			"\"terminal\": true, \"user\": {\"uid\": 33, \"gid\": 7},"
			"\"args\": [\"sh\", \"a \\\"b\\n\", \"\", \"\\u00e4\"],"
			"\"env\": [\"A=1\"], \"cwd\": \"/srv\"},"
			"\"root\": {\"path\": \"r\"}, \"linux\": {}}",
			&o, why, sizeof(why)),
		0, "%s", why);
	cr_expect_str_eq(o.root, "/b/r");
	cr_expect_str_eq(o.cwd, "/srv");
	cr_expect_str_eq(o.argv[0], "sh");
	cr_expect_str_eq(o.argv[1], "a \"b\n");
	cr_expect_str_eq(o.argv[2], "");
	cr_expect_str_eq(o.argv[3], "ä");
	cr_expect_null(o.argv[4]);
	cr_expect_str_eq(o.env[0], "A=1");
	cr_expect_null(o.env[1]);
	cr_expect_eq(o.uid, 33);
	cr_expect_eq(o.gid, 7);
	oci_free(&o);
}

Test(oci, what_is_absent)
{
	struct oci o;

	cr_assert_eq(oci_parse("/b", "{}", &o, why, sizeof(why)), 0);
	cr_expect_str_eq(o.root, "/b/rootfs");
	cr_expect_str_eq(o.cwd, "/");
	cr_expect_null(o.argv[0]);
	cr_expect_null(o.env[0]);
	cr_expect_eq(o.uid, 0);
	oci_free(&o);
}

struct bad {
	char text[80], why[64];
};

ParameterizedTestParameters(oci, what_is_wrong)
{
	static struct bad t[] = {
		{ "[]", "no JSON object" },
		{ "{\"process\": {\"args\": \"sh\"}}",
		  "process.args must be an array of strings" },
		{ "{\"process\": {\"args\": [\"sh\", 1]}}",
		  "process.args must be an array of strings" },
		{ "{\"process\": {\"env\": [null]}}",
		  "process.env must be an array of strings" },
		{ "{\"process\": {\"cwd\": 1}}",
		  "process.cwd must be a string" },
		{ "{\"process\": {\"user\": {\"uid\": -1}}}",
		  "process.user.uid must be a user's number" },
		{ "{\"process\": {\"user\": {\"gid\": 4294967295}}}",
		  "process.user.gid must be a user's number" },
		{ "{\"root\": {\"path\": []}}", "root.path must be a string" },
		{ "{\"process\": {\"args\": [\"a\\u0000b\"]}}",
		  "no string may hold the character \\u0000" },
	};

	return cr_make_param_array(struct bad, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct bad *t, oci, what_is_wrong)
{
	struct oci o;

	cr_expect_eq(oci_parse("/b", t->text, &o, why, sizeof(why)), -EINVAL);
	cr_expect_str_eq(why, t->why);
}

Test(oci, no_json)
{
	struct oci o;

	cr_expect_eq(oci_parse("/b", "{\"process\": ", &o, why, sizeof(why)),
		     -EINVAL);
	cr_expect_null(strchr(why, '\n'));
}

/* A bundle in a directory of its own, whose root is @root. */
static int read_bundle(const char *dir, const char *root)
{
	char path[128];
	struct oci o;
	FILE *f;
	int ret;

	snprintf(path, sizeof(path), "%s/config.json", dir);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	fprintf(f, "{\"root\": {\"path\": \"%s\"}}", root);
	fclose(f);
	ret = oci_read(dir, &o);
	if (!ret)
		oci_free(&o);
	remove(path);
	return ret;
}

Test(oci, its_root_is_its_own)
{
	char dir[] = "/tmp/sv-oci.XXXXXX", path[64], link[64];
	struct oci o;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/rootfs", dir);
	snprintf(link, sizeof(link), "%s/out", dir);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_eq(symlink("/etc", link), 0);
	cr_expect_eq(oci_read(dir, &o), -ENOENT, "no bundle");
	cr_expect_eq(read_bundle(dir, "rootfs"), 0);
	cr_expect_eq(read_bundle(dir, path), 0, "absolute");
	cr_expect_eq(read_bundle(dir, "nothing"), -EINVAL);
	cr_expect_eq(read_bundle(dir, "/"), -EINVAL);
	cr_expect_eq(read_bundle(dir, ".."), -EINVAL);
	cr_expect_eq(read_bundle(dir, "out"), -EINVAL);
	remove(link);
	remove(path);
	remove(dir);
}
