/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_store.h - the store as the toolstack uses it. */
#ifndef TOOLS_XL_STORE_H
#define TOOLS_XL_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <xenstore.h>

#include "base/util.h"

/**
 * xl_store_ping() - Whether the store's daemon answers.
 *
 * Return: 0, -ENOENT or -ECONNREFUSED if it does not run, -ETIMEDOUT if it runs
 * but does not answer within 5 s, or -errno.
 */
int xl_store_ping(void) must_check;

#define XL_STORE_REPLY 4097 /* the longest payload, and a NUL */

/**
 * xl_store_talk() - One request, by its own connection.
 * @type: XS_* of base/xs_wire.h: one that libxenstore may not know.
 * @args: Strings; NULL ends.  They are sent with their NULs.
 * @reply: XL_STORE_REPLY bytes; NUL-terminated on success.
 *
 * Return: 0, what the store says in an ERROR, or as xl_store_ping().
 */
int xl_store_talk(uint32_t type, const char *const *args,
		  char *reply) must_check;

/**
 * xl_store_open() - Connect to the store.
 * @h: *Owned* by the caller; xs_close() it, and before any fork().
 *
 * Return: 0 or -errno; reported.
 */
int xl_store_open(struct xs_handle **h) must_check;

/**
 * xl_store_get() - Read a node.
 *
 * Return: *owned* by the caller, NUL-terminated; NULL if it is not there.
 */
char *xl_store_get(struct xs_handle *h, xs_transaction_t t, const char *fmt,
		   ...) printf_like(3, 4);

/**
 * xl_store_number() - Read a node that holds a decimal number.
 *
 * UNTRUSTED: the node may be a guest's; anything but a number below 2^31 gives
 * @fallback.
 */
long xl_store_number(struct xs_handle *h, long fallback, const char *fmt, ...)
	printf_like(3, 4);

/**
 * struct xl_txn - A transaction that is being filled.
 *
 * The first error stays in @err and makes all later calls do nothing, so that
 * only the end is checked.
 */
struct xl_txn {
	struct xs_handle *h;
	xs_transaction_t t;
	int err;
};

/** xl_txn_put() - Write a node. */
void xl_txn_put(struct xl_txn *x, const char *value, const char *fmt, ...)
	printf_like(3, 4);

/** xl_txn_num() - Write a node that holds a number. */
void xl_txn_num(struct xl_txn *x, uint64_t value, const char *fmt, ...)
	printf_like(3, 4);

/**
 * xl_txn_perm() - Give a node an owner and, if >= 0, one domain that may read.
 *
 * Nodes made below it later have the same permissions.
 */
void xl_txn_perm(struct xl_txn *x, unsigned int owner, int reader,
		 const char *fmt, ...) printf_like(4, 5);

/** xl_txn_rm() - Remove a node and all below; it need not be there. */
void xl_txn_rm(struct xl_txn *x, const char *fmt, ...) printf_like(2, 3);

/**
 * xl_txn_run() - Fill and commit a transaction, again if another one collided.
 * @fill: Called once for each attempt.
 *
 * Return: 0 or -errno; not reported.
 */
int xl_txn_run(struct xs_handle *h, void (*fill)(struct xl_txn *x, void *arg),
	       void *arg) must_check;

/**
 * xl_store_wait() - Wait for something to become true in the store.
 * @path:  Watched with everything below it.
 * @check: Called at first and after each change: 0 = not yet, else the result.
 *
 * Return: what @check returned, -ETIMEDOUT, -EINTR after xl_interrupted(), or
 * -errno.
 */
int xl_store_wait(struct xs_handle *h, const char *path, int timeout_ms,
		  int (*check)(struct xs_handle *h, void *arg),
		  void *arg) must_check;

#endif
