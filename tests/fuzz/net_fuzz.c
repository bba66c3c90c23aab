// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/net_fuzz.c - what a network card's guest may put before netback.
//
// FUZZ: F11 F12; max_len 2048
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-backend/dhcp.h"
#include "dom0-backend/ra.h"
#include "dom0-backend/net_guard.h"
#include "dom0-backend/net_slots.h"
#include "tests/lib/fuzz.h"

/* Slots one after the other, the last one for ever: up to a ring full. */
static void chain(const uint8_t *data, size_t size)
{
	union net_tx_slot slot = { 0 };
	struct net_chain c;
	uint32_t sum = 0;

	net_chain_begin(&c);
	for (int i = 0; i < 256; i++) {
		if (size >= sizeof(slot)) {
			memcpy(&slot, data, sizeof(slot));
			data += sizeof(slot);
			size -= sizeof(slot);
		}
		if (net_chain_add(&c, &slot) == NET_WANT_NONE)
			break;
	}
	if (net_chain_want(&c) != NET_WANT_NONE || c.fault)
		return;
	assert(c.pkt.len >= NET_LEN_MIN && c.pkt.len <= NET_LEN_MAX);
	assert(c.pkt.nfrags && c.pkt.nfrags <= NET_FRAGS_MAX);
	for (uint32_t i = 0; i < c.pkt.nfrags; i++) {
		const struct net_frag *f = &c.pkt.frag[i];

		assert(f->len && f->off + f->len <= (int)SV_PAGE_SIZE);
		sum += f->len;
	}
	assert(sum == c.pkt.len);
	assert(!c.pkt.gso ||
	       (c.pkt.gso <= XEN_NETIF_GSO_TYPE_TCPV6 && c.pkt.mss));
}

/* The first byte has the flags; the rest are the packet's first bytes. */
static void headers(const uint8_t *data, size_t size)
{
	struct net_tx pkt = {
		.csum_blank = data[0] & 1,
		.gso = (data[0] >> 1) % 3,
		.mss = 1400,
		.len = (uint32_t)MAX(size - 1, NET_LEN_MIN),
	};
	uint8_t *h = fuzz_tight(data + 1, size - 1);
	struct virtio_net_hdr v;

	if (!net_tx_vnet(&pkt, h, size - 1, &v)) {
		assert(v.hdr_len <= size - 1);
		if (v.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
			assert((size_t)v.csum_start + v.csum_offset + 2 <=
			       size - 1);
		assert(!v.gso_type == !pkt.gso);
	}
	free(h);
}

/* Description and length of a packet for the guest; read back as it would. */
static void to_guest(const uint8_t *data, size_t size)
{
	struct net_caps caps = { data[0] & 1, data[0] & 2, data[0] & 4,
				 data[0] & 8, data[0] & 16 };
	struct net_mark mark = { .known = data[0] & 32 };
	struct virtio_net_hdr v;
	size_t len, sum = 0;
	uint32_t n, extras;

	if (size < 4 + sizeof(v))
		return;
	memcpy(&v, data + 4, sizeof(v));
	len = data[1] | (size_t)data[2] << 8 | (size_t)(data[3] & 1) << 16;
	if (net_rx_fault(&caps, &v, len))
		return;
	extras = net_rx_extras(&v, &mark);
	n = net_rx_slots(len, extras);
	assert(n && n <= NET_RX_SLOTS_MAX + mark.known &&
	       (caps.sg || n <= 1u + extras));
	for (uint32_t i = 0; i < n; i++) {
		union net_rx_rsp r = net_rx_rsp(&v, &mark, len, i, (uint16_t)i);

		if (i && i <= extras)
			continue;
		assert(r.rsp.status > 0 && r.rsp.status <= (int)SV_PAGE_SIZE);
		assert(!(r.rsp.flags & NETRXF_more_data) ==
		       (i + 1 == n || (!i && n == 1 + extras)));
		sum += (size_t)r.rsp.status;
	}
	assert(sum == len);
}

static void checksum(const uint8_t *data, size_t size)
{
	struct virtio_net_hdr v = { .csum_start = data[0],
				    .csum_offset = data[size - 1] };
	uint8_t *p = fuzz_tight(data, size);
	int at = net_csum_fill(p, size, &v);

	assert(at < 0 || (size_t)at + 2 <= size);
	free(p);
}

/* A good request with changed bytes: where, in two bytes, and to what. */
static void dhcp(const uint8_t *data, size_t size)
{
	static const struct dhcp_lease lease = {
		.mac = { 2, 0, 0, 0, 0, 1 },
		.ip = 0x0a000002,
		.router = 0x0a000001,
		.dns = { 1, 2, 3 },
		.prefix = 24,
		.ndns = 3,
		.mtu = 1500,
	};
	uint8_t in[342] = { [12] = 8,	[14] = 0x45, [23] = 17, [35] = 68,
			    [37] = 67,	[42] = 1,    1,		6,
			    [282] = 53, 1,	     1,		255 };
	uint8_t out[DHCP_REPLY_MAX], *p;
	size_t len = sizeof(in) - data[0] % 80;

	memset(in + 30, 0xff, 4);
	memcpy(in + 70, lease.mac, 6);
	memcpy(in + 278, "\x63\x82\x53\x63", 4);
	for (size_t i = 1; i + 3 <= size; i += 3)
		in[(data[i] | (size_t)data[i + 1] << 8) % sizeof(in)] =
			data[i + 2];
	p = fuzz_tight(in, len);
	len = dhcp_reply(p, len, &lease, out);
	assert(len == 0 || len == DHCP_REPLY_MAX);
	free(p);
}

/* A text of a router's, and a frame that may ask for it. */
static void router(const uint8_t *data, size_t size)
{
	struct ra ra = { .mac = { 2, 0, 0, 0, 0, 1 }, .router = { 0xfe } };
	uint8_t out[RA_MAX], *p = fuzz_tight(data, size);
	char *text = strndup((const char *)data, size);
	size_t len;

	assert(text);
	if (ra_asked(p, size, &ra))
		assert(size >= 62 && p[54] == 133);
	if (!ra_parse(text, &ra)) {
		len = ra_frame(&ra, out);
		assert(len > 100 && len <= RA_MAX);
	}
	free(text);
	free(p);
}

/*
 * A list of addresses up to its NUL, then a frame. One that passes has the card's
 * MAC address, carries what can be judged, and passes no more with any other.
 */
static void spoofed(const uint8_t *data, size_t size)
{
	static const char mac[] = "02:00:00:00:00:01";
	const uint8_t *end = memchr(data, 0, size);
	struct net_guard g;
	size_t at, len;
	uint16_t type;
	uint8_t *h;

	if (!end || net_guard_parse(mac, (const char *)data, &g))
		return;
	len = MIN((size_t)(data + size - (end + 1)), NET_HDR_MAX);
	h = fuzz_tight(end + 1, len);
	if (!net_guard_fault(&g, h, len)) {
		assert(!net_eth_parse(h, len, &at, &type) && at < len);
		assert(type == 0x0800 || type == 0x0806 || type == 0x86dd);
		h[11] ^= 1;
		assert(net_guard_fault(&g, h, len));
	}
	free(h);
}

/* The first byte chooses which of them the rest is for. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const part[])(const uint8_t *, size_t) = {
		chain, headers, to_guest, checksum, dhcp, spoofed, router,
	};

	if (size >= 2)
		part[data[0] % ARRAY_SIZE(part)](data + 1, size - 1);
	return 0;
}
