/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/forward.h - routing on this host, while something of ours needs it. */
#ifndef DOM0_BACKEND_FORWARD_H
#define DOM0_BACKEND_FORWARD_H

#include <stdbool.h>

#include "base/util.h"
#include "dom0-backend/link_nl.h"

/*
 * ip_forward and its IPv6 twin belong to the whole network namespace.  That it was
 * us who turned one on is marked in the kernel as well, by an empty nftables table,
 * so that whoever removes the last user, be it after a kill, turns it off again.
 * Users are the interfaces whose alias begins with one of these:
 */
#define FORWARD_NAT   "splitvisor nat "
#define FORWARD_ROUTE "splitvisor route"

/** enum forward_family - What to forward. */
enum forward_family { FORWARD_IP, FORWARD_IP6, FORWARD_NFAMILIES };

/**
 * forward_on() - See to it that the host forwards.  Under nat_lock().
 * @err: On failure, one line: what, and a remedy.
 *
 * A host that has a route from router advertisements would lose it by forwarding
 * IPv6 (net.ipv6.conf.*.accept_ra): it is left as it is.
 *
 * Return: 0; -EAFNOSUPPORT if the host has no IPv6; -EBUSY for such a route; or
 * -errno.
 */
int forward_on(struct link_nl *nl, enum forward_family family, char *err,
	       size_t errlen) must_check;

/** forward_off() - Undo forward_on() if there is no user.  Under nat_lock(). */
void forward_off(struct link_nl *nl);

#endif
