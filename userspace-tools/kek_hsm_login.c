// SPDX-License-Identifier: GPL-2.0-only
/*
 * Logging in to a token, without locking it.
 */
#include "kek_hsm_internal.h"
#include "kek_identity.h"
#include "kek_pin.h"

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

int hsm_do_login(struct hsm *h, ck_user_type_t user, struct reason *why)
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
	rc = hsm_do_login(h, CKU_USER, why);
	h->logged_in = !rc;
	return rc;
}
