/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_storeuser.c - the user that the store of a host runs as. */
#include "base/storeuser.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/paths.h"
#include "base/sock.h"
#include "tests/lib/proc.h"

static char base[64];

/* A "host" in @name below our directory; NULL: the usual one, its store here. */
static void settle(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", base, name ? name : "socket");
	unsetenv("SPLITVISOR_RUN_DIR");
	unsetenv("XENSTORED_PATH");
	setenv(name ? "SPLITVISOR_RUN_DIR" : "XENSTORED_PATH", path, 1);
	paths_init();
}

static void setup(void)
{
	char path[128];

	if (getuid() != 0)
		cr_skip_test("needs root to become somebody");
	strcpy(base, "/tmp/sv-storeuser.XXXXXX");
	cr_assert_not_null(mkdtemp(base));
	snprintf(path, sizeof(path), "%s/a", base);
	cr_assert_eq(mkdir(path, 0755), 0);
	settle("a");
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", base);
	(void)!system(command);
}

TestSuite(storeuser, .init = setup, .fini = teardown);

static struct sandbox_user find(void)
{
	struct sandbox_user u;

	storeuser_find(&u);
	return u;
}

static bool is_computed(const struct sandbox_user *u)
{
	return u->uid >= 0x70000000 && u->uid < 0x7ff00000 && u->gid == u->uid;
}

Test(storeuser, is_one_for_each_host)
{
	struct sandbox_user first = find(), same, other;

	settle("/./a/../a");
	same = find();
	settle("b");
	other = find();
	cr_expect(is_computed(&first) && is_computed(&other));
	cr_expect_eq(first.uid, same.uid);
	cr_expect_neq(first.uid, other.uid);
}

Test(storeuser, of_each_domain_is_another)
{
	struct sandbox_user store = find(), first, second;

	cr_assert(storeuser_domain(1, &first));
	cr_assert(storeuser_domain(2, &second));
	cr_expect(is_computed(&first) && is_computed(&second));
	cr_expect_neq(first.uid, second.uid);
	cr_expect_neq(first.uid, store.uid);
	settle("b");
	cr_assert(storeuser_domain(1, &second));
	cr_expect_neq(first.uid, second.uid);
}

/* ---- In another process ------------------------------------------------- */

static int status_of(pid_t pid)
{
	int status;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(storeuser, of_a_user_is_himself)
{
	pid_t pid = proc_fork();
	struct sandbox_user u;

	if (!pid) {
		if (setgid(12346) || setuid(12345))
			_exit(1);
		u = find();
		_exit(u.uid != 12345 || u.gid != 12346);
	}
	cr_expect_eq(status_of(pid), 0);
}

static void write_map(pid_t pid, const char *which, unsigned int n)
{
	char path[64], map[32];
	int fd, len;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, which);
	len = snprintf(map, sizeof(map), "0 0 %u", n);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	cr_assert(fd >= 0 && !fd_write_all(fd, map, (size_t)len), "%s", path);
	close(fd);
}

/* In a namespace that has the first @n users; Return: who it is, 1 if there is none. */
static uid_t among(unsigned int n)
{
	uid_t uid = 1;
	int go[2], said[2];
	char byte = 1;
	pid_t pid;

	cr_assert(!pipe2(go, O_CLOEXEC) && !pipe2(said, O_CLOEXEC));
	pid = proc_fork();
	if (!pid) {
		byte = (char)unshare(CLONE_NEWUSER);
		(void)!write(said[1], &byte, 1);
		(void)!read(go[0], &byte, 1);
		uid = find().uid;
		(void)!write(said[1], &uid, sizeof(uid));
		_exit(0);
	}
	cr_assert_eq(read(said[0], &byte, 1), 1);
	if (!byte) {
		write_map(pid, "uid_map", n);
		write_map(pid, "gid_map", n);
	}
	cr_assert_eq(write(go[1], "", 1), 1);
	cr_assert_eq(read(said[0], &uid, sizeof(uid)), sizeof(uid));
	cr_expect_eq(status_of(pid), 0);
	close(go[0]);
	close(go[1]);
	close(said[0]);
	close(said[1]);
	return byte ? 1 : uid;
}

Test(storeuser, of_a_container_with_few_users)
{
	uid_t uid = among(65536);

	if (uid == 1)
		cr_skip_test("this host gives users no namespaces");
	cr_expect(uid >= 65520 && uid <= 65533, "%u", uid);
	cr_expect_eq(among(1), 0, "there is nobody else");
}

/* ---- The system's user --------------------------------------------------- */

static int fail(const char *what)
{
	perror(what);
	return 100;
}

/* @text is /etc/passwd from now on, for this process. */
static int know(const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/passwd", base);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || fd_write_all(fd, text, strlen(text)))
		return fail(path);
	close(fd);
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(path, "/etc/passwd", NULL, MS_BIND, NULL))
		return fail("mount");
	return 0;
}

#define OTHERS "root:x:0:0::/root:/bin/sh\nsplitvisor:x:900:900::/:/bin/sh\n"

static int use_named(void)
{
	struct sandbox_user u;
	char path[128];

	if (know(OTHERS "splitvisor-store:x:901:902::/:/bin/sh\n"))
		return 100;
	u = find();
	if (!is_computed(&u))
		return 1; /* of a host that is not the usual one */
	settle(NULL);
	u = find();
	if (u.uid != 901 || u.gid != 902)
		return 2;
	snprintf(path, sizeof(path), "%s/socket.d", base);
	if (mkdir(path, 0700) || chown(path, 901, 902))
		return 3;
	return find().uid == 901 ? 0 : 4;
}

static int go_on_as_computed(void)
{
	struct sandbox_user u;
	char path[128];

	settle(NULL);
	if (know(OTHERS))
		return 100;
	u = find();
	snprintf(path, sizeof(path), "%s/socket.d", base);
	if (!is_computed(&u) || mkdir(path, 0700) || chown(path, u.uid, u.gid))
		return 1;
	if (know(OTHERS "splitvisor-store:x:901:902::/:/bin/sh\n"))
		return 100;
	return find().uid == u.uid ? 0 : 2;
}

static int take_no_root(void)
{
	struct sandbox_user u;

	settle(NULL);
	if (know(OTHERS "splitvisor-store:x:0:902::/:/bin/sh\n"))
		return 100;
	u = find();
	return is_computed(&u) ? 0 : 1;
}

static int run(int (*fn)(void))
{
	pid_t pid = proc_fork();

	if (!pid)
		_exit(fn());
	return status_of(pid);
}

Test(storeuser, is_the_systems_on_the_usual_host)
{
	cr_expect_eq(run(use_named), 0);
}

Test(storeuser, stays_who_has_the_files)
{
	cr_expect_eq(run(go_on_as_computed), 0);
}

Test(storeuser, is_never_root)
{
	cr_expect_eq(run(take_no_root), 0);
}

/* ---- What is open to it --------------------------------------------------- */

static char sock[PATH_MAX];

static int connect_as(uid_t uid, gid_t gid)
{
	pid_t pid = proc_fork();
	int fd;

	if (!pid) {
		if (setgid(gid) || setuid(uid))
			_exit(100);
		fd = sock_connect(sock, SOCK_STREAM);
		_exit(fd < 0 ? -fd : 0);
	}
	return status_of(pid);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	cr_assert_eq(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

Test(storeuser, is_let_in_and_nobody_else)
{
	struct sandbox_user u = find();
	char dom[PATH_MAX], dir[PATH_MAX];
	int fd;

	cr_assert_eq(chmod(base, 0755), 0);
	snprintf(dom, sizeof(dom), "%s/a/dom", base);
	paths_dom(dir, 7, "");
	paths_dom(sock, 7, "hv.sock");
	cr_assert(!mkdir(dom, 0700) && !mkdir(dir, 0755));
	fd = sock_listen(sock, SOCK_STREAM);
	cr_assert_geq(fd, 0);
	cr_expect_eq(connect_as(u.uid, u.gid), EACCES);
	cr_expect_eq(storeuser_admit(sock, &u), 0);
	cr_expect_eq(connect_as(u.uid, u.gid), 0);
	cr_expect_eq(connect_as(u.uid + 1, u.gid + 1), EACCES);
	cr_expect_eq(mode_of(dom), 0710);
	cr_expect_eq(mode_of(dir), 0755);
	cr_expect_eq(mode_of(sock), 0660);
	close(fd);
}
