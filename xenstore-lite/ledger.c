// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/ledger.c - the journal: a file of what has changed.
#include "xenstore-lite/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

#define MAGIC	"SVstore"
#define VERSION 1u
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define PIECE	(64u << 10) /* of a file that is made anew */

unsigned int ledger_retry_ms = 10000;

struct head {
	char magic[8];
	uint32_t version;
	char boot[36];
};

struct frame {
	uint32_t len; /* of the records */
	uint32_t sum; /* of @len and the records */
};

struct record {
	uint32_t len; /* with this head */
	uint8_t type;
} __attribute__((packed));

static struct {
	const char *path;
	void (*dump)(void);
	int fd;
	uint64_t size, limit;
	bool on, failed, dumping;
	int error;	/* of the file being made */
	uint64_t since; /* ns: when it failed last */
	char *buf;	/* a frame in the making */
	size_t len, room, record;
} ledger = { .fd = -1 };

/* CRC-32 (IEEE 802.3); @sum is that of the bytes before these, or 0. */
static uint32_t checksum(uint32_t sum, const void *p, size_t n)
{
	static uint32_t table[256];
	const uint8_t *at = p;

	for (uint32_t i = 0; !table[255] && i < 256; i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] = table[i] >> 1 ^
				   (table[i] & 1 ? 0xedb88320u : 0);
	}
	sum = ~sum;
	while (n--)
		sum = sum >> 8 ^ table[(sum ^ *at++) & 255];
	return ~sum;
}

static uint32_t frame_sum(const struct frame *f, const void *records)
{
	return checksum(checksum(0, &f->len, sizeof(f->len)), records, f->len);
}

/* Read once: later, BOOT_ID may be out of sight (base/jail.h). */
static int boot_id(char id[36])
{
	static char boot[36];
	static bool known;
	int fd;

	if (!known) {
		fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		known = !fd_read_all(fd, boot, sizeof(boot));
		fd_close(&fd);
	}
	memcpy(id, boot, sizeof(boot));
	return known ? 0 : -EIO;
}

static int make_head(struct head *h)
{
	memset(h, 0, sizeof(*h));
	memcpy(h->magic, MAGIC, sizeof(MAGIC));
	h->version = VERSION;
	return boot_id(h->boot);
}

/* ---- Reading ----------------------------------------------------------- */

static int apply_all(const char *at, size_t len,
		     int (*apply)(const void *record, size_t len))
{
	struct record r;
	int ret = 0;

	while (!ret && len) {
		if (len < sizeof(r))
			return -EPROTO;
		memcpy(&r, at, sizeof(r));
		if (r.len < sizeof(r) || r.len > len)
			return -EPROTO;
		ret = apply(at + offsetof(struct record, type),
			    r.len - offsetof(struct record, type));
		at += r.len;
		len -= r.len;
	}
	return ret;
}

static int load(const char *at, size_t len,
		int (*apply)(const void *record, size_t len),
		struct ledger_found *found)
{
	const char *end = at + len;
	const char *first = at;
	struct frame f;
	int ret = 0;

	*found = (struct ledger_found){ .torn = true };
	for (at += sizeof(struct head); at < end; at += f.len) {
		size_t left = (size_t)(end - at);

		if (left < sizeof(f))
			break;
		memcpy(&f, at, sizeof(f));
		if (f.len > left - sizeof(f))
			break;
		found->torn = frame_sum(&f, at + sizeof(f)) == f.sum;
		if (!found->torn)
			break;
		at += sizeof(f);
		ret = apply_all(at, f.len, apply);
		if (ret)
			return ret;
		found->frames++;
	}
	found->bytes = (uint64_t)(MIN(at, end) - first);
	found->dropped = len - found->bytes;
	return 0;
}

static int check_head(const struct head *is)
{
	struct head want;
	int ret = make_head(&want);

	if (ret)
		return ret;
	if (memcmp(is->magic, want.magic, sizeof(want.magic)) != 0 ||
	    is->version != want.version)
		return -EPROTO;
	return memcmp(is->boot, want.boot, sizeof(want.boot)) ? -ENOENT : 0;
}

int ledger_load(const char *path, int (*apply)(const void *record, size_t len),
		struct ledger_found *found)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *map;
	int ret;

	if (fd < 0)
		return -errno;
	ret = fstat(fd, &st) ? -errno : 0;
	if (!ret && (size_t)st.st_size < sizeof(struct head))
		ret = -EPROTO;
	if (ret)
		goto close;
	/* Ours alone: nobody makes it shorter meanwhile. */
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED) {
		ret = -errno;
		goto close;
	}
	ret = check_head(map);
	if (!ret)
		ret = load(map, (size_t)st.st_size, apply, found);
	munmap(map, (size_t)st.st_size);
close:
	fd_close(&fd);
	return ret;
}

/* ---- Writing ----------------------------------------------------------- */

/*
 * Until a new file is made, all is in memory alone.  Half the truth would be worse
 * than nothing: rings would go on at places where they were long ago.
 */
static void failed(int err)
{
	if (!ledger.failed)
		log_err("journal %s: %s; until it can be written again, all is "
			"lost if this process is killed",
			ledger.path, strerror(-err));
	unlink(ledger.path);
	ledger.failed = true;
	ledger.since = util_clock_ns();
}

static int write_frame(void)
{
	struct frame f = { .len = (uint32_t)(ledger.len - sizeof(f)) };
	int ret;

	f.sum = frame_sum(&f, ledger.buf + sizeof(f));
	memcpy(ledger.buf, &f, sizeof(f));
	ret = fd_write_all(ledger.fd, ledger.buf, ledger.len);
	ledger.size += ledger.len;
	ledger.len = 0;
	return ret;
}

void ledger_put(const void *p, size_t n)
{
	size_t room = MAX(ledger.room, (size_t)PIECE);
	void *buf;

	if (!ledger.on || ledger.error || !n)
		return;
	while (room < ledger.len + n)
		room *= 2;
	if (room > ledger.room) {
		buf = realloc(ledger.buf, room);
		if (!buf) {
			ledger.error = -ENOMEM;
			return;
		}
		ledger.buf = buf;
		ledger.room = room;
	}
	memcpy(ledger.buf + ledger.len, p, n);
	ledger.len += n;
}

void ledger_fail(int err)
{
	ledger.error = err;
}

void ledger_begin(uint8_t type)
{
	struct record r = { .type = type };
	struct frame f = { 0 };

	if (!ledger.len)
		ledger_put(&f, sizeof(f));
	ledger.record = ledger.len;
	ledger_put(&r, sizeof(r));
}

void ledger_end(void)
{
	uint32_t len = (uint32_t)(ledger.len - ledger.record);

	if (!ledger.on || ledger.error)
		return;
	memcpy(ledger.buf + ledger.record, &len, sizeof(len));
	if (ledger.dumping && ledger.len > PIECE)
		ledger.error = write_frame();
}

/* All there is, into the file at ledger.fd. */
static int dump(void)
{
	struct head h;
	int ret = make_head(&h);

	if (!ret)
		ret = fd_write_all(ledger.fd, &h, sizeof(h));
	if (ret)
		return ret;
	ledger.size = sizeof(h);
	ledger.dumping = true;
	ledger.dump();
	ledger.dumping = false;
	if (!ledger.error && ledger.len)
		ledger.error = write_frame();
	return ledger.error;
}

/*
 * Put a new file in the old one's place; on failure that one stays in use.
 *
 * SYSCALLS: openat rename unlink close write
 */
static int renew(void)
{
	uint64_t size = ledger.size;
	int old = ledger.fd;
	char path[PATH_MAX];
	int ret = 0;

	if (snprintf(path, sizeof(path), "%s.new", ledger.path) >= PATH_MAX)
		return -ENAMETOOLONG;
	ledger.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (ledger.fd < 0)
		ret = -errno;
	/* What was not written yet is part of what there is. */
	ledger.len = 0;
	ledger.error = 0;
	if (!ret)
		ret = dump();
	if (!ret && rename(path, ledger.path))
		ret = -errno;
	ledger.len = 0;
	ledger.error = 0;
	if (ret) {
		fd_close(&ledger.fd);
		unlink(path);
		ledger.fd = old;
		ledger.size = size;
		return ret;
	}
	fd_close(&old);
	ledger.limit = MAX(LEDGER_MIN, ledger.size * LEDGER_GROWTH);
	return 0;
}

void ledger_start(const char *path, void (*dump_all)(void))
{
	int ret;

	ledger.path = path;
	ledger.dump = dump_all;
	ledger.on = true;
	ret = renew();
	if (ret)
		failed(ret);
}

bool ledger_on(void)
{
	return ledger.on;
}

static void try_again(void)
{
	int ret;

	ret = renew();
	if (ret) {
		failed(ret);
		return;
	}
	ledger.failed = false;
	log_info("journal %s: whole again", ledger.path);
}

void ledger_commit(void)
{
	int ret = ledger.error;

	if (!ledger.on || (!ledger.len && !ret))
		return;
	if (ledger.failed) {
		ledger.len = 0;
		ledger.error = 0;
		if (util_clock_ns() - ledger.since >=
		    ledger_retry_ms * 1000000ul)
			try_again();
		return;
	}
	if (!ret)
		ret = write_frame();
	if (!ret && ledger.size <= ledger.limit)
		return;
	if (ret) {
		/* A part of a frame may be there: nothing may follow it. */
		failed(ret);
		try_again();
	} else if (renew()) {
		ledger.limit += ledger.limit / 2;
	}
}

void ledger_stop(void)
{
	fd_close(&ledger.fd);
	ledger.on = ledger.failed = false;
	free(ledger.buf);
	ledger.buf = NULL;
	ledger.len = ledger.room = 0;
	ledger.error = 0;
}

uint64_t ledger_size(void)
{
	return ledger.size;
}
