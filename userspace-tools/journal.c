// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries in the journal's native protocol, which systemd documents. Its library
 * waits if the journal doesn't read; and what the journal waits for may be a
 * disk that waits for us to bring its key.
 */
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "diag.h"
#include "journal.h"

#define SOCKET		"/run/systemd/journal/socket"
/* Of every record of the audit: "journalctl MESSAGE_ID=..." finds them. */
#define MESSAGE_ID	"b3ac1d1e6f0c4d7c9f50d1f2c8a4e690"

/* A value with a newline has its size in front. */
static void put_field(FILE *f, const char *name, const char *value)
{
	uint64_t size = htole64(strlen(value));

	if (!strchr(value, '\n')) {
		fprintf(f, "%s=%s\n", name, value);
		return;
	}
	fprintf(f, "%s\n", name);
	fwrite(&size, sizeof(size), 1, f);
	fprintf(f, "%s\n", value);
}

/* "login-uid" to DMSSE_LOGIN_UID. */
static void put_record_field(FILE *f, const char *name, const char *value)
{
	char upper[64] = "DMSSE_";
	size_t i;

	for (i = strlen(upper); i < sizeof(upper) - 1 && *name; i++, name++)
		upper[i] = isalnum((unsigned char)*name) ? (char)toupper((unsigned char)*name) : '_';
	upper[i] = '\0';
	put_field(f, upper, value);
}

static void put_fields(FILE *f, const char *message, int priority, struct json_object *record)
{
	struct json_object_iterator at, end;

	put_field(f, "MESSAGE", message);
	put_field(f, "MESSAGE_ID", MESSAGE_ID);
	put_field(f, "SYSLOG_IDENTIFIER", "ssesetup");
	fprintf(f, "PRIORITY=%d\n", priority);
	for (at = json_object_iter_begin(record), end = json_object_iter_end(record);
	     !json_object_iter_equal(&at, &end); json_object_iter_next(&at))
		put_record_field(f, json_object_iter_peek_name(&at),
				 json_object_get_string(json_object_iter_peek_value(&at)));
}

static int send_entry(const char *entry, size_t size)
{
	const struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return errno;
	if (sendto(fd, entry, size, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&to,
		   sizeof(to)) < 0)
		err = errno;
	close(fd);
	return err;
}

void journal_send(const char *message, int priority, struct json_object *record)
{
	char *entry = NULL;
	size_t size;
	FILE *f;
	int err;

	if (access(SOCKET, F_OK))
		return;
	f = open_memstream(&entry, &size);
	if (!f)
		return;
	put_fields(f, message, priority, record);
	err = fclose(f) ? ENOMEM : send_entry(entry, size);
	if (err)
		diag_debug("The journal doesn't take a record: %s.", strerror(err));
	free(entry);
}
