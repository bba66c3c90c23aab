/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/metrics.h - counters of domains in the formats that Prometheus reads. */
#ifndef TOOLS_METRICS_H
#define TOOLS_METRICS_H

#include <stdio.h>

#include "tools/counters.h"

/**
 * enum metrics_format - How they are written.
 * @METRICS_TEXT: Prometheus' text format 0.0.4.
 * @METRICS_OPEN: OpenMetrics 1.0.
 */
enum metrics_format { METRICS_TEXT, METRICS_OPEN };

/** metrics_type() - What HTTP calls it. */
const char *metrics_type(enum metrics_format format);

/**
 * struct metrics - What there is to tell.
 * @dom:    @n domains.
 * @silent: Domains whose VMM did not answer, or was not asked for lack of time.
 * @took_ns: How long it took to ask all.
 */
struct metrics {
	struct counters *dom;
	size_t n;
	size_t silent;
	uint64_t took_ns;
};

/** metrics_write() - Write all, each family once. */
void metrics_write(FILE *f, enum metrics_format format,
		   const struct metrics *m);

#endif
