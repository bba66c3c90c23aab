/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/conn.h - one client, by socket or by ring: framing, queues. */
#ifndef XENSTORE_LITE_CONN_H
#define XENSTORE_LITE_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "base/log.h"
#include "base/util.h"
#include "ring/stream.h"
#include "xenstore-lite/hash.h"
#include "xenstore-lite/perm.h"
#include "xenstore-lite/record.h"
#include "xenstore-lite/txn.h"
#include "xenstore-lite/watch.h"
#include "xenstore-lite/wire.h"

/*
 * How it works
 *
 * An event (socket readable, guest's kick, room to write, an event message for
 * somebody) only puts a connection on the ready queue.  conn_run() serves the
 * queue in order, each connection for at most CONN_QUANTUM requests before it
 * goes to the end again: nobody waits for more than one quantum of each other
 * busy client.  All replies and events of one turn leave by one system call, after
 * the journal has what they follow from.  A guest's requests stay in its ring till
 * then: a store that is killed before has not begun with them, as far as its
 * successor and the guest can see.  One that is killed later left in the journal
 * what the guest is to be told, and in the ring how much of it was.
 *
 * What is not read by its client stays in the connection's queue, and bounds
 * its intake: a guest with as many unread replies as the "outstanding" quota,
 * or a socket client with too many bytes, is not listened to until it reads.
 * Identical events waiting for one client are sent once.  Events that a guest
 * leaves unread for 20 s are dropped.
 *
 * A guest that asks for it (RECONNECTION, xenstore-ring.txt) begins anew, also one
 * that broke its ring: what it asked and was told is void, and so are its watches
 * and transactions.  The word by which it asks stays until the journal has that, so
 * that a store that is killed on the way is followed by one that is asked again.
 */

#define CONN_QUANTUM 8

struct event;
struct event_base;
struct domain;
struct out;
struct xenstore_domain_interface;

STAILQ_HEAD(out_list, out);
TAILQ_HEAD(conn_list, conn);

/**
 * struct conn_ring - The guest's page and events.
 * @page: UNTRUSTED: borrowed from struct domain.  NULL after conn_restore(), until
 *        conn_join().
 * @call: Borrowed eventfd that signals the guest.
 * @req_at, @rsp_at: As of struct record_ring, while there is no @page.
 */
struct conn_ring {
	struct xenstore_domain_interface SHM *page;
	struct stream_reader req;
	struct stream_writer rsp;
	int call;
	uint32_t req_at, rsp_at;
	bool notify; /* the guest is to be signalled at the end of the turn */
};

/**
 * struct conn_counts - What there was since it came.
 * @lost: Events that it did not get.
 * @in, @out: Bytes taken and sent.
 */
struct conn_counts {
	uint64_t requests, errors, events, lost, in, out;
};

/**
 * struct conn - One client.
 * @who:      Whose rights it has.
 * @serial:   Never reused; salts this connection's keys in shared tables.
 * @domain:   For a ring; NULL for a socket.
 * @features: Of WIRE_FEATURES: those that its client has.
 * @noted:    Its number in the journal, a ring's domid; 0: not noted there.
 * @fd:       Owned socket; -1 for a ring.
 * @pid:      Of a socket's client as it connected.
 * @trace:    All it says and hears is in the access log.
 * @parked:   Broke the protocol; neither heard nor spoken to (ring).
 * @lost:     Its last transaction failed for a conflict.
 * @mute:     An answer could not be queued: to be parked or hung up.
 * @dead:     To be freed by conn_run() (socket).
 * @queued:   Waits for a turn; @held: until the store is free again.
 * @blocked:  Not listened to until it reads.
 * @waiting:  Its last request is answered later; it is not listened to till then.
 * @in:       Incoming bytes, allocated while a message is incomplete.
 * @nreplies: Unread replies in @out.
 * @account:  What counts against its domain; pinned.
 */
struct conn {
	struct perm_who who;
	uint64_t serial;
	struct domain *domain;
	uint32_t features;
	uint32_t noted;
	TAILQ_ENTRY(conn) all;
	int fd;
	struct conn_ring ring;
	struct event *rd, *wr, *stall;
	bool parked, dead, blocked, readable, queued, held, wr_armed;
	bool lost, mute, trace, waiting;
	TAILQ_ENTRY(conn) ready;
	uint64_t run; /* the conn_run() that served it last */
	char *in;
	size_t in_at, in_len;
	struct out_list out;
	size_t out_at; /* bytes of the first message already sent */
	size_t out_bytes;
	unsigned int nreplies, nevents;
	struct htab pending; /* events in @out */
	uint32_t last_txn;
	struct txn_list txns;
	struct watch_list watches;
	struct account *account;
	struct log_limit limit;
	struct conn_counts n;
	pid_t pid;
};

/** conn_setup() - Once: the loop that all connections use. */
void conn_setup(struct event_base *base);

/**
 * conn_new_socket() - Serve a client on a connected, non-blocking socket.
 * @fd: *Given*, in any case.
 *
 * Return: 0 or -ENOMEM.
 */
int conn_new_socket(int fd) must_check;

/**
 * conn_new_ring() - Serve a guest.
 * @d:    Its domain; outlives the connection.
 * @page: UNTRUSTED: borrowed; mapped shared.
 * @call: Borrowed eventfd.
 */
int conn_new_ring(struct domain *d, unsigned int domid, void SHM *page,
		  int call, struct conn **out) must_check;

/** conn_next() - The one after @c, by serial; NULL gives the first. */
struct conn *conn_next(const struct conn *c);

/* For conn_name(). */
#define CONN_NAME 40

/** conn_name() - As people know it: D3.12 of domain 3, A12 of dom0; Return: @buf. */
char *conn_name(const struct conn *c, char buf[CONN_NAME]);

/** conn_record() - Note all of a connection, under conn->noted, in the journal. */
void conn_record(const struct conn *c);

/**
 * conn_restore_socket() - A client on a socket that another store had.
 * @fd:    As for conn_new_socket(); -1: none, for a try.
 * @noted: Its number until all of it was restored.
 */
int conn_restore_socket(int fd, uint32_t noted) must_check;

/**
 * conn_restore() - A guest's connection as the journal has it.
 *
 * It gathers events, but is not served before conn_join().  Return: 0, -ENOMEM, or
 * -EPROTO if it cannot be so.
 */
int conn_restore(struct domain *d, unsigned int domid,
		 const struct record_ring *r, struct conn **out) must_check;

/** conn_restore_progress(), conn_restore_out(), conn_restore_parked() - As noted. */
int conn_restore_progress(struct conn *c,
			  const struct record_ring *r) must_check;
int conn_restore_out(struct conn *c, bool event, const void *data,
		     size_t len) must_check;
void conn_restore_parked(struct conn *c);

/**
 * conn_join() - Go on with a restored connection.
 * @page, @call: As for conn_new_ring().
 *
 * Requests that were taken are not taken again, and of the answers only what the
 * guest's ring has not had yet is sent.
 */
int conn_join(struct conn *c, void SHM *page, int call) must_check;

/** conn_free() - End a connection with its watches and transactions. */
void conn_free(struct conn *c);

/** conn_all - Every connection; in order of age. */
extern struct conn_list conn_all;

/** conn_find_noted() - By its number, the youngest first; or NULL. */
struct conn *conn_find_noted(uint32_t noted);

/**
 * conn_hold_starts() - Whether connections without a transaction may begin none.
 *
 * Such requests wait meanwhile, with all that follow them.
 */
void conn_hold_starts(bool on);

/** conn_kick() - There may be something to do for @c. */
void conn_kick(struct conn *c);

/** conn_pending() - Whether conn_run() has work left. */
bool conn_pending(void);

/** conn_run() - Serve every ready connection once. */
void conn_run(void);

/**
 * conn_lost() - A transaction of @c failed because others wrote meanwhile.
 *
 * dom0 retries for ever, and a guest that keeps rewriting a node could make it
 * lose for ever (XSA-206).  So the next try of a dom0 client that lost is made
 * while all guests wait: until it ends, 50 ms at most, and not before guests
 * had as much time since the last such stop.
 */
void conn_lost(struct conn *c);

/** conn_begins(), conn_ends() - @c starts a transaction; one has ended. */
void conn_begins(struct conn *c);
void conn_ends(struct conn *c);

/**
 * conn_reply() - Answer a request.
 * @to: Its header: type, req_id and tx_id are echoed.
 *
 * A reply that cannot be queued for lack of memory ends the connection.
 */
void conn_reply(struct conn *c, const struct xsd_sockmsg *to, uint32_t type,
		const void *data, size_t len);

/** conn_event() - Queue a watch event; drops it if @c does not read. */
void conn_event(struct conn *c, const char *path, const char *token);

/** conn_event_lost() - Count an event that could not be queued. */
void conn_event_lost(struct conn *c);

/** conn_max_event_token() - Longest token that fits beside any path. */
#define CONN_TOKEN_MAX (XENSTORE_PAYLOAD_MAX - XENSTORE_ABS_PATH_MAX - 2)

/** struct conn_stats - For CONTROL memreport and tests. */
struct conn_stats {
	unsigned int conns;
	uint64_t requests, events, events_collapsed, events_lost, out_bytes;
};
extern struct conn_stats conn_stats;

/** conn_stall_ms - How long a guest may leave events unread. */
extern unsigned int conn_stall_ms;

#endif
