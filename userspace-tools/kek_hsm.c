// SPDX-License-Identifier: GPL-2.0-only
/*
 * A session with a token: begun, found to be lost, ended.
 */
#include <stdlib.h>

#include "kek_hsm_internal.h"

int hsm_new(struct hsm **hsm, const struct kek_config *config, struct reason *why)
{
	struct hsm *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return reason_nomem(why);
	p11_kit_be_quiet();
	h->config = config;
	rc = hsm_parse_uri(config->uri, &h->uri, why);
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

/* Sessions */

bool hsm_means_lost(ck_rv_t rv)
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
	if (hsm_means_lost(rv))
		h->lost = true;
	if (rv == CKR_DEVICE_REMOVED || rv == CKR_TOKEN_NOT_PRESENT)
		return hsm_not_there(h, why);
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
	hsm_unload_modules(h);
}

/*
 * A token that was pulled and put back has forgotten us, and one that has logged
 * us out doesn't show private keys: neither says so unless asked.
 */
static bool still_there(struct hsm *h)
{
	struct ck_token_info token;
	struct ck_session_info session;

	if (!hsm_slot_matches(h, h->module, h->slot, &token) ||
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
	rc = hsm_load_modules(h, why);
	if (!rc)
		rc = hsm_find_token(h, why);
	if (rc)
		return rc;
	rv = h->module->C_OpenSession(h->slot, CKF_SERIAL_SESSION, NULL, NULL, &h->session);
	if (rv != CKR_OK)
		return hsm_error(h, "opening a session", rv, why);
	h->in_session = true;
	return RC_OK;
}
