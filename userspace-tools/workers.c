// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "workers.h"

struct worker {
	pid_t pid;		/* 0: none */
	int sock;
	bool busy;
	size_t item;		/* in hand, if busy */
	long long deadline;	/* for it, in milliseconds of the monotonic clock */
};

struct pool {
	const struct workers_job *job;
	struct worker worker[WORKERS_MAX];
	unsigned int nr;
	size_t next;		/* index of the next item to hand out */
	bool gave_up;
};

static volatile sig_atomic_t interrupted;

static const int stopping[] = { SIGINT, SIGTERM, SIGHUP };

#define NR_STOPPING	(sizeof(stopping) / sizeof(stopping[0]))

static void on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* The worker */

static void serve(const struct workers_job *job, int sock)
{
	struct workers_result result;
	struct reason begun = { .rc = RC_OK };
	bool first = true;
	size_t item;

	while (recv(sock, &item, sizeof(item), 0) == (ssize_t)sizeof(item)) {
		memset(&result, 0, sizeof(result));
		if (first && job->begin)
			begun.rc = job->begin(job->arg, &begun);
		first = false;
		if (begun.rc)
			result.why = begun;
		else
			job->run(job->arg, item, &result);
		fflush(NULL);
		if (send(sock, &result, sizeof(result), MSG_NOSIGNAL) != (ssize_t)sizeof(result))
			break;
	}
	if (!first && !begun.rc && job->end)
		job->end(job->arg);
}

/*
 * Ctrl-C reaches the whole group, but an item in hand is finished: the caller
 * just hands out no more. When it is gone, the socket says so.
 */
static void __attribute__((noreturn)) live(const struct pool *p, int sock, const sigset_t *mask)
{
	unsigned int i;

	for (i = 0; i < NR_STOPPING; i++)
		signal(stopping[i], SIG_IGN);
	sigprocmask(SIG_SETMASK, mask, NULL);
	/* Or the others would never see the caller's end of theirs closed. */
	for (i = 0; i < p->nr; i++)
		if (p->worker[i].pid)
			close(p->worker[i].sock);
	serve(p->job, sock);
	fflush(NULL);
	_exit(0);
}

/* The caller */

static int start(struct pool *p, struct worker *w, const sigset_t *mask, struct reason *why)
{
	int socks[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks))
		return reason_set(why, RC_NOMEM, "No socket for a worker: %s.", strerror(errno));
	fflush(NULL);
	w->pid = fork();
	if (!w->pid) {
		close(socks[0]);
		live(p, socks[1], mask);
	}
	close(socks[1]);
	if (w->pid < 0) {
		w->pid = 0;
		close(socks[0]);
		return reason_set(why, RC_NOMEM, "No process for a worker: %s.", strerror(errno));
	}
	w->sock = socks[0];
	w->busy = false;
	return RC_OK;
}

/* It ends when it sees its socket closed; one that is killed may take its time. */
static void dismiss(struct worker *w, int flags, int *status)
{
	close(w->sock);
	while (waitpid(w->pid, status, flags) < 0 && errno == EINTR)
		;
	w->pid = 0;
	w->busy = false;
}

static bool more_to_do(const struct pool *p)
{
	return p->next < p->job->nr && !p->gave_up && !interrupted;
}

static void report(struct pool *p, struct worker *w, const struct workers_result *result)
{
	w->busy = false;
	if (result->give_up)
		p->gave_up = true;
	p->job->done(p->job->arg, w->item, result);
}

static void died(struct pool *p, struct worker *w)
{
	struct workers_result result = { .outcome = 0 };
	int status = 0;

	dismiss(w, 0, &status);
	if (WIFSIGNALED(status))
		reason_set(&result.why, RC_DEVICE, "The process that worked on it died: %s.",
			   strsignal(WTERMSIG(status)));
	else
		reason_set(&result.why, RC_DEVICE, "The process that worked on it ended (status %d).",
			   WEXITSTATUS(status));
	report(p, w, &result);
}

static void took_too_long(struct pool *p, struct worker *w)
{
	struct workers_result result = { .outcome = 0 };
	int status;

	/* Not even a kill may end one that waits for a device. */
	kill(w->pid, SIGKILL);
	dismiss(w, WNOHANG, &status);
	reason_set(&result.why, RC_DEVICE, "Given up after %u s: it, or its key's provider, does not answer, or another\n"
		   "ssesetup keeps it locked.", p->job->limit);
	report(p, w, &result);
}

static void hand_out(struct pool *p, struct worker *w)
{
	size_t item = p->job->items[p->next++];

	w->item = item;
	w->busy = true;
	w->deadline = now_ms() + p->job->limit * 1000LL;
	/* If this fails it is dead, as the next poll will find. */
	send(w->sock, &item, sizeof(item), MSG_NOSIGNAL);
}

/* Everybody has work, as long as there is some. The number of those who have. */
static int employ(struct pool *p, const sigset_t *mask, unsigned int *busy, struct reason *why)
{
	struct worker *w;
	unsigned int i;
	int rc = RC_OK;

	*busy = 0;
	for (i = 0; i < p->nr; i++) {
		w = &p->worker[i];
		if (!w->busy && more_to_do(p)) {
			if (!w->pid)
				rc = start(p, w, mask, why);
			if (w->pid)
				hand_out(p, w);
		}
		*busy += w->busy;
	}
	/* A few are as good as many. */
	return *busy ? RC_OK : rc;
}

static int until_next_deadline(const struct pool *p)
{
	long long first = -1;
	unsigned int i;

	for (i = 0; i < p->nr; i++)
		if (p->worker[i].busy && (first < 0 || p->worker[i].deadline < first))
			first = p->worker[i].deadline;
	first -= now_ms();
	return first > 0 ? (int)first : 0;
}

static void listen_to(struct pool *p, const sigset_t *mask)
{
	struct pollfd fds[WORKERS_MAX];
	int timeout = until_next_deadline(p);
	struct timespec wait = { .tv_sec = timeout / 1000, .tv_nsec = timeout % 1000 * 1000000L };
	struct workers_result result;
	struct worker *w;
	unsigned int i;

	for (i = 0; i < p->nr; i++) {
		fds[i].fd = p->worker[i].busy ? p->worker[i].sock : -1;
		fds[i].events = POLLIN;
		fds[i].revents = 0;
	}
	if (ppoll(fds, p->nr, &wait, mask) < 0)
		return;
	for (i = 0; i < p->nr; i++) {
		w = &p->worker[i];
		if (!w->busy)
			continue;
		if (!fds[i].revents) {
			if (now_ms() >= w->deadline)
				took_too_long(p, w);
		} else if (recv(w->sock, &result, sizeof(result), MSG_DONTWAIT) ==
			   (ssize_t)sizeof(result)) {
			report(p, w, &result);
		} else {
			died(p, w);
		}
	}
}

static unsigned int how_many(const struct workers_job *job)
{
	long wanted = job->parallel ? (long)job->parallel : sysconf(_SC_NPROCESSORS_ONLN);

	if (wanted < 1)
		wanted = 1;
	if (wanted > WORKERS_MAX)
		wanted = WORKERS_MAX;
	return (size_t)wanted > job->nr ? (unsigned int)job->nr : (unsigned int)wanted;
}

static void catch_signals(struct sigaction old[NR_STOPPING], sigset_t *mask)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t block;
	unsigned int i;

	interrupted = 0;
	sigemptyset(&block);
	for (i = 0; i < NR_STOPPING; i++)
		sigaddset(&block, stopping[i]);
	/* Delivered while waiting, and at no other time. */
	sigprocmask(SIG_BLOCK, &block, mask);
	for (i = 0; i < NR_STOPPING; i++)
		sigaction(stopping[i], &action, &old[i]);
}

static void release_signals(const struct sigaction old[NR_STOPPING], const sigset_t *mask)
{
	unsigned int i;

	for (i = 0; i < NR_STOPPING; i++)
		sigaction(stopping[i], &old[i], NULL);
	sigprocmask(SIG_SETMASK, mask, NULL);
}

int workers_run(const struct workers_job *job, struct workers_left *left, struct reason *why)
{
	struct pool p = { .job = job, .nr = how_many(job) };
	struct sigaction old[NR_STOPPING];
	unsigned int busy, i;
	sigset_t mask;
	int rc, status;

	catch_signals(old, &mask);
	for (;;) {
		rc = employ(&p, &mask, &busy, why);
		if (rc || !busy)
			break;
		listen_to(&p, &mask);
	}
	for (i = 0; i < p.nr; i++)
		if (p.worker[i].pid)
			dismiss(&p.worker[i], 0, &status);
	left->nr = job->nr - p.next;
	left->interrupted = interrupted;
	left->gave_up = p.gave_up;
	release_signals(old, &mask);
	return rc;
}
