/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/savezip.h - memory in fewer bytes, for SAVE_PACKED; libzstd is behind it. */
#ifndef BASE_SAVEZIP_H
#define BASE_SAVEZIP_H

#include <stddef.h>

#include "base/util.h"

/** struct savezip - What is worked with, to be used by one thread. */
struct savezip;

/** savezip_new() - @out: *Owned* by the caller; Return: 0 or -ENOMEM. */
int savezip_new(struct savezip **out) must_check;

/** savezip_free() - NULL is fine. */
void savezip_free(struct savezip *z);

/**
 * savezip_pack() - Pack some memory, fast rather than well (level 1).
 * @room: Bytes at @to; what would take more is not worth it.
 *
 * Return: bytes at @to; 0 if they would be more, or there is no memory.
 */
size_t savezip_pack(struct savezip *z, const void *from, size_t len, void *to,
		    size_t room) must_check;

/**
 * savezip_unpack() - The same back.
 * @from: UNTRUSTED.
 * @want: Bytes at @to, all of which it must be.
 *
 * Return: 0, or -EINVAL if it is anything else.
 */
int savezip_unpack(struct savezip *z, const void *from, size_t len, void *to,
		   size_t want) must_check;

#endif
