/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/dispatch.h - from a message to its handler, checks on the way. */
#ifndef XENSTORE_LITE_DISPATCH_H
#define XENSTORE_LITE_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenstore-lite/conn.h"
#include "xenstore-lite/node.h"
#include "xenstore-lite/path.h"
#include "xenstore-lite/txn.h"
#include "xenstore-lite/wire.h"

/**
 * struct req - One request on its way to its handler.
 * @msg:   As it came.
 * @args:  Its strings, as many as the table asks for.
 * @txn:   The transaction, or NULL.
 * @tree:  What it works on: the transaction's tree or the live one.
 * @path:  Canonical form of the first string, if the table says it is a path.
 * @place: Where that is in @tree.
 * @replied: The handler has answered itself; else success is answered "OK".
 */
struct req {
	struct conn *conn;
	const struct wire_msg *msg;
	struct wire_args args;
	struct txn *txn;
	struct tree *tree;
	char path[PATH_BUF];
	struct place place;
	bool replied;
};

/** dispatch_setup() - Once: the live tree. */
void dispatch_setup(struct tree *live);

/** dispatch_live() - The live tree; borrowed. */
struct tree *dispatch_live(void);

/**
 * dispatch() - Check one request, carry it out and answer it.
 *
 * Everything that can refuse a request for whom it comes from, what it names
 * or how much its client has already is decided here, by the flags of one
 * table row; handlers only do the work.
 */
void dispatch(struct conn *c, const struct wire_msg *m);

/** req_reply() - Answer with data; may be called once. */
void req_reply(struct req *r, const void *data, size_t len);

/** req_reply_str() - Answer with a string and its NUL. */
void req_reply_str(struct req *r, const char *s);

/* Types of messages that have a name. */
#define DISPATCH_TYPES (XS_SET_QUOTA + 1)

/** struct dispatch_count - Requests of one type, and how many of them failed. */
struct dispatch_count {
	uint64_t requests, errors;
};

/** dispatch_count() - @type: DISPATCH_TYPES stands for all that have no name. */
void dispatch_count(uint32_t type, struct dispatch_count *out);

#endif
