/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_gdb.c - GDB's protocol: what it asks, what it hears, and rubbish. */
#include "tools/gdb.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>
#include <xen/sched.h>

#define MEM_SIZE 8192

/* A domain that notes what it is told. */
static struct {
	struct dom_regs regs;
	struct dom_debug debug;
	struct dom_break brk;
	uint8_t mem[MEM_SIZE];
	unsigned int cpu;   /* that was asked last */
	unsigned int calls; /* of any kind */
	int fail;	    /* what the next call returns */
	struct dom_msg event;
	bool has_event;
} dom;

static struct gdb g;
static char said[1 << 16]; /* to GDB */
static size_t nsaid;

static int memory(struct dom_peek *p, bool write)
{
	dom.cpu = p->id;
	if (p->len > DOM_PEEK_MAX)
		return -EINVAL;
	if (p->addr > MEM_SIZE || p->len > MEM_SIZE - p->addr)
		return -EFAULT;
	if (write)
		memcpy(dom.mem + p->addr, p->data, p->len);
	else
		memcpy(p->data, dom.mem + p->addr, p->len);
	return 0;
}

static int call(void *arg, struct dom_msg *msg)
{
	int ret = dom.fail;

	cr_assert_eq(arg, &dom);
	dom.calls++;
	dom.fail = 0;
	if (ret)
		return ret;
	switch (msg->type) {
	case DOM_DEBUG:
		dom.debug = msg->u.debug;
		return 0;
	case DOM_BREAK:
		dom.brk = msg->u.brk;
		return 0;
	case DOM_REGS:
		dom.cpu = msg->u.regs.id;
		msg->u.regs = dom.regs;
		return 0;
	case DOM_SET_REGS:
		dom.cpu = msg->u.regs.id;
		dom.regs = msg->u.regs;
		return 0;
	default:
		return memory(&msg->u.peek, msg->type == DOM_POKE);
	}
}

static int event(void *arg, struct dom_msg *msg)
{
	(void)arg;
	if (!dom.has_event)
		return 0;
	*msg = dom.event;
	dom.has_event = false;
	return 1;
}

static int send_out(void *arg, const void *buf, size_t len)
{
	(void)arg;
	cr_assert_lt(nsaid + len, sizeof(said));
	memcpy(said + nsaid, buf, len);
	nsaid += len;
	said[nsaid] = '\0';
	return 0;
}

static const struct gdb_ops ops = { call, event, send_out };

static void setup(void)
{
	memset(&dom, 0, sizeof(dom));
	cr_assert_eq(gdb_begin(&g, &ops, &dom, 3), 0);
	cr_expect_eq(dom.debug.run, 0);
}

TestSuite(gdb, .init = setup);

static int take(const char *text, size_t len)
{
	nsaid = 0;
	said[0] = '\0';
	return gdb_take(&g, text, len);
}

static int packet_of(const char *body, size_t len)
{
	char frame[2 * GDB_PACKET];
	uint8_t sum = 0;
	size_t n = 0;

	frame[n++] = '$';
	for (size_t i = 0; i < len; i++) {
		frame[n++] = body[i];
		sum = (uint8_t)(sum + (uint8_t)body[i]);
	}
	n += (size_t)snprintf(frame + n, 4, "#%02x", sum);
	return take(frame, n);
}

/* The body of the packet that @frame is, alone and well framed. */
static const char *unframe(const char *frame)
{
	static char buf[GDB_PACKET + 1];
	const char *end = strchr(frame, '#');
	uint8_t sum = 0;

	cr_assert(*frame == '$' && end, "%s", frame);
	cr_assert_leq(end - frame - 1, GDB_PACKET);
	for (const char *c = frame + 1; c < end; c++)
		sum = (uint8_t)(sum + (uint8_t)*c);
	cr_expect_eq(strtoul(end + 1, NULL, 16), sum);
	cr_expect_eq(strlen(end), 3, "%s", frame);
	snprintf(buf, sizeof(buf), "%.*s", (int)(end - frame - 1), frame + 1);
	return buf;
}

/* One packet; Return: the body of the answer. */
static const char *ask(const char *body)
{
	cr_assert_eq(packet_of(body, strlen(body)), 0, "%s", body);
	cr_assert_eq(said[0], '+');
	return unframe(said + 1);
}

static void stops(uint32_t id, enum dom_stop why, uint32_t watch)
{
	dom.event = (struct dom_msg){ .type = DOM_EV_STOPPED };
	dom.event.u.stopped = (struct dom_stopped){ id, why, watch, 0 };
	dom.has_event = true;
}

static void shuts(uint32_t reason)
{
	dom.event = (struct dom_msg){ .type = DOM_EV_SHUTDOWN };
	dom.event.u.info.reason = reason;
	dom.has_event = true;
}

/* What GDB is told of it now. */
static const char *hears(void)
{
	nsaid = 0;
	said[0] = '\0';
	cr_assert_eq(gdb_events(&g), 0);
	return nsaid ? unframe(said) : "";
}

/* It runs on; nothing is said until it stops. */
static void go(const char *how)
{
	cr_assert_eq(packet_of(how, strlen(how)), 0);
	cr_assert_str_eq(said, "+", "%s", how);
}

Test(gdb, questions_have_their_answers)
{
	static const char *const t[][2] = {
		{ "?", "T05thread:1;" },
		{ "qfThreadInfo", "m1,2,3" },
		{ "qsThreadInfo", "l" },
		{ "qThreadExtraInfo,2", "766370752031" }, /* vcpu 1 */
		{ "qThreadExtraInfo,4", "E16" },
		{ "qC", "QC1" },
		{ "qAttached", "1" },
		{ "qAttached:1", "1" },
		{ "Hg3", "OK" },
		{ "qC", "QC3" },
		{ "Hg0", "OK" },
		{ "Hc-1", "OK" },
		{ "qC", "QC3" },
		{ "Hg4", "E16" },
		{ "Hgx", "E16" },
		{ "H", "E16" },
		{ "T3", "OK" },
		{ "T4", "E16" },
		{ "Tffffffffffffffff1", "E16" },
		{ "vCont?", "vCont;c;C;s;S" },
		{ "vMustReplyEmpty", "" },
		{ "qRcmd,6869", "" },
		{ "", "" },
		{ "Z3,1000,4", "" },
		{ "Z9,1000,4", "" },
		{ "Z0,1000", "E16" },
		{ "m1000", "E16" },
		{ "mx,1", "E16" },
		{ "m1,-1", "E16" },
		{ "m10000000000000000,1", "E16" },
		{ "pff", "E16" },
		{ "vCont;", "E16" },
		{ "vCont;t", "E16" },
		{ "vCont;c:4", "E16" },
		{ "vCont;c:-2", "E16" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		cr_expect_str_eq(ask(t[i][0]), t[i][1], "%s", t[i][0]);
	cr_expect(strstr(ask("qSupported:swbreak+"), "qXfer:features:read+"));
	cr_expect(strstr(ask("qSupported"), "PacketSize=800;"));
}

/* All of target.xml, in pieces of that size. */
static const char *features(unsigned int piece)
{
	static char xml[8192];
	const char *part;
	char body[80];
	size_t n = 0;

	do {
		snprintf(body, sizeof(body),
			 "qXfer:features:read:target.xml:%zx,%x", n, piece);
		part = ask(body);
		cr_assert(*part == 'm' || *part == 'l', "%s", part);
		cr_assert_lt(n + strlen(part), sizeof(xml));
		strcpy(xml + n, part + 1);
		n += strlen(part + 1);
	} while (*part == 'm');
	return xml;
}

/* GDB takes registers by what it has been told of them. */
Test(gdb, registers_are_where_they_are_said_to_be)
{
	size_t bits = 0, n = 0, rip = 0, cr3 = 0;
	char name[32], hex[17];
	const char *all;
	unsigned int size;

	for (const char *r = features(300); (r = strstr(r, "<reg ")); r++) {
		cr_assert_eq(sscanf(r, "<reg name=\"%31[^\"]\" bitsize=\"%u\"",
				    name, &size),
			     2);
		if (!strcmp(name, "rip"))
			rip = bits / 4;
		if (!strcmp(name, "cr3"))
			cr3 = bits / 4;
		bits += size;
		n++;
	}
	cr_expect_eq(n, 48);
	dom.regs.rip = 0xffffffff81000123;
	dom.regs.cr3 = 0x1234000;
	all = ask("g");
	cr_expect_eq(strlen(all), bits / 4);
	snprintf(hex, sizeof(hex), "%.16s", all + rip);
	cr_expect_str_eq(hex, "23010081ffffffff");
	snprintf(hex, sizeof(hex), "%.16s", all + cr3);
	cr_expect_str_eq(hex, "0040230100000000");
	cr_expect_str_eq(features(100000), features(300));
}

Test(gdb, registers_are_read_and_written_one_by_one)
{
	for (unsigned int i = 0; i < 16; i++)
		dom.regs.gpr[i] = 0x10 + i;
	dom.regs.rip = 0x1122;
	dom.regs.seg[0] = 0x10;
	dom.regs.rflags = 0x246;
	ask("Hg2");
	cr_expect_str_eq(ask("p0"), "1000000000000000"); /* rax */
	cr_expect_str_eq(ask("p1"), "1300000000000000"); /* rbx */
	cr_expect_str_eq(ask("p7"), "1400000000000000"); /* rsp */
	cr_expect_eq(dom.cpu, 1);
	cr_expect_str_eq(ask("p10"), "2211000000000000");
	cr_expect_str_eq(ask("p11"), "46020000");
	cr_expect_str_eq(ask("p12"), "10000000");
	cr_expect_str_eq(ask("p18"), "xxxxxxxxxxxxxxxxxxxx"); /* st0 */
	cr_expect_str_eq(ask("P7=8877665544332211"), "OK");
	cr_expect_eq(dom.regs.gpr[4], 0x1122334455667788);
	cr_expect_eq(dom.cpu, 1);
	cr_expect_str_eq(ask("P12=10000000"), "E01");
	cr_expect_str_eq(ask("P7=88776655"), "E16");
	cr_expect_str_eq(ask("P7=887766554433221x"), "E16");
	cr_expect_eq(dom.regs.gpr[4], 0x1122334455667788);
	dom.fail = -EBUSY;
	cr_expect_str_eq(ask("g"), "E10");
}

Test(gdb, all_registers_are_written_at_once)
{
	char body[GDB_PACKET];

	dom.regs.rip = 7;
	dom.regs.cr0 = 0x80000011;
	snprintf(body, sizeof(body), "G%s", ask("g"));
	memcpy(body + 1, "ff", 2);
	cr_expect_str_eq(ask(body), "OK");
	cr_expect_eq(dom.regs.gpr[0], 0xff);
	cr_expect_eq(dom.regs.rip, 7);
	cr_expect_eq(dom.regs.cr0, 0x80000011);
	body[100] = '\0';
	cr_expect_str_eq(ask(body), "E16");
}

Test(gdb, memory_is_read_and_written)
{
	char body[64] = "X100,4:a}\x03}]";

	memcpy(dom.mem + 0x100, "\x01\x02\xfe", 3);
	cr_expect_str_eq(ask("m100,3"), "0102fe");
	cr_expect_eq(strlen(ask("m0,ffffffff")), 2 * DOM_PEEK_MAX);
	cr_expect_str_eq(ask("m1ffe,4"), "E0e");
	cr_expect_str_eq(ask("M102,2:abCD"), "OK");
	cr_expect_eq(dom.mem[0x103], 0xcd);
	cr_expect_str_eq(ask("M102,2:abC"), "E16");
	cr_expect_str_eq(ask("M102,3:abCD"), "E16");
	cr_expect_str_eq(ask("X100,0:"), "OK");
	/* "}" and the byte behind it are one; no text, for it may have zeros. */
	cr_assert_eq(packet_of("X200,4:a\0}\x03}]", 13), 0);
	cr_expect_str_eq(said, "+$OK#9a");
	cr_expect_arr_eq(dom.mem + 0x200, "a\0#}", 4);
	cr_assert_eq(packet_of(body, strlen(body)), 0);
	cr_expect_str_eq(said, "+$E16#ac");
}

Test(gdb, much_memory_is_written_in_pieces)
{
	char body[GDB_PACKET];
	size_t n = (size_t)sprintf(body, "X100,7d0:");

	memset(body + n, 'z', 2000);
	cr_assert_eq(packet_of(body, n + 2000), 0);
	cr_expect_str_eq(said, "+$OK#9a");
	cr_expect_eq(dom.mem[0x100], 'z');
	cr_expect_eq(dom.mem[0x100 + 1999], 'z');
	cr_expect_eq(dom.mem[0x100 + 2000], 0);
}

Test(gdb, breakpoints_and_watchpoints_are_set)
{
	cr_expect_str_eq(ask("Z0,ffffffff81000000,1"), "OK");
	cr_expect_eq(dom.brk.addr, 0xffffffff81000000);
	cr_expect_eq(dom.brk.on, 1);
	cr_expect_str_eq(ask("z0,ffffffff81000000,1"), "OK");
	cr_expect_eq(dom.brk.on, 0);
	dom.fail = -EFAULT;
	cr_expect_str_eq(ask("Z0,1,1"), "E0e");
	cr_expect_str_eq(ask("Z2,1000,4"), "OK");
	cr_expect_str_eq(ask("Z2,1000,4"), "OK");
	cr_expect_eq(dom.debug.nwatches, 1);
	cr_expect_str_eq(ask("Z1,2000,3"), "OK");
	cr_expect_str_eq(ask("Z4,3000,8"), "OK");
	cr_expect_str_eq(ask("Z4,4000,8"), "OK");
	cr_expect_str_eq(ask("Z4,5000,8"), "E1c");
	cr_expect_eq(dom.debug.nwatches, 4);
	cr_expect_eq(dom.debug.watch[1].type, DOM_WATCH_RUN);
	cr_expect_eq(dom.debug.watch[1].len, 1);
	cr_expect_eq(dom.debug.run, 0);
	cr_expect_str_eq(ask("z2,1000,4"), "OK");
	cr_expect_str_eq(ask("z2,1000,4"), "OK");
	cr_expect_eq(dom.debug.nwatches, 3);
	/* What was refused is not in the way. */
	dom.fail = -EINVAL;
	cr_expect_str_eq(ask("Z2,1001,4"), "E16");
	cr_expect_str_eq(ask("Z2,1000,4"), "OK");
	cr_expect_eq(dom.debug.nwatches, 4);
}

Test(gdb, what_shall_run_runs)
{
	go("vCont;c");
	cr_expect_eq(dom.debug.run, 7);
	cr_expect_eq(dom.debug.step, 0);
	stops(1, DOM_STOP_BREAK, 0);
	cr_expect_str_eq(hears(), "T05thread:2;swbreak:;");
	cr_expect_str_eq(ask("qC"), "QC2");
	/* The first that applies. */
	go("vCont;s:2;c");
	cr_expect_eq(dom.debug.run, 7);
	cr_expect_eq(dom.debug.step, 2);
	stops(1, DOM_STOP_STEP, 0);
	cr_expect_str_eq(hears(), "T05thread:2;");
	go("vCont;S05:3;s:3");
	cr_expect_eq(dom.debug.run, 4);
	cr_expect_eq(dom.debug.step, 4);
	stops(2, DOM_STOP_STEP, 0);
	cr_expect_str_eq(hears(), "T05thread:3;");
	go("vCont;c:2;s");
	cr_expect_eq(dom.debug.run, 7);
	cr_expect_eq(dom.debug.step, 5);
	stops(2, DOM_STOP_STEP, 0);
	cr_expect_str_eq(hears(), "T05thread:3;");
	go("vCont;c:-1");
	cr_expect_eq(dom.debug.run, 7);
}

Test(gdb, a_watchpoint_is_named)
{
	ask("Z2,1000,4");
	ask("Z1,2000,1");
	go("vCont;c");
	stops(0, DOM_STOP_WATCH, 0);
	cr_expect_str_eq(hears(), "T05thread:1;watch:1000;");
	go("vCont;c");
	stops(0, DOM_STOP_WATCH, 1);
	cr_expect_str_eq(hears(), "T05thread:1;hwbreak:;");
	go("vCont;c");
	stops(3, DOM_STOP_STEP, 0);
	cr_expect_eq(gdb_events(&g), -EPROTO, "there is no such vCPU");
}

Test(gdb, it_is_interrupted)
{
	unsigned int calls = dom.calls;

	cr_expect_eq(take("\x03", 1), 0);
	cr_expect_eq(dom.calls, calls, "it stands still already");
	go("vCont;c");
	cr_expect_eq(take("\x03", 1), 0);
	cr_expect_eq(dom.debug.run, 0);
	cr_expect_str_eq(unframe(said), "T02thread:1;");
	/* It stopped by itself just before: that is the news. */
	go("vCont;c");
	stops(2, DOM_STOP_BREAK, 0);
	cr_expect_eq(take("\x03", 1), 0);
	cr_expect_str_eq(unframe(said), "T05thread:3;swbreak:;");
	/* What comes after is of before. */
	stops(1, DOM_STOP_BREAK, 0);
	cr_expect_str_eq(hears(), "");
}

Test(gdb, while_it_runs_nothing_else_is_answered)
{
	go("vCont;c");
	cr_expect_eq(packet_of("g", 1), 0);
	cr_expect_str_eq(said, "+");
}

Test(gdb, an_end_is_told)
{
	go("vCont;c");
	shuts(SHUTDOWN_suspend);
	cr_expect_str_eq(hears(), "", "it goes on after that");
	shuts(SHUTDOWN_crash);
	cr_expect_str_eq(hears(), "T06thread:1;");
	cr_expect_eq(dom.debug.run, 0);
	cr_expect_str_eq(ask("m0,1"), "00");
	cr_expect_str_eq(ask("vCont;c"), "X09");
}

Test(gdb, a_power_off_is_an_exit)
{
	go("vCont;c");
	shuts(SHUTDOWN_poweroff);
	cr_expect_str_eq(hears(), "W00");
}

Test(gdb, it_leaves)
{
	cr_expect_eq(packet_of("D", 1), 1);
	cr_expect_str_eq(said, "+$OK#9a");
	setup();
	cr_expect_eq(packet_of("k", 1), 1);
	setup();
	dom.fail = -EPIPE;
	cr_expect_eq(packet_of("g", 1), -EPIPE, "the domain is gone");
}

Test(gdb, frames)
{
	static char big[GDB_PACKET + 2];

	cr_expect_eq(take("$qC#00", 6), 0);
	cr_expect_str_eq(said, "-");
	cr_expect_eq(take("$qC#zz", 6), 0);
	cr_expect_str_eq(said, "-");
	cr_expect_eq(take("+-", 2), 0);
	cr_expect_str_eq(said, "", "there was none before");
	cr_expect_eq(take("xx+$qC#b4$qC#b4", 15), 0);
	cr_expect_str_eq(said, "+$QC1#c5+$QC1#c5");
	cr_expect_eq(take("-", 1), 0);
	cr_expect_str_eq(said, "$QC1#c5", "once more");
	memset(big, 'm', sizeof(big));
	cr_expect_eq(packet_of(big, GDB_PACKET), 0);
	cr_expect_str_eq(said, "+$E16#ac");
	cr_expect_eq(packet_of(big, sizeof(big)), 0);
	cr_expect_str_eq(said, "+$E5a#db", "too long");
	cr_expect_str_eq(ask("QStartNoAckMode"), "OK");
	cr_expect_eq(take("$qC#00-", 7), 0);
	cr_expect_str_eq(said, "");
	cr_expect_eq(take("$qC#b4", 6), 0);
	cr_expect_str_eq(said, "$QC1#c5");
}
