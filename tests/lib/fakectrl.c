// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/fakectrl.c - a card's control ring, both ends.
#include "tests/lib/fakectrl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fakectrl: %s\n", what);
	abort();
}

static uint32_t make_page(struct fakedom *dom, void **page, uint16_t flags)
{
	uint64_t gfn = fakedom_alloc(dom, 1);

	*page = fakedom_page(dom, gfn);
	return fakedom_grant(dom, gfn, flags);
}

static void serve(struct fakectrl *c, struct gnt_map *gnt, unsigned int nqueues)
{
	require(!net_steer_init(&c->steer, nqueues) &&
			!net_ctrl_init(&c->back, gnt, &c->steer, &c->limit,
				       c->ring_ref, NULL, false),
		"backend");
}

void fakectrl_front(struct fakectrl *c, struct fakedom *dom)
{
	*c = (struct fakectrl){ 0 };
	c->ring_ref = make_page(dom, &c->ring, 0);
	c->page_ref = make_page(dom, &c->page, GTF_readonly);
	require(!net_ctrl_ring_front_init(&c->front, &c->ring, 1), "ring");
}

void fakectrl_init(struct fakectrl *c, struct fakedom *dom, struct gnt_map *gnt,
		   unsigned int nqueues)
{
	fakectrl_front(c, dom);
	serve(c, gnt, nqueues);
}

void fakectrl_fini(struct fakectrl *c)
{
	net_ctrl_fini(&c->back);
	net_steer_fini(&c->steer);
}

void fakectrl_restart(struct fakectrl *c, struct gnt_map *gnt,
		      unsigned int nqueues)
{
	fakectrl_fini(c);
	require(!net_ctrl_ring_front_init(&c->front, &c->ring, 1), "ring");
	serve(c, gnt, nqueues);
}

uint16_t fakectrl_put(struct fakectrl *c, uint16_t type, uint32_t d0,
		      uint32_t d1, uint32_t d2)
{
	struct xen_netif_ctrl_request req = { .id = ++c->id,
					      .type = type,
					      .data = { d0, d1, d2 } };

	require(!net_ctrl_ring_front_put(&c->front, &req), "full");
	(void)!net_ctrl_ring_front_push(&c->front);
	return req.id;
}

uint32_t fakectrl_ask(struct fakectrl *c, uint16_t type, uint32_t d0,
		      uint32_t d1, uint32_t d2, uint32_t *data)
{
	struct xen_netif_ctrl_response rsp = { 0 };
	uint16_t id = fakectrl_put(c, type, d0, d1, d2);

	require(!net_ctrl_poll(&c->back, 2), "one request is served");
	(void)!net_ctrl_push(&c->back);
	require(net_ctrl_ring_front_take(&c->front, &rsp) == 1 &&
			rsp.id == id && rsp.type == type,
		"an answer to the request");
	require(!net_ctrl_ring_front_take(&c->front, &(typeof(rsp)){ 0 }),
		"no other");
	if (data)
		*data = rsp.data;
	return rsp.status;
}

void fakectrl_hash(struct fakectrl *c, const uint8_t *key, uint32_t len,
		   const uint32_t *map, uint32_t n)
{
	uint32_t types, bad;

	bad = fakectrl_ask(c, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM,
			   XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ, 0, 0, NULL);
	bad |= fakectrl_ask(c, XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, 0, 0, 0,
			    &types);
	memcpy(c->page, key, len);
	bad |= fakectrl_ask(c, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, c->page_ref,
			    len, 0, NULL);
	memcpy(c->page, map, n * sizeof(*map));
	bad |= fakectrl_ask(c, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, n, 0,
			    0, NULL);
	bad |= fakectrl_ask(c, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING,
			    c->page_ref, n, 0, NULL);
	bad |= fakectrl_ask(c, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, types, 0, 0,
			    NULL);
	require(!bad, "hash");
}
