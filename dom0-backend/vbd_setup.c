// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/vbd_setup.c - the host's end of a PV block device.
#include "dom0-backend/vbd_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "dom0-backend/disk.h"
#include "dom0-backend/image_format.h"
#include "dom0-backend/image_lock.h"
#include "dom0-backend/nbd_uri.h"

static LIST_HEAD(disk_list, vbd_disk) disks = LIST_HEAD_INITIALIZER(disks);

/* What to tell about a failure to open a path. */
static const char *remedy(int err, bool write)
{
	switch (err) {
	case ENOENT:
	case ENOTDIR:
		return "create the image or correct the path";
	case EACCES:
	case EPERM:
		return write ? "allow writing, or attach it read-only (mode r)"
			     : "allow reading";
	case EROFS:
		return "attach it read-only (mode r)";
	case EBUSY:
		return "the host uses this device: unmount it, or attach it "
		       "read-only (mode r)";
	case ENOTBLK:
		return "give the path of an image or device";
	default:
		return "check the path and the medium";
	}
}

/*
 * Whether the file, used with O_DIRECT, takes transfers of one sector to
 * memory aligned to one: guests' requests are no better.
 */
static bool takes_sectors(int fd, uint32_t size)
{
	static alignas(4096) char buf[2 * DISK_MAX_LOGICAL];

	return pread(fd, buf + size, size, 0) == (ssize_t)size &&
	       pread(fd, buf, size, size) >= 0;
}

/* Bypass the page cache if that is wanted and possible. */
static int set_direct(const struct vbd_config *cfg, int fd, uint32_t logical)
{
	int flags = fcntl(fd, F_GETFL);

	if (cfg->direct == VBD_DIRECT_NO)
		return 0;
	if (fcntl(fd, F_SETFL, flags | O_DIRECT) == 0) {
		if (takes_sectors(fd, logical))
			return 0;
		fcntl(fd, F_SETFL, flags);
	}
	return cfg->direct == VBD_DIRECT_YES ? -EOPNOTSUPP : 0;
}

/*
 * O_NONBLOCK would make io_uring fail operations that have to wait, so what
 * could make open() wait is refused first.  Root may write any file: one without
 * any write permission is still taken as meant to be read only.
 */
static int open_disk(const char *path, bool write, bool excl)
{
	int flags = O_CLOEXEC | O_NOCTTY | (write ? O_RDWR : O_RDONLY);
	struct stat st;
	int fd;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return -ENOTBLK;
	if (write && S_ISREG(st.st_mode) && !(st.st_mode & 0222))
		return -EACCES;
	/* O_EXCL without O_CREAT: refuse block devices that the host uses. */
	if (excl && S_ISBLK(st.st_mode))
		flags |= O_EXCL;
	fd = open(path, flags);
	return fd < 0 ? -errno : fd;
}

static int check_size(struct disk *d, const char *path, int fd, char *err,
		      size_t errlen)
{
	int ret = disk_init(d, fd);

	switch (ret) {
	case 0:
		break;
	case -ENOTBLK:
		snprintf(
			err, errlen,
			"disk %s is neither a regular file nor a block device: "
			"give the path of an image or device",
			path);
		break;
	case -ENODATA:
		snprintf(err, errlen,
			 "disk %s is empty: give it a size, for example with "
			 "truncate -s 10G",
			 path);
		break;
	case -EINVAL:
		snprintf(err, errlen,
			 "disk %s: its size is not a multiple of 512 bytes: "
			 "extend it with truncate -s %%512",
			 path);
		break;
	case -EFBIG:
		snprintf(err, errlen,
			 "disk %s has more than %llu sectors: use a smaller "
			 "one",
			 path, (unsigned long long)DISK_MAX_SECTORS);
		break;
	default:
		snprintf(err, errlen, "disk %s: cannot find its size: %s", path,
			 strerror(-ret));
	}
	return ret;
}

/* Size, sector sizes, page cache. */
static int check_disk(const struct vbd_config *cfg, struct vbd_disk *out,
		      const char *path, char *err, size_t errlen)
{
	struct disk d;
	int ret = check_size(&d, path, out->fd, err, errlen);

	if (ret)
		return ret;
	ret = disk_set_sector(&d, cfg->logical, cfg->physical);
	if (ret) {
		snprintf(err, errlen,
			 "disk %s, %llu bytes: sector-size=%u, "
			 "physical-sector-size=%u: the first must be 512 or "
			 "4096 and divide the disk's size, the second a "
			 "multiple of it, up to 65536",
			 path,
			 (unsigned long long)disk_sectors(&d) * DISK_SECTOR,
			 cfg->logical, cfg->physical);
		return ret;
	}
	ret = set_direct(cfg, out->fd, d.logical);
	if (ret)
		snprintf(err, errlen,
			 "disk %s: direct-io=1: the file does not take "
			 "transfers of %u bytes past the page cache: leave "
			 "direct-io out%s",
			 path, d.logical,
			 d.logical == DISK_SECTOR ? ", or try sector-size=4096"
						  : "");
	out->logical = d.logical;
	out->physical = d.physical;
	return ret;
}

/* One file, or one device by whatever node. */
static bool same_disk(const struct vbd_disk *a, const struct vbd_disk *b)
{
	return (a->dev == b->dev && a->ino == b->ino) ||
	       (a->rdev && a->rdev == b->rdev);
}

/* Who of ours uses the image so that @disk cannot. */
static const struct vbd_disk *find_user(const struct vbd_disk *disk)
{
	const struct vbd_disk *d = NULL;

	LIST_FOREACH (d, &disks, link) {
		if (same_disk(d, disk) && !d->shared &&
		    (d->write || disk->write))
			return d;
	}
	return NULL;
}

/* The lock keeps others away; a file system may have none, our list is sure. */
static int lock_disk(const struct vbd_disk *disk, char *err, size_t errlen)
{
	const struct vbd_disk *user = find_user(disk);
	char who[96];

	if (!user && !image_lock(disk->fd, disk->write))
		return 0;
	if (user)
		snprintf(who, sizeof(who), "domain %u", user->domid);
	else
		image_lock_holder(disk->fd, who, sizeof(who));
	snprintf(err, errlen,
		 "disk %s is in use by %s%s: detach it there, or attach it "
		 "read-only (r) in both",
		 disk->path, who, disk->write ? "" : " for writing");
	return -EBUSY;
}

/**
 * struct target - What a disk's params name.
 * @path:   Of a file or device, or the address of a @remote disk.
 * @format: NULL for a raw image.
 */
struct target {
	const char *path;
	const struct image_format *format;
	bool remote;
};

/* The part of params before the ':'; never what the image looks like. */
static int take_format(const char *params, struct target *t, char *err,
		       size_t errlen)
{
	const char *colon = strchr(params, ':');
	size_t n;

	t->path = params;
	if (*params == '/' || !colon)
		return 0;
	n = (size_t)(colon - params);
	t->path = colon + 1;
	t->format = image_format_find(params, n);
	if (t->format || (n == 3 && (strncmp(params, "aio", n) == 0 ||
				     strncmp(params, "raw", n) == 0)))
		return 0;
	snprintf(err, errlen,
		 "disk %s: only raw, qcow2, qcow, vhd, vhdx and vmdk images "
		 "are served: convert it with qemu-img convert -O raw",
		 params);
	return -EOPNOTSUPP;
}

static int take_address(const char *params, struct target *t, char *err,
			size_t errlen)
{
	struct nbd_uri uri;
	const char *why;
	int ret = nbd_uri_parse(&uri, params, &why);

	if (ret)
		snprintf(err, errlen, "disk %s: %s: see disk in xl.cfg(5)",
			 params, why);
	t->path = params;
	t->remote = true;
	return ret;
}

static int check_config(const struct vbd_config *cfg, struct target *t,
			char *err, size_t errlen)
{
	int ret;

	*t = (struct target){ .path = NULL };
	if (nbd_uri_is(cfg->params))
		ret = take_address(cfg->params, t, err, errlen);
	else
		ret = take_format(cfg->params, t, err, errlen);
	if (ret)
		return ret;
	if (!t->remote && *t->path != '/') {
		snprintf(err, errlen,
			 "disk \"%s\" is not an absolute path: write it with "
			 "its directory",
			 t->path);
		return -EINVAL;
	}
	if (strcmp(cfg->mode, "r") != 0 && strcmp(cfg->mode, "w") != 0 &&
	    strcmp(cfg->mode, "w!") != 0) {
		snprintf(err, errlen, "disk %s: mode %s is none of r, w, w!",
			 t->path, cfg->mode);
		return -EINVAL;
	}
	return 0;
}

/* What is not plain bytes in a file or device has a process that gets at it. */
static int start_source(const struct vbd_config *cfg, const struct target *t,
			struct vbd_disk *d, char *err, size_t errlen)
{
	char device[32];
	struct vbd_source_config sc = {
		.device = device,
		.address = t->remote ? t->path : NULL,
		.format = t->format ? t->format->name : NULL,
		.image = d->fd,
		.patient = cfg->patient,
	};
	int ret;

	if (!t->remote && !t->format)
		return 0;
	snprintf(device, sizeof(device), "dom%u/vbd%u", cfg->domid, cfg->devid);
	ret = vbd_source_new(&d->source, &sc);
	if (ret)
		snprintf(err, errlen, "disk %s: cannot start sv-blksource: %s",
			 t->path, strerror(-ret));
	return ret;
}

/* The same file once more, whatever has its name by now. */
static int open_again(struct vbd_disk *d, char *err, size_t errlen)
{
	char path[32];
	int ret;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", d->fd);
	d->told = open(path, O_RDONLY | O_CLOEXEC);
	if (d->told >= 0)
		return 0;
	ret = -errno;
	snprintf(err, errlen, "disk %s: cannot open it a second time: %s",
		 d->path, strerror(-ret));
	return ret;
}

/* Open and lock a file or device; @d has its path. */
static int open_local(const struct vbd_config *cfg, const struct target *t,
		      struct vbd_disk *d, char *err, size_t errlen)
{
	struct stat st;
	int ret;

	d->fd = open_disk(d->path, d->write, d->write && !d->shared);
	if (d->fd < 0) {
		snprintf(err, errlen, "disk %s: %s: %s", d->path,
			 d->fd == -ENOTBLK
				 ? "neither a regular file nor a block device"
				 : strerror(-d->fd),
			 remedy(-d->fd, d->write));
		return d->fd;
	}
	/* Sizes of a formatted image are the format's business. */
	ret = t->format ? 0 : check_disk(cfg, d, d->path, err, errlen);
	if (ret)
		return ret;
	if (fstat(d->fd, &st) < 0) {
		ret = -errno;
		snprintf(err, errlen, "disk %s: %s", d->path, strerror(-ret));
		return ret;
	}
	d->dev = st.st_dev;
	d->ino = st.st_ino;
	d->rdev = S_ISBLK(st.st_mode) ? st.st_rdev : 0;
	if (!ret && d->write && !t->format)
		ret = open_again(d, err, errlen);
	if (!ret && !d->shared)
		ret = lock_disk(d, err, errlen);
	return ret;
}

int vbd_open(const struct vbd_config *cfg, struct vbd_disk *out, char *err,
	     size_t errlen)
{
	struct vbd_disk d = { .fd = -1,
			      .told = -1,
			      .domid = cfg->domid,
			      .logical = cfg->logical,
			      .physical = cfg->physical,
			      .write = cfg->mode[0] == 'w' };
	struct target t;
	int ret = check_config(cfg, &t, err, errlen);

	if (ret)
		return ret;
	/* Who else uses a disk on a server is the server's to know. */
	d.shared = t.remote || !strcmp(cfg->mode, "w!");
	d.path = strdup(t.path);
	if (!d.path) {
		snprintf(err, errlen, "disk %s: out of memory", t.path);
		return -ENOMEM;
	}
	if (!t.remote)
		ret = open_local(cfg, &t, &d, err, errlen);
	if (!ret)
		ret = start_source(cfg, &t, &d, err, errlen);
	if (ret) {
		free(d.path);
		fd_close(&d.told);
		fd_close(&d.fd);
		return ret;
	}
	*out = d;
	LIST_INSERT_HEAD(&disks, out, link);
	return 0;
}

int vbd_ready(struct vbd_disk *disk, char *err, size_t errlen)
{
	char why[256];
	int ret = disk->source
			  ? vbd_source_ready(disk->source, why, sizeof(why))
			  : 0;

	if (ret && ret != -EINPROGRESS)
		snprintf(err, errlen, "disk %s: %s", disk->path, why);
	return ret;
}

/*
 * The lock belongs to the open file, which the kernel keeps for a while as part
 * of a dead worker's io_uring.  That worker's I/O has ended: the parent saw to it.
 */
void vbd_close(struct vbd_disk *disk)
{
	vbd_source_free(disk->source);
	if (!disk->shared)
		image_unlock(disk->fd);
	LIST_REMOVE(disk, link);
	fd_close(&disk->told);
	fd_close(&disk->fd);
	free(disk->path);
	disk->path = NULL;
}
