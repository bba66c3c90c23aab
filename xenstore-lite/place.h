/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/place.h - the directory in which the store has its files. */
#ifndef XENSTORE_LITE_PLACE_H
#define XENSTORE_LITE_PLACE_H

#include "base/sandbox.h"
#include "base/util.h"

/*
 * SOCKET.d is the store's alone: it runs as a user of its own (base/storeuser.h), who
 * can make files nowhere else, and nobody but root can look into it.
 */

/**
 * place_of() - That directory, *borrowed* until asked again.
 *
 * "" for a name that is too long, with which nothing can be opened.
 */
const char *place_of(const char *socket);

/**
 * place_make() - Make it, once; place_file() needs that.
 * @socket: Where the store listens.
 * @user:   Who may have it besides this process's user.
 *
 * Return: 0, -EPERM if it is somebody else's, -ENOTDIR if it is something else, or
 * -errno.
 */
int place_make(const char *socket, const struct sandbox_user *user) must_check;

/**
 * place_file() - A file in it.
 * @buf: PATH_MAX bytes.
 *
 * Return: @buf; "" if that is too long.
 */
char *place_file(char *buf, const char *name);

/** PLACE_JOURNAL, PLACE_LOG - Names of files there. */
#define PLACE_JOURNAL "journal"
#define PLACE_LOG     "access.log"

/**
 * place_adopt() - Have the journal that an older store left beside its socket.
 * @socket: Where that listened.
 *
 * Return: 0, also if there is none, or a newer one; or -errno.
 */
int place_adopt(const char *socket) must_check;

#endif
