/*
 * One PostgreSQL connection on one loop. It connects, reconnects by itself, and runs one batch at a
 * time. Only the loop's thread may use it (asserted).
 *
 *   waiting --timer--> connecting --ready--> idle --pl_conn_sync--> busy --Sync answered--> idle
 *      ^                   |                  |                      |
 *      +------- failed ----+------ lost ------+--------- lost -------+
 * A batch is the statements between two Syncs, and one transaction. The next batch begins only
 * after the Sync of the last one is answered: if two overlap, PgBouncer 1.18 gives the results of
 * one client to another.
 */
#ifndef PL_DB_CONN_H
#define PL_DB_CONN_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "db/params.h"
#include "loop/loop.h"

typedef struct pl_conn pl_conn_t;

/* Called on the loop's thread, never from inside a pl_conn_ call except pl_conn_drop. */
typedef struct pl_conn_callbacks {
    /* The connection is idle: a batch may be sent. Called after connecting and after each batch. */
    void (*on_idle)(void *owner);
    /* The batch's next statement has its result, which may also be an error or
     * PGRES_PIPELINE_ABORTED. `result` belongs to the callee, who clears it with PQclear. */
    void (*on_result)(void *owner, PGresult *result);
    /* The batch is over: its transaction has committed, or has failed as a whole. `on_idle`
     * follows. */
    void (*on_batch_end)(void *owner);
    /* The connection is lost. The outcome of a batch in flight is unknown. It reconnects by
     * itself. */
    void (*on_lost)(void *owner);
} pl_conn_callbacks_t;

/* Creates a connection and starts to connect. `name` (for logs) and `dsn` are copied; `callbacks`
 * and `owner` must outlive it. Never NULL. It lives as long as the process. */
pl_conn_t *pl_conn_create(pl_loop_t *loop, const char *name, const char *dsn,
                          const pl_conn_callbacks_t *callbacks, void *owner);

/* True if a batch may be sent now. */
bool pl_conn_is_idle(const pl_conn_t *conn);

/* Adds a statement to the batch; its result will be binary. Only while idle. -1: the connection is
 * broken, and `on_lost` follows from the loop; nothing of the batch is committed, because
 * pl_conn_sync was not called yet. */
int pl_conn_query(pl_conn_t *conn, const char *sql, const pl_params_t *params)
    __attribute__((warn_unused_result));

/* Ends the batch and sends it. Only while idle. -1: the connection is broken, `on_lost` follows
 * from the loop, and the outcome of the batch is unknown. */
int pl_conn_sync(pl_conn_t *conn) __attribute__((warn_unused_result));

/* Closes the connection as if it had been lost, for example if a batch takes too long. Calls
 * on_lost, unless the connection is lost already. */
void pl_conn_drop(pl_conn_t *conn, const char *reason);

#endif
