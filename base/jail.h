/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/jail.h - what a process that serves peers can still do. */
#ifndef BASE_JAIL_H
#define BASE_JAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sandbox.h"
#include "base/util.h"

/*
 * How it works
 *
 * A daemon opens what it needs, then enters its jail, in which it stays: without
 * any capability, with namespaces of its own, a root directory that holds the named
 * directories and nothing else, and the system calls that its sources name.
 *
 * Each source says in a comment beside the code which calls that makes,
 *
 *	SYSCALLS: openat rename newfstatat/fstat
 *
 * and the build makes a program's list of the files that it is made of
 * (base/syscalls.awk).  A '/' is between names of which each C library uses one;
 * ioctl:BLKGETSIZE64 is that request alone, and openat:O_WRONLY that access alone, where
 * who wants to read finds no file.
 * "SYSCALLS, at times:" names what is not missed one by one in a test.  What a
 * library tries and can do without is in "SYSCALLS, refused:", and gets ENOENT.
 * Any other call ends the process by SIGSYS; the log has its name.
 *
 * Of some calls only a part is left: memory is never made executable, what is
 * cloned is a thread, sockets are Unix ones, signals are for the process itself,
 * no descriptor is told to send one, and a thread says of itself its name.
 *
 * A daemon of root's becomes another user if it says so, and is root no more for
 * anybody; its directory is that user's then, with all files.  Otherwise the id stays: a
 * peer trusts whom it trusted before (sock_peer_trusted()).  Without capabilities, and
 * with no other file, root's id gives no power but over those.
 */

/**
 * struct jail_dir - A directory to keep, under its own name.
 * @path: Must be there; a later entry may be inside an earlier one.
 * @keep_out: Nothing in it can be made, changed or removed; sockets can be used.
 * @hide: It is inside an earlier one, and empty from now on.
 * @own: It is the user's, and so are the files in it, if there is one.
 * @spare: Nothing is missing if the user cannot get there.
 */
struct jail_dir {
	const char *path;
	bool keep_out;
	bool hide;
	bool own;
	bool spare;
};

#define JAIL_DIRS 4

/**
 * struct jail_call - A system call that may be made.
 * @nr:      Its number.
 * @refused: It gets ENOENT for an answer.
 * @request: Of an ioctl, the only one; of openat, O_WRONLY or O_RDWR; 0 for any.
 */
struct jail_call {
	int nr;
	bool refused;
	unsigned long request;
};

/**
 * struct jail - What is left.
 * @dirs:  At most JAIL_DIRS.  Without any, files and networks stay in sight.
 * @calls: Those with SYS_io_uring_setup keep the limit of locked memory, which older
 *         kernels count rings to; those with SYS_clone the limit of threads.
 * @user:  Whom to become, as root; NULL for nobody else.
 */
struct jail {
	const struct jail_dir *dirs;
	size_t ndirs;
	const struct jail_call *calls;
	size_t ncalls;
	const struct sandbox_user *user;
};

/* Of this program, by its build; only for programs that have them there. */
extern const struct jail_call jail_calls[];
extern const size_t jail_ncalls;

/**
 * jail_enter() - Once, when all is open and before threads start.
 *
 * Not root, or in a container, where a namespace cannot be had: one line says so,
 * and the rest holds.  Where the user could not get to the directories then, one more
 * line says so, and it stays root.  A user who is not root has a user namespace of its own then,
 * in which every other user is unknown, also root.
 *
 * Return: 0, or -errno: nothing can be relied on; the process has to end.
 */
int jail_enter(const struct jail *j) must_check;

#endif
