/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DISK_H
#define DISK_H

#include <limits.h>

#include "des_keys.h"
#include "meta.h"
#include "table.h"

/*
 * A disk on its medium: the LUKS2 header of each layer, and once it is
 * unlocked the volume keys.
 *
 *	single:   | header | data                      |
 *	double:   | outer  |{ header | data           }|   {}: under the outer layer
 *	detached: | data                               |
 *	          FILE: outer or only header, FILE.inner: the inner one
 *
 * An inner header that lies under the outer layer is reached through a mapping
 * of the outer layer alone, which lives as long as this struct.
 */
struct disk_layer {
	struct meta *meta;		/* NULL: not reached yet */
	struct meta_segment segment;
	struct secmem *volume_key;	/* NULL: locked */
	size_t key_size;
	struct token token;		/* that it was unlocked with */
};

struct disk {
	char device[PATH_MAX];
	char header[PATH_MAX];		/* of a detached one; "" */
	bool ours;			/* there is a token of type dm-sse */
	bool clone;			/* of another disk here; see clone.h */
	bool without_tokens;		/* was loaded like that */
	unsigned int nr_layers;
	struct disk_layer layer[SSE_LAYERS_MAX];	/* innermost first */
	char des[DES_NAME_MAX];		/* of the outermost token */
	char des_id[UUID_TEXT_SIZE];
	char owner[256];
	char peel[64];			/* name of the mapping of the outer layer; "" */
	int lock;			/* file descriptor, or -1 */
};

void disk_init(struct disk *d);

/* Loads the outermost header. RC_DEVICE if there is none; says what to do then. */
int disk_load(struct disk *d, const char *device, const char *header, struct reason *why);
/*
 * The same for who has a passphrase: of tokens that can't be read there is a
 * warning, and the disk is then no set's. Refuses one that has two layers.
 */
int disk_load_without_tokens(struct disk *d, const char *device, const char *header,
			     struct reason *why);
/* Everything that was acquired is given back and wiped. */
void disk_close(struct disk *d);

/*
 * Keeps other ssesetups of this host from changing the disk's headers until
 * disk_close(); waits. The headers that were loaded before are loaded anew.
 */
int disk_lock(struct disk *d, struct reason *why);

/* Opens the set the disk belongs to; says whose identity is missing if it isn't here. */
int disk_open_keys(const struct disk *d, struct des_keys *dk, struct reason *why);

/* All layers: volume keys and headers. */
int disk_unlock(struct disk *d, struct des_keys *dk, struct reason *why);
/* Of two layers, the outer one: mapped if the inner header lies beneath it. */
int disk_uncover(struct disk *d, struct des_keys *dk, struct reason *why);
/* The headers of all layers are loaded after this; the innermost stays locked. */
int disk_reach(struct disk *d, struct des_keys *dk, struct reason *why);
/* One layer by a person's passphrase or a key file's content; single-layer disks only. */
int disk_unlock_passphrase(struct disk *d, struct secmem *passphrase, size_t size,
			   struct reason *why);
/* One layer by the token of its header that works; those before it are unlocked. */
int disk_unlock_layer(struct disk *d, unsigned int index, struct des_keys *dk,
		      struct reason *why);

/* Which layer that is of a disk with @nr_layers. */
enum token_layer disk_layer_role(unsigned int nr_layers, unsigned int index);
/* UUID of the outermost header: the disk's. */
const char *disk_uuid(const struct disk *d);
/* FILE.inner. */
void disk_inner_header(const struct disk *d, char *path, size_t size);

/*
 * For a new disk: its outer layer, with @volume_key, is mapped, so that the
 * inner header can be made at the device that *@device then is; without an
 * outer layer, or with detached headers, it is the disk's own.
 */
int disk_peel(struct disk *d, struct reason *why);

/*
 * The inner segment of a disk that is open, without its secrets: @outer_key is
 * what the kernel has the outer layer's key by, within reach of this process.
 */
int disk_inner_segment(struct disk *d, const struct keyref *outer_key,
		       struct meta_segment *segment, struct reason *why);
void disk_inner_device(const struct disk *d, char *device, size_t device_size,
		       char *header, size_t header_size);

struct known_disk;
/* Sets the versions of the keys of the layers that were reached. */
void disk_key_versions(const struct disk *d, struct known_disk *known);
/*
 * Enters the disk in the register of this host. @mapping: the name it is being
 * opened under, or NULL: as it was, and so is whether it is a clone; of one that
 * was not there that is found out.
 */
int disk_register(const struct disk *d, const char *mapping, struct reason *why);

/*
 * The table of the unlocked disk, without its device, keys named
 * "dmsse:MAPPING:inner" and ":outer".
 */
int disk_table(const struct disk *d, const char *mapping, struct sse_table *t,
	       struct reason *why);

#endif
