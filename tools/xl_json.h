/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_json.h - domains as JSON, in libxl's layout. */
#ifndef TOOLS_XL_JSON_H
#define TOOLS_XL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/xl_cfg.h"

/**
 * xl_json_config() - A configuration as `xl create -n` prints it.
 * @live: With the values that a domain that exists has in addition.
 * @text: *Owned* by the caller: pretty printed by four spaces, which scripts
 *        rely on; ends in a newline.
 *
 * Return: 0 or -ENOMEM.
 */
int xl_json_config(const struct xl_cfg *c, bool live, char **text) must_check;

/** xl_json_disk(), xl_json_vif() - One device, likewise. */
int xl_json_disk(const struct xl_disk *d, char **text) must_check;
int xl_json_vif(const struct xl_vif *v, char **text) must_check;

/**
 * xl_json_dom0() - The same for domain 0.
 */
int xl_json_dom0(uint64_t memory_kib, char **text) must_check;

/** struct xl_json_dom - One element of `xl list -l`. */
struct xl_json_dom {
	unsigned int domid;
	const char *config; /* from one of the functions above */
};

/** xl_json_list() - Print an array of domains, as `xl list -l` does. */
void xl_json_list(const struct xl_json_dom *doms, size_t n);

#endif
