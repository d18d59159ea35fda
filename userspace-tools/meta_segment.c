// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a LUKS2 header's JSON says of the data. Text only; it comes from a
 * disk, and libcryptsetup has looked at its form.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "meta_segment.h"
#include "number.h"

#define SECTOR	512

static const char *text_of(struct json_object *object, const char *name)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, name, &value) ||
	    !json_object_is_type(value, json_type_string))
		return NULL;
	return json_object_get_string(value);
}

/* LUKS2 writes numbers of 64 bits as strings. */
static bool number_of(struct json_object *object, const char *name, uint64_t *number)
{
	const char *text = text_of(object, name);

	return text && number_parse(text, UINT64_MAX, number);
}

/* Bytes to sectors. */
static bool sectors_of(struct json_object *object, const char *name, uint64_t *sectors)
{
	uint64_t bytes;

	if (!number_of(object, name, &bytes) || bytes % SECTOR)
		return false;
	*sectors = bytes / SECTOR;
	return true;
}

/* What a re-encryption that is under way was begun for: "encrypt" and the like. */
static const char *reencryption_mode(struct json_object *root)
{
	struct json_object *keyslots;
	const char *type;

	if (!json_object_object_get_ex(root, "keyslots", &keyslots) ||
	    !json_object_is_type(keyslots, json_type_object))
		return "";
	json_object_object_foreach(keyslots, number, keyslot) {
		(void)number;
		type = text_of(keyslot, "type");
		if (type && !strcmp(type, "reencrypt"))
			return text_of(keyslot, "mode") ? text_of(keyslot, "mode") : "";
	}
	return "";
}

static int not_finished(struct json_object *root, struct reason *why)
{
	const char *mode = reencryption_mode(root);

	if (!strcmp(mode, "encrypt") || !strcmp(mode, "decrypt"))
		return reason_set(why, RC_DEVICE,
			"%s in place is not finished: 'ssesetup %s --resume-only' goes on with it\n"
			"('cryptsetup reencrypt --resume-only' where that has begun it).",
			strcmp(mode, "encrypt") ? "Decryption" : "Encryption", mode);
	return reason_set(why, RC_DEVICE,
		"Re-encryption is not finished: 'cryptsetup reencrypt --resume-only' finishes it.");
}

/* config.requirements.mandatory: what whoever opens the disk must know. */
static int check_requirements(struct json_object *root, struct reason *why)
{
	struct json_object *object, *list, *value;
	const char *name;

	if (!json_object_object_get_ex(root, "config", &object) ||
	    !json_object_object_get_ex(object, "requirements", &object) ||
	    !json_object_object_get_ex(object, "mandatory", &list) ||
	    !json_object_is_type(list, json_type_array) || !json_object_array_length(list))
		return RC_OK;
	value = json_object_array_get_idx(list, 0);
	name = json_object_get_string(value);
	if (name && (!strncmp(name, "online-reencrypt", strlen("online-reencrypt")) ||
		     !strncmp(name, "offline-reencrypt", strlen("offline-reencrypt"))))
		return not_finished(root, why);
	return reason_set(why, RC_DEVICE,
		"The header requires '%s', which dm-sse can't do: open it with cryptsetup.",
		name ? name : "?");
}

/* The one segment that a disk has which dm-sse can map. */
static int find_segment(struct json_object *root, struct json_object **segment,
			struct reason *why)
{
	struct json_object *segments;

	if (!json_object_object_get_ex(root, "segments", &segments) ||
	    !json_object_is_type(segments, json_type_object))
		return reason_set(why, RC_DEVICE, "The header has no segments.");
	if (json_object_object_length(segments) != 1 ||
	    !json_object_object_get_ex(segments, "0", segment))
		return reason_set(why, RC_DEVICE,
			"The header has %d segments, and dm-sse maps just one: open it with cryptsetup.",
			json_object_object_length(segments));
	return RC_OK;
}

static int check_segment(struct json_object *segment, struct reason *why)
{
	const char *type = text_of(segment, "type");

	if (!type || strcmp(type, "crypt"))
		return reason_set(why, RC_DEVICE,
			"The segment is of type '%s', and dm-sse maps 'crypt' only: open it with cryptsetup.",
			type ? type : "?");
	if (json_object_object_get_ex(segment, "integrity", NULL))
		return reason_set(why, RC_DEVICE,
			"The segment has integrity, which dm-sse can't do: open it with cryptsetup.");
	return RC_OK;
}

static bool sector_size_ok(unsigned int bytes)
{
	return bytes >= SECTOR && bytes <= 4096 && !(bytes & (bytes - 1));
}

static int read_segment(struct json_object *object, struct meta_segment *segment,
			struct reason *why)
{
	const char *cipher = text_of(object, "encryption");
	const char *size = text_of(object, "size");
	struct json_object *sector_size;

	memset(segment, 0, sizeof(*segment));
	if (!cipher || strlen(cipher) >= sizeof(segment->cipher))
		return reason_set(why, RC_DEVICE, "The segment's cipher is missing or too long.");
	memcpy(segment->cipher, cipher, strlen(cipher) + 1);

	if (!sectors_of(object, "offset", &segment->offset))
		return reason_set(why, RC_DEVICE, "The segment's offset isn't a multiple of %d.",
				  SECTOR);
	if (!number_of(object, "iv_tweak", &segment->iv_offset))
		return reason_set(why, RC_DEVICE, "The segment's iv_tweak isn't a number.");
	if (!size || (strcmp(size, "dynamic") && !sectors_of(object, "size", &segment->size)))
		return reason_set(why, RC_DEVICE,
				  "The segment's size isn't 'dynamic' or a multiple of %d.", SECTOR);
	if (!json_object_object_get_ex(object, "sector_size", &sector_size))
		return reason_set(why, RC_DEVICE, "The segment's sector_size is missing.");
	segment->sector_size = (unsigned int)json_object_get_int(sector_size);
	/* libcryptsetup takes all multiples of 512. */
	if (!json_object_is_type(sector_size, json_type_int) || !sector_size_ok(segment->sector_size))
		return reason_set(why, RC_DEVICE,
			"The segment's sector_size is %.20s; 512, 1024, 2048 or 4096 are right.",
			json_object_get_string(sector_size));
	return RC_OK;
}

int meta_segment_parse(const char *json, struct meta_segment *segment, struct reason *why)
{
	struct json_object *root = json_tokener_parse(json);
	struct json_object *object;
	int rc;

	if (!root)
		return reason_set(why, RC_DEVICE, "The header isn't JSON.");
	rc = check_requirements(root, why);
	if (!rc)
		rc = find_segment(root, &object, why);
	if (!rc)
		rc = check_segment(object, why);
	if (!rc)
		rc = read_segment(object, segment, why);
	json_object_put(root);
	return rc;
}

/* The digest of the volume key of segment 0. */
static const char *digest_of(struct json_object *root)
{
	struct json_object *digests, *list, *item;
	size_t i;

	if (!json_object_object_get_ex(root, "digests", &digests) ||
	    !json_object_is_type(digests, json_type_object))
		return NULL;
	json_object_object_foreach(digests, name, digest) {
		(void)name;
		if (!json_object_object_get_ex(digest, "segments", &list) ||
		    !json_object_is_type(list, json_type_array))
			continue;
		for (i = 0; i < json_object_array_length(list); i++) {
			item = json_object_array_get_idx(list, i);
			if (json_object_is_type(item, json_type_string) &&
			    !strcmp(json_object_get_string(item), "0"))
				return text_of(digest, "digest");
		}
	}
	return NULL;
}

bool meta_same_volume_key(const char *json, const char *other)
{
	struct json_object *a = json_tokener_parse(json);
	struct json_object *b = json_tokener_parse(other);
	const char *x = digest_of(a);
	const char *y = digest_of(b);
	bool same = x && y && !strcmp(x, y);

	json_object_put(a);
	json_object_put(b);
	return same;
}
