// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/nat.c - a bridge with NAT behind it, made on demand.
#include "dom0-backend/nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "dom0-backend/forward.h"
#include "dom0-backend/nft.h"

#define MAX_PORTS  1024 /* of a Linux bridge */
#define LOCK_TRIES 1000 /* of 10 ms */

/* The alias of a port; its bridge's begins with FORWARD_NAT. */
#define PORT_MARK "splitvisor ip "

static char *print_ip(uint32_t ip, char buf[INET_ADDRSTRLEN])
{
	struct in_addr a = { htonl(ip) };

	inet_ntop(AF_INET, &a, buf, INET_ADDRSTRLEN);
	return buf;
}

static uint32_t host_bits(const struct nat *nat)
{
	return ~0u >> nat->prefix;
}

/* An address that a host of the network can have. */
static bool is_host(const struct nat *nat, uint32_t ip)
{
	uint32_t host = ip & host_bits(nat);

	return !((ip ^ nat->ip) & ~host_bits(nat)) && host &&
	       host != host_bits(nat);
}

int nat_parse(const char *text, struct nat *out)
{
	char ip[INET_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	struct nat nat = { 0 };
	struct in_addr a;
	uint64_t len;

	if (!slash || (size_t)(slash - text) >= sizeof(ip))
		return -EINVAL;
	memcpy(ip, text, (size_t)(slash - text));
	ip[slash - text] = '\0';
	if (inet_pton(AF_INET, ip, &a) != 1 || util_u64(slash + 1, 30, &len) ||
	    len < 8)
		return -EINVAL;
	nat.ip = ntohl(a.s_addr);
	nat.prefix = (unsigned int)len;
	if (!is_host(&nat, nat.ip))
		return -EINVAL;
	out->ip = nat.ip;
	out->prefix = nat.prefix;
	return 0;
}

int nat_parse6(const char *text, struct nat *out)
{
	static const uint8_t zero[8];
	char ip[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	uint8_t bytes[16] = { 0 };
	bool none = !strcmp(text, "none");

	if (!none) {
		if (!slash || (size_t)(slash - text) >= sizeof(ip) ||
		    strcmp(slash, "/64") != 0)
			return -EINVAL;
		memcpy(ip, text, (size_t)(slash - text));
		ip[slash - text] = '\0';
		/* A host's address of a network that is not link-local or so. */
		if (inet_pton(AF_INET6, ip, bytes) != 1 || bytes[0] >= 0xfe ||
		    !bytes[0] || !memcmp(bytes + 8, zero, sizeof(zero)))
			return -EINVAL;
	}
	out->has6 = !none;
	out->given6 = true;
	memcpy(out->ip6, bytes, sizeof(bytes));
	return 0;
}

static uint64_t hash_text(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * UINT64_C(1099511628211);
	return h;
}

void nat_default6(struct nat *nat)
{
	uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
	FILE *f = fopen("/etc/machine-id", "re");
	char id[64] = "";

	if (f && !fgets(id, sizeof(id), f))
		id[0] = '\0';
	if (f)
		fclose(f);
	h = hash_text(hash_text(h, id), nat->bridge);
	memset(nat->ip6, 0, sizeof(nat->ip6));
	nat->ip6[0] = 0xfd;
	for (unsigned int i = 1; i < 6; i++, h >>= 8)
		nat->ip6[i] = (uint8_t)h;
	nat->ip6[15] = 1;
	nat->has6 = true;
	nat->given6 = false;
}

/* An abstract name belongs to the network namespace and dies with us. */
int nat_lock(void)
{
	static const char name[] = "\0splitvisor-nat";
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const struct timespec pause = { .tv_nsec = 10000000 };
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + sizeof(name);
	int fd, ret;

	memcpy(sa.sun_path, name, sizeof(name));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	for (int i = 0; bind(fd, (struct sockaddr *)&sa, len); i++) {
		ret = errno == EADDRINUSE ? -EBUSY : -errno;
		if (ret != -EBUSY || i == LOCK_TRIES) {
			close(fd);
			return ret;
		}
		nanosleep(&pause, NULL);
	}
	return fd;
}

static int add_rules(const struct nat *nat, char *err, size_t errlen)
{
	char net[INET_ADDRSTRLEN], text[1024], why[200];
	const char *br = nat->bridge;
	int ret;

	print_ip(nat->ip & ~host_bits(nat), net);
	/* Added first, so that deleting a leftover one cannot fail. */
	snprintf(text, sizeof(text),
		 "add table ip splitvisor-%s\n"
		 "delete table ip splitvisor-%s\n"
		 "table ip splitvisor-%s {\n"
		 "	chain out {\n"
		 "		type nat hook postrouting priority 100\n"
		 "		ip saddr %s/%u ip daddr != %s/%u masquerade\n"
		 "	}\n"
		 "	chain in {\n"
		 "		type filter hook forward priority 0\n"
		 "		iifname != \"%s\" oifname \"%s\" "
		 "ct state != { established, related } drop\n"
		 "	}\n"
		 "}\n",
		 br, br, br, net, nat->prefix, net, nat->prefix, br, br);
	ret = nft_run(text, why, sizeof(why));
	if (ret)
		snprintf(err, errlen,
			 "nftables refuses the NAT rules of %s (%s): does the "
			 "kernel have nf_tables, nft_masq and nft_ct?",
			 br, why);
	return ret;
}

static int add_rules6(const struct nat *nat, char *err, size_t errlen)
{
	char net[INET6_ADDRSTRLEN], text[1024], why[200];
	const char *br = nat->bridge;
	uint8_t prefix[16] = { 0 };
	int ret;

	memcpy(prefix, nat->ip6, 8);
	inet_ntop(AF_INET6, prefix, net, sizeof(net));
	snprintf(text, sizeof(text),
		 "add table ip6 splitvisor-%s\n"
		 "delete table ip6 splitvisor-%s\n"
		 "table ip6 splitvisor-%s {\n"
		 "	chain out {\n"
		 "		type nat hook postrouting priority 100\n"
		 "		ip6 saddr %s/64 ip6 daddr != %s/64 masquerade\n"
		 "	}\n"
		 "	chain in {\n"
		 "		type filter hook forward priority 0\n"
		 "		iifname != \"%s\" oifname \"%s\" "
		 "ct state != { established, related } drop\n"
		 "	}\n"
		 "}\n",
		 br, br, br, net, net, br, br);
	ret = nft_run(text, why, sizeof(why));
	if (ret)
		snprintf(err, errlen, "nftables refuses the rules (%s)", why);
	return ret;
}

static void del_rules(const char *bridge)
{
	static const char *const families[] = { "ip", "ip6" };
	char text[128];

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		snprintf(text, sizeof(text),
			 "add table %s splitvisor-%s\n"
			 "delete table %s splitvisor-%s\n",
			 families[i], bridge, families[i], bridge);
		/* A kernel without IPv6 has no such tables. */
		if (nft_run(text, NULL, 0) && !i)
			log_warn("nftables: table splitvisor-%s is not removed",
				 bridge);
	}
}

static void bridge_alias(char *alias, const struct nat *nat)
{
	char ip[INET_ADDRSTRLEN], ip6[INET6_ADDRSTRLEN] = "";

	if (nat->has6)
		inet_ntop(AF_INET6, nat->ip6, ip6, sizeof(ip6));
	snprintf(alias, LINK_ALIAS_MAX, FORWARD_NAT "%s/%u%s%s%s",
		 print_ip(nat->ip, ip), nat->prefix, nat->has6 ? " " : "", ip6,
		 nat->has6 ? "/64" : "");
}

static bool is_ours(const struct link_info *info)
{
	return info->bridge &&
	       !strncmp(info->alias, FORWARD_NAT, strlen(FORWARD_NAT));
}

/* What an existing bridge has of IPv6, by the alias behind its address. */
static int check_ip6(struct nat *nat, const char *has, char *err, size_t errlen)
{
	struct nat is = { 0 };

	if (*has && nat_parse6(has + 1, &is))
		is.has6 = false;
	if (nat->given6 && (nat->has6 != is.has6 ||
			    memcmp(nat->ip6, is.ip6, sizeof(is.ip6)) != 0)) {
		snprintf(err, errlen,
			 "NAT bridge %s has IPv6 network %s: use that, or name "
			 "another by bridge=",
			 nat->bridge, is.has6 ? has + 1 : "none");
		return -EEXIST;
	}
	nat->has6 = is.has6;
	memcpy(nat->ip6, is.ip6, sizeof(is.ip6));
	return 0;
}

/* There is such an interface: it must be the bridge that we would make. */
static int check_bridge(struct nat *nat, const struct link_info *info,
			char *err, size_t errlen)
{
	struct nat bare = *nat;
	char want[LINK_ALIAS_MAX];
	size_t len;

	bare.has6 = false;
	bridge_alias(want, &bare);
	len = strlen(want);
	if (!is_ours(info)) {
		snprintf(err, errlen,
			 "%s exists and is not a NAT bridge of ours: name "
			 "another by bridge=, or drop net=nat to join it",
			 nat->bridge);
		return -EEXIST;
	}
	if (strncmp(info->alias, want, len) != 0 ||
	    (info->alias[len] && info->alias[len] != ' ')) {
		snprintf(err, errlen,
			 "NAT bridge %s has address %s, not %s: use that, or "
			 "name another by bridge=",
			 nat->bridge, info->alias + strlen(FORWARD_NAT),
			 want + strlen(FORWARD_NAT));
		return -EEXIST;
	}
	return check_ip6(nat, info->alias + len, err, errlen);
}

static int check_route(struct link_nl *nl, const struct nat *nat, char *err,
		       size_t errlen)
{
	char other[LINK_NAME_MAX], ip[INET_ADDRSTRLEN];
	int ret;

	ret = link_route_clash(nl, nat->ip, nat->prefix, 0, other);
	if (ret > 0) {
		snprintf(err, errlen,
			 "the host reaches %s/%u through %s already: choose "
			 "another network by net=nat:ADDR/LEN",
			 print_ip(nat->ip & ~host_bits(nat), ip), nat->prefix,
			 other);
		return -EADDRINUSE;
	}
	if (ret)
		snprintf(err, errlen, "routes cannot be listed: %s",
			 strerror(-ret));
	return ret;
}

/* Always the same address for the same name: the host's ARP entry stays good. */
static void bridge_mac(const char *name, char mac[18])
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	snprintf(mac, 18, "02:53:%02x:%02x:%02x:%02x", h >> 24, h >> 16 & 255,
		 h >> 8 & 255, h & 255);
}

/* The guests' addresses, rules and router; all or nothing. */
static int wire_ip6(struct link_nl *nl, const struct nat *nat, int index,
		    char *err, size_t errlen)
{
	uint8_t router[16];
	int ret;

	ret = forward_on(nl, FORWARD_IP6, err, errlen);
	if (!ret)
		ret = add_rules6(nat, err, errlen);
	if (ret)
		return ret;
	ret = link_add_addr6(nl, index, nat->ip6, 64);
	if (!ret && inet_pton(AF_INET6, NAT_ROUTER6, router) == 1)
		ret = link_add_addr6(nl, index, router, 64);
	if (ret)
		snprintf(err, errlen, "the bridge gets no address: %s",
			 strerror(-ret));
	return ret;
}

static int wire_bridge(struct link_nl *nl, struct nat *nat, int index,
		       char *err, size_t errlen)
{
	struct link_want want = { .up = true };
	char alias[LINK_ALIAS_MAX], why[256];
	int ret;

	ret = link_add_addr(nl, index, nat->ip, nat->prefix);
	if (ret) {
		snprintf(err, errlen, "bridge %s gets no address: %s",
			 nat->bridge, strerror(-ret));
		return ret;
	}
	ret = forward_on(nl, FORWARD_IP, err, errlen);
	if (ret)
		return ret;
	if (nat->has6 && wire_ip6(nl, nat, index, why, sizeof(why))) {
		if (nat->given6) {
			snprintf(err, errlen, "NAT bridge %s without IPv6: %s",
				 nat->bridge, why);
			return -ENOTSUP;
		}
		log_info("NAT bridge %s is without IPv6: %s", nat->bridge, why);
		nat->has6 = false;
	}
	bridge_alias(alias, nat);
	want.alias = alias;
	ret = link_change(nl, index, &want);
	if (ret) {
		snprintf(err, errlen, "bridge %s cannot be set up: %s",
			 nat->bridge, strerror(-ret));
		return ret;
	}
	return add_rules(nat, err, errlen);
}

int nat_up(struct link_nl *nl, struct nat *nat, int *index, char *err,
	   size_t errlen)
{
	struct link_want mark = { 0 };
	char half[LINK_NAME_MAX], mac[18], alias[LINK_ALIAS_MAX];
	struct nat bare = *nat;
	struct link_info info;
	int ret;

	ret = link_get(nl, nat->bridge, &info);
	if (!ret) {
		*index = info.index;
		return check_bridge(nat, &info, err, errlen);
	}
	ret = check_route(nl, nat, err, errlen);
	if (ret)
		return ret;
	bridge_mac(nat->bridge, mac);
	link_half_name(half);
	ret = link_add_bridge(nl, half, mac);
	if (!ret)
		ret = link_get(nl, half, &info);
	if (ret) {
		snprintf(err, errlen, "bridge %s cannot be made: %s%s",
			 nat->bridge, strerror(-ret),
			 ret == -EOPNOTSUPP
				 ? ": load the bridge module (modprobe bridge)"
				 : "");
		return ret;
	}
	/* Ours from the first moment on, for a sweep after a kill. */
	bare.has6 = false;
	bridge_alias(alias, &bare);
	mark.alias = alias;
	mark.name = nat->bridge;
	ret = link_change(nl, info.index, &mark);
	if (ret)
		snprintf(err, errlen, "bridge %s cannot be named: %s",
			 nat->bridge, strerror(-ret));
	else
		ret = wire_bridge(nl, nat, info.index, err, errlen);
	if (ret) {
		link_remove_half(nl);
		nat_down(nl, nat->bridge);
		return ret;
	}
	*index = info.index;
	return 0;
}

static int is_port(void *arg, const struct link_info *info)
{
	return info->master == *(const int *)arg;
}

void nat_down(struct link_nl *nl, const char *name)
{
	struct link_info info;
	int ret;

	if (link_get(nl, name, &info) || !is_ours(&info) ||
	    link_each(nl, is_port, &info.index))
		return;
	del_rules(name);
	ret = link_del(nl, info.index);
	if (ret)
		log_warn("bridge %s is not removed: %s", name, strerror(-ret));
	forward_off(nl);
}

struct names {
	unsigned int n;
	char name[32][LINK_NAME_MAX];
};

static int add_name(void *arg, const struct link_info *info)
{
	struct names *l = arg;

	if (is_ours(info) && l->n < ARRAY_SIZE(l->name))
		memcpy(l->name[l->n++], info->name, sizeof(info->name));
	return 0;
}

void nat_sweep(struct link_nl *nl)
{
	struct names l = { 0 };

	if (link_each(nl, add_name, &l))
		return;
	while (l.n--)
		nat_down(nl, l.name[l.n]);
	forward_off(nl);
}

void nat_alias(char alias[LINK_ALIAS_MAX], uint32_t ip)
{
	char buf[INET_ADDRSTRLEN];

	snprintf(alias, LINK_ALIAS_MAX, PORT_MARK "%s", print_ip(ip, buf));
}

struct taken {
	int master;
	unsigned int n;
	uint32_t ip[MAX_PORTS];
};

static int add_taken(void *arg, const struct link_info *info)
{
	struct taken *t = arg;
	struct in_addr a;

	if (info->master != t->master || t->n == MAX_PORTS ||
	    strncmp(info->alias, PORT_MARK, strlen(PORT_MARK)) != 0 ||
	    inet_pton(AF_INET, info->alias + strlen(PORT_MARK), &a) != 1)
		return 0;
	t->ip[t->n++] = ntohl(a.s_addr);
	return 0;
}

static bool is_free(const struct taken *t, const struct nat *nat, uint32_t ip)
{
	if (!is_host(nat, ip) || ip == nat->ip)
		return false;
	for (unsigned int i = 0; i < t->n; i++) {
		if (t->ip[i] == ip)
			return false;
	}
	return true;
}

int nat_pick(struct link_nl *nl, const struct nat *nat, int index,
	     const uint8_t mac[6], uint32_t wanted, uint32_t *out)
{
	struct taken t = { .master = index };
	uint32_t h = 2166136261u, ip;
	int ret;

	ret = link_each(nl, add_taken, &t);
	if (ret)
		return ret;
	if (wanted) {
		if (!is_host(nat, wanted) || wanted == nat->ip)
			return -EINVAL;
		*out = wanted;
		return is_free(&t, nat, wanted) ? 0 : -EADDRINUSE;
	}
	for (int i = 0; i < 6; i++)
		h = (h ^ mac[i]) * 16777619u;
	/* Of so many in a row, one is free: the rest are ports, ends and us. */
	for (uint32_t i = 0; i < MAX_PORTS + 4; i++) {
		ip = (nat->ip & ~host_bits(nat)) | ((h + i) & host_bits(nat));
		if (is_free(&t, nat, ip)) {
			*out = ip;
			return 0;
		}
	}
	return -EADDRINUSE;
}
