/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/console_xs.h - which domains have consoles, and their tty nodes. */
#ifndef DOM0_BACKEND_CONSOLE_XS_H
#define DOM0_BACKEND_CONSOLE_XS_H

#include "base/util.h"
#include "dom0-backend/console.h"

struct event;
struct store;
struct store_watch;

/*
 * How it works
 *
 * Whenever a domain is introduced (and at the start, and after a restart of the
 * store) the domains in the store are compared with the consoles; what is missing
 * is connected. The end of a domain is told by its socket, not by the store.
 *
 * The one node written is /local/domain/D/console/tty, below a directory that the
 * toolstack makes read-only to the guest. None is read: output, limit, type and
 * their like are nothing that this process would act on.
 */

/** struct console_xs - The control plane of all consoles; private. */
struct console_xs {
	struct console_hub *hub;
	struct store *store;
	struct store_watch *watch;
	struct event *retry_ev;
	unsigned int retry_ms;
};

/**
 * console_xs_init() - Serve the domains that are there and that come.
 * @x:     Filled in.
 * @hub:   *Borrowed*; initialised. Its calls are set here.
 * @store: *Borrowed*.
 *
 * Return: 0 or -errno.
 */
int console_xs_init(struct console_xs *x, struct console_hub *hub,
		    struct store *store) must_check;

/** console_xs_fini() - Withdraw all tty nodes and stop watching. */
void console_xs_fini(struct console_xs *x);

#endif
