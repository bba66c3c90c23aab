// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/nbd_uri.c - the address of a disk on an NBD server.
#include "dom0-backend/nbd_uri.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TCP	    "nbd://"
#define UNIX	    "nbd+unix://"
#define PORT	    "10809" /* IANA's */
#define MAX_TIMEOUT (UINT64_C(7) * 24 * 3600)

static bool begins(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

/* With other schemes too, so that they are refused by name. */
bool nbd_uri_is(const char *params)
{
	return begins(params, "nbd:") || begins(params, "nbd+") ||
	       begins(params, "nbds:") || begins(params, "nbds+");
}

/*
 * Copy @len bytes, with %XX as what they mean; no NUL can come of it.
 *
 * Return: whether it went in.
 */
static bool decode(char *to, size_t size, const char *from, size_t len)
{
	char hex[3] = "";
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = from[i];

		if (c == '%') {
			if (len - i < 3)
				return false;
			memcpy(hex, from + i + 1, 2);
			c = (char)strtoul(hex, NULL, 16);
			if (!c || strspn(hex, "0123456789abcdefABCDEF") != 2)
				return false;
			i += 2;
		}
		if (n + 1 >= size)
			return false;
		to[n++] = c;
	}
	to[n] = '\0';
	return true;
}

/* HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT of @len bytes. */
static const char *take_server(struct nbd_uri *u, const char *s, size_t len)
{
	const char *end = s + len, *host = s, *colon;
	uint64_t n;

	snprintf(u->port, sizeof(u->port), PORT);
	if (len && *s == '[') {
		host = s + 1;
		colon = memchr(s, ']', len);
		if (!colon)
			return "a bracket is not closed";
		len = (size_t)(colon - host);
		colon++;
	} else {
		colon = memchr(s, ':', len);
		if (!colon)
			colon = end;
		len = (size_t)(colon - host);
	}
	if (!len || !decode(u->host, sizeof(u->host), host, len))
		return "no usable name of a host";
	if (colon == end)
		return NULL;
	if (*colon != ':' ||
	    !decode(u->port, sizeof(u->port), colon + 1,
		    (size_t)(end - colon - 1)) ||
	    util_u64(u->port, 65535, &n) || !n)
		return "the port is not a number up to 65535";
	return NULL;
}

static const char *take_option(struct nbd_uri *u, bool local, const char *s,
			       size_t len)
{
	char number[16];
	uint64_t n;

	if (len > 7 && !strncmp(s, "socket=", 7) && local) {
		if (!decode(u->path, sizeof(u->path), s + 7, len - 7) ||
		    *u->path != '/')
			return "socket is not an absolute path of up to 107 "
			       "bytes";
		return NULL;
	}
	if (len > 8 && !strncmp(s, "timeout=", 8)) {
		if (!decode(number, sizeof(number), s + 8, len - 8) ||
		    util_u64(number, MAX_TIMEOUT, &n))
			return "timeout is not a number of seconds up to a "
			       "week";
		u->timeout = (uint32_t)n;
		return NULL;
	}
	return local ? "only socket=PATH and timeout=SECONDS can follow the '?'"
		     : "only timeout=SECONDS can follow the '?'";
}

static const char *take_options(struct nbd_uri *u, bool local, const char *s)
{
	const char *why = NULL;
	size_t len;

	while (*s && !why) {
		len = strcspn(s, "&");
		why = take_option(u, local, s, len);
		s += len;
		s += *s == '&';
	}
	return why;
}

static const char *parse(struct nbd_uri *u, const char *uri)
{
	bool local = begins(uri, UNIX);
	const char *s, *why = NULL;
	size_t len;

	if (begins(uri, "nbds"))
		return "TLS is not served: let nbdkit on this host speak it, "
		       "and name its socket with nbd+unix:///?socket=PATH";
	if (!local && !begins(uri, TCP))
		return "only nbd://HOST... and nbd+unix:///...?socket=PATH are "
		       "served";
	s = uri + strlen(local ? UNIX : TCP);
	len = strcspn(s, "/?");
	if (local && len)
		return "no host can follow nbd+unix://";
	if (!local)
		why = take_server(u, s, len);
	if (why)
		return why;
	s += len;
	s += *s == '/';
	len = strcspn(s, "?");
	if (!decode(u->name, sizeof(u->name), s, len))
		return "the export's name is not possible";
	s += len;
	s += *s == '?';
	why = take_options(u, local, s);
	if (!why && local && !*u->path)
		return "socket=PATH is missing";
	return why;
}

int nbd_uri_parse(struct nbd_uri *out, const char *uri, const char **why)
{
	struct nbd_uri *u = calloc(1, sizeof(*u));

	*why = u ? parse(u, uri) : "out of memory";
	if (!*why)
		*out = *u;
	free(u);
	return *why ? -EINVAL : 0;
}
