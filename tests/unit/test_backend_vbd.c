// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_backend_vbd.c - sv-backend and sv-blkback, whole, no guest.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <xen/io/blkif.h>
#include <xenstore.h>

#include "base/paths.h"
#include "tests/lib/fakevbd.h"
#include "tests/lib/fini.h"
#include "tests/lib/patience.h"
#include "tests/lib/proc.h"
#include "tests/lib/slowfile.h"

#define DOMID	3u
#define SECTORS 16384u /* 8 MiB */
#define PAGES	2048u

static struct stack s;
static struct fakevbd vbd;
static char image[64];
static uint8_t shadow[SECTORS * DISK_SECTOR];

/* The device of another domain, from now on. */
static void attach(unsigned int domid, const char *params, const char *mode)
{
	fakevbd_init(&vbd, &s, domid);
	fakevbd_attach(&vbd, params, mode);
}

static void make_image(void)
{
	int fd;

	snprintf(image, sizeof(image), "/tmp/sv-test-img-XXXXXX");
	fd = mkstemp(image);
	for (size_t i = 0; i < sizeof(shadow); i++)
		shadow[i] = (uint8_t)rand();
	cr_assert_eq(write(fd, shadow, sizeof(shadow)),
		     (ssize_t)sizeof(shadow));
	close(fd);
}

static void set_up(void)
{
	stack_start(&s, true);
	make_image();
}

static void tear_down(void)
{
	unlink(image);
	FINI_CHECK(stack_stop(&s));
}

TestSuite(backend_vbd, .init = set_up, .fini = tear_down, .timeout = 300);

/* ---- a frontend -------------------------------------------------------- */

/* Attach, then connect as a frontend. */
static void bring_up(struct fakedom *dom, enum blk_abi abi, unsigned int order,
		     unsigned int nqueues)
{
	fakevbd_init(&vbd, &s, DOMID);
	cr_assert(fakevbd_bring_up(&vbd, dom, image, abi, order, nqueues));
}

#define BATCH	 16u
#define MAX_SEGS 40u /* so that many requests are indirect */

/* One request of the random test, with the pages that it uses. */
struct job {
	struct blk_req req;
	uint64_t gfn;
	uint32_t gref[MAX_SEGS];
	struct blk_seg *list; /* its indirect page */
	uint32_t list_gref;
	struct blk_seg seg[MAX_SEGS];
	unsigned int nsect;
};

static void job_init(struct job *j, struct fakedom *dom)
{
	uint64_t list = fakedom_alloc(dom, 1);

	j->gfn = fakedom_alloc(dom, MAX_SEGS);
	for (unsigned int i = 0; i < MAX_SEGS; i++)
		j->gref[i] = fakedom_grant(dom, j->gfn + i, 0);
	j->list = fakedom_page(dom, list);
	j->list_gref = fakedom_grant(dom, list, 0);
}

static uint8_t *job_bytes(struct job *j, struct fakedom *dom, unsigned int i)
{
	return (uint8_t *)fakedom_page(dom, j->gfn + i) +
	       j->seg[i].first * DISK_SECTOR;
}

static size_t seg_size(const struct blk_seg *seg)
{
	return (seg->last - seg->first + 1u) * (size_t)DISK_SECTOR;
}

/* Choose segments: mostly whole pages, as a kernel does, some odd. */
static void job_segs(struct job *j, unsigned int n)
{
	j->nsect = 0;
	for (unsigned int i = 0; i < n; i++) {
		unsigned int first = rand() % 4 ? 0 : (unsigned int)rand() % 8;
		unsigned int last =
			rand() % 4 ? 7
				   : first + (unsigned int)rand() % (8 - first);

		j->seg[i] = (struct blk_seg){ j->gref[i], (uint8_t)first,
					      (uint8_t)last, 0 };
		j->nsect += last - first + 1;
	}
}

/* Make a random request within [@from, @from + @room) sectors of the disk. */
static void job_make(struct job *j, struct fakedom *dom, unsigned int from,
		     unsigned int room, uint64_t id)
{
	bool write = rand() % 2;
	unsigned int n = 1 + (unsigned int)rand() % MAX_SEGS;
	uint8_t *to;

	job_segs(j, n);
	j->req = (struct blk_req){
		.op = write ? BLKIF_OP_WRITE : BLKIF_OP_READ,
		.indirect = n > BLK_SLOT_SEGS || rand() % 3 == 0,
		.nseg = (uint16_t)n,
		.id = id,
		.sector = from + (unsigned int)rand() % (room - j->nsect + 1)
	};
	if (j->req.indirect) {
		memcpy(j->list, j->seg, n * sizeof(j->seg[0]));
		j->req.gref = j->list_gref;
	} else {
		memcpy(j->req.seg, j->seg, n * sizeof(j->seg[0]));
	}
	to = shadow + j->req.sector * DISK_SECTOR;
	for (unsigned int i = 0; i < n; i++) {
		uint8_t *at = job_bytes(j, dom, i);

		for (size_t b = 0; b < seg_size(&j->seg[i]); b += 4)
			*(int *)(void *)(at + b) = rand();
		if (write)
			memcpy(to, at, seg_size(&j->seg[i]));
		to += seg_size(&j->seg[i]);
	}
}

static void job_verify(struct job *j, struct fakedom *dom)
{
	const uint8_t *from = shadow + j->req.sector * DISK_SECTOR;

	for (unsigned int i = 0; i < j->req.nseg; i++) {
		cr_assert_eq(memcmp(job_bytes(j, dom, i), from,
				    seg_size(&j->seg[i])),
			     0, "sector %lu, segment %u", j->req.sector, i);
		from += seg_size(&j->seg[i]);
	}
}

/* Rounds of requests side by side on all queues, each in its own area. */
static void random_io(int rounds)
{
	static struct job jobs[BATCH];
	static bool made;
	uint64_t id;
	int16_t status;
	uint8_t op;

	for (unsigned int i = 0; i < BATCH && !made; i++)
		job_init(&jobs[i], vbd.dom);
	made = true;
	for (int r = 0; r < rounds; r++) {
		for (unsigned int i = 0; i < BATCH; i++) {
			job_make(&jobs[i], vbd.dom, i * (SECTORS / BATCH),
				 SECTORS / BATCH, i);
			fakeblk_put(&vbd.q[i % vbd.nqueues], &jobs[i].req);
		}
		for (unsigned int k = 0; k < vbd.nqueues; k++)
			fakeblk_push(&vbd.q[k]);
		for (unsigned int i = 0; i < BATCH; i++) {
			cr_assert_eq(fakeblk_take(&vbd.q[i % vbd.nqueues],
						  PATIENCE_MS, &id, &op,
						  &status),
				     1);
			cr_assert_eq(status, BLKIF_RSP_OKAY);
			cr_assert_lt(id, BATCH);
			job_verify(&jobs[id], vbd.dom);
		}
	}
}

static void check_image(void)
{
	static uint8_t now[sizeof(shadow)];
	int fd = open(image, O_RDONLY);

	cr_assert_eq(read(fd, now, sizeof(now)), (ssize_t)sizeof(now));
	cr_expect_eq(memcmp(now, shadow, sizeof(now)), 0);
	close(fd);
}

/* ---- data -------------------------------------------------------------- */

struct shape {
	enum blk_abi abi;
	unsigned int order, nqueues;
};

ParameterizedTestParameters(backend_vbd, verified_io)
{
	static struct shape t[] = {
		{ BLK_ABI_X86_64, 0, 1 }, { BLK_ABI_X86_32, 0, 1 },
		{ BLK_ABI_X86_64, 4, 2 }, { BLK_ABI_X86_32, 3, 2 },
		{ BLK_ABI_X86_64, 1, 1 },
	};

	return cr_make_param_array(struct shape, t, ARRAY_SIZE(t));
}

ParameterizedTest(struct shape *t, backend_vbd, verified_io)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	struct blk_req flush = { .op = BLKIF_OP_FLUSH_DISKCACHE, .id = 1 };
	struct blk_req discard = { .op = BLKIF_OP_DISCARD,
				   .sector = 1024,
				   .nsectors = 2048 };

	bring_up(dom, t->abi, t->order, t->nqueues);
	cr_expect(stack_wait(&s, 0, "16384", "%s/sectors", vbd.be));
	cr_expect(stack_wait(&s, 0, "512", "%s/sector-size", vbd.be));
	cr_expect(stack_wait(&s, 0, "0", "%s/info", vbd.be));
	cr_expect(stack_wait(&s, 0, "connected", "%s/hotplug-status", vbd.be));
	cr_expect(stack_wait(&s, 0, "1", "%s/feature-flush-cache", vbd.be));
	cr_expect(stack_wait(&s, 0, "1", "%s/feature-barrier", vbd.be));
	cr_expect(stack_wait(&s, 0, "1", "%s/feature-discard", vbd.be));
	random_io(100);
	cr_expect_eq(fakeblk_do(&vbd.q[0], &flush), BLKIF_RSP_OKAY);
	check_image();
	cr_expect_eq(fakeblk_do(&vbd.q[0], &discard), BLKIF_RSP_OKAY);
	memset(shadow + 1024 * DISK_SECTOR, 0, 2048 * DISK_SECTOR);
	random_io(20);
	check_image();
	fakedom_free(dom);
	cr_expect(stack_wait_workers(&s, 0));
}

/*
 * Access modes of what a process has open by the name @path, as bits, and the
 * flags of the last one that can do the most.
 */
static unsigned int modes_of(pid_t pid, const char *path, unsigned int *most)
{
	char name[64], to[256], line[64];
	unsigned int modes = 0;
	ssize_t n;

	*most = 0;
	for (int fd = 0; fd < 256; fd++) {
		unsigned int flags;
		FILE *info;

		snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)pid, fd);
		n = readlink(name, to, sizeof(to) - 1);
		to[n > 0 ? n : 0] = '\0';
		if (strcmp(to, path) != 0)
			continue;
		snprintf(name, sizeof(name), "/proc/%d/fdinfo/%d", (int)pid,
			 fd);
		info = fopen(name, "r");
		cr_assert(info);
		while (fgets(line, sizeof(line), info))
			if (sscanf(line, "flags: %o", &flags) == 1) {
				modes |= 1u << (flags & O_ACCMODE);
				if ((flags & O_ACCMODE) >= (*most & O_ACCMODE))
					*most = flags;
			}
		fclose(info);
	}
	return modes;
}

/* XSA-142, XSA-266: read-only is so down to the descriptor. */
Test(backend_vbd, read_only)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	struct blk_req req = { .op = BLKIF_OP_WRITE, .nseg = 1 };
	unsigned int flags;
	pid_t pid = 0;

	/* The file's own mode would allow more. */
	attach(DOMID, image, "r");
	cr_assert(stack_wait(&s, 5000, "2", "%s/state", vbd.be));
	cr_expect(stack_wait(&s, 0, "0", "%s/feature-discard", vbd.be));
	cr_expect(stack_wait(&s, 0, "0", "%s/feature-barrier", vbd.be));
	fakevbd_offer(&vbd, dom, BLK_ABI_X86_64, 0, 1);
	cr_assert(fakevbd_join(&vbd));
	cr_expect(stack_wait(&s, 0, "4", "%s/info", vbd.be));
	cr_assert_eq(stack_workers(&s, &pid), 1);
	cr_expect_eq(modes_of(pid, image, &flags), 1u << O_RDONLY);
	cr_expect_eq(modes_of(s.backend, image, &flags) & ~(1u << O_RDONLY), 0);
	req.seg[0] =
		(struct blk_seg){ fakedom_grant(dom, fakedom_alloc(dom, 1), 0),
				  0, 7, 0 };
	cr_expect_eq(fakeblk_do(&vbd.q[0], &req), BLKIF_RSP_ERROR);
	req = (struct blk_req){ .op = BLKIF_OP_DISCARD, .nsectors = 8 };
	cr_expect_eq(fakeblk_do(&vbd.q[0], &req), BLKIF_RSP_ERROR);
	check_image();
	fakedom_free(dom);
}

/* Names of all files that a process has open, one a line. */
static void files_of(pid_t pid, char *text, size_t size)
{
	char name[64], to[256];
	size_t at = 0;
	ssize_t n;

	text[0] = '\0';
	for (int fd = 0; fd < 256; fd++) {
		snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)pid, fd);
		n = readlink(name, to, sizeof(to) - 1);
		to[n > 0 ? n : 0] = '\0';
		if (to[0] != '/' || !strncmp(to, "/memfd:", 7))
			continue;
		at += (size_t)snprintf(text + at, size - at, "%s\n", to);
		cr_assert_lt(at, size);
	}
}

/* XSA-48, XSA-258: what a guest writes to its disk names no file of ours. */
Test(backend_vbd, formats_are_not_guessed)
{
	static const struct {
		char bytes[56];
		size_t len;
	} magic[] = {
#define MAGIC(text) { text, sizeof(text) - 1 }
		MAGIC("QFI\xfb\0\0\0\3\0\0\0\0\0\0\0\x68\0\0\0\x0b"
		      "/etc/shadow"),
		MAGIC("KDMV\1\0\0\0"),
		MAGIC("# Disk DescriptorFile\nRW 1 FLAT \"/etc/shadow\" 0\n"),
		MAGIC("conectix\0\0\0\2"),
		MAGIC("vhdxfile"),
		MAGIC("LUKS\xba\xbe\0\1"),
		MAGIC("json:{\"driver\":\"file\",\"filename\":\"/etc/shadow\"}"),
#undef MAGIC
	};
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	static char before[4096], after[4096];
	struct blk_req req = { .nseg = 1 };
	pid_t pid;

	attach(DOMID, image, "w");
	for (size_t i = 0; i < ARRAY_SIZE(magic); i++) {
		uint64_t gfn = fakedom_alloc(dom, 1);

		/* The guest starts, and has what it wrote before that. */
		cr_assert(stack_wait(&s, 5000, "2", "%s/state", vbd.be));
		fakevbd_offer(&vbd, dom, BLK_ABI_X86_64, 0, 1);
		cr_assert(fakevbd_join(&vbd));
		check_image();
		cr_assert_eq(stack_workers(&s, &pid), 1);
		files_of(pid, after, sizeof(after));
		cr_expect(strstr(after, image), "%s", after);
		if (i)
			cr_expect_str_eq(after, before);
		memcpy(before, after, sizeof(before));

		memcpy(shadow, magic[i].bytes, magic[i].len);
		memcpy(fakedom_page(dom, gfn), shadow, 4096);
		req.op = BLKIF_OP_WRITE;
		req.seg[0] =
			(struct blk_seg){ fakedom_grant(dom, gfn, 0), 0, 7, 0 };
		cr_expect_eq(fakeblk_do(&vbd.q[0], &req), BLKIF_RSP_OKAY);
		memset(fakedom_page(dom, gfn), 0, 4096);
		req.op = BLKIF_OP_READ;
		cr_expect_eq(fakeblk_do(&vbd.q[0], &req), BLKIF_RSP_OKAY);
		cr_expect_eq(memcmp(fakedom_page(dom, gfn), shadow, 4096), 0);
		cr_assert(fakevbd_step(&vbd, "5", "5"));
		cr_assert(fakevbd_step(&vbd, "6", "6"));
		stack_write(&s, "1", "%s/state", vbd.fe);
	}
	fakedom_free(dom);
}

static void expect_refused(unsigned int domid, const char *params,
			   const char *mode, const char *word)
{
	char *err = NULL;

	attach(domid, params, mode);
	cr_expect(stack_wait(&s, 5000, "error", "%s/hotplug-status", vbd.be),
		  "%s", params);
	cr_assert_eq(store_read(s.store, &err, "%s/hotplug-error", vbd.be), 0);
	cr_log_info("%s", err);
	cr_expect_not_null(strstr(err, word), "%s: %s", params, err);
	cr_expect_not_null(strstr(err, params), "%s: %s", params, err);
	cr_expect_null(strchr(err, '\n'));
	cr_expect(stack_wait(&s, 0, "1", "%s/state", vbd.be));
	cr_expect(stack_wait_workers(&s, 0));
	free(err);
	fakevbd_remove(&vbd);
}

/* Make a loop device of the image; false where the host has none to give. */
static bool loop_device(char *path, size_t size, const char *options)
{
	char command[128];
	FILE *out;

	snprintf(command, sizeof(command), "losetup -f --show %s %s", options,
		 image);
	out = popen(command, "r");
	cr_assert(out);
	if (!fgets(path, (int)size, out))
		path[0] = '\0';
	path[strcspn(path, "\n")] = '\0';
	return pclose(out) == 0 && path[0];
}

/*
 * What was written by the device's page cache is in the file then: the kernel may
 * keep the device open for a while, for the sake of an io_uring that has ended.
 */
static void loop_end(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char command[128];

	cr_expect_geq(fd, 0);
	cr_expect_eq(fsync(fd), 0);
	close(fd);
	snprintf(command, sizeof(command), "losetup -d %s", path);
	cr_expect_eq(system(command), 0);
}

/* What sysfs says of @loop is what the guest sees. */
static void check_granularity(const char *loop)
{
	char path[96], text[24] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/%s/queue/discard_granularity",
		 loop + strlen("/dev/"));
	f = fopen(path, "r");
	cr_assert(f && fscanf(f, "%23s", text) == 1);
	fclose(f);
	cr_expect(stack_wait(&s, 0, text, "%s/discard-granularity", vbd.be));
	cr_expect(stack_wait(&s, 0, "0", "%s/discard-alignment", vbd.be));
	cr_expect(stack_wait(&s, 0, "0", "%s/discard-secure", vbd.be));
}

Test(backend_vbd, block_device)
{
	struct blk_req discard = { .op = BLKIF_OP_DISCARD,
				   .sector = 4096,
				   .nsectors = 1024 };
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	char loop[64], file[64], dev[16];
	struct stat st;
	int fd;

	if (!loop_device(loop, sizeof(loop), ""))
		cr_skip_test("no loop device to be had");
	cr_assert_eq(stat(loop, &st), 0);
	strcpy(file, image);
	strcpy(image, loop);
	bring_up(dom, BLK_ABI_X86_64, 0, 2);
	strcpy(image, file);
	snprintf(dev, sizeof(dev), "%x:%x", major(st.st_rdev),
		 minor(st.st_rdev));
	cr_expect(stack_wait(&s, 0, dev, "%s/physical-device", vbd.be));
	check_granularity(loop);
	cr_expect(stack_wait(&s, 0, "16384", "%s/sectors", vbd.be));
	random_io(20);
	cr_expect_eq(fakeblk_do(&vbd.q[0], &discard), BLKIF_RSP_OKAY);
	memset(shadow + 4096 * DISK_SECTOR, 0, 1024 * DISK_SECTOR);
	random_io(20);
	/* The host may not use it meanwhile, nor we what the host uses. */
	fd = open(loop, O_RDWR | O_EXCL);
	cr_expect(fd < 0 && errno == EBUSY);
	fakedom_free(dom);
	cr_expect(stack_wait_workers(&s, 0));
	fakevbd_remove(&vbd);
	/* The parent has reaped; now it closes. */
	cr_expect(SOON((fd = open(loop, O_RDWR | O_EXCL)) >= 0),
		  "the device is free again");
	expect_refused(DOMID, loop, "w", "unmount");
	close(fd);
	loop_end(loop);
	check_image();
}

/* A transfer of @n sectors by one segment; Return: its status. */
static int transfer(struct fakedom *dom, uint8_t op, uint64_t sector,
		    unsigned int n)
{
	static uint32_t gref;
	struct blk_req req = { .op = op, .nseg = 1, .sector = sector };

	if (!gref)
		gref = fakedom_grant(dom, fakedom_alloc(dom, 1), 0);
	req.seg[0] = (struct blk_seg){ gref, 0, (uint8_t)(n - 1), 0 };
	return fakeblk_do(&vbd.q[0], &req);
}

static int read_sectors(struct fakedom *dom, uint64_t sector, unsigned int n)
{
	return transfer(dom, BLKIF_OP_READ, sector, n);
}

static int write_sectors(struct fakedom *dom, uint64_t sector, unsigned int n)
{
	return transfer(dom, BLKIF_OP_WRITE, sector, n);
}

/* The toolstack chooses; what a crashed worker said, the next one says too. */
Test(backend_vbd, large_sectors)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	struct blk_req discard = { .op = BLKIF_OP_DISCARD,
				   .sector = 4,
				   .nsectors = 8 };
	pid_t pid = 0;

	fakevbd_init(&vbd, &s, DOMID);
	stack_write(&s, "4096", "%s/sector-size", vbd.be);
	stack_write(&s, "8192", "%s/physical-sector-size", vbd.be);
	cr_assert(fakevbd_bring_up(&vbd, dom, image, BLK_ABI_X86_64, 0, 1));
	for (int i = 0; i < 2; i++) {
		cr_expect(stack_wait(&s, 0, "16384", "%s/sectors", vbd.be));
		cr_expect(stack_wait(&s, 0, "4096", "%s/sector-size", vbd.be));
		cr_expect(stack_wait(&s, 0, "8192", "%s/physical-sector-size",
				     vbd.be));
		cr_expect_eq(read_sectors(dom, 8, 8), BLKIF_RSP_OKAY);
		cr_expect_eq(read_sectors(dom, 4, 8), BLKIF_RSP_ERROR);
		cr_expect_eq(read_sectors(dom, 8, 4), BLKIF_RSP_ERROR);
		cr_expect_eq(fakeblk_do(&vbd.q[0], &discard), BLKIF_RSP_ERROR);
		cr_assert_eq(stack_workers(&s, &pid), 1);
		if (i)
			break;
		kill(pid, SIGKILL);
	}
	check_image();
	/* Half a sector at the end is none. */
	cr_assert_eq(truncate(image, sizeof(shadow) + 4096 + 512), 0);
	cr_expect(stack_wait(&s, 5000, "16392", "%s/sectors", vbd.be));
	fakedom_free(dom);
}

/* discard-enable=0 hides it, and what is hidden is refused. */
Test(backend_vbd, discard_switched_off)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	struct blk_req req = { .op = BLKIF_OP_DISCARD, .nsectors = 8 };

	fakevbd_init(&vbd, &s, DOMID);
	stack_write(&s, "0", "%s/discard-enable", vbd.be);
	cr_assert(fakevbd_bring_up(&vbd, dom, image, BLK_ABI_X86_64, 0, 1));
	cr_expect(stack_wait(&s, 0, "0", "%s/feature-discard", vbd.be));
	cr_expect(!store_exists(s.store, "%s/discard-granularity", vbd.be));
	cr_expect_eq(fakeblk_do(&vbd.q[0], &req), BLKIF_RSP_EOPNOTSUPP);
	check_image();
	fakedom_free(dom);
}

/* Resize the image; the frontend hears of it, by the state that stays. */
static void resize(struct xs_handle *xs, off_t bytes)
{
	struct pollfd p = { .fd = xs_fileno(xs), .events = POLLIN };
	char sectors[24], **event;

	while ((event = xs_check_watch(xs)))
		free(event);
	cr_assert_eq(truncate(image, bytes), 0);
	snprintf(sectors, sizeof(sectors), "%ld", (long)bytes / DISK_SECTOR);
	cr_expect(stack_wait(&s, 5000, sectors, "%s/sectors", vbd.be));
	cr_expect_eq(poll(&p, 1, PATIENCE_MS), 1, "the state was not written");
	cr_expect(stack_wait(&s, 0, "4", "%s/state", vbd.be));
}

/* Requests are judged by the size that the disk has, while it is served. */
Test(backend_vbd, resized)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	struct xs_handle *xs = xs_open(0);
	struct stat st;
	char path[160];

	bring_up(dom, BLK_ABI_X86_64, 0, 1);
	snprintf(path, sizeof(path), "%s/state", vbd.be);
	cr_assert(xs && xs_watch(xs, path, "state"));
	cr_expect_eq(read_sectors(dom, SECTORS, 8), BLKIF_RSP_ERROR);
	resize(xs, 2 * (off_t)sizeof(shadow));
	cr_expect_eq(read_sectors(dom, 2 * SECTORS - 8, 8), BLKIF_RSP_OKAY);
	cr_expect_eq(read_sectors(dom, 2 * SECTORS - 7, 8), BLKIF_RSP_ERROR);
	resize(xs, (off_t)sizeof(shadow));
	random_io(5);
	check_image();
	/* A smaller one: nothing is written behind its end, which would undo it. */
	resize(xs, 4096);
	cr_expect_eq(read_sectors(dom, 0, 8), BLKIF_RSP_OKAY);
	cr_expect_eq(write_sectors(dom, 8, 8), BLKIF_RSP_ERROR);
	cr_expect_eq(read_sectors(dom, 1, 8), BLKIF_RSP_ERROR);
	resize(xs, 0);
	cr_expect_eq(write_sectors(dom, 0, 1), BLKIF_RSP_ERROR);
	cr_assert_eq(stat(image, &st), 0);
	cr_expect_eq(st.st_size, 0);
	/* What is no whole sector does not count. */
	cr_assert_eq(truncate(image, 1023), 0);
	cr_expect(stack_wait(&s, 5000, "1", "%s/sectors", vbd.be));
	cr_expect_eq(write_sectors(dom, 0, 1), BLKIF_RSP_OKAY);
	/* One who connects later finds the size of then. */
	cr_assert(fakevbd_step(&vbd, "6", "6"));
	cr_assert_eq(truncate(image, 8192), 0);
	cr_assert(fakevbd_reconnect(&vbd));
	cr_expect(stack_wait(&s, 5000, "16", "%s/sectors", vbd.be));
	xs_close(xs);
	fakedom_free(dom);
}

static void ask_to_detach(void)
{
	stack_write(&s, "5", "%s/state", vbd.be);
	stack_write(&s, "0", "%s/online", vbd.be);
}

/* ---- limits -------------------------------------------------------------- */

#define MS UINT64_C(1000000)

/* Puts @n reads; returns the time at which none was there yet. */
static uint64_t put_reads(struct fakedom *dom, unsigned int n)
{
	struct blk_req req = { .op = BLKIF_OP_READ, .nseg = 1 };
	uint64_t began = util_clock_ns();

	req.seg[0] =
		(struct blk_seg){ fakedom_grant(dom, fakedom_alloc(dom, 1), 0),
				  0, 7, 0 };
	for (req.id = 0; req.id < n; req.id++)
		fakeblk_put(&vbd.q[0], &req);
	fakeblk_push(&vbd.q[0]);
	return began;
}

/* Ns since @began until @n requests are answered. */
static uint64_t time_of_answers(unsigned int n, uint64_t began)
{
	uint64_t id;
	int16_t status;
	uint8_t op;

	while (n--) {
		cr_assert_eq(fakeblk_take(&vbd.q[0], PATIENCE_MS, &id, &op,
					  &status),
			     1);
		cr_assert_eq(status, BLKIF_RSP_OKAY);
	}
	return util_clock_ns() - began;
}

static bool wait_log(const char *what)
{
	return SOON(stack_logged(what));
}

/* Ns of a CPU that a process has had. */
static uint64_t cpu_time(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	cr_assert_eq(clock_getcpuclockid(pid, &clock), 0);
	cr_assert_eq(clock_gettime(clock, &ts), 0);
	return (uint64_t)ts.tv_sec * 1000 * MS + (uint64_t)ts.tv_nsec;
}

/* No faster than allowed, nobody spins, and the operator may think again. */
Test(backend_vbd, limits)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	uint64_t before, began, took;
	pid_t pid = 0;

	fakevbd_init(&vbd, &s, DOMID);
	stack_write(&s, "40", "%s/limit-iops", vbd.be);
	stack_write(&s, "2", "%s/limit-iops-burst", vbd.be);
	cr_assert(fakevbd_bring_up(&vbd, dom, image, BLK_ABI_X86_64, 0, 1));
	cr_assert_eq(stack_workers(&s, &pid), 1);
	before = cpu_time(pid);
	began = put_reads(dom, 32);
	for (int i = 0; i < 1000; i++)
		fakedom_send(dom, vbd.q[0].at.port);
	took = time_of_answers(32, began);
	cr_expect_geq(took, 29 * 25 * MS);
	cr_expect_lt(cpu_time(pid) - before, took / 2);
	stack_write(&s, "0", "%s/limit-iops", vbd.be);
	stack_write(&s, "40960", "%s/limit-bps", vbd.be);
	stack_write(&s, "4096", "%s/limit-bps-burst", vbd.be);
	cr_assert(wait_log("40960 bytes/s (4096"));
	began = put_reads(dom, 8);
	cr_expect_geq(time_of_answers(8, began), 6 * 100 * MS);
	/* A number that is none changes nothing. */
	stack_write(&s, "-1", "%s/limit-bps", vbd.be);
	cr_assert(wait_log("limit-bps: "));
	began = put_reads(dom, 8);
	cr_expect_geq(time_of_answers(8, began), 6 * 100 * MS);
	/* One who waits for days is free within a second. */
	stack_write(&s, "1", "%s/limit-bps", vbd.be);
	cr_assert(wait_log(", 1 bytes/s"));
	(void)put_reads(dom, 8);
	usleep(100000);
	began = util_clock_ns();
	stack_write(&s, "0", "%s/limit-bps", vbd.be);
	cr_expect_lt(time_of_answers(8, began), PATIENCE_NS);
	random_io(5);
	check_image();
	fakedom_free(dom);
}

/* Who waits for its turn ends at once when the device does. */
Test(backend_vbd, limits_and_detach)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	uint64_t began;

	fakevbd_init(&vbd, &s, DOMID);
	stack_write(&s, "1", "%s/limit-bps", vbd.be);
	cr_assert(fakevbd_bring_up(&vbd, dom, image, BLK_ABI_X86_64, 0, 1));
	(void)time_of_answers(1, put_reads(dom, 32));
	began = util_clock_ns();
	ask_to_detach();
	cr_expect(fakevbd_step(&vbd, "6", "6"));
	cr_expect(stack_wait_workers(&s, 0));
	cr_expect_lt(util_clock_ns() - began, PATIENCE_NS);
	fakedom_free(dom);
}

/* A device says itself what its sectors are; less goes by the page cache. */
Test(backend_vbd, device_of_large_sectors)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	char loop[64], file[64];

	if (!loop_device(loop, sizeof(loop), "-b 4096"))
		cr_skip_test("no loop device to be had");
	strcpy(file, image);
	strcpy(image, loop);
	bring_up(dom, BLK_ABI_X86_64, 0, 1);
	cr_expect(stack_wait(&s, 0, "16384", "%s/sectors", vbd.be));
	cr_expect(stack_wait(&s, 0, "4096", "%s/sector-size", vbd.be));
	cr_expect_eq(read_sectors(dom, 8, 8), BLKIF_RSP_OKAY);
	cr_expect_eq(read_sectors(dom, 8, 1), BLKIF_RSP_ERROR);
	fakedom_free(dom);
	cr_expect(stack_wait_workers(&s, 0));
	fakevbd_remove(&vbd);

	dom = fakedom_new(DOMID, PAGES);
	stack_write(&s, "512", "%s/sector-size", vbd.be);
	stack_write(&s, "1", "%s/direct-io", vbd.be);
	expect_refused(DOMID, loop, "w", "direct-io");
	stack_write(&s, "512", "%s/sector-size", vbd.be);
	bring_up(dom, BLK_ABI_X86_64, 0, 1);
	cr_expect(stack_wait(&s, 0, "512", "%s/sector-size", vbd.be));
	random_io(5);
	fakedom_free(dom);
	cr_expect(stack_wait_workers(&s, 0));
	strcpy(image, file);
	loop_end(loop);
	check_image();
}

/* Flags of the image in the worker, with key direct-io as @value or none. */
static unsigned int flags_with(const char *value)
{
	unsigned int flags = 0;
	pid_t pid = 0;

	fakevbd_init(&vbd, &s, DOMID);
	if (value)
		stack_write(&s, value, "%s/direct-io", vbd.be);
	fakevbd_attach(&vbd, image, "w");
	cr_assert(stack_wait(&s, 5000, "2", "%s/state", vbd.be));
	cr_assert_eq(stack_workers(&s, &pid), 1);
	/* One for the data, one to hear of errors by. */
	cr_expect_eq(modes_of(pid, image, &flags),
		     1u << O_RDWR | 1u << O_RDONLY);
	fakevbd_remove(&vbd);
	cr_expect(stack_wait_workers(&s, 0));
	return flags;
}

Test(backend_vbd, page_cache)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	unsigned int direct = flags_with(NULL) & O_DIRECT;

	cr_expect_eq(flags_with("0") & O_DIRECT, 0);
	if (direct)
		cr_expect(flags_with("1") & O_DIRECT);
	stack_write(&s, "2", "%s/direct-io", vbd.be);
	attach(DOMID, image, "w");
	cr_expect(stack_wait(&s, 5000, "error", "%s/hotplug-status", vbd.be));
	fakedom_free(dom);
}

/* Nobody writes to a CD-ROM, whatever the mode. */
Test(backend_vbd, cdrom)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);

	fakevbd_init(&vbd, &s, DOMID);
	fakevbd_attach_type(&vbd, image, "w", "cdrom");
	cr_assert(stack_wait(&s, 5000, "2", "%s/state", vbd.be));
	fakevbd_offer(&vbd, dom, BLK_ABI_X86_64, 0, 1);
	cr_assert(fakevbd_join(&vbd));
	cr_expect(stack_wait(&s, 0, "7", "%s/info", vbd.be));
	cr_expect_eq(read_sectors(dom, 0, 8), BLKIF_RSP_OKAY);
	cr_expect_eq(write_sectors(dom, 0, 8), BLKIF_RSP_ERROR);
	check_image();
	fakedom_free(dom);
}

/* ---- life -------------------------------------------------------------- */

/* Reboot, kexec and module reload: the frontend goes round, online stays 1. */
Test(backend_vbd, reconnect_cycles)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);

	bring_up(dom, BLK_ABI_X86_64, 0, 1);
	for (int i = 0; i < 10; i++) {
		random_io(2);
		stack_write(&s, "5", "%s/state", vbd.fe);
		cr_assert(stack_wait(&s, 5000, "5", "%s/state", vbd.be));
		random_io(1); /* Closing is not yet closed */
		stack_write(&s, "6", "%s/state", vbd.fe);
		cr_assert(stack_wait(&s, 5000, "6", "%s/state", vbd.be));
		cr_expect(!fakedom_bound(dom, vbd.q[0].at.port));
		stack_write(&s, "1", "%s/state", vbd.fe);
		cr_assert(stack_wait(&s, 5000, "2", "%s/state", vbd.be));
		fakevbd_offer(&vbd, dom,
			      i % 2 ? BLK_ABI_X86_64 : BLK_ABI_X86_32, 0, 1);
		cr_assert(fakevbd_join(&vbd));
	}
	random_io(2);
	check_image();
	cr_expect_eq(stack_workers(&s, NULL), 1);
	fakedom_free(dom);
}

/*
 * A boot loader's driver has the disk before the kernel's.  GRUB's (xendisk.c) stays
 * Initialised while it reads, goes to Closed without Closing, and empties its keys.
 */
Test(backend_vbd, boot_loader_before_the_kernel)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);

	fakevbd_init(&vbd, &s, DOMID);
	fakevbd_attach(&vbd, image, "w");
	cr_assert(stack_wait(&s, 5000, "2", "%s/state", vbd.be));
	for (int i = 0; i < 3; i++) {
		fakevbd_offer(&vbd, dom, BLK_ABI_X86_32, 0, 1);
		cr_assert(stack_wait(&s, 5000, "4", "%s/state", vbd.be));
		cr_expect(stack_wait(&s, 0, "16384", "%s/sectors", vbd.be));
		random_io(2);
		cr_assert(fakevbd_step(&vbd, "6", "6"));
		stack_write(&s, "", "%s/ring-ref", vbd.fe);
		stack_write(&s, "", "%s/event-channel", vbd.fe);
		cr_expect(!fakedom_bound(dom, vbd.q[0].at.port));
		cr_assert(fakevbd_step(&vbd, "1", "2"));
		fakevbd_offer(&vbd, dom, BLK_ABI_X86_64, 0, 1);
		cr_assert(fakevbd_join(&vbd));
		random_io(2);
		cr_assert(fakevbd_step(&vbd, "5", "5"));
		cr_assert(fakevbd_step(&vbd, "6", "6"));
		cr_assert(fakevbd_step(&vbd, "1", "2"));
	}
	check_image();
	fakedom_free(dom);
}

Test(backend_vbd, detach_connected)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);

	bring_up(dom, BLK_ABI_X86_64, 0, 1);
	ask_to_detach();
	random_io(5); /* served until the frontend has let go */
	stack_write(&s, "6", "%s/state", vbd.fe);
	cr_expect(stack_wait(&s, 5000, "6", "%s/state", vbd.be));
	cr_expect(stack_wait_workers(&s, 0));
	fakevbd_remove(&vbd);
	attach(DOMID, image, "w"); /* and once more */
	cr_expect(stack_wait(&s, 5000, "2", "%s/state", vbd.be));
	fakedom_free(dom);
}

/* Our own state was on its way when the toolstack wrote its 5. */
Test(backend_vbd, detach_whose_state_was_overwritten)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);

	bring_up(dom, BLK_ABI_X86_64, 0, 1);
	stack_write(&s, "0", "%s/online", vbd.be);
	cr_expect(stack_wait(&s, 5000, "5", "%s/state", vbd.be));
	cr_expect(fakevbd_step(&vbd, "6", "6"));
	cr_expect(stack_wait_workers(&s, 0));
	fakedom_free(dom);
}

Test(backend_vbd, detach_of_a_paused_guest)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);

	attach(DOMID, image, "w");
	cr_assert(stack_wait(&s, 5000, "2", "%s/state", vbd.be));
	ask_to_detach();
	cr_expect(stack_wait(&s, 5000, "6", "%s/state", vbd.be));
	cr_expect(stack_wait_workers(&s, 0));
	fakedom_free(dom);
}

/* xl destroy: the directories go; nothing may be written into them again. */
Test(backend_vbd, destroy_under_load)
{
	struct fakedom *dom;
	struct blk_req req = { .op = BLKIF_OP_READ, .nseg = 1 };
	unsigned int fds = 0;

	for (int i = 0; i < 8; i++) {
		dom = fakedom_new(DOMID, PAGES);
		bring_up(dom, BLK_ABI_X86_64, 0, 1);
		req.seg[0].gref = fakedom_grant(dom, fakedom_alloc(dom, 1), 0);
		for (int k = 0; k < 32; k++)
			fakeblk_put(&vbd.q[0], &req);
		fakeblk_push(&vbd.q[0]);
		if (i % 2)
			fakedom_free(dom);
		fakevbd_remove(&vbd);
		if (!(i % 2))
			fakedom_free(dom);
		cr_assert(stack_wait_workers(&s, 0));
		cr_expect(!store_exists(s.store, "%s", vbd.be));
		if (i == 1)
			fds = stack_fds(&s);
	}
	cr_expect(stack_fds_end(s.backend, fds), "descriptors left behind");
}

/* ---- hot attach and detach ---------------------------------------------- */

#define WRITES 32u /* a ring's worth */

/* Write pages that hold their number and @round to the first sectors. */
static void put_writes(struct fakedom *dom, uint8_t round)
{
	struct blk_req req = { .op = BLKIF_OP_WRITE, .nseg = 1 };
	uint64_t gfn = fakedom_alloc(dom, WRITES);

	for (unsigned int i = 0; i < WRITES; i++) {
		memset(fakedom_page(dom, gfn + i), (int)(round * WRITES + i),
		       SV_PAGE_SIZE);
		req.id = i;
		req.sector = i * 8;
		req.seg[0] = (struct blk_seg){ fakedom_grant(dom, gfn + i, 0),
					       0, 7, 0 };
		fakeblk_put(&vbd.q[0], &req);
	}
	fakeblk_push(&vbd.q[0]);
}

/*
 * The worker is gone.  What it has answered is on the disk, what it has not it
 * has never begun.  Return: how many were answered.
 */
static unsigned int check_writes(uint8_t round)
{
	unsigned int n = 0;
	int16_t status;
	uint64_t id;
	uint8_t op;

	while (fakeblk_take(&vbd.q[0], 0, &id, &op, &status) == 1) {
		cr_assert(status == BLKIF_RSP_OKAY && id < WRITES);
		memset(shadow + id * SV_PAGE_SIZE, (int)(round * WRITES + id),
		       SV_PAGE_SIZE);
		n++;
	}
	check_image();
	return n;
}

enum detach { FORCED, FORCED_LATE, ORDERLY, NDETACH };

/*
 * FORCED is what "xl block-detach --force" does: both directories go, whatever
 * the frontend thinks of it.  FORCED_LATE does so when an orderly one got no
 * answer.
 */
static void detach(enum detach how)
{
	if (how != FORCED)
		ask_to_detach();
	if (how == FORCED_LATE)
		cr_expect(stack_wait(&s, 5000, "5", "%s/state", vbd.be));
	if (how == ORDERLY)
		cr_expect(fakevbd_step(&vbd, "6", "6"));
	else
		fakevbd_remove(&vbd);
	cr_expect(stack_wait_workers(&s, 0));
	if (how == ORDERLY) {
		cr_expect(stack_wait(&s, 5000, "disconnected",
				     "%s/hotplug-status", vbd.be));
		fakevbd_remove(&vbd);
	}
}

/* Under load, with and without limits, again and again: it always ends. */
Test(backend_vbd, hot_detach)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	unsigned int answered = 0, rounds = 5 * NDETACH, fds = 0;

	for (unsigned int i = 0; i < rounds; i++) {
		fakevbd_init(&vbd, &s, DOMID);
		if (i % 2) {
			stack_write(&s, "1", "%s/limit-iops", vbd.be);
			stack_write(&s, "5", "%s/limit-iops-burst", vbd.be);
		}
		cr_assert(fakevbd_bring_up(&vbd, dom, image, BLK_ABI_X86_64, 0,
					   1),
			  "round %u", i);
		put_writes(dom, (uint8_t)i);
		usleep((useconds_t)rand() % 20000);
		if (i ==
		    NDETACH) /* surely some are answered, in others not all */
			cr_assert(SOON(ring_front_arm(&vbd.q[0].ring, 1)));
		detach(i % NDETACH);
		answered += check_writes((uint8_t)i);
		if (i == NDETACH)
			fds = stack_fds(&s);
	}
	cr_log_info("%u of %u answered", answered, rounds * WRITES);
	cr_expect_gt(answered, 0);
	cr_expect_lt(answered, rounds * WRITES);
	cr_expect(stack_fds_end(s.backend, fds), "descriptors left behind");
	fakedom_free(dom);
}

/* Neither side's state has moved, nor was the reason for a move left behind. */
static void expect_unmoved(void)
{
	cr_expect(stack_wait(&s, 0, "4", "%s/state", vbd.be));
	cr_expect(!store_exists(s.store, "%s/error", vbd.be));
	cr_expect_eq(stack_logged("Closing"), 0);
}

#define DEATHS 40

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* A worker is killed; the next one goes on, and the frontend sees nothing. */
Test(backend_vbd, worker_crash)
{
	struct blk_req flush = { .op = BLKIF_OP_FLUSH_DISKCACHE };
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	uint64_t began, us[DEATHS];
	pid_t pid, old = 0;

	bring_up(dom, BLK_ABI_X86_64, 0, 2);
	for (int i = 0; i < DEATHS; i++) {
		cr_assert(stack_wait_workers(&s, 1));
		cr_assert_eq(stack_workers(&s, &pid), 1);
		cr_expect_neq(pid, old);
		old = pid;
		usleep(25000); /* or it looks like one that cannot live */
		random_io(2);
		began = util_clock_ns();
		kill(pid, SIGKILL);
		cr_assert_eq(fakeblk_do(&vbd.q[0], &flush), BLKIF_RSP_OKAY);
		us[i] = (util_clock_ns() - began) / 1000;
		random_io(2);
	}
	qsort(us, DEATHS, sizeof(us[0]), by_size);
	cr_log_info("from a kill to the next answer: median %lu us, most %lu",
		    us[DEATHS / 2], us[DEATHS - 1]);
	check_image();
	expect_unmoved();
	fakedom_free(dom);
}

/* Workers serve on without a parent; the next one replaces them. */
Test(backend_vbd, parent_crash)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	pid_t pid = 0, now = 0;

	bring_up(dom, BLK_ABI_X86_64, 0, 1);
	random_io(5);
	cr_assert_eq(stack_workers(&s, &pid), 1);
	kill(s.backend, SIGKILL);
	usleep(100000);
	random_io(5);
	cr_expect_eq(kill(pid, 0), 0, "it ended with its parent");
	stack_new_backend(&s);
	random_io(5);
	cr_assert(stack_wait_workers(&s, 1));
	cr_expect_eq(stack_workers(&s, &now), 1);
	cr_expect_neq(now, pid);
	/* One that dies while there is no parent is replaced as well. */
	kill(s.backend, SIGKILL);
	kill(now, SIGKILL);
	stack_new_backend(&s);
	random_io(5);
	check_image();
	expect_unmoved();
	fakedom_free(dom);
	cr_expect(stack_wait_workers(&s, 0));
}

/* The end of sv-backend in good order is a pause for the guest, no more. */
Test(backend_vbd, parent_stops_and_starts)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	struct blk_req flush = { .op = BLKIF_OP_FLUSH_DISKCACHE, .id = 7 };
	int16_t status;
	uint64_t id = 0;
	uint8_t op;

	bring_up(dom, BLK_ABI_X86_64, 0, 1);
	random_io(5);
	kill(s.backend, SIGTERM);
	cr_assert(stack_wait_workers(&s, 0));
	cr_expect(fakedom_entry(dom, vbd.q[0].at.gref[0])->flags & GTF_writing,
		  "the ring is not in use any more");
	fakeblk_put(&vbd.q[0], &flush);
	fakeblk_push(&vbd.q[0]);
	cr_expect_eq(fakeblk_take(&vbd.q[0], 200, &id, &op, &status), 0);
	stack_new_backend(&s);
	cr_assert_eq(fakeblk_take(&vbd.q[0], PATIENCE_MS, &id, &op, &status),
		     1);
	cr_expect_eq(id, 7);
	random_io(5);
	check_image();
	expect_unmoved();
	fakedom_free(dom);
}

/* SIGHUP: a new program serves on. */
Test(backend_vbd, workers_are_replaced)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	pid_t pid = 0, now = 0;

	bring_up(dom, BLK_ABI_X86_64, 0, 2);
	cr_assert_eq(stack_workers(&s, &pid), 1);
	kill(s.backend, SIGHUP);
	cr_expect(SOON((random_io(1),
			now = stack_worker(&s, "sv-blkback", DOMID)) > 0 &&
		       now != pid));
	check_image();
	expect_unmoved();
	cr_expect_eq(stack_logged("ended"), 0, "told as if it were a mishap");
	fakedom_free(dom);
}

/* A domain that has ended leaves no journal. */
Test(backend_vbd, journal_goes_with_the_device)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/journal/vbd-%u-%u", paths_run(), DOMID,
		 FAKEVBD_DEVID);
	bring_up(dom, BLK_ABI_X86_64, 0, 1);
	random_io(2);
	cr_expect_eq(access(path, F_OK), 0);
	fakedom_free(dom);
	cr_expect(stack_wait_workers(&s, 0));
	fakevbd_remove(&vbd);
	cr_expect(SOON(access(path, F_OK) != 0));
}

static void put_page(struct blk_req *req, uint8_t *page, int mark)
{
	memset(page, mark, SV_PAGE_SIZE);
	req->id++;
	fakeblk_put(&vbd.q[0], req);
	fakeblk_push(&vbd.q[0]);
}

/* The guest's disk is a slow one; the daemons are started anew. */
static struct slowfile *serve_slow(struct fakedom **dom, bool cached)
{
	struct slowfile *slow = slowfile_new(1 << 20, cached);

	if (!slow)
		cr_skip_test("no FUSE to be had");
	stack_stop(&s);
	stack_start(&s, true); /* they see the file now */
	*dom = fakedom_new(DOMID, PAGES);
	fakevbd_init(&vbd, &s, DOMID);
	stack_write(&s, cached ? "0" : "1", "%s/direct-io", vbd.be);
	cr_assert(fakevbd_bring_up(&vbd, *dom, slowfile_path(slow),
				   BLK_ABI_X86_64, 0, 1));
	slowfile_hold(slow);
	return slow;
}

static void end_slow(struct slowfile *slow, struct fakedom *dom)
{
	fakedom_free(dom);
	cr_expect(stack_wait_workers(&s, 0));
	cr_expect(stack_stop(&s));
	slowfile_free(slow);
	stack_start(&s, true);
}

/*
 * FM-13: a write of the dead worker is still on its way to a slow disk. Nobody may
 * write these sectors before it has ended, or it would land on newer data.
 */
static void late_write(bool parent_too)
{
	struct blk_req req = { .op = BLKIF_OP_WRITE, .nseg = 1 };
	struct fakedom *dom;
	struct slowfile *slow = serve_slow(&dom, false);
	uint64_t id, gfn = fakedom_alloc(dom, 1);
	int16_t status;
	uint8_t op;
	pid_t pid;

	req.seg[0] = (struct blk_seg){ fakedom_grant(dom, gfn, 0), 0, 7, 0 };
	put_page(&req, fakedom_page(dom, gfn), 0x11);
	cr_assert(SOON(slowfile_held(slow)));
	pid = stack_worker(&s, "sv-blkback", DOMID);
	cr_assert_gt(pid, 0);
	kill(pid, SIGKILL);
	if (parent_too)
		stack_new_backend(&s);
	cr_expect_eq(fakeblk_take(&vbd.q[0], 500, &id, &op, &status), 0,
		     "answered before the write of the dead has ended");
	slowfile_release(slow);
	cr_assert_eq(fakeblk_take(&vbd.q[0], PATIENCE_MS, &id, &op, &status),
		     1);
	cr_expect_eq(status, BLKIF_RSP_OKAY);
	put_page(&req, fakedom_page(dom, gfn), 0x22);
	cr_assert_eq(fakeblk_take(&vbd.q[0], PATIENCE_MS, &id, &op, &status),
		     1);
	cr_expect_eq(status, BLKIF_RSP_OKAY);
	usleep(500000);
	for (unsigned int i = 0; i < SV_PAGE_SIZE; i++)
		cr_assert_eq(slowfile_bytes(slow)[i], 0x22, "byte %u", i);
	expect_unmoved();
	end_slow(slow, dom);
}

Test(backend_vbd, late_write_of_a_dead_worker)
{
	late_write(false);
}

Test(backend_vbd, late_write_when_all_have_died)
{
	late_write(true);
}

/*
 * The frontend begins anew, as another kernel, while nobody serves it: what the old
 * one had under way is not done again, for its pages and its ring are others' now.
 */
Test(backend_vbd, new_kernel_while_no_worker_lives)
{
	struct blk_req req = { .op = BLKIF_OP_WRITE, .nseg = 1 };
	struct blk_req flush = { .op = BLKIF_OP_FLUSH_DISKCACHE, .id = 9 };
	struct fakedom *dom;
	struct slowfile *slow = serve_slow(&dom, false);
	uint64_t gfn = fakedom_alloc(dom, 1), ring = vbd.q[0].gfn;
	static uint8_t was[SV_PAGE_SIZE];

	req.seg[0] = (struct blk_seg){ fakedom_grant(dom, gfn, 0), 0, 7, 0 };
	put_page(&req, fakedom_page(dom, gfn), 0x11);
	while (!slowfile_held(slow))
		usleep(1000);
	kill(stack_worker(&s, "sv-blkback", DOMID), SIGKILL);
	stack_write(&s, "5", "%s/state", vbd.fe);
	stack_write(&s, "6", "%s/state", vbd.fe);
	stack_write(&s, "1", "%s/state", vbd.fe);
	memset(fakedom_page(dom, gfn), 0x22, SV_PAGE_SIZE);
	memset(fakedom_page(dom, ring), 0x33, SV_PAGE_SIZE);
	memcpy(was, fakedom_page(dom, ring), sizeof(was));
	slowfile_release(slow);
	cr_assert(stack_wait(&s, 20000, "2", "%s/state", vbd.be));
	fakevbd_offer(&vbd, dom, BLK_ABI_X86_64, 0, 1);
	cr_assert(fakevbd_join(&vbd));
	cr_expect_eq(fakeblk_do(&vbd.q[0], &flush), BLKIF_RSP_OKAY);
	for (unsigned int i = 0; i < SV_PAGE_SIZE; i++)
		cr_assert_eq(slowfile_bytes(slow)[i], 0x11, "byte %u", i);
	cr_expect_arr_eq(fakedom_page(dom, ring), was, sizeof(was));
	cr_expect_eq(stack_logged("serving on"), 0);
	end_slow(slow, dom);
}

/*
 * What the page cache could not write back is told once to each open file: if it
 * was a dead worker who heard it, its successor must tell the guest all the same,
 * and no other after it.
 */
Test(backend_vbd, flush_error_that_a_dead_worker_has_seen)
{
	struct blk_req write = { .op = BLKIF_OP_WRITE, .nseg = 1 };
	struct blk_req flush = { .op = BLKIF_OP_FLUSH_DISKCACHE, .id = 1 };
	struct fakedom *dom;
	struct slowfile *slow = serve_slow(&dom, true);
	int16_t status;
	uint64_t id;
	uint8_t op;

	write.seg[0] =
		(struct blk_seg){ fakedom_grant(dom, fakedom_alloc(dom, 1), 0),
				  0, 7, 0 };
	cr_assert_eq(fakeblk_do(&vbd.q[0], &write), BLKIF_RSP_OKAY);
	fakeblk_put(&vbd.q[0], &flush);
	fakeblk_push(&vbd.q[0]);
	while (!slowfile_held(slow))
		usleep(1000);
	kill(stack_worker(&s, "sv-blkback", DOMID), SIGKILL);
	slowfile_fail(slow);
	cr_assert_eq(fakeblk_take(&vbd.q[0], PATIENCE_MS, &id, &op, &status),
		     1);
	cr_expect_eq(status, BLKIF_RSP_ERROR, "nobody hears of the error");
	cr_expect_eq(fakeblk_do(&vbd.q[0], &flush), BLKIF_RSP_OKAY);
	cr_assert(stack_wait_workers(&s, 1));
	kill(stack_worker(&s, "sv-blkback", DOMID), SIGKILL);
	cr_expect_eq(fakeblk_do(&vbd.q[0], &flush), BLKIF_RSP_OKAY);

	/* One that was told in good order is not told by a successor. */
	slowfile_hold(slow);
	cr_assert_eq(fakeblk_do(&vbd.q[0], &write), BLKIF_RSP_OKAY);
	fakeblk_put(&vbd.q[0], &flush);
	fakeblk_push(&vbd.q[0]);
	while (!slowfile_held(slow))
		usleep(1000);
	slowfile_fail(slow);
	cr_assert_eq(fakeblk_take(&vbd.q[0], PATIENCE_MS, &id, &op, &status),
		     1);
	cr_expect_eq(status, BLKIF_RSP_ERROR);
	cr_expect_eq(fakeblk_do(&vbd.q[0], &flush), BLKIF_RSP_OKAY);
	kill(stack_worker(&s, "sv-blkback", DOMID), SIGKILL);
	cr_expect_eq(fakeblk_do(&vbd.q[0], &flush), BLKIF_RSP_OKAY);
	expect_unmoved();
	end_slow(slow, dom);
}

/* Guests that run go on when the store loses all it knew. */
Test(backend_vbd, store_starts_anew)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	pid_t pid = 0, now = 0;

	bring_up(dom, BLK_ABI_X86_64, 0, 1);
	cr_assert_eq(stack_workers(&s, &pid), 1);
	stack_new_store(&s);
	usleep(2500000); /* both have connected again, and looked */
	random_io(5);
	cr_expect_eq(stack_workers(&s, &now), 1);
	cr_expect_eq(now, pid);
	check_image();
	fakedom_free(dom);
	cr_expect(stack_wait_workers(&s, 0));
}

/* BE-28: garbage refuses the connection; an honest next one is served. */
Test(backend_vbd, garbage_keys)
{
	static const char *const lies[][2] = {
		{ "multi-queue-num-queues", "0" },
		{ "multi-queue-num-queues", "65536" },
		{ "multi-queue-num-queues", "abc" },
		{ "multi-queue-num-queues", "-1" },
		{ "ring-page-order", "5" },
		{ "ring-page-order", "99999999999999999999" },
		{ "ring-ref", "4294967296" },
		{ "ring-ref", "" },
		{ "ring-ref", "8x" },
		{ "ring-ref", "1000000" },
		{ "event-channel", "0" },
		{ "event-channel", "4095" },
		{ "protocol", "sparc-abi" },
		{ "protocol", "x86_64-abi\x01" },
	};
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	char path[200];

	attach(DOMID, image, "w");
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		cr_assert(stack_wait(&s, 5000, "2", "%s/state", vbd.be), "%zu",
			  i);
		fakeblk_init(&vbd.q[0], dom, BLK_ABI_X86_64, 0);
		fakevbd_write_ring(&vbd, &vbd.q[0], vbd.fe);
		stack_write(&s, lies[i][1], "%s/%s", vbd.fe, lies[i][0]);
		stack_write(&s, "3", "%s/state", vbd.fe);
		cr_assert(stack_wait(&s, 5000, "5", "%s/state", vbd.be),
			  "%s=%s", lies[i][0], lies[i][1]);
		cr_expect(store_exists(s.store, "%s/error", vbd.be), "%s=%s",
			  lies[i][0], lies[i][1]);
		snprintf(path, sizeof(path), "%s/error", vbd.be);
		stack_rm(&s, path);
		snprintf(path, sizeof(path), "%s/%s", vbd.fe, lies[i][0]);
		stack_rm(&s, path);
		stack_write(&s, "6", "%s/state", vbd.fe);
		cr_assert(stack_wait(&s, 5000, "6", "%s/state", vbd.be));
		stack_write(&s, "1", "%s/state", vbd.fe);
	}
	cr_assert(stack_wait(&s, 5000, "2", "%s/state", vbd.be));
	fakevbd_offer(&vbd, dom, BLK_ABI_X86_64, 0, 1);
	cr_assert(fakevbd_join(&vbd));
	random_io(2);
	cr_expect_eq(stack_workers(&s, NULL), 1);
	fakedom_free(dom);
}

/* BE-16, BE-17: any states in any order, as fast as the store takes them. */
Test(backend_vbd, frontend_toggles)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	char state[2] = "0";
	unsigned int fds;
	pid_t pid, now = 0;

	bring_up(dom, BLK_ABI_X86_64, 0, 1);
	fds = stack_fds(&s);
	stack_workers(&s, &pid);
	for (int i = 0; i < 3000; i++) {
		state[0] = (char)('0' + rand() % 9);
		stack_write(&s, state, "%s/state", vbd.fe);
		if (i % 100 == 0)
			fakedom_send(dom, vbd.q[0].at.port);
	}
	cr_assert(fakevbd_reconnect(&vbd));
	random_io(5);
	cr_expect_eq(stack_workers(&s, &now), 1);
	cr_expect_eq(now, pid, "the worker was lost");
	cr_expect(stack_fds_end(s.backend, fds));
	fakedom_free(dom);
}

/* NB-06: keys count at the moment of connecting, not later. */
Test(backend_vbd, keys_rewritten_while_connected)
{
	static const char *const keys[] = { "ring-ref", "event-channel",
					    "protocol", "feature-persistent",
					    "multi-queue-num-queues" };
	struct fakedom *dom = fakedom_new(DOMID, PAGES);

	bring_up(dom, BLK_ABI_X86_64, 0, 1);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		stack_write(&s, "77", "%s/%s", vbd.fe, keys[i]);
		random_io(2);
	}
	stack_write(&s, "17", "%s/state", vbd.fe);
	stack_write(&s, "-4", "%s/state", vbd.fe);
	random_io(2);
	cr_expect(stack_wait(&s, 0, "4", "%s/state", vbd.be));
	fakedom_free(dom);
}

/* A ring that is broken ends the device; it comes back when the guest does. */
Test(backend_vbd, broken_ring)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);

	bring_up(dom, BLK_ABI_X86_64, 0, 1);
	*(uint32_t *)fakedom_page(dom, vbd.q[0].gfn) = 500;
	fakedom_send(dom, vbd.q[0].at.port);
	cr_assert(stack_wait(&s, 5000, "5", "%s/state", vbd.be));
	cr_expect(store_exists(s.store, "%s/error", vbd.be));
	cr_assert(fakevbd_reconnect(&vbd));
	random_io(5);
	fakedom_free(dom);
}

/* ---- disks that cannot be ---------------------------------------------- */

/* The files need not be there: such a chain cannot be, whatever they hold. */
static void refuse_chain(const char *params, const char *words)
{
	char *err = NULL;

	attach(DOMID, params, "w");
	cr_expect(stack_wait(&s, 5000, "error", "%s/hotplug-status", vbd.be),
		  "%s", params);
	cr_assert_eq(store_read(s.store, &err, "%s/hotplug-error", vbd.be), 0);
	cr_expect_not_null(strstr(err, words), "%s: %s", params, err);
	free(err);
	fakevbd_remove(&vbd);
}

Test(backend_vbd, impossible_chains)
{
	/* The image, what is below it, what is said of it. */
	static const char *const chains[][4] = {
		{ "vmdk:/a", "raw:/b", NULL,
		  "disk /a cannot build upon raw:/b: a vmdk image" },
		{ "vmdk:/a", "qcow2:/b", NULL,
		  "disk /a cannot build upon qcow2:/b: a vmdk image" },
		{ "qcow2:/a", "vmdk:/b", "raw:/c",
		  "disk /b cannot build upon raw:/c: a vmdk image" },
		{ "vmdk:/a", "vmdk:/b", "vmdk:/c", "disk /a: No such file" },
		{ "qcow:/a", "vmdk:/b", NULL, "disk /a: No such file" },
		{ "vhd:/a", "vhd:/b", NULL,
		  "disk /a cannot build upon vhd:/b: only qcow2" },
		{ "vhdx:/a", "raw:/b", NULL,
		  "disk /a cannot build upon raw:/b: only qcow2" },
		{ "qcow2:/a", "vhd:/b", "vhd:/c",
		  "disk /b cannot build upon vhd:/c: only qcow2" },
	};
	struct fakedom *dom = fakedom_new(DOMID, PAGES);

	fakevbd_init(&vbd, &s, DOMID);
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++) {
		for (unsigned int k = 0; k < 2 && chains[i][1 + k]; k++)
			stack_write(&s, chains[i][1 + k], "%s/backing-%u",
				    vbd.be, k + 1);
		refuse_chain(chains[i][0], chains[i][3]);
	}
	fakedom_free(dom);
}

Test(backend_vbd, bad_disks)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	char *why = NULL;
	unsigned int fds;

	expect_refused(DOMID, "/nonexistent/disk.img", "w", "No such file");
	fds = stack_fds(&s);
	expect_refused(DOMID, "/tmp", "w", "neither");
	expect_refused(DOMID, "/dev/null", "w", "neither");
	expect_refused(DOMID, "relative.img", "w", "absolute");
	expect_refused(DOMID, "", "w", "absolute");
	expect_refused(DOMID, "vdi:/tmp/x.vdi", "w", "raw");
	expect_refused(DOMID, "nbds://localhost/x", "w", "nbdkit");
	expect_refused(DOMID, "nbd+vsock://2/x", "w", "only nbd://");
	expect_refused(DOMID, "nbd://localhost:1/x", "w", "refused");
	expect_refused(DOMID, image, "rw", "mode");
	stack_write(&s, "raw:/x", "%s/backing-1", vbd.be);
	expect_refused(DOMID, image, "w", "cannot build upon raw:/x");
	for (unsigned int i = 1; i <= 9; i++)
		stack_write(&s, "raw:/x", "%s/backing-%u", vbd.be, i);
	attach(DOMID, image, "w");
	cr_expect(stack_wait(&s, 5000, "error", "%s/hotplug-status", vbd.be));
	cr_assert_eq(store_read(s.store, &why, "%s/hotplug-error", vbd.be), 0);
	cr_expect_not_null(strstr(why, "more than 8 backing"), "%s", why);
	free(why);
	fakevbd_remove(&vbd);
	cr_assert_eq(truncate(image, 1000), 0);
	expect_refused(DOMID, image, "w", "512");
	cr_assert_eq(truncate(image, 4608), 0);
	stack_write(&s, "4096", "%s/sector-size", vbd.be);
	expect_refused(DOMID, image, "w", "sector-size");
	stack_write(&s, "4096000", "%s/sector-size", vbd.be);
	attach(DOMID, image, "w");
	cr_expect(stack_wait(&s, 5000, "error", "%s/hotplug-status", vbd.be));
	fakevbd_remove(&vbd);
	cr_assert_eq(truncate(image, 0), 0);
	expect_refused(DOMID, image, "w", "empty");
	cr_assert_eq(truncate(image, 4096), 0);
	chmod(image, 0444);
	expect_refused(DOMID, image, "w", "read-only");
	cr_expect(stack_fds_end(s.backend, fds), "descriptors left behind");
	/* Each of them can still be corrected. */
	attach(DOMID, image, "r");
	cr_expect(stack_wait(&s, 5000, "2", "%s/state", vbd.be));
	fakedom_free(dom);
}

Test(backend_vbd, disk_in_use)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	struct fakedom *other = fakedom_new(DOMID + 1, PAGES);
	char *err = NULL;

	attach(DOMID, image, "w");
	cr_assert(stack_wait(&s, 5000, "2", "%s/state", vbd.be));
	attach(DOMID + 1, image, "w");
	cr_expect(stack_wait(&s, 5000, "error", "%s/hotplug-status", vbd.be));
	cr_assert_eq(store_read(s.store, &err, "%s/hotplug-error", vbd.be), 0);
	cr_expect_not_null(strstr(err, "domain 3"), "%s", err);
	cr_expect_not_null(strstr(err, "read-only (r) in both"), "%s", err);
	free(err);
	stack_rm(&s, vbd.be);
	attach(DOMID + 1, image, "w!");
	cr_expect(stack_wait(&s, 5000, "2", "%s/state", vbd.be));
	fakedom_free(dom);
	fakedom_free(other);
}

/* What is wrong with one directory is not said of the next, however soon it is. */
Test(backend_vbd, made_anew_while_it_fails)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);

	for (int i = 0; i < 50; i++) {
		attach(DOMID, "relative.img", "w");
		usleep((useconds_t)rand() % 1000);
		stack_rm(&s, vbd.be);
		attach(DOMID, image, "w");
		cr_assert(stack_wait(&s, 5000, "2", "%s/state", vbd.be),
			  "turn %d", i);
		fakevbd_remove(&vbd);
		cr_assert(stack_wait_workers(&s, 0));
	}
	fakedom_free(dom);
}

/* A reboot: the successor comes while the old worker does not end. */
Test(backend_vbd, disk_of_one_that_leaves)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES), *next;
	pid_t pid;

	bring_up(dom, BLK_ABI_X86_64, 0, 1);
	cr_assert_eq(stack_workers(&s, &pid), 1);
	kill(pid, SIGSTOP);
	fakedom_free(dom);
	stack_rm(&s, vbd.fe);
	stack_rm(&s, vbd.be);
	next = fakedom_new(DOMID + 1, PAGES);
	attach(DOMID + 1, image, "w");
	cr_expect(stack_wait(&s, 15000, "2", "%s/state", vbd.be));
	fakedom_free(next);
}

Test(backend_vbd, readers_share_a_disk)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	struct fakedom *other = fakedom_new(DOMID + 1, PAGES);

	attach(DOMID, image, "r");
	cr_expect(stack_wait(&s, 5000, "2", "%s/state", vbd.be));
	attach(DOMID + 1, image, "r");
	cr_expect(stack_wait(&s, 5000, "2", "%s/state", vbd.be));
	fakevbd_init(&vbd, &s, DOMID);
	fakevbd_remove(&vbd);
	fakevbd_init(&vbd, &s, DOMID + 1);
	fakevbd_remove(&vbd);
	cr_expect(stack_wait_workers(&s, 0));
	attach(DOMID, image, "w");
	cr_expect(stack_wait(&s, 5000, "2", "%s/state", vbd.be),
		  "lock is gone");
	fakedom_free(dom);
	fakedom_free(other);
}

Test(backend_vbd, worker_has_no_privilege)
{
	struct fakedom *dom = fakedom_new(DOMID, PAGES);
	pid_t pid = 0;

	attach(DOMID, image, "w");
	cr_assert(stack_wait(&s, 5000, "2", "%s/state", vbd.be));
	cr_assert_eq(stack_workers(&s, &pid), 1);
	cr_expect_eq(proc_status(pid, "CapEff:", 16), 0);
	cr_expect_eq(proc_status(pid, "CapPrm:", 16), 0);
	cr_expect_eq(proc_status(pid, "CapBnd:", 16), 0);
	cr_expect_eq(proc_status(pid, "NoNewPrivs:", 16), 1);
	fakedom_free(dom);
}

Test(backend_vbd, there_is_only_one)
{
	cr_expect_eq(stack_run("sv-backend", NULL), 1);
	cr_expect_eq(stack_run("sv-backend", "--bogus"), 1);
	cr_expect_eq(stack_run("sv-backend", "--help"), 0);
	cr_expect_eq(stack_run("sv-blkback", NULL), 1);
	cr_expect_eq(stack_run("sv-blkback", "--disk-fd"), 1);
}

/* The domain's socket comes late, as when xl writes the store first. */
Test(backend_vbd, domain_comes_late)
{
	struct fakedom *dom;

	attach(DOMID, image, "w");
	usleep(300000);
	dom = fakedom_new(DOMID, PAGES);
	cr_expect(stack_wait(&s, 5000, "2", "%s/state", vbd.be));
	fakedom_free(dom);
}
