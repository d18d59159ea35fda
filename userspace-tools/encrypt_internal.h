/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENCRYPT_INTERNAL_H
#define ENCRYPT_INTERNAL_H

/* Between encrypt.c and encrypt_outer.c. */

#include "encrypt.h"
#include "extent.h"
#include "format.h"

/* Header, spare room, copy of the first piece, and something to encrypt. */
int encrypt_check_size(const struct encryption *e, struct reason *why);
/* Does what lies in @size bytes leave the room at the end? */
int encrypt_check_fits(const struct encryption *e, const struct extent *x, uint64_t size,
		       struct reason *why);
/* What reads pieces of 1024 bytes can't lie on sectors of 4096. */
int encrypt_check_sectors(const struct encryption *e, const struct extent *x,
			  unsigned int sector_size, struct reason *why);
/* What is going on must be able to go on: the private half of the key has to be here. */
int encrypt_check_unwraps(struct des_keys *dk, enum token_layer role, struct reason *why);
int encrypt_confirm(const struct encryption *e, const struct extent *x, struct reason *why);

/* The header, made and placed, with a record of it; with @nr_layers 2 an outer one. */
int encrypt_make(const struct encryption *e, struct format_params *p, unsigned int nr_layers,
		 struct reason *why);

#endif
