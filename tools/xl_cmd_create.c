// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_create.c - xl create.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "tools/xl_build.h"
#include "tools/xl_cmd.h"
#include "tools/xl_console.h"
#include "tools/xl_json.h"
#include "tools/xl_monitor.h"
#include "tools/xl_proc.h"
#include "tools/xl_run.h"

struct create_opts {
	bool console, paused, quiet, dryrun, debug, unattended, foreground;
	const char *file;
	char **extra;
	size_t nextra;
};

static int print_config(const struct xl_cfg *c)
{
	char *json;

	if (xl_json_config(c, false, &json)) {
		log_err("out of memory");
		return XL_EXIT_LIBXL;
	}
	fputs(json, stdout);
	free(json);
	return 0;
}

/* Let a new domain run; it is removed again if that cannot be. */
static int let_run(unsigned int domid)
{
	int ret = xl_call(domid, DOM_UNPAUSE);

	if (!ret)
		return 0;
	log_err("domain %u: cannot be started: %s", domid, strerror(-ret));
	return xl_teardown(domid) ? XL_EXIT_FAIL : XL_EXIT_LIBXL;
}

/* The console first, so that nothing of the boot is lost. */
static int attend(const struct create_opts *o, unsigned int domid)
{
	int fd = -1, status = 0;

	if (o->console) {
		fd = xl_console_open(domid);
		if (fd < 0) {
			log_err("domain %u: not started", domid);
			return xl_teardown(domid) ? XL_EXIT_FAIL
						  : XL_EXIT_LIBXL;
		}
	}
	if (!o->paused)
		status = let_run(domid);
	if (fd >= 0 && !status)
		xl_console_run(fd);
	if (fd >= 0)
		close(fd);
	return status;
}

static int run_foreground(struct xl_cfg *c, const char *text,
			  const struct create_opts *o, struct xl_built *b)
{
	int status = o->paused ? 0 : let_run(b->domid);

	if (status) {
		xl_built_close(b);
		return status;
	}
	return xl_monitor_run(c, text, b);
}

static int create(struct xl_cfg *c, const char *text,
		  const struct create_opts *o)
{
	unsigned int domid;
	struct xl_built b;
	int status;
	pid_t pid;

	xl_catch_interrupts();
	if (xl_run_init() || xl_build(c, text, &b))
		return XL_EXIT_LIBXL;
	domid = b.domid;
	if (o->foreground && !o->console)
		return run_foreground(c, text, o, &b);
	if (o->unattended) {
		xl_built_close(&b);
	} else if (xl_monitor_spawn(c, text, &b, !o->foreground, &pid)) {
		xl_built_close(&b);
		return xl_teardown(domid) ? XL_EXIT_FAIL : XL_EXIT_LIBXL;
	}
	status = attend(o, domid);
	if (o->foreground)
		waitpid(pid, NULL, 0);
	return status;
}

static int create_from(const struct create_opts *o)
{
	unsigned int lines;
	struct xl_cfg c;
	char *text;
	int status;

	if (xl_cfg_load(o->file, o->extra, o->nextra, &text, &lines))
		return XL_EXIT_LIBXL;
	if (!o->quiet)
		fprintf(stderr, "Parsing config from %s\n", o->file);
	if (xl_cfg_parse(&c, o->file, text, lines)) {
		free(text);
		return XL_EXIT_FAIL;
	}
	if (o->dryrun || o->debug)
		status = print_config(&c);
	else
		status = 0;
	if (!o->dryrun && !status)
		status = xl_cfg_check_host(&c) ? XL_EXIT_LIBXL
					       : create(&c, text, o);
	xl_cfg_free(&c);
	free(text);
	return status;
}

/* "key=value" as opposed to a file's name. */
static bool is_setting(const char *s)
{
	size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyz"
			       "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

	return len && (s[len] == '=' || s[strspn(s + len, " ") + len] == '=');
}

static int set_option(struct create_opts *o, int opt)
{
	switch (opt) {
	case 'c':
		o->console = true;
		break;
	case 'd':
		o->debug = true;
		break;
	case 'e':
		o->unattended = true;
		break;
	case 'F':
		o->foreground = true;
		break;
	case 'f':
		o->file = optarg;
		break;
	case 'n':
		o->dryrun = true;
		break;
	case 'p':
		o->paused = true;
		break;
	case 'q':
		o->quiet = true;
		break;
	default: /* -V, -A, -i: nothing to do here */
		break;
	}
	return 0;
}

int xl_cmd_create(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "defconfig", required_argument, NULL, 'f' },
		{ "dryrun", no_argument, NULL, 'n' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "vncviewer", no_argument, NULL, 'V' },
		{ "vncviewer-autopass", no_argument, NULL, 'A' },
		{ "ignore-global-affinity-masks", no_argument, NULL, 'i' },
		{ 0 },
	};
	struct create_opts o = { .dryrun = xl_opts.dryrun };
	int opt, status = 0;

	while ((opt = xl_getopt(argc, argv, "cdeFf:npqVAi", longs, 0,
				&status)) > 0)
		set_option(&o, opt);
	if (!opt)
		return status;
	if (optind < argc && !o.file && !is_setting(argv[optind]))
		o.file = argv[optind++];
	if (!o.file) {
		fprintf(stderr, "xl create: no configuration file is named "
				"(xl create FILE)\n");
		return XL_EXIT_USAGE;
	}
	o.extra = argv + optind;
	o.nextra = (size_t)(argc - optind);
	if (o.unattended && o.foreground) {
		fprintf(stderr, "xl create: -e and -F exclude each other\n");
		return XL_EXIT_USAGE;
	}
	return create_from(&o);
}
