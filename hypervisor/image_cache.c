// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/image_cache.c - unpacked kernels, kept on disk by content.
#include "hypervisor/image_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gcrypt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/paths.h"

#define HASH_LEN  ((size_t)32)
#define HASH_STEP (256u << 10)
#define SUFFIX	  ".elf"
#define NAME_LEN  ((ssize_t)(2 * HASH_LEN + sizeof(SUFFIX) - 1))
#define TEMP	  ".new."

/* A file changed less than this ago may change again without a trace. */
#define SETTLED_S 3

/* An unfinished file this old was left behind by a crash. */
#define ABANDONED_S 3600

/* Directory entries looked at while pruning; ours hold a few dozen. */
#define MAX_ENTRIES 1024

struct trailer {
	char magic[16];
	char hash[72]; /* as in the file name */
	uint64_t size; /* bytes before the trailer */
	struct image_sum sum;
};
static const char trailer_magic[16] = "SplitvisorImage1";

_Static_assert(sizeof(struct trailer) == 16 + 72 + 8 + 16, "no padding");

static int64_t age(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec - t->tv_sec;
}

void image_cache_open(struct image_cache *c, int file, const struct stat *st)
{
	char path[PATH_MAX];

	*c = (struct image_cache){ .file = file, .dir = -1, .st = *st };
	snprintf(path, sizeof(path), "%s/images", paths_cache());
	if (paths_mkdir(path))
		return;
	c->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (age(&st->st_mtim) < SETTLED_S || age(&st->st_ctim) < SETTLED_S)
		return;
	snprintf(c->stat, sizeof(c->stat),
		 "%" PRIx64 "-%" PRIx64 "-%" PRIx64 "-%" PRIx64
		 ".%09ld-%" PRIx64 ".%09ld",
		 (uint64_t)st->st_dev, (uint64_t)st->st_ino,
		 (uint64_t)st->st_size, (uint64_t)st->st_mtim.tv_sec,
		 st->st_mtim.tv_nsec, (uint64_t)st->st_ctim.tv_sec,
		 st->st_ctim.tv_nsec);
}

static void drop_temp(struct image_cache *c)
{
	if (c->temp[0])
		unlinkat(c->dir, c->temp, 0);
	c->temp[0] = '\0';
}

void image_cache_close(struct image_cache *c)
{
	drop_temp(c);
	fd_close(&c->dir);
}

static int hash_all(gcry_md_hd_t md, const struct image_src *src)
{
	uint8_t *buf = malloc(HASH_STEP);
	int ret = 0;

	if (!buf)
		return -ENOMEM;
	for (uint64_t at = 0; !ret && at < src->size; at += HASH_STEP) {
		uint64_t len = MIN(HASH_STEP, src->size - at);

		ret = image_read(src, at, buf, len);
		if (!ret)
			gcry_md_write(md, buf, len);
	}
	free(buf);
	return ret;
}

/* Name the entry of @src by its content. */
static int name_entry(struct image_cache *c, const struct image_src *src)
{
	gcry_md_hd_t md;
	const uint8_t *hash;
	int ret;

	if (!gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
		gcry_check_version(NULL);
		gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
		gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	}
	if (gcry_md_open(&md, GCRY_MD_BLAKE2B_256, 0))
		return -ENOMEM;
	ret = hash_all(md, src);
	hash = gcry_md_read(md, GCRY_MD_BLAKE2B_256);
	for (size_t i = 0; !ret && i < HASH_LEN; i++)
		snprintf(c->hash + 2 * i, sizeof(c->hash) - 2 * i, "%02x%s",
			 hash[i], SUFFIX);
	gcry_md_close(md);
	return ret;
}

/* Whether an open file is an entry that we may trust. */
static int check_entry(int fd, const char *name, struct trailer *t)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IWGRP | S_IWOTH)) ||
	    (st.st_uid && st.st_uid != geteuid()) ||
	    st.st_size <= (off_t)sizeof(*t))
		return -ENOENT;
	if (pread(fd, t, sizeof(*t), st.st_size - (off_t)sizeof(*t)) !=
	    (ssize_t)sizeof(*t))
		return -ENOENT;
	if (memcmp(t->magic, trailer_magic, sizeof(t->magic)) != 0 ||
	    strncmp(t->hash, name, sizeof(t->hash)) != 0 ||
	    t->size != (uint64_t)st.st_size - sizeof(*t))
		return -ENOENT;
	return 0;
}

static int open_entry(struct image_cache *c, const char *name,
		      struct image_src *out, struct image_sum *sum)
{
	struct trailer t;
	int fd, ret;

	fd = openat(c->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -ENOENT;
	ret = check_entry(fd, name, &t);
	if (ret) {
		close(fd);
		return ret;
	}
	*out = (struct image_src){ .fd = fd, .size = t.size };
	*sum = t.sum;
	/* Its age decides what is pruned; a read-only cache is not pruned. */
	(void)futimens(fd, NULL);
	return 0;
}

/* The entry that the link for an unchanged file names. */
static int follow_link(struct image_cache *c)
{
	ssize_t n;

	if (!c->stat[0])
		return -ENOENT;
	n = readlinkat(c->dir, c->stat, c->hash, sizeof(c->hash));
	if (n == NAME_LEN) {
		c->hash[n] = '\0';
		if (!strchr(c->hash, '/'))
			return 0;
	}
	c->hash[0] = '\0';
	return -ENOENT;
}

static void make_link(struct image_cache *c)
{
	if (!c->stat[0])
		return;
	unlinkat(c->dir, c->stat, 0);
	if (symlinkat(c->hash, c->dir, c->stat) < 0)
		return; /* read-only, or another process was faster */
}

int image_cache_find(struct image_cache *c, const struct image_src *src,
		     struct image_src *out, struct image_sum *sum)
{
	int ret;

	if (c->dir < 0)
		return -ENOENT;
	if (!follow_link(c)) {
		ret = open_entry(c, c->hash, out, sum);
		if (!ret)
			return 0;
		c->hash[0] = '\0';
	}
	ret = name_entry(c, src);
	if (ret)
		return ret;
	ret = open_entry(c, c->hash, out, sum);
	if (!ret)
		make_link(c);
	return ret;
}

void image_cache_spoilt(struct image_cache *c)
{
	if (c->dir < 0)
		return;
	unlinkat(c->dir, c->hash, 0);
	if (c->stat[0])
		unlinkat(c->dir, c->stat, 0);
}

int image_cache_to_memory(struct image_cache *c)
{
	int fd;

	drop_temp(c);
	fd = memfd_create("splitvisor-kernel", MFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int image_cache_temp(struct image_cache *c)
{
	int fd;

	if (c->dir < 0 || !c->hash[0])
		return image_cache_to_memory(c);
	snprintf(c->temp, sizeof(c->temp), TEMP "%d", (int)getpid());
	unlinkat(c->dir, c->temp, 0);
	fd = openat(c->dir, c->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		    0644);
	if (fd < 0) {
		c->temp[0] = '\0';
		return image_cache_to_memory(c);
	}
	return fd;
}

/** struct entry - A file in the cache, while pruning. */
struct entry {
	char name[80];
	struct timespec used;
};

static int newer_first(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->used.tv_sec != y->used.tv_sec)
		return x->used.tv_sec > y->used.tv_sec ? -1 : 1;
	return (x->used.tv_nsec < y->used.tv_nsec) -
	       (x->used.tv_nsec > y->used.tv_nsec);
}

/* Collect entries; remove links to nowhere and abandoned files. */
static size_t collect(int dir, DIR *d, struct entry *list)
{
	struct dirent *de;
	size_t n = 0;

	for (int i = 0; i < MAX_ENTRIES && (de = readdir(d)); i++) {
		size_t len = strlen(de->d_name);
		struct stat st;

		if (de->d_name[0] == '.' &&
		    strncmp(de->d_name, TEMP, strlen(TEMP)) != 0)
			continue;
		if (fstatat(dir, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISLNK(st.st_mode)
			    ? faccessat(dir, de->d_name, F_OK, 0) < 0
			    : de->d_name[0] == '.' &&
				      age(&st.st_mtim) > ABANDONED_S)
			unlinkat(dir, de->d_name, 0);
		if (!S_ISREG(st.st_mode) || de->d_name[0] == '.' ||
		    len >= sizeof(list->name))
			continue;
		memcpy(list[n].name, de->d_name, len + 1);
		list[n++].used = st.st_mtim;
	}
	return n;
}

static void prune(struct image_cache *c)
{
	struct entry *list;
	size_t n;
	DIR *d;
	int fd;

	fd = openat(c->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return;
	}
	list = calloc(MAX_ENTRIES, sizeof(*list));
	if (list) {
		n = collect(fd, d, list);
		qsort(list, n, sizeof(*list), newer_first);
		while (n > IMAGE_CACHE_ENTRIES)
			unlinkat(fd, list[--n].name, 0);
		free(list);
	}
	closedir(d);
}

/* Whether the file is still what was hashed, as far as its times tell. */
static bool unchanged(const struct image_cache *c)
{
	const struct stat *a = &c->st;
	struct stat b;

	return !fstat(c->file, &b) && a->st_size == b.st_size &&
	       a->st_mtim.tv_sec == b.st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b.st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

void image_cache_keep(struct image_cache *c, int fd, uint64_t size,
		      const struct image_sum *sum)
{
	struct trailer t = { .size = size, .sum = *sum };

	if (!c->temp[0] || !unchanged(c))
		return;
	memcpy(t.magic, trailer_magic, sizeof(t.magic));
	memcpy(t.hash, c->hash, sizeof(t.hash));
	if (pwrite(fd, &t, sizeof(t), (off_t)size) != (ssize_t)sizeof(t) ||
	    renameat(c->dir, c->temp, c->dir, c->hash) < 0) {
		drop_temp(c);
		return;
	}
	c->temp[0] = '\0';
	make_link(c);
	prune(c);
}
