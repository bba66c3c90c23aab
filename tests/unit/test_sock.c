/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_sock.c - messages with descriptors. */
#include "base/sock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int pair[2];

static void set_up(void)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
}

TestSuite(sock, .init = set_up, .timeout = 300);

static int receive(size_t *nfds)
{
	int fds[SOCK_MAX_FDS];
	char msg[4];
	int ret = sock_recv_fds(pair[1], msg, sizeof(msg), fds, nfds);

	for (size_t i = 0; i < *nfds; i++)
		close(fds[i]);
	return ret;
}

/* Receive with at most @more free descriptors. */
static int receive_with(unsigned int more, size_t *nfds)
{
	struct rlimit old, few;
	int next = dup(0), ret;

	cr_assert_geq(next, 0);
	close(next);
	getrlimit(RLIMIT_NOFILE, &old);
	few = (struct rlimit){ (rlim_t)next + more, old.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	ret = receive(nfds);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	return ret;
}

Test(sock, out_of_descriptors)
{
	static const struct {
		unsigned int room;
		int want;
		size_t n;
	} t[] = { { 0, -EMFILE, 0 }, { 1, -EMFILE, 0 }, { 64, 0, 2 } };
	int fds[2] = { 0, 0 };
	size_t n = 99;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		cr_assert_eq(sock_send_fds(pair[0], "abc", 4, fds, 2), 0);
		cr_expect_eq(receive_with(t[i].room, &n), t[i].want, "%zu", i);
		cr_expect_eq(n, t[i].n, "%zu", i);
	}
}

Test(sock, wrong_length)
{
	size_t n = 99;

	cr_assert_eq(sock_send_fds(pair[0], "abcdef", 6, NULL, 0), 0);
	cr_expect_eq(receive(&n), -EPROTO);
	cr_assert_eq(sock_send_fds(pair[0], "ab", 2, NULL, 0), 0);
	cr_expect_eq(receive(&n), -EPROTO);
	close(pair[0]);
	cr_expect_eq(receive(&n), -EPIPE);
	cr_expect_eq(n, 0);
}
