// SPDX-License-Identifier: GPL-2.0-only
/*
 * The only includer of p11-kit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kek_hsm.h"
#include "kek_identity.h"
#include "kek_pin.h"

#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>

/* More keys than that under one name, nobody has. */
#define OBJECTS_MAX	1024

struct hsm {
	const struct kek_config *config;
	P11KitUri *uri;
	struct ck_function_list **modules;	/* ends with NULL */
	bool by_path;				/* one, and not one of p11-kit's list */
	/* Of the token. */
	struct ck_function_list *module;
	ck_slot_id_t slot;
	char label[33];
	unsigned long flags;
	bool in_session;
	ck_session_handle_t session;
	bool logged_in;
	bool lost;
};

/* The URI */

static int parse_uri(const char *text, P11KitUri **uri, struct reason *why)
{
	int err;

	*uri = p11_kit_uri_new();
	if (!*uri)
		return reason_nomem(why);
	err = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, *uri);
	if (!err)
		return RC_OK;
	p11_kit_uri_free(*uri);
	*uri = NULL;
	/* It isn't repeated: there may be a PIN in it. */
	return reason_set(why, RC_PARAM, "The PKCS#11 URI of the key is malformed: %s.",
			  p11_kit_uri_message(err));
}

static int check_parsed(P11KitUri *uri, struct reason *why)
{
	struct ck_attribute *class = p11_kit_uri_get_attribute(uri, CKA_CLASS);
	const char *path = p11_kit_uri_get_module_path(uri);
	ck_object_class_t value;

	if (p11_kit_uri_get_pin_value(uri) || p11_kit_uri_get_pin_source(uri))
		return reason_set(why, RC_PARAM,
			"A PIN doesn't belong into the URI of a key (pin-value, pin-source):\n"
			"take it out, and say where it is with the identity: file:/path, "
			"credential:NAME\nor keyring:DESCRIPTION.");
	if (p11_kit_uri_any_unrecognized(uri))
		return reason_set(why, RC_PARAM,
			"The PKCS#11 URI of the key has an attribute that isn't known: token, serial,\n"
			"manufacturer, model, object, id, type, module-path and module-name are some that are.");
	if (!p11_kit_uri_get_attribute(uri, CKA_LABEL) && !p11_kit_uri_get_attribute(uri, CKA_ID))
		return reason_set(why, RC_PARAM,
			"The PKCS#11 URI doesn't say which key: add object=NAME or id=%%01.");
	if (path && path[0] != '/')
		return reason_set(why, RC_PARAM,
			"module-path=%s in the PKCS#11 URI must be an absolute path.", path);
	if (class && class->value_len == sizeof(value)) {
		memcpy(&value, class->value, sizeof(value));
		if (value != CKO_PRIVATE_KEY && value != CKO_PUBLIC_KEY)
			return reason_set(why, RC_PARAM,
				"The PKCS#11 URI of the key must have type=private, or no type.");
	}
	return RC_OK;
}

int hsm_check_uri(const char *text, struct reason *why)
{
	P11KitUri *uri;
	int rc;

	rc = parse_uri(text, &uri, why);
	if (rc)
		return rc;
	rc = check_parsed(uri, why);
	p11_kit_uri_free(uri);
	return rc;
}

int hsm_new(struct hsm **hsm, const struct kek_config *config, struct reason *why)
{
	struct hsm *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return reason_nomem(why);
	p11_kit_be_quiet();
	h->config = config;
	rc = parse_uri(config->uri, &h->uri, why);
	if (rc)
		free(h);
	else
		*hsm = h;
	return rc;
}

void hsm_free(struct hsm **hsm)
{
	hsm_reset(*hsm);
	p11_kit_uri_free((*hsm)->uri);
	free(*hsm);
	*hsm = NULL;
}

/* Modules */

/* "?": nothing more is known. */
static const char *last_message(void)
{
	const char *message = p11_kit_message();

	return message ? message : "?";
}

static int load_by_path(struct hsm *h, const char *path, struct reason *why)
{
	ck_rv_t rv;

	h->modules = calloc(2, sizeof(h->modules[0]));
	if (!h->modules)
		return reason_nomem(why);
	h->by_path = true;
	h->modules[0] = p11_kit_module_load(path, 0);
	if (!h->modules[0])
		return reason_set(why, RC_PERM, "The PKCS#11 module %s can't be loaded: %s.",
				  path, last_message());
	rv = p11_kit_module_initialize(h->modules[0]);
	if (rv == CKR_OK)
		return RC_OK;
	p11_kit_module_release(h->modules[0]);
	h->modules[0] = NULL;
	return reason_set(why, RC_PERM, "The PKCS#11 module %s doesn't start: %s.", path,
			  p11_kit_strerror(rv));
}

static int load_modules(struct hsm *h, struct reason *why)
{
	const char *path = p11_kit_uri_get_module_path(h->uri);

	if (path)
		return load_by_path(h, path, why);
	h->by_path = false;
	h->modules = p11_kit_modules_load_and_initialize(0);
	if (!h->modules)
		return reason_set(why, RC_PERM, "p11-kit has no PKCS#11 modules: %s.",
				  last_message());
	return RC_OK;
}

static void unload_modules(struct hsm *h)
{
	if (!h->modules)
		return;
	if (!h->by_path) {
		p11_kit_modules_finalize_and_release(h->modules);
	} else {
		if (h->modules[0]) {
			p11_kit_module_finalize(h->modules[0]);
			p11_kit_module_release(h->modules[0]);
		}
		free(h->modules);
	}
	h->modules = NULL;
}

/* The token */

const char *hsm_label(const struct hsm *h)
{
	return h->label;
}

static bool module_matches(const struct hsm *h, struct ck_function_list *module)
{
	const char *wanted = p11_kit_uri_get_module_name(h->uri);
	struct ck_info info;
	bool same;
	char *name;

	if (wanted && !h->by_path) {
		name = p11_kit_module_get_name(module);
		same = name && !strcmp(name, wanted);
		free(name);
		if (!same)
			return false;
	}
	return module->C_GetInfo(&info) == CKR_OK &&
	       p11_kit_uri_match_module_info(h->uri, &info);
}

static bool slot_matches(const struct hsm *h, struct ck_function_list *module, ck_slot_id_t slot,
			 struct ck_token_info *token)
{
	ck_slot_id_t wanted = p11_kit_uri_get_slot_id(h->uri);
	struct ck_slot_info info;

	if (wanted != (ck_slot_id_t)-1 && wanted != slot)
		return false;
	return module->C_GetSlotInfo(slot, &info) == CKR_OK &&
	       p11_kit_uri_match_slot_info(h->uri, &info) &&
	       module->C_GetTokenInfo(slot, token) == CKR_OK &&
	       (token->flags & CKF_TOKEN_INITIALIZED) &&
	       p11_kit_uri_match_token_info(h->uri, token);
}

static void copy_padded(char *to, size_t size, const unsigned char *from, size_t len)
{
	len = p11_kit_space_strlen(from, len);
	if (len >= size)
		len = size - 1;
	memcpy(to, from, len);
	to[len] = '\0';
}

/* Returns how many slots of @module have the token. */
static unsigned int search_module(struct hsm *h, struct ck_function_list *module)
{
	struct ck_token_info token;
	unsigned int found = 0;
	ck_slot_id_t slots[256];
	unsigned long nr = sizeof(slots) / sizeof(slots[0]), i;

	if (!module_matches(h, module) || module->C_GetSlotList(1, slots, &nr) != CKR_OK)
		return 0;
	for (i = 0; i < nr; i++) {
		if (!slot_matches(h, module, slots[i], &token))
			continue;
		h->module = module;
		h->slot = slots[i];
		h->flags = token.flags;
		copy_padded(h->label, sizeof(h->label), token.label, sizeof(token.label));
		found++;
	}
	return found;
}

static int not_there(const struct hsm *h, struct reason *why)
{
	struct ck_token_info *wanted = p11_kit_uri_get_token_info(h->uri);
	char label[33] = "", serial[17] = "";

	/* 0xff: not given. */
	if (wanted->label[0] != 0xff)
		copy_padded(label, sizeof(label), wanted->label, sizeof(wanted->label));
	if (wanted->serial_number[0] != 0xff)
		copy_padded(serial, sizeof(serial), wanted->serial_number,
			    sizeof(wanted->serial_number));
	return reason_set(why, RC_PERM,
		"The token %s%s%s isn't there.\n"
		"Is it plugged in or reachable? 'p11-kit list-modules' shows what is.",
		label[0] || serial[0] ? label : "of the key", serial[0] ? " serial " : "", serial);
}

static int find_token(struct hsm *h, struct reason *why)
{
	unsigned int found = 0;
	size_t i;

	for (i = 0; h->modules[i]; i++)
		found += search_module(h, h->modules[i]);
	if (found == 1)
		return RC_OK;
	h->module = NULL;
	if (!found)
		return not_there(h, why);
	/* Trying a PIN at each would be the way to lock the others. */
	return reason_set(why, RC_PARAM,
		"%u tokens match the key's URI; add token=, serial= or module-name= to make it one.",
		found);
}

/* Sessions */

static bool means_lost(ck_rv_t rv)
{
	switch (rv) {
	case CKR_SESSION_HANDLE_INVALID:
	case CKR_SESSION_CLOSED:
	case CKR_USER_NOT_LOGGED_IN:
	case CKR_OBJECT_HANDLE_INVALID:
	case CKR_KEY_HANDLE_INVALID:
	case CKR_DEVICE_REMOVED:
	case CKR_DEVICE_ERROR:
	case CKR_TOKEN_NOT_PRESENT:
	case CKR_TOKEN_NOT_RECOGNIZED:
	case CKR_SLOT_ID_INVALID:
	case CKR_CRYPTOKI_NOT_INITIALIZED:
	case CKR_OPERATION_ACTIVE:
		return true;
	default:
		return false;
	}
}

int hsm_error(struct hsm *h, const char *doing, ck_rv_t rv, struct reason *why)
{
	if (means_lost(rv))
		h->lost = true;
	if (rv == CKR_DEVICE_REMOVED || rv == CKR_TOKEN_NOT_PRESENT)
		return not_there(h, why);
	return reason_set(why, RC_PERM, "Token %s: %s: %s.", h->label, doing,
			  p11_kit_strerror(rv));
}

bool hsm_lost(const struct hsm *h)
{
	return h->lost;
}

void hsm_reset(struct hsm *h)
{
	if (h->in_session)
		h->module->C_CloseSession(h->session);
	h->in_session = false;
	h->logged_in = false;
	h->module = NULL;
	h->lost = false;
	unload_modules(h);
}

/*
 * A token that was pulled and put back has forgotten us, and one that has logged
 * us out doesn't show private keys: neither says so unless asked.
 */
static bool still_there(struct hsm *h)
{
	struct ck_token_info token;
	struct ck_session_info session;

	if (!slot_matches(h, h->module, h->slot, &token) ||
	    h->module->C_GetSessionInfo(h->session, &session) != CKR_OK)
		return false;
	if (session.state != CKS_RO_USER_FUNCTIONS && session.state != CKS_RW_USER_FUNCTIONS)
		h->logged_in = false;
	return true;
}

int hsm_ready(struct hsm *h, struct reason *why)
{
	ck_rv_t rv;
	int rc;

	if (h->in_session && still_there(h))
		return RC_OK;
	hsm_reset(h);
	rc = load_modules(h, why);
	if (!rc)
		rc = find_token(h, why);
	if (rc)
		return rc;
	rv = h->module->C_OpenSession(h->slot, CKF_SERIAL_SESSION, NULL, NULL, &h->session);
	if (rv != CKR_OK)
		return hsm_error(h, "opening a session", rv, why);
	h->in_session = true;
	return RC_OK;
}

/* Logging in */

static bool login_needed(const struct hsm *h)
{
	return h->flags & CKF_LOGIN_REQUIRED;
}

static bool has_pin_pad(const struct hsm *h)
{
	return h->flags & CKF_PROTECTED_AUTHENTICATION_PATH;
}

bool hsm_can_login(const struct hsm *h)
{
	return h->logged_in || !login_needed(h) || h->config->identity || has_pin_pad(h);
}

static int pin_wrong(const struct hsm *h, struct reason *why)
{
	return reason_set(why, RC_PERM,
		"Token %s: the PIN from %s is wrong.\n"
		"It isn't tried again until that has changed, lest the token locks itself.",
		h->label, h->config->identity ? h->config->identity : "its pad");
}

static int pin_locked(const struct hsm *h, struct reason *why)
{
	return reason_set(why, RC_PERM,
		"Token %s: the PIN is locked, after too many wrong ones.\n"
		"Its security officer has to set a new one.", h->label);
}

/* What the token says of its PIN before one is tried. */
static int check_flags(struct hsm *h, struct reason *why)
{
	struct ck_token_info token;
	ck_rv_t rv = h->module->C_GetTokenInfo(h->slot, &token);

	if (rv != CKR_OK)
		return hsm_error(h, "asking for its state", rv, why);
	if (token.flags & CKF_USER_PIN_LOCKED)
		return pin_locked(h, why);
	if (token.flags & CKF_USER_PIN_FINAL_TRY)
		return reason_set(why, RC_PERM,
			"Token %s: one more wrong PIN locks it, so none is tried.\n"
			"Log in by hand with the right one first: 'pkcs11-tool --login --list-objects'.",
			h->label);
	if (!(token.flags & CKF_USER_PIN_INITIALIZED))
		return reason_set(why, RC_PERM, "Token %s has no user PIN yet; set one.",
				  h->label);
	return RC_OK;
}

static int login_failed(struct hsm *h, ck_rv_t rv, int lock, struct reason *why)
{
	switch (rv) {
	case CKR_PIN_INCORRECT:
	case CKR_PIN_INVALID:
	case CKR_PIN_LEN_RANGE:
		if (h->config->identity)
			kek_pin_note_refused(lock, h->config->uri, h->config->identity);
		return pin_wrong(h, why);
	case CKR_PIN_LOCKED:
		return pin_locked(h, why);
	case CKR_PIN_EXPIRED:
		return reason_set(why, RC_PERM, "Token %s: the PIN has expired; set a new one.",
				  h->label);
	default:
		return hsm_error(h, "logging in", rv, why);
	}
}

/* With what the identity has; without one there is a pad to type at. */
static int try_pin(struct hsm *h, ck_user_type_t user, int lock, struct reason *why)
{
	SECMEM_AUTO pin = NULL;
	size_t size = 0;
	ck_rv_t rv;
	int rc;

	rc = check_flags(h, why);
	if (rc)
		return rc;
	if (h->config->identity || !has_pin_pad(h)) {
		rc = kek_identity_read(h->config->identity, h->config->uri, &pin, &size, why);
		if (rc)
			return rc;
	}
	rv = h->module->C_Login(h->session, user, pin ? secmem_data(pin) : NULL, size);
	if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN)
		return login_failed(h, rv, lock, why);
	kek_pin_note_right(lock);
	return RC_OK;
}

static int do_login(struct hsm *h, ck_user_type_t user, struct reason *why)
{
	bool refused = false;
	int lock = -1;
	int rc;

	if (h->config->identity)
		lock = kek_pin_lock(h->config->uri, h->config->identity, &refused);
	rc = refused ? pin_wrong(h, why) : try_pin(h, user, lock, why);
	kek_pin_unlock(lock);
	return rc;
}

int hsm_login(struct hsm *h, struct reason *why)
{
	int rc;

	if (h->logged_in || !login_needed(h))
		return RC_OK;
	rc = do_login(h, CKU_USER, why);
	h->logged_in = !rc;
	return rc;
}

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

	if (means_lost(rv))
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
	if (hsm_flag(h, key, CKA_ALWAYS_AUTHENTICATE) && do_login(h, CKU_CONTEXT_SPECIFIC, why))
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
