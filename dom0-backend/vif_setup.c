// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/vif_setup.c - the host's end of a PV network card.
#include "dom0-backend/vif_setup.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "dom0-backend/device.h"
#include "dom0-backend/dhcp.h"
#include "dom0-backend/tap.h"
#include "dom0-backend/vif_wire.h"

/*
 * Packets that may wait in a TAP queue: what bounds the memory that a guest can
 * tie up by not reading, at 64 KiB each.
 */
#define TXQLEN	    256
#define DEFAULT_MTU 1500
#define MTU_MIN	    68u
#define MTU_MAX	    65521u

#define VIF_NETS "use nat, nat:ADDR/LEN, route, macvtap:DEV, user or none"

_Static_assert(VIF_NAME_MAX == LINK_NAME_MAX, "the same names");

bool vif_name_is_good(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)name[i]) &&
		    (!strchr("_.-", name[i]) || !i))
			return false;
	}
	return len && len < VIF_NAME_MAX;
}

int vif_check_name(struct vif_setup *s, const char *what, const char *name)
{
	char shown[64];

	if (vif_name_is_good(name))
		return 0;
	return vif_fail(s, -EINVAL,
			"%s '%s' is not a usable interface name: take 1 to 15 "
			"letters, digits, '_', '.' or '-'",
			what,
			util_escape(shown, sizeof(shown), name, strlen(name)));
}

static int settle_name(struct vif_setup *s)
{
	const struct vif_config *cfg = s->cfg;
	char *name = s->link->name;
	int ret;

	/* A script itself gives it that name. */
	if (!vif_has(cfg->vifname) || vif_has(cfg->script)) {
		snprintf(name, VIF_NAME_MAX, "vif%u.%u", cfg->domid,
			 cfg->devid);
		return 0;
	}
	ret = vif_check_name(s, "vifname", cfg->vifname);
	if (!ret)
		snprintf(name, VIF_NAME_MAX, "%s", cfg->vifname);
	return ret;
}

/* What the worker will judge packets by is checked while the user can be told. */
static int settle_guard(struct vif_setup *s)
{
	const struct vif_config *cfg = s->cfg;
	uint8_t mac[6];
	char shown[64];
	int ret;

	if (!vif_has(cfg->guard))
		return 0;
	if (!cfg->mac || dhcp_mac_parse(cfg->mac, mac))
		return vif_fail(
			s, -EINVAL,
			"ip= limits what the guest may send, which needs "
			"its address: give mac=, such as "
			"mac=00:16:3e:01:02:03");
	ret = net_guard_parse(cfg->mac, cfg->guard, &s->guard);
	if (ret)
		return vif_fail(
			s, ret,
			"ip '%s' is not a list of 1 to %u IPv4 or IPv6 "
			"addresses or networks, such as 10.0.0.2 fd00::/64",
			util_escape(shown, sizeof(shown), cfg->guard,
				    strlen(cfg->guard)),
			NET_GUARD_MAX);
	memcpy(s->link->guard, cfg->guard, strlen(cfg->guard) + 1);
	return 0;
}

static int check_none(struct vif_setup *s, const char *arg)
{
	char shown[64];

	if (!arg)
		return 0;
	return vif_fail(s, -EINVAL, "net=none:%s: none takes no value",
			util_escape(shown, sizeof(shown), arg, strlen(arg)));
}

static const struct vif_wiring vif_none = { "none", .check = check_none,
					    .adopt = check_none };

static const struct vif_wiring *const wirings[] = {
	&vif_bridge,  &vif_ovs,	 &vif_nat,  &vif_route,
	&vif_macvtap, &vif_user, &vif_none,
};

#define NO_LINK                                                             \
	(struct vif_link)                                                   \
	{                                                                   \
		.hotplug = HOTPLUG_INIT, .user = { .far = -1, .said = -1 }, \
	}

/* "NAME" or "NAME:ARG", or nothing. */
static bool is_named(const struct vif_wiring *w, const char *net,
		     const char **arg)
{
	size_t len;

	*arg = NULL;
	if (!w->name || !vif_has(net))
		return !w->name && !vif_has(net);
	len = strlen(w->name);
	if (strncmp(net, w->name, len) != 0 || (net[len] && net[len] != ':'))
		return false;
	if (net[len])
		*arg = net + len + 1;
	return true;
}

/* Settle how to wire it; @arg is what net= has behind the name. */
static int choose(struct vif_setup *s, const char **arg)
{
	const char *net = s->cfg->net, *why;
	char shown[64];

	if (vif_has(s->cfg->vlan) && vlan_parse(s->cfg->vlan, &s->vlan, &why))
		return vif_fail(s, -EINVAL, "vlan '%s': %s",
				util_escape(shown, sizeof(shown), s->cfg->vlan,
					    strlen(s->cfg->vlan)),
				why);
	if (vif_has(s->cfg->vlan) && vif_has(net))
		return vif_fail(s, -EINVAL,
				"vlan= is for a card on a bridge: leave net= "
				"out, or vlan=");
	s->has_vlan = vif_has(s->cfg->vlan);
	if (vif_has(s->cfg->script)) {
		*arg = NULL;
		s->link->wiring = &vif_script;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(wirings); i++) {
		if (!wirings[i]->check || !is_named(wirings[i], net, arg))
			continue;
		s->link->wiring = wirings[i];
		return 0;
	}
	return vif_fail(s, -EINVAL, "net='%s' is not known: " VIF_NETS,
			util_escape(shown, sizeof(shown), net, strlen(net)));
}

static unsigned int count_queues(const struct vif_config *cfg)
{
	unsigned int n = MIN(cfg->queues, VIF_MAX_QUEUES);

	return n ? n : device_max_queues(VIF_MAX_QUEUES);
}

static void let_go(struct vif_link *l)
{
	while (l->nqueues)
		fd_close(&l->fd[--l->nqueues]);
}

/* Take an interface over that is there, and wired; else it has to be made. */
static bool adopt(struct vif_setup *s, const char *arg)
{
	struct vif_link *l = s->link;
	unsigned int n = count_queues(s->cfg);

	if (!s->cfg->adopt || !l->wiring->adopt || tap_join(l->name, n, l->fd))
		return false;
	l->nqueues = n;
	if (!l->wiring->adopt(s, arg))
		return true;
	let_go(l);
	return false;
}

static int open_tap(struct vif_setup *s)
{
	struct vif_link *l = s->link;
	const struct vif_wiring *w = l->wiring;
	unsigned int n = w->bare ? 1 : count_queues(s->cfg);
	int ret;

	ret = w->open ? w->open(s, n) : tap_open(l->name, n, l->fd);
	if (!ret) {
		l->nqueues = n;
		return 0;
	}
	if (w->open && ret != -EEXIST)
		return ret;
	if (ret == -ENOENT || ret == -ENODEV || ret == -ENXIO)
		return vif_fail(
			s, ret,
			"/dev/net/tun is not there: load the tun module "
			"(modprobe tun)");
	if (ret == -EBUSY || ret == -EINVAL || ret == -EEXIST)
		return vif_fail(
			s, ret,
			"interface %s exists already: remove it, or choose "
			"another vifname",
			l->name);
	if (ret == -EPERM || ret == -EACCES)
		return vif_fail(
			s, ret,
			"no permission to make interface %s: run as root",
			l->name);
	return vif_fail(s, ret,
			"interface %s cannot be made with /dev/net/tun: %s",
			l->name, strerror(-ret));
}

/* Address, queue length and size first: a bridge takes over a port's MTU. */
static int wire_tap(struct vif_setup *s)
{
	const struct vif_wiring *w = s->link->wiring;
	struct link_want want = {
		.mac = s->mac ? s->mac : "fe:ff:ff:ff:ff:ff",
		.mtu = s->cfg->mtu ? s->cfg->mtu : s->mtu,
		.txqlen = TXQLEN,
	};
	struct link_want up = { .master = s->bridge, .up = w != &vif_script };
	struct link_info info;
	int ret;

	if (s->alias[0])
		up.alias = s->alias;
	ret = link_get(s->nl, s->link->name, &info);
	if (!ret) {
		s->index = info.index;
		link_quiet(s->nl, s->index);
		ret = link_change(s->nl, s->index, &want);
	}
	if (!ret)
		ret = link_change(s->nl, s->index, &up);
	if (ret)
		return vif_fail(s, ret, "interface %s cannot be wired: %s",
				s->link->name, strerror(-ret));
	return w->attach ? w->attach(s) : 0;
}

static int make(struct vif_setup *s, const char *arg)
{
	int ret = s->link->wiring->check(s, arg);

	if (!ret)
		ret = open_tap(s);
	return ret || s->link->wiring->bare ? ret : wire_tap(s);
}

int vif_open(const struct vif_config *cfg, struct vif_link *out, char *err,
	     size_t errlen)
{
	struct vif_link link = NO_LINK;
	struct vif_setup s = {
		.cfg = cfg,
		.link = &link,
		.lock = -1,
		.err = err,
		.errlen = errlen,
	};
	const char *arg;
	int ret;

	memset(link.fd, -1, sizeof(link.fd));
	ret = settle_name(&s);
	if (!ret)
		ret = settle_guard(&s);
	if (ret)
		return ret;
	if (cfg->mtu && (cfg->mtu < MTU_MIN || cfg->mtu > MTU_MAX))
		return vif_fail(&s, -EINVAL, "mtu %u is not in %u to %u",
				cfg->mtu, MTU_MIN, MTU_MAX);
	ret = link_open(&s.nl);
	if (ret)
		return vif_fail(&s, ret, "netlink: %s", strerror(-ret));
	ret = choose(&s, &arg);
	if (!ret && !adopt(&s, arg))
		ret = make(&s, arg);
	fd_close(&s.lock);
	link_close(s.nl);
	if (ret) {
		vif_close(&link);
		return ret;
	}
	if (link.wiring == &vif_bridge)
		link.bridge_index = s.bridge ? s.bridge : VIF_NO_BRIDGE;
	*out = link;
	return 0;
}

bool vif_astray(const struct vif_link *link, struct link_nl *nl)
{
	struct link_info info;

	return link->nqueues && link->bridge_index &&
	       (link_get(nl, link->name, &info) || !info.master);
}

int vif_heal(const struct vif_config *cfg, struct vif_link *link,
	     struct link_nl *nl, char *err, size_t errlen)
{
	struct vif_setup s = {
		.cfg = cfg,
		.link = link,
		.nl = nl,
		.lock = -1,
		.err = err,
		.errlen = errlen,
	};
	const char *why;

	if (!link->wiring->heal || !vif_astray(link, nl))
		return 0;
	err[0] = '\0';
	s.has_vlan = vif_has(cfg->vlan);
	if (s.has_vlan && vlan_parse(cfg->vlan, &s.vlan, &why))
		return vif_fail(&s, -EINVAL, "vlan= was changed: %s", why);
	return link->wiring->heal(&s);
}

/* The interface goes although a worker may hold queues of it. */
static void remove_tap(struct link_nl *nl, const struct vif_link *link)
{
	struct link_info info;
	int ret;

	if (!link->nqueues || link->wiring->bare ||
	    link_get(nl, link->name, &info))
		return;
	ret = link_del(nl, info.index);
	if (ret && ret != -ENODEV)
		log_warn("interface %s is not removed: %s", link->name,
			 strerror(-ret));
}

void vif_close(struct vif_link *link)
{
	struct link_nl *nl = NULL;
	bool later =
		vif_quit(link); /* a script has the interface till it ends */
	int ret;

	hotplug_leave(&link->hotplug);
	if (link->wiring && link->wiring->bare && link->nqueues)
		shutdown(link->fd[0], SHUT_RDWR); /* a worker has it, too */
	ret = link->wiring ? link_open(&nl) : 0;
	if (ret)
		log_warn("netlink: %s", strerror(-ret));
	if (nl && !later)
		remove_tap(nl, link);
	for (unsigned int i = 0; i < link->nqueues; i++)
		fd_close(&link->fd[i]);
	if (nl && link->wiring->undo)
		link->wiring->undo(nl, link);
	link_close(nl);
	*link = NO_LINK;
}

int vif_ready(struct vif_link *link, char *err, size_t errlen)
{
	const struct vif_wiring *w = link->wiring;

	return w->ready ? w->ready(link, err, errlen) : 0;
}

bool vif_reaped(struct vif_link *link, pid_t pid)
{
	const struct vif_wiring *w = link->wiring;

	return w->reaped && w->reaped(link, pid);
}

bool vif_lost(struct vif_link *link)
{
	/* Why passt did not start is vif_ready()'s to tell. */
	if (!link->nqueues || link->user.said >= 0 || !tap_gone(link->fd[0]))
		return false;
	let_go(link);
	return true;
}

bool vif_carrier(const struct vif_link *link, struct link_nl *nl)
{
	struct link_info info, bridge;

	if (link->wiring->bare)
		return true;
	if (link_get(nl, link->name, &info) || !info.up)
		return false;
	if (link->wiring == &vif_macvtap)
		return info.carrier;
	if (!link->bridge_index && !link->nat[0])
		return true;
	return info.master && !link_get_index(nl, info.master, &bridge) &&
	       bridge.up;
}

void vif_sweep(void)
{
	struct link_nl *nl;

	if (link_open(&nl))
		return;
	link_remove_half(nl);
	for (size_t i = 0; i < ARRAY_SIZE(wirings); i++) {
		if (wirings[i]->sweep)
			wirings[i]->sweep(nl);
	}
	link_close(nl);
}

void vif_tidy(void)
{
	struct link_nl *nl;

	if (link_open(&nl))
		return;
	vif_nat.sweep(nl);
	link_close(nl);
}
