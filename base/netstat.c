// SPDX-License-Identifier: GPL-2.0-or-later
// base/netstat.c - what a card has done: counters that outlive their writer.
#include "base/netstat.h"

static const struct statfile kind = { .magic = 0x736e7653u, .version = 1 };

const char *const netstat_names[NETSTAT_NCOUNTS] = {
	[NETSTAT_TX_PACKETS] = "tx_packets",
	[NETSTAT_TX_BYTES] = "tx_bytes",
	[NETSTAT_TX_GSO] = "tx_gso",
	[NETSTAT_TX_CSUM] = "tx_csum",
	[NETSTAT_TX_DROP_BAD] = "tx_drop_bad",
	[NETSTAT_TX_DROP_GRANT] = "tx_drop_grant",
	[NETSTAT_TX_DROP_SPOOFED] = "tx_drop_spoofed",
	[NETSTAT_TX_DROP_HOST] = "tx_drop_host",
	[NETSTAT_TX_DROP_DIED] = "tx_drop_died",
	[NETSTAT_TX_NOTIFIED] = "tx_notified",
	[NETSTAT_TX_ASKED] = "tx_asked",
	[NETSTAT_RX_PACKETS] = "rx_packets",
	[NETSTAT_RX_BYTES] = "rx_bytes",
	[NETSTAT_RX_GSO] = "rx_gso",
	[NETSTAT_RX_CSUM] = "rx_csum",
	[NETSTAT_RX_DROP_BAD] = "rx_drop_bad",
	[NETSTAT_RX_DROP_UNFIT] = "rx_drop_unfit",
	[NETSTAT_RX_DROP_ROOM] = "rx_drop_room",
	[NETSTAT_RX_NOTIFIED] = "rx_notified",
	[NETSTAT_RX_ASKED] = "rx_asked",
};

uint64_t netstat_drops(const struct netstat *s, enum netstat_count first,
		       enum netstat_count last)
{
	uint64_t sum = 0;

	for (unsigned int i = first; i <= last; i++)
		sum += s->n[i];
	return sum;
}

void netstat_begin(struct netstat_file *f)
{
	statfile_begin(&f->head, sizeof(*f), &kind);
}

void netstat_sum(struct netstat *sum, const struct netstat *queue)
{
	for (unsigned int i = 0; i < NETSTAT_NCOUNTS; i++)
		sum->n[i] += __atomic_load_n(&queue->n[i], __ATOMIC_RELAXED);
}

int netstat_read(int fd, uint64_t offset, struct netstat_file *out)
{
	struct netstat_file f;
	int ret = statfile_read(fd, offset, &f.head, sizeof(f), &kind);

	if (!ret)
		*out = f;
	return ret;
}
