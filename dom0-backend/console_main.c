/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/console_main.c - sv-console: the consoles of all domains. */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/domsock.h"
#include "base/fd.h"
#include "base/jail.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/sandbox.h"
#include "dom0-backend/console.h"
#include "dom0-backend/console_xs.h"
#include "dom0-backend/ptmx.h"
#include "dom0-backend/xs_watch.h"

#define LOG_MAX_DEFAULT (16u << 20)
#define LOG_MAX_LEAST	(64u << 10)

struct options {
	int ready_fd;
	pid_t parent; /* 0: on its own */
	uint64_t log_max;
	bool replace_escape, no_sandbox;
	enum log_level level;
};

static uint64_t number(const char *name, const char *value, uint64_t least,
		       uint64_t most)
{
	uint64_t n;

	if (util_u64(value, most, &n) || n < least)
		die("--%s %s: not a number from %llu to %llu", name, value,
		    (unsigned long long)least, (unsigned long long)most);
	return n;
}

static void parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "ready-fd", required_argument, NULL, 'r' },
		{ "parent", required_argument, NULL, 'p' },
		{ "log-max", required_argument, NULL, 'm' },
		{ "replace-escape", no_argument, NULL, 'e' },
		{ "no-sandbox", no_argument, NULL, 's' },
		{ "verbose", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'r':
			o->ready_fd =
				(int)number("ready-fd", optarg, 0, INT_MAX);
			break;
		case 'p':
			o->parent = (pid_t)number("parent", optarg, 1, INT_MAX);
			break;
		case 'm':
			o->log_max = number("log-max", optarg, LOG_MAX_LEAST,
					    INT64_MAX);
			break;
		case 'e':
			o->replace_escape = true;
			break;
		case 's':
			o->no_sandbox = true;
			break;
		case 'v':
			o->level = LOG_LVL_DEBUG;
			break;
		default:
			die("%s: unknown option or no value; usage: sv-console "
			    "[--ready-fd FD] [--parent PID] [--log-max BYTES] "
			    "[--replace-escape] [--no-sandbox] [--verbose]",
			    argv[optind - 1]);
		}
	}
	if (optind < argc)
		die("%s: no such argument; see sv-console(8)", argv[optind]);
}

static const char *log_dir(void)
{
	static char dir[PATH_MAX];
	int ret = -ENAMETOOLONG;

	if (snprintf(dir, sizeof(dir), "%s/console", paths_log()) <
	    (int)sizeof(dir))
		ret = paths_mkdir(dir);
	if (ret)
		die("%s: cannot make this directory: %s; set "
		    "SPLITVISOR_LOG_DIR to a writable one",
		    dir, strerror(-ret));
	return dir;
}

static void on_term(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	event_base_loopbreak(arg);
}

static void on_hup(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	console_hub_reopen(arg);
}

static void on_signal(struct event_base *base, int sig, event_callback_fn fn,
		      void *arg)
{
	struct event *ev = evsignal_new(base, sig, fn, arg);

	if (!ev || event_add(ev, NULL))
		die("cannot watch for signal %d", sig);
}

static void on_ptmx(evutil_socket_t fd, short what, void *arg)
{
	struct console_hub *hub = arg;

	(void)what;
	if (!ptmx_gone(fd))
		return;
	log_err("the process that opens terminals has ended: this one ends, "
		"too");
	hub->ptmx = -1;
	event_base_loopbreak(hub->base);
}

static void open_terminals(struct console_hub *hub)
{
	struct event *ev;

	hub->ptmx = ptmx_start();
	if (hub->ptmx < 0)
		die("a process that opens terminals: %s", strerror(-hub->ptmx));
	ev = event_new(hub->base, hub->ptmx, EV_READ | EV_PERSIST, on_ptmx,
		       hub);
	if (!ev || event_add(ev, NULL))
		die("out of memory");
}

/*
 * What is left: the sockets of the store and of domains, the logs, and the names of
 * terminals, none of which can be opened.
 */
static int give_up_rights(const struct console_hub *hub)
{
	char store[PATH_MAX], doms[PATH_MAX];
	struct jail_dir dirs[] = {
		{ .keep_out = true },
		{ .path = doms, .keep_out = true },
		{ .path = hub->conf.dir },
		{ .path = "/dev/pts", .keep_out = true },
	};
	const struct jail j = { .dirs = dirs,
				.ndirs = ARRAY_SIZE(dirs),
				.calls = jail_calls,
				.ncalls = jail_ncalls };
	int ret;

	snprintf(store, sizeof(store), "%s", paths_store());
	dirs[0].path = dirname(store);
	/* There may have been no domain yet. */
	snprintf(doms, sizeof(doms), "%s/dom", paths_run());
	ret = paths_mkdir(doms);
	if (ret)
		return ret;
#ifdef SV_SANITIZED
	/* What sanitizers ask for, with threads, is on no list. */
	return sandbox_enter();
#endif
	log_hold(STDERR_FILENO);
	return jail_enter(&j);
}

/*
 * What the loop and the libraries ask for.
 *
 * SYSCALLS: epoll_ctl epoll_wait/epoll_pwait2 rt_sigaction rt_sigreturn mmap munmap
 * SYSCALLS: exit_group
 * SYSCALLS, at times: clock_gettime gettimeofday restart_syscall brk mremap
 * SYSCALLS, at times: madvise mprotect sched_getaffinity sysinfo getrandom
 * SYSCALLS, at times: futex rt_sigprocmask sched_yield gettid getpid tgkill
 * SYSCALLS, refused: access/faccessat/faccessat2 readlink/readlinkat
 */
int main(int argc, char **argv)
{
	struct options o = { .ready_fd = -1,
			     .log_max = LOG_MAX_DEFAULT,
			     .level = LOG_LVL_INFO };
	struct console_hub hub = { .ptmx = -1 };
	struct console_xs xs;
	struct store *store;
	int ret;

	log_init("console", o.level);
	parse(argc, argv, &o);
	log_init("console", o.level);
	/* The next sv-backend starts another. */
	ret = o.parent ? sandbox_end_with(o.parent) : 0;
	if (ret)
		die("--parent %d: cannot end with it: %s", (int)o.parent,
		    strerror(-ret));
	paths_init();
	log_set_cap(LOG_CAP);
	fd_raise_limit();
	dom_set_timeout(DOM_ANSWER_MS);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a limit on file size is a full disk */

	hub.base = event_base_new();
	if (!hub.base)
		die("cannot make an event loop");
	hub.conf.dir = log_dir();
	hub.conf.max = o.log_max;
	hub.conf.replace_escape = o.replace_escape;
	if (!o.no_sandbox)
		open_terminals(&hub);
	ret = console_hub_init(&hub);
	if (ret)
		die("inotify: %s", strerror(-ret));
	/* Sockets, terminals and log files belong to the user that runs this. */
	ret = o.no_sandbox ? sandbox_enter() : give_up_rights(&hub);
	if (ret)
		die("cannot give up what it does not need: %s; --no-sandbox "
		    "does without",
		    strerror(-ret));
	ret = store_new(&store, hub.base);
	if (ret)
		die("%s: the store does not answer: %s; is sv-xenstored "
		    "running?",
		    paths_store(), strerror(-ret));
	ret = console_xs_init(&xs, &hub, store);
	if (ret)
		die("cannot watch for domains: %s", strerror(-ret));
	on_signal(hub.base, SIGTERM, on_term, hub.base);
	on_signal(hub.base, SIGINT, on_term, hub.base);
	on_signal(hub.base, SIGHUP, on_hup, &hub);
	fd_ready(&o.ready_fd);

	event_base_dispatch(hub.base);

	console_xs_fini(&xs);
	console_hub_fini(&hub);
	store_free(store);
	return !o.no_sandbox && hub.ptmx < 0;
}
