// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_proc.c - a fork of a test that has threads.
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <criterion/criterion.h>

#include "tests/lib/proc.h"

#define TIMES	20
#define WORK_US 5000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int told, begun;

static void tell(int fd)
{
	uint64_t one = 1;

	cr_assert_eq(write(fd, &one, sizeof(one)), sizeof(one));
}

static void wait_told(int fd)
{
	uint64_t n;

	cr_assert_eq(read(fd, &n, sizeof(n)), sizeof(n));
}

/* As an allocator's user: it sleeps without the lock, and works with it. */
static void *work(void *arg)
{
	struct timespec from, now;

	for (;;) {
		wait_told(told);
		pthread_mutex_lock(&lock);
		tell(begun);
		clock_gettime(CLOCK_MONOTONIC, &from);
		do
			clock_gettime(CLOCK_MONOTONIC, &now);
		while ((now.tv_sec - from.tv_sec) * 1000000 +
			       (now.tv_nsec - from.tv_nsec) / 1000 <
		       WORK_US);
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

Test(proc, fork_finds_no_lock_taken)
{
	pthread_t thread;
	int status;
	pid_t pid;

	told = eventfd(0, EFD_CLOEXEC);
	begun = eventfd(0, EFD_CLOEXEC);
	cr_assert_eq(pthread_create(&thread, NULL, work, NULL), 0);
	for (int i = 0; i < TIMES; i++) {
		tell(told);
		wait_told(begun);
		pid = proc_fork();
		cr_assert_geq(pid, 0);
		if (!pid)
			_exit(pthread_mutex_trylock(&lock) != 0);
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		cr_expect_eq(status, 0, "fork %d: the lock is taken", i);
	}
}
