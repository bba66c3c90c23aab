/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/net_ctrl.h - the control ring of a PV network card. */
#ifndef DOM0_BACKEND_NET_CTRL_H
#define DOM0_BACKEND_NET_CTRL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "dom0-backend/gnt_map.h"
#include "dom0-backend/net_hash.h"
#include "dom0-backend/net_journal.h"
#include "dom0-backend/net_steer.h"
#include "ring/ring.h"

/*
 * How it works
 *
 * By this ring (xen/io/netif.h, "Control ring") a guest says how packets for it
 * find their queue. Each request is copied, judged, carried out and answered
 * before the next is looked at. A key or a table lies in a page of the guest: as
 * much as was judged is copied, once, and nothing changes unless all of it is
 * good. Words of a request that its type has no use for are not looked at.
 *
 * What the guest wants is in the card's journal (net_journal.h) before it is told
 * so. A successor carries the request that was not answered out again: it sets what
 * it names, whatever was set of that before.
 */
RING_DEFINE(net_ctrl_ring, struct xen_netif_ctrl_request,
	    struct xen_netif_ctrl_response);

/**
 * struct net_ctrl - One control ring. Members are private to net_ctrl.c.
 * @hash: What the guest wants; the queues have copies.
 * @log:  The journal; @own if nobody will succeed us.
 */
struct net_ctrl {
	struct gnt_map *gnt;
	struct net_steer *steer;
	struct log_limit *limit;
	struct net_hash hash;
	uint32_t gref;
	void SHM *page; /* UNTRUSTED */
	struct net_ctrl_ring_back ring;
	struct net_journal_ctrl *log, own;
};

/**
 * net_ctrl_init() - Begin to serve a ring.
 * @c:     Filled in; on failure only net_ctrl_fini() may follow.
 * @gnt:   *Borrowed*, as @steer and @limit, until net_ctrl_fini().
 * @gref:  UNTRUSTED: of the ring's page.
 * @log:   *Borrowed*, or NULL: nobody will succeed us.
 * @resume: @log holds what a predecessor left of this ring: go on with it.  Queues
 *         that use @steer do not run yet.
 *
 * Return: 0; as net_journal_recover_ctrl(); or -errno.
 */
int net_ctrl_init(struct net_ctrl *c, struct gnt_map *gnt,
		  struct net_steer *steer, struct log_limit *limit,
		  uint32_t gref, struct net_journal_ctrl *log,
		  bool resume) must_check;

/**
 * net_ctrl_release() - Clear the marks that a predecessor has left: on the ring, and
 * on the page that a request names.
 * @log: UNTRUSTED.
 */
void net_ctrl_release(struct gnt_map *gnt, const struct net_journal_ctrl *log);

/** net_ctrl_fini() - Unpin the ring; harmless after a failed net_ctrl_init(). */
void net_ctrl_fini(struct net_ctrl *c);

/**
 * net_ctrl_poll() - Carry out requests.
 * @budget: At most so many.
 *
 * Return: 1 if there may be more, 0 if not, -EPROTO if the ring is dead.
 */
int net_ctrl_poll(struct net_ctrl *c, unsigned int budget) must_check;

/** net_ctrl_push() - Show the guest the answers; Return: whether to notify it. */
bool net_ctrl_push(struct net_ctrl *c) must_check;

/** net_ctrl_arm() - Ask to be notified; Return: true if there are some now. */
bool net_ctrl_arm(struct net_ctrl *c) must_check;

#endif
