/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/storemodel.h - what a store must answer, said a second time. */
#ifndef TESTS_LIB_STOREMODEL_H
#define TESTS_LIB_STOREMODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How it works
 *
 * A store over a fixed, small set of paths, in which a tree is an array and a
 * transaction is a copy of it with a list of what was done.  It shares no code
 * with xenstore-lite/ and none of its ways: rules are those of Xen's
 * docs/misc/xenstore.txt and of xenstore-lite's headers.
 *
 * Each sm_...() call is a request: it answers what the store must answer, a
 * negative errno or a length with the text in sm_reply, and notes the events
 * that clients get for it.  A commit has events that must come and others that
 * may (a node written and removed again).
 */
#define SM_CLIENTS 4 /* dom0 and three guests, numbered by domid */
#define SM_TXNS	   3 /* of one client */
#define SM_WATCHES 16

/* Limits of guests that the store must be given, too. */
#define SM_MAX_NODES   2
#define SM_MAX_WATCHES 4
#define SM_MAX_TXNS    2
#define SM_MAX_PERMS   3
#define SM_MAX_VALUE   16

/** struct sm_who - Who asks, and in which transaction. */
struct sm_who {
	unsigned int domid;
	int txn; /* 0: none; 1 to SM_TXNS: that one; more: one that is not */
};

extern char sm_reply[4096];

void sm_reset(void);

int sm_write(struct sm_who w, const char *path, const char *value);
int sm_mkdir(struct sm_who w, const char *path);
int sm_rm(struct sm_who w, const char *path);
int sm_read(struct sm_who w, const char *path);
/** sm_list() - Names in alphabetical order, each with a blank behind it. */
int sm_list(struct sm_who w, const char *path);
/** sm_get_perms(), sm_set_perms() - Like "n0 r1 ". */
int sm_get_perms(struct sm_who w, const char *path);
int sm_set_perms(struct sm_who w, const char *path, const char *const *perms,
		 size_t n);
/** sm_watch() - @depth: -1 for any. */
int sm_watch(unsigned int domid, const char *path, const char *token,
	     int depth);
int sm_unwatch(unsigned int domid, const char *path, const char *token);
void sm_reset_watches(unsigned int domid);
/** sm_start() - @slot: 1 to SM_TXNS, free; Return: 0 or -errno. */
int sm_start(struct sm_who w, int slot);
int sm_end(struct sm_who w, bool commit);

/** sm_died() - A guest's domain is gone; a new one has its number. */
void sm_died(unsigned int domid);

/** sm_nodes(), sm_watches(), sm_txns() - What counts against a domain. */
unsigned int sm_nodes(unsigned int domid);
unsigned int sm_watches(unsigned int domid);
unsigned int sm_txns(unsigned int domid);

/**
 * sm_events_ok() - Compare the events of the last request.
 * @got: "path|token", repeated ones are one.
 *
 * Return: NULL, or what is too much or missing.
 */
const char *sm_events_ok(unsigned int domid, char *const *got, size_t n);

#endif
