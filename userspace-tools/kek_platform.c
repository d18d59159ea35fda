// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys of the host's own: AES-256, made when first needed, numbered. Each is a
 * file in PATH_PLATFORM/NAME: N.cred, sealed by systemd-creds to the TPM or to
 * the host, or N.key, bare, where that can't be had.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "kek_crypto.h"
#include "kek_provider.h"
#include "kek_seal.h"
#include "paths.h"

#define SCHEME		"platform"
#define NAME_MAX_LEN	63
#define NUMBER_MAX	999999999u

/* What is being written, until it is complete. */
#define NEW_FILE	".new"

/* Apart from any other use of the same bytes. */
#define FINGERPRINT_PREFIX	"dm-sse platform key"

struct version {
	unsigned int number;
	bool sealed;
};

/* A rotation uses two in turn, and a TPM takes its time. */
#define NR_LOADED	2

struct loaded {
	struct secmem *key;	/* NULL: none */
	unsigned int number;
	struct stat from;
};

struct platform {
	char name[NAME_MAX_LEN + 1];
	int dir;
	struct loaded loaded[NR_LOADED];
	struct loaded *key;	/* the one used last; NULL: none */
};

static void forget_keys(struct platform *p)
{
	unsigned int i;

	for (i = 0; i < NR_LOADED; i++)
		secmem_free(&p->loaded[i].key);
	p->key = NULL;
}

static int errno_reason(const struct platform *p, const char *doing, struct reason *why)
{
	return reason_set(why, errno == ENOSPC || errno == EROFS ? RC_DEVICE : RC_PERM,
			  "%s %s/%s: %s.", doing, PATH_PLATFORM, p->name, strerror(errno));
}

static bool name_ok(const char *name)
{
	size_t len = strlen(name);

	return len && len <= NAME_MAX_LEN && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789-_.") == len;
}

static int platform_check(const struct kek_config *config, struct reason *why)
{
	const char *name = config->uri + strlen(SCHEME ":");

	if (!name_ok(name))
		return reason_set(why, RC_PARAM,
			"'%s' is no name of a platform key: up to %d letters, digits, '-', '_', '.',\n"
			"the first no '-' and no '.'.", name, NAME_MAX_LEN);
	if (config->identity)
		return reason_set(why, RC_PARAM,
			"Platform keys need no identity; take '%s' out.", config->identity);
	return RC_OK;
}

/* The directory */

/* Creates it below @parent if it isn't there, durably. */
static int sub_directory(int parent, const char *name)
{
	int fd;

	if (!mkdirat(parent, name, 0700) && fsync(parent))
		return -1;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd;
}

/* Best effort: the first key's own sync fails where it matters. */
static void make_directory(const char *path, mode_t mode)
{
	if (!mkdir(path, mode))
		files_sync_parent(path);
}

static int open_directory(struct platform *p, struct reason *why)
{
	char state[] = PATH_STATE, *s;
	struct stat st;
	int fd;

	for (s = strchr(state + 1, '/'); s; s = strchr(s + 1, '/')) {
		*s = '\0';
		make_directory(state, 0755);
		*s = '/';
	}
	make_directory(state, 0700);
	make_directory(PATH_PLATFORM, 0700);
	fd = open(PATH_PLATFORM, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno_reason(p, "The directory of platform keys", why);
	p->dir = sub_directory(fd, p->name);
	close(fd);
	if (p->dir < 0 || fstat(p->dir, &st))
		return errno_reason(p, "The directory of platform keys", why);
	if (st.st_uid != geteuid() || st.st_mode & (S_IRWXG | S_IRWXO)) {
		close(p->dir);
		return reason_set(why, RC_PERM,
			"Others may use %s/%s (owner %u, mode %04o).\n"
			"Make it root's and 'chmod 700', and the keys in it new if they may be known.",
			PATH_PLATFORM, p->name, st.st_uid, st.st_mode & 07777);
	}
	return RC_OK;
}

static int platform_open(const struct kek_config *config, void **session, struct reason *why)
{
	struct platform *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return reason_nomem(why);
	snprintf(p->name, sizeof(p->name), "%s", config->uri + strlen(SCHEME ":"));
	rc = open_directory(p, why);
	if (rc)
		free(p);
	else
		*session = p;
	return rc;
}

static void platform_close(void *session)
{
	struct platform *p = session;

	forget_keys(p);
	close(p->dir);
	free(p);
}

/* Files */

static bool parse_number(const char *text, size_t len, unsigned int *number)
{
	unsigned long n = 0;
	size_t i;

	if (!len || len > 9 || text[0] == '0')
		return false;
	for (i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		n = n * 10 + (unsigned long)(text[i] - '0');
	}
	*number = (unsigned int)n;
	return true;
}

static bool parse_file_name(const char *name, struct version *v)
{
	const char *dot = strchr(name, '.');

	if (!dot || !parse_number(name, (size_t)(dot - name), &v->number))
		return false;
	v->sealed = !strcmp(dot, ".cred");
	return v->sealed || !strcmp(dot, ".key");
}

static void file_name(const struct version *v, char name[32])
{
	snprintf(name, 32, "%u.%s", v->number, v->sealed ? "cred" : "key");
}

/* Of the same number the bare one first. */
static int by_number(const void *a, const void *b)
{
	const struct version *va = a, *vb = b;

	if (va->number != vb->number)
		return va->number > vb->number ? 1 : -1;
	return (int)va->sealed - (int)vb->sealed;
}

/*
 * Both files are there when someone put back a bare key whose seal doesn't open
 * any more. That is then the one to use.
 */
static void sort(struct version *list, size_t *nr)
{
	size_t from, to = 1;

	if (!*nr)
		return;
	qsort(list, *nr, sizeof(*list), by_number);
	for (from = 1; from < *nr; from++)
		if (list[from].number != list[to - 1].number)
			list[to++] = list[from];
	*nr = to;
}

static int append(struct version **list, size_t *nr, const struct version *v)
{
	struct version *longer = reallocarray(*list, *nr + 1, sizeof(*longer));

	if (!longer)
		return -1;
	longer[(*nr)++] = *v;
	*list = longer;
	return 0;
}

/* Oldest first; *@list to be freed. */
static int scan(const struct platform *p, struct version **list, size_t *nr, struct reason *why)
{
	int fd = openat(p->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct version v;
	struct dirent *e;
	int rc = RC_OK;

	*list = NULL;
	*nr = 0;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return errno_reason(p, "Reading", why);
	}
	errno = 0;
	while (!rc && (e = readdir(dir)))
		if (parse_file_name(e->d_name, &v) && append(list, nr, &v))
			rc = reason_nomem(why);
	if (!rc && errno)
		rc = errno_reason(p, "Reading", why);
	closedir(dir);
	if (rc)
		free(*list);
	else
		sort(*list, nr);
	return rc;
}

static int write_all(int fd, const unsigned char *data, size_t size)
{
	ssize_t n;

	for (; size; data += n, size -= (size_t)n) {
		n = write(fd, data, size);
		if (n < 0)
			return -1;
	}
	return 0;
}

/* All of it is there under its name, or nothing is. Under the directory's lock. */
static int write_file(const struct platform *p, const char *name, const unsigned char *data,
		      size_t size, struct reason *why)
{
	int fd;

	/* Of one that was killed. It never had a name, so nothing depends on it. */
	unlinkat(p->dir, NEW_FILE, 0);
	fd = openat(p->dir, NEW_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return errno_reason(p, "Writing a key to", why);
	if (write_all(fd, data, size) || fsync(fd) ||
	    renameat(p->dir, NEW_FILE, p->dir, name) || fsync(p->dir)) {
		errno_reason(p, "Writing a key to", why);
		unlinkat(p->dir, NEW_FILE, 0);
		close(fd);
		return why->rc;
	}
	close(fd);
	return RC_OK;
}

/* What was there is overwritten, as far as the file system lets us. */
static int destroy_file(const struct platform *p, const char *name, struct reason *why)
{
	static const unsigned char zeroes[512];
	off_t left;
	struct stat st;
	size_t chunk;
	int fd;

	fd = openat(p->dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return RC_OK;
	if (fd < 0 || fstat(fd, &st))
		goto fail;
	for (left = st.st_size; left > 0; left -= (off_t)chunk) {
		chunk = left > (off_t)sizeof(zeroes) ? sizeof(zeroes) : (size_t)left;
		if (write_all(fd, zeroes, chunk))
			goto fail;
	}
	if (fsync(fd) || unlinkat(p->dir, name, 0) || fsync(p->dir))
		goto fail;
	close(fd);
	return RC_OK;

fail:
	errno_reason(p, "Destroying a key in", why);
	if (fd >= 0)
		close(fd);
	return why->rc;
}

/* Keys */

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
	file_name(v, file);
	return !write_file(p, file, sealed, size, why);
}

static int store(const struct platform *p, struct version *v, struct secmem *key,
		 struct reason *why)
{
	char file[32];

	if (store_sealed(p, v, key, why))
		return RC_OK;
	v->sealed = false;
	file_name(v, file);
	return write_file(p, file, secmem_data(key), KEK_AES_KEY_SIZE, why);
}

static int create(const struct platform *p, unsigned int number, struct reason *why)
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

static int lock(const struct platform *p, struct reason *why)
{
	while (flock(p->dir, LOCK_EX)) {
		if (errno != EINTR)
			return errno_reason(p, "Locking", why);
	}
	return RC_OK;
}

static void unlock(const struct platform *p)
{
	flock(p->dir, LOCK_UN);
}

/* The versions, the first of them made if there is none. */
static int scan_or_create(const struct platform *p, struct version **list, size_t *nr,
			  struct reason *why)
{
	int rc = scan(p, list, nr, why);

	if (rc || *nr)
		return rc;
	free(*list);
	rc = lock(p, why);
	if (rc)
		return rc;
	/* Another process may have been faster. */
	rc = scan(p, list, nr, why);
	if (!rc && !*nr) {
		free(*list);
		rc = create(p, 1, why);
		if (!rc)
			rc = scan(p, list, nr, why);
	}
	unlock(p);
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
		return errno_reason(p, "Reading a key in", why);
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

static int gone(const struct platform *p, const char *version, struct reason *why)
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

/* Makes it p->key; reads it if that has to be, or its file isn't the same any more. */
static int load(struct platform *p, const struct version *v, struct reason *why)
{
	struct loaded *l = place_for(p, v);
	char file[32], number[16];
	struct stat st;
	int fd, rc;

	file_name(v, file);
	fd = openat(p->dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT) {
		snprintf(number, sizeof(number), "%u", v->number);
		return gone(p, number, why);
	}
	if (fd < 0)
		return errno_reason(p, "Reading a key in", why);
	if (fstat(fd, &st))
		rc = errno_reason(p, "Reading a key in", why);
	else
		rc = check_private(p, file, &st, why);
	if (!rc && (!l->key || l->number != v->number || !same_file(&st, &l->from)))
		rc = read_key(p, l, v, fd, &st, why);
	p->key = rc ? NULL : l;
	close(fd);
	return rc;
}

static int load_fingerprint(struct platform *p, const struct version *v,
			    char text[KEK_FINGERPRINT_MAX], struct reason *why)
{
	int rc = load(p, v, why);

	if (rc)
		return rc;
	return kek_fingerprint(FINGERPRINT_PREFIX, secmem_data(p->key->key), KEK_AES_KEY_SIZE, text,
			       why);
}

static const struct version *find(const struct version *list, size_t nr, const char *version)
{
	unsigned int number;
	size_t i;

	if (!parse_number(version, strlen(version), &number))
		return NULL;
	for (i = 0; i < nr; i++)
		if (list[i].number == number)
			return &list[i];
	return NULL;
}

/* The provider */

static int describe(struct platform *p, const struct version *v, struct kek_version *out,
		    struct reason *why)
{
	memset(out, 0, sizeof(*out));
	snprintf(out->version, sizeof(out->version), "%u", v->number);
	snprintf(out->algorithm, sizeof(out->algorithm), "AES-256");
	out->can_unwrap = true;
	return load_fingerprint(p, v, out->fingerprint, why);
}

static int platform_versions(void *session, struct kek_version **list, size_t *nr,
			     struct reason *why)
{
	struct platform *p = session;
	struct kek_version *out;
	struct version *found;
	size_t i;
	int rc;

	rc = scan_or_create(p, &found, nr, why);
	if (rc)
		return rc;
	out = calloc(*nr, sizeof(*out));
	if (!out)
		rc = reason_nomem(why);
	for (i = 0; i < *nr && !rc; i++)
		rc = describe(p, &found[i], &out[i], why);
	free(found);
	if (rc)
		free(out);
	else
		*list = out;
	return rc;
}

static int platform_wrap(void *session, const char *version, struct secmem *plain, size_t size,
			 enum kek_wrapping *wrapping, unsigned char *wrapped,
			 size_t *wrapped_size, struct reason *why)
{
	struct platform *p = session;
	const struct version *v;
	struct version *list;
	size_t nr;
	int rc;

	rc = scan_or_create(p, &list, &nr, why);
	if (rc)
		return rc;
	v = find(list, nr, version);
	rc = v ? load(p, v, why) : gone(p, version, why);
	free(list);
	if (rc)
		return rc;
	*wrapping = KEK_AES_256_KW;
	return kek_aes_wrap(p->key->key, plain, size, wrapped, wrapped_size, why);
}

/* Loads the version if it is the one, or else the one that is. */
static int load_by_fingerprint(struct platform *p, const struct version *list, size_t nr,
			       const char *version, const char *fingerprint, struct reason *why)
{
	const struct version *v = find(list, nr, version);
	char is[KEK_FINGERPRINT_MAX] = "", other[KEK_FINGERPRINT_MAX];
	struct reason ignored;
	char what[128];
	int rc = RC_OK;
	size_t i;

	if (v)
		rc = load_fingerprint(p, v, is, why);
	if (v && !rc && !strcmp(is, fingerprint))
		return RC_OK;
	for (i = 0; i < nr; i++)
		if (&list[i] != v && !load_fingerprint(p, &list[i], other, &ignored) &&
		    !strcmp(other, fingerprint))
			return RC_OK;
	if (!v)
		return gone(p, version, why);
	if (rc)
		return rc;
	snprintf(what, sizeof(what), "platform:%s, version %s", p->name, version);
	return kek_not_the_one(what, is, fingerprint, why);
}

static int platform_unwrap(void *session, const char *version, const char *fingerprint,
			   enum kek_wrapping wrapping, const unsigned char *wrapped,
			   size_t wrapped_size, struct secmem *plain, size_t *size,
			   struct reason *why)
{
	struct platform *p = session;
	struct version *list;
	char what[128];
	size_t nr;
	int rc;

	if (wrapping != KEK_AES_256_KW)
		return reason_set(why, RC_PARAM, "Platform keys don't unwrap %s, but %s.",
				  kek_wrapping_name(wrapping),
				  kek_wrapping_name(KEK_AES_256_KW));
	/* No new key could help: nothing is created here. */
	rc = scan(p, &list, &nr, why);
	if (rc)
		return rc;
	rc = load_by_fingerprint(p, list, nr, version, fingerprint, why);
	free(list);
	if (rc)
		return rc;
	snprintf(what, sizeof(what), "version %u of the platform key %s", p->key->number, p->name);
	return kek_aes_unwrap(p->key->key, what, wrapped, wrapped_size, plain, size, why);
}

static int platform_new_version(void *session, struct kek_version *version, struct reason *why)
{
	struct platform *p = session;
	struct version *list = NULL, v = { .number = 1 };
	size_t nr;
	int rc;

	rc = lock(p, why);
	if (rc)
		return rc;
	rc = scan(p, &list, &nr, why);
	if (!rc && nr)
		v.number = list[nr - 1].number + 1;
	free(list);
	if (!rc && v.number > NUMBER_MAX)
		rc = reason_set(why, RC_PARAM, "The platform key %s has run out of versions.",
				p->name);
	if (!rc)
		rc = create(p, v.number, why);
	unlock(p);
	if (rc)
		return rc;
	rc = scan(p, &list, &nr, why);
	if (rc)
		return rc;
	rc = describe(p, &list[nr - 1], version, why);
	free(list);
	return rc;
}

static int drop_others(const struct platform *p, const struct version *list, size_t nr,
		       const struct version *keep, struct reason *why)
{
	struct version v;
	char file[32];
	int rc = RC_OK;
	size_t i;

	/* The newest stays: numbers are never used again. */
	for (i = 0; i + 1 < nr && !rc; i++) {
		if (list[i].number == keep->number)
			continue;
		v = list[i];
		for (v.sealed = false; !rc; v.sealed = true) {
			file_name(&v, file);
			rc = destroy_file(p, file, why);
			if (v.sealed)
				break;
		}
	}
	return rc;
}

static int platform_drop_versions(void *session, const char *keep, struct reason *why)
{
	struct platform *p = session;
	const struct version *kept;
	struct version *list;
	size_t nr;
	int rc;

	rc = lock(p, why);
	if (rc)
		return rc;
	rc = scan(p, &list, &nr, why);
	if (rc)
		goto unlock;
	kept = find(list, nr, keep);
	if (kept)
		rc = drop_others(p, list, nr, kept, why);
	else
		rc = reason_set(why, RC_PARAM,
			"The platform key %s has no version %s to keep; nothing was destroyed.",
			p->name, keep);
	free(list);
unlock:
	unlock(p);
	forget_keys(p);
	return rc;
}

const struct kek_provider kek_platform = {
	.scheme		= SCHEME,
	.customer	= false,
	.check		= platform_check,
	.open		= platform_open,
	.close		= platform_close,
	.versions	= platform_versions,
	.wrap		= platform_wrap,
	.unwrap		= platform_unwrap,
	.new_version	= platform_new_version,
	.drop_versions	= platform_drop_versions,
};
