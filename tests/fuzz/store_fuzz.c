// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/store_fuzz.c - any sequence of requests, deaths and torn rings.
//
// The input is a program for three guests and dom0.  Whatever it does, every
// whole request of a client in good standing is answered, and in the end the
// accounts agree with a recount of the tree.
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "tests/lib/storebed.h"

#define CLIENTS 4

struct input {
	const uint8_t *at;
	size_t left;
};

static struct bed_client *clients[CLIENTS];
static uint32_t txn[CLIENTS];
static bool torn[CLIENTS]; /* its ring has held what is no request */

static unsigned int byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

static const char *path(struct input *in)
{
	static const char *const paths[] = {
		"/",
		"/a",
		"/a/b",
		"/a/b/c",
		"/d",
		"data",
		"data/x",
		"data/x/y",
		"/local/domain/1/data",
		"/local/domain/2/data/x",
		"/local/domain/3",
		"@releaseDomain",
		"@introduceDomain",
		"@releaseDomain/1",
		"//",
		"",
	};

	return paths[byte(in) % ARRAY_SIZE(paths)];
}

static const char *perm(struct input *in)
{
	static const char *const perms[] = { "n0", "r1",     "w2", "b3", "n1",
					     "n2", "r32757", "x",  "b0" };

	return perms[byte(in) % ARRAY_SIZE(perms)];
}

static void answered(unsigned int who, int ret)
{
	if (!torn[who])
		assert(ret != -ETIMEDOUT && ret != -EPIPE && ret != -EBADMSG);
}

static void request(struct input *in, unsigned int who)
{
	struct bed_client *c = clients[who];
	uint32_t tx = byte(in) & 1 ? txn[who] : 0;
	const char *p = path(in);
	int ret;

	switch (byte(in) % 12) {
	case 0:
		ret = bed_str(c, XS_WRITE, tx, p, NULL);
		break;
	case 1:
		ret = bed_str(c, XS_RM, tx, p, NULL);
		break;
	case 2:
		ret = bed_str(c, XS_MKDIR, tx, p, NULL);
		break;
	case 3:
		ret = bed_str(c, XS_SET_PERMS, tx, p, perm(in), perm(in), NULL);
		break;
	case 4:
		ret = bed_str(c, XS_READ, tx, p, NULL);
		break;
	case 5:
		ret = bed_str(c, XS_DIRECTORY, tx, p, NULL);
		break;
	case 6:
		ret = bed_str(c, XS_WATCH, 0, p, byte(in) & 1 ? "t" : "u",
			      NULL);
		break;
	case 7:
		ret = bed_str(c, XS_UNWATCH, 0, p, "t", NULL);
		break;
	case 8:
		ret = bed_str(c, XS_TRANSACTION_START, 0, "", NULL);
		if (ret > 0)
			txn[who] = (uint32_t)strtoul(c->reply, NULL, 10);
		break;
	case 9:
		ret = bed_end(c, txn[who], byte(in) & 3);
		break;
	case 10:
		ret = bed_str(c, XS_RESET_WATCHES, tx, "", NULL);
		break;
	default:
		ret = bed_str(c, byte(in) % 32, tx, p, perm(in), NULL);
		break;
	}
	answered(who, ret);
}

/* Bytes of no meaning, in the ring or under its indexes. */
static void tear(struct input *in, unsigned int who)
{
	struct bed_client *c = clients[who];
	uint8_t junk[32];
	size_t n = 0;

	while (n < sizeof(junk) && in->left && n < byte(in) % 33u)
		junk[n++] = (uint8_t)byte(in);
	if (byte(in) & 1)
		c->page->req_prod += byte(in) << (byte(in) % 32);
	else
		bed_send(c, junk, n);
	c->conn->readable = true;
	conn_kick(c->conn);
	bed_pump();
	torn[who] = true;
}

static void end_domain(unsigned int who)
{
	bed_kill(clients[who]);
	clients[who] = bed_guest(who);
	txn[who] = 0;
	torn[who] = false;
}

static void forget_events(struct bed_client *c)
{
	for (size_t i = 0; i < c->nevents; i++)
		free(c->events[i]);
	c->nevents = c->next_event = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	log_init("fuzz", LOG_LVL_ERR);
	bed_init();
	clients[0] = bed_dom0();
	for (unsigned int i = 1; i < CLIENTS; i++)
		clients[i] = bed_guest(i);
	memset(txn, 0, sizeof(txn));
	memset(torn, 0, sizeof(torn));
	bed_str(clients[0], XS_MKDIR, 0, "/local/domain/1/data", NULL);
	bed_str(clients[0], XS_SET_PERMS, 0, "/local/domain/1/data", "n1", "b2",
		NULL);
	while (in.left) {
		unsigned int what = byte(&in);
		unsigned int who = what % CLIENTS;

		if (what < 240 || who == 0)
			request(&in, who);
		else if (what < 248)
			tear(&in, who);
		else
			end_domain(who);
		forget_events(clients[who]);
	}
	assert(bed_consistent());
	for (unsigned int i = 0; i < CLIENTS; i++)
		bed_close(clients[i]);
	bed_fini();
	return 0;
}
