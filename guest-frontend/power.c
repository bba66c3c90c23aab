/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/power.c - what the toolstack asks of the whole guest. */
#include "guest-frontend/power.h"

#include <xen/errno.h>

#include "guest-frontend/console.h"
#include "guest-frontend/events.h"
#include "guest-frontend/grants.h"
#include "guest-frontend/minilibc.h"
#include "guest-frontend/start.h"
#include "guest-frontend/xenbus.h"

#define NODE "control/shutdown"

static const struct {
	const char *name;
	enum power power;
} requests[] = {
	{ "", POWER_NONE },	      { "poweroff", POWER_OFF },
	{ "halt", POWER_OFF },	      { "reboot", POWER_REBOOT },
	{ "suspend", POWER_SUSPEND },
};

int power_init(void)
{
	static const char *const can[] = { "poweroff", "reboot", "suspend" };
	int ret = 0;

	for (unsigned int i = 0; !ret && i < sizeof(can) / sizeof(can[0]); i++)
		ret = xenbus_write(XENBUS_NO_TXN, "1", "control/feature-%s",
				   can[i]);
	return ret ? ret : xenbus_watch(NODE, NODE);
}

/* The node is read and emptied at once, or a second request could be lost. */
static int take(void)
{
	int power = POWER_OTHER;
	char asked[32];
	uint32_t txn;
	int ret, ended;

	do {
		ret = xenbus_begin(&txn);
		if (ret)
			return ret;
		ret = xenbus_read(txn, asked, sizeof(asked), NODE);
		if (ret > 0)
			ret = xenbus_write(txn, "", NODE);
		ended = xenbus_end(txn, ret >= 0);
	} while (ended == -XEN_EAGAIN);
	if (ret == -XEN_ENOENT)
		return (int)POWER_NONE;
	if (ret < 0 || ended)
		return ret < 0 ? ret : ended;
	for (unsigned int i = 0; i < sizeof(requests) / sizeof(requests[0]);
	     i++) {
		if (!strcmp(asked, requests[i].name))
			power = (int)requests[i].power;
	}
	return power;
}

int power_wait(uint64_t ns)
{
	uint64_t until = events_deadline(ns), now;
	char path[32], token[XENBUS_TOKEN_MAX];
	int ret;

	for (;;) {
		ret = take();
		now = events_now();
		if (ret != POWER_NONE || now >= until)
			return ret;
		ret = xenbus_next_watch(path, sizeof(path), token, until - now);
		if (ret < 0 && ret != -XEN_EOVERFLOW)
			return ret;
	}
}

int power_suspend(unsigned int reason)
{
	int ret = start_suspend(reason);

	if (ret)
		return ret;
	ret = grants_resume();
	if (!ret)
		ret = console_init();
	if (!ret)
		ret = xenbus_init();
	return ret ? ret : power_init();
}
