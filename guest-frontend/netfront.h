/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/netfront.h - a PV network card, as its guest sees it. */
#ifndef GUEST_FRONTEND_NETFRONT_H
#define GUEST_FRONTEND_NETFRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/io/netif.h>

#include "guest-frontend/front.h"

/*
 * How it works
 *
 * netfront_xs.c finds the card, agrees with the backend on rings and closes
 * again; netfront.c puts packets into the rings and takes those that came;
 * netfront_ctrl.c tells the backend, by the control ring, which queue packets are
 * to come to: by a hash that is told with each.  A
 * queue is one ring for each direction with an event channel for both or one for
 * each; it belongs to one thread at a time, and different queues do not touch
 * each other.
 *
 *	netfront_send(q, &packet);	any number
 *	netfront_push(q);		now the backend sees them
 *	while (!(done = netfront_done(q)) && netfront_wait_done(q, ns))
 *		;
 *
 *	while ((n = netfront_receive(q, buf, sizeof(buf), &meta)) > 0)
 *		use the packet;
 *	netfront_push(q);		the pages it lay in go back
 *	netfront_wait_packet(q, ns);
 *
 * What is sent lies in the caller's own pages, or is copied if the backend must
 * not see the rest of these.  What is received is copied out once, of pages that
 * stay granted as long as the queue lives.
 *
 * The backend is not believed.  A packet that cannot be is dropped and counted;
 * an answer to what was not asked, an impossible index, a packet without an end
 * or a page that it does not give back ends the queue, and whatever is in flight
 * fails.  A control ring ends by itself, and the queues live on.
 */
#define NETFRONT_MAX_QUEUES 8u
#define NETFRONT_MAX_SLOTS  ((unsigned int)XEN_NETIF_NR_SLOTS_MIN)
#define NETFRONT_MAX_LEN    ((unsigned int)XEN_NETIF_MAX_TX_SIZE)
#define NETFRONT_MIN_LEN    14u /* an Ethernet header */

/** NETFRONT_CTRL_NS - How long an answer on the control ring may take. */
#define NETFRONT_CTRL_NS UINT64_C(2000000000)

/** NETFRONT_MAX_RX - Length of what a host may send: it does not count headers. */
#define NETFRONT_MAX_RX (NETFRONT_MAX_LEN + 18u)

/**
 * struct netfront_want - What to agree on, where the backend offers as much.
 * @queues: 0 means one, without the keys of multi-queue.
 * @split:  An event channel for each direction.
 * @sg:     We take packets of more than a page.
 * @csum4:  We take blank checksums in IPv4, @csum6: in IPv6.
 * @tso4:   We take TCP over IPv4 that is yet to be segmented, @tso6: IPv6.
 * @mcast:  Only multicasts that a struct netfront_packet has asked for.
 * @hash:   A control ring.
 * @copy:   Send from pages that hold nothing else, as for untrusted backends.
 */
struct netfront_want {
	unsigned int queues;
	bool split, sg, csum4, csum6, tso4, tso6, mcast, hash, copy;
};

/**
 * struct netfront_meta - What goes with a packet, in either direction.
 * @csum_blank:     Its checksum is that of the pseudo-header alone.
 * @data_validated: Its checksum is known to be good.
 * @gso:            XEN_NETIF_GSO_TYPE_*: it is yet to be segmented, into
 * @mss:            payloads of so many bytes.
 * @hashed:         It has a Toeplitz hash of type
 * @hash_type:      _XEN_NETIF_CTRL_HASH_TYPE_*, which is
 * @hash:           this.
 */
struct netfront_meta {
	bool csum_blank, data_validated;
	uint8_t gso;
	uint16_t mss;
	bool hashed;
	uint8_t hash_type;
	uint32_t hash;
};

/**
 * struct netfront_piece - Part of a packet to send.
 * @at: In memory of pages_alloc(); takes a slot for each page that it touches.
 */
struct netfront_piece {
	const void *at;
	uint32_t len;
};

/**
 * struct netfront_packet - To send, *borrowed* from then until it is done.
 * @piece:  @npieces, with all that they point to.
 * @filter: XEN_NETIF_EXTRA_TYPE_MCAST_ADD or _DEL for multicasts to @addr,
 *          without a packet: @npieces is 0.
 * @status: Once done: 0; -XEN_EIO; -XEN_ENOBUFS if it was dropped on the way;
 *          -XEN_EBUSY if the backend kept a page: it must never be used again.
 * @left:   Private: slots that are not answered.
 * @next:   Private: the next of those that were lost with a former life.
 */
struct netfront_packet {
	struct netfront_meta meta;
	const struct netfront_piece *piece;
	unsigned int npieces;
	uint8_t filter, addr[6];
	int status;
	unsigned int left;
	struct netfront_packet *next;
};

/**
 * struct netfront_caps - What the backend takes from us; see netfront_want.
 * @mcast:         It filters if it is asked to before the connection is made;
 * @mcast_dynamic: at any time.
 * @hash:          It has a control ring with us, and both take hashes.
 */
struct netfront_caps {
	bool sg, csum4, csum6, tso4, tso6, mcast, mcast_dynamic, hash;
};

struct netfront_ctrl;
struct netfront_queue;
struct ring_front;

/**
 * struct netfront - One card.
 * @nqueues: Queues agreed on, with event channels as @split says.
 * @copy:    Asked for, or the toolstack says not to trust the backend.
 * @ctrl:    The control ring, or NULL.
 * @mac:     Its address.
 * @mtu:     Bytes of a packet without its Ethernet header.
 */
struct netfront {
	struct front front;
	struct netfront_want want;
	struct netfront_caps caps;
	unsigned int nqueues, mtu;
	bool split, copy;
	uint8_t mac[6];
	struct netfront_ctrl *ctrl;
	struct netfront_queue *queue[NETFRONT_MAX_QUEUES];
};

/**
 * netfront_open() - Find card @devid and connect it.
 * @n: Filled in; usable only on success.
 *
 * Return: 0 or -XEN_E* of front_init() and front_run(); -XEN_EOPNOTSUPP if the
 * backend does not copy.
 */
int netfront_open(struct netfront *n, unsigned int devid,
		  const struct netfront_want *want);

/**
 * netfront_again() - Connect once more after netfront_stop().
 */
int netfront_again(struct netfront *n, const struct netfront_want *want);

/**
 * netfront_mcast() - Filter multicasts from now on, or no more.
 *
 * Return: 0; -XEN_EOPNOTSUPP if the backend asks for it beforehand; or -XEN_E*.
 */
int netfront_mcast(struct netfront *n, bool on);

/**
 * netfront_stop() - Disconnect; what is in flight fails.
 *
 * Return: as front_stop().
 */
int netfront_stop(struct netfront *n);

/**
 * netfront_resume() - Connect in another life, after power_suspend().
 *
 * Queues stay; what was in flight is dropped (-XEN_ENOBUFS), as is what had come
 * and was not taken.  What the backend takes from us may have changed.
 *
 * Return: as front_resume(); -XEN_EOPNOTSUPP if the backend offers fewer queues.
 * On error the card is closed and its queues are gone.
 */
int netfront_resume(struct netfront *n);

/** netfront_close() - netfront_stop(), for good. */
int netfront_close(struct netfront *n);

/* ---- netfront_ctrl.c: which queue packets come to ---------------------------- */

/*
 * All of these ask the backend and wait for its answer.  Return: 0;
 * -XEN_EOPNOTSUPP without a control ring, or if the backend cannot; -XEN_EINVAL or
 * -XEN_E2BIG if it does not like the value; -XEN_EAGAIN if it has not answered in
 * NETFRONT_CTRL_NS: the next call waits for that answer first; -XEN_EIO if it has
 * lied: the control ring has ended.
 */

/**
 * netfront_hash_algorithm() - Hash packets so, or not, with
 * XEN_NETIF_CTRL_HASH_ALGORITHM_NONE.
 */
int netfront_hash_algorithm(struct netfront *n, uint32_t algorithm);

/** netfront_hash_offered() - Types of hash, XEN_NETIF_CTRL_HASH_TYPE_*, or'ed. */
int netfront_hash_offered(struct netfront *n, uint32_t *types);

/** netfront_hash_types() - Those that are wanted; 0: none. */
int netfront_hash_types(struct netfront *n, uint32_t types);

/** netfront_hash_key() - Up to a page of bytes; zeros follow. */
int netfront_hash_key(struct netfront *n, const void *key, uint32_t len);

/** netfront_hash_table_max() - Entries that a table may have, says the backend. */
int netfront_hash_table_max(struct netfront *n, uint32_t *entries);

/**
 * netfront_hash_table_size() - A new table, of queue 0 alone; a packet comes to
 * the queue in entry hash % @entries, or to queue hash % queues if that is 0.
 */
int netfront_hash_table_size(struct netfront *n, uint32_t entries);

/** netfront_hash_table() - Fill in entries from @at on, up to a page of them. */
int netfront_hash_table(struct netfront *n, const uint32_t *queue,
			uint32_t entries, uint32_t at);

/** struct netfront_ctrl_keys - What the store must say of a control ring. */
struct netfront_ctrl_keys {
	uint32_t gref, port;
};

/**
 * netfront_ctrl_new() - Make a control ring.
 * @keys: Filled in on success.
 */
int netfront_ctrl_new(struct netfront_ctrl **out, const struct netfront *n,
		      struct netfront_ctrl_keys *keys);

/** netfront_ctrl_free() - The backend has closed; NULL is fine. */
void netfront_ctrl_free(struct netfront_ctrl *c);

/**
 * netfront_ctrl_lost() - In another life: free it, nobody has its pages.
 *
 * What was set by it is lost, too: set it again on the next one.  NULL is fine.
 */
void netfront_ctrl_lost(struct netfront_ctrl *c);

/* ---- netfront.c: the data path --------------------------------------------- */

/** struct netfront_ring - What the store must say of a queue. */
struct netfront_ring {
	uint32_t tx_gref, rx_gref;
	uint32_t tx_port, rx_port; /* the same unless split */
};

/**
 * netfront_queue_new() - Make a queue as @n has agreed.
 * @ring: Filled in on success.
 */
int netfront_queue_new(struct netfront_queue **out, const struct netfront *n,
		       struct netfront_ring *ring);

/** netfront_queue_lost() - In another life: no grant and no channel is left. */
void netfront_queue_lost(struct netfront_queue *q);

/**
 * netfront_queue_again() - After that, as netfront_queue_new().  On failure it
 * is to be freed.
 */
int netfront_queue_again(struct netfront_queue *q, const struct netfront *n,
			 struct netfront_ring *ring);

/**
 * netfront_queue_free() - The backend has closed: packets fail, pages come back,
 * but for those that it keeps; NULL is fine.
 */
void netfront_queue_free(struct netfront_queue *q);

/**
 * netfront_send() - Put a packet; the backend sees it after netfront_push().
 *
 * Return: 0; -XEN_ENOSPC if slots, references or pages are all in use: take what
 * is done first; -XEN_EINVAL if no packet can be that, or -XEN_EOPNOTSUPP none
 * for this backend; -XEN_EBUSY if it kept a page; -XEN_EIO if the queue has
 * ended.
 */
int netfront_send(struct netfront_queue *q, struct netfront_packet *p);

/**
 * netfront_push() - Show what was put, and the pages that wait for packets;
 * notify the backend if it asked.
 */
void netfront_push(struct netfront_queue *q);

/** netfront_done() - Take a packet that was sent, or not; or NULL. */
struct netfront_packet *netfront_done(struct netfront_queue *q);

/** netfront_inflight() - Packets put and not taken. */
unsigned int netfront_inflight(const struct netfront_queue *q);

/**
 * netfront_receive() - Take a packet that came.
 * @buf:  Receives it; a packet longer than @size is dropped.
 * @meta: Says of it what the backend does.
 *
 * Return: its length; 0 if there is none now; -XEN_EIO if the queue has ended.
 */
int netfront_receive(struct netfront_queue *q, void *buf, size_t size,
		     struct netfront_meta *meta);

/** netfront_dropped() - Packets that came and could not be. */
uint64_t netfront_dropped(const struct netfront_queue *q);

/**
 * netfront_wait_done() - Sleep until netfront_done() may have one.
 *
 * Return: false if time was up, or nothing is in flight.
 */
bool netfront_wait_done(struct netfront_queue *q, uint64_t ns);

/**
 * netfront_wait_packet() - Sleep until netfront_receive() may have one.
 *
 * Return: false if time was up.
 */
bool netfront_wait_packet(struct netfront_queue *q, uint64_t ns);

/**
 * netfront_wait_ring() - Sleep until a ring may have an answer.
 * @idle: Events in a row with nothing in the ring; 0 at first, kept here.
 *
 * Return: false if time was up.
 */
bool netfront_wait_ring(struct ring_front *r, unsigned int *idle, uint32_t port,
			uint64_t ns);

#endif
