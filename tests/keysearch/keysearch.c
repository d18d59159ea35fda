// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks for keys in an image of memory, or in any other file.
 *
 *	keysearch SECRETS IMAGE
 *		prints a line for each piece of a secret: address, length, where in
 *		the form it begins, of how many bytes, the secret's name, the form.
 *		A line of SECRETS is a name, a kind as forms.h has them, and hex.
 *	keysearch --schedules IMAGE
 *		prints address and key of each AES-256 key schedule
 *	keysearch --heads LENGTH IMAGE
 *		prints address and content of each page in which nothing but its
 *		first LENGTH bytes is set, and these look random
 *
 * Exit status: 0 something was found, 1 nothing, 2 trouble.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"

static bool found_any;
static size_t head_length;

static void __attribute__((noreturn)) trouble(const char *what, const char *why)
{
	fprintf(stderr, "keysearch: %s %s\n", what, why);
	exit(2);
}

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static size_t parse_hex(const char *text, uint8_t *to)
{
	size_t n;

	for (n = 0; digit(text[2 * n]) >= 0 && digit(text[2 * n + 1]) >= 0; n++)
		to[n] = (uint8_t)(digit(text[2 * n]) << 4 | digit(text[2 * n + 1]));
	return text[2 * n] ? 0 : n;
}

static void read_secrets(const char *path, struct forms *forms)
{
	FILE *f = fopen(path, "re");
	char *line = NULL, *name, *kind, *hex, *rest;
	const char *wrong;
	size_t room = 0;

	if (!f)
		trouble(path, "can't be read");
	while (getline(&line, &room, f) > 0) {
		name = strtok_r(line, " \n", &rest);
		kind = strtok_r(NULL, " \n", &rest);
		hex = strtok_r(NULL, " \n", &rest);
		if (!name)
			continue;
		if (!hex)
			trouble(name, "has no value");
		wrong = forms_add(forms, name, kind, (uint8_t *)hex, parse_hex(hex, (uint8_t *)hex));
		if (wrong)
			trouble(name, wrong);
	}
	free(line);
	fclose(f);
	if (!forms->nr)
		trouble(path, "has no secret in it");
}

static const uint8_t *map(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *image;
	off_t end;

	if (fd < 0)
		trouble(path, "can't be read");
	end = lseek(fd, 0, SEEK_END);
	if (end <= 0)
		trouble(path, "is empty");
	image = mmap(NULL, (size_t)end, PROT_READ, MAP_SHARED, fd, 0);
	if (image == MAP_FAILED)
		trouble(path, "can't be mapped");
	close(fd);
	*size = (size_t)end;
	return image;
}

static void print(size_t address, const uint8_t *data, size_t size)
{
	size_t i;

	found_any = true;
	printf("%#zx ", address);
	for (i = 0; i < size; i++)
		printf("%02x", data[i]);
	putchar('\n');
}

static void print_schedule(size_t address, const uint8_t key[32])
{
	print(address, key, 32);
}

static void print_head(size_t address, const uint8_t *head)
{
	print(address, head, head_length);
}

static void search(const char *secrets, const char *path)
{
	struct forms forms = { 0 };
	const uint8_t *image;
	struct hits hits;
	size_t size, i;

	read_secrets(secrets, &forms);
	image = map(path, &size);
	image_search(image, size, &forms, &hits);
	for (i = 0; i < hits.nr; i++)
		printf("%#zx %zu %zu %zu %s %s\n", hits.list[i].address, hits.list[i].length,
		       hits.list[i].from, hits.list[i].form->size, hits.list[i].form->name,
		       hits.list[i].form->how);
	found_any = hits.nr;
	free(hits.list);
	forms_free(&forms);
}

int main(int argc, char **argv)
{
	const uint8_t *image;
	size_t size;

	if (argc == 3 && !strcmp(argv[1], "--schedules")) {
		image = map(argv[2], &size);
		image_schedules(image, size, print_schedule);
	} else if (argc == 4 && !strcmp(argv[1], "--heads")) {
		head_length = strtoul(argv[2], NULL, 0);
		if (!head_length || head_length > 4096)
			trouble(argv[2], "is no length of a page's head");
		image = map(argv[3], &size);
		image_heads(image, size, head_length, print_head);
	} else if (argc == 3 && argv[1][0] != '-') {
		search(argv[1], argv[2]);
	} else {
		trouble("usage:", "SECRETS IMAGE, --schedules IMAGE or --heads LENGTH IMAGE");
	}
	if (fflush(stdout))
		trouble("standard output", "can't be written");
	return found_any ? 0 : 1;
}
