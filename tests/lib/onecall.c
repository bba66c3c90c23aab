// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/onecall.c - preloaded into a daemon, leaves calls out of its filter.
//
// $WITHOUT has their names, '/' between them; $OF, if set, is the name of the only
// process that is to do without them.
#include <errno.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/util.h"

static bool is_meant(void)
{
	const char *of = getenv("OF");
	char name[16];

	return !of || (!prctl(PR_GET_NAME, name) && !strcmp(name, of));
}

static bool left_out(int nr)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);
	const char *without = getenv("WITHOUT");
	char list[256], item[64];
	bool found;

	if (!name || !without || !is_meant())
		return false;
	snprintf(list, sizeof(list), "/%s/", without);
	snprintf(item, sizeof(item), "/%s/", name);
	found = strstr(list, item);
	free(name);
	return found;
}

int seccomp_rule_add(scmp_filter_ctx f, uint32_t action, int nr, unsigned int n,
		     ...)
{
	struct scmp_arg_cmp arg[6];
	va_list ap;

	if (n > ARRAY_SIZE(arg))
		return -EINVAL;
	va_start(ap, n);
	for (unsigned int i = 0; i < n; i++)
		arg[i] = va_arg(ap, struct scmp_arg_cmp);
	va_end(ap);
	return left_out(nr) ? 0 : seccomp_rule_add_array(f, action, nr, n, arg);
}
