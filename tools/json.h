/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/json.h - JSON documents, member by member. */
#ifndef TOOLS_JSON_H
#define TOOLS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <yajl/yajl_gen.h>

#include "base/util.h"

/*
 * Arrays and objects are opened and closed by yajl's own calls.  These fail only
 * when memory is short, which is seen at the end.
 */

/**
 * json_begin() - A new document.
 * @pretty: By four spaces, which scripts rely on; else all on one line.
 *
 * Return: *owned* by the caller, for json_end() or json_print(); NULL without memory.
 */
yajl_gen json_begin(bool pretty);

/**
 * json_end() - Its text.
 * @g:    *Given*.
 * @text: *Owned* by the caller; ends in a newline if it is pretty.
 *
 * Return: 0 or -ENOMEM.
 */
int json_end(yajl_gen g, char **text) must_check;

/**
 * json_print() - Print it, with a newline at its end.
 * @g: *Given*; NULL is -ENOMEM.
 *
 * Return: 0, -ENOMEM, or -EIO.
 */
int json_print(yajl_gen g, FILE *f) must_check;

/** json_string() - A string or a name; what is no UTF-8 in it appears as '?'. */
void json_string(yajl_gen g, const char *s);

/** json_member_string() - One member of an object; none for NULL. */
void json_member_string(yajl_gen g, const char *name, const char *value);

/** json_member_number(), json_member_flag() - Likewise. */
void json_member_number(yajl_gen g, const char *name, uint64_t value);
void json_member_flag(yajl_gen g, const char *name, bool value);

/** json_member_seconds() - Nanoseconds, as seconds with all digits. */
void json_member_seconds(yajl_gen g, const char *name, uint64_t ns);

/** json_member_map(), json_member_array() - Open a member; yajl closes it. */
void json_member_map(yajl_gen g, const char *name);
void json_member_array(yajl_gen g, const char *name);

#endif
