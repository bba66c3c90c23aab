/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring/stream.c - byte streams in shared memory: console and xenstore rings. */
#include "ring/stream.h"

#include <errno.h>

static int attach(struct stream *s, const struct stream_map *map,
		  enum stream_wake wake, const uint32_t SHM *ours)
{
	if (!map->data || !map->size || map->size > UINT32_C(1) << 30 ||
	    (map->size & (map->size - 1)) || !map->prod || !map->cons ||
	    (uintptr_t)map->prod % 4 || (uintptr_t)map->cons % 4)
		return -EINVAL;
	*s = (struct stream){ .map = *map, .wake = wake };
	/* Nothing to order: only our predecessor wrote before this word. */
	s->at = shm_acquire((const shm_word SHM *)ours);
	s->seen = s->at;
	return 0;
}

int stream_reader_attach(struct stream_reader *r, const struct stream_map *map,
			 enum stream_wake wake)
{
	return attach(&r->s, map, wake, map->cons);
}

int stream_writer_attach(struct stream_writer *w, const struct stream_map *map,
			 enum stream_wake wake)
{
	int ret;

	ret = attach(&w->s, map, wake, map->prod);
	/* The reader may be up to a full ring behind. */
	if (!ret)
		w->s.seen = w->s.at - map->size;
	return ret;
}

/*
 * Accept the peer's index: it moves forward from what was seen, at most to
 * @limit. One comparison, as in ring.c, rejects overfull and backwards alike.
 */
static int judge(struct stream *s, uint32_t peer, uint32_t limit)
{
	if (peer - s->seen > limit - s->seen) {
		s->dead = true;
		return -EPROTO;
	}
	s->seen = peer;
	return 0;
}

static uint32_t at_most(uint32_t n, uint32_t limit)
{
	return n < limit ? n : limit;
}

/*
 * The look at prod inside the loop comes after cons was published, so when the
 * loop ends on an empty stream the writer either is seen or sees our cons, finds
 * that all it wrote before was taken, and notifies.
 */
int stream_read(struct stream_reader *r, void *buf, size_t n, bool *notify)
{
	struct stream *s = &r->s;
	uint32_t want = n > INT32_MAX ? INT32_MAX : (uint32_t)n;
	uint32_t done = 0, len, off, prod, old;

	if (s->dead)
		return -EPROTO;
	prod = shm_acquire((shm_word SHM *)s->map.prod);
	while (!judge(s, prod, s->at + s->map.size)) {
		off = s->at & (s->map.size - 1);
		len = at_most(prod - s->at, s->map.size - off);
		len = at_most(len, want - done);
		if (!len)
			return (int)done;
		shm_fetch((uint8_t *)buf + done,
			  (const uint8_t SHM *)s->map.data + off, len);
		done += len;
		old = s->at;
		s->at += len;
		prod = shm_sync((shm_word SHM *)s->map.cons, s->at,
				(shm_word SHM *)s->map.prod);
		if (s->wake == STREAM_WAKE_ALWAYS || prod - old == s->map.size)
			*notify = true;
	}
	return done ? (int)done : -EPROTO;
}

int stream_write(struct stream_writer *w, const void *buf, size_t n,
		 bool *notify)
{
	struct stream *s = &w->s;
	uint32_t want = n > INT32_MAX ? INT32_MAX : (uint32_t)n;
	uint32_t done = 0, len, off, cons, old;

	if (s->dead)
		return -EPROTO;
	cons = shm_acquire((shm_word SHM *)s->map.cons);
	while (!judge(s, cons, s->at)) {
		off = s->at & (s->map.size - 1);
		len = at_most(s->map.size - (s->at - cons), s->map.size - off);
		len = at_most(len, want - done);
		if (!len)
			return (int)done;
		shm_post((uint8_t SHM *)s->map.data + off,
			 (const uint8_t *)buf + done, len);
		done += len;
		old = s->at;
		s->at += len;
		cons = shm_sync((shm_word SHM *)s->map.prod, s->at,
				(shm_word SHM *)s->map.cons);
		if (s->wake == STREAM_WAKE_ALWAYS || cons == old)
			*notify = true;
	}
	return done ? (int)done : -EPROTO;
}

bool stream_look(const struct stream_map *map, uint32_t *prod, uint32_t *cons)
{
	return shm_look((shm_word *)map->cons, (shm_word *)map->prod, cons,
			prod);
}
