/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef JOURNAL_H
#define JOURNAL_H

struct json_object;

/*
 * An entry of systemd's journal with a field DMSSE_NAME for each field of
 * @record. A host without a journal, or with one that refuses or doesn't read,
 * is no error, and is not waited for.
 */
void journal_send(const char *message, int priority, struct json_object *record);

#endif
