/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_change.h - changing the configuration that is kept of a domain. */
#ifndef TOOLS_XL_CHANGE_H
#define TOOLS_XL_CHANGE_H

#include "tools/xl_cfg.h"

/** struct xl_change - The kept configuration of a domain, being changed. */
struct xl_change {
	unsigned int domid;
	char *text;
	struct xl_cfg cfg; /* what @text says */
	int lock;
};

/**
 * xl_change_begin() - Read what is kept; one change at a time.
 * @c: To be ended by xl_change_end(), also after an error.
 *
 * Return: 0 or -errno; reported.
 */
int xl_change_begin(struct xl_change *c, unsigned int domid) must_check;

/**
 * xl_change_to() - Go on with another text, which must be a configuration.
 * @text: *Given*.
 * @what: For messages.
 *
 * Return: 0 or -errno; reported.
 */
int xl_change_to(struct xl_change *c, char *text, const char *what) must_check;

/** xl_change_set() - Set a key, as xl_cfg_set(); Return: 0 or -errno; reported. */
int xl_change_set(struct xl_change *c, const char *key,
		  const char *const *values, size_t n) must_check;

/** xl_change_keep() - Keep it; Return: 0 or -errno; reported. */
int xl_change_keep(const struct xl_change *c) must_check;

/**
 * xl_change_name() - Give a domain another name, also for its next lives.
 *
 * Return: 0 or -errno; reported.
 */
int xl_change_name(unsigned int domid, const char *name) must_check;

/** xl_change_end() - Release all; what was not kept is forgotten. */
void xl_change_end(struct xl_change *c);

#endif
