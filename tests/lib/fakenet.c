// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/fakenet.c - a network frontend of a domain without a vCPU.
#include "tests/lib/fakenet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/patience.h"

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fakenet: %s\n", what);
	abort();
}

static uint32_t ring_page(struct fakedom *dom, void **page)
{
	uint64_t gfn = fakedom_alloc(dom, 1);

	*page = fakedom_page(dom, gfn);
	return fakedom_grant(dom, gfn, 0);
}

static void data_pages(struct fakedom *dom, struct fakenet_page *p,
		       uint16_t flags)
{
	for (uint32_t i = 0; i < FAKENET_PAGES; i++) {
		uint64_t gfn = fakedom_alloc(dom, 1);

		p[i].mem = fakedom_page(dom, gfn);
		p[i].gref = fakedom_grant(dom, gfn, flags);
	}
}

void fakenet_restart(struct fakenet *n)
{
	require(!txq_ring_front_init(&n->tx, &n->tx_ring, 1) &&
			!rxq_ring_front_init(&n->rx, &n->rx_ring, 1),
		"rings");
	n->nfree = n->nspare = n->first = n->nposted = 0;
	n->done = n->errors = 0;
	for (uint16_t i = 0; i < FAKENET_PAGES; i++) {
		n->free[n->nfree++] = i;
		n->spare[n->nspare++] = i;
	}
}

struct fakenet *fakenet_new(struct fakedom *dom, bool split)
{
	struct fakenet *n = calloc(1, sizeof(*n));

	require(n, "out of memory");
	n->dom = dom;
	n->keys.tx_ref = ring_page(dom, &n->tx_ring);
	n->keys.rx_ref = ring_page(dom, &n->rx_ring);
	n->keys.tx_port = n->keys.rx_port = fakedom_port(dom);
	if (split)
		n->keys.rx_port = fakedom_port(dom);
	data_pages(dom, n->tx_page, GTF_readonly);
	data_pages(dom, n->rx_page, 0);
	fakenet_restart(n);
	return n;
}

void fakenet_free(struct fakenet *n)
{
	free(n);
}

void fakenet_put(struct fakenet *n, const union net_tx_slot *slot)
{
	require(!txq_ring_front_put(&n->tx, slot), "tx ring is full");
}

void fakenet_push(struct fakenet *n)
{
	if (txq_ring_front_push(&n->tx))
		fakedom_send(n->dom, n->keys.tx_port);
}

static void put_extra(struct fakenet *n, const struct virtio_net_hdr *v)
{
	union net_tx_slot slot = { 0 };

	slot.extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
	slot.extra.u.gso.size = v->gso_size;
	slot.extra.u.gso.type = v->gso_type == VIRTIO_NET_HDR_GSO_TCPV6
					? XEN_NETIF_GSO_TYPE_TCPV6
					: XEN_NETIF_GSO_TYPE_TCPV4;
	fakenet_put(n, &slot);
}

static uint16_t first_flags(const struct virtio_net_hdr *v)
{
	uint16_t flags = 0;

	if (v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		flags |= NETTXF_csum_blank | NETTXF_data_validated;
	if (v->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		flags |= NETTXF_extra_info;
	return flags;
}

bool fakenet_send(struct fakenet *n, const struct virtio_net_hdr *v,
		  const void *frame, size_t len, size_t chunk)
{
	size_t slots = (len + chunk - 1) / chunk, at = 0;

	if (slots > n->nfree || slots + 1 > ring_front_free(&n->tx.ring))
		return false;
	for (size_t i = 0; i < slots; i++) {
		size_t part = len - at < chunk ? len - at : chunk;
		uint16_t id = n->free[--n->nfree];
		size_t off = (i * 37) % (SV_PAGE_SIZE - part + 1);
		union net_tx_slot
			slot = { .req = {
					 .gref = n->tx_page[id].gref,
					 .offset = (uint16_t)off,
					 .flags = i + 1 < slots
							  ? NETTXF_more_data
							  : 0,
					 .id = id,
					 .size = (uint16_t)(i ? part : len),
				 } };

		memcpy(n->tx_page[id].mem + off, (const uint8_t *)frame + at,
		       part);
		at += part;
		if (!i)
			slot.req.flags |= first_flags(v);
		fakenet_put(n, &slot);
		if (!i && v->gso_type != VIRTIO_NET_HDR_GSO_NONE)
			put_extra(n, v);
	}
	return true;
}

uint32_t fakenet_reap(struct fakenet *n)
{
	netif_tx_response_t rsp;
	uint32_t came = 0;
	int ret;

	do {
		while ((ret = txq_ring_front_take(&n->tx, &rsp)) > 0) {
			came++;
			if (rsp.status == NETIF_RSP_NULL)
				continue;
			n->status = rsp.status;
			n->errors += rsp.status != NETIF_RSP_OKAY;
			if (n->nfree < FAKENET_PAGES)
				n->free[n->nfree++] = rsp.id % FAKENET_PAGES;
		}
		require(!ret, "tx ring is dead");
	} while (txq_ring_front_arm(&n->tx, 1));
	n->done += came;
	return came;
}

bool fakenet_reap_all(struct fakenet *n)
{
	uint64_t end = util_clock_ns() + PATIENCE_NS;

	while (util_clock_ns() < end) {
		fakenet_reap(n);
		if (ring_front_free(&n->tx.ring) == FAKENET_PAGES)
			return true;
		fakedom_wait(n->dom, n->keys.tx_port, 10);
	}
	return false;
}

void fakenet_post(struct fakenet *n, uint32_t max)
{
	netif_rx_request_t req = { 0 };

	while (max-- && n->nspare) {
		uint16_t i = n->spare[--n->nspare];

		req.id = (uint16_t)(i + 1000);
		req.gref = n->rx_page[i].gref;
		require(!rxq_ring_front_put(&n->rx, &req), "rx ring is full");
		n->posted[(n->first + n->nposted++) % FAKENET_PAGES] = i;
	}
	if (rxq_ring_front_push(&n->rx))
		fakedom_send(n->dom, n->keys.rx_port);
}

/* The page that belongs to the next response's slot. */
static uint16_t next_page(struct fakenet *n)
{
	uint16_t i;

	require(n->nposted, "more responses than requests");
	i = n->posted[n->first++ % FAKENET_PAGES];
	n->nposted--;
	n->spare[n->nspare++] = i;
	return i;
}

static void take_rx(struct fakenet *n, union net_rx_rsp *r)
{
	int ret = rxq_ring_front_take(&n->rx, r);

	require(ret == 1, "an rx packet's responses do not come together");
}

static void read_hash(struct fakenet *n, const netif_extra_info_t *x)
{
	require(!n->mark.known &&
			x->u.hash.algorithm ==
				XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ,
		"two hashes, or one of an unknown kind");
	n->mark.known = true;
	n->mark.type = x->u.hash.type;
	for (unsigned int i = 0; i < sizeof(x->u.hash.value); i++)
		n->mark.value |= (uint32_t)x->u.hash.value[i] << 8 * i;
}

static void read_extras(struct fakenet *n, struct virtio_net_hdr *v)
{
	union net_rx_rsp r;

	take_rx(n, &r);
	next_page(n);
	if (r.extra.type == XEN_NETIF_EXTRA_TYPE_HASH) {
		read_hash(n, &r.extra);
		require(!r.extra.flags, "more behind the hash");
		return;
	}
	require(r.extra.type == XEN_NETIF_EXTRA_TYPE_GSO && !v->gso_size,
		"an extra info that was not asked for");
	v->gso_size = r.extra.u.gso.size;
	v->gso_type = r.extra.u.gso.type == XEN_NETIF_GSO_TYPE_TCPV6
			      ? VIRTIO_NET_HDR_GSO_TCPV6
			      : VIRTIO_NET_HDR_GSO_TCPV4;
	if (r.extra.flags)
		read_extras(n, v); /* by itself at most once: gso_size is set */
}

int fakenet_recv(struct fakenet *n, struct virtio_net_hdr *v, uint8_t *frame)
{
	union net_rx_rsp r;
	size_t len = 0;
	uint16_t page;
	bool first = true, more = true;
	int ret;

	*v = (struct virtio_net_hdr){ 0 };
	n->mark = (struct net_mark){ 0 };
	ret = rxq_ring_front_take(&n->rx, &r);
	if (!ret && rxq_ring_front_arm(&n->rx, 1))
		ret = rxq_ring_front_take(&n->rx, &r);
	require(ret >= 0, "rx ring is dead");
	if (!ret)
		return 0;
	for (; more; first = false) {
		if (!first)
			take_rx(n, &r);
		page = next_page(n);
		require(r.rsp.id == page + 1000, "a response with another id");
		if (r.rsp.status < 0)
			return -1;
		require(r.rsp.offset + r.rsp.status <= (int)SV_PAGE_SIZE &&
				len + (size_t)r.rsp.status <= NET_RX_LEN_MAX,
			"rx lengths");
		memcpy(frame + len, n->rx_page[page].mem + r.rsp.offset,
		       (size_t)r.rsp.status);
		len += (size_t)r.rsp.status;
		more = r.rsp.flags & NETRXF_more_data;
		if (r.rsp.flags & NETRXF_csum_blank)
			v->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		else if (r.rsp.flags & NETRXF_data_validated)
			v->flags = VIRTIO_NET_HDR_F_DATA_VALID;
		if (r.rsp.flags & NETRXF_extra_info)
			read_extras(n, v);
	}
	return (int)len;
}

int fakenet_wait_recv(struct fakenet *n, struct virtio_net_hdr *v,
		      uint8_t *frame, int ms)
{
	int ret;

	while (!(ret = fakenet_recv(n, v, frame)) && ms > 0) {
		fakedom_wait(n->dom, n->keys.rx_port, 10);
		ms -= 10;
	}
	return ret;
}
