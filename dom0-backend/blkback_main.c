// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/blkback_main.c - sv-blkback: serves one PV block device.
#include "dom0-backend/blkback.h"
#include "dom0-backend/worker_jail.h"

int main(int argc, char **argv)
{
	struct blkback b = { .disk_fd = -1,
			     .told_fd = -1,
			     .disk_link = -1,
			     .journal_fd = -1,
			     .throttle = THROTTLE_INIT };

	return device_main(argc, argv, &blkback_ops, &b, worker_jail);
}
