/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/nbd_conn.h - one NBD connection that is made again when it ends. */
#ifndef DOM0_BACKEND_NBD_CONN_H
#define DOM0_BACKEND_NBD_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "dom0-backend/disk.h"
#include "dom0-backend/disk_link.h"

struct nbd_handle;

/**
 * struct nbd_export - What a server says of a disk.
 * @bytes: Its size.
 * @min:   Requests are made of whole blocks of this size.
 * @unit:  The size that it prefers.
 * @max:   Bytes of one command at most.
 * @multi: Several connections see each other's writes and flushes.
 */
struct nbd_export {
	uint64_t bytes;
	uint32_t min, unit, max;
	bool readonly, flush, trim, multi;
};

/**
 * enum nbd_conn_state - Where a connection stands.
 * @NBD_AWAY:    There is none; @until is when to ask for one.
 * @NBD_ASKED:   sv-blksource was asked; @until is when to give that up.
 * @NBD_SHAKING: The server answers, or not, till @until.
 * @NBD_UP:      Commands can be given.
 */
enum nbd_conn_state { NBD_AWAY, NBD_ASKED, NBD_SHAKING, NBD_UP };

/**
 * struct nbd_conn - A connection; used by one thread at a time.
 * @first:   It is a worker's first: see &struct disk_link_ask.
 * @want:    If its size is not 0: other exports are refused, and servers whose
 *           flush does less, or for their own connection only.
 * @export:  What it is connected to; of use when up.
 * @timeout: As in &struct disk_link_answer, once there was an answer.
 * @fails:   Attempts in a row that led to no answer to a command.
 * @why:     Why the last one ended.
 */
struct nbd_conn {
	enum nbd_conn_state state;
	struct nbd_handle *h;
	int link;
	int ask;
	bool first;
	uint64_t until;
	struct nbd_export want, export;
	uint32_t timeout;
	unsigned int fails;
	char why[DISK_LINK_WHY];
};

/** nbd_conn_init() - Nothing is done yet; @link is *borrowed*, non-blocking. */
void nbd_conn_init(struct nbd_conn *c, int link);

/** nbd_conn_fini() - Part from the server; no command may be under way. */
void nbd_conn_fini(struct nbd_conn *c);

/**
 * nbd_conn_poll() - Do what can be done, then wait and do what follows from it.
 * @kick: Another descriptor that ends the wait, or -1.
 * @ms:   Wait at most so long; 0 does not, -1 as long as it takes.
 *
 * Calls back for commands that have ended.  When the connection ends all
 * commands are forgotten, with or without having called back.
 *
 * Return: whether @kick can be read.
 */
bool nbd_conn_poll(struct nbd_conn *c, int kick, int ms);

/** nbd_conn_lose() - End the connection; the next is asked for after a while. */
void nbd_conn_lose(struct nbd_conn *c, const char *why);

/**
 * typedef nbd_ended_fn - A command has ended.
 * @arg: As it was given.
 * @err: 0 or an errno; ENOTCONN and ESHUTDOWN mean that it was the connection
 *       which ended.
 *
 * Must not use the connection.
 */
typedef void nbd_ended_fn(void *arg, int err);

/**
 * nbd_conn_start() - Give the server a command; the connection is up.
 * @buf: For reads and writes: @len bytes, untouched till the command ended.
 * @len: At most the export's @max.
 *
 * May call @ended before it returns.
 *
 * Return: 0, or -errno when nothing was started; -ENOTCONN when it is the
 * connection that has ended.
 */
int nbd_conn_start(struct nbd_conn *c, enum disk_op op, void *buf, size_t len,
		   uint64_t off, nbd_ended_fn *ended, void *arg) must_check;

#endif
