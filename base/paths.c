// SPDX-License-Identifier: GPL-2.0-or-later
// base/paths.c - where this "host" keeps its sockets, logs and caches.
#include "base/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SV_LIBEXEC_DIR
#define SV_LIBEXEC_DIR "/usr/lib/splitvisor"
#endif

static char run_dir[PATH_MAX];
static char log_dir[PATH_MAX];
static char dump_dir[PATH_MAX];
static char cache_dir[PATH_MAX];
static char store_path[PATH_MAX];

static const char *env_or(const char *name, const char *fallback)
{
	const char *v = getenv(name);

	return v && *v ? v : fallback;
}

static void join(char *buf, const char *dir, const char *name)
{
	if (snprintf(buf, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
		buf[0] = '\0'; /* every use of "" fails with ENOENT */
}

/* What @env says, else below the run directory that was chosen, else @usual. */
static void below(char *buf, const char *run, const char *name, const char *env,
		  const char *usual)
{
	if (run && !env_or(env, NULL))
		join(buf, run, name);
	else
		snprintf(buf, PATH_MAX, "%s", env_or(env, usual));
}

void paths_init(void)
{
	const char *run = env_or("SPLITVISOR_RUN_DIR", NULL);
	const char *sock = env_or("XENSTORED_PATH", NULL);

	snprintf(run_dir, PATH_MAX, "%s", run ? run : PATHS_RUN);
	below(log_dir, run, "log", "SPLITVISOR_LOG_DIR", "/var/log/splitvisor");
	below(dump_dir, run, "dump", "SPLITVISOR_DUMP_DIR",
	      "/var/lib/xen/dump");
	snprintf(cache_dir, PATH_MAX, "%s",
		 env_or("SPLITVISOR_CACHE_DIR", "/var/cache/splitvisor"));
	if (sock)
		snprintf(store_path, PATH_MAX, "%s", sock);
	else if (run)
		join(store_path, run, "xenstored.sock");
	else
		join(store_path, env_or("XENSTORED_RUNDIR", "/run/xenstored"),
		     "socket");
	setenv("XENSTORED_PATH", store_path, 1);
}

const char *paths_run(void)
{
	return run_dir;
}

const char *paths_log(void)
{
	return log_dir;
}

const char *paths_dump(void)
{
	return dump_dir;
}

const char *paths_cache(void)
{
	return cache_dir;
}

const char *paths_store(void)
{
	return store_path;
}

char *paths_dom(char *buf, unsigned int domid, const char *name)
{
	if (snprintf(buf, PATH_MAX, "%s/dom/%u%s%s", run_dir, domid,
		     *name ? "/" : "", name) >= PATH_MAX)
		buf[0] = '\0';
	return buf;
}

int paths_mkdir(const char *path)
{
	char buf[PATH_MAX];
	size_t len = strlen(path);

	if (!len || len >= sizeof(buf))
		return -ENAMETOOLONG;
	memcpy(buf, path, len + 1);
	for (char *at = buf + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		if (mkdir(buf, 0755) < 0 && errno != EEXIST)
			return -errno;
		*at = '/';
	}
	return mkdir(buf, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

char *paths_program(char *buf, const char *name)
{
	ssize_t n = readlink("/proc/self/exe", buf, PATH_MAX - 1);
	char *slash;
	size_t room;

	if (n > 0) {
		buf[n] = '\0';
		slash = strrchr(buf, '/');
		room = (size_t)(buf + PATH_MAX - slash) - 1;
		if ((size_t)snprintf(slash + 1, room, "%s", name) < room &&
		    access(buf, X_OK) == 0)
			return buf;
	}
	join(buf, env_or("SPLITVISOR_LIBEXEC_DIR", SV_LIBEXEC_DIR), name);
	return buf;
}
