// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/netring_fuzz.c - a network card's rings, from slots to packets.
//
// FUZZ: F11 F12; max_len 1024
//
// To the host: whatever slots say, each is answered once, and each packet that
// comes out is, byte by byte, what one chain of slots says.  To the guest: each
// packet arrives whole in pages that were posted, and no other page changes.
// With a racing guest memory and answers are judged, and the packets' number.
// Where a guest may use its own addresses only, no packet has others, raced or not.
//
// By the control ring: any requests leave tables that can be used, and what was
// refused changes nothing; packets with hashes arrive whole and in order.
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dom0-backend/net_guard.h"
#include "dom0-backend/net_rxq.h"
#include "dom0-backend/net_txq.h"
#include "tests/lib/fakectrl.h"
#include "tests/lib/fakenet.h"
#include "tests/lib/fuzz.h"

#define DOMID	7u
#define SLOTS	96u
#define PACKETS SLOTS
#define VNET	sizeof(struct virtio_net_hdr)

static struct fakedom *dom;
static struct fakenet *net;
static struct fakectrl ctrl;
static struct dom *conn;
static struct gnt_map *gnt;
static int host, tap;
static struct txq tx;
static struct rxq rx;
static struct log_limit limit;
static const struct net_caps all_caps = { true, true, true, true, true };
static struct net_caps caps;
static uint8_t frame[NET_RX_LEN_MAX + VNET], got[NET_RX_LEN_MAX + VNET];

/* Who the headers in the pages are from, and nobody else. */
static struct net_guard guard;

static void set_up(void)
{
	int pair[2], size = 4 << 20;

	fakedom_run_dir();
	atexit(fakedom_run_dir_remove);
	dom = fakedom_new(DOMID, FAKENET_RAM);
	net = fakenet_new(dom, true);
	assert(!dom_connect(&conn, DOMID, DOM_ROLE_BACKEND, "vif/0", false));
	assert(!gnt_new(&gnt, conn));
	fakectrl_init(&ctrl, dom, gnt, 1);
	assert(!net_guard_parse("02:00:00:00:00:02", "10.0.0.1", &guard));
	/* A TAP device, as far as reads and writes go: packets. */
	assert(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair));
	tap = pair[0];
	host = pair[1];
	for (int i = 0; i < 2; i++)
		assert(!setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &size,
				   sizeof(size)) ||
		       !setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size,
				   sizeof(size)));
}

/* A racing guest has rewritten its entries. */
static void restore_grants(void)
{
	static grant_entry_v1_t first[2 * FAKENET_PAGES + 16];
	static bool known;

	if (!known)
		memcpy(first, fakedom_entry(dom, 0), sizeof(first));
	known = true;
	memcpy(fakedom_entry(dom, 0), first, sizeof(first));
}

static void begin(bool guarded)
{
	struct txq_conf conf = { .guard = guarded ? &guard : NULL };
	struct net_ring tx_at = { .gref = net->keys.tx_ref };
	struct net_ring rx_at = { .gref = net->keys.rx_ref };

	restore_grants();

	while (recv(host, got, sizeof(got), 0) > 0)
		;
	while (recv(tap, got, sizeof(got), 0) > 0)
		;
	assert(!txq_ring_front_init(&net->tx, &net->tx_ring, 1));
	assert(!rxq_ring_front_init(&net->rx, &net->rx_ring, 1));
	assert(!rxq_init(&rx, gnt, &caps, &limit, tap, &rx_at));
	assert(!txq_init(&tx, gnt, &rx, &conf, tap, &tx_at));
	for (uint32_t i = 0; i < FAKENET_PAGES; i++) {
		memset(net->tx_page[i].mem, 'a' + (int)i % 26, SV_PAGE_SIZE);
		/* Headers that are some, so that offloads can be asked for. */
		memcpy(net->tx_page[i].mem,
		       "\2\0\0\0\0\1\2\0\0\0\0\2\10\0\105\0\5\170\0\0\0\0\100"
		       "\6\0\0\12\0\0\1\12\0\0\2\0\120\0\120\0\0\0\0\0\0\0\0"
		       "\120\20\0\0\0\0\0\0",
		       54);
	}
	memset(&limit, 0, sizeof(limit));
}

static void finish(void)
{
	txq_fini(&tx);
	rxq_fini(&rx);
	for (uint32_t i = 0; i < FAKENET_PAGES; i++) {
		assert(!gnt_pins(gnt, net->tx_page[i].gref));
		assert(!gnt_pins(gnt, net->rx_page[i].gref));
	}
	assert(!gnt_pins(gnt, net->keys.tx_ref));
	assert(!gnt_pins(gnt, net->keys.rx_ref));
	assert(!gnt_pins(gnt, ctrl.page_ref));
}

/* ---- To the host ---------------------------------------------------------- */

static union net_tx_slot slot[SLOTS];
static int16_t status[SLOTS]; /* as answered */
static uint32_t nslots;

/* The page behind a reference that is one of ours. */
static const uint8_t *page_of(uint32_t gref)
{
	uint32_t t = gref - net->tx_page[0].gref;
	uint32_t r = gref - net->rx_page[0].gref;

	return t < FAKENET_PAGES   ? net->tx_page[t].mem
	       : r < FAKENET_PAGES ? net->rx_page[r].mem
				   : NULL;
}

/* Append a piece; false if there is no such piece. */
static bool append(size_t *len, const netif_tx_request_t *r, size_t size)
{
	const uint8_t *page = page_of(r->gref);

	if (!size)
		return true;
	if (!page || r->offset + size > SV_PAGE_SIZE ||
	    *len + size > sizeof(frame))
		return false;
	memcpy(frame + *len, page + r->offset, size);
	*len += size;
	return true;
}

/*
 * Find the chain at @at: where it ends, and its bytes in @frame; @plain if no
 * offload can be a reason to drop it.
 *
 * Return: their number, 0 if it says nothing that could be sent, -1 if it does
 * not end.
 */
static int chain(uint32_t *at, bool *plain)
{
	const netif_tx_request_t *first = &slot[*at].req, *r = first;
	uint32_t data[SLOTS], n = 0, i = *at, pieces = 1;
	size_t len = 0, rest = 0;
	bool ok;

	data[n++] = i++;
	if (first->flags & NETTXF_extra_info) {
		do {
			if (i == nslots)
				return -1;
		} while (slot[i++].extra.flags & XEN_NETIF_EXTRA_FLAG_MORE);
	}
	while (r->flags & NETTXF_more_data) {
		if (i == nslots)
			return -1;
		r = &slot[i].req;
		rest += r->size;
		data[n++] = i++;
	}
	*at = i;
	if (first->size < rest)
		return 0;
	ok = append(&len, first, first->size - rest);
	for (uint32_t k = 1; ok && k < n; k++) {
		pieces += slot[data[k]].req.size != 0;
		ok = append(&len, &slot[data[k]].req, slot[data[k]].req.size);
	}
	*plain = !(first->flags & ~NETTXF_more_data) &&
		 first->offset <= SV_PAGE_SIZE;
	return ok && pieces <= NET_FRAGS_MAX && len >= NET_LEN_MIN ? (int)len
								   : 0;
}

/* What has come out, by length and hash: the socket holds only some. */
static struct {
	int len;
	uint64_t hash;
} out[PACKETS + 1];
static uint32_t nout;

static uint64_t hash_of(const uint8_t *p, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}

/* Why a packet must not come out, for whom it is from. */
static const char *fault_of(const uint8_t *p, size_t n)
{
	return tx.conf.guard
		       ? net_guard_fault(tx.conf.guard, p, MIN(n, NET_HDR_MAX))
		       : NULL;
}

static void collect(void)
{
	ssize_t n;

	while ((n = recv(host, got, sizeof(got), 0)) > 0) {
		assert(n >= (ssize_t)(VNET + NET_LEN_MIN) && nout < PACKETS);
		assert(!fault_of(got + VNET, (size_t)n - VNET));
		out[nout].len = (int)(n - (ssize_t)VNET);
		out[nout].hash = hash_of(got + VNET, (size_t)out[nout].len);
		nout++;
	}
}

/* A chain that was said to be sent is the next packet; no other comes out. */
static void check_packets(bool dead)
{
	uint32_t at = 0, first = 0, i = 0;
	bool plain;
	int want;

	while (at < nslots && (want = chain(&at, &plain)) >= 0) {
		if (status[first] == NETIF_RSP_OKAY)
			assert(i < nout && want == out[i].len &&
			       hash_of(frame, (size_t)want) == out[i++].hash);
		else if (status[first] == NETIF_RSP_DROPPED && tx.conf.guard)
			assert(want && fault_of(frame, (size_t)want));
		else
			assert(!want || !plain);
		first = at;
	}
	assert(i == nout);
	assert(dead == (at < nslots));
}

static uint32_t answers(void)
{
	netif_tx_response_t rsp;
	uint32_t n = 0;
	int ret;

	while ((ret = txq_ring_front_take(&net->tx, &rsp)) > 0) {
		assert(n < nslots && rsp.id == slot[n].req.id);
		status[n++] = rsp.status;
	}
	assert(!ret);
	return n;
}

static void any_slot(struct fuzz_in *in, union net_tx_slot *s)
{
	uint8_t how = fuzz_u8(in), b = fuzz_u8(in);

	*s = (union net_tx_slot){ 0 };
	if (how & 1) { /* any bytes: an extra info, or lies */
		fuzz_bytes(in, s, sizeof(*s));
		return;
	}
	s->req.gref = how & 2 ? (uint32_t)fuzz_num(in, 512)
			      : net->tx_page[b].gref;
	s->req.flags = fuzz_u8(in) & (how & 4 ? 31 : NETTXF_more_data);
	s->req.size = how & 8 ? (uint16_t)fuzz_num(in, 65535)
			      : (uint16_t)(14 + fuzz_u8(in) * 8);
	s->req.offset = how & 16 ? (uint16_t)fuzz_num(in, 4096) : b;
	s->req.id = b;
}

static void one_slot(struct fuzz_in *in, union net_tx_slot *s)
{
	any_slot(in, s);
	/* Not the rings themselves, which change under the packet. */
	if (s->req.gref == net->keys.tx_ref || s->req.gref == net->keys.rx_ref)
		s->req.gref = 0;
}

static void to_host(struct fuzz_in *in, bool raced)
{
	uint32_t n;
	int ret;

	if (raced)
		fuzz_race(in);
	fuzz_guest = true;
	nslots = 0;
	while (in->left && nslots < SLOTS) {
		one_slot(in, &slot[nslots]);
		fakenet_put(net, &slot[nslots++]);
	}
	fakenet_push(net);
	fuzz_guest = false;
	nout = 0;
	do {
		ret = txq_poll(&tx, 8);
		collect();
	} while (ret == 1);
	assert(ret == 0 || ret == -EBADMSG || (raced && ret == -EPROTO));
	(void)!txq_push(&tx);
	fuzz_race_end();
	if (raced)
		return;
	n = answers();
	assert(ret ? n < nslots : n == nslots);
	check_packets(ret != 0);
}

/* ---- To the guest --------------------------------------------------------- */

static bool posted[FAKENET_PAGES];

static void post(struct fuzz_in *in)
{
	uint32_t n = fuzz_u8(in) % 32;
	netif_rx_request_t req = { 0 };

	while (n-- && ring_front_free(&net->rx.ring)) {
		uint8_t i = fuzz_u8(in);

		req.id = i;
		req.gref = net->rx_page[i].gref;
		if (i >= 250) /* not one that can be written */
			req.gref = net->tx_page[i].gref;
		else
			posted[i] = true;
		fuzz_guest = true;
		assert(!rxq_ring_front_put(&net->rx, &req));
		fuzz_guest = false;
	}
	fuzz_guest = true;
	(void)!rxq_ring_front_push(&net->rx);
	fuzz_guest = false;
}

static void from_host(struct fuzz_in *in)
{
	struct virtio_net_hdr v = { 0 };
	uint8_t how = fuzz_u8(in);
	size_t len =
		NET_LEN_MIN + (how & 1 ? fuzz_u8(in) * 257u : fuzz_u8(in) * 8u);

	if (how & 2) { /* a host that lies, or offers what was not asked for */
		fuzz_bytes(in, &v, sizeof(v));
	} else if (how & 4) {
		v.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		v.gso_size = 1448;
		v.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		v.hdr_len = 54;
		v.csum_start = 34;
		v.csum_offset = 16;
	}
	memcpy(frame, &v, VNET);
	for (size_t i = 0; i < len; i++)
		frame[VNET + i] = (uint8_t)(i * 7 + how);
	memcpy(frame + VNET, net->tx_page[0].mem, MIN(len, 54u));
	(void)!send(host, frame, VNET + len, 0);
	rxq_ready(&rx);
}

/* Responses: for requests in order, within their page, more until the end. */
static void take_rx(bool raced)
{
	union net_rx_rsp r;
	int ret;

	fuzz_guest = true;
	while ((ret = rxq_ring_front_take(&net->rx, &r)) > 0) {
		if (!raced && r.rsp.status > 0 &&
		    !(r.rsp.flags & NETRXF_extra_info))
			assert(r.rsp.offset + r.rsp.status <=
				       (int)SV_PAGE_SIZE ||
			       r.extra.type == XEN_NETIF_EXTRA_TYPE_GSO);
	}
	fuzz_guest = false;
	assert(raced || !ret);
}

static void to_guest(struct fuzz_in *in, bool raced)
{
	uint8_t c = fuzz_u8(in);
	int ret = 0;

	/* As netback_xs.c reads them: segments imply the others. */
	caps = (struct net_caps){ .sg = c & 1, .csum4 = c & 2, .csum6 = c & 4 };
	caps.tso4 = caps.sg && caps.csum4 && c & 8;
	caps.tso6 = caps.sg && caps.csum6 && c & 16;
	memset(posted, 0, sizeof(posted));
	for (uint32_t i = 0; i < FAKENET_PAGES; i++)
		memset(net->rx_page[i].mem, 0x3c, SV_PAGE_SIZE);
	if (raced)
		fuzz_race(in);
	while (in->left && ret >= 0) {
		if (fuzz_u8(in) & 1)
			post(in);
		else
			from_host(in);
		ret = rxq_poll(&rx, 16);
		(void)!rxq_push(&rx);
		take_rx(raced);
	}
	fuzz_race_end();
	assert(ret >= 0 || (raced && ret == -EPROTO));
	for (uint32_t i = 0; i < FAKENET_PAGES; i++) {
		const uint8_t *p = net->rx_page[i].mem;

		for (size_t b = 0; !posted[i] && b < SV_PAGE_SIZE; b++)
			assert(p[b] == 0x3c);
	}
}

/* All pages are the frontend's, in the order of their numbers. */
static void renew_pages(void)
{
	net->first = net->nposted = net->nspare = 0;
	for (uint16_t i = 0; i < FAKENET_PAGES; i++)
		net->spare[net->nspare++] = i;
}

/* Whole packets, with room for them: the guest gets what the host has sent. */
static void exact(struct fuzz_in *in)
{
	struct virtio_net_hdr v = { 0 }, w;
	size_t len = NET_LEN_MIN + fuzz_u16(in) % (NET_LEN_MAX - NET_LEN_MIN);

	renew_pages();
	if (fuzz_u8(in) & 1) {
		v.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		v.gso_size = 1448;
		v.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	}
	memcpy(frame, &v, VNET);
	for (size_t i = 0; i < len; i++)
		frame[VNET + i] = fuzz_u8(in) ^ (uint8_t)i;
	assert(send(host, frame, VNET + len, 0) == (ssize_t)(VNET + len));
	fakenet_post(net, fuzz_u8(in));
	rxq_ready(&rx);
	for (int i = 0; i < 3; i++) {
		assert(rxq_poll(&rx, 4) >= 0);
		(void)!rxq_push(&rx);
		if (i < 2)
			fakenet_post(net, FAKENET_PAGES);
	}
	assert(fakenet_recv(net, &w, got) == (int)len);
	assert(!memcmp(got, frame + VNET, len));
	assert(w.gso_type == v.gso_type && w.gso_size == v.gso_size);
}

/* ---- The control ring ------------------------------------------------------- */

#define NQUEUES 5u

/* What can be used: never an entry or a length beyond what there is. */
static void check_hash(void)
{
	const struct net_hash *h = &ctrl.back.hash;

	assert(h->nqueues == NQUEUES && h->algorithm <= 1 && h->types < 16);
	assert(h->nmap <= NET_HASH_MAP_MAX);
	for (uint32_t i = 0; i < NET_HASH_MAP_MAX; i++)
		assert(h->map[i] < (i < h->nmap ? NQUEUES : 1));
}

/* What a request that was granted does. */
static void model(struct net_hash *h, uint16_t type, const uint32_t *data)
{
	switch (type) {
	case XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS:
		h->types = data[0];
		break;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_KEY:
		memset(h->key, 0, sizeof(h->key));
		memcpy(h->key, ctrl.page, data[1]);
		break;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE:
		memset(h->map, 0, sizeof(h->map));
		h->nmap = data[0];
		break;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING:
		for (uint32_t i = 0; i < data[1]; i++)
			h->map[data[2] + i] = ((uint32_t *)ctrl.page)[i];
		break;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM:
		h->algorithm = data[0];
		break;
	default:
		break;
	}
}

/* One request, alone: what it has changed is what it says, or nothing. */
static void one_request(struct fuzz_in *in)
{
	struct net_hash want = ctrl.back.hash;
	uint16_t type = fuzz_u8(in) % 12;
	bool paged = type == XEN_NETIF_CTRL_TYPE_SET_HASH_KEY ||
		     type == XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING;
	uint32_t data[3], result;

	data[0] = (uint32_t)fuzz_num(in, 128);
	data[1] = (uint32_t)fuzz_num(in, 128);
	data[2] = (uint32_t)fuzz_num(in, want.nmap);
	if (paged) /* or a reference far from any */
		data[0] = data[0] % 5 ? ctrl.page_ref : data[0] + 100000;
	for (unsigned int i = 0; i < NET_HASH_MAP_MAX; i++)
		((uint32_t *)ctrl.page)[i] = (data[0] + i) % NQUEUES;
	((uint32_t *)ctrl.page)[0] = fuzz_u8(in) % (NQUEUES + 1);
	result = fakectrl_ask(&ctrl, type, data[0], data[1], data[2], NULL);
	assert(result <= XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW);
	if (!result)
		model(&want, type, data);
	assert(!memcmp(&want, &ctrl.back.hash, sizeof(want)));
	check_hash();
}

/* Requests that change while they are taken, of a page that does. */
static void raced_requests(struct fuzz_in *in)
{
	uint32_t n = 0;
	int ret;

	fuzz_race(in);
	fuzz_guest = true;
	while (in->left && n++ < 100) {
		uint16_t type = fuzz_u8(in) % 12;
		uint32_t len = fuzz_u8(in) % 140, at = fuzz_u8(in) % 140;

		fakectrl_put(&ctrl, type, ctrl.page_ref, len, at);
	}
	fuzz_guest = false;
	do {
		ret = net_ctrl_poll(&ctrl.back, 8);
	} while (ret == 1);
	(void)!net_ctrl_push(&ctrl.back);
	fuzz_race_end();
	assert(!ret || ret == -EPROTO);
	check_hash();
}

/* Any bytes as a packet: a hash looks at nothing behind them. */
static void hash_any(struct fuzz_in *in)
{
	struct net_hash *h = &ctrl.back.hash;
	uint8_t *p = fuzz_tight(in->at, in->left);
	struct net_mark mark;

	h->algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ;
	mark = net_hash_mark(h, p, in->left);
	assert(!mark.known || h->types & 1u << mark.type);
	assert(net_hash_queue(h, &mark) < NQUEUES);
	free(p);
}

static void control(struct fuzz_in *in, bool raced)
{
	fakectrl_restart(&ctrl, gnt, NQUEUES);
	if (raced) {
		raced_requests(in);
		return;
	}
	for (unsigned int i = 1 + fuzz_u8(in) % 16; i && in->left; i--)
		one_request(in);
	hash_any(in);
}

/* ---- Packets by their hash --------------------------------------------------- */

#define NSORTED 24u

/* Packet number @i, as long as it likes. */
static size_t sorted_packet(uint32_t i, uint8_t how)
{
	size_t len = 60 + how * (i % 3 ? 3u : 70u);

	memset(frame, 0, VNET);
	memcpy(frame + VNET, net->tx_page[0].mem, 54);
	frame[VNET + 30] = (uint8_t)i;
	for (size_t b = 54; b < len; b++)
		frame[VNET + b] = (uint8_t)(b + i);
	return len;
}

static void expect_sorted(uint32_t i, uint8_t how)
{
	size_t len = sorted_packet(i, how);
	struct net_mark mark =
		net_hash_mark(&ctrl.back.hash, frame + VNET, len);

	assert(!memcmp(got, frame + VNET, len));
	assert(net->mark.known && mark.known && net->mark.type == mark.type &&
	       net->mark.value == mark.value);
}

/*
 * One queue that is its own and only target: with few pages its packets go by its
 * socket, and none overtakes another or is lost.
 */
static void sorted(struct fuzz_in *in)
{
	static const uint32_t table;
	uint32_t sent = 0, came = 0;
	struct virtio_net_hdr w;
	uint8_t how[NSORTED];
	size_t len;
	int n;

	renew_pages();
	fakectrl_restart(&ctrl, gnt, 1);
	fakectrl_hash(&ctrl, (const uint8_t *)"some key of the guest", 21,
		      &table, 1);
	rxq_steer(&rx, &ctrl.steer, 0);
	for (uint32_t turn = 0; in->left || came < sent; turn++) {
		uint8_t what = fuzz_u8(in);

		assert(turn < 4096);
		if (what & 1 && sent < NSORTED && sent - came < 8) {
			how[sent] = fuzz_u8(in);
			len = sorted_packet(sent, how[sent]);
			assert(send(host, frame, VNET + len, 0) > 0);
			sent++;
			rxq_ready(&rx);
		}
		fakenet_post(net, in->left ? what >> 1 & 7 : 40);
		assert(rxq_poll(&rx, 1 + (what >> 4 & 3)) >= 0);
		(void)!rxq_push(&rx);
		while ((n = fakenet_recv(net, &w, got)) > 0) {
			assert(came < sent &&
			       (size_t)n == sorted_packet(came, how[came]));
			expect_sorted(came, how[came]);
			came++;
		}
	}
	rxq_fini(&rx); /* before what it borrows is made anew */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	uint8_t part = fuzz_u8(&in);

	log_init("fuzz", LOG_LVL_ERR);
	if (!dom)
		set_up();
	caps = all_caps;
	begin(part & 8);
	switch (part % 8) {
	case 0:
	case 1:
		to_host(&in, part % 8);
		break;
	case 2:
	case 3:
		to_guest(&in, part % 8 == 3);
		break;
	case 5:
	case 6:
		control(&in, part % 8 == 6);
		break;
	case 7:
		sorted(&in);
		break;
	default:
		exact(&in);
		break;
	}
	finish();
	return 0;
}
