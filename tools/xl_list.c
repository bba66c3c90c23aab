// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_list.c - the table that `xl list` prints.
#include "tools/xl_list.h"

#include <stdio.h>
#include <string.h>

#include "tools/xl_cfg.h"

/* Scripts split these lines by columns and blanks: every character counts. */
void xl_list_header(unsigned int columns)
{
	printf("Name                                        ID   Mem VCPUs\tState\tTime(s)");
	if (columns & XL_LIST_UUID)
		printf("   UUID                            Reason-Code\tSecurity Label");
	else if (columns & XL_LIST_LABEL)
		printf("   Security Label");
	if (columns & XL_LIST_CLAIM)
		printf("  Claimed");
	if (columns & XL_LIST_POOL)
		printf("         Cpupool");
	if (columns & XL_LIST_NUMA)
		printf(" NODE Affinity");
	printf("\n");
}

/* Letter of a shutdown reason; '?' for those that Xen does not know. */
static char reason_letter(uint32_t reason)
{
	static const char letters[] = "-rscwS";

	return reason < strlen(letters) ? letters[reason] : '?';
}

const char *xl_list_state(uint32_t state)
{
	return state & DOM_SHUTDOWN  ? "shutdown"
	       : state & DOM_PAUSED  ? "paused"
	       : state & DOM_RUNNING ? "running"
	       : state & DOM_BLOCKED ? "blocked"
				     : "ready";
}

void xl_list_row(const struct xl_row *r, unsigned int columns)
{
	bool down = r->state & DOM_SHUTDOWN;
	char uuid[XL_UUID_LEN];

	printf("%-40s %5u %5llu %5u     %c%c%c%c%c%c  %8.1f", r->name, r->domid,
	       (unsigned long long)(r->mem_kib / 1024), r->vcpus,
	       r->state & DOM_RUNNING && !down ? 'r' : '-',
	       r->state & DOM_BLOCKED && !down ? 'b' : '-',
	       r->state & DOM_PAUSED ? 'p' : '-', down ? 's' : '-',
	       down ? reason_letter(r->reason) : '-', '-',
	       (double)r->cpu_ns / 1e9);
	if (columns & XL_LIST_UUID) {
		printf(" %s", xl_uuid_format(uuid, r->uuid));
		if (down)
			printf(" %8x", r->reason);
		else
			printf(" %8s", "-");
	}
	if (columns & (XL_LIST_UUID | XL_LIST_LABEL))
		printf(" %16s", "-");
	if (columns & XL_LIST_CLAIM)
		printf(" %5u", 0u); /* memory is there when a domain is */
	if (columns & XL_LIST_POOL)
		printf("%16s", "Pool-0");
	if (columns & XL_LIST_NUMA)
		printf(" %s", "all");
	printf("\n");
}
