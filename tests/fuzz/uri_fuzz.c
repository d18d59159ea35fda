// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where keys are and what opens them: the input is "URI", "URI\nIDENTITY" or
 * "URI\nIDENTITY\nWRAPPING". What is refused is refused in one line that doesn't
 * repeat a PIN; what is taken has no PIN in it.
 */
#include "fuzz.h"
#include "kek.h"

/* Percent signs may hide a PIN's name, and hide the PIN: these are the plain ones. */
static void judge_pin(const char *uri, const struct reason *why)
{
	const char *pin = strstr(uri, "pin-value=");
	char part[200];
	size_t len;

	if (!pin || strncmp(uri, "pkcs11:", 7))
		return;
	pin += strlen("pin-value=");
	len = strcspn(pin, ";&?");
	/* A short one may be in the words of any refusal. */
	if (len < 6 || len >= sizeof(part))
		return;
	memcpy(part, pin, len);
	part[len] = '\0';
	judge(!strstr(why->text, part), "a PIN is repeated", why->text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = text_of(data, size), *rest = text;
	struct kek_config config = { .timeout = 30 };
	struct reason why = { 0 };
	int rc;

	config.uri = strsep(&rest, "\n");
	config.identity = rest ? strsep(&rest, "\n") : NULL;
	config.wrapping = rest;
	rc = kek_config_check(&config, &why);
	if (rc) {
		/* What they are given is text, in which they are told. */
		if (harmless(text))
			judge_reason(rc, &why);
		judge_pin(config.uri, &why);
	} else {
		judge(strncmp(config.uri, "pkcs11:", 7) || !strstr(config.uri, "pin-value="),
		      "a PIN is taken", config.uri);
		judge(kek_uri_is_customer(config.uri) == !!strncmp(config.uri, "platform:", 9),
		      "whose key?", config.uri);
	}
	free(text);
	return 0;
}
