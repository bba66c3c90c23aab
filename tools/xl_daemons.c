// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_daemons.c - the processes that all domains share.
#include "tools/xl_daemons.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysinfo.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "tools/xl_proc.h"
#include "tools/xl_run.h"
#include "tools/xl_store.h"

#define READY_TIMEOUT_MS 15000
#define LOOK_MS		 1000

/* sv-backend holds a lock on the run directory, whoever has started it. */
static bool backend_runs(void)
{
	int fd = open(paths_run(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool runs = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;

	fd_close(&fd);
	return runs;
}

static void end_daemon(const char *pidfile)
{
	struct xl_proc p;

	if (!xl_proc_load(&p, pidfile) && xl_proc_end(&p, 0))
		log_warn("process %d does not end", (int)p.pid);
}

static int start_daemon(const char *name, const char *option)
{
	char program[PATH_MAX], log[PATH_MAX], pidfile[PATH_MAX];
	const char *argv[] = { program, option, NULL };
	struct xl_start s = { .argv = argv, .log = log, .pidfile = pidfile };
	int ready = -1, ret;

	paths_program(program, name);
	snprintf(log, sizeof(log), "%s/%s.log", paths_log(), name);
	snprintf(pidfile, sizeof(pidfile), "%s/%s.pid", paths_run(), name);
	ret = xl_proc_start(&s, &ready);
	if (!ret)
		ret = xl_proc_wait_ready(&ready, READY_TIMEOUT_MS);
	if (ret == -ETIMEDOUT || ret == -EINTR)
		end_daemon(pidfile);
	if (ret)
		log_err("%s: %s (its log is %s)", program,
			ret == -EPIPE	    ? "ended while starting"
			: ret == -ETIMEDOUT ? "not ready after 15 s"
					    : strerror(-ret),
			log);
	return ret;
}

/* With daemons.lock held. */
static int ensure_store(void)
{
	int ret = xl_store_ping();

	if (ret == -ENOENT || ret == -ECONNREFUSED) {
		ret = start_daemon("sv-xenstored", "--keep");
		if (ret)
			return ret;
		ret = xl_store_ping();
	}
	if (ret)
		log_err("store '%s': not answering: %s (see %s/sv-xenstored.log; if it hangs, end sv-xenstored and try again)",
			paths_store(), strerror(-ret), paths_log());
	return ret;
}

/* What xen-init-dom0 writes on a Xen host. */
static void fill_dom0(struct xl_txn *x, void *arg)
{
	struct sysinfo info = { 0 };
	uint64_t kib;

	(void)arg;
	sysinfo(&info);
	kib = (uint64_t)info.totalram * info.mem_unit / 1024;
	xl_txn_put(x, "1", "/local/domain/0/control/feature-poweroff");
	xl_txn_put(x, "1", "/local/domain/0/control/feature-reboot");
	xl_txn_put(x, "1", "/local/domain/0/control/feature-suspend");
	xl_txn_put(x, "0", "/local/domain/0/domid");
	xl_txn_put(x, "Domain-0", "/local/domain/0/name");
	xl_txn_num(x, kib, "/local/domain/0/memory/target");
	xl_txn_num(x, kib, "/local/domain/0/memory/static-max");
	xl_txn_put(x, "Pool-0", "/local/pool/0/name");
	xl_txn_put(x, "", "/vm");
	xl_txn_put(x, "", "/libxl");
}

static int ensure_dom0(void)
{
	struct xs_handle *h;
	char *name;
	int ret;

	ret = xl_store_open(&h);
	if (ret)
		return ret;
	name = xl_store_get(h, XBT_NULL, "/local/domain/0/name");
	if (!name)
		ret = xl_txn_run(h, fill_dom0, NULL);
	free(name);
	xs_close(h);
	if (ret)
		log_err("store '%s': cannot write the nodes of domain 0: %s",
			paths_store(), strerror(-ret));
	return ret;
}

int xl_daemons_ensure(void)
{
	int lock, ret;

	lock = xl_run_lock("daemons.lock");
	if (lock < 0) {
		log_err("'%s/daemons.lock': %s", paths_run(), strerror(-lock));
		return lock;
	}
	ret = ensure_store();
	if (!ret)
		ret = ensure_dom0();
	if (!ret && !backend_runs())
		ret = start_daemon("sv-backend", NULL);
	fd_close(&lock);
	return ret;
}

int xl_daemons_wait(struct xs_handle *h, const char *path, int timeout_ms,
		    int (*check)(struct xs_handle *h, void *arg), void *arg)
{
	int ret;

	for (; timeout_ms > LOOK_MS; timeout_ms -= LOOK_MS) {
		ret = xl_store_wait(h, path, LOOK_MS, check, arg);
		if (ret != -ETIMEDOUT)
			return ret;
		ret = xl_daemons_ensure();
		if (ret)
			return ret;
	}
	return xl_store_wait(h, path, timeout_ms, check, arg);
}
