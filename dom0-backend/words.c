// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/words.c - "word=value word=value", as a device's keys have it.
#include "dom0-backend/words.h"

#include <errno.h>
#include <string.h>

static char *cut(char *text, char at)
{
	char *rest = strchr(text, at);

	if (rest)
		*rest++ = '\0';
	return rest;
}

char *words_cut(char *text)
{
	return cut(text, '/');
}

int words_each(const char *text,
	       int (*take)(const char *word, char *value, void *arg), void *arg)
{
	char buf[WORDS_MAX], *word, *value, *rest = buf;
	int ret = 0;

	if (strlen(text) >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, strlen(text) + 1);
	while (!ret && (word = strsep(&rest, " "))) {
		value = cut(word, '=');
		ret = value ? take(word, value, arg) : -EINVAL;
	}
	return ret;
}
