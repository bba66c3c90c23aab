// SPDX-License-Identifier: GPL-2.0-or-later
// tools/oci.c - what an unpacked OCI bundle wants to be run.
#include "tools/oci.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_tree.h>

/* One look at a document; the first that is wrong counts. */
struct look {
	yajl_val doc;
	char *why;
	size_t size;
	int ret;
};

static void fail(struct look *l, int ret, const char *what)
{
	if (!l->ret)
		snprintf(l->why, l->size, "%s", what);
	l->ret = l->ret ? l->ret : ret;
}

static yajl_val find(const struct look *l, const char *map, const char *name)
{
	const char *path[] = { map, name, NULL };

	return yajl_tree_get(l->doc, path, yajl_t_any);
}

static const char *take_string(struct look *l, const char *map,
			       const char *name, const char *absent)
{
	yajl_val v = find(l, map, name);
	char what[64];

	snprintf(what, sizeof(what), "%s.%s must be a string", map, name);
	if (v && !YAJL_IS_STRING(v))
		fail(l, -EINVAL, what);
	return v && YAJL_IS_STRING(v) ? YAJL_GET_STRING(v) : absent;
}

static const char **take_list(struct look *l, const char *map, const char *name)
{
	yajl_val v = find(l, map, name);
	size_t n = v && YAJL_IS_ARRAY(v) ? YAJL_GET_ARRAY(v)->len : 0;
	const char **list = calloc(n + 1, sizeof(*list));
	char what[64];

	snprintf(what, sizeof(what), "%s.%s must be an array of strings", map,
		 name);
	if (v && !YAJL_IS_ARRAY(v))
		fail(l, -EINVAL, what);
	if (!list) {
		fail(l, -ENOMEM, "no memory");
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		list[i] = YAJL_GET_STRING(YAJL_GET_ARRAY(v)->values[i]);
		if (!list[i])
			fail(l, -EINVAL, what);
	}
	return list;
}

static uint32_t take_id(struct look *l, const char *name)
{
	const char *path[] = { "process", "user", name, NULL };
	yajl_val v = yajl_tree_get(l->doc, path, yajl_t_any);
	char what[64];

	if (!v)
		return 0;
	if (YAJL_IS_INTEGER(v) && YAJL_GET_INTEGER(v) >= 0 &&
	    YAJL_GET_INTEGER(v) < UINT32_MAX)
		return (uint32_t)YAJL_GET_INTEGER(v);
	snprintf(what, sizeof(what), "process.user.%s must be a user's number",
		 name);
	fail(l, -EINVAL, what);
	return 0;
}

static char *below(struct look *l, const char *dir, const char *path)
{
	char *full = NULL;

	if (asprintf(&full, "%s%s%s", path[0] == '/' ? "" : dir,
		     path[0] == '/' ? "" : "/", path) < 0) {
		full = NULL;
		fail(l, -ENOMEM, "no memory");
	}
	return full;
}

int oci_parse(const char *dir, const char *text, struct oci *o, char *why,
	      size_t size)
{
	struct look l = { .why = why, .size = size };
	char error[128] = "";

	memset(o, 0, sizeof(*o));
	l.doc = yajl_tree_parse(text, error, sizeof(error));
	if (!l.doc || !YAJL_IS_OBJECT(l.doc)) {
		error[strcspn(error, "\n")] = '\0';
		fail(&l, -EINVAL, *error ? error : "no JSON object");
	} else if (strstr(text, "\\u0000")) {
		fail(&l, -EINVAL, "no string may hold the character \\u0000");
	} else {
		o->root = below(&l, dir,
				take_string(&l, "root", "path", "rootfs"));
		o->cwd = take_string(&l, "process", "cwd", "/");
		o->argv = take_list(&l, "process", "args");
		o->env = take_list(&l, "process", "env");
		o->uid = take_id(&l, "uid");
		o->gid = take_id(&l, "gid");
	}
	o->doc = l.doc;
	if (l.ret)
		oci_free(o);
	return l.ret;
}

/* At most OCI_MAX_FILE bytes of it; the caller frees them. */
static char *read_file(FILE *f)
{
	char *text = malloc(OCI_MAX_FILE + 1);
	size_t n = text ? fread(text, 1, OCI_MAX_FILE, f) : 0;

	if (text)
		text[n] = '\0';
	return text;
}

/* A bundle must not have files of this host shown to its command. */
static int check_root(const char *dir, const struct oci *o, char *why,
		      size_t size)
{
	char *top = realpath(dir, NULL), *root = realpath(o->root, NULL);
	size_t len = top ? strlen(top) : 0;
	int ret = 0;

	if (!root || !top) {
		snprintf(why, size, "root.path: %s", strerror(errno));
		ret = -EINVAL;
	} else if (strncmp(root, top, len) != 0 || root[len] != '/') {
		snprintf(why, size, "root.path: must lie in the bundle");
		ret = -EINVAL;
	}
	free(top);
	free(root);
	return ret;
}

int oci_read(const char *dir, struct oci *o)
{
	char path[PATH_MAX], why[160] = "no memory";
	char *text;
	FILE *f;
	int ret;

	snprintf(path, sizeof(path), "%s/config.json", dir);
	f = fopen(path, "re");
	if (!f)
		return -ENOENT;
	text = read_file(f);
	fclose(f);
	ret = text ? oci_parse(dir, text, o, why, sizeof(why)) : -ENOMEM;
	free(text);
	if (!ret && check_root(dir, o, why, sizeof(why))) {
		oci_free(o);
		ret = -EINVAL;
	}
	if (ret)
		fprintf(stderr, "xl run: '%s': %s\n", path, why);
	return ret;
}

void oci_free(struct oci *o)
{
	free(o->root);
	free((void *)o->argv);
	free((void *)o->env);
	yajl_tree_free(o->doc);
	memset(o, 0, sizeof(*o));
}
