/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/path.h - names of nodes: what is valid, canonical form. */
#ifndef XENSTORE_LITE_PATH_H
#define XENSTORE_LITE_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"

/* Longest canonical path and longest relative one (xs_wire.h). */
#define PATH_MAX_ABS 3072
#define PATH_MAX_REL 2048
#define PATH_BUF     (PATH_MAX_ABS + 1)

#define PATH_INTRODUCE "@introduceDomain"
#define PATH_RELEASE   "@releaseDomain"

/**
 * path_canon() - Check a client's path and make it absolute.
 * @in:    UNTRUSTED: NUL-terminated.
 * @domid: A path that starts with neither '/' nor '@' is taken to be below
 *         /local/domain/<domid>.
 * @out:   PATH_BUF bytes, written in any case; valid only on success.
 *
 * The limits apply to the result, so that whoever can name a node makes it
 * with a name that everybody else can use too (XSA-323).  Paths with '@' in
 * front are not nodes but the special watches; callers that want nodes only
 * use path_is_special().
 *
 * Return: the length of @out, or -EINVAL.
 */
int path_canon(const char *in, unsigned int domid, char *out) must_check;

/**
 * path_local_prefix() - Bytes of "/local/domain/<digits>/" at the front, or 0.
 *
 * The path-max quota counts what comes after.
 */
size_t path_local_prefix(const char *path);

/** path_is_special() - Whether @path is @introduceDomain, @releaseDomain... */
bool path_is_special(const char *path);

/**
 * path_step() - Walk a canonical path from the top.
 * @at:   Where to go on: first the path, then as this function left it.
 * @name: The next component; "/" itself comes first.
 * @len:  Its length.
 *
 * Return: false when there are no more components.
 */
bool path_step(const char **at, const char **name, size_t *len);

/**
 * path_parent_len() - Length of the parent's path: 1 ("/") at least.
 *
 * Return: 0 for "/" and special paths, which have no parent.
 */
size_t path_parent_len(const char *path, size_t len);

/** path_depth_below() - Components that the longer @path has after @len. */
unsigned int path_depth_below(const char *path, size_t len);

#endif
