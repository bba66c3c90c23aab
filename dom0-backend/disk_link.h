/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/disk_link.h - how a worker gets connections to its disk's server. */
#ifndef DOM0_BACKEND_DISK_LINK_H
#define DOM0_BACKEND_DISK_LINK_H

#include <stdint.h>

/*
 * How it works
 *
 * A worker has no rights to reach anybody.  Beside it runs sv-blksource, which
 * resolves names, connects, and starts the program that reads an image; the two
 * share a pair of SOCK_SEQPACKET sockets, the link, of which the parent keeps
 * both ends, so that either can be started anew.
 *
 * To ask for a connection the worker sends a &struct disk_link_ask with one end
 * of another such pair, made for this question.  The answer comes on that: a
 * &struct disk_link_answer and, if its error is 0, a connected stream socket.
 * End of file there means that sv-blksource has ended: ask again.  What an
 * earlier worker asked is answered to nobody.
 *
 * A dead worker may have left writes with the server.  One that is done late
 * would overwrite what the guest has written through the next worker, so the
 * first question of a worker is answered only when all of them have ended:
 *
 *  - A qemu-nbd of our own is told to end (SIGTERM), and is waited for: a process
 *    that has ended writes no more.  It does what it has begun, and keeps what it
 *    has answered.  Then it is started anew.
 *  - Of a connection to any other server sv-blksource has kept a descriptor, so
 *    that it did not end with the worker.  Its sending half is shut now, and it
 *    is read until the server closes it.  That proves as much as the server is
 *    true to the protocol, which wants all requests to have ended by then: nbdkit
 *    is; a remote qemu-nbd is not, and hangs up before it has ended them.
 *
 * While that takes, the answer is an error, and the worker asks again.  Those that
 * live shut down (shutdown(2)) what they give up, for they are not alone with it.
 */
#define DISK_LINK_VERSION 2u
#define DISK_LINK_NAME	  4096u /* longest name of an export in NBD */
#define DISK_LINK_WHY	  200u

/**
 * struct disk_link_ask - A question; comes with one descriptor.
 * @first: The worker has no connection yet.
 */
struct disk_link_ask {
	uint32_t version;
	uint32_t first;
};

/**
 * struct disk_link_answer - Its answer.
 * @error:   0, or an errno: nothing was to be had.
 * @timeout: Seconds after which operations fail while there is no connection; 0
 *           if they wait.
 * @name:    Of the export.
 * @why:     For the log, if @error.
 */
struct disk_link_answer {
	int32_t error;
	uint32_t timeout;
	char name[DISK_LINK_NAME + 1];
	char why[DISK_LINK_WHY];
};

#endif
