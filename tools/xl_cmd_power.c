// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_power.c - xl shutdown, reboot, destroy, pause, suspend and back.
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/sched.h>

#include "base/log.h"
#include "tools/xl_build.h"
#include "tools/xl_cmd.h"
#include "tools/xl_run.h"
#include "tools/xl_proc.h"
#include "tools/xl_store.h"
#include "tools/xl_suspend.h"

/* What `xl shutdown` and `xl reboot` differ in. */
struct power {
	const char *word;    /* for control/shutdown */
	const char *doing;   /* "Shutting down" */
	const char *feature; /* the guest's node that says that it can */
};

static const struct power poweroff = { "poweroff", "Shutting down",
				       "feature-poweroff" };
static const struct power reboot = { "reboot", "Rebooting", "feature-reboot" };

static int ask_guest(struct xs_handle *h, unsigned int domid,
		     const struct power *p)
{
	char path[64];

	fprintf(stderr, "%s domain %u\n", p->doing, domid);
	if (xl_store_number(h, 0, "/local/domain/%u/control/%s", domid,
			    p->feature) != 1) {
		log_err("PV control interface not available: domain %u has not said that it can be asked (is it up? `xl destroy %u` ends it at once)",
			domid, domid);
		return -EOPNOTSUPP;
	}
	snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown",
		 domid);
	if (xs_write(h, XBT_NULL, path, p->word, (unsigned int)strlen(p->word)))
		return 0;
	log_err("domain %u: cannot be asked: %s", domid, strerror(errno));
	return -EIO;
}

/* ---- Waiting -------------------------------------------------------------- */

/* A domain that is waited for; dom is NULL when that is over. */
struct awaited {
	unsigned int domid;
	struct dom *dom;
};

static void begin_wait(struct awaited *a)
{
	if (dom_connect(&a->dom, a->domid, DOM_ROLE_ADMIN, NULL, true))
		a->dom = NULL;
}

static void look(struct awaited *a)
{
	struct dom_msg msg;
	int ret;

	while (a->dom && (ret = dom_event(a->dom, &msg)) != 0) {
		/* Who is only suspended has not done what he was asked. */
		if (ret > 0 && (msg.type != DOM_EV_SHUTDOWN ||
				msg.u.info.reason == SHUTDOWN_suspend))
			continue;
		if (ret > 0)
			fprintf(stderr,
				"Domain %u has been shut down, reason code %u\n",
				a->domid, msg.u.info.reason);
		else
			fprintf(stderr, "Domain %u has been destroyed\n",
				a->domid);
		dom_free(a->dom);
		a->dom = NULL;
	}
}

static void wait_all(struct awaited *list, size_t n)
{
	struct pollfd *p = calloc(n, sizeof(*p));
	size_t left = n;

	fprintf(stderr, "Waiting for %zu domains\n", n);
	while (p && left) {
		left = 0;
		for (size_t i = 0; i < n; i++) {
			look(&list[i]);
			p[i].fd = list[i].dom ? dom_fd(list[i].dom) : -1;
			p[i].events = POLLIN;
			left += list[i].dom != NULL;
		}
		if (left && poll(p, n, -1) < 0 && errno != EINTR)
			break;
	}
	free(p);
}

/* ---- The verbs ------------------------------------------------------------ */

static int signal_doms(const struct power *p, const struct xl_dom *doms,
		       size_t n, bool wait)
{
	struct awaited *list = calloc(n ? n : 1, sizeof(*list));
	struct xs_handle *h;
	size_t asked = 0;
	int status = 0;

	if (!list || xl_store_open(&h)) {
		free(list);
		return XL_EXIT_FAIL;
	}
	for (size_t i = 0; i < n; i++) {
		struct awaited *a = &list[asked];

		a->domid = doms[i].domid;
		if (wait)
			begin_wait(a);
		if (!ask_guest(h, a->domid, p)) {
			asked++;
			continue;
		}
		dom_free(a->dom);
		a->dom = NULL;
		status = XL_EXIT_FAIL;
	}
	xs_close(h);
	if (wait && asked)
		wait_all(list, asked);
	free(list);
	return status;
}

static int signal_verb(const struct power *p, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "wait", no_argument, NULL, 'w' },
		{ 0 },
	};
	bool all = false, wait = false;
	struct xl_dom one, *doms;
	int opt, status = 0;
	size_t n;

	while ((opt = xl_getopt(argc, argv, "awF", longs, 0, &status)) > 0) {
		all |= opt == 'a';
		wait |= opt == 'w';
	}
	if (!opt)
		return status;
	if (all == (optind < argc)) {
		fprintf(stderr,
			"xl %s: name one domain, or use -a for all of them\n",
			argv[0]);
		return XL_EXIT_FAIL;
	}
	if (!all) {
		if (xl_find_domain(argv[optind], &one.domid))
			return XL_EXIT_FAIL;
		if (!one.domid) {
			fprintf(stderr, "xl %s: domain 0 is this host\n",
				argv[0]);
			return XL_EXIT_FAIL;
		}
		return signal_doms(p, &one, 1, wait);
	}
	if (xl_run_list(&doms, &n))
		return XL_EXIT_FAIL;
	status = n ? signal_doms(p, doms, n, wait) : 0;
	free(doms);
	return status;
}

int xl_cmd_shutdown(int argc, char **argv)
{
	return signal_verb(&poweroff, argc, argv);
}

int xl_cmd_reboot(int argc, char **argv)
{
	return signal_verb(&reboot, argc, argv);
}

int xl_cmd_destroy(int argc, char **argv)
{
	unsigned int domid;
	int opt, status = 0, ret;

	while ((opt = xl_getopt(argc, argv, "f", NULL, 1, &status)) > 0)
		;
	if (!opt)
		return status;
	if (xl_find_domain(argv[optind], &domid))
		return XL_EXIT_FAIL;
	if (!domid) {
		fprintf(stderr, "Not destroying domain 0: it is this host.\n");
		return XL_EXIT_FAIL;
	}
	ret = xl_run_doom(domid);
	if (ret) {
		log_err("domain %u: %s", domid,
			ret == -ENOENT ? "has ended by itself just now"
				       : strerror(-ret));
		return XL_EXIT_FAIL;
	}
	return xl_teardown(domid) ? XL_EXIT_FAIL : 0;
}

/* The one domain that the arguments name; false: end with *@status. */
static bool one_domain(int argc, char **argv, unsigned int *domid, int *status)
{
	*status = 0;
	if (!xl_no_options(argc, argv, 1, status))
		return false;
	*status = XL_EXIT_FAIL;
	if (xl_find_domain(argv[optind], domid))
		return false;
	if (!*domid)
		fprintf(stderr, "xl %s: domain 0 is this host\n", argv[0]);
	return *domid;
}

static int call_verb(int argc, char **argv, enum dom_msg_type type)
{
	unsigned int domid;
	int status, ret;

	if (!one_domain(argc, argv, &domid, &status))
		return status;
	ret = xl_call(domid, type);
	if (ret == -EINVAL && type == DOM_RESUME)
		log_err("domain %u is not suspended", domid);
	else if (ret)
		log_err("domain %u: its VMM does not %s it: %s", domid, argv[0],
			strerror(-ret));
	return ret ? XL_EXIT_FAIL : 0;
}

int xl_cmd_pause(int argc, char **argv)
{
	return call_verb(argc, argv, DOM_PAUSE);
}

int xl_cmd_unpause(int argc, char **argv)
{
	return call_verb(argc, argv, DOM_UNPAUSE);
}

int xl_cmd_suspend(int argc, char **argv)
{
	unsigned int domid;
	int status;

	if (!one_domain(argc, argv, &domid, &status))
		return status;
	xl_catch_interrupts();
	return xl_suspend(domid, XL_SUSPEND_MS) ? XL_EXIT_FAIL : 0;
}

int xl_cmd_resume(int argc, char **argv)
{
	return call_verb(argc, argv, DOM_RESUME);
}
