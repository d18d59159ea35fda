// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where keys are and what opens them: the input is "URI", "URI\nIDENTITY" or
 * "URI\nIDENTITY\nWRAPPING". What is refused is refused in one line that doesn't
 * repeat a PIN; what is taken has no PIN in it.
 */
#include "fuzz.h"
#include "kek.h"

#define PIN_NAME	"pin-value="

/*
 * The PIN in a URI, or NULL. What is called so in the value of another attribute is
 * none. Percent signs may hide a PIN's name, and hide the PIN: this is a plain one.
 */
static const char *pin_of(const char *uri)
{
	const char *name;

	if (strncmp(uri, "pkcs11:", 7))
		return NULL;
	for (name = strstr(uri, PIN_NAME); name; name = strstr(name + 1, PIN_NAME))
		if (name == uri + 7 || strchr(";?&", name[-1]))
			return name + strlen(PIN_NAME);
	return NULL;
}

static bool says(const char *text, const char *part)
{
	return text && strstr(text, part);
}

static void judge_pin(const struct kek_config *config, const struct reason *why)
{
	const char *pin = pin_of(config->uri);
	char part[200];
	size_t len;

	if (!pin)
		return;
	len = strcspn(pin, ";&?");
	/* A short one may be in the words of any refusal. */
	if (len < 6 || len >= sizeof(part))
		return;
	memcpy(part, pin, len);
	part[len] = '\0';
	/* What is refused may be another word with the same in it. */
	judge(!says(why->text, part) || says(config->identity, part) || says(config->wrapping, part),
	      "a PIN is repeated", why->text);
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
		judge_pin(&config, &why);
	} else {
		judge(!pin_of(config.uri), "a PIN is taken", config.uri);
		judge(kek_uri_is_customer(config.uri) == !!strncmp(config.uri, "platform:", 9),
		      "whose key?", config.uri);
	}
	free(text);
	return 0;
}
