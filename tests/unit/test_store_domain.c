// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_store_domain.c - INTRODUCE to RELEASE, by the domain socket.
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <criterion/criterion.h>
#include <xen/xen.h>
#include <xen/sched.h>

#include "tests/lib/fakedom.h"
#include "tests/lib/patience.h"
#include "tests/lib/fini.h"
#include "tests/lib/storebed.h"
#include "xenstore-lite/domain.h"

static struct bed_client *d0, *w;
static struct fakedom *dom;

/* The guest's half of its ring. */
static struct {
	struct xenstore_domain_interface *page;
	struct stream_writer req;
	struct stream_reader rsp;
} guest;

static void attach_guest(void)
{
	struct stream_map req, rsp;

	guest.page = fakedom_store_page(dom);
	req = STREAM_MAP(guest.page, req);
	rsp = STREAM_MAP(guest.page, rsp);
	cr_assert_eq(stream_writer_attach(&guest.req, &req, STREAM_WAKE_ALWAYS),
		     0);
	cr_assert_eq(stream_reader_attach(&guest.rsp, &rsp, STREAM_WAKE_ALWAYS),
		     0);
}

static void setup(void)
{
	cr_assert(fakedom_run_dir());
	bed_init();
	d0 = bed_dom0();
	w = bed_dom0();
	dom = fakedom_new(5, 64);
	bed_write(d0, 0, "/local/domain/5", "");
	bed_str(d0, XS_SET_PERMS, 0, "/local/domain/5", "n0", "r5", NULL);
	bed_write(d0, 0, "/local/domain/5/name", "five");
	bed_write(d0, 0, "/local/domain/5/data", "");
	bed_str(d0, XS_SET_PERMS, 0, "/local/domain/5/data", "n5", NULL);
	bed_watch(w, "@introduceDomain", "i");
	bed_watch(w, "@releaseDomain", "r");
	bed_event(w);
	bed_event(w);
}

static void teardown(void)
{
	FINI_CHECK(bed_consistent());
	bed_close(w);
	bed_close(d0);
	bed_fini();
	if (dom)
		fakedom_free(dom);
	fakedom_run_dir_remove();
}

TestSuite(store_domain, .init = setup, .fini = teardown, .timeout = 300);

static int introduce(unsigned int port)
{
	char gfn[24], evtchn[24];

	snprintf(gfn, sizeof(gfn), "%u", FAKEDOM_STORE_GFN);
	snprintf(evtchn, sizeof(evtchn), "%u", port);
	return bed_str(d0, XS_INTRODUCE, 0, "5", gfn, evtchn, NULL);
}

/* Wait until the store has something for @w. */
static const char *event_soon(void)
{
	const char *e;

	(void)SOON(*(e = bed_event(w)));
	return e;
}

static const char *introduced(void)
{
	bed_str(d0, XS_IS_DOMAIN_INTRODUCED, 0, "5", NULL);
	return d0->reply;
}

/* The guest asks, signals, waits for a signal, and reads the answer. */
static int ask(uint32_t type, const char *payload, size_t len, char *reply)
{
	struct xsd_sockmsg h = { .type = type,
				 .req_id = 3,
				 .len = (uint32_t)len };
	bool notify = false;
	char buf[16 + 1000];
	int got = 0;

	cr_assert_eq(stream_write(&guest.req, &h, sizeof(h), &notify), 16);
	cr_assert_eq(stream_write(&guest.req, payload, len, &notify), (int)len);
	fakedom_send(dom, FAKEDOM_STORE_PORT);
	cr_assert(SOON((bed_pump(),
			got += stream_read(&guest.rsp, buf + got,
					   sizeof(buf) - 1 - (size_t)got,
					   &notify),
			memcpy(&h, buf, sizeof(h)), got >= 16) &&
		       got >= 16 + (int)h.len),
		  "no answer");
	buf[got] = '\0';
	snprintf(reply, 1024, "%s", buf + 16);
	return (int)h.type;
}

Test(store_domain, life)
{
	char reply[1024];

	cr_expect_str_eq(introduced(), "F");
	cr_assert_eq(introduce(FAKEDOM_STORE_PORT), 3);
	cr_expect_str_eq(bed_event(w), "@introduceDomain|i");
	cr_expect_str_eq(introduced(), "T");
	cr_expect(fakedom_bound(dom, FAKEDOM_STORE_PORT));
	attach_guest();
	cr_expect_eq(guest.page->server_features, 1 | 2 | 4 | 8);
	cr_expect_eq(guest.page->connection, XENSTORE_CONNECTED);

	cr_expect_eq(ask(XS_READ, "name", 5, reply), XS_READ);
	cr_expect_str_eq(reply, "five");
	cr_expect(fakedom_wait(dom, FAKEDOM_STORE_PORT, PATIENCE_MS),
		  "the guest was not signalled");
	cr_expect_eq(ask(XS_WRITE, "data/x\0val", 10, reply), XS_WRITE);
	cr_expect_str_eq(bed_read(d0, 0, "/local/domain/5/data/x"), "val");

	/* The VMM goes: everything of the guest's with it. */
	fakedom_free(dom);
	dom = NULL;
	cr_expect_str_eq(event_soon(), "@releaseDomain|r");
	cr_expect_str_eq(bed_event(w), "");
	cr_expect_str_eq(introduced(), "F");
	cr_expect_str_eq(bed_list(d0, 0, "/local/domain/5"), "name");
}

/* XSA-325: a shutdown is announced once, the end once more. */
Test(store_domain, shutdown_then_gone)
{
	cr_assert_eq(introduce(FAKEDOM_STORE_PORT), 3);
	cr_expect_str_eq(bed_event(w), "@introduceDomain|i");
	fakedom_shutdown(dom, SHUTDOWN_poweroff);
	cr_expect_str_eq(event_soon(), "@releaseDomain|r");
	cr_expect_str_eq(introduced(), "T");
	cr_expect_str_eq(bed_list(d0, 0, "/local/domain/5"), "name data");
	cr_expect_eq(bed_str(d0, XS_RESUME, 0, "5", NULL), 3);
	fakedom_shutdown(dom, SHUTDOWN_crash);
	cr_expect_str_eq(event_soon(), "@releaseDomain|r", "after a RESUME");
	cr_expect_eq(bed_str(d0, XS_RELEASE, 0, "5", NULL), 3);
	cr_expect_str_eq(bed_event(w), "@releaseDomain|r");
	cr_expect_str_eq(introduced(), "F");
	cr_expect_eq(bed_str(d0, XS_RELEASE, 0, "5", NULL), -ENOENT);
	cr_expect_eq(bed_str(d0, XS_RESUME, 0, "5", NULL), -ENOENT);
	cr_expect_str_eq(bed_event(w), "");
	cr_expect(SOON(!fakedom_bound(dom, FAKEDOM_STORE_PORT)));
}

/* A suspended guest that goes on is as alive as before, and may end once more. */
Test(store_domain, resumed)
{
	char reply[1024];

	cr_assert_eq(introduce(FAKEDOM_STORE_PORT), 3);
	cr_expect_str_eq(bed_event(w), "@introduceDomain|i");
	attach_guest();
	cr_expect_eq(ask(XS_WATCH, "data\0t", 7, reply), XS_WATCH);
	for (int i = 0; i < 3; i++) {
		fakedom_shutdown(dom, SHUTDOWN_suspend);
		cr_expect_str_eq(event_soon(), "@releaseDomain|r");
		cr_assert_eq(fakedom_resume(dom, false), 0);
		cr_expect_eq(bed_str(d0, XS_READ, 0, "/local/domain/5/name",
				     NULL),
			     4);
	}
	cr_expect_str_eq(introduced(), "T");
	fakedom_shutdown(dom, SHUTDOWN_poweroff);
	cr_expect_str_eq(event_soon(), "@releaseDomain|r");
	cr_expect_str_eq(bed_event(w), "");
}

/* Anew it has another ring; what it had set up by the old one is void. */
Test(store_domain, resumed_anew)
{
	char reply[1024];

	cr_assert_eq(introduce(FAKEDOM_STORE_PORT), 3);
	for (int i = 0; i < 3; i++) {
		cr_expect_str_eq(event_soon(), "@introduceDomain|i");
		attach_guest();
		cr_expect_eq(ask(XS_READ, "name", 5, reply), XS_READ);
		cr_expect_str_eq(reply, "five");
		cr_expect_eq(ask(XS_WATCH, "data\0t", 7, reply), XS_WATCH);
		bed_pump();
		fakedom_shutdown(dom, SHUTDOWN_suspend);
		cr_expect_str_eq(event_soon(), "@releaseDomain|r");
		cr_assert_eq(fakedom_resume(dom, true), 0);
		/* The watch fires, and the new page stays as it is. */
		bed_write(d0, 0, "/local/domain/5/data", "x");
		bed_pump();
		guest.page = fakedom_store_page(dom);
		cr_expect_eq(guest.page->rsp_prod, 0);
		cr_expect_not(fakedom_bound(dom, FAKEDOM_STORE_PORT));
		cr_assert_eq(introduce(FAKEDOM_STORE_PORT), 3);
		cr_expect(fakedom_bound(dom, FAKEDOM_STORE_PORT));
		bed_write(d0, 0, "/local/domain/5/data", "y");
		bed_pump();
		cr_expect_eq(guest.page->rsp_prod, 0, "its watch is void");
	}
	cr_expect_str_eq(introduced(), "T");
}

/* XSA-325: a broken ring is no death. */
Test(store_domain, bad_ring_then_gone)
{
	cr_assert_eq(introduce(FAKEDOM_STORE_PORT), 3);
	bed_event(w);
	attach_guest();
	guest.page->req_prod = 5000;
	fakedom_send(dom, FAKEDOM_STORE_PORT);
	cr_expect(SOON(
		(bed_pump(), guest.page->error == XENSTORE_ERROR_RINGIDX)));
	cr_expect_str_eq(bed_event(w), "");
	cr_expect_str_eq(introduced(), "T");
	fakedom_free(dom);
	dom = NULL;
	cr_expect_str_eq(event_soon(), "@releaseDomain|r");
	cr_expect_str_eq(bed_event(w), "");
}

/* Another kernel in the same VMM begins anew, also after a broken ring. */
Test(store_domain, introduced_again)
{
	char reply[1024];

	cr_assert_eq(introduce(FAKEDOM_STORE_PORT), 3);
	attach_guest();
	cr_expect_eq(ask(XS_WATCH, "data\0t", 7, reply), XS_WATCH);
	guest.page->req_prod = guest.page->req_cons + 5000;
	fakedom_send(dom, FAKEDOM_STORE_PORT);
	cr_expect(SOON(
		(bed_pump(), guest.page->error == XENSTORE_ERROR_RINGIDX)));
	for (int i = 0; i < 50; i++) {
		memset(guest.page, 0, 4096);
		cr_assert_eq(introduce(FAKEDOM_STORE_PORT), 3);
		cr_expect_eq(guest.page->error, XENSTORE_ERROR_NONE);
		attach_guest();
		cr_expect_eq(ask(XS_READ, "name", 5, reply), XS_READ);
		cr_expect_str_eq(reply, "five");
		cr_expect_eq(ask(XS_TRANSACTION_START, "", 1, reply),
			     XS_TRANSACTION_START);
	}
	bed_write(d0, 0, "/local/domain/5/data", "no watch is left");
	cr_expect_eq(ask(XS_READ, "name", 5, reply), XS_READ);
}

Test(store_domain, refused)
{
	cr_expect_eq(bed_str(d0, XS_INTRODUCE, 0, "6", "1", "1", NULL), -ENOENT,
		     "no such domain");
	cr_expect_eq(introduce(77), -EINVAL, "not its port");
	cr_expect_str_eq(introduced(), "F");
	cr_expect_eq(bed_str(d0, XS_INTRODUCE, 0, "0", "1", "1", NULL),
		     -EINVAL);
	cr_expect_eq(bed_str(d0, XS_INTRODUCE, 0, "5", "x", "1", NULL),
		     -EINVAL);
	cr_expect_eq(bed_str(d0, XS_INTRODUCE, 0, "5", "1", NULL), -EINVAL);
	cr_expect_str_eq(bed_event(w), "");
	cr_assert_eq(introduce(FAKEDOM_STORE_PORT), 3);
}

Test(store_domain, target)
{
	struct fakedom *other = fakedom_new(6, 64);
	char reply[1024];

	cr_assert_eq(introduce(FAKEDOM_STORE_PORT), 3);
	attach_guest();
	bed_write(d0, 0, "/of6", "six");
	bed_str(d0, XS_SET_PERMS, 0, "/of6", "n0", "r6", NULL);
	cr_expect_eq(ask(XS_READ, "/of6", 5, reply), XS_ERROR);
	cr_expect_eq(bed_str(d0, XS_SET_TARGET, 0, "5", "6", NULL), -ENOENT);
	{
		char gfn[24];

		snprintf(gfn, sizeof(gfn), "%u", FAKEDOM_STORE_GFN);
		cr_assert_eq(bed_str(d0, XS_INTRODUCE, 0, "6", gfn, "1", NULL),
			     3);
	}
	cr_expect_eq(bed_str(d0, XS_SET_TARGET, 0, "5", "6", NULL), 3);
	cr_expect_eq(ask(XS_READ, "/of6", 5, reply), XS_READ);
	cr_expect_str_eq(reply, "six");
	cr_expect_eq(bed_str(d0, XS_RELEASE, 0, "6", NULL), 3);
	bed_str(d0, XS_SET_PERMS, 0, "/of6", "n0", "r6", NULL);
	cr_expect_eq(ask(XS_READ, "/of6", 5, reply), XS_ERROR,
		     "the next domain 6 is another");
	fakedom_free(other);
}
