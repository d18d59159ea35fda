// SPDX-License-Identifier: GPL-2.0-only
/*
 * LUKS2 headers, with stock cryptsetup as the other opinion. KTAP.
 *
 *	test_meta DIRECTORY
 *		on regular files, in an empty directory; needs neither
 *		device-mapper nor root
 *	test_meta DIRECTORY DEVICE
 *		what needs the kernel: on a block device of 8 MiB, which is
 *		overwritten, and while it is in use
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "meta.h"
#include "meta_segment.h"

#define MIB	(1024 * 1024)

static unsigned int nr, failed;
static struct reason why;

static void result(bool ok, const char *what)
{
	printf("%sok %u - %s\n", ok ? "" : "not ", ++nr, what);
	if (!ok) {
		printf("# reason: %d %s\n", why.rc, why.text);
		failed++;
	}
	why.text[0] = '\0';
}

/* Exit code of a command of the shell's. */
static int PRINTF(1, 2) sh(const char *fmt, ...)
{
	char command[1024];
	va_list ap;
	int status;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	fflush(stdout);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static struct secmem *random_bytes(size_t size)
{
	struct secmem *sm = secmem_new(size);
	int fd = open("/dev/urandom", O_RDONLY);

	if (!sm || fd < 0 || read(fd, secmem_data(sm), size) != (ssize_t)size)
		abort();
	close(fd);
	return sm;
}

static void write_file(const char *path, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || close(fd))
		abort();
}

static void write_at(const char *path, off_t offset, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || pwrite(fd, bytes, size, offset) != (ssize_t)size || close(fd))
		abort();
}

static void zero_at(const char *path, off_t offset)
{
	static const char zeros[4096];

	write_at(path, offset, zeros, sizeof(zeros));
}

/* Swap space, as far as libblkid looks. */
static void write_swap(const char *path)
{
	write_at(path, 1024, "\1\0\0\0\7\0\0\0", 8);
	write_at(path, 4086, "SWAPSPACE2", 10);
}

static void make_image(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || ftruncate(fd, 8 * MIB) || close(fd))
		abort();
}

static struct meta *load(const char *image)
{
	struct meta *m = NULL;
	bool found;

	return meta_load(&m, image, NULL, &found, &why) ? NULL : m;
}

static bool same_bytes(struct secmem *a, struct secmem *b, size_t size)
{
	return a && b && !memcmp(secmem_data(a), secmem_data(b), size);
}

static bool opens(struct meta *m, int slot, struct secmem *secret, struct secmem *volume_key,
		  size_t size)
{
	SECMEM_AUTO found = NULL;
	size_t found_size = 0;

	return !meta_slot_open(m, slot, secret, SLOT_SECRET_SIZE, &found, &found_size, &why) &&
	       found_size == size && same_bytes(found, volume_key, size);
}

static const struct meta_format xts = {
	.cipher = "aes-xts-plain64", .key_bytes = 64, .sector_size = 4096, .label = "a label",
};

/* A disk with one secret in keyslot 0, whose key file is IMAGE.key. */
struct disk {
	const char *image;
	struct meta *m;
	struct secmem *volume_key;
	size_t size;
	struct secmem *secret;
};

static void make_disk_of(struct disk *d, const char *image, const struct meta_format *f)
{
	char key_file[64];
	int used = -1;

	memset(d, 0, sizeof(*d));
	d->image = image;
	d->secret = random_bytes(SLOT_SECRET_SIZE);
	make_image(image);
	if (meta_format(&d->m, image, NULL, f, &why) ||
	    meta_new_volume_key(d->m, &d->volume_key, &d->size, &why) ||
	    meta_slot_add(d->m, -1, d->volume_key, d->size, d->secret, SLOT_SECRET_SIZE, &used,
			  &why) || used != 0) {
		printf("Bail out! %s: %s\n", image, why.text);
		exit(1);
	}
	snprintf(key_file, sizeof(key_file), "%s.key", image);
	write_file(key_file, secmem_data(d->secret), SLOT_SECRET_SIZE);
}

static void make_disk(struct disk *d, const char *image)
{
	make_disk_of(d, image, &xts);
}

static void free_disk(struct disk *d)
{
	meta_free(&d->m);
	secmem_free(&d->volume_key);
	secmem_free(&d->secret);
}

static bool reload(struct disk *d)
{
	meta_free(&d->m);
	d->m = load(d->image);
	return d->m;
}

static void fill_token(struct token *t, int keyslot)
{
	token_init(t);
	t->keyslot = keyslot;
	strcpy(t->des, "prod");
	strcpy(t->des_id, "6f9a1a52-4ed1-4a3b-8f0e-2f0f7f1f2a3b");
	strcpy(t->kek_uri, "file:/etc/keys");
	strcpy(t->kek_version, "1");
	strcpy(t->kek_fingerprint, "sha256:00");
	strcpy(t->created, "2021-03-01T12:00:00Z");
	t->wrapping = KEK_RSA_OAEP_256;
	t->wrapped_size = 384;
	memset(t->wrapped, 0xab, t->wrapped_size);
}

static unsigned int tokens_of(struct meta *m)
{
	struct token *list = NULL;
	size_t n = 0;

	if (meta_tokens(m, &list, &n, &why))
		return 99;
	meta_tokens_free(list, n);
	return (unsigned int)n;
}

static void test_format(void)
{
	SECMEM_AUTO wrong = random_bytes(SLOT_SECRET_SIZE);
	SECMEM_AUTO key = NULL;
	struct meta_segment s;
	struct disk d;
	size_t size;

	make_disk(&d, "a.img");
	result(d.size == 64, "the volume key is as long as the cipher wants it");
	result(!meta_segment(d.m, &s, &why) && !strcmp(s.cipher, "aes-xts-plain64") &&
	       s.key_bytes == 64 && s.sector_size == 4096 && s.offset == META_HEADER_SECTORS &&
	       s.size == 0 && s.iv_offset == 0, "the segment of a new disk");
	result(reload(&d) && !meta_segment(d.m, &s, &why) && s.key_bytes == 64,
	       "... and as it is read from disk");
	result(meta_uuid(d.m) && strlen(meta_uuid(d.m)) == UUID_TEXT_SIZE - 1, "its UUID");
	result(meta_slot_in_use(d.m, 0) && !meta_slot_in_use(d.m, 1) && meta_slot_free(d.m) == 1,
	       "its keyslots");
	result(opens(d.m, 0, d.secret, d.volume_key, d.size), "its secret opens its keyslot");
	result(opens(d.m, -1, d.secret, d.volume_key, d.size), "... when nobody says which");
	result(meta_slot_open(d.m, 0, wrong, SLOT_SECRET_SIZE, &key, &size, &why) == RC_PERM &&
	       strstr(why.text, "does not open keyslot 0"), "a wrong secret doesn't");
	result(meta_slot_open(d.m, -1, wrong, SLOT_SECRET_SIZE, &key, &size, &why) == RC_PERM &&
	       strstr(why.text, "opens no keyslot"), "... nor any other keyslot");
	result(meta_slot_open(d.m, 3, d.secret, SLOT_SECRET_SIZE, &key, &size, &why) == RC_DEVICE,
	       "a keyslot that isn't there");
	result(meta_slot_destroy(d.m, 3, &why) == RC_DEVICE, "... can't be destroyed");
	result(meta_new_volume_key(d.m, &key, &size, &why) == RC_DEVICE && !key,
	       "a header that was loaded gives no volume key away");

	result(sh("cryptsetup open --test-passphrase --key-file a.img.key a.img") == 0,
	       "stock cryptsetup opens it with the secret");
	result(sh("cryptsetup luksDump a.img >dump") == 0 &&
	       sh("grep -q 'offset: 2097152 .bytes.' dump") == 0 &&
	       sh("grep -q 'sector: 4096 .bytes.' dump") == 0 &&
	       sh("grep -q 'Label:.*a label' dump") == 0 &&
	       sh("test $(grep -c 'Iterations: 1000$' dump) = 2") == 0,
	       "stock cryptsetup shows what was asked for, and no stretching");
	result(sh("cryptsetup luksDump -q --dump-volume-key --volume-key-file a.vk "
		  "--key-file a.img.key a.img >/dev/null") == 0,
	       "stock cryptsetup finds a volume key");
	write_file("a.vk2", secmem_data(d.volume_key), d.size);
	result(sh("cmp a.vk a.vk2") == 0, "... the same");
	free_disk(&d);
}

static void test_wrong_formats(void)
{
	struct meta_format f = xts;
	struct meta *m = NULL;

	make_image("w.img");
	f.cipher = "aes";
	result(meta_format(&m, "w.img", NULL, &f, &why) == RC_PARAM && !m, "a cipher without a mode");
	f.cipher = "nonsense-xts-plain64";
	result(meta_format(&m, "w.img", NULL, &f, &why) != RC_OK && !m, "a cipher that isn't there");
	f = xts;
	f.uuid = "not-a-uuid";
	result(meta_format(&m, "w.img", NULL, &f, &why) == RC_DEVICE && !m, "a UUID that is none");
	f = xts;
	f.sector_size = 1000;
	result(meta_format(&m, "w.img", NULL, &f, &why) == RC_DEVICE && !m &&
	       strstr(why.text, "sector size"), "a sector size that is none");
	result(meta_format(&m, "missing.img", NULL, &xts, &why) == RC_DEVICE && !m,
	       "a device that isn't there");
	if (truncate("w.img", 8 * MIB + 512))
		abort();
	result(meta_format(&m, "w.img", NULL, &xts, &why) == RC_DEVICE && !m &&
	       strstr(why.text, "not aligned"), "a size that isn't one of sectors");
	result(meta_format(&m, "w.img", "w.hdr", &f, &why) != RC_OK && access("w.hdr", F_OK),
	       "no header file is left of a format that failed");
}

static unsigned int fill_slots(struct disk *d)
{
	SECMEM_AUTO secret = random_bytes(SLOT_SECRET_SIZE);
	unsigned int n = 1;
	int used;

	while (n < 40 && !meta_slot_add(d->m, -1, d->volume_key, d->size, secret,
					SLOT_SECRET_SIZE, &used, &why))
		n++;
	return n;
}

static void test_room(void)
{
	struct meta_format essiv = {
		.cipher = "aes-cbc-essiv:sha256", .key_bytes = 32, .sector_size = 4096,
	};
	struct meta_segment s;
	struct disk d;

	make_disk(&d, "room.img");
	result(fill_slots(&d) == 7 && strstr(why.text, "No keyslot could be added"),
	       "7 keyslots of a 512-bit key fit");
	result(opens(d.m, 0, d.secret, d.volume_key,
	       d.size), "the 8th is refused, and harms nothing");
	free_disk(&d);

	make_disk_of(&d, "essiv.img", &essiv);
	result(!meta_segment(d.m, &s, &why) && !strcmp(s.cipher, "aes-cbc-essiv:sha256") &&
	       s.key_bytes == 32, "aes-cbc-essiv:sha256");
	result(fill_slots(&d) == 15, "15 keyslots of a 256-bit key fit");
	result(sh("cryptsetup open --test-passphrase --key-file essiv.img.key essiv.img") == 0,
	       "... and stock cryptsetup opens it");
	result(sh("cryptsetup luksDump essiv.img | grep -A5 '^  0: luks2' >slot") == 0 &&
	       sh("grep -q 'Cipher: *aes-xts-plain64$' slot") == 0 &&
	       sh("grep -q 'Cipher key: 512 bits$' slot") == 0,
	       "... whose keyslots are AES-XTS all the same");
	free_disk(&d);
}

static void test_slots(void)
{
	SECMEM_AUTO other_key = random_bytes(64);
	struct disk d;
	int used = -1;

	make_disk(&d, "slots.img");
	result(!meta_slot_add(d.m, 5, d.volume_key, d.size, d.secret, SLOT_SECRET_SIZE, &used,
			      &why) && used == 5, "a keyslot of a number that was asked for");
	result(meta_slot_add(d.m, 5, d.volume_key, d.size, d.secret, SLOT_SECRET_SIZE, &used,
			     &why) == RC_BUSY, "... isn't given twice");
	result(meta_slot_add(d.m, -1, other_key, 64, d.secret, SLOT_SECRET_SIZE, &used, &why) ==
	       RC_PERM, "a keyslot with another volume key is refused");
	result(opens(d.m, 5, d.secret, d.volume_key, d.size), "... and harms nothing");
	result(!meta_slot_destroy(d.m, 0, &why) && !meta_slot_in_use(d.m, 0) && reload(&d) &&
	       !meta_slot_in_use(d.m, 0) && opens(d.m, -1, d.secret, d.volume_key, d.size),
	       "a keyslot is destroyed");
	free_disk(&d);
}

static void test_passphrase(void)
{
	SECMEM_AUTO passphrase = secmem_new(32);
	const char *text = "correct horse battery staple";
	struct disk d;
	int used = -1;

	make_disk(&d, "pass.img");
	memcpy(secmem_data(passphrase), text, strlen(text));
	result(!meta_slot_add_passphrase(d.m, -1, d.volume_key, d.size, passphrase, strlen(text),
					 &used, &why) && used == 1, "a keyslot for a passphrase");
	result(sh("cryptsetup luksDump pass.img | grep -A6 '^  1: luks2' | grep -q 'PBKDF: *%s$'",
		  sh("grep -qs 1 /proc/sys/crypto/fips_enabled") ? "argon2id" : "pbkdf2") == 0,
	       "... is stretched");
	result(sh("printf '%s' | cryptsetup open --test-passphrase --key-slot 1 --key-file - pass.img",
		  text) == 0, "... and stock cryptsetup opens it");
	result(!meta_slot_add(d.m, -1, d.volume_key, d.size, d.secret, SLOT_SECRET_SIZE, &used,
			      &why) &&
	       sh("cryptsetup luksDump pass.img | grep -A6 '^  2: luks2' | "
		  "grep -q 'PBKDF: *pbkdf2$'") == 0,
	       "the next secret is not");
	free_disk(&d);
}

static void test_tokens(void)
{
	struct token t, other, *list = NULL;
	struct disk d;
	size_t n = 0;

	make_disk(&d, "token.img");
	result(tokens_of(d.m) == 0, "no token yet");
	fill_token(&t, 0);
	result(!meta_token_set(d.m, &t, &why) && t.id == 0, "a token is stored");
	fill_token(&other, -1);
	other.pending_keyslot = 4;
	strcpy(other.created, "2021-03-01T12:00:01Z");
	result(!meta_token_set(d.m, &other, &why) && other.id == 1, "a second one");
	result(reload(&d) && !meta_tokens(d.m, &list, &n, &why) && n == 2 && list[0].id == 1 &&
	       list[0].pending_keyslot == 4 && list[0].keyslot == -1 && list[1].id == 0 &&
	       list[1].keyslot == 0 && list[1].wrapped_size == 384 && !strcmp(list[1].des, "prod"),
	       "they come back, the newest first");
	meta_tokens_free(list, n);

	strcpy(t.kek_version, "2");
	result(!meta_token_set(d.m, &t, &why) && t.id == 0 && reload(&d) && tokens_of(d.m) == 2 &&
	       sh("cryptsetup token export --token-id 0 token.img | grep -q '\"version\":\"2\"'") == 0,
	       "a token is replaced; stock cryptsetup exports it");
	other.keyslot = 4;
	result(meta_token_set(d.m, &other, &why) == RC_PARAM && strstr(why.text, "Keyslot 4"),
	       "a token for a keyslot that isn't there");
	result(!meta_token_remove(d.m, 1, &why) && reload(&d) && tokens_of(d.m) == 1,
	       "a token is removed");
	result(meta_token_remove(d.m, 1, &why) == RC_PARAM, "... just once");
	result(sh("cryptsetup luksDump token.img | grep -q '^  0: dm-sse'") == 0,
	       "stock cryptsetup shows it");
	result(!meta_dump(d.m, &why), "a listing");
	token_free(&t);
	free_disk(&d);
}

static void test_stock_changes(void)
{
	struct token t, *list = NULL;
	struct disk d;
	size_t n = 0;

	make_disk(&d, "stock.img");
	fill_token(&t, 0);
	meta_token_set(d.m, &t, &why);
	write_file("stock.pass", "words", 5);
	result(sh("cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "
		  "--key-file stock.img.key stock.img stock.pass") == 0 &&
	       reload(&d) && tokens_of(d.m) == 1 && opens(d.m, 0, d.secret, d.volume_key, d.size),
	       "stock luksAddKey leaves token and keyslot");
	result(sh("cryptsetup open --test-passphrase --key-file stock.pass stock.img") == 0,
	       "... and its passphrase opens");
	result(sh("cryptsetup luksKillSlot -q stock.img 1") == 0 && reload(&d) &&
	       tokens_of(d.m) == 1 && opens(d.m, 0, d.secret, d.volume_key, d.size),
	       "stock luksKillSlot of another keyslot leaves ours");
	result(sh("cryptsetup config --priority prefer --key-slot 0 stock.img") == 0 &&
	       sh("cryptsetup luksUUID -q --uuid 11111111-2222-4333-8444-555555555555 stock.img") == 0 &&
	       reload(&d) && tokens_of(d.m) == 1 &&
	       !strcmp(meta_uuid(d.m), "11111111-2222-4333-8444-555555555555"),
	       "stock config and luksUUID leave the token");
	result(sh("cryptsetup convert -q --type luks1 stock.img 2>/dev/null") != 0 && reload(&d) &&
	       tokens_of(d.m) == 1, "stock convert to LUKS1 is refused");
	result(sh("cryptsetup luksKillSlot -q stock.img 0") == 0 && reload(&d) &&
	       !meta_tokens(d.m, &list, &n, &why) && n == 1 && list[0].keyslot == -1,
	       "stock luksKillSlot of ours leaves a token without a keyslot");
	meta_tokens_free(list, n);
	free_disk(&d);
}

static void test_rotations(void)
{
	SECMEM_AUTO secret = NULL;
	struct token old, new;
	struct disk d;
	bool ok = true;
	int i;

	make_disk(&d, "rotate.img");
	fill_token(&old, 0);
	ok = !meta_token_set(d.m, &old, &why);
	for (i = 0; i < 50 && ok; i++) {
		secmem_free(&secret);
		secret = random_bytes(SLOT_SECRET_SIZE);
		fill_token(&new, -1);
		new.pending_keyslot = meta_slot_free(d.m);
		ok = new.pending_keyslot < 2 && !meta_token_set(d.m, &new, &why) &&
		     !meta_slot_add(d.m, new.pending_keyslot, d.volume_key, d.size, secret,
				    SLOT_SECRET_SIZE, &new.keyslot, &why);
		new.pending_keyslot = -1;
		ok = ok && !meta_token_set(d.m, &new, &why) &&
		     opens(d.m, new.keyslot, secret, d.volume_key, d.size) &&
		     !meta_slot_destroy(d.m, old.keyslot, &why) &&
		     !meta_token_remove(d.m, old.id, &why);
		old = new;
	}
	result(ok && i == 50, "50 rotations take two keyslots and two tokens");
	result(reload(&d) && tokens_of(d.m) == 1 && opens(d.m, -1, secret, d.volume_key, d.size),
	       "the last secret opens");
	result(!opens(d.m, -1, d.secret, d.volume_key, d.size) && why.rc == RC_PERM,
	       "the first doesn't any more");
	free_disk(&d);
}

/* Two handles on one header, as two processes have them. */
static void test_concurrent_change(void)
{
	struct token t, late;
	struct disk d;
	struct meta *second;

	make_disk(&d, "two.img");
	second = load("two.img");
	fill_token(&t, 0);
	fill_token(&late, 0);
	strcpy(late.des, "late");
	result(second && !meta_token_set(d.m, &t, &why), "a token by one of two");
	result(meta_token_set(second, &late, &why) != RC_OK && strstr(why.text, "concurrent"),
	       "the other one's is refused, its header is an old one");
	result(tokens_of(second) == 1 && !meta_token_set(second, &late, &why) && late.id == 1,
	       "... which has been loaded anew, and now it works");
	meta_free(&second);
	free_disk(&d);
}

/* A token that replaces one and doesn't fit must not take the old one with it. */
static void test_full(void)
{
	struct token t, *list = NULL;
	struct disk d;
	size_t n = 0;
	int i, rc = RC_OK;

	make_disk(&d, "full.img");
	fill_token(&t, 0);
	meta_token_set(d.m, &t, &why);
	for (i = 0; i < 31 && !rc; i++) {
		struct token filler;

		fill_token(&filler, -1);
		memset(filler.kek_uri, 'u', sizeof(filler.kek_uri) - 1);
		rc = meta_token_set(d.m, &filler, &why);
	}
	result(rc == RC_DEVICE && i >= 8 && strstr(why.text, "no room for another token"),
	       "a header is full at last, but has room for 8 large tokens");
	memset(t.kek_uri, 'v', sizeof(t.kek_uri) - 1);
	t.wrapped_size = KEK_WRAPPED_MAX;
	memset(t.owner, '"', sizeof(t.owner) - 1);
	result(meta_token_set(d.m, &t, &why) == RC_DEVICE, "a token can't grow there");
	result(!meta_slot_destroy(d.m, 0, &why), "... another change is made");
	result(reload(&d) && !meta_tokens(d.m, &list, &n, &why) && n == (size_t)i &&
	       list[n - 1].id == 0 && !strcmp(list[n - 1].kek_uri, "file:/etc/keys"),
	       "... and the token is as it was");
	meta_tokens_free(list, n);
	free_disk(&d);
}

static void test_damage(void)
{
	struct meta *m = NULL;
	struct token t;
	struct disk d;
	bool found;

	make_disk(&d, "damage.img");
	fill_token(&t, 0);
	meta_token_set(d.m, &t, &why);
	zero_at("damage.img", 0);
	result(reload(&d) && tokens_of(d.m) == 1 && opens(d.m, 0, d.secret, d.volume_key, d.size),
	       "the first copy is gone: the second serves");
	result(sh("head -c 6 damage.img | grep -q LUKS") == 0, "... and was copied back");
	zero_at("damage.img", 32768);
	result(reload(&d) && tokens_of(d.m) == 1 && opens(d.m, 0, d.secret, d.volume_key, d.size),
	       "the second copy is gone: the first serves");
	write_at("damage.img", 4096 + 10, "\"]{", 3);
	result(reload(&d) && tokens_of(d.m) == 1, "JSON of the first copy is garbage: the second serves");
	/* Half a write: the header's checksum no longer fits. */
	write_at("damage.img", 4096 + 10, "\"]{", 3);
	write_at("damage.img", 32768 + 4096 + 10, "\"]{", 3);
	result(meta_load(&m, "damage.img", NULL, &found, &why) == RC_DEVICE && found &&
	       strstr(why.text, "damaged") && strstr(why.text, "header restore"),
	       "both are garbage: refused, as damaged");
	result(meta_repair("damage.img", NULL, &why) == RC_DEVICE &&
	       strstr(why.text, "No copy"), "... and beyond repair");
	zero_at("damage.img", 0);
	zero_at("damage.img", 32768);
	result(meta_load(&m, "damage.img", NULL, &found, &why) == RC_DEVICE && !found &&
	       strstr(why.text, "no LUKS2 header"), "both are gone: no header is found");
	result(meta_repair("damage.img", NULL, &why) == RC_DEVICE &&
	       strstr(why.text, "nothing of a LUKS2 header"), "... nothing to repair");
	result(meta_load(&m, "missing.img", NULL, &found, &why) == RC_DEVICE && !found,
	       "no device at all");
	free_disk(&d);

	make_disk(&d, "damage.img");
	zero_at("damage.img", 0);
	/* libcryptsetup won't choose between the two. */
	write_swap("damage.img");
	meta_free(&d.m);
	result(meta_load(&m, "damage.img", NULL, &found, &why) == RC_DEVICE && found &&
	       strstr(why.text, "ssesetup repair"), "a copy that is whole, and swap: says so");
	result(!meta_repair("damage.img", NULL, &why) && reload(&d) && opens(d.m, 0, d.secret,
	       d.volume_key, d.size), "repair takes the copy that is whole");
	free_disk(&d);

	make_image("luks1.img");
	result(sh("cryptsetup luksFormat -q --type luks1 --pbkdf-force-iterations 1000 luks1.img "
		  "stock.pass") == 0 &&
	       meta_load(&m, "luks1.img", NULL, &found, &why) == RC_DEVICE && found &&
	       strstr(why.text, "cryptsetup convert"), "LUKS1: says how to convert it");
}

static void import(const char *image, const char *json)
{
	write_file("import.json", json, strlen(json));
	result(sh("cryptsetup token import --json-file import.json %s", image) == 0,
	       "stock cryptsetup imports a token");
}

static void test_foreign_tokens(void)
{
	struct token t, *list = NULL;
	struct disk d;
	size_t n;

	make_disk(&d, "foreign.img");
	import("foreign.img", "{\"type\":\"dm-sse\",\"keyslots\":[\"0\"],\"dm-sse-version\":2}");
	result(reload(&d) && meta_tokens(d.m, &list, &n, &why) == RC_DEVICE &&
	       strstr(why.text, "Token 0 of foreign.img") && strstr(why.text, "version 2"),
	       "a token of a later version alone: refused");
	fill_token(&t, 0);
	result(!meta_token_set(d.m, &t, &why) && t.id == 1 && tokens_of(d.m) == 1,
	       "... beside one of ours: left alone");
	import("foreign.img", "{\"type\":\"dm-sse\",\"keyslots\":[],\"wrapped\":7}");
	import("foreign.img", "{\"type\":\"somebody's\",\"keyslots\":[\"0\"]}");
	import("foreign.img", "{\"type\":\"dm-sse-note\",\"keyslots\":[],\"dm-sse-version\":9}");
	result(reload(&d) && tokens_of(d.m) == 1, "garbage and tokens of others are left alone");
	result(meta_token_remove(d.m, 3, &why) == RC_PARAM, "... and not removed");
	free_disk(&d);
}

static void test_notes(void)
{
	char *json = NULL;
	struct disk d;

	make_disk(&d, "note.img");
	result(!meta_note_get(d.m, "dm-sse-copy", &json, &why) && !json, "no note yet");
	result(!meta_note_set(d.m, "dm-sse-copy", NULL, &why), "... which may be removed");
	result(!meta_note_set(d.m, "dm-sse-copy", "{\"at\":1}", &why) && reload(&d) &&
	       !meta_note_get(d.m, "dm-sse-copy", &json, &why) && json &&
	       !strcmp(json, "{\"at\":1}"), "a note comes back");
	free(json);
	json = NULL;
	result(!meta_note_set(d.m, "dm-sse-copy", "{\"at\":2}", &why) &&
	       !meta_note_get(d.m, "dm-sse-copy", &json, &why) && json &&
	       !strcmp(json, "{\"at\":2}") &&
	       sh("test $(cryptsetup luksDump note.img | grep -c dm-sse-copy) = 1") == 0,
	       "... and is replaced");
	free(json);
	json = NULL;
	result(!meta_note_set(d.m, "dm-sse-copy", NULL, &why) && reload(&d) &&
	       !meta_note_get(d.m, "dm-sse-copy", &json, &why) && !json, "... and removed");
	result(meta_note_set(d.m, "dm-sse-copy", "[1]", &why) == RC_PARAM &&
	       meta_note_set(d.m, "dm-sse-copy", "{", &why) == RC_PARAM, "notes are objects");
	result(meta_note_set(d.m, "luks2-keyring", "{}", &why) == RC_PARAM,
	       "... and no tokens of others");
	result(tokens_of(d.m) == 0, "... nor of ours");
	free_disk(&d);
}

static void test_backup(void)
{
	struct meta_format same_uuid = xts;
	struct disk d, other;
	struct stat st;
	char uuid[UUID_TEXT_SIZE];
	int used;

	make_disk(&d, "backup.img");
	result(!meta_backup("backup.img", NULL, "backup.hdr", &why) && !stat("backup.hdr", &st) &&
	       st.st_size == 2 * MIB && !(st.st_mode & 077), "a backup, root's alone");
	result(meta_backup("backup.img", NULL, "backup.hdr", &why) == RC_BUSY,
	       "... isn't overwritten");
	result(meta_backup("backup.img", NULL, "no/backup.hdr", &why) == RC_DEVICE,
	       "a directory that isn't there");

	/* What a header that is rolled back means. */
	meta_slot_add(d.m, 1, d.volume_key, d.size, d.volume_key, 32, &used, &why);
	result(!meta_slot_destroy(d.m, 0, &why) && !opens(d.m, -1, d.secret, d.volume_key, d.size),
	       "a secret is retired");
	result(!meta_restore("backup.img", NULL, "backup.hdr", &why) && reload(&d) &&
	       opens(d.m, 0, d.secret, d.volume_key, d.size) && !meta_slot_in_use(d.m, 1),
	       "... and is back with an older header, as the new one is gone");

	make_disk(&other, "other.img");
	result(meta_restore("other.img", NULL, "backup.hdr", &why) == RC_DEVICE &&
	       strstr(why.text, "another disk's header") && reload(&other) &&
	       opens(other.m, 0, other.secret, other.volume_key, other.size),
	       "another disk's header is refused");
	free_disk(&other);
	snprintf(uuid, sizeof(uuid), "%s", meta_uuid(d.m));
	same_uuid.uuid = uuid;
	make_disk_of(&other, "other.img", &same_uuid);
	result(meta_restore("other.img", NULL, "backup.hdr", &why) == RC_DEVICE &&
	       strstr(why.text, "another volume key"), "... and one of another volume key");
	result(meta_restore("backup.img", NULL, "a.img.key", &why) == RC_DEVICE &&
	       meta_restore("backup.img", NULL, "missing.hdr", &why) == RC_DEVICE,
	       "... and what is no header");
	result(meta_restore("backup.img", "lost.hdr", "a.img.key", &why) == RC_DEVICE &&
	       access("lost.hdr", F_OK), "no header file is left of a restore that failed");
	free_disk(&other);

	zero_at("backup.img", 0);
	zero_at("backup.img", 32768);
	result(!meta_restore("backup.img", NULL, "backup.hdr", &why) && reload(&d) &&
	       opens(d.m, 0, d.secret, d.volume_key, d.size), "a header that was wiped is restored");
	make_image("swap.img");
	write_swap("swap.img");
	result(meta_restore("swap.img", NULL, "backup.hdr", &why) == RC_DEVICE &&
	       strstr(why.text, "but a superblock of swap"), "what is something else is not overwritten");
	free_disk(&d);
}

static void test_detached(void)
{
	SECMEM_AUTO volume_key = NULL;
	SECMEM_AUTO secret = random_bytes(SLOT_SECRET_SIZE);
	struct meta_segment s;
	struct meta *m = NULL;
	struct stat st;
	bool found;
	size_t size;
	int used;

	make_image("data.img");
	result(!meta_format(&m, "data.img", "data.hdr", &xts, &why), "a detached header");
	if (!m)
		return;
	result(!stat("data.hdr", &st) && st.st_size == 2 * MIB && (st.st_mode & 0777) == 0600,
	       "... of 2 MiB, root's alone");
	result(sh("cmp -n %d data.img /dev/zero", 8 * MIB) == 0, "... nothing of it is on the device");
	result(!meta_new_volume_key(m, &volume_key, &size, &why) &&
	       !meta_slot_add(m, -1, volume_key, size, secret, SLOT_SECRET_SIZE, &used, &why),
	       "... has keyslots");
	meta_free(&m);
	result(!meta_load(&m, "data.img", "data.hdr", &found, &why) && found &&
	       !meta_segment(m, &s, &why) && s.offset == 0 && s.key_bytes == 64 &&
	       opens(m, -1, secret, volume_key, size), "... is loaded again, the data begin at 0");
	write_file("data.key", secmem_data(secret), SLOT_SECRET_SIZE);
	result(sh("cryptsetup open --test-passphrase --key-file data.key --header data.hdr data.img") == 0,
	       "... and stock cryptsetup opens it");
	meta_free(&m);
	result(meta_load(&m, "data.img", NULL, &found, &why) == RC_DEVICE && !found,
	       "the device alone has no header");
	result(!meta_backup("data.img", "data.hdr", "data.backup", &why) && !unlink("data.hdr") &&
	       !meta_restore("data.img", "data.hdr", "data.backup", &why) &&
	       !meta_load(&m, "data.img", "data.hdr", &found, &why) &&
	       opens(m, -1, secret, volume_key, size), "one that was lost is restored");
	meta_free(&m);
}

#define SEGMENT(type, more)							\
	"{\"type\":\"" type "\",\"offset\":\"2097152\",\"size\":\"dynamic\","	\
	"\"iv_tweak\":\"8\",\"encryption\":\"aes-xts-plain64\",\"sector_size\":4096" more "}"
#define SECTORS(size)								\
	"{\"type\":\"crypt\",\"offset\":\"0\",\"size\":\"dynamic\",\"iv_tweak\":\"0\"," \
	"\"encryption\":\"a-b-plain64\",\"sector_size\":" size "}"
#define HEADER(segments, config)	"{\"segments\":{" segments "},\"config\":{" config "}}"
#define MANDATORY(what)			"\"requirements\":{\"mandatory\":[\"" what "\"]}"

static void test_reencryption(void)
{
	struct meta_segment s;
	struct disk d;

	make_disk(&d, "reencrypt.img");
	result(sh("cryptsetup reencrypt -q --init-only --key-slot 0 --pbkdf pbkdf2 "
		  "--pbkdf-force-iterations 1000 --key-file reencrypt.img.key reencrypt.img") == 0 &&
	       reload(&d) && meta_segment(d.m, &s, &why) == RC_DEVICE &&
	       strstr(why.text, "reencrypt.img: Re-encryption is not finished"),
	       "a re-encryption that stock cryptsetup has begun");
	free_disk(&d);
}

static void test_segments(void)
{
	static const struct {
		const char *json;
		const char *says;
	} bad[] = {
		{ HEADER("\"0\":" SEGMENT("linear", ""), ""), "of type 'linear'" },
		{ HEADER("\"0\":" SEGMENT("hw-opal-crypt", ""), ""), "of type 'hw-opal-crypt'" },
		{ HEADER("\"0\":" SEGMENT("crypt", ",\"integrity\":{}"), ""), "has integrity" },
		{ HEADER("\"0\":" SEGMENT("crypt", "") ",\"1\":" SEGMENT("crypt", ""), ""),
		  "2 segments" },
		{ HEADER("", ""), "0 segments" },
		{ HEADER("\"1\":" SEGMENT("crypt", ""), ""), "1 segments" },
		{ HEADER("\"0\":" SEGMENT("crypt", ""), MANDATORY("online-reencrypt-v2")),
		  "reencrypt --resume-only" },
		{ HEADER("\"0\":" SEGMENT("crypt", ""), MANDATORY("quantum")), "requires 'quantum'" },
		{ "{}", "no segments" },
		{ "{", "isn't JSON" },
		{ HEADER("\"0\":{\"type\":\"crypt\"}", ""), "cipher is missing" },
		{ HEADER("\"0\":" SECTORS("1536"), ""), "sector_size is 1536" },
		{ HEADER("\"0\":" SECTORS("8192"), ""), "sector_size is 8192" },
		{ HEADER("\"0\":" SECTORS("0"), ""), "sector_size is 0" },
		{ HEADER("\"0\":" SECTORS("4294967808"), ""), "sector_size is 4294967808" },
		{ HEADER("\"0\":" SECTORS("\"512\""), ""), "sector_size is 512" },
	};
	const char *fixed = "{\"segments\":{\"0\":{\"type\":\"crypt\",\"offset\":\"0\","
		"\"size\":\"1048576\",\"iv_tweak\":\"0\",\"encryption\":\"a-b\",\"sector_size\":512}}}";
	struct meta_segment s;
	size_t i;

	result(!meta_segment_parse(HEADER("\"0\":" SEGMENT("crypt", ""), ""), &s, &why) &&
	       s.iv_offset == 8 && s.offset == 4096 && s.size == 0, "a segment to the device's end");
	result(!meta_segment_parse(fixed, &s, &why) && s.size == 2048 && s.sector_size == 512,
	       "a segment of a fixed size");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		result(meta_segment_parse(bad[i].json, &s, &why) == RC_DEVICE &&
		       strstr(why.text, bad[i].says), bad[i].says);
}

/* libcryptsetup tries the cipher before it formats: by AF_ALG, or device-mapper. */
static void test_adiantum(void)
{
	struct meta_format f = {
		.cipher = "xchacha12,aes-adiantum-plain64", .key_bytes = 32, .sector_size = 4096,
	};
	struct meta_segment s;
	struct disk d;

	make_disk_of(&d, "adiantum.img", &f);
	result(!meta_segment(d.m, &s, &why) && !strcmp(s.cipher, f.cipher) && s.key_bytes == 32,
	       "Adiantum");
	result(sh("cryptsetup open --test-passphrase --key-file adiantum.img.key adiantum.img") == 0,
	       "... and stock cryptsetup opens it");
	free_disk(&d);
}

/* A rotation finds disks in use. */
static void test_device_in_use(const char *device)
{
	SECMEM_AUTO volume_key = NULL;
	SECMEM_AUTO secret = random_bytes(SLOT_SECRET_SIZE);
	struct meta *m = NULL, *other = NULL;
	struct token t;
	size_t size;
	int used;

	result(!meta_format(&m, device, NULL, &xts, &why) &&
	       !meta_new_volume_key(m, &volume_key, &size, &why) &&
	       !meta_slot_add(m, -1, volume_key, size, secret, SLOT_SECRET_SIZE, &used, &why),
	       "a block device");
	if (!volume_key)
		return;
	write_file("device.key", secmem_data(secret), SLOT_SECRET_SIZE);
	result(sh("cryptsetup open --key-file device.key %s test_meta", device) == 0,
	       "... which stock cryptsetup opens");
	result(meta_format(&other, device, NULL, &xts, &why) == RC_BUSY && !other,
	       "in use, it isn't formatted");
	meta_free(&m);
	m = load(device);
	fill_token(&t, -1);
	result(m && !meta_token_set(m, &t, &why) &&
	       !meta_slot_add(m, 1, volume_key, size, secret, SLOT_SECRET_SIZE, &used, &why),
	       "... gets a token and a keyslot");
	t.keyslot = 1;
	result(m && !meta_token_set(m, &t, &why) && !meta_slot_destroy(m, 0, &why) &&
	       opens(m, -1, secret, volume_key, size), "... and loses its old one");
	result(sh("cryptsetup close test_meta") == 0 &&
	       sh("cryptsetup open --test-passphrase --key-file device.key %s", device) == 0,
	       "... and opens again");
	meta_free(&m);
}

int main(int argc, char **argv)
{
	if (argc < 2 || argc > 3 || chdir(argv[1]) || !freopen("/dev/null", "r", stdin)) {
		fprintf(stderr, "usage: test_meta DIRECTORY [DEVICE]\n");
		return 2;
	}
	printf("TAP version 13\n");
	if (argc == 3) {
		test_adiantum();
		test_device_in_use(argv[2]);
		printf("1..%u\n", nr);
		return failed != 0;
	}
	test_format();
	test_wrong_formats();
	test_room();
	test_slots();
	test_passphrase();
	test_tokens();
	test_stock_changes();
	test_rotations();
	test_concurrent_change();
	test_full();
	test_damage();
	test_foreign_tokens();
	test_notes();
	test_backup();
	test_detached();
	test_reencryption();
	test_segments();
	printf("1..%u\n", nr);
	return failed != 0;
}
