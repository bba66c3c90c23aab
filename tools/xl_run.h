/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_run.h - the run directory: which domains there are. */
#ifndef TOOLS_XL_RUN_H
#define TOOLS_XL_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"

/*
 * How it works
 *
 * A domain is there as long as its directory <run>/dom/<domid> is.  In it:
 *
 *	name		its name; the store's copy follows this one
 *	owner		locked (flock) by whoever looks after the domain: `xl
 *			create` first, then its monitor
 *	teardown	locked by whoever removes the domain
 *	saving		locked by whoever saves or migrates the domain
 *	doomed		there when a user has asked for the domain's end, so that
 *			its monitor starts no successor
 *	hv.pid		the VMM (struct xl_proc)
 *	hv.sock		the VMM's domain socket
 *	xl.cfg		the configuration as given; config.json: as understood
 *
 * Domids are handed out under <run>/xl.lock, upwards; <run>/domid is the last
 * one given, so that a domid is not used again soon.  The directory is the
 * first thing that is made and the last that is removed: while anything of an
 * old domain is left, its domid stays taken.
 */
#define XL_MAX_DOMID 32751
#define XL_NAME_SIZE 256

/** struct xl_dom - One domain of the run directory. */
struct xl_dom {
	unsigned int domid;
	char name[XL_NAME_SIZE];
};

/** xl_run_init() - Make the directories; Return: 0 or -errno; reported. */
int xl_run_init(void) must_check;

/**
 * xl_run_lock() - Take a lock file in the run directory, waiting for it.
 *
 * Return: a descriptor that holds the lock until it is closed, or -errno.
 */
int xl_run_lock(const char *name) must_check;

/** xl_run_try_lock() - The same, but -EWOULDBLOCK if it is taken. */
int xl_run_try_lock(const char *name) must_check;

/**
 * xl_run_reserve() - Choose a domid and make the domain's directory.
 * @name:  Refused if another domain has it.
 * @domid: The new domain's.
 * @owner: *Owned* by the caller: the owner lock.
 * @reap:  Called, without locks held, for a domain of that name that nobody
 *         looks after and whose VMM is gone; must remove it.
 *
 * Return: 0, -EEXIST if the name is taken, or -errno; reported.
 */
int xl_run_reserve(const char *name, unsigned int *domid, int *owner,
		   int (*reap)(unsigned int domid)) must_check;

/**
 * xl_run_reserve_as() - The same with domid @want; 0: any.
 *
 * Return: also -EEXIST if that is taken.
 */
int xl_run_reserve_as(const char *name, unsigned int want, unsigned int *domid,
		      int *owner, int (*reap)(unsigned int domid)) must_check;

/**
 * xl_run_list() - All domains, by ascending domid.
 * @list: *Owned* by the caller; free() it.
 *
 * Return: 0 or -errno.
 */
int xl_run_list(struct xl_dom **list, size_t *n) must_check;

/**
 * xl_run_find() - The domid that a user means.
 * @who: A name or a number.
 *
 * Return: 0 or -ENOENT.
 */
int xl_run_find(const char *who, unsigned int *domid) must_check;

/** xl_run_name() - Read a domain's name; Return: 0 or -ENOENT. */
int xl_run_name(unsigned int domid, char name[XL_NAME_SIZE]) must_check;

/**
 * xl_run_rename() - Give a domain another name.
 *
 * Return: 0, -EEXIST if it is taken, or -errno.
 */
int xl_run_rename(unsigned int domid, const char *name) must_check;

/** xl_run_write() - Write a file of a domain; Return: 0 or -errno. */
int xl_run_write(unsigned int domid, const char *file,
		 const char *text) must_check;

/**
 * xl_run_read() - Read a file of a domain.
 *
 * Return: *owned* by the caller, NUL-terminated; NULL if it cannot be read, or is
 * empty.
 */
char *xl_run_read(unsigned int domid, const char *file);

/** xl_run_dead() - Whether nobody owns the domain and its VMM is gone. */
bool xl_run_dead(unsigned int domid);

/**
 * xl_run_doom() - Say that the domain shall end for good.
 *
 * Return: 0; -ENOENT if it has ended already, though a successor may be about to
 * come; or -errno.
 */
int xl_run_doom(unsigned int domid) must_check;

/**
 * xl_run_remove() - Remove a domain's directory, which ends the domain.
 *
 * Return: 1 if xl_run_doom() had been called, else 0, or -errno.
 */
int xl_run_remove(unsigned int domid) must_check;

#endif
