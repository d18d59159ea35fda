// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <keyutils.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "secmem.h"
#include "temp_key.h"

/* The bytes are in this process between these two braces and at no other time. */
static int make_key(const struct keyref *key, int32_t *serial, struct reason *why)
{
	SECMEM_AUTO random = secmem_new(KEY_BYTES_MAX);
	int rc = RC_OK;

	if (!random)
		return reason_set(why, RC_NOMEM,
			"No memory that can be locked for a key: %s (see ulimit -l).", strerror(errno));
	if (RAND_priv_bytes(secmem_data(random), (int)key->bytes) != 1)
		return reason_set(why, RC_DEVICE, "libcrypto gives no random numbers for a key.");
	*serial = add_key(key->type, key->desc, secmem_data(random), key->bytes,
			  KEY_SPEC_THREAD_KEYRING);
	if (*serial == -1)
		rc = reason_set(why, errno == EDQUOT ? RC_NOMEM : RC_PERM,
				"No key can be added to a keyring: %s.", strerror(errno));
	return rc;
}

int temp_keys_make(struct temp_keys *keys, struct sse_table *t, struct reason *why)
{
	uint64_t name;
	int rc;

	memset(keys, 0, sizeof(*keys));
	/* No key that is made later can be taken for this one. */
	if (RAND_bytes((unsigned char *)&name, sizeof(name)) != 1)
		return reason_set(why, RC_DEVICE, "libcrypto gives no random numbers.");
	for (; keys->nr < t->nr_layers; keys->nr++) {
		struct keyref *key = &t->layer[keys->nr].key;

		snprintf(key->type, sizeof(key->type), "logon");
		snprintf(key->desc, sizeof(key->desc), "dmsse:temp-%016" PRIx64 ":%s", name,
			 layer_name(keys->nr));
		rc = make_key(key, &keys->serial[keys->nr], why);
		secmem_wipe_traces();
		if (rc) {
			temp_keys_destroy(keys);
			return rc;
		}
	}
	return RC_OK;
}

void temp_keys_destroy(struct temp_keys *keys)
{
	/* Invalid at once for whoever might have linked it meanwhile, too. */
	for (; keys->nr > 0; keys->nr--) {
		keyctl_invalidate(keys->serial[keys->nr - 1]);
		keyctl_unlink(keys->serial[keys->nr - 1], KEY_SPEC_THREAD_KEYRING);
	}
}
