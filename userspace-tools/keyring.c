// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <keyutils.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "keyring.h"
#include "proc_keys.h"

/*
 * Where keys are looked for. The kernel itself looks in the keyrings of the
 * thread, the process and the session, and in the user's session keyring only
 * if there is no other session. A service or a login of its own often has a
 * session without a link to the user's keyring, where the keys of a host are:
 * so these are asked by name.
 */
static const struct {
	key_serial_t id;
	const char *name;
} user_rings[] = {
	{ KEY_SPEC_USER_KEYRING, "@u" },
	{ KEY_SPEC_USER_SESSION_KEYRING, "@us" },
};

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static int ring_id(const char *spec, key_serial_t *id)
{
	static const struct {
		const char *name;
		key_serial_t id;
	} special[] = {
		{ "@s", KEY_SPEC_SESSION_KEYRING },
		{ "@u", KEY_SPEC_USER_KEYRING },
		{ "@us", KEY_SPEC_USER_SESSION_KEYRING },
	};
	const char *name = spec;
	char *end;
	size_t i;
	long n;

	for (i = 0; i < ARRAY_SIZE(special); i++) {
		if (!strcmp(spec, special[i].name)) {
			*id = special[i].id;
			return RC_OK;
		}
	}
	if (!strcmp(spec, "@p") || !strcmp(spec, "@t"))
		return diag_fail(RC_PARAM,
			"Keyring %s belongs to this process and would be gone when it ends.\n"
			"Use @u (the user's), @s (the session's) or a named keyring.", spec);
	if (spec[0] == '@')
		return diag_fail(RC_PARAM, "Unknown keyring '%s': @u, @s, @us, a name or a number.",
				 spec);

	if (spec[0] >= '0' && spec[0] <= '9') {
		errno = 0;
		n = strtol(spec, &end, 0);
		if (errno || *end || n <= 0 || n > INT32_MAX)
			return diag_fail(RC_PARAM, "'%s' is not the number of a keyring.", spec);
		*id = (key_serial_t)n;
	} else {
		if (!strncmp(name, "%:", 2))
			name += 2;
		else if (!strncmp(name, "%keyring:", 9))
			name += 9;
		*id = find_key_by_type_and_desc("keyring", name, 0);
	}
	if (*id == -1 || keyctl_describe(*id, NULL, 0) < 0)
		return diag_fail(RC_PARAM, "There is no keyring '%s' here: %s.\n"
				 "'keyctl show' lists the keyrings, 'keyctl newring' makes one.",
				 spec, strerror(errno));
	return RC_OK;
}

static void key_details(key_serial_t serial, struct key_info *info)
{
	struct proc_key pk;

	proc_keys_find(serial, &pk);
	*info = pk.info;
}

/* Remembers the failure that says most: "not there" is what the others may be too. */
static void note_error(int *err)
{
	if (*err == 0 || *err == ENOKEY)
		*err = errno;
}

/* Returns the key, linked to the thread's keyring, or -1 with errno. */
static key_serial_t find(const struct keyref *key, key_serial_t ring)
{
	key_serial_t serial;
	int err = 0;
	size_t i;

	if (ring)
		return (key_serial_t)keyctl_search(ring, key->type, key->desc,
						   KEY_SPEC_THREAD_KEYRING);

	serial = request_key(key->type, key->desc, NULL, KEY_SPEC_THREAD_KEYRING);
	if (serial != -1)
		return serial;
	note_error(&err);
	for (i = 0; i < ARRAY_SIZE(user_rings); i++) {
		serial = (key_serial_t)keyctl_search(user_rings[i].id, key->type, key->desc,
						     KEY_SPEC_THREAD_KEYRING);
		if (serial != -1) {
			diag_debug("Key %d found in keyring %s.", serial, user_rings[i].name);
			return serial;
		}
		note_error(&err);
	}
	errno = err;
	return -1;
}

int keyring_probe(const struct keyref *key, struct key_info *info)
{
	key_serial_t serial = find(key, 0);

	if (serial == -1)
		return errno;
	key_details(serial, info);
	return 0;
}

int keyring_read(const char *desc, struct secmem *payload, size_t *size)
{
	struct keyref key = { .type = "user" };
	key_serial_t serial;
	long len;

	if ((size_t)snprintf(key.desc, sizeof(key.desc), "%s", desc) >= sizeof(key.desc))
		return ENOKEY;
	serial = find(&key, 0);
	if (serial == -1)
		return errno;
	len = keyctl_read(serial, (char *)secmem_data(payload), secmem_capacity(payload));
	if (len < 0)
		return errno;
	if ((size_t)len > secmem_capacity(payload))
		return EFBIG;
	*size = (size_t)len;
	return 0;
}

/* The commonest mistake: a key of the other type. */
static void hint_other_type(const struct keyref *key, key_serial_t ring)
{
	static const char * const types[] = { "logon", "user", "encrypted", "trusted" };
	struct keyref other = *key;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		if (!strcmp(types[i], key->type))
			continue;
		snprintf(other.type, sizeof(other.type), "%s", types[i]);
		if (find(&other, ring) != -1)
			diag_error("There is a key of type %s of that name: %s:%s.",
				   types[i], types[i], key->desc);
	}
}

int keyring_find(const struct keyref *key, const char *ring, struct key_info *info)
{
	key_serial_t id = 0, serial;
	int err, rc;

	if (ring) {
		rc = ring_id(ring, &id);
		if (rc)
			return rc;
	}
	serial = find(key, id);
	if (serial == -1) {
		err = errno;
		rc = diag_key_error(err, key->type, key->desc);
		if (err == ENOKEY)
			hint_other_type(key, id);
		return rc;
	}
	key_details(serial, info);
	diag_debug("Key %s:%s is %d, %" PRId64 " bytes, expires: %s.", key->type, key->desc,
		   serial, info->bytes, info->expires);
	return RC_OK;
}

int keyring_resolve_size(struct keyref *key, const struct key_info *info)
{
	if (info->bytes < 0)
		return RC_OK;
	if (!key->bytes) {
		key->bytes = (unsigned int)info->bytes;
		return RC_OK;
	}
	if (key->bytes != info->bytes)
		return diag_fail(RC_PARAM,
			"Key '%s' has %" PRId64 " bits, but %u are asked for (--key-size is in bits).",
			key->desc, info->bytes * 8, key->bytes * 8);
	return RC_OK;
}

static int add_error(int err, const struct keyref *key, const char *ring)
{
	switch (err) {
	case EDQUOT:
		return diag_fail(RC_NOMEM,
			"The user's quota of keys is used up: see /proc/key-users and\n"
			"/proc/sys/kernel/keys/maxkeys.");
	case EACCES:
	case EPERM:
		return diag_fail(RC_PERM, "No permission to add a key to keyring %s.", ring);
	case ENODEV:
		return diag_fail(RC_PARAM, "This kernel has no keys of type %s.", key->type);
	case ENOTDIR:
		return diag_fail(RC_PARAM, "%s is a key, not a keyring.", ring);
	case ENOMEM:
		return diag_nomem();
	case EKEYREVOKED:
	case EKEYEXPIRED:
		return diag_fail(RC_PERM, "Keyring %s was revoked or has expired.", ring);
	default:
		return diag_fail(RC_PARAM, "Adding the key to keyring %s failed: %s.",
				 ring, strerror(err));
	}
}

int keyring_add(const struct keyref *key, struct secmem *secret, unsigned int timeout,
		const char *ring, bool replace, int32_t *serial)
{
	key_serial_t id, first;
	int rc;

	rc = ring_id(ring, &id);
	if (rc)
		return rc;
	/*
	 * add_key() would silently give a new payload to a key that is there,
	 * and the next resume of a disk would take it.
	 */
	first = (key_serial_t)keyctl_search(id, key->type, key->desc, 0);
	if (first != -1 && !replace)
		return diag_fail(RC_BUSY,
			"Key '%s' of type %s exists already in keyring %s (%d).\n"
			"Unlink it first ('ssesetup key unlink'), or give --replace.",
			key->desc, key->type, ring, first);

	*serial = add_key(key->type, key->desc, secmem_data(secret), key->bytes, id);
	if (*serial == -1)
		return add_error(errno, key, ring);
	/* Only who possesses a key may set its timeout: hence the link. */
	if (timeout && (find(key, id) == -1 || keyctl_set_timeout(*serial, timeout))) {
		rc = diag_fail(RC_PERM, "The key can't be made to expire, and is taken out again: %s.",
			       strerror(errno));
		keyctl_unlink(*serial, id);
		return rc;
	}

	first = find(key, 0);
	if (first == -1)
		diag_warn("'ssesetup open' will find this key only with --keyring %s.", ring);
	else if (first != *serial)
		diag_warn("Another key of that name (%d) is found before this one.", first);
	return RC_OK;
}

int keyring_revoke(const struct keyref *key, const char *ring, int32_t *serial)
{
	struct key_info info;
	int rc;

	rc = keyring_find(key, ring, &info);
	if (rc)
		return rc;
	*serial = info.serial;
	if (keyctl_revoke(info.serial))
		return diag_key_error(errno, key->type, key->desc);
	return RC_OK;
}

/* Walking keyrings */

#define DEPTH_MAX	6	/* the kernel's own limit for a search */
#define SEEN_MAX	4096

struct walk {
	key_serial_t seen[SEEN_MAX];
	size_t nr_seen;
	struct proc_keys proc;
	void (*visit)(struct walk *w, key_serial_t ring, const char *ring_desc, key_serial_t key,
		      const char *type, const char *desc);
	keyring_visit_fn list_fn;
	const struct keyref *wanted;
	unsigned int links;
	int err;
};

static bool seen_before(struct walk *w, key_serial_t id)
{
	size_t i;

	for (i = 0; i < w->nr_seen; i++)
		if (w->seen[i] == id)
			return true;
	if (w->nr_seen < SEEN_MAX)
		w->seen[w->nr_seen++] = id;
	return false;
}

/* Splits "type;uid;gid;perm;description". */
static bool describe(struct walk *w, key_serial_t id, struct proc_key *pk)
{
	char *raw, *p;
	int i;

	/* A key that was revoked or has expired isn't described any more. */
	if (keyctl_describe_alloc(id, &raw) < 0)
		return proc_keys_look(&w->proc, id, pk);
	p = raw;
	for (i = 0; i < 4 && p; i++) {
		p = strchr(p, ';');
		if (p)
			*p++ = '\0';
	}
	if (p) {
		snprintf(pk->type, sizeof(pk->type), "%s", raw);
		snprintf(pk->desc, sizeof(pk->desc), "%s", p);
	}
	free(raw);
	return p;
}

static void walk_ring(struct walk *w, key_serial_t ring, const char *ring_desc, int depth)
{
	struct proc_key pk;
	void *list;
	key_serial_t *ids;
	long len, i;

	if (depth > DEPTH_MAX || seen_before(w, ring))
		return;
	len = keyctl_read_alloc(ring, &list);
	if (len < 0)
		return;
	ids = list;
	len /= (long)sizeof(*ids);
	for (i = 0; i < len; i++) {
		if (!describe(w, ids[i], &pk))
			continue;
		if (!strcmp(pk.type, "keyring"))
			walk_ring(w, ids[i], pk.desc, depth + 1);
		else
			w->visit(w, ring, ring_desc, ids[i], pk.type, pk.desc);
	}
	free(list);
}

static void walk_top(struct walk *w, key_serial_t spec)
{
	key_serial_t id = keyctl_get_keyring_ID(spec, 0);
	struct proc_key pk;

	if (id != -1 && describe(w, id, &pk))
		walk_ring(w, id, pk.desc, 0);
}

static int walk(struct walk *w, const char *ring)
{
	key_serial_t id;
	size_t i;
	int rc;

	if (ring) {
		rc = ring_id(ring, &id);
		if (rc)
			return rc;
		walk_top(w, id);
		return RC_OK;
	}
	walk_top(w, KEY_SPEC_SESSION_KEYRING);
	for (i = 0; i < ARRAY_SIZE(user_rings); i++)
		walk_top(w, user_rings[i].id);
	return RC_OK;
}

static void walk_free(struct walk *w)
{
	proc_keys_free(&w->proc);
	free(w);
}

static void visit_list(struct walk *w, key_serial_t ring, const char *ring_desc, key_serial_t key,
		       const char *type, const char *desc)
{
	struct proc_key pk;

	(void)ring;
	if (!key_type_known(type) || seen_before(w, key))
		return;
	proc_keys_look(&w->proc, key, &pk);
	w->list_fn(ring_desc, type, desc, &pk.info);
}

int keyring_list(const char *ring, keyring_visit_fn visit)
{
	struct walk *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return diag_nomem();
	w->visit = visit_list;
	w->list_fn = visit;
	rc = walk(w, ring);
	walk_free(w);
	return rc;
}

static void visit_unlink(struct walk *w, key_serial_t ring, const char *ring_desc,
			 key_serial_t key, const char *type, const char *desc)
{
	if (strcmp(type, w->wanted->type) || strcmp(desc, w->wanted->desc))
		return;
	if (keyctl_unlink(key, ring)) {
		w->err = errno;
		return;
	}
	diag_verbose("Key %d unlinked from keyring %s.", key, ring_desc);
	w->links++;
}

int keyring_unlink(const struct keyref *key, const char *ring, unsigned int *links)
{
	struct walk *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return diag_nomem();
	w->visit = visit_unlink;
	w->wanted = key;
	rc = walk(w, ring);
	*links = w->links;
	if (rc)
		goto out;
	if (w->err) {
		rc = diag_key_error(w->err, key->type, key->desc);
	} else if (!w->links) {
		rc = diag_key_error(ENOKEY, key->type, key->desc);
		hint_other_type(key, 0);
	}
out:
	walk_free(w);
	return rc;
}
