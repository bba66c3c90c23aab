// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/storemodel.c - what a store must answer, said a second time.
#include "tests/lib/storemodel.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* @at: where it stands in the list below. */
#define DOMAIN(d, at)                                                  \
	{ "/local/domain/" d, 6 }, { "/local/domain/" d "/data", at }, \
	{                                                              \
		"/local/domain/" d "/data/x", (at) + 1                 \
	}

/* Parents come before children. */
static const struct {
	const char *name;
	int parent;
} paths[] = {
	{ "/", -1 },
	{ "/a", 0 },
	{ "/a/b", 1 },
	{ "/a/b/c", 2 },
	{ "/d", 0 },
	{ "/local", 0 },
	{ "/local/domain", 5 },
	DOMAIN("0", 7),
	DOMAIN("1", 10),
	DOMAIN("2", 13),
	DOMAIN("3", 16),
	{ "@introduceDomain", -1 },
	{ "@releaseDomain", -1 },
};
#define PATHS ((int)ARRAY_SIZE(paths))
#define ROOT  0

enum { R = 1, W = 2, OWNER = 4 };

/* What a transaction had to do with a node. */
enum { SAW = 1, LISTED = 2, NEEDS = 4, PUT = 8, CHMOD = 16, GONE = 32 };

struct perm {
	unsigned int domid, life;
	unsigned int rights;
};

struct perms {
	size_t n;
	struct perm p[8];
};

/* @ver changes with value and permissions, @kver with the children. */
struct node {
	bool there;
	char value[32];
	struct perms perms;
	unsigned int born, ver, kver;
};

struct tree {
	struct node n[PATHS];
};

enum { DO_PUT, DO_RM, DO_CHMOD };

struct deed {
	int what; /* DO_... */
	int path;
	char value[32];
	struct perms perms; /* of new nodes, or the new ones */
};

struct txn {
	bool open;
	int error;
	struct tree base, tree;
	unsigned int touched[PATHS];
	struct deed deed[256];
	size_t ndeeds;
};

struct watch {
	bool on;
	char path[64], token[8];
	size_t skip;
	int depth;
};

struct event {
	char text[80];
	bool must, came;
};

char sm_reply[4096];
static struct tree live;
static struct txn txns[SM_CLIENTS][SM_TXNS];
static struct watch watches[SM_CLIENTS][SM_WATCHES];
static unsigned int lives[SM_CLIENTS];
static unsigned int ticks;
static struct {
	struct event e[512];
	size_t n;
} events[SM_CLIENTS];

/* ---- Paths and permissions ------------------------------------------------ */

static int parent_of(int p)
{
	return p < 0 ? -1 : paths[p].parent;
}

static bool is_special(const char *name)
{
	return *name == '@';
}

/* Canonical form; false if there is none. */
static bool canon(unsigned int domid, const char *given, char out[64])
{
	size_t len = strlen(given);

	if (!len || strstr(given, "//") || strchr(given, ' ') ||
	    (len > 1 && given[len - 1] == '/'))
		return false;
	if (*given == '/' || *given == '@')
		snprintf(out, 64, "%s", given);
	else
		snprintf(out, 64, "/local/domain/%u/%s", domid, given);
	return true;
}

static int find(const char *name)
{
	for (int i = 0; i < PATHS; i++)
		if (!strcmp(paths[i].name, name))
			return i;
	return -1;
}

/* Whether @p is @top or below it. */
static bool below(int p, int top)
{
	while (p != top && p >= 0)
		p = parent_of(p);
	return p == top;
}

static bool alive(const struct perm *e)
{
	return e->domid >= SM_CLIENTS || e->life == lives[e->domid];
}

static unsigned int rights(const struct perms *p, unsigned int domid)
{
	if (!domid || (p->p[0].domid == domid && alive(&p->p[0])))
		return R | W | OWNER;
	for (size_t i = 1; i < p->n; i++) {
		if (p->p[i].domid == 0x7ff5 ||
		    (p->p[i].domid == domid && alive(&p->p[i])))
			return p->p[i].rights;
	}
	return p->p[0].rights;
}

static bool same(const struct perms *a, const struct perms *b)
{
	return a->n == b->n && !memcmp(a->p, b->p, a->n * sizeof(a->p[0]));
}

static unsigned int count(const struct tree *t, unsigned int domid)
{
	unsigned int n = 0;

	for (int i = 0; i < PATHS && domid; i++)
		n += t->n[i].there && !is_special(paths[i].name) &&
		     t->n[i].perms.p[0].domid == domid;
	return n;
}

/* ---- Events --------------------------------------------------------------- */

static void note(unsigned int domid, const struct watch *w, const char *path,
		 bool must)
{
	struct event e = { .must = must };

	snprintf(e.text, sizeof(e.text), "%s|%s", path + w->skip, w->token);
	for (size_t i = 0; i < events[domid].n; i++) {
		if (!strcmp(events[domid].e[i].text, e.text)) {
			events[domid].e[i].must |= must;
			return;
		}
	}
	assert(events[domid].n < ARRAY_SIZE(events[domid].e));
	events[domid].e[events[domid].n++] = e;
}

static bool matches(const struct watch *w, const char *path, bool exact)
{
	size_t len = strlen(w->path);
	int depth = 0;

	if (!w->on)
		return false;
	if (!strcmp(w->path, path))
		return true;
	if (exact || is_special(path) || strncmp(w->path, path, len) != 0 ||
	    (len > 1 && path[len] != '/'))
		return false;
	for (const char *s = path + (len > 1 ? len : 0); *s; s++)
		depth += *s == '/';
	return w->depth < 0 || depth <= w->depth;
}

/* Tell those who watch @path and may read it by one of three permissions. */
static void fire(int path, bool exact, bool must, const struct perms *a,
		 const struct perms *b, const struct perms *c)
{
	const struct perms *by[] = { a, b, c };

	for (unsigned int d = 0; d < SM_CLIENTS; d++) {
		bool may = false;

		for (size_t i = 0; i < ARRAY_SIZE(by); i++)
			may = may || (by[i] && rights(by[i], d) & R);
		for (int i = 0; may && i < SM_WATCHES; i++)
			if (matches(&watches[d][i], paths[path].name, exact))
				note(d, &watches[d][i], paths[path].name, must);
	}
}

static const struct perms *perms_of(const struct tree *t, int path)
{
	return path >= 0 && t->n[path].there ? &t->n[path].perms : NULL;
}

static void begin(void)
{
	for (int d = 0; d < SM_CLIENTS; d++)
		events[d].n = 0;
	sm_reply[0] = '\0';
}

const char *sm_events_ok(unsigned int domid, char *const *got, size_t n)
{
	static char why[128];

	for (size_t i = 0; i < events[domid].n; i++)
		events[domid].e[i].came = false;
	for (size_t j = 0; j < n; j++) {
		bool known = false;

		for (size_t i = 0; i < events[domid].n; i++) {
			struct event *e = &events[domid].e[i];

			if (!strcmp(e->text, got[j]))
				e->came = known = true;
		}
		snprintf(why, sizeof(why), "dom%u gets %s", domid, got[j]);
		if (!known)
			return why;
	}
	for (size_t i = 0; i < events[domid].n; i++) {
		snprintf(why, sizeof(why), "dom%u lacks %s", domid,
			 events[domid].e[i].text);
		if (events[domid].e[i].must && !events[domid].e[i].came)
			return why;
	}
	return NULL;
}

/* ---- Changes of a tree ---------------------------------------------------- */

/* @told: the live tree, whose watchers hear of it. */
static void do_put(struct tree *t, int p, const char *value,
		   const struct perms *fresh, bool told)
{
	for (int i = 0; i < PATHS; i++) { /* parents come first */
		struct node *n = &t->n[i];

		if (!below(p, i) || n->there)
			continue;
		*n = (struct node){ .there = true,
				    .perms = *fresh,
				    .born = ++ticks };
		n->ver = n->kver = ++ticks;
		t->n[parent_of(i)].kver = ++ticks;
	}
	if (value) {
		snprintf(t->n[p].value, sizeof(t->n[p].value), "%s", value);
		t->n[p].ver = ++ticks;
	}
	if (told)
		fire(p, false, true, perms_of(t, p), perms_of(t, parent_of(p)),
		     NULL);
}

static void do_rm(struct tree *t, int p, bool told)
{
	for (int i = PATHS; told && i-- > 0;) {
		if (t->n[i].there && below(i, p))
			fire(i, i != p, true, perms_of(t, i),
			     perms_of(t, parent_of(i)), NULL);
	}
	for (int i = 0; i < PATHS; i++)
		if (below(i, p))
			t->n[i].there = false;
	t->n[parent_of(p)].kver = ++ticks;
}

static void do_chmod(struct tree *t, int p, const struct perms *perms,
		     bool told)
{
	struct perms old = t->n[p].perms;

	t->n[p].perms = *perms;
	t->n[p].ver = ++ticks;
	if (told)
		fire(p, false, true, perms, &old, perms_of(t, parent_of(p)));
}

/* ---- Requests ------------------------------------------------------------- */

/* A request on its way. */
struct req {
	struct sm_who who;
	struct txn *txn;
	struct tree *tree;
	int path, nearest, missing;
};

static int find_txn(struct sm_who w, struct txn **out)
{
	*out = NULL;
	if (!w.txn)
		return 0;
	if (w.txn > SM_TXNS || !txns[w.domid][w.txn - 1].open)
		return -ENOENT;
	*out = &txns[w.domid][w.txn - 1];
	return 0;
}

static void touch(const struct req *r, int path, unsigned int how)
{
	if (r->txn && path >= 0)
		r->txn->touched[path] |= how;
}

/* What all requests on nodes begin with; @touches for those that read. */
static int enter(struct req *r, struct sm_who w, const char *given,
		 unsigned int need, bool special, unsigned int touches)
{
	unsigned int has;
	char name[64];
	int ret;

	begin();
	*r = (struct req){ .who = w };
	ret = find_txn(w, &r->txn);
	if (ret)
		return ret;
	r->tree = r->txn ? &r->txn->tree : &live;
	if (!canon(w.domid, given, name))
		return -EINVAL;
	if (is_special(name) && !special)
		return -EINVAL;
	r->path = r->nearest = find(name);
	if (r->path < 0) /* @releaseDomain/1 has no node */
		return -ENOENT;
	while (!r->tree->n[r->nearest].there) {
		r->nearest = parent_of(r->nearest);
		r->missing++;
	}
	has = rights(&r->tree->n[r->nearest].perms, w.domid);
	if (r->missing && need == OWNER && has & W)
		return -ENOENT;
	if ((has & need) != need)
		return -EACCES;
	touch(r, r->path, touches);
	return r->missing && need != W ? -ENOENT : 0;
}

/* What is refused for its size spoils a transaction. */
static int too_much(struct req *r)
{
	if (r->txn)
		r->txn->error = -ENOSPC;
	return -ENOSPC;
}

static struct deed *deed(struct req *r, int what)
{
	struct deed *d;

	if (!r->txn)
		return NULL;
	assert(r->txn->ndeeds < ARRAY_SIZE(r->txn->deed));
	d = &r->txn->deed[r->txn->ndeeds++];
	*d = (struct deed){ .path = r->path };
	d->what = what;
	return d;
}

static int check_nodes(struct req *r)
{
	unsigned int domid = r->who.domid;
	long now = (long)count(&live, domid);

	if (!domid || !r->missing)
		return 0;
	if (r->txn)
		now += (long)count(&r->txn->tree, domid) -
		       (long)count(&r->txn->base, domid);
	return MAX(now, 0L) + r->missing > SM_MAX_NODES ? too_much(r) : 0;
}

static int put(struct req *r, const char *value)
{
	struct perms fresh = r->tree->n[r->nearest].perms;
	struct deed *d = deed(r, DO_PUT);

	if (r->who.domid && fresh.p[0].domid != r->who.domid) {
		fresh.p[0].domid = r->who.domid;
		fresh.p[0].life = lives[r->who.domid];
	}
	touch(r, r->path, NEEDS | PUT);
	for (int i = r->path; !r->tree->n[i].there; i = parent_of(i)) {
		touch(r, i, NEEDS | PUT | CHMOD);
		touch(r, parent_of(i), NEEDS);
	}
	if (d) {
		d->perms = fresh;
		snprintf(d->value, sizeof(d->value), "%s", value ? value : "");
	}
	do_put(r->tree, r->path, value, &fresh, !r->txn);
	return 0;
}

int sm_write(struct sm_who w, const char *path, const char *value)
{
	struct req r;
	int ret = enter(&r, w, path, W, false, 0);

	ret = ret ? ret : check_nodes(&r);
	if (ret)
		return ret;
	if (w.domid && strlen(value) > SM_MAX_VALUE)
		return too_much(&r);
	return put(&r, value);
}

int sm_mkdir(struct sm_who w, const char *path)
{
	struct req r;
	int ret = enter(&r, w, path, W, false, 0);

	ret = ret ? ret : check_nodes(&r);
	if (ret)
		return ret;
	if (!r.missing) {
		touch(&r, r.path, NEEDS);
		return 0;
	}
	return put(&r, NULL);
}

int sm_rm(struct sm_who w, const char *path)
{
	struct req r;
	int ret = enter(&r, w, path, W, false, 0);

	if (ret)
		return ret;
	if (r.missing) {
		touch(&r, r.path, NEEDS);
		return r.missing == 1 ? 0 : -ENOENT;
	}
	if (r.path == ROOT)
		return -EINVAL;
	touch(&r, r.path, NEEDS | GONE);
	deed(&r, DO_RM);
	do_rm(r.tree, r.path, !r.txn);
	return 0;
}

int sm_read(struct sm_who w, const char *path)
{
	struct req r;
	int ret = enter(&r, w, path, R, false, SAW);

	if (ret)
		return ret;
	snprintf(sm_reply, sizeof(sm_reply), "%s", r.tree->n[r.path].value);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int sm_list(struct sm_who w, const char *path)
{
	const char *names[PATHS];
	struct req r;
	size_t n = 0;
	int ret = enter(&r, w, path, R, false, LISTED);

	if (ret)
		return ret;
	for (int i = 0; i < PATHS; i++)
		if (r.tree->n[i].there && parent_of(i) == r.path)
			names[n++] = strrchr(paths[i].name, '/') + 1;
	qsort(names, n, sizeof(names[0]), by_name);
	for (size_t i = 0; i < n; i++)
		strcat(strcat(sm_reply, names[i]), " ");
	return 0;
}

int sm_get_perms(struct sm_who w, const char *path)
{
	const struct perms *p;
	struct req r;
	size_t at = 0;
	int ret = enter(&r, w, path, R, true, SAW);

	if (ret)
		return ret;
	p = &r.tree->n[r.path].perms;
	for (size_t i = 0; i < p->n; i++)
		if (!i || alive(&p->p[i]))
			at += (size_t)sprintf(sm_reply + at, "%c%u ",
					      "nrwb"[p->p[i].rights],
					      p -> p[i].domid);
	return 0;
}

static bool read_perm(struct perm *e, const char *s, bool first)
{
	static const char letters[] = "nrwb";
	const char *at = *s ? strchr(letters, *s) : NULL;
	uint64_t domid;

	if (!at || util_u64(s + 1, 0x7ff5, &domid) ||
	    (domid >= 0x7ff0 && (domid != 0x7ff5 || first)))
		return false;
	memset(e, 0, sizeof(*e));
	e->rights = (unsigned int)(at - letters);
	e->domid = (unsigned int)domid;
	e->life = domid < SM_CLIENTS ? lives[domid] : 0;
	return true;
}

int sm_set_perms(struct sm_who w, const char *path, const char *const *perms,
		 size_t n)
{
	struct perms p = { .n = n };
	struct deed *d;
	struct req r;
	int ret = enter(&r, w, path, OWNER, true, 0);

	if (ret)
		return ret;
	for (size_t i = 0; i < n; i++)
		if (!read_perm(&p.p[i], perms[i], i == 0))
			return -EINVAL;
	if (w.domid && p.p[0].domid != r.tree->n[r.path].perms.p[0].domid)
		return -EPERM;
	if (w.domid && n > SM_MAX_PERMS)
		return too_much(&r);
	touch(&r, r.path, NEEDS | CHMOD);
	d = deed(&r, DO_CHMOD);
	if (d)
		d->perms = p;
	do_chmod(r.tree, r.path, &p, !r.txn);
	return 0;
}

/* ---- Watches -------------------------------------------------------------- */

static struct watch *find_watch(unsigned int domid, const char *path,
				const char *token)
{
	for (int i = 0; i < SM_WATCHES; i++) {
		struct watch *w = &watches[domid][i];

		if (w->on && !strcmp(w->path, path) && !strcmp(w->token, token))
			return w;
	}
	return NULL;
}

unsigned int sm_watches(unsigned int domid)
{
	unsigned int n = 0;

	for (int i = 0; i < SM_WATCHES; i++)
		n += watches[domid][i].on;
	return n;
}

int sm_watch(unsigned int domid, const char *path, const char *token, int depth)
{
	char name[64];
	struct watch *w = watches[domid];

	begin();
	if (!canon(domid, path, name))
		return -EINVAL;
	if (domid && sm_watches(domid) >= SM_MAX_WATCHES)
		return -E2BIG;
	if (find_watch(domid, name, token))
		return -EEXIST;
	while (w->on)
		w++;
	assert(w < watches[domid] + SM_WATCHES);
	*w = (struct watch){ .on = true, .depth = depth };
	w->skip = strlen(name) - strlen(path);
	memcpy(w->path, name, sizeof(name));
	snprintf(w->token, sizeof(w->token), "%s", token);
	note(domid, w, name, true);
	return 0;
}

int sm_unwatch(unsigned int domid, const char *path, const char *token)
{
	struct watch *w;
	char name[64];

	begin();
	if (!canon(domid, path, name))
		return -EINVAL;
	w = find_watch(domid, name, token);
	if (!w)
		return -ENOENT;
	w->on = false;
	return 0;
}

void sm_reset_watches(unsigned int domid)
{
	begin();
	memset(watches[domid], 0, sizeof(watches[domid]));
	memset(txns[domid], 0, sizeof(txns[domid]));
}

/* ---- Transactions --------------------------------------------------------- */

unsigned int sm_txns(unsigned int domid)
{
	unsigned int n = 0;

	for (int i = 0; i < SM_TXNS; i++)
		n += txns[domid][i].open;
	return n;
}

int sm_start(struct sm_who w, int slot)
{
	struct txn *t;
	int ret;

	begin();
	ret = find_txn(w, &t);
	if (ret)
		return ret;
	if (t)
		return -EBUSY;
	if (w.domid && sm_txns(w.domid) >= SM_MAX_TXNS)
		return -ENOSPC;
	t = &txns[w.domid][slot - 1];
	assert(!t->open);
	*t = (struct txn){ .open = true, .base = live, .tree = live };
	return 0;
}

static bool still_true(const struct txn *t, int p)
{
	const struct node *was = &t->base.n[p], *is = &live.n[p];

	if (!t->touched[p] || (!was->there && !is->there))
		return true;
	if (was->there != is->there)
		return false;
	if (t->touched[p] & SAW && was->ver != is->ver)
		return false;
	if (t->touched[p] & LISTED && was->kver != is->kver)
		return false;
	return !(t->touched[p] & NEEDS) || same(&was->perms, &is->perms);
}

/* Do again, in the live tree, what was done in the transaction's. */
static void redo(const struct txn *t)
{
	for (size_t i = 0; i < t->ndeeds; i++) {
		const struct deed *d = &t->deed[i];

		if (d->what == DO_PUT)
			do_put(&live, d->path, d->value, &d->perms, true);
		else if (d->what == DO_CHMOD && live.n[d->path].there)
			do_chmod(&live, d->path, &d->perms, true);
		else if (d->what == DO_RM && live.n[d->path].there)
			do_rm(&live, d->path, true);
	}
}

/* Nobody can see what was undone again within the transaction. */
static void forget_detours(const struct txn *t, const struct tree *before)
{
	for (int p = 0; p < PATHS; p++) {
		const struct node *was = &before->n[p];
		struct node *is = &live.n[p];
		bool kids = false;

		for (int k = 0; k < PATHS; k++)
			kids = kids ||
			       (parent_of(k) == p &&
				(before->n[k].there != live.n[k].there ||
				 (live.n[k].there &&
				  before->n[k].born != live.n[k].born)));
		if (!was->there || !is->there || was->born != is->born)
			continue;
		if (!kids)
			is->kver = was->kver;
		if (!(t->touched[p] & PUT) && same(&was->perms, &is->perms))
			is->ver = was->ver;
	}
}

/* Of the events that were noted, those that cannot be left out. */
static void require_net(const struct txn *t, const struct tree *before)
{
	for (int d = 0; d < SM_CLIENTS; d++)
		for (size_t i = 0; i < events[d].n; i++)
			events[d].e[i].must = false;
	for (size_t i = 0; i < t->ndeeds; i++) {
		int p = t->deed[i].path;
		const struct node *was = &before->n[p], *is = &live.n[p];

		if (is->there && (!was->there || was->ver != is->ver))
			fire(p, true,
			     t->deed[i].what == DO_PUT ||
				     (was->there &&
				      !same(&was->perms, &is->perms)),
			     &is->perms, NULL, NULL);
		if (was->there && !is->there && t->touched[p] & GONE)
			fire(p, true, true, &was->perms, NULL, NULL);
	}
	/* Others may hear of it by what they could read before or after. */
	for (int p = 0; p < PATHS; p++) {
		if (!(t->touched[p] & (PUT | CHMOD | GONE)))
			continue;
		fire(p, false, false, perms_of(before, p), perms_of(&live, p),
		     perms_of(&t->tree, p));
		for (int k = 0; k < PATHS; k++)
			if (t->touched[p] & GONE && k != p && below(k, p))
				fire(k, true, false, perms_of(before, k),
				     perms_of(before, parent_of(k)), NULL);
	}
}

static int commit(struct txn *t, unsigned int domid)
{
	static struct tree before;
	unsigned int had = count(&live, domid), has;

	for (int p = 0; p < PATHS; p++)
		if (!still_true(t, p))
			return -EAGAIN;
	if (t->error)
		return t->error;
	for (int p = 0; p < PATHS; p++)
		if (t->touched[p] & (PUT | CHMOD) && t->tree.n[p].there &&
		    !alive(&t->tree.n[p].perms.p[0]))
			return -EAGAIN;
	before = live;
	redo(t);
	has = count(&live, domid);
	if (domid && has > had && has > SM_MAX_NODES) {
		live = before;
		begin();
		return -ENOSPC;
	}
	forget_detours(t, &before);
	require_net(t, &before);
	return 0;
}

int sm_end(struct sm_who w, bool ok)
{
	struct txn *t;
	int ret;

	begin();
	ret = find_txn(w, &t);
	if (ret)
		return ret;
	if (!t)
		return -ENOENT;
	if (ok)
		ret = commit(t, w.domid);
	t->open = false;
	return ret;
}

/* ---- Domains -------------------------------------------------------------- */

unsigned int sm_nodes(unsigned int domid)
{
	return count(&live, domid);
}

/* It had the only connection: what was its own ends, wherever it is. */
void sm_died(unsigned int domid)
{
	struct perms none = { .n = 1 };
	struct tree before = live;

	sm_reset_watches(domid);
	lives[domid]++;
	for (int p = 0; p < PATHS; p++) {
		if (!live.n[p].there || live.n[p].perms.p[0].domid != domid)
			continue;
		if (p == ROOT || is_special(paths[p].name))
			continue;
		do_rm(&live, p, false);
	}
	if (live.n[ROOT].perms.p[0].domid == domid)
		do_chmod(&live, ROOT, &none, true);
	for (int p = 0; p < PATHS; p++) {
		if (!before.n[p].there || live.n[p].there)
			continue;
		fire(p, true, true, perms_of(&before, p), NULL, NULL);
		fire(p, false, false, perms_of(&before, p),
		     perms_of(&before, parent_of(p)), NULL);
	}
}

void sm_reset(void)
{
	static const int first[] = { ROOT, PATHS - 2, PATHS - 1 };

	memset(&live, 0, sizeof(live));
	memset(txns, 0, sizeof(txns));
	memset(watches, 0, sizeof(watches));
	ticks = 0;
	for (size_t i = 0; i < ARRAY_SIZE(first); i++) {
		struct node *n = &live.n[first[i]];

		*n = (struct node){ .there = true };
		n->perms.n = 1;
	}
	live.n[PATHS - 1].perms.p[1] =
		(struct perm){ .domid = 0x7ff5, .rights = R };
	live.n[PATHS - 1].perms.n = 2;
	begin();
}
