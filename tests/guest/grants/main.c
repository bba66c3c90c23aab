/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/guest/grants/main.c - the grant table, and copies through it. */
#include <stdint.h>
#include <xen/errno.h>
#include <xen/grant_table.h>

#include "guest-frontend/console.h"
#include "guest-frontend/grants.h"
#include "guest-frontend/hypercall.h"
#include "guest-frontend/minilibc.h"
#include "guest-frontend/pages.h"
#include "guest-frontend/start.h"
#include "guest-frontend/xenbus.h"

#define MAX_REFS 16384u
#define CYCLES	 10u

static unsigned int failed, self;
static uint8_t *from, *to;

static void check(bool good, const char *what)
{
	say("grants %s %s", what, good ? "ok" : "failed");
	failed += !good;
}

/* Every reference is given out once, and all come back. */
static void all_refs(void)
{
	static uint32_t ref[MAX_REFS];
	static uint8_t seen[MAX_REFS];
	unsigned int n, all = grants_free_refs(), twice = 0, kept = 0;

	for (unsigned int cycle = 0; cycle < CYCLES; cycle++) {
		memset(seen, 0, sizeof(seen));
		for (n = 0; n < MAX_REFS; n++) {
			ref[n] = grants_give(0, from, n & 1);
			if (ref[n] == GRANTS_NONE)
				break;
			twice += ref[n] >= MAX_REFS || seen[ref[n]]++;
		}
		kept += n != all || grants_free_refs() != 0;
		while (n--)
			kept += grants_end(ref[n]) != 0;
	}
	check(!twice, "each reference once");
	check(!kept && grants_free_refs() == all, "all come back");
}

/* Copy @len bytes from a grant to a page of ours; Return: GNTST_*. */
static int copy_from(uint32_t ref, unsigned int at, unsigned int len)
{
	struct gnttab_copy c = {
		.source = { .u.ref = ref,
			    .domid = DOMID_SELF,
			    .offset = (uint16_t)at },
		.dest = { .u.gmfn = page_gfn(to),
			  .domid = DOMID_SELF,
			  .offset = (uint16_t)at },
		.len = (uint16_t)len,
		.flags = GNTCOPY_source_gref,
		.status = 1,
	};

	if (hypercall_grant_table_op(GNTTABOP_copy, &c, 1))
		return 1;
	return c.status;
}

static int copy_to(uint32_t ref, unsigned int len)
{
	struct gnttab_copy c = {
		.source = { .u.gmfn = page_gfn(to), .domid = DOMID_SELF },
		.dest = { .u.ref = ref, .domid = DOMID_SELF },
		.len = (uint16_t)len,
		.flags = GNTCOPY_dest_gref,
		.status = 1,
	};

	if (hypercall_grant_table_op(GNTTABOP_copy, &c, 1))
		return 1;
	return c.status;
}

static void copies(void)
{
	uint32_t ref = grants_give(self, from, true), foreign;

	for (unsigned int i = 0; i < PAGE_BYTES; i++)
		from[i] = (uint8_t)(i * 13 + i / 251);
	memset(to, 0xaa, PAGE_BYTES);
	check(copy_from(ref, 100, 1000) == GNTST_okay &&
		      !memcmp(to + 100, from + 100, 1000) && to[99] == 0xaa &&
		      to[1100] == 0xaa,
	      "copy");
	check(copy_from(ref, 0, PAGE_BYTES) == GNTST_okay &&
		      !memcmp(to, from, PAGE_BYTES),
	      "copy of a page");
	check(copy_from(ref, 1, PAGE_BYTES) == GNTST_bad_copy_arg,
	      "beyond the page");
	check(copy_to(ref, 16) < 0, "read-only");
	foreign = grants_give(self + 1, from, false);
	check(copy_from(foreign, 0, 16) < 0, "another domain's");
	check(copy_from(MAX_REFS * 4, 0, 16) == GNTST_bad_gntref,
	      "beyond the table");
	check(grants_end(foreign) == 0 && grants_end(ref) == 0, "ended");
	check(copy_from(ref, 0, 16) < 0, "after its end");
}

enum verdict guest_main(const char *cmdline)
{
	uint64_t domid;

	(void)cmdline;
	from = pages_alloc(1);
	to = pages_alloc(1);
	if (!from || !to || xenbus_init() ||
	    xenbus_read_u64(XENBUS_NO_TXN, DOMID_FIRST_RESERVED, &domid,
			    "domid"))
		return VERDICT_ERROR;
	self = (unsigned int)domid;
	all_refs();
	copies();
	return failed ? VERDICT_FAILURE : VERDICT_SUCCESS;
}
