// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/sweep.c - what happens when any one call fails.
#include "tests/lib/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

#include <archive.h>
#include <event2/event.h>
#include <liburing.h>
#include <xen/errno.h>

#include "guest-frontend/events.h"
#include "guest-frontend/grants.h"
#include "guest-frontend/pages.h"
#include "tests/lib/fakekvm.h"

#define MAX_CALLS  100000u
#define SETTLE_MS  30000
#define MAX_GOT	   65536u
#define MAX_REPORT 10u

static _Thread_local bool on;
static atomic_uint countdown; /* 0: nothing fails */
static const char *_Atomic failed;

/* ---- which call fails ------------------------------------------------------ */

void sweep_on(void)
{
	on = true;
}

void sweep_off(void)
{
	on = false;
}

static bool fails(const char *name)
{
	unsigned int left = atomic_load(&countdown);

	if (!on)
		return false;
	do {
		if (left == 0)
			return false;
	} while (!atomic_compare_exchange_weak(&countdown, &left, left - 1));
	if (left != 1)
		return false;
	atomic_store(&failed, name);
	return true;
}

/* ---- what was got and not given back ---------------------------------------- */

static struct {
	pthread_mutex_t lock;
	const void *at[MAX_GOT];
	unsigned int n;
} got = { .lock = PTHREAD_MUTEX_INITIALIZER };

static unsigned int place(const void *p)
{
	return (unsigned int)(((uintptr_t)p >> 4) * 2654435761u % MAX_GOT);
}

/* @p was got by a thread that is on. */
static void *got_add(void *p)
{
	unsigned int i = place(p);

	if (!on || !p || p == MAP_FAILED)
		return p;
	pthread_mutex_lock(&got.lock);
	if (++got.n == MAX_GOT)
		abort();
	while (got.at[i])
		i = (i + 1) % MAX_GOT;
	got.at[i] = p;
	pthread_mutex_unlock(&got.lock);
	return p;
}

/* Fill the hole at @i with what was pushed on by its occupant. */
static void close_hole(unsigned int i)
{
	unsigned int j = i;

	for (;;) {
		got.at[i] = NULL;
		do {
			j = (j + 1) % MAX_GOT;
			if (!got.at[j])
				return;
		} while ((j - place(got.at[j])) % MAX_GOT < (j - i) % MAX_GOT);
		got.at[i] = got.at[j];
		i = j;
	}
}

static void got_del(const void *p)
{
	unsigned int i = place(p);

	if (!p)
		return;
	pthread_mutex_lock(&got.lock);
	while (got.at[i] && got.at[i] != p)
		i = (i + 1) % MAX_GOT;
	if (got.at[i]) {
		close_hole(i);
		got.n--;
	}
	pthread_mutex_unlock(&got.lock);
}

/* ---- in the place of libc --------------------------------------------------- */

#define WRAP(type, name, params, args, bad, error) \
	type __real_##name params;                 \
	type __wrap_##name params;                 \
	type __wrap_##name params                  \
	{                                          \
		if (!fails(#name))                 \
			return __real_##name args; \
		errno = (error);                   \
		return bad;                        \
	}

/* Calls that return the error. */
#define WRAP_ERROR(type, name, params, args, error)                 \
	type __real_##name params;                                  \
	type __wrap_##name params;                                  \
	type __wrap_##name params                                   \
	{                                                           \
		return fails(#name) ? (error) : __real_##name args; \
	}

WRAP(int, socket, (int d, int t, int p), (d, t, p), -1, EMFILE)
WRAP(int, accept4, (int fd, struct sockaddr *a, socklen_t *n, int f),
     (fd, a, n, f), -1, EMFILE)
WRAP(int, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n),
     -1, ECONNREFUSED)
WRAP(int, bind, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n), -1,
     ENOMEM)
WRAP(int, listen, (int fd, int n), (fd, n), -1, ENOMEM)
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *m, int f), (fd, m, f), -1,
     ENOBUFS)
WRAP(ssize_t, recvmsg, (int fd, struct msghdr *m, int f), (fd, m, f), -1,
     ECONNRESET)
WRAP(ssize_t, read, (int fd, void *b, size_t n), (fd, b, n), -1, EIO)
WRAP(ssize_t, pread, (int fd, void *b, size_t n, off_t at), (fd, b, n, at), -1,
     EIO)
WRAP(ssize_t, pwrite, (int fd, const void *b, size_t n, off_t at),
     (fd, b, n, at), -1, ENOSPC)
WRAP(ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n), -1,
     EIO)
WRAP(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n), -1,
     EIO)
WRAP(int, eventfd, (unsigned int v, int f), (v, f), -1, EMFILE)
WRAP(int, pipe2, (int p[2], int f), (p, f), -1, EMFILE)
WRAP(int, epoll_create1, (int f), (f), -1, EMFILE)
WRAP(int, epoll_ctl, (int e, int op, int fd, struct epoll_event *ev),
     (e, op, fd, ev), -1, ENOMEM)
WRAP(int, epoll_wait, (int e, struct epoll_event *ev, int n, int ms),
     (e, ev, n, ms), -1, EINTR)
WRAP(int, poll, (struct pollfd * p, nfds_t n, int ms), (p, n, ms), -1, EINTR)
WRAP(int, fstat, (int fd, struct stat *st), (fd, st), -1, EIO)
WRAP(int, ftruncate, (int fd, off_t n), (fd, n), -1, ENOSPC)
WRAP(int, fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n),
     -1, ENOSPC)
WRAP(int, memfd_create, (const char *name, unsigned int f), (name, f), -1,
     EMFILE)
WRAP(int, mkdir, (const char *p, mode_t m), (p, m), -1, ENOSPC)
WRAP(int, rename, (const char *a, const char *b), (a, b), -1, ENOSPC)
WRAP(int, renameat, (int d, const char *a, int e, const char *b), (d, a, e, b),
     -1, ENOSPC)
WRAP(int, symlinkat, (const char *a, int d, const char *b), (a, d, b), -1,
     ENOSPC)
WRAP(int, posix_openpt, (int f), (f), -1, ENOSPC)
WRAP(int, grantpt, (int fd), (fd), -1, EACCES)
WRAP(int, unlockpt, (int fd), (fd), -1, EIO)
WRAP(int, tcgetattr, (int fd, struct termios *t), (fd, t), -1, EIO)
WRAP(int, tcsetattr, (int fd, int a, const struct termios *t), (fd, a, t), -1,
     EIO)
WRAP(int, inotify_init1, (int f), (f), -1, EMFILE)
WRAP(int, inotify_add_watch, (int fd, const char *p, uint32_t m), (fd, p, m),
     -1, ENOSPC)
WRAP_ERROR(int, ptsname_r, (int fd, char *b, size_t n), (fd, b, n), ERANGE)
WRAP_ERROR(int, posix_spawn,
	   (pid_t * pid, const char *path, const posix_spawn_file_actions_t *fa,
	    const posix_spawnattr_t *at, char *const *argv, char *const *envp),
	   (pid, path, fa, at, argv, envp), ENOMEM)
WRAP_ERROR(int, posix_fallocate, (int fd, off_t at, off_t n), (fd, at, n),
	   ENOSPC)
WRAP_ERROR(int, io_uring_queue_init_params,
	   (unsigned int n, struct io_uring *r, struct io_uring_params *p),
	   (n, r, p), -ENOMEM)
WRAP_ERROR(int, io_uring_register_files,
	   (struct io_uring * r, const int *fds, unsigned int n), (r, fds, n),
	   -ENOMEM)
WRAP_ERROR(int, io_uring_submit, (struct io_uring * r), (r), -EAGAIN)
WRAP_ERROR(int, io_uring_submit_and_wait, (struct io_uring * r, unsigned int n),
	   (r, n), -EINTR)
WRAP_ERROR(int, event_add, (struct event * ev, const struct timeval *tv),
	   (ev, tv), -1)

WRAP_ERROR(int, archive_read_append_filter, (struct archive * a, int filter),
	   (a, filter), ARCHIVE_FATAL)
WRAP_ERROR(la_ssize_t, archive_read_data,
	   (struct archive * a, void *b, size_t n), (a, b, n), ARCHIVE_FATAL)

/* Of the guest half. */
WRAP(void *, pages_alloc, (size_t n), (n), NULL, ENOMEM)
WRAP_ERROR(uint32_t, grants_give,
	   (unsigned int remote, const void *page, bool readonly),
	   (remote, page, readonly), GRANTS_NONE)
int __real_events_alloc(unsigned int remote, uint32_t *port);
int __wrap_events_alloc(unsigned int remote, uint32_t *port);
int __wrap_events_alloc(unsigned int remote, uint32_t *port)
{
	bool was_on = on;
	int ret;

	if (fails("events_alloc"))
		return -XEN_ENOSPC;
	/* What comes next is the hypervisor's doing. */
	on = false;
	ret = __real_events_alloc(remote, port);
	on = was_on;
	return ret;
}

/* There is nothing that a write to an eventfd of ours can fail for. */
static bool is_eventfd(int fd)
{
	char path[32], to[32] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, to, sizeof(to) - 1) > 0 &&
	       !strcmp(to, "anon_inode:[eventfd]");
}

ssize_t __real_write(int fd, const void *b, size_t n);
ssize_t __wrap_write(int fd, const void *b, size_t n);
ssize_t __wrap_write(int fd, const void *b, size_t n)
{
	if (!on || is_eventfd(fd) || !fails("write"))
		return __real_write(fd, b, n);
	errno = EIO;
	return -1;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode)
{
	bool was_on;
	int fd;

	if (fails("open")) {
		errno = EMFILE;
		return -1;
	}
	/* What the stand-in does is the kernel's doing. */
	if (!strcmp(path, "/dev/kvm")) {
		was_on = on;
		on = false;
		fd = fakekvm_open();
		on = was_on;
		return fd;
	}
	return __real_open(path, flags, mode);
}

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	bool was_on = on;
	int ret;

	if (fails("ioctl")) {
		errno = ENOMEM;
		return -1;
	}
	if (!fakekvm_has(request))
		return __real_ioctl(fd, request, arg);
	on = false;
	ret = fakekvm_ioctl(fd, request, arg);
	on = was_on;
	return ret;
}

int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, mode_t mode);
int __wrap_openat(int dir, const char *path, int flags, mode_t mode)
{
	if (!fails("openat"))
		return __real_openat(dir, path, flags, mode);
	errno = EMFILE;
	return -1;
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, long arg);
int __wrap_fcntl(int fd, int command, long arg)
{
	if (!fails("fcntl"))
		return __real_fcntl(fd, command, arg);
	errno = EBADF;
	return -1;
}

long __real_syscall(long nr, ...);
long __wrap_syscall(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	if (!fails("syscall"))
		return __real_syscall(nr, a, b, c, d, e, f);
	errno = ENOMEM;
	return -1;
}

/* ---- memory and threads ----------------------------------------------------- */

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_malloc(size_t n)
{
	return fails("malloc") ? NULL : got_add(__real_malloc(n));
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return fails("calloc") ? NULL : got_add(__real_calloc(n, size));
}

void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n)
{
	if (fails("realloc"))
		return NULL;
	got_del(p);
	return got_add(__real_realloc(p, n));
}

void __real_free(void *p);
void __wrap_free(void *p);
void __wrap_free(void *p)
{
	got_del(p);
	__real_free(p);
}

void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off)
{
	if (fails("mmap")) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	/* What is put over a mapping of ours ends with it. */
	if (flags & MAP_FIXED)
		return __real_mmap(at, n, prot, flags, fd, off);
	return got_add(__real_mmap(at, n, prot, flags, fd, off));
}

int __real_munmap(void *at, size_t n);
int __wrap_munmap(void *at, size_t n);
int __wrap_munmap(void *at, size_t n)
{
	got_del(at);
	return __real_munmap(at, n);
}

struct event_base *__real_event_base_new(void);
struct event_base *__wrap_event_base_new(void);
struct event_base *__wrap_event_base_new(void)
{
	return fails("event_base_new") ? NULL
				       : got_add(__real_event_base_new());
}

void __real_event_base_free(struct event_base *b);
void __wrap_event_base_free(struct event_base *b);
void __wrap_event_base_free(struct event_base *b)
{
	got_del(b);
	__real_event_base_free(b);
}

struct event *__real_event_new(struct event_base *b, evutil_socket_t fd,
			       short what, event_callback_fn fn, void *arg);
struct event *__wrap_event_new(struct event_base *b, evutil_socket_t fd,
			       short what, event_callback_fn fn, void *arg);
struct event *__wrap_event_new(struct event_base *b, evutil_socket_t fd,
			       short what, event_callback_fn fn, void *arg)
{
	return fails("event_new")
		       ? NULL
		       : got_add(__real_event_new(b, fd, what, fn, arg));
}

void __real_event_free(struct event *ev);
void __wrap_event_free(struct event *ev);
void __wrap_event_free(struct event *ev)
{
	got_del(ev);
	__real_event_free(ev);
}

struct archive *__real_archive_read_new(void);
struct archive *__wrap_archive_read_new(void);
struct archive *__wrap_archive_read_new(void)
{
	return fails("archive_read_new") ? NULL
					 : got_add(__real_archive_read_new());
}

int __real_archive_read_free(struct archive *a);
int __wrap_archive_read_free(struct archive *a);
int __wrap_archive_read_free(struct archive *a)
{
	got_del(a);
	return __real_archive_read_free(a);
}

struct thread {
	void *(*start)(void *);
	void *arg;
};

static void *run_thread(void *arg)
{
	struct thread t = *(struct thread *)arg;

	__real_free(arg);
	on = true;
	return t.start(t.arg);
}

int __real_pthread_create(pthread_t *t, const pthread_attr_t *attr,
			  void *(*start)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr,
			  void *(*start)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr,
			  void *(*start)(void *), void *arg)
{
	struct thread *own;
	int ret;

	if (fails("pthread_create"))
		return EAGAIN;
	if (!on)
		return __real_pthread_create(t, attr, start, arg);
	own = __real_malloc(sizeof(*own));
	if (!own)
		abort();
	*own = (struct thread){ start, arg };
	ret = __real_pthread_create(t, attr, run_thread, own);
	if (ret)
		__real_free(own);
	return ret;
}

/* ---- the sweep -------------------------------------------------------------- */

/* Entries of a directory of /proc/self, without the one that looks. */
static unsigned int entries(const char *path)
{
	DIR *d = opendir(path);
	unsigned int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static char said[4096];

static void say(const char *fmt, ...)
{
	size_t n = strlen(said);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said + n, sizeof(said) - n, fmt, ap);
	va_end(ap);
}

struct state {
	unsigned int fds, threads, got;
};

static struct state look(void)
{
	return (struct state){ entries("/proc/self/fd"),
			       entries("/proc/self/task"), got.n };
}

/* A fake notices a moment later that its client has left. */
static bool settles(const struct state *want, struct state *now)
{
	for (int ms = 0; ms < SETTLE_MS; ms++) {
		*now = look();
		if (!memcmp(now, want, sizeof(*want)))
			return true;
		usleep(1000);
	}
	return false;
}

/* What there is when nothing has changed for a while. */
static struct state at_rest(void)
{
	struct state was = look(), now;

	for (int ms = 0, same = 0; ms < SETTLE_MS && same < 200; ms++) {
		usleep(1000);
		now = look();
		same = memcmp(&now, &was, sizeof(now)) ? 0 : same + 1;
		was = now;
	}
	return was;
}

/* One run with call @n failing; Return: whether it was met as it should. */
static bool run_once(int (*run)(void), unsigned int n, const struct state *want,
		     int *ret)
{
	const char *name;
	struct state now;

	atomic_store(&failed, NULL);
	atomic_store(&countdown, n);
	*ret = run();
	sweep_off();
	atomic_store(&countdown, 0);
	name = atomic_load(&failed);
	if (!name)
		name = "nothing";
	if (*ret > 0 || (*ret && !n))
		say("call %u, %s: result %d\n", n, name, *ret);
	if (!settles(want, &now)) {
		say("call %u, %s: %u descriptors of %u, %u threads "
		    "of %u, %u pieces of memory of %u\n",
		    n, name, now.fds, want->fds, now.threads, want->threads,
		    now.got, want->got);
		return false;
	}
	return *ret <= 0 && (n || !*ret);
}

const char *sweep(int (*run)(void), unsigned int min)
{
	unsigned int bad = 0, n;
	struct state want;
	int ret;

	said[0] = '\0';
	/* Once for what is set up once and stays. */
	ret = run();
	sweep_off();
	want = at_rest();
	if (ret || !run_once(run, 0, &want, &ret)) {
		say("result %d without a failure\n", ret);
		return said;
	}
	for (n = 1; n < MAX_CALLS && bad < MAX_REPORT; n++) {
		bad += !run_once(run, n, &want, &ret);
		if (!atomic_load(&failed))
			break;
		bad += !run_once(run, 0, &want, &ret);
	}
	if (!bad && n <= min)
		say("%u calls, at least %u were expected\n", n - 1, min);
	return said;
}
