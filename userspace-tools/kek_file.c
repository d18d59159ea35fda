// SPDX-License-Identifier: GPL-2.0-only
/*
 * A customer's RSA key in PEM: one file, or a directory with a file for each
 * version.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "kek_crypto.h"
#include "kek_identity.h"
#include "kek_provider.h"

#define SCHEME		"file"
#define PRIVATE_SUFFIX	".pem"
#define PUBLIC_SUFFIX	".pub.pem"

/* A PEM file of RSA 4096 has 3 KiB; some have a lot of text around it. */
#define PEM_MAX		65536

/* A version and its key, once it has been needed. */
struct key {
	char version[KEK_VERSION_MAX];
	char path[PATH_MAX];
	EVP_PKEY *key;
	bool private;
	char algorithm[16];
	char fingerprint[KEK_FINGERPRINT_MAX];
	struct stat loaded_from;
};

struct file {
	const struct kek_config *config;
	const char *path;
	struct key *keys;	/* oldest first */
	size_t nr;
};

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

static void forget(struct key *k)
{
	EVP_PKEY_free(k->key);
	k->key = NULL;
}

static void forget_all(struct key *keys, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		forget(&keys[i]);
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

/* PEM */

/* What OpenSSL is told when it asks for a passphrase. It must never ask anybody else. */
struct asked {
	const struct kek_config *config;
	const char *path;
	bool asked;
	int rc;
	struct reason *why;
};

static int give_passphrase(char *buffer, int size, int writing, void *arg)
{
	struct asked *asked = arg;
	SECMEM_AUTO secret = NULL;
	size_t len;

	(void)writing;
	asked->asked = true;
	if (asked->rc)
		return -1;
	asked->rc = kek_identity_read(asked->config->identity, asked->config->uri, &secret, &len,
				      asked->why);
	if (!asked->rc && len > (size_t)size)
		asked->rc = reason_set(asked->why, RC_PERM,
				       "The passphrase of %s is too long: OpenSSL takes %d bytes.",
				       asked->path, size);
	if (asked->rc)
		return -1;
	memcpy(buffer, secmem_data(secret), len);
	return (int)len;
}

static int cannot_parse(const struct asked *asked, struct reason *why)
{
	if (asked->rc)
		return asked->rc;
	if (asked->asked) {
		ERR_clear_error();
		return reason_set(why, RC_PERM,
			"%s can't be decrypted with the passphrase from %s: it is wrong,\n"
			"or the file is damaged.", asked->path, asked->config->identity);
	}
	return reason_set(why, RC_PARAM,
		"%s is no RSA key in PEM (OpenSSL: %s);\n"
		"PKCS#8, PKCS#1 and encrypted ones are taken, or a public key.", asked->path,
		kek_openssl_error());
}

/* The private key in @pem, or else the public one. */
static int parse(struct key *k, const struct kek_config *config, struct secmem *pem, size_t size,
		 struct reason *why)
{
	struct asked asked = { .config = config, .path = k->path, .why = why };
	BIO *bio = BIO_new_mem_buf(secmem_data(pem), (int)size);

	if (!bio)
		return reason_nomem(why);
	k->key = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, &asked);
	k->private = k->key;
	if (!k->key && !asked.asked) {
		BIO_free(bio);
		ERR_clear_error();
		bio = BIO_new_mem_buf(secmem_data(pem), (int)size);
		if (!bio)
			return reason_nomem(why);
		k->key = PEM_read_bio_PUBKEY(bio, NULL, give_passphrase, &asked);
	}
	BIO_free(bio);
	return k->key ? RC_OK : cannot_parse(&asked, why);
}

static int check_private(const struct key *k, struct reason *why)
{
	const struct stat *st = &k->loaded_from;

	if ((!st->st_uid || st->st_uid == geteuid()) && !(st->st_mode & (S_IRWXG | S_IRWXO)))
		return RC_OK;
	return reason_set(why, RC_PERM,
		"Others may use the private key %s (owner %u, mode %04o).\n"
		"Make it root's and 'chmod 600', and a new version if it may be known.", k->path,
		st->st_uid, st->st_mode & 07777);
}

static int read_pem(struct key *k, struct secmem *pem, size_t *size, struct reason *why)
{
	int fd = open(k->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t n = 0;

	if (fd < 0 || fstat(fd, &k->loaded_from))
		goto fail;
	if (!S_ISREG(k->loaded_from.st_mode)) {
		close(fd);
		return reason_set(why, RC_PARAM, "%s is not a regular file.", k->path);
	}
	for (*size = 0; *size < PEM_MAX; *size += (size_t)n) {
		n = read(fd, secmem_data(pem) + *size, PEM_MAX - *size);
		if (n <= 0)
			break;
	}
	if (n < 0)
		goto fail;
	close(fd);
	return RC_OK;

fail:
	reason_set(why, RC_PERM, "The key %s: %s.", k->path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return why->rc;
}

static int load(const struct file *f, struct key *k, struct reason *why)
{
	SECMEM_AUTO pem = NULL;
	size_t size = 0;
	int rc;

	if (k->key)
		return RC_OK;
	pem = secmem_new(PEM_MAX);
	if (!pem)
		return reason_set(why, RC_NOMEM, "No locked memory for a key: %s.",
				  strerror(errno));
	rc = read_pem(k, pem, &size, why);
	if (!rc)
		rc = parse(k, f->config, pem, size, why);
	if (!rc && k->private)
		rc = check_private(k, why);
	if (!rc)
		rc = kek_rsa_check(k->key, k->path, k->algorithm, sizeof(k->algorithm), why);
	if (!rc)
		rc = kek_rsa_fingerprint(k->key, k->fingerprint, why);
	if (rc)
		forget(k);
	return rc;
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
		rc = load(f, &f->keys[i], why);
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
	rc = load(f, k, why);
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
		rc = load(f, named, why);
	if (named && !rc && !strcmp(named->fingerprint, fingerprint))
		half = named;
	for (i = 0; i < f->nr && (!half || !half->private); i++) {
		k = &f->keys[i];
		if (k != named && !load(f, k, &ignored) && !strcmp(k->fingerprint, fingerprint))
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
