/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_vif_setup.c - the host's end of a vif, in a namespace. */
#include "dom0-backend/vif_setup.h"

#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <nftables/libnftables.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dom0-backend/dhcp.h"
#include "dom0-backend/link_nl.h"
#include "dom0-backend/nat.h"
#include "dom0-backend/ra.h"
#include "dom0-backend/tap.h"
#include "tests/lib/fini.h"
#include "tests/lib/netns.h"
#include "tests/lib/packet.h"
#include "tests/lib/patience.h"
#include "tests/lib/proc.h"

#define MAC_A "00:16:3e:00:00:0a"
#define MAC_B "00:16:3e:00:00:0b"

static struct link_nl *nl;
static char err[256];

/* Of an Open vSwitch of the test's own, once it has one. */
static char ovs_dir[] = "/tmp/sv-ovs-XXXXXX";

static void init(void)
{
	setenv("SPLITVISOR_OVSDB", "/nonexistent", 1);
	unsetenv("SPLITVISOR_NAT_BRIDGE");
	unsetenv("SPLITVISOR_NAT_ADDR");
	unsetenv("SPLITVISOR_NAT_ADDR6");
	netns_enter();
	cr_assert_eq(link_open(&nl), 0);
}

static void fini(void)
{
	char command[160];

	link_close(nl);
	if (strchr(ovs_dir, 'X'))
		return;
	snprintf(command, sizeof(command), "cd %s && kill $(cat *.pid)",
		 ovs_dir);
	FINI_CHECK(!system(command));
	/* They remove files of theirs meanwhile. */
	snprintf(command, sizeof(command), "rm -rf %s 2>&1", ovs_dir);
	FINI_CHECK(SOON(!system(command)));
}

TestSuite(vif_setup, .init = init, .fini = fini);

static int open_vif(const struct vif_config *cfg, struct vif_link *l)
{
	err[0] = '\0';
	return vif_open(cfg, l, err, sizeof(err));
}

/* The attempt fails and its line has all these words; nothing is left. */
static void expect_refused(const struct vif_config *cfg, const char *word,
			   const char *remedy)
{
	struct vif_link l = { .nqueues = 77 };
	struct link_info info;

	cr_expect_lt(open_vif(cfg, &l), 0, "%s", word);
	cr_expect_not_null(strstr(err, word), "'%s' not in: %s", word, err);
	cr_expect_not_null(strstr(err, remedy), "'%s' not in: %s", remedy, err);
	cr_expect_null(strchr(err, '\n'));
	cr_expect_eq(l.nqueues, 77, "written on failure");
	cr_expect_eq(link_get(nl, "vif3.0", &info), -ENODEV);
	cr_expect_eq(link_get(nl, VIF_NAT_BRIDGE, &info), -ENODEV, "%s", err);
}

static struct link_info get(const char *name)
{
	struct link_info info = { 0 };

	cr_assert_eq(link_get(nl, name, &info), 0, "%s", name);
	return info;
}

static bool is_up(const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	cr_assert_eq(ioctl(fd, SIOCGIFFLAGS, &ifr), 0);
	close(fd);
	return ifr.ifr_flags & IFF_UP;
}

/* Whether the interface has an IPv6 address. */
static bool has_ipv6(const char *name)
{
	FILE *f = fopen("/proc/net/if_inet6", "re");
	char line[128], last[32];
	bool found = false;

	while (f && fgets(line, sizeof(line), f))
		found |= sscanf(line, "%*s %*s %*s %*s %*s %31s", last) == 1 &&
			 !strcmp(last, name);
	if (f)
		fclose(f);
	return found;
}

static bool has_table(const char *name)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	char cmd[64];
	bool ret;

	nft_ctx_buffer_output(nft);
	nft_ctx_buffer_error(nft);
	snprintf(cmd, sizeof(cmd), "list table %s", name);
	ret = !nft_run_cmd_from_buffer(nft, cmd) &&
	      strstr(nft_ctx_get_output_buffer(nft), "masquerade");
	nft_ctx_free(nft);
	return ret;
}

#define FORWARD	 "/proc/sys/net/ipv4/ip_forward"
#define FORWARD6 "/proc/sys/net/ipv6/conf/all/forwarding"

static char read_char(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c = '?';

	cr_assert_eq(read(fd, &c, 1), 1);
	close(fd);
	return c;
}

static char forward(void)
{
	return read_char(FORWARD);
}

static void set_forward(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	cr_assert_eq(write(fd, value, 1), 1);
	close(fd);
}

Test(vif_setup, joins_a_bridge)
{
	struct vif_config cfg = { .domid = 3, .bridge = "br0", .queues = 2 };
	struct link_want want = { .mtu = 4000 };
	struct vif_link l, named;

	cr_assert_eq(link_add_bridge(nl, "br0", "02:53:00:00:00:01"), 0);
	cr_assert_eq(link_change(nl, get("br0").index, &want), 0);
	cr_assert_eq(open_vif(&cfg, &l), 0, "%s", err);
	cr_expect_str_eq(l.name, "vif3.0");
	cr_expect_str_eq(l.ip, "");
	cr_expect_str_eq(l.lease, "");
	cr_expect_eq(l.nqueues, 2);
	cr_expect_eq(get("vif3.0").master, get("br0").index);
	cr_expect_eq(get("vif3.0").mtu, 4000);
	cr_expect_eq(get("br0").mtu, 4000);
	cr_expect(is_up("vif3.0"));
	cr_assert_eq(tap_carrier(l.fd[0], true), 0);
	usleep(100000);
	cr_expect_not(has_ipv6("vif3.0"));
	for (int i = 0; i < 2; i++) {
		cr_expect(fcntl(l.fd[i], F_GETFD) & FD_CLOEXEC);
		cr_expect(fcntl(l.fd[i], F_GETFL) & O_NONBLOCK);
	}

	cfg.vifname = "web-1";
	cfg.mtu = 3000;
	cr_assert_eq(open_vif(&cfg, &named), 0, "%s", err);
	cr_expect_str_eq(named.name, "web-1");
	cr_expect_eq(get("web-1").mtu, 3000);
	vif_close(&named);
	vif_close(&named); /* harmless */

	int held = dup(l.fd[0]); /* a worker that still lives */
	vif_close(&l);
	cr_expect_eq(l.nqueues, 0);
	cr_expect_eq(link_get(nl, "vif3.0", &(struct link_info){ 0 }), -ENODEV);
	cr_expect_eq(write(held, err, 100), -1);
	close(held);
	get("br0"); /* not ours: stays */
}

static void goes_back(const char *vlan, const char *make)
{
	struct vif_config cfg = {
		.domid = 3, .bridge = "br0", .vlan = vlan, .queues = 1
	};
	struct vif_link l;

	cr_assert_eq(open_vif(&cfg, &l), 0, "%s", err);
	cr_assert_eq(tap_carrier(l.fd[0], true), 0);
	cr_expect_not(vif_astray(&l, nl));
	cr_expect_eq(vif_heal(&cfg, &l, nl, err, sizeof(err)), 0);

	cr_assert_eq(link_del(nl, get("br0").index), 0);
	cr_expect(vif_astray(&l, nl));
	cr_expect_eq(vif_heal(&cfg, &l, nl, err, sizeof(err)), -ENODEV);
	cr_expect_not_null(strstr(err, "bridge br0 has gone: vif3.0"), "%s",
			   err);
	/* Not to one that would have it in all VLANs. */
	cfg.vlan = "10";
	cr_assert_eq(system("ip link add br0 type bridge"), 0);
	cr_expect_eq(vif_heal(&cfg, &l, nl, err, sizeof(err)), -ENOTSUP);
	cr_expect_eq(get("vif3.0").master, 0);
	cr_assert_eq(link_del(nl, get("br0").index), 0);
	cfg.vlan = vlan;
	cr_assert_eq(system(make), 0);
	cr_expect_eq(vif_heal(&cfg, &l, nl, err, sizeof(err)), 1, "%s", err);
	cr_expect_eq(get("vif3.0").master, get("br0").index);
	cr_expect(get("vif3.0").carrier);
	cr_expect(!vlan ||
		  !system("v=$(bridge vlan show dev vif3.0 | grep Egress) && "
			  "[ \"${v#*10 PVID}\" = ' Egress Untagged' ]"));

	/* Somebody wants it out: it stays out. */
	cr_assert_eq(system("ip link set vif3.0 nomaster"), 0);
	cr_expect(vif_astray(&l, nl));
	cr_expect_eq(vif_heal(&cfg, &l, nl, err, sizeof(err)), 0);
	cr_expect_eq(get("vif3.0").master, 0);
	vif_close(&l);
}

/* A port of a bridge that is made anew is its port again, as it was. */
Test(vif_setup, goes_back_to_its_bridge)
{
	cr_assert_eq(system("ip link add br0 type bridge"), 0);
	goes_back(NULL, "ip link add br0 type bridge");
}

Test(vif_setup, goes_back_to_its_vlan)
{
	const char *make = "ip link add br0 type bridge vlan_filtering 1 2>&1";

	if (system(make))
		cr_skip_test("the kernel's bridges know no VLANs");
	goes_back("10", make);
}

/* In service: what is not there yet is waited for, and decides the MTU then. */
static void open_without_bridge(const char *bridge, struct vif_link *l)
{
	struct vif_config cfg = {
		.domid = 3, .bridge = bridge, .mac = MAC_A, .queues = 1
	};

	expect_refused(&cfg, "does not exist", "create it");
	cfg.adopt = true;
	cr_assert_eq(open_vif(&cfg, l), 0, "%s", err);
	cr_expect_eq(get("vif3.0").master, 0);
	cr_expect(get("vif3.0").up);
	cr_expect(vif_astray(l, nl));
	cr_expect_not(vif_carrier(l, nl));
	cr_expect_eq(vif_heal(&cfg, l, nl, err, sizeof(err)), -ENODEV);
}

Test(vif_setup, waits_for_its_bridge)
{
	struct vif_config cfg = { .domid = 3, .bridge = "br0", .adopt = true };
	struct link_want up = { .mtu = 4000, .up = true };
	struct vif_link l;

	open_without_bridge("br0", &l);
	cr_assert_eq(link_add_bridge(nl, "br0", "02:53:00:00:00:01"), 0);
	cr_assert_eq(link_change(nl, get("br0").index, &up), 0);
	cr_expect_eq(vif_heal(&cfg, &l, nl, err, sizeof(err)), 1, "%s", err);
	cr_expect_eq(get("vif3.0").master, get("br0").index);
	cr_expect_eq(get("vif3.0").mtu, 4000);
	cr_expect(vif_carrier(&l, nl));
	vif_close(&l);
}

static int read_mac(const char *name, uint8_t *mac)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { 0 };
	int ret;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	ret = ioctl(fd, SIOCGIFHWADDR, &ifr);
	memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	close(fd);
	return ret;
}

/* ---- frames, without a worker ------------------------------------------- */

#define TEXT 48

static void plug(const struct vif_link *l)
{
	cr_assert_eq(tap_carrier(l->fd[0], true), 0);
}

/* A broadcast of @text, tagged if @vid is not 0. */
static void say(const struct vif_link *l, unsigned int vid, const char *text)
{
	uint8_t f[sizeof(struct virtio_net_hdr) + 18 + TEXT] = { 0 };
	uint8_t *at = f + sizeof(struct virtio_net_hdr);

	memset(at, 0xff, 6);
	memcpy(at + 6, "\2\0\0\0\0\1", 6);
	at += 12;
	if (vid) {
		memcpy(at,
		       (uint8_t[]){ 0x81, 0, (uint8_t)(vid >> 8),
				    (uint8_t)vid },
		       4);
		at += 4;
	}
	memcpy(at, "\x88\xb5", 2);
	snprintf((char *)at + 2, TEXT, "%s", text);
	cr_assert_eq(write(l->fd[0], f, sizeof(f)), sizeof(f));
}

/*
 * Wait for @text, or for "end".  Return: its VLAN tag, 0 without one; -1 if the end
 * came first.
 */
static int hear(const struct vif_link *l, const char *text)
{
	struct pollfd p = { .fd = l->fd[0], .events = POLLIN };
	uint8_t f[sizeof(struct virtio_net_hdr) + 18 + TEXT] = { 0 };

	while (poll(&p, 1, PATIENCE_MS) > 0) {
		const uint8_t *at = f + sizeof(struct virtio_net_hdr) + 12;
		int vid = 0;

		memset(f, 0, sizeof(f));
		if (read(l->fd[0], f, sizeof(f) - 1) < 0)
			continue;
		if (at[0] == 0x81 && !at[1]) {
			vid = (at[2] & 15) << 8 | at[3];
			at += 4;
		}
		if (!strcmp((const char *)at + 2, text))
			return vid;
		if (!strcmp((const char *)at + 2, "end"))
			return -1;
	}
	cr_assert(false, "neither '%s' nor the end came to %s", text, l->name);
	return -1;
}

/* Till the bridge has noticed the cables: what is said is heard. */
static void wait_heard(const struct vif_link *from, unsigned int vid,
		       const struct vif_link *to)
{
	struct pollfd p = { .fd = to->fd[0], .events = POLLIN };
	char scrap[2000];

	cr_assert(SOON((say(from, vid, "cable"), poll(&p, 1, 20) > 0)));
	while (poll(&p, 1, 100) > 0)
		cr_assert_gt(read(to->fd[0], scrap, sizeof(scrap)), 0);
}

Test(vif_setup, a_bridge_that_does_not_know_vlans)
{
	struct vif_config cfg = { .domid = 3, .bridge = "br0", .vlan = "10" };

	cr_assert_eq(link_add_bridge(nl, "br0", "02:53:00:00:00:01"), 0);
	expect_refused(&cfg, "vlan='10' needs a bridge that knows VLANs",
		       "link set br0 type bridge vlan_filtering 1");
	cfg.vlan = "10/\n";
	expect_refused(&cfg, "vlan '10/\\x0a'", "such as 10p/20-29");
	cfg.vlan = "10/20";
	expect_refused(&cfg, "vlan '10/20': one VLAN must be", "10p/20-29");
	cfg.net = "nat";
	cfg.vlan = "10";
	expect_refused(&cfg, "vlan= is for a card on a bridge", "leave net=");
}

/* In the lab, where the kernel has what it takes: tests/e2e/lab_wire.sh. */
Test(vif_setup, vlans_are_kept_apart)
{
	static const char *const vlan[] = { "10", "10", "20", "1p/10/20-29",
					    NULL };
	struct vif_config cfg = { .domid = 3, .bridge = "br0", .queues = 1 };
	struct vif_link l[5];

	if (system("ip link add br0 type bridge vlan_filtering 1 2>&1"))
		cr_skip_test("the kernel's bridges know no VLANs");
	cr_assert_eq(system("ip link set br0 up"), 0);
	for (unsigned int i = 0; i < 5; i++) {
		cfg.devid = i;
		cfg.vlan = vlan[i];
		cr_assert_eq(open_vif(&cfg, &l[i]), 0, "%s", err);
		plug(&l[i]);
	}
	wait_heard(&l[0], 0, &l[1]);
	wait_heard(&l[0], 0, &l[3]);
	wait_heard(&l[2], 0, &l[3]);
	wait_heard(&l[4], 0, &l[3]);
	say(&l[0], 0, "ten");
	say(&l[2], 0, "twenty");
	say(&l[4], 0, "one");
	for (unsigned int vid = 10; vid <= 20; vid += 10)
		say(&l[3], vid, "end");
	say(&l[3], 0, "end");
	cr_expect_eq(hear(&l[1], "ten"), 0);
	cr_expect_eq(hear(&l[1], "twenty"), -1);
	cr_expect_eq(hear(&l[0], "one"), -1);
	cr_expect_eq(hear(&l[2], "ten"), -1);
	cr_expect_eq(hear(&l[4], "twenty"), -1);
	cr_expect_eq(hear(&l[3], "ten"), 10);
	cr_expect_eq(hear(&l[3], "twenty"), 20);
	cr_expect_eq(hear(&l[3], "one"), 0);
	say(&l[3], 20, "tagged");
	cr_expect_eq(hear(&l[2], "tagged"), 0, "comes without its tag");
	say(&l[3], 30, "not its own");
	say(&l[3], 20, "end");
	cr_expect_eq(hear(&l[2], "not its own"), -1);
	for (unsigned int i = 0; i < 5; i++)
		vif_close(&l[i]);
}

/* ---- Open vSwitch, of the test's own, with its datapath in user space ---------- */

/* Run a command of Open vSwitch's; returns the first line of what it prints. */
static const char *ovs(const char *fmt, ...)
{
	static char line[512];
	char command[1024], args[700];
	va_list ap;
	FILE *f;

	va_start(ap, fmt);
	vsnprintf(args, sizeof(args), fmt, ap);
	va_end(ap);
	snprintf(command, sizeof(command),
		 "cd %s && export OVS_RUNDIR=$PWD OVS_LOGDIR=$PWD "
		 "OVS_DBDIR=$PWD && %s 2>&1",
		 ovs_dir, args);
	f = popen(command, "re");
	cr_assert_not_null(f);
	line[0] = '\0';
	if (fgets(line, sizeof(line), f))
		line[strcspn(line, "\n")] = '\0';
	cr_assert_eq(pclose(f), 0, "%s: %s", args, line);
	return line;
}

static void ovs_start(void)
{
	char sock[64];

	cr_assert_not_null(mkdtemp(ovs_dir));
	snprintf(sock, sizeof(sock), "%s/db.sock", ovs_dir);
	setenv("SPLITVISOR_OVSDB", sock, 1);
	ovs("ovsdb-tool create conf.db "
	    "/usr/share/openvswitch/vswitch.ovsschema");
	ovs("ovsdb-server --remote=punix:db.sock --pidfile --detach "
	    "--log-file conf.db");
	ovs("ovs-vsctl --no-wait init");
	ovs("ovs-vswitchd --disable-system --pidfile --detach "
	    "--log-file");
	ovs("ovs-vsctl --timeout=60 add-br ovs0 -- set bridge ovs0 "
	    "datapath_type=netdev");
}

Test(vif_setup, open_vswitch)
{
	struct vif_config cfg = { .domid = 3, .mac = MAC_A, .queues = 1 };
	struct vif_link a, b, c, d;

	ovs_start();
	cfg.bridge = "ovs0";
	cfg.vlan = "10";
	cr_assert_eq(open_vif(&cfg, &a), 0, "%s", err);
	cfg.bridge = "ovs0.10";
	cfg.vlan = NULL;
	cfg.devid = 1;
	cr_assert_eq(open_vif(&cfg, &b), 0, "%s", err);
	cfg.bridge = "ovs0.1:10:20";
	cfg.devid = 2;
	cr_assert_eq(open_vif(&cfg, &c), 0, "%s", err);
	cfg.bridge = "ovs0.20";
	cfg.vifname = "web";
	cfg.devid = 3;
	cr_assert_eq(open_vif(&cfg, &d), 0, "%s", err);
	plug(&a);
	plug(&b);
	plug(&c);
	plug(&d);
	cr_expect_str_eq(ovs("ovs-vsctl get interface vif3.0 "
			     "external-ids:attached-mac"),
			 "\"" MAC_A "\"");
	cr_expect_str_eq(ovs("ovs-vsctl get port vif3.2 trunks vlan_mode tag | "
			     "paste -sd ' '"),
			 "[10, 20] native-untagged 1");
	wait_heard(&a, 0, &b);
	wait_heard(&a, 0, &c);
	wait_heard(&d, 0, &c);
	say(&a, 0, "ten");
	cr_expect_eq(hear(&b, "ten"), 0);
	cr_expect_eq(hear(&c, "ten"), 10);
	say(&d, 0, "twenty");
	cr_expect_eq(hear(&c, "twenty"), 20);
	say(&c, 10, "end");
	say(&c, 20, "end");
	cr_expect_eq(hear(&b, "twenty"), -1);
	cr_expect_eq(hear(&d, "ten"), -1);

	vif_close(&a);
	cr_expect_str_eq(ovs("ovs-vsctl list-ports ovs0 | paste -sd ' '"),
			 "vif3.1 vif3.2 web");
	vif_close(&b);
	vif_close(&c);
	vif_close(&d);
	cr_expect_str_eq(ovs("ovs-vsctl list-ports ovs0"), "");
	cr_expect_str_eq(ovs("ovs-vsctl --columns=name list interface | wc -l"),
			 "1");
}

Test(vif_setup, open_vswitch_refuses)
{
	static const char *const bad[] = {
		"ovs0.",	 "ovs0.0",   "ovs0.4095",	   "ovs0:",
		"ovs0.1.2",	 "ovs0:5.6", "ovs0:5:5",	   "ovs0.5:5",
		"ovs0.99999999", "ovs0.1x",  "a-name-of-sixtee.1", ".1",
		"ovs\".1",
	};
	struct vif_config cfg = { .domid = 3, .mac = MAC_A };

	ovs_start();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cfg.bridge = bad[i];
		expect_refused(&cfg, "bridge '", "");
	}
	cfg.bridge = "ovs9";
	expect_refused(&cfg, "bridge ovs9 does not exist", "create it");
	cfg.bridge = "lo";
	expect_refused(&cfg, "lo is not a bridge", "bridge=");
	cfg.bridge = "ovs0.5";
	cfg.vlan = "6";
	expect_refused(&cfg,
		       "'ovs0.5' names VLANs, and so does vlan=", "use one");
	cfg.vlan = NULL;
	cfg.mac = "x\"y";
	expect_refused(&cfg, "mac= of vif3.0", "such as");
	cfg.mac = MAC_A;
	ovs("ovs-vsctl --no-wait add-port ovs0 vif3.0"); /* somebody else's */
	expect_refused(&cfg, "does not take vif3.0", "ovs-vsctl show");
	cr_expect_str_eq(ovs("ovs-vsctl list-ports ovs0"), "vif3.0");
}

/* It is started after sv-backend: a card in service is its port then. */
Test(vif_setup, open_vswitch_is_late)
{
	struct vif_config cfg = { .domid = 3, .bridge = "ovs0", .mac = MAC_A };
	struct vif_link l;

	open_without_bridge("ovs0", &l);
	ovs_start();
	cr_expect_eq(vif_heal(&cfg, &l, nl, err, sizeof(err)), 1, "%s", err);
	cr_expect_not(vif_astray(&l, nl));
	cr_expect(vif_carrier(&l, nl));
	cr_expect_str_eq(ovs("ovs-vsctl list-ports ovs0"), "vif3.0");
	vif_close(&l);
	cr_expect_str_eq(ovs("ovs-vsctl list-ports ovs0"), "");
}

/* The port outlives a killed parent and its interface; not the next one's start. */
Test(vif_setup, open_vswitch_is_swept)
{
	struct vif_config cfg = { .domid = 3, .mac = MAC_A, .bridge = "ovs0" };
	struct vif_link l;
	int status;
	pid_t pid;

	ovs_start();
	ovs("ovs-vsctl --no-wait add-port ovs0 mine");
	pid = proc_fork();
	if (!pid) {
		if (open_vif(&cfg, &l))
			_exit(1);
		raise(SIGKILL);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status));
	cr_expect_str_eq(ovs("ovs-vsctl list-ports ovs0 | paste -sd ' '"),
			 "mine vif3.0");
	cr_assert_eq(open_vif(&cfg, &l), 0, "the same again: %s", err);
	vif_close(&l);
	pid = proc_fork();
	if (!pid) {
		if (open_vif(&cfg, &l))
			_exit(1);
		raise(SIGKILL);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	vif_sweep();
	cr_expect_str_eq(ovs("ovs-vsctl list-ports ovs0"), "mine");
}

/* The recipe of docs/networking.md; the other host is a namespace of its own. */
Test(vif_setup, vxlan_between_hosts)
{
	static const char host[] =
		"ip addr add 192.0.2.%d/24 dev up%d && ip link set up%d up && "
		"ip link add vx7 type vxlan id 7 dstport 4789 local 192.0.2.%d "
		"remote 192.0.2.%d && ip link add br7 type bridge && "
		"ip link set vx7 master br7 up && ip link set br7 mtu 1450 up";
	struct vif_config cfg = { .domid = 3, .bridge = "br7", .queues = 1 };
	struct vif_link l[2];
	char command[512];
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there;

	cr_assert_eq(system("ip link add up1 type veth peer name up2"), 0);
	cr_assert_eq(unshare(CLONE_NEWNET), 0);
	there = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(setns(here, CLONE_NEWNET), 0);
	snprintf(command, sizeof(command),
		 "ip link set up2 netns /proc/%d/fd/%d", (int)getpid(), there);
	cr_assert_eq(system(command), 0);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(setns(i ? there : here, CLONE_NEWNET), 0);
		snprintf(command, sizeof(command), host, 1 + i, 1 + i, 1 + i,
			 1 + i, 2 - i);
		cr_assert_eq(system(command), 0);
		cr_assert_eq(open_vif(&cfg, &l[i]), 0, "%s", err);
		plug(&l[i]);
	}
	wait_heard(&l[0], 0, &l[1]);
	wait_heard(&l[1], 0, &l[0]);
	say(&l[0], 0, "over");
	cr_expect_eq(hear(&l[1], "over"), 0);
	say(&l[1], 0, "back");
	cr_expect_eq(hear(&l[0], "back"), 0);
	vif_close(&l[1]);
	cr_assert_eq(setns(here, CLONE_NEWNET), 0);
	cr_expect_eq(get("vif3.0").mtu, 1450);
	vif_close(&l[0]);
	close(there);
	close(here);
}

/* ---- without a bridge --------------------------------------------------------- */

/* The first line that a command prints. */
static const char *shell(const char *command)
{
	static char line[256];
	FILE *f = popen(command, "re");

	cr_assert_not_null(f);
	line[0] = '\0';
	if (fgets(line, sizeof(line), f))
		line[strcspn(line, "\n")] = '\0';
	pclose(f);
	return line;
}

/* Wait @ms for an ARP packet of this kind with these addresses. */
static bool hear_arp(const struct vif_link *l, uint8_t kind, const char *from,
		     const char *to, int ms)
{
	uint8_t f[200], want[8] = { 0 },
			*at = f + sizeof(struct virtio_net_hdr);
	struct pollfd p = { .fd = l->fd[0], .events = POLLIN };

	cr_assert_eq(inet_pton(AF_INET, from, want), 1);
	cr_assert_eq(inet_pton(AF_INET, to, want + 4), 1);
	while (poll(&p, 1, ms) > 0) {
		if (read(l->fd[0], f, sizeof(f)) >= 52 && at[12] == 8 &&
		    at[13] == 6 && at[21] == kind &&
		    !memcmp(at + 28, want, 4) && !memcmp(at + 38, want + 4, 4))
			return true;
	}
	return false;
}

Test(vif_setup, routed)
{
	struct vif_config a = { .domid = 3,
				.net = "route",
				.mac = MAC_A,
				.queues = 1,
				.guard = "10.5.0.2 10.6.0.0/24 fd00:5::2" };
	uint8_t f[sizeof(struct virtio_net_hdr) + 60] = { 0 };
	uint8_t *at = f + sizeof(struct virtio_net_hdr);
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = 7 };
	struct vif_link l;
	int fd;

	cr_assert_eq(system("ip link add up0 type veth peer name up1 && "
			    "ip link set up0 up && ip link set up1 up && "
			    "ip addr add 10.99.0.1/24 dev up0"),
		     0);
	cr_assert_eq(open_vif(&a, &l), 0, "%s", err);
	cr_expect_eq(forward(), '1');
	cr_expect_eq(read_char(FORWARD6), '1');
	cr_expect_eq(get("vif3.0").master, 0);
	cr_expect_str_eq(shell("ip -o route show dev vif3.0 scope link | "
			       "awk '{ print $1 }' | paste -sd,"),
			 "10.5.0.2,10.6.0.0/24");
	cr_expect_not_null(
		strstr(shell("ip -6 route show fd00:5::2"), "dev vif3.0"));
	cr_expect_not_null(
		strstr(shell("ip -6 -o addr show dev vif3.0"), "fe80::1/64"));
	plug(&l);
	/* The guest asks for what is elsewhere: the host's address, and beyond. */
	for (int i = 0; i < 2; i++) {
		const char *who = i ? "10.99.0.7" : "10.99.0.1";
		bool heard = false;

		memset(at, 0xff, 6);
		memcpy(at + 6, "\0\x16\x3e\0\0\x0a\x08\6\0\1\x08\0\6\4\0\1",
		       16);
		memcpy(at + 22, at + 6, 6);
		cr_assert_eq(inet_pton(AF_INET, "10.5.0.2", at + 28), 1);
		cr_assert_eq(inet_pton(AF_INET, who, at + 38), 1);
		/* What an interface sends is lost till it has seen its carrier. */
		for (int tries = 0; tries < PATIENCE_MS / 200 && !heard;
		     tries++) {
			cr_assert_eq(write(l.fd[0], f, sizeof(f)), sizeof(f));
			heard = hear_arp(&l, 2, who, "10.5.0.2", 200);
		}
		cr_expect(heard, "%s", who);
	}
	/* The host looks for the guest. */
	cr_assert_eq(system("ip neigh flush dev vif3.0"), 0);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(inet_pton(AF_INET, "10.6.0.9", &sa.sin_addr), 1);
	cr_assert_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&sa, sizeof(sa)),
		     1);
	close(fd);
	cr_expect(hear_arp(&l, 1, "10.99.0.1", "10.6.0.9", PATIENCE_MS));
	vif_close(&l);
	cr_expect_eq(forward(), '0');
	cr_expect_eq(read_char(FORWARD6), '0');
	cr_expect_str_eq(shell("ip route show 10.5.0.2"), "");
}

Test(vif_setup, routed_refusals)
{
	struct vif_config a = { .domid = 3, .net = "route", .mac = MAC_A };

	expect_refused(&a, "what to route to the guest", "by ip=");
	a.guard = "10.5.0.2";
	a.net = "route:10.5.0.2";
	expect_refused(&a, "takes no value", "ip=");
	a.net = "route";
	a.bridge = "br0";
	expect_refused(&a, "without a bridge", "leave bridge=");
	a.bridge = NULL;
	cr_assert_eq(system("ip link add up0 type veth peer name up1 && "
			    "ip link set up0 up && "
			    "ip route add 10.5.0.2 dev up0"),
		     0);
	expect_refused(&a, "a route to 10.5.0.2/32 already", "change ip=");
	cr_expect_eq(forward(), '0');
}

/* Two cards of one wiring that needs it: the last one to go turns it off. */
Test(vif_setup, forwarding_has_several_users)
{
	struct vif_config a = {
		.domid = 3, .net = "route", .mac = MAC_A, .guard = "10.5.0.2"
	};
	struct vif_config b = { .domid = 4, .net = "nat", .mac = MAC_B };
	struct vif_link la, lb;
	int status;
	pid_t pid;

	cr_assert_eq(open_vif(&a, &la), 0, "%s", err);
	cr_assert_eq(open_vif(&b, &lb), 0, "%s", err);
	vif_close(&lb);
	cr_expect_eq(forward(), '1');
	cr_assert_eq(open_vif(&b, &lb), 0, "%s", err);
	vif_close(&la);
	cr_expect_eq(forward(), '1');
	vif_close(&lb);
	cr_expect_eq(forward(), '0');

	pid = proc_fork();
	if (!pid) {
		if (open_vif(&a, &la))
			_exit(1);
		raise(SIGKILL);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status));
	cr_expect_eq(forward(), '1');
	vif_sweep();
	cr_expect_eq(forward(), '0');
}

Test(vif_setup, macvtap)
{
	struct vif_config a = {
		.domid = 3, .net = "macvtap:up0", .mac = MAC_A, .queues = 2
	};
	struct vif_link l, second;
	struct virtio_net_hdr v;
	uint8_t got[PACKET_MAX];
	int host, status;
	pid_t pid;

	cr_assert_eq(system("ip link add up0 type veth peer name up1 && "
			    "ip link set up0 up && ip link set up1 up && "
			    "ip link set up0 mtu 1400"),
		     0);
	cr_assert_eq(open_vif(&a, &l), 0, "%s", err);
	cr_expect_eq(get("vif3.0").mtu, 1400);
	cr_assert_eq(read_mac("vif3.0", got), 0);
	cr_expect_arr_eq(got, "\0\x16\x3e\0\0\x0a", 6);
	for (int i = 0; i < 2; i++) { /* what a worker does, and again */
		plug(&l);
		cr_expect_eq(tap_attach(l.fd[0], true), 0);
		cr_expect_eq(tap_attach(l.fd[1], !i), 0);
		cr_expect_eq(tap_offload(l.fd[0],
					 &(struct net_caps){ .sg = true,
							     .csum4 = true,
							     .tso4 = true }),
			     0);
	}
	host = packet_open("up1");
	do {
		say(&l, 0, "out");
		status = (int)packet_recv(host, &v, got, 20);
	} while (status < 20 || memcmp(got + 14, "out", 4) != 0);
	memset(got, 0xff, 6);
	snprintf((char *)got + 14, TEXT, "in");
	got[12] = 0x88;
	got[13] = 0xb5;
	packet_send(host, &v, got, 64);
	cr_expect_eq(hear(&l, "in"), 0);
	cr_expect_eq(open_vif(&a, &second), -EEXIST);
	cr_expect_not_null(strstr(err, "interface vif3.0 exists"), "%s", err);
	vif_close(&l);
	cr_expect_eq(link_get(nl, "vif3.0", &(struct link_info){ 0 }), -ENODEV);
	close(host);

	/* It would outlive us: the next to start removes it. */
	pid = proc_fork();
	if (!pid) {
		if (open_vif(&a, &l))
			_exit(1);
		raise(SIGKILL);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status));
	get("vif3.0");
	vif_sweep();
	cr_expect_eq(link_get(nl, "vif3.0", &(struct link_info){ 0 }), -ENODEV);
	get("up0");
}

Test(vif_setup, macvtap_refusals)
{
	static const char *const bad[] = { "macvtap", "macvtap:lo:fast",
					   "macvtap:", "macvtap:a/b",
					   "macvtap:a-name-of-sixtee" };
	struct vif_config a = { .domid = 3, .mac = MAC_A };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		a.net = bad[i];
		expect_refused(&a, "net=macvtap", "");
	}
	a.net = "macvtap:up9";
	expect_refused(&a, "no such interface", "ip link");
	a.net = "macvtap:lo";
	a.bridge = "br0";
	expect_refused(&a, "needs mac=", "no bridge=");
}

Test(vif_setup, unwired)
{
	struct vif_config cfg = { .domid = 3, .devid = 7, .net = "none" };
	struct vif_link l;

	cr_assert_eq(open_vif(&cfg, &l), 0, "%s", err);
	cr_expect_eq(get("vif3.7").master, 0);
	cr_expect_geq(l.nqueues, 1);
	vif_close(&l);
}

Test(vif_setup, refusals_name_the_object_and_a_remedy)
{
	struct vif_config cfg = { .domid = 3, .mac = MAC_A };
	struct vif_link other;

	expect_refused(&cfg, "neither bridge= nor net=", "net=nat");
	cfg.bridge = "br9";
	expect_refused(&cfg, "bridge br9 does not exist", "create it");
	cfg.bridge = "lo";
	expect_refused(&cfg, "lo is not a bridge", "bridge=");
	cfg.bridge = "a/../b";
	expect_refused(&cfg, "'a/../b'", "letters");
	cfg.bridge = "a\nb";
	expect_refused(&cfg, "'a\\x0ab'", "letters");
	cfg.bridge = NULL;
	cfg.net = "wan";
	expect_refused(&cfg, "net='wan'", "use nat");
	cfg.net = "none:x";
	expect_refused(&cfg, "net=none:x", "no value");
	cfg.net = "natty";
	expect_refused(&cfg, "net='natty'", "use nat");
	cfg.net = "nat:10.0.0.0/24";
	expect_refused(&cfg, "'10.0.0.0/24'", VIF_NAT_ADDR);
	cfg.net = "none";
	cfg.mtu = 67;
	expect_refused(&cfg, "mtu 67", "68");
	cfg.mtu = 0;
	cfg.mac = NULL;
	cfg.guard = "10.0.0.2";
	expect_refused(&cfg, "needs its address", "give mac=");
	cfg.mac = "16:3e";
	expect_refused(&cfg, "needs its address", "give mac=");
	cfg.mac = MAC_A;
	cfg.guard = "10.0.0.2\n";
	expect_refused(&cfg, "ip '10.0.0.2\\x0a'", "such as");
	cfg.guard = "10.0.0.2 fd00::/64";
	cfg.vifname = "sixteen-letters.";
	expect_refused(&cfg, "'sixteen-letters.'", "1 to 15");
	cfg.vifname = "lo";
	expect_refused(&cfg, "interface lo exists", "another vifname");
	cfg.vifname = "t0";
	cr_assert_eq(open_vif(&cfg, &other), 0);
	cr_expect_str_eq(other.guard, cfg.guard);
	expect_refused(&cfg, "interface t0 exists", "another vifname");
	vif_close(&other);

	cfg.vifname = NULL;
	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	cr_assert_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mount("none", "/dev/net", "tmpfs", 0, NULL), 0);
	expect_refused(&cfg, "/dev/net/tun is not there", "modprobe tun");
	cfg.net = "nat";
	expect_refused(&cfg, "/dev/net/tun is not there", "modprobe tun");
	cr_expect_eq(forward(), '0');
	cr_expect_not(has_table("ip splitvisor-sv-nat"));
}

Test(vif_setup, nat_comes_with_the_first_and_goes_with_the_last)
{
	struct vif_config a = { .domid = 3, .net = "nat", .mac = MAC_A };
	struct vif_config b = { .domid = 4, .net = "nat", .mac = MAC_B };
	struct vif_link la, lb;
	struct dhcp_lease lease;
	char first[64];

	a.mtu = 1400;
	cr_expect_eq(forward(), '0');
	cr_assert_eq(open_vif(&a, &la), 0, "%s", err);
	cr_assert_eq(open_vif(&b, &lb), 0, "%s", err);
	cr_expect_eq(forward(), '1');
	cr_expect(has_table("ip splitvisor-sv-nat"));
	cr_expect(is_up("sv-nat"));
	cr_expect_eq(link_has_addr(nl, get("sv-nat").index, 0xc0a8e701, 24), 1);
	cr_expect_eq(get("vif3.0").master, get("sv-nat").index);
	cr_expect_str_neq(la.ip, lb.ip);
	cr_assert_eq(dhcp_lease_parse(la.lease, &lease), 0, "%s", la.lease);
	cr_expect_eq(lease.mac[5], 0x0a);
	cr_expect_eq(lease.ip >> 8, 0xc0a8e7);
	cr_expect_eq(lease.router, 0xc0a8e701);
	cr_expect_eq(lease.prefix, 24);
	cr_expect_eq(lease.mtu, 1400);

	strcpy(first, la.ip);
	vif_close(&la);
	cr_expect(has_table("ip splitvisor-sv-nat"));
	vif_sweep();
	get("sv-nat"); /* has a port */
	cr_assert_eq(open_vif(&a, &la), 0, "%s", err);
	cr_expect_str_eq(la.ip, first, "the same for the same MAC");
	vif_close(&la);
	vif_close(&lb);
	cr_expect_eq(link_get(nl, "sv-nat", &(struct link_info){ 0 }), -ENODEV);
	cr_expect_not(has_table("ip splitvisor-sv-nat"));
	cr_expect_eq(forward(), '0');
}

/* The address that the bridge has of an IPv6 network, as text; "" if none. */
static const char *bridge_ip6(const char *bridge)
{
	static char line[128];
	char command[128];
	FILE *f;

	snprintf(command, sizeof(command),
		 "ip -6 -o addr show dev %s scope global 2>/dev/null | "
		 "awk '{ print $4 }'",
		 bridge);
	f = popen(command, "re");
	line[0] = '\0';
	if (f && fgets(line, sizeof(line), f))
		line[strcspn(line, "\n")] = '\0';
	if (f)
		pclose(f);
	return line;
}

Test(vif_setup, nat_of_ipv6)
{
	struct vif_config a = { .domid = 3, .net = "nat", .mac = MAC_A };
	struct vif_config b = { .domid = 4, .net = "nat", .mac = MAC_B };
	struct vif_link la, lb;
	char first[64];
	struct ra ra;

	a.mtu = 1400;
	cr_expect_eq(read_char(FORWARD6), '0');
	cr_assert_eq(open_vif(&a, &la), 0, "%s", err);
	cr_expect_eq(read_char(FORWARD6), '1');
	cr_expect(has_table("ip6 splitvisor-sv-nat"));
	snprintf(first, sizeof(first), "%s", bridge_ip6("sv-nat"));
	cr_expect_eq(strncmp(first, "fd", 2), 0, "%s", first);
	cr_expect_not_null(strstr(first, "::1/64"), "%s", first);
	cr_assert_eq(ra_parse(la.ra, &ra), 0, "%s", la.ra);
	cr_expect_eq(ra.mac[5], 0x0a);
	cr_expect_eq(ra.prefix[0], 0xfd);
	cr_expect_eq(ra.mtu, 1400);
	cr_expect_arr_eq(ra.router, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	b.guard = "192.168.231.9";
	b.ip = b.guard;
	cr_assert_eq(open_vif(&b, &lb), 0, "%s", err);
	cr_expect_str_eq(lb.ra, "", "with ip= it has that address alone");
	vif_close(&la);
	cr_expect_eq(read_char(FORWARD6), '1');
	vif_close(&lb);
	cr_expect_eq(read_char(FORWARD6), '0');
	cr_expect_not(has_table("ip6 splitvisor-sv-nat"));
	cr_assert_eq(open_vif(&a, &la), 0, "%s", err);
	cr_expect_str_eq(bridge_ip6("sv-nat"), first, "the same each time");
	vif_close(&la);

	set_forward(FORWARD6, "1"); /* somebody else's wish stays */
	cr_assert_eq(open_vif(&a, &la), 0, "%s", err);
	vif_close(&la);
	cr_expect_eq(read_char(FORWARD6), '1');
}

Test(vif_setup, nat_of_ipv6_as_asked_for)
{
	static const char *const bad[] = {
		"nat:10.7.0.1/16+",	      "nat:10.7.0.1/16+fd00::/64",
		"nat:10.7.0.1/16+fd00::1/63", "nat:10.7.0.1/16+fd00::1",
		"nat:10.7.0.1/16+fe80::1/64", "nat:+::1/64",
		"nat:+10.7.0.1/16",
	};
	struct vif_config a = { .domid = 3, .mac = MAC_A };
	struct vif_link l, second;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		a.net = bad[i];
		expect_refused(&a, "is not a host's IPv6 address", "or none");
	}
	a.net = "nat:10.7.0.1/16+fd00:7::1/64";
	cr_assert_eq(open_vif(&a, &l), 0, "%s", err);
	cr_expect_str_eq(bridge_ip6("sv-nat"), "fd00:7::1/64");
	a.domid = 4;
	a.net = "nat:10.7.0.1/16+fd00:8::1/64";
	cr_expect_eq(open_vif(&a, &second), -EEXIST);
	cr_expect_not_null(strstr(err, "has IPv6 network fd00:7::1/64"), "%s",
			   err);
	a.net = "nat:10.7.0.1/16+none";
	cr_expect_eq(open_vif(&a, &second), -EEXIST);
	a.net = "nat:10.7.0.1/16";
	cr_assert_eq(open_vif(&a, &second), 0, "%s", err);
	cr_expect_not_null(strstr(second.ra, "prefix=fd00:7::/64"), "%s",
			   second.ra);
	vif_close(&second);
	vif_close(&l);

	a.net = "nat:+none";
	cr_assert_eq(open_vif(&a, &l), 0, "%s", err);
	cr_expect_str_eq(bridge_ip6("sv-nat"), "");
	cr_expect_eq(read_char(FORWARD6), '0');
	cr_expect_str_eq(l.ra, "");
	cr_expect_str_neq(l.lease, "");
	vif_close(&l);
}

/* What a guest sends into the world comes from the host, and it is let out. */
Test(vif_setup, nat_of_ipv6_hides_the_guest)
{
	struct vif_config a = { .domid = 3,
				.net = "nat:+fd00:7::1/64",
				.mac = MAC_A,
				.queues = 1 };
	uint8_t f[sizeof(struct virtio_net_hdr) + 70] = { 0 };
	uint8_t *at = f + sizeof(struct virtio_net_hdr), got[PACKET_MAX];
	struct virtio_net_hdr v;
	struct vif_link l;
	size_t len = 0;
	int host;

	cr_assert_eq(system("ip link add up0 type veth peer name up1 && "
			    "ip link set up0 up && ip link set up1 up && "
			    "ip addr add 2001:db8::1/64 dev up0 nodad && "
			    "ip neigh add 2001:db8::2 lladdr 02:00:00:00:00:02 "
			    "dev up0"),
		     0);
	cr_assert_eq(open_vif(&a, &l), 0, "%s", err);
	plug(&l);
	host = packet_open("up1");
	memcpy(at, "\x33\x33\0\0\0\1\0\x16\x3e\0\0\x0a\x86\xdd\x60", 15);
	at[19] = 16;
	at[20] = 17;
	at[21] = 64;
	cr_assert_eq(inet_pton(AF_INET6, "fd00:7::a", at + 22), 1);
	cr_assert_eq(inet_pton(AF_INET6, "2001:db8::2", at + 38), 1);
	memcpy(at + 54, "\x10\0\x20\0\0\x10\0\0", 8); /* no checksum */
	cr_assert_eq(read_mac("sv-nat", at), 0);
	for (int i = 0; i < PATIENCE_MS / 20 && len < 62; i++) {
		cr_assert_eq(write(l.fd[0], f, sizeof(f)), sizeof(f));
		while ((len = packet_recv(host, &v, got, 20)) &&
		       (got[12] != 0x86 || got[20] != 17))
			;
	}
	cr_assert_geq(len, 62, "nothing came out");
	cr_assert_eq(inet_pton(AF_INET6, "2001:db8::1", at + 22), 1);
	cr_expect_arr_eq(got + 22, at + 22, 16, "the host's address");
	close(host);
	vif_close(&l);
}

/* To forward would cost the host its own routes: then it does not. */
Test(vif_setup, nat_of_ipv6_where_the_host_hears_a_router)
{
	struct vif_config a = { .domid = 3, .net = "nat", .mac = MAC_A };
	struct vif_link l;

	cr_assert_eq(
		system("ip link add up0 type veth peer name up1 && ip link "
		       "set up0 up && ip -6 route add 2001:db8::/32 dev up0 "
		       "proto ra"),
		0);
	cr_assert_eq(open_vif(&a, &l), 0, "%s", err);
	cr_expect_eq(read_char(FORWARD6), '0');
	cr_expect_eq(forward(), '1');
	cr_expect_str_eq(l.ra, "");
	vif_close(&l);
	a.net = "nat:+fd00:7::1/64";
	expect_refused(&a, "its own routes from router", "accept_ra=2");
	cr_expect_eq(forward(), '0');
}

Test(vif_setup, nat_addresses)
{
	struct vif_config a = { .domid = 4,
				.net = "nat:10.9.8.1/29",
				.mac = MAC_A };
	struct vif_link l[8];
	unsigned int seen = 0;

	for (unsigned int i = 0; i < 5; i++) { /* .2 to .6 */
		a.devid = i;
		cr_assert_eq(open_vif(&a, &l[i]), 0, "%s", err);
		cr_assert_eq(strncmp(l[i].ip, "10.9.8.", 7), 0);
		seen |= 1u << atoi(l[i].ip + 7);
	}
	cr_expect_eq(seen, 0x7c);
	a.devid = 5;
	cr_expect_eq(open_vif(&a, &l[5]), -EADDRINUSE);
	a.ip = "10.9.8.4";
	cr_expect_eq(open_vif(&a, &l[5]), -EADDRINUSE);
	cr_expect_not_null(strstr(err, "10.9.8.4"), "%s", err);
	for (unsigned int i = 0; i < 5; i++) {
		if (!strcmp(l[i].ip, a.ip))
			vif_close(&l[i]);
	}
	cr_assert_eq(open_vif(&a, &l[5]), 0, "%s", err);
	cr_expect_str_eq(l[5].ip, "10.9.8.4");
	a.devid = 6;
	for (int i = 0; i < 4; i++) {
		static const char *const bad[] = { "10.9.8.1", "10.9.8.7",
						   "10.9.8.0", "10.9.9.2" };

		a.ip = bad[i];
		cr_expect_eq(open_vif(&a, &l[6]), -EINVAL, "%s", bad[i]);
	}
	a.ip = NULL;
	a.mac = "00:16:3e";
	cr_expect_eq(open_vif(&a, &l[6]), -EINVAL);
	cr_expect_not_null(strstr(err, "mac="), "%s", err);
	for (unsigned int i = 0; i < 6; i++)
		vif_close(&l[i]);
	cr_expect_eq(link_get(nl, "sv-nat", &(struct link_info){ 0 }), -ENODEV);
}

Test(vif_setup, nat_elsewhere)
{
	struct vif_config a = {
		.domid = 3, .net = "nat", .mac = MAC_A, .bridge = "br0"
	};
	struct vif_link l, second;

	cr_assert_eq(link_add_bridge(nl, "br0", "02:53:00:00:00:01"), 0);
	expect_refused(&a, "br0 exists and is not a NAT bridge", "bridge=");
	cr_assert_eq(link_add_addr(nl, get("br0").index, 0xc0a8e7f0, 24), 0);
	cr_assert_eq(link_change(nl, get("br0").index,
				 &(struct link_want){ .up = true }),
		     0);
	a.bridge = NULL;
	expect_refused(&a, "192.168.231.0/24 through br0", "nat:ADDR/LEN");

	setenv("SPLITVISOR_NAT_BRIDGE", "natty", 1);
	setenv("SPLITVISOR_NAT_ADDR", "10.7.0.1/16", 1);
	cr_assert_eq(open_vif(&a, &l), 0, "%s", err);
	cr_expect_str_eq(l.nat, "natty");
	cr_expect_eq(strncmp(l.ip, "10.7.", 5), 0);
	a.net = "nat:10.8.0.1/16";
	a.domid = 4;
	cr_expect_eq(open_vif(&a, &second), -EEXIST);
	cr_expect_not_null(strstr(err, "natty has address 10.7.0.1/16"), "%s",
			   err);
	a.bridge = "nat2";
	cr_assert_eq(open_vif(&a, &second), 0, "%s", err);
	vif_close(&l);
	cr_expect_eq(forward(), '1', "the other still needs it");
	vif_close(&second);
	cr_expect_eq(forward(), '0');

	set_forward(FORWARD, "1"); /* somebody else's wish stays */
	cr_assert_eq(open_vif(&a, &l), 0, "%s", err);
	vif_close(&l);
	cr_expect_eq(forward(), '1');
}

Test(vif_setup, what_a_killed_parent_leaves_is_swept)
{
	struct vif_config a = { .domid = 3, .net = "nat", .mac = MAC_A };
	struct vif_link l;
	int status;
	pid_t pid;

	pid = proc_fork();
	if (!pid) {
		if (open_vif(&a, &l))
			_exit(1);
		raise(SIGKILL);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status));
	cr_expect_eq(link_get(nl, "vif3.0", &(struct link_info){ 0 }), -ENODEV);
	get("sv-nat");
	vif_sweep();
	cr_expect_eq(link_get(nl, "sv-nat", &(struct link_info){ 0 }), -ENODEV);
	cr_expect_not(has_table("ip splitvisor-sv-nat"));
	cr_expect_not(has_table("ip6 splitvisor-sv-nat"));
	cr_expect_eq(forward(), '0');
	cr_expect_eq(read_char(FORWARD6), '0');
}

Test(vif_setup, nat_addresses_as_text)
{
	static const char *const bad[] = {
		"",
		"10.0.0.1",
		"10.0.0.1/",
		"10.0.0.1/31",
		"10.0.0.1/7",
		"10.0.0.0/24",
		"10.0.0.255/24",
		"10.0.0/24",
		"10.0.0.1/24 ",
		"255.255.255.255.255/24",
	};
	struct nat nat = { .ip = 1 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_eq(nat_parse(bad[i], &nat), -EINVAL, "%s", bad[i]);
	cr_expect_eq(nat.ip, 1);
	cr_expect_eq(nat_parse("10.255.255.254/8", &nat), 0);
	cr_expect_eq(nat.ip, 0x0afffffe);
	cr_expect_eq(nat_parse("10.0.0.2/30", &nat), 0);
}
