/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef INTERRUPT_H
#define INTERRUPT_H

#include <signal.h>

/*
 * What takes long stops at SIGINT, SIGTERM and SIGHUP where it can put things
 * away; then the program ends as the signal would have ended it.
 */

/* Set to the signal that has come, from now on; 0: none yet. */
const volatile sig_atomic_t *interrupt_catch(void);
/* Ends the program if a signal has come. */
void interrupt_end(void);

#endif
