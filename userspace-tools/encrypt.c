// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit.h"
#include "blockdev.h"
#include "confirm.h"
#include "encrypt_internal.h"
#include "files.h"
#include "header_place.h"
#include "inplace.h"
#include "interrupt.h"
#include "paths.h"
#include "policy.h"
#include "recovery.h"
#include "signature.h"
#include "ssesetup.h"

/* The part of a device that stays, for what lies in @size bytes at its end. */
static uint64_t left(const struct encryption *e, uint64_t size)
{
	return size > e->room ? size - e->room : 0;
}

int encrypt_check_fits(const struct encryption *e, const struct extent *x, uint64_t size,
		       struct reason *why)
{
	if (!e->shift || !x->known || x->end <= left(e, size))
		return RC_OK;
	return reason_set(why, RC_DEVICE,
		"The %s on %s takes %" PRIu64 " KiB, and only %" PRIu64 " KiB stay for it.\n"
		"Nothing was changed. Make it smaller by %" PRIu64 " KiB first, or the device larger,\n"
		"or keep the header elsewhere with --header.", x->what, e->device,
		x->end / 1024, left(e, size) / 1024, (x->end - left(e, size) + 1023) / 1024);
}

int encrypt_check_sectors(const struct encryption *e, const struct extent *x,
			  unsigned int sector_size, struct reason *why)
{
	if (e->sectors * SECTOR_SIZE % sector_size)
		return reason_set(why, RC_DEVICE,
			"The size of %s is not a multiple of sectors of %u bytes: --sector-size 512 is right.",
			e->device, sector_size);
	if (!x->block || x->block >= sector_size)
		return RC_OK;
	return reason_set(why, RC_PARAM,
		"The %s on %s reads %u bytes at a time: sectors of %u bytes would make it unreadable,\n"
		"--sector-size %u is right.", x->what, e->device, x->block, sector_size, x->block);
}

int encrypt_check_size(const struct encryption *e, struct reason *why)
{
	uint64_t size = e->sectors * SECTOR_SIZE;

	if (size > e->room + e->shift && size > SECTOR_SIZE)
		return RC_OK;
	return reason_set(why, RC_DEVICE, "Device %s has %" PRIu64 " KiB, too little to be encrypted in place.",
			  e->device, size / 1024);
}

int encrypt_confirm(const struct encryption *e, const struct extent *x, struct reason *why)
{
	char end[256] = "";
	uint64_t now;
	int rc;

	if (e->agreed)
		return RC_OK;
	if (e->shift && !x->known)
		snprintf(end, sizeof(end), "\nIts last %" PRIu64 " KiB will be lost: nothing tells whether they are in use.",
			 e->room / 1024);
	rc = confirm(e->o, "This will encrypt the data on %s in place.%s%s%s%s", e->device,
		     *x->what ? "\nIt holds: " : "", x->what, *x->what ? "." : "", end);
	if (!rc)
		rc = blockdev_look(e->device, true, &now);
	if (rc)
		return reason_said(why, rc);
	if (now != e->sectors)
		return reason_set(why, RC_BUSY, "The size of %s has changed meanwhile: try again.",
				  e->device);
	/* From here on a signal waits until what is begun can go on. */
	interrupt_catch();
	return RC_OK;
}

/* A file is made; what lies on a device that the header is for is somebody's. */
static int check_header(const struct encryption *e, struct reason *why)
{
	char what[128];
	int rc;

	if (!e->header || access(e->header, F_OK))
		return RC_OK;
	rc = signature_find(e->header, what, sizeof(what), why);
	if (rc || !*what)
		return rc;
	return reason_set(why, RC_PARAM, "%s, where the header is to be, has %s: 'wipefs' removes it if that is meant.",
			  e->header, what);
}

/* A header that is being made, in memory: nothing of it is on a disk. */
static int draft_path(char *path, size_t size, struct reason *why)
{
	int rc = files_make_directory(PATH_RUN, why);

	if (rc)
		return rc;
	snprintf(path, size, PATH_RUN "/draft-%d", (int)getpid());
	unlink(path);
	return RC_OK;
}

int encrypt_check_unwraps(struct des_keys *dk, enum token_layer role, struct reason *why)
{
	struct kek_version newest;
	int rc;

	rc = des_keys_version(dk, role, NULL, &newest, why);
	if (rc || newest.can_unwrap)
		return rc;
	return reason_set(why, RC_PERM,
		"Only the public half of version %s of the key is here: an encryption that is interrupted could not go on.",
		newest.version);
}

static int show_recovery_key(struct secmem *key, unsigned int nr_layers, bool twice,
			     struct reason *why)
{
	int rc;

	if (!key)
		return RC_OK;
	rc = recovery_key_show(key, nr_layers > 1 ? "outer" : twice ? "inner" : "", why);
	if (!rc)
		fprintf(stderr, "Write it down and keep it safe: nothing shows it again.\n");
	return rc;
}

/* The draft says what is to be done, and the first piece of the data is at the end. */
static int prepare(const struct encryption *e, struct disk *d, unsigned int index,
		   struct des_keys *dk, struct reason *why)
{
	SECMEM_AUTO secret = NULL;
	int rc, slot = -1;

	rc = inplace_secret(d, index, dk, &secret, &slot, why);
	if (!rc && e->shift)
		rc = place_prepare(e->device, e->shift, why);
	if (!rc)
		rc = meta_encrypt_begin(d->layer[index].meta, slot, secret, SLOT_SECRET_SIZE,
					e->shift / SECTOR_SIZE, why);
	return rc;
}

static int make_and_place(const struct encryption *e, struct format_params *p, struct disk *d,
			  const char *draft, struct secmem **recovery, struct reason *why)
{
	unsigned int index = d->nr_layers - 1;
	int rc;

	p->data_offset = e->shift / SECTOR_SIZE;
	rc = format_layer(p, d, index, e->device, draft, recovery, why);
	if (!rc)
		rc = inplace_note_size(d->layer[index].meta, e->sectors, why);
	if (!rc)
		rc = prepare(e, d, index, p->dk, why);
	if (!rc)
		rc = show_recovery_key(*recovery, d->nr_layers, e->twice, why);
	/*
	 * A rotation must know of the disk from the moment the header is there. A
	 * header file has a name in the register only when it is there; nothing is
	 * encrypted before it has.
	 */
	if (!rc && e->shift)
		rc = disk_register(d, NULL, why);
	if (!rc)
		rc = e->shift ? place_header(e->device, e->shift, draft, why) :
				place_detached(draft, e->header, why);
	if (!rc && !e->shift)
		rc = disk_register(d, NULL, why);
	return rc;
}

static int make_header(const struct encryption *e, struct format_params *p,
		       unsigned int nr_layers, struct reason *why)
{
	SECMEM_AUTO recovery = NULL;
	char draft[sizeof(PATH_RUN) + 32];
	struct disk d;
	int rc;

	rc = draft_path(draft, sizeof(draft), why);
	if (rc)
		return rc;
	disk_init(&d);
	blockdev_absolute(e->device, d.device, sizeof(d.device));
	if (e->header)
		blockdev_absolute(e->header, d.header, sizeof(d.header));
	d.ours = true;
	d.nr_layers = nr_layers;
	memcpy(d.des, p->dk->des.name, sizeof(d.des));
	memcpy(d.des_id, p->dk->des.id, sizeof(d.des_id));
	memcpy(d.owner, p->dk->des.owner, sizeof(d.owner));
	rc = make_and_place(e, p, &d, draft, &recovery, why);
	disk_close(&d);
	unlink(draft);
	return rc;
}

int encrypt_make(const struct encryption *e, struct format_params *p, unsigned int nr_layers,
		 struct reason *why)
{
	struct audit_subject subject = { .des = p->dk->des.name };
	struct audit audit, recovery;
	char device[PATH_MAX];
	int rc;

	blockdev_absolute(e->device, device, sizeof(device));
	subject.device = device;
	rc = audit_intent(&audit, AUDIT_ENCRYPT, &subject, why);
	if (rc)
		return rc;
	if (p->recovery_key)
		rc = audit_intent(&recovery, AUDIT_RECOVERY_KEY, &subject, why);
	if (!rc) {
		rc = make_header(e, p, nr_layers, why);
		if (p->recovery_key)
			audit_result(&recovery, rc ? why : NULL);
	}
	audit_result(&audit, rc ? why : NULL);
	return rc;
}

static int logical_block(const struct encryption *e, unsigned int *size, struct reason *why)
{
	struct blockdev b = { .fd = -1 };
	struct stat st;
	int rc;

	*size = SECTOR_SIZE;
	if (stat(e->device, &st) || !S_ISBLK(st.st_mode))
		return RC_OK;
	rc = blockdev_open(&b, e->device, true, true);
	if (rc)
		return reason_said(why, rc);
	*size = b.block_size;
	blockdev_close(&b);
	return RC_OK;
}

/* What a machine has seen so far it goes on to see: sectors as large as the device's. */
static int choose_sectors(const struct encryption *e, struct format_params *p,
			  const struct extent *x, struct reason *why)
{
	unsigned int block;
	int rc;

	rc = logical_block(e, &block, why);
	if (rc)
		return rc;
	if (!p->sector_size)
		p->sector_size = block;
	if (p->sector_size < block)
		return reason_set(why, RC_PARAM,
			"--sector-size %u is less than the sectors of %s, which have %u bytes.",
			p->sector_size, e->device, block);
	return encrypt_check_sectors(e, x, p->sector_size, why);
}

static int check_set(const struct encryption *e, const struct des *des, struct reason *why)
{
	if (des->type == DES_CUSTOMER && e->twice)
		return reason_set(why, RC_PARAM,
			"Disk encryption set %s is of type customer, with one layer: two take one of type\n"
			"platform-and-customer.", des->name);
	if (des->type == DES_PLATFORM_AND_CUSTOMER && !e->twice)
		return reason_set(why, RC_PARAM,
			"Disk encryption set %s is for two layers: --double makes both, one after the other.",
			des->name);
	return policy_check_layers(e->device, des->name, e->twice ? 2 : 1, why);
}

int encrypt_begin(const struct encryption *e, struct des_keys *dk, struct reason *why)
{
	struct format_params p = {
		.device = e->device,
		.header = e->header,
		.dk = dk,
		.sector_size = (unsigned int)e->o->num[OPT_SECTOR_SIZE],
		/* Of two layers, the outer one has them. */
		.uuid = e->twice ? NULL : e->o->str[OPT_UUID],
		.label = e->twice ? NULL : e->o->str[OPT_LABEL],
		.recovery_key = opt_given(e->o, OPT_RECOVERY_KEY),
	};
	struct extent x;
	int rc;

	rc = des_keys_usable(dk, why);
	if (!rc)
		rc = check_set(e, &dk->des, why);
	if (!rc)
		rc = encrypt_check_unwraps(dk, TOKEN_SINGLE, why);
	if (!rc)
		rc = encrypt_check_size(e, why);
	if (!rc)
		rc = extent_find(e->device, &x, why);
	if (!rc && !strcmp(x.what, "crypto_LUKS"))
		rc = reason_set(why, RC_PARAM,
			"%s is a LUKS volume: 'ssesetup assign' takes it into a set,\n"
			"'ssesetup encrypt --add-outer' gives a disk of a set a second layer.", e->device);
	if (!rc)
		rc = check_header(e, why);
	if (!rc)
		rc = encrypt_check_fits(e, &x, e->sectors * SECTOR_SIZE, why);
	if (!rc)
		rc = choose_sectors(e, &p, &x, why);
	if (!rc)
		rc = encrypt_confirm(e, &x, why);
	return rc ? rc : encrypt_make(e, &p, 1, why);
}
