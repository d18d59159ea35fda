// SPDX-License-Identifier: GPL-2.0-only
/* A cipher layer: from a cipher specification to tfm and IV scheme. */
#include "dmsse.h"
#include "key.h"

#include <linux/fips.h>

/*
 * A stream cipher's keystream depends on the sector number alone, so two
 * versions of one sector give away their difference. Without an IV (ecb,
 * cipher_null) it is worse.
 */
static bool is_insecure(struct crypto_skcipher *tfm)
{
	return !crypto_skcipher_ivsize(tfm) || crypto_skcipher_blocksize(tfm) == 1;
}

static void describe_alloc_error(const char *alg, int error, struct dmsse_error *err)
{
	const char *fips = fips_enabled ? ", which runs with fips=1" : "";

	/* What is not approved is as if it weren't there; within a template it is -EINVAL. */
	if (error == -ENOENT)
		dmsse_err(err, "cipher '%s' is not available in this kernel%s", alg, fips);
	else
		dmsse_err(err, "cipher '%s' cannot be allocated in this kernel%s: error %d", alg,
			  fips, error);
}

/*
 * Algorithm and mode alone. The essiv() template is CBC with other IVs, cts()
 * CBC with the last two blocks exchanged. cryptd() and the like are drivers:
 * the crypto API doesn't count them among what an algorithm is called.
 */
static void name_alg(char *name, size_t size, struct crypto_skcipher *tfm)
{
	static const char * const wrappers[] = { "essiv(", "cts(" };
	const char *alg = crypto_tfm_alg_name(crypto_skcipher_tfm(tfm));
	size_t i, len = strlen(alg);

	for (i = 0; i < ARRAY_SIZE(wrappers); i++) {
		size_t head = strlen(wrappers[i]);
		const char *end;

		if (len <= head || strncmp(alg, wrappers[i], head))
			continue;
		/* The mode ends at its own parenthesis; behind a comma is a hash. */
		end = memchr(alg + head, ')', len - head);
		alg += head;
		len = end ? end + 1 - alg : len - head;
	}
	scnprintf(name, size, "%.*s", (int)len, alg);
}

static int check_cipher(const struct dmsse_layer *layer, struct crypto_skcipher *tfm,
			const struct dmsse_cipher *cipher, const struct dmsse_params *params,
			struct dmsse_error *err)
{
	unsigned int sector_size = params->sector_size;

	if (layer->insecure && params->nr_layers > 1) {
		dmsse_err(err, "cipher '%s' does not protect a disk: two layers have to be two",
			  cipher->alg);
		return -EINVAL;
	}
	if (layer->insecure && !dmsse_insecure_ciphers) {
		dmsse_err(err,
			  "cipher '%s' does not protect a disk: load the module with insecure_ciphers=1 to use it all the same",
				cipher->alg);
		return -EINVAL;
	}
	if (layer->iv_size && cipher->iv == DMSSE_IV_NONE) {
		dmsse_err(err,
			  "cipher '%s' needs an IV: use plain, plain64, plain64be or essiv:<hash>",
				cipher->alg);
		return -EINVAL;
	}
	if (layer->iv_size && layer->iv_size < DMSSE_MIN_IV_SIZE) {
		dmsse_err(err, "cipher '%s' has an IV of %u bytes, at least %u are needed",
			  cipher->alg, layer->iv_size, DMSSE_MIN_IV_SIZE);
		return -EINVAL;
	}
	if (sector_size % crypto_skcipher_blocksize(tfm)) {
		dmsse_err(err, "block of cipher '%s' does not divide sector_size:%u",
			  cipher->alg, sector_size);
		return -EINVAL;
	}
	return 0;
}

/**
 * dmsse_layer_init - set a layer up; it has no key yet
 * @layer: zeroed
 * @params: the table line
 * @index: position of the layer in it
 * @err: why it failed
 *
 * Context: process, sleeps, may load modules.
 * Return: 0, -ENOENT if the kernel has no such cipher, -EINVAL if it is not
 * fit for disks, or what the crypto API says; @err is set with each.
 */
int dmsse_layer_init(struct dmsse_layer *layer, const struct dmsse_params *params,
		     unsigned int index, struct dmsse_error *err)
{
	const struct dmsse_cipher *cipher = &params->layer[index].cipher;
	struct crypto_skcipher *tfm;
	int r;

	tfm = crypto_alloc_skcipher(cipher->alg, 0, 0);
	if (IS_ERR(tfm)) {
		describe_alloc_error(cipher->alg, PTR_ERR(tfm), err);
		return PTR_ERR(tfm);
	}

	name_alg(layer->alg, sizeof(layer->alg), tfm);

	strscpy(layer->driver, crypto_tfm_alg_driver_name(crypto_skcipher_tfm(tfm)),
		sizeof(layer->driver));
	layer->iv_offset = params->layer[index].iv_offset;
	layer->iv_size = crypto_skcipher_ivsize(tfm);
	layer->iv_scheme = layer->iv_size ? cipher->iv : DMSSE_IV_NONE;
	layer->reqsize = crypto_skcipher_reqsize(tfm);
	layer->alignmask = crypto_skcipher_alignmask(tfm);
	layer->insecure = is_insecure(tfm);

	r = check_cipher(layer, tfm, cipher, params, err);
	crypto_free_skcipher(tfm);
	return r;
}

/**
 * dmsse_layer_same_cipher - do two layers have the same algorithm and mode?
 * @a: a layer that was set up
 * @b: another
 *
 * Key sizes, IVs and drivers make no difference: what breaks the cipher of one
 * layer would break that of the other.
 *
 * Context: any.
 */
bool dmsse_layer_same_cipher(const struct dmsse_layer *a, const struct dmsse_layer *b)
{
	return !strcmp(a->alg, b->alg);
}

/**
 * dmsse_layer_alloc_tfm - a tfm without a key, as the layer needs it
 * @layer: the layer; not changed
 * @err: why it failed
 *
 * Context: process, sleeps.
 * Return: the tfm, the caller's to free; or an ERR_PTR() with @err set.
 */
struct crypto_skcipher *dmsse_layer_alloc_tfm(const struct dmsse_layer *layer,
					      struct dmsse_error *err)
{
	struct crypto_skcipher *tfm = crypto_alloc_skcipher(layer->driver, 0, 0);

	if (IS_ERR(tfm)) {
		describe_alloc_error(layer->driver, PTR_ERR(tfm), err);
		return tfm;
	}
	if (crypto_skcipher_reqsize(tfm) > layer->reqsize) {
		dmsse_err(err, "cipher driver '%s' now needs larger requests: load the table again",
			  layer->driver);
		crypto_free_skcipher(tfm);
		return ERR_PTR(-EAGAIN);
	}
	return tfm;
}

/**
 * dmsse_layer_destroy - undo dmsse_layer_init() and wipe the key
 * @layer: the layer; may be zeroed, or what a failed dmsse_layer_init() left
 *
 * Context: process, sleeps; no I/O in flight.
 */
void dmsse_layer_destroy(struct dmsse_layer *layer)
{
	dmsse_key_wipe(layer);
}
