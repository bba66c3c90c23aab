/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/perm.h - who may do what with a node. */
#ifndef XENSTORE_LITE_PERM_H
#define XENSTORE_LITE_PERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

/*
 * The first domid that names no domain, the one that names whoever asks, and the one
 * that names all (xen.h).
 */
#define DOMID_LIMIT  0x7ff0u
#define DOMID_MYSELF 0x7ff0u
#define DOMID_EVERY  0x7ff5u

enum perm_rights {
	PERM_NONE = 0,
	PERM_READ = 1,
	PERM_WRITE = 2,
	PERM_OWNER = 4,
};

/** struct perm_entry - Rights of one domain, in one of its lives. */
struct perm_entry {
	uint16_t domid;
	uint8_t rights;
	uint32_t life; /* perm_life(domid) when the right was given */
};

/**
 * struct perms - Immutable, shared by all nodes that inherit it.
 *
 * Entry 0 names the owner, and its rights are everybody else's.
 */
struct perms {
	uint32_t refs;
	uint32_t n;
	struct perm_entry e[];
};

/** struct perm_who - In whose name a request is made. */
struct perm_who {
	unsigned int domid;
	int target; /* domid whose rights it has too (SET_TARGET), or -1 */
	uint32_t target_life; /* perm_life(target) when that was said */
	bool privileged;
};

/**
 * perm_life() - How often a domain of this number has died.
 * @domid: Below DOMID_LIMIT, else the answer is 0.
 *
 * A right is bound to the life in which, or before which, it was given: it
 * ends when the domain does, and says nothing about the next domain of the
 * same number (XSA-322, XSA-417).
 */
uint32_t perm_life(unsigned int domid);

/** perm_died() - End all rights of this domid's present life. */
void perm_died(unsigned int domid);

/** perm_set_life() - perm_life(), as the journal says it was. */
void perm_set_life(unsigned int domid, uint32_t life);

/** perm_new() - Copy @n entries; Return: *owned* by the caller, or NULL. */
struct perms *perm_new(const struct perm_entry *e, size_t n);

/**
 * perm_parse() - Read "<letter><domid>" strings, as SET_PERMS carries them.
 * @out:  *Owned* by the caller; written only on success.
 * @text: UNTRUSTED: strings, each ending in NUL; @len bytes in all.
 *
 * Return: 0, -EINVAL for malformed text or too many entries, -ENOMEM.
 */
int perm_parse(struct perms **out, const char *text, size_t len) must_check;

/** perm_void() - Rights given to @domid in a list that nobody shares give nothing. */
void perm_void(struct perms *p, unsigned int domid);

/**
 * perm_print() - The reverse of perm_parse(), without dead domains.
 * @buf: PERM_TEXT bytes.
 *
 * Return: bytes written, NULs included.
 */
size_t perm_print(const struct perms *p, char *buf);
#define PERM_MAX  256
#define PERM_TEXT (PERM_MAX * 8ul)

/** perm_default() - "n<domid>"; Return: *owned* by the caller, or NULL. */
struct perms *perm_default(unsigned int domid);

/**
 * perm_inherit() - What a new child of a node with @parent gets.
 * @who: Its creator; becomes the owner if unprivileged.
 *
 * Return: *owned* by the caller (perhaps @parent itself), or NULL.
 */
struct perms *perm_inherit(struct perms *parent, const struct perm_who *who);

/** perm_rights() - PERM_* bits of @who on a node with @p. */
unsigned int perm_rights(const struct perms *p, const struct perm_who *who);

/** perm_owner() - The domid that a node with @p is charged to. */
unsigned int perm_owner(const struct perms *p);

/** perm_owner_alive() - Whether that domain has not died since. */
bool perm_owner_alive(const struct perms *p);

/** perm_equal() - Whether two lists say the same. */
bool perm_equal(const struct perms *a, const struct perms *b);

struct perms *perm_get(struct perms *p);
void perm_put(struct perms *p);

#endif
