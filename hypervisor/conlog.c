// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/conlog.c - a guest's early output, and a log that cannot grow.
#include "hypervisor/conlog.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/log.h"
#include "hypervisor/hypercall.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vm.h"

static int log_fd = -1;

int conlog_open(const char *path)
{
	log_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (log_fd < 0)
		return -errno;
	log_hold(log_fd);
	return 0;
}

void conlog_use(void)
{
	if (log_fd < 0)
		return;
	log_set_cap(CONLOG_MAX);
	log_to_fd(log_fd);
}

void conlog_close(void)
{
	log_set_cap(0);
	log_to_fd(-1);
}

static void fill(struct conlog *c)
{
	uint64_t now = util_clock_ns();
	uint64_t ms = (now - c->last) / 1000000;

	if (c->last == 0) {
		c->tokens = CONLOG_BURST;
		c->last = now;
	} else if (ms) {
		ms = MIN(ms, CONLOG_BURST);
		c->tokens =
			MIN(c->tokens + ms * CONLOG_RATE / 1000, CONLOG_BURST);
		c->last = now;
	}
}

void conlog_flush(struct conlog *c)
{
	char text[CONLOG_LINE * 4 + 1];
	uint64_t cost = c->len + 64; /* a line has a time stamp */

	if (!c->len)
		return;
	fill(c);
	/* Once dry, wait for a second's worth: not one line now and then. */
	if (c->tokens < (c->lost ? CONLOG_RATE : cost)) {
		c->lost += c->len;
		c->len = 0;
		return;
	}
	c->tokens -= cost;
	if (c->lost)
		log_warn("the guest prints too fast: %llu bytes left out",
			 (unsigned long long)c->lost);
	c->lost = 0;
	log_info("guest: %s", util_escape(text, sizeof(text), c->line, c->len));
	c->len = 0;
}

void conlog_put(struct conlog *c, const void *buf, size_t len)
{
	const uint8_t *at = buf;

	for (size_t i = 0; i < len; i++) {
		if (at[i] == '\n') {
			conlog_flush(c);
		} else if (at[i] != '\r') {
			c->line[c->len++] = at[i];
			if (c->len == CONLOG_LINE)
				conlog_flush(c);
		}
	}
}

/*
 * console_io(cmd, count, buffer).  Writing is for every guest, as in debug
 * builds of Xen; reading is the control domain's.
 */
int64_t hc_console_io(struct hc *hc)
{
	uint32_t count = (uint32_t)hc->arg[1];
	uint8_t chunk[128];
	size_t n;

	if (hc->arg[0] != CONSOLEIO_write)
		return -EPERM;
	for (unsigned int i = 0; hc->done < count; i++, hc->done += n) {
		if (i == HC_BATCH)
			return HC_AGAIN;
		n = MIN(count - (size_t)hc->done, sizeof(chunk));
		if (hc_read(hc, chunk, hc->arg[2] + hc->done, n))
			return -EFAULT;
		conlog_put(&hc->vm->conlog, chunk, n);
	}
	return 0;
}
