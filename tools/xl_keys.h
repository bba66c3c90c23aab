/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_keys.h - the keys of xl.cfg files: known ones, their lines. */
#ifndef TOOLS_XL_KEYS_H
#define TOOLS_XL_KEYS_H

#include <stddef.h>

#include "base/util.h"

/** enum xl_key_use - What becomes of a key that Xen's xl.cfg(5) knows. */
enum xl_key_use {
	XL_KEY_USED,
	XL_KEY_QUIET,  /* says how Xen works inside: nothing to do here */
	XL_KEY_INERT,  /* the guest runs without it: a warning */
	XL_KEY_REFUSE, /* the guest would lack what was asked for: an error */
};

/** struct xl_key - One known key. */
struct xl_key {
	const char *name;
	enum xl_key_use use;
};

/** xl_key_find() - Look a key up; Return: static, or NULL if unknown. */
const struct xl_key *xl_key_find(const char *name);

/**
 * xl_key_nearest() - The known key that @name is most likely meant to be.
 *
 * Return: static, or NULL if none is near.
 */
const char *xl_key_nearest(const char *name);

/** struct xl_setting - One "key = value" of a file. */
struct xl_setting {
	char key[48]; /* longer names are cut: no known key is that long */
	unsigned int line;
};

/**
 * xl_keys_scan() - Find the keys of a file and the lines they are on.
 * @text: NUL-terminated; its syntax was already accepted by libxlutil, which
 *        does not tell which keys there are.
 * @out:  *Owned* by the caller, in the order of the file; free() it.
 * @n:    Number of entries.
 *
 * Return: 0 or -ENOMEM.
 */
int xl_keys_scan(const char *text, struct xl_setting **out,
		 size_t *n) must_check;

#endif
