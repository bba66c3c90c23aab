/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/wire.h - messages as bytes: taking apart, putting together. */
#ifndef XENSTORE_LITE_WIRE_H
#define XENSTORE_LITE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "base/xs_wire.h"

/* What rings are offered, unless a domain is to have less (SET_FEATURE). */
#define WIRE_FEATURES                                                         \
	(XENSTORE_SERVER_FEATURE_RECONNECTION |                               \
	 XENSTORE_SERVER_FEATURE_ERROR | XENSTORE_SERVER_FEATURE_WATCHDEPTH | \
	 XENSTORE_SERVER_FEATURE_DOMID_ANY)

#define WIRE_HDR     sizeof(struct xsd_sockmsg)
#define WIRE_MAX     (WIRE_HDR + XENSTORE_PAYLOAD_MAX)
#define WIRE_MAXARGS 8

/**
 * struct wire_msg - One request, private to us.
 * @body: hdr.len bytes, followed by a NUL that is not part of it.
 */
struct wire_msg {
	struct xsd_sockmsg hdr;
	const char *body;
};

/**
 * wire_size() - Bytes of the message at the front of a buffer.
 * @buf: UNTRUSTED: @len bytes, private copy.
 *
 * Return: 0 if the header is not complete yet, -EPROTO if the payload is
 * longer than XENSTORE_PAYLOAD_MAX, else header plus payload.
 */
int wire_size(const void *buf, size_t len) must_check;

/**
 * struct wire_args - Payload as strings.
 * @v:    Each ends in NUL.
 * @n:    How many, at most WIRE_MAXARGS; more are not looked at.
 * @rest: What follows the last of @v; @rest_len bytes.
 */
struct wire_args {
	const char *v[WIRE_MAXARGS];
	size_t n;
	const char *rest;
	size_t rest_len;
};

/**
 * wire_args() - Take up to @max strings from the front of a payload.
 *
 * Bytes after them, or after the last NUL, remain in @rest.
 */
void wire_args(const struct wire_msg *m, size_t max, struct wire_args *out);

/** wire_error() - Name that libxenstore knows for a (positive) errno. */
const char *wire_error(int err);

/** wire_type_name() - For the trace; "?" if unknown. */
const char *wire_type_name(uint32_t type);

#endif
