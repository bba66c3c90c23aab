/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/spawn.h - start a program with some descriptors. */
#ifndef DOM0_BACKEND_SPAWN_H
#define DOM0_BACKEND_SPAWN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/util.h"

/**
 * spawn() - Start another program of this project.
 * @pid:  Written only on success; to be reaped by the caller.
 * @name: Program, see paths_program().
 * @argv: NULL-terminated, argv[0] first.
 * @fds:  Descriptors that it inherits under their numbers; *borrowed*.  Besides
 *        these and 0 to 2 it inherits none (all ours are close-on-exec).
 *
 * Return: 0 or -errno (also when the program cannot be executed).
 */
int spawn(pid_t *pid, const char *name, char *const argv[], const int *fds,
	  size_t nfds) must_check;

/**
 * spawn_delay_ms() - How long to wait before a program that ended is restarted.
 * @fails: Restarts so far in a row; 0.1 s doubling up to 5 s.
 */
uint64_t spawn_delay_ms(unsigned int fails);

#endif
