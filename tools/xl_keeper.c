// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_keeper.c - clears up after a domain that lives as long as its xl.
#include "tools/xl_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "tools/xl_build.h"
#include "tools/xl_run.h"

#define REMOVE_TRIES 100 /* of 100 ms */

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path) && errno != ENOENT ? -1 : 0;
}

/* A program that xl had started may still be writing there. */
static int remove_dir(const char *dir)
{
	for (int i = 0; i < REMOVE_TRIES; i++) {
		if (nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 ||
		    access(dir, F_OK) < 0)
			return 0;
		usleep(100000);
	}
	log_err("'%s': cannot be removed", dir);
	return -EIO;
}

/* What the VMM has written, and what it has moved aside (base/log.h). */
static int remove_log(const char *name, const char *end)
{
	char log[PATH_MAX];

	snprintf(log, sizeof(log), "%s/hv-%s.log%s", paths_log(), name, end);
	return unlink(log) && errno != ENOENT ? -errno : 0;
}

static int clear(const char *name, const char *dir)
{
	unsigned int domid;
	int ret = 0;

	if (!xl_run_find(name, &domid))
		ret = xl_teardown(domid);
	if (remove_dir(dir))
		ret = -EIO;
	if (remove_log(name, "") || remove_log(name, ".1"))
		ret = -EIO;
	return ret;
}

static _Noreturn void keep(const char *name, const char *dir, int pipe)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	ssize_t n;
	char c;

	setsid();
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	/* Who reads xl's output waits for its end, not for ours. */
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
	}
	do {
		n = read(pipe, &c, 1);
	} while (n > 0 || (n < 0 && errno == EINTR));
	_exit(clear(name, dir) ? 1 : 0);
}

int xl_keeper_start(struct xl_keeper *k, const char *name, const char *dir)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	fflush(NULL);
	k->pid = fork();
	if (k->pid == 0) {
		fd_close(&p[1]);
		keep(name, dir, p[0]);
	}
	fd_close(&p[0]);
	k->pipe = p[1];
	if (k->pid < 0) {
		int ret = -errno;

		fd_close(&k->pipe);
		return ret;
	}
	return 0;
}

int xl_keeper_end(struct xl_keeper *k)
{
	int status = 0;

	fd_close(&k->pipe);
	while (waitpid(k->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status)) {
		log_err("process %d, which clears up, has been killed",
			(int)k->pid);
		return -EIO;
	}
	return WEXITSTATUS(status) ? -EIO : 0;
}
