/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_LINUX_CTYPE_H
#define SHIM_LINUX_CTYPE_H

/* Unlike libc's, the kernel's takes a char as it is: Latin 1, 0xa0 included. */
static inline int isspace(int c)
{
	unsigned char byte = c;

	return byte == ' ' || (byte >= '\t' && byte <= '\r') || byte == 0xa0;
}

static inline int iscntrl(int c)
{
	unsigned char byte = c;

	return byte < ' ' || byte == 0x7f;
}

static inline int isxdigit(int c)
{
	unsigned char byte = c;

	return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f');
}

#endif
