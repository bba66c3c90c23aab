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

static int check(struct vif_setup *s, const char *arg)
{
	const char *name = s->cfg->bridge;
	struct link_info info;
	int ret;

	(void)arg;
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
	return check_vlans(s);
}

/* The port's VLANs in place of the one that the bridge gives each port. */
static int attach(struct vif_setup *s)
{
	int ret;

	if (!s->has_vlan)
		return 0;
	ret = link_set_vlans(s->nl, s->index, s->default_vid, &s->vlan);
	if (!ret)
		return 0;
	return vif_fail(s, ret, "bridge %s does not take vlan='%s' for %s: %s",
			s->cfg->bridge, s->cfg->vlan, s->link->name,
			strerror(-ret));
}

/* The interface is no port any more. */
static int heal(struct vif_setup *s)
{
	struct vif_link *l = s->link;
	const char *name = vif_has(s->cfg->bridge) ? s->cfg->bridge : "";
	struct link_want join = { .master = 0 };
	struct link_info info, bridge;
	int ret;

	if (!vif_name_is_good(name) || link_get(s->nl, name, &bridge) ||
	    !bridge.bridge)
		return vif_fail(s, -ENODEV,
				"bridge %s has gone: %s is made a port of it "
				"again when it is back",
				name, l->name);
	if (bridge.index == l->bridge_index)
		return 0;
	ret = check(s, NULL);
	if (ret)
		return ret;
	ret = link_get(s->nl, l->name, &info);
	/* In no other VLAN meanwhile. */
	if (!ret && s->has_vlan && info.carrier)
		ret = tap_carrier(l->fd[0], false);
	join.master = s->bridge;
	if (!ret)
		ret = link_change(s->nl, info.index, &join);
	if (ret)
		return vif_fail(s, ret, "interface %s does not join %s: %s",
				l->name, name, strerror(-ret));
	s->index = info.index;
	ret = attach(s);
	if (!ret && s->has_vlan && info.carrier)
		ret = tap_carrier(l->fd[0], true);
	if (ret)
		return ret;
	l->bridge_index = s->bridge;
	return 1;
}

/* It is a port still; Open vSwitch's were swept away when we started. */
static int adopt(struct vif_setup *s, const char *arg)
{
	int ret = check(s, arg);

	return ret || s->link->wiring == &vif_bridge
		       ? ret
		       : s->link->wiring->attach(s);
}

const struct vif_wiring vif_bridge = {
	.check = check,
	.attach = attach,
	.heal = heal,
	.adopt = adopt,
};
