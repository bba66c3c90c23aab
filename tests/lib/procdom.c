// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/procdom.c - frontends in a process: a domain that needs no vCPU.
#include "tests/lib/procdom.h"

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <xen/errno.h>
#include <xen/hvm/params.h>

#include "guest-frontend/events.h"
#include "guest-frontend/grants.h"
#include "guest-frontend/pages.h"
#include "guest-frontend/start.h"

#define NS UINT64_C(1000000000)

static struct fakedom *dom;
static uint64_t half; /* pages of each region */

static void add_region(uint64_t n)
{
	uintptr_t at = (uintptr_t)fakedom_page(dom, fakedom_alloc(dom, n));

	pages_add(at, at + n * PAGE_BYTES);
}

void procdom_use(struct fakedom *f)
{
	dom = f;
	half = fakedom_pages(f) / 2;
	/* gfn 0 is nobody's. */
	add_region(half - 1);
	add_region(half);
	if (grants_init(FAKEDOM_GNT_FRAMES)) {
		fprintf(stderr, "procdom: no grant table\n");
		abort();
	}
}

/* ---- start.h, pages.h ------------------------------------------------------ */

uint64_t page_gfn(const void *p)
{
	uint64_t n =
		((uintptr_t)p - (uintptr_t)fakedom_page(dom, 0)) / PAGE_BYTES;

	return n < half ? n : n - half + FAKEDOM_HIGH;
}

void *start_ring(uint32_t pfn_param, uint32_t port_param, uint32_t *port)
{
	(void)port_param;
	if (pfn_param == HVM_PARAM_STORE_PFN) {
		*port = FAKEDOM_STORE_PORT;
		return fakedom_store_page(dom);
	}
	*port = FAKEDOM_CONSOLE_PORT;
	return fakedom_console_page(dom);
}

void *start_grant_table(unsigned int frames)
{
	fakedom_grow(dom, frames);
	return fakedom_entry(dom, 0);
}

void start_print(const char *text, size_t n)
{
	fwrite(text, 1, n, stderr);
}

void start_down(unsigned int reason)
{
	fakedom_shutdown(dom, reason);
	for (;;)
		pause(); /* the toolstack will destroy us */
}

int start_suspend(unsigned int reason)
{
	return fakedom_suspend(dom, reason);
}

/* ---- events.h -------------------------------------------------------------- */

int events_init(void)
{
	return 0;
}

void events_use(uint32_t port)
{
	(void)port;
}

int events_alloc(unsigned int remote, uint32_t *port)
{
	if (remote)
		return -XEN_ENOENT;
	*port = fakedom_port(dom);
	return 0;
}

int events_bind(unsigned int remote, uint32_t peer, uint32_t *port)
{
	(void)remote;
	(void)peer;
	(void)port;
	return -XEN_ENOSYS;
}

void events_close(uint32_t port)
{
	fakedom_port_close(dom, port);
}

void events_send(uint32_t port)
{
	fakedom_send(dom, port);
}

bool events_take(uint32_t port)
{
	uint64_t n;

	return read(fakedom_port_fd(dom, port), &n, sizeof(n)) == sizeof(n);
}

bool events_wait(uint32_t port, uint64_t ns)
{
	struct pollfd p = { .fd = fakedom_port_fd(dom, port),
			    .events = POLLIN };
	struct timespec t = { .tv_sec = (time_t)(ns / NS),
			      .tv_nsec = (long)(ns % NS) };

	if (ppoll(&p, 1, ns == EVENTS_FOREVER ? NULL : &t, NULL) <= 0)
		return false;
	return events_take(port);
}

void events_sleep(uint64_t ns)
{
	struct timespec t = { .tv_sec = (time_t)(ns / NS),
			      .tv_nsec = (long)(ns % NS) };

	nanosleep(&t, NULL);
}

static uint64_t read_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

uint64_t events_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t events_wall(void)
{
	return read_clock(CLOCK_REALTIME);
}

uint64_t events_deadline(uint64_t ns)
{
	uint64_t now = events_now();

	return ns < EVENTS_FOREVER - now ? now + ns : EVENTS_FOREVER;
}
