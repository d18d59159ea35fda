// SPDX-License-Identifier: GPL-2.0-only
/*
 * Versions of a platform key: made, sealed if that can be had, and loaded.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kek_crypto.h"
#include "kek_platform.h"
#include "kek_seal.h"
#include "paths.h"

/* Apart from any other use of the same bytes. */
#define FINGERPRINT_PREFIX	"dm-sse platform key"

void platform_forget_keys(struct platform *p)
{
	unsigned int i;

	for (i = 0; i < NR_LOADED; i++)
		secmem_free(&p->loaded[i].key);
	p->key = NULL;
}

static void credential_name(const struct platform *p, const struct version *v, char name[128])
{
	snprintf(name, 128, "dm-sse.platform.%s.%u", p->name, v->number);
}

/* Sealed and found to open again, or false. */
static bool store_sealed(const struct platform *p, struct version *v, struct secmem *key,
			 struct reason *why)
{
	unsigned char sealed[KEK_SEALED_MAX];
	char credential[128], file[32];
	size_t size;

	v->sealed = true;
	credential_name(p, v, credential);
	if (kek_seal(credential, key, KEK_AES_KEY_SIZE, sealed, &size, why)) {
		diag_verbose("The key is not sealed, but kept in a file that only root can read:\n%s",
			     why->text);
		return false;
	}
	platform_file_name(v, file);
	return !platform_write_file(p, file, sealed, size, why);
}

static int store(const struct platform *p, struct version *v, struct secmem *key,
		 struct reason *why)
{
	char file[32];

	if (store_sealed(p, v, key, why))
		return RC_OK;
	v->sealed = false;
	platform_file_name(v, file);
	return platform_write_file(p, file, secmem_data(key), KEK_AES_KEY_SIZE, why);
}

int platform_create_key(const struct platform *p, unsigned int number, struct reason *why)
{
	SECMEM_AUTO key = secmem_new(KEK_AES_KEY_SIZE);
	struct version v = { .number = number };

	if (!key)
		return reason_set(why, RC_NOMEM, "No locked memory for a key: %s.",
				  strerror(errno));
	if (getrandom(secmem_data(key), KEK_AES_KEY_SIZE, 0) != KEK_AES_KEY_SIZE)
		return reason_set(why, RC_PERM, "No random numbers from the kernel: %s.",
				  strerror(errno));
	return store(p, &v, key, why);
}

int platform_scan_or_create(const struct platform *p, struct version **list, size_t *nr,
			    struct reason *why)
{
	int rc = platform_scan(p, list, nr, why);

	if (rc || *nr)
		return rc;
	free(*list);
	rc = platform_dir_lock(p, why);
	if (rc)
		return rc;
	/* Another process may have been faster. */
	rc = platform_scan(p, list, nr, why);
	if (!rc && !*nr) {
		free(*list);
		rc = platform_create_key(p, 1, why);
		if (!rc)
			rc = platform_scan(p, list, nr, why);
	}
	platform_dir_unlock(p);
	return rc;
}

static int read_sealed(const struct platform *p, const struct version *v, int fd,
		       struct secmem *key, struct reason *why)
{
	unsigned char sealed[KEK_SEALED_MAX];
	char credential[128];
	ssize_t n = read(fd, sealed, sizeof(sealed));
	int rc;

	if (n < 0)
		return platform_errno(p, "Reading a key in", why);
	credential_name(p, v, credential);
	rc = kek_unseal(credential, sealed, (size_t)n, key, KEK_AES_KEY_SIZE, why);
	if (rc)
		reason_prefix(why, "Version %u of the platform key %s", v->number, p->name);
	return rc;
}

static int read_bare(const struct platform *p, const struct version *v, int fd,
		     const struct stat *st, struct secmem *key, struct reason *why)
{
	if (st->st_size != KEK_AES_KEY_SIZE ||
	    read(fd, secmem_data(key), KEK_AES_KEY_SIZE) != KEK_AES_KEY_SIZE)
		return reason_set(why, RC_PERM,
			"%s/%s/%u.key has %lld bytes, not the %d of a key: restore it from a backup.",
			PATH_PLATFORM, p->name, v->number, (long long)st->st_size,
			KEK_AES_KEY_SIZE);
	return RC_OK;
}

static int check_private(const struct platform *p, const char *file, const struct stat *st,
			 struct reason *why)
{
	if (S_ISREG(st->st_mode) && st->st_uid == geteuid() &&
	    !(st->st_mode & (S_IRWXG | S_IRWXO)))
		return RC_OK;
	return reason_set(why, RC_PERM,
		"Others may use %s/%s/%s (owner %u, mode %04o).\n"
		"Make it root's and 'chmod 600', and a new version if it may be known.",
		PATH_PLATFORM, p->name, file, st->st_uid, st->st_mode & 07777);
}

int platform_gone(const struct platform *p, const char *version, struct reason *why)
{
	return reason_set(why, RC_PERM,
		"Version %s of the platform key %s is gone; restore %s/%s from a backup.", version,
		p->name, PATH_PLATFORM, p->name);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Fills @l. */
static int read_key(struct platform *p, struct loaded *l, const struct version *v, int fd,
		    const struct stat *st, struct reason *why)
{
	int rc;

	secmem_free(&l->key);
	l->key = secmem_new(KEK_AES_KEY_SIZE);
	if (!l->key)
		return reason_set(why, RC_NOMEM, "No locked memory for a key: %s.",
				  strerror(errno));
	if (v->sealed)
		rc = read_sealed(p, v, fd, l->key, why);
	else
		rc = read_bare(p, v, fd, st, l->key, why);
	if (rc) {
		secmem_free(&l->key);
		return rc;
	}
	l->number = v->number;
	l->from = *st;
	return RC_OK;
}

/* Where the version is, or else where it may be put: not in place of the last. */
static struct loaded *place_for(struct platform *p, const struct version *v)
{
	struct loaded *l;

	for (l = p->loaded; l < p->loaded + NR_LOADED; l++)
		if (l->key && l->number == v->number)
			return l;
	for (l = p->loaded; l < p->loaded + NR_LOADED - 1; l++)
		if (!l->key || l != p->key)
			break;
	return l;
}

int platform_load(struct platform *p, const struct version *v, struct reason *why)
{
	struct loaded *l = place_for(p, v);
	char file[32], number[16];
	struct stat st;
	int fd, rc;

	platform_file_name(v, file);
	fd = openat(p->dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT) {
		snprintf(number, sizeof(number), "%u", v->number);
		return platform_gone(p, number, why);
	}
	if (fd < 0)
		return platform_errno(p, "Reading a key in", why);
	if (fstat(fd, &st))
		rc = platform_errno(p, "Reading a key in", why);
	else
		rc = check_private(p, file, &st, why);
	if (!rc && (!l->key || l->number != v->number || !same_file(&st, &l->from)))
		rc = read_key(p, l, v, fd, &st, why);
	p->key = rc ? NULL : l;
	close(fd);
	return rc;
}

int platform_load_fingerprint(struct platform *p, const struct version *v,
			      char text[KEK_FINGERPRINT_MAX], struct reason *why)
{
	int rc = platform_load(p, v, why);

	if (rc)
		return rc;
	return kek_fingerprint(FINGERPRINT_PREFIX, secmem_data(p->key->key), KEK_AES_KEY_SIZE, text,
			       why);
}
