// SPDX-License-Identifier: GPL-2.0-or-later
// base/util.c - small helpers that need no state.
#include "base/util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int util_u64(const char *s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -ERANGE;
	}
	if (v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

void *util_memdup(const void *data, size_t len)
{
	void *copy = malloc(len ? len : 1);

	return copy ? memcpy(copy, data, len) : NULL;
}

uint64_t util_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

char *util_escape(char *dst, size_t size, const void *src, size_t len)
{
	const unsigned char *in = src;
	size_t at = 0;

	dst[0] = '\0';
	for (size_t i = 0; i < len; i++) {
		bool plain = in[i] >= 0x20 && in[i] < 0x7f && in[i] != '\\';
		size_t need = plain ? 1 : 4;

		/* Keep room for the mark that says something was cut. */
		if (at + need + (i + 1 < len ? 3 : 0) + 1 > size) {
			if (size > 3)
				memcpy(dst + MIN(at, size - 4), "...", 4);
			break;
		}
		if (plain)
			dst[at] = (char)in[i];
		else
			snprintf(dst + at, 5, "\\x%02x", in[i]);
		at += need;
		dst[at] = '\0';
	}
	return dst;
}
