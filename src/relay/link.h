/* A blocking connection to one database, made when it is needed and given up when it fails. */
#ifndef PL_RELAY_LINK_H
#define PL_RELAY_LINK_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "db/params.h"

typedef struct pl_link {
    const char *name; /* of the database */
    const char *dsn;
    bool allow_data_loss_on_crash;
    PGconn *pg;       /* NULL: not connected */
    int64_t retry_ms; /* not before */
    int64_t retry_pause_ms;
} pl_link_t;

/* True when there is a connection, to a server whose commits are durable unless the configuration
 * does without; tries to make one, but not more often than a growing pause allows. */
bool pl_link_is_up(pl_link_t *link);

/* Runs one statement; binary results; the caller clears the result. `params` may be NULL. NULL: it
 * failed, which is logged. The connection is closed when it is at fault or gave no answer in time,
 * and kept when the statement was refused. */
PGresult *pl_link_run(pl_link_t *link, const char *sql, const pl_params_t *params);

void pl_link_close(pl_link_t *link);

#endif
