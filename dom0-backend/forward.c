// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/forward.c - routing on this host, while something of ours needs it.
#include "dom0-backend/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "dom0-backend/nft.h"

#define TABLE "splitvisor_forward"

static const struct {
	const char *path, *add, *list, *del;
} families[] = {
	[FORWARD_IP] = { "/proc/sys/net/ipv4/ip_forward", "add table ip " TABLE,
			 "list table ip " TABLE, "delete table ip " TABLE },
	[FORWARD_IP6] = { "/proc/sys/net/ipv6/conf/all/forwarding",
			  "add table ip6 " TABLE, "list table ip6 " TABLE,
			  "delete table ip6 " TABLE },
};
_Static_assert(ARRAY_SIZE(families) == FORWARD_NFAMILIES, "one each");

/* Return: whether it is on, or -errno. */
static int is_on(const char *path)
{
	char c = '0';
	int ret = 0, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, &c, 1) != 1)
		ret = -errno;
	fd_close(&fd);
	return ret ? ret : c != '0';
}

static int set(const char *path, const char *value)
{
	int ret = 0, fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, 1) != 1)
		ret = -errno;
	fd_close(&fd);
	return ret;
}

int forward_on(struct link_nl *nl, enum forward_family family, char *err,
	       size_t errlen)
{
	const char *path = families[family].path;
	char why[200];
	int ret = is_on(path);

	if (ret == -ENOENT && family == FORWARD_IP6) {
		snprintf(err, errlen, "this host has no IPv6");
		return -EAFNOSUPPORT;
	}
	if (ret > 0)
		return 0;
	if (!ret && family == FORWARD_IP6 && link_has_ra_route(nl)) {
		snprintf(err, errlen,
			 "the host has its own routes from router "
			 "advertisements, which it ignores while it forwards: "
			 "set net.ipv6.conf.all.forwarding=1 and, where they "
			 "come in, accept_ra=2");
		return -EBUSY;
	}
	/* The mark first: a kill in between leaves nothing that is not known. */
	if (!ret) {
		ret = nft_run(families[family].add, why, sizeof(why));
		if (ret) {
			snprintf(err, errlen,
				 "nftables takes no table (%s): does the "
				 "kernel have nf_tables?",
				 why);
			return ret;
		}
		ret = set(path, "1");
	}
	if (ret)
		snprintf(err, errlen, "%s cannot be set to 1: %s", path,
			 strerror(-ret));
	return ret;
}

static int is_user(void *arg, const struct link_info *info)
{
	(void)arg;
	return !strncmp(info->alias, FORWARD_NAT, strlen(FORWARD_NAT)) ||
	       !strncmp(info->alias, FORWARD_ROUTE, strlen(FORWARD_ROUTE));
}

void forward_off(struct link_nl *nl)
{
	if (link_each(nl, is_user, NULL))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (nft_run(families[i].list, NULL, 0))
			continue; /* it was not us */
		if (set(families[i].path, "0") ||
		    nft_run(families[i].del, NULL, 0))
			log_warn("%s is not set back to 0", families[i].path);
	}
}
