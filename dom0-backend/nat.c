// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/nat.c - a bridge with NAT behind it, made on demand.
#include "dom0-backend/nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <nftables/libnftables.h>
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

#define IP_FORWARD "/proc/sys/net/ipv4/ip_forward"
#define MAX_PORTS  1024 /* of a Linux bridge */
#define LOCK_TRIES 1000 /* of 10 ms */

/* Aliases. The bridge's may have FORWARD_MARK behind the address. */
#define BRIDGE_MARK  "splitvisor nat "
#define FORWARD_MARK " forward"
#define PORT_MARK    "splitvisor ip "

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

/* Run nftables commands; @err, if not NULL, receives the first line of why not. */
static int run_nft(const char *commands, char *err, size_t errlen)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	int ret = 0;

	if (!nft)
		return -ENOMEM;
	nft_ctx_buffer_output(nft);
	nft_ctx_buffer_error(nft);
	if (nft_run_cmd_from_buffer(nft, commands)) {
		ret = -EIO;
		if (err) {
			snprintf(err, errlen, "%s",
				 nft_ctx_get_error_buffer(nft));
			err[strcspn(err, "\n")] = '\0';
		}
	}
	nft_ctx_free(nft);
	return ret;
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
	ret = run_nft(text, why, sizeof(why));
	if (ret)
		snprintf(err, errlen,
			 "nftables refuses the NAT rules of %s (%s): does the "
			 "kernel have nf_tables, nft_masq and nft_ct?",
			 br, why);
	return ret;
}

static void del_rules(const char *bridge)
{
	char text[128];

	snprintf(text, sizeof(text),
		 "add table ip splitvisor-%s\ndelete table ip splitvisor-%s\n",
		 bridge, bridge);
	if (run_nft(text, NULL, 0))
		log_warn("nftables: table splitvisor-%s is not removed",
			 bridge);
}

/* Turn forwarding on or off; Return: 1 if it was otherwise, 0, or -errno. */
static int set_forward(bool on)
{
	char was = '0', is = on ? '1' : '0';
	int ret = 0, fd;

	fd = open(IP_FORWARD, O_RDWR | O_CLOEXEC);
	if (fd < 0 || read(fd, &was, 1) != 1)
		ret = -errno;
	else if (was != is)
		ret = pwrite(fd, &is, 1, 0) == 1 ? 1 : -errno;
	fd_close(&fd);
	return ret;
}

static void bridge_alias(char *alias, const struct nat *nat, bool forward)
{
	char ip[INET_ADDRSTRLEN];

	snprintf(alias, LINK_ALIAS_MAX, BRIDGE_MARK "%s/%u%s",
		 print_ip(nat->ip, ip), nat->prefix,
		 forward ? FORWARD_MARK : "");
}

static bool is_ours(const struct link_info *info)
{
	return info->bridge &&
	       !strncmp(info->alias, BRIDGE_MARK, strlen(BRIDGE_MARK));
}

static bool turned_forward_on(const struct link_info *info)
{
	size_t len = strlen(info->alias), mark = strlen(FORWARD_MARK);

	return len > mark && !strcmp(info->alias + len - mark, FORWARD_MARK);
}

/* There is such an interface: it must be the bridge that we would make. */
static int check_bridge(const struct nat *nat, const struct link_info *info,
			char *err, size_t errlen)
{
	char want[LINK_ALIAS_MAX];
	size_t len;

	bridge_alias(want, nat, false);
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
			 nat->bridge, info->alias + strlen(BRIDGE_MARK),
			 want + strlen(BRIDGE_MARK));
		return -EEXIST;
	}
	return 0;
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

static int wire_bridge(struct link_nl *nl, const struct nat *nat, int index,
		       char *err, size_t errlen)
{
	struct link_want want = { .up = true };
	char alias[LINK_ALIAS_MAX];
	int ret;

	ret = link_add_addr(nl, index, nat->ip, nat->prefix);
	if (ret) {
		snprintf(err, errlen, "bridge %s gets no address: %s",
			 nat->bridge, strerror(-ret));
		return ret;
	}
	ret = set_forward(true);
	if (ret < 0) {
		snprintf(err, errlen, "%s cannot be set to 1: %s", IP_FORWARD,
			 strerror(-ret));
		return ret;
	}
	/* The mark comes right behind: a kill in between leaves forwarding on. */
	bridge_alias(alias, nat, ret > 0);
	want.alias = alias;
	ret = link_change(nl, index, &want);
	if (ret) {
		snprintf(err, errlen, "bridge %s cannot be set up: %s",
			 nat->bridge, strerror(-ret));
		return ret;
	}
	return add_rules(nat, err, errlen);
}

int nat_up(struct link_nl *nl, const struct nat *nat, int *index, char *err,
	   size_t errlen)
{
	struct link_want mark = { 0 };
	char mac[18], alias[LINK_ALIAS_MAX];
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
	ret = link_add_bridge(nl, nat->bridge, mac);
	if (!ret)
		ret = link_get(nl, nat->bridge, &info);
	if (ret) {
		snprintf(err, errlen, "bridge %s cannot be made: %s%s",
			 nat->bridge, strerror(-ret),
			 ret == -EOPNOTSUPP
				 ? ": load the bridge module (modprobe bridge)"
				 : "");
		return ret;
	}
	/* Ours from the first moment on, for a sweep after a kill. */
	bridge_alias(alias, nat, false);
	mark.alias = alias;
	ret = link_change(nl, info.index, &mark);
	if (!ret)
		ret = wire_bridge(nl, nat, info.index, err, errlen);
	if (ret) {
		nat_down(nl, nat->bridge);
		return ret;
	}
	*index = info.index;
	return 0;
}

/* What nat_down() looks for among all interfaces. */
struct search {
	const struct link_info *bridge;
	bool has_ports;
	struct link_info other; /* another bridge of ours; index 0: none */
};

static int look_at(void *arg, const struct link_info *info)
{
	struct search *s = arg;

	if (info->master == s->bridge->index)
		s->has_ports = true;
	if (is_ours(info) && info->index != s->bridge->index)
		s->other = *info;
	return 0;
}

/* Forwarding goes off with the last bridge of ours, if we turned it on. */
static void drop_forward(struct link_nl *nl, struct link_info *other)
{
	struct link_want want = { .alias = other->alias };

	if (!other->index) {
		if (set_forward(false) < 0)
			log_warn("%s is not set back to 0", IP_FORWARD);
	} else if (!turned_forward_on(other)) {
		strncat(other->alias, FORWARD_MARK,
			LINK_ALIAS_MAX - strlen(other->alias) - 1);
		if (link_change(nl, other->index, &want))
			log_warn("bridge %s keeps its alias", other->name);
	}
}

void nat_down(struct link_nl *nl, const char *name)
{
	struct link_info info;
	struct search s = { .bridge = &info };
	int ret;

	if (link_get(nl, name, &info) || !is_ours(&info))
		return;
	ret = link_each(nl, look_at, &s);
	if (ret || s.has_ports)
		return;
	if (turned_forward_on(&info))
		drop_forward(nl, &s.other);
	del_rules(name);
	ret = link_del(nl, info.index);
	if (ret)
		log_warn("bridge %s is not removed: %s", name, strerror(-ret));
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
