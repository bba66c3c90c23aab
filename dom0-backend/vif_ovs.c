// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/vif_ovs.c - a card on a bridge of Open vSwitch.
#include "dom0-backend/vif_wire.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "dom0-backend/ovsdb.h"

/* Of "NAME[.VID][:VID...]" what is behind the name. */
static int read_vids(const char *at, struct vlan_set *set)
{
	while (*at) {
		bool own = *at == '.';
		char digits[8] = "";
		size_t len = strspn(at + 1, "0123456789");
		uint64_t vid;

		if (!len || len >= sizeof(digits))
			return -EINVAL;
		memcpy(digits, at + 1, len);
		at += 1 + len;
		if (util_u64(digits, VLAN_MAX, &vid) || !vid ||
		    set->member[vid] || (*at && *at != ':'))
			return -EINVAL;
		set->member[vid] = own ? VLAN_UNTAGGED : VLAN_TAGGED;
		if (own)
			set->pvid = (uint16_t)vid;
	}
	return 0;
}

/* Xen's vif-openvswitch has the card's VLANs behind the bridge's name. */
static int split_name(struct vif_setup *s, char name[VIF_NAME_MAX])
{
	const char *text = s->cfg->bridge;
	size_t len = strcspn(text, ".:");
	char shown[64];
	int ret;

	snprintf(name, VIF_NAME_MAX, "%.*s", (int)len, text);
	ret = len < VIF_NAME_MAX ? vif_check_name(s, "bridge", name) : -EINVAL;
	util_escape(shown, sizeof(shown), text, strlen(text));
	if (!ret && text[len] && vif_has(s->cfg->vlan))
		return vif_fail(s, -EINVAL,
				"bridge '%s' names VLANs, and so does vlan=: "
				"use one of them",
				shown);
	if (!ret)
		ret = read_vids(text + len, &s->vlan);
	if (ret)
		return vif_fail(s, ret,
				"bridge '%s' is not NAME[.VLAN][:VLAN...], "
				"with VLANs of 1 to 4094",
				shown);
	s->has_vlan = s->has_vlan || text[len];
	return 0;
}

int vif_ovs_check(struct vif_setup *s)
{
	char *name = s->link->ovs;
	struct link_info info;
	struct ovsdb *db;
	int ret;

	if (ovsdb_open(&db))
		return -ENODEV;
	ret = split_name(s, name);
	if (!ret) {
		ret = ovsdb_has_bridge(db, name);
		if (ret < 0)
			ret = vif_fail(s, ret,
				       "Open vSwitch does not answer: %s%s%s",
				       strerror(-ret),
				       *ovsdb_why(db) ? ": " : "",
				       ovsdb_why(db));
		else
			ret = ret ? 0 : -ENODEV;
	}
	ovsdb_close(db);
	if (ret) {
		name[0] = '\0';
		return ret;
	}
	s->link->wiring = &vif_ovs;
	if (!link_get(s->nl, name, &info))
		s->mtu = info.mtu;
	return 0;
}

static int attach(struct vif_setup *s)
{
	char owner[LINK_OWNER];
	struct ovsdb_port port = {
		.bridge = s->link->ovs,
		.name = s->link->name,
		.owner = owner,
		.mac = vif_has(s->cfg->mac) ? s->cfg->mac : NULL,
		.vlan = s->has_vlan ? &s->vlan : NULL,
	};
	struct ovsdb *db;
	uint8_t mac[6];
	int ret;

	if (port.mac && dhcp_mac_parse(port.mac, mac))
		return vif_fail(s, -EINVAL,
				"mac= of %s is not an address such as "
				"00:16:3e:01:02:03",
				s->link->name);
	link_owner(owner);
	ret = ovsdb_open(&db);
	if (ret)
		return vif_fail(s, ret, "Open vSwitch is gone: %s",
				strerror(-ret));
	ret = ovsdb_del_ports(db, owner, port.name); /* of a killed one */
	if (!ret)
		ret = ovsdb_add_port(db, &port);
	if (ret)
		ret = vif_fail(
			s, ret,
			"Open vSwitch does not take %s as a port of %s: %s: "
			"look at ovs-vsctl show",
			port.name, port.bridge,
			*ovsdb_why(db) ? ovsdb_why(db) : strerror(-ret));
	ovsdb_close(db);
	return ret;
}

static void undo(struct link_nl *nl, const struct vif_link *link)
{
	char owner[LINK_OWNER];
	struct ovsdb *db;
	int ret;

	(void)nl;
	link_owner(owner);
	ret = ovsdb_open(&db);
	if (!ret) {
		ret = ovsdb_del_ports(db, owner, link->name);
		ovsdb_close(db);
	}
	if (ret)
		log_warn("Open vSwitch's port %s is not removed: %s",
			 link->name, strerror(-ret));
}

/* Ports of those that a killed parent of this run directory had. */
static void sweep(struct link_nl *nl)
{
	char owner[LINK_OWNER];
	struct ovsdb *db;

	(void)nl;
	link_owner(owner);
	if (ovsdb_open(&db))
		return;
	if (ovsdb_del_ports(db, owner, NULL))
		log_warn("old ports of Open vSwitch are not removed: see "
			 "ovs-vsctl show");
	ovsdb_close(db);
}

const struct vif_wiring vif_ovs = {
	.attach = attach,
	.undo = undo,
	.sweep = sweep,
};
