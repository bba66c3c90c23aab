// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_handover.c - who may run a domain that goes from one host to another.
#include "tools/xl_handover.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"

/** struct word - What one end says, without a terminating NUL if @nul is 0. */
struct word {
	const char *text, *name;
	size_t nul;
};

static const struct word banner = {
	"xl migration receiver ready, send binary domain data.\n", "banner", 0
};
static const struct word ready = { "domain received, ready to unpause",
				   "ready message", 1 };
static const struct word go = { "domain is yours, you are cleared to unpause",
				"GO message", 1 };
static const struct word report = { "my copy unpause results are as follows",
				    "success/failure report message", 1 };

static int say(const struct xl_wire *w, const struct word *word)
{
	int ret = fd_write_peer(w->out, word->text,
				strlen(word->text) + word->nul, w->stop);

	if (ret)
		fprintf(stderr, "migration: cannot send %s: %s\n", word->name,
			strerror(-ret));
	return ret;
}

/* UNTRUSTED: the first byte that differs ends it. */
static int hear(const struct xl_wire *w, const struct word *word,
		const char *peer)
{
	size_t len = strlen(word->text) + word->nul;
	int ret = 0;

	for (size_t i = 0; i < len && !ret; i++) {
		char c;

		ret = fd_read_peer(w->in, &c, 1, w->stop);
		if (!ret && c != word->text[i])
			ret = -EPROTO;
	}
	if (ret == -EPROTO)
		fprintf(stderr,
			"migration: unexpected data from %s instead of %s\n",
			peer, word->name);
	else if (ret)
		fprintf(stderr, "migration: %s ended before the %s: %s\n", peer,
			word->name,
			ret == -EPIPE ? "end of file" : strerror(-ret));
	return ret;
}

/* ---- The sender ------------------------------------------------------------ */

/* From the moment when the other may run it. */
static enum xl_whose after_go(const struct xl_wire *w, const char *peer)
{
	uint8_t status;

	if (say(w, &go) || hear(w, &report, peer) ||
	    fd_read_peer(w->in, &status, 1, w->stop))
		return XL_NOBODY_KNOWS;
	if (!status) {
		fprintf(stderr,
			"migration sender: Target reports successful startup.\n");
		return XL_THEIRS;
	}
	fprintf(stderr,
		"migration sender: Target reports startup failure (status code %u).\n",
		status);
	return hear(w, &go, peer) ? XL_NOBODY_KNOWS : XL_OURS;
}

enum xl_whose xl_handover_give(const struct xl_wire *w,
			       const struct xl_giver *g)
{
	if (hear(w, &banner, g->peer) || g->send(g->arg, w->out) ||
	    hear(w, &ready, g->peer))
		return XL_OURS;
	fprintf(stderr,
		"migration sender: Target has acknowledged transfer.\n");
	if (g->away(g->arg))
		return XL_OURS;
	fprintf(stderr,
		"migration sender: Giving target permission to start.\n");
	return after_go(w, g->peer);
}

/* ---- The receiver ---------------------------------------------------------- */

/* What is left to say is said, whoever wants to interrupt it. */
static bool never(void)
{
	return false;
}

/* It does not run here: once nothing of it is left, the sender may. */
static int give_back(const struct xl_wire *w, const struct xl_taker *t)
{
	const struct xl_wire last = { w->in, w->out, never };
	const uint8_t failed = 1;
	int lost = say(&last, &report);

	if (!lost)
		lost = fd_write_peer(w->out, &failed, 1, never);
	fprintf(stderr, "migration target: Failure, destroying our copy.\n");
	if (t->destroy(t->arg)) {
		fprintf(stderr,
			"migration target: Failed to destroy our copy.\n");
		return -EIO;
	}
	if (!lost) {
		fprintf(stderr,
			"migration target: Cleanup OK, granting sender permission to resume.\n");
		lost = say(&last, &go);
	}
	return lost ? lost : -EIO;
}

int xl_handover_take(const struct xl_wire *w, const struct xl_taker *t)
{
	const uint8_t good = 0;
	int ret;

	fprintf(stderr, "migration target: Ready to receive domain.\n");
	ret = say(w, &banner);
	if (!ret)
		ret = t->receive(t->arg, w->in);
	if (ret) {
		fprintf(stderr,
			"migration target: Domain creation failed (code %d).\n",
			ret);
		return ret;
	}
	fprintf(stderr,
		"migration target: Transfer complete, requesting permission to start domain.\n");
	if (say(w, &ready) || hear(w, &go, "the sender"))
		return give_back(w, t);
	fprintf(stderr, "migration target: Got permission, starting domain.\n");
	if (t->start(t->arg))
		return give_back(w, t);
	fprintf(stderr, "migration target: Domain started successfully.\n");
	/* It runs, whether the sender hears of it or not. */
	ret = say(w, &report);
	return ret ? ret : fd_write_peer(w->out, &good, 1, w->stop);
}
