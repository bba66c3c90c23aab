// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/bzimage_fuzz.c - bzImages with changed bytes, found and unpacked.
//
// FUZZ: F7; max_len 256
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hypervisor/bzimage.h"
#include "tests/lib/fuzz.h"
#include "tests/lib/toykernel.h"

/*
 * The first byte chooses the packing, two more cut the end; then each three
 * change one byte: where, in two bytes, and to what.
 */
static uint8_t *make(const uint8_t *data, size_t size, size_t *len)
{
	static struct {
		uint8_t *file;
		size_t len;
	} good[BZIMAGE_NPACKINGS];
	unsigned int p = data[0] % BZIMAGE_NPACKINGS;
	static uint8_t elf[TOY_SIZE];
	uint8_t *copy;

	if (!good[p].file) {
		toy_elf(elf, &(struct toy){ 0 });
		toy_bzimage(&good[p].file, &good[p].len, elf, TOY_SIZE,
			    (enum bzimage_packing)p);
	}
	*len = good[p].len;
	*len -= MIN(*len, (size_t)(data[1] | data[2] << 8));
	/* An allocation without a byte to spare, for ASan. */
	copy = malloc(*len ?: 1);
	if (!copy)
		return NULL;
	memcpy(copy, good[p].file, *len);
	for (size_t i = 3; i + 3 <= size && *len; i += 3)
		copy[(data[i] | (size_t)data[i + 1] << 8) % *len] = data[i + 2];
	return copy;
}

/* It never reads outside the payload nor writes more than was promised. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_src src = { .name = "fuzz" };
	struct bzimage bz;
	struct stat st;
	struct why why;
	size_t len;
	int fd, ret;

	if (size < 3)
		return 0;
	src.mem = make(data, size, &len);
	src.size = len;
	if (!src.mem || bzimage_find(&src, &bz, &why))
		goto free;
	assert(bz.payload.base <= len);
	assert(bz.payload.size <= len - bz.payload.base);
	assert(bz.unpacked && bz.unpacked <= IMAGE_MAX_FILE);
	if (bz.packing == BZIMAGE_PLAIN)
		goto free;
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0)
		goto free;
	ret = bzimage_unpack(&bz, fd, &why);
	assert(!fstat(fd, &st));
	assert((uint64_t)st.st_size <= bz.unpacked);
	assert(ret || (uint64_t)st.st_size == bz.unpacked);
	close(fd);
free:
	free((void *)(uintptr_t)src.mem);
	return 0;
}
