/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef META_SEGMENT_H
#define META_SEGMENT_H

#include "meta.h"

/* What a LUKS2 header's JSON says, as crypt_dump_json() has it. Text only. */

/* All of the segment but key_bytes, which keyslots know. */
int meta_segment_parse(const char *json, struct meta_segment *segment, struct reason *why);

/* Do two headers speak of the same volume key? */
bool meta_same_volume_key(const char *json, const char *other);

#endif
