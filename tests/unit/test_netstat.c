// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_netstat.c - counters of a card, in a file of somebody's.
#include "base/netstat.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <criterion/criterion.h>

static struct netstat_file f, got;

Test(netstat, every_count_has_a_name)
{
	for (unsigned int i = 0; i < NETSTAT_NCOUNTS; i++)
		cr_expect_eq(strncmp(netstat_names[i],
				     i < NETSTAT_RX_PACKETS ? "tx_" : "rx_", 3),
			     0, "%u", i);
}

Test(netstat, goes_on)
{
	struct netstat sum = { 0 };

	memset(&f, 0x55, sizeof(f));
	netstat_begin(&f);
	cr_expect_eq(f.queue[7].n[NETSTAT_RX_BYTES], 0, "junk is zeroed");
	netstat_add(&f.queue[0], NETSTAT_TX_DROP_BAD, 2);
	netstat_add(&f.queue[7], NETSTAT_TX_DROP_BAD, 3);
	netstat_add(&f.queue[7], NETSTAT_TX_DROP_DIED, 4);
	netstat_begin(&f);
	for (unsigned int i = 0; i < NETSTAT_QUEUES; i++)
		netstat_sum(&sum, &f.queue[i]);
	cr_expect_eq(sum.n[NETSTAT_TX_DROP_BAD], 5);
	cr_expect_eq(netstat_drops(&sum, NETSTAT_TX_DROP_BAD,
				   NETSTAT_TX_DROP_DIED),
		     9);
}

Test(netstat, files_that_are_none)
{
	int fd = memfd_create("counters", MFD_CLOEXEC);

	netstat_begin(&f);
	netstat_add(&f.queue[3], NETSTAT_RX_GSO, 8);
	cr_expect_eq(netstat_read(fd, 0, &got), -EPROTO, "too short");
	cr_assert_eq(ftruncate(fd, 100 + sizeof(f)), 0);
	cr_expect_eq(netstat_read(fd, 100, &got), -ENODATA);
	cr_expect_eq(netstat_read(fd, UINT64_MAX, &got), -EPROTO);
	cr_assert_eq(pwrite(fd, &f, sizeof(f), 100), (ssize_t)sizeof(f));
	cr_expect_eq(netstat_read(fd, 99, &got), -EPROTO);
	cr_expect_eq(netstat_read(fd, 101, &got), -EPROTO);
	cr_expect_eq(got.queue[3].n[NETSTAT_RX_GSO], 0, "written on failure");
	cr_expect_eq(netstat_read(fd, 100, &got), 0);
	cr_expect_eq(got.queue[3].n[NETSTAT_RX_GSO], 8);
	close(fd);
	cr_expect_eq(netstat_read(fd, 100, &got), -EBADF);
}
