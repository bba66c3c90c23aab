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
#define PIECE	(64u << 10) /* most that is copied at once */

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
	const struct ledger_dump *dump;
	int fd;
	uint64_t size, limit;
	bool on, failed;
	int error;	/* of the frame being made */
	uint64_t since; /* ns: when it failed last */
	char *buf;	/* a frame in the making */
	size_t len, room, record;
} ledger = { .fd = -1 };

/* The file that is to take its place. */
static struct {
	int fd;	      /* -1: none is being made */
	bool dumping; /* not all that there was is in it yet */
	uint64_t size;
	uint64_t from; /* what follows in the old one has changed since */
} next = { .fd = -1 };

/* What a byte adds to a sum, and what it has made of it some bytes later. */
static uint32_t crc[8][256];

static void make_crc(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		crc[0][i] = i;
		for (int bit = 0; bit < 8; bit++)
			crc[0][i] = crc[0][i] >> 1 ^
				    (crc[0][i] & 1 ? 0xedb88320u : 0);
	}
	for (int k = 1; k < 8; k++)
		for (uint32_t i = 0; i < 256; i++)
			crc[k][i] = crc[k - 1][i] >> 8 ^
				    crc[0][crc[k - 1][i] & 255];
}

/* CRC-32 (IEEE 802.3); @sum is that of the bytes before these, or 0. */
static uint32_t checksum(uint32_t sum, const void *p, size_t n)
{
	const uint8_t *at = p;

	if (!crc[0][255])
		make_crc();
	sum = ~sum;
	for (; n >= 8; n -= 8, at += 8) {
		uint64_t w;

		memcpy(&w, at, sizeof(w));
		w ^= sum;
		sum = 0;
		for (int k = 0; k < 8; k++)
			sum ^= crc[7 - k][w >> (8 * k) & 255];
	}
	while (n--)
		sum = sum >> 8 ^ crc[0][(sum ^ *at++) & 255];
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

void ledger_setup(void)
{
	char id[36];

	/* If it fails, whoever makes or reads a head hears of it. */
	(void)boot_id(id);
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

int ledger_read(int fd, int (*apply)(const void *record, size_t len),
		struct ledger_found *found)
{
	struct stat st;
	void *map;
	int ret;

	ret = fstat(fd, &st) ? -errno : 0;
	if (!ret && (size_t)st.st_size < sizeof(struct head))
		ret = -EPROTO;
	if (ret)
		return ret;
	/* Ours alone: nobody makes it shorter meanwhile. */
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	ret = check_head(map);
	if (!ret)
		ret = load(map, (size_t)st.st_size, apply, found);
	munmap(map, (size_t)st.st_size);
	return ret;
}

int ledger_load(const char *path, int (*apply)(const void *record, size_t len),
		struct ledger_found *found)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = ledger_read(fd, apply, found);
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

static int write_frame(int fd, uint64_t *size)
{
	struct frame f = { .len = (uint32_t)(ledger.len - sizeof(f)) };
	int ret;

	f.sum = frame_sum(&f, ledger.buf + sizeof(f));
	memcpy(ledger.buf, &f, sizeof(f));
	ret = fd_write_all(fd, ledger.buf, ledger.len);
	*size += ledger.len;
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

	if (ledger.on && !ledger.error)
		memcpy(ledger.buf + ledger.record, &len, sizeof(len));
}

/* ---- A new file -------------------------------------------------------- */

static int next_path(char *path)
{
	return snprintf(path, PATH_MAX, "%s.new", ledger.path) < PATH_MAX
		       ? 0
		       : -ENAMETOOLONG;
}

/*
 * The old one stays in use.
 *
 * SYSCALLS: close unlink
 */
static void abandon(void)
{
	char path[PATH_MAX];

	ledger.len = 0;
	ledger.error = 0;
	if (next.fd < 0)
		return;
	if (next.dumping)
		ledger.dump->end();
	next.dumping = false;
	fd_close(&next.fd);
	if (!next_path(path))
		unlink(path);
}

/*
 * What is not in the file yet, but could be, is part of what there is.
 *
 * SYSCALLS: openat write
 */
static int begin(void)
{
	char path[PATH_MAX];
	struct head h;
	int ret = next_path(path);

	if (!ret)
		ret = make_head(&h);
	if (ret)
		return ret;
	next.fd = open(path,
		       O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		       0600);
	if (next.fd < 0)
		return -errno;
	next.size = sizeof(h);
	next.from = ledger.size;
	ledger.len = 0;
	ledger.error = 0;
	ret = fd_write_all(next.fd, &h, sizeof(h));
	if (ret)
		return ret;
	next.dumping = true;
	ledger.dump->begin();
	return 0;
}

static int dump_some(void)
{
	int ret;

	if (!ledger.dump->more()) {
		next.dumping = false;
		ledger.dump->end();
	}
	ret = ledger.error;
	if (!ret && ledger.len)
		ret = write_frame(next.fd, &next.size);
	return ret;
}

/*
 * What the old one has been given since.
 *
 * SYSCALLS, at times: pread64
 */
static int copy_some(void)
{
	static char buf[PIECE];
	size_t n = MIN(ledger.size - next.from, sizeof(buf));
	ssize_t got = pread(ledger.fd, buf, n, (off_t)next.from);
	int ret;

	if (got != (ssize_t)n)
		return got < 0 ? -errno : -EIO;
	ret = fd_write_all(next.fd, buf, n);
	next.from += n;
	next.size += n;
	return ret;
}

/* SYSCALLS: rename */
static int put_in_place(void)
{
	char path[PATH_MAX];
	int ret = next_path(path);

	if (!ret && rename(path, ledger.path))
		ret = -errno;
	if (ret)
		return ret;
	fd_close(&ledger.fd);
	ledger.fd = next.fd;
	ledger.size = next.size;
	ledger.limit = MAX(LEDGER_MIN, ledger.size * LEDGER_GROWTH);
	next.fd = -1;
	return 0;
}

/* Go on until it is in place or has grown by @most; on failure there is none. */
static int renew(uint64_t most)
{
	uint64_t limit;
	int ret = next.fd < 0 ? begin() : 0;

	limit = most < UINT64_MAX ? next.size + most : most;
	while (!ret && next.fd >= 0 && next.size < limit) {
		if (next.dumping)
			ret = dump_some();
		else if (next.from < ledger.size)
			ret = copy_some();
		else
			ret = put_in_place();
	}
	if (ret)
		abandon();
	return ret;
}

void ledger_start(const char *path, const struct ledger_dump *dump)
{
	int ret;

	ledger.path = path;
	ledger.dump = dump;
	ledger.on = true;
	ret = renew(UINT64_MAX);
	if (ret)
		failed(ret);
}

int ledger_copy(int fd, void (*add)(void))
{
	bool on = ledger.on;
	uint64_t size = 0;
	struct head h;
	int ret;

	ledger_commit();
	ret = make_head(&h);
	if (!ret)
		ret = fd_write_all(fd, &h, sizeof(h));
	ledger.on = true;
	if (!ret) {
		add();
		ret = ledger.error;
	}
	if (!ret && ledger.len)
		ret = write_frame(fd, &size);
	ledger.on = on;
	ledger.len = 0;
	ledger.error = 0;
	return ret;
}

bool ledger_whole(void)
{
	return ledger.on && !ledger.failed;
}

bool ledger_on(void)
{
	return ledger.on;
}

static void try_again(void)
{
	int ret;

	ret = renew(UINT64_MAX);
	if (ret) {
		failed(ret);
		return;
	}
	ledger.failed = false;
	log_info("journal %s: whole again", ledger.path);
}

static void commit_failed(void)
{
	ledger.len = 0;
	ledger.error = 0;
	if (util_clock_ns() - ledger.since >= ledger_retry_ms * 1000000ul)
		try_again();
}

void ledger_commit(void)
{
	uint64_t size = ledger.size;
	int ret = ledger.error;

	if (!ledger.on || (!ledger.len && !ret && next.fd < 0))
		return;
	if (ledger.failed) {
		commit_failed();
		return;
	}
	if (!ret && ledger.len)
		ret = write_frame(ledger.fd, &ledger.size);
	if (ret) {
		/* A part of a frame may be there: nothing may follow it. */
		abandon();
		failed(ret);
		try_again();
		return;
	}
	if (next.fd < 0 && ledger.size <= ledger.limit)
		return;
	if (renew(LEDGER_SLICE + 4 * (ledger.size - size)))
		ledger.limit += ledger.limit / 2;
}

void ledger_stop(void)
{
	abandon();
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
