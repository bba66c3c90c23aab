/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_shm.c - the accessors of shared memory. */
#include "ring/shm.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

Test(shm, fetch_copies_and_detaches)
{
	uint8_t shared[64], copy[64];

	memset(shared, 0x5a, sizeof(shared));
	shm_fetch(copy, shared, sizeof(copy));
	memset(shared, 0xff, sizeof(shared));
	for (size_t i = 0; i < sizeof(copy); i++)
		cr_assert_eq(copy[i], 0x5a, "byte %zu", i);
}

Test(shm, fetch_and_post_touch_n_bytes_only)
{
	uint8_t a[16] = "0123456789abcde", b[16] = "...............";

	shm_fetch(b + 1, a, 3);
	cr_assert_str_eq((char *)b, ".012...........");
	shm_post(b + 8, a + 10, 5);
	cr_assert_str_eq((char *)b, ".012....abcde..");
	shm_fetch(b, a, 0);
	cr_assert_eq(b[0], '.');
}

Test(shm, words_read_and_write_where_they_point)
{
	shm_word w[3] = { 1, 2, 3 };

	cr_assert_eq(shm_acquire(&w[1]), 2);
	shm_release(&w[1], UINT32_MAX);
	cr_assert_eq(shm_acquire(&w[1]), UINT32_MAX);
	cr_assert_eq(shm_sync(&w[0], 7, &w[2]), 3);
	cr_assert_eq(shm_acquire(&w[0]), 7);
	cr_assert_eq(shm_acquire(&w[2]), 3);
	cr_assert_eq(shm_sync(&w[0], 8, &w[0]), 8, "the store comes first");
}

/* A writer that is honest: behind never passes ahead, nor falls back by two. */
static shm_word behind, ahead;
static atomic_bool enough;

static void *move(void *arg)
{
	(void)arg;
	for (uint32_t n = 1; !atomic_load(&enough); n++) {
		shm_release(&ahead, n);
		shm_release(&behind, n);
	}
	return NULL;
}

Test(shm, two_indices_are_of_one_moment)
{
	uint32_t b, a, seen = 0, moved = 0, last = 0;
	pthread_t writer;

	cr_assert_eq(pthread_create(&writer, NULL, move, NULL), 0);
	for (int i = 0; i < 50000000 && (seen < 200000 || moved < 1000); i++) {
		b = a = 77;
		if (!shm_look(&behind, &ahead, &b, &a)) {
			cr_assert(b == 77 && a == 77);
			continue;
		}
		cr_assert_leq(a - b, 1, "%u, %u", b, a);
		seen++;
		moved += b != last;
		last = b;
	}
	atomic_store(&enough, true);
	pthread_join(writer, NULL);
	cr_expect(seen >= 1000 && moved >= 100, "%u looks, %u of them new",
		  seen, moved);
}
