// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/slowfile.c - a disk image whose writes take as long as a test says.
#include "tests/lib/slowfile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/util.h"

#define FILE_INO  2u
#define MAX_WRITE (128u << 10)

struct request {
	struct fuse_in_header head;
	uint8_t body[MAX_WRITE + 4096];
};

/**
 * struct waiting - A write or flush that is done when the test says so.
 * @asked: forgetful_now().
 * @r:     As far as it goes.
 */
struct waiting {
	struct waiting *next;
	uint64_t asked;
	struct request r;
};

struct slowfile {
	char dir[32], path[48];
	int fd;
	size_t size;
	uint8_t *bytes;
	pthread_t thread;
	atomic_bool hold; /* the next write, and until this is over */
	atomic_bool held;
	atomic_bool fail;
	bool cached;
	struct request late, now;
	struct forgetful *medium; /* lock: lock */
	struct waiting *waiting;  /* lock: lock */
	pthread_mutex_t lock;
	int bell;
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "slowfile: %s: %s\n", what, strerror(errno));
	abort();
}

static void answer(struct slowfile *f, const struct request *r, int err,
		   const void *body, size_t n)
{
	struct fuse_out_header head = { .len = (uint32_t)(sizeof(head) + n),
					.error = -err,
					.unique = r->head.unique };
	struct iovec iov[2] = { { &head, sizeof(head) },
				{ (void *)(uintptr_t)body, n } };

	/* Who asked may not be there any more. */
	must(writev(f->fd, iov, 2) >= 0 || errno == ENOENT, "writev");
}

static struct fuse_attr attributes(const struct slowfile *f, uint64_t ino)
{
	struct fuse_attr a = { .ino = ino, .nlink = 1, .blksize = 4096 };

	a.mode = ino == FILE_INO ? S_IFREG | 0600 : S_IFDIR | 0700;
	a.size = ino == FILE_INO ? f->size : 0;
	return a;
}

static void do_init(struct slowfile *f, const struct request *r)
{
	uint32_t cache = f->cached ? FUSE_WRITEBACK_CACHE : 0;
	struct fuse_init_out out = { .major = FUSE_KERNEL_VERSION,
				     .minor = 38,
				     .flags = FUSE_ASYNC_READ | FUSE_ASYNC_DIO |
					      FUSE_BIG_WRITES | cache,
				     .max_background = 64,
				     .congestion_threshold = 64,
				     .max_write = MAX_WRITE,
				     .time_gran = 1 };

	answer(f, r, 0, &out, sizeof(out));
}

static void do_read(struct slowfile *f, const struct request *r)
{
	const struct fuse_read_in *in = (const void *)r->body;
	size_t at = MIN((size_t)in->offset, f->size);

	if (f->medium) {
		pthread_mutex_lock(&f->lock);
		forgetful_read(f->medium, 0, f->bytes, f->size / DISK_SECTOR);
		pthread_mutex_unlock(&f->lock);
	}
	answer(f, r, 0, f->bytes + at, MIN(in->size, f->size - at));
}

static void do_write(struct slowfile *f, const struct request *r)
{
	const struct fuse_write_in *in = (const void *)r->body;
	struct fuse_write_out out = { .size = in->size };

	must(in->offset + in->size <= f->size, "a write beyond the end");
	memcpy(f->bytes + in->offset, in + 1, in->size);
	answer(f, r, 0, &out, sizeof(out));
}

static void handle(struct slowfile *f, const struct request *r)
{
	struct fuse_entry_out entry = { .nodeid = FILE_INO };
	struct fuse_attr_out attr = { .attr = attributes(f, r->head.nodeid) };
	struct fuse_open_out open = {
		.open_flags = f->cached ? 0
					: FOPEN_DIRECT_IO |
						  FOPEN_PARALLEL_DIRECT_WRITES
	};

	switch (r->head.opcode) {
	case FUSE_INIT:
		do_init(f, r);
		break;
	case FUSE_LOOKUP:
		entry.attr = attributes(f, FILE_INO);
		answer(f, r, 0, &entry, sizeof(entry));
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		answer(f, r, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		answer(f, r, 0, &open, sizeof(open));
		break;
	case FUSE_READ:
		do_read(f, r);
		break;
	case FUSE_WRITE:
		do_write(f, r);
		break;
	case FUSE_FLUSH:
	case FUSE_FSYNC:
	case FUSE_RELEASE:
		answer(f, r, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT: /* a slow disk hears nothing of it */
		break;
	default:
		answer(f, r, ENOSYS, NULL, 0);
	}
}

/* ---- above a disk that forgets ------------------------------------------------ */

static void keep(struct slowfile *f)
{
	size_t n = f->now.head.len;
	struct waiting *w = malloc(offsetof(struct waiting, r) + n);

	must(w != NULL, "memory");
	memcpy(&w->r, &f->now, n);
	pthread_mutex_lock(&f->lock);
	w->asked = forgetful_now(f->medium);
	w->next = f->waiting;
	f->waiting = w;
	pthread_mutex_unlock(&f->lock);
	must(!eventfd_write(f->bell, 1), "bell");
}

/* Take the @n-th out; NULL if there are not so many. */
static struct waiting *pick(struct slowfile *f, unsigned int n)
{
	struct waiting **at = &f->waiting, *w;

	while (*at && n--)
		at = &(*at)->next;
	w = *at;
	if (w)
		*at = w->next;
	return w;
}

/* Do a write, or any part of it. */
static void settle_write(struct slowfile *f, const struct waiting *w,
			 bool whole)
{
	const struct fuse_write_in *in = (const void *)w->r.body;
	struct fuse_write_out out = { .size = in->size };
	uint64_t sector = in->offset / DISK_SECTOR;
	size_t n = in->size / DISK_SECTOR;

	if (whole)
		forgetful_write(f->medium, sector, in + 1, n);
	else
		forgetful_tear(f->medium, sector, in + 1, n);
	answer(f, &w->r, whole ? 0 : EIO, &out, whole ? sizeof(out) : 0);
}

/* Do it, or let it end if nobody asks any more. */
static void settle(struct slowfile *f, struct waiting *w, bool whole)
{
	if (w->r.head.opcode == FUSE_WRITE) {
		settle_write(f, w, whole);
	} else {
		if (whole)
			forgetful_flush(f->medium, w->asked);
		answer(f, &w->r, whole ? 0 : EIO, NULL, 0);
	}
	free(w);
}

bool slowfile_do_one(struct slowfile *f)
{
	struct waiting *w;
	unsigned int n = 0;

	pthread_mutex_lock(&f->lock);
	for (w = f->waiting; w; w = w->next)
		n++;
	/* Half of the times a newer one: those of the dead come late. */
	if (n && rand() % 2)
		n = 1 + (unsigned int)rand() % n;
	w = n ? pick(f, (unsigned int)rand() % n) : NULL;
	if (w)
		settle(f, w, true);
	pthread_mutex_unlock(&f->lock);
	return w;
}

void slowfile_end_all(struct slowfile *f)
{
	struct waiting *w;

	pthread_mutex_lock(&f->lock);
	while ((w = pick(f, 0)))
		settle(f, w, false);
	pthread_mutex_unlock(&f->lock);
}

int slowfile_bell(const struct slowfile *f)
{
	return f->bell;
}

/* ---- the thread --------------------------------------------------------------- */

static void take(struct slowfile *f)
{
	uint32_t op = f->now.head.opcode;

	if (f->medium && (op == FUSE_WRITE || op == FUSE_FSYNC)) {
		keep(f);
		return;
	}
	if (atomic_load(&f->hold) && !atomic_load(&f->held) &&
	    f->now.head.opcode == FUSE_WRITE) {
		f->late = f->now;
		atomic_store(&f->held, true);
		return;
	}
	handle(f, &f->now);
}

static void *serve(void *arg)
{
	struct slowfile *f = arg;
	struct pollfd p = { .fd = f->fd, .events = POLLIN };

	for (;;) {
		bool held = atomic_load(&f->held);

		if (poll(&p, 1, held ? 1 : 100) > 0) {
			if (read(f->fd, &f->now, sizeof(f->now)) > 0)
				take(f);
			else if (errno == ENODEV)
				return NULL; /* unmounted */
		}
		if (held && !atomic_load(&f->hold)) {
			if (atomic_exchange(&f->fail, false))
				answer(f, &f->late, EIO, NULL, 0);
			else
				handle(f, &f->late);
			atomic_store(&f->held, false);
		}
	}
}

static struct slowfile *make(size_t size, bool cached, struct forgetful *medium)
{
	struct slowfile *f = calloc(1, sizeof(*f));
	char options[96];

	must(f && (f->bytes = calloc(1, size)), "memory");
	f->size = size;
	f->cached = cached;
	f->medium = medium;
	f->fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (f->fd < 0 || unshare(CLONE_NEWNS) < 0) {
		if (f->fd >= 0)
			close(f->fd);
		free(f->bytes);
		free(f);
		return NULL;
	}
	f->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(f->bell >= 0 && !pthread_mutex_init(&f->lock, NULL), "bell");
	snprintf(f->dir, sizeof(f->dir), "/tmp/sv-test-slow-XXXXXX");
	must(mkdtemp(f->dir) != NULL, "mkdtemp");
	snprintf(f->path, sizeof(f->path), "%s/disk", f->dir);
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=%u,group_id=%u,max_read=%u",
		 f->fd, geteuid(), getegid(), MAX_WRITE);
	must(!mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), "mount");
	must(!mount("slow", f->dir, "fuse", MS_NOSUID | MS_NODEV, options),
	     "mount fuse");
	must(!pthread_create(&f->thread, NULL, serve, f), "thread");
	return f;
}

struct slowfile *slowfile_new(size_t size, bool cached)
{
	return make(size, cached, NULL);
}

struct slowfile *slowfile_above(struct forgetful *medium, size_t sectors)
{
	return make(sectors * DISK_SECTOR, false, medium);
}

void slowfile_free(struct slowfile *f)
{
	umount2(f->dir, MNT_DETACH);
	pthread_join(f->thread, NULL);
	close(f->fd);
	close(f->bell);
	rmdir(f->dir);
	free(f->bytes);
	free(f);
}

const char *slowfile_path(const struct slowfile *f)
{
	return f->path;
}

const uint8_t *slowfile_bytes(const struct slowfile *f)
{
	return f->bytes;
}

void slowfile_hold(struct slowfile *f)
{
	atomic_store(&f->hold, true);
}

void slowfile_release(struct slowfile *f)
{
	atomic_store(&f->hold, false);
	while (atomic_load(&f->held))
		usleep(1000);
}

void slowfile_fail(struct slowfile *f)
{
	atomic_store(&f->fail, true);
	slowfile_release(f);
}

bool slowfile_held(const struct slowfile *f)
{
	return atomic_load(&f->held);
}
