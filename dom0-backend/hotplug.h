/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/hotplug.h - one run of a hotplug script of Xen's kind. */
#ifndef DOM0_BACKEND_HOTPLUG_H
#define DOM0_BACKEND_HOTPLUG_H

#include <stddef.h>
#include <sys/types.h>

#include "base/util.h"

/*
 * How it works
 *
 * A script is "SCRIPT online type_if=vif" when an interface is there, and "offline"
 * before it goes, with what libxl's hotplug code puts in the environment: script,
 * XENBUS_TYPE, XENBUS_PATH, XENBUS_BASE_PATH, vif, netdev.  It reads and writes the
 * store by xenstore-read and -write, which find it as we do.
 *
 * A process of ours waits for it, ends it with whatever it has started when it takes
 * longer than HOTPLUG_S seconds, and says how it ended.  It lives on when we die,
 * and holds the interface meanwhile.  What a script that succeeds leaves running
 * (dnsmasq, say) is the script's business.
 */
#define HOTPLUG_S   40u /* as libxl; or $SPLITVISOR_HOTPLUG_S */
#define HOTPLUG_DIR "/etc/xen/scripts"

/**
 * struct hotplug - A run.
 * @pid:  Of the process that waits; 0: there is none.
 * @said: Read end of a pipe: how it ended; -1: there is none.
 */
struct hotplug {
	pid_t pid;
	int said;
};

#define HOTPLUG_INIT       \
	{                  \
		.said = -1 \
	}

/**
 * struct hotplug_run - What to run.
 * @script:  Path.
 * @action:  "online" or "offline".
 * @env:     "NAME=VALUE", @nenv of them, beside our own environment.
 * @fds:     *Borrowed*: kept open till it has ended; @nfds of them.
 */
struct hotplug_run {
	const char *script, *action;
	char *const *env;
	size_t nenv;
	const int *fds;
	size_t nfds;
};

/** hotplug_start() - Begin; Return: 0 or -errno. */
int hotplug_start(struct hotplug *h, const struct hotplug_run *run) must_check;

/**
 * hotplug_ended() - How it went.
 * @err: On failure receives a line: "ended with status 1", say.
 *
 * Return: 0: well; -EINPROGRESS; -ETIMEDOUT; -ECHILD if it failed; or -errno.
 */
int hotplug_ended(struct hotplug *h, char *err, size_t errlen) must_check;

/** hotplug_stop() - End a run that nobody waits for any more, with its children. */
void hotplug_stop(struct hotplug *h);

/** hotplug_leave() - Let it go on by itself. */
void hotplug_leave(struct hotplug *h);

#endif
