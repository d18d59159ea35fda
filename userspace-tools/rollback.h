/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ROLLBACK_H
#define ROLLBACK_H

#include "disk.h"

/*
 * Says whether the headers of a disk that came from a backup name another
 * version of the key than its set uses now, and whether that is still there.
 * Layers that weren't reached are left out.
 */
void rollback_report(struct disk *d);

#endif
