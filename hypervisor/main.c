// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/main.c - sv-hypervisor: one process for one domain.
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/domsock.h"
#include "base/fd.h"
#include "base/jail.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/sandbox.h"
#include "base/storeuser.h"
#include "hypervisor/boot.h"
#include "hypervisor/conlog.h"
#include "hypervisor/domctl.h"
#include "hypervisor/layout.h"
#include "hypervisor/save.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vm.h"

#define DEFAULT_GRANT_FRAMES 64

/* Domain ids from here on are reserved (DOMID_FIRST_RESERVED of xen/xen.h). */
#define DOMID_LIMIT 0x7ff0

static const struct option options[] = {
	{ "domid", required_argument, NULL, 'd' },
	{ "name", required_argument, NULL, 'n' },
	{ "uuid", required_argument, NULL, 'u' },
	{ "memory", required_argument, NULL, 'm' },
	{ "vcpus", required_argument, NULL, 'c' },
	{ "maxvcpus", required_argument, NULL, 'C' },
	{ "kernel", required_argument, NULL, 'k' },
	{ "ramdisk", required_argument, NULL, 'r' },
	{ "cmdline", required_argument, NULL, 'a' },
	{ "max-grant-frames", required_argument, NULL, 'g' },
	{ "log", required_argument, NULL, 'l' },
	{ "ready-fd", required_argument, NULL, 'f' },
	{ "restore", required_argument, NULL, 'R' },
	{ "restore-after", required_argument, NULL, 'A' },
	{ "no-sandbox", no_argument, NULL, 'S' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void usage(void)
{
	fputs("Usage: sv-hypervisor --domid N --name NAME --uuid UUID "
	      "--memory KIB\n"
	      "         --vcpus ONLINE [--maxvcpus MAX] --kernel PATH "
	      "[--ramdisk PATH]\n"
	      "         [--cmdline STRING] [--max-grant-frames N] [--log PATH] "
	      "[--ready-fd N]\n"
	      "         [--restore FD --restore-after RECORD] "
	      "[--no-sandbox]\n"
	      "Runs one domain, paused at first; see sv-hypervisor(8).  "
	      "xl create starts it.\n",
	      stdout);
}

static uint64_t number(const char *option, const char *s, uint64_t min,
		       uint64_t max)
{
	uint64_t v;

	if (util_u64(s, max, &v) || v < min)
		die("--%s %s: must be a number from %llu to %llu", option, s,
		    (unsigned long long)min, (unsigned long long)max);
	return v;
}

static void parse_uuid(const char *s, uint8_t uuid[16])
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	char byte[3] = "";
	size_t n = 0;

	if (strlen(s) != strlen(form))
		goto bad;
	for (size_t i = 0; i < strlen(form); i++) {
		if ((form[i] == '-') != (s[i] == '-') ||
		    (s[i] != '-' && !strchr("0123456789abcdefABCDEF", s[i])))
			goto bad;
		if (s[i] == '-')
			continue;
		byte[n % 2] = s[i];
		if (n++ % 2)
			uuid[n / 2 - 1] = (uint8_t)strtoul(byte, NULL, 16);
	}
	return;
bad:
	die("--uuid %s: not of the form %s", s, form);
}

static void set_option(struct vm_config *cfg, int opt, const char *arg)
{
	switch (opt) {
	case 'd':
		cfg->domid =
			(unsigned int)number("domid", arg, 1, DOMID_LIMIT - 1);
		break;
	case 'n':
		cfg->name = arg;
		break;
	case 'u':
		parse_uuid(arg, cfg->uuid);
		break;
	case 'm':
		cfg->mem_kib = number("memory", arg, LAYOUT_MEM_MIN >> 10,
				      LAYOUT_MEM_MAX >> 10);
		break;
	case 'c':
		cfg->vcpus_online =
			(unsigned int)number("vcpus", arg, 1, VM_MAX_VCPUS);
		break;
	case 'C':
		cfg->vcpus_max =
			(unsigned int)number("maxvcpus", arg, 1, VM_MAX_VCPUS);
		break;
	case 'k':
		cfg->kernel = arg;
		break;
	case 'r':
		cfg->ramdisk = arg;
		break;
	case 'a':
		cfg->cmdline = arg;
		break;
	case 'g':
		cfg->max_grant_frames = (unsigned int)number(
			"max-grant-frames", arg, 1, GNTTAB_MAX_FRAMES);
		break;
	case 'l':
		cfg->log = arg;
		break;
	case 'f':
		cfg->ready_fd = (int)number("ready-fd", arg, 0, INT_MAX);
		break;
	case 'R':
		cfg->restore_fd = (int)number("restore", arg, 0, INT_MAX);
		break;
	case 'A':
		cfg->restore_seq =
			(uint32_t)number("restore-after", arg, 0, UINT32_MAX);
		break;
	case 'S':
		cfg->no_sandbox = true;
		break;
	case 'h':
		usage();
		exit(EXIT_SUCCESS);
	default:
		exit(EXIT_FAILURE); /* getopt has said why */
	}
}

static void parse_options(struct vm_config *cfg, int argc, char **argv)
{
	int opt;

	*cfg = (struct vm_config){
		.cmdline = "",
		.max_grant_frames = DEFAULT_GRANT_FRAMES,
		.ready_fd = -1,
		.restore_fd = -1,
	};
	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1)
		set_option(cfg, opt, optarg);
	if (optind < argc)
		die("%s: unexpected argument; see --help", argv[optind]);
	if (!cfg->domid || !cfg->name || !cfg->mem_kib || !cfg->vcpus_online ||
	    (!cfg->kernel && cfg->restore_fd < 0))
		die("--domid, --name, --memory, --vcpus and --kernel must be "
		    "given; see --help");
	if (strlen(cfg->name) == 0 || strlen(cfg->name) >= DOM_NAME_MAX)
		die("--name: must have 1 to %d bytes", DOM_NAME_MAX - 1);
	if (!cfg->vcpus_max)
		cfg->vcpus_max = cfg->vcpus_online;
	if (cfg->vcpus_online > cfg->vcpus_max)
		die("--vcpus %u: more than --maxvcpus %u", cfg->vcpus_online,
		    cfg->vcpus_max);
	if (cfg->ready_fd >= 0 && fd_cloexec(cfg->ready_fd, true))
		die("--ready-fd %d: not an open descriptor", cfg->ready_fd);
	if (cfg->restore_fd >= 0 && fd_cloexec(cfg->restore_fd, true))
		die("--restore %d: not an open descriptor", cfg->restore_fd);
}

/* Hold the domain's id as long as we live; Return: the lock's descriptor. */
static int lock_domid(unsigned int domid)
{
	char path[PATH_MAX];
	int fd = open(paths_dom(path, domid, "lock"),
		      O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		die("%s: %s; the directory must exist and be writable", path,
		    strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		die("--domid %u: in use by another process (%s is locked); "
		    "take another or destroy that domain",
		    domid, path);
	return fd;
}

static int make_signals(void)
{
	sigset_t set;

	vcpu_signals();
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int set_registers(struct vm *vm, const struct boot_entry *entry)
{
	int fd = vm->vcpus[0].fd;
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	if (ioctl(fd, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	boot_regs(entry, &regs, &sregs);
	if (ioctl(fd, KVM_SET_SREGS, &sregs) < 0 ||
	    ioctl(fd, KVM_SET_REGS, &regs) < 0)
		return -errno;
	return 0;
}

static int load(struct vm *vm, struct why *why)
{
	const struct boot_config config = {
		.kernel = vm->cfg.kernel,
		.initramfs = vm->cfg.ramdisk,
		.cmdline = vm->cfg.cmdline,
		.vcpus_max = vm->cfg.vcpus_max,
	};
	struct boot_entry entry;
	int ret;

	if (vm->cfg.restore_fd >= 0)
		return restore_vm(vm, vm->cfg.restore_fd, vm->cfg.restore_seq,
				  why);
	ret = boot_load(vm->mem, &config, &entry, why);
	if (ret)
		return ret;
	ret = set_registers(vm, &entry);
	if (ret)
		return why_set(why, ret, "vcpu 0: registers: %s",
			       strerror(-ret));
	return 0;
}

static int listen_to_clients(struct vm *vm, struct domctl **ctl,
			     struct why *why)
{
	char path[PATH_MAX];
	int ret;

	ret = domctl_new(ctl, vm, paths_dom(path, vm->cfg.domid, "hv.sock"));
	if (ret)
		return why_set(why, ret, "%s: %s", path, strerror(-ret));
	return 0;
}

/* Of files there must be some left: those of the domain, though it needs none. */
static int give_up_rights(const struct vm_config *cfg)
{
	char own[PATH_MAX];
	struct sandbox_user user;
	bool becomes = storeuser_domain(cfg->domid, &user);
	const struct jail_dir dir = { .path = paths_dom(own, cfg->domid, ""),
				      .keep_out = true,
				      .spare = true };
	const struct jail j = { .dirs = &dir,
				.ndirs = 1,
				.calls = jail_calls,
				.ncalls = jail_ncalls,
				.user = becomes ? &user : NULL };

#ifdef SV_SANITIZED
	/* What sanitizers ask for, with threads, is on no list. */
	return sandbox_enter();
#endif
	return cfg->no_sandbox ? sandbox_enter() : jail_enter(&j);
}

/* Messages go to the log, all rights are given up, the vCPUs wait for DOM_UNPAUSE. */
static int start(struct vm *vm, struct why *why)
{
	char prefix[32];
	int ret;

	snprintf(prefix, sizeof(prefix), "hypervisor dom%u", vm->cfg.domid);
	log_init(prefix, LOG_LVL_INFO);
	conlog_use();
	ret = give_up_rights(&vm->cfg);
	if (ret)
		return why_set(why, ret,
			       "cannot give up what it does not need: %s; "
			       "--no-sandbox does without",
			       strerror(-ret));
	for (unsigned int i = 0; i < vm->nvcpus; i++) {
		ret = vcpu_start(&vm->vcpus[i]);
		if (ret)
			return why_set(why, ret, "vcpu %u: thread: %s", i,
				       strerror(-ret));
	}
	return 0;
}

/* What messages and leave_terminal() will need: @null is /dev/null, -1 without a log. */
static int open_log(const struct vm_config *cfg, int *null, struct why *why)
{
	int ret = cfg->log ? conlog_open(cfg->log) : 0;

	*null = -1;
	if (ret)
		return why_set(why, ret, "--log %s: %s", cfg->log,
			       strerror(-ret));
	if (!cfg->log)
		return 0;
	*null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (*null < 0)
		return why_set(why, -errno, "/dev/null: %s", strerror(errno));
	return 0;
}

/* SYSCALLS: dup2 close */
static void leave_terminal(int *null)
{
	if (*null < 0)
		return;
	for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
		dup2(*null, i);
	fd_close(null);
}

static int timeout_ms(uint64_t next, uint64_t now)
{
	if (next == UINT64_MAX)
		return -1;
	if (next <= now)
		return 0;
	return (int)MIN((next - now + 999999) / 1000000, INT_MAX);
}

/*
 * What the loop and the C library ask for: time zones, for one, among files.
 *
 * SYSCALLS: poll read brk munmap unlink exit_group
 * SYSCALLS, at times: restart_syscall mremap madvise sysinfo sched_getaffinity
 * SYSCALLS, at times: clock_gettime gettimeofday getrandom getpid gettid
 * SYSCALLS, refused: openat/open access/faccessat/faccessat2 readlink/readlinkat
 */
static void serve(struct vm *vm, struct domctl *ctl, int signals)
{
	static struct pollfd fds[2 + DOMCTL_MAX_POLL];
	unsigned int n;
	eventfd_t v;
	uint64_t next, now;

	do {
		domctl_announce(ctl);
		fds[0] = (struct pollfd){ .fd = signals, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = vm->wake, .events = POLLIN };
		n = domctl_pollfds(ctl, fds + 2);
		now = util_clock_ns();
		next = MIN(vm_timers(vm, now), domctl_timer(ctl));
		if (poll(fds, n + 2, timeout_ms(next, now)) < 0)
			continue;
		if (fds[0].revents) {
			log_info("terminated by a signal");
			return;
		}
		if (fds[1].revents)
			(void)eventfd_read(vm->wake, &v);
	} while (domctl_serve(ctl, fds + 2, n));
	log_info("destroyed");
}

int main(int argc, char **argv)
{
	struct domctl *ctl = NULL;
	struct vm_config cfg;
	struct vm *vm = NULL;
	char path[PATH_MAX];
	struct why why;
	int lock, null, signals, ret;

	log_init("sv-hypervisor", LOG_LVL_INFO);
	/* One arena: vCPU threads allocate next to nothing. */
	mallopt(M_ARENA_MAX, 1);
	paths_init();
	parse_options(&cfg, argc, argv);
	lock = lock_domid(cfg.domid);
	fd_raise_limit();
	signals = make_signals();
	ret = vm_new(&vm, &cfg, &why);
	if (!ret)
		ret = load(vm, &why);
	if (!ret)
		ret = listen_to_clients(vm, &ctl, &why);
	if (!ret)
		ret = open_log(&cfg, &null, &why);
	if (!ret)
		ret = start(vm, &why);
	if (!ret) {
		leave_terminal(&null);
		fd_close(&vm->cfg.restore_fd);
		malloc_trim(0);
		log_info("%s: %llu KiB, %u of %u vcpus, %s", cfg.name,
			 (unsigned long long)cfg.mem_kib, cfg.vcpus_online,
			 cfg.vcpus_max, vm->engine->name);
		fd_ready(&cfg.ready_fd);
		serve(vm, ctl, signals);
	}
	domctl_free(ctl);
	vm_free(vm);
	unlink(paths_dom(path, cfg.domid, "lock"));
	close(lock);
	if (ret) {
		/* Whoever has started us reads it. */
		conlog_close();
		die("%s", why.text);
	}
	return EXIT_SUCCESS;
}
