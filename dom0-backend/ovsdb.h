/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/ovsdb.h - ports of Open vSwitch, by its database. */
#ifndef DOM0_BACKEND_OVSDB_H
#define DOM0_BACKEND_OVSDB_H

#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "dom0-backend/vlan.h"

/*
 * ovs-vswitchd does what its database says; so does ovs-vsctl no more than write
 * there.  The protocol is JSON-RPC on a local socket (RFC 7047).  Ports of ours are
 * marked by external-ids:splitvisor=OWNER, which survives us and the interface.
 *
 * Names and owners are of letters, digits, '_', '.' and '-'; the caller has checked.
 * All return 0 or -errno, within OVSDB_MS milliseconds for each call.
 */
#define OVSDB_SOCKET "/run/openvswitch/db.sock" /* or $SPLITVISOR_OVSDB */
#define OVSDB_MS     3000u
#define OVSDB_OWNER  64
#define OVSDB_ERR    160

struct ovsdb;

/**
 * struct ovsdb_port - A port to be.
 * @name:  Of the interface, too.
 * @mac:   The guest's address, for external-ids:attached-mac; or NULL.
 * @vlan:  NULL for all VLANs.
 */
struct ovsdb_port {
	const char *bridge, *name, *owner, *mac;
	const struct vlan_set *vlan;
};

/**
 * ovsdb_open() - Connect; @out is *owned*: ovsdb_close().
 *
 * Return: 0; -ENOENT or -ECONNREFUSED: there is no Open vSwitch; or -errno.
 */
int ovsdb_open(struct ovsdb **out) must_check;

/** ovsdb_close() - Disconnect; NULL is fine. */
void ovsdb_close(struct ovsdb *db);

/** ovsdb_why() - What the last failed call was told, one line; "" for nothing. */
const char *ovsdb_why(const struct ovsdb *db);

/** ovsdb_has_bridge() - Return: 1 if there is one of that name, 0, or -errno. */
int ovsdb_has_bridge(struct ovsdb *db, const char *name) must_check;

/** ovsdb_add_port() - Add a port; -EIO if the database refuses it. */
int ovsdb_add_port(struct ovsdb *db, const struct ovsdb_port *port) must_check;

/**
 * ovsdb_del_ports() - Remove ports of an owner.
 * @name: Only this one; NULL: all.
 */
int ovsdb_del_ports(struct ovsdb *db, const char *owner,
		    const char *name) must_check;

#endif
