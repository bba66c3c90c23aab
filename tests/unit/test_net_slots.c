/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_net_slots.c - packets in netif ring slots. */
#include "dom0-backend/net_slots.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PARTS 300

/* A packet cut into slots; slot i's bytes lie in page i, at off[i]. */
struct cut {
	uint32_t n;
	uint32_t len[MAX_PARTS], off[MAX_PARTS];
	uint16_t total, flags; /* of the first slot; flags beside more_data */
	netif_extra_info_t extra[8];
	uint32_t nextra;
};

static uint8_t pages[MAX_PARTS][SV_PAGE_SIZE];
static uint8_t packet[NET_LEN_MAX];

static uint32_t rnd(uint32_t below)
{
	return (uint32_t)random() % below;
}

static enum net_want feed_extras(struct net_chain *c, const struct cut *t)
{
	union net_tx_slot slot;

	for (uint32_t i = 0; i < t->nextra; i++) {
		cr_assert_eq(net_chain_want(c), NET_WANT_EXTRA);
		memset(&slot, 0, sizeof(slot));
		slot.extra = t->extra[i];
		if (i + 1 < t->nextra)
			slot.extra.flags |= XEN_NETIF_EXTRA_FLAG_MORE;
		net_chain_add(c, &slot);
	}
	return net_chain_want(c);
}

/* Lay out the packet and feed the chain; the chain must end with the cut. */
static void feed(struct net_chain *c, const struct cut *t)
{
	uint32_t at = 0;

	net_chain_begin(c);
	for (uint32_t i = 0; i < t->n; i++) {
		union net_tx_slot
			slot = { .req = {
					 .gref = i,
					 .offset = (uint16_t)t->off[i],
					 .flags = i + 1 < t->n
							  ? NETTXF_more_data
							  : 0,
					 .id = (uint16_t)i,
					 .size = (uint16_t)t->len[i],
				 } };

		if (!i) {
			slot.req.size = t->total;
			slot.req.flags |= t->flags;
			if (t->nextra)
				slot.req.flags |= NETTXF_extra_info;
		}
		if (t->off[i] + t->len[i] <= SV_PAGE_SIZE &&
		    at + t->len[i] <= sizeof(packet))
			memcpy(pages[i] + t->off[i], packet + at, t->len[i]);
		at += t->len[i];
		cr_assert_eq(net_chain_want(c),
			     i ? NET_WANT_DATA : NET_WANT_FIRST);
		net_chain_add(c, &slot);
		if (!i && t->nextra)
			feed_extras(c, t);
	}
	cr_assert_eq(net_chain_want(c), NET_WANT_NONE);
}

/* The description's pieces, put together, are the packet. */
static void expect_whole(const struct net_chain *c, const struct cut *t)
{
	uint8_t got[NET_LEN_MAX];
	uint32_t at = 0;

	cr_assert_null(c->fault, "%s", c->fault);
	cr_assert_eq(c->pkt.len, t->total);
	cr_assert_leq(c->pkt.nfrags, NET_FRAGS_MAX);
	for (uint32_t i = 0; i < c->pkt.nfrags; i++) {
		const struct net_frag *f = &c->pkt.frag[i];

		cr_assert_gt(f->len, 0);
		cr_assert_leq(f->off + f->len, SV_PAGE_SIZE);
		cr_assert_leq(at + f->len, t->total);
		memcpy(got + at, pages[f->gref] + f->off, f->len);
		at += f->len;
	}
	cr_assert_eq(at, t->total);
	cr_assert_arr_eq(got, packet, at);
}

static void fill_packet(size_t len)
{
	for (size_t i = 0; i < len; i++)
		packet[i] = (uint8_t)random();
}

/* Cut @total bytes into @n slots that are not empty, at random. */
static void cut_random(struct cut *t, uint32_t n, uint32_t total)
{
	uint32_t left = total;

	*t = (struct cut){ .n = n, .total = (uint16_t)total };
	for (uint32_t i = 0; i < n; i++) {
		uint32_t max = MIN(left - (n - 1 - i), SV_PAGE_SIZE);

		t->len[i] = i + 1 == n ? left : 1 + rnd(max);
		t->off[i] = rnd(SV_PAGE_SIZE - t->len[i] + 1);
		left -= t->len[i];
	}
}

/* Every place for two cuts, then random ones up to the limit and beyond. */
Test(net_slots, splits_of_64_bytes)
{
	struct net_chain c;
	struct cut t;

	fill_packet(64);
	for (uint32_t a = 0; a <= 64; a++) {
		for (uint32_t b = a; b <= 64; b++) {
			t = (struct cut){ .n = 3, .total = 64 };
			t.len[0] = a;
			t.len[1] = b - a;
			t.len[2] = 64 - b;
			t.off[0] = SV_PAGE_SIZE - a;
			feed(&c, &t);
			expect_whole(&c, &t);
		}
	}
	for (uint32_t n = 1; n <= 19; n++) {
		for (int turn = 0; turn < 2000; turn++) {
			cut_random(&t, n, 64);
			feed(&c, &t);
			if (n <= NET_FRAGS_MAX)
				expect_whole(&c, &t);
			else
				cr_assert_not_null(c.fault);
		}
	}
}

Test(net_slots, empty_slots_are_skipped)
{
	struct net_chain c;
	struct cut t;

	fill_packet(64);
	for (uint32_t empty = 0; empty < 40; empty++) {
		/* at the beginning, then 1 byte each, then at the end */
		t = (struct cut){ .n = 2 * empty + 2, .total = 64 };
		t.len[empty] = 1;
		t.len[empty + 1] = 63;
		/* an empty slot may point behind its page's end */
		t.off[t.n - 1] = empty ? 0xffff : 0;
		feed(&c, &t);
		expect_whole(&c, &t);
		cr_assert_eq(c.pkt.nfrags, 2);
	}
}

Test(net_slots, largest_packet)
{
	struct net_chain c;
	struct cut t = { .n = 16, .total = NET_LEN_MAX };

	fill_packet(NET_LEN_MAX);
	for (uint32_t i = 0; i < 15; i++)
		t.len[i] = SV_PAGE_SIZE;
	t.len[15] = SV_PAGE_SIZE - 1;
	feed(&c, &t);
	expect_whole(&c, &t);
	cr_expect_eq(c.pkt.nfrags, 16);
}

Test(net_slots, endless_chain_is_followed_and_refused)
{
	struct net_chain c;
	struct cut t = { .n = 256, .total = 256 };

	for (uint32_t i = 0; i < t.n; i++)
		t.len[i] = 1;
	feed(&c, &t);
	cr_expect_str_eq(c.fault, "more than 18 slots");
}

struct lie {
	char name[40];
	uint32_t n, len[4], off[4];
	uint16_t total;
};

ParameterizedTestParameters(net_slots, lies)
{
	static struct lie t[] = {
		{ "sum too large", 2, { 10, 60 }, { 0 }, 59 },
		{ "sum far too large", 3, { 0, 0xffff, 0xffff }, { 0 }, 64 },
		{ "sum too large, offset", 2, { 10, 60 }, { 100 }, 59 },
		{ "first crosses", 1, { 64 }, { 4033 }, 64 },
		{ "first crosses by its size", 1, { 4097 }, { 0 }, 4097 },
		{ "first alone holds the rest", 2, { 5000, 4 }, { 0 }, 5004 },
		{ "offset 4095, 2 bytes", 2, { 62, 2 }, { 0, 4095 }, 64 },
		{ "offset wraps", 2, { 62, 2 }, { 0, 0xffff }, 64 },
		{ "second too long", 2, { 10, 4097 }, { 0 }, 4107 },
		{ "13 bytes", 1, { 13 }, { 0 }, 13 },
		{ "nothing", 1, { 0 }, { 0 }, 0 },
		{ "nothing, often", 4, { 0 }, { 0 }, 0 },
	};
	return cr_make_param_array(struct lie, t, ARRAY_SIZE(t));
}

ParameterizedTest(struct lie *l, net_slots, lies)
{
	struct net_chain c;
	struct cut t = { .n = l->n, .total = l->total };

	memcpy(t.len, l->len, sizeof(l->len));
	memcpy(t.off, l->off, sizeof(l->off));
	feed(&c, &t);
	cr_expect_not_null(c.fault, "%s", l->name);
}

static netif_extra_info_t gso(uint8_t type, uint16_t size)
{
	netif_extra_info_t e = { .type = XEN_NETIF_EXTRA_TYPE_GSO };

	e.u.gso.size = size;
	e.u.gso.type = type;
	return e;
}

Test(net_slots, extras)
{
	struct net_chain c;
	struct cut t = { .n = 2, .total = 64, .len = { 20, 44 } };

	fill_packet(64);
	t.extra[t.nextra++] = gso(XEN_NETIF_GSO_TYPE_TCPV6, 1440);
	feed(&c, &t);
	expect_whole(&c, &t);
	cr_expect_eq(c.pkt.gso, XEN_NETIF_GSO_TYPE_TCPV6);
	cr_expect_eq(c.pkt.mss, 1440);

	t.extra[t.nextra++] = (netif_extra_info_t){
		.type = XEN_NETIF_EXTRA_TYPE_HASH,
	};
	feed(&c, &t);
	expect_whole(&c, &t);
	cr_expect_eq(c.pkt.mss, 1440);

	t.nextra = 1;
	t.extra[0] = gso(XEN_NETIF_GSO_TYPE_TCPV4, 0);
	feed(&c, &t);
	cr_expect_not_null(c.fault);
	t.extra[0] = gso(3, 1440);
	feed(&c, &t);
	cr_expect_not_null(c.fault);
	t.extra[0] = (netif_extra_info_t){ .type = 0 };
	feed(&c, &t);
	cr_expect_not_null(c.fault);
	t.extra[0].type = XEN_NETIF_EXTRA_TYPE_MAX;
	feed(&c, &t);
	cr_expect_not_null(c.fault);

	t.nextra = NET_EXTRAS + 1;
	for (uint32_t i = 0; i < t.nextra; i++)
		t.extra[i] = gso(XEN_NETIF_GSO_TYPE_TCPV4, 1);
	feed(&c, &t);
	cr_expect_not_null(c.fault);
}

/* ---- headers ------------------------------------------------------------ */

struct hdr_case {
	char name[40];
	uint16_t vlans; /* tags */
	uint16_t type;	/* Ethernet */
	uint8_t proto;
	uint8_t words; /* IPv4 header or TCP header length */
	uint8_t exts;  /* IPv6 extension headers */
	uint8_t ext_type, ext_len;
	int cut; /* bytes missing at the end of the headers */
	int want;
	uint16_t l4;
};

static size_t put_headers(uint8_t *h, const struct hdr_case *t)
{
	size_t at = 12;

	memset(h, 0, NET_HDR_MAX * 4);
	for (int i = 0; i < t->vlans; i++) {
		h[at] = 0x81;
		at += 4;
	}
	h[at] = (uint8_t)(t->type >> 8);
	h[at + 1] = (uint8_t)t->type;
	at += 2;
	if (t->type == 0x0800) {
		h[at] = (uint8_t)(0x40 | (t->words ? t->words : 5));
		h[at + 9] = t->proto;
		at += 4 * (h[at] & 15u);
	} else {
		size_t next = at + 6;

		h[at] = 0x60;
		at += 40;
		for (int i = 0; i < t->exts; i++) {
			h[next] = t->ext_type;
			next = at;
			h[at + 1] = t->ext_len;
			at += t->ext_type == 51 ? (t->ext_len + 2u) * 4u
						: (t->ext_len + 1u) * 8u;
		}
		h[next] = t->proto;
	}
	if (t->proto == 6) {
		h[at + 12] = 0x50;
		return at + 20;
	}
	return at + 8;
}

ParameterizedTestParameters(net_slots, headers)
{
	static struct hdr_case t[] = {
		{ "tcp4", 0, 0x0800, 6, 5, 0, 0, 0, 0, 0, 34 },
		{ "udp4", 0, 0x0800, 17, 5, 0, 0, 0, 0, 0, 34 },
		{ "tcp4 options", 0, 0x0800, 6, 15, 0, 0, 0, 0, 0, 74 },
		{ "tcp4 short ihl", 0, 0x0800, 6, 4, 0, 0, 0, 0, -EPROTO, 0 },
		{ "tcp4 cut", 0, 0x0800, 6, 5, 0, 0, 0, 1, -EPROTO, 0 },
		{ "udp4 cut", 0, 0x0800, 17, 5, 0, 0, 0, 1, -EPROTO, 0 },
		{ "tcp4 ip cut", 0, 0x0800, 6, 5, 0, 0, 0, 21, -EPROTO, 0 },
		{ "tcp4 vlan", 1, 0x0800, 6, 5, 0, 0, 0, 0, 0, 38 },
		{ "tcp4 2 vlans", 2, 0x0800, 6, 5, 0, 0, 0, 0, 0, 42 },
		{ "tcp4 3 vlans", 3, 0x0800, 6, 5, 0, 0, 0, 0, -EPROTO, 0 },
		{ "icmp", 0, 0x0800, 1, 5, 0, 0, 0, 0, -EPROTO, 0 },
		{ "arp", 0, 0x0806, 6, 5, 0, 0, 0, 0, -EPROTO, 0 },
		{ "tcp6", 0, 0x86dd, 6, 0, 0, 0, 0, 0, 0, 54 },
		{ "udp6", 0, 0x86dd, 17, 0, 0, 0, 0, 0, 0, 54 },
		{ "tcp6 hop", 0, 0x86dd, 6, 0, 1, 0, 0, 0, 0, 62 },
		{ "tcp6 routing", 0, 0x86dd, 6, 0, 2, 43, 1, 0, 0, 86 },
		{ "tcp6 dst", 0, 0x86dd, 6, 0, 3, 60, 0, 0, 0, 78 },
		{ "tcp6 auth", 0, 0x86dd, 6, 0, 1, 51, 4, 0, 0, 78 },
		{ "tcp6 fragment", 0, 0x86dd, 6, 0, 1, 44, 0, 0, -EPROTO, 0 },
		{ "tcp6 many", 0, 0x86dd, 6, 0, 22, 60, 0, 0, 0, 230 },
		{ "tcp6 too many", 0, 0x86dd, 6, 0, 23, 60, 0, 0, -EPROTO, 0 },
		{ "tcp6 long ext", 0, 0x86dd, 6, 0, 1, 60, 99, 0, -EPROTO, 0 },
		{ "tcp6 cut", 0, 0x86dd, 6, 0, 1, 60, 0, 21, -EPROTO, 0 },
	};
	return cr_make_param_array(struct hdr_case, t, ARRAY_SIZE(t));
}

ParameterizedTest(struct hdr_case *t, net_slots, headers)
{
	uint8_t h[NET_HDR_MAX * 4];
	struct net_hdr o = { 0 };
	size_t len;

	len = put_headers(h, t) - (size_t)t->cut;
	cr_assert_eq(net_hdr_parse(h, len, &o), t->want, "%s", t->name);
	if (t->want)
		return;
	cr_expect_eq(o.l4, t->l4, "%s", t->name);
	cr_expect_eq(o.end, len, "%s", t->name);
	cr_expect_eq(o.tcp, t->proto == 6, "%s", t->name);
	cr_expect_eq(o.csum, o.tcp ? 16 : 6, "%s", t->name);
}

Test(net_slots, header_that_ends_anywhere_or_is_noise)
{
	struct hdr_case t = { "", 1, 0x86dd, 6, 0, 2, 60, 1, 0, 0, 0 };
	uint8_t h[NET_HDR_MAX * 4], *tight;
	struct net_hdr o;
	size_t len = put_headers(h, &t);

	for (size_t n = 0; n <= NET_HDR_MAX; n++) {
		tight = malloc(n + 1); /* ASan sees what is read behind */
		memcpy(tight, h, n);
		cr_expect_eq(net_hdr_parse(tight, n, &o), n < len ? -EPROTO : 0,
			     "%zu", n);
		for (int turn = 0; turn < 200; turn++) {
			for (size_t i = 12; i < n; i++)
				tight[i] = (uint8_t)random();
			if (n > 14) {
				tight[12] = turn & 1 ? 0x08 : 0x86;
				tight[13] = turn & 1 ? 0x00 : 0xdd;
				tight[14] = turn & 1 ? 0x45 : 0x60;
			}
			if (!net_hdr_parse(tight, n, &o))
				cr_assert(o.end <= n && o.ip < o.l4 &&
					  o.l4 + o.csum + 2 <= o.end);
		}
		free(tight);
	}
}

/* ---- checksums and the TAP header --------------------------------------- */

Test(net_slots, fragments_have_no_checksum_of_their_own)
{
	struct hdr_case t = { "", 0, 0x0800, 17, 5, 0, 0, 0, 0, 0, 34 };
	uint8_t h[NET_HDR_MAX * 4];
	size_t len = put_headers(h, &t);
	struct net_hdr o;

	h[20] = 0x40; /* don't fragment */
	cr_expect_eq(net_hdr_parse(h, len, &o), 0);
	h[20] = 0x20;
	cr_expect_eq(net_hdr_parse(h, len, &o), -EPROTO);
	h[20] = 0;
	h[21] = 1;
	cr_expect_eq(net_hdr_parse(h, len, &o), -EPROTO);
}

static uint16_t sum_of(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static const struct hdr_case tcp4 = { "", 0, 0x0800, 6, 5, 0, 0, 0, 0, 0, 34 };
static const struct hdr_case tcp6 = { "", 0, 0x86dd, 6, 0, 1, 60, 0, 0, 0, 62 };
static const struct hdr_case udp4 = { "", 0, 0x0800, 17, 5, 0, 0, 0, 0, 0, 34 };
static const struct hdr_case arp = { "", 0, 0x0806, 17, 5, 0, 0, 0, 0, 0, 34 };

Test(net_slots, vnet_header)
{
	struct net_tx pkt = { .len = 5000 };
	struct virtio_net_hdr v;
	uint8_t h[NET_HDR_MAX * 4];

	put_headers(h, &arp);
	cr_assert_null(net_tx_vnet(&pkt, h, NET_HDR_MAX, &v));
	cr_expect_eq(v.flags, 0);
	cr_expect_eq(v.hdr_len, NET_HDR_MAX);
	pkt.data_validated = true;
	cr_assert_null(net_tx_vnet(&pkt, h, 60, &v));
	cr_expect_eq(v.flags, VIRTIO_NET_HDR_F_DATA_VALID);
	cr_expect_eq(v.hdr_len, 60);

	pkt.csum_blank = true;
	cr_expect_not_null(net_tx_vnet(&pkt, h, NET_HDR_MAX, &v));
	put_headers(h, &udp4);
	cr_assert_null(net_tx_vnet(&pkt, h, NET_HDR_MAX, &v));
	cr_expect_eq(v.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	cr_expect_eq(v.csum_start, 34);
	cr_expect_eq(v.csum_offset, 6);
	cr_expect_eq(v.gso_type, VIRTIO_NET_HDR_GSO_NONE);

	pkt.gso = XEN_NETIF_GSO_TYPE_TCPV4;
	pkt.mss = 1448;
	cr_expect_not_null(net_tx_vnet(&pkt, h, NET_HDR_MAX, &v), "UDP");
	put_headers(h, &tcp6);
	cr_expect_not_null(net_tx_vnet(&pkt, h, NET_HDR_MAX, &v), "v6");
	put_headers(h, &tcp4);
	cr_assert_null(net_tx_vnet(&pkt, h, NET_HDR_MAX, &v));
	cr_expect_eq(v.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	cr_expect_eq(v.gso_size, 1448);
	cr_expect_eq(v.hdr_len, 54);
	cr_expect_eq(v.csum_offset, 16);

	pkt.gso = XEN_NETIF_GSO_TYPE_TCPV6;
	cr_expect_not_null(net_tx_vnet(&pkt, h, NET_HDR_MAX, &v), "v4");
	put_headers(h, &tcp6);
	cr_assert_null(net_tx_vnet(&pkt, h, NET_HDR_MAX, &v));
	cr_expect_eq(v.gso_type, VIRTIO_NET_HDR_GSO_TCPV6);
	cr_expect_eq(v.hdr_len, 82);
}

Test(net_slots, segments_without_blank_checksum_get_a_pseudo_header)
{
	struct net_tx pkt = { .len = 1000, .mss = 500 };
	struct virtio_net_hdr v;
	uint8_t h[NET_HDR_MAX * 4];
	uint16_t want;

	put_headers(h, &tcp4);
	for (int i = 26; i < 34; i++)
		h[i] = (uint8_t)(i * 37);
	want = sum_of(h + 26, 8, 6 + 1000 - 34);
	h[50] = h[51] = 0xaa; /* a finished checksum */
	pkt.gso = XEN_NETIF_GSO_TYPE_TCPV4;
	cr_assert_null(net_tx_vnet(&pkt, h, NET_HDR_MAX, &v));
	cr_expect_eq(v.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	cr_expect_eq(h[50] << 8 | h[51], want);

	put_headers(h, &tcp6);
	for (int i = 22; i < 54; i++)
		h[i] = (uint8_t)(i * 91);
	want = sum_of(h + 22, 32, 6 + 1000 - 62);
	pkt.gso = XEN_NETIF_GSO_TYPE_TCPV6;
	cr_assert_null(net_tx_vnet(&pkt, h, NET_HDR_MAX, &v));
	cr_expect_eq(h[62 + 16] << 8 | h[62 + 17], want);
}

Test(net_slots, filled_checksum_verifies)
{
	struct virtio_net_hdr v;
	uint8_t *p = malloc(NET_LEN_MAX);
	uint16_t pseudo;

	for (size_t len = 42; len < 1600; len += 1 + len / 40) {
		fill_packet(len);
		memcpy(p, packet, len);
		pseudo = sum_of(p + 26, 8, (uint32_t)(17 + len - 34));
		p[40] = (uint8_t)(pseudo >> 8);
		p[41] = (uint8_t)pseudo;
		v = (struct virtio_net_hdr){
			.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.csum_start = 34,
			.csum_offset = 6,
		};
		cr_assert_eq(net_csum_fill(p, len, &v), 40);
		cr_expect_eq(v.flags, VIRTIO_NET_HDR_F_DATA_VALID);
		cr_expect_eq(sum_of(p + 34, len - 34, pseudo), 0xffff, "%zu",
			     len);
	}
	v.csum_start = 100;
	v.csum_offset = 63;
	cr_expect_eq(net_csum_fill(p, 164, &v), -EPROTO);
	cr_expect_eq(net_csum_fill(p, 165, &v), 163);
	v.csum_start = v.csum_offset = 0xffff;
	cr_expect_eq(net_csum_fill(p, NET_LEN_MAX, &v), -EPROTO);
	free(p);
}

/* ---- to the guest --------------------------------------------------------- */

static const struct net_caps all_caps = { true, true, true, true, true };

static const struct net_mark unmarked;

/* The extra infos behind the first response; how many there are. */
static uint32_t expect_extras(const struct virtio_net_hdr *v,
			      const struct net_mark *mark, size_t len)
{
	bool gso = v->gso_type != VIRTIO_NET_HDR_GSO_NONE;
	union net_rx_rsp r;
	uint32_t i = 1;

	if (gso) {
		r = net_rx_rsp(v, mark, len, i++, 7);
		cr_assert_eq(r.extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
		cr_assert_eq(r.extra.flags,
			     mark->known ? XEN_NETIF_EXTRA_FLAG_MORE : 0);
		cr_assert_eq(r.extra.u.gso.size, v->gso_size);
	}
	if (mark->known) {
		r = net_rx_rsp(v, mark, len, i++, 7);
		cr_assert_arr_eq((uint8_t *)&r, "\4\0\3\1\x44\x33\x22\x11", 8);
	}
	return i - 1;
}

/* Read the responses as netfront does; length and extra infos must come out. */
static void expect_rx(const struct virtio_net_hdr *v,
		      const struct net_mark *mark, size_t len)
{
	uint32_t extras = net_rx_extras(v, mark), n, i = 0;
	union net_rx_rsp r;
	bool more = true;
	size_t sum = 0;

	n = net_rx_slots(len, extras);
	cr_assert_leq(n, NET_RX_SLOTS_MAX + mark->known);
	while (more) {
		cr_assert_lt(i, n);
		r = net_rx_rsp(v, mark, len, i, (uint16_t)(i + 500));
		cr_assert_eq(r.rsp.id, i + 500);
		cr_assert_gt(r.rsp.status, 0);
		cr_assert_leq(r.rsp.status, (int)SV_PAGE_SIZE);
		cr_assert_eq(r.rsp.offset, 0);
		cr_assert_eq(!!(r.rsp.flags & NETRXF_extra_info), extras && !i);
		more = r.rsp.flags & NETRXF_more_data;
		sum += (size_t)r.rsp.status;
		i += i ? 1 : 1 + expect_extras(v, mark, len);
	}
	cr_assert_eq(i, n);
	cr_assert_eq(sum, len);
}

Test(net_slots, rx_lengths)
{
	struct virtio_net_hdr v = { .gso_size = 1448 };
	struct net_mark mark = { true, 3, 0x11223344 };

	for (size_t len = NET_LEN_MIN; len <= NET_RX_LEN_MAX; len++) {
		v.gso_type = VIRTIO_NET_HDR_GSO_NONE;
		expect_rx(&v, &unmarked, len);
		expect_rx(&v, &mark, len);
		v.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
		expect_rx(&v, &unmarked, len);
		expect_rx(&v, &mark, len);
	}
}

Test(net_slots, rx_flags)
{
	struct virtio_net_hdr v = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM };

	cr_expect_eq(net_rx_rsp(&v, &unmarked, 60, 0, 1).rsp.flags,
		     NETRXF_csum_blank | NETRXF_data_validated);
	v.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	cr_expect_eq(net_rx_rsp(&v, &unmarked, 60, 0, 1).rsp.flags,
		     NETRXF_data_validated);
	cr_expect_eq(net_rx_rsp(&v, &unmarked, 5000, 1, 1).rsp.flags, 0);
	v.flags = 0;
	cr_expect_eq(net_rx_rsp(&v, &unmarked, 60, 0, 1).rsp.flags, 0);
	v.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	cr_expect_eq(net_rx_rsp(&v, &unmarked, 60, 1, 1).extra.u.gso.type,
		     XEN_NETIF_GSO_TYPE_TCPV4);
}

Test(net_slots, rx_only_what_the_guest_can_take)
{
	struct virtio_net_hdr v = { .gso_size = 1448 };
	struct net_caps caps = all_caps;

	cr_expect_null(net_rx_fault(&caps, &v, NET_RX_LEN_MAX));
	cr_expect_not_null(net_rx_fault(&caps, &v, NET_RX_LEN_MAX + 1));
	cr_expect_not_null(net_rx_fault(&caps, &v, 13));
	v.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	cr_expect_null(net_rx_fault(&caps, &v, 9000));
	caps.tso4 = false;
	cr_expect_not_null(net_rx_fault(&caps, &v, 9000));
	v.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	cr_expect_null(net_rx_fault(&caps, &v, 9000));
	v.gso_size = 0;
	cr_expect_not_null(net_rx_fault(&caps, &v, 9000));
	v.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	cr_expect_not_null(net_rx_fault(&caps, &v, 9000));
	v.gso_type = VIRTIO_NET_HDR_GSO_NONE;
	caps.sg = false;
	cr_expect_null(net_rx_fault(&caps, &v, 4096));
	cr_expect_not_null(net_rx_fault(&caps, &v, 4097));
}

Test(net_slots, rx_checksums_that_the_guest_cannot_fill_in)
{
	struct virtio_net_hdr v = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM };
	struct net_caps caps = all_caps;
	uint8_t h[NET_HDR_MAX * 4];

	put_headers(h, &udp4);
	cr_expect_not(net_rx_wants_csum(&caps, &v, h));
	caps.csum4 = false;
	cr_expect(net_rx_wants_csum(&caps, &v, h));
	v.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	cr_expect_not(net_rx_wants_csum(&caps, &v, h));
	v.gso_type = VIRTIO_NET_HDR_GSO_NONE;
	put_headers(h, &tcp6);
	cr_expect_not(net_rx_wants_csum(&caps, &v, h));
	caps.csum6 = false;
	cr_expect(net_rx_wants_csum(&caps, &v, h));
	h[12] = 0x81;
	h[13] = 0;
	cr_expect(net_rx_wants_csum(&all_caps, &v, h));
	v.flags = 0;
	cr_expect_not(net_rx_wants_csum(&all_caps, &v, h));
}
