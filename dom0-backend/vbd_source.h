/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/vbd_source.h - the process that connects a worker to its disk. */
#ifndef DOM0_BACKEND_VBD_SOURCE_H
#define DOM0_BACKEND_VBD_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/util.h"
#include "dom0-backend/image_format.h"

/**
 * struct vbd_source_config - What sv-blksource is to serve.
 * @domid, @devid: Whose disk it is.
 * @address: Of a disk on an NBD server, or NULL.
 * @format:  Of the image, or NULL.
 * @image:   Its file; *borrowed*; -1 if there is none.
 * @backing: "FORMAT:PATH" of @nbacking files below it, nearest first.
 * @backing_fd: Of each of them; *borrowed*.
 * @patient: The disk is in use: what holds it may come back later.
 *
 * The strings are copied.
 */
struct vbd_source_config {
	unsigned int domid, devid;
	const char *address, *format;
	int image;
	unsigned int nbacking;
	const char *backing[IMAGE_MAX_BACKING];
	int backing_fd[IMAGE_MAX_BACKING];
	bool patient;
};

/** struct vbd_source - One sv-blksource, started again if it ends by itself. */
struct vbd_source;

/** vbd_source_new() - Start it; Return: 0 and @out, *owned*, or -errno. */
int vbd_source_new(struct vbd_source **out,
		   const struct vbd_source_config *cfg) must_check;

/**
 * vbd_source_ready() - How its start went.
 * @err: On failure receives one line.
 *
 * Return: 0; -EINPROGRESS if it is not known yet; -EIO.
 */
int vbd_source_ready(struct vbd_source *s, char *err, size_t errlen) must_check;

/** vbd_source_link() - The worker's end of the link (disk_link.h); *borrowed*. */
int vbd_source_link(const struct vbd_source *s);

/**
 * vbd_source_reaped() - A process has ended.
 *
 * Return: whether it was this one; another has been started then.
 */
bool vbd_source_reaped(struct vbd_source *s, pid_t pid);

/**
 * vbd_source_quit() - Tell it to write what is to be written, and to end.
 *
 * Return: its process id, to be reaped by the caller; 0 if it does not run.
 */
pid_t vbd_source_quit(struct vbd_source *s);

/**
 * vbd_source_over() - Whether, since vbd_source_quit(), no server has the image.
 *
 * There will be none either.
 */
bool vbd_source_over(const struct vbd_source *s);

/** vbd_source_free() - vbd_source_quit(), and forget it; NULL is fine. */
void vbd_source_free(struct vbd_source *s);

#endif
