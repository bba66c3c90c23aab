/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/paths.h - where this "host" keeps its sockets, logs and caches. */
#ifndef BASE_PATHS_H
#define BASE_PATHS_H

#include <limits.h>
#include <stdint.h>

#include "base/util.h"

/**
 * paths_init() - Settle the directories from the environment.
 *
 * SPLITVISOR_RUN_DIR (default /run/splitvisor) holds everything that belongs to
 * one "host"; several may live on one machine.  With it set, and without
 * XENSTORED_PATH, the store's socket is <run>/xenstored.sock, and
 * XENSTORED_PATH is put into the environment so that libxenstore and child
 * processes agree.  Logs are in SPLITVISOR_LOG_DIR, else in <run>/log when
 * SPLITVISOR_RUN_DIR is set, else in /var/log/splitvisor.  Cores of crashed domains,
 * and copies of those that were lost, are in SPLITVISOR_DUMP_DIR, else in <run>/dump or /var/lib/xen/dump.  Unpacked kernels
 * are cached in SPLITVISOR_CACHE_DIR (default /var/cache/splitvisor).
 */
void paths_init(void);

/** PATHS_RUN - The run directory of a host that has one. */
#define PATHS_RUN "/run/splitvisor"

/** paths_run(), paths_log(), paths_cache(), paths_dump() - Without a final '/'. */
const char *paths_run(void);
const char *paths_dump(void);
const char *paths_log(void);
const char *paths_cache(void);

/** paths_store() - The store's socket, as libxenstore will find it. */
const char *paths_store(void);

/**
 * paths_dom() - A file of one domain: <run>/dom/<domid>/<name>.
 * @buf:  PATH_MAX bytes.
 * @name: Without '/'; "" gives the directory itself.
 *
 * Return: @buf.
 */
char *paths_dom(char *buf, unsigned int domid, const char *name);

/** paths_mkdir() - mkdir -p with mode 0755; Return: 0 or -errno. */
int paths_mkdir(const char *path) must_check;

/**
 * paths_program() - Path of another program of this project.
 * @buf:  PATH_MAX bytes.
 * @name: For example "sv-hypervisor".
 *
 * Looked for beside the running program, then in SPLITVISOR_LIBEXEC_DIR or the
 * directory given at build time.
 *
 * Return: @buf.
 */
char *paths_program(char *buf, const char *name);

#endif
