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

static LIST_HEAD(file_list, vbd_file) files = LIST_HEAD_INITIALIZER(files);

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
 * Whether the file, used with O_DIRECT, takes transfers of @size bytes at
 * multiples of it, to memory aligned so: guests' requests are no better.
 */
static bool takes_units(int fd, uint32_t size)
{
	static alignas(4096) char buf[2 * DISK_MAX_LOGICAL];

	return pread(fd, buf + size, size, 0) >= 0 &&
	       pread(fd, buf, size, size) >= 0;
}

/* Bypass the page cache; Return: whether that is possible. */
static bool bypass(int fd, uint32_t unit)
{
	int flags = fcntl(fd, F_GETFL);

	if (fcntl(fd, F_SETFL, flags | O_DIRECT) < 0)
		return false;
	if (takes_units(fd, unit))
		return true;
	fcntl(fd, F_SETFL, flags);
	return false;
}

/* Bypass it if that is wanted and possible. */
static int set_direct(const struct vbd_config *cfg, int fd, uint32_t unit)
{
	if (cfg->direct == VBD_DIRECT_NO || bypass(fd, unit))
		return 0;
	return cfg->direct == VBD_DIRECT_YES ? -EOPNOTSUPP : 0;
}

/*
 * The same for an image and what it builds upon: all of them, or none.  QEMU makes
 * whole units for guests' requests of less.
 */
static int set_chain_direct(const struct vbd_config *cfg, struct vbd_disk *d,
			    char *err, size_t errlen)
{
	const struct vbd_file *f;
	bool possible = cfg->direct != VBD_DIRECT_NO;

	/* The image comes last: sv-blksource looks at its flag. */
	for (unsigned int i = d->nbacking + 1; i-- > 0 && possible;) {
		f = i ? &d->backing[i - 1] : &d->image;
		possible = bypass(f->fd, DISK_MAX_LOGICAL);
		if (!possible && cfg->direct == VBD_DIRECT_YES) {
			snprintf(err, errlen,
				 "disk %s: direct-io=1: %s cannot be used past "
				 "the page cache: leave direct-io out",
				 d->image.path, f->path);
			return -EOPNOTSUPP;
		}
	}
	return 0;
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
	int ret = check_size(&d, path, out->image.fd, err, errlen);

	if (ret)
		return ret;
	ret = disk_set_sector(&d, cfg->logical, cfg->physical);
	if (ret) {
		snprintf(err, errlen,
			 "disk %s, %llu bytes: sector-size=%u, "
			 "physical-sector-size=%u: " DISK_SECTOR_RULE,
			 path,
			 (unsigned long long)disk_sectors(&d) * DISK_SECTOR,
			 cfg->logical, cfg->physical);
		return ret;
	}
	ret = set_direct(cfg, out->image.fd, d.logical);
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
static bool same_file(const struct vbd_file *a, const struct vbd_file *b)
{
	return (a->dev == b->dev && a->ino == b->ino) ||
	       (a->rdev && a->rdev == b->rdev);
}

/* Who of ours uses the file so that @file cannot be had. */
static const struct vbd_file *find_user(const struct vbd_file *file)
{
	const struct vbd_file *f = NULL;

	LIST_FOREACH (f, &files, link) {
		if (same_file(f, file) && !f->shared &&
		    (f->write || file->write))
			return f;
	}
	return NULL;
}

/* The lock keeps others away; a file system may have none, our list is sure. */
static int lock_file(const struct vbd_file *file, char *err, size_t errlen)
{
	const struct vbd_file *user = find_user(file);
	char who[96];

	if (!user && !image_lock(file->fd, file->write))
		return 0;
	if (user)
		snprintf(who, sizeof(who), "domain %u", user->domid);
	else
		image_lock_holder(file->fd, who, sizeof(who));
	snprintf(err, errlen,
		 "disk %s is in use by %s%s: detach it there, or attach it "
		 "read-only (r) in both",
		 file->path, who, file->write ? "" : " for writing");
	return -EBUSY;
}

/**
 * struct target - What a disk's params, or the key of a backing file, names.
 * @path:   Of a file or device, or the address of a @remote disk.
 * @format: NULL for a raw image.
 */
struct target {
	const char *path;
	const struct image_format *format;
	bool remote;
};

/* An image and what it builds upon, nearest first. */
struct chain {
	struct target at[1 + IMAGE_MAX_BACKING];
	unsigned int n;
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

static int take_params(const char *params, struct target *t, char *err,
		       size_t errlen)
{
	int ret;

	*t = (struct target){ .path = NULL };
	if (nbd_uri_is(params))
		ret = take_address(params, t, err, errlen);
	else
		ret = take_format(params, t, err, errlen);
	if (ret || t->remote || *t->path == '/')
		return ret;
	snprintf(err, errlen,
		 "disk \"%s\" is not an absolute path: write it with "
		 "its directory",
		 t->path);
	return -EINVAL;
}

/* The file below the last one. */
static int take_backing(const char *key, struct chain *c, char *err,
			size_t errlen)
{
	const struct target *above = &c->at[c->n - 1];
	struct target *t = &c->at[c->n];
	int ret;

	if (above->remote || !above->format || !above->format->layers) {
		snprintf(err, errlen,
			 "disk %s cannot build upon %s: only qcow2, qcow and "
			 "vmdk images have a backing file",
			 above->path, key);
		return -EINVAL;
	}
	ret = take_params(key, t, err, errlen);
	if (!ret && (t->remote || t->path == key)) {
		snprintf(err, errlen,
			 "backing file %s of disk %s: its format is not named: "
			 "write FORMAT:PATH",
			 key, c->at[0].path);
		return -EINVAL;
	}
	if (!ret && above->format->own && t->format != above->format) {
		snprintf(err, errlen,
			 "disk %s cannot build upon %s: a %s image builds upon "
			 "its own format only: make one of them with "
			 "qemu-img convert",
			 above->path, key, above->format->name);
		return -EINVAL;
	}
	c->n += !ret;
	return ret;
}

static int check_config(const struct vbd_config *cfg, struct chain *c,
			char *err, size_t errlen)
{
	int ret = take_params(cfg->params, &c->at[0], err, errlen);

	c->n = 1;
	for (unsigned int i = 0; i < cfg->nbacking && !ret; i++)
		ret = take_backing(cfg->backing[i], c, err, errlen);
	if (ret)
		return ret;
	if (strcmp(cfg->mode, "r") != 0 && strcmp(cfg->mode, "w") != 0 &&
	    strcmp(cfg->mode, "w!") != 0) {
		snprintf(err, errlen, "disk %s: mode %s is none of r, w, w!",
			 c->at[0].path, cfg->mode);
		return -EINVAL;
	}
	return 0;
}

/* What is not plain bytes in a file or device has a process that gets at it. */
static int start_source(const struct vbd_config *cfg, const struct target *t,
			struct vbd_disk *d, char *err, size_t errlen)
{
	struct vbd_source_config sc = {
		.domid = cfg->domid,
		.devid = cfg->devid,
		.address = t->remote ? t->path : NULL,
		.format = t->format ? t->format->name : NULL,
		.image = d->image.fd,
		.nbacking = d->nbacking,
		.patient = cfg->patient,
	};
	int ret;

	if (!t->remote && !t->format)
		return 0;
	for (unsigned int i = 0; i < d->nbacking; i++) {
		sc.backing[i] = cfg->backing[i];
		sc.backing_fd[i] = d->backing[i].fd;
	}
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

	snprintf(path, sizeof(path), "/proc/self/fd/%d", d->image.fd);
	d->told = open(path, O_RDONLY | O_CLOEXEC);
	if (d->told >= 0)
		return 0;
	ret = -errno;
	snprintf(err, errlen, "disk %s: cannot open it a second time: %s",
		 d->image.path, strerror(-ret));
	return ret;
}

/* Open a file or device, for what @f says. */
static int open_file(const char *path, struct vbd_file *f, char *err,
		     size_t errlen)
{
	struct stat st;

	f->path = strdup(path);
	f->fd = f->path ? open_disk(path, f->write, f->write && !f->shared)
			: -ENOMEM;
	if (f->fd < 0) {
		snprintf(err, errlen, "disk %s: %s: %s", path,
			 f->fd == -ENOTBLK
				 ? "neither a regular file nor a block device"
				 : strerror(-f->fd),
			 remedy(-f->fd, f->write));
		return f->fd;
	}
	if (fstat(f->fd, &st) < 0) {
		int ret = -errno;

		snprintf(err, errlen, "disk %s: %s", path, strerror(-ret));
		return ret;
	}
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->rdev = S_ISBLK(st.st_mode) ? st.st_rdev : 0;
	return 0;
}

/* A reader of a file below the others; what is above it is open. */
static int open_backing(struct vbd_disk *d, const struct target *t, char *err,
			size_t errlen)
{
	struct vbd_file *f = &d->backing[d->nbacking];
	const struct vbd_file *above = &d->image;
	int ret;

	*f = (struct vbd_file){ .fd = -1, .domid = d->image.domid };
	d->nbacking++;
	ret = open_file(t->path, f, err, errlen);
	if (ret)
		return ret;
	for (unsigned int i = 0; i < d->nbacking; i++) {
		if (same_file(above, f)) {
			snprintf(err, errlen,
				 "disk %s: it would build upon itself, by way "
				 "of %s: name each file of the chain once",
				 d->image.path, t->path);
			return -ELOOP;
		}
		above = &d->backing[i];
	}
	return lock_file(f, err, errlen);
}

/* Open and lock the files of a disk. */
static int open_local(const struct vbd_config *cfg, const struct chain *c,
		      struct vbd_disk *d, char *err, size_t errlen)
{
	const struct target *t = &c->at[0];
	int ret = open_file(t->path, &d->image, err, errlen);

	/* Sizes of a formatted image are the format's business. */
	if (!ret && !t->format)
		ret = check_disk(cfg, d, t->path, err, errlen);
	if (!ret && d->image.write && !t->format)
		ret = open_again(d, err, errlen);
	if (!ret && !d->image.shared)
		ret = lock_file(&d->image, err, errlen);
	for (unsigned int i = 1; i < c->n && !ret; i++)
		ret = open_backing(d, &c->at[i], err, errlen);
	if (!ret && t->format)
		ret = set_chain_direct(cfg, d, err, errlen);
	return ret;
}

/* An address, for open_local()'s files. */
static int note_address(const char *address, struct vbd_file *f, char *err,
			size_t errlen)
{
	f->path = strdup(address);
	if (f->path)
		return 0;
	snprintf(err, errlen, "disk %s: out of memory", address);
	return -ENOMEM;
}

/*
 * The lock belongs to the open file, which the kernel keeps for a while as part
 * of a dead worker's io_uring.  That worker's I/O has ended: the parent saw to it.
 * A server that has not ended has the open file, too, and @keeps the lock.
 */
static void close_file(struct vbd_file *f, bool keeps)
{
	if (f->fd >= 0 && !f->shared && !keeps)
		image_unlock(f->fd);
	fd_close(&f->fd);
	free(f->path);
	f->path = NULL;
}

static void close_files(struct vbd_disk *d, bool keeps)
{
	for (unsigned int i = 0; i < d->nbacking; i++)
		close_file(&d->backing[i], keeps);
	fd_close(&d->told);
	close_file(&d->image, keeps);
}

int vbd_open(const struct vbd_config *cfg, struct vbd_disk *out, char *err,
	     size_t errlen)
{
	struct vbd_disk d = { .image = { .fd = -1,
					 .domid = cfg->domid,
					 .write = cfg->mode[0] == 'w' },
			      .told = -1,
			      .logical = cfg->logical,
			      .physical = cfg->physical };
	struct chain c;
	int ret = check_config(cfg, &c, err, errlen);

	if (ret)
		return ret;
	/* Who else uses a disk on a server is the server's to know. */
	d.image.shared = c.at[0].remote || !strcmp(cfg->mode, "w!");
	ret = c.at[0].remote ? note_address(c.at[0].path, &d.image, err, errlen)
			     : open_local(cfg, &c, &d, err, errlen);
	if (!ret)
		ret = start_source(cfg, &c.at[0], &d, err, errlen);
	if (ret) {
		close_files(&d, false);
		return ret;
	}
	*out = d;
	LIST_INSERT_HEAD(&files, &out->image, link);
	for (unsigned int i = 0; i < out->nbacking; i++)
		LIST_INSERT_HEAD(&files, &out->backing[i], link);
	return 0;
}

int vbd_ready(struct vbd_disk *disk, char *err, size_t errlen)
{
	char why[256];
	int ret = disk->source
			  ? vbd_source_ready(disk->source, why, sizeof(why))
			  : 0;

	if (ret && ret != -EINPROGRESS)
		snprintf(err, errlen, "disk %s: %s", disk->image.path, why);
	return ret;
}

void vbd_close(struct vbd_disk *disk)
{
	bool served = false;

	if (disk->source) {
		(void)vbd_source_quit(disk->source);
		served = !vbd_source_over(disk->source);
	}
	vbd_source_free(disk->source);
	LIST_REMOVE(&disk->image, link);
	for (unsigned int i = 0; i < disk->nbacking; i++)
		LIST_REMOVE(&disk->backing[i], link);
	close_files(disk, served);
}
