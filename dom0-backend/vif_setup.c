// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/vif_setup.c - the host's end of a PV network card.
#include "dom0-backend/vif_setup.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "dom0-backend/device.h"
#include "dom0-backend/dhcp.h"
#include "dom0-backend/link_nl.h"
#include "dom0-backend/nat.h"
#include "dom0-backend/tap.h"

/*
 * Packets that may wait in a TAP queue: what bounds the memory that a guest can
 * tie up by not reading, at 64 KiB each.
 */
#define TXQLEN	    256
#define DEFAULT_MTU 1500
#define MTU_MIN	    68u
#define MTU_MAX	    65521u

_Static_assert(VIF_NAME_MAX == LINK_NAME_MAX, "the same names");
_Static_assert(sizeof(((struct vif_link *)0)->lease) == DHCP_LEASE_TEXT, "");

/* A vif being set up. */
struct setup {
	const struct vif_config *cfg;
	struct vif_link *link;
	struct link_nl *nl;
	int lock; /* -1 if not held */
	int index, bridge;
	unsigned int mtu; /* of the bridge; 0 without one */
	struct nat nat;
	uint32_t ip; /* of the guest; 0: none allocated */
	char *err;
	size_t errlen;
};

#define fail(s, ret, ...) (snprintf((s)->err, (s)->errlen, __VA_ARGS__), (ret))

static bool is_set(const char *s)
{
	return s && *s;
}

/* Names go into file names, nftables' language and messages. */
static bool name_is_good(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)name[i]) &&
		    (!strchr("_.-", name[i]) || !i))
			return false;
	}
	return len && len < VIF_NAME_MAX;
}

static int check_name(struct setup *s, const char *what, const char *name)
{
	char shown[64];

	if (name_is_good(name))
		return 0;
	return fail(s, -EINVAL,
		    "%s '%s' is not a usable interface name: take 1 to 15 "
		    "letters, digits, '_', '.' or '-'",
		    what,
		    util_escape(shown, sizeof(shown), name, strlen(name)));
}

static int settle_name(struct setup *s)
{
	const struct vif_config *cfg = s->cfg;
	char *name = s->link->name;
	int ret;

	if (!is_set(cfg->vifname)) {
		snprintf(name, VIF_NAME_MAX, "vif%u.%u", cfg->domid,
			 cfg->devid);
		return 0;
	}
	ret = check_name(s, "vifname", cfg->vifname);
	if (!ret)
		snprintf(name, VIF_NAME_MAX, "%s", cfg->vifname);
	return ret;
}

static int find_bridge(struct setup *s)
{
	const char *name = s->cfg->bridge;
	struct link_info info;
	int ret;

	ret = check_name(s, "bridge", name);
	if (ret)
		return ret;
	ret = link_get(s->nl, name, &info);
	if (ret == -ENODEV)
		return fail(s, ret,
			    "bridge %s does not exist: create it, or use "
			    "net=nat in the vif's specification",
			    name);
	if (ret)
		return fail(s, ret, "bridge %s cannot be looked up: %s", name,
			    strerror(-ret));
	if (!info.bridge)
		return fail(s, -ENOTSUP,
			    "%s is not a Linux bridge: name one by bridge=, or "
			    "use net=nat in the vif's specification",
			    name);
	s->bridge = info.index;
	s->mtu = info.mtu;
	return 0;
}

/* What the worker will judge packets by is checked while the user can be told. */
static int settle_guard(struct setup *s)
{
	const struct vif_config *cfg = s->cfg;
	struct net_guard guard;
	uint8_t mac[6];
	char shown[64];
	int ret;

	if (!is_set(cfg->guard))
		return 0;
	if (!cfg->mac || dhcp_mac_parse(cfg->mac, mac))
		return fail(s, -EINVAL,
			    "ip= limits what the guest may send, which needs "
			    "its address: give mac=, such as "
			    "mac=00:16:3e:01:02:03");
	ret = net_guard_parse(cfg->mac, cfg->guard, &guard);
	if (ret)
		return fail(s, ret,
			    "ip '%s' is not a list of 1 to %u IPv4 or IPv6 "
			    "addresses or networks, such as 10.0.0.2 fd00::/64",
			    util_escape(shown, sizeof(shown), cfg->guard,
					strlen(cfg->guard)),
			    NET_GUARD_MAX);
	memcpy(s->link->guard, cfg->guard, strlen(cfg->guard) + 1);
	return 0;
}

/* The settings of net=nat: keys, environment, defaults. */
static int parse_nat(struct setup *s, const char *addr)
{
	const char *env_bridge = getenv("SPLITVISOR_NAT_BRIDGE");
	const char *env_addr = getenv("SPLITVISOR_NAT_ADDR");
	const char *bridge = VIF_NAT_BRIDGE;
	char shown[64];
	int ret;

	if (is_set(s->cfg->bridge))
		bridge = s->cfg->bridge;
	else if (is_set(env_bridge))
		bridge = env_bridge;
	if (!addr)
		addr = is_set(env_addr) ? env_addr : VIF_NAT_ADDR;
	ret = check_name(s, "bridge", bridge);
	if (ret)
		return ret;
	snprintf(s->nat.bridge, sizeof(s->nat.bridge), "%s", bridge);
	if (nat_parse(addr, &s->nat))
		return fail(s, -EINVAL,
			    "net=nat: '%s' is not a host's address with a "
			    "prefix length of 8 to 30, such as %s",
			    util_escape(shown, sizeof(shown), addr,
					strlen(addr)),
			    VIF_NAT_ADDR);
	return 0;
}

static int pick_ip(struct setup *s)
{
	const char *text = s->cfg->ip;
	uint32_t wanted = 0;
	uint8_t mac[6];
	struct in_addr a;
	char shown[64];
	int ret;

	if (!s->cfg->mac || dhcp_mac_parse(s->cfg->mac, mac))
		return fail(s, -EINVAL,
			    "net=nat needs the guest's address: give mac=, "
			    "such as mac=00:16:3e:01:02:03");
	if (is_set(text)) {
		if (inet_pton(AF_INET, text, &a) != 1)
			return fail(s, -EINVAL,
				    "ip '%s' is not an IPv4 address",
				    util_escape(shown, sizeof(shown), text,
						strlen(text)));
		wanted = ntohl(a.s_addr);
	}
	ret = nat_pick(s->nl, &s->nat, s->bridge, mac, wanted, &s->ip);
	if (ret == -EINVAL)
		return fail(s, ret,
			    "ip %s is no guest's address in the network of "
			    "NAT bridge %s: leave it out, or change net=",
			    text, s->nat.bridge);
	if (ret == -EADDRINUSE)
		return fail(s, ret,
			    "ip %s is used by another guest on NAT bridge %s: "
			    "leave it out, or change net=",
			    wanted ? text : "of any guest", s->nat.bridge);
	if (ret)
		return fail(s, ret, "interfaces cannot be listed: %s",
			    strerror(-ret));
	return 0;
}

static int join_nat(struct setup *s, const char *addr)
{
	int ret = parse_nat(s, addr);

	if (ret)
		return ret;
	s->lock = nat_lock();
	if (s->lock < 0)
		return fail(s, s->lock, "lock of the NAT bridges: %s",
			    strerror(-s->lock));
	ret = nat_up(s->nl, &s->nat, &s->bridge, s->err, s->errlen);
	if (ret)
		return ret;
	memcpy(s->link->nat, s->nat.bridge, VIF_NAME_MAX);
	return pick_ip(s);
}

/* Settle what to join: s->bridge, or nothing. */
static int join(struct setup *s)
{
	const char *net = s->cfg->net;
	char shown[64];

	if (!is_set(net)) {
		if (is_set(s->cfg->bridge))
			return find_bridge(s);
		return fail(s, -EINVAL,
			    "neither bridge= nor net= is given: name a bridge, "
			    "or use net=nat (or net=none)");
	}
	if (!strcmp(net, "none"))
		return 0;
	if (!strcmp(net, "nat"))
		return join_nat(s, NULL);
	if (!strncmp(net, "nat:", 4))
		return join_nat(s, net + 4);
	return fail(s, -EINVAL,
		    "net='%s' is not known: use nat, nat:ADDR/LEN or none",
		    util_escape(shown, sizeof(shown), net, strlen(net)));
}

static unsigned int count_queues(const struct vif_config *cfg)
{
	unsigned int n = MIN(cfg->queues, VIF_MAX_QUEUES);

	return n ? n : device_max_queues(VIF_MAX_QUEUES);
}

/*
 * Take an interface over that is wired already; -ENODEV if there is none that
 * can be.
 */
static int adopt(struct setup *s)
{
	struct vif_link *l = s->link;
	unsigned int n = count_queues(s->cfg);

	if (!s->cfg->adopt || tap_join(l->name, n, l->fd))
		return -ENODEV;
	l->nqueues = n;
	if (is_set(s->cfg->net) && !strncmp(s->cfg->net, "nat", 3) &&
	    !parse_nat(s, s->cfg->net[3] ? s->cfg->net + 4 : NULL))
		memcpy(l->nat, s->nat.bridge, VIF_NAME_MAX);
	return 0;
}

static int open_tap(struct setup *s)
{
	struct vif_link *l = s->link;
	unsigned int n = count_queues(s->cfg);
	int ret;

	ret = tap_open(l->name, n, l->fd);
	if (!ret) {
		l->nqueues = n;
		return 0;
	}
	if (ret == -ENOENT || ret == -ENODEV || ret == -ENXIO)
		return fail(s, ret,
			    "/dev/net/tun is not there: load the tun module "
			    "(modprobe tun)");
	if (ret == -EBUSY || ret == -EINVAL || ret == -EEXIST)
		return fail(s, ret,
			    "interface %s exists already: remove it, or choose "
			    "another vifname",
			    l->name);
	if (ret == -EPERM || ret == -EACCES)
		return fail(s, ret,
			    "no permission to make interface %s: run as root",
			    l->name);
	return fail(s, ret, "interface %s cannot be made with /dev/net/tun: %s",
		    l->name, strerror(-ret));
}

/* Address, queue length and size first: a bridge takes over a port's MTU. */
static int wire_tap(struct setup *s)
{
	struct link_want want = {
		.mac = "fe:ff:ff:ff:ff:ff",
		.mtu = s->cfg->mtu ? s->cfg->mtu : s->mtu,
		.txqlen = TXQLEN,
	};
	struct link_want up = { .master = s->bridge, .up = true };
	char alias[LINK_ALIAS_MAX];
	struct link_info info;
	int ret;

	if (s->ip) {
		nat_alias(alias, s->ip);
		up.alias = alias;
	}
	ret = link_get(s->nl, s->link->name, &info);
	if (!ret) {
		s->index = info.index;
		link_quiet(s->nl, s->index);
		ret = link_change(s->nl, s->index, &want);
	}
	if (!ret)
		ret = link_change(s->nl, s->index, &up);
	if (ret)
		return fail(s, ret, "interface %s cannot be wired: %s",
			    s->link->name, strerror(-ret));
	return 0;
}

/* The host's own resolvers, as far as a guest can reach them. */
static void read_dns(const char *path, struct dhcp_lease *l)
{
	char line[256], word[64];
	struct in_addr a;
	FILE *f = fopen(path, "re");

	if (!f)
		return;
	while (l->ndns < DHCP_DNS_MAX && fgets(line, sizeof(line), f)) {
		if (sscanf(line, " nameserver %63s", word) != 1 ||
		    inet_pton(AF_INET, word, &a) != 1 ||
		    ntohl(a.s_addr) >> 24 == 127)
			continue;
		l->dns[l->ndns++] = ntohl(a.s_addr);
	}
	fclose(f);
}

static void make_lease(struct setup *s)
{
	struct dhcp_lease l = {
		.ip = s->ip,
		.router = s->nat.ip,
		.prefix = (uint8_t)s->nat.prefix,
		.mtu = (uint16_t)s->cfg->mtu,
	};
	struct in_addr a = { htonl(s->ip) };

	if (dhcp_mac_parse(s->cfg->mac, l.mac)) /* pick_ip() has seen it */
		return;
	read_dns("/etc/resolv.conf", &l);
	if (!l.ndns) /* a stub resolver on this host; who is behind it? */
		read_dns("/run/systemd/resolve/resolv.conf", &l);
	dhcp_lease_print(&l, s->link->lease);
	inet_ntop(AF_INET, &a, s->link->ip, sizeof(s->link->ip));
}

int vif_open(const struct vif_config *cfg, struct vif_link *out, char *err,
	     size_t errlen)
{
	struct vif_link link = { 0 };
	struct setup s = {
		.cfg = cfg,
		.link = &link,
		.lock = -1,
		.err = err,
		.errlen = errlen,
	};
	int ret;

	memset(link.fd, -1, sizeof(link.fd));
	ret = settle_name(&s);
	if (!ret)
		ret = settle_guard(&s);
	if (ret)
		return ret;
	if (cfg->mtu && (cfg->mtu < MTU_MIN || cfg->mtu > MTU_MAX))
		return fail(&s, -EINVAL, "mtu %u is not in %u to %u", cfg->mtu,
			    MTU_MIN, MTU_MAX);
	if (!adopt(&s)) {
		*out = link;
		return 0;
	}
	ret = link_open(&s.nl);
	if (ret)
		return fail(&s, ret, "netlink: %s", strerror(-ret));
	ret = join(&s);
	if (!ret)
		ret = open_tap(&s);
	if (!ret)
		ret = wire_tap(&s);
	if (!ret && s.ip)
		make_lease(&s);
	fd_close(&s.lock);
	link_close(s.nl);
	if (ret) {
		vif_close(&link);
		return ret;
	}
	*out = link;
	return 0;
}

/* The interface goes although a worker may hold queues of it. */
static void remove_tap(struct link_nl *nl, const struct vif_link *link)
{
	struct link_info info;
	int ret;

	if (!link->nqueues || link_get(nl, link->name, &info))
		return;
	ret = link_del(nl, info.index);
	if (ret && ret != -ENODEV)
		log_warn("interface %s is not removed: %s", link->name,
			 strerror(-ret));
}

void vif_close(struct vif_link *link)
{
	struct link_nl *nl = NULL;
	int ret, lock;

	ret = link->nqueues || link->nat[0] ? link_open(&nl) : 0;
	if (ret)
		log_warn("netlink: %s", strerror(-ret));
	if (nl)
		remove_tap(nl, link);
	for (unsigned int i = 0; i < link->nqueues; i++)
		fd_close(&link->fd[i]);
	if (nl && link->nat[0]) {
		lock = nat_lock();
		if (lock >= 0)
			nat_down(nl, link->nat);
		else
			log_warn("NAT bridge %s is not removed: %s", link->nat,
				 strerror(-lock));
		fd_close(&lock);
	}
	link_close(nl);
	*link = (struct vif_link){ 0 };
}

bool vif_lost(struct vif_link *link)
{
	if (!link->nqueues || !tap_gone(link->fd[0]))
		return false;
	while (link->nqueues)
		fd_close(&link->fd[--link->nqueues]);
	return true;
}

void vif_sweep(void)
{
	struct link_nl *nl;
	int lock;

	if (link_open(&nl))
		return;
	lock = nat_lock();
	if (lock >= 0)
		nat_sweep(nl);
	fd_close(&lock);
	link_close(nl);
}
