// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_migrate.c - xl migrate, xl migrate-receive.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "tools/xl_change.h"
#include "tools/xl_cmd.h"
#include "tools/xl_cmd_save.h"
#include "tools/xl_handover.h"
#include "tools/xl_mem.h"
#include "tools/xl_proc.h"
#include "tools/xl_run.h"
#include "tools/xl_save.h"
#include "tools/xl_saving.h"

/*
 * How it works
 *
 * The stream is that of a saved domain, through another program's stdin and stdout,
 * with most of its RAM written while it still runs (tools/xl_mem.h); who may run the
 * domain is agreed on by tools/xl_handover.h.  Devices are let go before the stream
 * ends, disks since they are locked: the other side has them then, or we take them
 * again.
 */
#define END_TIMEOUT_MS 10000
#define ROUNDS	       5u  /* at most, while it runs */
#define MORE_ROUNDS    30u /* with a bound */
#define MAX_ROUNDS     1000u
#define MAX_DOWNTIME   3600000u /* ms */
#define FEW_PAGES      256u /* that can as well be written when it is stopped */

/* ---- The sender ------------------------------------------------------------ */

/**
 * struct options - Of both commands.
 * @pack:        Its memory is packed.
 * @rounds:      While it runs, at most; 0: as is usual.
 * @downtime_ms: That its memory may take then; 0: no matter.
 */
struct options {
	bool paused, unattended, pack;
	const char *ssh, *config;
	unsigned int rounds, downtime_ms;
};

/** struct leaving - A domain on its way out. */
struct leaving {
	struct xl_saving v;
	const struct options *o;
	const char *config; /* as of xl_save() */
	char name[XL_NAME_SIZE];
};

/* Until little is left, or it does not become less. */
static int send_running(const struct leaving *l, struct xl_mem *m,
			struct savefile *s)
{
	unsigned int rounds = l->o->rounds ? l->o->rounds : ROUNDS;
	uint64_t before = UINT64_MAX, pages = 0;
	int ret = 0;

	for (unsigned int i = 0; i < rounds && !ret; i++) {
		ret = xl_mem_round(m, s, &pages);
		if (pages <= FEW_PAGES || pages > before - before / 4)
			break;
		before = pages;
	}
	return ret;
}

/*
 * Until a round takes no longer than it may stand still, or it never does: the round
 * after that, of what it changes meanwhile, is much like it.
 */
static int send_bounded(const struct leaving *l, struct xl_mem *m,
			struct savefile *s)
{
	unsigned int rounds = l->o->rounds ? l->o->rounds : MORE_ROUNDS;
	uint64_t pages = 0, since, ms = 0;
	int ret = 0;

	for (unsigned int i = 0; i < rounds; i++) {
		since = util_clock_ns();
		ret = xl_mem_round(m, s, &pages);
		ms = (util_clock_ns() - since) / 1000000;
		if (ret || ms <= l->o->downtime_ms)
			return ret;
	}
	log_err("domain %u: would stand still for about %llu ms, and --max-downtime is %u: the last round took that, and wrote %llu KiB",
		l->v.domid, (unsigned long long)ms, l->o->downtime_ms,
		(unsigned long long)pages * (SV_PAGE_SIZE / 1024));
	return -EBUSY;
}

/* Stop it; what it is, and what it has changed since. */
static int send_stopped(struct leaving *l, struct xl_mem *m, struct savefile *s)
{
	uint64_t pages;
	int ret = xl_saving_stop(&l->v, l->config);

	if (!ret)
		ret = xl_saving_pass(&l->v, s);
	return ret ? ret : xl_mem_round(m, s, &pages);
}

static int send_domain(struct leaving *l, struct savefile *s)
{
	struct xl_mem m;
	int ret = xl_saving_begin(&l->v, l->config, s);

	if (!ret)
		ret = xl_saving_host(&l->v, s);
	if (!ret)
		ret = xl_mem_open(&m, l->v.dom);
	if (ret)
		return ret;
	if (l->o->pack)
		ret = xl_mem_pack(&m);
	if (!ret && !l->v.was_paused)
		ret = l->o->downtime_ms ? send_bounded(l, &m, s)
					: send_running(l, &m, s);
	if (!ret)
		ret = send_stopped(l, &m, s);
	xl_mem_close(&m);
	if (!ret)
		ret = xl_saving_let_go(&l->v);
	return ret ? ret : savefile_put(s, SAVE_END, NULL, 0);
}

static int send_all(void *arg, int out)
{
	struct savefile s;
	int ret;

	fprintf(stderr, "Saving to migration stream\n");
	ret = savefile_begin(&s, out);
	s.stop = xl_interrupted;
	if (!ret)
		ret = send_domain(arg, &s);
	if (ret)
		fprintf(stderr, "migration sender: the stream broke off: %s\n",
			strerror(-ret));
	return ret;
}

/* From here on nobody interrupts us. */
static int send_away(void *arg)
{
	struct leaving *l = arg;
	char away[XL_NAME_SIZE + 16];

	xl_shield(true);
	snprintf(away, sizeof(away), "%s--migratedaway", l->name);
	return xl_change_name(l->v.domid, away);
}

/*
 * A copy, as it was when it was stopped, under its own name and with its own
 * configuration.  Not where saved domains are started from with the host.
 *
 * @path: PATH_MAX bytes.
 */
static int keep_copy(struct leaving *l, char *path)
{
	char *text = xl_run_read(l->v.domid, "xl.cfg"), *own = NULL;
	const char *name = l->name;
	struct xl_save_how how = { .pack = l->o->pack };
	int ret = text ? xl_cfg_set(text, "name", &name, 0, &own) : -ENOENT;

	if (!ret)
		ret = paths_mkdir(paths_dump());
	if (!ret && snprintf(path, PATH_MAX, "%s/%s--migratedaway",
			     paths_dump(), l->name) >= PATH_MAX)
		ret = -ENAMETOOLONG;
	how.config = own;
	if (ret)
		log_err("domain %u: no copy of it is kept in '%s': %s",
			l->v.domid, paths_dump(), strerror(-ret));
	else
		ret = xl_save_stopped(&l->v, path, &how);
	free(own);
	free(text);
	return ret;
}

/* It cannot go on here as it is. */
static void stay_paused(struct leaving *l)
{
	char path[PATH_MAX];

	if (!keep_copy(l, path))
		fprintf(stderr,
			"It is saved in %s. To try once more:\n"
			"  xl destroy %u; xl restore %s\n",
			path, l->v.domid, path);
}

static void resume(struct leaving *l)
{
	char name[XL_NAME_SIZE];
	int ret;

	if (l->v.spool < 0) {
		fprintf(stderr, "Migration failed, it runs on at sender.\n");
		return;
	}
	xl_shield(true);
	fprintf(stderr, "Migration failed, resuming at sender.\n");
	ret = xl_run_name(l->v.domid, name);
	if (!ret && strcmp(name, l->name) != 0)
		ret = xl_change_name(l->v.domid, l->name);
	if (ret)
		log_err("domain %u: stays paused; it cannot have its name again: %s",
			l->v.domid, strerror(-ret));
	else
		ret = xl_saving_resume(&l->v);
	if (ret)
		stay_paused(l);
}

/* Nothing is asked of the store, where guests that are paused have answers waiting. */
static void leave_it(struct leaving *l)
{
	char path[PATH_MAX];
	bool saved;

	fprintf(stderr,
		"** Migration failed during final handshake **\n"
		"Domain state is now undefined !\n"
		"Please CHECK AT BOTH ENDS for running instances, before renaming and\n"
		" resuming at most one instance.  Two simultaneous instances of the domain\n"
		" would probably result in SEVERE DATA LOSS and it is now your\n"
		" responsibility to avoid that.  Sorry.\n");
	saved = !keep_copy(l, path);
	if (!saved && xl_saving_nodes(&l->v))
		log_warn("domain %u: its nodes are lost", l->v.domid);
	fprintf(stderr,
		"Here it is paused, without its devices, as %s--migratedaway.  If `xl list` there\n"
		"has it as %s, it runs there:\n"
		"  xl destroy %s--migratedaway\n"
		"If it has it as %s--incoming, which does not run, destroy that there.  Then, and if\n"
		"there is nothing of it there, here:\n",
		l->name, l->name, l->name, l->name);
	if (saved)
		fprintf(stderr,
			"  xl destroy %s--migratedaway; xl restore %s\n"
			"That file is to be removed when either has been done.\n",
			l->name, path);
	else
		fprintf(stderr,
			"  xl rename %s--migratedaway %s; xl save %s FILE; xl restore FILE\n",
			l->name, l->name, l->name);
}

static int conclude(struct leaving *l, enum xl_whose whose)
{
	switch (whose) {
	case XL_THEIRS:
		if (xl_end_saved(l->v.domid))
			break;
		fprintf(stderr, "Migration successful.\n");
		return 0;
	case XL_OURS:
		resume(l);
		break;
	case XL_NOBODY_KNOWS:
		leave_it(l);
		break;
	}
	return XL_EXIT_FAIL;
}

/* A shell with @rune between two pipes. */
static pid_t start_rune(const char *rune, struct xl_wire *w)
{
	int to[2], from[2], flags;
	pid_t pid;

	if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		signal(SIGPIPE, SIG_DFL);
		/* We hear of it, and say what is to be. */
		signal(SIGINT, SIG_IGN);
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		execl("/bin/sh", "sh", "-c", rune, (char *)NULL);
		_exit(127);
	}
	fd_close(&to[0]);
	fd_close(&from[1]);
	flags = fcntl(to[1], F_GETFL);
	if (flags >= 0)
		(void)!fcntl(to[1], F_SETFL, flags | O_NONBLOCK);
	*w = (struct xl_wire){ from[0], to[1], xl_interrupted };
	return pid;
}

/* It ends when it notices that we are gone, or is made to. */
static void end_rune(pid_t pid, struct xl_wire *w)
{
	const struct timespec moment = { .tv_nsec = 10000000 };
	uint64_t end = util_clock_ns() + END_TIMEOUT_MS * UINT64_C(1000000);
	int status = 0;
	pid_t ended;

	fd_close(&w->out);
	fd_close(&w->in);
	while (!(ended = waitpid(pid, &status, WNOHANG)) &&
	       util_clock_ns() < end)
		nanosleep(&moment, NULL);
	if (!ended) {
		kill(pid, SIGTERM);
		return;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status))
		fprintf(stderr,
			"migration transport process [%d] exited with error status %d\n",
			(int)pid, WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		fprintf(stderr,
			"migration transport process [%d] died due to fatal signal %s\n",
			(int)pid, strsignal(WTERMSIG(status)));
}

static int migrate(struct leaving *l, const char *rune)
{
	const struct xl_giver g = { send_all, send_away, l,
				    "migration target" };
	struct xl_wire w;
	enum xl_whose whose;
	pid_t pid;

	signal(SIGPIPE, SIG_IGN);
	pid = start_rune(rune, &w);
	if (pid < 0) {
		log_err("'%s' cannot be started: %s", rune,
			strerror(-(int)pid));
		return XL_EXIT_FAIL;
	}
	whose = xl_handover_give(&w, &g);
	/* What it has of our disks is let go before. */
	if (whose == XL_OURS)
		end_rune(pid, &w);
	return conclude(l, whose);
}

static char *make_rune(const struct options *o, const char *host)
{
	char *rune;

	if (!o->ssh[0])
		return strdup(host);
	if (asprintf(&rune, "exec %s %s xl migrate-receive%s%s", o->ssh, host,
		     o->unattended ? " -e" : "", o->paused ? " -p" : "") < 0)
		return NULL;
	return rune;
}

static int leave(unsigned int domid, struct options *o, const char *host)
{
	struct leaving l = { .o = o };
	int status = XL_EXIT_FAIL;
	char *config, *rune;

	config = xl_other_config(o->config, &status);
	if (status)
		return status;
	status = XL_EXIT_FAIL;
	if (!xl_saving_open(&l.v, domid)) {
		l.config = config;
		o->paused |= l.v.was_paused;
		rune = make_rune(o, host);
		if (rune && !xl_run_name(domid, l.name))
			status = migrate(&l, rune);
		free(rune);
		xl_saving_close(&l.v);
	}
	free(config);
	return status;
}

static const struct option migrate_longs[] = {
	{ "live", no_argument, NULL, 'L' },
	{ "debug", no_argument, NULL, 'L' },
	{ "preserve_domid", no_argument, NULL, 'D' },
	{ "preserve-domid", no_argument, NULL, 'D' },
	{ "compress", no_argument, NULL, 'Z' },
	{ "max-iters", required_argument, NULL, 'I' },
	{ "max-downtime", required_argument, NULL, 'T' },
	{ 0 },
};

/* Of an option; reported. */
static int number(const char *name, unsigned int max, unsigned int *out)
{
	uint64_t n;

	if (util_u64(optarg, max, &n) || !n) {
		fprintf(stderr,
			"xl migrate: --%s '%s' is not a number from 1 to %u\n",
			name, optarg, max);
		return -EINVAL;
	}
	*out = (unsigned int)n;
	return 0;
}

/* One that has a value. */
static int take(struct options *o, int opt)
{
	switch (opt) {
	case 'C':
		o->config = optarg;
		return 0;
	case 's':
		o->ssh = optarg;
		return 0;
	case 'I':
		return number("max-iters", MAX_ROUNDS, &o->rounds);
	case 'T':
		return number("max-downtime", MAX_DOWNTIME, &o->downtime_ms);
	default:
		return 0;
	}
}

int xl_cmd_migrate(int argc, char **argv)
{
	struct options o = { .ssh = "ssh" };
	unsigned int domid;
	int opt, status = 0;

	while ((opt = xl_getopt(argc, argv, "C:s:epDd", migrate_longs, 2,
				&status)) > 0) {
		o.paused |= opt == 'p';
		o.unattended |= opt == 'e';
		o.pack |= opt == 'Z';
		if (take(&o, opt))
			return XL_EXIT_FAIL;
	}
	if (!opt)
		return status;
	if (argc - optind > 2) {
		fprintf(stderr, "xl migrate: too many arguments\n");
		return XL_EXIT_FAIL;
	}
	if (xl_find_domain(argv[optind], &domid))
		return XL_EXIT_FAIL;
	if (!domid) {
		fprintf(stderr, "xl migrate: domain 0 is this host\n");
		return XL_EXIT_FAIL;
	}
	xl_catch_interrupts();
	return leave(domid, &o, argv[optind + 1]);
}

/* ---- The receiver ---------------------------------------------------------- */

/** struct coming - A domain on its way in. */
struct coming {
	const struct options *o;
	struct xl_save_file f; /* if @open */
	struct xl_cfg c;       /* if @parsed */
	struct xl_built b;     /* if it was built */
	bool open, parsed;
};

static int check(const struct xl_cfg *c)
{
	unsigned int other;

	if (!xl_run_find(c->name, &other)) {
		log_err("domain name '%s' is taken (by domain %u)", c->name,
			other);
		return -EEXIST;
	}
	return xl_cfg_check_devices(c) ? -EINVAL : 0;
}

static int build(struct coming *in)
{
	char name[XL_NAME_SIZE];
	int ret = check(&in->c);

	if (ret)
		return ret;
	if (snprintf(name, sizeof(name), "%s--incoming", in->c.name) >=
	    (int)sizeof(name)) {
		log_err("domain '%s': its name is too long to be received",
			in->c.name);
		return -ENAMETOOLONG;
	}
	in->f.saved.name = name;
	ret = xl_run_init();
	if (!ret)
		ret = xl_build_saved(&in->c, in->f.text, &in->f.saved, &in->b);
	in->f.saved.name = NULL;
	return ret;
}

static int receive(void *arg, int fd)
{
	struct coming *in = arg;
	int ret = xl_save_open_peer(&in->f, fd, xl_interrupted);

	if (ret)
		return ret;
	in->open = true;
	fprintf(stderr,
		"Loading new save file <incoming migration stream> (new xl fmt info 0x3/0x0/%zu)\n"
		" Savefile contains xl domain config\n"
		"Parsing config from <saved>\n",
		in->f.size);
	xl_path_set_base(in->f.cwd);
	ret = xl_cfg_parse(&in->c, "<saved>", in->f.text, UINT32_MAX);
	if (ret)
		return ret;
	in->parsed = true;
	return build(in);
}

/* The directory alone: all else has its own name from the beginning. */
static int start(void *arg)
{
	struct coming *in = arg;
	int ret;

	xl_shield(true);
	ret = xl_run_rename(in->b.domid, in->c.name);
	if (ret) {
		log_err("domain %u: cannot be renamed to '%s': %s", in->b.domid,
			in->c.name,
			ret == -EEXIST ? "the name is taken" : strerror(-ret));
		return ret;
	}
	return xl_start_saved(&in->c, in->f.text, &in->b, in->o->paused,
			      in->o->unattended)
		       ? -EIO
		       : 0;
}

static int destroy(void *arg)
{
	struct coming *in = arg;

	xl_built_close(&in->b);
	return xl_teardown(in->b.domid);
}

int xl_cmd_migrate_receive(int argc, char **argv)
{
	struct options o = { 0 };
	struct coming in = { .o = &o, .b = { .owner = -1 } };
	const struct xl_wire w = { STDIN_FILENO, STDOUT_FILENO,
				   xl_interrupted };
	const struct xl_taker t = { receive, start, destroy, &in };
	int opt, status = 0;

	while ((opt = xl_getopt(argc, argv, "ep", NULL, 0, &status)) > 0) {
		o.paused |= opt == 'p';
		o.unattended |= opt == 'e';
	}
	if (!opt)
		return status;
	if (argc != optind) {
		fprintf(stderr, "xl migrate-receive: too many arguments\n");
		return XL_EXIT_FAIL;
	}
	xl_catch_interrupts();
	signal(SIGPIPE, SIG_IGN);
	status = xl_handover_take(&w, &t) ? XL_EXIT_FAIL : 0;
	if (in.open)
		xl_save_close(&in.f);
	if (in.parsed)
		xl_cfg_free(&in.c);
	return status;
}
