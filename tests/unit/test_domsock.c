/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_domsock.c - a client of a domain that is slow to answer. */
#include "base/domsock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static struct dom *d;
static int peer;

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

TestSuite(domsock, .init = setup, .fini = teardown, .timeout = 20);

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
