/* SPDX-License-Identifier: GPL-2.0-only */
#define IS_REACHABLE(option)	0
