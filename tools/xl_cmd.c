// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd.c - the verbs of xl: table, lookup, help, options.
#include "tools/xl_cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/paths.h"
#include "tools/xl_out.h"
#include "tools/xl_run.h"

struct xl_opts xl_opts;

#define SCHED_OPTIONS                                                             \
	"-d DOMAIN, --domain=DOMAIN        Domain to show or modify\n"            \
	"-w WEIGHT, --weight=WEIGHT        Weight, 1 to 65535\n"                  \
	"-c CAP,    --cap=CAP              Cap, in percent of one CPU; 0: none\n" \
	"-p CPUPOOL, --cpupool=CPUPOOL     Restrict output to CPUPOOL"

const struct xl_cmd xl_cmds[] = {
	{ "create", xl_cmd_create, true, true,
	  "Create a domain from config file <filename>",
	  "<ConfigFile> [options] [vars]",
	  "-c                      Connect to the console after the domain is created.\n"
	  "-d                      Print the resulting configuration, too.\n"
	  "-e                      Do not wait in the background for the death of the domain.\n"
	  "-F                      Run in foreground until death of the domain.\n"
	  "-f FILE, --defconfig=FILE\n"
	  "                     Use the given configuration file.\n"
	  "-h                      Print this help.\n"
	  "-n, --dryrun            Dry run - prints the resulting configuration\n"
	  "                         (deprecated in favour of global -N option).\n"
	  "-p                      Leave the domain paused after it is created.\n"
	  "-q, --quiet             Quiet." },
	{ "run", xl_cmd_run, false, false,
	  "Run a command in a domain of its own, on a directory, disk or image",
	  "[options] <Root> [--] [<Command> [<Argument>...]]",
	  "-m, --memory=MIB        Memory of the domain (default 512).\n"
	  "--vcpus=N               Its virtual CPUs (default 1).\n"
	  "-e, --env=NAME=VALUE    A variable of the command's environment.\n"
	  "-w, --workdir=DIR       The command's directory (default /).\n"
	  "--net=nat|user|none     A network card (default none).\n"
	  "--kernel=FILE           Another kernel than the root's own or this host's.\n"
	  "--rw                    Write to the disk or image; else changes are lost." },
	{ "image", xl_cmd_image, false, false,
	  "Make, list or remove images for `xl run`",
	  "build [-n <Name>] [-s <Size>] debian:<Suite> [-- <Option>...] | ls | rm <Name>",
	  "-n NAME                 Its name (default debian:<Suite>).\n"
	  "-s SIZE                 Size of its disk (default 2G).\n"
	  "What follows -- is given to mmdebstrap." },
	{ "config-update", xl_cmd_config_update, true, true,
	  "Update a running domain's saved configuration, used when rebuilding the domain after reboot",
	  "<Domain> <ConfigFile> [options] [vars]",
	  "-h                      Print this help.\n"
	  "-f FILE, --defconfig=FILE\n"
	  "                     Use the given configuration file.\n"
	  "-d                      Enable debug messages." },
	{ "list", xl_cmd_list, false, false,
	  "List information about all/some domains", "[options] [Domain]\n",
	  "-l, --long              Output all VM details\n"
	  "-v, --verbose           Prints out UUIDs and security context\n"
	  "-Z, --context           Prints out security context\n"
	  "-c, --cpupool           Prints the cpupool the domain is in\n"
	  "-n, --numa              Prints out NUMA node affinity" },
	{ "destroy", xl_cmd_destroy, false, true,
	  "Terminate a domain immediately", "[options] <Domain>\n",
	  "-f                      Permit destroying domain 0, which is not possible here." },
	{ "shutdown", xl_cmd_shutdown, false, true,
	  "Issue a shutdown signal to a domain", "[options] <-a|Domain>",
	  "-a, --all               Shutdown all guest domains.\n"
	  "-h                      Print this help.\n"
	  "-F                      Fallback to ACPI power event: not possible for PVH guests.\n"
	  "-w, --wait              Wait for guest(s) to shutdown." },
	{ "reboot", xl_cmd_reboot, false, true,
	  "Issue a reboot signal to a domain", "[options] <-a|Domain>",
	  "-a, --all               Reboot all guest domains.\n"
	  "-h                      Print this help.\n"
	  "-F                      Fallback to ACPI reset event: not possible for PVH guests.\n"
	  "-w, --wait              Wait for guest(s) to reboot." },
	{ "pause", xl_cmd_pause, false, false, "Pause execution of a domain",
	  "<Domain>", "" },
	{ "unpause", xl_cmd_unpause, false, false, "Unpause a paused domain",
	  "<Domain>", "" },
	{ "suspend", xl_cmd_suspend, false, false, "Suspend a domain to RAM",
	  "<Domain>", "" },
	{ "resume", xl_cmd_resume, false, false, "Resume a domain from RAM",
	  "<Domain>", "" },
	{ "save", xl_cmd_save, false, true,
	  "Save a domain state to restore later",
	  "[options] <Domain> <CheckpointFile> [<ConfigFile>]",
	  "-h  Print this help.\n"
	  "-c  Leave domain running after creating the snapshot.\n"
	  "-p  Leave domain paused after creating the snapshot.\n"
	  "--compress  Write its memory compressed." },
	{ "migrate", xl_cmd_migrate, false, true,
	  "Migrate a domain to another host", "[options] <Domain> <host>",
	  "-h              Print this help.\n"
	  "-C <config>     Send <config> instead of config file from creation.\n"
	  "-s <sshcommand> Use <sshcommand> instead of ssh.  String will be passed\n"
	  "                to sh. If empty, run <host> instead of ssh <host> xl\n"
	  "                migrate-receive [-e]\n"
	  "-e              Do not wait in the background (on <host>) for the death\n"
	  "                of the domain.\n"
	  "-p              Do not unpause domain after migrating it.\n"
	  "--compress      Send its memory compressed.\n"
	  "--max-iters <n> Look at its memory at most so often while it runs.\n"
	  "--max-downtime <ms>\n"
	  "                Have its memory take no longer when it stands still, or do\n"
	  "                not migrate it.\n"
	  "--live, --debug, -D\n"
	  "                For other hosts: there is one way here, with the same domid." },
	{ "restore", xl_cmd_restore, false, true,
	  "Restore a domain from a saved state",
	  "[options] [<ConfigFile>] <CheckpointFile>",
	  "-h                       Print this help.\n"
	  "-p                       Do not unpause domain after restoring it.\n"
	  "-e                       Do not wait in the background for the death of the domain." },
	{ "migrate-receive", xl_cmd_migrate_receive, false, true,
	  "Restore a domain from a saved state", "- for internal use only",
	  "-e  Do not wait in the background for the death of the domain.\n"
	  "-p  Do not unpause it." },
	{ "console", xl_cmd_console, false, false, "Attach to domain's console",
	  "[options] <Domain>",
	  "-t <type>       console type, pv\n"
	  "-n <number>     console number, 0\n"
	  "^] leaves the console." },
	{ "dump-core", xl_cmd_dump_core, false, true, "Core dump a domain",
	  "<Domain> <filename>", "" },
	{ "gdb", xl_cmd_gdb, false, true,
	  "Speak GDB's remote protocol for a domain's kernel", "<Domain>",
	  "To be started by GDB: target remote | xl gdb <Domain>" },
	{ "cd-insert", xl_cmd_cd_insert, false, true,
	  "Insert a cdrom into a guest's cd drive",
	  "<Domain> <VirtualDevice> <path>", "" },
	{ "cd-eject", xl_cmd_cd_eject, false, true,
	  "Eject a cdrom from a guest's cd drive", "<Domain> <VirtualDevice>",
	  "" },
	{ "mem-max", xl_cmd_mem_max, false, true,
	  "Set the maximum amount reservation for a domain",
	  "<Domain> <MemMB['b'[bytes]|'k'[KB]|'m'[MB]|'g'[GB]|'t'[TB]]>", "" },
	{ "mem-set", xl_cmd_mem_set, false, true,
	  "Set the current memory usage for a domain",
	  "<Domain> <MemMB['b'[bytes]|'k'[KB]|'m'[MB]|'g'[GB]|'t'[TB]]>", "" },
	{ "button-press", xl_cmd_refuse, false, true,
	  "Indicate an ACPI button press to the domain", "<Domain> <Button>",
	  "" },
	{ "vcpu-list", xl_cmd_vcpu_list, false, false,
	  "List the VCPUs for all/some domains", "[Domain, ...]", "" },
	{ "vcpu-pin", xl_cmd_vcpu_pin, true, true,
	  "Set which CPUs a VCPU can use",
	  "[option] <Domain> <VCPU|all> <Hard affinity|-|all> <Soft affinity|-|all>",
	  "-f, --force        undo an override pinning done by the kernel\n"
	  "--ignore-global-affinity-masks Ignore global masks in xl.conf." },
	{ "vcpu-set", xl_cmd_vcpu_set, false, true,
	  "Set the number of active VCPUs allowed for the domain",
	  "[option] <Domain> <vCPUs>",
	  "-i, --ignore-host  Don't limit the vCPU based on the host CPU count" },
	{ "vm-list", xl_cmd_vm_list, false, false,
	  "List guest domains, excluding dom0, stubdoms, etc.", "", "" },
	{ "info", xl_cmd_info, false, false, "Get information about Xen host",
	  "[options]",
	  "-n, --numa         List host NUMA topology information\n"
	  "-x, --xenstore     List Xenstore information" },
	{ "sharing", xl_cmd_sharing, false, false,
	  "Get information about page sharing", "[Domain]", "" },
	{ "sched-credit", xl_cmd_sched, false, true,
	  "Get/set credit scheduler parameters",
	  "[-d <Domain> [-w[=WEIGHT]|-c[=CAP]]] [-p CPUPOOL]", SCHED_OPTIONS },
	{ "sched-credit2", xl_cmd_sched, false, true,
	  "Get/set credit2 scheduler parameters",
	  "[-d <Domain> [-w[=WEIGHT]|-c[=CAP]]] [-p CPUPOOL]", SCHED_OPTIONS },
	{ "domid", xl_cmd_domid, false, false,
	  "Convert a domain name to domain id", "<DomainName>", "" },
	{ "domname", xl_cmd_domname, false, false,
	  "Convert a domain id to domain name", "<DomainId>", "" },
	{ "rename", xl_cmd_rename, false, true, "Rename a domain",
	  "<Domain> <NewDomainName>", "" },
	{ "trigger", xl_cmd_trigger, false, true, "Send a trigger to a domain",
	  "<Domain> <nmi|reset|init|power|sleep|s3resume> [<VCPU>]", "" },
	{ "sysrq", xl_cmd_sysrq, false, true, "Send a sysrq to a domain",
	  "<Domain> <letter>", "" },
	{ "debug-keys", xl_cmd_refuse, false, true, "Send debug keys to Xen",
	  "<Keys>", "" },
	{ "set-parameters", xl_cmd_refuse, false, true,
	  "Set hypervisor parameters", "<Params>", "" },
	{ "dmesg", xl_cmd_dmesg, false, false, "Read and/or clear dmesg buffer",
	  "[-c]",
	  "-c                        Clear dmesg buffer as well as printing it" },
	{ "top", xl_cmd_top, false, false,
	  "Monitor a host and the domains in real time", "[options]",
	  "-b, --batch             Lines of text, also on a terminal\n"
	  "-d, --delay <seconds>   Time between two looks (3)\n"
	  "-f, --full-name         Names are not cut\n"
	  "-i, --iterations <n>    Looks, then end\n"
	  "    --json              An array for each look, on one line\n"
	  "-n, --networks          A line for each network card\n"
	  "-r, --repeat-header     The columns' names above each domain\n"
	  "-s, --sort <column>     Sort by it, instead of by domid\n"
	  "-v, --vcpus             Lines for the time of each vCPU\n"
	  "-x, --vbds              A line for each block device\n"
	  "-z, --dom0-first        Whatever the order is" },
	{ "network-attach", xl_cmd_network_attach, true, false,
	  "Create a new virtual network device",
	  "<Domain> [mac=<mac>] [bridge=<bridge>] [net=nat|none] [ip=<ip>] "
	  "[script=<script>] [vifname=<name>] [rate=<rate>] [mtu=<mtu>] "
	  "[devid=<number>]",
	  "" },
	{ "network-list", xl_cmd_network_list, false, false,
	  "List virtual network interfaces for a domain", "<Domain(s)>", "" },
	{ "network-detach", xl_cmd_network_detach, false, false,
	  "Destroy a domain's virtual network device",
	  "[options] <Domain> <DevId|mac>",
	  "-f, --force            Do not ask the guest." },
	{ "channel-list", xl_cmd_channel_list, false, false,
	  "List virtual channel devices for a domain", "<Domain(s)>", "" },
	{ "block-attach", xl_cmd_block_attach, true, false,
	  "Create a new virtual block device",
	  "<Domain> <disk-spec-component(s)>...", "" },
	{ "block-list", xl_cmd_block_list, false, false,
	  "List virtual block devices for a domain", "<Domain(s)>", "" },
	{ "block-detach", xl_cmd_block_detach, false, false,
	  "Destroy a domain's virtual block device",
	  "[options] <Domain> <DevId>",
	  "-f, --force            Do not ask the guest." },
	{ "uptime", xl_cmd_uptime, false, false,
	  "Print uptime for all/some domains", "[-s] [Domain]",
	  "-s, --short             Print the short form" },
	{ "stats", xl_cmd_stats, false, false,
	  "Print what all/some domains and their devices have done",
	  "[Domain, ...]", "" },
	{ "claims", xl_cmd_claims, false, false,
	  "List outstanding claim information about all domains", "", "" },
	{ "cpupool-create", xl_cmd_refuse, true, true, "Create a new CPU pool",
	  "[options] [<ConfigFile>] [Variable=value ...]", "" },
	{ "cpupool-list", xl_cmd_cpupool_list, false, false,
	  "List CPU pools on host", "[-c|--cpus] [<CPU Pool>]",
	  "-c, --cpus              Output list of CPUs used by a pool" },
	{ "cpupool-destroy", xl_cmd_refuse, false, true,
	  "Deactivates a CPU pool", "<CPU Pool>", "" },
	{ "cpupool-rename", xl_cmd_refuse, false, true, "Renames a CPU pool",
	  "<CPU Pool> <new name>", "" },
	{ "cpupool-cpu-add", xl_cmd_refuse, false, true,
	  "Adds a CPU to a CPU pool", "<CPU Pool> <CPU nr>|node:<node nr>",
	  "" },
	{ "cpupool-cpu-remove", xl_cmd_refuse, false, true,
	  "Removes a CPU from a CPU pool", "<CPU Pool> <CPU nr>|node:<node nr>",
	  "" },
	{ "cpupool-migrate", xl_cmd_refuse, false, true,
	  "Moves a domain into a CPU pool", "<Domain> <CPU Pool>", "" },
	{ "cpupool-numa-split", xl_cmd_refuse, true, true,
	  "Splits up the machine into one CPU pool per NUMA node", "", "" },
	{ "devd", xl_cmd_refuse, false, true,
	  "Daemon that listens for devices and launches backends", "[options]",
	  "" },
	{ "xenstore-quota-get", xl_cmd_xsquota_get, false, false,
	  "List global or domain specific Xenstore quotas", "<Domain>|-g", "" },
	{ "xenstore-quota-set", xl_cmd_xsquota_set, false, true,
	  "Set global or domain specific Xenstore quotas",
	  "<Domain>|-g <quota>=<val>...", "" },
};
const size_t xl_ncmds = ARRAY_SIZE(xl_cmds);

bool xl_cmd_lists(const struct xl_cmd *cmd)
{
	static int (*const lists[])(int argc, char **argv) = {
		xl_cmd_list,	     xl_cmd_vm_list,	xl_cmd_vcpu_list,
		xl_cmd_uptime,	     xl_cmd_block_list, xl_cmd_network_list,
		xl_cmd_info,	     xl_cmd_domid,	xl_cmd_domname,
		xl_cmd_sharing,	     xl_cmd_claims,	xl_cmd_cpupool_list,
		xl_cmd_xsquota_get,  xl_cmd_stats,	xl_cmd_sched,
		xl_cmd_channel_list,
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		if (cmd->run == lists[i])
			return true;
	}
	return false;
}

const struct xl_cmd *xl_cmd_find(const char *name, size_t *n)
{
	const struct xl_cmd *found = NULL;

	*n = 0;
	for (size_t i = 0; i < xl_ncmds; i++) {
		if (strncmp(xl_cmds[i].name, name, strlen(name)) != 0)
			continue;
		found = &xl_cmds[i];
		if (!strcmp(found->name, name)) {
			*n = 1;
			return found;
		}
		++*n;
	}
	return *n == 1 ? found : NULL;
}

void xl_cmd_help(const struct xl_cmd *cmd)
{
	if (cmd) {
		printf("Usage: xl [-vtT%s%s] %s %s\n\n%s.\n\n",
		       cmd->force ? "f" : "", cmd->dryrun ? "N" : "", cmd->name,
		       cmd->usage, cmd->summary);
		if (*cmd->options || xl_cmd_lists(cmd))
			printf("Options:\n\n");
		if (*cmd->options)
			printf("%s\n", cmd->options);
		if (xl_cmd_lists(cmd))
			printf("--json                  Print one JSON document.\n");
		return;
	}
	printf("Usage xl [-vfNtT] <subcommand> [args]\n\n"
	       "xl full list of subcommands:\n\n");
	for (size_t i = 0; i < xl_ncmds; i++)
		printf(" %-19s %s\n", xl_cmds[i].name, xl_cmds[i].summary);
}

/* A wrong way to use a verb; -1: getopt has refused an option. */
static int misused(const struct xl_cmd *cmd, char **argv, int nargs)
{
	char remedy[40];

	snprintf(remedy, sizeof(remedy), "xl help %s",
		 cmd ? cmd->name : argv[0]);
	if (nargs >= 0)
		xl_error(argv[0], remedy,
			 "'xl %s' requires at least %d argument%s.", argv[0],
			 nargs, nargs == 1 ? "" : "s");
	else if (xl_opts.json)
		xl_error(argv[0], remedy,
			 "'%s' is no option of xl %s, or lacks its value",
			 argv[optind - 1], argv[0]);
	if (nargs >= 0 && !xl_opts.json) {
		fprintf(stderr, "\n");
		xl_cmd_help(cmd);
	}
	return nargs < 0 && cmd && cmd->run == xl_cmd_create ? XL_EXIT_USAGE
							     : XL_EXIT_FAIL;
}

int xl_getopt(int argc, char **argv, const char *shorts,
	      const struct option *longs, int nargs, int *status)
{
	static const struct option none[] = { { 0 } };
	const struct xl_cmd *cmd;
	char opts[64];
	size_t n;
	int opt;

	/* With '+', which comes first, the first argument ends them. */
	snprintf(opts, sizeof(opts), "%sh%s", *shorts == '+' ? "+" : "",
		 shorts + (*shorts == '+'));
	opt = getopt_long(argc, argv, opts, longs ? longs : none, NULL);
	if (opt != -1 && opt != 'h' && opt != '?')
		return opt;
	cmd = xl_cmd_find(argv[0], &n);
	if (opt == -1 && argc - optind >= nargs)
		return -1;
	if (opt == 'h') {
		xl_cmd_help(cmd);
		*status = 0;
	} else {
		*status = misused(cmd, argv, opt == '?' ? -1 : nargs);
	}
	return 0;
}

bool xl_no_options(int argc, char **argv, int nargs, int *status)
{
	return xl_getopt(argc, argv, "", NULL, nargs, status) == -1;
}

bool xl_take_json(int *argc, char **argv)
{
	for (int i = 1; i < *argc; i++) {
		if (!strcmp(argv[i], "--"))
			return false;
		if (strcmp(argv[i], "--json") != 0)
			continue;
		for (int n = i; n < *argc; n++)
			argv[n] = argv[n + 1];
		--*argc;
		return true;
	}
	return false;
}

int xl_dom_info(unsigned int domid, struct dom_info *info)
{
	struct dom *dom;
	int ret = dom_ask(&dom, domid);

	if (ret)
		return ret;
	ret = dom_asked(dom, info);
	dom_free(dom);
	return ret;
}

uint64_t xl_uptime_s(const struct dom_info *info)
{
	struct timespec now;
	uint64_t ns;

	clock_gettime(CLOCK_REALTIME, &now);
	ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	/* The clock may have been put back. */
	return ns > info->start_ns ? (ns - info->start_ns) / 1000000000u : 0;
}

int xl_no_domain(const char *who)
{
	xl_error(who, "see `xl list`",
		 "%s is an invalid domain identifier (rc=%d)", who, -6);
	return XL_EXIT_FAIL;
}

int xl_find_domain(const char *who, unsigned int *domid)
{
	if (!strcmp(who, "0") || !strcmp(who, "Domain-0")) {
		*domid = 0;
		return 0;
	}
	if (!xl_run_find(who, domid))
		return 0;
	(void)!xl_no_domain(who);
	return -ENOENT;
}

/* What is shown: of one way or the other. */
struct shown {
	void (*host)(void);
	void (*guest)(const struct xl_dom *d);
	void (*asked)(const struct xl_dom *d, const struct dom_info *info,
		      int ret);
};

/* Few enough that connections to all of them may be open at the same time. */
#define ASK_AT_ONCE 64

/* All of them have the same time together: any number may hang. */
static void ask_some(struct xl_dom *doms, size_t n, const struct shown *s)
{
	struct dom *dom[ASK_AT_ONCE];
	int ret[ASK_AT_ONCE];
	uint64_t end, now;

	for (size_t i = 0; i < n; i++)
		ret[i] = dom_ask(&dom[i], doms[i].domid);
	end = util_clock_ns() + XL_ANSWER_MS * UINT64_C(1000000);
	for (size_t i = 0; i < n; i++) {
		struct dom_info info;

		if (!ret[i]) {
			now = util_clock_ns();
			dom_set_timeout(now < end ? (int)((end - now) / 1000000)
						  : 0);
			ret[i] = dom_asked(dom[i], &info);
			dom_free(dom[i]);
		}
		s->asked(&doms[i], &info, ret[i]);
	}
	dom_set_timeout(XL_ANSWER_MS);
}

static void show_guests(struct xl_dom *doms, size_t n, const struct shown *s)
{
	for (size_t i = 0; s->guest && i < n; i++)
		s->guest(&doms[i]);
	for (size_t i = 0; s->asked && i < n; i += ASK_AT_ONCE)
		ask_some(doms + i, MIN(n - i, ASK_AT_ONCE), s);
}

/* One that is named. */
static int show_domain(const char *who, const struct shown *s)
{
	struct xl_dom d;

	if (xl_find_domain(who, &d.domid))
		return XL_EXIT_FAIL;
	if (!d.domid && !s->host) {
		xl_error(who, "name a guest",
			 "domain 0 is this host: it has no such figures");
		return XL_EXIT_FAIL;
	}
	if (!d.domid)
		s->host();
	else if (!xl_run_name(d.domid, d.name))
		show_guests(&d, 1, s);
	return 0;
}

static int show_all(const struct shown *s)
{
	struct xl_dom *doms;
	size_t n;
	int ret;

	if (s->host)
		s->host();
	ret = xl_run_list(&doms, &n);
	if (ret) {
		log_err("'%s/dom' cannot be read: %s", paths_run(),
			strerror(-ret));
		return XL_EXIT_FAIL;
	}
	show_guests(doms, n, s);
	free(doms);
	return 0;
}

static int show(char **who, int n, const struct shown *s)
{
	int status = 0;

	if (n <= 0)
		return show_all(s);
	for (int i = 0; i < n; i++)
		status |= show_domain(who[i], s);
	return status;
}

int xl_each_domain(char **who, int n, void (*host)(void),
		   void (*guest)(const struct xl_dom *d))
{
	return show(who, n, &(struct shown){ .host = host, .guest = guest });
}

int xl_each_info(char **who, int n, void (*host)(void),
		 void (*guest)(const struct xl_dom *d,
			       const struct dom_info *info, int ret))
{
	return show(who, n, &(struct shown){ .host = host, .asked = guest });
}
