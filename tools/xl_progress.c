// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_progress.c - how far memory has been written, for who sits at a terminal.
#include "tools/xl_progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/util.h"

#define EVERY_NS UINT64_C(200000000)

void xl_progress_init(struct xl_progress *p)
{
	*p = (struct xl_progress){ .on = isatty(STDERR_FILENO) };
}

void xl_progress_tell(struct xl_progress *p, uint64_t at, uint64_t total,
		      uint64_t written)
{
	uint64_t now = p->on ? util_clock_ns() : 0;

	if (!p->on || !total || now < p->next_ns)
		return;
	p->next_ns = now + EVERY_NS;
	p->shown = true;
	fprintf(stderr, "\rmemory: ");
	if (p->round > 1)
		fprintf(stderr, "round %u, ", p->round);
	fprintf(stderr, "%3llu%%, %llu MiB written ",
		(unsigned long long)(at * 100 / total),
		(unsigned long long)(written >> (20 - SV_PAGE_SHIFT)));
	fflush(stderr);
}

void xl_progress_end(struct xl_progress *p)
{
	if (p->shown)
		fprintf(stderr, "\r%40s\r", "");
	p->shown = false;
	p->next_ns = 0;
}
