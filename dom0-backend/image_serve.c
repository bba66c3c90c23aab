// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/image_serve.c - qemu-nbd, locked up with one image.
#include "dom0-backend/image_serve.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/paths.h"
#include "base/sandbox.h"
#include "base/sock.h"

#define PROGRAM "/usr/bin/qemu-nbd"
#define IMAGE	"/disk"
#define SOCKET	"/sock"

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

/* In the working directory, which is the root-to-be. */
static int fill_root(int tree, bool readonly)
{
	int ret = 0, fd;

	for (size_t i = 0; i < ARRAY_SIZE(shared) && !ret; i++)
		ret = share(shared[i]);
	if (ret)
		return ret;
	fd = open(&IMAGE[1], O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	fd_close(&fd);
	if (move_mount(tree, "", AT_FDCWD, &IMAGE[1], MOVE_MOUNT_F_EMPTY_PATH) <
	    0)
		return -errno;
	return readonly ? restrict_at(&IMAGE[1], MS_RDONLY) : 0;
}

/* Nothing of the host's is left below "/" but what was put there. */
static int change_root(int image, bool readonly)
{
	const char *at = paths_run();
	/* By the open file, not its name, which may mean another by now. */
	int tree = open_tree(
		image, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	int ret;

	if (tree < 0)
		return -errno;
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) <
		    0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", at, "tmpfs", MS_NOSUID | MS_NODEV,
		  "mode=755,size=1m") < 0 ||
	    chdir(at) < 0)
		return -errno;
	ret = fill_root(tree, readonly);
	fd_close(&tree);
	if (ret)
		return ret;
	if (syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return -errno;
	return 0;
}

static int become_owner(struct image_serve *s, int image)
{
	struct stat st;

	if (fstat(image, &st) < 0)
		return -errno;
	s->device = S_ISBLK(st.st_mode);
	if (setgroups(0, NULL) < 0 ||
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

static const char *judge(const struct image_serve *s)
{
	int fd = open(IMAGE, O_RDONLY | O_CLOEXEC);
	const char *why;

	if (fd < 0)
		return "its owner may not read it";
	why = image_format_check(s->format, fd);
	fd_close(&fd);
	return why;
}

int image_serve_enter(struct image_serve *s, int fd, char *why, size_t size)
{
	const char *wrong;
	int ret;

	s->listen = s->errors = -1;
	s->pid = 0;
	if (access(PROGRAM, X_OK) < 0) {
		snprintf(why, size, PROGRAM " is missing: install qemu-utils");
		return -ENOENT;
	}
	ret = change_root(fd, s->readonly);
	if (!ret) {
		s->listen = make_socket();
		ret = s->listen < 0 ? s->listen : become_owner(s, fd);
	}
	if (!ret)
		ret = sandbox_enter();
	if (ret) {
		snprintf(why, size, "cannot lock qemu-nbd up: %s",
			 strerror(-ret));
		return ret;
	}
	wrong = judge(s);
	if (!wrong)
		return 0;
	snprintf(why, size, "%s", wrong);
	return -EINVAL;
}

/* Nothing but the image's own file is opened, whatever is in it. */
static void name_image(const struct image_serve *s, char *buf, size_t size)
{
	snprintf(buf, size,
		 "json:{\"driver\":\"%s\",\"backing\":null,"
		 "\"file\":{\"driver\":\"%s\",\"filename\":\"" IMAGE
		 "\",\"locking\":\"off\"}}",
		 s->format->driver, s->device ? "host_device" : "file");
}

/* In the child: systemd's way to hand over a listening socket (sd_listen_fds). */
static _Noreturn void become_server(const struct image_serve *s, int errors)
{
	char image[256], pid[16];
	const char *argv[] = { "qemu-nbd",
			       "--persistent",
			       "--shared=0",
			       "--discard=unmap",
			       s->direct ? "--cache=none" : "--cache=writeback",
			       s->readonly ? "--read-only" : NULL,
			       NULL,
			       NULL };
	sigset_t none;

	name_image(s, image, sizeof(image));
	argv[s->readonly ? 6 : 5] = image;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	sigemptyset(&none);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 &&
	    sigprocmask(SIG_SETMASK, &none, NULL) == 0 &&
	    dup2(errors, STDERR_FILENO) >= 0 && dup2(s->listen, 3) >= 0 &&
	    fd_cloexec(3, false) == 0 && setenv("LISTEN_FDS", "1", 1) == 0 &&
	    setenv("LISTEN_PID", pid, 1) == 0)
		execv(PROGRAM, (char *const *)(uintptr_t)argv);
	_exit(127);
}

int image_serve_start(struct image_serve *s)
{
	int pipe[2];
	pid_t pid;

	if (s->pid)
		return 0;
	/* A server that has much to say must not wait for us. */
	if (pipe2(pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		become_server(s, pipe[1]);
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

bool image_serve_ended(struct image_serve *s, char *why, size_t size)
{
	if (s->pid && waitpid(s->pid, NULL, WNOHANG) != s->pid)
		return false;
	s->pid = 0;
	last_words(s, why, size);
	return true;
}

void image_serve_stop(struct image_serve *s)
{
	if (!s->pid)
		return;
	kill(s->pid, SIGTERM);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}
