// SPDX-License-Identifier: GPL-2.0-or-later
// tools/oneshot.c - what `xl run` and the first process of its guest say.
#include "tools/oneshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Jobs ------------------------------------------------------------------ */

/* Before the strings: cwd, @argc arguments, @envc variables, each with its NUL. */
struct job_head {
	uint32_t uid, gid;
	uint32_t flags;
	uint32_t argc, envc;
};
enum { JOB_RW = 1, JOB_NET = 2 };

static size_t count(const char *const *list, size_t *bytes)
{
	size_t n = 0;

	for (; list[n]; n++)
		*bytes += strlen(list[n]) + 1;
	return n;
}

static uint8_t *put(uint8_t *at, const char *s)
{
	size_t len = strlen(s) + 1;

	memcpy(at, s, len);
	return at + len;
}

int oneshot_encode(const struct oneshot_job *job, uint8_t **out, size_t *len)
{
	struct job_head h = { .uid = job->uid, .gid = job->gid };
	struct oneshot_head head = { .type = ONESHOT_JOB };
	size_t bytes = sizeof(h) + strlen(job->cwd) + 1;
	uint8_t *buf, *at;

	h.flags = (job->rw ? JOB_RW : 0) | (job->net ? JOB_NET : 0);
	h.argc = (uint32_t)count(job->argv, &bytes);
	h.envc = (uint32_t)count(job->env, &bytes);
	if (bytes > ONESHOT_MAX_JOB)
		return -E2BIG;
	buf = malloc(sizeof(head) + bytes);
	if (!buf)
		return -ENOMEM;
	head.len = (uint32_t)bytes;
	memcpy(buf, &head, sizeof(head));
	memcpy(buf + sizeof(head), &h, sizeof(h));
	at = put(buf + sizeof(head) + sizeof(h), job->cwd);
	for (size_t i = 0; i < h.argc; i++)
		at = put(at, job->argv[i]);
	for (size_t i = 0; i < h.envc; i++)
		at = put(at, job->env[i]);
	*out = buf;
	*len = sizeof(head) + bytes;
	return 0;
}

/* The next string; NULL if there is none. */
static char *take(char **at, const char *end)
{
	char *s = *at,
	     *nul = s < end ? memchr(s, '\0', (size_t)(end - s)) : NULL;

	*at = nul ? nul + 1 : s;
	return nul ? s : NULL;
}

static const char **take_list(char **at, const char *end, uint32_t n)
{
	const char **list;

	/* Each takes a byte at least. */
	if (n > (size_t)(end - *at))
		return NULL;
	list = calloc(n + 1u, sizeof(*list));
	if (!list)
		return NULL;
	for (uint32_t i = 0; i < n; i++) {
		list[i] = take(at, end);
		if (!list[i]) {
			free(list);
			return NULL;
		}
	}
	return list;
}

int oneshot_decode(struct oneshot_job *job, uint8_t *buf, size_t len)
{
	struct oneshot_job j = { 0 };
	struct job_head h = { 0 };
	char *at, *end;

	if (len < sizeof(h)) {
		free(buf);
		return -EPROTO;
	}
	memcpy(&h, buf, sizeof(h));
	/* The directory is the first string: what is freed is before it. */
	memmove(buf, buf + sizeof(h), len - sizeof(h));
	at = (char *)buf;
	end = at + len - sizeof(h);
	j.uid = h.uid;
	j.gid = h.gid;
	j.rw = h.flags & JOB_RW;
	j.net = h.flags & JOB_NET;
	j.cwd = take(&at, end);
	j.argv = j.cwd ? take_list(&at, end, h.argc) : NULL;
	j.env = j.argv ? take_list(&at, end, h.envc) : NULL;
	if (!j.env || !h.argc || at != end) {
		j.cwd = (char *)buf;
		oneshot_job_free(&j);
		return -EPROTO;
	}
	*job = j;
	return 0;
}

void oneshot_job_free(struct oneshot_job *job)
{
	free((void *)(uintptr_t)job->argv);
	free((void *)(uintptr_t)job->env);
	free((void *)(uintptr_t)job->cwd);
	memset(job, 0, sizeof(*job));
}

/* ---- Frames ---------------------------------------------------------------- */

static bool is_data(uint32_t type)
{
	return type == ONESHOT_IN || type == ONESHOT_OUT || type == ONESHOT_ERR;
}

static uint32_t limit(uint32_t type)
{
	if (type == ONESHOT_JOB)
		return ONESHOT_MAX_JOB;
	return type == ONESHOT_END ? ONESHOT_MAX_END : ONESHOT_MAX_DATA;
}

/* Its first byte is nowhere else in it: no need to go back. */
static size_t skip_to_magic(struct oneshot_parser *p, const uint8_t *buf,
			    size_t n)
{
	size_t i = 0;

	while (i < n && p->magic) {
		uint8_t c = buf[i++];

		if (c == (uint8_t)ONESHOT_MAGIC[p->nmagic])
			p->nmagic++;
		else
			p->nmagic = c == (uint8_t)ONESHOT_MAGIC[0];
		p->magic = p->nmagic < ONESHOT_MAGIC_SIZE;
	}
	return i;
}

static int begin_frame(struct oneshot_parser *p)
{
	uint32_t type = p->head.type;

	if (!type || type > UINT8_MAX || !strchr(p->types, (int)type) ||
	    p->head.len > limit(type))
		return -EPROTO;
	p->left = p->head.len;
	p->have = 0;
	if (!is_data(type)) {
		p->whole = malloc(p->left + 1);
		if (!p->whole)
			return -ENOMEM;
	}
	/* One without bytes has come whole. */
	return p->left ? 0 : p->piece(p->arg, type, p->whole, 0);
}

static size_t take_head(struct oneshot_parser *p, const uint8_t *buf, size_t n)
{
	size_t k = MIN(n, sizeof(p->head) - p->nhead);

	memcpy((uint8_t *)&p->head + p->nhead, buf, k);
	p->nhead += k;
	return k;
}

/* Some of the frame's bytes. */
static int take_bytes(struct oneshot_parser *p, const uint8_t *buf, size_t n)
{
	enum oneshot_type type = p->head.type;
	int ret = 0;

	p->left -= n;
	if (!p->whole)
		return p->piece(p->arg, type, buf, n);
	memcpy(p->whole + p->have, buf, n);
	p->have += n;
	if (!p->left)
		ret = p->piece(p->arg, type, p->whole, p->have);
	return ret;
}

int oneshot_feed(struct oneshot_parser *p, const uint8_t *buf, size_t n)
{
	size_t at = skip_to_magic(p, buf, n), k;
	int ret = 0;

	while (at < n && !ret) {
		if (p->nhead < sizeof(p->head)) {
			at += take_head(p, buf + at, n - at);
			if (p->nhead == sizeof(p->head))
				ret = begin_frame(p);
		} else {
			k = MIN(p->left, n - at);
			ret = take_bytes(p, buf + at, k);
			at += k;
		}
		if (p->nhead == sizeof(p->head) && !p->left) {
			oneshot_parser_fini(p);
			p->nhead = 0;
		}
	}
	return ret;
}

void oneshot_parser_fini(struct oneshot_parser *p)
{
	free(p->whole);
	p->whole = NULL;
}
