/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/nbd_uri.h - the address of a disk on an NBD server. */
#ifndef DOM0_BACKEND_NBD_URI_H
#define DOM0_BACKEND_NBD_URI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"
#include "dom0-backend/disk_link.h"

#define NBD_URI_HOST 256u /* bytes of a host's name, with the final NUL */

/**
 * struct nbd_uri - An address, taken apart.
 * @path:    Of a Unix socket; "" for TCP.
 * @host:    A name or number; brackets are gone.
 * @port:    As text.
 * @name:    Of the export, "" for the server's only one.
 * @timeout: In seconds; 0 waits for ever.
 */
struct nbd_uri {
	char path[108];
	char host[NBD_URI_HOST];
	char port[8];
	char name[DISK_LINK_NAME + 1];
	uint32_t timeout;
};

/** nbd_uri_is() - Whether a disk's params are meant to be such an address. */
bool nbd_uri_is(const char *params);

/**
 * nbd_uri_parse() - Take an address apart.
 * @uri: nbd://HOST[:PORT][/NAME][?timeout=SECONDS] or
 *       nbd+unix:///[NAME]?socket=PATH[&timeout=SECONDS], with %XX for any byte
 *       (the NBD project's uri.md; timeout is ours).
 * @why: On failure, what is wrong; a constant string.
 *
 * Return: 0 or -EINVAL.
 */
int nbd_uri_parse(struct nbd_uri *out, const char *uri,
		  const char **why) must_check;

#endif
