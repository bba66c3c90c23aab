/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_xl_progress.c - what is shown of a domain on its way out. */
#include "tools/xl_progress.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct xl_progress p;
static char text[400];

/* Have standard error be @fd, and tell it all; Return: what has come of it. */
static const char *tell(int fd, int from)
{
	ssize_t n;

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
	n = read(from, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

Test(xl_progress, a_terminal_has_one_line)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK), slave;
	char want[400];

	cr_assert(master >= 0 && !grantpt(master) && !unlockpt(master));
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	cr_assert_geq(slave, 0);
	snprintf(want, sizeof(want),
		 "\rmemory:  25%%, 1 MiB written \r%40s\r"
		 "\rmemory: round 2,  75%%, 2 MiB written \r%40s\r",
		 "", "");
	cr_expect_str_eq(tell(slave, master), want);
}

Test(xl_progress, a_file_has_none)
{
	int fd[2];

	cr_assert_eq(pipe2(fd, O_NONBLOCK), 0);
	cr_expect_str_eq(tell(fd[1], fd[0]), "");
}
