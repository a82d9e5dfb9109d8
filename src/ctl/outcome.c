/*
 * Exit codes and their messages.
 */
#include "ctl/outcome.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define UTF8_LENGTH_MAX 4

static const struct {
    const char *name;
    const char *description;
    int severity; /* the higher is the worse */
} exits[PL_EXIT_COUNT] = {
    [PL_EXIT_OK] = {"ok", "done, or nothing to do", 0},
    [PL_EXIT_FAILED] = {"failed", "a statement, a file or a check failed", 6},
    [PL_EXIT_USAGE] = {"usage", "wrong command line or configuration", 4},
    [PL_EXIT_PENDING] = {"pending", "there are migrations or functions to apply", 1},
    [PL_EXIT_DRIFT] = {"drift", "what was applied differs from the files", 5},
    [PL_EXIT_BLOCKED] = {"blocked", "a lock or a condition stands in the way", 2},
    [PL_EXIT_UNREACHABLE] = {"unreachable", "no connection to a database, or it was lost", 3},
};

const char *pl_exit_name(enum pl_exit code)
{
    return exits[code].name;
}

const char *pl_exit_description(enum pl_exit code)
{
    return exits[code].description;
}

enum pl_exit pl_exit_worse(enum pl_exit a, enum pl_exit b)
{
    return exits[a].severity >= exits[b].severity ? a : b;
}

/* Makes one line of a message. A server's message may have several lines and ends in a newline. A
 * message that was cut may end inside a character, which would make the JSON invalid. */
static void make_line(char *message)
{
    size_t length = strlen(message);

    for (int i = 1; length > 0 && i < UTF8_LENGTH_MAX && !pl_utf8_is_valid(message, length); i++)
        message[--length] = '\0';
    while (length > 0 && message[length - 1] == '\n')
        message[--length] = '\0';
    for (char *p = message; *p != '\0'; p++)
        if (*p == '\n' || *p == '\t')
            *p = ' ';
}

int pl_fail(pl_outcome_t *outcome, enum pl_exit code, const char *format, ...)
{
    va_list args;

    outcome->code = code;
    va_start(args, format);
    vsnprintf(outcome->message, sizeof outcome->message, format, args);
    va_end(args);
    make_line(outcome->message);
    return -1;
}

static enum pl_exit code_of(PGconn *conn, const PGresult *result)
{
    const char *sqlstate = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (PQstatus(conn) == CONNECTION_BAD)
        return PL_EXIT_UNREACHABLE;
    if (sqlstate != NULL && (strcmp(sqlstate, "55P03") == 0 || strcmp(sqlstate, "40P01") == 0))
        return PL_EXIT_BLOCKED;
    return PL_EXIT_FAILED;
}

int pl_fail_sql(pl_outcome_t *outcome, PGconn *conn, const PGresult *result, const char *format,
                ...)
{
    const char *reason = result == NULL ? NULL : PQresultErrorMessage(result);
    va_list args;
    int length;

    if (reason == NULL || reason[0] == '\0')
        reason = PQerrorMessage(conn);
    outcome->code = code_of(conn, result);
    va_start(args, format);
    length = vsnprintf(outcome->message, sizeof outcome->message, format, args);
    va_end(args);
    if (length >= 0 && (size_t)length < sizeof outcome->message) {
        snprintf(outcome->message + length, sizeof outcome->message - (size_t)length, ": %s",
                 reason);
    }
    make_line(outcome->message);
    return -1;
}
