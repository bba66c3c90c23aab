/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/device.h - what every device worker process does. */
#ifndef DOM0_BACKEND_DEVICE_H
#define DOM0_BACKEND_DEVICE_H

#include <stdatomic.h>

#include "base/domsock.h"
#include "base/log.h"
#include "dom0-backend/gnt_map.h"
#include "dom0-backend/xb_state.h"
#include "dom0-backend/xs_watch.h"

struct event;
struct event_base;
struct device;

/**
 * struct device_ops - One type of device.  @option, @open, @tick and @changed may be
 * missing, and @resume, @release and @suspend together.
 * @type:       As in the store: "vbd".
 * @program:    For messages: "blkback".
 * @option:     An option of the command line beyond the common ones (see
 *              device_main()); @name without "--".  Return: 0, -EINVAL if
 *              unknown or out of range.
 * @open:       Once, with the options known and before all other calls: what has to
 *              be looked up before the process gives up what it does not need.
 * @init:       Once, when store, domain and grants are there.
 * @fini:       Once, at the end; after disconnect, and also when @init failed.
 * @keys:       Write the backend's keys that go with @state, in the same
 *              transaction as the state: features with XB_INIT_WAIT, sizes with
 *              XB_CONNECTED.  May run several times.  Return: 0 or -errno.
 * @tick:       Once a second, in the main thread.
 * @changed:    Something in the backend's directory may have changed.
 * @connect:    As struct xb_ops.  Log why before failing.
 * @disconnect: As struct xb_ops; also if nothing is connected.
 * @resume:     Go on with the connection that a predecessor was serving; the states
 *              of both sides allow it.  Return: 0; -ESTALE if the frontend has
 *              begun another since, of which nothing was touched; -EAGAIN if the
 *              store failed; or -errno: there is none, or it cannot be gone
 *              on with, and @disconnect follows.  Serves nothing unless 0.
 * @release:    The frontend has closed: give back the pages that a predecessor
 *              had in use, and do nothing else.  @disconnect follows.
 * @suspend:    Finish what is under way and stop serving; a successor will resume.
 *
 * A worker with @resume does not end when its parent does.
 */
struct device_ops {
	const char *type;
	const char *program;
	int (*option)(struct device *dev, const char *name, const char *value);
	int (*open)(struct device *dev);
	int (*init)(struct device *dev);
	void (*fini)(struct device *dev);
	int (*keys)(struct device *dev, enum xb_state state);
	void (*tick)(struct device *dev);
	void (*changed)(struct device *dev);
	int (*connect)(struct device *dev);
	void (*disconnect)(struct device *dev);
	int (*resume)(struct device *dev);
	void (*release)(struct device *dev);
	void (*suspend)(struct device *dev);
};

/**
 * struct device - One device of one domain, as a worker process sees it.
 * @priv:  The type's own data; given to device_main().
 * @be:    The backend's directory in the store, trusted.
 * @fe:    The frontend's directory: what it holds is UNTRUSTED.
 * @limit: For log_limited() in the main thread.
 *
 * Members are set before @init runs and only read by the type.
 */
struct device {
	const struct device_ops *ops;
	void *priv;
	unsigned int domid;
	unsigned int devid;
	char be[128];
	char fe[128];
	struct event_base *base;
	struct store *store;
	struct dom *dom;
	struct gnt_map *gnt;
	struct log_limit limit;

	/* private to device.c */
	struct xb xb;
	struct store_watch *fe_watch;
	struct store_watch *be_watch;
	struct event *dom_ev;
	struct event *fail_ev;
	struct event *term_ev;
	struct event *tick_ev;
	int dom_fd;
	int parent; /* process id */
	bool free;  /* it keeps all but its capabilities */
	int fail_fd;
	int status;
	bool unwritten; /* the state is not in the store yet */
	_Atomic(const char *) failure;
};

/**
 * device_main() - A worker's whole life; main() returns what this returns.
 * @ops:     The type.
 * @priv:    Becomes device.priv.
 * @confine: Give up what the process does not need, for good; see worker_jail().
 *
 * Options are pairs, "--name value".  Common ones: --domid N, --devid N,
 * --dom-fd FD (connection to the domain on which HELLO was said), --parent PID
 * (without device_ops.resume it ends when that does), --no-sandbox 1 (instead of
 * @confine only capabilities are dropped).  The process follows the frontend's state through any
 * number of connections.  It ends with status 0 when the toolstack
 * has detached the device, when the backend's directory is gone or when the
 * domain is gone; 1 after a bad option or a failed @init, when the domain's
 * socket is of no use any more, or after SIGTERM: the device is still wanted then,
 * and a connection that can be resumed is left to a successor.
 */
int device_main(int argc, char **argv, const struct device_ops *ops, void *priv,
		int (*confine)(void));

/**
 * device_fail() - A connection cannot go on: stop serving, begin to close.
 * @why: A constant string: shown once in the log and in the error node.
 *
 * From any thread, but not for use in @connect, which returns its error.  The
 * disconnect comes later, from the main thread; until then touch the rings no
 * more.
 */
void device_fail(struct device *dev, const char *why);

/* Exit status of a worker that cannot serve what the configuration asks for. */
#define DEVICE_REFUSED 2

/**
 * device_refuse() - In @init, which fails then: why the device cannot be served.
 * @why: One line, for the log and the error node.
 *
 * A device that no frontend was offered yet is refused for that reason; any other
 * gets another worker.
 */
void device_refuse(struct device *dev, const char *why);

/**
 * device_retire() - End the loop, for a successor that finds better conditions.
 * @why: One line, for the log.
 */
void device_retire(struct device *dev, const char *why);

/**
 * device_bad_key() - Tell, within limits, why a frontend's key cannot be used.
 * @want: What it must be.
 * @ret:  -errno of reading or judging it.
 *
 * Return: @ret.
 */
int device_bad_key(struct device *dev, const char *dir, const char *name,
		   const char *want, int ret);

/**
 * device_no_value() - Whether a key is missing or wrong, if reading it failed so.
 *
 * Otherwise it is the store that failed.
 */
bool device_no_value(int ret);

/**
 * device_read_u32() - Read a frontend's key that must be a 32-bit number.
 *
 * Return: 0 or -errno, told.
 */
int device_read_u32(struct device *dev, const char *dir, const char *name,
		    uint32_t *out) must_check;

/**
 * device_max_queues() - How many queues to offer a frontend.
 * @limit: The most that the backend can serve.
 *
 * One for each CPU of the host, and on small hosts four all the same: queues also
 * spare the guest's vCPUs a common lock.
 */
unsigned int device_max_queues(unsigned int limit);

/**
 * device_nqueues() - Read how many queues the frontend wants.
 * @max: Our multi-queue-max-queues.
 * @out: 1 to @max; 1 if it does not say.
 *
 * Return: 0 or -errno, told.
 */
int device_nqueues(struct device *dev, unsigned int max,
		   unsigned int *out) must_check;

/**
 * device_start_queues() - Start @n queues, in order, till one fails.
 * @start: @dir is where the frontend's keys for this queue lie.
 *
 * Return: 0 or what @start returned.
 */
int device_start_queues(struct device *dev, unsigned int n,
			int (*start)(struct device *dev,
				     const char *dir)) must_check;

/**
 * device_republish() - Write the keys of Connected, and Connected, once more.
 *
 * Frontends that follow changes look at the keys when the state is written, even
 * if it is the same.  Nothing happens unless that is the state.
 *
 * Return: 0 or -errno of the store, told.
 */
int device_republish(struct device *dev) must_check;

/** device_domain_gone() - End the loop; everything is undone on the way. */
void device_domain_gone(struct device *dev);

#endif
