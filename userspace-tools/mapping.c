// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>

#include "diag.h"
#include "keyring.h"
#include "mapping.h"

int mapping_wanted_size(const struct options *o, uint64_t *sectors, bool *given)
{
	*given = true;
	if (opt_given(o, OPT_SIZE) && opt_given(o, OPT_DEVICE_SIZE))
		return diag_fail(RC_PARAM, "--size and --device-size exclude each other.");
	if (opt_given(o, OPT_SIZE)) {
		*sectors = o->num[OPT_SIZE];
	} else if (opt_given(o, OPT_DEVICE_SIZE)) {
		if (o->num[OPT_DEVICE_SIZE] % SECTOR_SIZE)
			return diag_fail(RC_PARAM, "--device-size must be a multiple of 512 bytes.");
		*sectors = o->num[OPT_DEVICE_SIZE] / SECTOR_SIZE;
	} else {
		*given = false;
		*sectors = 0;
		return RC_OK;
	}
	if (!*sectors)
		return diag_fail(RC_PARAM, "A mapping can't have the size 0.");
	return RC_OK;
}

int mapping_check_size(const struct sse_table *t, const char *device, uint64_t device_sectors,
		       unsigned int block_size, uint64_t *size)
{
	unsigned int per_sector = t->sector_size / SECTOR_SIZE;
	uint64_t left;

	if (t->start >= device_sectors)
		return diag_fail(RC_PARAM,
			"Offset %" PRIu64 " is beyond the end of device %s, which has %" PRIu64 " sectors.",
			t->start, device, device_sectors);
	if (t->start * SECTOR_SIZE % block_size)
		return diag_fail(RC_PARAM, "Offset %" PRIu64 " is not a multiple of the device's block of %u bytes.",
				 t->start, block_size);
	left = device_sectors - t->start;
	if (!*size) {
		if (left % per_sector)
			return diag_fail(RC_PARAM,
				"The %" PRIu64 " sectors of device %s behind the offset are not a multiple of the\n"
				"encryption sector of %u bytes; --size %" PRIu64 " leaves out the rest.",
				left, device, t->sector_size, left - left % per_sector);
		*size = left;
	}
	if (*size > left)
		return diag_fail(RC_PARAM,
			"The mapping would have %" PRIu64 " sectors, but device %s has only %" PRIu64
			" behind the offset.", *size, device, left);
	if (*size % per_sector)
		return diag_fail(RC_PARAM,
			"Size %" PRIu64 " is not a multiple of the encryption sector of %u bytes (%u sectors).",
			*size, t->sector_size, per_sector);
	if (*size * SECTOR_SIZE % block_size)
		return diag_fail(RC_PARAM, "Size %" PRIu64 " is not a multiple of the device's block of %u bytes.",
				 *size, block_size);
	return RC_OK;
}

int mapping_find_keys(struct sse_table *t, const char *ring)
{
	struct key_info info;
	unsigned int i;
	int rc;

	for (i = 0; i < t->nr_layers; i++) {
		if (!t->layer[i].key.type[0])
			continue;
		rc = keyring_find(&t->layer[i].key, ring, &info);
		if (!rc)
			rc = keyring_resolve_size(&t->layer[i].key, &info);
		if (rc)
			return rc;
	}
	return RC_OK;
}
