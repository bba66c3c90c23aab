// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/ops.c - handlers of the store's messages.
#include "xenstore-lite/ops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xenstore-lite/batch.h"
#include "xenstore-lite/domain.h"
#include "xenstore-lite/quota.h"

/* ---- Reading ----------------------------------------------------------- */

/*
 * The names of a node's children as DIRECTORY sends them.  The last list is
 * kept: DIRECTORY_PART asks for a long one piece by piece.  kgen is never used
 * twice, so it names the list.
 */
static struct {
	uint64_t kgen;
	char *names;
} last_list;

static const char *list_names(const struct node *n)
{
	const struct node **kids;
	size_t at = 0;
	char *names;

	if (last_list.kgen == n->kgen)
		return last_list.names;
	kids = malloc((n->nkids + 1) * sizeof(struct node *));
	names = malloc(n->kids_len + 1);
	if (!kids || !names) {
		free(kids);
		free(names);
		return NULL;
	}
	node_children(n, kids);
	for (uint32_t i = 0; i < n->nkids; i++) {
		memcpy(names + at, kids[i]->name, kids[i]->name_len);
		at += kids[i]->name_len;
		names[at++] = '\0';
	}
	free(kids);
	free(last_list.names);
	last_list.names = names;
	last_list.kgen = n->kgen;
	return names;
}

int op_directory(struct req *r)
{
	const struct node *n = r->place.node;
	const char *names;

	if (n->kids_len > XENSTORE_PAYLOAD_MAX)
		return -E2BIG;
	names = list_names(n);
	if (!names)
		return -ENOMEM;
	req_reply(r, names, n->kids_len);
	return 0;
}

/*
 * Answer: the list's generation, then whole names from the given offset, then
 * an empty name if these are the last.
 */
int op_directory_part(struct req *r)
{
	const struct node *n = r->place.node;
	char buf[XENSTORE_PAYLOAD_MAX];
	const char *names;
	uint64_t offset;
	size_t at, end;

	if (util_u64(r->args.v[1], UINT32_MAX, &offset))
		return -EINVAL;
	names = list_names(n);
	if (!names)
		return -ENOMEM;
	at = (size_t)snprintf(buf, sizeof(buf), "%llu",
			      (unsigned long long)n->kgen) +
	     1;
	offset = MIN(offset, n->kids_len);
	end = offset;
	while (end < n->kids_len) {
		size_t len = strlen(names + end) + 1;

		if (at + (end - offset) + len + 1 > sizeof(buf))
			break;
		end += len;
	}
	memcpy(buf + at, names + offset, end - offset);
	at += end - offset;
	if (end == n->kids_len)
		buf[at++] = '\0';
	req_reply(r, buf, at);
	return 0;
}

int op_read(struct req *r)
{
	const struct value *v = r->place.node->value;

	req_reply(r, v ? (const void *)v->data : "", v ? v->len : 0);
	return 0;
}

int op_get_perms(struct req *r)
{
	char text[PERM_TEXT];

	req_reply(r, text, perm_print(r->place.node->perms, text));
	return 0;
}

/* ---- Writing ----------------------------------------------------------- */

/* Carry a change's consequences out now, or leave them to the commit. */
static int finish(struct req *r, struct batch *b)
{
	if (r->txn)
		return txn_absorb(r->txn, b);
	batch_publish(b);
	return 0;
}

static int put(struct req *r, struct value *v)
{
	struct perms *perms;
	struct batch b;
	int ret;

	perms = perm_inherit(r->place.nearest->perms, &r->conn->who);
	if (!perms) {
		value_put(v);
		return -ENOMEM;
	}
	batch_init(&b, r->tree);
	ret = batch_put(&b, r->path, perms, v, true);
	perm_put(perms);
	return ret ? ret : finish(r, &b);
}

int op_write(struct req *r)
{
	size_t len = r->args.rest_len;
	struct value *v;

	if (!r->conn->who.privileged &&
	    account_over(r->conn->account, QUOTA_NODE_SIZE, 0, len))
		return -ENOSPC;
	v = value_new(r->args.rest, len);
	if (len && !v)
		return -ENOMEM;
	return put(r, v);
}

int op_mkdir(struct req *r)
{
	if (!r->place.node)
		return put(r, NULL);
	/* It depends on the node's being there. */
	return r->txn ? txn_touch(r->txn, r->path, TXN_EXIST) : 0;
}

/* A missing node is as good as removed if at least its parent is there. */
int op_rm(struct req *r)
{
	struct batch b;
	int ret;

	if (!r->place.node) {
		if (r->txn && txn_touch(r->txn, r->path, TXN_EXIST))
			return r->txn->error;
		return r->place.missing == 1 ? 0 : -ENOENT;
	}
	batch_init(&b, r->tree);
	ret = batch_rm(&b, r->path);
	return ret ? ret : finish(r, &b);
}

int op_set_perms(struct req *r)
{
	const struct perm_who *who = &r->conn->who;
	struct perms *now = r->place.node->perms;
	struct perms *p;
	struct batch b;
	int ret;

	ret = perm_parse(&p, r->args.rest, r->args.rest_len);
	if (ret)
		return ret;
	if (!(r->conn->features & XENSTORE_SERVER_FEATURE_DOMID_ANY))
		perm_void(p, DOMID_EVERY);
	/* XSA-352: nobody gives away what counts against him. */
	if (!who->privileged && perm_owner(p) != perm_owner(now))
		ret = -EPERM;
	else if (!who->privileged &&
		 account_over(r->conn->account, QUOTA_PERMS, 0, p->n))
		ret = -ENOSPC;
	if (!ret) {
		batch_init(&b, r->tree);
		ret = batch_chmod(&b, r->path, p);
	}
	perm_put(p);
	return ret ? ret : finish(r, &b);
}

/* ---- Watches ----------------------------------------------------------- */

static int parse_depth(const struct req *r, uint32_t *depth)
{
	uint64_t v;

	*depth = WATCH_ANY_DEPTH;
	if (r->args.n < 3)
		return 0;
	if (!(r->conn->features & XENSTORE_SERVER_FEATURE_WATCHDEPTH))
		return -EINVAL;
	if (util_u64(r->args.v[2], WATCH_ANY_DEPTH - 1, &v))
		return -EINVAL;
	*depth = (uint32_t)v;
	return 0;
}

int op_watch(struct req *r)
{
	struct conn *c = r->conn;
	const char *given = r->args.v[0];
	const char *token = r->args.v[1];
	struct watch *w;
	uint32_t depth;
	size_t skip;
	int ret;

	ret = parse_depth(r, &depth);
	if (ret)
		return ret;
	/* XSA-324: every event that this watch can cause must fit. */
	if (strlen(token) > CONN_TOKEN_MAX)
		return -E2BIG;
	if (!c->who.privileged &&
	    account_over(c->account, QUOTA_WATCHES, c->account->watches, 1))
		return -E2BIG;
	skip = strlen(r->path) - strlen(given);
	ret = watch_add(c, r->path, skip, token, depth, &w);
	if (ret)
		return ret;
	req_reply_str(r, "OK");
	watch_send_first(w);
	return 0;
}

int op_unwatch(struct req *r)
{
	return watch_del(r->conn, r->path, r->args.v[1]);
}

/* Linux begins with this: whatever an earlier kernel left is void. */
int op_reset_watches(struct req *r)
{
	watch_del_all(r->conn);
	txn_free_all(r->conn);
	conn_ends(r->conn);
	r->txn = NULL;
	return 0;
}

/* ---- Transactions ------------------------------------------------------ */

int op_transaction_start(struct req *r)
{
	struct conn *c = r->conn;
	char id[16];
	struct txn *t;
	int ret;

	if (r->txn)
		return -EBUSY; /* they do not nest */
	if (!c->who.privileged && account_over(c->account, QUOTA_TRANSACTIONS,
					       c->account->transactions, 1))
		return -ENOSPC;
	ret = txn_start(c, dispatch_live(), &t);
	if (ret)
		return ret;
	conn_begins(c);
	snprintf(id, sizeof(id), "%u", t->id);
	req_reply_str(r, id);
	return 0;
}

int op_transaction_end(struct req *r)
{
	const char *how = r->args.v[0];
	int ret = 0;

	if (strcmp(how, "T") != 0 && strcmp(how, "F") != 0)
		return -EINVAL;
	if (!r->txn)
		return -ENOENT;
	if (*how == 'T')
		ret = txn_commit(r->txn, dispatch_live());
	txn_free(r->txn);
	r->txn = NULL;
	conn_ends(r->conn);
	if (ret == -EAGAIN)
		conn_lost(r->conn);
	return ret;
}

/* ---- Domains ----------------------------------------------------------- */

int op_domid(const struct req *r, size_t arg, unsigned int *domid)
{
	uint64_t v;

	if (util_u64(r->args.v[arg], UINT16_MAX, &v))
		return -EINVAL;
	*domid = (unsigned int)v;
	return 0;
}

int op_introduce(struct req *r)
{
	uint64_t gfn, port;
	unsigned int domid;

	if (op_domid(r, 0, &domid) ||
	    util_u64(r->args.v[1], UINT64_MAX, &gfn) ||
	    util_u64(r->args.v[2], UINT32_MAX, &port))
		return -EINVAL;
	return domain_introduce(domid, gfn, (uint32_t)port);
}

int op_release(struct req *r)
{
	unsigned int domid;

	if (op_domid(r, 0, &domid) || !domid)
		return -EINVAL;
	return domain_release(domid);
}

int op_resume(struct req *r)
{
	unsigned int domid;

	if (op_domid(r, 0, &domid) || !domid)
		return -EINVAL;
	return domain_resume(domid);
}

int op_set_target(struct req *r)
{
	unsigned int domid, target;

	if (op_domid(r, 0, &domid) || op_domid(r, 1, &target) || !domid)
		return -EINVAL;
	return domain_set_target(domid, target);
}

int op_is_introduced(struct req *r)
{
	unsigned int domid;

	if (op_domid(r, 0, &domid))
		return -EINVAL;
	req_reply_str(r, domid == DOMID_MYSELF || domain_is_introduced(domid)
				 ? "T"
				 : "F");
	return 0;
}

int op_get_domain_path(struct req *r)
{
	unsigned int domid;
	char path[40];

	if (op_domid(r, 0, &domid))
		return -EINVAL;
	snprintf(path, sizeof(path), "/local/domain/%u", domid);
	req_reply_str(r, path);
	return 0;
}
