// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_xl_out.c - rows for people, objects for programs, errors for both.
#include "tools/xl_out.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "tools/xl_cmd.h"

struct thing {
	char text[8];
	const char *string;
	unsigned int number;
	uint64_t big;
	long some;
	bool flag;
	uint64_t ns;
	uint8_t uuid[16];
};

static const struct xl_field fields[] = {
	XL_FIELD("text", TEXT, thing, text),
	XL_FIELD("string", STRING, thing, string),
	XL_FIELD("number", UINT, thing, number),
	XL_FIELD("big", U64, thing, big),
	XL_FIELD("some", LONG, thing, some),
	XL_FIELD("flag", BOOL, thing, flag),
	XL_FIELD("cpu_s", SECONDS, thing, ns),
	XL_FIELD("uuid", UUID, thing, uuid),
};

static void print_head(unsigned int how)
{
	printf("head %u\n", how);
}

static void print_thing(const void *row, unsigned int how)
{
	printf("%s %u\n", ((const struct thing *)row)->text, how);
}

static void add_more(yajl_gen g, const void *row)
{
	json_member_number(g, "twice",
			   UINT64_C(2) * ((const struct thing *)row)->number);
}

static const struct xl_table table = {
	.head = print_head,
	.row = print_thing,
	.field = fields,
	.n = ARRAY_SIZE(fields),
	.more = add_more,
};

static const struct thing full = {
	.text = "a\"b\xff",
	.string = "\xc3\xa4\n",
	.number = 4294967295u,
	.big = UINT64_C(1) << 62,
	.some = 7,
	.flag = true,
	.ns = 12000000345u,
	.uuid = { 0x11 },
};
static const struct thing none = { .text = "n", .some = -1 };

static void set_up(void)
{
	cr_redirect_stdout();
	cr_redirect_stderr();
}

static void tear_down(void)
{
	log_to(NULL);
	xl_opts.json = false;
}

TestSuite(xl_out, .init = set_up, .fini = tear_down);

static void list(const struct thing *a, const struct thing *b)
{
	xl_out_begin(&table, 3);
	if (a)
		xl_out_row(a);
	if (b)
		xl_out_row(b);
	cr_expect_eq(xl_out_end(), 0);
	fflush(stdout);
}

Test(xl_out, text)
{
	list(&none, &none);
	cr_expect_stdout_eq_str("head 3\nn 3\nn 3\n");
}

Test(xl_out, one_in_text)
{
	cr_expect_eq(xl_out_one(&table, &none), 0);
	fflush(stdout);
	cr_expect_stdout_eq_str("n 0\n");
}

Test(xl_out, every_type)
{
	xl_out_json();
	list(&full, NULL);
	cr_expect_stdout_eq_str(
		"[\n"
		"    {\n"
		"        \"text\": \"a\\\"b?\",\n"
		"        \"string\": \"\xc3\xa4\\n\",\n"
		"        \"number\": 4294967295,\n"
		"        \"big\": 4611686018427387904,\n"
		"        \"some\": 7,\n"
		"        \"flag\": true,\n"
		"        \"cpu_s\": 12.000000345,\n"
		"        \"uuid\": \"11000000-0000-0000-0000-000000000000\",\n"
		"        \"twice\": 8589934590\n"
		"    }\n"
		"]\n");
}

Test(xl_out, what_is_not_there_is_null)
{
	xl_out_json();
	cr_expect_eq(xl_out_one(&table, &none), 0);
	fflush(stdout);
	cr_expect_stdout_eq_str(
		"{\n"
		"    \"text\": \"n\",\n"
		"    \"string\": null,\n"
		"    \"number\": 0,\n"
		"    \"big\": 0,\n"
		"    \"some\": null,\n"
		"    \"flag\": false,\n"
		"    \"cpu_s\": 0.000000000,\n"
		"    \"uuid\": \"00000000-0000-0000-0000-000000000000\",\n"
		"    \"twice\": 0\n"
		"}\n");
}

Test(xl_out, an_empty_list)
{
	xl_out_json();
	list(NULL, NULL);
	cr_expect_stdout_eq_str("[\n\n]\n");
}

Test(xl_out, errors_are_lines)
{
	xl_error("web", "start it", "%s: is not there", "web");
	cr_expect_stderr_eq_str("web: is not there\n");
}

Test(xl_out, errors_are_objects)
{
	xl_out_json();
	xl_error("web", "start it", "%s: is \"not\" there", "web");
	xl_error(NULL, NULL, "no");
	log_err("domain 5: its nodes: cannot be written (run as root)");
	log_warn("nothing to tell apart");
	log_err("store '/s' (old): not answering");
	cr_expect_stderr_eq_str(
		"{\"error\":\"web: is \\\"not\\\" there\",\"object\":\"web\",\"remedy\":\"start it\"}\n"
		"{\"error\":\"no\"}\n"
		"{\"error\":\"domain 5: its nodes: cannot be written (run as root)\","
		"\"object\":\"domain 5\",\"remedy\":\"run as root\"}\n"
		"{\"warning\":\"nothing to tell apart\"}\n"
		"{\"error\":\"store '/s' (old): not answering\",\"object\":\"store '/s' (old)\"}\n");
}

static bool take(const char *const *words, int *argc, char **argv)
{
	for (*argc = 0; words[*argc]; ++*argc) {
		argv[*argc] = strdup(words[*argc]);
		cr_assert_not_null(argv[*argc]);
	}
	argv[*argc] = NULL;
	return xl_take_json(argc, argv);
}

Test(xl_out, the_option_is_taken)
{
	char *argv[8];
	int argc;

	cr_expect(take((const char *[]){ "list", "--json", "x", NULL }, &argc,
		       argv));
	cr_expect_eq(argc, 2);
	cr_expect_str_eq(argv[1], "x");
	cr_expect_null(argv[2]);
	cr_expect_not(take((const char *[]){ "list", "--", "--json", NULL },
			   &argc, argv));
	cr_expect_eq(argc, 3);
	cr_expect_not(take((const char *[]){ "--json", NULL }, &argc, argv));
	cr_expect_eq(argc, 1);
}
