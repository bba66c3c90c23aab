// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/dispatch.c - from a message to its handler, checks on the way.
#include "xenstore-lite/dispatch.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/probe.h"
#include "xenstore-lite/ops.h"
#include "xenstore-lite/perm.h"
#include "xenstore-lite/quota.h"
#include "xenstore-lite/trace.h"

static struct tree *live;

/* By type; the last for those that are none. */
#define TYPES ((uint32_t)DISPATCH_TYPES)
static struct dispatch_count counts[DISPATCH_TYPES + 1];

enum op_flags {
	OP_PRIV = 1 << 0,    /* dom0 only */
	OP_NOTXN = 1 << 1,   /* tx_id makes no difference, but must be right */
	OP_PATH = 1 << 2,    /* the first string is a path */
	OP_SPECIAL = 1 << 3, /* which may be that of a special node */
	OP_READ = 1 << 4,    /* the node must be there and readable */
	OP_WRITE = 1 << 5,   /* it must be writable, or where it would be */
	OP_OWNER = 1 << 6,   /* it must be there and the client its owner */
	OP_CREATE = 1 << 7,  /* missing nodes are made */
	OP_GROWS = 1 << 8,   /* the client uses more memory afterwards */
	OP_ALONE = 1 << 9,   /* nothing may follow the strings */
	OP_NOTID = 1 << 10,  /* as OP_NOTXN, and tx_id is not looked at */
	OP_LONG = 1 << 11, /* a path may have been set when longer ones could */
};

/**
 * struct op - A type of message.
 * @nargs:  Strings that must be there.
 * @maxargs: Strings that are looked for; the payload may go on after them.
 * @touch:  TXN_* flags that reading sets in a transaction.
 */
struct op {
	const char *name;
	int (*handler)(struct req *r);
	uint8_t nargs, maxargs;
	uint16_t flags;
	uint16_t touch;
};

static const struct op ops[] = {
	[XS_CONTROL] = { "CONTROL", op_control, 1, 8, OP_PRIV | OP_NOTXN, 0 },
	[XS_DIRECTORY] = { "DIRECTORY", op_directory, 1, 1,
			   OP_PATH | OP_READ | OP_ALONE, TXN_LIST },
	[XS_READ] = { "READ", op_read, 1, 1, OP_PATH | OP_READ | OP_ALONE,
		      TXN_READ },
	[XS_GET_PERMS] = { "GET_PERMS", op_get_perms, 1, 1,
			   OP_PATH | OP_SPECIAL | OP_READ | OP_ALONE,
			   TXN_READ },
	[XS_WATCH] = { "WATCH", op_watch, 2, 3,
		       OP_PATH | OP_SPECIAL | OP_NOTID | OP_GROWS | OP_ALONE,
		       0 },
	[XS_UNWATCH] = { "UNWATCH", op_unwatch, 2, 2,
			 OP_PATH | OP_SPECIAL | OP_NOTID | OP_ALONE | OP_LONG,
			 0 },
	[XS_TRANSACTION_START] = { "TRANSACTION_START", op_transaction_start, 0,
				   1, 0, 0 },
	[XS_TRANSACTION_END] = { "TRANSACTION_END", op_transaction_end, 1, 1,
				 OP_ALONE, 0 },
	[XS_INTRODUCE] = { "INTRODUCE", op_introduce, 3, 4, OP_PRIV | OP_NOTXN,
			   0 },
	[XS_RELEASE] = { "RELEASE", op_release, 1, 1,
			 OP_PRIV | OP_NOTXN | OP_ALONE, 0 },
	[XS_GET_DOMAIN_PATH] = { "GET_DOMAIN_PATH", op_get_domain_path, 1, 1,
				 OP_NOTXN | OP_ALONE, 0 },
	[XS_WRITE] = { "WRITE", op_write, 1, 1,
		       OP_PATH | OP_WRITE | OP_CREATE | OP_GROWS, 0 },
	[XS_MKDIR] = { "MKDIR", op_mkdir, 1, 1,
		       OP_PATH | OP_WRITE | OP_CREATE | OP_GROWS | OP_ALONE,
		       0 },
	[XS_RM] = { "RM", op_rm, 1, 1, OP_PATH | OP_WRITE | OP_ALONE, 0 },
	[XS_SET_PERMS] = { "SET_PERMS", op_set_perms, 1, 1,
			   OP_PATH | OP_SPECIAL | OP_OWNER | OP_GROWS, 0 },
	[XS_IS_DOMAIN_INTRODUCED] = { "IS_DOMAIN_INTRODUCED", op_is_introduced,
				      1, 1, OP_PRIV | OP_NOTXN | OP_ALONE, 0 },
	[XS_RESUME] = { "RESUME", op_resume, 1, 1,
			OP_PRIV | OP_NOTXN | OP_ALONE, 0 },
	[XS_SET_TARGET] = { "SET_TARGET", op_set_target, 2, 2,
			    OP_PRIV | OP_NOTXN, 0 },
	[XS_RESET_WATCHES] = { "RESET_WATCHES", op_reset_watches, 0, 1,
			       OP_NOTXN, 0 },
	[XS_DIRECTORY_PART] = { "DIRECTORY_PART", op_directory_part, 2, 2,
				OP_PATH | OP_READ | OP_ALONE, TXN_LIST },
	[XS_GET_FEATURE] = { "GET_FEATURE", op_get_feature, 0, 2, OP_NOTXN, 0 },
	[XS_SET_FEATURE] = { "SET_FEATURE", op_set_feature, 2, 2,
			     OP_PRIV | OP_NOTXN | OP_ALONE, 0 },
	[XS_GET_QUOTA] = { "GET_QUOTA", op_get_quota, 0, 2,
			   OP_PRIV | OP_NOTXN | OP_ALONE, 0 },
	[XS_SET_QUOTA] = { "SET_QUOTA", op_set_quota, 2, 3,
			   OP_PRIV | OP_NOTXN | OP_ALONE, 0 },
};
static_assert(ARRAY_SIZE(ops) == XS_SET_QUOTA + 1, "a row per type");

void dispatch_setup(struct tree *t)
{
	live = t;
}

struct tree *dispatch_live(void)
{
	return live;
}

void req_reply(struct req *r, const void *data, size_t len)
{
	conn_reply(r->conn, &r->msg->hdr, r->msg->hdr.type, data, len);
	r->replied = true;
}

void req_reply_str(struct req *r, const char *s)
{
	req_reply(r, s, strlen(s) + 1);
}

/* ---- Checks ------------------------------------------------------------ */

static int find_txn(struct req *r)
{
	uint32_t id = r->msg->hdr.tx_id;

	r->tree = live;
	if (!id)
		return 0;
	r->txn = txn_find(r->conn, id);
	if (!r->txn)
		return -ENOENT;
	r->tree = &r->txn->tree;
	return 0;
}

static int find_path(struct req *r, const struct op *op)
{
	const struct perm_who *who = &r->conn->who;
	int len = path_canon(r->args.v[0], who->domid, r->path);

	if (len < 0)
		return len;
	if (path_is_special(r->path) && !(op->flags & OP_SPECIAL))
		return -EINVAL;
	if (!who->privileged && !(op->flags & OP_LONG) &&
	    account_over(r->conn->account, QUOTA_PATH_MAX, 0,
			 (size_t)len - path_local_prefix(r->path)))
		return -EINVAL;
	if (op->flags & (OP_READ | OP_WRITE | OP_OWNER))
		r->place = tree_find(r->tree, r->path);
	return 0;
}

static unsigned int rights_needed(const struct op *op)
{
	return (op->flags & OP_READ ? PERM_READ : 0u) |
	       (op->flags & OP_WRITE ? PERM_WRITE : 0u) |
	       (op->flags & OP_OWNER ? PERM_OWNER : 0u);
}

/*
 * Access to the node, or, if it is not there, to the nearest that is: whoever
 * may not look there is not told what is missing.
 */
static int check_access(const struct req *r, const struct op *op)
{
	unsigned int need = rights_needed(op), has;
	const struct place *p = &r->place;

	if (!need)
		return 0;
	if (!p->nearest) /* a special node that there is not */
		return -ENOENT;
	has = perm_rights(p->nearest->perms, &r->conn->who);
	/* As in Xen's: who could have made it may know that it is not there. */
	if (!p->node && op->flags & OP_OWNER && has & PERM_WRITE)
		return -ENOENT;
	if ((has & need) != need)
		return -EACCES;
	if (!p->node && op->flags & (OP_READ | OP_OWNER))
		return -ENOENT;
	return 0;
}

static int check_quota(const struct req *r, const struct op *op)
{
	struct account *a = r->conn->account;
	long nodes = (long)a->owned.n + (r->txn ? r->txn->growth : 0);

	if (r->conn->who.privileged)
		return 0;
	if (op->flags & OP_CREATE && r->place.missing &&
	    account_over(a, QUOTA_NODES, (uint64_t)MAX(nodes, 0L),
			 r->place.missing))
		return -ENOSPC;
	if (!(op->flags & OP_GROWS))
		return 0;
	if (account_over(a, QUOTA_MEMORY, a->memory, r->msg->hdr.len))
		return -ENOSPC;
	if (account_over(a, QUOTA_SOFT_MEMORY, a->memory, r->msg->hdr.len))
		log_limited(&r->conn->limit, LOG_LVL_WARN,
			    "dom%u: has %llu bytes of the store, more than its "
			    "soft quota",
			    a->domid, (unsigned long long)a->memory);
	return 0;
}

static int check(struct req *r, const struct op *op)
{
	int ret;

	if (op->flags & OP_PRIV && !r->conn->who.privileged)
		return -EACCES;
	wire_args(r->msg, op->maxargs, &r->args);
	if (r->args.n < op->nargs || (op->flags & OP_ALONE && r->args.rest_len))
		return -EINVAL;
	ret = find_txn(r);
	if (ret && !(op->flags & OP_NOTID))
		return ret;
	if (op->flags & (OP_NOTXN | OP_NOTID)) {
		r->txn = NULL;
		r->tree = live;
	}
	if (!(op->flags & OP_PATH))
		return 0;
	ret = find_path(r, op);
	if (!ret)
		ret = check_access(r, op);
	/* What a transaction was told it depends on, also "not there". */
	if (op->touch && r->txn && (!ret || ret == -ENOENT)) {
		int err = txn_touch(r->txn, r->path, op->touch);

		ret = err ? err : ret;
	}
	return ret ? ret : check_quota(r, op);
}

void dispatch_count(uint32_t type, struct dispatch_count *out)
{
	*out = counts[MIN(type, TYPES)];
}

void dispatch(struct conn *c, const struct wire_msg *m)
{
	static struct req r; /* one at a time; too large for the stack */
	const struct op *op = NULL;
	int ret = -ENOSYS;

	trace_in(c, m);
	r.conn = c;
	r.msg = m;
	r.tree = live;
	r.txn = NULL;
	r.place = (struct place){ 0 };
	r.replied = false;
	if (m->hdr.type < ARRAY_SIZE(ops))
		op = &ops[m->hdr.type];
	if (op && op->handler) {
		ret = check(&r, op);
		if (!ret)
			ret = op->handler(&r);
	}
	/* XSA-415: what could not be done whole must not be committed. */
	if (r.txn && (ret == -ENOSPC || ret == -ENOMEM) &&
	    m->hdr.type != XS_TRANSACTION_END)
		r.txn->error = ret;
	probe(store_request, c->who.domid, m->hdr.type, ret, m->hdr.len);
	counts[MIN(m->hdr.type, TYPES)].requests++;
	counts[MIN(m->hdr.type, TYPES)].errors += ret != 0;
	if (ret) {
		const char *name = wire_error(-ret);

		conn_reply(c, &m->hdr, XS_ERROR, name, strlen(name) + 1);
	} else if (!r.replied) {
		conn_reply(c, &m->hdr, m->hdr.type, "OK", 3);
	}
}
