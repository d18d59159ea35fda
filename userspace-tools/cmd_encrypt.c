// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup encrypt DEVICE, and --add-outer
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit.h"
#include "blockdev.h"
#include "encrypt.h"
#include "header_place.h"
#include "inplace.h"
#include "interrupt.h"
#include "policy.h"
#include "rewrap.h"
#include "ssesetup.h"

#define INNER	0
#define OUTER	1

#define MIB	(UINT64_C(1) << 20)

struct encrypting {
	struct encryption e;
	bool outer;		/* what is to be made now is a second layer */
	bool resume_only;
	int lock;
	char header[PATH_MAX];	/* its absolute name */
	struct disk disk;
};

static int finish_audited(const struct encrypting *c, uint64_t shift, const char *uuid,
			  struct reason *why)
{
	char device[PATH_MAX];
	struct audit_subject subject = { .device = device, .uuid = uuid };
	struct audit audit;
	int rc;

	if (c->e.header)
		return reason_set(why, RC_PARAM,
			"An encryption of %.300s that has its header on the device was begun and cut off:\n"
			"without --header the same command goes on with it.", c->e.device);
	blockdev_absolute(c->e.device, device, sizeof(device));
	rc = audit_intent(&audit, AUDIT_ENCRYPT, &subject, why);
	if (rc)
		return rc;
	rc = place_finish(c->e.device, shift, why);
	audit_result(&audit, rc ? why : NULL);
	return rc;
}

/*
 * Before anything loads a header there, or takes what is there for data: half of
 * one may be what is left. With which options it was begun doesn't matter.
 */
static int finish_begin(struct encrypting *c, struct reason *why)
{
	enum place_state state;
	char uuid[UUID_TEXT_SIZE];
	int rc = RC_OK;
	uint64_t shift;

	for (shift = PLACE_SHIFT_MIN; shift <= PLACE_SHIFT_MAX && !rc; shift *= 2) {
		rc = place_look(c->e.device, shift, &state, uuid, why);
		if (!rc && state == PLACE_CUT)
			return finish_audited(c, shift, uuid, why);
		if (!rc && state == PLACE_STALE)
			diag_warn("An encryption of %s was begun once and cut off, and the data were written to since:\n"
				  "nothing of it is used.", c->e.device);
	}
	return rc;
}

static int check_wish(const struct encrypting *c, struct reason *why)
{
	const struct disk *d = &c->disk;
	const char *set = c->e.o->str[OPT_DES];

	if (!d->ours)
		return reason_set(why, RC_PARAM,
			"%s is a LUKS2 volume of no disk encryption set: 'ssesetup assign' takes it into one.",
			d->device);
	if (set && strcmp(set, d->des))
		return reason_set(why, RC_PARAM, "%s belongs to disk encryption set %s, not to %s.",
				  d->device, d->des, set);
	if (!c->outer && d->nr_layers > 1)
		return reason_set(why, RC_PARAM,
			"%s has two layers: what is under way is 'ssesetup encrypt --add-outer'.",
			d->device);
	return RC_OK;
}

/* With the layer around it there, the keyslot of the single one isn't needed. */
static int settle_inner(struct encrypting *c, struct des_keys *dk, struct reason *why)
{
	struct des_keys_use use = { .device = c->disk.device };
	struct rewrap_leftovers leftovers;
	struct disk *d = &c->disk;
	struct meta *meta;
	int rc;

	rc = disk_reach(d, dk, why);
	if (!rc)
		rc = disk_unlock_layer(d, INNER, dk, why);
	if (rc)
		return rc;
	meta = d->layer[INNER].meta;
	use.uuid = meta_uuid(meta);
	/* Of one that was cut off here the keyslot may be gone, and its token left. */
	rc = rewrap_clean(meta, dk, &use, &leftovers, why);
	return rc ? rc : rewrap_retire_others(meta, d->layer[INNER].token.id, why);
}

/* What takes no key, and may be left when the rest is done. */
static int finish_run(struct encrypting *c, struct reason *why)
{
	struct disk *d = &c->disk;
	int rc;

	rc = inplace_forget_size(d->layer[d->nr_layers - 1].meta, why);
	/* Again, for the version of the inner layer's key, which is known by now. */
	return rc ? rc : disk_register(d, NULL, why);
}

static int run(struct encrypting *c, struct des_keys *dk, struct reason *why)
{
	struct disk *d = &c->disk;
	unsigned int outermost = d->nr_layers - 1;
	int rc;

	rc = des_keys_usable(dk, why);
	if (!rc)
		rc = disk_register(d, NULL, why);
	if (!rc && meta_reencryption(d->layer[outermost].meta) == META_ENCRYPTING)
		rc = inplace_run(c->e.o, d, outermost, dk, "encrypted", why);
	if (!rc && c->outer)
		rc = settle_inner(c, dk, why);
	return rc ? rc : finish_run(c, why);
}

static int run_audited(struct encrypting *c, struct reason *why)
{
	struct disk *d = &c->disk;
	struct audit_subject subject = {
		.des = d->des,
		.device = d->device,
		.uuid = disk_uuid(d),
	};
	struct des_keys dk;
	struct audit audit;
	int rc;

	rc = audit_intent(&audit, AUDIT_ENCRYPT, &subject, why);
	if (rc)
		return rc;
	rc = disk_open_keys(d, &dk, why);
	if (!rc) {
		rc = run(c, &dk, why);
		des_keys_close(&dk);
	}
	audit_result(&audit, rc ? why : NULL);
	return rc;
}

static int go_on(struct encrypting *c, struct reason *why)
{
	enum meta_reencryption state;
	struct meta *meta;
	int rc;

	rc = check_wish(c, why);
	if (!rc)
		rc = disk_lock(&c->disk, why);
	if (rc)
		return rc;
	meta = c->disk.layer[c->disk.nr_layers - 1].meta;
	state = meta_reencryption(meta);
	if (meta_is_plain(meta))
		return reason_set(why, RC_PARAM,
			"%.300s is what a decryption of the disk has left: 'ssesetup decrypt' removes it.",
			c->disk.header);
	if (state == META_DECRYPTING || state == META_REENCRYPTING)
		return reason_set(why, RC_PARAM,
			"%s is being %s: that has to be finished first.", c->disk.device,
			state == META_DECRYPTING ? "decrypted" : "re-encrypted");
	if (state == META_ENCRYPTING && c->outer && c->disk.nr_layers == 1)
		return reason_set(why, RC_PARAM,
			"%s is being encrypted: 'ssesetup encrypt --resume-only' has to finish that first.",
			c->disk.device);
	if (state == META_ENCRYPTING) {
		rc = inplace_check_size(meta, c->disk.device, c->e.sectors, why);
		return rc ? rc : run_audited(c, why);
	}
	printf("%s: is encrypted already, under set %s.\n", c->disk.device, c->disk.des);
	return c->outer ? run_audited(c, why) : finish_run(c, why);
}

static int begin_plain(struct encrypting *c, struct reason *why)
{
	char set[DES_NAME_MAX];
	struct des_keys dk;
	int rc;

	rc = policy_default_des(c->e.o->str[OPT_DES], set, why);
	if (!rc)
		rc = des_keys_open(&dk, set, why);
	if (rc)
		return rc;
	rc = encrypt_begin(&c->e, &dk, why);
	des_keys_close(&dk);
	return rc;
}

static int begin(struct encrypting *c, struct reason *why)
{
	int rc;

	if (c->resume_only)
		return reason_set(why, RC_PARAM, "No encryption of %s is under way: nothing to go on with.",
				  c->e.device);
	if (!c->e.shift && !c->e.header)
		return reason_set(why, RC_PARAM,
			"Where to have the header of %s? --reduce-device-size 4M says that the last 4 MiB of the\n"
			"device are free, to make room for it; --header FILE keeps it elsewhere.",
			c->e.device);
	rc = c->outer ? encrypt_begin_outer(&c->e, why) : begin_plain(c, why);
	c->e.agreed = true;
	if (!rc)
		rc = disk_load(&c->disk, c->e.device, c->e.header, why);
	return rc;
}

/* Is there a header that the disk has, or will have? */
static int load(struct encrypting *c, bool *there, struct reason *why)
{
	struct meta *meta = NULL;
	struct stat st;
	bool found;
	int rc;

	*there = false;
	if (c->e.header && stat(c->e.header, &st))
		return RC_OK;
	rc = meta_load(&meta, c->e.device, c->e.header, &found, why);
	meta_free(&meta);
	if (rc && !found && rc == RC_DEVICE && !(c->e.header && S_ISREG(st.st_mode) && st.st_size))
		return RC_OK;
	if (rc)
		return rc;
	*there = true;
	return disk_load(&c->disk, c->e.device, c->e.header, why);
}

/* Of the room that --double asks for, the first one has its part. */
static void second_layer(struct encrypting *c)
{
	c->outer = true;
	c->e.room = 2 * c->e.shift;
}

static int one_layer(struct encrypting *c, bool *there, struct reason *why)
{
	int rc;

	if (c->e.header) {
		rc = inplace_check_own_header(c->e.device, c->e.header, why);
		if (rc)
			return rc;
	}
	if (meta_reencryption(c->disk.layer[INNER].meta) != META_SETTLED ||
	    meta_is_plain(c->disk.layer[INNER].meta))
		return RC_OK;
	/* With --double the first of two is there. */
	if (c->e.twice)
		second_layer(c);
	/* It is what a second layer begins with, and ends with nothing of its own. */
	if (c->outer) {
		disk_close(&c->disk);
		*there = false;
	}
	return RC_OK;
}

static int encrypt(struct encrypting *c, struct reason *why)
{
	bool there = false;
	int rc;

	rc = inplace_claim(c->e.device, c->e.header, "encrypted", &c->e.sectors, why);
	if (!rc)
		rc = inplace_check_register(c->e.device, c->e.header, why);
	if (!rc)
		rc = finish_begin(c, why);
	if (!rc)
		rc = load(c, &there, why);
	if (!rc && there && c->disk.nr_layers == 1)
		rc = one_layer(c, &there, why);
	else if (!rc && there && c->e.twice)
		second_layer(c);
	if (rc)
		return rc;
	if (!there)
		rc = begin(c, why);
	return rc ? rc : go_on(c, why);
}

/* With --double, one layer after the other, each as if it were alone. */
static int encrypt_all(struct encrypting *c, struct reason *why)
{
	int rc = encrypt(c, why);

	if (rc || !c->e.twice || c->outer)
		return rc;
	disk_close(&c->disk);
	second_layer(c);
	return encrypt(c, why);
}

/* Half of the room is for the header; with two of them, one third for each. */
static int take_room(struct encrypting *c, uint64_t room)
{
	unsigned int parts = c->e.twice ? 3 : 2;

	for (c->e.shift = PLACE_SHIFT_MIN; c->e.shift <= PLACE_SHIFT_MAX; c->e.shift *= 2)
		if (room == parts * c->e.shift)
			break;
	c->e.room = room;
	if (c->e.shift <= PLACE_SHIFT_MAX)
		return RC_OK;
	return diag_fail(RC_PARAM, "--reduce-device-size%s takes %" PRIu64 "M, or twice as much, and so on, to %" PRIu64 "M.",
			 c->e.twice ? " with --double" : "", parts * PLACE_SHIFT_MIN / MIB,
			 parts * PLACE_SHIFT_MAX / MIB);
}

static int check_arguments(struct encrypting *c, const struct options *o)
{
	uint64_t sector = o->num[OPT_SECTOR_SIZE];

	if (opt_given(o, OPT_DES) && !des_name_ok(o->str[OPT_DES]))
		return diag_fail(RC_PARAM, "'%s' can't be the name of a disk encryption set.",
				 o->str[OPT_DES]);
	if (opt_given(o, OPT_HEADER) && opt_given(o, OPT_REDUCE_DEVICE_SIZE))
		return diag_fail(RC_PARAM,
			"--header keeps the header elsewhere: no room is needed, leave --reduce-device-size out.");
	if (opt_given(o, OPT_SECTOR_SIZE) &&
	    (c->outer || (sector != 512 && sector != 1024 && sector != 2048 && sector != 4096)))
		return diag_fail(RC_PARAM, c->outer ?
			"--sector-size is not for --add-outer: both layers have the same." :
			"--sector-size must be 512, 1024, 2048 or 4096.");
	if (c->e.twice && c->resume_only)
		return diag_fail(RC_PARAM,
			"--resume-only finishes one layer; --double without it goes on with both.");
	if (c->e.twice && c->outer)
		return diag_fail(RC_PARAM, "--double makes two layers, --add-outer the second: give one of them.");
	if (!opt_given(o, OPT_REDUCE_DEVICE_SIZE))
		return RC_OK;
	return take_room(c, o->num[OPT_REDUCE_DEVICE_SIZE]);
}

int cmd_encrypt(const struct options *o, int argc, char **argv)
{
	struct encrypting c = {
		.e = { .o = o, .device = argv[0], .twice = opt_given(o, OPT_DOUBLE) },
		.outer = opt_given(o, OPT_ADD_OUTER),
		.resume_only = opt_given(o, OPT_RESUME_ONLY),
		.lock = -1,
	};
	struct reason why = { 0 };
	int rc;

	(void)argc;
	rc = check_arguments(&c, o);
	if (rc || opt_given(o, OPT_TEST_ARGS))
		return rc;
	if (opt_given(o, OPT_HEADER)) {
		blockdev_absolute(o->str[OPT_HEADER], c.header, sizeof(c.header));
		c.e.header = c.header;
	}
	disk_init(&c.disk);
	rc = inplace_lock(c.e.device, &c.lock, &why);
	if (!rc)
		rc = encrypt_all(&c, &why);
	disk_close(&c.disk);
	if (c.lock >= 0)
		close(c.lock);
	if (rc)
		reason_say(&why);
	interrupt_end();
	return rc;
}
