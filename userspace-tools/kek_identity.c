// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kek_identity.h"
#include "keyring.h"

#define FILE_PREFIX		"file:"
#define CREDENTIAL_PREFIX	"credential:"
#define KEYRING_PREFIX		"keyring:"

/* With the final NUL. PINs of tokens are far shorter. */
#define SECRET_MAX		1024

static bool has_prefix(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

int kek_identity_check(const char *identity, struct reason *why)
{
	const char *name;

	if (has_prefix(identity, FILE_PREFIX)) {
		if (identity[strlen(FILE_PREFIX)] == '/')
			return RC_OK;
		return reason_set(why, RC_PARAM,
			"The identity '%s' needs an absolute path: file:/path.", identity);
	}
	if (has_prefix(identity, CREDENTIAL_PREFIX)) {
		name = identity + strlen(CREDENTIAL_PREFIX);
		if (*name && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, ".."))
			return RC_OK;
		return reason_set(why, RC_PARAM,
			"The identity '%s' needs the name of a credential, without '/'.", identity);
	}
	if (has_prefix(identity, KEYRING_PREFIX)) {
		if (identity[strlen(KEYRING_PREFIX)])
			return RC_OK;
		return reason_set(why, RC_PARAM,
			"The identity '%s' needs the description of a key of type user.", identity);
	}
	/* It may be the secret itself, given by mistake: so it isn't repeated. */
	return reason_set(why, RC_PARAM,
		"The identity says where the PIN or passphrase is:\n"
		"file:/path, credential:NAME or keyring:DESCRIPTION.");
}

static int PRINTF(3, 4) missing(struct reason *why, const char *uri, const char *fmt, ...)
{
	va_list ap;

	why->rc = RC_PERM;
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return reason_prefix(why, "This host has no identity for %s", uri);
}

static int check_private(int fd, const char *path, const char *uri, struct reason *why)
{
	struct stat st;

	if (fstat(fd, &st))
		return missing(why, uri, "%s: %s.", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return missing(why, uri, "%s is not a regular file.", path);
	if (st.st_uid && st.st_uid != geteuid())
		return missing(why, uri, "%s belongs to user %u; it must be root's.", path,
			       st.st_uid);
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return missing(why, uri,
			"others may use %s (mode %04o).\n"
			"Make it 'chmod 600', and change the PIN or passphrase if it may be known.",
			path, st.st_mode & 07777);
	return RC_OK;
}

static int read_file(const char *path, bool check, const char *uri, struct secmem *secret,
		     size_t *size, struct reason *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t n = 0;
	int rc;

	if (fd < 0)
		return missing(why, uri, "%s: %s.", path, strerror(errno));
	rc = check ? check_private(fd, path, uri, why) : RC_OK;
	if (rc)
		goto close;
	for (*size = 0; *size < SECRET_MAX; *size += (size_t)n) {
		n = read(fd, secmem_data(secret) + *size, SECRET_MAX - *size);
		if (n <= 0)
			break;
	}
	if (n < 0)
		rc = missing(why, uri, "reading %s: %s.", path, strerror(errno));
close:
	close(fd);
	return rc;
}

/* False: this is no service that has any. */
static bool credential_path(const char *name, char path[PATH_MAX])
{
	const char *dir = secure_getenv("CREDENTIALS_DIRECTORY");

	return dir && snprintf(path, PATH_MAX, "%s/%s", dir, name) < PATH_MAX;
}

static int read_credential(const char *name, const char *uri, struct secmem *secret,
			   size_t *size, struct reason *why)
{
	char path[PATH_MAX];

	if (!credential_path(name, path))
		return missing(why, uri,
			"the credential %s is only there in a systemd service with\n"
			"LoadCredential=%s:... or LoadCredentialEncrypted=%s:...", name, name, name);
	/* systemd sees to who may read it, with an ACL that looks like group's rights. */
	return read_file(path, false, uri, secret, size, why);
}

static int read_key(const char *desc, const char *uri, struct secmem *secret, size_t *size,
		    struct reason *why)
{
	int err = keyring_read(desc, secret, size);

	if (err == ENOKEY)
		return missing(why, uri,
			"no key '%s' of type user in the keyrings.\n"
			"Load it with 'ssesetup key load --key-type user %s'.", desc, desc);
	if (err)
		return missing(why, uri, "key '%s' of type user: %s.", desc, strerror(err));
	return RC_OK;
}

/* Cuts the secret to its first line, and ends it with a NUL. */
static int first_line(const char *identity, const char *uri, struct secmem *secret, size_t *size,
		      struct reason *why)
{
	unsigned char *data = secmem_data(secret);
	unsigned char *newline = memchr(data, '\n', *size);

	if (newline)
		*size = (size_t)(newline - data);
	if (*size && data[*size - 1] == '\r')
		(*size)--;
	if (!*size)
		return missing(why, uri, "the first line of %s is empty.", identity);
	if (*size >= SECRET_MAX)
		return missing(why, uri, "the first line of %s has more than %d bytes.", identity,
			       SECRET_MAX - 1);
	if (memchr(data, '\0', *size))
		return missing(why, uri, "%s is not text.", identity);
	explicit_bzero(data + *size, secmem_capacity(secret) - *size);
	return RC_OK;
}

int kek_identity_read(const char *identity, const char *uri, struct secmem **secret,
		      size_t *size, struct reason *why)
{
	int rc;

	if (!identity)
		return missing(why, uri, "it needs a PIN or passphrase; set 'identity'.");
	*secret = secmem_new(SECRET_MAX);
	if (!*secret)
		return reason_set(why, RC_NOMEM, "No locked memory for a PIN: %s.",
				  strerror(errno));
	if (has_prefix(identity, FILE_PREFIX))
		rc = read_file(identity + strlen(FILE_PREFIX), true, uri, *secret, size, why);
	else if (has_prefix(identity, CREDENTIAL_PREFIX))
		rc = read_credential(identity + strlen(CREDENTIAL_PREFIX), uri, *secret, size,
				     why);
	else
		rc = read_key(identity + strlen(KEYRING_PREFIX), uri, *secret, size, why);
	if (!rc)
		rc = first_line(identity, uri, *secret, size, why);
	if (rc)
		secmem_free(secret);
	return rc;
}

static void file_mark(const char *path, char mark[KEK_IDENTITY_MARK_MAX])
{
	struct stat st = { .st_size = -1 };

	if (stat(path, &st))
		st.st_size = -1;
	snprintf(mark, KEK_IDENTITY_MARK_MAX, "%ju %jd %jd %jd.%09ld", (uintmax_t)st.st_ino,
		 (intmax_t)st.st_size, (intmax_t)st.st_ctim.tv_sec, (intmax_t)st.st_mtim.tv_sec,
		 st.st_mtim.tv_nsec);
}

static void key_mark(const char *desc, char mark[KEK_IDENTITY_MARK_MAX])
{
	struct keyref key = { .type = "user" };
	struct key_info info = { .serial = -1 };

	snprintf(key.desc, sizeof(key.desc), "%s", desc);
	if (keyring_probe(&key, &info))
		info.serial = -1;
	snprintf(mark, KEK_IDENTITY_MARK_MAX, "%d", info.serial);
}

void kek_identity_mark(const char *identity, char mark[KEK_IDENTITY_MARK_MAX])
{
	char path[PATH_MAX];

	mark[0] = '\0';
	if (has_prefix(identity, FILE_PREFIX))
		file_mark(identity + strlen(FILE_PREFIX), mark);
	else if (has_prefix(identity, KEYRING_PREFIX))
		key_mark(identity + strlen(KEYRING_PREFIX), mark);
	else if (credential_path(identity + strlen(CREDENTIAL_PREFIX), path))
		file_mark(path, mark);
}
