// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/main.c - sv-backend: the parent of all device workers.
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/domsock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "dom0-backend/backends.h"
#include "dom0-backend/spawn.h"
#include "dom0-backend/vif_setup.h"
#include "dom0-backend/xs_watch.h"

#define CONSOLE	     "sv-console"
#define LOCK_TRIES   100
#define LOCK_WAIT_US 10000
#define KILL_AFTER   5 /* seconds that workers have to end by themselves */

static const char usage[] =
	"usage: sv-backend [--ready-fd N] [--no-console] [--no-sandbox]\n"
	"\n"
	"Serve the devices of all domains: one worker process for each.\n"
	"\n"
	"  --ready-fd N   write one byte to descriptor N when serving, close it\n"
	"  --no-console   do not start sv-console\n"
	"  --no-sandbox   workers and sv-console keep all but their capabilities\n";

struct parent {
	struct event_base *base;
	struct store *store;
	struct backends *backends;
	struct event *child_ev, *term_ev, *int_ev, *hup_ev;
	struct event *console_ev, *kill_ev;
	pid_t console;
	unsigned int console_fails;
	bool stopping;
	bool free; /* the children keep their rights */
};

struct options {
	int ready_fd;
	bool no_console, no_sandbox;
};

static void parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "ready-fd", required_argument, NULL, 'r' },
		{ "no-console", no_argument, NULL, 'c' },
		{ "no-sandbox", no_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t fd;
	int opt;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (opt == 'r') {
			if (util_u64(optarg, INT32_MAX, &fd))
				die("--ready-fd %s: not a descriptor number",
				    optarg);
			o->ready_fd = (int)fd;
		} else if (opt == 'c') {
			o->no_console = true;
		} else if (opt == 's') {
			o->no_sandbox = true;
		} else if (opt == 'h') {
			fputs(usage, stdout);
			exit(0);
		} else {
			die("try sv-backend --help");
		}
	}
	if (optind < argc)
		die("unexpected argument %s; try --help", argv[optind]);
}

static void start_console(evutil_socket_t fd, short what, void *arg)
{
	char name[] = CONSOLE, option[] = "--parent", pid[16];
	char no_sandbox[] = "--no-sandbox";
	struct parent *p = arg;
	char *argv[] = { name, option, pid, p->free ? no_sandbox : NULL, NULL };
	int ret;

	(void)fd;
	(void)what;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	ret = spawn(&p->console, CONSOLE, argv, NULL, 0);
	if (ret)
		log_err("cannot start %s: %s; guests have no console", CONSOLE,
			strerror(-ret));
}

static void console_ended(struct parent *p, int status)
{
	uint64_t ms = spawn_delay_ms(p->console_fails++);
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
			      .tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	p->console = 0;
	if (p->stopping)
		return;
	log_err("%s has ended (status 0x%x), starting it again", CONSOLE,
		(unsigned int)status);
	event_add(p->console_ev, &tv);
}

/* How many children there still are, after having sent @sig to each. */
static unsigned int signal_all(struct parent *p, int sig)
{
	unsigned int n = backends_stop(p->backends, sig);

	if (p->console > 0) {
		kill(p->console, sig);
		n++;
	}
	return n;
}

static void on_child(evutil_socket_t fd, short what, void *arg)
{
	struct parent *p = arg;
	int status;
	pid_t pid;

	(void)fd;
	(void)what;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == p->console)
			console_ended(p, status);
		else if (!backends_reaped(p->backends, pid, status))
			log_debug("reaped unknown process %d", (int)pid);
	}
	if (p->stopping && !signal_all(p, 0))
		event_base_loopbreak(p->base);
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval wait = { .tv_sec = KILL_AFTER };
	struct parent *p = arg;

	(void)fd;
	(void)what;
	if (p->stopping)
		return;
	p->stopping = true;
	event_del(p->console_ev);
	if (signal_all(p, SIGTERM))
		event_add(p->kill_ev, &wait);
	else
		event_base_loopbreak(p->base);
}

static void on_reload(evutil_socket_t fd, short what, void *arg)
{
	struct parent *p = arg;

	(void)fd;
	(void)what;
	if (!p->stopping)
		backends_reload(p->backends);
}

static void on_kill(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	signal_all(arg, SIGKILL);
}

static struct event *on_signal(struct parent *p, int sig, event_callback_fn fn)
{
	struct event *ev = evsignal_new(p->base, sig, fn, p);

	if (!ev || event_add(ev, NULL))
		die("cannot watch for signal %d", sig);
	return ev;
}

/*
 * A child of a parent that was killed holds its lock until it has become another
 * program, which takes it a moment.
 */
static int lock(int fd)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return 0;
		usleep(LOCK_WAIT_US);
	}
	return -EBUSY;
}

/*
 * Two parents would start two workers for each device.  The lock is on the run
 * directory itself, held till we end; the programs we start do not have it.
 */
static void be_the_only_one(void)
{
	int ret = paths_mkdir(paths_run());
	int fd = ret ? ret
		     : open(paths_run(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		die("%s: cannot open: %s; set SPLITVISOR_RUN_DIR to a usable "
		    "directory",
		    paths_run(), strerror(ret ? -ret : errno));
	if (lock(fd))
		die("%s: another sv-backend serves there: stop it, or choose "
		    "another SPLITVISOR_RUN_DIR",
		    paths_run());
}

static void set_up(struct parent *p)
{
	int ret;

	p->base = event_base_new();
	if (!p->base)
		die("cannot make an event loop");
	ret = store_new(&p->store, p->base);
	if (ret)
		die("store %s: %s; is sv-xenstored running?", paths_store(),
		    strerror(-ret));
	vif_sweep();
	p->child_ev = on_signal(p, SIGCHLD, on_child);
	p->term_ev = on_signal(p, SIGTERM, on_stop);
	p->int_ev = on_signal(p, SIGINT, on_stop);
	p->hup_ev = on_signal(p, SIGHUP, on_reload);
	p->console_ev = evtimer_new(p->base, start_console, p);
	p->kill_ev = evtimer_new(p->base, on_kill, p);
	if (!p->console_ev || !p->kill_ev)
		die("cannot make a timer: out of memory");
	ret = backends_new(&p->backends, p->base, p->store, p->free);
	if (ret)
		die("cannot watch for devices: %s", strerror(-ret));
}

static void tear_down(struct parent *p)
{
	backends_free(p->backends);
	vif_sweep(); /* of cards that a dead parent's workers have closed since */
	event_free(p->child_ev);
	event_free(p->term_ev);
	event_free(p->int_ev);
	event_free(p->hup_ev);
	event_free(p->console_ev);
	event_free(p->kill_ev);
	store_free(p->store);
	event_base_free(p->base);
}

int main(int argc, char **argv)
{
	struct options o = { .ready_fd = -1 };
	struct parent p = { 0 };

	log_init("backend", LOG_LVL_INFO);
	parse(argc, argv, &o);
	paths_init();
	log_set_cap(LOG_CAP);
	fd_raise_limit();
	dom_set_timeout(DOM_ANSWER_MS);
	signal(SIGPIPE, SIG_IGN);
	/* Who waits for it waits for its end, which no program of ours is to delay. */
	if (o.ready_fd >= 0 && fd_cloexec(o.ready_fd, true))
		die("--ready-fd %d: not an open descriptor", o.ready_fd);
	be_the_only_one();
	p.free = o.no_sandbox;
	set_up(&p);
	if (!o.no_console)
		start_console(-1, 0, &p);
	fd_ready(&o.ready_fd);
	event_base_dispatch(p.base);
	tear_down(&p);
	return 0;
}
