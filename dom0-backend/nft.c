// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/nft.c - nftables, through libnftables.
#include "dom0-backend/nft.h"

#include <errno.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>

int nft_run(const char *commands, char *err, size_t errlen)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	int ret = 0;

	if (!nft)
		return -ENOMEM;
	nft_ctx_buffer_output(nft);
	nft_ctx_buffer_error(nft);
	if (nft_run_cmd_from_buffer(nft, commands)) {
		ret = -EIO;
		if (err) {
			snprintf(err, errlen, "%s",
				 nft_ctx_get_error_buffer(nft));
			err[strcspn(err, "\n")] = '\0';
		}
	}
	nft_ctx_free(nft);
	return ret;
}
