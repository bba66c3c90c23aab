// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/vif_route.c - a card that the host routes to, without a bridge.
#include "dom0-backend/vif_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "dom0-backend/forward.h"

/* The first entry is the guest's link-local address: nobody routes that. */
#define FIRST_ADDR 1u

static bool has_family(const struct vif_setup *s, uint8_t len)
{
	for (unsigned int i = FIRST_ADDR; i < s->guard.n; i++) {
		if (s->guard.addr[i].len == len)
			return true;
	}
	return false;
}

static int check(struct vif_setup *s, const char *arg)
{
	int ret = 0;

	if (arg)
		return vif_fail(s, -EINVAL,
				"net=route takes no value: the addresses are "
				"those of ip=");
	if (vif_has(s->cfg->bridge))
		return vif_fail(s, -EINVAL,
				"net=route is without a bridge: leave bridge= "
				"out, or net=");
	if (!s->link->guard[0])
		return vif_fail(s, -EINVAL,
				"net=route needs to know what to route to the "
				"guest: give its addresses by ip=");
	s->lock = nat_lock();
	if (s->lock < 0)
		return vif_fail(s, s->lock, "lock of forwarding: %s",
				strerror(-s->lock));
	if (has_family(s, 4))
		ret = forward_on(s->nl, FORWARD_IP, s->err, s->errlen);
	if (!ret && has_family(s, 16))
		ret = forward_on(s->nl, FORWARD_IP6, s->err, s->errlen);
	snprintf(s->alias, sizeof(s->alias), FORWARD_ROUTE);
	return ret;
}

/* The host answers the guest's ARP requests for all that it can reach. */
static int answer_arp(struct vif_setup *s)
{
	char path[64];
	int ret = 0, fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/proxy_arp",
		 s->link->name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		ret = vif_fail(s, -errno, "%s cannot be set to 1: %s", path,
			       strerror(errno));
	fd_close(&fd);
	return ret;
}

static int add_route(struct vif_setup *s, const struct net_guard_addr *a)
{
	char text[INET6_ADDRSTRLEN];
	int ret = link_add_route(s->nl, s->index, a->at, a->len, a->bits);

	if (!ret)
		return 0;
	inet_ntop(a->len == 4 ? AF_INET : AF_INET6, a->at, text, sizeof(text));
	if (ret == -EEXIST)
		return vif_fail(s, ret,
				"the host has a route to %s/%u already: remove "
				"it (ip route show %s/%u), or change ip=",
				text, a->bits, text, a->bits);
	return vif_fail(s, ret, "no route to %s/%u through %s: %s", text,
			a->bits, s->link->name, strerror(-ret));
}

static int attach(struct vif_setup *s)
{
	uint8_t router[16];
	int ret = 0;

	if (has_family(s, 4))
		ret = answer_arp(s);
	if (!ret && has_family(s, 16) &&
	    inet_pton(AF_INET6, NAT_ROUTER6, router) == 1) {
		ret = link_add_addr6(s->nl, s->index, router, 64);
		if (ret)
			vif_say(s, "%s gets no address " NAT_ROUTER6 ": %s",
				s->link->name, strerror(-ret));
	}
	for (unsigned int i = FIRST_ADDR; i < s->guard.n && !ret; i++)
		ret = add_route(s, &s->guard.addr[i]);
	return ret;
}

/* Routes are the interface's, and so is the mark that keeps forwarding on. */
static int adopt(struct vif_setup *s, const char *arg)
{
	(void)s, (void)arg;
	return 0;
}

/* Routes have gone with the interface. */
static void undo(struct link_nl *nl, const struct vif_link *link)
{
	int lock = nat_lock();

	if (lock >= 0)
		forward_off(nl);
	else
		log_warn("%s: forwarding is not turned off: %s", link->name,
			 strerror(-lock));
	fd_close(&lock);
}

const struct vif_wiring vif_route = {
	"route", .check = check, .attach = attach, .adopt = adopt, .undo = undo,
};
