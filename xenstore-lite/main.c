// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/main.c - sv-xenstored: options, sockets, the loop.
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/domsock.h"
#include "base/fd.h"
#include "base/jail.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/sock.h"
#include "xenstore-lite/batch.h"
#include "xenstore-lite/conn.h"
#include "xenstore-lite/dispatch.h"
#include "xenstore-lite/domain.h"
#include "xenstore-lite/hash.h"
#include "xenstore-lite/ledger.h"
#include "xenstore-lite/state.h"
#include "xenstore-lite/trace.h"

static const char usage[] =
	"usage: sv-xenstored [--socket PATH] [--ready-fd N] [--keep] "
	"[--trace]\n"
	"                    [--no-sandbox] [--foreground]\n"
	"\n"
	"Serve xenstore to libxenstore programs and to guests.\n"
	"\n"
	"  --socket PATH   listen there instead of $XENSTORED_PATH\n"
	"  --ready-fd N    write one byte to descriptor N when serving, close it\n"
	"  --keep          start another store when this one is killed\n"
	"  --trace         keep an access log, SOCKET.access.log\n"
	"  --no-sandbox    keep all rights\n"
	"  --foreground    do not detach (it never does)\n";

/* How long all may wait for one VMM that does not answer. */
#define ANSWER_MS 2000

struct options {
	const char *socket;
	int ready_fd;
	bool keep, no_sandbox;
};

static bool stopping;

static void parse_options(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "ready-fd", required_argument, NULL, 'r' },
		{ "keep", no_argument, NULL, 'k' },
		{ "trace", no_argument, NULL, 't' },
		{ "no-sandbox", no_argument, NULL, 'n' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t fd;
	int c;

	*o = (struct options){ .ready_fd = -1 };
	while ((c = getopt_long(argc, argv, "h", names, NULL)) != -1) {
		if (c == 's') {
			o->socket = optarg;
		} else if (c == 'r') {
			if (util_u64(optarg, 65535, &fd))
				die("--ready-fd %s: not a descriptor number",
				    optarg);
			o->ready_fd = (int)fd;
		} else if (c == 'k') {
			o->keep = true;
		} else if (c == 'n') {
			o->no_sandbox = true;
		} else if (c == 't') {
			trace_all = true;
		} else if (c == 'h') {
			fputs(usage, stdout);
			exit(0);
		} else if (c != 'f') {
			die("try sv-xenstored --help");
		}
	}
	if (optind < argc)
		die("unexpected argument %s; try --help", argv[optind]);
}

/* ---- A parent that has nothing to lose ---------------------------------- */

#define KEEPER	      "sv-storekeeper"
#define SHORT_LIFE_NS UINT64_C(1000000000)

static volatile sig_atomic_t child, told;

/* Blocked while there is no child. */
static void pass_on(int sig)
{
	int err = errno;

	told = 1;
	kill(child, sig);
	errno = err;
}

/* Return: the signal that ended it; with its status this process ends, too. */
static int wait_for(pid_t pid)
{
	uint64_t since = util_clock_ns();
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die("cannot wait for the store: %s", strerror(errno));
	if (WIFEXITED(status) || told)
		exit(WIFEXITED(status) ? WEXITSTATUS(status) : 0);
	/* What ends at once, for a reason that remains, is in no hurry. */
	if (util_clock_ns() - since < SHORT_LIFE_NS)
		usleep(100000);
	return WTERMSIG(status);
}

/* Returns in a child; when that is killed, in another one. */
static void keep_one(int *ready_fd)
{
	struct sigaction pass = { .sa_handler = pass_on };
	sigset_t ends;

	prctl(PR_SET_NAME, KEEPER);
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigaction(SIGTERM, &pass, NULL);
	sigaction(SIGINT, &pass, NULL);
	for (;;) {
		sigprocmask(SIG_BLOCK, &ends, NULL);
		child = fork();
		if (child < 0)
			die("cannot start the store: %s", strerror(errno));
		if (!child)
			break;
		sigprocmask(SIG_UNBLOCK, &ends, NULL);
		fd_close(ready_fd);
		log_warn("ended by signal %d; another one goes on",
			 wait_for(child));
	}
	prctl(PR_SET_NAME, "sv-xenstored");
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &ends, NULL);
}

static int listen_at(const char *path)
{
	char *copy = strdup(path);
	int ret;

	if (!copy)
		die("out of memory");
	ret = paths_mkdir(dirname(copy));
	free(copy);
	if (!ret)
		ret = sock_listen(path, SOCK_STREAM);
	if (ret == -EADDRINUSE)
		die("%s: another store serves there; stop it, or choose "
		    "another XENSTORED_PATH",
		    path);
	if (ret < 0)
		die("%s: cannot listen: %s", path, strerror(-ret));
	return ret;
}

static struct event *accept_ev, *retry_ev;

/* Short of descriptors: whoever waits is served when some may be free again. */
static void accept_later(void)
{
	const struct timeval pause = { .tv_sec = 1 };

	if (event_del(accept_ev) || event_add(retry_ev, &pause))
		log_err("no clients are accepted any more");
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (event_add(accept_ev, NULL))
		log_err("no clients are accepted any more");
}

/* SYSCALLS: accept4 */
static void on_connect(evutil_socket_t fd, short what, void *arg)
{
	static struct log_limit limit;
	int client;

	(void)what;
	(void)arg;
	client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (client < 0) {
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return;
		log_limited(&limit, LOG_LVL_WARN, "cannot accept a client: %m");
		accept_later();
		return;
	}
	if (!sock_peer_trusted(client)) {
		log_limited(&limit, LOG_LVL_WARN,
			    "refused a client of another user");
		fd_close(&client);
		return;
	}
	if (conn_new_socket(client))
		log_limited(&limit, LOG_LVL_WARN, "no memory for a client");
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)what;
	(void)arg;
	log_info("signal %d: stopping", (int)sig);
	stopping = true;
}

/* The nodes that Xen's store has when it starts. */
static void make_nodes(struct tree *t)
{
	struct perms *priv = perm_default(0);

	if (!priv || tree_create(t, "/tool/xenstored", priv, NULL))
		die("out of memory");
	perm_put(priv);
}

/* Go on where another store was killed, or begin. */
static void find_state(const char *socket, struct tree *live)
{
	static char path[PATH_MAX];
	int ret;

	if (snprintf(path, sizeof(path), "%s.journal", socket) >= PATH_MAX)
		die("%s: too long; choose another XENSTORED_PATH", socket);
	ret = state_load(path, live);
	if (ret < 0)
		die("journal %s: cannot be used: %s; remove it to begin with "
		    "an empty store",
		    path, strerror(-ret));
	if (!ret)
		make_nodes(live);
	state_keep(path);
}

/*
 * Nothing is left but the directory of the socket, with the journal, and the domains'
 * sockets.  A store that is to go on as another program is started by the keeper,
 * which is outside.
 */
static void enter_jail(const char *socket)
{
	char at[PATH_MAX], domains[PATH_MAX];
	struct jail_dir dirs[] = { { .path = at },
				   { .path = domains, .keep_out = true } };
	struct jail j = { .dirs = dirs,
			  .ndirs = ARRAY_SIZE(dirs),
			  .calls = jail_calls,
			  .ncalls = jail_ncalls };
	int ret;

	snprintf(at, sizeof(at), "%s", socket);
	dirs[0].path = dirname(at);
	snprintf(domains, sizeof(domains), "%s/dom", paths_run());
	log_hold();
	ret = paths_mkdir(domains);
	if (ret) {
		log_warn("%s: %s; no domain can be served", domains,
			 strerror(-ret));
		j.ndirs = 1;
	}
	ret = jail_enter(&j);
	if (ret)
		die("cannot give up what it does not need: %s; --no-sandbox "
		    "does without",
		    strerror(-ret));
}

/*
 * What the loop and the C library ask for.
 *
 * Without memory, malloc() tries otherwise; to sort much, qsort() asks how much
 * there is.
 *
 * SYSCALLS: epoll_wait/epoll_pwait2 epoll_ctl rt_sigaction rt_sigreturn
 * SYSCALLS: brk mmap munmap mremap exit_group
 * SYSCALLS, at times: clock_gettime gettimeofday restart_syscall
 * SYSCALLS, at times: madvise mprotect sched_getaffinity sysinfo
 */
static void serve(struct event_base *base)
{
	while (!stopping) {
		if (event_base_loop(
			    base, conn_pending() ? EVLOOP_ONCE | EVLOOP_NONBLOCK
						 : EVLOOP_ONCE) < 0)
			die("the event loop failed: %s", strerror(errno));
		conn_run();
		trace_flush();
	}
}

static void find_trace(const char *socket)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s.access.log", socket);
	trace_setup(path);
}

int main(int argc, char **argv)
{
	struct event *term, *intr;
	struct event_base *base;
	struct options opt;
	struct tree live;
	int fd;

	log_init("xenstored", LOG_LVL_INFO);
	parse_options(argc, argv, &opt);
	paths_init();
	log_set_cap(LOG_CAP);
	if (opt.keep)
		keep_one(&opt.ready_fd);
	fd_raise_limit();
	if (!opt.socket)
		opt.socket = paths_store();
	signal(SIGPIPE, SIG_IGN);
	hash_seed();
	if (tree_init(&live))
		die("out of memory");

	base = event_base_new();
	if (!base)
		die("cannot make an event loop: %s", strerror(errno));
	conn_setup(base);
	dispatch_setup(&live);
	domain_setup(base, &live);
	dom_set_timeout(ANSWER_MS);
	fd = listen_at(opt.socket);
	find_trace(opt.socket);
	find_state(opt.socket, &live);
	accept_ev = event_new(base, fd, EV_READ | EV_PERSIST, on_connect, NULL);
	term = evsignal_new(base, SIGTERM, on_signal, NULL);
	intr = evsignal_new(base, SIGINT, on_signal, NULL);
	retry_ev = evtimer_new(base, on_retry, NULL);
	if (!accept_ev || !retry_ev || !term || !intr ||
	    event_add(accept_ev, NULL) || event_add(term, NULL) ||
	    event_add(intr, NULL))
		die("out of memory");
	if (!opt.no_sandbox)
		enter_jail(opt.socket);
	fd_ready(&opt.ready_fd);

	serve(base);

	unlink(opt.socket);
	ledger_stop();
	trace_stop();
	domain_free_all();
	event_free(accept_ev);
	event_free(retry_ev);
	event_free(term);
	event_free(intr);
	close(fd);
	tree_fini(&live);
	event_base_free(base);
	return 0;
}
