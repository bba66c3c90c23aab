/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/why.h - one line for the operator: what is wrong, what to do. */
#ifndef HYPERVISOR_WHY_H
#define HYPERVISOR_WHY_H

#include <stdint.h>

#include "base/util.h"

/**
 * struct why - The reason of a refusal, beside the -errno.
 *
 * Names the object, the value seen and a remedy; without prefix and newline, so
 * that main.c can end with it.  Set by every function that takes one and fails.
 */
struct why {
	char text[512];
};

/**
 * why_set() - Set the reason.
 * @err: -errno.
 *
 * Return: @err, so that a check can return why_set(...).
 */
int why_set(struct why *why, int err, const char *fmt, ...)
	printf_like(3, 4) must_check;

/** WHY_SIZE_MAX - Bytes for why_size(). */
#define WHY_SIZE_MAX 32

/** why_size() - Bytes for a reader: "12 bytes", "1.5 KiB", "600 MiB". */
const char *why_size(char buf[WHY_SIZE_MAX], uint64_t bytes);

#endif
