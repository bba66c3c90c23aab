// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/netback_xs.c - the control plane of a PV network card.
#include "dom0-backend/netback.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "dom0-backend/custody.h"
#include "dom0-backend/net_announce.h"
#include "dom0-backend/tap.h"

#define DRAIN_MAX  4096 /* packets; more than any TAP queue holds */
#define RATE_MAX   UINT32_MAX
#define PERIOD_MAX 60000000u /* usec */
#define CTRL_TURN  16u /* control requests before others have their turn */

static int option(struct device *dev, const char *name, const char *value)
{
	struct netback *n = dev->priv;
	char list[128], *word, *rest = list;
	uint64_t fd;

	if (!strcmp(name, "journal-fd")) {
		if (util_u64(value, INT32_MAX, &fd))
			return -EINVAL;
		n->journal_fd = (int)fd;
		return 0;
	}
	if (strcmp(name, "tap-fds") != 0 || strlen(value) >= sizeof(list))
		return -EINVAL;
	memcpy(list, value, strlen(value) + 1);
	while ((word = strsep(&rest, ","))) {
		if (n->ntap == VIF_MAX_QUEUES || util_u64(word, INT32_MAX, &fd))
			return -EINVAL;
		n->tap[n->ntap++] = (int)fd;
	}
	return 0;
}

/* ---- the backend's own keys, trusted -------------------------------------- */

static int read_lease(struct device *dev, struct netback *n)
{
	char *text;
	int ret = store_read(dev->store, &text, "%s/lease", dev->be);

	if (ret)
		return ret == -ENOENT ? 0 : ret;
	ret = dhcp_lease_parse(text, &n->lease);
	if (ret)
		log_err("%s/lease '%s' is not a lease; remove the key, or the "
			"device and add it again",
			dev->be, text);
	free(text);
	n->has_lease = !ret;
	return ret;
}

static int read_ra(struct device *dev, struct netback *n)
{
	char *text;
	int ret = store_read(dev->store, &text, "%s/ra", dev->be);

	if (ret)
		return ret == -ENOENT ? 0 : ret;
	n->has_ra = *text;
	ret = *text ? ra_parse(text, &n->ra) : 0;
	if (ret)
		log_err("%s/ra '%s' is not an advertisement; remove the key, "
			"or the device and add it again",
			dev->be, text);
	free(text);
	return ret;
}

/* What sv-backend has taken over from the vif's ip=. */
static int read_guard(struct device *dev, struct netback *n)
{
	char *mac = NULL, *list;
	int ret = store_read(dev->store, &list, "%s/antispoof", dev->be);

	if (ret)
		return ret == -ENOENT ? 0 : ret;
	n->has_guard = *list;
	if (*list)
		ret = store_read(dev->store, &mac, "%s/mac", dev->be);
	if (mac)
		ret = net_guard_parse(mac, list, &n->guard);
	if (ret)
		log_err("%s/mac and %s/antispoof are not an address and a list "
			"of addresses; remove the device and add it again",
			dev->be, dev->be);
	free(mac);
	free(list);
	return ret;
}

/* "bytes,usec" */
static int parse_rate(char *text, struct txq_rate *rate)
{
	char *comma = strchr(text, ',');
	uint64_t bytes, usec;

	if (!comma)
		return -EINVAL;
	*comma = '\0';
	if (util_u64(text, RATE_MAX, &bytes) ||
	    util_u64(comma + 1, PERIOD_MAX, &usec))
		return -EINVAL;
	*rate = (struct txq_rate){ bytes, usec };
	return 0;
}

/* Return: 0, also without one; -EINVAL; or -errno of the store. */
static int read_rate(struct device *dev, struct txq_rate *rate)
{
	char *text;
	int ret = store_read(dev->store, &text, "%s/rate", dev->be);

	*rate = (struct txq_rate){ 0 };
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	ret = parse_rate(text, rate);
	if (ret)
		log_limited(&dev->limit, LOG_LVL_ERR,
			    "%s/rate is not BYTES,MICROSECONDS; correct rate= "
			    "in the vif's specification",
			    dev->be);
	free(text);
	return ret;
}

/* All queues together have what the card may send. */
static void share_rate(struct netback *n)
{
	struct txq_rate rate = n->rate;

	if (n->nkeys)
		rate.bytes = (rate.bytes + n->nkeys - 1) / n->nkeys;
	txq_limit_set(&n->limit, &rate);
}

/* A rate that the operator has written, now or just then. */
static void changed(struct device *dev)
{
	struct netback *n = dev->priv;
	struct txq_rate rate;

	if (read_rate(dev, &rate) ||
	    (rate.bytes == n->rate.bytes && rate.usec == n->rate.usec))
		return;
	n->rate = rate;
	share_rate(n);
	log_info("limit: %llu bytes in %llu us; 0 is none",
		 (unsigned long long)rate.bytes, (unsigned long long)rate.usec);
}

/*
 * Say in the guest's name that it is here.  What does not arrive is said again.
 *
 * SYSCALLS: writev
 */
static void arrive(struct netback *n)
{
	const struct announce a = {
		.mac = { n->mac[0], n->mac[1], n->mac[2], n->mac[3], n->mac[4],
			 n->mac[5] },
		.guard = n->has_guard ? &n->guard : NULL,
		.ip4 = n->has_lease ? n->lease.ip : 0,
	};
	struct virtio_net_hdr plain = { 0 };
	uint8_t frame[ANNOUNCE_MAX];
	struct iovec v[] = { { &plain, sizeof(plain) }, { frame, 0 } };
	int len;

	n->arrivals--;
	for (unsigned int i = 0; (len = announce_frame(&a, i, frame)) >= 0;
	     i++) {
		v[1].iov_len = (size_t)len;
		if (len && writev(n->tap[0], v, ARRAY_SIZE(v)) < 0)
			log_debug("its arrival is not told: %s",
				  strerror(errno));
	}
}

/* What the guest was told of its router holds for some time only. */
static void announce(struct netback *n)
{
	if (!n->has_ra || !n->nqueues || ++n->ticks < RA_EVERY_S)
		return;
	n->ticks = 0;
	netback_announce(n->queue[0]);
}

static void tick(struct device *dev)
{
	struct netback *n = dev->priv;

	if (tap_gone(n->tap[0]))
		device_retire(dev,
			      "the interface was removed; another is made");
	netback_tell_stats(dev, &n->stats, &n->journal->stat);
	announce(n);
	if (n->arrivals && n->nqueues)
		arrive(n);
}

static int read_mac(struct device *dev, struct netback *n)
{
	char *text;
	int ret = store_read(dev->store, &text, "%s/mac", dev->be);

	if (ret)
		return ret == -ENOENT ? 0 : ret;
	/* One without an address of its own is not announced. */
	n->has_mac = !dhcp_mac_parse(text, n->mac);
	free(text);
	return 0;
}

static int map_journal(struct netback *n)
{
	void *p;
	int ret = custody_map(n->journal_fd, sizeof(*n->journal), &p);

	if (ret)
		return ret;
	n->journal = p;
	ret = custody_reserve(n->journal_fd, 0, sizeof(*n->journal));
	if (!ret)
		netstat_begin(&n->journal->stat);
	return ret;
}

static int init(struct device *dev)
{
	struct netback *n = dev->priv;
	int ret;

	if (!n->ntap) {
		log_err("--tap-fds is missing: run by sv-backend only");
		return -EINVAL;
	}
	ret = map_journal(n);
	if (!ret)
		ret = read_mac(dev, n);
	if (!ret)
		ret = read_lease(dev, n);
	if (!ret)
		ret = read_ra(dev, n);
	if (!ret)
		ret = read_guard(dev, n);
	return ret ? ret : read_rate(dev, &n->rate);
}

static void fini(struct device *dev)
{
	struct netback *n = dev->priv;

	if (n->journal)
		munmap(n->journal, sizeof(*n->journal));
	fd_close(&n->journal_fd);
	while (n->ntap)
		fd_close(&n->tap[--n->ntap]);
}

static int keys(struct device *dev, enum xb_state state)
{
	const struct netback *n = dev->priv;
	const struct {
		const char *name;
		uint64_t value;
	} key[] = {
		{ "feature-sg", 1 },
		{ "feature-gso-tcpv4", 1 },
		{ "feature-gso-tcpv6", 1 },
		{ "feature-ipv6-csum-offload", 1 },
		{ "feature-rx-copy", 1 },
		{ "feature-rx-flip", 0 },
		{ "feature-split-event-channels", 1 },
		{ "feature-ctrl-ring", 1 },
		{ "multi-queue-max-queues", n->ntap },
	};
	int ret = 0;

	if (state != XB_INIT_WAIT)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(key) && !ret; i++)
		ret = store_write_u64(dev->store, key[i].value, "%s/%s",
				      dev->be, key[i].name);
	return ret;
}

/* ---- the frontend's keys, UNTRUSTED ---------------------------------------- */

/* A key that is 0, 1 or absent; anything else counts as absent. */
static bool flag(struct device *dev, const char *name)
{
	uint64_t v;

	return !store_read_opt(dev->store, 0, 1, &v, "%s/%s", dev->fe, name) &&
	       v;
}

static int read_caps(struct device *dev, struct net_caps *c)
{
	if (!flag(dev, "request-rx-copy"))
		return device_bad_key(dev, dev->fe, "request-rx-copy",
				      "1: pages are not flipped", -EOPNOTSUPP);
	c->sg = flag(dev, "feature-sg");
	c->csum4 = !flag(dev, "feature-no-csum-offload");
	c->csum6 = flag(dev, "feature-ipv6-csum-offload");
	c->tso4 = c->sg && c->csum4 && flag(dev, "feature-gso-tcpv4");
	c->tso6 = c->sg && c->csum6 && flag(dev, "feature-gso-tcpv6");
	return 0;
}

static int read_queue(struct device *dev, const char *dir)
{
	struct netback *n = dev->priv;
	struct net_keys *k = &n->keys[n->nkeys];
	int ret;

	*k = (struct net_keys){ .index = n->nkeys };
	ret = device_read_u32(dev, dir, "tx-ring-ref", &k->tx_ref);
	if (!ret)
		ret = device_read_u32(dev, dir, "rx-ring-ref", &k->rx_ref);
	if (ret)
		return ret;
	n->nkeys++;
	if (!store_exists(dev->store, "%s/event-channel-tx", dir)) {
		ret = device_read_u32(dev, dir, "event-channel", &k->tx_port);
		k->rx_port = k->tx_port;
		return ret;
	}
	ret = device_read_u32(dev, dir, "event-channel-tx", &k->tx_port);
	return ret ? ret
		   : device_read_u32(dev, dir, "event-channel-rx", &k->rx_port);
}

static int read_ctrl(struct device *dev)
{
	struct netback *n = dev->priv;
	int ret;

	n->wants_ctrl = store_exists(dev->store, "%s/ctrl-ring-ref", dev->fe);
	if (!n->wants_ctrl)
		return 0;
	ret = device_read_u32(dev, dev->fe, "ctrl-ring-ref", &n->ctrl_gref);
	return ret ? ret
		   : device_read_u32(dev, dev->fe, "event-channel-ctrl",
				     &n->ctrl_port);
}

/* All that the frontend says of itself. */
static int read_frontend(struct device *dev)
{
	struct netback *n = dev->priv;
	unsigned int nqueues;
	int ret = read_caps(dev, &n->conf.caps);

	n->nkeys = 0;
	if (!ret)
		ret = device_nqueues(dev, n->ntap, &nqueues);
	if (!ret)
		ret = device_start_queues(dev, nqueues, read_queue);
	return ret ? ret : read_ctrl(dev);
}

/* ---- the control ring ------------------------------------------------------ */

static void on_ctrl(void *arg)
{
	struct device *dev = arg;
	struct netback *n = dev->priv;
	int ret = net_ctrl_poll(&n->ctrl, CTRL_TURN);

	if (net_ctrl_push(&n->ctrl))
		evtchn_fd_notify(&n->ctrl_evtchn);
	if (ret < 0)
		device_fail(dev, "the control ring's index is impossible");
	else if (ret || net_ctrl_arm(&n->ctrl))
		evtchn_fd_again(&n->ctrl_evtchn);
}

static void stop_ctrl(struct netback *n)
{
	if (!n->has_ctrl)
		return;
	evtchn_fd_close(&n->ctrl_evtchn);
	net_ctrl_fini(&n->ctrl);
	n->has_ctrl = false;
}

/* Before the queues start: they go by what @n->steer says. */
static int start_ctrl(struct device *dev, bool resume)
{
	struct netback *n = dev->priv;
	struct net_journal_ctrl *log = &n->journal->ctrl;
	int ret;

	log->served = n->wants_ctrl;
	if (!n->wants_ctrl)
		return 0;
	ret = net_steer_init(&n->steer, n->nkeys);
	if (ret)
		return ret;
	n->conf.steer = &n->steer;
	log->gref = n->ctrl_gref;
	log->port = n->ctrl_port;
	n->has_ctrl = true;
	n->ctrl_evtchn = (struct evtchn_fd)EVTCHN_FD_INIT;
	ret = net_ctrl_init(&n->ctrl, dev->gnt, &n->steer, &dev->limit,
			    n->ctrl_gref, log, resume);
	if (!ret)
		ret = evtchn_fd_bind(&n->ctrl_evtchn, dev->dom, n->ctrl_port);
	if (!ret)
		ret = evtchn_fd_watch(&n->ctrl_evtchn, dev->base, on_ctrl, dev);
	if (ret)
		log_limited(&dev->limit, LOG_LVL_WARN,
			    "%s: control ring, grant %u, port %u: %s", dev->fe,
			    n->ctrl_gref, n->ctrl_port, strerror(-ret));
	return ret;
}

/* ---- connection ------------------------------------------------------------ */

static void disconnect(struct device *dev)
{
	struct netback *n = dev->priv;
	struct net_stats sum = { 0 };
	bool served = n->nqueues;

	if (tap_carrier(n->tap[0], false))
		log_debug("the carrier is not turned off");
	stop_ctrl(n);
	while (n->nqueues)
		netback_stop(n->queue[--n->nqueues], &sum);
	if (n->conf.steer)
		net_steer_fini(&n->steer);
	n->conf.steer = NULL;
	/* Whoever dies before leaves marks that a successor must clear. */
	journal_valid(&n->journal->head, JOURNAL_VIF, 0);
	if (!served)
		return;
	log_limited(
		&dev->limit, LOG_LVL_INFO,
		"packets from the guest so far: %llu, dropped %llu, %llu of them "
		"in another's name; to the guest: %llu, dropped %llu",
		(unsigned long long)sum.tx_packets,
		(unsigned long long)sum.tx_drops,
		(unsigned long long)sum.tx_spoofed,
		(unsigned long long)sum.rx_packets,
		(unsigned long long)sum.rx_drops);
}

static void suspend(struct device *dev)
{
	struct netback *n = dev->priv;

	if (n->has_ctrl)
		evtchn_fd_close(&n->ctrl_evtchn);
	n->has_ctrl = false;
	while (n->nqueues)
		netback_suspend(n->queue[--n->nqueues]);
	if (n->conf.steer)
		net_steer_fini(&n->steer);
	n->conf.steer = NULL;
}

/*
 * What waits in a TAP queue is for whoever was connected before.
 *
 * SYSCALLS: read
 */
static void drain(int fd)
{
	char scrap[64];

	for (int i = 0; i < DRAIN_MAX; i++) {
		if (read(fd, scrap, sizeof(scrap)) <= 0)
			return;
	}
}

/* Let as many TAP queues take part as there are rings. */
static int attach_taps(struct netback *n)
{
	int ret = 0;

	for (unsigned int i = 0; i < n->ntap && !ret; i++)
		ret = tap_attach(n->tap[i], i < n->nkeys);
	return ret;
}

static int start_queue(struct device *dev, struct net_keys *k)
{
	struct netback *n = dev->priv;
	int ret;

	k->log = &n->journal->queue[k->index];
	k->stat = &n->journal->stat.queue[k->index];
	k->log->keys = (struct net_journal_keys){ k->tx_ref, k->rx_ref,
						  k->tx_port, k->rx_port };
	ret = netback_start(&n->queue[n->nqueues], dev, &n->conf,
			    n->tap[n->nqueues], k, &n->log_limit[n->nqueues]);
	if (!ret && n->has_mac && !k->resume &&
	    netback_has_begun(n->queue[n->nqueues]))
		n->arrivals = ANNOUNCE_TIMES;
	if (!ret)
		n->nqueues++;
	else
		log_limited(&dev->limit, LOG_LVL_WARN,
			    "queue %u: grants %u (tx) and %u (rx), ports %u "
			    "and %u: %s",
			    k->index, k->tx_ref, k->rx_ref, k->tx_port,
			    k->rx_port, strerror(-ret));
	return ret;
}

/*
 * Serve what @n->keys name.  Nobody is shown anything before all of it is in the
 * journal: a frontend has posted pages long before we are Connected.
 */
static int start(struct device *dev, bool resume)
{
	struct netback *n = dev->priv;
	int ret = start_ctrl(dev, resume);

	n->conf.tx = (struct txq_conf){
		.lease = n->has_lease ? &n->lease : NULL,
		.ra = n->has_ra ? &n->ra : NULL,
		.guard = n->has_guard ? &n->guard : NULL,
		.limit = &n->limit,
	};
	share_rate(n);
	n->arrivals = 0;
	for (unsigned int i = 0; i < n->nkeys && !ret; i++) {
		n->keys[i].resume = resume;
		ret = start_queue(dev, &n->keys[i]);
	}
	if (!ret)
		journal_valid(&n->journal->head, JOURNAL_VIF, n->nqueues);
	for (unsigned int i = 0; i < n->nqueues && !ret; i++)
		ret = netback_run(n->queue[i]);
	return ret ? ret : tap_carrier(n->tap[0], true);
}

static int connect(struct device *dev)
{
	struct netback *n = dev->priv;
	int ret = read_frontend(dev);

	if (ret)
		return ret;
	/* A predecessor's, of a connection that is over. */
	journal_valid(&n->journal->head, JOURNAL_VIF, 0);
	ret = attach_taps(n);
	for (unsigned int i = 0; i < n->nkeys; i++)
		drain(n->tap[i]);
	if (!ret)
		ret = tap_offload(n->tap[0], &n->conf.caps);
	if (!ret)
		ret = start(dev, false);
	if (ret) {
		disconnect(dev);
		return ret;
	}
	log_limited(&dev->limit, LOG_LVL_INFO,
		    "serving %u queue(s)%s; the guest takes%s%s%s%s%s",
		    n->nqueues, n->has_ctrl ? " and a control ring" : "",
		    n->conf.caps.sg ? " sg" : "",
		    n->conf.caps.csum4 ? " csum4" : "",
		    n->conf.caps.csum6 ? " csum6" : "",
		    n->conf.caps.tso4 ? " tso4" : "",
		    n->conf.caps.tso6 ? " tso6" : "");
	n->ticks = 0;
	if (n->has_ra)
		netback_announce(n->queue[0]);
	if (n->arrivals)
		arrive(n);
	return 0;
}

/* UNTRUSTED: whether the journal is of the rings that the frontend's keys name. */
static bool same_rings(const struct netback *n)
{
	const struct net_journal *j = n->journal;
	const struct net_journal_ctrl *c = &j->ctrl;

	for (unsigned int i = 0; i < n->nkeys; i++) {
		const struct net_journal_keys *was = &j->queue[i].keys;
		const struct net_keys *is = &n->keys[i];

		if (was->tx_ref != is->tx_ref || was->rx_ref != is->rx_ref ||
		    was->tx_port != is->tx_port || was->rx_port != is->rx_port)
			return false;
	}
	if (!n->wants_ctrl)
		return !c->served;
	return c->served && c->gref == n->ctrl_gref && c->port == n->ctrl_port;
}

/*
 * Whether the frontend's keys, which are read, name what a predecessor was serving.
 *
 * Return: 0; -ENOENT if it served nothing; -ESTALE if the frontend has other rings
 * now; -EAGAIN if the store failed.
 */
static int find_rings(struct device *dev)
{
	struct netback *n = dev->priv;
	unsigned int nqueues =
		journal_nqueues(&n->journal->head, JOURNAL_VIF, VIF_MAX_QUEUES);
	int ret;

	if (!nqueues)
		return -ENOENT;
	ret = read_frontend(dev);
	if (ret && ret != -EOPNOTSUPP && !device_no_value(ret))
		return -EAGAIN;
	return ret || n->nkeys != nqueues || !same_rings(n) ? -ESTALE : 0;
}

static bool in_use(struct device *dev)
{
	const struct netback *n = dev->priv;

	for (unsigned int i = 0; i < n->nkeys; i++) {
		if (!netback_in_use(dev, &n->keys[i]))
			return false;
	}
	return !n->wants_ctrl || gnt_marked(dev->gnt, n->ctrl_gref);
}

static int resume(struct device *dev)
{
	struct netback *n = dev->priv;
	int ret = find_rings(dev);

	if (!ret && !in_use(dev))
		ret = -ESTALE;
	if (ret)
		return ret;
	ret = attach_taps(n);
	if (!ret)
		ret = tap_offload(n->tap[0], &n->conf.caps);
	if (!ret)
		ret = start(dev, true);
	if (ret)
		suspend(dev);
	else
		log_info("serving on for a predecessor, %u queue(s)%s",
			 n->nqueues, n->has_ctrl ? " and a control ring" : "");
	return ret;
}

/* Rings that are not in use have been released before, or are another's. */
static void release(struct device *dev)
{
	struct netback *n = dev->priv;
	struct net_keys *k;

	if (find_rings(dev))
		return;
	for (unsigned int i = 0; i < n->nkeys; i++) {
		k = &n->keys[i];
		k->log = &n->journal->queue[i];
		if (netback_in_use(dev, k))
			netback_release(dev, k);
	}
	if (n->wants_ctrl && gnt_marked(dev->gnt, n->ctrl_gref))
		net_ctrl_release(dev->gnt, &n->journal->ctrl);
}

const struct device_ops netback_ops = {
	.type = "vif",
	.program = "netback",
	.option = option,
	.init = init,
	.fini = fini,
	.keys = keys,
	.tick = tick,
	.changed = changed,
	.connect = connect,
	.disconnect = disconnect,
	.resume = resume,
	.release = release,
	.suspend = suspend,
};
