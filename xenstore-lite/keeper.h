/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/keeper.h - a process that becomes the next store. */
#ifndef XENSTORE_LITE_KEEPER_H
#define XENSTORE_LITE_KEEPER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"

struct event_base;

/*
 * How it works
 *
 * The keeper is a child of the store, of the same program, with a socket pair between
 * them.  It has no state, and none of the store's descriptors.  It is there for two
 * things:
 *
 *	- When the store is killed it executes the same program, which goes on by the
 *	  journal.  A store that ends in order says so before.
 *	- In a live update it starts the program that it is told, with the descriptors
 *	  that it is sent.  The store stands still meanwhile.  The new one says when it
 *	  has all that it needs; only then the old one ends, and its keeper.  If the new
 *	  one does not come to that, in whatever way, the keeper kills it, and the old
 *	  one goes on as if nothing had been.
 *
 * Who follows is one at each time.  Until the next program enters its sandbox it dies
 * with the keeper, and later it ends if there is nobody whom it can tell that it has
 * all; when the store is killed the keeper waits for that word, or kills the
 * program and follows itself.
 *
 * Each store has a keeper of its own; told to end, that passes it on.  The keeper has
 * a spare, a child of its own by fork(), which has the same end of the store's socket
 * and waits: when the keeper is killed it becomes the keeper, and the store need not
 * notice, also in its sandbox, where it could start none.  A keeper whose spare is
 * killed makes another.  What the killed one had been sent for an update is lost; a
 * spare takes only what begins with the first, so that update fails.
 *
 * As a store that was taken over by a guest could ask for anything, keepers outside a
 * sandbox execute programs named sv-xenstored only, none that lie where the store
 * can write, with arguments that they were given themselves, or --trace.
 */

/** KEEPER_FD - Where the keeper, and the next program in an update, has its end. */
#define KEEPER_FD 3

/** KEEPER_WAIT_S - How long a program may take to be ready. */
#define KEEPER_WAIT_S 10

/**
 * keeper_setup() - Once.
 * @argv: This program's name and arguments; NULL ends; borrowed for good.
 * @keep: Have a keeper all the time; else there is one for an update only, and
 *        nobody follows a store that is killed.
 * @stop: Called when the keeper was told that both are to end.
 */
void keeper_setup(struct event_base *base, char *const *argv, bool keep,
		  void (*stop)(void));

/** keeper_jail() - From now on this process can start nothing. */
void keeper_jail(void);

/**
 * keeper_try() - Have the keeper run a program beside this one.
 * @argv:   Path and arguments; NULL ends.
 * @memory: Is descriptor KEEPER_FD there;
 * @out:    and this its output.  Both borrowed.
 *
 * Return: 0; -ECHILD if there is no keeper and can be none; or -errno.  Whether it can
 * be executed shows in its output.
 */
int keeper_try(char *const *argv, int memory, int out) must_check;

/** keeper_try_end() - Have it killed, if it still runs. */
void keeper_try_end(void);

/**
 * keeper_hand_over() - Have the keeper start the program that goes on.
 * @argv: As for keeper_try(); "--update" and the number of the first of
 * @fds:  follow.  They have consecutive numbers there.
 * @why:  Filled when it has failed.
 *
 * Return: whether that program has all that it needs: it waits till this process ends.
 */
bool keeper_hand_over(char *const *argv, const int *fds, size_t n, char *why,
		      size_t size);

/**
 * keeper_expect() - As the next program: before it is in its sandbox.
 *
 * From here on it does not end with the old store's keeper.
 */
void keeper_expect(void);

/**
 * keeper_take_over() - As the next program: all is here.
 *
 * Returns when the process that was the store has ended.  If that goes on, its keeper
 * kills this one.
 */
void keeper_take_over(void);

/**
 * keeper_run() - Be the keeper.
 * @fd:   Its end.
 * @argv:   As of keeper_setup().
 * @keep:   Whether to become a store when this one is killed.
 * @jailed: Where the store can write once it is in its sandbox; NULL: it has none.
 */
_Noreturn void keeper_run(int fd, char *const *argv, bool keep,
			  const char *jailed);

#endif
