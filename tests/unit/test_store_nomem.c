// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_store_nomem.c - requests for which memory runs out on the way.
//
// Each scenario is repeated with its 1st, 2nd, 3rd... allocation failing, until
// none fails any more.  A request that is answered with an error must have
// changed nothing; after any outcome the accounts must agree with the tree.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "tests/lib/failalloc.h"
#include "tests/lib/storebed.h"
#include "xenstore-lite/path.h"
#include "xenstore-lite/perm.h"

static struct bed_client *d0, *look, *g;

static void setup(void)
{
	bed_init();
	d0 = bed_dom0();
	look = bed_dom0();
	bed_write(d0, 0, "/old/a", "1");
	bed_write(d0, 0, "/old/b/c", "2");
	bed_str(d0, XS_SET_PERMS, 0, "/old", "n3", NULL);
	bed_str(d0, XS_SET_PERMS, 0, "/old/a", "n3", NULL);
	bed_str(d0, XS_SET_PERMS, 0, "/old/b", "n3", "r4", NULL);
	bed_watch(look, "/", "w");
	g = bed_guest(3);
}

static void teardown(void)
{
	bed_close(g);
	bed_close(look);
	bed_close(d0);
	bed_fini();
}

/* Everything in the tree, as text. */
static char *dump(void)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	char path[PATH_BUF], perms[PERM_TEXT];
	struct walk w;

	cr_assert_eq(walk_init(&w, tree_get(&bed_tree, "/")), 0);
	for (size_t i = 0; i < w.n; i++) {
		const struct node *n = w.v[i].node;
		size_t len = perm_print(n->perms, perms);

		cr_assert_gt(walk_path(&w, i, "/", path), 0);
		fprintf(f, "%s %u %u ", path, n->nkids, n->kids_len);
		fwrite(perms, 1, len, f);
		if (n->value)
			fwrite(n->value->data, 1, n->value->len, f);
		fputc('\n', f);
	}
	walk_fini(&w);
	fclose(f);
	return text;
}

struct scenario {
	char name[32];
	bool guest;
	bool in_txn; /* prepare a transaction; the END is what fails */
	uint32_t type;
	char payload[48];
	uint32_t len;
};

ParameterizedTestParameters(store_nomem, every_allocation)
{
	static struct scenario t[] = {
		{ "deep write", true, false, XS_WRITE, "/old/x/y/z\0v", 12 },
		{ "overwrite", true, false, XS_WRITE, "/old/a\0vvv", 10 },
		{ "rm", true, false, XS_RM, "/old", 5 },
		{ "chmod", false, false, XS_SET_PERMS, "/old/a\0n5\0r3", 13 },
		{ "mkdir", true, false, XS_MKDIR, "/old/n/m", 9 },
		{ "directory", true, false, XS_DIRECTORY, "/old", 5 },
		{ "directory part", true, false, XS_DIRECTORY_PART, "/old\0000",
		  7 },
		{ "watch", true, false, XS_WATCH, "/old\0t", 7 },
		{ "start", true, false, XS_TRANSACTION_START, "", 1 },
		{ "commit", true, true, XS_TRANSACTION_END, "T", 2 },
		{ "commit by dom0", false, true, XS_TRANSACTION_END, "T", 2 },
	};
	return cr_make_param_array(struct scenario, t,
				   sizeof(t) / sizeof(t[0]));
}

static uint32_t prepare(struct bed_client *c)
{
	uint32_t t = bed_start(c);

	cr_assert_eq(bed_write(c, t, "/old/x/y", "v"), 3);
	cr_assert_eq(bed_write(c, t, "/old/a", "other"), 3);
	cr_assert_eq(bed_str(c, XS_RM, t, "/old/b", NULL), 3);
	cr_assert_eq(bed_write(c, t, "/old/b", "again"), 3);
	return t;
}

ParameterizedTest(struct scenario *s, store_nomem, every_allocation)
{
	bool fired = true;

	for (int nth = 1; fired; nth++) {
		struct bed_client *c;
		char *before, *after;
		uint32_t tx = 0;
		int ret;

		setup();
		c = s->guest ? g : d0;
		if (s->in_txn)
			tx = prepare(c);
		before = dump();
		fail_in = nth;
		ret = bed_op(c, s->type, tx, s->payload, s->len);
		fired = !fail_in;
		fail_in = 0;
		after = dump();
		if (ret < 0 && ret != -ETIMEDOUT && ret != -EPIPE)
			cr_expect_str_eq(after, before, "%s %d: %d", s->name,
					 nth, ret);
		cr_expect(fired || ret >= 0, "%s %d: %d", s->name, nth, ret);
		cr_assert(bed_consistent(), "%s %d: %d", s->name, nth, ret);
		cr_assert_lt(nth, 1000);
		free(before);
		free(after);
		teardown();
	}
}
