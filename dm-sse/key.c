// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a key: found in the caller's keyrings, copied once, given to a
 * fresh tfm, wiped. The tfm is published last, so a layer either has the old
 * key, the new one, or none: never half of one.
 *
 *	            dmsse_key_set()
 *	  no key  ------------------>  keyed  --.
 *	          <------------------    ^      | dmsse_key_set():
 *	            dmsse_key_wipe()     '------' old key until the new one works
 *
 * The state is the layer's tfm: there is one, or there is none.
 *
 * The keyring's key is let go, unless the target has a lease: then that takes
 * the reference over, to see when the key ends. It has no use for the bytes.
 *
 * Where there are several layers, their keys must have nothing in common. To
 * see that when one of them changes, with no key bytes kept for it, a layer
 * keeps marks: salted hashes of its key's parts. They live as long as the tfm.
 */
#include "dmsse.h"
#include "key.h"

#include <linux/fips.h>
#include <linux/key.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <crypto/aes.h>
#include <crypto/algapi.h>
#include <crypto/sha2.h>
#include <keys/encrypted-type.h>
#include <keys/trusted-type.h>
#include <keys/user-type.h>

/**
 * struct secret - key bytes outside of keyring and tfm
 * @size: bytes in use
 * @bytes: the key
 *
 * Lives from read_key() to the one free_secret() of the same call, always on
 * the heap so that no copy stays on a stack.
 */
struct secret {
	unsigned int size;
	u8 bytes[DMSSE_MAX_KEY_SIZE];
};

static void free_secret(struct secret *secret)
{
	kfree_sensitive(secret);
}

static struct key_type *key_type_of(const struct dmsse_key_ref *ref)
{
	switch (ref->type) {
	case DMSSE_KEY_LOGON:
		return &key_type_logon;
	case DMSSE_KEY_USER:
		return &key_type_user;
	case DMSSE_KEY_ENCRYPTED:
		return dmsse_key_type_encrypted;
	case DMSSE_KEY_TRUSTED:
		return dmsse_key_type_trusted;
	}
	return NULL;
}

/* The payload of @key, or NULL if it was revoked meanwhile; under key->sem. */
static const void *payload_of(const struct key *key, enum dmsse_key_type type,
			      unsigned int *size)
{
	switch (type) {
	case DMSSE_KEY_LOGON:
	case DMSSE_KEY_USER: {
		const struct user_key_payload *payload = user_key_payload_locked(key);

		*size = payload ? payload->datalen : 0;
		return payload ? payload->data : NULL;
	}
	case DMSSE_KEY_ENCRYPTED: {
		const struct encrypted_key_payload *payload = key->payload.data[0];

		*size = payload ? payload->decrypted_datalen : 0;
		return payload ? payload->decrypted_data : NULL;
	}
	case DMSSE_KEY_TRUSTED: {
		const struct trusted_key_payload *payload = key->payload.data[0];

		*size = payload ? payload->key_len : 0;
		return payload ? payload->key : NULL;
	}
	}
	return NULL;
}

static int describe_lookup_error(int error, struct dmsse_error *err)
{
	switch (error) {
	case -ENOKEY:
		dmsse_err(err,
			  "key not found in the caller's keyrings: load it and see that it is linked to the session or user keyring");
		break;
	case -EKEYEXPIRED:
		dmsse_err(err, "key has expired: load it again");
		break;
	case -EKEYREVOKED:
		dmsse_err(err, "key was revoked: load it again");
		break;
	case -EACCES:
		dmsse_err(err, "no permission to use the key: see its permissions with keyctl");
		break;
	default:
		dmsse_err(err, "looking up the key failed with error %d", error);
	}
	return error;
}

/*
 * Copy the key that @ref names; the caller frees it with free_secret(). *@found
 * is the keyring's key it was copied from, the caller's to put, or NULL if @ref
 * names none.
 */
static struct secret *read_key(const struct dmsse_key_ref *ref, struct key **found,
			       struct dmsse_error *err)
{
	struct key_type *type = key_type_of(ref);
	struct secret *secret;
	const void *payload;
	struct key *key;
	unsigned int size;
	int r;

	if (!type) {
		dmsse_err(err, "this kernel has no keys of that type: use logon or user");
		return ERR_PTR(-EOPNOTSUPP);
	}

	secret = kzalloc(sizeof(*secret), GFP_KERNEL);
	if (!secret)
		return ERR_PTR(-ENOMEM);
	*found = NULL;
	if (!ref->size)
		return secret;

	key = request_key(type, ref->description, NULL);
	if (IS_ERR(key)) {
		r = describe_lookup_error(PTR_ERR(key), err);
		goto out_free;
	}

	down_read(&key->sem);
	r = key_validate(key);
	if (r) {
		describe_lookup_error(r, err);
		goto out_unlock;
	}
	payload = payload_of(key, ref->type, &size);
	if (!payload) {
		r = describe_lookup_error(-EKEYREVOKED, err);
		goto out_unlock;
	}
	if (size != ref->size) {
		dmsse_err(err, "key has %u bytes but its reference says %u", size, ref->size);
		r = -EINVAL;
		goto out_unlock;
	}
	memcpy(secret->bytes, payload, size);
	secret->size = size;

out_unlock:
	up_read(&key->sem);
	if (!r) {
		*found = key;
		return secret;
	}
	key_put(key);
out_free:
	free_secret(secret);
	return ERR_PTR(r);
}

static bool is_xts(struct crypto_skcipher *tfm)
{
	const char *name = crypto_tfm_alg_name(crypto_skcipher_tfm(tfm));

	return !strncmp(name, "xts(", strlen("xts("));
}

/*
 * XTS with equal halves is not XTS any more (IEEE 1619-2018, FIPS 140-3 IG
 * C.I); the crypto API itself looks only if fips=1. With AES-192 it isn't
 * approved either, which not every kernel knows.
 */
static int check_key(struct crypto_skcipher *tfm, const struct secret *secret,
		     struct dmsse_error *err)
{
	unsigned int half = secret->size / 2;

	if (is_xts(tfm) && half && !crypto_memneq(secret->bytes, secret->bytes + half, half)) {
		dmsse_err(err, "the two halves of an XTS key must differ");
		return -EINVAL;
	}
	if (is_xts(tfm) && fips_enabled && secret->size == 2 * AES_KEYSIZE_192) {
		dmsse_err(err,
			  "AES-192 (a key of %u bytes) is not approved for XTS, and this kernel runs with fips=1",
			  secret->size);
		return -EINVAL;
	}
	return 0;
}

/*
 * The parts of a key that no other layer's key may have: all of it, its halves
 * (with XTS they are keys of their own), and each run of MARKED_RUN bytes, the
 * shortest key that is worth its name, at a multiple of MARKED_STEP.
 */
#define MARKED_RUN	16
#define MARKED_STEP	8
#define MAX_MARKS	(3 + (DMSSE_MAX_KEY_SIZE - MARKED_RUN) / MARKED_STEP + 1)

/**
 * struct dmsse_key_marks - what is kept of a key to compare others with
 * @nr: how many parts the key has
 * @digest: SHA-256 of the target's salt and the part
 */
struct dmsse_key_marks {
	unsigned int nr;
	u8 digest[MAX_MARKS][SHA256_DIGEST_SIZE];
};

/* What is hashed. */
struct salted_part {
	u8 salt[DMSSE_SALT_SIZE];
	u8 bytes[DMSSE_MAX_KEY_SIZE];
};

static void add_mark(struct dmsse_key_marks *marks, struct salted_part *part, const u8 *bytes,
		     unsigned int size)
{
	memcpy(part->bytes, bytes, size);
	sha256((const u8 *)part, offsetof(struct salted_part, bytes) + size,
	       marks->digest[marks->nr++]);
}

static void free_marks(struct dmsse_key_marks *marks)
{
	kfree_sensitive(marks);
}

/* The caller frees them with free_marks(). */
static struct dmsse_key_marks *new_marks(const struct dmsse_stack *stack,
					 const struct secret *secret)
{
	struct dmsse_key_marks *marks = kzalloc(sizeof(*marks), GFP_KERNEL);
	struct salted_part *part = kzalloc(sizeof(*part), GFP_KERNEL);
	unsigned int half = secret->size / 2, at;

	if (!marks || !part) {
		kfree(marks);
		kfree(part);
		return NULL;
	}
	memcpy(part->salt, stack->salt, sizeof(part->salt));

	add_mark(marks, part, secret->bytes, secret->size);
	if (half) {
		add_mark(marks, part, secret->bytes, half);
		add_mark(marks, part, secret->bytes + secret->size - half, half);
	}
	for (at = 0; at + MARKED_RUN <= secret->size; at += MARKED_STEP)
		add_mark(marks, part, secret->bytes + at, MARKED_RUN);

	kfree_sensitive(part);
	return marks;
}

/* All are compared, whatever the first ones say, and each as a whole. */
static bool have_common_mark(const struct dmsse_key_marks *a, const struct dmsse_key_marks *b)
{
	unsigned int i, j, common = 0;

	for (i = 0; i < a->nr; i++)
		for (j = 0; j < b->nr; j++)
			common += !crypto_memneq(a->digest[i], b->digest[j], SHA256_DIGEST_SIZE);
	return common;
}

/*
 * May the layer at @index have this key beside those of the others? If so
 * *@marks is what will tell about it later, NULL if there are no others.
 */
static int check_other_layers(const struct dmsse_stack *stack, unsigned int index,
			      const struct secret *secret, struct dmsse_key_marks **marks,
			      struct dmsse_error *err)
{
	bool shared = false;
	unsigned int i;

	*marks = NULL;
	if (stack->nr_layers == 1)
		return 0;
	*marks = new_marks(stack, secret);
	if (!*marks)
		return -ENOMEM;

	for (i = 0; i < stack->nr_layers; i++)
		if (i != index && stack->layer[i].marks)
			shared |= have_common_mark(*marks, stack->layer[i].marks);
	if (!shared)
		return 0;

	free_marks(*marks);
	*marks = NULL;
	dmsse_err(err, "key is that of the other layer or has a part in common with it: use a key of its own");
	return -EINVAL;
}

static int check_size(struct crypto_skcipher *tfm, const struct dmsse_key_ref *ref,
		      struct dmsse_error *err)
{
	unsigned int min = crypto_skcipher_min_keysize(tfm);
	unsigned int max = crypto_skcipher_max_keysize(tfm);

	if (ref->size >= min && ref->size <= max)
		return 0;
	if (min == max)
		dmsse_err(err, "key reference says %u bytes but the cipher takes %u",
			  ref->size, min);
	else
		dmsse_err(err, "key reference says %u bytes but the cipher takes %u to %u",
			  ref->size, min, max);
	return -EINVAL;
}

/* As dmsse_key_set(), but @err doesn't say which layer it is about. */
static int set_key(struct dmsse_stack *stack, unsigned int index,
		   const struct dmsse_key_ref *ref, struct dmsse_lease *lease,
		   struct dmsse_error *err)
{
	struct dmsse_layer *layer = &stack->layer[index];
	struct dmsse_key_marks *marks = NULL;
	struct crypto_skcipher *tfm;
	struct secret *secret;
	struct key *key;
	int r;

	tfm = dmsse_layer_alloc_tfm(layer, err);
	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	r = check_size(tfm, ref, err);
	if (r)
		goto out_tfm;

	secret = read_key(ref, &key, err);
	if (IS_ERR(secret)) {
		r = PTR_ERR(secret);
		goto out_tfm;
	}
	r = check_key(tfm, secret, err);
	if (!r && lease)
		r = dmsse_lease_accepts(lease, index, key, err);
	if (!r)
		r = check_other_layers(stack, index, secret, &marks, err);
	if (!r) {
		r = crypto_skcipher_setkey(tfm, secret->bytes, secret->size);
		if (r)
			dmsse_err(err, "the cipher refuses a key of %u bytes with error %d",
				  secret->size, r);
	}
	free_secret(secret);
	if (r)
		goto out_key;

	swap(layer->tfm, tfm);
	swap(layer->marks, marks);
	if (lease) {
		dmsse_lease_adopt(lease, index, key);
		key = NULL;
	}
out_key:
	key_put(key);
	free_marks(marks);
out_tfm:
	/* Zeroes the key schedule. */
	crypto_free_skcipher(tfm);
	return r;
}

/**
 * dmsse_key_set - give a layer its key, or another one
 * @stack: the layers
 * @index: position of the layer; it keeps the key it had if this fails
 * @ref: which key; looked up in the caller's keyrings
 * @lease: what will watch over the keyring's key; NULL lets it go
 * @err: why it failed
 *
 * Context: process, sleeps, may run the request-key upcall. No I/O may be in
 * flight, nor start before this returns: dmsse_target.lock held, the target
 * not live or its lease lapsed. The device may be suspended under a file system or swap, hence
 * no allocation here waits for I/O.
 *
 * Return: 0; -ENOKEY, -EKEYEXPIRED, -EKEYREVOKED or -EACCES from the lookup;
 * -EINVAL for a key that does not fit, or that shares bytes with another
 * layer's; -EOPNOTSUPP for a type of key that the
 * kernel lacks; -ENOMEM. @err is set with each but the last.
 */
int dmsse_key_set(struct dmsse_stack *stack, unsigned int index,
		  const struct dmsse_key_ref *ref, struct dmsse_lease *lease,
		  struct dmsse_error *err)
{
	unsigned int noio = memalloc_noio_save();
	int r = set_key(stack, index, ref, lease, err);

	memalloc_noio_restore(noio);
	if (r)
		dmsse_err_layer(err, stack->nr_layers, index);
	return r;
}

/**
 * dmsse_key_wipe - take a layer's key away
 * @layer: the layer; nothing happens if it has none
 *
 * Context: process, sleeps; no I/O in flight, as for dmsse_key_set().
 */
void dmsse_key_wipe(struct dmsse_layer *layer)
{
	/* Zeroes the key schedule. */
	crypto_free_skcipher(layer->tfm);
	layer->tfm = NULL;
	free_marks(layer->marks);
	layer->marks = NULL;
}
