/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_out.h - what verbs print: as Xen's xl does, or with --json. */
#ifndef TOOLS_XL_OUT_H
#define TOOLS_XL_OUT_H

#include <stddef.h>

#include "tools/json.h"

/*
 * How it works
 *
 * A verb that lists has a struct for what it shows of one object, and a table that
 * says how that is printed as a row for people and scripts that know Xen's xl, and
 * which members are fields of an object in JSON.  The verb fills the struct, and does
 * not know what is asked for (xl_opts.json).  Names in JSON end in the unit, where
 * there is one: mem_kib, cpu_s.
 */

/** enum xl_type - What a member is, and what it becomes. */
enum xl_type {
	XL_TEXT,    /* an array of char */
	XL_STRING,  /* const char *; NULL is null */
	XL_UINT,    /* unsigned int */
	XL_U64,	    /* uint64_t */
	XL_LONG,    /* long; null if it is below 0 */
	XL_BOOL,    /* bool */
	XL_SECONDS, /* uint64_t of nanoseconds */
	XL_UUID,    /* 16 bytes */
	XL_NTYPES,
};

/** struct xl_field - A field of an object; @at: offset in its struct. */
struct xl_field {
	const char *name;
	enum xl_type type;
	size_t at;
};

#define XL_FIELD(name, type, row, member)                     \
	{                                                     \
		name, XL_##type, offsetof(struct row, member) \
	}

/**
 * struct xl_table - How a verb shows its objects.
 * @head: The line above the rows, by the verb's options @how; NULL for none.
 * @row:  One row.
 * @field: @n fields.
 * @more: Adds other members to the object; may be NULL.
 */
struct xl_table {
	void (*head)(unsigned int how);
	void (*row)(const void *row, unsigned int how);
	const struct xl_field *field;
	size_t n;
	void (*more)(yajl_gen g, const void *row);
};

/**
 * xl_out_begin() - Begin a list; there is one at a time.
 * @t:   Borrowed until xl_out_end().
 * @how: For @t's functions.
 */
void xl_out_begin(const struct xl_table *t, unsigned int how);

/** xl_out_row() - Show one object. */
void xl_out_row(const void *row);

/** xl_out_end() - The list is complete; Return: xl's exit status. */
int xl_out_end(void) must_check;

/** xl_out_one() - Show what is no list but one object; Return: likewise. */
int xl_out_one(const struct xl_table *t, const void *row) must_check;

/**
 * xl_error() - Tell an error.
 * @object: What it is about: a domain, a verb, a file; NULL: it does not say.
 * @remedy: What helps, or NULL.
 * @fmt:    The whole line, as Xen's xl has it.
 *
 * With --json, an object on one line: {"error": "...", "object": "...", "remedy":
 * "..."}.  What the log says (base/log.h) becomes such an object, too, or one with
 * "warning".
 */
void xl_error(const char *object, const char *remedy, const char *fmt, ...)
	printf_like(3, 4);

/** xl_out_json() - From now on all is JSON. */
void xl_out_json(void);

#endif
