/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/sock.h - Unix sockets: listen, connect, messages with descriptors. */
#ifndef BASE_SOCK_H
#define BASE_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/util.h"

#define SOCK_MAX_FDS 8

/**
 * sock_listen() - Listen on a Unix socket, replacing a stale one.
 * @path: File system path, mode 0600.
 * @type: SOCK_STREAM or SOCK_SEQPACKET.
 *
 * Return: a non-blocking fd (close-on-exec), -EADDRINUSE if another process
 * answers there, -ENAMETOOLONG, or -errno.
 */
int sock_listen(const char *path, int type) must_check;

/** SOCK_SEND_S - How long a connected socket waits for room, in seconds. */
#define SOCK_SEND_S 2

/**
 * sock_connect() - Connect to a Unix socket.
 *
 * Waits no longer than SOCK_SEND_S for a server that does not accept; nor does
 * any later send.  Both then fail with EAGAIN.
 *
 * Return: a blocking fd, or -errno.
 */
int sock_connect(const char *path, int type) must_check;

/**
 * sock_peer_trusted() - Whether the peer runs as root or as this process.
 *
 * By SO_PEERCRED, as it was when the peer connected.
 */
bool sock_peer_trusted(int fd);

/** sock_peer_is() - Whether the peer ran as that user when it connected. */
bool sock_peer_is(int fd, uid_t uid);

/**
 * sock_send_fds() - Send one message with file descriptors.
 * @fds:  Borrowed; may be NULL when @nfds is 0.
 * @nfds: At most SOCK_MAX_FDS.
 *
 * Return: 0, -EAGAIN when a non-blocking socket is full, or -errno.
 */
int sock_send_fds(int fd, const void *msg, size_t len, const int *fds,
		  size_t nfds) must_check;

/**
 * sock_recv_fds() - Receive one message of exactly @len bytes.
 * @fds:  SOCK_MAX_FDS places; descriptors are *given* to the caller.
 * @nfds: Number received; on every error nothing is left open.
 *
 * Return: 0, -EPIPE at end of file, -EPROTO if the message has another length
 * or was cut, -EMFILE if this process can hold no more descriptors, -EAGAIN, or
 * -errno.
 */
int sock_recv_fds(int fd, void *msg, size_t len, int *fds,
		  size_t *nfds) must_check;

#endif
