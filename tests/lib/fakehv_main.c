// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/fakehv_main.c - stands in for sv-hypervisor where there is no KVM.
//
// Takes the same options and serves the domain socket.  Signals play the guest:
// USR1 powers off, USR2 reboots, ALRM crashes.  A kernel whose name ends in
// "refuse" is refused with one line, as a bad image would be; one that ends in
// "hang" is never ready.
#include <getopt.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/sched.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "tests/lib/fakedom.h"

enum {
	DOMID,
	NAME,
	UUID,
	MEMORY,
	VCPUS,
	MAXVCPUS,
	KERNEL,
	RAMDISK,
	CMDLINE,
	FRAMES,
	LOG,
	READY,
	NOPTIONS
};

static const char *const names[] = {
	"domid",  "name",    "uuid",	"memory",	    "vcpus", "maxvcpus",
	"kernel", "ramdisk", "cmdline", "max-grant-frames", "log",   "ready-fd",
};
_Static_assert(ARRAY_SIZE(names) == NOPTIONS, "a name for each option");

static unsigned int number(const char *s)
{
	uint64_t n;

	if (!s || util_u64(s, UINT32_MAX, &n))
		die("fakehv: not a number: %s", s ? s : "(absent)");
	return (unsigned int)n;
}

static void read_options(int argc, char **argv, const char **value)
{
	struct option longs[NOPTIONS + 1] = { 0 };
	int i;

	for (i = 0; i < NOPTIONS; i++)
		longs[i] = (struct option){ names[i], required_argument, NULL,
					    1000 + i };
	while ((i = getopt_long(argc, argv, "", longs, NULL)) >= 1000)
		value[i - 1000] = optarg;
	if (i != -1 || optind != argc)
		die("fakehv: bad options");
}

static void read_uuid(const char *s, uint8_t uuid[16])
{
	for (int i = 0; i < 16; i++, s += 2) {
		s += *s == '-';
		if (sscanf(s, "%2hhx", &uuid[i]) != 1)
			die("fakehv: bad uuid");
	}
}

static bool ends_in(const char *s, const char *end)
{
	size_t len = strlen(s), n = strlen(end);

	return len >= n && !strcmp(s + len - n, end);
}

static void play(struct fakedom *f, const sigset_t *set)
{
	int sig;

	while (sigwait(set, &sig) == 0) {
		if (sig == SIGTERM)
			exit(0);
		fakedom_shutdown(f, sig == SIGUSR1   ? SHUTDOWN_poweroff
				    : sig == SIGUSR2 ? SHUTDOWN_reboot
						     : SHUTDOWN_crash);
	}
}

int main(int argc, char **argv)
{
	const char *value[NOPTIONS] = { 0 };
	struct fakedom *f;
	uint8_t uuid[16];
	sigset_t set;
	int ready;

	paths_init();
	read_options(argc, argv, value);
	if (!value[NAME] || !value[UUID] || !value[KERNEL] || !value[LOG])
		die("fakehv: an option is missing");
	if (ends_in(value[KERNEL], "refuse"))
		die("kernel '%s': not a kernel (a test says so)",
		    value[KERNEL]);
	ready = (int)number(value[READY]);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	read_uuid(value[UUID], uuid);
	f = fakedom_new(number(value[DOMID]), number(value[MEMORY]) / 4);
	fakedom_present(f, value[NAME], uuid, number(value[VCPUS]),
			number(value[MAXVCPUS]));
	if (!freopen(value[LOG], "ae", stderr) ||
	    !freopen(value[LOG], "ae", stdout))
		die("fakehv: no log");
	if (!ends_in(value[KERNEL], "hang"))
		fd_ready(&ready);
	play(f, &set);
	return 0;
}
