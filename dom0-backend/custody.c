// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/custody.c - the files of journals, and who may write one.
#include "dom0-backend/custody.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/paths.h"

static char *directory(char *buf)
{
	snprintf(buf, PATH_MAX, "%s/journal", paths_run());
	return buf;
}

static int open_journal(const char *type, unsigned int domid,
			unsigned int devid, int flags)
{
	char dir[PATH_MAX], path[PATH_MAX + 64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s-%u-%u", directory(dir), type, domid,
		 devid);
	fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd;
}

int custody_lock(int fd)
{
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return 0;
	return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

void custody_unlock(int fd)
{
	(void)!flock(fd, LOCK_UN);
}

int custody_open(const char *type, unsigned int domid, unsigned int devid)
{
	char dir[PATH_MAX];
	int ret = paths_mkdir(directory(dir));

	return ret ? ret : open_journal(type, domid, devid, O_RDONLY | O_CREAT);
}

int custody_take(const char *type, unsigned int domid, unsigned int devid,
		 size_t size, bool fresh, int *out)
{
	char dir[PATH_MAX];
	int ret = paths_mkdir(directory(dir));
	int fd = ret ? ret : open_journal(type, domid, devid, O_RDWR | O_CREAT);

	if (fd < 0)
		return fd;
	ret = custody_lock(fd);
	/* It may have been any size: what is mapped must be there. */
	if (!ret &&
	    ((fresh && ftruncate(fd, 0) < 0) || ftruncate(fd, (off_t)size) < 0))
		ret = -errno;
	if (ret)
		fd_close(&fd);
	else
		*out = fd;
	return ret;
}

int custody_view(const char *type, unsigned int domid, unsigned int devid)
{
	return open_journal(type, domid, devid, O_RDONLY);
}

bool custody_free(const char *type, unsigned int domid, unsigned int devid)
{
	int fd = open_journal(type, domid, devid, O_RDWR);
	bool ret = fd < 0 || !custody_lock(fd);

	fd_close(&fd);
	return ret;
}

/* Each role has a byte; who only reads the file may share a lock of it. */
static struct flock record(short type, unsigned int role)
{
	return (struct flock){ .l_type = type,
			       .l_whence = SEEK_SET,
			       .l_start = (off_t)role,
			       .l_len = 1 };
}

/* The process that has signed, or 0. */
static pid_t signer(int fd, unsigned int role)
{
	struct flock fl = record(F_WRLCK, role);

	if (fcntl(fd, F_GETLK, &fl) < 0 || fl.l_type == F_UNLCK)
		return 0;
	return fl.l_pid;
}

static void signal_role(int fd, unsigned int role, int sig)
{
	pid_t pid = signer(fd, role);
	int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;

	/* Asked again: else the number might be another process's by now. */
	if (pidfd >= 0 && signer(fd, role) == pid)
		pidfd_send_signal(pidfd, sig, NULL, 0);
	fd_close(&pidfd);
}

void custody_signal_others(int fd, int sig)
{
	for (unsigned int role = 0; role < CUSTODY_NROLES; role++)
		signal_role(fd, role, sig);
}

void custody_signal(const char *type, unsigned int domid, unsigned int devid,
		    int sig)
{
	int fd = open_journal(type, domid, devid, O_RDWR);

	if (fd >= 0)
		custody_signal_others(fd, sig);
	fd_close(&fd);
}

void custody_drop(const char *type, unsigned int domid, unsigned int devid)
{
	char dir[PATH_MAX], path[PATH_MAX + 64];

	if (!custody_free(type, domid, devid))
		return;
	snprintf(path, sizeof(path), "%s/%s-%u-%u", directory(dir), type, domid,
		 devid);
	unlink(path);
}

unsigned int custody_sweep(bool (*keeps)(void *arg, const char *type,
					 unsigned int domid,
					 unsigned int devid),
			   void *arg)
{
	char path[PATH_MAX], type[8], dom[16], dev[16];
	DIR *dir = opendir(directory(path));
	unsigned int left = 0, id[2];
	uint64_t domid, devid;
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		if (sscanf(d->d_name, "%7[a-z]-%15[0-9]-%15[0-9]", type, dom,
			   dev) != 3 ||
		    util_u64(dom, UINT32_MAX, &domid) ||
		    util_u64(dev, UINT32_MAX, &devid))
			continue;
		id[0] = (unsigned int)domid;
		id[1] = (unsigned int)devid;
		if (keeps(arg, type, id[0], id[1]))
			continue;
		left += !custody_free(type, id[0], id[1]);
		custody_drop(type, id[0], id[1]);
	}
	if (dir)
		closedir(dir);
	return left;
}

int custody_sign(int fd, enum custody_role role)
{
	struct flock fl = record(F_RDLCK, role);

	return fcntl(fd, F_SETLK, &fl) < 0 ? -errno : 0;
}

/* SYSCALLS: fcntl mmap */
int custody_map(int fd, size_t size, void **out)
{
	int ret = fd < 0 ? 0 : custody_sign(fd, CUSTODY_WORKER);
	void *p;

	if (ret)
		return ret;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		 MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*out = p;
	return 0;
}

/* SYSCALLS: fallocate */
int custody_reserve(int fd, size_t at, size_t size)
{
	return fd < 0 ? 0 : -posix_fallocate(fd, (off_t)at, (off_t)size);
}
