/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENCRYPT_H
#define ENCRYPT_H

#include "des_keys.h"
#include "options.h"

/*
 * The begin of an encryption in place: what lies on the device, data or a disk
 * with one layer, gets a header that says it is to be encrypted. Nothing is yet.
 * Whatever of this a power cut leaves is either the device as it was, or a header
 * that the run goes on with.
 */
struct encryption {
	const struct options *o;
	const char *device;
	const char *header;	/* detached, or NULL */
	uint64_t shift;		/* where the data will begin, in bytes; 0: with a detached header */
	uint64_t room;		/* that must be free at the end, in bytes: 2 * shift at least */
	bool twice;		/* a second layer follows */
	bool agreed;		/* by who was asked before */
	uint64_t sectors;	/* of the device, of 512 bytes */
};

/* Of a device with data; the set is --des's. */
int encrypt_begin(const struct encryption *e, struct des_keys *dk, struct reason *why);
/* Of a disk with one layer. */
int encrypt_begin_outer(const struct encryption *e, struct reason *why);

#endif
