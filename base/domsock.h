/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/domsock.h - the domain socket: its wire protocol and the client half. */
#ifndef BASE_DOMSOCK_H
#define BASE_DOMSOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sock.h"
#include "base/util.h"

/*
 * How it works
 *
 * <run>/dom/<domid>/hv.sock (SOCK_SEQPACKET, mode 0600, SO_PEERCRED checked) is
 * the only way into a domain from outside, and plays the part of Xen's privcmd,
 * evtchn and gntdev devices.  The store's user (base/storeuser.h) may connect, too, and
 * have the role of the store alone.  Every message is one struct dom_msg; descriptors
 * travel beside it.  The client speaks first with DOM_HELLO, which names a
 * role; a role may only make the calls marked with its letter below, anything
 * else is answered -EPERM.  Calls are answered in order, each by one message of
 * the same type and seq with a status.  DOM_EV_* messages (seq 0) come between
 * answers to clients that asked for them in DOM_HELLO.  End of file means that
 * the domain is gone.
 *
 * A = admin (toolstack), S = store, C = console, B = device backend.
 *
 * When a client's connection closes, its event channels fall back to unbound
 * (the guest may still send: nothing happens) and a later client can bind them
 * again.  A bind makes the channel pending on both sides at once, so that a
 * kick sent while nobody was bound is not lost (as EVTCHNOP_bind_interdomain).
 */
#define DOM_MAGIC   0x31567653u /* "SvV1" */
#define DOM_VERSION 1u

enum dom_role {
	DOM_ROLE_ADMIN,
	DOM_ROLE_STORE,
	DOM_ROLE_CONSOLE,
	DOM_ROLE_BACKEND,
	DOM_NROLES,
};

enum dom_msg_type {
	DOM_HELLO = 1,	  /* ASCB: u.hello -> u.info */
	DOM_INFO,	  /* ASCB: - -> u.info */
	DOM_MEMMAP,	  /* AB: - -> u.memmap, fds: RAM memfd */
	DOM_PAGE,	  /* SC: - -> u.page, fds: memfd of that one page */
	DOM_GRANT_FRAMES, /* B: u.frames.first -> u.frames, fds: grant memfd */
	DOM_EVTCHN_BIND,  /* SCB: u.port -> -, fds: kick, call */
	DOM_EVTCHN_CLOSE, /* SCB: u.port -> - */
	DOM_PAUSE,	  /* A */
	DOM_UNPAUSE,	  /* A */
	DOM_DESTROY,	  /* A: answered, then the VMM ends */
	DOM_STATS,	  /* A: - -> u.stats */
	DOM_VCPU,	  /* A: u.vcpu.id -> u.vcpu; stops it for a moment */
	DOM_RESUME,	  /* A: u.anew; see below */
	DOM_DEVSTATS,	  /* A: u.devstats.index -> u.devstats, fds: file */
	DOM_OFFER_STATS,  /* B: u.devstats.offset, fd: file -> - */
	DOM_SAVE,	  /* A: u.seq, fd: file -> u.seq; see below */
	DOM_DUMP,	  /* A: -, fd: memfd -> -; see below */
	DOM_NMI,	  /* A: u.vcpu.id -> - */
	DOM_SAVE_HOST,	  /* A: u.seq, fd: file -> u.seq; see DOM_SAVE */
	DOM_DEBUG,	  /* A: u.debug -> -; see below */
	DOM_BREAK,	  /* A: u.brk -> - */
	DOM_REGS,	  /* A: u.regs.id -> u.regs */
	DOM_SET_REGS,	  /* A: u.regs -> - */
	DOM_PEEK,	  /* A: u.peek -> u.peek */
	DOM_POKE,	  /* A: u.peek -> - */
	DOM_NTYPES,

	DOM_EV_SHUTDOWN = 64, /* u.info: the guest has shut down; see reason */
	DOM_EV_RESUMED,	      /* u.info: it goes on after DOM_RESUME */
	DOM_EV_STOPPED,	      /* u.stopped: to the debugger */
};

/*
 * DOM_RESUME lets a domain go on whose reason is SHUTDOWN_suspend or, with u.anew 1,
 * SHUTDOWN_soft_reset; -EINVAL for any other.  With u.anew 0 the suspension was cancelled: SCHEDOP_shutdown
 * returns 1 and all is as it was.  With u.anew 1 it returns 0, and the guest
 * finds itself as a restored domain does: all event channels are closed but for
 * new ones of store and console, which have new, empty pages; its grant table is
 * empty and nowhere; shared_info, vcpu_info, callbacks and timers have to be
 * registered again.  Then info.life is one more than it was.  As a restored
 * domain it has to be introduced to the store (XS_INTRODUCE), whereupon store and
 * console ask for their page and bind their channel again.  Device backends need
 * not: the guest's frontends begin at Initialising, which has a backend let go of
 * what it had.  After a soft reset another kernel begins, which has all its RAM: they
 * must have let go before, so that none of its pages is written to for the old one.
 */

/*
 * DOM_SAVE writes all that a domain is but its RAM into a regular file, behind what
 * the toolstack has written there (base/savefile.h; u.seq is the number of the last
 * record, and then of its own last one).  The toolstack adds RAM (DOM_MEMMAP) and end.
 * The domain must be paused (-EINVAL), and stays so.  -EAGAIN: the store has not
 * answered the guest yet.  DOM_SAVE_HOST writes, while it may run, the one record that
 * tells another host whether it can have the domain.
 */

/*
 * DOM_DUMP writes what an ELF core of the domain has before memory into an empty memfd, a
 * whole number of pages; the toolstack adds RAM as DOM_MEMMAP gives it.  The domain may
 * run (it stands still for a moment), be paused, or have shut down or crashed.
 */

/*
 * DOM_DEBUG makes a client the domain's debugger, one at a time (-EBUSY), until its
 * connection ends: then breakpoints are taken out and all vCPUs run.  Each such call
 * says which vCPUs run from now on; when none shall, it is answered once none does.
 * When one stops by itself the others stop, too, and DOM_EV_STOPPED says which and
 * why.  The other five calls are the debugger's (-ENOTCONN), and only while no vCPU runs
 * (-EBUSY).  Addresses are guest-virtual, as the vCPU translates them; a breakpoint is
 * for kernel code.  DOM_PAUSE and what the guest does to itself are apart from this; a
 * domain that is debugged cannot be saved (-EBUSY).
 */

/*
 * A backend counts in a file of its own (base/blkstat.h), and offers it, once a
 * connection: a regular file, open for reading only.  It is the domain's until the
 * connection ends.  Whoever asks, from index 0 on and then from one more than the
 * last answer's, gets those of all devices, and -ENOENT at the end; he reads it as
 * often as he likes, and the domain does not notice.
 */

/** enum dom_state - Bits of struct dom_info.state. */
enum dom_state {
	DOM_PAUSED = 1u << 0,	/* by the toolstack */
	DOM_SHUTDOWN = 1u << 1, /* by the guest or for a crash; see reason */
	DOM_RUNNING = 1u << 2,	/* a vCPU is on a CPU right now */
	DOM_BLOCKED = 1u << 3,	/* all vCPUs wait for an event */
};

/** dom_reason_name() - A SHUTDOWN_* in words; "unknown" for others. */
const char *dom_reason_name(uint32_t reason);

#define DOM_NAME_MAX 256

/**
 * struct dom_info - What the toolstack shows of a domain.
 *
 * A vCPU is offline that has not been started, or has halted with interrupts off, as
 * a guest's kernel has one do that it takes offline: only another can wake it.
 */
struct dom_info {
	uint32_t domid;
	uint32_t state; /* enum dom_state */
	uint32_t
		reason; /* SHUTDOWN_* of xen/sched.h, valid with DOM_SHUTDOWN */
	uint32_t vcpus_max;
	uint32_t vcpus_online;	/* bits of @online */
	uint32_t backend_domid; /* domid that grants must name: 0 */
	uint64_t ram_kib;
	uint64_t cpu_ns;    /* vCPU time used since creation */
	uint64_t start_ns;  /* CLOCK_REALTIME at creation */
	uint64_t store_gfn; /* for xenstored's INTRODUCE */
	uint64_t console_gfn;
	uint32_t store_port;
	uint32_t console_port;
	uint32_t pid;
	uint32_t life; /* how often it was resumed anew; see DOM_RESUME */
	uint8_t uuid[16];
	char name[DOM_NAME_MAX];
	uint64_t online; /* bit n: vCPU n is */
};

/** struct dom_region - Guest frames that lie together in the RAM memfd. */
struct dom_region {
	uint64_t gfn; /* first guest frame number */
	uint64_t npages;
	uint64_t offset; /* bytes into the memfd */
};

#define DOM_MAX_REGIONS 4

/** struct dom_memmap - All of a domain's RAM, by ascending gfn. */
struct dom_memmap {
	uint32_t n;
	uint32_t pad;
	uint64_t size; /* bytes of the memfd */
	struct dom_region region[DOM_MAX_REGIONS];
};

/** struct dom_frame - Where one grant-table frame lies. */
struct dom_frame {
	uint32_t in_ram; /* 0: in the grant memfd; 1: in the RAM memfd */
	uint32_t pad;
	uint64_t offset; /* bytes into that memfd, a multiple of 4096 */
};

#define DOM_FRAMES_PER_MSG 24

/** struct dom_frames - A part of the grant table's (v1) frame list. */
struct dom_frames {
	uint32_t first;
	uint32_t n;	/* valid entries of frame[] */
	uint32_t total; /* frames that the guest has so far */
	uint32_t pad;
	uint64_t size; /* bytes of the grant memfd */
	struct dom_frame frame[DOM_FRAMES_PER_MSG];
};

#define DOM_MAX_STATS 24

/**
 * struct dom_stats - Counters of a domain.
 *
 * KVM's own exit statistics and the VMM's, as name/value pairs, summed over
 * vCPUs.
 */
struct dom_stats {
	uint32_t n;
	uint32_t pad;
	struct {
		char name[24];
		uint64_t value;
	} stat[DOM_MAX_STATS];
};

#define DOM_VCPU_STACK	 48
#define DOM_VCPU_PENDING 16
#define DOM_NO_VECTOR	 (-1)

/** struct dom_vcpu - What one vCPU was doing when it was stopped. */
struct dom_vcpu {
	uint32_t id;
	uint32_t mp_state; /* KVM_MP_STATE_* */
	/* Registers; gpr[] in the order of their numbers: rax, rcx, rdx... */
	uint64_t gpr[16], rip, rflags, cr0, cr2, cr3, cr4, efer;
	uint16_t cs, ss;
	uint32_t longmode;	/* 1: 64-bit code */
	int32_t exception;	/* vector being injected, or DOM_NO_VECTOR */
	int32_t interrupt;	/* the same */
	uint32_t shadow;	/* KVM_X86_SHADOW_INT_* */
	uint32_t tpr;		/* of the LAPIC, as all of these: */
	uint32_t irr[8];	/* interrupts requested, bit by vector */
	uint32_t isr[8];	/* interrupts in service */
	uint32_t upcall_vector; /* of events; 0: not by LAPIC */
	uint32_t timer_port;	/* of VIRQ_TIMER; 0 for none */
	uint64_t timer_ns;	/* system time when it fires; 0: not set */
	uint64_t now_ns;	/* system time */
	uint32_t ninfo;		/* valid bytes of info[] */
	uint32_t npending;	/* valid entries of pending[] */
	uint8_t info[16]; /* start of vcpu_info: pending, mask, selector */
	uint16_t pending[DOM_VCPU_PENDING]; /* ports, the domain's first */
	uint32_t nstack;		    /* valid entries of stack[] */
	uint32_t pad;
	uint64_t stack[DOM_VCPU_STACK]; /* from rsp up */
};

#define DOM_WATCHES 4

/** enum dom_watch_type - What a debug register looks for; as in DR7. */
enum dom_watch_type {
	DOM_WATCH_RUN = 0,
	DOM_WATCH_WRITE = 1,
	DOM_WATCH_USE = 3
};

/**
 * struct dom_debug - What runs, and how.
 * @run:   Bit n: vCPU n does.
 * @step:  Those of them that stop after one instruction.
 * @watch: Debug registers of all vCPUs.
 */
struct dom_debug {
	uint64_t run, step;
	uint32_t nwatches;
	uint32_t pad;
	struct {
		uint64_t addr;
		uint32_t type; /* enum dom_watch_type */
		uint32_t len;  /* 1, 2, 4 or 8; 1 with DOM_WATCH_RUN */
	} watch[DOM_WATCHES];
};

/** enum dom_stop - Why a vCPU has stopped. */
enum dom_stop { DOM_STOP_STEP, DOM_STOP_BREAK, DOM_STOP_WATCH };

struct dom_stopped {
	uint32_t id;
	uint32_t why;	/* enum dom_stop */
	uint32_t watch; /* DOM_STOP_WATCH: its index */
	uint32_t pad;
};

/** struct dom_break - Setting a breakpoint (@on 1), or taking it out (0). */
struct dom_break {
	uint32_t id;
	uint32_t on;
	uint64_t addr;
};

/**
 * struct dom_regs - Registers of a vCPU.
 *
 * DOM_SET_REGS sets @gpr (in the order of their numbers: rax, rcx, rdx...), @rip and
 * @rflags, no others.
 */
struct dom_regs {
	uint32_t id;
	uint16_t seg[6]; /* cs, ss, ds, es, fs, gs */
	uint64_t gpr[16], rip, rflags;
	uint64_t fs_base, gs_base, kernel_gs_base;
	uint64_t cr0, cr2, cr3, cr4, efer;
};

#define DOM_PEEK_MAX 960

/** struct dom_peek - Memory, without the breakpoints in it. */
struct dom_peek {
	uint64_t addr;
	uint32_t id;
	uint32_t len; /* at most DOM_PEEK_MAX */
	uint8_t data[DOM_PEEK_MAX];
};

/**
 * struct dom_devstats - A device's statistics.
 * @index:  Of the first connection to look at; answered: of the one found.
 * @offset: Where they begin in the file.
 * @device: As said in HELLO, in printable ASCII, NUL-terminated: "vbd/51712".
 */
struct dom_devstats {
	uint32_t index;
	uint32_t pad;
	uint64_t offset;
	char device[64];
};

struct dom_msg {
	uint32_t magic;
	uint16_t version;
	uint16_t type;	/* enum dom_msg_type */
	uint32_t seq;	/* chosen by the client; 0 in events */
	int32_t status; /* answers: 0 or -errno */
	union {
		struct {
			uint32_t role;	 /* enum dom_role */
			uint32_t events; /* 1: send DOM_EV_* */
			/*
			 * DOM_ROLE_BACKEND: which device, for the log and for
			 * limiting rights ("vbd/51712").
			 */
			char device[64];
		} hello;
		struct dom_info info;
		struct dom_memmap memmap;
		struct {
			uint64_t gfn;
			uint32_t port; /* the event channel that goes with it */
			uint32_t pad;
		} page;
		struct dom_frames frames;
		uint32_t port;
		uint32_t anew;
		uint32_t seq;
		struct dom_stats stats;
		struct dom_vcpu vcpu;
		struct dom_devstats devstats;
		struct dom_debug debug;
		struct dom_stopped stopped;
		struct dom_break brk;
		struct dom_regs regs;
		struct dom_peek peek;
		uint8_t raw[1024];
	} u;
};
_Static_assert(sizeof(struct dom_msg) == 16 + 1024, "wire format");

/**
 * struct dom - A client's connection to one domain.
 *
 * Any thread may make calls: a device's queues look up grant frames while its
 * main thread waits for events.
 */
struct dom;

/**
 * dom_connect() - Connect to a domain and say hello.
 * @out:    *Owned* by the caller; written only on success.
 * @domid:  The domain.
 * @role:   What this client is for; limits what it may ask.
 * @device: For DOM_ROLE_BACKEND, "type/devid"; else NULL.
 * @events: Whether DOM_EV_* messages are wanted; see dom_event().
 *
 * Return: 0, -ENOENT or -ECONNREFUSED if there is no such domain, -EPROTO if
 * the other side speaks another version, or -errno.
 */
int dom_connect(struct dom **out, unsigned int domid, enum dom_role role,
		const char *device, bool events) must_check;

/**
 * dom_ask() - Ask a domain what dom_info() would tell, as the toolstack, and do not wait.
 *
 * So that many domains answer at the same time.  Return: as dom_connect().
 */
int dom_ask(struct dom **out, unsigned int domid) must_check;

/**
 * dom_asked() - Wait for the answer to dom_ask(); Return: as dom_connect().
 *
 * On success @d is connected as if by dom_connect(), else it is of no use.
 */
int dom_asked(struct dom *d, struct dom_info *info) must_check;

/**
 * dom_adopt() - Take over a connection on which HELLO was already said.
 * @fd: *Given*.  For workers that inherit it from their parent.
 */
int dom_adopt(struct dom **out, int fd) must_check;

/* For dom_set_timeout(): far more than an answer takes, where all is well. */
#define DOM_ANSWER_MS 5000

/**
 * dom_set_timeout() - Limit how long this process waits for an answer.
 * @ms: For each call, dom_connect() included, which then returns -ETIMEDOUT; -1
 *      waits for ever, as at start.  A connection is of no use afterwards.
 */
void dom_set_timeout(int ms);

/** dom_free() - Close the connection; NULL is fine. */
void dom_free(struct dom *d);

/**
 * dom_fd() - For an event loop: readable when dom_event() has work.
 *
 * Borrowed, valid until dom_free().
 */
int dom_fd(const struct dom *d);

/**
 * dom_event() - Take the next DOM_EV_* message, without blocking.
 * @msg: Filled on success.
 *
 * Return: 1 if there was one, 0 if none is waiting, -EPIPE if the domain is
 * gone, or -errno.
 */
int dom_event(struct dom *d, struct dom_msg *msg) must_check;

/**
 * dom_call() - Make one call and wait for its answer.
 * @msg:  type and u are sent; overwritten by the answer.
 * @fds:  SOCK_MAX_FDS places for the answer's descriptors (*given*), or NULL
 *        when none are expected.
 * @nfds: Number received; NULL with @fds.
 *
 * After a call that was given up (dom_set_timeout()) the next one may follow: the
 * late answer is dropped.
 *
 * Return: the answer's status, -EPIPE if the domain is gone, or -errno.
 */
int dom_call(struct dom *d, struct dom_msg *msg, int *fds,
	     size_t *nfds) must_check;

/**
 * dom_save() - DOM_SAVE.
 * @fd:  *Borrowed*: where the file is written.
 * @seq: Of the last record before; set to that of the VMM's last.
 *
 * Return: 0 or -errno.
 */
int dom_save(struct dom *d, int fd, uint32_t *seq) must_check;

/** dom_save_host() - DOM_SAVE_HOST, likewise. */
int dom_save_host(struct dom *d, int fd, uint32_t *seq) must_check;

/** dom_dump() - DOM_DUMP; @fd: *Borrowed*.  Return: 0 or -errno. */
int dom_dump(struct dom *d, int fd) must_check;

/** dom_info() - DOM_INFO; Return: 0 or -errno. */
int dom_info(struct dom *d, struct dom_info *info) must_check;

/**
 * dom_page() - The store's or console's ring page, by the caller's role.
 * @page: The page, mapped shared and writable; unmap with munmap().
 * @port: The event channel that goes with it.
 *
 * Return: 0, -EPROTO if it is no memory that stays there, or -errno.
 */
int dom_page(struct dom *d, void **page, uint32_t *port) must_check;

/** dom_page_view() - dom_page(), but mapped for reading only. */
int dom_page_view(struct dom *d, void **page, uint32_t *port) must_check;

/**
 * dom_evtchn_bind() - Bind an event channel that the guest left unbound.
 * @port: The guest's port.
 * @kick: *Owned* by the caller: eventfd signalled when the guest sends.
 * @call: *Owned* by the caller: eventfd that, written, signals the guest.
 *
 * Return: 0, -EINVAL if the port is not unbound for this backend, or -errno.
 */
int dom_evtchn_bind(struct dom *d, uint32_t port, int *kick,
		    int *call) must_check;

/** dom_evtchn_close() - Undo a bind; the caller closes its eventfds. */
int dom_evtchn_close(struct dom *d, uint32_t port) must_check;

/**
 * dom_offer_stats() - DOM_OFFER_STATS.
 * @fd:     *Borrowed*.
 * @offset: Where the statistics begin in it.
 *
 * Return: 0, -EEXIST if it was done before, -EINVAL if @fd is not what it has to
 * be, or -errno.
 */
int dom_offer_stats(struct dom *d, int fd, uint64_t offset) must_check;

/**
 * dom_devstats() - DOM_DEVSTATS.
 * @s:  @s->index is where to begin; filled on success.
 * @fd: *Given*: a regular file, open for reading only; what is in it is UNTRUSTED,
 *      and it may become shorter: not to be mapped.  Written only on success.
 *
 * Return: 0, -ENOENT if there are no more, -EPROTO if the domain's answer makes no
 * sense, or -errno.
 */
int dom_devstats(struct dom *d, struct dom_devstats *s, int *fd) must_check;

#endif
