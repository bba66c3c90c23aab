/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/proofs/atomics.h - atomic words, ours and a peer's, for CBMC. */
#ifndef TESTS_PROOFS_ATOMICS_H
#define TESTS_PROOFS_ATOMICS_H

#include "tests/proofs/env.h"

/*
 * In the place of stdatomic.h, for one thread of ours.  A word of the peer's is
 * any value at each look; between two looks at one it changes twice at most, so
 * that loops which try again end soon.
 */
#define _STDATOMIC_H
#define PEER_CHANGES 2

enum memory_order {
	memory_order_relaxed,
	memory_order_acquire,
	memory_order_release,
	memory_order_seq_cst,
};

/** peers_word() - By each proof: whether the peer writes it, too. */
static bool peers_word(const void *word, size_t size);

/** struct peer - What was done to the peer's words. */
static struct {
	unsigned int changed; /* by the peer, under our hands */
	unsigned int marked, cleared;
	uint64_t replaced; /* the last value that was exchanged */
} peer;

#define atomic_load(p)			   (peers_word(p, sizeof(*(p))) ? any_u64() : *(p))
#define atomic_store_explicit(p, v, order) (*(p) = (v))
#define atomic_load_explicit(p, order)	   atomic_load(p)
#define atomic_fetch_and(p, v)                              \
	(peers_word(p, sizeof(*(p))) ? (void)peer.cleared++ \
				     : (void)(*(p) &= (v)))
#define atomic_fetch_and_explicit(p, v, order) atomic_fetch_and(p, v)

#define atomic_compare_exchange_weak(p, old, new)                           \
	({                                                                  \
		bool peers = peers_word(p, sizeof(*(p))), same;             \
		__typeof__(*(old)) is = (__typeof__(*(old)))atomic_load(p); \
		same = is == *(old);                                        \
		if (same && peers) {                                        \
			peer.marked++;                                      \
			peer.replaced = is;                                 \
		} else if (same) {                                          \
			*(p) = (new);                                       \
		} else {                                                    \
			ASSUME(peer.changed++ < PEER_CHANGES);              \
			*(old) = is;                                        \
		}                                                           \
		same;                                                       \
	})
#define atomic_compare_exchange_weak_explicit(p, old, new, order, failed) \
	atomic_compare_exchange_weak(p, old, new)

#endif
