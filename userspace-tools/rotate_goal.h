/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ROTATE_GOAL_H
#define ROTATE_GOAL_H

#include "rotate.h"

/*
 * @to: a version of the key the set is about, or NULL for the newest. @make:
 * where the platform's key is ours to make a version of, that is done, unless
 * disks are on their way to the newest still.
 */
int rotate_goal_choose(struct des_keys *dk, const char *to, bool make, struct rotate_goal *goal,
		       struct reason *why);

/* Wraps and unwraps with each version. */
int rotate_goal_prove(struct des_keys *dk, const struct rotate_goal *goal, struct reason *why);

/* The version of the key that the set is about: the customer's where there is one. */
const struct kek_version *rotate_goal_main(const struct rotate_goal *goal, const struct des *des);

#endif
