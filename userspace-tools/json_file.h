/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef JSON_FILE_H
#define JSON_FILE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "reason.h"

/* Small JSON objects of text fields, in files of their own. */

#define JSON_FILE_MAX	65536

/* One object and nothing after it; NULL if it is anything else. */
struct json_object *json_parse_object(const char *text, size_t size);

/* RC_DEVICE, *@missing; RC_PARAM if it is damaged. *@object is to be given back. */
int json_read_file(const char *path, struct json_object **object, bool *missing,
		   struct reason *why);
int json_write_file(const char *path, struct json_object *object, struct reason *why);

/* A field that isn't there is "". False if it isn't text, or doesn't fit. */
bool json_get_text(struct json_object *object, const char *name, char *text, size_t size);
bool json_get_time(struct json_object *object, const char *name, time_t *when);

/* Adds or replaces; "" and 0 remove the field. False: no memory. */
bool json_put_text(struct json_object *object, const char *name, const char *text);
bool json_put_time(struct json_object *object, const char *name, time_t when);
bool json_put_number(struct json_object *object, const char *name, int64_t number);

/*
 * Prints @object on standard output and gives it back. NULL, or not @complete: there
 * was no memory for it.
 */
int json_print(struct json_object *object, bool complete, struct reason *why);

#endif
