/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_xl_save.c - what the toolstack believes of a saved domain's file. */
#include "tools/xl_save.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/savefile.h"

static char path[64];
static struct savefile s;
static struct xl_save_file f;

static void setup(void)
{
	int fd = memfd_create("saved", MFD_CLOEXEC);

	log_init("", LOG_LVL_ERR);
	cr_assert_geq(fd, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	cr_assert_eq(savefile_begin(&s, fd), 0);
}

static void teardown(void)
{
	close(s.fd);
}

TestSuite(xl_save, .init = setup, .fini = teardown);

static void put(uint32_t type, const void *data, size_t len)
{
	const struct iovec v = { (void *)(uintptr_t)data, len };

	cr_assert_eq(savefile_put(&s, type, &v, 1), 0);
}

#define PUT(type, text) put(type, text, sizeof(text))

static const char config[] = "7\0name\0/dir\0name = 'name'";

/* A node of one permission and a value of three bytes. */
static void put_node(const char *name, uint32_t extra)
{
	struct {
		uint32_t path, perms, value;
		char rest[256];
	} n = { (uint32_t)strlen(name) + 1, 1, 3 + extra, "" };

	memcpy(n.rest, name, n.path);
	put(SAVE_NODES, &n, 12 + n.path + 8 + 3);
}

static void put_vm(void)
{
	put(SAVE_VM, "the VMM's", 9);
}

Test(xl_save, a_good_file_is_read_up_to_the_vmms_part)
{
	uint32_t type;
	size_t len;
	uint8_t *buf = malloc(SAVEFILE_MAX);
	struct savefile rest;

	PUT(SAVE_CONFIG, config);
	put_node("/local/domain/7", 0);
	put_node("/local/domain/7/data/x", 0);
	PUT(SAVE_WATCHES, "4294967295 device 6162");
	put_vm();
	cr_assert_eq(xl_save_open(&f, path), 0);
	cr_expect_eq(f.saved.domid, 7);
	cr_expect_str_eq(f.name, "name");
	cr_expect_str_eq(f.cwd, "/dir");
	cr_expect_str_eq(f.text, "name = 'name'");
	cr_expect_eq(f.nitems, 3);
	/* Another process goes on with these two. */
	rest = (struct savefile){ .fd = f.saved.fd, .seq = f.saved.seq };
	cr_assert_eq(savefile_get(&rest, &type, buf, &len), 0);
	cr_expect_eq(type, SAVE_VM);
	cr_expect_eq(len, 9);
	xl_save_close(&f);
	free(buf);
}

Test(xl_save, nodes_that_only_begin_alike_are_read)
{
	PUT(SAVE_CONFIG, config);
	put_node("/local/domain/7/consoles", 0);
	put_node("/local/domain/7/data/store", 0);
	put_vm();
	cr_assert_eq(xl_save_open(&f, path), 0);
	cr_expect_eq(f.nitems, 2);
	xl_save_close(&f);
}

Test(xl_save, nodes_of_others_are_refused)
{
	static const char *const bad[] = {
		"/local/domain/70",
		"/local/domain/7x",
		"/local/domain/0/backend/vbd/7/51712",
		"/local/domain",
		"/vm/x",
		"data",
		"/local/domain/7/console/tty",
		"/local/domain/7/store/port",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_assert_eq(ftruncate(s.fd, 0), 0);
		lseek(s.fd, 0, SEEK_SET);
		cr_assert_eq(savefile_begin(&s, s.fd), 0);
		PUT(SAVE_CONFIG, config);
		put_node(bad[i], 0);
		put_vm();
		cr_expect_eq(xl_save_open(&f, path), -EINVAL, "%s", bad[i]);
	}
}

Test(xl_save, a_node_longer_than_its_record_is_refused)
{
	PUT(SAVE_CONFIG, config);
	put_node("/local/domain/7", 1);
	put_vm();
	cr_expect_eq(xl_save_open(&f, path), -EINVAL);
}

Test(xl_save, a_node_longer_than_the_store_takes_is_refused)
{
	static const char name[] = "/local/domain/7";
	uint8_t body[12 + sizeof(name) + 8 + 4097] = { 0 };
	const uint32_t head[] = { sizeof(name), 1, 4096 };

	for (uint32_t more = 0; more < 2; more++) {
		cr_assert_eq(ftruncate(s.fd, 0), 0);
		lseek(s.fd, 0, SEEK_SET);
		cr_assert_eq(savefile_begin(&s, s.fd), 0);
		PUT(SAVE_CONFIG, config);
		memcpy(body, head, sizeof(head));
		body[8] = (uint8_t)more;
		memcpy(body + sizeof(head), name, sizeof(name));
		put(SAVE_NODES, body, sizeof(body) - 1 + more);
		put_vm();
		cr_expect_eq(xl_save_open(&f, path), more ? -EINVAL : 0);
		if (!more)
			xl_save_close(&f);
	}
}

Test(xl_save, a_node_with_a_length_that_wraps_is_refused)
{
	const uint32_t n[] = { 2, UINT32_MAX, 0, 0, 0 };

	PUT(SAVE_CONFIG, config);
	put(SAVE_NODES, n, sizeof(n));
	put_vm();
	cr_expect_eq(xl_save_open(&f, path), -EINVAL);
}

Test(xl_save, a_configuration_must_be_four_strings)
{
	static const struct {
		const char *data;
		size_t len;
	} bad[] = {
		{ "7\0name\0/dir\0text", 16 }, /* without its end */
		{ "7\0name\0/dir\0text\0more", 22 },
		{ "0\0name\0/dir\0text", 17 },
		{ "x\0name\0/dir\0text", 17 },
		{ "99999\0name\0/dir\0text", 21 },
		{ "7\0name\0dir\0text", 16 },
		{ "7", 1 },
		{ "", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_assert_eq(ftruncate(s.fd, 0), 0);
		lseek(s.fd, 0, SEEK_SET);
		cr_assert_eq(savefile_begin(&s, s.fd), 0);
		put(SAVE_CONFIG, bad[i].data, bad[i].len);
		put_vm();
		cr_expect_eq(xl_save_open(&f, path), -EINVAL, "%zu", i);
	}
}

Test(xl_save, watches_are_three_words_with_an_end)
{
	static const char *const bad[] = { "", "1", "1 device" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_assert_eq(ftruncate(s.fd, 0), 0);
		lseek(s.fd, 0, SEEK_SET);
		cr_assert_eq(savefile_begin(&s, s.fd), 0);
		PUT(SAVE_CONFIG, config);
		put(SAVE_WATCHES, bad[i], strlen(bad[i]) + 1);
		put_vm();
		cr_expect_eq(xl_save_open(&f, path), -EINVAL, "%s", bad[i]);
	}
}

Test(xl_save, the_configuration_comes_first_and_once)
{
	put_node("/local/domain/7", 0);
	PUT(SAVE_CONFIG, config);
	cr_expect_eq(xl_save_open(&f, path), -EINVAL);
	cr_assert_eq(ftruncate(s.fd, 0), 0);
	lseek(s.fd, 0, SEEK_SET);
	cr_assert_eq(savefile_begin(&s, s.fd), 0);
	PUT(SAVE_CONFIG, config);
	PUT(SAVE_CONFIG, config);
	put_vm();
	cr_expect_eq(xl_save_open(&f, path), -EINVAL);
}

Test(xl_save, a_file_without_a_vmms_part_is_refused)
{
	PUT(SAVE_CONFIG, config);
	cr_expect_eq(xl_save_open(&f, path), -EPIPE);
	cr_assert_eq(savefile_put(&s, SAVE_END, NULL, 0), 0);
	cr_expect_eq(xl_save_open(&f, path), -EINVAL);
}

/* ---- from a peer ----------------------------------------------------------------- */

static bool never(void)
{
	return false;
}

/* What was put is read from the beginning, and passed on to @vmm. */
static int receive(int *vmm)
{
	int ret;

	*vmm = -1;
	cr_assert_eq(lseek(s.fd, 0, SEEK_SET), 0);
	ret = xl_save_open_peer(&f, s.fd, never);
	if (ret)
		return ret;
	*vmm = dup(f.saved.fd);
	cr_assert_geq(*vmm, 0);
	return f.saved.feed(f.saved.arg);
}

static void finish(int vmm)
{
	close(vmm);
	xl_save_close(&f);
}

Test(xl_save, a_stream_is_parted_whatever_its_order)
{
	static const uint32_t want[] = { SAVE_HOST, SAVE_MEMORY, SAVE_VM,
					 SAVE_MEMORY, SAVE_END };
	uint8_t *buf = malloc(SAVEFILE_MAX);
	struct savefile in = { .fd = -1 };
	uint32_t type;
	size_t len;

	PUT(SAVE_CONFIG, config);
	PUT(SAVE_HOST, "what it needs");
	PUT(SAVE_MEMORY, "some");
	put_node("/local/domain/7", 0);
	put_vm();
	PUT(SAVE_WATCHES, "4294967295 device 6162");
	PUT(SAVE_MEMORY, "more");
	cr_assert_eq(savefile_put(&s, SAVE_END, NULL, 0), 0);
	PUT(SAVE_MEMORY, "behind the end");
	cr_assert_eq(receive(&in.fd), 0);
	cr_expect_eq(f.saved.domid, 7);
	cr_expect_eq(f.nitems, 2);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		cr_assert_eq(savefile_get(&in, &type, buf, &len), 0);
		cr_expect_eq(type, want[i], "%zu: %u", i, type);
	}
	cr_expect_eq(savefile_get(&in, &type, buf, &len), -EPIPE);
	finish(in.fd);
	free(buf);
}

Test(xl_save, a_stream_without_an_end_or_a_beginning_is_refused)
{
	int vmm;

	PUT(SAVE_CONFIG, config);
	put_vm();
	cr_expect_eq(receive(&vmm), -EPIPE);
	finish(vmm);
	cr_assert_eq(ftruncate(s.fd, 0), 0);
	lseek(s.fd, 0, SEEK_SET);
	cr_assert_eq(savefile_begin(&s, s.fd), 0);
	put_vm();
	PUT(SAVE_CONFIG, config);
	cr_expect_eq(receive(&vmm), -EINVAL);
	cr_assert_eq(ftruncate(s.fd, 10), 0);
	cr_expect_eq(receive(&vmm), -EPIPE);
}

Test(xl_save, a_stream_names_no_node_of_others_and_one_configuration)
{
	int vmm;

	PUT(SAVE_CONFIG, config);
	put_node("/local/domain/70", 0);
	cr_expect_eq(receive(&vmm), -EINVAL);
	finish(vmm);
	cr_assert_eq(ftruncate(s.fd, 0), 0);
	lseek(s.fd, 0, SEEK_SET);
	cr_assert_eq(savefile_begin(&s, s.fd), 0);
	PUT(SAVE_CONFIG, config);
	PUT(SAVE_CONFIG, config);
	cr_expect_eq(receive(&vmm), -EINVAL);
	finish(vmm);
}

Test(xl_save, a_vmm_that_has_gone_ends_it)
{
	signal(SIGPIPE, SIG_IGN);
	PUT(SAVE_CONFIG, config);
	put_vm();
	cr_assert_eq(savefile_put(&s, SAVE_END, NULL, 0), 0);
	cr_assert_eq(lseek(s.fd, 0, SEEK_SET), 0);
	cr_assert_eq(xl_save_open_peer(&f, s.fd, never), 0);
	cr_expect_eq(f.saved.feed(f.saved.arg), -EPIPE);
	xl_save_close(&f);
}
