// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_xl_cfg_dev.c - names and entries of disks and network cards.
#include "tools/xl_cfg.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/caplog.h"

struct vdev {
	char name[24];
	int want; /* or -EINVAL */
};

ParameterizedTestParameters(xl_cfg_dev, vdev)
{
	static struct vdev t[] = {
		{ "xvda", 51712 },
		{ "xvda1", 51713 },
		{ "xvda15", 51727 },
		{ "xvdb", 51728 },
		{ "xvdp", 51952 },
		{ "xvdp15", 51967 },
		{ "xvdq", (1 << 28) | (16 << 8) },
		{ "xvda16", (1 << 28) | 16 },
		{ "xvdz", (1 << 28) | (25 << 8) },
		{ "xvdaa", (1 << 28) | (26 << 8) },
		{ "xvdba3", (1 << 28) | (52 << 8) | 3 },
		{ "xvda255", (1 << 28) | 255 },
		{ "xvda256", -EINVAL },
		{ "d0", 51712 },
		{ "d0p1", 51713 },
		{ "d15p15", 51967 },
		{ "d16", (1 << 28) | (16 << 8) },
		{ "d1048575", (1 << 28) | (1048575 << 8) },
		{ "d1048576", -EINVAL },
		{ "d0p", 51712 },
		{ "d0x", -EINVAL },
		{ "sda", 2048 },
		{ "sda1", 2049 },
		{ "sdb", 2064 },
		{ "sdp15", 2303 },
		{ "sdq", -EINVAL },
		{ "sda16", -EINVAL },
		{ "hda", 768 },
		{ "hda63", 831 },
		{ "hdb", 832 },
		{ "hdc", 5632 },
		{ "hdd5", 5701 },
		{ "hde", -EINVAL },
		{ "hda64", -EINVAL },
		{ "51712", 51712 },
		{ "xvd", -EINVAL },
		{ "xvd1", -EINVAL },
		{ "xvdA", -EINVAL },
		{ "xvda1x", -EINVAL },
		{ "vda", -EINVAL },
		{ "", -EINVAL },
		{ "xvdzzzzzzzzzzzzzz", -EINVAL },
		{ "xvda99999999999999999", -EINVAL },
	};
	return cr_make_param_array(struct vdev, t, ARRAY_SIZE(t));
}

ParameterizedTest(struct vdev *t, xl_cfg_dev, vdev)
{
	unsigned int devid = 0;
	int ret = xl_vdev_number(t->name, &devid);

	cr_expect_eq(ret ? ret : (int)devid, t->want, "%s: %d, %u", t->name,
		     ret, devid);
}

static void parse_disk(struct xl_disk *d, const char *spec)
{
	memset(d, 0, sizeof(*d));
	cr_assert_eq(xl_disk_parse(d, spec, "t"), 0, "%s", spec);
}

Test(xl_cfg_dev, disk_forms)
{
	struct xl_disk d;

	parse_disk(&d, "/img,raw,xvda,rw");
	cr_expect_str_eq(d.path, "/img");
	cr_expect_str_eq(d.vdev, "xvda");
	cr_expect(d.writable && d.discard && d.trusted && !d.cdrom);
	xl_disk_free(&d);
	parse_disk(&d, "format=raw, vdev=hda, access=ro, no-discard, "
		       "direct-io-safe, target=/a,b=c");
	cr_expect_str_eq(d.path, "/a,b=c"); /* target= swallows the rest */
	cr_expect(!d.writable && !d.discard && d.discard_given &&
		  d.direct_io_safe);
	xl_disk_free(&d);
	parse_disk(&d, "phy:/dev/vg/lv,sda1,w");
	cr_expect_str_eq(d.path, "/dev/vg/lv");
	cr_expect_eq(d.devid, 2049);
	xl_disk_free(&d);
	parse_disk(&d, "/cd.iso,,xvdc,cdrom");
	cr_expect(d.cdrom && !d.writable);
	xl_disk_free(&d);
	memset(&d, 0, sizeof(d));
	cr_expect_eq(xl_disk_parse(&d, ",,xvdc,cdrom", "t"), -EINVAL);
}

#define FOUR  ",backing=qcow:/a,backing=qcow:/b,backing=qcow:/c,backing=qcow:/d"
#define EIGHT FOUR FOUR

/* What is ours is taken out; Xen's parser sees the rest as it was. */
Test(xl_cfg_dev, disk_keys_of_ours)
{
	struct xl_disk d;

	parse_disk(&d, "/img,raw,xvda,w,sector-size=4096, direct-io=0 ,discard,"
		       "physical-sector-size=8192,limit-iops=100,"
		       "limit-bps-burst=1000000000000");
	cr_expect_str_eq(d.path, "/img");
	cr_expect(d.writable && d.discard_given);
	cr_expect(d.has[XL_DISK_SECTOR] && d.has[XL_DISK_PHYSICAL] &&
		  d.has[XL_DISK_DIRECT]);
	cr_expect_eq(d.key[XL_DISK_SECTOR], 4096);
	cr_expect_eq(d.key[XL_DISK_PHYSICAL], 8192);
	cr_expect_eq(d.key[XL_DISK_DIRECT], 0);
	cr_expect(d.has[XL_DISK_IOPS] && d.has[XL_DISK_BPS_BURST]);
	cr_expect_eq(d.key[XL_DISK_IOPS], 100);
	cr_expect_eq(d.key[XL_DISK_BPS_BURST], UINT64_C(1000000000000));
	cr_expect(!d.has[XL_DISK_BPS] && !d.has[XL_DISK_IOPS_BURST]);
	xl_disk_free(&d);
	parse_disk(&d, "sector-size=512,vdev=xvda,target=/a,direct-io=1");
	cr_expect_str_eq(d.path, "/a,direct-io=1");
	cr_expect(d.has[XL_DISK_SECTOR] && !d.has[XL_DISK_DIRECT]);
	xl_disk_free(&d);
	parse_disk(&d, "/img,,xvda,r,");
	cr_expect_str_eq(d.path, "/img");
	xl_disk_free(&d);
}

/* What an image builds upon: in order, with the format of each. */
Test(xl_cfg_dev, disk_backing)
{
	char cwd[PATH_MAX], want[PATH_MAX + 32];
	struct xl_disk d;

	parse_disk(&d, "/top,qcow2,xvda,w,backing=qcow2:/mid, "
		       "backing=raw:base.img ,sector-size=512");
	cr_expect_str_eq(d.path, "/top");
	cr_assert_eq(d.nbacking, 2);
	cr_expect_str_eq(d.backing[0], "qcow2:/mid");
	snprintf(want, sizeof(want), "raw:%s/base.img",
		 getcwd(cwd, sizeof(cwd)));
	cr_expect_str_eq(d.backing[1], want);
	cr_expect(d.has[XL_DISK_SECTOR]);
	xl_disk_free(&d);
	parse_disk(&d, "backing=vmdk:/b:c,vdev=xvda,format=vmdk,"
		       "target=/a,backing=raw:/x");
	cr_expect_str_eq(d.path, "/a,backing=raw:/x");
	cr_assert_eq(d.nbacking, 1);
	cr_expect_str_eq(d.backing[0], "vmdk:/b:c");
	xl_disk_free(&d);
	parse_disk(&d, "/8,qcow2,xvda,w" EIGHT);
	cr_expect_eq(d.nbacking, 8);
	xl_disk_free(&d);
}

ParameterizedTestParameters(xl_cfg_dev, bad_disk_keys)
{
	static char t[][176] = {
		"/img,qcow2,xvda,w,backing=",
		"/img,qcow2,xvda,w,backing=/base",
		"/img,qcow2,xvda,w,backing=/base:1",
		"/img,qcow2,xvda,w,backing=:/base",
		"/img,qcow2,xvda,w,backing=raw:",
		"/img,qcow2,xvda,w,backing",
		"/img,qcow2,xvda,w" EIGHT ",backing=raw:/9",
		"/img,raw,xvda,w,backing=raw:/base",
		"vdev=xvda,access=w,backing=raw:/b,target=nbd://h/",
		"vdev=xvda,access=w,format=qcow2,target=nbds://h/",
		"/img,raw,xvda,w,sector-size=",
		"/img,raw,xvda,w,sector-size=4097",
		"/img,raw,xvda,w,sector-size=-1",
		"/img,raw,xvda,w,sector-size=0000000000000000000000000512",
		"/img,raw,xvda,w,direct-io=2",
		"/img,raw,xvda,w,limit-bps=1000000000001",
		"/img,raw,xvda,w,direct-io",
		"/img,raw,xvda,w,direct-ios=1",
		"/img,raw,xvda,w,sector-size=512 512",
	};

	return cr_make_param_array(char[176], t, ARRAY_SIZE(t));
}

ParameterizedTest(char (*spec)[176], xl_cfg_dev, bad_disk_keys)
{
	struct xl_disk d = { 0 };

	cr_expect_eq(xl_disk_parse(&d, *spec, "t"), -EINVAL, "%s", *spec);
	xl_disk_free(&d);
}

Test(xl_cfg_dev, disk_formats)
{
	static const struct {
		const char *spec, *format, *path;
	} t[] = {
		{ "/i,,xvda,w", "raw", "/i" },
		{ "/i,qcow2,xvda,w", "qcow2", "/i" },
		{ "/i,qcow,xvda,w", "qcow", "/i" },
		{ "/i,vhd,xvda,w", "vhd", "/i" },
		{ "/i,vhdx,xvda,w", "vhdx", "/i" },
		{ "/i, vmdk,xvda,w", "vmdk", "/i" },
		{ "/vmdk,raw,xvda,w", "raw", "/vmdk" },
		{ "vdev=xvda,format=vmdk,access=rw,target=/i", "vmdk", "/i" },
		{ "format=vhdx,vdev=xvda,target=/i,vmdk", "vhdx", "/i,vmdk" },
		{ "vdev=xvda,target=/i,vmdk,format=vhdx", "raw",
		  "/i,vmdk,format=vhdx" },
		{ "vdev=xvda,access=rw,target=nbd://h:1/n?timeout=3", "raw",
		  "nbd://h:1/n?timeout=3" },
		{ "vdev=xvda,target=nbd+unix:///?socket=/s", "raw",
		  "nbd+unix:///?socket=/s" },
		{ "vdev=xvda,target=nbds://h/n", "raw", "nbds://h/n" },
		{ "vdev=xvda,target=nbds+unix:///?socket=/s", "raw",
		  "nbds+unix:///?socket=/s" },
		{ "vdev=xvda,target=nbd+vsock://2/", "raw", "nbd+vsock://2/" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct xl_disk d;

		parse_disk(&d, t[i].spec);
		cr_expect_str_eq(d.format, t[i].format, "%s", t[i].spec);
		cr_expect_str_eq(d.path, t[i].path, "%s", t[i].spec);
		xl_disk_free(&d);
	}
}

/* Files whose names begin like an address. */
Test(xl_cfg_dev, disks_that_are_files)
{
	static const char *const t[] = { "nbd",		"nbds",
					 "nbd:x",	"nbd:/x",
					 "nbdx://h/",	"nbdss://h/",
					 "nbd+unix:/x", "./nbd://h/" };

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		cr_expect_not(xl_disk_is_remote(t[i]), "%s", t[i]);
}

Test(xl_cfg_dev, read_only_stays_read_only)
{
	static const char *const specs[] = { "/i,raw,xvda,r", "/i,raw,xvda,ro",
					     "access=r,vdev=xvda,target=/i",
					     "file:/i,xvda,r" };

	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		struct xl_disk d;

		parse_disk(&d, specs[i]);
		cr_expect_not(d.writable, "%s", specs[i]);
		xl_disk_free(&d);
	}
}

static const uint8_t uuid_a[16] = { 1, 2, 3 }, uuid_b[16] = { 1, 2, 4 };

static void parse_vif(struct xl_vif *v, const char *spec, unsigned int devid,
		      const uint8_t *uuid)
{
	memset(v, 0, sizeof(*v));
	cr_assert_eq(xl_vif_parse(v, spec, devid, uuid, "t"), 0, "%s", spec);
}

Test(xl_cfg_dev, vif_defaults)
{
	struct xl_vif v;

	parse_vif(&v, "", 3, uuid_a);
	cr_expect_str_eq(v.bridge, "xenbr0");
	cr_expect_null(v.net);
	cr_expect_eq(v.devid, 3);
	cr_expect(v.trusted);
	xl_vif_free(&v);
	parse_vif(&v, "net=nat", 0, uuid_a);
	cr_expect_null(v.bridge);
	cr_expect_str_eq(v.net, "nat");
	xl_vif_free(&v);
}

Test(xl_cfg_dev, vif_bridges)
{
	static const char *const good[] = { "br0",
					    "br0.10",
					    "ovs0:1:2:3",
					    "ovs0.4094:1:2:3:4094",
					    "fifteen-letters",
					    "a.b" };
	struct xl_vif v;
	char spec[64];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		snprintf(spec, sizeof(spec), "bridge=%s", good[i]);
		parse_vif(&v, spec, 0, uuid_a);
		cr_expect_str_eq(v.bridge, good[i]);
		xl_vif_free(&v);
	}
}

Test(xl_cfg_dev, vif_scripts)
{
	static const struct {
		const char *spec, *hotplug, *net;
	} t[] = {
		{ "", "", "" },
		{ "script=vif-bridge", "", "" },
		{ "script=vif-openvswitch", "", "" },
		{ "script=vif-nat", "", "nat" },
		{ "script=vif-route", "", "route" },
		{ "script=vif-nat,net=nat:+none", "", "nat:+none" },
		{ "net=user:host+tcp:8080:80", "", "user:host+tcp:8080:80" },
		{ "script=vif-other", "/etc/xen/scripts/vif-other", "" },
		{ "script=/etc/xen/scripts/vif-nat", "/etc/xen/scripts/vif-nat",
		  "" },
	};
	struct xl_vif v;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		parse_vif(&v, t[i].spec, 0, uuid_a);
		cr_expect_str_eq(v.hotplug ? v.hotplug : "", t[i].hotplug, "%s",
				 t[i].spec);
		cr_expect_str_eq(v.net ? v.net : "", t[i].net, "%s", t[i].spec);
		xl_vif_free(&v);
	}
}

Test(xl_cfg_dev, vif_keys)
{
	struct xl_vif v;

	parse_vif(
		&v,
		"mac=00:16:3e:00:00:01, bridge=br1,vifname=vg1,vlan=10p/20,ip=10.0.0.2, "
		"script=vif-nat,mtu=9000,devid=7,rate=10Mb/s@20ms,"
		"type=vif,model=e1000,backend=0,trusted=0",
		0, uuid_a);
	cr_expect_eq(v.mac[5], 1);
	cr_expect_str_eq(v.bridge, "br1");
	cr_expect_str_eq(v.vifname, "vg1");
	cr_expect_str_eq(v.vlan, "10p/20");
	cr_expect_str_eq(v.ip, "10.0.0.2");
	cr_expect_str_eq(v.script, "vif-nat");
	cr_expect_eq(v.mtu, 9000);
	cr_expect_eq(v.devid, 7);
	cr_expect_eq(v.rate_usecs, 20000);
	cr_expect_eq(v.rate_bytes, 25000); /* 10 Mbit/s for 20 ms */
	cr_expect_not(v.trusted);
	xl_vif_free(&v);
}

/* Nothing is refused without a word, and nothing ends the process. */
Test(xl_cfg_dev, refusals_are_explained)
{
	static const char *const vifs[] = { "bridge=sixteen-letters1",
					    "bridge=sixteen-letters1:2",
					    "bridge=.1",
					    "script=",
					    "script=../vif",
					    "script=/bin/true,net=nat",
					    "bridge=ovs0.with-words-1",
					    "rate=0Mb/s",
					    "rate=99999999999999999999b/s",
					    "rate=",
					    "mtu=1",
					    "nonsense" };
	struct xl_disk d = { 0 };
	struct xl_vif v;

	caplog_begin();
	cr_expect_eq(xl_disk_parse(&d, "=\n/a,hda,r", "f:3"), -EINVAL);
	cr_expect_not_null(strstr(caplog_end(), "f:3: disk"));
	xl_disk_free(&d);
	for (size_t i = 0; i < ARRAY_SIZE(vifs); i++) {
		v = (struct xl_vif){ 0 };
		caplog_begin();
		cr_expect_eq(xl_vif_parse(&v, vifs[i], 0, uuid_a, "f:4"),
			     -EINVAL, "%s", vifs[i]);
		cr_expect_not_null(strstr(caplog_end(), "f:4: vif"), "%s",
				   vifs[i]);
		xl_vif_free(&v);
	}
}

Test(xl_cfg_dev, mac_is_stable_and_xens)
{
	struct xl_vif a, b, c, d;

	parse_vif(&a, "", 0, uuid_a);
	parse_vif(&b, "", 0, uuid_a);
	parse_vif(&c, "", 1, uuid_a);
	parse_vif(&d, "", 0, uuid_b);
	cr_expect_eq(a.mac[0], 0x00);
	cr_expect_eq(a.mac[1], 0x16);
	cr_expect_eq(a.mac[2], 0x3e);
	cr_expect_lt(a.mac[3], 0x80);
	cr_expect_eq(memcmp(a.mac, b.mac, 6), 0);
	cr_expect_neq(memcmp(a.mac, c.mac, 6), 0);
	cr_expect_neq(memcmp(a.mac, d.mac, 6), 0);
	xl_vif_free(&a);
	xl_vif_free(&b);
	xl_vif_free(&c);
	xl_vif_free(&d);
}
