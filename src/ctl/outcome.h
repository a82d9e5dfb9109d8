#ifndef PL_CTL_OUTCOME_H
#define PL_CTL_OUTCOME_H

#include <libpq-fe.h>

#include "base/compiler.h"

/*
 * What a command came to: the process's exit code and, unless all is well, the line that says why
 * and what to do. Scripts depend on the numbers; they never change their meaning.
 */
enum pl_exit {
    PL_EXIT_OK = 0,
    PL_EXIT_FAILED = 1,
    PL_EXIT_USAGE = 2,
    PL_EXIT_PENDING = 3,
    PL_EXIT_DRIFT = 4,
    PL_EXIT_BLOCKED = 5,
    PL_EXIT_UNREACHABLE = 6,
};

#define PL_EXIT_COUNT 7

/* The word for an exit code ("ok", "failed", ...), as --json has it. Never NULL. */
const char *pl_exit_name(enum pl_exit code);

/* One sentence on when the code is given, for help and documentation. Never NULL. */
const char *pl_exit_description(enum pl_exit code);

/* The graver of two, for a command that worked on several databases. */
enum pl_exit pl_exit_worse(enum pl_exit a, enum pl_exit b);

typedef struct pl_outcome {
    enum pl_exit code;
    char message[1024];
} pl_outcome_t;

/* Sets code and message. Always returns -1, so that a caller can `return pl_fail(...)`. */
int pl_fail(pl_outcome_t *outcome, enum pl_exit code, const char *format, ...) PL_PRINTF(3, 4);

/*
 * The same for a statement that the server refused or a connection that is gone: "<what>: <the
 * server's message>". Lost connection: PL_EXIT_UNREACHABLE. Lock not granted in time or deadlock:
 * PL_EXIT_BLOCKED. All else: PL_EXIT_FAILED. `result` may be NULL. Always returns -1.
 */
int pl_fail_sql(pl_outcome_t *outcome, PGconn *conn, const PGresult *result, const char *format,
                ...) PL_PRINTF(4, 5);

#endif
