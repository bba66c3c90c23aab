// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/vif_nat.c - a card on a bridge with NAT, made on demand.
#include "dom0-backend/vif_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "dom0-backend/dhcp.h"
#include "dom0-backend/ra.h"

_Static_assert(sizeof(((struct vif_link *)0)->lease) == DHCP_LEASE_TEXT, "");
_Static_assert(sizeof(((struct vif_link *)0)->ra) == RA_TEXT, "");

/* What behind net=nat:, or the environment, says of one family, or @none. */
static const char *pick(const char *arg, const char *env, const char *none)
{
	const char *text = getenv(env);

	return vif_has(arg) ? arg : vif_has(text) ? text : none;
}

static int parse_bridge(struct vif_setup *s)
{
	const char *bridge =
		pick(s->cfg->bridge, "SPLITVISOR_NAT_BRIDGE", VIF_NAT_BRIDGE);
	int ret = vif_check_name(s, "bridge", bridge);

	if (!ret)
		snprintf(s->nat.bridge, sizeof(s->nat.bridge), "%s", bridge);
	return ret;
}

/* net=nat[:ADDR/LEN][+ADDR6/64], environment, defaults. */
static int parse_nat(struct vif_setup *s, const char *arg)
{
	char text[96] = "", shown[64];
	const char *addr, *addr6;
	char *plus;
	int ret = parse_bridge(s);

	if (ret)
		return ret;
	snprintf(text, sizeof(text), "%s", arg ? arg : "");
	plus = strchr(text, '+');
	if (plus)
		*plus++ = '\0';
	addr = arg && *arg != '+'
		       ? text
		       : pick(NULL, "SPLITVISOR_NAT_ADDR", VIF_NAT_ADDR);
	if (nat_parse(addr, &s->nat))
		return vif_fail(s, -EINVAL,
				"net=nat: '%s' is not a host's address with a "
				"prefix length of 8 to 30, such as %s",
				util_escape(shown, sizeof(shown), addr,
					    strlen(addr)),
				VIF_NAT_ADDR);
	nat_default6(&s->nat);
	addr6 = plus ? plus : pick(NULL, "SPLITVISOR_NAT_ADDR6", NULL);
	if (addr6 && nat_parse6(addr6, &s->nat))
		return vif_fail(s, -EINVAL,
				"net=nat: '%s' is not a host's IPv6 address "
				"with /64, such as fd00:1::1/64, or none",
				util_escape(shown, sizeof(shown), addr6,
					    strlen(addr6)));
	return 0;
}

static int pick_ip(struct vif_setup *s)
{
	const char *text = s->cfg->ip;
	uint32_t wanted = 0;
	uint8_t mac[6];
	struct in_addr a;
	char shown[64];
	int ret;

	if (!s->cfg->mac || dhcp_mac_parse(s->cfg->mac, mac))
		return vif_fail(s, -EINVAL,
				"net=nat needs the guest's address: give mac=, "
				"such as mac=00:16:3e:01:02:03");
	if (vif_has(text)) {
		if (inet_pton(AF_INET, text, &a) != 1)
			return vif_fail(s, -EINVAL,
					"ip '%s' is not an IPv4 address",
					util_escape(shown, sizeof(shown), text,
						    strlen(text)));
		wanted = ntohl(a.s_addr);
	}
	ret = nat_pick(s->nl, &s->nat, s->bridge, mac, wanted, &s->ip);
	if (ret == -EINVAL)
		return vif_fail(s, ret,
				"ip %s is no guest's address in the network of "
				"NAT bridge %s: leave it out, or change net=",
				text, s->nat.bridge);
	if (ret == -EADDRINUSE)
		return vif_fail(
			s, ret,
			"ip %s is used by another guest on NAT bridge %s: "
			"leave it out, or change net=",
			wanted ? text : "of any guest", s->nat.bridge);
	if (ret)
		return vif_fail(s, ret, "interfaces cannot be listed: %s",
				strerror(-ret));
	return 0;
}

/*
 * The host's own resolvers, as far as a guest can reach them: not those on the
 * host's loopback, nor by a link-local address.
 */
static void read_dns(const char *path, struct dhcp_lease *l, struct ra *ra)
{
	char line[256], word[64];
	uint8_t b[16];
	FILE *f = fopen(path, "re");

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " nameserver %63s", word) != 1)
			continue;
		if (l->ndns < DHCP_DNS_MAX &&
		    inet_pton(AF_INET, word, b) == 1 && b[0] != 127)
			l->dns[l->ndns++] = (uint32_t)b[0] << 24 |
					    (uint32_t)b[1] << 16 |
					    (uint32_t)b[2] << 8 | b[3];
		if (ra->ndns < RA_DNS_MAX &&
		    inet_pton(AF_INET6, word, b) == 1 && b[0] && b[0] < 0xfe)
			memcpy(ra->dns[ra->ndns++], b, sizeof(b));
	}
	fclose(f);
}

/* What the guest is told of its network, by DHCP and router advertisements. */
static void make_lease(struct vif_setup *s)
{
	struct dhcp_lease l = {
		.ip = s->ip,
		.router = s->nat.ip,
		.prefix = (uint8_t)s->nat.prefix,
		.mtu = (uint16_t)s->cfg->mtu,
	};
	struct ra ra = { .mtu = (uint16_t)s->cfg->mtu };
	struct in_addr a = { htonl(s->ip) };

	if (dhcp_mac_parse(s->cfg->mac, l.mac)) /* pick_ip() has seen it */
		return;
	read_dns("/etc/resolv.conf", &l, &ra);
	/* A stub resolver on this host; who is behind it? */
	if (!l.ndns && !ra.ndns)
		read_dns("/run/systemd/resolve/resolv.conf", &l, &ra);
	dhcp_lease_print(&l, s->link->lease);
	inet_ntop(AF_INET, &a, s->link->ip, sizeof(s->link->ip));
	/* One with ip= may use that alone. */
	if (!s->nat.has6 || s->link->guard[0] ||
	    inet_pton(AF_INET6, NAT_ROUTER6, ra.router) != 1)
		return;
	memcpy(ra.mac, l.mac, sizeof(ra.mac));
	memcpy(ra.prefix, s->nat.ip6, sizeof(ra.prefix));
	ra_print(&ra, s->link->ra);
}

static int check(struct vif_setup *s, const char *arg)
{
	int ret = parse_nat(s, arg);

	if (ret)
		return ret;
	s->lock = nat_lock();
	if (s->lock < 0)
		return vif_fail(s, s->lock, "lock of the NAT bridges: %s",
				strerror(-s->lock));
	ret = nat_up(s->nl, &s->nat, &s->bridge, s->err, s->errlen);
	if (ret)
		return ret;
	memcpy(s->link->nat, s->nat.bridge, VIF_NAME_MAX);
	ret = pick_ip(s);
	if (ret)
		return ret;
	nat_alias(s->alias, s->ip);
	make_lease(s);
	return 0;
}

/* The guest's address is in the store, and on the interface. */
static int adopt(struct vif_setup *s, const char *arg)
{
	int ret = parse_nat(s, arg);

	if (!ret)
		memcpy(s->link->nat, s->nat.bridge, VIF_NAME_MAX);
	return ret;
}

static void undo(struct link_nl *nl, const struct vif_link *link)
{
	int lock;

	if (!link->nat[0])
		return;
	lock = nat_lock();
	if (lock >= 0)
		nat_down(nl, link->nat);
	else
		log_warn("NAT bridge %s is not removed: %s", link->nat,
			 strerror(-lock));
	fd_close(&lock);
}

static void sweep(struct link_nl *nl)
{
	int lock = nat_lock();

	if (lock >= 0)
		nat_sweep(nl);
	fd_close(&lock);
}

const struct vif_wiring vif_nat = {
	"nat", .check = check, .adopt = adopt, .undo = undo, .sweep = sweep,
};
