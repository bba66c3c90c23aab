/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_jail.c - what a process in its jail cannot do any more. */
#include "base/jail.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sock.h"
#include "tests/lib/proc.h"

/* Everything, so that what is refused is not refused by the filter. */
static struct jail_call all_calls[512];

static char base[64], inside[96], quiet[96], hidden[96], outside[96];
static int peers[3];

/*
 * A directory to keep, one in it to keep as it is, one to hide, one that is not
 * named.
 */
static void make_dirs(void)
{
	char path[128];

	strcpy(base, "/tmp/sv-jail.XXXXXX");
	cr_assert_not_null(mkdtemp(base));
	snprintf(inside, sizeof(inside), "%s/in", base);
	snprintf(quiet, sizeof(quiet), "%s/in/dom", base);
	snprintf(outside, sizeof(outside), "%s/out", base);
	snprintf(hidden, sizeof(hidden), "%s/in/other", base);
	cr_assert(!mkdir(inside, 0755) && !mkdir(quiet, 0755) &&
		  !mkdir(outside, 0755) && !mkdir(hidden, 0755));
	snprintf(path, sizeof(path), "%s/s", quiet);
	peers[0] = sock_listen(path, SOCK_STREAM);
	snprintf(path, sizeof(path), "%s/s", outside);
	peers[1] = sock_listen(path, SOCK_STREAM);
	snprintf(path, sizeof(path), "%s/s", hidden);
	peers[2] = sock_listen(path, SOCK_STREAM);
	cr_assert(peers[0] >= 0 && peers[1] >= 0 && peers[2] >= 0);
}

static void remove_dirs(void)
{
	char command[128];

	fd_close(&peers[0]);
	fd_close(&peers[1]);
	fd_close(&peers[2]);
	snprintf(command, sizeof(command), "rm -rf %s", base);
	cr_assert_eq(system(command), 0);
}

static int make(const char *dir)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/new", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? errno : 0;
}

static int reach(const char *dir)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/s", dir);
	fd = sock_connect(path, SOCK_STREAM);
	return fd < 0 ? -fd : 0;
}

static int read_file(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC) < 0 ? errno : 0;
}

/* An abstract name belongs to a network namespace. */
static int reach_abstract(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path + 1, sizeof(sa.sun_path) - 1, "%s", base);
	return connect(fd, (struct sockaddr *)&sa, sizeof(sa)) ? errno : 0;
}

static int run_program(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };

	execv("/bin/true", argv);
	return errno;
}

static int trace_parent(void)
{
	return ptrace(PTRACE_SEIZE, getppid(), NULL, NULL) ? errno : 0;
}

static int enter(const struct jail_call *calls, size_t n)
{
	const struct jail_dir dirs[] = {
		{ .path = inside },
		{ .path = quiet, .keep_out = true },
		{ .path = hidden, .hide = true },
	};
	const struct jail j = { dirs, ARRAY_SIZE(dirs), calls, n, NULL };

	return jail_enter(&j);
}

/* Return: 0, or the number of what was not as it must be. */
static int look_around(void)
{
	size_t n = 0;

	for (int nr = 0; nr < (int)ARRAY_SIZE(all_calls); nr++)
		if (nr < 335 || (nr >= 424 && nr <= 450))
			all_calls[n++].nr = nr;
	if (enter(all_calls, n))
		return 1;
	if (read_file("/etc/passwd") != ENOENT || read_file("/proc") != ENOENT)
		return 2;
	if (make(inside) || make(quiet) != EROFS || make("") != EROFS)
		return 3;
	if (reach(quiet) || reach(outside) != ENOENT ||
	    reach(hidden) != ENOENT || make(hidden) != EROFS)
		return 4;
	if (reach_abstract() != ECONNREFUSED)
		return 5;
	if (run_program() != ENOENT)
		return 6;
	if (trace_parent() != EPERM)
		return 7;
	if (chroot("/") == 0 || setuid(12345) == 0 ||
	    !mount("none", "/", "tmpfs", 0, NULL))
		return 8;
	return 0;
}

static int in_child(int (*fn)(void), char *said, size_t size)
{
	int out[2], status;
	ssize_t n = 0;
	pid_t pid;

	cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
	pid = proc_fork();
	cr_assert_geq(pid, 0);
	if (!pid) {
		dup2(out[1], STDERR_FILENO);
		_exit(fn());
	}
	close(out[1]);
	for (size_t at = 0; at + 1 < size; at += (size_t)n) {
		n = read(out[0], said + at, size - 1 - at);
		said[at + (size_t)MAX(n, 0)] = '\0';
		if (n <= 0)
			break;
	}
	close(out[0]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

Test(jail, nothing_else_is_in_reach)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char said[2000];
	int fd;

	if (getuid() != 0)
		cr_skip_test("needs root for all namespaces");
	make_dirs();
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(sa.sun_path + 1, sizeof(sa.sun_path) - 1, "%s", base);
	cr_assert(!bind(fd, (struct sockaddr *)&sa, sizeof(sa)) &&
		  !listen(fd, 1));
	cr_assert_eq(reach_abstract(), 0, "from outside it is reached");
	cr_expect_eq(in_child(look_around, said, sizeof(said)), 0, "%s", said);
	close(fd);
	remove_dirs();
}

#define USER 12345

static int look_around_as_user(void)
{
	if (setgid(USER) || setuid(USER))
		return 100;
	return look_around();
}

Test(jail, a_user_has_one_too)
{
	char said[2000];
	int status;

	if (getuid() != 0)
		cr_skip_test("needs root to become somebody");
	make_dirs();
	cr_assert(!chmod(base, 0755) && !chown(inside, USER, USER) &&
		  !chown(quiet, USER, USER));
	chmod(quiet, 0777);
	status = in_child(look_around_as_user, said, sizeof(said));
	if (status)
		cr_expect(strstr(said, "no namespaces of its own"), "%d %s",
			  WEXITSTATUS(status), said);
	remove_dirs();
}

/* ---- Root that becomes somebody ----------------------------------------- */

static const struct sandbox_user user = { USER, USER + 1 };

static void make_file(char *path, const char *dir, const char *name)
{
	int fd;

	snprintf(path, 128, "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	close(fd);
}

static uid_t owner(const char *path)
{
	struct stat st;

	cr_assert_eq(lstat(path, &st), 0);
	return st.st_uid;
}

/* Without that, a namespace is not to be had. */
static int be_no_admin(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &head, caps))
		return -1;
	caps[0].effective &= ~(1u << CAP_SYS_ADMIN);
	caps[0].permitted &= ~(1u << CAP_SYS_ADMIN);
	return (int)syscall(SYS_capset, &head, caps);
}

static int become_user(void)
{
	static struct jail_call most[ARRAY_SIZE(all_calls)];
	const struct jail_dir dirs[] = {
		{ .path = inside, .own = true },
		{ .path = quiet, .keep_out = true },
	};
	struct jail j = { dirs, ARRAY_SIZE(dirs), most, 0, &user };

	for (int nr = 0; nr < (int)ARRAY_SIZE(most); nr++)
		if (nr < 335 || (nr >= 424 && nr <= 450))
			most[j.ncalls++].nr = nr;
	return jail_enter(&j);
}

/* Return: 0, or the number of what was not as it must be. */
static int live_as_user(void)
{
	uid_t ids[3];
	gid_t groups[3];

	if (become_user())
		return 1;
	if (getresuid(&ids[0], &ids[1], &ids[2]) || ids[0] != USER ||
	    ids[1] != USER || ids[2] != USER)
		return 2;
	if (getresgid(&groups[0], &groups[1], &groups[2]) ||
	    groups[0] != USER + 1 || groups[1] != USER + 1 ||
	    groups[2] != USER + 1 || getgroups(0, NULL) != 0)
		return 3;
	if (setuid(0) == 0 || kill(getppid(), 0) == 0 || errno != EPERM)
		return 4;
	if (make(inside) || make(quiet) != EROFS || reach(quiet) != EACCES)
		return 5;
	return 0;
}

static int live_without_spaces(void)
{
	return be_no_admin() ? 100 : live_as_user() == 5 ? 0 : 101;
}

static int stay_root(void)
{
	if (be_no_admin() || become_user())
		return 1;
	return geteuid() != 0 || make(inside) ? 2 : 0;
}

/* A link to what is outside, and another name of it, could be traps. */
Test(jail, becomes_another_user)
{
	char ours[128], far[128], trap[128], name[128], said[2000];

	if (getuid() != 0)
		cr_skip_test("needs root to become somebody");
	make_dirs();
	make_file(ours, inside, "file");
	make_file(far, outside, "far");
	snprintf(trap, sizeof(trap), "%s/trap", inside);
	snprintf(name, sizeof(name), "%s/name", inside);
	cr_assert(!symlink(far, trap) && !link(far, name));
	cr_expect_eq(in_child(live_as_user, said, sizeof(said)), 0, "%s", said);
	cr_expect_eq(owner(inside), USER);
	cr_expect_eq(owner(ours), USER);
	cr_expect_eq(owner(far), 0);
	cr_expect_eq(owner(quiet), 0);
	remove_dirs();
}

Test(jail, another_user_needs_no_namespaces)
{
	char said[2000];

	if (getuid() != 0)
		cr_skip_test("needs root to become somebody");
	make_dirs();
	cr_assert_eq(chmod(base, 0755), 0);
	cr_expect_eq(in_child(live_without_spaces, said, sizeof(said)), 0, "%s",
		     said);
	cr_expect(strstr(said, "no namespaces of its own"), "%s", said);
	remove_dirs();
}

/* Its own files would be out of its reach. */
Test(jail, stays_who_it_is_rather_than_be_cut_off)
{
	char file[128], said[2000];

	if (getuid() != 0)
		cr_skip_test("needs root to become somebody");
	make_dirs();
	make_file(file, inside, "file");
	cr_expect_eq(in_child(stay_root, said, sizeof(said)), 0, "%s", said);
	cr_expect(strstr(said, "cannot get into"), "%s", said);
	cr_expect_eq(owner(inside), 0);
	cr_expect_eq(owner(file), 0);
	remove_dirs();
}

/* ---- The filter -------------------------------------------------------- */

static int few(void)
{
	/* The last is of sanitizers, when they end. */
	static const struct jail_call calls[] = {
		{ .nr = SYS_write },
		{ .nr = SYS_mmap },
		{ .nr = SYS_munmap },
		{ .nr = SYS_mprotect },
		{ .nr = SYS_exit_group },
		{ .nr = SYS_sigaltstack },
		{ .nr = SYS_fcntl },
		{ .nr = SYS_socket },
		{ .nr = SYS_clone },
		{ .nr = SYS_tgkill },
		{ .nr = SYS_getpid },
		{ .nr = SYS_ioctl, .request = FIONREAD },
		{ .nr = SYS_openat, .request = O_WRONLY },
		{ .nr = SYS_access, .refused = true },
	};

	return enter(calls, ARRAY_SIZE(calls));
}

static int all_is_well(void)
{
	void *p;
	int n;

	if (few())
		return 1;
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || mprotect(p, 4096, PROT_READ) || munmap(p, 4096))
		return 2;
	if (access("/", F_OK) == 0 || errno != ENOENT)
		return 3;
	if (fcntl(STDERR_FILENO, F_GETFL) < 0 ||
	    socket(AF_UNIX, SOCK_STREAM, 0) < 0 ||
	    syscall(SYS_tgkill, getpid(), getpid(), 0) ||
	    ioctl(STDERR_FILENO, FIONREAD, &n))
		return 4;
	if (make(inside) || read_file(inside) != ENOENT)
		return 5;
	return 0;
}

static int runs_a_program(void)
{
	return few() ? 1 : run_program();
}

static int makes_code(void)
{
	return few() ? 1
		     : mmap(NULL, 4096, PROT_READ | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static int makes_memory_code(void)
{
	static char page[8192] __attribute__((aligned(4096)));

	return few() ? 1 : mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static int tells_a_descriptor_to_signal(void)
{
	return few() ? 1 : fcntl(STDERR_FILENO, F_SETOWN, getpid());
}

static int signals_its_parent(void)
{
	pid_t parent = getppid();

	return few() ? 1 : (int)syscall(SYS_tgkill, parent, parent, 0);
}

static int makes_a_process(void)
{
	return few() ? 1 : (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static int reaches_a_network(void)
{
	return few() ? 1 : socket(AF_INET, SOCK_STREAM, 0);
}

static int asks_for_something_else(void)
{
	int n;

	return few() ? 1 : ioctl(STDERR_FILENO, FIONBIO, &n);
}

static int opens_for_both(void)
{
	return few() ? 1 : open(inside, O_RDWR | O_CLOEXEC);
}

static int has_no_such_call(void)
{
	return few() ? 1 : (int)syscall(100000);
}

Test(jail, a_call_that_is_not_named_kills)
{
	static const struct {
		int (*fn)(void);
		const char *name;
	} t[] = {
		{ runs_a_program, "59 (execve)" },
		{ makes_code, "9 (mmap)" },
		{ makes_memory_code, "10 (mprotect)" },
		{ tells_a_descriptor_to_signal, "72 (fcntl)" },
		{ signals_its_parent, "234 (tgkill)" },
		{ makes_a_process, "56 (clone)" },
		{ reaches_a_network, "41 (socket)" },
		{ asks_for_something_else, "16 (ioctl)" },
		{ opens_for_both, "257 (openat)" },
		{ has_no_such_call, "100000 (unknown)" },
	};
	char said[2000];

	make_dirs();
	cr_expect_eq(in_child(all_is_well, said, sizeof(said)), 0, "%s", said);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		int status = in_child(t[i].fn, said, sizeof(said));

		cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
			  "%s: ended with 0x%x", t[i].name,
			  (unsigned int)status);
		cr_expect(strstr(said, t[i].name), "%s: said %s", t[i].name,
			  said);
	}
	remove_dirs();
}

static int nothing_to_keep(void)
{
	const struct jail_dir none = { .path = "/nonexistent" };
	const struct jail j = { &none, 1, all_calls, 1, NULL };

	return jail_enter(&j);
}

static int keep_all_in_sight(void)
{
	static const struct jail_call calls[] = {
		{ .nr = SYS_write },
		{ .nr = SYS_openat },
		{ .nr = SYS_exit_group },
		{ .nr = SYS_sigaltstack },
	};
	const struct jail j = { .calls = calls, .ncalls = ARRAY_SIZE(calls) };

	if (jail_enter(&j) || read_file(outside))
		return 1;
	return reach_abstract(); /* a socket is not on the list */
}

Test(jail, without_directories_files_stay_in_sight)
{
	char said[2000];

	make_dirs();
	cr_expect_eq(WTERMSIG(in_child(keep_all_in_sight, said, sizeof(said))),
		     SIGSYS);
	cr_expect(strstr(said, "41 (socket)"), "%s", said);
	cr_expect_not(strstr(said, "namespaces"), "%s", said);
	remove_dirs();
}

/* What is not there cannot be kept: it is told, and no other file hidden. */
Test(jail, says_what_it_could_not)
{
	char said[2000];

	cr_expect_eq(WTERMSIG(in_child(nothing_to_keep, said, sizeof(said))),
		     SIGSYS);
	cr_expect(strstr(said, "no namespaces of its own: No such file"), "%s",
		  said);
}
