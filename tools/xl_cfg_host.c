// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cfg_host.c - whether this host has what a configuration names.
#include "tools/xl_cfg.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

/* A file to be read whole; *size is written on success. */
static int check_file(const char *what, const char *path, const char *remedy,
		      uint64_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int ret = fd < 0 ? -errno : 0;
	struct stat st = { 0 };

	if (!ret && fstat(fd, &st) < 0)
		ret = -errno;
	fd_close(&fd);
	if (!ret && !S_ISREG(st.st_mode))
		ret = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (ret) {
		log_err("%s '%s': %s (%s)", what, path,
			ret == -EINVAL ? "not a file" : strerror(-ret), remedy);
		return ret;
	}
	*size = (uint64_t)st.st_size;
	return 0;
}

static int check_images(const struct xl_cfg *c)
{
	uint64_t size;
	int ret;

	ret = check_file(
		c->firmware ? "firmware" : "kernel", c->kernel,
		c->firmware
			? "install GRUB for PVH guests: apt-get install grub-xen-host"
			: "set kernel = to a readable bzImage or ELF file",
		&size);
	if (ret)
		return ret;
	if (!size) {
		log_err("kernel '%s': the file is empty (set kernel = to a bzImage or ELF file)",
			c->kernel);
		return -EINVAL;
	}
	if (!c->ramdisk)
		return 0;
	ret = check_file(
		"ramdisk", c->ramdisk,
		"set ramdisk = to a readable initramfs or leave it out", &size);
	if (!ret && size / 1024 >= c->memory_kib) {
		log_err("ramdisk '%s': its %llu MiB do not fit into memory = %llu MiB (raise memory)",
			c->ramdisk, (unsigned long long)(size >> 20),
			(unsigned long long)(c->memory_kib >> 10));
		ret = -EFBIG;
	}
	return ret;
}

static int check_memory(const struct xl_cfg *c)
{
	struct sysinfo info;
	uint64_t host_kib;

	if (sysinfo(&info) < 0)
		return -errno;
	host_kib = (uint64_t)info.totalram * info.mem_unit / 1024;
	if (c->memory_kib <= host_kib)
		return 0;
	log_err("memory = %llu: this host has %llu MiB (lower memory)",
		(unsigned long long)(c->memory_kib >> 10),
		(unsigned long long)(host_kib >> 10));
	return -ENOMEM;
}

static int check_disk_file(const struct xl_disk *d, const char *path,
			   bool write)
{
	int flags = write ? O_RDWR : O_RDONLY;
	struct stat st = { 0 };
	int fd, ret;

	fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
	ret = fd < 0 ? -errno : 0;
	if (!ret && fstat(fd, &st) < 0)
		ret = -errno;
	fd_close(&fd);
	/* Root may write what was made read-only; it was for a reason. */
	if (!ret && write && S_ISREG(st.st_mode) && !(st.st_mode & 0222))
		ret = -EROFS;
	if (ret == -EACCES || ret == -EROFS || ret == -EPERM)
		log_err("disk %s '%s': cannot be opened for %s: %s (%s)",
			d->vdev, path, write ? "writing" : "reading",
			ret == -EROFS ? "it is read-only" : strerror(-ret),
			write ? "use access r, or make it writable"
			      : "check its permissions");
	else if (ret)
		log_err("disk %s '%s': %s (correct the path in disk =)",
			d->vdev, path, strerror(-ret));
	else if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		log_err("disk %s '%s': neither a file nor a block device (correct the path in disk =)",
			d->vdev, path);
		ret = -ENOTBLK;
	}
	return ret;
}

int xl_disk_check_host(const struct xl_disk *d)
{
	int ret;

	if (xl_disk_is_remote(d->path))
		return 0; /* the backend finds out */
	ret = check_disk_file(d, d->path, d->writable);
	for (unsigned int i = 0; i < d->nbacking && !ret; i++)
		ret = check_disk_file(d, strchr(d->backing[i], ':') + 1, false);
	return ret;
}

/* Also one of Open vSwitch, with VLANs behind its name. */
static bool is_bridge(const char *bridge)
{
	char name[IF_NAMESIZE];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(bridge, ".:"),
		 bridge);
	return if_nametoindex(bridge) || if_nametoindex(name);
}

int xl_vif_check_host(const struct xl_vif *v)
{
	int fd;

	if (v->net && !strncmp(v->net, "user", strlen("user")))
		return 0; /* it has no interface */
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		int err = errno;

		log_err("vif %u: /dev/net/tun: %s (%s)", v->devid,
			strerror(err),
			err == EACCES || err == EPERM ? "run as root"
						      : "modprobe tun");
		return -err;
	}
	fd_close(&fd);
	if (v->hotplug && access(v->hotplug, X_OK)) {
		int err = errno;

		log_err("vif %u: script '%s': %s (name one that can be run, or leave script= out)",
			v->devid, v->hotplug, strerror(err));
		return -err;
	}
	if (v->hotplug || v->net || !v->bridge || is_bridge(v->bridge))
		return 0;
	log_err("vif %u: bridge '%s' does not exist (ip link add %s type bridge, or use vif = [ 'net=nat' ])",
		v->devid, v->bridge, v->bridge);
	return -ENODEV;
}

int xl_cfg_check_host(const struct xl_cfg *c)
{
	int ret;

	ret = check_images(c);
	return ret ? ret : xl_cfg_check_devices(c);
}

int xl_cfg_check_devices(const struct xl_cfg *c)
{
	int ret = check_memory(c);

	for (size_t i = 0; i < c->ndisks && !ret; i++)
		ret = xl_disk_check_host(&c->disks[i]);
	for (size_t i = 0; i < c->nvifs && !ret; i++)
		ret = xl_vif_check_host(&c->vifs[i]);
	return ret;
}
