// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes defects in a LUKS2 header, and proves them.
 *
 *	spoil_header FILE OPERATION...
 *
 *	copy 1|2|both		what follows is done to that copy; at first to both
 *	set PATH JSON		a value, such as "set tokens.0.customer 1"; "-" as the
 *				last part of a path is one more of an array
 *	delete PATH
 *	swap TEXT TEXT		the JSON's text, once; \xHH and the like as in C
 *	text TEXT		all of the JSON's text
 *	cut N			so many bytes of it are left
 *	fill			blanks to the end of the area, and no final NUL
 *	nest N			the value of "nested" is an array in an array, N deep
 *	bytes OFFSET HEX	of the binary header
 *	sequence N		what is added to its number
 *	damage			the checksum is wrong in the end
 *	erase			nothing but zeroes
 *
 * Unless it is damaged or erased, each copy has the right checksum in the end: what is
 * wrong is found by whoever reads on, not by that. Then it reads the file again and
 * prints a line for each copy, "1: MAGIC CHECKSUM JSON", such as "1: magic checksum
 * json" or "2: no-magic no-checksum no-json"; json means that it can be parsed. Ends
 * with 1 if a value that was set isn't there, or one that was deleted is.
 */
#include <endian.h>
#include <json-c/json.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BINARY_SIZE	4096
#define SIZE_MAX_	(4u << 20)
#define SEQUENCE_AT	16
#define SUM_AT		448
#define SUM_SIZE	64

struct copy {
	off_t at;
	size_t size;			/* binary header and JSON */
	unsigned char *bytes;
	bool damage, erase;
};

static struct copy copies[2];
static const char *file;

static void die(const char *what, const char *about)
{
	fprintf(stderr, "spoil_header: %s: %s\n", what, about);
	exit(1);
}

static uint64_t be64_at(const unsigned char *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof(value));
	return be64toh(value);
}

static char *json_of(struct copy *c)
{
	return (char *)c->bytes + BINARY_SIZE;
}

static size_t room_of(const struct copy *c)
{
	return c->size - BINARY_SIZE;
}

static void read_copy(FILE *f, struct copy *c)
{
	c->bytes = calloc(1, c->size + 1);
	if (!c->bytes || fseeko(f, c->at, SEEK_SET) || fread(c->bytes, 1, c->size, f) != c->size)
		die("can't be read", file);
}

static void read_copies(void)
{
	unsigned char head[BINARY_SIZE];
	FILE *f = fopen(file, "r");
	size_t size;

	if (!f || fread(head, 1, sizeof(head), f) != sizeof(head))
		die("can't be read", file);
	size = (size_t)be64_at(head + 8);
	if (memcmp(head, "LUKS\xba\xbe", 6) || size <= BINARY_SIZE || size > SIZE_MAX_)
		die("has no LUKS2 header", file);
	copies[0] = (struct copy){ .at = 0, .size = size };
	copies[1] = (struct copy){ .at = (off_t)size, .size = size };
	read_copy(f, &copies[0]);
	read_copy(f, &copies[1]);
	fclose(f);
}

static void sum_of(const struct copy *c, unsigned char sum[SHA256_DIGEST_LENGTH])
{
	unsigned char *bytes = malloc(c->size);

	if (!bytes)
		die("no memory", "");
	memcpy(bytes, c->bytes, c->size);
	memset(bytes + SUM_AT, 0, SUM_SIZE);
	SHA256(bytes, c->size, sum);
	free(bytes);
}

static void write_copies(void)
{
	FILE *f = fopen(file, "r+");
	int i;

	if (!f)
		die("can't be written", file);
	for (i = 0; i < 2; i++) {
		struct copy *c = &copies[i];

		memset(c->bytes + SUM_AT, 0, SUM_SIZE);
		sum_of(c, c->bytes + SUM_AT);
		if (c->damage)
			c->bytes[SUM_AT] ^= 1;
		if (c->erase)
			memset(c->bytes, 0, c->size);
		if (fseeko(f, c->at, SEEK_SET) || fwrite(c->bytes, 1, c->size, f) != c->size)
			die("can't be written", file);
	}
	if (fclose(f))
		die("can't be written", file);
}

/* JSON ------------------------------------------------------------------------ */

static void put_text(struct copy *c, const char *text, size_t size)
{
	if (size > room_of(c))
		die("doesn't fit", text);
	memset(json_of(c), 0, room_of(c));
	memcpy(json_of(c), text, size);
}

static struct json_object *parse(struct copy *c)
{
	return json_tokener_parse(json_of(c));
}

static struct json_object *step(struct json_object *object, const char *name)
{
	struct json_object *next = NULL;

	if (json_object_is_type(object, json_type_array))
		return json_object_array_get_idx(object, (size_t)strtoul(name, NULL, 10));
	json_object_object_get_ex(object, name, &next);
	return next;
}

/* The object that has the last part of the path, which goes to @name. */
static struct json_object *find(struct json_object *root, const char *path, char *name, size_t size)
{
	char copy[256], *rest = copy, *part;
	struct json_object *object = root;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((part = strsep(&rest, "."))) {
		if (!rest) {
			snprintf(name, size, "%s", part);
			return object;
		}
		object = step(object, part);
		if (!object)
			die("no such path", path);
	}
	return NULL;
}

static void set_value(struct copy *c, const char *path, const char *value)
{
	struct json_object *root = parse(c), *object, *json = json_tokener_parse(value);
	const char *text;
	char name[128];

	if (!root || (!json && strcmp(value, "null")))
		die("is no JSON", value);
	object = find(root, path, name, sizeof(name));
	if (!json_object_is_type(object, json_type_array))
		json_object_object_add(object, name, json);
	else if (!strcmp(name, "-"))
		json_object_array_add(object, json);
	else
		json_object_array_put_idx(object, (size_t)strtoul(name, NULL, 10), json);
	text = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	put_text(c, text, strlen(text) + 1);
	json_object_put(root);
}

static void delete_value(struct copy *c, const char *path)
{
	struct json_object *root = parse(c), *object;
	const char *text;
	char name[128];

	if (!root)
		die("has no JSON any more", file);
	object = find(root, path, name, sizeof(name));
	if (!step(object, name))
		die("no such path", path);
	if (json_object_is_type(object, json_type_array))
		json_object_array_del_idx(object, (size_t)strtoul(name, NULL, 10), 1);
	else
		json_object_object_del(object, name);
	text = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	put_text(c, text, strlen(text) + 1);
	json_object_put(root);
}

/* \xHH, \n and \\; returns the length, since there may be a NUL. */
static size_t unescape(const char *from, char *to)
{
	char *start = to;
	unsigned int byte;

	while (*from) {
		if (from[0] == '\\' && from[1] == 'x' && sscanf(from + 2, "%2x", &byte) == 1) {
			*to++ = (char)byte;
			from += 4;
		} else if (from[0] == '\\' && from[1] == 'n') {
			*to++ = '\n';
			from += 2;
		} else if (from[0] == '\\' && from[1]) {
			*to++ = from[1];
			from += 2;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
	return (size_t)(to - start);
}

static void swap_text(struct copy *c, const char *old_text, const char *new_text)
{
	char *old = strdup(old_text), *new = strdup(new_text), *at;
	size_t old_size, new_size, left;

	if (!old || !new)
		die("no memory", "");
	old_size = unescape(old_text, old);
	new_size = unescape(new_text, new);
	at = strstr(json_of(c), old);
	if (!at)
		die("is not in the JSON", old);
	left = strlen(at + old_size) + 1;
	if ((size_t)(at - json_of(c)) + new_size + left > room_of(c))
		die("doesn't fit", new);
	memmove(at + new_size, at + old_size, left);
	memcpy(at, new, new_size);
	free(old);
	free(new);
}

static void all_text(struct copy *c, const char *text)
{
	char *plain = strdup(text);

	if (!plain)
		die("no memory", "");
	put_text(c, plain, unescape(text, plain));
	free(plain);
}

static void cut(struct copy *c, const char *number)
{
	size_t left = (size_t)strtoul(number, NULL, 10);

	if (left >= strlen(json_of(c)))
		die("is no shorter", number);
	memset(json_of(c) + left, 0, room_of(c) - left);
}

static void fill(struct copy *c)
{
	size_t len = strlen(json_of(c));

	memset(json_of(c) + len, ' ', room_of(c) - len);
}

static void nest(struct copy *c, const char *number)
{
	size_t depth = (size_t)strtoul(number, NULL, 10), len = strlen(json_of(c));
	char *to = json_of(c) + len - 1;

	if (len + 2 * depth + 20 > room_of(c))
		die("doesn't fit", number);
	to += sprintf(to, ",\"nested\":");
	memset(to, '[', depth);
	memset(to + depth, ']', depth);
	strcpy(to + 2 * depth, "}");
}

static void put_bytes(struct copy *c, const char *offset, const char *hex)
{
	size_t at = (size_t)strtoul(offset, NULL, 0);
	unsigned int byte;

	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2) {
		if (at >= BINARY_SIZE || !hex[1])
			die("isn't in the binary header", hex);
		c->bytes[at++] = (unsigned char)byte;
	}
}

static void add_sequence(struct copy *c, const char *number)
{
	uint64_t value = htobe64(be64_at(c->bytes + SEQUENCE_AT) + (uint64_t)strtoll(number, NULL, 10));

	memcpy(c->bytes + SEQUENCE_AT, &value, sizeof(value));
}

/* Operations --------------------------------------------------------------------- */

static const struct {
	const char *name;
	int nr_args;
	void (*plain)(struct copy *c);
	void (*one)(struct copy *c, const char *argument);
	void (*two)(struct copy *c, const char *first, const char *second);
} operations[] = {
	{ "set", 2, NULL, NULL, set_value },	{ "delete", 1, NULL, delete_value, NULL },
	{ "swap", 2, NULL, NULL, swap_text },	{ "text", 1, NULL, all_text, NULL },
	{ "cut", 1, NULL, cut, NULL },		{ "fill", 0, fill, NULL, NULL },
	{ "nest", 1, NULL, nest, NULL },	{ "bytes", 2, NULL, NULL, put_bytes },
	{ "sequence", 1, NULL, add_sequence, NULL },
};

static void apply(struct copy *c, char **argv, size_t nr)
{
	if (operations[nr].plain)
		operations[nr].plain(c);
	else if (operations[nr].one)
		operations[nr].one(c, argv[1]);
	else
		operations[nr].two(c, argv[1], argv[2]);
}

/* One operation; returns its words. */
static int operate(int argc, char **argv, bool on[2])
{
	size_t i;
	int k;

	if (!strcmp(argv[0], "damage") || !strcmp(argv[0], "erase")) {
		for (k = 0; k < 2; k++) {
			copies[k].damage |= on[k] && *argv[0] == 'd';
			copies[k].erase |= on[k] && *argv[0] == 'e';
		}
		return 1;
	}
	if (!strcmp(argv[0], "copy") && argc > 1) {
		on[0] = strcmp(argv[1], "2");
		on[1] = strcmp(argv[1], "1");
		return 2;
	}
	for (i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		if (strcmp(argv[0], operations[i].name) || operations[i].nr_args >= argc)
			continue;
		for (k = 0; k < 2; k++)
			if (on[k])
				apply(&copies[k], argv, i);
		return 1 + operations[i].nr_args;
	}
	die("no such operation", argv[0]);
	return 0;
}

/* The proof ------------------------------------------------------------------------ */

/* Is what was the last to be set at a path there, and what was deleted not? */
static bool holds(struct copy *c, char **argv)
{
	struct json_object *root = parse(c), *object, *json;
	bool wanted = !strcmp(argv[0], "set"), same;
	char name[128];

	if (!root)
		return false;
	object = find(root, argv[1], name, sizeof(name));
	if (!strcmp(name, "-"))
		snprintf(name, sizeof(name), "%zu", json_object_array_length(object) - 1);
	if (!wanted) {
		same = json_object_is_type(object, json_type_array) || !step(object, name);
	} else {
		json = json_tokener_parse(argv[2]);
		same = json_object_equal(step(object, name), json);
		json_object_put(json);
	}
	json_object_put(root);
	return same;
}

static bool prove_values(int argc, char **argv)
{
	bool on[2] = { true, true }, good = true;
	int i, k, used;

	for (i = 0; i < argc; i += used) {
		bool is_set = !strcmp(argv[i], "set"), is_delete = !strcmp(argv[i], "delete");

		/* Nothing is done a second time: only the words are counted. */
		for (used = 1; i + used < argc; used++) {
			size_t n;
			bool word = !strcmp(argv[i + used], "copy") || !strcmp(argv[i + used], "damage") ||
				    !strcmp(argv[i + used], "erase");

			for (n = 0; n < sizeof(operations) / sizeof(operations[0]); n++)
				word |= !strcmp(argv[i + used], operations[n].name);
			if (word)
				break;
		}
		if (!strcmp(argv[i], "copy")) {
			on[0] = strcmp(argv[i + 1], "2");
			on[1] = strcmp(argv[i + 1], "1");
		}
		for (k = 0; k < 2; k++)
			if ((is_set || is_delete) && on[k] && !holds(&copies[k], argv + i)) {
				fprintf(stderr, "spoil_header: copy %d: %s %s isn't so\n", k + 1, argv[i],
					argv[i + 1]);
				good = false;
			}
	}
	return good;
}

static void print_proof(void)
{
	static const char * const magics[2] = { "LUKS\xba\xbe", "SKUL\xba\xbe" };
	unsigned char sum[SHA256_DIGEST_LENGTH];
	struct json_object *root;
	int i;

	for (i = 0; i < 2; i++) {
		struct copy *c = &copies[i];
		bool ends = memchr(json_of(c), '\0', room_of(c));

		sum_of(c, sum);
		root = ends ? json_tokener_parse(json_of(c)) : NULL;
		printf("%d: %smagic %schecksum %sjson\n", i + 1,
		       memcmp(c->bytes, magics[i], 6) ? "no-" : "",
		       memcmp(c->bytes + SUM_AT, sum, sizeof(sum)) ? "no-" : "", root ? "" : "no-");
		json_object_put(root);
	}
}

int main(int argc, char **argv)
{
	bool on[2] = { true, true };
	off_t second;
	FILE *f;
	int i;

	if (argc < 3) {
		fprintf(stderr, "usage: spoil_header FILE OPERATION...\n");
		return 1;
	}
	file = argv[1];
	read_copies();
	second = copies[1].at;
	for (i = 2; i < argc; )
		i += operate(argc - i, argv + i, on);
	write_copies();

	/* From where they are, whatever the header says of its size now. */
	f = fopen(file, "r");
	if (!f)
		die("can't be read", file);
	copies[1].at = second;
	for (i = 0; i < 2; i++) {
		free(copies[i].bytes);
		read_copy(f, &copies[i]);
	}
	fclose(f);
	print_proof();
	return !prove_values(argc - 2, argv + 2);
}
