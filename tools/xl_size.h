/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_size.h - how large a domain is to be, and whether its guest listens. */
#ifndef TOOLS_XL_SIZE_H
#define TOOLS_XL_SIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

/**
 * xl_size_parse() - Read a size as mem-set has it: "512", "512m", "1g", "262144k".
 * @kib: Filled on success.
 *
 * One letter, of b k m g t in either case, may follow; without one it is MiB, as
 * with Xen's xl (whatever its manual says).
 *
 * Return: 0 or -EINVAL.
 */
int xl_size_parse(const char *s, uint64_t *kib) must_check;

/**
 * xl_size_covers() - Whether a watch on @path fires when @node changes.
 * @path: UNTRUSTED: as the guest gave it, maybe relative to its own nodes.
 * @node: Below /local/domain/@domid, without that.
 */
bool xl_size_covers(unsigned int domid, const char *path, const char *node);

/**
 * xl_size_heard() - Whether the guest watches a node, as a driver does.
 * @node: As for xl_size_covers().
 *
 * Return: 0, -ENOENT if it does not, or -errno; not reported.
 */
int xl_size_heard(unsigned int domid, const char *node) must_check;

#endif
