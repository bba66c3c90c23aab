// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_dump.c - a domain's memory and registers into a file.
#include "tools/xl_dump.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/domsock.h"
#include "base/fd.h"
#include "base/log.h"

static int ask(unsigned int domid, int fd)
{
	struct dom *dom;
	int ret;

	/* As long as it takes: it is the guest's memory that is written. */
	dom_set_timeout(-1);
	ret = dom_connect(&dom, domid, DOM_ROLE_ADMIN, NULL, false);
	if (ret)
		return ret;
	ret = dom_dump(dom, fd);
	dom_free(dom);
	return ret;
}

int xl_dump(unsigned int domid, const char *path)
{
	char part[PATH_MAX];
	int fd = fd_part(path, part), ret;

	if (fd < 0) {
		log_err("%s: %s", part, strerror(-fd));
		return fd;
	}
	ret = ask(domid, fd);
	if (!ret && rename(part, path) < 0)
		ret = -errno;
	fd_close(&fd);
	if (!ret)
		return 0;
	unlink(part);
	if (ret == -ENOSYS)
		log_err("domain %u has no vCPUs to be dumped (a process plays the guest)",
			domid);
	else
		log_err("domain %u: no core in %s: %s", domid, path,
			strerror(-ret));
	return ret;
}
