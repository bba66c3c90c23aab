// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/vif_bridge.c - a card on a Linux bridge that is there already.
#include "dom0-backend/vif_wire.h"

#include <errno.h>
#include <string.h>

#include "dom0-backend/tap.h"

static int check_vlans(struct vif_setup *s)
{
	const char *name = s->cfg->bridge;
	bool filters = false;
	int ret;

	if (!s->has_vlan)
		return 0;
	ret = link_bridge_vlan(s->nl, s->bridge, &filters, &s->default_vid);
	if (ret)
		return vif_fail(s, ret, "bridge %s cannot be looked up: %s",
				name, strerror(-ret));
	if (!filters)
		return vif_fail(s, -ENOTSUP,
				"vlan='%s' needs a bridge that knows VLANs: ip "
				"link set %s type bridge vlan_filtering 1",
				s->cfg->vlan, name);
	return 0;
}

/* There is no Linux bridge of that name: is there another? */
static int check_other(struct vif_setup *s, bool exists)
{
	const char *name = s->cfg->bridge;
	int ret;

	s->err[0] = '\0';
	ret = vif_ovs_check(s);
	if (!ret || s->err[0])
		return ret;
	ret = vif_check_name(s, "bridge", name);
	if (ret)
		return ret;
	if (exists)
		return vif_fail(
			s, -ENOTSUP,
			"%s is not a bridge, neither Linux' nor Open "
			"vSwitch's: name one by bridge=, or use net=nat "
			"in the vif's specification",
			name);
	return vif_fail(
		s, -ENODEV,
		"bridge %s does not exist: create it, or use net=nat in "
		"the vif's specification",
		name);
}

/* Return: 0: s->bridge is the bridge, or the wiring vif_ovs; else as check(). */
static int find(struct vif_setup *s)
{
	const char *name = s->cfg->bridge;
	struct link_info info;
	int ret;

	if (!vif_has(name))
		return vif_fail(s, -EINVAL,
				"neither bridge= nor net= is given: name a "
				"bridge, or use net=nat (or net=none)");
	ret = vif_name_is_good(name) ? link_get(s->nl, name, &info) : -ENODEV;
	if (ret == -ENODEV || (!ret && !info.bridge))
		return check_other(s, !ret);
	if (ret)
		return vif_fail(s, ret, "bridge %s cannot be looked up: %s",
				name, strerror(-ret));
	s->bridge = info.index;
	s->mtu = info.mtu;
	return 0;
}

/* A card in service waits for a bridge that has gone: heal() makes it a port. */
static int check(struct vif_setup *s, const char *arg)
{
	int ret = find(s);

	(void)arg;
	if (ret == -ENODEV && s->cfg->adopt)
		return 0;
	return ret || !s->bridge ? ret : check_vlans(s);
}

/* The port's VLANs in place of the one that the bridge gives each port. */
static int attach(struct vif_setup *s)
{
	int ret;

	if (!s->has_vlan || !s->bridge)
		return 0;
	ret = link_set_vlans(s->nl, s->index, s->default_vid, &s->vlan);
	if (!ret)
		return 0;
	return vif_fail(s, ret, "bridge %s does not take vlan='%s' for %s: %s",
			s->cfg->bridge, s->cfg->vlan, s->link->name,
			strerror(-ret));
}

/* Make the interface a port of s->bridge, and be in no other VLAN meanwhile. */
static int join(struct vif_setup *s, const struct link_info *info)
{
	struct vif_link *l = s->link;
	struct link_want want = {
		.master = s->bridge,
		.mtu = s->cfg->mtu ? s->cfg->mtu : s->mtu,
	};
	int ret = check_vlans(s);

	if (ret)
		return ret;
	if (s->has_vlan && info->carrier)
		ret = tap_carrier(l->fd[0], false);
	if (!ret)
		ret = link_change(s->nl, info->index, &want);
	if (ret)
		return vif_fail(s, ret, "interface %s does not join %s: %s",
				l->name, s->cfg->bridge, strerror(-ret));
	ret = attach(s);
	if (!ret && s->has_vlan && info->carrier)
		ret = tap_carrier(l->fd[0], true);
	if (!ret)
		l->bridge_index = s->bridge;
	return ret;
}

/* What was awaited as Linux' has become one of Open vSwitch. */
static int join_ovs(struct vif_setup *s)
{
	struct vif_link *l = s->link;
	int ret = vif_ovs.attach(s);

	if (!ret) {
		l->bridge_index = 0;
		return 0;
	}
	l->wiring = &vif_bridge;
	l->ovs[0] = '\0';
	return ret;
}

/* The interface is no port any more, or has not been one yet. */
static int heal(struct vif_setup *s)
{
	struct vif_link *l = s->link;
	struct link_info info;
	int ret = find(s);

	if (ret == -ENODEV)
		return vif_fail(s, ret,
				"bridge %s has gone: %s is made a port of it "
				"again when it is back",
				s->cfg->bridge, l->name);
	if (!ret && s->bridge && s->bridge == l->bridge_index)
		return 0;
	if (!ret)
		ret = link_get(s->nl, l->name, &info);
	if (ret)
		return *s->err ? ret
			       : vif_fail(s, ret, "interface %s: %s", l->name,
					  strerror(-ret));
	s->index = info.index;
	ret = l->wiring == &vif_ovs ? join_ovs(s) : join(s, &info);
	return ret ? ret : 1;
}

/*
 * It is a port still, or heal() makes it one: its bridge may have been made anew while
 * nobody looked.  Open vSwitch's were swept away when we started.
 */
static int adopt(struct vif_setup *s, const char *arg)
{
	struct link_info info;
	int ret = check(s, arg);

	if (ret || s->link->wiring != &vif_bridge)
		return ret ? ret : s->link->wiring->attach(s);
	ret = link_get(s->nl, s->link->name, &info);
	if (!ret && !info.master)
		s->bridge = 0;
	return ret;
}

const struct vif_wiring vif_bridge = {
	.check = check,
	.attach = attach,
	.heal = heal,
	.adopt = adopt,
};
