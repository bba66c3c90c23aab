// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/net_slots.c - packets in netif ring slots; no I/O, no memory.
#include "dom0-backend/net_slots.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include "base/be.h"

#define VLAN_TAGS_MAX 2
#define ETH_TYPE_AT   12u
#define ETH_HDR	      14u
#define VLAN_HDR      4u
#define IP4_HDR	      20u
#define IP6_HDR	      40u
#define TCP_HDR	      20u
#define UDP_HDR	      8u
#define TCP_CSUM_AT   16u
#define UDP_CSUM_AT   6u

/* Sum of 16-bit words, the last one padded; for less than 128 KiB. */
static uint32_t add16(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += get_be16(p + i);
	return i < len ? sum + (uint32_t)(p[i] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* The first thing wrong is what gets told. */
static void blame(struct net_chain *c, const char *why)
{
	if (!c->fault)
		c->fault = why;
}

void net_chain_begin(struct net_chain *c)
{
	*c = (struct net_chain){ .want = NET_WANT_FIRST };
}

/* All slots are read: the first one's size was the whole packet's. */
static void finish(struct net_chain *c)
{
	struct net_tx *p = &c->pkt;
	uint32_t head = p->len - c->rest;

	c->want = NET_WANT_NONE;
	if (p->len < NET_LEN_MIN)
		blame(c, "shorter than an Ethernet header");
	else if (c->rest > p->len)
		blame(c, "slots hold more than the packet's size");
	else if (p->frag[0].off + head > SV_PAGE_SIZE)
		blame(c, "first slot crosses its page's end");
	if (c->fault)
		return;
	p->frag[0].len = (uint16_t)head;
	if (!head) { /* all data lies in later slots */
		p->nfrags--;
		memmove(p->frag, p->frag + 1, p->nfrags * sizeof(p->frag[0]));
	}
}

static void add_data(struct net_chain *c, const netif_tx_request_t *req)
{
	struct net_tx *p = &c->pkt;

	c->more = req->flags & NETTXF_more_data;
	if (c->want == NET_WANT_FIRST) {
		p->len = req->size;
		p->csum_blank = req->flags & NETTXF_csum_blank;
		p->data_validated = req->flags & NETTXF_data_validated;
	} else {
		if (req->size && req->offset + req->size > SV_PAGE_SIZE)
			blame(c, "slot crosses its page's end");
		c->rest += req->size; /* 256 slots: no overflow */
		if (!req->size)
			return;
	}
	if (p->nfrags == NET_FRAGS_MAX) {
		blame(c, "more than 18 slots");
		return;
	}
	p->frag[p->nfrags++] = (struct net_frag){
		.gref = req->gref,
		.off = req->offset,
		.len = req->size,
	};
}

static void add_extra(struct net_chain *c, const netif_extra_info_t *extra)
{
	struct net_tx *p = &c->pkt;

	if (++c->extras > NET_EXTRAS)
		blame(c, "too many extra infos");
	if (!extra->type || extra->type >= XEN_NETIF_EXTRA_TYPE_MAX)
		blame(c, "unknown extra info");
	if (extra->type != XEN_NETIF_EXTRA_TYPE_GSO)
		return; /* nothing that was offered, nothing that matters */
	if (extra->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV4 &&
	    extra->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV6)
		blame(c, "unknown GSO type");
	if (!extra->u.gso.size)
		blame(c, "GSO size is 0");
	p->gso = extra->u.gso.type;
	p->mss = extra->u.gso.size;
}

enum net_want net_chain_add(struct net_chain *c, const union net_tx_slot *slot)
{
	bool extra;

	if (c->want == NET_WANT_EXTRA) {
		add_extra(c, &slot->extra);
		extra = slot->extra.flags & XEN_NETIF_EXTRA_FLAG_MORE;
	} else {
		add_data(c, &slot->req);
		extra = c->want == NET_WANT_FIRST &&
			(slot->req.flags & NETTXF_extra_info);
	}
	if (extra)
		c->want = NET_WANT_EXTRA;
	else if (c->more)
		c->want = NET_WANT_DATA;
	else
		finish(c);
	return c->want;
}

void net_ip6_skip(const uint8_t *h, size_t len, size_t *at, uint8_t *proto)
{
	while (*proto == IPPROTO_HOPOPTS || *proto == IPPROTO_ROUTING ||
	       *proto == IPPROTO_DSTOPTS || *proto == IPPROTO_AH) {
		size_t size;

		if (*at + 2 > len) {
			*proto = IPPROTO_NONE;
			return;
		}
		size = *proto == IPPROTO_AH ? (h[*at + 1] + (size_t)2) * 4
					    : (h[*at + 1] + (size_t)1) * 8;
		*proto = h[*at];
		*at += size; /* by at least 8 a turn: ends with @len */
	}
}

/* Find what follows the IP header at @o->ip; in a fragment, nothing does. */
static int parse_ip(const uint8_t *h, size_t len, uint16_t type,
		    struct net_hdr *o, uint8_t *proto)
{
	const uint8_t *ip = h + o->ip;
	size_t at = o->ip;

	o->v6 = type == ETH_P_IPV6;
	if (type == ETH_P_IP) {
		if (at + IP4_HDR > len || ip[0] >> 4 != 4 || (ip[0] & 15) < 5)
			return -EPROTO;
		*proto = get_be16(ip + 6) & 0x3fff ? IPPROTO_FRAGMENT : ip[9];
		at += (size_t)(ip[0] & 15u) * 4;
	} else if (type == ETH_P_IPV6) {
		if (at + IP6_HDR > len || ip[0] >> 4 != 6)
			return -EPROTO;
		*proto = ip[6];
		at += IP6_HDR;
		net_ip6_skip(h, len, &at, proto);
	} else {
		return -EPROTO;
	}
	o->l4 = (uint16_t)at; /* perhaps behind @len, by less than 4 KiB */
	return 0;
}

int net_eth_parse(const uint8_t *h, size_t len, size_t *at, uint16_t *type)
{
	size_t end = ETH_HDR;
	uint16_t t;

	if (len < ETH_HDR)
		return -EPROTO;
	t = get_be16(h + ETH_TYPE_AT);
	for (int i = 0; i < VLAN_TAGS_MAX; i++) {
		if (t != ETH_P_8021Q && t != ETH_P_8021AD)
			break;
		if (end + VLAN_HDR > len)
			return -EPROTO;
		t = get_be16(h + end + 2);
		end += VLAN_HDR;
	}
	*at = end;
	*type = t;
	return 0;
}

int net_ip_parse(const uint8_t *h, size_t len, struct net_hdr *out,
		 uint8_t *proto)
{
	struct net_hdr o = { 0 };
	uint16_t type;
	size_t at;

	if (net_eth_parse(h, len, &at, &type))
		return -EPROTO;
	o.ip = (uint16_t)at;
	if (parse_ip(h, len, type, &o, proto))
		return -EPROTO;
	*out = o;
	return 0;
}

int net_hdr_parse(const uint8_t *h, size_t len, struct net_hdr *out)
{
	struct net_hdr o;
	uint8_t proto;
	int ret;

	len = MIN(len, NET_HDR_MAX);
	ret = net_ip_parse(h, len, &o, &proto);
	if (ret)
		return ret;

	o.tcp = proto == IPPROTO_TCP;
	if (!o.tcp && proto != IPPROTO_UDP)
		return -EPROTO;
	o.csum = o.tcp ? TCP_CSUM_AT : UDP_CSUM_AT;
	o.end = (uint16_t)(o.l4 + (o.tcp ? TCP_HDR : UDP_HDR));
	if (o.end > len)
		return -EPROTO;
	if (o.tcp) {
		unsigned int words = h[o.l4 + 12] >> 4;

		if (words < 5 || o.l4 + words * 4 > len)
			return -EPROTO;
		o.end = (uint16_t)(o.l4 + words * 4);
	}
	*out = o;
	return 0;
}

/* Put the checksum of the pseudo-header where the whole one will be. */
static void put_pseudo_csum(uint8_t *h, const struct net_hdr *o, uint32_t len)
{
	const uint8_t *addr = h + o->ip + (o->v6 ? 8 : 12);
	size_t n = o->v6 ? 32 : 8;
	uint16_t sum;

	sum = fold(add16(addr, n) + (o->tcp ? IPPROTO_TCP : IPPROTO_UDP) + len -
		   o->l4);
	set_be16(h + o->l4 + o->csum, sum);
}

const char *net_tx_vnet(const struct net_tx *pkt, uint8_t *h, size_t hlen,
			struct virtio_net_hdr *v)
{
	struct net_hdr o;

	*v = (struct virtio_net_hdr){ .hdr_len = (uint16_t)hlen };
	if (!pkt->csum_blank && !pkt->gso) {
		if (pkt->data_validated)
			v->flags = VIRTIO_NET_HDR_F_DATA_VALID;
		return NULL;
	}
	if (net_hdr_parse(h, hlen, &o))
		return "checksum or segments wanted, but no TCP or UDP header";
	v->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	v->csum_start = o.l4;
	v->csum_offset = o.csum;
	if (!pkt->gso)
		return NULL;

	if (!o.tcp || o.v6 != (pkt->gso == XEN_NETIF_GSO_TYPE_TCPV6))
		return "GSO type does not match the headers";
	if (!pkt->csum_blank)
		put_pseudo_csum(h, &o, pkt->len);
	v->gso_type = o.v6 ? VIRTIO_NET_HDR_GSO_TCPV6
			   : VIRTIO_NET_HDR_GSO_TCPV4;
	v->gso_size = pkt->mss;
	v->hdr_len = o.end;
	return NULL;
}

const char *net_rx_fault(const struct net_caps *caps,
			 const struct virtio_net_hdr *v, size_t len)
{
	if (len < NET_LEN_MIN || len > NET_RX_LEN_MAX)
		return "length";
	if (len > SV_PAGE_SIZE && !caps->sg)
		return "longer than a page and no feature-sg";
	switch (v->gso_type) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return NULL;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return caps->tso4 && v->gso_size ? NULL : "TCPv4 segments";
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return caps->tso6 && v->gso_size ? NULL : "TCPv6 segments";
	default:
		return "segments of an unknown type";
	}
}

bool net_rx_wants_csum(const struct net_caps *caps,
		       const struct virtio_net_hdr *v, const uint8_t *eth)
{
	uint16_t type = get_be16(eth + ETH_TYPE_AT);

	if (!(v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) ||
	    v->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return false;
	return !(type == ETH_P_IP && caps->csum4) &&
	       !(type == ETH_P_IPV6 && caps->csum6);
}

int net_csum_fill(uint8_t *p, size_t len, struct virtio_net_hdr *v)
{
	uint32_t at = (uint32_t)v->csum_start + v->csum_offset;
	uint16_t sum;

	if (at + 2 > len)
		return -EPROTO;
	/* The field holds the pseudo-header's sum: it takes part as it is. */
	sum = (uint16_t)~fold(add16(p + v->csum_start, len - v->csum_start));
	set_be16(p + at, sum ? sum : 0xffff); /* 0 would mean none, in UDP */
	v->flags = VIRTIO_NET_HDR_F_DATA_VALID;
	return (int)at;
}

static union net_rx_rsp gso_extra(const struct virtio_net_hdr *v)
{
	union net_rx_rsp r = { 0 };

	r.extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
	r.extra.u.gso.size = v->gso_size;
	r.extra.u.gso.type = v->gso_type == VIRTIO_NET_HDR_GSO_TCPV6
				     ? XEN_NETIF_GSO_TYPE_TCPV6
				     : XEN_NETIF_GSO_TYPE_TCPV4;
	return r;
}

static union net_rx_rsp hash_extra(const struct net_mark *mark)
{
	union net_rx_rsp r = { 0 };

	r.extra.type = XEN_NETIF_EXTRA_TYPE_HASH;
	r.extra.u.hash.type = mark->type;
	r.extra.u.hash.algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ;
	for (unsigned int i = 0; i < sizeof(r.extra.u.hash.value); i++)
		r.extra.u.hash.value[i] = (uint8_t)(mark->value >> 8 * i);
	return r;
}

uint32_t net_rx_extras(const struct virtio_net_hdr *v,
		       const struct net_mark *mark)
{
	return (v->gso_type != VIRTIO_NET_HDR_GSO_NONE ? 1u : 0u) + mark->known;
}

union net_rx_rsp net_rx_rsp(const struct virtio_net_hdr *v,
			    const struct net_mark *mark, size_t len, uint32_t n,
			    uint16_t id)
{
	bool gso = v->gso_type != VIRTIO_NET_HDR_GSO_NONE;
	uint32_t extras = net_rx_extras(v, mark);
	union net_rx_rsp r = { .rsp.id = id };
	size_t left;

	if (n && n <= extras) {
		r = n == 1 && gso ? gso_extra(v) : hash_extra(mark);
		r.extra.flags = n < extras ? XEN_NETIF_EXTRA_FLAG_MORE : 0;
		return r;
	}
	left = len - (size_t)(n - (n ? extras : 0)) * SV_PAGE_SIZE;
	r.rsp.status = (int16_t)MIN(left, SV_PAGE_SIZE);
	if (left > SV_PAGE_SIZE)
		r.rsp.flags |= NETRXF_more_data;
	if (n)
		return r;
	if (extras)
		r.rsp.flags |= NETRXF_extra_info;
	if (v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		r.rsp.flags |= NETRXF_csum_blank | NETRXF_data_validated;
	else if (v->flags & VIRTIO_NET_HDR_F_DATA_VALID)
		r.rsp.flags |= NETRXF_data_validated;
	return r;
}
