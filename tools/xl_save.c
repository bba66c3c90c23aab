// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_save.c - a domain into a file, and out of it again.
#include "tools/xl_save.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenstore.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/savefile.h"
#include "base/xs_wire.h"
#include "tools/xl_mem.h"
#include "tools/xl_run.h"
#include "tools/xl_store.h"

/*
 * How it works
 *
 * The toolstack's records come first, the VMM's behind them (base/savefile.h), memory
 * last.  A file is whole or it is not there.
 *
 * What is in a file is UNTRUSTED: it may name no node but the domain's own.
 */
#define DOM	  "/local/domain/%u"
#define PATH_ROOM 3100
#define MAX_ITEMS 100000
#define MAX_PERMS 64

/** struct xl_save_item - A node, or a watch, as read. */
struct xl_save_item {
	bool watch;
	size_t len;
	uint8_t *data; /* *owned* */
};

/* ---- Writing --------------------------------------------------------------- */

static int put_memory(const struct xl_saving *v, bool pack, struct savefile *s)
{
	struct xl_mem m;
	uint64_t pages;
	int ret = xl_mem_open(&m, v->dom);

	if (ret)
		return ret;
	if (pack)
		ret = xl_mem_pack(&m);
	if (!ret)
		ret = xl_mem_round(&m, s, &pages);
	xl_mem_close(&m);
	return ret;
}

/* All of it; the domain is stopped. */
static int put_all(const struct xl_saving *v, const struct xl_save_how *how,
		   int fd)
{
	struct savefile s;
	int ret = savefile_begin(&s, fd);

	if (!ret)
		ret = xl_saving_begin(v, how->config, &s);
	if (!ret)
		ret = xl_saving_pass(v, &s);
	if (!ret)
		ret = put_memory(v, how->pack, &s);
	return ret ? ret : savefile_put(&s, SAVE_END, NULL, 0);
}

/* Under another name until it is whole, and on the disk. */
static int write_file(struct xl_saving *v, const char *path,
		      const struct xl_save_how *how)
{
	bool stopped = v->spool >= 0;
	char part[PATH_MAX];
	int fd = fd_part(path, part), ret;

	if (fd < 0) {
		log_err("%s: %s", part, strerror(-fd));
		return fd;
	}
	ret = stopped ? 0 : xl_saving_stop(v, how->config);
	if (!ret) {
		ret = put_all(v, how, fd);
		if (!ret && (fsync(fd) < 0 || rename(part, path) < 0))
			ret = -errno;
		if (ret)
			log_err("%s: %s", path, strerror(-ret));
		if (ret && !stopped)
			(void)!xl_saving_resume(v);
	}
	if (ret)
		unlink(part);
	fd_close(&fd);
	return ret;
}

int xl_save(unsigned int domid, const char *path, const struct xl_save_how *how,
	    bool *was_paused)
{
	struct xl_saving v;
	int ret = xl_saving_open(&v, domid);

	if (ret)
		return ret;
	*was_paused = v.was_paused;
	ret = write_file(&v, path, how);
	if (!ret && how->keep)
		ret = xl_saving_back(&v);
	xl_saving_close(&v);
	return ret;
}

int xl_save_stopped(struct xl_saving *v, const char *path,
		    const struct xl_save_how *how)
{
	return write_file(v, path, how);
}

/* ---- Reading --------------------------------------------------------------- */

/* UNTRUSTED: four strings, the first a domid. */
static int get_config(struct xl_save_file *f, const char *buf, size_t len)
{
	const char *at = buf, *end = buf + len, *part[4];
	uint64_t domid;

	for (size_t i = 0; i < ARRAY_SIZE(part); i++) {
		const char *nul = memchr(at, '\0', (size_t)(end - at));

		if (!nul)
			return -EINVAL;
		part[i] = at;
		at = nul + 1;
	}
	if (at != end || util_u64(part[0], XL_MAX_DOMID, &domid) || !domid ||
	    part[2][0] != '/')
		return -EINVAL;
	f->saved.domid = (unsigned int)domid;
	f->name = strdup(part[1]);
	f->cwd = strdup(part[2]);
	f->text = strdup(part[3]);
	f->size = len;
	return f->name && f->cwd && f->text ? 0 : -ENOMEM;
}

/* Whether @path is that node of the domain's, or below it; "": any. */
static bool is_at(const char *path, unsigned int domid, const char *name)
{
	char node[64];
	size_t n = (size_t)snprintf(node, sizeof(node), DOM "%s", domid, name);

	return !strncmp(path, node, n) && (!path[n] || path[n] == '/');
}

static bool is_below(const char *path, unsigned int domid)
{
	return is_at(path, domid, "") && !is_at(path, domid, "/console") &&
	       !is_at(path, domid, "/store");
}

/* What says who it is follows from its configuration. */
static bool is_identity(const char *path, unsigned int domid)
{
	return is_at(path, domid, "/name") || is_at(path, domid, "/vm");
}

static bool node_is_sane(const struct xl_save_file *f, const uint8_t *data,
			 size_t len)
{
	struct xl_save_node head;

	if (len < sizeof(head))
		return false;
	memcpy(&head, data, sizeof(head));
	len -= sizeof(head);
	if (head.path < 2 || head.path > PATH_ROOM || head.perms < 1 ||
	    head.perms > MAX_PERMS || head.value > XENSTORE_PAYLOAD_MAX ||
	    head.path + head.perms * sizeof(struct xs_permissions) +
			    head.value !=
		    len)
		return false;
	data += sizeof(head);
	return !data[head.path - 1] &&
	       strlen((const char *)data) == head.path - 1 &&
	       is_below((const char *)data, f->saved.domid);
}

/* "DEPTH PATH TOKEN"; the store judges them. */
static bool watch_is_sane(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data;
	const char *path;

	if (!len || data[len - 1] || strlen(text) != len - 1)
		return false;
	path = strchr(text, ' ');
	return path && strchr(path + 1, ' ') && len < XL_STORE_REPLY;
}

static int add_item(struct xl_save_file *f, bool watch, const uint8_t *data,
		    size_t len)
{
	struct xl_save_item *more;

	if (f->nitems >= MAX_ITEMS ||
	    !(watch ? watch_is_sane(data, len) : node_is_sane(f, data, len)))
		return -EINVAL;
	more = reallocarray(f->items, f->nitems + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	f->items = more;
	more += f->nitems;
	*more = (struct xl_save_item){ watch, len, malloc(len) };
	if (!more->data)
		return -ENOMEM;
	memcpy(more->data, data, len);
	f->nitems++;
	return 0;
}

/* What is the toolstack's; -EINVAL for all else. */
static int get_ours(struct xl_save_file *f, uint32_t type, const uint8_t *buf,
		    size_t len)
{
	if (type == SAVE_CONFIG && !f->text)
		return get_config(f, (const char *)buf, len);
	if (f->text && type == SAVE_NODES)
		return add_item(f, false, buf, len);
	if (f->text && type == SAVE_WATCHES)
		return add_item(f, true, buf, len);
	return -EINVAL;
}

/* The offset where the next record begins is the VMM's to go on from. */
static int get_all(struct xl_save_file *f, int fd, uint8_t *buf)
{
	struct savefile s;
	off_t before = 0;
	uint32_t type = 0;
	size_t len;
	int ret = savefile_open(&s, fd);

	while (!ret) {
		before = lseek(fd, 0, SEEK_CUR);
		f->saved.seq = s.seq;
		if (before < 0)
			return -errno;
		ret = savefile_get(&s, &type, buf, &len);
		if (ret)
			break;
		if (f->text && type == SAVE_VM)
			return lseek(fd, before, SEEK_SET) < 0 ? -errno : 0;
		ret = get_ours(f, type, buf, len);
	}
	return ret;
}

/* ---- Putting back ---------------------------------------------------------- */

static void put_back(struct xl_txn *x, unsigned int domid,
		     const struct xl_save_item *item)
{
	const uint8_t *data = item->data;
	struct xs_permissions perms[MAX_PERMS];
	struct xl_save_node head;
	const char *path;

	memcpy(&head, data, sizeof(head));
	path = (const char *)data + sizeof(head);
	memcpy(perms, path + head.path, head.perms * sizeof(perms[0]));
	data = (const uint8_t *)path + head.path +
	       head.perms * sizeof(perms[0]);
	if (x->err || is_identity(path, domid))
		return;
	if (!xs_write(x->h, x->t, path, data, head.value) ||
	    !xs_set_permissions(x->h, x->t, path, perms, head.perms))
		x->err = -errno;
}

static void fill(struct xl_txn *x, void *arg)
{
	const struct xl_save_file *f = arg;

	for (size_t i = 0; i < f->nitems; i++) {
		if (!f->items[i].watch)
			put_back(x, f->saved.domid, &f->items[i]);
	}
}

static int watch_one(unsigned int domid, const char *text)
{
	char id[16], depth[16], path[PATH_ROOM], reply[XL_STORE_REPLY];
	const char *second = strchr(text, ' '),
		   *third = strchr(second + 1, ' ');

	snprintf(id, sizeof(id), "%u", domid);
	if (second - text >= (ptrdiff_t)sizeof(depth) ||
	    third - second > (ptrdiff_t)sizeof(path))
		return -EINVAL;
	snprintf(depth, sizeof(depth), "%.*s", (int)(second - text), text);
	snprintf(path, sizeof(path), "%.*s", (int)(third - second - 1),
		 second + 1);
	return xl_store_talk(XS_CONTROL,
			     (const char *[]){ "watch", id, depth, path,
					       third + 1, NULL },
			     reply);
}

static int watch(void *arg)
{
	const struct xl_save_file *f = arg;
	int ret = 0;

	for (size_t i = 0; i < f->nitems && !ret; i++) {
		if (f->items[i].watch)
			ret = watch_one(f->saved.domid,
					(const char *)f->items[i].data);
	}
	if (ret)
		log_err("domain '%s': the store refuses one of its watches: %s",
			f->name, strerror(-ret));
	return ret;
}

/* ---- Reading from a peer --------------------------------------------------- */

/* What says whose domain it is: the first record. */
static int get_first(struct xl_save_file *f, int fd, bool (*stop)(void),
		     uint8_t *buf)
{
	uint32_t type = SAVE_END;
	size_t len = 0;
	int ret = savefile_open_peer(&f->peer, fd, stop);

	if (!ret)
		ret = savefile_get(&f->peer, &type, buf, &len);
	if (!ret && type != SAVE_CONFIG)
		ret = -EINVAL;
	return ret ? ret : get_ours(f, type, buf, len);
}

static bool is_for_vmm(uint32_t type)
{
	return type == SAVE_END || (type >= SAVE_VM && type <= SAVE_VCPU) ||
	       type == SAVE_HOST || type == SAVE_PACKED;
}

/* Ours are kept, and the VMM's passed on, until the end. */
static int pass_on(struct xl_save_file *f, struct savefile *vmm, uint8_t *buf)
{
	uint32_t type = 0;
	size_t len;
	int ret = 0;

	while (!ret && type != SAVE_END) {
		ret = savefile_get(&f->peer, &type, buf, &len);
		if (ret) {
			log_err("domain '%s': the stream: %s", f->name,
				savefile_error(ret));
		} else if (is_for_vmm(type)) {
			const struct iovec v = { buf, len };

			ret = savefile_put(vmm, type, &v, 1);
			/* It said why. */
			if (ret && ret != -EPIPE)
				log_err("domain '%s': its VMM: %s", f->name,
					strerror(-ret));
		} else {
			ret = get_ours(f, type, buf, len);
			if (ret)
				log_err("domain '%s': the stream: %s", f->name,
					savefile_error(ret));
		}
	}
	return ret;
}

static int feed(void *arg)
{
	struct xl_save_file *f = arg;
	struct savefile vmm = { .fd = f->vmm };
	uint8_t *buf = malloc(SAVEFILE_MAX);
	int ret;

	/* Ours would keep the VMM's end from being noticed. */
	fd_close(&f->saved.fd);
	ret = buf ? pass_on(f, &vmm, buf) : -ENOMEM;
	free(buf);
	fd_close(&f->vmm);
	return ret;
}

static struct xl_save_file prepare(struct xl_save_file *f)
{
	return (struct xl_save_file){
		.saved = { .fd = -1, .fill = fill, .watch = watch, .arg = f },
		.vmm = -1,
	};
}

int xl_save_open_peer(struct xl_save_file *f, int fd, bool (*stop)(void))
{
	uint8_t *buf = malloc(SAVEFILE_MAX);
	int p[2], ret;

	*f = prepare(f);
	ret = buf ? get_first(f, fd, stop, buf) : -ENOMEM;
	free(buf);
	if (ret) {
		log_err("the stream cannot be received: %s",
			savefile_error(ret));
	} else if (pipe2(p, O_CLOEXEC) < 0) {
		ret = -errno;
		log_err("the stream cannot be received: %s", strerror(-ret));
	} else {
		f->saved.fd = p[0];
		f->saved.feed = feed;
		f->vmm = p[1];
	}
	if (ret)
		xl_save_close(f);
	return ret;
}

/* ---- A file ---------------------------------------------------------------- */

int xl_save_open(struct xl_save_file *f, const char *path)
{
	int ret, fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *buf = malloc(SAVEFILE_MAX);

	*f = prepare(f);
	f->saved.fd = fd;
	ret = fd < 0 ? -errno : buf ? get_all(f, fd, buf) : -ENOMEM;
	free(buf);
	if (!ret)
		return 0;
	if (fd < 0)
		log_err("%s: %s", path, strerror(-ret));
	else
		log_err("%s: cannot be restored: %s", path,
			savefile_error(ret));
	xl_save_close(f);
	return ret;
}

void xl_save_close(struct xl_save_file *f)
{
	for (size_t i = 0; i < f->nitems; i++)
		free(f->items[i].data);
	free(f->items);
	free(f->name);
	free(f->cwd);
	free(f->text);
	fd_close(&f->saved.fd);
	fd_close(&f->vmm);
}
