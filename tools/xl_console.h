/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_console.h - a terminal on a guest's console. */
#ifndef TOOLS_XL_CONSOLE_H
#define TOOLS_XL_CONSOLE_H

#include "base/util.h"

#define XL_ESCAPE 0x1d /* ^] */

/**
 * xl_console_open() - Open a guest's console.
 *
 * Waits for sv-console to say where it is.
 *
 * Return: a descriptor, *owned* by the caller, or -errno; reported.
 */
int xl_console_open(unsigned int domid) must_check;

/**
 * xl_console_run() - Connect this process's terminal with a console.
 * @fd: From xl_console_open().
 *
 * Ends with the escape character, when the console goes away, or after
 * xl_interrupted().  The end of the input does not end it: the output is still
 * worth seeing.
 */
void xl_console_run(int fd);

#endif
