/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PROMETHEUS_H
#define PROMETHEUS_H

#include <stdint.h>
#include <stdio.h>

/* The text format that Prometheus reads, version 0.0.4. */

struct prom_label {
	const char *name;
	const char *value;	/* escaped when it is written */
};

/* All samples of a family follow its head. @type: "gauge" or "counter". */
void prom_family(FILE *out, const char *name, const char *type, const char *help);
/* @labels ends with a NULL name. */
void prom_sample(FILE *out, const char *name, const struct prom_label *labels, uint64_t value);

#endif
