// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_fd.c - descriptors that came from another process.
#include "base/fd.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

Test(fd, only_files_that_cannot_be_written_are_views)
{
	char name[] = "/tmp/sv-test-view-XXXXXX";
	int rw = mkstemp(name), ro = open(name, O_RDONLY | O_CLOEXEC);
	int wo = open(name, O_WRONLY | O_CLOEXEC);
	int path = open(name, O_PATH | O_CLOEXEC);
	int dir = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int waits[2];

	cr_assert_eq(pipe(waits), 0);
	cr_expect_eq(fd_check_view(ro), 0);
	cr_expect_eq(fd_check_view(rw), -EINVAL);
	cr_expect_eq(fd_check_view(wo), -EINVAL);
	cr_expect_eq(fd_check_view(path), -EINVAL);
	cr_expect_eq(fd_check_view(dir), -EINVAL);
	cr_expect_eq(fd_check_view(null), -EINVAL);
	cr_expect_eq(fd_check_view(waits[0]), -EINVAL);
	cr_expect_eq(fd_check_view(-1), -EINVAL);
	unlink(name);
}

Test(fd, only_memory_that_stays_is_mapped)
{
	int sealed = fd_memfd("sealed", 8192);
	int open_ended = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	cr_assert(sealed >= 0 && open_ended >= 0 && null >= 0);
	cr_assert_eq(ftruncate(open_ended, 8192), 0);
	cr_expect_eq(fd_check_memory(sealed, 8192), 0);
	cr_expect_eq(fd_check_memory(sealed, 8193), -EPROTO, "too small");
	cr_expect_eq(fd_check_memory(open_ended, 4096), -EPROTO,
		     "could be cut under the mapping");
	cr_expect_eq(fcntl(open_ended, F_ADD_SEALS, F_SEAL_GROW), 0);
	cr_expect_eq(fd_check_memory(open_ended, 4096), -EPROTO);
	cr_expect_eq(fcntl(open_ended, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	cr_expect_eq(fd_check_memory(open_ended, 4096), 0);
	cr_expect_eq(fd_check_memory(null, 0), -EPROTO);
	close(sealed);
	close(open_ended);
	close(null);
}

Test(fd, only_eventfds_are_event_channels)
{
	int event = eventfd(7, EFD_CLOEXEC | EFD_NONBLOCK);
	int other[] = { epoll_create1(EPOLL_CLOEXEC), fd_memfd("m", 4096),
			open("/dev/null", O_RDWR | O_CLOEXEC) };
	int pair[2];
	eventfd_t n;

	cr_assert(event >= 0 && !pipe2(pair, O_CLOEXEC));
	cr_expect_eq(fd_check_event(event), 0);
	cr_expect(!eventfd_read(event, &n) && n == 7, "nothing is added");
	for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
		cr_assert_geq(other[i], 0);
		cr_expect_eq(fd_check_event(other[i]), -EPROTO, "%zu", i);
		close(other[i]);
	}
	cr_expect_eq(fd_check_event(pair[0]), -EPROTO);
	cr_expect_eq(fd_check_event(pair[1]), -EPROTO);
	close(pair[0]);
	close(pair[1]);
	close(event);
}
