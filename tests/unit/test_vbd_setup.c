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

#include "dom0-backend/image_lock.h"
#include "tests/lib/patience.h"

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

TestSuite(vbd_setup, .init = set_up, .fini = tear_down, .timeout = 300);

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

static void expect_refused(const char *mode, const char *word)
{
	struct vbd_disk d;

	cr_assert_eq(attach(&d, 3, mode), -EBUSY, "%s", mode);
	cr_expect_not_null(strstr(err, word), "%s", err);
	cr_expect_not_null(strstr(err, image), "%s", err);
	cr_expect_not_null(strstr(err, "read-only (r) in both"), "%s", err);
}

/* What another program does is known by its lock only. */
Test(vbd_setup, another_program)
{
	struct flock fl = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int fd = open(image, O_RDWR);
	struct vbd_disk d;
	char who[32];

	cr_assert_eq(fcntl(fd, F_OFD_SETLK, &fl), 0);
	snprintf(who, sizeof(who), "process %d (", getpid());
	expect_refused("w", who);
	fl.l_type = F_UNLCK;
	cr_assert_eq(fcntl(fd, F_OFD_SETLK, &fl), 0);
	cr_assert_eq(attach(&d, 3, "w"), 0);
	vbd_close(&d);
	close(fd);
}

/*
 * Locks on other bytes are others' business.  Ours end with the disk, whoever
 * still has the open file.
 */
Test(vbd_setup, only_its_own_bytes)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(image, O_RDWR), worker;
	struct vbd_disk d;

	fl.l_len = IMAGE_LOCK_FIRST;
	cr_assert_eq(fcntl(fd, F_OFD_SETLK, &fl), 0);
	fl.l_start = IMAGE_LOCK_FIRST + IMAGE_LOCK_BYTES;
	fl.l_len = 0;
	cr_assert_eq(fcntl(fd, F_OFD_SETLK, &fl), 0);
	cr_assert_eq(attach(&d, 3, "w"), 0, "%s", err);
	worker = dup(d.fd);
	cr_expect_eq(image_lock(fd, true), -EBUSY);
	vbd_close(&d);
	cr_expect_eq(image_lock(fd, true), 0, "whoever has it still");
	close(worker);
	fl = (struct flock){ .l_type = F_WRLCK, .l_start = 0, .l_len = 1 };
	worker = open(image, O_RDWR);
	cr_expect_eq(fcntl(worker, F_OFD_SETLK, &fl), -1, "theirs stays");
	close(worker);
	close(fd);
}

/* ---- QEMU ---------------------------------------------------------------- */

static int run(const char *fmt, const char *option)
{
	char command[256];

	snprintf(command, sizeof(command), fmt, option, image);
	return system(command);
}

/* Start QEMU with the image open, wait until it is; pclose() ends it. */
static FILE *qemu(const char *option)
{
	char command[128], who[96] = "";
	int fd = open(image, O_RDONLY);
	FILE *f;

	snprintf(command, sizeof(command), "qemu-io -f raw %s %s >/dev/null",
		 option, image);
	f = popen(command, "w");
	cr_assert(f);
	cr_assert(SOON((image_lock_holder(fd, who, sizeof(who)),
			strstr(who, "qemu-io"))),
		  "%s", who);
	close(fd);
	return f;
}

Test(vbd_setup, what_qemu_uses)
{
	struct vbd_disk d;
	FILE *f = qemu("");

	expect_refused("w", "(qemu-io)");
	expect_refused("r", "(qemu-io)");
	pclose(f);
	f = qemu("-r");
	expect_refused("w", "(qemu-io)");
	cr_expect_eq(attach(&d, 3, "r"), 0, "%s", err);
	vbd_close(&d);
	pclose(f);
	cr_expect_eq(attach(&d, 3, "w"), 0, "%s", err);
	vbd_close(&d);
}

Test(vbd_setup, what_qemu_is_refused)
{
	static const char io[] = "qemu-io -f raw %s %s >/dev/null 2>&1";
	struct vbd_disk d;

	cr_assert_eq(attach(&d, 3, "w"), 0, "%s", err);
	cr_expect_neq(run(io, "-c 'write 0 512'"), 0);
	cr_expect_neq(run(io, "-r -c 'read 0 512'"), 0);
	vbd_close(&d);
	cr_assert_eq(attach(&d, 3, "r"), 0, "%s", err);
	cr_expect_neq(run(io, "-c 'write 0 512'"), 0);
	cr_expect_eq(run(io, "-r -c 'read 0 512'"), 0);
	vbd_close(&d);
	cr_expect_eq(run(io, "-c 'write 0 512'"), 0);
}
