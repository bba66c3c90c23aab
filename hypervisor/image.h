/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/image.h - ELF kernel images: checked, then put into guest RAM. */
#ifndef HYPERVISOR_IMAGE_H
#define HYPERVISOR_IMAGE_H

#include <stdint.h>

#include "base/util.h"
#include "hypervisor/why.h"

struct guestmem;

/** IMAGE_MAX_FILE - Largest kernel file, packed or not. */
#define IMAGE_MAX_FILE (UINT64_C(256) << 20)

/** IMAGE_MAX_SEGMENTS - Most PT_LOAD segments; Linux has four. */
#define IMAGE_MAX_SEGMENTS 32

/**
 * struct image_src - Bytes that claim to be a kernel: part of a file or memory.
 *
 * UNTRUSTED: every byte; read only through image_read().
 */
struct image_src {
	const uint8_t *mem; /* *borrowed*, or NULL to read @fd */
	int fd;		    /* *borrowed*: a regular file or memfd */
	uint64_t base;	    /* where in it the first byte lies */
	uint64_t size;	    /* bytes */
	const char *name;   /* for messages; *borrowed* */
};

/** struct image_segment - One PT_LOAD; what exceeds filesz is zero. */
struct image_segment {
	uint64_t offset; /* into the source */
	uint64_t filesz;
	uint64_t gpa;
	uint64_t memsz; /* at least filesz */
};

/** struct image - What an ELF image says of itself, checked. */
struct image {
	struct image_segment seg[IMAGE_MAX_SEGMENTS];
	unsigned int nsegs;
	uint64_t start; /* lowest and one past the highest guest address */
	uint64_t end;
	uint32_t entry; /* XEN_ELFNOTE_PHYS32_ENTRY, within a segment */
};

/** struct image_sum - Checksum against accidents of an image and its bytes. */
struct image_sum {
	uint64_t a, b;
};

/**
 * image_read() - Copy a range of the source.
 *
 * Return: 0, -EINVAL if any byte is beyond its end, or -errno.
 */
int image_read(const struct image_src *src, uint64_t offset, void *buf,
	       uint64_t len) must_check;

/**
 * image_parse() - Check an ELF image (32- or 64-bit, x86) and find its entry.
 * @out: Written only on success.
 * @why: Set on failure.
 *
 * Guest addresses are checked against each other and against 4 GiB, not against
 * any guest's memory.  Does not allocate; work is bounded by constants.
 *
 * Return: 0, -ENOEXEC if it is no such image, or -errno.
 */
int image_parse(const struct image_src *src, struct image *out,
		struct why *why) must_check;

/**
 * image_place() - Copy the segments of a parsed image into guest RAM.
 * @m:   Fresh guest RAM: what no segment fills must read as zero already.
 * @sum: Of @img and the bytes copied; valid on success.
 * @why: Set on failure.
 *
 * Every segment must lie in low RAM above LAYOUT_KERNEL_MIN.
 *
 * Return: 0, -ENOSPC if a segment lies elsewhere, or -errno.
 */
int image_place(const struct image_src *src, const struct image *img,
		struct guestmem *m, struct image_sum *sum,
		struct why *why) must_check;

/**
 * image_copy() - Copy a range of the source into guest RAM.
 * @sum: Continued over the bytes, or NULL.
 *
 * Return: 0, -EINVAL if the source ends before, -EFAULT if the place is not
 * RAM, or -errno.
 */
int image_copy(const struct image_src *src, uint64_t offset, uint64_t len,
	       struct guestmem *m, uint64_t gpa,
	       struct image_sum *sum) must_check;

/**
 * image_load() - Load a kernel file, a bzImage or an ELF image.
 * @path: The file.
 * @out:  Written only on success.
 * @why:  Set on failure.
 *
 * The payload of a bzImage is unpacked by a program of its own (sv-unpack),
 * which is sandboxed, and kept in the cache (image_cache.h), so that the next
 * boot of the same kernel unpacks nothing.  Nothing stays open or allocated.
 *
 * Return: 0 or -errno; guest RAM is then undefined.
 */
int image_load(const char *path, struct guestmem *m, struct image *out,
	       struct why *why) must_check;

#endif
