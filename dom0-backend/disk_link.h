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
 */
#define DISK_LINK_VERSION 1u
#define DISK_LINK_NAME	  4096u /* longest name of an export in NBD */
#define DISK_LINK_WHY	  200u

/** struct disk_link_ask - A question; comes with one descriptor. */
struct disk_link_ask {
	uint32_t version;
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
