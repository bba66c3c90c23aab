// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_host.c - figures of this host.
#include "tools/xl_host.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *xl_host_line(const char *file, const char *name, char *buf, size_t size)
{
	FILE *f = fopen(file, "re");
	size_t len = strlen(name), room = 0;
	char *line = NULL;

	buf[0] = '\0';
	while (f && getline(&line, &room, f) > 0) {
		char *s = line + len;

		if (strncmp(line, name, len) != 0)
			continue;
		s += strspn(s, " \t");
		if (*s != ':')
			continue;
		s += 1 + strspn(s + 1, " \t");
		s[strcspn(s, "\n")] = '\0';
		snprintf(buf, size, "%s", s);
		break;
	}
	free(line);
	if (f)
		fclose(f);
	return buf;
}

static uint64_t meminfo(const char *name)
{
	char value[64];

	return strtoull(xl_host_line("/proc/meminfo", name, value,
				     sizeof(value)),
			NULL, 10);
}

unsigned int xl_host_topology(unsigned int cpu, const char *what)
{
	char path[128];
	unsigned long n = 0;
	char line[16];
	FILE *f;

	snprintf(path, sizeof(path),
		 "/sys/devices/system/cpu/cpu%u/topology/%s", cpu, what);
	f = fopen(path, "re");
	if (f && fgets(line, sizeof(line), f))
		n = strtoul(line, NULL, 10);
	if (f)
		fclose(f);
	return (unsigned int)n;
}

static unsigned int count_nodes(void)
{
	DIR *dir = opendir("/sys/devices/system/node");
	unsigned int n = 0;
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		n += !strncmp(e->d_name, "node", 4) &&
		     isdigit((unsigned char)e->d_name[4]);
	if (dir)
		closedir(dir);
	return n ? n : 1;
}

/* The host's own time; a guest's is in its own row. */
static uint64_t used_cpu_ns(void)
{
	/* user nice system idle iowait irq softirq steal guest */
	static const int sign[] = { 1, 1, 1, 0, 0, 1, 1, 0, -1 };
	FILE *f = fopen("/proc/stat", "re");
	char line[256] = "", *at = line + 3; /* behind "cpu" */
	long hz = sysconf(_SC_CLK_TCK);
	int64_t ticks = 0;

	if (f && !fgets(line, sizeof(line), f))
		line[3] = '\0';
	if (f)
		fclose(f);
	for (size_t i = 0; i < ARRAY_SIZE(sign); i++)
		ticks += sign[i] * (int64_t)strtoull(at, &at, 10);
	return hz > 0 && ticks > 0
		       ? (uint64_t)ticks * (1000000000u / (uint64_t)hz)
		       : 0;
}

void xl_host_read(struct xl_host *h)
{
	char value[64];
	long n;

	memset(h, 0, sizeof(*h));
	h->total_kib = meminfo("MemTotal");
	h->free_kib = meminfo("MemAvailable");
	n = sysconf(_SC_NPROCESSORS_ONLN);
	h->cpus = n > 0 ? (unsigned int)n : 1;
	n = sysconf(_SC_NPROCESSORS_CONF);
	h->max_cpu_id = n > 0 ? (unsigned int)n - 1 : 0;
	h->nodes = count_nodes();
	xl_host_line("/proc/cpuinfo", "cpu cores", value, sizeof(value));
	h->cores_per_socket = (unsigned int)strtoul(value, NULL, 10);
	if (!h->cores_per_socket)
		h->cores_per_socket = 1;
	xl_host_line("/proc/cpuinfo", "siblings", value, sizeof(value));
	h->threads_per_core =
		(unsigned int)strtoul(value, NULL, 10) / h->cores_per_socket;
	if (!h->threads_per_core)
		h->threads_per_core = 1;
	xl_host_line("/proc/cpuinfo", "cpu MHz", value, sizeof(value));
	h->mhz = strtod(value, NULL);
	h->cpu_ns = used_cpu_ns();
}
