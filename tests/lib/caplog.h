/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/caplog.h - what was logged, for tests of messages. */
#ifndef TESTS_LIB_CAPLOG_H
#define TESTS_LIB_CAPLOG_H

/** caplog_begin() - Keep what base/log.h writes from now on. */
void caplog_begin(void);

/**
 * caplog_end() - What was logged since, with time stamps.
 *
 * Later messages go to standard error again.  Return: static, cut after 8 KiB.
 */
const char *caplog_end(void);

#endif
