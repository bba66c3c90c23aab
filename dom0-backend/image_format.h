/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/image_format.h - formats of images that are not raw. */
#ifndef DOM0_BACKEND_IMAGE_FORMAT_H
#define DOM0_BACKEND_IMAGE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"

/* Images below an image, of which each builds upon the next. */
#define IMAGE_MAX_BACKING 8u

/**
 * struct image_format - A format that a program of QEMU's serves for us.
 * @name:   As in a disk's params, before the ':'.
 * @driver: QEMU's name for it.
 * @layers: An image of it can build upon another file, its backing file.
 * @own:    That must be of the same format; QEMU opens others and fails later.
 * @check:  Private.
 */
struct image_format {
	char name[8], driver[8];
	bool layers, own;
	const char *(*check)(int fd, bool *backed);
};

/**
 * image_format_find() - Look a format up.
 * @name: @len bytes.
 *
 * Return: NULL if it is none that we know.
 */
const struct image_format *image_format_find(const char *name, size_t len);

/**
 * image_format_check() - Whether an image is what the configuration takes it for.
 * @fd:     Open for reading, without O_DIRECT.
 * @backed: The configuration names a file that it builds upon.
 *
 * UNTRUSTED: what is in the image.  It is not the image's to say what else is
 * opened: the name that it has for a backing file is not read, only that there is
 * one.  An image with one where the configuration names none is refused; so is
 * the opposite, where a guest would read what it never wrote, and an image that
 * keeps its data elsewhere.
 *
 * Return: NULL, or what is wrong and what to do about it; a constant string.
 */
const char *image_format_check(const struct image_format *f, int fd,
			       bool backed);

#endif
