/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/guest/args.h - what the command line asks of a test guest. */
#ifndef TESTS_GUEST_ARGS_H
#define TESTS_GUEST_ARGS_H

#include <stdint.h>

#include "guest-frontend/minilibc.h"

/** arg_u64() - The number behind "NAME=" in @cmdline, or @otherwise. */
static inline uint64_t arg_u64(const char *cmdline, const char *name,
			       uint64_t otherwise)
{
	size_t n = strlen(name);

	for (const char *p = cmdline; p; p = strchr(p, ' ')) {
		p += *p == ' ';
		if (!strncmp(p, name, n) && p[n] == '=')
			return strtoull(p + n + 1, NULL, 0);
	}
	return otherwise;
}

#endif
