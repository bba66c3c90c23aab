// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/net_txq.c - packets from the guest's tx ring to a TAP queue.
#include "dom0-backend/net_txq.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "base/probe.h"
#include "dom0-backend/net_rxq.h"
#include "ring/shm.h"

#define DHCP_MAX    1514u /* of a request's frame */
#define NS_PER_USEC 1000u
#define WAIT_MAX_MS 1000
#define PERIODS_MAX (NET_LEN_MAX + 1) /* of a byte or more: see has_credit() */

/*
 * A packet that a predecessor had taken: whether it was sent is not known, and it
 * must not be sent twice.
 */
static void end_packet(struct txq *q);

/* Begin where the journal says, or the ring itself: a saved guest's is not new. */
static int attach(struct txq *q, bool resume)
{
	struct ring_pos at = { .req_cons = 0 };
	int ret;

	if (resume)
		ret = net_journal_recover(q->log, &at);
	else
		ret = txq_ring_back_found(&q->page, 1, &at);
	if (!ret)
		ret = txq_ring_back_attach(&q->ring, &q->page, 1, &at);
	if (ret)
		return ret;
	if (!resume)
		net_journal_begin(q->log, at.rsp_prod);
	q->first = at.rsp_prod;
	q->n = at.req_cons - at.rsp_prod;
	if (q->n)
		end_packet(q);
	return 0;
}

int txq_init(struct txq *q, struct gnt_map *gnt, struct rxq *rx,
	     const struct txq_conf *conf, int tap, const struct net_ring *ring)
{
	int ret;

	*q = (struct txq){
		.gnt = gnt,
		.rx = rx,
		.conf = *conf,
		.tap = tap,
		.gref = ring->gref,
		.log = ring->log ? ring->log : &q->own,
		.stat = ring->stat ? ring->stat : &q->own_stat,
		.credit = (int64_t)conf->rate.bytes,
		.since = util_clock_ns(),
	};
	ret = gnt_get(gnt, ring->gref, GNT_WRITE, &q->page);
	return ret ? ret : attach(q, ring->resume);
}

void txq_fini(struct txq *q)
{
	if (q->page)
		gnt_put(q->gnt, q->gref, GNT_WRITE);
	q->page = NULL;
}

/* ---- the rate limit ------------------------------------------------------ */

static bool limited(const struct txq *q)
{
	return q->conf.rate.bytes && q->conf.rate.usec;
}

void txq_limit_set(struct txq_limit *l, const struct txq_rate *rate)
{
	atomic_store(&l->packed, rate->bytes << 32 | rate->usec);
}

/* Go on with another rate if there is one. */
static void follow_limit(struct txq *q)
{
	uint64_t v = atomic_load_explicit(&q->conf.limit->packed,
					  memory_order_relaxed);
	struct txq_rate rate = { v >> 32, v & UINT32_MAX };

	if (rate.bytes == q->conf.rate.bytes && rate.usec == q->conf.rate.usec)
		return;
	q->conf.rate = rate;
	q->credit = (int64_t)rate.bytes;
	q->since = util_clock_ns();
}

/* Whether a packet may be sent now; credit comes steadily, up to one period's. */
static bool has_credit(struct txq *q)
{
	uint64_t period, now, periods;

	if (q->conf.limit)
		follow_limit(q);
	if (!limited(q))
		return true;
	now = util_clock_ns();
	period = q->conf.rate.usec * NS_PER_USEC;
	if (now - q->since >= period) {
		/* So many make good any debt; more could overflow. */
		periods = MIN((now - q->since) / period, PERIODS_MAX);
		q->credit += (int64_t)(periods * q->conf.rate.bytes);
		q->credit = MIN(q->credit, (int64_t)q->conf.rate.bytes);
		q->since = now - (now - q->since) % period;
	}
	return q->credit > 0;
}

static int wait_for_credit(const struct txq *q)
{
	uint64_t ms = q->conf.rate.usec / 1000 + 1;

	return ms < WAIT_MAX_MS ? (int)ms : WAIT_MAX_MS;
}

/* ---- one packet ----------------------------------------------------------- */

/* Take a packet's slots; 1 if it is complete in q->chain. */
static int take_chain(struct txq *q)
{
	struct net_journal_slot *s;
	union net_tx_slot slot;
	int ret;

	net_chain_begin(&q->chain);
	q->n = 0;
	while ((ret = txq_ring_back_take(&q->ring, &slot)) > 0) {
		assert(q->n < TXQ_NENT); /* ring.h: no more are in flight */
		s = net_journal_slot(q->log, q->first + q->n++);
		s->gref = slot.req.gref;
		s->id = slot.req.id;
		s->extra = net_chain_want(&q->chain) == NET_WANT_EXTRA;
		if (net_chain_add(&q->chain, &slot) == NET_WANT_NONE) {
			net_journal_take(q->log, q->first + q->n);
			return 1;
		}
	}
	return !ret && q->n ? -EBADMSG : ret;
}

static void answer(struct txq *q, int16_t status)
{
	for (uint32_t i = 0; i < q->n; i++) {
		const struct net_journal_slot *s =
			net_journal_slot(q->log, q->first + i);
		netif_tx_response_t rsp = {
			.id = s->id,
			.status = s->extra ? NETIF_RSP_NULL : status,
		};

		txq_ring_back_put(&q->ring, &rsp);
	}
	q->first += q->n;
	net_journal_answer(q->log, q->first);
}

/* Clear the marks that a predecessor may have left: those of the same grants. */
static void unmark(struct gnt_map *gnt, struct net_journal_ring *log,
		   uint32_t first, uint32_t n)
{
	const struct net_journal_slot *s;
	void SHM *page;

	for (uint32_t i = 0; i < n; i++) {
		s = net_journal_slot(log, first + i);
		if (!s->extra && !gnt_get(gnt, s->gref, GNT_READ, &page))
			gnt_put(gnt, s->gref, GNT_READ);
	}
}

static void end_packet(struct txq *q)
{
	unmark(q->gnt, q->log, q->first, q->n);
	netstat_add(q->stat, NETSTAT_TX_DROP_DIED, 1);
	answer(q, NETIF_RSP_DROPPED);
}

void txq_release(struct gnt_map *gnt, struct net_journal_ring *log)
{
	struct ring_pos at;

	if (!net_journal_recover(log, &at))
		unmark(gnt, log, at.rsp_prod, at.req_cons - at.rsp_prod);
}

/* Pin all pieces; page[i] is that of frag[i]. */
static int pin(struct txq *q, const struct net_tx *p, uint8_t SHM **page)
{
	uint32_t i;
	void SHM *at;
	int ret;

	for (i = 0; i < p->nfrags; i++) {
		ret = gnt_get(q->gnt, p->frag[i].gref, GNT_READ, &at);
		if (ret)
			goto unpin;
		page[i] = at;
	}
	return 0;

unpin:
	log_limited(q->rx->limit, LOG_LVL_WARN,
		    "tx request: grant %u cannot be read: %s; packet dropped",
		    p->frag[i].gref, strerror(-ret));
	while (i--)
		gnt_put(q->gnt, p->frag[i].gref, GNT_READ);
	return ret;
}

static void unpin(struct txq *q, const struct net_tx *p)
{
	for (uint32_t i = 0; i < p->nfrags; i++)
		gnt_put(q->gnt, p->frag[i].gref, GNT_READ);
}

/* Copy the packet's first @len bytes, once. */
static void copy_head(const struct net_tx *p, uint8_t SHM *const *page,
		      uint8_t *to, size_t len)
{
	for (uint32_t i = 0; i < p->nfrags && len; i++) {
		size_t n = MIN(len, p->frag[i].len);

		shm_fetch(to, page[i] + p->frag[i].off, n);
		to += n;
		len -= n;
	}
}

/* Where the packet lies but for its first @skip bytes; returns the pieces. */
static int fill_iov(const struct net_tx *p, uint8_t SHM *const *page,
		    size_t skip, struct iovec *iov)
{
	int n = 0;

	for (uint32_t i = 0; i < p->nfrags; i++) {
		size_t cut = MIN(skip, p->frag[i].len);

		skip -= cut;
		if (cut == p->frag[i].len)
			continue; /* never an empty one: XSA-448 */
		iov[n].iov_base = shm_bulk(page[i] + p->frag[i].off + cut);
		iov[n++].iov_len = p->frag[i].len - cut;
	}
	return n;
}

/* Whether the packet was a DHCP request that we have answered. */
static bool answered_dhcp(struct txq *q, const struct net_tx *p,
			  uint8_t SHM *const *page, size_t hlen)
{
	uint8_t in[DHCP_MAX], out[DHCP_REPLY_MAX];
	size_t len;

	if (!q->conf.lease || p->len > sizeof(in) || !dhcp_may_be(q->hdr, hlen))
		return false;
	copy_head(p, page, in, p->len);
	len = dhcp_reply(in, p->len, q->conf.lease, out);
	if (len)
		rxq_inject(q->rx, out, len); /* no room? it will ask again */
	return len;
}

void txq_announce(struct txq *q)
{
	uint8_t out[RA_MAX];

	if (q->conf.ra) /* no room? it is said again */
		rxq_inject(q->rx, out, ra_frame(q->conf.ra, out));
}

static bool answered_solicit(struct txq *q, size_t hlen)
{
	if (!q->conf.ra || !ra_asked(q->hdr, hlen, q->conf.ra))
		return false;
	txq_announce(q);
	return true;
}

static int16_t refuse(struct txq *q, enum netstat_count reason, const char *why)
{
	netstat_add(q->stat, reason, 1);
	log_limited(q->rx->limit, LOG_LVL_WARN,
		    "a packet from the guest is dropped: %s", why);
	return NETIF_RSP_ERROR;
}

static int16_t refuse_spoofed(struct txq *q, const char *why)
{
	refuse(q, NETSTAT_TX_DROP_SPOOFED, why);
	return NETIF_RSP_DROPPED;
}

static void count_sent(struct txq *q, const struct net_tx *p)
{
	netstat_add(q->stat, NETSTAT_TX_PACKETS, 1);
	netstat_add(q->stat, NETSTAT_TX_BYTES, p->len);
	netstat_add(q->stat, NETSTAT_TX_GSO, p->gso != 0);
	netstat_add(q->stat, NETSTAT_TX_CSUM, p->csum_blank);
}

/*
 * Send a packet whose pages are pinned; returns its status.
 *
 * SYSCALLS: writev
 */
static int16_t send_pinned(struct txq *q, const struct net_tx *p,
			   uint8_t SHM *const *page)
{
	struct iovec iov[2 + NET_FRAGS_MAX];
	size_t hlen = MIN(p->len, NET_HDR_MAX);
	struct virtio_net_hdr vnet;
	const char *fault;
	int n;

	copy_head(p, page, q->hdr, hlen);
	if (q->conf.guard) {
		fault = net_guard_fault(q->conf.guard, q->hdr, hlen);
		if (fault)
			return refuse_spoofed(q, fault);
	}
	if (answered_dhcp(q, p, page, hlen) || answered_solicit(q, hlen))
		return NETIF_RSP_OKAY;
	fault = net_tx_vnet(p, q->hdr, hlen, &vnet);
	if (fault)
		return refuse(q, NETSTAT_TX_DROP_BAD, fault);
	iov[0] = (struct iovec){ &vnet, sizeof(vnet) };
	iov[1] = (struct iovec){ q->hdr, hlen };
	n = 2 + fill_iov(p, page, hlen, iov + 2);
	if (writev(q->tap, iov, n) < 0) {
		netstat_add(q->stat, NETSTAT_TX_DROP_HOST, 1);
		log_limited(q->rx->limit, LOG_LVL_WARN,
			    "the host takes no packet of %u bytes: %s", p->len,
			    strerror(errno));
		return NETIF_RSP_DROPPED;
	}
	count_sent(q, p);
	return NETIF_RSP_OKAY;
}

static int16_t send_packet(struct txq *q)
{
	const struct net_tx *p = &q->chain.pkt;
	uint8_t SHM *page[NET_FRAGS_MAX];
	int16_t status;

	if (q->chain.fault)
		return refuse(q, NETSTAT_TX_DROP_BAD, q->chain.fault);
	if (pin(q, p, page)) {
		netstat_add(q->stat, NETSTAT_TX_DROP_GRANT, 1);
		return NETIF_RSP_ERROR;
	}
	status = send_pinned(q, p, page);
	unpin(q, p);
	q->credit -= limited(q) ? p->len : 0;
	probe(net_tx, q->rx->domid, q->rx->devid, p->len, status);
	return status;
}

int txq_poll(struct txq *q, unsigned int budget)
{
	int ret;

	while (budget && has_credit(q)) {
		ret = take_chain(q);
		if (ret <= 0)
			return ret;
		answer(q, send_packet(q));
		budget--;
	}
	return !budget;
}

bool txq_push(struct txq *q)
{
	bool tell = txq_ring_back_push(&q->ring);

	netstat_add(q->stat, NETSTAT_TX_NOTIFIED, tell);
	return tell;
}

bool txq_arm(struct txq *q, int *wait_ms)
{
	*wait_ms = -1;
	if (has_credit(q)) {
		netstat_add(q->stat, NETSTAT_TX_ASKED, 1);
		return txq_ring_back_arm(&q->ring, 1);
	}
	*wait_ms = wait_for_credit(q);
	return false;
}
