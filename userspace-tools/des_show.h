/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DES_SHOW_H
#define DES_SHOW_H

#include <json-c/json.h>
#include <stdbool.h>

#include "des_usage.h"

/* Between cmd_des_list.c, cmd_des_show.c and cmd_des_where_used.c. */

/* "-" for what is empty. */
const char *des_show_text(const char *text);

/* They take @object over, in any case. False: it is NULL, not @complete, or there is no memory. */
bool des_show_put(struct json_object *to, const char *name, struct json_object *object);
bool des_show_append(struct json_object *array, struct json_object *object, bool complete);
/* False: no memory. */
bool des_show_put_bool(struct json_object *object, const char *name, bool value);

/* To be given back; NULL: no memory. */
struct json_object *des_show_key(const struct des_use_key *key);

#endif
