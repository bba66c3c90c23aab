// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/image_format.c - formats of images that are not raw.
#include "dom0-backend/image_format.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/be.h"

#define NOT_OF_IT                                                            \
	"the image is not of the format that the configuration names: name " \
	"its own (qemu-img info tells it)"
#define HAS_BACKING                                                         \
	"the image builds upon another file (a backing file), which it is " \
	"not its own to name: name it with backing=FORMAT:PATH, or make "   \
	"one of them with qemu-img convert"
#define HAS_NO_BACKING                                                  \
	"the image builds upon no other file: name none below it with " \
	"backing=, or make it do so with qemu-img rebase"

static uint64_t le64(const uint8_t *at)
{
	uint64_t n;

	memcpy(&n, at, sizeof(n));
	return le64toh(n);
}

/* Read @len bytes; what lies behind the end of the file is zero. */
static void look(int fd, uint64_t off, uint8_t *buf, size_t len)
{
	ssize_t n = 0;

	memset(buf, 0, len);
	if (off <= INT64_MAX)
		n = pread(fd, buf, len, (off_t)off);
	if (n < 0)
		memset(buf, 0, len);
}

/* QEMU's docs/interop/qcow2.txt; version 1 has its name of a backing file there too. */
static const char *check_qcow(int fd, uint32_t from, uint32_t to, bool *backed)
{
	uint8_t h[80];
	uint32_t version;

	look(fd, 0, h, sizeof(h));
	version = get_be32(h + 4);
	if (memcmp(h, "QFI\xfb", 4) != 0 || version < from || version > to)
		return NOT_OF_IT;
	*backed = get_be64(h + 8) != 0;
	/* Incompatible feature 2. */
	if (version >= 3 && (get_be64(h + 72) & 4))
		return "the image keeps its data in another file (data_file): "
		       "make one of them with qemu-img convert";
	return NULL;
}

static const char *check_qcow1(int fd, bool *backed)
{
	return check_qcow(fd, 1, 1, backed);
}

static const char *check_qcow2(int fd, bool *backed)
{
	return check_qcow(fd, 2, 3, backed);
}

/* Microsoft's VHD specification: a footer of 512 bytes; dynamic ones have a copy. */
static const char *check_vhd(int fd, bool *backed)
{
	uint8_t f[512];
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(f))
		return NOT_OF_IT;
	look(fd, 0, f, sizeof(f));
	if (memcmp(f, "conectix", 8) != 0)
		look(fd, (uint64_t)st.st_size - sizeof(f), f, sizeof(f));
	if (memcmp(f, "conectix", 8) != 0)
		return NOT_OF_IT;
	*backed = get_be32(f + 60) == 4; /* differencing */
	return NULL;
}

/* QEMU itself refuses those that have a parent. */
static const char *check_vhdx(int fd, bool *backed)
{
	uint8_t h[8];

	*backed = false;
	look(fd, 0, h, sizeof(h));
	return memcmp(h, "vhdxfile", 8) != 0 ? NOT_OF_IT : NULL;
}

#define VMDK_TEXT \
	20480u /* bytes of the embedded descriptor, by its usual place */

/*
 * VMware's Virtual Disk Format 5.0: a sparse extent with its descriptor inside.
 * Others are a text that names the files to open.
 */
static const char *check_vmdk(int fd, bool *backed)
{
	static const char key[] = "parentCID=", none[] = "ffffffff";
	uint8_t h[512], text[VMDK_TEXT + 1];
	const char *at;

	look(fd, 0, h, sizeof(h));
	if (!memcmp(h, "# Disk DescriptorFile", 21))
		return "the image names other files to be opened: make a "
		       "single one of them with qemu-img convert";
	if (memcmp(h, "KDMV", 4) != 0)
		return NOT_OF_IT;
	if (le64(h + 28) > (uint64_t)INT64_MAX / sizeof(h))
		return NOT_OF_IT;
	look(fd, le64(h + 28) * sizeof(h), text, VMDK_TEXT);
	text[VMDK_TEXT] = '\0';
	at = strstr((const char *)text, key);
	*backed = at && strncmp(at + strlen(key), none, strlen(none)) != 0;
	return NULL;
}

static const struct image_format formats[] = {
	{ "qcow2", "qcow2", true, false, check_qcow2 },
	{ "qcow", "qcow", true, false, check_qcow1 },
	{ "vhd", "vpc", false, false, check_vhd },
	{ "vhdx", "vhdx", false, false, check_vhdx },
	{ "vmdk", "vmdk", true, true, check_vmdk },
};

const struct image_format *image_format_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		if (strlen(formats[i].name) == len &&
		    !memcmp(formats[i].name, name, len))
			return &formats[i];
	}
	return NULL;
}

const char *image_format_check(const struct image_format *f, int fd,
			       bool backed)
{
	bool wants = false;
	const char *why = f->check(fd, &wants);

	if (why || wants == backed)
		/* What a check returns is a constant text. */
		/* cppcheck-suppress returnDanglingLifetime */
		return why;
	return wants ? HAS_BACKING : HAS_NO_BACKING;
}
