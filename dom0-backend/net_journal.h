/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/net_journal.h - what a card's worker leaves to its successor. */
#ifndef DOM0_BACKEND_NET_JOURNAL_H
#define DOM0_BACKEND_NET_JOURNAL_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/netstat.h"
#include "dom0-backend/journal.h"
#include "dom0-backend/net_hash.h"
#include "dom0-backend/vif_setup.h"

/*
 * How it works
 *
 * As a disk's (journal.h), it lies in a file that outlives the worker (custody.h).
 * But a packet is not done again: who sent it a second time would duplicate it.
 * What was under way when a worker died is lost, as on any wire, and its slots are
 * answered all the same.  Both directions answer in the order of taking, so what
 * is in flight is all between two indices of the ring:
 *
 *	taking:		slots; taken		<- taken from here
 *	answering:	response into the ring; no mark left; answered
 *	publishing:	the ring's rsp_prod; notify
 *
 * Killed where, and what the successor then does:
 *
 *	before taken	The request is still the ring's.
 *	taken, not	To be sent: it may have been or not.  The marks of its
 *	answered	grants are cleared, its slots are answered; nothing is sent.
 *			For packets to come: its page is pinned again, and is the next to
 *			be filled.  Nobody has been shown what it holds by then.
 *			A request on the control ring: it is carried out again, from
 *			its copy here; all of them set what they name.
 *	answered, not	They are published, before anything else.
 *	published
 *	published, not	The successor binds the event channel, and that raises an
 *	notified	event at the guest, always.
 *
 * Stores become visible in program order (release), also those of a process that is
 * killed.  Each is one of 32 bits, for each packet to be sent and each turn of pages
 * taken.
 *
 * UNTRUSTED, as any journal: a worker that was taken over by its guest may have
 * written anything.
 */
#define JOURNAL_VIF	  0x10001u
#define NET_JOURNAL_SLOTS 256u /* of a ring of one page, either kind */

/**
 * struct net_journal_slot - A request that was taken.
 * @extra: It is none: an extra info of the packet, and has no grant.
 */
struct net_journal_slot {
	uint32_t gref;
	uint16_t id;
	uint16_t extra;
};

/**
 * struct net_journal_ring - A tx or an rx ring.
 * @taken, @answered: Its indices; what is between them is in flight.
 * @slot: Of index i at i modulo NET_JOURNAL_SLOTS.
 */
struct net_journal_ring {
	_Atomic uint32_t taken, answered;
	uint8_t pad[56];
	struct net_journal_slot slot[NET_JOURNAL_SLOTS];
};
_Static_assert(sizeof(struct net_journal_ring) % 64 == 0, "whole cache lines");

/** struct net_journal_keys - A queue, as the frontend described it. */
struct net_journal_keys {
	uint32_t tx_ref, rx_ref, tx_port, rx_port;
};

struct net_journal_queue {
	struct net_journal_keys keys;
	uint8_t pad[48];
	struct net_journal_ring tx, rx;
};

/**
 * struct net_journal_ctrl - The control ring.
 * @served: There is one: @gref and @port.
 * @redone: How many workers have begun @req anew.
 * @req:    The last that was taken.
 * @hash:   What the guest wants, as of the last that was answered; or half of what it
 *          will be, till @req is carried out again.
 */
struct net_journal_ctrl {
	uint32_t served, gref, port, redone;
	_Atomic uint32_t taken, answered;
	struct xen_netif_ctrl_request req;
	struct net_hash hash;
};

/**
 * struct net_journal - The whole file.
 * @stat: What the card has done, in all connections; nothing else depends on it.
 */
struct net_journal {
	struct journal_head head;
	struct net_journal_queue queue[VIF_MAX_QUEUES];
	struct netstat_file stat __attribute__((aligned(64)));
	struct net_journal_ctrl ctrl;
};
_Static_assert(NETSTAT_QUEUES == VIF_MAX_QUEUES, "all are counted");

/**
 * struct net_ring - Where a ring is, tx or rx.
 * @gref:   UNTRUSTED: of its page.
 * @log:    *Borrowed*: its journal; NULL: nobody will succeed us.
 * @stat:   *Borrowed*: where to count; NULL: nobody will look.
 * @resume: @log holds what a predecessor left of this ring: go on with it.
 * @domid, @devid: Whose it is, for probes.
 */
struct net_ring {
	uint32_t gref;
	struct net_journal_ring *log;
	struct netstat *stat;
	bool resume;
	unsigned int domid, devid;
};

/** net_journal_begin() - All that was taken from a ring, up to index @at, is answered. */
void net_journal_begin(struct net_journal_ring *r, uint32_t at);

/**
 * net_journal_recover() - Find where a predecessor stood.
 * @r:  UNTRUSTED.
 * @at: Written on success.
 *
 * Return: 0, or -EPROTO if more is in flight than the ring has room for.
 */
int net_journal_recover(const struct net_journal_ring *r,
			struct ring_pos *at) must_check;

/**
 * net_journal_recover_ctrl() - The same for the control ring.
 * @nqueues: Of the connection.
 *
 * Return: 0; -EPROTO if more than one is in flight, or the hash cannot be;
 * -EOWNERDEAD if the request has seen too many deaths.
 */
int net_journal_recover_ctrl(struct net_journal_ctrl *c, unsigned int nqueues,
			     struct ring_pos *at) must_check;

/** net_journal_slot() - The place of ring index @i. */
static inline struct net_journal_slot *
net_journal_slot(struct net_journal_ring *r, uint32_t i)
{
	return &r->slot[i % NET_JOURNAL_SLOTS];
}

/** net_journal_take() - All slots up to index @to are filled in: they are taken. */
static inline void net_journal_take(struct net_journal_ring *r, uint32_t to)
{
	/* Ordering: the slots before this. */
	atomic_store_explicit(&r->taken, to, memory_order_release);
}

/** net_journal_answer() - All responses up to index @to are in the ring. */
static inline void net_journal_answer(struct net_journal_ring *r, uint32_t to)
{
	/* Ordering: responses, and what clears the marks, before this. */
	atomic_store_explicit(&r->answered, to, memory_order_release);
}

#endif
