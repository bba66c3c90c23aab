/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/xenbus.h - the guest's connection to the store. */
#ifndef GUEST_FRONTEND_XENBUS_H
#define GUEST_FRONTEND_XENBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/io/xs_wire.h>

/*
 * How it works
 *
 * One call at a time: a request goes out, and what comes in is taken until its
 * answer is there.  Watch events that come in between are kept for
 * xenbus_next_watch().  Paths are given as printf() does; they are the guest's
 * own ("device/vbd") or whole.  Errors are the store's, as -XEN_E*; -XEN_EIO
 * also means that it has broken the protocol.
 */
#define XENBUS_PATH_MAX	 3072u
#define XENBUS_TOKEN_MAX 64u

/** XENBUS_NO_TXN - Outside of any transaction. */
#define XENBUS_NO_TXN 0u

#define XENBUS_FMT_(n) __attribute__((format(printf, n, n + 1)))

/** xenbus_init() - Connect, by the ring that the domain was made with. */
int xenbus_init(void);

/**
 * xenbus_call() - Make one request as it stands.
 * @type:    XS_*.
 * @payload: @len bytes; not interpreted.
 * @reply:   Receives at most @size - 1 bytes and a NUL.
 *
 * Return: bytes of the reply, which may be more than @size; or -XEN_E*.
 */
int xenbus_call(enum xsd_sockmsg_type type, uint32_t txn, const void *payload,
		size_t len, char *reply, size_t size);

/** xenbus_read() - Read a node.  Return: as xenbus_call(). */
int xenbus_read(uint32_t txn, char *value, size_t size, const char *fmt, ...)
	XENBUS_FMT_(4);

/**
 * xenbus_read_u64() - Read a node that holds a decimal number.
 * @max: -XEN_ERANGE if it is larger, -XEN_EINVAL if it is none.
 */
int xenbus_read_u64(uint32_t txn, uint64_t max, uint64_t *value,
		    const char *fmt, ...) XENBUS_FMT_(4);

/** xenbus_write() - Write a node, making those above it. */
int xenbus_write(uint32_t txn, const char *value, const char *fmt, ...)
	XENBUS_FMT_(3);

/** xenbus_write_u64() - Write a decimal number. */
int xenbus_write_u64(uint32_t txn, uint64_t value, const char *fmt, ...)
	XENBUS_FMT_(3);

/** xenbus_rm() - Remove a node with all below it. */
int xenbus_rm(uint32_t txn, const char *fmt, ...) XENBUS_FMT_(2);

/**
 * xenbus_list() - Names of a node's children, each with its NUL, in @names.
 *
 * Return: bytes of all names, or -XEN_E*.
 */
int xenbus_list(uint32_t txn, char *names, size_t size, const char *fmt, ...)
	XENBUS_FMT_(4);

/** xenbus_begin() - Begin a transaction. */
int xenbus_begin(uint32_t *txn);

/**
 * xenbus_end() - End it.
 * @commit: Else everything done in it is forgotten.
 *
 * Return: 0; -XEN_EAGAIN if somebody was faster: begin anew.
 */
int xenbus_end(uint32_t txn, bool commit);

/** xenbus_watch(), xenbus_unwatch() - Be told of changes; @token comes along. */
int xenbus_watch(const char *token, const char *fmt, ...) XENBUS_FMT_(2);
int xenbus_unwatch(const char *token, const char *fmt, ...) XENBUS_FMT_(2);

/**
 * xenbus_next_watch() - Take the next watch event.
 * @path:  Receives what changed, cut to @size.
 * @token: Receives the watch's token.
 * @ns:    Wait at most this long.
 *
 * Return: 1 if there was one, 0 if not; -XEN_EOVERFLOW once, if more came than
 * are kept: look at everything.  Or -XEN_E* if the connection is broken.
 */
int xenbus_next_watch(char *path, size_t size, char token[XENBUS_TOKEN_MAX],
		      uint64_t ns);

#endif
