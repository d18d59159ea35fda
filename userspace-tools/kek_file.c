// SPDX-License-Identifier: GPL-2.0-only
/*
 * A customer's RSA key in PEM: one file, or a directory with a file for each
 * version.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kek_crypto.h"
#include "kek_file_internal.h"
#include "kek_provider.h"

#define SCHEME		"file"
#define PRIVATE_SUFFIX	".pem"
#define PUBLIC_SUFFIX	".pub.pem"

static int file_check(const struct kek_config *config, struct reason *why)
{
	const char *path = config->uri + strlen(SCHEME ":");

	if (path[0] != '/' || path[1] == '/' || !path[1])
		return reason_set(why, RC_PARAM,
			"'%s' needs an absolute path: file:/path/to/key.pem, or a directory of such.",
			config->uri);
	if (strlen(path) >= PATH_MAX)
		return reason_set(why, RC_PARAM, "The path of a key has at most %d characters.",
				  PATH_MAX - 1);
	return RC_OK;
}

/* Versions */

static bool has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name), n = strlen(suffix);

	return len > n && !strcmp(name + len - n, suffix);
}

static void forget_all(struct key *keys, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		kek_file_forget(&keys[i]);
	free(keys);
}

/* Of the same version the file of the public half last. */
static int oldest_first(const void *a, const void *b)
{
	const struct key *ka = a, *kb = b;
	int order = strverscmp(ka->version, kb->version);

	if (order)
		return order;
	return has_suffix(ka->path, PUBLIC_SUFFIX) - has_suffix(kb->path, PUBLIC_SUFFIX);
}

/* "2024.pub.pem" isn't looked at where "2024.pem" is there. */
static void sort(struct file *f)
{
	size_t from, to = 1;

	if (!f->nr)
		return;
	qsort(f->keys, f->nr, sizeof(*f->keys), oldest_first);
	for (from = 1; from < f->nr; from++)
		if (strcmp(f->keys[from].version, f->keys[to - 1].version))
			f->keys[to++] = f->keys[from];
	f->nr = to;
}

static struct key *find(const struct file *f, const char *version)
{
	size_t i;

	for (i = 0; i < f->nr; i++)
		if (!strcmp(f->keys[i].version, version))
			return &f->keys[i];
	return NULL;
}

/* "2024.pem" and "2024.pub.pem" are both version "2024". */
static int name_version(struct key *k, const char *name, struct reason *why)
{
	size_t len = strlen(name), i;

	if (has_suffix(name, PUBLIC_SUFFIX))
		len -= strlen(PUBLIC_SUFFIX);
	else if (has_suffix(name, PRIVATE_SUFFIX))
		len -= strlen(PRIVATE_SUFFIX);
	if (len >= sizeof(k->version))
		return reason_set(why, RC_PARAM,
			"The file name '%s' is too long for a version: at most %zu characters.",
			name, sizeof(k->version) - 1);
	memcpy(k->version, name, len);
	k->version[len] = '\0';
	for (i = 0; i < len; i++)
		if (iscntrl((unsigned char)name[i]))
			return reason_set(why, RC_PARAM,
				"%s: the file name '%s' has control characters in it; rename it.",
				SCHEME, name);
	return RC_OK;
}

static int add(struct file *f, const char *path, const char *name, struct reason *why)
{
	struct key *longer = reallocarray(f->keys, f->nr + 1, sizeof(*longer));
	struct key *k;
	int rc;

	if (!longer)
		return reason_nomem(why);
	f->keys = longer;
	k = &f->keys[f->nr];
	memset(k, 0, sizeof(*k));
	rc = name_version(k, name, why);
	if (rc)
		return rc;
	if ((size_t)snprintf(k->path, sizeof(k->path), "%s", path) >= sizeof(k->path))
		return reason_set(why, RC_PARAM, "The path of a key has at most %d characters.",
				  PATH_MAX - 1);
	f->nr++;
	return RC_OK;
}

static int scan_directory(struct file *f, DIR *dir, struct reason *why)
{
	char path[PATH_MAX + NAME_MAX + 2];
	struct dirent *e;
	int rc = RC_OK;

	errno = 0;
	while (!rc && (e = readdir(dir))) {
		if (e->d_name[0] == '.' || !has_suffix(e->d_name, PRIVATE_SUFFIX))
			continue;
		snprintf(path, sizeof(path), "%s/%s", f->path, e->d_name);
		rc = add(f, path, e->d_name, why);
	}
	if (!rc && errno)
		rc = reason_set(why, RC_PERM, "Reading %s: %s.", f->path, strerror(errno));
	return rc;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mode == b->st_mode && a->st_uid == b->st_uid &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Keys that are loaded are kept, as long as their files stay the same. */
static void keep_loaded(struct file *f, struct key *old, size_t nr)
{
	struct stat st;
	struct key *k;
	size_t i;

	for (i = 0; i < nr; i++) {
		k = find(f, old[i].version);
		if (!k || !old[i].key || strcmp(k->path, old[i].path) || stat(k->path, &st) ||
		    !same_file(&st, &old[i].loaded_from))
			continue;
		*k = old[i];
		old[i].key = NULL;
	}
	forget_all(old, nr);
}

/* Anew for each operation: a key that was taken away must not work on. */
static int scan(struct file *f, struct reason *why)
{
	const char *slash = strrchr(f->path, '/');
	struct key *old = f->keys;
	size_t nr = f->nr;
	DIR *dir;
	int rc;

	f->keys = NULL;
	f->nr = 0;
	dir = opendir(f->path);
	if (dir) {
		rc = scan_directory(f, dir, why);
		closedir(dir);
	} else if (errno == ENOTDIR) {
		rc = add(f, f->path, slash + 1, why);
	} else {
		rc = reason_set(why, RC_PERM, "The key %s: %s.", f->config->uri,
				strerror(errno));
	}
	sort(f);
	keep_loaded(f, old, nr);
	if (!rc && !f->nr)
		rc = reason_set(why, RC_PERM,
			"%s has no key in it; names of keys end in %s or %s.", f->path,
			PRIVATE_SUFFIX, PUBLIC_SUFFIX);
	return rc;
}

static int file_open(const struct kek_config *config, void **session, struct reason *why)
{
	struct file *f = calloc(1, sizeof(*f));

	if (!f)
		return reason_nomem(why);
	f->config = config;
	f->path = config->uri + strlen(SCHEME ":");
	*session = f;
	return RC_OK;
}

static void file_close(void *session)
{
	struct file *f = session;

	forget_all(f->keys, f->nr);
	free(f);
}

/* The provider */

static int file_versions(void *session, struct kek_version **list, size_t *nr,
			 struct reason *why)
{
	struct file *f = session;
	struct kek_version *out;
	size_t i;
	int rc;

	rc = scan(f, why);
	for (i = 0; i < f->nr && !rc; i++)
		rc = kek_file_load(f, &f->keys[i], why);
	if (rc)
		return rc;
	out = calloc(f->nr, sizeof(*out));
	if (!out)
		return reason_nomem(why);
	for (i = 0; i < f->nr; i++) {
		memcpy(out[i].version, f->keys[i].version, sizeof(out[i].version));
		memcpy(out[i].fingerprint, f->keys[i].fingerprint, sizeof(out[i].fingerprint));
		memcpy(out[i].algorithm, f->keys[i].algorithm, sizeof(out[i].algorithm));
		out[i].can_unwrap = f->keys[i].private;
	}
	*list = out;
	*nr = f->nr;
	return RC_OK;
}

static int gone(const struct file *f, const char *version, struct reason *why)
{
	return reason_set(why, RC_PERM, "Version %s of the key %s is gone; put its file back.",
			  version, f->config->uri);
}

static int file_wrap(void *session, const char *version, struct secmem *plain, size_t size,
		     enum kek_wrapping *wrapping, unsigned char *wrapped, size_t *wrapped_size,
		     struct reason *why)
{
	struct file *f = session;
	struct key *k;
	int rc;

	rc = scan(f, why);
	if (rc)
		return rc;
	k = find(f, version);
	if (!k)
		return gone(f, version, why);
	rc = kek_file_load(f, k, why);
	if (rc)
		return rc;
	*wrapping = KEK_RSA_OAEP_256;
	if (f->config->wrapping)
		kek_wrapping_parse(f->config->wrapping, wrapping);
	return kek_rsa_wrap(k->key, k->path, *wrapping, plain, size, wrapped, wrapped_size, why);
}

/*
 * The version if it is the one, or else the one that is, under another name;
 * the public half only if there is no other.
 */
static struct key *find_by_fingerprint(struct file *f, const char *version,
				       const char *fingerprint, struct reason *why)
{
	struct key *named = find(f, version), *half = NULL, *k;
	struct reason ignored;
	int rc = RC_OK;
	size_t i;

	if (named)
		rc = kek_file_load(f, named, why);
	if (named && !rc && !strcmp(named->fingerprint, fingerprint))
		half = named;
	for (i = 0; i < f->nr && (!half || !half->private); i++) {
		k = &f->keys[i];
		if (k != named && !kek_file_load(f, k, &ignored) &&
		    !strcmp(k->fingerprint, fingerprint))
			half = k;
	}
	if (half)
		return half;
	if (!named)
		gone(f, version, why);
	else if (!rc)
		kek_not_the_one(named->path, named->fingerprint, fingerprint, why);
	return NULL;
}

static int file_unwrap(void *session, const char *version, const char *fingerprint,
		       enum kek_wrapping wrapping, const unsigned char *wrapped,
		       size_t wrapped_size, struct secmem *plain, size_t *size,
		       struct reason *why)
{
	struct file *f = session;
	struct key *k;
	int rc;

	rc = scan(f, why);
	if (rc)
		return rc;
	k = find_by_fingerprint(f, version, fingerprint, why);
	if (!k)
		return why->rc;
	if (!k->private)
		return reason_set(why, RC_PERM,
			"%s has the public half only, which can't unwrap; the private one is needed.",
			k->path);
	return kek_rsa_unwrap(k->key, k->path, wrapping, wrapped, wrapped_size, plain, size, why);
}

const struct kek_provider kek_file = {
	.scheme		= SCHEME,
	.customer	= true,
	.check		= file_check,
	.open		= file_open,
	.close		= file_close,
	.versions	= file_versions,
	.wrap		= file_wrap,
	.unwrap		= file_unwrap,
};
