// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/fakehv_main.c - stands in for sv-hypervisor where there is no KVM.
//
// Takes the same options and serves the domain socket.  A kernel that is a program
// is run in its place: a process domain (procdom_main.c).  For any other, signals
// play the guest: USR1 powers off, USR2 reboots, ALRM crashes.  One whose name ends
// in "refuse" is refused with one line, as a bad image would be; one that ends in
// "hang" is never ready.
#include <errno.h>
#include <pthread.h>
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
#include "tests/lib/hvopts.h"

static bool ends_in(const char *s, const char *end)
{
	size_t len = strlen(s), n = strlen(end);

	return len >= n && !strcmp(s + len - n, end);
}

static void *idle(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* Threads that are called what a VMM's are. */
static void start_vcpus(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		char name[16];
		pthread_t t;

		snprintf(name, sizeof(name), "vcpu %u", i);
		if (pthread_create(&t, NULL, idle, NULL) ||
		    pthread_setname_np(t, name))
			die("%s: no thread", name);
	}
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
	struct hvopts o;
	struct fakedom *f;
	sigset_t set;

	paths_init();
	hvopts_read(&o, argc, argv);
	if (ends_in(o.kernel, "refuse"))
		die("kernel '%s': not a kernel (a test says so)", o.kernel);
	if (access(o.kernel, X_OK) == 0) {
		execv(o.kernel, argv);
		die("kernel '%s' is a program, but does not run: %s", o.kernel,
		    strerror(errno));
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	start_vcpus(o.vcpus);
	f = hvopts_domain(&o);
	if (!ends_in(o.kernel, "hang"))
		fd_ready(&o.ready);
	play(f, &set);
	return 0;
}
