/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/blksource.h - connections to what holds a disk. */
#ifndef DOM0_BACKEND_BLKSOURCE_H
#define DOM0_BACKEND_BLKSOURCE_H

#include <stddef.h>

#include "base/util.h"
#include "dom0-backend/nbd_uri.h"

/**
 * blksource_connect() - Connect to a server.
 * @uri: Where it is.
 * @why: On failure receives the reason.
 *
 * Takes as long as names take to be resolved, and 5 s for each address.
 *
 * Return: a stream socket or -errno.
 */
int blksource_connect(const struct nbd_uri *uri, char *why,
		      size_t size) must_check;

/**
 * blksource_answer() - Take one question from a worker's link and answer it.
 * @link:    See disk_link.h.
 * @uri:     Its name and timeout are for the answer.
 * @connect: Makes a connection: a socket, *given*, or -errno and why.
 * @arg:     For @connect.
 *
 * Return: 0, also if whoever asked is gone; -EPIPE when nobody can ask any more;
 * -errno.
 */
int blksource_answer(int link, const struct nbd_uri *uri,
		     int (*connect)(void *arg, char *why, size_t size),
		     void *arg) must_check;

#endif
