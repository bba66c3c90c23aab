/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_domsock.c - a client of a domain that is slow to answer. */
#include "base/domsock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/paths.h"
#include "tests/lib/fakedom.h"

static struct dom *d;
static int peer;
static uint32_t asked;
static struct dom_devstats got;

static void setup(void)
{
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	peer = pair[1];
	cr_assert_eq(dom_adopt(&d, pair[0]), 0);
	dom_set_timeout(20);
}

static void teardown(void)
{
	dom_free(d);
	close(peer);
}

TestSuite(domsock, .init = setup, .fini = teardown, .timeout = 300);

static void answer(uint32_t seq, uint32_t domid)
{
	struct dom_msg msg = { .magic = DOM_MAGIC,
			       .version = DOM_VERSION,
			       .type = DOM_INFO,
			       .seq = seq,
			       .u.info.domid = domid };

	cr_assert_eq(send(peer, &msg, sizeof(msg), 0), (ssize_t)sizeof(msg));
}

/* What was given up must not spoil what comes after it. */
Test(domsock, late_answers_are_dropped)
{
	struct dom_info info = { 0 };

	for (int i = 0; i < 2; i++)
		cr_assert_eq(dom_info(d, &info), -ETIMEDOUT);
	answer(1, 1);
	answer(2, 2);
	answer(3, 3);
	cr_expect_eq(dom_info(d, &info), 0);
	cr_expect_eq(info.domid, 3);
}

/* ---- statistics ------------------------------------------------------------- */

static int ask_stats(struct dom_devstats says, int *give, size_t n)
{
	struct dom_msg msg = { .magic = DOM_MAGIC,
			       .version = DOM_VERSION,
			       .type = DOM_DEVSTATS,
			       .seq = ++asked,
			       .u.devstats = says };
	int fd = -1, ret;

	got = (struct dom_devstats){ .index = 3 };
	cr_assert_eq(sock_send_fds(peer, &msg, sizeof(msg), give, n), 0);
	ret = dom_devstats(d, &got, &fd);
	cr_expect_eq(fd < 0, ret != 0);
	if (ret)
		cr_expect_eq(got.index, 3, "not written to");
	if (fd >= 0)
		close(fd);
	return ret;
}

Test(domsock, statistics_that_make_no_sense)
{
	struct dom_devstats good = { .index = 3, .offset = 5, .device = "a" };
	struct dom_devstats bad = good;
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int give[] = { file, file };

	cr_expect_eq(ask_stats(good, give, 1), 0);
	cr_expect_eq(got.offset, 5);
	cr_expect_str_eq(got.device, "a");
	cr_expect_eq(ask_stats(good, give, 0), -EPROTO);
	cr_expect_eq(ask_stats(good, give, 2), -EPROTO);
	bad.index = 2;
	cr_expect_eq(ask_stats(bad, give, 1), -EPROTO, "would never end");
	bad.index = UINT32_MAX;
	cr_expect_eq(ask_stats(bad, give, 1), -EPROTO, "would begin anew");
	bad.index = 3;
	memset(bad.device, 'a', sizeof(bad.device));
	cr_expect_eq(ask_stats(bad, give, 1), -EPROTO, "no end");
	bad.device[63] = '\0';
	cr_expect_eq(ask_stats(bad, give, 1), 0);
	cr_expect_eq(ask_stats(good, &peer, 1), -EPROTO, "no file");
	close(file);
}

Test(domsock, statistics_are_offered_with_a_file)
{
	struct dom_msg msg;
	int fds[SOCK_MAX_FDS];
	size_t n;

	cr_expect_eq(dom_offer_stats(d, peer, 99), -ETIMEDOUT);
	cr_assert_eq(sock_recv_fds(peer, &msg, sizeof(msg), fds, &n), 0);
	cr_expect_eq(msg.type, DOM_OFFER_STATS);
	cr_expect_eq(msg.u.devstats.offset, 99);
	cr_assert_eq(n, 1);
	close(fds[0]);
}

Test(domsock, a_late_answer_is_no_event)
{
	struct dom_info info;
	struct dom_msg msg;

	cr_assert_eq(dom_info(d, &info), -ETIMEDOUT);
	answer(1, 1);
	cr_expect_eq(dom_event(d, &msg), 0);
	cr_expect_eq(dom_event(d, &msg), 0);
	answer(2, 2);
	cr_expect_eq(dom_info(d, &info), 0);
}

/* There are no more late answers than calls that were given up. */
Test(domsock, an_answer_to_nothing_is_a_lie)
{
	struct dom_info info;
	struct dom_msg msg;

	answer(7, 1);
	cr_expect_eq(dom_event(d, &msg), -EPROTO);
	cr_assert_eq(dom_info(d, &info), -ETIMEDOUT);
	answer(1, 1);
	answer(1, 1);
	cr_expect_eq(dom_info(d, &info), -EPROTO);
}

static uint16_t next_type(void)
{
	struct dom_msg msg;

	if (recv(peer, &msg, sizeof(msg), MSG_DONTWAIT) != sizeof(msg))
		return 0;
	return msg.type;
}

/* Else nobody could bind it until we are gone. */
Test(domsock, a_binding_that_was_given_up_is_undone)
{
	struct dom_msg refused = { .magic = DOM_MAGIC,
				   .version = DOM_VERSION,
				   .type = DOM_EVTCHN_BIND,
				   .seq = 3,
				   .status = -EBUSY };
	int kick, call;

	cr_expect_eq(dom_evtchn_bind(d, 5, &kick, &call), -ETIMEDOUT);
	cr_expect_eq(next_type(), DOM_EVTCHN_BIND);
	cr_expect_eq(next_type(), DOM_EVTCHN_CLOSE);
	cr_assert_eq(send(peer, &refused, sizeof(refused), 0),
		     (ssize_t)sizeof(refused));
	cr_expect_eq(dom_evtchn_bind(d, 5, &kick, &call), -EBUSY);
	cr_expect_eq(next_type(), DOM_EVTCHN_BIND);
	cr_expect_eq(next_type(), 0);
}

/* ---- Many at once ------------------------------------------------------------- */

static int listen_as(unsigned int domid)
{
	char path[PATH_MAX];
	int fd;

	cr_assert_eq(paths_mkdir(paths_dom(path, domid, "")), 0);
	fd = sock_listen(paths_dom(path, domid, "hv.sock"), SOCK_SEQPACKET);
	cr_assert_geq(fd, 0);
	return fd;
}

/* Take the next client's greeting, and answer it. */
static void welcome(int listener, unsigned int domid, int status)
{
	int fd = accept(listener, NULL, NULL);
	struct dom_msg msg;

	cr_assert_geq(fd, 0);
	cr_assert_eq(recv(fd, &msg, sizeof(msg), 0), (ssize_t)sizeof(msg));
	cr_expect_eq(msg.type, DOM_HELLO);
	cr_expect_eq(msg.u.hello.role, DOM_ROLE_ADMIN);
	msg.status = status;
	msg.u.info.domid = domid;
	cr_assert_eq(send(fd, &msg, sizeof(msg), 0), (ssize_t)sizeof(msg));
	close(fd);
}

Test(domsock, many_are_asked_before_one_answers)
{
	struct dom_info info = { 0 };
	struct dom *one, *two, *none;
	int first, second;

	fakedom_run_dir();
	first = listen_as(1);
	second = listen_as(2);
	cr_assert_eq(dom_ask(&one, 1), 0);
	cr_assert_eq(dom_ask(&two, 2), 0);
	cr_expect_eq(dom_ask(&none, 3), -ENOENT);
	welcome(second, 2, 0);
	cr_expect_eq(dom_asked(two, &info), 0);
	cr_expect_eq(info.domid, 2);
	cr_expect_eq(dom_asked(one, &info), -ETIMEDOUT);
	welcome(first, 1, -EPERM);
	dom_free(one);
	cr_assert_eq(dom_ask(&one, 1), 0);
	welcome(first, 1, -EPERM);
	cr_expect_eq(dom_asked(one, &info), -EPERM);
	cr_expect_eq(info.domid, 2, "filled on success only");
	dom_free(one);
	dom_free(two);
	close(first);
	close(second);
	fakedom_run_dir_remove();
}
