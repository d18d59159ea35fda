/* SPDX-License-Identifier: GPL-2.0-only */
#define module_param_named(name, variable, type, mode)	extern int shim_unused
#define MODULE_PARM_DESC(name, text)			extern int shim_unused
