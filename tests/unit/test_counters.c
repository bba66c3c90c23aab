// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_counters.c - what a domain's sockets give, and what of it is taken.
#include "tools/counters.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/paths.h"
#include "base/sock.h"
#include "tests/lib/fakedom.h"
#include "tests/lib/fini.h"

#define DOMID 6

static const struct xl_dom domain = { DOMID, "given" };
static struct fakedom *dom;
static struct counters c;

static void set_up(void)
{
	static const uint8_t uuid[16] = { 1 };

	fakedom_run_dir();
	dom = fakedom_new(DOMID, 16);
	fakedom_present(dom, "called", uuid, 1, 2);
}

static void tear_down(void)
{
	fakedom_free(dom);
	fakedom_run_dir_remove();
}

TestSuite(counters, .init = set_up, .fini = tear_down, .timeout = 300);

/* A backend that offers a file; Return: its connection. */
static struct dom *offer(const char *device, const void *bytes, size_t size)
{
	int fd = memfd_create("counters", MFD_CLOEXEC), view;
	char name[64];
	struct dom *be;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	cr_assert_eq(pwrite(fd, bytes, size, 64), (ssize_t)size);
	view = open(name, O_RDONLY | O_CLOEXEC);
	cr_assert_eq(dom_connect(&be, DOMID, DOM_ROLE_BACKEND, device, false),
		     0);
	cr_assert_eq(dom_offer_stats(be, view, 64), 0);
	close(view);
	close(fd);
	return be;
}

Test(counters, of_a_domain_without_devices)
{
	cr_assert_eq(counters_read(&c, &domain), 0);
	cr_expect_str_eq(c.name, "given", "the run directory's, not the VMM's");
	cr_expect_eq(c.info.domid, DOMID);
	cr_expect_eq(c.info.ram_kib, 64);
	cr_expect_eq(c.info.vcpus_max, 2);
	cr_expect_eq(c.n, 0);
	cr_expect_eq(counters_kvm(&c, "exits"), 7, "see fakedom.c");
	cr_expect_eq(c.kvm.n, 2, "two names are none");
	cr_expect_eq(counters_kvm(&c, "nonsense"), 0);
	counters_free(&c);
}

Test(counters, queues_are_summed_and_devices_sorted)
{
	static struct blkstat_file disk;
	static struct netstat_file card;
	struct dom *be[3];

	blkstat_begin(&disk);
	disk.queue[0].kind[BLKSTAT_READ].requests = 12;
	disk.queue[15].kind[BLKSTAT_READ].requests = 13;
	disk.queue[1].depth_max = 4;
	disk.queue[2].depth_max = 3;
	netstat_begin(&card);
	netstat_begin(&card);
	netstat_begin(&card);
	netstat_add(&card.queue[0], NETSTAT_TX_DROP_BAD, 5);
	netstat_add(&card.queue[7], NETSTAT_TX_DROP_DIED, 6);
	netstat_add(&card.queue[7], NETSTAT_RX_DROP_ROOM, 100);
	be[0] = offer("vif/1", &card, sizeof(card));
	be[1] = offer("vbd/51728", &disk, sizeof(disk));
	be[2] = offer("vbd/51712", &disk, sizeof(disk));
	cr_assert_eq(counters_read(&c, &domain), 0);
	cr_assert_eq(c.n, 3);
	cr_expect(c.dev[0].is_disk && c.dev[0].devid == 51712);
	cr_expect(c.dev[1].is_disk && c.dev[1].devid == 51728);
	cr_expect(!c.dev[2].is_disk && c.dev[2].devid == 1);
	cr_expect_eq(c.dev[0].disk.kind[BLKSTAT_READ].requests, 25);
	cr_expect_eq(c.dev[0].disk.depth_max, 4, "of one queue");
	cr_expect_eq(c.dev[0].restarts, 0);
	cr_expect_eq(c.dev[2].restarts, 2);
	cr_expect_eq(counters_drops(&c.dev[2], true), 11);
	cr_expect_eq(counters_drops(&c.dev[2], false), 100);
	counters_free(&c);
	for (size_t i = 0; i < ARRAY_SIZE(be); i++)
		dom_free(be[i]);
}

/* A worker may say anything. */
Test(counters, what_is_no_device_is_left_out)
{
	static const char *const names[] = {
		"console",	  "vbd",      "vbd/", "vbd/-1", "vbd/1x",
		"vif/4294967296", "vbd/../1",
	};
	static struct blkstat_file disk;
	static struct netstat_file card, none;
	struct dom *be[ARRAY_SIZE(names)], *more[5];

	blkstat_begin(&disk);
	netstat_begin(&card);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		be[i] = offer(names[i], &disk, sizeof(disk));
	more[0] = offer("vbd/1", &card, sizeof(card));
	more[1] = offer("vbd/2", &disk, sizeof(disk) - 1);
	more[2] = offer("vif/3", &none, sizeof(none));
	disk.queue[0].kind[BLKSTAT_READ].requests = 1;
	more[3] = offer("vbd/4", &disk, sizeof(disk));
	disk.queue[0].kind[BLKSTAT_READ].requests = 2;
	more[4] = offer("vbd/4", &disk, sizeof(disk));
	cr_assert_eq(counters_read(&c, &domain), 0);
	cr_assert_eq(c.n, 1, "%zu", c.n);
	cr_expect(c.dev[0].is_disk && c.dev[0].devid == 4);
	cr_expect_eq(c.dev[0].disk.kind[BLKSTAT_READ].requests, 1,
		     "a device is told once");
	counters_free(&c);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		dom_free(be[i]);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		dom_free(more[i]);
}

Test(counters, of_a_domain_that_there_is_not)
{
	static const struct xl_dom none = { 77, "none" };

	memset(&c, 0x55, sizeof(c));
	cr_expect_eq(counters_read(&c, &none), -ENOENT);
	cr_expect_eq(c.n, 0);
	counters_free(&c);
}

/* ---- All domains ----------------------------------------------------------- */

#define MUTE 5 /* is asked before DOMID */

static void give_name(unsigned int domid, const char *name)
{
	char path[PATH_MAX];
	FILE *f;

	cr_assert_eq(paths_mkdir(paths_dom(path, domid, "")), 0);
	f = fopen(paths_dom(path, domid, "name"), "we");
	cr_assert(f && fputs(name, f) >= 0);
	fclose(f);
}

struct seen {
	unsigned int n, silent, stop_at;
	char names[64];
};

static int see(void *arg, struct counters *given, bool silent)
{
	struct seen *s = arg;
	size_t at = strlen(s->names);

	snprintf(s->names + at, sizeof(s->names) - at, "%s%u ", given->name,
		 given->info.domid);
	s->silent += silent;
	cr_expect_eq(given->info.ram_kib, silent ? 0 : 64);
	if (!silent)
		counters_free(given);
	return ++s->n == s->stop_at ? -E2BIG : 0;
}

static struct seen walk(uint64_t limit_ns, unsigned int stop_at, int want)
{
	struct seen s = { .stop_at = stop_at };

	cr_expect_eq(counters_all(limit_ns, see, &s), want);
	return s;
}

Test(counters, of_all_domains)
{
	char path[PATH_MAX];
	struct seen s;
	int mute;

	s = walk(UINT64_MAX, 0, 0);
	cr_expect_eq(s.n, 0, "one without a name is not listed");
	give_name(DOMID, "six");
	give_name(MUTE, "five");
	give_name(77, "gone");
	s = walk(UINT64_MAX, 1, -E2BIG);
	cr_expect_str_eq(s.names, "six6 ");
	mute = sock_listen(paths_dom(path, MUTE, "hv.sock"), SOCK_SEQPACKET);
	cr_assert_geq(mute, 0);
	dom_set_timeout(3000);
	s = walk(UINT64_MAX, 0, 0);
	cr_expect_str_eq(s.names, "five5 six6 ");
	cr_expect_eq(s.silent, 1, "%u", s.silent);
	s = walk(1000000, 0, 0);
	cr_expect_str_eq(s.names, "five5 six6 gone77 ",
			 "no time is left to ask");
	cr_expect_eq(s.silent, 3, "%u", s.silent);
	close(mute);
	unlink(path);
}
