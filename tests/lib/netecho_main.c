/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/netecho_main.c - sends each frame of an interface back.
 *
 * usage: sv-netecho INTERFACE
 *
 * The addresses of the Ethernet header change places; all else stays, also what
 * is yet to be done for the frame: checksum and segments.
 */
#include <stdint.h>
#include <string.h>

#include "base/log.h"
#include "tests/lib/packet.h"

#define MAC 6u

int main(int argc, char **argv)
{
	static uint8_t frame[PACKET_MAX];
	struct virtio_net_hdr v;
	uint8_t mac[MAC];
	size_t len;
	int fd;

	if (argc != 2)
		die("usage: sv-netecho INTERFACE");
	fd = packet_open(argv[1]);
	for (;;) {
		len = packet_recv(fd, &v, frame, -1);
		/* A multicast would come back as from nobody. */
		if (len < 2 * MAC || frame[0] & 1)
			continue;
		memcpy(mac, frame, MAC);
		memcpy(frame, frame + MAC, MAC);
		memcpy(frame + MAC, mac, MAC);
		packet_send(fd, &v, frame, len);
	}
}
