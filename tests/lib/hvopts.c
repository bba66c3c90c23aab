// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/hvopts.c - sv-hypervisor's options, for those who stand in for it.
#include "tests/lib/hvopts.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/savefile.h"
#include "base/util.h"

enum {
	DOMID,
	NAME,
	UUID,
	MEMORY,
	VCPUS,
	MAXVCPUS,
	KERNEL,
	RAMDISK,
	CMDLINE,
	FRAMES,
	LOG,
	READY,
	RESTORE,
	AFTER,
	NOPTIONS
};

static const char *const names[] = {
	"domid",    "name",	"uuid",	   "memory",	    "vcpus",
	"maxvcpus", "kernel",	"ramdisk", "cmdline",	    "max-grant-frames",
	"log",	    "ready-fd", "restore", "restore-after",
};
_Static_assert(ARRAY_SIZE(names) == NOPTIONS, "a name for each option");

static unsigned int number(const char *s)
{
	uint64_t n;

	if (!s || util_u64(s, UINT32_MAX, &n))
		die("not a number: %s", s ? s : "(absent)");
	return (unsigned int)n;
}

static void read_options(int argc, char **argv, const char **value)
{
	struct option longs[NOPTIONS + 1] = { 0 };
	int i;

	for (i = 0; i < NOPTIONS; i++)
		longs[i] = (struct option){ names[i], required_argument, NULL,
					    1000 + i };
	while ((i = getopt_long(argc, argv, "", longs, NULL)) >= 1000)
		value[i - 1000] = optarg;
	if (i != -1 || optind != argc)
		die("bad options");
}

static void read_uuid(const char *s, uint8_t uuid[16])
{
	for (int i = 0; i < 16; i++, s += 2) {
		s += *s == '-';
		if (sscanf(s, "%2hhx", &uuid[i]) != 1)
			die("bad uuid");
	}
}

void hvopts_read(struct hvopts *o, int argc, char **argv)
{
	const char *value[NOPTIONS] = { 0 };

	read_options(argc, argv, value);
	if (!value[NAME] || !value[UUID] || !value[KERNEL] || !value[LOG])
		die("an option is missing");
	*o = (struct hvopts){
		.domid = number(value[DOMID]),
		.memory_kib = number(value[MEMORY]),
		.vcpus = number(value[VCPUS]),
		.maxvcpus = number(value[MAXVCPUS]),
		.name = value[NAME],
		.kernel = value[KERNEL],
		.cmdline = value[CMDLINE] ? value[CMDLINE] : "",
		.log = value[LOG],
		.ready = (int)number(value[READY]),
	};
	read_uuid(value[UUID], o->uuid);
	o->restore = value[RESTORE] ? (int)number(value[RESTORE]) : -1;
	o->after = value[AFTER] ? number(value[AFTER]) : 0;
}

struct fakedom *hvopts_domain(const struct hvopts *o)
{
	struct fakedom *f = fakedom_begin(o->domid, o->memory_kib / 4);
	int ret = 0;

	if (!f)
		die("domain %u: its directory has gone", o->domid);
	if (o->restore >= 0)
		ret = fakedom_restore(f, o->restore, o->after);
	if (ret)
		die("domain %u: %s", o->domid, savefile_error(ret));
	fakedom_present(f, o->name, o->uuid, o->vcpus, o->maxvcpus);
	fakedom_serve(f);
	if (!freopen(o->log, "ae", stderr) || !freopen(o->log, "ae", stdout))
		die("log '%s': %s", o->log, strerror(errno));
	setlinebuf(stderr);
	return f;
}
