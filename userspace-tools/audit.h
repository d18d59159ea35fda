/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef AUDIT_H
#define AUDIT_H

#include <stdbool.h>

#include "reason.h"

/*
 * The record of who used which key when: one JSON line in PATH_AUDIT and one
 * structured entry in the journal, before ("intent") and after ("result").
 */

/* The closed list of what is recorded. */
enum audit_event {
	AUDIT_WRAP,
	AUDIT_UNWRAP,
	AUDIT_FORMAT,
	AUDIT_OPEN,
	AUDIT_CLOSE,
	AUDIT_ROTATE,
	AUDIT_RENEW,
	AUDIT_LAPSE,
	AUDIT_REFUSE,
	AUDIT_COPY,
	AUDIT_HEADER_BACKUP,
	AUDIT_HEADER_RESTORE,
	AUDIT_REPAIR,
	AUDIT_RECOVERY_KEY,
	AUDIT_ASSIGN,
	AUDIT_ENCRYPT,
	AUDIT_DECRYPT,
	AUDIT_DES_CREATE,
	AUDIT_DES_UPDATE,
	AUDIT_DES_DELETE,
	AUDIT_DES_ENABLE,
	AUDIT_DES_DISABLE,
	AUDIT_DES_FORGET,
	AUDIT_KEY_CREATE,
	AUDIT_KEY_DESTROY,
	AUDIT_TEMP_CREATE,
	AUDIT_SHRED,
	NR_AUDIT_EVENTS
};

/* What it is about; NULL or "" where it doesn't apply. Never a secret. */
struct audit_subject {
	const char *des;
	const char *device;
	const char *uuid;
	const char *mapping;
	const char *layer;
	const char *key;	/* URI of the KEK */
	const char *version;	/* of the KEK */
};

struct audit {
	enum audit_event event;
	struct audit_subject subject;
	char id[33];		/* joins intent and result */
	bool open;
};

/* The command that the records name, "des create"; it must live on. */
void audit_command(const char *command);

/*
 * Records the intent. If that fails the caller must not go on (unless the
 * host's configuration has "audit = best-effort": then it succeeds with a
 * warning). The strings of @subject must live until audit_result().
 */
int audit_intent(struct audit *a, enum audit_event event, const struct audit_subject *subject,
		 struct reason *why);
/* Records how it ended. @why: of a failure, or NULL. Returns why's rc, or RC_OK. */
int audit_result(struct audit *a, const struct reason *why);
/* One record without an intent before it: a lapse that was found, a refusal. */
int audit_note(enum audit_event event, const struct audit_subject *subject,
	       const struct reason *outcome, struct reason *why);

#endif
