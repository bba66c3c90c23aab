/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_xl_suspend.c - guests that do, and do not do, what they are
 * asked.
 */
#include "tools/xl_suspend.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/sched.h>

#include "base/domsock.h"
#include "base/log.h"
#include "tests/lib/fakedom.h"
#include "tests/lib/fini.h"
#include "tests/lib/stack.h"

#define DOMID 4u
#define NODE  "/local/domain/4/control/shutdown"
#define SHORT 300
#define LONG  20000

static struct stack s;
static struct fakedom *dom;

static void setup(void)
{
	stack_start(&s, false);
	log_init("", LOG_LVL_ERR);
	dom = fakedom_new(DOMID, 64);
	stack_write(&s, "", NODE);
	stack_write(&s, "1", "/local/domain/4/control/feature-suspend");
}

static void teardown(void)
{
	if (dom)
		fakedom_free(dom);
	FINI_CHECK(stack_stop(&s));
}

TestSuite(xl_suspend, .init = setup, .fini = teardown, .timeout = 300);

/* What the guest does when it is asked. */
struct guest {
	bool acknowledges, is_destroyed;
	int reason; /* -1: goes on */
};

static void *be_guest(void *arg)
{
	const struct guest *g = arg;

	if (!stack_wait(&s, LONG, "suspend", NODE))
		return NULL;
	if (g->acknowledges)
		stack_write(&s, "", NODE);
	if (g->is_destroyed) {
		fakedom_free(dom);
		dom = NULL;
	} else if (g->reason >= 0) {
		fakedom_shutdown(dom, (unsigned int)g->reason);
	}
	return NULL;
}

static int ask(struct guest g, int ms)
{
	pthread_t thread;
	int ret;

	cr_assert_eq(pthread_create(&thread, NULL, be_guest, &g), 0);
	ret = xl_suspend(DOMID, ms);
	pthread_join(thread, NULL);
	return ret;
}

static bool is_asked(void)
{
	return !stack_wait(&s, 0, "", NODE);
}

Test(xl_suspend, does_it)
{
	struct guest g = { .acknowledges = true, .reason = SHUTDOWN_suspend };

	for (int i = 0; i < 3; i++) {
		cr_expect_eq(ask(g, LONG), 0);
		cr_expect_not(is_asked());
		cr_expect_eq(xl_suspend(DOMID, SHORT), -EINVAL, "already");
		cr_expect_not(is_asked());
		cr_assert_eq(fakedom_resume(dom, false), 0);
	}
}

Test(xl_suspend, does_not_acknowledge)
{
	cr_expect_eq(ask((struct guest){ .reason = -1 }, SHORT), -ETIMEDOUT);
	cr_expect_not(is_asked(), "it was taken back");
}

Test(xl_suspend, acknowledges_and_goes_on)
{
	struct guest g = { .acknowledges = true, .reason = -1 };

	cr_expect_eq(ask(g, SHORT), -ETIMEDOUT);
}

Test(xl_suspend, ends_instead)
{
	struct guest g = { .acknowledges = true, .reason = SHUTDOWN_poweroff };

	cr_expect_eq(ask(g, LONG), -ECANCELED);
	cr_expect_eq(xl_suspend(DOMID, SHORT), -EINVAL, "it has shut down");
}

Test(xl_suspend, is_destroyed_meanwhile)
{
	struct guest g = { .acknowledges = true, .is_destroyed = true };

	cr_expect_eq(ask(g, LONG), -EPIPE);
	cr_expect_lt(xl_suspend(DOMID, SHORT), 0, "there is none");
}

Test(xl_suspend, cannot)
{
	static const uint8_t uuid[16];

	stack_write(&s, "0", "/local/domain/4/control/feature-suspend");
	cr_expect_eq(xl_suspend(DOMID, SHORT), -EOPNOTSUPP);
	stack_write(&s, "1", "/local/domain/4/control/feature-suspend");
	fakedom_present(dom, "paused", uuid, 1, 1);
	cr_expect_eq(xl_suspend(DOMID, SHORT), -EINVAL);
	cr_expect_not(is_asked());
}
