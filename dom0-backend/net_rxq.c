// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/net_rxq.c - packets from a TAP queue to the guest's rx ring.
#include "dom0-backend/net_rxq.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/probe.h"
#include "ring/shm.h"

static void SHM **page_at(struct rxq *q, uint32_t i)
{
	return &q->at[(q->first + i) % RXQ_NENT];
}

static const struct net_journal_slot *slot_at(struct rxq *q, uint32_t i)
{
	return net_journal_slot(q->log, q->first + i);
}

/* Pin the page of the next request, which the journal has. */
static void add_page(struct rxq *q)
{
	uint32_t gref = slot_at(q, q->n)->gref;
	void SHM **page = page_at(q, q->n++);
	int ret;

	*page = NULL;
	ret = gnt_get(q->gnt, gref, GNT_WRITE, page);
	if (ret)
		log_limited(q->limit, LOG_LVL_WARN,
			    "rx request: grant %u cannot be written: %s; "
			    "answered with an error",
			    gref, strerror(-ret));
}

/*
 * Begin where the journal says, or the ring itself: the pages that a saved guest has
 * posted and nobody filled are still told there.
 */
static int attach(struct rxq *q, bool resume)
{
	struct ring_pos at = { .req_cons = 0 };
	int ret;

	if (resume)
		ret = net_journal_recover(q->log, &at);
	else
		ret = rxq_ring_back_found(&q->page, 1, &at);
	if (!ret)
		ret = rxq_ring_back_attach(&q->ring, &q->page, 1, &at);
	if (ret)
		return ret;
	if (!resume)
		net_journal_begin(q->log, at.rsp_prod);
	q->first = at.rsp_prod;
	while (q->first + q->n != at.req_cons)
		add_page(q);
	return 0;
}

int rxq_init(struct rxq *q, struct gnt_map *gnt, const struct net_caps *caps,
	     struct log_limit *limit, int tap, const struct net_ring *ring)
{
	int ret;

	q->gnt = gnt;
	q->caps = caps;
	q->tap = tap;
	q->gref = ring->gref;
	q->log = ring->log ? ring->log : &q->own;
	q->first = q->n = q->stalled = 0;
	q->held = 0;
	q->own_stat = (struct netstat){ 0 };
	q->stat = ring->stat ? ring->stat : &q->own_stat;
	q->domid = ring->domid;
	q->devid = ring->devid;
	q->limit = limit;
	q->ready = true;
	q->page = NULL;
	q->steer = NULL;
	q->hash = (struct net_hash){ 0 };
	q->mark = (struct net_mark){ 0 };
	q->passed = false;
	ret = gnt_get(gnt, ring->gref, GNT_WRITE, &q->page);
	return ret ? ret : attach(q, ring->resume);
}

void rxq_steer(struct rxq *q, struct net_steer *steer, unsigned int index)
{
	q->steer = steer;
	q->index = index;
	q->version = 0;
}

/* The first slot has been answered; net_journal_answer() follows. */
static void pop(struct rxq *q)
{
	if (*page_at(q, 0))
		gnt_put(q->gnt, slot_at(q, 0)->gref, GNT_WRITE);
	q->first++;
	q->n--;
}

void rxq_fini(struct rxq *q)
{
	while (q->n)
		pop(q);
	if (q->page)
		gnt_put(q->gnt, q->gref, GNT_WRITE);
	q->page = NULL;
}

void rxq_release(struct gnt_map *gnt, struct net_journal_ring *log)
{
	struct ring_pos at;
	void SHM *page;

	if (net_journal_recover(log, &at))
		return;
	for (uint32_t i = at.rsp_prod; i != at.req_cons; i++) {
		uint32_t gref = net_journal_slot(log, i)->gref;

		if (!gnt_get(gnt, gref, GNT_WRITE, &page))
			gnt_put(gnt, gref, GNT_WRITE);
	}
}

void rxq_ready(struct rxq *q)
{
	q->ready = true;
}

void rxq_passed(struct rxq *q)
{
	q->passed = true;
}

void rxq_look(struct rxq *q)
{
	q->ready = true;
	q->passed = q->steer;
}

/* Take all requests that are there: as many as the ring has slots, at most. */
static int fill(struct rxq *q)
{
	netif_rx_request_t req;
	int ret;

	while ((ret = rxq_ring_back_take(&q->ring, &req)) > 0) {
		*net_journal_slot(q->log, q->first + q->n) =
			(struct net_journal_slot){ .gref = req.gref,
						   .id = req.id };
		add_page(q);
	}
	net_journal_take(q->log, q->first + q->n);
	return ret;
}

/* Answer the first slots with an error, without a packet. */
static void refuse(struct rxq *q, uint32_t n)
{
	union net_rx_rsp r = { 0 };

	while (n--) {
		r.rsp.id = slot_at(q, 0)->id;
		r.rsp.status = NETIF_RSP_ERROR;
		rxq_ring_back_put(&q->ring, &r);
		pop(q);
	}
	net_journal_answer(q->log, q->first);
}

static void answer(struct rxq *q, size_t len)
{
	uint32_t n = net_rx_slots(len, net_rx_extras(&q->vnet, &q->mark));
	union net_rx_rsp r;

	for (uint32_t i = 0; i < n; i++) {
		r = net_rx_rsp(&q->vnet, &q->mark, len, i, slot_at(q, 0)->id);
		rxq_ring_back_put(&q->ring, &r);
		pop(q);
	}
	net_journal_answer(q->log, q->first);
	probe(net_rx, q->domid, q->devid, len, n);
	netstat_add(q->stat, NETSTAT_RX_PACKETS, 1);
	netstat_add(q->stat, NETSTAT_RX_BYTES, len);
	netstat_add(q->stat, NETSTAT_RX_GSO,
		    q->vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE);
	netstat_add(q->stat, NETSTAT_RX_CSUM,
		    q->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
}

static void drop(struct rxq *q, enum netstat_count reason, const char *why)
{
	netstat_add(q->stat, reason, 1);
	log_limited(q->limit, LOG_LVL_WARN,
		    "a packet for the guest is dropped: %s", why);
}

/* Usable pages in a row, from the first slot on, at most @max. */
static uint32_t usable(struct rxq *q, uint32_t max)
{
	uint32_t n = 0;

	while (n < max && n < q->n && *page_at(q, n))
		n++;
	return n;
}

/*
 * Copy the packet in @buf into the guest's pages.
 *
 * Return: false if it has to wait for q->stalled more of them.
 */
static bool deliver(struct rxq *q)
{
	uint32_t extras = net_rx_extras(&q->vnet, &q->mark);
	uint32_t need = net_rx_slots(q->held, extras);
	uint32_t have = usable(q, need), page;

	if (have < need && have == q->n) {
		q->stalled = need - have;
		return false;
	}
	q->stalled = 0;
	if (have < need) {
		refuse(q, have); /* the bad one's turn is next */
		drop(q, NETSTAT_RX_DROP_BAD, "the guest's rx request is bad");
		q->held = 0;
		return true;
	}
	page = 0;
	for (size_t at = 0; at < q->held; at += SV_PAGE_SIZE, page++) {
		if (page == 1)
			page += extras;
		shm_post(*page_at(q, page), q->buf + at,
			 MIN(q->held - at, SV_PAGE_SIZE));
	}
	answer(q, q->held);
	q->held = 0;
	return true;
}

/*
 * Read a packet; returns its bytes behind the header in @v, 0 if there is none
 * or it is to be dropped: q->ready tells.
 *
 * SYSCALLS: readv
 */
static size_t read_packet(struct rxq *q, struct virtio_net_hdr *v,
			  struct iovec *iov, int niov)
{
	const char *fault;
	ssize_t got;
	size_t len;

	iov[0].iov_base = v;
	iov[0].iov_len = sizeof(*v);
	got = readv(q->tap, iov, niov);
	if (got < (ssize_t)sizeof(*v)) {
		/* EAGAIN; or the interface is gone: nothing more comes. */
		q->ready = got < 0 && errno == EINTR;
		return 0;
	}
	len = (size_t)got - sizeof(*v);
	fault = net_rx_fault(q->caps, v, len);
	if (fault) {
		drop(q, NETSTAT_RX_DROP_UNFIT, fault);
		return 0;
	}
	return len;
}

/* The packet in @buf is for us; it goes on as far as there are pages. */
static void hold(struct rxq *q, size_t len)
{
	if (net_rx_wants_csum(q->caps, &q->vnet, q->buf) &&
	    net_csum_fill(q->buf, len, &q->vnet) < 0) {
		drop(q, NETSTAT_RX_DROP_UNFIT, "its checksum lies outside");
		return;
	}
	q->held = len;
	deliver(q);
}

/* ---- by the hash ------------------------------------------------------------ */

/*
 * Whether packets go by their hash now.  Whoever has read a packet asks again: it
 * may have come after the guest was told that they do.
 */
static bool sorting(struct rxq *q)
{
	if (q->steer)
		net_steer_get(q->steer, &q->version, &q->hash);
	return net_hash_active(&q->hash);
}

/*
 * Send a packet the way that its hash says, if any. Our own, too, waits outside
 * while another is held: what comes behind it may be for a queue that has room.
 */
static void sort(struct rxq *q, const struct virtio_net_hdr *v,
		 const uint8_t *p, size_t len)
{
	struct net_mark mark = { 0 };
	unsigned int to = q->index;

	if (sorting(q)) {
		mark = net_hash_mark(&q->hash, p, len);
		to = net_hash_queue(&q->hash, &mark);
	}
	if (to == q->index && !q->held) {
		q->vnet = *v;
		q->mark = mark;
		memcpy(q->buf, p, len);
		hold(q, len);
		return;
	}
	if (net_steer_pass(q->steer, to, v, &mark, p, len))
		drop(q, NETSTAT_RX_DROP_ROOM, "its queue has no room for it");
	if (to == q->index) /* what comes next must not overtake it */
		q->passed = true;
}

static void read_sorted(struct rxq *q)
{
	struct iovec iov[2] = { [1] = { q->unsorted, sizeof(q->unsorted) } };
	struct virtio_net_hdr v;
	size_t len = read_packet(q, &v, iov, 2);

	if (len)
		sort(q, &v, q->unsorted, len);
}

static void take_passed(struct rxq *q)
{
	size_t len = net_steer_take(q->steer, q->index, &q->vnet, &q->mark,
				    q->buf, sizeof(q->buf));

	q->passed = len;
	if (len)
		hold(q, len);
}

/* ---- straight --------------------------------------------------------------- */

/* Read a packet into @buf. */
static void read_held(struct rxq *q)
{
	struct iovec iov[2] = { [1] = { q->buf, sizeof(q->buf) } };
	size_t len = read_packet(q, &q->vnet, iov, 2);

	if (!len)
		return;
	if (!sorting(q)) {
		hold(q, len);
		return;
	}
	memcpy(q->unsorted, q->buf, len);
	sort(q, &q->vnet, q->unsorted, len);
}

/* Pages that the largest packet takes, and the place left for an extra info. */
static uint32_t pages_wanted(const struct rxq *q)
{
	return q->caps->sg ? NET_RX_SLOTS_MAX : 1;
}

static bool may_be_gso(const struct rxq *q)
{
	return q->caps->tso4 || q->caps->tso6;
}

/* No extra info after all: the pages behind the first move up by one. */
static void close_gap(struct rxq *q, size_t len)
{
	uint8_t page[SV_PAGE_SIZE];

	for (uint32_t i = 1; i < net_rx_slots(len, false); i++) {
		shm_fetch(page, *page_at(q, i + 1), sizeof(page));
		shm_post(*page_at(q, i), page, sizeof(page));
	}
}

/* Copy a packet that lies in the guest's pages, whose second @gap skips. */
static void gather(struct rxq *q, uint8_t *to, size_t len, bool gap)
{
	size_t at = 0;

	for (uint32_t i = 0; at < len; i++, at += SV_PAGE_SIZE)
		shm_fetch(to + at, *page_at(q, i + (gap && i)),
			  MIN(len - at, SV_PAGE_SIZE));
}

/*
 * Fill in the checksum of a packet that lies in the guest's pages. What the
 * guest may have written there meanwhile spoils its own packet only.
 */
static int fill_csum(struct rxq *q, size_t len)
{
	int at;

	gather(q, q->buf, len, false);
	at = net_csum_fill(q->buf, len, &q->vnet);
	for (int i = at; at >= 0 && i < at + 2; i++) {
		void SHM *page =
			*page_at(q, (uint32_t)i / (uint32_t)SV_PAGE_SIZE);

		shm_post((uint8_t SHM *)page + i % (int)SV_PAGE_SIZE,
			 q->buf + i, 1);
	}
	return at < 0 ? at : 0;
}

/* Read a packet straight into the guest's pages; there are enough of them. */
static void read_direct(struct rxq *q)
{
	struct iovec iov[NET_RX_SLOTS_MAX + 2];
	uint8_t eth[NET_LEN_MIN];
	bool gap = may_be_gso(q);
	int n = 1;
	size_t len;

	for (uint32_t i = 0; i < pages_wanted(q); i++) {
		if (i != 1 || !gap)
			iov[n++] = (struct iovec){ shm_bulk(*page_at(q, i)),
						   SV_PAGE_SIZE };
	}
	/* What lands here shows that the packet was too long. */
	iov[n++] = (struct iovec){ q->buf, sizeof(q->buf) };
	len = read_packet(q, &q->vnet, iov, n);
	if (!len)
		return;
	if (gap && q->vnet.gso_type == VIRTIO_NET_HDR_GSO_NONE) {
		close_gap(q, len);
		gap = false;
	}
	if (sorting(q)) {
		gather(q, q->unsorted, len, gap);
		sort(q, &q->vnet, q->unsorted, len);
		return;
	}
	shm_fetch(eth, *page_at(q, 0), sizeof(eth));
	if (net_rx_wants_csum(q->caps, &q->vnet, eth) && fill_csum(q, len)) {
		drop(q, NETSTAT_RX_DROP_UNFIT, "its checksum lies outside");
		return;
	}
	answer(q, len);
}

/* Pass on one packet from the TAP queue; false if there are no pages for it. */
static bool step_straight(struct rxq *q)
{
	q->mark = (struct net_mark){ 0 };
	if (!q->n) {
		q->stalled = 1;
		return false;
	}
	if (usable(q, pages_wanted(q)) == pages_wanted(q))
		read_direct(q);
	else
		read_held(q);
	return true;
}

/* Pass on one packet; false if nothing can be done now. */
static bool step(struct rxq *q)
{
	if (q->n && !*page_at(q, 0)) {
		refuse(q, 1);
		return true;
	}
	if (q->held && deliver(q))
		return true;
	if (!q->held && q->passed) {
		take_passed(q);
		return true;
	}
	if (!q->ready)
		return false;
	if (sorting(q)) {
		read_sorted(q);
		return true;
	}
	return !q->held && step_straight(q);
}

int rxq_poll(struct rxq *q, unsigned int budget)
{
	int ret = fill(q);

	if (ret)
		return ret;
	q->stalled = 0;
	while (budget) {
		if (!step(q))
			return 0;
		budget--;
	}
	return 1;
}

bool rxq_push(struct rxq *q)
{
	bool tell = rxq_ring_back_push(&q->ring);

	netstat_add(q->stat, NETSTAT_RX_NOTIFIED, tell);
	return tell;
}

bool rxq_arm(struct rxq *q)
{
	if (!q->stalled)
		return false;
	netstat_add(q->stat, NETSTAT_RX_ASKED, 1);
	return rxq_ring_back_arm(&q->ring, q->stalled);
}

bool rxq_inject(struct rxq *q, const uint8_t *frame, size_t len)
{
	static const struct virtio_net_hdr plain;

	if (q->held || fill(q) || !usable(q, 1))
		return false;
	if (sorting(q)) {
		sort(q, &plain, frame, len);
		return true;
	}
	q->vnet = plain;
	q->mark = (struct net_mark){ 0 };
	memcpy(q->buf, frame, len);
	q->held = len;
	return deliver(q);
}
