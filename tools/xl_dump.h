/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_dump.h - a domain's memory and registers into a file. */
#ifndef TOOLS_XL_DUMP_H
#define TOOLS_XL_DUMP_H

#include "base/util.h"

/**
 * xl_dump() - Have an ELF core of a domain written (hypervisor/dump.h).
 * @path: Written anew, for its owner alone; what was there stays if it fails.
 *
 * Return: 0 or -errno; reported.
 */
int xl_dump(unsigned int domid, const char *path) must_check;

#endif
