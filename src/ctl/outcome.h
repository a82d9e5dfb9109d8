#ifndef PL_CTL_OUTCOME_H
#define PL_CTL_OUTCOME_H

#include <libpq-fe.h>

#include "base/compiler.h"

/*
 * The outcome of a command: the exit code of the process and, unless it is PL_EXIT_OK, one line
 * with the reason and what to do. Scripts depend on the numbers: their meanings never change.
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

/* The code's name in --json ("ok", "failed", ...). Never NULL. */
const char *pl_exit_name(enum pl_exit code);

/* When the code is returned, in a few words, for help and documentation. Never NULL. */
const char *pl_exit_description(enum pl_exit code);

/* The more serious of two codes, for a command that worked on several databases. */
enum pl_exit pl_exit_worse(enum pl_exit a, enum pl_exit b);

typedef struct pl_outcome {
    enum pl_exit code;
    char message[1024];
} pl_outcome_t;

/* Sets code and message. Always returns -1, so that a caller can `return pl_fail(...)`. */
int pl_fail(pl_outcome_t *outcome, enum pl_exit code, const char *format, ...) PL_PRINTF(3, 4);

/*
 * The same for a statement that the server refused or a connection that was lost. The message is
 * the formatted text, a colon and the server's message. The code is PL_EXIT_UNREACHABLE for a lost
 * connection, PL_EXIT_BLOCKED for a deadlock or a lock that was not granted in time, and else
 * PL_EXIT_FAILED. `result` may be NULL. Always returns -1.
 */
int pl_fail_sql(pl_outcome_t *outcome, PGconn *conn, const PGresult *result, const char *format,
                ...) PL_PRINTF(4, 5);

#endif
