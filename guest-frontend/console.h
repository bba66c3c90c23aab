/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/console.h - the PV console's guest half. */
#ifndef GUEST_FRONTEND_CONSOLE_H
#define GUEST_FRONTEND_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

/**
 * console_init() - Use the console's ring from now on.
 *
 * Until then, and where there is none, text goes to the domain's log through the
 * console_io hypercall.
 *
 * Return: 0 or a negative errno.
 */
int console_init(void);

#define CONSOLE_STUCK_NS UINT64_C(10000000000)

/**
 * console_write() - Print @n bytes.
 *
 * Waits while there is no room, but for no more than CONSOLE_STUCK_NS; what is left
 * then is lost.  From then on nothing waits, until a text has found room again.
 * If the backend breaks the ring, this and all that follows goes to the domain's
 * log.
 */
void console_write(const char *text, size_t n);

/**
 * console_read() - Take what was typed.
 * @ns: Wait at most this long for the first byte.
 *
 * Return: bytes taken, at most @n; 0 for none in time.
 */
size_t console_read(char *buf, size_t n, uint64_t ns);

/** say() - Print a line: C's printf() and an end of line. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
