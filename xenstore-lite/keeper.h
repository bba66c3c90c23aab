/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/keeper.h - a process that becomes the next store. */
#ifndef XENSTORE_LITE_KEEPER_H
#define XENSTORE_LITE_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/util.h"

struct event_base;

/*
 * How it works
 *
 * The keeper is a child of the store, of the same program, with a socket pair between
 * them.  It has no state, and none of the store's descriptors.  It becomes the next
 * store by executing a program, and the process that was the store ends:
 *
 *	- when the store is killed: the same program, which goes on by the journal.  A
 *	  store that ends in order says so before.
 *	- in a live update: the program that it is told, with the descriptors that it is
 *	  sent.  The store stands still meanwhile.  The new one says when it has all that
 *	  it needs; only then the old one ends.  If the new one does not come to that, in
 *	  whatever way, the old one goes on as if nothing had been.
 *
 * Each store has a keeper of its own.  When that is killed the store starts another;
 * told to end, it passes that on.
 *
 * A store in its sandbox can start nothing: it has the keeper that it had, or none.
 * And as one that was taken over by a guest could ask for anything, a keeper outside
 * executes programs named sv-xenstored only, none that lie where the store can write,
 * with arguments that it was given itself, or --trace.
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

/**
 * keeper_jail() - From now on nothing can be started.
 *
 * Return: the keeper's process, 0 if there is none.
 */
pid_t keeper_jail(void);

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

/** keeper_try_end() - Kill it, if it still runs. */
void keeper_try_end(void);

/**
 * keeper_hand_over() - Let the keeper go on as another program.
 * @argv: As for keeper_try(); "--update" and the number of the first of
 * @fds:  follow.  They have consecutive numbers there.
 * @why:  Filled when it has failed.
 *
 * Return: whether that program has all that it needs: it waits till this process ends.
 */
bool keeper_hand_over(char *const *argv, const int *fds, size_t n, char *why,
		      size_t size);

/**
 * keeper_take_over() - As the next program: all is here.
 *
 * Returns when the process that was the store has ended.  If that goes on it kills
 * this one.
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
