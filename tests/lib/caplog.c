// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/caplog.c - what was logged, for tests of messages.
#include "tests/lib/caplog.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"

static int kept = -1;

void caplog_begin(void)
{
	int fd = memfd_create("caplog", MFD_CLOEXEC);

	kept = dup(fd);
	if (fd < 0 || kept < 0)
		abort();
	log_to_fd(fd);
}

const char *caplog_end(void)
{
	static char text[8192];
	ssize_t n = pread(kept, text, sizeof(text) - 1, 0);

	log_to_fd(-1);
	close(kept);
	text[n > 0 ? n : 0] = '\0';
	return text;
}
