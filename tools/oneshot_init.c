// SPDX-License-Identifier: GPL-2.0-or-later
// tools/oneshot_init.c - sv-oneshot: first process of the guest of `xl run`.
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/util.h"
#include "tools/oneshot.h"

/*
 * How it works
 *
 * It is /init of an initramfs that `sv-image` makes, linked statically; beside it are
 * the modules that /modules/order names, and with a card's busybox, which asks for an
 * address.  The root is the ext4 file system on the disk xvda: read-only, under a
 * layer in memory, or written to.  Whatever goes wrong xl is told in a sentence.
 */
#define CONSOLE	  "/dev/hvc0"
#define DISK	  "/dev/xvda"
#define DISK_TRYS 3000 /* of 10 ms */

static char wrong[200];

static const char *fails(const char *what)
{
	snprintf(wrong, sizeof(wrong), "%s: %s", what, strerror(errno));
	return wrong;
}

/* mount(2) onto a directory that is made if need be. */
static int put_fs(const char *type, const char *what, const char *where,
		  unsigned long flags, const char *options)
{
	if (mkdir(where, 0755) < 0 && errno != EEXIST)
		return -1;
	return mount(what, where, type, flags, options);
}

static const char *load_module(const char *name)
{
	char path[160];
	long ret;
	int fd;

	snprintf(path, sizeof(path), "/modules/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fails(path);
	ret = syscall(SYS_finit_module, fd, "", 0);
	close(fd);
	return ret && errno != EEXIST ? fails(path) : NULL;
}

static const char *load_modules(void)
{
	FILE *f = fopen("/modules/order", "re");
	const char *ret = NULL;
	char line[120];

	if (!f)
		return fails("/modules/order");
	while (!ret && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		ret = load_module(line);
	}
	fclose(f);
	return ret;
}

static const char *wait_disk(void)
{
	for (int i = 0; i < DISK_TRYS; i++) {
		if (!access(DISK, F_OK))
			return NULL;
		usleep(10000);
	}
	errno = ENODEV;
	return fails(DISK);
}

static const char *mount_layers(void)
{
	/* One whose journal was not emptied can be read all the same. */
	if (put_fs("ext4", DISK, "/lower", MS_RDONLY, NULL) &&
	    put_fs("ext4", DISK, "/lower", MS_RDONLY, "noload"))
		return fails("the root disk, which must be ext4");
	if (put_fs("tmpfs", "upper", "/upper", 0, NULL) ||
	    mkdir("/upper/data", 0755) || mkdir("/upper/work", 0755) ||
	    put_fs("overlay", "root", "/root", 0,
		   "lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work"))
		return fails("a layer over the root disk");
	return NULL;
}

static const char *mount_root(const struct oneshot_job *job)
{
	if (!job->rw)
		return mount_layers();
	return put_fs("ext4", DISK, "/root", 0, NULL)
		       ? fails("the root disk, which must be ext4")
		       : NULL;
}

static const char *mount_system(void)
{
	if (put_fs("proc", "proc", "/root/proc", 0, NULL) ||
	    put_fs("sysfs", "sys", "/root/sys", 0, NULL) ||
	    put_fs("devtmpfs", "dev", "/root/dev", 0, NULL) ||
	    put_fs("devpts", "pts", "/root/dev/pts", 0, "ptmxmode=0666") ||
	    put_fs("tmpfs", "shm", "/root/dev/shm", 0, "mode=1777") ||
	    put_fs("tmpfs", "run", "/root/run", 0, "mode=0755"))
		return fails("the system's directories of the root");
	(void)!symlink("/proc/self/fd", "/root/dev/fd");
	(void)!symlink("fd/0", "/root/dev/stdin");
	(void)!symlink("fd/1", "/root/dev/stdout");
	(void)!symlink("fd/2", "/root/dev/stderr");
	if (mkdir("/root/tmp", 01777) && errno != EEXIST)
		return fails("/tmp");
	return NULL;
}

static const char *enter_root(void)
{
	if (chdir("/root") || mount(".", "/", NULL, MS_MOVE, NULL) ||
	    chroot(".") || chdir("/"))
		return fails("the root cannot be entered");
	return NULL;
}

static void lo_up(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0) {
		(void)!ioctl(fd, SIOCSIFFLAGS, &r);
		close(fd);
	}
}

/* Its script writes what it got into the root, too. */
static const char *net_up(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		execl("/bin/busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f",
		      "-t", "10", "-T", "1", "-s", "/udhcpc", NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return fails("udhcpc");
	return status ? "the network gave no address (--net)" : NULL;
}

static const char *get_ready(const struct oneshot_job *job)
{
	const char *ret = load_modules();

	lo_up();
	if (!ret)
		ret = wait_disk();
	if (!ret)
		ret = mount_root(job);
	if (!ret)
		ret = mount_system();
	if (!ret && job->net)
		ret = net_up();
	return ret ? ret : enter_root();
}

/* What was written must be there when xl takes the disk away. */
static void finish(const struct oneshot_job *job)
{
	if (!job->rw)
		return;
	kill(-1, SIGKILL);
	while (wait(NULL) > 0)
		;
	(void)!chdir("/");
	sync();
	(void)!mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
}

/* No byte has a meaning of its own there. */
static int open_console(void)
{
	int fd = open(CONSOLE, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios t;

	if (fd < 0 || tcgetattr(fd, &t))
		return -1;
	cfmakeraw(&t);
	return tcsetattr(fd, TCSAFLUSH, &t) ? -1 : fd;
}

static void open_stdio(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd < 3);
	for (int i = 0; i < 3 && fd >= 0; i++)
		dup2(fd, i);
	if (fd >= 3)
		close(fd);
}

int main(void)
{
	int fd;

	if (getpid() != 1) {
		fprintf(stderr, "sv-oneshot: is for `xl run`'s guests alone\n");
		return 2;
	}
	put_fs("devtmpfs", "dev", "/dev", 0, NULL);
	put_fs("proc", "proc", "/proc", 0, NULL);
	open_stdio();
	(void)!sethostname("guest", 5);
	fd = open_console();
	if (fd >= 0 && !oneshot_run(fd, get_ready, finish))
		tcdrain(fd);
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}
