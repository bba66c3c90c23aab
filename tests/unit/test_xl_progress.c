/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_xl_progress.c - what is shown of a domain on its way out. */
#include "tools/xl_progress.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct xl_progress p;
static char text[400];

/* Have standard error be @fd, and tell it all. */
static void tell(int fd)
{
	cr_assert_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	xl_progress_init(&p);
	p.round = 1;
	xl_progress_tell(&p, 100, 400, 256);
	xl_progress_tell(&p, 101, 400, 256); /* too soon */
	xl_progress_end(&p);
	p.round = 2;
	xl_progress_tell(&p, 300, 400, 512);
	xl_progress_end(&p);
	xl_progress_end(&p); /* nothing was shown since */
}

/* What has come: of a terminal a moment later, and in parts. */
static const char *heard(int fd, size_t len)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	size_t n = 0;

	while (n < len && poll(&pfd, 1, 10000) == 1) {
		ssize_t got = read(fd, text + n, sizeof(text) - 1 - n);

		cr_assert_gt(got, 0);
		n += (size_t)got;
	}
	text[n] = '\0';
	return text;
}

Test(xl_progress, a_terminal_has_one_line)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	char want[400];

	cr_assert(master >= 0 && !grantpt(master) && !unlockpt(master));
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	cr_assert_geq(slave, 0);
	snprintf(want, sizeof(want),
		 "\rmemory:  25%%, 1 MiB written \r%40s\r"
		 "\rmemory: round 2,  75%%, 2 MiB written \r%40s\r",
		 "", "");
	tell(slave);
	cr_expect_str_eq(heard(master, strlen(want)), want);
}

Test(xl_progress, a_file_has_none)
{
	int fd[2];

	cr_assert_eq(pipe(fd), 0);
	tell(fd[1]);
	cr_expect_eq(write(fd[1], "end", 3), 3);
	cr_expect_str_eq(heard(fd[0], 3), "end");
}
