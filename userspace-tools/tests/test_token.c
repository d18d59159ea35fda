// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tokens come back from token_format() as they were, with what is unknown in
 * them; others are refused in words that name the field. KTAP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "token.h"

static unsigned int nr, failed;

static void result(bool ok, const char *what, const char *detail)
{
	printf("%sok %u - %.120s\n", ok ? "" : "not ", ++nr, what);
	if (!ok) {
		printf("# %s\n", detail ? detail : "(null)");
		failed++;
	}
}

#define CHECK	"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

#define HEAD	"{\"type\":\"dm-sse\",\"keyslots\":[\"0\"],"
#define REST	"\"dm-sse-version\":1,\"layer\":\"single\",\"des\":\"prod\","		\
		"\"des-id\":\"6f9a1a52-4ed1-4a3b-8f0e-2f0f7f1f2a3b\","			\
		"\"owner\":\"Ada \\\"Countess\\\" Löve\",\"customer\":true,"		\
		"\"kek\":{\"uri\":\"pkcs11:token=a;object=b\",\"version\":\"3\","	\
		"\"fingerprint\":\"sha256:00ff\"},"					\
		"\"wrapping\":\"RSA-OAEP-256\",\"wrapped\":\"3q2+7w==\","		\
		"\"check\":\"" CHECK "\",\"created\":\"2021-03-01T12:00:00Z\"}"

static const char good[] = HEAD REST;

static void check_fields(void)
{
	const unsigned char wrapped[] = { 0xde, 0xad, 0xbe, 0xef };
	struct reason why = { .rc = 0 };
	struct token t;
	bool ok;

	ok = token_parse(good, &t, &why) == RC_OK;
	result(ok, "a token is read", why.text);
	if (!ok)
		return;
	result(t.id == -1 && t.keyslot == 0 && t.pending_keyslot == -1 &&
	       t.layer == TOKEN_SINGLE && t.customer && t.wrapping == KEK_RSA_OAEP_256,
	       "its numbers and names", NULL);
	result(!strcmp(t.des, "prod") && !strcmp(t.kek_uri, "pkcs11:token=a;object=b") &&
	       !strcmp(t.kek_version, "3") && !strcmp(t.kek_fingerprint, "sha256:00ff") &&
	       !strcmp(t.owner, "Ada \"Countess\" Löve") &&
	       !strcmp(t.des_id, "6f9a1a52-4ed1-4a3b-8f0e-2f0f7f1f2a3b") &&
	       !strcmp(t.created, "2021-03-01T12:00:00Z"), "its texts", NULL);
	result(t.wrapped_size == sizeof(wrapped) && !memcmp(t.wrapped, wrapped, sizeof(wrapped)) &&
	       t.check[0] == 0 && t.check[31] == 31, "its bytes", NULL);
	result(!t.unknown, "nothing unknown in it", NULL);
	token_free(&t);
}

/* What comes back is what was read. */
static void check_round_trip(const char *what, const char *json, const char *want)
{
	struct reason why = { .rc = 0 };
	char *text = NULL;
	struct token t;

	if (token_parse(json, &t, &why)) {
		result(false, what, why.text);
		return;
	}
	text = token_format(&t);
	result(text && !strcmp(text, want), what, text);
	free(text);
	token_free(&t);
}

/* @from replaced by @to in a good token. */
static char *changed(const char *from, const char *to)
{
	const char *at = strstr(good, from);
	char *text;

	if (!at)
		return NULL;
	text = malloc(sizeof(good) + strlen(to));
	if (!text)
		abort();
	sprintf(text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
	return text;
}

static const struct {
	const char *from;
	const char *to;
	const char *says;
} bad[] = {
	{ "\"dm-sse\",", "\"luks2-keyring\",", "'type' isn't dm-sse" },
	{ "\"type\":\"dm-sse\",", "", "'type' is missing" },
	{ "\"type\":\"dm-sse\"", "\"type\":1", "'type' is of type int" },
	{ "version\":1", "version\":2", "is of version 2; this ssesetup knows version 1" },
	{ "version\":1", "version\":0", "is of version 0" },
	{ "version\":1", "version\":99999999999999999999", "is of version" },
	{ "version\":1", "version\":\"1\"", "'dm-sse-version' is of type string; int is right" },
	{ "version\":1", "version\":1.0", "'dm-sse-version' is of type double" },
	{ "\"dm-sse-version\":1,", "", "'dm-sse-version' is missing" },
	{ "[\"0\"]", "[\"0\",\"1\"]", "has 2 keyslots; a secret opens one" },
	{ "[\"0\"]", "[0]", "isn't an array of strings" },
	{ "[\"0\"]", "[\"32\"]", "has no number from 0 to 31" },
	{ "[\"0\"]", "[\"-1\"]", "has no number from 0 to 31" },
	{ "[\"0\"]", "[\" 1\"]", "has no number from 0 to 31" },
	{ "[\"0\"]", "[\"01\"]", "has no number from 0 to 31" },
	{ "[\"0\"]", "[\"\"]", "has no number from 0 to 31" },
	{ "[\"0\"]", "[\"1x\"]", "has no number from 0 to 31" },
	{ "[\"0\"]", "[\"4294967296\"]", "has no number from 0 to 31" },
	{ "[\"0\"]", "\"0\"", "'keyslots' is of type string" },
	{ "[\"0\"],", "[],\"pending-keyslot\":32,", "'pending-keyslot' isn't a number" },
	{ "[\"0\"],", "[],\"pending-keyslot\":-1,", "'pending-keyslot' isn't a number" },
	{ "[\"0\"],", "[],\"pending-keyslot\":\"1\",", "'pending-keyslot' is of type string" },
	{ "\"single\"", "\"middle\"", "'layer' is 'middle'; single, inner or outer" },
	{ "\"single\"", "null", "'layer' is of type null" },
	{ "\"prod\"", "\"../../etc/shadow\"", "which no disk encryption set is called" },
	{ "\"prod\"", "\".prod\"", "which no disk encryption set is called" },
	{ "\"prod\"", "\"\"", "'des' is empty" },
	{ "\"prod\"", "\"pr\\u0000od\"", "'des' has a control character" },
	{ "\"prod\"", "\"0123456789012345678901234567890123456789012345678901234567890123\"",
	  "'des' has 64 bytes; at most 63 are right" },
	{ "-4ed1", "-4ED1", "'des-id' is" },
	{ "2f0f7f1f2a3b", "2f0f7f1f2a3", "a UUID in lower case is right" },
	{ "2f0f7f1f2a3b", "2f0f7f1f2a3bc", "'des-id' has 37 bytes" },
	{ "Ada", "A\\u001b[2Jda", "'owner' has a control character" },
	{ "Ada", "A\\u009bda", "'owner' has a control character" },
	{ "Ada", "A\\nda", "'owner' has a control character" },
	{ "true", "1", "'customer' is of type int; boolean is right" },
	{ "true", "\"true\"", "'customer' is of type string" },
	{ "\"kek\":{", "\"kek\":[{", "isn't JSON" },
	{ "\"kek\"", "\"keks\"", "'kek' is missing" },
	{ "\"uri\"", "\"url\"", "'kek.uri' is missing" },
	{ "\"3\"", "3", "'kek.version' is of type int; string is right" },
	{ "\"3\"", "\"\"", "'kek.version' is empty" },
	{ "\"fingerprint\"", "\"print\"", "'kek.fingerprint' is missing" },
	{ "RSA-OAEP-256", "RSA1_5", "'wrapping' is 'RSA1_5', which this ssesetup doesn't know" },
	{ "3q2+7w==", "3q2+7w=", "'wrapped' isn't base64" },
	{ "3q2+7w==", "3q2+7w", "'wrapped' isn't base64" },
	{ "3q2+7w==", "3q2+7x==", "'wrapped' isn't base64" },
	{ "3q2+7w==", "3q2 7w==", "'wrapped' isn't base64" },
	{ "3q2+7w==", "3q2-7w==", "'wrapped' isn't base64" },
	{ "3q2+7w==", "====", "'wrapped' isn't base64" },
	{ "3q2+7w==", "7w==3q2+", "'wrapped' isn't base64" },
	{ "3q2+7w==", "", "'wrapped' is empty" },
	{ CHECK, "AAECAw==", "'check' has 4 bytes; 32 are right" },
	{ CHECK, CHECK "AAAA", "'check' isn't base64" },
	{ "2021-03-01T12:00:00Z", "2021-03-01T12:00:00", "'created' is" },
	{ "2021-03-01T12:00:00Z", "2021-03-01 12:00:00Z", "'created' is" },
	{ "2021-03-01T12:00:00Z", "2021-03-01T12:00:00Z\"}{\"", "isn't JSON" },
	{ "2021-03-01T12:00:00Z\"}", "2021-03-01T12:00:00Z\"", "isn't JSON" },
	{ "2021-03-01T12:00:00Z\"}", "2021-03-01T12:00:00Z\",}", "isn't JSON" },
	{ "Ada", "\xff\xfe", "isn't JSON" },
	{ "true", "[[[[[[[[[[1]]]]]]]]]]", "isn't JSON" },
};

static void check_bad(const char *from, const char *to, const char *says)
{
	struct reason why = { .rc = 0 };
	char *json = changed(from, to);
	struct token t;
	char what[200];
	int rc;

	snprintf(what, sizeof(what), "refused: %s", says);
	if (!json) {
		result(false, what, "the test has no such text");
		return;
	}
	rc = token_parse(json, &t, &why);
	result(rc == RC_DEVICE && why.rc == rc && strstr(why.text, says) && !t.unknown, what,
	       rc ? why.text : json);
	if (!rc)
		token_free(&t);
	free(json);
}

static void check_other_texts(void)
{
	static const char * const texts[] = { "", "{}", "[]", "null", "1", "\"dm-sse\"", "{" };
	struct reason why;
	struct token t;
	char *huge;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		result(token_parse(texts[i], &t, &why) == RC_DEVICE, "refused: no token at all",
		       texts[i]);
	huge = malloc(TOKEN_TEXT_MAX + sizeof(good));
	if (!huge)
		abort();
	memset(huge, ' ', TOKEN_TEXT_MAX);
	strcpy(huge + TOKEN_TEXT_MAX, good);
	result(token_parse(huge, &t, &why) == RC_DEVICE && strstr(why.text, "at most 4095"),
	       "refused: too large", why.text);
	free(huge);
}

static void fill(char *text, size_t size, char c)
{
	memset(text, c, size - 1);
	text[size - 1] = '\0';
}

/* Whatever a set is called and however long its key's name is, the token fits. */
static void check_largest(void)
{
	struct reason why;
	struct token t, again;
	char *text;

	token_parse(good, &t, &why);
	fill(t.des, sizeof(t.des), 'd');
	fill(t.owner, sizeof(t.owner), '"');
	fill(t.kek_uri, sizeof(t.kek_uri), 'u');
	fill(t.kek_version, sizeof(t.kek_version), 'v');
	fill(t.kek_fingerprint, sizeof(t.kek_fingerprint), 'f');
	memset(t.wrapped, 0xff, sizeof(t.wrapped));
	t.wrapped_size = sizeof(t.wrapped);
	t.keyslot = 31;
	t.pending_keyslot = 30;
	text = token_format(&t);
	result(text && strlen(text) < TOKEN_TEXT_MAX, "the largest token has room to spare", text);
	result(text && !token_parse(text, &again, &why) && again.wrapped_size == KEK_WRAPPED_MAX &&
	       again.pending_keyslot == 30 && strlen(again.kek_uri) == sizeof(t.kek_uri) - 1,
	       "... and comes back", why.text);
	free(text);
	token_free(&t);
	token_free(&again);
}

static void check_base64(void)
{
	/* RFC 4648, section 10. */
	static const char * const vectors[][2] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
	};
	unsigned char bytes[8];
	char text[16];
	size_t i, size;

	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const char *plain = vectors[i][0];

		base64_encode((const unsigned char *)plain, strlen(plain), text);
		result(!strcmp(text, vectors[i][1]), "base64 to text", text);
		result(base64_decode(vectors[i][1], bytes, sizeof(bytes), &size) &&
		       size == strlen(plain) && !memcmp(bytes, plain, size),
		       "base64 from text", vectors[i][1]);
	}
	result(!base64_decode("Zm9vYmFy", bytes, 5, &size), "base64 beyond its room", NULL);
	result(base64_decode("Zm9vYmFy", bytes, 6, &size), "base64 in exactly its room", NULL);
}

int main(void)
{
	const char *with_unknown =
		HEAD "\"shiny\":{\"a\":[1,2.5,null]}," REST;
	char *in_kek = changed("00ff\"}", "00ff\",\"hsm\":\"x\"},\"new\":false");
	char *end_of_kek = changed("00ff\"},", "00ff\",\"hsm\":\"x\"},");
	size_t i;

	printf("TAP version 13\n");
	check_base64();
	check_fields();
	check_round_trip("a token comes back", good, good);
	check_round_trip("no keyslot yet, one pending",
		"{\"type\":\"dm-sse\",\"keyslots\":[],\"pending-keyslot\":7," REST,
		"{\"type\":\"dm-sse\",\"keyslots\":[],\"pending-keyslot\":7," REST);
	check_round_trip("order and space of the text don't matter",
		"{ \"keyslots\" : [ \"0\" ] ,\n\"type\":\"dm-sse\"," REST, good);
	if (in_kek && end_of_kek && strlen(in_kek) > 2) {
		/* What is unknown comes behind what is known. */
		char *want = malloc(strlen(end_of_kek) + 64);

		if (!want)
			abort();
		sprintf(want, "%.*s,\"new\":false}", (int)strlen(end_of_kek) - 1, end_of_kek);
		check_round_trip("unknown fields are kept, those of the key as well", in_kek, want);
		sprintf(want, "%.*s,\"shiny\":{\"a\":[1,2.5,null]}}", (int)strlen(good) - 1, good);
		check_round_trip("... and with values of any type", with_unknown, want);
		free(want);
	}
	free(in_kek);
	free(end_of_kek);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_bad(bad[i].from, bad[i].to, bad[i].says);
	check_other_texts();
	check_largest();
	printf("1..%u\n", nr);
	return failed != 0;
}
