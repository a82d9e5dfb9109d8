#ifndef PL_CTL_SESSION_H
#define PL_CTL_SESSION_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "base/compiler.h"
#include "ctl/outcome.h"

/*
 * A connection of the owner's role to PostgreSQL, without a pooler. All calls block. One thread at
 * a time may use a session.
 *
 * Every function that can fail returns 0, or -1 with `outcome` set.
 */
typedef struct pl_session {
    PGconn *conn;
    /* Its name in messages: "directory" or "database NAME". */
    char label[96];
} pl_session_t;

/* The advisory locks of a session; it holds one until it is closed or its process ends. */
enum pl_session_lock {
    PL_LOCK_DIRECTORY = 1,
    PL_LOCK_DATABASE = 2,
};

/*
 * Connects with an owner DSN, refuses a pooler (PL_EXIT_BLOCKED), and sets what migrations depend
 * on: search_path, lock_timeout, no statement_timeout. PL_EXIT_UNREACHABLE if it cannot connect. No
 * message contains the DSN, because it may have a password.
 */
int pl_session_open(pl_session_t *session, const char *dsn, const char *label,
                    pl_outcome_t *outcome) PL_MUST_USE;

/* Closes the session, if it is open. */
void pl_session_close(pl_session_t *session);

/* Connects with any DSN, without checks. The caller reads PQstatus and calls PQfinish. Never
 * NULL. */
PGconn *pl_session_connect(const char *dsn);

/*
 * Returns 1 if there is a pooler in between, so that two statements may run on two server
 * connections; 0 if not; -1 if the test failed. session.c explains the test.
 */
int pl_session_is_pooled(PGconn *conn);

/*
 * Takes a session-level advisory lock, and polls for it for at most wait_s seconds. PL_EXIT_BLOCKED
 * if another session holds it for longer; the message names that session.
 */
int pl_session_lock(pl_session_t *session, enum pl_session_lock lock, int wait_s,
                    pl_outcome_t *outcome) PL_MUST_USE;

/* Runs statements without parameters, and ignores their results. `what` is put into the message of
 * a failure. */
int pl_session_run(pl_session_t *session, const char *sql, const char *what,
                   pl_outcome_t *outcome) PL_MUST_USE;

/* Runs one statement with text parameters. On 0 the caller clears *result_r. */
int pl_session_query(pl_session_t *session, const char *sql, int count, const char *const *values,
                     const char *what, PGresult **result_r, pl_outcome_t *outcome) PL_MUST_USE;

/* The same, but ignores the result. */
int pl_session_execute(pl_session_t *session, const char *sql, int count, const char *const *values,
                       const char *what, pl_outcome_t *outcome) PL_MUST_USE;

/* Rolls back, if a transaction is open or has failed. */
void pl_session_rollback(pl_session_t *session);

#endif
