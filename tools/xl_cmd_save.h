/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_cmd_save.h - what saving and migrating have in common. */
#ifndef TOOLS_XL_CMD_SAVE_H
#define TOOLS_XL_CMD_SAVE_H

#include "tools/xl_build.h"

/**
 * xl_other_config() - A configuration to replace a domain's own.
 * @file:   NULL: none.
 * @status: xl's, if it cannot be understood, which is reported; else 0.
 *
 * Return: *owned* by the caller, or NULL.
 */
char *xl_other_config(const char *file, int *status);

/**
 * xl_start_saved() - Have somebody look after a domain that is back, and let it run.
 * @b:          Closed.
 * @unattended: Nobody is to.
 *
 * Return: xl's status; if it is not 0, reported, the domain is gone or was tried.
 */
int xl_start_saved(struct xl_cfg *c, const char *text, struct xl_built *b,
		   bool paused, bool unattended) must_check;

/** xl_end_saved() - End one that lives on elsewhere; Return: 0 or -errno; reported. */
int xl_end_saved(unsigned int domid) must_check;

#endif
