// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/unpack.c - the payload of a bzImage, through libarchive.
#include "hypervisor/bzimage.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

#define STEP (64u << 10)

/** struct unpack - One payload being read. */
struct unpack {
	const struct bzimage *bz;
	struct archive *archive;
	uint64_t read; /* bytes of the payload given to libarchive */
	uint8_t in[STEP];
	uint8_t out[STEP];
};

static const int filters[BZIMAGE_NPACKINGS] = {
	[BZIMAGE_GZIP] = ARCHIVE_FILTER_GZIP,
	[BZIMAGE_BZIP2] = ARCHIVE_FILTER_BZIP2,
	[BZIMAGE_LZMA] = ARCHIVE_FILTER_LZMA,
	[BZIMAGE_XZ] = ARCHIVE_FILTER_XZ,
	[BZIMAGE_LZ4] = ARCHIVE_FILTER_LZ4,
	[BZIMAGE_ZSTD] = ARCHIVE_FILTER_ZSTD,
};

static la_ssize_t give(struct archive *a, void *arg, const void **buf)
{
	struct unpack *u = arg;
	uint64_t len = MIN(STEP, u->bz->payload.size - u->read);
	int ret = image_read(&u->bz->payload, u->read, u->in, len);

	if (ret) {
		archive_set_error(a, -ret, "%s", strerror(-ret));
		return -1;
	}
	u->read += len;
	*buf = u->in;
	return (la_ssize_t)len;
}

static int corrupt(const struct unpack *u, struct why *why)
{
	const char *text = archive_error_string(u->archive);

	return why_set(why, -ENOEXEC,
		       "%s: its packed kernel is corrupt (%s); copy it again",
		       u->bz->payload.name, text ? text : "unknown error");
}

static int open_payload(struct unpack *u, struct why *why)
{
	struct archive_entry *entry;

	if (archive_read_set_format(u->archive, ARCHIVE_FORMAT_RAW) ||
	    archive_read_append_filter(u->archive, filters[u->bz->packing]) ||
	    archive_read_open(u->archive, u, NULL, give, NULL) ||
	    archive_read_next_header(u->archive, &entry))
		return corrupt(u, why);
	return 0;
}

static int copy_out(struct unpack *u, int fd, struct why *why)
{
	uint64_t done = 0;

	for (;;) {
		la_ssize_t n = archive_read_data(u->archive, u->out, STEP);
		int ret;

		if (n < 0)
			return corrupt(u, why);
		if (n == 0)
			break;
		done += (uint64_t)n;
		if (done > u->bz->unpacked)
			break;
		ret = fd_write_all(fd, u->out, (size_t)n);
		if (ret)
			return why_set(
				why, ret,
				"%s: cannot keep the unpacked kernel: %s",
				u->bz->payload.name, strerror(-ret));
	}
	if (done != u->bz->unpacked)
		return why_set(why, -ENOEXEC,
			       "%s: its packed kernel is corrupt (%s%" PRIu64
			       " bytes instead of %" PRIu64 "); copy it again",
			       u->bz->payload.name,
			       done > u->bz->unpacked ? "at least " : "", done,
			       u->bz->unpacked);
	return 0;
}

int bzimage_unpack(const struct bzimage *bz, int fd, struct why *why)
{
	struct unpack *u = malloc(sizeof(*u));
	int ret = -ENOMEM;

	if (!u)
		return why_set(why, -ENOMEM, "out of memory");
	u->bz = bz;
	u->read = 0;
	u->archive = archive_read_new();
	if (!u->archive) {
		ret = why_set(why, -ENOMEM, "out of memory");
		goto free;
	}
	ret = open_payload(u, why);
	if (!ret)
		ret = copy_out(u, fd, why);
	archive_read_free(u->archive);
free:
	free(u);
	return ret;
}
