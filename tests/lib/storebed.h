/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/storebed.h - a whole store inside a test, with its clients. */
#ifndef TESTS_LIB_STOREBED_H
#define TESTS_LIB_STOREBED_H

#include <errno.h> /* before xs_wire.h: it lists only known errors */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/io/xs_wire.h>

#include "ring/stream.h"
#include "xenstore-lite/conn.h"
#include "xenstore-lite/node.h"

/*
 * How it works
 *
 * The store's own code runs in the test's thread, driven by bed_pump().  A dom0
 * client is the other end of a socket pair; a guest is the other side of a ring
 * page, without a domain socket.  Every call sends one request, lets the store
 * work until it is idle, and takes what came back: the answer into
 * client->reply, events into a queue.
 */

#define BED_EVENTS 4096

struct bed_client {
	unsigned int domid;
	int fd; /* socket clients */
	struct xenstore_domain_interface *page;
	struct stream_writer req;
	struct stream_reader rsp;
	int call;	   /* eventfd that the store signals */
	struct conn *conn; /* rings: the store's side */
	struct domain *dummy;
	uint32_t last_id;
	char in[8 * 8192];
	size_t in_len;
	char reply[XENSTORE_PAYLOAD_MAX + 1];
	int reply_len;
	uint32_t reply_type;
	char *events[BED_EVENTS]; /* "path|token" */
	size_t nevents, next_event;
};

extern struct tree bed_tree; /* the live tree */

void bed_init(void);
void bed_fini(void);

/** bed_pump() - Let the store work until it has nothing left to do. */
void bed_pump(void);

/** bed_step() - One turn of the store's loop. */
void bed_step(void);

struct bed_client *bed_dom0(void);
struct bed_client *bed_guest(unsigned int domid);

/** bed_attach() - The guest begins anew with its half of the ring. */
void bed_attach(struct bed_client *c);

/** bed_domain() - A guest that was introduced; @page is *borrowed*. */
struct bed_client *bed_domain(unsigned int domid, void *page);

/** bed_close() - The client goes away; its domain, if any, stays. */
void bed_close(struct bed_client *c);

/** bed_kill() - A guest's domain ends. */
void bed_kill(struct bed_client *c);

/** bed_send() - Put bytes into the socket or ring; Return: bytes taken. */
size_t bed_send(struct bed_client *c, const void *data, size_t len);

/** bed_drain() - Throw away what is in a guest's ring now. */
void bed_drain(struct bed_client *c);

/** bed_take() - Collect what the store sent; Return: replies seen. */
unsigned int bed_take(struct bed_client *c);

/**
 * bed_op() - One request and its answer.
 *
 * Return: length of client->reply, or -errno by the name in the ERROR.
 */
int bed_op(struct bed_client *c, uint32_t type, uint32_t tx, const void *data,
	   size_t len);

/** bed_str() - bed_op() with strings, each sent with its NUL; NULL ends. */
int bed_str(struct bed_client *c, uint32_t type, uint32_t tx, ...)
	__attribute__((sentinel));

int bed_write(struct bed_client *c, uint32_t tx, const char *path,
	      const char *value);
/** bed_read() - Return: the value, or the error's name in angle brackets. */
const char *bed_read(struct bed_client *c, uint32_t tx, const char *path);
int bed_watch(struct bed_client *c, const char *path, const char *token);

/** bed_list() - Children joined by spaces, or the error in angle brackets. */
const char *bed_list(struct bed_client *c, uint32_t tx, const char *path);
uint32_t bed_start(struct bed_client *c);
int bed_end(struct bed_client *c, uint32_t tx, bool commit);

/** bed_event() - The next event as "path|token", or "" if there is none. */
const char *bed_event(struct bed_client *c);

/**
 * bed_home() - What the toolstack makes for a guest.
 *
 * It may read /local/domain/N and owns /local/domain/N/data.
 */
void bed_home(unsigned int domid);

/** bed_nodes() - Nodes charged to a domain. */
unsigned int bed_nodes(unsigned int domid);

/** bed_consistent() - CONTROL check: accounts agree with the tree. */
bool bed_consistent(void);

#endif
