// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/keeper.c - a process that becomes the next store.
#include "xenstore-lite/keeper.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/sock.h"

#define NAME	      "sv-storekeeper"
#define SPARE	      "sv-storespare"
#define PROGRAM	      "sv-xenstored"
#define SELF	      "/proc/self/exe"
#define SHORT_LIFE_NS UINT64_C(1000000000)
#define WORDS	      64 /* of a program's arguments */

enum kind {
	/* From the store. */
	BYE,  /* it ends in order, or another program goes on */
	TRY,  /* a program, with @text; memory and output */
	TAKE, /* descriptors for the next program, after @n others */
	GO,   /* which is this, with @text; both ends of its socket */
	END,  /* no more of the program that runs */
	/* To the store. */
	STOP, /* the keeper was told to end */
	/* By the next program's socket. */
	FAILED, /* it cannot be executed; @n is -errno */
	HERE,	/* it has all */
};

/* @text: @n strings, each with its NUL. */
struct word {
	uint32_t kind;
	int32_t n;
	char text[4096];
};

static int say(int fd, enum kind kind, int n, const int *fds, size_t nfds)
{
	const struct word w = { .kind = kind, .n = n };

	return sock_send_fds(fd, &w, sizeof(w), fds, nfds);
}

static int say_words(int fd, enum kind kind, char *const *argv, const int *fds,
		     size_t nfds)
{
	struct word w = { .kind = kind };
	size_t at = 0;

	for (; argv[w.n]; w.n++) {
		size_t size = strlen(argv[w.n]) + 1;

		if (at + size > sizeof(w.text) || w.n == WORDS)
			return -E2BIG;
		memcpy(w.text + at, argv[w.n], size);
		at += size;
	}
	return sock_send_fds(fd, &w, sizeof(w), fds, nfds);
}

/* ---- The store's side --------------------------------------------------- */

static struct {
	struct event_base *base;
	char *const *argv;
	bool keep, jailed;
	void (*stop)(void);
	int fd;
	struct event *ev, *again;
} keeper = { .fd = -1 };

/* This process ends in order. */
static void leave(void)
{
	if (keeper.fd >= 0 && say(keeper.fd, BYE, 0, NULL, 0))
		log_warn("cannot tell the keeper to end");
	fd_close(&keeper.fd);
}

static void forget(void)
{
	if (keeper.ev)
		event_free(keeper.ev);
	keeper.ev = NULL;
	fd_close(&keeper.fd);
}

/* What has happened to it is told already. */
static void replace(void)
{
	const struct timeval pause = { .tv_sec = 1 };

	forget();
	if (keeper.jailed)
		log_warn("none can be started in the sandbox: nobody follows "
			 "this store if it is killed, and no live update is "
			 "possible");
	else if (keeper.keep && event_add(keeper.again, &pause))
		log_err("no other keeper is started");
}

static void on_word(evutil_socket_t fd, short what, void *arg)
{
	int fds[SOCK_MAX_FDS];
	struct word w;
	size_t n;

	(void)what;
	(void)arg;
	if (!sock_recv_fds(fd, &w, sizeof(w), fds, &n)) {
		if (w.kind == STOP)
			keeper.stop();
		return;
	}
	log_warn("the keeper was killed, and its spare");
	replace();
}

static int spawn(char **argv, int fd)
{
	posix_spawn_file_actions_t acts;
	extern char **environ;
	pid_t pid;
	int ret;

	ret = posix_spawn_file_actions_init(&acts);
	if (ret)
		return -ret;
	ret = posix_spawn_file_actions_adddup2(&acts, fd, KEEPER_FD);
	if (!ret)
		ret = posix_spawn(&pid, SELF, &acts, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&acts);
	return -ret;
}

/* What argv is for the keeper, *owned*. */
static char **keeper_argv(void)
{
	static char name[] = NAME, option[] = "--keeper", fd[] = "3";
	char *const first[] = { name, option, fd };
	char **argv;
	size_t n = 1;

	while (keeper.argv[n])
		n++;
	argv = calloc(ARRAY_SIZE(first) + n, sizeof(*argv));
	if (!argv)
		return NULL;
	memcpy(argv, first, sizeof(first));
	memcpy(argv + ARRAY_SIZE(first), keeper.argv + 1,
	       (n - 1) * sizeof(*argv));
	return argv;
}

static int begin(void)
{
	const struct timeval limit = { .tv_sec = KEEPER_WAIT_S };
	char **argv = keeper.jailed ? NULL : keeper_argv();
	int pair[2], ret;

	if (!argv)
		return keeper.jailed ? -ECHILD : -ENOMEM;
	ret = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)
		      ? -errno
		      : 0;
	if (ret)
		goto free;
	keeper.fd = pair[0];
	ret = setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit,
			 sizeof(limit))
		      ? -errno
		      : spawn(argv, pair[1]);
	close(pair[1]);
	if (!ret)
		keeper.ev = event_new(keeper.base, pair[0],
				      EV_READ | EV_PERSIST, on_word, NULL);
	if (!ret && (!keeper.ev || event_add(keeper.ev, NULL)))
		ret = -ENOMEM;
	if (ret)
		forget();
free:
	free(argv);
	return ret;
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	int ret = keeper.fd < 0 ? begin() : 0;

	(void)fd;
	(void)what;
	(void)arg;
	if (!ret)
		return;
	log_warn("cannot start a keeper: %s; tried again", strerror(-ret));
	replace();
}

void keeper_setup(struct event_base *base, char *const *argv, bool keep,
		  void (*stop)(void))
{
	keeper.base = base;
	keeper.argv = argv;
	keeper.keep = keep;
	keeper.stop = stop;
	keeper.again = evtimer_new(base, on_again, NULL);
	if (!keeper.again || atexit(leave))
		die("out of memory");
	/* Nobody waits for a keeper that has ended. */
	signal(SIGCHLD, SIG_IGN);
	if (keep)
		on_again(-1, 0, NULL);
}

void keeper_jail(void)
{
	keeper.jailed = true;
}

int keeper_try(char *const *argv, int memory, int out)
{
	const int fds[] = { memory, out };
	int ret = keeper.fd < 0 ? begin() : 0;

	return ret ? ret : say_words(keeper.fd, TRY, argv, fds, 2);
}

void keeper_try_end(void)
{
	if (keeper.fd >= 0 && say(keeper.fd, END, 0, NULL, 0))
		log_warn("cannot tell the keeper to end a program");
}

/* @ends: the next program's socket. */
static int send_all(char *const *argv, const int *ends, const int *fds,
		    size_t n)
{
	int ret = keeper.fd < 0 ? begin() : 0;
	size_t part;

	for (size_t at = 0; !ret && at < n; at += part) {
		part = MIN(n - at, (size_t)SOCK_MAX_FDS);
		ret = say(keeper.fd, TAKE, (int)at, fds + at, part);
	}
	return ret ? ret : say_words(keeper.fd, GO, argv, ends, 2);
}

/*
 * Return: 0 if the next program is there.  What it says stays in the queue: if this
 * process ends now, the keeper finds it there.
 */
static int wait_for_next(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t end = util_clock_ns() + KEEPER_WAIT_S * UINT64_C(1000000000);
	struct word w;
	uint64_t now;

	do {
		now = util_clock_ns();
		if (now >= end)
			return -ETIMEDOUT;
	} while (poll(&p, 1, (int)((end - now) / 1000000 + 1)) <= 0);
	if (recv(fd, &w, sizeof(w), MSG_PEEK) != sizeof(w))
		return -EPIPE;
	return w.kind == HERE ? 0 : w.kind == FAILED ? w.n : -EPROTO;
}

/* SYSCALLS, at times: socketpair */
bool keeper_hand_over(char *const *argv, const int *fds, size_t n, char *why,
		      size_t size)
{
	int ends[2];
	int ret = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)
			  ? -errno
			  : 0;

	if (!ret) {
		ret = send_all(argv, ends, fds, n);
		close(ends[1]);
		if (!ret)
			ret = wait_for_next(ends[0]);
		close(ends[0]);
	}
	if (!ret)
		return true;
	if (ret == -EPIPE)
		snprintf(why, size, "it ended while it started");
	else if (ret == -ETIMEDOUT)
		snprintf(why, size, "it was not ready within %d s",
			 KEEPER_WAIT_S);
	else
		snprintf(why, size, "%s", strerror(-ret));
	keeper_try_end();
	return false;
}

/* ---- The keeper's ------------------------------------------------------- */

static int store_fd = KEEPER_FD; /* until it has taken over */
static volatile sig_atomic_t told;
static pid_t program; /* that it runs: one on trial, or the next store */
static int next = -1; /* the store's end of the next one's socket */
static char *const *own_argv;
static const char *jailed_in;
static int first_taken = -1, ntaken;
static pid_t spare;
static int lifeline = -1; /* to the spare */

static void hold_signals(bool on)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(on ? SIG_BLOCK : SIG_UNBLOCK, &ends, NULL);
}

static void pass_on(int sig)
{
	static const struct word w = { .kind = STOP };
	int err = errno;

	(void)sig;
	told = 1;
	(void)!send(store_fd, &w, sizeof(w), MSG_NOSIGNAL | MSG_DONTWAIT);
	errno = err;
}

static void on_ends(void (*handler)(int))
{
	struct sigaction sa = { .sa_handler = handler };

	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
}

/* The process at the other end. */
static int open_store(void)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(store_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		die("cannot tell which store this is: %s", strerror(errno));
	return pidfd_open(peer.pid, 0);
}

/* Its descriptors close before it has ended; its socket is free only then. */
static void wait_for_end(int process)
{
	struct pollfd p = { .fd = process, .events = POLLIN };

	while (p.fd >= 0 && poll(&p, 1, -1) < 0 && errno == EINTR)
		;
}

static void end_program(void)
{
	if (program > 0) {
		kill(program, SIGKILL);
		waitpid(program, NULL, 0);
	}
	program = 0;
	fd_close(&next);
}

/* Return: arguments, the last two of them @option and @number if not NULL. */
static char **argv_of(const struct word *w, char *option, char *number)
{
	static char *argv[WORDS + 3];
	char *at;
	int n = 0;

	memcpy(&at, &(const char *){ w->text }, sizeof(at));
	for (; n < MIN(w->n, WORDS) && at < w->text + sizeof(w->text);
	     at += strlen(at) + 1)
		argv[n++] = at;
	argv[n] = option;
	argv[n + 1] = number;
	argv[n + 2] = NULL;
	return argv;
}

static bool is_own(const char *word)
{
	for (char *const *own = own_argv; *own; own++) {
		if (!strcmp(*own, word))
			return true;
	}
	return false;
}

/*
 * Return: why a store in a sandbox may not have that; NULL if it may.  Then the
 * program is named by a path on which that store can change nothing.
 */
static const char *refusal(char **argv)
{
	static const char *const more[] = { "--trace", "--update", "--check" };
	static char real[PATH_MAX];
	char out[PATH_MAX];
	const char *name;
	struct stat st;
	uint64_t n;

	if (!jailed_in)
		return NULL;
	if (!argv[0] || !realpath(argv[0], real))
		return strerror(argv[0] ? errno : EINVAL);
	name = strrchr(real, '/') + 1;
	if (strcmp(name, PROGRAM) != 0)
		return "in the sandbox a program must be named " PROGRAM;
	if (!realpath(jailed_in, out) ||
	    (!strncmp(real, out, strlen(out)) && real[strlen(out)] == '/'))
		return "it lies where the store itself can write";
	if (stat(real, &st) || (st.st_uid != 0 && st.st_uid != geteuid()))
		return "it is another user's, or not there";
	argv[0] = real;
	for (argv++; *argv; argv++) {
		bool known = is_own(*argv) || !util_u64(*argv, 65535, &n);

		for (size_t i = 0; i < ARRAY_SIZE(more); i++)
			known |= !strcmp(*argv, more[i]);
		if (!known)
			return "in the sandbox it can have no other arguments "
			       "than this store, and --trace";
	}
	return NULL;
}

static void try(const struct word *w, const int *fds)
{
	char **argv = argv_of(w, NULL, NULL);
	const char *why = refusal(argv);
	posix_spawn_file_actions_t acts;
	extern char **environ;
	int ret;

	end_program();
	if (why) {
		dprintf(fds[1], "%s\n", why);
		return;
	}
	if (posix_spawn_file_actions_init(&acts))
		return;
	ret = posix_spawn_file_actions_addopen(&acts, 0, "/dev/null", O_RDONLY,
					       0);
	for (int to = 1; !ret && to <= 2; to++)
		ret = posix_spawn_file_actions_adddup2(&acts, fds[1], to);
	if (!ret)
		ret = posix_spawn_file_actions_adddup2(&acts, fds[0],
						       KEEPER_FD);
	if (!ret)
		ret = posix_spawn(&program, argv[0], &acts, NULL, argv,
				  environ);
	posix_spawn_file_actions_destroy(&acts);
	if (ret)
		dprintf(fds[1], "%s\n", strerror(ret));
}

static void drop_taken(void)
{
	while (ntaken)
		close(first_taken + --ntaken);
}

/*
 * Nothing else is opened meanwhile, so each has the next number.  A spare may come in
 * the middle: what it does not have from the beginning it does not take.
 */
static void take(const struct word *w, const int *fds, size_t n)
{
	bool follows;

	if (!w->n) {
		end_program();
		drop_taken();
	}
	follows = w->n == ntaken;
	for (size_t i = 0; i < n; i++) {
		if (!follows) {
			close(fds[i]);
			continue;
		}
		if (!ntaken)
			first_taken = fds[i];
		if (fds[i] != first_taken + ntaken)
			die("a descriptor has another number than the next");
		ntaken++;
	}
}

/*
 * Be the next program, with @end of its socket.  The keeper's death is its own, until
 * it says that it is there.
 */
static _Noreturn void become(char **argv, int end, pid_t keeper_pid)
{
	int ret = 0;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != keeper_pid)
		_exit(1);
	hold_signals(true);
	for (int i = 0; !ret && i < ntaken; i++)
		ret = fd_cloexec(first_taken + i, false);
	if (!ret && dup2(end, KEEPER_FD) == KEEPER_FD)
		execv(argv[0], argv);
	(void)!say(end, FAILED, ret ? ret : -errno, NULL, 0);
	_exit(1);
}

static void go(const struct word *w, const int *ends)
{
	static char option[] = "--update";
	pid_t self = getpid();
	char **argv, number[16];
	int ret = 0;

	end_program();
	snprintf(number, sizeof(number), "%d", first_taken);
	argv = argv_of(w, option, number);
	if (!ntaken || refusal(argv)) {
		ret = -EPERM;
	} else {
		program = fork();
		if (!program)
			become(argv, ends[1], self);
		ret = program < 0 ? -errno : 0;
	}
	if (ret)
		(void)!say(ends[1], FAILED, ret, NULL, 0);
	else
		next = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
	drop_taken();
}

static void obey(const struct word *w, const int *fds, size_t n)
{
	if (w->kind == TAKE) {
		take(w, fds, n);
		return;
	}
	if (w->kind == TRY && n == 2)
		try(w, fds);
	else if (w->kind == END)
		end_program();
	else if (w->kind == GO && n == 2)
		go(w, fds);
	while (n)
		close(fds[--n]);
}

/* ---- Its spare ---------------------------------------------------------- */

/* Return: whether the keeper at the other end of @fd was killed. */
static bool outlive(int fd)
{
	char byte;
	ssize_t n;

	prctl(PR_SET_NAME, SPARE);
	do {
		n = read(fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	return n <= 0;
}

/*
 * Beside the keeper waits a child of it, to be the keeper when that is killed.  It has
 * the same end of the store's socket, so that the store does not even notice.
 *
 * Returns in the keeper, whichever process that is.
 */
static void have_spare(void)
{
	int ends[2];

	while (!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
		spare = fork();
		if (spare) {
			close(ends[1]);
			lifeline = ends[0];
			return;
		}
		close(ends[0]);
		fd_close(&next);
		program = 0;
		if (!outlive(ends[1]))
			_exit(0);
		close(ends[1]);
		prctl(PR_SET_NAME, NAME);
		log_warn("the keeper was killed; its spare goes on");
	}
	log_warn("the keeper has no spare: %s", strerror(errno));
}

static void lose_spare(void)
{
	fd_close(&lifeline);
	if (spare > 0)
		waitpid(spare, NULL, 0);
	spare = 0;
}

static void dismiss_spare(void)
{
	if (lifeline >= 0)
		(void)!send(lifeline, "", 1, MSG_NOSIGNAL);
	lose_spare();
}

/* ---- Its life ----------------------------------------------------------- */

/* Return: whether there is a word of the store; its end is none. */
static bool hear(struct word *w, int *fds, size_t *n)
{
	struct pollfd p[] = { { .fd = store_fd, .events = POLLIN },
			      { .fd = -1 } };

	for (;;) {
		/* Not now if that would take the next descriptor's number. */
		p[1].fd = ntaken ? -1 : lifeline;
		p[0].revents = p[1].revents = 0;
		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return false;
		if (p[0].revents)
			return !sock_recv_fds(store_fd, w, sizeof(*w), fds, n);
		if (p[1].revents) {
			lose_spare();
			have_spare();
		}
	}
}

/* The store has gone.  Return: whether the next one does not need another. */
static bool next_is_there(void)
{
	struct pollfd p = { .fd = next, .events = POLLIN };
	struct word w;

	return next >= 0 && poll(&p, 1, KEEPER_WAIT_S * 1000) > 0 &&
	       recv(next, &w, sizeof(w), MSG_DONTWAIT) == sizeof(w) &&
	       w.kind == HERE;
}

/* Return: whether nobody is to follow. */
static bool serve_store(void)
{
	int fds[SOCK_MAX_FDS];
	static struct word w;
	bool bye = false;
	size_t n;

	while (hear(&w, fds, &n)) {
		w.text[sizeof(w.text) - 1] = '\0';
		obey(&w, fds, n);
		bye |= w.kind == BYE;
	}
	if (next_is_there())
		return true;
	end_program();
	drop_taken();
	if (!bye)
		wait_for_end(open_store());
	return bye || told;
}

_Noreturn void keeper_run(int fd, char *const *argv, bool keep,
			  const char *jailed)
{
	uint64_t since = util_clock_ns();
	bool over;

	own_argv = argv;
	jailed_in = jailed;
	prctl(PR_SET_NAME, NAME);
	/* No more than these: those to come have the next numbers. */
	if (fd != KEEPER_FD || fd_cloexec(fd, true) ||
	    close_range(KEEPER_FD + 1, ~0u, 0))
		die("--keeper is not for people");
	signal(SIGCHLD, SIG_DFL);
	on_ends(pass_on);
	hold_signals(false);
	have_spare();
	over = serve_store() || !keep;
	/* What ends at once, for a reason that remains, is in no hurry. */
	if (!over && util_clock_ns() - since < SHORT_LIFE_NS)
		usleep(100000);
	dismiss_spare();
	if (over)
		exit(0);
	log_warn("the store was killed; another one goes on");
	on_ends(SIG_DFL);
	execv(SELF, argv);
	die("cannot start a store: %s", strerror(errno));
}

/* ---- The next program's ------------------------------------------------- */

static int before = -1; /* the process that is the store */

void keeper_expect(void)
{
	hold_signals(false);
	before = open_store();
	/* Its keeper, which has started this process, may end now. */
	if (prctl(PR_SET_PDEATHSIG, 0))
		die("cannot outlive its keeper: %s", strerror(errno));
}

void keeper_take_over(void)
{
	int fds[SOCK_MAX_FDS];
	struct word w;
	size_t n;

	if (say(store_fd, HERE, 0, NULL, 0))
		die("live update: nobody waits for it any more");
	while (!sock_recv_fds(store_fd, &w, sizeof(w), fds, &n))
		;
	wait_for_end(before);
	fd_close(&before);
	fd_close(&store_fd);
}
