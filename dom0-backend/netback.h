/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/netback.h - a PV network card: its queues and their threads. */
#ifndef DOM0_BACKEND_NETBACK_H
#define DOM0_BACKEND_NETBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "dom0-backend/device.h"
#include "dom0-backend/dhcp.h"
#include "dom0-backend/evtchn_fd.h"
#include "dom0-backend/net_ctrl.h"
#include "dom0-backend/net_slots.h"
#include "dom0-backend/net_steer.h"
#include "dom0-backend/net_txq.h"
#include "dom0-backend/vif_setup.h"

/*
 * How it works
 *
 * Each queue of the frontend (xen/io/netif.h) has a tx ring, an rx ring, one or
 * two event channels, one TAP queue and one thread. The thread works off both
 * directions in turns, publishes all answers of a turn at once, and sleeps only
 * when neither can go on. Its epoll set is edge-triggered: eventfds need not be
 * read, and a TAP queue that the guest makes no room for wakes nobody.
 *
 * The main thread (netback_xs.c) starts and stops queues, and serves the control
 * ring if there is one (net_ctrl.h).
 */

/**
 * struct net_conf - What all queues of a connection share. Constant while any
 * runs.
 * @caps:  What the guest can take.
 * @tx:    Of each queue.
 * @steer: How packets for the guest find their queue, or NULL: the host's way.
 */
struct net_conf {
	struct net_caps caps;
	struct txq_conf tx;
	struct net_steer *steer;
};

/**
 * struct net_keys - A queue, as the frontend describes it: UNTRUSTED.
 * @index: Ours: which it is.
 */
struct net_keys {
	unsigned int index;
	uint32_t tx_ref, rx_ref;
	uint32_t tx_port, rx_port; /* the same: one channel for both */
};

struct net_queue;

/**
 * netback_start() - Begin to serve a queue.
 * @out:  *Owned*: netback_stop(); written only on success.
 * @dev:  *Borrowed*; device_fail() is called on it when the frontend lies.
 * @conf: *Borrowed*.
 * @tap:  TAP queue; *borrowed*.
 * @limit: *Borrowed*: what this queue may cause to be logged; outlives it, or a
 *        frontend that reconnects would begin anew.
 *
 * Return: 0; -EINVAL if a port is not ours to bind; -ENOENT, -EACCES or -EFAULT
 * for a bad grant; or -errno.
 */
int netback_start(struct net_queue **out, struct device *dev,
		  const struct net_conf *conf, int tap,
		  const struct net_keys *keys,
		  struct log_limit *limit) must_check;

/**
 * struct net_stats - Packets, and those dropped, by direction.
 * @tx_spoofed: Those of @tx_drops that came in another's name.
 */
struct net_stats {
	uint64_t tx_packets, tx_drops, tx_spoofed, rx_packets, rx_drops;
};

/** netback_announce() - Have a queue tell the guest its IPv6 router (ra.h). */
void netback_announce(struct net_queue *q);

/**
 * netback_stop() - End a queue; no packet is half done afterwards.
 * @sum: Its counters are added here.
 */
void netback_stop(struct net_queue *q, struct net_stats *sum);

/**
 * struct netback - A card; the private data of its struct device.
 * @tap:      TAP queues, @ntap of them: from --tap-fds.
 * @lease:    Valid if @has_lease; likewise @ra and @guard.
 * @ticks:    Seconds since the guest was told its router unasked.
 * @queue:    Served now: @nqueues.
 * @limit:    Of each queue, through all connections.
 * @has_ctrl: There is a control ring: @ctrl changes @steer, when told by
 *            @ctrl_evtchn.
 */
struct netback {
	int tap[VIF_MAX_QUEUES];
	unsigned int ntap;
	bool has_lease, has_ra, has_guard;
	struct dhcp_lease lease;
	struct ra ra;
	unsigned int ticks;
	struct net_guard guard;
	struct txq_rate rate; /* of the whole card */
	struct net_conf conf;
	struct net_queue *queue[VIF_MAX_QUEUES];
	struct log_limit limit[VIF_MAX_QUEUES];
	unsigned int nqueues;
	struct net_steer steer;
	struct net_ctrl ctrl;
	struct evtchn_fd ctrl_evtchn;
	bool has_ctrl;
};

extern const struct device_ops netback_ops;

#endif
