/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/usernet.h - a card's packets to and from passt(1). */
#ifndef DOM0_BACKEND_USERNET_H
#define DOM0_BACKEND_USERNET_H

#include <stddef.h>

#include "base/util.h"

/*
 * How it works
 *
 * A card of net=user has no interface.  In place of a TAP queue its worker has a
 * SOCK_SEQPACKET socket, the *wire*: packets on it are as a TAP has them, each behind
 * a struct virtio_net_hdr, so the worker knows no difference.  sv-usernet has the
 * other end, and a stream to passt, on which each frame has its length before it
 * (32 bits, big endian; as QEMU's -netdev stream).
 *
 * Checksums that the guest has left to the host are filled in.  Segments need not be
 * cut: passt ends the guest's connections, and takes up to 65535 bytes at once.
 *
 * The wire ends when both the worker and sv-backend have let go of it, or sv-backend
 * has shut it down; the stream ends with sv-usernet, and passt with that.  So nothing
 * is left, whoever is killed.  If passt dies, sv-usernet ends, the wire with it, and
 * the worker and sv-backend go on as for an interface that was removed (vif_lost()).
 */

/**
 * usernet_serve() - Pass packets until one side ends.
 * @wire:  To the worker; *borrowed*, non-blocking.
 * @passt: To passt; *borrowed*, non-blocking.  UNTRUSTED as the guest.
 *
 * What a side has no room for waits, and with it what comes from the other; no
 * packet is dropped but those that cannot be: larger than 65535 bytes, or with a
 * blank checksum outside.
 *
 * Return: 0 if the wire has ended; -EPIPE if the stream has; -EPROTO if that has a
 * length that cannot be; -ENOMEM; or -errno.
 */
int usernet_serve(int wire, int passt) must_check;

#endif
