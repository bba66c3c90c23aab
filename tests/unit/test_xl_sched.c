/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_xl_sched.c - control groups of both versions, in files. */
#include "tools/xl_sched.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/test_xl_sched.XXXXXX";

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

static const char *get(const char *name)
{
	static char text[64];
	char path[256];
	FILE *f;

	memset(text, 0, sizeof(text));
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	cr_assert_not_null(f, "%s", path);
	(void)!fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	return text;
}

static void setup(void)
{
	static const char *const files[] = {
		"cgroup.controllers",
		"cgroup.subtree_control",
		"splitvisor-7/cgroup.procs",
		"splitvisor-7/cpu.weight",
		"splitvisor-7/cpu.max",
		"splitvisor-7/cpu.shares",
		"splitvisor-7/cpu.cfs_quota_us",
		"splitvisor-7/cpu.cfs_period_us",
		"splitvisor-7/memory.max",
		"splitvisor-7/pids.max",
	};
	char path[256];

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/splitvisor-7", dir);
	cr_assert_eq(mkdir(path, 0700), 0);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		put(files[i], "");
}

static void teardown(void)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_expect_eq(system(command), 0);
}

TestSuite(xl_sched, .init = setup, .fini = teardown);

/* What there is, by lines that name the directory as "%s". */
static int find(struct xl_cgroups *g, const char *lines)
{
	char text[4096], path[256];

	snprintf(text, sizeof(text), lines, dir, dir, dir);
	put("mountinfo", text);
	snprintf(path, sizeof(path), "%s/mountinfo", dir);
	return xl_cgroups_find(g, path);
}

Test(xl_sched, the_cpu_controller_is_found)
{
	struct xl_cgroups g;

	cr_expect_eq(find(&g, "\n"), -ENOENT);
	cr_expect_eq(find(&g, "1 2 0:3 / /x%.0s rw - tmpfs cpu rw,cpu\n"),
		     -ENOENT);
	cr_expect_eq(find(&g, "1 2 0:3 / /x%.0s rw - cgroup x rw,cpuset\n"),
		     -ENOENT);
	cr_expect_eq(find(&g, "1 2 0:3 / %s rw shared:9 - cgroup2 x rw\n"),
		     -ENOENT);
	cr_expect_eq(find(&g, " - \n - cgroup\n1 2 3 4%.0s - cgroup x cpu"),
		     -ENOENT);
	cr_expect_eq(find(&g, "1 2 0:3 / %s rw - cgroup x rw,cpu,cpuacct\n"),
		     0);
	cr_expect(!g.v2 && !strcmp(g.dir, dir));
	put("cgroup.controllers", "cpuset io memory\n");
	cr_expect_eq(find(&g, "1 2 0:3 / %s rw - cgroup2 x rw\n"), -ENOENT);
	put("cgroup.controllers", "cpuset io cpu\n");
	cr_expect_eq(find(&g, "1 2 0:3 / /x%.0s rw - sysfs x rw\n"
			      "1 2 0:3 / %s rw - cgroup2 x rw\n"),
		     0);
	cr_expect(g.v2 && !strcmp(g.dir, dir));
}

static void in_v2(unsigned int weight, unsigned int cap, const char *w,
		  const char *m)
{
	struct xl_cgroups g = { .v2 = true };

	snprintf(g.dir, sizeof(g.dir), "%s", dir);
	put("splitvisor-7/cpu.weight", "");
	put("splitvisor-7/cpu.max", "");
	cr_expect_eq(xl_sched_put(&g, 7, &(struct xl_sched){ weight, cap }), 0);
	cr_expect_str_eq(get("splitvisor-7/cpu.weight"), w);
	cr_expect_str_eq(get("splitvisor-7/cpu.max"), m);
	cr_expect_str_eq(get("cgroup.subtree_control"), "+cpu");
	cr_expect_str_eq(get("splitvisor-7/cgroup.procs"), "7");
}

Test(xl_sched, version_2)
{
	in_v2(XL_WEIGHT_DEFAULT, 0, "100", "max 100000");
	in_v2(512, 150, "200", "150000 100000");
	in_v2(1, 1, "1", "1000 100000");
	in_v2(XL_WEIGHT_MAX, XL_CAP_MAX, "10000", "6400000 100000");
}

static void in_v1(unsigned int weight, unsigned int cap, const char *w,
		  const char *q)
{
	struct xl_cgroups g = { .v2 = false };

	snprintf(g.dir, sizeof(g.dir), "%s", dir);
	put("splitvisor-7/cpu.shares", "");
	put("splitvisor-7/cpu.cfs_quota_us", "");
	cr_expect_eq(xl_sched_put(&g, 7, &(struct xl_sched){ weight, cap }), 0);
	cr_expect_str_eq(get("splitvisor-7/cpu.shares"), w);
	cr_expect_str_eq(get("splitvisor-7/cpu.cfs_quota_us"), q);
	cr_expect_str_eq(get("splitvisor-7/cpu.cfs_period_us"), "100000");
}

Test(xl_sched, version_1)
{
	in_v1(XL_WEIGHT_DEFAULT, 0, "1024", "-1");
	in_v1(512, 150, "2048", "150000");
	in_v1(1, 1, "4", "1000");
	in_v1(XL_WEIGHT_MAX, XL_CAP_MAX, "262140", "6400000");
}

Test(xl_sched, what_the_kernel_refuses_is_told)
{
	struct xl_cgroups g = { .v2 = true };

	snprintf(g.dir, sizeof(g.dir), "%s/none", dir);
	cr_expect_eq(xl_sched_put(&g, 7, &(struct xl_sched){ 1, 1 }), -ENOENT);
}

/* ---- Limits ----------------------------------------------------------------- */

Test(xl_sched, a_group_of_ours_is_taken_before_the_host_s)
{
	struct xl_cgroups g;

	setenv(XL_CGROUP_ENV, "/given", 1);
	cr_expect_eq(find(&g, "1 2 0:3 / %s rw - cgroup x rw,cpu,cpuacct\n"),
		     0);
	cr_expect(g.v2 && !strcmp(g.dir, "/given"));
	setenv(XL_CGROUP_ENV, "", 1);
	cr_expect_eq(find(&g, "1 2 0:3 / %s rw - cgroup x rw,cpu,cpuacct\n"),
		     0);
	cr_expect(!g.v2 && !strcmp(g.dir, dir));
}

Test(xl_sched, a_vmm_has_limits_by_its_guest_s_size)
{
	struct xl_cgroups g = { .v2 = true };

	snprintf(g.dir, sizeof(g.dir), "%s", dir);
	cr_expect_eq(xl_sched_limit(&g, 7, 1 << 20, 4), 0);
	/* 1 GiB, 32 MiB, 64 MiB */
	cr_expect_str_eq(get("splitvisor-7/memory.max"), "1174405120");
	cr_expect_str_eq(get("splitvisor-7/pids.max"), "20");
	cr_expect_str_eq(get("splitvisor-7/cgroup.procs"), "7");
	cr_expect_str_eq(get("cgroup.subtree_control"), "+memory +pids");
}

Test(xl_sched, limits_need_a_group_of_ours)
{
	unsetenv(XL_CGROUP_ENV);
	cr_expect_eq(xl_sched_bound(7, 1024, 1), 0, "nothing is done");
	setenv(XL_CGROUP_ENV, dir, 1);
	cr_expect_eq(xl_sched_bound(7, 1024, 1), -ESRCH,
		     "there is no such domain");
	cr_expect_str_eq(get("splitvisor-7/memory.max"), "");
}
