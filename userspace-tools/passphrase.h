/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASSPHRASE_H
#define PASSPHRASE_H

#include "options.h"
#include "reason.h"
#include "secmem.h"

/*
 * A passphrase as cryptsetup reads it: typed at the terminal, up to the end of
 * the line; from standard input if that is no terminal, likewise; or all of
 * --key-file, within --keyfile-offset and --keyfile-size.
 */
int passphrase_read(const struct options *o, const char *device, struct secmem **passphrase,
		    size_t *size, struct reason *why);

#endif
