// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_proc.c - programs that the toolstack leaves running.
#include "tools/xl_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/paths.h"

#define MAX_ARGS 64

static volatile sig_atomic_t interrupted;
static bool shielded;

static void on_interrupt(int sig)
{
	interrupted = sig;
}

void xl_catch_interrupts(void)
{
	struct sigaction sa = { .sa_handler = on_interrupt,
				.sa_flags = SA_RESTART };

	/* xl_poll() returns EINTR all the same, and it is where we wait. */
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
}

bool xl_interrupted(void)
{
	return interrupted != 0 && !shielded;
}

int xl_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct timespec limit = { .tv_sec = timeout_ms / 1000,
				  .tv_nsec = timeout_ms % 1000 * 1000000L };
	sigset_t held, before;
	int ret = -1, err = EINTR;

	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGHUP);
	sigprocmask(SIG_BLOCK, &held, &before);
	if (!xl_interrupted()) {
		ret = ppoll(fds, n, timeout_ms < 0 ? NULL : &limit, &before);
		err = errno;
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = err;
	return ret;
}

bool xl_shield(bool on)
{
	bool was = shielded;

	shielded = on;
	return was;
}

/* Field @n of a line of proc(5)'s stat, counted from 3 behind the name. */
static const char *stat_field(const char *line, unsigned int n)
{
	const char *at = strrchr(line, ')'); /* the name may hold anything */

	for (unsigned int i = 3; at && i <= n; i++)
		at = strchr(at + 1, ' ');
	return at ? at + 1 : NULL;
}

/* The line of a file such as /proc/PID/stat. */
static int read_line(const char *path, char *buf, size_t size)
{
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	fd_close(&fd);
	if (n <= 0)
		return -ESRCH;
	buf[n] = '\0';
	return 0;
}

/* State letter and start time of a process, from /proc/PID/stat. */
static int read_stat(pid_t pid, char *state, uint64_t *start)
{
	const char *letter, *ticks;
	char path[64], buf[1024];
	int ret;

	*state = 'X';
	*start = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	ret = read_line(path, buf, sizeof(buf));
	if (ret)
		return ret;
	letter = stat_field(buf, 3);
	ticks = stat_field(buf, 22);
	if (!letter || !ticks)
		return -EPROTO;
	*state = *letter;
	*start = strtoull(ticks, NULL, 10);
	return 0;
}

int xl_proc_thread(pid_t pid, pid_t tid, struct xl_thread *t)
{
	const char *state, *user, *sys, *cpu;
	long hz = sysconf(_SC_CLK_TCK);
	char path[64], buf[1024];
	uint64_t ticks;
	int ret;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid,
		 (int)tid);
	ret = read_line(path, buf, sizeof(buf));
	if (ret)
		return ret;
	state = stat_field(buf, 3);
	user = stat_field(buf, 14);
	sys = stat_field(buf, 15);
	cpu = stat_field(buf, 39);
	if (!state || !user || !sys || !cpu || hz <= 0)
		return -EPROTO;
	ticks = strtoull(user, NULL, 10) + strtoull(sys, NULL, 10);
	*t = (struct xl_thread){
		.state = *state,
		.cpu = (unsigned int)strtoul(cpu, NULL, 10),
		.cpu_ns = ticks * (1000000000u / (uint64_t)hz),
	};
	return 0;
}

bool xl_proc_alive(const struct xl_proc *p)
{
	uint64_t start;
	char state;

	return !read_stat(p->pid, &state, &start) && start == p->start &&
	       state != 'Z' && state != 'X';
}

int xl_proc_load(struct xl_proc *p, const char *pidfile)
{
	FILE *f = fopen(pidfile, "re");
	char line[64] = "", *end;
	long pid;

	if (!f)
		return -errno;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	pid = strtol(line, &end, 10);
	if (*end != ' ' || pid <= 1 || pid > INT_MAX)
		return -ESRCH;
	*p = (struct xl_proc){ .pid = (pid_t)pid,
			       .start = strtoull(end, NULL, 10) };
	return 0;
}

/* In the child: the record of what this process is about to become. */
static int write_record(const char *pidfile)
{
	char text[64], state;
	uint64_t start;
	int fd, n, ret;

	ret = read_stat(getpid(), &state, &start);
	if (ret)
		return ret;
	fd = open(pidfile, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	n = snprintf(text, sizeof(text), "%d %llu\n", (int)getpid(),
		     (unsigned long long)start);
	ret = fd_write_all(fd, text, (size_t)n);
	fd_close(&fd);
	return ret;
}

static void default_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < 32; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Something to read nothing from, also where /dev is bare. */
static int open_nothing(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? memfd_create("nothing", MFD_CLOEXEC) : fd;
}

static _Noreturn void become(const struct xl_start *s, int ready)
{
	const char *argv[MAX_ARGS];
	char number[16];
	int null, log;
	size_t n = 0;

	while (n < MAX_ARGS - 3 && s->argv[n]) {
		argv[n] = s->argv[n];
		n++;
	}
	snprintf(number, sizeof(number), "%d", ready);
	argv[n++] = "--ready-fd";
	argv[n++] = number;
	argv[n] = NULL;
	setsid();
	default_signals();
	null = open_nothing();
	log = open(s->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	/* What the caller's shell has open, a lock perhaps, is not to be kept so. */
	(void)!close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	if (null < 0 || log < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(log, STDOUT_FILENO) < 0 || fd_cloexec(ready, false) ||
	    write_record(s->pidfile))
		goto failed;
	if (!s->keep_err && dup2(log, STDERR_FILENO) < 0)
		goto failed;
	if (s->keep_fd && fd_cloexec(s->keep_fd, false))
		goto failed;
	/* No directory is kept busy; sockets may be named relative to it. */
	if (paths_run()[0] == '/' && chdir("/") < 0)
		goto failed;
	execv(argv[0], (char *const *)(uintptr_t)argv);
failed:
	dprintf(STDERR_FILENO, "%s: cannot be started: %s\n", argv[0],
		strerror(errno));
	_exit(127);
}

int xl_proc_start(const struct xl_start *s, int *ready)
{
	int p[2];
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	fflush(NULL); /* nothing may be written twice */
	pid = fork();
	if (pid == 0)
		become(s, p[1]);
	fd_close(&p[1]);
	if (pid < 0) {
		int ret = -errno;

		fd_close(&p[0]);
		return ret;
	}
	*ready = p[0];
	return 0;
}

int xl_proc_wait_ready(int *ready, int timeout_ms)
{
	struct pollfd pfd = { .fd = *ready, .events = POLLIN };
	uint64_t end = util_clock_ns() + (uint64_t)timeout_ms * 1000000;
	int ret;
	char c;

	for (;;) {
		uint64_t now = util_clock_ns();
		int left = now < end ? (int)((end - now) / 1000000) + 1 : 0;

		if (xl_interrupted()) {
			ret = -EINTR;
			break;
		}
		ret = xl_poll(&pfd, 1, left);
		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0)
			ret = -errno;
		else if (ret == 0)
			ret = -ETIMEDOUT;
		else
			ret = read(*ready, &c, 1) == 1 ? 0 : -EPIPE;
		break;
	}
	fd_close(ready);
	return ret;
}

/* Wait for the end of the process behind a pidfd. */
static int wait_end(int fd, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int ret;

	while ((ret = poll(&pfd, 1, timeout_ms)) < 0 && errno == EINTR)
		; /* ends: a signal that comes again and again is nobody's */
	if (ret == 0)
		return -ETIMEDOUT;
	return ret < 0 ? -errno : 0;
}

int xl_proc_fatal(const struct xl_proc *p)
{
	int fd = pidfd_open(p->pid, 0), status = 0;
	bool ended = fd >= 0 && wait_end(fd, 2000) == 0 &&
		     waitpid(p->pid, &status, WNOHANG) == p->pid;

	fd_close(&fd);
	return ended && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

int xl_proc_end(const struct xl_proc *p, int patience_ms)
{
	int fd, ret;

	fd = pidfd_open(p->pid, 0);
	if (fd < 0)
		return errno == ESRCH ? 0 : -errno;
	/* The fd is pinned now; is it the right process? */
	if (!xl_proc_alive(p)) {
		fd_close(&fd);
		waitpid(p->pid, NULL, WNOHANG); /* if it was our child */
		return 0;
	}
	ret = wait_end(fd, patience_ms);
	if (ret == -ETIMEDOUT) {
		/* It may have ended meanwhile: then this does nothing. */
		pidfd_send_signal(fd, SIGKILL, NULL, 0);
		ret = wait_end(fd, 10000);
	}
	fd_close(&fd);
	waitpid(p->pid, NULL, WNOHANG);
	return ret;
}
