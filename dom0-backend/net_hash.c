// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/net_hash.c - hashes that spread packets; no I/O, no memory.
#define XEN_NETIF_DEFINE_TOEPLITZ /* the function itself, by Xen's header */
#include "dom0-backend/net_hash.h"

#include <netinet/in.h>
#include <string.h>

#define TYPES_ALL                                       \
	((uint32_t)(XEN_NETIF_CTRL_HASH_TYPE_IPV4 |     \
		    XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP | \
		    XEN_NETIF_CTRL_HASH_TYPE_IPV6 |     \
		    XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP))

#define IP4_ADDRS_AT 12u /* from the IP header */
#define IP4_ADDRS    8u
#define IP6_ADDRS_AT 8u
#define IP6_ADDRS    32u
#define PORTS	     4u

uint32_t net_hash_set_algorithm(struct net_hash *h, uint32_t algorithm)
{
	if (algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_NONE &&
	    algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	h->algorithm = algorithm;
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

uint32_t net_hash_get_types(const struct net_hash *h, uint32_t *types)
{
	if (h->algorithm == XEN_NETIF_CTRL_HASH_ALGORITHM_NONE)
		return XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
	*types = TYPES_ALL;
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

uint32_t net_hash_set_types(struct net_hash *h, uint32_t types)
{
	if (types & ~TYPES_ALL)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	if (h->algorithm == XEN_NETIF_CTRL_HASH_ALGORITHM_NONE)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	h->types = types;
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

uint32_t net_hash_key_fault(uint32_t len)
{
	return len > NET_HASH_KEY_MAX ? XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW
				      : XEN_NETIF_CTRL_STATUS_SUCCESS;
}

void net_hash_set_key(struct net_hash *h, const uint8_t *key, uint32_t len)
{
	memset(h->key, 0, sizeof(h->key));
	memcpy(h->key, key, len);
}

uint32_t net_hash_set_map_size(struct net_hash *h, uint32_t n)
{
	if (n > NET_HASH_MAP_MAX)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	memset(h->map, 0, sizeof(h->map));
	h->nmap = n;
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

uint32_t net_hash_map_fault(const struct net_hash *h, uint32_t n, uint32_t at)
{
	if (n > NET_HASH_MAP_MAX)
		return XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW;
	if (n > h->nmap || at > h->nmap - n) /* XSA-270: no sum, no overflow */
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

uint32_t net_hash_set_map(struct net_hash *h, const uint32_t *map, uint32_t n,
			  uint32_t at)
{
	for (uint32_t i = 0; i < n; i++) {
		if (map[i] >= h->nqueues)
			return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	}
	memcpy(h->map + at, map, n * sizeof(*map));
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

bool net_hash_sane(const struct net_hash *h, uint32_t nqueues)
{
	struct net_hash other = { .nqueues = nqueues };

	if (h->nqueues != nqueues || h->types & ~TYPES_ALL ||
	    net_hash_set_algorithm(&other, h->algorithm) ||
	    net_hash_set_map_size(&other, h->nmap))
		return false;
	return !net_hash_set_map(&other, h->map, h->nmap, 0);
}

/* Hash @n bytes of addresses, and the ports at @ports unless NULL. */
static struct net_mark mark(const struct net_hash *h, uint8_t type,
			    const uint8_t *addrs, uint32_t n,
			    const uint8_t *ports)
{
	uint8_t buf[IP6_ADDRS + PORTS];

	memcpy(buf, addrs, n);
	if (ports)
		memcpy(buf + n, ports, PORTS);
	return (struct net_mark){
		.known = true,
		.type = type,
		.value = xen_netif_toeplitz_hash(h->key, sizeof(h->key), buf,
						 n + (ports ? PORTS : 0)),
	};
}

struct net_mark net_hash_mark(const struct net_hash *h, const uint8_t *p,
			      size_t len)
{
	struct net_mark none = { 0 };
	const uint8_t *addrs;
	struct net_hdr o;
	uint32_t types;
	uint8_t proto;

	len = MIN(len, NET_HDR_MAX);
	if (net_ip_parse(p, len, &o, &proto))
		return none;
	types = h->types;
	if (proto != IPPROTO_TCP || o.l4 + PORTS > len)
		types &= ~(uint32_t)(XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP |
				     XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP);
	addrs = p + o.ip + (o.v6 ? IP6_ADDRS_AT : IP4_ADDRS_AT);
	if (o.v6 && types & XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP)
		return mark(h, _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP, addrs,
			    IP6_ADDRS, p + o.l4);
	if (o.v6 && types & XEN_NETIF_CTRL_HASH_TYPE_IPV6)
		return mark(h, _XEN_NETIF_CTRL_HASH_TYPE_IPV6, addrs, IP6_ADDRS,
			    NULL);
	if (!o.v6 && types & XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP)
		return mark(h, _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP, addrs,
			    IP4_ADDRS, p + o.l4);
	if (!o.v6 && types & XEN_NETIF_CTRL_HASH_TYPE_IPV4)
		return mark(h, _XEN_NETIF_CTRL_HASH_TYPE_IPV4, addrs, IP4_ADDRS,
			    NULL);
	return none;
}

unsigned int net_hash_queue(const struct net_hash *h,
			    const struct net_mark *mark_of)
{
	uint32_t value = mark_of->known ? mark_of->value : 0;

	return h->nmap ? h->map[value % h->nmap] : value % h->nqueues;
}
