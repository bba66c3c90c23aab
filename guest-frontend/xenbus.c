/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/xenbus.c - the guest's connection to the store. */
#include "guest-frontend/xenbus.h"

#include <xen/xen.h>
#include <xen/errno.h>
#include <xen/hvm/params.h>

#include "guest-frontend/events.h"
#include "guest-frontend/minilibc.h"
#include "guest-frontend/start.h"
#include "ring/stream.h"

/* Watch events that wait, as they came: path, NUL, token, NUL. */
#define KEPT_BYTES 16384u

static struct stream_writer out;
static struct stream_reader in;
static uint32_t port, last_id;
static char body[XENSTORE_PAYLOAD_MAX + 1];
static char kept[KEPT_BYTES];
static size_t nkept;
static bool lost;

static const struct {
	int nr;
	const char *name;
} errors[] = {
#define XEN_ERRNO(name, nr) { nr, #name },
#include <xen/errno.h>
};

int xenbus_init(void)
{
	struct xenstore_domain_interface *page;
	struct stream_map req, rsp;
	int ret;

	page = start_ring(HVM_PARAM_STORE_PFN, HVM_PARAM_STORE_EVTCHN, &port);
	if (!page)
		return -XEN_ENODEV;
	req = STREAM_MAP(page, req);
	rsp = STREAM_MAP(page, rsp);
	ret = stream_writer_attach(&out, &req, STREAM_WAKE_ALWAYS);
	if (!ret)
		ret = stream_reader_attach(&in, &rsp, STREAM_WAKE_ALWAYS);
	if (ret)
		return ret;
	/* Of another life, if there was one. */
	nkept = 0;
	lost = false;
	events_use(port);
	return 0;
}

/* ---- Bytes ---------------------------------------------------------------- */

static int send(const void *from, size_t n)
{
	const char *p = from;
	bool wake;
	int ret;

	while (n) {
		wake = false;
		ret = stream_write(&out, p, n, &wake);
		if (ret < 0)
			return -XEN_EIO;
		if (wake)
			events_send(port);
		p += ret;
		n -= (size_t)ret;
		if (n)
			(void)events_wait(port, EVENTS_FOREVER);
	}
	return 0;
}

/* @until: only for the first byte: a message that has begun will end. */
static int receive(void *to, size_t n, uint64_t until)
{
	char *p = to;
	bool wake, begun = false;
	uint64_t now;
	int ret;

	while (n) {
		wake = false;
		ret = stream_read(&in, p, n, &wake);
		if (ret < 0)
			return -XEN_EIO;
		if (wake)
			events_send(port);
		begun = begun || ret;
		p += ret;
		n -= (size_t)ret;
		if (!n)
			break;
		now = events_now();
		if (!begun && now >= until)
			return -XEN_EAGAIN;
		(void)events_wait(port, begun || until == EVENTS_FOREVER
						? EVENTS_FOREVER
						: until - now);
	}
	return 0;
}

/* ---- Messages ------------------------------------------------------------- */

static void keep_watch(size_t len)
{
	if (len > KEPT_BYTES - nkept) {
		lost = true;
		return;
	}
	memcpy(kept + nkept, body, len);
	nkept += len;
}

/* One message into @body; watch events are kept as well. */
static int next_message(struct xsd_sockmsg *m, uint64_t until)
{
	int ret = receive(m, sizeof(*m), until);

	if (ret)
		return ret;
	if (m->len > XENSTORE_PAYLOAD_MAX)
		return -XEN_EIO;
	ret = receive(body, m->len, EVENTS_FOREVER);
	if (ret)
		return ret;
	body[m->len] = '\0';
	if (m->type == XS_WATCH_EVENT)
		keep_watch(m->len);
	return 0;
}

static int error_of(const char *name)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (!strcmp(errors[i].name, name))
			return -errors[i].nr;
	}
	return -XEN_EIO;
}

static int answer_to(const struct xsd_sockmsg *req)
{
	struct xsd_sockmsg m;
	int ret;

	do {
		ret = next_message(&m, EVENTS_FOREVER);
		if (ret)
			return ret;
	} while (m.type == XS_WATCH_EVENT);
	if (m.req_id != req->req_id)
		return -XEN_EIO;
	if (m.type == XS_ERROR)
		return error_of(body);
	return m.type == req->type ? (int)m.len : -XEN_EIO;
}

/* A request in two parts. */
static int call2(enum xsd_sockmsg_type type, uint32_t txn, const void *a,
		 size_t na, const void *b, size_t nb)
{
	struct xsd_sockmsg req = {
		.type = type,
		.req_id = ++last_id,
		.tx_id = txn,
		.len = (uint32_t)(na + nb),
	};
	int ret;

	if (na + nb > XENSTORE_PAYLOAD_MAX)
		return -XEN_E2BIG;
	ret = send(&req, sizeof(req));
	if (!ret)
		ret = send(a, na);
	if (!ret)
		ret = send(b, nb);
	return ret ? ret : answer_to(&req);
}

static void copy_reply(char *to, size_t size, size_t n)
{
	if (!size)
		return;
	n = n < size - 1 ? n : size - 1;
	memcpy(to, body, n);
	to[n] = '\0';
}

int xenbus_call(enum xsd_sockmsg_type type, uint32_t txn, const void *payload,
		size_t len, char *reply, size_t size)
{
	int ret = call2(type, txn, payload, len, NULL, 0);

	if (ret >= 0)
		copy_reply(reply, size, (size_t)ret);
	return ret;
}

/* ---- Calls ---------------------------------------------------------------- */

/* Return: bytes of the path with its NUL, or -XEN_ENAMETOOLONG. */
static int put_path(char path[XENBUS_PATH_MAX], const char *fmt, va_list ap)
{
	int n = vsnprintf(path, XENBUS_PATH_MAX, fmt, ap);

	return n < (int)XENBUS_PATH_MAX ? n + 1 : -XEN_ENAMETOOLONG;
}

static int on_path(enum xsd_sockmsg_type type, uint32_t txn, const char *more,
		   size_t nmore, const char *fmt, va_list ap)
{
	char path[XENBUS_PATH_MAX];
	int n = put_path(path, fmt, ap);

	return n < 0 ? n : call2(type, txn, path, (size_t)n, more, nmore);
}

int xenbus_read(uint32_t txn, char *value, size_t size, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = on_path(XS_READ, txn, NULL, 0, fmt, ap);
	va_end(ap);
	if (ret >= 0)
		copy_reply(value, size, (size_t)ret);
	return ret;
}

int xenbus_read_u64(uint32_t txn, uint64_t max, uint64_t *value,
		    const char *fmt, ...)
{
	char *end;
	uint64_t v;
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = on_path(XS_READ, txn, NULL, 0, fmt, ap);
	va_end(ap);
	if (ret < 0)
		return ret;
	v = strtoull(body, &end, 10);
	/* 19 digits cannot overflow. */
	if (body[0] < '0' || body[0] > '9' || *end || ret > 19)
		return -XEN_EINVAL;
	if (v > max)
		return -XEN_ERANGE;
	*value = v;
	return 0;
}

int xenbus_write(uint32_t txn, const char *value, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = on_path(XS_WRITE, txn, value, strlen(value), fmt, ap);
	va_end(ap);
	return ret < 0 ? ret : 0;
}

int xenbus_write_u64(uint32_t txn, uint64_t value, const char *fmt, ...)
{
	char digits[24];
	va_list ap;
	int ret;

	snprintf(digits, sizeof(digits), "%lu", (unsigned long)value);
	va_start(ap, fmt);
	ret = on_path(XS_WRITE, txn, digits, strlen(digits), fmt, ap);
	va_end(ap);
	return ret < 0 ? ret : 0;
}

int xenbus_rm(uint32_t txn, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = on_path(XS_RM, txn, NULL, 0, fmt, ap);
	va_end(ap);
	return ret < 0 ? ret : 0;
}

int xenbus_list(uint32_t txn, char *names, size_t size, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = on_path(XS_DIRECTORY, txn, NULL, 0, fmt, ap);
	va_end(ap);
	if (ret >= 0)
		copy_reply(names, size, (size_t)ret);
	return ret;
}

int xenbus_begin(uint32_t *txn)
{
	int ret = call2(XS_TRANSACTION_START, XENBUS_NO_TXN, "", 1, NULL, 0);

	if (ret < 0)
		return ret;
	*txn = (uint32_t)strtoull(body, NULL, 10);
	return *txn ? 0 : -XEN_EIO;
}

int xenbus_end(uint32_t txn, bool commit)
{
	int ret =
		call2(XS_TRANSACTION_END, txn, commit ? "T" : "F", 2, NULL, 0);

	return ret < 0 ? ret : 0;
}

int xenbus_watch(const char *token, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = on_path(XS_WATCH, XENBUS_NO_TXN, token, strlen(token) + 1, fmt,
		      ap);
	va_end(ap);
	return ret < 0 ? ret : 0;
}

int xenbus_unwatch(const char *token, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = on_path(XS_UNWATCH, XENBUS_NO_TXN, token, strlen(token) + 1, fmt,
		      ap);
	va_end(ap);
	return ret < 0 ? ret : 0;
}

/* The oldest event kept; @kept holds two strings at least. */
static int take_kept(char *path, size_t size, char token[XENBUS_TOKEN_MAX])
{
	size_t npath = strnlen(kept, nkept), ntoken, all;

	if (npath == nkept)
		return -XEN_EIO;
	ntoken = strnlen(kept + npath + 1, nkept - npath - 1);
	all = npath + ntoken + 2;
	if (all > nkept)
		return -XEN_EIO;
	snprintf(path, size, "%s", kept);
	snprintf(token, XENBUS_TOKEN_MAX, "%s", kept + npath + 1);
	nkept -= all;
	memmove(kept, kept + all, nkept);
	return 1;
}

int xenbus_next_watch(char *path, size_t size, char token[XENBUS_TOKEN_MAX],
		      uint64_t ns)
{
	uint64_t until = events_deadline(ns);
	struct xsd_sockmsg m;
	int ret;

	while (!nkept && !lost) {
		ret = next_message(&m, until);
		if (ret == -XEN_EAGAIN)
			return 0;
		if (ret)
			return ret;
	}
	if (lost) {
		lost = false;
		return -XEN_EOVERFLOW;
	}
	return take_kept(path, size, token);
}
