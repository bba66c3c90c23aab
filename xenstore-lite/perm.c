// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/perm.c - who may do what with a node.
#include "xenstore-lite/perm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t lives[DOMID_LIMIT];

uint32_t perm_life(unsigned int domid)
{
	return domid < DOMID_LIMIT ? lives[domid] : 0;
}

void perm_died(unsigned int domid)
{
	if (domid < DOMID_LIMIT)
		lives[domid]++;
}

void perm_set_life(unsigned int domid, uint32_t life)
{
	if (domid < DOMID_LIMIT)
		lives[domid] = life;
}

static bool alive(const struct perm_entry *e)
{
	return e->life == perm_life(e->domid);
}

static struct perms *perm_alloc(size_t n)
{
	struct perms *p;

	p = malloc(sizeof(*p) + n * sizeof(p->e[0]));
	if (!p)
		return NULL;
	p->refs = 1;
	p->n = (uint32_t)n;
	return p;
}

struct perms *perm_new(const struct perm_entry *e, size_t n)
{
	struct perms *p = perm_alloc(n);

	if (p)
		memcpy(p->e, e, n * sizeof(p->e[0]));
	return p;
}

static int parse_one(struct perm_entry *e, const char *s)
{
	static const char letters[] = "nrwb"; /* by value of PERM_READ|WRITE */
	const char *at = *s ? strchr(letters, *s) : NULL;
	uint64_t domid;

	if (!at || util_u64(s + 1, DOMID_EVERY, &domid))
		return -EINVAL;
	if (domid >= DOMID_LIMIT && domid != DOMID_EVERY)
		return -EINVAL;
	e->rights = (uint8_t)(at - letters);
	e->domid = (uint16_t)domid;
	e->life = perm_life(e->domid);
	return 0;
}

int perm_parse(struct perms **out, const char *text, size_t len)
{
	struct perms *p;
	size_t n = 0;
	size_t i = 0;

	if (!len || text[len - 1])
		return -EINVAL;
	for (const char *s = text; s < text + len; s += strlen(s) + 1)
		n++;
	if (n > PERM_MAX)
		return -EINVAL;
	p = perm_alloc(n);
	if (!p)
		return -ENOMEM;
	for (const char *s = text; i < n; s += strlen(s) + 1, i++) {
		if (parse_one(&p->e[i], s) ||
		    (i == 0 && p->e[0].domid == DOMID_EVERY)) {
			free(p);
			return -EINVAL;
		}
	}
	*out = p;
	return 0;
}

void perm_void(struct perms *p, unsigned int domid)
{
	for (uint32_t i = 1; i < p->n; i++)
		if (p->e[i].domid == domid)
			p->e[i].life = perm_life(domid) - 1;
}

size_t perm_print(const struct perms *p, char *buf)
{
	size_t at = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		if (i && !alive(&p->e[i]))
			continue;
		at += (size_t)snprintf(buf + at, PERM_TEXT - at, "%c%u",
				       "nrwb"[p->e[i].rights & 3],
				       p -> e[i].domid) +
		      1;
	}
	return at;
}

struct perms *perm_default(unsigned int domid)
{
	const struct perm_entry e = { .domid = (uint16_t)domid,
				      .rights = PERM_NONE,
				      .life = perm_life(domid) };

	return perm_new(&e, 1);
}

struct perms *perm_inherit(struct perms *parent, const struct perm_who *who)
{
	struct perms *p;

	if (who->privileged || perm_owner(parent) == who->domid)
		return perm_get(parent);
	p = perm_alloc(parent->n);
	if (!p)
		return NULL;
	memcpy(p->e, parent->e, p->n * sizeof(p->e[0]));
	p->e[0].domid = (uint16_t)who->domid;
	p->e[0].life = perm_life(who->domid);
	return p;
}

static bool names(const struct perm_entry *e, const struct perm_who *who)
{
	if (!alive(e))
		return false;
	return e->domid == who->domid || e->domid == DOMID_EVERY ||
	       ((int)e->domid == who->target && e->life == who->target_life);
}

unsigned int perm_rights(const struct perms *p, const struct perm_who *who)
{
	if (who->privileged || names(&p->e[0], who))
		return PERM_READ | PERM_WRITE | PERM_OWNER;
	for (uint32_t i = 1; i < p->n; i++) {
		if (names(&p->e[i], who))
			return p->e[i].rights;
	}
	return p->e[0].rights;
}

unsigned int perm_owner(const struct perms *p)
{
	return p->e[0].domid;
}

bool perm_owner_alive(const struct perms *p)
{
	return alive(&p->e[0]);
}

bool perm_equal(const struct perms *a, const struct perms *b)
{
	if (a == b)
		return true;
	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		if (a->e[i].domid != b->e[i].domid ||
		    a->e[i].rights != b->e[i].rights ||
		    a->e[i].life != b->e[i].life)
			return false;
	}
	return true;
}

struct perms *perm_get(struct perms *p)
{
	p->refs++;
	return p;
}

void perm_put(struct perms *p)
{
	if (p && --p->refs == 0)
		free(p);
}
