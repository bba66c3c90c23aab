// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_net_steer.c - which queue of a card a packet goes to.
#include "dom0-backend/net_steer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/proc.h"

#define QUEUES 3u

static struct net_steer s;

static void set_up(void)
{
	cr_assert_eq(net_steer_init(&s, QUEUES), 0);
}

static void tear_down(void)
{
	net_steer_fini(&s);
}

TestSuite(net_steer, .init = set_up, .fini = tear_down, .timeout = 300);

Test(net_steer, what_the_guest_wants)
{
	struct net_hash h = { .nqueues = 99 },
			want = { .nqueues = QUEUES, .nmap = 2 };
	uint32_t version = 0, old;

	net_steer_get(&s, &version, &h);
	cr_expect_eq(h.nqueues, QUEUES, "who has none yet gets one");
	cr_expect_neq(version, 0);
	h.nqueues = 99;
	net_steer_get(&s, &version, &h);
	cr_expect_eq(h.nqueues, 99, "nothing has changed");
	old = version;
	net_steer_set(&s, &want);
	net_steer_get(&s, &version, &h);
	cr_expect_arr_eq(&h, &want, sizeof(h));
	cr_expect_neq(version, old);
	h.nqueues = 99;
	net_steer_get(&s, &version, &h);
	cr_expect_eq(h.nqueues, 99, "nothing has changed since");
}

static int pass(unsigned int to, const char *text, size_t len)
{
	struct virtio_net_hdr v = { .gso_size = (uint16_t)len };
	struct net_mark mark = { .known = true, .value = to };

	return net_steer_pass(&s, to, &v, &mark, (const uint8_t *)text, len);
}

Test(net_steer, packets_stay_apart_and_in_order)
{
	struct virtio_net_hdr v;
	struct net_mark mark;
	uint8_t got[16];

	cr_assert_eq(pass(1, "one", 3), 0);
	cr_assert_eq(pass(2, "two", 3), 0);
	cr_assert_eq(pass(1, "three", 5), 0);
	cr_expect_eq(net_steer_take(&s, 0, &v, &mark, got, sizeof(got)), 0);
	cr_assert_eq(net_steer_take(&s, 1, &v, &mark, got, sizeof(got)), 3);
	cr_expect(!memcmp(got, "one", 3) && v.gso_size == 3 && mark.known &&
		  mark.value == 1);
	cr_assert_eq(net_steer_take(&s, 1, &v, &mark, got, sizeof(got)), 5);
	cr_expect(!memcmp(got, "three", 5) && v.gso_size == 5);
	cr_expect_eq(net_steer_take(&s, 1, &v, &mark, got, sizeof(got)), 0);
	cr_assert_eq(net_steer_take(&s, 2, &v, &mark, got, sizeof(got)), 3);
	cr_expect(!memcmp(got, "two", 3) && mark.value == 2);
}

Test(net_steer, a_full_queue_says_so)
{
	static char big[60000];
	struct virtio_net_hdr v;
	static uint8_t got[sizeof(big)];
	struct net_mark mark;
	unsigned int n = 0;
	int ret;

	while (!(ret = pass(0, big, sizeof(big))) && n < 10000)
		n++;
	cr_expect_eq(ret, -EAGAIN);
	cr_expect_eq(pass(1, "x", 1), 0, "the others have room");
	while (net_steer_take(&s, 0, &v, &mark, got, sizeof(got)))
		n--;
	cr_expect_eq(n, 0, "each came");
	cr_expect_eq(pass(0, big, sizeof(big)), 0);
}

Test(net_steer, nothing_is_left_open)
{
	unsigned int fds = proc_fds(getpid());

	net_steer_fini(&s);
	cr_expect_eq(proc_fds(getpid()), fds - 2 * QUEUES);
	cr_assert_eq(net_steer_init(&s, QUEUES), 0);
	cr_expect_eq(proc_fds(getpid()), fds);
}
