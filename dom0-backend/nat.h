/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/nat.h - a bridge with NAT behind it, made on demand. */
#ifndef DOM0_BACKEND_NAT_H
#define DOM0_BACKEND_NAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"
#include "dom0-backend/link_nl.h"

/*
 * How it works
 *
 * A NAT bridge is an ordinary bridge with the network's first address, an
 * nftables table of its own (splitvisor-<bridge>: masquerade what leaves the
 * network; let only answers in), and forwarding (forward.h); for IPv6 the same.
 * Nobody keeps state: the bridge's interface alias says that it is ours and its
 * addresses; each port's alias says which guest address it uses. All who change it hold one lock per network namespace.
 */

/**
 * struct nat - A NAT bridge.
 * @ip:     The host's address on it, host byte order.
 * @prefix: Length of the network's prefix: 8 to 30.
 * @has6:   It has an IPv6 network, too, of 64 bits.
 * @given6: That, or that it has none, is asked for: another will not do.
 * @ip6:    The host's address there.
 */
struct nat {
	char bridge[LINK_NAME_MAX];
	uint32_t ip;
	unsigned int prefix;
	bool has6, given6;
	uint8_t ip6[16];
};

/* The host's link-local address on each NAT bridge: its guests' IPv6 router. */
#define NAT_ROUTER6 "fe80::1"

/**
 * nat_lock() - Keep other processes from changing NAT bridges.
 *
 * Return: an fd to close at the end; -EBUSY if another process holds it for 10 s;
 * or -errno.
 */
int nat_lock(void) must_check;

/**
 * nat_up() - Find the bridge or make it. Under the lock.
 * @nat:    What it should be; what it is about IPv6, on success: a bridge that is
 *          there may have another network, and a host that cannot have it is told
 *          of in the log, and has none.
 * @index:  Its interface, on success.
 * @err:    On failure, one line: what, and a remedy.
 *
 * Return: 0; -EEXIST if there is something else of that name; -EADDRINUSE if the
 * host has another way to that network; or -errno. Leaves nothing on failure.
 */
int nat_up(struct link_nl *nl, struct nat *nat, int *index, char *err,
	   size_t errlen) must_check;

/**
 * nat_down() - Remove a bridge that is ours and has no ports. Under the lock.
 * @name: Anything else is left alone.
 */
void nat_down(struct link_nl *nl, const char *name);

/** nat_sweep() - nat_down() for every bridge that is ours. Under the lock. */
void nat_sweep(struct link_nl *nl);

/**
 * nat_pick() - Choose an address for a guest. Under the lock.
 * @index:  The bridge.
 * @mac:    Of the guest: it gets the same address again if that is free.
 * @wanted: The address that it must have, or 0.
 * @out:    On success. Mark the port with nat_alias() to take it.
 *
 * Return: 0; -EADDRINUSE if @wanted or all are taken; -EINVAL if @wanted is no
 * guest's address of the network; or -errno.
 */
int nat_pick(struct link_nl *nl, const struct nat *nat, int index,
	     const uint8_t mac[6], uint32_t wanted, uint32_t *out) must_check;

/** nat_alias() - The alias of a port whose guest uses @ip. */
void nat_alias(char alias[LINK_ALIAS_MAX], uint32_t ip);

/**
 * nat_parse() - Read "A.B.C.D/LEN".
 * @out: ip and prefix are written, only on success.
 *
 * Return: 0, or -EINVAL if it is not the address of a host in a network of 4 to
 * 2^24 addresses.
 */
int nat_parse(const char *text, struct nat *out) must_check;

/**
 * nat_parse6() - Read "ADDRESS/64", or "none".
 * @out: has6, given6 and ip6 are written, only on success.
 *
 * Return: 0 or -EINVAL.
 */
int nat_parse6(const char *text, struct nat *out) must_check;

/**
 * nat_default6() - The IPv6 network that a bridge has unless told otherwise: a
 * private one (RFC 4193) that follows from the host's machine-id and the bridge's
 * name.
 */
void nat_default6(struct nat *nat);

#endif
