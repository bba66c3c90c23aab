// SPDX-License-Identifier: GPL-2.0-or-later
// base/jail.c - what a process that serves peers can still do.
#include "base/jail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/sandbox.h"

#define SPACES	 (CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET)
#define PLAIN	 (MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define ROOT_MAX "mode=755,size=64k,nr_inodes=64" /* directories to mount on */
#define EMPTY	 "mode=755,size=4k,nr_inodes=2"

/* ---- Namespaces -------------------------------------------------------- */

static int write_line(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = fd_write_all(fd, line, strlen(line));
	fd_close(&fd);
	return ret;
}

/* In a new user namespace: the same user and group, and no others. */
static int map_ids(uid_t uid, gid_t gid)
{
	char users[32], groups[32];
	int ret;

	snprintf(users, sizeof(users), "%u %u 1", uid, uid);
	snprintf(groups, sizeof(groups), "%u %u 1", gid, gid);
	ret = write_line("/proc/self/setgroups", "deny");
	if (!ret)
		ret = write_line("/proc/self/uid_map", users);
	return ret ? ret : write_line("/proc/self/gid_map", groups);
}

/* In a namespace of users of its own nobody else could be known, or become. */
static int leave_spaces(const struct jail *j)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(SPACES) == 0)
		return 0;
	if (errno != EPERM || j->user || unshare(CLONE_NEWUSER | SPACES) < 0)
		return -errno;
	return map_ids(uid, gid);
}

/* ---- The root directory ------------------------------------------------ */

static void close_trees(int *trees, size_t n)
{
	while (n)
		fd_close(&trees[--n]);
}

/* A copy of what is mounted there, by descriptor, or -errno. */
static int copy_dir(const struct jail_dir *dir)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID |
					       MOUNT_ATTR_NODEV |
					       MOUNT_ATTR_NOEXEC };
	int tree, ret;

	if (dir->keep_out)
		attr.attr_set |= MOUNT_ATTR_RDONLY;
	tree = open_tree(AT_FDCWD, dir->path,
			 OPEN_TREE_CLONE | AT_RECURSIVE | OPEN_TREE_CLOEXEC);
	if (tree >= 0 && mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE,
				       &attr, sizeof(attr)) == 0)
		return tree;
	ret = -errno;
	fd_close(&tree);
	return ret;
}

/* Nothing is in its place yet; what is to be hidden has none. */
static int copy_dirs(const struct jail *j, int *trees)
{
	int ret;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	for (size_t n = 0; n < j->ndirs; n++) {
		if (j->dirs[n].hide)
			continue;
		trees[n] = copy_dir(&j->dirs[n]);
		if (trees[n] >= 0)
			continue;
		ret = trees[n];
		close_trees(trees, n);
		return ret;
	}
	return 0;
}

static int absolute(char *buf, size_t size, const char *cwd, const char *path)
{
	bool is = *path == '/';

	return snprintf(buf, size, "%s%s%s", is ? "" : cwd, is ? "" : "/",
			path) < (int)size
		       ? 0
		       : -ENAMETOOLONG;
}

/*
 * Put @tree at the same path below the new root, the current directory; nothing where
 * all is to be hidden.
 */
static int put_tree(int tree, const char *cwd, const struct jail_dir *dir)
{
	char at[PATH_MAX];
	int ret = absolute(at + 1, sizeof(at) - 1, cwd, dir->path);

	at[0] = '.';
	if (!ret && !dir->hide)
		ret = paths_mkdir(at);
	if (ret)
		return ret;
	if (dir->hide)
		ret = mount("jail", at, "tmpfs", PLAIN | MS_RDONLY, EMPTY);
	else
		ret = move_mount(tree, "", AT_FDCWD, at,
				 MOVE_MOUNT_F_EMPTY_PATH);
	return ret < 0 ? -errno : 0;
}

static int change_root(const struct jail *j, const int *trees)
{
	char cwd[PATH_MAX], at[PATH_MAX];
	mode_t mask;
	int ret;

	if (!getcwd(cwd, sizeof(cwd)))
		return -errno;
	/* Somewhere; there is a copy of what it hides. */
	ret = absolute(at, sizeof(at), cwd, j->dirs[0].path);
	if (!ret &&
	    (mount("jail", at, "tmpfs", PLAIN, ROOT_MAX) < 0 || chdir(at) < 0))
		ret = -errno;
	/* Another user is to pass through them, whatever the umask is. */
	mask = umask(S_IWGRP | S_IWOTH);
	for (size_t i = 0; !ret && i < j->ndirs; i++)
		ret = put_tree(trees[i], cwd, &j->dirs[i]);
	umask(mask);
	if (ret)
		return ret;
	if (syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 ||
	    mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | PLAIN,
		  NULL) < 0)
		return -errno;
	/* Names that were relative stay so. */
	if (chdir(cwd) < 0 && chdir("/") < 0)
		return -errno;
	return 0;
}

static int hide_files(const struct jail *j)
{
	int trees[JAIL_DIRS] = { -1, -1, -1, -1 };
	int ret = leave_spaces(j);

	if (!ret)
		ret = copy_dirs(j, trees);
	if (ret) {
		log_warn(
			"no namespaces of its own: %s; files and networks stay "
			"in sight",
			strerror(-ret));
		return 0;
	}
	ret = change_root(j, trees);
	close_trees(trees, j->ndirs);
	return ret;
}

/* ---- System calls ------------------------------------------------------ */

#define CALLS_MAX 512
#define NO_CALL	  0xffff /* that any kernel has */

static const char *names[CALLS_MAX];

static void on_forbidden(int sig, siginfo_t *si, void *context)
{
	int nr = si->si_syscall;
	const char *name = nr >= 0 && nr < CALLS_MAX ? names[nr] : NULL;

	(void)sig;
	(void)context;
	log_err("system call %d (%s) is not allowed here: this process ends",
		nr, name ? name : "unknown");
	/* The signal is blocked by now: the second time it kills. */
	syscall(NO_CALL);
	__builtin_trap();
}

/*
 * A signal that a descriptor is told to send needs no other right than the user id:
 * F_SETOWN and F_SETSIG are not among these.
 */
static int allow_fcntl(scmp_filter_ctx f)
{
	static const unsigned int commands[] = {
		F_DUPFD,     F_DUPFD_CLOEXEC, F_GETFD,	   F_SETFD,
		F_GETFL,     F_SETFL,	      F_GETLK,	   F_SETLK,
		F_SETLKW,    F_OFD_GETLK,     F_OFD_SETLK, F_OFD_SETLKW,
		F_GET_SEALS, F_ADD_SEALS,
	};
	int ret = 0;

	for (size_t i = 0; !ret && i < ARRAY_SIZE(commands); i++)
		ret = seccomp_rule_add(f, SCMP_ACT_ALLOW, SYS_fcntl, 1,
				       SCMP_A1(SCMP_CMP_EQ, commands[i], 0));
	return ret;
}

/* What only looks for a file finds none. */
static int allow_open(scmp_filter_ctx f, unsigned long access)
{
	int ret;

	if (access == O_RDONLY)
		return seccomp_rule_add(f, SCMP_ACT_ALLOW, SYS_openat, 0);
	ret = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOENT), SYS_openat, 1,
			       SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE,
				       O_RDONLY));
	return ret ? ret
		   : seccomp_rule_add(f, SCMP_ACT_ALLOW, SYS_openat, 1,
				      SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE,
					      access));
}

/* Another way to make threads, whose arguments no filter sees: libraries go back. */
static int no_clone3(scmp_filter_ctx f)
{
	return seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SYS_clone3, 0);
}

static int allow(scmp_filter_ctx f, const struct jail_call *c)
{
	struct scmp_arg_cmp only = { 0 };

	if (c->refused)
		return seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOENT), c->nr, 0);
	switch (c->nr) {
	case SYS_fcntl:
		return allow_fcntl(f);
	case SYS_openat:
		return allow_open(f, c->request);
	case SYS_clone3:
		return no_clone3(f);
	case SYS_clone:
		only = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
		break;
	case SYS_mmap:
	case SYS_mprotect:
		only = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
		break;
	case SYS_socket:
	case SYS_socketpair:
		only = SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0);
		break;
	case SYS_tgkill:
		only = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0);
		break;
#ifndef SV_SANITIZED
	case SYS_prctl:
		only = SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0);
		break;
#endif
	case SYS_ioctl:
		/* The kernel looks at no more of it. */
		only = SCMP_A1(SCMP_CMP_MASKED_EQ, c->request ? UINT32_MAX : 0,
			       c->request);
		break;
	default:
		return seccomp_rule_add(f, SCMP_ACT_ALLOW, c->nr, 0);
	}
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, c->nr, 1, only);
}

static int filter(const struct jail *j)
{
	struct sigaction sa = { .sa_sigaction = on_forbidden,
				.sa_flags = SA_SIGINFO };
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_TRAP);
	int ret = 0;

	if (!f)
		return -ENOMEM;
	/* While they can be asked for: a handler must not allocate. */
	for (int nr = 0; nr < CALLS_MAX; nr++)
		names[nr] =
			seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);
	for (size_t i = 0; !ret && i < j->ncalls; i++)
		ret = allow(f, &j->calls[i]);
	if (!ret)
		ret = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	/* Nobody's code runs here that could look at what is guessed: stay fast. */
	if (!ret)
		ret = seccomp_attr_set(f, SCMP_FLTATR_CTL_SSB, 1);
	if (!ret && sigaction(SIGSYS, &sa, NULL))
		ret = -errno;
	if (!ret)
		ret = seccomp_load(f);
	seccomp_release(f);
	return ret;
}

/* ---- Another user ------------------------------------------------------ */

#define OWN_MAX 64 /* files in a directory of its own */

/* A file that is here alone: any other name of it could be somebody's. */
static int give_file(int dir, const char *name, uid_t from,
		     const struct sandbox_user *to)
{
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int ret = 0;

	/* The user may be there already, and take a file away meanwhile. */
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st))
		ret = -errno;
	else if (S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_uid == from &&
		 fchownat(fd, "", to->uid, to->gid, AT_EMPTY_PATH))
		ret = -errno;
	fd_close(&fd);
	return ret;
}

static int give_dir(const char *path, uid_t from, const struct sandbox_user *to)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	int ret = dir ? 0 : -errno;

	if (!dir) {
		fd_close(&fd);
		return ret;
	}
	for (int n = 0; !ret && n < OWN_MAX && (e = readdir(dir)); n++)
		ret = give_file(fd, e->d_name, from, to);
	if (!ret && fchown(fd, to->uid, to->gid))
		ret = -errno;
	closedir(dir);
	return ret;
}

static int give_dirs(const struct jail *j, uid_t from,
		     const struct sandbox_user *to)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < j->ndirs; i++) {
		if (j->dirs[i].own)
			ret = give_dir(j->dirs[i].path, from, to);
	}
	return ret;
}

/* Return: a directory that the user cannot get into; NULL if there is none. */
static const char *out_of_reach(const struct jail *j)
{
	const char *which = NULL;
	char path[PATH_MAX];
	struct stat st;

	setfsgid(j->user->gid);
	setfsuid(j->user->uid);
	for (size_t i = 0; !which && i < j->ndirs; i++) {
		if (j->dirs[i].spare)
			continue;
		if (snprintf(path, sizeof(path), "%s/.", j->dirs[i].path) >=
			    (int)sizeof(path) ||
		    stat(path, &st))
			which = j->dirs[i].path;
	}
	setfsuid(geteuid());
	setfsgid(getegid());
	return which;
}

/* Return: 0, with the user to become, if any; or -errno. */
static int settle(const struct jail *j, const struct sandbox_user **user)
{
	const struct sandbox_user self = { geteuid(), getegid() };
	const char *which;
	int ret;

	*user = NULL;
	if (!j->user)
		return 0;
	if (setgroups(0, NULL)) {
		log_warn("groups cannot be left: %s: this process stays root",
			 strerror(errno));
		return 0;
	}
	ret = give_dirs(j, self.uid, j->user);
	which = ret ? NULL : out_of_reach(j);
	if (!which) {
		*user = j->user;
		return ret;
	}
	log_warn("user %u cannot get into %s: this process stays root; let "
		 "others pass through the directories above it",
		 j->user->uid, which);
	return give_dirs(j, j->user->uid, &self);
}

/* ---- All of it --------------------------------------------------------- */

static bool entered;

/* The sanitizers' search for leaks is another process's; it asks this. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return entered;
}

static bool calls(const struct jail *j, int nr)
{
	for (size_t i = 0; i < j->ncalls; i++) {
		if (j->calls[i].nr == nr)
			return true;
	}
	return false;
}

static int limit(const struct jail *j)
{
	static const struct {
		unsigned int limit;
		int unless; /* it makes this call */
	} none[] = {
		{ RLIMIT_CORE, -1 },
		{ RLIMIT_MSGQUEUE, -1 },
		{ RLIMIT_MEMLOCK, SYS_io_uring_setup },
		{ RLIMIT_NPROC, SYS_clone },
	};
	const struct rlimit zero = { 0 };
	struct rlimit files;

	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		if (!calls(j, none[i].unless) &&
		    setrlimit(none[i].limit, &zero))
			return -errno;
	}
	if (getrlimit(RLIMIT_NOFILE, &files))
		return -errno;
	files.rlim_max = files.rlim_cur;
	return setrlimit(RLIMIT_NOFILE, &files) ? -errno : 0;
}

int jail_enter(const struct jail *j)
{
	const struct sandbox_user *user = NULL;
	int ret;

#ifdef SV_COVERAGE
	/* Its counters are written at the end, to where it was built. */
	return 0;
#endif
	if (j->ndirs > JAIL_DIRS)
		return -EINVAL;
	entered = true;
	ret = j->ndirs ? hide_files(j) : 0;
	if (!ret)
		ret = settle(j, &user);
	if (!ret)
		ret = limit(j);
	if (!ret)
		ret = user ? sandbox_enter_as(user) : sandbox_enter();
	return ret ? ret : filter(j);
}
