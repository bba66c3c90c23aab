// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/store_fuzz.c - a store and a model of it, asked the same.
//
// FUZZ: F2; max_len 1024
//
// The input is a program for dom0 and three guests: requests in and out of
// transactions, watches, deaths.  Every answer, every event and every account
// must be what tests/lib/storemodel.h says, and in the end the store's own
// recount must agree with its counters.
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "tests/lib/fuzz.h"
#include "tests/lib/storebed.h"
#include "tests/lib/storemodel.h"
#include "xenstore-lite/quota.h"

/* One step of the program. */
struct step {
	uint8_t who; /* two bits; then the transaction */
	uint8_t what;
	uint8_t path;
	uint8_t arg[3];
};

static struct bed_client *clients[SM_CLIENTS];
static uint32_t txn_id[SM_CLIENTS][SM_TXNS]; /* 0: none */

/*
 * After a lost transaction dom0 has the store for itself until the next one has
 * ended (conn_lost()): guests are not asked, and their events come late.
 */
static bool lost, held;

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	return fuzz_mutate_records(data, size, max, seed, 0,
				   sizeof(struct step));
}

static const char *const all_paths[] = {
	"/",
	"/a",
	"/a/b",
	"/a/b/c",
	"/d",
	"data",
	"data/x",
	"/local",
	"/local/domain",
	"/local/domain/0",
	"/local/domain/1",
	"/local/domain/1/data",
	"/local/domain/1/data/x",
	"/local/domain/2/data",
	"/local/domain/2/data/x",
	"/local/domain/3",
	"/local/domain/3/data/x",
	"@releaseDomain",
	"@introduceDomain",
	"@releaseDomain/1",
	"//",
	"/a/",
	"",
	"/a b",
};

static const char *const all_perms[] = { "n0", "r0",  "n1",	"r1",
					 "w1", "b1",  "n2",	"r2",
					 "w3", "b3",  "r32757", "w32757",
					 "x",  "r99", "r32752", "" };

static const char *const all_values[] = { "", "v", "0123456789abcdef",
					  "0123456789abcdefg" };

static const char *path_of(const struct step *s)
{
	return all_paths[s->path % ARRAY_SIZE(all_paths)];
}

static uint32_t id_of(struct sm_who w)
{
	return !w.txn ? 0 : w.txn > SM_TXNS ? 999 : txn_id[w.domid][w.txn - 1];
}

static int free_slot(unsigned int domid)
{
	for (int i = 0; i < SM_TXNS; i++)
		if (!txn_id[domid][i])
			return i + 1;
	return 0;
}

/* ---- The same request to both --------------------------------------------- */

static void check_text(const struct bed_client *c, const char *want)
{
	char got[sizeof(sm_reply)] = "";
	size_t at = 0;

	/* Strings that end in NUL, as text with blanks. */
	for (int i = 0; i < c->reply_len; i++)
		got[at++] = c->reply[i] ? c->reply[i] : ' ';
	got[at] = '\0';
	assert(!strcmp(got, want));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The model has no order of creation. */
static void check_names(struct bed_client *c, const char *want)
{
	char got[sizeof(sm_reply)] = "";
	const char *names[64];
	size_t n = 0;

	for (const char *s = c->reply; s < c->reply + c->reply_len;
	     s += strlen(s) + 1)
		names[n++] = s;
	qsort(names, n, sizeof(names[0]), by_name);
	for (size_t i = 0; i < n; i++)
		strcat(strcat(got, names[i]), " ");
	assert(!strcmp(got, want));
}

static int set_perms(struct bed_client *c, struct sm_who w,
		     const struct step *s, int *want)
{
	const char *perms[4];
	size_t n = 1 + s->arg[2] % 4;

	for (size_t i = 0; i < ARRAY_SIZE(perms); i++) {
		uint8_t which = i == 3 ? s->arg[0] ^ s->arg[1] : s->arg[i];

		perms[i] = all_perms[which % ARRAY_SIZE(all_perms)];
	}
	*want = sm_set_perms(w, path_of(s), perms, n);
	for (size_t i = n; i < ARRAY_SIZE(perms); i++)
		perms[i] = NULL;
	return bed_str(c, XS_SET_PERMS, id_of(w), path_of(s), perms[0],
		       perms[1], perms[2], perms[3], NULL);
}

static int watch(struct bed_client *c, struct sm_who w, const struct step *s,
		 int *want)
{
	static const char *const depths[] = { "0", "1", "2" };
	const char *token = s->arg[0] & 1 ? "t" : "u";
	int depth = s->arg[1] % 4 - 1;

	/* dom0 has no limit, but the model has. */
	if (sm_watches(w.domid) == SM_WATCHES) {
		sm_unwatch(w.domid, "", "");
		*want = -EINVAL;
		return -EINVAL;
	}
	*want = sm_watch(w.domid, path_of(s), token, depth);
	if (depth < 0)
		return bed_str(c, XS_WATCH, 0, path_of(s), token, NULL);
	return bed_str(c, XS_WATCH, 0, path_of(s), token, depths[depth], NULL);
}

static int start(struct bed_client *c, struct sm_who w, int *want)
{
	int slot = free_slot(w.domid);
	int ret;

	if (!slot) {
		*want = sm_end((struct sm_who){ w.domid, 99 }, false);
		return *want;
	}
	*want = sm_start(w, slot);
	ret = bed_str(c, XS_TRANSACTION_START, id_of(w), "", NULL);
	if (ret > 0)
		txn_id[w.domid][slot - 1] =
			(uint32_t)strtoul(c->reply, NULL, 10);
	if (!w.domid)
		held = lost;
	return ret;
}

static int end(struct bed_client *c, struct sm_who w, bool commit, int *want)
{
	int ret;

	*want = sm_end(w, commit);
	ret = bed_end(c, id_of(w), commit);
	if (w.txn && w.txn <= SM_TXNS)
		txn_id[w.domid][w.txn - 1] = 0;
	if (!w.domid && *want != -ENOENT) {
		held = false;
		lost = ret == -EAGAIN;
	}
	return ret;
}

static int ask(const struct step *s, struct sm_who w, int *want)
{
	struct bed_client *c = clients[w.domid];
	uint32_t tx = id_of(w);
	const char *p = path_of(s);
	const char *v = all_values[s->arg[0] % ARRAY_SIZE(all_values)];
	int ret;

	switch (s->what % 16) {
	case 0:
	case 1:
	case 2:
		*want = sm_write(w, p, v);
		return bed_write(c, tx, p, v);
	case 3:
		*want = sm_mkdir(w, p);
		return bed_str(c, XS_MKDIR, tx, p, NULL);
	case 4:
	case 5:
		*want = sm_rm(w, p);
		return bed_str(c, XS_RM, tx, p, NULL);
	case 6:
		*want = sm_read(w, p);
		ret = bed_str(c, XS_READ, tx, p, NULL);
		if (ret >= 0)
			check_text(c, sm_reply);
		return ret;
	case 7:
		*want = sm_list(w, p);
		ret = bed_str(c, XS_DIRECTORY, tx, p, NULL);
		if (ret >= 0)
			check_names(c, sm_reply);
		return ret;
	case 8:
		*want = sm_get_perms(w, p);
		ret = bed_str(c, XS_GET_PERMS, tx, p, NULL);
		if (ret >= 0)
			check_text(c, sm_reply);
		return ret;
	case 9:
	case 10:
		return set_perms(c, w, s, want);
	case 11:
		return watch(c, w, s, want);
	case 12:
		*want = sm_unwatch(w.domid, p, s->arg[0] & 1 ? "t" : "u");
		return bed_str(c, XS_UNWATCH, 0, p, s->arg[0] & 1 ? "t" : "u",
			       NULL);
	case 13:
		return start(c, w, want);
	default:
		return end(c, w, s->arg[0] & 3, want);
	}
}

/* ---- Steps ---------------------------------------------------------------- */

static void forget_txns(unsigned int domid)
{
	memset(txn_id[domid], 0, sizeof(txn_id[domid]));
}

static void check_all(bool late)
{
	for (unsigned int d = 0; d < SM_CLIENTS; d++) {
		struct bed_client *c = clients[d];
		struct account *a = account_find(d);
		const char *why;

		bed_pump();
		bed_take(c);
		why = d && late ? NULL : sm_events_ok(d, c->events, c->nevents);
		if (why) {
			fprintf(stderr, "events: %s\n", why);
			abort();
		}
		for (size_t i = 0; i < c->nevents; i++)
			free(c->events[i]);
		c->nevents = c->next_event = 0;
		if (!d) /* has the bed's own connection, too */
			continue;
		assert(a && a->owned.n == sm_nodes(d));
		assert(a->watches == sm_watches(d));
		assert(a->transactions == sm_txns(d));
	}
}

static void step(const struct step *s)
{
	struct sm_who w = { .domid = s->who & 3, .txn = s->who >> 2 & 7 };
	bool was_held = held;
	int want, got;

	if (w.txn > SM_TXNS + 1)
		w.txn = 0;
	if (w.txn && w.txn <= SM_TXNS && !txn_id[w.domid][w.txn - 1])
		w.txn = 0;
	if (held && w.domid)
		return;
	if (s->what == 255 && w.domid) {
		sm_died(w.domid);
		forget_txns(w.domid);
		bed_kill(clients[w.domid]);
		clients[w.domid] = bed_guest(w.domid);
	} else if (s->what == 254) {
		sm_reset_watches(w.domid);
		forget_txns(w.domid);
		held = held && w.domid;
		want = bed_str(clients[w.domid], XS_RESET_WATCHES, 0, "", NULL);
		assert(want > 0);
	} else {
		got = ask(s, w, &want);
		if (got > 0)
			got = 0;
		if (got != want) {
			fprintf(stderr, "dom%u %u %s: %d, not %d\n", w.domid,
				s->what % 16, path_of(s), got, want);
			abort();
		}
	}
	check_all(held || was_held);
}

static void set_limits(void)
{
	quotas[QUOTA_NODES].limit = SM_MAX_NODES;
	quotas[QUOTA_WATCHES].limit = SM_MAX_WATCHES;
	quotas[QUOTA_TRANSACTIONS].limit = SM_MAX_TXNS;
	quotas[QUOTA_PERMS].limit = SM_MAX_PERMS;
	quotas[QUOTA_NODE_SIZE].limit = SM_MAX_VALUE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* What the guests find: a directory of their own. */
	static const struct step first[] = {
		{ .what = 3, .path = 11 },
		{ .what = 9, .path = 11, .arg = { 2, 7, 1 } },
		{ .what = 3, .path = 13 },
		{ .what = 9, .path = 13, .arg = { 6, 8, 1 } },
	};
	struct step s;

	log_init("fuzz", LOG_LVL_ERR);
	set_limits();
	bed_init();
	sm_reset();
	lost = held = false;
	clients[0] = bed_dom0();
	for (unsigned int i = 1; i < SM_CLIENTS; i++)
		clients[i] = bed_guest(i);
	memset(txn_id, 0, sizeof(txn_id));
	for (size_t i = 0; i < ARRAY_SIZE(first); i++)
		step(&first[i]);
	for (; size >= sizeof(s); size -= sizeof(s), data += sizeof(s)) {
		memcpy(&s, data, sizeof(s));
		step(&s);
	}
	assert(bed_consistent());
	for (unsigned int i = 0; i < SM_CLIENTS; i++)
		bed_close(clients[i]);
	bed_fini();
	return 0;
}
