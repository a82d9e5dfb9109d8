/*
 * Blocking connections to PostgreSQL, without a pooler; and a way to keep libpq from printing the
 * server's notices to standard error, where the log's JSON lines go.
 */
#ifndef PL_DIRECTORY_CONNECT_H
#define PL_DIRECTORY_CONNECT_H

#include <libpq-fe.h>

/* Connects and blocks until it is done. `timeout_s` (seconds, as a decimal string) limits the
 * attempt for each host. If the DSN sets connect_timeout or application_name, the DSN wins. Never
 * NULL: check the result with PQstatus, and close it with PQfinish. */
PGconn *pl_connect(const char *dsn, const char *application, const char *timeout_s);

/* Makes libpq ignore the server's notices and warnings. Call it as soon as the connection object
 * exists. */
void pl_connect_ignore_notices(PGconn *pg);

#endif
