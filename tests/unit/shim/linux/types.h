/* SPDX-License-Identifier: GPL-2.0-only */
/* The little of the kernel that the module's pure files use, in userspace. */
#ifndef SHIM_LINUX_TYPES_H
#define SHIM_LINUX_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

#define U64_MAX	UINT64_MAX

#endif
