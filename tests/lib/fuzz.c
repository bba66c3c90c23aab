// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/fuzz.c - what fuzz targets share: inputs, a racing peer, mutation.
#include "tests/lib/fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ring/shm.h"

/* ---- Inputs --------------------------------------------------------------- */

void fuzz_bytes(struct fuzz_in *in, void *to, size_t n)
{
	size_t have = MIN(n, in->left);

	memset(to, 0, n);
	if (have)
		memcpy(to, in->at, have);
	in->at += have;
	in->left -= have;
}

uint8_t fuzz_u8(struct fuzz_in *in)
{
	uint8_t v;

	fuzz_bytes(in, &v, sizeof(v));
	return v;
}

uint16_t fuzz_u16(struct fuzz_in *in)
{
	uint16_t v;

	fuzz_bytes(in, &v, sizeof(v));
	return v;
}

uint32_t fuzz_u32(struct fuzz_in *in)
{
	uint32_t v;

	fuzz_bytes(in, &v, sizeof(v));
	return v;
}

uint64_t fuzz_num(struct fuzz_in *in, uint64_t limit)
{
	uint8_t how = fuzz_u8(in);
	uint64_t v;

	if (how < 64) /* 0, 1, ... */
		return how;
	if (how < 96) /* limit - 16 ... limit + 15 */
		return limit + how - 80;
	if (how < 160) /* a power of two */
		return UINT64_C(1) << (how - 96);
	if (how < 224) /* one less */
		return (UINT64_C(1) << (how - 160)) - 1;
	if (how < 248)
		return UINT64_MAX - (how - 224u);
	fuzz_bytes(in, &v, sizeof(v));
	return v;
}

uint8_t *fuzz_tight(const void *data, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	assert(copy);
	if (n)
		memcpy(copy, data, n);
	return copy;
}

/* ---- The racing peer ------------------------------------------------------ */

_Thread_local bool fuzz_guest;
size_t fuzz_race_min = 1;

static struct fuzz_in script;
static uint32_t storm; /* 0: the script */

static uint32_t rnd(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void race(void *at, size_t n)
{
	uint8_t *byte = at;
	uint32_t r;

	if (fuzz_guest || n < fuzz_race_min)
		return;
	if (storm) {
		r = rnd(&storm);
		byte[r % n] = (uint8_t)(r >> 24);
		return;
	}
	/* How many bytes change, where, and to what. */
	r = fuzz_u8(&script);
	if (!r)
		return;
	byte += fuzz_u8(&script) % n;
	n = MIN(r, n - (size_t)(byte - (uint8_t *)at));
	fuzz_bytes(&script, byte, n);
}

void fuzz_race(struct fuzz_in *in)
{
	uint8_t how = fuzz_u8(in);

	if (!how)
		return;
	storm = how & 1 ? 0 : 0x9e3779b9u ^ fuzz_u8(in);
	script.at = in->at;
	script.left = how & 1 ? MIN(in->left, how) : 0;
	in->at += script.left;
	in->left -= script.left;
#ifdef SV_FUZZ_SHM
	shm_racer = race;
#else
	(void)race;
#endif
}

void fuzz_race_end(void)
{
#ifdef SV_FUZZ_SHM
	shm_racer = NULL;
#endif
}

/* ---- Mutation ------------------------------------------------------------- */

size_t fuzz_mutate_records(uint8_t *data, size_t len, size_t max,
			   unsigned int seed, size_t head, size_t size)
{
	uint32_t r = seed * 2654435761u | 1;
	size_t n = len > head ? (len - head) / size : 0;
	uint8_t *rec = data + head, *a, *b;
	uint8_t keep[256];

	assert(size <= sizeof(keep));
	if (!n || rnd(&r) % 4 == 0)
		return LLVMFuzzerMutate(data, len, max);
	a = rec + rnd(&r) % n * size;
	b = rec + rnd(&r) % n * size;
	switch (rnd(&r) % 6) {
	case 0: /* remove */
		memmove(a, a + size, (size_t)(data + len - a) - size);
		return len - size;
	case 1: /* insert a copy */
	case 2:
		if (len + size > max)
			return len;
		memcpy(keep, a, size);
		memmove(b + size, b, (size_t)(data + len - b));
		memcpy(b, keep, size);
		len += size;
		a = b;
		break;
	case 3: /* swap */
		memcpy(keep, a, size);
		memmove(a, b, size);
		memcpy(b, keep, size);
		return len;
	default:
		break;
	}
	/* Change a byte of it. */
	a[rnd(&r) % size] = (uint8_t)rnd(&r);
	return len;
}
