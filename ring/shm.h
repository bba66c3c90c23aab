/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring/shm.h - the only ways to touch memory that another domain can write. */
#ifndef RING_SHM_H
#define RING_SHM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * SHM - Marks a pointer to memory that a peer can write at any time.
 *
 * clang refuses *p, p->x and p[i] on it, and passing it where a plain pointer is
 * wanted; &p->x and arithmetic are fine. So what is there gets out through the
 * functions below, or not at all. gcc has no such check.
 */
#ifdef __clang__
#define SHM __attribute__((noderef))
#else
#define SHM
#endif

/*
 * How it works
 *
 * Bytes go through shm_fetch() and shm_post(): one copy, after which the
 * private copy is what gets judged and used. Index words go through
 * shm_acquire(), shm_release() and shm_sync(). There are no fences: whoever
 * publishes a word and must then look at the other side's (have I been asked to
 * notify? did work arrive while I decided to sleep?) does both in shm_sync(),
 * whose store and load take part in one order that all threads agree on. One
 * side or the other, or both, sees what the other wrote; nobody misses both.
 * On x86 that is one xchg and a plain load, and TSan understands it.
 */

/* A 32-bit word in shared memory. UNTRUSTED: a peer may write it at any time. */
typedef _Atomic uint32_t shm_word;

_Static_assert(sizeof(shm_word) == sizeof(uint32_t), "no hidden lock");
_Static_assert(_Alignof(shm_word) == _Alignof(uint32_t), "as in Xen's structs");

/*
 * SV_FUZZ_SHM (fuzzing builds only): shm_racer, if set, plays a peer that writes
 * whenever somebody looks; before and after, so that whoever looks twice sees
 * two different things (tests/lib/fuzz.h).
 */
#ifdef SV_FUZZ_SHM
__attribute__((weak)) void (*shm_racer)(void *at, size_t n);
#endif

/** shm_race() - The peer may write now; nothing but in fuzzing builds. */
static inline void shm_race(const volatile void SHM *at, size_t n)
{
#ifdef SV_FUZZ_SHM
	if (shm_racer)
		shm_racer((void *)(uintptr_t)at, n);
#else
	(void)at;
	(void)n;
#endif
}

/**
 * shm_fetch() - Copy bytes out of shared memory, once.
 * @to:   Private memory.
 * @from: UNTRUSTED: shared memory.
 * @n:    Bytes.
 *
 * A plain memcpy() is not a copy: gcc -O2 may compare one byte in @from and load
 * it a second time for a jump table. The empty asm takes @to and claims to
 * change all memory, so what is read from @to afterwards comes from @to.
 * Ordering: none; acquire the index that covers the bytes first.
 */
static inline void shm_fetch(void *to, const void SHM *from, size_t n)
{
	shm_race((const void *)from, n);
	__builtin_memcpy(to, (const void *)from, n);
	__asm__ volatile("" : : "r"(to) : "memory");
	shm_race((const void *)from, n);
}

/**
 * shm_post() - Copy bytes into shared memory.
 * @to:   UNTRUSTED: shared memory; never read back by this.
 * @from: Private memory; padding in it is sent too, so zero it.
 * @n:    Bytes.
 *
 * Ordering: none; publish the index that covers the bytes afterwards.
 */
static inline void shm_post(void SHM *to, const void *from, size_t n)
{
	__builtin_memcpy((void *)to, from, n);
	__asm__ volatile("" : : "r"(to) : "memory");
}

/**
 * shm_bulk() - A plain pointer to shared bytes that nobody here looks at.
 * @p: UNTRUSTED: shared memory.
 *
 * For whoever moves or unmaps them unseen: an iovec, munmap(), KVM.
 */
static inline void *shm_bulk(void SHM *p)
{
	return (void *)p;
}

/**
 * shm_acquire() - Read a word; what its writer wrote before it is then seen.
 * @w: UNTRUSTED: shared word. Each call is exactly one load.
 */
static inline uint32_t shm_acquire(const shm_word SHM *w)
{
	const shm_word *word = (const shm_word *)w;
	uint32_t v;

	shm_race(word, sizeof(*word));
	v = atomic_load_explicit(word, memory_order_acquire);
	shm_race(word, sizeof(*word));
	return v;
}

/**
 * shm_release() - Write a word after everything written before it.
 * @w: Shared word.
 * @v: New value.
 */
static inline void shm_release(shm_word SHM *w, uint32_t v)
{
	atomic_store_explicit((shm_word *)w, v, memory_order_release);
}

/**
 * shm_sync() - Publish our word, then look at the peer's.
 * @ours:   Word that we write.
 * @v:      Its new value.
 * @theirs: UNTRUSTED: word that the peer writes.
 *
 * Ordering: pairs with a shm_sync() of the peer with the two words exchanged: at
 * least one of the two calls sees the other's store. Also releases what was
 * written before and acquires what came before @theirs.
 *
 * Return: the value of @theirs after @ours was visible to all.
 */
static inline uint32_t shm_sync(shm_word SHM *ours, uint32_t v,
				const shm_word SHM *theirs)
{
	const shm_word *word = (const shm_word *)theirs;
	uint32_t seen;

	atomic_store_explicit((shm_word *)ours, v, memory_order_seq_cst);
	shm_race(word, sizeof(*word));
	seen = atomic_load_explicit(word, memory_order_seq_cst);
	shm_race(word, sizeof(*word));
	return seen;
}

/* For shm_look(): more than a busy writer uses up. */
#define SHM_LOOK_TRIES 8

/**
 * shm_look() - Read two indices, one of which follows the other, as they were at
 * one moment; for an observer that takes no part.
 * @behind: UNTRUSTED: index that never passes @ahead, if its writer is honest.
 * @ahead:  UNTRUSTED: index that it follows.
 * @b:      Filled with @behind,
 * @a:      and with @ahead.
 *
 * A @behind that reads the same before and after @ahead held when @ahead was
 * read. Ordering: acquires both, so that neither look is moved past the other.
 *
 * Return: false, with nothing filled, if @behind moved at each of a few tries.
 */
static inline bool shm_look(const shm_word *behind, const shm_word *ahead,
			    uint32_t *b, uint32_t *a)
{
	uint32_t was = shm_acquire(behind);

	for (int i = 0; i < SHM_LOOK_TRIES; i++) {
		uint32_t other = shm_acquire(ahead);
		uint32_t is = shm_acquire(behind);

		if (is == was) {
			*b = is;
			*a = other;
			return true;
		}
		was = is;
	}
	return false;
}

#endif
