// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_dommem.c - a domain's memory, also of a VMM that errs.
#include "base/dommem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "base/fd.h"
#include "tests/lib/fakedom.h"

#define PAGES 64u
#define DOMID 7u

/* ---- a VMM that is all right -------------------------------------------- */

static struct fakedom *f;
static struct dom *dom;

static void set_up(void)
{
	fakedom_run_dir();
	f = fakedom_new(DOMID, PAGES);
	cr_assert_eq(dom_connect(&dom, DOMID, DOM_ROLE_BACKEND, "t/1", false),
		     0);
}

static void tear_down(void)
{
	dom_free(dom);
	fakedom_free(f);
	fakedom_run_dir_remove();
}

TestSuite(dommem, .init = set_up, .fini = tear_down);

Test(dommem, pages_are_the_guests_and_no_others)
{
	static const uint64_t none[] = {
		PAGES / 2,	   FAKEDOM_HIGH - 1, FAKEDOM_HIGH + PAGES / 2,
		FAKEDOM_STORE_GFN, UINT32_MAX,	     UINT64_MAX
	};
	static const uint64_t gfn[] = { 0, PAGES / 2 - 1, FAKEDOM_HIGH,
					FAKEDOM_HIGH + PAGES / 2 - 1 };
	struct dommem m;

	cr_assert_eq(dommem_init(&m, dom, PROT_READ | PROT_WRITE), 0);
	for (size_t i = 0; i < ARRAY_SIZE(gfn); i++) {
		char *seen = dommem_page(&m, gfn[i]);
		char *theirs = fakedom_page(f, gfn[i]);

		cr_assert_not_null(seen);
		theirs[7] = 'a';
		cr_expect_eq(seen[7], 'a');
		seen[4095] = 'b';
		cr_expect_eq(theirs[4095], 'b');
	}
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		cr_expect_null(dommem_page(&m, none[i]), "%#lx", none[i]);
	dommem_fini(&m);
}

/* Asked of the kernel, since sanitizers want SIGSEGV for themselves. */
static bool writable(void *page)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, page, 1);

	cr_assert(n == 1 || errno == EFAULT);
	close(fd);
	return n == 1;
}

Test(dommem, protection_is_as_asked)
{
	struct dommem_frames fr;
	struct dommem m;

	for (int write = 0; write < 2; write++) {
		cr_assert_eq(dommem_init(&m, dom,
					 PROT_READ | (write ? PROT_WRITE : 0)),
			     0);
		cr_assert_eq(dommem_frames(&m, dom, 0, &fr), 0);
		cr_expect_eq(writable(dommem_page(&m, 1)), write);
		cr_expect_eq(writable(fr.at[0]), write);
		dommem_fini(&m);
	}
}

Test(dommem, a_page_to_look_at_is_read_only)
{
	struct dom *console;
	uint32_t port;
	void *page;

	cr_assert_eq(
		dom_connect(&console, DOMID, DOM_ROLE_CONSOLE, NULL, false), 0);
	cr_assert_eq(dom_page_view(console, &page, &port), 0);
	cr_assert_eq(port, FAKEDOM_CONSOLE_PORT);
	((char *)fakedom_console_page(f))[9] = 'c';
	cr_expect_eq(((char *)page)[9], 'c');
	cr_expect_not(writable(page));
	munmap(page, SV_PAGE_SIZE);
	dom_free(console);
}

Test(dommem, frames_in_parts)
{
	struct dommem_frames fr;
	struct dommem m;

	fakedom_grow(f, DOM_FRAMES_PER_MSG + 2);
	fakedom_entry(f, DOM_FRAMES_PER_MSG * 512 + 5)->frame = 99;
	cr_assert_eq(dommem_init(&m, dom, PROT_READ), 0);
	cr_assert_eq(dommem_frames(&m, dom, 0, &fr), 0);
	cr_expect_eq(fr.n, DOM_FRAMES_PER_MSG);
	cr_expect_eq(fr.total, DOM_FRAMES_PER_MSG + 2);
	cr_assert_eq(dommem_frames(&m, dom, DOM_FRAMES_PER_MSG, &fr), 0);
	cr_expect_eq(fr.n, 2);
	cr_expect_eq(((grant_entry_v1_t *)fr.at[0])[5].frame, 99);
	cr_assert_eq(dommem_frames(&m, dom, 500, &fr), 0);
	cr_expect_eq(fr.n, 0, "beyond the table");
	dommem_fini(&m);
}

/* ---- a VMM that errs ---------------------------------------------------- */

#define MEMFD (16 * SV_PAGE_SIZE)

/* A connection on which the answer to the next call, the @seq-th, waits. */
static void answer(int fd, uint32_t seq, struct dom_msg *msg, size_t nfds)
{
	int memfd[2] = { fd_memfd("answer", MEMFD), -1 };

	cr_assert_geq(memfd[0], 0);
	memfd[1] = memfd[0];
	msg->magic = DOM_MAGIC;
	msg->version = DOM_VERSION;
	msg->seq = seq;
	cr_assert_eq(sock_send_fds(fd, msg, sizeof(*msg), memfd, nfds), 0);
	close(memfd[0]);
}

static struct dom *scripted(int *fd)
{
	struct dom *d;
	int pair[2];

	cr_assert_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(dom_adopt(&d, pair[0]), 0);
	*fd = pair[1];
	return d;
}

struct map_lie {
	char name[40];
	uint32_t n;
	uint64_t size;
	struct dom_region region[2];
	size_t nfds;
	int want;
};

ParameterizedTestParameters(dommem_lies, memory_map)
{
	static struct map_lie t[] = {
		{ "all right",
		  2,
		  MEMFD,
		  { { 0, 8, 0 }, { 8, 8, 32768 } },
		  1,
		  0 },
		{ "no region", 0, MEMFD, { { 0, 16, 0 } }, 1, -EPROTO },
		{ "too many regions",
		  DOM_MAX_REGIONS + 1,
		  MEMFD,
		  { { 0, 1, 0 } },
		  1,
		  -EPROTO },
		{ "a huge memfd", 1, UINT64_MAX, { { 0, 16, 0 } }, 1, -EPROTO },
		{ "more pages than the memfd",
		  1,
		  MEMFD,
		  { { 0, 17, 0 } },
		  1,
		  -EPROTO },
		{ "pages that wrap",
		  1,
		  MEMFD,
		  { { 0, UINT64_MAX, 0 } },
		  1,
		  -EPROTO },
		{ "beyond the memfd",
		  1,
		  MEMFD,
		  { { 0, 16, 4096 } },
		  1,
		  -EPROTO },
		{ "an odd offset", 1, MEMFD, { { 0, 8, 100 } }, 1, -EPROTO },
		{ "overlap",
		  2,
		  MEMFD,
		  { { 0, 8, 0 }, { 7, 8, 32768 } },
		  1,
		  -EPROTO },
		{ "frame numbers that wrap",
		  1,
		  MEMFD,
		  { { UINT64_MAX - 1, 8, 0 } },
		  1,
		  -EPROTO },
		{ "no descriptor", 1, MEMFD, { { 0, 16, 0 } }, 0, -EPROTO },
		{ "two descriptors", 1, MEMFD, { { 0, 16, 0 } }, 2, -EPROTO },
	};

	return cr_make_param_array(struct map_lie, t, ARRAY_SIZE(t));
}

ParameterizedTest(struct map_lie *t, dommem_lies, memory_map)
{
	struct dom_msg msg = { .type = DOM_MEMMAP };
	struct dommem m = { 0 };
	struct dom *d;
	int fd;

	d = scripted(&fd);
	msg.u.memmap.n = t->n;
	msg.u.memmap.size = t->size;
	memcpy(msg.u.memmap.region, t->region, sizeof(t->region));
	answer(fd, 1, &msg, t->nfds);
	cr_expect_eq(dommem_init(&m, d, PROT_READ), t->want, "%s", t->name);
	dommem_fini(&m);
	dom_free(d);
	close(fd);
}

struct frame_lie {
	char name[40];
	uint32_t first, n, in_ram;
	uint64_t size, offset;
	int want;
};

ParameterizedTestParameters(dommem_lies, frames)
{
	static struct frame_lie t[] = {
		{ "all right", 3, 1, 0, MEMFD, MEMFD - 4096, 0 },
		{ "all right, in RAM", 3, 1, 1, MEMFD, 8192, 0 },
		{ "others than asked for", 2, 1, 0, MEMFD, 0, -EPROTO },
		{ "more than fit", 3, DOM_FRAMES_PER_MSG + 1, 0, MEMFD, 0,
		  -EPROTO },
		{ "an odd offset", 3, 1, 0, MEMFD, 8, -EPROTO },
		{ "beyond the memfd", 3, 1, 0, MEMFD, MEMFD, -EPROTO },
		{ "beyond RAM", 3, 1, 1, MEMFD, MEMFD, -EPROTO },
		{ "an offset that wraps", 3, 1, 0, MEMFD, -(uint64_t)4096,
		  -EPROTO },
		{ "no size", 3, 1, 0, 0, 0, -EPROTO },
		{ "a huge size", 3, 1, 0, UINT64_MAX, 0, -EPROTO },
	};

	return cr_make_param_array(struct frame_lie, t, ARRAY_SIZE(t));
}

ParameterizedTest(struct frame_lie *t, dommem_lies, frames)
{
	struct dom_msg map = { .type = DOM_MEMMAP };
	struct dom_msg msg = { .type = DOM_GRANT_FRAMES };
	struct dommem_frames fr;
	struct dommem m;
	struct dom *d;
	int fd;

	d = scripted(&fd);
	map.u.memmap.n = 1;
	map.u.memmap.size = MEMFD;
	map.u.memmap.region[0] = (struct dom_region){ 0, 16, 0 };
	answer(fd, 1, &map, 1);
	cr_assert_eq(dommem_init(&m, d, PROT_READ), 0);
	msg.u.frames.first = t->first;
	msg.u.frames.n = t->n;
	msg.u.frames.size = t->size;
	msg.u.frames.frame[0].in_ram = t->in_ram;
	msg.u.frames.frame[0].offset = t->offset;
	answer(fd, 2, &msg, 1);
	cr_expect_eq(dommem_frames(&m, d, 3, &fr), t->want, "%s", t->name);
	dommem_fini(&m);
	dom_free(d);
	close(fd);
}

Test(dommem_lies, the_grant_memfd_keeps_its_size)
{
	struct dom_msg msg = { .type = DOM_GRANT_FRAMES };
	struct dommem m = { .prot = PROT_READ };
	struct dommem_frames fr;
	struct dom *d;
	int fd;

	d = scripted(&fd);
	msg.u.frames.size = MEMFD;
	answer(fd, 1, &msg, 1);
	cr_expect_eq(dommem_frames(&m, d, 0, &fr), 0);
	msg.u.frames.size = MEMFD / 2;
	answer(fd, 2, &msg, 1);
	cr_expect_eq(dommem_frames(&m, d, 0, &fr), -EPROTO);
	dommem_fini(&m);
	dom_free(d);
	close(fd);
}
