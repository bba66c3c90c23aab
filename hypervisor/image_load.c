// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/image_load.c - a kernel file into guest RAM, unpacked at need.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/paths.h"
#include "hypervisor/bzimage.h"
#include "hypervisor/guestmem.h"
#include "hypervisor/image.h"
#include "hypervisor/image_cache.h"
#include "hypervisor/layout.h"

extern char **environ;

static int open_kernel(const char *path, struct image_src *src, struct stat *st,
		       struct why *why)
{
	*src = (struct image_src){ .name = path };
	src->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (src->fd < 0) {
		int err = errno;

		return why_set(why, -err,
			       "%s: kernel cannot be opened: %s; check kernel=",
			       path, strerror(err));
	}
	if (fstat(src->fd, st) < 0)
		return why_set(why, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st->st_mode))
		return why_set(why, -EINVAL,
			       "%s: is %s, not a kernel; check kernel=", path,
			       S_ISDIR(st->st_mode) ? "a directory"
						    : "a special file");
	src->size = (uint64_t)st->st_size;
	if (!src->size)
		return why_set(why, -ENOEXEC,
			       "%s: is empty, not a kernel; copy it again",
			       path);
	if (src->size > IMAGE_MAX_FILE)
		return why_set(why, -EFBIG,
			       "%s: is larger (%" PRIu64
			       " bytes) than any kernel (limit %" PRIu64 ")",
			       path, src->size, IMAGE_MAX_FILE);
	return 0;
}

/* Read all that sv-unpack has to say; its first line is the reason. */
static void hear(int fd, char *text, size_t size)
{
	size_t len = 0;
	char rest[256] = "";

	for (;;) {
		bool full = len + 1 >= size;
		ssize_t n = read(fd, full ? rest : text + len,
				 full ? sizeof(rest) : size - 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (!full)
			len += (size_t)n;
	}
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

/* Start sv-unpack: the kernel file is its input, @out its output. */
static int start_unpack(const struct image_src *src, int out, int err,
			pid_t *pid)
{
	posix_spawn_file_actions_t acts;
	char program[PATH_MAX], name[PATH_MAX];
	char *argv[] = { program, name, NULL };
	int ret;

	paths_program(program, "sv-unpack");
	strncpy(name, src->name, sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ret = posix_spawn_file_actions_init(&acts);
	if (ret)
		return -ret;
	ret = posix_spawn_file_actions_adddup2(&acts, src->fd, 0);
	if (!ret)
		ret = posix_spawn_file_actions_adddup2(&acts, out, 1);
	if (!ret)
		ret = posix_spawn_file_actions_adddup2(&acts, err, 2);
	if (!ret)
		ret = posix_spawn(pid, program, &acts, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&acts);
	return -ret;
}

/* Have the payload of @src unpacked into the empty file @out. */
static int unpack(const struct image_src *src, int out, struct why *why)
{
	char text[sizeof(why->text)] = "";
	int pipefd[2], status = 0, ret;
	pid_t pid = -1;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return why_set(why, -errno, "pipe: %s", strerror(errno));
	ret = start_unpack(src, out, pipefd[1], &pid);
	close(pipefd[1]);
	if (ret) {
		close(pipefd[0]);
		return why_set(
			why, ret,
			"%s: sv-unpack cannot be started: %s; is it installed beside sv-hypervisor?",
			src->name, strerror(-ret));
	}
	hear(pipefd[0], text, sizeof(text));
	close(pipefd[0]);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return why_set(why, -errno, "waitpid: %s",
				       strerror(errno));
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && text[0])
		return why_set(why, -ENOEXEC, "%s", text);
	return why_set(
		why, -ENOEXEC,
		"%s: cannot be unpacked within the limits of sv-unpack (%s %d): is it corrupt?",
		src->name, WIFSIGNALED(status) ? "signal" : "status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static int parse_and_place(const struct image_src *elf, struct guestmem *m,
			   struct image *out, struct image_sum *sum,
			   struct why *why)
{
	struct image img;
	int ret;

	ret = image_parse(elf, &img, why);
	if (!ret)
		ret = image_place(elf, &img, m, sum, why);
	if (!ret)
		*out = img;
	return ret;
}

/* Try the cache.  Return: 0, -EAGAIN if it must be unpacked, or -errno. */
static int load_cached(struct image_cache *c, const struct image_src *src,
		       struct guestmem *m, struct image *out, struct why *why)
{
	struct image_sum want, sum;
	struct image_src elf;
	int ret;

	ret = image_cache_find(c, src, &elf, &want);
	if (ret == -ENOENT)
		return -EAGAIN;
	if (ret)
		return why_set(why, ret, "%s: cannot be read: %s", src->name,
			       strerror(-ret));
	elf.name = src->name;
	ret = parse_and_place(&elf, m, out, &sum, why);
	fd_close(&elf.fd);
	if (ret == -ENOSPC) /* the entry may be good: the domain is small */
		return ret;
	if (!ret && sum.a == want.a && sum.b == want.b)
		return 0;
	/* Spoilt: what it has left in guest RAM must be zero again. */
	image_cache_spoilt(c);
	ret = guestmem_discard(m, LAYOUT_KERNEL_MIN >> SV_PAGE_SHIFT,
			       (m->region[0].size - LAYOUT_KERNEL_MIN) >>
				       SV_PAGE_SHIFT);
	if (ret)
		return why_set(why, ret, "cannot clear guest memory: %s",
			       strerror(-ret));
	return -EAGAIN;
}

/* Unpack, load and keep. */
static int load_packed(struct image_cache *c, const struct bzimage *bz,
		       const struct image_src *src, struct guestmem *m,
		       struct image *out, struct why *why)
{
	struct image_src elf = { .size = bz->unpacked, .name = src->name };
	struct image_sum sum;
	int ret;

	elf.fd = image_cache_temp(c);
	if (elf.fd >= 0 && c->temp[0] &&
	    posix_fallocate(elf.fd, 0, (off_t)bz->unpacked)) {
		/* The cache's disk is full: a kernel is not refused for that. */
		fd_close(&elf.fd);
		elf.fd = image_cache_to_memory(c);
	}
	if (elf.fd < 0)
		return why_set(why, elf.fd,
			       "%s: no memory to unpack it into: %s", src->name,
			       strerror(-elf.fd));
	ret = unpack(src, elf.fd, why);
	if (!ret)
		ret = parse_and_place(&elf, m, out, &sum, why);
	if (!ret)
		image_cache_keep(c, elf.fd, elf.size, &sum);
	fd_close(&elf.fd);
	return ret;
}

static int load(const struct image_src *src, const struct stat *st,
		struct guestmem *m, struct image *out, struct why *why)
{
	struct image_cache cache;
	struct image_sum sum;
	char magic[SELFMAG] = "";
	struct bzimage bz;
	int ret;

	ret = image_read(src, 0, magic, MIN(sizeof(magic), src->size));
	if (ret)
		return why_set(why, ret, "%s: cannot be read: %s", src->name,
			       strerror(-ret));
	if (!memcmp(magic, ELFMAG, SELFMAG))
		return parse_and_place(src, m, out, &sum, why);
	ret = bzimage_find(src, &bz, why);
	if (ret)
		return ret;
	if (bz.packing == BZIMAGE_PLAIN)
		return parse_and_place(&bz.payload, m, out, &sum, why);
	image_cache_open(&cache, src->fd, st);
	ret = load_cached(&cache, src, m, out, why);
	if (ret == -EAGAIN)
		ret = load_packed(&cache, &bz, src, m, out, why);
	image_cache_close(&cache);
	return ret;
}

int image_load(const char *path, struct guestmem *m, struct image *out,
	       struct why *why)
{
	struct image_src src;
	struct stat st;
	int ret;

	ret = open_kernel(path, &src, &st, why);
	if (!ret)
		ret = load(&src, &st, m, out, why);
	fd_close(&src.fd);
	return ret;
}
