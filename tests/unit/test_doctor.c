// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_doctor.c - findings about hosts that are made up.
#include "tools/doctor.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/paths.h"
#include "tests/lib/fakedom.h"

static char root[PATH_MAX];

static void setup(void)
{
	snprintf(root, sizeof(root), "%s/root", fakedom_run_dir());
}

TestSuite(doctor, .init = setup, .fini = fakedom_run_dir_remove);

/* A file of the made-up host. */
static void put(const char *file, const char *text)
{
	char path[PATH_MAX * 2], *slash;
	FILE *f;

	snprintf(path, sizeof(path), "%s%s", root, file);
	slash = strrchr(path, '/');
	*slash = '\0';
	cr_assert_eq(paths_mkdir(path), 0);
	*slash = '/';
	f = fopen(path, "we");
	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

static const struct doctor_line *look(struct doctor *d, const char *check)
{
	doctor_run(d, root);
	for (size_t i = 0; i < d->n; i++) {
		if (!strcmp(d->line[i].check, check))
			return &d->line[i];
	}
	cr_assert_fail("no line about %s", check);
	return NULL;
}

static void expect(const char *check, enum doctor_level level,
		   const char *found, const char *remedy)
{
	static struct doctor d;
	const struct doctor_line *l = look(&d, check);

	cr_expect_eq(l->level, level, "%s: %s", check, l->found);
	cr_expect_not_null(strstr(l->found, found), "%s: %s", check, l->found);
	cr_expect_not_null(strstr(l->remedy, remedy), "%s: %s", check,
			   l->remedy);
}

Test(doctor, processor)
{
	expect("cpu", DOCTOR_FAIL, "no vmx or svm", "firmware");
	put("/proc/cpuinfo", "flags\t\t: fpu hypervisor lm\n");
	expect("cpu", DOCTOR_FAIL, "virtual machine", "outer hypervisor");
	put("/proc/cpuinfo", "flags\t\t: fpu svm lm\n");
	expect("cpu", DOCTOR_OK, "AMD-V", "");
	put("/proc/cpuinfo", "flags\t\t: fpu vmx hypervisor\n");
	expect("cpu", DOCTOR_OK, "VT-x (vmx), in a virtual machine", "");
}

Test(doctor, no_kvm)
{
	struct doctor d;

	expect("kvm", DOCTOR_FAIL, "/dev/kvm does not exist", "modprobe kvm");
	put("/dev/kvm", "");
	expect("kvm", DOCTOR_FAIL, "API version -1", "another kernel");
	doctor_run(&d, root);
	cr_expect_eq(doctor_worst(&d), DOCTOR_FAIL);
}

Test(doctor, xen_bits)
{
	char buf[200];

	cr_expect_str_eq(doctor_xen_bits(0x1ff, ~0u, buf, sizeof(buf)), "");
	cr_expect_str_eq(
		doctor_xen_bits(63, ~0u, buf, sizeof(buf)),
		"RUNSTATE_UPDATE_FLAG PVCLOCK_TSC_UNSTABLE SHARED_INFO_HVA");
	cr_expect_str_eq(
		doctor_xen_bits(0, DOCTOR_XEN_NEEDED, buf, sizeof(buf)),
		"INTERCEPT_HCALL SHARED_INFO EVTCHN_2LEVEL EVTCHN_SEND");
	cr_expect_str_eq(
		doctor_xen_bits(63, DOCTOR_XEN_NEEDED, buf, sizeof(buf)), "");
	/* A small buffer cuts, and no more. */
	doctor_xen_bits(0, ~0u, buf, 8);
	cr_expect_str_eq(buf, "HYPERCA");
}

Test(doctor, memory)
{
	put("/proc/meminfo", "MemTotal: 1\nMemAvailable:  102400 kB\n");
	expect("memory", DOCTOR_WARN, "only 100 MiB", "add memory");
	put("/proc/meminfo", "MemAvailable:  1024000 kB\n");
	expect("memory", DOCTOR_OK, "1000 MiB are free", "");
}

Test(doctor, hugepages)
{
	const char *file = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";

	expect("hugepages", DOCTOR_WARN, "no transparent", "CONFIG_TRANS");
	put(file, "always within_size advise [never] deny force\n");
	expect("hugepages", DOCTOR_WARN, "never", "echo advise");
	put(file, "always within_size [advise] never deny force\n");
	expect("hugepages", DOCTOR_OK, "advise", "");
}

Test(doctor, network)
{
	expect("tun", DOCTOR_WARN, "No such file", "modprobe tun");
	put("/dev/net/tun", "");
	expect("tun", DOCTOR_OK, "can be opened", "");
	expect("bridge", DOCTOR_WARN, "not in this kernel", "boot a kernel");
	put("/sys/module/bridge/refcnt", "0");
	expect("bridge", DOCTOR_OK, "in the kernel", "");
	put("/sys/module/nf_tables/refcnt", "0");
	expect("nftables", DOCTOR_OK, "in the kernel", "");
}

Test(doctor, io_uring)
{
	put("/proc/sys/kernel/io_uring_disabled", "2\n");
	expect("io_uring", DOCTOR_FAIL, "is 2", "io_uring_disabled=0");
}

Test(doctor, control_groups)
{
	unsetenv("SPLITVISOR_CGROUP");
	expect("cgroup", DOCTOR_WARN, "no limits", "SPLITVISOR_CGROUP");
	setenv("SPLITVISOR_CGROUP", "/cg", 1);
	expect("cgroup", DOCTOR_WARN, "/cg does not control",
	       "memory and pids");
	put("/cg/cgroup.controllers", "cpu memory\n");
	expect("cgroup", DOCTOR_WARN, "/cg does not control",
	       "memory and pids");
	put("/cg/cgroup.controllers", "cpu memory pids\n");
	expect("cgroup", DOCTOR_WARN, "/cg cannot be written: No such", "");
	put("/cg/cgroup.subtree_control", "");
	expect("cgroup", DOCTOR_OK, "/cg limits", "");
}

Test(doctor, directories)
{
	char found[PATH_MAX];

	snprintf(found, sizeof(found), "%s can be written", paths_run());
	expect("run-dir", DOCTOR_OK, found, "");
	setenv("SPLITVISOR_RUN_DIR", "/proc/version/run", 1);
	paths_init();
	expect("run-dir", DOCTOR_FAIL, "/proc/version: Not a directory",
	       "set SPLITVISOR_RUN_DIR");
}

Test(doctor, json, .init = cr_redirect_stdout)
{
	struct doctor d = { .n = 2,
			    .line = {
				    { DOCTOR_OK, "a", "x", "" },
				    { DOCTOR_FAIL, "b", "y \"z\"", "do" },
			    } };

	doctor_print(&d, true);
	fflush(stdout);
	cr_expect_stdout_eq_str("{\n"
				"    \"guests_can_run\": false,\n"
				"    \"checks\": [\n"
				"        {\n"
				"            \"check\": \"a\",\n"
				"            \"status\": \"ok\",\n"
				"            \"found\": \"x\"\n"
				"        },\n"
				"        {\n"
				"            \"check\": \"b\",\n"
				"            \"status\": \"fail\",\n"
				"            \"found\": \"y \\\"z\\\"\",\n"
				"            \"remedy\": \"do\"\n"
				"        }\n"
				"    ]\n"
				"}\n");
}

Test(doctor, lines, .init = cr_redirect_stdout)
{
	struct doctor d = { .n = 2,
			    .line = {
				    { DOCTOR_OK, "a", "x", "" },
				    { DOCTOR_WARN, "b", "y", "do" },
			    } };

	doctor_print(&d, false);
	fflush(stdout);
	cr_expect_stdout_eq_str("ok    a          x\n"
				"warn  b          y; remedy: do\n"
				"Guests can run on this host.\n");
}
