// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/netback_main.c - sv-netback: serves one PV network card.
#include "dom0-backend/netback.h"
#include "dom0-backend/worker_jail.h"

int main(int argc, char **argv)
{
	struct netback n = { .journal_fd = -1 };

	return device_main(argc, argv, &netback_ops, &n, worker_jail);
}
