/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/net_txq.h - packets from the guest's tx ring to a TAP queue. */
#ifndef DOM0_BACKEND_NET_TXQ_H
#define DOM0_BACKEND_NET_TXQ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "dom0-backend/dhcp.h"
#include "dom0-backend/gnt_map.h"
#include "dom0-backend/net_guard.h"
#include "dom0-backend/net_journal.h"
#include "dom0-backend/net_slots.h"
#include "dom0-backend/ra.h"
#include "ring/ring.h"

/*
 * How it works
 *
 * A packet's slots are taken one by one and checked (net_slots.h); its pages are
 * pinned, its first NET_HDR_MAX bytes copied, and one writev sends the copy and
 * the rest straight from the guest's pages. Then all its slots are answered: so
 * nothing is ever in flight between two calls. A bad packet is answered with an
 * error and dropped; a packet that does not end within the ring, like an
 * impossible index, ends the connection.
 *
 * Between the taking of a packet's last slot and the last answer it is in the
 * queue's journal (net_journal.h), for a successor if we are killed.
 */
#define TXQ_NENT 256u /* slots of a ring of one page */
_Static_assert(TXQ_NENT == NET_JOURNAL_SLOTS, "a journal has room for all");

RING_DEFINE(txq_ring, union net_tx_slot, netif_tx_response_t);

struct rxq;

/** struct txq_rate - At most @bytes in @usec; no limit if either is 0. */
struct txq_rate {
	uint64_t bytes, usec;
};

/** struct txq_limit - A rate that may change at any time. */
struct txq_limit {
	_Atomic uint64_t packed;
};

/**
 * txq_limit_set() - Set it; any thread.
 * @rate: Each less than 2^32.
 */
void txq_limit_set(struct txq_limit *l, const struct txq_rate *rate);

/**
 * struct txq_conf - What is done with a guest's packets.
 * @lease: What to answer to DHCP, or NULL.
 * @ra:    What to answer to router solicitations, or NULL.
 * @guard: What it may call itself, or NULL: anything.
 * @rate:  Of what may be sent.
 * @limit: What @rate is to be, now; NULL: it stays.
 */
struct txq_conf {
	const struct dhcp_lease *lease;
	const struct ra *ra;
	const struct net_guard *guard;
	struct txq_rate rate;
	const struct txq_limit *limit;
};

/**
 * struct txq - One tx ring. Members are private to net_txq.c.
 * @rx:     Of the same queue: DHCP answers go there; its limit for the log is
 *          for both.
 * @credit: Bytes that may be sent; falls below 0 by one packet at most.
 * @since:  When @credit was right, CLOCK_MONOTONIC ns.
 * @stat:   Where to count; @own_stat if nobody will look.
 * @log:    The journal; @own if nobody will succeed us.
 * @first:  Ring index of the packet being read; it has taken @n slots so far.
 */
struct txq {
	struct gnt_map *gnt;
	struct rxq *rx;
	struct txq_conf conf;
	int tap;
	uint32_t gref; /* of the ring */
	void SHM *page;
	struct txq_ring_back ring;
	int64_t credit;
	uint64_t since;
	struct netstat *stat, own_stat;
	struct net_journal_ring *log;
	uint32_t first, n;
	struct net_journal_ring own;
	struct net_chain chain;
	uint8_t hdr[NET_HDR_MAX];
};

/**
 * txq_init() - Begin to serve a ring.
 * @q:     Filled in; on failure only txq_fini() may follow.
 * @gnt:   *Borrowed*, as @rx and what @conf points to, until txq_fini().
 * @tap:   TAP queue, non-blocking; *borrowed*.
 *
 * Return: 0; -EPROTO if the journal cannot be; or -errno.
 */
int txq_init(struct txq *q, struct gnt_map *gnt, struct rxq *rx,
	     const struct txq_conf *conf, int tap,
	     const struct net_ring *ring) must_check;

/** txq_fini() - Unpin the ring; harmless after a failed or no txq_init(). */
void txq_fini(struct txq *q);

/**
 * txq_release() - Clear the marks that a predecessor has left on packets.
 * @log: UNTRUSTED.
 */
void txq_release(struct gnt_map *gnt, struct net_journal_ring *log);

/** txq_answered() - Slots answered so far, modulo 2^32. */
static inline uint32_t txq_answered(const struct txq *q)
{
	return q->first;
}

/**
 * txq_poll() - Send packets.
 * @budget: At most so many.
 *
 * Return: 1 if there may be more to do at once, 0 if not, -EPROTO if the ring is
 * dead, -EBADMSG if a packet does not end.
 */
int txq_poll(struct txq *q, unsigned int budget) must_check;

/** txq_push() - Show the guest the answers; Return: whether to notify it. */
bool txq_push(struct txq *q) must_check;

/**
 * txq_arm() - Before sleeping: be notified of packets.
 * @wait_ms: How long to sleep at most: -1, or until the rate allows to go on.
 *
 * Return: true if there are some now: do not sleep.
 */
bool txq_arm(struct txq *q, int *wait_ms) must_check;

/** txq_announce() - Tell the guest its IPv6 router, if it has one, unasked. */
void txq_announce(struct txq *q);

#endif
