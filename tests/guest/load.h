/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/guest/load.h - frames between two ends, as fast as they pass; no I/O. */
#ifndef TESTS_GUEST_LOAD_H
#define TESTS_GUEST_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "guest-frontend/minilibc.h"

/*
 * How it works
 *
 * One end leads: it says hello until the other answers, and what is to be done.
 * Then it sends frames, or both do; every few frames it asks the other one how
 * many have come, and no more than a window of them is under way.  With a window of
 * 1 these are round trips.  What counts is what has arrived.  A frame that was
 * lost is not sent again: after LOAD_SILENCE the window is open anew.
 *
 * What carries the frames is the caller's (struct load_io).
 */
#define LOAD_HEAD    128u /* bytes of a frame that its message is within */
#define LOAD_SMALL   64u  /* of a frame that carries nothing else */
#define LOAD_MS	     UINT64_C(1000000)
#define LOAD_SILENCE (20 * LOAD_MS)
#define LOAD_END     (2000 * LOAD_MS)  /* the leader is gone */
#define LOAD_BEGIN   (30000 * LOAD_MS) /* there is none */
#define LOAD_MSS     1448u
#define LOAD_TCP     34u /* where a TCP header begins, and */
#define LOAD_DATA    54u /* ends */
#define LOAD_ETH     14u
#define LOAD_PLAIN   0x88b5 /* an EtherType for experiments */
#define LOAD_GSO_MIN 1515u  /* frames from here on are TCP, to be segmented */

enum load_kind { LOAD_HELLO = 1, LOAD_FRAME, LOAD_GOT, LOAD_BYE };

/**
 * struct load_msg - What a frame says.
 * @ask: Answer how many have come.
 * @a:   Number of the frame, or of the last that came; of a hello: bytes.
 * @b:   How many have come; of a hello: the window, and in bit 32 both ways.
 */
struct load_msg {
	uint64_t kind, ask, a, b;
};
_Static_assert(LOAD_DATA + sizeof(struct load_msg) <= LOAD_HEAD, "fits");
_Static_assert(LOAD_ETH + sizeof(struct load_msg) <= LOAD_SMALL, "fits");

/**
 * struct load_io - What carries frames.
 * @send:    Put a frame of @bytes; false: there is no room now.
 * @receive: Take a frame; false: there is none.
 * @push:    All that was put goes now.
 * @wait:    Until there may be a frame, or time is up.
 */
struct load_io {
	bool (*send)(const struct load_msg *m, uint32_t bytes);
	bool (*receive)(struct load_msg *m);
	void (*push)(void);
	void (*wait)(uint64_t ns);
	uint64_t (*now)(void);
};

/**
 * struct load - One end.
 * @bytes, @window, @both: What is to be done.
 * @begun:   Both know.
 * @sends, @owes: Frames; an answer.
 * @sent:    Frames; the other end has seen up to @known, and @got came.
 * @came:    Frames that came, the last one is number @last.
 */
struct load {
	const struct load_io *io;
	uint32_t bytes, window;
	bool both, leads, begun, over, sends, owes;
	uint64_t sent, known, got, came, last;
};

/* ---- frames ---------------------------------------------------------------- */

static inline bool load_gso(uint32_t bytes)
{
	return bytes >= LOAD_GSO_MIN;
}

static inline void load_put16(uint8_t *to, uint32_t v)
{
	to[0] = (uint8_t)(v >> 8);
	to[1] = (uint8_t)v;
}

/* The checksum of an IPv4 header that has none yet. */
static inline uint32_t load_ip_sum(const uint8_t *ip)
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/** load_put() - Write the LOAD_HEAD first bytes of a frame. */
static inline void load_put(uint8_t *head, const uint8_t *to,
			    const uint8_t *from, const struct load_msg *m,
			    uint32_t bytes)
{
	static const uint8_t ip[20] = {
		0x45, [6] = 0x40, [8] = 64, 6, [12] = 10, 0, 0, 1, 10, 0, 0, 2
	};
	static const uint8_t tcp[20] = { 0x13, 0x88,	    0x13,
					 0x89, [12] = 0x50, 0x10 };

	memcpy(head, to, 6);
	memcpy(head + 6, from, 6);
	if (!load_gso(bytes)) {
		load_put16(head + 12, LOAD_PLAIN);
		memcpy(head + LOAD_ETH, m, sizeof(*m));
		return;
	}
	load_put16(head + 12, 0x0800);
	memcpy(head + LOAD_ETH, ip, sizeof(ip));
	load_put16(head + LOAD_ETH + 2, bytes - LOAD_ETH);
	load_put16(head + LOAD_ETH + 10, load_ip_sum(head + LOAD_ETH));
	memcpy(head + LOAD_TCP, tcp, sizeof(tcp));
	memcpy(head + LOAD_DATA, m, sizeof(*m));
}

/** load_get() - What a frame says; false: it is none of ours. */
static inline bool load_get(const uint8_t *frame, size_t len,
			    struct load_msg *m)
{
	size_t at = frame[12] == LOAD_PLAIN >> 8 &&
				    frame[13] == (LOAD_PLAIN & 0xff)
			    ? LOAD_ETH
			    : LOAD_DATA;

	if (len < at + sizeof(*m) ||
	    (at == LOAD_DATA && !load_gso((uint32_t)len)))
		return false;
	memcpy(m, frame + at, sizeof(*m));
	return true;
}

/* ---- an end ---------------------------------------------------------------- */

static inline void load_begin(struct load *l, const struct load_msg *m)
{
	if (!l->leads) {
		l->bytes = (uint32_t)m->a;
		l->window = (uint32_t)m->b;
		l->both = m->b >> 32;
	}
	l->begun = true;
	l->sends = l->leads || l->both;
}

static inline void load_hear(struct load *l, const struct load_msg *m)
{
	if (m->kind == LOAD_HELLO) {
		if (!l->begun)
			load_begin(l, m);
		if (!l->leads && l->io->send(m, LOAD_SMALL))
			l->io->push();
	} else if (m->kind == LOAD_FRAME) {
		l->came++;
		l->last = m->a;
		l->owes |= m->ask != 0;
	} else if (m->kind == LOAD_GOT) {
		l->known = m->a;
		l->got = m->b;
	} else if (m->kind == LOAD_BYE) {
		l->over = !l->leads;
	}
}

static inline void load_send(struct load *l)
{
	uint32_t every = l->window < 4 ? 1 : l->window / 4;
	struct load_msg m = { LOAD_GOT, 0, l->last, l->came };

	if (l->owes && l->io->send(&m, LOAD_SMALL))
		l->owes = false;
	while (l->sends && l->sent - l->known < l->window) {
		m = (struct load_msg){ LOAD_FRAME, (l->sent + 1) % every == 0,
				       l->sent + 1, 0 };
		if (!l->io->send(&m, l->bytes))
			break;
		l->sent++;
	}
	l->io->push();
}

/* Whether anything came. */
static inline bool load_step(struct load *l)
{
	struct load_msg m;
	bool any = false;

	while (l->io->receive(&m)) {
		load_hear(l, &m);
		any = true;
	}
	load_send(l);
	return any;
}

/* Until @until, or until nothing came for @patience. */
static inline void load_go_on(struct load *l, uint64_t until, uint64_t patience)
{
	uint64_t now = l->io->now(), heard = now, opened = now;

	while (now < until && !l->over && now - heard < patience) {
		if (load_step(l)) {
			heard = opened = now = l->io->now();
			continue;
		}
		if (now - opened >= LOAD_SILENCE) {
			l->known = l->sent;
			opened = now;
		}
		l->io->wait(LOAD_SILENCE);
		now = l->io->now();
	}
}

/** load_serve() - The other end; Return: whether there was a leader. */
static inline bool load_serve(const struct load_io *io)
{
	struct load l = { .io = io };
	uint64_t end = io->now() + LOAD_BEGIN;

	while (!l.begun && io->now() < end) {
		if (!load_step(&l))
			io->wait(LOAD_SILENCE);
	}
	if (l.begun)
		load_go_on(&l, UINT64_MAX, LOAD_END);
	return l.begun;
}

/**
 * load_lead() - Lead for @ns; *@ns is how long it took.
 *
 * Return: frames that have arrived, here and there, or 0.
 */
static inline uint64_t load_lead(const struct load_io *io, uint32_t bytes,
				 uint32_t window, bool both, uint64_t *ns)
{
	struct load l = { .io = io,
			  .bytes = bytes,
			  .window = window,
			  .both = both,
			  .leads = true };
	const struct load_msg hello = { LOAD_HELLO, 0, bytes,
					window | (uint64_t)both << 32 };
	const struct load_msg bye = { .kind = LOAD_BYE };
	uint64_t began = io->now();

	while (!l.begun && io->now() - began < LOAD_BEGIN) {
		if (io->send(&hello, LOAD_SMALL))
			io->push();
		io->wait(LOAD_SILENCE);
		(void)load_step(&l);
	}
	if (!l.begun)
		return 0;
	began = io->now();
	load_go_on(&l, began + *ns, LOAD_BEGIN);
	*ns = io->now() - began;
	for (int i = 0; i < 3; i++) {
		(void)io->send(&bye, LOAD_SMALL);
		io->push();
	}
	return l.got + l.came;
}

#endif
