/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KEK_PIN_H
#define KEK_PIN_H

#include <stdbool.h>

/*
 * Tokens lock themselves when a wrong PIN is tried a few times. So one that was
 * refused isn't tried again: by this process never, by others of this host, be
 * they workers beside it or the next run of a timer, until what the identity
 * names has changed.
 *
 * kek_pin_lock() holds others up who want to try the same; it returns what
 * kek_pin_unlock() takes. @refused: it isn't to be tried.
 */
int kek_pin_lock(const char *uri, const char *identity, bool *refused);
void kek_pin_unlock(int lock);

/* With the lock held: how it went. */
void kek_pin_note_refused(int lock, const char *uri, const char *identity);
void kek_pin_note_right(int lock);

/* This process's own memory, without a lock: to pass it on. */
bool kek_pin_known_refused(const char *uri, const char *identity);
void kek_pin_remember_refused(const char *uri, const char *identity);

#endif
