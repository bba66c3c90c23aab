// SPDX-License-Identifier: GPL-2.0-or-later
// tools/json.c - JSON documents, member by member.
#include "tools/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the UTF-8 character at @s (RFC 3629), or 0 if there is none. */
static size_t utf8_char(const char *s)
{
	const uint8_t *c = (const uint8_t *)s;
	size_t n = c[0] < 0x80	 ? 1
		   : c[0] < 0xc2 ? 0
		   : c[0] < 0xe0 ? 2
		   : c[0] < 0xf0 ? 3
		   : c[0] < 0xf5 ? 4
				 : 0;

	for (size_t i = 1; i < n; i++) {
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Longer than need be, surrogates, beyond the last character. */
	if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) ||
	    (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f))
		return 0;
	return n;
}

/* JSON is UTF-8, a configuration need not be. */
void json_string(yajl_gen g, const char *s)
{
	char *copy = strdup(s);

	for (char *at = copy; at && *at;) {
		size_t n = utf8_char(at);

		if (!n)
			*at = '?';
		at += n ? n : 1;
	}
	if (copy)
		yajl_gen_string(g, (const unsigned char *)copy, strlen(copy));
	free(copy);
}

yajl_gen json_begin(bool pretty)
{
	yajl_gen g = yajl_gen_alloc(NULL);

	if (g && pretty) {
		yajl_gen_config(g, yajl_gen_beautify, 1);
		yajl_gen_config(g, yajl_gen_indent_string, "    ");
	}
	return g;
}

int json_end(yajl_gen g, char **text)
{
	const unsigned char *buf;
	size_t len;
	int ret = -ENOMEM;

	if (yajl_gen_get_buf(g, &buf, &len) == yajl_gen_status_ok) {
		*text = strndup((const char *)buf, len);
		ret = *text ? 0 : -ENOMEM;
	}
	yajl_gen_free(g);
	return ret;
}

int json_print(yajl_gen g, FILE *f)
{
	size_t len;
	char *text;
	int ret = g ? json_end(g, &text) : -ENOMEM;

	if (ret)
		return ret;
	len = strlen(text);
	if (fprintf(f, "%s%s", text, len && text[len - 1] == '\n' ? "" : "\n") <
	    0)
		ret = -EIO;
	free(text);
	return ret;
}

void json_member_string(yajl_gen g, const char *name, const char *value)
{
	if (!value)
		return;
	json_string(g, name);
	json_string(g, value);
}

void json_member_number(yajl_gen g, const char *name, uint64_t value)
{
	json_string(g, name);
	yajl_gen_integer(g, (long long)value);
}

void json_member_flag(yajl_gen g, const char *name, bool value)
{
	json_string(g, name);
	yajl_gen_bool(g, value);
}

void json_member_seconds(yajl_gen g, const char *name, uint64_t ns)
{
	char text[40];
	int n = snprintf(text, sizeof(text), "%llu.%09llu",
			 (unsigned long long)(ns / 1000000000u),
			 (unsigned long long)(ns % 1000000000u));

	json_string(g, name);
	yajl_gen_number(g, text, (size_t)n);
}

void json_member_map(yajl_gen g, const char *name)
{
	json_string(g, name);
	yajl_gen_map_open(g);
}

void json_member_array(yajl_gen g, const char *name)
{
	json_string(g, name);
	yajl_gen_array_open(g);
}
