// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_backend_vif.c - sv-backend and sv-netback, whole, no guest.
#include <arpa/inet.h>
#include <errno.h>
#include <nftables/libnftables.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "base/fd.h"
#include "dom0-backend/dhcp.h"
#include "dom0-backend/link_nl.h"
#include "tests/lib/fakenic.h"
#include "tests/lib/fakectrl.h"
#include "tests/lib/fakevif.h"
#include "tests/lib/fini.h"
#include "tests/lib/netns.h"
#include "tests/lib/packet.h"
#include "tests/lib/patience.h"

#define DOMID 3u
#define MS    PATIENCE_MS

static const uint8_t mac[6] = { 0, 0x16, 0x3e, 1, 2, 3 };
static const struct virtio_net_hdr plain;

static void expect_refused(const char *key, const char *value,
			   const char *word);

static struct stack s;
static struct link_nl *nl;
static struct fakevif vif;
static uint8_t out[NET_RX_LEN_MAX], in[NET_RX_LEN_MAX];

static void set_up(void)
{
	netns_enter();
	setenv("SPLITVISOR_HOTPLUG_S", "2", 1);
	setenv("SPLITVISOR_OVSDB", "/nonexistent", 1);
	cr_assert_eq(link_open(&nl), 0);
	stack_start(&s, true);
	fakevif_init(&vif, &s, DOMID);
}

static void tear_down(void)
{
	struct link_info info;

	FINI_CHECK(stack_stop(&s));
	FINI_CHECK(link_get(nl, "vif3.0", &info) == -ENODEV);
	FINI_CHECK(link_get(nl, "sv-nat", &info) == -ENODEV);
	link_close(nl);
}

TestSuite(backend_vif, .init = set_up, .fini = tear_down, .timeout = 300);

static void attach(const char *key, const char *value)
{
	fakevif_attach(&vif, key, value);
}

static void detach(void)
{
	cr_expect(fakevif_detach(&vif));
	cr_expect(stack_wait_workers(&s, 0));
	fakevif_remove(&vif);
}

static bool connect_card(struct fakenet *const *q, unsigned int nqueues)
{
	return fakevif_connect(&vif, q, nqueues);
}

/* ---- the guest's half of some protocols ------------------------------------- */

static void send_out(struct fakenet *q, const struct virtio_net_hdr *v,
		     size_t len)
{
	cr_assert(fakenet_send(q, v, out, len, 4096));
	fakenet_push(q);
	cr_assert(fakenet_reap_all(q));
	cr_assert_eq(q->status, NETIF_RSP_OKAY);
}

/* The same, which may be for nobody. */
static void send_dropped(struct fakenet *q, size_t len)
{
	cr_assert(fakenet_send(q, &plain, out, len, 4096));
	fakenet_push(q);
	cr_assert(fakenet_reap_all(q));
}

/* Wait for a packet, on any queue, with @len bytes @want at @at. */
static int recv_with(struct fakenet *const *q, unsigned int nqueues, int ms,
		     size_t at, const void *want, size_t len)
{
	struct virtio_net_hdr v;

	for (int i = 0; i < ms; i++) {
		for (unsigned int k = 0; k < nqueues; k++) {
			int got = fakenet_recv(q[k], &v, in);

			fakenet_post(q[k], 200);
			if (got >= (int)(at + len) &&
			    !memcmp(in + at, want, len))
				return got;
		}
		usleep(1000);
	}
	return 0;
}

static void put_dhcp(uint8_t type)
{
	frame_udp(out, 342);
	memset(out, 0xff, 6);
	memcpy(out + 6, mac, 6);
	memset(out + FRAME_UDP4, 0, 300);
	memset(out + 26, 0, 4);
	memset(out + 30, 0xff, 4);
	memcpy(out + 34, "\0\x44\0\x43", 4);
	memcpy(out + FRAME_UDP4, "\1\1\6", 3);
	memcpy(out + FRAME_UDP4 + 28, mac, 6);
	memcpy(out + FRAME_UDP4 + 236, "\x63\x82\x53\x63\x35\1", 6);
	out[FRAME_UDP4 + 242] = type;
	out[FRAME_UDP4 + 243] = 255;
}

/* Get the address by DHCP, as text. */
static void dhcp(struct fakenet *const *q, unsigned int nqueues, char *ip)
{
	put_dhcp(1);
	send_out(q[0], &plain, 342);
	cr_assert(recv_with(q, nqueues, MS, 34, "\0\x43\0\x44", 4), "no offer");
	cr_expect_eq(in[FRAME_UDP4 + 242], 2);
	inet_ntop(AF_INET, in + FRAME_UDP4 + 16, ip, INET_ADDRSTRLEN);
}

/* Ask for the host's hardware address, which also tells it ours. */
static void arp(struct fakenet *const *q, unsigned int nqueues, uint32_t ip,
		uint32_t host)
{
	memset(out, 0, 60);
	memset(out, 0xff, 6);
	memcpy(out + 6, mac, 6);
	memcpy(out + 12, "\x08\x06\0\1\x08\0\6\4\0\1", 10);
	memcpy(out + 22, mac, 6);
	memcpy(out + 28, &ip, 4);
	memcpy(out + 38, &host, 4);
	/* As any guest, more than once: a bridge notices a cable late. */
	for (int i = 0; i < MS / 200; i++) {
		send_out(q[0], &plain, 60);
		if (recv_with(q, nqueues, 200, 12, "\x08\x06\0\1\x08\0\6\4\0\2",
			      10))
			break;
		cr_assert_lt(i + 1, MS / 200, "no ARP reply");
	}
	memcpy(out, in + 22, 6); /* for the next frame */
}

/*
 * A datagram to the host and one back, each with a blank checksum.
 * @here: As what the host itself knows @host.
 */
static void echo_at(struct fakenet *const *q, unsigned int nqueues, uint32_t ip,
		    uint32_t host, uint32_t here)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(5000),
				  .sin_addr = { here } };
	struct timeval limit = { .tv_sec = MS / 1000 };
	uint8_t dst[6], got[1500];
	socklen_t len = sizeof(sa);
	struct virtio_net_hdr v;
	int fd;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	memcpy(dst, out, 6);
	v = frame_udp_to(out, 1400, dst, mac, ip, host);
	send_out(q[0], &v, 1400);
	cr_assert_eq(recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&sa,
			      &len),
		     1400 - (int)FRAME_UDP4, "nothing at the host");
	cr_expect_arr_eq(got, out + FRAME_UDP4, 1400 - FRAME_UDP4);
	got[0] ^= 1;
	cr_assert_gt(sendto(fd, got, 1000, 0, (struct sockaddr *)&sa, len), 0);
	cr_assert_eq(recv_with(q, nqueues, MS, FRAME_UDP4, got, 1000),
		     1000 + (int)FRAME_UDP4, "nothing at the guest");
	close(fd);
}

static void echo(struct fakenet *const *q, unsigned int nqueues, uint32_t ip,
		 uint32_t host)
{
	echo_at(q, nqueues, ip, host, host);
}

/* ---- tests --------------------------------------------------------------------- */

ParameterizedTestParameters(backend_vif, nat)
{
	static unsigned int queues[] = { 1, 2 };

	return cr_make_param_array(unsigned int, queues, 2);
}

ParameterizedTest(unsigned int *queues, backend_vif, nat)
{
	struct fakedom *dom = fakedom_new(DOMID, FAKENET_RAM);
	struct fakenet *q[2];
	char ip[INET_ADDRSTRLEN];
	struct in_addr guest, host;

	for (unsigned int i = 0; i < *queues; i++)
		q[i] = fakenet_new(dom, *queues > 1);
	attach("net", "nat");
	cr_assert(stack_wait(&s, MS, "2", "%s/state", vif.be));
	cr_expect(stack_wait(&s, 0, "connected", "%s/hotplug-status", vif.be));
	cr_expect(stack_wait(&s, 0, "vif3.0", "%s/vifname", vif.be));
	cr_expect(stack_wait(&s, 0, "1", "%s/feature-sg", vif.be));
	cr_expect(stack_wait(&s, 0, "1", "%s/feature-gso-tcpv4", vif.be));
	cr_expect(stack_wait(&s, 0, "1", "%s/feature-rx-copy", vif.be));
	cr_expect(stack_wait(&s, 0, "0", "%s/feature-rx-flip", vif.be));
	cr_expect(stack_wait(&s, 0, "1", "%s/feature-split-event-channels",
			     vif.be));
	cr_expect(stack_wait(&s, 0, "1", "%s/feature-ctrl-ring", vif.be));
	cr_assert(connect_card(q, *queues));
	dhcp(q, *queues, ip);
	cr_expect(stack_wait(&s, 0, ip, "%s/ip", vif.be), "%s", ip);
	inet_pton(AF_INET, ip, &guest);
	inet_pton(AF_INET, "192.168.231.1", &host);
	arp(q, *queues, guest.s_addr, host.s_addr);
	echo(q, *queues, guest.s_addr, host.s_addr);
	detach();
	for (unsigned int i = 0; i < *queues; i++)
		fakenet_free(q[i]);
	fakedom_free(dom);
}

/* The guest is told its IPv6 router: unasked, and when it asks. */
Test(backend_vif, router_advertisements)
{
	static const uint8_t solicit[] = { 0x86, 0xdd, 0x60, 0,	 0,
					   0,	 0,    8,    58, 255 };
	struct fakedom *dom = fakedom_new(DOMID, FAKENET_RAM);
	struct fakenet *q = fakenet_new(dom, true);

	attach("net", "nat:+fd00:7::1/64");
	cr_assert(connect_card(&q, 1));
	for (int i = 0; i < 2; i++) {
		cr_assert(recv_with(&q, 1, MS, 54, "\x86", 1), "%d", i);
		cr_expect_arr_eq(in + 6, "\xfe\xff\xff\xff\xff\xff", 6);
		cr_expect_arr_eq(in + 86, "\xfd\0\0\7\0\0\0\0", 8);
		memset(out, 0, 62);
		memcpy(out, "\x33\x33\0\0\0\2", 6);
		memcpy(out + 6, mac, 6);
		memcpy(out + 12, solicit, sizeof(solicit));
		memcpy(out + 22, "\xfe\x80", 2);
		memcpy(out + 38, "\xff\2", 2);
		out[53] = 2;
		out[54] = 133;
		send_out(q, &plain, 62);
	}
	detach();
	fakenet_free(q);
	fakedom_free(dom);
}

/* Send a datagram from address @from; returns what was answered. */
static int send_as(struct fakenet *q, const char *from)
{
	struct in_addr a;

	cr_assert_eq(inet_pton(AF_INET, from, &a), 1);
	frame_udp_to(out, 100, mac, mac, a.s_addr, a.s_addr);
	cr_assert(fakenet_send(q, &plain, out, 100, 20));
	fakenet_push(q);
	cr_assert(fakenet_reap_all(q));
	return q->status;
}

/* ip= is what the guest may call itself; the rest is counted and told. */
Test(backend_vif, addresses_that_are_its_own)
{
	struct fakedom *dom = fakedom_new(DOMID, FAKENET_RAM);
	struct fakenet *q = fakenet_new(dom, true);
	struct virtio_net_hdr v;
	int host;

	fakenic_silence();
	stack_write(&s, "10.0.0.2 10.1.0.0/16 fd00::2", "%s/ip", vif.be);
	attach("net", "none");
	cr_assert(connect_card(&q, 1));
	cr_expect(stack_wait(&s, 0, "10.0.0.2 10.1.0.0/16 fd00::2",
			     "%s/antispoof", vif.be));
	host = packet_open("vif3.0");
	cr_expect_eq(send_as(q, "10.0.0.3"), NETIF_RSP_DROPPED);
	cr_expect_eq(send_as(q, "10.2.0.1"), NETIF_RSP_DROPPED);
	/* The host may be late to see the cable: till one comes. */
	for (int i = 0; i < MS / 20; i++) {
		cr_expect_eq(send_as(q, "10.1.2.3"), NETIF_RSP_OKAY);
		if (packet_recv(host, &v, in, 20))
			break;
	}
	cr_expect_arr_eq(in, out, 100, "the first that came");
	cr_expect_eq(send_as(q, "10.0.0.2"), NETIF_RSP_OKAY);
	close(host);
	detach();
	cr_expect_eq(stack_logged("source address is not in ip="), 2);
	cr_expect_eq(stack_logged("2 of them in another's name"), 1);
	fakenet_free(q);
	fakedom_free(dom);
}

/* As xl lets go of a card whose guest is stopped, and does not ask it. */
static void let_go(void)
{
	stack_rm(&s, vif.fe);
	stack_write(&s, "0", "%s/online", vif.be);
	cr_assert(stack_wait(&s, MS, "6", "%s/state", vif.be));
	cr_assert(stack_wait_workers(&s, 0));
	stack_rm(&s, vif.be);
}

/* Whether the host hears a frame of the guest that begins with @want at @at. */
static bool hears(int host, size_t at, const void *want, size_t len)
{
	uint64_t end = util_clock_ns() + PATIENCE_NS;
	struct virtio_net_hdr v;

	while (util_clock_ns() < end) {
		if (packet_recv(host, &v, in, 1000) >= at + len &&
		    !memcmp(in + 6, mac, 6) && !memcmp(in + at, want, len))
			return true;
	}
	return false;
}

static pid_t new_worker(pid_t old)
{
	pid_t now = -1;

	cr_assert(SOON((now = stack_worker(&s, "sv-netback", DOMID)) > 0 &&
		       now != old));
	return now;
}

Test(backend_vif, a_saved_guest_goes_on_and_is_announced)
{
	static const char rarp[] = { (char)0x80, 0x35 },
			  arp[] = { 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };
	struct fakedom *dom = fakedom_new(DOMID, FAKENET_RAM);
	struct fakenet *q = fakenet_new(dom, true);
	pid_t was;
	int host;

	attach("net", "none");
	cr_assert(connect_card(&q, 1));
	frame_udp(out, 100);
	memcpy(out + 6, mac, 6);
	send_dropped(q, 100);
	let_go();
	stack_write(&s, "10.0.0.2", "%s/ip", vif.be);
	attach("net", "none");
	cr_assert(stack_wait(&s, MS, "2", "%s/state", vif.be));
	host = packet_open("vif3.0");
	cr_assert(connect_card(&q, 1));
	cr_expect(hears(host, 12, rarp, sizeof(rarp)));
	cr_expect(hears(host, 12, arp, sizeof(arp)));
	cr_expect_arr_eq(in + 28, "\12\0\0\2", 4, "of its address");
	close(host);
	/* Its next worker knows where this one began. */
	was = stack_worker(&s, "sv-netback", DOMID);
	kill(was, SIGKILL);
	new_worker(was);
	for (unsigned int i = 0; i < 5; i++)
		send_dropped(q, 100);
	cr_expect_eq(stack_logged("serving on"), 1);
	detach();
	fakenet_free(q);
	fakedom_free(dom);
}

/*
 * An address that the NAT chose binds nobody: not when it is found in the store
 * by the next sv-backend either. One that was asked for does, then too.
 */
Test(backend_vif, nat_with_and_without_an_address)
{
	static const char *const asked[] = { "", "192.168.231.77" };

	for (int i = 0; i < 2; i++) {
		struct fakedom *dom = fakedom_new(DOMID, 2 * FAKENET_RAM);
		struct fakenet *q = fakenet_new(dom, true);
		int other = i ? NETIF_RSP_DROPPED : NETIF_RSP_OKAY;
		char ip[INET_ADDRSTRLEN], again[INET_ADDRSTRLEN];
		pid_t pid;

		stack_write(&s, asked[i], "%s/ip", vif.be);
		attach("net", "nat");
		cr_assert(connect_card(&q, 1));
		dhcp(&q, 1, ip);
		cr_expect(stack_wait(&s, 0, asked[i], "%s/antispoof", vif.be));
		cr_expect_eq(send_as(q, ip), NETIF_RSP_OKAY);
		cr_expect_eq(send_as(q, "192.168.231.78"), other);
		pid = new_worker(0);
		stack_new_backend(&s);
		(void)new_worker(pid);
		dhcp(&q, 1, again);
		cr_expect_str_eq(ip, again);
		cr_expect_eq(send_as(q, ip), NETIF_RSP_OKAY);
		cr_expect_eq(send_as(q, "192.168.231.78"), other);
		detach();
		fakenet_free(q);
		fakedom_free(dom);
	}
}

/* ---- hotplug scripts -------------------------------------------------------------- */

static char script[64];

/* A script of these lines, in the run directory. */
static void write_script(const char *lines)
{
	FILE *f;

	snprintf(script, sizeof(script), "%s/hook",
		 getenv("SPLITVISOR_RUN_DIR"));
	f = fopen(script, "we");
	cr_assert_not_null(f);
	fprintf(f, "#!/bin/sh\ncd %s\n%s\n", getenv("SPLITVISOR_RUN_DIR"),
		lines);
	cr_assert_eq(fchmod(fileno(f), 0755), 0);
	cr_assert_eq(fclose(f), 0);
}

static bool file_is(const char *name, const char *want)
{
	char path[96], text[512] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", getenv("SPLITVISOR_RUN_DIR"),
		 name);
	f = fopen(path, "re");
	if (f) {
		text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
		fclose(f);
	}
	return !strcmp(text, want);
}

/* What a script finds is what libxl gives it; each online has its offline. */
Test(backend_vif, hotplug_script)
{
	struct fakedom *dom = fakedom_new(DOMID, FAKENET_RAM);
	struct fakenet *q = fakenet_new(dom, true);
	struct link_info info;

	cr_assert_eq(link_add_bridge(nl, "br0", "02:53:00:00:00:01"), 0);
	write_script("echo $1 $2 $vif $XENBUS_TYPE $XENBUS_BASE_PATH "
		     "$XENBUS_PATH $([ $1 = offline ] || "
		     "xenstore-read $XENBUS_PATH/bridge) "
		     "$bridge >>said\n"
		     "ip link show $vif >/dev/null || echo no $vif >>said\n"
		     "[ $script = $0 ] || echo no $script >>said\n"
		     "if [ $1 = online ]; then\n"
		     "	ip link set $vif down\n"
		     "	ip link set $vif name web\n"
		     "	ip link set web master $bridge\n"
		     "	ip link set web up\n"
		     "	xenstore-write $XENBUS_PATH/hotplug-status connected\n"
		     "fi");
	stack_write(&s, "br0", "%s/bridge", vif.be);
	stack_write(&s, "web", "%s/vifname", vif.be);
	attach("hotplug-script", script);
	cr_assert(connect_card(&q, 1));
	cr_assert_eq(link_get(nl, "web", &info), 0);
	cr_expect_neq(info.master, 0);
	cr_expect(file_is("said", "online type_if=vif vif3.0 vif backend "
				  "backend/vif/3/0 br0 br0\n"));
	detach();
	cr_expect(SOON(file_is("said", "online type_if=vif vif3.0 vif backend "
				       "backend/vif/3/0 br0 br0\n"
				       "offline type_if=vif web vif backend "
				       "backend/vif/3/0 br0\n")));
	cr_expect(SOON(link_get(nl, "web", &info) == -ENODEV));
	fakenet_free(q);
	fakedom_free(dom);
}

Test(backend_vif, hotplug_script_fails)
{
	struct fakedom *dom = fakedom_new(DOMID, FAKENET_RAM);
	struct link_info info;

	write_script("[ $1 = offline ] || exit 3");
	expect_refused("hotplug-script", script, "online: ended with status 3");
	write_script("[ $1 = offline ] && exit\n"
		     "xenstore-write $XENBUS_PATH/hotplug-error 'no luck'\n"
		     "exit 1");
	expect_refused("hotplug-script", script, "hook: no luck");
	write_script("[ $1 = offline ] || kill -9 $$");
	expect_refused("hotplug-script", script, "ended by signal 9");
	expect_refused("hotplug-script", "/nonexistent/hook",
		       "script=/nonexistent/hook is not");
	cr_expect(SOON(link_get(nl, "vif3.0", &info) == -ENODEV));
	fakedom_free(dom);
}

/* One that hangs is ended with all that it has started. */
Test(backend_vif, hotplug_script_hangs)
{
	struct fakedom *dom = fakedom_new(DOMID, FAKENET_RAM);
	struct link_info info;
	char path[96];
	pid_t pid[2];
	FILE *f;

	write_script("[ $1 = offline ] && exit\n"
		     "setsid sleep 1000 &\n"
		     "echo $! $$ >pids.new\n"
		     "mv pids.new pids\n"
		     "sleep 1000");
	expect_refused("hotplug-script", script, "has not ended in 2 s");
	snprintf(path, sizeof(path), "%s/pids", getenv("SPLITVISOR_RUN_DIR"));
	f = fopen(path, "re");
	cr_assert_not_null(f);
	cr_assert_eq(fscanf(f, "%d %d", &pid[0], &pid[1]), 2);
	fclose(f);
	for (int i = 0; i < 2; i++)
		cr_expect(SOON(kill(pid[i], 0) && errno == ESRCH));
	cr_expect(SOON(link_get(nl, "vif3.0", &info) == -ENODEV));
	fakedom_free(dom);
}

static void expect_refused(const char *key, const char *value, const char *word)
{
	char *err = NULL;

	attach(key, value);
	cr_expect(stack_wait(&s, MS, "error", "%s/hotplug-status", vif.be));
	cr_assert_eq(store_read(s.store, &err, "%s/hotplug-error", vif.be), 0);
	cr_expect_not_null(strstr(err, word), "'%s' not in: %s", word, err);
	free(err);
	cr_expect(stack_wait_workers(&s, 0));
	fakevif_remove(&vif);
}

Test(backend_vif, refused_by_the_host)
{
	struct fakedom *dom = fakedom_new(DOMID, FAKENET_RAM);

	expect_refused("bridge", "br9", "bridge br9 does not exist");
	expect_refused("net", "wan", "net='wan' is not known");
	expect_refused("vifname", "a b", "'a b'");
	expect_refused("ip", "10.0.0.2 host", "ip '10.0.0.2 host'");
	fakedom_free(dom);
}

Test(backend_vif, bad_frontend_keys)
{
	static const struct {
		const char *name, *value, *good;
	} bad[] = {
		{ "multi-queue-num-queues", "0", "1" },
		{ "multi-queue-num-queues", "65536", "1" },
		{ "multi-queue-num-queues", "abc", "1" },
		{ "multi-queue-num-queues", "-1", "1" },
		{ "request-rx-copy", "0", "1" },
		{ "tx-ring-ref", "4294967296", NULL },
		{ "rx-ring-ref", "63999", NULL },
		{ "event-channel-tx", "4095", NULL },
	};
	struct fakedom *dom = fakedom_new(DOMID, FAKENET_RAM);
	struct fakenet *q = fakenet_new(dom, true);

	attach("net", "none");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_assert(stack_wait(&s, MS, "2", "%s/state", vif.be), "%s=%s",
			  bad[i].name, bad[i].value);
		fakevif_write_keys(&vif, &q, 1);
		stack_write(&s, bad[i].value, "%s/%s", vif.fe, bad[i].name);
		stack_write(&s, "4", "%s/state", vif.fe);
		cr_assert(stack_wait(&s, MS, "5", "%s/state", vif.be), "%s=%s",
			  bad[i].name, bad[i].value);
		cr_expect_not(fakedom_bound(dom, q->keys.tx_port));
		stack_write(&s, "6", "%s/state", vif.fe);
		cr_assert(stack_wait(&s, MS, "6", "%s/state", vif.be));
		stack_write(&s, "1", "%s/state", vif.fe);
	}
	cr_assert(connect_card(&q, 1)); /* and a good one */
	detach();
	fakenet_free(q);
	fakedom_free(dom);
}

/* Reboot, kexec and module reload; features and queues differ each time. */
Test(backend_vif, reconnect_cycles)
{
	struct fakedom *dom = fakedom_new(DOMID, 3 * FAKENET_RAM);
	struct in_addr host, guest;
	char ip[INET_ADDRSTRLEN];
	unsigned int fds = 0;

	inet_pton(AF_INET, "192.168.231.1", &host);
	attach("net", "nat");
	for (int i = 0; i < 3; i++) {
		unsigned int n = 1 + (unsigned int)i % 2;
		struct fakenet *q[2];

		for (unsigned int k = 0; k < n; k++)
			q[k] = fakenet_new(dom, i != 2);
		cr_assert(connect_card(q, n));
		dhcp(q, n, ip);
		inet_pton(AF_INET, ip, &guest);
		arp(q, n, guest.s_addr, host.s_addr);
		echo(q, n, guest.s_addr, host.s_addr);
		stack_write(&s, "6", "%s/state", vif.fe);
		cr_assert(stack_wait(&s, MS, "6", "%s/state", vif.be));
		cr_expect_not(fakedom_bound(dom, q[0]->keys.tx_port));
		stack_write(&s, "1", "%s/state", vif.fe);
		cr_assert(stack_wait(&s, MS, "2", "%s/state", vif.be));
		if (!i)
			fds = stack_fds(&s);
		cr_expect(stack_fds_end(s.backend, fds));
		for (unsigned int k = 0; k < n; k++)
			fakenet_free(q[k]);
	}
	detach();
	fakedom_free(dom);
}

/* A frontend that lies loses its connection, and may begin anew. */
Test(backend_vif, lie_ends_the_connection)
{
	struct fakedom *dom = fakedom_new(DOMID, 2 * FAKENET_RAM);
	struct fakenet *q = fakenet_new(dom, true);
	char *err = NULL;

	attach("net", "none");
	cr_assert(connect_card(&q, 1));
	__atomic_store_n((uint32_t *)q->tx_ring, 1000u, __ATOMIC_SEQ_CST);
	fakedom_send(dom, q->keys.tx_port);
	cr_assert(stack_wait(&s, MS, "5", "%s/state", vif.be));
	cr_assert_eq(store_read(s.store, &err, "%s/error", vif.be), 0);
	cr_expect_not_null(strstr(err, "index"), "%s", err);
	free(err);
	stack_write(&s, "6", "%s/state", vif.fe);
	cr_assert(stack_wait(&s, MS, "6", "%s/state", vif.be));
	fakenet_free(q);
	stack_write(&s, "1", "%s/state", vif.fe);
	q = fakenet_new(dom, true);
	cr_assert(connect_card(&q, 1));
	cr_expect_eq(stack_workers(&s, NULL), 1);
	detach();
	fakenet_free(q);
	fakedom_free(dom);
}

static struct fakectrl ctrl;

static void write_u32(uint32_t value, const char *key)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	stack_write(&s, text, "%s/%s", vif.fe, key);
}

/* The control ring of a real worker: @n requests, one notification. */
static void ask_worker(struct fakedom *dom, uint32_t port, uint32_t n)
{
	struct xen_netif_ctrl_response rsp;
	uint32_t got = 0;
	int ret;

	for (uint32_t i = 0; i < n; i++)
		fakectrl_put(&ctrl, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE,
			     i, 0, 0);
	fakedom_send(dom, port);
	for (uint64_t end = util_clock_ns() + PATIENCE_NS;
	     got < n && util_clock_ns() < end;) {
		while ((ret = net_ctrl_ring_front_take(&ctrl.front, &rsp)) >
		       0) {
			cr_expect_eq(rsp.status, 0);
			got++;
		}
		cr_assert_eq(ret, 0);
		if (!ring_front_arm(&ctrl.front.ring, 1))
			fakedom_wait(dom, port, 10);
	}
	cr_assert_eq(got, n);
}

Test(backend_vif, control_ring)
{
	struct fakedom *dom = fakedom_new(DOMID, 2 * FAKENET_RAM);
	struct fakenet *q[2] = { fakenet_new(dom, true),
				 fakenet_new(dom, true) };
	uint32_t port = fakedom_port(dom);
	char *err = NULL;

	attach("net", "none");
	fakectrl_front(&ctrl, dom);
	write_u32(ctrl.ring_ref, "ctrl-ring-ref");
	write_u32(port, "event-channel-ctrl");
	cr_assert(connect_card(q, 2));
	ask_worker(dom, port, 1);
	ask_worker(dom, port, ring_front_free(&ctrl.front.ring));
	__atomic_store_n((uint32_t *)ctrl.ring, 1000u, __ATOMIC_SEQ_CST);
	fakedom_send(dom, port);
	cr_assert(stack_wait(&s, MS, "5", "%s/state", vif.be));
	cr_assert_eq(store_read(s.store, &err, "%s/error", vif.be), 0);
	cr_expect_not_null(strstr(err, "control ring"), "%s", err);
	free(err);
	cr_expect_not(fakedom_bound(dom, port));
	stack_write(&s, "6", "%s/state", vif.fe);
	cr_assert(stack_wait(&s, MS, "6", "%s/state", vif.be));
	cr_expect_eq(stack_workers(&s, NULL), 1, "the worker lives");
	stack_write(&s, "1", "%s/state", vif.fe);
	fakenet_restart(q[0]);
	fakectrl_front(&ctrl, dom);
	write_u32(ctrl.ring_ref, "ctrl-ring-ref");
	cr_assert(connect_card(q, 1));
	ask_worker(dom, port, 100);
	detach();
	fakenet_free(q[0]);
	fakenet_free(q[1]);
	fakedom_free(dom);
}

/* Each refuses the connection, and leaves nothing behind. */
Test(backend_vif, bad_control_rings)
{
	static const struct {
		const char *ref, *port; /* NULL: the good one; "": none */
	} bad[] = {
		{ NULL, "" },	   { NULL, "4095" }, { NULL, "x" },
		{ "63999", NULL }, { "-1", NULL },   { "4294967296", NULL },
	};
	struct fakedom *dom = fakedom_new(DOMID, FAKENET_RAM);
	struct fakenet *q = fakenet_new(dom, true);
	uint32_t port = fakedom_port(dom);
	unsigned int fds = 0;
	pid_t worker;

	attach("net", "none");
	fakectrl_front(&ctrl, dom);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_assert(stack_wait(&s, MS, "2", "%s/state", vif.be), "%zu",
			  i);
		cr_assert_eq(stack_workers(&s, &worker), 1);
		fds = i ? fds : stack_fds_of(worker);
		cr_expect(stack_fds_end(worker, fds));
		fakevif_write_keys(&vif, &q, 1);
		write_u32(ctrl.ring_ref, "ctrl-ring-ref");
		write_u32(port, "event-channel-ctrl");
		if (bad[i].ref)
			stack_write(&s, bad[i].ref, "%s/ctrl-ring-ref", vif.fe);
		if (bad[i].port)
			stack_write(&s, bad[i].port, "%s/event-channel-ctrl",
				    vif.fe);
		stack_write(&s, "4", "%s/state", vif.fe);
		cr_assert(stack_wait(&s, MS, "5", "%s/state", vif.be), "%zu",
			  i);
		cr_expect_not(fakedom_bound(dom, q->keys.tx_port));
		cr_expect_not(fakedom_bound(dom, port));
		stack_write(&s, "6", "%s/state", vif.fe);
		cr_assert(stack_wait(&s, MS, "6", "%s/state", vif.be));
		stack_write(&s, "1", "%s/state", vif.fe);
	}
	write_u32(ctrl.ring_ref, "ctrl-ring-ref");
	write_u32(port, "event-channel-ctrl");
	cr_assert(connect_card(&q, 1));
	ask_worker(dom, port, 1);
	detach();
	fakenet_free(q);
	fakedom_free(dom);
}

/* ---- workers and parents die ------------------------------------------------- */

/* A card behind the NAT whose guest and host have found each other. */
struct talk {
	struct fakedom *dom;
	struct fakenet *q[2];
	uint32_t guest, host;
	struct link_info link;
};

static void begin_talk(struct talk *t)
{
	char ip[INET_ADDRSTRLEN];
	struct in_addr a;

	t->dom = fakedom_new(DOMID, 2 * FAKENET_RAM);
	for (unsigned int i = 0; i < 2; i++)
		t->q[i] = fakenet_new(t->dom, true);
	attach("net", "nat");
	cr_assert(connect_card(t->q, 2));
	dhcp(t->q, 2, ip);
	inet_pton(AF_INET, ip, &a);
	t->guest = a.s_addr;
	inet_pton(AF_INET, "192.168.231.1", &a);
	t->host = a.s_addr;
	arp(t->q, 2, t->guest, t->host);
	cr_assert_eq(link_get(nl, "vif3.0", &t->link), 0);
}

/* What is asked while nobody serves waits in rings and TAP queues. */
static void expect_talk(struct talk *t, bool same_link)
{
	struct link_info now;

	for (int i = 0; i < 5; i++) {
		arp(t->q, 2, t->guest, t->host);
		echo(t->q, 2, t->guest, t->host);
	}
	cr_expect(stack_wait(&s, 0, "4", "%s/state", vif.be));
	cr_assert_eq(link_get(nl, "vif3.0", &now), 0);
	cr_expect_eq(now.index == t->link.index, same_link);
}

static void end_talk(struct talk *t)
{
	detach();
	for (unsigned int i = 0; i < 2; i++) {
		/* Of the last connection nothing is marked. */
		for (unsigned int k = 0; k < FAKENET_PAGES; k++)
			cr_assert_eq(fakedom_entry(t->dom,
						   t->q[i]->rx_page[k].gref)
						     ->flags &
					     (GTF_reading | GTF_writing),
				     0);
		fakenet_free(t->q[i]);
	}
	fakedom_free(t->dom);
}

/* Nobody notices that a worker dies: interface, address, connection stay. */
Test(backend_vif, killed_worker_is_replaced)
{
	struct talk t;
	pid_t pid = 0;

	begin_talk(&t);
	for (int i = 0; i < 10; i++) {
		pid = new_worker(pid);
		usleep(25000); /* or it looks like one that cannot live */
		kill(pid, SIGKILL);
		expect_talk(&t, true);
	}
	cr_expect_eq(stack_logged("serving on"), 10);
	end_talk(&t);
}

/* Workers serve on without a parent; the next one takes the interface over. */
Test(backend_vif, parent_crash)
{
	struct link_info info;
	struct talk t;
	pid_t pid, now;

	begin_talk(&t);
	pid = new_worker(0);
	kill(s.backend, SIGKILL);
	usleep(100000);
	expect_talk(&t, true);
	cr_expect_eq(kill(pid, 0), 0, "it ended with its parent");
	stack_new_backend(&s);
	now = new_worker(pid);
	expect_talk(&t, true);
	/* One that dies while there is no parent is replaced as well. */
	kill(s.backend, SIGKILL);
	kill(now, SIGKILL);
	/* Its interface ends with it, which may take a moment. */
	cr_expect(SOON(link_get(nl, "vif3.0", &info) == -ENODEV));
	stack_new_backend(&s);
	expect_talk(&t, false);
	end_talk(&t);
}

/* The end of sv-backend in good order is a pause for the guest, no more. */
Test(backend_vif, parent_stops_and_starts)
{
	struct link_info info;
	struct talk t;

	begin_talk(&t);
	kill(s.backend, SIGTERM);
	cr_assert(stack_wait_workers(&s, 0));
	cr_expect(SOON(link_get(nl, "vif3.0", &info) == -ENODEV));
	stack_new_backend(&s);
	expect_talk(&t, false);
	end_talk(&t);
}

/* SIGHUP: a new program serves on. */
Test(backend_vif, workers_are_replaced)
{
	struct talk t;
	pid_t pid;

	begin_talk(&t);
	pid = new_worker(0);
	kill(s.backend, SIGHUP);
	(void)new_worker(pid);
	expect_talk(&t, true);
	cr_expect_eq(stack_logged("ended"), 0, "told as if it were a mishap");
	end_talk(&t);
}

#define REMOVALS 5

/*
 * An administrator removes the interface: another is made at once, the guest goes on.
 * The worker, which looks only now and then, is not what finds out.
 */
Test(backend_vif, removed_interface)
{
	uint64_t least = UINT64_MAX, since;
	struct link_info now = { 0 };
	struct talk t;
	pid_t pid = 0;

	begin_talk(&t);
	for (unsigned int i = 1; i <= REMOVALS; i++) {
		pid = new_worker(pid);
		cr_assert_eq(link_get(nl, "vif3.0", &now), 0);
		kill(pid, SIGSTOP);
		since = util_clock_ns();
		cr_assert_eq(link_del(nl, now.index), 0);
		cr_expect(SOON(stack_logged("its interface was removed") == i));
		kill(pid, SIGCONT);
		cr_assert(SOON(!link_get(nl, "vif3.0", &now) && now.master &&
			       now.carrier));
		least = MIN(least, util_clock_ns() - since);
		expect_talk(&t, false);
	}
	cr_expect_lt(least, 5000000000u, "%llu ms at least",
		     (unsigned long long)least / 1000000);
	cr_log_info("an interface is back after %llu ms",
		    (unsigned long long)least / 1000000);
	end_talk(&t);
}

#define FLAPS 30

/* A switch far away has trouble, or somebody a shell: the card stays as it is. */
Test(backend_vif, links_that_flap)
{
	struct talk t;
	pid_t pid, now;

	begin_talk(&t);
	pid = new_worker(0);
	cr_assert_eq(system("ip link add up0 type veth peer name far0 && "
			    "ip link set up0 master sv-nat up && "
			    "ip link set far0 up"),
		     0);
	for (int i = 0; i < FLAPS; i++) {
		cr_assert_eq(system("ip link set far0 down && "
				    "ip link set vif3.0 down"),
			     0);
		frame_udp(out, 200);
		send_dropped(t.q[0], 200);
		cr_assert_eq(system("ip link set vif3.0 up && "
				    "ip link set far0 up"),
			     0);
	}
	expect_talk(&t, true);
	cr_assert_eq(system("ip link set far0 down"), 0);
	expect_talk(&t, true);
	cr_assert_eq(stack_workers(&s, &now), 1);
	cr_expect_eq(now, pid);
	cr_expect(stack_wait(&s, 0, "connected", "%s/hotplug-status", vif.be));
	cr_assert_eq(system("ip link del up0"), 0);
	end_talk(&t);
}

static void expect_carrier(const char *want)
{
	cr_expect(stack_wait(&s, MS, want, "%s/carrier", vif.be), "not %s",
		  want);
}

/* xen/io/netif.h, "Link state": of the host's interface and of its bridge. */
Test(backend_vif, carrier_in_the_store)
{
	struct talk t;

	begin_talk(&t);
	expect_carrier("1");
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(system("ip link set vif3.0 down"), 0);
		expect_carrier("0");
		cr_assert_eq(system("ip link set vif3.0 up"), 0);
		expect_carrier("1");
	}
	cr_assert_eq(system("ip link set sv-nat down"), 0);
	expect_carrier("0");
	cr_assert_eq(system("ip link set sv-nat up"), 0);
	expect_carrier("1");
	cr_assert_eq(system("ip link set vif3.0 down"), 0);
	expect_carrier("0");
	/* Another parent tells it as it is then. */
	kill(s.backend, SIGKILL);
	cr_assert_eq(system("ip link set vif3.0 up"), 0);
	stack_new_backend(&s);
	expect_carrier("1");
	cr_expect_eq(stack_logged("its link is down"), 4);
	end_talk(&t);
}

/* Its bridge goes: that is told; it comes back, and the card to it. */
Test(backend_vif, bridge_made_anew)
{
	struct fakedom *dom = fakedom_new(DOMID, FAKENET_RAM);
	struct fakenet *q = fakenet_new(dom, true);
	struct link_info br, port;

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(link_add_bridge(nl, "br0", "02:53:00:00:00:01"),
			     0);
		cr_assert_eq(link_get(nl, "br0", &br), 0);
		if (!i) {
			attach("bridge", "br0");
			cr_assert(connect_card(&q, 1));
		}
		cr_expect(SOON(!link_get(nl, "vif3.0", &port) &&
			       port.master == br.index));
		cr_expect(!i ||
			  stack_wait(&s, MS, "", "%s/hotplug-error", vif.be));
		cr_assert_eq(link_del(nl, br.index), 0);
		cr_expect(stack_wait(&s, MS,
				     "bridge br0 has gone: vif3.0 is made a "
				     "port of it again when it is back",
				     "%s/hotplug-error", vif.be));
		cr_expect_eq(stack_logged("bridge br0 has gone"),
			     (unsigned int)i + 1);
	}
	cr_expect_eq(stack_logged("is back on its bridge"), 1);
	cr_expect(stack_wait(&s, 0, "connected", "%s/hotplug-status", vif.be));
	cr_expect(stack_wait(&s, 0, "4", "%s/state", vif.be));
	detach();
	fakenet_free(q);
	fakedom_free(dom);
}

#define BR0_GONE                                                       \
	"bridge br0 has gone: vif3.0 is made a port of it again when " \
	"it is back"

static void expect_port(void)
{
	struct link_info br, port;
	struct link_want up = { .up = true };

	cr_assert_eq(link_get(nl, "br0", &br), 0);
	cr_assert_eq(link_change(nl, br.index, &up), 0);
	expect_carrier("1");
	cr_expect(SOON(!link_get(nl, "vif3.0", &port) &&
		       port.master == br.index));
	cr_expect(stack_wait(&s, MS, "", "%s/hotplug-error", vif.be));
}

static void remove_br0(void)
{
	struct link_info br;

	cr_assert_eq(link_get(nl, "br0", &br), 0);
	cr_assert_eq(link_del(nl, br.index), 0);
}

static void add_br0(void)
{
	cr_assert_eq(link_add_bridge(nl, "br0", "02:53:00:00:00:01"), 0);
}

/*
 * A parent that starts while a card's bridge is away serves the card, and waits for
 * the bridge: whether the one before left the interface behind or not.
 */
Test(backend_vif, bridge_away_when_the_parent_starts)
{
	struct fakedom *dom = fakedom_new(DOMID, FAKENET_RAM);
	struct fakenet *q = fakenet_new(dom, true);
	struct link_info info;
	pid_t pid;

	add_br0();
	attach("bridge", "br0");
	cr_assert(connect_card(&q, 1));
	pid = new_worker(0);
	for (int i = 0; i < 2; i++) {
		kill(s.backend, i ? SIGTERM : SIGKILL);
		cr_assert(!i || stack_wait_workers(&s, 0));
		cr_expect(!i || SOON(link_get(nl, "vif3.0", &info) == -ENODEV));
		remove_br0();
		stack_new_backend(&s);
		pid = new_worker(pid);
		cr_expect(stack_wait(&s, MS, BR0_GONE, "%s/hotplug-error",
				     vif.be));
		cr_expect(stack_wait(&s, MS, "connected", "%s/hotplug-status",
				     vif.be));
		cr_assert_eq(link_get(nl, "vif3.0", &info), 0);
		expect_carrier("0");
		add_br0();
		expect_port();
	}
	/* It comes back while nobody looks. */
	kill(s.backend, SIGKILL);
	remove_br0();
	add_br0();
	stack_new_backend(&s);
	pid = new_worker(pid);
	expect_port();
	cr_expect_eq(stack_logged(BR0_GONE), 2);
	cr_expect(stack_wait(&s, MS, "4", "%s/state", vif.be));
	detach();
	fakenet_free(q);
	fakedom_free(dom);
}

/* ---- net=user: passt ------------------------------------------------------------ */

#define HOST_IP	   "10.99.0.2" /* passt gives the guest the host's own */
#define GATEWAY_IP "10.99.0.1" /* what stands for the host, if it may */

/* An uplink with a default route, which passt looks at, and no network behind it. */
static void make_uplink(void)
{
	cr_assert_eq(system("ip link add up0 type bridge && "
			    "sysctl -q net.ipv6.conf.up0.disable_ipv6=0 && "
			    "ip addr add " HOST_IP "/24 dev up0 && "
			    "ip link set up0 up && "
			    "ip addr add fd99::2/64 dev up0 nodad && "
			    "ip route add default via " GATEWAY_IP " && "
			    "ip -6 route add default via fe80::1 dev up0"),
		     0);
}

/* Of this test alone, on a machine with many namespaces. */
static unsigned int own_port(void)
{
	return 10000 + (unsigned int)getpid() % 50000;
}

/* Passt's process of the card that forwards own_port(); 0: there is none. */
static pid_t passt_pid(void)
{
	char command[128];
	FILE *f;
	int pid = 0;

	snprintf(command, sizeof(command),
		 "pgrep -of '^passt .*127\\.0\\.0\\.1/%u:80'", own_port());
	f = popen(command, "r");
	if (!f || fscanf(f, "%d", &pid) != 1)
		pid = 0;
	if (f)
		pclose(f);
	return pid;
}

struct user_talk {
	struct fakedom *dom;
	struct fakenet *q;
	char net[96], ip[INET_ADDRSTRLEN];
};

static void user_dhcp(struct user_talk *t)
{
	/* What is on its way to one that has died is lost. */
	for (int i = 0; i < MS / 500; i++) {
		put_dhcp(1);
		send_dropped(t->q, 342);
		if (recv_with(&t->q, 1, 500, 34, "\0\x43\0\x44", 4))
			break;
	}
	inet_ntop(AF_INET, in + FRAME_UDP4 + 16, t->ip, sizeof(t->ip));
	cr_expect_str_eq(t->ip, HOST_IP);
}

static void expect_user_talk(struct user_talk *t)
{
	struct in_addr guest, gateway, here;

	user_dhcp(t);
	inet_pton(AF_INET, t->ip, &guest);
	inet_pton(AF_INET, GATEWAY_IP, &gateway);
	inet_pton(AF_INET, "127.0.0.1", &here);
	arp(&t->q, 1, guest.s_addr, gateway.s_addr);
	echo_at(&t->q, 1, guest.s_addr, gateway.s_addr, here.s_addr);
}

static void begin_user(struct user_talk *t, const char *words)
{
	fakenic_silence();
	make_uplink();
	t->dom = fakedom_new(DOMID, FAKENET_RAM);
	t->q = fakenet_new(t->dom, true);
	snprintf(t->net, sizeof(t->net), "user:%stcp:127.0.0.1/%u:80", words,
		 own_port());
	attach("net", t->net);
	cr_assert(connect_card(&t->q, 1));
	cr_expect(stack_wait(&s, 0, "connected", "%s/hotplug-status", vif.be));
	cr_expect(stack_wait(&s, 0, NULL, "%s/vifname", vif.be));
	cr_expect(stack_wait(&s, 0, "1", "%s/multi-queue-max-queues", vif.be));
}

static void begin_user_talk(struct user_talk *t)
{
	begin_user(t, "host+");
	expect_user_talk(t);
}

static void end_user_talk(struct user_talk *t)
{
	detach();
	cr_expect(SOON(!passt_pid()));
	fakenet_free(t->q);
	fakedom_free(t->dom);
}

static pid_t new_passt(pid_t old)
{
	pid_t now = 0;

	cr_assert(SOON((now = passt_pid()) && now != old));
	return now;
}

/* Whoever of the three processes dies, the guest's connection stays. */
Test(backend_vif, user_mode_survives_deaths)
{
	struct user_talk t;
	pid_t passt, pid;

	begin_user_talk(&t);
	passt = new_passt(0);

	pid = new_worker(0);
	kill(pid, SIGKILL);
	pid = new_worker(pid);
	expect_user_talk(&t);
	cr_expect_eq(passt_pid(), passt, "connections live on");

	kill(passt, SIGKILL);
	pid = new_worker(pid);
	passt = new_passt(passt);
	expect_user_talk(&t);

	kill(stack_worker(&s, "sv-usernet", DOMID), SIGKILL);
	pid = new_worker(pid);
	passt = new_passt(passt);
	expect_user_talk(&t);

	kill(s.backend, SIGKILL);
	stack_new_backend(&s);
	(void)new_worker(pid);
	(void)new_passt(passt);
	expect_user_talk(&t);
	cr_expect(stack_wait(&s, 0, "4", "%s/state", vif.be));
	end_user_talk(&t);
}

/* A datagram to what stands for the host: it does not come, unless asked for. */
static void expect_no_host(struct user_talk *t)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(5000) };
	struct in_addr guest, gateway;
	struct virtio_net_hdr v;
	uint8_t dst[6], got[64];
	int fd;

	user_dhcp(t);
	inet_pton(AF_INET, t->ip, &guest);
	inet_pton(AF_INET, GATEWAY_IP, &gateway);
	arp(&t->q, 1, guest.s_addr, gateway.s_addr);
	memcpy(dst, out, 6);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	v = frame_udp_to(out, 500, dst, mac, guest.s_addr, gateway.s_addr);
	send_out(t->q, &v, 500);
	user_dhcp(t); /* passt has seen what came before */
	cr_expect_eq(recv(fd, got, sizeof(got), MSG_DONTWAIT), -1);
	close(fd);
}

/* The guest's services, by the port that was asked for; of the host none. */
Test(backend_vif, user_mode_and_the_host)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)own_port()) };
	struct user_talk t;
	int fd;

	begin_user(&t, "");
	expect_no_host(&t);
	inet_pton(AF_INET, "127.0.0.1", &sa.sin_addr);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	/* A SYN for port 80. */
	cr_expect(recv_with(&t.q, 1, MS, 36, "\0\x50", 2));
	cr_expect_eq(in[47] & 0x3f, 2);
	close(fd);
	end_user_talk(&t);
}

static void add16_be(uint32_t *sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i += 2)
		*sum += (uint32_t)(p[i] << 8 | p[i + 1]);
}

/* Who has fe80::1?  In the guest's link-local name. */
static void put_solicitation(void)
{
	uint32_t sum = 32 + 58;

	memset(out, 0, 86);
	memcpy(out, "\x33\x33\xff\0\0\1", 6);
	memcpy(out + 6, mac, 6);
	memcpy(out + 12, "\x86\xdd\x60\0\0\0\0\x20\x3a\xff", 10);
	inet_pton(AF_INET6, "fe80::216:3eff:fe01:203", out + 22);
	inet_pton(AF_INET6, "ff02::1:ff00:1", out + 38);
	out[54] = 135;
	inet_pton(AF_INET6, "fe80::1", out + 62);
	memcpy(out + 78, "\1\1", 2);
	memcpy(out + 80, mac, 6);
	add16_be(&sum, out + 22, 64);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16));
	out[56] = (uint8_t)(sum >> 8);
	out[57] = (uint8_t)sum;
}

/* Its gateway answers, and the host's port leads to it: all of that by IPv6. */
Test(backend_vif, user_mode_by_ipv6)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6,
				   .sin6_port =
					   htons((uint16_t)(own_port() + 1)),
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct user_talk t;
	char words[64];
	int fd;

	snprintf(words, sizeof(words), "tcp:::1/%u:80+", own_port() + 1);
	begin_user(&t, words);
	for (int i = 0; i < MS / 500; i++) {
		put_solicitation();
		send_dropped(t.q, 86);
		if (recv_with(&t.q, 1, 500, 54, "\x88\0", 2))
			break;
	}
	cr_expect_arr_eq(in + 62, out + 62, 16, "no advertisement");
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	/* A SYN for port 80. */
	cr_expect(recv_with(&t.q, 1, MS, 56, "\0\x50", 2));
	cr_expect_eq(in[67] & 0x3f, 2);
	cr_expect_arr_eq(in + 38, out + 22, 16, "not to its own address");
	close(fd);
	end_user_talk(&t);
}

struct user_refusal {
	char net[64], word[64];
};

ParameterizedTestParameters(backend_vif, user_mode_refused)
{
	static struct user_refusal t[] = {
		{ "user:", "must be user, or user:" },
		{ "user:all", "must be user, or user:" },
		{ "user:tcp:auto", "must be user, or user:" },
		{ "user:tcp:80;reboot", "must be user, or user:" },
		{ "user:host+", "must be user, or user:" },
		{ "user:tcp:127.0.0.1/99999:80", "passt: " },
	};

	return cr_make_param_array(struct user_refusal, t, ARRAY_SIZE(t));
}

ParameterizedTest(struct user_refusal *r, backend_vif, user_mode_refused)
{
	fakenic_silence();
	make_uplink();
	expect_refused("net", r->net, r->word);
}

/* ---- what it counts, and its limit ------------------------------------------- */

static bool told(const char *name, const char *value)
{
	return stack_wait(&s, MS, value, "%s/statistics/%s", vif.be, name);
}

/* What the domain socket has of our device. */
static struct netstat_file ask_stats(void)
{
	struct dom_devstats stats = { 0 };
	struct netstat_file f = { 0 };
	struct dom *d;
	int fd = -1;

	cr_assert_eq(dom_connect(&d, DOMID, DOM_ROLE_ADMIN, NULL, false), 0);
	cr_assert_eq(dom_devstats(d, &stats, &fd), 0);
	cr_expect_str_eq(stats.device, "vif/0");
	cr_expect_eq(netstat_read(fd, stats.offset, &f), 0);
	cr_expect_lt(write(fd, "", 1), 0, "for reading only");
	close(fd);
	dom_free(d);
	return f;
}

/* By queue at the domain's socket, all together in the store; workers may die. */
Test(backend_vif, statistics)
{
	struct netstat_file f;
	struct talk t;
	pid_t pid;
	char sum[24];

	stack_write(&s, "192.168.231.77", "%s/ip", vif.be);
	begin_talk(&t);
	pid = new_worker(0);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(send_as(t.q[1], "10.0.0.9"), NETIF_RSP_DROPPED);
	for (int i = 0; i < 4; i++)
		cr_expect_eq(send_as(t.q[1], "192.168.231.77"), NETIF_RSP_OKAY);
	cr_expect(told("tx_drop_spoofed", "3"));
	f = ask_stats();
	cr_expect_eq(f.queue[0].n[NETSTAT_TX_DROP_SPOOFED], 0);
	cr_expect_eq(f.queue[1].n[NETSTAT_TX_DROP_SPOOFED], 3);
	cr_expect_eq(f.queue[1].n[NETSTAT_TX_PACKETS], 4);
	cr_expect_eq(f.queue[1].n[NETSTAT_TX_BYTES], 400);
	cr_expect_geq(f.queue[1].n[NETSTAT_TX_NOTIFIED], 7);
	cr_expect_geq(f.queue[1].n[NETSTAT_TX_ASKED], 1);
	cr_expect_geq(f.queue[0].n[NETSTAT_RX_PACKETS] +
			      f.queue[1].n[NETSTAT_RX_PACKETS],
		      2, "an offer and an answer to ARP");
	snprintf(sum, sizeof(sum), "%lu", f.queue[0].n[NETSTAT_TX_PACKETS] + 4);
	cr_expect(told("tx_packets", sum));
	kill(pid, SIGKILL);
	(void)new_worker(pid);
	cr_expect_eq(send_as(t.q[1], "192.168.231.77"), NETIF_RSP_OKAY);
	f = ask_stats();
	cr_expect_eq(f.queue[1].n[NETSTAT_TX_PACKETS], 5, "they go on");
	snprintf(sum, sizeof(sum), "%lu", f.queue[0].n[NETSTAT_TX_PACKETS] + 5);
	cr_expect(told("tx_packets", sum));
	end_talk(&t);
}

/* The operator may think again while packets wait. */
Test(backend_vif, rate_at_any_time)
{
	struct fakedom *dom = fakedom_new(DOMID, FAKENET_RAM);
	struct fakenet *q = fakenet_new(dom, true);

	attach("net", "none");
	cr_assert(connect_card(&q, 1));
	/* 40000 bytes: minutes. */
	stack_write(&s, "1000,10000000", "%s/rate", vif.be);
	cr_assert(SOON(stack_logged("limit: 1000 bytes in 10000000 us")));
	frame_udp(out, 1000);
	for (int i = 0; i < 40; i++)
		cr_assert(fakenet_send(q, &plain, out, 1000, 4096));
	fakenet_push(q);
	usleep(300000);
	fakenet_reap(q);
	cr_expect_leq(q->done, 2, "%u packets have passed", q->done);
	stack_write(&s, "fast", "%s/rate", vif.be);
	cr_assert(SOON(stack_logged("rate is not BYTES,MICROSECONDS")));
	stack_write(&s, "0,0", "%s/rate", vif.be);
	cr_expect(fakenet_reap_all(q));
	detach();
	fakenet_free(q);
	fakedom_free(dom);
}

/* A domain that vanishes takes its interface and the NAT along. */
Test(backend_vif, domain_dies)
{
	struct fakedom *dom = fakedom_new(DOMID, FAKENET_RAM);
	struct fakenet *q = fakenet_new(dom, false);
	struct link_info info;

	attach("net", "nat");
	cr_assert(connect_card(&q, 1));
	fakenet_free(q);
	fakedom_free(dom);
	cr_expect(stack_wait_workers(&s, 0));
	fakevif_remove(&vif);
	cr_expect(SOON(link_get(nl, "sv-nat", &info) == -ENODEV));
	cr_expect_eq(link_get(nl, "vif3.0", &info), -ENODEV);
}

/* ---- nothing is left ---------------------------------------------------------------- */

/* All that a wiring can leave in this namespace; the test's own is up0, up1, br0. */
static const char *leftovers(void)
{
	static const char look[] =
		"ip -o link | cut -d: -f2 | tr -d ' ' | "
		"grep -vxE 'lo|(up0|up1)(@up.)?|br0';"
		"ip route; ip -6 route show table main | grep -v '^fe80'; "
		"ip rule | grep -vE 'lookup (local|main|default)'; "
		"grep -H 1 /proc/sys/net/ipv4/ip_forward "
		"/proc/sys/net/ipv6/conf/all/forwarding";
	static char text[1024];
	FILE *f = popen(look, "re");
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	size_t n;

	cr_assert_not_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	pclose(f);
	nft_ctx_buffer_output(nft);
	cr_assert_eq(nft_run_cmd_from_buffer(nft, "list tables"), 0);
	snprintf(text + n, sizeof(text) - n, "%s",
		 nft_ctx_get_output_buffer(nft));
	nft_ctx_free(nft);
	return text;
}

/* Everything is killed, at any moment; then the device is gone, or is not. */
static void kill_all(unsigned int usec)
{
	pid_t worker;

	usleep(usec);
	if (usec % 2 && stack_workers(&s, &worker))
		kill(worker, SIGKILL);
	stack_new_backend(&s);
}

Test(backend_vif, kills_leave_nothing)
{
	static const char *const nets[] = { "nat", "route", "macvtap:up0",
					    "none" };
	struct fakedom *dom = fakedom_new(DOMID, FAKENET_RAM);
	const char *left = "";
	unsigned int seed = (unsigned int)util_clock_ns();

	srandom(seed);
	fakenic_silence();
	cr_assert_eq(system("ip link add up0 type veth peer name up1 && "
			    "ip link set up0 up && ip link set up1 up"),
		     0);
	for (size_t i = 0; i < 6 * ARRAY_SIZE(nets); i++) {
		const char *net = nets[i % ARRAY_SIZE(nets)];

		stack_write(&s, i % 3 ? "10.5.0.2 fd00:5::2" : "10.5.0.2",
			    "%s/ip", vif.be);
		if (i % ARRAY_SIZE(nets) == 0)
			stack_write(&s, "", "%s/ip", vif.be);
		attach("net", net);
		kill_all((unsigned int)random() % 60000);
		if (i % 2)
			kill_all((unsigned int)random() % 60000);
		fakevif_remove(&vif);
		cr_expect(stack_wait_workers(&s, 0), "%s", net);
		cr_assert(SOON(!*(left = leftovers())),
			  "%s, seed %u, round %zu: %s", net, seed, i, left);
	}
	fakedom_free(dom);
}
