/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_oneshot.c - one command: jobs, frames, and the guest's half. */
#include "tools/oneshot.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "tests/lib/patience.h"
#include "tests/lib/proc.h"

static const char *const odd[] = {
	"/bin/echo",   "two words", "",
	"'",	       "\"",	    "\\",
	"new\nline\n", "\tä€𝄞",	    "$(false) `false` $HOME",
	"*",	       "--",	    "\x01\xff\x0f",
	NULL,
};
static const char *const env[] = { "A=", "B=x y\n", "PATH=/usr/bin:/bin",
				   NULL };

static void expect_same(const char *const *a, const char *const *b)
{
	for (; *a && *b; a++, b++)
		cr_expect_str_eq(*a, *b);
	cr_expect(!*a && !*b, "as many");
}

/* ---- Jobs ------------------------------------------------------------------ */

static const struct oneshot_job job = { .uid = 7,
					.gid = 1u << 31,
					.net = true,
					.cwd = "/a b",
					.argv = odd,
					.env = env };

Test(oneshot, a_job_comes_out_as_it_went_in)
{
	struct oneshot_job out;
	struct oneshot_head head;
	uint8_t *buf;
	size_t len;

	cr_assert_eq(oneshot_encode(&job, &buf, &len), 0);
	memcpy(&head, buf, sizeof(head));
	cr_expect_eq(head.type, ONESHOT_JOB);
	cr_expect_eq(head.len, len - sizeof(head));
	cr_assert_eq(oneshot_decode(&out,
				    util_memdup(buf + sizeof(head), head.len),
				    head.len),
		     0);
	cr_expect_eq(out.uid, job.uid);
	cr_expect_eq(out.gid, job.gid);
	cr_expect(out.net && !out.rw);
	cr_expect_str_eq(out.cwd, job.cwd);
	expect_same(out.argv, job.argv);
	expect_same(out.env, job.env);
	oneshot_job_free(&out);
	free(buf);
}

Test(oneshot, a_job_that_is_cut_is_none)
{
	struct oneshot_job out;
	uint8_t *buf;
	size_t len;

	cr_assert_eq(oneshot_encode(&job, &buf, &len), 0);
	len -= sizeof(struct oneshot_head);
	memmove(buf, buf + sizeof(struct oneshot_head), len);
	for (size_t n = 0; n < len; n++)
		cr_expect_eq(oneshot_decode(&out, util_memdup(buf, n), n),
			     -EPROTO, "%zu bytes", n);
	memset(buf + 12, 0xff, 4); /* how many arguments */
	cr_expect_eq(oneshot_decode(&out, buf, len), -EPROTO);
}

Test(oneshot, a_job_may_be_too_large)
{
	char *big = malloc(ONESHOT_MAX_JOB);
	const char *argv[] = { big, NULL };
	struct oneshot_job large = { .cwd = "/", .argv = argv, .env = env };
	uint8_t *buf;
	size_t len;

	memset(big, 'x', ONESHOT_MAX_JOB - 1);
	big[ONESHOT_MAX_JOB - 1] = '\0';
	cr_expect_eq(oneshot_encode(&large, &buf, &len), -E2BIG);
	free(big);
}

/* ---- Frames ---------------------------------------------------------------- */

/* What has come, as text: type, bytes, separated where @marks says so. */
struct heard {
	char text[4096];
	size_t n;
	enum oneshot_type last;
	bool ended;
};

static int hear(void *arg, enum oneshot_type type, const uint8_t *buf, size_t n)
{
	struct heard *h = arg;

	if (type != h->last)
		h->text[h->n++] = (char)type;
	h->last = type;
	cr_assert_leq(h->n + n, sizeof(h->text) - 2);
	if (n)
		memcpy(h->text + h->n, buf, n);
	h->n += n;
	h->ended = type == ONESHOT_END;
	return h->ended;
}

static size_t frame(uint8_t *at, uint32_t type, const char *s)
{
	struct oneshot_head head = { type, (uint32_t)strlen(s) };

	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), s, head.len);
	return sizeof(head) + head.len;
}

Test(oneshot, frames_come_in_any_pieces)
{
	uint8_t buf[512] = "noise \1sv-one\1sv-oneshot/1\r\n";
	size_t n = strlen((char *)buf);

	memcpy(buf + n, ONESHOT_MAGIC, ONESHOT_MAGIC_SIZE);
	n += ONESHOT_MAGIC_SIZE;
	n += frame(buf + n, ONESHOT_OUT, "one");
	n += frame(buf + n, ONESHOT_OUT, "");
	n += frame(buf + n, ONESHOT_ERR, ONESHOT_MAGIC);
	n += frame(buf + n, ONESHOT_OUT, "X\1two");
	n += frame(buf + n, ONESHOT_END, "\3why");
	for (size_t step = 1; step <= n; step++) {
		struct heard h = { 0 };
		struct oneshot_parser p = {
			.types = "OEX", .magic = true, .piece = hear, .arg = &h
		};
		int ret = 0;

		for (size_t at = 0; at < n && !ret; at += step)
			ret = oneshot_feed(&p, buf + at, MIN(step, n - at));
		cr_expect_eq(ret, 1, "by %zu", step);
		cr_expect_str_eq(h.text, "OoneE" ONESHOT_MAGIC "OX\1twoX\3why");
		oneshot_parser_fini(&p);
	}
}

struct claim {
	char name[32];
	uint32_t type, len;
	int want;
};

ParameterizedTestParameters(oneshot, claimed_head)
{
	static struct claim t[] = {
		{ "as long as may be", ONESHOT_OUT, ONESHOT_MAX_DATA, 0 },
		{ "longer", ONESHOT_OUT, ONESHOT_MAX_DATA + 1, -EPROTO },
		{ "an end", ONESHOT_END, ONESHOT_MAX_END, 0 },
		{ "a long end", ONESHOT_END, ONESHOT_MAX_END + 1, -EPROTO },
		{ "not its to send", ONESHOT_JOB, 1, -EPROTO },
		{ "no type", 0, 0, -EPROTO },
		{ "a type with more bits", ONESHOT_OUT | 1u << 8, 1, -EPROTO },
		{ "a huge one", ONESHOT_ERR, UINT32_MAX, -EPROTO },
	};

	return cr_make_param_array(struct claim, t, ARRAY_SIZE(t));
}

ParameterizedTest(struct claim *t, oneshot, claimed_head)
{
	struct oneshot_head head = { t->type, t->len };
	struct heard h = { 0 };
	struct oneshot_parser p = { .types = "OEX", .piece = hear, .arg = &h };

	cr_expect_eq(oneshot_feed(&p, (uint8_t *)&head, sizeof(head)), t->want,
		     "%s", t->name);
	oneshot_parser_fini(&p);
}

/* ---- The guest's half ------------------------------------------------------ */

/* A command's end, and what it has printed. */
struct result {
	char *out, *err, *text;
	size_t nout, nerr;
	int status;
};

static void append(char **to, size_t *have, const uint8_t *buf, size_t n)
{
	*to = realloc(*to, *have + n + 1);
	cr_assert_not_null(*to);
	if (n)
		memcpy(*to + *have, buf, n);
	*have += n;
	(*to)[*have] = '\0';
}

static int collect(void *arg, enum oneshot_type type, const uint8_t *buf,
		   size_t n)
{
	struct result *r = arg;

	if (type == ONESHOT_OUT) {
		append(&r->out, &r->nout, buf, n);
	} else if (type == ONESHOT_ERR) {
		append(&r->err, &r->nerr, buf, n);
	} else {
		cr_assert_geq(n, 1);
		r->status = buf[0];
		r->text = strndup((const char *)buf + 1, n - 1);
	}
	return type == ONESHOT_END;
}

/* Frames for the guest, all of them in one buffer. */
static uint8_t *script(const struct oneshot_job *j, const void *in, size_t n,
		       size_t *len)
{
	uint8_t *buf, *all;

	cr_assert_eq(oneshot_encode(j, &buf, len), 0);
	all = malloc(*len + n * 2 + 64);
	memcpy(all, buf, *len);
	free(buf);
	for (size_t at = 0; at < n; at += 1000) {
		struct oneshot_head h = { ONESHOT_IN,
					  (uint32_t)MIN(1000, n - at) };

		memcpy(all + *len, &h, sizeof(h));
		memcpy(all + *len + sizeof(h), (const char *)in + at, h.len);
		*len += sizeof(h) + h.len;
	}
	*len += frame(all + *len, ONESHOT_IN, "");
	return all;
}

/* Say all of it, as fast as the guest takes it, and hear it out. */
static void talk(int fd, const uint8_t *all, size_t len, struct result *r)
{
	struct oneshot_parser p = {
		.types = "OEX", .magic = true, .piece = collect, .arg = r
	};
	uint8_t buf[5000];
	size_t at = 0;
	ssize_t n;
	int ret = 0;

	while (!ret) {
		struct pollfd pfd = { .fd = fd,
				      .events =
					      (short)(at < len && !p.magic
							      ? POLLIN | POLLOUT
							      : POLLIN) };

		cr_assert_eq(poll(&pfd, 1, PATIENCE_MS), 1);
		if (pfd.revents & POLLOUT) {
			n = send(fd, all + at, len - at,
				 MSG_DONTWAIT | MSG_NOSIGNAL);
			at += (size_t)MAX(n, 0);
		}
		if (!(pfd.revents & ~POLLOUT))
			continue;
		n = read(fd, buf, sizeof(buf));
		cr_assert_gt(n, 0, "the guest has ended early");
		ret = oneshot_feed(&p, buf, (size_t)n);
	}
	cr_assert_eq(ret, 1);
	oneshot_parser_fini(&p);
}

static struct result play(const struct oneshot_job *j, const void *in, size_t n)
{
	struct result r = { .status = -1 };
	int sp[2], status;
	uint8_t *all;
	size_t len;
	pid_t pid;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sp), 0);
	pid = proc_fork();
	if (pid == 0) {
		close(sp[0]);
		_exit(oneshot_run(sp[1], NULL, NULL) ? 1 : 0);
	}
	close(sp[1]);
	all = script(j, in, n, &len);
	talk(sp[0], all, len, &r);
	free(all);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	close(sp[0]);
	if (!r.out)
		append(&r.out, &r.nout, NULL, 0);
	if (!r.err)
		append(&r.err, &r.nerr, NULL, 0);
	return r;
}

static void forget(struct result *r)
{
	free(r->out);
	free(r->err);
	free(r->text);
}

static struct result sh(const char *command)
{
	const char *argv[] = { "sh", "-c", command, NULL };
	struct oneshot_job j = { .cwd = "/", .argv = argv, .env = env };

	return play(&j, "", 0);
}

Test(oneshot, streams_and_status, .timeout = 120)
{
	struct result r = sh("echo out; echo err >&2; exit 7");

	cr_expect_str_eq(r.out, "out\n");
	cr_expect_str_eq(r.err, "err\n");
	cr_expect_eq(r.status, 7);
	cr_expect_str_eq(r.text, "");
	forget(&r);
}

Test(oneshot, arguments_are_what_they_were, .timeout = 120)
{
	const char *argv[ARRAY_SIZE(odd) + 4] = {
		"sh", "-c", "for a; do printf '%s\\0' \"$a\"; done", "sh"
	};
	struct oneshot_job j = { .cwd = "/", .argv = argv, .env = env };
	struct result r;
	size_t at = 0;

	memcpy(argv + 4, odd, sizeof(odd));
	r = play(&j, "", 0);
	for (size_t i = 0; odd[i]; i++) {
		cr_assert_lt(at, r.nout);
		cr_expect_str_eq(r.out + at, odd[i]);
		at += strlen(r.out + at) + 1;
	}
	cr_expect_eq(at, r.nout);
	cr_expect_eq(r.status, 0);
	forget(&r);
}

Test(oneshot, environment_and_directory, .timeout = 120)
{
	const char *argv[] = { "env", "-0", NULL }, *pwd[] = { "pwd", NULL };
	struct oneshot_job j = { .cwd = "/", .argv = argv, .env = env };
	struct result r = play(&j, "", 0);
	static const char want[] = "A=\0B=x y\n\0PATH=/usr/bin:/bin";

	cr_expect_eq(r.nout, sizeof(want));
	cr_expect_arr_eq(r.out, want, sizeof(want));
	forget(&r);
	j.argv = pwd;
	j.cwd = "/proc";
	r = play(&j, "", 0);
	cr_expect_str_eq(r.out, "/proc\n");
	forget(&r);
}

Test(oneshot, input_comes_back_byte_by_byte, .timeout = 120)
{
	const char *argv[] = { "cat", NULL };
	struct oneshot_job j = { .cwd = "/", .argv = argv, .env = env };
	size_t n = 1 << 20;
	uint8_t *in = malloc(n);
	struct result r;

	for (size_t i = 0; i < n; i++)
		in[i] = (uint8_t)(i * 7 + (i >> 8));
	r = play(&j, in, n);
	cr_expect_eq(r.nout, n);
	cr_expect_arr_eq(r.out, in, MIN(n, r.nout));
	cr_expect_eq(r.status, 0);
	forget(&r);
	free(in);
}

Test(oneshot, input_that_nobody_wants, .timeout = 120)
{
	const char *argv[] = { "sh", "-c", "exec <&-; echo no", NULL };
	struct oneshot_job j = { .cwd = "/", .argv = argv, .env = env };
	char *in = calloc(1, 1 << 18);
	struct result r = play(&j, in, 1 << 18);

	cr_expect_str_eq(r.out, "no\n");
	cr_expect_eq(r.status, 0);
	forget(&r);
	free(in);
}

Test(oneshot, what_a_signal_ended, .timeout = 120)
{
	struct result r = sh("kill -9 $$");

	cr_expect_eq(r.status, 128 + 9);
	forget(&r);
}

Test(oneshot, a_daemon_is_not_waited_for, .timeout = 120)
{
	struct result r = sh("sleep 3000 & echo $!");
	pid_t pid = atoi(r.out);

	cr_expect_eq(r.status, 0);
	cr_assert_gt(pid, 1);
	kill(pid, SIGKILL);
	forget(&r);
}

struct wrong {
	char argv0[32], cwd[16], text[64];
	int status;
};

ParameterizedTestParameters(oneshot, what_cannot_run)
{
	static struct wrong t[] = {
		{ "no-such-command", "/",
		  "no-such-command: No such file or directory", 127 },
		{ "/no/such", "/", "/no/such: No such file or directory", 127 },
		{ "/dev/null", "/", "/dev/null: Permission denied", 126 },
		{ "/bin/true", "/no/such",
		  "/no/such: No such file or directory", 126 },
	};

	return cr_make_param_array(struct wrong, t, ARRAY_SIZE(t));
}

ParameterizedTest(struct wrong *t, oneshot, what_cannot_run, .timeout = 120)
{
	const char *argv[] = { t->argv0, NULL };
	struct oneshot_job j = { .cwd = t->cwd, .argv = argv, .env = env };
	struct result r = play(&j, "", 0);

	cr_expect_eq(r.status, t->status);
	cr_expect_str_eq(r.text, t->text);
	forget(&r);
}

Test(oneshot, another_user, .timeout = 120)
{
	const char *argv[] = { "id", NULL };
	struct oneshot_job j = {
		.uid = 1234, .gid = 1235, .cwd = "/", .argv = argv, .env = env
	};
	struct result r;

	if (getuid())
		cr_skip_test("needs root");
	r = play(&j, "", 0);
	cr_expect_str_eq(r.out, "uid=1234 gid=1235 groups=1235\n");
	forget(&r);
}
