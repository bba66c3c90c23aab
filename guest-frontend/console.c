/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/console.c - the PV console's guest half. */
#include "guest-frontend/console.h"

#include <xen/xen.h>
#include <xen/errno.h>
#include <xen/hvm/params.h>
#include <xen/io/console.h>

#include "guest-frontend/events.h"
#include "guest-frontend/minilibc.h"
#include "guest-frontend/start.h"
#include "ring/stream.h"

static struct stream_writer out;
static struct stream_reader in;
static uint32_t port; /* 0: no ring yet */
static bool stuck;    /* the backend was waited for in vain */

int console_init(void)
{
	struct xencons_interface *page;
	struct stream_map out_map, in_map;
	uint32_t p;
	int ret;

	page = start_ring(HVM_PARAM_CONSOLE_PFN, HVM_PARAM_CONSOLE_EVTCHN, &p);
	if (!page)
		return -XEN_ENODEV;
	out_map = STREAM_MAP(page, out);
	in_map = STREAM_MAP(page, in);
	ret = stream_writer_attach(&out, &out_map, STREAM_WAKE_ALWAYS);
	if (!ret)
		ret = stream_reader_attach(&in, &in_map, STREAM_WAKE_EDGE);
	if (ret)
		return ret;
	port = p;
	events_use(port);
	return 0;
}

/* Whatever the backend does, there is one wait of a limited time. */
void console_write(const char *text, size_t n)
{
	uint64_t until = events_deadline(stuck ? 0 : CONSOLE_STUCK_NS), now;
	bool wake;
	int ret;

	while (port && n) {
		wake = false;
		ret = stream_write(&out, text, n, &wake);
		if (ret < 0)
			break; /* for ever */
		if (wake)
			events_send(port);
		text += ret;
		n -= (size_t)ret;
		now = events_now();
		stuck = n && now >= until;
		if (stuck)
			return;
		if (n)
			(void)events_wait(port, until - now);
	}
	if (n)
		start_print(text, n);
}

size_t console_read(char *buf, size_t n, uint64_t ns)
{
	uint64_t until = events_deadline(ns), now;
	bool wake = false;
	int ret = 0;

	while (port) {
		ret = stream_read(&in, buf, n, &wake);
		now = events_now();
		if (ret || now >= until)
			break;
		(void)events_wait(port, until - now);
	}
	if (wake)
		events_send(port);
	return ret > 0 ? (size_t)ret : 0;
}

void say(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = (size_t)vsnprintf(line, sizeof(line) - 2, fmt, ap);
	va_end(ap);
	n = n < sizeof(line) - 2 ? n : sizeof(line) - 3;
	line[n++] = '\r';
	line[n++] = '\n';
	console_write(line, n);
}
