// SPDX-License-Identifier: GPL-2.0-only
/*
 * ssesetup copy SOURCE DESTINATION
 */
#include <inttypes.h>

#include "audit.h"
#include "copy.h"
#include "copy_destination.h"
#include "copy_source.h"
#include "interrupt.h"
#include "ssesetup.h"

/* What was written last before a crash is compared before it is built upon. */
#define LOOK_BACK	(UINT64_C(8) << 20)

static int checkpoint(void *arg, uint64_t done, struct reason *why)
{
	return copy_destination_note(arg, done, why);
}

/* How copy_data() and copy_verify() ended, as an exit code. */
static int translate(int rc, const char *doing, struct reason *why)
{
	if (rc == COPY_STOPPED)
		return reason_set(why, RC_PARAM, "Stopped while %s: the same command goes on with it.",
				  doing);
	return rc == COPY_DIFFERS ? RC_DEVICE : rc;
}

/* Where to go on: what a crash may have spoilt is copied again. */
static int resume_point(const struct copy *c, const struct copy_note *note, uint64_t *from,
			struct reason *why)
{
	uint64_t start = note->copied > LOOK_BACK ? note->copied - LOOK_BACK : 0, where;
	struct copy silent = *c;
	int rc;

	*from = note->copied;
	if (!*from)
		return RC_OK;
	silent.quiet = true;
	rc = copy_verify(&silent, start, note->copied, &where, why);
	if (rc == COPY_DIFFERS) {
		diag_warn("What was copied before is not what the source has: the copy begins anew.");
		*from = 0;
		rc = RC_OK;
	}
	if (!rc)
		diag_verbose("The unfinished copy on %s goes on at byte %" PRIu64 ".",
			     c->destination_name, *from);
	return translate(rc, "copying", why);
}

/* What differs is copied again the next time. */
static int verify(const struct copy *c, struct copy_destination *d, struct reason *why)
{
	struct reason ignored;
	uint64_t where;
	int rc;

	rc = copy_verify(c, 0, c->size, &where, why);
	if (rc == COPY_DIFFERS)
		copy_destination_note(d, where / c->align * c->align, &ignored);
	return translate(rc, "verifying", why);
}

static int copy(const struct copy *c, struct copy_destination *d, struct reason *why)
{
	uint64_t from;
	int rc;

	rc = resume_point(c, &d->note, &from, why);
	if (!rc)
		rc = translate(copy_data(c, from, why), "copying", why);
	if (!rc)
		rc = verify(c, d, why);
	if (!rc)
		rc = copy_destination_finish(d, why);
	return rc;
}

/* Two records: the source's set has lost sight of these data, the other one has them. */
static int copy_audited(const struct copy *c, const struct copy_source *s,
			struct copy_destination *d, struct reason *why)
{
	char from_device[PATH_MAX], to_device[PATH_MAX];
	struct audit_subject from = {
		.des = s->des,
		.device = from_device,
		.uuid = s->identity.uuid,
	};
	struct audit_subject to = { .des = d->des, .device = to_device, .uuid = d->uuid };
	struct audit source, destination;
	int rc;

	blockdev_absolute(s->path, from_device, sizeof(from_device));
	blockdev_absolute(d->path, to_device, sizeof(to_device));
	rc = audit_intent(&source, AUDIT_COPY, &from, why);
	if (rc)
		return rc;
	rc = audit_intent(&destination, AUDIT_COPY, &to, why);
	if (!rc) {
		rc = copy(c, d, why);
		audit_result(&destination, rc ? why : NULL);
	}
	audit_result(&source, rc ? why : NULL);
	return rc;
}

static int copy_between(const struct options *o, struct copy_source *s, const char *destination,
			struct reason *why)
{
	struct copy_destination d;
	struct copy c = {
		.source_name = s->path,
		.destination_name = destination,
		.source = s->fd,
		.size = s->identity.size,
		.image = s->image,
		.image_offset = s->image_offset,
		.quiet = opt_given(o, OPT_BATCH_MODE),
		.checkpoint = checkpoint,
		.arg = &d,
	};
	int rc;

	rc = copy_destination_open(&d, o, destination, &s->identity, why);
	if (!rc) {
		c.destination = d.map.fd;
		c.align = d.map.sector_size;
		c.stop = interrupt_catch();
		rc = copy_audited(&c, s, &d, why);
		copy_destination_close(&d);
	}
	return rc;
}

static int check_arguments(const struct options *o, const char *source, const char *destination)
{
	const char *header = o->str[OPT_HEADER], *set = o->str[OPT_DES];

	if (set && !des_name_ok(set))
		return diag_fail(RC_PARAM, "'%s' can't be the name of a disk encryption set.", set);
	if (blockdev_same(source, destination))
		return diag_fail(RC_PARAM, "Source and destination are the same device: %s.", source);
	if (header && (blockdev_same(source, header) || blockdev_same(destination, header)))
		return diag_fail(RC_PARAM, "Header file %s is one of the two disks itself.", header);
	return RC_OK;
}

int cmd_copy(const struct options *o, int argc, char **argv)
{
	struct reason why = { 0 };
	struct copy_source source;
	int rc;

	(void)argc;
	rc = check_arguments(o, argv[0], argv[1]);
	if (rc || opt_given(o, OPT_TEST_ARGS))
		return rc;
	rc = hidden_sweep();
	if (rc)
		return rc;
	rc = copy_source_open(&source, argv[0], opt_given(o, OPT_SHARED), &why);
	if (rc)
		return reason_say(&why);
	rc = copy_between(o, &source, argv[1], &why);
	copy_source_close(&source);
	if (rc)
		reason_say(&why);
	/* Everything is put away. */
	interrupt_end();
	return rc;
}
