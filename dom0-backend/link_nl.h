/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/link_nl.h - network interfaces, through libnl. */
#ifndef DOM0_BACKEND_LINK_NL_H
#define DOM0_BACKEND_LINK_NL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"
#include "dom0-backend/vlan.h"

/*
 * The only file that knows libnl. Calls are synchronous and act in the network
 * namespace of the thread that called link_open(). Addresses are IPv4, in host
 * byte order, unless a call says otherwise. All return 0 or -errno; -ENODEV when there is no such interface.
 */
#define LINK_NAME_MAX  16
#define LINK_ALIAS_MAX 128

struct link_nl;

/**
 * struct link_info - What is known of an interface.
 * @index:  Its number.
 * @master: Of the bridge that it is a port of, or 0.
 * @mtu:    In bytes.
 * @bridge: It is a bridge.
 * @up:     It is switched on.
 * @carrier: Its cable is plugged in.
 * @alias:  Free text kept by the kernel; we mark what is ours with it.
 */
struct link_info {
	int index, master;
	unsigned int mtu;
	bool bridge, up, carrier;
	char name[LINK_NAME_MAX];
	char alias[LINK_ALIAS_MAX];
};

/**
 * struct link_want - Changes; what is 0 or NULL stays.
 * @name: Of one that is down.
 * @mac: "fe:ff:ff:ff:ff:ff".
 * @up:  Bring it up; it stays up otherwise.
 */
struct link_want {
	const char *name, *alias, *mac;
	int master;
	unsigned int mtu, txqlen;
	bool up;
};

/** link_open() - Connect to the kernel; @out is *owned*: link_close(). */
int link_open(struct link_nl **out) must_check;

/** link_close() - Disconnect; NULL is fine. */
void link_close(struct link_nl *nl);

/**
 * link_open_watch() - Connect to the kernel to be told of interfaces, no more.
 * @out: *Owned*: link_close().
 */
int link_open_watch(struct link_nl **out) must_check;

/** link_watch_fd() - Readable when there is news; *borrowed*. */
int link_watch_fd(const struct link_nl *nl);

/** link_watch_drain() - Forget what news there are: look at the interfaces then. */
void link_watch_drain(const struct link_nl *nl);

/** link_get() - Look an interface up by its name. */
int link_get(struct link_nl *nl, const char *name,
	     struct link_info *out) must_check;

/** link_get_index() - The same by its number. */
int link_get_index(struct link_nl *nl, int index,
		   struct link_info *out) must_check;

/**
 * link_each() - Call @fn for every interface there is.
 * @fn: A non-zero return ends it and is returned.
 */
int link_each(struct link_nl *nl,
	      int (*fn)(void *arg, const struct link_info *info),
	      void *arg) must_check;

/**
 * link_owner() - What marks things as this host's, by its run directory.
 *
 * Nobody else uses that directory while we run (main.c locks it): whatever is
 * marked so when we start was left by one of us that was killed.
 */
#define LINK_OWNER 24
void link_owner(char owner[LINK_OWNER]);

/**
 * link_half_name() - What an interface is called until it bears its mark.
 *
 * One at a time: link_remove_half() removes what a killed one of us has left there.
 */
void link_half_name(char name[LINK_NAME_MAX]);
void link_remove_half(struct link_nl *nl);

/**
 * link_add_bridge() - Make a bridge that forwards at once and talks no STP.
 * @mac: Its address, which then stays whatever ports come.
 *
 * Return: 0, -EEXIST, or -errno.
 */
int link_add_bridge(struct link_nl *nl, const char *name,
		    const char *mac) must_check;

/** link_macvtap_mode() - Whether there is a mode of that name. */
bool link_macvtap_mode(const char *mode);

/**
 * link_add_macvtap() - Make a macvtap interface.
 * @lower: The interface that it is on.
 * @mac:   The guest's.
 *
 * Return: 0, -EEXIST, or -errno.
 */
int link_add_macvtap(struct link_nl *nl, const char *name, int lower,
		     const char *mode, const char *mac) must_check;

/**
 * link_add_route() - Reach a network, or one address, through an interface.
 * @at:  @len bytes of address, 4 or 16, of which the first @bits count.
 *
 * Return: 0; -EEXIST if there is a route; or -errno.
 */
int link_add_route(struct link_nl *nl, int index, const uint8_t *at, size_t len,
		   unsigned int bits) must_check;

/**
 * link_bridge_vlan() - What a bridge does about VLANs.
 * @index:   The bridge.
 * @filters: It keeps its ports' VLANs apart.
 * @vid:     The VLAN that each new port is given, untagged; 0: none.
 */
int link_bridge_vlan(struct link_nl *nl, int index, bool *filters,
		     uint16_t *vid) must_check;

/**
 * link_set_vlans() - Settle the VLANs of a bridge's port.
 * @index: The port.
 * @old:   Single VLAN that it is to leave, unless @set has it; 0: none.
 */
int link_set_vlans(struct link_nl *nl, int index, uint16_t old,
		   const struct vlan_set *set) must_check;

/** link_change() - Change an interface. */
int link_change(struct link_nl *nl, int index,
		const struct link_want *want) must_check;

/**
 * link_quiet() - Keep an interface from giving itself an IPv6 address, before
 * it is brought up.
 *
 * All vifs have the same hardware address: with addresses made of it they would
 * clash on their bridge, and speak into it. Nothing to do without IPv6.
 */
void link_quiet(struct link_nl *nl, int index);

/** link_del() - Remove an interface. */
int link_del(struct link_nl *nl, int index) must_check;

/** link_add_addr() - Give an interface an address of a network. */
int link_add_addr(struct link_nl *nl, int index, uint32_t ip,
		  unsigned int prefix) must_check;

/**
 * link_add_addr6() - Give an interface an IPv6 address, usable at once.
 * @ip: 16 bytes.
 */
int link_add_addr6(struct link_nl *nl, int index, const uint8_t *ip,
		   unsigned int prefix) must_check;

/** link_has_ra_route() - Whether a route came by a router advertisement. */
bool link_has_ra_route(struct link_nl *nl);

/** link_has_addr() - Return: 1 if the interface has it, 0 if not, -errno. */
int link_has_addr(struct link_nl *nl, int index, uint32_t ip,
		  unsigned int prefix) must_check;

/**
 * link_route_clash() - Look for another interface that leads to a network.
 * @ip:     An address in it.
 * @prefix: Its length.
 * @index:  Interface that may lead there; 0 for none.
 * @name:   LINK_NAME_MAX bytes: filled with the other's name when there is one.
 *
 * Default routes and routes to larger networks do not count.
 *
 * Return: 1 if there is one, 0 if not, or -errno.
 */
int link_route_clash(struct link_nl *nl, uint32_t ip, unsigned int prefix,
		     int index, char *name) must_check;

#endif
