/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/guest/hello/main.c - a guest that starts, looks around and ends. */
#include <stdint.h>
#include <xen/version.h>

#include "guest-frontend/console.h"
#include "guest-frontend/events.h"
#include "guest-frontend/grants.h"
#include "guest-frontend/hypercall.h"
#include "guest-frontend/pages.h"
#include "guest-frontend/start.h"

enum verdict guest_main(const char *cmdline)
{
	uint64_t began = events_now();
	long version;

	say("hello up_us=%lu pages=%zu grants=%u",
	    (began - events_at(start_tsc)) / 1000, pages_left(),
	    grants_free_refs());
	say("hello cmdline=%s", cmdline);
	version = hypercall_xen_version(XENVER_version, NULL);
	hypercall_direct();
	if (hypercall_xen_version(XENVER_version, NULL) != version)
		return VERDICT_FAILURE;
	say("hello xen=%ld.%ld", version >> 16, version & 0xffff);
	events_sleep(20000000);
	if (events_now() - began < 20000000)
		return VERDICT_FAILURE;
	return VERDICT_SUCCESS;
}
