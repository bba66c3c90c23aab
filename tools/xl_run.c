// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_run.c - the run directory: which domains there are.
#include "tools/xl_run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "tools/xl_proc.h"

/* A file of the run directory itself; "" if the name gets too long. */
static char *run_path(char *buf, const char *name)
{
	if (snprintf(buf, PATH_MAX, "%s/%s", paths_run(), name) >= PATH_MAX)
		buf[0] = '\0';
	return buf;
}

/* Whoever can put links into it chooses what we write to. */
static bool is_ours(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 &&
	       (st.st_uid == 0 || st.st_uid == geteuid()) &&
	       (!(st.st_mode & S_IWOTH) || st.st_mode & S_ISVTX);
}

static int make_place(const char *what, const char *path, const char *variable)
{
	int ret = paths_mkdir(path);

	if (!ret && access(path, W_OK) < 0)
		ret = -errno;
	if (ret) {
		log_err("%s directory '%s': %s (run as root, or set %s to a directory that you can write)",
			what, path, strerror(-ret), variable);
	} else if (!is_ours(path)) {
		log_err("%s directory '%s': belongs to somebody else, or all can write to it (set %s to a directory of yours)",
			what, path, variable);
		ret = -EPERM;
	}
	return ret;
}

int xl_run_init(void)
{
	char dom[PATH_MAX];
	int ret;

	ret = make_place("run", paths_run(), "SPLITVISOR_RUN_DIR");
	if (!ret)
		ret = make_place("run", run_path(dom, "dom"),
				 "SPLITVISOR_RUN_DIR");
	if (!ret)
		ret = make_place("log", paths_log(), "SPLITVISOR_LOG_DIR");
	return ret;
}

static int lock_file(const char *path, int how)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	while (flock(fd, how) < 0) {
		int ret = -errno;

		if (ret == -EINTR && !xl_interrupted())
			continue;
		fd_close(&fd);
		return ret;
	}
	return fd;
}

int xl_run_lock(const char *name)
{
	char path[PATH_MAX];

	return lock_file(run_path(path, name), LOCK_EX);
}

int xl_run_try_lock(const char *name)
{
	char path[PATH_MAX];

	return lock_file(run_path(path, name), LOCK_EX | LOCK_NB);
}

int xl_run_write(unsigned int domid, const char *file, const char *text)
{
	char path[PATH_MAX], tmp[PATH_MAX + 8];
	int fd, ret;

	/* Whole or not at all, for those who read without a lock. */
	paths_dom(path, domid, file);
	snprintf(tmp, sizeof(tmp), "%s.new", path);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	ret = fd_write_all(fd, text, strlen(text));
	fd_close(&fd);
	if (!ret && rename(tmp, path) < 0)
		ret = -errno;
	if (ret)
		unlink(tmp);
	return ret;
}

char *xl_run_read(unsigned int domid, const char *file)
{
	char path[PATH_MAX], *text = NULL;
	size_t size = 0;
	FILE *f = fopen(paths_dom(path, domid, file), "re");

	if (f && getdelim(&text, &size, '\0', f) <= 0) {
		free(text);
		text = NULL;
	}
	if (f)
		fclose(f);
	return text;
}

int xl_run_name(unsigned int domid, char name[XL_NAME_SIZE])
{
	char path[PATH_MAX];
	ssize_t n = -1;
	int fd;

	fd = open(paths_dom(path, domid, "name"), O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		n = read(fd, name, XL_NAME_SIZE - 1);
	fd_close(&fd);
	if (n <= 0)
		return -ENOENT;
	name[n] = '\0';
	return 0;
}

static int by_domid(const void *a, const void *b)
{
	unsigned int x = ((const struct xl_dom *)a)->domid;
	unsigned int y = ((const struct xl_dom *)b)->domid;

	return (x > y) - (x < y);
}

static int add_dom(struct xl_dom **list, size_t *n, size_t *room,
		   const char *entry)
{
	struct xl_dom *more;
	uint64_t domid;

	if (util_u64(entry, XL_MAX_DOMID, &domid) || !domid)
		return 0;
	if (!*list || *n == *room) {
		*room = *room ? *room * 2 : 16;
		more = reallocarray(*list, *room, sizeof(**list));
		if (!more)
			return -ENOMEM;
		*list = more;
	}
	(*list)[*n].domid = (unsigned int)domid;
	if (!xl_run_name((unsigned int)domid, (*list)[*n].name))
		++*n;
	return 0;
}

int xl_run_list(struct xl_dom **list, size_t *n)
{
	char path[PATH_MAX];
	DIR *dir = opendir(run_path(path, "dom"));
	struct dirent *e;
	size_t room = 0;
	int ret = 0;

	*list = NULL;
	*n = 0;
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!ret && (e = readdir(dir)))
		ret = add_dom(list, n, &room, e->d_name);
	closedir(dir);
	if (ret) {
		free(*list);
		*list = NULL;
		*n = 0;
	} else if (*n) {
		qsort(*list, *n, sizeof(**list), by_domid);
	}
	return ret;
}

static int find_name(const char *name, unsigned int *domid)
{
	struct xl_dom *list;
	size_t n;
	int ret;

	ret = xl_run_list(&list, &n);
	if (ret)
		return ret;
	ret = -ENOENT;
	for (size_t i = 0; i < n && ret; i++) {
		if (strcmp(list[i].name, name) != 0)
			continue;
		*domid = list[i].domid;
		ret = 0;
	}
	free(list);
	return ret;
}

int xl_run_find(const char *who, unsigned int *domid)
{
	char name[XL_NAME_SIZE];
	uint64_t n;

	if (util_u64(who, XL_MAX_DOMID, &n))
		return find_name(who, domid) ? -ENOENT : 0;
	if (xl_run_name((unsigned int)n, name))
		return -ENOENT;
	*domid = (unsigned int)n;
	return 0;
}

bool xl_run_dead(unsigned int domid)
{
	char path[PATH_MAX];
	struct xl_proc hv;
	int owner;

	if (!xl_proc_load(&hv, paths_dom(path, domid, "hv.pid")) &&
	    xl_proc_alive(&hv))
		return false;
	owner = lock_file(paths_dom(path, domid, "owner"), LOCK_EX | LOCK_NB);
	if (owner < 0)
		return owner == -ENOENT; /* the directory itself went */
	fd_close(&owner);
	return true;
}

/* ---- Making and removing -------------------------------------------------- */

static unsigned int last_domid(void)
{
	char path[PATH_MAX];
	FILE *f = fopen(run_path(path, "domid"), "re");
	unsigned long last = 0;
	char line[16];

	if (f && fgets(line, sizeof(line), f))
		last = strtoul(line, NULL, 10);
	if (f)
		fclose(f);
	return last < XL_MAX_DOMID ? (unsigned int)last : 0;
}

static int remember_domid(unsigned int domid)
{
	char path[PATH_MAX];
	FILE *f = fopen(run_path(path, "domid"), "we");
	bool ok;

	if (!f)
		return -errno;
	ok = fprintf(f, "%u\n", domid) > 0;
	return fclose(f) || !ok ? -EIO : 0;
}

/* With xl.lock held: that domid, or 0: the next whose directory does not exist. */
static int make_dir(unsigned int want, unsigned int *domid)
{
	unsigned int id = last_domid();
	char path[PATH_MAX];

	if (want) {
		*domid = want;
		return mkdir(paths_dom(path, want, ""), 0755) < 0 ? -errno : 0;
	}
	for (unsigned int i = 0; i < XL_MAX_DOMID; i++) {
		id = id % XL_MAX_DOMID + 1;
		if (mkdir(paths_dom(path, id, ""), 0755) == 0) {
			*domid = id;
			return remember_domid(id);
		}
		if (errno != EEXIST)
			return -errno;
	}
	return -ENOSPC;
}

/* With xl.lock held: the directory, the owner lock, the name, in this order. */
static int make_dom(const char *name, unsigned int want, unsigned int *domid,
		    int *owner)
{
	char path[PATH_MAX];
	int fd, ret;

	ret = make_dir(want, domid);
	if (ret)
		return ret;
	fd = lock_file(paths_dom(path, *domid, "owner"), LOCK_EX | LOCK_NB);
	ret = fd < 0 ? fd : xl_run_write(*domid, "name", name);
	if (ret) {
		fd_close(&fd);
		if (xl_run_remove(*domid) < 0)
			log_warn("%s: cannot be removed", path);
		return ret;
	}
	*owner = fd;
	return 0;
}

int xl_run_reserve(const char *name, unsigned int *domid, int *owner,
		   int (*reap)(unsigned int domid))
{
	return xl_run_reserve_as(name, 0, domid, owner, reap);
}

int xl_run_reserve_as(const char *name, unsigned int want, unsigned int *domid,
		      int *owner, int (*reap)(unsigned int domid))
{
	unsigned int other;
	int lock, ret;

	lock = xl_run_lock("xl.lock");
	ret = lock < 0 ? lock : 0;
	if (!ret && !find_name(name, &other)) {
		bool dead = xl_run_dead(other);

		fd_close(&lock);
		if (!dead || reap(other)) {
			log_err("domain name '%s' is taken by domain %u (choose another name, or `xl destroy %s` first)",
				name, other, name);
			return -EEXIST;
		}
		lock = xl_run_lock("xl.lock");
		ret = lock < 0 ? lock : find_name(name, &other) ? 0 : -EEXIST;
	}
	if (!ret)
		ret = make_dom(name, want, domid, owner);
	fd_close(&lock);
	if (ret == -EEXIST && want)
		log_err("domain '%s': the domid %u that it had is taken by another (`xl domname %u`), and it cannot go on with another one; destroy that domain first",
			name, want, want);
	else if (ret)
		log_err("domain '%s': no place in the run directory '%s': %s",
			name, paths_run(), strerror(-ret));
	return ret;
}

int xl_run_rename(unsigned int domid, const char *name)
{
	unsigned int other;
	int lock, ret;

	lock = xl_run_lock("xl.lock");
	if (lock < 0)
		return lock;
	ret = find_name(name, &other) ? xl_run_write(domid, "name", name)
				      : -EEXIST;
	fd_close(&lock);
	return ret;
}

static int remove_entry(const char *path, const struct stat *st, int type,
			struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path) < 0 && errno != ENOENT ? -errno : 0;
}

int xl_run_doom(unsigned int domid)
{
	char path[PATH_MAX];
	int fd = open(paths_dom(path, domid, "doomed"),
		      O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	fd_close(&fd);
	return 0;
}

static int remove_tree(const char *path)
{
	int ret = nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);

	if (ret == -1)
		return errno == ENOENT ? 0 : -errno;
	return ret;
}

/*
 * A VMM that has just been started, and was not known when the others were ended.
 * It writes its record before all else, so from now on none can come.
 */
static int end_late_vmm(const char *gone)
{
	char record[PATH_MAX + 16];
	struct xl_proc hv;

	snprintf(record, sizeof(record), "%s/hv.pid", gone);
	return xl_proc_load(&hv, record) ? 0 : xl_proc_end(&hv, 0);
}

/*
 * Under another name at once: from then on nobody can doom it, and who was told
 * that he has is heard.
 */
int xl_run_remove(unsigned int domid)
{
	char path[PATH_MAX], gone[PATH_MAX + 8], mark[PATH_MAX + 16];
	bool doomed;
	int ret;

	paths_dom(path, domid, "");
	snprintf(gone, sizeof(gone), "%s.gone", path);
	snprintf(mark, sizeof(mark), "%s/doomed", gone);
	ret = remove_tree(gone); /* of a process that was killed here */
	if (!ret && rename(path, gone) < 0)
		return errno == ENOENT ? 0 : -errno;
	doomed = !ret && access(mark, F_OK) == 0;
	if (!ret)
		ret = end_late_vmm(gone);
	if (!ret)
		ret = remove_tree(gone);
	return ret ? ret : doomed;
}
