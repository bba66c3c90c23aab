// SPDX-License-Identifier: GPL-2.0-or-later
// tools/oneshot_guest.c - runs the command of `xl run` in its guest.
#include "tools/oneshot.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

#define CHUNK 4096u

/*
 * How it works
 *
 * One thread waits for the console, the command's three pipes and SIGCHLD.  What came
 * for its standard input is held until the pipe takes it, and no more is read from the
 * console meanwhile: at most CHUNK bytes.
 */
struct run {
	int fd, children;
	struct oneshot_parser parser;
	struct oneshot_job job; /* argv is NULL until it has come */
	pid_t pid;
	int in, out, err; /* our ends of its pipes, not blocking */
	uint8_t held[CHUNK];
	size_t nheld, at;
	bool end; /* of its input */
	bool ended;
	int status; /* as waitpid() has it */
};

static int send_frame(const struct run *r, enum oneshot_type type,
		      const void *data, size_t n)
{
	struct {
		struct oneshot_head head;
		uint8_t data[CHUNK];
	} f = { .head = { .type = type, .len = (uint32_t)n } };

	memcpy(f.data, data, n);
	return fd_write_all(r->fd, &f, sizeof(f.head) + n);
}

static int send_end(const struct run *r, int status, const char *what,
		    const char *why)
{
	char end[ONESHOT_MAX_END];
	size_t n = 1;

	end[0] = (char)status;
	if (what)
		n += (size_t)snprintf(end + 1, sizeof(end) - 1, "%s%s%s", what,
				      *why ? ": " : "", why);
	return send_frame(r, ONESHOT_END, end, MIN(n, sizeof(end) - 1));
}

/* ---- From xl --------------------------------------------------------------- */

static int on_piece(void *arg, enum oneshot_type type, const uint8_t *buf,
		    size_t n)
{
	struct run *r = arg;
	uint8_t *copy;

	if (type == ONESHOT_JOB) {
		if (r->job.argv)
			return -EPROTO;
		copy = util_memdup(buf, n);
		return copy ? oneshot_decode(&r->job, copy, n) : -ENOMEM;
	}
	if (!n)
		r->end = true;
	else if (n > sizeof(r->held) - r->nheld)
		return -EPROTO;
	if (n)
		memcpy(r->held + r->nheld, buf, n);
	r->nheld += n;
	return 0;
}

static int hear(struct run *r)
{
	uint8_t buf[CHUNK];
	ssize_t n = read(r->fd, buf, sizeof(buf));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	return n ? oneshot_feed(&r->parser, buf, (size_t)n) : -EPIPE;
}

/* ---- The command ----------------------------------------------------------- */

/* What kept the command from being executed. */
struct failure {
	int error;
	bool cwd;
};

static _Noreturn void become(const struct oneshot_job *job, const int fds[3],
			     int report)
{
	struct failure f = { .cwd = true };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	for (int i = 0; i < 3; i++) {
		if (dup2(fds[i], i) < 0)
			goto failed;
	}
	if ((job->uid || job->gid) &&
	    (setgroups(0, NULL) || setgid(job->gid) || setuid(job->uid)))
		goto failed;
	if (chdir(job->cwd) < 0)
		goto failed;
	f.cwd = false;
	environ = (char **)(uintptr_t)job->env;
	execvp(job->argv[0], (char *const *)(uintptr_t)job->argv);
failed:
	f.error = errno;
	_exit(write(report, &f, sizeof(f)) == (ssize_t)sizeof(f) ? 127 : 126);
}

/* Return: 0, a failure's errno, of which @f tells more, or -errno. */
static int launch(struct run *r, const int fds[3], struct failure *f)
{
	int report[2];
	ssize_t n;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	r->pid = fork();
	if (r->pid == 0)
		become(&r->job, fds, report[1]);
	n = r->pid < 0 ? -errno : 0;
	close(report[1]);
	while (r->pid > 0 && (n = read(report[0], f, sizeof(*f))) < 0 &&
	       errno == EINTR)
		;
	close(report[0]);
	return n == (ssize_t)sizeof(*f) ? f->error : (int)MIN(n, 0);
}

static int open_pipes(int p[3][2])
{
	for (int i = 0; i < 3; i++) {
		if (pipe2(p[i], O_CLOEXEC) < 0)
			return -errno;
		/* Ours alone: the other end is another file. */
		if (fcntl(p[i][!i], F_SETFL, O_NONBLOCK) < 0)
			return -errno;
	}
	return 0;
}

static int start(struct run *r, struct failure *f)
{
	int p[3][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	int ret = open_pipes(p), fds[3];

	for (int i = 0; i < 3; i++)
		fds[i] = p[i][!!i];
	if (!ret)
		ret = launch(r, fds, f);
	for (int i = 0; i < 3; i++)
		fd_close(&p[i][!!i]);
	r->in = p[0][1];
	r->out = p[1][0];
	r->err = p[2][0];
	return ret;
}

/* Whoever has no parent is ours, too. */
static void reap(struct run *r)
{
	struct signalfd_siginfo info;
	pid_t pid;
	int status;

	(void)!read(r->children, &info, sizeof(info));
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == r->pid) {
			r->ended = true;
			r->status = status;
		}
	}
}

/* ---- Its streams ----------------------------------------------------------- */

static void feed_input(struct run *r)
{
	ssize_t n = 1;

	while (r->at < r->nheld && r->in >= 0 && n > 0) {
		n = write(r->in, r->held + r->at, r->nheld - r->at);
		if (n > 0)
			r->at += (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			fd_close(&r->in); /* it does not want any */
	}
	if (r->at == r->nheld || r->in < 0)
		r->at = r->nheld = 0;
	if (r->end && !r->nheld)
		fd_close(&r->in);
}

/* Return: 1 if there may be more, 0, or -errno of the console. */
static int pass_on(struct run *r, int *fd, enum oneshot_type type)
{
	uint8_t buf[CHUNK];
	ssize_t n = *fd >= 0 ? read(*fd, buf, sizeof(buf)) : 0;
	int ret;

	if (n > 0) {
		ret = send_frame(r, type, buf, (size_t)n);
		return ret ? ret : 1;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		fd_close(fd);
	return 0;
}

/* All that it has printed; what others still hold open is not waited for. */
static int drain(struct run *r)
{
	int ret;

	do {
		ret = pass_on(r, &r->out, ONESHOT_OUT);
	} while (ret > 0);
	while (!ret) {
		ret = pass_on(r, &r->err, ONESHOT_ERR);
		if (!ret)
			break;
		ret = MIN(ret, 0);
	}
	return ret;
}

static int serve(struct run *r)
{
	struct pollfd p[] = {
		{ .fd = r->children, .events = POLLIN },
		{ .fd = r->nheld || r->end ? -1 : r->fd, .events = POLLIN },
		{ .fd = r->nheld ? r->in : -1, .events = POLLOUT },
		{ .fd = r->out, .events = POLLIN },
		{ .fd = r->err, .events = POLLIN },
	};
	int ret = 0;

	if (poll(p, ARRAY_SIZE(p), -1) < 0)
		return errno == EINTR ? 0 : -errno;
	if (p[0].revents)
		reap(r);
	if (p[1].revents)
		ret = hear(r);
	feed_input(r);
	if (ret >= 0 && p[3].revents)
		ret = pass_on(r, &r->out, ONESHOT_OUT);
	if (ret >= 0 && p[4].revents)
		ret = pass_on(r, &r->err, ONESHOT_ERR);
	return MIN(ret, 0);
}

static int attend(struct run *r)
{
	int ret = 0;

	while (!ret && !r->ended)
		ret = serve(r);
	return ret ? ret : drain(r);
}

/* ---- All of it ------------------------------------------------------------- */

static int failed(const struct run *r, const struct failure *f, int ret)
{
	const char *what = f->cwd ? r->job.cwd : r->job.argv[0];

	if (ret < 0)
		return send_end(r, ONESHOT_FAILED, "the command cannot be run",
				strerror(-ret));
	return send_end(r,
			ret == ENOENT && !f->cwd ? ONESHOT_NOT_FOUND
						 : ONESHOT_CANNOT,
			what, strerror(ret));
}

static int command(struct run *r, void (*done)(const struct oneshot_job *job))
{
	struct failure f = { 0 };
	int ret = start(r, &f);

	if (ret)
		return failed(r, &f, ret);
	feed_input(r);
	ret = attend(r);
	if (ret)
		return ret;
	if (done)
		done(&r->job);
	return send_end(r,
			WIFEXITED(r->status) ? WEXITSTATUS(r->status)
					     : 128 + WTERMSIG(r->status),
			NULL, NULL);
}

int oneshot_run(int fd, const char *(*ready)(const struct oneshot_job *job),
		void (*done)(const struct oneshot_job *job))
{
	struct run r = { .fd = fd, .in = -1, .out = -1, .err = -1 };
	const char *wrong = NULL;
	sigset_t child;
	int ret;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	signal(SIGPIPE, SIG_IGN);
	r.children = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r.children < 0)
		return -errno;
	r.parser = (struct oneshot_parser){ .types = "JI",
					    .piece = on_piece,
					    .arg = &r };
	ret = fd_write_all(fd, ONESHOT_MAGIC, ONESHOT_MAGIC_SIZE);
	while (!ret && !r.job.argv)
		ret = hear(&r);
	if (!ret && ready)
		wrong = ready(&r.job);
	if (wrong)
		ret = send_end(&r, ONESHOT_FAILED, wrong, "");
	else if (!ret)
		ret = command(&r, done);
	fd_close(&r.in);
	fd_close(&r.out);
	fd_close(&r.err);
	fd_close(&r.children);
	oneshot_parser_fini(&r.parser);
	if (r.job.argv)
		oneshot_job_free(&r.job);
	return ret;
}
