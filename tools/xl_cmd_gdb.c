// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_gdb.c - xl gdb.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/domsock.h"
#include "base/fd.h"
#include "base/log.h"
#include "tools/gdb.h"
#include "tools/xl_cmd.h"

static int call(void *arg, struct dom_msg *msg)
{
	return dom_call(arg, msg, NULL, NULL);
}

static int event(void *arg, struct dom_msg *msg)
{
	return dom_event(arg, msg);
}

static int send_out(void *arg, const void *buf, size_t len)
{
	(void)arg;
	return fd_write_all(STDOUT_FILENO, buf, len);
}

static const struct gdb_ops ops = { call, event, send_out };

/* Return: 0; 1 if GDB has left; or -errno. */
static int forward(struct gdb *g)
{
	char buf[4096];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	return n ? gdb_take(g, buf, (size_t)n) : 1;
}

static int serve(struct dom *dom, struct gdb *g)
{
	struct pollfd p[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = dom_fd(dom), .events = POLLIN },
	};
	int ret = 0;

	while (!ret) {
		/* What came with an answer has been taken from the socket. */
		ret = gdb_events(g);
		if (ret || (poll(p, 2, -1) < 0 && errno == EINTR))
			continue;
		if (p[0].revents)
			ret = forward(g);
	}
	return ret;
}

static int debug(unsigned int domid)
{
	struct dom_info info = { .domid = domid };
	struct dom *dom;
	struct gdb g;
	int ret = dom_connect(&dom, domid, DOM_ROLE_ADMIN, NULL, true);

	if (ret)
		return ret;
	ret = dom_info(dom, &info);
	if (!ret)
		ret = gdb_begin(&g, &ops, dom, info.vcpus_max);
	if (!ret)
		ret = serve(dom, &g);
	/* With the connection ends all that it has done to the domain. */
	dom_free(dom);
	return ret < 0 ? ret : 0;
}

int xl_cmd_gdb(int argc, char **argv)
{
	int opt, ret, status = 0;
	unsigned int domid;

	while ((opt = xl_getopt(argc, argv, "", NULL, 1, &status)) > 0)
		;
	if (!opt)
		return status;
	if (xl_find_domain(argv[optind], &domid))
		return XL_EXIT_FAIL;
	if (!domid) {
		fprintf(stderr, "xl gdb: domain 0 is this host\n");
		return XL_EXIT_FAIL;
	}
	/* GDB has a byte for it. */
	if (!isatty(STDIN_FILENO))
		signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	ret = debug(domid);
	if (ret == -ENOSYS)
		log_err("domain %u has no vCPUs to be debugged (a process plays the guest)",
			domid);
	else if (ret == -EBUSY)
		log_err("domain %u has a debugger; there can be but one",
			domid);
	else if (ret == -EPIPE)
		log_info("domain %u is gone", domid);
	else if (ret)
		log_err("domain %u: %s", domid, strerror(-ret));
	return ret && ret != -EPIPE ? XL_EXIT_FAIL : 0;
}
