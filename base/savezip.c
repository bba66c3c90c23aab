// SPDX-License-Identifier: GPL-2.0-or-later
// base/savezip.c - memory in fewer bytes, for SAVE_PACKED; libzstd is behind it.
#include "base/savezip.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

#define LEVEL 1

struct savezip {
	ZSTD_CCtx *pack; /* *owned*, as @unpack; NULL till it is needed */
	ZSTD_DCtx *unpack;
};

int savezip_new(struct savezip **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void savezip_free(struct savezip *z)
{
	if (!z)
		return;
	ZSTD_freeCCtx(z->pack);
	ZSTD_freeDCtx(z->unpack);
	free(z);
}

size_t savezip_pack(struct savezip *z, const void *from, size_t len, void *to,
		    size_t room)
{
	size_t n;

	if (!z->pack)
		z->pack = ZSTD_createCCtx();
	if (!z->pack)
		return 0;
	n = ZSTD_compressCCtx(z->pack, to, room, from, len, LEVEL);
	return ZSTD_isError(n) ? 0 : n;
}

int savezip_unpack(struct savezip *z, const void *from, size_t len, void *to,
		   size_t want)
{
	if (!z->unpack)
		z->unpack = ZSTD_createDCtx();
	if (!z->unpack)
		return -ENOMEM;
	return ZSTD_decompressDCtx(z->unpack, to, want, from, len) == want
		       ? 0
		       : -EINVAL;
}
