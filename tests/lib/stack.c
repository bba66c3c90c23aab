// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/stack.c - the real daemons in a run directory of the test's own.
#include "tests/lib/stack.h"

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

#include "base/log.h"
#include "base/paths.h"
#include "tests/lib/fakedom.h"
#include "tests/lib/patience.h"
#include "tests/lib/proc.h"

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

static char log_path[PATH_MAX];

static void name_log(const char *run_dir)
{
	const char *path = getenv("SV_TEST_LOG");

	if (path)
		snprintf(log_path, sizeof(log_path), "%s", path);
	else
		snprintf(log_path, sizeof(log_path), "%s/test.log", run_dir);
}

static void redirect_log(void)
{
	int fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0644);

	if (fd >= 0)
		dup2(fd, STDERR_FILENO);
}

unsigned int stack_logged(const char *what)
{
	unsigned int n = 0;
	char *line = NULL;
	size_t size = 0;
	FILE *file;

	file = fopen(log_path, "r");
	MUST(file);
	while (getline(&line, &size, file) >= 0)
		n += strstr(line, what) != NULL;
	free(line);
	fclose(file);
	return n;
}

unsigned int stack_log_limit(const struct stack *s, unsigned int n)
{
	uint64_t ns = util_clock_ns() - s->began_ns;

	return n * (1 + (unsigned int)(ns / LOG_LIMIT_NS));
}

/* Each kind of report has one of these in its first line. */
static const char *const reports[] = { "Sanitizer:", "runtime error:" };

static bool is_report(const char *line)
{
	for (size_t i = 0; i < ARRAY_SIZE(reports); i++) {
		if (strstr(line, reports[i]))
			return true;
	}
	return false;
}

#define REPORT_LINES 60

/* From its first line on. */
static void show_report(void)
{
	unsigned int left = 0;
	char *line = NULL;
	size_t size = 0;
	FILE *file = fopen(log_path, "r");

	MUST(file);
	while (getline(&line, &size, file) >= 0) {
		if (!left && is_report(line))
			left = REPORT_LINES;
		else if (left == 1)
			break;
		if (left && left--)
			fprintf(stderr, "stack: %s", line);
	}
	free(line);
	fclose(file);
}

static bool sanitizers_are_silent(void)
{
	bool silent = true;

	for (size_t i = 0; i < ARRAY_SIZE(reports); i++)
		silent = silent && !stack_logged(reports[i]);
	if (silent)
		return true;
	fprintf(stderr, "stack: a sanitizer's report is in the log:\n");
	show_report();
	return false;
}

const char *stack_store_option;

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

int stack_output(const char *name, char *const argv[], char *text, size_t size)
{
	char path[PATH_MAX], rest[4096];
	size_t at = 0;
	int out[2], status;
	ssize_t n = 1;
	pid_t pid;

	stack_program(path, name);
	MUST(pipe(out) == 0);
	pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		close(out[0]);
		execv(path, argv);
		_exit(127);
	}
	close(out[1]);
	while (n > 0) {
		bool full = at + 1 >= size;

		n = read(out[0], full ? rest : text + at,
			 full ? sizeof(rest) : size - 1 - at);
		at += full || n < 0 ? 0 : (size_t)n;
	}
	text[at] = '\0';
	close(out[0]);
	MUST(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void start_backend(struct stack *s)
{
	s->backend = start("sv-backend", s->console ? NULL : "--no-console");
}

static void start_all(struct stack *s, bool backend, bool console)
{
	*s = (struct stack){ .xenstored = -1,
			     .backend = -1,
			     .console = console,
			     .began_ns = util_clock_ns() };
	name_log(fakedom_run_dir());
	s->xenstored = start("sv-xenstored", stack_store_option);
	if (backend)
		start_backend(s);
	s->base = event_base_new();
	MUST(s->base);
	MUST(store_new(&s->store, s->base) == 0);
}

void stack_start(struct stack *s, bool backend)
{
	start_all(s, backend, false);
}

void stack_start_all(struct stack *s)
{
	start_all(s, true, true);
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

void stack_kill_store(struct stack *s)
{
	end_at_once(s->xenstored);
	s->xenstored = -1;
}

void stack_start_store(struct stack *s)
{
	s->xenstored = start("sv-xenstored", stack_store_option);
	store_free(s->store);
	MUST(store_new(&s->store, s->base) == 0);
}

void stack_journal(char *path)
{
	MUST(snprintf(path, PATH_MAX, "%s.d/journal", paths_store()) <
	     PATH_MAX);
}

void stack_new_store(struct stack *s)
{
	char path[PATH_MAX];

	stack_kill_store(s);
	stack_journal(path);
	MUST(unlink(path) == 0);
	stack_start_store(s);
}

void stack_new_backend(struct stack *s)
{
	end_at_once(s->backend);
	start_backend(s);
}

bool stack_stop(struct stack *s)
{
	bool fine = end(s->backend);

	store_free(s->store);
	event_base_free(s->base);
	fine &= end(s->xenstored);
	fine &= sanitizers_are_silent();
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
	uint64_t end = util_clock_ns() + (ms ? PATIENCE_NS : 0);
	char path[512], *now = NULL;
	va_list ap;
	bool met;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	for (;;) {
		int ret = store_read(s->store, &now, "%s", path);

		met = value ? !ret && !strcmp(now, value) : ret == -ENOENT;
		if (met || util_clock_ns() >= end)
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

/* Call @fn for each child of sv-backend. */
static void each_worker(const struct stack *s, void (*fn)(void *arg, pid_t pid),
			void *arg)
{
	char path[64];
	FILE *file;
	int pid;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
		 (int)s->backend, (int)s->backend);
	file = fopen(path, "r");
	MUST(file);
	while (fscanf(file, "%d", &pid) == 1)
		fn(arg, pid);
	fclose(file);
}

struct count {
	unsigned int n;
	pid_t first;
};

static void count_worker(void *arg, pid_t pid)
{
	struct count *c = arg;

	if (c->n++ == 0)
		c->first = pid;
}

unsigned int stack_workers(const struct stack *s, pid_t *first)
{
	struct count c = { .n = 0 };

	each_worker(s, count_worker, &c);
	if (c.n && first)
		*first = c.first;
	return c.n;
}

struct wanted {
	const char *program;
	char domid[16]; /* "": any */
	pid_t pid;
};

/* A worker's arguments begin with "PROGRAM", "--domid", "N". */
static void check_worker(void *arg, pid_t pid)
{
	char path[64], args[256] = "";
	struct wanted *w = arg;
	const char *domid;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return;
	if (read(fd, args, sizeof(args) - 1) > 0 && !strcmp(args, w->program)) {
		domid = args + strlen(args) + 1 + sizeof("--domid");
		if (!w->domid[0] || !strcmp(domid, w->domid))
			w->pid = pid;
	}
	close(fd);
}

pid_t stack_worker(const struct stack *s, const char *program,
		   unsigned int domid)
{
	struct wanted w = { .program = program, .pid = -1 };

	snprintf(w.domid, sizeof(w.domid), "%u", domid);
	each_worker(s, check_worker, &w);
	return w.pid;
}

pid_t stack_console(const struct stack *s)
{
	struct wanted w = { .program = "sv-console", .pid = -1 };

	each_worker(s, check_worker, &w);
	return w.pid;
}

bool stack_wait_workers(const struct stack *s, unsigned int n)
{
	return SOON(stack_workers(s, NULL) == n);
}

unsigned int stack_fds_of(pid_t pid)
{
	return proc_fds(pid);
}

bool stack_fds_end(pid_t pid, unsigned int n)
{
	return SOON(proc_fds(pid) <= n);
}

unsigned int stack_fds(const struct stack *s)
{
	return stack_fds_of(s->backend);
}
