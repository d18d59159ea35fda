// SPDX-License-Identifier: GPL-2.0-only
/*
 * Labels of cache devices, with a checksum that is right: the input lies over a label
 * behind its name. What is taken makes sense, and is written the same again.
 */
#include <openssl/sha.h>

#include "cache_label.h"
#include "fuzz.h"

#define NAME_SIZE	16
#define SUM_AT		(CACHE_LABEL_BYTES - 32)
#define SECTORS		(1u << 21)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char bytes[CACHE_LABEL_BYTES] = "dm-sse cache", again[CACHE_LABEL_BYTES];
	struct cache_label label, other;

	if (size > SUM_AT - NAME_SIZE)
		return 0;
	if (size)
		memcpy(bytes + NAME_SIZE, data, size);
	SHA256(bytes, SUM_AT, bytes + SUM_AT);
	if (!cache_label_decode(bytes, SECTORS, &label))
		return 0;
	judge(label.start <= SECTORS && label.size <= SECTORS - label.start, "beyond the device",
	      label.disk);
	judge(label.metadata_start + label.metadata_size <= label.start, "one over the other",
	      label.disk);
	judge(*cache_mode_name(label.mode), "no mode", label.disk);
	cache_label_encode(&label, again);
	judge(cache_label_decode(again, SECTORS, &other) && !memcmp(&label, &other, sizeof(label)),
	      "another label", label.disk);
	return 0;
}
