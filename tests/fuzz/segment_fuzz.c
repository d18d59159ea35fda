// SPDX-License-Identifier: GPL-2.0-only
/*
 * A LUKS2 header's JSON, as it comes from a disk: what it says of the data, and the
 * notes of copies and caches in it. What is refused is told on a terminal; a note that
 * is taken survives a second round.
 */
#include "cache_note.h"
#include "copy_note.h"
#include "fuzz.h"
#include "meta_segment.h"

static void copy_round(const char *json)
{
	struct copy_note note, again;
	struct reason why = { 0 };
	char *text;
	int rc = copy_note_parse(json, &note, &why);

	if (rc) {
		judge_reason(rc, &why);
		return;
	}
	text = copy_note_format(&note);
	judge(text && !copy_note_parse(text, &again, &why), "not taken again", json);
	judge(copy_note_same_source(&note, &again) && note.copied == again.copied &&
	      note.formatted == again.formatted, "another note", text);
	free(text);
}

static void cache_round(const char *json)
{
	struct cache_note note, again;
	struct reason why = { 0 };
	char *text;
	int rc = cache_note_parse(json, &note, &why);

	if (rc) {
		judge_reason(rc, &why);
		return;
	}
	text = cache_note_format(&note, json);
	judge(text && !cache_note_parse(text, &again, &why), "not taken again", json);
	judge(!strcmp(note.device, again.device) && !strcmp(note.disk, again.disk) &&
	      !strcmp(note.session, again.session) && !strcmp(note.previous, again.previous) &&
	      note.mode == again.mode && note.dirty == again.dirty &&
	      note.restored == again.restored, "another note", text);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *json = text_of(data, size);
	struct meta_segment segment;
	struct reason why = { 0 };
	int rc = meta_segment_parse(json, &segment, &why);

	if (rc)
		judge_reason(rc, &why);
	meta_same_volume_key(json, json);
	copy_round(json);
	cache_round(json);
	free(json);
	return 0;
}
