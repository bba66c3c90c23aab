// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_xl_run.c - domids, names and directories of domains.
#include "tools/xl_run.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/paths.h"
#include "tests/lib/caplog.h"
#include "tests/lib/fakedom.h"
#include "tests/lib/patience.h"
#include "tools/xl_proc.h"

static void setup(void)
{
	fakedom_run_dir();
	cr_assert_eq(xl_run_init(), 0);
}

TestSuite(xl_run, .init = setup, .fini = fakedom_run_dir_remove);

static int no_reap(unsigned int domid)
{
	cr_expect_fail("domain %u is not to be removed", domid);
	return -EBUSY;
}

static unsigned int reserve(const char *name, int *owner)
{
	unsigned int domid = 0;

	cr_assert_eq(xl_run_reserve(name, &domid, owner, no_reap), 0);
	return domid;
}

Test(xl_run, domids_go_up_and_are_not_reused)
{
	int owner;

	cr_expect_eq(reserve("a", &owner), 1);
	cr_expect_eq(reserve("b", &owner), 2);
	cr_expect_eq(xl_run_remove(2), 0);
	cr_expect_eq(reserve("c", &owner), 3);
}

static void set_last(unsigned int domid)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/domid", paths_run());
	f = fopen(path, "we");
	cr_assert_not_null(f);
	fprintf(f, "%u\n", domid);
	fclose(f);
}

Test(xl_run, domids_wrap_and_skip_what_is_left)
{
	int owner;

	cr_expect_eq(reserve("a", &owner), 1);
	set_last(XL_MAX_DOMID - 1);
	cr_expect_eq(reserve("b", &owner), XL_MAX_DOMID);
	cr_expect_eq(reserve("c", &owner), 2); /* 1 is taken */
}

Test(xl_run, names)
{
	unsigned int domid;
	char name[XL_NAME_SIZE];
	int owner;

	reserve("first", &owner);
	reserve("second", &owner);
	cr_expect_eq(xl_run_find("second", &domid), 0);
	cr_expect_eq(domid, 2);
	cr_expect_eq(xl_run_find("1", &domid), 0);
	cr_expect_eq(domid, 1);
	cr_expect_eq(xl_run_find("third", &domid), -ENOENT);
	cr_expect_eq(xl_run_find("7", &domid), -ENOENT);
	cr_expect_eq(xl_run_name(1, name), 0);
	cr_expect_str_eq(name, "first");
	cr_expect_eq(xl_run_rename(1, "second"), -EEXIST);
	cr_expect_eq(xl_run_rename(1, "other"), 0);
	cr_expect_eq(xl_run_find("other", &domid), 0);
	cr_expect_eq(xl_run_find("first", &domid), -ENOENT);
}

Test(xl_run, a_taken_name_is_refused)
{
	unsigned int domid = 77;
	int owner, other = -1;

	reserve("a", &owner);
	caplog_begin();
	cr_expect_eq(xl_run_reserve("a", &domid, &other, no_reap), -EEXIST);
	cr_expect_not_null(strstr(caplog_end(), "'a' is taken by domain 1"));
	cr_expect_eq(domid, 77);
	cr_expect_eq(other, -1);
}

static int reap(unsigned int domid)
{
	return xl_run_remove(domid);
}

Test(xl_run, a_dead_domain_gives_its_name_back)
{
	unsigned int domid = 0;
	int owner;

	reserve("a", &owner);
	cr_expect_not(xl_run_dead(1)); /* we own it */
	close(owner);
	cr_expect(xl_run_dead(1));
	cr_expect_eq(xl_run_reserve("a", &domid, &owner, reap), 0);
	cr_expect_eq(domid, 2);
}

Test(xl_run, a_living_vmm_is_not_dead)
{
	char text[64], stat[512];
	unsigned long long start;
	FILE *f = fopen("/proc/self/stat", "re");
	int owner;

	cr_assert_not_null(fgets(stat, sizeof(stat), f));
	fclose(f);
	cr_assert_eq(sscanf(strrchr(stat, ')') + 1,
			    " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			    "%*s %*s %*s %*s %*s %*s %*s %llu",
			    &start),
		     1);
	reserve("a", &owner);
	close(owner);
	snprintf(text, sizeof(text), "%d %llu\n", (int)getpid(), start);
	cr_assert_eq(xl_run_write(1, "hv.pid", text), 0);
	cr_expect_not(xl_run_dead(1));
	/* The same number, but a later process. */
	snprintf(text, sizeof(text), "%d %llu\n", (int)getpid(), start + 1);
	cr_assert_eq(xl_run_write(1, "hv.pid", text), 0);
	cr_expect(xl_run_dead(1));
}

Test(xl_run, list_is_sorted)
{
	struct xl_dom *list;
	char name[24];
	size_t n;
	int owner;

	cr_expect_eq(xl_run_list(&list, &n), 0);
	cr_expect_eq(n, 0);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "g%d", i);
		reserve(name, &owner);
	}
	cr_assert_eq(xl_run_list(&list, &n), 0);
	cr_assert_eq(n, 40);
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "g%zu", i);
		cr_expect_eq(list[i].domid, i + 1);
		cr_expect_str_eq(list[i].name, name);
	}
	free(list);
}

Test(xl_run, removal_is_complete_and_repeatable)
{
	char path[PATH_MAX];
	int owner;

	reserve("a", &owner);
	cr_assert_eq(xl_run_write(1, "xl.cfg", "x"), 0);
	cr_assert_eq(paths_mkdir(paths_dom(path, 1, "sub")), 0);
	cr_expect_eq(xl_run_remove(1), 0);
	cr_expect_neq(access(paths_dom(path, 1, ""), F_OK), 0);
	cr_expect_eq(xl_run_remove(1), 0);
}

/* A VMM that was started while others took the domain apart. */
Test(xl_run, removal_ends_a_vmm_that_came_late)
{
	static const char *const argv[] = { "/bin/sh", "-c", "sleep 1000",
					    NULL };
	char log[PATH_MAX], record[PATH_MAX];
	struct xl_start start = { argv, log, record, false, 0 };
	struct xl_proc vmm;
	int owner, ready;

	reserve("a", &owner);
	snprintf(log, sizeof(log), "%s/vmm.log", paths_run());
	paths_dom(record, 1, "hv.pid");
	cr_assert_eq(xl_proc_start(&start, &ready), 0);
	cr_assert(SOON(!xl_proc_load(&vmm, record)));
	cr_expect(xl_proc_alive(&vmm));
	cr_expect_eq(xl_run_remove(1), 0);
	cr_expect(!xl_proc_alive(&vmm));
}

/* What a directory of somebody else holds could be links to anywhere. */
Test(xl_run, a_directory_of_others_is_refused)
{
	static const char *const names[] = { "", "/dom", "/log" };
	const uid_t me = geteuid();
	char path[PATH_MAX];

	cr_assert_eq(me, 0, "to be run as root");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s%s", paths_run(), names[i]);
		for (int bad = 0; bad < 2; bad++) {
			const char *said;

			cr_assert_eq(chown(path, bad ? me : 12345, 0), 0);
			cr_assert_eq(chmod(path, bad ? 0777 : 0755), 0);
			caplog_begin();
			cr_expect_eq(xl_run_init(), -EPERM, "%s", path);
			said = caplog_end();
			cr_expect(strstr(said, path), "%s", said);
			cr_expect(strstr(said, "somebody else"), "%s", said);
		}
		cr_assert_eq(chmod(path, 01777), 0);
		cr_expect_eq(xl_run_init(), 0, "as /tmp is");
		cr_assert_eq(chmod(path, 0755), 0);
		cr_expect_eq(xl_run_init(), 0);
	}
}
