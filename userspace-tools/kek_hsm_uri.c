// SPDX-License-Identifier: GPL-2.0-only
/*
 * The URI of a key in a token: what it may have in it.
 */
#include <string.h>

#include "kek_hsm_internal.h"

int hsm_parse_uri(const char *text, P11KitUri **uri, struct reason *why)
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

	rc = hsm_parse_uri(text, &uri, why);
	if (rc)
		return rc;
	rc = check_parsed(uri, why);
	p11_kit_uri_free(uri);
	return rc;
}
