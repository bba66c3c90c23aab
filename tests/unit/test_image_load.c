/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_image_load.c - kernel files, and the cache of unpacked ones. */
#include "hypervisor/image.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/paths.h"
#include "hypervisor/guestmem.h"
#include "hypervisor/image_cache.h"
#include "tests/lib/fini.h"
#include "tests/lib/stack.h"
#include "tests/lib/toykernel.h"

static char top[] = "/tmp/test_image_load.XXXXXX";
static char kernel[PATH_MAX], images[PATH_MAX];

static void setup(void)
{
	char cache[PATH_MAX - 8], bin[PATH_MAX];

	cr_assert(mkdtemp(top));
	snprintf(kernel, sizeof(kernel), "%s/vmlinuz", top);
	snprintf(cache, sizeof(cache), "%s/cache", top);
	snprintf(images, sizeof(images), "%s/images", cache);
	setenv("SPLITVISOR_CACHE_DIR", cache, 1);
	stack_program(bin, "");
	setenv("SPLITVISOR_LIBEXEC_DIR", bin, 1);
	paths_init();
}

static void teardown(void)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "rm -rf -- '%s'", top);
	FINI_CHECK(system(command) == 0);
}

TestSuite(image_load, .init = setup, .fini = teardown, .timeout = 300);

static void put_file(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	cr_assert_geq(fd, 0, "%s", path);
	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

/* A bzImage whose text differs from that of other numbers. */
static void put_kernel(const char *path, uint8_t number,
		       enum bzimage_packing packing)
{
	static uint8_t elf[TOY_SIZE];
	uint8_t *file;
	size_t size;

	toy_elf(elf, &(struct toy){ 0 });
	elf[TOY_TEXT] = number;
	toy_bzimage(&file, &size, elf, sizeof(elf), packing);
	put_file(path, file, size);
	free(file);
}

/* Make a file look as if it had not changed for a while, but for ctime. */
static void set_time(const char *path, time_t s)
{
	struct timespec t[2] = { { .tv_sec = s }, { .tv_sec = s } };

	cr_assert_eq(utimensat(AT_FDCWD, path, t, 0), 0);
}

static void settle(const char *path)
{
	set_time(path, 1000);
}

/* Load; the kernel's number is where its first byte belongs. */
static int load(const char *path, struct why *why)
{
	struct image img = { 0 };
	struct guestmem *m;
	uint8_t *p;
	int ret;

	cr_assert_eq(guestmem_new(&m, 32 << 20), 0);
	ret = image_load(path, m, &img, why);
	if (!ret) {
		p = guestmem_ptr(m, gpa_of(TOY_TEXT_GPA), TOY_TEXT_SIZE);
		ret = p[0];
		for (size_t i = 1; i < TOY_TEXT_SIZE; i++)
			cr_assert_eq(p[i], toy_byte(i));
		/* Nothing of an earlier attempt is left. */
		p = guestmem_ptr(m, gpa_of(0), 32 << 20);
		for (size_t i = TOY_TEXT_GPA + TOY_TEXT_SIZE; i < TOY_DATA_GPA;
		     i++)
			cr_assert_eq(p[i], 0);
		cr_expect_eq(img.entry, TOY_ENTRY);
	}
	guestmem_free(m);
	return ret;
}

/* Entries of the cache by kind; @name gets that of a regular one. */
static unsigned int count(mode_t kind, char *name)
{
	struct dirent *de;
	unsigned int n = 0;
	DIR *d = opendir(images);

	while (d && (de = readdir(d))) {
		char path[PATH_MAX + 256];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", images, de->d_name);
		if (lstat(path, &st) || (st.st_mode & S_IFMT) != kind)
			continue;
		n++;
		if (name)
			memcpy(name, path, PATH_MAX - 1);
	}
	if (d)
		closedir(d);
	return n;
}

Test(image_load, every_packing_twice)
{
	struct why why;

	for (int p = 0; p < BZIMAGE_NPACKINGS; p++) {
		put_kernel(kernel, (uint8_t)(p + 1), (enum bzimage_packing)p);
		cr_expect_eq(load(kernel, &why), p + 1, "%d: %s", p, why.text);
		cr_expect_eq(load(kernel, &why), p + 1, "%d: %s", p, why.text);
		/* A plain payload is not cached. */
		cr_expect_eq(count(S_IFREG, NULL), (unsigned int)p);
	}
}

Test(image_load, elf_is_loaded_as_it_is)
{
	static uint8_t elf[TOY_SIZE];
	struct why why;

	toy_elf(elf, &(struct toy){ 0 });
	put_file(kernel, elf, sizeof(elf));
	cr_expect_eq(load(kernel, &why), toy_byte(0), "%s", why.text);
	cr_expect_eq(count(S_IFREG, NULL), 0);
}

Test(image_load, second_boot_unpacks_nothing)
{
	char other[PATH_MAX];
	struct why why;

	snprintf(other, sizeof(other), "%s/other", top);
	put_kernel(kernel, 9, BZIMAGE_XZ);
	put_kernel(other, 9, BZIMAGE_XZ);
	cr_expect_eq(load(kernel, &why), 9);
	/* Without sv-unpack, also for another file of the same content. */
	setenv("SPLITVISOR_LIBEXEC_DIR", "/nonexistent", 1);
	cr_expect_eq(load(kernel, &why), 9);
	cr_expect_eq(load(other, &why), 9);
	cr_expect_eq(count(S_IFREG, NULL), 1);
	put_kernel(kernel, 8, BZIMAGE_XZ);
	cr_expect_lt(load(kernel, &why), 0);
	cr_expect(strstr(why.text, "sv-unpack cannot be started"), "%s",
		  why.text);
}

Test(image_load, unchanged_file_is_not_hashed_again)
{
	char name[PATH_MAX];
	struct why why;

	put_kernel(kernel, 1, BZIMAGE_GZIP);
	set_time(kernel, time(NULL) + 1000); /* however long this takes */
	cr_expect_eq(load(kernel, &why), 1);
	cr_expect_eq(count(S_IFLNK, NULL), 0, "it has just been written");
	settle(kernel);
	sleep(4); /* ctime cannot be set */
	cr_expect_eq(load(kernel, &why), 1);
	cr_expect_eq(count(S_IFLNK, name), 1);
	cr_expect_eq(load(kernel, &why), 1);

	/* A link that leads astray is not followed. */
	cr_assert_eq(unlink(name), 0);
	cr_assert_eq(symlink("../../../../etc/passwd", name), 0);
	cr_expect_eq(load(kernel, &why), 1, "%s", why.text);
	cr_assert_eq(access(name, F_OK), 0, "made again");
}

struct damage {
	char name[32];
	int64_t at; /* from the end if negative */
	int cut;    /* end the file there instead of changing a byte */
};

ParameterizedTestParameters(image_load, damaged_entries)
{
	static struct damage t[] = {
		{ "first byte", 0, 0 },
		{ "program header", 0x48, 0 },
		{ "load address", 0x58, 0 },
		{ "note", TOY_NOTES + 40, 0 },
		{ "text", TOY_TEXT + 0x123, 0 },
		{ "last byte of data", TOY_DATA + TOY_DATA_SIZE - 1, 0 },
		{ "checksum", -1, 0 },
		{ "size", -20, 0 },
		{ "hash", -60, 0 },
		{ "magic", -112, 0 },
		{ "empty", 0, 1 },
		{ "one byte", 1, 1 },
		{ "half", TOY_SIZE / 2, 1 },
		{ "without trailer", TOY_SIZE, 1 },
		{ "one byte short", -1, 1 },
	};
	return cr_make_param_array(struct damage, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct damage *t, image_load, damaged_entries)
{
	char name[PATH_MAX] = "";
	struct stat st;
	struct why why;
	uint8_t byte;
	off_t at;
	int fd;

	put_kernel(kernel, 5, BZIMAGE_ZSTD);
	cr_assert_eq(load(kernel, &why), 5, "%s", why.text);
	cr_assert_eq(count(S_IFREG, name), 1);
	fd = open(name, O_RDWR);
	cr_assert(fd >= 0 && !fstat(fd, &st));
	at = t->at < 0 ? st.st_size + t->at : t->at;
	if (t->cut) {
		cr_assert_eq(ftruncate(fd, at), 0);
	} else {
		cr_assert_eq(pread(fd, &byte, 1, at), 1);
		byte ^= 0x40;
		cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
	}
	close(fd);

	cr_expect_eq(load(kernel, &why), 5, "%s: %s", t->name, why.text);
	/* It has been replaced by a good one. */
	setenv("SPLITVISOR_LIBEXEC_DIR", "/nonexistent", 1);
	cr_expect_eq(load(kernel, &why), 5, "%s: %s", t->name, why.text);
}

Test(image_load, entry_that_others_can_write_is_not_used)
{
	char name[PATH_MAX];
	struct why why;

	put_kernel(kernel, 5, BZIMAGE_ZSTD);
	cr_assert_eq(load(kernel, &why), 5);
	cr_assert_eq(count(S_IFREG, name), 1);
	cr_assert_eq(chmod(name, 0666), 0);
	setenv("SPLITVISOR_LIBEXEC_DIR", "/nonexistent", 1);
	cr_expect_lt(load(kernel, &why), 0);
}

Test(image_load, old_entries_are_pruned)
{
	struct why why;
	char stale[PATH_MAX + 16];

	cr_assert_eq(paths_mkdir(images), 0);
	snprintf(stale, sizeof(stale), "%s/.new.1", images);
	put_file(stale, "x", 1);
	settle(stale);
	for (uint8_t i = 1; i <= IMAGE_CACHE_ENTRIES + 3; i++) {
		put_kernel(kernel, i, BZIMAGE_GZIP);
		cr_assert_eq(load(kernel, &why), i, "%s", why.text);
	}
	cr_expect_eq(count(S_IFREG, NULL), IMAGE_CACHE_ENTRIES);
	cr_expect_neq(access(stale, F_OK), 0);
	/* The newest is there, the first is not. */
	setenv("SPLITVISOR_LIBEXEC_DIR", "/nonexistent", 1);
	cr_expect_eq(load(kernel, &why), IMAGE_CACHE_ENTRIES + 3);
	put_kernel(kernel, 1, BZIMAGE_GZIP);
	cr_expect_lt(load(kernel, &why), 0);
}

Test(image_load, no_cache_directory)
{
	struct why why;

	setenv("SPLITVISOR_CACHE_DIR", "/proc/nonexistent", 1);
	paths_init();
	put_kernel(kernel, 3, BZIMAGE_XZ);
	cr_expect_eq(load(kernel, &why), 3, "%s", why.text);
	cr_expect_eq(load(kernel, &why), 3, "%s", why.text);
}

Test(image_load, refusals_name_the_file)
{
	static const uint8_t zeros[4096];
	struct why why;

	cr_expect_eq(load("/nonexistent/k", &why), -ENOENT);
	cr_expect_str_eq(
		why.text,
		"/nonexistent/k: kernel cannot be opened: No such file or directory; check kernel=");
	cr_expect_eq(load(top, &why), -EINVAL);
	cr_expect(strstr(why.text, "is a directory"), "%s", why.text);
	cr_expect_eq(load("/dev/null", &why), -EINVAL);
	cr_expect(strstr(why.text, "is a special file"), "%s", why.text);
	put_file(kernel, "", 0);
	cr_expect_eq(load(kernel, &why), -ENOEXEC);
	cr_expect(strstr(why.text, "vmlinuz: is empty"), "%s", why.text);
	put_file(kernel, zeros, sizeof(zeros));
	cr_expect_eq(load(kernel, &why), -ENOEXEC);
	cr_expect(strstr(why.text, "is not a kernel"), "%s", why.text);
	cr_assert_eq(truncate(kernel, (256 << 20) + 1), 0);
	cr_expect_eq(load(kernel, &why), -EFBIG);
	cr_expect(strstr(why.text, "larger (268435457 bytes)"), "%s", why.text);
}

Test(image_load, corrupt_payload_is_told_and_not_kept)
{
	static uint8_t elf[TOY_SIZE];
	struct why why;
	uint8_t *file;
	size_t size;

	toy_elf(elf, &(struct toy){ 0 });
	toy_bzimage(&file, &size, elf, sizeof(elf), BZIMAGE_XZ);
	memset(file + 5 * 512 + 0x60 + 100, 0, 64);
	put_file(kernel, file, size);
	cr_expect_eq(load(kernel, &why), -ENOEXEC);
	cr_expect(strstr(why.text, "vmlinuz: its packed kernel is corrupt ("),
		  "%s", why.text);
	cr_expect_eq(count(S_IFREG, NULL), 0);
	put_file(kernel, file, size / 2);
	cr_expect_eq(load(kernel, &why), -ENOEXEC);
	cr_expect(strstr(why.text, "is truncated: "), "%s", why.text);
	free(file);

	/* A payload without a PVH entry is not kept either. */
	toy_elf(elf, &(struct toy){ .no_note = true });
	toy_bzimage(&file, &size, elf, sizeof(elf), BZIMAGE_XZ);
	put_file(kernel, file, size);
	cr_expect_eq(load(kernel, &why), -ENOEXEC);
	cr_expect(strstr(why.text, "has no PVH entry"), "%s", why.text);
	cr_expect_eq(count(S_IFREG, NULL), 0);
	free(file);
}

Test(image_load, nothing_is_left_open)
{
	struct why why;
	int before = dup(0), after;

	close(before);
	put_kernel(kernel, 3, BZIMAGE_XZ);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(load(kernel, &why), 3);
	cr_expect_lt(load(top, &why), 0);
	after = dup(0);
	close(after);
	cr_expect_eq(before, after);
}
