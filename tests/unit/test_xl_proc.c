// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_xl_proc.c - programs that are started, awaited and ended.
#include "tools/xl_proc.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/fakedom.h"
#include "base/paths.h"
#include "tests/lib/patience.h"

static char pidfile[PATH_MAX], logfile[PATH_MAX];

static void setup(void)
{
	snprintf(pidfile, sizeof(pidfile), "%s/t.pid", fakedom_run_dir());
	snprintf(logfile, sizeof(logfile), "%s/t.log", paths_run());
}

TestSuite(xl_proc, .init = setup, .fini = fakedom_run_dir_remove);

/* A shell gets "--ready-fd N" as $0 and $1. */
static struct xl_proc start(const char *script, int *ready)
{
	const char *argv[] = { "/bin/bash", "-c", script, NULL };
	struct xl_start s = { .argv = argv,
			      .log = logfile,
			      .pidfile = pidfile };
	struct xl_proc p = { 0 };

	cr_assert_eq(xl_proc_start(&s, ready), 0);
	/* The record is there before the program runs. */
	cr_assert(SOON(!xl_proc_load(&p, pidfile)));
	cr_assert_gt(p.pid, 1);
	return p;
}

#define READY "echo -n x >&$1; eval \"exec $1>&-\"; "

Test(xl_proc, becomes_ready_and_ends_by_itself)
{
	int ready = -1;
	struct xl_proc p;

	setenv("LOG", logfile, 1);
	p = start(READY "while [ -e \"$LOG\" ]; do sleep 0.01; done", &ready);

	cr_expect_eq(xl_proc_wait_ready(&ready, PATIENCE_MS), 0);
	cr_expect_eq(ready, -1);
	cr_expect(xl_proc_alive(&p));
	unlink(logfile);
	cr_expect_eq(xl_proc_end(&p, PATIENCE_MS), 0);
	cr_expect_not(xl_proc_alive(&p));
}

Test(xl_proc, is_killed_when_it_does_not_end)
{
	int ready = -1;
	struct xl_proc p = start(
		"trap '' TERM INT; " READY "while :; do sleep 1; done", &ready);

	cr_expect_eq(xl_proc_wait_ready(&ready, PATIENCE_MS), 0);
	cr_expect_eq(xl_proc_end(&p, 50), 0);
	cr_expect_not(xl_proc_alive(&p));
	cr_expect_eq(xl_proc_end(&p, 50), 0); /* again does nothing */
}

Test(xl_proc, early_end_and_silence)
{
	int ready = -1;
	struct xl_proc p = start("exit 1", &ready);

	cr_expect_eq(xl_proc_wait_ready(&ready, PATIENCE_MS), -EPIPE);
	cr_expect_eq(xl_proc_fatal(&p), 0);
	p = start("kill -SEGV $$", &ready);
	cr_expect_eq(xl_proc_wait_ready(&ready, PATIENCE_MS), -EPIPE);
	unlink(pidfile);
	p = start("exec sleep 100", &ready);
	cr_expect_eq(xl_proc_wait_ready(&ready, 100), -ETIMEDOUT);
	cr_expect_eq(xl_proc_end(&p, 0), 0);
}

Test(xl_proc, fatal_signal_is_told)
{
	int ready = -1;
	struct xl_proc p = start("kill -SEGV $$", &ready);

	cr_expect_eq(xl_proc_wait_ready(&ready, PATIENCE_MS), -EPIPE);
	cr_expect_eq(xl_proc_fatal(&p), SIGSEGV);
}

Test(xl_proc, output_goes_to_the_log)
{
	char text[64] = "";
	int ready = -1;
	struct xl_proc p = start("echo out; echo err >&2; " READY, &ready);
	FILE *f;

	cr_expect_eq(xl_proc_wait_ready(&ready, PATIENCE_MS), 0);
	cr_expect_eq(xl_proc_end(&p, PATIENCE_MS), 0);
	f = fopen(logfile, "re");
	cr_assert_not_null(f);
	cr_expect_eq(fread(text, 1, sizeof(text) - 1, f), 8);
	fclose(f);
	cr_expect_str_eq(text, "out\nerr\n");
}

Test(xl_proc, another_process_of_that_number_is_left_alone)
{
	int ready = -1;
	struct xl_proc p = start(READY "exec sleep 100", &ready), other = p;

	cr_expect_eq(xl_proc_wait_ready(&ready, PATIENCE_MS), 0);
	other.start++;
	cr_expect_not(xl_proc_alive(&other));
	cr_expect_eq(xl_proc_end(&other, 0), 0);
	cr_expect(xl_proc_alive(&p));
	cr_expect_eq(xl_proc_end(&p, 0), 0);
}

/* Who has looked, and then sleeps, does not miss what came in between. */
Test(xl_proc, a_signal_before_the_sleep_ends_it)
{
	xl_catch_interrupts();
	cr_expect_eq(xl_poll(NULL, 0, 1), 0);
	cr_expect_not(xl_interrupted());
	cr_assert_eq(raise(SIGTERM), 0);
	cr_expect_eq(xl_poll(NULL, 0, PATIENCE_MS), -1);
	cr_expect_eq(errno, EINTR);
	cr_expect(xl_interrupted());
}

Test(xl_proc, a_program_that_is_not_there)
{
	const char *argv[] = { "/nonexistent/program", NULL };
	struct xl_start s = { .argv = argv,
			      .log = logfile,
			      .pidfile = pidfile };
	int ready = -1;

	cr_assert_eq(xl_proc_start(&s, &ready), 0);
	cr_expect_eq(xl_proc_wait_ready(&ready, PATIENCE_MS), -EPIPE);
}

Test(xl_proc, records_that_are_nonsense)
{
	struct xl_proc p;
	FILE *f;

	cr_expect_eq(xl_proc_load(&p, pidfile), -ENOENT);
	f = fopen(pidfile, "we");
	fputs("1 5\n", f); /* never init */
	fclose(f);
	cr_expect_eq(xl_proc_load(&p, pidfile), -ESRCH);
	f = fopen(pidfile, "we");
	fputs("x\n", f);
	fclose(f);
	cr_expect_eq(xl_proc_load(&p, pidfile), -ESRCH);
}
