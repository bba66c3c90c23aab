/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_cmd.h - the verbs of xl. */
#ifndef TOOLS_XL_CMD_H
#define TOOLS_XL_CMD_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/domsock.h"
#include "base/util.h"
#include "tools/xl_run.h"

/** Exit statuses that scripts know. */
#define XL_EXIT_FAIL  1 /* most errors */
#define XL_EXIT_USAGE 2 /* bad options of `create` */
#define XL_EXIT_LIBXL 3 /* a domain could not be created */

/** struct xl_opts - Options before the verb, and those that several have. */
struct xl_opts {
	bool verbose; /* -v */
	bool force;   /* -f */
	bool dryrun;  /* -N */
	bool json;    /* --json, behind the verb */
};
extern struct xl_opts xl_opts;

/**
 * struct xl_cmd - One verb.
 * @run:     Gets the verb as argv[0]; returns xl's exit status.
 * @dryrun:  Whether -N is possible, @force: whether -f is (shown in the help).
 * @usage:   What follows the verb, in the help.
 * @options: Lines of the help, or "".
 */
struct xl_cmd {
	const char *name;
	int (*run)(int argc, char **argv);
	bool dryrun, force;
	const char *summary;
	const char *usage;
	const char *options;
};

extern const struct xl_cmd xl_cmds[];
extern const size_t xl_ncmds;

/** xl_cmd_lists() - Whether it lists something, and so knows --json. */
bool xl_cmd_lists(const struct xl_cmd *cmd);

/**
 * xl_cmd_find() - The verb that a possibly shortened name means.
 * @n: How many verbs begin with @name; 1 for an exact name.
 *
 * Return: NULL unless it is one.
 */
const struct xl_cmd *xl_cmd_find(const char *name, size_t *n);

/** xl_cmd_help() - Print the help of a verb, or of all for NULL. */
void xl_cmd_help(const struct xl_cmd *cmd);

/**
 * xl_getopt() - The next option of a verb.
 * @shorts: As of getopt(3); "+" at its beginning: no option follows an argument.
 * @longs: May be NULL.
 * @nargs: Arguments that must follow the options.
 *
 * Answers -h itself.  Return: the option; -1 when there are no more; 0 when
 * xl is to end now, with status *@status.
 */
int xl_getopt(int argc, char **argv, const char *shorts,
	      const struct option *longs, int nargs, int *status);

/**
 * xl_no_options() - xl_getopt() for verbs that have none.
 *
 * Return: false when xl is to end now, with status *@status.
 */
bool xl_no_options(int argc, char **argv, int nargs, int *status) must_check;

/**
 * xl_take_json() - Take --json out of the arguments of a verb, up to "--".
 * @argc, @argv: The verb's, changed.
 *
 * Return: whether it was there.
 */
bool xl_take_json(int *argc, char **argv);

/**
 * xl_find_domain() - The domain an argument names, reported as xl does.
 *
 * Return: 0 or -ENOENT.
 */
int xl_find_domain(const char *who, unsigned int *domid) must_check;

/** XL_ANSWER_MS - How long xl waits for a VMM, or for several at once. */
#define XL_ANSWER_MS 5000

/** xl_dom_info() - What a domain's VMM says; Return: 0 or -errno, not reported. */
int xl_dom_info(unsigned int domid, struct dom_info *info) must_check;

/** xl_uptime_s() - How long the domain has been there. */
uint64_t xl_uptime_s(const struct dom_info *info);

/** xl_no_domain() - Report that there is none of that name; Return: xl's exit status. */
int xl_no_domain(const char *who) must_check;

/**
 * xl_each_domain() - Show this host and all guests, or those that are named.
 * @who:   @n names or numbers; none: all.
 * @host:  NULL leaves this host out.
 * @guest: Shows nothing of one that has ended meanwhile.
 *
 * Return: xl's exit status; reported.
 */
int xl_each_domain(char **who, int n, void (*host)(void),
		   void (*guest)(const struct xl_dom *d)) must_check;

/**
 * xl_each_info() - The same, with what the VMMs say, who are asked all at once.
 * @guest: @info is what dom_asked() has filled if @ret, what it returned, is 0.
 */
int xl_each_info(char **who, int n, void (*host)(void),
		 void (*guest)(const struct xl_dom *d,
			       const struct dom_info *info,
			       int ret)) must_check;

int xl_cmd_create(int argc, char **argv);
int xl_cmd_run(int argc, char **argv);
int xl_cmd_image(int argc, char **argv);
int xl_cmd_list(int argc, char **argv);
int xl_cmd_domid(int argc, char **argv);
int xl_cmd_domname(int argc, char **argv);
int xl_cmd_console(int argc, char **argv);
int xl_cmd_shutdown(int argc, char **argv);
int xl_cmd_reboot(int argc, char **argv);
int xl_cmd_destroy(int argc, char **argv);
int xl_cmd_pause(int argc, char **argv);
int xl_cmd_unpause(int argc, char **argv);
int xl_cmd_suspend(int argc, char **argv);
int xl_cmd_resume(int argc, char **argv);
int xl_cmd_save(int argc, char **argv);
int xl_cmd_restore(int argc, char **argv);
int xl_cmd_migrate(int argc, char **argv);
int xl_cmd_migrate_receive(int argc, char **argv);
int xl_cmd_info(int argc, char **argv);
int xl_cmd_dmesg(int argc, char **argv);
int xl_cmd_cd_insert(int argc, char **argv);
int xl_cmd_cd_eject(int argc, char **argv);
int xl_cmd_channel_list(int argc, char **argv);
int xl_cmd_block_list(int argc, char **argv);
int xl_cmd_network_list(int argc, char **argv);
int xl_cmd_block_attach(int argc, char **argv);
int xl_cmd_network_attach(int argc, char **argv);
int xl_cmd_block_detach(int argc, char **argv);
int xl_cmd_network_detach(int argc, char **argv);
int xl_cmd_xsquota_get(int argc, char **argv);
int xl_cmd_xsquota_set(int argc, char **argv);
int xl_cmd_rename(int argc, char **argv);
int xl_cmd_config_update(int argc, char **argv);
int xl_cmd_stats(int argc, char **argv);
int xl_cmd_sched(int argc, char **argv);
int xl_cmd_top(int argc, char **argv);
int xl_cmd_uptime(int argc, char **argv);
int xl_cmd_vcpu_list(int argc, char **argv);
int xl_cmd_vcpu_pin(int argc, char **argv);
int xl_cmd_vcpu_set(int argc, char **argv);
int xl_cmd_mem_max(int argc, char **argv);
int xl_cmd_mem_set(int argc, char **argv);
int xl_cmd_vm_list(int argc, char **argv);
int xl_cmd_dump_core(int argc, char **argv);
int xl_cmd_gdb(int argc, char **argv);
int xl_cmd_sysrq(int argc, char **argv);
int xl_cmd_trigger(int argc, char **argv);
int xl_cmd_sharing(int argc, char **argv);
int xl_cmd_claims(int argc, char **argv);
int xl_cmd_cpupool_list(int argc, char **argv);

/** xl_cmd_refuse() - Verbs for what cannot be had here: one line says why. */
int xl_cmd_refuse(int argc, char **argv);

#endif
