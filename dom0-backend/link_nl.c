// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/link_nl.c - network interfaces, through libnl.
#include "dom0-backend/link_nl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/link/macvtap.h>
#include <netlink/route/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/paths.h"

#define VLAN_MSG 40000 /* every VLAN an attribute of its own */

struct link_nl {
	struct nl_sock *sk;
};

/* libnl has error numbers of its own; these are told apart here. */
static int to_errno(int err)
{
	static const int table[NLE_MAX + 1] = {
		[NLE_AGAIN] = EAGAIN,	     [NLE_NOMEM] = ENOMEM,
		[NLE_EXIST] = EEXIST,	     [NLE_INVAL] = EINVAL,
		[NLE_RANGE] = ERANGE,	     [NLE_OPNOTSUPP] = EOPNOTSUPP,
		[NLE_OBJ_NOTFOUND] = ENODEV, [NLE_NOADDR] = EADDRNOTAVAIL,
		[NLE_BUSY] = EBUSY,	     [NLE_NOACCESS] = EACCES,
		[NLE_PERM] = EPERM,	     [NLE_NODEV] = ENODEV,
		[NLE_DUMP_INTR] = EAGAIN,
	};

	if (err >= 0)
		return 0;
	return -err <= NLE_MAX && table[-err] ? -table[-err] : -EIO;
}

int link_open(struct link_nl **out)
{
	struct link_nl *nl = calloc(1, sizeof(*nl));
	int ret;

	if (!nl)
		return -ENOMEM;
	nl->sk = nl_socket_alloc();
	ret = nl->sk ? to_errno(nl_connect(nl->sk, NETLINK_ROUTE)) : -ENOMEM;
	if (ret) {
		link_close(nl);
		return ret;
	}
	*out = nl;
	return 0;
}

int link_open_watch(struct link_nl **out)
{
	struct link_nl *nl;
	int ret = link_open(&nl);

	if (ret)
		return ret;
	ret = to_errno(nl_socket_add_memberships(nl->sk, RTNLGRP_LINK, 0));
	if (ret) {
		link_close(nl);
		return ret;
	}
	*out = nl;
	return 0;
}

int link_watch_fd(const struct link_nl *nl)
{
	return nl_socket_get_fd(nl->sk);
}

/* Each call takes a message, or tells that some were too many. */
void link_watch_drain(const struct link_nl *nl)
{
	char scrap[1];

	while (recv(link_watch_fd(nl), scrap, sizeof(scrap), MSG_DONTWAIT) >=
		       0 ||
	       errno == ENOBUFS || errno == EINTR)
		;
}

void link_close(struct link_nl *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->sk); /* NULL is fine */
	free(nl);
}

static void fill_info(struct link_info *info, struct rtnl_link *link)
{
	const char *alias = rtnl_link_get_ifalias(link);
	const char *type = rtnl_link_get_type(link);

	*info = (struct link_info){
		.index = rtnl_link_get_ifindex(link),
		.master = rtnl_link_get_master(link),
		.mtu = rtnl_link_get_mtu(link),
		.bridge = type && !strcmp(type, "bridge"),
		.up = rtnl_link_get_flags(link) & IFF_UP,
		.carrier = rtnl_link_get_carrier(link),
	};
	snprintf(info->name, sizeof(info->name), "%s",
		 rtnl_link_get_name(link));
	snprintf(info->alias, sizeof(info->alias), "%s", alias ? alias : "");
}

static int get_link(struct link_nl *nl, int index, const char *name,
		    struct link_info *out)
{
	struct rtnl_link *link;
	int ret;

	ret = to_errno(rtnl_link_get_kernel(nl->sk, index, name, &link));
	if (ret)
		return ret;
	fill_info(out, link);
	rtnl_link_put(link);
	return 0;
}

int link_get(struct link_nl *nl, const char *name, struct link_info *out)
{
	return get_link(nl, 0, name, out);
}

int link_get_index(struct link_nl *nl, int index, struct link_info *out)
{
	return get_link(nl, index, NULL, out);
}

int link_each(struct link_nl *nl,
	      int (*fn)(void *arg, const struct link_info *info), void *arg)
{
	struct link_info info;
	struct nl_cache *cache;
	struct nl_object *o;
	int ret;

	ret = to_errno(rtnl_link_alloc_cache(nl->sk, AF_UNSPEC, &cache));
	if (ret)
		return ret;
	for (o = nl_cache_get_first(cache); o && !ret;
	     o = nl_cache_get_next(o)) {
		fill_info(&info, (struct rtnl_link *)o);
		ret = fn(arg, &info);
	}
	nl_cache_free(cache);
	return ret;
}

/* Put the attributes of a new bridge; libnl has no call for its delay. */
static int put_bridge(struct nl_msg *msg, const char *name,
		      const struct nl_addr *mac)
{
	struct nlattr *linkinfo, *data;

	if (nla_put_string(msg, IFLA_IFNAME, name) ||
	    nla_put_addr(msg, IFLA_ADDRESS, (struct nl_addr *)(uintptr_t)mac))
		return -ENOMEM;
	linkinfo = nla_nest_start(msg, IFLA_LINKINFO);
	if (!linkinfo || nla_put_string(msg, IFLA_INFO_KIND, "bridge"))
		return -ENOMEM;
	data = nla_nest_start(msg, IFLA_INFO_DATA);
	if (!data || nla_put_u32(msg, IFLA_BR_FORWARD_DELAY, 0))
		return -ENOMEM;
	nla_nest_end(msg, data);
	nla_nest_end(msg, linkinfo);
	return 0;
}

void link_owner(char owner[LINK_OWNER])
{
	const char *dir = paths_run();
	uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */

	for (; *dir; dir++)
		h = (h ^ (uint8_t)*dir) * UINT64_C(1099511628211);
	snprintf(owner, LINK_OWNER, "%016llx", (unsigned long long)h);
}

void link_half_name(char name[LINK_NAME_MAX])
{
	char owner[LINK_OWNER];

	link_owner(owner);
	snprintf(name, LINK_NAME_MAX, "svnew%.10s", owner);
}

void link_remove_half(struct link_nl *nl)
{
	char name[LINK_NAME_MAX];
	struct link_info info;

	link_half_name(name);
	if (!link_get(nl, name, &info) && link_del(nl, info.index))
		log_warn("interface %s is not removed", name);
}

int link_add_bridge(struct link_nl *nl, const char *name, const char *mac)
{
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct nl_addr *addr;
	struct nl_msg *msg;
	int ret;

	if (nl_addr_parse(mac, AF_LLC, &addr))
		return -EINVAL;
	msg = nlmsg_alloc_simple(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	ret = -ENOMEM;
	if (!msg || nlmsg_append(msg, &ifi, sizeof(ifi), NLMSG_ALIGNTO))
		goto free;
	ret = put_bridge(msg, name, addr);
	if (ret)
		goto free;
	ret = to_errno(nl_send_sync(nl->sk, msg)); /* frees it */
	msg = NULL;

free:
	nlmsg_free(msg); /* NULL is fine */
	nl_addr_put(addr);
	return ret;
}

bool link_macvtap_mode(const char *mode)
{
	return rtnl_link_macvtap_str2mode(mode) >= 0;
}

int link_add_macvtap(struct link_nl *nl, const char *name, int lower,
		     const char *mode, const char *mac)
{
	struct rtnl_link *link = rtnl_link_macvtap_alloc();
	struct nl_addr *addr = NULL;
	int ret = -ENOMEM;

	if (!link)
		return ret;
	ret = nl_addr_parse(mac, AF_LLC, &addr) ? -EINVAL : 0;
	if (!ret) {
		rtnl_link_set_name(link, name);
		rtnl_link_set_link(link, lower);
		rtnl_link_set_addr(link, addr);
		ret = to_errno(rtnl_link_macvtap_set_mode(
			link, (uint32_t)rtnl_link_macvtap_str2mode(mode)));
	}
	if (!ret)
		ret = to_errno(
			rtnl_link_add(nl->sk, link, NLM_F_CREATE | NLM_F_EXCL));
	nl_addr_put(addr);
	rtnl_link_put(link);
	return ret;
}

int link_add_route(struct link_nl *nl, int index, const uint8_t *at, size_t len,
		   unsigned int bits)
{
	int family = len == 4 ? AF_INET : AF_INET6;
	struct rtnl_route *route = rtnl_route_alloc();
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	struct nl_addr *dst = nl_addr_build(family, at, len);
	int ret = -ENOMEM;

	if (!route || !hop || !dst) {
		if (hop)
			rtnl_route_nh_free(hop);
		goto put;
	}
	rtnl_route_nh_set_ifindex(hop, index);
	rtnl_route_add_nexthop(route, hop); /* given */
	nl_addr_set_prefixlen(dst, (int)bits);
	rtnl_route_set_family(route, (uint8_t)family);
	rtnl_route_set_scope(route, family == AF_INET ? RT_SCOPE_LINK
						      : RT_SCOPE_UNIVERSE);
	ret = to_errno(rtnl_route_set_dst(route, dst));
	if (!ret)
		ret = to_errno(rtnl_route_add(nl->sk, route,
					      NLM_F_CREATE | NLM_F_EXCL));
put:
	nl_addr_put(dst);
	if (route)
		rtnl_route_put(route);
	return ret;
}

/* What answer_vlan() fills in. */
struct bridge_vlan {
	bool filters;
	uint16_t vid;
};

static int answer_vlan(struct nl_msg *msg, void *arg)
{
	struct nlattr *attr[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];
	struct nlattr *data[IFLA_BR_MAX + 1];
	struct bridge_vlan *b = arg;

	if (nlmsg_parse(nlmsg_hdr(msg), sizeof(struct ifinfomsg), attr,
			IFLA_MAX, NULL) < 0 ||
	    !attr[IFLA_LINKINFO] ||
	    nla_parse_nested(info, IFLA_INFO_MAX, attr[IFLA_LINKINFO], NULL) <
		    0 ||
	    !info[IFLA_INFO_DATA] ||
	    nla_parse_nested(data, IFLA_BR_MAX, info[IFLA_INFO_DATA], NULL) < 0)
		return NL_OK;
	if (data[IFLA_BR_VLAN_FILTERING])
		b->filters = nla_get_u8(data[IFLA_BR_VLAN_FILTERING]);
	if (data[IFLA_BR_VLAN_DEFAULT_PVID])
		b->vid = nla_get_u16(data[IFLA_BR_VLAN_DEFAULT_PVID]);
	return NL_OK;
}

int link_bridge_vlan(struct link_nl *nl, int index, bool *filters,
		     uint16_t *vid)
{
	struct ifinfomsg ifi = { .ifi_index = index };
	struct bridge_vlan b = { 0 };
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int ret;

	if (!cb)
		return -ENOMEM;
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, answer_vlan, &b);
	ret = nl_send_simple(nl->sk, RTM_GETLINK, 0, &ifi, sizeof(ifi));
	if (ret >= 0)
		ret = nl_recvmsgs(nl->sk, cb);
	if (ret >= 0)
		ret = nl_wait_for_ack(nl->sk);
	nl_cb_put(cb);
	if (ret < 0)
		return to_errno(ret);
	*filters = b.filters;
	*vid = b.vid;
	return 0;
}

static int put_vlan(struct nl_msg *msg, unsigned int vid, int flags)
{
	struct bridge_vlan_info info = {
		.flags = (uint16_t)flags,
		.vid = (uint16_t)vid,
	};

	return nla_put(msg, IFLA_BRIDGE_VLAN_INFO, sizeof(info), &info);
}

/* VLANs @first to @last; they are the same to the port. */
static int put_vlans(struct nl_msg *msg, unsigned int first, unsigned int last,
		     int flags)
{
	int ret;

	if (first == last)
		return put_vlan(msg, first, flags);
	ret = put_vlan(msg, first, flags | BRIDGE_VLAN_INFO_RANGE_BEGIN);
	return ret ? ret
		   : put_vlan(msg, last, flags | BRIDGE_VLAN_INFO_RANGE_END);
}

static int put_set(struct nl_msg *msg, const struct vlan_set *set)
{
	unsigned int first, last, from = 1;
	enum vlan_member m;
	int ret = 0;

	while (!ret && (m = vlan_run(set, from, &first, &last))) {
		int flags = m == VLAN_UNTAGGED ? BRIDGE_VLAN_INFO_UNTAGGED : 0;

		if (first == set->pvid)
			flags |= BRIDGE_VLAN_INFO_PVID;
		ret = put_vlans(msg, first, last, flags);
		from = last + 1;
	}
	return ret;
}

/* Tell a port of VLANs; @set, or @vid alone. */
static int send_vlans(struct link_nl *nl, int type, int index,
		      const struct vlan_set *set, unsigned int vid)
{
	struct ifinfomsg ifi = { .ifi_family = AF_BRIDGE, .ifi_index = index };
	struct nl_msg *msg = nlmsg_alloc_size(VLAN_MSG);
	struct nlattr *spec;
	int ret = -ENOMEM;

	if (!msg || !nlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, 0) ||
	    nlmsg_append(msg, &ifi, sizeof(ifi), NLMSG_ALIGNTO))
		goto free;
	spec = nla_nest_start(msg, IFLA_AF_SPEC);
	if (!spec || (set ? put_set(msg, set) : put_vlan(msg, vid, 0)))
		goto free;
	nla_nest_end(msg, spec);
	return to_errno(nl_send_sync(nl->sk, msg)); /* frees it */

free:
	nlmsg_free(msg); /* NULL is fine */
	return ret;
}

int link_set_vlans(struct link_nl *nl, int index, uint16_t old,
		   const struct vlan_set *set)
{
	int ret = 0;

	if (old && !set->member[old])
		ret = send_vlans(nl, RTM_DELLINK, index, NULL, old);
	return ret ? ret : send_vlans(nl, RTM_SETLINK, index, set, 0);
}

int link_change(struct link_nl *nl, int index, const struct link_want *want)
{
	struct rtnl_link *old = NULL, *new = NULL;
	struct nl_addr *mac = NULL;
	int ret;

	if (want->mac && nl_addr_parse(want->mac, AF_LLC, &mac))
		return -EINVAL;
	old = rtnl_link_alloc();
	new = rtnl_link_alloc();
	ret = -ENOMEM;
	if (!old || !new)
		goto put;
	rtnl_link_set_ifindex(old, index);
	rtnl_link_set_ifindex(new, index);
	if (want->name)
		rtnl_link_set_name(new, want->name);
	if (want->alias)
		rtnl_link_set_ifalias(new, want->alias);
	if (mac)
		rtnl_link_set_addr(new, mac);
	if (want->master)
		rtnl_link_set_master(new, want->master);
	if (want->mtu)
		rtnl_link_set_mtu(new, want->mtu);
	if (want->txqlen)
		rtnl_link_set_txqlen(new, want->txqlen);
	if (want->up)
		rtnl_link_set_flags(new, IFF_UP);
	ret = to_errno(rtnl_link_change(nl->sk, old, new, 0));

put:
	rtnl_link_put(old);
	rtnl_link_put(new);
	nl_addr_put(mac);
	return ret;
}

void link_quiet(struct link_nl *nl, int index)
{
	struct rtnl_link *old = rtnl_link_alloc(), *new = rtnl_link_alloc();

	if (old && new) {
		rtnl_link_set_ifindex(old, index);
		rtnl_link_set_ifindex(new, index);
		if (!rtnl_link_inet6_set_addr_gen_mode(
			    new, IN6_ADDR_GEN_MODE_NONE) &&
		    rtnl_link_change(nl->sk, old, new, 0) < 0)
			log_debug("interface %d may give itself an address",
				  index);
	}
	rtnl_link_put(old);
	rtnl_link_put(new);
}

int link_del(struct link_nl *nl, int index)
{
	struct rtnl_link *link = rtnl_link_alloc();
	int ret;

	if (!link)
		return -ENOMEM;
	rtnl_link_set_ifindex(link, index);
	ret = to_errno(rtnl_link_delete(nl->sk, link));
	rtnl_link_put(link);
	return ret;
}

/* *@out is *owned* by the caller: nl_addr_put(). */
static int build_ip(uint32_t ip, unsigned int prefix, struct nl_addr **out)
{
	uint32_t wire = htonl(ip);

	*out = nl_addr_build(AF_INET, &wire, sizeof(wire));
	if (!*out)
		return -ENOMEM;
	nl_addr_set_prefixlen(*out, (int)prefix);
	return 0;
}

int link_add_addr(struct link_nl *nl, int index, uint32_t ip,
		  unsigned int prefix)
{
	struct rtnl_addr *addr = rtnl_addr_alloc();
	struct nl_addr *local;
	int ret;

	if (!addr)
		return -ENOMEM;
	ret = build_ip(ip, prefix, &local);
	if (ret)
		goto put_addr;
	rtnl_addr_set_ifindex(addr, index);
	ret = to_errno(rtnl_addr_set_local(addr, local));
	if (!ret)
		ret = to_errno(rtnl_addr_add(nl->sk, addr, NLM_F_EXCL));
	nl_addr_put(local);
put_addr:
	rtnl_addr_put(addr);
	return ret;
}

int link_add_addr6(struct link_nl *nl, int index, const uint8_t *ip,
		   unsigned int prefix)
{
	struct rtnl_addr *addr = rtnl_addr_alloc();
	struct nl_addr *local = nl_addr_build(AF_INET6, ip, 16);
	int ret = -ENOMEM;

	if (addr && local) {
		nl_addr_set_prefixlen(local, (int)prefix);
		rtnl_addr_set_ifindex(addr, index);
		rtnl_addr_set_flags(addr, IFA_F_NODAD);
		ret = to_errno(rtnl_addr_set_local(addr, local));
	}
	if (!ret)
		ret = to_errno(rtnl_addr_add(nl->sk, addr, NLM_F_EXCL));
	nl_addr_put(local);
	if (addr)
		rtnl_addr_put(addr);
	return ret;
}

bool link_has_ra_route(struct link_nl *nl)
{
	struct nl_cache *cache;
	struct nl_object *o;
	bool found = false;

	if (rtnl_route_alloc_cache(nl->sk, AF_INET6, 0, &cache))
		return false;
	for (o = nl_cache_get_first(cache); o && !found;
	     o = nl_cache_get_next(o))
		found = rtnl_route_get_protocol((struct rtnl_route *)o) ==
			RTPROT_RA;
	nl_cache_free(cache);
	return found;
}

int link_has_addr(struct link_nl *nl, int index, uint32_t ip,
		  unsigned int prefix)
{
	struct rtnl_addr *found;
	struct nl_cache *cache;
	struct nl_addr *local;
	int ret;

	ret = to_errno(rtnl_addr_alloc_cache(nl->sk, &cache));
	if (ret)
		return ret;
	ret = build_ip(ip, prefix, &local);
	if (ret)
		goto free;
	found = rtnl_addr_get(cache, index, local);
	ret = found && rtnl_addr_get_prefixlen(found) == (int)prefix;
	if (found)
		rtnl_addr_put(found);
	nl_addr_put(local);
free:
	nl_cache_free(cache);
	return ret;
}

/* Whether a route leads to addresses of the network, and to which interface. */
static int route_clashes(struct rtnl_route *r, uint32_t ip, unsigned int prefix,
			 int index)
{
	struct nl_addr *dst = rtnl_route_get_dst(r);
	struct rtnl_nexthop *hop = rtnl_route_nexthop_n(r, 0);
	unsigned int len;
	uint32_t to;

	if (!dst || !hop || nl_addr_get_len(dst) != sizeof(to) ||
	    rtnl_route_get_table(r) != RT_TABLE_MAIN)
		return 0;
	len = nl_addr_get_prefixlen(dst);
	if (len < prefix || rtnl_route_nh_get_ifindex(hop) == index)
		return 0;
	memcpy(&to, nl_addr_get_binary_addr(dst), sizeof(to));
	return (ntohl(to) ^ ip) >> (32 - prefix)
		       ? 0
		       : rtnl_route_nh_get_ifindex(hop);
}

int link_route_clash(struct link_nl *nl, uint32_t ip, unsigned int prefix,
		     int index, char *name)
{
	struct rtnl_link *link;
	struct nl_cache *cache;
	struct nl_object *o;
	int ret, by = 0;

	ret = to_errno(rtnl_route_alloc_cache(nl->sk, AF_INET, 0, &cache));
	if (ret)
		return ret;
	for (o = nl_cache_get_first(cache); o && !by; o = nl_cache_get_next(o))
		by = route_clashes((struct rtnl_route *)o, ip, prefix, index);
	nl_cache_free(cache);
	if (!by || rtnl_link_get_kernel(nl->sk, by, NULL, &link))
		return 0;
	snprintf(name, LINK_NAME_MAX, "%s", rtnl_link_get_name(link));
	rtnl_link_put(link);
	return 1;
}
