/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SSESETUP_H
#define SSESETUP_H

#include "options.h"

#define SSESETUP_VERSION	"0.1.0"

#define DMSSE_TARGET		"sse"
#define DMSSE_MODULE_NAME	"dm-sse"
/* Type and name follow, as in cryptsetup's CRYPT-PLAIN-name. */
#define DMSSE_UUID_PREFIX	"DMSSE-"

/* Commands; each returns an enum exit_code. argv holds the arguments only. */
int cmd_key_load(const struct options *o, int argc, char **argv);
int cmd_key_list(const struct options *o, int argc, char **argv);
int cmd_key_revoke(const struct options *o, int argc, char **argv);
int cmd_key_unlink(const struct options *o, int argc, char **argv);
int cmd_open(const struct options *o, int argc, char **argv);
int cmd_close(const struct options *o, int argc, char **argv);
int cmd_list(const struct options *o, int argc, char **argv);
int cmd_metrics(const struct options *o, int argc, char **argv);
int cmd_tab_list(const struct options *o, int argc, char **argv);
int cmd_tab_start(const struct options *o, int argc, char **argv);
int cmd_tab_stop(const struct options *o, int argc, char **argv);
int cmd_status(const struct options *o, int argc, char **argv);
int cmd_resize(const struct options *o, int argc, char **argv);
int cmd_suspend(const struct options *o, int argc, char **argv);
int cmd_resume(const struct options *o, int argc, char **argv);
int cmd_temp_create(const struct options *o, int argc, char **argv);
int cmd_format(const struct options *o, int argc, char **argv);
int cmd_dump(const struct options *o, int argc, char **argv);
int cmd_repair(const struct options *o, int argc, char **argv);
int cmd_header_backup(const struct options *o, int argc, char **argv);
int cmd_header_restore(const struct options *o, int argc, char **argv);
int cmd_shred(const struct options *o, int argc, char **argv);
int cmd_copy(const struct options *o, int argc, char **argv);
int cmd_encrypt(const struct options *o, int argc, char **argv);
int cmd_decrypt(const struct options *o, int argc, char **argv);
int cmd_assign(const struct options *o, int argc, char **argv);
int cmd_check(const struct options *o, int argc, char **argv);
int cmd_lease_renew(const struct options *o, int argc, char **argv);
int cmd_des_create(const struct options *o, int argc, char **argv);
int cmd_des_list(const struct options *o, int argc, char **argv);
int cmd_des_show(const struct options *o, int argc, char **argv);
int cmd_des_update(const struct options *o, int argc, char **argv);
int cmd_des_delete(const struct options *o, int argc, char **argv);
int cmd_des_enable(const struct options *o, int argc, char **argv);
int cmd_des_disable(const struct options *o, int argc, char **argv);
int cmd_des_rotate(const struct options *o, int argc, char **argv);
int cmd_des_where_used(const struct options *o, int argc, char **argv);
int cmd_des_forget(const struct options *o, int argc, char **argv);

#endif
