// SPDX-License-Identifier: GPL-2.0-only
/*
 * Paths and devices as a line of /etc/ssetab names them.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "ssetab_internal.h"

static bool has_dots(const char *path)
{
	size_t part;

	for (; *path; path += part) {
		path += strspn(path, "/");
		part = strcspn(path, "/");
		if (part == 2 && !strncmp(path, "..", 2))
			return true;
	}
	return false;
}

bool ssetab_path_ok(const char *path)
{
	return path[0] == '/' && path[strspn(path, "/")] && strlen(path) < PATH_MAX &&
	       !has_dots(path);
}

static const struct {
	const char *tag;
	const char *directory;	/* of udev's links */
	bool hex;		/* which are in small letters */
	bool of_content;	/* gone when the content is overwritten */
} tags[] = {
	{ "UUID=",	"by-uuid",	true,	true },
	{ "LABEL=",	"by-label",	false,	true },
	{ "PARTUUID=",	"by-partuuid",	true,	false },
	{ "PARTLABEL=",	"by-partlabel",	false,	false },
};

#define NR_TAGS	(sizeof(tags) / sizeof(tags[0]))

static size_t tag_of(const char *device)
{
	size_t i;

	for (i = 0; i < NR_TAGS; i++)
		if (!strncmp(device, tags[i].tag, strlen(tags[i].tag)))
			break;
	return i;
}

/* The characters that udev leaves as they are in the name of a link. */
static bool is_plain(unsigned char c)
{
	return c >= 0x80 || isalnum(c) || strchr("#+-.:=@_", c);
}

bool ssetab_device_path(const char *device, char path[PATH_MAX])
{
	size_t tag = tag_of(device), len;

	if (tag == NR_TAGS)
		return snprintf(path, PATH_MAX, "%s", device) < PATH_MAX;
	len = (size_t)snprintf(path, PATH_MAX, "/dev/disk/%s/", tags[tag].directory);
	for (device += strlen(tags[tag].tag); *device; device++) {
		unsigned char c = (unsigned char)*device;

		if (len + 5 > PATH_MAX)
			return false;
		if (!is_plain(c))
			len += (size_t)sprintf(path + len, "\\x%02x", c);
		else
			path[len++] = (char)(tags[tag].hex ? tolower(c) : c);
	}
	path[len] = '\0';
	return true;
}

bool ssetab_is_device(const char *path)
{
	return !strncmp(path, "/dev/", strlen("/dev/"));
}

static bool uuid_ok(const char *text)
{
	return *text && !text[strspn(text, "0123456789abcdefABCDEF-")];
}

bool ssetab_device_ok(const char *device)
{
	size_t tag = tag_of(device);
	const char *value;

	if (tag == NR_TAGS)
		return ssetab_path_ok(device);
	value = device + strlen(tags[tag].tag);
	return *value && (!tags[tag].hex || uuid_ok(value)) && strcmp(value, ".") &&
	       strcmp(value, "..");
}

bool ssetab_device_of_content(const char *device)
{
	size_t tag = tag_of(device);

	return tag < NR_TAGS && tags[tag].of_content;
}
