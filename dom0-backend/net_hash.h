/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/net_hash.h - hashes that spread packets; no I/O, no memory. */
#ifndef DOM0_BACKEND_NET_HASH_H
#define DOM0_BACKEND_NET_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dom0-backend/net_slots.h"

/*
 * How it works
 *
 * A guest can say how packets for it find their queue (xen/io/netif.h, "Hash
 * types"): a Toeplitz hash with a key of the guest's is computed over addresses
 * and TCP ports, and taken modulo the length of a table of queues, or without a
 * table modulo the number of queues.  A packet that none of the wanted types of
 * hash is for has none, and goes where a hash of 0 goes.
 *
 * Requests and their statuses are the control ring's (net_ctrl.h).
 */
#define NET_HASH_KEY_MAX 40u
#define NET_HASH_MAP_MAX 128u

/**
 * struct net_hash - What a guest has asked for; all 0: nothing.
 * @algorithm: XEN_NETIF_CTRL_HASH_ALGORITHM_*.
 * @types:     XEN_NETIF_CTRL_HASH_TYPE_*, or'ed.
 * @key:       Zeros behind what was set.
 * @nqueues:   Of the connection: what @map's entries are less than.
 * @map:       Queue numbers; @nmap of them, at most NET_HASH_MAP_MAX.
 */
struct net_hash {
	uint32_t algorithm, types;
	uint8_t key[NET_HASH_KEY_MAX];
	uint32_t nqueues, nmap;
	uint32_t map[NET_HASH_MAP_MAX];
};

/* Each returns XEN_NETIF_CTRL_STATUS_*, and changes nothing unless SUCCESS. */

/** net_hash_set_algorithm() - Key, types and table stay. */
uint32_t net_hash_set_algorithm(struct net_hash *h, uint32_t algorithm);

/** net_hash_get_types() - Which types of hash there are. */
uint32_t net_hash_get_types(const struct net_hash *h, uint32_t *types);

/** net_hash_set_types() - Which of them to compute; 0: none. */
uint32_t net_hash_set_types(struct net_hash *h, uint32_t types);

/** net_hash_key_fault() - Whether a key can have @len bytes. */
uint32_t net_hash_key_fault(uint32_t len);

/** net_hash_set_key() - @len was judged by net_hash_key_fault(). */
void net_hash_set_key(struct net_hash *h, const uint8_t *key, uint32_t len);

/** net_hash_set_map_size() - A new table, of queue 0 alone. */
uint32_t net_hash_set_map_size(struct net_hash *h, uint32_t n);

/**
 * net_hash_map_fault() - Whether @n entries from @at on lie in the table.
 *
 * UNTRUSTED: any values.
 */
uint32_t net_hash_map_fault(const struct net_hash *h, uint32_t n, uint32_t at);

/**
 * net_hash_set_map() - Fill in part of the table.
 * @map: Private copy of what the guest wrote: UNTRUSTED values.
 *
 * @n and @at were judged by net_hash_map_fault().
 */
uint32_t net_hash_set_map(struct net_hash *h, const uint32_t *map, uint32_t n,
			  uint32_t at);

/**
 * net_hash_sane() - Whether this can be what a guest has asked for.
 * @h: UNTRUSTED: any bytes.
 */
bool net_hash_sane(const struct net_hash *h, uint32_t nqueues);

/** net_hash_active() - Whether packets are to be hashed. */
static inline bool net_hash_active(const struct net_hash *h)
{
	return h->algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_NONE && h->types;
}

/**
 * net_hash_mark() - Hash a packet.
 * @h: Active.
 * @p: The packet; private.
 *
 * Of the types asked for, the one that covers most of the packet counts.
 */
struct net_mark net_hash_mark(const struct net_hash *h, const uint8_t *p,
			      size_t len);

/** net_hash_queue() - The queue for a packet. */
unsigned int net_hash_queue(const struct net_hash *h,
			    const struct net_mark *mark);

#endif
