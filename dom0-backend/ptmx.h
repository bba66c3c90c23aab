/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/ptmx.h - new terminals for a process that can open no device. */
#ifndef DOM0_BACKEND_PTMX_H
#define DOM0_BACKEND_PTMX_H

#include <stdbool.h>

#include "base/util.h"

/*
 * How it works
 *
 * Who has /dev/ptmx must have what is mounted beside it, too, and so all terminals of
 * the host.  So a process in a sandbox (base/jail.h) asks another one, a child that it
 * has left outside, for the master of each new terminal.  A request is one byte, which
 * is not looked at, so there is nothing to take that one over by; and it has a filter of
 * system calls of its own.  It ends when nobody can ask any more.
 */

/**
 * ptmx_start() - Start that process; before threads, and before the jail is entered.
 *
 * Of this one's descriptors it keeps 0 to 2 alone.
 *
 * Return: the socket to ask by, non-blocking; to be read when there is something, by
 * ptmx_gone().  Or -errno.
 */
int ptmx_start(void) must_check;

/**
 * ptmx_open() - The master of a new terminal, non-blocking, its slave ready to be opened.
 * @helper: From ptmx_start(); -1 to open it here.
 *
 * Waits two seconds at most.
 *
 * Return: a descriptor, *given*; -EIO if the process has ended; -EMFILE if there can be
 * no more descriptors here; -ETIMEDOUT; or -errno.
 */
int ptmx_open(int helper) must_check;

/** ptmx_gone() - Whether the process has ended.  Drops answers that came too late. */
bool ptmx_gone(int helper) must_check;

#endif
