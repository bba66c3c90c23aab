// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/record.c - changes, as the journal has them.
#include "xenstore-lite/record.h"

#include <stdlib.h>
#include <string.h>

#include "xenstore-lite/ledger.h"
#include "xenstore-lite/node.h"
#include "xenstore-lite/perm.h"

/* ---- Writing ----------------------------------------------------------- */

static void put_u8(uint8_t v)
{
	ledger_put(&v, sizeof(v));
}

static void put_u32(uint32_t v)
{
	ledger_put(&v, sizeof(v));
}

static void put_u64(uint64_t v)
{
	ledger_put(&v, sizeof(v));
}

static void put_bytes(const void *p, size_t len)
{
	put_u32((uint32_t)len);
	ledger_put(p, len);
}

static void put_str(const char *s)
{
	put_bytes(s, strlen(s) + 1);
}

static void put_perms(const struct perms *p)
{
	put_u32(p->n);
	for (uint32_t i = 0; i < p->n; i++) {
		put_u32(p->e[i].domid);
		put_u32(p->e[i].life);
		put_u8(p->e[i].rights);
	}
}

/* One that says no more than which domain. */
static void put_domid(enum record_type type, unsigned int domid)
{
	ledger_begin((uint8_t)type);
	put_u32(domid);
	ledger_end();
}

void record_node(const char *path, const struct perms *perms,
		 const struct value *v)
{
	ledger_begin(RECORD_NODE);
	put_str(path);
	put_perms(perms);
	put_bytes(v ? v->data : NULL, v ? v->len : 0);
	ledger_end();
}

void record_rm(const char *path)
{
	ledger_begin(RECORD_RM);
	put_str(path);
	ledger_end();
}

void record_life(unsigned int domid, uint32_t life)
{
	ledger_begin(RECORD_LIFE);
	put_u32(domid);
	put_u32(life);
	ledger_end();
}

void record_quota(const char *name, uint32_t limit)
{
	ledger_begin(RECORD_QUOTA);
	put_str(name);
	put_u32(limit);
	ledger_end();
}

void record_domain_quota(unsigned int domid, const char *name, uint32_t limit)
{
	ledger_begin(RECORD_DOMAIN_QUOTA);
	put_u32(domid);
	put_str(name);
	put_u32(limit);
	ledger_end();
}

void record_domain(const struct record_domain *d)
{
	ledger_begin(RECORD_DOMAIN);
	put_u32(d->domid);
	put_u32(d->life);
	put_u32(d->pid);
	put_u64(d->start_ns);
	put_u8((uint8_t)(d->shutdown | d->early << 1));
	ledger_end();
}

void record_features(unsigned int domid, uint32_t features)
{
	ledger_begin(RECORD_FEATURES);
	put_u32(domid);
	put_u32(features);
	ledger_end();
}

void record_domain_gone(unsigned int domid)
{
	put_domid(RECORD_DOMAIN_GONE, domid);
}

static void put_ring(enum record_type type, unsigned int domid,
		     const struct record_ring *r)
{
	ledger_begin((uint8_t)type);
	put_u32(domid);
	put_u8(r->parked);
	put_u32(r->last_txn);
	put_u32(r->req_at);
	put_u32(r->rsp_at);
	put_bytes(r->in, r->in_len);
	ledger_end();
}

void record_ring(unsigned int domid, const struct record_ring *r)
{
	put_ring(RECORD_RING, domid, r);
}

void record_progress(unsigned int domid, const struct record_ring *r)
{
	put_ring(RECORD_PROGRESS, domid, r);
}

void record_no_ring(unsigned int domid)
{
	put_domid(RECORD_NO_RING, domid);
}

void record_parked(unsigned int domid)
{
	put_domid(RECORD_PARKED, domid);
}

void record_target(unsigned int domid, int target, uint32_t life)
{
	ledger_begin(RECORD_TARGET);
	put_u32(domid);
	put_u32((uint32_t)target);
	put_u32(life);
	ledger_end();
}

void record_out(unsigned int domid, bool event, const void *data, size_t len)
{
	ledger_begin(RECORD_OUT);
	put_u32(domid);
	put_u8(event);
	put_bytes(data, len);
	ledger_end();
}

void record_watch(unsigned int domid, const char *path, size_t skip,
		  const char *token, uint32_t depth)
{
	ledger_begin(RECORD_WATCH);
	put_u32(domid);
	put_str(path);
	put_u32((uint32_t)skip);
	put_str(token);
	put_u32(depth);
	ledger_end();
}

void record_unwatch(unsigned int domid, const char *path, const char *token)
{
	ledger_begin(RECORD_UNWATCH);
	put_u32(domid);
	put_str(path);
	put_str(token);
	ledger_end();
}

void record_unwatch_all(unsigned int domid)
{
	put_domid(RECORD_UNWATCH_ALL, domid);
}

void record_txn(unsigned int domid, uint32_t id)
{
	ledger_begin(RECORD_TXN);
	put_u32(domid);
	put_u32(id);
	ledger_end();
}

void record_txn_end(unsigned int domid, uint32_t id)
{
	ledger_begin(RECORD_TXN_END);
	put_u32(domid);
	put_u32(id);
	ledger_end();
}

void record_update(const struct record_update *u)
{
	ledger_begin(RECORD_UPDATE);
	put_str(u->socket);
	put_u32(u->caller);
	ledger_put(u->request, sizeof(u->request));
	ledger_end();
}

void record_socket(uint32_t number)
{
	put_domid(RECORD_SOCKET, number);
}

/* ---- Reading ----------------------------------------------------------- */

static const void *take(struct record *r, size_t n)
{
	const void *p = r->at;

	if (r->bad || r->left < n) {
		r->bad = true;
		return NULL;
	}
	r->at += n;
	r->left -= n;
	return p;
}

static void take_into(struct record *r, void *to, size_t n)
{
	const void *p = take(r, n);

	if (p)
		memcpy(to, p, n);
	else
		memset(to, 0, n);
}

uint8_t record_u8(struct record *r)
{
	uint8_t v;

	take_into(r, &v, sizeof(v));
	return v;
}

uint32_t record_u32(struct record *r)
{
	uint32_t v;

	take_into(r, &v, sizeof(v));
	return v;
}

uint64_t record_u64(struct record *r)
{
	uint64_t v;

	take_into(r, &v, sizeof(v));
	return v;
}

const void *record_bytes(struct record *r, size_t *len)
{
	size_t n = record_u32(r);
	const void *p = take(r, n);

	*len = p ? n : 0;
	return p;
}

const char *record_str(struct record *r)
{
	size_t len;
	const char *s = record_bytes(r, &len);

	if (s && len && !memchr(s, '\0', len - 1) && !s[len - 1])
		return s;
	r->bad = true;
	return "";
}

void record_take_update(struct record *r, struct record_update *u)
{
	u->socket = record_str(r);
	u->caller = record_u32(r);
	take_into(r, u->request, sizeof(u->request));
}

struct perms *record_perms(struct record *r)
{
	struct perm_entry e[PERM_MAX];
	uint32_t n = record_u32(r);

	if (!n || n > PERM_MAX)
		r->bad = true;
	for (uint32_t i = 0; !r->bad && i < n; i++) {
		e[i].domid = (uint16_t)record_u32(r);
		e[i].life = record_u32(r);
		e[i].rights = record_u8(r);
	}
	return r->bad ? NULL : perm_new(e, n);
}
