// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is told of open mappings, from lines of the target as they are, as a later one
 * may write them, and as none should; the formats it is told in; the file it goes to.
 * KTAP.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cells.h"
#include "files.h"
#include "json_file.h"
#include "monitor.h"
#include "paths.h"
#include "prometheus.h"

#define UUID	"01234567-89ab-4cde-8f01-23456789abcd"
#define MAPPED	"DMSSE-LUKS2-0123456789ab4cde8f0123456789abcd-m"

#define TABLE	"aes-xts-plain64 :64:logon:dmsse:m:inner 8 0:0 4096 8 sector_size:4096 " \
		"allow_discards key_lease queue outer capi:adiantum(xchacha12,aes)-plain64 " \
		":32:logon:dmsse:m:outer 4104"
#define INFO	"active layers:2 inner:keyed inner_driver:xts-aes-aesni outer:no-key " \
		"outer_driver:adiantum(x) key_lease:queue lease_seconds:3540 held_bios:0 " \
		"read_bios:61 read_sectors:18446744073709551615 later_things:7 later_word:seven " \
		"crypt_errors:1 io_errors:2 insecure"

static unsigned int nr, failed;

static void result(bool ok, const char *what, const char *detail)
{
	printf("%sok %u - %s\n", ok ? "" : "not ", ++nr, what);
	if (ok)
		return;
	printf("# %s\n", detail ? detail : "");
	failed++;
}

static void make_mapping(struct dm_mapping *m, const char *uuid, const char *table, const char *info)
{
	memset(m, 0, sizeof(*m));
	m->exists = true;
	m->readonly = true;
	m->nr_targets = 1;
	m->size = 2048;
	snprintf(m->uuid, sizeof(m->uuid), "%s", uuid);
	m->table = strdup(table);
	m->info = strdup(info);
}

/* The field at a path of names and indices, such as "layers/1/cipher", as JSON. */
static const char *field(struct json_object *o, const char *path)
{
	char copy[128], *save = NULL, *word;

	snprintf(copy, sizeof(copy), "%s", path);
	for (word = strtok_r(copy, "/", &save); word; word = strtok_r(NULL, "/", &save)) {
		if (json_object_is_type(o, json_type_array))
			o = json_object_array_get_idx(o, (size_t)atoi(word));
		else if (!json_object_object_get_ex(o, word, &o))
			return "missing";
	}
	return json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
					      JSON_C_TO_STRING_NOSLASHESCAPE);
}

static void is(struct json_object *o, const char *path, const char *want)
{
	char what[160];

	snprintf(what, sizeof(what), "%s is %s", path, want);
	result(!strcmp(field(o, path), want), what, field(o, path));
}

/* As a reader gets it: printed and parsed again. */
static struct json_object *told(const char *name, const struct dm_mapping *m)
{
	struct json_object *o, *again;
	struct monitor_disk d;
	const char *text;

	monitor_read(name, m, &d);
	o = monitor_json(&d);
	monitor_release(&d);
	text = json_object_to_json_string(o);
	again = json_parse_object(text, strlen(text));
	result(again != NULL, "the JSON is some", text);
	json_object_put(o);
	return again;
}

static void test_disk_of_a_set(void)
{
	struct known_disk known = { .mapping = "m", .uuid = UUID, .des = "gold", .des_id = UUID,
				    .device = "/dev/x", .key_version = "4f", .outer_key_version = "3",
				    .clone = true };
	struct reason why = { 0 };
	struct dm_mapping m;
	struct json_object *o;

	result(!registry_put(&known, &why), "a disk is in the register", why.text);
	make_mapping(&m, MAPPED, TABLE, INFO);
	o = told("m", &m);
	is(o, "name", "\"m\"");
	is(o, "type", "\"LUKS2\"");
	is(o, "clone", "true");
	is(o, "temporary", "false");
	is(o, "uuid", "\"" UUID "\"");
	is(o, "des", "\"gold\"");
	is(o, "device-number", "\"0:0\"");
	is(o, "header", "null");
	is(o, "cache", "null");
	is(o, "size-bytes", "1048576");
	is(o, "sector-size", "4096");
	is(o, "offset-sectors", "4096");
	is(o, "read-only", "true");
	is(o, "flags", "[\"allow_discards\"]");
	is(o, "state", "\"active\"");
	is(o, "suspended", "false");
	is(o, "on-lapse", "\"queue\"");
	is(o, "lease-seconds", "3540");
	is(o, "lapse-reason", "null");
	is(o, "held-bios", "0");
	is(o, "layers/0/layer", "\"inner\"");
	is(o, "layers/0/key", "\"logon:dmsse:m:inner\"");
	is(o, "layers/0/key-bits", "512");
	is(o, "layers/0/key-version", "\"4f\"");
	is(o, "layers/0/keyed", "true");
	is(o, "layers/0/driver", "\"xts-aes-aesni\"");
	is(o, "layers/1/cipher", "\"capi:adiantum(xchacha12,aes)-plain64\"");
	is(o, "layers/1/iv-offset-sectors", "4104");
	is(o, "layers/1/key-version", "\"3\"");
	is(o, "layers/1/keyed", "false");
	is(o, "counters", "{\"read-bios\":61,\"read-sectors\":18446744073709551615,"
	   "\"later-things\":7,\"crypt-errors\":1,\"io-errors\":2}");
	is(o, "problem", "null");
	json_object_put(o);

	/* Another disk under the name that the register has. */
	m.uuid[strlen("DMSSE-LUKS2-")] = 'f';
	o = told("m", &m);
	is(o, "des", "null");
	is(o, "layers/0/key-version", "null");
	json_object_put(o);
	dm_mapping_free(&m);
	registry_forget("/dev/x", NULL, &why);
}

static void test_others(void)
{
	struct dm_mapping m;
	struct json_object *o;

	make_mapping(&m, "DMSSE-PLAIN-p", "cipher_null-ecb - 0 0:0 0", "no-key layers:1 inner:no-key lease_seconds:-");
	o = told("p", &m);
	is(o, "type", "\"PLAIN\"");
	is(o, "clone", "null");
	is(o, "lease-seconds", "null");
	is(o, "layers/0/key", "null");
	is(o, "flags", "[]");
	json_object_put(o);
	dm_mapping_free(&m);

	make_mapping(&m, "DMSSE-TEMP-t", "aes-xts-plain64 :64:logon:dmsse:temp-1:inner 0 0:0 0",
		     "active layers:1 inner:keyed lease_seconds:-");
	o = told("t", &m);
	is(o, "type", "\"TEMP\"");
	is(o, "temporary", "true");
	is(o, "layers/0/keyed", "true");
	is(o, "layers/0/key", "null");
	json_object_put(o);
	dm_mapping_free(&m);

	make_mapping(&m, "", "a table of 2050", "active");
	o = told("strange", &m);
	is(o, "type", "null");
	is(o, "problem", "\"its table isn't understood\"");
	is(o, "state", "null");
	is(o, "layers", "[]");
	is(o, "sector-size", "null");
	is(o, "size-bytes", "1048576");
	json_object_put(o);
	dm_mapping_free(&m);

	make_mapping(&m, "", "aes-xts-plain64 :64:logon:dm\xff:x 0 0:0 0", "");
	o = told("by\xfftes \"quoted\"\n", &m);
	is(o, "problem", "\"its status isn't understood\"");
	is(o, "name", "\"by\xef\xbf\xbdtes \\\"quoted\\\"\\n\"");
	is(o, "layers/0/key", "\"logon:dm\xef\xbf\xbd:x\"");
	json_object_put(o);
	dm_mapping_free(&m);
}

static void test_versions(void)
{
	struct known_disk known = { .mapping = "m", .uuid = UUID, .des = "gold", .device = "/dev/v" };
	struct known_disk old, found;
	struct reason why = { 0 };

	registry_put(&known, &why);
	old = known;
	strcpy(known.mapping, "opened-meanwhile");
	registry_put(&known, &why);
	strcpy(old.key_version, "2");
	strcpy(old.outer_key_version, "1");
	result(!registry_note_versions(&old, &why) && !registry_find("/dev/v", NULL, &found, &why) &&
	       !strcmp(found.key_version, "2") && !strcmp(found.outer_key_version, "1"),
	       "versions are noted", why.text);
	result(!strcmp(found.mapping, "opened-meanwhile"), "and nothing else", found.mapping);
	strcpy(old.key_version, "3");
	old.uuid[0] = 'f';
	result(!registry_note_versions(&old, &why) && !registry_find("/dev/v", NULL, &found, &why) &&
	       !strcmp(found.key_version, "2"), "not of another disk", found.key_version);
	registry_forget("/dev/v", NULL, &why);
	result(!registry_note_versions(&old, &why) &&
	       registry_find("/dev/v", NULL, &found, &why) == RC_DEVICE,
	       "a disk that was forgotten stays so", why.text);
}

static void test_prometheus(void)
{
	const struct prom_label none[] = { { NULL, NULL } };
	const struct prom_label two[] = {
		{ "a", "plain" }, { "b", "q\" b\\ n\n u\xc3\xa4 \xff" }, { NULL, NULL },
	};
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	prom_family(f, "x_total", "counter", "Back\\slash, \"quote\",\nline.");
	prom_sample(f, "x_total", none, 0);
	prom_sample(f, "x_total", two, UINT64_MAX);
	fclose(f);
	result(!strcmp(text, "# HELP x_total Back\\\\slash, \"quote\",\\nline.\n"
		       "# TYPE x_total counter\n"
		       "x_total 0\n"
		       "x_total{a=\"plain\",b=\"q\\\" b\\\\ n\\n u\xc3\xa4 \xef\xbf\xbd\"} "
		       "18446744073709551615\n"), "the text format of Prometheus", text);
	free(text);
}

static void test_cells(void)
{
	static const struct cells_column columns[] = { { "A", false }, { "NUMBER", true }, { "END", false } };
	static const char * const cells[] = { "wide one", "1", "x", "", "12345678", "and more" };
	char text[256] = "";
	struct cells c;
	int saved;
	FILE *f;
	size_t i;

	cells_init(&c, columns, 3);
	for (i = 0; i < 6; i++)
		cells_add(&c, cells[i]);
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	f = freopen(PATH_ROOT "/cells", "w", stdout);
	if (f)
		cells_print(&c);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	cells_free(&c);
	f = fopen(PATH_ROOT "/cells", "r");
	if (f) {
		text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
		fclose(f);
	}
	result(!strcmp(text, "A           NUMBER  END\n"
		       "wide one         1  x\n"
		       "-         12345678  and more\n"), "columns", text);
}

static bool holds(const char *path, const char *want)
{
	char text[64] = "";
	FILE *f = fopen(path, "r");

	if (!f)
		return false;
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return !strcmp(text, want);
}

static void test_publish(void)
{
	const char *path = PATH_ROOT "/public/x.prom";
	struct reason why = { 0 };
	struct stat st, before;

	result(files_publish(path, "1\n", 2, &why) == RC_DEVICE, "a directory that is missing stays so",
	       why.text);
	umask(077);
	mkdir(PATH_ROOT "/public", 0755);
	result(!files_publish(path, "1\n", 2, &why) && !stat(path, &before) &&
	       (before.st_mode & 07777) == 0644 && holds(path, "1\n"), "a file for everybody", why.text);
	result(!files_publish(path, "new\n", 4, &why) && !stat(path, &st) && holds(path, "new\n") &&
	       st.st_ino != before.st_ino, "is replaced, not written over", why.text);
	result(files_publish(PATH_ROOT "/public", "1\n", 2, &why) == RC_DEVICE, "a directory is not",
	       why.text);
	result(files_publish("/dev/null", "1\n", 2, &why) == RC_DEVICE && !stat("/dev/null", &st) &&
	       S_ISCHR(st.st_mode), "nor is a device", why.text);
	result(!rmdir(PATH_ROOT "/public") || !system("test \"$(ls -A " PATH_ROOT "/public)\" = x.prom"),
	       "nothing is left beside it", "");
}

int main(void)
{
	if (!*PATH_ROOT) {
		puts("Bail out! built without ROOT: it would write to this host's own directories");
		return 1;
	}
	/* Warnings are part of it, but not of the output. */
	if (!freopen("/dev/null", "w", stderr))
		return 1;
	puts("TAP version 13");
	test_disk_of_a_set();
	test_others();
	test_versions();
	test_prometheus();
	test_cells();
	test_publish();
	printf("1..%u\n", nr);
	return failed != 0;
}
