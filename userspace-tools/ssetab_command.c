// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "ssetab_command.h"

static void add(struct ssetab_command *c, const char *word)
{
	c->argv[c->argc++] = word;
	c->argv[c->argc] = NULL;
}

static void add_value(struct ssetab_command *c, const char *option, const char *value)
{
	if (!value)
		return;
	add(c, option);
	add(c, value);
}

static void add_flag(struct ssetab_command *c, const char *option, bool given)
{
	if (given)
		add(c, option);
}

static void add_perf(struct ssetab_command *c, const struct ssetab_entry *e)
{
	add_flag(c, "--perf-same_cpu_crypt", e->same_cpu_crypt);
	add_flag(c, "--perf-submit_from_crypt_cpus", e->submit_from_crypt_cpus);
	add_flag(c, "--perf-no_read_workqueue", e->no_read_workqueue);
	add_flag(c, "--perf-no_write_workqueue", e->no_write_workqueue);
}

static void temp(const struct ssetab_entry *e, struct ssetab_command *c)
{
	add(c, "temp");
	add(c, "create");
	if (e->pair) {
		snprintf(c->pair, sizeof(c->pair), "--double=%s", e->pair);
		add(c, c->pair);
	} else {
		add_flag(c, "--double", e->two_layers);
	}
	add_value(c, "--cipher", e->cipher);
	add_value(c, "--key-size", e->key_size);
	add_value(c, "--sector-size", e->sector_size);
	add_value(c, "--mkfs", e->mkfs);
	add_value(c, "--image", e->image);
	add_flag(c, "--mkswap", e->swap);
}

static void open_disk(const struct ssetab_entry *e, struct ssetab_command *c)
{
	char path[PATH_MAX];

	add(c, "open");
	add_value(c, "--des", e->des);
	add_value(c, "--key-file", e->key_file);
	add_value(c, "--keyfile-offset", e->keyfile_offset);
	add_value(c, "--keyfile-size", e->keyfile_size);
	add_value(c, "--header", e->header);
	if (e->cache && ssetab_device_path(e->cache, path)) {
		snprintf(c->cache, sizeof(c->cache), "%s%s%s", path, e->cache_mode ? "," : "",
			 e->cache_mode ? e->cache_mode : "");
		add_value(c, "--cache", c->cache);
	}
	add_flag(c, "--clone", e->clone);
	add_flag(c, "--readonly", e->readonly);
	add_flag(c, "--scan", e->scan);
}

void ssetab_command(const struct ssetab_entry *e, struct ssetab_command *c)
{
	c->argc = 0;
	/* The parser has seen to it that it is not too long. */
	ssetab_device_path(e->device, c->device);
	if (e->temp)
		temp(e, c);
	else
		open_disk(e, c);
	add_flag(c, "--allow-discards", e->discard);
	add_perf(c, e);
	add(c, c->device);
	add(c, e->name);
}
