/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/proofs/net.c - V9: packets made of slots of which a guest lies. */
#include "tests/proofs/env.h"

#include <stdlib.h>

#include "dom0-backend/net_slots.c"

/*
 * PROOF: begun added finished parsed filled responses
 * BROKEN: begun dom0-backend/net_slots.c s/\*c = (struct net_chain){ .want = NET_WANT_FIRST }/c->want = NET_WANT_FIRST/
 * BROKEN: added dom0-backend/net_slots.c s/p->nfrags == NET_FRAGS_MAX/p->nfrags > NET_FRAGS_MAX/
 * BROKEN: finished dom0-backend/net_slots.c s/else if (c->rest > p->len)/else if (0)/
 * BROKEN: added dom0-backend/net_slots.c s/req->offset + req->size > SV_PAGE_SIZE/0/
 * BROKEN: parsed dom0-backend/net_slots.c s/at + 2 > len/at > len/
 * BROKEN: filled dom0-backend/net_slots.c s/at + 2 > len/at + 1 > len/
 * BROKEN: responses dom0-backend/net_slots.c s/n - (n ? extras : 0)/n/
 * OPTIONS: finished --unwind 19
 * OPTIONS: parsed --unwind 34
 */

/* ---- slots to a packet ---------------------------------------------------- */

/* What holds of a chain between two slots, if it has no fault so far. */
static bool invariant(const struct net_chain *c)
{
	const struct net_tx *p = &c->pkt;

	return c->want <= NET_WANT_DATA && p->nfrags <= NET_FRAGS_MAX &&
	       (p->nfrags == 0) == (c->want == NET_WANT_FIRST) &&
	       (p->nfrags > 1 || c->fault || c->rest == 0) &&
	       p->len <= NET_LEN_MAX;
}

static bool in_page(const struct net_frag *f)
{
	return f->len > 0 && f->off + f->len <= SV_PAGE_SIZE;
}

static struct net_chain any_chain(void)
{
	struct net_chain c;

	c.fault = any_bool() ? "a fault" : NULL;
	c.more = any_bool();
	c.pkt.csum_blank = any_bool();
	c.pkt.data_validated = any_bool();
	return c;
}

void *memmove(void *to, const void *from, size_t n)
{
	struct net_frag *t = to;
	const struct net_frag *f = from;

	PROVE(__CPROVER_w_ok(to, n) && __CPROVER_r_ok(from, n), "pieces");
	for (size_t i = 0; i + 1 < NET_FRAGS_MAX; i++)
		if (i < n / sizeof(*f))
			t[i] = f[i];
	return to;
}

void begun(void)
{
	struct net_chain c = any_chain();

	net_chain_begin(&c);
	PROVE(invariant(&c) && !c.fault && !c.rest, "a chain of no slots");
}

/*
 * Any slot after any slots: the pieces there were stay, one may be added in its
 * page, and c->rest grows by its bytes.  So after any number of slots, up to
 * the 256 of a ring, c->rest is what the pieces after the first have.
 */
void added(void)
{
	struct net_chain c = any_chain(), old;
	union net_tx_slot slot;
	uint32_t i = any_u8(), n;

	ASSUME(invariant(&c) && c.rest <= 255 * UINT32_C(65535));
	old = c;
	n = old.pkt.nfrags;
	__CPROVER_havoc_slice(&slot, sizeof(slot));
	ASSUME(net_chain_add(&c, &slot) != NET_WANT_NONE);
	PROVE(invariant(&c), "the invariant of a chain");
	PROVE(!old.fault || c.fault, "a fault stays");
	if (c.fault)
		return;
	ASSUME(i < n);
	PROVE(c.pkt.frag[i].gref == old.pkt.frag[i].gref &&
		      c.pkt.frag[i].off == old.pkt.frag[i].off &&
		      c.pkt.frag[i].len == old.pkt.frag[i].len,
	      "the others stay");
	if (c.pkt.nfrags == n) {
		PROVE(c.rest == old.rest, "no piece, no bytes");
	} else {
		PROVE(c.pkt.nfrags == n + 1 && in_page(&c.pkt.frag[n]),
		      "one piece, in its page");
		PROVE(c.rest == old.rest + c.pkt.frag[n].len, "and counted");
	}
}

/* The last slot: what send_packet() relies on. */
void finished(void)
{
	struct net_chain c = any_chain(), old;
	union net_tx_slot slot;
	uint32_t i = any_u8();

	ASSUME(invariant(&c) && c.rest <= 255 * UINT32_C(65535));
	for (uint32_t j = 1; j < NET_FRAGS_MAX; j++)
		ASSUME(j >= c.pkt.nfrags || in_page(&c.pkt.frag[j]));
	old = c;
	__CPROVER_havoc_slice(&slot, sizeof(slot));
	ASSUME(net_chain_add(&c, &slot) == NET_WANT_NONE && !c.fault);
	PROVE(c.pkt.nfrags >= 1 && c.pkt.nfrags <= NET_FRAGS_MAX, "1 to 18");
	PROVE(c.pkt.len >= NET_LEN_MIN && c.pkt.len <= NET_LEN_MAX, "length");
	PROVE(c.rest <= c.pkt.len, "no underflow of the first piece");
	PROVE(c.rest == c.pkt.len || c.pkt.frag[0].len == c.pkt.len - c.rest,
	      "what the others have not is the first one's");
	ASSUME(i < c.pkt.nfrags);
	PROVE(in_page(&c.pkt.frag[i]), "each in its page, none empty");
}

/* ---- headers -------------------------------------------------------------- */

static uint8_t *any_head(size_t *len)
{
	uint8_t *h;

	*len = any_u16();
	ASSUME(*len >= 1 && *len <= NET_HDR_MAX);
	h = malloc(*len);
	ASSUME(h);
	return h;
}

/* Any bytes of any length: what is found lies in them, in order. */
void parsed(void)
{
	size_t len;
	uint8_t *h = any_head(&len);
	struct net_hdr o;

	if (net_hdr_parse(h, len, &o))
		return;
	PROVE(o.ip >= ETH_HDR && o.ip <= ETH_HDR + VLAN_TAGS_MAX * VLAN_HDR,
	      "behind Ethernet and its tags");
	PROVE(o.l4 >= o.ip + (o.v6 ? IP6_HDR : IP4_HDR), "behind IP");
	PROVE(o.end >= o.l4 + (o.tcp ? TCP_HDR : UDP_HDR) && o.end <= len,
	      "all of it is there");
	PROVE(o.l4 + o.csum + 2 <= o.end, "and so is the checksum");
}

/* The other direction: the host's word on where a checksum is. */
void filled(void)
{
	uint8_t p[14];
	struct virtio_net_hdr v = { .csum_start = any_u16(),
				    .csum_offset = any_u16() };
	int at = net_csum_fill(p, sizeof(p), &v);

	PROVE(at == -EPROTO || (at >= 0 && (size_t)at + 2 <= sizeof(p)),
	      "in the packet");
}

/* Responses of a packet: their bytes are its bytes, none too many. */
void responses(void)
{
	struct virtio_net_hdr v = { .gso_type = any_bool() };
	struct net_mark mark = { .known = any_bool() };
	uint32_t extras = net_rx_extras(&v, &mark);
	size_t len = any_u32();
	uint32_t n = any_u8(), data = n - (n ? extras : 0);
	union net_rx_rsp r;

	ASSUME(len >= NET_LEN_MIN && len <= NET_RX_LEN_MAX);
	ASSUME(n < net_rx_slots(len, extras));
	PROVE(net_rx_slots(len, extras) <= NET_RX_SLOTS_MAX + mark.known,
	      "as many as said");
	r = net_rx_rsp(&v, &mark, len, n, 0);
	if (n && n <= extras)
		return;
	PROVE(r.rsp.status >= 1 && r.rsp.status <= (int)SV_PAGE_SIZE,
	      "a page at most, and no error");
	PROVE(!(r.rsp.flags & NETRXF_more_data) ==
		      (len == data * SV_PAGE_SIZE + (size_t)r.rsp.status),
	      "the last one ends the packet");
}
