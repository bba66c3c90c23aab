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
#include "dom0-backend/net_journal.h"
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
 * when neither can go on, after it has looked for more work for a moment if that has
 * paid lately. Its epoll set is edge-triggered: eventfds need not be read, and a
 * TAP queue that the guest makes no room for wakes nobody.
 *
 * The main thread (netback_xs.c) starts and stops queues, and serves the control
 * ring if there is one (net_ctrl.h).
 *
 * A successor of a worker that died goes on from its journal (net_journal.h), with
 * the same TAP queues: the parent has them open too, so the interface and its
 * carrier stay.
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
 * @index:  Ours: which it is.
 * @log:    Ours, *borrowed*: the queue's journal; NULL: nobody will succeed us.
 * @stat:   Ours, *borrowed*: where to count; NULL: nobody will look.
 * @resume: Ours: @log holds what a predecessor left: go on with it.
 */
struct net_keys {
	unsigned int index;
	uint32_t tx_ref, rx_ref;
	uint32_t tx_port, rx_port; /* the same: one channel for both */
	struct net_journal_queue *log;
	struct netstat *stat;
	bool resume;
};

struct net_queue;

/**
 * netback_start() - Get ready to serve a queue: netback_run() follows.
 * @out:  *Owned*: netback_stop(); written only on success.
 * @dev:  *Borrowed*; device_fail() is called on it when the frontend lies.
 * @conf: *Borrowed*.
 * @tap:  TAP queue; *borrowed*.
 * @limit: *Borrowed*: what this queue may cause to be logged; outlives it, or a
 *        frontend that reconnects would begin anew.
 *
 * A successor has answered what its predecessor had under way.  Else nothing was
 * taken and nothing shown.
 *
 * Return: 0; -EINVAL if a port is not ours to bind; -ENOENT, -EACCES or -EFAULT
 * for a bad grant; -EPROTO if the journal cannot be; or -errno.
 */
int netback_start(struct net_queue **out, struct device *dev,
		  const struct net_conf *conf, int tap,
		  const struct net_keys *keys,
		  struct log_limit *limit) must_check;

/**
 * netback_run() - Serve it, in a thread of its own.
 *
 * Return: 0 or -errno.
 */
int netback_run(struct net_queue *q) must_check;

/**
 * struct net_stats - Packets, and those dropped, by direction.
 * @tx_spoofed: Those of @tx_drops that came in another's name.
 */
struct net_stats {
	uint64_t tx_packets, tx_drops, tx_spoofed, rx_packets, rx_drops;
};

/** netback_has_begun() - Before netback_run(): whether it was served before, elsewhere. */
bool netback_has_begun(const struct net_queue *q);

/** netback_announce() - Have a queue tell the guest its IPv6 router (ra.h). */
void netback_announce(struct net_queue *q);

/**
 * netback_stop() - End a queue; no packet is half done afterwards.
 * @sum: Its counters are added here.
 */
void netback_stop(struct net_queue *q, struct net_stats *sum);

/**
 * netback_suspend() - As netback_stop(), for a successor that resumes.
 *
 * Grants stay marked: the connection goes on.
 */
void netback_suspend(struct net_queue *q);

/**
 * netback_in_use() - Whether the rings that a predecessor served are still there.
 *
 * As blkback_in_use().
 */
bool netback_in_use(struct device *dev, const struct net_keys *keys);

/**
 * netback_release() - Clear the marks that a predecessor has left; no more.
 * @keys: With its journal.
 */
void netback_release(struct device *dev, const struct net_keys *keys);

/* netback_stats.c */

/**
 * struct netback_told - What the store has of a card's statistics.
 * @begun: The directory is ours; else a predecessor's, or not there.
 */
struct netback_told {
	bool begun;
	struct netstat sum;
};

/** netback_tell_stats() - As blkback_tell_stats(). */
void netback_tell_stats(struct device *dev, struct netback_told *told,
			const struct netstat_file *f);

/* netback_xs.c */

/**
 * struct netback - A card; the private data of its struct device.
 * @tap:      TAP queues, @ntap of them: from --tap-fds.
 * @lease:    Valid if @has_lease; likewise @ra, @guard and @mac.
 * @ticks:    Seconds since the guest was told its router unasked.
 * @mac:      Its address.
 * @arrivals: How often it is yet to be told that it is here (net_announce.h).
 * @journal_fd: *Owned*, from --journal-fd; -1: a killed worker's frontend has to
 *            connect again.
 * @journal:  Mapped; of this process alone without the file.
 * @keys:     Of the @nkeys queues that the frontend's keys name, as last read;
 *            @ctrl_gref and @ctrl_port are the control ring's if @wants_ctrl.
 * @queue:    Served now: @nqueues.
 * @log_limit: Of each queue, through all connections.
 * @has_ctrl: There is a control ring: @ctrl changes @steer, when told by
 *            @ctrl_evtchn.
 */
struct netback {
	int tap[VIF_MAX_QUEUES];
	unsigned int ntap;
	bool has_lease, has_ra, has_guard, has_mac;
	struct dhcp_lease lease;
	struct ra ra;
	unsigned int ticks;
	uint8_t mac[6];
	unsigned int arrivals;
	struct net_guard guard;
	struct txq_rate rate;	/* of the whole card */
	struct txq_limit limit; /* of each queue */
	struct netback_told stats;
	struct net_conf conf;
	int journal_fd;
	struct net_journal *journal;
	struct net_keys keys[VIF_MAX_QUEUES];
	unsigned int nkeys;
	bool wants_ctrl;
	uint32_t ctrl_gref, ctrl_port;
	struct net_queue *queue[VIF_MAX_QUEUES];
	struct log_limit log_limit[VIF_MAX_QUEUES];
	unsigned int nqueues;
	struct net_steer steer;
	struct net_ctrl ctrl;
	struct evtchn_fd ctrl_evtchn;
	bool has_ctrl;
};

extern const struct device_ops netback_ops;

#endif
