/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_bzimage.c - bzImage files: every packing, and lies. */
#include "hypervisor/bzimage.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/toykernel.h"

static struct image_src source(const uint8_t *buf, uint64_t size)
{
	return (struct image_src){ .mem = buf, .size = size, .name = "toy" };
}

struct packing {
	enum bzimage_packing packing;
};

ParameterizedTestParameters(bzimage, packings)
{
	static struct packing t[] = {
		{ BZIMAGE_GZIP }, { BZIMAGE_BZIP2 }, { BZIMAGE_LZMA },
		{ BZIMAGE_XZ },	  { BZIMAGE_LZ4 },   { BZIMAGE_ZSTD },
	};
	return cr_make_param_array(struct packing, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct packing *t, bzimage, packings)
{
	static uint8_t elf[TOY_SIZE], back[TOY_SIZE + 1];
	struct image_src src;
	struct bzimage bz;
	struct why why;
	uint8_t *file;
	size_t size;
	int fd;

	toy_elf(elf, &(struct toy){ 0 });
	toy_bzimage(&file, &size, elf, sizeof(elf), t->packing);
	src = source(file, size);
	cr_assert_eq(bzimage_find(&src, &bz, &why), 0, "%s", why.text);
	cr_expect_eq(bz.packing, t->packing);
	cr_expect_eq(bz.unpacked, TOY_SIZE);

	fd = memfd_create("unpacked", 0);
	cr_assert_eq(bzimage_unpack(&bz, fd, &why), 0, "%s", why.text);
	cr_assert_eq(pread(fd, back, sizeof(back), 0), TOY_SIZE);
	cr_expect_eq(memcmp(back, elf, TOY_SIZE), 0);
	close(fd);
	free(file);
}

Test(bzimage, plain_payload_is_found_in_place)
{
	static uint8_t elf[TOY_SIZE];
	struct image_src src;
	struct bzimage bz;
	struct image img;
	struct why why;
	uint8_t *file;
	size_t size;

	toy_elf(elf, &(struct toy){ 0 });
	toy_bzimage(&file, &size, elf, sizeof(elf), BZIMAGE_PLAIN);
	src = source(file, size);
	cr_assert_eq(bzimage_find(&src, &bz, &why), 0, "%s", why.text);
	cr_expect_eq(bz.packing, BZIMAGE_PLAIN);
	cr_expect_eq(bz.payload.size, TOY_SIZE);
	cr_expect_eq(image_parse(&bz.payload, &img, &why), 0, "%s", why.text);
	free(file);
}

struct lie {
	char name[32];
	uint32_t at, len;
	uint32_t value;
	char says[48];
};

ParameterizedTestParameters(bzimage, lies)
{
	static struct lie t[] = {
		{ "nothing changed", 0, 0, 0, "" },
		{ "no magic", 0x202, 1, 'X', "a boot sector or disk image" },
		{ "old protocol", 0x206, 2, 0x0207, "boot protocol 2.07" },
		{ "payload far away", 0x248, 4, 0x7fffffff, "is truncated" },
		{ "payload at the top", 0x248, 4, 0xffffffff, "is truncated" },
		{ "payload too long", 0x24c, 4, 0xffffffff, "is truncated" },
		{ "payload of 3 bytes", 0x24c, 4, 3, "only 3 bytes" },
		{ "no payload", 0x24c, 4, 0, "only 0 bytes" },
		{ "code too long", 0x1f4, 4, 0xffffffff, "is truncated" },
		{ "more setup sectors", 0x1f1, 1, 255, "is truncated" },
		{ "setup sectors 0 means 4", 0x1f1, 1, 0, "" },
		{ "other packing", 0xa60, 4, 0x1b1b1b1b,
		  "it starts with 1b 1b 1b 1b" },
		{ "LZO", 0xa60, 4, 0x4f5a4c89, "unknown way" },
	};
	return cr_make_param_array(struct lie, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct lie *t, bzimage, lies)
{
	static uint8_t elf[TOY_SIZE];
	struct bzimage bz = { .unpacked = 77 };
	struct why why = { "" };
	struct image_src src;
	uint8_t *file, *copy;
	size_t size;
	int ret;

	toy_elf(elf, &(struct toy){ 0 });
	toy_bzimage(&file, &size, elf, sizeof(elf), BZIMAGE_ZSTD);
	copy = malloc(size); /* so that ASan sees its end */
	memcpy(copy, file, size);
	memcpy(copy + t->at, &t->value, t->len);
	src = source(copy, size);
	ret = bzimage_find(&src, &bz, &why);
	if (t->says[0]) {
		cr_expect_eq(ret, -ENOEXEC, "%s", t->name);
		cr_expect(strstr(why.text, t->says), "%s: %s", t->name,
			  why.text);
		cr_expect_eq(bz.unpacked, 77);
	} else {
		cr_expect_eq(ret, 0, "%s: %s", t->name, why.text);
	}
	free(copy);
	free(file);
}

struct other {
	char bytes[16];
	uint32_t len, at;
	char says[48];
};

ParameterizedTestParameters(bzimage, other_files)
{
	static struct other t[] = {
		{ "\x1f\x8b\x08", 3, 0, "gzip-compressed data: unpack it" },
		{ "BZh9", 4, 0, "bzip2-compressed data" },
		{ "\xfd"
		  "7zXZ",
		  6, 0, "xz-compressed data" },
		{ "\x28\xb5\x2f\xfd", 4, 0, "zstd-compressed data" },
		{ "\x02\x21\x4c\x18", 4, 0, "lz4-compressed data" },
		{ "\x04\x22\x4d\x18", 4, 0, "lz4-compressed data" },
		{ "070701", 6, 0, "is it the initramfs?" },
		{ "!<arch>\n", 8, 0, "Debian package" },
		{ "#!/bin/sh\n", 10, 0, "a script" },
		{ "QFI\xfb", 4, 0, "qcow2" },
		{ "MZ", 2, 0, "EFI" },
		{ "ARM\x64", 4, 56, "64-bit ARM" },
		{ "\x55\xaa", 2, 510, "boot sector" },
		{ "hello", 5, 0, "unknown data" },
	};
	return cr_make_param_array(struct other, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct other *t, bzimage, other_files)
{
	uint8_t buf[1024] = { 0 };
	struct image_src src = source(buf, sizeof(buf));
	struct bzimage bz;
	struct why why;

	memcpy(buf + t->at, t->bytes, t->len);
	cr_expect_eq(bzimage_find(&src, &bz, &why), -ENOEXEC);
	cr_expect(strstr(why.text, "toy: is not a kernel but"), "%s", why.text);
	cr_expect(strstr(why.text, t->says), "%s", why.text);

	/* As short as it can be. */
	src.size = t->at + t->len;
	cr_expect_eq(bzimage_find(&src, &bz, &why), -ENOEXEC);
	cr_expect(strstr(why.text, t->says), "%s", why.text);
}

static int unpack(const uint8_t *file, size_t size, struct why *why,
		  off_t *written)
{
	struct image_src src = source(file, size);
	struct bzimage bz;
	struct stat st;
	int fd = memfd_create("unpacked", 0);
	int ret;

	ret = bzimage_find(&src, &bz, why);
	if (!ret)
		ret = bzimage_unpack(&bz, fd, why);
	cr_assert_eq(fstat(fd, &st), 0);
	*written = st.st_size;
	close(fd);
	return ret;
}

Test(bzimage, size_must_be_what_was_promised)
{
	static uint8_t elf[TOY_SIZE];
	uint32_t lie[] = { TOY_SIZE - 1, TOY_SIZE + 1, 1, 256 << 20 };
	struct why why;
	uint8_t *file, *end;
	size_t size;
	off_t written;
	uint32_t len;

	toy_elf(elf, &(struct toy){ 0 });
	toy_bzimage(&file, &size, elf, sizeof(elf), BZIMAGE_ZSTD);
	memcpy(&len, file + 0x24c, 4);
	end = file + 5 * 512 + 0x60 + len - 4;
	for (size_t i = 0; i < sizeof(lie) / sizeof(lie[0]); i++) {
		memcpy(end, &lie[i], 4);
		cr_expect_eq(unpack(file, size, &why, &written), -ENOEXEC);
		cr_expect(strstr(why.text, "is corrupt"), "%s", why.text);
		cr_expect_leq(written, (off_t)lie[i]);
	}
	lie[0] = (256 << 20) + 1;
	memcpy(end, lie, 4);
	cr_expect_eq(unpack(file, size, &why, &written), -ENOEXEC);
	cr_expect(strstr(why.text, "claims to unpack to 268435457"), "%s",
		  why.text);
	free(file);
}

/* Much more in it than it claims. */
Test(bzimage, bomb_is_cut_off)
{
	static uint8_t zeros[64 << 20];
	uint32_t claim = 1 << 20, len;
	struct why why;
	uint8_t *file;
	size_t size;
	off_t written;

	toy_bzimage(&file, &size, zeros, sizeof(zeros), BZIMAGE_ZSTD);
	memcpy(&len, file + 0x24c, 4);
	memcpy(file + 5 * 512 + 0x60 + len - 4, &claim, 4);
	cr_expect_eq(unpack(file, size, &why, &written), -ENOEXEC);
	cr_expect(strstr(why.text, "instead of 1048576"), "%s", why.text);
	cr_expect_leq(written, (off_t)claim);
	free(file);
}

/* A signed kernel ends with its signature, which the PE header tells of. */
Test(bzimage, cut_signature_is_noticed)
{
	static uint8_t elf[TOY_SIZE];
	uint32_t pe = 0x40, magic = 0x020b, certs[2];
	struct image_src src;
	struct bzimage bz;
	struct why why;
	uint8_t *file;
	size_t size;

	toy_elf(elf, &(struct toy){ 0 });
	toy_bzimage(&file, &size, elf, sizeof(elf), BZIMAGE_ZSTD);
	src = source(file, size);
	memcpy(file + 0x3c, &pe, 4);
	memcpy(file + pe, "PE\0", 4);
	memcpy(file + pe + 24, &magic, 2);
	certs[0] = (uint32_t)size - 100;
	certs[1] = 100;
	memcpy(file + pe + 24 + 144, certs, sizeof(certs));
	cr_expect_eq(bzimage_find(&src, &bz, &why), 0, "%s", why.text);

	src.size--;
	cr_expect_eq(bzimage_find(&src, &bz, &why), -ENOEXEC);
	cr_expect(strstr(why.text, "truncated: 1 bytes of"), "%s", why.text);
	src.size++;
	certs[1] = UINT32_MAX;
	memcpy(file + pe + 24 + 144, certs, sizeof(certs));
	cr_expect_eq(bzimage_find(&src, &bz, &why), -ENOEXEC);

	/* Not PE32+, or a header that would lie elsewhere: no matter. */
	file[pe + 24] = 0;
	cr_expect_eq(bzimage_find(&src, &bz, &why), 0, "%s", why.text);
	pe = UINT32_MAX;
	memcpy(file + 0x3c, &pe, 4);
	cr_expect_eq(bzimage_find(&src, &bz, &why), 0, "%s", why.text);
	free(file);
}
