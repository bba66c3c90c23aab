// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/image_serve.c - qemu-nbd, locked up with an image.
#include "dom0-backend/image_serve.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/sandbox.h"
#include "base/sock.h"
#include "dom0-backend/custody.h"

#define PROGRAM "/usr/bin/qemu-nbd"
#define SOCKET	"/sock"
#define MAX_URL 1536u /* bytes that tell qemu-nbd what to open */

/* Where each file is in the root. */
static const char *const places[] = {
	"/disk",      "/backing-1", "/backing-2", "/backing-3", "/backing-4",
	"/backing-5", "/backing-6", "/backing-7", "/backing-8",
};
static_assert(ARRAY_SIZE(places) == 1 + IMAGE_MAX_BACKING, "a file's place");

/* Where systems of whatever kind keep programs and libraries. */
static const char *const shared[] = { "usr", "bin", "sbin", "lib", "lib64" };

static int restrict_at(const char *at, unsigned long flags)
{
	return mount(NULL, at, NULL, MS_BIND | MS_REMOUNT | flags, NULL) < 0
		       ? -errno
		       : 0;
}

/* A directory of the host's under the root-to-be, or a link as the host has it. */
static int share(const char *name)
{
	char from[16], target[64];
	struct stat st;
	ssize_t n;

	snprintf(from, sizeof(from), "/%s", name);
	if (lstat(from, &st) < 0)
		return 0;
	if (S_ISLNK(st.st_mode)) {
		n = readlink(from, target, sizeof(target) - 1);
		if (n < 0)
			return -errno;
		target[n] = '\0';
		return symlink(target, name) < 0 ? -errno : 0;
	}
	if (mkdir(name, 0755) < 0)
		return -errno;
	if (mount(from, name, NULL, MS_BIND, NULL) < 0)
		return -errno;
	return restrict_at(name, MS_RDONLY | MS_NOSUID | MS_NODEV);
}

/* Put a file, which @tree is, where @place is in the working directory. */
static int put_file(int tree, const char *place, bool readonly)
{
	int fd = open(place, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	fd_close(&fd);
	if (move_mount(tree, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	return readonly ? restrict_at(place, MS_RDONLY) : 0;
}

/* In the working directory, which is the root-to-be. */
static int fill_root(const struct image_serve *s, const int *tree)
{
	int ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(shared) && !ret; i++)
		ret = share(shared[i]);
	for (unsigned int i = 0; i < s->nfiles && !ret; i++)
		ret = put_file(tree[i], &places[i][1], i || s->readonly);
	return ret;
}

/* By the open files, not their names, which may mean others by now. */
static int clone_trees(const struct image_serve *s, int *tree)
{
	int ret = 0;

	for (unsigned int i = 0; i < s->nfiles; i++) {
		tree[i] = open_tree(s->file[i].fd, "",
				    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
					    AT_EMPTY_PATH);
		if (tree[i] < 0)
			ret = -errno;
	}
	return ret;
}

/* Nothing of the host's is left below "/" but what was put there. */
static int change_root(const struct image_serve *s)
{
	const char *at = paths_run();
	int tree[ARRAY_SIZE(places)];
	int ret = clone_trees(s, tree);

	if (ret)
		return ret; /* the process ends, and its descriptors with it */
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) <
		    0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", at, "tmpfs", MS_NOSUID | MS_NODEV,
		  "mode=755,size=1m") < 0 ||
	    chdir(at) < 0)
		return -errno;
	ret = fill_root(s, tree);
	for (unsigned int i = 0; i < s->nfiles; i++)
		fd_close(&tree[i]);
	if (ret)
		return ret;
	if (syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return -errno;
	return 0;
}

static int become_owner(struct image_serve *s)
{
	struct stat st;

	for (unsigned int i = 0; i < s->nfiles; i++) {
		if (fstat(s->file[i].fd, &st) < 0)
			return -errno;
		s->file[i].device = S_ISBLK(st.st_mode);
	}
	/* The image's owner. */
	if (fstat(s->file[0].fd, &st) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(st.st_gid, st.st_gid, st.st_gid) < 0 ||
	    setresuid(st.st_uid, st.st_uid, st.st_uid) < 0)
		return -errno;
	return 0;
}

static int make_socket(void)
{
	int fd = sock_listen(SOCKET, SOCK_STREAM);

	/* Whoever gets here is one of us two, if of another user. */
	if (fd >= 0 && chmod(SOCKET, 0666) < 0) {
		fd_close(&fd);
		return -errno;
	}
	return fd;
}

/* Return: what is wrong with a file, or NULL. */
static const char *judge(const struct image_serve *s, unsigned int i)
{
	const struct image_format *format = s->file[i].format;
	int fd = open(places[i], O_RDONLY | O_CLOEXEC);
	const char *why = NULL;

	if (fd < 0)
		return i ? "the image's owner may not read it"
			 : "its owner may not read it";
	if (format)
		why = image_format_check(format, fd, i + 1 < s->nfiles);
	fd_close(&fd);
	return why;
}

int image_serve_enter(struct image_serve *s, char *why, size_t size)
{
	const char *wrong = NULL;
	unsigned int i;
	int ret;

	s->listen = s->errors = -1;
	s->pid = 0;
	if (access(PROGRAM, X_OK) < 0) {
		snprintf(why, size, PROGRAM " is missing: install qemu-utils");
		return -ENOENT;
	}
	ret = change_root(s);
	if (!ret) {
		s->listen = make_socket();
		ret = s->listen < 0 ? s->listen : become_owner(s);
	}
	if (!ret)
		ret = sandbox_enter();
	if (ret) {
		snprintf(why, size, "cannot lock qemu-nbd up: %s",
			 strerror(-ret));
		return ret;
	}
	for (i = 0; i < s->nfiles && !wrong; i++)
		wrong = judge(s, i);
	if (!wrong)
		return 0;
	if (i == 1)
		snprintf(why, size, "%s", wrong);
	else
		snprintf(why, size, "backing file %s: %s", s->file[i - 1].name,
			 wrong);
	return -EINVAL;
}

/*
 * All that is opened, in QEMU's words: with a file's name and format given for
 * "backing", or null, the name in the image is not looked at.  Our locks are on
 * the files already.
 */
static void name_files(const struct image_serve *s, char url[MAX_URL])
{
	size_t at = (size_t)snprintf(url, MAX_URL, "json:");

	for (unsigned int i = 0; i < s->nfiles; i++) {
		const struct image_file *f = &s->file[i];

		at += (size_t)snprintf(
			url + at, MAX_URL - at,
			"%s{\"driver\":\"%s\",%s\"file\":{\"driver\":\"%s\","
			"\"filename\":\"%s\",\"locking\":\"off\"}",
			i ? ",\"backing\":" : "",
			f->format ? f->format->driver : "raw",
			i ? "\"read-only\":true," : "",
			f->device ? "host_device" : "file", places[i]);
	}
	if (s->file[s->nfiles - 1].format)
		at += (size_t)snprintf(url + at, MAX_URL - at,
				       ",\"backing\":null");
	for (unsigned int i = 0; i < s->nfiles; i++)
		at += (size_t)snprintf(url + at, MAX_URL - at, "}");
	assert(at < MAX_URL); /* nobody but us has a say in its length */
}

/* In the child: what tells, as long as it lives, that it does. */
static int keep_locks(const struct image_serve *s)
{
	int ret = fd_cloexec(s->custody, false);

	for (unsigned int i = 0; i < s->nfiles && !ret; i++)
		ret = fd_cloexec(s->file[i].fd, false);
	return ret ? ret : custody_sign(s->custody, CUSTODY_SERVER);
}

/* In the child: systemd's way to hand over a listening socket (sd_listen_fds). */
static _Noreturn void become_server(const struct image_serve *s, int errors,
				    pid_t parent)
{
	char image[MAX_URL], pid[16];
	/* Its native operations end with the process, those of an io_uring may not. */
	const char *argv[] = { "qemu-nbd",
			       "--persistent",
			       "--shared=0",
			       "--discard=unmap",
			       s->direct ? "--cache=none" : "--cache=writeback",
			       s->direct ? "--aio=native" : "--aio=threads",
			       image,
			       s->readonly ? "--read-only" : NULL,
			       NULL };
	sigset_t none;

	name_files(s, image);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	sigemptyset(&none);
	if (sandbox_end_with(parent) == 0 && keep_locks(s) == 0 &&
	    sigprocmask(SIG_SETMASK, &none, NULL) == 0 &&
	    dup2(errors, STDERR_FILENO) >= 0 && dup2(s->listen, 3) >= 0 &&
	    fd_cloexec(3, false) == 0 && setenv("LISTEN_FDS", "1", 1) == 0 &&
	    setenv("LISTEN_PID", pid, 1) == 0)
		execv(PROGRAM, (char *const *)(uintptr_t)argv);
	_exit(127);
}

static int run(struct image_serve *s)
{
	pid_t pid, self = getpid();
	int pipe[2];

	/* A server that has much to say must not wait for us. */
	if (pipe2(pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		become_server(s, pipe[1], self);
	fd_close(&pipe[1]);
	if (pid < 0) {
		fd_close(&pipe[0]);
		return -errno;
	}
	fd_close(&s->errors);
	s->errors = pipe[0];
	s->pid = pid;
	return 0;
}

/*
 * sv-backend tells us to end, and then looks whether there is a server: no other
 * may follow.
 */
static bool told_to_end(void)
{
	sigset_t set;

	return sigpending(&set) < 0 || sigismember(&set, SIGTERM);
}

int image_serve_start(struct image_serve *s)
{
	int ret;

	if (s->pid)
		return 0;
	ret = custody_lock(s->custody);
	if (ret)
		return ret;
	ret = told_to_end() ? -ECANCELED : run(s);
	if (ret)
		custody_unlock(s->custody);
	return ret;
}

int image_serve_connect(void)
{
	return sock_connect(SOCKET, SOCK_STREAM);
}

/* Its last line, without its name before it. */
static void last_words(struct image_serve *s, char *why, size_t size)
{
	static const char name[] = "qemu-nbd: ";
	char text[1024];
	ssize_t n = read(s->errors, text, sizeof(text) - 1);
	char *line;

	text[n > 0 ? n : 0] = '\0';
	if (n > 0 && text[n - 1] == '\n')
		text[n - 1] = '\0';
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	if (!strncmp(line, name, strlen(name)))
		line += strlen(name);
	snprintf(why, size, "%.*s", (int)MIN(size, sizeof(text)),
		 *line ? line : "qemu-nbd has ended");
}

static void has_ended(struct image_serve *s)
{
	if (s->pid)
		custody_unlock(s->custody);
	s->pid = 0;
}

bool image_serve_ended(struct image_serve *s, char *why, size_t size)
{
	if (s->pid && waitpid(s->pid, NULL, WNOHANG) != s->pid)
		return false;
	has_ended(s);
	last_words(s, why, size);
	return true;
}

void image_serve_stop(struct image_serve *s)
{
	struct pollfd p = { .events = POLLIN };

	if (!s->pid)
		return;
	/* It is our child: the number is no other's before we have waited. */
	p.fd = pidfd_open(s->pid, 0);
	kill(s->pid, SIGTERM);
	if (p.fd >= 0 && poll(&p, 1, IMAGE_SERVE_STOP_MS) == 0) {
		log_warn("qemu-nbd does not end in %u s: killed",
			 IMAGE_SERVE_STOP_MS / 1000);
		kill(s->pid, SIGKILL);
	}
	fd_close(&p.fd);
	waitpid(s->pid, NULL, 0);
	has_ended(s);
}
