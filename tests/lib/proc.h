/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/proc.h - what the kernel says of a process, for tests. */
#ifndef TESTS_LIB_PROC_H
#define TESTS_LIB_PROC_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * proc_status() - A number of /proc/PID/status.
 * @key:  With its colon.
 * @base: 10, or 16 for sets of bits.
 *
 * Return: the number, ~0 if there is no such line or process.
 */
unsigned long long proc_status(pid_t pid, const char *key, int base);

/** proc_stopped() - Whether each of its threads has been stopped by a signal. */
bool proc_stopped(pid_t pid);

/**
 * proc_fork() - fork(), for a child that goes on in this program.
 *
 * A test has threads that it did not start: Criterion's reporter, the accepting
 * ends of fakes.  One that allocates at the moment of the fork leaves its lock
 * taken in the child; glibc's allocator is made for that, the sanitizers' is not,
 * and such a child hangs in its first malloc().  So this waits, up to a second,
 * until each other thread sleeps.
 *
 * Return: as fork().
 */
pid_t proc_fork(void);

/** proc_cpu_ms() - Time on CPUs until now, system and user, in 10 ms steps. */
unsigned long proc_cpu_ms(pid_t pid);

/** proc_fds() - Open descriptors. */
unsigned int proc_fds(pid_t pid);

#endif
