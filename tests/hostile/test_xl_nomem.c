// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_xl_nomem.c - verbs of xl for which memory runs out.
//
// XSA-69, XSA-70, XSA-88.  Each verb is run with its 1st, 2nd, 3rd... allocation
// failing, until none fails any more: it may fail, it may not crash.
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/paths.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/proc.h"
#include "tests/lib/stack.h"
#include "tests/lib/fakedom.h"
#include "tools/xl_cmd.h"
#include "tools/xl_run.h"

#define MOST 5000 /* allocations of one verb */

static struct stack s;
static struct fakedom *dom;
static char cfg[] = "/tmp/test_xl_nomem.XXXXXX";
static int owner;

static int no_reap(unsigned int domid)
{
	(void)domid;
	return -1;
}

static void put_log(void)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/hv-old.log", paths_log());
	f = fopen(path, "we");
	cr_assert(f);
	fputs("2026-01-01T00:00:01.000000Z one\n"
	      "2026-01-01T00:00:02.000000Z two\n",
	      f);
	fclose(f);
}

/* A domain with a disk and a card, as far as lists can tell. */
static void set_up(void)
{
	static const uint8_t uuid[16] = { 1 };
	static const char text[] =
		"name='new'\nkernel='/proc/self/exe'\nmemory=64\nvcpus=2\n"
		"disk=['/proc/self/exe,raw,xvda,r']\n"
		"vif=['bridge=br0,rate=1Mb/s','net=nat']\n";
	unsigned int domid = 0;
	int fd = mkstemp(cfg);

	stack_start(&s, false);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	cr_assert_eq(xl_run_init(), 0);
	cr_assert_eq(xl_run_reserve("old", &domid, &owner, no_reap), 0);
	cr_assert_eq(domid, 1);
	cr_assert_eq(xl_run_write(1, "name", "old"), 0);
	cr_assert_eq(xl_run_write(1, "config.json", "{\n}\n"), 0);
	stack_write(&s, "/b", "/libxl/1/device/vbd/51712/backend");
	stack_write(&s, "/b", "/libxl/1/device/vif/0/backend");
	stack_write(&s, "00:16:3e:00:00:01", "/libxl/1/device/vif/0/mac");
	stack_write(&s, "4", "/local/domain/1/device/vbd/51712/state");
	put_log();
	dom = fakedom_new(1, 2);
	fakedom_present(dom, "old", uuid, 1, 1);
}

static void tear_down(void)
{
	fakedom_free(dom);
	unlink(cfg);
	cr_expect(stack_stop(&s));
}

TestSuite(xl_nomem, .init = set_up, .fini = tear_down, .timeout = 300);

struct verb {
	char name[16];
	char arg[4][16]; /* "CFG" stands for the file */
	int want;	 /* its status when no allocation fails */
};

ParameterizedTestParameters(xl_nomem, verbs)
{
	static struct verb t[] = {
		{ "list", { "" }, 0 },
		{ "list", { "-l" }, 0 },
		{ "list", { "-v", "old" }, 0 },
		{ "domid", { "old" }, 0 },
		{ "dmesg", { "" }, 0 },
		{ "block-list", { "old" }, 0 },
		{ "network-list", { "old" }, 0 },
		{ "pause", { "old" }, 0 },
		{ "unpause", { "old" }, 0 },
		{ "shutdown", { "old" }, 1 },
		{ "reboot", { "old" }, 1 },
		{ "create", { "-n", "CFG", "vcpus=3" }, 0 },
		{ "create", { "-n", "CFG", "disk=['x']" }, 1 },
	};
	return cr_make_param_array(struct verb, t, ARRAY_SIZE(t));
}

#define ALL_WELL 0x40 /* a child's status, and its verb's, if none failed */

static _Noreturn void run(const struct verb *v, int nth)
{
	char *argv[6] = { NULL };
	int argc = 0, null = open("/dev/null", O_RDWR);
	const struct xl_cmd *cmd;
	int status;
	size_t n;

	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	argv[argc++] = strdup(v->name);
	for (size_t i = 0; i < ARRAY_SIZE(v->arg) && v->arg[i][0]; i++)
		argv[argc++] =
			strdup(strcmp(v->arg[i], "CFG") ? v->arg[i] : cfg);
	cmd = xl_cmd_find(v->name, &n);
	optind = 1;
	fail_in = nth;
	status = cmd->run(argc, argv);
	_exit(fail_in ? ALL_WELL | status : 0);
}

ParameterizedTest(struct verb *v, xl_nomem, verbs)
{
	int nth = 0, status;
	pid_t pid;

	do {
		cr_assert_lt(++nth, MOST);
		pid = proc_fork();
		cr_assert_geq(pid, 0);
		if (pid == 0)
			run(v, nth);
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		cr_assert(WIFEXITED(status), "%s %s: allocation %d: signal %d",
			  v->name, v->arg[0], nth, WTERMSIG(status));
	} while (!(WEXITSTATUS(status) & ALL_WELL));
	cr_expect_eq(WEXITSTATUS(status), ALL_WELL | v->want, "%s %s: %x",
		     v->name, v->arg[0], WEXITSTATUS(status));
	cr_expect_gt(nth, 1, "%s allocates nothing?", v->name);
}
