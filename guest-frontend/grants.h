/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/grants.h - the guest's grant table, version 1. */
#ifndef GUEST_FRONTEND_GRANTS_H
#define GUEST_FRONTEND_GRANTS_H

#include <stdbool.h>
#include <stdint.h>

/** GRANTS_NONE - No reference: 0 is reserved by Xen. */
#define GRANTS_NONE 0u

/**
 * grants_init() - Place the first frames of the table.
 * @frames: 512 references in each; at most what the domain may have.
 *
 * Return: 0 or a negative errno of Xen.
 */
int grants_init(unsigned int frames);

/**
 * grants_resume() - Place the table in another life, where it is empty.
 *
 * All references are void, and free: nobody may end one of before.
 *
 * Return: as grants_init().
 */
int grants_resume(void);

/**
 * grants_give() - Let domain @remote use a page.
 * @page: Borrowed until grants_end() has returned 0.
 *
 * Return: the reference, or GRANTS_NONE when all are in use.
 */
uint32_t grants_give(unsigned int remote, const void *page, bool readonly);

/**
 * grants_end() - Take a page back; GRANTS_NONE is fine.
 *
 * Return: 0, or -XEN_EBUSY while the other side uses it: try again later.
 */
int grants_end(uint32_t ref);

/**
 * struct grants_page - A page of ours that stays granted; all 0: none yet.
 * @ref: GRANTS_NONE after grants_page_lost().
 */
struct grants_page {
	void *mem;
	uint32_t ref;
};

/**
 * grants_page_make() - Make the page, zeroed, and grant it, unless it is done.
 *
 * Return: whether it is there.
 */
bool grants_page_make(struct grants_page *p, unsigned int remote,
		      bool readonly);

/**
 * grants_page_drop() - Give it back if it is there.
 *
 * A page that the other side still uses is lost: nobody may use it again.
 */
void grants_page_drop(struct grants_page *p);

/** grants_page_lost() - In another life: it is there, but granted no more. */
void grants_page_lost(struct grants_page *p);

/** grants_free_refs() - References that are not in use. */
unsigned int grants_free_refs(void);

#endif
