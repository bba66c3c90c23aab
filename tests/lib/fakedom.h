/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/fakedom.h - a domain without a vCPU, for tests of its clients. */
#ifndef TESTS_LIB_FAKEDOM_H
#define TESTS_LIB_FAKEDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/grant_table.h>

/*
 * How it works
 *
 * A thread serves <run>/dom/<domid>/hv.sock as base/domsock.h says; the test
 * plays the guest through these calls and by writing memory itself.  RAM lies in
 * one memfd as two regions, half of the pages from gfn 0 and half from gfn
 * FAKEDOM_HIGH; the grant table in another; the store's and the console's page
 * each in one of their own, outside RAM.  DOM_DESTROY is answered by SIGTERM to
 * the whole process.  Mistakes of the test abort.
 */
#define FAKEDOM_HIGH	     0x100000u
#define FAKEDOM_STORE_GFN    0xfeffcu
#define FAKEDOM_CONSOLE_GFN  0xfefffu
#define FAKEDOM_STORE_PORT   1u
#define FAKEDOM_CONSOLE_PORT 2u
#define FAKEDOM_GNT_FRAMES   64u

struct fakedom;

/**
 * fakedom_run_dir() - Make a run directory of the test's own.
 *
 * Sets SPLITVISOR_RUN_DIR to a new directory below /tmp and calls paths_init();
 * fakedom_run_dir_remove() removes it with all that is in it.
 *
 * Return: the directory.
 */
const char *fakedom_run_dir(void);
void fakedom_run_dir_remove(void);

/**
 * fakedom_new() - Make a domain and serve its socket.
 * @ram_pages: Even number of pages.
 */
struct fakedom *fakedom_new(unsigned int domid, size_t ram_pages);

/**
 * fakedom_begin() - fakedom_new() as a VMM does it: the directory was made by others.
 *
 * Who connects is not answered before fakedom_serve(): what it is to be known for
 * comes in between.
 *
 * Return: the domain; NULL if the directory has gone, and the process should too.
 */
struct fakedom *fakedom_begin(unsigned int domid, size_t ram_pages);

/**
 * fakedom_listen() - A domain's socket, which the store can reach, and nothing behind.
 *
 * Return: the listening descriptor, *owned*, or -errno.
 */
int fakedom_listen(unsigned int domid);
void fakedom_serve(struct fakedom *f);

/**
 * fakedom_present() - Let it look like a VMM that the toolstack has started.
 *
 * Sets what DOM_INFO says, and pauses it.
 */
void fakedom_present(struct fakedom *f, const char *name,
		     const uint8_t uuid[16], unsigned int vcpus,
		     unsigned int maxvcpus);

/**
 * fakedom_restore() - Take its RAM from a saved domain, not packed, up to the end.
 * @after: Number of the last record that others have read.
 *
 * Return: 0, or as savefile_get().
 */
int fakedom_restore(struct fakedom *f, int fd, uint32_t after);

/** fakedom_free() - The domain goes away: its clients see end of file. */
void fakedom_free(struct fakedom *f);

/** fakedom_wait_run() - Wait until the domain is not paused. */
void fakedom_wait_run(struct fakedom *f);

/** fakedom_pages() - Pages of RAM, both regions together. */
size_t fakedom_pages(const struct fakedom *f);

/** fakedom_page() - The guest's own view of a page of RAM. */
void *fakedom_page(struct fakedom *f, uint64_t gfn);

/**
 * fakedom_alloc() - Take @n pages of RAM whose gfns follow each other.
 *
 * From gfn 1 upwards; never given back.  Return: the first gfn.
 */
uint64_t fakedom_alloc(struct fakedom *f, size_t n);

/**
 * fakedom_give() - The guest gives a page of RAM back to the host.
 *
 * As its balloon does, grants and I/O or not: it stays in the map, and is zero.
 */
void fakedom_give(struct fakedom *f, uint64_t gfn);

/** fakedom_entry() - A grant table entry, for the test to write. */
grant_entry_v1_t *fakedom_entry(struct fakedom *f, uint32_t ref);

/**
 * fakedom_grant() - Grant a page to domain 0; Return: a new reference.
 * @flags: 0 or GTF_readonly.
 *
 * References come in ascending order from 8; the table grows as needed.
 */
uint32_t fakedom_grant(struct fakedom *f, uint64_t gfn, uint16_t flags);

/** fakedom_grow() - Let the guest have @frames frames of grant table. */
void fakedom_grow(struct fakedom *f, uint32_t frames);

/** fakedom_port() - Allocate an unbound event channel; Return: its port. */
uint32_t fakedom_port(struct fakedom *f);

/** fakedom_port_close() - Give a port back. */
void fakedom_port_close(struct fakedom *f, uint32_t port);

/** fakedom_ports() - Return: how many ports there are, with those it began with. */
unsigned int fakedom_ports(struct fakedom *f);

/**
 * fakedom_port_fd() - What fakedom_wait() waits on: an eventfd, *borrowed*.
 */
int fakedom_port_fd(struct fakedom *f, uint32_t port);

/** fakedom_bound() - Whether a client has bound the port now. */
bool fakedom_bound(struct fakedom *f, uint32_t port);

/** fakedom_send() - The guest sends on the port. */
void fakedom_send(struct fakedom *f, uint32_t port);

/**
 * fakedom_wait() - The guest waits for an event on the port.
 * @ms: At most this long; 0 only looks.
 *
 * Return: whether there was one (any number counts as one).
 */
bool fakedom_wait(struct fakedom *f, uint32_t port, int ms);

/** fakedom_store_page(), fakedom_console_page() - The special pages. */
void *fakedom_store_page(struct fakedom *f);
void *fakedom_console_page(struct fakedom *f);

/** fakedom_shutdown() - The guest shuts down; clients get DOM_EV_SHUTDOWN. */
void fakedom_shutdown(struct fakedom *f, unsigned int reason);

/**
 * fakedom_suspend() - The guest is suspended until DOM_RESUME lets it go on.
 * @reason: SHUTDOWN_suspend or SHUTDOWN_soft_reset.
 *
 * Anew, all is as base/domsock.h says; pointers to the special pages and what
 * fakedom_port_fd() gave are void then.
 *
 * Return: 1 if it was cancelled, 0 if it goes on anew.
 */
int fakedom_suspend(struct fakedom *f, unsigned int reason);

/** fakedom_resume() - What DOM_RESUME does; Return: its status. */
int fakedom_resume(struct fakedom *f, bool anew);

#endif
