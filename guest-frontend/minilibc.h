/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/minilibc.h - what a guest has of the C library. */
#ifndef GUEST_FRONTEND_MINILIBC_H
#define GUEST_FRONTEND_MINILIBC_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A hosted compiler, as linters are, brings its own. */
#if __STDC_HOSTED__
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#else
void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);

/**
 * vsnprintf(), snprintf() - C's, for d i u x X c s p and %, with the flags 0 and
 * -, a width, a precision for strings, and the lengths l, ll, z and j.
 */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
int snprintf(char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * strtoull() - C's, but for blanks, signs and overflow.
 * @base: 10, 16, or 0 for what begins with 0x or does not.
 */
unsigned long long strtoull(const char *s, char **end, int base);
#endif

#endif
