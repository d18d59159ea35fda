/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DES_OPTIONS_H
#define DES_OPTIONS_H

#include "des.h"
#include "options.h"

/* What the command line says of a disk encryption set. */

/* Is it the name of a set? RC_PARAM if not. */
int des_check_name(const char *name, struct reason *why);

/*
 * Those options that are given into @des, and a look whether it is right then.
 * @arg: the const struct options; as des_change_config() calls it.
 */
int des_take_options(struct des *des, void *arg, struct reason *why);

#endif
