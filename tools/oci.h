/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/oci.h - what an unpacked OCI bundle wants to be run. */
#ifndef TOOLS_OCI_H
#define TOOLS_OCI_H

#include <stdint.h>

#include "base/util.h"

/**
 * struct oci - A bundle's config.json, as far as it concerns a guest of one command.
 * @root: Path of its root, *owned*.
 * @argv, @env: NULL-terminated, *owned*; strings are those of @doc, as @cwd is.
 * @doc: The document; private.
 */
struct oci {
	char *root;
	const char *cwd;
	const char **argv, **env;
	uint32_t uid, gid;
	void *doc;
};

#define OCI_MAX_FILE (1u << 20)

/**
 * oci_parse() - Read the text of a config.json.
 * @dir:  The bundle.
 * @text: NUL-terminated; UNTRUSTED.
 * @o:    Filled on success, to be freed by oci_free().
 * @why:  Filled on failure: what is wrong.
 *
 * Of process: args, env, cwd, user.uid and user.gid; of root: path.  The rest says what
 * a container may do, which a guest has its own kernel for.
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int oci_parse(const char *dir, const char *text, struct oci *o, char *why,
	      size_t size) must_check;

/**
 * oci_read() - The bundle in a directory.
 *
 * Return: 0; -ENOENT if @dir is none: it has no config.json; or -errno; reported but
 * for -ENOENT.
 */
int oci_read(const char *dir, struct oci *o) must_check;

/** oci_free() - Free what it holds; zeroed is fine. */
void oci_free(struct oci *o);

#endif
