/*
 * Owner connections: connect, refuse a pooler, lock, run.
 *
 * Why a pooler is refused: the advisory lock belongs to one server connection. Behind a pooler,
 * parleyctl could take the lock on one server connection and run the migration on another, and the
 * lock could stay on an idle server connection after parleyctl has ended.
 *
 * How a pooler is found: at the start of a session the client receives a key for cancel requests,
 * whose first half is the server's process id. A pooler uses several server connections for one
 * client, so it cannot pass on the key of one of them and makes up its own. Then PQbackendPID(),
 * which comes from the key, differs from pg_backend_pid(), which the server returns. This test
 * needs no rights and no second connection, and does not depend on the size of the pool. A TCP
 * proxy or a tunnel passes the key on, so it is allowed, as it should be.
 */
#include "ctl/session.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "directory/connect.h"

/* Long enough for a loaded server to fork and do TLS, and short enough for a person who waits. A
 * DSN may set another value. */
#define CONNECT_TIMEOUT_S "10"

/*
 * While DDL waits for a lock, every later query on the table waits behind it. lock_timeout limits
 * this to 3 s per attempt. The other timeouts are off: they could end a long migration, or the
 * directory's session, which is idle while it holds the lock. The bodies of functions are not
 * checked when they are created, so that the order of their files does not matter.
 */
#define SESSION_SETTINGS                                                                \
    "SET lock_timeout = '3s'; SET statement_timeout = 0; SET idle_session_timeout = 0;" \
    " SET idle_in_transaction_session_timeout = 0; SET search_path = pg_catalog;"       \
    " SET client_min_messages = warning; SET check_function_bodies = off"

/* The first key of the advisory locks ("PLY"); the second is enum pl_session_lock. */
#define LOCK_SPACE "5261401"

/* The lock is polled. A session that waits inside PostgreSQL's lock manager would hold a snapshot,
 * and CREATE INDEX CONCURRENTLY would wait for that snapshot: a deadlock. */
#define LOCK_POLL_MS 100

PGconn *pl_session_connect(const char *dsn)
{
    return pl_connect(dsn, "parleyctl", CONNECT_TIMEOUT_S);
}

int pl_session_is_pooled(PGconn *conn)
{
    int pooled = -1;
    PGresult *result = PQexec(conn, "SELECT pg_catalog.pg_backend_pid()");

    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        pooled = atoi(PQgetvalue(result, 0, 0)) != PQbackendPID(conn);
    PQclear(result);
    return pooled;
}

int pl_session_open(pl_session_t *session, const char *dsn, const char *label,
                    pl_outcome_t *outcome)
{
    int pooled;

    snprintf(session->label, sizeof session->label, "%s", label);
    session->conn = pl_session_connect(dsn);
    if (PQstatus(session->conn) != CONNECTION_OK) {
        pl_fail(outcome, PL_EXIT_UNREACHABLE, "%s: %s", label, PQerrorMessage(session->conn));
        goto fail;
    }
    pooled = pl_session_is_pooled(session->conn);
    if (pooled < 0) {
        pl_fail_sql(outcome, session->conn, NULL, "%s", label);
        goto fail;
    }
    if (pooled) {
        pl_fail(outcome, PL_EXIT_BLOCKED,
                "%s: owner_dsn leads to a pooler, where a session's lock has no effect; give it"
                " PostgreSQL's own host and port",
                label);
        goto fail;
    }
    if (pl_session_run(session, SESSION_SETTINGS, "session settings", outcome) < 0)
        goto fail;
    return 0;
fail:
    pl_session_close(session);
    return -1;
}

void pl_session_close(pl_session_t *session)
{
    PQfinish(session->conn);
    session->conn = NULL;
}

int pl_session_query(pl_session_t *session, const char *sql, int count, const char *const *values,
                     const char *what, PGresult **result_r, pl_outcome_t *outcome)
{
    PGresult *result = PQexecParams(session->conn, sql, count, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        pl_fail_sql(outcome, session->conn, result, "%s: %s", session->label, what);
        PQclear(result);
        return -1;
    }
    *result_r = result;
    return 0;
}

int pl_session_execute(pl_session_t *session, const char *sql, int count, const char *const *values,
                       const char *what, pl_outcome_t *outcome)
{
    PGresult *result;

    if (pl_session_query(session, sql, count, values, what, &result, outcome) < 0)
        return -1;
    PQclear(result);
    return 0;
}

int pl_session_run(pl_session_t *session, const char *sql, const char *what, pl_outcome_t *outcome)
{
    PGresult *result = PQexec(session->conn, sql);
    ExecStatusType status = PQresultStatus(result);
    int rc = 0;

    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY)
        rc = pl_fail_sql(outcome, session->conn, result, "%s: %s", session->label, what);
    PQclear(result);
    return rc;
}

void pl_session_rollback(pl_session_t *session)
{
    PGTransactionStatusType status = PQtransactionStatus(session->conn);

    if (status == PQTRANS_INTRANS || status == PQTRANS_INERROR)
        PQclear(PQexec(session->conn, "ROLLBACK"));
}

static int fail_locked(pl_session_t *session, const char *lock, int wait_s, pl_outcome_t *outcome)
{
    const char *const values[] = {lock};
    PGresult *result;

    if (pl_session_query(session,
                         "SELECT l.pid, coalesce(a.usename, '?'), coalesce(a.client_addr::text,"
                         " 'local') FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)"
                         " WHERE l.locktype = 'advisory' AND l.granted AND l.classid = " LOCK_SPACE
                         " AND l.objid = $1::int AND l.objsubid = 2 AND l.database ="
                         " (SELECT oid FROM pg_database WHERE datname = current_database())",
                         1, values, "the lock's holder", &result, outcome) < 0)
        return -1;
    if (PQntuples(result) > 0) {
        pl_fail(
            outcome, PL_EXIT_BLOCKED,
            "%s: another parleyctl is running (server process %s, user %s, from %s); waited %d s."
            " Run again when it has ended, or give --wait",
            session->label, PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1),
            PQgetvalue(result, 0, 2), wait_s);
    } else {
        pl_fail(outcome, PL_EXIT_BLOCKED,
                "%s: another parleyctl was running for all of %d s; run again, or give --wait",
                session->label, wait_s);
    }
    PQclear(result);
    return -1;
}

int pl_session_lock(pl_session_t *session, enum pl_session_lock lock, int wait_s,
                    pl_outcome_t *outcome)
{
    char number[8];
    const char *const values[] = {number};
    const struct timespec pause = {0, LOCK_POLL_MS * 1000000L};
    int64_t deadline_ms = pl_clock_monotonic_ms() + wait_s * INT64_C(1000);

    snprintf(number, sizeof number, "%d", (int)lock);
    for (;;) {
        PGresult *result;

        if (pl_session_query(session, "SELECT pg_try_advisory_lock(" LOCK_SPACE ", $1::int)", 1,
                             values, "lock", &result, outcome) < 0)
            return -1;
        bool is_ours = PQgetvalue(result, 0, 0)[0] == 't';
        PQclear(result);
        if (is_ours)
            return 0;
        if (pl_clock_monotonic_ms() >= deadline_ms)
            return fail_locked(session, number, wait_s, outcome);
        nanosleep(&pause, NULL);
    }
}
