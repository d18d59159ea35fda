// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup key load, list, revoke, unlink
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "diag.h"
#include "keyring.h"
#include "secmem.h"
#include "ssesetup.h"

#define DEFAULT_KEYRING	"@u"

static int parse_key(const struct options *o, const char *text, struct keyref *key)
{
	const char *type = o->str[OPT_KEY_TYPE];
	int rc;

	if (type && !key_type_known(type))
		return diag_fail(RC_PARAM,
			"Unknown key type '%s': logon, user, encrypted and trusted are known.", type);
	rc = keyref_parse(text, type, key);
	if (!rc && key->bytes)
		rc = diag_fail(RC_PARAM, "Give the description alone here, not the reference '%s'.",
			       text);
	return rc;
}

static int open_key_file(const char *path, int *fd)
{
	struct stat st;

	if (!path || !strcmp(path, "-")) {
		*fd = STDIN_FILENO;
		if (isatty(*fd))
			return diag_fail(RC_PARAM,
				"A key is not typed in: it would be seen. Give --key-file FILE, or a pipe.");
		return RC_OK;
	}
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (*fd < 0 && (errno == EACCES || errno == EPERM))
		return diag_fail(RC_PERM, "No permission to read key file %s.", path);
	if (*fd < 0)
		return diag_fail(RC_DEVICE, "Key file %s can't be opened: %s.", path, strerror(errno));
	if (fstat(*fd, &st) || S_ISDIR(st.st_mode)) {
		close(*fd);
		return diag_fail(RC_DEVICE, "Key file %s is a directory.", path);
	}
	if (S_ISREG(st.st_mode) && (st.st_mode & (S_IRWXG | S_IRWXO)))
		diag_warn("Key file %s can be used by others (mode %03o); chmod 600 helps.",
			  path, st.st_mode & 0777);
	return RC_OK;
}

/* Reads until @size bytes are there or the file ends; -1 with errno. */
static ssize_t read_fully(int fd, unsigned char *buf, size_t size)
{
	size_t got = 0;
	ssize_t n;

	while (got < size) {
		n = read(fd, buf + got, size - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

/* What is skipped may be secret too: it goes through the same memory. */
static int skip_bytes(int fd, struct secmem *secret, uint64_t count)
{
	ssize_t n;

	if (count <= INT64_MAX && lseek(fd, 0, SEEK_CUR) >= 0 &&
	    lseek(fd, (off_t)count, SEEK_CUR) >= 0)
		return RC_OK;
	while (count) {
		n = read_fully(fd, secmem_data(secret),
			       count < KEY_BYTES_MAX ? (size_t)count : KEY_BYTES_MAX);
		if (n < 0)
			return diag_fail(RC_DEVICE, "The key can't be read: %s.", strerror(errno));
		if (n == 0)
			return RC_OK;	/* found to be empty next */
		count -= (uint64_t)n;
	}
	return RC_OK;
}

/* The two ways in which a file that should hold a key holds text. */
static void warn_text(const unsigned char *data, size_t len)
{
	size_t digits = 0;

	while (digits < len && isxdigit(data[digits]))
		digits++;
	if (len >= 32 && digits >= len - 1)
		diag_warn("The key looks like hexadecimal text, but is taken as it is, byte by byte.");
	else if (len % 8 == 1 && data[len - 1] == '\n')
		diag_warn("The key ends with a newline, which counts; --keyfile-size %zu leaves it out.",
			  len - 1);
}

static int read_key(const struct options *o, int fd, struct secmem *secret, unsigned int *bytes)
{
	uint64_t limit = opt_given(o, OPT_KEYFILE_SIZE) ? o->num[OPT_KEYFILE_SIZE] : KEY_BYTES_MAX + 1;
	ssize_t len;
	int rc;

	rc = skip_bytes(fd, secret, o->num[OPT_KEYFILE_OFFSET]);
	if (rc)
		return rc;
	len = read_fully(fd, secmem_data(secret), limit);
	if (len < 0)
		return diag_fail(RC_DEVICE, "The key can't be read: %s.", strerror(errno));
	if (len == 0)
		return diag_fail(RC_PARAM, "The key is empty: nothing was left to read.");
	if (len > KEY_BYTES_MAX)
		return diag_fail(RC_PARAM,
			"The key is longer than %d bytes, and no cipher takes that; AES-256-XTS takes 64.\n"
			"--keyfile-size limits what is read.", KEY_BYTES_MAX);
	if (opt_given(o, OPT_KEYFILE_SIZE) && (uint64_t)len < limit)
		return diag_fail(RC_PARAM, "The key file ends after %zd of %" PRIu64 " bytes.", len, limit);
	warn_text(secmem_data(secret), (size_t)len);
	*bytes = (unsigned int)len;
	return RC_OK;
}

static int load(const struct options *o, struct keyref *key, int fd, const char *ring)
{
	SECMEM_AUTO secret = secmem_new(KEY_BYTES_MAX + 1);
	int32_t serial;
	int rc;

	if (!secret)
		return diag_fail(RC_NOMEM,
			"No memory that can be locked for the key: %s (see ulimit -l).", strerror(errno));
	rc = read_key(o, fd, secret, &key->bytes);
	if (!rc)
		rc = keyring_add(key, secret, (unsigned int)o->num[OPT_TIMEOUT], ring,
				 opt_given(o, OPT_REPLACE), &serial);
	if (!rc)
		printf("%d :%u:%s:%s\n", serial, key->bytes, key->type, key->desc);
	return rc;
}

int cmd_key_load(const struct options *o, int argc, char **argv)
{
	const char *ring = o->str[OPT_KEYRING] ? o->str[OPT_KEYRING] : DEFAULT_KEYRING;
	struct keyref key;
	int fd, rc;

	(void)argc;
	rc = parse_key(o, argv[0], &key);
	if (rc)
		return rc;
	if (strcmp(key.type, "logon") && strcmp(key.type, "user"))
		return diag_fail(RC_PARAM,
			"Keys of type %s are made by the kernel: see 'keyctl add %s'.\n"
			"ssesetup loads keys of type logon or user.", key.type, key.type);
	if (opt_given(o, OPT_TIMEOUT) &&
	    (!o->num[OPT_TIMEOUT] || o->num[OPT_TIMEOUT] > UINT_MAX))
		return diag_fail(RC_PARAM, "--timeout takes a number of seconds from 1 to %u.", UINT_MAX);
	if (opt_given(o, OPT_KEYFILE_SIZE) &&
	    (!o->num[OPT_KEYFILE_SIZE] || o->num[OPT_KEYFILE_SIZE] > KEY_BYTES_MAX))
		return diag_fail(RC_PARAM, "--keyfile-size takes a number of bytes from 1 to %d.",
				 KEY_BYTES_MAX);
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	rc = open_key_file(o->str[OPT_KEY_FILE], &fd);
	if (rc)
		return rc;
	rc = load(o, &key, fd, ring);
	if (fd != STDIN_FILENO)
		close(fd);
	return rc;
}

static void print_key(const char *ring_desc, const char *type, const char *desc,
		      const struct key_info *info)
{
	char bytes[24] = "-";

	if (info->bytes >= 0)
		snprintf(bytes, sizeof(bytes), "%" PRId64, info->bytes);
	printf("%10d  %-9s  %5s  %-8s  %-16s  %s\n", info->serial, type, bytes,
	       info->revoked ? "revoked" : info->expires, ring_desc, desc);
}

int cmd_key_list(const struct options *o, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	printf("%10s  %-9s  %5s  %-8s  %-16s  %s\n", "SERIAL", "TYPE", "BYTES", "EXPIRES", "KEYRING",
	       "DESCRIPTION");
	return keyring_list(o->str[OPT_KEYRING], print_key);
}

int cmd_key_revoke(const struct options *o, int argc, char **argv)
{
	struct keyref key;
	int32_t serial;
	int rc;

	(void)argc;
	rc = parse_key(o, argv[0], &key);
	if (rc || opt_given(o, OPT_TEST_ARGS))
		return rc;
	rc = keyring_revoke(&key, o->str[OPT_KEYRING], &serial);
	if (!rc)
		diag_verbose("Key %d revoked. Mappings that have it keep their copy until they are\n"
			     "suspended or closed.", serial);
	return rc;
}

int cmd_key_unlink(const struct options *o, int argc, char **argv)
{
	struct keyref key;
	unsigned int links;
	int rc;

	(void)argc;
	rc = parse_key(o, argv[0], &key);
	if (rc || opt_given(o, OPT_TEST_ARGS))
		return rc;
	return keyring_unlink(&key, o->str[OPT_KEYRING], &links);
}
