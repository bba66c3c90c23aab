/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/sandbox.h - give up what a process does not need once it serves. */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <sys/types.h>

#include "base/util.h"

/**
 * sandbox_enter() - Drop all capabilities for good, of every thread made later.
 *
 * Call it when whatever takes privilege to open is open, and before threads
 * start, for capabilities are each thread's own.  Afterwards no program can be
 * executed with more rights, and no other process of the same user can look into
 * this one's memory, which may be a guest's too.
 *
 * Return: 0 or -errno.
 */
int sandbox_enter(void) must_check;

/** struct sandbox_user - Who a process is to be. */
struct sandbox_user {
	uid_t uid;
	gid_t gid;
};

/** sandbox_enter_as() - The same, and be somebody else from then on; alone, in no group. */
int sandbox_enter_as(const struct sandbox_user *u) must_check;

/**
 * sandbox_end_with() - Get SIGTERM when the parent ends, however it ends.
 * @parent: Who that is, by what it told us; it may have ended already.
 *
 * Return: 0, -ESRCH if our parent is another by now, or -errno.
 */
int sandbox_end_with(pid_t parent) must_check;

#endif
