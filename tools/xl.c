// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl.c - the toolstack's program: options, then a verb.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/domsock.h"
#include "base/log.h"
#include "base/paths.h"
#include "tools/xl_cmd.h"
#include "tools/xl_out.h"

/* Options before the verb; false if xl is to end. */
static bool read_options(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "+vftTN")) != -1) {
		if (opt == 'v')
			xl_opts.verbose = true;
		else if (opt == 'f')
			xl_opts.force = true;
		else if (opt == 'N')
			xl_opts.dryrun = true;
		else if (opt == '?')
			return false;
	}
	return true;
}

static const struct xl_cmd *find_verb(const char *name)
{
	const struct xl_cmd *cmd;
	size_t n;

	cmd = xl_cmd_find(name, &n);
	if (cmd)
		return cmd;
	if (!n) {
		fprintf(stderr, "xl: unknown command '%s' (see `xl help`)\n",
			name);
		return NULL;
	}
	fprintf(stderr, "xl: command '%s' is ambiguous:", name);
	for (size_t i = 0; i < xl_ncmds; i++) {
		if (!strncmp(xl_cmds[i].name, name, strlen(name)))
			fprintf(stderr, " %s", xl_cmds[i].name);
	}
	fprintf(stderr, "\n");
	return NULL;
}

static int help(int argc, char **argv)
{
	const struct xl_cmd *cmd = argc > 1 ? find_verb(argv[1]) : NULL;

	if (argc > 1 && !cmd)
		return XL_EXIT_FAIL;
	xl_cmd_help(cmd);
	return 0;
}

static int run_verb(int argc, char **argv)
{
	const struct xl_cmd *cmd;

	if (!strcmp(argv[0], "help"))
		return help(argc, argv);
	cmd = find_verb(argv[0]);
	if (!cmd)
		return XL_EXIT_FAIL;
	if (xl_opts.dryrun && !cmd->dryrun) {
		fprintf(stderr,
			"command does not implement -N (dryrun) option\n");
		return XL_EXIT_FAIL;
	}
	optind = 1;
	if (xl_cmd_lists(cmd) && xl_take_json(&argc, argv))
		xl_out_json();
	return cmd->run(argc, argv);
}

int main(int argc, char **argv)
{
	int status;

	log_init("", LOG_LVL_INFO);
	paths_init();
	dom_set_timeout(XL_ANSWER_MS);
	signal(SIGPIPE, SIG_IGN); /* a VMM or a store that has gone */
	if (!read_options(argc, argv))
		return XL_EXIT_FAIL;
	if (optind >= argc) {
		xl_cmd_help(NULL);
		return XL_EXIT_FAIL;
	}
	status = run_verb(argc - optind, argv + optind);
	if (fflush(stdout) || ferror(stdout))
		return status ? status : XL_EXIT_FAIL;
	return status;
}
