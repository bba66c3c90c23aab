/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/storeuser.h - the users that the store of a host and its VMMs run as. */
#ifndef BASE_STOREUSER_H
#define BASE_STOREUSER_H

#include <stdbool.h>

#include "base/sandbox.h"
#include "base/util.h"

/*
 * How it works
 *
 * The store alone runs as that user, so whoever has taken it over can signal, trace
 * and read nothing of others.  Its domains' sockets let it in, and as the store
 * only (base/domsock.h).
 *
 * Store and VMMs have to find the same one, each by itself: on the usual run directory
 * the system user STOREUSER_NAME, if there is one.  Else, and on any other run
 * directory, whose store must not be able to trace the first, an id that is computed
 * from the directory's name, in a range that systemd lists as nobody's; in a
 * container that has few ids, one of the fourteen before nobody's.  An id that has the
 * store's files already stays the one.
 *
 * A domain's VMM is the one whose number is greater by the domid than the computed one:
 * no two VMMs of a host are one user.  Where there are not so many ids it stays root.
 */

/** STOREUSER_NAME - Made by the package. */
#define STOREUSER_NAME "splitvisor-store"

/**
 * storeuser_find() - Who that is, after paths_init().
 * @u: This process's own ids, if it is not root, or may not become another.
 */
void storeuser_find(struct sandbox_user *u);

/** storeuser_domain() - Who a domain's VMM is; Return: false if it stays who it is. */
bool storeuser_domain(unsigned int domid, struct sandbox_user *u);

/**
 * storeuser_admit() - Let the store's user connect to <run>/dom/<domid>/hv.sock.
 *
 * By the group: its owner keeps it, and for others nothing changes.  With @u of this
 * process itself nothing does.
 *
 * Return: 0 or -errno.
 */
int storeuser_admit(const char *socket,
		    const struct sandbox_user *u) must_check;

/** storeuser_pass() - Let it pass through a directory, if not everybody may. */
int storeuser_pass(const char *dir, const struct sandbox_user *u) must_check;

#endif
