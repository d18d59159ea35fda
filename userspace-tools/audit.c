// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is recorded. Where it goes is audit_file.c's and journal.c's.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "audit.h"
#include "audit_file.h"
#include "host_config.h"
#include "journal.h"
#include "json_file.h"
#include "paths.h"
#include "utf8.h"

static const char * const event_names[NR_AUDIT_EVENTS] = {
	[AUDIT_WRAP]		= "wrap",
	[AUDIT_UNWRAP]		= "unwrap",
	[AUDIT_FORMAT]		= "format",
	[AUDIT_OPEN]		= "open",
	[AUDIT_CLOSE]		= "close",
	[AUDIT_ROTATE]		= "rotate",
	[AUDIT_RENEW]		= "renew",
	[AUDIT_LAPSE]		= "lapse",
	[AUDIT_REFUSE]		= "refuse",
	[AUDIT_COPY]		= "copy",
	[AUDIT_HEADER_BACKUP]	= "header-backup",
	[AUDIT_HEADER_RESTORE]	= "header-restore",
	[AUDIT_REPAIR]		= "repair",
	[AUDIT_RECOVERY_KEY]	= "recovery-key",
	[AUDIT_ASSIGN]		= "assign",
	[AUDIT_ENCRYPT]		= "encrypt",
	[AUDIT_DECRYPT]		= "decrypt",
	[AUDIT_DES_CREATE]	= "des-create",
	[AUDIT_DES_UPDATE]	= "des-update",
	[AUDIT_DES_DELETE]	= "des-delete",
	[AUDIT_DES_ENABLE]	= "des-enable",
	[AUDIT_DES_DISABLE]	= "des-disable",
	[AUDIT_DES_FORGET]	= "des-forget",
	[AUDIT_KEY_CREATE]	= "key-create",
	[AUDIT_KEY_DESTROY]	= "key-destroy",
	[AUDIT_TEMP_CREATE]	= "temp-create",
	[AUDIT_SHRED]		= "shred",
};

static const char *command_name;

void audit_command(const char *command)
{
	command_name = command;
}

/* Any bytes become text; "" is left out. */
static bool put_text(struct json_object *record, const char *name, const char *text)
{
	char *clean;
	size_t size;
	bool done;

	if (!text || !*text)
		return true;
	size = 3 * strlen(text) + 1;
	clean = malloc(size);
	if (!clean)
		return false;
	utf8_clean(text, clean, size);
	done = json_put_text(record, name, clean);
	free(clean);
	return done;
}

#define PKCS11	"pkcs11:"

static bool is_pin(const char *attribute)
{
	return !strncasecmp(attribute, "pin-", strlen("pin-"));
}

/*
 * A PKCS#11 URI without where its PIN is (RFC 7512: pin-value and pin-source).
 * @shown has room for @uri.
 */
static void leave_out_pin(const char *uri, char *shown)
{
	bool query = false, skip;
	char c;

	shown = stpcpy(shown, PKCS11);
	uri += strlen(PKCS11);
	skip = is_pin(uri);
	for (; *uri; uri++) {
		c = *uri;
		if (strchr(";?&", c))
			skip = is_pin(uri + 1);
		if (skip)
			continue;
		/* What is left of the query begins with '?' again. */
		if (c == '&' && !query)
			c = '?';
		if (c == '?')
			query = true;
		*shown++ = c;
	}
	*shown = '\0';
}

static bool put_uri(struct json_object *record, const char *uri)
{
	char *shown;
	bool done;

	if (!uri || strncmp(uri, PKCS11, strlen(PKCS11)))
		return put_text(record, "key", uri);
	shown = malloc(strlen(uri) + 1);
	if (!shown)
		return false;
	leave_out_pin(uri, shown);
	done = put_text(record, "key", shown);
	free(shown);
	return done;
}

static bool put_time(struct json_object *record)
{
	struct timespec now;
	char day[32], text[48];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	if (!gmtime_r(&now.tv_sec, &tm) || !strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm))
		*day = '\0';
	snprintf(text, sizeof(text), "%s.%03ldZ", day, now.tv_nsec / 1000000);
	return json_put_text(record, "time", text);
}

/* Who logged in, whatever sudo made of them since; absent for a service. */
static bool put_login(struct json_object *record)
{
	uint32_t uid = UINT32_MAX;
	FILE *f = fopen("/proc/self/loginuid", "re");

	if (!f)
		return true;
	if (fscanf(f, "%" SCNu32, &uid) != 1)
		uid = UINT32_MAX;
	fclose(f);
	return uid == UINT32_MAX || json_put_number(record, "login-uid", uid);
}

static bool put_process(struct json_object *record)
{
	struct utsname host;

	if (uname(&host))
		*host.nodename = '\0';
	return json_put_number(record, "uid", getuid()) && put_login(record) &&
	       json_put_number(record, "pid", getpid()) &&
	       json_put_number(record, "ppid", getppid()) &&
	       put_text(record, "command", command_name ? command_name :
						   program_invocation_short_name) &&
	       put_text(record, "host", host.nodename);
}

static bool put_subject(struct json_object *record, const struct audit_subject *subject)
{
	return put_text(record, "des", subject->des) &&
	       put_text(record, "device", subject->device) &&
	       put_text(record, "uuid", subject->uuid) &&
	       put_text(record, "mapping", subject->mapping) &&
	       put_text(record, "layer", subject->layer) && put_uri(record, subject->key) &&
	       put_text(record, "key-version", subject->version);
}

static bool put_outcome(struct json_object *record, const struct reason *outcome)
{
	if (!outcome || outcome->rc == RC_OK)
		return json_put_text(record, "outcome", "ok");
	return json_put_text(record, "outcome", "failed") &&
	       json_put_number(record, "code", outcome->rc) &&
	       put_text(record, "reason", outcome->text);
}

enum phase {
	PHASE_INTENT,
	PHASE_RESULT,
	PHASE_NOTE,
};

static const char * const phase_names[] = {
	[PHASE_INTENT]	= "intent",
	[PHASE_RESULT]	= "result",
	[PHASE_NOTE]	= "note",
};

static struct json_object *make_record(const struct audit *a, enum phase phase,
				       const struct reason *outcome)
{
	struct json_object *record = json_object_new_object();

	if (record && put_time(record) && json_put_text(record, "id", a->id) &&
	    json_put_text(record, "phase", phase_names[phase]) &&
	    json_put_text(record, "event", event_names[a->event]) &&
	    (phase == PHASE_INTENT || put_outcome(record, outcome)) && put_process(record) &&
	    put_subject(record, &a->subject))
		return record;
	json_object_put(record);
	return NULL;
}

/* The same for people. */
static void tell_journal(const struct audit *a, enum phase phase, const struct reason *outcome,
			 struct json_object *record)
{
	bool failed = outcome && outcome->rc != RC_OK;
	const struct audit_subject *s = &a->subject;
	const char *on = s->device && *s->device ? s->device : s->mapping;
	char message[1024], *at;

	snprintf(message, sizeof(message), "%s%s%s%s%s%s%s", event_names[a->event],
		 on && *on ? " of " : "", on ? on : "", s->des && *s->des ? ", set " : "",
		 s->des ? s->des : "",
		 phase == PHASE_INTENT ? ": begins" : failed ? ": failed: " : ": done",
		 failed ? outcome->text : "");
	for (at = message; *at; at++)
		if (*at == '\n')
			*at = ' ';
	journal_send(message, failed ? LOG_WARNING : LOG_INFO, record);
}

static int write_record(const struct audit *a, enum phase phase, const struct reason *outcome,
			struct reason *why)
{
	struct json_object *record = make_record(a, phase, outcome);
	const char *text;
	char *line;
	int len, rc;

	if (!record)
		return reason_nomem(why);
	text = json_object_to_json_string_ext(record, JSON_C_TO_STRING_PLAIN |
					      JSON_C_TO_STRING_NOSLASHESCAPE);
	len = text ? asprintf(&line, "%s\n", text) : -1;
	if (len < 0) {
		json_object_put(record);
		return reason_nomem(why);
	}
	rc = audit_file_append(line, (size_t)len, phase == PHASE_INTENT, why);
	/* The journal has it in any case. */
	tell_journal(a, phase, outcome, record);
	free(line);
	json_object_put(record);
	return rc;
}

/* May we go on without the record that @why is about? */
static int judge_failure(struct reason *why)
{
	struct host_config config;
	struct reason broken;

	if (host_config_load(&config, &broken)) {
		*why = broken;
		return why->rc;
	}
	if (!config.audit_best_effort) {
		reason_prefix(why, "The audit record can't be written, and without it no key is used");
		return why->rc;
	}
	diag_warn("The audit record can't be written: %s", why->text);
	return RC_OK;
}

static int new_id(struct audit *a, struct reason *why)
{
	unsigned char r[16];
	size_t i;

	if (getrandom(r, sizeof(r), 0) != sizeof(r))
		return reason_set(why, RC_DEVICE, "The kernel has no random numbers for a record's id.");
	for (i = 0; i < sizeof(r); i++)
		snprintf(a->id + 2 * i, 3, "%02x", r[i]);
	return RC_OK;
}

static int start(struct audit *a, enum audit_event event, const struct audit_subject *subject,
		 struct reason *why)
{
	memset(a, 0, sizeof(*a));
	a->event = event;
	a->subject = *subject;
	return new_id(a, why);
}

int audit_intent(struct audit *a, enum audit_event event, const struct audit_subject *subject,
		 struct reason *why)
{
	struct host_config config;
	int rc;

	/* A broken file is told of before it matters. */
	rc = host_config_load(&config, why);
	if (!rc)
		rc = start(a, event, subject, why);
	if (rc)
		return rc;
	rc = write_record(a, PHASE_INTENT, NULL, why);
	if (rc)
		rc = judge_failure(why);
	a->open = !rc;
	return rc;
}

int audit_result(struct audit *a, const struct reason *why)
{
	struct reason lost;

	if (!a->open)
		return why ? why->rc : RC_OK;
	a->open = false;
	if (write_record(a, PHASE_RESULT, why, &lost))
		diag_warn("The audit record of the result can't be written: %s", lost.text);
	return why ? why->rc : RC_OK;
}

int audit_note(enum audit_event event, const struct audit_subject *subject,
	       const struct reason *outcome, struct reason *why)
{
	struct audit a;
	int rc;

	rc = start(&a, event, subject, why);
	if (!rc)
		rc = write_record(&a, PHASE_NOTE, outcome, why);
	return rc ? judge_failure(why) : RC_OK;
}
