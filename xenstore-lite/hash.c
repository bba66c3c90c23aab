// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/hash.c - seeded hashing and intrusive hash tables.
#include "xenstore-lite/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static uint64_t secret[2] = { 0x9e3779b97f4a7c15u, 0xd1b54a32d192ed03u };

void hash_seed(void)
{
	uint64_t r[2];

	/* Early in boot there may be no entropy yet: the constants remain. */
	if (getrandom(r, sizeof(r), GRND_NONBLOCK) != sizeof(r))
		return;
	secret[0] ^= r[0];
	secret[1] ^= r[1];
}

/* Multiply to 128 bits and fold: each input bit reaches each output bit. */
static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

uint64_t hash_bytes(const void *p, size_t n, uint64_t salt)
{
	const unsigned char *at = p;
	uint64_t h = secret[0] ^ mix(n + 1, secret[1] ^ salt);
	uint64_t word;

	for (; n > 8; n -= 8, at += 8) {
		memcpy(&word, at, 8);
		h = mix(h ^ word, secret[1]);
	}
	word = 0;
	memcpy(&word, at, n);
	return mix(h ^ word, secret[0] | 1);
}

static void rehash(struct htab *t, struct hlink **to, size_t n)
{
	for (size_t i = 0; i < t->nbuckets; i++) {
		struct hlink *l = t->bucket[i];

		while (l) {
			struct hlink *next = l->next;
			struct hlink **head = &to[l->hash & (n - 1)];

			l->next = *head;
			*head = l;
			l = next;
		}
	}
	free(t->bucket);
	t->bucket = to;
	t->nbuckets = n;
}

int htab_reserve(struct htab *t)
{
	struct hlink **to;
	size_t want = t->nbuckets ? t->nbuckets * 2 : 8;

	if (t->n < t->nbuckets)
		return 0;
	to = calloc(want, sizeof(struct hlink *));
	if (to)
		rehash(t, to, want);
	return t->nbuckets ? 0 : -ENOMEM;
}

void htab_add(struct htab *t, struct hlink *l, uint64_t hash)
{
	struct hlink **head = &t->bucket[hash & (t->nbuckets - 1)];

	l->hash = hash;
	l->next = *head;
	*head = l;
	t->n++;
}

void htab_del(struct htab *t, struct hlink *l)
{
	struct hlink **at = &t->bucket[l->hash & (t->nbuckets - 1)];

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	t->n--;
}

struct hlink *htab_first(const struct htab *t, uint64_t hash)
{
	struct hlink *l;

	if (!t->nbuckets)
		return NULL;
	l = t->bucket[hash & (t->nbuckets - 1)];
	while (l && l->hash != hash)
		l = l->next;
	return l;
}

struct hlink *htab_next(const struct hlink *l)
{
	uint64_t hash = l->hash;
	struct hlink *n = l->next;

	while (n && n->hash != hash)
		n = n->next;
	return n;
}

void htab_fini(struct htab *t)
{
	free(t->bucket);
	*t = (struct htab){ 0 };
}
