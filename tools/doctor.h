/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/doctor.h - what this host has for running guests, and what it lacks. */
#ifndef TOOLS_DOCTOR_H
#define TOOLS_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"

enum doctor_level {
	DOCTOR_OK,
	DOCTOR_WARN, /* guests run, but slower or without something */
	DOCTOR_FAIL, /* no guest can run */
	DOCTOR_NLEVELS,
};

/** struct doctor_line - One finding. */
struct doctor_line {
	enum doctor_level level;
	const char *check; /* static: "kvm" */
	char found[200];
	char remedy[200]; /* "" with DOCTOR_OK */
};

/**
 * struct doctor - All findings.
 * @root: Put before the paths in /proc, /sys, /dev and /lib that are looked at;
 *        "" for this host.
 */
struct doctor {
	const char *root;
	size_t n;
	struct doctor_line line[40];
};

/** doctor_run() - Look at everything; changes nothing. */
void doctor_run(struct doctor *d, const char *root);

/** doctor_worst() - The worst level found. */
enum doctor_level doctor_worst(const struct doctor *d);

/** doctor_print() - To standard output, as lines or as one JSON object. */
void doctor_print(const struct doctor *d, bool json);

/**
 * doctor_xen_bits() - Names of KVM_CAP_XEN_HVM's bits that are absent.
 * @caps:   What KVM reports.
 * @needed: Which bits to ask for.
 * @buf:    Receives the names with blanks between them.
 *
 * Return: @buf.
 */
char *doctor_xen_bits(unsigned int caps, unsigned int needed, char *buf,
		      size_t size);

/** DOCTOR_XEN_NEEDED - The bits without which no guest runs. */
#define DOCTOR_XEN_NEEDED 0x36u

/** doctor_kvm() - The checks that need an open /dev/kvm; see doctor_kvm.c. */
void doctor_kvm(struct doctor *d);

/** doctor_add() - Add a finding; @remedy may be NULL with DOCTOR_OK. */
void doctor_add(struct doctor *d, enum doctor_level level, const char *check,
		const char *remedy, const char *fmt, ...) printf_like(5, 6);

/** doctor_path() - @path below the root; Return: @buf, PATH_MAX bytes. */
const char *doctor_path(const struct doctor *d, char *buf, const char *path);

#endif
