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
	int ret;

	ret = attach(&r->s, map, wake, map->cons);
	r->told = r->s.at;
	return ret;
}

int stream_reader_resume(struct stream_reader *r, const struct stream_map *map,
			 enum stream_wake wake, uint32_t at)
{
	int ret;

	ret = attach(&r->s, map, wake, map->cons);
	if (ret)
		return ret;
	r->s.at = r->s.seen = r->told = at;
	shm_release((shm_word SHM *)map->cons, at);
	return 0;
}

uint32_t stream_reader_at(const struct stream_reader *r)
{
	return r->s.at;
}

uint32_t stream_writer_at(const struct stream_writer *w)
{
	return w->s.at;
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

int stream_writer_resume(struct stream_writer *w, const struct stream_map *map,
			 enum stream_wake wake, uint32_t at)
{
	int ret;

	ret = attach(&w->s, map, wake, map->prod);
	if (ret)
		return ret;
	w->s.at = w->s.seen = at;
	shm_release((shm_word SHM *)map->prod, at);
	return 0;
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

/* Copy what lies from our index on up to @prod, and past the end of the area. */
static uint32_t fetch(struct stream *s, uint32_t prod, void *buf, uint32_t want)
{
	uint32_t done = 0, len, off;

	for (;;) {
		off = s->at & (s->map.size - 1);
		len = at_most(prod - s->at, s->map.size - off);
		len = at_most(len, want - done);
		if (!len)
			return done;
		shm_fetch((uint8_t *)buf + done,
			  (const uint8_t SHM *)s->map.data + off, len);
		done += len;
		s->at += len;
	}
}

int stream_take(struct stream_reader *r, void *buf, size_t n)
{
	uint32_t want = n > INT32_MAX ? INT32_MAX : (uint32_t)n;
	struct stream *s = &r->s;
	uint32_t prod;

	if (s->dead)
		return -EPROTO;
	prod = shm_acquire((shm_word SHM *)s->map.prod);
	if (judge(s, prod, r->told + s->map.size))
		return -EPROTO;
	return (int)fetch(s, prod, buf, want);
}

/*
 * The look at prod comes after cons was published: the writer either is seen, or
 * sees our cons, finds that all it wrote before was taken, and notifies.
 */
int stream_release(struct stream_reader *r, bool *notify)
{
	struct stream *s = &r->s;
	uint32_t old = r->told, prod;

	if (s->dead)
		return -EPROTO;
	if (s->at == old)
		return 0;
	r->told = s->at;
	prod = shm_sync((shm_word SHM *)s->map.cons, s->at,
			(shm_word SHM *)s->map.prod);
	if (s->wake == STREAM_WAKE_ALWAYS || prod - old == s->map.size)
		*notify = true;
	if (judge(s, prod, r->told + s->map.size))
		return -EPROTO;
	return prod != s->at;
}

int stream_read(struct stream_reader *r, void *buf, size_t n, bool *notify)
{
	int want = n > INT32_MAX ? INT32_MAX : (int)n;
	int done = 0, got, more;

	do {
		got = stream_take(r, (uint8_t *)buf + done,
				  (size_t)(want - done));
		if (got < 0)
			return done ? done : got;
		done += got;
		more = stream_release(r, notify);
	} while (more > 0 && done < want);
	return done || more >= 0 ? done : more;
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
