/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/nbdbed.h - NBD servers for tests, and a disk that is on one. */
#ifndef TESTS_LIB_NBDBED_H
#define TESTS_LIB_NBDBED_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "dom0-backend/blksource.h"
#include "dom0-backend/disk_nbd.h"
#include "dom0-backend/nbd_uri.h"

/**
 * struct nbdbed - A socket, what serves there, and a link for a worker.
 * @dir:  A directory of the test's own, with the socket "sock" in it.
 * @uri:  Of that; a test may set its timeout.
 * @pid:  Of nbdkit; 0 if it does not run.
 * @link: The worker's end; disk_nbd_init() takes it.
 */
struct nbdbed {
	char dir[32];
	struct nbd_uri uri;
	pid_t pid;
	int link;
	int source;
	struct blksource_kept kept;
	pthread_t thread;
};

/** nbdbed_init() - Make the directory, and answer questions on the link. */
void nbdbed_init(struct nbdbed *b);

/** nbdbed_use_tcp() - Be at a free port of the loopback interface instead. */
void nbdbed_use_tcp(struct nbdbed *b);

/** nbdbed_fini() - End all of it; the worker's end has been closed. */
void nbdbed_fini(struct nbdbed *b);

/**
 * nbdbed_start() - Start nbdkit there and wait until it listens.
 * @args: Filters, plugin and its parameters, by blanks.
 */
void nbdbed_start(struct nbdbed *b, const char *args);

/** nbdbed_stop() - End it, with no time to say a word. */
void nbdbed_stop(struct nbdbed *b);

/**
 * struct nbdlie - A server that is none: what it sends in place of NBD.
 * @size, @flags: Its greeting (NBD's "oldstyle").
 * @greeting: Bytes of that it sends; fewer than 152 cut it.
 * @reply:    Its answer to each request of 28 bytes, with the request's cookie
 *            put in at byte 8; @len bytes.
 * @junk:     Bytes of 0x5a that follow each answer.
 * @hangup:   Close after each answer.
 */
struct nbdlie {
	char name[40];
	uint64_t size;
	uint32_t flags;
	size_t greeting;
	uint8_t reply[16];
	size_t len, junk;
	bool hangup;
};

/** nbdbed_lie() - Serve lies at the socket till nbdbed_stop(), in a process. */
void nbdbed_lie(struct nbdbed *b, const struct nbdlie *lie);

#endif
