/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/dhcp.h - one lease, offered to one card; no I/O, no memory. */
#ifndef DOM0_BACKEND_DHCP_H
#define DOM0_BACKEND_DHCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

/*
 * Under net=nat the host has chosen the guest's address before the guest
 * starts, and every frame of the guest passes through sv-netback: so that is
 * where DHCPDISCOVER and DHCPREQUEST are answered (RFC 2131), statelessly, and
 * no DHCP server needs to run. Anything else is not answered.
 */
#define DHCP_LEASE_TEXT 192
#define DHCP_REPLY_MAX	342u /* 14 + 20 + 8 + 300: enough for all we say */
#define DHCP_DNS_MAX	3

/* The host's end of every vif has this address, as with Xen. */
#define VIF_HOST_MAC                               \
	{                                          \
		0xfe, 0xff, 0xff, 0xff, 0xff, 0xff \
	}

/**
 * struct dhcp_lease - What the guest is told. Addresses in host byte order.
 * @mac:    The card that it is for; frames of other addresses are not answered.
 * @ip:     Its address.
 * @prefix: Length of the network's prefix: 1 to 30.
 * @router: The host's address in that network; also names us as the server.
 * @dns:    @ndns name servers.
 * @mtu:    0 to say nothing of it.
 */
struct dhcp_lease {
	uint8_t mac[6];
	uint32_t ip, router;
	uint32_t dns[DHCP_DNS_MAX];
	uint8_t prefix, ndns;
	uint16_t mtu;
};

/**
 * dhcp_lease_print() - The lease as text, for the backend's key.
 * @text: DHCP_LEASE_TEXT bytes.
 */
void dhcp_lease_print(const struct dhcp_lease *l, char *text);

/**
 * dhcp_lease_parse() - Read what dhcp_lease_print() wrote.
 * @out: Written only on success.
 *
 * Return: 0 or -EINVAL.
 */
int dhcp_lease_parse(const char *text, struct dhcp_lease *out) must_check;

/** dhcp_mac_parse() - Read "00:16:3e:01:02:03"; Return: 0 or -EINVAL. */
int dhcp_mac_parse(const char *text, uint8_t mac[6]) must_check;

/**
 * dhcp_may_be() - Whether a frame may be for us, from its first bytes.
 * @h:   Private copy.
 * @len: Bytes at @h; a frame that may be for us has at least 64.
 */
bool dhcp_may_be(const uint8_t *h, size_t len);

/**
 * dhcp_reply() - Answer a frame of the guest.
 * @in:    The whole Ethernet frame, a private copy: UNTRUSTED content.
 * @len:   Its bytes.
 * @lease: What may be said.
 * @out:   DHCP_REPLY_MAX bytes: the answer, an Ethernet frame for the guest.
 *
 * Return: length of the answer; 0 if the frame is not for us and should go its
 * way.
 */
size_t dhcp_reply(const uint8_t *in, size_t len, const struct dhcp_lease *lease,
		  uint8_t *out);

#endif
