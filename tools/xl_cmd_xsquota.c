// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_xsquota.c - xl xenstore-quota-get, xenstore-quota-set.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/xl_cmd.h"
#include "tools/xl_limits.h"

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

int xl_cmd_xsquota_get(int argc, char **argv)
{
	struct xl_limit *l;
	int domid, ret;
	size_t n;

	if (argc == 2 && !strcmp(argv[1], "-h")) {
		xl_cmd_help(xl_cmd_find(argv[0], &n));
		return 0;
	}
	if (argc != 2) {
		fprintf(stderr, "Domain or \"-g\" must be specified.\n");
		return XL_EXIT_FAIL;
	}
	if (find_whose(argv[1], &domid))
		return XL_EXIT_FAIL;
	ret = xl_limits_get(domid, &l, &n);
	if (ret) {
		fprintf(stderr, "Quota could not be obtained. (%s)\n",
			strerror(-ret));
		return XL_EXIT_FAIL;
	}
	printf("Quota name           Quota value\n");
	printf("--------------------------------\n");
	for (size_t i = 0; i < n; i++)
		printf("%-20s %8u\n", l[i].name, l[i].value);
	xl_limits_free(l, n);
	return 0;
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
