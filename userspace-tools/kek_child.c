// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kek_child.h"
#include "kek_pin.h"
#include "meta.h"

/* A provider that lists more is broken. */
#define VERSIONS_MAX	10000

/* For a provider to log out when it isn't needed any more, in milliseconds. */
#define FAREWELL_MS	2000

struct kek_child {
	const struct kek_config *config;
	pid_t pid;		/* 0: dead and buried */
	pid_t parent;
	int sock;
	bool timed_out;
	struct secmem *shared;
};

/* The child */

struct server {
	const struct kek_provider *provider;
	const struct kek_config *config;
	int sock;
	struct secmem *plain;
	void *session;
};

/*
 * Leaves the terminal and everything that was inherited: a module must not ask
 * anybody anything, write into our output, or keep a device open.
 */
static int isolate(int *sock, pid_t parent)
{
	static const int defaults[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD, SIGALRM,
					SIGUSR1, SIGUSR2 };
	static const struct rlimit no_core;
	sigset_t none;
	size_t i;
	int null;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		return -1;
	if (prctl(PR_SET_DUMPABLE, 0) || setrlimit(RLIMIT_CORE, &no_core))
		return -1;
	for (i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		signal(defaults[i], SIG_DFL);
	/* Of a program that it feeds. */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();

	*sock = fcntl(*sock, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (*sock < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0)
		return -1;
	/* Messages go where the parent's go; if it has no such place, nowhere. */
	if (fcntl(STDERR_FILENO, F_GETFD) < 0 && dup2(null, STDERR_FILENO) < 0)
		return -1;
	if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return -1;
	close_range(STDERR_FILENO + 1, (unsigned int)*sock - 1, 0);
	close_range((unsigned int)*sock + 1, ~0U, 0);

	/* Not without privilege; then the secrets' own pages are locked at least. */
	mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
	return 0;
}

/* What failed may have left anything there. */
static void forget_results(struct kek_reply *rp)
{
	rp->wrapping = 0;
	rp->wrapped_size = 0;
	rp->plain_size = 0;
	rp->nr_versions = 0;
}

static void handle(struct server *s, const struct kek_request *rq, struct kek_reply *rp,
		   struct kek_version **list)
{
	const struct kek_provider *p = s->provider;
	int rc = RC_OK;

	if (!s->session)
		rc = p->open(s->config, &s->session, &rp->why);
	if (rc) {
		s->session = NULL;
		rp->why.rc = rc;
		return;
	}
	switch (rq->op) {
	case KEK_OP_VERSIONS:
		rc = p->versions(s->session, list, &rp->nr_versions, &rp->why);
		break;
	case KEK_OP_WRAP:
		rp->wrapping = rq->wrapping;
		rc = p->wrap(s->session, rq->version, s->plain, rq->plain_size, &rp->wrapping,
			     rp->wrapped, &rp->wrapped_size, &rp->why);
		break;
	case KEK_OP_UNWRAP:
		rc = p->unwrap(s->session, rq->version, rq->fingerprint, rq->wrapping,
			       rq->wrapped, rq->wrapped_size, s->plain, &rp->plain_size, &rp->why);
		break;
	case KEK_OP_NEW_VERSION:
		rc = p->new_version(s->session, &rp->version, &rp->why);
		break;
	case KEK_OP_DROP_VERSIONS:
		rc = p->drop_versions(s->session, rq->version, &rp->why);
		break;
	}
	rp->why.rc = rc;
	if (rc)
		forget_results(rp);
	if (rc || rq->op == KEK_OP_WRAP)
		explicit_bzero(secmem_data(s->plain), secmem_capacity(s->plain));
}

static int answer(struct server *s, struct kek_reply *rp, const struct kek_version *list)
{
	size_t i;

	rp->pin_refused = s->config->identity &&
			  kek_pin_known_refused(s->config->uri, s->config->identity);
	if (send(s->sock, rp, sizeof(*rp), MSG_NOSIGNAL) != (ssize_t)sizeof(*rp))
		return -1;
	for (i = 0; i < rp->nr_versions; i++)
		if (send(s->sock, &list[i], sizeof(list[i]), MSG_NOSIGNAL) !=
		    (ssize_t)sizeof(list[i]))
			return -1;
	return 0;
}

static void serve(struct server *s)
{
	struct kek_version *list;
	struct kek_request rq;
	struct kek_reply rp;
	bool more = true;

	while (more && recv(s->sock, &rq, sizeof(rq), 0) == (ssize_t)sizeof(rq)) {
		memset(&rp, 0, sizeof(rp));
		list = NULL;
		handle(s, &rq, &rp, &list);
		secmem_wipe_traces();
		more = !answer(s, &rp, list);
		free(list);
	}
	if (s->session)
		s->provider->close(s->session);
	secmem_free(&s->plain);
}

static void __attribute__((noreturn)) live(struct server *s, pid_t parent)
{
	meta_forget_all();
	if (!isolate(&s->sock, parent))
		serve(s);
	_exit(0);
}

/* The parent */

int kek_child_start(struct kek_child **child, const struct kek_provider *provider,
		    const struct kek_config *config, struct reason *why)
{
	struct server server = { .provider = provider, .config = config };
	struct kek_child *c = calloc(1, sizeof(*c));
	pid_t parent = getpid();
	int socks[2];

	if (!c)
		return reason_nomem(why);
	c->shared = secmem_new_shared(KEK_PLAIN_MAX);
	if (!c->shared) {
		reason_set(why, RC_NOMEM, "No locked memory for a key: %s.", strerror(errno));
		goto free_child;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks)) {
		reason_set(why, RC_NOMEM, "No socket for a provider of keys: %s.",
			   strerror(errno));
		goto free_shared;
	}
	c->config = config;
	c->parent = parent;
	c->sock = socks[0];
	c->pid = fork();
	if (!c->pid) {
		server.plain = c->shared;
		server.sock = socks[1];
		free(c);
		live(&server, parent);
	}
	close(socks[1]);
	if (c->pid < 0) {
		reason_set(why, RC_NOMEM, "No process for a provider of keys: %s.",
			   strerror(errno));
		goto close_sock;
	}
	/* Later children have no business with it. */
	secmem_keep(c->shared);
	*child = c;
	return RC_OK;

close_sock:
	close(socks[0]);
free_shared:
	secmem_free(&c->shared);
free_child:
	free(c);
	return why->rc;
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* Waits until the child says something, or is gone: 1; 0: time is up. */
static int wait_readable(int sock, long long deadline)
{
	struct pollfd pfd = { .fd = sock, .events = POLLIN };
	long long left;
	int n;

	do {
		left = deadline - now_ms();
		n = poll(&pfd, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

/*
 * One that can't even be killed, waiting for a device, is left to init: it must
 * not hold us as well.
 */
static int bury(struct kek_child *c, long long deadline)
{
	static const struct timespec nap = { .tv_nsec = 1000000 };
	int status = 0;
	pid_t pid;

	for (;;) {
		pid = waitpid(c->pid, &status, WNOHANG);
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid || now_ms() >= deadline)
			break;
		nanosleep(&nap, NULL);
	}
	if (pid)
		c->pid = 0;
	return status;
}

static int kill_child(struct kek_child *c)
{
	kill(c->pid, SIGKILL);
	return bury(c, now_ms() + FAREWELL_MS);
}

static bool is_ours(const struct kek_child *c)
{
	return c->parent == getpid();
}

bool kek_child_alive(struct kek_child *c)
{
	if (!is_ours(c) || !c->pid)
		return false;
	bury(c, 0);
	return c->pid;
}

void kek_child_end(struct kek_child **child)
{
	struct kek_child *c = *child;

	if (!c)
		return;
	*child = NULL;
	if (!is_ours(c)) {
		/* A copy that came with a fork: the child and the memory are the parent's. */
		close(c->sock);
		secmem_disown(&c->shared);
		free(c);
		return;
	}
	shutdown(c->sock, SHUT_RDWR);
	close(c->sock);
	if (c->pid)
		bury(c, now_ms() + FAREWELL_MS);
	if (c->pid)
		kill_child(c);
	secmem_free(&c->shared);
	free(c);
}

static int gave_up(struct kek_child *c, struct reason *why)
{
	c->timed_out = true;
	kill_child(c);
	return reason_set(why, RC_PERM, "The provider of %.256s did not answer within %u s.",
			  c->config->uri, c->config->timeout);
}

static int died(struct kek_child *c, struct reason *why)
{
	/* It may have closed the socket and live on. */
	int status = bury(c, now_ms() + 100);

	if (c->pid) {
		kill_child(c);
		return reason_set(why, RC_PERM, "The provider of %.256s stopped talking.",
				  c->config->uri);
	}
	if (WIFSIGNALED(status))
		return reason_set(why, RC_PERM, "The provider of %.256s died: %s.", c->config->uri,
				  strsignal(WTERMSIG(status)));
	return reason_set(why, RC_PERM, "The provider of %.256s ended (status %d).", c->config->uri,
			  WEXITSTATUS(status));
}

static int nonsense(struct kek_child *c, struct reason *why)
{
	kill_child(c);
	return reason_set(why, RC_PERM, "The provider of %.256s gave an answer that makes no sense.",
			  c->config->uri);
}

static int receive(struct kek_child *c, void *packet, size_t size, long long deadline,
		   struct reason *why)
{
	ssize_t n;

	do {
		if (!wait_readable(c->sock, deadline))
			return gave_up(c, why);
		n = recv(c->sock, packet, size, MSG_DONTWAIT);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n <= 0)
		return died(c, why);
	if (n != (ssize_t)size)
		return nonsense(c, why);
	return RC_OK;
}

static bool ends(const char *field, size_t size)
{
	return memchr(field, '\0', size);
}

/* Something that may go to a terminal and into a header. */
static bool is_text(const char *field, size_t size)
{
	const char *c;

	if (!ends(field, size))
		return false;
	for (c = field; *c; c++)
		if (iscntrl((unsigned char)*c))
			return false;
	return true;
}

/* A reason may quote a token's label, or a file's name. */
static void make_harmless(char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text) && *text != '\n')
			*text = '?';
}

static bool version_sane(const struct kek_version *v)
{
	unsigned char can_unwrap;

	memcpy(&can_unwrap, &v->can_unwrap, sizeof(can_unwrap));
	return can_unwrap <= 1 && is_text(v->version, sizeof(v->version)) &&
	       is_text(v->fingerprint, sizeof(v->fingerprint)) &&
	       is_text(v->algorithm, sizeof(v->algorithm));
}

static bool reply_sane(const struct kek_reply *rp)
{
	return rp->why.rc >= RC_OK && rp->why.rc <= RC_BUSY &&
	       ends(rp->why.text, sizeof(rp->why.text)) &&
	       (unsigned int)rp->wrapping <= KEK_RSA_OAEP &&
	       rp->wrapped_size <= sizeof(rp->wrapped) && rp->plain_size <= KEK_PLAIN_MAX &&
	       version_sane(&rp->version) && rp->nr_versions <= VERSIONS_MAX;
}

static int receive_list(struct kek_child *c, size_t nr, struct kek_version **list,
			long long deadline, struct reason *why)
{
	struct kek_version *v = calloc(nr ? nr : 1, sizeof(*v));
	size_t i;
	int rc = RC_OK;

	if (!v) {
		kill_child(c);
		return reason_nomem(why);
	}
	for (i = 0; i < nr && !rc; i++) {
		rc = receive(c, &v[i], sizeof(v[i]), deadline, why);
		if (!rc && !version_sane(&v[i]))
			rc = nonsense(c, why);
	}
	if (rc)
		free(v);
	else
		*list = v;
	return rc;
}

int kek_child_call(struct kek_child *c, const struct kek_request *request,
		   struct kek_reply *reply, struct kek_version **list, struct reason *why)
{
	long long deadline = now_ms() + c->config->timeout * 1000LL;
	int rc;

	/* One packet, and the child has read the one before: this doesn't block. */
	if (send(c->sock, request, sizeof(*request), MSG_NOSIGNAL) != (ssize_t)sizeof(*request))
		return died(c, why);
	rc = receive(c, reply, sizeof(*reply), deadline, why);
	if (rc)
		return rc;
	if (!reply_sane(reply))
		return nonsense(c, why);
	if (reply->pin_refused && c->config->identity)
		kek_pin_remember_refused(c->config->uri, c->config->identity);
	if (reply->why.rc) {
		make_harmless(reply->why.text);
		*why = reply->why;
		return why->rc;
	}
	if (list)
		return receive_list(c, reply->nr_versions, list, deadline, why);
	return reply->nr_versions ? nonsense(c, why) : RC_OK;
}

bool kek_child_timed_out(const struct kek_child *c)
{
	return c->timed_out;
}

unsigned char *kek_child_plain(struct kek_child *c)
{
	return secmem_data(c->shared);
}

void kek_child_wipe(struct kek_child *c)
{
	explicit_bzero(secmem_data(c->shared), secmem_capacity(c->shared));
	secmem_wipe_traces();
}
