// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "recovery.h"

#define KEY_BYTES	32

int recovery_key_new(struct secmem **key, struct reason *why)
{
	static const char modhex[] = "cbdefghijklnrtuv";
	SECMEM_AUTO random = secmem_new(KEY_BYTES);
	unsigned char *out;
	size_t i, at = 0;

	*key = secmem_new(RECOVERY_KEY_CHARS);
	if (!random || !*key) {
		secmem_free(key);
		return reason_set(why, RC_NOMEM, "No memory that can be locked for a recovery key: %s.",
				  strerror(errno));
	}
	if (RAND_bytes(secmem_data(random), KEY_BYTES) != 1) {
		secmem_free(key);
		return reason_set(why, RC_PERM, "There are no random numbers to be had.");
	}
	out = secmem_data(*key);
	for (i = 0; i < KEY_BYTES; i++) {
		unsigned char byte = secmem_data(random)[i];

		if (i && i % 4 == 0)
			out[at++] = '-';
		out[at++] = (unsigned char)modhex[byte >> 4];
		out[at++] = (unsigned char)modhex[byte & 15];
	}
	return RC_OK;
}

/* Past stdio, whose buffer would keep it. */
static int write_all(const void *data, size_t size)
{
	const char *p = data;
	ssize_t n;

	while (size) {
		n = write(STDOUT_FILENO, p, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int recovery_key_show(struct secmem *key, const char *which, struct reason *why)
{
	printf("Recovery key%s%s%s: ", *which ? " of the " : "", which, *which ? " layer" : "");
	if (fflush(stdout) || write_all(secmem_data(key), RECOVERY_KEY_CHARS) || write_all("\n", 1))
		return reason_set(why, RC_DEVICE, "The recovery key can't be shown: %s.", strerror(errno));
	return RC_OK;
}
