/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/net_slots.h - packets in netif ring slots; no I/O, no memory. */
#ifndef DOM0_BACKEND_NET_SLOTS_H
#define DOM0_BACKEND_NET_SLOTS_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/io/netif.h>

#include "base/util.h"

/*
 * How it works
 *
 * From the guest (tx), a packet is a chain of slots: the first data slot, extra
 * infos if its flags say so, further data slots while more_data is set. Slots
 * are fed one at a time as private copies; the result is a checked description,
 * or the reason why the packet must be dropped. A chain is always followed to
 * its end, so that each of its slots can be answered.
 *
 * To the guest (rx), a packet becomes one response per page, with extra infos
 * behind the first: one when it is to be segmented by the guest, and one when the
 * guest is told its hash (net_hash.h).
 *
 * Between the two stands the virtio_net_hdr of a TAP interface. xen/io/netif.h
 * says only that the checksum is blank; where it lies has to be found in the
 * headers, of which the caller has a private copy of at most NET_HDR_MAX bytes.
 * The caller sends that copy, not the guest's bytes, so what was judged is what
 * is sent.
 */
#define NET_FRAGS_MAX 18u /* XEN_NETIF_NR_SLOTS_MIN: data slots of a packet */
#define NET_LEN_MAX   65535u /* XEN_NETIF_MAX_TX_SIZE */
#define NET_LEN_MIN   14u    /* an Ethernet header */
#define NET_HDR_MAX   256u
#define NET_EXTRAS    4u /* extra infos of a packet, one of each type */

/*
 * To the guest: the host counts its 65535 bytes without the Ethernet header and
 * a VLAN tag. Slots that hold any packet, and one for the extra info that tells
 * of segments.
 */
#define NET_RX_LEN_MAX	 (NET_LEN_MAX + 18u)
#define NET_RX_SLOTS_MAX (NET_RX_LEN_MAX / SV_PAGE_SIZE + 2)

/** union net_tx_slot - A tx request slot as it lies in the ring. */
union net_tx_slot {
	netif_tx_request_t req;
	netif_extra_info_t extra;
};

/** union net_rx_rsp - A rx response slot as it lies in the ring. */
union net_rx_rsp {
	netif_rx_response_t rsp;
	netif_extra_info_t extra;
};
_Static_assert(sizeof(union net_tx_slot) == 12, "wire");
_Static_assert(sizeof(union net_rx_rsp) == 8, "wire");

/** struct net_frag - A piece of a packet inside one granted page. */
struct net_frag {
	uint32_t gref;
	uint16_t off, len; /* off + len <= 4096, len > 0 */
};

/**
 * struct net_tx - A packet from the guest, checked.
 * @len:            Bytes: NET_LEN_MIN to NET_LEN_MAX; the sum of the pieces.
 * @nfrags:         1 to NET_FRAGS_MAX.
 * @frag:           Its pieces in order, none empty.
 * @csum_blank:     The TCP or UDP checksum is yet to be filled in.
 * @data_validated: The guest vouches for the checksum.
 * @gso:            XEN_NETIF_GSO_TYPE_*.
 * @mss:            Payload bytes per segment, with @gso; not 0.
 */
struct net_tx {
	uint32_t len;
	uint32_t nfrags;
	struct net_frag frag[NET_FRAGS_MAX];
	bool csum_blank, data_validated;
	uint8_t gso;
	uint16_t mss;
};

/** enum net_want - What the next slot of a chain is. */
enum net_want { NET_WANT_FIRST, NET_WANT_EXTRA, NET_WANT_DATA, NET_WANT_NONE };

/**
 * struct net_chain - A chain of tx slots being read. All members are private
 * but @pkt and @fault, valid when net_chain_want() is NET_WANT_NONE.
 * @pkt:   The packet, if @fault is NULL.
 * @fault: Static text that says why the packet must be dropped, or NULL.
 */
struct net_chain {
	struct net_tx pkt;
	const char *fault;
	enum net_want want;
	uint32_t rest; /* bytes of the slots after the first */
	uint32_t extras;
	bool more;
};

/** net_chain_begin() - Get ready for a packet's first slot. */
void net_chain_begin(struct net_chain *c);

/**
 * net_chain_add() - Read the next slot.
 * @c:    Not complete yet.
 * @slot: Private copy of what the guest wrote: UNTRUSTED values, all checked.
 *
 * Return: what the next slot will be; NET_WANT_NONE when the chain is complete.
 */
enum net_want net_chain_add(struct net_chain *c, const union net_tx_slot *slot);

/** net_chain_want() - What the next slot is. */
static inline enum net_want net_chain_want(const struct net_chain *c)
{
	return c->want;
}

/**
 * struct net_hdr - Where the headers of a packet lie, in bytes from its start.
 * @ip:   Of the IP header.
 * @l4:   Of the TCP or UDP header.
 * @csum: Of the checksum in it, from @l4.
 * @end:  Of the payload: behind the TCP header with options, or the UDP header.
 * @v6:   IPv6, else IPv4.
 * @tcp:  TCP, else UDP.
 */
struct net_hdr {
	uint16_t ip, l4, csum, end;
	bool v6, tcp;
};

/**
 * net_eth_parse() - Find what a frame's Ethernet header and VLAN tags lead to.
 * @h:    Its first bytes; private.
 * @len:  Bytes at @h.
 * @at:   Where it begins, at most @len; written only on success, as @type.
 * @type: ETH_P_*: that of a tag if there are more than two.
 *
 * Return: 0, or -EPROTO if the header or a tag does not lie within @len.
 */
int net_eth_parse(const uint8_t *h, size_t len, size_t *at,
		  uint16_t *type) must_check;

/**
 * net_ip6_skip() - Skip IPv6 extension headers.
 * @h:     The packet's first bytes; private.
 * @len:   Bytes at @h.
 * @at:    Where the next header begins; moved behind the last one, perhaps beyond
 *         @len.
 * @proto: What the next header is; set to what follows the last one:
 *         IPPROTO_FRAGMENT is not skipped, and IPPROTO_NONE says that it does not
 *         lie within @len.
 */
void net_ip6_skip(const uint8_t *h, size_t len, size_t *at, uint8_t *proto);

/**
 * net_ip_parse() - Find the IP header of a packet.
 * @h:     Its first bytes; private.
 * @len:   Bytes at @h.
 * @out:   Written only on success, and only @ip, @v6 and @l4, where @proto
 *         begins: perhaps behind @len.
 * @proto: IPPROTO_*; IPPROTO_FRAGMENT in any fragment, IPPROTO_NONE if it does
 *         not lie within @len.
 *
 * Up to two VLAN tags and any IPv6 extension headers are skipped.
 *
 * Return: 0, or -EPROTO if there is no IP header within @len.
 */
int net_ip_parse(const uint8_t *h, size_t len, struct net_hdr *out,
		 uint8_t *proto) must_check;

/**
 * net_hdr_parse() - Find the TCP or UDP header of a packet.
 * @h:   Its first bytes; private.
 * @len: Bytes at @h.
 * @out: Written only on success.
 *
 * What is skipped: as net_ip_parse().
 *
 * Return: 0, or -EPROTO if it is something else, a fragment, or does not have
 * all its headers within @len.
 */
int net_hdr_parse(const uint8_t *h, size_t len, struct net_hdr *out) must_check;

/**
 * net_tx_vnet() - Describe a packet to a TAP interface.
 * @pkt:   The packet.
 * @h:     Private copy of its first bytes. The checksum of the pseudo-header is
 *         put in if the guest asks for segments of a packet without saying that
 *         the checksum is blank.
 * @hlen:  Bytes at @h: the packet's length, at most NET_HDR_MAX.
 * @v:     Filled on success. hdr_len is never more than @hlen and asks the host
 *         to keep that much of the packet in one piece.
 *
 * Return: NULL, or static text that says why the packet must be dropped.
 */
const char *net_tx_vnet(const struct net_tx *pkt, uint8_t *h, size_t hlen,
			struct virtio_net_hdr *v) must_check;

/**
 * struct net_caps - What the guest can be sent, from the frontend's keys.
 * @sg:    Packets of more than a page.
 * @csum4: IPv4 packets with a blank checksum; likewise @csum6.
 * @tso4:  TCP over IPv4 to be segmented by the guest, implies @csum4 and @sg;
 *         likewise @tso6.
 */
struct net_caps {
	bool sg, csum4, csum6, tso4, tso6;
};

/**
 * net_rx_fault() - Check a packet for the guest against what it can take.
 * @caps: What it can take.
 * @v:    The TAP interface's description.
 * @len:  Bytes of the packet.
 *
 * Return: NULL, or static text that says why the packet must be dropped.
 */
const char *net_rx_fault(const struct net_caps *caps,
			 const struct virtio_net_hdr *v, size_t len) must_check;

/**
 * net_rx_wants_csum() - Whether a blank checksum must be filled in by us,
 * because the guest could not (Linux finds none behind a VLAN tag either).
 * @caps: What the guest can take.
 * @v:    The TAP interface's description, accepted by net_rx_fault().
 * @eth:  NET_LEN_MIN bytes: the packet's Ethernet header.
 */
bool net_rx_wants_csum(const struct net_caps *caps,
		       const struct virtio_net_hdr *v, const uint8_t *eth);

/**
 * net_csum_fill() - Fill in a blank checksum.
 * @p:   The packet; changed in two bytes.
 * @len: Its bytes.
 * @v:   Says where; afterwards says that the checksum is good.
 *
 * Return: offset of the two bytes in the packet, or -EPROTO if they do not lie
 * within it.
 */
int net_csum_fill(uint8_t *p, size_t len, struct virtio_net_hdr *v) must_check;

/**
 * struct net_mark - A packet's hash, as the guest has asked for it.
 * @known: It has one.
 * @type:  _XEN_NETIF_CTRL_HASH_TYPE_*.
 */
struct net_mark {
	bool known;
	uint8_t type;
	uint32_t value;
};

/** net_rx_extras() - Extra infos that go with a packet. */
uint32_t net_rx_extras(const struct virtio_net_hdr *v,
		       const struct net_mark *mark);

/** net_rx_slots() - Ring slots of a packet of @len > 0 bytes with @extras. */
static inline uint32_t net_rx_slots(size_t len, uint32_t extras)
{
	return (uint32_t)((len + SV_PAGE_SIZE - 1) / SV_PAGE_SIZE) + extras;
}

/**
 * net_rx_rsp() - Make one of the responses that carry a packet.
 * @v:    The TAP interface's description, accepted by net_rx_fault().
 * @mark: Its hash.
 * @len:  Bytes of the packet.
 * @n:    Which response: 0 to net_rx_slots() - 1.
 * @id:   Of the request whose slot it goes to.
 *
 * Every piece begins at offset 0 of its page; the page of the slot used by an
 * extra info stays unused.
 */
union net_rx_rsp net_rx_rsp(const struct virtio_net_hdr *v,
			    const struct net_mark *mark, size_t len, uint32_t n,
			    uint16_t id);

#endif
