// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "diag.h"
#include "kek_seal.h"

#define PROGRAM	"systemd-creds"
#define TPM	"/dev/tpmrm0"

/* Of PROGRAM, and in front of it. */
#define ARGS_MAX	8
#define NR_STDBUF	3

/*
 * How a credential begins that takes a TPM to open: alone or with the key of the
 * host, and both of them with a signed policy. Base64 of 15 bytes of an id.
 */
static const char * const to_tpm[] = {
	"DHzAexF2RZGcSwvqCLwg", "k6iUCUh0RJCQyvL8k8q1",
	"+vfrk0HjQSyhpDb5Wik2", "r0lQqEkTTrGnOEYwT/MM",
};

/*
 * What goes to the program, or comes from it. No pipe, of which the kernel gives pages
 * away with what was in them: a file in memory, which can be locked and wiped.
 */
struct channel {
	int fd;
	unsigned char *data;
	size_t size;
};

static int channel_open(struct channel *ch, size_t size)
{
	ch->size = size;
	ch->fd = memfd_create("key", MFD_CLOEXEC);
	if (ch->fd < 0)
		return -1;
	if (ftruncate(ch->fd, (off_t)size))
		goto close_fd;
	ch->data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ch->fd, 0);
	if (ch->data == MAP_FAILED)
		goto close_fd;
	if (!mlock(ch->data, size) && !madvise(ch->data, size, MADV_DONTDUMP))
		return 0;
	munmap(ch->data, size);
close_fd:
	close(ch->fd);
	return -1;
}

static void channel_close(struct channel *ch)
{
	explicit_bzero(ch->data, ch->size);
	munmap(ch->data, ch->size);
	close(ch->fd);
}

/* The program at work. */
struct creds {
	struct channel in;
	struct channel out;
	int log;	/* what it says on stderr */
};

static void exec_creds(char **argv, const struct creds *c, pid_t parent)
{
	char stdbuf[] = "stdbuf", in[] = "-i0", out[] = "-o0";
	char *unbuffered[NR_STDBUF + ARGS_MAX + 1] = { stdbuf, in, out };
	size_t i;

	for (i = 0; i < ARGS_MAX && argv[i]; i++)
		unbuffered[NR_STDBUF + i] = argv[i];
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(127);
	if (dup2(c->in.fd, STDIN_FILENO) < 0 || dup2(c->out.fd, STDOUT_FILENO) < 0 ||
	    dup2(c->log, STDERR_FILENO) < 0)
		_exit(127);
	signal(SIGPIPE, SIG_DFL);
	/*
	 * It wipes what it reads and writes, but stdio's buffers don't: it is to have
	 * none, where there is coreutils' program that can see to it.
	 */
	execvp(unbuffered[0], unbuffered);
	execvp(PROGRAM, argv);
	dprintf(STDERR_FILENO, "%s: %s\n", PROGRAM, strerror(errno));
	_exit(127);
}

static int creds_open(struct creds *c, const unsigned char *in, size_t in_size, size_t out_max,
		      struct reason *why)
{
	c->log = memfd_create("log", MFD_CLOEXEC);
	if (c->log < 0)
		goto fail;
	if (channel_open(&c->in, in_size))
		goto close_log;
	if (channel_open(&c->out, out_max))
		goto close_in;
	memcpy(c->in.data, in, in_size);
	return RC_OK;

close_in:
	channel_close(&c->in);
close_log:
	close(c->log);
fail:
	return reason_set(why, RC_NOMEM, "%s: %s.", PROGRAM, strerror(errno));
}

static void creds_close(struct creds *c)
{
	channel_close(&c->out);
	channel_close(&c->in);
	close(c->log);
}

/* Until it has ended; @status as waitpid() has it. */
static int creds_run(const struct creds *c, char **argv, int *status, struct reason *why)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid)
		exec_creds(argv, c, parent);
	if (pid < 0)
		return reason_set(why, RC_NOMEM, "%s: %s.", PROGRAM, strerror(errno));
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			return reason_set(why, RC_PERM, "%s: %s.", PROGRAM, strerror(errno));
	return RC_OK;
}

/* Its last line is where the error is. */
static int complain(struct creds *c, struct reason *why)
{
	char text[400], *line;
	ssize_t n;
	off_t end = lseek(c->log, 0, SEEK_END);

	n = pread(c->log, text, sizeof(text) - 1, end > (off_t)sizeof(text) - 1 ?
		  end - ((off_t)sizeof(text) - 1) : 0);
	if (n < 0)
		n = 0;
	while (n && text[n - 1] == '\n')
		n--;
	text[n] = '\0';
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	return reason_set(why, RC_PERM, "%s: %s", PROGRAM, *line ? line : "failed.");
}

static int run(char **argv, const unsigned char *in, size_t in_size, unsigned char *out,
	       size_t out_max, size_t *out_size, struct reason *why)
{
	struct creds c;
	int rc, status;
	off_t end;

	rc = creds_open(&c, in, in_size, out_max, why);
	if (rc)
		return rc;
	rc = creds_run(&c, argv, &status, why);
	/* It has written from here on, by our own offset. */
	end = lseek(c.out.fd, 0, SEEK_CUR);
	*out_size = end < 0 ? 0 : (size_t)end < out_max ? (size_t)end : out_max;
	if (!rc && (status || !*out_size))
		rc = complain(&c, why);
	if (!rc)
		memcpy(out, c.out.data, *out_size);
	creds_close(&c);
	return rc;
}

static bool is_to_tpm(const unsigned char *sealed, size_t size)
{
	size_t i;

	for (i = 0; i < sizeof(to_tpm) / sizeof(to_tpm[0]); i++)
		if (size > strlen(to_tpm[i]) && !memcmp(sealed, to_tpm[i], strlen(to_tpm[i])))
			return true;
	return false;
}

int kek_unseal(const char *name, const unsigned char *sealed, size_t sealed_size,
	       struct secmem *secret, size_t size, struct reason *why)
{
	char program[] = PROGRAM, verb[] = "decrypt", dash[] = "-", option[160];
	char *argv[] = { program, option, verb, dash, dash, NULL };
	/* One byte more than is right tells what is too long. */
	SECMEM_AUTO out = secmem_new(size + 1);
	struct reason said;
	size_t got;
	int rc;

	if (!out)
		return reason_set(why, RC_NOMEM, "No locked memory for a key: %s.",
				  strerror(errno));
	snprintf(option, sizeof(option), "--name=%s", name);
	rc = run(argv, sealed, sealed_size, secmem_data(out), size + 1, &got, why);
	if (rc && is_to_tpm(sealed, sealed_size)) {
		said = *why;
		return reason_set(why, rc, "%s\nIt is sealed to a TPM%s.", said.text,
				  access(TPM, F_OK) ? ", and there is none here" :
				  ": no other opens it, nor that one once it was cleared");
	}
	if (rc)
		return rc;
	if (got != size)
		return reason_set(why, RC_PERM, "%zu bytes were sealed as %s, not %zu.", got, name,
				  size);
	memcpy(secmem_data(secret), secmem_data(out), size);
	return RC_OK;
}

static int seal_with(const char *key, const char *name, struct secmem *secret, size_t size,
		     unsigned char sealed[KEK_SEALED_MAX], size_t *sealed_size,
		     struct reason *why)
{
	char program[] = PROGRAM, verb[] = "encrypt", dash[] = "-", option[160], with[32];
	/*
	 * To the chip, not to what was booted: a new firmware must not cost the disks.
	 * Nobody measures anything into the PCR for debugging, and systemd 252 does
	 * not open what it has sealed to no PCR.
	 */
	char pcrs[] = "--tpm2-pcrs=16";
	char *argv[] = { program, option, with, pcrs, verb, dash, dash, NULL };
	SECMEM_AUTO back = secmem_new(size);
	int rc;

	if (!back)
		return reason_set(why, RC_NOMEM, "No locked memory for a key: %s.",
				  strerror(errno));
	snprintf(with, sizeof(with), "--with-key=%s", key);
	snprintf(option, sizeof(option), "--name=%s", name);
	rc = run(argv, secmem_data(secret), size, sealed, KEK_SEALED_MAX, sealed_size, why);
	if (!rc && *sealed_size == KEK_SEALED_MAX)
		rc = reason_set(why, RC_PERM, "%s: more output than a sealed key has.", PROGRAM);
	if (!rc)
		rc = kek_unseal(name, sealed, *sealed_size, back, size, why);
	if (!rc && CRYPTO_memcmp(secmem_data(back), secmem_data(secret), size))
		rc = reason_set(why, RC_PERM, "%s: another key came back than went in.", PROGRAM);
	return rc;
}

/*
 * Left to itself the program takes a TPM only where UEFI knows of one, and then
 * adds the policy of a signed kernel image, if there is a key for that.
 */
int kek_seal(const char *name, struct secmem *secret, size_t size,
	     unsigned char sealed[KEK_SEALED_MAX], size_t *sealed_size, struct reason *why)
{
	int rc = seal_with("tpm2", name, secret, size, sealed, sealed_size, why);

	if (!rc)
		return rc;
	if (!access(TPM, F_OK))
		diag_warn("The TPM does not seal %s; without it:\n%s", name, why->text);
	else
		diag_verbose("No TPM seals %s:\n%s", name, why->text);
	return seal_with("auto", name, secret, size, sealed, sealed_size, why);
}
