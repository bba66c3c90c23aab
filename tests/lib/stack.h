/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/stack.h - the real daemons in a run directory of the test's own. */
#ifndef TESTS_LIB_STACK_H
#define TESTS_LIB_STACK_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/util.h"
#include "dom0-backend/xs_watch.h"

/**
 * struct stack - sv-xenstored and sv-backend, as built beside the test.
 * @store:   A connection of dom0, for the test.
 * @backend: Process id of sv-backend, -1 if it was not started.
 * @console: It starts sv-console.
 * @began_ns: When they were started.
 */
struct stack {
	struct store *store;
	pid_t xenstored, backend;
	bool console;
	struct event_base *base;
	uint64_t began_ns;
};

/** stack_store_option - For sv-xenstored, if set before it starts. */
extern const char *stack_store_option;

/**
 * stack_start() - Start the daemons; they die with the test.
 *
 * Makes the run directory too (fakedom_run_dir()).  Mistakes abort.
 */
void stack_start(struct stack *s, bool backend);

/** stack_start_all() - As stack_start(), with sv-backend and sv-console. */
void stack_start_all(struct stack *s);

/**
 * stack_stop() - End them.
 *
 * Return: whether each ended with status 0 and no sanitizer had to complain
 * about one of them or their children.
 */
bool stack_stop(struct stack *s);

/** stack_kill_store() - End sv-xenstored without notice. */
void stack_kill_store(struct stack *s);

/** stack_start_store() - Start it again: it goes on by its journal. */
void stack_start_store(struct stack *s);

/** stack_journal() - Where its journal lies; @path has PATH_MAX bytes. */
void stack_journal(char *path);

/** stack_new_store() - stack_kill_store(), and start an empty one. */
void stack_new_store(struct stack *s);

/** stack_new_backend() - End sv-backend without notice, start another. */
void stack_new_backend(struct stack *s);

/**
 * stack_program() - Where a program lies that was built with the test.
 * @path: PATH_MAX bytes.
 * @name: "" for the directory, with a final '/'.
 */
void stack_program(char *path, const char *name);

/**
 * stack_run() - Run a program to its end.
 * @option: One argument, or NULL.
 *
 * Return: its exit status, or -1 if it was ended by a signal.
 */
int stack_run(const char *name, const char *option);

/** stack_program() - Where a program lies; @path has PATH_MAX bytes. */
void stack_program(char *path, const char *name);

/**
 * stack_output() - Run a program to its end and keep what it prints.
 * @argv: From its name on; NULL ends.
 * @text: Standard output and errors, cut, NUL-terminated.
 *
 * Return: its exit status, or minus the signal that ended it.
 */
int stack_output(const char *name, char *const argv[], char *text, size_t size);

/** stack_write() - Write a node, value first; aborts if refused. */
void stack_write(struct stack *s, const char *value, const char *fmt, ...)
	printf_like(3, 4);

/** stack_rm() - Remove a node and what is below it. */
void stack_rm(struct stack *s, const char *path);

/**
 * stack_wait() - Wait until a node has a value; NULL means until it is gone.
 * @ms: 0: look once.  Else what it takes on a machine at rest: it gets PATIENCE_MS.
 *
 * Return: whether it has.
 */
bool stack_wait(struct stack *s, int ms, const char *value, const char *fmt,
		...) printf_like(4, 5);

/** stack_workers() - Count sv-backend's children; the first one to @first. */
unsigned int stack_workers(const struct stack *s, pid_t *first);

/**
 * stack_worker() - The worker of one device type of one domain.
 * @program: "sv-blkback" or "sv-netback".
 *
 * Return: its process id, -1 if there is none.
 */
pid_t stack_worker(const struct stack *s, const char *program,
		   unsigned int domid);

/** stack_console() - Process id of sv-backend's sv-console; -1 if there is none. */
pid_t stack_console(const struct stack *s);

/** stack_wait_workers() - Wait until there are @n, or for too long. */
bool stack_wait_workers(const struct stack *s, unsigned int n);

/** stack_fds() - Open descriptors of sv-backend. */
unsigned int stack_fds(const struct stack *s);

/** stack_fds_of() - Open descriptors of any process; 0 if there is none. */
unsigned int stack_fds_of(pid_t pid);

/**
 * stack_fds_end() - Whether a process comes to have no more descriptors than @n.
 *
 * What it is about to close counts when that takes too long.
 */
bool stack_fds_end(pid_t pid, unsigned int n);

/**
 * stack_logged() - How many lines of the daemons' log hold @what.
 *
 * What they and their workers write to standard error is kept in the run
 * directory, or in the file that SV_TEST_LOG names.
 */
unsigned int stack_logged(const char *what);

/**
 * stack_log_limit() - How many lines there may be by now.
 * @n: How many there may be in the first LOG_LIMIT_NS, and in each further one.
 */
unsigned int stack_log_limit(const struct stack *s, unsigned int n);

#endif
