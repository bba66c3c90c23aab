/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/netstat.h - what a card has done: counters that outlive their writer. */
#ifndef BASE_NETSTAT_H
#define BASE_NETSTAT_H

#include <stdint.h>
#include <sys/types.h>

#include "base/statfile.h"
#include "base/util.h"

/*
 * As base/blkstat.h: each queue's thread counts in a file that outlives it, in
 * cache lines of its own; others read it.  "tx" is from the guest, "rx" to it, as its
 * rings are called.  What the numbers are is UNTRUSTED.
 */
#define NETSTAT_QUEUES 8u

/**
 * enum netstat_count - What is counted.
 * @NETSTAT_TX_BYTES: Of the packets, as NETSTAT_TX_GSO and NETSTAT_TX_CSUM: those
 *     that are yet to be segmented, and those whose checksum is yet to be filled in.
 * @NETSTAT_TX_DROP_BAD: Packets that cannot be.
 * @NETSTAT_TX_DROP_GRANT: Whose pages are not granted.
 * @NETSTAT_TX_DROP_SPOOFED: In another's name.
 * @NETSTAT_TX_DROP_HOST: Refused by the host.
 * @NETSTAT_TX_DROP_DIED: Under way when a worker died; it may have been sent.
 * @NETSTAT_TX_NOTIFIED: Times that the guest had to be told of answers.
 * @NETSTAT_TX_ASKED: Times that we asked to be told of packets.
 * @NETSTAT_RX_DROP_BAD: The guest's page cannot be written.
 * @NETSTAT_RX_DROP_UNFIT: The guest cannot take such a packet.
 * @NETSTAT_RX_DROP_ROOM: No room on the way to the queue that it is for.
 */
enum netstat_count {
	NETSTAT_TX_PACKETS,
	NETSTAT_TX_BYTES,
	NETSTAT_TX_GSO,
	NETSTAT_TX_CSUM,
	NETSTAT_TX_DROP_BAD,
	NETSTAT_TX_DROP_GRANT,
	NETSTAT_TX_DROP_SPOOFED,
	NETSTAT_TX_DROP_HOST,
	NETSTAT_TX_DROP_DIED,
	NETSTAT_TX_NOTIFIED,
	NETSTAT_TX_ASKED,
	NETSTAT_RX_PACKETS,
	NETSTAT_RX_BYTES,
	NETSTAT_RX_GSO,
	NETSTAT_RX_CSUM,
	NETSTAT_RX_DROP_BAD,
	NETSTAT_RX_DROP_UNFIT,
	NETSTAT_RX_DROP_ROOM,
	NETSTAT_RX_NOTIFIED,
	NETSTAT_RX_ASKED,
	NETSTAT_NCOUNTS,
};

/** netstat_names - Of each: "tx_packets", and so on. */
extern const char *const netstat_names[NETSTAT_NCOUNTS];

/** struct netstat - One queue, or the sum of several; the rest is room. */
struct netstat {
	uint64_t n[24];
};
_Static_assert(sizeof(struct netstat) % 64 == 0 && NETSTAT_NCOUNTS <= 24,
	       "whole cache lines");

/** struct netstat_file - All queues of a card. */
struct netstat_file {
	struct statfile head;
	struct netstat queue[NETSTAT_QUEUES];
};

/** netstat_add() - Count; for the one thread that writes @s. */
static inline void netstat_add(struct netstat *s, enum netstat_count what,
			       uint64_t n)
{
	__atomic_store_n(&s->n[what], s->n[what] + n, __ATOMIC_RELAXED);
}

/** netstat_drops() - All packets dropped, from @first to @last of the reasons. */
uint64_t netstat_drops(const struct netstat *s, enum netstat_count first,
		       enum netstat_count last);

/**
 * netstat_begin() - A worker begins to count.
 * @f: Mapped; what a predecessor counted stays, anything else is zeroed.
 */
void netstat_begin(struct netstat_file *f);

/** netstat_sum() - Add what a queue has counted, while it goes on. */
void netstat_sum(struct netstat *sum, const struct netstat *queue);

/** netstat_read() - As blkstat_read(). */
int netstat_read(int fd, uint64_t offset, struct netstat_file *out) must_check;

#endif
