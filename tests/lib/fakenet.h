/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/fakenet.h - a network frontend of a domain without a vCPU. */
#ifndef TESTS_LIB_FAKENET_H
#define TESTS_LIB_FAKENET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dom0-backend/net_rxq.h"
#include "dom0-backend/net_txq.h"
#include "dom0-backend/netback.h"
#include "tests/lib/fakedom.h"

/*
 * Plays one queue of xen-netfront: slots go out and responses come in as the
 * guest's driver would do it, with a page of its own behind each id. All of it
 * is open to the test, which may write any lie into slots or rings instead.
 * Mistakes of the test abort.
 */
#define FAKENET_PAGES 256u
#define FAKENET_RAM   4096u /* pages of RAM for up to 3 queues */

/** struct fakenet_page - A granted page. */
struct fakenet_page {
	uint8_t *mem;
	uint32_t gref;
};

/**
 * struct fakenet - One queue.
 * @keys:   For netback_start().
 * @free:   @nfree ids of tx slots not in flight.
 * @status: Of the last tx response that was not NETIF_RSP_NULL.
 * @done:   Count of tx responses.
 * @mark:   Of the packet last received.
 * @posted: @nposted indices into @rx_page, in ring order, from @first on.
 */
struct fakenet {
	struct fakedom *dom;
	struct net_keys keys;
	void *tx_ring, *rx_ring;
	struct txq_ring_front tx;
	struct rxq_ring_front rx;
	struct fakenet_page tx_page[FAKENET_PAGES], rx_page[FAKENET_PAGES];
	uint16_t free[FAKENET_PAGES];
	uint32_t nfree;
	int status;
	uint32_t done, errors;
	struct net_mark mark;
	uint16_t posted[FAKENET_PAGES], spare[FAKENET_PAGES];
	uint32_t first, nposted, nspare;
};

/**
 * fakenet_new() - Make a queue.
 * @split: With an event channel for each ring.
 */
struct fakenet *fakenet_new(struct fakedom *dom, bool split);
void fakenet_free(struct fakenet *n);

/** fakenet_restart() - Empty rings in the same places, for another backend. */
void fakenet_restart(struct fakenet *n);

/** fakenet_put() - Put a tx slot as it is; aborts if the ring is full. */
void fakenet_put(struct fakenet *n, const union net_tx_slot *slot);

/** fakenet_push() - Publish tx slots and notify if asked to. */
void fakenet_push(struct fakenet *n);

/**
 * fakenet_send() - Put a packet, cut into slots of at most @chunk bytes.
 * @v: Its description, as a TAP interface would give it.
 *
 * Return: false if there is no room now. Push afterwards.
 */
bool fakenet_send(struct fakenet *n, const struct virtio_net_hdr *v,
		  const void *frame, size_t len, size_t chunk);

/** fakenet_reap() - Take tx responses; Return: how many came. */
uint32_t fakenet_reap(struct fakenet *n);

/** fakenet_reap_all() - Wait until all tx slots are answered; false: 5 s. */
bool fakenet_reap_all(struct fakenet *n);

/** fakenet_post() - Post up to @max rx pages and notify if asked to. */
void fakenet_post(struct fakenet *n, uint32_t max);

/**
 * fakenet_recv() - Take a packet.
 * @frame: NET_RX_LEN_MAX bytes.
 *
 * Return: its length; 0 if there is none now; -1 if a response is an error.
 */
int fakenet_recv(struct fakenet *n, struct virtio_net_hdr *v, uint8_t *frame);

/** fakenet_wait_recv() - As fakenet_recv(), waiting up to @ms. */
int fakenet_wait_recv(struct fakenet *n, struct virtio_net_hdr *v,
		      uint8_t *frame, int ms);

#endif
