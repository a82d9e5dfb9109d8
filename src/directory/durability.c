/*
 * If one of these settings is off, a crash can lose acknowledged messages.
 */
#include "directory/durability.h"

#include <stdio.h>
#include <string.h>

const char pl_durability_query[] =
    "SELECT current_setting('fsync'), current_setting('full_page_writes'),"
    " current_setting('synchronous_commit')";

static const char *const settings[] = {"fsync", "full_page_writes", "synchronous_commit"};

static void list_settings_off(const PGresult *result, char *list, size_t size)
{
    size_t length = 0;

    list[0] = '\0';
    for (int i = 0; i < (int)(sizeof settings / sizeof settings[0]); i++) {
        if (strcmp(PQgetvalue(result, 0, i), "off") != 0)
            continue;
        int written = snprintf(list + length, size - length, "%s%s", length > 0 ? ", " : "",
                               settings[i]);
        if (written < 0 || (size_t)written >= size - length)
            return;
        length += (size_t)written;
    }
}

int pl_durability_read(const PGresult *result, pl_error_t *error)
{
    char off[80];

    list_settings_off(result, off, sizeof off);
    if (off[0] == '\0')
        return 0;
    pl_error_set(error, PL_ERROR_INVALID, "off: %s; a crash could lose acknowledged messages", off);
    return -1;
}

int pl_durability_check(PGconn *conn, pl_error_t *error)
{
    int rc = -1;
    PGresult *result = PQexec(conn, pl_durability_query);

    if (PQstatus(conn) == CONNECTION_BAD) {
        pl_error_set(error, PL_ERROR_UNAVAILABLE, "connection lost: %.150s", PQerrorMessage(conn));
        goto out;
    }
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        pl_error_set_sql(error, PQresultErrorField(result, PG_DIAG_SQLSTATE),
                         "durability check: %.150s", PQresultErrorMessage(result));
        goto out;
    }
    rc = pl_durability_read(result, error);
out:
    PQclear(result);
    return rc;
}
