#ifndef PL_DIRECTORY_DURABILITY_H
#define PL_DIRECTORY_DURABILITY_H

#include <libpq-fe.h>

#include "base/compiler.h"
#include "base/error.h"

/*
 * Checks that a commit on this connection is durable (promise 1): `fsync`, `full_page_writes` and
 * the effective `synchronous_commit` are not off. Blocks for one round trip.
 *
 * `synchronous_commit` depends on the role and the database (ALTER ROLE and ALTER DATABASE can set
 * it), so the connection must use the server's role, not the owner's, on the database itself. The
 * values `local`, `remote_write`, `on` and `remote_apply` all flush the commit to the primary's
 * disk and pass.
 *
 * Returns 0 when durable. Returns -1 with PL_ERROR_INVALID and a message that names the settings
 * that are off; PL_ERROR_UNAVAILABLE when the connection is lost; PL_ERROR_SQL when the database
 * refuses the query.
 */
int pl_durability_check(PGconn *conn, pl_error_t *error) PL_MUST_USE;

/* The query of that check, for callers that must not block; it has no parameters. */
extern const char pl_durability_query[];

/* Reads the result (PGRES_TUPLES_OK) of that query. Returns 0 when durable, or -1 with
 * PL_ERROR_INVALID as above. */
int pl_durability_read(const PGresult *result, pl_error_t *error)
    __attribute__((warn_unused_result));

#endif
