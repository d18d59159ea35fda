/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HIDDEN_H
#define HIDDEN_H

#include <stdbool.h>
#include <stdint.h>

#include "disk.h"

/*
 * A mapping of an unlocked disk for ssesetup's own use: all layers, hidden from
 * udev's rules. It has a lease as any open disk of its set, and goes away with
 * this process, however that ends.
 */
struct hidden {
	char name[64];		/* "": not there */
	int fd;			/* with O_DIRECT */
	uint64_t size;		/* bytes */
	uint64_t start;		/* of the data on the disk's device, in bytes */
	unsigned int sector_size;
};

void hidden_init(struct hidden *h);
int hidden_open(struct hidden *h, const struct disk *d, const struct des_keys *dk,
		bool readonly, struct reason *why);
void hidden_close(struct hidden *h);

/*
 * Takes away what an ssesetup that was killed has left: mappings and keys.
 * Returns an enum exit_code: is there a device-mapper at all?
 */
int hidden_sweep(void);

#endif
