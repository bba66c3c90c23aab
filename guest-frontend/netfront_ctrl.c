/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/netfront_ctrl.c - the control ring of a PV card's guest half. */
#include <xen/errno.h>

#include "guest-frontend/events.h"
#include "guest-frontend/grants.h"
#include "guest-frontend/minilibc.h"
#include "guest-frontend/netfront.h"
#include "guest-frontend/pages.h"
#include "ring/ring.h"

#define TYPES_KNOWN                                     \
	((uint32_t)(XEN_NETIF_CTRL_HASH_TYPE_IPV4 |     \
		    XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP | \
		    XEN_NETIF_CTRL_HASH_TYPE_IPV6 |     \
		    XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP))

RING_DEFINE(ctrl_ring, struct xen_netif_ctrl_request,
	    struct xen_netif_ctrl_response);

/**
 * struct netfront_ctrl - One control ring.
 * @data: What keys and tables lie in for the backend, one at a time.
 * @req:  Of the last request; @owed: it is not answered yet.
 * @idle: For netfront_wait_ring().
 */
struct netfront_ctrl {
	struct ctrl_ring_front ring;
	struct grants_page ring_page, data;
	uint32_t port;
	unsigned int idle;
	struct xen_netif_ctrl_request req;
	bool owed, dead;
};
_Static_assert(sizeof(struct netfront_ctrl) <= PAGE_BYTES, "fits into a page");

int netfront_ctrl_new(struct netfront_ctrl **out, const struct netfront *n,
		      struct netfront_ctrl_keys *keys)
{
	struct netfront_ctrl *c = pages_alloc(1);
	unsigned int be = n->front.be_domid;
	int ret = -XEN_ENOMEM;

	if (!c)
		return ret;
	if (grants_page_make(&c->ring_page, be, false) &&
	    grants_page_make(&c->data, be, true))
		ret = ctrl_ring_front_init(&c->ring, &c->ring_page.mem, 1);
	if (!ret)
		ret = events_alloc(be, &c->port);
	if (ret) {
		netfront_ctrl_free(c);
		return ret;
	}
	*keys = (struct netfront_ctrl_keys){ c->ring_page.ref, c->port };
	*out = c;
	return 0;
}

void netfront_ctrl_free(struct netfront_ctrl *c)
{
	if (!c)
		return;
	if (c->port)
		events_close(c->port);
	grants_page_drop(&c->ring_page);
	grants_page_drop(&c->data);
	pages_free(c, 1);
}

void netfront_ctrl_lost(struct netfront_ctrl *c)
{
	if (!c)
		return;
	c->port = 0;
	grants_page_lost(&c->ring_page);
	grants_page_lost(&c->data);
	netfront_ctrl_free(c);
}

/* ---- One request at a time -------------------------------------------------- */

/* UNTRUSTED: @rsp.  It must be what the only request there is asked for. */
static int take_answer(struct netfront_ctrl *c, uint64_t until,
		       struct xen_netif_ctrl_response *rsp)
{
	uint64_t now;
	int ret;

	while (!(ret = ctrl_ring_front_take(&c->ring, rsp))) {
		now = events_now();
		if (now >= until || !netfront_wait_ring(&c->ring.ring, &c->idle,
							c->port, until - now))
			return -XEN_EAGAIN;
	}
	if (ret < 0 || rsp->id != c->req.id || rsp->type != c->req.type) {
		c->dead = true;
		return -XEN_EIO;
	}
	c->owed = false;
	return 0;
}

static int status_of(const struct xen_netif_ctrl_response *rsp)
{
	switch (rsp->status) {
	case XEN_NETIF_CTRL_STATUS_SUCCESS:
		return 0;
	case XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED:
		return -XEN_EOPNOTSUPP;
	case XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER:
		return -XEN_EINVAL;
	case XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW:
		return -XEN_E2BIG;
	default:
		return -XEN_EIO;
	}
}

static int put_request(struct netfront_ctrl *c, uint16_t type, uint32_t d0,
		       uint32_t d1, uint32_t d2)
{
	int ret;

	c->req = (struct xen_netif_ctrl_request){
		.id = (uint16_t)(c->req.id + 1),
		.type = type,
		.data = { d0, d1, d2 },
	};
	ret = ctrl_ring_front_put(&c->ring, &c->req);
	if (ret)
		return -XEN_EIO;
	c->owed = true;
	if (ctrl_ring_front_push(&c->ring))
		events_send(c->port);
	return 0;
}

/*
 * What a former request was given up for comes first: until then its page is the
 * backend's.
 */
static int ready(struct netfront_ctrl *c, uint64_t until)
{
	struct xen_netif_ctrl_response late;

	if (!c)
		return -XEN_EOPNOTSUPP;
	if (c->dead)
		return -XEN_EIO;
	return c->owed ? take_answer(c, until, &late) : 0;
}

/* Make a request and wait for its answer; @out receives its data, or is NULL. */
static int ask(struct netfront_ctrl *c, uint16_t type, uint32_t value,
	       uint32_t *out)
{
	uint64_t until = events_deadline(NETFRONT_CTRL_NS);
	struct xen_netif_ctrl_response rsp;
	int ret = ready(c, until);

	if (!ret)
		ret = put_request(c, type, value, 0, 0);
	if (!ret)
		ret = take_answer(c, until, &rsp);
	if (!ret)
		ret = status_of(&rsp);
	if (!ret && out)
		*out = rsp.data;
	return ret;
}

/* The same for one that takes @len bytes of data, which are @n units. */
static int give(struct netfront_ctrl *c, uint16_t type, const void *data,
		size_t len, uint32_t n, uint32_t at)
{
	uint64_t until = events_deadline(NETFRONT_CTRL_NS);
	struct xen_netif_ctrl_response rsp;
	int ret = ready(c, until);

	if (ret)
		return ret;
	memcpy(c->data.mem, data, len);
	ret = put_request(c, type, c->data.ref, n, at);
	if (!ret)
		ret = take_answer(c, until, &rsp);
	return ret ? ret : status_of(&rsp);
}

/* ---- Hashes ----------------------------------------------------------------- */

int netfront_hash_algorithm(struct netfront *n, uint32_t algorithm)
{
	return ask(n->ctrl, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, algorithm,
		   NULL);
}

int netfront_hash_offered(struct netfront *n, uint32_t *types)
{
	int ret = ask(n->ctrl, XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, 0, types);

	if (!ret)
		*types &= TYPES_KNOWN;
	return ret;
}

int netfront_hash_types(struct netfront *n, uint32_t types)
{
	return ask(n->ctrl, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, types, NULL);
}

int netfront_hash_key(struct netfront *n, const void *key, uint32_t len)
{
	if (len > PAGE_BYTES)
		return -XEN_E2BIG;
	return give(n->ctrl, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, key, len, len,
		    0);
}

int netfront_hash_table_max(struct netfront *n, uint32_t *entries)
{
	return ask(n->ctrl, XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0,
		   entries);
}

int netfront_hash_table_size(struct netfront *n, uint32_t entries)
{
	return ask(n->ctrl, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, entries,
		   NULL);
}

int netfront_hash_table(struct netfront *n, const uint32_t *queue,
			uint32_t entries, uint32_t at)
{
	if (entries > PAGE_BYTES / sizeof(*queue))
		return -XEN_E2BIG;
	return give(n->ctrl, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, queue,
		    entries * sizeof(*queue), entries, at);
}
