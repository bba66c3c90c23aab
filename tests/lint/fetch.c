// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lint/fetch.c - how often compiled code reads each byte of a message.
//
// How it works
//
// Whoever takes a message out of shared memory and acts on it must read each
// byte once: with a second read a peer can have one value judged and another
// one used. A compiler may add that read (threats BE-02), so what it made is
// run, and the processor is asked. A page is made inaccessible; each instruction
// that touches it faults, is let through and single-stepped. A fault tells only
// where an access begins, so the message is laid across the edge of the page,
// once for each of its bytes: what touches the byte at the edge begins there.
//
// ring/ and guestmem.c are included and not linked, so that the compiler sees
// all at once and is as clever as it can be. fetch.sh builds this with each
// compiler at each level; FETCH=__builtin_memcpy shows that it sees a double
// fetch. Prints what it finds; status 1 if that is anything.
#include "ring/ring.c"
#define judge stream_judge
#include "ring/stream.c"
#undef judge
#include "hypervisor/guestmem.c"

#include <signal.h>
#include <stdio.h>
#include <ucontext.h>

#ifndef FETCH
#define FETCH shm_fetch
#endif

#define PAGE	 4096u
#define TRAP_BIT 0x100

struct msg {
	uint8_t op, pad[7];
	uint64_t arg, more[3];
};

/* Two pages; the one that is watched, and the byte of it that counts. */
static uint8_t *shared;
static uint8_t *watched;
static const uint8_t *byte;
static unsigned int touched;
static volatile uint64_t sink;

static void on_fault(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;
	uint8_t *at = si->si_addr;

	if (at < watched || at >= watched + PAGE) {
		signal(sig, SIG_DFL); /* it comes again, and ends us */
		return;
	}
	touched += at == byte;
	mprotect(watched, PAGE, PROT_READ | PROT_WRITE);
	uc->uc_mcontext.gregs[REG_EFL] |= TRAP_BIT;
}

static void on_step(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)si;
	mprotect(watched, PAGE, PROT_NONE);
	uc->uc_mcontext.gregs[REG_EFL] &= ~TRAP_BIT;
}

static void watch(uint8_t *page, const uint8_t *what)
{
	watched = page;
	byte = what;
	touched = 0;
	mprotect(page, PAGE, PROT_NONE);
}

static unsigned int unwatch(void)
{
	mprotect(watched, PAGE, PROT_READ | PROT_WRITE);
	return touched;
}

/* libc's reads some bytes twice, which harms nobody: the copy is one. */
void *memcpy(void *to, const void *from, size_t n)
{
	void *ret = to;

	__asm__ volatile("rep movsb"
			 : "+D"(to), "+S"(from), "+c"(n)
			 :
			 : "memory");
	return ret;
}

/* What acts on a message: enough cases for a jump table. */
#define ACT(n)                                                    \
	__attribute__((noinline)) static int act##n(uint64_t arg) \
	{                                                         \
		sink = arg + (n);                                 \
		return n;                                         \
	}                                                         \
	_Static_assert(1, "takes the semicolon")
ACT(0);
ACT(1);
ACT(2);
ACT(3);
ACT(4);
ACT(5);

static inline __attribute__((always_inline)) int act(const struct msg *m)
{
	switch (m->op) {
	case 0:
		return act0(m->arg);
	case 1:
		return act1(m->arg);
	case 2:
		return act2(m->arg);
	case 3:
		return act3(m->arg) + 1;
	case 4:
		return act4(m->arg + m->more[0]);
	case 5:
		return act5(m->arg) + act0(1);
	}
	return -1;
}

/* ---- the takers: each has the message at @at ------------------------------- */

static struct ring_back back;
static struct ring_front front;
static struct stream_reader reader;
static struct guestmem ram;

static int take_fetch(const uint8_t SHM *at)
{
	struct msg m;

	FETCH(&m, at, sizeof(m));
	return act(&m);
}

static int take_back(const uint8_t SHM *at)
{
	struct msg m;

	(void)at;
	return ring_back_take(&back, &m, sizeof(m)) == 1 ? act(&m) : -2;
}

static int take_front(const uint8_t SHM *at)
{
	struct msg m;

	(void)at;
	return ring_front_take(&front, &m, sizeof(m)) == 1 ? act(&m) : -2;
}

static int take_stream(const uint8_t SHM *at)
{
	struct msg m;
	bool notify = false;

	(void)at;
	return stream_read(&reader, &m, sizeof(m), &notify) == (int)sizeof(m)
		       ? act(&m)
		       : -2;
}

static int take_ram(const uint8_t SHM *at)
{
	struct msg m;
	gpa_t gpa = gpa_of((uint64_t)(at - ram.region[0].host));

	return guestmem_read(&ram, gpa, &m, sizeof(m)) ? -2 : act(&m);
}

/* ---- their beds: whether the message can lie at @at ------------------------- */

static uint32_t words[2]; /* a stream's indices: not what is asked about here */

static bool bed_none(uint8_t *at)
{
	(void)at;
	return true;
}

static bool bed_stream(uint8_t *at)
{
	struct stream_map map = { at, 64, &words[0], &words[1] };

	words[0] = sizeof(struct msg);
	words[1] = 0;
	return !stream_reader_attach(&reader, &map, STREAM_WAKE_EDGE);
}

static bool bed_ram(uint8_t *at)
{
	(void)at;
	ram.n = 1;
	ram.region[0].size = 2 * PAGE;
	ram.region[0].host = shared;
	return true;
}

/* A slot size and a slot that put the message at @at, if there are any. */
static bool find_slot(const uint8_t *at, size_t *size, uint32_t *idx)
{
	size_t off = (size_t)(at - shared) - sizeof(struct ring_shm);

	for (size_t s = sizeof(struct msg); s <= RING_SLOT_MAX; s += 4) {
		if (off % s || off / s >= ring_slots(2, s))
			continue;
		*size = s;
		*idx = (uint32_t)(off / s);
		return true;
	}
	return false;
}

static bool bed_back(uint8_t *at)
{
	void *pages[2] = { shared, shared + PAGE };
	struct ring_pos pos;
	size_t size;
	uint32_t idx;

	if (!find_slot(at, &size, &idx))
		return false;
	pos = (struct ring_pos){ idx, idx };
	((uint32_t *)(void *)shared)[0] = idx + 1;
	return !ring_back_attach(&back, pages, 2, size, &pos);
}

static bool bed_front(uint8_t *at)
{
	void *pages[2] = { shared, shared + PAGE };
	struct msg was = *(struct msg *)(void *)at;
	size_t size;
	uint32_t idx;

	if (!find_slot(at, &size, &idx) ||
	    ring_front_init(&front, pages, 2, size))
		return false;
	front.rsp_cons = front.rsp_seen = idx;
	front.req_prod = front.req_sent = idx + 1;
	((uint32_t *)(void *)shared)[2] = idx + 1;
	*(struct msg *)(void *)at = was;
	return true;
}

static const struct taker {
	const char *name;
	bool (*bed)(uint8_t *at);
	int (*take)(const uint8_t SHM *at);
	int index; /* byte of the peer's index, or -1 */
} takers[] = {
	{ "shm_fetch", bed_none, take_fetch, -1 },
	{ "ring_back_take", bed_back, take_back, 0 },
	{ "ring_front_take", bed_front, take_front, 8 },
	{ "stream_read", bed_stream, take_stream, -1 },
	{ "guestmem_read", bed_ram, take_ram, -1 },
};

/* Take a message with @op at @at, watching @what of @page. */
static int ask(const struct taker *t, uint8_t op, uint8_t *at, uint8_t *page,
	       const uint8_t *what)
{
	static const int answer[] = { 0, 1, 2, 4, 4, 5, -1 };
	unsigned int n;
	int ret;

	memset(shared, 0, (size_t)2 * PAGE);
	*(struct msg *)(void *)at = (struct msg){ .op = op, .arg = op };
	if (!t->bed(at))
		return -1;
	watch(page, what);
	ret = t->take(at);
	n = unwatch();
	if (n == 1 && ret == answer[op])
		return 0;
	printf("%s: operation %u: %s %u is read %u times, result %d\n", t->name,
	       op, page == shared ? "index at" : "byte",
	       page == shared ? (unsigned int)t->index
			      : (unsigned int)(what - at),
	       n, ret);
	return 1;
}

static int check(const struct taker *t)
{
	uint8_t *edge = shared + PAGE;
	int ret, asked = 0, bad = 0;

	for (uint8_t op = 0; op <= 6; op++) {
		for (size_t k = 0; k < sizeof(struct msg); k++) {
			ret = ask(t, op, edge - k, edge, edge);
			asked += ret >= 0;
			bad += ret > 0;
		}
		if (t->index >= 0)
			bad += ask(t, op, edge - 32, shared,
				   shared + t->index) != 0;
	}
	printf("# %s: %d bytes watched\n", t->name, asked);
	return bad || !asked;
}

int main(void)
{
	struct sigaction fault = { .sa_sigaction = on_fault,
				   .sa_flags = SA_SIGINFO };
	struct sigaction step = { .sa_sigaction = on_step,
				  .sa_flags = SA_SIGINFO };
	int bad = 0;

	shared = mmap(NULL, (size_t)2 * PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || sigaction(SIGSEGV, &fault, NULL) ||
	    sigaction(SIGTRAP, &step, NULL))
		return 2;
	for (size_t i = 0; i < ARRAY_SIZE(takers); i++)
		bad |= check(&takers[i]);
	return bad;
}
