// SPDX-License-Identifier: GPL-2.0-or-later
// base/storeuser.c - the users that the store of a host and its VMMs run as.
#include "base/storeuser.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/paths.h"

#define PASSWD "/etc/passwd"

/* systemd's UIDS-GIDS: unused, above what containers get. */
#define FIRST UINT32_C(0x70000000)
#define COUNT UINT32_C(0x0ff00000)

/* And the last unused ones of 16 bits. */
#define FIRST_OF_FEW UINT32_C(65520)
#define FEW	     UINT32_C(14)

/* ---- What is possible -------------------------------------------------- */

static bool may_change(void)
{
	const uint32_t need = 1u << CAP_CHOWN | 1u << CAP_SETUID |
			      1u << CAP_SETGID;
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

	return geteuid() == 0 && syscall(SYS_capget, &head, caps) == 0 &&
	       (caps[0].effective & need) == need;
}

/* Whether the namespace of users that this is has that one. */
static bool is_mapped(const char *map, uint32_t id)
{
	FILE *f = fopen(map, "re");
	unsigned int inside, outside, n;
	bool is = false;

	if (!f)
		return false;
	while (!is && fscanf(f, "%u %u %u", &inside, &outside, &n) == 3)
		is = id >= inside && id - inside < n;
	fclose(f);
	return is;
}

static bool is_possible(const struct sandbox_user *u)
{
	return is_mapped("/proc/self/uid_map", u->uid) &&
	       is_mapped("/proc/self/gid_map", u->gid);
}

/* ---- Who could be it --------------------------------------------------- */

/* Of this machine's own file: what the store's user is called needs no network. */
static bool find_named(struct sandbox_user *u)
{
	FILE *f = fopen(PASSWD, "re");
	const struct passwd *p;
	bool found = false;

	if (!f)
		return false;
	while (!found && (p = fgetpwent(f))) {
		found = !strcmp(p->pw_name, STOREUSER_NAME) && p->pw_uid &&
			p->pw_gid;
		if (found)
			*u = (struct sandbox_user){ p->pw_uid, p->pw_gid };
	}
	fclose(f);
	return found && is_possible(u);
}

/* FNV-1a. */
static uint32_t hash(const char *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return (uint32_t)(h ^ h >> 32);
}

/* Of this run directory. */
static uint32_t digest(void)
{
	char real[PATH_MAX];

	return hash(realpath(paths_run(), real) ? real : paths_run());
}

static bool compute(struct sandbox_user *u)
{
	uint32_t h = digest();

	u->uid = u->gid = FIRST + h % COUNT;
	if (!is_possible(u))
		u->uid = u->gid = FIRST_OF_FEW + h % FEW;
	return is_possible(u);
}

/* The store's files are that one's already. */
static bool has_place(const struct sandbox_user *u)
{
	char place[PATH_MAX + 2];
	struct stat st;

	snprintf(place, sizeof(place), "%s.d", paths_store());
	return !lstat(place, &st) && st.st_uid == u->uid;
}

void storeuser_find(struct sandbox_user *u)
{
	struct sandbox_user named, computed;
	bool is_named, is_computed;

	*u = (struct sandbox_user){ geteuid(), getegid() };
	if (!may_change())
		return;
	is_named = !strcmp(paths_run(), PATHS_RUN) && find_named(&named);
	is_computed = compute(&computed);
	if (is_computed)
		*u = computed;
	if (is_named && (!is_computed || !has_place(&computed)))
		*u = named;
}

bool storeuser_domain(unsigned int domid, struct sandbox_user *u)
{
	u->uid = u->gid = FIRST + (digest() % COUNT + domid) % COUNT;
	return may_change() && is_possible(u);
}

/* ---- What is open to it ------------------------------------------------ */

static int admit(const char *path, const struct sandbox_user *u, mode_t mode)
{
	struct stat st;

	if (lstat(path, &st))
		return -errno;
	/* Everybody may pass through most directories. */
	if (S_ISDIR(st.st_mode) && st.st_mode & S_IXOTH)
		return 0;
	if (lchown(path, (uid_t)-1, u->gid) ||
	    chmod(path, (st.st_mode & 07777) | mode))
		return -errno;
	return 0;
}

int storeuser_pass(const char *dir, const struct sandbox_user *u)
{
	return u->uid == geteuid() ? 0 : admit(dir, u, S_IXGRP);
}

int storeuser_admit(const char *socket, const struct sandbox_user *u)
{
	char dir[PATH_MAX];
	int ret;

	if (u->uid == geteuid())
		return 0;
	snprintf(dir, sizeof(dir), "%s", socket);
	ret = storeuser_pass(dirname(dir), u);
	if (!ret)
		ret = storeuser_pass(dirname(dir), u);
	return ret ? ret : admit(socket, u, S_IRGRP | S_IWGRP);
}
