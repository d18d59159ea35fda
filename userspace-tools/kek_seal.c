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

/*
 * How a credential begins that takes a TPM to open: alone or with the key of the
 * host, and both of them with a signed policy. Base64 of 15 bytes of an id.
 */
static const char * const to_tpm[] = {
	"DHzAexF2RZGcSwvqCLwg", "k6iUCUh0RJCQyvL8k8q1",
	"+vfrk0HjQSyhpDb5Wik2", "r0lQqEkTTrGnOEYwT/MM",
};

/* The program at work. */
struct creds {
	pid_t pid;
	int in;
	int out;
	int log;	/* what it says on stderr */
};

static void exec_creds(char **argv, int in, int out, int log, pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(127);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(log, STDERR_FILENO) < 0)
		_exit(127);
	signal(SIGPIPE, SIG_DFL);
	execvp(PROGRAM, argv);
	dprintf(STDERR_FILENO, "%s: %s\n", PROGRAM, strerror(errno));
	_exit(127);
}

static int start(struct creds *c, char **argv, struct reason *why)
{
	pid_t parent = getpid();
	int in[2], out[2];

	c->log = memfd_create("log", MFD_CLOEXEC);
	if (c->log < 0)
		return reason_set(why, RC_NOMEM, "%s: %s.", PROGRAM, strerror(errno));
	if (pipe2(in, O_CLOEXEC))
		goto close_log;
	if (pipe2(out, O_CLOEXEC))
		goto close_in;
	c->pid = fork();
	if (!c->pid)
		exec_creds(argv, in[0], out[1], c->log, parent);
	if (c->pid < 0)
		goto close_out;
	close(in[0]);
	close(out[1]);
	c->in = in[1];
	c->out = out[0];
	return RC_OK;

close_out:
	close(out[0]);
	close(out[1]);
close_in:
	close(in[0]);
	close(in[1]);
close_log:
	reason_set(why, RC_NOMEM, "%s: %s.", PROGRAM, strerror(errno));
	close(c->log);
	return RC_NOMEM;
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

/* What goes in is less than a pipe holds, so it is written before anything is read. */
static int run(char **argv, const unsigned char *in, size_t in_size, unsigned char *out,
	       size_t out_max, size_t *out_size, struct reason *why)
{
	struct creds c = { .in = -1, .out = -1 };
	bool ok;
	ssize_t n;
	int rc, status;

	rc = start(&c, argv, why);
	if (rc)
		return rc;
	ok = write(c.in, in, in_size) == (ssize_t)in_size;
	close(c.in);
	for (*out_size = 0; *out_size < out_max; *out_size += (size_t)n) {
		n = read(c.out, out + *out_size, out_max - *out_size);
		if (n <= 0)
			break;
	}
	close(c.out);
	while (waitpid(c.pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!ok || status || !*out_size)
		rc = complain(&c, why);
	close(c.log);
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
