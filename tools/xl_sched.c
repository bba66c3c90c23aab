// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_sched.c - how much of the host's CPUs and memory a domain has.
#include "tools/xl_sched.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/paths.h"
#include "tools/xl_proc.h"

#define PERIOD_US 100000u

/* Where Linux's own figures for the default weight lie, and how far they go. */
#define V1_SHARES  1024u
#define V2_WEIGHT  100u
#define V2_HIGHEST 10000u

/* How long the threads of a process that has ended may take to be gone. */
#define FORGET_MS 2000

#define GROUP_MAX (PATH_MAX + 64)

/* ---- Where ------------------------------------------------------------------ */

/* Whether a word is in a list, between @delimiters. */
static bool has_word(const char *list, const char *word, const char *delimiters)
{
	size_t len = strlen(word);

	for (const char *at = list; *at;) {
		size_t n = strcspn(at, delimiters);

		if (n == len && !strncmp(at, word, len))
			return true;
		at += n + (at[n] != '\0');
	}
	return false;
}

static bool controls_cpu(const char *mount)
{
	char path[GROUP_MAX], line[256] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/cgroup.controllers", mount);
	f = fopen(path, "re");
	if (f && !fgets(line, sizeof(line), f))
		line[0] = '\0';
	if (f)
		fclose(f);
	return has_word(line, "cpu", " \n");
}

/* A line as in proc(5): "... ROOT MOUNT OPTIONS ... - TYPE SOURCE OPTIONS". */
static bool take_mount(struct xl_cgroups *g, const char *line)
{
	const char *fs = strstr(line, " - ");
	char mount[512], type[32], options[256];

	if (!fs || sscanf(line, "%*s %*s %*s %*s %511s", mount) != 1 ||
	    mount[0] != '/' ||
	    sscanf(fs, " - %31s %*s %255s", type, options) != 2)
		return false;
	g->v2 = !strcmp(type, "cgroup2");
	if (g->v2 ? !controls_cpu(mount)
		  : strcmp(type, "cgroup") != 0 ||
			    !has_word(options, "cpu", ","))
		return false;
	snprintf(g->dir, sizeof(g->dir), "%s", mount);
	return true;
}

/* The one that the operator gave us; NULL if there is none. */
static const char *ours(void)
{
	const char *dir = getenv(XL_CGROUP_ENV);

	return dir && *dir ? dir : NULL;
}

int xl_cgroups_find(struct xl_cgroups *g, const char *mountinfo)
{
	const char *dir = ours();
	bool found = false;
	char line[4096];
	FILE *f;

	if (dir) {
		g->v2 = true;
		return snprintf(g->dir, sizeof(g->dir), "%s", dir) <
				       (int)sizeof(g->dir)
			       ? 0
			       : -ENAMETOOLONG;
	}
	f = fopen(mountinfo, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = take_mount(g, line);
	if (f)
		fclose(f);
	return found ? 0 : -ENOENT;
}

/* ---- Groups ----------------------------------------------------------------- */

static int printf_like(3, 4)
	write_to(const char *group, const char *file, const char *fmt, ...)
{
	char path[GROUP_MAX + 32], text[32];
	va_list ap;
	int fd, ret;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s/%s", group, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = fd_write_all(fd, text, strlen(text));
	fd_close(&fd);
	return ret;
}

static int put_v2(const struct xl_cgroups *g, const char *group,
		  const struct xl_sched *s)
{
	unsigned int weight = s->weight * V2_WEIGHT / XL_WEIGHT_DEFAULT;
	int ret;

	weight = MIN(MAX(weight, 1u), V2_HIGHEST);
	ret = write_to(g->dir, "cgroup.subtree_control", "+cpu");
	if (!ret)
		ret = write_to(group, "cpu.weight", "%u", weight);
	if (!ret && s->cap)
		ret = write_to(group, "cpu.max", "%u %u",
			       s->cap * (PERIOD_US / 100), PERIOD_US);
	else if (!ret)
		ret = write_to(group, "cpu.max", "max %u", PERIOD_US);
	return ret;
}

static int put_v1(const char *group, const struct xl_sched *s)
{
	unsigned int shares = s->weight * (V1_SHARES / XL_WEIGHT_DEFAULT);
	int ret = write_to(group, "cpu.shares", "%u", MAX(shares, 2u));

	if (!ret)
		ret = write_to(group, "cpu.cfs_period_us", "%u", PERIOD_US);
	if (!ret && s->cap)
		ret = write_to(group, "cpu.cfs_quota_us", "%u",
			       s->cap * (PERIOD_US / 100));
	else if (!ret)
		ret = write_to(group, "cpu.cfs_quota_us", "-1");
	return ret;
}

static void name_group(char group[GROUP_MAX], const struct xl_cgroups *g,
		       pid_t pid)
{
	snprintf(group, GROUP_MAX, "%s/splitvisor-%d", g->dir, (int)pid);
}

/* Return: 0 also if it is there. */
static int make_group(char group[GROUP_MAX], const struct xl_cgroups *g,
		      pid_t pid)
{
	name_group(group, g, pid);
	return mkdir(group, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

int xl_sched_put(const struct xl_cgroups *g, pid_t pid,
		 const struct xl_sched *s)
{
	char group[GROUP_MAX];
	int ret = make_group(group, g, pid);

	if (ret)
		return ret;
	ret = g->v2 ? put_v2(g, group, s) : put_v1(group, s);
	if (!ret)
		ret = write_to(group, "cgroup.procs", "%d", (int)pid);
	return ret;
}

int xl_sched_limit(const struct xl_cgroups *g, pid_t pid, uint64_t ram_kib,
		   unsigned int vcpus)
{
	uint64_t kib = ram_kib + ram_kib / XL_BOUND_PART + XL_BOUND_KIB;
	char group[GROUP_MAX];
	int ret = write_to(g->dir, "cgroup.subtree_control", "+memory +pids");

	if (!ret)
		ret = make_group(group, g, pid);
	if (!ret)
		ret = write_to(group, "memory.max", "%llu",
			       (unsigned long long)kib * 1024);
	if (!ret)
		ret = write_to(group, "pids.max", "%u", vcpus + XL_BOUND_TASKS);
	if (!ret)
		ret = write_to(group, "cgroup.procs", "%d", (int)pid);
	return ret;
}

static int find_vmm(pid_t *pid, unsigned int domid)
{
	char path[PATH_MAX];
	struct xl_proc hv;

	if (xl_proc_load(&hv, paths_dom(path, domid, "hv.pid")) ||
	    !xl_proc_alive(&hv))
		return -ESRCH;
	*pid = hv.pid;
	return 0;
}

int xl_sched_set(unsigned int domid, const struct xl_sched *s)
{
	struct xl_cgroups g;
	pid_t pid;
	int ret = xl_cgroups_find(&g, "/proc/self/mountinfo");

	if (!ret)
		ret = find_vmm(&pid, domid);
	return ret ? ret : xl_sched_put(&g, pid, s);
}

int xl_sched_bound(unsigned int domid, uint64_t ram_kib, unsigned int vcpus)
{
	struct xl_cgroups g;
	pid_t pid;
	int ret;

	if (!ours())
		return 0;
	ret = xl_cgroups_find(&g, "");
	if (!ret)
		ret = find_vmm(&pid, domid);
	return ret ? ret : xl_sched_limit(&g, pid, ram_kib, vcpus);
}

const char *xl_sched_why(int ret)
{
	return ret == -ENOENT
		       ? "this host has no control groups for CPU time (mount cgroup2 with the cpu controller)"
	       : ret == -EROFS || ret == -EACCES || ret == -EPERM
		       ? "control groups cannot be changed from here (run as root of the host)"
		       : strerror(-ret);
}

void xl_sched_forget(pid_t pid)
{
	char group[GROUP_MAX];
	struct xl_cgroups g;

	if (pid <= 0 || xl_cgroups_find(&g, "/proc/self/mountinfo"))
		return;
	name_group(group, &g, pid);
	/* Its other threads may be on their way still. */
	for (int i = 0; i < FORGET_MS / 10; i++) {
		if (rmdir(group) == 0 || errno != EBUSY)
			break;
		poll(NULL, 0, 10);
	}
}
