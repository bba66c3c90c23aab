/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/nft.h - nftables, through libnftables. */
#ifndef DOM0_BACKEND_NFT_H
#define DOM0_BACKEND_NFT_H

#include <stddef.h>

#include "base/util.h"

/**
 * nft_run() - Run commands in nftables' own language, all or none of them.
 * @err: If not NULL, receives the first line of why not.
 *
 * Return: 0, -ENOMEM or -EIO.
 */
int nft_run(const char *commands, char *err, size_t errlen) must_check;

#endif
