/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KEK_CHILD_H
#define KEK_CHILD_H

#include "kek_provider.h"

/*
 * The process that a provider runs in. Requests and replies go through a
 * socket, secrets only through memory that both processes share. The child is
 * trusted no further than its answers can be checked: vendors' modules run in
 * it.
 */

enum kek_op {
	KEK_OP_VERSIONS,
	KEK_OP_WRAP,
	KEK_OP_UNWRAP,
	KEK_OP_NEW_VERSION,
	KEK_OP_DROP_VERSIONS,
};

struct kek_request {
	enum kek_op op;
	char version[KEK_VERSION_MAX];		/* to keep, when dropping */
	char fingerprint[KEK_FINGERPRINT_MAX];
	enum kek_wrapping wrapping;
	unsigned char wrapped[KEK_WRAPPED_MAX];
	size_t wrapped_size;
	size_t plain_size;			/* in the shared memory */
};

struct kek_reply {
	struct reason why;
	int pin_refused;
	enum kek_wrapping wrapping;
	unsigned char wrapped[KEK_WRAPPED_MAX];
	size_t wrapped_size;
	size_t plain_size;			/* in the shared memory */
	struct kek_version version;
	size_t nr_versions;			/* follow, a packet each */
};

struct kek_child;

/* Dies with the thread that starts it. */
int kek_child_start(struct kek_child **child, const struct kek_provider *provider,
		    const struct kek_config *config, struct reason *why);
/* Lets it end, or ends it; wipes what was shared. NULL is fine. */
void kek_child_end(struct kek_child **child);

/* Of this process, and neither dead nor given up? */
bool kek_child_alive(struct kek_child *child);

/*
 * Sends @request, waits for @reply, and for the versions if @list isn't NULL.
 * After a failure that isn't the provider's own reply the child is dead.
 */
int kek_child_call(struct kek_child *child, const struct kek_request *request,
		   struct kek_reply *reply, struct kek_version **list, struct reason *why);

/* Was it given up because it took too long? */
bool kek_child_timed_out(const struct kek_child *child);

/* Room for KEK_PLAIN_MAX bytes; kek_child_wipe() after use. */
unsigned char *kek_child_plain(struct kek_child *child);
void kek_child_wipe(struct kek_child *child);

#endif
