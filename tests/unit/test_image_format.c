// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_image_format.c - what the head of an image says of it.
#include "dom0-backend/image_format.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"

#define SIZE 4096

/* Bytes of an image at some place. */
struct bytes {
	unsigned int at;
	size_t len;
	char bytes[32];
};

/**
 * struct sample - An image, and what is said of it with no file below it, and with
 * one; "" for nothing.
 */
struct sample {
	char name[40], format[8];
	struct bytes part[3];
	char alone[24], backed[24];
};

#define AT(where, text)                  \
	{                                \
		where, sizeof(text) - 1, \
		{                        \
			text ""          \
		}                        \
	}
#define NO_BACKING   .alone = "", .backed = "builds upon no other"
#define WITH_BACKING .alone = "builds upon another", .backed = ""
#define WRONG	     .alone = "not of the format", .backed = "not of the format"

ParameterizedTestParameters(image_format, heads)
{
	static struct sample t[] = {
		{ "qcow2", "qcow2", { AT(0, "QFI\xfb\0\0\0\2") }, NO_BACKING },
		{ "version 3",
		  "qcow2",
		  { AT(0, "QFI\xfb\0\0\0\3") },
		  NO_BACKING },
		{ "version 4", "qcow2", { AT(0, "QFI\xfb\0\0\0\4") }, WRONG },
		{ "version 1", "qcow2", { AT(0, "QFI\xfb\0\0\0\1") }, WRONG },
		{ "a name at the far end",
		  "qcow2",
		  { AT(0, "QFI\xfb\0\0\0\3"), AT(8, "\x80\0\0\0\0\0\0\0") },
		  WITH_BACKING },
		{ "a name nearby",
		  "qcow2",
		  { AT(0, "QFI\xfb\0\0\0\2"), AT(15, "\x48") },
		  WITH_BACKING },
		{ "data elsewhere",
		  "qcow2",
		  { AT(0, "QFI\xfb\0\0\0\3"), AT(79, "\4") },
		  .alone = "data_file",
		  .backed = "data_file" },
		{ "data elsewhere, not in 2",
		  "qcow2",
		  { AT(0, "QFI\xfb\0\0\0\2"), AT(79, "\4") },
		  NO_BACKING },
		{ "nothing", "qcow2", { AT(0, "") }, WRONG },
		{ "qcow", "qcow", { AT(0, "QFI\xfb\0\0\0\1") }, NO_BACKING },
		{ "qcow upon another",
		  "qcow",
		  { AT(0, "QFI\xfb\0\0\0\1"), AT(15, "\x30") },
		  WITH_BACKING },
		{ "qcow2 for qcow",
		  "qcow",
		  { AT(0, "QFI\xfb\0\0\0\2") },
		  WRONG },
		{ "vhd", "vhd", { AT(SIZE - 512, "conectix") }, NO_BACKING },
		{ "vhd that grows",
		  "vhd",
		  { AT(0, "conectix"), AT(63, "\3") },
		  NO_BACKING },
		{ "vhd of differences",
		  "vhd",
		  { AT(0, "conectix"), AT(63, "\4") },
		  WITH_BACKING },
		{ "vhdx", "vhdx", { AT(0, "vhdxfile") }, NO_BACKING },
		{ "vhdx for vhd", "vhd", { AT(0, "vhdxfile") }, WRONG },
		{ "vmdk",
		  "vmdk",
		  { AT(0, "KDMV"), AT(28, "\1"),
		    AT(512, "x\nparentCID=ffffffff\n") },
		  NO_BACKING },
		{ "vmdk upon another",
		  "vmdk",
		  { AT(0, "KDMV"), AT(28, "\1"),
		    AT(512, "x\nparentCID=fffffffe\n") },
		  WITH_BACKING },
		{ "vmdk, no text",
		  "vmdk",
		  { AT(0, "KDMV"), AT(28, "\xff\xff\xff\xff\xff") },
		  NO_BACKING },
		{ "vmdk, text nowhere",
		  "vmdk",
		  { AT(0, "KDMV"), AT(28, "\0\0\0\0\0\0\0\x80") },
		  WRONG },
		{ "vmdk of names",
		  "vmdk",
		  { AT(0, "# Disk DescriptorFile\n") },
		  .alone = "names other files",
		  .backed = "names other files" },
	};

	return cr_make_param_array(struct sample, t, ARRAY_SIZE(t));
}

static void expect(const struct sample *t, int fd, bool backed,
		   const char *want)
{
	const struct image_format *f =
		image_format_find(t->format, strlen(t->format));
	const char *why = image_format_check(f, fd, backed);

	if (*want)
		cr_expect(why && strstr(why, want), "%s, %d: %s", t->name,
			  backed, why ? why : "none");
	else
		cr_expect_null(why, "%s, %d: %s", t->name, backed, why);
}

ParameterizedTest(struct sample *t, image_format, heads)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	cr_assert_eq(ftruncate(fd, SIZE), 0);
	for (size_t i = 0; i < ARRAY_SIZE(t->part); i++)
		cr_assert_eq(pwrite(fd, t->part[i].bytes, t->part[i].len,
				    t->part[i].at),
			     (ssize_t)t->part[i].len);
	expect(t, fd, false, t->alone);
	expect(t, fd, true, t->backed);
	close(fd);
}

Test(image_format, names)
{
	static const char *const none[] = { "raw", "vdi", "qcow3", "vpc", "" };

	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		cr_expect_null(image_format_find(none[i], strlen(none[i])),
			       "%s", none[i]);
	cr_expect_null(image_format_find("qcow2", 3));
	cr_expect_str_eq(image_format_find("qcow2:/x", 5)->name, "qcow2");
	cr_expect(image_format_find("qcow", 4)->layers);
	cr_expect(!image_format_find("vhd", 3)->layers);
}
