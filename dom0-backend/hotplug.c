// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/hotplug.c - one run of a hotplug script of Xen's kind.
#include "dom0-backend/hotplug.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

#define KILL_TRIES 500 /* of 10 ms */
#define LINE	   128
#define SECONDS	   "SPLITVISOR_HOTPLUG_S"

/* How it went, through the pipe. */
struct said {
	int ret;
	char line[LINE];
};

/* ---- in the process that waits ------------------------------------------------ */

static void clear_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool is_kept(const struct hotplug_run *run, int fd, int pipe)
{
	for (size_t i = 0; i < run->nfds; i++) {
		if (run->fds[i] == fd)
			return true;
	}
	return fd <= STDERR_FILENO || fd == pipe;
}

/* All but what is kept: among it is the lock of the run directory. */
static void close_others(const struct hotplug_run *run, int pipe)
{
	int most = pipe;

	for (size_t i = 0; i < run->nfds; i++)
		most = MAX(most, run->fds[i]);
	for (int fd = 0; fd < most; fd++) {
		if (!is_kept(run, fd, pipe))
			close(fd);
	}
	close_range((unsigned int)most + 1, ~0u, 0);
}

static void __attribute__((noreturn)) exec_script(const struct hotplug_run *run)
{
	char type[] = "type_if=vif", action[16];
	char *path = strdup(run->script);
	char *argv[] = { path, action, type, NULL };
	int null = open("/dev/null", O_RDONLY);

	snprintf(action, sizeof(action), "%s", run->action);
	dup2(null, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO); /* our log */
	for (size_t i = 0; i < run->nenv; i++)
		putenv(run->env[i]);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execv(run->script, argv);
	fprintf(stderr, "%s: %s\n", run->script, strerror(errno));
	_exit(127);
}

/*
 * Everybody below us: whoever is orphaned becomes our child, as we are a subreaper.
 * One that cannot be killed now is not waited for.
 */
static void kill_children(void)
{
	const struct timespec pause = { .tv_nsec = 10000000 };

	for (int round = 0; round < KILL_TRIES; round++) {
		FILE *f = fopen("/proc/thread-self/children", "re");
		char pid[16];
		int n = 0;

		/* Decimal numbers by the kernel. */
		while (f && fscanf(f, "%15s", pid) == 1) {
			kill((pid_t)strtol(pid, NULL, 10), SIGKILL);
			n++;
		}
		if (f)
			fclose(f);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (!n)
			return;
		nanosleep(&pause, NULL);
	}
}

/* Whether the child ends in time. */
static bool wait_child(pid_t pid, unsigned int seconds)
{
	uint64_t end = util_clock_ns() + seconds * UINT64_C(1000000000), now;
	siginfo_t info = { 0 };
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD); /* blocked: it waits for us */
	while (!waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) &&
	       !info.si_pid) {
		struct timespec left;

		now = util_clock_ns();
		if (now >= end)
			return false;
		left = (struct timespec){
			.tv_sec = (time_t)((end - now) / 1000000000),
			.tv_nsec = (long)((end - now) % 1000000000),
		};
		sigtimedwait(&child, NULL, &left);
	}
	return true;
}

static struct said judge(pid_t pid)
{
	struct said said = { 0 };
	int status = 0;

	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return said;
	said.ret = -ECHILD;
	if (WIFEXITED(status))
		snprintf(said.line, LINE, "ended with status %d",
			 WEXITSTATUS(status));
	else
		snprintf(said.line, LINE, "was ended by signal %d",
			 WTERMSIG(status));
	return said;
}

static void __attribute__((noreturn))
wait_and_tell(const struct hotplug_run *run, int pipe)
{
	const char *env = getenv(SECONDS);
	uint64_t seconds = HOTPLUG_S;
	struct said said = { 0 };
	sigset_t child;
	pid_t pid;

	if (env && util_u64(env, 3600, &seconds))
		seconds = HOTPLUG_S;
	setsid();
	clear_signals();
	/* As a worker is told to end: it does, soon. */
	signal(SIGTERM, SIG_IGN);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	close_others(run, pipe);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	pid = fork();
	if (!pid) {
		clear_signals();
		exec_script(run);
	}
	if (pid < 0) {
		said.ret = -errno;
		snprintf(said.line, LINE, "cannot be started: %s",
			 strerror(errno));
	} else if (wait_child(pid, (unsigned int)seconds)) {
		said = judge(pid);
	} else {
		said.ret = -ETIMEDOUT;
		snprintf(said.line, LINE, "has not ended in %u s",
			 (unsigned int)seconds);
		kill_children();
	}
	if (write(pipe, &said, sizeof(said)) < 0)
		_exit(1); /* nobody listens any more */
	_exit(0);
}

/* ---- in sv-backend ------------------------------------------------------------ */

int hotplug_start(struct hotplug *h, const struct hotplug_run *run)
{
	int pipe[2], ret;
	pid_t pid;

	if (pipe2(pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	pid = fork();
	if (!pid)
		wait_and_tell(run, pipe[1]);
	ret = pid < 0 ? -errno : 0;
	fd_close(&pipe[1]);
	if (ret) {
		fd_close(&pipe[0]);
		return ret;
	}
	h->pid = pid;
	h->said = pipe[0];
	return 0;
}

int hotplug_ended(struct hotplug *h, char *err, size_t errlen)
{
	struct said said;
	ssize_t n = read(h->said, &said, sizeof(said));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EINPROGRESS;
	fd_close(&h->said);
	if (n != (ssize_t)sizeof(said)) {
		snprintf(err, errlen, "was ended with what waited for it");
		return -ECHILD;
	}
	snprintf(err, errlen, "%s", said.line);
	return said.ret;
}

void hotplug_stop(struct hotplug *h)
{
	/* It leads a session, in which scripts stay. */
	if (h->pid > 0 && h->said >= 0 && kill(-h->pid, SIGKILL))
		kill(h->pid, SIGKILL); /* it has just begun */
	hotplug_leave(h);
}

void hotplug_leave(struct hotplug *h)
{
	fd_close(&h->said);
	h->pid = 0;
}
