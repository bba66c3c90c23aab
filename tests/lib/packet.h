/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/packet.h - frames of a network interface, as the host has them. */
#ifndef TESTS_LIB_PACKET_H
#define TESTS_LIB_PACKET_H

#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX 65553u /* 65535 bytes, and what the host does not count */

/**
 * packet_open() - Open a packet socket that hears what comes in on @ifname.
 *
 * Each frame has a struct virtio_net_hdr before it.  Mistakes abort.
 */
int packet_open(const char *ifname);

/** packet_send() - Send a frame; aborts if the host refuses it. */
void packet_send(int fd, const struct virtio_net_hdr *v, const void *frame,
		 size_t len);

/**
 * packet_recv() - Take a frame.
 * @frame: PACKET_MAX bytes.
 * @ms:    Wait at most this long; -1 means for ever.
 *
 * Return: its length, or 0 if none came.
 */
size_t packet_recv(int fd, struct virtio_net_hdr *v, void *frame, int ms);

#endif
