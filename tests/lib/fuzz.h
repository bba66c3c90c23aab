/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/fuzz.h - what fuzz targets share: inputs, a racing peer, mutation. */
#ifndef TESTS_LIB_FUZZ_H
#define TESTS_LIB_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What libFuzzer, AFL++ and tests/fuzz/replay.c call, and what they offer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/** struct fuzz_in - An input being read; zeros follow its end. */
struct fuzz_in {
	const uint8_t *at;
	size_t left;
};

uint8_t fuzz_u8(struct fuzz_in *in);
uint16_t fuzz_u16(struct fuzz_in *in);
uint32_t fuzz_u32(struct fuzz_in *in);

/**
 * fuzz_num() - A number that is likely to be near some limit.
 * @limit: Of what is judged: 0, @limit, their neighbours, powers of two and the
 *         largest numbers come from one byte; any other from eight.
 */
uint64_t fuzz_num(struct fuzz_in *in, uint64_t limit);

/** fuzz_bytes() - Copy what there is of @n bytes; the rest becomes zero. */
void fuzz_bytes(struct fuzz_in *in, void *to, size_t n);

/** fuzz_tight() - A copy without a byte to spare, for ASan; free() it. */
uint8_t *fuzz_tight(const void *data, size_t n);

/*
 * The racing peer
 *
 * In fuzzing builds each look at shared memory calls shm_race() (ring/shm.h)
 * before and after.  Between fuzz_race() and fuzz_race_end() a peer then changes
 * what is looked at: as the input says, or every time.  So whoever reads a byte
 * twice gets two different ones, and what was judged is not what is used.
 */

/**
 * fuzz_race() - Let the peer race from now on.
 * @in: Takes the peer's script off it: one byte says how (0: not at all; odd:
 *      so many bytes follow, which say what changes at each look; even: every
 *      look changes bytes, from one more byte of seed).
 */
void fuzz_race(struct fuzz_in *in);
void fuzz_race_end(void);

/** fuzz_race_min - Looks at fewer bytes are left alone: 5 spares ring indices. */
extern size_t fuzz_race_min;

/** fuzz_guest - This thread plays the guest: what it looks at is its own. */
extern _Thread_local bool fuzz_guest;

/**
 * fuzz_mutate_records() - For LLVMFuzzerCustomMutator() of op sequences.
 * @head: Bytes before the first record.
 * @size: Bytes of one record.
 *
 * Removes, doubles, swaps and moves whole records as often as it changes bytes
 * within one, so that a mutant's other operations stay what they were.
 */
size_t fuzz_mutate_records(uint8_t *data, size_t len, size_t max,
			   unsigned int seed, size_t head, size_t size);

#endif
