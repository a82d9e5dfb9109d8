/* A blocking connection to one database. It is opened when it is needed and closed when it fails.
 * Used on the relay's thread only. */
#ifndef PL_RELAY_LINK_H
#define PL_RELAY_LINK_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "db/params.h"

typedef struct pl_link {
    const char *name; /* of the database; `name` and `dsn` must outlive the link */
    const char *dsn;
    bool allow_data_loss_on_crash;
    PGconn *pg;             /* NULL: not connected */
    int64_t retry_ms;       /* no attempt to connect before this time on the monotonic clock */
    int64_t retry_pause_ms; /* the last pause; 0 after a success */
} pl_link_t;

/* Returns true if the link is connected to a server whose commits are durable (or the configuration
 * allows data loss). If it is not connected, tries to connect, with a growing pause between
 * attempts. */
bool pl_link_is_up(pl_link_t *link);

/* Runs one statement on a connected link, and blocks until its result is there. The result is
 * binary; the caller clears it. `params` may be NULL. Returns NULL if it failed, which is logged.
 * Then the link is closed, unless the database only refused the statement. */
PGresult *pl_link_run(pl_link_t *link, const char *sql, const pl_params_t *params);

/* Closes the connection, if there is one; an open transaction rolls back. */
void pl_link_close(pl_link_t *link);

#endif
