// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys in a token: which there are, their attributes, and RSA-OAEP with them.
 */
#include <stdlib.h>
#include <string.h>

#include "kek_hsm_internal.h"

/* More keys than that under one name, nobody has. */
#define OBJECTS_MAX	1024

/* Objects */

/* The class, and what of the URI tells keys apart. */
static size_t make_template(struct hsm *h, ck_object_class_t *class,
			    struct ck_attribute template[3])
{
	static const ck_attribute_type_t types[] = { CKA_LABEL, CKA_ID };
	struct ck_attribute *a;
	size_t i, nr = 0;

	template[nr++] = (struct ck_attribute){ CKA_CLASS, class, sizeof(*class) };
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		a = p11_kit_uri_get_attribute(h->uri, types[i]);
		if (a)
			template[nr++] = *a;
	}
	return nr;
}

int hsm_find(struct hsm *h, ck_object_class_t class, ck_object_handle_t **objects, size_t *nr,
	     struct reason *why)
{
	struct ck_attribute template[3];
	unsigned long found = 0;
	ck_rv_t rv;

	*objects = calloc(OBJECTS_MAX, sizeof(**objects));
	if (!*objects)
		return reason_nomem(why);
	rv = h->module->C_FindObjectsInit(h->session, template,
					  make_template(h, &class, template));
	if (rv == CKR_OK) {
		rv = h->module->C_FindObjects(h->session, *objects, OBJECTS_MAX, &found);
		h->module->C_FindObjectsFinal(h->session);
	}
	if (rv != CKR_OK) {
		free(*objects);
		return hsm_error(h, "looking for the key", rv, why);
	}
	*nr = found;
	return RC_OK;
}

size_t hsm_bytes(struct hsm *h, ck_object_handle_t object, ck_attribute_type_t type,
		 void *value, size_t size)
{
	struct ck_attribute a = { type, value, size };
	ck_rv_t rv = h->module->C_GetAttributeValue(h->session, object, &a, 1);

	if (hsm_means_lost(rv))
		h->lost = true;
	if (rv != CKR_OK || a.value_len == (unsigned long)-1 || a.value_len > size)
		return 0;
	return a.value_len;
}

bool hsm_flag(struct hsm *h, ck_object_handle_t object, ck_attribute_type_t type)
{
	unsigned char flag = 0;

	return hsm_bytes(h, object, type, &flag, sizeof(flag)) == sizeof(flag) && flag;
}

unsigned long hsm_number(struct hsm *h, ck_object_handle_t object, ck_attribute_type_t type)
{
	unsigned long number = 0;

	if (hsm_bytes(h, object, type, &number, sizeof(number)) != sizeof(number))
		return (unsigned long)-1;
	return number;
}

/* RSA-OAEP */

static void make_mechanism(enum kek_wrapping wrapping, struct ck_rsa_pkcs_oaep_params *oaep,
			   struct ck_mechanism *mechanism)
{
	bool sha256 = wrapping == KEK_RSA_OAEP_256;

	memset(oaep, 0, sizeof(*oaep));
	oaep->hash_alg = sha256 ? CKM_SHA256 : CKM_SHA_1;
	oaep->mgf = sha256 ? CKG_MGF1_SHA256 : CKG_MGF1_SHA1;
	oaep->source = CKZ_DATA_SPECIFIED;
	mechanism->mechanism = CKM_RSA_PKCS_OAEP;
	mechanism->parameter = oaep;
	mechanism->parameter_len = sizeof(*oaep);
}

ck_rv_t hsm_decrypt(struct hsm *h, ck_object_handle_t key, enum kek_wrapping wrapping,
		    const unsigned char *wrapped, size_t wrapped_size, struct secmem *plain,
		    size_t *size, struct reason *why)
{
	unsigned char copy[KEK_WRAPPED_MAX];
	unsigned long len = secmem_capacity(plain);
	struct ck_rsa_pkcs_oaep_params oaep;
	struct ck_mechanism mechanism;
	ck_rv_t rv;

	why->rc = RC_OK;
	make_mechanism(wrapping, &oaep, &mechanism);
	memcpy(copy, wrapped, wrapped_size);
	rv = h->module->C_DecryptInit(h->session, &mechanism, key);
	if (rv != CKR_OK)
		return rv;
	/* Some keys want the PIN for each use. */
	if (hsm_flag(h, key, CKA_ALWAYS_AUTHENTICATE) && hsm_do_login(h, CKU_CONTEXT_SPECIFIC, why))
		return CKR_USER_NOT_LOGGED_IN;
	rv = h->module->C_Decrypt(h->session, copy, wrapped_size, secmem_data(plain), &len);
	*size = len;
	return rv;
}

ck_rv_t hsm_unwrap_key(struct hsm *h, ck_object_handle_t key, enum kek_wrapping wrapping,
		       const unsigned char *wrapped, size_t wrapped_size, struct secmem *plain,
		       size_t *size)
{
	ck_object_class_t class = CKO_SECRET_KEY;
	ck_key_type_t type = CKK_GENERIC_SECRET;
	unsigned char yes = 1, no = 0;
	struct ck_attribute template[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_KEY_TYPE, &type, sizeof(type) },
		{ CKA_TOKEN, &no, sizeof(no) },
		{ CKA_SENSITIVE, &no, sizeof(no) },
		{ CKA_EXTRACTABLE, &yes, sizeof(yes) },
	};
	unsigned char copy[KEK_WRAPPED_MAX];
	struct ck_rsa_pkcs_oaep_params oaep;
	struct ck_mechanism mechanism;
	ck_object_handle_t object;
	ck_rv_t rv;

	make_mechanism(wrapping, &oaep, &mechanism);
	memcpy(copy, wrapped, wrapped_size);
	rv = h->module->C_UnwrapKey(h->session, &mechanism, key, copy, wrapped_size, template,
				    sizeof(template) / sizeof(template[0]), &object);
	if (rv != CKR_OK)
		return rv;
	*size = hsm_bytes(h, object, CKA_VALUE, secmem_data(plain), secmem_capacity(plain));
	h->module->C_DestroyObject(h->session, object);
	return *size ? CKR_OK : CKR_ATTRIBUTE_SENSITIVE;
}
