// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/bzimage.c - Linux bzImage files: the setup header.
#include "hypervisor/bzimage.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

/*
 * Setup header, from the Linux/x86 boot protocol (offsets into the file; all
 * little endian).
 */
#define SETUP_SECTS   0x1f1 /* u8: 512-byte sectors of real-mode code, 0 = 4 */
#define SETUP_SYSSIZE 0x1f4 /* u32: protected-mode code / 16 */
#define SETUP_MAGIC   0x202 /* "HdrS" */
#define SETUP_VERSION 0x206 /* u16: 0x0208 has the payload fields */
#define SETUP_PAYLOAD \
	0x248 /* u32 offset into the protected-mode code, u32
				length */
#define SETUP_END      0x250
#define PAYLOAD_FIELDS 0x0208

/*
 * The header of a PE32+ program, which a bzImage is, too: where it lies, and the
 * certificate table in it (offset into the file, length), a signature behind all
 * else.
 */
#define PE_OFFSET   0x3c /* u32 */
#define PE_OPTIONAL 24	 /* after the signature and the file header */
#define PE_PLUS	    0x020b
#define PE_CERTS    (PE_OPTIONAL + 144) /* u32 offset, u32 length */

/** struct looks - What a file may be, by its first bytes. */
struct looks {
	unsigned int offset;
	unsigned int len;
	const char *magic;
	const char *what;
};

static const struct looks other_files[] = {
	{ 0, 2, "\x1f\x8b", "gzip-compressed data: unpack it first" },
	{ 0, 3, "BZh", "bzip2-compressed data: unpack it first" },
	{ 0, 6,
	  "\xfd"
	  "7zXZ",
	  "xz-compressed data: unpack it first" },
	{ 0, 4, "\x28\xb5\x2f\xfd", "zstd-compressed data: unpack it first" },
	{ 0, 4, "\x02\x21\x4c\x18", "lz4-compressed data: unpack it first" },
	{ 0, 4, "\x04\x22\x4d\x18", "lz4-compressed data: unpack it first" },
	{ 0, 5, "07070", "a cpio archive: is it the initramfs?" },
	{ 0, 8, "!<arch>\n", "an archive or Debian package: unpack it first" },
	{ 0, 2, "#!", "a script" },
	{ 0, 4, "QFI\xfb", "a qcow2 disk image" },
	{ 56, 4, "ARM\x64", "a kernel for 64-bit ARM" },
	{ 0, 2, "MZ", "an EFI or Windows program without a Linux kernel" },
	{ 510, 2, "\x55\xaa", "a boot sector or disk image" },
};

static const struct {
	const char *magic;
	unsigned int len;
	enum bzimage_packing packing;
} packings[] = {
	{ ELFMAG, SELFMAG, BZIMAGE_PLAIN },
	{ "\x1f\x8b", 2, BZIMAGE_GZIP },
	{ "BZh", 3, BZIMAGE_BZIP2 },
	{ "\x5d\0\0", 3, BZIMAGE_LZMA },
	{ "\xfd"
	  "7zXZ",
	  6, BZIMAGE_XZ },
	{ "\x02\x21\x4c\x18", 4, BZIMAGE_LZ4 },
	{ "\x28\xb5\x2f\xfd", 4, BZIMAGE_ZSTD },
};
_Static_assert(ARRAY_SIZE(packings) == BZIMAGE_NPACKINGS, "one row for each");

static uint32_t get32(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

static int not_a_kernel(const struct image_src *src, const uint8_t *head,
			uint64_t len, struct why *why)
{
	const char *what = "unknown data";

	for (size_t i = 0; i < ARRAY_SIZE(other_files); i++) {
		const struct looks *l = &other_files[i];

		if (l->offset + l->len <= len &&
		    !memcmp(head + l->offset, l->magic, l->len)) {
			what = l->what;
			break;
		}
	}
	return why_set(
		why, -ENOEXEC,
		"%s: is not a kernel but %s (a vmlinuz or vmlinux for x86 is needed)",
		src->name, what);
}

static int truncated(const struct image_src *src, uint64_t end, struct why *why)
{
	char missing[WHY_SIZE_MAX];

	return why_set(why, -ENOEXEC,
		       "%s: is truncated: %s of %" PRIu64
		       " bytes are missing; copy it again",
		       src->name, why_size(missing, end - src->size), end);
}

/* The payload's last four bytes are its unpacked size. */
static int look_at_payload(const struct image_src *src, struct bzimage *bz,
			   struct why *why)
{
	struct image_src *p = &bz->payload;
	uint8_t magic[8] = { 0 }, size[4];
	size_t i;
	int ret;

	if (p->size < sizeof(magic) + sizeof(size))
		return why_set(why, -ENOEXEC,
			       "%s: has a payload of only %" PRIu64 " bytes",
			       src->name, p->size);
	ret = image_read(p, 0, magic, sizeof(magic));
	if (!ret)
		ret = image_read(p, p->size - sizeof(size), size, sizeof(size));
	if (ret)
		return why_set(why, ret, "%s: cannot be read: %s", src->name,
			       strerror(-ret));
	for (i = 0; i < ARRAY_SIZE(packings); i++) {
		if (!memcmp(magic, packings[i].magic, packings[i].len))
			break;
	}
	if (i == ARRAY_SIZE(packings))
		return why_set(
			why, -ENOEXEC,
			"%s: its payload is packed in an unknown way (it starts with %02x %02x %02x %02x): gzip, bzip2, lzma, xz, lz4 and zstd are known",
			src->name, magic[0], magic[1], magic[2], magic[3]);
	bz->packing = packings[i].packing;
	if (bz->packing == BZIMAGE_PLAIN) {
		bz->unpacked = p->size;
		return 0;
	}
	bz->unpacked = get32(size);
	/* In gzip's own format the size is part of the data. */
	if (bz->packing != BZIMAGE_GZIP)
		p->size -= sizeof(size);
	if (!bz->unpacked || bz->unpacked > IMAGE_MAX_FILE)
		return why_set(
			why, -ENOEXEC,
			"%s: claims to unpack to %" PRIu64
			" bytes: it is corrupt, or no kernel (limit %" PRIu64
			")",
			src->name, bz->unpacked, IMAGE_MAX_FILE);
	return 0;
}

/* Where the signature of a signed kernel ends; 0 if there is none. */
static uint64_t signature_end(const uint8_t head[SETUP_END])
{
	uint32_t pe = get32(head + PE_OFFSET);

	if (pe > SETUP_END - PE_CERTS - 8 || memcmp(head + pe, "PE\0", 4) != 0)
		return 0;
	if ((get32(head + pe + PE_OPTIONAL) & 0xffff) != PE_PLUS)
		return 0;
	return (uint64_t)get32(head + pe + PE_CERTS) +
	       get32(head + pe + PE_CERTS + 4);
}

int bzimage_find(const struct image_src *src, struct bzimage *out,
		 struct why *why)
{
	uint8_t head[SETUP_END] = { 0 };
	struct bzimage bz = { .payload = *src };
	uint64_t len = MIN(src->size, sizeof(head));
	uint64_t setup, end, signature;
	int ret;

	ret = image_read(src, 0, head, len);
	if (ret)
		return why_set(why, ret, "%s: cannot be read: %s", src->name,
			       strerror(-ret));
	if (len < SETUP_VERSION || memcmp(head + SETUP_MAGIC, "HdrS", 4) != 0)
		return not_a_kernel(src, head, len, why);
	if (len < sizeof(head))
		return truncated(src, sizeof(head), why);
	if ((head[SETUP_VERSION] | head[SETUP_VERSION + 1] << 8) <
	    PAYLOAD_FIELDS)
		return why_set(
			why, -ENOEXEC,
			"%s: is a Linux kernel too old to be started here (boot protocol %u.%02u, 2.08 is needed)",
			src->name, head[SETUP_VERSION + 1],
			head[SETUP_VERSION]);

	setup = 512 * (1 + (uint64_t)(head[SETUP_SECTS] ?: 4));
	bz.payload.base += setup + get32(head + SETUP_PAYLOAD);
	bz.payload.size = get32(head + SETUP_PAYLOAD + 4);
	end = MAX(bz.payload.base - src->base + bz.payload.size,
		  setup + 16 * (uint64_t)get32(head + SETUP_SYSSIZE));
	signature = signature_end(head);
	end = MAX(end, signature);
	if (end > src->size)
		return truncated(src, end, why);
	ret = look_at_payload(src, &bz, why);
	if (!ret)
		*out = bz;
	return ret;
}
