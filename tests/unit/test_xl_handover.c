/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_xl_handover.c - a domain runs here, or there, and never at both. */
#include "tools/xl_handover.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define BANNER	"xl migration receiver ready, send binary domain data.\n"
#define READY	"domain received, ready to unpause"
#define GO	"domain is yours, you are cleared to unpause"
#define REPORT	"my copy unpause results are as follows"
#define DOMAIN	"<domain>"
#define NUL	1
#define MAX_SAY 512

/*
 * What the peer says is put into a pipe before, up to where the line is cut; what is
 * said to it is read afterwards.
 */
struct line {
	struct xl_wire w;
	int far_in; /* the end that the peer reads */
};

static bool never(void)
{
	return false;
}

static bool at_once(void)
{
	return true;
}

static struct line lay(const char *said, size_t len)
{
	struct line l;
	int in[2], out[2];

	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(pipe2(in, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
	cr_assert_eq(fd_write_all(in[1], said, len), 0);
	close(in[1]);
	l.w = (struct xl_wire){ in[0], out[1], never };
	l.far_in = out[0];
	return l;
}

/* Everything that was said, and then no more. */
static size_t heard(struct line *l, char text[MAX_SAY])
{
	ssize_t n;

	close(l->w.in);
	close(l->w.out);
	n = read(l->far_in, text, MAX_SAY);
	fd_close(&l->far_in);
	return n > 0 ? (size_t)n : 0;
}

static size_t add(char *to, size_t at, const char *text, size_t nul)
{
	memcpy(to + at, text, strlen(text) + nul);
	return at + strlen(text) + nul;
}

static bool has(const char *text, size_t len, const char *what)
{
	return memmem(text, len, what, strlen(what)) != NULL;
}

/* ---- the sender ---------------------------------------------------------------- */

static struct {
	unsigned int sent, away;
	int send, go_away; /* what they return */
} giver;

static int send_it(void *arg, int out)
{
	(void)arg;
	giver.sent++;
	return giver.send ? giver.send
			  : fd_write_all(out, DOMAIN, strlen(DOMAIN));
}

static int go_away(void *arg)
{
	(void)arg;
	giver.away++;
	return giver.go_away;
}

static int send_nothing(void *arg, int out)
{
	(void)arg;
	(void)out;
	return 0;
}

static const struct xl_giver gives = { send_it, go_away, NULL, "the peer" };

/* What a good receiver says; @status is what became of it. */
static size_t script(char text[MAX_SAY], uint8_t status)
{
	size_t n = add(text, 0, BANNER, 0);

	n = add(text, n, READY, NUL);
	n = add(text, n, REPORT, NUL);
	text[n++] = (char)status;
	return status ? add(text, n, GO, NUL) : n;
}

Test(xl_handover,
     the_senders_runs_only_if_it_never_said_go_or_was_given_it_back)
{
	const size_t granted = strlen(BANNER) + strlen(READY) + NUL;

	for (uint8_t status = 0; status < 2; status++) {
		char text[MAX_SAY], said[MAX_SAY];
		size_t len = script(text, status);

		for (size_t cut = 0; cut <= len; cut++) {
			struct line l = lay(text, cut);
			enum xl_whose whose, want;
			size_t n;

			memset(&giver, 0, sizeof(giver));
			whose = xl_handover_give(&l.w, &gives);
			n = heard(&l, said);
			want = cut < granted ? XL_OURS
			       : cut < len   ? XL_NOBODY_KNOWS
			       : status	     ? XL_OURS
					     : XL_THEIRS;
			cr_expect_eq(whose, want, "status %u, cut at %zu: %d",
				     status, cut, whose);
			cr_expect_eq(has(said, n, "domain is"), cut >= granted,
				     "cut at %zu", cut);
			cr_expect_eq(giver.away, cut >= granted);
			cr_expect_eq(giver.sent, cut >= strlen(BANNER));
		}
	}
}

Test(xl_handover, a_receiver_that_says_something_else_gets_no_permission)
{
	char text[MAX_SAY], said[MAX_SAY];
	size_t len = script(text, 1);
	const size_t ready = strlen(BANNER) + strlen(READY) + NUL;

	for (size_t at = 0; at < len; at++) {
		struct line l;
		enum xl_whose whose;
		size_t n;

		/* Any status but 0 is a failure. */
		if (at == ready + strlen(REPORT) + NUL)
			continue;
		text[at] ^= 0x20;
		l = lay(text, len);
		text[at] ^= 0x20;
		whose = xl_handover_give(&l.w, &gives);
		n = heard(&l, said);
		cr_expect_eq(whose, at < ready ? XL_OURS : XL_NOBODY_KNOWS,
			     "changed at %zu", at);
		cr_expect_eq(has(said, n, "domain is"), at >= ready,
			     "changed at %zu", at);
	}
}

Test(xl_handover, what_fails_at_the_sender_before_go_leaves_it_there)
{
	char text[MAX_SAY], said[MAX_SAY];
	size_t len = script(text, 0);
	struct line l = lay(text, len);

	memset(&giver, 0, sizeof(giver));
	giver.send = -EIO;
	cr_expect_eq(xl_handover_give(&l.w, &gives), XL_OURS);
	cr_expect_eq(heard(&l, said), 0);
	l = lay(text, len);
	memset(&giver, 0, sizeof(giver));
	giver.go_away = -EEXIST;
	cr_expect_eq(xl_handover_give(&l.w, &gives), XL_OURS);
	cr_expect_eq(heard(&l, said), strlen(DOMAIN), "no word of go");
}

Test(xl_handover, a_go_that_cannot_be_written_may_have_arrived)
{
	char text[MAX_SAY];
	size_t len = script(text, 0);
	struct line l = lay(text, len);
	const struct xl_giver silent = { send_nothing, go_away, NULL, "peer" };

	memset(&giver, 0, sizeof(giver));
	fd_close(&l.far_in);
	cr_expect_eq(xl_handover_give(&l.w, &gives), XL_OURS,
		     "not even the domain");
	cr_expect_eq(giver.away, 0);
	cr_expect_eq(heard(&l, text), 0);
	len = script(text, 0);
	l = lay(text, len);
	fd_close(&l.far_in);
	cr_expect_eq(xl_handover_give(&l.w, &silent), XL_NOBODY_KNOWS);
	heard(&l, text);
}

/* ---- the receiver -------------------------------------------------------------- */

static struct {
	bool there, runs;
	int receive, start, destroy; /* what they return */
} copy;

static int receive(void *arg, int in)
{
	char text[sizeof(DOMAIN) - 1];
	int ret = fd_read_all(in, text, sizeof(text));

	(void)arg;
	if (!ret)
		ret = copy.receive;
	copy.there = !ret;
	return ret;
}

static int start(void *arg)
{
	(void)arg;
	cr_assert(copy.there);
	copy.runs = !copy.start;
	return copy.start;
}

static int destroy(void *arg)
{
	(void)arg;
	cr_assert(copy.there);
	if (!copy.destroy)
		copy.there = copy.runs = false;
	return copy.destroy;
}

static const struct xl_taker takes = { receive, start, destroy, NULL };

Test(xl_handover, the_receivers_runs_only_after_all_of_go)
{
	char text[MAX_SAY], said[MAX_SAY];
	size_t len = add(text, 0, DOMAIN, 0);

	len = add(text, len, GO, NUL);
	for (size_t cut = 0; cut <= len; cut++) {
		struct line l = lay(text, cut);
		size_t n;
		int ret;

		memset(&copy, 0, sizeof(copy));
		ret = xl_handover_take(&l.w, &takes);
		n = heard(&l, said);
		cr_expect_eq(copy.runs, cut == len, "cut at %zu", cut);
		cr_expect_eq(copy.there, cut == len, "cut at %zu", cut);
		cr_expect_eq(!ret, cut == len, "cut at %zu", cut);
		cr_expect_eq(has(said, n, READY), cut >= strlen(DOMAIN));
		cr_expect_eq(has(said, n, GO),
			     cut >= strlen(DOMAIN) && cut < len,
			     "the sender may have it back, cut at %zu", cut);
		if (cut == len)
			cr_expect_eq(said[n - 1], 0, "and hears that it runs");
	}
}

Test(xl_handover, a_go_with_a_byte_changed_is_none)
{
	char text[MAX_SAY], said[MAX_SAY];
	size_t len = add(text, 0, DOMAIN, 0);

	len = add(text, len, GO, NUL);
	for (size_t at = strlen(DOMAIN); at < len; at++) {
		struct line l;

		text[at] ^= 1;
		l = lay(text, len);
		text[at] ^= 1;
		memset(&copy, 0, sizeof(copy));
		cr_expect_neq(xl_handover_take(&l.w, &takes), 0);
		heard(&l, said);
		cr_expect_not(copy.there, "changed at %zu", at);
	}
}

Test(xl_handover, what_fails_at_the_receiver_goes_back_once_it_is_gone)
{
	char text[MAX_SAY], said[MAX_SAY];
	size_t len = add(text, 0, DOMAIN, 0), n;
	struct line l;

	len = add(text, len, GO, NUL);
	memset(&copy, 0, sizeof(copy));
	copy.start = -EIO;
	l = lay(text, len);
	cr_expect_neq(xl_handover_take(&l.w, &takes), 0);
	n = heard(&l, said);
	cr_expect_not(copy.there);
	cr_expect(has(said, n, GO));
	/* What cannot be removed may still come to life: nothing is given back. */
	copy.start = copy.destroy = -EIO;
	l = lay(text, len);
	cr_expect_neq(xl_handover_take(&l.w, &takes), 0);
	n = heard(&l, said);
	cr_expect(has(said, n, REPORT));
	cr_expect_not(has(said, n, GO));
	memset(&copy, 0, sizeof(copy));
	copy.receive = -ENOMEM;
	l = lay(text, len);
	cr_expect_eq(xl_handover_take(&l.w, &takes), -ENOMEM);
	n = heard(&l, said);
	cr_expect_eq(n, strlen(BANNER), "not ready");
}

Test(xl_handover, who_is_interrupted_before_go_gives_it_back)
{
	char said[MAX_SAY];
	struct line l = lay("", 0);
	size_t n;

	l.w.stop = at_once;
	cr_expect_eq(xl_handover_give(&l.w, &gives), XL_OURS);
	heard(&l, said);
	memset(&copy, 0, sizeof(copy));
	l = lay(DOMAIN, strlen(DOMAIN));
	l.w.stop = at_once;
	cr_expect_eq(xl_handover_take(&l.w, &takes), -EINTR);
	n = heard(&l, said);
	cr_expect_eq(n, 0);
}
