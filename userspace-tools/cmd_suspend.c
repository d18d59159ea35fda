// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup suspend NAME, resume NAME
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "dm.h"
#include "info.h"
#include "keyring.h"
#include "kmsg.h"
#include "lease.h"
#include "mapping.h"
#include "ssesetup.h"
#include "temp.h"

static int send(const char *name, const char *message, const char *what)
{
	char line[1024];
	int mark, err;

	mark = kmsg_mark();
	err = dm_message(name, message);
	if (err)
		return diag_kernel_refusal(what, err, kmsg_last(mark, line, sizeof(line)));
	kmsg_close(mark);
	return RC_OK;
}

static bool has_key(const struct dm_mapping *m)
{
	struct sse_info info;
	bool keyed;

	if (info_parse(m->info, &info))
		return false;
	keyed = strcmp(info.state, "no-key") != 0;
	info_free(&info);
	return keyed;
}

static int suspend_and_wipe(const char *name, const struct dm_mapping *m)
{
	int rc, err;

	if (!m->suspended) {
		err = dm_suspend(name);
		if (err)
			return diag_kernel_refusal("Suspending the device", err, NULL);
	}
	rc = send(name, "key wipe", "Wiping the key");
	/* Suspended with its key it would be neither one thing nor the other. */
	if (rc && !m->suspended && !dm_resume(name))
		diag_error("Device %s works on, with its key.", name);
	return rc;
}

int cmd_suspend(const struct options *o, int argc, char **argv)
{
	struct dm_mapping m;
	const char *name;
	int rc;

	(void)argc;
	name = dm_name(argv[0]);
	if (!name)
		return RC_PARAM;
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	rc = dm_find(name, &m);
	if (rc)
		return rc;
	if (temp_is(&m))
		rc = temp_refuse(name, "wiping it\nwould lose the data. 'dmsetup suspend' stops the I/O and leaves the key.");
	else if (m.suspended && !has_key(&m))
		rc = diag_fail(RC_PARAM, "Device %s is already suspended, and its key is wiped.", name);
	else
		rc = suspend_and_wipe(name, &m);
	dm_mapping_free(&m);
	return rc;
}

static const enum opt_id key_descs[SSE_LAYERS_MAX] = { OPT_KEY_DESC, OPT_OUTER_KEY_DESC };

/* Takes the key that the command line names, if it does, in place of the table's. */
static int choose_key(const struct options *o, struct sse_table *t, unsigned int index)
{
	struct keyref *key = &t->layer[index].key;
	const char *option = index ? "--outer-key-desc" : "--key-desc";
	const char *desc = o->str[key_descs[index]];
	struct keyref other;
	int rc;

	if (!desc) {
		if (!key->type[0])
			return diag_fail(RC_PARAM, "The mapping doesn't name its key; give %s [TYPE:]DESC.",
					 option);
		return RC_OK;
	}
	rc = keyref_parse(desc, NULL, &other);
	if (rc)
		return rc;
	if (key->bytes && other.bytes && key->bytes != other.bytes)
		return diag_fail(RC_PARAM, "The mapping has a key of %u bits, %s says %u.",
				 key->bytes * 8, option, other.bytes * 8);
	if (!other.bytes)
		other.bytes = key->bytes;
	*key = other;
	return RC_OK;
}

static int set_key(const char *name, const struct sse_table *t, unsigned int index)
{
	char *reference, *message;
	int rc;

	reference = keyref_format(&t->layer[index].key);
	if (!reference || asprintf(&message, "key set %s %s", layer_name(index), reference) < 0) {
		free(reference);
		return diag_nomem();
	}
	rc = send(name, message, "Setting the key");
	free(message);
	free(reference);
	return rc;
}

static int set_keys(const struct options *o, const char *name, struct sse_table *t)
{
	unsigned int i;
	int rc = RC_OK;

	if (t->nr_layers == 1 && o->str[OPT_OUTER_KEY_DESC])
		return diag_fail(RC_PARAM, "Device %s has one layer: its key is named with --key-desc.", name);
	for (i = 0; i < t->nr_layers && !rc; i++)
		rc = choose_key(o, t, i);
	if (!rc)
		rc = mapping_find_keys(t, o->str[OPT_KEYRING]);
	for (i = 0; i < t->nr_layers && !rc; i++)
		rc = set_key(name, t, i);
	return rc;
}

static int resume(const struct options *o, const char *name, const struct dm_mapping *m)
{
	struct sse_table t;
	char line[1024];
	int rc, mark, err;

	if (!has_key(m) || o->str[OPT_KEY_DESC] || o->str[OPT_OUTER_KEY_DESC]) {
		rc = table_parse(m->table, &t);
		if (rc)
			return rc;
		rc = set_keys(o, name, &t);
		table_free(&t);
		if (rc) {
			diag_error("Device %s stays suspended.", name);
			if (lease_is_ours(m))
				diag_error("'ssesetup lease renew %s' gets its keys from its set.", name);
			return rc;
		}
	}
	mark = kmsg_mark();
	err = dm_resume(name);
	if (err)
		return diag_kernel_refusal("Resuming the device", err,
					   kmsg_last(mark, line, sizeof(line)));
	kmsg_close(mark);
	return RC_OK;
}

int cmd_resume(const struct options *o, int argc, char **argv)
{
	struct keyref key;
	struct dm_mapping m;
	const char *name;
	unsigned int i;
	int rc;

	(void)argc;
	name = dm_name(argv[0]);
	if (!name)
		return RC_PARAM;
	for (i = 0; i < SSE_LAYERS_MAX; i++) {
		if (!o->str[key_descs[i]])
			continue;
		rc = keyref_parse(o->str[key_descs[i]], NULL, &key);
		if (rc)
			return rc;
	}
	if (opt_given(o, OPT_TEST_ARGS))
		return RC_OK;
	rc = dm_find(name, &m);
	if (rc)
		return rc;
	if (temp_is(&m) && (o->str[OPT_KEY_DESC] || o->str[OPT_OUTER_KEY_DESC]))
		rc = temp_refuse(name, "another one\nwould read its data as noise: resume it without.");
	else if (temp_is(&m) && !has_key(&m))
		rc = temp_refuse(name, "now that\nit was wiped the data are lost. Close it.");
	else if (m.suspended)
		rc = resume(o, name, &m);
	else
		rc = diag_fail(RC_PARAM, "Device %s is not suspended.", name);
	dm_mapping_free(&m);
	return rc;
}
