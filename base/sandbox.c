// SPDX-License-Identifier: GPL-2.0-or-later
// base/sandbox.c - give up what a process does not need once it serves.
#include "base/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* More than any kernel has; the first that does not exist ends the loop. */
#define MAX_CAPS 64

/* With all capabilities still, and they go with it if the id is not root's. */
static int become(const struct sandbox_user *u)
{
	if (setgroups(0, NULL) || setresgid(u->gid, u->gid, u->gid) ||
	    setresuid(u->uid, u->uid, u->uid))
		return -errno;
	return 0;
}

static int enter(const struct sandbox_user *u)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {
		{ .effective = 0 }
	};
	int ret;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	/* Without CAP_SETPCAP there is nothing in the way that could be used. */
	for (int cap = 0; cap < MAX_CAPS; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			break;
	}
	ret = u ? become(u) : 0;
	if (ret)
		return ret;
	/* Another id would undo the first. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

int sandbox_enter(void)
{
	return enter(NULL);
}

int sandbox_enter_as(const struct sandbox_user *u)
{
	return enter(u);
}

int sandbox_end_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}
