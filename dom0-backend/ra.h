/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/ra.h - the IPv6 router's part for one card; no I/O, no memory. */
#ifndef DOM0_BACKEND_RA_H
#define DOM0_BACKEND_RA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

/*
 * Under net=nat a guest learns its IPv6 network from router advertisements (RFC
 * 4861, 4862, 8106).  As with DHCP (dhcp.h), sv-netback answers the guest's router
 * solicitations itself, and says the same unasked now and then; the router that it
 * speaks for is the NAT bridge's link-local address (nat.h).
 */
#define RA_TEXT	   256
#define RA_MAX	   166u /* 14 + 40 + 16, options of 32 + 8 + 8 + 3 * 16 */
#define RA_DNS_MAX 3
#define RA_EVERY_S 600u /* unasked; what is said holds for 9000 s */

/**
 * struct ra - What the guest is told.
 * @mac:    The card that it is for; frames of other addresses are not answered.
 * @prefix: First 8 bytes of the network's addresses, of 64 bits.
 * @router: Link-local.
 * @dns:    @ndns name servers.
 * @mtu:    0 to say nothing of it.
 */
struct ra {
	uint8_t mac[6];
	uint8_t prefix[8], router[16];
	uint8_t dns[RA_DNS_MAX][16];
	uint8_t ndns;
	uint16_t mtu;
};

/** ra_print() - As text of RA_TEXT bytes, for the backend's key. */
void ra_print(const struct ra *ra, char *text);

/** ra_parse() - Read what ra_print() wrote; Return: 0 or -EINVAL. */
int ra_parse(const char *text, struct ra *out) must_check;

/**
 * ra_asked() - Whether a frame of the guest is a router solicitation.
 * @h:   Its first bytes, a private copy: UNTRUSTED content.
 * @len: Bytes at @h.
 */
bool ra_asked(const uint8_t *h, size_t len, const struct ra *ra);

/**
 * ra_frame() - The advertisement, an Ethernet frame for the guest.
 * @out: RA_MAX bytes.
 *
 * Return: its length.
 */
size_t ra_frame(const struct ra *ra, uint8_t *out);

#endif
