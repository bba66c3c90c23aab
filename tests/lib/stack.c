// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/stack.c - the real daemons in a run directory of the test's own.
#include "tests/lib/stack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>
#include <xenstore.h>

#include "base/paths.h"
#include "tests/lib/fakedom.h"

#define MUST(cond)                                                       \
	do {                                                             \
		if (!(cond)) {                                           \
			fprintf(stderr, "stack: %s:%d: %s (errno %d)\n", \
				__func__, __LINE__, #cond, errno);       \
			abort();                                         \
		}                                                        \
	} while (0)

/* Programs lie in build/VARIANT/bin, tests in build/VARIANT/tests/KIND. */
void stack_program(char *path, const char *name)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	MUST(n > 0);
	self[n] = '\0';
	for (int i = 0; i < 3; i++)
		*strrchr(self, '/') = '\0';
	MUST(snprintf(path, PATH_MAX, "%s/bin/%s", self, name) < PATH_MAX);
}

/* Criterion swallows what daemons say; SV_TEST_LOG=FILE collects it. */
static void redirect_log(void)
{
	const char *path = getenv("SV_TEST_LOG");
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;

	if (fd >= 0)
		dup2(fd, STDERR_FILENO);
}

static pid_t start(const char *name, const char *option)
{
	char path[PATH_MAX], fd[16], byte;
	int ready[2];
	pid_t pid;

	stack_program(path, name);
	MUST(pipe(ready) == 0);
	snprintf(fd, sizeof(fd), "%d", ready[1]);
	pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		redirect_log();
		execl(path, name, "--ready-fd", fd, option, NULL);
		_exit(127);
	}
	close(ready[1]);
	MUST(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	return pid;
}

int stack_run(const char *name, const char *option)
{
	char path[PATH_MAX];
	int status;
	pid_t pid;

	stack_program(path, name);
	pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		redirect_log();
		execl(path, name, option, NULL);
		_exit(127);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void stack_start(struct stack *s, bool backend)
{
	*s = (struct stack){ .xenstored = -1, .backend = -1 };
	fakedom_run_dir();
	s->xenstored = start("sv-xenstored", NULL);
	if (backend)
		s->backend = start("sv-backend", "--no-console");
	s->base = event_base_new();
	MUST(s->base);
	MUST(store_new(&s->store, s->base) == 0);
}

static bool end(pid_t pid)
{
	int status;

	if (pid < 0)
		return true;
	kill(pid, SIGTERM);
	MUST(waitpid(pid, &status, 0) == pid);
	if (status)
		fprintf(stderr, "stack: pid %d ended with 0x%x\n", (int)pid,
			(unsigned int)status);
	return status == 0;
}

static void end_at_once(pid_t pid)
{
	kill(pid, SIGKILL);
	MUST(waitpid(pid, NULL, 0) == pid);
}

void stack_new_store(struct stack *s)
{
	end_at_once(s->xenstored);
	s->xenstored = start("sv-xenstored", NULL);
	store_free(s->store);
	MUST(store_new(&s->store, s->base) == 0);
}

void stack_new_backend(struct stack *s)
{
	end_at_once(s->backend);
	s->backend = start("sv-backend", "--no-console");
}

bool stack_stop(struct stack *s)
{
	bool fine = end(s->backend);

	store_free(s->store);
	event_base_free(s->base);
	fine &= end(s->xenstored);
	fakedom_run_dir_remove();
	return fine;
}

void stack_write(struct stack *s, const char *value, const char *fmt, ...)
{
	char path[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	MUST(store_write(s->store, value, "%s", path) == 0);
}

void stack_rm(struct stack *s, const char *path)
{
	struct xs_handle *xs = xs_open(0);

	(void)s;
	MUST(xs);
	MUST(xs_rm(xs, XBT_NULL, path));
	xs_close(xs);
}

bool stack_wait(struct stack *s, int ms, const char *value, const char *fmt,
		...)
{
	char path[512], *now = NULL;
	va_list ap;
	bool met;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	for (;; ms -= 2) {
		int ret = store_read(s->store, &now, "%s", path);

		met = value ? !ret && !strcmp(now, value) : ret == -ENOENT;
		if (met || ms <= 0)
			break;
		free(now);
		now = NULL;
		usleep(2000);
	}
	if (!met)
		fprintf(stderr, "stack: %s is %s, not %s\n", path,
			now ? now : "absent", value ? value : "absent");
	free(now);
	return met;
}

unsigned int stack_workers(const struct stack *s, pid_t *first)
{
	char path[64];
	unsigned int n = 0;
	FILE *file;
	int pid;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
		 (int)s->backend, (int)s->backend);
	file = fopen(path, "r");
	MUST(file);
	while (fscanf(file, "%d", &pid) == 1) {
		if (n++ == 0 && first)
			*first = pid;
	}
	fclose(file);
	return n;
}

bool stack_wait_workers(const struct stack *s, unsigned int n)
{
	for (int i = 0; i < 2000; i++) {
		if (stack_workers(s, NULL) == n)
			return true;
		usleep(5000);
	}
	return false;
}

unsigned int stack_fds(const struct stack *s)
{
	unsigned int n = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)s->backend);
	dir = opendir(path);
	MUST(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}
