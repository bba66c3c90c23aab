/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/netfront.c - the data path of a PV network card's guest half. */
#include "guest-frontend/netfront.h"

#include <xen/errno.h>

#include "guest-frontend/events.h"
#include "guest-frontend/grants.h"
#include "guest-frontend/minilibc.h"
#include "guest-frontend/pages.h"
#include "ring/ring.h"
#include "ring/shm.h"

#define NENT 256u /* slots of a ring of one page */

/* Events without anything in the ring that are taken as they come, then by ms. */
#define IDLE_MAX   8u
#define IDLE_PAUSE UINT64_C(1000000)

#define HASH_BYTES 4u /* of a hash in an extra info */

union tx_slot {
	netif_tx_request_t req;
	netif_extra_info_t extra;
};

union rx_slot {
	netif_rx_response_t rsp;
	netif_extra_info_t extra;
};

RING_DEFINE(tx_ring, union tx_slot, netif_tx_response_t);
RING_DEFINE(rx_ring, netif_rx_request_t, union rx_slot);

/**
 * struct shadow - What a tx slot's id stands for, kept where the backend cannot.
 * @p:   NULL: the id is free.
 * @ref: GRANTS_NONE: it names no page, or @own.
 * @own: With copies: made when first needed.
 */
struct shadow {
	struct netfront_packet *p;
	struct grants_page own;
	uint32_t ref;
	uint16_t off, len;
};

/**
 * struct netfront_queue - One queue.
 * @ring:    Pages of the two rings.
 * @inflight: Packets, and @extras slots without an id.
 * @lost:    Packets that were in flight in a former life, and are not taken.
 * @idle:    Events in a row with nothing in the ring.
 * @free:    Stack of @nfree ids.
 * @buf:     Where packets come in; buf[i] lies in slot i each time, since all
 *           are posted in turn.  @next is the slot of the next response.
 */
struct netfront_queue {
	struct tx_ring_front tx;
	struct rx_ring_front rx;
	struct grants_page tx_page, rx_page;
	uint32_t tx_port, rx_port;
	unsigned int be_domid, inflight, extras, idle, nfree, next;
	struct netfront_caps takes, wants; /* the backend, and we */
	bool copy, dead;
	struct netfront_packet *lost;
	uint64_t dropped;
	uint16_t free[NENT];
	struct shadow shadow[NENT];
	struct grants_page buf[NENT];
};

#define QUEUE_PAGES \
	((sizeof(struct netfront_queue) + PAGE_BYTES - 1) / PAGE_BYTES)

/* ---- Sending --------------------------------------------------------------- */

static unsigned int in_page(const void *at)
{
	return (unsigned int)((uintptr_t)at % PAGE_BYTES);
}

static bool takes_gso(const struct netfront_caps *c, uint8_t gso)
{
	return (gso == XEN_NETIF_GSO_TYPE_TCPV4 && c->tso4) ||
	       (gso == XEN_NETIF_GSO_TYPE_TCPV6 && c->tso6);
}

static uint32_t length(const struct netfront_packet *p)
{
	uint32_t len = 0;

	for (unsigned int i = 0; i < p->npieces; i++)
		len += p->piece[i].len;
	return len;
}

/* Return: slots with an id that the packet takes, or -XEN_E*. */
static int judge(const struct netfront_queue *q,
		 const struct netfront_packet *p)
{
	uint32_t n = 0, len;

	if (p->filter)
		return p->npieces	? -XEN_EINVAL
		       : q->takes.mcast ? 1
					: -XEN_EOPNOTSUPP;
	if (p->npieces > NETFRONT_MAX_SLOTS)
		return -XEN_EINVAL;
	for (unsigned int i = 0; i < p->npieces; i++) {
		len = p->piece[i].len;
		if (!len || len > NETFRONT_MAX_LEN)
			return -XEN_EINVAL;
		n += (in_page(p->piece[i].at) + len + PAGE_BYTES - 1) /
		     PAGE_BYTES;
	}
	len = length(p);
	if (len < NETFRONT_MIN_LEN || len > NETFRONT_MAX_LEN ||
	    n > NETFRONT_MAX_SLOTS || (p->meta.gso && !p->meta.mss))
		return -XEN_EINVAL;
	if ((n > 1 && !q->takes.sg) || (p->meta.hashed && !q->takes.hash) ||
	    (p->meta.gso && !takes_gso(&q->takes, p->meta.gso)))
		return -XEN_EOPNOTSUPP;
	return (int)n;
}

/* Let the backend read what lies at @at, within a page. */
static bool give(const struct netfront_queue *q, struct shadow *s,
		 const uint8_t *at, uint32_t len)
{
	s->off = (uint16_t)in_page(at);
	s->len = (uint16_t)len;
	if (!q->copy) {
		s->ref = grants_give(q->be_domid, at - s->off, true);
		return s->ref != GRANTS_NONE;
	}
	if (!grants_page_make(&s->own, q->be_domid, true))
		return false;
	memcpy((uint8_t *)s->own.mem + s->off, at, len);
	return true;
}

/* Return: whether the backend has let go of the page. */
static bool take_back(struct shadow *s)
{
	uint32_t ref = s->ref;

	s->ref = GRANTS_NONE;
	return ref == GRANTS_NONE || !grants_end(ref);
}

/* The id that will be taken @i-th from now. */
static struct shadow *upcoming(struct netfront_queue *q, unsigned int i)
{
	return &q->shadow[q->free[q->nfree - 1 - i]];
}

/* Nothing of it is in the ring yet. */
static int undo(struct netfront_queue *q, struct netfront_packet *p)
{
	while (p->left) {
		if (!take_back(upcoming(q, --p->left)))
			q->dead = true;
	}
	return q->dead ? -XEN_EBUSY : -XEN_ENOSPC;
}

static int give_all(struct netfront_queue *q, struct netfront_packet *p)
{
	const struct netfront_piece *piece = p->piece;
	const uint8_t *at;
	uint32_t len, most;

	for (; piece < p->piece + p->npieces; piece++) {
		at = piece->at;
		for (uint32_t left = piece->len; left; left -= len, at += len) {
			most = PAGE_BYTES - in_page(at);
			len = left < most ? left : most;
			if (!give(q, upcoming(q, p->left), at, len))
				return undo(q, p);
			p->left++;
		}
	}
	return 0;
}

static unsigned int extras(const struct netfront_packet *p)
{
	return p->filter ? 1u : (p->meta.gso ? 1u : 0u) + p->meta.hashed;
}

/* The first, or second, extra info of a packet. */
static union tx_slot extra(const struct netfront_packet *p, unsigned int i)
{
	union tx_slot slot = { 0 };

	if (p->filter) {
		slot.extra.type = p->filter;
		memcpy(slot.extra.u.mcast.addr, p->addr, sizeof(p->addr));
		return slot;
	}
	if (i + 1 < extras(p))
		slot.extra.flags = XEN_NETIF_EXTRA_FLAG_MORE;
	if (p->meta.gso && !i) {
		slot.extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
		slot.extra.u.gso.type = p->meta.gso;
		slot.extra.u.gso.size = p->meta.mss;
		return slot;
	}
	slot.extra.type = XEN_NETIF_EXTRA_TYPE_HASH;
	slot.extra.u.hash.type = p->meta.hash_type;
	slot.extra.u.hash.algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ;
	for (unsigned int k = 0; k < HASH_BYTES; k++)
		slot.extra.u.hash.value[k] = (uint8_t)(p->meta.hash >> 8 * k);
	return slot;
}

static uint16_t first_flags(const struct netfront_packet *p)
{
	return (uint16_t)((p->meta.csum_blank ? NETTXF_csum_blank : 0) |
			  (p->meta.data_validated ? NETTXF_data_validated : 0) |
			  (extras(p) ? NETTXF_extra_info : 0));
}

/* Take the next id; its slot is number @i of the packet's. */
static union tx_slot request(struct netfront_queue *q,
			     struct netfront_packet *p, unsigned int i)
{
	uint16_t id = q->free[--q->nfree];
	struct shadow *s = &q->shadow[id];
	bool own = q->copy && s->len;
	union tx_slot slot = { .req = { .gref = own ? s->own.ref : s->ref,
					.offset = s->off,
					.id = id,
					.size = s->len } };

	s->p = p;
	if (!i) {
		slot.req.flags = first_flags(p);
		slot.req.size = (uint16_t)length(p);
	}
	if (i + 1 < p->left)
		slot.req.flags |= NETTXF_more_data;
	return slot;
}

int netfront_send(struct netfront_queue *q, struct netfront_packet *p)
{
	int n = judge(q, p), ret = 0;
	union tx_slot slot;

	if (n < 0)
		return n;
	if (q->dead)
		return -XEN_EIO;
	/* There are at least as many ids. */
	if ((unsigned int)n + extras(p) > ring_front_free(&q->tx.ring))
		return -XEN_ENOSPC;
	p->status = 0;
	p->left = 0;
	ret = give_all(q, p);
	if (ret)
		return ret;
	if (p->filter) {
		upcoming(q, 0)->off = upcoming(q, 0)->len = 0;
		p->left = 1;
	}
	for (unsigned int i = 0; i < p->left; i++) {
		slot = request(q, p, i);
		ret |= tx_ring_front_put(&q->tx, &slot);
		for (unsigned int k = 0; !i && k < extras(p); k++) {
			slot = extra(p, k);
			ret |= tx_ring_front_put(&q->tx, &slot);
			q->extras++;
		}
	}
	q->inflight++;
	return ret; /* 0: there is room */
}

void netfront_push(struct netfront_queue *q)
{
	bool tx, rx, split = q->rx_port != q->tx_port;

	if (q->dead)
		return;
	tx = tx_ring_front_push(&q->tx);
	rx = rx_ring_front_push(&q->rx);
	if (tx || (rx && !split))
		events_send(q->tx_port);
	if (rx && split)
		events_send(q->rx_port);
}

/* One of a packet's slots is answered.  Return: the packet if it was the last. */
static struct netfront_packet *finish(struct netfront_queue *q,
				      struct shadow *s, int status)
{
	struct netfront_packet *p = s->p;

	s->p = NULL;
	q->free[q->nfree++] = (uint16_t)(s - q->shadow);
	if (!p->status)
		p->status = status;
	if (!take_back(s)) {
		q->dead = true;
		p->status = -XEN_EBUSY;
	}
	if (--p->left)
		return NULL;
	q->inflight--;
	return p;
}

/* What is in flight on a queue that has ended. */
static struct netfront_packet *fail_one(struct netfront_queue *q, int status)
{
	struct netfront_packet *p = NULL;

	for (unsigned int i = 0; q->inflight && !p && i < NENT; i++) {
		if (q->shadow[i].p)
			p = finish(q, &q->shadow[i], status);
	}
	return p;
}

/* UNTRUSTED: @rsp.  Return: the slot that it answers, or NULL. */
static struct shadow *answered(struct netfront_queue *q,
			       const netif_tx_response_t *rsp)
{
	if (rsp->id >= NENT || !q->shadow[rsp->id].p)
		return NULL;
	return &q->shadow[rsp->id];
}

static int status_of(const netif_tx_response_t *rsp)
{
	return rsp->status == NETIF_RSP_OKAY	  ? 0
	       : rsp->status == NETIF_RSP_DROPPED ? -XEN_ENOBUFS
						  : -XEN_EIO;
}

struct netfront_packet *netfront_done(struct netfront_queue *q)
{
	netif_tx_response_t rsp = { 0 };
	struct netfront_packet *p;
	struct shadow *s;
	int ret;

	if (q->lost) {
		p = q->lost;
		q->lost = p->next;
		q->inflight--;
		return p;
	}
	while (!q->dead) { /* what is answered was pushed: at most NENT */
		ret = tx_ring_front_take(&q->tx, &rsp);
		if (!ret)
			return NULL;
		if (ret > 0 && rsp.status == NETIF_RSP_NULL && q->extras) {
			q->extras--;
			continue;
		}
		s = ret > 0 && rsp.status != NETIF_RSP_NULL ? answered(q, &rsp)
							    : NULL;
		if (!s) {
			q->dead = true;
			break;
		}
		p = finish(q, s, status_of(&rsp));
		if (p)
			return p;
	}
	return fail_one(q, -XEN_EIO);
}

unsigned int netfront_inflight(const struct netfront_queue *q)
{
	return q->inflight;
}

/* ---- Receiving ------------------------------------------------------------- */

/* A packet as it comes in. */
struct incoming {
	uint8_t *buf;
	size_t size, len;
	struct netfront_meta meta;
	bool bad;
};

/*
 * Take the next response.  Its page is put back at once: the backend sees that
 * after netfront_push(), when all that lies there has been copied.
 *
 * Return: 1; 0 if there is none; or -XEN_EIO.
 */
static int take_rx(struct netfront_queue *q, union rx_slot *slot, uint16_t *id)
{
	netif_rx_request_t again = { 0 };
	int ret = rx_ring_front_take(&q->rx, slot);

	if (ret <= 0)
		return ret ? -XEN_EIO : 0;
	*id = (uint16_t)(q->next++ % NENT);
	again.id = *id;
	again.gref = q->buf[*id].ref;
	return rx_ring_front_put(&q->rx, &again) ? -XEN_EIO : 1;
}

/* UNTRUSTED: @rsp, the first of a packet or not; and what lies in @page. */
static void add_part(const struct netfront_queue *q, struct incoming *in,
		     const netif_rx_response_t *rsp, const uint8_t *page,
		     bool first)
{
	int n = rsp->status;

	if (n < 0 || rsp->offset + n > (int)PAGE_BYTES ||
	    (size_t)n > in->size - in->len ||
	    (first ? n < (int)NETFRONT_MIN_LEN : !q->wants.sg))
		in->bad = true;
	if (in->bad)
		return;
	shm_fetch(in->buf + in->len, page + rsp->offset, (size_t)n);
	in->len += (size_t)n;
}

/* UNTRUSTED: @x, and so is the hash: whoever gets it knows no more of it. */
static void add_hash(struct incoming *in, const netif_extra_info_t *x)
{
	if (in->meta.hashed ||
	    x->u.hash.type > _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP ||
	    x->u.hash.algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ) {
		in->bad = true;
		return;
	}
	in->meta.hashed = true;
	in->meta.hash_type = x->u.hash.type;
	for (unsigned int k = 0; k < HASH_BYTES; k++)
		in->meta.hash |= (uint32_t)x->u.hash.value[k] << 8 * k;
}

/* UNTRUSTED: @x.  There are two kinds that we can be sent, each once. */
static void add_extra(const struct netfront_queue *q, struct incoming *in,
		      const netif_extra_info_t *x)
{
	if (x->type == XEN_NETIF_EXTRA_TYPE_HASH && q->wants.hash) {
		add_hash(in, x);
		return;
	}
	if (x->type != XEN_NETIF_EXTRA_TYPE_GSO || in->meta.gso ||
	    !takes_gso(&q->wants, x->u.gso.type) || !x->u.gso.size) {
		in->bad = true;
		return;
	}
	in->meta.gso = x->u.gso.type;
	in->meta.mss = x->u.gso.size;
}

static int add_extras(struct netfront_queue *q, struct incoming *in)
{
	union rx_slot slot;
	uint16_t id;

	do {
		if (take_rx(q, &slot, &id) != 1)
			return -XEN_EIO;
		add_extra(q, in, &slot.extra);
	} while (slot.extra.flags & XEN_NETIF_EXTRA_FLAG_MORE);
	return 0;
}

/*
 * Take all responses of the next packet, in the ring together; at most NENT are
 * there, since none of their pages is posted again meanwhile.
 */
static int take_packet(struct netfront_queue *q, struct incoming *in)
{
	union rx_slot slot;
	bool first = true;
	uint16_t id;
	int ret;

	do {
		ret = take_rx(q, &slot, &id);
		if (ret < 0 || (!ret && !first))
			return -XEN_EIO;
		if (!ret)
			return 0;
		if (slot.rsp.id != id)
			return -XEN_EIO;
		add_part(q, in, &slot.rsp, q->buf[id].mem, first);
		if (first) {
			in->meta.csum_blank = slot.rsp.flags &
					      NETRXF_csum_blank;
			in->meta.data_validated = slot.rsp.flags &
						  NETRXF_data_validated;
			if (slot.rsp.flags & NETRXF_extra_info &&
			    add_extras(q, in))
				return -XEN_EIO;
		}
		first = false;
	} while (slot.rsp.flags & NETRXF_more_data);
	return 1;
}

int netfront_receive(struct netfront_queue *q, void *buf, size_t size,
		     struct netfront_meta *meta)
{
	struct incoming in;
	int ret;

	if (q->dead)
		return -XEN_EIO;
	do {
		in = (struct incoming){ .buf = buf, .size = size };
		ret = take_packet(q, &in);
		q->dropped += ret > 0 && in.bad;
	} while (ret > 0 && in.bad);
	if (ret < 0)
		q->dead = true;
	if (ret <= 0)
		return ret;
	*meta = in.meta;
	return (int)in.len;
}

uint64_t netfront_dropped(const struct netfront_queue *q)
{
	return q->dropped;
}

/* ---- Waiting --------------------------------------------------------------- */

/*
 * A backend can send events as fast as it likes: from one to the next, with
 * nothing in the ring, some time passes.
 */
bool netfront_wait_ring(struct ring_front *r, unsigned int *idle, uint32_t port,
			uint64_t ns)
{
	uint64_t until = events_deadline(ns), now;

	while (!ring_front_arm(r, 1)) {
		now = events_now();
		if (now >= until)
			return false;
		if (*idle >= IDLE_MAX)
			events_sleep(IDLE_PAUSE);
		*idle += events_wait(port, until - now);
	}
	*idle = 0;
	return true;
}

static bool wait_for(struct netfront_queue *q, struct ring_front *r,
		     uint32_t port, uint64_t ns)
{
	return q->dead || netfront_wait_ring(r, &q->idle, port, ns);
}

bool netfront_wait_done(struct netfront_queue *q, uint64_t ns)
{
	if (q->lost)
		return true;
	return q->inflight && wait_for(q, &q->tx.ring, q->tx_port, ns);
}

bool netfront_wait_packet(struct netfront_queue *q, uint64_t ns)
{
	return wait_for(q, &q->rx.ring, q->rx_port, ns);
}

/* ---- Rings ----------------------------------------------------------------- */

static int make_rings(struct netfront_queue *q)
{
	int ret;

	if (!grants_page_make(&q->tx_page, q->be_domid, false) ||
	    !grants_page_make(&q->rx_page, q->be_domid, false))
		return -XEN_ENOMEM;
	ret = tx_ring_front_init(&q->tx, &q->tx_page.mem, 1);
	return ret ? ret : rx_ring_front_init(&q->rx, &q->rx_page.mem, 1);
}

/* All pages of the rx ring wait for packets from the beginning. */
static int post_all(struct netfront_queue *q)
{
	netif_rx_request_t req = { 0 };
	int ret = 0;

	for (uint16_t i = 0; !ret && i < NENT; i++) {
		if (!grants_page_make(&q->buf[i], q->be_domid, false))
			return -XEN_ENOMEM;
		req.id = i;
		req.gref = q->buf[i].ref;
		ret = rx_ring_front_put(&q->rx, &req);
	}
	return ret;
}

static int make_ports(struct netfront_queue *q, bool split)
{
	int ret = events_alloc(q->be_domid, &q->tx_port);

	q->rx_port = q->tx_port;
	if (!ret && split)
		ret = events_alloc(q->be_domid, &q->rx_port);
	return ret;
}

int netfront_queue_again(struct netfront_queue *q, const struct netfront *n,
			 struct netfront_ring *ring)
{
	int ret;

	q->takes = n->caps;
	q->wants.hash = n->caps.hash;
	q->copy = n->copy;
	ret = make_rings(q);
	if (!ret)
		ret = post_all(q);
	if (!ret)
		ret = make_ports(q, n->split);
	if (ret)
		return ret;
	netfront_push(q);
	*ring = (struct netfront_ring){ q->tx_page.ref, q->rx_page.ref,
					q->tx_port, q->rx_port };
	return 0;
}

int netfront_queue_new(struct netfront_queue **out, const struct netfront *n,
		       struct netfront_ring *ring)
{
	struct netfront_queue *q = pages_alloc(QUEUE_PAGES);
	int ret;

	if (!q)
		return -XEN_ENOMEM;
	q->be_domid = n->front.be_domid;
	q->wants = (struct netfront_caps){ .sg = n->want.sg,
					   .tso4 = n->want.tso4,
					   .tso6 = n->want.tso6 };
	while (q->nfree < NENT) {
		q->free[q->nfree] = (uint16_t)(NENT - 1 - q->nfree);
		q->nfree++;
	}
	ret = netfront_queue_again(q, n, ring);
	if (ret) {
		netfront_queue_free(q);
		return ret;
	}
	*out = q;
	return 0;
}

/* ---- Another life ---------------------------------------------------------- */

static void lose_packets(struct netfront_queue *q)
{
	struct netfront_packet *p, **end = &q->lost;

	while (*end)
		end = &(*end)->next;
	while ((p = fail_one(q, -XEN_ENOBUFS))) {
		p->next = NULL;
		*end = p;
		end = &p->next;
		q->inflight++; /* until it is taken */
	}
}

void netfront_queue_lost(struct netfront_queue *q)
{
	q->tx_port = q->rx_port = 0;
	q->next = q->extras = q->idle = 0;
	grants_page_lost(&q->tx_page);
	grants_page_lost(&q->rx_page);
	for (unsigned int i = 0; i < NENT; i++) {
		q->shadow[i].ref = GRANTS_NONE;
		grants_page_lost(&q->shadow[i].own);
		grants_page_lost(&q->buf[i]);
	}
	lose_packets(q);
}

void netfront_queue_free(struct netfront_queue *q)
{
	if (!q)
		return;
	q->dead = true;
	while (fail_one(q, -XEN_EIO))
		;
	if (q->rx_port != q->tx_port)
		events_close(q->rx_port);
	if (q->tx_port)
		events_close(q->tx_port);
	for (unsigned int i = 0; i < NENT; i++) {
		grants_page_drop(&q->shadow[i].own);
		grants_page_drop(&q->buf[i]);
	}
	grants_page_drop(&q->tx_page);
	grants_page_drop(&q->rx_page);
	pages_free(q, QUEUE_PAGES);
}
