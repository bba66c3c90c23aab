// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_save.c - xl save, xl restore.
#include "tools/xl_cmd_save.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "tools/xl_build.h"
#include "tools/xl_cmd.h"
#include "tools/xl_monitor.h"
#include "tools/xl_proc.h"
#include "tools/xl_run.h"
#include "tools/xl_save.h"

int xl_end_saved(unsigned int domid)
{
	int ret = xl_run_doom(domid);

	return ret && ret != -ENOENT ? ret : xl_teardown(domid);
}

/* What becomes of the domain once it is in the file. */
static int dispose(unsigned int domid, bool go_on, bool stay, bool was_paused)
{
	int ret;

	if (stay || (go_on && was_paused))
		return 0;
	if (go_on) {
		ret = xl_call(domid, DOM_UNPAUSE);
		if (ret)
			log_err("domain %u: saved, but stays paused: %s", domid,
				strerror(-ret));
		return ret;
	}
	return xl_end_saved(domid);
}

char *xl_other_config(const char *file, int *status)
{
	unsigned int lines;
	struct xl_cfg c;
	char *text;

	*status = 0;
	if (!file)
		return NULL;
	*status = XL_EXIT_FAIL;
	if (xl_cfg_load(file, NULL, 0, &text, &lines))
		return NULL;
	if (xl_cfg_parse(&c, file, text, lines)) {
		free(text);
		return NULL;
	}
	xl_cfg_free(&c);
	*status = 0;
	return text;
}

static int save(unsigned int domid, const char *path, const char *file,
		struct xl_save_how *how, bool stay)
{
	bool was_paused = false, go_on = how->keep && !stay;
	struct stat st;
	char *config;
	int status;

	config = xl_other_config(file, &status);
	if (status)
		return status;
	how->config = config;
	fprintf(stderr, "Saving to %s\n", path);
	status = xl_save(domid, path, how, &was_paused) ? XL_EXIT_FAIL : 0;
	free(config);
	if (!status && stat(path, &st) == 0)
		fprintf(stderr, "Saved domain %u, %lld KiB\n", domid,
			(long long)st.st_size / 1024);
	if (!status && dispose(domid, go_on, stay, was_paused))
		status = XL_EXIT_FAIL;
	return status;
}

static const struct option save_longs[] = {
	{ "compress", no_argument, NULL, 'Z' },
	{ 0 },
};

int xl_cmd_save(int argc, char **argv)
{
	struct xl_save_how how = { .config = NULL };
	unsigned int domid;
	bool stay = false;
	int opt, status = 0;

	while ((opt = xl_getopt(argc, argv, "cp", save_longs, 2, &status)) >
	       0) {
		how.keep |= opt == 'c' || opt == 'p';
		how.pack |= opt == 'Z';
		stay |= opt == 'p';
	}
	if (!opt)
		return status;
	if (argc - optind > 3) {
		fprintf(stderr, "xl save: too many arguments\n");
		return XL_EXIT_FAIL;
	}
	if (xl_find_domain(argv[optind], &domid))
		return XL_EXIT_FAIL;
	if (!domid) {
		fprintf(stderr, "xl save: domain 0 is this host\n");
		return XL_EXIT_FAIL;
	}
	xl_catch_interrupts();
	return save(domid, argv[optind + 1], argv[optind + 2], &how, stay);
}

/* The monitor reads what was saved with it when the guest reboots. */
int xl_start_saved(struct xl_cfg *c, const char *text, struct xl_built *b,
		   bool paused, bool unattended)
{
	unsigned int domid = b->domid;
	pid_t pid;
	int ret;

	if (unattended) {
		xl_built_close(b);
	} else if (xl_monitor_spawn(c, text, b, true, &pid)) {
		xl_built_close(b);
		return xl_teardown(domid) ? XL_EXIT_FAIL : XL_EXIT_LIBXL;
	}
	if (paused)
		return 0;
	ret = xl_call(domid, DOM_UNPAUSE);
	if (!ret)
		return 0;
	log_err("domain %u: cannot be started: %s", domid, strerror(-ret));
	return xl_teardown(domid) ? XL_EXIT_FAIL : XL_EXIT_LIBXL;
}

static int restore(struct xl_save_file *f, const char *path, const char *config,
		   bool paused, bool unattended)
{
	const char *text = config ? config : f->text;
	struct xl_built b;
	struct xl_cfg c;
	int status;

	fprintf(stderr,
		"Loading new save file %s (new xl fmt info 0x3/0x0/%zu)\n"
		" Savefile contains xl domain config\n"
		"Parsing config from <saved>\n",
		path, f->size);
	if (!config)
		xl_path_set_base(f->cwd);
	if (xl_cfg_parse(&c, "<saved>", text, UINT32_MAX))
		return XL_EXIT_FAIL;
	if (xl_cfg_check_devices(&c) || xl_run_init() ||
	    xl_build_saved(&c, text, &f->saved, &b)) {
		status = XL_EXIT_LIBXL;
	} else {
		status = xl_start_saved(&c, text, &b, paused, unattended);
	}
	xl_cfg_free(&c);
	return status;
}

int xl_cmd_restore(int argc, char **argv)
{
	bool paused = false, unattended = false;
	const char *path, *file = NULL;
	struct xl_save_file f;
	int opt, status = 0;
	char *config;

	while ((opt = xl_getopt(argc, argv, "pe", NULL, 1, &status)) > 0) {
		paused |= opt == 'p';
		unattended |= opt == 'e';
	}
	if (!opt)
		return status;
	if (argc - optind > 2) {
		fprintf(stderr, "xl restore: too many arguments\n");
		return XL_EXIT_FAIL;
	}
	path = argv[argc - 1];
	if (argc - optind == 2)
		file = argv[optind];
	xl_catch_interrupts();
	config = xl_other_config(file, &status);
	if (status)
		return status;
	status = XL_EXIT_FAIL;
	if (!xl_save_open(&f, path)) {
		/* Unlike create, it has one status for all that fails. */
		if (!restore(&f, path, config, paused, unattended))
			status = 0;
		xl_save_close(&f);
	}
	free(config);
	return status;
}
