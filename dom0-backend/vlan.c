// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/vlan.c - the VLANs of a port, as vlan= has them.
#include "dom0-backend/vlan.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* One term: @count VLANs from @vid on, each by @step more. */
struct term {
	unsigned int vid, step, count;
	bool own, untagged;
};

static const char bad_term[] =
	"each part is VID, FIRST-LAST or VID+STEPxCOUNT of 1 to 4094, such as "
	"10p/20-29";

/* A number of at most four digits; @at goes behind it. */
static bool read_number(const char **at, unsigned int *out)
{
	unsigned int n = 0, digits = 0;

	while (isdigit((unsigned char)**at) && digits < 5) {
		n = n * 10 + (unsigned int)(**at - '0');
		digits++;
		++*at;
	}
	*out = n;
	return digits && digits < 5;
}

static bool skip(const char **at, char c)
{
	bool found = **at == c;

	*at += found;
	return found;
}

static bool read_term(const char **at, struct term *t)
{
	unsigned int last;

	*t = (struct term){ .step = 1, .count = 1 };
	if (!read_number(at, &t->vid))
		return false;
	if (skip(at, '-')) {
		if (!read_number(at, &last) || last < t->vid)
			return false;
		t->count = last - t->vid + 1;
	} else if (skip(at, '+')) {
		if (!read_number(at, &t->step) || !skip(at, 'x') ||
		    !read_number(at, &t->count))
			return false;
	} else {
		t->own = skip(at, 'p');
	}
	t->untagged = t->own || skip(at, 'u');
	return (!**at || **at == '/') && t->vid && t->step && t->count &&
	       t->vid + (uint64_t)t->step * (t->count - 1) <= VLAN_MAX;
}

static const char *add_term(struct vlan_set *set, const struct term *t)
{
	if (t->own && set->pvid)
		return "only one VLAN can be the port's own, marked by p";
	if (t->own)
		set->pvid = (uint16_t)t->vid;
	for (unsigned int i = 0; i < t->count; i++) {
		uint8_t *member = &set->member[t->vid + i * t->step];

		if (*member)
			return "a VLAN is named twice: name it once";
		*member = t->untagged ? VLAN_UNTAGGED : VLAN_TAGGED;
	}
	return NULL;
}

int vlan_parse(const char *text, struct vlan_set *out, const char **why)
{
	struct vlan_set set = { 0 };
	unsigned int total = 0;
	struct term t;

	do {
		*why = read_term(&text, &t) ? add_term(&set, &t) : bad_term;
		if (*why)
			return -EINVAL;
		total += t.count;
	} while (skip(&text, '/'));
	if (total == 1 && !set.pvid) {
		set.pvid = (uint16_t)t.vid;
		set.member[t.vid] = VLAN_UNTAGGED;
	}
	if (!set.pvid) {
		*why = "one VLAN must be the port's own: mark it by p, such as "
		       "10p/20-29";
		return -EINVAL;
	}
	*out = set;
	return 0;
}

enum vlan_member vlan_run(const struct vlan_set *set, unsigned int from,
			  unsigned int *first, unsigned int *last)
{
	while (from <= VLAN_MAX && !set->member[from])
		from++;
	if (from > VLAN_MAX)
		return VLAN_NONE;
	*first = *last = from;
	while (from != set->pvid && *last < VLAN_MAX &&
	       *last + 1 != set->pvid &&
	       set->member[*last + 1] == set->member[from])
		++*last;
	return (enum vlan_member)set->member[from];
}
