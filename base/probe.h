/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/probe.h - places on the path of a request that tracers can look at. */
#ifndef BASE_PROBE_H
#define BASE_PROBE_H

/*
 * How it works
 *
 * Each is a NOP and a note in the program's file (SystemTap's SDT, which bpftrace, perf
 * and gdb read as USDT), and costs nothing until a tracer puts a breakpoint there.
 * docs/performance.md lists them with their arguments, which are integers; they and
 * their order are an interface.  A build without <sys/sdt.h> has none.
 */

#if __has_include(<sys/sdt.h>)
#define SDT_USE_VARIADIC 1
#include <sys/sdt.h>

/** probe() - A place with that name; one to twelve integers follow. */
#define probe(name, ...) STAP_PROBEV(splitvisor, name, __VA_ARGS__)
#else
#define probe(name, ...) ((void)0)
#endif

#endif
