// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/usernet_main.c - sv-usernet: starts passt(1) and passes packets.
//
// usage: sv-usernet --domid N --devid N --wire FD --ready FD -- [OPTION OF PASST]...
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "dom0-backend/usernet.h"

#define START_MS 10000 /* for passt to be ready */
#define LOOK_MS	 20
#define ROOM	 (2 << 20) /* bytes on the way; net.core.wmem_max may be less */
#define MAX_ARGS 80

/**
 * struct start - Passt's, up to when it serves.
 * @link: Our end of the stream, and its.
 * @says: What it prints meanwhile.
 * @line: The last line of it, @at bytes so far.
 */
struct start {
	int link[2], says[2];
	pid_t pid;
	char line[160];
	size_t at;
	bool whole;
};

static int number(const char *name, const char *value)
{
	uint64_t v;

	if (util_u64(value, INT32_MAX, &v))
		die("%s %s: must be a number", name, value);
	return (int)v;
}

static void widen(int fd)
{
	int size = ROOM;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)))
		log_debug("a socket's room stays as it is");
}

/*
 * In the child.  It goes on in the background once it serves, then its first process
 * ends well; it ends with the stream.
 */
static _Noreturn void exec_passt(struct start *s, char *const *options)
{
	char fd[16], name[] = "passt", quiet[] = "-q", stream[] = "-F";
	char *argv[MAX_ARGS] = { name, quiet, stream, fd };
	size_t n = 4;
	int null = open("/dev/null", O_RDWR);

	while (*options && n < MAX_ARGS - 1)
		argv[n++] = *options++;
	snprintf(fd, sizeof(fd), "%d", s->link[1]);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(s->says[1], STDERR_FILENO);
	if (!*options && !fd_cloexec(s->link[1], false))
		execvp(name, argv);
	dprintf(STDERR_FILENO,
		"it cannot be started: %s: install it (Debian's package passt)",
		strerror(*options ? E2BIG : errno));
	_exit(127);
}

/* The last line counts that has to do with it: without a system log it says so. */
static void listen_to(struct start *s)
{
	char c;

	while (read(s->says[0], &c, 1) == 1) {
		if (c == '\n') {
			s->whole = s->at &&
				   strncmp(s->line, "Failed to send ", 15) != 0;
			if (!s->whole)
				s->at = 0;
			continue;
		}
		if (s->whole)
			s->at = 0;
		s->whole = false;
		if (s->at < sizeof(s->line) - 1)
			s->line[s->at++] = c;
		s->line[s->at] = '\0';
	}
}

/* Whether passt serves; else @s->line says why not. */
static bool wait_for(struct start *s)
{
	uint64_t end = util_clock_ns() + START_MS * UINT64_C(1000000);
	struct pollfd p = { .fd = s->says[0], .events = POLLIN };
	int status = 0;
	pid_t pid;

	while (!(pid = waitpid(s->pid, &status, WNOHANG)) &&
	       util_clock_ns() < end) {
		if (poll(&p, 1, LOOK_MS) > 0)
			listen_to(s);
		if (p.revents & POLLHUP)
			p.fd = -1;
	}
	if (!pid) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, &status, 0);
		snprintf(s->line, sizeof(s->line), "it is not ready in %d s",
			 START_MS / 1000);
		return false;
	}
	listen_to(s);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return true;
	if (!s->line[0])
		snprintf(s->line, sizeof(s->line), "it ended with status %#x",
			 (unsigned int)status);
	return false;
}

static bool start(struct start *s, char *const *options)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s->link) ||
	    pipe2(s->says, O_CLOEXEC | O_NONBLOCK))
		die("sockets for passt: %s", strerror(errno));
	widen(s->link[0]);
	widen(s->link[1]);
	s->pid = fork();
	if (s->pid < 0)
		die("a process for passt: %s", strerror(errno));
	if (!s->pid)
		exec_passt(s, options);
	fd_close(&s->link[1]);
	fd_close(&s->says[1]);
	return wait_for(s);
}

/* Our own options; the rest are passt's. */
struct options {
	int domid, devid, wire, ready;
};

static int *find(struct options *o, const char *name)
{
	if (!strcmp(name, "--domid"))
		return &o->domid;
	if (!strcmp(name, "--devid"))
		return &o->devid;
	if (!strcmp(name, "--wire"))
		return &o->wire;
	return strcmp(name, "--ready") != 0 ? NULL : &o->ready;
}

/* Return: how many of @argv are ours. */
static int parse(int argc, char **argv, struct options *o)
{
	static char who[64]; /* kept by the log */
	int i;

	for (i = 1; i + 1 < argc && strcmp(argv[i], "--") != 0; i += 2) {
		int *at = find(o, argv[i]);

		if (at)
			*at = number(argv[i], argv[i + 1]);
		else
			die("%s: unknown option; see sv-backend(8)", argv[i]);
	}
	if (i >= argc || fd_cloexec(o->wire, true) ||
	    fd_cloexec(o->ready, true))
		die("run by sv-backend only");
	snprintf(who, sizeof(who), "usernet dom%d/vif%d", o->domid, o->devid);
	log_init(who, LOG_LVL_INFO);
	return i + 1;
}

int main(int argc, char **argv)
{
	struct start s = { .at = 0 };
	struct options o = { .wire = -1, .ready = -1 };
	int used, ret;
	bool serves;

	log_init("usernet", LOG_LVL_INFO);
	used = parse(argc, argv, &o);
	serves = start(&s, argv + used);
	if (serves)
		s.line[0] = '\0';
	if (fd_write_all(o.ready, s.line, strlen(s.line) + 1))
		log_warn("cannot tell sv-backend: %s", strerror(errno));
	fd_close(&o.ready);
	fd_close(&s.says[0]);
	if (!serves)
		return 1;
	ret = sandbox_enter();
	if (ret)
		die("cannot drop privileges: %s", strerror(-ret));
	widen(o.wire);
	if (fcntl(s.link[0], F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(o.wire, F_SETFL, O_NONBLOCK) < 0)
		die("the sockets: %s", strerror(errno));
	ret = usernet_serve(o.wire, s.link[0]);
	if (ret == -EPIPE)
		log_warn("passt has ended; another is started, connections "
			 "through it are lost");
	else if (ret)
		log_err("packets are passed no more: %s", strerror(-ret));
	return ret ? 1 : 0;
}
