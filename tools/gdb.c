// SPDX-License-Identifier: GPL-2.0-or-later
// tools/gdb.c - GDB's remote serial protocol, for a domain's kernel.
#include "tools/gdb.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>
#include <xen/sched.h>

/*
 * How it works
 *
 * Packets are "$body#sum"; 0x03 outside of one asks for a stop.  (GDB's manual,
 * "Remote Protocol".)  While the domain runs nothing but that is expected; then the
 * answer to vCont goes out when it has stopped, for whatever reason: all of it stops,
 * which GDB calls all-stop.
 */
#define STOP 0x03

/* Signals as GDB numbers them. */
#define SIG_INT	 2
#define SIG_TRAP 5
#define SIG_ABRT 6
#define SIG_KILL 9

/* ---- Registers ------------------------------------------------------------- */

#define REG(r) offsetof(struct dom_regs, r)
#define GPR(n, i)                                          \
	{                                                  \
		n, "int64", 8, 8, REG(gpr) + 8 * (i), true \
	}
#define SEG(n, i)                                           \
	{                                                   \
		n, "int32", 4, 2, REG(seg) + 2 * (i), false \
	}
#define WIDE(n, r)                              \
	{                                       \
		n, "int64", 8, 8, REG(r), false \
	}
#define UNKNOWN(n)                         \
	{                                  \
		n, "int32", 4, 0, 0, false \
	}
#define UNKNOWN_X(n)                           \
	{                                      \
		n, "i387_ext", 10, 0, 0, false \
	}

/**
 * struct reg - A register, in the order of GDB's for amd64.
 * @bytes: For GDB.
 * @size:  Of those that we know, @at in struct dom_regs; 0: none.
 */
static const struct reg {
	const char *name, *type;
	uint8_t bytes, size;
	uint16_t at;
	bool writable;
} regs[] = {
	GPR("rax", 0),
	GPR("rbx", 3),
	GPR("rcx", 1),
	GPR("rdx", 2),
	GPR("rsi", 6),
	GPR("rdi", 7),
	{ "rbp", "data_ptr", 8, 8, REG(gpr[5]), true },
	{ "rsp", "data_ptr", 8, 8, REG(gpr[4]), true },
	GPR("r8", 8),
	GPR("r9", 9),
	GPR("r10", 10),
	GPR("r11", 11),
	GPR("r12", 12),
	GPR("r13", 13),
	GPR("r14", 14),
	GPR("r15", 15),
	{ "rip", "code_ptr", 8, 8, REG(rip), true },
	{ "eflags", "int32", 4, 4, REG(rflags), true },
	SEG("cs", 0),
	SEG("ss", 1),
	SEG("ds", 2),
	SEG("es", 3),
	SEG("fs", 4),
	SEG("gs", 5),
	/* GDB knows no amd64 without an FPU. */
	UNKNOWN_X("st0"),
	UNKNOWN_X("st1"),
	UNKNOWN_X("st2"),
	UNKNOWN_X("st3"),
	UNKNOWN_X("st4"),
	UNKNOWN_X("st5"),
	UNKNOWN_X("st6"),
	UNKNOWN_X("st7"),
	UNKNOWN("fctrl"),
	UNKNOWN("fstat"),
	UNKNOWN("ftag"),
	UNKNOWN("fiseg"),
	UNKNOWN("fioff"),
	UNKNOWN("foseg"),
	UNKNOWN("fooff"),
	UNKNOWN("fop"),
	WIDE("fs_base", fs_base),
	WIDE("gs_base", gs_base),
	WIDE("k_gs_base", kernel_gs_base),
	WIDE("cr0", cr0),
	WIDE("cr2", cr2),
	WIDE("cr3", cr3),
	WIDE("cr4", cr4),
	WIDE("efer", efer),
};

/* Where the second and the third feature begin. */
#define FIRST_SEGMENT 40
#define FIRST_CONTROL 42

static const char *feature(size_t at)
{
	switch (at) {
	case 0:
		return "org.gnu.gdb.i386.core";
	case FIRST_SEGMENT:
		return "org.gnu.gdb.i386.segments";
	case FIRST_CONTROL:
		return "splitvisor.control";
	default:
		return NULL;
	}
}

/* target.xml; Return: its length. */
static size_t describe(char *buf, size_t size)
{
	size_t n = (size_t)snprintf(
		buf, size,
		"<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
		"<target><architecture>i386:x86-64</architecture>");

	for (size_t i = 0; i < ARRAY_SIZE(regs) && n < size; i++) {
		if (feature(i))
			n += (size_t)snprintf(buf + n, size - n,
					      "%s<feature name=\"%s\">",
					      i ? "</feature>" : "",
					      feature(i));
		if (n < size)
			n += (size_t)snprintf(
				buf + n, size - n,
				"<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"/>",
				regs[i].name, regs[i].bytes * 8u, regs[i].type);
	}
	if (n < size)
		n += (size_t)snprintf(buf + n, size - n, "</feature></target>");
	return MIN(n, size - 1);
}

/* ---- Packets out ----------------------------------------------------------- */

static void out_char(struct gdb *g, char c)
{
	if (g->nout < 1 + GDB_PACKET)
		g->out[g->nout++] = c;
}

static void out_begin(struct gdb *g)
{
	g->nout = 0;
	out_char(g, '$');
}

printf_like(2, 3) static void out_text(struct gdb *g, const char *fmt, ...)
{
	char text[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (const char *c = text; *c; c++)
		out_char(g, *c);
}

static void out_hex(struct gdb *g, const void *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out_text(g, "%02x", ((const uint8_t *)buf)[i]);
}

static int out_again(struct gdb *g)
{
	return g->nout ? g->ops->send(g->arg, g->out, g->nout) : 0;
}

static int out_end(struct gdb *g)
{
	uint8_t sum = 0;

	for (size_t i = 1; i < g->nout; i++)
		sum = (uint8_t)(sum + (uint8_t)g->out[i]);
	g->nout += (size_t)snprintf(g->out + g->nout, 4, "#%02x", sum);
	return out_again(g);
}

/* "OK" for 0, else the error. */
static int answer(struct gdb *g, int ret)
{
	out_begin(g);
	if (ret)
		out_text(g, "E%02x", (unsigned int)-ret & 0xff);
	else
		out_text(g, "OK");
	return ret == -EPIPE ? ret : out_end(g);
}

static int say(struct gdb *g, const char *text)
{
	out_begin(g);
	out_text(g, "%s", text);
	return out_end(g);
}

/* ---- Packets in ------------------------------------------------------------ */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A number in hex, which must be followed by @end; @at moves behind that. */
static bool number(const char **at, char end, uint64_t *v)
{
	const char *p = *at;
	int d;

	*v = 0;
	for (; (d = digit(*p)) >= 0; p++) {
		if (*v >> 60)
			return false;
		*v = *v << 4 | (unsigned int)d;
	}
	if (p == *at || *p != end)
		return false;
	*at = end ? p + 1 : p;
	return true;
}

static bool bytes(const char *hex, uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int high = digit(hex[2 * i]);
		int low = high < 0 ? -1 : digit(hex[2 * i + 1]);

		if (low < 0)
			return false;
		buf[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* A thread, "0" for any and "-1" for all; @all may be NULL: there can be but one. */
static bool thread(const struct gdb *g, const char *text, unsigned int *cpu,
		   bool *all)
{
	uint64_t v;

	if (all)
		*all = false;
	if (!strcmp(text, "-1") || !strcmp(text, "0")) {
		if (all && text[0] == '-')
			*all = true;
		*cpu = g->cpu;
		return true;
	}
	if (!number(&text, '\0', &v) || !v || v > g->nvcpus)
		return false;
	*cpu = (unsigned int)v - 1;
	return true;
}

/* ---- The domain ------------------------------------------------------------ */

static int run(struct gdb *g, uint64_t which, uint64_t step)
{
	struct dom_msg msg = { .type = DOM_DEBUG };

	g->debug.run = which;
	g->debug.step = step;
	msg.u.debug = g->debug;
	return g->ops->call(g->arg, &msg);
}

static int get_regs(struct gdb *g, struct dom_regs *r)
{
	struct dom_msg msg = { .type = DOM_REGS };
	int ret;

	msg.u.regs.id = g->cpu;
	ret = g->ops->call(g->arg, &msg);
	*r = msg.u.regs;
	return ret;
}

static int set_regs(struct gdb *g, const struct dom_regs *r)
{
	struct dom_msg msg = { .type = DOM_SET_REGS };

	msg.u.regs = *r;
	msg.u.regs.id = g->cpu;
	return g->ops->call(g->arg, &msg);
}

static int write_memory(struct gdb *g, uint64_t addr, const uint8_t *buf,
			size_t len)
{
	struct dom_msg msg;
	int ret = 0;

	for (size_t n; len && !ret; len -= n, buf += n, addr += n) {
		n = MIN(len, sizeof(msg.u.peek.data));
		msg = (struct dom_msg){ .type = DOM_POKE };
		msg.u.peek.id = g->cpu;
		msg.u.peek.addr = addr;
		msg.u.peek.len = (uint32_t)n;
		memcpy(msg.u.peek.data, buf, n);
		ret = g->ops->call(g->arg, &msg);
	}
	return ret;
}

/* ---- Stops ----------------------------------------------------------------- */

static int tell_stop(struct gdb *g, unsigned int sig, const char *why)
{
	g->running = false;
	out_begin(g);
	out_text(g, "T%02xthread:%x;%s", sig, g->cpu + 1, why);
	return out_end(g);
}

static int on_stopped(struct gdb *g, const struct dom_stopped *s)
{
	static const char *const names[] = { [DOM_WATCH_RUN] = "hwbreak",
					     [DOM_WATCH_WRITE] = "watch",
					     [DOM_WATCH_USE] = "awatch" };
	uint32_t type;
	char why[64] = "";

	if (s->id >= g->nvcpus || s->watch >= DOM_WATCHES)
		return -EPROTO;
	g->cpu = s->id;
	type = g->debug.watch[s->watch].type;
	if (s->why == DOM_STOP_BREAK)
		snprintf(why, sizeof(why), "swbreak:;");
	else if (s->why == DOM_STOP_WATCH && type == DOM_WATCH_RUN)
		snprintf(why, sizeof(why), "hwbreak:;");
	else if (s->why == DOM_STOP_WATCH)
		snprintf(why, sizeof(why), "%s:%llx;", names[type],
			 (unsigned long long)g->debug.watch[s->watch].addr);
	return tell_stop(g, SIG_TRAP, why);
}

/* A guest that has crashed can be looked at; of another nothing more is expected. */
static int on_shutdown(struct gdb *g, uint32_t reason)
{
	int ret;

	if (reason == SHUTDOWN_suspend || reason == SHUTDOWN_soft_reset)
		return 0;
	g->down = true;
	ret = run(g, 0, 0);
	if (ret)
		return ret;
	if (reason == SHUTDOWN_crash || reason == SHUTDOWN_watchdog)
		return tell_stop(g, SIG_ABRT, "");
	g->running = false;
	return say(g, "W00");
}

int gdb_events(struct gdb *g)
{
	struct dom_msg msg;
	int ret, err = 0;

	while (!err && (ret = g->ops->event(g->arg, &msg)) > 0) {
		if (msg.type == DOM_EV_SHUTDOWN && !g->running)
			g->down = true;
		if (!g->running)
			continue;
		if (msg.type == DOM_EV_STOPPED)
			err = on_stopped(g, &msg.u.stopped);
		else if (msg.type == DOM_EV_SHUTDOWN)
			err = on_shutdown(g, msg.u.info.reason);
	}
	return err ? err : ret;
}

/* It may have stopped by itself just before. */
static int interrupt(struct gdb *g)
{
	int ret;

	if (!g->running)
		return 0;
	ret = run(g, 0, 0);
	if (!ret)
		ret = gdb_events(g);
	return ret || !g->running ? ret : tell_stop(g, SIG_INT, "");
}

/* ---- What GDB asks --------------------------------------------------------- */

static int on_query_stop(struct gdb *g, const char *arg)
{
	(void)arg;
	return tell_stop(g, SIG_TRAP, "");
}

static int on_supported(struct gdb *g, const char *arg)
{
	(void)arg;
	out_begin(g);
	out_text(g,
		 "PacketSize=%x;qXfer:features:read+;QStartNoAckMode+;"
		 "vContSupported+;swbreak+;hwbreak+",
		 GDB_PACKET);
	return out_end(g);
}

/* "OFFSET,LENGTH" */
static int on_features(struct gdb *g, const char *arg)
{
	char xml[6144];
	size_t len = describe(xml, sizeof(xml));
	uint64_t at, n;

	if (!number(&arg, ',', &at) || !number(&arg, '\0', &n))
		return answer(g, -EINVAL);
	out_begin(g);
	at = MIN(at, len);
	n = MIN(n, MIN(len - at, GDB_PACKET - 1));
	out_char(g, at + n == len ? 'l' : 'm');
	for (uint64_t i = 0; i < n; i++)
		out_char(g, xml[at + i]);
	return out_end(g);
}

static int on_threads(struct gdb *g, const char *arg)
{
	(void)arg;
	out_begin(g);
	for (unsigned int i = 0; i < g->nvcpus; i++)
		out_text(g, "%c%x", i ? ',' : 'm', i + 1);
	return out_end(g);
}

static int on_no_more_threads(struct gdb *g, const char *arg)
{
	(void)arg;
	return say(g, "l");
}

static int on_thread_name(struct gdb *g, const char *arg)
{
	unsigned int cpu;
	char name[16];

	if (!thread(g, arg, &cpu, NULL))
		return answer(g, -EINVAL);
	snprintf(name, sizeof(name), "vcpu %u", cpu);
	out_begin(g);
	out_hex(g, name, strlen(name));
	return out_end(g);
}

static int on_current(struct gdb *g, const char *arg)
{
	(void)arg;
	out_begin(g);
	out_text(g, "QC%x", g->cpu + 1);
	return out_end(g);
}

static int on_attached(struct gdb *g, const char *arg)
{
	(void)arg;
	return say(g, "1");
}

static int on_no_ack(struct gdb *g, const char *arg)
{
	(void)arg;
	g->quiet = true;
	return answer(g, 0);
}

static int on_choose(struct gdb *g, const char *arg)
{
	unsigned int cpu;

	if (!*arg || !thread(g, arg + 1, &cpu, NULL))
		return answer(g, -EINVAL);
	if (*arg == 'g')
		g->cpu = cpu;
	return answer(g, 0);
}

static int on_alive(struct gdb *g, const char *arg)
{
	unsigned int cpu;

	return answer(g, thread(g, arg, &cpu, NULL) ? 0 : -EINVAL);
}

static void out_reg(struct gdb *g, const struct reg *r,
		    const struct dom_regs *all)
{
	uint64_t v = 0;

	memcpy(&v, (const uint8_t *)all + r->at, r->size);
	if (r->size)
		out_hex(g, &v, r->bytes);
	else
		for (unsigned int i = 0; i < r->bytes; i++)
			out_text(g, "xx");
}

static int on_read_regs(struct gdb *g, const char *arg)
{
	struct dom_regs all;
	int ret = get_regs(g, &all);

	(void)arg;
	if (ret)
		return answer(g, ret);
	out_begin(g);
	for (size_t i = 0; i < ARRAY_SIZE(regs); i++)
		out_reg(g, &regs[i], &all);
	return out_end(g);
}

static int on_read_reg(struct gdb *g, const char *arg)
{
	struct dom_regs all;
	uint64_t i;
	int ret;

	if (!number(&arg, '\0', &i) || i >= ARRAY_SIZE(regs))
		return answer(g, -EINVAL);
	ret = get_regs(g, &all);
	if (ret)
		return answer(g, ret);
	out_begin(g);
	out_reg(g, &regs[i], &all);
	return out_end(g);
}

/* Those that cannot be written stay as they are. */
static bool take_reg(const struct reg *r, struct dom_regs *all, const char *hex)
{
	uint64_t v = 0;

	if (!r->writable)
		return true;
	if (!bytes(hex, (uint8_t *)&v, r->bytes))
		return false;
	memcpy((uint8_t *)all + r->at, &v, r->size);
	return true;
}

static int on_write_regs(struct gdb *g, const char *arg)
{
	size_t len = strlen(arg), at = 0;
	struct dom_regs all;
	int ret = get_regs(g, &all);

	for (size_t i = 0; i < ARRAY_SIZE(regs) && !ret; i++) {
		if (len - at < 2u * regs[i].bytes ||
		    !take_reg(&regs[i], &all, arg + at))
			ret = -EINVAL;
		at += 2u * regs[i].bytes;
	}
	return answer(g, ret ? ret : set_regs(g, &all));
}

static int on_write_reg(struct gdb *g, const char *arg)
{
	struct dom_regs all;
	uint64_t i;
	int ret;

	if (!number(&arg, '=', &i) || i >= ARRAY_SIZE(regs) ||
	    strlen(arg) != 2u * regs[i].bytes)
		return answer(g, -EINVAL);
	if (!regs[i].writable)
		return answer(g, -EPERM);
	ret = get_regs(g, &all);
	if (!ret && !take_reg(&regs[i], &all, arg))
		ret = -EINVAL;
	return answer(g, ret ? ret : set_regs(g, &all));
}

/* "ADDRESS,LENGTH"; less than asked for is an answer, too. */
static int on_read(struct gdb *g, const char *arg)
{
	struct dom_msg msg = { .type = DOM_PEEK };
	uint64_t addr, len;
	int ret;

	if (!number(&arg, ',', &addr) || !number(&arg, '\0', &len))
		return answer(g, -EINVAL);
	msg.u.peek.id = g->cpu;
	msg.u.peek.addr = addr;
	msg.u.peek.len = (uint32_t)MIN(len, sizeof(msg.u.peek.data));
	len = msg.u.peek.len;
	ret = g->ops->call(g->arg, &msg);
	if (ret)
		return answer(g, ret);
	out_begin(g);
	out_hex(g, msg.u.peek.data, len);
	return out_end(g);
}

/* "ADDRESS,LENGTH:HEX" */
static int on_write(struct gdb *g, const char *arg)
{
	uint8_t buf[GDB_PACKET / 2];
	uint64_t addr, len;

	if (!number(&arg, ',', &addr) || !number(&arg, ':', &len) ||
	    len > sizeof(buf) || strlen(arg) != 2 * len ||
	    !bytes(arg, buf, len))
		return answer(g, -EINVAL);
	return answer(g, write_memory(g, addr, buf, len));
}

/* The same with bytes as they are, '}' before those that would end a packet. */
static int on_write_raw(struct gdb *g, const char *arg)
{
	const char *end = g->in + g->nin;
	uint8_t buf[GDB_PACKET];
	uint64_t addr, len;
	size_t n = 0;

	if (!number(&arg, ',', &addr) || !number(&arg, ':', &len))
		return answer(g, -EINVAL);
	while (arg < end && n < sizeof(buf)) {
		bool escaped = *arg == '}' && arg + 1 < end;

		arg += escaped;
		buf[n++] = (uint8_t)(*arg++ ^ (escaped ? 0x20 : 0));
	}
	return answer(g, n == len ? write_memory(g, addr, buf, n) : -EINVAL);
}

static int set_break(struct gdb *g, uint64_t addr, bool on)
{
	struct dom_msg msg = { .type = DOM_BREAK };

	msg.u.brk.id = g->cpu;
	msg.u.brk.on = on;
	msg.u.brk.addr = addr;
	return g->ops->call(g->arg, &msg);
}

static int set_watch(struct gdb *g, uint32_t type, uint64_t addr, uint64_t len,
		     bool on)
{
	struct dom_debug *d = &g->debug, was = *d;
	unsigned int i = 0;
	int ret;

	while (i < d->nwatches &&
	       (d->watch[i].addr != addr || d->watch[i].type != type ||
		d->watch[i].len != len))
		i++;
	if (on == (i < d->nwatches))
		return 0;
	if (on && i == DOM_WATCHES)
		return -ENOSPC;
	if (on) {
		d->watch[d->nwatches].addr = addr;
		d->watch[d->nwatches].type = type;
		d->watch[d->nwatches++].len = (uint32_t)MIN(len, UINT32_MAX);
	} else {
		d->watch[i] = d->watch[--d->nwatches];
	}
	ret = run(g, 0, 0);
	if (ret)
		*d = was;
	return ret;
}

/* "TYPE,ADDRESS,KIND"; conditions and commands are not supported. */
static int on_point(struct gdb *g, const char *arg, bool on)
{
	static const uint32_t watch[] = { [1] = DOM_WATCH_RUN,
					  [2] = DOM_WATCH_WRITE,
					  [3] = DOM_WATCH_USE,
					  [4] = DOM_WATCH_USE };
	uint64_t type, addr, kind;

	if (!number(&arg, ',', &type) || !number(&arg, ',', &addr) ||
	    !number(&arg, '\0', &kind))
		return answer(g, -EINVAL);
	/* A CPU cannot look for reading alone. */
	if (type >= ARRAY_SIZE(watch) || type == 3)
		return say(g, "");
	if (type == 0)
		return answer(g, set_break(g, addr, on));
	return answer(g, set_watch(g, watch[type], addr, type == 1 ? 1 : kind,
				   on));
}

static int on_insert(struct gdb *g, const char *arg)
{
	return on_point(g, arg, true);
}

static int on_remove(struct gdb *g, const char *arg)
{
	return on_point(g, arg, false);
}

static int on_actions(struct gdb *g, const char *arg)
{
	(void)arg;
	return say(g, "vCont;c;C;s;S");
}

/* "ACTION[:THREAD]": to all that have none yet; Return: whether it is one. */
static bool take_action(const struct gdb *g, char *text, uint64_t *go,
			uint64_t *step)
{
	const uint64_t every = UINT64_MAX >> (64 - g->nvcpus);
	char *who = strchr(text, ':');
	unsigned int cpu = 0;
	bool all = true;
	uint64_t which;

	if (who) {
		*who++ = '\0';
		if (!thread(g, who, &cpu, &all))
			return false;
	}
	if (!*text || !strchr("cCsS", *text))
		return false;
	which = (all ? every : UINT64_C(1) << cpu) & ~*go;
	*go |= which;
	if (*text == 's' || *text == 'S')
		*step |= which;
	return true;
}

/* ";ACTION[:THREAD]..."; no signal can be sent. */
static int on_continue(struct gdb *g, const char *arg)
{
	char text[GDB_PACKET + 1], *at = text, *one;
	uint64_t go = 0, step = 0;
	int ret;

	snprintf(text, sizeof(text), "%s", arg);
	while ((one = strsep(&at, ";"))) {
		if (!take_action(g, one, &go, &step))
			return answer(g, -EINVAL);
	}
	ret = gdb_events(g); /* of before */
	if (ret)
		return ret;
	if (g->down)
		return say(g, "X09");
	ret = run(g, go, step);
	if (ret)
		return answer(g, ret);
	g->running = true;
	return 0;
}

static int on_detach(struct gdb *g, const char *arg)
{
	(void)arg;
	(void)!answer(g, 0);
	return 1;
}

/* It is to go on, not to die: that is what xl destroy is for. */
static int on_kill(struct gdb *g, const char *arg)
{
	(void)g;
	(void)arg;
	return 1;
}

/* Packets by how they begin; what follows is handed over. */
static const struct packet {
	const char *name;
	int (*on)(struct gdb *g, const char *arg);
	bool bare; /* nothing follows */
} packets[] = {
	{ "?", on_query_stop, true },
	{ "qSupported", on_supported, false },
	{ "qXfer:features:read:target.xml:", on_features, false },
	{ "qfThreadInfo", on_threads, true },
	{ "qsThreadInfo", on_no_more_threads, true },
	{ "qThreadExtraInfo,", on_thread_name, false },
	{ "qC", on_current, true },
	{ "qAttached", on_attached, false },
	{ "QStartNoAckMode", on_no_ack, true },
	{ "H", on_choose, false },
	{ "T", on_alive, false },
	{ "g", on_read_regs, true },
	{ "G", on_write_regs, false },
	{ "p", on_read_reg, false },
	{ "P", on_write_reg, false },
	{ "m", on_read, false },
	{ "M", on_write, false },
	{ "X", on_write_raw, false },
	{ "Z", on_insert, false },
	{ "z", on_remove, false },
	{ "vCont?", on_actions, true },
	{ "vCont;", on_continue, false },
	{ "D", on_detach, false },
	{ "k", on_kill, true },
};

static int serve(struct gdb *g)
{
	g->in[g->nin] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
		const struct packet *p = &packets[i];
		size_t n = strlen(p->name);

		if (!strncmp(g->in, p->name, n) && (!p->bare || !g->in[n]))
			return p->on(g, g->in + n);
	}
	return say(g, "");
}

/* ---- Frames ---------------------------------------------------------------- */

static int end_packet(struct gdb *g)
{
	uint8_t sum = 0, said;
	int ret = 0;

	g->state = GDB_IDLE;
	for (size_t i = 0; i < g->nin; i++)
		sum = (uint8_t)(sum + (uint8_t)g->in[i]);
	if (!g->too_long && (!bytes(g->sum, &said, 1) || said != sum))
		return g->quiet ? 0 : g->ops->send(g->arg, "-", 1);
	if (!g->quiet)
		ret = g->ops->send(g->arg, "+", 1);
	if (ret)
		return ret;
	/* It expects nothing but the stop. */
	if (g->running)
		return 0;
	return g->too_long ? answer(g, -EMSGSIZE) : serve(g);
}

static int take_idle(struct gdb *g, char c)
{
	switch (c) {
	case '$':
		g->state = GDB_BODY;
		g->nin = 0;
		g->too_long = false;
		return 0;
	case STOP:
		return interrupt(g);
	case '-':
		return g->quiet ? 0 : out_again(g);
	default:
		return 0;
	}
}

static int take_char(struct gdb *g, char c)
{
	switch (g->state) {
	case GDB_IDLE:
		return take_idle(g, c);
	case GDB_BODY:
		if (c == '#')
			g->state = GDB_SUM1;
		else if (g->nin < GDB_PACKET)
			g->in[g->nin++] = c;
		else
			g->too_long = true;
		return 0;
	case GDB_SUM1:
		g->sum[0] = c;
		g->state = GDB_SUM2;
		return 0;
	default:
		g->sum[1] = c;
		return end_packet(g);
	}
}

int gdb_take(struct gdb *g, const void *buf, size_t len)
{
	int ret = 0;

	for (size_t i = 0; i < len && !ret; i++)
		ret = take_char(g, ((const char *)buf)[i]);
	return ret;
}

int gdb_begin(struct gdb *g, const struct gdb_ops *ops, void *arg,
	      unsigned int nvcpus)
{
	*g = (struct gdb){ .ops = ops, .arg = arg, .nvcpus = nvcpus };
	if (!nvcpus || nvcpus > 64)
		return -EINVAL;
	return run(g, 0, 0);
}
