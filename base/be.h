/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/be.h - numbers as networks and image formats have them. */
#ifndef BASE_BE_H
#define BASE_BE_H

#include <stdint.h>

/** get_be16() - Two bytes at @p, of any alignment, most significant first. */
static inline uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/** get_be32() - Four bytes. */
static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)get_be16(p) << 16 | get_be16(p + 2);
}

/** get_be64() - Eight bytes. */
static inline uint64_t get_be64(const uint8_t *p)
{
	return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
}

/** set_be16() - The low 16 bits of @v. */
static inline void set_be16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/** set_be32() - As set_be16(), all of it. */
static inline void set_be32(uint8_t *p, uint32_t v)
{
	set_be16(p, v >> 16);
	set_be16(p + 2, v);
}

#endif
