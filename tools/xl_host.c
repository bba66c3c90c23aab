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
	ssize_t n;

	buf[0] = '\0';
	while (f && (n = getline(&line, &room, f)) > 0) {
		char *s = line + len;

		if (strncmp(line, name, len))
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
	unsigned int n = 0;
	FILE *f;

	snprintf(path, sizeof(path),
		 "/sys/devices/system/cpu/cpu%u/topology/%s", cpu, what);
	f = fopen(path, "re");
	if (f && fscanf(f, "%u", &n) != 1)
		n = 0;
	if (f)
		fclose(f);
	return n;
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
	unsigned long long user = 0, nice = 0, system = 0, irq = 0, soft = 0;
	unsigned long long guest = 0, ticks;
	FILE *f = fopen("/proc/stat", "re");
	long hz = sysconf(_SC_CLK_TCK);

	if (f && fscanf(f, "cpu %llu %llu %llu %*u %*u %llu %llu %*u %llu",
			&user, &nice, &system, &irq, &soft, &guest) < 5)
		user = 0;
	if (f)
		fclose(f);
	ticks = user + nice + system + irq + soft;
	ticks -= MIN(ticks, guest);
	return hz > 0 ? ticks * (1000000000ull / (unsigned long long)hz) : 0;
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
