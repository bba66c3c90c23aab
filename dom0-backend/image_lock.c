// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/image_lock.c - one image, several users: who may have it.
#include "dom0-backend/image_lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOES_READ    100
#define DOES_WRITE   101
#define DOES_RESIZE  103
#define KEEPS_WRITE  201
#define KEEPS_RESIZE 203

static struct flock range(short type, off_t at, off_t len)
{
	return (struct flock){ .l_type = type,
			       .l_whence = SEEK_SET,
			       .l_start = at,
			       .l_len = len };
}

static int lock(int fd, short type, off_t at, off_t len)
{
	struct flock fl = range(type, at, len);

	return fcntl(fd, F_OFD_SETLK, &fl) < 0 ? -errno : 0;
}

/* Whether another open file has locked the byte. */
static bool others_have(int fd, off_t at)
{
	struct flock fl = range(F_WRLCK, at, 1);

	return fcntl(fd, F_OFD_GETLK, &fl) == 0 && fl.l_type != F_UNLCK;
}

static int lock_to_read(int fd)
{
	int ret = lock(fd, F_RDLCK, DOES_READ, 1);

	if (!ret)
		ret = lock(fd, F_RDLCK, KEEPS_WRITE, 1);
	if (!ret)
		ret = lock(fd, F_RDLCK, KEEPS_RESIZE, 1);
	if (!ret &&
	    (others_have(fd, DOES_WRITE) || others_have(fd, DOES_RESIZE)))
		ret = -EAGAIN;
	return ret;
}

int image_lock(int fd, bool write)
{
	int ret = write ? lock(fd, F_WRLCK, IMAGE_LOCK_FIRST, IMAGE_LOCK_BYTES)
			: lock_to_read(fd);

	if (ret != -EAGAIN && ret != -EACCES)
		return 0; /* locked, or there are no locks */
	image_unlock(fd);
	return -EBUSY;
}

void image_unlock(int fd)
{
	(void)!lock(fd, F_UNLCK, IMAGE_LOCK_FIRST, IMAGE_LOCK_BYTES);
}

/* ---- who it is --------------------------------------------------------- */

/* Whether the open file that /proc/PID/fdinfo/FD tells of holds a lock. */
static bool has_lock(int proc, const char *pid, const char *fd)
{
	char path[600], line[256];
	bool ret = false;
	FILE *f;
	int info;

	snprintf(path, sizeof(path), "%s/fdinfo/%s", pid, fd);
	info = openat(proc, path, O_RDONLY | O_CLOEXEC);
	f = info < 0 ? NULL : fdopen(info, "r");
	if (!f) {
		if (info >= 0)
			close(info);
		return false;
	}
	while (!ret && fgets(line, sizeof(line), f))
		ret = strncmp(line, "lock:", 5) == 0;
	fclose(f);
	return ret;
}

/* Whether a process has locked the file. */
static bool holds(int proc, const char *pid, const struct stat *file)
{
	char path[600];
	struct dirent *e;
	struct stat st;
	bool ret = false;
	int fd;
	DIR *d;

	snprintf(path, sizeof(path), "%s/fd", pid);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (!ret && (e = readdir(d)))
		ret = fstatat(fd, e->d_name, &st, 0) == 0 &&
		      st.st_dev == file->st_dev && st.st_ino == file->st_ino &&
		      has_lock(proc, pid, e->d_name);
	closedir(d);
	return ret;
}

static void name_of(int proc, const char *pid, char *name, size_t size)
{
	char path[600], text[64] = "";
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/comm", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	util_escape(name, size, text, n > 0 ? strcspn(text, "\n") : 0);
}

void image_lock_holder(int fd, char *who, size_t size)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	struct stat file;
	char name[64];

	snprintf(who, size, "another program");
	while (d && fstat(fd, &file) == 0 && (e = readdir(d))) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9' ||
		    !holds(dirfd(d), e->d_name, &file))
			continue;
		name_of(dirfd(d), e->d_name, name, sizeof(name));
		snprintf(who, size, "process %s (%s)", e->d_name, name);
		break;
	}
	if (d)
		closedir(d);
}
