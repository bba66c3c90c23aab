// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_dump.c - a domain's memory and registers into a file.
#include "tools/xl_dump.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/domsock.h"
#include "base/fd.h"
#include "base/log.h"
#include "tools/xl_mem.h"
#include "tools/xl_proc.h"

#define CHUNK	 (UINT64_C(1) << 20)
#define STALL_MS 20000

/* ---- The file -------------------------------------------------------------- */

/** struct progress - Of the process that writes, in memory that we see, too. */
struct progress {
	_Atomic uint64_t done; /* bytes */
	_Atomic int err;
};

/* @from's bytes @at to @end, to where @fd stands. */
static int copy(int fd, int from, off_t at, off_t end, struct progress *p)
{
	while (at < end) {
		size_t want = (size_t)MIN((uint64_t)(end - at), CHUNK);
		ssize_t n = sendfile(fd, from, &at, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		atomic_fetch_add(&p->done, (uint64_t)n);
	}
	return 0;
}

/* What is no hole of RAM, behind @data bytes. */
static int copy_ram(int fd, const struct xl_core *c, off_t data,
		    struct progress *p)
{
	off_t at = 0, hole = 0;
	int ret = 0;

	while (!ret) {
		at = lseek(c->ram, hole, SEEK_DATA);
		if (at < 0 && errno == ENXIO)
			break;
		hole = at < 0 ? at : lseek(c->ram, at, SEEK_HOLE);
		if (hole < 0 || lseek(fd, data + at, SEEK_SET) < 0)
			return -errno;
		ret = copy(fd, c->ram, at, hole, p);
	}
	/* Also if it ends with a hole. */
	if (!ret && ftruncate(fd, data + (off_t)c->size) < 0)
		ret = -errno;
	return ret;
}

static int write_all(int fd, const struct xl_core *c, struct progress *p)
{
	struct stat st;
	int ret;

	if (fstat(c->head, &st) < 0)
		return -errno;
	ret = copy(fd, c->head, 0, st.st_size, p);
	return ret ? ret : copy_ram(fd, c, st.st_size, p);
}

/* Wait for the process that writes, as long as it does. */
static int watch(pid_t pid, struct progress *p, int stall_ms)
{
	const struct timespec moment = { .tv_nsec = 5000000 };
	uint64_t seen = 0, since = util_clock_ns(), now;
	int status = 0;

	while (!waitpid(pid, &status, WNOHANG)) {
		now = util_clock_ns();
		if (atomic_load(&p->done) != seen) {
			seen = atomic_load(&p->done);
			since = now;
		}
		if (xl_interrupted() ||
		    now - since > (uint64_t)stall_ms * 1000000) {
			/* It ends when the disk lets it. */
			kill(pid, SIGKILL);
			return xl_interrupted() ? -EINTR : -ETIMEDOUT;
		}
		nanosleep(&moment, NULL);
	}
	return WIFEXITED(status) ? -atomic_load(&p->err) : -ECHILD;
}

int xl_core_write(int fd, const struct xl_core *c, int stall_ms)
{
	struct progress *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	int ret;

	if (p == MAP_FAILED)
		return -errno;
	pid = fork();
	if (!pid) {
		signal(SIGINT, SIG_IGN);
		atomic_store(&p->err, -write_all(fd, c, p));
		_exit(0);
	}
	ret = pid < 0 ? -errno : watch(pid, p, stall_ms);
	munmap(p, sizeof(*p));
	return ret;
}

/* ---- The domain ------------------------------------------------------------ */

static int call(struct dom *dom, enum dom_msg_type type)
{
	struct dom_msg msg = { .type = (uint16_t)type };

	return dom_call(dom, &msg, NULL, NULL);
}

static int write_core(struct dom *dom, int fd)
{
	struct xl_core c = { memfd_create("core", MFD_CLOEXEC),
			     xl_mem_file(dom), 0 };
	struct stat st;
	int ret = c.head < 0 ? -errno : c.ram < 0 ? c.ram : 0;

	if (!ret)
		ret = dom_dump(dom, c.head);
	if (!ret && fstat(c.ram, &st) < 0)
		ret = -errno;
	if (!ret) {
		c.size = (uint64_t)st.st_size;
		ret = xl_core_write(fd, &c, STALL_MS);
	}
	fd_close(&c.head);
	fd_close(&c.ram);
	return ret;
}

/* What neither is paused nor has shut down stands still meanwhile. */
static int hold_and_write(struct dom *dom, int fd)
{
	struct dom_info info;
	int ret = dom_info(dom, &info), end = 0;
	bool runs = !ret && !(info.state & (DOM_PAUSED | DOM_SHUTDOWN));

	if (runs)
		ret = call(dom, DOM_PAUSE);
	if (ret)
		return ret;
	ret = write_core(dom, fd);
	if (runs)
		end = call(dom, DOM_UNPAUSE);
	return ret ? ret : end;
}

static int ask(unsigned int domid, int fd)
{
	struct dom *dom;
	int ret;

	/* As long as it takes: a guest's page tables may be many. */
	dom_set_timeout(-1);
	ret = dom_connect(&dom, domid, DOM_ROLE_ADMIN, NULL, false);
	if (ret)
		return ret;
	ret = hold_and_write(dom, fd);
	dom_free(dom);
	return ret;
}

static void report(unsigned int domid, const char *path, int ret)
{
	if (ret == -ENOSYS)
		log_err("domain %u has no vCPUs to be dumped (a process plays the guest)",
			domid);
	else if (ret == -ETIMEDOUT)
		log_err("domain %u: no core in %s: the disk has taken nothing for %d s",
			domid, path, STALL_MS / 1000);
	else
		log_err("domain %u: no core in %s: %s", domid, path,
			strerror(-ret));
}

int xl_dump(unsigned int domid, const char *path)
{
	char part[PATH_MAX];
	int fd = fd_part(path, part), ret;

	if (fd < 0) {
		log_err("%s: %s", part, strerror(-fd));
		return fd;
	}
	ret = ask(domid, fd);
	if (!ret && rename(part, path) < 0)
		ret = -errno;
	/* Before a disk that hangs is asked for anything more. */
	if (ret) {
		report(domid, path, ret);
		unlink(part);
	}
	fd_close(&fd);
	return ret;
}
