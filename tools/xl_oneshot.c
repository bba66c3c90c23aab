// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_oneshot.c - a domain for one command, from its image to its end.
#include "tools/xl_oneshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/paths.h"
#include "tools/xl_keeper.h"
#include "tools/xl_proc.h"
#include "tools/xl_run.h"

#define INTERRUPTED 130

/*
 * How it works
 *
 * An image is a directory with "root.img", "vmlinuz" and "run.cpio"; sv-image makes
 * them.  What is no image becomes a private one.  The kernel's messages go to the
 * VMM's log; its console has our frames alone.
 */
#define CMDLINE "console=tty0 earlyprintk=xen,keep quiet panic=-1"

struct place {
	char name[32];	    /* the domain's */
	char own[PATH_MAX]; /* private directory */
	char dir[PATH_MAX]; /* the image's: that, or one of `xl image ls` */
};

const char *xl_oneshot_images(void)
{
	const char *dir = getenv("SPLITVISOR_IMAGE_DIR");

	return dir ? dir : "/var/lib/splitvisor/images";
}

/* What stands in a configuration as it is. */
static bool is_plain(const char *path)
{
	return path[0] == '/' && !path[strcspn(path, "'\",\\\n")] &&
	       strlen(path) < PATH_MAX - 64;
}

static int choose_places(struct place *p)
{
	const char *tmp = getenv("TMPDIR");
	uint64_t id;

	if (!tmp || !*tmp)
		tmp = "/var/tmp";
	if (!is_plain(tmp) || !is_plain(xl_oneshot_images())) {
		fprintf(stderr,
			"xl run: '%s' and '%s' must be absolute paths without quotes and commas (TMPDIR, SPLITVISOR_IMAGE_DIR)\n",
			tmp, xl_oneshot_images());
		return -EINVAL;
	}
	if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return -EIO;
	snprintf(p->name, sizeof(p->name), "run-%d", (int)getpid());
	snprintf(p->own, sizeof(p->own), "%s/xl-run-%016" PRIx64, tmp, id);
	return 0;
}

/* ---- The image ------------------------------------------------------------- */

static _Noreturn void become(char *const *argv)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	/* What it prints is no output of the command. */
	if (null >= 0 && dup2(null, STDIN_FILENO) == STDIN_FILENO &&
	    dup2(STDERR_FILENO, STDOUT_FILENO) == STDOUT_FILENO)
		execv(argv[0], argv);
	fprintf(stderr, "xl run: %s: %s\n", argv[0], strerror(errno));
	_exit(1);
}

/* Return: 0, -EIO if it failed, which it has reported, or -EINTR. */
static int run_program(char *const *argv)
{
	struct pollfd p = { .fd = -1, .events = POLLIN };
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		become(argv);
	if (pid < 0)
		return -errno;
	p.fd = pidfd_open(pid, 0);
	while (p.fd >= 0 && xl_poll(&p, 1, -1) < 0 && !xl_interrupted())
		;
	if (xl_interrupted())
		kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	fd_close(&p.fd);
	if (xl_interrupted())
		return -EINTR;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

/* Whether it is the name of an image, not the path of something. */
static bool is_image(const struct xl_oneshot *o)
{
	struct stat st;

	return !o->bundle && !strchr(o->root, '/') && stat(o->root, &st) < 0;
}

static int find_image(const struct xl_oneshot *o, struct place *p)
{
	char path[PATH_MAX + 32];

	snprintf(p->dir, sizeof(p->dir), "%s/%s", xl_oneshot_images(), o->root);
	snprintf(path, sizeof(path), "%s/root.img", p->dir);
	if (is_plain(p->dir) && o->root[0] != '.' && !access(path, F_OK))
		return 0;
	fprintf(stderr,
		"xl run: '%s': no such file or directory, and no such image (see `xl image ls`; `xl image build debian:bookworm` makes one)\n",
		o->root);
	return -ENOENT;
}

/* A private one, of @root. */
static int make_image(const struct xl_oneshot *o, struct place *p,
		      const char *root)
{
	char program[PATH_MAX];
	const char *argv[] = { paths_program(program, "sv-image"),
			       "prepare",
			       p->own,
			       root,
			       o->kernel ? o->kernel : "",
			       o->net ? "net" : NULL,
			       NULL };

	memcpy(p->dir, p->own, sizeof(p->dir));
	if (mkdir(p->own, 0700) < 0) {
		fprintf(stderr, "xl run: '%s': %s\n", p->own, strerror(errno));
		return -errno;
	}
	return run_program((char *const *)(uintptr_t)argv);
}

/* As one of these has it, but with another kernel. */
static int get_image(const struct xl_oneshot *o, struct place *p)
{
	char root[PATH_MAX + 32];
	int ret;

	if (!is_image(o))
		return make_image(o, p, o->root);
	ret = find_image(o, p);
	if (ret || !o->kernel)
		return ret;
	snprintf(root, sizeof(root), "%s/root.img", p->dir);
	return make_image(o, p, root);
}

/* ---- The domain ------------------------------------------------------------ */

static int configure(const struct xl_oneshot *o, const struct place *p,
		     char **text, struct xl_cfg *c)
{
	char vif[32] = "";
	int ret;

	if (o->net)
		snprintf(vif, sizeof(vif), "vif = ['net=%s']\n", o->net);
	if (asprintf(
		    text,
		    "name = '%s'\ntype = 'pvh'\n"
		    "kernel = '%s/vmlinuz'\nramdisk = '%s/run.cpio'\n"
		    "cmdline = '" CMDLINE "'\n"
		    "memory = %" PRIu64 "\nvcpus = %u\n"
		    "disk = ['format=raw,vdev=xvda,access=%s,target=%s/root.img']\n%s",
		    p->name, p->dir, p->dir, o->memory_mib, o->vcpus,
		    o->job.rw ? "rw" : "ro", p->dir, vif) < 0) {
		*text = NULL;
		return -ENOMEM;
	}
	ret = xl_cfg_parse(c, "xl run", *text, UINT_MAX);
	if (!ret) {
		c->own_console = true;
		ret = xl_cfg_check_host(c);
	}
	return ret;
}

static int live(const struct xl_oneshot *o, const struct place *p)
{
	int status = ONESHOT_FAILED;
	struct xl_cfg c = { 0 };
	char *text = NULL;
	struct xl_built b;

	if (!configure(o, p, &text, &c) && !xl_run_init() &&
	    !xl_build(&c, text, &b)) {
		status = xl_oneshot_relay(&b, p->name, &o->job);
		xl_built_close(&b);
	}
	xl_cfg_free(&c);
	free(text);
	return xl_interrupted() ? INTERRUPTED : status;
}

int xl_oneshot_run(const struct xl_oneshot *o)
{
	int ret, status = ONESHOT_FAILED;
	struct xl_keeper k;
	struct place p;

	xl_catch_interrupts();
	if (choose_places(&p))
		return ONESHOT_FAILED;
	ret = xl_keeper_start(&k, p.name, p.own);
	if (ret) {
		fprintf(stderr, "xl run: %s\n", strerror(-ret));
		return ONESHOT_FAILED;
	}
	ret = get_image(o, &p);
	if (!ret)
		status = live(o, &p);
	else if (ret == -EINTR)
		status = INTERRUPTED;
	return xl_keeper_end(&k) ? ONESHOT_FAILED : status;
}
