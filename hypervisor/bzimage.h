/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/bzimage.h - Linux bzImage files and their packed payload. */
#ifndef HYPERVISOR_BZIMAGE_H
#define HYPERVISOR_BZIMAGE_H

#include <stdint.h>

#include "base/util.h"
#include "hypervisor/image.h"
#include "hypervisor/why.h"

/** enum bzimage_packing - How the payload of a bzImage is packed. */
enum bzimage_packing {
	BZIMAGE_PLAIN, /* an ELF image as it is */
	BZIMAGE_GZIP,
	BZIMAGE_BZIP2,
	BZIMAGE_LZMA,
	BZIMAGE_XZ,
	BZIMAGE_LZ4,
	BZIMAGE_ZSTD,
	BZIMAGE_NPACKINGS,
};

/** struct bzimage - Where the payload lies. */
struct bzimage {
	struct image_src payload; /* without the size that is appended to it */
	enum bzimage_packing packing;
	uint64_t unpacked; /* bytes; at most IMAGE_MAX_FILE */
};

/**
 * bzimage_find() - Find the payload of a bzImage by its setup header.
 * @src: The file.
 * @out: Written only on success.
 * @why: Set on failure, also to what the file looks like instead.
 *
 * Source: the Linux/x86 boot protocol, fields payload_offset and
 * payload_length of version 2.08; the build appends the unpacked size.
 *
 * Return: 0, -ENOEXEC if it is none, or -errno.
 */
int bzimage_find(const struct image_src *src, struct bzimage *out,
		 struct why *why) must_check;

/**
 * bzimage_unpack() - Write the unpacked payload to a file.
 * @bz:  From bzimage_find(); not BZIMAGE_PLAIN.
 * @fd:  *Borrowed*: written from where it stands.
 * @why: Set on failure.
 *
 * Exactly bz->unpacked bytes, else it fails; never reads beyond the payload.
 * In unpack.c, which alone needs libarchive.
 *
 * Return: 0, -ENOEXEC if the payload is corrupt, or -errno.
 */
int bzimage_unpack(const struct bzimage *bz, int fd,
		   struct why *why) must_check;

#endif
