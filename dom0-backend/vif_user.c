// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/vif_user.c - a card behind passt(1): sockets of the host, no interface.
#include "dom0-backend/vif_wire.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "dom0-backend/spawn.h"

#define WORDS	  "host, tcp:PORT, udp:PORT"
#define MAX_WORDS 16
#define MAX_ARGS  (2 * MAX_WORDS + 16)

/* Arguments of sv-usernet: what they point to outlives them. */
struct args {
	char *argv[MAX_ARGS + 1];
	size_t n;
	bool host, udp;
};

static void add(struct args *a, const char *text)
{
	if (a->n < MAX_ARGS)
		a->argv[a->n++] = (char *)(uintptr_t)text;
}

/* "[ADDRESS/]PORTS[:PORTS]": passt knows the rest, but not our other words. */
static bool is_ports(const char *text)
{
	if (!isxdigit((unsigned char)*text) && *text != ':')
		return false;
	return strspn(text, "0123456789abcdefABCDEF.:/-") == strlen(text);
}

static bool add_word(struct args *a, const char *word)
{
	if (!strcmp(word, "host")) {
		a->host = true;
		return true;
	}
	if ((strncmp(word, "tcp:", 4) != 0 && strncmp(word, "udp:", 4) != 0) ||
	    !is_ports(word + 4))
		return false;
	a->udp |= *word == 'u';
	add(a, *word == 'u' ? "-u" : "-t");
	add(a, word + 4);
	return true;
}

/*
 * Options of passt.  @words is changed: cut apart.  A guest reaches no service that
 * the host has for itself alone unless that is asked for.
 */
static bool add_words(struct args *a, char *words)
{
	char *word, *rest = *words ? words : NULL;
	int n = 0;

	while ((word = strsep(&rest, "+"))) {
		if (++n > MAX_WORDS || !add_word(a, word))
			return false;
	}
	if (!a->host)
		add(a, "--no-map-gw");
	if (!a->udp) { /* passt's default is the ports of TCP */
		add(a, "-u");
		add(a, "none");
	}
	return true;
}

static int check(struct vif_setup *s, const char *arg)
{
	struct vif_user *u = &s->link->user;
	struct args a = { .n = 0 };
	char words[sizeof(u->words)], shown[64];

	if (vif_has(s->cfg->bridge) || vif_has(s->cfg->vifname))
		return vif_fail(s, -EINVAL,
				"net=user has no interface on the host: leave "
				"bridge= and vifname= out");
	if (arg && strlen(arg) >= sizeof(words))
		return vif_fail(s, -EINVAL,
				"net=user: more than %zu bytes of settings",
				sizeof(words) - 1);
	snprintf(words, sizeof(words), "%s", arg ? arg : "");
	snprintf(u->words, sizeof(u->words), "%s", words);
	snprintf(u->domid, sizeof(u->domid), "%u", s->cfg->domid);
	snprintf(u->devid, sizeof(u->devid), "%u", s->cfg->devid);
	u->mtu = s->cfg->mtu;
	s->link->name[0] = '\0';
	if ((arg && !*arg) || !add_words(&a, words))
		return vif_fail(
			s, -EINVAL,
			"net=user:%s: it must be user, or user: and some of " WORDS
			" with '+' between, such as user:tcp:8080:80",
			util_escape(shown, sizeof(shown), u->words,
				    strlen(u->words)));
	return 0;
}

static int open_wire(struct vif_setup *s, unsigned int nqueues)
{
	int pair[2];

	(void)nqueues;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       0, pair))
		return vif_fail(s, -errno, "net=user: a socket: %s",
				strerror(errno));
	s->link->fd[0] = pair[0];
	s->link->user.far = pair[1];
	return 0;
}

/* Start sv-usernet with the far end: from then on it is that process' alone. */
static int start(struct vif_user *u)
{
	char wire[16], ready[16], mtu[16], words[sizeof(u->words)];
	struct args a = { .n = 0 };
	int pipe[2], ret;

	if (pipe2(pipe, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	snprintf(wire, sizeof(wire), "%d", u->far);
	snprintf(ready, sizeof(ready), "%d", pipe[1]);
	snprintf(mtu, sizeof(mtu), "%u", u->mtu);
	memcpy(words, u->words, sizeof(words));
	add(&a, "sv-usernet");
	add(&a, "--domid");
	add(&a, u->domid);
	add(&a, "--devid");
	add(&a, u->devid);
	add(&a, "--wire");
	add(&a, wire);
	add(&a, "--ready");
	add(&a, ready);
	add(&a, "--");
	if (u->mtu) {
		add(&a, "-m");
		add(&a, mtu);
	}
	ret = add_words(&a, words) ? 0
				   : -EINVAL; /* check() has said they are */
	if (!ret)
		ret = spawn(&u->pid, a.argv[0], a.argv,
			    (int[]){ u->far, pipe[1] }, 2);
	fd_close(&pipe[1]);
	fd_close(&u->far);
	u->said = pipe[0];
	return ret;
}

/* What sv-usernet has said: nothing, if passt serves. */
static int ended(struct vif_user *u, char *why, size_t size)
{
	ssize_t n = read(u->said, why, size - 1);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EINPROGRESS;
	fd_close(&u->said);
	why[MAX(n, 0)] = '\0';
	if (n <= 0)
		snprintf(why, size, "sv-usernet has ended before it was ready");
	return n == 1 ? 0 : -ECHILD;
}

/*
 * Passt is started when no other worker has the card any more: it may have the ports
 * that this one is to have.
 */
static int ready(struct vif_link *l, char *err, size_t errlen)
{
	struct vif_user *u = &l->user;
	char why[200], shown[256];
	int ret;

	if (u->far >= 0) {
		ret = start(u);
		if (!ret)
			return -EINPROGRESS;
		fd_close(&u->said);
		snprintf(why, sizeof(why), "sv-usernet: %s", strerror(-ret));
	} else if (u->said >= 0) {
		ret = ended(u, why, sizeof(why));
	} else {
		return 0;
	}
	if (!ret || ret == -EINPROGRESS)
		return ret;
	snprintf(err, errlen, "net=user%s%s: passt: %s", *u->words ? ":" : "",
		 u->words, util_escape(shown, sizeof(shown), why, strlen(why)));
	return -EAGAIN; /* a port may be in use for a moment */
}

static bool reaped(struct vif_link *l, pid_t pid)
{
	if (l->user.pid != pid)
		return false;
	l->user.pid = 0;
	return true;
}

static void undo(struct link_nl *nl, const struct vif_link *l)
{
	struct vif_user u = l->user;

	(void)nl;
	fd_close(&u.far);
	fd_close(&u.said);
}

const struct vif_wiring vif_user = {
	"user",		.bare = true,	  .check = check, .open = open_wire,
	.ready = ready, .reaped = reaped, .undo = undo,
};
