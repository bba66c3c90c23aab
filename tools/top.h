/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/top.h - the table that xl top shows, in xentop's columns. */
#ifndef TOOLS_TOP_H
#define TOOLS_TOP_H

#include <stdbool.h>
#include <stdio.h>

#include "tools/counters.h"

/** TOP_PAST - Looks that a row remembers the CPU time of. */
#define TOP_PAST 16

/** struct top_row - One line; the members are xentop's columns. */
struct top_row {
	unsigned int domid;
	struct counters all; /* owned */
	char name[XL_NAME_SIZE];
	char state[8];
	uint64_t cpu_ns; /* for the next top_share() */
	uint64_t cpu_s;
	double cpu; /* percent of one CPU, since the look before */
	uint64_t mem_kib;
	double mem; /* percent of this host's */
	uint64_t max_kib;
	double max;
	uint64_t vcpus;
	uint64_t nets, tx_kib, rx_kib;
	uint64_t vbds, starved, reads, writes, read_sectors, write_sectors;
	uint64_t ssid;
	unsigned int npast;
	double past[TOP_PAST]; /* @cpu of @npast looks, this one last */
};

/** struct top - What one look saw. */
struct top {
	uint64_t ns; /* CLOCK_MONOTONIC */
	struct top_row *row;
	size_t n;
};

/**
 * top_add() - Add a guest.
 * @c: *Given*.
 * @host_kib: Memory of this host.
 *
 * Return: 0 or -ENOMEM.
 */
int top_add(struct top *t, struct counters *c, uint64_t host_kib) must_check;

/** top_add_host() - Add this host as Domain-0; Return: 0 or -ENOMEM. */
int top_add_host(struct top *t) must_check;

/** top_share() - Fill in the CPU time used since an earlier look, and what was before. */
void top_share(struct top *t, const struct top *before);

/** top_free() - Give the rows back; fine on a zeroed @t. */
void top_free(struct top *t);

/** top_columns - How many there are. */
extern const size_t top_columns;

/** top_column() - What a column is called. */
const char *top_column(size_t i);

/**
 * top_sort() - Sort by a column, names from a to z, numbers from the largest.
 *
 * Rows that are the same there are in the order of their domids.  @host_first: Whatever
 * is in the others.
 */
void top_sort(struct top *t, size_t column, bool host_first);

/** enum top_count - Of how many domains that is so. */
enum top_count {
	TOP_RUNNING,
	TOP_BLOCKED,
	TOP_PAUSED,
	TOP_CRASHED,
	TOP_DOWN,
	TOP_NCOUNTS,
};

/** top_count() - Count them. */
void top_count(const struct top *t, unsigned int count[TOP_NCOUNTS]);

/** enum top_spark - What a row's past is drawn with, behind its columns. */
enum top_spark { TOP_NO_SPARK, TOP_ASCII, TOP_BLOCKS };

/**
 * struct top_how - How rows are written.
 * @full: Names are not cut.
 * @vcpus, @nets, @vbds: Lines for each of these below a row.
 */
struct top_how {
	bool full, vcpus, nets, vbds;
	enum top_spark spark;
};

/**
 * top_json() - Write all rows as one JSON array, on one line.
 *
 * Return: 0, -ENOMEM, or -EIO.
 */
int top_json(FILE *f, const struct top *t) must_check;

/** top_head() - Write the columns' names. */
void top_head(FILE *f, const struct top_how *how);

/** top_write() - Write a row, and lines below it for what belongs to it. */
void top_write(FILE *f, const struct top_row *r, const struct top_how *how);

#endif
