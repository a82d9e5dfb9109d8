/* Root's rights, which parleyd needs for nothing. */
#ifndef PL_DAEMON_PRIVILEGES_H
#define PL_DAEMON_PRIVILEGES_H

#include "base/compiler.h"
#include "base/error.h"

/*
 * If root runs the process: becomes the user, with that user's groups alone, for good. Before the
 * first thread starts. Returns 0, or -1 with PL_ERROR_INVALID: there is no such user, or the name
 * is empty. With the name "root" the process stays root, and a warning is logged.
 *
 * If another user runs it: returns 0, or -1 if a further name is given.
 */
int pl_privileges_drop(const char *name, pl_error_t *error) PL_MUST_USE;

#endif
