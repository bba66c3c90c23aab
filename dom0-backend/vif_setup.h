/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/vif_setup.h - the host's end of a PV network card. */
#ifndef DOM0_BACKEND_VIF_SETUP_H
#define DOM0_BACKEND_VIF_SETUP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"
#include "dom0-backend/hotplug.h"
#include "dom0-backend/net_guard.h"

/*
 * How it works
 *
 * The parent makes a TAP interface per vif, wires it as the toolstack's keys
 * say, and hands its queues to the worker, which needs no privilege to use
 * them. The interface is not persistent: it goes when the last process that
 * holds a queue does.
 *
 *	bridge=NAME		join a bridge that exists already; vlan=SPEC: as a port
 *				of these VLANs
 *	bridge=NAME		the same, a bridge of Open vSwitch
 *	net=nat[:ADDR/LEN][+ADDR6/64]
 *				join the NAT bridge (bridge=NAME names it, default
 *				VIF_NAT_BRIDGE), made on demand with address
 *				ADDR (default VIF_NAT_ADDR) and ADDR6 (or none) and
 *				removed again with its last port; the guest is
 *				given an address, which sv-netback leases to it by
 *				DHCP, and told its IPv6 network
 *	net=route		routes to the addresses of ip=, no bridge
 *	net=macvtap:DEV[:MODE]	a macvtap interface instead, on DEV
 *	net=user[:WORDS]	no interface: passt(1) has sockets of the host (vif_user.c)
 *	script=PATH		a hotplug script does it (hotplug.h)
 *	net=none		join nothing; the operator wires the interface
 *
 * SPLITVISOR_NAT_BRIDGE, SPLITVISOR_NAT_ADDR and SPLITVISOR_NAT_ADDR6 in the
 * environment replace the defaults. What belongs to us is marked in the kernel itself (an interface
 * alias) or in Open vSwitch's database, so there is no state to lose: vif_sweep()
 * finds what a killed parent has left behind.
 */
#define VIF_MAX_QUEUES 8
#define VIF_NAME_MAX   16 /* IFNAMSIZ */
#define VIF_NAT_BRIDGE "sv-nat"
#define VIF_NAT_ADDR   "192.168.231.1/24"

struct link_nl;
struct vif_setup;
struct vif_wiring;

/**
 * struct vif_config - What the toolstack asks for, from the backend's keys.
 * @domid:   The guest.
 * @devid:   The device; with @domid names the interface if @vifname is absent.
 * @queues:  TAP queues to open; 0 means one per host CPU, at most
 *           VIF_MAX_QUEUES.
 * @mtu:     In bytes; 0 means the bridge's, or 1500 without one.
 * @vifname: Key vifname. Strings are borrowed for the call and may be NULL or
 *           "" for an absent key.
 * @bridge:  Key bridge.
 * @vlan:    Key vlan (vlan.h).
 * @net:     Key net.
 * @mac:     Key mac: the guest's address; the host's end is always
 *           fe:ff:ff:ff:ff:ff.
 * @script:  Key hotplug-script: path of a hotplug script, which does all of it.
 * @gatewaydev: Key gatewaydev, for such a script.
 * @ip:      Key ip: IPv4 address wanted for the guest under net=nat.
 * @adopt:   The card is in service.  The interface may be there, wired and with its
 *           address told to the store: a worker that outlived another parent holds it.
 *           A bridge that is not there is waited for: vif_heal().
 * @guard:   Addresses that the guest may send from (net_guard.h); any if absent.
 */
struct vif_config {
	unsigned int domid, devid;
	unsigned int queues;
	unsigned int mtu;
	bool adopt;
	const char *vifname, *bridge, *vlan, *net, *mac, *ip, *guard;
	const char *script, *gatewaydev;
};

/**
 * struct vif_user - Of net=user.
 * @words:  What net= has behind the ':'.
 * @domid, @devid: As text.
 * @mtu:    For the guest to be told; 0: none.
 * @far:    The wire's other end, till sv-usernet is started; then -1.
 * @said:   Read end of a pipe: how its start goes; -1: that is over, or yet to come.
 * @pid:    Of sv-usernet; 0: there is none.
 */
struct vif_user {
	char words[192], domid[16], devid[16];
	unsigned int mtu;
	int far, said;
	pid_t pid;
};

/** enum vif_script - What of a hotplug script has been run. */
enum vif_script { VIF_SCRIPT_NONE, VIF_SCRIPT_RUNS, VIF_SCRIPT_DONE };

/**
 * struct vif_link - A vif's TAP interface, open.
 * @wiring:  How it is wired (vif_wire.h).
 * @name:    Of the interface, up and wired; "" if there is none.
 * @ip:      The guest's address, to be written to the backend's `ip` key; ""
 *           when nothing was allocated.
 * @lease:   To be written to the backend's `lease` key before the worker starts,
 *           if not "": what the worker answers to DHCP (see dhcp_lease_parse()).
 * @ra:      To be written to the backend's `ra` key likewise (see ra_parse()); if 
 *           and @ip is not, too.
 * @guard:   To be written to the backend's `antispoof` key likewise, if not "" or
 *           if @ip is not: who starts anew finds in `ip` what we have written.
 * @nat:     NAT bridge that it is a port of, or "".
 * @ovs:     Bridge of Open vSwitch likewise, or "".
 * @bridge_index: Of the Linux bridge that it was last made a port of; VIF_NO_BRIDGE if
 *           that is yet to be made; 0: it is wired in another way.
 * @script:  Hotplug script, or "": then @online says how far it is, @hotplug is its
 *           run, and @store, @bridge and @gatewaydev are what it is told.  It gives
 *           the interface, of number @index, its name, from the key vifname.
 * @user:    Of net=user.
 * @nqueues: Entries of @fd.
 * @fd:      *Owned*: one descriptor per queue, close-on-exec, non-blocking; pass
 *           all of them to the worker, in this order. All queues but the first
 *           are detached, and the carrier is off, until the worker connects.
 *           Of an interface that was taken over the carrier is as it was, and @ip and @lease, which the store has, are "".
 */
struct vif_link {
	const struct vif_wiring *wiring;
	char name[VIF_NAME_MAX];
	char ip[64];
	char lease[192];
	char ra[256];
	char guard[NET_GUARD_TEXT];
	char nat[VIF_NAME_MAX], ovs[VIF_NAME_MAX];
	char script[256], store[64], bridge[64], gatewaydev[VIF_NAME_MAX];
	int index, bridge_index;
#define VIF_NO_BRIDGE (-1)
	enum vif_script online;
	struct hotplug hotplug;
	struct vif_user user;
	unsigned int nqueues;
	int fd[VIF_MAX_QUEUES];
};

/**
 * vif_open() - Make a vif's interface and wire it, or take it over.
 * @cfg:    What to make.
 * @out:    Filled on success only; end it by vif_close().
 * @err:    On failure receives one line that names the object, the value and a
 *          remedy, for hotplug-error and the log.
 * @errlen: Bytes at @err.
 *
 * Blocks for some system calls on netlink; no longer. Leaves nothing behind on
 * failure.
 *
 * Return: 0 or -errno.
 */
int vif_open(const struct vif_config *cfg, struct vif_link *out, char *err,
	     size_t errlen) must_check;

/**
 * vif_ready() - Whether the interface is wired: run its hotplug script, or passt.
 * @err: On failure as vif_open().
 *
 * To be called again till it is another than -EINPROGRESS.
 *
 * Return: 0; -EINPROGRESS; -EAGAIN if it may go well another time; or -errno.
 */
int vif_ready(struct vif_link *link, char *err, size_t errlen) must_check;

/** vif_reaped() - Whether @pid was a process of vif_ready() or vif_quit(). */
bool vif_reaped(struct vif_link *link, pid_t pid) must_check;

/**
 * vif_quit() - Have the hotplug script undo what it did, before vif_close().
 *
 * Return: a process to wait for, or 0 if there is nothing to wait for.
 */
pid_t vif_quit(struct vif_link *link);

/**
 * vif_close() - Remove the interface, and the NAT with its last port.
 * @link: From vif_open(), or zeroed by vif_close() before.
 *
 * A hotplug script that has not run "offline" yet does so by itself, and the interface
 * goes when it has. Also right while a worker still holds queues: they then report an error.
 */
void vif_close(struct vif_link *link);

/**
 * vif_lost() - Whether somebody has removed the interface.
 *
 * Then vif_close() will not look for it: there may be another of that name.
 */
bool vif_lost(struct vif_link *link);

/**
 * vif_astray() - Whether the interface is no port any more of the bridge that it was
 * given: vif_heal() knows what to do.
 * @nl: Of link_open().
 */
bool vif_astray(const struct vif_link *link, struct link_nl *nl);

/**
 * vif_heal() - Make the interface a port again, if its bridge was made anew.
 * @cfg: As for vif_open(): it is wired as then.
 * @err: As there.
 *
 * What somebody has done to the port by hand, while the bridge is there, stays.
 * A bridge that was not there when the interface was made may be one of Open vSwitch.
 *
 * Return: 1 if it is a port again; 0 if there is nothing to do; -ENODEV if the bridge
 * has gone; or -errno.
 */
int vif_heal(const struct vif_config *cfg, struct vif_link *link,
	     struct link_nl *nl, char *err, size_t errlen) must_check;

/**
 * vif_carrier() - Whether the guest has a link, as far as this host goes.
 * @nl: Of link_open().
 *
 * Its interface is up, and so is the bridge that it belongs on; a macvtap interface has
 * the cable of what it is on.  What is behind a bridge's other ports does not count.
 */
bool vif_carrier(const struct vif_link *link, struct link_nl *nl);

/**
 * vif_sweep() - Remove what killed parents have left.
 *
 * To be called when the parent starts, and when it ends. NAT bridges in use have ports
 * and stay; anything else is marked with the run directory, and what is still in use
 * is made again when it is taken over.
 */
void vif_sweep(void);

/** vif_tidy() - Of that what nobody uses any more; at any time. */
void vif_tidy(void);

#endif
