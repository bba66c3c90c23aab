// SPDX-License-Identifier: GPL-2.0-or-later
// tests/stress/store_stress.c - many libxenstore clients against one store.
//
// Threads with a connection each count up shared numbers in transactions, while
// others watch them, make and remove trees, or leave in the middle of things.
// No increment may get lost, and every watcher must see the last value.
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xenstore.h>

#define COUNTERS 3
#define WRITERS	 4
#define ROUNDS	 150

static char dir[] = "/tmp/sv-store-stress.XXXXXX";
static char sock[64];
static atomic_int finished;
static atomic_int retries;
static int passed, failed;

static void result(int ok, const char *name)
{
	printf("%sok %d - %s\n", ok ? "" : "not ", passed + failed + 1, name);
	*(ok ? &passed : &failed) += 1;
}

static _Noreturn void broken(const char *what)
{
	perror(what);
	printf("not ok 1 - %s\n", what);
	exit(1);
}

static struct xs_handle *client(void)
{
	struct xs_handle *h = xs_open(0);

	if (!h)
		broken("xs_open");
	return h;
}

static long number(struct xs_handle *h, xs_transaction_t t, const char *path)
{
	unsigned int len;
	char *text = xs_read(h, t, path, &len);
	long n = text ? strtol(text, NULL, 10) : -1;

	free(text);
	return n;
}

static void put(struct xs_handle *h, xs_transaction_t t, const char *path,
		long n)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", n);
	if (!xs_write(h, t, path, text, (unsigned int)strlen(text)))
		broken("xs_write");
}

/* Add one to two counters at once, until it goes through. */
static void count_up(struct xs_handle *h, unsigned int a, unsigned int b)
{
	char pa[32], pb[32];

	snprintf(pa, sizeof(pa), "/count/%u", a);
	snprintf(pb, sizeof(pb), "/count/%u", b);
	for (;;) {
		xs_transaction_t t = xs_transaction_start(h);

		if (t == XBT_NULL)
			broken("xs_transaction_start");
		put(h, t, pa, number(h, t, pa) + 1);
		if (a != b)
			put(h, t, pb, number(h, t, pb) + 1);
		if (xs_transaction_end(h, t, false))
			return;
		if (errno != EAGAIN)
			broken("xs_transaction_end");
		atomic_fetch_add(&retries, 1);
	}
}

static void *writer(void *arg)
{
	unsigned int seed = (unsigned int)(size_t)arg;
	struct xs_handle *h = client();

	for (int i = 0; i < ROUNDS; i++) {
		unsigned int a = (unsigned int)rand_r(&seed) % COUNTERS;

		count_up(h, a, (a + 1) % COUNTERS);
	}
	xs_close(h);
	return NULL;
}

/* See every counter reach its last value by watching alone. */
static void *watcher(void *arg)
{
	struct xs_handle *h = client();
	unsigned int n;

	if (!xs_watch(h, "/count", "w"))
		broken("xs_watch");
	while (number(h, XBT_NULL, "/count/done") != 1) {
		char **v = xs_read_watch(h, &n);

		if (!v)
			broken("xs_read_watch");
		free(v);
	}
	for (unsigned int i = 0; i < COUNTERS; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/count/%u", i);
		*(long *)arg += number(h, XBT_NULL, path);
	}
	xs_close(h);
	return NULL;
}

/* Make a tree in a transaction, leave it, remove it, hang up at any time. */
static void *vandal(void *arg)
{
	char path[64];

	(void)arg;
	for (int i = 0; !atomic_load(&finished); i++) {
		struct xs_handle *h = client();
		xs_transaction_t t = xs_transaction_start(h);

		snprintf(path, sizeof(path), "/vandal/%d/a/b", i % 7);
		if (!xs_mkdir(h, t, path) || !xs_watch(h, "/vandal", path))
			broken("xs_mkdir");
		if (i % 3 == 0 && !xs_transaction_end(h, t, false) &&
		    errno != EAGAIN)
			broken("xs_transaction_end");
		if (i % 5 == 0)
			xs_rm(h, XBT_NULL, "/vandal");
		xs_close(h);
	}
	return NULL;
}

static pid_t start_store(void)
{
	char program[512];
	char ready[16], byte;
	int pipes[2];
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 64);
	pid_t pid;

	if (n < 0 || pipe(pipes))
		broken("cannot find the store");
	program[n] = '\0';
	for (int up = 0; up < 3; up++)
		*strrchr(program, '/') = '\0';
	strcat(program, "/bin/sv-xenstored");
	snprintf(ready, sizeof(ready), "%d", pipes[1]);
	pid = fork();
	if (pid == 0) {
		execl(program, program, "--ready-fd", ready, (char *)NULL);
		_exit(127);
	}
	close(pipes[1]);
	if (read(pipes[0], &byte, 1) != 1)
		broken(program);
	close(pipes[0]);
	return pid;
}

static void check_end(struct xs_handle *h, const long *seen)
{
	long sum = 0;
	char *text;

	for (unsigned int i = 0; i < COUNTERS; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/count/%u", i);
		sum += number(h, XBT_NULL, path);
	}
	result(sum == 2 * WRITERS * ROUNDS, "no increment is lost");
	result(seen[0] == sum && seen[1] == sum,
	       "watchers see the last values");
	text = xs_control_command(h, "check", NULL, 0);
	result(text && !strcmp(text, "OK"), "accounts agree with the tree");
	free(text);
	printf("# %d transactions had to be repeated\n", atomic_load(&retries));
}

int main(void)
{
	pthread_t w[WRITERS], see[2], bad;
	long seen[2] = { 0, 0 };
	struct xs_handle *h;
	pid_t store;
	int status;

	if (!mkdtemp(dir))
		broken("mkdtemp");
	snprintf(sock, sizeof(sock), "%s/s", dir);
	setenv("XENSTORED_PATH", sock, 1);
	store = start_store();
	h = client();
	for (unsigned int i = 0; i < COUNTERS; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/count/%u", i);
		put(h, XBT_NULL, path, 0);
	}
	for (size_t i = 0; i < 2; i++)
		pthread_create(&see[i], NULL, watcher, &seen[i]);
	pthread_create(&bad, NULL, vandal, NULL);
	for (size_t i = 0; i < WRITERS; i++)
		pthread_create(&w[i], NULL, writer, (void *)(i + 1));
	for (size_t i = 0; i < WRITERS; i++)
		pthread_join(w[i], NULL);
	put(h, XBT_NULL, "/count/done", 1);
	for (size_t i = 0; i < 2; i++)
		pthread_join(see[i], NULL);
	atomic_store(&finished, 1);
	pthread_join(bad, NULL);
	check_end(h, seen);
	xs_close(h);
	kill(store, SIGTERM);
	result(waitpid(store, &status, 0) == store && status == 0,
	       "the store ends in order");
	unlink(sock);
	unlink(strcat(sock, ".d/journal"));
	*strrchr(sock, '/') = '\0';
	rmdir(sock);
	rmdir(dir);
	printf("1..%d\n", passed + failed);
	return failed != 0;
}
