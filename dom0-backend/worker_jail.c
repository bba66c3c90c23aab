// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/worker_jail.c - what a device's worker can still do.
#include "dom0-backend/worker_jail.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/jail.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/sandbox.h"

/*
 * Find <run>/@name by the name that it has inside @kept.
 *
 * Return: whether it is there.
 */
static bool is_inside(char *out, const char *kept, const char *name)
{
	char path[PATH_MAX + 16], in[PATH_MAX], at[PATH_MAX];
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", paths_run(), name);
	if (!realpath(path, at) || !realpath(kept, in))
		return false;
	len = strlen(in);
	if (strncmp(at, in, len) != 0 || at[len] != '/')
		return false;
	return snprintf(out, PATH_MAX, "%s%s", kept, at + len) < PATH_MAX;
}

int worker_jail(void)
{
	static const char *const others[] = { "dom", "journal" };
	char store[PATH_MAX], inside[ARRAY_SIZE(others)][PATH_MAX];
	struct jail_dir dirs[1 + ARRAY_SIZE(others)] = {
		{ .path = store, .keep_out = true },
	};
	struct jail j = { .dirs = dirs,
			  .ndirs = 1,
			  .calls = jail_calls,
			  .ncalls = jail_ncalls };

	snprintf(store, sizeof(store), "%s", paths_store());
	dirs[0].path = dirname(store);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (is_inside(inside[i], dirs[0].path, others[i]))
			dirs[j.ndirs++] = (struct jail_dir){ .path = inside[i],
							     .hide = true };
	}
#ifdef SV_SANITIZED
	/* What sanitizers ask for, with threads, is on no list. */
	return sandbox_enter();
#endif
	log_hold(STDERR_FILENO);
	return jail_enter(&j);
}
