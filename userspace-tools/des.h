/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DES_H
#define DES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "kek.h"
#include "reason.h"
#include "token.h"

/*
 * Disk encryption sets. What an operator decides is in PATH_DES/NAME.conf;
 * what ssesetup found out is in PATH_DES_STATE/NAME.json. The set "platform"
 * is there without either.
 */

#define DES_DEFAULT	"platform"

enum des_type {
	DES_PLATFORM,
	DES_CUSTOMER,
	DES_PLATFORM_AND_CUSTOMER,	/* two layers: platform outside, customer inside */
};

const char *des_type_name(enum des_type type);
bool des_type_parse(const char *name, enum des_type *type);

struct des {
	/* configuration */
	char name[DES_NAME_MAX];
	char id[UUID_TEXT_SIZE];
	char owner[256];		/* "" if nobody is named */
	enum des_type type;
	char key[1024];			/* URI of the customer's key; "" for DES_PLATFORM */
	char identity[1024];		/* "" if none */
	char wrapping[32];		/* "" : the best that works */
	bool auto_rotate;
	bool enabled;
	bool queue_on_lapse;		/* else error */
	unsigned int lease;		/* seconds; 0: without, only for DES_PLATFORM */
	unsigned int timeout;		/* of a key operation, in seconds */

	/* state */
	char active_version[KEK_VERSION_MAX];	/* "" before the first use */
	char active_fingerprint[KEK_FINGERPRINT_MAX];
	char outer_version[KEK_VERSION_MAX];	/* the same of the outer layer's key; only of two */
	time_t last_rotation;		/* 0: never */
	time_t last_renewal;		/* of the lease; 0: never */
	char last_error[512];		/* of the last rotation; "" if it was right */
	time_t last_error_time;
};

/*
 * Loads configuration and state. RC_PARAM with the line's number if the file
 * is broken; RC_DEVICE if there is no such set.
 */
int des_load(const char *name, struct des *des, struct reason *why);
/* Is @name well formed: letters, digits, '-', '_', '.', at most 63, no leading dot or dash? */
bool des_name_ok(const char *name);

/* A new file; RC_BUSY if there is one. */
int des_create(struct des *des, struct reason *why);
/* Changes the lines that differ; comments and order of the file stay. */
int des_save_config(const struct des *des, struct reason *why);
/*
 * The same, so that two who change one set at a time lose nothing: @change is
 * called, under a lock, with the set of @des's name as it is on disk.
 */
int des_change_config(struct des *des, int (*change)(struct des *des, void *arg,
						     struct reason *why),
		      void *arg, struct reason *why);
/* Merges: under a lock, @change is called with the state as it is on disk. */
int des_update_state(struct des *des, void (*change)(struct des *des, void *arg), void *arg,
		     struct reason *why);
int des_delete(const char *name, struct reason *why);

/* Names, sorted, the implicit one included; *@names to be freed with des_names_free(). */
int des_names(char ***names, size_t *nr, struct reason *why);
void des_names_free(char **names, size_t nr);

/* The key of one of its layers. Strings in @config stay @des's. */
void des_kek_config(const struct des *des, enum token_layer layer, char *uri, size_t uri_size,
		    struct kek_config *config);

/* "90", "15m", "1h", "2d" to seconds; "none" is 0. */
bool des_parse_duration(const char *text, unsigned int *seconds);
void des_format_duration(unsigned int seconds, char *text, size_t size);

#endif
