// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes, changes and removes keys in a token, with attributes that the tools of
 * HSMs hide, for tests:
 *
 *	pkcs11_key MODULE TOKEN PIN make LABEL ID BITS [ATTRIBUTE...]
 *	pkcs11_key MODULE TOKEN PIN change LABEL ID NEW-ID
 *	pkcs11_key MODULE TOKEN PIN remove LABEL ID
 *
 * ID is hex, or "" for none. BITS is a size of RSA, or "ec". Attributes:
 * no-decrypt, no-unwrap, no-public (only the private object stays), always (the
 * PIN is wanted for each use), start=YYYYMMDD, end=YYYYMMDD.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CRYPTOKI_GNU
#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>

static struct ck_function_list *module;
static ck_session_handle_t session;

static void check(const char *what, ck_rv_t rv)
{
	if (rv == CKR_OK)
		return;
	fprintf(stderr, "pkcs11_key: %s: %s\n", what, p11_kit_strerror(rv));
	exit(1);
}

static void log_in(const char *path, const char *token, const char *pin)
{
	char copy[64];
	struct ck_token_info info;
	ck_slot_id_t slots[64];
	unsigned long nr = 64, i;

	module = p11_kit_module_load(path, 0);
	if (!module) {
		fprintf(stderr, "pkcs11_key: %s: %s\n", path, p11_kit_message());
		exit(1);
	}
	check("C_Initialize", p11_kit_module_initialize(module));
	check("C_GetSlotList", module->C_GetSlotList(1, slots, &nr));
	for (i = 0; i < nr; i++) {
		check("C_GetTokenInfo", module->C_GetTokenInfo(slots[i], &info));
		if (p11_kit_space_strlen(info.label, sizeof(info.label)) == strlen(token) &&
		    !memcmp(info.label, token, strlen(token)))
			break;
	}
	if (i == nr)
		check("looking for the token", CKR_TOKEN_NOT_PRESENT);
	check("C_OpenSession", module->C_OpenSession(slots[i], CKF_SERIAL_SESSION | CKF_RW_SESSION,
						     NULL, NULL, &session));
	snprintf(copy, sizeof(copy), "%s", pin);
	check("C_Login", module->C_Login(session, CKU_USER, (unsigned char *)copy, strlen(copy)));
}

static size_t parse_id(const char *hex, unsigned char id[64])
{
	unsigned int byte;
	size_t n;

	for (n = 0; n < 64 && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
		id[n] = (unsigned char)byte;
	return n;
}

static const char *option(char **options, const char *name)
{
	for (; *options; options++)
		if (!strncmp(*options, name, strlen(name)))
			return *options + strlen(name);
	return NULL;
}

static void add(struct ck_attribute *template, unsigned long *nr, ck_attribute_type_t type,
		void *value, size_t size)
{
	template[(*nr)++] = (struct ck_attribute){ type, value, size };
}

static void make(char *label, const char *hex, const char *bits_text, char **options)
{
	/* DER of the name of the curve P-256. */
	unsigned char curve[] = { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
	unsigned char yes = 1, exponent[] = { 1, 0, 1 }, id[64];
	unsigned char decrypt = !option(options, "no-decrypt");
	unsigned char unwrap = !option(options, "no-unwrap");
	unsigned char always = option(options, "always") != NULL;
	const char *start = option(options, "start="), *end = option(options, "end=");
	unsigned long bits = strtoul(bits_text, NULL, 10), nr_pub = 0, nr_priv = 0;
	struct ck_attribute pub[8], priv[12];
	struct ck_mechanism mechanism = { .mechanism = bits ? CKM_RSA_PKCS_KEY_PAIR_GEN :
							      CKM_EC_KEY_PAIR_GEN };
	ck_object_handle_t pub_object, priv_object;
	size_t id_size = parse_id(hex, id);
	char dates[2][16];

	add(pub, &nr_pub, CKA_TOKEN, &yes, 1);
	add(pub, &nr_pub, CKA_LABEL, label, strlen(label));
	add(pub, &nr_pub, CKA_ID, id, id_size);
	if (bits) {
		add(pub, &nr_pub, CKA_MODULUS_BITS, &bits, sizeof(bits));
		add(pub, &nr_pub, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent));
	} else {
		add(pub, &nr_pub, CKA_EC_PARAMS, curve, sizeof(curve));
	}
	add(priv, &nr_priv, CKA_TOKEN, &yes, 1);
	add(priv, &nr_priv, CKA_PRIVATE, &yes, 1);
	add(priv, &nr_priv, CKA_SENSITIVE, &yes, 1);
	add(priv, &nr_priv, CKA_LABEL, label, strlen(label));
	add(priv, &nr_priv, CKA_ID, id, id_size);
	if (bits) {
		add(priv, &nr_priv, CKA_DECRYPT, &decrypt, 1);
		add(priv, &nr_priv, CKA_UNWRAP, &unwrap, 1);
		add(priv, &nr_priv, CKA_ALWAYS_AUTHENTICATE, &always, 1);
	}
	/* On the public half: SoftHSM 2.6.1 can't give a private object's dates back. */
	if (start) {
		snprintf(dates[0], sizeof(dates[0]), "%s", start);
		add(pub, &nr_pub, CKA_START_DATE, dates[0], strlen(start));
	}
	if (end) {
		snprintf(dates[1], sizeof(dates[1]), "%s", end);
		add(pub, &nr_pub, CKA_END_DATE, dates[1], strlen(end));
	}
	check("C_GenerateKeyPair",
	      module->C_GenerateKeyPair(session, &mechanism, pub, nr_pub, priv, nr_priv,
					&pub_object, &priv_object));
	if (option(options, "no-public"))
		check("C_DestroyObject", module->C_DestroyObject(session, pub_object));
}

/* Gives both halves a new ID, or removes them if there is none. */
static void change(char *label, const char *hex, const char *new_hex)
{
	unsigned char id[64], new_id[64];
	struct ck_attribute template[] = {
		{ CKA_LABEL, label, strlen(label) },
		{ CKA_ID, id, parse_id(hex, id) },
	};
	struct ck_attribute new = { CKA_ID, new_id, 0 };
	ck_object_handle_t objects[8];
	unsigned long nr, i;

	check("C_FindObjectsInit", module->C_FindObjectsInit(session, template, 2));
	check("C_FindObjects", module->C_FindObjects(session, objects, 8, &nr));
	check("C_FindObjectsFinal", module->C_FindObjectsFinal(session));
	if (!nr)
		check("looking for the key", CKR_OBJECT_HANDLE_INVALID);
	for (i = 0; i < nr; i++) {
		if (!new_hex) {
			check("C_DestroyObject", module->C_DestroyObject(session, objects[i]));
			continue;
		}
		new.value_len = parse_id(new_hex, new_id);
		check("C_SetAttributeValue",
		      module->C_SetAttributeValue(session, objects[i], &new, 1));
	}
}

int main(int argc, char **argv)
{
	if (argc < 7) {
		fprintf(stderr, "usage: pkcs11_key MODULE TOKEN PIN make|change|remove LABEL ID ...\n");
		return 2;
	}
	log_in(argv[1], argv[2], argv[3]);
	if (!strcmp(argv[4], "make") && argc >= 8)
		make(argv[5], argv[6], argv[7], argv + 8);
	else if (!strcmp(argv[4], "change") && argc == 8)
		change(argv[5], argv[6], argv[7]);
	else if (!strcmp(argv[4], "remove"))
		change(argv[5], argv[6], NULL);
	else
		return 2;
	p11_kit_module_finalize(module);
	p11_kit_module_release(module);
	return 0;
}
