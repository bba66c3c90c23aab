/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/util.h - small helpers that need no state. */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))

/* 1 with AddressSanitizer: all is slow, and memory use says nothing of ours. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define must_check	       __attribute__((warn_unused_result))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

#define SV_PAGE_SHIFT 12
#define SV_PAGE_SIZE  4096u

/**
 * util_u64() - Parse a whole string as an unsigned decimal number.
 * @s:   NUL-terminated text; leading blanks, signs and trailing text refused.
 * @max: Largest value allowed.
 * @out: Written only on success.
 *
 * Return: 0, -EINVAL if @s is not a number, -ERANGE if it exceeds @max.
 */
int util_u64(const char *s, uint64_t max, uint64_t *out) must_check;

/** util_memdup() - A copy, *owned* by the caller, of 0 bytes, too; NULL without memory. */
void *util_memdup(const void *data, size_t len) must_check;

/** util_clock_ns() - CLOCK_MONOTONIC in nanoseconds. */
uint64_t util_clock_ns(void);

/**
 * util_escape() - Copy untrusted bytes as printable ASCII.
 * @dst:  Receives NUL-terminated text; other bytes appear as \xNN.
 * @size: Bytes at @dst, at least 1; longer results end in "...".
 * @src:  Bytes to show, need not be terminated.
 * @len:  Number of bytes at @src.
 *
 * Return: @dst.
 */
char *util_escape(char *dst, size_t size, const void *src, size_t len);

#endif
