// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_log.c - a log that does not fill the disk.
#include "base/log.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CAP 4096

static char path[] = "/tmp/sv-test-log-XXXXXX";
static char old[64];

static void set_up(void)
{
	close(mkstemp(path));
	snprintf(old, sizeof(old), "%s.1", path);
}

static void tear_down(void)
{
	log_set_cap(0);
	log_to_fd(-1);
	unlink(path);
	unlink(old);
}

TestSuite(log, .init = set_up, .fini = tear_down, .timeout = 300);

static off_t size_of(const char *name)
{
	struct stat st;

	return stat(name, &st) ? -1 : st.st_size;
}

static void write_lines(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		log_err("line %u of many", i);
}

Test(log, the_cap_holds)
{
	char text[2 * CAP] = "";
	int fd;

	log_to_fd(open(path, O_WRONLY | O_APPEND | O_CLOEXEC));
	log_set_cap(CAP);
	write_lines(50);
	cr_expect_eq(size_of(old), -1, "short enough");
	write_lines(1000);
	cr_expect_leq(size_of(path), CAP);
	cr_expect_gt(size_of(old), CAP);
	cr_expect_leq(size_of(old), CAP + 1024);
	fd = open(old, O_RDONLY);
	cr_assert_gt(read(fd, text, sizeof(text) - 1), 0);
	close(fd);
	cr_expect_not_null(strstr(text, "of many\n"));
	cr_expect_eq(text[strlen(text) - 1], '\n', "whole lines");
}

/* A guest's early messages are nobody's else to read, when they are old, too. */
Test(log, its_predecessor_is_for_as_many_eyes)
{
	static const mode_t modes[] = { 0600, 0640 };
	mode_t mask = umask(0);
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		cr_assert_eq(chmod(path, modes[i]), 0);
		log_to_fd(open(path, O_WRONLY | O_APPEND | O_CLOEXEC));
		log_set_cap(CAP);
		write_lines(1000);
		cr_assert_eq(stat(old, &st), 0);
		cr_expect_eq(st.st_mode & 07777, modes[i]);
		cr_assert_eq(unlink(old), 0);
	}
	umask(mask);
}

/* What is not ours to cut: no cap, or written elsewhere than at its end. */
Test(log, others_are_left_alone)
{
	log_to_fd(open(path, O_WRONLY | O_APPEND | O_CLOEXEC));
	write_lines(1000);
	cr_expect_gt(size_of(path), CAP);
	log_to_fd(open(path, O_WRONLY | O_TRUNC | O_CLOEXEC));
	log_set_cap(CAP);
	write_lines(1000);
	cr_expect_gt(size_of(path), CAP);
	cr_expect_eq(size_of(old), -1);
}

/* A link of that name leads nowhere. */
Test(log, no_link_is_followed)
{
	char target[80];

	snprintf(target, sizeof(target), "%s.target", path);
	cr_assert_eq(symlink(target, old), 0);
	log_to_fd(open(path, O_WRONLY | O_APPEND | O_CLOEXEC));
	log_set_cap(CAP);
	write_lines(1000);
	cr_expect_leq(size_of(path), CAP);
	cr_expect_eq(size_of(target), -1);
}

#define TURNS 10000

static pthread_barrier_t turn;

static void take_turn(void)
{
	pthread_barrier_wait(&turn);
	log_err("one line more than there may be");
	pthread_barrier_wait(&turn);
}

static void *write_beside(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < TURNS; i++)
		take_turn();
	return NULL;
}

/* Both find it too long: what one has kept the other shall not keep over again. */
Test(log, threads_keep_all_of_a_log_that_is_held)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	unsigned int lost = 0;
	pthread_t other;

	log_to_fd(fd);
	log_hold(fd);
	log_set_cap(CAP);
	cr_assert_eq(pthread_barrier_init(&turn, NULL, 2), 0);
	cr_assert_eq(pthread_create(&other, NULL, write_beside, NULL), 0);
	for (unsigned int i = 0; i < TURNS; i++) {
		cr_assert_eq(truncate(path, CAP), 0);
		take_turn();
		lost += size_of(old) <= CAP;
	}
	pthread_join(other, NULL);
	pthread_barrier_destroy(&turn);
	cr_expect_eq(lost, 0, "%u of %u", lost, TURNS);
}

/* A value with a newline forges no second line, one with ESC no colours. */
Test(log, a_message_is_one_line)
{
	char text[64] = "";
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	log_to_fd(fd);
	log_err("%s", "a\nb\r\033[31m\tc\177\xc3\xa4");
	fd = open(path, O_RDONLY);
	cr_assert_gt(read(fd, text, sizeof(text) - 1), 0);
	close(fd);
	cr_expect_str_eq(strchr(text, ' '), " a?b??[31m?c?\xc3\xa4\n");
}
