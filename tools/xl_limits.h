/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_limits.h - what the store offers domains, and how much they may have of it. */
#ifndef TOOLS_XL_LIMITS_H
#define TOOLS_XL_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

/** struct xl_limit - One quota: "name=value". */
struct xl_limit {
	char *name; /* *owned* */
	uint32_t value;
};

/**
 * xl_limit_parse() - Read "name=value".
 * @why: What is wrong, on -EINVAL.
 *
 * Return: 0, -EINVAL, or -ENOMEM.
 */
int xl_limit_parse(struct xl_limit *l, const char *spec,
		   const char **why) must_check;

/** XL_LIMITS_ALL - In the place of a domid: the store's global values. */
#define XL_LIMITS_ALL (-1)

/**
 * xl_limits_get() - All quotas, of a domain or the global ones.
 * @out: *n of them, *owned* by the caller: xl_limits_free().
 *
 * None if the store knows of no such thing.  Return: 0, -ENOENT if there is no such
 * domain, or -errno; not reported.
 */
int xl_limits_get(int domid, struct xl_limit **out, size_t *n) must_check;
void xl_limits_free(struct xl_limit *l, size_t n);

/**
 * xl_limits_set() - Change quotas, in order, to the first that cannot be.
 * @failed: The one, on errors.
 *
 * Return: 0, -EINVAL for a name or value that the store does not know, -ENOENT if
 * there is no such domain, or -errno; not reported.
 */
int xl_limits_set(int domid, const struct xl_limit *l, size_t n,
		  size_t *failed) must_check;

/** xl_features_get() - What the store offers; Return: 0 or -errno. */
int xl_features_get(uint32_t *features) must_check;

/** xl_features_set() - Offer that to a domain that is not introduced yet. */
int xl_features_set(unsigned int domid, uint32_t features) must_check;

#endif
