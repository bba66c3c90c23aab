/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/net_rxq.h - packets from a TAP queue to the guest's rx ring. */
#ifndef DOM0_BACKEND_NET_RXQ_H
#define DOM0_BACKEND_NET_RXQ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "dom0-backend/gnt_map.h"
#include "dom0-backend/net_journal.h"
#include "dom0-backend/net_slots.h"
#include "dom0-backend/net_steer.h"
#include "ring/ring.h"

/*
 * How it works
 *
 * Requests, each a page of the guest to fill, are taken and pinned as they come
 * and wait in ring order. While there are enough for the largest packet, one
 * readv puts the next packet straight into their pages. Whether the second slot
 * will carry an extra info is only known afterwards; as nearly every packet of
 * more than a page is one to be segmented, its page is left out, and the rare
 * other packet is moved up by a page.
 *
 * With fewer pages than that, the packet is read into private memory, where one
 * may wait for more pages. Nothing else is buffered: what the guest does not
 * make room for stays in the TAP queue, where the kernel drops what is too much.
 *
 * Pages taken are in the queue's journal (net_journal.h) till they are answered: a
 * successor fills them from the first one on.  The packet that was being read, or
 * that waited in private memory, dies with us.
 *
 * For a guest that has said which queue packets belong to (net_steer.h), each is
 * read into private memory, to be looked at, and passed on if it belongs to
 * another queue. That goes on while this one has no pages.
 */
#define RXQ_NENT 256u /* slots of a ring of one page */
_Static_assert(RXQ_NENT == NET_JOURNAL_SLOTS, "a journal has room for all");

RING_DEFINE(rxq_ring, netif_rx_request_t, union net_rx_rsp);

/**
 * struct rxq - One rx ring. Members are private to net_rxq.c.
 * @first:   Ring index of the first of @n requests taken and not answered.
 * @log:     The journal, where they are; @own if nobody will succeed us.
 * @at:      Their pages, each at its index modulo RXQ_NENT: UNTRUSTED; NULL if its
 *           grant is bad.
 * @stat:    Where to count; @own_stat if nobody will look.
 * @ready:   The TAP queue may have packets.
 * @stalled: Requests missing to go on; 0 if none are.
 * @held:    Bytes in @buf waiting for pages; described by @vnet and @mark.
 * @steer:   NULL: no packet goes by its hash; else that of queue @index.
 * @hash:    What the guest wants, as of @version.
 * @passed:  Packets may have been passed, by others or by us.
 */
struct rxq {
	struct gnt_map *gnt;
	const struct net_caps *caps;
	int tap;
	uint32_t gref; /* of the ring */
	void SHM *page;
	struct rxq_ring_back ring;
	struct net_journal_ring *log, own;
	void SHM *at[RXQ_NENT];
	uint32_t first, n;
	bool ready;
	uint32_t stalled;
	struct netstat *stat, own_stat;
	unsigned int domid, devid;
	struct log_limit *limit;
	struct net_steer *steer;
	unsigned int index;
	uint32_t version;
	struct net_hash hash;
	bool passed;
	struct virtio_net_hdr vnet;
	struct net_mark mark;
	size_t held;
	uint8_t buf[NET_RX_LEN_MAX + 1];
	uint8_t unsorted[NET_RX_LEN_MAX + 1];
};

/**
 * rxq_init() - Begin to serve a ring.
 * @q:    Filled in; on failure only rxq_fini() may follow.
 * @gnt:  *Borrowed*, as @caps and @limit, until rxq_fini().
 * @tap:  TAP queue, non-blocking; *borrowed*.
 *
 * Return: 0; -EPROTO if the journal cannot be; or -errno.
 */
int rxq_init(struct rxq *q, struct gnt_map *gnt, const struct net_caps *caps,
	     struct log_limit *limit, int tap,
	     const struct net_ring *ring) must_check;

/**
 * rxq_steer() - Before the first packet: these go by their hash.
 * @steer: *Borrowed* until rxq_fini().
 * @index: Which of its queues this is.
 */
void rxq_steer(struct rxq *q, struct net_steer *steer, unsigned int index);

/** rxq_fini() - Unpin all pages; harmless after a failed or no rxq_init(). */
void rxq_fini(struct rxq *q);

/**
 * rxq_release() - Clear the marks that a predecessor has left on pages.
 * @log: UNTRUSTED.
 */
void rxq_release(struct gnt_map *gnt, struct net_journal_ring *log);

/** rxq_ready() - The TAP queue has become readable. */
void rxq_ready(struct rxq *q);

/** rxq_passed() - Another queue has passed a packet. */
void rxq_passed(struct rxq *q);

/** rxq_look() - Nobody has told, but there may be packets all the same. */
void rxq_look(struct rxq *q);

/** rxq_answered() - Slots answered so far, modulo 2^32. */
static inline uint32_t rxq_answered(const struct rxq *q)
{
	return q->first;
}

/**
 * rxq_poll() - Pass on packets.
 * @budget: At most so many.
 *
 * Return: 1 if there may be more to do at once, 0 if not, -EPROTO if the ring is
 * dead.
 */
int rxq_poll(struct rxq *q, unsigned int budget) must_check;

/** rxq_push() - Show the guest its packets; Return: whether to notify it. */
bool rxq_push(struct rxq *q) must_check;

/**
 * rxq_arm() - Before sleeping: be notified of pages if any are missing.
 *
 * Return: true if they have come: do not sleep.
 */
bool rxq_arm(struct rxq *q) must_check;

/**
 * rxq_inject() - Give the guest a packet of our own making.
 * @frame: Up to a page.
 *
 * Return: whether there was room; the packet is dropped otherwise.
 */
bool rxq_inject(struct rxq *q, const uint8_t *frame, size_t len);

#endif
