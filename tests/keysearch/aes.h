/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KEYSEARCH_AES_H
#define KEYSEARCH_AES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of AES-256: 15 round keys of 16 bytes. */
#define AES_SCHEDULE_MAX	240

/*
 * Key schedules as FIPS-197 has them, in bytes. @size is 16, 24 or 32; returns
 * the size of the schedule.
 *
 * Those of the equivalent inverse cipher have InvMixColumns applied to all round
 * keys but the first and the last, and are in the order in which decryption uses
 * them: the last one of encryption first.
 */
size_t aes_schedule(const uint8_t *key, size_t size, uint8_t schedule[AES_SCHEDULE_MAX]);
size_t aes_inverse_schedule(const uint8_t *key, size_t size, uint8_t schedule[AES_SCHEDULE_MAX]);

/* Is there the schedule of an AES-256 key? @data: AES_SCHEDULE_MAX bytes. */
bool aes_is_schedule(const uint8_t *data);

#endif
