// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/flipper.c - shared memory that changes while somebody reads it.
#include "tests/lib/flipper.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/util.h"

/* Unrolled a little between looks at @stop. */
#define BURST 64

#if defined(__SANITIZE_ADDRESS__)
#define LASTS_MS 300
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LASTS_MS 300
#endif
#endif
#ifndef LASTS_MS
#define LASTS_MS 1000
#endif

struct flipper {
	_Atomic bool stop;
	pthread_t thread;
	uint8_t *mem;
	size_t len;
};

static void *flip(void *arg)
{
	struct flipper *f = arg;
	uint32_t seed = 1;

	while (!atomic_load_explicit(&f->stop, memory_order_relaxed)) {
		for (int i = 0; i < BURST; i++) {
			seed = seed * 1664525u + 1013904223u;
			__atomic_store_n(f->mem + (seed >> 8) % f->len,
					 (uint8_t)(seed >> 16),
					 __ATOMIC_RELAXED);
		}
	}
	return NULL;
}

struct flipper *flipper_start(void *mem, size_t len)
{
	struct flipper *f = calloc(1, sizeof(*f));

	if (!f)
		abort();
	f->mem = mem;
	f->len = len;
	if (pthread_create(&f->thread, NULL, flip, f))
		abort();
	return f;
}

void flipper_stop(struct flipper *f)
{
	atomic_store(&f->stop, true);
	pthread_join(f->thread, NULL);
	free(f);
}

bool flipper_time(unsigned long long *begin)
{
	const char *text = getenv("HOSTILE_MS");
	unsigned long long ms = text ? strtoull(text, NULL, 10) : LASTS_MS;

	if (*begin == 0)
		*begin = util_clock_ns();
	return util_clock_ns() - *begin < ms * 1000000u;
}
