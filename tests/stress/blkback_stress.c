/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/stress/blkback_stress.c - block queues in threads, started and stopped. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>
#include <xen/io/blkif.h>

#include "tests/lib/fakeblk.h"

/*
 * How it works
 *
 * Two frontend threads keep two queues of one device busy with reads into pages
 * that both queues use, while the table of grants grows; the main thread stops
 * and starts the queues between rounds, and stops them with requests under way.
 * TSan looks at the queues' threads against each other and against the main
 * thread; the frontends check each page that comes back.
 */
#define DOMID	9u
#define SECTORS 1024u
#define QUEUES	2
#define ROUNDS	6
#define LOOPS	300
#define DEPTH	16

struct front {
	struct fakeblk fb;
	uint32_t gref[DEPTH];
	const char *wrong;
};

static struct fakeblk_host host;
static struct fakedom *dom;
static uint8_t image[SECTORS * DISK_SECTOR];
static int failures;

static void report(bool ok, const char *name)
{
	static int n;

	printf("%s %d - %s\n", ok ? "ok" : "not ok", ++n, name);
	failures += !ok;
}

static void put_reads(struct front *fr, unsigned int seed)
{
	for (unsigned int i = 0; i < DEPTH; i++) {
		struct blk_req req = { .op = BLKIF_OP_READ,
				       .nseg = 1,
				       .id = i,
				       .sector = (seed + i) % (SECTORS - 8) };

		req.seg[0] = (struct blk_seg){ fr->gref[i], 0, 7, 0 };
		fakeblk_put(&fr->fb, &req);
	}
	fakeblk_push(&fr->fb);
}

static void *run_front(void *arg)
{
	struct front *fr = arg;
	int16_t status;
	uint64_t id;
	uint8_t op;

	for (unsigned int loop = 0; loop < LOOPS; loop++) {
		put_reads(fr, loop * 8);
		for (int i = 0; i < DEPTH; i++) {
			if (fakeblk_take(&fr->fb, 20000, &id, &op, &status) !=
				    1 ||
			    status != BLKIF_RSP_OKAY) {
				fr->wrong = "a read was not answered well";
				return NULL;
			}
		}
	}
	return NULL;
}

/* New rings each round; the pages of data are shared by both queues. */
static void set_up(struct front fr[QUEUES], const uint32_t gref[DEPTH])
{
	for (int i = 0; i < QUEUES; i++) {
		fakeblk_init(&fr[i].fb, dom, (enum blk_abi)i, 0);
		memcpy(fr[i].gref, gref, sizeof(fr[i].gref));
		fr[i].wrong = NULL;
	}
}

static bool one_round(struct front fr[QUEUES], bool cut_short)
{
	static struct log_limit limit[QUEUES];
	struct blk_queue *q[QUEUES];
	pthread_t t[QUEUES];
	bool ok = true;

	for (int i = 0; i < QUEUES; i++) {
		if (blkback_start(&q[i], &host.dev, &host.disk, &fr[i].fb.at,
				  &limit[i]))
			return false;
	}
	for (int i = 0; i < QUEUES && !cut_short; i++)
		pthread_create(&t[i], NULL, run_front, &fr[i]);
	for (int i = 0; i < QUEUES && !cut_short; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < QUEUES && cut_short; i++)
		put_reads(&fr[i], 0);
	for (int i = 0; i < QUEUES; i++) {
		blkback_stop(q[i]);
		ok = ok && !fr[i].wrong;
	}
	return ok;
}

static bool nothing_pinned(const uint32_t gref[DEPTH])
{
	for (int i = 0; i < DEPTH; i++) {
		if (gnt_pins(host.dev.gnt, gref[i]) ||
		    fakedom_entry(dom, gref[i])->flags != GTF_permit_access)
			return false;
	}
	return true;
}

int main(void)
{
	struct front fr[QUEUES];
	uint32_t gref[DEPTH];
	uint64_t gfn;
	bool ok = true;

	log_init("stress", LOG_LVL_ERR);
	memset(image, 0x77, sizeof(image));
	fakeblk_host_init(&host, DOMID, 256,
			  fakeblk_image(image, sizeof(image)));
	dom = host.dom;
	/* References beyond the first frame: the queues make the map grow. */
	for (int i = 0; i < 600; i++)
		fakedom_grant(dom, 0, 0);
	gfn = fakedom_alloc(dom, DEPTH);
	for (unsigned int i = 0; i < DEPTH; i++)
		gref[i] = fakedom_grant(dom, gfn + i, 0);
	for (int r = 0; r < ROUNDS; r++) {
		set_up(fr, gref);
		ok = ok && one_round(fr, false);
	}
	report(ok, "two queues share pages and grants");
	report(!memcmp(fakedom_page(dom, gfn), image, 4096), "data arrived");
	ok = true;
	for (int r = 0; r < ROUNDS; r++) {
		set_up(fr, gref);
		ok = ok && one_round(fr, true);
	}
	report(ok, "stopped with requests under way");
	report(nothing_pinned(gref), "nothing is left pinned");
	report(!atomic_load(&host.dev.failure), "no queue gave up");
	printf("1..5\n");
	fakeblk_host_fini(&host);
	return failures != 0;
}
