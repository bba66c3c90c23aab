// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_run.c - one command in a guest of its own; images for that.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/paths.h"
#include "tools/oci.h"
#include "tools/xl_cmd.h"
#include "tools/xl_oneshot.h"

#define MEMORY_MIB     512
#define MAX_MEMORY_MIB (1u << 20)
#define MAX_ENV	       1024u

static const char *const default_env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=/root", NULL
};

/* What is given on the command line. */
struct given {
	struct xl_oneshot o;
	const char *cwd;
	const char *set[MAX_ENV]; /* -e */
	size_t nset;
};

static int number(const char *what, const char *s, uint64_t max, uint64_t *out)
{
	if (!util_u64(s, max, out) && *out)
		return 0;
	fprintf(stderr, "xl run: %s '%s' must be a number from 1 to %llu\n",
		what, s, (unsigned long long)max);
	return -EINVAL;
}

static int add_env(struct given *g, const char *s)
{
	if (s[0] == '=' || !strchr(s, '=') || g->nset == MAX_ENV) {
		fprintf(stderr, "xl run: -e '%s' must be NAME=VALUE\n", s);
		return -EINVAL;
	}
	g->set[g->nset++] = s;
	return 0;
}

static int set_net(struct given *g, const char *s)
{
	if (strcmp(s, "nat") != 0 && strcmp(s, "user") != 0 &&
	    strcmp(s, "none") != 0) {
		fprintf(stderr,
			"xl run: --net '%s' must be nat, user or none\n", s);
		return -EINVAL;
	}
	g->o.net = strcmp(s, "none") != 0 ? s : NULL;
	return 0;
}

static int set_option(struct given *g, int opt)
{
	uint64_t n = 0;
	int ret = 0;

	switch (opt) {
	case 'm':
		return number("memory", optarg, MAX_MEMORY_MIB,
			      &g->o.memory_mib);
	case 'c':
		ret = number("--vcpus", optarg, 64, &n);
		g->o.vcpus = (unsigned int)n;
		return ret;
	case 'e':
		return add_env(g, optarg);
	case 'w':
		g->cwd = optarg;
		return 0;
	case 'k':
		g->o.kernel = optarg;
		return 0;
	case 'n':
		return set_net(g, optarg);
	default:
		g->o.job.rw = true;
		return 0;
	}
}

/* Whether one of @n settings has the name of @var. */
static bool is_set(const char *const *set, size_t n, const char *var)
{
	size_t len = strcspn(var, "=") + 1;

	for (size_t i = 0; i < n; i++) {
		if (!strncmp(set[i], var, len))
			return true;
	}
	return false;
}

/* Return: *owned*: @base with what -e sets, of which the last counts; or NULL. */
static const char **make_env(const struct given *g, const char *const *base)
{
	const char **env;
	size_t n = 0, k = 0;

	while (base[n])
		n++;
	env = calloc(n + g->nset + 1, sizeof(*env));
	for (size_t i = 0; env && i < n; i++) {
		if (!is_set(g->set, g->nset, base[i]))
			env[k++] = base[i];
	}
	for (size_t i = 0; env && i < g->nset; i++) {
		if (!is_set(g->set + i + 1, g->nset - i - 1, g->set[i]))
			env[k++] = g->set[i];
	}
	return env;
}

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int run_in(struct given *g, char **argv, const struct oci *oci)
{
	struct oneshot_job *job = &g->o.job;
	const char **env;
	int status;

	job->argv = *argv || !oci->argv ? (const char *const *)argv : oci->argv;
	if (!job->argv[0]) {
		fprintf(stderr,
			"xl run: no command (xl run ROOT -- COMMAND)\n");
		return ONESHOT_FAILED;
	}
	if (g->o.job.rw && is_dir(g->o.root)) {
		fprintf(stderr,
			"xl run: '%s': --rw is for disks and images; what is written to a directory's copy is lost\n",
			g->o.root);
		return ONESHOT_FAILED;
	}
	job->cwd = g->cwd ? g->cwd : oci->cwd ? oci->cwd : "/";
	job->uid = oci->uid;
	job->gid = oci->gid;
	job->net = g->o.net;
	env = make_env(g, oci->env && oci->env[0] ? oci->env : default_env);
	if (!env)
		return ONESHOT_FAILED;
	job->env = env;
	status = xl_oneshot_run(&g->o);
	free((void *)env);
	return status;
}

int xl_cmd_run(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "memory", required_argument, NULL, 'm' },
		{ "vcpus", required_argument, NULL, 'c' },
		{ "env", required_argument, NULL, 'e' },
		{ "workdir", required_argument, NULL, 'w' },
		{ "kernel", required_argument, NULL, 'k' },
		{ "net", required_argument, NULL, 'n' },
		{ "rw", no_argument, NULL, 'W' },
		{ 0 },
	};
	static struct given g;
	struct oci oci = { 0 };
	int opt, ret, status = 0;

	g.o.memory_mib = MEMORY_MIB;
	g.o.vcpus = 1;
	while ((opt = xl_getopt(argc, argv, "+m:e:w:", longs, 1, &status)) >
	       0) {
		if (set_option(&g, opt))
			return ONESHOT_FAILED;
	}
	if (!opt)
		return status ? ONESHOT_FAILED : 0;
	g.o.root = argv[optind++];
	if (optind < argc && !strcmp(argv[optind], "--"))
		optind++;
	ret = is_dir(g.o.root) ? oci_read(g.o.root, &oci) : -ENOENT;
	if (ret && ret != -ENOENT)
		return ONESHOT_FAILED;
	g.o.bundle = !ret;
	if (!ret)
		g.o.root = oci.root;
	status = run_in(&g, argv + optind, &oci);
	oci_free(&oci);
	return status;
}

int xl_cmd_image(int argc, char **argv)
{
	char program[PATH_MAX];

	(void)argc;
	argv[0] = paths_program(program, "sv-image");
	if (!setenv("SPLITVISOR_IMAGE_DIR", xl_oneshot_images(), 1))
		execv(argv[0], argv);
	fprintf(stderr, "xl image: %s: %s\n", argv[0], strerror(errno));
	return XL_EXIT_FAIL;
}
