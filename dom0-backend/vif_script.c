// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/vif_script.c - a card that a hotplug script wires.
#include "dom0-backend/vif_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define MAX_ENV 10

static int check(struct vif_setup *s, const char *arg)
{
	const char *path = s->cfg->script;
	char shown[128];

	(void)arg;
	util_escape(shown, sizeof(shown), path, strlen(path));
	if (vif_has(s->cfg->net))
		return vif_fail(s, -EINVAL,
				"script=%s and net= are two ways to wire a "
				"card: leave one out",
				shown);
	if (*path != '/' || strlen(path) >= sizeof(s->link->script) ||
	    access(path, X_OK))
		return vif_fail(s, -ENOENT,
				"script=%s is not a program's path: scripts "
				"without a path are looked for in "
				"/etc/xen/scripts (xen-utils-common has some)",
				shown);
	snprintf(s->link->script, sizeof(s->link->script), "%s", path);
	return 0;
}

/* What a script finds; without the device's directory it has @link's. */
static int set_env(const struct vif_link *l, char *env[MAX_ENV])
{
	const char *const vars[][2] = {
		{ "script", l->script },
		{ "XENBUS_TYPE", "vif" },
		{ "XENBUS_BASE_PATH", "backend" },
		{ "XENBUS_PATH", l->store },
		{ "vif", l->name },
		{ "netdev", l->gatewaydev },
		{ "bridge", l->bridge },
		{ "ip", l->guard },
	};

	_Static_assert(ARRAY_SIZE(vars) <= MAX_ENV, "room for them");
	for (size_t i = 0; i < ARRAY_SIZE(vars); i++) {
		if (asprintf(&env[i], "%s=%s", vars[i][0], vars[i][1]) < 0) {
			while (i--)
				free(env[i]);
			return -ENOMEM;
		}
	}
	return (int)ARRAY_SIZE(vars);
}

static int run(struct vif_link *l, const char *action)
{
	char *env[MAX_ENV];
	struct hotplug_run what = {
		.script = l->script,
		.action = action,
		.env = env,
		.fds = l->fd,
		.nfds = l->nqueues,
	};
	int ret = set_env(l, env);

	if (ret < 0)
		return ret;
	what.nenv = (size_t)ret;
	ret = hotplug_start(&l->hotplug, &what);
	while (what.nenv)
		free(env[--what.nenv]);
	if (ret)
		log_err("%s %s: %s", l->script, action, strerror(-ret));
	return ret;
}

/* What the script is told, and it may look for when the device's keys are gone. */
static int attach(struct vif_setup *s)
{
	struct vif_link *l = s->link;

	l->index = s->index;
	snprintf(l->store, sizeof(l->store), "backend/vif/%u/%u", s->cfg->domid,
		 s->cfg->devid);
	snprintf(l->bridge, sizeof(l->bridge), "%s",
		 s->cfg->bridge ? s->cfg->bridge : "");
	snprintf(l->gatewaydev, sizeof(l->gatewaydev), "%s",
		 s->cfg->gatewaydev ? s->cfg->gatewaydev : "");
	return 0;
}

/* A script gives the interface the name that vifname= has. */
static void follow_name(struct vif_link *l)
{
	struct link_info info;
	struct link_nl *nl;

	if (link_open(&nl))
		return;
	if (!link_get_index(nl, l->index, &info))
		memcpy(l->name, info.name, sizeof(l->name));
	link_close(nl);
}

static int ready(struct vif_link *l, char *err, size_t errlen)
{
	char why[160];
	int ret = 0;

	if (l->online == VIF_SCRIPT_DONE)
		return 0;
	if (l->online == VIF_SCRIPT_NONE) {
		l->online = VIF_SCRIPT_RUNS;
		ret = run(l, "online");
		if (!ret)
			return -EINPROGRESS;
		snprintf(why, sizeof(why), "%s", strerror(-ret));
	} else {
		ret = hotplug_ended(&l->hotplug, why, sizeof(why));
	}
	if (ret == -EINPROGRESS)
		return ret;
	follow_name(l);
	l->online = VIF_SCRIPT_DONE;
	if (ret)
		snprintf(err, errlen,
			 "%s online: %s: look at what it says in the log",
			 l->script, why);
	return ret;
}

static bool reaped(struct vif_link *l, pid_t pid)
{
	if (l->hotplug.pid != pid)
		return false;
	l->hotplug.pid = 0;
	return true;
}

/* Each "online" has its "offline", once. */
pid_t vif_quit(struct vif_link *l)
{
	if (!l->script[0] || l->online == VIF_SCRIPT_NONE)
		return 0;
	hotplug_stop(&l->hotplug);
	l->online = VIF_SCRIPT_NONE;
	return run(l, "offline") ? 0 : l->hotplug.pid;
}

const struct vif_wiring vif_script = {
	.check = check,
	.attach = attach,
	.ready = ready,
	.reaped = reaped,
};
