// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/netns.c - a network namespace of the test's own.
#include "tests/lib/netns.h"

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void write_file(const char *path, const char *fmt, unsigned int id)
{
	FILE *f = fopen(path, "we");

	if (!f || fprintf(f, fmt, id) < 0 || fclose(f)) {
		perror(path);
		abort();
	}
}

void netns_enter(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	unsigned int uid = geteuid(), gid = getegid();
	int fd;

	if (unshare(CLONE_NEWNET | (uid ? CLONE_NEWUSER : 0))) {
		perror("network namespace");
		abort();
	}
	if (uid) {
		write_file("/proc/self/setgroups", "deny", 0);
		write_file("/proc/self/uid_map", "0 %u 1", uid);
		write_file("/proc/self/gid_map", "0 %u 1", gid);
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr)) {
		perror("loopback");
		abort();
	}
	close(fd);
}
