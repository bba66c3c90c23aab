// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_out.c - what verbs print: as Xen's xl does, or with --json.
#include "tools/xl_out.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "tools/xl_cfg.h"
#include "tools/xl_cmd.h"

#define LINE 1024

/* The list at hand; @doc is NULL for text, and without memory. */
static struct {
	const struct xl_table *table;
	unsigned int how;
	yajl_gen doc;
} out;

/* ---- Objects ---------------------------------------------------------------- */

static void put_text(yajl_gen g, const char *s)
{
	if (s)
		json_string(g, s);
	else
		yajl_gen_null(g);
}

static void put_field(yajl_gen g, const struct xl_field *f, const void *row)
{
	const void *at = (const char *)row + f->at;
	char uuid[XL_UUID_LEN];

	if (f->type == XL_SECONDS) {
		json_member_seconds(g, f->name, *(const uint64_t *)at);
		return;
	}
	json_string(g, f->name);
	if (f->type == XL_TEXT)
		json_string(g, at);
	else if (f->type == XL_STRING)
		put_text(g, *(const char *const *)at);
	else if (f->type == XL_UINT)
		yajl_gen_integer(g, *(const unsigned int *)at);
	else if (f->type == XL_U64)
		yajl_gen_integer(g, (long long)*(const uint64_t *)at);
	else if (f->type == XL_LONG && *(const long *)at < 0)
		yajl_gen_null(g);
	else if (f->type == XL_LONG)
		yajl_gen_integer(g, *(const long *)at);
	else if (f->type == XL_BOOL)
		yajl_gen_bool(g, *(const bool *)at);
	else
		json_string(g, xl_uuid_format(uuid, at));
}

static void put_object(yajl_gen g, const struct xl_table *t, const void *row)
{
	yajl_gen_map_open(g);
	for (size_t i = 0; i < t->n; i++)
		put_field(g, &t->field[i], row);
	if (t->more)
		t->more(g, row);
	yajl_gen_map_close(g);
}

static int print(yajl_gen g)
{
	int ret = json_print(g, stdout);

	if (ret)
		xl_error(NULL, NULL, "nothing can be listed: %s",
			 strerror(-ret));
	return ret ? XL_EXIT_FAIL : 0;
}

/* ---- Lists ------------------------------------------------------------------ */

void xl_out_begin(const struct xl_table *t, unsigned int how)
{
	out.table = t;
	out.how = how;
	out.doc = NULL;
	if (!xl_opts.json) {
		if (t->head)
			t->head(how);
		return;
	}
	out.doc = json_begin(true);
	if (out.doc)
		yajl_gen_array_open(out.doc);
}

void xl_out_row(const void *row)
{
	if (out.doc)
		put_object(out.doc, out.table, row);
	else if (!xl_opts.json)
		out.table->row(row, out.how);
}

int xl_out_end(void)
{
	if (!xl_opts.json)
		return 0;
	if (out.doc)
		yajl_gen_array_close(out.doc);
	return print(out.doc);
}

int xl_out_one(const struct xl_table *t, const void *row)
{
	yajl_gen g;

	if (!xl_opts.json) {
		t->row(row, 0);
		return 0;
	}
	g = json_begin(true);
	if (g)
		put_object(g, t, row);
	return print(g);
}

/* ---- Errors ----------------------------------------------------------------- */

/* Nothing is left to do where even this fails. */
static void tell(const char *kind, const char *text, const char *object,
		 const char *remedy)
{
	yajl_gen g = json_begin(false);

	if (!g)
		return;
	yajl_gen_map_open(g);
	json_member_string(g, kind, text);
	json_member_string(g, "object", object);
	json_member_string(g, "remedy", remedy);
	yajl_gen_map_close(g);
	(void)!json_print(g, stderr);
}

void xl_error(const char *object, const char *remedy, const char *fmt, ...)
{
	char line[LINE];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(line, sizeof(line), fmt, ap) < 0)
		line[0] = '\0';
	va_end(ap);
	if (xl_opts.json)
		tell("error", line, object, remedy);
	else
		fprintf(stderr, "%s\n", line);
}

/* The log's lines have this form: "object: what is wrong (remedy)". */
static void tell_line(enum log_level level, const char *line)
{
	char copy[LINE], *colon, *remedy;
	size_t len = (size_t)snprintf(copy, sizeof(copy), "%s", line);

	len = MIN(len, sizeof(copy) - 1);
	colon = strstr(copy, ": ");
	remedy = colon ? strstr(colon, " (") : NULL;
	if (colon)
		*colon = '\0';
	if (remedy && copy[len - 1] == ')') {
		copy[len - 1] = '\0';
		remedy += 2;
	} else {
		remedy = NULL;
	}
	tell(level == LOG_LVL_ERR ? "error" : "warning", line,
	     colon ? copy : NULL, remedy);
}

void xl_out_json(void)
{
	xl_opts.json = true;
	opterr = 0;
	log_to(tell_line);
}
