// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/spawn.c - start a program with some descriptors.
#include "dom0-backend/spawn.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include "base/paths.h"

int spawn(pid_t *pid, const char *name, char *const argv[], const int *fds,
	  size_t nfds)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	char path[PATH_MAX];
	sigset_t none, all;
	int ret;

	sigemptyset(&none);
	sigfillset(&all);
	ret = posix_spawn_file_actions_init(&actions);
	if (ret)
		return -ret;
	ret = posix_spawnattr_init(&attr);
	if (ret)
		goto actions;
	/* A dup2 to the same number only clears close-on-exec. */
	for (size_t i = 0; i < nfds && !ret; i++)
		ret = posix_spawn_file_actions_adddup2(&actions, fds[i],
						       fds[i]);
	if (ret)
		goto attr;
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	ret = posix_spawn(pid, paths_program(path, name), &actions, &attr, argv,
			  environ);
attr:
	posix_spawnattr_destroy(&attr);
actions:
	posix_spawn_file_actions_destroy(&actions);
	return -ret;
}

uint64_t spawn_delay_ms(unsigned int fails)
{
	return fails < 6 ? 100u << fails : 5000;
}
