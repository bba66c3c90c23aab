// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_dmesg.c - xl dmesg: the VMMs' logs as one.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "tools/xl_cmd.h"

/* gcc 12's analyzer loses sight of what a list owns when the list grows. */
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

#define TAIL 1048576L /* bytes of each log that are shown at most */

/* A line; what has no time of its own belongs to the line before. */
struct line {
	char stamp[28]; /* "2026-01-31T23:59:59.123456Z" */
	size_t order;	/* as read */
	char *text;
};

struct lines {
	struct line *at;
	size_t n, room;
};

static int add_line(struct lines *l, const char *stamp, const char *text)
{
	if (l->n == l->room) {
		size_t room = l->room ? l->room * 2 : 256;
		struct line *more = reallocarray(l->at, room, sizeof(*l->at));

		if (!more)
			return -ENOMEM;
		l->at = more;
		l->room = room;
	}
	l->at[l->n] = (struct line){ .order = l->n, .text = strdup(text) };
	snprintf(l->at[l->n].stamp, sizeof(l->at[l->n].stamp), "%s", stamp);
	if (!l->at[l->n].text)
		return -ENOMEM;
	l->n++;
	return 0;
}

static bool has_stamp(const char *s)
{
	return strlen(s) > 27 && s[4] == '-' && s[10] == 'T' && s[26] == 'Z';
}

static int read_log(struct lines *l, const char *path)
{
	FILE *f = fopen(path, "re");
	char *line = NULL, stamp[28] = "";
	struct stat st;
	size_t room = 0;
	int ret = 0;

	if (!f)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fileno(f), &st) == 0 && st.st_size > TAIL &&
	    fseek(f, -TAIL, SEEK_END) == 0 && getline(&line, &room, f) < 0)
		ret = -EIO; /* the rest of a line */
	while (!ret && getline(&line, &room, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (has_stamp(line))
			snprintf(stamp, sizeof(stamp), "%.27s", line);
		ret = add_line(l, stamp, line);
	}
	free(line);
	fclose(f);
	return ret;
}

static int by_time(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int d = strcmp(x->stamp, y->stamp);

	return d ? d : (x->order > y->order) - (x->order < y->order);
}

/* Guests write some of this: nothing reaches the terminal but text. */
static void print_lines(struct lines *l)
{
	char shown[4096];

	if (l->n)
		qsort(l->at, l->n, sizeof(*l->at), by_time);
	for (size_t i = 0; i < l->n; i++)
		puts(util_escape(shown, sizeof(shown), l->at[i].text,
				 strlen(l->at[i].text)));
}

/* hv-NAME.log, and hv-NAME.log.1 with what is older. */
static bool is_vmm_log(const char *name)
{
	size_t len = strlen(name);

	if (len > 2 && strcmp(name + len - 2, ".1") == 0)
		len -= 2;
	return len > 7 && strncmp(name, "hv-", 3) == 0 &&
	       strncmp(name + len - 4, ".log", 4) == 0;
}

static int each_log(struct lines *l, bool clear)
{
	DIR *dir = opendir(paths_log());
	char path[PATH_MAX];
	struct dirent *e;
	int ret = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!ret && (e = readdir(dir))) {
		if (!is_vmm_log(e->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", paths_log(), e->d_name);
		ret = read_log(l, path);
		if (!ret && clear && truncate(path, 0) < 0)
			ret = -errno;
	}
	closedir(dir);
	return ret;
}

int xl_cmd_dmesg(int argc, char **argv)
{
	struct lines l = { 0 };
	bool clear = false;
	int opt, status = 0, ret;

	while ((opt = xl_getopt(argc, argv, "c", NULL, 0, &status)) > 0)
		clear = true;
	if (!opt)
		return status;
	ret = each_log(&l, clear);
	print_lines(&l);
	for (size_t i = 0; i < l.n; i++)
		free(l.at[i].text);
	free(l.at);
	if (ret)
		log_err("logs in '%s': %s", paths_log(), strerror(-ret));
	return ret ? XL_EXIT_FAIL : 0;
}
