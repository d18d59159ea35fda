/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __printf
#define __printf(a, b)	__attribute__((format(printf, a, b)))
#endif
