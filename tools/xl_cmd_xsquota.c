// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_xsquota.c - xl xenstore-quota-get, xenstore-quota-set.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/xl_cmd.h"
#include "tools/xl_limits.h"
#include "tools/xl_out.h"

static int find_whose(const char *arg, int *domid)
{
	unsigned int found;

	*domid = XL_LIMITS_ALL;
	if (!strcmp(arg, "-g"))
		return 0;
	if (xl_find_domain(arg, &found))
		return -ENOENT;
	*domid = (int)found;
	return 0;
}

static const struct xl_field fields[] = {
	XL_FIELD("name", STRING, xl_limit, name),
	XL_FIELD("value", UINT, xl_limit, value),
};

static void print_head(unsigned int how)
{
	(void)how;
	printf("Quota name           Quota value\n");
	printf("--------------------------------\n");
}

static void print_limit(const void *row, unsigned int how)
{
	const struct xl_limit *l = row;

	(void)how;
	printf("%-20s %8u\n", l->name, l->value);
}

int xl_cmd_xsquota_get(int argc, char **argv)
{
	static const struct xl_table t = {
		.head = print_head,
		.row = print_limit,
		.field = fields,
		.n = ARRAY_SIZE(fields),
	};
	struct xl_limit *l;
	int domid, ret;
	size_t n;

	if (argc == 2 && !strcmp(argv[1], "-h")) {
		xl_cmd_help(xl_cmd_find(argv[0], &n));
		return 0;
	}
	if (argc != 2) {
		xl_error(argv[0], "xl help xenstore-quota-get",
			 "Domain or \"-g\" must be specified.");
		return XL_EXIT_FAIL;
	}
	if (find_whose(argv[1], &domid))
		return XL_EXIT_FAIL;
	ret = xl_limits_get(domid, &l, &n);
	if (ret) {
		xl_error(argv[1], NULL, "Quota could not be obtained. (%s)",
			 strerror(-ret));
		return XL_EXIT_FAIL;
	}
	xl_out_begin(&t, 0);
	for (size_t i = 0; i < n; i++)
		xl_out_row(&l[i]);
	xl_limits_free(l, n);
	return xl_out_end();
}

/* Return: 0 or -errno; reported. */
static int parse_specs(struct xl_limit *l, char **specs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *why, *eq = strchr(specs[i], '=');
		int ret = xl_limit_parse(&l[i], specs[i], &why);

		if (ret == -ENOMEM)
			fprintf(stderr, "out of memory\n");
		else if (ret && eq)
			fprintf(stderr,
				"Quota specification \"%s\" %s \"%s\".\n",
				specs[i], why, eq + 1);
		else if (ret)
			fprintf(stderr, "Quota specification \"%s\" %s.\n",
				specs[i], why);
		if (ret)
			return ret;
	}
	return 0;
}

int xl_cmd_xsquota_set(int argc, char **argv)
{
	size_t n = argc > 2 ? (size_t)argc - 2 : 0, failed = 0, m;
	struct xl_limit *l;
	int domid, ret;

	if (!n) {
		bool help = argc == 2 && !strcmp(argv[1], "-h");

		if (!help)
			fprintf(stderr, "Not enough parameters.\n");
		xl_cmd_help(xl_cmd_find(argv[0], &m));
		return help ? 0 : XL_EXIT_FAIL;
	}
	l = calloc(n, sizeof(*l));
	if (!l)
		return XL_EXIT_FAIL;
	ret = parse_specs(l, argv + 2, n);
	if (!ret)
		ret = find_whose(argv[1], &domid);
	if (!ret) {
		ret = xl_limits_set(domid, l, n, &failed);
		if (ret)
			fprintf(stderr, "Quota could not be set. (%s: %s)\n",
				argv[2 + failed],
				ret == -EINVAL
					? "no such quota, or not such a "
					  "value; see xl xenstore-quota-get -g"
					: strerror(-ret));
	}
	xl_limits_free(l, n);
	return ret ? XL_EXIT_FAIL : 0;
}
