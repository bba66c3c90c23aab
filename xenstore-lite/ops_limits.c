// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/ops_limits.c - what a domain is offered, and how much it may have.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "xenstore-lite/domain.h"
#include "xenstore-lite/ops.h"
#include "xenstore-lite/quota.h"
#include "xenstore-lite/record.h"

static void reply_number(struct req *r, uint32_t v)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", v);
	req_reply_str(r, text);
}

/* ---- Features ---------------------------------------------------------- */

/* Whoever asks for no domain hears of itself. */
int op_get_feature(struct req *r)
{
	unsigned int domid;
	uint32_t features;
	int ret;

	if (!r->msg->hdr.len) {
		reply_number(r, r->conn->features);
		return 0;
	}
	if (!r->conn->who.privileged)
		return -EACCES;
	if (r->args.n != 1 || r->args.rest_len || op_domid(r, 0, &domid))
		return -EINVAL;
	ret = domain_features(domid, &features);
	if (!ret)
		reply_number(r, features);
	return ret;
}

int op_set_feature(struct req *r)
{
	unsigned int domid;
	uint64_t features;

	if (op_domid(r, 0, &domid) ||
	    util_u64(r->args.v[1], UINT32_MAX, &features))
		return -EINVAL;
	return domain_set_features(domid, (uint32_t)features);
}

/* ---- Quotas ------------------------------------------------------------ */

static void reply_names(struct req *r)
{
	char text[QUOTA_COUNT * 32];
	size_t at = 0;

	for (int q = 0; q < QUOTA_COUNT; q++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s",
				       q ? " " : "", quotas[q].name);
	req_reply_str(r, text);
}

/*
 * The limit that the first @n strings name, with the domain before it if there is
 * one: -1 is none, which means the global values.
 */
static int parse_which(const struct req *r, size_t n, bool keep, int *domid)
{
	unsigned int named;
	int ret;

	*domid = -1;
	if (n == 2) {
		if (op_domid(r, 0, &named))
			return -EINVAL;
		ret = domain_know(named, keep);
		if (ret)
			return ret;
		*domid = (int)named;
	}
	return quota_find(r->args.v[n - 1]);
}

int op_get_quota(struct req *r)
{
	int q, domid;

	if (!r->args.n) {
		reply_names(r);
		return 0;
	}
	q = parse_which(r, r->args.n, false, &domid);
	if (q < 0)
		return q;
	reply_number(
		r, domid < 0 ? quotas[q].limit
			     : account_limit(account_find((unsigned int)domid),
					     (enum quota_id)q));
	return 0;
}

int op_set_quota(struct req *r)
{
	uint64_t limit;
	int q, domid;

	if (util_u64(r->args.v[r->args.n - 1], QUOTA_GLOBAL - 1, &limit))
		return -EINVAL;
	q = parse_which(r, r->args.n - 1, true, &domid);
	if (q < 0)
		return q;
	if (domid >= 0)
		return account_set((unsigned int)domid, (enum quota_id)q,
				   (uint32_t)limit);
	quotas[q].limit = (uint32_t)limit;
	record_quota(quotas[q].name, (uint32_t)limit);
	return 0;
}
