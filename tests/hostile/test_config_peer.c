// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_config_peer.c - xl's files and arguments from anywhere.
//
// Whatever stands in them, xl accepts it or says why in one line that names the
// file; it never dies of it.
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/caplog.h"
#include "tests/lib/fakedom.h"
#include "tests/lib/stack.h"
#include "tools/xl_cfg.h"

static const char whole[] =
	"name = \"g1\"\n"
	"type = 'pvh' # a comment\n"
	"kernel = \"/boot/vmlinuz\"\n"
	"ramdisk = '/boot/initrd'\n"
	"root = '/dev/xvda1 ro'\nextra = \"quiet\"\n"
	"memory = 512\nmaxmem = 1024; vcpus = 2\nmaxvcpus = 4\n"
	"uuid = '11111111-2222-3333-4444-555555555555'\n"
	"disk = [ 'format=raw, vdev=xvda, access=rw, target=/d/a,b',\n"
	"  '/d/c,raw,xvdb,r', 'phy:/dev/vg/lv,sda1,w' ]\n"
	"vif = [ 'mac=00:16:3e:00:00:01,bridge=br0,rate=10Mb/s@20ms',\n"
	"  'net=nat,mtu=9000,vifname=v1,devid=3' ]\n"
	"on_crash = 'rename-restart'\non_reboot = \"restart\"\n"
	"tsc_mode = 'native'\nmax_grant_frames = 64\ncpus = '0-3'\n";

TestSuite(config_peer, .timeout = 300);

static unsigned int refused, accepted;

/* Lines that are no warnings. */
static unsigned int complaints(const char *said)
{
	unsigned int n = 0;

	for (const char *s = said; *s; s += strcspn(s, "\n") + 1) {
		const char *end = s + strcspn(s, "\n");
		const char *w = strstr(s, ": warning: ");

		n += !w || w > end;
		if (!*end)
			break;
	}
	return n;
}

static void try(const char *text)
{
	struct xl_cfg c;
	const char *said;
	int ret;

	caplog_begin();
	ret = xl_cfg_parse(&c, "evil.cfg", text, 1000);
	said = caplog_end();
	if (!ret) {
		accepted++;
		cr_assert_eq(complaints(said), 0, "%.300s", said);
		cr_assert(c.name && c.kernel && c.memory_kib && c.vcpus);
		xl_cfg_free(&c);
		return;
	}
	refused++;
	cr_assert_lt(ret, 0);
	cr_assert(strstr(said, "evil.cfg"), "%.300s\nsaid: %.300s", text, said);
	cr_assert_eq(complaints(said), 1, "%.300s\nsaid: %.300s", text, said);
}

/* XSA-68, XSA-137: no value and no end of a file is too odd. */
Test(config_peer, cut_anywhere)
{
	for (size_t len = 0; len < sizeof(whole); len++) {
		char *text = strndup(whole, len);

		try(text);
		free(text);
	}
	cr_expect_gt(accepted, 10);
	cr_expect_gt(refused, 100);
}

Test(config_peer, turned_anywhere)
{
	static const char odd[] = "'\"[]=,;#\n\\ \t0-9@:/xX\x80\xff%";

	srand(137);
	for (int round = 0; round < 20000; round++) {
		char *text = strdup(whole);

		for (int n = rand() % 4; n >= 0; n--) {
			size_t at = (size_t)rand() % (sizeof(whole) - 1);

			text[at] = odd[(size_t)rand() % (sizeof(odd) - 1)];
			if (rand() % 4 == 0)
				memmove(text + at, text + at + 1,
					strlen(text + at));
		}
		try(text);
		free(text);
	}
	cr_expect_gt(accepted, 500);
	cr_expect_gt(refused, 5000);
}

struct many {
	char name[24];
	char start[48], repeat[48], end[16];
	unsigned int n;
	bool good;
};

ParameterizedTestParameters(config_peer, much_of_it)
{
#define BASE "name='g'\nkernel='/k'\n"
	static struct many t[] = {
		{ "long name", "kernel='/k'\nname='", "a", "'\n", 200000,
		  false },
		{ "long number", BASE "memory=", "9", "\n", 200000, false },
		{ "long kernel", "name='g'\nkernel='/", "a", "'\n", 200000,
		  true },
		{ "long key", BASE, "k", "=1\n", 200000, true },
		{ "long rate", BASE "vif=['rate=", "1", "Mb/s']\n", 200000,
		  false },
		{ "long mac", BASE "vif=['mac=", "00:", "']\n", 70000, false },
		{ "long target", BASE "disk=['/", "d", ",raw,xvda,w']\n",
		  200000, false },
		{ "just too long", BASE "disk=['/", "d", ",raw,xvda,w']\n",
		  16384, false },
		{ "long enough", BASE "disk=['/", "d", ",raw,xvda,w']\n", 4095,
		  true },
		{ "long word", BASE "disk=['vdev=xvda,", "x", ",target=/x']\n",
		  100000, false },
		{ "many words", BASE "disk=['", "w,", "']\n", 4000, false },
		{ "blanks", BASE, " ", "\n", 200000, true },
		{ "no end", BASE "disk=['", "x", "", 200000, false },
		{ "open lists", BASE "disk=", "[", "\n", 100000, false },
		{ "commas", BASE "disk=[", ",", "]\n", 100000, false },
		{ "empty disks", BASE "disk=[", "'',", "]\n", 50000, false },
		{ "cards", BASE "vif=[", "'',", "]\n", 2000, true },
		{ "settings", BASE, "memory=64\n", "", 20000, true },
	};
	return cr_make_param_array(struct many, t, ARRAY_SIZE(t));
}

ParameterizedTest(struct many *t, config_peer, much_of_it)
{
	size_t size = t->n * strlen(t->repeat) + 128;
	char *text = malloc(size), *at = text;

	at += sprintf(at, "%s", t->start);
	for (unsigned int i = 0; i < t->n; i++)
		at = stpcpy(at, t->repeat);
	strcpy(at, t->end);
	try(text);
	cr_expect_eq(accepted, t->good, "%s", t->name);
	free(text);
}

/* XSA-56, XSA-61: what is not done here is not done silently. */
Test(config_peer, isolation_that_is_not_there)
{
	static const char *const refuse[] = { "pci=['01:00.0']",
					      "iomem=['a0000,20']",
					      "seclabel='system_u'",
					      "driver_domain=1",
					      "passthrough='enabled'",
					      "dtdev=['/x']",
					      "cpus='0-99999'",
					      "cpus='99999999999999999999'",
					      "cpus='^0-'",
					      "cpus=['-1']" };
	static const char *const warn[] = { "cpus_soft='-1'", "nodes='7'",
					    "pool='p'" };
	char text[128];
	struct xl_cfg c;

	for (size_t i = 0; i < ARRAY_SIZE(refuse); i++) {
		snprintf(text, sizeof(text), BASE "%s\n", refuse[i]);
		try(text);
		cr_expect_eq(refused, i + 1, "%s", refuse[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(warn); i++) {
		const char *said;

		snprintf(text, sizeof(text), BASE "%s\n", warn[i]);
		caplog_begin();
		cr_assert_eq(xl_cfg_parse(&c, "t.cfg", text, 1000), 0);
		said = caplog_end();
		cr_expect(strstr(said, "t.cfg:3: warning: key"), "%s: %s",
			  warn[i], said);
		xl_cfg_free(&c);
	}
}

/* ---- Arguments of the real program ---------------------------------------- */

#define ARG_SIZE 131000 /* Linux allows one argument 131072 with its NUL */

static char *long_arg(const char *start, char fill, const char *end)
{
	char *s = malloc(ARG_SIZE + 1);
	size_t n = strlen(start), m = strlen(end);

	memset(s, fill, ARG_SIZE);
	memcpy(s, start, n);
	memcpy(s + ARG_SIZE - m, end, m + 1);
	return s;
}

/* XSA-137: xl create FILE and arguments of 128 KiB. */
Test(config_peer, long_arguments)
{
	static char said[1 << 20];
	const struct {
		const char *start, *end;
		char fill;
	} t[] = {
		{ "a='", "'", 'b' },	   { "name='", "'", 'n' },
		{ "kernel='/", "'", 'k' }, { "memory=", "", '1' },
		{ "extra='", "'", '%' },   { "vif=['", "']", ',' },
		{ "disk=['", "']", '/' },  { "x", "", '=' },
		{ "uuid='", "'", '-' },	   { "", "", '\'' },
	};
	char path[] = "/tmp/test_config_peer.XXXXXX";
	char *argv[20] = { (char[]){ "xl" }, (char[]){ "create" },
			   (char[]){ "-n" }, path };
	int fd = mkstemp(path), status;

	fakedom_run_dir();
	cr_assert_eq(write(fd, BASE, strlen(BASE)), (ssize_t)strlen(BASE));
	close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		argv[4] = long_arg(t[i].start, t[i].fill, t[i].end);
		argv[5] = NULL;
		status = stack_output("xl", argv, said, sizeof(said));
		cr_expect(status >= 0 && status <= 3, "%s: %d", t[i].start,
			  status);
		cr_expect_gt(strlen(said), 0, "%s", t[i].start);
		free(argv[4]);
	}
	/* Many: more than a megabyte together. */
	for (int i = 4; i < 14; i++)
		argv[i] = long_arg("extra='", 'e', "'");
	argv[14] = NULL;
	status = stack_output("xl", argv, said, sizeof(said));
	cr_expect(status >= 0 && status <= 3, "%d", status);
	for (int i = 4; i < 14; i++)
		free(argv[i]);
	/* As the name of a file, of a domain, and as a verb. */
	argv[3] = long_arg("", 'f', "");
	argv[4] = NULL;
	for (int i = 3; i > 0; i--) {
		argv[i] = argv[3];
		argv[i + 1] = NULL;
		status = stack_output("xl", argv, said, sizeof(said));
		cr_expect(status > 0 && status <= 3, "%d: %d", i, status);
		if (i > 1)
			argv[2] = argv[3] = argv[i],
			argv[1] = (char[]){ "list" };
	}
	unlink(path);
	fakedom_run_dir_remove();
}
