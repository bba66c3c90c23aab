/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/stress/stream_stress.c - two streams, both ways, on two threads. */
#include "ring/stream.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/io/console.h>

#include "tests/stress/bell.h"

/*
 * How it works
 *
 * Each party writes a numbered byte sequence to the other and checks what it
 * reads, in pieces of changing size. It sleeps only when its reader ran empty
 * and its writer full (or done), as the header allows, so that a lost wake-up
 * ends the test by its time limit.
 */

struct party {
	struct stream_reader r;
	struct stream_writer w;
	struct bell *mine, *peers;
	uint32_t start, count;
	uint32_t mult_in, mult_out; /* the two directions differ */
	const char *wrong;
};

/* Byte number @at of a direction. */
static uint8_t byte(uint32_t at, uint32_t mult)
{
	return (uint8_t)((at * mult) >> 5);
}

/* Read one piece; true if the stream ran empty. */
static bool read_some(struct party *p, uint32_t *got, bool *notify)
{
	uint32_t want = 1 + *got % 900;
	uint8_t buf[1024];
	int n;

	n = stream_read(&p->r, buf, want, notify);
	if (n < 0) {
		p->wrong = "reader: honest peer called a liar";
		return true;
	}
	for (int i = 0; i < n; i++) {
		if (buf[i] != byte((*got)++, p->mult_in))
			p->wrong = "bytes lost, doubled or reordered";
	}
	return (uint32_t)n < want;
}

/* Write one piece; true if the stream is full or all is written. */
static bool write_some(struct party *p, uint32_t *sent, bool *notify)
{
	uint32_t want = 1 + *sent % 700;
	uint8_t buf[1024] = { 0 };
	int n;

	if (want > p->count - *sent)
		want = p->count - *sent;
	for (uint32_t i = 0; i < want; i++)
		buf[i] = byte(*sent + i, p->mult_out);
	n = stream_write(&p->w, buf, want, notify);
	if (n < 0) {
		p->wrong = "writer: honest peer called a liar";
		return true;
	}
	*sent += (uint32_t)n;
	return (uint32_t)n < want || *sent == p->count;
}

static void *party(void *arg)
{
	uint32_t got = 0, sent = 0, heard = 0;
	struct party *p = arg;
	bool empty, full, notify;

	while (!p->wrong && (got < p->count || sent < p->count)) {
		notify = false;
		empty = read_some(p, &got, &notify);
		full = write_some(p, &sent, &notify);
		if (notify)
			bell_ring(p->peers);
		if (!empty || !full || (got == p->count && sent == p->count))
			continue;
		if (!bell_wait(p->mine, &heard))
			p->wrong = "wake-up lost";
	}
	return NULL;
}

static bool attach(struct party *p, struct stream_map in, struct stream_map out,
		   enum stream_wake wake)
{
	return !stream_reader_attach(&p->r, &in, wake) &&
	       !stream_writer_attach(&p->w, &out, wake);
}

static const char *run(enum stream_wake wake, uint32_t start, uint32_t count)
{
	struct party guest = { .count = count, .mult_in = 77, .mult_out = 41 };
	struct party dom0 = { .count = count, .mult_in = 41, .mult_out = 77 };
	struct xencons_interface *c;
	struct bell bell[2] = { 0 };
	pthread_t thr[2];

	c = aligned_alloc(4096, 4096);
	if (!c)
		return "no memory";
	memset(c, 0, 4096);
	c->in_cons = c->in_prod = c->out_cons = c->out_prod = start;
	guest.mine = dom0.peers = &bell[0];
	dom0.mine = guest.peers = &bell[1];
	if (!attach(&guest, STREAM_MAP(c, in), STREAM_MAP(c, out), wake) ||
	    !attach(&dom0, STREAM_MAP(c, out), STREAM_MAP(c, in), wake) ||
	    pthread_create(&thr[0], NULL, party, &guest) ||
	    pthread_create(&thr[1], NULL, party, &dom0))
		return "set-up failed";
	pthread_join(thr[0], NULL);
	pthread_join(thr[1], NULL);
	free(c);
	return guest.wrong ? guest.wrong : dom0.wrong;
}

int main(void)
{
	static const struct {
		const char *name;
		enum stream_wake wake;
		uint32_t start, count;
	} runs[] = {
		{ "notify on the edge", STREAM_WAKE_EDGE, 0, 24u << 20 },
		{ "notify always", STREAM_WAKE_ALWAYS, 0, 8u << 20 },
		{ "index wraps", STREAM_WAKE_EDGE, UINT32_MAX - 70000,
		  8u << 20 },
	};
	size_t n = sizeof(runs) / sizeof(runs[0]), failed = 0;
	const char *wrong;

	printf("1..%zu\n", n);
	for (size_t i = 0; i < n; i++) {
		wrong = run(runs[i].wake, runs[i].start, runs[i].count);
		failed += wrong != NULL;
		printf("%sok %zu - stream, %s%s%s\n", wrong ? "not " : "",
		       i + 1, runs[i].name, wrong ? ": " : "",
		       wrong ? wrong : "");
	}
	return failed != 0;
}
