/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/hostile/test_image_peer.c - kernels cut anywhere and with bits turned. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "hypervisor/bzimage.h"
#include "hypervisor/guestmem.h"
#include "hypervisor/image.h"
#include "hypervisor/layout.h"
#include "tests/lib/fini.h"
#include "tests/lib/patience.h"
#include "tests/lib/proc.h"
#include "tests/lib/stack.h"
#include "tests/lib/toykernel.h"

/*
 * Whatever a file says, the loader answers 0 or an error with a line of text,
 * reads nothing outside it (each attempt has an allocation of its own, for
 * ASan), writes nothing outside the kernel's part of guest RAM, and never more
 * than it was promised.  The same for an image in which everything was allowed.
 */

#define RAM_SIZE (48u << 20)

static struct guestmem *ram;

static void setup(void)
{
	cr_assert_eq(guestmem_new(&ram, RAM_SIZE), 0);
}

static void teardown(void)
{
	const uint8_t *p = guestmem_ptr(ram, gpa_of(0), RAM_SIZE);

	for (size_t i = 0; i < LAYOUT_KERNEL_MIN; i++)
		FINI_CHECK(p[i] == 0); /* low memory */
	guestmem_free(ram);
}

TestSuite(image_peer, .init = setup, .fini = teardown, .timeout = 300);

static void check_why(int ret, const struct why *why)
{
	size_t len = strnlen(why->text, sizeof(why->text));

	if (!ret)
		return;
	cr_assert(ret == -ENOEXEC || ret == -ENOSPC, "%d", ret);
	cr_assert(len > 10 && len < sizeof(why->text) - 1, "%s", why->text);
	cr_assert_eq(strncmp(why->text, "evil: ", 6), 0, "%s", why->text);
}

/* Return: 1 if it was accepted. */
static int try_elf(const struct image_src *src)
{
	struct image_sum sum;
	struct image img;
	struct why why;
	int ret;

	memset(&why, 'A', sizeof(why));
	ret = image_parse(src, &img, &why);
	check_why(ret, &why);
	if (ret)
		return 0;
	cr_assert_leq(img.nsegs, IMAGE_MAX_SEGMENTS);
	memset(&why, 'A', sizeof(why));
	ret = image_place(src, &img, ram, &sum, &why);
	check_why(ret, &why);
	return !ret;
}

static int try_bzimage(const struct image_src *src)
{
	int fd = memfd_create("unpacked", 0);
	struct bzimage bz;
	struct stat st;
	struct why why;
	int ret;

	memset(&why, 'A', sizeof(why));
	ret = bzimage_find(src, &bz, &why);
	check_why(ret, &why);
	if (!ret) {
		cr_assert_leq(bz.unpacked, IMAGE_MAX_FILE);
		cr_assert_leq(bz.payload.base + bz.payload.size, src->size);
		if (bz.packing == BZIMAGE_PLAIN)
			goto close;
		memset(&why, 'A', sizeof(why));
		ret = bzimage_unpack(&bz, fd, &why);
		check_why(ret, &why);
		cr_assert_eq(fstat(fd, &st), 0);
		cr_assert_leq((uint64_t)st.st_size, bz.unpacked);
	}
close:
	close(fd);
	return !ret;
}

/* One attempt with a copy that has no byte to spare. */
static int attempt(int (*try)(const struct image_src *), const uint8_t *bytes,
		   size_t len, size_t bit)
{
	uint8_t *copy = malloc(len ?: 1);
	struct image_src src = { .mem = copy, .size = len, .name = "evil" };
	int ret;

	memcpy(copy, bytes, len);
	if (bit < len * 8)
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
	ret = try(&src);
	free(copy);
	return ret;
}

#define NO_BIT SIZE_MAX

Test(image_peer, elf_cut_at_every_byte)
{
	static uint8_t elf[TOY_SIZE];
	static const struct toy kinds[] = {
		{ 0 },
		{ .elf32 = true },
		{ .note_in_section = true },
	};

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		/* The last byte that anything refers to. */
		size_t need = kinds[k].note_in_section
				      ? TOY_SECTIONS + 128
				      : TOY_DATA + TOY_DATA_SIZE;

		toy_elf(elf, &kinds[k]);
		for (size_t len = 0; len <= TOY_SIZE; len++) {
			int ok = attempt(try_elf, elf, len, NO_BIT);

			cr_assert_eq(ok, len >= need, "kind %zu, %zu bytes", k,
				     len);
		}
	}
}

Test(image_peer, elf_with_every_bit_turned)
{
	static uint8_t elf[TOY_SIZE];
	static const struct toy kinds[] = {
		{ 0 },
		{ .elf32 = true },
		{ .note_in_section = true },
	};

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		toy_elf(elf, &kinds[k]);
		for (size_t bit = 0; bit < 0x400 * 8; bit++)
			attempt(try_elf, elf, TOY_SIZE, bit);
		for (size_t bit = TOY_SECTIONS * 8;
		     bit < (TOY_SECTIONS + 128) * 8; bit++)
			attempt(try_elf, elf, TOY_SIZE, bit);
	}
}

/* A generator of our own, so that a failure can be repeated. */
static uint32_t next(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}

/* Fields that count or point, set to values at the edges. */
Test(image_peer, elf_of_edges)
{
	static const uint64_t edge[] = {
		0,
		1,
		3,
		4,
		7,
		12,
		0x38,
		0x3f,
		0x40,
		0xfff,
		0x1000,
		TOY_SIZE - 1,
		TOY_SIZE,
		TOY_SIZE + 1,
		0xffff,
		0xfffff,
		0x100000,
		0x1000000,
		0x7fffffff,
		0x80000000,
		0xfffff000,
		0xffffffff,
		0x100000000,
		INT64_MAX,
		UINT64_MAX - 4095,
		UINT64_MAX - 1,
		UINT64_MAX,
	};
	static uint8_t elf[TOY_SIZE];
	uint64_t seed = 1;

	for (int round = 0; round < 200000; round++) {
		unsigned int n = 1 + next(&seed) % 3;

		toy_elf(elf, &(struct toy){ .elf32 = round & 1,
					    .note_in_section = round & 2 });
		while (n--) {
			uint32_t where = next(&seed) % 4;
			uint32_t at =
				where == 0   ? next(&seed) % 64
				: where == 1 ? 64 + next(&seed) % 168
				: where == 2 ? TOY_NOTES + next(&seed) % 48
					     : TOY_SECTIONS + next(&seed) % 128;
			uint32_t size = 1u << next(&seed) % 4;
			uint64_t v = edge[next(&seed) % ARRAY_SIZE(edge)];

			at -= at % size;
			memcpy(elf + at, &v, size);
		}
		attempt(try_elf, elf, TOY_SIZE, NO_BIT);
	}
}

Test(image_peer, bzimage_cut_and_turned)
{
	static uint8_t elf[TOY_SIZE];

	toy_elf(elf, &(struct toy){ 0 });
	for (int p = 0; p < BZIMAGE_NPACKINGS; p++) {
		uint64_t seed = (uint64_t)p + 1;
		uint8_t *file;
		size_t size;

		toy_bzimage(&file, &size, elf, sizeof(elf),
			    (enum bzimage_packing)p);
		cr_assert_eq(attempt(try_bzimage, file, size, NO_BIT), 1);
		for (size_t len = 0; len < size; len += 1 + len / 97)
			cr_assert_eq(attempt(try_bzimage, file, len, NO_BIT), 0,
				     "packing %d cut at %zu", p, len);
		/* The setup header, then anywhere in the payload. */
		for (size_t bit = 0x1f0 * 8; bit < 0x250 * 8; bit++)
			attempt(try_bzimage, file, size, bit);
		for (int i = 0; i < 1500; i++) {
			size_t at = 5 * 512 + next(&seed) % (size - 5 * 512);

			attempt(try_bzimage, file, size,
				at * 8 + next(&seed) % 8);
		}
		free(file);
	}
}

/* ---- The real sv-unpack --------------------------------------------------- */

/* Start it with a file of these bytes; what it writes goes to @out. */
static pid_t start_unpack(const uint8_t *bytes, size_t size, int out)
{
	int in = memfd_create("vmlinuz", MFD_CLOEXEC);
	char path[PATH_MAX];
	pid_t pid;

	cr_assert_eq(write(in, bytes, size), (ssize_t)size);
	stack_program(path, "sv-unpack");
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in, 0);
		dup2(out, 1);
		dup2(null, 2);
		execl(path, "sv-unpack", "evil", NULL);
		_exit(127);
	}
	close(in);
	return pid;
}

static rlim_t limit_of(pid_t pid, __rlimit_resource_t what)
{
	struct rlimit r = { 0 };

	cr_assert_eq(prlimit(pid, what, NULL, &r), 0);
	cr_expect_eq(r.rlim_cur, r.rlim_max);
	return r.rlim_max;
}

/* XSA-2: whoever takes over the unpacker has a pipe and some memory. */
Test(image_peer, unpacker_is_locked_in)
{
	static uint8_t zeros[4 << 20];
	uint8_t *file;
	int out[2], status;
	size_t size;
	pid_t pid;

	toy_bzimage(&file, &size, zeros, sizeof(zeros), BZIMAGE_ZSTD);
	cr_assert_eq(pipe(out), 0);
	/* Nobody reads: it stays in the middle of its work. */
	pid = start_unpack(file, size, out[1]);
	cr_expect(SOON(proc_status(pid, "Seccomp:", 10) == 2));
	cr_expect_eq(proc_status(pid, "NoNewPrivs:", 10), 1);
	cr_expect_leq(limit_of(pid, RLIMIT_CPU), 120);
	cr_expect_leq(limit_of(pid, RLIMIT_FSIZE), IMAGE_MAX_FILE);
	cr_expect_eq(limit_of(pid, RLIMIT_CORE), 0);
	if (!SANITIZED)
		cr_expect_leq(limit_of(pid, RLIMIT_DATA), 512 << 20);
	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	close(out[0]);
	close(out[1]);
	free(file);
}

/* XSA-25: as much as a header may promise, and more in it. */
Test(image_peer, bomb_in_the_real_unpacker)
{
	static uint8_t zeros[(256u << 20) + 65536];
	uint32_t claim = 256 << 20, len;
	int out = memfd_create("elf", MFD_CLOEXEC), status;
	struct rusage used;
	struct stat st;
	uint8_t *file;
	size_t size;
	pid_t pid;

	toy_bzimage(&file, &size, zeros, sizeof(zeros), BZIMAGE_ZSTD);
	memcpy(&len, file + 0x24c, 4);
	memcpy(file + 5 * 512 + 0x60 + len - 4, &claim, 4);
	pid = start_unpack(file, size, out);
	cr_assert_eq(wait4(pid, &status, 0, &used), pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%x", status);
	cr_assert_eq(fstat(out, &st), 0);
	cr_expect_leq(st.st_size, (off_t)claim);
	cr_expect_leq(used.ru_utime.tv_sec, SANITIZED ? 100 : 30);
	if (!SANITIZED)
		cr_expect_leq(used.ru_maxrss, 32 << 10, "%ld KiB",
			      used.ru_maxrss);
	close(out);
	free(file);
}
