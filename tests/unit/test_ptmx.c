/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_ptmx.c - terminals that another process opens. */
#include "dom0-backend/ptmx.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/patience.h"

/* The only process that a test has started. */
static pid_t child(void)
{
	char path[64];
	int pid = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", gettid());
	f = fopen(path, "r");
	cr_assert(f && fscanf(f, "%d", &pid) == 1);
	fclose(f);
	return pid;
}

static void is_terminal(int master)
{
	char got[8] = "";
	int slave;

	cr_assert_geq(master, 0, "%d", master);
	cr_expect(fcntl(master, F_GETFL) & O_NONBLOCK);
	cr_expect(fcntl(master, F_GETFD) & FD_CLOEXEC);
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	cr_assert_geq(slave, 0);
	cr_assert_eq(write(master, "key\n", 4), 4);
	cr_expect_eq(read(slave, got, sizeof(got)), 4);
	cr_expect_str_eq(got, "key\n");
	close(slave);
	close(master);
}

static bool has_ended(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == pid;
}

Test(ptmx, opens_terminals)
{
	int helper = ptmx_start();
	pid_t pid = child();

	cr_assert_geq(helper, 0);
	for (int i = 0; i < 3; i++)
		is_terminal(ptmx_open(helper));
	cr_expect_not(ptmx_gone(helper));
	close(helper);
	cr_expect(SOON(has_ended(pid)), "it ends with who asks");
}

Test(ptmx, is_not_needed_where_they_can_be_opened)
{
	is_terminal(ptmx_open(-1));
}

Test(ptmx, is_missed_when_it_has_ended)
{
	int helper = ptmx_start();
	pid_t pid = child();

	cr_assert_geq(helper, 0);
	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	cr_expect_eq(ptmx_open(helper), -EIO);
	cr_expect(ptmx_gone(helper));
	close(helper);
}

Test(ptmx, an_answer_that_came_too_late_is_dropped)
{
	int helper = ptmx_start(), status;
	struct pollfd pfd = { .fd = helper, .events = POLLIN };
	pid_t pid = child();

	cr_assert_geq(helper, 0);
	kill(pid, SIGSTOP);
	cr_assert_eq(waitpid(pid, &status, WUNTRACED), pid);
	cr_expect_eq(ptmx_open(helper), -ETIMEDOUT);
	kill(pid, SIGCONT);
	cr_assert_eq(poll(&pfd, 1, 60000), 1);
	cr_expect_not(ptmx_gone(helper));
	cr_expect_eq(poll(&pfd, 1, 0), 0);
	is_terminal(ptmx_open(helper));
	close(helper);
}
