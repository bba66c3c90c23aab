// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/procdom_main.c - a guest of tests/guest/ as a process domain.
//
// sv-fakehv runs it in place of a VMM when it is a domain's kernel: xl makes,
// lists, pauses (until it has begun) and destroys it as any other.
#include <stdint.h>
#include <xen/xen.h>
#include <xen/sched.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "guest-frontend/console.h"
#include "guest-frontend/start.h"
#include "tests/lib/hvopts.h"
#include "tests/lib/procdom.h"

int main(int argc, char **argv)
{
	struct fakedom *f;
	struct hvopts o;

	paths_init();
	hvopts_read(&o, argc, argv);
	f = hvopts_domain(&o);
	procdom_use(f);
	fd_ready(&o.ready);
	fakedom_wait_run(f);
	start_guest(o.cmdline);
}
