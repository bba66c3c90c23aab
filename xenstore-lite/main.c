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
#include <unistd.h>

#include "base/domsock.h"
#include "base/fd.h"
#include "base/jail.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/sock.h"
#include "base/storeuser.h"
#include "xenstore-lite/batch.h"
#include "xenstore-lite/conn.h"
#include "xenstore-lite/dispatch.h"
#include "xenstore-lite/domain.h"
#include "xenstore-lite/hash.h"
#include "xenstore-lite/keeper.h"
#include "xenstore-lite/ledger.h"
#include "xenstore-lite/place.h"
#include "xenstore-lite/state.h"
#include "xenstore-lite/trace.h"
#include "xenstore-lite/update.h"

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
	"  --trace         keep an access log, SOCKET.d/access.log\n"
	"  --no-sandbox    keep all rights\n"
	"  --foreground    do not detach (it never does)\n";

/* How long all may wait for one VMM that does not answer. */
#define ANSWER_MS 2000

/*
 * Not in the usage, as only stores and their keepers give them: --keeper (keeper.h),
 * --update and --check (update.h).
 *
 * @argv: Of a process that goes on for this one: the name, and what holds for that
 *        one, too; NULL ends.
 */
struct options {
	const char *socket;
	int ready_fd, keeper, update;
	bool keep, check, no_sandbox;
	char **argv;
};

static bool stopping;

static int fd_number(const char *option)
{
	uint64_t fd;

	if (util_u64(optarg, 65535, &fd))
		die("--%s %s: not a descriptor number", option, optarg);
	return (int)fd;
}

/* Return: whether it is for this process alone. */
static bool take_option(struct options *o, int c)
{
	if (c == 's')
		o->socket = optarg;
	else if (c == 'r')
		o->ready_fd = fd_number("ready-fd");
	else if (c == 'k')
		o->keep = true;
	else if (c == 't')
		trace_all = true;
	else if (c == 'n')
		o->no_sandbox = true;
	else if (c == 'K')
		o->keeper = fd_number("keeper");
	else if (c == 'U')
		o->update = fd_number("update");
	else if (c == 'C')
		o->check = true;
	else if (c == 'h') {
		fputs(usage, stdout);
		exit(0);
	} else if (c != 'f')
		die("try sv-xenstored --help");
	return strchr("rKUC", c) != NULL;
}

static void parse_options(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "ready-fd", required_argument, NULL, 'r' },
		{ "keep", no_argument, NULL, 'k' },
		{ "trace", no_argument, NULL, 't' },
		{ "no-sandbox", no_argument, NULL, 'n' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "keeper", required_argument, NULL, 'K' },
		{ "update", required_argument, NULL, 'U' },
		{ "check", no_argument, NULL, 'C' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static char name[] = "sv-xenstored";
	int c, at = 1, n = 1;

	*o = (struct options){ .ready_fd = -1, .keeper = -1, .update = -1 };
	o->argv = calloc((size_t)argc + 2, sizeof(*o->argv));
	if (!o->argv)
		die("out of memory");
	o->argv[0] = name;
	while ((c = getopt_long(argc, argv, "h", names, NULL)) != -1) {
		if (!take_option(o, c))
			while (at < optind)
				o->argv[n++] = argv[at++];
		at = optind;
	}
	if (optind < argc)
		die("unexpected argument %s; try --help", argv[optind]);
}

static const char *directory_of(const char *path)
{
	static char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", path);
	return dirname(copy);
}

static int listen_at(const char *path)
{
	int ret = paths_mkdir(directory_of(path));

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

static struct event *accept_ev, *retry_ev, *term, *intr;

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

/*
 * SYSCALLS: accept4 getsockopt
 * SYSCALLS, at times: geteuid
 */
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

static void on_keeper(void)
{
	log_info("the keeper was told to end: stopping");
	stopping = true;
}

static void catch_signals(struct event_base *base)
{
	term = evsignal_new(base, SIGTERM, on_signal, NULL);
	intr = evsignal_new(base, SIGINT, on_signal, NULL);
	if (!term || !intr || event_add(term, NULL) || event_add(intr, NULL))
		die("out of memory");
}

/* The nodes that Xen's store has when it starts. */
static void make_nodes(struct tree *t)
{
	struct perms *priv = perm_default(0);

	if (!priv || tree_create(t, "/tool/xenstored", priv, NULL))
		die("out of memory");
	perm_put(priv);
}

static const char *journal(void)
{
	static char path[PATH_MAX];

	return place_file(path, PLACE_JOURNAL);
}

static _Noreturn void bad_journal(const char *path, int err)
{
	die("journal %s: cannot be used: %s; remove it to begin with an empty "
	    "store",
	    path, strerror(err));
}

/* Have what the store before has besides; from then on this process is the store. */
static void take_over(const struct options *opt, const struct record_update *u)
{
	int ret = update_finish(opt->update, u);

	if (ret)
		die("live update: cannot go on: %s", strerror(-ret));
	keeper_take_over();
	log_info("live update: done");
}

/* Go on where another store was killed, or hands over, or begin. */
static void find_state(const struct options *opt, const struct record_update *u)
{
	const char *path = journal();
	int ret = state_load(path);

	if (ret < 0)
		bad_journal(path, -ret);
	if (opt->update >= 0)
		take_over(opt, u);
	else if (!ret)
		make_nodes(dispatch_live());
	if (ret)
		state_join(path);
	state_keep(path);
}

/* Whether this program could go on; nobody but the store that asks notices. */
static _Noreturn void check(const char *path, int update)
{
	int ret = state_try(path);

	if (ret < 0)
		bad_journal(path, -ret);
	if (ret == 0)
		die("journal %s: there is none", path);
	ret = state_take(update, -1);
	if (ret)
		die("the store's connections cannot be taken over: %s",
		    strerror(-ret));
	fputs(UPDATE_READY, stdout);
	_exit(fflush(stdout) ? 1 : 0);
}

static void accept_clients(struct event_base *base, int fd)
{
	accept_ev = event_new(base, fd, EV_READ | EV_PERSIST, on_connect, NULL);
	retry_ev = evtimer_new(base, on_retry, NULL);
	if (!accept_ev || !retry_ev || event_add(accept_ev, NULL))
		die("out of memory");
}

/* The directory of its own, and whose that is to be. */
static void find_place(const struct options *opt, struct sandbox_user *user)
{
	int ret;

	storeuser_find(user);
	ret = place_make(opt->socket, user);
	if (ret)
		die("%s: %s; it is to be a directory of user %u or %u, or not "
		    "to be there",
		    place_of(opt->socket), strerror(-ret), geteuid(),
		    user->uid);
	if (opt->update < 0)
		ret = place_adopt(opt->socket);
	if (ret)
		die("%s.journal: cannot be moved to %s: %s", opt->socket,
		    place_of(opt->socket), strerror(-ret));
}

/*
 * Nothing is left but the directory with the journal, and the domains' sockets.  A
 * store that is to go on as another program is started by the keeper, which is outside.
 */
static void enter_jail(const char *socket, const struct sandbox_user *user)
{
	char domains[PATH_MAX];
	struct jail_dir dirs[] = { { .path = place_of(socket), .own = true },
				   { .path = domains, .keep_out = true } };
	struct jail j = { .dirs = dirs,
			  .ndirs = ARRAY_SIZE(dirs),
			  .calls = jail_calls,
			  .ncalls = jail_ncalls };
	int ret;

	snprintf(domains, sizeof(domains), "%s/dom", paths_run());
	keeper_jail();
	log_hold(STDERR_FILENO);
	ret = paths_mkdir(domains);
	if (!ret)
		ret = storeuser_pass(domains, user);
	if (ret) {
		log_warn("%s: %s; no domain can be served", domains,
			 strerror(-ret));
		j.ndirs = 1;
	}
	if (user->uid != geteuid())
		j.user = user;
	else if (!user->uid)
		log_warn("root can become no other user here: the store keeps "
			 "its id");
	ret = jail_enter(&j);
	if (ret)
		die("cannot give up what it does not need: %s; --no-sandbox "
		    "does without",
		    strerror(-ret));
}

/*
 * Return: whether another process is the store now.
 *
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
static bool serve(struct event_base *base)
{
	while (!stopping) {
		if (event_base_loop(
			    base, conn_pending() ? EVLOOP_ONCE | EVLOOP_NONBLOCK
						 : EVLOOP_ONCE) < 0)
			die("the event loop failed: %s", strerror(errno));
		conn_run();
		trace_flush();
		if (update_poll())
			return true;
	}
	return false;
}

/*
 * What the program before this one says; the socket is where it was.  What that one
 * could have made up must not move the jail.
 */
static void go_on(struct options *opt, struct record_update *u)
{
	int ret = update_open(opt->update, u);

	if (ret)
		die("live update: what is handed over cannot be used: %s",
		    strerror(-ret));
	if (!opt->no_sandbox && strcmp(opt->socket, u->socket) != 0)
		die("live update: the store's socket is %s; its arguments "
		    "name %s",
		    u->socket, opt->socket);
	if (!opt->check &&
	    (fd_cloexec(opt->update, true) ||
	     fd_cloexec(opt->update + 1, true) || fd_cloexec(KEEPER_FD, true)))
		die("live update: a descriptor is missing");
	opt->socket = u->socket;
	opt->ready_fd = -1;
}

static void find_trace(void)
{
	static char path[PATH_MAX];

	trace_setup(place_file(path, PLACE_LOG));
}

/*
 * From the jail on all that is read could be somebody else's: a store that was taken
 * over by a guest leaves a journal, too, and what it hands over.
 *
 * Return: the listening socket.
 */
static int begin(struct event_base *base, struct options *opt)
{
	struct record_update given = { 0 };
	struct sandbox_user user;
	int fd = opt->update + 1;

	if (!opt->check)
		keeper_setup(base, opt->argv, opt->keep, on_keeper);
	if (opt->update < 0)
		fd = listen_at(opt->socket);
	else if (!opt->check)
		keeper_expect();
	ledger_setup();
	find_place(opt, &user);
	if (!opt->no_sandbox)
		enter_jail(opt->socket, &user);
	if (opt->update >= 0)
		go_on(opt, &given);
	if (opt->check)
		check(journal(), opt->update);
	find_trace();
	find_state(opt, &given);
	accept_clients(base, fd);
	fd_close(&opt->update);
	update_setup(base, opt->argv, opt->socket, fd);
	return fd;
}

static void end(struct event_base *base, int fd)
{
	ledger_stop();
	trace_stop();
	domain_free_all();
	event_free(accept_ev);
	event_free(retry_ev);
	event_free(term);
	event_free(intr);
	close(fd);
	tree_fini(dispatch_live());
	event_base_free(base);
}

int main(int argc, char **argv)
{
	struct event_base *base;
	struct options opt;
	struct tree live;
	int fd;

	prctl(PR_SET_NAME, "sv-xenstored");
	log_init("xenstored", LOG_LVL_INFO);
	parse_options(argc, argv, &opt);
	paths_init();
	log_set_cap(LOG_CAP);
	if (!opt.socket)
		opt.socket = paths_store();
	if (opt.keeper >= 0)
		keeper_run(opt.keeper, opt.argv, opt.keep,
			   opt.no_sandbox ? NULL : place_of(opt.socket));
	fd_raise_limit();
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
	catch_signals(base);
	fd = begin(base, &opt);
	fd_ready(&opt.ready_fd);

	/* In the sandbox it stays, and the next store takes its place. */
	if (!serve(base))
		unlink(opt.socket);
	end(base, fd);
	return 0;
}
