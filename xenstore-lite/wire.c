// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/wire.c - messages as bytes: taking apart, putting together.
#include "xenstore-lite/wire.h"

#include <string.h>

int wire_size(const void *buf, size_t len)
{
	struct xsd_sockmsg hdr;

	if (len < sizeof(hdr))
		return 0;
	memcpy(&hdr, buf, sizeof(hdr));
	if (hdr.len > XENSTORE_PAYLOAD_MAX)
		return -EPROTO;
	return (int)(sizeof(hdr) + hdr.len);
}

void wire_args(const struct wire_msg *m, size_t max, struct wire_args *out)
{
	const char *at = m->body;
	size_t left = m->hdr.len;

	out->n = 0;
	while (left && out->n < MIN(max, (size_t)WIRE_MAXARGS)) {
		const char *nul = memchr(at, '\0', left);

		if (!nul)
			break;
		out->v[out->n++] = at;
		left -= (size_t)(nul + 1 - at);
		at = nul + 1;
	}
	out->rest = at;
	out->rest_len = left;
}

const char *wire_error(int err)
{
	for (size_t i = 0; i < ARRAY_SIZE(xsd_errors); i++)
		if (xsd_errors[i].errnum == err)
			return xsd_errors[i].errstring;
	return "EINVAL";
}

const char *wire_type_name(uint32_t type)
{
	static const char *const names[] = {
		[XS_CONTROL] = "CONTROL",
		[XS_DIRECTORY] = "DIRECTORY",
		[XS_READ] = "READ",
		[XS_GET_PERMS] = "GET_PERMS",
		[XS_WATCH] = "WATCH",
		[XS_UNWATCH] = "UNWATCH",
		[XS_TRANSACTION_START] = "TRANSACTION_START",
		[XS_TRANSACTION_END] = "TRANSACTION_END",
		[XS_INTRODUCE] = "INTRODUCE",
		[XS_RELEASE] = "RELEASE",
		[XS_GET_DOMAIN_PATH] = "GET_DOMAIN_PATH",
		[XS_WRITE] = "WRITE",
		[XS_MKDIR] = "MKDIR",
		[XS_RM] = "RM",
		[XS_SET_PERMS] = "SET_PERMS",
		[XS_WATCH_EVENT] = "WATCH_EVENT",
		[XS_ERROR] = "ERROR",
		[XS_IS_DOMAIN_INTRODUCED] = "IS_DOMAIN_INTRODUCED",
		[XS_RESUME] = "RESUME",
		[XS_SET_TARGET] = "SET_TARGET",
		[XS_RESET_WATCHES] = "RESET_WATCHES",
		[XS_DIRECTORY_PART] = "DIRECTORY_PART",
		[XS_GET_FEATURE] = "GET_FEATURE",
		[XS_SET_FEATURE] = "SET_FEATURE",
		[XS_GET_QUOTA] = "GET_QUOTA",
		[XS_SET_QUOTA] = "SET_QUOTA",
	};

	if (type < ARRAY_SIZE(names) && names[type])
		return names[type];
	return "?";
}
