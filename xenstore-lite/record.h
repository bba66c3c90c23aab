/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/record.h - changes, as the journal has them. */
#ifndef XENSTORE_LITE_RECORD_H
#define XENSTORE_LITE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

/*
 * How it works
 *
 * Each function adds one record to the journal (ledger.h); most say how something
 * is now, so that the same records make up the file's beginning.  state.c reads
 * them back.  Nothing here fails, and without a journal nothing happens.
 *
 * Where a domid stands for a connection it is that of the domain's ring.  The
 * sockets of dom0's programs end with a store that is killed, so that the journal
 * has nothing of them; only what one store hands to the next in a live update has,
 * under numbers from RECORD_SOCKETS on.
 */
#define RECORD_SOCKETS 0x10000u

enum record_type {
	RECORD_NODE = 1,
	RECORD_RM,
	RECORD_LIFE,
	RECORD_QUOTA,
	RECORD_DOMAIN,
	RECORD_DOMAIN_GONE,
	RECORD_RING,
	RECORD_NO_RING,
	RECORD_PARKED,
	RECORD_TARGET,
	RECORD_PROGRESS,
	RECORD_OUT,
	RECORD_WATCH,
	RECORD_UNWATCH,
	RECORD_UNWATCH_ALL,
	RECORD_TXN,
	RECORD_TXN_END,
	RECORD_DOMAIN_QUOTA,
	RECORD_FEATURES,
	RECORD_UPDATE,
	RECORD_SOCKET,
};

struct perms;
struct value;

/** record_node() - There is such a node, and this is what it holds. */
void record_node(const char *path, const struct perms *perms,
		 const struct value *v);

/** record_rm() - A node has gone, with all below it, if it was there. */
void record_rm(const char *path);

/** record_life() - What perm_life() is now; with a life its own limits end. */
void record_life(unsigned int domid, uint32_t life);

/** record_quota() - What a global limit is now. */
void record_quota(const char *name, uint32_t limit);

/** record_domain_quota() - A limit of a domain's own, till record_life(). */
void record_domain_quota(unsigned int domid, const char *name, uint32_t limit);

/**
 * struct record_domain - A domain that is known.
 * @life:     As of struct dom_info.
 * @pid:      Of its VMM, which, with
 * @start_ns: tells it from another domain of the same number.
 * @shutdown: Its shutdown was announced.
 * @early:    It was not introduced yet.
 */
struct record_domain {
	uint32_t domid, life, pid;
	uint64_t start_ns;
	bool shutdown, early;
};

void record_domain(const struct record_domain *d);

/** record_features() - What a known domain is offered, if not all. */
void record_features(unsigned int domid, uint32_t features);
void record_domain_gone(unsigned int domid);

/**
 * struct record_ring - How far a connection has come.
 * @parked:   The guest broke it.
 * @last_txn: The id that was given last.
 * @req_at:   Requests were taken from the ring up to here;
 * @in:       the last @in_len bytes are the beginning of one.
 * @rsp_at:   Where the first of the messages that wait in it begins, or the next
 *            that will.
 */
struct record_ring {
	bool parked;
	uint32_t last_txn, req_at, rsp_at;
	const void *in;
	size_t in_len;
};

/** record_ring() - A connection, new: no watches, transactions and messages. */
void record_ring(unsigned int domid, const struct record_ring *r);

/** record_progress() - It goes on here; messages before @rsp_at were sent. */
void record_progress(unsigned int domid, const struct record_ring *r);

/** record_no_ring() - The domain has no connection any more. */
void record_no_ring(unsigned int domid);

/** record_parked() - It is parked, and has lost what it had. */
void record_parked(unsigned int domid);

/** record_target() - Another domain whose rights it has, in that one's life. */
void record_target(unsigned int domid, int target, uint32_t life);

/** record_out() - One more message waits to be sent. */
void record_out(unsigned int domid, bool event, const void *data, size_t len);

/** record_watch(), record_unwatch(), record_unwatch_all() - As of watch.h. */
void record_watch(unsigned int domid, const char *path, size_t skip,
		  const char *token, uint32_t depth);
void record_unwatch(unsigned int domid, const char *path, const char *token);
void record_unwatch_all(unsigned int domid);

/** record_txn(), record_txn_end() - A transaction is open; it is not any more. */
void record_txn(unsigned int domid, uint32_t id);
void record_txn_end(unsigned int domid, uint32_t id);

/**
 * struct record_update - What a store hands to the next, besides connections.
 * @socket:   Where it listens.
 * @caller:   Who waits for the update's end, by its number from RECORD_SOCKETS on;
 *            0 if nobody does.
 * @request:  Its request's head, as of struct xsd_sockmsg.
 */
struct record_update {
	const char *socket;
	uint32_t caller;
	uint8_t request[16];
};

void record_update(const struct record_update *u);

/** record_socket() - A connection by a socket, new; the next descriptor is its. */
void record_socket(uint32_t number);

/**
 * struct record - One to be read.
 * @bad: More was asked for than there is; all further reads give nothing.
 */
struct record {
	const uint8_t *at;
	size_t left;
	bool bad;
};

/** record_u8(), record_u32(), record_u64() - Take a number. */
uint8_t record_u8(struct record *r);
uint32_t record_u32(struct record *r);
uint64_t record_u64(struct record *r);

/** record_bytes() - Take @len bytes, borrowed from the record; NULL if bad. */
const void *record_bytes(struct record *r, size_t *len);

/** record_str() - Take a string; "" if bad. */
const char *record_str(struct record *r);

/** record_take_update() - Take one; u->socket is borrowed from the record. */
void record_take_update(struct record *r, struct record_update *u);

/** record_perms() - Take permissions; *owned*, NULL if bad or out of memory. */
struct perms *record_perms(struct record *r);

#endif
