// SPDX-License-Identifier: GPL-2.0-or-later
// tests/oracle/xenlibs.c - the parts of Xen's libraries that its stores need, for
// domains of Splitvisor.
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define XC_WANT_COMPAT_MAP_FOREIGN_API
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include "base/domsock.h"
#include "base/fd.h"
#include "base/paths.h"
#include "base/util.h"

/*
 * How it works
 *
 * Preloaded into Debian's xenstored or oxenstored, these functions take the place of
 * those of libxenevtchn, libxengnttab and libxenctrl, and talk to domain sockets
 * instead of to Xen: the ring page is mapped, and its event channel bound, as
 * sv-xenstored does both.  An epoll stands for the event channel device; a port of
 * ours is the domain's place in the table.  A domain whose socket has closed
 * is announced by VIRQ_DOM_EXC, and is unknown from then on.  dom0's kernel, whose
 * ring is found by two files in /proc, never says anything.
 */
#define PAGE	   4096u
#define DOMAINS	   64u
#define VIRQ_PORT  1u
#define DOM0_PORT  2u
#define FIRST_PORT 3u

struct domain {
	unsigned int domid; /* 0: a free place */
	struct dom *sock;
	int kick, call;
	bool ended, told;
};

struct xenevtchn_handle {
	int epoll;
};

static struct domain domains[DOMAINS];
static struct xenevtchn_handle evtchn = { -1 };

__attribute__((constructor)) static void begin(void)
{
	paths_init();
}

static struct domain *find(unsigned int domid)
{
	for (unsigned int i = 0; i < DOMAINS; i++) {
		if (domains[i].sock && domains[i].domid == domid)
			return &domains[i];
	}
	return NULL;
}

static int watch(struct domain *d, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = d };

	return epoll_ctl(evtchn.epoll, EPOLL_CTL_ADD, fd, &ev);
}

/* The domain has the file too: closing alone does not take it out of the epoll. */
static void unwatch(int fd)
{
	(void)epoll_ctl(evtchn.epoll, EPOLL_CTL_DEL, fd, NULL);
}

static void forget(struct domain *d)
{
	unwatch(dom_fd(d->sock));
	unwatch(d->kick);
	dom_free(d->sock);
	fd_close(&d->kick);
	fd_close(&d->call);
	memset(d, 0, sizeof(*d));
}

static struct domain *meet(unsigned int domid)
{
	struct domain *d = find(domid);

	if (d && !d->ended)
		return d;
	if (d)
		forget(d);
	for (unsigned int i = 0; i < DOMAINS; i++) {
		d = &domains[i];
		if (d->sock)
			continue;
		if (dom_connect(&d->sock, domid, DOM_ROLE_STORE, NULL, true))
			return NULL;
		d->domid = domid;
		d->kick = d->call = -1;
		(void)watch(d, dom_fd(d->sock));
		return d;
	}
	return NULL;
}

/* ---- dom0's kernel ---------------------------------------------------------- */

/* Takes the place of libc's, for the two files alone. */
int open64(const char *path, int flags, ...)
{
	char port[8];
	va_list ap;
	mode_t mode;
	int fd;

	if (strncmp(path, "/proc/xen/xsd_", 14) != 0) {
		va_start(ap, flags);
		mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
		va_end(ap);
		return openat64(AT_FDCWD, path, flags, mode);
	}
	fd = memfd_create("dom0", MFD_CLOEXEC);
	if (fd >= 0 && !strcmp(path, "/proc/xen/xsd_port"))
		(void)!pwrite(fd, port, (size_t)sprintf(port, "%u", DOM0_PORT),
			      0);
	else if (fd >= 0)
		(void)!ftruncate(fd, PAGE);
	return fd;
}

int open(const char *path, int flags, ...) __attribute__((alias("open64")));

/* oxenstored wants more descriptors than containers allow, and ends without them. */
int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limits)
{
	(void)prlimit64(0, resource, limits, NULL);
	return 0;
}

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limits)
	__attribute__((alias("setrlimit64")));

/* ---- libxenctrl ----------------------------------------------------------- */

xc_interface *xc_interface_open(xentoollog_logger *logger,
				xentoollog_logger *dombuild_logger,
				unsigned int open_flags)
{
	(void)logger, (void)dombuild_logger, (void)open_flags;
	return (xc_interface *)domains;
}

int xc_interface_close(xc_interface *xch)
{
	(void)xch;
	return 0;
}

int xc_domain_getinfo(xc_interface *xch, uint32_t first_domid,
		      unsigned int max_doms, xc_dominfo_t *info)
{
	struct domain *d = first_domid ? meet(first_domid) : NULL;
	struct dom_info state;

	(void)xch;
	if (!max_doms || (first_domid && !d))
		return 0;
	memset(info, 0, sizeof(*info));
	info->domid = first_domid;
	info->hvm = 1;
	if (!d)
		return 1; /* dom0 */
	if (dom_info(d->sock, &state))
		return 0;
	info->shutdown = !!(state.state & DOM_SHUTDOWN);
	return 1;
}

/* oxenstored asks for one at a time. */
int xc_domain_getinfolist(xc_interface *xch, uint32_t first_domain,
			  unsigned int max_domains, xc_domaininfo_t *info)
{
	xc_dominfo_t one;

	if (xc_domain_getinfo(xch, first_domain, MIN(max_domains, 1u), &one) !=
	    1)
		return -1;
	memset(info, 0, sizeof(*info));
	info->domain = (domid_t)one.domid;
	info->flags = one.shutdown ? XEN_DOMINF_shutdown : XEN_DOMINF_running;
	return 1;
}

static void *map_page(unsigned int domid)
{
	struct domain *d = meet(domid);
	uint32_t port;
	void *page;

	return d && !dom_page(d->sock, &page, &port) ? page : NULL;
}

void *xc_map_foreign_range(xc_interface *xch, uint32_t dom, int size, int prot,
			   unsigned long mfn)
{
	(void)xch, (void)size, (void)prot, (void)mfn;
	return map_page(dom);
}

/* ---- libxengnttab --------------------------------------------------------- */

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger,
				 unsigned int open_flags)
{
	(void)logger, (void)open_flags;
	return (xengnttab_handle *)domains;
}

int xengnttab_close(xengnttab_handle *xgt)
{
	(void)xgt;
	return 0;
}

int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr_grants)
{
	(void)xgt, (void)nr_grants;
	return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid,
			      uint32_t ref, int prot)
{
	(void)xgt, (void)ref, (void)prot;
	return map_page(domid);
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start_address, uint32_t count)
{
	(void)xgt;
	return munmap(start_address, (size_t)count * PAGE);
}

/* ---- libxenevtchn --------------------------------------------------------- */

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger,
				 unsigned int flags)
{
	(void)logger, (void)flags;
	evtchn.epoll = epoll_create1(EPOLL_CLOEXEC);
	return evtchn.epoll < 0 ? NULL : &evtchn;
}

xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd,
				   unsigned int open_flags)
{
	(void)fd;
	return xenevtchn_open(logger, open_flags);
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
	return xce->epoll;
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce,
					      unsigned int virq)
{
	(void)xce, (void)virq;
	return VIRQ_PORT;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce,
						     uint32_t domid,
						     evtchn_port_t remote_port)
{
	struct domain *d = domid ? meet(domid) : NULL;

	(void)xce;
	if (!domid)
		return DOM0_PORT;
	if (!d || d->kick >= 0 ||
	    dom_evtchn_bind(d->sock, remote_port, &d->kick, &d->call))
		return -1;
	(void)watch(d, d->kick);
	return (int)(FIRST_PORT + (unsigned int)(d - domains));
}

static struct domain *at(evtchn_port_t port)
{
	return port >= FIRST_PORT && port < FIRST_PORT + DOMAINS
		       ? &domains[port - FIRST_PORT]
		       : NULL;
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
	struct domain *d = at(port);

	(void)xce;
	if (d && d->sock)
		forget(d);
	return 0;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
	const uint64_t one = 1;
	struct domain *d = at(port);

	(void)xce;
	if (d && d->call >= 0)
		(void)!write(d->call, &one, sizeof(one));
	return 0;
}

/* What a domain has to say; Return: the port that tells of it, or -1. */
static int hear(struct domain *d)
{
	struct dom_msg msg;
	uint64_t kicks;
	int ret = dom_event(d->sock, &msg);

	if (ret < 0 && !d->ended) {
		d->ended = true;
		unwatch(dom_fd(d->sock));
		return VIRQ_PORT;
	}
	if (ret > 0)
		return VIRQ_PORT;
	if (d->kick >= 0 && read(d->kick, &kicks, sizeof(kicks)) > 0)
		return (int)(FIRST_PORT + (unsigned int)(d - domains));
	return -1;
}

/* xenstored asks when the descriptor is readable. */
xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
	struct epoll_event ev;
	int port = -1;

	while (port < 0 && epoll_wait(xce->epoll, &ev, 1, 0) == 1)
		port = hear(ev.data.ptr);
	return port;
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
	(void)xce, (void)port;
	return 0;
}
