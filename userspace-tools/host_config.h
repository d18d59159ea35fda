/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HOST_CONFIG_H
#define HOST_CONFIG_H

#include <stdbool.h>

#include "reason.h"

/* What holds for the whole host, in PATH_HOST_CONF; a file that isn't there is fine. */
struct host_config {
	bool audit_best_effort;		/* keys are used even if that can't be recorded */
};

/* RC_PARAM with the line's number if the file is broken. */
int host_config_load(struct host_config *config, struct reason *why);

#endif
