/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/net_steer.h - which queue of a card a packet goes to. */
#ifndef DOM0_BACKEND_NET_STEER_H
#define DOM0_BACKEND_NET_STEER_H

#include <linux/virtio_net.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "dom0-backend/net_hash.h"
#include "dom0-backend/vif_setup.h"

/*
 * How it works
 *
 * The host's kernel chooses a TAP queue for each packet by itself.  For a guest
 * that has said how to choose (net_hash.h), the thread that reads a packet finds
 * the queue, and passes the packet to that queue's thread by a socket, of which
 * each queue has one to read from: the kernel keeps packets apart and in order,
 * wakes the thread, and takes no more than fits.  What does not fit is dropped,
 * as in a TAP queue.
 *
 * What the guest wants is changed by the main thread; each queue has a copy, and
 * looks at @version before each packet.
 */

/**
 * struct net_steer - What the queues of a connection share. Members are private
 * to net_steer.c.
 * @hash:    lock: lock
 * @version: Changes with @hash.
 * @in:      Where queue i reads what others passed to it, written to @out.
 */
struct net_steer {
	pthread_mutex_t lock;
	struct net_hash hash;
	_Atomic uint32_t version;
	unsigned int nqueues;
	int in[VIF_MAX_QUEUES], out[VIF_MAX_QUEUES];
};

/**
 * net_steer_init() - Begin, with no hash.
 * @s: On failure nothing is left to undo.
 *
 * Return: 0 or -errno.
 */
int net_steer_init(struct net_steer *s, unsigned int nqueues) must_check;

/** net_steer_fini() - All queues have stopped. */
void net_steer_fini(struct net_steer *s);

/** net_steer_set() - From now on packets go by @h. */
void net_steer_set(struct net_steer *s, const struct net_hash *h);

/**
 * net_steer_get() - Look what the guest wants; any thread.
 * @version: Of @h, which stays as it is while nothing has changed; 0: none yet.
 */
void net_steer_get(struct net_steer *s, uint32_t *version, struct net_hash *h);

/** net_steer_fd() - Readable when something was passed to queue @i. */
int net_steer_fd(const struct net_steer *s, unsigned int i);

/**
 * net_steer_pass() - Pass a packet to queue @to; any thread.
 *
 * Return: 0; -EAGAIN if there is no room; or -errno.
 */
int net_steer_pass(const struct net_steer *s, unsigned int to,
		   const struct virtio_net_hdr *v, const struct net_mark *mark,
		   const uint8_t *p, size_t len) must_check;

/**
 * net_steer_take() - Take the next packet that was passed to queue @i.
 * @size: At least as long as any that is passed.
 *
 * Return: its length, 0 if there is none.
 */
size_t net_steer_take(const struct net_steer *s, unsigned int i,
		      struct virtio_net_hdr *v, struct net_mark *mark,
		      uint8_t *p, size_t size);

#endif
