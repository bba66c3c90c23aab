/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_host.h - figures of this host. */
#ifndef TOOLS_XL_HOST_H
#define TOOLS_XL_HOST_H

#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

/** struct xl_host - What is read from the kernel; 0 where it does not say. */
struct xl_host {
	uint64_t total_kib, free_kib; /* memory; free without swapping */
	unsigned int cpus;	      /* online */
	unsigned int max_cpu_id;
	unsigned int nodes;
	unsigned int cores_per_socket, threads_per_core;
	double mhz;
	uint64_t cpu_ns; /* used by the host's processes since boot */
};

/** xl_host_read() - Fill in all. */
void xl_host_read(struct xl_host *h);

/**
 * xl_host_topology() - Where a CPU is.
 * @what: "core_id" or "physical_package_id".
 *
 * Return: the number, or 0 if the kernel does not say.
 */
unsigned int xl_host_topology(unsigned int cpu, const char *what);

/**
 * xl_host_line() - The value of "name : value" in a file such as /proc/cpuinfo.
 * @buf: Receives it without blanks around; "" if there is none.
 */
char *xl_host_line(const char *file, const char *name, char *buf, size_t size);

#endif
