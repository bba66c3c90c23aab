// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/proc.c - what the kernel says of a process, for tests.
#include "tests/lib/proc.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

unsigned long long proc_status(pid_t pid, const char *key, int base)
{
	unsigned long long v = ~0ull;
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, key, strlen(key)))
			v = strtoull(line + strlen(key), NULL, base);
	}
	if (file)
		fclose(file);
	return v;
}

/* The state is the letter behind the name, which may hold anything. */
static char thread_state(pid_t pid, const char *tid)
{
	char path[64], line[512] = "";
	const char *at = NULL;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/stat", (int)pid, tid);
	file = fopen(path, "r");
	if (file && fgets(line, sizeof(line), file))
		at = strrchr(line, ')');
	if (file)
		fclose(file);
	return at && at[1] == ' ' ? at[2] : '?';
}

/* Whether each thread but @except has that state. */
static bool threads_are(pid_t pid, pid_t except, char state)
{
	const struct dirent *e;
	bool all = true;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir)))
		all &= e->d_name[0] == '.' || atoi(e->d_name) == except ||
		       thread_state(pid, e->d_name) == state;
	if (dir)
		closedir(dir);
	return dir && all;
}

bool proc_stopped(pid_t pid)
{
	return threads_are(pid, 0, 'T');
}

pid_t proc_fork(void)
{
	for (int i = 0; i < 10000; i++) {
		if (threads_are(getpid(), gettid(), 'S'))
			break;
		usleep(100);
	}
	return fork();
}

unsigned long proc_cpu_ms(pid_t pid)
{
	unsigned long user = 0, sys = 0;
	char path[64], line[512] = "";
	const char *at;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	/* The name, which may hold anything, ends at the last ')'. */
	if (file && fgets(line, sizeof(line), file) &&
	    (at = strrchr(line, ')')))
		(void)!sscanf(at + 2,
			      "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
			      "%lu %lu",
			      &user, &sys);
	if (file)
		fclose(file);
	return (user + sys) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK);
}

unsigned int proc_fds(pid_t pid)
{
	unsigned int n = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n - 2; /* . and .. */
}
