/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/image_format.h - formats of images that are not raw. */
#ifndef DOM0_BACKEND_IMAGE_FORMAT_H
#define DOM0_BACKEND_IMAGE_FORMAT_H

#include <stddef.h>

#include "base/util.h"

/**
 * struct image_format - A format that a program of QEMU's serves for us.
 * @name:   As in a disk's params, before the ':'.
 * @driver: QEMU's name for it.
 * @check:  Private.
 */
struct image_format {
	char name[8], driver[8];
	const char *(*check)(int fd);
};

/**
 * image_format_find() - Look a format up.
 * @name: @len bytes.
 *
 * Return: NULL if it is none that we know.
 */
const struct image_format *image_format_find(const char *name, size_t len);

/**
 * image_format_check() - Whether an image is of a format and needs no other file.
 * @fd: Open for reading, without O_DIRECT.
 *
 * UNTRUSTED: what is in the image.  It is not the image's to say what else is
 * opened: one that names a backing file or keeps its data elsewhere is refused.
 *
 * Return: NULL, or what is wrong and what to do about it; a constant string.
 */
const char *image_format_check(const struct image_format *f, int fd);

#endif
