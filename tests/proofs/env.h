/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/proofs/env.h - the world as CBMC shall see it. */
#ifndef TESTS_PROOFS_ENV_H
#define TESTS_PROOFS_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How it works
 *
 * A proof includes this, then the project's own source file, and checks what it
 * does for every value of everything not yet known.  Such values come from
 * functions whose names begin with nondet_: CBMC takes each call's result as any
 * value of its type.
 *
 * Shared memory is a peer that writes at any time: what is read from it is any
 * value, anew at each read.  So ring/shm.h is replaced; that it fetches once is
 * shown from the machine code (tests/lint/fetch.sh).
 */
uint8_t nondet_any_u8(void);
uint16_t nondet_any_u16(void);
uint32_t nondet_any_u32(void);
uint64_t nondet_any_u64(void);
bool nondet_any_bool(void);

#define any_u8	 nondet_any_u8
#define any_u16	 nondet_any_u16
#define any_u32	 nondet_any_u32
#define any_u64	 nondet_any_u64
#define any_bool nondet_any_bool

#define ASSUME(x)     __CPROVER_assume(x)
#define PROVE(x, why) __CPROVER_assert(x, why)

#define RING_SHM_H
#define SHM
typedef uint32_t shm_word;

static inline void shm_race(const void *at, size_t n)
{
	PROVE(__CPROVER_rw_ok(at, n), "looks at shared memory only");
}

static inline void shm_fetch(void *to, const void *from, size_t n)
{
	PROVE(__CPROVER_r_ok(from, n), "fetches from the shared pages only");
	PROVE(__CPROVER_w_ok(to, n), "fetches into the caller's memory only");
#ifndef BYTES_DO_NOT_MATTER /* a slice of any size takes long */
	__CPROVER_havoc_slice(to, n);
#endif
}

static inline void shm_post(void *to, const void *from, size_t n)
{
	PROVE(__CPROVER_w_ok(to, n), "posts into the shared pages only");
	PROVE(__CPROVER_r_ok(from, n), "posts from the caller's memory only");
}

static inline void *shm_bulk(void *p)
{
	return p;
}

static inline uint32_t shm_acquire(const shm_word *w)
{
	PROVE(__CPROVER_r_ok(w, sizeof(*w)), "an index word");
	return any_u32();
}

static inline void shm_release(shm_word *w, uint32_t v)
{
	(void)v;
	PROVE(__CPROVER_w_ok(w, sizeof(*w)), "an index word");
}

static inline uint32_t shm_sync(shm_word *ours, uint32_t v,
				const shm_word *theirs)
{
	shm_release(ours, v);
	return shm_acquire(theirs);
}

#endif
