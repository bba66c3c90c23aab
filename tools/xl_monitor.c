// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_monitor.c - what happens when a domain has shut down.
#include "tools/xl_monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/sched.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "tools/xl_dump.h"
#include "tools/xl_proc.h"
#include "tools/xl_run.h"
#include "tools/xl_tree.h"

#define DETACH_TIMEOUT_MS 10000
#define MIN_LIFE_NS	  1000000000u

enum xl_action xl_monitor_action(const struct xl_cfg *c, unsigned int reason)
{
	static const enum xl_event events[] = {
		[SHUTDOWN_poweroff] = XL_ON_POWEROFF,
		[SHUTDOWN_reboot] = XL_ON_REBOOT,
		[SHUTDOWN_crash] = XL_ON_CRASH,
		[SHUTDOWN_watchdog] = XL_ON_WATCHDOG,
		[SHUTDOWN_soft_reset] = XL_ON_SOFT_RESET,
	};

	if (reason == SHUTDOWN_suspend)
		return XL_ACTION_PRESERVE;
	if (reason >= ARRAY_SIZE(events))
		return c->on[XL_ON_CRASH];
	return c->on[events[reason]];
}

/* Whoever has suspended a domain will resume or destroy it. */
static void tell(const struct dom_msg *msg)
{
	if (msg->type == DOM_EV_SHUTDOWN)
		log_info("Domain %u has suspended", msg->u.info.domid);
	else if (msg->type == DOM_EV_RESUMED)
		log_info("Domain %u has been resumed", msg->u.info.domid);
}

/* Wait for the guest's shutdown; -EPIPE if the VMM has gone. */
static int wait_shutdown(struct dom *dom, unsigned int *reason)
{
	struct pollfd pfd = { .fd = dom_fd(dom), .events = POLLIN };
	struct dom_msg msg;
	int ret;

	for (;;) {
		ret = dom_event(dom, &msg);
		if (ret < 0)
			return ret;
		if (ret && msg.type == DOM_EV_SHUTDOWN &&
		    msg.u.info.reason != SHUTDOWN_suspend) {
			*reason = msg.u.info.reason;
			return 0;
		}
		if (ret)
			tell(&msg);
		if (ret)
			continue;
		if (xl_poll(&pfd, 1, -1) < 0 && errno != EINTR)
			return -errno;
		if (xl_interrupted())
			return -EINTR;
	}
}

/* ---- Actions -------------------------------------------------------------- */

/* 1: somebody else has ended it, or wants its end. */
static int destroy(struct xl_built *b)
{
	int ret;

	/* The VMM's end must not be seen as an event of its own. */
	dom_free(b->dom);
	b->dom = NULL;
	ret = xl_teardown_mine(b->domid, b->owner);
	xl_built_close(b);
	return ret;
}

static int restart(const struct xl_cfg *c, const char *text, struct xl_built *b)
{
	struct dom_msg msg = { .type = DOM_UNPAUSE };
	int ret;

	ret = xl_build(c, text, b);
	if (ret)
		return ret;
	ret = dom_call(b->dom, &msg, NULL, NULL);
	if (ret) {
		log_err("Domain %u cannot be started: %s", b->domid,
			strerror(-ret));
		if (destroy(b) < 0)
			log_err("Domain %u cannot be removed", b->domid);
	}
	return ret;
}

/* Another name and UUID for a domain that is kept beside its successor. */
struct rename {
	unsigned int domid;
	char name[XL_NAME_SIZE];
	char uuid[XL_UUID_LEN];
};

static void fill_rename(struct xl_txn *x, void *arg)
{
	struct rename *r = arg;

	xl_tree_identity(x, r->domid, r->name, r->uuid);
}

static int rename_away(const struct xl_cfg *c, unsigned int domid)
{
	struct rename r = { .domid = domid };
	struct xs_handle *h;
	uint8_t uuid[16];
	time_t now = time(NULL);
	char stamp[32];
	struct tm tm;
	int ret;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	snprintf(r.name, sizeof(r.name), "%s-%s", c->name, stamp);
	if (getrandom(uuid, sizeof(uuid), 0) != (ssize_t)sizeof(uuid))
		return -EIO;
	xl_uuid_format(r.uuid, uuid);
	ret = xl_store_open(&h);
	if (ret)
		return ret;
	/* Its successor needs the disks. */
	xl_tree_detach(h, domid, DETACH_TIMEOUT_MS);
	ret = xl_run_rename(domid, r.name);
	if (!ret)
		ret = xl_txn_run(h, fill_rename, &r);
	xs_close(h);
	if (ret)
		log_err("Domain %u cannot be renamed to %s: %s", domid, r.name,
			strerror(-ret));
	else
		log_info("Domain %u is kept as %s", domid, r.name);
	return ret;
}

/* What cannot be kept keeps nobody from the rest. */
static void dump(const struct xl_cfg *c, unsigned int domid)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", paths_dump(), c->name) >=
	    (int)sizeof(path))
		return;
	if (paths_mkdir(paths_dump()))
		log_err("%s: cannot be made", paths_dump());
	else if (!xl_dump(domid, path))
		log_info("Domain %u: its core is %s", domid, path);
}

/* 1: a domain that runs is in @b; 0: nothing is left to look after; or -errno. */
static int act(const struct xl_cfg *c, const char *text, struct xl_built *b,
	       enum xl_action action)
{
	int ret;

	switch (action) {
	case XL_ACTION_PRESERVE:
		log_info("Domain %u is preserved", b->domid);
		return 0;
	case XL_ACTION_RENAME_RESTART:
		ret = rename_away(c, b->domid);
		xl_built_close(b);
		break;
	case XL_ACTION_COREDUMP_DESTROY:
	case XL_ACTION_COREDUMP_RESTART:
		dump(c, b->domid);
		ret = destroy(b);
		break;
	case XL_ACTION_SOFT_RESET:
		if (!xl_build_reset(c, b)) {
			log_info("Domain %u has been reset", b->domid);
			return 1;
		}
		log_info("Domain %u is restarted instead", b->domid);
		ret = destroy(b);
		break;
	default:
		ret = destroy(b);
		break;
	}
	if (ret < 0 || action == XL_ACTION_DESTROY ||
	    action == XL_ACTION_COREDUMP_DESTROY)
		return MIN(ret, 0);
	if (ret) {
		log_info("Domain %u has been destroyed", b->domid);
		return 0;
	}
	log_info("Done. Rebooting now");
	ret = restart(c, text, b);
	return ret ? ret : 1;
}

/* A configuration, the monitor's own. */
struct plan {
	struct xl_cfg *c;
	char *text;
};

/* Devices may have come and gone since; @p stays what it is if that fails. */
static void learn(struct plan *p, unsigned int domid)
{
	struct xl_cfg c;
	char *text;

	if (xl_build_kept(domid, &text, &c)) {
		free(text);
		return;
	}
	xl_cfg_free(p->c);
	free(p->text);
	*p->c = c;
	p->text = text;
}

/* One life of the domain; as act(). */
static int live(struct plan *p, struct xl_built *b)
{
	struct xl_cfg *c = p->c;
	uint64_t since = util_clock_ns();
	enum xl_action action;
	unsigned int reason = 0;
	int ret;

	log_info("Waiting for domain %s (domid %u) to die [pid %d]", c->name,
		 b->domid, (int)getpid());
	ret = wait_shutdown(b->dom, &reason);
	if (ret == -EINTR)
		return 0;
	if (ret) {
		log_info("Domain %u has been destroyed", b->domid);
		return MIN(destroy(b), 0);
	}
	action = xl_monitor_action(c, reason);
	log_info("Domain %u has shut down, reason code %u 0x%x (%s)", b->domid,
		 reason, reason, dom_reason_name(reason));
	log_info("Action for shutdown reason code %u is %s", reason,
		 xl_action_name(action));
	/* A guest that reboots at once, for ever, must not use up the host. */
	if (util_clock_ns() - since < MIN_LIFE_NS)
		sleep(1);
	learn(p, b->domid);
	return act(c, p->text, b, action);
}

int xl_monitor_run(struct xl_cfg *c, const char *text, struct xl_built *b)
{
	struct plan p = { .c = c, .text = strdup(text) };
	int ret = p.text ? 1 : -ENOMEM;

	while (ret > 0)
		ret = live(&p, b);
	free(p.text);
	xl_built_close(b);
	log_info("Done. Exiting now");
	return ret ? 1 : 0;
}

/* ---- The process ---------------------------------------------------------- */

/* The log of the monitor, also for what a restarted VMM says. */
static int open_log(const struct xl_cfg *c)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/xl-%s.log", paths_log(), c->name);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (fd < 0)
		log_err("log '%s': %s", path, strerror(errno));
	return fd < 0 ? -errno : fd;
}

static _Noreturn void run_daemon(struct xl_cfg *c, const char *text,
				 struct xl_built *b, int log)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
		_exit(1);
	fd_close(&null);
	if (paths_run()[0] == '/' && chdir("/") < 0)
		log_warn("chdir: %s", strerror(errno));
	log_to_fd(log);
	log_set_cap(LOG_CAP);
	_exit(xl_monitor_run(c, text, b));
}

int xl_monitor_spawn(struct xl_cfg *c, const char *text, struct xl_built *b,
		     bool session, pid_t *pid)
{
	int log = open_log(c);

	if (log < 0)
		return log;
	fflush(NULL);
	*pid = fork();
	if (*pid == 0) {
		if (session)
			setsid();
		run_daemon(c, text, b, log);
	}
	fd_close(&log);
	if (*pid < 0) {
		int ret = -errno;

		log_err("domain '%s': no process to look after it: %s", c->name,
			strerror(-ret));
		return ret;
	}
	xl_built_close(b);
	return 0;
}
