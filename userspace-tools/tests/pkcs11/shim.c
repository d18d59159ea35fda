// SPDX-License-Identifier: GPL-2.0-only
/*
 * A PKCS#11 module that is another one, $SHIM_MODULE, with what a test wants to
 * go wrong. Files in the directory $SHIM_CONTROL say what:
 *
 *	hang-C_Decrypt		the call never returns
 *	crash-C_Decrypt		... ends with a SIGSEGV
 *	fail-C_Decrypt		... returns the number that the file holds
 *	once-C_Decrypt		the same, and takes the file away
 *	flags			a number: set in every token's flags
 *	noise			writes to stdout, and reads stdin
 *
 * Each login is a line in the file "logins", and each finalization of the
 * module one in "finalized".
 */
#define CRYPTOKI_GNU
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

static struct ck_function_list real, ours;

static void control_path(char path[512], const char *what, const char *function)
{
	snprintf(path, 512, "%s/%s%s", getenv("SHIM_CONTROL"), what, function);
}

/* The number in a control file; false: there is no such file. */
static int control(const char *what, const char *function, unsigned long *number, int take)
{
	char path[512], text[32] = "";
	int fd;

	control_path(path, what, function);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) >= 0)
		*number = strtoul(text, NULL, 0);
	close(fd);
	if (take)
		unlink(path);
	return 1;
}

static void note(const char *file)
{
	char path[512];
	int fd;

	control_path(path, file, "");
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "x\n", 2) != 2)
		abort();
	close(fd);
}

static ck_rv_t go_wrong(const char *function)
{
	unsigned long rv = CKR_OK;

	while (control("hang-", function, &rv, 0))
		pause();
	if (control("crash-", function, &rv, 0)) {
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
	}
	if (control("once-", function, &rv, 1) || control("fail-", function, &rv, 0))
		return rv;
	return CKR_OK;
}

#define WRONG_OR(call)	do {				\
	ck_rv_t wrong_ = go_wrong(__func__ + 5);	\
	return wrong_ ? wrong_ : real.call;		\
} while (0)

static ck_rv_t shim_C_Login(ck_session_handle_t session, ck_user_type_t user, unsigned char *pin,
			    unsigned long len)
{
	note("logins");
	WRONG_OR(C_Login(session, user, pin, len));
}

static ck_rv_t shim_C_Decrypt(ck_session_handle_t session, unsigned char *in, unsigned long in_len,
			      unsigned char *out, unsigned long *out_len)
{
	WRONG_OR(C_Decrypt(session, in, in_len, out, out_len));
}

static ck_rv_t shim_C_UnwrapKey(ck_session_handle_t session, struct ck_mechanism *mechanism,
				ck_object_handle_t key, unsigned char *wrapped,
				unsigned long wrapped_len, struct ck_attribute *template,
				unsigned long nr, ck_object_handle_t *object)
{
	WRONG_OR(C_UnwrapKey(session, mechanism, key, wrapped, wrapped_len, template, nr, object));
}

static ck_rv_t shim_C_OpenSession(ck_slot_id_t slot, ck_flags_t flags, void *arg,
				  ck_notify_t notify, ck_session_handle_t *session)
{
	WRONG_OR(C_OpenSession(slot, flags, arg, notify, session));
}

static ck_rv_t shim_C_FindObjectsInit(ck_session_handle_t session, struct ck_attribute *template,
				      unsigned long nr)
{
	WRONG_OR(C_FindObjectsInit(session, template, nr));
}

static ck_rv_t shim_C_GetSessionInfo(ck_session_handle_t session, struct ck_session_info *info)
{
	WRONG_OR(C_GetSessionInfo(session, info));
}

static ck_rv_t shim_C_GetTokenInfo(ck_slot_id_t slot, struct ck_token_info *info)
{
	ck_rv_t rv = real.C_GetTokenInfo(slot, info);
	unsigned long flags;

	if (rv == CKR_OK && control("flags", "", &flags, 0))
		info->flags |= flags;
	return rv;
}

static ck_rv_t shim_C_Initialize(void *args)
{
	unsigned long number;
	char text[64];
	ssize_t n;

	if (control("noise", "", &number, 0)) {
		n = read(STDIN_FILENO, text, sizeof(text));
		printf("noise of a module: %zd bytes from stdin\n", n);
		fflush(stdout);
	}
	WRONG_OR(C_Initialize(args));
}

static ck_rv_t shim_C_Finalize(void *args)
{
	note("finalized");
	WRONG_OR(C_Finalize(args));
}

ck_rv_t C_GetFunctionList(struct ck_function_list **list)
{
	ck_rv_t (*get)(struct ck_function_list **theirs);
	struct ck_function_list *theirs;
	void *module = dlopen(getenv("SHIM_MODULE"), RTLD_NOW | RTLD_LOCAL);
	ck_rv_t rv;

	if (!module)
		return CKR_GENERAL_ERROR;
	*(void **)&get = dlsym(module, "C_GetFunctionList");
	rv = get(&theirs);
	if (rv != CKR_OK)
		return rv;
	real = *theirs;
	ours = real;
	ours.C_GetFunctionList = C_GetFunctionList;
	ours.C_Initialize = shim_C_Initialize;
	ours.C_Finalize = shim_C_Finalize;
	ours.C_GetTokenInfo = shim_C_GetTokenInfo;
	ours.C_OpenSession = shim_C_OpenSession;
	ours.C_GetSessionInfo = shim_C_GetSessionInfo;
	ours.C_FindObjectsInit = shim_C_FindObjectsInit;
	ours.C_Login = shim_C_Login;
	ours.C_Decrypt = shim_C_Decrypt;
	ours.C_UnwrapKey = shim_C_UnwrapKey;
	*list = &ours;
	return CKR_OK;
}
