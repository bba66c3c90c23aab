// SPDX-License-Identifier: GPL-2.0-or-later
// tests/bench/syscalls.c - system calls of workers, and what they do.
//
// usage: syscalls DOMID SECONDS PID...
//
// Each PID is a worker, of domain DOMID's only device or of another that this one
// works with.  Waits until the device is at work, then prints "CALLS OPERATIONS": how
// many of each there were in so many seconds; operations are requests that a disk has
// answered, or frames that a card has passed, in either direction.  The
// kernel counts the calls of each thread by itself (perf_event_open(2)), so that the
// worker is not slower for being watched, as it would be with a tracer.
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/blkstat.h"
#include "base/domsock.h"
#include "base/netstat.h"
#include "base/paths.h"
#include "tests/lib/patience.h"

#define TRACEFS	    "/sys/kernel/tracing"
#define MAX_THREADS 64u
#define AT_WORK	    1000u /* operations */

static int counter[MAX_THREADS];
static unsigned int ncounters;

static uint64_t number(const char *s)
{
	char *end;
	uint64_t v = strtoull(s, &end, 10);

	if (!*s || *end || !v)
		errx(1, "%s: must be a number above 0", s);
	return v;
}

/* Where nobody has mounted tracefs, it is there for us alone. */
static uint64_t event_id(void)
{
	const char *path = TRACEFS "/events/raw_syscalls/sys_enter/id";
	unsigned long id;
	FILE *f;

	if (access(path, R_OK) < 0 &&
	    (unshare(CLONE_NEWNS) < 0 ||
	     mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	     mount("none", TRACEFS, "tracefs", 0, NULL) < 0))
		err(1, "tracefs");
	f = fopen(path, "r");
	if (!f || fscanf(f, "%lu", &id) != 1)
		errx(1, "%s: this kernel does not count system calls", path);
	fclose(f);
	return id;
}

static void count_thread(uint64_t id, pid_t tid)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT,
					.size = sizeof(attr),
					.config = id };
	int fd;

	if (ncounters == MAX_THREADS)
		errx(1, "more than %u threads", MAX_THREADS);
	fd = (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1,
			  PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		err(1, "perf_event_open of thread %d", (int)tid);
	counter[ncounters++] = fd;
}

static void count_threads(uint64_t id, const char *pid)
{
	const struct dirent *e;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	dir = opendir(path);
	if (!dir)
		err(1, "%s", path);
	while ((e = readdir(dir))) {
		if (e->d_name[0] != '.')
			count_thread(id, (pid_t)number(e->d_name));
	}
	closedir(dir);
}

static uint64_t calls(void)
{
	uint64_t sum = 0, n;

	for (unsigned int i = 0; i < ncounters; i++) {
		if (read(counter[i], &n, sizeof(n)) != sizeof(n))
			err(1, "a counter");
		sum += n;
	}
	return sum;
}

static uint64_t requests(int fd, uint64_t offset)
{
	static struct blkstat_file f;
	uint64_t n = 0;

	if (blkstat_read(fd, offset, &f))
		return 0;
	for (unsigned int q = 0; q < BLKSTAT_QUEUES; q++) {
		for (unsigned int k = 0; k < BLKSTAT_NKINDS; k++)
			n += f.queue[q].kind[k].requests;
	}
	return n;
}

static uint64_t frames(int fd, uint64_t offset)
{
	static struct netstat_file f;
	struct netstat sum = { 0 };

	if (netstat_read(fd, offset, &f))
		return 0;
	for (unsigned int q = 0; q < NETSTAT_QUEUES; q++)
		netstat_sum(&sum, &f.queue[q]);
	return sum.n[NETSTAT_TX_PACKETS] + sum.n[NETSTAT_RX_PACKETS];
}

/* What the device has done; 0 before its worker counts. */
static uint64_t operations(struct dom *dom)
{
	struct dom_devstats at = { .index = 0 };
	uint64_t n;
	int fd;

	if (dom_devstats(dom, &at, &fd))
		return 0;
	n = requests(fd, at.offset) + frames(fd, at.offset);
	close(fd);
	return n;
}

int main(int argc, char **argv)
{
	uint64_t id, ncalls, done;
	struct dom *dom;

	if (argc < 4)
		errx(2, "usage: syscalls DOMID SECONDS PID...");
	paths_init();
	if (dom_connect(&dom, (unsigned int)number(argv[1]), DOM_ROLE_ADMIN,
			NULL, false))
		errx(1, "domain %s: no connection", argv[1]);
	if (!SOON(operations(dom) >= AT_WORK))
		errx(1, "domain %s: its device does nothing", argv[1]);
	id = event_id();
	for (int i = 3; i < argc; i++)
		count_threads(id, argv[i]);
	ncalls = calls();
	done = operations(dom);
	sleep((unsigned int)number(argv[2]));
	ncalls = calls() - ncalls;
	done = operations(dom) - done;
	printf("%llu %llu\n", (unsigned long long)ncalls,
	       (unsigned long long)done);
	dom_free(dom);
	return 0;
}
