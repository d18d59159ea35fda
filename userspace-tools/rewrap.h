/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef REWRAP_H
#define REWRAP_H

#include "des_keys.h"
#include "meta.h"

/*
 * A keyslot with a wrapped secret, added to a header and taken away again, so
 * that power may fail at any write and the disk opens:
 *
 *	token (pending: keyslot n) -> keyslot n -> token (keyslot n) -> verified
 *	-> old keyslot destroyed -> old token removed
 *
 * Documentation/key-rotation.rst goes through what a cut at each arrow leaves.
 * A pending token announces a keyslot, it doesn't own it: if power failed
 * before the keyslot was made, somebody may have made one of that number with
 * cryptsetup since. So a keyslot is taken for ours only after its secret was
 * unwrapped and has opened it.
 */

/*
 * Makes a secret, a keyslot for it and its token, and proves by unwrapping
 * what is on disk that it opens. @version: of the KEK, NULL for the newest.
 * *@added is a copy of the token, to be freed.
 */
int rewrap_add(struct meta *m, enum token_layer layer, struct des_keys *dk,
	       const struct des_keys_use *use, const char *version, struct secmem *volume_key,
	       size_t key_size, struct token *added, struct reason *why);

/*
 * The same without the proof, for who has the public half of the newest version
 * only. For a new disk, which has no data to be lost.
 */
int rewrap_add_unproved(struct meta *m, enum token_layer layer, struct des_keys *dk,
			const struct des_keys_use *use, struct secmem *volume_key,
			size_t key_size, struct token *added, struct reason *why);

/* Destroys the keyslot, unless another token of ours is for it too, then the token. */
int rewrap_retire(struct meta *m, const struct token *old, struct reason *why);
/* All of ours but the token @keep; a leftover that can't be told to be ours stays. */
int rewrap_retire_others(struct meta *m, int keep, struct reason *why);

/* What was cut off, and what became of it. */
struct rewrap_leftovers {
	unsigned int finished;	/* keyslots that were ours and have their token now */
	unsigned int removed;	/* tokens that no keyslot is for */
	unsigned int undecided;	/* left as they are: the key that would tell can't be used */
	struct reason hindrance;	/* why, of the last of those */
};

/*
 * Finishes or cleans away what was cut off. @dk: of the disk's set; a leftover
 * of another set's opens that one. Without it, NULL, only what takes no key is
 * done.
 */
int rewrap_clean(struct meta *m, struct des_keys *dk, const struct des_keys_use *use,
		 struct rewrap_leftovers *found, struct reason *why);

#endif
