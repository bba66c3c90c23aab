// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/gdb_fuzz.c - what a GDB may send, and a domain that it is sent for.
//
// FUZZ: F20; max_len 4096
//
// A line of the input is a packet's body, which gets its frame here; behind 0xff it
// is sent as it is; behind 0xfe its next byte is an event.  What is said is whole
// packets, one for each that is understood, and what the VMM is asked for is within
// what it knows.
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/fuzz.h"
#include "tools/gdb.h"

#define CPUS 3

static struct gdb g;
static struct dom_msg news;
static bool has_news;
static size_t packets; /* said */
static bool fails;     /* what the VMM is asked */

static int call(void *arg, struct dom_msg *msg)
{
	const struct dom_debug *d = &msg->u.debug;

	(void)arg;
	switch (msg->type) {
	case DOM_DEBUG:
		assert(d->run >> CPUS == 0 && !(d->step & ~d->run));
		assert(d->nwatches <= DOM_WATCHES);
		break;
	case DOM_BREAK:
		assert(msg->u.brk.id < CPUS && msg->u.brk.on <= 1);
		break;
	case DOM_REGS:
	case DOM_SET_REGS:
		assert(msg->u.regs.id < CPUS);
		break;
	case DOM_PEEK:
	case DOM_POKE:
		assert(msg->u.peek.id < CPUS);
		assert(msg->u.peek.len <= DOM_PEEK_MAX);
		break;
	default:
		abort();
	}
	return fails ? -EFAULT : 0;
}

static int event(void *arg, struct dom_msg *msg)
{
	bool had = has_news;

	(void)arg;
	if (had)
		*msg = news;
	has_news = false;
	return had;
}

static int said(void *arg, const void *buf, size_t len)
{
	const char *p = buf;
	uint8_t sum = 0;
	char end[4];

	(void)arg;
	if (len == 1) {
		assert(*p == '+' || *p == '-');
		return 0;
	}
	assert(len >= 4 && len <= GDB_PACKET + 4 && *p == '$');
	for (size_t i = 1; i < len - 3; i++) {
		assert(p[i] != '$' && p[i] != '#' && p[i] != '}');
		sum = (uint8_t)(sum + (uint8_t)p[i]);
	}
	snprintf(end, sizeof(end), "#%02x", sum);
	assert(!memcmp(p + len - 3, end, 3));
	packets++;
	return 0;
}

static const struct gdb_ops ops = { call, event, said };

static int tell(uint8_t what)
{
	news = (struct dom_msg){ .type = what & 1 ? DOM_EV_STOPPED
						  : DOM_EV_SHUTDOWN };
	if (what & 1)
		news.u.stopped = (struct dom_stopped){ what >> 1 & 3,
						       what >> 3 & 3,
						       what >> 5 & 7, 0 };
	else
		news.u.info.reason = what >> 1 & 7;
	fails = what == 0xfe;
	has_news = true;
	return gdb_events(&g);
}

static int packet(const uint8_t *body, size_t len)
{
	bool was_running = g.running;
	uint8_t sum = 0;
	char end[4];
	size_t before = packets;
	int ret;

	for (size_t i = 0; i < len; i++) {
		if (body[i] == '#')
			len = i;
		else
			sum = (uint8_t)(sum + body[i]);
	}
	snprintf(end, sizeof(end), "#%02x", sum);
	ret = gdb_take(&g, "$", 1);
	if (!ret)
		ret = gdb_take(&g, body, len);
	if (!ret)
		ret = gdb_take(&g, end, 3);
	if (!ret && !was_running && g.state == GDB_IDLE)
		assert(packets == before + !g.running);
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size, *next;
	int ret;

	fails = false;
	has_news = false;
	ret = gdb_begin(&g, &ops, NULL, CPUS);
	for (; data < end && !ret; data = next + (next < end)) {
		uint8_t *line;
		size_t n;

		next = memchr(data, '\n', (size_t)(end - data));
		next = next ? next : end;
		n = (size_t)(next - data);
		line = fuzz_tight(data, n);
		if (n && line[0] == 0xff)
			ret = gdb_take(&g, line + 1, n - 1);
		else if (n > 1 && line[0] == 0xfe)
			ret = tell(line[1]);
		else if (g.state == GDB_IDLE)
			ret = packet(line, n);
		free(line);
	}
	return 0;
}
