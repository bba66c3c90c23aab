// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/replay.c - run a fuzz target on its seeds and old findings.
//
//	NAME_replay			seeds and findings of NAME; prints TAP
//	NAME_replay --write DIR		write them as files, for a fuzzer to begin with
//	NAME_replay FILE...		run inputs as a fuzzer has written them
//
// tests/fuzz/seeds/NAME and tests/fuzz/regress/NAME are texts, one input a line:
// bytes in hexadecimal, "strings" with \n, \\ and \", each with an optional *N
// for N times; # begins a comment and \ at the end joins the next line.
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "tests/lib/fuzz.h"

#define INPUT_MAX (1u << 20)

struct text {
	const char *file;
	unsigned int line;
	uint8_t bytes[INPUT_MAX];
	size_t n;
};

static unsigned int count;

/* Only for linking: nothing is mutated here. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
{
	(void)data;
	(void)max;
	return size;
}

static void bad(const struct text *t, const char *at)
{
	fprintf(stderr, "%s:%u: not an input: %s\n", t->file, t->line, at);
	exit(2);
}

static void add(struct text *t, uint8_t byte)
{
	if (t->n == INPUT_MAX)
		bad(t, "too long");
	t->bytes[t->n++] = byte;
}

static const char *add_string(struct text *t, const char *s)
{
	for (; *s && *s != '"'; s++) {
		if (*s == '\\')
			s++;
		add(t, *s == 'n' && s[-1] == '\\' ? '\n' : (uint8_t)*s);
	}
	if (*s != '"')
		bad(t, "no \" at the end");
	return s + 1;
}

/* One line; @s ends in NUL. */
static void parse(struct text *t, const char *s)
{
	unsigned int byte;

	while (*(s += strspn(s, " \t\n")) && *s != '#') {
		size_t from = t->n;
		unsigned long times = 1;

		if (*s == '"') {
			s = add_string(t, s + 1);
		} else if (isxdigit((unsigned char)s[0]) &&
			   isxdigit((unsigned char)s[1]) &&
			   sscanf(s, "%2x", &byte) == 1) {
			add(t, (uint8_t)byte);
			s += 2;
		} else {
			bad(t, s);
		}
		if (*s == '*')
			times = strtoul(s + 1, (char **)(uintptr_t)&s, 10);
		for (size_t len = t->n - from; times > 1; times--)
			for (size_t i = 0; i < len; i++)
				add(t, t->bytes[from + i]);
	}
}

static void run(struct text *t)
{
	uint8_t *copy = fuzz_tight(t->bytes, t->n);

	LLVMFuzzerTestOneInput(copy, t->n);
	free(copy);
	count++;
}

static const char *out_dir;

static void write_out(struct text *t)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s-%u", out_dir,
		 strrchr(t->file, '/') + 1, count++);
	f = fopen(path, "we");
	if (!f || fwrite(t->bytes, 1, t->n, f) != t->n || fclose(f)) {
		perror(path);
		exit(1);
	}
}

/* Each input of a text; false if there is no such file. */
static bool each(struct text *t, void (*use)(struct text *t))
{
	FILE *f = fopen(t->file, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	bool on = false;

	if (!f)
		return false;
	t->line = 0;
	while ((len = getline(&line, &size, f)) > 0) {
		bool joins = len > 1 && !strcmp(line + len - 2, "\\\n");

		t->line++;
		if (joins)
			line[len - 2] = '\0';
		if (!on)
			t->n = 0;
		parse(t, line);
		on = joins;
		if (!on && t->n)
			use(t);
	}
	free(line);
	fclose(f);
	return true;
}

static int run_files(struct text *t, char **files)
{
	for (; *files; files++) {
		FILE *f = fopen(*files, "re");

		if (!f) {
			perror(*files);
			return 1;
		}
		t->n = fread(t->bytes, 1, INPUT_MAX, f);
		fclose(f);
		run(t);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = { "seeds", "regress" };
	static struct text text;
	const char *base = strrchr(argv[0], '/');
	const char *name = base ? base + 1 : argv[0];
	int len = (int)strcspn(name, "_");
	char path[256];
	unsigned int n = 0;

	if (argc == 3 && !strcmp(argv[1], "--write"))
		out_dir = argv[2];
	else if (argc > 1)
		return run_files(&text, argv + 1);
	text.file = path;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(path, sizeof(path), "tests/fuzz/%s/%.*s", kinds[i],
			 len, name);
		count = 0;
		if (!each(&text, out_dir ? write_out : run) || out_dir)
			continue;
		printf("%s %u - %.*s: %u inputs, %s\n", count ? "ok" : "not ok",
		       ++n, len, name, count, kinds[i]);
	}
	if (!out_dir)
		printf("1..%u\n", n);
	return 0;
}
