// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/vif_macvtap.c - a card beside the host's own on one of its interfaces.
#include "dom0-backend/vif_wire.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "dom0-backend/tap.h"

/* The alias of an interface of ours: it outlives us. */
#define MARK "splitvisor macvtap "

/* "DEV", or "DEV:MODE". */
static int check(struct vif_setup *s, const char *arg)
{
	char dev[VIF_NAME_MAX] = "", owner[LINK_OWNER];
	struct link_info info;
	size_t len = arg ? strcspn(arg, ":") : 0;
	int ret;

	s->mode = arg && arg[len] ? arg + len + 1 : "bridge";
	if (len >= sizeof(dev) || !link_macvtap_mode(s->mode))
		return vif_fail(
			s, -EINVAL,
			"net=macvtap: it must be macvtap:DEV or "
			"macvtap:DEV:MODE, with a mode of bridge, vepa, "
			"private or passthru");
	snprintf(dev, sizeof(dev), "%.*s", (int)len, arg ? arg : "");
	ret = vif_check_name(s, "net=macvtap:", dev);
	if (ret)
		return ret;
	if (!vif_has(s->cfg->mac) || vif_has(s->cfg->bridge))
		return vif_fail(s, -EINVAL,
				"net=macvtap needs mac=, and no bridge=");
	ret = link_get(s->nl, dev, &info);
	if (ret)
		return vif_fail(s, ret,
				"net=macvtap:%s: there is no such interface: "
				"ip link shows those there are",
				dev);
	s->lower = info.index;
	s->mtu = info.mtu;
	s->mac = s->cfg->mac;
	link_owner(owner);
	snprintf(s->alias, sizeof(s->alias), MARK "%s", owner);
	return 0;
}

static int open_queues(struct vif_setup *s, unsigned int n)
{
	struct vif_link *l = s->link;
	struct link_want mark = { .name = l->name, .alias = s->alias };
	char half[LINK_NAME_MAX];
	struct link_info info;
	int ret;

	link_half_name(half);
	ret = link_add_macvtap(s->nl, half, s->lower, s->mode, s->mac);
	if (!ret)
		ret = link_get(s->nl, half, &info);
	if (ret)
		return vif_fail(s, ret,
				"interface %s cannot be made on %s: %s%s",
				l->name, s->cfg->net + strlen("macvtap:"),
				strerror(-ret),
				ret == -EOPNOTSUPP
					? ": load the macvtap module (modprobe "
					  "macvtap)"
				: ret == -EBUSY
					? ": is it in a bridge, or passed "
					  "through?"
					: "");
	ret = link_change(s->nl, info.index, &mark);
	if (ret == -EEXIST) {
		link_remove_half(s->nl);
		return ret;
	}
	if (!ret)
		ret = tap_open_macvtap(l->name, info.index, n, l->fd);
	if (!ret)
		return 0;
	if (link_del(s->nl, info.index))
		log_warn("interface %s is not removed", l->name);
	return vif_fail(s, ret,
			"/dev/tap%d of interface %s cannot be opened: %s",
			info.index, l->name, strerror(-ret));
}

struct leftovers {
	struct link_nl *nl;
	char mark[LINK_ALIAS_MAX];
};

static int remove_marked(void *arg, const struct link_info *info)
{
	struct leftovers *l = arg;

	if (!strcmp(info->alias, l->mark) && link_del(l->nl, info->index))
		log_warn("interface %s is not removed", info->name);
	return 0;
}

static void sweep(struct link_nl *nl)
{
	struct leftovers l = { .nl = nl };
	char owner[LINK_OWNER];

	link_owner(owner);
	snprintf(l.mark, sizeof(l.mark), MARK "%s", owner);
	if (link_each(nl, remove_marked, &l))
		log_warn("interfaces cannot be listed");
}

const struct vif_wiring vif_macvtap = {
	"macvtap",
	.check = check,
	.open = open_queues,
	.sweep = sweep,
};
