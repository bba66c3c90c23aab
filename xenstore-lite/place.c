// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/place.c - the directory in which the store has its files.
#include "xenstore-lite/place.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char place[PATH_MAX];

const char *place_of(const char *socket)
{
	if (snprintf(place, sizeof(place), "%s.d", socket) >=
	    (int)sizeof(place))
		place[0] = '\0';
	return place;
}

static int check(const struct stat *st, const struct sandbox_user *user)
{
	if (!S_ISDIR(st->st_mode))
		return -ENOTDIR;
	return st->st_uid == geteuid() || st->st_uid == user->uid ? 0 : -EPERM;
}

int place_make(const char *socket, const struct sandbox_user *user)
{
	struct stat st;
	int ret;

	if (mkdir(place_of(socket), 0700) && errno != EEXIST)
		return -errno;
	if (lstat(place, &st))
		return -errno;
	ret = check(&st, user);
	if (ret || !(st.st_mode & (S_IRWXG | S_IRWXO)))
		return ret;
	return chmod(place, 0700) ? -errno : 0;
}

char *place_file(char *buf, const char *name)
{
	if (snprintf(buf, PATH_MAX, "%s/%s", place, name) >= PATH_MAX)
		buf[0] = '\0';
	return buf;
}

int place_adopt(const char *socket)
{
	char old[PATH_MAX], path[PATH_MAX];

	if (snprintf(old, sizeof(old), "%s.journal", socket) >=
	    (int)sizeof(old))
		return 0;
	place_file(path, PLACE_JOURNAL);
	if (access(path, F_OK) == 0 || access(old, F_OK) != 0)
		return 0;
	return rename(old, path) ? -errno : 0;
}
