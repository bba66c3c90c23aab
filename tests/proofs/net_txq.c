/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/proofs/net_txq.c - V9: a guest's packets from their slots to the host. */
#define BYTES_DO_NOT_MATTER
#include "tests/proofs/env.h"

#include "dom0-backend/net_txq.c"

/* Pieces of a packet that are looked at; what may be are NET_FRAGS_MAX. */
#define PIECES 3

/* Slots of a packet, likewise: of TXQ_NENT. */
#define SLOTS 4

/*
 * PROOF: sent polled credited
 * OPTIONS: sent --unwind 6
 * OPTIONS: polled --unwind 6
 * OPTIONS: credited --unwind 2
 * BROKEN: sent dom0-backend/net_txq.c s/while (i--)/while (i-- > 1)/
 * BROKEN: sent dom0-backend/net_txq.c s/^\tunpin(q, p);//
 * BROKEN: sent dom0-backend/net_txq.c s/iov_len = p->frag\[i\].len - cut/iov_len = p->frag[i].len/
 * BROKEN: sent dom0-backend/net_txq.c s/return refuse_spoofed(q, fault)/refuse_spoofed(q, fault)/
 * BROKEN: polled dom0-backend/net_txq.c s/i < q->n; i++/i + 1 < q->n; i++/
 * BROKEN: polled dom0-backend/net_txq.c s/return !ret \&\& q->n ? -EBADMSG : ret/return ret/
 * BROKEN: credited dom0-backend/net_txq.c s/= MIN((now - q->since) . period, PERIODS_MAX)/= (now - q->since) \/ period/
 * BROKEN: credited dom0-backend/net_txq.c s/MIN(q->credit, (int64_t)q->conf.rate.bytes)/q->credit/
 */

/* ---- the world ------------------------------------------------------------ */

static uint8_t ram[PIECES][SV_PAGE_SIZE];
static uint32_t pinned;
static uint32_t packet_len,
	given; /* bytes of a packet, and those for the host */

int gnt_get(struct gnt_map *g, uint32_t ref, enum gnt_access access,
	    void **page)
{
	(void)g;
	PROVE(access == GNT_READ, "a packet is only read");
	if (any_bool())
		return -EACCES;
	PROVE(ref < PIECES, "a reference of the packet's");
	PROVE(!(pinned & 1u << ref), "each piece once");
	pinned |= 1u << ref;
	*page = ram[ref];
	return 0;
}

void gnt_put(struct gnt_map *g, uint32_t ref, enum gnt_access access)
{
	(void)g;
	(void)access;
	PROVE(pinned & 1u << ref, "gives back what it had");
	pinned &= ~(1u << ref);
}

void log_limited(struct log_limit *limit, enum log_level level, const char *fmt,
		 ...)
{
	(void)limit;
	(void)level;
	(void)fmt;
}

char *strerror(int err)
{
	(void)err;
	return "";
}

static bool denied;

const char *net_guard_fault(const struct net_guard *g, const uint8_t *h,
			    size_t len)
{
	PROVE(__CPROVER_r_ok(g, sizeof(*g)), "the addresses");
	PROVE(len <= NET_HDR_MAX && __CPROVER_r_ok(h, len), "the headers");
	denied = any_bool();
	return denied ? "a fault" : NULL;
}

bool dhcp_may_be(const uint8_t *h, size_t len)
{
	PROVE(__CPROVER_r_ok(h, len), "the copied headers");
	return any_bool();
}

size_t dhcp_reply(const uint8_t *in, size_t len, const struct dhcp_lease *lease,
		  uint8_t *out)
{
	(void)lease;
	PROVE(__CPROVER_r_ok(in, len), "the copied packet");
	PROVE(__CPROVER_w_ok(out, DHCP_REPLY_MAX), "room for the answer");
	return any_bool() ? DHCP_REPLY_MAX : 0;
}

bool rxq_inject(struct rxq *q, const uint8_t *frame, size_t len)
{
	(void)q;
	PROVE(__CPROVER_r_ok(frame, len), "the answer");
	return any_bool();
}

const char *net_tx_vnet(const struct net_tx *pkt, uint8_t *h, size_t hlen,
			struct virtio_net_hdr *v)
{
	(void)pkt;
	(void)v;
	PROVE(hlen <= NET_HDR_MAX && __CPROVER_w_ok(h, hlen), "the headers");
	return any_bool() ? "a fault" : NULL;
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	(void)fd;
	PROVE(n >= 2 && n <= 2 + PIECES, "so many pieces at most");
	PROVE(iov[0].iov_len == sizeof(struct virtio_net_hdr), "what it is");
	for (int i = 1; i < n; i++) {
		PROVE(iov[i].iov_len > 0 &&
			      __CPROVER_r_ok(iov[i].iov_base, iov[i].iov_len),
		      "in the copy or in a page");
		given += (uint32_t)iov[i].iov_len;
	}
	PROVE(given == packet_len, "the packet and no more");
	errno = EIO;
	return any_bool() ? -1 : 0;
}

/* ---- one packet ----------------------------------------------------------- */

/*
 * A packet as net_chain_add() leaves it (net.c: finished), of up to three
 * pieces: all loops do the same with each.  A reference stands for the piece's
 * place, so that each has a page.
 */
static void any_packet(struct net_tx *p)
{
	uint32_t sum = 0;

	p->nfrags = any_u8();
	ASSUME(p->nfrags >= 1 && p->nfrags <= PIECES);
	for (uint32_t i = 0; i < PIECES; i++) {
		uint16_t off = any_u16(), len = any_u16();

		ASSUME(len > 0 && off + len <= (int)SV_PAGE_SIZE);
		p->frag[i] = (struct net_frag){ i, off, len };
		sum += i < p->nfrags ? len : 0;
	}
	ASSUME(sum >= NET_LEN_MIN);
	p->len = packet_len = sum;
}

/* Whatever fails on the way: nothing stays pinned, and the host gets it whole. */
void sent(void)
{
	static struct dhcp_lease lease;
	static struct net_guard guard;
	static struct rxq rx;
	static struct txq q;
	uint64_t drops = 0;
	int16_t status;

	q.rx = &rx;
	q.stat = &q.own_stat;
	q.conf.lease = any_bool() ? &lease : NULL;
	q.conf.guard = any_bool() ? &guard : NULL;
	any_packet(&q.chain.pkt);
	q.chain.fault = any_bool() ? "a fault" : NULL;
	status = send_packet(&q);
	PROVE(status == NETIF_RSP_OKAY || status == NETIF_RSP_ERROR ||
		      status == NETIF_RSP_DROPPED,
	      "its results");
	PROVE(!q.chain.fault || status == NETIF_RSP_ERROR, "refused");
	PROVE(pinned == 0, "nothing stays pinned");
	PROVE(!denied || (status == NETIF_RSP_DROPPED && !given),
	      "in another's name: the host gets nothing");
	PROVE(q.stat->n[NETSTAT_TX_DROP_SPOOFED] == denied, "counted apart");
	for (int i = NETSTAT_TX_DROP_BAD; i <= NETSTAT_TX_DROP_DIED; i++)
		drops += q.stat->n[i];
	PROVE((status == NETIF_RSP_OKAY) == (drops == 0) &&
		      drops + q.stat->n[NETSTAT_TX_PACKETS] <= 1,
	      "counted");
}

/* ---- its slots ------------------------------------------------------------ */

/*
 * One slot of all is looked at, whichever it is: it has the id and the kind that
 * the answer at its place must have.
 */
static uint32_t taken, answered, watched;
static uint16_t watched_id;
static bool watched_extra, lied;

int ring_back_take(struct ring_back *r, void *req, size_t size)
{
	union net_tx_slot *slot = req;

	(void)r;
	PROVE(size == sizeof(*slot), "a slot");
	if (any_bool())
		return 0;
	lied = any_bool();
	if (lied)
		return -EPROTO;
	ASSUME(taken < SLOTS);
	slot->req.id = any_u16();
	if (taken++ == watched)
		watched_id = slot->req.id;
	return 1;
}

void ring_back_put(struct ring_back *r, const void *rsp, size_t size)
{
	const netif_tx_response_t *t = rsp;

	(void)r;
	PROVE(size == sizeof(*t), "an answer");
	PROVE(answered != watched || t->id == watched_id, "in order");
	PROVE(answered != watched ||
		      (t->status == NETIF_RSP_NULL) == watched_extra,
	      "extra infos have no status");
	answered++;
}

/* Any packet, or any fault; net.c has the rest. */
void net_chain_begin(struct net_chain *c)
{
	c->want = NET_WANT_FIRST;
}

enum net_want net_chain_add(struct net_chain *c, const union net_tx_slot *slot)
{
	(void)slot;
	if (taken == watched + 1)
		watched_extra = c->want == NET_WANT_EXTRA;
	c->want = any_bool() ? NET_WANT_EXTRA : NET_WANT_DATA;
	if (any_bool())
		c->want = NET_WANT_NONE;
	return c->want;
}

/* All slots of a packet are answered, once each, sent or not. */
void polled(void)
{
	static struct rxq rx;
	static struct txq q;
	int ret;

	watched = any_u8() % SLOTS;
	q.rx = &rx;
	q.log = &q.own;
	q.stat = &q.own_stat;
	q.chain.fault = any_bool() ? "a fault" : NULL;
	q.chain.pkt.nfrags = 1;
	q.chain.pkt.len = packet_len = q.chain.pkt.frag[0].len = NET_LEN_MIN;
	ret = txq_poll(&q, 1);
	PROVE(ret == 1 || ret == 0 || (ret == -EPROTO && lied) ||
		      ret == -EBADMSG,
	      "its results");
	PROVE(ret != 1 || answered == taken, "each once");
	PROVE(ret == 1 || answered == 0, "or the connection ends");
	PROVE(ret != 0 || taken == 0, "nothing waits");
	PROVE(pinned == 0, "nothing stays pinned");
}

/* ---- the rate limit ------------------------------------------------------- */

static uint64_t now;

uint64_t util_clock_ns(void)
{
	return now;
}

/* However long it was idle, and at any rate: never above one period's. */
void credited(void)
{
	static struct txq q;
	int64_t old;

	q.conf.rate.bytes = any_u32();
	q.conf.rate.usec = 50000; /* as xl does */
	q.credit = old = (int64_t)any_u64();
	q.since = any_u64();
	now = any_u64();
	ASSUME(q.since <= now);
	ASSUME(limited(&q));
	ASSUME(old <= (int64_t)q.conf.rate.bytes &&
	       old >= -(int64_t)NET_LEN_MAX);
	(void)has_credit(&q);
	PROVE(q.credit >= old && q.credit <= (int64_t)q.conf.rate.bytes,
	      "grows, up to one period's");
	PROVE(q.since <= now, "not ahead of time");
}
