/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_mem.h - a domain's RAM, written into a stream. */
#ifndef TOOLS_XL_MEM_H
#define TOOLS_XL_MEM_H

#include "base/domsock.h"
#include "base/savefile.h"

/**
 * xl_mem_put() - Write all of a domain's RAM, as SAVE_MEMORY.
 * @dom: Connection as DOM_ROLE_ADMIN; the domain should be paused.
 *
 * Pages that are all zero are left out.
 *
 * Return: 0; -EPROTO if what its VMM says makes no sense; or -errno.
 */
int xl_mem_put(struct savefile *s, struct dom *dom) must_check;

#endif
