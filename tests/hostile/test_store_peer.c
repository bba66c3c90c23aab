// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_store_peer.c - guests that lie to, flood or rob the store.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "tests/lib/caplog.h"
#include "tests/lib/fini.h"
#include "tests/lib/storebed.h"
#include "xenstore-lite/dispatch.h"
#include "xenstore-lite/path.h"
#include "xenstore-lite/perm.h"
#include "xenstore-lite/quota.h"
#include "xenstore-lite/trace.h"
#include "xenstore-lite/watch.h"

static struct bed_client *d0, *g;

static void setup(void)
{
	bed_init();
	d0 = bed_dom0();
	g = bed_guest(1);
	bed_home(1);
	bed_write(d0, 0, "/secret", "s");
}

static void teardown(void)
{
	FINI_CHECK(bed_consistent());
	FINI_CHECK(!strcmp(bed_read(d0, 0, "/secret"), "s"));
	bed_close(g);
	bed_close(d0);
	bed_fini();
}

TestSuite(store_peer, .init = setup, .fini = teardown, .timeout = 300);

/* ---- Framing and the ring ---------------------------------------------- */

struct lie {
	char name[32];
	uint32_t prod;	  /* req_prod - req_cons */
	uint32_t len;	  /* of the message at the front */
	uint32_t rsp_off; /* rsp_cons is set that far before rsp_prod */
	uint32_t error;
};

ParameterizedTestParameters(store_peer, ring_lies)
{
	static struct lie t[] = {
		{ "one past full", 1025, 0, 0, XENSTORE_ERROR_RINGIDX },
		{ "half the world", 1u << 31, 0, 0, XENSTORE_ERROR_RINGIDX },
		{ "backwards", UINT32_MAX, 0, 0, XENSTORE_ERROR_RINGIDX },
		{ "4097 bytes", 16, 4097, 0, XENSTORE_ERROR_PROTO },
		{ "sign bit", 16, 1u << 31, 0, XENSTORE_ERROR_PROTO },
		{ "all ones", 16, UINT32_MAX, 0, XENSTORE_ERROR_PROTO },
		{ "all ones, full ring", 1024, UINT32_MAX, 0,
		  XENSTORE_ERROR_PROTO },
		{ "replies ahead", 16, 0, UINT32_MAX, XENSTORE_ERROR_RINGIDX },
		{ "replies far behind", 16, 0, 1025, XENSTORE_ERROR_RINGIDX },
	};
	return cr_make_param_array(struct lie, t, sizeof(t) / sizeof(t[0]));
}

/* XSA-38, XSA-420, XSA-325: the ring is stopped, nothing else. */
ParameterizedTest(struct lie *t, store_peer, ring_lies)
{
	struct xsd_sockmsg h = { .type = XS_TRANSACTION_START, .len = t->len };
	uint64_t n;

	cr_assert_eq(bed_watch(g, "data", "t"), 0);
	bed_event(g);
	while (read(g->call, &n, sizeof(n)) > 0)
		;
	/* The ring's bytes stand at the index where the store will read. */
	for (size_t i = 0; i < sizeof(h); i++)
		g->page->req[(g->page->req_cons + i) % XENSTORE_RING_SIZE] =
			((char *)&h)[i];
	g->page->rsp_cons = g->page->rsp_prod - t->rsp_off;
	g->page->req_prod = g->page->req_cons + t->prod;
	g->conn->readable = true;
	conn_kick(g->conn);
	bed_pump();
	cr_expect_eq(g->page->error, t->error, "%s: %u", t->name,
		     g->page->error);
	cr_expect(g->conn->parked);
	cr_expect_eq(g->conn->account->watches, 0);
	cr_expect_eq(read(g->call, &n, sizeof(n)), sizeof(n), "not signalled");
	/* Never heard again, whatever it does now, and at no cost. */
	g->page->req_prod = g->page->req_cons;
	g->page->rsp_cons = g->page->rsp_prod;
	g->conn->readable = true;
	conn_kick(g->conn);
	bed_pump();
	cr_expect(!conn_pending());
	bed_write(d0, 0, "/local/domain/1/data/x", "");
	cr_expect_str_eq(bed_event(g), "");
}

Test(store_peer, socket_sends_too_long)
{
	struct bed_client *c = bed_dom0();
	struct xsd_sockmsg h = { .type = XS_READ, .len = 4097 };
	char byte;

	bed_send(c, &h, sizeof(h));
	bed_pump();
	cr_expect_eq(read(c->fd, &byte, 1), 0, "not hung up");
	bed_close(c);
}

/* A message in pieces of any size is one message. */
Test(store_peer, pieces)
{
	struct xsd_sockmsg h = { .type = XS_GET_DOMAIN_PATH,
				 .req_id = 9,
				 .len = 2 };
	char msg[18];

	memcpy(msg, &h, 16);
	memcpy(msg + 16, "1", 2);
	for (int i = 0; i < 18; i++) {
		cr_expect_eq(bed_take(g), 0);
		cr_assert_eq(bed_send(g, msg + i, 1), 1);
		bed_pump();
	}
	cr_expect_eq(bed_take(g), 1);
	cr_expect_str_eq(g->reply, "/local/domain/1");
}

Test(store_peer, every_type_with_garbage)
{
	static const char junk[][8] = {
		"", "\0", "/", "\0\0\0", "//", "a\0b\0c"
	};

	for (uint32_t type = 0; type < 40; type++) {
		for (size_t j = 0; j < ARRAY_SIZE(junk); j++) {
			for (size_t len = 0; len < 7; len++) {
				int ret = bed_op(g, type, 0, junk[j], len);

				cr_assert_neq(ret, -ETIMEDOUT, "%u", type);
				ret = bed_op(d0, type, 0, junk[j], len);
				cr_assert_neq(ret, -ETIMEDOUT, "%u", type);
			}
		}
	}
	cr_expect_eq(bed_op(g, XS_INVALID, 0, "", 0), -ENOSYS);
	cr_expect_eq(bed_op(g, 20, 0, "", 0), -ENOSYS);
	cr_expect_eq(bed_op(g, XS_SET_QUOTA + 1, 0, "", 0), -ENOSYS);
	cr_expect_eq(bed_op(g, XS_WATCH_EVENT, 0, "", 0), -ENOSYS);
	bed_write(d0, 0, "/secret", "s");
}

/* XSA-474: what guests send is shown in the logs, not done by them. */
Test(store_peer, traces_are_plain)
{
	static const char evil[] =
		"data/x\0\n\033]0;me\a\x80\xc0\xaf\xed\xa0\x80";
	char path[] = "/tmp/sv-trace.XXXXXX", text[4096];
	int fd = mkstemp(path);
	unsigned int lines = 0;
	const char *said;
	ssize_t n;

	cr_assert_geq(fd, 0);
	caplog_begin();
	trace_setup(path);
	trace_all = true;
	bed_op(g, XS_WRITE, 0, evil, sizeof(evil) - 1);
	bed_op(g, XS_WATCH, 0, evil, sizeof(evil) - 1);
	bed_op(d0, XS_CONTROL, 0, "print\0\033[2J\n", 12);
	trace_all = false;
	trace_stop();
	said = caplog_end();
	cr_expect(strstr(said, "[2J"), "printed: %s", said);
	for (const char *s = said; *s; s++)
		cr_assert(*s == '\n' || (*s >= ' ' && *s <= '~'), "%02x in %s",
			  (unsigned char)*s, said);
	n = read(fd, text, sizeof(text) - 1);
	cr_assert_gt(n, 0);
	text[n] = '\0';
	cr_expect(strstr(text, "data/x"), "%s", text);
	for (const char *s = text; *s; s++)
		cr_assert(*s == '\n' || (*s >= ' ' && *s <= '~'), "%02x in %s",
			  (unsigned char)*s, text);
	/* Three requests and their answers, each begun by a time stamp. */
	for (char *s = text; *s; s = strchr(s, '\n') + 1, lines++)
		cr_assert(!strncmp(s, "20", 2), "%s", text);
	cr_expect_geq(lines, 6, "%s", text);
	close(fd);
	unlink(path);
}

/* XSA-481: every call that takes a path. */
Test(store_peer, odd_paths)
{
	static const char *const bad[] = { "/local/domain/", "/local/domain/ 1",
					   "@", "//", "" };
	static const uint32_t types[] = {
		XS_DIRECTORY, XS_READ,		 XS_GET_PERMS, XS_WATCH,
		XS_UNWATCH,   XS_WRITE,		 XS_MKDIR,     XS_RM,
		XS_SET_PERMS, XS_DIRECTORY_PART,
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad) * ARRAY_SIZE(types); i++) {
		const char *path = bad[i % ARRAY_SIZE(bad)];
		uint32_t type = types[i / ARRAY_SIZE(bad)];

		cr_expect_eq(bed_str(g, type, 0, path, "n1", NULL), -EINVAL,
			     "%u %s", type, path);
		cr_expect_eq(bed_str(d0, type, 0, path, "n1", NULL), -EINVAL,
			     "%u %s", type, path);
	}
	cr_expect_eq(bed_str(d0, XS_READ, 0, "/local/domain/-1", NULL),
		     -ENOENT);
	cr_expect_eq(bed_str(d0, XS_READ, 0, "/local/domain/4294967297", NULL),
		     -ENOENT);
	cr_expect_eq(bed_str(g, XS_GET_DOMAIN_PATH, 0, "-1", NULL), -EINVAL);
	cr_expect_eq(bed_str(g, XS_GET_DOMAIN_PATH, 0, "4294967297", NULL),
		     -EINVAL);
}

/* ---- Rights ------------------------------------------------------------- */

struct access {
	char path[32];
	char perms[2][8];
	int read, write, rm, chmod; /* what the guest is answered: 0 or errno */
};

ParameterizedTestParameters(store_peer, access)
{
	static struct access t[] = {
		{ "/t/none", { "n0", "n9" }, EACCES, EACCES, EACCES, EACCES },
		{ "/t/read", { "n0", "r1" }, 0, EACCES, EACCES, EACCES },
		{ "/t/write", { "n0", "w1" }, EACCES, 0, 0, EACCES },
		{ "/t/both", { "n0", "b1" }, 0, 0, 0, EACCES },
		{ "/t/own", { "n1", "n9" }, 0, 0, 0, 0 },
		{ "/t/all_read", { "r0", "n9" }, 0, EACCES, EACCES, EACCES },
		{ "/t/foreign",
		  { "n2", "r9" },
		  EACCES,
		  EACCES,
		  EACCES,
		  EACCES },
		{ "/t/foreign", { "n2", "r1" }, 0, EACCES, EACCES, EACCES },
		{ "/t/foreign", { "n2", "w1" }, EACCES, 0, 0, EACCES },
		{ "/t/foreign", { "n2", "b1" }, 0, 0, 0, EACCES },
		{ "/t/every", { "n0", "r32757" }, 0, EACCES, EACCES, EACCES },
		{ "/", { "n0", "n9" }, EACCES, EACCES, EACCES, EACCES },
		{ "/", { "n0", "r1" }, 0, EACCES, EACCES, EACCES },
		{ "/", { "n0", "w1" }, EACCES, 0, EINVAL, EACCES },
		{ "/", { "n0", "b1" }, 0, 0, EINVAL, EACCES },
		{ "/", { "n1", "n9" }, 0, 0, EINVAL, 0 },
		{ "/local", { "n0", "n9" }, EACCES, EACCES, EACCES, EACCES },
		{ "/local", { "n0", "r1" }, 0, EACCES, EACCES, EACCES },
		{ "/local", { "n0", "w1" }, EACCES, 0, 0, EACCES },
		{ "/local", { "n1", "n9" }, 0, 0, 0, 0 },
	};
	return cr_make_param_array(struct access, t, sizeof(t) / sizeof(t[0]));
}

static int status(int ret)
{
	return ret < 0 ? -ret : 0;
}

/* XSA-353: the root is judged like every other node. */
ParameterizedTest(struct access *t, store_peer, access)
{
	int ret;

	bed_write(d0, 0, t->path, "v");
	ret = bed_str(d0, XS_SET_PERMS, 0, t->path, t->perms[0], t->perms[1],
		      NULL);
	cr_assert_eq(ret, 3);
	cr_expect_eq(status(bed_str(g, XS_READ, 0, t->path, NULL)), t->read,
		     "%s read", t->path);
	cr_expect_eq(status(bed_str(g, XS_DIRECTORY, 0, t->path, NULL)),
		     t->read, "%s directory", t->path);
	cr_expect_eq(
		status(bed_str(g, XS_DIRECTORY_PART, 0, t->path, "0", NULL)),
		t->read, "%s directory part", t->path);
	cr_expect_eq(status(bed_str(g, XS_GET_PERMS, 0, t->path, NULL)),
		     t->read, "%s get perms", t->path);
	cr_expect_eq(status(bed_str(g, XS_SET_PERMS, 0, t->path, t->perms[0],
				    t->perms[1], NULL)),
		     t->chmod, "%s set perms", t->path);
	cr_expect_eq(status(bed_write(g, 0, t->path, "w")), t->write,
		     "%s write", t->path);
	cr_expect_eq(status(bed_str(g, XS_MKDIR, 0, t->path, NULL)), t->write,
		     "%s mkdir", t->path);
	cr_expect_eq(status(bed_str(g, XS_RM, 0, t->path, NULL)), t->rm,
		     "%s rm", t->path);
}

/* Nothing that is dom0's to do. */
Test(store_peer, privileged_calls)
{
	static const uint32_t types[] = {
		XS_CONTROL,	XS_INTRODUCE,	XS_RELEASE,
		XS_RESUME,	XS_SET_TARGET,	XS_IS_DOMAIN_INTRODUCED,
		XS_GET_FEATURE, XS_SET_FEATURE, XS_GET_QUOTA,
		XS_SET_QUOTA,
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		cr_expect_eq(bed_str(g, types[i], 0, "1", "2", "3", NULL),
			     -EACCES, "type %u", types[i]);
	cr_expect_eq(bed_str(g, XS_SET_PERMS, 0, "@introduceDomain", "n1",
			     NULL),
		     -EACCES);
}

/* Whoever may not look is not told whether something is there. */
Test(store_peer, absence_is_secret)
{
	bed_write(d0, 0, "/private/there", "");
	cr_expect_eq(bed_str(g, XS_READ, 0, "/private/there", NULL), -EACCES);
	cr_expect_eq(bed_str(g, XS_READ, 0, "/private/not", NULL), -EACCES);
	cr_expect_eq(bed_str(g, XS_READ, 0, "data/not", NULL), -ENOENT);
}

/* XSA-352: ownership is not given away, nor the charge that goes with it. */
Test(store_peer, gives_node_away)
{
	unsigned int before = bed_nodes(2);

	bed_write(g, 0, "data/x", "");
	cr_expect_eq(bed_str(g, XS_SET_PERMS, 0, "data/x", "n2", NULL), -EPERM);
	cr_expect_eq(bed_str(g, XS_SET_PERMS, 0, "data/x", "n0", "b1", NULL),
		     -EPERM);
	cr_expect_eq(bed_nodes(2), before);
	cr_expect_eq(bed_nodes(1), 2);
	cr_expect_eq(bed_str(g, XS_SET_PERMS, 0, "data/x", "r1", "b2", NULL),
		     3);
}

/* XSA-322, XSA-417, XSA-419, XSA-483: a domid lives again. */
Test(store_peer, domid_reuse)
{
	bed_write(d0, 0, "/vm/x", "private");
	bed_str(d0, XS_SET_PERMS, 0, "/vm/x", "n0", "b1", NULL);
	cr_expect_str_eq(bed_read(g, 0, "/vm/x"), "private");
	/* Made in another's tree, which lets it. */
	bed_write(d0, 0, "/shared", "");
	bed_str(d0, XS_SET_PERMS, 0, "/shared", "n2", "b1", NULL);
	bed_write(g, 0, "/shared/of1", "");
	for (int life = 0; life < 300; life++) {
		bed_kill(g);
		cr_assert_eq(bed_nodes(1), 0);
		g = bed_guest(1);
		cr_assert_eq(bed_str(g, XS_READ, 0, "/vm/x", NULL), -EACCES);
		cr_assert_eq(bed_write(g, 0, "/vm/x", "mine"), -EACCES);
		cr_assert_eq(bed_str(g, XS_READ, 0, "/shared/of1", NULL),
			     -EACCES);
		cr_assert_eq(bed_write(g, 0, "data/x", ""), -EACCES,
			     "its old home was given to the dead");
		bed_str(d0, XS_RM, 0, "/local/domain/1", NULL);
		bed_home(1);
		cr_assert_eq(bed_write(g, 0, "data/a/b/c", ""), 3);
		cr_assert_eq(bed_nodes(1), 4);
	}
	cr_expect_str_eq(bed_list(d0, 0, "/shared"), "");
}

/* XSA-322 again: rights named before the new domain is introduced count. */
Test(store_peer, rights_before_introduction)
{
	struct bed_client *h;

	bed_home(6);
	bed_write(d0, 0, "/local/domain/6/key", "v");
	h = bed_guest(6);
	cr_expect_str_eq(bed_read(h, 0, "key"), "v");
	cr_expect_eq(bed_write(h, 0, "data/x", ""), 3);
	bed_kill(h);
}

/* XSA-417: but not those of a life that ended before there was a connection. */
Test(store_peer, rights_of_a_life_never_introduced)
{
	struct bed_client *h;

	bed_home(6);
	bed_write(d0, 0, "/local/domain/6/key", "v");
	cr_expect_eq(bed_str(d0, XS_RELEASE, 0, "6", NULL), -ENOENT);
	h = bed_guest(6);
	cr_expect_eq(bed_str(h, XS_READ, 0, "key", NULL), -EACCES);
	cr_expect_eq(bed_write(h, 0, "data/x", ""), -EACCES);
	cr_expect_eq(bed_nodes(6), 0);
	bed_kill(h);
}

/* Whoever is given the root does not take it along. */
Test(store_peer, owner_of_the_root_dies)
{
	bed_str(d0, XS_SET_PERMS, 0, "/", "b1", NULL);
	bed_str(d0, XS_SET_PERMS, 0, "@introduceDomain", "n1", NULL);
	cr_expect_eq(bed_nodes(1), 2, "its data and the root");
	bed_kill(g);
	cr_expect(bed_consistent());
	cr_expect_eq(bed_nodes(1), 0);
	cr_expect_eq(bed_str(d0, XS_GET_PERMS, 0, "/", NULL), 3);
	cr_expect_str_eq(d0->reply, "n0");
	g = bed_guest(1);
	cr_expect_eq(bed_str(g, XS_DIRECTORY, 0, "/", NULL), -EACCES);
	cr_expect_eq(bed_str(g, XS_SET_PERMS, 0, "@introduceDomain", "n1",
			     NULL),
		     -EACCES);
}

/* XSA-233: two that own parts of each other's trees die together. */
Test(store_peer, paired_deaths)
{
	struct bed_client *h = bed_guest(2);

	for (int i = 0; i < 500; i++) {
		bed_home(2);
		bed_str(d0, XS_SET_PERMS, 0, "/local/domain/1/data", "n1", "b2",
			NULL);
		bed_str(d0, XS_SET_PERMS, 0, "/local/domain/2/data", "n2", "b1",
			NULL);
		cr_assert_eq(bed_write(g, 0, "/local/domain/2/data/x", ""), 3);
		cr_assert_eq(bed_write(h, 0, "/local/domain/2/data/x/y", ""),
			     -EACCES);
		cr_assert_eq(bed_write(h, 0, "/local/domain/1/data/x", ""), 3);
		bed_watch(g, "/local/domain/2/data", "t");
		bed_watch(h, "/local/domain/1/data", "t");
		bed_kill(i & 1 ? g : h);
		bed_kill(i & 1 ? h : g);
		cr_assert_eq(bed_nodes(1) + bed_nodes(2), 0);
		bed_str(d0, XS_RM, 0, "/local/domain/1", NULL);
		bed_str(d0, XS_RM, 0, "/local/domain/2", NULL);
		g = bed_guest(1);
		h = bed_guest(2);
		bed_home(1);
	}
	bed_close(h);
}

/* XSA-57: the console's keys are the toolstack's. */
Test(store_peer, console_keys)
{
	static const char *const keys[] = { "tty", "output", "limit", "type" };

	for (size_t i = 0; i < 4; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/local/domain/1/console/%s",
			 keys[i]);
		bed_write(d0, 0, path, "v");
		bed_str(d0, XS_SET_PERMS, 0, path, "n0", "r1", NULL);
		cr_expect_eq(bed_write(g, 0, path, "/etc/shadow"), -EACCES);
	}
}

/* ---- Quotas ------------------------------------------------------------- */

/* XSA-272: exactly the quota, and one freed makes room for one. */
Test(store_peer, node_quota)
{
	char path[32];
	int made = 1; /* data itself */

	for (; made < 1000; made++) {
		snprintf(path, sizeof(path), "data/n%d", made);
		cr_assert_eq(bed_write(g, 0, path, ""), 3, "%s", path);
	}
	cr_expect_eq(bed_nodes(1), 1000);
	cr_expect_eq(bed_write(g, 0, "data/more", ""), -ENOSPC);
	cr_expect_eq(bed_str(g, XS_MKDIR, 0, "data/more", NULL), -ENOSPC);
	cr_expect_eq(bed_write(g, 0, "data/n5", "no new node"), 3);
	bed_str(g, XS_RM, 0, "data/n7", NULL);
	/* XSA-414: a path that would need two makes none. */
	cr_expect_eq(bed_write(g, 0, "data/a/b", ""), -ENOSPC);
	cr_expect_eq(bed_nodes(1), 999);
	cr_expect_eq(bed_write(g, 0, "data/more", ""), 3);
	cr_expect_eq(bed_write(g, 0, "data/most", ""), -ENOSPC);
	cr_expect_eq(bed_write(d0, 0, "/local/domain/1/data/by0", ""), 3,
		     "dom0 is exempt");
}

/* XSA-414: the quota ends at the third of five nodes: none is made. */
Test(store_peer, node_quota_midway)
{
	uint64_t memory;
	char path[32];

	for (int i = 1; i < 998; i++) {
		snprintf(path, sizeof(path), "data/n%d", i);
		cr_assert_eq(bed_write(g, 0, path, ""), 3);
	}
	memory = g->conn->account->memory;
	cr_expect_eq(bed_write(g, 0, "data/a/b/c/d/e", "v"), -ENOSPC);
	cr_expect_eq(bed_str(g, XS_READ, 0, "data/a", NULL), -ENOENT);
	cr_expect_eq(bed_nodes(1), 998);
	cr_expect_eq(g->conn->account->memory, memory);
	cr_expect_eq(bed_write(g, 0, "data/a/b", "v"), 3);
	cr_expect_eq(bed_nodes(1), 1000);
}

/* XSA-483: what a domain has used is not the next one's. */
Test(store_peer, quotas_begin_anew)
{
	char path[32];

	for (int life = 0; life < 3; life++) {
		int made = 1;

		do
			snprintf(path, sizeof(path), "data/n%d", made++);
		while (bed_write(g, 0, path, "value") == 3);
		cr_assert_eq(made, 1001, "life %d", life);
		for (made = 0; !bed_watch(g, path, "t"); made++)
			snprintf(path, sizeof(path), "data/w%d", made);
		cr_assert_eq(made, 128, "life %d", life);
		for (made = 0;
		     bed_str(g, XS_TRANSACTION_START, 0, "", NULL) > 0;)
			made++;
		cr_assert_eq(made, 10, "life %d", life);
		bed_kill(g);
		cr_expect_null(account_find(1));
		g = bed_guest(1);
		bed_home(1);
	}
}

/* XSA-415: over the quota inside a transaction: nothing of it remains. */
Test(store_peer, node_quota_in_transaction)
{
	char path[64];
	uint32_t t;

	for (int i = 1; i < 998; i++) {
		snprintf(path, sizeof(path), "data/n%d", i);
		cr_assert_eq(bed_write(g, 0, path, ""), 3);
	}
	t = bed_start(g);
	cr_expect_eq(bed_write(g, t, "data/x/y", ""), 3);
	cr_expect_eq(bed_write(g, t, "data/x/z/q/r/s", ""), -ENOSPC);
	cr_expect_lt(bed_end(g, t, true), 0);
	cr_expect_eq(bed_nodes(1), 998);
	cr_expect_eq(bed_str(g, XS_READ, 0, "data/x", NULL), -ENOENT);
	/* Two transactions, each within the quota, not so together. */
	t = bed_start(g);
	cr_expect_eq(bed_write(g, t, "data/x/y", ""), 3);
	cr_expect_eq(bed_write(g, 0, "data/other", ""), 3);
	cr_expect_eq(bed_end(g, t, true), -ENOSPC);
	cr_expect_eq(bed_nodes(1), 999);
}

Test(store_peer, other_quotas)
{
	char text[2200], path[32];
	uint32_t t[11];

	for (int i = 0; i < 128; i++) {
		snprintf(path, sizeof(path), "data/%d", i);
		cr_assert_eq(bed_watch(g, path, "t"), 0);
	}
	cr_expect_eq(bed_watch(g, "data", "t"), -E2BIG);
	for (int i = 0; i < 10; i++)
		t[i] = bed_start(g);
	cr_expect_eq(bed_str(g, XS_TRANSACTION_START, 0, "", NULL), -ENOSPC);
	cr_expect_eq(bed_end(g, t[0], false), 0);
	cr_expect_eq(bed_str(g, XS_READ, t[0], "data", NULL), -ENOENT);
	bed_start(g);

	memset(text, 'v', sizeof(text));
	text[2048] = '\0';
	cr_expect_eq(bed_write(g, 0, "data/v", text), 3);
	text[2048] = 'v';
	text[2049] = '\0';
	cr_expect_eq(bed_write(g, 0, "data/v", text), -ENOSPC);
	cr_expect_eq(bed_str(g, XS_SET_PERMS, 0, "data", "n1", "r2", "r3", "r4",
			     "r5", NULL),
		     3);
	cr_expect_eq(bed_str(g, XS_SET_PERMS, 0, "data", "n1", "r2", "r3", "r4",
			     "r5", "r6", NULL),
		     -ENOSPC);
}

Test(store_peer, transaction_nodes)
{
	uint32_t t = bed_start(g);
	char path[32];
	int ret = 0;
	int i;

	for (i = 0; i < 2000 && ret != -ENOSPC; i++) {
		snprintf(path, sizeof(path), "data/%d", i);
		ret = bed_str(g, XS_READ, t, path, NULL);
	}
	cr_expect_eq(i, 1025);
	cr_expect_lt(bed_end(g, t, true), 0);
}

/* XSA-323: what a guest can name, dom0 can too, whatever is put before it. */
static void longest_path_of(struct bed_client *c, size_t len, int want)
{
	char rel[PATH_MAX_REL + 2], abs[PATH_BUF + 16], dir[64];

	memset(rel, 'p', len);
	memcpy(rel, "data/", 5);
	rel[len] = '\0';
	snprintf(dir, sizeof(dir), "/local/domain/%u/data", c->domid);
	snprintf(abs, sizeof(abs), "/local/domain/%u/%s", c->domid, rel);
	cr_expect_eq(bed_write(c, 0, rel, "deep"), want, "%zu", len);
	if (want < 0) {
		cr_expect_eq(bed_write(c, 0, abs, ""), -EINVAL, "%zu", len);
		return;
	}
	cr_expect_str_eq(bed_read(d0, 0, abs), "deep");
	cr_expect_str_eq(bed_list(d0, 0, dir), rel + 5);
	cr_expect_eq(bed_str(d0, XS_RM, 0, abs, NULL), 3);
	cr_expect_str_eq(bed_list(d0, 0, dir), "");
}

Test(store_peer, longest_path)
{
	struct bed_client *last = bed_guest(32751);

	bed_home(32751);
	for (int i = 0; i < 2; i++) {
		struct bed_client *c = i ? last : g;

		longest_path_of(c, PATH_MAX_REL - 1, 3);
		longest_path_of(c, PATH_MAX_REL, 3);
		longest_path_of(c, PATH_MAX_REL + 1, -EINVAL);
	}
	bed_kill(last);
}

/* XSA-324: every event that can come must fit into a message. */
Test(store_peer, huge_token)
{
	char token[XENSTORE_PAYLOAD_MAX];

	memset(token, 't', sizeof(token));
	token[CONN_TOKEN_MAX + 1] = '\0';
	cr_expect_eq(bed_watch(g, "data", token), -E2BIG);
	token[CONN_TOKEN_MAX] = '\0';
	cr_expect_eq(bed_watch(g, "data", token), 0);
	bed_write(d0, 0, "/local/domain/1/data/x", "");
	cr_expect_str_neq(bed_event(g), "");
	cr_expect_str_neq(bed_event(g), "");
	cr_expect_eq(conn_stats.events_lost, 0);
}

/* XSA-72: more children than one answer holds. */
Test(store_peer, long_directory)
{
	static char all[200000];
	char path[128], offset[16];
	size_t got = 0, n = 0;
	bool last = false;

	for (int i = 0; i < 400; i++) {
		snprintf(path, sizeof(path),
			 "data/a-name-that-is-not-short-at-all-%d", i);
		cr_assert_eq(bed_write(g, 0, path, ""), 3);
	}
	cr_expect_eq(bed_str(g, XS_DIRECTORY, 0, "data", NULL), -E2BIG);
	while (!last) {
		int ret, skip;

		snprintf(offset, sizeof(offset), "%zu", got);
		ret = bed_str(g, XS_DIRECTORY_PART, 0, "data", offset, NULL);
		cr_assert_gt(ret, 0);
		skip = (int)strlen(g->reply) + 1;
		last = !g->reply[ret - 1] && !g->reply[ret - 2];
		memcpy(all + got, g->reply + skip, (size_t)(ret - skip));
		got += (size_t)(ret - skip) - last;
	}
	for (char *p = all; p < all + got; p += strlen(p) + 1, n++) {
		snprintf(path, sizeof(path),
			 "a-name-that-is-not-short-at-all-%zu", n);
		cr_assert_str_eq(p, path);
	}
	cr_expect_eq(n, 400);
	cr_expect_eq(bed_str(g, XS_DIRECTORY_PART, 0, "data", "999999", NULL),
		     (int)strlen(g->reply) + 2);
	cr_expect_eq(bed_str(g, XS_DIRECTORY_PART, 0, "data", "x", NULL),
		     -EINVAL);
}

/* ---- Floods ------------------------------------------------------------- */

static size_t put_request(struct bed_client *c, uint32_t type,
			  const char *payload, size_t len)
{
	struct xsd_sockmsg h = { .type = type, .len = (uint32_t)len };
	char msg[sizeof(h) + 256];

	memcpy(msg, &h, sizeof(h));
	memcpy(msg + sizeof(h), payload, len);
	return bed_send(c, msg, sizeof(h) + len);
}

static uint32_t room(const struct bed_client *c)
{
	return XENSTORE_RING_SIZE - (c->page->req_prod - c->page->req_cons);
}

/* XSA-326: who does not read is not listened to, and is not killed. */
Test(store_peer, never_reads)
{
	uint64_t before, memory = g->conn->account->memory;
	int sent = 0;

	for (int i = 0; i < 1500; i++) {
		if (room(g) < 18)
			break;
		cr_assert_eq(put_request(g, XS_GET_DOMAIN_PATH, "1", 2), 18);
		sent++;
		bed_pump();
	}
	/*
	 * 1024 bytes of answers are in the ring, 20 more wait, and the ring
	 * holds what was not taken.
	 */
	cr_expect_eq(g->conn->nreplies, 20);
	cr_expect_lt(sent, 200);
	cr_expect(!g->conn->parked);
	/* XSA-416: nothing but the answers is kept of those requests. */
	cr_expect_eq(g->conn->account->memory, memory + g->conn->out_bytes);
	cr_expect_leq(g->conn->out_bytes, 20 * (16 + 16));
	cr_expect_null(g->conn->in);
	before = conn_stats.requests;
	g->conn->readable = true;
	conn_kick(g->conn);
	bed_pump();
	cr_expect_eq(conn_stats.requests, before, "the 21st was taken");
	cr_expect_eq((int)bed_take(g), sent, "all are answered in the end");
	cr_expect_eq(g->conn->nreplies, 0);
}

/* XSA-326: events that nobody reads are bounded, then dropped. */
Test(store_peer, unread_events)
{
	struct conn *c = g->conn;

	conn_stall_ms = 50;
	cr_assert_eq(bed_watch(g, "data", "t"), 0);
	for (int i = 0; i < 5000; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/local/domain/1/data/n%d",
			 i % 3000);
		bed_write(d0, 0, path, "");
		if (i % 100 == 99)
			cr_assert_leq(c->nevents, 1024);
	}
	bed_pump();
	cr_expect_gt(conn_stats.events_lost, 0);
	usleep(80000);
	bed_pump();
	cr_expect_leq(c->nevents, 1, "the stale ones are gone");
	cr_expect_eq(c->nreplies, 0);
	/* It can go on. */
	while (*bed_event(g))
		;
	cr_expect_str_eq(bed_read(g, 0, "data/n1"), "");
	conn_stall_ms = 20000;
}

/* Each introduction and death is told of, also while nobody reads. */
Test(store_peer, deaths_do_not_collapse)
{
	unsigned int before;

	cr_assert_eq(bed_watch(g, "@releaseDomain", "t"), 0);
	cr_assert_eq(bed_watch(g, "data", "t"), 0);
	for (int i = 0; i < 60; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/local/domain/1/data/n%d", i);
		bed_write(d0, 0, path, "");
	}
	before = g->conn->nevents;
	cr_assert_gt(before, 0);
	for (int i = 0; i < 5; i++) {
		watch_fire_special("@releaseDomain", 7, &bed_tree);
		bed_write(d0, 0, "/local/domain/1/data/same", "");
	}
	cr_expect_eq(g->conn->nevents, before + 5 + 1);
}

/* XSA-354: the same key over and over is one waiting event. */
Test(store_peer, toggles_one_key)
{
	struct bed_client *w = bed_dom0();
	struct conn_stats before;

	bed_watch(w, "/local/domain/1/data/key", "t");
	while (*bed_event(w))
		;
	before = conn_stats;
	/* The watcher sleeps: its socket is filled first. */
	for (int i = 0; i < 100000; i++)
		bed_write(d0, 0, "/local/domain/1/data/key", i & 1 ? "a" : "b");
	cr_expect_leq(conn_stats.out_bytes, before.out_bytes + 256);
	cr_expect_gt(conn_stats.events_collapsed, before.events_collapsed);
	bed_close(w);
}

/*
 * XSA-206: floods by eight guests delay dom0 by no more than two turns each.
 * The guests' rings are full again before every step of the store.
 */
Test(store_peer, flood_is_fair)
{
	struct bed_client *flood[8];
	uint64_t before, most = 0;

	for (unsigned int i = 0; i < 8; i++) {
		flood[i] = bed_guest(10 + i);
		bed_home(10 + i);
	}
	for (int round = 0; round < 200; round++) {
		struct xsd_sockmsg h = { .type = XS_READ, .len = 8 };
		char msg[24];

		memcpy(msg, &h, sizeof(h));
		memcpy(msg + sizeof(h), "/secret", 8);
		cr_assert_eq(bed_send(d0, msg, sizeof(msg)), sizeof(msg));
		before = conn_stats.requests;
		do {
			for (int i = 0; i < 8; i++)
				while (room(flood[i]) >= 24)
					put_request(flood[i], XS_WRITE,
						    "data/x\0y", 8);
			bed_step();
			for (int i = 0; i < 8; i++)
				bed_drain(flood[i]);
		} while (!bed_take(d0));
		cr_assert_str_eq(d0->reply, "s");
		most = MAX(most, conn_stats.requests - before);
	}
	cr_expect_leq(most, 2 * 8 * CONN_QUANTUM + 1);
	cr_expect_gt(most, 8, "there was no flood");
	for (int i = 0; i < 8; i++)
		bed_close(flood[i]);
}

/* Send without waiting; the answer comes in some later step. */
static bool ask_in_flood(struct bed_client *f, uint32_t type, uint32_t tx,
			 const char *payload, size_t len)
{
	struct xsd_sockmsg h = { .type = type,
				 .tx_id = tx,
				 .len = (uint32_t)len };
	char msg[128];

	memcpy(msg, &h, sizeof(h));
	memcpy(msg + sizeof(h), payload, len);
	cr_assert_eq(bed_send(d0, msg, sizeof(h) + len), sizeof(h) + len);
	for (int i = 0; i < 1000; i++) {
		while (room(f) >= 24)
			put_request(f, XS_WRITE, "data/x\0y", 8);
		bed_step();
		bed_drain(f);
		if (bed_take(d0))
			return d0->reply_type == type;
	}
	return false;
}

/* XSA-206: a node that a guest rewrites without pause can still be read and
 * acted upon in one transaction. */
Test(store_peer, flood_of_conflicts)
{
	int losses = 0;

	for (int round = 0; round < 5; round++) {
		uint32_t t;
		int tries = 0;
		bool won;

		do {
			cr_assert(ask_in_flood(g, XS_TRANSACTION_START, 0, "",
					       1));
			t = (uint32_t)strtoul(d0->reply, NULL, 10);
			cr_assert(ask_in_flood(g, XS_READ, t,
					       "/local/domain/1/data/x", 23));
			cr_assert(ask_in_flood(g, XS_WRITE, t, "/libxl/1\0v",
					       10));
			won = ask_in_flood(g, XS_TRANSACTION_END, t, "T", 2);
			losses += !won;
			cr_assert_lt(++tries, 100000);
		} while (!won);
	}
	cr_expect_geq(losses, 5, "the flood was none");
}

/* XSA-330, XSA-512: no index keeps what another has forgotten. */
Test(store_peer, watch_and_reset)
{
	uint64_t memory = g->conn->account->memory;

	for (int i = 0; i < 3000; i++) {
		cr_assert_eq(bed_watch(g, "data", "t"), 0);
		cr_assert_eq(bed_watch(g, "data/x", "t"), 0);
		cr_assert_eq(bed_str(g, XS_RESET_WATCHES, 0, "", NULL), 3);
		cr_assert_eq(g->conn->account->watches, 0);
		for (size_t k = 0; k < g->nevents; k++)
			free(g->events[k]);
		g->nevents = g->next_event = 0;
	}
	bed_write(d0, 0, "/local/domain/1/data/x", "");
	cr_expect_str_eq(bed_event(g), "");
	cr_expect_leq(g->conn->account->memory, memory + 512);
}

/* XSA-484: all ends at once, in a transaction too, and may end twice. */
Test(store_peer, reset_in_a_transaction)
{
	uint32_t t;

	for (int i = 0; i < 2; i++) {
		t = bed_start(g);
		cr_assert_eq(bed_write(g, t, "data/x", ""), 3);
		cr_assert_eq(bed_watch(g, "data", "t"), 0);
		cr_expect_eq(bed_str(g, XS_RESET_WATCHES, t, "", NULL), 3);
		cr_expect_eq(bed_str(g, XS_RESET_WATCHES, t, "", NULL),
			     -ENOENT);
		cr_expect_eq(bed_str(g, XS_RESET_WATCHES, 0, "", NULL), 3);
		cr_expect_eq(bed_end(g, t, true), -ENOENT);
	}
	bed_start(g);
	cr_assert_eq(bed_watch(g, "data", "t"), 0);
	for (int i = 0; i < 2; i++) {
		watch_del_all(g->conn);
		txn_free_all(g->conn);
	}
	cr_expect_eq(g->conn->account->watches, 0);
	cr_expect_eq(g->conn->account->transactions, 0);
	cr_expect_eq(bed_write(g, 0, "data/x", ""), 3);
}

/* XSA-421: every step of a commit may lack memory; here: of any kind. */
Test(store_peer, memory_quota)
{
	char text[2001], path[32];
	int ret = 0;
	int i;

	quotas[QUOTA_NODES].limit = 100000;
	memset(text, 'v', 2000);
	text[2000] = '\0';
	for (i = 0; i < 5000 && ret >= 0; i++) {
		snprintf(path, sizeof(path), "data/n%d", i);
		ret = bed_write(g, 0, path, text);
	}
	cr_expect_eq(ret, -ENOSPC);
	cr_expect_geq(i, 1000);
	cr_expect_leq(g->conn->account->memory,
		      quotas[QUOTA_MEMORY].limit + 4096);
	cr_expect_eq(bed_str(g, XS_RM, 0, "data/n1", NULL), 3);
	cr_expect_eq(bed_write(g, 0, "data/again", ""), 3);
	quotas[QUOTA_NODES].limit = 1000;
}

/* What open transactions keep counts too, and no more once they have ended. */
Test(store_peer, memory_quota_in_transactions)
{
	uint64_t before = g->conn->account->memory;
	char text[2001], path[32];
	uint32_t t[10];
	int ret = 0;

	memset(text, 'v', 2000);
	text[2000] = '\0';
	for (int n = 0; n < 10; n++) {
		t[n] = bed_start(g);
		for (int i = 0; i < 500; i++) {
			snprintf(path, sizeof(path), "data/n%d", i);
			if (bed_write(g, t[n], path, text) < 0)
				ret = -ENOSPC;
			cr_assert_leq(g->conn->account->memory,
				      quotas[QUOTA_MEMORY].limit + 4096);
		}
	}
	cr_expect_eq(ret, -ENOSPC);
	for (int n = 0; n < 10; n++)
		bed_end(g, t[n], false);
	cr_expect_eq(g->conn->account->memory, before);
}
