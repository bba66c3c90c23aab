// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_limits.c - what the store offers domains, and how much they may have of it.
#include "tools/xl_limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xs_wire.h"
#include "tools/xl_store.h"

int xl_limit_parse(struct xl_limit *l, const char *spec, const char **why)
{
	const char *eq = strchr(spec, '=');
	unsigned long v;
	char *end;

	if (!eq) {
		*why = "lacks \"=\"";
		return -EINVAL;
	}
	*why = "uses illegal value";
	errno = 0;
	v = strtoul(eq + 1, &end, 0);
	if (errno || !eq[1] || *end || v > UINT32_MAX)
		return -EINVAL;
	l->value = (uint32_t)v;
	l->name = strndup(spec, (size_t)(eq - spec));
	return l->name ? 0 : -ENOMEM;
}

void xl_limits_free(struct xl_limit *l, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(l[i].name);
	free(l);
}

/* ---- Messages that Debian's libxenstore does not know yet ----------------- */

static int number(const char *reply, uint32_t *out)
{
	uint64_t v;

	if (util_u64(reply, UINT32_MAX, &v))
		return -EPROTO;
	*out = (uint32_t)v;
	return 0;
}

/* The strings of a request: a domid if there is one, and what follows. */
static int talk(uint32_t type, int domid, const char *a, const char *b,
		char *reply)
{
	const char *args[4] = { NULL };
	char id[16];
	size_t n = 0;

	snprintf(id, sizeof(id), "%d", domid);
	if (domid != XL_LIMITS_ALL)
		args[n++] = id;
	if (a)
		args[n++] = a;
	if (b)
		args[n++] = b;
	return xl_store_talk(type, args, reply);
}

static int get_value(int domid, const char *name, uint32_t *value)
{
	char reply[XL_STORE_REPLY];
	int ret = talk(XS_GET_QUOTA, domid, name, NULL, reply);

	return ret ? ret : number(reply, value);
}

/* Those of which @names has the names; @l has room, and @n is how many it has. */
static int get_all(int domid, struct xl_limit *l, size_t *n, char *names)
{
	char *name;
	int ret;

	while ((name = strsep(&names, " "))) {
		if (!*name)
			continue;
		ret = get_value(domid, name, &l[*n].value);
		if (ret)
			return ret;
		if (asprintf(&l[*n].name, "%s", name) < 0)
			return -ENOMEM;
		++*n;
	}
	return 0;
}

int xl_limits_get(int domid, struct xl_limit **out, size_t *n)
{
	char names[XL_STORE_REPLY];
	struct xl_limit *l;
	int ret;

	ret = talk(XS_GET_QUOTA, XL_LIMITS_ALL, NULL, NULL, names);
	if (ret == -ENOSYS)
		*names = '\0';
	else if (ret)
		return ret;
	l = calloc(strlen(names) + 1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	*n = 0;
	ret = get_all(domid, l, n, names);
	if (ret)
		xl_limits_free(l, *n);
	else
		*out = l;
	return ret;
}

int xl_limits_set(int domid, const struct xl_limit *l, size_t n, size_t *failed)
{
	char reply[XL_STORE_REPLY], value[16];
	int ret = 0;

	for (size_t i = 0; i < n && !ret; i++) {
		snprintf(value, sizeof(value), "%u", l[i].value);
		ret = talk(XS_SET_QUOTA, domid, l[i].name, value, reply);
		if (ret)
			*failed = i;
	}
	return ret;
}

int xl_features_get(uint32_t *features)
{
	char reply[XL_STORE_REPLY];
	int ret = talk(XS_GET_FEATURE, XL_LIMITS_ALL, NULL, NULL, reply);

	return ret ? ret : number(reply, features);
}

int xl_features_set(unsigned int domid, uint32_t features)
{
	char reply[XL_STORE_REPLY], value[16];

	snprintf(value, sizeof(value), "%u", features);
	return talk(XS_SET_FEATURE, (int)domid, value, NULL, reply);
}
