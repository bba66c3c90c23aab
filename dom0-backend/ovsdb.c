// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/ovsdb.c - ports of Open vSwitch, by its database.
#include "dom0-backend/ovsdb.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <yajl/yajl_tree.h>

#include "base/fd.h"
#include "base/sock.h"

#define REPLY_MAX (1u << 20)

struct ovsdb {
	int fd;
	unsigned int id; /* of the last request */
	char *in;	 /* a reply, and what has come of the next */
	size_t len;
	char why[OVSDB_ERR];
};

int ovsdb_open(struct ovsdb **out)
{
	const char *path = getenv("SPLITVISOR_OVSDB");
	struct ovsdb *db = calloc(1, sizeof(*db));

	if (!db)
		return -ENOMEM;
	db->in = malloc(REPLY_MAX);
	db->fd = sock_connect(path && *path ? path : OVSDB_SOCKET,
			      SOCK_STREAM | SOCK_NONBLOCK);
	if (!db->in || db->fd < 0) {
		int ret = db->in ? db->fd : -ENOMEM;

		ovsdb_close(db);
		return ret;
	}
	*out = db;
	return 0;
}

void ovsdb_close(struct ovsdb *db)
{
	if (!db)
		return;
	fd_close(&db->fd);
	free(db->in);
	free(db);
}

const char *ovsdb_why(const struct ovsdb *db)
{
	return db->why;
}

/* ---- messages ------------------------------------------------------------ */

/* Wait till the socket is ready; -ETIMEDOUT at @end. */
static int wait_fd(const struct ovsdb *db, short what, uint64_t end)
{
	struct pollfd p = { .fd = db->fd, .events = what };
	uint64_t now = util_clock_ns();
	int ret;

	if (now >= end)
		return -ETIMEDOUT;
	ret = poll(&p, 1, (int)((end - now) / 1000000) + 1);
	return ret < 0 && errno != EINTR ? -errno : 0;
}

static int send_all(struct ovsdb *db, const char *text, uint64_t end)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t n = send(db->fd, text, len, MSG_NOSIGNAL);
		int ret = n < 0 ? -errno : 0;

		if (ret == -EAGAIN || ret == -EINTR)
			ret = wait_fd(db, POLLOUT, end);
		if (ret)
			return ret;
		n = MAX(n, 0);
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Bytes of the first whole message, 0 if it has not all come. */
static size_t whole(const char *in, size_t len)
{
	bool string = false;
	size_t depth = 0;

	for (size_t i = 0; i < len; i++) {
		if (string && in[i] == '\\')
			i++;
		else if (in[i] == '"')
			string = !string;
		else if (!string && (in[i] == '{' || in[i] == '['))
			depth++;
		else if (!string && depth && (in[i] == '}' || in[i] == ']') &&
			 !--depth)
			return i + 1;
	}
	return 0;
}

/* Receive a message; *@out is *owned* by the caller: yajl_tree_free(). */
static int recv_one(struct ovsdb *db, yajl_val *out, uint64_t end)
{
	size_t n;
	char next;

	while (!(n = whole(db->in, db->len))) {
		ssize_t got = recv(db->fd, db->in + db->len,
				   REPLY_MAX - 1 - db->len, 0);
		int ret = got < 0 ? -errno : got ? 0 : -ECONNRESET;

		if (db->len == REPLY_MAX - 1)
			return -EMSGSIZE;
		if (ret == -EAGAIN || ret == -EINTR)
			ret = wait_fd(db, POLLIN, end);
		if (ret)
			return ret;
		db->len += (size_t)MAX(got, 0);
	}
	next = db->in[n];
	db->in[n] = '\0';
	*out = yajl_tree_parse(db->in, NULL, 0);
	db->in[n] = next;
	db->len -= n;
	memmove(db->in, db->in + n, db->len);
	return *out ? 0 : -EPROTO;
}

static yajl_val member(yajl_val from, const char *name, yajl_type type)
{
	const char *path[] = { name, NULL };

	return from ? yajl_tree_get(from, path, type) : NULL;
}

static const char *text_of(yajl_val v, const char *name)
{
	yajl_val s = member(v, name, yajl_t_string);

	return s ? YAJL_GET_STRING(s) : NULL;
}

/* What the database says of one operation; sets db->why if that is an error. */
static int judge(struct ovsdb *db, yajl_val op)
{
	const char *error = text_of(op, "error");
	const char *details = text_of(op, "details");
	char shown[OVSDB_ERR];

	if (!error)
		return 0;
	if (details)
		error = details;
	util_escape(shown, sizeof(shown), error, strlen(error));
	snprintf(db->why, sizeof(db->why), "%s", shown);
	return -EIO;
}

/* Of what is known to be an array. */
static size_t length(yajl_val v)
{
	return v->u.array.len;
}

static yajl_val item(yajl_val v, size_t i)
{
	return v->u.array.values[i];
}

/*
 * Run operations, a list in JSON without its brackets, as one transaction.
 * *@out is the answer, to be freed with yajl_tree_free(); *@result is in it, with
 * @nops results at least.
 */
static int transact(struct ovsdb *db, const char *ops, size_t nops,
		    yajl_val *out, yajl_val *result)
{
	uint64_t end = util_clock_ns() + OVSDB_MS * UINT64_C(1000000);
	char *text = NULL;
	yajl_val id;
	size_t n;
	int ret;

	db->why[0] = '\0';
	if (asprintf(&text,
		     "{\"method\":\"transact\",\"id\":%u,\"params\":"
		     "[\"Open_vSwitch\",%s]}",
		     ++db->id, ops) < 0)
		return -ENOMEM;
	ret = send_all(db, text, end);
	free(text);
	for (*out = NULL; !ret; *out = NULL) {
		ret = recv_one(db, out, end);
		id = ret ? NULL : member(*out, "id", yajl_t_number);
		if (ret || (id && YAJL_IS_INTEGER(id) &&
			    YAJL_GET_INTEGER(id) == (long long)db->id))
			break;
		yajl_tree_free(*out); /* a question of the server's */
	}
	if (ret)
		return ret;
	*result = member(*out, "result", yajl_t_array);
	n = *result ? length(*result) : 0;
	for (size_t i = 0; i < n && !ret; i++)
		ret = judge(db, item(*result, i));
	if (!ret && (!*result || n < nops))
		ret = -EPROTO;
	if (ret) {
		yajl_tree_free(*out);
		*out = NULL;
	}
	return ret;
}

/* The rows of the @i-th operation, a select; NULL if there are none. */
static yajl_val rows(yajl_val result, size_t i)
{
	return member(item(result, i), "rows", yajl_t_array);
}

/* ---- bridges and ports ------------------------------------------------------ */

int ovsdb_has_bridge(struct ovsdb *db, const char *name)
{
	yajl_val answer, result, found;
	char *ops = NULL;
	int ret;

	if (asprintf(&ops,
		     "{\"op\":\"select\",\"table\":\"Bridge\","
		     "\"where\":[[\"name\",\"==\",\"%s\"]],"
		     "\"columns\":[\"name\"]}",
		     name) < 0)
		return -ENOMEM;
	ret = transact(db, ops, 1, &answer, &result);
	free(ops);
	if (ret)
		return ret;
	found = rows(result, 0);
	ret = found && length(found);
	yajl_tree_free(answer);
	return ret;
}

/* The columns of a Port that say what VLANs it is in. */
static void put_vlan(FILE *f, const struct vlan_set *set)
{
	unsigned int n = 0;

	if (!set)
		return;
	if (set->pvid)
		fprintf(f, ",\"tag\":%u", set->pvid);
	for (unsigned int vid = 1; vid <= VLAN_MAX; vid++) {
		if (vid == set->pvid || !set->member[vid])
			continue;
		fprintf(f, "%s%u", n++ ? "," : ",\"trunks\":[\"set\",[", vid);
	}
	fprintf(f, "%s,\"vlan_mode\":\"%s\"", n ? "]]" : "",
		!set->pvid ? "trunk"
		: n	   ? "native-untagged"
			   : "access");
}

/* As ovs-vsctl does it; next_cfg wakes ovs-vswitchd's clients. */
static void put_port(FILE *f, const struct ovsdb_port *p)
{
	fprintf(f,
		"{\"op\":\"insert\",\"table\":\"Interface\",\"uuid-name\":\"i\","
		"\"row\":{\"name\":\"%s\"",
		p->name);
	if (p->mac)
		fprintf(f,
			",\"external_ids\":[\"map\",[[\"attached-mac\",\"%s\"]]]",
			p->mac);
	fprintf(f,
		"}},{\"op\":\"insert\",\"table\":\"Port\",\"uuid-name\":\"p\","
		"\"row\":{\"name\":\"%s\",\"interfaces\":[\"named-uuid\",\"i\"],"
		"\"external_ids\":[\"map\",[[\"splitvisor\",\"%s\"]]]",
		p->name, p->owner);
	put_vlan(f, p->vlan);
	fprintf(f,
		"}},{\"op\":\"mutate\",\"table\":\"Bridge\","
		"\"where\":[[\"name\",\"==\",\"%s\"]],\"mutations\":"
		"[[\"ports\",\"insert\",[\"named-uuid\",\"p\"]]]},"
		"{\"op\":\"mutate\",\"table\":\"Open_vSwitch\",\"where\":[],"
		"\"mutations\":[[\"next_cfg\",\"+=\",1]]}",
		p->bridge);
}

int ovsdb_add_port(struct ovsdb *db, const struct ovsdb_port *port)
{
	yajl_val answer, result, count;
	char *ops = NULL;
	size_t size;
	FILE *f = open_memstream(&ops, &size);
	int ret;

	if (!f)
		return -ENOMEM;
	put_port(f, port);
	if (fclose(f)) {
		free(ops);
		return -ENOMEM;
	}
	ret = transact(db, ops, 4, &answer, &result);
	free(ops);
	if (ret)
		return ret;
	count = member(item(result, 2), "count", yajl_t_number);
	if (!count || !YAJL_IS_INTEGER(count) || YAJL_GET_INTEGER(count) != 1) {
		snprintf(db->why, sizeof(db->why), "the bridge is gone");
		ret = -ENODEV;
	}
	yajl_tree_free(answer);
	return ret;
}

/* Add to @f what takes the port of a row out of its bridge, if it is a UUID. */
static bool put_removal(FILE *f, yajl_val row, bool first)
{
	yajl_val pair = member(row, "_uuid", yajl_t_array);
	const char *uuid = NULL;

	if (pair && length(pair) == 2)
		uuid = YAJL_GET_STRING(item(pair, 1));
	if (!uuid || strspn(uuid, "0123456789abcdef-") != strlen(uuid))
		return false;
	fprintf(f,
		"%s{\"op\":\"mutate\",\"table\":\"Bridge\",\"where\":"
		"[[\"ports\",\"includes\",[\"uuid\",\"%s\"]]],\"mutations\":"
		"[[\"ports\",\"delete\",[\"uuid\",\"%s\"]]]}",
		first ? "" : ",", uuid, uuid);
	return true;
}

/* Rows that nothing refers to are removed by the database itself. */
static int remove_rows(struct ovsdb *db, yajl_val found)
{
	yajl_val answer, result;
	char *ops = NULL;
	size_t size, n = 0;
	FILE *f = open_memstream(&ops, &size);
	int ret = 0;

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < length(found); i++)
		n += put_removal(f, item(found, i), !n);
	if (fclose(f))
		ret = -ENOMEM;
	if (!ret && n) {
		ret = transact(db, ops, n, &answer, &result);
		if (!ret)
			yajl_tree_free(answer);
	}
	free(ops);
	return ret;
}

int ovsdb_del_ports(struct ovsdb *db, const char *owner, const char *name)
{
	char *ops = NULL, only[64] = "";
	yajl_val answer, result, found;
	int ret;

	if (name)
		snprintf(only, sizeof(only), ",[\"name\",\"==\",\"%s\"]", name);
	if (asprintf(&ops,
		     "{\"op\":\"select\",\"table\":\"Port\",\"where\":"
		     "[[\"external_ids\",\"includes\",[\"map\","
		     "[[\"splitvisor\",\"%s\"]]]]%s],\"columns\":[\"_uuid\"]}",
		     owner, only) < 0)
		return -ENOMEM;
	ret = transact(db, ops, 1, &answer, &result);
	free(ops);
	if (ret)
		return ret;
	found = rows(result, 0);
	if (found)
		ret = remove_rows(db, found);
	yajl_tree_free(answer);
	return ret;
}
