/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/vif_wire.h - ways to wire the host's end of a card; vif_*.c only. */
#ifndef DOM0_BACKEND_VIF_WIRE_H
#define DOM0_BACKEND_VIF_WIRE_H

#include <stdio.h>

#include "dom0-backend/dhcp.h"
#include "dom0-backend/link_nl.h"
#include "dom0-backend/nat.h"
#include "dom0-backend/vif_setup.h"
#include "dom0-backend/vlan.h"

/**
 * struct vif_wiring - One way to wire an interface.
 * @name:   What net= has before a ':'; NULL: without net=.
 * @check:  Before the interface is there: can it be done, and what is needed of
 *          the host?  @arg is what net= has behind the ':', or NULL.
 * @open:   If set: make the interface, with so many queues, in setup.link->fd; else
 *          it is a TAP.  -EEXIST without a message: there is one of that name.
 * @bare:   There is no interface: @open makes one queue, which is a socket
 *          (usernet.h), and that is all.
 * @attach: If set: the interface is there and up; it has no carrier yet.
 * @adopt:  In place of @check, @open and @attach: another parent's worker has the
 *          interface, which is wired; settle what @undo needs.  If it fails, or is
 *          not set, the interface is made anew.
 * @sweep:  If set: when a parent starts, undo what killed ones have left.
 * @heal:   If set: for vif_heal().
 * @ready, @reaped: If set: for vif_ready() and vif_reaped().
 * @undo:   If set: of @check and @attach, also of their halves; the interface is
 *          gone by now.
 *
 * They return 0 or -errno, with one line in setup.err that names the object, the
 * value and a remedy.
 */
struct vif_wiring {
	const char *name;
	bool bare;
	int (*check)(struct vif_setup *s, const char *arg);
	int (*open)(struct vif_setup *s, unsigned int nqueues);
	int (*attach)(struct vif_setup *s);
	int (*adopt)(struct vif_setup *s, const char *arg);
	int (*heal)(struct vif_setup *s);
	int (*ready)(struct vif_link *link, char *err, size_t errlen);
	bool (*reaped)(struct vif_link *link, pid_t pid);
	void (*undo)(struct link_nl *nl, const struct vif_link *link);
	void (*sweep)(struct link_nl *nl);
};

/**
 * struct vif_setup - A vif being set up.
 * @lock:   Of the NAT bridges; -1 if not held.
 * @index:  Of the interface.
 * @bridge: What it becomes a port of, or 0.
 * @mtu:    Of the bridge; 0 without one.
 * @alias:  To be given to the interface; "" for none.
 * @guard:  What link->guard says; if not "".
 * @mac:    Of the host's end.
 * @mode:   Of a macvtap interface; @lower is the one that it is on.
 * @vlan:   From vlan=, if @has_vlan.
 * @default_vid: The VLAN that @bridge gives each port; 0: none.
 * @ip:     Of the guest; 0: none allocated.
 */
struct vif_setup {
	const struct vif_config *cfg;
	struct vif_link *link;
	struct link_nl *nl;
	int lock;
	int index, bridge;
	unsigned int mtu;
	char alias[LINK_ALIAS_MAX];
	struct net_guard guard;
	const char *mac, *mode;
	int lower;
	bool has_vlan;
	struct vlan_set vlan;
	uint16_t default_vid;
	struct nat nat;
	uint32_t ip;
	char *err;
	size_t errlen;
};

#define vif_say(s, ...)	      snprintf((s)->err, (s)->errlen, __VA_ARGS__)
#define vif_fail(s, ret, ...) (vif_say(s, __VA_ARGS__), (ret))

static inline bool vif_has(const char *key)
{
	return key && *key;
}

/** vif_name_is_good() - Whether @name can be an interface's. */
bool vif_name_is_good(const char *name);

/**
 * vif_check_name() - vif_name_is_good(), or -EINVAL and a message.  Names go into
 * file names, nftables' language, OVSDB's and messages.
 * @what: The key that has it.
 */
int vif_check_name(struct vif_setup *s, const char *what,
		   const char *name) must_check;

/**
 * vif_ovs_check() - Whether bridge= names a bridge of Open vSwitch.
 *
 * Return: 0: it does, and the wiring is vif_ovs; -ENODEV without a message if there
 * is none; or -errno with one.
 */
int vif_ovs_check(struct vif_setup *s) must_check;

extern const struct vif_wiring vif_bridge, vif_macvtap, vif_nat, vif_ovs,
	vif_route, vif_script, vif_user;

#endif
