/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/disk_nbd.h - a disk that an NBD server holds. */
#ifndef DOM0_BACKEND_DISK_NBD_H
#define DOM0_BACKEND_DISK_NBD_H

#include "dom0-backend/disk.h"

/*
 * How it works
 *
 * A queue has a connection of its own (nbd_conn.h) where the server says that
 * several see the same; otherwise there is one queue.  The queue's thread sleeps
 * in poll() on the connection and the kick.  The parts of an operation are the
 * guest's pages, one command each, since an NBD command has one buffer; libnbd
 * reads from the socket into them and writes out of them.
 *
 * INVARIANT: an operation is in exactly one list: to be sent, sent, or done.
 * When a connection ends, what was sent is to be sent again, whole: the guest has
 * no answer yet, and to do it twice is to do it.  So operations wait for the
 * server to come back, or fail after the time that the disk's address sets.
 * What the server has answered is gone with it if it did not keep it: NBD has
 * flush for that.
 *
 * UNTRUSTED: the server.  It can answer with wrong data, as any disk; its sizes
 * are judged once, and a server that comes back with others is not used.
 */

/** Times in milliseconds that a server has; those in nbd_conn.c besides. */
#define DISK_NBD_START_MS 10000u /* for the first connection */
#define DISK_NBD_HURRY_MS 2000u	 /* for what is under way at the end */

/**
 * disk_nbd_init() - Connect to a server and learn what it has.
 * @link: To sv-blksource, see disk_link.h; *given*, non-blocking.
 * @why:  On failure receives one line.
 *
 * A server that takes only whole blocks of more than 512 bytes has a disk with
 * sectors of 4096.  End it by disk_fini(), also after a failure.
 *
 * Return: 0; -ETIMEDOUT if there is no server; -ENODATA if the disk is empty;
 * -EINVAL if its size is no multiple of its sectors, or its blocks are larger than
 * 4096 bytes; -EFBIG; -ENOMEM.
 */
int disk_nbd_init(struct disk *d, int link, char *why, size_t size) must_check;

#endif
