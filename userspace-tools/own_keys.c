// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <keyutils.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "files.h"
#include "keyring.h"
#include "own_keys.h"
#include "paths.h"

#define RING	"dm-sse"

/* Two processes that each made the keyring would lose the keys of one. */
static int lock_ring(void)
{
	struct reason ignored;
	int fd;

	if (files_make_directory(PATH_RUN, &ignored))
		return -1;
	fd = open(PATH_RUN "/keyring.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0 && flock(fd, LOCK_EX)) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * Only who possesses a keyring may write to it, and a session of its own need
 * not have a link to root's: hence one from the thread's.
 */
static key_serial_t find_ring(void)
{
	return (key_serial_t)keyctl_search(KEY_SPEC_USER_KEYRING, "keyring", RING,
					   KEY_SPEC_THREAD_KEYRING);
}

static key_serial_t make_ring(void)
{
	key_serial_t ring = find_ring();
	int lock, err;

	if (ring != -1)
		return ring;
	lock = lock_ring();
	if (lock < 0)
		return -1;
	ring = find_ring();
	if (ring == -1 && add_key("keyring", RING, NULL, 0, KEY_SPEC_USER_KEYRING) != -1)
		ring = find_ring();
	err = errno;
	close(lock);
	errno = err;
	return ring;
}

/* The key, linked to the keyring of this thread too; -1 with errno. */
static key_serial_t find(const char *desc)
{
	key_serial_t ring = find_ring();

	if (ring == -1)
		return -1;
	return (key_serial_t)keyctl_search(ring, "logon", desc, KEY_SPEC_THREAD_KEYRING);
}

static int failed(const char *what, const char *desc, struct reason *why)
{
	if (errno == EDQUOT)
		return reason_set(why, RC_NOMEM,
			"Root's quota of keys is used up: see /proc/key-users and\n"
			"/proc/sys/kernel/keys/root_maxkeys.");
	return reason_set(why, RC_PERM, "Key %s can't be %s: %s.", desc, what, strerror(errno));
}

int own_keys_put(const char *desc, struct secmem *key, size_t size, unsigned int timeout,
		 struct reason *why)
{
	key_serial_t ring = make_ring(), serial;
	int rc;

	if (ring == -1)
		return failed("put into keyring " RING, desc, why);
	/* An old one in this thread's keyring would get the new payload. */
	serial = find(desc);
	if (serial != -1)
		keyctl_unlink(serial, KEY_SPEC_THREAD_KEYRING);
	serial = add_key("logon", desc, secmem_data(key), size, KEY_SPEC_THREAD_KEYRING);
	if (serial == -1)
		return failed("made", desc, why);
	if ((!timeout || !keyctl_set_timeout(serial, timeout)) && !keyctl_link(serial, ring))
		return RC_OK;
	rc = failed("put into keyring " RING, desc, why);
	keyctl_unlink(serial, KEY_SPEC_THREAD_KEYRING);
	return rc;
}

int own_keys_extend(const char *desc, unsigned int timeout, struct reason *why)
{
	key_serial_t serial = find(desc);

	if (serial == -1 || keyctl_set_timeout(serial, timeout))
		return failed("renewed", desc, why);
	return RC_OK;
}

int own_keys_revoke(const char *desc, struct reason *why)
{
	key_serial_t serial = find(desc);

	if (serial == -1)
		return RC_OK;
	if (keyctl_revoke(serial))
		return failed("revoked", desc, why);
	return RC_OK;
}

/* One that has expired or was revoked isn't found any more, but it is there. */
static void drop_dead(const char *desc)
{
	struct keyref dead = { .type = "logon" };
	unsigned int links;

	snprintf(dead.desc, sizeof(dead.desc), "%s", desc);
	keyring_unlink(&dead, NULL, &links);
}

void own_keys_drop(const char *desc)
{
	key_serial_t serial = find(desc);

	if (serial == -1 && (errno == EKEYEXPIRED || errno == EKEYREVOKED))
		drop_dead(desc);
	if (serial == -1)
		return;
	keyctl_unlink(serial, KEY_SPEC_THREAD_KEYRING);
	keyctl_unlink(serial, find_ring());
}
