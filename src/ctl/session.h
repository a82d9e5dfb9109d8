#ifndef PL_CTL_SESSION_H
#define PL_CTL_SESSION_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "base/compiler.h"
#include "ctl/outcome.h"

/*
 * A connection of the owner, straight to PostgreSQL. All calls block; one thread at a time.
 *
 * Every function that can fail returns 0, or -1 with `outcome` set.
 */
typedef struct pl_session {
    PGconn *conn;
    /* How messages call it: "directory" or "database NAME". */
    char label[96];
} pl_session_t;

/* What a session can lock for itself; held until the session is closed, or its process dies. */
enum pl_session_lock {
    PL_LOCK_DIRECTORY = 1,
    PL_LOCK_DATABASE = 2,
};

/*
 * Connects with an owner DSN, refuses a pooler (PL_EXIT_BLOCKED), and sets what migrations rely on:
 * search_path, lock_timeout, no statement_timeout. A connection that cannot be made gives
 * PL_EXIT_UNREACHABLE. Never puts a DSN, which may hold a password, into a message.
 */
int pl_session_open(pl_session_t *session, const char *dsn, const char *label,
                    pl_outcome_t *outcome) PL_MUST_USE;

/* Closes, if it is open. */
void pl_session_close(pl_session_t *session);

/* Connects with any DSN and no checks; the caller reads PQstatus and calls PQfinish. */
PGconn *pl_session_connect(const char *dsn);

/*
 * True when something that multiplexes connections stands in between, so that two statements may
 * meet two servers. See session.c for the test. -1 when the question could not be asked.
 */
int pl_session_is_pooled(PGconn *conn);

/*
 * Takes a session-level advisory lock by polling for at most wait_s seconds. PL_EXIT_BLOCKED when
 * another session holds it for longer; the message names that session.
 */
int pl_session_lock(pl_session_t *session, enum pl_session_lock lock, int wait_s,
                    pl_outcome_t *outcome) PL_MUST_USE;

/* Runs statements that return nothing of interest; `what` begins the message of a failure. */
int pl_session_run(pl_session_t *session, const char *sql, const char *what,
                   pl_outcome_t *outcome) PL_MUST_USE;

/* Runs one statement with text parameters. The caller clears *result_r after a 0. */
int pl_session_query(pl_session_t *session, const char *sql, int count, const char *const *values,
                     const char *what, PGresult **result_r, pl_outcome_t *outcome) PL_MUST_USE;

/* The same for a statement whose result does not matter. */
int pl_session_execute(pl_session_t *session, const char *sql, int count, const char *const *values,
                       const char *what, pl_outcome_t *outcome) PL_MUST_USE;

/* Leaves a failed or open transaction. */
void pl_session_rollback(pl_session_t *session);

#endif
