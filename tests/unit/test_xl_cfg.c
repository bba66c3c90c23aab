// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_xl_cfg.c - configuration files: what is accepted and refused.
#include "tools/xl_cfg.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/caplog.h"

#define BASE "name = 'g'\nkernel = '/k'\n"

static int parse(struct xl_cfg *c, const char *text)
{
	return xl_cfg_parse(c, "t.cfg", text, 1000);
}

static unsigned int count_lines(const char *s)
{
	unsigned int n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

/* ---- Refusals: one line each, that names place and value ------------------ */

struct fail {
	char text[160];
	char want[96]; /* part of the message */
};

ParameterizedTestParameters(xl_cfg, refuses)
{
	static struct fail t[] = {
		{ "kernel = '/k'\n", "t.cfg: no name" },
		{ "name = ''\nkernel = '/k'\n", "t.cfg:1: no name" },
		{ "name = 'a b'\nkernel = '/k'\n", "t.cfg:1: name = 'a b'" },
		{ "name = 'a/b'\nkernel = '/k'\n", "name = 'a/b'" },
		{ "name = '..'\nkernel = '/k'\n", "name = '..'" },
		{ "name = '12'\nkernel = '/k'\n", "name = '12'" },
		{ "name = 'Domain-0'\nkernel = '/k'\n", "Domain-0" },
		{ "name = [ 'a' ]\nkernel = '/k'\n",
		  "t.cfg:1: name: a single" },
		{ "name = 'g'\n", "Neither kernel nor bootloader" },
		{ "name = 'g'\nbootloader = 'pygrub'\n",
		  "t.cfg:2: bootloader" },
		{ BASE "firmware = 'pvgrub64'\n",
		  "t.cfg:3: firmware = 'pvgrub64': kernel is set, too" },
		{ "name = 'g'\nfirmware = 'uefi'\n",
		  "t.cfg:2: firmware = 'uefi': PVH guests" },
		{ "name = 'g'\nfirmware = ''\n", "Neither kernel nor" },
		{ "name = 'g'\nfirmware = [ 'a' ]\n", "a single value" },
		{ BASE "type = 'hvm'\n", "t.cfg:3: type = 'hvm'" },
		{ BASE "type = 'pv'\n", "t.cfg:3: type = 'pv'" },
		{ BASE "builder = 'hvm'\n", "t.cfg:3: builder = 'hvm'" },
		{ BASE "memory = 1\n", "t.cfg:3: memory = 1:" },
		{ BASE "memory = 99999999\n", "memory = 99999999:" },
		{ BASE "memory = '1g'\n", "t.cfg:3: memory = '1g': not a" },
		{ BASE "memory = 99999999999999999999\n", "out of range" },
		{ BASE "memory = 64\nmaxmem = 32\n", "t.cfg:4: maxmem = 32" },
		{ BASE "vcpus = 0\n", "t.cfg:3: vcpus = 0" },
		{ BASE "vcpus = 65\n", "t.cfg:3: vcpus = 65" },
		{ BASE "vcpus = -1\n", "t.cfg:3:" },
		{ BASE "vcpus = 3\nmaxvcpus = 2\n", "t.cfg:4: maxvcpus = 2" },
		{ BASE "uuid = 'x'\n", "t.cfg:3: uuid = 'x'" },
		{ BASE "on_crash = 'explode'\n", "on_crash = 'explode'" },
		{ BASE "on_crash = 'soft-reset'\n", "on_crash = 'soft-reset'" },
		{ BASE "tsc_mode = 'warp'\n", "tsc_mode = 'warp'" },
		{ BASE "pci = [ '0:0' ]\n", "t.cfg:3: key 'pci'" },
		{ BASE "passthrough = 'enabled'\n", "passthrough = 'enabled'" },
		{ BASE "disk = '/x'\n", "t.cfg:3: disk: a list" },
		{ BASE "disk = [ '' ]\n", "t.cfg:3: disk ''" },
		{ BASE "disk = [ '/x,raw,,w' ]\n", "no usable device name" },
		{ BASE "disk = [ '/x,raw,zzz,w' ]\n", "no usable device name" },
		{ BASE "disk = [ '/x,raw,xvda,q' ]\n", "access" },
		{ BASE "disk = [ '/x,qed,xvda,w' ]\n", "images are raw" },
		{ BASE "disk = [ '/x,vdi,xvda,w' ]\n", "vdi" },
		{ BASE "disk = [ 'nbd://h/x,xvda,w' ]\n", "target=nbd://" },
		{ BASE "disk = [ 'format=qcow2,vdev=xvda,target=nbd://h/x' ]\n",
		  "leave the format out" },
		{ BASE "disk = [ ',raw,xvda,w' ]\n", "no file or device" },
		{ BASE "disk = [ '/x,raw,xvda,w,backend=d1' ]\n", "backend" },
		{ BASE "disk = [ '/x,raw,xvda,w', '/y,raw,xvda,w' ]\n",
		  "xvda is used twice" },
		{ BASE "vif = 'x'\n", "t.cfg:3: vif: a list" },
		{ BASE "vif = [ 'mac=1' ]\n", "t.cfg:3: vif: mac='1'" },
		{ BASE "vif = [ 'mac=01:02:03:04:05:06' ]\n", "mac='01" },
		{ BASE "vif = [ 'oink=1' ]\n", "unknown key 'oink'" },
		{ BASE "vif = [ 'bridge' ]\n", "'bridge' is not key=value" },
		{ BASE "vif = [ 'bridge=much-too-long-a-name' ]\n", "bridge=" },
		{ BASE "vif = [ 'net=wat' ]\n", "net='wat'" },
		{ BASE "vif = [ 'mtu=1' ]\n", "mtu='1'" },
		{ BASE "vif = [ 'rate=' ]\n", "rate=''" },
		{ BASE "vif = [ 'rate=@' ]\n", "rate='@'" },
		{ BASE "vif = [ 'rate=1Mb/s@' ]\n", "rate='1Mb/s@'" },
		{ BASE "vif = [ 'devid=1', 'devid=1' ]\n", "used twice" },
		{ BASE "vif = [ 'type=ioemu' ]\n", "type='ioemu'" },
		{ BASE "memory = oops\n", "t.cfg:3: config parsing error" },
		{ BASE "disk = [ 'x\n", "t.cfg:3: config parsing error" },
		{ BASE "xenstore_feature_mask = 'all'\n", "mask = 'all'" },
		{ BASE "xenstore_feature_mask = '0x100000000'\n", "mask" },
		{ BASE "xenstore_feature_mask = '-1'\n", "mask = '-1'" },
		{ BASE "xenstore_quota = 'nodes=1'\n", "quota: a list" },
		{ BASE "xenstore_quota = [ 'nodes' ]\n", "lacks" },
		{ BASE "xenstore_quota = [ 'nodes=1', 'a=' ]\n", "'a=': uses" },
		{ BASE "xenstore_quota = [ 'nodes=-1' ]\n", "illegal" },
		{ BASE "xenstore_quota = [ 'nodes=4294967296' ]\n", "illegal" },
		{ BASE "xenstore_quota = [ 'nodes=1x' ]\n", "illegal" },
		{ BASE "disk = [ 'x',\n", "config parsing error" },
	};
	return cr_make_param_array(struct fail, t, ARRAY_SIZE(t));
}

ParameterizedTest(struct fail *t, xl_cfg, refuses)
{
	struct xl_cfg c;
	const char *said;

	caplog_begin();
	cr_expect_lt(parse(&c, t->text), 0, "accepted: %s", t->text);
	said = caplog_end();
	cr_expect_not_null(strstr(said, t->want), "%s: said: %s", t->text,
			   said);
	cr_expect_eq(count_lines(said), 1, "%s: said: %s", t->text, said);
	cr_expect_null(c.name); /* nothing to free */
}

Test(xl_cfg, warns_about_unknown_keys)
{
	struct xl_cfg c;
	const char *said;

	caplog_begin();
	cr_assert_eq(xl_cfg_parse(&c, "t.cfg",
				  BASE "memry = 3\ncpuid = '1'\nvfoo=2\n", 4),
		     0);
	said = caplog_end();
	cr_expect_not_null(strstr(
		said,
		"t.cfg:3: warning: unknown key 'memry' is ignored (did you mean 'memory'?)"));
	cr_expect_not_null(strstr(said, "t.cfg:4: warning: key 'cpuid'"));
	cr_expect_not_null(
		strstr(said, "command line: warning: unknown key 'vfoo'"));
	xl_cfg_free(&c);
}

/* ---- What is accepted ----------------------------------------------------- */

Test(xl_cfg, defaults)
{
	static const uint8_t none[16];
	struct xl_cfg c;

	cr_assert_eq(parse(&c, BASE), 0);
	cr_expect_str_eq(c.name, "g");
	cr_expect_str_eq(c.kernel, "/k");
	cr_expect_null(c.ramdisk);
	cr_expect_null(c.cmdline);
	cr_expect_eq(c.memory_kib, 128 * 1024);
	cr_expect_eq(c.maxmem_kib, 128 * 1024);
	cr_expect_eq(c.vcpus, 1);
	cr_expect_eq(c.maxvcpus, 1);
	cr_expect_neq(memcmp(c.uuid, none, 16), 0);
	cr_expect_eq(c.on[XL_ON_POWEROFF], XL_ACTION_DESTROY);
	cr_expect_eq(c.on[XL_ON_REBOOT], XL_ACTION_RESTART);
	cr_expect_eq(c.on[XL_ON_CRASH], XL_ACTION_DESTROY);
	cr_expect_eq(c.on[XL_ON_WATCHDOG], XL_ACTION_DESTROY);
	cr_expect_eq(c.on[XL_ON_SOFT_RESET], XL_ACTION_SOFT_RESET);
	xl_cfg_free(&c);
}

Test(xl_cfg, where_vcpus_run)
{
	struct xl_cfg c;

	cr_assert_eq(parse(&c, BASE "maxvcpus = 3\ncpus = '0-3,^1'\n"), 0);
	cr_expect_eq(c.ncpus, 3);
	cr_expect_str_eq(c.cpus[2], "0-3,^1");
	xl_cfg_free(&c);
	cr_assert_eq(parse(&c, BASE "maxvcpus = 3\ncpus = ['1', 'all']\n"), 0);
	cr_expect_eq(c.ncpus, 2);
	cr_expect_str_eq(c.cpus[0], "1");
	xl_cfg_free(&c);
	cr_assert_eq(parse(&c, BASE "cpus = ['1', '2', '3']\n"), 0);
	cr_expect_eq(c.ncpus, 1);
	xl_cfg_free(&c);
	cr_expect_eq(parse(&c, BASE "cpus = 'x'\n"), -EINVAL);
	cr_expect_eq(parse(&c, BASE "cpus = ['']\n"), -EINVAL);
}

/* What a change says counts, once, whatever was there before. */
Test(xl_cfg, a_key_is_set)
{
	const char *const two[] = { "0", "it's\\" }, *const one = "a'b";
	char *text, *more;

	cr_assert_eq(xl_cfg_set("name = 'x'", "name", &one, 0, &text), 0);
	cr_expect_str_eq(text,
			 "name = 'x'\nname = 'a\\'b' # as changed since\n");
	cr_assert_eq(xl_cfg_set(text, "name", two, 2, &more), 0);
	cr_expect_str_eq(
		more,
		"name = 'x'\nname = ['0', 'it\\'s\\\\', ] # as changed since\n");
	free(text);
	free(more);
	cr_expect_eq(xl_cfg_set("", "name", (const char *[]){ "a\nb" }, 0,
				&text),
		     -EINVAL);
}

Test(xl_cfg, what_the_store_grants)
{
	struct xl_cfg c;

	cr_assert_eq(parse(&c, BASE), 0);
	cr_expect_eq(c.hidden, 0);
	cr_expect_eq(c.nlimits, 0);
	xl_cfg_free(&c);
	cr_assert_eq(parse(&c, BASE
			   "xenstore_feature_mask = 0xfffffffb\n"
			   "xenstore_quota = [ 'nodes=50', 'watches=0x10' ]\n"),
		     0);
	cr_expect_eq(c.hidden, 4);
	cr_assert_eq(c.nlimits, 2);
	cr_expect_str_eq(c.limits[0].name, "nodes");
	cr_expect_eq(c.limits[0].value, 50);
	cr_expect_str_eq(c.limits[1].name, "watches");
	cr_expect_eq(c.limits[1].value, 16);
	xl_cfg_free(&c);
}

Test(xl_cfg, the_last_setting_wins)
{
	struct xl_cfg c;

	cr_assert_eq(parse(&c, BASE "memory = 64\nvcpus=2\nmemory = 32\n"), 0);
	cr_expect_eq(c.memory_kib, 32 * 1024);
	xl_cfg_free(&c);
}

Test(xl_cfg, what_ganeti_writes)
{
	struct xl_cfg c;

	cr_assert_eq(
		parse(&c,
		      "# this is autogenerated by Ganeti\n"
		      "kernel = '/boot/vmlinuz-3-xenU'\n"
		      "ramdisk = '/boot/initrd-3-xenU'\n"
		      "memory = 512\nmaxmem = 512\nvcpus = 2\n"
		      "name = 'inst1.example.com'\n"
		      "vif = ['mac=aa:00:00:11:22:33, bridge=xen-br0']\n"
		      "disk = ['file:/var/run/ganeti/instance-disks/inst1:0,sda,w', 'phy:/dev/vg/x,sdb,r']\n"
		      "root = '/dev/xvda1'\n"
		      "on_poweroff = 'preserve'\non_reboot = 'restart'\n"
		      "on_crash = 'restart'\nextra = 'ro'\n"),
		0);
	cr_expect_str_eq(c.cmdline, "root=/dev/xvda1 ro");
	cr_expect_eq(c.on[XL_ON_POWEROFF], XL_ACTION_PRESERVE);
	cr_expect_eq(c.on[XL_ON_CRASH], XL_ACTION_RESTART);
	cr_assert_eq(c.ndisks, 2);
	cr_expect_str_eq(c.disks[0].path,
			 "/var/run/ganeti/instance-disks/inst1:0");
	cr_expect_eq(c.disks[0].devid, 8 << 8);
	cr_expect(c.disks[0].writable);
	cr_expect_eq(c.disks[1].devid, (8 << 8) | 16);
	cr_expect_not(c.disks[1].writable);
	cr_assert_eq(c.nvifs, 1);
	cr_expect_eq(c.vifs[0].mac[0], 0xaa);
	cr_expect_str_eq(c.vifs[0].bridge, "xen-br0");
	xl_cfg_free(&c);
}

Test(xl_cfg, relative_paths_become_absolute)
{
	char want[4200], cwd[4096];
	struct xl_cfg c;

	cr_assert_eq(parse(&c, "name='g'\nkernel='vmlinuz'\n"
			       "disk=['img,raw,xvda,w']\n"),
		     0);
	cr_assert_not_null(getcwd(cwd, sizeof(cwd)));
	snprintf(want, sizeof(want), "%s/vmlinuz", cwd);
	cr_expect_str_eq(c.kernel, want);
	snprintf(want, sizeof(want), "%s/img", cwd);
	cr_expect_str_eq(c.disks[0].path, want);
	xl_cfg_free(&c);
}

/* The image for firmware=, of Debian's package or by Xen's own name. */
Test(xl_cfg, grub_is_found)
{
	char dir[] = "/tmp/test_xl_firmware.XXXXXX", want[64], other[64];
	struct xl_cfg c;
	const char *said;

	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(setenv("SPLITVISOR_FIRMWARE_DIR", dir, 1), 0);
	snprintf(want, sizeof(want), "%s/" XL_FIRMWARE_IMAGE, dir);
	snprintf(other, sizeof(other), "%s/pvgrub32.bin", dir);
	cr_assert_eq(parse(&c, "name='g'\nfirmware='pvgrub32'\n"), 0);
	cr_expect_str_eq(c.kernel, want, "one that must be there");
	xl_cfg_free(&c);
	cr_assert_eq(symlink("/proc/self/exe", other), 0);
	cr_assert_eq(parse(&c, "name='g'\nfirmware='pvgrub32'\n"), 0);
	cr_expect_str_eq(c.kernel, other);
	xl_cfg_free(&c);
	cr_assert_eq(symlink("/proc/self/exe", want), 0);
	cr_assert_eq(parse(&c, "name='g'\nfirmware='pvgrub32'\n"), 0);
	cr_expect_str_eq(c.kernel, want);
	cr_expect_eq(xl_cfg_check_host(&c), 0);
	xl_cfg_free(&c);
	caplog_begin();
	cr_assert_eq(parse(&c, "name='g'\nfirmware='pvgrub64'\n"
			       "ramdisk='/none'\nextra='quiet'\n"),
		     0);
	said = caplog_end();
	cr_expect_not_null(strstr(said, "t.cfg: firmware is set"));
	cr_expect_null(c.ramdisk);
	cr_expect_null(c.cmdline);
	xl_cfg_free(&c);
	unlink(other);
	unlink(want);
	rmdir(dir);
}

Test(xl_cfg, actions_and_modes)
{
	struct xl_cfg c;

	cr_assert_eq(parse(&c, BASE
			   "on_crash='rename-restart'\n"
			   "on_reboot='coredump-destroy'\n"
			   "tsc_mode='native'\nmax_grant_frames=64\n"
			   "vcpus=2\nmaxvcpus=4\nmaxmem=256\n"
			   "type='pvh'\nbuilder='linux'\n"
			   "uuid='11111111-2222-3333-4444-555555555555'\n"),
		     0);
	cr_expect_eq(c.on[XL_ON_CRASH], XL_ACTION_RENAME_RESTART);
	cr_expect_eq(c.on[XL_ON_REBOOT], XL_ACTION_COREDUMP_DESTROY);
	cr_expect_str_eq(c.tsc_mode, "native");
	cr_expect_eq(c.max_grant_frames, 64);
	cr_expect_eq(c.maxvcpus, 4);
	cr_expect_eq(c.memory_kib, 256 * 1024);
	cr_expect_eq(c.uuid[15], 0x55);
	xl_cfg_free(&c);
}

Test(xl_cfg, uuid_both_ways)
{
	uint8_t uuid[16];
	char text[XL_UUID_LEN];

	cr_assert_eq(
		xl_uuid_parse("01234567-89ab-cdef-0123-456789ABCDEF", uuid), 0);
	cr_expect_str_eq(xl_uuid_format(text, uuid),
			 "01234567-89ab-cdef-0123-456789abcdef");
	cr_expect_eq(xl_uuid_parse("0123", uuid), -EINVAL);
	cr_expect_eq(xl_uuid_parse("01234567-89ab-cdef-0123-456789abcdef0",
				   uuid),
		     -EINVAL);
	cr_expect_eq(xl_uuid_parse("", uuid), -EINVAL);
}

/* ---- Reading files -------------------------------------------------------- */

Test(xl_cfg, loads_a_file_and_arguments)
{
	char path[] = "/tmp/test_xl_cfg.XXXXXX";
	char *extra[] = { (char[]){ "memory=64" }, (char[]){ "oink=1" } };
	unsigned int lines;
	struct xl_cfg c;
	char *text;
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, BASE, strlen(BASE)), (ssize_t)strlen(BASE));
	cr_assert_eq(xl_cfg_load(path, extra, 2, &text, &lines), 0);
	caplog_begin();
	cr_expect_eq(xl_cfg_parse(&c, path, text, lines), 0);
	cr_expect_not_null(strstr(caplog_end(), "command line: warning"));
	cr_expect_eq(c.memory_kib, 64 * 1024);
	xl_cfg_free(&c);
	free(text);
	close(fd);
	unlink(path);
}

static void cannot_load(const char *path, const char *want)
{
	unsigned int lines;
	const char *said;
	char *text;

	caplog_begin();
	cr_expect_lt(xl_cfg_load(path, NULL, 0, &text, &lines), 0);
	said = caplog_end();
	cr_expect_not_null(strstr(said, want), "%s: said: %s", path, said);
}

Test(xl_cfg, files_that_cannot_be_read)
{
	cannot_load("/nonexistent.cfg",
		    "Failed to read config file: /nonexistent.cfg: No such");
	cannot_load("/tmp", "/tmp: Is a directory");
	cannot_load("/dev/zero", "/dev/zero: not a text file");
}

/* ---- Changing ------------------------------------------------------------- */

static void edit(const char *text, const char *list, const char *add,
		 size_t drop, const unsigned int *devids, struct xl_cfg *c)
{
	char *out = NULL;

	cr_assert_eq(xl_cfg_edit(text, list, add, drop, devids, &out), 0);
	cr_assert_eq(parse(c, out), 0, "%s", out);
	free(out);
}

#define GUEST "name = 'g'\nkernel = 'k'\n"

Test(xl_cfg, entries_come_and_go)
{
	static const char disks[] = GUEST "disk = [ \"/it\x27s,raw,xvda,r\",\n"
					  "\t'/b\\\\c,raw,xvdb,w' ]\n";
	struct xl_cfg c;
	char *out;

	edit(disks, "disk", "format=raw,vdev=xvdc,access=rw,target=/d'\\e",
	     SIZE_MAX, NULL, &c);
	cr_assert_eq(c.ndisks, 3);
	cr_expect_str_eq(c.disks[0].path, "/it's");
	cr_expect_str_eq(c.disks[1].path, "/b\\c");
	cr_expect_str_eq(c.disks[2].path, "/d'\\e");
	xl_cfg_free(&c);
	edit(disks, "disk", NULL, 0, NULL, &c);
	cr_assert_eq(c.ndisks, 1);
	cr_expect_str_eq(c.disks[0].vdev, "xvdb");
	xl_cfg_free(&c);
	edit(GUEST, "disk", "/d,raw,xvdd,w", SIZE_MAX, NULL, &c);
	cr_assert_eq(c.ndisks, 1);
	xl_cfg_free(&c);
	cr_expect_eq(xl_cfg_edit(GUEST, "disk", "/d\n,raw,xvdd,w", SIZE_MAX,
				 NULL, &out),
		     -EINVAL);
}

Test(xl_cfg, many_changes_do_not_add_up)
{
	static const char disks[] = GUEST "disk = [ '/a,raw,xvda,w' ]\n"
					  "vif = [ '' ]";
	size_t first = 0;
	char *text, *next;

	text = strdup(disks);
	for (int i = 0; i < 10; i++) {
		cr_assert_eq(xl_cfg_edit(text, "disk", "/b,raw,xvdb,w",
					 SIZE_MAX, NULL, &next),
			     0);
		free(text);
		cr_assert_eq(xl_cfg_edit(next, "vif", NULL, SIZE_MAX, NULL,
					 &text),
			     0);
		free(next);
		cr_assert_eq(xl_cfg_edit(text, "disk", NULL, 1, NULL, &next),
			     0);
		free(text);
		text = next;
		first = first ? first : strlen(text);
		cr_assert_eq(strlen(text), first, "%s", text);
	}
	cr_expect_eq(strncmp(text, disks, strlen(disks)), 0, "%s", text);
	free(text);
}

Test(xl_cfg, cards_keep_their_numbers)
{
	static const unsigned int devids[] = { 0, 1, 5, 6 };
	static const char cards[] = GUEST
		"vif = [ '', 'bridge=b', 'devid=5,bridge=c' ]\n";
	struct xl_cfg c;

	edit(cards, "vif", "bridge=d", 0, devids, &c);
	cr_assert_eq(c.nvifs, 3);
	for (size_t i = 0; i < c.nvifs; i++)
		cr_expect_eq(c.vifs[i].devid, devids[i + 1]);
	xl_cfg_free(&c);
}

/* ---- The host ------------------------------------------------------------- */

static void host_lacks(const char *text, const char *want)
{
	struct xl_cfg c;
	const char *said;

	cr_assert_eq(parse(&c, text), 0, "%s", text);
	caplog_begin();
	cr_expect_lt(xl_cfg_check_host(&c), 0, "accepted: %s", text);
	said = caplog_end();
	cr_expect_not_null(strstr(said, want), "%s: said: %s", text, said);
	cr_expect_eq(count_lines(said), 1, "%s", said);
	xl_cfg_free(&c);
}

#define REAL "name = 'g'\nkernel = '/proc/self/exe'\n"

Test(xl_cfg, what_the_host_lacks)
{
	char path[] = "/tmp/test_xl_disk.XXXXXX", text[256];
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	host_lacks("name='g'\nkernel='/none'\n", "kernel '/none': No such");
	host_lacks("name='g'\nkernel='/tmp'\n", "kernel '/tmp': Is a dir");
	cr_assert_eq(setenv("SPLITVISOR_FIRMWARE_DIR", "/none", 1), 0);
	host_lacks(
		"name='g'\nfirmware='pvgrub64'\n",
		"firmware '/none/" XL_FIRMWARE_IMAGE
		"': No such file or directory (install GRUB for PVH guests: apt-get install grub-xen-host)");
	snprintf(text, sizeof(text), "name='g'\nkernel='%s'\n", path);
	host_lacks(text, "the file is empty");
	host_lacks(REAL "ramdisk='/none'\n", "ramdisk '/none': No such");
	host_lacks(REAL "disk=['/none,raw,xvda,w']\n",
		   "disk xvda '/none': No such");
	host_lacks(REAL "disk=['/dev/null,raw,xvda,w']\n", "neither a file");
	host_lacks(REAL "memory = 16777216\n", "memory = 16777216: this host");
	cr_assert_eq(ftruncate(fd, 64 << 20), 0);
	snprintf(text, sizeof(text), REAL "memory=32\nramdisk='%s'\n", path);
	host_lacks(text, "its 64 MiB do not fit into memory = 32");
	cr_assert_eq(fchmod(fd, 0444), 0);
	snprintf(text, sizeof(text), REAL "disk=['%s,raw,xvda,w']\n", path);
	host_lacks(text, "cannot be opened for writing");
	close(fd);
	unlink(path);
}

Test(xl_cfg, what_the_host_has)
{
	char path[] = "/tmp/test_xl_disk.XXXXXX", text[256];
	int fd = mkstemp(path);
	struct xl_cfg c;

	cr_assert_geq(fd, 0);
	cr_assert_eq(fchmod(fd, 0444), 0);
	snprintf(text, sizeof(text), REAL "disk=['%s,raw,xvda,r']\n", path);
	cr_assert_eq(parse(&c, text), 0);
	cr_expect_eq(xl_cfg_check_host(&c), 0);
	xl_cfg_free(&c);
	close(fd);
	unlink(path);
}
