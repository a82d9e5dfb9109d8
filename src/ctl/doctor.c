/*
 * Collects the results of checks, with helpers that the groups of checks share.
 */
#include "ctl/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

static void add_check(pl_doctor_t *doctor, const char *subject, const char *name,
                      enum pl_check_status status, const char *advice, const char *format,
                      va_list args)
{
    pl_outcome_t line;
    char detail[sizeof line.message];

    /* The detail may be a server's message of several lines; pl_fail makes it one line. */
    vsnprintf(detail, sizeof detail, format, args);
    pl_fail(&line, PL_EXIT_FAILED, "%s", detail);
    doctor->checks = pl_reallocarray(doctor->checks, (size_t)doctor->count + 1,
                                     sizeof *doctor->checks);
    doctor->checks[doctor->count++] = (pl_check_t){
        .subject = pl_strdup(subject),
        .name = name,
        .status = status,
        .detail = pl_strdup(line.message),
        .advice = advice,
    };
}

void pl_check_ok(pl_doctor_t *doctor, const char *subject, const char *name, const char *format,
                 ...)
{
    va_list args;

    va_start(args, format);
    add_check(doctor, subject, name, PL_CHECK_OK, NULL, format, args);
    va_end(args);
}

void pl_check_warn(pl_doctor_t *doctor, const char *subject, const char *name, const char *advice,
                   const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_check(doctor, subject, name, PL_CHECK_WARN, advice, format, args);
    va_end(args);
}

void pl_check_fail(pl_doctor_t *doctor, const char *subject, const char *name, enum pl_exit exit,
                   const char *advice, const char *format, ...)
{
    va_list args;

    doctor->exit = pl_exit_worse(doctor->exit, exit);
    va_start(args, format);
    add_check(doctor, subject, name, PL_CHECK_FAIL, advice, format, args);
    va_end(args);
}

void pl_check_outcome(pl_doctor_t *doctor, const char *subject, const char *name, int rc,
                      const pl_outcome_t *outcome, const char *advice, const char *detail)
{
    if (rc == 0)
        pl_check_ok(doctor, subject, name, "%s", detail);
    else
        pl_check_fail(doctor, subject, name, outcome->code, advice, "%s", outcome->message);
}

PGresult *pl_check_query(pl_doctor_t *doctor, const char *subject, const char *name, PGconn *conn,
                         const char *sql)
{
    PGresult *result = PQexec(conn, sql);

    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        return result;
    pl_check_fail(doctor, subject, name,
                  PQstatus(conn) == CONNECTION_BAD ? PL_EXIT_UNREACHABLE : PL_EXIT_FAILED,
                  "The database refused the check's query; see the message.", "%s",
                  PQerrorMessage(conn));
    PQclear(result);
    return NULL;
}

PGconn *pl_check_connect(pl_doctor_t *doctor, const char *subject, const char *name,
                         const char *dsn)
{
    PGconn *conn;

    /* With an empty DSN, libpq would use the environment. */
    if (dsn[0] == '\0') {
        pl_check_fail(doctor, subject, name, PL_EXIT_USAGE,
                      "Set it as in conf/parley.ini; parleyd does not start without it.",
                      "not set in the configuration");
        return NULL;
    }
    conn = pl_session_connect(dsn);
    if (PQstatus(conn) == CONNECTION_OK)
        return conn;
    pl_check_fail(doctor, subject, name, PL_EXIT_UNREACHABLE,
                  "Check that the server runs, and compare the DSN with pg_hba.conf (or with the"
                  " pooler's databases and users).",
                  "%s", PQerrorMessage(conn));
    PQfinish(conn);
    return NULL;
}

int pl_doctor_lanes(const pl_doctor_t *doctor)
{
    const pl_config_t *config = &doctor->ctl->config;
    int64_t workers = config->server.workers;

    if (workers == 0)
        workers = sysconf(_SC_NPROCESSORS_ONLN);
    return (int)(config->lanes.write_lanes + 2 + workers * config->lanes.read_lanes_per_worker);
}
