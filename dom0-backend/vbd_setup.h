/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/vbd_setup.h - the host's end of a PV block device. */
#ifndef DOM0_BACKEND_VBD_SETUP_H
#define DOM0_BACKEND_VBD_SETUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "base/util.h"
#include "dom0-backend/image_format.h"
#include "dom0-backend/vbd_source.h"

/*
 * The parent opens images and devices, so that workers need no rights on paths.
 * An image is locked (image_lock.h) for as long as any process holds the
 * descriptor: shared by readers, exclusive for a writer.  Where the file system
 * has no locks, only our own list of disks keeps this.  Mode
 * "w!" means that the guests know how to share: it takes no lock and excludes
 * nobody.  Files that an image builds upon are opened and locked as readers do.
 */

/**
 * enum vbd_direct - Whether to bypass the page cache (O_DIRECT).
 * @VBD_DIRECT_AUTO: If the file takes transfers of the disk's sector size.
 * @VBD_DIRECT_NO:   Never.
 * @VBD_DIRECT_YES:  Always; a file that cannot is refused.
 */
enum vbd_direct { VBD_DIRECT_AUTO, VBD_DIRECT_NO, VBD_DIRECT_YES };

/**
 * struct vbd_config - What the toolstack asks for, from the backend's keys.
 * @domid:  The guest.
 * @devid:  Its device.
 * @params: Key params: a path, also as "aio:PATH" or "raw:PATH"; "FORMAT:PATH" as
 *          in image_format.h; or an address as in nbd_uri.h.  *Borrowed*.
 * @mode:   Key mode: "r", "w" or "w!".  *Borrowed*.
 * @logical, @physical: Keys sector-size and physical-sector-size; 0 if absent.
 * @direct: Key direct-io.
 * @backing: Keys backing-1, backing-2 and so on, @nbacking of them: "FORMAT:PATH"
 *          of the file that the image builds upon, of the one that this builds
 *          upon, and so on; "raw:PATH" can only be the last.  *Borrowed*.
 * @patient: The disk is in use; what it is on may be away for now.
 */
struct vbd_config {
	unsigned int domid, devid;
	const char *params, *mode;
	uint32_t logical, physical;
	enum vbd_direct direct;
	unsigned int nbacking;
	const char *backing[IMAGE_MAX_BACKING];
	bool patient;
};

/**
 * struct vbd_file - An open image or device.
 * @fd:   *Owned*; -1 for a disk on a server; close-on-exec; with O_DIRECT as
 *        &struct vbd_config says.
 * @path: What was opened.
 * @rdev: Of a block device, else 0.
 *
 * The rest is private.
 */
struct vbd_file {
	int fd;
	char *path;
	dev_t rdev;
	LIST_ENTRY(vbd_file) link;
	unsigned int domid;
	dev_t dev;
	ino_t ino;
	bool write;
	bool shared;
};

/**
 * struct vbd_disk - A disk and what it is made of.
 * @image:   The image, the device, or the address.
 * @backing: @nbacking files below it.
 * @told: *Owned*: &struct disk's; -1 if nothing is written, or not by the worker.
 * @logical, @physical: The guest's sector sizes.
 * @source: *Owned*: what serves it to the worker, unless that uses @image itself.
 */
struct vbd_disk {
	struct vbd_file image;
	struct vbd_file backing[IMAGE_MAX_BACKING];
	unsigned int nbacking;
	int told;
	uint32_t logical, physical;
	struct vbd_source *source;
};

/**
 * vbd_open() - Open and lock a disk.
 * @out:    Filled on success only; end it by vbd_close(); must not move.
 * @err:    On failure receives one line that names the object, the value and a
 *          remedy, for hotplug-error and the log.
 * @errlen: Bytes at @err.
 *
 * Return: 0 or -errno.
 */
int vbd_open(const struct vbd_config *cfg, struct vbd_disk *out, char *err,
	     size_t errlen) must_check;

/**
 * vbd_ready() - Whether what serves the disk has begun to.
 *
 * Return: 0; -EINPROGRESS if it is not known yet; -errno, with one line at @err.
 */
int vbd_ready(struct vbd_disk *disk, char *err, size_t errlen) must_check;

/**
 * vbd_close() - Unlock (once no worker has it any more) and close.
 *
 * What a server of ours still has stays locked till that has ended.
 */
void vbd_close(struct vbd_disk *disk);

#endif
