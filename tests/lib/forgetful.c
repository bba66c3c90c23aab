// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/forgetful.c - a disk that loses what was not flushed.
#include "tests/lib/forgetful.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/**
 * struct sector - As it is, and as it would be after a loss of power.
 * @since: When the oldest write was done that is not lasting; 0: all are.
 */
struct sector {
	uint64_t since;
	uint8_t cached[DISK_SECTOR], lasting[DISK_SECTOR];
};

/**
 * struct forgetful - The disk.
 * @clock: Of what was done.
 */
struct forgetful {
	size_t size, sectors;
	unsigned int seed;
	_Atomic uint64_t clock;
	struct sector sector[];
};

struct forgetful *forgetful_new(size_t sectors, unsigned int seed)
{
	size_t size =
		sizeof(struct forgetful) + sectors * sizeof(struct sector);
	struct forgetful *f = mmap(NULL, size, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (f == MAP_FAILED) {
		perror("forgetful");
		abort();
	}
	f->size = size;
	f->sectors = sectors;
	f->seed = seed;
	return f;
}

void forgetful_seed(struct forgetful *f, unsigned int seed)
{
	f->seed = seed;
}

void forgetful_free(struct forgetful *f)
{
	munmap(f, f->size);
}

uint64_t forgetful_now(const struct forgetful *f)
{
	return atomic_load(&f->clock);
}

static void write_out(struct sector *s)
{
	memcpy(s->lasting, s->cached, DISK_SECTOR);
	s->since = 0;
}

/* Any sector goes to the medium, for no reason. */
static void leak(struct forgetful *f)
{
	write_out(&f->sector[(size_t)rand_r(&f->seed) % f->sectors]);
}

static void write_one(struct forgetful *f, uint64_t sector, const void *data,
		      uint64_t now)
{
	struct sector *s = &f->sector[sector];

	/* What is written over may have reached the medium before. */
	if (s->since && rand_r(&f->seed) % 4 == 0)
		write_out(s);
	memcpy(s->cached, data, DISK_SECTOR);
	if (!s->since)
		s->since = now;
}

void forgetful_write(struct forgetful *f, uint64_t sector, const void *data,
		     size_t n)
{
	uint64_t now = atomic_fetch_add(&f->clock, 1) + 1;

	for (size_t i = 0; i < n; i++)
		write_one(f, sector + i,
			  (const uint8_t *)data + i * DISK_SECTOR, now);
	leak(f);
}

void forgetful_tear(struct forgetful *f, uint64_t sector, const void *data,
		    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (rand_r(&f->seed) % 2)
			forgetful_write(f, sector + i,
					(const uint8_t *)data + i * DISK_SECTOR,
					1);
	}
}

void forgetful_read(const struct forgetful *f, uint64_t sector, void *data,
		    size_t n)
{
	for (size_t i = 0; i < n; i++)
		memcpy((uint8_t *)data + i * DISK_SECTOR,
		       f->sector[sector + i].cached, DISK_SECTOR);
}

void forgetful_flush(struct forgetful *f, uint64_t asked)
{
	for (size_t i = 0; i < f->sectors; i++) {
		struct sector *s = &f->sector[i];

		if (s->since && s->since <= asked)
			write_out(s);
	}
}

unsigned int forgetful_cut(struct forgetful *f)
{
	unsigned int n = 0;

	for (size_t i = 0; i < f->sectors; i++) {
		struct sector *s = &f->sector[i];

		n += memcmp(s->cached, s->lasting, DISK_SECTOR) != 0;
		memcpy(s->cached, s->lasting, DISK_SECTOR);
		s->since = 0;
	}
	return n;
}
