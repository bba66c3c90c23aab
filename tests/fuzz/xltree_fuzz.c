// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/xltree_fuzz.c - what xl shows of a tree that a guest has written.
//
// FUZZ: F17; max_len 256
//
// The toolstack's own nodes are as it makes them; everything below the guest's
// directory has any bytes.  xl block-list and network-list print one line a
// device, of printable characters, look nowhere else, and change nothing.
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pthread.h>
#include <xen/io/xs_wire.h>
#include <xenstore.h>

#include "base/fd.h"
#include "base/paths.h"
#include "base/sock.h"
#include "tests/lib/fakedom.h"
#include "tests/lib/fuzz.h"
#include "tools/xl_cmd.h"
#include "tools/xl_run.h"

#define DOMID "5"

static struct fuzz_in in;

/* ---- libxenstore, as far as these commands use it -------------------------- */

static struct xs_handle {
	int unused;
} handle;

struct xs_handle *xs_open(unsigned long flags)
{
	(void)flags;
	return &handle;
}

void xs_close(struct xs_handle *h)
{
	assert(h == &handle);
}

char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path,
		    unsigned int *num)
{
	static const char names[] = "0\0"
				    "51712\0"
				    "4294967295\0"
				    "x";
	size_t head = 4 * sizeof(char *);
	char **list;

	(void)h;
	(void)t;
	/* Which devices there are is the toolstack's own knowledge. */
	assert(!strncmp(path, "/libxl/" DOMID "/device/", 16));
	list = malloc(head + sizeof(names));
	assert(list);
	memcpy((char *)list + head, names, sizeof(names));
	list[0] = (char *)list + head;
	for (int i = 1; i < 4; i++)
		list[i] = list[i - 1] + strlen(list[i - 1]) + 1;
	*num = 4;
	return list;
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path,
	      unsigned int *len)
{
	uint8_t n;
	char *value;

	(void)h;
	(void)t;
	if (!strncmp(path, "/libxl/" DOMID "/", 9)) {
		value = strdup(strstr(path, "/mac") ? "00:16:3e:00:00:01"
						    : "/local/domain/0/b");
		*len = (unsigned int)strlen(value);
		return value;
	}
	/* The guest's own words, and the backend's, which hold some of them. */
	assert(!strncmp(path, "/local/domain/" DOMID "/device/", 23) ||
	       !strncmp(path, "/local/domain/0/b/", 18));
	n = fuzz_u8(&in);
	if (n > 200) /* is not there */
		return NULL;
	value = calloc(1, n + 1u);
	assert(value);
	fuzz_bytes(&in, value, n);
	*len = n;
	return value;
}

/* Looking changes nothing. */
bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path,
	      const void *data, unsigned int len)
{
	(void)h;
	(void)t;
	(void)path;
	(void)data;
	(void)len;
	abort();
}

bool xs_rm(struct xs_handle *h, xs_transaction_t t, const char *path)
{
	(void)h;
	(void)t;
	(void)path;
	abort();
}

/* ---- A store that is alive, and a domain ----------------------------------- */

static void *answer_pings(void *arg)
{
	int listener = *(int *)arg, fd;

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		struct xsd_sockmsg hdr;
		char path[2]; /* of the top directory, which is empty */

		if (!fd_read_all(fd, &hdr, sizeof(hdr)) &&
		    !fd_read_all(fd, path, sizeof(path))) {
			hdr.len = 0;
			(void)!fd_write_all(fd, &hdr, sizeof(hdr));
		}
		close(fd);
	}
	return NULL;
}

static void set_up(void)
{
	static int listener;
	pthread_t thread;
	char path[4096];

	fakedom_run_dir();
	atexit(fakedom_run_dir_remove);
	assert(!paths_mkdir(paths_dom(path, 5, "")));
	assert(!xl_run_write(5, "name", "guest"));
	listener = sock_listen(paths_store(), SOCK_STREAM);
	assert(listener >= 0);
	assert(!fcntl(listener, F_SETFL, 0));
	assert(!pthread_create(&thread, NULL, answer_pings, &listener));
	pthread_detach(thread);
}

static void check_output(const char *text, size_t len)
{
	unsigned int lines = 0;

	for (size_t i = 0; i < len; i++) {
		assert(text[i] == '\n' || (text[i] >= ' ' && text[i] < 127));
		lines += text[i] == '\n';
	}
	assert(lines == 1 + 3); /* "x" is no device */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char who[] = DOMID, verb[] = "list";
	static bool ready;
	char *argv[] = { verb, who, NULL }, *text = NULL;
	FILE *old = stdout;
	size_t len;
	uint8_t which;
	int status;

	if (!ready)
		set_up();
	ready = true;
	in = (struct fuzz_in){ data, size };
	which = fuzz_u8(&in);
	stdout = open_memstream(&text, &len);
	assert(stdout);
	status = (which & 1 ? xl_cmd_block_list : xl_cmd_network_list)(2, argv);
	fclose(stdout);
	stdout = old;
	assert(!status);
	check_output(text, len);
	free(text);
	return 0;
}
