// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_vbd_setup.c - one image, several domains.
#include "dom0-backend/vbd_setup.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char image[] = "/tmp/sv-test-vbd-XXXXXX";
static char err[512];

static void set_up(void)
{
	int fd = mkstemp(image);

	cr_assert_eq(ftruncate(fd, 1 << 20), 0);
	close(fd);
}

static void tear_down(void)
{
	unlink(image);
}

TestSuite(vbd_setup, .init = set_up, .fini = tear_down, .timeout = 20);

static int attach(struct vbd_disk *d, unsigned int domid, const char *mode)
{
	struct vbd_config cfg = { .domid = domid,
				  .params = image,
				  .mode = mode };

	return vbd_open(&cfg, d, err, sizeof(err));
}

/* As on a file system that has no locks: the first disk's lock is not there. */
static void without_lock(const char *first, const char *second, int want)
{
	struct flock fl = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
	struct vbd_disk a, b;
	int ret;

	cr_assert_eq(attach(&a, 3, first), 0, "%s", err);
	cr_assert_eq(fcntl(a.fd, F_OFD_SETLK, &fl), 0);
	ret = attach(&b, 4, second);
	cr_expect_eq(ret, want, "%s, then %s: %d", first, second, ret);
	if (!ret)
		vbd_close(&b);
	else
		cr_expect_not_null(strstr(err, "domain 3"), "%s", err);
	vbd_close(&a);
}

Test(vbd_setup, our_list_needs_no_locks)
{
	without_lock("w", "w", -EBUSY);
	without_lock("w", "r", -EBUSY);
	without_lock("r", "w", -EBUSY);
	without_lock("r", "r", 0);
	without_lock("w", "w!", 0);
}

/* What another program does is known by its lock only. */
Test(vbd_setup, another_program)
{
	struct flock fl = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int fd = open(image, O_RDWR);
	struct vbd_disk d;

	cr_assert_eq(fcntl(fd, F_OFD_SETLK, &fl), 0);
	cr_expect_eq(attach(&d, 3, "w"), -EBUSY);
	cr_expect_not_null(strstr(err, "another program"), "%s", err);
	cr_assert_eq(attach(&d, 3, "r"), 0);
	vbd_close(&d);
	close(fd);
}
