/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_console_log.c - log files: rotation, reopening, a full disk. */
#include "dom0-backend/console_log.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct fix {
	char dir[64];
	struct console_log_conf conf;
	struct console_log log;
	struct backlog *b;
	unsigned int next; /* line to write */
};

static void fix_init(struct fix *f, uint64_t max)
{
	*f = (struct fix){ .dir = "/tmp/sv-log-XXXXXX" };
	cr_assert_not_null(mkdtemp(f->dir));
	f->conf = (struct console_log_conf){ .dir = f->dir, .max = max };
	f->b = calloc(1, sizeof(*f->b));
	cr_assert_eq(console_log_init(&f->log, &f->conf, "deb"), 0);
}

static char *file(struct fix *f, const char *name)
{
	char *path;

	cr_assert_gt(asprintf(&path, "%s/%s", f->dir, name), 0);
	return path;
}

static void fix_fini(struct fix *f)
{
	static const char *const names[] = {
		"guest-deb.log",
		"guest-deb.log.1",
		"guest-deb.moved",
		"guest-..%2Fx%20y.log",
	};

	console_log_fini(&f->log);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlink(file(f, names[i]));
	cr_expect_eq(rmdir(f->dir), 0, "no other file was made");
	free(f->b);
}

/* Lines of 16 bytes, written in one go. */
static bool write_lines(struct fix *f, unsigned int n)
{
	char line[20];

	for (unsigned int i = 0; i < n; i++) {
		snprintf(line, sizeof(line), "line %010u\n", f->next++);
		backlog_add(f->b, line, 16);
	}
	return console_log_write(&f->log, f->b);
}

/* Check that a file holds whole lines from @from on; Return: how many. */
static unsigned int lines_of(struct fix *f, const char *name, unsigned int from)
{
	char line[128], want[32];
	FILE *in = fopen(file(f, name), "r");
	unsigned int n = 0;

	cr_assert_not_null(in, "%s", name);
	for (; fgets(line, sizeof(line), in); n++) {
		snprintf(want, sizeof(want), "line %010u\n", from + n);
		cr_assert_str_eq(line, want, "%s", name);
	}
	fclose(in);
	return n;
}

Test(console_log, appends_and_is_private)
{
	struct stat st;
	struct fix f;

	fix_init(&f, 1 << 20);
	cr_expect(write_lines(&f, 10));
	cr_expect(write_lines(&f, 10));
	cr_expect_eq(lines_of(&f, "guest-deb.log", 0), 20);
	cr_expect_eq(stat(file(&f, "guest-deb.log"), &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600);
	console_log_fini(&f.log);
	cr_assert_eq(console_log_init(&f.log, &f.conf, "deb"), 0);
	f.log.cur.at = f.b->end;
	cr_expect(write_lines(&f, 5));
	cr_expect_eq(lines_of(&f, "guest-deb.log", 0), 25);
	fix_fini(&f);
}

Test(console_log, names_are_no_paths)
{
	struct fix f;

	fix_init(&f, 1 << 20);
	console_log_fini(&f.log);
	cr_assert_eq(console_log_init(&f.log, &f.conf, "../x y"), 0);
	cr_expect_eq(access(file(&f, "guest-..%2Fx%20y.log"), F_OK), 0);
	fix_fini(&f);
}

Test(console_log, rotates_between_lines_and_keeps_one)
{
	unsigned int old, new;
	struct fix f;

	fix_init(&f, 1000);
	for (int i = 0; i < 30; i++)
		cr_expect(write_lines(&f, 7));
	old = lines_of(&f, "guest-deb.log.1", 126);
	new = lines_of(&f, "guest-deb.log", 126 + old);
	cr_expect_eq(126 + old + new, 210, "%u and %u", old, new);
	cr_expect_eq(old, 63, "the limit, to the end of the line");
	fix_fini(&f);
}

Test(console_log, an_endless_line_is_cut_at_last)
{
	char *big = malloc(40000);
	struct stat st;
	struct fix f;

	memset(big, 'x', 40000);
	fix_init(&f, 1000);
	for (int i = 0; i < 10; i++) {
		backlog_add(f.b, big, 40000);
		cr_expect(console_log_write(&f.log, f.b));
	}
	cr_expect_eq(stat(file(&f, "guest-deb.log"), &st), 0);
	cr_expect_leq(st.st_size, 1000 + (off_t)BACKLOG_SIZE + 4096);
	cr_expect_eq(stat(file(&f, "guest-deb.log.1"), &st), 0);
	cr_expect_leq(st.st_size, 1000 + (off_t)BACKLOG_SIZE + 4096);
	fix_fini(&f);
}

Test(console_log, reopening_loses_nothing)
{
	struct fix f;

	fix_init(&f, 1 << 20);
	cr_expect(write_lines(&f, 10));
	cr_assert_eq(rename(file(&f, "guest-deb.log"),
			    file(&f, "guest-deb.moved")),
		     0);
	cr_expect(write_lines(&f, 10));
	console_log_reopen(&f.log);
	cr_expect(write_lines(&f, 10));
	cr_expect_eq(lines_of(&f, "guest-deb.moved", 0), 20);
	cr_expect_eq(lines_of(&f, "guest-deb.log", 20), 10);
	fix_fini(&f);
}

Test(console_log, a_full_disk_is_waited_out)
{
	struct rlimit full = { 4000, RLIM_INFINITY }, free_again;
	struct fix f;

	signal(SIGXFSZ, SIG_IGN);
	fix_init(&f, 1 << 20);
	getrlimit(RLIMIT_FSIZE, &free_again);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
	cr_expect(!write_lines(&f, 500), "it does not fit");
	cr_expect(!write_lines(&f, 500));
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &free_again), 0);
	cr_expect(console_log_write(&f.log, f.b));
	cr_expect_eq(lines_of(&f, "guest-deb.log", 0), 1000, "nothing lost");
	fix_fini(&f);
}

Test(console_log, a_long_full_disk_leaves_a_mark)
{
	struct rlimit full = { 4000, RLIM_INFINITY }, free_again;
	unsigned long lost = 0;
	unsigned int first = 0;
	char text[200] = "";
	struct fix f;
	int fd;

	signal(SIGXFSZ, SIG_IGN);
	fix_init(&f, 1 << 20);
	getrlimit(RLIMIT_FSIZE, &free_again);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
	for (int i = 0; i < 100; i++)
		cr_expect(!write_lines(&f, 300));
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &free_again), 0);
	cr_expect(console_log_write(&f.log, f.b));
	fd = open(file(&f, "guest-deb.log"), O_RDONLY);
	cr_expect_eq(pread(fd, text, sizeof(text) - 1, 4000),
		     (ssize_t)sizeof(text) - 1);
	cr_expect_eq(sscanf(text, "\r\n[%lu bytes dropped]\r\nline %u", &lost,
			    &first),
		     2, "%s", text);
	cr_expect_eq(4000 + lost, first * 16ul);
	close(fd);
	fix_fini(&f);
}

Test(console_log, escapes_can_be_replaced)
{
	char text[32] = "";
	struct fix f;
	int fd;

	fix_init(&f, 1 << 20);
	f.conf.replace_escape = true;
	backlog_add(f.b, "a\033[2Jb\n", 7);
	cr_expect(console_log_write(&f.log, f.b));
	fd = open(file(&f, "guest-deb.log"), O_RDONLY);
	cr_expect_eq(read(fd, text, sizeof(text)), 7);
	cr_expect_str_eq(text, "a.[2Jb\n");
	close(fd);
	fix_fini(&f);
}

/* A log file that someone made a symbolic link or a device is left alone. */
Test(console_log, odd_files_are_not_written)
{
	struct fix f;

	fix_init(&f, 1 << 20);
	console_log_fini(&f.log);
	cr_assert_eq(unlink(file(&f, "guest-deb.log")), 0);
	cr_assert_eq(symlink(file(&f, "guest-deb.moved"),
			     file(&f, "guest-deb.log")),
		     0);
	cr_assert_eq(console_log_init(&f.log, &f.conf, "deb"), 0);
	cr_expect(!write_lines(&f, 1));
	cr_expect_eq(access(file(&f, "guest-deb.moved"), F_OK), -1);
	cr_assert_eq(unlink(file(&f, "guest-deb.log")), 0);
	cr_expect(write_lines(&f, 1), "and tried again");
	cr_expect_eq(lines_of(&f, "guest-deb.log", 0), 2);
	fix_fini(&f);
}
