// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/fakeblk.c - one ring of a block frontend, scripted by a test.
#include "tests/lib/fakeblk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <xen/io/blkif.h>

#include "tests/lib/patience.h"

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fakeblk: %s\n", what);
	abort();
}

void fakeblk_host_init(struct fakeblk_host *h, unsigned int domid, size_t pages,
		       int fd)
{
	*h = (struct fakeblk_host){ .dom = NULL };
	fakedom_run_dir();
	h->dom = fakedom_new(domid, pages);
	must(!dom_connect(&h->dev.dom, domid, DOM_ROLE_BACKEND, "vbd/1",
			  false) &&
		     !gnt_new(&h->dev.gnt, h->dev.dom),
	     "domain");
	h->dev.fail_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(h->dev.fail_fd >= 0 && !disk_init(&h->disk, fd), "disk");
}

void fakeblk_host_fini(struct fakeblk_host *h)
{
	for (uint32_t ref = 0; ref < 4096; ref++)
		must(!gnt_pins(h->dev.gnt, ref), "a page is left pinned");
	gnt_free(h->dev.gnt);
	dom_free(h->dev.dom);
	fakedom_free(h->dom);
	close(h->disk.fd);
	close(h->dev.fail_fd);
	fakedom_run_dir_remove();
}

int fakeblk_image(const void *bytes, size_t size)
{
	char path[] = "/tmp/sv-test-disk-XXXXXX";
	int fd = mkstemp(path);

	must(fd >= 0 && write(fd, bytes, size) == (ssize_t)size, "image");
	unlink(path);
	return fd;
}

void fakeblk_restart(struct fakeblk *fb)
{
	void *page[BLK_MAX_PAGES];

	for (unsigned int i = 0; i < fb->at.npages; i++)
		page[i] = fakedom_page(fb->dom, fb->gfn + i);
	must(!ring_front_init(&fb->ring, page, fb->at.npages, fb->layout->slot),
	     "ring");
}

void fakeblk_init(struct fakeblk *fb, struct fakedom *dom, enum blk_abi abi,
		  unsigned int order)
{
	*fb = (struct fakeblk){ .dom = dom, .layout = &blk_layouts[abi] };
	fb->at.abi = abi;
	fb->at.npages = 1u << order;
	fb->gfn = fakedom_alloc(dom, fb->at.npages);
	fakeblk_restart(fb);
	for (unsigned int i = 0; i < fb->at.npages; i++)
		fb->at.gref[i] = fakedom_grant(dom, fb->gfn + i, 0);
	fb->at.port = fakedom_port(dom);
}

void fakeblk_put(struct fakeblk *fb, const struct blk_req *req)
{
	const struct blk_layout *l = fb->layout;
	uint8_t slot[RING_SLOT_MAX] = { 0 };

	memcpy(slot + l->id, &req->id, sizeof(req->id));
	memcpy(slot + l->sector, &req->sector, sizeof(req->sector));
	if (req->indirect) {
		slot[0] = BLKIF_OP_INDIRECT;
		slot[1] = req->op;
		memcpy(slot + 2, &req->nseg, sizeof(req->nseg));
		memcpy(slot + l->grefs, &req->gref, sizeof(req->gref));
	} else {
		slot[0] = req->op;
		slot[1] = (uint8_t)req->nseg;
		if (req->op == BLKIF_OP_DISCARD)
			memcpy(slot + l->rest, &req->nsectors,
			       sizeof(req->nsectors));
		else
			memcpy(slot + l->rest, req->seg, sizeof(req->seg));
	}
	must(!ring_front_put(&fb->ring, slot, l->slot), "ring is full");
}

void fakeblk_push(struct fakeblk *fb)
{
	if (ring_front_push(&fb->ring))
		fakedom_send(fb->dom, fb->at.port);
}

int fakeblk_take(struct fakeblk *fb, int ms, uint64_t *id, uint8_t *op,
		 int16_t *status)
{
	uint8_t rsp[16];
	int ret;

	for (;;) {
		ret = ring_front_take(&fb->ring, rsp, fb->layout->rsp);
		if (ret)
			break;
		if (!ring_front_arm(&fb->ring, 1) &&
		    !fakedom_wait(fb->dom, fb->at.port, ms))
			return 0;
	}
	if (ret > 0) {
		memcpy(id, rsp, sizeof(*id));
		*op = rsp[8];
		memcpy(status, rsp + 10, sizeof(*status));
	}
	return ret;
}

int fakeblk_do(struct fakeblk *fb, const struct blk_req *req)
{
	int16_t status;
	uint64_t id;
	uint8_t op;

	fakeblk_put(fb, req);
	fakeblk_push(fb);
	if (fakeblk_take(fb, PATIENCE_MS, &id, &op, &status) != 1)
		return 1;
	must(id == req->id, "another request's response");
	must(op == req->op, "operation");
	return status;
}
