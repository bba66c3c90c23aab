/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/sanitized.h - whether this is a build with AddressSanitizer. */
#ifndef TESTS_LIB_SANITIZED_H
#define TESTS_LIB_SANITIZED_H

/* SANITIZED: 1 where all is slow, and memory use says nothing of ours. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

#endif
