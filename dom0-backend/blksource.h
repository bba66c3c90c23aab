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

#define BLKSOURCE_KEPT	  32u
#define BLKSOURCE_WAIT_MS 5000u

/**
 * struct blksource_kept - Connections that were handed out, to see their end.
 * @fd: *Owned*: @n of them, the oldest first.
 */
struct blksource_kept {
	int fd[BLKSOURCE_KEPT];
	unsigned int n;
};

/**
 * blksource_keep() - Keep a connection, and forget those that both sides have shut.
 * @fd: *Borrowed*.
 *
 * Return: 0; -EMFILE if there are too many; or -errno.
 */
int blksource_keep(struct blksource_kept *k, int fd) must_check;

/**
 * blksource_settle() - Wait until servers have ended what was asked of them.
 *
 * On all that was kept, BLKSOURCE_WAIT_MS at most; see disk_link.h.
 *
 * Return: 0, and nothing is kept any more; or -EAGAIN.
 */
int blksource_settle(struct blksource_kept *k) must_check;

/**
 * struct blksource_ops - What is done for a worker; each with @arg.
 * @connect: Make a connection: a socket, *given*, or -errno and why.
 * @settle:  End what earlier workers have under way: 0, or -errno and why.
 */
struct blksource_ops {
	int (*connect)(void *arg, char *why, size_t size);
	int (*settle)(void *arg, char *why, size_t size);
};

/**
 * blksource_answer() - Take one question from a worker's link and answer it.
 * @link: See disk_link.h.
 * @uri:  Its name and timeout are for the answer.
 * @arg:  For @ops.
 *
 * Return: 0, also if whoever asked is gone; -EPIPE when nobody can ask any more;
 * -errno.
 */
int blksource_answer(int link, const struct nbd_uri *uri,
		     const struct blksource_ops *ops, void *arg) must_check;

#endif
