/*
 * Direct connections that are used blocking, and silence for all of libpq: by default it prints
 * what a server remarks between the lines of the log.
 */
#ifndef PL_DIRECTORY_CONNECT_H
#define PL_DIRECTORY_CONNECT_H

#include <libpq-fe.h>

/* `timeout_s`, in decimal, bounds the connecting to each host. What the DSN itself says about that
 * or about the name comes first. Never NULL: see PQstatus, and end it by PQfinish. */
PGconn *pl_connect(const char *dsn, const char *application, const char *timeout_s);

/* Notices and warnings are nobody's answer. To be called as soon as there is a connection. */
void pl_connect_ignore_notices(PGconn *pg);

#endif
