// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_vbd_setup.c - one image, several domains.
#include "dom0-backend/vbd_setup.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0-backend/image_lock.h"
#include "tests/lib/patience.h"
#include "tests/lib/stack.h"

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
	cr_assert_eq(fcntl(a.image.fd, F_OFD_SETLK, &fl), 0);
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
	worker = dup(d.image.fd);
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

/* ---- what an image builds upon ------------------------------------------- */

static char top[64], params[80], raw[80];

/* A chain of the image below another file, and what that is said to be. */
static int attach_chain(struct vbd_disk *d, const char *mode, unsigned int n,
			const char *below)
{
	struct vbd_config cfg = {
		.domid = 3, .params = params, .mode = mode, .nbacking = n
	};

	for (unsigned int i = 0; i < n; i++)
		cfg.backing[i] = below;
	return vbd_open(&cfg, d, err, sizeof(err));
}

static void make_top(const char *format)
{
	char programs[PATH_MAX];
	int fd;

	stack_program(programs, "");
	setenv("SPLITVISOR_LIBEXEC_DIR", programs, 1);
	snprintf(top, sizeof(top), "%s-top", image);
	snprintf(params, sizeof(params), "%s%s", format, top);
	snprintf(raw, sizeof(raw), "raw:%s", image);
	fd = open(top, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(ftruncate(fd, 1 << 20), 0);
	close(fd);
}

/* They share it with other readers, and writers are kept away, both ways. */
Test(vbd_setup, backing_file_is_only_read)
{
	struct vbd_disk chain, d;
	int fd = open(image, O_RDWR);

	make_top("qcow2:");
	cr_assert_eq(attach_chain(&chain, "w", 1, raw), 0, "%s", err);
	cr_expect_eq(fcntl(chain.backing[0].fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	cr_expect_eq(image_lock(fd, true), -EBUSY);
	expect_refused("w", "domain 3");
	cr_expect_eq(attach(&d, 4, "r"), 0, "%s", err);
	vbd_close(&d);
	vbd_close(&chain);
	cr_assert_eq(attach(&d, 3, "w"), 0, "%s", err);
	cr_expect_eq(attach_chain(&chain, "w", 1, raw), -EBUSY);
	cr_expect_not_null(strstr(err, image), "%s", err);
	vbd_close(&d);
	/* "w!" is for the image: what is below it is still nobody's to write. */
	cr_assert_eq(attach_chain(&chain, "w!", 1, raw), 0, "%s", err);
	expect_refused("w", "domain 3");
	vbd_close(&chain);
	cr_expect_eq(image_lock(fd, true), 0, "nothing is left locked");
	close(fd);
	unlink(top);
}

static void expect_no_chain(const char *format, const char *mode,
			    unsigned int n, const char *below, int want,
			    const char *word)
{
	int fd, fds = dup(0), ret;
	struct vbd_disk d;

	close(fds);
	make_top(format);
	ret = attach_chain(&d, mode, n, below);
	cr_expect_eq(ret, want, "%s on %s: %d", params, below, ret);
	if (!ret)
		vbd_close(&d);
	cr_expect(strstr(err, word), "%s on %s: %s", params, below, err);
	fd = dup(0);
	cr_expect_eq(fd, fds, "a descriptor was left open");
	close(fd);
	fd = open(image, O_RDWR);
	cr_expect_eq(image_lock(fd, true), 0, "a lock was left");
	close(fd);
	unlink(top);
}

Test(vbd_setup, chains_that_cannot_be)
{
	char itself[96];

	expect_no_chain("", "w", 1, raw, -EINVAL, "cannot build upon");
	expect_no_chain("vhd:", "w", 1, raw, -EINVAL, "cannot build upon");
	expect_no_chain("vhdx:", "w", 1, raw, -EINVAL, "cannot build upon");
	expect_no_chain("qcow2:", "w", 2, raw, -EINVAL, "cannot build upon");
	expect_no_chain("qcow2:", "w", 1, image, -EINVAL, "not named");
	expect_no_chain("qcow2:", "w", 1, "nbd://h/", -EINVAL, "not named");
	expect_no_chain("qcow2:", "w", 1, "raw:x", -EINVAL, "absolute");
	expect_no_chain("qcow2:", "w", 1, "vdi:/x", -EOPNOTSUPP, "vdi:/x");
	expect_no_chain("qcow2:", "w", 1, "raw:/none/x", -ENOENT, "/none/x");
	expect_no_chain("qcow2:", "w", 1, "raw:/dev/null", -ENOTBLK, "neither");
	/* Readers do not lock each other out: round and round all the same. */
	snprintf(itself, sizeof(itself), "qcow2:%s", image);
	expect_no_chain("qcow2:", "r", 2, itself, -ELOOP, image);
	snprintf(itself, sizeof(itself), "qcow2:%s-top", image);
	expect_no_chain("qcow2:", "r", 1, itself, -ELOOP, "upon itself");
	expect_no_chain("qcow2:", "w", 1, itself, -ELOOP, "upon itself");
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
