// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/net_ctrl.c - the control ring of a PV network card.
#include "dom0-backend/net_ctrl.h"

#include <string.h>

#include "ring/shm.h"

#define SUCCESS XEN_NETIF_CTRL_STATUS_SUCCESS

void net_ctrl_fini(struct net_ctrl *c)
{
	if (c->page)
		gnt_put(c->gnt, c->gref, GNT_WRITE);
	c->page = NULL;
}

/* Copy the first @len bytes of a page of the guest, at most the whole page. */
static uint32_t copy_in(struct net_ctrl *c, uint32_t gref, void *to, size_t len)
{
	void SHM *page;
	int ret;

	if (!len)
		return SUCCESS; /* there need be no page */
	ret = gnt_get(c->gnt, gref, GNT_READ, &page);
	if (ret) {
		log_limited(c->limit, LOG_LVL_WARN,
			    "control ring: grant %u cannot be read: %s; "
			    "refused",
			    gref, strerror(-ret));
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	}
	shm_fetch(to, page, len);
	gnt_put(c->gnt, gref, GNT_READ);
	return SUCCESS;
}

/* ---- requests: UNTRUSTED @data; each returns a status ---------------------- */

static uint32_t get_flags(struct net_ctrl *c, const uint32_t *data,
			  uint32_t *out)
{
	(void)data;
	return net_hash_get_types(&c->hash, out);
}

static uint32_t set_flags(struct net_ctrl *c, const uint32_t *data,
			  uint32_t *out)
{
	(void)out;
	return net_hash_set_types(&c->hash, data[0]);
}

static uint32_t set_key(struct net_ctrl *c, const uint32_t *data, uint32_t *out)
{
	uint8_t key[NET_HASH_KEY_MAX];
	uint32_t status = net_hash_key_fault(data[1]);

	(void)out;
	if (status == SUCCESS)
		status = copy_in(c, data[0], key, data[1]);
	if (status == SUCCESS)
		net_hash_set_key(&c->hash, key, data[1]);
	return status;
}

static uint32_t get_map_size(struct net_ctrl *c, const uint32_t *data,
			     uint32_t *out)
{
	(void)c;
	(void)data;
	*out = NET_HASH_MAP_MAX;
	return SUCCESS;
}

static uint32_t set_map_size(struct net_ctrl *c, const uint32_t *data,
			     uint32_t *out)
{
	(void)out;
	return net_hash_set_map_size(&c->hash, data[0]);
}

static uint32_t set_map(struct net_ctrl *c, const uint32_t *data, uint32_t *out)
{
	uint32_t map[NET_HASH_MAP_MAX];
	uint32_t status = net_hash_map_fault(&c->hash, data[1], data[2]);

	_Static_assert(sizeof(map) <= SV_PAGE_SIZE, "in the page granted");
	(void)out;
	if (status == SUCCESS)
		status = copy_in(c, data[0], map, data[1] * sizeof(*map));
	if (status == SUCCESS)
		status = net_hash_set_map(&c->hash, map, data[1], data[2]);
	return status;
}

static uint32_t set_algorithm(struct net_ctrl *c, const uint32_t *data,
			      uint32_t *out)
{
	(void)out;
	return net_hash_set_algorithm(&c->hash, data[0]);
}

static const struct {
	const char *name;
	uint32_t (*fn)(struct net_ctrl *c, const uint32_t *data, uint32_t *out);
} types[] = {
	[XEN_NETIF_CTRL_TYPE_INVALID] = { "invalid", NULL },
	[XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS] = { "get flags", get_flags },
	[XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS] = { "set flags", set_flags },
	[XEN_NETIF_CTRL_TYPE_SET_HASH_KEY] = { "set key", set_key },
	[XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE] = { "get table size",
							get_map_size },
	[XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE] = { "set table size",
							set_map_size },
	[XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING] = { "set table", set_map },
	[XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM] = { "set algorithm",
						     set_algorithm },
	/* A grant is a look-up here: none need be kept mapped. */
	[XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE] = { "get grants", NULL },
	[XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING] = { "add grants", NULL },
	[XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING] = { "delete grants", NULL },
};
_Static_assert(ARRAY_SIZE(types) == XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING + 1,
	       "a row for each type");

static const char *name_of(uint16_t type)
{
	return type < ARRAY_SIZE(types) ? types[type].name : "unknown";
}

static void carry_out(struct net_ctrl *c,
		      const struct xen_netif_ctrl_request *req)
{
	struct xen_netif_ctrl_response rsp = {
		.id = req->id,
		.type = req->type,
		.status = XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED,
	};
	uint32_t data = 0;

	if (req->type < ARRAY_SIZE(types) && types[req->type].fn)
		rsp.status = types[req->type].fn(c, req->data, &data);
	rsp.data = data;
	if (rsp.status == SUCCESS) {
		c->log->hash = c->hash;
		net_steer_set(c->steer, &c->hash);
	} else {
		log_limited(c->limit, LOG_LVL_WARN,
			    "control ring: request %u (%s; %u, %u, %u): "
			    "refused with status %u",
			    req->type, name_of(req->type), req->data[0],
			    req->data[1], req->data[2], rsp.status);
	}
	net_ctrl_ring_back_put(&c->ring, &rsp);
	/* Ordering: the hash and the response before this. */
	atomic_fetch_add_explicit(&c->log->answered, 1, memory_order_release);
}

static int attach(struct net_ctrl *c, bool resume)
{
	struct net_journal_ctrl *log = c->log;
	struct ring_pos at = { .req_cons = 0 };
	int ret;

	if (!resume) {
		atomic_store(&log->answered, 0);
		atomic_store(&log->taken, 0);
		log->hash = c->hash;
		return net_ctrl_ring_back_attach(&c->ring, &c->page, 1, NULL);
	}
	ret = net_journal_recover_ctrl(log, c->hash.nqueues, &at);
	if (!ret)
		ret = net_ctrl_ring_back_attach(&c->ring, &c->page, 1, &at);
	if (ret)
		return ret;
	c->hash = log->hash;
	net_steer_set(c->steer, &c->hash);
	if (at.req_cons != at.rsp_prod)
		carry_out(c, &log->req);
	return 0;
}

int net_ctrl_init(struct net_ctrl *c, struct gnt_map *gnt,
		  struct net_steer *steer, struct log_limit *limit,
		  uint32_t gref, struct net_journal_ctrl *log, bool resume)
{
	int ret;

	*c = (struct net_ctrl){
		.gnt = gnt,
		.steer = steer,
		.limit = limit,
		.gref = gref,
		.log = log ? log : &c->own,
		.hash.nqueues = steer->nqueues,
	};
	ret = gnt_get(gnt, gref, GNT_WRITE, &c->page);
	return ret ? ret : attach(c, resume);
}

void net_ctrl_release(struct gnt_map *gnt, const struct net_journal_ctrl *log)
{
	const struct xen_netif_ctrl_request *req = &log->req;
	void SHM *page;

	if (atomic_load(&log->taken) != atomic_load(&log->answered) &&
	    (req->type == XEN_NETIF_CTRL_TYPE_SET_HASH_KEY ||
	     req->type == XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING) &&
	    !gnt_get(gnt, req->data[0], GNT_READ, &page))
		gnt_put(gnt, req->data[0], GNT_READ);
	if (!gnt_get(gnt, log->gref, GNT_WRITE, &page))
		gnt_put(gnt, log->gref, GNT_WRITE);
}

int net_ctrl_poll(struct net_ctrl *c, unsigned int budget)
{
	struct net_journal_ctrl *log = c->log;
	int ret;

	while (budget--) {
		ret = net_ctrl_ring_back_take(&c->ring, &log->req);
		if (ret <= 0)
			return ret;
		log->redone = 0;
		/* Ordering: the copy before this. */
		atomic_fetch_add_explicit(&log->taken, 1, memory_order_release);
		carry_out(c, &log->req);
	}
	return 1;
}

bool net_ctrl_push(struct net_ctrl *c)
{
	return net_ctrl_ring_back_push(&c->ring);
}

bool net_ctrl_arm(struct net_ctrl *c)
{
	return net_ctrl_ring_back_arm(&c->ring, 1);
}
