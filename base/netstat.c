// SPDX-License-Identifier: GPL-2.0-or-later
// base/netstat.c - what a card has done: counters that outlive their writer.
#include "base/netstat.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MAGIC	0x736e7653u /* "Svns" */
#define VERSION 1u

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
	if (f->magic != MAGIC || f->version != VERSION)
		memset(f, 0, sizeof(*f));
	f->magic = MAGIC;
	f->version = VERSION;
}

void netstat_sum(struct netstat *sum, const struct netstat *queue)
{
	for (unsigned int i = 0; i < NETSTAT_NCOUNTS; i++)
		sum->n[i] += __atomic_load_n(&queue->n[i], __ATOMIC_RELAXED);
}

int netstat_read(int fd, uint64_t offset, struct netstat_file *out)
{
	struct netstat_file f;
	ssize_t n;

	if (offset > INT64_MAX - sizeof(f))
		return -EPROTO;
	n = pread(fd, &f, sizeof(f), (off_t)offset);
	if (n < 0)
		return -errno;
	if (n == sizeof(f) && !f.magic && !f.version)
		return -ENODATA;
	if (n != sizeof(f) || f.magic != MAGIC || f.version != VERSION)
		return -EPROTO;
	*out = f;
	return 0;
}
