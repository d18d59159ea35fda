// SPDX-License-Identifier: GPL-2.0-only
/* The ciphers that dm-sse and dm-crypt are compared with, in both spellings. */
#include "ciphers.h"

const struct cipher_choice ciphers[] = {
	{ "aes-xts-plain64", 32 },
	{ "aes-xts-plain64", 64 },
	{ "capi:xts(aes)-plain64", 32 },
	{ "capi:xts(aes)-plain64", 64 },
	{ "aes-xts-plain", 64 },
	{ "aes-cbc-essiv:sha256", 16 },
	{ "aes-cbc-essiv:sha256", 32 },
	{ "capi:cbc(aes)-essiv:sha256", 32 },
	{ "aes-cbc-plain", 32 },
	{ "capi:cbc(aes)-plain", 32 },
	{ "aes-cbc-plain64", 16 },
	{ "capi:cbc(aes)-plain64", 32 },
	{ "aes-cbc-plain64be", 32 },
	{ "capi:cbc(aes)-plain64be", 32 },
	{ "serpent-xts-plain64", 64 },
	{ "capi:xts(serpent)-plain64", 64 },
	{ "twofish-xts-plain64", 64 },
	{ "capi:xts(twofish)-plain64", 64 },
	{ "camellia-xts-plain64", 64 },
	{ "capi:xts(camellia)-plain64", 64 },
	{ "xchacha12,aes-adiantum-plain64", 32 },
	{ "capi:adiantum(xchacha12,aes)-plain64", 32 },
	{ "xchacha20,aes-adiantum-plain64", 32 },
	{ "capi:adiantum(xchacha20,aes)-plain64", 32 },
};

const size_t nr_ciphers = sizeof(ciphers) / sizeof(*ciphers);
