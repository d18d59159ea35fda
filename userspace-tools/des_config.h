/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DES_CONFIG_H
#define DES_CONFIG_H

#include "des.h"

/*
 * The configuration file of a disk encryption set: text to struct des and
 * back. No files are opened.
 */

#define DES_LEASE_DEFAULT	3600
#define DES_LEASE_MAX		(365U * 24 * 3600)
#define DES_TIMEOUT_DEFAULT	10
#define DES_TIMEOUT_MAX		600

/*
 * Fills in the configuration of @des, whose name is set. The reason begins
 * with "line N: ".
 */
int des_config_parse(const char *text, size_t size, struct des *des, struct reason *why);

/* The rules that tie one value to another; what is broken is named by its key. */
int des_config_check(const struct des *des, struct reason *why);

/* A commented file, to be freed; NULL: no memory. */
char *des_config_format(const struct des *des);

/*
 * The text with those lines changed, or added, that differ from @des. *@edited
 * is to be freed.
 */
int des_config_edit(const char *text, size_t size, const struct des *des, char **edited,
		    struct reason *why);

/* What is set when nothing is said. @des has its name and type. */
void des_config_defaults(struct des *des);

#endif
