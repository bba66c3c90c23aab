/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/sweep.h - what happens when any one call fails. */
#ifndef TESTS_LIB_SWEEP_H
#define TESTS_LIB_SWEEP_H

#include <stdbool.h>

/*
 * How it works
 *
 * A scenario is run again and again with its 1st, 2nd, 3rd... call failing that
 * asks libc, the kernel, libevent or liburing for something, until none is left to
 * fail. The linker puts the functions of sweep.c in the place of those calls
 * (-Wl,--wrap; the Makefile has the list), so all of our code in the program goes
 * through them, and code inside libraries does not. Only calls of threads that
 * are on count: the one that runs the scenario, where it says so, and those that
 * it starts. So fakes that share the process never fail.
 *
 * After each run, whatever its outcome, the same number of descriptors and
 * threads must be there as before, and no memory or mapping that was got while
 * on; and the scenario must then succeed when nothing fails.
 */

/**
 * sweep() - Fail every call of a scenario in turn.
 * @run: Connects, serves and disconnects once. It calls sweep_on() before and
 *       sweep_off() after what is to be tested. Return: 0 if all went well, a
 *       negative errno if a failure was reported to the caller or handled by
 *       giving up; 1 if something was neither done nor reported.
 * @min: Calls that it has at least: a scenario that stops early tests nothing.
 *
 * Return: "", or what was not met as it should.
 */
const char *sweep(int (*run)(void), unsigned int min);

/** sweep_on(), sweep_off() - Whether calls of this thread count. */
void sweep_on(void);
void sweep_off(void);

#endif
