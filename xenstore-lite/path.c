// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/path.c - names of nodes: what is valid, canonical form.
#include "xenstore-lite/path.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char local[] = "/local/domain/";

/* Letters, digits and "-/_@" (docs/misc/xenstore.txt of Xen). */
static bool valid_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '/' || c == '_' ||
	       c == '@';
}

size_t path_local_prefix(const char *path)
{
	size_t n = sizeof(local) - 1;
	size_t digits;

	if (strncmp(path, local, n) != 0)
		return 0;
	digits = strspn(path + n, "0123456789");
	if (!digits || path[n + digits] != '/')
		return 0;
	return n + digits + 1;
}

/* Watches know three special forms; nodes exist for the first two. */
static bool valid_special(const char *path)
{
	size_t n = sizeof(PATH_RELEASE) - 1;
	uint64_t domid;

	if (!strcmp(path, PATH_INTRODUCE) || !strcmp(path, PATH_RELEASE))
		return true;
	if (!strncmp(path, PATH_INTRODUCE "/", sizeof(PATH_INTRODUCE)))
		n = sizeof(PATH_INTRODUCE) - 1;
	else if (strncmp(path, PATH_RELEASE "/", n + 1) != 0)
		return false;
	return !util_u64(path + n + 1, 0x7fef, &domid);
}

static bool valid_node(const char *path, size_t len)
{
	if (len > 1 && path[len - 1] == '/')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!valid_char(path[i]))
			return false;
		if (path[i] == '/' && path[i + 1] == '/')
			return false;
	}
	return true;
}

int path_canon(const char *in, unsigned int domid, char *out)
{
	size_t len = strlen(in);
	int prefix = 0;

	*out = '\0';
	if (len == 0 || len > PATH_MAX_ABS)
		return -EINVAL;
	if (*in != '/' && *in != '@') {
		if (len > PATH_MAX_REL)
			return -EINVAL;
		prefix = snprintf(out, PATH_BUF, "%s%u/", local, domid);
	}
	if (prefix < 0 || len + (size_t)prefix > PATH_MAX_ABS)
		return -EINVAL;
	memcpy(out + prefix, in, len + 1);
	len += (size_t)prefix;
	if (*out == '@' ? !valid_special(out) : !valid_node(out, len))
		return -EINVAL;
	return (int)len;
}

bool path_is_special(const char *path)
{
	return *path == '@';
}

bool path_step(const char **at, const char **name, size_t *len)
{
	const char *p = *at;

	if (!*p)
		return false;
	*name = p;
	if (*p == '@') {
		*len = strlen(p);
	} else if (*p == '/') { /* only the first step sees a '/' */
		*len = 1;
	} else {
		*len = strcspn(p, "/");
	}
	p += *len;
	/* After the root nothing separates; after others one '/'. */
	if (*p == '/')
		p++;
	*at = p;
	return true;
}

size_t path_parent_len(const char *path, size_t len)
{
	if (len <= 1 || path_is_special(path))
		return 0;
	do
		len--;
	while (path[len] != '/');
	return len ? len : 1;
}

unsigned int path_depth_below(const char *path, size_t len)
{
	unsigned int n = 0;

	/* "/" is the one path that ends in the separator. */
	for (const char *p = path + (len == 1 ? 0 : len); *p; p++)
		n += *p == '/' && p[1];
	return n;
}
