/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/netfront_xs.c - the control plane of a PV card's guest half. */
#include <stddef.h>
#include <xen/errno.h>

#include "guest-frontend/minilibc.h"
#include "guest-frontend/netfront.h"
#include "guest-frontend/xenbus.h"

#define MTU_DEFAULT 1500u

static struct netfront *of_front(struct front *f)
{
	return (struct netfront *)(void *)f;
}
_Static_assert(offsetof(struct netfront, front) == 0, "the first member");

/* What the rings say is written once they are agreed on. */
static struct netfront_ring rings[NETFRONT_MAX_QUEUES];
static struct netfront_ctrl_keys ctrl_keys;

static void free_rings(struct front *f)
{
	struct netfront *n = of_front(f);

	while (n->nqueues) {
		netfront_queue_free(n->queue[--n->nqueues]);
		n->queue[n->nqueues] = NULL;
	}
	netfront_ctrl_free(n->ctrl);
	n->ctrl = NULL;
}

/* A number in our own directory, or @otherwise. */
static unsigned int own_u32(const struct netfront *n, const char *key,
			    unsigned int otherwise)
{
	uint64_t v;

	if (xenbus_read_u64(XENBUS_NO_TXN, UINT32_MAX, &v, "%s/%s",
			    n->front.dir, key))
		return otherwise;
	return (unsigned int)v;
}

/* As much of what is wanted as the backend offers. */
static void agree(struct netfront *n)
{
	const struct front *f = &n->front;
	struct netfront_caps *c = &n->caps;

	c->sg = front_max(f, "feature-sg", 1);
	c->csum4 = !front_max(f, "feature-no-csum-offload", 1);
	c->csum6 = front_max(f, "feature-ipv6-csum-offload", 1);
	c->tso4 = c->sg && front_max(f, "feature-gso-tcpv4", 1);
	c->tso6 = c->sg && front_max(f, "feature-gso-tcpv6", 1);
	c->mcast = front_max(f, "feature-multicast-control", 1);
	c->mcast_dynamic = front_max(f, "feature-dynamic-multicast-control", 1);
	c->hash = n->want.hash && front_max(f, "feature-ctrl-ring", 1);
	n->split = n->want.split &&
		   front_max(f, "feature-split-event-channels", 1);
	n->copy = n->want.copy || !own_u32(n, "trusted", 1);
}

static void lost(struct front *f)
{
	struct netfront *n = of_front(f);

	for (unsigned int i = 0; i < n->nqueues; i++)
		netfront_queue_lost(n->queue[i]);
	netfront_ctrl_lost(n->ctrl);
	n->ctrl = NULL;
}

static int queues_again(struct netfront *n, unsigned int most)
{
	int ret = most < n->nqueues ? -XEN_EOPNOTSUPP : 0;

	for (unsigned int i = 0; !ret && i < n->nqueues; i++)
		ret = netfront_queue_again(n->queue[i], n, &rings[i]);
	return ret;
}

static int prepare(struct front *f)
{
	struct netfront *n = of_front(f);
	unsigned int most =
		front_max(f, "multi-queue-max-queues", NETFRONT_MAX_QUEUES);
	int ret = 0;

	if (!front_max(f, "feature-rx-copy", 1)) {
		free_rings(f);
		return -XEN_EOPNOTSUPP;
	}
	agree(n);
	if (n->caps.hash)
		ret = netfront_ctrl_new(&n->ctrl, n, &ctrl_keys);
	if (most > n->want.queues)
		most = n->want.queues;
	if (!ret && f->resuming)
		ret = queues_again(n, most ? most : 1);
	while (!ret && !f->resuming && n->nqueues < (most ? most : 1)) {
		ret = netfront_queue_new(&n->queue[n->nqueues], n,
					 &rings[n->nqueues]);
		n->nqueues += !ret;
	}
	if (ret)
		free_rings(f);
	return ret;
}

/* ---- Keys ------------------------------------------------------------------ */

static int write_ring(const struct netfront *n, uint32_t txn, const char *dir,
		      const struct netfront_ring *r)
{
	int ret = xenbus_write_u64(txn, r->tx_gref, "%s/tx-ring-ref", dir);

	if (!ret)
		ret = xenbus_write_u64(txn, r->rx_gref, "%s/rx-ring-ref", dir);
	if (ret)
		return ret;
	if (!n->split)
		return xenbus_write_u64(txn, r->tx_port, "%s/event-channel",
					dir);
	ret = xenbus_write_u64(txn, r->tx_port, "%s/event-channel-tx", dir);
	if (!ret)
		ret = xenbus_write_u64(txn, r->rx_port, "%s/event-channel-rx",
				       dir);
	return ret;
}

static int write_ctrl(const struct netfront *n, uint32_t txn)
{
	int ret;

	if (!n->ctrl)
		return 0;
	ret = xenbus_write_u64(txn, ctrl_keys.gref, "%s/ctrl-ring-ref",
			       n->front.dir);
	return ret ? ret
		   : xenbus_write_u64(txn, ctrl_keys.port,
				      "%s/event-channel-ctrl", n->front.dir);
}

static int write_rings(const struct netfront *n, uint32_t txn)
{
	const char *dir = n->front.dir;
	char sub[FRONT_DIR_MAX + 24];
	int ret;

	if (!n->want.queues)
		return write_ring(n, txn, dir, &rings[0]);
	ret = xenbus_write_u64(txn, n->nqueues, "%s/multi-queue-num-queues",
			       dir);
	/* With one queue the keys lie where they do without the feature. */
	if (!ret && n->nqueues == 1)
		return write_ring(n, txn, dir, &rings[0]);
	for (unsigned int i = 0; !ret && i < n->nqueues; i++) {
		snprintf(sub, sizeof(sub), "%s/queue-%u", dir, i);
		ret = write_ring(n, txn, sub, &rings[i]);
	}
	return ret;
}

/* Left from a former connection, these would tell how to read the others. */
static void clear(const struct netfront *n, uint32_t txn)
{
	const char *dir = n->front.dir;

	(void)xenbus_rm(txn, "%s/multi-queue-num-queues", dir);
	(void)xenbus_rm(txn, "%s/event-channel-tx", dir);
	(void)xenbus_rm(txn, "%s/event-channel-rx", dir);
	(void)xenbus_rm(txn, "%s/ctrl-ring-ref", dir);
	(void)xenbus_rm(txn, "%s/event-channel-ctrl", dir);
	for (unsigned int i = 0; i < NETFRONT_MAX_QUEUES; i++)
		(void)xenbus_rm(txn, "%s/queue-%u", dir, i);
}

static int keys(struct front *f, uint32_t txn)
{
	struct netfront *n = of_front(f);
	const struct netfront_want *w = &n->want;
	const struct {
		const char *name;
		bool value;
	} key[] = {
		{ "request-rx-copy", true },
		{ "feature-rx-notify", true },
		{ "feature-sg", w->sg },
		{ "feature-no-csum-offload", !w->csum4 },
		{ "feature-ipv6-csum-offload", w->csum6 },
		{ "feature-gso-tcpv4", w->tso4 },
		{ "feature-gso-tcpv6", w->tso6 },
		{ "request-multicast-control", w->mcast && n->caps.mcast },
	};
	int ret = 0;

	clear(n, txn);
	for (size_t i = 0; !ret && i < sizeof(key) / sizeof(key[0]); i++)
		ret = xenbus_write_u64(txn, key[i].value, "%s/%s", f->dir,
				       key[i].name);
	if (!ret)
		ret = write_ctrl(n, txn);
	return ret ? ret : write_rings(n, txn);
}

/* Nothing more than was there before. */
static int joined(struct front *f)
{
	(void)f;
	return 0;
}

static const struct front_ops ops = {
	.type = "vif",
	.offered = XenbusStateConnected,
	.prepare = prepare,
	.keys = keys,
	.joined = joined,
	.leave = free_rings,
	.lost = lost,
};

/* ---- The card -------------------------------------------------------------- */

static int read_mac(struct netfront *n)
{
	char text[24], *at = text;
	int ret = xenbus_read(XENBUS_NO_TXN, text, sizeof(text), "%s/mac",
			      n->front.dir);

	if (ret < 0)
		return ret;
	for (unsigned int i = 0; i < sizeof(n->mac); i++) {
		const char *digits = at;

		n->mac[i] = (uint8_t)strtoull(digits, &at, 16);
		if (at != digits + 2 || *at != (i < 5 ? ':' : '\0'))
			return -XEN_EINVAL;
		at++;
	}
	return 0;
}

int netfront_again(struct netfront *n, const struct netfront_want *want)
{
	int ret = front_start(&n->front);

	n->want = *want;
	if (!ret)
		ret = front_run(&n->front, XenbusStateConnected,
				FRONT_TIMEOUT_NS);
	if (ret)
		(void)front_stop(&n->front);
	return ret;
}

int netfront_open(struct netfront *n, unsigned int devid,
		  const struct netfront_want *want)
{
	int ret;

	memset(n, 0, sizeof(*n));
	ret = front_init(&n->front, &ops, devid);
	if (ret)
		return ret;
	n->mtu = own_u32(n, "mtu", MTU_DEFAULT);
	ret = read_mac(n);
	if (!ret)
		ret = netfront_again(n, want);
	if (ret)
		front_fini(&n->front);
	return ret;
}

int netfront_mcast(struct netfront *n, bool on)
{
	if (!n->caps.mcast_dynamic)
		return -XEN_EOPNOTSUPP;
	return xenbus_write_u64(XENBUS_NO_TXN, on,
				"%s/request-multicast-control", n->front.dir);
}

int netfront_resume(struct netfront *n)
{
	return front_resume(&n->front);
}

int netfront_stop(struct netfront *n)
{
	return front_stop(&n->front);
}

int netfront_close(struct netfront *n)
{
	int ret = front_stop(&n->front);

	front_fini(&n->front);
	return ret;
}
