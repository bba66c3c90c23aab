/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/tap.h - TAP interfaces with several queues and a vnet header. */
#ifndef DOM0_BACKEND_TAP_H
#define DOM0_BACKEND_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"
#include "dom0-backend/net_slots.h"

/*
 * tap_open() and tap_join() need CAP_NET_ADMIN and are for the parent; all else works on an
 * open queue without privilege, from any network namespace, and is for the
 * worker.  There a queue may also be a socket of net=user (usernet.h): then nothing
 * is to be said to an interface, and it is gone when the other end is.
 */

/**
 * tap_open() - Make an interface that lives as long as its queues are open.
 * @name:    Of the interface; must be free.
 * @nqueues: At least 1.
 * @fd:      @nqueues places; *owned* by the caller on success: close-on-exec,
 *           non-blocking. Every packet on them is preceded by a struct
 *           virtio_net_hdr. Only the first queue is attached; the carrier is
 *           off.
 *
 * Return: 0; -ENOENT without /dev/net/tun; -EBUSY if the name is taken; -EPERM;
 * or -errno.
 */
int tap_open(const char *name, unsigned int nqueues, int *fd) must_check;

/**
 * tap_open_macvtap() - Open queues of a macvtap interface, as tap_open() does.
 * @name:  Of the interface.
 * @index: Likewise: its character device is /dev/tap@index.
 *
 * The interface stays when they are closed.
 *
 * Return: 0; -ENOENT without that device; -ENODEV if it is another interface's; or
 * -errno.
 */
int tap_open_macvtap(const char *name, int index, unsigned int nqueues,
		     int *fd) must_check;

/**
 * tap_join() - Open more queues of an interface that others hold, too.
 * @name: Of the interface.
 *
 * As tap_open(), but the carrier stays as it is.  The interface lives on when the
 * others let go; what comes for the guest then waits in the queue that is attached.
 *
 * Return: 0; -ENODEV if there is none; -EINVAL or -EBUSY if it is none of
 * tap_open()'s; or -errno.
 */
int tap_join(const char *name, unsigned int nqueues, int *fd) must_check;

/**
 * tap_attach() - Let a queue take part or not; packets for the guest are spread
 * over the queues attached.
 * @fd: Any queue; being as wanted already is fine.
 *
 * Return: 0 or -errno.
 */
int tap_attach(int fd, bool on) must_check;

/**
 * tap_offload() - Say which unfinished packets the host may hand out.
 * @fd:   Any queue: it is for the whole interface.
 * @caps: What the guest can take.
 *
 * Packets that wait already stay as they are.
 *
 * Return: 0 or -errno.
 */
int tap_offload(int fd, const struct net_caps *caps) must_check;

/** tap_gone() - Whether the interface was removed: its queues are of no use. */
bool tap_gone(int fd);

/**
 * tap_carrier() - Plug the cable in or out.
 *
 * A macvtap interface has the cable of what it is on: nothing happens.
 *
 * Return: 0 or -errno.
 */
int tap_carrier(int fd, bool on) must_check;

#endif
