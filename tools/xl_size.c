// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_size.c - how large a domain is to be, and whether its guest listens.
#include "tools/xl_size.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/xs_wire.h"
#include "tools/xl_store.h"

/* Answers to read at most: a guest can make new watches as fast as we read. */
#define MAX_ANSWERS 1000

/* Far more than an x86 CPU can address, and no product below overflows. */
#define MAX_DIGITS 12

int xl_size_parse(const char *s, uint64_t *kib)
{
	static const char units[] = "kmgt";
	size_t digits = strspn(s, "0123456789");
	char number[MAX_DIGITS + 1], unit;
	const char *at;
	uint64_t n;

	if (!digits || digits > MAX_DIGITS || (s[digits] && s[digits + 1]))
		return -EINVAL;
	snprintf(number, sizeof(number), "%.*s", (int)digits, s);
	unit = s[digits] ? (char)tolower((unsigned char)s[digits]) : 'm';
	at = strchr(units, unit);
	if ((!at && unit != 'b') || util_u64(number, UINT64_MAX, &n))
		return -EINVAL;
	if (!at) {
		*kib = n >> 10;
		return 0;
	}
	if (n > UINT64_MAX >> 10 * (at - units))
		return -EINVAL;
	*kib = n << 10 * (at - units);
	return 0;
}

bool xl_size_covers(unsigned int domid, const char *path, const char *node)
{
	char full[128];
	size_t len;

	snprintf(full, sizeof(full), "/local/domain/%u/%s", domid, node);
	if (*path != '/') {
		len = strlen(path);
		return !strncmp(path, node, len) &&
		       (!node[len] || node[len] == '/');
	}
	len = strlen(path);
	/* The root alone ends in a slash. */
	return len == 1 ||
	       (!strncmp(path, full, len) && (!full[len] || full[len] == '/'));
}

/* A line of CONTROL watches: number, depth, path, token. */
static bool line_covers(char *line, unsigned int domid, const char *node,
			const char **number)
{
	char *save, *word[3];

	for (size_t i = 0; i < ARRAY_SIZE(word); i++) {
		word[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!word[i])
			return false;
	}
	*number = word[0];
	return xl_size_covers(domid, word[2], node);
}

int xl_size_heard(unsigned int domid, const char *node)
{
	char reply[XL_STORE_REPLY], after[24] = "0", id[16], *line, *next;
	unsigned int n = 1;
	const char *number;
	int ret;

	snprintf(id, sizeof(id), "%u", domid);
	for (unsigned int i = 0; n && i < MAX_ANSWERS; i++) {
		ret = xl_store_talk(
			XS_CONTROL,
			(const char *[]){ "watches", id, after, NULL }, reply);
		if (ret)
			return ret;
		/* The first says whether it is busy. */
		line = strchr(reply, '\n');
		for (n = 0; line; n++) {
			next = strchr(line + 1, '\n');
			if (!next)
				break;
			*next = '\0';
			number = NULL;
			if (line_covers(line + 1, domid, node, &number))
				return 0;
			if (!number || strlen(number) >= sizeof(after))
				return -EPROTO;
			snprintf(after, sizeof(after), "%s", number);
			line = next;
		}
	}
	return -ENOENT;
}
