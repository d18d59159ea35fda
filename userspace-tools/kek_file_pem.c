// SPDX-License-Identifier: GPL-2.0-only
/*
 * An RSA key from a PEM file, with its passphrase if it has one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "kek_crypto.h"
#include "kek_file_internal.h"
#include "kek_identity.h"

/* A PEM file of RSA 4096 has 3 KiB; some have a lot of text around it. */
#define PEM_MAX		65536

void kek_file_forget(struct key *k)
{
	EVP_PKEY_free(k->key);
	k->key = NULL;
}

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

int kek_file_load(const struct file *f, struct key *k, struct reason *why)
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
		kek_file_forget(k);
	return rc;
}
