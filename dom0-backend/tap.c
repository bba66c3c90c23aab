// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/tap.c - TAP interfaces with several queues and a vnet header.
#include "dom0-backend/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"

/* A call for interfaces has failed: because it is none, but a socket? */
static bool is_wire(void)
{
	return errno == ENOTTY;
}

/* A queue of /dev/net/tun, or of a macvtap interface. */
static int open_queue(const char *path, const char *name, int flags, int *out)
{
	struct ifreq ifr = { 0 };
	int size = sizeof(struct virtio_net_hdr);
	int ret, fd;

	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	ifr.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR |
				IFF_MULTI_QUEUE | flags);
	if (ioctl(fd, TUNSETIFF, &ifr) || ioctl(fd, TUNSETVNETHDRSZ, &size)) {
		ret = -errno;
		close(fd);
		return ret;
	}
	*out = fd;
	return 0;
}

/* @excl: of the first queue. */
static int open_queues(const char *path, const char *name, int excl,
		       unsigned int nqueues, int *fd)
{
	unsigned int n;
	int ret = 0;

	for (n = 0; n < nqueues; n++) {
		ret = open_queue(path, name, n ? 0 : excl, &fd[n]);
		if (ret)
			goto close;
		ret = n ? tap_attach(fd[n], false) : tap_carrier(fd[n], false);
		if (ret) {
			n++;
			goto close;
		}
	}
	return 0;

close:
	while (n--)
		fd_close(&fd[n]);
	return ret;
}

/* IFF_TUN_EXCL: never join what is there already. */
int tap_open(const char *name, unsigned int nqueues, int *fd)
{
	return open_queues("/dev/net/tun", name, (int)IFF_TUN_EXCL, nqueues,
			   fd);
}

int tap_open_macvtap(const char *name, int index, unsigned int nqueues, int *fd)
{
	struct ifreq ifr = { 0 };
	char path[32];
	int ret;

	snprintf(path, sizeof(path), "/dev/tap%d", index);
	ret = open_queues(path, name, 0, nqueues, fd);
	if (ret)
		return ret;
	/* Another network namespace may have an interface of that number. */
	if (!ioctl(fd[0], TUNGETIFF, &ifr) && !strcmp(ifr.ifr_name, name))
		return 0;
	for (unsigned int i = 0; i < nqueues; i++)
		fd_close(&fd[i]);
	return -ENODEV;
}

int tap_join(const char *name, unsigned int nqueues, int *fd)
{
	unsigned int n, index = if_nametoindex(name);
	int ret = index ? 0 : -ENODEV;

	for (n = 0; n < nqueues && !ret; n++) {
		ret = open_queue("/dev/net/tun", name, 0, &fd[n]);
		if (ret)
			break;
		ret = n ? tap_attach(fd[n], false) : 0;
	}
	/* If the others have let go meanwhile, what we have opened is new. */
	if (!ret && if_nametoindex(name) != index)
		ret = -ENODEV;
	while (ret && n)
		fd_close(&fd[--n]);
	return ret;
}

/* SYSCALLS: ioctl:TUNGETIFF ioctl:TUNSETQUEUE */
int tap_attach(int fd, bool on)
{
	struct ifreq ifr = { 0 };

	if (ioctl(fd, TUNGETIFF, &ifr)) /* the interface is gone */
		return is_wire() ? 0 : -errno;
	ifr.ifr_flags = on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE;
	/* The kernel refuses what is so already; not all of them tell. */
	return ioctl(fd, TUNSETQUEUE, &ifr) && errno != EINVAL ? -errno : 0;
}

/* SYSCALLS: ioctl:TUNSETOFFLOAD */
int tap_offload(int fd, const struct net_caps *caps)
{
	unsigned long flags = 0;

	/* A blank checksum of the other family is filled in by the worker. */
	if (caps->csum4 || caps->csum6)
		flags |= TUN_F_CSUM;
	if (caps->tso4)
		flags |= TUN_F_TSO4;
	if (caps->tso6)
		flags |= TUN_F_TSO6;
	return ioctl(fd, TUNSETOFFLOAD, flags) && !is_wire() ? -errno : 0;
}

/* SYSCALLS, at times: poll */
bool tap_gone(int fd)
{
	struct ifreq ifr = { 0 };
	struct pollfd p = { .fd = fd };

	if (!ioctl(fd, TUNGETIFF, &ifr))
		return false;
	if (!is_wire())
		return errno == EBADFD;
	return poll(&p, 1, 0) > 0 && p.revents & POLLHUP;
}

/* SYSCALLS: ioctl:TUNSETCARRIER */
int tap_carrier(int fd, bool on)
{
	int value = on;

	return ioctl(fd, TUNSETCARRIER, &value) && errno != EINVAL && !is_wire()
		       ? -errno
		       : 0;
}
